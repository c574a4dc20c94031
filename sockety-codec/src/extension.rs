//! The packets of the negotiated extension, which add credit, cancelling, deadlines, metadata and
//! an exact Go Away to the protocol.
//!
//! The extension is active on a connection if both sides begin with
//! [`ConnectionHeader::OFFER`](crate::ConnectionHeader::OFFER). The
//! [decoder](crate::Decoder::offering_extension) enforces which of its packets are legal when, and
//! returns them as events; what they contain has types here:
//!
//! | packet | content |
//! |---|---|
//! | Control | [`Settings`], [`Cancels`], [`Leave`], Done, Ping, Pong, [`Status`] |
//! | Metadata | [`Metadata`](metadata::Metadata) of the message that follows |
//! | Flow | [`FlowEntries`]: credit for content, and requests to stop sending it |
//!
//! Messages and responses have numbers: the n-th of one direction, from 0, has number n. Both sides
//! count, and the wire carries the low 32 bits.

mod cancels;
mod flow;
mod leave;
pub mod metadata;
mod settings;
mod status;

pub use self::{
    cancels::Cancels,
    flow::{FlowEntries, Resolved},
    leave::{Leave, LeaveReason},
    settings::Settings,
    status::Status,
};
pub(crate) use self::{
    flow::put_entry,
    settings::{range as setting_range, zero_is_allowed},
};

use crate::Violation;

/// The kind of a packet of the extension: the low two bits of its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Control,
    Metadata,
    Flow,
}

impl Kind {
    /// The largest content of a Control packet.
    const CONTROL_BYTES: u32 = 8_192;
    /// The largest content of a Flow packet.
    pub(crate) const FLOW_BYTES: u32 = 4_096;

    // r[impl ext.packet]
    // r[impl ext.packet.kind]
    pub(crate) fn of(first: u8) -> Result<Self, Violation> {
        match first & 0b11 {
            0b00 => Ok(Self::Control),
            0b01 => Ok(Self::Metadata),
            0b10 => Ok(Self::Flow),
            _ => Err(Violation::ExtensionKind { byte: first }),
        }
    }

    /// The first byte, without the width of the size.
    pub(crate) const fn first(self) -> u8 {
        match self {
            Self::Control => 0xF0,
            Self::Metadata => 0xF1,
            Self::Flow => 0xF2,
        }
    }

    /// The largest content, in bytes; that of Metadata packets is a setting of the receiver.
    // r[impl ext.packet.bound]
    pub(crate) const fn max_content(self, metadata: u32) -> u32 {
        match self {
            Self::Control => Self::CONTROL_BYTES,
            Self::Metadata => metadata,
            Self::Flow => Self::FLOW_BYTES,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Control => "Control",
            Self::Metadata => "Metadata",
            Self::Flow => "Flow",
        }
    }
}

/// The first byte of the content of a Control packet.
pub(crate) mod control {
    pub(crate) const SETTINGS: u8 = 0;
    pub(crate) const CANCEL: u8 = 1;
    pub(crate) const LEAVE: u8 = 2;
    pub(crate) const DONE: u8 = 3;
    pub(crate) const PING: u8 = 4;
    pub(crate) const PONG: u8 = 5;
    pub(crate) const STATUS: u8 = 6;
    /// From here on, a kind that is not known breaks the protocol.
    // r[impl ext.control.unknown]
    pub(crate) const CRITICAL: u8 = 128;
}

/// The number whose low 32 bits are `low`: the largest below `begun`, of which there are as many.
// r[impl ext.number.short]
pub(crate) fn number(low: u32, begun: u64) -> Option<u64> {
    const LOW: u64 = 0xFFFF_FFFF;
    let newest = (begun & !LOW) | u64::from(low);
    match newest < begun {
        true => Some(newest),
        false => newest.checked_sub(LOW.saturating_add(1)),
    }
}

/// Content that ends inside a field, goes on after the last one, or has no such form.
// r[impl ext.content.exact]
pub(crate) const fn malformed(what: &'static str) -> Violation {
    Violation::ExtensionContent { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    // r[verify ext.number.short]
    #[test]
    fn a_short_number_means_the_newest_that_has_begun() {
        let wrap = 1_u64 << 32;
        for (low, begun, expected) in [
            (0, 0, None),
            (0, 1, Some(0)),
            (1, 1, None),
            (u32::MAX, wrap, Some(wrap - 1)),
            (0, wrap, Some(0)),
            (0, wrap + 1, Some(wrap)),
            (1, wrap + 1, Some(1)),
            (u32::MAX, wrap + 1, Some(wrap - 1)),
            (5, 3 * wrap + 5, Some(2 * wrap + 5)),
            (5, 3 * wrap + 6, Some(3 * wrap + 5)),
            (u32::MAX, u64::MAX, Some(u64::MAX - wrap)),
        ] {
            assert_eq!(number(low, begun), expected, "{low} of {begun}");
        }
    }
}

//! What both sides agreed on by their connection headers.

use sockety_codec::{ChannelCount, Encoder, extension::Settings};

use crate::config::options::Options;

/// What both sides agreed on by their connection headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Negotiated {
    /// The protocol without the extension, with the channels that the peer receives on.
    Base(ChannelCount),
    /// The protocol with the extension.
    Extended,
}

impl Negotiated {
    /// The channels that may be used at the beginning.
    // r[impl ext.settings.before]
    pub(crate) fn channels(self) -> ChannelCount {
        match self {
            Self::Base(channels) => channels,
            Self::Extended => Encoder::UNTIL_SETTINGS,
        }
    }
}

/// What a side with these options says about itself.
pub(crate) fn settings(options: &Options) -> Settings {
    let limits = &options.limits;
    let idle = options.idle_timeout.map_or(0, |limit| limit.as_millis());
    let deadline = options
        .call_timeout
        .map_or(0, |limit| u32::try_from(limit.as_millis()).unwrap_or(0));
    Settings::default()
        .with_message_window(narrow(options.window))
        .with_connection_window(options.unread_bytes as u64)
        .with_channels(limits.channels())
        .with_metadata_bytes(limits.metadata_bytes())
        .with_payload(limits.payload())
        .with_files(limits.files())
        .with_action_bytes(narrow(limits.action_bytes()))
        .with_header_bytes(narrow(limits.header_bytes()))
        .with_requests(narrow(options.requests_executing))
        .with_deadline_millis(deadline)
        .with_idle_millis(u64::try_from(idle).unwrap_or(0))
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

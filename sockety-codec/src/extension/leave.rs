use super::malformed;
use crate::{
    Violation,
    reader::Reader,
    uint::{self, U48_MAX},
};

/// Says that its sender is about to close the connection, and which messages it takes before that
/// (`ext.leave`). It takes the place of Go Away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leave<'a> {
    /// How many messages of its reader were or may be executed; the others never are. `None` while
    /// that is open. At most 2^48 - 2.
    pub taken: Option<u64>,
    /// Why it leaves.
    pub reason: LeaveReason,
    /// For how long it goes on with what it has taken, in milliseconds.
    pub grace_millis: u32,
    /// How long its reader waits before it connects to this address again, in milliseconds.
    pub retry_after_millis: u32,
    /// Details for people, at most 200 bytes.
    pub text: &'a str,
}

impl<'a> Leave<'a> {
    /// The greatest length of [`text`](Self::text), in bytes.
    pub const MAX_TEXT: usize = 200;

    pub(crate) fn decode(content: &'a [u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(content);
        let mut fields = || {
            Some(Self {
                taken: Some(reader.u64(6)?).filter(|taken| *taken != U48_MAX),
                reason: LeaveReason::from_byte(reader.byte()?),
                grace_millis: reader.u32(4)?,
                retry_after_millis: reader.u32(4)?,
                text: std::str::from_utf8(reader.rest()).ok()?,
            })
        };
        fields()
            .filter(|leave| leave.text.len() <= Self::MAX_TEXT)
            .ok_or(malformed("Leave"))
    }

    /// Appends the content. A text that is too long is cut.
    pub(crate) fn encode(&self, dst: &mut Vec<u8>) {
        uint::put(dst, self.taken.unwrap_or(U48_MAX), 6);
        dst.push(self.reason.to_byte());
        uint::put(dst, self.grace_millis.into(), 4);
        uint::put(dst, self.retry_after_millis.into(), 4);
        let mut text = self.text;
        while text.len() > Self::MAX_TEXT {
            let mut chars = text.chars();
            chars.next_back();
            text = chars.as_str();
        }
        dst.extend_from_slice(text.as_bytes());
    }
}

/// Why a side leaves a connection.
// r[impl ext.leave.reason]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeaveReason {
    /// It shuts down. Reasons of later versions are read as this one.
    #[default]
    Shutdown,
    /// The connection has reached its greatest age.
    Age,
    /// Nothing was sent on the connection for a long time.
    Idle,
    /// Its peer broke the protocol.
    Protocol,
    /// Its peer exceeded a limit.
    Limit,
    /// It has too much to do.
    Overloaded,
    /// Its peer did not show who it is.
    Unauthorized,
    /// It failed.
    Internal,
    /// It goes on serving for the grace, but new requests are better sent elsewhere.
    LameDuck,
}

impl LeaveReason {
    const ALL: [Self; 9] = [
        Self::Shutdown,
        Self::Age,
        Self::Idle,
        Self::Protocol,
        Self::Limit,
        Self::Overloaded,
        Self::Unauthorized,
        Self::Internal,
        Self::LameDuck,
    ];

    fn from_byte(byte: u8) -> Self {
        let known = Self::ALL.get(usize::from(byte));
        known.copied().unwrap_or_default()
    }

    fn to_byte(self) -> u8 {
        let position = Self::ALL.iter().position(|reason| *reason == self);
        position
            .and_then(|position| u8::try_from(position).ok())
            .unwrap_or_default()
    }
}

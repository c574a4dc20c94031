use std::fmt;

use sockety_codec::ReplyCode;

use crate::outcome::Outcome;

/// A 12-bit code that answers a message in 17 or 18 bytes, without a response.
///
/// The protocol names six codes, 0 to 5. Codes 16 to 3,839 are for the errors of services
/// ([`ServiceError`](crate::error::service::ServiceError)), 3,840 to 4,095 are this framework's
/// own.
///
/// ```
/// use sockety::FastReply;
///
/// assert_eq!(FastReply::NOT_IMPLEMENTED.code(), 2);
/// assert_eq!(FastReply::new(404).unwrap().code(), 404);
/// assert!(FastReply::new(4096).is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FastReply(ReplyCode);

impl FastReply {
    /// 0: accepted.
    pub const ACCEPT: Self = Self(ReplyCode::ACCEPT);
    /// 1: rejected.
    pub const REJECT: Self = Self(ReplyCode::REJECT);
    /// 2: no service has this action.
    pub const NOT_IMPLEMENTED: Self = Self(ReplyCode::NOT_IMPLEMENTED);
    /// 3: the peer may not do this.
    pub const UNAUTHORIZED: Self = Self(ReplyCode::UNAUTHORIZED);
    /// 4: the message could not be understood.
    pub const BAD_REQUEST: Self = Self(ReplyCode::BAD_REQUEST);
    /// 5: the handler failed.
    pub const INTERNAL_ERROR: Self = Self(ReplyCode::INTERNAL_ERROR);

    /// Returns a reply with this code, which must be 0 to 4,095.
    ///
    /// # Errors
    /// [`InvalidCode`] if the code has more than 12 bits.
    pub fn new(code: u16) -> Result<Self, InvalidCode> {
        ReplyCode::new(code).map(Self).ok_or(InvalidCode(code))
    }

    /// Returns the code, 0 to 4,095.
    pub fn code(self) -> u16 {
        self.0.get()
    }

    /// Returns the name of a code of the protocol or of this framework.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::ACCEPT => "Accept",
            Self::REJECT => "Reject",
            Self::NOT_IMPLEMENTED => "Not Implemented",
            Self::UNAUTHORIZED => "Unauthorized",
            Self::BAD_REQUEST => "Bad Request",
            Self::INTERNAL_ERROR => "Internal Error",
            _ => return FrameworkCode::of(self).map(FrameworkCode::name),
        })
    }

    /// Returns what is known about the message that this code answers. For codes that a service or
    /// handler can choose, this is [`Outcome::Replied`].
    ///
    /// ```
    /// use sockety::{FastReply, Outcome};
    ///
    /// assert_eq!(FastReply::NOT_IMPLEMENTED.outcome(), Outcome::NotExecuted);
    /// assert_eq!(FastReply::REJECT.outcome(), Outcome::Replied);
    /// ```
    pub fn outcome(self) -> Outcome {
        match self {
            Self::NOT_IMPLEMENTED => Outcome::NotExecuted,
            Self::INTERNAL_ERROR => Outcome::Executed,
            _ => {
                let known = FrameworkCode::of(self);
                known.map_or(Outcome::Replied, FrameworkCode::outcome)
            }
        }
    }

    pub(crate) fn reply_code(self) -> ReplyCode {
        self.0
    }
}

impl From<ReplyCode> for FastReply {
    fn from(code: ReplyCode) -> Self {
        Self(code)
    }
}

impl TryFrom<u16> for FastReply {
    type Error = InvalidCode;

    fn try_from(code: u16) -> Result<Self, InvalidCode> {
        Self::new(code)
    }
}

impl From<FastReply> for u16 {
    fn from(reply: FastReply) -> Self {
        reply.code()
    }
}

impl fmt::Display for FastReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} ({name})", self.code()),
            None => write!(f, "{}", self.code()),
        }
    }
}

impl fmt::Debug for FastReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FastReply({self})")
    }
}

/// A code with more than 12 bits: the maximum is 4,095.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid fast reply code {0}: maximum is 4095")]
pub struct InvalidCode(pub u16);

/// Codes that the framework itself sends, above those of services.
#[derive(Clone, Copy)]
pub(crate) enum FrameworkCode {
    Overloaded,
    GoingAway,
    TooLarge,
    /// The deadline passed while the handler ran.
    DeadlineExceeded,
    /// The caller cancelled while the handler ran.
    Cancelled,
    SlowConsumer,
    BadHeader,
    /// It did not begin, and will not. Also the answer to [`PRESENT_ACTION`].
    NotBegun,
}

/// The action with which a connection asks whether the peer is one of this framework, which answers
/// with [`FrameworkCode::NotBegun`], before authorization and without a handler.
pub(crate) const PRESENT_ACTION: &str = "$sockety.present";

impl FrameworkCode {
    const ALL: [Self; 8] = [
        Self::Overloaded,
        Self::GoingAway,
        Self::TooLarge,
        Self::DeadlineExceeded,
        Self::Cancelled,
        Self::SlowConsumer,
        Self::BadHeader,
        Self::NotBegun,
    ];

    /// Whether the code says that the handler ended early, or never began.
    #[inline]
    pub(crate) fn is_end(code: FastReply) -> bool {
        matches!(code.code(), 3843 | 3847)
    }

    pub(crate) fn reply(&self) -> FastReply {
        let code = match self {
            Self::Overloaded => 3840,
            Self::GoingAway => 3841,
            Self::TooLarge => 3842,
            // r[impl ext.codes]
            Self::DeadlineExceeded => 3843,
            Self::Cancelled => 3844,
            Self::SlowConsumer => 3845,
            Self::BadHeader => 3846,
            Self::NotBegun => 3847,
        };
        FastReply(ReplyCode::new(code).expect("framework codes have 12 bits"))
    }

    pub(crate) fn of(reply: FastReply) -> Option<&'static Self> {
        Self::ALL.iter().find(|known| known.reply() == reply)
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Overloaded => "Overloaded",
            Self::GoingAway => "Going Away",
            Self::TooLarge => "Too Large",
            Self::DeadlineExceeded => "Deadline Exceeded",
            Self::Cancelled => "Cancelled",
            Self::SlowConsumer => "Slow Consumer",
            Self::BadHeader => "Bad Header",
            Self::NotBegun => "Not Begun",
        }
    }

    pub(crate) fn is_one(reply: FastReply) -> bool {
        Self::of(reply).is_some()
    }

    /// Whether this code tells that the peer does not read the rest of the message.
    pub(crate) fn means_unread(reply: FastReply) -> bool {
        reply == FastReply::NOT_IMPLEMENTED || Self::is_one(reply)
    }

    fn outcome(&self) -> Outcome {
        match self {
            Self::Overloaded
            | Self::GoingAway
            | Self::TooLarge
            | Self::BadHeader
            | Self::NotBegun => Outcome::NotExecuted,
            // Sent in the middle of the handler's work.
            Self::SlowConsumer | Self::DeadlineExceeded | Self::Cancelled => Outcome::Executed,
        }
    }
}

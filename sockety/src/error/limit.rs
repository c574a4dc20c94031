use std::time::Duration;

/// The limit that a peer exceeded, so that the connection was ended; see
/// [`Options`](crate::config::options::Options) for each limit.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitExceeded {
    /// The header of a message, or the start of a packet, was not complete in time.
    #[error("header incomplete after {0:?}")]
    HeaderTimeout(Duration),
    /// The peer did not become [authorized](crate::serve::authorize::Authorize) in time.
    #[error("not authorized within {0:?}")]
    AuthorizationTimeout(Duration),
    /// Too many useless packets: empty ones, needless channel switches, floods of heartbeats,
    /// replies to no request.
    #[error("too many useless packets: limit is {burst} at once and {per_second} per second")]
    UselessPackets {
        /// How many at once.
        burst: u64,
        /// How many per second, in the long run.
        per_second: u64,
    },
    /// The peer sends more credit for files and streams than their content can need: 1,024 bytes of
    /// content pay for an entry, and further ones up to this rate are free (`ext.credit.budget`).
    #[error(
        "too many flow control entries: limit is {burst} at once and {per_second} per second, and one for each 1024 bytes"
    )]
    Flow {
        /// How many at once.
        burst: u64,
        /// How many per second, in the long run.
        per_second: u64,
    },
    /// Messages whose content stopped arriving hold more than a quarter of the channels.
    #[error("content of {messages} messages stopped arriving: limit is {limit}")]
    StalledMessages {
        /// The number of such messages.
        messages: usize,
        /// The limit, a quarter of the channels.
        limit: usize,
    },
    /// The peer sends requests, but did not read their replies for this time.
    #[error("replies not read for {0:?}")]
    ReplyBacklog(Duration),
}

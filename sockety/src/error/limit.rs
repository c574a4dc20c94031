use std::time::Duration;

/// The limit that a peer exceeded, so that the connection was ended; see
/// [`Options`](crate::config::options::Options) for each limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
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
    #[error("too many useless packets")]
    UselessPackets,
    /// Too many messages that were refused because they exceed limits.
    #[error("too many refused messages")]
    RefusedMessages,
    /// Too many messages that the peer began and abandoned.
    #[error("too many messages abandoned by the peer")]
    AbortedMessages,
    /// Too much content that nobody reads: of refused messages, or of replies that are no longer
    /// wanted.
    #[error("too much content that nobody reads")]
    DroppedContent,
    /// Messages whose content stopped arriving hold more than a quarter of the channels.
    #[error("too many messages whose content stopped arriving")]
    StalledMessages,
    /// The peer sends requests, but did not read their replies for this time.
    #[error("replies not read for {0:?}")]
    ReplyBacklog(Duration),
}

use std::time::Duration;

/// What a peer did too much of, so that the connection was ended; see [`Options`](crate::config::options::Options) for each limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitExceeded {
    /// The header of a message, or the beginning of a packet, was not complete in time.
    #[error("header incomplete after {0:?}")]
    HeaderTimeout(Duration),
    /// The peer did not become [authorized](crate::serve::authorize::Authorize) in time.
    #[error("not authorized within {0:?}")]
    AuthorizationTimeout(Duration),
    /// Packets without use: empty ones, needless switches of the channel, heartbeats in masses, replies to nothing.
    #[error("too many useless packets")]
    UselessPackets,
    /// Messages that had to be refused, as they break limits.
    #[error("too many refused messages")]
    RefusedMessages,
    /// Messages that the peer began and gave up.
    #[error("too many messages abandoned by the peer")]
    AbortedMessages,
    /// Content that nobody takes: of refused messages, or of replies that nobody reads any longer.
    #[error("too much content that nobody reads")]
    DroppedContent,
    /// More than a quarter of the channels are held by messages whose content does not come.
    #[error("too many messages whose content stopped arriving")]
    StalledMessages,
    /// The peer sends requests, but does not read their replies.
    #[error("replies not read for {0:?}")]
    ReplyBacklog(Duration),
}

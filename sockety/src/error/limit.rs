use std::time::Duration;

/// What a peer did too much of, so that the connection was ended; see [`Options`](crate::config::options::Options) for each limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitExceeded {
    /// The header of a message, or the begin of a packet, was not whole in time.
    #[error("a header was not whole within {0:?}")]
    HeaderTimeout(Duration),
    /// The peer did not become [authorized](crate::serve::authorize::Authorize) in time.
    #[error("not authorized within {0:?}")]
    AuthorizationTimeout(Duration),
    /// Packets without use: empty ones, needless switches of the channel, heartbeats in masses, replies to nothing.
    #[error("too many packets without use")]
    UselessPackets,
    /// Messages that had to be refused, as they break limits.
    #[error("too many messages that had to be refused")]
    RefusedMessages,
    /// Messages that the peer began and gave up.
    #[error("too many messages given up by the peer")]
    AbortedMessages,
    /// Content that nobody takes: of refused messages, or of replies that nobody reads any longer.
    #[error("too much content that nobody takes")]
    DroppedContent,
    /// More than a quarter of the channels are held by messages whose content does not come.
    #[error("too many messages whose content does not come")]
    StalledMessages,
    /// The peer sends requests, but does not read their replies.
    #[error("the replies to requests were not read for {0:?}")]
    ReplyBacklog(Duration),
}

//! Why a message was not sent.

use super::connection::ConnectionError;
use crate::msgpack;
use sockety_codec::UsageError;
use std::sync::Arc;

/// Why a message was not sent. No byte of it left: the outcome is always [`Outcome::NotSent`](crate::Outcome::NotSent).
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The value could not be written as MessagePack.
    #[error("payload cannot be encoded")]
    Encode(#[source] Arc<msgpack::EncodeError>),
    /// The payload is larger than [`Limits::max_payload`](crate::config::Limits::max_payload).
    #[error("payload of {size} bytes is over the limit of {limit}")]
    PayloadTooLarge {
        /// Size of the payload in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The message cannot stand on the wire.
    #[error("message cannot be sent")]
    Usage(#[source] UsageError),
    /// Too many requests wait for a reply on this connection.
    #[error("too many requests in flight (limit {limit})")]
    Busy {
        /// How many may wait, see [`Options::max_requests_in_flight`](crate::config::options::Options::max_requests_in_flight).
        limit: usize,
    },
    /// So many messages with files or streams were given up half-way that no channel is left for another: some
    /// peers never take notice of that. A new connection has them all.
    #[error("no channels left for files or streams on this connection")]
    ChannelsExhausted,
    /// A file or stream of the message comes from a reader, and was sent with another message already.
    #[error("files and streams that come from readers can be sent only once")]
    ContentTaken,
    /// A [middleware](crate::connection::middleware::CallMiddleware) of this side refused the message, and says why.
    #[error("refused before it was sent: {0}")]
    Refused(Arc<str>),
    /// The peer takes less than is sent to it, and outbox is full.
    #[error("outbox is full")]
    Full,
    /// The sender of the message waits for no reply, so none may be sent.
    #[error("message expects no reply")]
    NotExpected,
    /// The message is answered already, with code 3,845, Slow Consumer: nobody read its content.
    #[error("message already answered: it was cut off because nobody read its content")]
    CutOff,
    /// The peer is about to close, and takes no new messages.
    #[error("peer is about to close the connection")]
    PeerGoingAway,
    /// The connection has ended.
    #[error("connection is gone")]
    Disconnected(#[source] ConnectionError),
}

impl SendError {
    /// By a middleware that dropped the message.
    pub(crate) fn refused_unsaid() -> Self {
        Self::Refused("a middleware dropped the message".into())
    }
}

impl From<msgpack::EncodeError> for SendError {
    fn from(error: msgpack::EncodeError) -> Self {
        Self::Encode(Arc::new(error))
    }
}

impl From<UsageError> for SendError {
    fn from(error: UsageError) -> Self {
        Self::Usage(error)
    }
}

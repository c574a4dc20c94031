//! Why a message was not sent.

use super::{connect::ConnectError, connection::ConnectionError, peer::To};
use crate::msgpack;
use sockety_codec::UsageError;
use std::{net::SocketAddr, sync::Arc};

/// Why a message was not sent. No byte of it was sent: the outcome is always
/// [`Outcome::NotSent`](crate::Outcome::NotSent).
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The value could not be encoded as MessagePack.
    #[error("payload cannot be encoded")]
    Encode(#[source] Arc<msgpack::EncodeError>),
    /// The payload is larger than [`Limits::max_payload`](crate::config::Limits::max_payload) of this side, or
    /// than that of a peer that says so: see [`Extension`](crate::config::Extension).
    #[error("payload of {size} bytes is over the limit of {limit}")]
    PayloadTooLarge {
        /// Size of the payload in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The action is longer than the peer accepts, as it says.
    #[error("action of {length} bytes is over the limit of the peer, {limit}")]
    ActionTooLong {
        /// Length of the action in bytes.
        length: usize,
        /// The limit in bytes.
        limit: u32,
    },
    /// The message has more files than the peer accepts, as it says.
    #[error("{count} files are over the limit of the peer, {limit}")]
    TooManyFiles {
        /// The number of files.
        count: usize,
        /// The limit.
        limit: u32,
    },
    /// The header of the message, with the names of its files, is larger than the peer accepts, as it
    /// says.
    #[error("header of {size} bytes is over the limit of the peer, {limit}")]
    HeaderTooLarge {
        /// Size of the header in bytes.
        size: u32,
        /// The limit in bytes.
        limit: u32,
    },
    /// Arrays and maps of the payload are nested deeper than
    /// [`Options::bounds`](crate::config::options::Options::bounds) allow.
    #[error("payload is nested too deep: {depth} levels, maximum is {limit}")]
    TooDeep {
        /// Its number of levels.
        depth: usize,
        /// The maximum.
        limit: usize,
    },
    /// The payload has more values than
    /// [`Options::bounds`](crate::config::options::Options::bounds) allow.
    #[error("payload has too many values: {values}, maximum is {limit}")]
    TooManyValues {
        /// Its number of values, at least.
        values: u64,
        /// The maximum.
        limit: usize,
    },
    /// The message exceeds a limit that its action declares, `#[action(limit(…))]`: a peer that has
    /// the same declaration would refuse it.
    #[error("{action}: {problem}")]
    OverActionLimit {
        /// The action.
        action: &'static str,
        /// What is too large.
        problem: Box<LimitProblem>,
    },
    /// The protocol cannot express the message: an action or a name is too long, or there are too
    /// many files.
    #[error("message cannot be sent")]
    Usage(#[source] UsageError),
    /// Too many requests on this connection wait for a reply.
    #[error("too many requests in flight (limit {limit})")]
    Busy {
        /// The limit, see
        /// [`Options::max_requests_in_flight`](crate::config::options::Options::max_requests_in_flight).
        limit: usize,
    },
    /// Messages with files or streams that were abandoned half-way have used up all channels: some
    /// peers never free the channel of such a message. A new connection has all channels again.
    #[error(
        "no channels left for files or streams: abandoned messages hold all {channels} of the connection"
    )]
    ChannelsExhausted {
        /// The number of channels.
        channels: usize,
    },
    /// The message has metadata, and the connection does not use the extension; see
    /// [`Connection::is_extended`](crate::connection::Connection::is_extended) and
    /// [`MetadataKey::optional`](crate::metadata::MetadataKey::optional).
    #[error("peer takes no metadata, such as {name:?}: the connection does not use the extension")]
    MetadataNotSupported {
        /// The name of an entry.
        name: Box<str>,
    },
    /// The deadline of the handler that sends the message has passed: its caller no longer waits.
    #[error("deadline of the handler has passed")]
    NoTime,
    /// A file or stream of the message comes from a reader, and was already sent with another
    /// message.
    #[error("files and streams that come from readers can be sent only once")]
    ContentTaken,
    /// A [middleware](crate::connection::middleware::CallMiddleware) of this side did not send the
    /// message, for this reason.
    #[error("rejected by a middleware: {0}")]
    RejectedByMiddleware(Arc<str>),
    /// The outbox is full, because the peer reads more slowly than this side sends. Only methods
    /// that do not wait for room return it.
    #[error("outbox is full")]
    Full,
    /// The sender of the message does not expect a reply, so none may be sent.
    #[error("message expects no reply")]
    NotExpected,
    /// The message was already answered: with code 3,845, Slow Consumer, because its content was not
    /// read, or with code 4, Bad Request, because its stream exceeded a limit of its action.
    #[error("message already answered: its content was cut off")]
    CutOff,
    /// The peer is about to close the connection, and accepts no new messages.
    #[error("peer is about to close the connection")]
    PeerGoingAway,
    /// The handle is one that [reconnects](crate::client::Reconnecting::client), or of a fleet, and there was no
    /// connection in time; or the fleet fails fast, or has ended; or connecting failed for a reason that does not go away, such as the
    /// configuration of TLS or the hook on new connections.
    #[error("no connection")]
    NotConnected(#[source] Arc<ConnectError>),
    /// The connection has ended.
    #[error("connection{} is gone", To(peer))]
    Disconnected {
        /// The address of the peer, if the connection was one of TCP.
        peer: Option<Arc<SocketAddr>>,
        /// Why it ended.
        #[source]
        error: ConnectionError,
    },
}

/// What of a message exceeds a limit of its action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitProblem {
    /// Its payload.
    #[error("payload of {size} bytes is over the limit of {limit}")]
    Payload {
        /// Size of the payload in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The number of its files.
    #[error("{count} files are over the limit of {limit}")]
    Files {
        /// The number of files.
        count: usize,
        /// The limit.
        limit: u32,
    },
    /// One of its files.
    #[error("file of {size} bytes is over the limit of {limit}")]
    File {
        /// Size of the file in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// All of its files together.
    #[error("files of {size} bytes together are over the limit of {limit}")]
    AllFiles {
        /// Size of all files in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
}

impl SendError {
    /// A middleware dropped the message.
    pub(crate) fn rejected_without_reason() -> Self {
        Self::RejectedByMiddleware("a middleware dropped the message".into())
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

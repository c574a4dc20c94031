//! Errors of the dynamic layer, one enum per operation; what ended a connection is [`ConnectionError`].

use std::{io, sync::Arc, time::Duration};

use sockety_codec::{Truncated, UsageError, Violation};

use super::{address::AddressError, limit::LimitExceeded, outcome::Outcome, source::SourceError};
use crate::{address::Address, msgpack};

/// Why a connection ended. Every request that waited on it gets a copy.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The connection was closed, in order, between messages.
    #[error("connection closed by {0}")]
    Closed(ClosedBy),
    /// The peer broke a rule of the protocol; the error names it.
    #[error("peer broke the protocol: {0}")]
    Protocol(Violation),
    /// The peer's bytes ended inside a message.
    #[error("connection ended inside a message: {0}")]
    Truncated(Truncated),
    /// The peer did not take what we wrote.
    #[error("peer took nothing of what was written for {0:?}")]
    WriteStalled(Duration),
    /// Nothing came from the peer, not even a heartbeat.
    #[error("nothing came from the peer for {0:?}")]
    Idle(Duration),
    /// The peer did too much of something.
    #[error("peer exceeded a limit: {0}")]
    Limit(LimitExceeded),
    /// The operating system reported an error, or the link was reset.
    #[error("connection failed")]
    Io(#[source] Arc<io::Error>),
}

impl From<LimitExceeded> for ConnectionError {
    fn from(limit: LimitExceeded) -> Self {
        Self::Limit(limit)
    }
}

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

/// Who closed a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClosedBy {
    /// This side: [`Connection::close`](crate::connection::Connection::close), a stopped server, or the last handle was dropped.
    Local,
    /// The other side.
    Peer,
}

impl std::fmt::Display for ClosedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Local => "this side",
            Self::Peer => "the peer",
        })
    }
}

/// Why no connection could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is none, or one that cannot be used here.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The TLS configuration cannot be used, or none was found.
    #[cfg(feature = "_tls")]
    #[error("TLS configuration: {0}")]
    TlsConfig(#[from] crate::tls::TlsError),
    /// The address could not be resolved, or nobody listens there.
    #[error("cannot connect to {0}: {1}")]
    Unreachable(Address, io::Error),
    /// No connection within the time set.
    #[error("no connection to {0} within {1:?}")]
    TimedOut(Address, Duration),
    /// The TLS handshake failed, or the peer refused our certificate: with what `rustls` says inside.
    #[error("TLS handshake failed: {0}")]
    Tls(io::Error),
    /// The peer did not agree to speak `sockety/1`, which was required.
    #[error("peer did not agree by ALPN to speak sockety/1")]
    NoAlpn,
    /// Connected, but no connection header of the peer within the time set, or no end of the TLS handshake.
    #[error("no connection header of the peer within {0:?}")]
    HandshakeTimedOut(Duration),
    /// The connection failed before the peer's connection header was complete.
    #[error("connection failed before it was established: {0}")]
    Io(io::Error),
    /// The peer's first bytes are not those of a Sockety peer.
    #[error("peer does not speak Sockety: {0}")]
    Handshake(Violation),
    /// The peer closed before its connection header was complete.
    #[error("peer closed before its connection header was complete")]
    Closed,
    /// The server that was to accept has been stopped.
    #[error("the server was stopped")]
    ServerStopped,
}

/// Why a message was not sent. No byte of it left: the outcome is always [`Outcome::NotSent`].
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The value could not be written as MessagePack.
    #[error("payload cannot be encoded: {0}")]
    Encode(Arc<msgpack::EncodeError>),
    /// The payload is larger than [`Limits::payload`](crate::Limits).
    #[error("payload of {size} bytes is over the limit of {limit}")]
    PayloadTooLarge {
        /// Size of the payload in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The message cannot stand on the wire.
    #[error("message cannot be sent: {0}")]
    Usage(UsageError),
    /// Too many requests wait for a reply on this connection.
    #[error("{limit} requests wait for their replies already")]
    Busy {
        /// How many may wait, see [`Options::requests_in_flight`](crate::config::options::Options::requests_in_flight).
        limit: usize,
    },
    /// So many messages with files or streams were given up half-way that no channel is left for another: some
    /// peers never take notice of that. A new connection has them all.
    #[error("no channel of the connection is usable any longer for files or streams")]
    ChannelsExhausted,
    /// A file or stream of the message comes from a reader, and was sent with another message already.
    #[error("files and streams that come from readers can be sent only once")]
    ContentTaken,
    /// A [middleware](crate::connection::middleware::CallMiddleware) of this side refused the message, and says why.
    #[error("refused before it was sent: {0}")]
    Refused(Arc<str>),
    /// The peer takes less than is sent to it, and the outbox is full.
    #[error("the outbox is full")]
    Full,
    /// The sender of the message waits for no reply, so none may be sent.
    #[error("the message expects no reply")]
    NotExpected,
    /// The message is answered already, with code 3,845, Slow Consumer: nobody read its content.
    #[error("the message was cut off, as nobody read its content, and is answered already")]
    CutOff,
    /// The peer is about to close, and takes no new messages.
    #[error("the peer is about to close the connection")]
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

/// Why a request got no reply, or one that could not be used.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The message was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The connection ended before a reply came.
    #[error("connection ended before a reply came")]
    Disconnected {
        /// Why it ended.
        #[source]
        error: ConnectionError,
        /// Whether the message may have been executed.
        outcome: Outcome,
    },
    /// No reply within the time set.
    #[error("no reply in time")]
    TimedOut {
        /// Whether the message may have been executed.
        outcome: Outcome,
    },
    /// The peer's response broke one of our limits, or was given up by the peer half-way.
    #[error("response lost: {0}")]
    ResponseLost(Arc<str>),
    /// The message was not sent to its end, and the peer was told so.
    #[error("message given up: {0}")]
    Source(SourceError),
    /// A [middleware](crate::connection::middleware::CallMiddleware) of this side waits no longer for the reply.
    #[error("given up by a middleware")]
    GivenUp {
        /// Whether the message may have been executed.
        outcome: Outcome,
    },
    /// More responses arrived than were taken: the rest is lost.
    #[error("more than {limit} responses arrived without being taken")]
    Overrun {
        /// How many were kept: 64, or fewer when their payloads have more than 8 MiB together.
        limit: usize,
    },
}

impl RequestError {
    /// By a middleware, after it was sent.
    pub(crate) fn given_up() -> Self {
        let outcome = Outcome::Unknown;
        Self::GivenUp { outcome }
    }

    /// What is known about the message: may it have been executed?
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Send(_) => Outcome::NotSent,
            Self::Disconnected { outcome, .. }
            | Self::TimedOut { outcome }
            | Self::GivenUp { outcome } => *outcome,
            Self::Source(_) => Outcome::Unknown,
            Self::ResponseLost(_) => Outcome::Executed,
            Self::Overrun { .. } => Outcome::Replied,
        }
    }
}

// Messages that hold the whole story have no `source`, or it would be told twice.

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<UsageError> for SendError {
    fn from(error: UsageError) -> Self {
        Self::Usage(error)
    }
}

impl From<SourceError> for RequestError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

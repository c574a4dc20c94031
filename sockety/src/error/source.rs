use std::{io, net::SocketAddr, sync::Arc};

use super::{connection::ConnectionError, peer::To};

/// Why the files or the stream of a message were not sent completely. The peer is told that the
/// message was abandoned, never that it is complete.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The writer of a file or stream was dropped before it had ended it, or the message was
    /// dropped.
    #[error("message abandoned before it was fully sent")]
    GivenUp,
    /// The peer refused the message with a code, which is the reply.
    #[error("message refused by the peer before it was fully sent")]
    Refused,
    /// The receiver does not read this file or stream any further. The message itself goes on, and its reply still
    /// comes. Only a peer with the [extension](crate::config::Extension) says so (`ext.stop`).
    #[error("not read further by the receiver")]
    Unwanted,
    /// The peer has cancelled the request that the message answers.
    #[error("request cancelled by the peer before its answer was fully sent")]
    Cancelled,
    /// The file or stream has already been ended.
    #[error("written to after the end")]
    Ended,
    /// The source that a file or stream is read from failed.
    #[error("reading {} failed", of_part(name))]
    Read {
        /// Name of the file; empty for a stream.
        name: Arc<str>,
        /// What happened.
        #[source]
        error: Arc<io::Error>,
    },
    /// A file does not have its announced size.
    #[error("file {name:?} changed: announced with {announced} bytes, found {found}")]
    SizeChanged {
        /// Name of the file.
        name: Arc<str>,
        /// Announced size in bytes.
        announced: u64,
        /// Bytes found; if the file has grown, the number of bytes read so far.
        found: u64,
    },
    /// An item of a stream cannot be encoded.
    #[error("stream item cannot be encoded")]
    Encode(#[source] Arc<crate::msgpack::EncodeError>),
    /// The connection ended.
    #[error("connection{} is gone", To(peer))]
    Disconnected {
        /// The address of the peer, if the connection was one of TCP.
        peer: Option<Arc<SocketAddr>>,
        /// Why it ended.
        #[source]
        error: ConnectionError,
    },
}

/// A file by its name, or the stream, which has none.
fn of_part(name: &str) -> String {
    match name {
        "" => "the stream".into(),
        name => format!("{name:?}"),
    }
}

impl From<SourceError> for io::Error {
    fn from(error: SourceError) -> Self {
        let kind = match &error {
            SourceError::GivenUp
            | SourceError::Refused
            | SourceError::Cancelled
            | SourceError::Disconnected { .. } => io::ErrorKind::ConnectionAborted,
            SourceError::Ended | SourceError::Unwanted => io::ErrorKind::BrokenPipe,
            SourceError::Read { error, .. } => error.kind(),
            SourceError::SizeChanged { .. } | SourceError::Encode(_) => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

use std::{io, sync::Arc};

use super::connection::ConnectionError;

/// Why the files or the stream of a message were not sent to their end. The peer is told that the message was
/// given up, never that it is whole.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The writer of a part was dropped before it had ended the part, or the whole message was.
    #[error("message abandoned before it was fully sent")]
    GivenUp,
    /// The peer has answered that it does not take the message; the code is the reply.
    #[error("message refused by the peer before it was fully sent")]
    Refused,
    /// The part has ended already.
    #[error("written to after the end")]
    Ended,
    /// What a file or a stream is read from failed.
    #[error("reading {name:?} failed")]
    Read {
        /// Name of the file; empty for a stream.
        name: Arc<str>,
        /// What happened.
        #[source]
        error: Arc<io::Error>,
    },
    /// A file is not as large as it was announced.
    #[error("file {name:?} changed: announced with {announced} bytes, found {found}")]
    SizeChanged {
        /// Name of the file.
        name: Arc<str>,
        /// Size in its header.
        announced: u64,
        /// Bytes found; when it grew, as many as were looked at.
        found: u64,
    },
    /// An item of a stream cannot be encoded.
    #[error("stream item cannot be encoded")]
    Encode(#[source] Arc<crate::msgpack::EncodeError>),
    /// The connection ended.
    #[error("connection is gone")]
    Disconnected(#[source] ConnectionError),
}

impl From<SourceError> for io::Error {
    fn from(error: SourceError) -> Self {
        let kind = match &error {
            SourceError::GivenUp | SourceError::Refused | SourceError::Disconnected(_) => {
                io::ErrorKind::ConnectionAborted
            }
            SourceError::Ended => io::ErrorKind::BrokenPipe,
            SourceError::Read { error, .. } => error.kind(),
            SourceError::SizeChanged { .. } | SourceError::Encode(_) => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

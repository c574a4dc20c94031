//! Why a message does not have the form of what a typed method takes or returns.

use crate::msgpack::DecodeError;

/// Why a message does not have the form of what a typed method takes or returns.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The payload cannot be decoded.
    #[error("payload cannot be read")]
    Decode(#[from] DecodeError),
    /// The message has fewer files than the method takes or returns.
    #[error("missing file: the message has only {present}")]
    MissingFile {
        /// The number of files in the message.
        present: usize,
    },
    /// The message has no stream.
    #[error("missing stream")]
    MissingStream,
}

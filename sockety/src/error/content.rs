//! Why a message is not what a typed method takes or returns.

use crate::msgpack::DecodeError;

/// Why a message is not what a typed method takes or returns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The payload cannot be read.
    #[error("payload cannot be read")]
    Decode(#[from] DecodeError),
    /// There are fewer files than the method has.
    #[error("missing file: the message has only {present}")]
    MissingFile {
        /// How many there are.
        present: usize,
    },
    /// There is no stream.
    #[error("missing stream")]
    MissingStream,
}

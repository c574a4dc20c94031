//! Why a stream of items ended early.

use std::{error::Error, fmt, io};

use super::{remote::RemoteError, service::ServiceError};
use crate::msgpack::DecodeError;

/// Why a [`Streaming`](crate::content::Streaming) ended early. No further item follows.
///
/// Its text does not include the cause: [`chain`](super::chain()) displays both.
#[non_exhaustive]
pub enum StreamError<E> {
    /// The service ended the stream with its error.
    Service(E),
    /// The service ended the stream with an error that this side does not know.
    Remote(RemoteError),
    /// An item does not have the type that the method declares.
    Decode(DecodeError),
    /// An item exceeds the limit.
    TooLarge {
        /// The limit in bytes, see [`Limits::max_payload`](crate::config::Limits::max_payload).
        limit: usize,
    },
    /// The stream broke off. If it was received, the error holds a
    /// [`ReadError`](crate::error::read::ReadError).
    Read(io::Error),
}

impl<E: ServiceError> fmt::Display for StreamError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(_) => f.write_str("stream ended with an error of the service"),
            Self::Remote(_) => f.write_str("stream ended with an unknown error of the service"),
            Self::Decode(_) => f.write_str("stream item cannot be read"),
            Self::TooLarge { limit } => write!(f, "stream item has more than {limit} bytes"),
            Self::Read(_) => f.write_str("stream broke off"),
        }
    }
}

impl<E: ServiceError> Error for StreamError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Service(error) => Some(error),
            Self::Remote(error) => Some(error),
            Self::Decode(error) => Some(error),
            Self::TooLarge { .. } => None,
            Self::Read(error) => Some(error),
        }
    }
}

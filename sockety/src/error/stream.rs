//! Why a stream of items has no further item.

use std::{error::Error, fmt, io};

use super::{remote::RemoteError, service::ServiceError};
use crate::msgpack::DecodeError;

/// Why a [`Streaming`](crate::content::Streaming) gave no further item.
#[derive(Debug)]
#[non_exhaustive]
pub enum StreamError<E> {
    /// The service ended it with its error.
    Service(E),
    /// The service ended it with an error that this side does not know.
    Remote(RemoteError),
    /// An item is not of the type that the method says.
    Decode(DecodeError),
    /// An item is larger than is taken.
    TooLarge {
        /// The largest that is taken, see [`Limits::max_payload`](crate::config::Limits::max_payload).
        limit: usize,
    },
    /// It did not come to its end; of a received one, a [`ReadError`](crate::error::read::ReadError) inside.
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

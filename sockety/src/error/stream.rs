//! Why a stream of items has no further item.

use std::{fmt, io};

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
            Self::Service(error) => write!(f, "{error}"),
            Self::Remote(error) => error.fmt(f),
            Self::Decode(error) => write!(f, "stream item cannot be read: {error}"),
            Self::TooLarge { limit } => write!(f, "stream item has more than {limit} bytes"),
            Self::Read(error) => write!(f, "stream broke off: {error}"),
        }
    }
}

impl<E: ServiceError> std::error::Error for StreamError<E> {}

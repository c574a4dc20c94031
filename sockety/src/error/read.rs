use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use super::{connection::ConnectionError, peer::To, stream_end::StreamEnd};

/// Why a received file, stream or response did not arrive completely. The end of a file or stream
/// is reported only if its sender has ended it.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Its sender abandoned the message.
    #[error("message abandoned by its sender")]
    Aborted,
    /// Its sender has ended it with an error. All that was sent before can be read.
    #[error("ended by its sender with an error")]
    Ended(#[source] Arc<StreamEnd>),
    /// It was cut off because it was not read while other messages on the connection had to wait.
    #[error("dropped because it was not read in time and blocked other messages")]
    Overrun,
    /// Nothing more of its message arrived for this time, see
    /// [`Options::progress_timeout`](crate::config::Options::progress_timeout).
    #[error("no data arrived for {0:?}")]
    Stalled(Duration),
    /// A file has fewer bytes than were announced.
    #[error("file ended {missing} bytes short of its announced size")]
    TooShort {
        /// The number of missing bytes.
        missing: u64,
    },
    /// Its message exceeds a limit of this side, or breaks a rule that does not end the connection.
    #[error("message not accepted")]
    NotAccepted(#[source] sockety_codec::RefusalReason),
    /// Payloads hold as much memory as they may: those on its connection
    /// ([`Options::max_payload_bytes`](crate::config::Options::max_payload_bytes)), or those on all
    /// connections that share [`Budgets`](crate::config::Budgets).
    #[error("too many payloads are arriving at once: limit is {limit} bytes")]
    OverBudget {
        /// The limit, in bytes.
        limit: u64,
    },
    /// It is larger than the reader accepts, such as in
    /// [`File::bytes`](crate::content::file::File::bytes).
    #[error("more than {limit} bytes")]
    TooLarge {
        /// The most that the reader accepts, in bytes.
        limit: u64,
    },
    /// It was in a temporary file, which could not be read or written.
    #[error("temporary file failed")]
    Spill(#[source] Arc<io::Error>),
    /// The connection ended first.
    #[error("connection{} ended", To(peer))]
    Disconnected {
        /// The address of the peer, if the connection was one of TCP.
        peer: Option<Arc<SocketAddr>>,
        /// Why it ended.
        #[source]
        error: ConnectionError,
    },
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        let kind = match &error {
            ReadError::Aborted | ReadError::Disconnected { .. } => io::ErrorKind::ConnectionAborted,
            ReadError::Ended(_) => io::ErrorKind::Other,
            ReadError::Overrun | ReadError::Stalled(_) => io::ErrorKind::TimedOut,
            ReadError::TooShort { .. } | ReadError::NotAccepted(_) => io::ErrorKind::InvalidData,
            ReadError::TooLarge { .. } => io::ErrorKind::FileTooLarge,
            ReadError::OverBudget { .. } => io::ErrorKind::OutOfMemory,
            ReadError::Spill(error) => error.kind(),
        };
        Self::new(kind, error)
    }
}

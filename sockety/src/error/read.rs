use std::{io, sync::Arc, time::Duration};

use super::connection::ConnectionError;

/// Why a received file, stream or response did not arrive completely. The end of a file or stream is reported only if
/// its sender has ended it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Its sender gave the message up.
    #[error("message abandoned by its sender")]
    Aborted,
    /// Nobody read it while others on the connection had to wait, so it was cut off.
    #[error("dropped because it was not read in time and blocked other messages")]
    Overrun,
    /// No more of it arrived, nor of the rest of its message, for this long.
    #[error("no data arrived for {0:?}")]
    Stalled(Duration),
    /// A file has fewer bytes than were announced.
    #[error("file ended {missing} bytes short of its announced size")]
    TooShort {
        /// How many are missing.
        missing: u64,
    },
    /// The message broke a limit or a rule after it had begun.
    #[error("message refused")]
    Refused(#[source] sockety_codec::RefusalReason),
    /// Payloads on all connections that share [`Budgets`](crate::config::Budgets) hold as much memory as they may.
    #[error("too many payloads are arriving at once")]
    OverBudget,
    /// It is larger than the caller takes.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// What the caller takes, in bytes.
        limit: u64,
    },
    /// It lay in a temporary file, which could not be read or written.
    #[error("temporary file failed")]
    Spill(#[source] Arc<io::Error>),
    /// The connection ended before it did.
    #[error("connection ended")]
    Disconnected(#[source] ConnectionError),
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        let kind = match &error {
            ReadError::Aborted | ReadError::Disconnected(_) => io::ErrorKind::ConnectionAborted,
            ReadError::Overrun | ReadError::Stalled(_) => io::ErrorKind::TimedOut,
            ReadError::TooShort { .. } | ReadError::Refused(_) => io::ErrorKind::InvalidData,
            ReadError::TooLarge { .. } => io::ErrorKind::FileTooLarge,
            ReadError::OverBudget => io::ErrorKind::OutOfMemory,
            ReadError::Spill(error) => error.kind(),
        };
        Self::new(kind, error)
    }
}

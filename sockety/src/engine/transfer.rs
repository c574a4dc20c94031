//! What is measured of the files and streams of messages.

use crate::error::source::SourceError;

/// Bytes of the files and of the stream of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContentBytes {
    /// Of all files.
    pub files: u64,
    /// Of the stream.
    pub stream: u64,
}

/// How the sending of files and of a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferEnd {
    /// All of it was sent, or there was nothing to send.
    Complete,
    /// What it came from failed or gave up, on this side.
    SourceFailed,
    /// The peer did not want the rest, or the connection ended.
    PeerGone,
}

impl TransferEnd {
    pub(crate) fn of(error: &SourceError) -> Self {
        match error {
            SourceError::Refused
            | SourceError::Unwanted
            | SourceError::Cancelled
            | SourceError::Disconnected { .. } => Self::PeerGone,
            SourceError::GivenUp
            | SourceError::Ended
            | SourceError::Read { .. }
            | SourceError::SizeChanged { .. }
            | SourceError::Encode(_) => Self::SourceFailed,
        }
    }
}

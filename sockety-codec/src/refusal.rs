use core::fmt;

use thiserror::Error;
use uuid::Uuid;

use crate::FileIndex;

/// A message or response that is not accepted. Its connection continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The id of the refused message or response.
    pub id: Uuid,
    /// The message that it answers, if it is a response.
    pub parent: Option<Uuid>,
    /// Whether its sender waits for a reply.
    pub expects_response: bool,
    /// Why it is refused.
    pub reason: RefusalReason,
}

/// Why a message or response is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RefusalReason {
    /// A size is above one of the [`Limits`](crate::Limits).
    #[error("{what} {size} exceeds the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: Measure,
        /// Its size, in the unit of the limit.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The action is not UTF-8 (`text.utf8`).
    #[error("action is not valid UTF-8")]
    BadAction,
    /// The name of a file is not UTF-8 (`text.utf8`).
    #[error("name of file {index} is not valid UTF-8")]
    BadFileName {
        /// The file.
        index: FileIndex,
    },
    /// The sizes of the files do not sum to the announced total (`head.files.sum`).
    #[error("file sizes sum to {sum} bytes, but {declared} were announced")]
    FilesSizeMismatch {
        /// The announced size of all files.
        declared: u64,
        /// The sum of the sizes in the file headers so far, at most `u64::MAX`.
        sum: u64,
    },
    /// A file has more content than announced (`content.file.size`).
    #[error("file {index} is longer than its announced {declared} bytes")]
    FileOverrun {
        /// The file.
        index: FileIndex,
        /// Its announced size.
        declared: u64,
    },
}

/// What a [limit](crate::Limits) applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Measure {
    /// Bytes of the action.
    Action,
    /// Bytes of the header.
    Header,
    /// Packets of the header.
    HeaderPieces,
    /// Bytes of the payload.
    Payload,
    /// Number of files.
    Files,
    /// Bytes of all files together.
    TotalFileSize,
    /// Bytes of one file.
    FileSize,
    /// Bytes of the name of a file.
    FileName,
}

impl RefusalReason {
    /// The id of the rule in the [protocol](crate::protocol) that is broken, or that the limit
    /// implements.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "limits.refuse",
            Self::BadAction | Self::BadFileName { .. } => "text.utf8",
            Self::FilesSizeMismatch { .. } => "head.files.sum",
            Self::FileOverrun { .. } => "content.file.size",
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Action => "action length",
            Self::Header => "header length",
            Self::HeaderPieces => "header packet count",
            Self::Payload => "payload size",
            Self::Files => "file count",
            Self::TotalFileSize => "total file size",
            Self::FileSize => "file size",
            Self::FileName => "file name length",
        })
    }
}

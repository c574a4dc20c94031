use core::fmt;

use thiserror::Error;
use uuid::Uuid;

use crate::FileIndex;

/// A message or response that is not taken, while its connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// Id of what is refused.
    pub id: Uuid,
    /// The message it answers, when it is a response.
    pub parent: Option<Uuid>,
    /// Whether its sender waits for a reply.
    pub expects_response: bool,
    /// Why it is not taken.
    pub reason: RefusalReason,
}

/// Why a message or response is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RefusalReason {
    /// A size is above one of the [`Limits`](crate::Limits).
    #[error("{what} is {size}, above the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: Measure,
        /// Its size, in the unit of the limit.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The action is not UTF-8 (`text.utf8`).
    #[error("the action is not UTF-8")]
    BadAction,
    /// The name of a file is not UTF-8 (`text.utf8`).
    #[error("the name of file {index} is not UTF-8")]
    BadFileName {
        /// The file.
        index: FileIndex,
    },
    /// The files together are not as large as announced (`head.files.sum`).
    #[error(
        "the files are announced with {declared} bytes together, but their headers sum to {sum}"
    )]
    FilesSizeMismatch {
        /// Size of all files as announced.
        declared: u64,
        /// Sum of the file headers so far; `u64::MAX` stands for all that is larger.
        sum: u64,
    },
    /// A file has more content than announced (`content.file.size`).
    #[error("file {index} goes on past its announced {declared} bytes")]
    FileOverrun {
        /// The file.
        index: FileIndex,
        /// Its size as announced.
        declared: u64,
    },
}

/// What a [limit](crate::Limits) is about.
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
    /// Bytes of all files.
    TotalFileSize,
    /// Bytes of one file.
    FileSize,
    /// Bytes of the name of a file.
    FileName,
}

impl RefusalReason {
    /// Id of the rule in the [protocol](crate::protocol) that is broken or that the limit is about.
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
            Self::Action => "the length of the action",
            Self::Header => "the length of the header",
            Self::HeaderPieces => "the number of packets of the header",
            Self::Payload => "the size of the payload",
            Self::Files => "the number of files",
            Self::TotalFileSize => "the size of all files",
            Self::FileSize => "the size of a file",
            Self::FileName => "the length of the name of a file",
        })
    }
}

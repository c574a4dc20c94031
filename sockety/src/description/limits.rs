use serde::{Deserialize, Serialize};
use sockety_codec::FilesSummary;

/// What a message for an action may carry at most; beyond it is answered with the framework's code 3,842,
/// Too Large, before it is read.
///
/// The size of a stream is not known before: its reader gets
/// [`ReadError::TooLarge`](crate::error::ReadError::TooLarge) after the bytes that were allowed, and its
/// sender code 4, Bad Request, unless the handler has answered.
///
/// The limits of the connection, [`Options::limits`](crate::config::options::Options::limits), apply too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ActionLimits {
    /// Bytes of its payload.
    #[serde(default)]
    pub payload: Option<u64>,
    /// Number of its files.
    #[serde(default)]
    pub files: Option<u32>,
    /// Bytes of each file.
    #[serde(default)]
    pub file: Option<u64>,
    /// Bytes of all files together.
    #[serde(default)]
    pub all_files: Option<u64>,
    /// Bytes of its stream.
    #[serde(default)]
    pub stream: Option<u64>,
}

impl ActionLimits {
    /// None but those of the connection.
    pub const fn none() -> Self {
        Self {
            payload: None,
            files: None,
            file: None,
            all_files: None,
            stream: None,
        }
    }

    /// Limits the payload, in bytes.
    pub const fn payload(mut self, bytes: u64) -> Self {
        self.payload = Some(bytes);
        self
    }

    /// Limits the number of files.
    pub const fn files(mut self, files: u32) -> Self {
        self.files = Some(files);
        self
    }

    /// Limits each file, in bytes.
    pub const fn file(mut self, bytes: u64) -> Self {
        self.file = Some(bytes);
        self
    }

    /// Limits all files together, in bytes.
    pub const fn all_files(mut self, bytes: u64) -> Self {
        self.all_files = Some(bytes);
        self
    }

    /// Limits the stream, in bytes.
    pub const fn stream(mut self, bytes: u64) -> Self {
        self.stream = Some(bytes);
        self
    }

    /// What of a message exceeds them.
    pub(crate) fn excess(&self, payload: u64, files: FilesSummary) -> Option<String> {
        let FilesSummary {
            count, total_size, ..
        } = files;
        match *self {
            Self {
                payload: Some(limit),
                ..
            } if payload > limit => Some(format!(
                "payload of {payload} bytes is over the limit of {limit}"
            )),
            Self {
                files: Some(limit), ..
            } if count > limit => Some(format!("{count} files are over the limit of {limit}")),
            Self {
                all_files: Some(limit),
                ..
            } if total_size > limit => Some(format!(
                "files of {total_size} bytes together are over the limit of {limit}"
            )),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn allow(&self, payload: u64, files: FilesSummary) -> bool {
        self.payload.is_none_or(|limit| payload <= limit)
            && (files.count == 0 || self.allow_files(files))
    }

    fn allow_files(&self, files: FilesSummary) -> bool {
        self.files.is_none_or(|limit| files.count <= limit)
            && self.all_files.is_none_or(|limit| files.total_size <= limit)
    }

    /// What is wrong with a file of this size, if it exceeds them.
    pub(crate) fn excess_of_file(&self, bytes: u64) -> Option<String> {
        let limit = self.file.filter(|limit| bytes > *limit)?;
        Some(format!(
            "file of {bytes} bytes is over the limit of {limit}"
        ))
    }
}

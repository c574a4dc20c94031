use serde::{Deserialize, Serialize};

/// What a message for an action may carry at most; beyond it is answered with the framework's code 3,842,
/// Too Large, before it is read.
///
/// The limits of the connection, [`Options::limits`](crate::config::options::Options::limits), hold all the same.
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
}

impl ActionLimits {
    /// None but those of the connection.
    pub const fn none() -> Self {
        Self {
            payload: None,
            files: None,
            file: None,
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

    /// What of a message exceeds them.
    pub(crate) fn excess(&self, payload: u64, files: u32) -> Option<String> {
        match *self {
            Self {
                payload: Some(limit),
                ..
            } if payload > limit => Some(format!(
                "payload of {payload} bytes is over the limit of {limit}"
            )),
            Self {
                files: Some(limit), ..
            } if files > limit => Some(format!("{files} files are over the limit of {limit}")),
            _ => None,
        }
    }

    pub(crate) fn allow(&self, payload: u64, files: u32) -> bool {
        self.payload.is_none_or(|limit| payload <= limit)
            && self.files.is_none_or(|limit| files <= limit)
    }

    /// What is wrong with a file of this size, if it exceeds them.
    pub(crate) fn excess_of_file(&self, bytes: u64) -> Option<String> {
        let limit = self.file.filter(|limit| bytes > *limit)?;
        Some(format!(
            "file of {bytes} bytes is over the limit of {limit}"
        ))
    }
}

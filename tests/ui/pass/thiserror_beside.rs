//! `#[error]` belongs to thiserror, which then writes the text.
#![deny(missing_docs, warnings)]

use sockety::ServiceError;

/// What can go wrong.
#[derive(Debug, serde::Serialize, serde::Deserialize, ServiceError, thiserror::Error)]
pub enum MediaError {
    /// There is no such clip.
    #[code(16)]
    #[error("no clip")]
    NotFound,
    /// Too much.
    #[code(17)]
    #[error("{used} of {limit} bytes are used")]
    QuotaExceeded {
        /// What is used.
        used: u64,
        /// What may be used.
        limit: u64,
    },
}

fn main() {
    assert_eq!(
        MediaError::QuotaExceeded { used: 1, limit: 2 }.to_string(),
        "1 of 2 bytes are used"
    );
    assert_eq!(MediaError::NotFound.to_string(), "no clip");
}

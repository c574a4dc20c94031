//! What the gateway asks of the archive.

use serde::{Deserialize, Serialize};
use sockety::{File, ServiceError};

/// Keeps documents.
#[sockety::service(prefix = "archive.")]
pub trait Archive {
    /// What there is.
    #[action(idempotent)]
    async fn list(&self) -> Vec<About>;

    /// Takes a document. It is there when all of it is, and never replaces another.
    #[action(limit(file = "2 GiB"))]
    async fn put(&self, document: File) -> Result<About, ArchiveError>;

    /// Gives a document.
    #[action(idempotent)]
    async fn get(&self, name: String) -> Result<File, ArchiveError>;

    /// Says something about a document, in place of what was said before.
    #[action(idempotent)]
    async fn annotate(&self, name: String, note: String) -> Result<About, ArchiveError>;
}

/// What is known of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub name: String,
    /// Bytes.
    pub size: u64,
    pub note: Option<String>,
}

/// Why the archive refuses.
#[derive(Debug, Serialize, Deserialize, ServiceError)]
pub enum ArchiveError {
    /// there is no such document
    #[code(16)]
    NotFound,
    /// there is a document of this name already
    #[code(17)]
    Exists,
    /// a document cannot have this name
    #[code(18)]
    BadName { problem: String },
    /// the document did not arrive whole
    #[code(19)]
    NotWhole,
    /// the disk of the archive failed
    #[code(20)]
    DiskFailed,
}

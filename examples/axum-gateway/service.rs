//! What the gateway asks of the archive.

use serde::{Deserialize, Serialize};
use sockety::{File, ServiceError};

/// Keeps documents.
#[sockety::service(prefix = "archive.")]
pub trait Archive {
    /// Lists the documents.
    #[action(idempotent)]
    async fn list(&self) -> Vec<About>;

    /// Stores a document. It appears once it is complete, and never replaces another.
    #[action(limit(file = "2 GiB"))]
    async fn put(&self, document: File) -> Result<About, ArchiveError>;

    /// Returns a document.
    #[action(idempotent)]
    async fn get(&self, name: String) -> Result<File, ArchiveError>;

    /// Sets the note of a document, replacing the previous one.
    #[action(idempotent)]
    async fn annotate(&self, name: String, note: String) -> Result<About, ArchiveError>;
}

/// What is known about a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub name: String,
    /// In bytes.
    pub size: u64,
    pub note: Option<String>,
}

/// Why the archive refuses a call.
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
    /// the document did not arrive completely
    #[code(19)]
    NotWhole,
    /// the disk of the archive failed
    #[code(20)]
    DiskFailed,
}

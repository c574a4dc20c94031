//! What the two sides agree on.

use std::fmt;

use serde::{Deserialize, Serialize};
use sockety::File;

use crate::screen::printable;

#[sockety::service(prefix = "drop-box.")]
pub trait DropBox {
    /// Saves files, and returns the result for each, in their order. A refused file is not an error
    /// of the call: the others are saved.
    async fn put(&self, files: Vec<File>) -> Vec<Result<Entry, String>>;
}

/// A file as one side saw it: a row of its table.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    pub name: String,
    pub size: u64,
    pub sha256: String,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = printable(&self.name);
        write!(f, "{:>12}  {}  {name}", self.size, self.sha256)
    }
}

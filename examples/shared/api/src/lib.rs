//! What a key-value store and its clients agree on. Both depend on this crate, and not on each
//! other.
//!
//! Types derive `specta::Type` for `tests/typescript.rs`, which checks that the programs in Node.js
//! know the services as these traits define them.

use serde::{Deserialize, Serialize};
use sockety::{Context, File, ServiceError, Streaming, service};
use specta::Type;

/// What the store does.
#[service(prefix = "store.")]
pub trait Store {
    /// Returns the value of a key.
    #[action(idempotent)]
    async fn get(&self, key: String) -> Result<String, StoreError>;

    /// Stores a value for a key. Storing the value that the key already has changes nothing, and is
    /// not announced.
    ///
    /// Meanwhile the server asks the caller for its name, see [`Visitor`]. `cx` identifies the
    /// caller, and is not sent.
    #[action(idempotent, limit(payload = "64 KiB"))]
    async fn put(&self, cx: &Context, key: String, value: String) -> Result<(), StoreError>;

    /// Stores the lines of a file, each a key and its value with `=` between them, and returns how
    /// many there are. Those before a line that is refused are stored.
    #[action(limit(file = "1 MiB"))]
    async fn load(&self, lines: File) -> Result<u64, LoadError>;

    /// Returns all keys and values as a file for `load`, in the order of the keys.
    #[action(idempotent)]
    async fn dump(&self) -> File;

    /// Streams changes of keys that begin with `prefix`, from now on until the caller ends
    /// `listening`.
    async fn watch(
        &self,
        prefix: String,
        listening: Streaming<()>,
    ) -> Streaming<Change, WatchError>;
}

/// What a client does for the store, over the same connection.
#[service(prefix = "visitor.")]
pub trait Visitor {
    /// The name with which changes are announced.
    #[action(idempotent, timeout = "2s")]
    async fn name(&self) -> String;
}

/// A key has a new value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Change {
    /// The key.
    pub key: String,
    /// Its new value.
    pub value: String,
    /// The name of the client that changed it, if it has one.
    pub by: Option<String>,
}

/// Why the store refuses a call.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, Type, ServiceError)]
pub enum StoreError {
    /// there is no such key
    #[code(16)]
    NoSuchKey,
    /// the store has no room for further keys
    #[code(17)]
    Full {
        /// The largest number of keys.
        keys: u64,
    },
}

/// Why a file is not loaded to its end.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, Type, ServiceError)]
pub enum LoadError {
    /// the file is not text, or too large
    #[code(16)]
    NoText,
    /// a line has no `=`
    #[code(17)]
    NoValue {
        /// Its number, from 1.
        line: u64,
    },
    /// the store has no room for further keys
    #[code(18)]
    Full {
        /// The number of the line that had none.
        line: u64,
    },
}

/// Why a watch ends.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, Type, ServiceError)]
pub enum WatchError {
    /// the watcher was too slow
    #[code(16)]
    Missed {
        /// How many changes it has missed.
        changes: u64,
    },
}

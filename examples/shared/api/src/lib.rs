//! What a key-value store and its clients agree on. Both depend on this crate, and not on each
//! other.

use serde::{Deserialize, Serialize};
use sockety::{Context, ServiceError, Streaming, service};

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The key.
    pub key: String,
    /// Its new value.
    pub value: String,
    /// Who changed it, unless the client has no name.
    pub by: Option<String>,
}

/// Why the store refuses a call.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, ServiceError)]
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

/// Why a watch ends.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, ServiceError)]
pub enum WatchError {
    /// the watcher was too slow
    #[code(16)]
    Missed {
        /// How many changes it has missed.
        changes: u64,
    },
}

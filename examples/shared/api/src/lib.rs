//! What a key-value store and its clients agree on. Both depend on this crate, and on nothing of each other.

use serde::{Deserialize, Serialize};
use sockety::{Context, ServiceError, Streaming, service};

/// What the store does.
#[service(prefix = "store.")]
pub trait Store {
    /// The value of a key.
    #[action(idempotent)]
    async fn get(&self, key: String) -> Result<String, StoreError>;

    /// Gives a key its value. Storing the value that it has changes nothing, and is not announced.
    ///
    /// Meanwhile the server asks the caller for its name, see [`Visitor`]: `cx` tells who that is, and does not
    /// travel.
    #[action(idempotent, limit(payload = "64 KiB"))]
    async fn put(&self, cx: &Context, key: String, value: String) -> Result<(), StoreError>;

    /// Changes of keys that begin with `prefix`, from now on until the caller ends `listening`.
    async fn watch(
        &self,
        prefix: String,
        listening: Streaming<()>,
    ) -> Streaming<Change, WatchError>;
}

/// What a client does for the store, over the same connection.
#[service(prefix = "visitor.")]
pub trait Visitor {
    /// The name to announce changes with.
    #[action(idempotent, timeout = "2s")]
    async fn name(&self) -> String;
}

/// A key has a new value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The key.
    pub key: String,
    /// Its value now.
    pub value: String,
    /// Who changed it, unless it was a client without a name.
    pub by: Option<String>,
}

/// Why the store refuses.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, ServiceError)]
pub enum StoreError {
    /// there is no such key
    #[code(16)]
    NoSuchKey,
    /// the store has no room for further keys
    #[code(17)]
    Full {
        /// How many it has room for.
        keys: u64,
    },
}

/// What ends a watch.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, ServiceError)]
pub enum WatchError {
    /// the watcher was too slow
    #[code(16)]
    Missed {
        /// How many changes were made that it has not seen.
        changes: u64,
    },
}

//! The store, as a service.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Mutex, PoisonError},
};

use sockety::{Context, File, Streaming, content::StreamSender, serve::BoxError};
use sockety_shared_api::{Change, LoadError, Store, StoreError, VisitorClient, WatchError};
use tokio::sync::broadcast::{self, error::RecvError};

/// The largest number of keys.
const KEYS: usize = 1_000;

/// Number of changes that can wait for a slow watcher. Beyond that, it misses some.
const WAITING: usize = 256;

/// Bytes of a file that is loaded.
const FILE: u64 = 1 << 20;

/// Number of characters of a visitor's name that are announced.
const NAME: usize = 40;

/// Keys and values. Calls run concurrently, so they share them through a lock.
pub(crate) struct Memory {
    values: Mutex<BTreeMap<String, String>>,
    changes: broadcast::Sender<Change>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            values: Mutex::default(),
            changes: broadcast::Sender::new(WAITING),
        }
    }

    /// Stores a value and announces it, unless there is no room.
    fn store(&self, key: String, value: String, by: Option<String>) -> Result<(), StoreError> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        match values.get(&key) {
            Some(present) if *present == value => return Ok(()),
            None if values.len() == KEYS => return Err(StoreError::Full { keys: KEYS as u64 }),
            _ => values.insert(key.clone(), value.clone()),
        };
        // Under the lock, so that changes are announced in their order. There may be no watchers.
        let _ = self.changes.send(Change { key, value, by });
        Ok(())
    }
}

impl Store for Memory {
    async fn get(&self, key: String) -> Result<String, StoreError> {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.get(&key).cloned().ok_or(StoreError::NoSuchKey)
    }

    async fn put(&self, cx: &Context, key: String, value: String) -> Result<(), StoreError> {
        // A client for what the caller serves to us. A caller without `Visitor` can store values
        // too.
        let name = cx.peer::<VisitorClient>().name().await.ok();
        let by = name.map(|name| name.chars().take(NAME).collect());
        self.store(key, value, by)
    }

    async fn load(&self, lines: File) -> Result<u64, LoadError> {
        let bytes = lines.bytes(FILE).await.map_err(|_| LoadError::NoText)?;
        let text = str::from_utf8(&bytes).map_err(|_| LoadError::NoText)?;
        let mut number = 0;
        for line in text.lines() {
            number += 1;
            let (key, value) = line
                .split_once('=')
                .ok_or(LoadError::NoValue { line: number })?;
            self.store(key.to_owned(), value.to_owned(), None)
                .map_err(|_| LoadError::Full { line: number })?;
        }
        Ok(number)
    }

    async fn dump(&self) -> File {
        let mut text = String::new();
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in &*values {
            let _ = writeln!(text, "{key}={value}");
        }
        File::from_bytes("store.txt", text)
    }

    async fn watch(
        &self,
        prefix: String,
        mut listening: Streaming<()>,
    ) -> Streaming<Change, WatchError> {
        let changes = self.changes.subscribe();
        Streaming::spawn(1, |watcher| async move {
            let is_over = async {
                while let Some(item) = listening.next().await {
                    item?; // the connection is gone
                }
                Ok(())
            };
            tokio::select! {
                forwarded = forward(changes, &prefix, &watcher) => forwarded,
                is_over = is_over => is_over,
            }
        })
    }
}

async fn forward(
    mut changes: broadcast::Receiver<Change>,
    prefix: &str,
    watcher: &StreamSender<Change, WatchError>,
) -> Result<(), BoxError> {
    loop {
        match changes.recv().await {
            Ok(change) if !change.key.starts_with(prefix) => {}
            Ok(change) => watcher.send(Ok(change)).await?,
            // Reaches the watcher as such.
            Err(RecvError::Lagged(changes)) => return Err(WatchError::Missed { changes }.into()),
            Err(RecvError::Closed) => return Ok(()),
        }
    }
}

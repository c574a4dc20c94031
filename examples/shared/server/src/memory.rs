//! The store, as a service.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use sockety::{Context, Streaming, content::StreamSender, serve::BoxError};
use sockety_shared_api::{Change, Store, StoreError, VisitorClient, WatchError};
use tokio::sync::broadcast::{self, error::RecvError};

/// The largest number of keys.
const KEYS: usize = 1_000;

/// Number of changes that can wait for a slow watcher. Beyond that, it misses some.
const WAITING: usize = 256;

/// Number of characters of a visitor's name that are announced.
const NAME: usize = 40;

/// Keys and values. Calls run concurrently, so they share them through a lock.
pub(crate) struct Memory {
    values: Mutex<HashMap<String, String>>,
    changes: broadcast::Sender<Change>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            values: Mutex::default(),
            changes: broadcast::Sender::new(WAITING),
        }
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

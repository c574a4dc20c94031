//! Work that blocks, off the async threads and bounded in number.

use std::{io, sync::Arc};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
};

/// How many files of the process are worked on at a time: enough to keep a disk busy, and few of the threads
/// that the runtime has for work that blocks.
const WRITERS: usize = 32;

static FREE: std::sync::LazyLock<Arc<Semaphore>> =
    std::sync::LazyLock::new(|| Arc::new(Semaphore::new(WRITERS)));

/// Starts work on a disk. It goes on when its handle is dropped.
///
/// The place among the writers belongs to the work, never to who waits for it: a future that is kept but not
/// polled takes no place away from others.
pub(super) fn on_disk<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> OnDisk<T> {
    match Arc::clone(&FREE).try_acquire_owned() {
        Ok(place) => OnDisk(spawn(work, place)),
        Err(_) => OnDisk(tokio::spawn(async move {
            let place = Arc::clone(&FREE).acquire_owned().await;
            let place = place.expect("the semaphore is never closed");
            OnDisk(spawn(work, place)).await_flat().await
        })),
    }
}

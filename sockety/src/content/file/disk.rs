//! Work that blocks: off the async threads, and bounded in number.

use std::{
    io,
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll},
};

use tokio::{
    sync::{Semaphore, oneshot},
    task::spawn_blocking,
};

/// How many files of the process are worked on at a time: enough to keep a disk busy, and few of the threads
/// that the runtime has for work that blocks.
const WRITERS: usize = 32;

static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(WRITERS)));

/// Work that was started by [`on_disk`]. When it is dropped the work goes on, and its result is dropped.
pub(super) struct OnDisk<T>(oneshot::Receiver<T>);

/// Starts work on a disk.
///
/// A place among the writers belongs to the work, never to who waits for it: a future that is kept without
/// being polled takes no place away from others. So a file has a place while a part of it is written, and none
/// while its sender is awaited: slow senders cannot keep others from the disk.
pub(super) fn on_disk<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> OnDisk<T> {
    let (done, result) = oneshot::channel();
    let work = move |place| {
        let result = work();
        drop(place);
        drop(done.send(result));
    };
    match Arc::clone(&PLACES).try_acquire_owned() {
        Ok(place) => drop(spawn_blocking(move || work(place))),
        Err(_) => drop(tokio::spawn(async move {
            let place = Arc::clone(&PLACES).acquire_owned().await;
            let place = place.expect("nobody closes the semaphore");
            spawn_blocking(move || work(place));
        })),
    }
    OnDisk(result)
}

impl<T> Future for OnDisk<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let lost = |_| io::Error::other("the runtime was shut down before the disk was done");
        Pin::new(&mut self.0).poll(cx).map_err(lost)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn t_x8_as_many_as_there_are_places_work_at_a_time() {
        let (began, begun) = mpsc::channel();
        let mut gates = Vec::new();
        let mut works = Vec::new();
        for number in 0..WRITERS + 8 {
            let (gate, opened) = mpsc::channel::<()>();
            let began = began.clone();
            gates.push(Some(gate));
            works.push(on_disk(move || {
                began.send(number).expect("the test listens");
                // Until the gate is dropped.
                opened.recv().unwrap_err();
            }));
        }
        let waits = async |count| {
            let mut numbers = Vec::new();
            while numbers.len() < count {
                numbers.extend(begun.try_recv().ok());
                tokio::task::yield_now().await;
            }
            numbers
        };
        let first = waits(WRITERS).await;
        assert_eq!(
            (PLACES.available_permits(), begun.try_recv().ok()),
            (0, None)
        );
        // Each that ends lets one begin.
        for number in first {
            gates[number] = None;
        }
        assert_eq!(waits(8).await.len(), 8);
        gates.clear();
        for work in works {
            work.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_waiter_that_is_not_polled_takes_no_place() {
        let idle: Vec<_> = (0..3 * WRITERS).map(|_| on_disk(|| ())).collect();
        assert_eq!(on_disk(|| 7).await.unwrap(), 7);
        drop(idle);
    }
}

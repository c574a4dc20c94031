//! Memory for large payloads, used again and again.
//!
//! Memory that returns to the allocator each time often returns to the operating system. To get it
//! again, a page at a time, costs more than all else that is done with the payload. What has not
//! been used for a while is [returned](crate::engine::memory::threads), and when the last
//! connection of the process has ended, everything is.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;

/// Smaller payloads are left to the allocator.
const LEAST: usize = 64 * 1024;

/// How much unused memory a thread keeps. A peer can make each thread hold this much more than is
/// counted.
const KEPT: usize = 4 * 1024 * 1024;

/// How many connections there are in the process.
static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);

/// The kept memory of all threads.
static KEEPS: Mutex<Vec<Weak<Keep>>> = Mutex::new(Vec::new());

thread_local! {
    static KEEP: Arc<Keep> = Keep::new();
}

/// A connection that may need memory.
pub(crate) struct User(());

/// The memory that one thread keeps.
///
/// It has a lock, because a payload may be dropped on another thread than it was read on.
#[derive(Debug, Default)]
struct Keep(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// Empty buffers. The one used last is the last.
    memory: Vec<Vec<u8>>,
    /// Whether any was used since the last check.
    was_used: bool,
}

impl User {
    pub(crate) fn new() -> Self {
        CONNECTIONS.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if CONNECTIONS.fetch_sub(1, Ordering::SeqCst) == 1 {
            let keeps = lock(&KEEPS).clone();
            keeps.iter().filter_map(Weak::upgrade).for_each(|keep| {
                drop(keep.take_all());
            });
        }
    }
}

/// Returns to the allocator what the thread keeps, unless that was used since the last call.
pub(crate) fn give_back_unused() {
    KEEP.with(|keep| {
        if !mem::take(&mut lock(&keep.0).was_used) {
            drop(keep.take_all());
        }
    });
}

/// Returns empty memory for a payload of this size. It has no capacity yet if the thread keeps
/// nothing that fits.
pub(crate) fn take(size: u64) -> Vec<u8> {
    let Ok(size) = usize::try_from(size) else {
        return Vec::new();
    };
    if !(LEAST..=KEPT).contains(&size) {
        return Vec::new();
    }
    KEEP.with(|keep| keep.take(size)).unwrap_or_default()
}

/// Makes a payload whose memory is used again when all of it has been dropped.
pub(crate) fn share(memory: Vec<u8>) -> Bytes {
    if !(LEAST..=KEPT).contains(&memory.capacity()) {
        return memory.into();
    }
    let keep = KEEP.with(Arc::clone);
    Bytes::from_owner(Payload { memory, keep })
}

struct Payload {
    memory: Vec<u8>,
    /// Where its memory is kept after it is dropped.
    keep: Arc<Keep>,
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        &self.memory
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.keep.put(mem::take(&mut self.memory));
    }
}

impl Keep {
    fn new() -> Arc<Self> {
        let keep = Arc::new(Self::default());
        let mut keeps = lock(&KEEPS);
        // Forgets those of threads that have ended.
        keeps.retain(|keep| keep.strong_count() > 0);
        keeps.push(Arc::downgrade(&keep));
        keep
    }

    /// A payload has no more than twice the memory that it needs.
    fn take(&self, size: usize) -> Option<Vec<u8>> {
        let mut kept = lock(&self.0);
        kept.was_used = true;
        let fits = |memory: &Vec<u8>| (size..=2 * size).contains(&memory.capacity());
        let found = kept.memory.iter().rposition(fits)?;
        Some(kept.memory.remove(found))
    }

    fn take_all(&self) -> Vec<Vec<u8>> {
        mem::take(&mut lock(&self.0).memory)
    }

    /// If there is no room, the oldest is freed.
    fn put(&self, mut memory: Vec<u8>) {
        memory.clear();
        let mut kept = lock(&self.0);
        // Checked under the lock, so that the end of the last connection finds what was put here
        // before.
        if CONNECTIONS.load(Ordering::SeqCst) == 0 {
            return;
        }
        kept.was_used = true;
        kept.memory.push(memory);
        let size = |kept: &[Vec<u8>]| kept.iter().map(Vec::capacity).sum::<usize>();
        let mut old = 0;
        while size(&kept.memory[old..]) > KEPT {
            old += 1;
        }
        let old: Vec<_> = kept.memory.drain(..old).collect();
        // Freed after the lock is released.
        drop(kept);
        drop(old);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(size: usize) -> Bytes {
        let mut memory = take(size as u64);
        memory.resize(size, 7);
        share(memory)
    }

    fn kept() -> Vec<usize> {
        KEEP.with(|keep| lock(&keep.0).memory.iter().map(Vec::capacity).collect())
    }

    #[test]
    fn memory_is_used_again_when_nobody_has_a_part_of_it() {
        let _user = User::new();
        let first = payload(3 * LEAST);
        let at = first.as_ptr();
        let part = first.slice(5..9);
        drop(first);
        assert_ne!(payload(3 * LEAST).as_ptr(), at);
        assert_eq!(part, [7; 4][..]);
        // Dropped on another thread, it is kept all the same.
        std::thread::spawn(move || drop(part)).join().unwrap();
        assert_eq!(payload(2 * LEAST).as_ptr(), at);
    }

    #[test]
    fn a_payload_takes_no_more_than_twice_what_it_needs() {
        let _user = User::new();
        drop(payload(4 * LEAST));
        assert_eq!(take(2 * LEAST as u64 - 1).capacity(), 0);
        assert_eq!(take(4 * LEAST as u64 + 1).capacity(), 0);
        assert_eq!(take(u64::MAX).capacity(), 0);
        assert_eq!(take(2 * LEAST as u64).capacity(), 4 * LEAST);
    }

    #[test]
    fn a_thread_keeps_so_much_and_no_more_and_the_newest() {
        let _user = User::new();
        let sizes = [KEPT, LEAST - 1, KEPT + 1, 2 * LEAST, LEAST];
        let payloads: Vec<_> = sizes.into_iter().map(payload).collect();
        assert_eq!(kept(), [0; 0]);
        drop(payloads);
        assert_eq!(kept(), [2 * LEAST, LEAST]);
    }

    #[test]
    fn what_was_not_used_for_a_while_is_given_back() {
        let _user = User::new();
        drop(payload(LEAST));
        give_back_unused();
        assert_eq!(kept(), [LEAST]);
        give_back_unused();
        assert_eq!(kept(), [0; 0]);
    }
}

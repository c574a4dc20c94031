//! Memory for large payloads, used again and again.
//!
//! Given back to the allocator each time, it often goes back to the operating system, which costs more when it is needed
//! again, a page at a time, than all else that is done with the payload.

use std::{
    mem,
    sync::{Arc, PoisonError},
};

use bytes::Bytes;

use crate::sync::Mutex;

/// Smaller ones are left to the allocator.
const LEAST: usize = 64 * 1024;

/// What a thread keeps of memory that nobody uses, so a peer can make each thread hold so much more than is counted.
const KEPT: usize = 4 * 1024 * 1024;

thread_local! {
    static KEEP: Arc<Keep> = Arc::default();
}

/// Empty memory that a thread keeps; what was used last is the last.
///
/// Behind a lock, as a payload may be dropped on another thread than it was read on.
#[derive(Debug, Default)]
struct Keep(Mutex<Vec<Vec<u8>>>);

/// Empty memory for a payload of this size; of its own, or none yet, when the thread keeps nothing that fits.
pub(crate) fn take(size: u64) -> Vec<u8> {
    let Ok(size) = usize::try_from(size) else {
        return Vec::new();
    };
    if !(LEAST..=KEPT).contains(&size) {
        return Vec::new();
    }
    KEEP.with(|keep| keep.take(size)).unwrap_or_default()
}

/// A payload whose memory is used again when everybody has dropped it.
pub(crate) fn share(memory: Vec<u8>) -> Bytes {
    if !(LEAST..=KEPT).contains(&memory.capacity()) {
        return memory.into();
    }
    let keep = KEEP.with(Arc::clone);
    Bytes::from_owner(Payload { memory, keep })
}

struct Payload {
    memory: Vec<u8>,
    /// Where its memory goes.
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
    /// A payload has no more than twice the memory that it needs.
    fn take(&self, size: usize) -> Option<Vec<u8>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |memory: &Vec<u8>| (size..=2 * size).contains(&memory.capacity());
        let found = kept.iter().rposition(fits)?;
        Some(kept.remove(found))
    }

    /// The oldest makes way.
    fn put(&self, mut memory: Vec<u8>) {
        memory.clear();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(memory);
        let size = |kept: &[Vec<u8>]| kept.iter().map(Vec::capacity).sum::<usize>();
        let mut old = 0;
        while size(&kept[old..]) > KEPT {
            old += 1;
        }
        let old: Vec<_> = kept.drain(..old).collect();
        // Freed without the lock.
        drop(kept);
        drop(old);
    }
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
        let kept = |keep: &Arc<Keep>| keep.0.lock().unwrap().iter().map(Vec::capacity).collect();
        KEEP.with(kept)
    }

    #[test]
    fn memory_is_used_again_when_nobody_has_a_part_of_it() {
        let first = payload(3 * LEAST);
        let at = first.as_ptr();
        let part = first.slice(5..9);
        drop(first);
        assert_ne!(payload(3 * LEAST).as_ptr(), at);
        assert_eq!(part, [7; 4][..]);
        // On another thread, it goes back all the same.
        std::thread::spawn(move || drop(part)).join().unwrap();
        assert_eq!(payload(2 * LEAST).as_ptr(), at);
    }

    #[test]
    fn a_payload_takes_no_more_than_twice_what_it_needs() {
        drop(payload(4 * LEAST));
        assert_eq!(take(2 * LEAST as u64 - 1).capacity(), 0);
        assert_eq!(take(4 * LEAST as u64 + 1).capacity(), 0);
        assert_eq!(take(u64::MAX).capacity(), 0);
        assert_eq!(take(2 * LEAST as u64).capacity(), 4 * LEAST);
    }

    #[test]
    fn a_thread_keeps_so_much_and_no_more_and_the_newest() {
        let sizes = [KEPT, LEAST - 1, KEPT + 1, 2 * LEAST, LEAST];
        let payloads: Vec<_> = sizes.into_iter().map(payload).collect();
        assert_eq!(kept(), [0; 0]);
        drop(payloads);
        assert_eq!(kept(), [2 * LEAST, LEAST]);
    }
}

//! Buffers for what arrives of files and streams, used again and again.
//!
//! Given back to the allocator each time, their memory often goes back to the operating system, which costs more
//! when it is needed again than copying what is to be in it.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};

/// The size of a buffer: that of a read.
const SIZE: usize = 64 * 1024;

/// How many a thread has, those in use among them: what a few readers leave unread, and as much that they work on. A
/// part that is smaller than its buffer keeps the rest of it from others, so a peer can make each thread hold a
/// mebibyte more than is counted, and no more.
const COUNT: usize = 16;

/// Less is left to the allocator: it would take a whole buffer.
const LEAST: usize = 8 * 1024;

thread_local! {
    /// Each buffer as it was filled last. It is free when nobody else has a part of it.
    static BUFFERS: RefCell<Vec<Bytes>> = const { RefCell::new(Vec::new()) };
}

/// A copy in a buffer of the thread, if one is free, else in memory of its own.
pub(crate) fn copy(bytes: &[u8]) -> Bytes {
    if !(LEAST..=SIZE).contains(&bytes.len()) {
        return Bytes::copy_from_slice(bytes);
    }
    BUFFERS.with_borrow_mut(|buffers| match take(buffers) {
        Some(mut buffer) => {
            buffer.extend_from_slice(bytes);
            let copy = buffer.freeze();
            buffers.push(copy.clone());
            copy
        }
        None => Bytes::copy_from_slice(bytes),
    })
}

/// An empty buffer.
fn take(buffers: &mut Vec<Bytes>) -> Option<BytesMut> {
    if let Some(free) = buffers.iter().position(Bytes::is_unique) {
        let mut buffer = buffers.swap_remove(free).try_into_mut().ok()?;
        buffer.clear();
        return Some(buffer);
    }
    (buffers.len() < COUNT).then(|| BytesMut::with_capacity(SIZE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_when_nobody_has_it() {
        let first = copy(&[1; SIZE]);
        let at = first.as_ptr();
        let mut rest = first;
        let part = rest.split_to(7);
        drop(rest);
        assert_ne!(copy(&[2; SIZE]).as_ptr(), at);
        assert_eq!(part, [1; 7][..]);
        drop(part);
        let again: Vec<_> = (0..2).map(|_| copy(&[3; LEAST])).collect();
        assert!(again.iter().any(|buffer| buffer.as_ptr() == at));
        assert!(again.iter().all(|buffer| *buffer == [3; LEAST][..]));
        drop(again);
        let whole = [4; SIZE];
        let again: Vec<_> = (0..2).map(|_| copy(&whole)).collect();
        assert!(again.iter().any(|buffer| buffer.as_ptr() == at));
        assert!(again.iter().all(|buffer| *buffer == whole[..]));
    }

    #[test]
    fn a_thread_has_so_many_buffers_and_no_more() {
        let copies: Vec<_> = (0..COUNT + 9).map(|_| copy(&[5; SIZE])).collect();
        assert!(copies.iter().all(|copy| *copy == [5; SIZE][..]));
        assert_eq!(BUFFERS.with_borrow(Vec::len), COUNT);
        drop(copies);
        copy(&[6; LEAST - 1]);
        copy(&[6; SIZE + 1]);
        assert_eq!(BUFFERS.with_borrow(Vec::len), COUNT);
    }
}

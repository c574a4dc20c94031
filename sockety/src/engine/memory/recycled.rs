//! Buffers for what arrives of files and streams, used again and again.
//!
//! Memory that returns to the allocator each time often returns to the operating system. To get it
//! again costs more than copying what is to be in it. What has not been used for a while is
//! [returned](crate::engine::memory::threads).

use std::cell::{Cell, RefCell};

use bytes::{Bytes, BytesMut};

/// The size of a buffer: that of a read.
const SIZE: usize = 64 * 1024;

/// How many a thread has, those in use among them: what a few readers leave unread, and as much
/// that they work on. A part that is smaller than its buffer keeps the rest of it from others, so a
/// peer can make each thread hold a mebibyte more than is counted, and no more.
const COUNT: usize = 16;

/// Fewer bytes are left to the allocator, because they would occupy a whole buffer.
pub(crate) const LEAST: usize = 8 * 1024;

thread_local! {
    /// Each buffer as it was filled last. It is free when nobody else has a part of it.
    static BUFFERS: RefCell<Vec<Bytes>> = const { RefCell::new(Vec::new()) };

    /// Whether any was used since the last check.
    static WERE_USED: Cell<bool> = const { Cell::new(false) };
}

/// Returns the free buffers of the thread to the allocator, unless any was used since the last
/// call.
pub(crate) fn give_back_unused() {
    if !WERE_USED.replace(false) {
        let all = BUFFERS.take();
        BUFFERS.set(
            all.into_iter()
                .filter(|buffer| !buffer.is_unique())
                .collect(),
        );
    }
}

/// Takes an empty buffer of the thread, if one is free. It has to be [put] back.
pub(crate) fn take() -> Option<BytesMut> {
    WERE_USED.set(true);
    BUFFERS.with_borrow_mut(take_from)
}

/// Puts a buffer back, whether it was filled or not, and returns what is in it.
pub(crate) fn put(buffer: BytesMut) -> Bytes {
    let filled = buffer.freeze();
    BUFFERS.with_borrow_mut(|buffers| buffers.push(filled.clone()));
    filled
}

/// Keeps received bytes: where they are, if that is the buffer that was filled last; else in a
/// copy, for which it takes a buffer of the thread if one is free.
pub(crate) fn keep(bytes: &[u8]) -> Bytes {
    if !(LEAST..=SIZE).contains(&bytes.len()) {
        return Bytes::copy_from_slice(bytes);
    }
    let last = |buffers: &Vec<Bytes>| buffers.last().and_then(|last| part(last, bytes));
    if let Some(part) = BUFFERS.with_borrow(last) {
        return part;
    }
    match take() {
        Some(mut buffer) => {
            buffer.extend_from_slice(bytes);
            put(buffer)
        }
        None => Bytes::copy_from_slice(bytes),
    }
}

fn part(buffer: &Bytes, bytes: &[u8]) -> Option<Bytes> {
    let (all, part) = (buffer.as_ptr_range(), bytes.as_ptr_range());
    (all.start <= part.start && part.end <= all.end).then(|| buffer.slice_ref(bytes))
}

fn take_from(buffers: &mut Vec<Bytes>) -> Option<BytesMut> {
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
        let first = keep(&[1; SIZE]);
        let at = first.as_ptr();
        let mut rest = first;
        let part = rest.split_to(7);
        drop(rest);
        assert_ne!(keep(&[2; SIZE]).as_ptr(), at);
        assert_eq!(part, [1; 7][..]);
        drop(part);
        let again: Vec<_> = (0..2).map(|_| keep(&[3; LEAST])).collect();
        assert!(again.iter().any(|buffer| buffer.as_ptr() == at));
        assert!(again.iter().all(|buffer| *buffer == [3; LEAST][..]));
        drop(again);
        let whole = [4; SIZE];
        let again: Vec<_> = (0..2).map(|_| keep(&whole)).collect();
        assert!(again.iter().any(|buffer| buffer.as_ptr() == at));
        assert!(again.iter().all(|buffer| *buffer == whole[..]));
    }

    #[test]
    fn what_was_read_into_a_buffer_stays_there() {
        let mut buffer = take().unwrap();
        buffer.extend_from_slice(&[1; SIZE]);
        let read = put(buffer);
        let (first, second) = (keep(&read[3..LEAST + 3]), keep(&read[SIZE - LEAST..]));
        assert_eq!(first.as_ptr(), read[3..].as_ptr());
        assert_eq!(second.as_ptr(), read[SIZE - LEAST..].as_ptr());
        // Too few bytes for a whole buffer.
        assert_ne!(keep(&read[..LEAST - 1]).as_ptr(), read.as_ptr());
        // While parts of it exist, it is not used again.
        let at = read.as_ptr();
        drop((read, first));
        assert_ne!(keep(&[2; SIZE]).as_ptr(), at);
        assert_eq!(second, [1; LEAST][..]);
    }

    #[test]
    fn a_buffer_that_was_not_filled_is_free() {
        let buffer = take().unwrap();
        let at = buffer.as_ptr();
        assert!(put(buffer).is_empty());
        assert_eq!(take().unwrap().as_ptr(), at);
    }

    #[test]
    fn free_buffers_that_were_not_used_for_a_while_are_given_back() {
        let (one, other) = (keep(&[1; SIZE]), keep(&[2; SIZE]));
        drop(other);
        give_back_unused();
        assert_eq!(BUFFERS.with_borrow(Vec::len), 2);
        give_back_unused();
        assert_eq!(BUFFERS.with_borrow(Vec::len), 1);
        drop(one);
        give_back_unused();
        assert_eq!(BUFFERS.with_borrow(Vec::len), 0);
    }

    #[test]
    fn a_thread_has_so_many_buffers_and_no_more() {
        let copies: Vec<_> = (0..COUNT + 9).map(|_| keep(&[5; SIZE])).collect();
        assert!(copies.iter().all(|copy| *copy == [5; SIZE][..]));
        assert_eq!(BUFFERS.with_borrow(Vec::len), COUNT);
        drop(copies);
        keep(&[6; LEAST - 1]);
        keep(&[6; SIZE + 1]);
        assert_eq!(BUFFERS.with_borrow(Vec::len), COUNT);
    }
}

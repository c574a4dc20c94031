//! A queue of bytes in chunks, small ones joined.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::recycled;

/// Chunks smaller than this are joined, because a queue of them would cost more than their bytes.
const JOINED_BELOW: usize = 4 * 1024;

/// Joined chunks grow up to this size.
const JOINED_SIZE: usize = 16 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Chunks {
    whole: VecDeque<Bytes>,
    /// Small chunks, after all whole ones.
    joined: BytesMut,
    bytes: usize,
}

impl Chunks {
    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    pub(crate) fn push(&mut self, chunk: Bytes) {
        if chunk.len() < JOINED_BELOW {
            return self.push_slice(&chunk);
        }
        self.bytes += chunk.len();
        self.close();
        self.whole.push_back(chunk);
    }

    pub(crate) fn push_slice(&mut self, chunk: &[u8]) {
        self.push_copied(chunk, Bytes::copy_from_slice);
    }

    /// Like [`Chunks::push_slice`], for bytes that arrive: they may stay where they were read.
    pub(crate) fn push_received(&mut self, chunk: &[u8]) {
        self.push_copied(chunk, recycled::keep);
    }

    fn push_copied(&mut self, chunk: &[u8], copy: fn(&[u8]) -> Bytes) {
        self.bytes += chunk.len();
        if chunk.len() >= JOINED_BELOW {
            self.close();
            self.whole.push_back(copy(chunk));
            return;
        }
        self.joined.extend_from_slice(chunk);
        if self.joined.len() >= JOINED_SIZE {
            self.close();
        }
    }

    /// The next chunk, at most this long.
    pub(crate) fn pop(&mut self, limit: usize) -> Option<Bytes> {
        if self.whole.is_empty() && self.joined.len() <= limit {
            return self.pop_joined();
        }
        if self.whole.is_empty() {
            self.close();
        }
        let first = self.whole.front_mut()?;
        let chunk = if first.len() > limit {
            first.split_to(limit)
        } else {
            self.whole.pop_front()?
        };
        self.bytes -= chunk.len();
        Some(chunk)
    }

    /// All that was joined, which is the whole queue. Of a queue with so few bytes nothing stays
    /// allocated: perhaps no more come for a long time.
    fn pop_joined(&mut self) -> Option<Bytes> {
        let chunk = match self.joined.len() {
            0 => return None,
            few if few < JOINED_BELOW => std::mem::take(&mut self.joined),
            _ => self.joined.split(),
        };
        self.bytes -= chunk.len();
        Some(chunk.freeze())
    }

    /// Puts chunks back that were popped, before all others.
    pub(crate) fn put_back(&mut self, chunks: Vec<Bytes>) {
        for chunk in chunks.into_iter().rev() {
            self.bytes += chunk.len();
            self.whole.push_front(chunk);
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn close(&mut self) {
        if !self.joined.is_empty() {
            self.whole.push_back(self.joined.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_length_survive_joining_and_cutting() {
        let mut chunks = Chunks::default();
        let mut expected = Vec::new();
        for size in [1, 5000, 3, 4095, 4096, 20_000, 0, 2] {
            let chunk: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            expected.extend_from_slice(&chunk);
            if size % 2 == 0 {
                chunks.push(chunk.into())
            } else {
                chunks.push_slice(&chunk)
            }
        }
        assert_eq!(chunks.len(), expected.len());
        let mut found = Vec::new();
        while let Some(chunk) = chunks.pop(7000) {
            assert!(!chunk.is_empty() && chunk.len() <= 7000);
            found.extend_from_slice(&chunk);
        }
        assert_eq!(found, expected);
        assert!(chunks.is_empty());
    }

    #[test]
    fn small_chunks_are_joined() {
        let mut chunks = Chunks::default();
        for _ in 0..1000 {
            chunks.push_slice(b"item");
        }
        assert_eq!(chunks.pop(usize::MAX).map(|chunk| chunk.len()), Some(4000));
    }
}

//! A payload between its first and its last byte.

use bytes::Bytes;

use super::held::{Held, NoRoom};

/// A payload that is arriving. It grows with what came, not with what was announced.
pub(crate) struct Assembly {
    pub(crate) size: u64,
    state: AssemblyState,
    pub(crate) held: Option<Box<Held>>,
}

enum AssemblyState {
    Arriving(Vec<u8>),
    Whole(Bytes),
}

impl Assembly {
    pub(crate) fn new(size: u64, held: Option<Box<Held>>) -> Self {
        Self {
            size,
            held,
            state: AssemblyState::Arriving(Vec::new()),
        }
    }

    /// Adds a part, and gives the whole when it was the last.
    pub(crate) fn push(&mut self, part: &[u8], remaining: u64) -> Result<Option<Bytes>, NoRoom> {
        let AssemblyState::Arriving(bytes) = &mut self.state else {
            return Ok(None);
        };
        if let Some(held) = &mut self.held {
            held.grow(part.len())?;
        }
        if bytes.is_empty() && remaining == 0 {
            return Ok(Some(Bytes::copy_from_slice(part)));
        }
        make_room(bytes, part.len(), remaining);
        bytes.extend_from_slice(part);
        Ok((remaining == 0).then(|| Bytes::from(std::mem::take(bytes))))
    }

    /// The whole waits for the header to be whole too.
    pub(crate) fn keep(&mut self, payload: Bytes) {
        self.state = AssemblyState::Whole(payload);
    }

    pub(crate) fn whole(&self) -> Option<Bytes> {
        match &self.state {
            AssemblyState::Arriving(_) => (self.size == 0).then(Bytes::new),
            AssemblyState::Whole(payload) => Some(payload.clone()),
        }
    }
}

/// Doubles the memory when it is full, but takes no more than the rest of the payload needs.
fn make_room(bytes: &mut Vec<u8>, part: usize, remaining: u64) {
    if bytes.capacity() - bytes.len() < part {
        let rest = usize::try_from(remaining).unwrap_or(usize::MAX);
        let doubled = part.max(bytes.len());
        bytes.reserve_exact(doubled.min(part.saturating_add(rest)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What has come, and the memory that it took, after each part.
    fn growth(size: usize, part: usize) -> Vec<(usize, usize)> {
        let mut bytes = Vec::new();
        let mut growth = Vec::new();
        while bytes.len() < size {
            let part = part.min(size - bytes.len());
            let remaining = size - bytes.len() - part;
            make_room(&mut bytes, part, remaining as u64);
            bytes.resize(bytes.len() + part, 0);
            growth.push((bytes.len(), bytes.capacity()));
        }
        growth
    }

    #[test]
    fn a_payload_has_no_more_memory_than_it_needs_or_twice_what_has_come() {
        for size in [1, 4096, 1_048_581, 3_000_000] {
            for part in [1024, 65_536, 65_537, size] {
                let growth = growth(size, part);
                assert!(growth.iter().all(|(len, capacity)| *capacity <= 2 * len));
                assert_eq!(growth.last(), Some(&(size, size)));
            }
        }
    }
}

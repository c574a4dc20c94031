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

//! A payload between its first and its last byte.

use bytes::Bytes;

/// A payload that is arriving. It grows with what came, not with what was announced.
pub(crate) struct Assembly {
    pub(crate) size: u64,
    state: AssemblyState,
}

enum AssemblyState {
    Arriving(Vec<u8>),
    Whole(Bytes),
}

impl Assembly {
    pub(crate) fn new(size: u64) -> Self {
        Self {
            size,
            state: AssemblyState::Arriving(Vec::new()),
        }
    }

    /// Adds a part, and gives the whole when it was the last.
    pub(crate) fn push(&mut self, part: &[u8], remaining: u64) -> Option<Bytes> {
        let AssemblyState::Arriving(bytes) = &mut self.state else {
            return None;
        };
        if bytes.is_empty() && remaining == 0 {
            return Some(Bytes::copy_from_slice(part));
        }
        bytes.extend_from_slice(part);
        (remaining == 0).then(|| Bytes::from(std::mem::take(bytes)))
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

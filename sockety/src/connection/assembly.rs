//! A payload between its first and its last byte.

use bytes::Bytes;

use super::budget::Share;

/// A payload that is arriving. It grows with what came, not with what was announced.
pub(crate) struct Assembly {
    pub(crate) size: u64,
    state: AssemblyState,
    /// What it holds of the bytes that all connections may hold.
    share: Share,
}

/// Too many bytes are waiting on all connections together.
pub(crate) struct BudgetUsedUp;

enum AssemblyState {
    Arriving(Vec<u8>),
    Whole(Bytes),
}

impl Assembly {
    pub(crate) fn new(size: u64, share: Share) -> Self {
        Self {
            size,
            share,
            state: AssemblyState::Arriving(Vec::new()),
        }
    }

    /// Adds a part, and gives the whole when it was the last.
    pub(crate) fn push(
        &mut self,
        part: &[u8],
        remaining: u64,
    ) -> Result<Option<Bytes>, BudgetUsedUp> {
        let AssemblyState::Arriving(bytes) = &mut self.state else {
            return Ok(None);
        };
        if bytes.is_empty() && remaining == 0 {
            return Ok(Some(Bytes::copy_from_slice(part)));
        }
        if !self.share.grow(part.len() as u64) {
            return Err(BudgetUsedUp);
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

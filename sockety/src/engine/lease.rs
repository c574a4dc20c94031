//! What keeps a connection open.

use std::{fmt, sync::Arc};

use super::{holders::Holder, shared::Shared};

/// Keeps a connection open. When the last lease that counts as a handle is dropped, the connection
/// is closed: that takes its lock and wakes the driver, so no lease is dropped under the lock.
///
/// The lease of a request of the peer also occupies the slot of that request. That of a handler which
/// is ended early may become free later: see [`LatePlaces`](super::places::LatePlaces).
pub(crate) struct Lease {
    pub(crate) shared: Arc<Shared>,
    holder: Holder,
    is_ended_early: bool,
}

impl Lease {
    /// The lease of a handle.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        shared.holders.add(Holder::Handle);
        Self {
            shared,
            holder: Holder::Handle,
            is_ended_early: false,
        }
    }

    /// The lease of another handle; `None` if there is none left, because then the connection is
    /// closing.
    pub(crate) fn join(shared: Arc<Shared>) -> Option<Self> {
        let holder = Holder::Handle;
        let is_joined = shared.holders.join();
        is_joined.then(|| Self {
            shared,
            holder,
            is_ended_early: false,
        })
    }

    /// The lease of a request of the peer, which occupies a slot until it is dropped, and how many
    /// requests there were before it; `None` when all slots are taken.
    #[inline]
    pub(crate) fn of_request(shared: &Arc<Shared>, holder: Holder) -> Option<(Self, usize)> {
        // Counted before it is checked, so that two requests cannot both take the last slot. One
        // that gets none gives its count back when the lease is dropped.
        let taken = shared.holders.add(holder);
        let lease = Self {
            shared: Arc::clone(shared),
            holder,
            is_ended_early: false,
        };
        shared.has_slot(taken).then_some((lease, taken))
    }

    /// A request that was arriving is complete: its handler may use the lease as a handle.
    pub(crate) fn begin_executing(&mut self) {
        if self.holder == Holder::Arriving {
            self.shared.holders.begin_executing();
            self.holder = Holder::Executing;
        }
    }

    /// The handler that it belongs to is ended early.
    // r[impl ext.cancel.slot]
    #[cold]
    pub(crate) fn end_early(&mut self) {
        self.is_ended_early = self.holder == Holder::Executing;
    }
}

/// A clone counts as a handle, whatever it was cloned from.
impl Clone for Lease {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared))
    }
}

impl Drop for Lease {
    #[inline]
    fn drop(&mut self) {
        match self.is_ended_early && self.shared.is_extended {
            true => self.shared.late.leave(&self.shared),
            false => self.shared.leave(self.holder),
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}

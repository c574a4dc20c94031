//! What keeps a connection open.

use std::{fmt, sync::Arc};

use super::{holders::Holder, shared::Shared};

/// Keeps a connection open. When the last lease that counts as a handle is dropped, the connection
/// is closed: that takes its lock and wakes the driver, so no lease is dropped under the lock.
///
/// The lease of a request of the peer also occupies the slot of that request. That of a handler which
/// is ended early may become free later: see [`LatePlaces`](super::places::LatePlaces).
pub(crate) struct Lease(Kept);

enum Kept {
    /// Of a handle and its clones, which count as one: each costs one reference.
    Shared(Arc<Counted>),
    Alone(Counted),
}

/// What is counted among those that hold the connection.
struct Counted {
    shared: Arc<Shared>,
    holder: Holder,
    is_ended_early: bool,
}

impl Lease {
    /// The lease of a handle, which is to be cloned.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(Kept::Shared(Arc::new(Counted::handle(shared))))
    }

    /// The lease of another handle; `None` if there is none left, because then the connection is
    /// closing.
    pub(crate) fn join(shared: Arc<Shared>) -> Option<Self> {
        let is_joined = shared.holders.join();
        is_joined.then(|| Self(Kept::Alone(Counted::new(shared, Holder::Handle))))
    }

    /// The lease of a request of the peer, which occupies a slot until it is dropped, and how many
    /// requests there were before it; `None` when all slots are taken.
    #[inline]
    pub(crate) fn of_request(shared: &Arc<Shared>, holder: Holder) -> Option<(Self, usize)> {
        // Counted before it is checked, so that two requests cannot both take the last slot. One
        // that gets none gives its count back when the lease is dropped.
        let taken = shared.holders.add(holder);
        let lease = Self(Kept::Alone(Counted::new(Arc::clone(shared), holder)));
        shared.has_slot(taken).then_some((lease, taken))
    }

    /// What handles and driver share.
    #[inline]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        match &self.0 {
            Kept::Shared(counted) => &counted.shared,
            Kept::Alone(counted) => &counted.shared,
        }
    }

    fn holder(&self) -> Holder {
        match &self.0 {
            Kept::Shared(counted) => counted.holder,
            Kept::Alone(counted) => counted.holder,
        }
    }

    /// A request that was arriving is complete: its handler may use the lease as a handle.
    pub(crate) fn begin_executing(&mut self) {
        if let Kept::Alone(counted) = &mut self.0 {
            if counted.holder == Holder::Arriving {
                counted.shared.holders.begin_executing();
                counted.holder = Holder::Executing;
            }
        }
    }

    /// The handler that it belongs to is ended early.
    // r[impl ext.cancel.slot]
    #[cold]
    pub(crate) fn end_early(&mut self) {
        if let Kept::Alone(counted) = &mut self.0 {
            counted.is_ended_early = counted.holder == Holder::Executing;
        }
    }
}

/// A clone counts as a handle, whatever it was cloned from.
impl Clone for Lease {
    #[inline]
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Kept::Shared(counted) => Kept::Shared(Arc::clone(counted)),
            Kept::Alone(counted) => Kept::Alone(Counted::handle(Arc::clone(&counted.shared))),
        })
    }
}

impl Counted {
    fn new(shared: Arc<Shared>, holder: Holder) -> Self {
        Self {
            shared,
            holder,
            is_ended_early: false,
        }
    }

    /// Another handle.
    fn handle(shared: Arc<Shared>) -> Self {
        shared.holders.add(Holder::Handle);
        Self::new(shared, Holder::Handle)
    }
}

impl Drop for Counted {
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
            .field("holder", &self.holder())
            .finish_non_exhaustive()
    }
}

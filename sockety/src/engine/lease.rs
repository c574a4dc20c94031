//! What keeps a connection open.

use std::{fmt, sync::Arc};

use super::{holders::Holder, shared::Shared};

/// A share in a connection: while one lives that counts as a handle, the connection is not closed for
/// want of handles. One of a request also keeps the slot of that request.
pub(crate) struct Lease {
    pub(crate) shared: Arc<Shared>,
    holder: Holder,
}

impl Lease {
    /// That of a handle.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        shared.holders.add(Holder::Handle);
        Self {
            shared,
            holder: Holder::Handle,
        }
    }

    /// That of another handle, if there is one: the last one to go closes the connection for good.
    pub(crate) fn join(shared: Arc<Shared>) -> Option<Self> {
        let holder = Holder::Handle;
        let is_joined = shared.holders.join();
        is_joined.then(|| Self { shared, holder })
    }

    /// For a request of the peer, which has its slot as long as this lives; `None` when all are taken.
    pub(crate) fn of_request(shared: &Arc<Shared>, holder: Holder) -> Option<Self> {
        let taken = shared.holders.add(holder);
        let lease = Self {
            shared: Arc::clone(shared),
            holder,
        };
        shared.has_slot(taken).then_some(lease)
    }

    /// A request that was arriving is there.
    pub(crate) fn begin_executing(&mut self) {
        if self.holder == Holder::Arriving {
            self.shared.holders.begin_executing();
            self.holder = Holder::Executing;
        }
    }
}

/// A clone counts as a handle, whatever it was cloned from.
impl Clone for Lease {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shared.leave(self.holder);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}

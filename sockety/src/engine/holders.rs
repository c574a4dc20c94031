//! Counts of what holds a connection: handles, and requests of the peer.

use std::sync::atomic::Ordering;

use crate::sync::AtomicU64;

/// Handles and requests, counted in one number: nearly every request counts as both, so that one
/// atomic operation begins it, and one ends it.
pub(crate) struct Holders(AtomicU64);

const HANDLE: u64 = 1;
const REQUEST: u64 = 1 << 40;

/// The maximum number of requests that can be counted. Memory would be used up long before.
const MAX_REQUESTS: usize = (1 << 24) - 2;

/// What a holder of a connection counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A handle of the user. Dropping the last one closes the connection.
    Handle,
    /// A request that is arriving. It occupies a slot like those that are executed.
    Arriving,
    /// A request whose handler has not ended. It may use its handle.
    Executing,
}

/// Which counts dropped to zero when a holder left.
pub(crate) struct Left {
    pub(crate) was_last_handle: bool,
    pub(crate) was_last_request: bool,
}

impl Holder {
    #[inline]
    fn weight(self) -> u64 {
        match self {
            Self::Handle => HANDLE,
            Self::Arriving => REQUEST,
            Self::Executing => REQUEST + HANDLE,
        }
    }
}

impl Holders {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Returns how many requests there were before.
    #[inline]
    pub(crate) fn add(&self, holder: Holder) -> usize {
        requests(self.0.fetch_add(holder.weight(), Ordering::Relaxed))
    }

    /// Adds a handle, unless there is none left. Returns whether it did.
    pub(crate) fn join(&self) -> bool {
        let join = |number| (handles(number) > 0).then_some(number + HANDLE);
        let joined = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, join);
        joined.is_ok()
    }

    #[inline]
    pub(crate) fn remove(&self, holder: Holder) -> Left {
        // `SeqCst`: an ending connection sets `Shared::is_ending` first and reads the count then,
        // while a request that ends changes the count first and reads the flag then. So one of them
        // sees the other, and the driver never sleeps through the end of the last handler.
        let before = self.0.fetch_sub(holder.weight(), Ordering::SeqCst);
        Left {
            was_last_handle: holder != Holder::Arriving && handles(before) == 1,
            was_last_request: holder != Holder::Handle && requests(before) == 1,
        }
    }

    /// A request has arrived completely. From now on it counts as a handle too.
    pub(crate) fn begin_executing(&self) {
        self.0.fetch_add(HANDLE, Ordering::Relaxed);
    }

    /// Whether another request may begin when there are this many.
    pub(crate) fn is_room(requests: usize, limit: usize) -> bool {
        requests < limit.min(MAX_REQUESTS)
    }

    /// Requests of the peer that have not ended.
    pub(crate) fn requests(&self) -> usize {
        requests(self.0.load(Ordering::SeqCst))
    }
}

fn handles(number: u64) -> usize {
    (number % REQUEST) as usize
}

fn requests(number: u64) -> usize {
    (number / REQUEST) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_handle_when_it_is_executed_and_not_before() {
        let holders = Holders::new();
        holders.add(Holder::Handle);
        assert_eq!(holders.add(Holder::Arriving), 0);
        assert!(holders.remove(Holder::Handle).was_last_handle);
        assert_eq!(holders.add(Holder::Executing), 1);
        holders.begin_executing();
        let left = holders.remove(Holder::Executing);
        assert!(!left.was_last_handle && !left.was_last_request);
        assert_eq!(holders.requests(), 1);
        let left = holders.remove(Holder::Executing);
        assert!(left.was_last_handle && left.was_last_request);
        assert_eq!(holders.requests(), 0);
    }

    #[test]
    fn a_handle_joins_others_and_never_comes_after_the_last() {
        let holders = Holders::new();
        assert!(!holders.join());
        holders.add(Holder::Arriving);
        assert!(!holders.join(), "a request that arrives is no handle");
        holders.begin_executing();
        assert!(holders.join());
        assert!(!holders.remove(Holder::Executing).was_last_handle);
        assert!(holders.remove(Holder::Handle).was_last_handle);
        assert!(!holders.join());
    }
}

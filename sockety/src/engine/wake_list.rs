//! Wakers that are collected under a lock and used after it.

use std::{mem, task::Waker};

/// Dropping the list wakes its tasks, so the lock must not be held then: a waker may run any code,
/// and a task that is woken meets the lock at once.
#[derive(Debug, Default)]
pub(crate) struct WakeList {
    /// Most lists have one waker, and need no allocation.
    first: Option<Waker>,
    more: Vec<Waker>,
    /// Dropped, not woken: dropping a waker may run any code too.
    unused: Vec<Waker>,
}

impl WakeList {
    #[inline]
    pub(crate) fn wake(&mut self, waker: Waker) {
        if self.first.is_none() {
            self.first = Some(waker);
        } else {
            self.more.push(waker);
        }
    }

    /// Keeps a clone of the waker for later, unless the one that is kept already wakes the same
    /// task.
    ///
    /// Cloning counts a reference, which may be done under a lock.
    pub(crate) fn replace(&mut self, kept: &mut Option<Waker>, waker: &Waker) {
        if kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            return;
        }
        if let Some(before) = kept.replace(waker.clone()) {
            self.discard(before);
        }
    }

    pub(crate) fn discard(&mut self, waker: Waker) {
        self.unused.push(waker);
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none() && self.unused.is_empty()
    }

    pub(crate) fn take(&mut self) -> Self {
        mem::take(self)
    }
}

impl Drop for WakeList {
    fn drop(&mut self) {
        let all = self.first.take().into_iter().chain(self.more.drain(..));
        all.for_each(Waker::wake);
    }
}

//! What one connection holds of what it has received.

use std::sync::{Arc, atomic::Ordering};

use crate::{
    config::{budgets::Budgets, options::Options},
    sync::{AtomicBool, AtomicU64, AtomicUsize},
};

/// Counted without a lock, as the driver adds and readers on any thread take away.
pub(crate) struct Account {
    options: Arc<Options>,
    budgets: Budgets,
    /// Bytes of payloads that are arriving, or whose handlers run.
    pub(super) payloads: AtomicU64,
    /// Files that were announced and whose messages are not done with.
    pub(super) files: AtomicUsize,
    /// Streams, like files.
    pub(super) streams: AtomicUsize,
    /// Bytes of files and streams that wait to be read.
    unread: AtomicUsize,
    /// Reading pauses until some of those are read.
    awaits_room: AtomicBool,
}

impl Account {
    pub(crate) fn new(options: Arc<Options>, budgets: Budgets) -> Self {
        Self {
            options,
            budgets,
            payloads: AtomicU64::new(0),
            files: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            unread: AtomicUsize::new(0),
            awaits_room: AtomicBool::new(false),
        }
    }

    pub(crate) fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// Whether a message with this many files may come. A file costs a few hundred bytes, however little of it has come.
    pub(crate) fn has_room_for_files(&self, count: usize) -> bool {
        let before = self.files.load(Ordering::Relaxed);
        before == 0 || before.saturating_add(count) <= self.options.open_files
    }

    /// A message with files and streams begins.
    pub(crate) fn add_parts(&self, files: usize, streams: usize) {
        self.files.fetch_add(files, Ordering::Relaxed);
        self.streams.fetch_add(streams, Ordering::Relaxed);
    }

    /// Nobody can read those any longer.
    pub(crate) fn remove_parts(&self, files: usize, streams: usize) {
        self.files.fetch_sub(files, Ordering::Relaxed);
        self.streams.fetch_sub(streams, Ordering::Relaxed);
    }

    /// Bytes of files and streams have come.
    pub(crate) fn on_received(&self, count: usize) {
        self.unread.fetch_add(count, Ordering::Relaxed);
        self.budgets.received().charge(count as u64);
    }

    /// Bytes of files and streams were read or dropped. Returns whether the driver, which waits for room of the whole
    /// connection, has it now and is to be woken. It looks at the budget of all connections again at the next tick.
    #[must_use]
    pub(crate) fn on_taken(&self, count: usize) -> bool {
        // Sequentially consistent, as is all of this: either the driver sees the new count, or this sees that it waits.
        self.unread.fetch_sub(count, Ordering::SeqCst);
        self.budgets.received().give_back(count as u64);
        let has_room = self.unread.load(Ordering::SeqCst) < self.options.unread_bytes;
        has_room
            && self.awaits_room.load(Ordering::SeqCst)
            && self.awaits_room.swap(false, Ordering::SeqCst)
    }

    /// The driver is about to look whether there is room. A reader that makes room after this wakes it.
    pub(crate) fn await_room(&self) {
        self.awaits_room.store(true, Ordering::SeqCst);
    }

    /// Whether the connection, or all of them together, hold too much that is unread. Then reading waits for each message
    /// that has something unread.
    pub(crate) fn is_over_budget(&self) -> bool {
        let unread = self.unread.load(Ordering::SeqCst);
        // A few connections must not take what all have.
        unread >= self.options.unread_bytes
            || (unread >= self.options.window && self.budgets.received().is_used_up())
    }
}

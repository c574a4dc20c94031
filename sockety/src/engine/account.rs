//! How much one connection holds of what it has received.

use std::sync::{Arc, atomic::Ordering};

use sockety_codec::credit::Pressure;

use crate::{
    config::{budgets::Budgets, options::Options},
    sync::{AtomicBool, AtomicU64, AtomicUsize},
};

/// Counted without a lock, because the driver adds while readers on any thread subtract.
pub(crate) struct Account {
    options: Arc<Options>,
    budgets: Budgets,
    is_credited: bool,
    /// Bytes of payloads that are arriving, or whose handlers are running.
    pub(super) payloads: AtomicU64,
    /// Bytes of payloads of responses that are arriving.
    pub(super) responses: AtomicU64,
    /// Whether the driver has paused reading until there is room for payloads.
    awaits_payload_room: AtomicBool,
    /// Announced files of messages that are not done.
    pub(super) files: AtomicUsize,
    /// Announced streams of messages that are not done.
    pub(super) streams: AtomicUsize,
    /// Bytes of files and streams that arrived and were not read.
    unread: AtomicUsize,
    /// Whether the driver has paused reading until some of those are read.
    awaits_room: AtomicBool,
    /// Bytes in temporary files.
    spilled: AtomicU64,
}

impl Account {
    /// `is_credited`: the peer sends no more content than it is granted.
    pub(crate) fn new(options: Arc<Options>, budgets: Budgets, is_credited: bool) -> Self {
        Self {
            options,
            budgets,
            is_credited,
            payloads: AtomicU64::new(0),
            responses: AtomicU64::new(0),
            awaits_payload_room: AtomicBool::new(false),
            files: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            unread: AtomicUsize::new(0),
            awaits_room: AtomicBool::new(false),
            spilled: AtomicU64::new(0),
        }
    }

    /// Whether payloads of messages exceed their limit, so that reading waits for the end of some.
    /// What ends after this call wakes the driver.
    pub(crate) fn awaits_payload_room(&self) -> bool {
        let is_over = || self.payloads.load(Ordering::SeqCst) > self.options.payload_bytes;
        if !is_over() {
            return false;
        }
        self.awaits_payload_room.store(true, Ordering::SeqCst);
        // Again, as what ended before the flag was there has woken nobody.
        is_over()
    }

    /// A payload is gone. Returns whether to wake the driver: it waits for room, and there is some.
    #[must_use]
    pub(super) fn has_payload_room_again(&self) -> bool {
        self.awaits_payload_room.load(Ordering::SeqCst)
            && self.payloads.load(Ordering::SeqCst) <= self.options.payload_bytes
            && self.awaits_payload_room.swap(false, Ordering::SeqCst)
    }

    /// Whether there is room for a payload of a message.
    pub(crate) fn has_payload_room(&self, size: u64) -> bool {
        let before = self.payloads.load(Ordering::Relaxed);
        before == 0 || before.saturating_add(size) <= self.options.payload_bytes
    }

    /// Whether a message with this many files may begin. Each file costs a few hundred bytes, even
    /// before any of it has arrived.
    pub(crate) fn has_room_for_files(&self, count: usize) -> bool {
        let before = self.files.load(Ordering::Relaxed);
        before == 0 || before.saturating_add(count) <= self.options.open_files
    }

    /// A message with files and streams begins.
    pub(crate) fn add_parts(&self, files: usize, streams: usize) {
        self.files.fetch_add(files, Ordering::Relaxed);
        self.streams.fetch_add(streams, Ordering::Relaxed);
    }

    /// A message with files and streams is done.
    pub(crate) fn remove_parts(&self, files: usize, streams: usize) {
        self.files.fetch_sub(files, Ordering::Relaxed);
        self.streams.fetch_sub(streams, Ordering::Relaxed);
    }

    /// Bytes of files and streams have arrived.
    pub(crate) fn on_received(&self, count: usize) {
        self.unread.fetch_add(count, Ordering::Relaxed);
        self.budgets.received().charge(count as u64);
    }

    /// Bytes of files and streams were read or dropped. Returns whether to wake the driver: it has
    /// paused reading, and the connection has room again. Whether the budget of all connections has
    /// room, the driver finds out at its next tick.
    #[must_use]
    pub(crate) fn on_taken(&self, count: usize) -> bool {
        // First the count, then the flag, while the driver sets the flag and reads the count then.
        // All of this is sequentially consistent, so either the driver sees the new count, or this
        // sees that the driver waits.
        self.unread.fetch_sub(count, Ordering::SeqCst);
        self.budgets.received().give_back(count as u64);
        let has_room = self.unread.load(Ordering::SeqCst) < self.options.unread_bytes;
        has_room
            && self.awaits_room.load(Ordering::SeqCst)
            && self.awaits_room.swap(false, Ordering::SeqCst)
    }

    /// The driver is about to check whether there is room. A reader that makes room after this call
    /// wakes it.
    pub(crate) fn await_room(&self) {
        self.awaits_room.store(true, Ordering::SeqCst);
    }

    /// Whether the connection, or all connections together, hold too many unread bytes. Then
    /// reading waits for every message with unread content.
    pub(crate) fn is_over_budget(&self) -> bool {
        let unread = self.unread.load(Ordering::SeqCst);
        // A few connections must not use up the budget of all.
        (!self.is_credited && unread >= self.options.unread_bytes)
            || (unread >= self.options.window && self.budgets.received().is_used_up())
    }

    /// How much of the memory for unread content is in use.
    pub(crate) fn pressure(&self) -> Pressure {
        let received = self.budgets.received();
        if received.is_used_up() {
            Pressure::Exhausted
        } else if received.is_half_used() {
            Pressure::High
        } else {
            Pressure::Low
        }
    }

    /// Takes room in temporary files. A connection takes no more than it leaves to all others.
    #[must_use]
    pub(crate) fn take_spill(&self, amount: u64) -> bool {
        let budget = self.budgets.spill();
        let own = self.spilled.load(Ordering::Relaxed);
        let is_taken = own.saturating_add(amount) <= budget.free().saturating_sub(amount)
            && budget.take(amount);
        if is_taken {
            self.spilled.fetch_add(amount, Ordering::Relaxed);
        }
        is_taken
    }

    pub(crate) fn give_back_spill(&self, amount: u64) {
        self.spilled.fetch_sub(amount, Ordering::Relaxed);
        self.budgets.spill().give_back(amount);
    }
}

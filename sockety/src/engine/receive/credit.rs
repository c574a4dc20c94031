//! Credit for the files and streams that arrive on a connection with the extension: the peer sends no
//! more of them than this side has granted.
//!
//! ```text
//! driver ── begin, received, end, over ──▶ ┌───────────┐ ◀── taken, waits, stop ── readers, any thread
//!                                          │ Receiving │
//! Flow packet ◀── grant ── driver ◀─────── └───────────┘ ── an entry is due ──▶ wakes the driver
//! ```
//!
//! A reader that makes an entry due sets a flag and then wakes the driver. The driver looks at the flag
//! after it has left its waker, so one of the two sees the other.

use std::sync::{PoisonError, atomic::Ordering};

use sockety_codec::{
    FilesSummary, FlowEntry, Part, Violation,
    credit::{Fate, Receiving, Round, Windows},
    extension::Settings,
};

use crate::{
    config::options::Options,
    sync::{AtomicBool, Mutex, MutexGuard},
};

/// Guarded by its own lock, under which no other is taken.
pub(crate) struct Credit {
    receiving: Mutex<Receiving>,
    is_due: AtomicBool,
    /// A reader says what it has taken when it is as much, or when it has to wait.
    step: u64,
}

/// The content of one message, for its readers.
pub(crate) struct MessageCredit {
    pub(crate) credit: std::sync::Arc<Credit>,
    pub(crate) number: u64,
}

/// The most content of a Flow packet.
const FLOW_BYTES: usize = 4_096;

/// Readers of small pieces take the lock once for as many bytes.
const MOST_STEP: u64 = 16 * 1024;

impl Credit {
    /// With what this side has announced.
    pub(crate) fn new(settings: &Settings, options: &Options) -> Self {
        let message = u64::from(settings.message_window());
        let receiving = Receiving::new(Windows {
            message,
            message_max: options.message_window_max as u64,
            connection: settings.connection_window(),
        });
        Self {
            receiving: Mutex::new(receiving),
            is_due: AtomicBool::new(false),
            step: (message / 8).clamp(1, MOST_STEP),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Receiving> {
        self.receiving
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A message or response with files or a stream was announced. Every one, refused or not: the
    /// sender counts its content.
    pub(crate) fn begin(&self, number: u64, has_stream: bool, files: FilesSummary) {
        self.lock().begin(number, has_stream, files);
    }

    /// Content was read from the socket. To be called before a reader can take it.
    pub(crate) fn received(&self, number: u64, part: Part, bytes: u64) -> Result<Fate, Violation> {
        let mut receiving = self.lock();
        let fate = receiving.received(number, part, bytes);
        self.note(receiving.is_due());
        fate
    }

    /// Content of refused messages was read and dropped.
    pub(crate) fn dropped(&self, bytes: u64) -> Result<(), Violation> {
        let mut receiving = self.lock();
        receiving.dropped(bytes)?;
        self.note(receiving.is_due());
        Ok(())
    }

    /// The end of a part was read from the socket.
    pub(crate) fn end(&self, number: u64, part: Part) {
        let mut receiving = self.lock();
        receiving.end(number, part);
        self.note(receiving.is_due());
    }

    /// Nobody wants what still comes of this message: its sender is asked to stop, unless it has ended.
    pub(crate) fn stop_message(&self, number: u64) {
        let is_due = self.lock().stop_message(number);
        self.note(is_due);
    }

    /// A message was aborted, or ended after it was stopped. Its readers may still have what has come.
    pub(crate) fn over(&self, number: u64) {
        let mut receiving = self.lock();
        receiving.over(number);
        self.note(receiving.is_due());
    }

    /// Whether the peer can send no content until it is granted more.
    pub(crate) fn is_used_up(&self) -> bool {
        let receiving = self.lock();
        receiving.total() >= receiving.limit()
    }

    /// Whether [`Credit::grant`] may have something to write.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.is_due.load(Ordering::SeqCst)
    }

    /// Returns the entries of one Flow packet, which must be written. What is due beyond them remains
    /// due.
    ///
    /// Returns also whether something waits for less memory in use, or for a round in which the socket
    /// has nothing more to read.
    pub(crate) fn grant(&self, round: Round, entries: &mut Vec<FlowEntry>) -> bool {
        // Before the lock: what becomes due after it is released sets the flag again.
        self.is_due.store(false, Ordering::SeqCst);
        let mut receiving = self.lock();
        let mut length = 0;
        let mut due = receiving.due(round);
        while length + FlowEntry::MAX_LENGTH <= FLOW_BYTES {
            let Some(entry) = due.next() else {
                return receiving.is_held() || receiving.is_due();
            };
            length += entry.length();
            entries.push(entry);
        }
        self.note(true);
        receiving.is_held()
    }

    /// Returns whether nobody has noticed it before.
    fn note(&self, is_due: bool) -> bool {
        is_due && !self.is_due.swap(true, Ordering::SeqCst)
    }
}

/// Methods return whether the driver is to be woken, after the lock of the intake is released.
impl MessageCredit {
    /// Whether a reader has taken enough to say so.
    pub(crate) fn is_enough(&self, bytes: u64) -> bool {
        bytes >= self.credit.step
    }

    /// A reader took content.
    #[must_use]
    pub(crate) fn taken(&self, part: Part, bytes: u64) -> bool {
        let is_due = self.credit.lock().taken(self.number, part, bytes);
        self.credit.note(is_due)
    }

    /// A reader took content, and then found nothing more to read.
    #[must_use]
    pub(crate) fn waits(&self, part: Part, taken: u64) -> bool {
        let mut receiving = self.credit.lock();
        if taken > 0 {
            receiving.taken(self.number, part, taken);
        }
        let is_due = receiving.waits(self.number, part);
        drop(receiving);
        self.credit.note(is_due)
    }

    /// What still comes of a part is not wanted.
    // r[impl ext.stop.when]
    #[must_use]
    pub(crate) fn refuse(&self, part: Part) -> bool {
        let is_due = self.credit.lock().refuse(self.number, part);
        self.credit.note(is_due)
    }

    /// A reader was dropped.
    // r[impl ext.stop.when]
    #[must_use]
    pub(crate) fn stop(&self, part: Part) -> bool {
        let is_due = self.credit.lock().stop(self.number, part);
        self.credit.note(is_due)
    }
}

//! Whether the peer of a connection may call at all yet.

use std::sync::{PoisonError, atomic::Ordering};

use crate::sync::{AtomicBool, Mutex, MutexGuard};

/// Open from the start, unless what is served asks for authorization.
///
/// ```text
/// Closed ── a message is judged ──▶ (one attempt under way) ── accepted ──▶ Open
///   ▲──────────────── refused, lost, panicked ───┘
///   └── too often: the connection is closed
/// ```
pub(crate) struct AuthState {
    pub(crate) is_open: AtomicBool,
    pub(crate) attempts: Mutex<Attempts>,
}

#[derive(Default)]
pub(crate) struct Attempts {
    pub(crate) is_under_way: bool,
    pub(crate) is_judging: bool,
    pub(crate) failed: u32,
}

/// How many attempts may fail before the connection is closed: enough for a mistyped password, too
/// few to guess one.
pub(crate) const ATTEMPTS: u32 = 8;

/// The largest payload that is judged: tokens and certificates have a few KiB.
pub(crate) const PAYLOAD_BYTES: u64 = 64 * 1024;

impl AuthState {
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Whether the hook judges a message that has arrived.
    pub(crate) fn is_judging(&self) -> bool {
        !self.is_open() && self.attempts().is_judging
    }

    /// The message has arrived, and goes to the hook.
    pub(crate) fn judge(&self) {
        self.attempts().is_judging = true;
    }

    /// Called before anything is read.
    pub(crate) fn close(&self) {
        self.is_open.store(false, Ordering::Release);
    }

    /// Counts a failure, and returns how many there were with it.
    pub(crate) fn fail(&self) -> u32 {
        let mut attempts = self.attempts();
        (attempts.is_under_way, attempts.is_judging) = (false, false);
        attempts.failed = attempts.failed.saturating_add(1);
        attempts.failed
    }

    /// Returns whether a message may be judged now: one at a time, and none after too many
    /// failures.
    pub(crate) fn begin(&self) -> bool {
        let mut attempts = self.attempts();
        let begins = !attempts.is_under_way && attempts.failed < ATTEMPTS;
        attempts.is_under_way |= begins;
        begins
    }

    pub(crate) fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for AuthState {
    fn default() -> Self {
        Self {
            is_open: AtomicBool::new(true),
            attempts: Mutex::default(),
        }
    }
}

//! Whether the peer of a connection may call at all yet.

use std::sync::{Arc, PoisonError, atomic::Ordering};

use sockety_codec::MessageHead;
use tracing::warn;

use super::shared::Shared;
use crate::{
    error::dynamic::ClosedBy,
    sync::{AtomicBool, Mutex, MutexGuard},
};

/// Open from the start, unless what is served asks for authorization.
///
/// ```text
/// Closed ── a message is judged ──▶ (one attempt under way) ── accepted ──▶ Open
///   ▲──────────────── refused, lost, panicked ───┘
///   └── too often: the connection is closed
/// ```
pub(crate) struct Gate {
    is_open: AtomicBool,
    attempts: Mutex<Attempts>,
}

#[derive(Default)]
struct Attempts {
    is_under_way: bool,
    failed: u32,
}

/// Attempts that may fail before the connection is closed: enough for a mistyped password, too few to guess one.
const ATTEMPTS: u32 = 8;

/// The largest payload that is judged: tokens and certificates have a few KiB.
const PAYLOAD_BYTES: u64 = 64 * 1024;

impl Gate {
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Before anything is read.
    pub(crate) fn close(&self) {
        self.is_open.store(false, Ordering::Release);
    }

    /// Gives the number of failures with this one.
    fn fail(&self) -> u32 {
        let mut attempts = self.attempts();
        attempts.is_under_way = false;
        attempts.failed = attempts.failed.saturating_add(1);
        attempts.failed
    }

    fn begin(&self) -> bool {
        let mut attempts = self.attempts();
        let begins = !attempts.is_under_way && attempts.failed < ATTEMPTS;
        attempts.is_under_way |= begins;
        begins
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            is_open: AtomicBool::new(true),
            attempts: Mutex::default(),
        }
    }
}

/// A message that is being judged, from its head on. Dropped without a verdict, it has failed.
pub(crate) struct Attempt {
    shared: Arc<Shared>,
    is_accepted: bool,
}

impl Attempt {
    /// `None` when the message is not to be judged: another one is, there were too many, or it carries too much.
    pub(crate) fn begin(shared: &Arc<Shared>, head: &MessageHead<'_>) -> Option<Self> {
        if !shared.gate.begin() {
            return None;
        }
        let attempt = Self {
            shared: Arc::clone(shared),
            is_accepted: false,
        };
        let fits = head.payload_size <= PAYLOAD_BYTES && head.files.count == 0 && !head.has_stream;
        fits.then_some(attempt)
    }

    /// From here on the peer may call.
    pub(crate) fn accept(mut self) {
        self.is_accepted = true;
        self.shared.gate.is_open.store(true, Ordering::Release);
    }

    /// The connection ends: nothing further is judged.
    pub(crate) fn close(self) {
        self.shared.gate.attempts().failed = ATTEMPTS;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.is_accepted {
            return;
        }
        self.shared.counters.count(|all| &all.unauthorized);
        if self.shared.gate.fail() < ATTEMPTS {
            return;
        }
        warn!(peer = ?self.shared.peer.peer_addr, "connection closed: not authorized");
        self.shared.close(ClosedBy::Local);
    }
}

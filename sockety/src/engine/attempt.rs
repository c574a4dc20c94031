//! A message that asks for authorization, while it is judged.

use super::{
    auth_state::{ATTEMPTS, PAYLOAD_BYTES},
    receive::intake::WakeDriver,
    shared::Shared,
    warnings::Warning,
};
use crate::error::connection::ClosedBy;
use sockety_codec::{MessageHead, extension::LeaveReason};
use std::sync::{Arc, atomic::Ordering};

/// A message that is being judged, from its head on. Dropped without a verdict, it has failed.
pub(crate) struct Attempt {
    pub(crate) shared: Arc<Shared>,
    pub(crate) is_accepted: bool,
}

impl Attempt {
    /// `None` when the message is not to be judged: another one is, there were too many, or it
    /// carries too much.
    pub(crate) fn begin(shared: &Arc<Shared>, head: &MessageHead<'_>) -> Option<Self> {
        if !shared.auth.begin() {
            shared.counters.count(|all| &all.unauthorized);
            return None;
        }
        let attempt = Self {
            shared: Arc::clone(shared),
            is_accepted: false,
        };
        let fits = head.payload_size <= PAYLOAD_BYTES && head.files.count == 0 && !head.has_stream;
        fits.then_some(attempt)
    }

    /// Allows the peer to call.
    pub(crate) fn accept(mut self) {
        self.is_accepted = true;
        self.shared.auth.is_open.store(true, Ordering::Release);
        // What came behind it waits for this.
        self.shared.wake_driver();
    }

    /// The connection ends: nothing further is judged.
    pub(crate) fn close(self) {
        self.shared.auth.attempts().failed = ATTEMPTS;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.is_accepted {
            return;
        }
        self.shared.counters.count(|all| &all.unauthorized);
        if self.shared.auth.fail() < ATTEMPTS {
            // The next one is judged.
            self.shared.wake_driver();
            return;
        }
        self.shared.warn_of_peer(
            Warning::NotAuthorized,
            &format_args!("{ATTEMPTS} messages did not authorize it"),
        );
        let reason = LeaveReason::Unauthorized;
        self.shared.close_for(ClosedBy::Local, reason);
    }
}

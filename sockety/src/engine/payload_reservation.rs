//! Payloads in memory: while they arrive, and as long as the handlers of their messages run.

use std::sync::{Arc, atomic::Ordering};

use super::{receive::intake::WakeDriver, shared::Shared};
use crate::{config::budgets::Share, sync::AtomicU64};

/// Room for a payload. It counts against the limit of its connection as it was announced, and
/// against the budget of all connections as it comes.
pub(crate) struct PayloadReservation {
    shared: Arc<Shared>,
    purpose: Purpose,
    size: u64,
    share: Share,
}

/// There is no room for another payload.
pub(crate) struct NoRoom {
    /// What all payloads may hold, in bytes.
    pub(crate) limit: u64,
}

/// What a payload belongs to. Responses count apart: handlers that hold all room for messages may
/// wait for them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Message,
    /// A message that may exceed the limit, because reading pauses after it.
    LastMessage,
    Response,
}

/// The limits on the number of messages bound what payloads up to this size take.
const LITTLE: u64 = 16 * 1024;

/// Whether a payload needs no room.
#[inline]
pub(crate) fn is_little(size: usize) -> bool {
    size as u64 <= LITTLE
}

/// What one read may bring beyond the limit before it is noticed, and then one more payload.
const EXCESS: u64 = 256 * 1024;

impl PayloadReservation {
    /// Takes room for what a head announces. Nothing is allocated for the payload yet, and little
    /// payloads need no room.
    pub(crate) fn reserve(
        shared: &Arc<Shared>,
        size: u64,
        purpose: Purpose,
    ) -> Result<Option<Box<Self>>, NoRoom> {
        if size <= LITTLE {
            return Ok(None);
        }
        let limit = shared.options.payload_bytes;
        let before = counter(shared, purpose).fetch_add(size, Ordering::Relaxed);
        let reservation = Box::new(Self {
            shared: Arc::clone(shared),
            purpose,
            size,
            share: Share::none(Arc::clone(shared.budgets.received())),
        });
        let is_room = match purpose {
            // One payload alone is bounded by its own limit already.
            _ if before == 0 => true,
            Purpose::Message | Purpose::Response => before.saturating_add(size) <= limit,
            Purpose::LastMessage => before <= limit.saturating_add(EXCESS),
        };
        if is_room {
            Ok(Some(reservation))
        } else {
            Err(NoRoom { limit })
        }
    }

    /// `bytes` more of it have come.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), NoRoom> {
        if self.share.grow(bytes as u64) {
            Ok(())
        } else {
            Err(NoRoom {
                limit: self.share.limit(),
            })
        }
    }
}

fn counter(shared: &Shared, purpose: Purpose) -> &AtomicU64 {
    match purpose {
        Purpose::Message | Purpose::LastMessage => &shared.account.payloads,
        Purpose::Response => &shared.account.responses,
    }
}

impl Drop for PayloadReservation {
    fn drop(&mut self) {
        counter(&self.shared, self.purpose).fetch_sub(self.size, Ordering::SeqCst);
        if self.shared.account.has_payload_room_again() {
            self.shared.wake_driver();
        }
    }
}

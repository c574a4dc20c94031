//! Payloads in memory: while they arrive, and as long as the handlers of their messages run.

use std::sync::{Arc, atomic::Ordering};

use super::{account::Account, shared::Shared};
use crate::config::budgets::Share;

/// Room for a payload. It counts against the limit of its connection as it was announced, and against the budget of all
/// connections as it comes.
pub(crate) struct PayloadReservation {
    account: Arc<Account>,
    size: u64,
    share: Share,
}

/// There is no room for another payload.
pub(crate) struct NoRoom;

/// The limits on the number of messages bound what payloads up to this size take.
const LITTLE: u64 = 16 * 1024;

impl PayloadReservation {
    /// Takes room for what a head announces. Nothing is allocated for the payload yet, and little payloads need no room.
    pub(crate) fn reserve(shared: &Arc<Shared>, size: u64) -> Result<Option<Box<Self>>, NoRoom> {
        if size <= LITTLE {
            return Ok(None);
        }
        let limit = shared.options.payload_bytes;
        let before = shared.account.payloads.fetch_add(size, Ordering::Relaxed);
        let reservation = Box::new(Self {
            account: Arc::clone(&shared.account),
            size,
            share: Share::none(Arc::clone(shared.budgets.received())),
        });
        // One payload alone is bounded by its own limit already.
        if before > 0 && before.saturating_add(size) > limit {
            return Err(NoRoom);
        }
        Ok(Some(reservation))
    }

    /// Like [`PayloadReservation::reserve`], for a payload that is there.
    pub(crate) fn whole(shared: &Arc<Shared>, size: usize) -> Result<Option<Box<Self>>, NoRoom> {
        let mut reservation = Self::reserve(shared, size as u64)?;
        if let Some(reservation) = &mut reservation {
            reservation.grow(size)?;
        }
        Ok(reservation)
    }

    /// `bytes` more of it have come.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), NoRoom> {
        if self.share.grow(bytes as u64) {
            Ok(())
        } else {
            Err(NoRoom)
        }
    }
}

impl Drop for PayloadReservation {
    fn drop(&mut self) {
        self.account
            .payloads
            .fetch_sub(self.size, Ordering::Relaxed);
    }
}

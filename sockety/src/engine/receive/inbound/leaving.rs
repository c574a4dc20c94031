//! What the peer says of the end of the connection, and what of its messages is still taken then; and
//! pings.

use sockety_codec::{Violation, extension::Leave};
use tracing::debug;

use super::{Inbound, Verdict};
use crate::{engine::serve::Serve, shown};

impl<S: Serve> Inbound<S> {
    /// The peer is about to end the connection, and says no more than that.
    // r[impl ext.leave]
    #[cold]
    pub(super) fn on_go_away(&mut self) -> Verdict {
        match self.leaves(&Leave::default()) {
            Ok(_) => Verdict::Keep,
            Err(violation) => self.breaks(violation),
        }
    }

    /// The peer is about to end the connection.
    #[cold]
    pub(super) fn on_leave(&mut self, leave: &Leave<'_>) -> Verdict {
        match self.leaves(leave) {
            Ok(is_first) => {
                // All requests that wait are looked at for each.
                self.abuse.on_useless(u64::from(!is_first));
                Verdict::Keep
            }
            Err(violation) => self.breaks(violation),
        }
    }

    /// Returns whether the peer had not said so before.
    fn leaves(&self, leave: &Leave<'_>) -> Result<bool, Violation> {
        let is_first = self.shared.change(|state| state.on_leave(leave))?;
        if is_first {
            let peer = shown::address(self.shared.peer.peer_addr);
            debug!(peer, reason = ?leave.reason, "peer is going away");
            self.shared.ended.notify_waiters();
        }
        Ok(is_first)
    }

    /// The peer sends no message any more.
    #[cold]
    pub(super) fn on_done(&mut self) -> Verdict {
        match self.shared.change(|state| state.on_done()) {
            Ok(()) => Verdict::Keep,
            Err(violation) => self.breaks(violation),
        }
    }

    fn breaks(&mut self, violation: Violation) -> Verdict {
        if !self.shared.is_extended {
            return Verdict::Keep;
        }
        self.extended.get_or_insert_default().violation = Some(violation);
        Verdict::Break
    }

    /// Messages from this number on are not executed, as the peer is told.
    pub(crate) fn take_only(&mut self, taken: u64) {
        self.taken = taken;
        self.looks = true;
    }

    /// Whether a message is not taken any more. It is not answered either: that would say the same
    /// again.
    // r[impl ext.leave.taken]
    pub(super) fn is_left_out(&self, number: u64) -> bool {
        let is_left_out = number >= self.taken;
        if is_left_out {
            self.shared.counters.count(|all| &all.going_away);
        }
        is_left_out
    }

    /// Whether no message waits for its turn.
    pub(crate) fn is_at_rest(&self) -> bool {
        !self.has_queue() && self.unjudged.is_empty()
    }

    /// The connection ends. Requests that were taken, and that no handler has seen, are answered like
    /// those that are cancelled then: their callers know that they are not executed. So are those that
    /// wait in middleware.
    // r[impl ext.leave.last]
    pub(crate) fn answer_waiting(&mut self) {
        let code = self.shared.not_begun();
        let owed: Vec<_> = self.slots.owed().chain(self.unjudged_requests()).collect();
        for id in owed {
            self.shared.fast_reply(id, code);
        }
        while let Some(request) = self.queue.pop() {
            request.reply.answer_unbegun(code);
        }
        self.shared.change(|state| state.answer_waiting(code));
    }

    // r[impl ext.ping]
    #[cold]
    pub(super) fn on_ping(&mut self, bytes: [u8; 8]) -> Verdict {
        self.abuse.on_ping();
        self.shared.change(|state| state.outbox.pong(bytes));
        Verdict::Keep
    }

    #[cold]
    pub(super) fn on_pong(&mut self, bytes: [u8; 8]) -> Verdict {
        let mut state = self.shared.lock();
        let is_it = state.pings.as_mut().is_some_and(|it| it.on_pong(bytes));
        drop(state);
        if is_it {
            self.shared.ended.notify_waiters();
        } else {
            self.abuse.on_useless(1);
        }
        Verdict::Keep
    }
}

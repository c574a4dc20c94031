//! What becomes of the state when a side says that it leaves.

use std::{sync::Arc, time::Duration};

use sockety_codec::{
    Violation,
    extension::{Leave, LeaveReason},
};

use super::{Phase, State};
use crate::{
    engine::leaving::{Leaving, Ours, Sign, millis},
    error::{
        connection::{ClosedBy, ConnectionError},
        going_away::GoingAway,
    },
};

impl State {
    fn leaving(&mut self) -> &mut Leaving {
        self.leaving.get_or_insert_default()
    }

    /// Says that this side is about to end the connection, within this time.
    // r[impl ext.leave]
    // r[impl ext.leave.course]
    pub(crate) fn go_away(&mut self, reason: LeaveReason, grace: Duration) {
        if !self.is_extended {
            self.outbox.go_away();
            return;
        }
        let before = self.leaving.as_ref().and_then(|it| it.ours.as_ref());
        self.say(Ours {
            reason,
            grace_millis: millis(grace),
            // What it said as a lame duck holds.
            retry_after_millis: before.map_or(0, |ours| ours.retry_after_millis),
            taken: None,
        });
    }

    /// Says, once, that new requests are to go elsewhere, and that this side goes on for this time.
    /// Nothing else changes: it then calls [`go_away`](Self::go_away). A peer without the extension
    /// cannot be told.
    // r[impl ext.leave.lame-duck]
    pub(crate) fn be_lame_duck(&mut self, grace: Duration, retry_after: Duration) {
        let has_spoken = self.leaving.as_ref().is_some_and(|it| it.ours.is_some());
        if !self.is_extended || has_spoken || !matches!(self.phase, Phase::Open) {
            return;
        }
        self.say(Ours {
            reason: LeaveReason::LameDuck,
            grace_millis: millis(grace),
            retry_after_millis: millis(retry_after),
            taken: None,
        });
    }

    fn say(&mut self, ours: Ours) {
        self.outbox.leave(&ours.leave(""));
        self.leaving().ours = Some(ours);
    }

    /// Whether it is known which messages of the peer are taken: it sends none any more, or was told.
    pub(crate) fn has_taken_all(&self) -> bool {
        let leaving = self.leaving.as_ref();
        leaving.is_some_and(|leaving| leaving.has_taken_all())
    }

    /// The peer did not say in time that it sends no message any more: it is told that messages from
    /// this number on are not executed. Returns whether that is so now.
    // r[impl ext.leave.course]
    pub(crate) fn take_only(&mut self, taken: u64) -> bool {
        let Some(leaving) = &mut self.leaving else {
            return false;
        };
        let is_known = leaving.is_peer_done;
        match &mut leaving.ours {
            Some(ours) if !is_known && ours.taken.is_none() => {
                ours.taken = Some(taken);
                self.outbox.leave(&ours.leave(""));
                true
            }
            _ => false,
        }
    }

    /// The last that is said: no message from this number on is executed.
    // r[impl ext.leave.last]
    pub(crate) fn say_last(&mut self, reason: Option<LeaveReason>, text: &str, taken: u64) {
        let ours = self.leaving.as_ref().and_then(|it| it.ours.as_ref());
        let (known, before, retry_after) = match ours {
            Some(ours) => (ours.reason, ours.taken, ours.retry_after_millis),
            None => (LeaveReason::Shutdown, None, 0),
        };
        let last = Ours {
            reason: reason.unwrap_or(known),
            grace_millis: 0,
            retry_after_millis: retry_after,
            taken: Some(before.map_or(taken, |before| before.min(taken))),
        };
        self.outbox.leave(&last.leave(text));
    }

    /// The peer is about to end the connection, or to do so soon. Returns whether it had not said so
    /// before.
    // r[impl ext.leave]
    // r[impl ext.leave.lame-duck]
    // r[impl ext.leave.peer]
    // r[impl ext.leave.both]
    pub(crate) fn on_leave(&mut self, leave: &Leave<'_>) -> Result<bool, Violation> {
        let begun = self.outbox.begun();
        if let Some(taken) = leave.taken.filter(|taken| *taken > begun) {
            return Err(Violation::LeaveTaken { taken, most: begun });
        }
        let going_away = Arc::new(GoingAway::new(leave));
        let known = self.leaving().peer.replace(Arc::clone(&going_away));
        if leave.reason == LeaveReason::LameDuck
            && leave.taken.is_none()
            && !self.is_peer_going_away
        {
            return Ok(known.is_none());
        }
        let is_first = self.on_go_away();
        if is_first && self.is_extended && self.check_replies().is_ok() {
            // No message can be queued from here on, so that this comes behind the last.
            // r[impl ext.leave.done]
            self.outbox.done();
        }
        if let Some(taken) = leave.taken {
            self.fail_from(taken, &going_away);
        }
        Ok(is_first)
    }

    /// Requests from this number on are not executed.
    // r[impl ext.leave.taken]
    fn fail_from(&mut self, taken: u64, going_away: &Arc<GoingAway>) {
        let end = (self.outbox.begun(), self.outbox.end());
        let due = &mut self.outbox.due;
        let unsent = self
            .pending
            .fail_from(taken, end, self.peer, going_away, due);
        for transmission in unsent {
            self.withdraw(transmission);
        }
    }

    /// The peer sends no message any more.
    pub(crate) fn on_done(&mut self) -> Result<(), Violation> {
        let leaving = self.leaving.as_mut();
        let Some(leaving) = leaving.filter(|leaving| leaving.ours.is_some()) else {
            return Err(Violation::DoneBeforeLeave);
        };
        leaving.is_peer_done = true;
        Ok(())
    }

    /// What is known about the end of the connection; `None` while nothing ends.
    pub(crate) fn end_in_sight(&self) -> Option<Sign> {
        if self.is_peer_going_away {
            return Some(Sign::GoingAway);
        }
        if let Phase::Ended(_) = self.phase {
            return Some(Sign::Ended);
        }
        self.peer_going_away().map(|_| Sign::LameDuck)
    }

    /// What the peer said about the end, if it did.
    pub(crate) fn peer_going_away(&self) -> Option<&Arc<GoingAway>> {
        self.leaving.as_ref()?.peer.as_ref()
    }

    /// Why the connection is over when this side has closed it.
    pub(crate) fn closed(&self, by: ClosedBy) -> ConnectionError {
        match self.peer_going_away() {
            Some(why) if by == ClosedBy::Peer && why.is_failure() => {
                ConnectionError::EndedByPeer(Arc::clone(why))
            }
            _ => ConnectionError::Closed(by),
        }
    }
}

//! Messages that do not arrive as a whole: refused, aborted, stalled, or not read.

use std::sync::atomic::Ordering;

use sockety_codec::{ChannelId, Refusal, RefusalReason, Uuid};

use super::{Inbound, Verdict, replies::lost};
use crate::{
    engine::{
        receive::{
            intake::Intake,
            slot::{Role, Slot},
        },
        serve::Serve,
        state::Phase,
        ticks,
        warnings::Warning,
    },
    error::read::ReadError,
    fast_reply::{FastReply, FrameworkCode},
};

impl<S: Serve> Inbound<S> {
    /// A tick has passed: abandons messages whose readers block others, or whose content does not
    /// arrive. What still comes of them is dropped, and does not count against the peer, who need
    /// not know.
    pub(crate) fn on_tick(&mut self, has_written: bool, is_paused: bool) {
        let others_wait = self.do_others_wait();
        for channel in self.slow.on_tick(others_wait, has_written) {
            self.shared.counters.count(|all| &all.overrun_messages);
            self.cut_off(channel);
        }
        if !is_paused {
            self.give_up_stalled();
        }
        self.slots.give_back_memory();
    }

    fn give_up_stalled(&mut self) {
        let Some(limit) = self.shared.options.progress_timeout else {
            return;
        };
        let stalled = self.slots.on_tick(ticks::seconds(limit));
        for channel in &stalled {
            self.shared.counters.count(|all| &all.stalled_messages);
            if let Some(id) = self.slots.open_mut(*channel).and_then(|open| open.owed()) {
                self.shared.fast_reply(id, FastReply::BAD_REQUEST);
            }
            self.lose(*channel, &ReadError::Stalled(limit));
        }
        self.stalled.extend(&stalled);
        let channels = usize::from(self.shared.options.limits.channels().get());
        if self.stalled.len() * 4 > channels {
            self.abuse.on_stalled();
        }
    }

    fn do_others_wait(&self) -> bool {
        self.shared.holders.requests() > 1
            || self.shared.lock().pending.has_unanswered()
            || self.slots.len() > 1
    }

    fn cut_off(&mut self, channel: ChannelId) {
        match self.slots.get(channel) {
            None => {}
            Some(Slot::Rest(rest)) => {
                if let Some(id) = rest.owed {
                    self.answer_cut_off(id, &rest.intake);
                }
            }
            // Its payload follows more content than may wait to be read. Its handler did not run.
            Some(Slot::Open(open)) => {
                if let Some(id) = open.owed() {
                    self.shared.fast_reply(id, FrameworkCode::TooLarge.reply());
                }
                self.lose(channel, &ReadError::Overrun);
            }
        }
    }

    /// Answers a message whose content nobody read, unless its handler has answered. Both flags
    /// change under the connection's lock, under which the handler's reply is queued too, so that
    /// no message is answered twice.
    fn answer_cut_off(&self, id: Uuid, intake: &Intake) {
        self.shared.change(|state| {
            let is_ended = matches!(state.phase, Phase::Ended(_));
            if !is_ended && !intake.is_answered.swap(true, Ordering::Relaxed) {
                intake.is_cut_off.store(true, Ordering::Relaxed);
                let code = FrameworkCode::SlowConsumer.reply();
                state.outbox.unasked_reply(id, code);
            }
        });
    }

    pub(super) fn on_abort(&mut self, channel: ChannelId) -> Verdict {
        self.abuse.on_aborted(1);
        self.lose(channel, &ReadError::Aborted);
        self.on_end(channel)
    }

    pub(super) fn on_refused(&mut self, channel: ChannelId, refusal: &Refusal) -> Verdict {
        self.abuse.on_refused();
        let is_handed_on = matches!(self.slots.get(channel), Some(Slot::Rest(_)));
        self.lose(channel, &ReadError::NotAccepted(refusal.reason));
        if let Some(parent) = refusal.parent {
            return self.on_reply(&parent, lost(ReadError::NotAccepted(refusal.reason)));
        }
        let warning = match refusal.reason {
            RefusalReason::TooLarge { .. } => Warning::TooLarge,
            _ => Warning::BadHeader,
        };
        self.shared.warn_of_peer(warning, &refusal.reason);
        if refusal.expects_response && !is_handed_on {
            let code = match refusal.reason {
                RefusalReason::TooLarge { .. } => FrameworkCode::TooLarge,
                _ => FrameworkCode::BadHeader,
            };
            self.shared.fast_reply(refusal.id, code.reply());
        }
        Verdict::Keep
    }

    /// The rest of the message does not arrive, or is not wanted. Tells its readers, and the caller
    /// if it is a response. Takes the intake's lock, then that of the connection, never both.
    fn lose(&mut self, channel: ChannelId, error: &ReadError) {
        let Some(slot) = self.slots.get(channel) else {
            return;
        };
        if let Some(rest) = slot.rest() {
            rest.intake.fail(error);
        }
        if let Slot::Open(open) = slot
            && let Role::Response { parent } = open.role
        {
            self.deliver(&parent, lost(error.clone()));
        }
        self.free(channel);
    }
}

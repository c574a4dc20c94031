//! Messages that do not arrive as a whole: refused, aborted, stalled, or not read.

use std::sync::atomic::Ordering;

use sockety_codec::{ChannelId, Refusal, RefusalReason, Uuid};

use super::{Inbound, Verdict, replies::lost};
use crate::{
    engine::{
        early_end::Number,
        receive::{
            intake::Intake,
            slot::{Role, Slot},
        },
        serve::Serve,
        state::Phase,
        ticks,
        warnings::Warning,
    },
    error::{limit::LimitExceeded, read::ReadError, refusal},
    fast_reply::{FastReply, FrameworkCode},
};

impl<S: Serve> Inbound<S> {
    /// A tick has passed: abandons messages whose readers block others, or whose content does not
    /// arrive. What still comes of them is dropped, and does not count against the peer, who need
    /// not know.
    pub(crate) fn on_tick(&mut self, has_written: bool, is_paused: bool) {
        self.end_overdue();
        self.relieve();
        let others_wait = self.do_others_wait();
        for channel in self.slow.on_tick(others_wait, has_written) {
            self.shared.counters.count(|all| &all.overrun_messages);
            self.cut_off(channel);
        }
        if !is_paused {
            self.give_up_stalled();
        }
        self.slots.give_back_memory();
        if self.extended.as_ref().is_some_and(|it| it.is_blank()) {
            self.extended = None;
        }
    }

    fn give_up_stalled(&mut self) {
        let Some(limit) = self.shared.options.progress_timeout else {
            return;
        };
        let extended = self.extended.as_ref();
        let credit = extended.and_then(|extended| extended.credit.as_deref());
        let stalled = self.slots.on_tick(ticks::seconds(limit), credit);
        for channel in &stalled {
            self.shared.counters.count(|all| &all.stalled_messages);
            if let Some(id) = self.slots.open_mut(*channel).and_then(|open| open.owed()) {
                let reason = ReadError::Stalled(limit).to_string();
                self.shared.refuse(id, FastReply::BAD_REQUEST, &reason);
            }
            self.lose(*channel, &ReadError::Stalled(limit));
        }
        self.stalled.extend(&stalled);
        let channels = usize::from(self.shared.options.limits.channels().get());
        let (messages, limit) = (self.stalled.len(), channels / 4);
        if messages > limit {
            let exceeded = LimitExceeded::StalledMessages { messages, limit };
            self.abuse.exceed(exceeded);
        }
    }

    fn do_others_wait(&self) -> bool {
        self.shared.holders.requests() > 1
            || self.shared.lock().pending.has_unanswered()
            || self.slots.len() > 1
    }

    fn cut_off(&mut self, channel: ChannelId) {
        self.stop_message(channel);
        match self.slots.get(channel) {
            None => {}
            Some(Slot::Rest(rest)) => {
                if let Some(id) = rest.owed {
                    let code = FrameworkCode::SlowConsumer.reply();
                    let reason = "the handler did not read the files or the stream, and other messages \
                                  had to wait";
                    self.answer_cut_off(id, &rest.intake, code, reason);
                }
            }
            // Its payload follows more content than may wait to be read. Its handler did not run.
            Some(Slot::Open(open)) => {
                let reason = "files or a stream that are too large arrived before the payload";
                if let Some(route) = open.role.route() {
                    self.shared.warn(Warning::TooLarge, &route.action, &reason);
                }
                if let Some(id) = open.owed() {
                    let code = FrameworkCode::TooLarge.reply();
                    self.shared.refuse(id, code, reason);
                }
                self.lose(channel, &ReadError::Overrun);
            }
        }
    }

    /// Answers a message whose content is read no further, unless its handler has answered. Both flags
    /// change under the connection's lock, under which the handler's reply is queued too, so that
    /// no message is answered twice.
    pub(super) fn answer_cut_off(&self, id: Uuid, intake: &Intake, code: FastReply, reason: &str) {
        let response = refusal::response_to(&id, code, &reason);
        self.shared.change(|state| {
            let is_ended = matches!(state.phase, Phase::Ended(_));
            if !is_ended && !intake.is_answered.swap(true, Ordering::Relaxed) {
                intake.is_cut_off.store(true, Ordering::Relaxed);
                // If it waits for its turn, the end of the connection does not answer it again.
                state.end_waiting(&id);
                state.refuse(id, code, response.as_deref());
            }
        });
    }

    pub(super) fn on_abort(&mut self, channel: ChannelId) -> Verdict {
        let number = self.content_number(channel);
        if !self.on_content_over(channel, true) {
            self.abuse.on_aborted(1);
        }
        if self.shared.is_extended {
            self.on_aborted_request(channel, number);
        }
        let status = self.take_status(channel);
        self.lose(channel, &status.unwrap_or(ReadError::Aborted));
        self.on_end(channel)
    }

    /// A request that had not begun is answered, so that its caller learns that, also if it waits for its
    /// turn. Another one may be over sooner for it.
    // r[impl ext.cancel.answer]
    #[cold]
    fn on_aborted_request(&mut self, channel: ChannelId, number: Option<Number>) {
        match self.slots.get(channel) {
            Some(Slot::Open(open)) => {
                if let Some(id) = open.owed() {
                    self.shared.fast_reply(id, FrameworkCode::NotBegun.reply());
                }
            }
            Some(Slot::Rest(rest)) => {
                rest.intake.is_aborted.store(true, Ordering::Relaxed);
                if let Some(number) = number {
                    self.end_waiting(number);
                }
            }
            None => {}
        }
    }

    /// `is_new`: it was not announced before.
    pub(super) fn on_refused(
        &mut self,
        channel: ChannelId,
        is_new: bool,
        action: Option<&str>,
        refusal: &Refusal,
    ) -> Verdict {
        self.abuse.on_refused();
        if refusal.parent.is_none() {
            self.warn_of_refusal(channel, action, refusal.reason);
        }
        // Otherwise it was handed on, or is over and was answered.
        let is_owed = is_new || matches!(self.slots.get(channel), Some(Slot::Open(_)));
        self.lose(channel, &ReadError::NotAccepted(refusal.reason));
        if let Some(parent) = refusal.parent {
            return self.on_reply(&parent, lost(ReadError::NotAccepted(refusal.reason)));
        }
        if refusal.expects_response && is_owed {
            let code = match refusal.reason {
                RefusalReason::TooLarge { .. } => FrameworkCode::TooLarge,
                _ => FrameworkCode::BadHeader,
            };
            let reason = refusal.reason.to_string();
            self.shared.refuse(refusal.id, code.reply(), &reason);
        }
        Verdict::Keep
    }

    /// Names the action, unless it cannot be read.
    fn warn_of_refusal(&self, channel: ChannelId, action: Option<&str>, reason: RefusalReason) {
        let warning = match reason {
            RefusalReason::TooLarge { .. } => Warning::TooLarge,
            _ => Warning::BadHeader,
        };
        let announced = match self.slots.get(channel) {
            Some(Slot::Open(open)) => open.role.route().map(|route| &*route.action),
            Some(Slot::Rest(_)) | None => None,
        };
        match action.or(announced) {
            Some(action) => self.shared.warn(warning, action, &reason),
            None => self.shared.warn_of_peer(warning, &reason),
        }
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
        self.stop_message(channel);
        let Some(slot) = self.slots.get(channel) else {
            return;
        };
        if let Slot::Open(open) = slot {
            if let Role::Response { parent } = open.role {
                self.deliver(&parent, lost(error.clone()));
            }
        }
        self.free(channel);
    }
}

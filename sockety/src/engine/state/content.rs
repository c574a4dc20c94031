//! Files and streams: how they get into the outbox, what the peer grants, and how they are aborted.

use sockety_codec::{
    ChannelId, FlowEntry, MessageHead, Uuid, Violation,
    credit::{self, Effect},
    extension::FlowEntries,
};

use super::State;
use crate::{
    engine::send::{payload::Payload, transmissions::PartKey},
    error::source::SourceError,
    fast_reply::{FrameworkCode, PRESENT_ACTION},
};

impl State {
    /// What a peer with the extension lets this side send of files and streams.
    pub(super) fn credit(&mut self) -> Option<&mut credit::Sending> {
        let accepts = self.accepts.as_deref();
        match self.is_extended {
            true => Some(self.transmissions.credit(accepts)),
            false => None,
        }
    }

    /// The peer grants credit, or reads less than is sent.
    pub(crate) fn on_flow(&mut self, entries: FlowEntries<'_>) -> Result<Applied, Violation> {
        let mut applied = Applied {
            entries: 0,
            useless: 0,
            content_sent: self.outbox.place().content,
            parts_begun: self.transmissions.parts_begun(),
        };
        if let Some(credit) = self.credit() {
            credit.packet();
        }
        for entry in entries.resolve(self.outbox.begun()) {
            let entry = entry?;
            applied.entries += 1;
            let Some(credit) = self.credit() else {
                continue;
            };
            match (credit.apply(entry)?, entry) {
                (Effect::Useless, _) => applied.useless += 1,
                (
                    Effect::Stop,
                    FlowEntry::Stop {
                        number,
                        part: Some(part),
                    },
                ) => {
                    let due = &mut self.outbox.due;
                    self.transmissions.stop(number, part, due);
                }
                // r[impl ext.stop.message]
                (Effect::StopMessage, FlowEntry::Stop { number, .. }) => {
                    self.withdraw(number + 1);
                }
                _ => {}
            }
        }
        Ok(applied)
    }

    /// Moves pieces of files and streams into the outbox, in turn, behind what waits there, until
    /// `amount` bytes wait. At least half of `amount` is moved in any case, as calls may fill the
    /// outbox again and again.
    pub(crate) fn fill(&mut self, amount: u64) {
        let share = amount.saturating_sub(self.outbox.waiting()).max(amount / 2);
        let until = self.outbox.place().content + share;
        while self.transmissions.has_ready() {
            let end = self.outbox.place();
            if end.content >= until {
                return;
            }
            self.pacing.begin(end);
            if self.is_held() {
                return;
            }
            let Some(turn) = self.transmissions.turn(&mut self.outbox.due) else {
                return;
            };
            let is_plain_end = turn.is_end && turn.end.is_none();
            let mut written =
                self.outbox
                    .content(turn.channel, turn.kind, turn.chunks, is_plain_end);
            if let (Ok(()), Some(end)) = (&written, &turn.end) {
                written = self.outbox.stream_end_with(turn.channel, end);
            }
            if let Err(error) = written {
                // More than was announced, which the writer of a part checks first.
                debug_assert!(false, "content breaks the protocol: {error}");
                self.abort(turn.transmission, SourceError::GivenUp);
            } else if turn.is_last {
                let end = self.outbox.end();
                let due = &mut self.outbox.due;
                self.transmissions.complete(turn.transmission, end, due);
                self.outbox.wake_space();
            }
        }
    }

    /// The writer of a part gave up before its end, which aborts its message, unless the peer reads
    /// no more of the part.
    pub(crate) fn abort_part(&mut self, key: PartKey, error: SourceError) {
        if !self.transmissions.is_unwanted(key) {
            self.abort(key.transmission, error);
        }
    }

    /// Aborts a message whose files or stream are being sent. The task that waits for its reply is
    /// told why.
    pub(crate) fn abort(&mut self, transmission: u64, error: SourceError) {
        let due = &mut self.outbox.due;
        let Some((id, channel)) = self.transmissions.abort(transmission, error.clone(), due) else {
            return;
        };
        self.on_aborted(channel);
        self.fail_sending(&id, error);
        self.outbox.wake_space();
    }

    /// Aborts a response that its reader does not take. It learns why.
    // r[impl ext.credit.stall]
    #[cold]
    pub(super) fn give_up_unread(&mut self, transmission: u64) {
        let due = &mut self.outbox.due;
        let refused = SourceError::Refused;
        if let Some((_, channel)) = self.transmissions.abort(transmission, refused, due) {
            let code = FrameworkCode::SlowConsumer.reply();
            self.outbox.abort_with(channel, code);
            self.on_channel_aborted(channel);
            self.outbox.wake_space();
        }
    }

    pub(super) fn on_aborted(&mut self, channel: ChannelId) {
        self.outbox.abort(channel);
        self.on_channel_aborted(channel);
    }

    pub(super) fn on_channel_aborted(&mut self, channel: ChannelId) {
        if self.transmissions.channels.on_aborted(channel) {
            self.outbox.reuse(channel);
        } else if self.transmissions.channels.should_ask() && self.check_open().is_ok() {
            let id = Uuid::new_v4();
            let head = MessageHead::new(id, PRESENT_ACTION).expecting_response(true);
            let payload = Payload::Copied(&[]);
            let zero = ChannelId::ZERO;
            if self.outbox.submit(zero, head.into(), payload, None).is_ok() {
                self.transmissions.channels.on_asked(id);
            }
        }
    }

    /// Stops sending a message that the peer refused.
    pub(crate) fn withdraw(&mut self, transmission: u64) {
        let due = &mut self.outbox.due;
        let refused = SourceError::Refused;
        let Some((_, channel)) = self.transmissions.abort(transmission, refused, due) else {
            return;
        };
        self.on_aborted(channel);
        self.outbox.wake_space();
    }
}

/// What a Flow packet has done.
pub(crate) struct Applied {
    pub(crate) entries: u64,
    /// Those that said nothing new.
    pub(crate) useless: u64,
    /// Bytes of files and streams that were sent before.
    pub(crate) content_sent: u64,
    /// Files and streams that had begun before.
    pub(crate) parts_begun: u64,
}

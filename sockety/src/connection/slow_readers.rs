//! Messages whose files or streams are not read as fast as they come.
//!
//! The protocol cannot tell the peer to send less of one message, so all reading pauses until a slow one has been
//! read. A reader that goes on taking something only slows the peer down, as TCP would. One that takes nothing,
//! or next to nothing while others on the connection wait, loses its message.

use std::sync::{Arc, atomic::Ordering};

use sockety_codec::ChannelId;

use super::{
    intake::{Intake, Level},
    shared::Shared,
};
use crate::ReadError;

pub(crate) struct SlowReaders {
    shared: Arc<Shared>,
    readers: Vec<SlowReader>,
}

struct SlowReader {
    /// Where its message is still arriving.
    channel: Option<ChannelId>,
    intake: Arc<Intake>,
    /// Whether reading pauses for it now.
    is_awaited: bool,
    /// What it had taken at the last tick, and for how many it has taken nothing since.
    taken: u64,
    idle_seconds: u32,
    /// What it had taken when its trial began, and for how many seconds of that it held others up.
    trial_taken: u64,
    trial_seconds: u32,
}

/// A reader that takes nothing is waited for so long while others wait, and while none does.
const PATIENCE_SECONDS: u32 = 1;
const PATIENCE_ALONE_SECONDS: u32 = 5;

/// A reader that holds others up for so long must have taken four windows meanwhile: then each of them waited for
/// about a second at most.
const TRIAL_SECONDS: u32 = 5;
const TRIAL_WINDOWS: u64 = 4;

impl SlowReaders {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            readers: Vec::new(),
        }
    }

    /// Whether so much of a message is unread that reading should pause.
    pub(crate) fn is_too_much(&self, unread: usize) -> bool {
        unread >= self.shared.options.window || (unread > 0 && self.is_over_budget())
    }

    fn is_over_budget(&self) -> bool {
        self.shared.unread.load(Ordering::Relaxed) >= self.shared.options.unread_bytes
    }

    pub(crate) fn add(&mut self, channel: ChannelId, intake: Arc<Intake>) {
        let channel = Some(channel);
        if let Some(known) = self
            .readers
            .iter_mut()
            .find(|reader| reader.channel == channel)
        {
            known.is_awaited = true;
            return;
        }
        let taken = intake.await_reader().taken;
        self.readers.push(SlowReader {
            channel,
            intake,
            is_awaited: true,
            taken,
            idle_seconds: 0,
            trial_taken: taken,
            trial_seconds: 0,
        });
    }

    /// The message has arrived, or is over. While too much of it is unread, it is waited for all the same.
    pub(crate) fn finish(&mut self, channel: ChannelId) {
        for reader in &mut self.readers {
            if reader.channel == Some(channel) {
                reader.channel = None;
            }
        }
    }

    /// Whether anybody is waited for. Whoever is wakes the driver when he takes something.
    pub(crate) fn is_paused(&mut self) -> bool {
        let is_over_budget = !self.readers.is_empty() && self.is_over_budget();
        let window = self.shared.options.window;
        let mut is_paused = false;
        for reader in self.readers.iter_mut().filter(|reader| reader.is_awaited) {
            reader.intake.spill_for_starved();
            let unread = reader.intake.await_reader().unread;
            reader.is_awaited = unread >= window || (unread > 0 && is_over_budget);
            is_paused |= reader.is_awaited;
        }
        self.readers
            .retain(|reader| reader.is_awaited || reader.channel.is_some());
        is_paused
    }

    /// A second has passed: cuts off those that are waited for no longer, and gives the channels of their messages.
    pub(crate) fn on_tick(&mut self, others_wait: bool) -> Vec<ChannelId> {
        let window = self.shared.options.window as u64;
        let mut channels = Vec::new();
        self.readers.retain_mut(|reader| {
            let level = reader.intake.await_reader();
            let is_cut = reader.is_awaited && reader.is_out_of_patience(level, others_wait, window);
            if is_cut {
                reader.intake.cut_off(&ReadError::Overrun);
                channels.extend(reader.channel);
            }
            !is_cut
        });
        channels
    }
}

impl SlowReader {
    fn is_out_of_patience(&mut self, level: Level, others_wait: bool, window: u64) -> bool {
        let is_idle = level.taken == self.taken;
        self.idle_seconds = if is_idle { self.idle_seconds + 1 } else { 0 };
        self.taken = level.taken;
        self.trial_seconds += u32::from(others_wait);
        let is_too_slow = self.trial_seconds > TRIAL_SECONDS && {
            let taken = level.taken - self.trial_taken;
            (self.trial_taken, self.trial_seconds) = (level.taken, 0);
            taken < TRIAL_WINDOWS * window
        };
        let patience = if others_wait {
            PATIENCE_SECONDS
        } else {
            PATIENCE_ALONE_SECONDS
        };
        self.idle_seconds > patience || is_too_slow
    }
}

//! Messages whose files or streams arrive faster than they are read.
//!
//! The protocol cannot tell the peer to send less of one message, so all reading pauses until a
//! slow one has been read. A reader that keeps taking something only slows the peer down, like TCP.
//! A reader that takes nothing, or hardly anything while others on the connection wait, loses its
//! message.

use std::sync::Arc;

use sockety_codec::ChannelId;

use super::intake::{Intake, Level};
use crate::{engine::shared::Shared, error::read::ReadError};

pub(crate) struct SlowReaders {
    shared: Arc<Shared>,
    readers: Vec<SlowReader>,
    room: usize,
}

/// The maximum number of bytes of one read, and the minimum while there is a slow reader.
pub(crate) const READ_BYTES: usize = 64 * 1024;
const LEAST_READ_BYTES: usize = 4 * 1024;

struct SlowReader {
    /// The channel of its message, while that is arriving.
    channel: Option<ChannelId>,
    intake: Arc<Intake>,
    /// Whether reading pauses for it now.
    is_awaited: bool,
    /// How much it had taken at the last tick, and for how many ticks it has taken nothing.
    taken: u64,
    idle_seconds: u32,
    /// How much it had taken when its trial began, and for how many seconds of the trial it blocked
    /// others.
    trial_taken: u64,
    trial_seconds: u32,
}

/// Whether reading may wait longer for a reader.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    Left,
    Over,
}

/// How long reading waits for a reader that takes nothing, while others wait and while none does.
const PATIENCE_SECONDS: u32 = 1;
const PATIENCE_ALONE_SECONDS: u32 = 5;

/// A reader that blocks others for five seconds must have taken four windows in that time. Then
/// each of the others has waited for about a second at most.
const TRIAL_SECONDS: u32 = 5;
const TRIAL_WINDOWS: u64 = 4;

impl SlowReaders {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            readers: Vec::new(),
            room: READ_BYTES,
        }
    }

    /// Whether reading should pause when this many bytes of a message are unread.
    pub(crate) fn is_too_much(&self, unread: usize) -> bool {
        unread >= self.shared.options.window || (unread > 0 && self.shared.account.is_over_budget())
    }

    pub(crate) fn add(&mut self, channel: ChannelId, intake: &Arc<Intake>) {
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
            intake: Arc::clone(intake),
            is_awaited: true,
            taken,
            idle_seconds: 0,
            trial_taken: taken,
            trial_seconds: 0,
        });
    }

    /// The message has arrived, or was given up. Reading still waits while too much of it is
    /// unread.
    pub(crate) fn finish(&mut self, channel: ChannelId) {
        for reader in &mut self.readers {
            if reader.channel == Some(channel) {
                reader.channel = None;
            }
        }
    }

    /// Checks all readers: moves parts to disk that block a reader of another part, and finds out
    /// for which readers reading still has to wait. From then on they wake the driver when they
    /// take something.
    ///
    /// Takes the locks of intakes one after another, so the connection's lock must be free.
    pub(crate) fn update(&mut self) {
        if self.readers.is_empty() {
            return;
        }
        // Before the check, so that a reader that makes room after it sees this and wakes the
        // driver.
        self.shared.account.await_room();
        let is_over_budget = self.shared.account.is_over_budget();
        let window = self.shared.options.window;
        self.room = READ_BYTES;
        for reader in self
            .readers
            .iter_mut()
            .filter(|reader| reader.is_awaited || reader.channel.is_some())
        {
            reader.intake.spill_for_starved();
            let unread = reader.intake.await_reader().unread;
            let is_too_much = unread >= window || (unread > 0 && is_over_budget);
            reader.is_awaited &= is_too_much;
            self.room = self
                .room
                .min(window.saturating_sub(unread).max(LEAST_READ_BYTES));
        }
        self.readers
            .retain(|reader| reader.is_awaited || reader.channel.is_some());
    }

    /// Whether reading waits for a reader, as of the last check.
    pub(crate) fn is_paused(&self) -> bool {
        self.readers.iter().any(|reader| reader.is_awaited)
    }

    /// How many bytes may be read at a time. After a slow reader has made a little room, only a
    /// little is read, so that its sender sees progress.
    pub(crate) fn room(&self) -> usize {
        if self.readers.is_empty() {
            READ_BYTES
        } else {
            self.room
        }
    }

    /// A second has passed: cuts off the readers for which reading no longer waits, and returns the
    /// channels of their messages.
    ///
    /// A reader may itself wait for the peer to take its answer. While that makes progress and
    /// nobody else waits, it does not count as idle. Other writes do not count, because they may go
    /// on forever; unless senders wait for room, since the reader may be one of them.
    pub(crate) fn on_tick(&mut self, others_wait: bool, has_written: bool) -> Vec<ChannelId> {
        let window = self.shared.options.window as u64;
        let mut channels = Vec::new();
        self.readers.retain_mut(|reader| {
            let level = reader.intake.await_reader();
            let goes_on = has_written && !others_wait && reader.may_wait_for_peer(&self.shared);
            let is_cut = reader.is_awaited
                && !goes_on
                && reader.judge(level, others_wait, window) == Patience::Over;
            if goes_on {
                reader.idle_seconds = 0;
            }
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
    /// Whether this reader may be waiting for something to be written to the peer.
    fn may_wait_for_peer(&self, shared: &Shared) -> bool {
        let state = shared.lock();
        state.transmissions.is_sending_about(&self.intake.about) || state.outbox.is_awaited()
    }

    /// Counts a second in which reading waited for this reader.
    fn judge(&mut self, level: Level, others_wait: bool, window: u64) -> Patience {
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
        if self.idle_seconds > patience || is_too_slow {
            Patience::Over
        } else {
            Patience::Left
        }
    }
}

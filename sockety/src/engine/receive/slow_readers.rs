//! Messages whose files or streams are not read as fast as they come.
//!
//! A peer without the extension cannot be told to send less of one message, so all reading pauses until a
//! slow reader has taken something: a reader that goes on only slows the peer down, as TCP would,
//! at whatever rate it reads. A reader that takes nothing would hold up everything behind its
//! message, perhaps the very reply that it waits for. What it has not taken is moved to disk, at
//! once when calls of this side wait for replies, else after a second. Only when the room there is
//! used up, and it goes on taking nothing, it loses its message.
//!
//! With a peer that has the extension this happens only while all connections hold too much.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use sockety_codec::ChannelId;
use tokio::time::{Instant, Sleep, sleep_until};

use super::intake::{Intake, Spilling};
use crate::{
    engine::{shared::Shared, ticks},
    error::read::ReadError,
};

pub(crate) struct SlowReaders {
    shared: Arc<Shared>,
    readers: Vec<SlowReader>,
    room: usize,
    /// When a reader will have taken nothing for too long. Allocated for the first slow reader.
    timer: Option<Pin<Box<Sleep>>>,
}

/// How much is read at a time at most; and at least, while there is a slow reader.
pub(crate) const READ_BYTES: usize = 64 * 1024;
const LEAST_READ_BYTES: usize = 4 * 1024;

struct SlowReader {
    /// Where its message is still arriving.
    channel: Option<ChannelId>,
    intake: Arc<Intake>,
    /// Whether reading pauses for it now.
    is_awaited: bool,
    /// How far it was at the last look, and since when it has not moved.
    progress: u64,
    still_since: Instant,
    /// There was no room on disk when it was to make way.
    has_no_room: bool,
    /// How far it was at the last tick, and for how many ticks it has been waited for in vain.
    ticked: u64,
    idle_seconds: u32,
}

/// How long a reader may take nothing before its content is moved to disk: while a call of this
/// side waits, which the reader may have made itself, and else. Not at once, as most readers go on
/// within this time, and the disk costs more.
const STUCK: Duration = Duration::from_millis(5);
const STILL: Duration = Duration::from_secs(1);

impl SlowReaders {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            readers: Vec::new(),
            room: READ_BYTES,
            timer: None,
        }
    }

    /// Whether reading should pause, as this much of a message is unread.
    pub(crate) fn is_too_much(&self, unread: usize) -> bool {
        // r[impl ext.slow]
        // r[impl ext.spill]
        let is_bounded = self.shared.is_extended;
        (!is_bounded && unread >= self.shared.options.window)
            || (unread > 0 && self.shared.account.is_over_budget())
    }

    pub(crate) fn add(&mut self, channel: ChannelId, intake: &Arc<Intake>) {
        let channel = Some(channel);
        let known = self
            .readers
            .iter_mut()
            .find(|reader| reader.channel == channel);
        if let Some(known) = known {
            known.is_awaited = true;
            return;
        }
        let progress = intake.await_reader().progress;
        self.readers.push(SlowReader {
            channel,
            intake: Arc::clone(intake),
            is_awaited: true,
            progress,
            still_since: Instant::now(),
            has_no_room: false,
            ticked: progress,
            idle_seconds: 0,
        });
    }

    /// The message has arrived, or is over. While too much of it is unread, it is waited for all
    /// the same.
    pub(crate) fn finish(&mut self, channel: ChannelId) {
        for reader in &mut self.readers {
            if reader.channel == Some(channel) {
                reader.channel = None;
            }
        }
    }

    /// Looks at all readers again: finds those that reading has to wait for, and moves to disk what
    /// blocks others. From now on, readers wake the driver when they take something,
    /// and so does the timer when one has taken nothing for too long.
    pub(crate) fn update(&mut self, cx: &mut Context<'_>) {
        while !self.readers.is_empty() {
            let due = self.look();
            let Some(due) = due else {
                return;
            };
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
            if timer.deadline() != due {
                timer.as_mut().reset(due);
            }
            if timer.as_mut().poll(cx) == Poll::Pending {
                return;
            }
        }
        self.timer = None;
    }

    /// Returns when to look again.
    fn look(&mut self) -> Option<Instant> {
        // Set before the look: a reader that makes room after it sees this, and wakes the driver.
        self.shared.account.await_room();
        let is_over_budget = self.shared.account.is_over_budget();
        // A peer with the extension sends no more of a message than it is granted.
        let window = match self.shared.is_extended {
            false => self.shared.options.window,
            true => usize::MAX,
        };
        let patience = if self.shared.lock().pending.has_unanswered() {
            STUCK
        } else {
            STILL
        };
        let now = Instant::now();
        let mut next = None;
        self.room = READ_BYTES;
        for reader in self
            .readers
            .iter_mut()
            .filter(|reader| reader.is_awaited || reader.channel.is_some())
        {
            reader.intake.spill_for_starved();
            let level = reader.intake.await_reader();
            reader.note_progress(level.progress, now);
            let is_too_much = level.unread >= window || (level.unread > 0 && is_over_budget);
            reader.is_awaited &= is_too_much;
            self.room = self
                .room
                .min(window.saturating_sub(level.unread).max(LEAST_READ_BYTES));
            if !reader.is_awaited {
                continue;
            }
            if now >= reader.still_since + patience {
                // If that fails, it is tried again after another pause.
                reader.still_since = now;
                reader.has_no_room = reader.intake.spill_unread() == Spilling::HasNoRoom;
            }
            let due = reader.still_since + patience;
            next = Some(next.map_or(due, |next: Instant| next.min(due)));
        }
        self.readers
            .retain(|reader| reader.is_awaited || reader.channel.is_some());
        next
    }

    /// Whether nobody is slow, and no timer is left of those who were.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.readers.is_empty() && self.timer.is_none()
    }

    /// Whether a reader is waited for, as of the last look.
    pub(crate) fn is_paused(&self) -> bool {
        self.readers.iter().any(|reader| reader.is_awaited)
    }

    /// How much may be read at a time: what a slow reader makes room for comes in steps as small,
    /// so that its sender sees something move.
    pub(crate) fn room(&self) -> usize {
        if self.readers.is_empty() {
            READ_BYTES
        } else {
            self.room
        }
    }

    /// A second has passed: cuts off those that are waited for no longer, and returns the channels
    /// of their messages.
    ///
    /// A reader may wait for the peer to take what it answers: while that goes on and nobody else
    /// waits, it is not idle. What else is written to the peer is no excuse, because that may go on
    /// forever, unless senders wait for room: it may be among them.
    pub(crate) fn on_tick(&mut self, others_wait: bool, has_written: bool) -> Vec<ChannelId> {
        let options = &self.shared.options;
        let patience = if others_wait {
            options.blocking_reader_timeout
        } else {
            options.reader_timeout
        };
        let patience = ticks::seconds(patience);
        let now = Instant::now();
        let mut channels = Vec::new();
        self.readers.retain_mut(|reader| {
            let level = reader.intake.await_reader();
            reader.note_progress(level.progress, now);
            let has_moved = std::mem::replace(&mut reader.ticked, level.progress) != level.progress;
            let goes_on = has_written && !others_wait && reader.may_wait_for_peer(&self.shared);
            let is_idle = reader.is_awaited && reader.has_no_room && !has_moved && !goes_on;
            reader.idle_seconds = if is_idle { reader.idle_seconds + 1 } else { 0 };
            let is_cut = reader.idle_seconds > patience;
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
    fn note_progress(&mut self, progress: u64, now: Instant) {
        if progress != self.progress {
            self.progress = progress;
            self.still_since = now;
            self.has_no_room = false;
        }
    }

    /// Whether something is on its way to the peer that this reader may wait for.
    fn may_wait_for_peer(&self, shared: &Shared) -> bool {
        let state = shared.lock();
        state.transmissions.is_sending_about(&self.intake.about) || state.outbox.is_awaited()
    }
}

//! The clock of a connection: what is judged once a second while something has a deadline.
//!
//! ```text
//! poll_clock ── a tick is due ──▶ look ──▶ judge ──▶ memory of the thread
//!  under the lock                no lock   under it   no lock
//! ```
//!
//! The connection's lock is taken when the clock is polled, and once more to judge. Between the two
//! it is free, because each intake of a message has its own lock, and no other lock may be
//! taken under that of the connection.

use std::{
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Driver, read::is_backlog};
use crate::{
    engine::{
        clocks::{Due, TickInput},
        memory::threads,
        serve::Serve,
        state::{Phase, State},
    },
    error::connection::ConnectionError,
};

/// What the clock reads under the lock whenever it is polled.
struct Progress {
    written: u64,
    /// Replies that wait to be written without having asked for room.
    unasked: usize,
}

impl<IO: AsyncRead + AsyncWrite + Unpin, S: Serve> Driver<IO, S> {
    /// Ready when there was a tick. Whatever the tick queued is written before the next tick is
    /// planned.
    pub(super) fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        let state = self.shared.lock();
        let is_busy = self.has_deadlines(&state);
        let progress = Progress {
            written: state.outbox.written(),
            unasked: state.outbox.unasked(),
        };
        drop(state);
        let due = ready!(self.clocks.poll_due(cx, is_busy, progress.written));
        Poll::Ready(match due {
            Due::Tick(since) => self.on_tick(since, &progress),
            Due::Beat => {
                self.clocks.on_beat(&mut self.shared.lock());
                Ok(())
            }
        })
    }

    /// Whether the connection waits for anything except the peer's next sign of life.
    fn has_deadlines(&self, state: &State) -> bool {
        let is_judging = !self.shared.auth.is_open();
        let is_arriving = !self.decoder.is_between_messages();
        let is_writing = !self.is_flushed || state.outbox.waiting() > 0;
        self.is_paused
            || self.inbound.has_queue()
            || self.inbound.has_handler_deadlines()
            || self.inbound.has_held_grants()
            || is_judging
            || is_arriving
            || is_writing
            || state.outbox.is_awaited()
            || state.transmissions.has_blocked()
            || state.transmissions.channels.is_asking()
            || !state.pending.is_empty()
            || !matches!(state.phase, Phase::Open)
    }

    fn on_tick(&mut self, since: Duration, progress: &Progress) -> Result<(), ConnectionError> {
        let has_written = self.clocks.has_written(progress.written);
        let input = self.look(has_written, progress);
        let judged = self.judge(since, has_written, &input);
        // Even if the connection ends now: its last requests are counted, and the memory belongs to
        // the whole thread.
        threads::give_back_unused();
        if self.clocks.is_late() {
            self.on_late();
        }
        judged?;
        Ok(self.inbound.abuse.check(&self.decoder)?)
    }

    /// Messages that begin now were sent after the peer knew that this side goes away.
    fn on_late(&mut self) {
        if !self.shared.is_extended {
            self.inbound.refuses_new = true;
            return;
        }
        let taken = self.decoder.begun();
        if self.shared.lock().take_only(taken) {
            self.inbound.take_only(taken);
        }
    }

    /// Tells the intakes of messages about the tick, and collects what the clocks judge by. Readers
    /// of content may be woken, so the connection's lock is free.
    fn look(&mut self, has_written: bool, progress: &Progress) -> TickInput {
        let is_backlogged = self.inbound.has_served() && is_backlog(progress.unasked);
        // While this side does not read, nothing can arrive, and the peer is not to blame.
        let is_paused = self.is_paused || is_backlogged;
        self.inbound.on_tick(has_written, is_paused);
        let oldest_header = if is_paused {
            0
        } else {
            self.decoder.age_headers()
        };
        let is_executing = self.shared.holders.requests() > 0;
        TickInput {
            is_backlogged,
            is_authorized: self.shared.auth.is_open(),
            is_paused,
            is_held_back: self.inbound.is_held_back,
            is_flushed: self.is_flushed,
            sends_heartbeats: self.inbound.has_heartbeats,
            oldest_header,
            is_at_work: is_executing || !self.decoder.is_between_messages(),
        }
    }

    /// Under the lock: frees memory, and checks every limit of time.
    fn judge(
        &mut self,
        since: Duration,
        has_written: bool,
        input: &TickInput,
    ) -> Result<(), ConnectionError> {
        let mut state = self.shared.lock_to_wake();
        state.tick();
        // Before the clocks, which may queue a heartbeat: then not everything is written.
        // Streams may be open, and silent.
        if !has_written && state.outbox.waiting() == 0 {
            state.give_back_memory();
            self.writing.give_back_memory();
        }
        self.clocks.on_tick(since, input, &mut state)
    }
}

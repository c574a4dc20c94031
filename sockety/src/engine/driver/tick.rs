//! The clock of a connection: what is looked at once a second while something has a deadline.

use std::{
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Driver;
use crate::{
    engine::{
        clocks::TickInput,
        memory::threads,
        serve::Serve,
        state::{Life, State},
    },
    error::connection::ConnectionError,
};

impl<IO: AsyncRead + AsyncWrite + Unpin, S: Serve> Driver<IO, S> {
    /// Ready when there was a tick. What it gave to write leaves before the next one is planned.
    pub(super) fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        let state = self.shared.lock();
        let (is_busy, written) = (self.has_deadlines(&state), state.outbox.written());
        drop(state);
        let since = ready!(self.clocks.poll_tick(cx, is_busy, written));
        Poll::Ready(self.on_tick(since))
    }

    /// Whether anything but the peer's next sign of life is waited for.
    fn has_deadlines(&self, state: &State) -> bool {
        let is_judging = !self.shared.gate.is_open();
        let is_arriving = !self.decoder.is_between_messages();
        let is_writing = !self.is_flushed || state.outbox.waiting() > 0;
        self.is_paused
            || is_judging
            || is_arriving
            || is_writing
            || state.outbox.is_awaited()
            || !state.waiting.is_empty()
            || !matches!(state.life, Life::Open)
    }

    fn on_tick(&mut self, since: Duration) -> Result<(), ConnectionError> {
        let written = self.shared.lock().outbox.written();
        let has_written = self.clocks.has_written(written);
        let is_backlogged = self.is_backlogged();
        // While we do not read, nothing can come.
        let is_paused = self.is_paused || is_backlogged;
        self.inbound.on_tick(has_written, is_paused);
        let oldest_header = if is_paused {
            0
        } else {
            self.decoder.age_headers()
        };
        let is_executing = self.shared.holders.requests() > 0;
        let input = TickInput {
            is_backlogged,
            is_authorized: self.shared.gate.is_open(),
            is_paused,
            is_flushed: self.is_flushed,
            oldest_header,
            is_at_work: is_executing || !self.decoder.is_between_messages(),
        };
        threads::give_back_unused();
        let mut state = self.shared.lock_to_wake();
        let timed_out = state.tick();
        if !has_written && state.is_all_written() {
            state.give_back_memory();
            self.writing.give_back_memory();
        }
        let result = self.clocks.on_tick(since, &input, &mut state);
        drop(state);
        let counters = &self.shared.counters;
        counters.add(|all| &all.timed_out_requests, timed_out);
        self.inbound.refuses_new = self.clocks.is_late();
        result?;
        Ok(self.inbound.guard.check(&self.decoder)?)
    }
}

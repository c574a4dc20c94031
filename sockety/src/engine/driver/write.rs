//! Writing: takes what is queued and hands it to the socket.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Driver;
use crate::engine::{clocks::PeerPace, serve::Serve};

/// How much of the queue was handed to the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    All,
    /// More is queued, but it is the turn of reading.
    Some,
}

/// How many bytes are written before it is the turn of reading.
const WRITE_BYTES: usize = 256 * 1024;

/// How many bytes of files and streams are taken at a time: enough for one large write, and few
/// enough that a small message behind them leaves soon. For a peer that needs seconds to take them
/// there are fewer, so that their writers see progress.
const FILL_BYTES: u64 = 128 * 1024;
const SLOW_FILL_BYTES: u64 = 16 * 1024;

impl<IO: AsyncRead + AsyncWrite + Unpin, S: Serve> Driver<IO, S> {
    /// Writes what is queued, up to [`WRITE_BYTES`]. Pending when the socket takes nothing more.
    ///
    /// The lock is free while the socket is written to. After each write it is taken to advance the
    /// position, and tasks that wait for that are woken when it is released.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<Written>> {
        let mut share = WRITE_BYTES;
        let mut has_work = true;
        while share > 0 {
            if self.writing.is_done() && !(has_work && self.refill()) {
                return Pin::new(&mut self.io)
                    .poll_flush(cx)
                    .map_ok(|()| Written::All);
            }
            let written = self.writing.poll_write(Pin::new(&mut self.io), cx);
            let count = ready!(written).inspect_err(|_| self.on_failed_write())?;
            let mut state = self.shared.lock_to_wake();
            state.outbox.advance(count as u64);
            has_work = state.has_work();
            drop(state);
            share = share.saturating_sub(count);
        }
        Poll::Ready(Ok(Written::Some))
    }

    /// Writes what is queued as far as the socket takes it now.
    #[cold]
    pub(super) fn write_at_once(&mut self, cx: &mut Context<'_>) {
        loop {
            if self.writing.is_done() {
                let mut state = self.shared.lock();
                if !state.outbox.has_new() {
                    break;
                }
                state.outbox.take(self.writing.refill());
            }
            let io = Pin::new(&mut self.io);
            let count = match self.writing.poll_write(io, cx) {
                Poll::Ready(Ok(count)) => count,
                Poll::Ready(Err(_)) => return self.on_failed_write(),
                Poll::Pending => return,
            };
            let mut state = self.shared.lock_to_wake();
            state.outbox.advance(count as u64);
        }
        let _ = Pin::new(&mut self.io).poll_flush(cx);
    }

    fn on_failed_write(&self) {
        if !self.shared.peer.fails_whole {
            self.shared.lock().outbox.on_failed_write();
        }
    }

    /// Takes the next bytes out of the outbox. Returns whether there were any.
    fn refill(&mut self) -> bool {
        let amount = match self.clocks.begin_fill() {
            PeerPace::Usual => FILL_BYTES,
            PeerPace::Slow => SLOW_FILL_BYTES,
        };
        let mut state = self.shared.lock_to_wake();
        if !state.has_work() {
            return false;
        }
        state.fill(amount);
        state.outbox.take(self.writing.refill());
        drop(state);
        // A file or a stream may have been abandoned, so that none of its bytes were taken.
        !self.writing.is_done()
    }
}

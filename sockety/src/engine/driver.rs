//! The only task that touches a connection's socket.

mod farewell;
mod read;
mod tick;
mod turn;
mod write;

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use sockety_codec::Decoder;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, Sleep, sleep_until, timeout},
};

use self::{turn::Pace, write::Written};
use super::{
    clocks::Clocks,
    memory::payloads,
    receive::inbound::Inbound,
    send::writing::Writing,
    serve::Serve,
    shared::Shared,
    state::{Life, Unwritten},
};
use crate::error::connection::{ClosedBy, ConnectionError};

/// Reads, dispatches and writes until the connection ends.
///
/// It polls both directions: reading never waits for writing, writing never for reading. Everything that one
/// read brought is handled before the replies leave, in one write.
pub(crate) struct Driver<IO, S> {
    io: IO,
    shared: Arc<Shared>,
    decoder: Decoder,
    inbound: Inbound<S>,
    writing: Writing,
    clocks: Clocks,
    has_yielded: bool,
    /// Until when files and streams wait, and what ends that.
    held_until: Option<Instant>,
    hold: Option<Pin<Box<Sleep>>>,
    pace: Pace,
    /// Nothing is read until somebody reads a file or a stream.
    is_paused: bool,
    /// Everything that was written has left this process, as far as we know: TLS may hold some of it back.
    is_flushed: bool,
    _payload_memory: payloads::User,
}

/// Reads and writes before other tasks of the thread get their turn.
const ROUNDS: usize = 4;

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

impl<IO: AsyncRead + AsyncWrite + Unpin, S: Serve> Driver<IO, S> {
    pub(crate) fn new(io: IO, shared: Arc<Shared>, decoder: Decoder, serve: S) -> Box<Self> {
        let inbound = Inbound::new(Arc::clone(&shared), serve);
        let clocks = Clocks::new(&shared.options);
        Box::new(Self {
            io,
            shared,
            decoder,
            inbound,
            writing: Writing::default(),
            clocks,
            has_yielded: true,
            held_until: None,
            hold: None,
            pace: Pace::default(),
            is_paused: false,
            is_flushed: true,
            _payload_memory: payloads::User::new(),
        })
    }

    /// Runs until the connection has ended and every waiter knows.
    ///
    /// Boxed, as a future has its arguments twice: when it is made, and while it runs.
    pub(crate) async fn run(mut self: Box<Self>) {
        let error = poll_fn(|cx| self.poll(cx)).await;
        self.count(&error);
        self.log(&error);
        self.shared.end(&error, Unwritten::of(&error));
        self.inbound.end(&error);
        self.shared.ended.notify_waiters();
        // The peer may be gone or stuck: what follows is a courtesy with a clock.
        let _ = timeout(FAREWELL, self.say_goodbye(&error)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionError> {
        match self.poll_rounds(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(never)) => match never {},
            Poll::Ready(Err(error)) => Poll::Ready(error),
        }
    }

    fn poll_rounds(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<std::convert::Infallible, ConnectionError>> {
        if self.lets_others_queue(cx).is_pending() {
            return Poll::Pending;
        }
        self.pace.begin_turn();
        for _ in 0..ROUNDS {
            if self.pace.is_turn_over() {
                break;
            }
            let written = match self.poll_write(cx) {
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(self.read_the_rest(error.into(), cx)));
                }
                Poll::Ready(Ok(written)) => Poll::Ready(written),
                Poll::Pending => Poll::Pending,
            };
            let has_read = self.poll_read(cx)?.is_ready();
            self.is_flushed = matches!(written, Poll::Ready(Written::All));
            if has_read || matches!(written, Poll::Ready(Written::Some)) {
                continue;
            }
            if self.poll_clock(cx)?.is_ready() {
                continue;
            }
            if self.park(cx, written.is_ready())?.is_pending() && self.poll_hold(cx).is_pending() {
                return Poll::Pending;
            }
        }
        // A peer that never stops sending is no reason to judge nothing.
        let _ = self.poll_clock(cx)?;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Woken because something was queued, the driver lets the other tasks that are ready go first: most
    /// likely they queue something too, and all of it leaves in one write. A call alone is not kept waiting.
    fn lets_others_queue(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.shared.lock();
        let was_woken_to_write = state.unpark().is_none() && !state.is_lone_call();
        drop(state);
        if was_woken_to_write && !std::mem::replace(&mut self.has_yielded, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.has_yielded = false;
        Poll::Ready(())
    }

    /// Ready when there is more to do at once.
    fn park(&mut self, cx: &Context<'_>, is_written: bool) -> Result<Poll<()>, ConnectionError> {
        let mut state = self.shared.lock();
        if is_written && state.has_work() {
            return Ok(Poll::Ready(()));
        }
        if let Life::Closing(by) = state.life {
            let is_executing = self.shared.holders.requests() > 0;
            if is_written && state.is_all_written() && !is_executing {
                return Err(ConnectionError::Closed(by));
            }
        }
        state.park(cx.waker());
        self.held_until = state.held_until();
        drop(state);
        // A reader that took something before the waker stood there could not use it.
        let has_resumed = self.is_paused && !self.inbound.update_pause();
        Ok(if has_resumed {
            Poll::Ready(())
        } else {
            Poll::Pending
        })
    }

    /// Ready when files and streams have waited for long enough.
    fn poll_hold(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(until) = self.held_until {
            let timer = self
                .hold
                .get_or_insert_with(|| Box::pin(sleep_until(until)));
            ready!(timer.as_mut().poll(cx));
            if until <= Instant::now() {
                self.hold = None;
                self.shared.lock().hold_no_longer();
                return Poll::Ready(());
            }
            // It was set for an earlier hold.
            timer.as_mut().reset(until);
        }
        Poll::Pending
    }
}

/// However the driver ends, with its runtime or by a panic, nobody is left waiting.
impl<IO, S> Drop for Driver<IO, S> {
    fn drop(&mut self) {
        let error = ConnectionError::Closed(ClosedBy::Local);
        self.shared.end(&error, Unwritten::Dropped);
        self.inbound.end(&error);
        self.shared.ended.notify_waiters();
        self.shared.mark_closed();
    }
}

//! The only task that touches a connection's socket.
//!
//! Each poll of it is a turn of a few rounds, and each round goes the same way:
//!
//! ```text
//!  woken ─ by a handle that queued something ─▶ yields once, so that other ready tasks queue too
//!    │                                                              │
//!    ▼◀─────────────────────────────────────────────────────────────┘
//! ┌─ write ── failed ──▶ reads what the peer sent before ──▶ error
//! │   │ up to a share, or all
//! │   ▼
//! │  read ── once ──▶ decode, dispatch, queue replies ── broke a rule ──▶ error
//! │   │ nothing came, and nothing more to write
//! ├──◀┤ else: next round, which writes the replies
//! │   ▼
//! │  clock ── a tick ──▶ judge ── too late ──▶ error
//! │   │ no tick  └──▶ next round, which writes what the tick queued
//! │   ▼
//! │  park ── lock: nothing new? leave the waker ── closing, and all done ──▶ end
//! │   │ pending  └── something new, or a hold is over ──▶ next round
//! │   ▼
//! │  Pending: the socket, the timers, a handle or a reader wakes the driver
//! │
//! └─ after the last round: the clock once more, then Pending after waking itself, so that other
//!    tasks of the thread get their turn
//! ```
//!
//! Writing comes before reading, because a peer that waits for our replies sends nothing. Parking
//! comes last. It leaves the waker under the lock under which it found nothing to do, so a handle
//! that queues something after that finds the waker.
//!
//! Wakers: a handle takes the driver's waker out of the state when it queues something
//! (`Shared::change`); a reader of content takes it when it makes room (`WakeDriver`). The driver
//! wakes tasks only after it has released the lock (`Shared::lock_to_wake`).

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

use sockety_codec::{Decoder, extension::LeaveReason};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, Sleep, sleep_until, timeout},
};

use tracing::info;

use self::{turn::Pace, write::Written};
use super::{
    call_clock::StartClock,
    clocks::Clocks,
    memory::payloads,
    receive::inbound::Inbound,
    send::writing::Writing,
    serve::Serve,
    shared::Shared,
    state::{Phase, State, Unwritten},
};
use crate::{
    error::connection::{ClosedBy, ConnectionError},
    shown,
};

/// Reads, dispatches and writes until the connection ends.
///
/// It polls both directions: reading never waits for writing, nor writing for reading. Everything
/// that one read brought is handled before the replies leave, in one write.
pub(crate) struct Driver<IO, S> {
    io: IO,
    shared: Arc<Shared>,
    decoder: Decoder,
    inbound: Inbound<S>,
    writing: Writing,
    clocks: Clocks,
    /// Whether this task has let others run since it was woken to write.
    has_yielded: bool,
    /// Until when files and streams are held back, and the timer for that.
    held_until: Option<Instant>,
    hold: Option<Pin<Box<Sleep>>>,
    /// For the time limit of a shutdown, once one is under way.
    limit: Option<Pin<Box<Sleep>>>,
    pace: Pace,
    /// Whether nothing is read until a user reads a file or a stream.
    is_paused: bool,
    /// Whether everything written has left this process. A flush says so: TLS may hold bytes back.
    is_flushed: bool,
    /// Whether a write has failed: the end of the input that follows is its result, and not the
    /// peer's decision.
    has_failed: bool,
    /// Whether calls of either side were in flight when the input ended.
    was_at_work: bool,
    _payload_memory: payloads::User,
}

/// How many times a turn reads and writes before other tasks of the thread get theirs.
const ROUNDS: usize = 4;

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

impl<IO: AsyncRead + AsyncWrite + Unpin, S: Serve> Driver<IO, S> {
    pub(crate) fn new(io: IO, shared: Arc<Shared>, decoder: Decoder, serve: S) -> Box<Self> {
        let inbound = Inbound::new(Arc::clone(&shared), serve);
        let clocks = Clocks::new(&shared.options);
        let start_clock = StartClock::waker(&shared);
        shared.lock().pending.set_clock(start_clock);
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
            limit: None,
            pace: Pace::default(),
            is_paused: false,
            is_flushed: true,
            has_failed: false,
            was_at_work: false,
            _payload_memory: payloads::User::new(),
        })
    }

    /// Runs until the connection has ended and every waiter has been told.
    ///
    /// `self` is boxed, because a future stores its arguments twice: as captured, and while it
    /// runs.
    pub(crate) async fn run(mut self: Box<Self>) {
        let error = poll_fn(|cx| {
            let error = ready!(self.poll(cx));
            self.say_last(&error, cx);
            Poll::Ready(error)
        });
        let error = error.await;
        self.count(&error);
        self.log(&error);
        // First the callers that wait for replies, under the lock; then the readers of content,
        // whose intakes have their own locks; then the tasks that wait for the end itself.
        self.shared.end(&error, Unwritten::of(&error));
        self.inbound.end(&error);
        self.shared.ended.notify_waiters();
        // The peer may be gone or stuck, so the farewell has a time limit. It has separate memory,
        // because otherwise it would be part of every connection's task.
        let _ = Box::pin(timeout(FAREWELL, self.say_goodbye(&error))).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionError> {
        match self.poll_rounds(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(never)) => match never {},
            Poll::Ready(Err(error)) => Poll::Ready(error),
        }
    }

    /// The diagram at the top of this file shows the order.
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
            // First what is queued: a peer that waits for it may send nothing before it comes.
            let written = match self.poll_write(cx) {
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(self.read_the_rest(error, cx)));
                }
                Poll::Ready(Ok(written)) => Poll::Ready(written),
                Poll::Pending => Poll::Pending,
            };
            // Whether or not all was written: neither direction waits for the other.
            let has_read = self.poll_read(cx)?.is_ready();
            let has_granted = self.inbound.grant(!has_read && !self.is_paused);
            self.is_flushed = matches!(written, Poll::Ready(Written::All));
            if has_read || has_granted || matches!(written, Poll::Ready(Written::Some)) {
                // What was read may have queued replies: they leave in the next round, in one
                // write.
                continue;
            }
            // After reading: a peer is judged by everything that it has sent.
            if self.poll_clock(cx)?.is_ready() {
                continue;
            }
            // Last: from here on a handle that queues something wakes this task.
            if self.park(cx, written.is_ready())?.is_pending() && self.poll_hold(cx).is_pending() {
                // After the waker was left: a shutdown that begins now wakes this task.
                return self.poll_limit(cx).map(Err);
            }
        }
        // A peer that never stops sending keeps every round busy, and is judged all the same.
        let _ = self.poll_clock(cx)?;
        if let Poll::Ready(error) = self.poll_limit(cx) {
            return Poll::Ready(Err(error));
        }
        yield_turn(cx);
        Poll::Pending
    }

    /// Pending once if the driver was woken because something was queued: other tasks that are
    /// ready run first, probably queue something too, and all of it leaves in one write. A call
    /// that is alone in flight does not wait.
    fn lets_others_queue(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.shared.lock();
        // The waker is gone if a handle used it; the socket and the timers have their own clones.
        let was_woken_to_write = state.unpark().is_none() && !state.is_lone_call();
        drop(state);
        if was_woken_to_write && !std::mem::replace(&mut self.has_yielded, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.has_yielded = false;
        Poll::Ready(())
    }

    /// Leaves the waker in the state. Ready if there is more to do at once.
    ///
    /// The check and the waker are under one lock, so that nothing is queued unnoticed in between.
    fn park(
        &mut self,
        cx: &mut Context<'_>,
        is_written: bool,
    ) -> Result<Poll<()>, ConnectionError> {
        let mut state = self.shared.lock();
        if is_written && state.has_work() {
            return Ok(Poll::Ready(()));
        }
        if let Phase::Closing { by, .. } = state.phase {
            let is_executing = self.shared.holders.requests() > 0;
            if is_written && state.is_all_written() && !is_executing {
                return Err(state.closed(by));
            }
        }
        if is_written && state.has_taken_all() && self.is_drained(&state) {
            // Nothing is sent from here on.
            state.phase = Phase::Closing {
                by: ClosedBy::Local,
                until: None,
            };
            return Err(ConnectionError::Closed(ClosedBy::Local));
        }
        if state.is_to_be_replaced() && self.shared.peer.is_accepted {
            drop(state);
            self.replace();
            return Ok(Poll::Ready(()));
        }
        state.park(cx.waker());
        self.held_until = state.held_until();
        drop(state);
        // A reader that made room before the waker was there found none to wake: look once more.
        // This takes locks of intakes, so the connection's lock is free.
        let has_resumed = self.is_paused && !self.inbound.update_pause(cx);
        // Likewise, one that made credit due.
        Ok(if has_resumed || self.inbound.has_grants() {
            Poll::Ready(())
        } else {
            Poll::Pending
        })
    }

    /// Whether everything accepted by either side is finished, of a connection that ends when it is.
    #[cold]
    fn is_drained(&self, state: &State) -> bool {
        matches!(state.phase, Phase::Draining { .. })
            && state.is_all_done()
            && self.shared.holders.requests() == 0
            && self.decoder.is_between_messages()
            && self.inbound.is_at_rest()
    }

    /// Ends the connection in order, so that its peer makes a new one, which has all channels.
    /// Everything accepted is finished first, however long that takes.
    #[cold]
    fn replace(&self) {
        let peer = self.shared.peer.peer_addr;
        info!(
            peer = shown::address(peer),
            "connection is replaced: its peer takes no notice of aborts, and half of the channels are lost"
        );
        self.shared.drain(Duration::MAX, LeaveReason::Internal);
    }

    /// Ready when the time limit of a shutdown is over. A connection that is open has no timer for it.
    fn poll_limit(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionError> {
        if !self.shared.is_ending() {
            return Poll::Pending;
        }
        let (until, error) = {
            let state = self.shared.lock();
            match state.phase {
                Phase::Draining { until } => (until, ConnectionError::Closed(ClosedBy::Local)),
                // Its peer has closed meanwhile, or this side was to close anyway.
                Phase::Closing {
                    by,
                    until: Some(until),
                } => (until, state.closed(by)),
                Phase::Open | Phase::Closing { until: None, .. } | Phase::Ended(_) => {
                    return Poll::Pending;
                }
            }
        };
        if until > Instant::now() {
            let timer = self
                .limit
                .get_or_insert_with(|| Box::pin(sleep_until(until)));
            // A second shutdown may have less time.
            if timer.deadline() != until {
                timer.as_mut().reset(until);
            }
            ready!(timer.as_mut().poll(cx));
        }
        Poll::Ready(error)
    }

    /// Ready when files and streams have been held back for long enough.
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

/// However the driver ends, even with its runtime or by a panic, no task is left waiting.
impl<IO, S> Drop for Driver<IO, S> {
    fn drop(&mut self) {
        let error = ConnectionError::Closed(ClosedBy::Local);
        self.shared.end(&error, Unwritten::Dropped);
        self.inbound.end(&error);
        self.shared.ended.notify_waiters();
        self.shared.mark_closed();
    }
}

/// Lets other tasks of the thread run, and the thread look for input, before this one goes on.
///
/// Waking its own waker would wake another thread of the runtime each time, to look for work.
fn yield_turn(cx: &mut Context<'_>) {
    let yielding = std::pin::pin!(tokio::task::yield_now());
    let _ = yielding.poll(cx);
}

//! The timeouts of calls. They belong to the callers, not to the driver, which may be held up by a
//! handler that blocks its thread.
//!
//! ```text
//! default timeout ── the clock of calls, a task that ticks while any call has a deadline
//! a call's own ───── a timer of that call, polled by its caller
//! ```
//!
//! Both run on the runtime of the connection, so that calls can be awaited on any thread. Both are
//! stopped while the files or the stream of the call move, or their source has nothing to send, and
//! begin again after that.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::{Context, Poll, Wake, Waker, ready},
    time::Duration,
};

use sockety_codec::Uuid;
use tokio::{
    runtime::Handle,
    time::{Instant, MissedTickBehavior, Sleep, interval_at, sleep},
};

use super::{later::later, shared::Shared, state::Phase};

const SECOND: Duration = Duration::from_secs(1);

/// Starts the clock of a connection's calls when it is woken. Its waker is used under the rules of
/// all wakers: after the connection's lock is released.
pub(crate) struct StartClock {
    shared: Weak<Shared>,
    runtime: Handle,
}

impl StartClock {
    /// Returns `None` outside a runtime, where no driver runs either.
    pub(crate) fn waker(shared: &Arc<Shared>) -> Option<Waker> {
        let (shared, runtime) = (Arc::downgrade(shared), shared.runtime.clone()?);
        Some(Arc::new(Self { shared, runtime }).into())
    }
}

impl Wake for StartClock {
    fn wake(self: Arc<Self>) {
        if let Some(shared) = self.shared.upgrade() {
            self.runtime.spawn(tick(shared));
        }
    }
}

/// Ticks once a second while any call has a deadline and the connection has not ended. A late tick
/// is followed by a whole second, so that a process that was suspended hears its peer before its
/// calls time out.
async fn tick(shared: Arc<Shared>) {
    let mut ticks = interval_at(Instant::now() + SECOND, SECOND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut ended = pin!(shared.ended.notified());
        // Registered before the phase is read, so that an end in between is not missed.
        ended.as_mut().enable();
        if shared.has_ended() {
            return;
        }
        tokio::select! {
            () = ended => {}
            _ = ticks.tick() => if !shared.tick_calls() {
                return;
            }
        }
    }
}

impl Shared {
    /// Times out calls. Their tasks are woken when the lock is released. Returns whether any call
    /// has a deadline still.
    fn tick_calls(&self) -> bool {
        let mut state = self.lock_to_wake();
        let timed_out = state.tick_calls();
        let goes_on = state.pending.is_ticking();
        drop(state);
        self.counters.add(|all| &all.timed_out_requests, timed_out);
        goes_on
    }

    fn has_ended(&self) -> bool {
        matches!(self.lock().phase, Phase::Ended(_))
    }

    /// A timer on the runtime of the connection.
    fn sleep(&self, duration: Duration) -> Sleep {
        let _entered = self.runtime.as_ref().map(Handle::enter);
        sleep(duration)
    }

    /// While the files and the stream of this request are being sent: since when they have not moved,
    /// unless their source has nothing to send. The task is woken when they are no longer sent.
    fn waits_since(&self, id: &Uuid, waker: &Waker) -> Option<Option<Instant>> {
        let mut state = self.lock_to_wake();
        let state = &mut *state;
        let transmission = state.pending.transmission(id)?;
        let due = &mut state.outbox.due;
        state.transmissions.watch(transmission, waker, due);
        state.transmissions.waits_since(transmission)
    }
}

/// The timeout of a call that is not left to the clock of all calls. It starts when it is first
/// polled.
pub(crate) struct CallTimeout {
    limit: Duration,
    /// Whether the call has files or a stream: the clock stops while they are being sent.
    has_content: bool,
    /// `None` before its start.
    running: Option<Pin<Box<Sleep>>>,
    /// Whether the content was being sent when this began to run.
    is_sending: bool,
}

impl CallTimeout {
    pub(crate) fn new(limit: Duration, has_content: bool) -> Self {
        Self {
            limit,
            has_content,
            running: None,
            is_sending: false,
        }
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether it ends within the time by which a peer may be the first to notice.
    pub(crate) fn is_nearly_over(&self) -> bool {
        let soon = Instant::now() + Duration::from_millis(10);
        let running = self.running.as_ref();
        running.is_some_and(|running| running.deadline() <= soon)
    }

    /// When the call is over, if that is known: its content may move. From now on, unless it runs.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.has_content {
            return None;
        }
        match &self.running {
            Some(running) => Some(running.deadline()),
            None => Instant::now().checked_add(self.limit),
        }
    }

    /// Ready when the call has run out of time.
    pub(crate) fn poll(&mut self, shared: &Shared, id: &Uuid, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        let sending = self.has_content.then(|| shared.waits_since(id, cx.waker()));
        let sending = sending.flatten();
        // Its content is sent now, or no longer: from here on it has its whole time.
        if sending.is_some() != self.is_sending {
            (self.running, self.is_sending) = (None, sending.is_some());
        }
        let running = self
            .running
            .get_or_insert_with(|| Box::pin(shared.sleep(limit)));
        loop {
            ready!(running.as_mut().poll(cx));
            let Some(waits_since) = sending else {
                return Poll::Ready(());
            };
            // Its content has the whole time since it last moved, or from now on if it has nothing to move.
            let now = Instant::now();
            let end = later(waits_since.unwrap_or(now), limit);
            if end <= now {
                return Poll::Ready(());
            }
            running.as_mut().reset(end);
        }
    }
}

//! What the handles of a connection and its driver share.
//!
//! Whoever changes the state takes its lock in one of three ways:
//!
//! ```text
//! lock          ── reads, or changes what no task waits for
//! lock_to_wake  ── may make tasks due: they are woken when the lock is released
//! change        ── likewise; if there is something to write then, the driver is woken as well
//! ```

use std::{
    fmt, io,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use sockety_codec::{Uuid, extension::LeaveReason};
use tokio::{runtime::Handle, sync::Notify, time::Instant};
use tracing::debug;

use super::{
    account::Account,
    auth_state::AuthState,
    common::Common,
    health::Health,
    holders::{Holder, Holders},
    later::later,
    leaving::{LINGER_SECONDS, Sign},
    negotiated::{self, Negotiated},
    peer::Peer,
    pending::PendingRequests,
    places::LatePlaces,
    receive::intake::WakeDriver,
    send::{outbox::Outbox, pacing::Pacer, transmissions::Transmissions},
    state::{Locked, Phase, State, Unwritten},
    ticks,
    warnings::{Warning, Warnings},
};
use crate::{
    action::is_reserved,
    config::{budgets::Budgets, options::Options},
    error::{
        chain::chain,
        connection::{ClosedBy, ConnectionError},
        refusal,
    },
    extensions::Extensions,
    fast_reply::{FastReply, FrameworkCode},
    payload::PayloadLimits,
    shown::Shown,
    stats::{Counters, traffic::Traffic},
    sync::{AtomicBool, AtomicU64, Mutex, MutexGuard},
};

pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) options: Arc<Options>,
    pub(crate) budgets: Budgets,
    pub(crate) peer: Peer,
    pub(crate) counters: Counters,
    warnings: Arc<Warnings>,
    /// What is said of the health of its server, if it has one.
    pub(crate) health: Option<Health>,
    pub(crate) extensions: Extensions,
    pub(crate) auth: AuthState,
    /// Whether the extension is active.
    pub(crate) is_extended: bool,
    /// Places of requests that become free late, with the extension.
    pub(crate) late: LatePlaces,
    /// Notified when the settings of the peer have come, when it is going away, when it has answered a
    /// ping, and when the connection has ended: who waits looks at the state.
    pub(crate) ended: Notify,
    /// Whether the socket is closed. That happens some time after the end of the connection, so
    /// that the peer can read what was written.
    pub(crate) is_closed: AtomicBool,
    pub(crate) gone: Notify,
    /// Handles and requests; the driver is not counted.
    pub(crate) holders: Holders,
    /// Whether the phase is no longer `Open`, for code that does not hold the lock. Set before the
    /// phase changes: see [`Holders::remove`](super::holders::Holders::remove).
    is_ending: AtomicBool,
    /// Whether requests wait for their turn: then the end of another wakes the driver.
    pub(crate) has_queue: AtomicBool,
    /// Bytes received since the connection began.
    pub(crate) received: AtomicU64,
    /// How much it holds of what it has received. Intakes share it.
    pub(crate) account: Arc<Account>,
    /// That of its endpoint, if it is a connection of a fleet.
    #[cfg(feature = "fleet")]
    pub(crate) load: std::sync::OnceLock<Arc<super::load::Load>>,
    /// Where the connection was made: its timers run there. `None` only in tests without a runtime.
    pub(crate) runtime: Option<Handle>,
}

impl Shared {
    pub(crate) fn new(common: Common, peer: Peer, negotiated: Negotiated) -> Self {
        let Common {
            options,
            budgets,
            counters,
            warnings,
            health,
            ..
        } = common;
        let is_extended = negotiated == Negotiated::Extended;
        let account = Account::new(Arc::clone(&options), budgets.clone(), is_extended);
        let account = Arc::new(account);
        let counters = Counters::of_connection(counters);
        let mut outbox = Outbox::new(negotiated.channels(), options.outbox_bytes);
        if is_extended {
            // r[impl ext.settings.first]
            outbox.settings(&negotiated::settings(&options));
        }
        let state = State {
            outbox,
            transmissions: Transmissions::new(negotiated),
            pending: PendingRequests::new(options.requests_in_flight, options.call_timeout),
            newest_request: 0,
            pacing: Pacer::Idle,
            phase: Phase::Open,
            last_sent: 0,
            is_peer_going_away: false,
            leaving: None,
            pings: None,
            is_extended,
            accepts: None,
            owed: None,
            peer: peer.peer_addr,
            driver: None,
        };
        Self {
            state: Mutex::new(state),
            options,
            budgets,
            peer,
            counters,
            warnings,
            health,
            extensions: Extensions::default(),
            auth: AuthState::default(),
            is_extended,
            late: LatePlaces::default(),
            ended: Notify::new(),
            is_closed: AtomicBool::new(false),
            gone: Notify::new(),
            holders: Holders::new(),
            is_ending: AtomicBool::new(false),
            has_queue: AtomicBool::new(false),
            received: AtomicU64::new(0),
            account,
            #[cfg(feature = "fleet")]
            load: std::sync::OnceLock::new(),
            runtime: Handle::try_current().ok(),
        }
    }

    /// Warns about a message of the peer, or about its answer, unless it was warned of the like a
    /// moment ago.
    #[cold]
    pub(crate) fn warn(&self, warning: Warning, action: &str, reason: &dyn fmt::Display) {
        let peer = self.peer.peer_addr;
        self.warnings.of_message(warning, action, peer, reason);
    }

    /// Counts and logs a message for an action that nobody serves. Reserved actions are asked for by
    /// tools and by peers that do without an answer: they are no sign of another version.
    #[cold]
    pub(crate) fn note_not_implemented(&self, action: &str, reason: &dyn fmt::Display) {
        if is_reserved(action) {
            debug!(action = %Shown::new(action), "a reserved action is not served");
            return;
        }
        self.counters.count(|all| &all.not_implemented);
        self.warn(Warning::NotImplemented, action, reason);
    }

    /// Like [`Shared::warn`], about a message whose action is not known.
    #[cold]
    pub(crate) fn warn_of_peer(&self, warning: Warning, reason: &dyn fmt::Display) {
        self.warnings.of_peer(warning, self.peer.peer_addr, reason);
    }

    /// Takes the lock, for changes that make no task due: otherwise see [`Shared::lock_to_wake`].
    ///
    /// Under it no user code runs, nothing is awaited, and no other lock is taken. It is taken even
    /// if it is poisoned, because every change under it is complete before anything can panic.
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Like [`Shared::lock`]; tasks that become due are woken when the lock is released.
    #[inline]
    pub(crate) fn lock_to_wake(&self) -> Locked<'_> {
        Locked::new(self.lock())
    }

    #[cfg(test)]
    pub(crate) fn is_locked(&self) -> bool {
        matches!(
            self.state.try_lock(),
            Err(std::sync::TryLockError::WouldBlock)
        )
    }

    /// Changes the state. After the lock is released, wakes the tasks that became due, then the
    /// driver if there is something for it to do and it sleeps.
    #[inline]
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state);
        // Taken, so that of all changes until the driver runs only this one wakes it.
        let driver = if state.needs_driver() {
            state.driver.take()
        } else {
            None
        };
        if state.outbox.due.is_empty() {
            drop(state);
        } else {
            Locked::unlock(state);
        }
        if let Some(driver) = driver {
            driver.wake();
        }
        result
    }

    /// Queues a fast reply of the connection itself, even if the outbox is full. It has few bytes,
    /// and the driver cannot wait for room.
    pub(crate) fn fast_reply(&self, id: Uuid, reply: FastReply) {
        self.change(|state| {
            if !matches!(state.phase, Phase::Ended(_)) {
                state.unasked_reply(id, reply);
            }
        });
    }

    /// Like [`Shared::fast_reply`], with the reason if the caller reads it and there is room for it.
    pub(crate) fn refuse(&self, id: Uuid, code: FastReply, reason: &str) {
        let response = refusal::response_to(&id, code, &reason);
        self.change(|state| {
            if !matches!(state.phase, Phase::Ended(_)) {
                state.refuse(id, code, response.as_deref());
            }
        });
    }

    /// Begins the orderly end.
    pub(crate) fn close(&self, by: ClosedBy) {
        self.close_for(by, LeaveReason::Shutdown);
    }

    /// Like [`Shared::close`]; a peer with the extension is told this reason.
    pub(crate) fn close_for(&self, by: ClosedBy, reason: LeaveReason) {
        self.is_ending.store(true, Ordering::SeqCst);
        self.change(|state| {
            match state.phase {
                Phase::Open if by == ClosedBy::Local => {
                    state.go_away(reason, ticks::of_seconds(LINGER_SECONDS));
                }
                Phase::Open | Phase::Draining { .. } => {}
                Phase::Closing { .. } | Phase::Ended(_) => return,
            }
            let until = match state.phase {
                Phase::Draining { until } => Some(until),
                _ => None,
            };
            state.phase = Phase::Closing { by, until };
            // What is queued is still written, so every request counts as sent.
            let end = state.outbox.end();
            // Callers and senders that wait for room are woken when the lock is released.
            let closed = state.closed(by);
            state
                .pending
                .fail_all(state.peer, &closed, end, &mut state.outbox.due);
            state.outbox.wake_space();
        });
        self.ended.notify_waiters();
    }

    /// Begins an end that waits until everything accepted is done, for `deadline` at most. If it
    /// has begun already, the sooner deadline counts.
    pub(crate) fn drain(&self, deadline: Duration, reason: LeaveReason) {
        self.is_ending.store(true, Ordering::SeqCst);
        self.change(|state| {
            let until = later(Instant::now(), deadline);
            match &mut state.phase {
                Phase::Open => state.go_away(reason, deadline),
                // The driver is woken, and sets its timer again.
                Phase::Draining { until: known } => {
                    *known = until.min(*known);
                    return;
                }
                // Handlers that run on have no more time than this.
                Phase::Closing { until: known, .. } => {
                    *known = Some(known.map_or(until, |known| until.min(known)));
                    return;
                }
                Phase::Ended(_) => return,
            }
            state.phase = Phase::Draining { until };
        });
        self.ended.notify_waiters();
    }

    /// Asks the peer to take new requests elsewhere, while this side goes on for `grace`.
    pub(crate) fn be_lame_duck(&self, grace: Duration, retry_after: Duration) {
        self.change(|state| state.be_lame_duck(grace, retry_after));
    }

    /// Whether the peer may have another request when it has this many: they are executed, arrive,
    /// or wait for their turn.
    pub(crate) fn has_slot(&self, requests: usize) -> bool {
        let options = &self.options;
        let limit = options
            .requests_executing
            .saturating_add(options.queued_requests)
            .saturating_add(ONE_WAY_EXCESS);
        Holders::is_room(requests, limit)
    }

    /// Whether another request may be executed when there are this many.
    #[inline]
    pub(crate) fn may_execute(&self, executing: usize) -> bool {
        // A few connections must not use up the budget of all.
        let is_room = executing < OWN_TASKS || !self.budgets.waiting().is_used_up();
        is_room && executing < self.options.requests_executing
    }

    /// A holder leaves. Closes the connection after its last handle.
    #[inline]
    pub(crate) fn leave(&self, holder: Holder) {
        let left = self.holders.remove(holder);
        if left.was_last_handle {
            self.close(ClosedBy::Local);
        }
        // The driver of an ending connection waits for the last handler, and sleeps meanwhile.
        if left.was_last_request && self.is_ending.load(Ordering::SeqCst) {
            self.wake_driver();
        }
        // It begins the next request of the queue. `SeqCst`: the driver sets this before it reads
        // the count of requests, which was changed above, so that one of the two sees the other.
        if holder != Holder::Handle
            && self.has_queue.load(Ordering::SeqCst)
            && self.has_queue.swap(false, Ordering::SeqCst)
        {
            self.wake_driver();
        }
    }

    /// What answers messages whose handlers have not begun when the connection ends. Only peers with the
    /// extension know the first.
    pub(crate) fn not_begun(&self) -> FastReply {
        match self.is_extended {
            true => FrameworkCode::NotBegun.reply(),
            false => FrameworkCode::GoingAway.reply(),
        }
    }

    /// Whether this side has begun to end the connection, or it has ended.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::SeqCst)
    }

    /// What is read as a payload, or as an item of a stream.
    pub(crate) fn payload_limits(&self) -> PayloadLimits {
        PayloadLimits {
            item_bytes: usize::try_from(self.options.limits.payload()).unwrap_or(usize::MAX),
            bounds: self.options.bounds,
        }
    }

    pub(crate) fn traffic(&self) -> Traffic {
        let state = self.lock();
        let (files, streams) = state.transmissions.count_open();
        let (sent_bytes, requests_waiting) = (state.outbox.written(), state.pending.len());
        drop(state);
        Traffic {
            received_bytes: self.received.load(Ordering::Relaxed),
            sent_bytes,
            requests_executing: self.holders.requests(),
            requests_waiting,
            files: files + self.account.files.load(Ordering::Relaxed),
            streams: streams + self.account.streams.load(Ordering::Relaxed),
        }
    }

    /// Waits until the state has this, as far as [`Shared::ended`] is notified of it.
    async fn until<T>(&self, has: impl Fn(&State) -> Option<T>) -> T {
        loop {
            let mut notified = std::pin::pin!(self.ended.notified());
            // Registered before the state is read, so that a change in between is not missed.
            notified.as_mut().enable();
            let found = has(&self.lock());
            if let Some(found) = found {
                return found;
            }
            notified.await;
        }
    }

    /// Waits until the end of the connection is in sight, in another way than `known`.
    pub(crate) async fn until_end_in_sight(&self, known: Option<Sign>) -> Sign {
        let is_new = |sign: &Sign| Some(*sign) != known;
        self.until(|state| state.end_in_sight().filter(is_new))
            .await
    }

    /// Waits until the peer has begun to serve the connection, as far as that can be known: until its settings have
    /// come. A peer without the extension says nothing of it. Returns whether it has; otherwise, the connection has ended.
    #[cfg(feature = "fleet")]
    pub(crate) async fn until_begun(&self) -> bool {
        self.until(|state| {
            let has_begun = !state.is_extended || state.accepts.is_some();
            (has_begun || state.ended().is_some()).then_some(has_begun)
        })
        .await
    }

    /// Waits until the connection has ended. Returns why it has.
    pub(crate) async fn until_ended(&self) -> ConnectionError {
        self.until(State::ended).await
    }

    /// Waits until the socket is closed.
    pub(crate) async fn until_gone(&self) {
        let mut gone = std::pin::pin!(self.gone.notified());
        // Registered before the flag is read, so that a close in between is not missed.
        gone.as_mut().enable();
        if !self.is_closed.load(Ordering::Acquire) {
            gone.await;
        }
    }

    /// The socket is closed.
    pub(crate) fn mark_closed(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.gone.notify_waiters();
    }

    /// The connection has ended: resolves everything that waits. Its tasks are woken when the lock
    /// is released.
    pub(crate) fn end(&self, error: &ConnectionError, unwritten: Unwritten) {
        let mut state = self.lock_to_wake();
        state.end(error.clone(), unwritten);
        drop(state);
    }
}

impl WakeDriver for Shared {
    fn wake_driver(&self) {
        let driver = self.lock().driver.take();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    fn warn_of_no_file(&self, error: &io::Error) {
        let (folder, error) = (std::env::temp_dir(), chain(error));
        self.warn_of_peer(
            Warning::NoTemporaryFile,
            &format_args!("{}: {error}", folder.display()),
        );
    }
}

/// One-way messages that one read may bring beyond the queue, before reading pauses.
const ONE_WAY_EXCESS: usize = 4096;

/// How many requests each connection may execute even if the budget of all is used up.
const OWN_TASKS: usize = 8;

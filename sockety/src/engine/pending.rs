//! Requests of ours that wait for their replies, found by id.
//!
//! ```text
//! insert ─── by the caller, under the lock that queues its message
//! deliver ── by the driver: returns the waker, which is used after the lock is released
//! poll ───── by the caller's task, which leaves its waker if there is no reply yet
//! take ───── by the caller, when it has its reply or is dropped
//! cancel ─── by the caller, who goes on waiting for what the peer says of it
//! abandon ── a request that was cancelled, and that nobody waits for: it stays until its answer comes
//! ```

use std::{
    collections::{VecDeque, hash_map::Entry},
    net::SocketAddr,
    num::{NonZeroU32, NonZeroU64},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use rustc_hash::FxHashMap;
use sockety_codec::Uuid;

use super::{
    early_end::Described,
    late_replies::LateReplies,
    receive::parts::ReceivedParts,
    send::{outbox::Place, transmissions::Transmissions},
    ticks,
    wake_list::WakeList,
};
use crate::{
    error::{connection::ConnectionError, going_away::GoingAway, refusal, request::RequestError},
    fast_reply::{FastReply, FrameworkCode},
    metadata::RetryAfter,
    msgpack::__private::is_service_error,
    outcome::Outcome,
    payload::payload_bytes::PayloadBytes,
};

/// How many replies to one request are kept until they are taken.
pub(crate) const REPLIES_KEPT: usize = 64;

/// How many bytes of payloads they may have together, unless the first has more alone.
const REPLY_BYTES_KEPT: usize = 8 * 1024 * 1024;

/// For how long the answer to a cancelled request is waited for.
pub(crate) const CANCEL_PATIENCE: Duration = Duration::from_secs(30);

/// All pending requests of one connection. Guarded by the connection's lock.
pub(crate) struct PendingRequests {
    /// By id, as a number: hashing that takes fewer instructions than hashing its bytes. The hash
    /// needs no secret, because our own ids are random and no peer chooses a key of this table.
    requests: FxHashMap<u128, Waiter>,
    /// Requests that were given up, except after a fast reply: replies to them may still come.
    late: LateReplies,
    /// How many of the requests nobody waits for: they were cancelled, and their answers are still to come.
    abandoned: usize,
    limit: usize,
    timeout: Option<u32>,
    /// Ticks of the clock of calls, roughly seconds while it runs. Deadlines are counted in them, so
    /// that a call does not read the time.
    now: u32,
    /// Waking it starts the clock, which ticks until no request has a deadline.
    clock: Option<Waker>,
    is_ticking: bool,
}

impl PendingRequests {
    pub(crate) fn new(limit: usize, timeout: Option<Duration>) -> Self {
        Self {
            requests: FxHashMap::default(),
            late: LateReplies::new(),
            abandoned: 0,
            limit,
            timeout: timeout.map(ticks::seconds),
            now: 0,
            clock: None,
            is_ticking: false,
        }
    }

    /// Whether nobody waits for a reply.
    pub(crate) fn is_empty(&self) -> bool {
        self.requests.len() == self.abandoned
    }

    /// Returns spare memory to the allocator, after nothing was written for a while.
    pub(crate) fn give_back_memory(&mut self) {
        self.requests.shrink_to_fit();
        if self.requests.is_empty() {
            self.late.on_quiet();
        }
    }

    /// Whether any request has had no reply at all.
    pub(crate) fn has_unanswered(&self) -> bool {
        let mut waiting = self.requests.values();
        waiting.any(|waiter| !waiter.is_answered() && !waiter.is_abandoned())
    }

    pub(crate) fn is_full(&self) -> bool {
        self.requests.len() >= self.limit
    }

    /// How many requests are in flight, with those that were cancelled and have no answer yet.
    // r[impl ext.cancel.caller]
    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Expects replies to a message that begins here in the outbox.
    ///
    /// While its files or its stream are being sent, its timeout does not advance.
    pub(crate) fn insert(
        &mut self,
        id: Uuid,
        start: Place,
        clock: ReplyClock,
        waker: Option<&Waker>,
        transmission: Option<u64>,
        number: u64,
    ) {
        let expires = match clock {
            ReplyClock::Default => self.deadline(),
            ReplyClock::Own => None,
        };
        let before = self.requests.insert(
            id.as_u128(),
            Waiter {
                start,
                // Its low half is enough: the other side knows how many there are.
                number: number as u32,
                marks: Marks::expiring(expires),
                transmission: transmission.and_then(NonZeroU64::new),
                waker: waker.cloned(),
                replies: Replies::default(),
            },
        );
        if before.is_some_and(|before| before.is_abandoned()) {
            // The same message again, by who repeats calls: what comes is for this one.
            self.abandoned -= 1;
        }
    }

    /// This is a response, which is no message that its peer may leave out when it goes away.
    pub(crate) fn mark_response(&mut self, id: &Uuid) {
        if let Some(waiter) = self.requests.get_mut(&id.as_u128()) {
            waiter.marks.set(Marks::RESPONSE, true);
        }
    }

    pub(crate) fn set_clock(&mut self, clock: Option<Waker>) {
        self.clock = clock;
    }

    /// Starts the clock, unless it runs, after a request with a deadline was added.
    #[inline]
    pub(crate) fn start_clock(&mut self, clock: ReplyClock, due: &mut WakeList) {
        if !self.is_ticking && matches!(clock, ReplyClock::Default) && self.timeout.is_some() {
            self.start_ticking(due);
        }
    }

    fn start_ticking(&mut self, due: &mut WakeList) {
        self.is_ticking = true;
        self.clock.iter().for_each(|clock| due.wake(clock.clone()));
    }

    /// Whether any request had a deadline at the last tick, or has one since.
    pub(crate) fn is_ticking(&self) -> bool {
        self.is_ticking
    }

    /// Removes a request. The caller drops the result after it has released the lock, because
    /// replies that were not taken take it when they are dropped.
    pub(crate) fn take(&mut self, id: &Uuid) -> Option<Waiter> {
        self.requests.remove(&id.as_u128())
    }

    /// A request was removed. Unless its last reply was a fast reply, more may come, and are not held
    /// against the peer.
    pub(crate) fn expect_late(&mut self, id: Uuid, waiter: &Waiter) {
        if !waiter.marks.has(Marks::CODE) {
            self.late.expect(id, waiter.is_answered());
        }
    }

    /// A request is about to fail, though its peer will answer.
    pub(crate) fn expect_answer(&mut self, id: &Uuid) {
        let waiter = self.requests.get(&id.as_u128());
        if waiter.is_some_and(|waiter| !waiter.is_answered()) {
            self.late.expect(*id, false);
        }
    }

    /// A request is cancelled, and its caller waits for what the peer says of it. Returns what the peer
    /// is told, unless nothing can follow. Cancelled again, nothing is told.
    pub(crate) fn cancel(&mut self, id: &Uuid, due: &mut WakeList) -> Option<Cancelling> {
        let expires = self.patience();
        let waiter = self.requests.get_mut(&id.as_u128())?;
        let is_over = waiter.marks.has(Marks::CODE) || waiter.is_left_out();
        if is_over || waiter.marks.has(Marks::CANCELLED) {
            return None;
        }
        waiter.marks.set(Marks::CANCELLED, true);
        waiter.marks.set_expires(expires);
        let cancelling = waiter.cancelling();
        if !self.is_ticking {
            self.start_ticking(due);
        }
        Some(cancelling)
    }

    /// A request that was removed is cancelled, and nobody waits for it any longer. It comes back, to
    /// count among those in flight until its answer comes.
    // r[impl ext.cancel.caller]
    pub(crate) fn abandon(&mut self, id: &Uuid, waiter: &Waiter, due: &mut WakeList) {
        let is_cancelled = waiter.marks.has(Marks::CANCELLED);
        let known = waiter.marks.expires().filter(|_| is_cancelled);
        let mut marks = Marks::expiring(known.or_else(|| self.patience()));
        marks.set(Marks::CANCELLED | Marks::ABANDONED, true);
        marks.set(Marks::EXECUTED, waiter.marks.has(Marks::EXECUTED));
        marks.set(Marks::RESPONSE, waiter.marks.has(Marks::RESPONSE));
        let abandoned = Waiter {
            start: waiter.start,
            number: waiter.number,
            marks,
            transmission: None,
            waker: None,
            replies: Replies::default(),
        };
        self.requests.insert(id.as_u128(), abandoned);
        self.abandoned += 1;
        if !self.is_ticking {
            self.start_ticking(due);
        }
    }

    /// The answer to a request that nobody waits for has come, or never will.
    #[cold]
    fn forget(&mut self, id: &Uuid) {
        if self.requests.remove(&id.as_u128()).is_some() {
            self.abandoned -= 1;
            self.late.expect(*id, false);
        }
    }

    /// When a request expires that is cancelled now.
    fn patience(&self) -> Option<NonZeroU32> {
        let at = self.now.saturating_add(ticks::seconds(CANCEL_PATIENCE));
        Some(NonZeroU32::MIN.saturating_add(at))
    }

    /// Whether a reply may belong to a request that waits or was given up recently. Nothing follows
    /// a fast reply.
    pub(crate) fn allows_late(&mut self, parent: &Uuid, is_code: bool) -> bool {
        self.requests.contains_key(&parent.as_u128()) || self.late.on_reply(parent, is_code)
    }

    /// Hands a reply to the request that waits for it.
    #[inline]
    pub(crate) fn deliver(
        &mut self,
        parent: &Uuid,
        reply: Result<RawReply, RequestError>,
    ) -> Delivered {
        let Some(waiter) = self.requests.get_mut(&parent.as_u128()) else {
            return Delivered::unwanted(reply);
        };
        if waiter.is_abandoned() {
            self.forget(parent);
            return Delivered::unwanted(reply);
        }
        waiter.marks.set(Marks::ANSWERED, true);
        let is_code = matches!(reply, Ok(RawReply::Fast(..)));
        waiter.marks.set(Marks::CODE, is_code);
        if !is_code && reply.is_ok() {
            waiter.marks.set(Marks::EXECUTED, true);
        }
        let unwanted = waiter.replies.push(reply);
        Delivered {
            waker: waiter.waker.take(),
            unwanted,
            is_timeout: false,
        }
    }

    /// The peer says by this code that the time of a request is over. Returns how long that was, if it
    /// is the time that this table counts: the peer may be the first to notice.
    #[cold]
    pub(crate) fn ends_in_time(&self, parent: &Uuid, code: &FrameworkCode) -> Option<Duration> {
        let waiter = self.requests.get(&parent.as_u128())?;
        let expires = waiter.marks.expires()?.get();
        // Ticks come late, by less than two.
        let is_over = match code {
            FrameworkCode::DeadlineExceeded => true,
            FrameworkCode::NotBegun => expires <= self.now.saturating_add(2),
            _ => false,
        };
        let seconds = self
            .timeout
            .filter(|_| is_over && !waiter.marks.has(Marks::CANCELLED))?;
        Some(Duration::from_secs(seconds.into()))
    }

    /// Where this request begins in the outbox.
    pub(crate) fn start(&self, id: &Uuid) -> Option<Place> {
        Some(self.requests.get(&id.as_u128())?.start)
    }

    /// The files and stream of this request, which may still be being sent.
    pub(crate) fn transmission(&self, id: &Uuid) -> Option<u64> {
        self.requests
            .get(&id.as_u128())?
            .transmission
            .map(NonZeroU64::get)
    }

    /// Whether somebody waits for replies to this request.
    pub(crate) fn expects(&self, parent: &Uuid) -> bool {
        let waiter = self.requests.get(&parent.as_u128());
        waiter.is_some_and(|waiter| !waiter.is_abandoned())
    }

    /// A response to this request begins: its handler ran, even if the rest of the response is
    /// lost. Returns whether the request still waits.
    pub(crate) fn begin_response(&mut self, parent: &Uuid) -> bool {
        let Some(waiter) = self.requests.get_mut(&parent.as_u128()) else {
            return false;
        };
        waiter.marks.set(Marks::EXECUTED, true);
        if waiter.is_abandoned() {
            self.forget(parent);
            return false;
        }
        true
    }

    /// The outcome of a queued request if it is given up now. Its message is still written.
    pub(crate) fn outcome_if_given_up(&self, id: &Uuid) -> Outcome {
        let waiter = self.requests.get(&id.as_u128());
        waiter.map_or(Outcome::Unknown, Waiter::outcome_if_given_up)
    }

    /// Takes the next reply to this request.
    pub(crate) fn poll(
        &mut self,
        id: &Uuid,
        cx: &mut Context<'_>,
    ) -> Poll<Result<RawReply, RequestError>> {
        let expires = self.deadline();
        let Some(waiter) = self.requests.get_mut(&id.as_u128()) else {
            unreachable!("a request stays in the table until its handle is dropped");
        };
        match waiter.replies.pop() {
            Some(reply) => {
                // Each further response has the whole time again.
                let is_cancelled = waiter.marks.has(Marks::CANCELLED);
                if waiter.marks.expires().is_some() && !is_cancelled {
                    waiter.marks.set_expires(expires);
                }
                Poll::Ready(reply)
            }
            None => {
                waiter.register(cx.waker());
                Poll::Pending
            }
        }
    }

    /// For a caller that takes only one reply: when there is one, or an error, removes the request and
    /// returns it. The caller takes the reply out after it has released the lock.
    pub(crate) fn poll_only(&mut self, id: &Uuid, cx: &mut Context<'_>) -> Poll<Waiter> {
        let Entry::Occupied(mut waiting) = self.requests.entry(id.as_u128()) else {
            unreachable!("a request stays in the table until its handle is dropped");
        };
        if waiting.get().replies.is_empty() {
            waiting.get_mut().register(cx.waker());
            return Poll::Pending;
        }
        Poll::Ready(waiting.remove())
    }

    /// The connection has ended. No byte from this position on can have been sent.
    pub(crate) fn fail_all(
        &mut self,
        peer: Option<SocketAddr>,
        error: &ConnectionError,
        last_sent: u64,
        due: &mut WakeList,
    ) {
        let peer = peer.map(Arc::new);
        self.forget_abandoned(|_| true);
        for waiter in self.requests.values_mut() {
            let outcome = waiter.outcome(last_sent);
            waiter.replies.fail(RequestError::Disconnected {
                peer: peer.clone(),
                error: error.clone(),
                outcome,
            });
            if let Some(waker) = waiter.waker.take() {
                due.wake(waker);
            }
        }
    }

    /// The peer executes no message from this number on. `end` is how many messages were queued, and
    /// how many bytes. Returns the transmissions of those that have failed.
    // r[impl ext.leave.peer]
    pub(crate) fn fail_from(
        &mut self,
        taken: u64,
        end: (u64, u64),
        peer: Option<SocketAddr>,
        why: &Arc<GoingAway>,
        due: &mut WakeList,
    ) -> Vec<u64> {
        let peer = peer.map(Arc::new);
        let mut transmissions = Vec::new();
        self.forget_abandoned(|waiter| waiter.is_from(taken, end));
        for waiter in self.requests.values_mut() {
            if waiter.is_answered() || !waiter.is_from(taken, end) {
                continue;
            }
            waiter.replies.fail(RequestError::PeerGoingAway {
                peer: peer.clone(),
                why: Arc::clone(why),
            });
            if let Some(waker) = waiter.waker.take() {
                due.wake(waker);
            }
            transmissions.extend(waiter.transmission.map(NonZeroU64::get));
        }
        transmissions
    }

    /// A tick has passed. Returns how many requests have run out of time.
    pub(crate) fn tick(
        &mut self,
        peer: Option<SocketAddr>,
        transmissions: &mut Transmissions,
        due: &mut WakeList,
    ) -> u64 {
        self.now += 1;
        self.is_ticking = false;
        let now = self.now;
        self.forget_abandoned(|waiter| waiter.is_over(now));
        let mut timed_out = 0;
        // With the second that `deadline` adds, though what moved did so before this tick: a peer whose
        // reader takes nothing for as long says so first, and why.
        let expires = self.deadline();
        let after = Duration::from_secs(self.timeout.unwrap_or_default().into());
        for waiter in self.requests.values_mut() {
            self.is_ticking |= waiter.marks.expires().is_some();
            if waiter
                .transmission
                .is_some_and(|key| transmissions.moves_on(key.get()))
                && waiter.marks.expires().is_some()
            {
                waiter.marks.set_expires(expires);
            }
            if waiter.is_over(now) && !waiter.is_abandoned() && waiter.replies.is_empty() {
                let outcome = waiter.outcome_if_given_up();
                waiter.replies.fail(RequestError::TimedOut {
                    peer: peer.map(Arc::new),
                    after,
                    outcome,
                });
                if let Some(waker) = waiter.waker.take() {
                    due.wake(waker);
                }
                timed_out += 1;
            }
        }
        timed_out
    }

    /// Forgets requests that nobody waits for. Their answers may still come late.
    fn forget_abandoned(&mut self, is_forgotten: impl Fn(&Waiter) -> bool) {
        if self.abandoned == 0 {
            return;
        }
        let (late, abandoned) = (&mut self.late, &mut self.abandoned);
        self.requests.retain(|id, waiter| {
            let is_forgotten = waiter.is_abandoned() && is_forgotten(waiter);
            if is_forgotten {
                *abandoned -= 1;
                late.expect(Uuid::from_u128(*id), false);
            }
            !is_forgotten
        });
    }

    /// One second more than asked for, because the current second has begun already.
    fn deadline(&self) -> Option<NonZeroU32> {
        let timeout = self.timeout?;
        Some(NonZeroU32::MIN.saturating_add(self.now.saturating_add(timeout)))
    }
}

/// The result of delivering a reply. The waker and the reply are used after the connection's lock is released:
/// a waker runs code of any executor, and the destructors of a reply's parts take that lock.
#[must_use]
pub(crate) struct Delivered {
    /// The waker of the request's task.
    pub(crate) waker: Option<Waker>,
    /// The reply, if no request waits for it or has room for it.
    pub(crate) unwanted: Option<Result<RawReply, RequestError>>,
    /// It says that the time of the request is over.
    pub(crate) is_timeout: bool,
}

impl Delivered {
    fn unwanted(reply: Result<RawReply, RequestError>) -> Self {
        Self {
            waker: None,
            unwanted: Some(reply),
            is_timeout: false,
        }
    }
}

/// What the peer is told of a request that is cancelled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cancelling {
    /// The low half of the number of its message.
    pub(crate) number: u32,
    /// The transmission of its files and its stream, if it has any.
    pub(crate) transmission: Option<NonZeroU64>,
    /// Whether there was a reply: then no answer to the cancel follows.
    pub(crate) is_answered: bool,
}

/// Which timeout ends the wait for a reply.
#[derive(Clone, Copy)]
pub(crate) enum ReplyClock {
    /// [`Options::call_timeout`](crate::config::options::Options::call_timeout).
    Default,
    /// The caller's own timer.
    Own,
}

/// A reply as it arrived, before it becomes a value of the public API.
#[derive(Debug)]
pub(crate) enum RawReply {
    /// A code, and what was said of another attempt.
    Fast(FastReply, Option<RetryAfter>),
    /// A response whose payload has arrived.
    Response {
        id: Uuid,
        expects_response: bool,
        payload: PayloadBytes,
        carried: ReceivedParts,
    },
}

impl RawReply {
    /// A refusal as its code alone, for callers that do not read its reason.
    pub(crate) fn without_reason(self) -> Self {
        if let Self::Response { payload, .. } = &self {
            if is_service_error(payload) {
                if let Some((code, _)) = refusal::decode(payload) {
                    return Self::Fast(code, self.retry_after());
                }
            }
        }
        self
    }

    /// What it says about another attempt.
    pub(crate) fn retry_after(&self) -> Option<RetryAfter> {
        match self {
            Self::Fast(_, retry) => *retry,
            Self::Response { .. } => self.described()?.retry,
        }
    }

    /// What was said before it, if it is a response.
    pub(crate) fn described(&self) -> Option<&Arc<Described>> {
        match self {
            Self::Fast(..) => None,
            Self::Response { carried, .. } => carried.described(),
        }
    }
}

/// One request. It is moved when it is inserted and when it is removed, so it is kept small enough
/// to be copied without calling `memcpy`.
pub(crate) struct Waiter {
    start: Place,
    /// The low half of the number of its message.
    number: u32,
    marks: Marks,
    /// The transmission of its files and its stream, if it has any.
    transmission: Option<NonZeroU64>,
    waker: Option<Waker>,
    replies: Replies,
}

/// When a request expires, in ticks, and what is known of its replies: in one number, so that
/// [`Waiter`] stays small.
#[derive(Clone, Copy)]
struct Marks(u32);

impl Marks {
    /// There was a reply.
    const ANSWERED: u32 = 1 << 31;
    /// The last reply was a fast reply: nothing follows one.
    const CODE: u32 = 1 << 30;
    /// A response has begun.
    const EXECUTED: u32 = 1 << 29;
    /// It is a response that expects an answer.
    const RESPONSE: u32 = 1 << 28;
    /// The peer was told that no answer is wanted any more.
    const CANCELLED: u32 = 1 << 27;
    /// Nobody waits for a reply any longer.
    const ABANDONED: u32 = 1 << 26;
    /// Ticks are about seconds, so these are 2 years.
    const EXPIRES: u32 = Self::ABANDONED - 1;

    fn expiring(expires: Option<NonZeroU32>) -> Self {
        let expires = expires.map_or(0, NonZeroU32::get);
        Self(expires.min(Self::EXPIRES))
    }

    fn expires(self) -> Option<NonZeroU32> {
        NonZeroU32::new(self.0 & Self::EXPIRES)
    }

    fn set_expires(&mut self, expires: Option<NonZeroU32>) {
        self.0 = (self.0 & !Self::EXPIRES) | Self::expiring(expires).0;
    }

    #[inline]
    fn set(&mut self, mark: u32, is_set: bool) {
        self.0 = if is_set {
            self.0 | mark
        } else {
            self.0 & !mark
        };
    }

    #[inline]
    fn has(self, mark: u32) -> bool {
        self.0 & mark != 0
    }
}

impl Waiter {
    /// Whether there was a reply.
    #[inline]
    pub(crate) fn is_answered(&self) -> bool {
        self.marks.has(Marks::ANSWERED)
    }

    /// Whether it was cancelled, and nobody waits for the answer.
    #[inline]
    fn is_abandoned(&self) -> bool {
        self.marks.has(Marks::ABANDONED)
    }

    /// Whether its time is over at this tick.
    fn is_over(&self, now: u32) -> bool {
        self.marks.expires().is_some_and(|at| at.get() <= now)
    }

    /// What the peer is told when it is cancelled now; `None` if it was told already.
    pub(crate) fn untold(&self) -> Option<Cancelling> {
        (!self.marks.has(Marks::CANCELLED)).then(|| self.cancelling())
    }

    fn cancelling(&self) -> Cancelling {
        Cancelling {
            number: self.number,
            transmission: self.transmission,
            is_answered: self.is_answered(),
        }
    }

    /// The reply of a request that [`PendingRequests::poll_only`] removed. Other replies are
    /// dropped, so the lock must not be held.
    pub(crate) fn into_reply(mut self) -> Result<RawReply, RequestError> {
        let Some(reply) = self.replies.pop() else {
            unreachable!("there is a reply, or an end");
        };
        reply
    }

    /// The reply, if it is not that its connection has ended.
    #[cfg(feature = "fleet")]
    #[inline]
    pub(crate) fn first(&self) -> Option<&Result<RawReply, RequestError>> {
        self.replies.first.as_ref()
    }

    /// Whether the peer has said that it does not execute it.
    pub(super) fn is_left_out(&self) -> bool {
        matches!(self.replies.end(), Some(RequestError::PeerGoingAway { .. }))
    }

    /// Whether this is a message with this number or a greater one, when `end` is how many messages
    /// and how many bytes were queued.
    fn is_from(&self, taken: u64, (begun, end): (u64, u64)) -> bool {
        if self.marks.has(Marks::EXECUTED) || self.marks.has(Marks::RESPONSE) {
            return false;
        }
        // As long ago that 2^32 messages may have followed, whose numbers look the same.
        if end.saturating_sub(self.start.position) >= 1 << 36 {
            return false;
        }
        let before_end = match (begun as u32).wrapping_sub(self.number) {
            0 => 1 << 32,
            count => u64::from(count),
        };
        begun.saturating_sub(before_end) >= taken
    }

    fn outcome(&self, last_sent: u64) -> Outcome {
        if self.marks.has(Marks::EXECUTED) {
            Outcome::Executed
        } else {
            self.start.outcome(last_sent)
        }
    }

    fn outcome_if_given_up(&self) -> Outcome {
        self.outcome(u64::MAX)
    }

    /// The waker is cloned under the lock, because unlocking for it would cost every call another
    /// lock.
    fn register(&mut self, waker: &Waker) {
        match &mut self.waker {
            Some(known) => known.clone_from(waker),
            None => self.waker = Some(waker.clone()),
        }
    }
}

/// Replies that were not taken yet. Usually there is one, which needs no allocation.
#[derive(Default)]
struct Replies {
    first: Option<Result<RawReply, RequestError>>,
    rest: Option<Box<Rest>>,
}

/// State that few requests need.
#[derive(Default)]
struct Rest {
    more: VecDeque<Result<RawReply, RequestError>>,
    /// The bytes of the payloads of `more`.
    bytes: usize,
    end: Option<RequestError>,
}

impl Replies {
    fn is_empty(&self) -> bool {
        self.first.is_none() && self.end().is_none()
    }

    fn end(&self) -> Option<&RequestError> {
        self.rest.as_ref()?.end.as_ref()
    }

    /// Returns the reply if there are too many already.
    #[inline]
    fn push(
        &mut self,
        reply: Result<RawReply, RequestError>,
    ) -> Option<Result<RawReply, RequestError>> {
        if self.end().is_some() {
            return Some(reply);
        }
        let Some(first) = &self.first else {
            self.first = Some(reply);
            return None;
        };
        let first = payload_size(first);
        let rest = self.rest.get_or_insert_default();
        let bytes = rest.bytes + payload_size(&reply);
        let kept = rest.more.len() + 1;
        if kept < REPLIES_KEPT && first + bytes <= REPLY_BYTES_KEPT {
            rest.bytes = bytes;
            rest.more.push_back(reply);
            return None;
        }
        rest.end = Some(RequestError::Overrun { limit: kept });
        Some(reply)
    }

    fn fail(&mut self, error: RequestError) {
        let rest = self.rest.get_or_insert_default();
        rest.end.get_or_insert(error);
    }

    fn pop(&mut self) -> Option<Result<RawReply, RequestError>> {
        let next = self.first.take();
        let Some(rest) = &mut self.rest else {
            return next;
        };
        self.first = rest.more.pop_front();
        rest.bytes -= self.first.as_ref().map_or(0, payload_size);
        next.or_else(|| rest.end.clone().map(Err))
    }
}

fn payload_size(reply: &Result<RawReply, RequestError>) -> usize {
    match reply {
        Ok(RawReply::Response { payload, .. }) => payload.len(),
        Ok(RawReply::Fast(..)) | Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
    };

    use sockety_codec::ChannelCount;

    use super::*;
    use crate::{engine::negotiated::Negotiated, error::connection::ClosedBy};

    #[test]
    fn a_request_is_small_enough_to_be_moved_in_place() {
        assert!(size_of::<Waiter>() <= 128);
    }

    #[test]
    fn t_m15_no_id_of_a_peer_enters_the_table_of_our_requests() {
        let mut waiting = PendingRequests::new(10, None);
        let ours = Uuid::new_v4();
        waiting.insert(ours, Place::default(), ReplyClock::Own, None, None, 0);
        // They differ in their last bytes alone.
        for number in 0..1000_u64 {
            let mut chosen = *ours.as_bytes();
            chosen[8..].copy_from_slice(&number.to_le_bytes());
            let chosen = Uuid::from_bytes(chosen);
            assert!(!waiting.expects(&chosen));
            let reply = Ok(RawReply::Fast(FastReply::ACCEPT, None));
            assert!(waiting.deliver(&chosen, reply).unwanted.is_some());
        }
        assert_eq!(waiting.requests.len(), 1);
        assert!(waiting.has_unanswered());
    }

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn nobody_is_woken_before_the_lock_is_free() {
        let mut waiting = PendingRequests::new(10, Some(Duration::from_secs(1)));
        let woken = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&woken));
        let ids = [(); 4].map(|()| Uuid::new_v4());
        let expect = |waiting: &mut PendingRequests, id, clock| {
            waiting.insert(id, Place::default(), clock, Some(&waker), None, 0);
        };
        let count = || woken.0.load(Ordering::Relaxed);
        for id in &ids[..3] {
            expect(&mut waiting, *id, ReplyClock::Own);
        }
        expect(&mut waiting, ids[3], ReplyClock::Default);
        let reply = || Ok(RawReply::Fast(FastReply::ACCEPT, None));
        let delivered = waiting.deliver(&ids[0], reply());
        assert!(count() == 0 && delivered.waker.is_some());
        let delivered = waiting.deliver(&ids[1], reply());
        let mut due = WakeList::default();
        delivered
            .waker
            .into_iter()
            .for_each(|waker| due.wake(waker));
        let mut transmissions = Transmissions::new(Negotiated::Base(ChannelCount::MAX));
        assert_eq!(
            (0..3)
                .map(|_| waiting.tick(None, &mut transmissions, &mut due))
                .sum::<u64>(),
            1
        );
        assert_eq!(count(), 0);
        drop(due.take());
        assert_eq!(count(), 2);
        waiting.fail_all(None, &ConnectionError::Closed(ClosedBy::Local), 0, &mut due);
        assert_eq!(count(), 2);
        drop(due.take());
        assert_eq!(count(), 3);
        assert!(due.is_empty());
    }

    #[test]
    fn an_idle_connection_remembers_none_of_5000_answered_requests() {
        let mut waiting = PendingRequests::new(10, None);
        let mut newest = Uuid::new_v4();
        for _ in 0..5000 {
            newest = Uuid::new_v4();
            waiting.insert(newest, Place::default(), ReplyClock::Own, None, None, 0);
            let response = RawReply::Response {
                id: Uuid::new_v4(),
                expects_response: false,
                payload: PayloadBytes::copy_of(b"reply"),
                carried: ReceivedParts::default(),
            };
            let delivered = waiting.deliver(&newest, Ok(response));
            assert!(delivered.unwanted.is_none());
            let answered = waiting.take(&newest).expect("it waits");
            waiting.expect_late(newest, &answered);
        }
        waiting.give_back_memory();
        assert!(waiting.allows_late(&newest, false));
        waiting.give_back_memory();
        waiting.give_back_memory();
        assert!(!waiting.allows_late(&newest, false));
        assert_eq!(waiting.requests.capacity(), 0);
    }
}

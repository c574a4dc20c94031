//! Requests of ours that wait for their replies, found by id.
//!
//! ```text
//! insert ─── by the caller, under the lock that queues its message
//! deliver ── by the driver: returns the waker, which is used after the lock is released
//! poll ───── by the caller's task, which leaves its waker if there is no reply yet
//! remove ─── by the caller, when it has its reply or is dropped
//! ```

use std::{
    collections::{VecDeque, hash_map::Entry},
    num::{NonZeroU32, NonZeroU64},
    task::{Context, Poll, Waker},
    time::Duration,
};

use rustc_hash::FxHashMap;
use sockety_codec::Uuid;

use super::{
    late_replies::LateReplies,
    receive::parts::ReceivedParts,
    send::{outbox::Place, transmissions::Transmissions},
    ticks,
    wake_list::WakeList,
};
use crate::{
    error::{connection::ConnectionError, request::RequestError},
    fast_reply::FastReply,
    outcome::Outcome,
    payload::payload_bytes::PayloadBytes,
};

/// How many replies to one request are kept until they are taken.
pub(crate) const REPLIES_KEPT: usize = 64;

/// How many bytes of payloads they may have together, unless the first has more alone.
const REPLY_BYTES_KEPT: usize = 8 * 1024 * 1024;

/// All pending requests of one connection. Guarded by the connection's lock.
pub(crate) struct PendingRequests {
    /// By id, as a number: hashing that takes fewer instructions than hashing its bytes. The hash
    /// needs no secret, because our own ids are random and no peer chooses a key of this table.
    requests: FxHashMap<u128, Waiter>,
    /// Requests that were given up, except after a fast reply: replies to them may still come.
    late: LateReplies,
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
            limit,
            timeout: timeout.map(ticks::seconds),
            now: 0,
            clock: None,
            is_ticking: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty()
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
        self.requests.values().any(|waiter| !waiter.is_answered)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.requests.len() >= self.limit
    }

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
    ) {
        let expires = match clock {
            ReplyClock::Default => self.deadline(),
            ReplyClock::Own => None,
        };
        self.requests.insert(
            id.as_u128(),
            Waiter {
                start,
                expires,
                transmission: transmission.and_then(NonZeroU64::new),
                is_answered: false,
                has_code: false,
                is_executed: false,
                waker: waker.cloned(),
                replies: Replies::default(),
            },
        );
    }

    pub(crate) fn set_clock(&mut self, clock: Option<Waker>) {
        self.clock = clock;
    }

    /// Starts the clock, unless it runs, after a request with a deadline was added.
    #[inline]
    pub(crate) fn start_clock(&mut self, clock: ReplyClock, due: &mut WakeList) {
        if !self.is_ticking && matches!(clock, ReplyClock::Default) && self.timeout.is_some() {
            self.is_ticking = true;
            self.clock.iter().for_each(|clock| due.wake(clock.clone()));
        }
    }

    /// Whether any request had a deadline at the last tick, or has one since.
    pub(crate) fn is_ticking(&self) -> bool {
        self.is_ticking
    }

    /// Removes a request. The caller drops the result after it has released the lock, because
    /// replies that were not taken take it when they are dropped.
    ///
    /// Unless the last reply was a fast reply, more may come, and are not held against the peer.
    pub(crate) fn remove(&mut self, id: &Uuid) -> Option<Waiter> {
        let waiter = self.requests.remove(&id.as_u128())?;
        if !waiter.has_code {
            self.late.expect(*id, waiter.is_answered);
        }
        Some(waiter)
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
            return Delivered {
                waker: None,
                unwanted: Some(reply),
            };
        };
        waiter.is_answered = true;
        waiter.has_code = matches!(reply, Ok(RawReply::Fast(_)));
        waiter.is_executed |= matches!(reply, Ok(RawReply::Response { .. }));
        let unwanted = waiter.replies.push(reply);
        Delivered {
            waker: waiter.waker.take(),
            unwanted,
        }
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

    pub(crate) fn expects(&self, parent: &Uuid) -> bool {
        self.requests.contains_key(&parent.as_u128())
    }

    /// A response to this request begins: its handler ran, even if the rest of the response is
    /// lost. Returns whether the request still waits.
    pub(crate) fn begin_response(&mut self, parent: &Uuid) -> bool {
        let waiter = self.requests.get_mut(&parent.as_u128());
        waiter.map(|waiter| waiter.is_executed = true).is_some()
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
                if waiter.expires.is_some() {
                    waiter.expires = expires;
                }
                Poll::Ready(reply)
            }
            None => {
                waiter.register(cx.waker());
                Poll::Pending
            }
        }
    }

    /// For a caller that takes only one reply: when there is one, removes the request and returns
    /// it. The caller takes the reply out after it has released the lock.
    pub(crate) fn poll_only(&mut self, id: &Uuid, cx: &mut Context<'_>) -> Poll<Waiter> {
        let Entry::Occupied(mut waiting) = self.requests.entry(id.as_u128()) else {
            unreachable!("a request stays in the table until its handle is dropped");
        };
        if waiting.get().replies.is_empty() {
            waiting.get_mut().register(cx.waker());
            return Poll::Pending;
        }
        let waiter = waiting.remove();
        // If the wait ended without a reply, a late one may come. After a reply, no more are
        // expected.
        if !waiter.is_answered {
            self.late.expect(*id, false);
        }
        Poll::Ready(waiter)
    }

    /// The connection has ended. No byte from this position on can have been sent.
    pub(crate) fn fail_all(&mut self, error: &ConnectionError, last_sent: u64, due: &mut WakeList) {
        for waiter in self.requests.values_mut() {
            let outcome = waiter.outcome(last_sent);
            waiter.replies.fail(RequestError::Disconnected {
                error: error.clone(),
                outcome,
            });
            if let Some(waker) = waiter.waker.take() {
                due.wake(waker);
            }
        }
    }

    /// A tick has passed. Returns how many requests have run out of time.
    pub(crate) fn tick(&mut self, transmissions: &mut Transmissions, due: &mut WakeList) -> u64 {
        self.now += 1;
        self.is_ticking = false;
        let mut timed_out = 0;
        let expires = self.deadline();
        let after = Duration::from_secs(self.timeout.unwrap_or_default().into());
        for waiter in self.requests.values_mut() {
            self.is_ticking |= waiter.expires.is_some();
            if waiter
                .transmission
                .is_some_and(|key| transmissions.moves_on(key.get()))
                && waiter.expires.is_some()
            {
                waiter.expires = expires;
            }
            if waiter.expires.is_some_and(|at| at.get() <= self.now) && waiter.replies.is_empty() {
                let outcome = waiter.outcome_if_given_up();
                waiter
                    .replies
                    .fail(RequestError::TimedOut { after, outcome });
                if let Some(waker) = waiter.waker.take() {
                    due.wake(waker);
                }
                timed_out += 1;
            }
        }
        timed_out
    }

    /// One second more than asked for, because the current second has begun already.
    fn deadline(&self) -> Option<NonZeroU32> {
        let timeout = self.timeout?;
        Some(NonZeroU32::MIN.saturating_add(self.now.saturating_add(timeout)))
    }
}

/// The result of delivering a reply. Both fields are used after the connection's lock is released:
/// a waker runs code of any executor, and the destructors of a reply's parts take that lock.
#[must_use]
pub(crate) struct Delivered {
    /// The waker of the request's task.
    pub(crate) waker: Option<Waker>,
    /// The reply, if no request waits for it or has room for it.
    pub(crate) unwanted: Option<Result<RawReply, RequestError>>,
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
    Fast(FastReply),
    /// A response whose payload has arrived.
    Response {
        id: Uuid,
        expects_response: bool,
        payload: PayloadBytes,
        carried: ReceivedParts,
    },
}

/// One request. It is moved when it is inserted and when it is removed, so it is kept small enough
/// to be copied without calling `memcpy`.
pub(crate) struct Waiter {
    start: Place,
    expires: Option<NonZeroU32>,
    /// The transmission of its files and its stream, if it has any.
    transmission: Option<NonZeroU64>,
    is_answered: bool,
    /// Whether its last reply was a fast reply: nothing follows one.
    has_code: bool,
    /// A response has begun.
    is_executed: bool,
    waker: Option<Waker>,
    replies: Replies,
}

impl Waiter {
    /// The reply of a request that [`PendingRequests::poll_only`] removed. Other replies are
    /// dropped, so the lock must not be held.
    pub(crate) fn into_reply(mut self) -> Result<RawReply, RequestError> {
        let Some(reply) = self.replies.pop() else {
            unreachable!("there is a reply, or an end");
        };
        reply
    }

    fn outcome(&self, last_sent: u64) -> Outcome {
        if self.is_executed {
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
        Ok(RawReply::Fast(_)) | Err(_) => 0,
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
    use crate::error::connection::ClosedBy;

    #[test]
    fn t_m15_no_id_of_a_peer_enters_the_table_of_our_requests() {
        let mut waiting = PendingRequests::new(10, None);
        let ours = Uuid::new_v4();
        waiting.insert(ours, Place::default(), ReplyClock::Own, None, None);
        // They differ in their last bytes alone.
        for number in 0..1000_u64 {
            let mut chosen = *ours.as_bytes();
            chosen[8..].copy_from_slice(&number.to_le_bytes());
            let chosen = Uuid::from_bytes(chosen);
            assert!(!waiting.expects(&chosen));
            let reply = Ok(RawReply::Fast(FastReply::ACCEPT));
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
            waiting.insert(id, Place::default(), clock, Some(&waker), None);
        };
        let count = || woken.0.load(Ordering::Relaxed);
        for id in &ids[..3] {
            expect(&mut waiting, *id, ReplyClock::Own);
        }
        expect(&mut waiting, ids[3], ReplyClock::Default);
        let reply = || Ok(RawReply::Fast(FastReply::ACCEPT));
        let delivered = waiting.deliver(&ids[0], reply());
        assert!(count() == 0 && delivered.waker.is_some());
        let delivered = waiting.deliver(&ids[1], reply());
        let mut due = WakeList::default();
        delivered
            .waker
            .into_iter()
            .for_each(|waker| due.wake(waker));
        let mut transmissions = Transmissions::new(ChannelCount::MAX);
        assert_eq!(
            (0..3)
                .map(|_| waiting.tick(&mut transmissions, &mut due))
                .sum::<u64>(),
            1
        );
        assert_eq!(count(), 0);
        drop(due.take());
        assert_eq!(count(), 2);
        waiting.fail_all(&ConnectionError::Closed(ClosedBy::Local), 0, &mut due);
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
            waiting.insert(newest, Place::default(), ReplyClock::Own, None, None);
            let response = RawReply::Response {
                id: Uuid::new_v4(),
                expects_response: false,
                payload: PayloadBytes::copy_of(b"reply"),
                carried: ReceivedParts::default(),
            };
            let delivered = waiting.deliver(&newest, Ok(response));
            assert!(delivered.unwanted.is_none());
            assert!(waiting.remove(&newest).is_some());
        }
        waiting.give_back_memory();
        assert!(waiting.allows_late(&newest, false));
        waiting.give_back_memory();
        waiting.give_back_memory();
        assert!(!waiting.allows_late(&newest, false));
        assert_eq!(waiting.requests.capacity(), 0);
    }
}

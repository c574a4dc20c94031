//! Everything that the mutex of a connection guards.

use super::{
    pending::{Delivered, PendingRequests, RawReply},
    send::{
        outbox::{Outbox, Place},
        pacing::Pacing,
        parcel::{Parcel, Submitted},
        payload::Payload,
        transmissions::Transmissions,
        wait_queue::Line,
    },
};
use crate::{
    error::{
        connection::{ClosedBy, ConnectionError},
        refusal::{self, reads_reasons},
        request::RequestError,
        send::SendError,
        source::SourceError,
    },
    fast_reply::{FastReply, FrameworkCode, PRESENT_ACTION},
    msgpack::__private::is_service_error,
    outcome::Outcome,
    sync::MutexGuard,
};
use sockety_codec::{ChannelId, Head, MessageHead, ResponseHead, Uuid};
use std::{
    ops::{Deref, DerefMut},
    task::Waker,
};
use tokio::time::Instant;

/// Everything under the lock. While it is held, no user code runs, nothing is awaited, and no other
/// lock is taken: that of an [`Intake`](super::receive::intake::Intake) never together with it.
pub(crate) struct State {
    pub(crate) outbox: Outbox,
    pub(crate) transmissions: Transmissions,
    pub(crate) pending: PendingRequests,
    /// The position in the outbox of the newest request without files or a stream.
    pub(crate) newest_request: u64,
    /// Exists while files or streams were sent recently.
    pub(crate) pacing: Option<Box<Pacing>>,
    pub(crate) phase: Phase,
    /// After the end: no byte from this position on was or will be sent.
    pub(crate) last_sent: u64,
    /// Whether the peer is about to close. It accepts no new messages, but finishes the ones it
    /// has.
    pub(crate) is_peer_going_away: bool,
    /// The driver's waker, while it sleeps. Whoever wakes the driver takes it.
    pub(crate) driver: Option<Waker>,
}

/// The state while its lock is held. Dropping it releases the lock, then wakes the tasks that
/// became due.
pub(crate) struct Locked<'a> {
    /// `None` only while this is dropped. Small enough to be returned in registers.
    state: Option<MutexGuard<'a, State>>,
}

impl<'a> Locked<'a> {
    #[inline]
    pub(crate) fn new(state: MutexGuard<'a, State>) -> Self {
        Self { state: Some(state) }
    }

    /// Releases the lock, and then wakes the tasks that became due.
    #[cold]
    #[inline(never)]
    pub(crate) fn unlock(mut state: MutexGuard<'a, State>) {
        let due = state.outbox.due.take();
        // In this order, because a waker may run any code, and the task that it wakes takes the
        // lock.
        drop(state);
        drop(due);
    }
}

impl Deref for Locked<'_> {
    type Target = State;

    #[inline]
    fn deref(&self) -> &State {
        match &self.state {
            Some(state) => state,
            None => unreachable!("the lock is held until this is dropped"),
        }
    }
}

impl DerefMut for Locked<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut State {
        match &mut self.state {
            Some(state) => state,
            None => unreachable!("the lock is held until this is dropped"),
        }
    }
}

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.outbox.due.is_empty() {
            if let Some(state) = self.state.take() {
                Self::unlock(state);
            }
        }
    }
}

/// ```text
///  ┌── shutdown() ──▶ Draining ── all done, or out of time ────────────┐
/// Open                  └───────┐                                      ▼
///  ├── close(), last handle dropped, peer's end ──▶ Closing ────────▶ Ended
///  └──────────────────────────── error ───────────────────────────────▲
/// ```
#[derive(Clone)]
pub(crate) enum Phase {
    Open,
    /// The peer was told that this side is going away. Everything accepted by either side is
    /// finished.
    Draining {
        /// The time limit for that.
        seconds: u32,
    },
    /// No new message is accepted. Replies still are, and everything accepted is written.
    Closing(ClosedBy),
    Ended(ConnectionError),
}

impl State {
    pub(crate) fn needs_driver(&self) -> bool {
        self.has_work() || !matches!(self.phase, Phase::Open)
    }

    /// The driver goes to sleep, under the same lock under which it found nothing to do.
    pub(crate) fn park(&mut self, waker: &Waker) {
        self.driver = Some(waker.clone());
    }

    /// The driver is awake. Returns its waker, or `None` if that was used to wake it.
    pub(crate) fn unpark(&mut self) -> Option<Waker> {
        self.driver.take()
    }

    /// Whether the next bytes to write are a request, and the only one in flight.
    pub(crate) fn is_lone_call(&self) -> bool {
        self.pending.len() == 1 && self.newest_request == self.outbox.taken()
    }

    /// Whether there is anything to write that the driver has not taken yet.
    pub(crate) fn has_work(&self) -> bool {
        self.outbox.has_new() || (self.transmissions.has_ready() && !self.is_held())
    }

    /// Whether files and streams have to wait until the peer has read more.
    pub(crate) fn is_held(&self) -> bool {
        let pacing = self.pacing.as_ref();
        pacing.is_some_and(|pacing| pacing.is_holding(self.outbox.place()))
    }

    /// Whether calls are made while files or streams are sent.
    pub(crate) fn is_beside_calls(&self) -> bool {
        let pacing = self.pacing.as_ref();
        pacing.is_some_and(|pacing| pacing.is_beside_calls())
    }

    /// The driver is about to sleep. Returns when it must wake up to send files and streams that
    /// are held back, if any are.
    pub(crate) fn held_until(&mut self) -> Option<Instant> {
        if !self.transmissions.has_ready() || !self.is_held() {
            return None;
        }
        let pacing = self.pacing.as_mut()?;
        pacing.on_held();
        pacing.deadline()
    }

    /// The time that [`State::held_until`] returned has come.
    pub(crate) fn hold_no_longer(&mut self) {
        if let Some(pacing) = &mut self.pacing {
            pacing.on_deadline(Instant::now());
        }
    }

    /// Whether everything that was accepted is written.
    pub(crate) fn is_all_written(&self) -> bool {
        self.outbox.waiting() == 0 && self.transmissions.is_empty()
    }

    /// The peer accepts no new messages: senders that wait for room are told. Returns whether it
    /// says so for the first time.
    pub(crate) fn on_go_away(&mut self) -> bool {
        let is_first = !std::mem::replace(&mut self.is_peer_going_away, true);
        self.outbox.wake_space();
        is_first
    }

    /// Returns memory to the allocator, after nothing was written for a while.
    pub(crate) fn give_back_memory(&mut self) {
        self.outbox.give_back_memory();
        self.pacing = None;
        self.pending.give_back_memory();
    }

    /// Whether everything is written, and no request of ours waits for a reply.
    pub(crate) fn is_all_done(&self) -> bool {
        self.is_all_written() && self.pending.is_empty()
    }

    /// Whether this may be queued now: [`SendError::Full`] when it has to wait for that.
    #[inline]
    pub(crate) fn check(&self, line: Line) -> Result<(), SendError> {
        match line {
            Line::Message | Line::CarryingMessage => self.check_open()?,
            Line::Response | Line::CarryingResponse | Line::Code => self.check_replies()?,
        }
        let has_channel = match line {
            Line::Message | Line::Response => self.has_whole_channel()?,
            Line::CarryingMessage | Line::CarryingResponse => self.has_carrying_channel()?,
            // It needs no channel.
            Line::Code => true,
        };
        if has_channel && !self.outbox.is_full() {
            Ok(())
        } else {
            Err(SendError::Full)
        }
    }

    /// A message that is whole goes on channel 0, which only a peer with a single channel ever sees
    /// occupied.
    #[inline]
    fn has_whole_channel(&self) -> Result<bool, SendError> {
        let is_free = self.outbox.is_free(ChannelId::ZERO);
        if !is_free && self.transmissions.channels.is_exhausted() {
            return Err(SendError::ChannelsExhausted);
        }
        Ok(is_free)
    }

    fn has_carrying_channel(&self) -> Result<bool, SendError> {
        if self.transmissions.channels.is_exhausted() {
            return Err(SendError::ChannelsExhausted);
        }
        Ok(self.transmissions.channels.is_available())
    }

    pub(crate) fn takes_calls(&self) -> bool {
        let channels = &self.transmissions.channels;
        self.check_open().is_ok() && !channels.is_exhausted() && !channels.is_running_low()
    }

    /// Whether a server ends the connection in order, so that its peer connects again before there are
    /// no channels left.
    pub(crate) fn is_to_be_replaced(&self) -> bool {
        self.transmissions.channels.is_to_be_replaced() && matches!(self.phase, Phase::Open)
    }

    pub(crate) fn check_open(&self) -> Result<(), SendError> {
        match &self.phase {
            Phase::Open | Phase::Draining { .. } if self.is_peer_going_away => {
                Err(SendError::PeerGoingAway)
            }
            Phase::Open | Phase::Draining { .. } => Ok(()),
            Phase::Closing(by) => Err(SendError::Disconnected(ConnectionError::Closed(*by))),
            Phase::Ended(error) => Err(SendError::Disconnected(error.clone())),
        }
    }

    pub(crate) fn check_replies(&self) -> Result<(), SendError> {
        match &self.phase {
            Phase::Open | Phase::Draining { .. } | Phase::Closing(_) => Ok(()),
            Phase::Ended(error) => Err(SendError::Disconnected(error.clone())),
        }
    }

    /// Why the connection is over, if it is.
    pub(crate) fn ended(&self) -> Option<ConnectionError> {
        match &self.phase {
            Phase::Open | Phase::Draining { .. } | Phase::Closing(_) => None,
            Phase::Ended(error) => Some(error.clone()),
        }
    }

    /// Queues a message or a response, and expects replies if its header says so. A task that waits
    /// for them passes its waker. On an error, nothing was queued.
    pub(crate) fn submit(
        &mut self,
        parcel: &mut Parcel<'_>,
        waker: Option<&Waker>,
    ) -> Result<Submitted, SendError> {
        let expects_response = parcel.expects_response();
        if expects_response && self.pending.is_full() {
            let limit = self.pending.limit();
            return Err(SendError::Busy { limit });
        }
        let place = self.outbox.place();
        let transmission = match parcel.layout {
            None => {
                let (head, payload) = (parcel.head, parcel.payload);
                self.outbox.submit(ChannelId::ZERO, head, payload, None)?;
                None
            }
            Some(_) => Some(self.begin(parcel)?),
        };
        if expects_response {
            // Under the lock that queued it, so that no reply can come before.
            let (id, clock) = (parcel.id(), parcel.clock);
            self.pending.insert(id, place, clock, waker, transmission);
            self.pending.start_clock(clock, &mut self.outbox.due);
            if transmission.is_none() && matches!(parcel.head, Head::Message(_)) {
                self.newest_request = place.position;
                if let Some(pacing) = &mut self.pacing {
                    pacing.on_request(place);
                }
            }
        }
        Ok(Submitted {
            start: place,
            end: self.outbox.end(),
            transmission,
        })
    }

    /// Begins a transmission, on a channel that is its alone until it has ended.
    fn begin(&mut self, parcel: &mut Parcel<'_>) -> Result<u64, SendError> {
        let (id, parent) = (parcel.id(), parcel.parent());
        let channel = self.transmissions.channels.take().ok_or(SendError::Full)?;
        let layout = parcel.layout.as_deref();
        let written = self
            .outbox
            .submit(channel, parcel.head, parcel.payload, layout);
        if let Err(error) = written {
            self.transmissions.channels.give_back(channel);
            return Err(error.into());
        }
        let parts = parcel.layout.as_mut().map(|layout| layout.take_parts());
        let parts = parts.unwrap_or_default();
        Ok(self.transmissions.begin(id, parent, channel, parts))
    }

    /// Moves pieces of files and streams into the outbox, in turn, behind what waits there, until
    /// `amount` bytes wait. At least half of `amount` is moved in any case, as calls may fill the
    /// outbox again and again.
    pub(crate) fn fill(&mut self, amount: u64) {
        let share = amount.saturating_sub(self.outbox.waiting()).max(amount / 2);
        let until = self.outbox.place().content + share;
        while self.transmissions.has_ready() {
            let end = self.outbox.place();
            if end.content >= until {
                return;
            }
            let pacing = self
                .pacing
                .get_or_insert_with(|| Box::new(Pacing::new(end)));
            if pacing.is_holding(end) {
                return;
            }
            let Some(turn) = self.transmissions.turn(&mut self.outbox.due) else {
                return;
            };
            let written = self
                .outbox
                .content(turn.channel, turn.kind, turn.chunks, turn.is_end);
            if let Err(error) = written {
                // More than was announced, which the writer of a part checks first.
                debug_assert!(false, "content breaks the protocol: {error}");
                self.abort(turn.transmission, SourceError::GivenUp);
            } else if turn.is_last {
                let end = self.outbox.end();
                let due = &mut self.outbox.due;
                self.transmissions.complete(turn.transmission, end, due);
                self.outbox.wake_space();
            }
        }
    }

    /// Aborts a message whose files or stream are being sent. The task that waits for its reply is
    /// told why.
    pub(crate) fn abort(&mut self, transmission: u64, error: SourceError) {
        let due = &mut self.outbox.due;
        let Some((id, channel)) = self.transmissions.abort(transmission, error.clone(), due) else {
            return;
        };
        self.on_aborted(channel);
        let delivered = self.pending.deliver(&id, Err(RequestError::Source(error)));
        if let Some(waker) = delivered.waker {
            self.outbox.due.wake(waker);
        }
        self.outbox.wake_space();
    }

    fn on_aborted(&mut self, channel: ChannelId) {
        self.outbox.abort(channel);
        if self.transmissions.channels.on_aborted(channel) {
            self.outbox.reuse(channel);
        } else if self.transmissions.channels.should_ask() && self.check_open().is_ok() {
            let id = Uuid::new_v4();
            let head = MessageHead::new(id, PRESENT_ACTION).expecting_response(true);
            let payload = Payload::Copied(&[]);
            let zero = ChannelId::ZERO;
            if self.outbox.submit(zero, head.into(), payload, None).is_ok() {
                self.transmissions.channels.on_asked(id);
            }
        }
    }

    /// The peer answered with a code of this framework: it takes notice of aborts.
    #[cold]
    fn on_framework_code(&mut self) {
        if self.transmissions.channels.takes_notice() {
            return;
        }
        for channel in self.transmissions.channels.on_notice() {
            self.outbox.reuse(channel);
        }
        self.outbox.wake_space();
    }

    /// The peer answered a question that only this framework knows, or did not.
    #[cold]
    fn on_answer(&mut self, reply: &Result<RawReply, RequestError>) -> Delivered {
        match reply {
            Ok(RawReply::Fast(code)) if FrameworkCode::is_one(*code) => self.on_framework_code(),
            _ => {
                self.transmissions.channels.on_no_notice();
                self.outbox.wake_space();
            }
        }
        Delivered {
            waker: None,
            unwanted: None,
        }
    }

    /// Hands a reply to the request that waits for it. The caller wakes its task, and drops an
    /// unwanted reply, after the lock is released.
    ///
    /// If the peer refused the message unread, the rest of its files and its stream is not sent.
    #[inline]
    pub(crate) fn deliver(
        &mut self,
        parent: &Uuid,
        reply: Result<RawReply, RequestError>,
    ) -> Delivered {
        if self.transmissions.channels.is_question(parent) {
            return self.on_answer(&reply);
        }
        if let Some(code) = refusal_code(parent, &reply) {
            if FrameworkCode::means_unread(code) || means_unread_with_reason(code, &reply) {
                if FrameworkCode::is_one(code) {
                    self.on_framework_code();
                }
                if let Some(transmission) = self.pending.transmission(parent) {
                    self.withdraw(transmission);
                }
            }
        }
        if let Some(pacing) = &mut self.pacing {
            if let Some(start) = self.pending.start(parent) {
                pacing.on_reply(start);
            }
        }
        self.pending.deliver(parent, reply)
    }

    /// Queues the answer to a message that is refused, even if the outbox is full: the response with
    /// the reason if there is one, and room for it, else the code.
    pub(crate) fn refuse(&mut self, id: Uuid, code: FastReply, response: Option<&[u8]>) {
        if let Some(payload) = response {
            if self.check(Line::Response).is_ok() {
                let head = ResponseHead::new(id, Uuid::new_v4()).into();
                let payload = Payload::Copied(payload);
                let zero = ChannelId::ZERO;
                if self.outbox.submit(zero, head, payload, None).is_ok() {
                    return;
                }
            }
        }
        self.outbox.unasked_reply(id, code);
    }

    /// Stops sending a message that the peer refused.
    pub(crate) fn withdraw(&mut self, transmission: u64) {
        let due = &mut self.outbox.due;
        let refused = SourceError::Refused;
        let Some((_, channel)) = self.transmissions.abort(transmission, refused, due) else {
            return;
        };
        self.on_aborted(channel);
        self.outbox.wake_space();
    }

    /// Queues one-way messages that are encoded already.
    pub(crate) fn submit_encoded(&mut self, bytes: &[u8]) -> Result<Submitted, SendError> {
        let start = self.outbox.place();
        self.outbox.prepared(bytes)?;
        Ok(Submitted {
            start,
            end: self.outbox.end(),
            transmission: None,
        })
    }

    /// A task no longer waits until a message is written: at its position, or for its transmission.
    pub(crate) fn forget_wait(&mut self, position: Option<u64>, transmission: Option<u64>) {
        if let Some(position) = position {
            self.outbox.forget_progress(position);
        }
        if let Some(key) = transmission {
            self.transmissions.unwatch(key, &mut self.outbox.due);
        }
    }

    /// What is known about a message without a reply, when the connection has ended.
    pub(crate) fn outcome_from(&self, start: Place) -> Outcome {
        start.outcome(self.last_sent)
    }

    /// A tick of the driver has passed.
    pub(crate) fn tick(&mut self) {
        self.outbox.on_tick();
        if self.transmissions.channels.is_unanswered() {
            self.transmissions.channels.on_no_notice();
            self.outbox.wake_space();
        }
    }

    /// A tick of the clock of calls has passed. Returns how many requests have run out of time.
    pub(crate) fn tick_calls(&mut self) -> u64 {
        self.pending
            .tick(&mut self.transmissions, &mut self.outbox.due)
    }

    /// Ends the connection: fails every request that waits, and wakes every task.
    pub(crate) fn end(&mut self, error: ConnectionError, unwritten: Unwritten) {
        if let Phase::Ended(_) = self.phase {
            return;
        }
        // Before the requests fail, because it decides their outcomes.
        self.last_sent = match unwritten {
            Unwritten::Dropped => self.outbox.last_sent(),
            Unwritten::Sent => self.outbox.end(),
        };
        self.pending
            .fail_all(&error, self.last_sent, &mut self.outbox.due);
        let disconnected = SourceError::Disconnected(error.clone());
        self.transmissions
            .abort_all(&disconnected, &mut self.outbox.due);
        self.phase = Phase::Ended(error);
        self.outbox.wake_all();
    }
}

/// What becomes of bytes that wait to be written when a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwritten {
    Dropped,
    Sent,
}

/// A handler may answer with code 4, and read on. With a reason it is the framework's: parameters
/// that cannot be read, or a stream over its limit.
fn means_unread_with_reason(code: FastReply, reply: &Result<RawReply, RequestError>) -> bool {
    code == FastReply::BAD_REQUEST && matches!(reply, Ok(RawReply::Response { .. }))
}

/// The code of a reply that refuses a request: alone, or with a reason if the request asked for it.
///
/// Called under the lock, so nothing large is decoded.
#[inline]
fn refusal_code(parent: &Uuid, reply: &Result<RawReply, RequestError>) -> Option<FastReply> {
    match reply {
        Ok(RawReply::Fast(code)) => Some(*code),
        Ok(RawReply::Response { payload, .. })
            if is_service_error(payload)
                && payload.len() <= refusal::LARGEST
                && reads_reasons(parent) =>
        {
            refusal::decode(payload).map(|(code, _)| code)
        }
        Ok(RawReply::Response { .. }) | Err(_) => None,
    }
}

impl Unwritten {
    /// A connection that we end because of what the peer did can still carry pending replies.
    pub(crate) fn of(error: &ConnectionError) -> Self {
        match error {
            ConnectionError::Protocol(_) | ConnectionError::Limit(_) => Self::Sent,
            ConnectionError::Closed(_)
            | ConnectionError::Truncated(_)
            | ConnectionError::Idle(_)
            | ConnectionError::WriteStalled(_)
            | ConnectionError::Io(_) => Self::Dropped,
        }
    }
}

//! Everything that the mutex of a connection guards.

mod accepted;
mod content;
mod leaving;
mod replies;

use super::{
    early_end::Number,
    leaving::Leaving,
    pending::{Cancelling, PendingRequests, Waiter},
    ping::Pings,
    send::{
        outbox::{Block, Outbox, Place},
        pacing::Pacer,
        parcel::{Parcel, Submitted},
        transmissions::Transmissions,
        wait_queue::Line,
    },
};
use crate::{
    error::{
        connection::{ClosedBy, ConnectionError},
        request::RequestError,
        send::SendError,
        source::SourceError,
    },
    fast_reply::FrameworkCode,
    metadata::{Metadata, RetryAfter},
    outcome::Outcome,
    sync::MutexGuard,
};
use sockety_codec::{
    ChannelId, Head, Uuid,
    extension::{Settings, metadata},
};
use std::{
    collections::HashSet,
    net::SocketAddr,
    ops::{Deref, DerefMut},
    sync::Arc,
    task::{Context, Poll, Waker},
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
    pub(crate) pacing: Pacer,
    pub(crate) phase: Phase,
    /// After the end: no byte from this position on was or will be sent.
    pub(crate) last_sent: u64,
    /// Whether the peer is about to close. It accepts no new messages, but finishes the ones it
    /// has.
    pub(crate) is_peer_going_away: bool,
    /// What was said about the end; `None` if nothing was.
    pub(crate) leaving: Option<Box<Leaving>>,
    /// `None` if none was sent.
    pub(crate) pings: Option<Box<Pings>>,
    /// Whether the extension is active.
    pub(crate) is_extended: bool,
    /// What its peer accepts then, once it has said so. The driver has them, too.
    pub(crate) accepts: Option<Arc<Settings>>,
    /// What is known of answers that this side owes. `None` if nothing is.
    pub(crate) owed: Option<Box<Owed>>,
    /// Its address, for errors.
    pub(crate) peer: Option<SocketAddr>,
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
        until: Instant,
    },
    /// No new message is accepted. Replies still are, and everything accepted is written.
    Closing {
        by: ClosedBy,
        /// The time limit of a shutdown, if there is one.
        until: Option<Instant>,
    },
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
        let pacing = self.pacing.active();
        pacing.is_some_and(|pacing| pacing.is_holding(self.outbox.place()))
    }

    /// Whether calls are made while files or streams are sent.
    pub(crate) fn is_beside_calls(&self) -> bool {
        let pacing = self.pacing.active();
        pacing.is_some_and(|pacing| pacing.is_beside_calls())
    }

    /// The driver is about to sleep. Returns when it must wake up to send files and streams that
    /// are held back, if any are.
    pub(crate) fn held_until(&mut self) -> Option<Instant> {
        if !self.transmissions.has_ready() || !self.is_held() {
            return None;
        }
        let pacing = self.pacing.active_mut()?;
        pacing.on_held();
        pacing.deadline()
    }

    /// The time that [`State::held_until`] returned has come.
    pub(crate) fn hold_no_longer(&mut self) {
        if let Some(pacing) = self.pacing.active_mut() {
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
        self.pacing = Pacer::Idle;
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
        if !is_free {
            self.check_channels()?;
        }
        Ok(is_free)
    }

    fn has_carrying_channel(&self) -> Result<bool, SendError> {
        self.check_channels()?;
        Ok(self.transmissions.channels.is_available())
    }

    #[inline]
    fn check_channels(&self) -> Result<(), SendError> {
        let channels = &self.transmissions.channels;
        if channels.is_exhausted() {
            let channels = channels.usable();
            return Err(SendError::ChannelsExhausted { channels });
        }
        Ok(())
    }

    pub(crate) fn takes_calls(&self) -> bool {
        self.check_open().is_ok() && !self.lacks_channels()
    }

    /// Whether it takes no calls only because too many channels are lost, which its peer may not know.
    #[cfg(feature = "fleet")]
    pub(crate) fn is_used_up(&self) -> bool {
        self.check_open().is_ok() && self.lacks_channels()
    }

    fn lacks_channels(&self) -> bool {
        let channels = &self.transmissions.channels;
        channels.is_exhausted() || channels.is_running_low()
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
            Phase::Closing { by, .. } => Err(self.disconnected(self.closed(*by))),
            Phase::Ended(error) => Err(self.disconnected(error.clone())),
        }
    }

    pub(crate) fn check_replies(&self) -> Result<(), SendError> {
        match &self.phase {
            Phase::Open | Phase::Draining { .. } | Phase::Closing { .. } => Ok(()),
            Phase::Ended(error) => Err(self.disconnected(error.clone())),
        }
    }

    fn disconnected(&self, error: ConnectionError) -> SendError {
        let peer = self.peer.map(Arc::new);
        SendError::Disconnected { peer, error }
    }

    /// For a caller that takes only one reply: when there is one, or an error, removes the request and
    /// returns it. Without a reply the request is given up: then the caller wakes the driver, as
    /// [`Shared::change`](super::shared::Shared::change) does.
    #[inline]
    pub(crate) fn poll_only(&mut self, id: &Uuid, cx: &mut Context<'_>) -> Poll<Waiter> {
        let polled = self.pending.poll_only(id, cx);
        if let Poll::Ready(waiter) = &polled {
            if !waiter.is_answered() {
                self.on_given_up(id, waiter);
            }
        }
        polled
    }

    /// Gives up a request that was queued. The caller drops the result after it has released the
    /// lock.
    pub(crate) fn give_up(&mut self, id: &Uuid) -> Option<Waiter> {
        let waiter = self.pending.take(id)?;
        self.on_given_up(id, &waiter);
        Some(waiter)
    }

    /// A request was given up. A peer with the extension learns that nobody waits any more, unless it
    /// has answered, or never will.
    // r[impl ext.cancel.when]
    fn on_given_up(&mut self, id: &Uuid, waiter: &Waiter) {
        if !self.can_cancel() || waiter.is_answered() || waiter.is_left_out() {
            return self.pending.expect_late(*id, waiter);
        }
        if let Some(cancelling) = waiter.untold() {
            self.tell_cancelled(cancelling);
        }
        self.pending.abandon(id, waiter, &mut self.outbox.due);
    }

    /// Tells the peer that no answer to this request is wanted any more, if it can be told. Returns
    /// whether one comes all the same.
    pub(crate) fn cancel(&mut self, id: &Uuid) -> bool {
        if !self.can_cancel() {
            return false;
        }
        let Some(cancelling) = self.pending.cancel(id, &mut self.outbox.due) else {
            return false;
        };
        self.tell_cancelled(cancelling);
        !cancelling.is_answered
    }

    /// The peer wants no answer to this request any more: what is being sent of one ends, and says why.
    // r[impl ext.cancel.answer]
    pub(crate) fn cancel_answers(&mut self, number: Number) {
        while let Some(transmission) = self.transmissions.answering(number) {
            let due = &mut self.outbox.due;
            let error = SourceError::Cancelled;
            let aborted = self.transmissions.abort(transmission, error.clone(), due);
            let Some((id, channel)) = aborted else {
                return;
            };
            let cancelled = FrameworkCode::Cancelled.reply();
            self.outbox.abort_with(channel, cancelled);
            self.on_channel_aborted(channel);
            self.fail_sending(&id, error);
            self.outbox.wake_space();
        }
    }

    /// The files or the stream of a message could not be sent to their end. Its peer answers all the same.
    fn fail_sending(&mut self, id: &Uuid, error: SourceError) {
        self.pending.expect_answer(id);
        let delivered = self.pending.deliver(id, Err(RequestError::Source(error)));
        if let Some(waker) = delivered.waker {
            self.outbox.due.wake(waker);
        }
    }

    /// Not once the connection is being closed, which leaves the peer's handlers alone: callers learn of
    /// that before or after the driver has ended.
    fn can_cancel(&self) -> bool {
        self.is_extended && matches!(self.phase, Phase::Open | Phase::Draining { .. })
    }

    // r[impl ext.cancel]
    fn tell_cancelled(&mut self, cancelling: Cancelling) {
        // What is left of it is not sent, before the peer learns why.
        if let Some(transmission) = cancelling.transmission {
            let due = &mut self.outbox.due;
            let given_up = SourceError::GivenUp;
            let aborted = self.transmissions.abort(transmission.get(), given_up, due);
            if let Some((_, channel)) = aborted {
                self.on_aborted(channel);
                self.outbox.wake_space();
            }
        }
        self.outbox.cancel(cancelling.number.into());
    }

    /// The peer receives on other channels than its connection header said.
    // r[impl ext.settings.channels]
    pub(crate) fn on_settings(&mut self, settings: Arc<Settings>) {
        self.outbox.on_settings(&settings);
        self.transmissions.open_credit(&settings);
        let settings = &**self.accepts.insert(settings);
        self.transmissions.channels.set_count(settings.channels());
        self.outbox.wake_space();
    }

    /// Why the connection is over, if it is.
    pub(crate) fn ended(&self) -> Option<ConnectionError> {
        match &self.phase {
            Phase::Open | Phase::Draining { .. } | Phase::Closing { .. } => None,
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
        if let Some(settings) = &self.accepts {
            Self::check_accepted(settings, parcel)?;
        }
        let expects_response = parcel.expects_response();
        if expects_response && self.pending.is_full() {
            let limit = self.pending.limit();
            return Err(SendError::Busy { limit });
        }
        let place = self.outbox.place();
        let has_metadata = parcel.metadata.is_some() || parcel.retry.is_some();
        let is_plain = parcel.along.is_none() && !has_metadata;
        let transmission = match is_plain {
            true => self.put(parcel)?,
            false => self.put_described(parcel)?,
        };
        if expects_response {
            // Under the lock that queued it, so that no reply can come before.
            let (id, clock) = (parcel.id(), parcel.clock);
            let number = self.outbox.newest();
            self.pending
                .insert(id, place, clock, waker, transmission, number);
            self.pending.start_clock(clock, &mut self.outbox.due);
            if let Head::Response(_) = parcel.head {
                self.pending.mark_response(&id);
            } else if transmission.is_none() {
                self.newest_request = place.position;
                self.pacing.on_request(place);
            }
        }
        Ok(Submitted {
            start: place,
            end: self.outbox.end(),
            transmission,
        })
    }

    /// Returns the transmission of a message with files or a stream.
    #[inline]
    fn put(&mut self, parcel: &mut Parcel<'_>) -> Result<Option<u64>, SendError> {
        match parcel.layout {
            None => {
                let (head, payload) = (parcel.head, parcel.payload);
                self.outbox.submit(ChannelId::ZERO, head, payload, None)?;
                Ok(None)
            }
            Some(_) => self.begin(parcel).map(Some),
        }
    }

    /// Like [`State::put`], with what goes before the message.
    // r[impl ext.meta.base]
    fn put_described(&mut self, parcel: &mut Parcel<'_>) -> Result<Option<u64>, SendError> {
        if !self.is_extended {
            if let Some(name) = parcel.metadata.and_then(Metadata::required) {
                let name = name.into();
                return Err(SendError::MetadataNotSupported { name });
            }
            return self.put(parcel);
        }
        let along = parcel.along.copied().unwrap_or_default();
        let own = parcel.metadata.and_then(Metadata::trace);
        let mark = self.outbox.describe(&metadata::Metadata {
            deadline: along.millis().map(Some),
            trace: own.or(along.trace),
            attempt: parcel.metadata.map_or(0, Metadata::attempt),
            retry_after: parcel.retry.map(RetryAfter::to_wire),
            entries: parcel.metadata.map(Metadata::to_wire).unwrap_or_default(),
        })?;
        let put = self.put(parcel);
        self.outbox.end_description(mark, put.is_ok());
        put
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
        let number = self.outbox.newest();
        // From here on what is sent needs credit.
        let _ = self.credit();
        Ok(self.transmissions.begin(number, id, parent, channel, parts))
    }

    /// Queues one-way messages that are encoded already.
    pub(crate) fn submit_encoded(&mut self, block: &Block) -> Result<Submitted, SendError> {
        if let Some(settings) = &self.accepts {
            Self::check_all_accepted(settings, block)?;
        }
        let start = self.outbox.place();
        self.outbox.prepared(block)?;
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
        if let Some(stalled) = self.transmissions.tick() {
            self.give_up_unread(stalled);
        }
        if self.transmissions.channels.is_unanswered() {
            self.transmissions.channels.on_no_notice();
            self.outbox.wake_space();
        }
    }

    /// A tick of the clock of calls has passed. Returns how many requests have run out of time.
    pub(crate) fn tick_calls(&mut self) -> u64 {
        self.pending
            .tick(self.peer, &mut self.transmissions, &mut self.outbox.due)
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
            .fail_all(self.peer, &error, self.last_sent, &mut self.outbox.due);
        let disconnected = SourceError::Disconnected {
            peer: self.peer.map(Arc::new),
            error: error.clone(),
        };
        self.transmissions
            .abort_all(&disconnected, &mut self.outbox.due);
        self.phase = Phase::Ended(error);
        self.outbox.wake_all();
    }
}

/// What is known of answers that are to come, by the ids of the messages.
#[derive(Default)]
pub(crate) struct Owed {
    /// What they will say of another attempt.
    retries: Vec<(Uuid, RetryAfter)>,
    /// Messages that wait in middleware, so that their handlers have not begun.
    unbegun: HashSet<Uuid>,
}

impl Owed {
    fn is_empty(&self) -> bool {
        self.retries.is_empty() && self.unbegun.is_empty()
    }
}

/// What becomes of bytes that wait to be written when a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwritten {
    Dropped,
    Sent,
}

impl Unwritten {
    /// A connection that we end because of what the peer did can still carry pending replies.
    pub(crate) fn of(error: &ConnectionError) -> Self {
        match error {
            ConnectionError::Protocol(_) | ConnectionError::Limit(_) => Self::Sent,
            ConnectionError::Closed(_)
            | ConnectionError::EndedByPeer(_)
            | ConnectionError::Truncated(_)
            | ConnectionError::Idle(_)
            | ConnectionError::WriteStalled(_)
            | ConnectionError::Io(_) => Self::Dropped,
        }
    }
}

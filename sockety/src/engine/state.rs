//! Everything that the mutex of a connection guards.

mod accepted;
mod leaving;

use super::{
    early_end::Number,
    inherited::Along,
    leaving::Leaving,
    pending::{Cancelling, Delivered, PendingRequests, RawReply, Waiter},
    ping::Pings,
    send::{
        outbox::{Block, Outbox, Place},
        pacing::Pacing,
        parcel::{Parcel, Submitted},
        payload::Payload,
        transmissions::{PartKey, Transmissions},
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
    metadata::{Metadata, RetryAfter},
    msgpack::__private::is_service_error,
    outcome::Outcome,
    sync::MutexGuard,
};
use sockety_codec::{
    ChannelId, FlowEntry, Head, MessageHead, ResponseHead, Uuid, Violation,
    credit::{self, Effect},
    extension::{FlowEntries, Settings, metadata},
};
use std::{
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
    /// Exists while files or streams were sent recently.
    pub(crate) pacing: Option<Box<Pacing>>,
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
    /// What answers will say of another attempt, by the ids of the messages that they answer. `None` if
    /// there is nothing to say.
    pub(crate) retries: Option<Box<Retries>>,
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
            Phase::Closing(by) => Err(self.disconnected(self.closed(*by))),
            Phase::Ended(error) => Err(self.disconnected(error.clone())),
        }
    }

    pub(crate) fn check_replies(&self) -> Result<(), SendError> {
        match &self.phase {
            Phase::Open | Phase::Draining { .. } | Phase::Closing(_) => Ok(()),
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
            let delivered = self.pending.deliver(&id, Err(RequestError::Source(error)));
            if let Some(waker) = delivered.waker {
                self.outbox.due.wake(waker);
            }
            self.outbox.wake_space();
        }
    }

    fn can_cancel(&self) -> bool {
        self.is_extended && !matches!(self.phase, Phase::Ended(_))
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
        let Along { deadline, trace } = parcel.along.copied().unwrap_or_default();
        let own = parcel.metadata.and_then(Metadata::trace);
        let mark = self.outbox.describe(&metadata::Metadata {
            deadline: deadline.map(Some),
            trace: own.or(trace),
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

    /// What a peer with the extension lets this side send of files and streams.
    fn credit(&mut self) -> Option<&mut credit::Sending> {
        let accepts = self.accepts.as_deref();
        match self.is_extended {
            true => Some(self.transmissions.credit(accepts)),
            false => None,
        }
    }

    /// The peer grants credit, or reads less than is sent.
    pub(crate) fn on_flow(&mut self, entries: FlowEntries<'_>) -> Result<Applied, Violation> {
        let mut applied = Applied {
            entries: 0,
            useless: 0,
            content_sent: self.outbox.place().content,
            parts_ended: self.transmissions.parts_ended(),
        };
        if let Some(credit) = self.credit() {
            credit.packet();
        }
        for entry in entries.resolve(self.outbox.begun()) {
            let entry = entry?;
            applied.entries += 1;
            let Some(credit) = self.credit() else {
                continue;
            };
            match (credit.apply(entry)?, entry) {
                (Effect::Useless, _) => applied.useless += 1,
                (
                    Effect::Stop,
                    FlowEntry::Stop {
                        number,
                        part: Some(part),
                    },
                ) => {
                    let due = &mut self.outbox.due;
                    self.transmissions.stop(number, part, due);
                }
                // r[impl ext.stop.message]
                (Effect::StopMessage, FlowEntry::Stop { number, .. }) => {
                    self.withdraw(number + 1);
                }
                _ => {}
            }
        }
        Ok(applied)
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
            let is_plain_end = turn.is_end && turn.end.is_none();
            let mut written =
                self.outbox
                    .content(turn.channel, turn.kind, turn.chunks, is_plain_end);
            if let (Ok(()), Some(end)) = (&written, &turn.end) {
                written = self.outbox.stream_end_with(turn.channel, end);
            }
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

    /// The writer of a part gave up before its end, which aborts its message, unless the peer reads
    /// no more of the part.
    pub(crate) fn abort_part(&mut self, key: PartKey, error: SourceError) {
        if !self.transmissions.is_unwanted(key) {
            self.abort(key.transmission, error);
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

    /// Aborts a response that its reader does not take. It learns why.
    // r[impl ext.credit.stall]
    #[cold]
    fn give_up_unread(&mut self, transmission: u64) {
        let due = &mut self.outbox.due;
        let refused = SourceError::Refused;
        if let Some((_, channel)) = self.transmissions.abort(transmission, refused, due) {
            let code = FrameworkCode::SlowConsumer.reply();
            self.outbox.abort_with(channel, code);
            self.on_channel_aborted(channel);
            self.outbox.wake_space();
        }
    }

    fn on_aborted(&mut self, channel: ChannelId) {
        self.outbox.abort(channel);
        self.on_channel_aborted(channel);
    }

    fn on_channel_aborted(&mut self, channel: ChannelId) {
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
            Ok(RawReply::Fast(code, _)) if FrameworkCode::is_one(*code) => self.on_framework_code(),
            _ => {
                self.transmissions.channels.on_no_notice();
                self.outbox.wake_space();
            }
        }
        Delivered {
            waker: None,
            unwanted: None,
            is_timeout: false,
        }
    }

    /// Hands a reply to the request that waits for it. The caller wakes its task, and drops an
    /// unwanted reply, after the lock is released.
    ///
    /// If a peer without the extension refused the message unread, the rest of its files and its
    /// stream is not sent.
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
                // A peer with the extension stops what it does not want.
                let transmission = self.pending.transmission(parent);
                if let Some(transmission) = transmission.filter(|_| !self.is_extended) {
                    self.withdraw(transmission);
                }
            }
        }
        if let Some(pacing) = &mut self.pacing {
            if let Some(start) = self.pending.start(parent) {
                pacing.on_reply(start);
            }
        }
        match reply {
            Ok(RawReply::Fast(code, _)) if self.is_extended && FrameworkCode::is_end(code) => {
                self.deliver_end(parent, code, reply)
            }
            reply => self.pending.deliver(parent, reply),
        }
    }

    /// A peer with the extension ended a request without its value. If that was because of the default
    /// timeout, its caller gets the same error as if this side had noticed first.
    // r[impl ext.codes]
    #[cold]
    #[inline(never)]
    fn deliver_end(
        &mut self,
        parent: &Uuid,
        code: FastReply,
        reply: Result<RawReply, RequestError>,
    ) -> Delivered {
        let ended = FrameworkCode::of(code);
        let after = ended.and_then(|ended| self.pending.ends_in_time(parent, ended));
        let Some(after) = after else {
            return self.pending.deliver(parent, reply);
        };
        let error = RequestError::TimedOut {
            peer: self.peer.map(Arc::new),
            after,
            outcome: code.outcome(),
        };
        Delivered {
            is_timeout: true,
            ..self.pending.deliver(parent, Err(error))
        }
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

    /// What the answer to a message will say of another attempt, if it is a code or an error. Of more than
    /// a number of messages the oldest is forgotten: those that are never answered would stay.
    pub(crate) fn set_retry(&mut self, id: Uuid, retry: RetryAfter) {
        if self.is_extended && self.check_open().is_ok() {
            self.take_retry(&id);
            let Retries(retries) = &mut **self.retries.get_or_insert_default();
            if retries.len() >= MOST_RETRIES {
                retries.remove(0);
            }
            retries.push((id, retry));
        }
    }

    #[inline]
    pub(crate) fn take_retry(&mut self, id: &Uuid) -> Option<RetryAfter> {
        match self.retries {
            None => None,
            Some(_) => self.find_retry(id),
        }
    }

    #[cold]
    #[inline(never)]
    fn find_retry(&mut self, id: &Uuid) -> Option<RetryAfter> {
        let Retries(retries) = &mut **self.retries.as_mut()?;
        let place = retries.iter().position(|(known, _)| known == id)?;
        let (_, retry) = retries.remove(place);
        if retries.is_empty() {
            self.retries = None;
        }
        Some(retry)
    }

    /// Queues a code that says this of another attempt.
    // r[impl ext.meta.retry]
    #[cold]
    pub(crate) fn fast_reply_with(&mut self, id: Uuid, code: FastReply, retry: RetryAfter) {
        let described = self.outbox.describe(&metadata::Metadata {
            retry_after: Some(retry.to_wire()),
            ..metadata::Metadata::default()
        });
        self.outbox.fast_reply(id, code);
        if let Ok(mark) = described {
            self.outbox.end_description(mark, true);
        }
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

/// What answers will say of another attempt, by the ids of the messages.
#[derive(Default)]
pub(crate) struct Retries(Vec<(Uuid, RetryAfter)>);

/// For how many messages it is kept what their answers will say of another attempt.
const MOST_RETRIES: usize = 1_024;

/// What a Flow packet has done.
pub(crate) struct Applied {
    pub(crate) entries: u64,
    /// Those that said nothing new.
    pub(crate) useless: u64,
    /// Bytes of files and streams that were sent before.
    pub(crate) content_sent: u64,
    /// Files and streams that had ended before.
    pub(crate) parts_ended: u64,
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
        Ok(RawReply::Fast(code, _)) => Some(*code),
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
            | ConnectionError::EndedByPeer(_)
            | ConnectionError::Truncated(_)
            | ConnectionError::Idle(_)
            | ConnectionError::WriteStalled(_)
            | ConnectionError::Io(_) => Self::Dropped,
        }
    }
}

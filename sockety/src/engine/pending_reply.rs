//! The reply that the sender of a received message waits for.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use sockety_codec::{Head, ResponseHead, Uuid};

use super::{
    answered::Answered,
    early_end::{Described, Ending, Number, Steering},
    lease::Lease,
    payload_reservation::PayloadReservation,
    pending::ReplyClock,
    receive::intake::Intake,
    record::Record,
    send::{
        parcel::{Parcel, Submitted},
        payload::{Payload, REFERENCED_FROM},
        queue,
        wait_queue::Line,
    },
    state::State,
};
use crate::{
    action::Action,
    error::send::SendError,
    fast_reply::{FastReply, FrameworkCode},
    metadata::RetryAfter,
    payload::{
        encoding::Encoding,
        scratch::{self, Buffer},
    },
    sync::AtomicBool,
};

/// Answers a received message. Dropped without a reply, it answers with code 5, Internal Error: every
/// request is answered.
pub struct PendingReply {
    /// Occupies the slot of the request until its handler has dropped everything.
    /// `None` only while it is dropped.
    lease: Option<Lease>,
    pub(crate) id: Uuid,
    /// Set once the message has found its handler.
    pub(crate) action: Action,
    pub(crate) expects_response: bool,
    pub(crate) record: Record,
    /// The number of its message, unless nothing ends that early.
    pub(crate) number: Number,
    /// What was said of its message, if anything was.
    pub(crate) described: Option<Arc<Described>>,
    /// Whether a reply is queued, of a message without content.
    is_answered: AtomicBool,
    /// Where the content comes from. The driver answers too, when it cuts the message off, so that
    /// of a message with content both use the flag of its intake.
    intake: Option<Arc<Intake>>,
    /// The memory of the payload, counted for as long as the handler may keep it.
    _reservation: Option<Box<PayloadReservation>>,
}

impl PendingReply {
    #[inline]
    pub(crate) fn new(
        lease: Lease,
        id: Uuid,
        expects_response: bool,
        reservation: Option<Box<PayloadReservation>>,
        intake: Option<Arc<Intake>>,
    ) -> Self {
        Self {
            lease: Some(lease),
            id,
            action: Action::Known(""),
            expects_response,
            record: Record::default(),
            number: Number::NONE,
            described: None,
            is_answered: AtomicBool::new(false),
            intake,
            _reservation: reservation,
        }
    }

    /// For a response that itself expects a response: dropped without a reply, it sends nothing.
    pub(crate) fn optional(lease: Lease, id: Uuid, expects_response: bool) -> Self {
        Self {
            lease: Some(lease),
            id,
            action: Action::Known(""),
            expects_response,
            record: Record::default(),
            number: Number::NONE,
            described: None,
            is_answered: AtomicBool::new(true),
            intake: None,
            _reservation: None,
        }
    }

    #[inline]
    pub(crate) fn lease(&self) -> &Lease {
        match &self.lease {
            Some(lease) => lease,
            None => unreachable!("it is there until this is dropped"),
        }
    }

    /// Drops it, and returns the lease if another message of the connection may use it: not if there may
    /// be more to do about this one.
    #[inline]
    pub(crate) fn into_lease(mut self) -> Option<Lease> {
        let is_done = !self.is_awaited() && self.intake.is_none() && !self.record.is_used();
        self.lease.take_if(|_| is_done)
    }

    /// Its message may be ended early by this.
    #[inline]
    pub(crate) fn steer(&mut self, steering: &Steering) {
        if steering.number != Number::NONE {
            self.number = steering.number;
            self.described.clone_from(&steering.described);
        }
    }

    /// What the answer will say about another attempt, unless it is a value.
    pub(crate) fn set_retry_after(&self, retry: RetryAfter) {
        if self.is_awaited() {
            self.lease()
                .shared()
                .change(|state| state.set_retry(self.id, retry));
        }
    }

    /// Whether a reply was queued.
    pub(crate) fn is_answered(&self) -> bool {
        self.answered_flag().load(Ordering::Relaxed)
    }

    /// Whether the peer waits for a reply and has none yet.
    // r[impl reply.only-when-expected]
    pub(crate) fn is_awaited(&self) -> bool {
        self.expects_response && !self.is_answered()
    }

    fn answered_flag(&self) -> &AtomicBool {
        self.intake
            .as_ref()
            .map_or(&self.is_answered, |intake| &intake.is_answered)
    }

    /// Its message waits in middleware. If the connection ends meanwhile, its sender learns that it is not executed.
    pub(crate) fn begin_waiting(&self) -> Unbegun<'_> {
        let is_known = self.is_awaited();
        if is_known {
            self.lease().shared().lock().begin_waiting(self.id);
        }
        Unbegun {
            reply: self,
            is_known,
        }
    }

    /// The connection ends, and its handler has not begun: answers even if there is no room.
    pub(crate) fn answer_unbegun(&self, code: FastReply) {
        if self.is_awaited() {
            self.lease().shared().fast_reply(self.id, code);
            self.mark_answered(|| Answered::Code(code));
        }
    }

    /// Where the content of the message comes from, if it has any.
    pub(crate) fn intake(&self) -> Option<&Arc<Intake>> {
        self.intake.as_ref()
    }

    /// Returns the answer, if it is dropped because its message is ended early.
    #[cold]
    #[inline(never)]
    fn on_dropped(&mut self) -> Option<FastReply> {
        let cancelled = Ending::answer(self.number, &**self.lease().shared());
        // It may outlive its handler.
        let cancelled = cancelled.or_else(|| self.record.early_answer());
        // Its handler had begun and is ended, or could not go on, as its message was aborted.
        let is_ended_early = match (cancelled, &self.intake) {
            (Some(code), _) => code != FrameworkCode::NotBegun.reply(),
            (None, Some(intake)) => intake.is_aborted.load(Ordering::Relaxed),
            (None, None) => false,
        };
        if is_ended_early {
            if let Some(lease) = &mut self.lease {
                lease.end_early();
            }
        }
        cancelled
    }

    fn is_cut_off(&self) -> bool {
        let intake = self.intake.as_ref();
        intake.is_some_and(|intake| intake.is_cut_off.load(Ordering::Relaxed))
    }

    /// Called once a reply is queued: one that failed, or was dropped, leaves the peer waiting.
    fn mark_answered(&self, answered: impl FnOnce() -> Answered) {
        self.record.set_answered(answered);
        self.answered_flag().store(true, Ordering::Relaxed);
    }

    pub(crate) async fn fast_reply(&self, reply: FastReply) -> Result<(), SendError> {
        let put = |state: &mut State| self.put_code(state, reply);
        queue::put(self.lease().shared(), Line::Code, put).await
    }

    /// Like [`PendingReply::fast_reply`], but returns `None` instead of waiting for room.
    pub(crate) fn try_fast_reply(&self, reply: FastReply) -> Option<Result<(), SendError>> {
        let put = |state: &mut State| self.put_code(state, reply);
        at_once(queue::try_put(self.lease().shared(), Line::Code, put))
    }

    fn put_code(&self, state: &mut State, reply: FastReply) -> Result<(), SendError> {
        self.check_not_cut_off()?;
        state.fast_reply(self.id, reply);
        self.mark_answered(|| Answered::Code(reply));
        Ok(())
    }

    /// Queues a response, unless the connection has answered because it cut the message off. That
    /// is decided under the same lock, so that no message is answered twice.
    #[inline]
    pub(crate) fn submit(
        &self,
        state: &mut State,
        response: &mut Parcel<'_>,
    ) -> Result<Submitted, SendError> {
        self.check_not_cut_off()?;
        if let Some(retry) = state.take_retry(&self.id) {
            response.retry = Some(retry).filter(|_| response.payload.is_error());
        }
        let submitted = state.submit(response, None)?;
        if let Some(transmission) = submitted.transmission {
            state.transmissions.set_answers(transmission, self.number);
        }
        let payload = response.payload;
        self.mark_answered(|| Answered::response(payload.len(), payload.is_error()));
        Ok(submitted)
    }

    fn check_not_cut_off(&self) -> Result<(), SendError> {
        if self.is_cut_off() {
            return Err(SendError::CutOff);
        }
        Ok(())
    }

    /// Answers with a response. The buffer of its payload is used again, unless it is large.
    pub(crate) async fn respond_with(&self, payload: Buffer) -> Result<(), SendError> {
        let Buffer { bytes, depth } = payload;
        queue::check_encoded(self.lease().shared(), &bytes, depth)?;
        if bytes.len() >= REFERENCED_FROM {
            let payload = Encoding::from(Bytes::from(bytes));
            return self.respond(Payload::of(&payload)).await;
        }
        let sent = self.respond(Payload::Copied(&bytes)).await;
        scratch::give_back(bytes);
        sent
    }

    async fn respond(&self, payload: Payload<'_>) -> Result<(), SendError> {
        let shared = self.lease().shared();
        let mut response = self.response(payload);
        let put = |state: &mut State| self.submit(state, &mut response).map(drop);
        queue::put(shared, Line::Response, put).await
    }

    /// Like [`PendingReply::respond_with`], if there is room at once; else it returns the payload.
    pub(crate) fn try_respond_with(
        &self,
        payload: Buffer,
    ) -> Result<Result<(), SendError>, Buffer> {
        if payload.bytes.len() >= REFERENCED_FROM {
            return Err(payload);
        }
        let shared = self.lease().shared();
        let put = |state: &mut State| {
            queue::check_encoded(shared, &payload.bytes, payload.depth)?;
            let mut response = self.response(Payload::Copied(&payload.bytes));
            self.submit(state, &mut response).map(drop)
        };
        match at_once(queue::try_put(shared, Line::Response, put)) {
            Some(sent) => {
                scratch::give_back(payload.bytes);
                Ok(sent)
            }
            None => Err(payload),
        }
    }

    /// The header of a response to the message.
    pub(crate) fn head(&self, expects_response: bool) -> Head<'static> {
        ResponseHead::new(self.id, Uuid::new_v4())
            .expecting_response(expects_response)
            .into()
    }

    fn response<'a>(&self, payload: Payload<'a>) -> Parcel<'a> {
        Parcel {
            head: self.head(false),
            payload,
            layout: None,
            clock: ReplyClock::Default,
            along: None,
            metadata: None,
            retry: None,
        }
    }
}

/// A message that waits in middleware, until this is dropped.
pub(crate) struct Unbegun<'a> {
    reply: &'a PendingReply,
    /// Whether the connection knows of it.
    is_known: bool,
}

impl Unbegun<'_> {
    /// It waits no longer. Returns whether its handler may begin: otherwise it is answered already.
    pub(crate) fn end(mut self) -> bool {
        self.is_over()
    }

    fn is_over(&mut self) -> bool {
        if !std::mem::take(&mut self.is_known) {
            return true;
        }
        let shared = self.reply.lease().shared();
        let may_begin = shared.lock().end_waiting(&self.reply.id);
        // One whose content was cut off has another answer already.
        if !may_begin && !self.reply.is_answered() {
            let code = shared.not_begun();
            self.reply.mark_answered(|| Answered::Code(code));
        }
        may_begin
    }
}

impl Drop for Unbegun<'_> {
    fn drop(&mut self) {
        self.is_over();
    }
}

/// `None` when it would have to wait.
fn at_once(sent: Result<(), SendError>) -> Option<Result<(), SendError>> {
    match sent {
        Err(SendError::Full) => None,
        sent => Some(sent),
    }
}

// r[impl reply.expected]
impl Drop for PendingReply {
    fn drop(&mut self) {
        if self.lease.is_none() {
            return;
        }
        let cancelled = match self.number {
            Number::NONE => None,
            _ => self.on_dropped(),
        };
        if self.is_awaited() {
            let shared = self.lease().shared();
            if std::thread::panicking() {
                shared.counters.count(|all| &all.handler_panics);
            } else if cancelled.is_none() && shared.lock().check_replies().is_ok() {
                // Where the connection has ended, the handler may have failed to answer only because of that.
                shared.counters.count(|all| &all.unanswered_messages);
            }
            let code = cancelled.unwrap_or(FastReply::INTERNAL_ERROR);
            self.record.set_answered(|| Answered::Code(code));
            shared.fast_reply(self.id, code);
        }
    }
}

impl fmt::Debug for PendingReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingReply")
            .field("id", &self.id)
            .field("expects_response", &self.expects_response)
            .field("is_answered", &self.is_answered())
            .finish_non_exhaustive()
    }
}

//! The reply that a received message waits for.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use sockety_codec::{ResponseHead, Uuid};

use super::{
    answered::Answered,
    held::Held,
    lease::Lease,
    receive::intake::Intake,
    record::Record,
    send::{
        entry::Entry,
        outbox::{Payload, REFERENCED_FROM},
        queue,
    },
    state::State,
};
use crate::{
    error::send::SendError,
    fast_reply::FastReply,
    msgpack::__private::is_service_error,
    payload::{encoding::Encoding, scratch},
    sync::AtomicBool,
};

/// Dropped without a reply, it answers with code 5, Internal Error, so that no caller waits in vain.
pub(crate) struct Owed {
    /// The slot of the request, held until its handler is really gone.
    pub(crate) lease: Lease,
    pub(crate) id: Uuid,
    pub(crate) expects_response: bool,
    pub(crate) record: Record,
    is_answered: AnsweredFlag,
    /// Its payload counts as long as the handler may have it.
    _held: Option<Box<Held>>,
}

impl Owed {
    #[inline]
    pub(crate) fn new(
        lease: Lease,
        id: Uuid,
        expects_response: bool,
        held: Option<Box<Held>>,
        intake: Option<Arc<Intake>>,
    ) -> Self {
        let is_answered = AnsweredFlag {
            own: AtomicBool::new(false),
            intake,
        };
        Self {
            lease,
            id,
            expects_response,
            record: Record::default(),
            is_answered,
            _held: held,
        }
    }

    /// For a response that itself expects one. Nothing is owed for it unless the user answers.
    pub(crate) fn optional(lease: Lease, id: Uuid, expects_response: bool) -> Self {
        let is_answered = AnsweredFlag {
            own: AtomicBool::new(true),
            intake: None,
        };
        Self {
            lease,
            id,
            expects_response,
            record: Record::default(),
            is_answered,
            _held: None,
        }
    }

    /// Whether a reply went out already.
    pub(crate) fn is_answered(&self) -> bool {
        self.is_answered.flag().load(Ordering::Relaxed)
    }

    /// Whether the peer waits for a reply and has none yet.
    // r[impl reply.only-when-expected]
    pub(crate) fn is_awaited(&self) -> bool {
        self.expects_response && !self.is_answered()
    }

    /// Only what has its place is an answer: a reply that failed, or was given up, leaves the peer waiting.
    fn mark_answered(&self, answered: impl FnOnce() -> Answered) {
        self.record.set_answered(answered);
        self.is_answered.flag().store(true, Ordering::Relaxed);
    }

    pub(crate) async fn fast_reply(&self, reply: FastReply) -> Result<(), SendError> {
        let put = |state: &mut State| self.put_code(state, reply);
        queue::put(&self.lease.shared, Entry::Code, put).await
    }

    fn put_code(&self, state: &mut State, reply: FastReply) -> Result<(), SendError> {
        self.put(
            state,
            || Answered::Code(reply),
            |state| {
                state.outbox.fast_reply(self.id, reply);
                Ok(())
            },
        )
    }

    /// Gives a reply its place, unless the connection has answered because it cut the message off: that is decided under
    /// the same lock, so that nobody is answered twice.
    pub(crate) fn put<R>(
        &self,
        state: &mut State,
        answered: impl FnOnce() -> Answered,
        put: impl FnOnce(&mut State) -> Result<R, SendError>,
    ) -> Result<R, SendError> {
        if self.is_answered.is_cut_off() {
            return Err(SendError::CutOff);
        }
        let place = put(state)?;
        self.mark_answered(answered);
        Ok(place)
    }

    /// As [`Owed::fast_reply`], if there is room at once.
    pub(crate) fn try_fast_reply(&self, reply: FastReply) -> Option<Result<(), SendError>> {
        let put = |state: &mut State| self.put_code(state, reply);
        queue::try_put(&self.lease.shared, Entry::Code, put)
    }

    /// Answers with a response, whose payload lies in a buffer that is used again, unless it is large.
    pub(crate) async fn respond_with(&self, payload: Vec<u8>) -> Result<(), SendError> {
        if payload.len() >= REFERENCED_FROM {
            return self.respond_with_large(Bytes::from(payload).into()).await;
        }
        let head = self.response_head(false);
        let put = |state: &mut State| self.put_response(state, &head, &payload);
        let sent = queue::put(&self.lease.shared, Entry::Reply, put).await;
        scratch::give_back(payload);
        sent
    }

    async fn respond_with_large(&self, payload: Encoding) -> Result<(), SendError> {
        queue::check_size(&self.lease.shared, payload.len())?;
        let head = self.response_head(false);
        let answered = || Answered::response(payload.len(), payload.is_error());
        let put = |state: &mut State| {
            self.put(state, answered, |state| {
                state.send_response(&head, Payload::of(&payload)).map(drop)
            })
        };
        queue::put(&self.lease.shared, Entry::Reply, put).await
    }

    /// As [`Owed::respond_with`], if that is done at once; else gives the payload back.
    pub(crate) fn try_respond_with(
        &self,
        payload: Vec<u8>,
    ) -> Result<Result<(), SendError>, Vec<u8>> {
        if payload.len() >= REFERENCED_FROM {
            return Err(payload);
        }
        let head = self.response_head(false);
        let put = |state: &mut State| self.put_response(state, &head, &payload);
        match queue::try_put(&self.lease.shared, Entry::Reply, put) {
            Some(sent) => {
                scratch::give_back(payload);
                Ok(sent)
            }
            None => Err(payload),
        }
    }

    fn put_response(
        &self,
        state: &mut State,
        head: &ResponseHead,
        payload: &[u8],
    ) -> Result<(), SendError> {
        queue::check_size(&self.lease.shared, payload.len())?;
        let answered = || Answered::response(payload.len(), is_service_error(payload));
        self.put(state, answered, |state| {
            state
                .send_response(head, Payload::Copied(payload))
                .map(drop)
        })
    }

    pub(crate) fn response_head(&self, expects_response: bool) -> ResponseHead {
        ResponseHead::new(self.id, Uuid::new_v4()).expecting_response(expects_response)
    }
}

/// Whether a reply went out. The driver answers too, for a message whose content it cuts off.
struct AnsweredFlag {
    own: AtomicBool,
    intake: Option<Arc<Intake>>,
}

impl AnsweredFlag {
    fn flag(&self) -> &AtomicBool {
        self.intake
            .as_ref()
            .map_or(&self.own, |intake| &intake.is_answered)
    }

    fn is_cut_off(&self) -> bool {
        let intake = self.intake.as_ref();
        intake.is_some_and(|intake| intake.is_cut_off.load(Ordering::Relaxed))
    }
}

// r[impl reply.expected]
impl Drop for Owed {
    fn drop(&mut self) {
        if self.is_awaited() {
            let shared = &self.lease.shared;
            if std::thread::panicking() {
                shared.counters.count(|all| &all.handler_panics);
            } else {
                shared.counters.count(|all| &all.unanswered_messages);
            }
            let code = FastReply::INTERNAL_ERROR;
            self.record.set_answered(|| Answered::Code(code));
            shared.fast_reply(self.id, code);
        }
    }
}

impl fmt::Debug for Owed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owed")
            .field("id", &self.id)
            .field("expects_response", &self.expects_response)
            .field("is_answered", &self.is_answered())
            .finish_non_exhaustive()
    }
}

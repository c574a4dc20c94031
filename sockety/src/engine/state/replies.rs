//! Replies: those that come, and what those of this side say.

use std::{mem, sync::Arc};

use sockety_codec::{ChannelId, ResponseHead, Uuid, extension::metadata};

use super::State;
use crate::{
    engine::{
        pending::{Delivered, RawReply},
        send::{outbox::Outbox, payload::Payload, wait_queue::Line},
    },
    error::{
        refusal::{self, reads_reasons},
        request::RequestError,
    },
    fast_reply::{FastReply, FrameworkCode},
    metadata::RetryAfter,
    msgpack::__private::is_service_error,
};

impl State {
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
        if let Some(pacing) = self.pacing.active_mut() {
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

    /// What the answer to a message will say about another attempt, if it is a code or an error. Of more than
    /// a number of messages the oldest is forgotten: those that are never answered would stay.
    pub(crate) fn set_retry(&mut self, id: Uuid, retry: RetryAfter) {
        if self.is_extended && self.check_replies().is_ok() {
            self.take_retry(&id);
            let retries = &mut self.owed.get_or_insert_default().retries;
            if retries.len() >= MOST_RETRIES {
                retries.remove(0);
            }
            retries.push((id, retry));
        }
    }

    #[inline]
    pub(crate) fn take_retry(&mut self, id: &Uuid) -> Option<RetryAfter> {
        match self.owed {
            None => None,
            Some(_) => self.find_retry(id),
        }
    }

    #[cold]
    #[inline(never)]
    fn find_retry(&mut self, id: &Uuid) -> Option<RetryAfter> {
        let retries = &mut self.owed.as_mut()?.retries;
        let place = retries.iter().position(|(known, _)| known == id)?;
        let (_, retry) = retries.remove(place);
        self.forget_owed();
        Some(retry)
    }

    fn forget_owed(&mut self) {
        self.owed.take_if(|owed| owed.is_empty());
    }

    /// A message waits in middleware, and its handler has not begun.
    pub(crate) fn begin_waiting(&mut self, id: Uuid) {
        self.owed.get_or_insert_default().unbegun.insert(id);
    }

    /// It waits no longer. Returns whether its handler may begin: not if it was answered meanwhile, because the connection ends.
    pub(crate) fn end_waiting(&mut self, id: &Uuid) -> bool {
        let Some(owed) = &mut self.owed else {
            return false;
        };
        let is_known = owed.unbegun.remove(id);
        self.forget_owed();
        is_known
    }

    /// The connection ends: answers the messages that wait in middleware. Under the lock under which they
    /// cease to wait, so that none of them is executed after that.
    pub(crate) fn answer_waiting(&mut self, code: FastReply) {
        let unbegun = self.owed.as_mut().map(|owed| mem::take(&mut owed.unbegun));
        for id in unbegun.into_iter().flatten() {
            self.unasked_reply(id, code);
        }
        self.forget_owed();
    }

    /// Queues a code, with what was set to be said of another attempt.
    #[inline]
    pub(crate) fn fast_reply(&mut self, id: Uuid, code: FastReply) {
        match self.take_retry(&id) {
            None => self.outbox.fast_reply(id, code),
            Some(retry) => self.with_retry(retry, |outbox| outbox.fast_reply(id, code)),
        }
    }

    /// Like [`State::fast_reply`], for an answer of the connection itself, even if the outbox is full.
    pub(crate) fn unasked_reply(&mut self, id: Uuid, code: FastReply) {
        match self.take_retry(&id) {
            None => self.outbox.unasked_reply(id, code),
            Some(retry) => self.with_retry(retry, |outbox| outbox.unasked_reply(id, code)),
        }
    }

    // r[impl ext.meta.retry]
    #[cold]
    fn with_retry(&mut self, retry: RetryAfter, put: impl FnOnce(&mut Outbox)) {
        let described = self.outbox.describe(&metadata::Metadata {
            retry_after: Some(retry.to_wire()),
            ..metadata::Metadata::default()
        });
        put(&mut self.outbox);
        if let Ok(mark) = described {
            self.outbox.end_description(mark, true);
        }
    }
}

/// For how many messages it is kept what their answers will say about another attempt.
const MOST_RETRIES: usize = 1_024;

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

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use sockety_codec::Uuid;
use sync_wrapper::SyncWrapper;

use super::reply::Reply;
use crate::{
    content::{carrying::Sending, stream_writer::StreamWriter},
    engine::{
        call_clock::CallTimeout,
        lease::Lease,
        pending::{CANCEL_PATIENCE, RawReply},
    },
    error::request::RequestError,
    metadata::RetryAfter,
    outcome::{Cancelled, Outcome},
};

/// The way of the first reply through middleware.
pub(crate) type Passage =
    SyncWrapper<Pin<Box<dyn Future<Output = Result<RawReply, RequestError>> + Send>>>;

/// A message that was sent and expects replies.
///
/// Dropping it abandons the replies. Files and a stream that are still being sent are abandoned too, and
/// their message with them, unless a reply was taken or the writer of the stream was.
#[derive(Debug)]
#[must_use = "dropping a request abandons its replies; to send without a reply, use `pass`"]
pub struct Request {
    id: Uuid,
    sending: Sending,
    /// Until the first reply, if it goes through middleware.
    passage: Option<Passage>,
    retry: Option<RetryAfter>,
}

impl Request {
    pub(crate) fn new(id: Uuid, sending: Sending) -> Self {
        Self {
            id,
            sending,
            passage: None,
            retry: None,
        }
    }

    /// Its first reply comes through middleware.
    pub(crate) fn through(mut self, passage: Passage) -> Self {
        self.passage = Some(passage);
        self
    }

    /// The id of the message.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The writer of its stream, once.
    pub fn take_writer(&mut self) -> Option<StreamWriter> {
        let writer = self.sending.stream.take()?;
        // From now on, the writer decides whether the message is sent to its end.
        self.sending.pump.detach();
        Some(writer)
    }

    /// Waits until all of it was handed to the socket. Whether it arrives is not known.
    ///
    /// # Errors
    /// [`RequestError::Disconnected`], or [`RequestError::Source`] when a file or a stream could not be
    /// sent to its end.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn sent(&mut self) -> Result<(), RequestError> {
        self.sending.queued.sent().await
    }

    /// Waits for a reply: the first, or when called again the next. Replies that came before are kept.
    /// What is still being sent goes on.
    ///
    /// # Errors
    /// [`RequestError::Disconnected`], [`RequestError::TimedOut`] after
    /// [`Options::call_timeout`](crate::config::options::Options::call_timeout), [`RequestError::ResponseLost`],
    /// [`RequestError::Source`], [`RequestError::Overrun`].
    ///
    /// # Cancel safety
    /// May be dropped and called again: no reply is lost.
    pub async fn response(&mut self) -> Result<Reply, RequestError> {
        let raw = poll_fn(|cx| self.poll_reply(cx)).await;
        self.retry = match &raw {
            Ok(raw) => raw.retry_after(),
            Err(error) => error.retry_after(),
        };
        let raw = raw?;
        Ok(Reply::new(self.lease(), self.id, raw))
    }

    /// Cancels the request, and waits for the peer to answer whether it was executed, for 30 s at most. What is
    /// still being sent of it is aborted. See [`Call::cancel`](crate::client::Call::cancel).
    ///
    /// A reply that has come and was not taken is the result. If one was taken already, the peer sends
    /// no further ones and aborts what it is sending, and this completes at once: [`Cancelled::Executed`], or
    /// [`Cancelled::Unknown`] after a code.
    ///
    /// # Cancel safety
    /// Dropping the future is like dropping the request: it is cancelled without waiting, unless a reply was
    /// taken.
    pub async fn cancel(mut self) -> Cancelled<Reply> {
        let shared = Arc::clone(self.lease().shared());
        let is_to_be_answered = shared.change(|state| state.cancel(&self.id));
        let mut patience = CallTimeout::new(CANCEL_PATIENCE, false);
        let id = self.id;
        let reply = poll_fn(|cx| match self.poll_reply(cx) {
            Poll::Ready(reply) => Poll::Ready(Some(reply)),
            Poll::Pending if !is_to_be_answered => Poll::Ready(None),
            Poll::Pending => patience.poll(&shared, &id, cx).map(|()| None),
        });
        match reply.await {
            Some(Ok(raw)) => match raw.without_reason() {
                RawReply::Fast(code, _) if code.outcome() != Outcome::Replied => {
                    Cancelled::without_reply(code.outcome())
                }
                raw => Cancelled::Replied(Reply::new(self.lease(), id, raw)),
            },
            Some(Err(error)) => Cancelled::without_reply(error.outcome()),
            None => {
                let state = shared.lock();
                Cancelled::without_reply(state.pending.outcome_if_given_up(&id))
            }
        }
    }

    /// What the last reply says about another attempt, or the peer, if it goes away instead of replying.
    pub fn retry_after(&self) -> Option<RetryAfter> {
        self.retry
    }

    /// All replies, one after another. A code ends them. The protocol does not say which response is the last, so
    /// otherwise the caller decides.
    pub fn responses(self) -> Responses {
        Responses {
            request: Some(self),
        }
    }

    pub(crate) fn poll_reply(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<RawReply, RequestError>> {
        let reply = match &mut self.passage {
            Some(passage) => {
                let reply = ready!(passage.get_mut().as_mut().poll(cx));
                self.passage = None;
                reply
            }
            None => ready!(self.lease().shared().lock().pending.poll(&self.id, cx)),
        };
        if reply.is_ok() {
            // The answer may come before all of the message was sent: the rest follows.
            self.sending.pump.detach();
        }
        Poll::Ready(reply)
    }

    fn lease(&self) -> &Lease {
        self.sending.queued.lease()
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let shared = self.lease().shared();
        let replies = shared.change(|state| state.give_up(&self.id));
        // Readers of their parts take the same lock: dropped after it was given back.
        drop(replies);
    }
}

/// The replies to a message, one after another; see [`Request::responses`].
///
/// Dropping it abandons further replies.
#[derive(Debug)]
pub struct Responses {
    request: Option<Request>,
}

impl Responses {
    /// The next reply; `None` after a code or an error.
    ///
    /// # Cancel safety
    /// May be dropped and called again: no reply is lost.
    pub async fn next(&mut self) -> Option<Result<Reply, RequestError>> {
        let reply = self.request.as_mut()?.response().await;
        if !matches!(reply, Ok(Reply::Response(_))) {
            self.request = None;
        }
        Some(reply)
    }
}

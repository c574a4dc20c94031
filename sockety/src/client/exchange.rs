//! A call, from before its first poll until its reply is taken.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use sockety_codec::{MessageHead, Uuid};
use sync_wrapper::SyncWrapper;

use super::unsent::{self, Extra, Unsent, poll_submit};
use crate::{
    action::Action,
    connection::{Connection, outgoing_call},
    engine::{
        call_clock::CallTimeout,
        lease::Lease,
        pending::{RawReply, ReplyClock},
    },
    error::{refusal::new_call_id, request::RequestError, send::SendError},
    message::outgoing::{Content, Outgoing},
    outcome::Outcome,
};

/// Sends nothing before its first poll. Dropping it frees its place in the queue, or its entry
/// among pending requests.
///
/// A call is moved several times before its first poll, so it is kept small enough to be copied
/// without calling `memcpy`.
pub(super) struct Exchange {
    pub(super) connection: Connection,
    pub(super) id: Uuid,
    pub(super) action: &'static str,
    pub(super) is_idempotent: bool,
    stage: Stage,
    extra: Option<Box<Extra>>,
}

/// ```text
/// Unsent ── has its place in the outbox ──▶ Waiting ── reply, timeout, end ──▶ Done
///    │  └───────────── cannot be sent ──────────────────────────────────────────▲
///    └── its handle has middleware ──▶ Layered ─────────────────────────────────┘
/// ```
enum Stage {
    Unsent(Content),
    Waiting,
    Layered(SyncWrapper<Layered>),
    Done,
}

type Layered = Pin<Box<dyn Future<Output = Result<(RawReply, Lease), RequestError>> + Send>>;

impl Exchange {
    #[inline]
    pub(super) fn new(
        connection: Connection,
        unsent: Unsent,
        timeout: Option<Duration>,
        is_idempotent: bool,
    ) -> Self {
        let has_content = unsent.content.carrying.is_some();
        Self {
            connection,
            // r[impl head.id.version]
            id: new_call_id(),
            action: unsent.action,
            is_idempotent,
            stage: Stage::Unsent(unsent.content),
            extra: timeout.map(|timeout| Extra::with_timeout(timeout, has_content)),
        }
    }

    /// Has no effect after the first poll.
    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        let is_waiting = self.extra.as_ref().is_some_and(|extra| extra.is_waiting());
        if let Stage::Unsent(unsent) = &self.stage {
            if !is_waiting {
                let has_content = unsent.carrying.is_some();
                self.extra = Some(Extra::with_timeout(timeout, has_content));
            }
        }
    }

    /// Panics if it is polled again after it was ready.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<RawReply, RequestError>> {
        let polled = match &mut self.stage {
            Stage::Waiting => {
                let shared = self.connection.shared();
                let polled = shared.lock().pending.poll_only(&self.id, cx);
                match polled {
                    Poll::Ready(waiter) => {
                        self.stage = Stage::Done;
                        if self.extra.is_none() {
                            // The usual end. Returned from here, the reply is built in its final
                            // place, and not copied.
                            return Poll::Ready(waiter.into_reply());
                        }
                        Poll::Ready(waiter.into_reply())
                    }
                    Poll::Pending => Poll::Pending,
                }
            }
            Stage::Unsent(_) if self.connection.middleware.is_some() => self.poll_layered(cx),
            Stage::Unsent(_) => match self.poll_send(cx) {
                Poll::Ready(Ok(())) => {
                    self.stage = Stage::Waiting;
                    Poll::Pending
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
                Poll::Pending => Poll::Pending,
            },
            Stage::Layered(layered) => {
                let polled = layered.get_mut().as_mut().poll(cx);
                self.on_layered(polled)
            }
            Stage::Done => panic!("a call was polled after it was ready"),
        };
        if polled.is_pending() && self.extra.is_none() {
            return Poll::Pending;
        }
        self.poll_extra(polled, cx)
    }

    /// Ends the call if it is ready, or if its timeout has passed.
    fn poll_extra(
        &mut self,
        polled: Poll<Result<RawReply, RequestError>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<RawReply, RequestError>> {
        let reply = match polled {
            Poll::Ready(reply) => reply,
            Poll::Pending => Err(ready!(self.poll_timer(cx))),
        };
        self.finish();
        if reply.is_ok() {
            if let Some(extra) = &mut self.extra {
                // The reply may arrive before all files were sent. The rest is still sent.
                extra.pump.detach();
            }
        }
        Poll::Ready(reply)
    }

    /// Submits the message. From then on, the reply wakes the task: its waker is registered under
    /// the lock that queues the message, so no reply can come before.
    #[inline]
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let Stage::Unsent(content) = &self.stage else {
            unreachable!("only an unsent call is sent");
        };
        let clock = match &self.extra {
            Some(extra) if extra.timer.is_some() => ReplyClock::Own,
            _ => ReplyClock::Default,
        };
        let head = MessageHead::new(self.id, self.action).expecting_response(true);
        let connection = &self.connection;
        let submitted = poll_submit(head, content, &mut self.extra, connection, clock, cx);
        let Poll::Ready(submitted) = submitted else {
            self.limit_wait_for_room();
            return Poll::Pending;
        };
        let submitted = submitted?;
        if let Some(extra) = &self.extra {
            if extra.is_carrying() {
                let sending = unsent::start(&mut self.extra, &self.connection, submitted);
                self.extra.get_or_insert_default().pump = sending.pump;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The default timeout begins with a call's first poll, like any other. The clock of all calls
    /// does not know those that wait for room, so they get a timer.
    #[cold]
    fn limit_wait_for_room(&mut self) {
        let timeout = self.connection.shared().options.call_timeout;
        if let (Stage::Unsent(unsent), Some(timeout)) = (&self.stage, timeout) {
            let has_content = unsent.carrying.is_some();
            let timer = || CallTimeout::new(timeout, has_content);
            let extra = self.extra.get_or_insert_default();
            extra.timer.get_or_insert_with(timer);
        }
    }

    /// Passes the call to the middleware of its handle, together with its timeout.
    #[cold]
    fn poll_layered(&mut self, cx: &mut Context<'_>) -> Poll<Result<RawReply, RequestError>> {
        let Stage::Unsent(content) = std::mem::replace(&mut self.stage, Stage::Done) else {
            unreachable!("only an unsent call is handed to middleware");
        };
        let timer = self.extra.take().and_then(|extra| extra.timer);
        let timeout = timer.map(|timer| timer.limit());
        let message = Outgoing::with_content(Action::Known(self.action), content);
        let reply = outgoing_call::call(
            self.connection.clone(),
            self.id,
            message,
            timeout,
            self.is_idempotent,
        );
        let mut layered: Layered = Box::pin(reply);
        let polled = layered.as_mut().poll(cx);
        self.stage = Stage::Layered(SyncWrapper::new(layered));
        self.on_layered(polled)
    }

    /// The reply came on the connection of its lease, which is another one than the handle's if the
    /// handle has a source of connections.
    fn on_layered(
        &mut self,
        polled: Poll<Result<(RawReply, Lease), RequestError>>,
    ) -> Poll<Result<RawReply, RequestError>> {
        polled.map_ok(|(reply, lease)| {
            self.connection = lease.into();
            reply
        })
    }

    /// Ready when the caller's timeout has passed.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<RequestError> {
        let timer = self.extra.as_mut().and_then(|extra| extra.timer.as_mut());
        let Some(timer) = timer else {
            return Poll::Pending;
        };
        let (shared, after) = (self.connection.shared(), timer.limit());
        ready!(timer.poll(shared, &self.id, cx));
        shared.counters.add(|all| &all.timed_out_requests, 1);
        let outcome = match self.stage {
            Stage::Waiting => {
                let state = shared.lock();
                state.pending.outcome_if_given_up(&self.id)
            }
            Stage::Unsent(_) | Stage::Layered(_) | Stage::Done => Outcome::NotSent,
        };
        Poll::Ready(RequestError::TimedOut { after, outcome })
    }

    /// Gives up what the call holds in its connection. Called again, it does nothing.
    fn finish(&mut self) {
        if let Stage::Done = self.stage {
            return;
        }
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Unsent(_) => {
                if let Some(extra) = &self.extra {
                    extra.forget(&self.connection);
                }
            }
            Stage::Waiting => {
                let replies = self.connection.shared().lock().pending.remove(&self.id);
                // Dropped after the lock is released, because the files and streams of replies take
                // it when they are dropped.
                drop(replies);
            }
            Stage::Layered(_) | Stage::Done => {}
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.finish();
    }
}

//! A call, from before its first poll until its reply is taken.

#[cfg(feature = "fleet")]
mod balanced;

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use sockety_codec::{MessageHead, Uuid};
use sync_wrapper::SyncWrapper;
use tokio::runtime::Handle;

use super::unsent::{self, Extra, Unsent, poll_submit};
use crate::{
    action::{Action, Traits},
    connection::{
        Connection,
        call_status::CallStatus,
        outgoing_call::{self, Earlier},
    },
    engine::{
        call_clock::CallTimeout,
        inherited::{self, Inheriting, NoTime},
        lease::Lease,
        pending::{CANCEL_PATIENCE, RawReply, ReplyClock},
    },
    error::{refusal::new_call_id, request::RequestError, send::SendError},
    fast_reply::{FastReply, FrameworkCode},
    message::outgoing::{Content, Outgoing},
    metadata::{Metadata, RetryAfter},
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
    pub(super) traits: Traits,
    /// When it was sent to a server of a fleet, while its message is kept to be sent again.
    #[cfg(feature = "fleet")]
    begun: Option<balanced::Begun>,
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
    Layered(Box<Layered>),
    /// It was started, and was over then.
    Over(Box<Result<RawReply, RequestError>>),
    Done,
}

/// A call on its way through middleware.
struct Layered {
    reply: SyncWrapper<Pin<Box<dyn Future<Output = LayeredReply> + Send>>>,
    status: CallStatus,
}

type LayeredReply = Result<(RawReply, Lease), RequestError>;

impl Exchange {
    #[inline]
    pub(super) fn new(
        connection: Connection,
        unsent: Unsent,
        timeout: Option<Duration>,
        traits: Traits,
    ) -> Self {
        let has_content = unsent.content.carrying.is_some();
        Self {
            connection,
            // r[impl head.id.version]
            id: new_call_id(),
            action: unsent.action,
            traits,
            #[cfg(feature = "fleet")]
            begun: None,
            stage: Stage::Unsent(unsent.content),
            extra: timeout.map(|timeout| Extra::with_timeout(timeout, has_content)),
        }
    }

    /// Has no effect after the first poll.
    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        if self.is_under_way() {
            return;
        }
        let is_waiting = self.extra.as_ref().is_some_and(|extra| extra.is_waiting());
        if let Stage::Unsent(unsent) = &self.stage {
            if !is_waiting {
                let has_content = unsent.carrying.is_some();
                self.extra = Some(Extra::with_timeout(timeout, has_content));
            }
        }
    }

    /// Whether it was sent to a server of a fleet, and its message is kept.
    #[inline]
    fn is_under_way(&self) -> bool {
        #[cfg(feature = "fleet")]
        return self.begun.is_some();
        #[cfg(not(feature = "fleet"))]
        false
    }

    /// Has no effect after the first poll.
    pub(super) fn metadata(&mut self) -> &mut Metadata {
        let extra = self.extra.get_or_insert_default();
        extra.metadata.get_or_insert_default()
    }

    /// Panics if it is polled again after it was ready.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<RawReply, RequestError>> {
        let polled = match &mut self.stage {
            Stage::Waiting => {
                let shared = self.connection.shared();
                let polled = shared.lock().poll_only(&self.id, cx);
                match polled {
                    Poll::Ready(waiter) => {
                        self.stage = Stage::Done;
                        if !waiter.is_answered() {
                            // The peer may be told that nobody waits any longer.
                            shared.change(|_| {});
                        }
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
            #[cfg(feature = "fleet")]
            Stage::Unsent(_) if self.begun.is_some() => {
                let polled = self.poll_balanced(cx);
                // The usual end, returned from here for the same reason.
                if let (Stage::Done, None) = (&self.stage, &self.extra) {
                    return polled;
                }
                polled
            }
            Stage::Unsent(_) if self.connection.middleware.is_some() => self.poll_over(cx),
            Stage::Unsent(_) => match self.poll_send(cx) {
                Poll::Ready(Ok(())) => {
                    self.stage = Stage::Waiting;
                    Poll::Pending
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            },
            Stage::Layered(layered) => {
                let polled = layered.reply.get_mut().as_mut().poll(cx);
                self.on_layered(polled)
            }
            Stage::Over(_) => match std::mem::replace(&mut self.stage, Stage::Done) {
                Stage::Over(reply) => Poll::Ready(*reply),
                _ => unreachable!("it was just looked at"),
            },
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
            Poll::Ready(Ok(RawReply::Fast(code, retry))) if FrameworkCode::is_end(code) => {
                self.on_end(code, retry)
            }
            Poll::Ready(reply) => reply,
            Poll::Pending => Err(ready!(self.poll_timer(cx))),
        };
        #[cfg(feature = "fleet")]
        if reply.is_err() {
            self.stop_balanced();
        }
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
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), RequestError>> {
        let Stage::Unsent(content) = &self.stage else {
            unreachable!("only an unsent call is sent");
        };
        let (clock, deadline) = match &self.extra {
            Some(extra) => (extra.clock(), extra.deadline()),
            None => (ReplyClock::Default, None),
        };
        let along = match inherited::along(deadline) {
            Ok(along) => along,
            Err(NoTime) => return Poll::Ready(Err(SendError::NoTime.into())),
        };
        let head = MessageHead::new(self.id, self.action).expecting_response(true);
        let connection = &self.connection;
        let submitted = poll_submit(head, content, &mut self.extra, connection, clock, along, cx);
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

    /// Sends it to a server of the fleet, or through middleware and the source of connections.
    #[inline]
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<Result<RawReply, RequestError>> {
        #[cfg(feature = "fleet")]
        if let Some(polled) = self.send_balanced(cx) {
            return polled;
        }
        self.poll_layered(None, cx)
    }

    /// Passes the call to the middleware of its handle, together with its timeout.
    #[cold]
    fn poll_layered(
        &mut self,
        earlier: Option<Box<Earlier>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<RawReply, RequestError>> {
        let Stage::Unsent(content) = std::mem::replace(&mut self.stage, Stage::Done) else {
            unreachable!("only an unsent call is handed to middleware");
        };
        let extra = self.extra.take().unwrap_or_default();
        let timeout = extra.timer.map(|timer| timer.limit());
        let message = Outgoing::with_content(Action::Known(self.action), content)
            .with_all_metadata(extra.metadata);
        let (mut tracker, caller) = CallStatus::begin();
        if earlier.as_ref().is_some_and(|it| it.may_have_run()) {
            tracker.set_sent();
        }
        let status = tracker.status.clone();
        let reply = outgoing_call::call(
            self.connection.clone(),
            self.id,
            message,
            timeout,
            self.traits,
            earlier,
            (tracker, caller),
        );
        let mut reply: Pin<Box<dyn Future<Output = LayeredReply> + Send>> = Box::pin(reply);
        let polled = reply.as_mut().poll(cx);
        let reply = SyncWrapper::new(reply);
        self.stage = Stage::Layered(Box::new(Layered { reply, status }));
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

    /// The peer ended the call without a value. If that was because of the caller's timeout, which is
    /// its deadline, this is the same error as if this side had noticed first.
    #[cold]
    fn on_end(&self, code: FastReply, retry: Option<RetryAfter>) -> Result<RawReply, RequestError> {
        let timer = self.extra.as_ref().and_then(|extra| extra.timer.as_ref());
        let shared = self.connection.shared();
        let is_deadline = code == FrameworkCode::DeadlineExceeded.reply();
        let timer = timer.filter(|timer| is_deadline || timer.is_nearly_over());
        let Some(timer) = timer.filter(|_| shared.is_extended) else {
            return Ok(RawReply::Fast(code, retry));
        };
        shared.counters.add(|all| &all.timed_out_requests, 1);
        Err(RequestError::TimedOut {
            peer: shared.peer.peer_addr.map(Arc::new),
            after: timer.limit(),
            outcome: code.outcome(),
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
            Stage::Waiting => shared.lock().pending.outcome_if_given_up(&self.id),
            #[cfg(feature = "fleet")]
            Stage::Unsent(_) if self.begun.is_some() => {
                shared.lock().pending.outcome_if_given_up(&self.id)
            }
            Stage::Unsent(_) | Stage::Layered(_) | Stage::Over(_) | Stage::Done => Outcome::NotSent,
        };
        Poll::Ready(RequestError::TimedOut {
            peer: shared.peer.peer_addr.map(Arc::new),
            after,
            outcome,
        })
    }

    /// Gives up what the call holds in its connection. Called again, it does nothing.
    fn finish(&mut self) {
        if let Stage::Done = self.stage {
            return;
        }
        let is_under_way = self.is_under_way();
        #[cfg(feature = "fleet")]
        self.end_load(crate::engine::load::Verdict::Neutral);
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Unsent(_) if !is_under_way => {
                if let Some(extra) = &self.extra {
                    extra.forget(&self.connection);
                }
            }
            Stage::Unsent(_) | Stage::Waiting => {
                let shared = self.connection.shared();
                let replies = shared.change(|state| state.give_up(&self.id));
                // Dropped after the lock is released, because the files and streams of replies take
                // it when they are dropped.
                drop(replies);
            }
            Stage::Layered(_) | Stage::Over(_) | Stage::Done => {}
        }
    }

    /// Sends it, if there is room at once; else its first poll does.
    pub(super) fn start(&mut self) {
        let Stage::Unsent(_) = self.stage else {
            return;
        };
        // Its caller may look at the reply long after it has come: until when says nothing about the server.
        self.traits.is_untimed = true;
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(reply) = self.poll(&mut cx) {
            self.stage = Stage::Over(Box::new(reply));
            return;
        }
        if let (Stage::Unsent(_), Some(extra)) = (&self.stage, &mut self.extra) {
            // Nobody would take its turn.
            extra.forget(&self.connection);
            extra.leave_queue();
        }
    }

    /// Leaves the rest of it to a task, on the runtime of the caller or that of the connection.
    // r[impl ext.cancel.when]
    pub(super) fn detach(mut self) {
        if let Stage::Over(_) | Stage::Done = self.stage {
            return;
        }
        let of_connection = || self.connection.shared().runtime.clone();
        let Some(runtime) = Handle::try_current().ok().or_else(of_connection) else {
            return;
        };
        let entered = runtime.enter();
        // Now, if there is room, so that what is sent next comes after it.
        self.start();
        drop(entered);
        if let Stage::Over(_) = self.stage {
            return;
        }
        let rest = async move { drop(poll_fn(|cx| self.poll(cx)).await) };
        runtime.spawn(Inheriting::new(inherited::current(), rest));
    }

    /// Cancels it. Returns its answer, which comes all the same, or what is known without one.
    ///
    /// Cancel safe: dropped together with the call, it is given up without waiting.
    pub(super) async fn cancel(&mut self) -> Result<RawReply, Outcome> {
        let status = match &self.stage {
            Stage::Unsent(_) if !self.is_under_way() => {
                self.finish();
                return Err(Outcome::NotSent);
            }
            Stage::Unsent(_) => {
                // It is not sent again from now on, whatever comes.
                self.stage = Stage::Waiting;
                #[cfg(feature = "fleet")]
                self.end_load(crate::engine::load::Verdict::Neutral);
                None
            }
            Stage::Waiting => None,
            Stage::Layered(layered) => Some(layered.status.clone()),
            Stage::Over(_) => {
                let reply = poll_fn(|cx| self.poll(cx)).await;
                return reply.map_err(|error| error.outcome());
            }
            Stage::Done => panic!("a call was cancelled after it was ready"),
        };
        if let Some(extra) = &mut self.extra {
            extra.timer = None;
        }
        let on = status.as_ref().and_then(|status| {
            // From now on, middleware does not send it.
            status.cancel();
            status.on()
        });
        let shared = on.unwrap_or_else(|| Arc::clone(self.connection.shared()));
        let is_to_be_answered = shared.change(|state| state.cancel(&self.id));
        let mut patience = CallTimeout::new(CANCEL_PATIENCE, false);
        let reply = poll_fn(|cx| match self.poll(cx) {
            Poll::Ready(reply) => Poll::Ready(Some(reply)),
            Poll::Pending if !is_to_be_answered => Poll::Ready(None),
            Poll::Pending => patience.poll(&shared, &self.id, cx).map(|()| None),
        });
        if let Some(reply) = reply.await {
            return reply.map_err(|error| error.outcome());
        }
        match status {
            None => Err(shared.lock().pending.outcome_if_given_up(&self.id)),
            Some(status) => {
                // Known when its way through middleware has ended.
                self.finish();
                Err(status.outcome())
            }
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.finish();
    }
}

//! A call in flight, from its first poll until its reply is taken.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use sockety_codec::Uuid;
use tokio::time::{Sleep, sleep};

use crate::{
    connection::Connection,
    content::carrying::{Pump, Sending, Taken, Unwritten, parcel},
    engine::{
        pending::{RawReply, ReplyClock},
        send::{lines::Ticket, queue},
        state::State,
    },
    error::{request::RequestError, send::SendError},
    message::outgoing::Outgoing,
    outcome::Outcome,
};

/// Dropping it gives the call up: its place in the queue, or its entry among pending requests.
pub(super) struct Exchange {
    pub(super) connection: Connection,
    pub(super) id: Uuid,
    stage: Stage,
    /// Sends the files or the stream of the call, if it has any.
    pump: Option<Box<Pump>>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// ```text
/// Unsent ── has its place in the outbox ──▶ Waiting ── reply, timeout, end ──▶ Done
///    └──────────────── cannot be sent ─────────────────────────────────────────▲
/// ```
enum Stage {
    Unsent {
        message: Outgoing,
        taken: Option<Box<Taken>>,
        ticket: Option<Ticket>,
    },
    Waiting,
    Done,
}

impl Exchange {
    pub(super) fn new(
        connection: Connection,
        id: Uuid,
        message: Outgoing,
        timeout: Option<Duration>,
    ) -> Self {
        let stage = Stage::Unsent {
            message,
            taken: None,
            ticket: None,
        };
        Self {
            connection,
            id,
            stage,
            pump: None,
            timer: timeout.map(|timeout| Box::pin(sleep(timeout))),
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<RawReply, RequestError>> {
        let reply = match self.poll_reply(cx) {
            Poll::Ready(reply) => reply,
            Poll::Pending => Err(ready!(self.poll_timer(cx))),
        };
        self.finish();
        if reply.is_ok()
            && let Some(pump) = &mut self.pump
        {
            // The reply may come before all of the call was sent: the rest is still sent.
            pump.detach();
        }
        Poll::Ready(reply)
    }

    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<Result<RawReply, RequestError>> {
        if let Stage::Unsent { .. } = self.stage {
            ready!(self.poll_send(cx))?;
            self.stage = Stage::Waiting;
            return Poll::Pending;
        }
        let shared = self.connection.shared();
        let waiter = ready!(shared.lock().waiting.poll_only(&self.id, cx));
        self.stage = Stage::Done;
        Poll::Ready(waiter.into_reply())
    }

    /// Once the call has its place in the outbox, the reply wakes the task.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let Stage::Unsent {
            message,
            taken,
            ticket,
        } = &mut self.stage
        else {
            unreachable!("only an unsent call is sent");
        };
        let shared = self.connection.shared();
        let content = message.content();
        let payload = content.checked_payload(shared)?;
        // What comes from a reader is taken once, however often this is polled.
        if let (None, Some(parts)) = (&taken, &content.carrying) {
            *taken = parts.take(Unwritten::Ends)?;
        }
        let head = message.head(self.id, true);
        let clock = match self.timer {
            Some(_) => ReplyClock::Own,
            None => ReplyClock::Default,
        };
        let waker = Some(cx.waker());
        let mut parcel = parcel(head, payload, taken, clock);
        let line = parcel.line();
        let put = |state: &mut State| state.submit(&mut parcel, waker);
        let submitted = ready!(queue::poll_put(shared, ticket, cx, line, put))?;
        if taken.is_some() {
            let lease = self.connection.lease().clone();
            let sending = Sending::start(lease, submitted, taken.take());
            self.pump = Some(Box::new(sending.pump));
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when the timeout of the caller has passed.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<RequestError> {
        let Some(timer) = &mut self.timer else {
            return Poll::Pending;
        };
        ready!(timer.as_mut().poll(cx));
        let outcome = match self.stage {
            Stage::Waiting => {
                let state = self.connection.shared().lock();
                state.waiting.outcome_if_given_up(&self.id)
            }
            Stage::Unsent { .. } | Stage::Done => Outcome::NotSent,
        };
        Poll::Ready(RequestError::TimedOut { outcome })
    }

    /// Gives up what the call holds in its connection: at most once.
    fn finish(&mut self) {
        if let Stage::Done = self.stage {
            return;
        }
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Unsent {
                ticket: Some(ticket),
                ..
            } => {
                self.connection.shared().lock().outbox.forget_space(ticket);
            }
            Stage::Waiting => {
                let replies = self.connection.shared().lock().waiting.remove(&self.id);
                // Their files and streams take the same lock when they are dropped: after it is
                // released.
                drop(replies);
            }
            Stage::Unsent { ticket: None, .. } | Stage::Done => {}
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.finish();
    }
}

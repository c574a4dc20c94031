//! A call in flight, from its first poll until its reply is taken.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use sockety_codec::Uuid;
use tokio::time::{Sleep, sleep};

use super::unsent::{Submission, Unsent};
use crate::{
    connection::Connection,
    content::carrying::Pump,
    engine::pending::{RawReply, ReplyClock},
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
    /// The caller's own time, if it has one.
    timer: Option<Timer>,
}

/// Time begins to run when the call is first polled.
enum Timer {
    After(Duration),
    Running(Pin<Box<Sleep>>),
}

/// ```text
/// Unsent ── has its place in the outbox ──▶ Waiting ── reply, timeout, end ──▶ Done
///    └──────────────── cannot be sent ─────────────────────────────────────────▲
/// ```
enum Stage {
    Unsent(Unsent),
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
        Self {
            connection,
            id,
            stage: Stage::Unsent(Unsent::new(message)),
            pump: None,
            timer: timeout.map(Timer::After),
        }
    }

    /// Does nothing once it has been polled.
    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        if let Stage::Unsent(unsent) = &self.stage
            && !unsent.is_waiting()
        {
            self.timer = Some(Timer::After(timeout));
        }
    }

    /// What a call consists of that has not been polled.
    pub(super) fn take_unsent(&mut self) -> Option<(Outgoing, Option<Duration>)> {
        let Stage::Unsent(unsent) = std::mem::replace(&mut self.stage, Stage::Done) else {
            return None;
        };
        let timeout = match self.timer {
            Some(Timer::After(timeout)) => Some(timeout),
            Some(Timer::Running(_)) | None => None,
        };
        Some((unsent.message, timeout))
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
        match self.stage {
            Stage::Unsent(_) => {
                ready!(self.poll_send(cx))?;
                self.stage = Stage::Waiting;
                return Poll::Pending;
            }
            Stage::Waiting => {}
            Stage::Done => panic!("a call was polled after it was ready"),
        }
        let shared = self.connection.shared();
        let waiter = ready!(shared.lock().waiting.poll_only(&self.id, cx));
        self.stage = Stage::Done;
        Poll::Ready(waiter.into_reply())
    }

    /// Once the call has its place in the outbox, the reply wakes the task.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let Stage::Unsent(unsent) = &mut self.stage else {
            unreachable!("only an unsent call is sent");
        };
        let clock = match self.timer {
            Some(_) => ReplyClock::Own,
            None => ReplyClock::Default,
        };
        let how = Submission {
            id: self.id,
            expects_response: true,
            clock,
        };
        let submitted = ready!(unsent.poll_submit(&self.connection, how, cx))?;
        if unsent.is_carrying() {
            let sending = unsent.start(&self.connection, submitted);
            self.pump = Some(Box::new(sending.pump));
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when the timeout of the caller has passed.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<RequestError> {
        let Some(timer) = &mut self.timer else {
            return Poll::Pending;
        };
        ready!(timer.poll(cx));
        let outcome = match self.stage {
            Stage::Waiting => {
                let state = self.connection.shared().lock();
                state.waiting.outcome_if_given_up(&self.id)
            }
            Stage::Unsent(_) | Stage::Done => Outcome::NotSent,
        };
        Poll::Ready(RequestError::TimedOut { outcome })
    }

    /// Gives up what the call holds in its connection: at most once.
    fn finish(&mut self) {
        if let Stage::Done = self.stage {
            return;
        }
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Unsent(unsent) => unsent.forget(&self.connection),
            Stage::Waiting => {
                let replies = self.connection.shared().lock().waiting.remove(&self.id);
                // Their files and streams take the same lock when they are dropped: after it is
                // released.
                drop(replies);
            }
            Stage::Done => {}
        }
    }
}

impl Timer {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self {
                Self::After(timeout) => *self = Self::Running(Box::pin(sleep(*timeout))),
                Self::Running(sleep) => return sleep.as_mut().poll(cx),
            }
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.finish();
    }
}

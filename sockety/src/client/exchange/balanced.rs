//! Calls of a fleet that need nothing but a server: sent like any other, without a detour through the source of connections.
//!
//! ```text
//! Unsent ── picked, and there is room at once ──▶ Unsent, with the time of sending ── reply ──▶ Done
//!    │ no server, no room, files, middleware               │ refused, or the server is lost
//!    ▼                                                      ▼
//! Layered ◀───────────────── sent again ────────────────────┘
//! ```
//!
//! The message is kept until the reply comes, in the place that it had before: so a call needs neither memory nor a copy for being sent
//! again. While it is under way, its connection is that of the server, together with the source of the handle.

use std::{
    num::NonZeroU32,
    task::{Context, Poll, ready},
    time::Duration,
};

use super::{Exchange, Stage};
use crate::{
    connection::{
        middleware::CallReply,
        outgoing_call::Earlier,
        source::{Next, Tried},
    },
    engine::{load::Verdict, loaded, pending::RawReply},
    error::request::RequestError,
};

/// When a call was sent, in microseconds. They come round after 71 minutes: so long a call would count as a short one.
#[derive(Clone, Copy)]
pub(super) struct Begun(NonZeroU32);

impl Begun {
    fn at(now: u64) -> Self {
        Self(NonZeroU32::new(micros(now)).unwrap_or(NonZeroU32::MIN))
    }

    fn elapsed(self, now: u64) -> Duration {
        Duration::from_micros(micros(now).wrapping_sub(self.0.get()).into())
    }
}

/// Of the time that [`loaded::now`] returns.
fn micros(now: u64) -> u32 {
    (now / 1000) as u32
}

impl Exchange {
    /// Sends it to a server of the fleet. `None` if it goes through the source: then nothing has happened.
    #[inline]
    pub(super) fn send_balanced(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Option<Poll<Result<RawReply, RequestError>>> {
        let Stage::Unsent(content) = &self.stage else {
            return None;
        };
        if content.carrying.is_some() {
            return None;
        }
        let picked = self.connection.balanced()?.pick()?;
        let handle = self.connection.replace_lease(picked);
        match self.poll_send(cx) {
            Poll::Ready(Ok(())) => {
                if let Some(load) = self.connection.shared().load.get() {
                    load.begin();
                }
                self.begun = Some(Begun::at(loaded::now()));
                Some(Poll::Pending)
            }
            // Another server may take it.
            Poll::Ready(Err(_)) | Poll::Pending => {
                if let Some(extra) = &mut self.extra {
                    extra.forget(&self.connection);
                    extra.leave_queue();
                }
                self.connection.replace_lease(handle);
                None
            }
        }
    }

    /// Waits for the reply of the server.
    #[inline]
    pub(super) fn poll_balanced(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<RawReply, RequestError>> {
        let shared = self.connection.shared();
        let polled = shared.lock().poll_only(&self.id, cx);
        let waiter = ready!(polled);
        if !waiter.is_answered() {
            // The peer may be told that nobody waits any longer.
            shared.change(|_| {});
        }
        let result = waiter.into_reply();
        let verdict = Verdict::of(&result);
        let took = self.end_load(verdict);
        if verdict == Verdict::Success {
            self.stage = Stage::Done;
            return Poll::Ready(result);
        }
        self.on_failed(result, took, cx)
    }

    /// It is no longer under way to the server that was picked. Returns how long it was.
    ///
    /// Reads the clock once, because that is the most expensive thing that a fleet adds to a call.
    #[inline]
    pub(super) fn end_load(&mut self, verdict: Verdict) -> Duration {
        let Some(begun) = self.begun.take() else {
            return Duration::ZERO;
        };
        let now = loaded::now();
        let took = begun.elapsed(now);
        if let Some(load) = self.connection.shared().load.get() {
            loaded::end(load, now, took, true, verdict);
        }
        if verdict == Verdict::Failure {
            self.note_failure();
        }
        took
    }

    /// Its timeout has passed. What it holds in the connection is given up as that of any other call.
    #[cold]
    pub(super) fn stop_balanced(&mut self) {
        if self.begun.is_some() {
            self.end_load(Verdict::Failure);
            self.stage = Stage::Waiting;
        }
    }

    #[cold]
    fn note_failure(&self) {
        if let Some(source) = self.connection.balanced() {
            source.on_failure();
        }
    }

    /// The server refused it, or is lost: it is sent again, if the fleet says so.
    #[cold]
    fn on_failed(
        &mut self,
        result: Result<RawReply, RequestError>,
        took: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<Result<RawReply, RequestError>> {
        let result = result.map(|reply| CallReply::new(reply, self.connection.lease().clone()));
        let tried = Tried {
            result: &result,
            connection: &self.connection,
            is_idempotent: self.is_idempotent,
            before: 0,
        };
        let source = self.connection.source().cloned();
        let next = source
            .as_ref()
            .map_or(Next::Return, |source| source.next(&tried));
        let (Next::Again(pause), Some(source)) = (next, source) else {
            self.stage = Stage::Done;
            return Poll::Ready(result.and_then(|reply| Ok(reply.into_raw()?.0)));
        };
        let tried = self.connection.without_source();
        self.connection = source.handle();
        self.poll_layered(
            Some(Box::new(Earlier {
                result,
                tried,
                took,
                pause,
            })),
            cx,
        )
    }
}

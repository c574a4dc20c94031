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

/// When a call was sent, and whether the time to its reply is a sample. The time of calls that are many is not read: they were sent after
/// the last one that was timed, or a little earlier.
#[derive(Clone, Copy)]
pub(super) struct Begun(NonZeroU32);

/// 1 if its time is a sample. The bits above are the time in [`UNIT_BITS`]. They come round after 73 minutes: such a call would count as a short
/// one.
const IS_TIMED: u32 = 1;

/// 1,024 ns: so that a time whose upper bits are cut off comes round like any other.
const UNIT_BITS: u32 = 10;

impl Begun {
    #[inline]
    fn new(at: u64, is_timed: bool) -> Self {
        let units = (at >> UNIT_BITS) as u32 & !IS_TIMED;
        let bits = units | u32::from(is_timed);
        const ONE_UNIT: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);
        Self(NonZeroU32::new(bits).unwrap_or(ONE_UNIT))
    }

    #[inline]
    fn is_timed(self) -> bool {
        self.0.get() & IS_TIMED != 0
    }

    fn elapsed(self, now: u64) -> Duration {
        let units = ((now >> UNIT_BITS) as u32).wrapping_sub(self.0.get() & !IS_TIMED);
        Duration::from_nanos(u64::from(units) << UNIT_BITS)
    }
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
                self.begin_load();
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
        if waiter.first().map(Verdict::of) == Some(Verdict::Success) {
            self.end_load(Verdict::Success);
            self.stage = Stage::Done;
            // Returned from here, it is built in its final place.
            return Poll::Ready(waiter.into_reply());
        }
        self.on_failed(waiter.into_reply(), cx)
    }

    /// It is under way to the server that was picked.
    #[inline]
    fn begin_load(&mut self) {
        let load = self.connection.shared().load.get();
        let is_wanted = load.is_none_or(|load| load.begin());
        // What is left of the caller's time, if it is sent again, must be known better than to a second. And the last sample of a server
        // that has only calls which are never timed is old.
        let is_read = is_wanted || self.extra.is_some() || self.traits.is_untimed;
        self.begun = Some(match load {
            Some(load) if !is_read => Begun::new(load.sampled_at(), false),
            _ => Begun::new(loaded::now(), !self.traits.is_untimed),
        });
    }

    /// It is no longer under way to the server that was picked. Returns how long it was if it did not succeed.
    ///
    /// Reads the clock once at most, because that is the most expensive thing that a fleet adds to a call.
    #[inline]
    pub(super) fn end_load(&mut self, verdict: Verdict) -> Duration {
        let Some(begun) = self.begun.take() else {
            return Duration::ZERO;
        };
        let load = self.connection.shared().load.get();
        if verdict == Verdict::Success && !begun.is_timed() {
            if let Some(load) = load {
                load.end(0, None, verdict);
            }
            return Duration::ZERO;
        }
        let now = loaded::now();
        let took = begun.elapsed(now);
        if let Some(load) = load {
            loaded::end(load, now, took, begun.is_timed(), verdict);
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
            source.on_failure(&self.connection);
        }
    }

    /// The server refused it, or is lost: it is sent again, if the fleet says so.
    #[cold]
    fn on_failed(
        &mut self,
        result: Result<RawReply, RequestError>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<RawReply, RequestError>> {
        let took = self.end_load(Verdict::of(&result));
        let result = result.map(|reply| CallReply::new(reply, self.connection.lease().clone()));
        let tried = Tried {
            result: &result,
            connection: &self.connection,
            is_idempotent: self.traits.is_idempotent,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_known_to_a_microsecond_or_two_and_come_round() {
        for begun in [0, 1 << UNIT_BITS, u64::from(u32::MAX) << UNIT_BITS, 1 << 60] {
            for is_timed in [false, true] {
                let sent = Begun::new(begun, is_timed);
                assert_eq!(sent.is_timed(), is_timed);
                let took = sent.elapsed(begun + 1_000_000_000).as_micros();
                assert!((999_990..=1_000_010).contains(&took), "{took}");
            }
        }
        assert_eq!(size_of::<Option<Begun>>(), 4);
    }
}

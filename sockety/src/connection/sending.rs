//! How messages and replies get into the outbox: at once when there is room, else in turn.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use super::shared::{Shared, State};
use crate::{Outcome, RequestError, SendError};

/// Puts something into the outbox when it has room and `check` finds the connection fit for it.
///
/// While it is pending, `ticket` is a place in the queue for room; its owner gives it up with
/// [`Outbox::forget_space`](super::outbox::Outbox::forget_space).
pub(crate) fn poll_put<R>(
    shared: &Shared,
    ticket: &mut Option<u64>,
    cx: &mut Context<'_>,
    check: fn(&State) -> Result<(), SendError>,
    put: impl FnOnce(&mut State) -> Result<R, SendError>,
) -> Poll<Result<R, SendError>> {
    shared.change(|state| {
        if let Err(error) = check(state) {
            return Poll::Ready(Err(error));
        }
        if state.outbox.is_full() {
            state.outbox.wait_for_space(ticket, cx.waker());
            return Poll::Pending;
        }
        Poll::Ready(put(state))
    })
}

/// Queues a new message.
///
/// Cancel safe: dropped before it is ready, nothing was queued.
pub(crate) async fn message<R>(
    shared: &Shared,
    put: impl FnMut(&mut State) -> Result<R, SendError>,
) -> Result<R, SendError> {
    Turn::new(shared).put(State::check_open, put).await
}

/// Queues a reply that is owed. Cancel safe as [`message`].
pub(crate) async fn reply<R>(
    shared: &Shared,
    put: impl FnMut(&mut State) -> Result<R, SendError>,
) -> Result<R, SendError> {
    Turn::new(shared).put(State::check_replies, put).await
}

/// A place in the queue for room. Dropping it gives the place up.
struct Turn<'a> {
    shared: &'a Shared,
    ticket: Option<u64>,
}

impl<'a> Turn<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            ticket: None,
        }
    }

    async fn put<R>(
        mut self,
        check: fn(&State) -> Result<(), SendError>,
        mut put: impl FnMut(&mut State) -> Result<R, SendError>,
    ) -> Result<R, SendError> {
        poll_fn(|cx| poll_put(self.shared, &mut self.ticket, cx, check, &mut put)).await
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.shared.lock().outbox.forget_space(ticket);
        }
    }
}

/// Where a message stands among all bytes of its connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// Waits until the message was handed to the socket. Only one task may wait for a message.
pub(crate) async fn written(shared: &Shared, span: Span) -> Result<(), RequestError> {
    let waiting = Written { shared, span };
    poll_fn(|cx| waiting.poll(cx)).await
}

struct Written<'a> {
    shared: &'a Shared,
    span: Span,
}

impl Written<'_> {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<(), RequestError>> {
        let mut state = self.shared.lock();
        let written = state.outbox.written();
        if written >= self.span.end {
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = state.ended() {
            let outcome = if written > self.span.start {
                Outcome::Unknown
            } else {
                Outcome::NotSent
            };
            return Poll::Ready(Err(RequestError::Disconnected { error, outcome }));
        }
        state.outbox.wait_for_progress(self.span.end, cx.waker());
        Poll::Pending
    }
}

impl Drop for Written<'_> {
    fn drop(&mut self) {
        self.shared.lock().outbox.forget_progress(self.span.end);
    }
}

/// The limit holds in both directions: what we would refuse we do not send either.
pub(crate) fn check_size(shared: &Shared, size: usize) -> Result<(), SendError> {
    let limit = shared.options.limits.payload;
    match size as u64 {
        size if size > limit => Err(SendError::PayloadTooLarge { size, limit }),
        _ => Ok(()),
    }
}

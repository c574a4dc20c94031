//! How messages and replies get into the outbox: at once when there is room, else in turn.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use super::{
    entry::{Entry, Room, Span},
    lines::Ticket,
    transmissions::Sending,
};
use crate::{
    engine::{lease::Lease, shared::Shared, state::State},
    error::{request::RequestError, send::SendError, source::SourceError},
};

/// Puts something into the outbox when there is room for it, and nobody waits for that who came before.
///
/// While it is pending, `ticket` is a place in a line; its owner gives it up with
/// [`Outbox::forget_space`](crate::engine::send::outbox::Outbox::forget_space).
pub(crate) fn poll_put<R>(
    shared: &Shared,
    ticket: &mut Option<Ticket>,
    cx: &mut Context<'_>,
    entry: Entry,
    put: impl FnOnce(&mut State) -> Result<R, SendError>,
) -> Poll<Result<R, SendError>> {
    shared.change(|state| {
        let (room, line) = (state.room(entry)?, entry.line());
        let is_late = ticket.is_none() && state.outbox.has_waiting(line);
        if room == Room::Full || is_late {
            state.outbox.wait_for_space(ticket, line, cx.waker());
            return Poll::Pending;
        }
        let put = put(state);
        if let Some(ticket) = ticket.take() {
            state.outbox.pass_turn(ticket);
        }
        Poll::Ready(put)
    })
}

/// As [`poll_put`], for who does not wait: `None` when that would be necessary.
pub(crate) fn try_put<R>(
    shared: &Shared,
    entry: Entry,
    put: impl FnOnce(&mut State) -> Result<R, SendError>,
) -> Option<Result<R, SendError>> {
    shared.change(|state| match state.room(entry) {
        Ok(Room::Free) if !state.outbox.has_waiting(entry.line()) => Some(put(state)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

/// As [`poll_put`], waiting for room.
///
/// Cancel safe: dropped before it is ready, nothing was queued.
pub(crate) async fn put<R>(
    shared: &Shared,
    entry: Entry,
    put: impl FnMut(&mut State) -> Result<R, SendError>,
) -> Result<R, SendError> {
    Turn::new(shared).put(entry, put).await
}

/// A place in a line. Dropping it gives the place up.
struct Turn<'a> {
    shared: &'a Shared,
    ticket: Option<Ticket>,
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
        entry: Entry,
        mut put: impl FnMut(&mut State) -> Result<R, SendError>,
    ) -> Result<R, SendError> {
        poll_fn(|cx| poll_put(self.shared, &mut self.ticket, cx, entry, &mut put)).await
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.shared.lock().outbox.forget_space(ticket);
        }
    }
}

/// A message that has its place, and what is still to be written of it.
#[derive(Debug)]
pub(crate) struct Queued {
    lease: Lease,
    span: Span,
    /// While it has files or a stream to be sent.
    transmission: Option<u64>,
}

impl Queued {
    pub(crate) fn whole(lease: Lease, span: Span) -> Self {
        Self {
            lease,
            span,
            transmission: None,
        }
    }

    /// Holds the entry of its transmission.
    pub(crate) fn carrying(lease: Lease, span: Span, transmission: u64) -> Self {
        Self {
            lease,
            span,
            transmission: Some(transmission),
        }
    }

    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Waits until all of it was handed to the socket.
    pub(crate) async fn sent(&mut self) -> Result<(), RequestError> {
        let waiting = Written { queued: self };
        poll_fn(|cx| waiting.poll(cx)).await
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<(), RequestError>> {
        let shared = &self.lease.shared;
        let mut state = shared.lock();
        let end = match self.transmission {
            None => self.span.end,
            Some(key) => match state.sources.watch(key, cx.waker()) {
                Sending::Open => return Poll::Pending,
                Sending::Whole(end) => end,
                Sending::Aborted(SourceError::Disconnected(error)) => {
                    let outcome = state.outcome_from(self.span.start);
                    return Poll::Ready(Err(RequestError::Disconnected { error, outcome }));
                }
                Sending::Aborted(error) => return Poll::Ready(Err(RequestError::Source(error))),
            },
        };
        if state.outbox.written() >= end {
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = state.ended() {
            let outcome = state.outcome_from(self.span.start);
            return Poll::Ready(Err(RequestError::Disconnected { error, outcome }));
        }
        state.outbox.wait_for_progress(end, cx.waker());
        Poll::Pending
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        if let Some(key) = self.transmission {
            self.lease.shared.lock().sources.release(key);
        }
    }
}

/// One wait for it; only one at a time.
struct Written<'a> {
    queued: &'a mut Queued,
}

impl Written<'_> {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<(), RequestError>> {
        self.queued.poll(cx)
    }
}

impl Drop for Written<'_> {
    fn drop(&mut self) {
        self.queued
            .lease
            .shared
            .lock()
            .outbox
            .forget_progress(self.queued.span.end);
    }
}

/// The limit holds in both directions: what we would refuse we do not send either.
pub(crate) fn check_size(shared: &Shared, size: usize) -> Result<(), SendError> {
    let limit = shared.options.limits.payload();
    match size as u64 {
        size if size > limit => Err(SendError::PayloadTooLarge { size, limit }),
        _ => Ok(()),
    }
}

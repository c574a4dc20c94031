//! How messages and replies get into the outbox: at once when there is room, else in turn.
//!
//! Everything here holds the lock of the connection only between two awaits. The driver wakes a
//! task that waits for room when it has written some; that task wakes the next one when it is done.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    parcel::{Parcel, Submitted},
    transmissions::Sending,
    wait_queue::{Line, Ticket},
};
use crate::{
    engine::{lease::Lease, measured::SendingContent, shared::Shared, state::State},
    error::{
        connection::ConnectionError, request::RequestError, send::SendError, source::SourceError,
    },
    msgpack::{self, DecodeError},
    payload::encoding::Encoding,
};

/// Queues something once there is room for it and nobody waits for the same ahead of it.
///
/// While this is pending, `ticket` is a place in the queue. Its owner leaves it with
/// [`Outbox::forget_space`](super::outbox::Outbox::forget_space).
#[inline]
pub(crate) fn poll_put<R>(
    shared: &Shared,
    ticket: &mut Option<Ticket>,
    cx: &mut Context<'_>,
    line: Line,
    put: impl FnOnce(&mut State) -> Result<R, SendError>,
) -> Poll<Result<R, SendError>> {
    shared.change(|state| {
        let is_full = match state.check(line) {
            Ok(()) => false,
            Err(SendError::Full) => true,
            Err(error) => return Poll::Ready(Err(error)),
        };
        // A ticket is the turn of its owner: only newcomers have to look at who waits.
        if is_full || (ticket.is_none() && state.outbox.has_waiting(line)) {
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

/// Like [`poll_put`], but returns [`SendError::Full`] instead of waiting.
#[inline]
pub(crate) fn try_put<R>(
    shared: &Shared,
    line: Line,
    put: impl FnOnce(&mut State) -> Result<R, SendError>,
) -> Result<R, SendError> {
    shared.change(|state| {
        state.check(line)?;
        if state.outbox.has_waiting(line) {
            return Err(SendError::Full);
        }
        put(state)
    })
}

/// Like [`poll_put`], as a future.
///
/// Cancel safe: dropped before it is ready, nothing was queued.
pub(crate) async fn put<R>(
    shared: &Shared,
    line: Line,
    mut put: impl FnMut(&mut State) -> Result<R, SendError>,
) -> Result<R, SendError> {
    let mut turn = Turn {
        shared,
        ticket: None,
    };
    poll_fn(|cx| poll_put(shared, &mut turn.ticket, cx, line, &mut put)).await
}

/// Queues a message or a response, waiting for room.
///
/// Cancel safe, like [`put`].
pub(crate) async fn submit(
    shared: &Shared,
    mut parcel: Parcel<'_>,
) -> Result<Submitted, SendError> {
    put(shared, parcel.line(), |state| {
        state.submit(&mut parcel, None)
    })
    .await
}

/// A place in the queue, given up when it is dropped.
struct Turn<'a> {
    shared: &'a Shared,
    ticket: Option<Ticket>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.shared.lock_to_wake().outbox.forget_space(ticket);
        }
    }
}

/// A message that was queued, and that is to be written. It holds the entry of its transmission, if
/// it has one.
#[derive(Debug)]
pub(crate) struct Queued {
    lease: Lease,
    submitted: Submitted,
    /// Where a waker is registered: the end of the message, which is known once all of it is
    /// queued.
    position: Option<u64>,
    /// Whether its transmission has a waker.
    is_watching: bool,
}

impl Queued {
    pub(crate) fn new(lease: Lease, submitted: Submitted) -> Self {
        Self {
            lease,
            submitted,
            position: None,
            is_watching: false,
        }
    }

    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Its content while it is sent, for those who measure it; `None` without any.
    pub(crate) fn content(&self) -> Option<SendingContent> {
        let transmission = self.submitted.transmission?;
        Some(SendingContent::new(self.lease.clone(), transmission))
    }

    /// Waits until all of it was handed to the socket.
    ///
    /// Cancel safe: may be dropped and called again.
    pub(crate) async fn sent(&mut self) -> Result<(), RequestError> {
        let written = Wait(self);
        poll_fn(|cx| written.0.poll_sent(cx)).await
    }

    /// Like [`sent`](Self::sent). A waker stays registered until the message was written, or this
    /// is dropped.
    pub(crate) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), RequestError>> {
        let mut state = self.lease.shared().lock_to_wake();
        let state = &mut *state;
        let end = match self.submitted.transmission {
            None => self.submitted.end,
            Some(key) => {
                let progress = state
                    .transmissions
                    .watch(key, cx.waker(), &mut state.outbox.due);
                self.is_watching = matches!(progress, Sending::Open);
                match progress {
                    Sending::Open => return Poll::Pending,
                    Sending::Whole(end) => end,
                    Sending::Aborted(SourceError::Disconnected { error, .. }) => {
                        return Poll::Ready(Err(self.disconnected(state, error)));
                    }
                    Sending::Aborted(error) => {
                        return Poll::Ready(Err(RequestError::Source(error)));
                    }
                }
            }
        };
        // Whatever makes one of these true has used the waker up.
        if state.outbox.written() >= end {
            self.position = None;
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = state.ended() {
            self.position = None;
            return Poll::Ready(Err(self.disconnected(state, error)));
        }
        state.outbox.wait_for_progress(end, cx.waker());
        self.position = Some(end);
        Poll::Pending
    }

    /// Takes back the wakers of a wait that is given up.
    fn forget_wakers(&mut self) {
        let (position, is_watching) = (self.position.take(), self.is_watching);
        self.is_watching = false;
        if position.is_none() && !is_watching {
            return;
        }
        self.lease
            .shared()
            .lock_to_wake()
            .forget_wait(position, self.submitted.transmission);
    }

    fn disconnected(&self, state: &State, error: ConnectionError) -> RequestError {
        let outcome = state.outcome_from(self.submitted.start);
        RequestError::Disconnected {
            peer: self.lease.shared().peer.peer_addr.map(Arc::new),
            error,
            outcome,
        }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.forget_wakers();
        if let Some(key) = self.submitted.transmission {
            self.lease.shared().lock().transmissions.release(key);
        }
    }
}

/// A wait until a message is written, which takes back its wakers when it is dropped. Borrowed
/// mutably: each message has only one waker.
struct Wait<'a>(&'a mut Queued);

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.0.forget_wakers();
    }
}

/// Our limits hold in both directions: a payload that we would refuse is not sent either.
pub(crate) fn check_payload(shared: &Shared, payload: &Encoding) -> Result<(), SendError> {
    check_size(shared, payload.len())?;
    match payload {
        Encoding::Whole(bytes) => match bytes.depth().levels() {
            Some(depth) => check_value(shared, bytes, depth),
            None => Ok(()),
        },
        Encoding::Bin(_) => Ok(()),
    }
}

/// Like [`check_payload`], for MessagePack whose arrays and maps are nested to this depth.
pub(crate) fn check_encoded(shared: &Shared, bytes: &[u8], depth: usize) -> Result<(), SendError> {
    check_size(shared, bytes.len())?;
    check_value(shared, bytes, depth)
}

fn check_size(shared: &Shared, size: usize) -> Result<(), SendError> {
    let limit = shared.options.limits.payload();
    match size as u64 {
        size if size > limit => Err(SendError::PayloadTooLarge { size, limit }),
        _ => Ok(()),
    }
}

fn check_value(shared: &Shared, bytes: &[u8], depth: usize) -> Result<(), SendError> {
    let bounds = &shared.options.bounds;
    let limit = bounds.depth();
    if depth > limit {
        return Err(SendError::TooDeep { depth, limit });
    }
    // Each value takes a byte at least. With the default limits no payload has to be counted.
    if bytes.len() <= bounds.items() {
        return Ok(());
    }
    match msgpack::check(bytes, bounds) {
        Err(DecodeError::TooManyItems { items, limit, .. }) => Err(SendError::TooManyValues {
            values: items,
            limit,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Waker,
    };

    use sockety_codec::{ChannelCount, MessageHead, Uuid};

    use super::*;
    use crate::{
        config::options::Options,
        engine::{
            common::Common,
            negotiated::Negotiated,
            peer::Peer,
            pending::ReplyClock,
            send::{outbox::Pieces, payload::Payload},
        },
    };

    fn one_way(action: &str) -> Parcel<'_> {
        Parcel {
            head: MessageHead::new(Uuid::new_v4(), action).into(),
            payload: Payload::Copied(&[7; 100]),
            layout: None,
            clock: ReplyClock::Default,
            along: None,
            metadata: None,
            retry: None,
        }
    }

    fn try_submit(shared: &Shared) -> Result<Submitted, SendError> {
        let mut parcel = one_way("at once");
        try_put(shared, parcel.line(), |state| {
            state.submit(&mut parcel, None)
        })
    }

    fn write_all(shared: &Shared) {
        shared.change(|state| {
            state.outbox.take(&mut Pieces::default());
            let count = state.outbox.waiting();
            state.outbox.advance(count);
        });
    }

    #[test]
    fn what_does_not_wait_overtakes_nobody_who_does() {
        let common = Common::new(Options::default().max_outbox_bytes(100));
        let shared = Shared::new(common, Peer::default(), Negotiated::Base(ChannelCount::MAX));
        try_submit(&shared).expect("there is room");
        assert!(matches!(try_submit(&shared), Err(SendError::Full)));

        let mut cx = Context::from_waker(Waker::noop());
        let mut waiting = Box::pin(submit(&shared, one_way("waiting")));
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
        // Now there is room, but it is for the sender that was woken.
        write_all(&shared);
        assert!(matches!(try_submit(&shared), Err(SendError::Full)));
        assert!(waiting.as_mut().poll(&mut cx).is_ready());
        drop(waiting);
        write_all(&shared);
        try_submit(&shared).expect("nobody waits any longer");
    }

    #[test]
    fn a_wait_that_is_given_up_leaves_no_waker() {
        let common = Common::default();
        let shared = Arc::new(Shared::new(
            common,
            Peer::default(),
            Negotiated::Base(ChannelCount::MAX),
        ));
        let submitted = try_submit(&shared).expect("there is room");
        let mut queued = Queued::new(Lease::new(Arc::clone(&shared)), submitted);
        let waker = Arc::new(Unused);
        {
            let mut sent = Box::pin(queued.sent());
            let of_unused = Waker::from(Arc::clone(&waker));
            let mut cx = Context::from_waker(&of_unused);
            assert!(sent.as_mut().poll(&mut cx).is_pending());
            assert!(Arc::strong_count(&waker) > 2, "one is registered");
        }
        assert_eq!(Arc::strong_count(&waker), 1);
    }

    #[test]
    fn tasks_are_woken_without_the_lock() {
        let common = Common::new(Options::default().max_outbox_bytes(100));
        let shared = Arc::new(Shared::new(
            common,
            Peer::default(),
            Negotiated::Base(ChannelCount::MAX),
        ));
        let submitted = try_submit(&shared).expect("there is room");
        let mut queued = Queued::new(Lease::new(Arc::clone(&shared)), submitted);
        let looks = Arc::new(Looks(Arc::clone(&shared), AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&looks));
        let mut cx = Context::from_waker(&waker);
        let mut waiting = Box::pin(submit(&shared, one_way("waiting")));
        let mut sent = Box::pin(queued.sent());
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
        assert!(sent.as_mut().poll(&mut cx).is_pending());
        write_all(&shared);
        assert_eq!(looks.1.load(Ordering::Relaxed), 2, "one for each");
    }

    /// Finds out whether the lock is held when it is woken.
    struct Looks(Arc<Shared>, AtomicUsize);

    impl std::task::Wake for Looks {
        fn wake(self: Arc<Self>) {
            assert!(!self.0.is_locked());
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    struct Unused;

    impl std::task::Wake for Unused {
        fn wake(self: Arc<Self>) {}
    }
}

//! A typed message that has no place in the outbox yet.

use std::task::{Context, Poll};

use sockety_codec::Uuid;

use crate::{
    connection::Connection,
    content::carrying::{Sending, Taken, Unwritten, parcel},
    engine::{
        pending::ReplyClock,
        send::{lines::Ticket, parcel::Submitted, queue},
        state::State,
    },
    error::send::SendError,
    message::outgoing::Outgoing,
};

/// Its owner calls [`forget`](Self::forget) before it is dropped unsent.
pub(super) struct Unsent {
    pub(super) message: Outgoing,
    /// What it carries, once that was taken from the message.
    taken: Option<Box<Taken>>,
    /// Its place among those that wait for room.
    ticket: Option<Ticket>,
}

/// How a message is submitted.
#[derive(Clone, Copy)]
pub(super) struct Submission {
    pub(super) id: Uuid,
    /// A reply wakes the task that submits the message.
    pub(super) expects_response: bool,
    pub(super) clock: ReplyClock,
}

impl Unsent {
    #[inline]
    pub(super) fn new(message: Outgoing) -> Self {
        Self {
            message,
            taken: None,
            ticket: None,
        }
    }

    /// Whether it was polled: what was polled and is not sent waits for room.
    pub(super) fn is_waiting(&self) -> bool {
        self.ticket.is_some()
    }

    /// Puts the message into the outbox once there is room.
    #[inline]
    pub(super) fn poll_submit(
        &mut self,
        connection: &Connection,
        how: Submission,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Submitted, SendError>> {
        let shared = connection.shared();
        let content = self.message.content();
        let payload = content.checked_payload(shared)?;
        // What comes from a reader is taken once, however often this is polled.
        if let (None, Some(parts)) = (&self.taken, &content.carrying) {
            self.taken = parts.take(Unwritten::Ends)?;
        }
        let head = self.message.head(how.id, how.expects_response);
        let mut parcel = parcel(head, payload, &mut self.taken, how.clock);
        let line = parcel.line();
        let waker = how.expects_response.then_some(cx.waker());
        let put = |state: &mut State| state.submit(&mut parcel, waker);
        queue::poll_put(shared, &mut self.ticket, cx, line, put)
    }

    /// Whether it carries files or a stream, which [`start`](Self::start) sends.
    pub(super) fn is_carrying(&self) -> bool {
        self.taken.is_some()
    }

    /// Starts to send what it carries, after it was submitted.
    pub(super) fn start(&mut self, connection: &Connection, submitted: Submitted) -> Sending {
        let lease = connection.lease().clone();
        Sending::start(lease, submitted, self.taken.take())
    }

    /// Gives up its place among those that wait for room.
    pub(super) fn forget(&self, connection: &Connection) {
        if let Some(ticket) = self.ticket {
            connection
                .shared()
                .lock_to_wake()
                .outbox
                .forget_space(ticket);
        }
    }
}

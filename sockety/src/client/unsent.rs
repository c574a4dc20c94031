//! A typed message that has no place in the outbox yet.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use sockety_codec::MessageHead;
use tokio::time::Instant;

use crate::{
    action::Action,
    connection::Connection,
    content::carrying::{Pump, Sending, Taken, Unwritten, parcel},
    description::limits::ActionLimits,
    engine::{
        call_clock::CallTimeout,
        inherited::Along,
        pending::ReplyClock,
        send::{parcel::Submitted, queue, wait_queue::Ticket},
        state::State,
    },
    error::send::{LimitProblem, SendError},
    message::outgoing::{Content, Outgoing},
    metadata::Metadata,
};

/// A typed message. If it is dropped unsent, its owner calls [`Extra::forget`] first.
#[derive(Debug, Clone)]
pub(super) struct Unsent {
    pub(super) action: &'static str,
    pub(super) content: Content,
}

/// State that few typed messages need. It is boxed: calls and one-way messages are moved several
/// times before their first poll, and each move copies them.
#[derive(Default)]
pub(super) struct Extra {
    /// Files and stream, once they were taken from the content of the message.
    taken: Option<Box<Taken>>,
    /// The place of the message in the queue, while it waits for room.
    ticket: Option<Ticket>,
    /// Sends the files or the stream of a call.
    pub(super) pump: Pump,
    /// The timeout of a call, unless it is left to the clock of all calls.
    pub(super) timer: Option<CallTimeout>,
    /// What travels with the message.
    pub(super) metadata: Option<Box<Metadata>>,
}

impl Unsent {
    #[inline]
    pub(super) fn into_outgoing(self) -> Outgoing {
        Outgoing::with_content(Action::Known(self.action), self.content)
    }

    /// Refuses to send what exceeds these limits. A peer that declares the same would read all of it,
    /// and answer with a code that says nothing of it.
    pub(super) fn limit(&mut self, limits: ActionLimits) {
        let Ok(payload) = &self.content.payload else {
            return;
        };
        let (size, parts) = (payload.len() as u64, self.content.carrying.as_ref());
        let count = parts.map_or(0, |parts| parts.file_count());
        let (largest, all) = parts.map_or((0, 0), |parts| parts.file_sizes());
        let problem = match limits {
            ActionLimits {
                payload: Some(limit),
                ..
            } if size > limit => LimitProblem::Payload { size, limit },
            ActionLimits {
                files: Some(limit), ..
            } if count as u64 > limit.into() => LimitProblem::Files { count, limit },
            ActionLimits {
                file: Some(limit), ..
            } if largest > limit => LimitProblem::File {
                size: largest,
                limit,
            },
            ActionLimits {
                all_files: Some(limit),
                ..
            } if all > limit => LimitProblem::AllFiles { size: all, limit },
            _ => return,
        };
        let action = self.action;
        self.content.payload = Err(Box::new(SendError::OverActionLimit {
            action,
            problem: Box::new(problem),
        }));
    }
}

/// Puts the message into the outbox once there is room.
///
/// If the head expects a response, a reply wakes the task that polls this.
///
/// Takes the connection's lock once. The driver is woken after it is released, if it sleeps.
#[inline]
pub(super) fn poll_submit(
    head: MessageHead<'_>,
    content: &Content,
    extra: &mut Option<Box<Extra>>,
    connection: &Connection,
    clock: ReplyClock,
    along: Option<Along>,
    cx: &mut Context<'_>,
) -> Poll<Result<Submitted, SendError>> {
    let shared = connection.shared();
    let payload = content.checked_payload(shared)?;
    if let Some(parts) = &content.carrying {
        let extra = extra.get_or_insert_default();
        // Only on the first poll: content from a reader can be taken only once.
        if extra.taken.is_none() {
            extra.taken = parts.take(Unwritten::Ends)?;
        }
    }
    let mut nothing = None;
    let (taken, mut ticket, metadata) = match extra.as_deref_mut() {
        Some(extra) => (&mut extra.taken, extra.ticket, extra.metadata.as_deref()),
        None => (&mut nothing, None, None),
    };
    let waker = head.expects_response.then_some(cx.waker());
    let mut parcel = parcel(head, payload, taken, clock);
    parcel.along = along.as_ref();
    parcel.metadata = metadata;
    let line = parcel.line();
    let put = |state: &mut State| state.submit(&mut parcel, waker);
    let submitted = queue::poll_put(shared, &mut ticket, cx, line, put);
    // Written back, because a queue may have been joined or left.
    if ticket.is_some() || extra.is_some() {
        extra.get_or_insert_default().ticket = ticket;
    }
    submitted
}

impl Extra {
    pub(super) fn with_timeout(timeout: Duration, has_content: bool) -> Box<Self> {
        Box::new(Self {
            timer: Some(CallTimeout::new(timeout, has_content)),
            ..Self::default()
        })
    }

    /// What ends the wait for a reply.
    pub(super) fn clock(&self) -> ReplyClock {
        match self.timer {
            Some(_) => ReplyClock::Own,
            None => ReplyClock::Default,
        }
    }

    /// When the call is over, if the peer may know it: with files or a stream, its timer is stopped
    /// while they move.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timer.as_ref()?.deadline()
    }

    /// It has no place in the queue any longer.
    pub(super) fn leave_queue(&mut self) {
        self.ticket = None;
    }

    /// Whether the message was polled: a polled message that is not sent waits for room.
    pub(super) fn is_waiting(&self) -> bool {
        self.ticket.is_some()
    }

    /// Whether the message carries files or a stream, which [`start`] sends.
    pub(super) fn is_carrying(&self) -> bool {
        self.taken.is_some()
    }

    /// Gives up the place of the message in the queue. The next task in it is woken after the lock
    /// is released, if it was this one's turn.
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

/// Starts to send what a message carries, after it was submitted.
pub(super) fn start(
    extra: &mut Option<Box<Extra>>,
    connection: &Connection,
    submitted: Submitted,
) -> Sending {
    let taken = extra.as_mut().and_then(|extra| extra.taken.take());
    Sending::start(connection.lease().clone(), submitted, taken)
}

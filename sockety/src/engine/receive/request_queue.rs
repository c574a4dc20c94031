//! Requests of the peer that wait for their turn, because as many as may are executed already.

use std::collections::VecDeque;

use bytes::Bytes;
use sockety_codec::MessageHead;

use super::{
    kept_messages::{KeptMessage, KeptMessages},
    parts::ReceivedParts,
};
use crate::{
    config::{budgets::Budgets, options::Options},
    engine::{
        early_end::{Number, Steering},
        pending_reply::PendingReply,
        serve::Route,
        shared::Shared,
        warnings::Warning,
    },
};

/// A FIFO queue, bounded in requests and in bytes of payloads.
///
/// A request that finds as many as may wait is refused, and its sender learns it. The sender of a
/// one-way message would not, so that one is taken, and nothing more is read until there is room
/// again. So is one that finds too many bytes. Where reading cannot pause, one-way messages go to
/// the [`Overflow`], and others are refused.
#[derive(Default)]
pub(crate) struct RequestQueue {
    requests: VecDeque<QueuedRequest>,
    bytes: usize,
    /// One was taken although there was no room.
    is_overfull: bool,
}

/// A request that has arrived.
pub(crate) struct QueuedRequest {
    pub(crate) route: Route,
    pub(crate) payload: Bytes,
    pub(crate) parts: ReceivedParts,
    pub(crate) reply: PendingReply,
}

impl QueuedRequest {
    /// Whether nobody waits for it any longer.
    fn is_over(&self) -> bool {
        let described = self.reply.described.as_ref();
        described.is_some_and(|described| described.is_over())
    }

    /// What may end it early. Its deadline is known since it began to wait.
    pub(crate) fn steering(&self) -> Steering {
        let number = self.reply.number;
        Steering {
            number,
            is_cancellable: self.reply.expects_response && number != Number::NONE,
            default_millis: None,
            described: self.reply.described.clone(),
        }
    }
}

impl RequestQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn is_full(&self, options: &Options) -> bool {
        self.has_many(options) || self.bytes >= options.unread_bytes
    }

    /// Whether as many wait as may.
    pub(crate) fn has_many(&self, options: &Options) -> bool {
        self.requests.len() >= options.queued_requests
    }

    /// Whether reading waits until there is room.
    pub(crate) fn is_overfull(&mut self, options: &Options) -> bool {
        self.is_overfull = self.is_overfull && !self.is_empty() && self.is_full(options);
        self.is_overfull
    }

    pub(crate) fn push(&mut self, request: QueuedRequest, options: &Options) {
        self.is_overfull |= self.is_full(options);
        self.bytes += request.payload.len();
        self.requests.push_back(request);
    }

    /// Takes the request with this number out, if it waits.
    pub(crate) fn take(&mut self, number: Number) -> Option<QueuedRequest> {
        let is_it = |request: &QueuedRequest| {
            request.reply.number == number && request.reply.expects_response
        };
        let place = self.requests.iter().position(is_it)?;
        let request = self.requests.remove(place)?;
        self.bytes -= request.payload.len();
        Some(request)
    }

    /// Takes out the requests whose deadlines have passed while they waited.
    pub(crate) fn take_overdue(&mut self) -> Vec<QueuedRequest> {
        if !self.requests.iter().any(QueuedRequest::is_over) {
            return Vec::new();
        }
        let requests = std::mem::take(&mut self.requests).into_iter();
        let (overdue, waiting): (Vec<_>, Vec<_>) = requests.partition(QueuedRequest::is_over);
        self.requests = waiting.into();
        let bytes = overdue.iter().map(|request| request.payload.len());
        self.bytes -= bytes.sum::<usize>();
        overdue
    }

    pub(crate) fn pop(&mut self) -> Option<QueuedRequest> {
        let request = self.requests.pop_front()?;
        self.bytes -= request.payload.len();
        if self.requests.is_empty() {
            // A burst leaves no memory behind.
            self.requests = VecDeque::new();
        }
        Some(request)
    }

    /// There was no room for a request.
    #[cold]
    pub(crate) fn on_refused(&self, action: &str, shared: &Shared) {
        shared.counters.count(|all| &all.overloaded);
        let options = &shared.options;
        shared.warn(
            Warning::Overloaded,
            action,
            &format_args!(
                "{} wait for their turn (limits: {} executing, {} waiting)",
                self.len(),
                options.requests_executing,
                options.queued_requests,
            ),
        );
    }
}

/// One-way messages that find no room in the queue while reading cannot pause, because what comes
/// behind them may be what a handler waits for.
///
/// They take as many bytes as payloads of one connection may, and count against the budget of all
/// connections.
pub(crate) struct Overflow {
    kept: KeptMessages,
    budgets: Budgets,
}

impl Overflow {
    pub(crate) fn new(budgets: Budgets) -> Self {
        Self {
            kept: KeptMessages::default(),
            budgets,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Keeps a message. Returns whether there was room.
    pub(crate) fn keep(
        &mut self,
        steering: &Steering,
        head: &MessageHead<'_>,
        payload: &[u8],
        options: &Options,
    ) -> bool {
        let before = self.kept.bytes();
        if before as u64 >= options.payload_bytes || self.budgets.received().is_used_up() {
            return false;
        }
        self.kept.push(KeptMessage::new(steering, head, payload));
        let bytes = self.kept.bytes() - before;
        self.budgets.received().charge(bytes as u64);
        true
    }

    pub(crate) fn first(&self) -> Option<&KeptMessage> {
        self.kept.first()
    }

    pub(crate) fn pop(&mut self) -> Option<KeptMessage> {
        let before = self.kept.bytes();
        let message = self.kept.pop();
        let bytes = before - self.kept.bytes();
        self.budgets.received().give_back(bytes as u64);
        message
    }
}

impl Drop for Overflow {
    fn drop(&mut self) {
        self.budgets.received().give_back(self.kept.bytes() as u64);
    }
}

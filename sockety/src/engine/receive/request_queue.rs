//! Requests of the peer that wait for their turn, because as many as may are executed already.

use std::collections::VecDeque;

use bytes::Bytes;
use rustc_hash::FxHashMap;
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
    /// Any of them may be taken out, which leaves a gap. The first is none.
    requests: VecDeque<Option<QueuedRequest>>,
    /// How many wait.
    count: usize,
    /// The place of the first, counted from the first that ever waited.
    first: u64,
    /// Places of those that may be cancelled, by number.
    by_number: FxHashMap<Number, u64>,
    bytes: usize,
    /// One was taken although there was no room.
    is_overfull: bool,
}

/// Gaps that may be there in any case.
const LEAST_GAPS: usize = 64;

/// A request that has arrived.
pub(crate) struct QueuedRequest {
    pub(crate) route: Route,
    pub(crate) payload: Bytes,
    pub(crate) parts: ReceivedParts,
    pub(crate) reply: PendingReply,
}

impl QueuedRequest {
    fn is_cancellable(&self) -> bool {
        self.reply.expects_response && self.reply.number != Number::NONE
    }

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
            is_cancellable: self.is_cancellable(),
            default_millis: None,
            described: self.reply.described.clone(),
        }
    }
}

impl RequestQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn is_full(&self, options: &Options) -> bool {
        self.has_many(options) || self.bytes >= options.unread_bytes
    }

    /// Whether as many wait as may.
    pub(crate) fn has_many(&self, options: &Options) -> bool {
        self.count >= options.queued_requests
    }

    /// Whether reading waits until there is room.
    pub(crate) fn is_overfull(&mut self, options: &Options) -> bool {
        self.is_overfull = self.is_overfull && !self.is_empty() && self.is_full(options);
        self.is_overfull
    }

    pub(crate) fn push(&mut self, request: QueuedRequest, options: &Options) {
        self.is_overfull |= self.is_full(options);
        self.bytes += request.payload.len();
        let place = self.first + self.requests.len() as u64;
        if request.is_cancellable() {
            self.by_number.insert(request.reply.number, place);
        }
        self.requests.push_back(Some(request));
        self.count += 1;
    }

    /// Takes the request with this number out, if it waits.
    pub(crate) fn take(&mut self, number: Number) -> Option<QueuedRequest> {
        let place = *self.by_number.get(&number)?;
        let taken = self.take_from(place);
        self.close_gaps();
        taken
    }

    /// Takes out the requests whose deadlines have passed while they waited.
    pub(crate) fn take_overdue(&mut self) -> Vec<QueuedRequest> {
        let is_over = |request: &Option<QueuedRequest>| {
            request.as_ref().is_some_and(|request| request.is_over())
        };
        let places = (self.first..).zip(&self.requests);
        let overdue = places.filter(|(_, request)| is_over(request));
        let overdue: Vec<_> = overdue.map(|(place, _)| place).collect();
        let taken = overdue
            .into_iter()
            .filter_map(|place| self.take_from(place))
            .collect();
        self.close_gaps();
        taken
    }

    pub(crate) fn pop(&mut self) -> Option<QueuedRequest> {
        self.take_from(self.first)
    }

    fn take_from(&mut self, place: u64) -> Option<QueuedRequest> {
        let index = usize::try_from(place.checked_sub(self.first)?).ok()?;
        let request = self.requests.get_mut(index)?.take()?;
        self.count -= 1;
        self.bytes -= request.payload.len();
        if request.is_cancellable() {
            self.by_number.remove(&request.reply.number);
        }
        while let Some(None) = self.requests.front() {
            self.requests.pop_front();
            self.first += 1;
        }
        if self.count == 0 {
            // A burst leaves no memory behind.
            (self.requests, self.by_number) = Default::default();
        }
        Some(request)
    }

    /// Closes the gaps, when there are more of them than requests.
    fn close_gaps(&mut self) {
        if self.requests.len() <= 2 * self.count + LEAST_GAPS {
            return;
        }
        self.requests.retain(Option::is_some);
        let places = (self.first..).zip(self.requests.iter().flatten());
        let places = places.filter(|(_, request)| request.is_cancellable());
        self.by_number = places
            .map(|(place, request)| (request.reply.number, place))
            .collect();
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

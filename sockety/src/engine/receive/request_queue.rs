//! Requests of the peer that wait for their turn, because as many as may are executed already.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;
use tracing::warn;

use super::parts::ReceivedParts;
use crate::{
    config::options::Options,
    engine::{pending_reply::PendingReply, serve::Route, shared::Shared},
    shown::Shown,
};

/// A FIFO queue, bounded in requests and in bytes of payloads.
///
/// A request that finds no room is refused, and its sender learns it. The sender of a one-way
/// message would not, so that one is taken, and nothing more is read until there is room again.
#[derive(Default)]
pub(crate) struct RequestQueue {
    requests: VecDeque<QueuedRequest>,
    bytes: usize,
    /// A one-way message was taken although there was no room.
    is_overfull: bool,
    refused: Refused,
}

/// A request that has arrived.
pub(crate) struct QueuedRequest {
    pub(crate) route: Route,
    pub(crate) payload: Bytes,
    pub(crate) parts: ReceivedParts,
    pub(crate) reply: PendingReply,
}

/// Refused requests that were not reported yet.
#[derive(Default)]
struct Refused {
    count: u64,
    reported: Option<Instant>,
}

/// At most one warning per connection in this time.
const REPORT_EVERY: Duration = Duration::from_secs(1);

impl RequestQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn is_full(&self, options: &Options) -> bool {
        self.requests.len() >= options.queued_requests || self.bytes >= options.unread_bytes
    }

    /// Whether reading waits until there is room.
    pub(crate) fn is_overfull(&mut self, options: &Options) -> bool {
        self.is_overfull = self.is_overfull && !self.is_empty() && self.is_full(options);
        self.is_overfull
    }

    pub(crate) fn push(&mut self, request: QueuedRequest, options: &Options) {
        self.is_overfull |= self.is_full(options) && !request.reply.expects_response;
        self.bytes += request.payload.len();
        self.requests.push_back(request);
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

    /// There was no room for a request. Warns at most once a second, with the number of those that
    /// were refused since the last warning.
    #[cold]
    pub(crate) fn on_refused(&mut self, action: &str, shared: &Shared) {
        shared.counters.count(|all| &all.overloaded);
        self.refused.count += 1;
        let now = Instant::now();
        let reported = self.refused.reported;
        if reported.is_some_and(|reported| now < reported + REPORT_EVERY) {
            return;
        }
        let (peer, options) = (shared.peer.peer_addr, &shared.options);
        warn!(
            ?peer,
            action = %Shown::new(action),
            refused = self.refused.count,
            queued = self.len(),
            max_requests_executing = options.requests_executing,
            max_queued_requests = options.queued_requests,
            "requests refused: too many are executing or waiting"
        );
        self.refused = Refused {
            count: 0,
            reported: Some(now),
        };
    }
}

//! Requests of the peer that wait for their turn, because as many as may are executed already.

use std::collections::VecDeque;

use bytes::Bytes;

use super::parts::ReceivedParts;
use crate::{
    config::options::Options,
    engine::{pending_reply::PendingReply, serve::Route, shared::Shared, warnings::Warning},
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
}

/// A request that has arrived.
pub(crate) struct QueuedRequest {
    pub(crate) route: Route,
    pub(crate) payload: Bytes,
    pub(crate) parts: ReceivedParts,
    pub(crate) reply: PendingReply,
}

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

    /// There was no room for a request.
    #[cold]
    pub(crate) fn on_refused(&self, action: &str, shared: &Shared) {
        shared.counters.count(|all| &all.overloaded);
        let options = &shared.options;
        let reason = format_args!(
            "{} wait for their turn (limits: {} executing, {} waiting)",
            self.len(),
            options.requests_executing,
            options.queued_requests,
        );
        shared.warn(Warning::Overloaded, action, &reason);
    }
}

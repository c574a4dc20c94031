//! Replies that arrive for requests of ours.

use std::task::Context;

use sockety_codec::{ChannelId, ResponseHead, Uuid};

use super::{Inbound, Verdict};
use crate::{
    engine::{
        early_end::Steering,
        payload_reservation::{NoRoom, PayloadReservation, Purpose},
        pending::RawReply,
        receive::{
            parts::ReceivedParts,
            payload::Assembly,
            slot::{Open, Progress, Role},
        },
        serve::Serve,
    },
    error::{read::ReadError, request::RequestError},
    payload::payload_bytes::PayloadBytes,
};

impl<S: Serve> Inbound<S> {
    pub(super) fn on_whole_response(
        &mut self,
        number: u64,
        head: &ResponseHead,
        payload: &[u8],
    ) -> Verdict {
        let carried = match self.said_of_response(number) {
            None => ReceivedParts::default(),
            Some(described) => ReceivedParts::of_described(described),
        };
        let response = RawReply::Response {
            id: head.id,
            expects_response: head.expects_response,
            payload: PayloadBytes::copy_of(payload),
            carried,
        };
        let is_dropped = self.deliver(&head.parent, Ok(response));
        if is_dropped && !self.shared.lock().pending.expects(&head.parent) {
            self.abuse.on_dropped(payload.len() as u64);
        }
        Verdict::Keep
    }

    pub(super) fn on_response(
        &mut self,
        channel: ChannelId,
        number: u64,
        head: &ResponseHead,
        cx: &mut Context<'_>,
    ) -> Verdict {
        self.begin_content(channel, number, head.has_stream, head.files);
        let steering = Steering {
            described: self.said_of_response(number),
            ..Steering::default()
        };
        if !self.shared.lock().pending.begin_response(&head.parent) {
            self.on_unwanted(&head.parent, false);
            return if head.has_content() {
                Verdict::Refuse(channel)
            } else {
                Verdict::Keep
            };
        }
        let reserved =
            PayloadReservation::reserve(&self.shared, head.payload_size, Purpose::Response);
        let reservation = match reserved {
            Ok(reservation) => reservation,
            Err(NoRoom { limit }) => {
                self.deliver(&head.parent, lost(ReadError::OverBudget { limit }));
                return Verdict::Refuse(channel);
            }
        };
        let open = Open {
            role: Role::Response {
                parent: head.parent,
            },
            id: head.id,
            expects_response: head.expects_response,
            payload: Assembly::new(head.payload_size, reservation),
            carried: self.arriving(
                number,
                head.has_stream,
                head.files.count,
                head.parent,
                None,
                true,
            ),
            progress: Progress::default(),
            steering,
        };
        self.begin(channel, open, cx)
    }

    pub(super) fn on_reply(
        &mut self,
        parent: &Uuid,
        reply: Result<RawReply, RequestError>,
    ) -> Verdict {
        self.deliver(parent, reply);
        Verdict::Keep
    }

    // r[impl reply.response]
    /// Hands a reply to the request that waits for it, or drops it if none does. Returns whether it
    /// was dropped.
    pub(super) fn deliver(&mut self, parent: &Uuid, reply: Result<RawReply, RequestError>) -> bool {
        let delivered = self.shared.lock_to_wake().deliver(parent, reply);
        // After the lock is released, because the woken task takes it at once, and so may
        // destructors of the reply's parts.
        if let Some(waker) = delivered.waker {
            waker.wake();
        }
        if delivered.is_timeout {
            self.shared.counters.add(|all| &all.timed_out_requests, 1);
        }
        let Some(unwanted) = delivered.unwanted else {
            return false;
        };
        let is_code = matches!(unwanted, Ok(RawReply::Fast(..)));
        drop(unwanted);
        self.on_unwanted(parent, is_code);
        true
    }

    /// A reply arrived that no request waits for.
    fn on_unwanted(&mut self, parent: &Uuid, is_code: bool) {
        if self.shared.lock().pending.allows_late(parent, is_code) {
            self.shared.counters.count(|all| &all.late_replies);
        } else {
            self.abuse.on_unexpected_reply();
        }
    }
}

pub(super) fn lost(reason: ReadError) -> Result<RawReply, RequestError> {
    Err(RequestError::ResponseLost(reason))
}

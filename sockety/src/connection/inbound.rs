//! Messages and responses that are arriving, by channel, until they are whole and go to whom they are for.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use sockety_codec::{ChannelId, Event, MessageHead, Refusal, RefusalReason, ResponseHead, Uuid};
use tracing::error;

use super::{
    shared::{Executing, Shared},
    waiting::{RawReply, RawResponse},
};
use crate::{
    Connection, Dispatch, FastReply, RequestError, Router, fast_reply::Framework, owed::Owed,
    router::Route,
};

/// The receiving side of one connection. Only its driver has it.
pub(crate) struct Inbound {
    shared: Arc<Shared>,
    router: Arc<Router>,
    slots: Vec<Slot>,
    /// Declared payload bytes of messages that are arriving.
    reserved: u64,
    has_served: bool,
}

/// Payloads that may be arriving at once on a connection: two of the largest by default.
const RESERVED_BYTES: u64 = 8 * 1024 * 1024;

/// What is open on a channel.
#[derive(Default)]
enum Slot {
    #[default]
    Free,
    Message(OpenMessage),
    Response(OpenResponse),
}

struct OpenMessage {
    id: Uuid,
    expects_response: bool,
    route: Route,
    executing: Executing,
    payload: Assembly,
}

struct OpenResponse {
    parent: Uuid,
    id: Uuid,
    expects_response: bool,
    payload: Assembly,
}

/// What the decoder is to do with the rest of a message.
#[must_use]
pub(crate) enum Verdict {
    Keep,
    Refuse(ChannelId),
}

impl Verdict {
    pub(crate) fn refused(self) -> Option<ChannelId> {
        match self {
            Self::Keep => None,
            Self::Refuse(channel) => Some(channel),
        }
    }
}

impl Inbound {
    pub(crate) fn new(shared: Arc<Shared>, router: Arc<Router>) -> Self {
        Self {
            shared,
            router,
            slots: Vec::new(),
            reserved: 0,
            has_served: false,
        }
    }

    /// Whether the peer has sent a request at all.
    pub(crate) fn has_served(&self) -> bool {
        self.has_served
    }

    pub(crate) fn on_event(&mut self, event: Event<'_>, cx: &mut Context<'_>) -> Verdict {
        match event {
            Event::Message { channel, head } => return self.on_message(channel, &head, cx),
            Event::Response { channel, head } => return self.on_response(channel, &head),
            Event::Data {
                channel,
                bytes,
                remaining,
            } => self.on_data(channel, bytes, remaining, cx),
            Event::FastReply { id, code } => self.deliver(&id, Ok(RawReply::Fast(code.into()))),
            Event::End { channel } => self.free(channel),
            Event::Abort { channel } => self.on_lost(channel, "given up by the peer"),
            Event::Refused { channel, refusal } => self.on_refused(channel, &refusal),
            // Messages with files or a stream are refused at their head.
            Event::FileHeader { .. }
            | Event::File { .. }
            | Event::FileEnd { .. }
            | Event::Stream { .. }
            | Event::StreamEnd { .. } => {}
            // The connection header was read in the handshake; the others are signs of life.
            Event::Header(_) | Event::Heartbeat | Event::GoAway => {}
        }
        Verdict::Keep
    }

    fn on_message(
        &mut self,
        channel: ChannelId,
        head: &MessageHead<'_>,
        cx: &mut Context<'_>,
    ) -> Verdict {
        self.has_served = true;
        let carries_unsupported = head.has_stream || head.files.count > 0;
        let route = match self.router.resolve(head.action) {
            Some(route) if !carries_unsupported => route,
            _ => return self.refuse_message(channel, head, FastReply::NOT_IMPLEMENTED),
        };
        let Some(executing) = self.shared.begin_executing() else {
            return self.refuse_message(channel, head, Framework::Overloaded.reply());
        };
        let Some(payload) = self.assemble(head.payload_size) else {
            return self.refuse_message(channel, head, Framework::Overloaded.reply());
        };
        let (id, expects_response) = (head.id, head.expects_response);
        let message = OpenMessage {
            id,
            expects_response,
            route,
            executing,
            payload,
        };
        if head.has_content() {
            *self.slot(channel) = Slot::Message(message);
        } else {
            self.dispatch(message, Bytes::new(), cx);
        }
        Verdict::Keep
    }

    fn refuse_message(
        &self,
        channel: ChannelId,
        head: &MessageHead<'_>,
        reply: FastReply,
    ) -> Verdict {
        // r[impl reply.only-when-expected]
        if head.expects_response {
            self.shared.fast_reply(head.id, reply);
        }
        if head.has_content() {
            Verdict::Refuse(channel)
        } else {
            Verdict::Keep
        }
    }

    fn on_response(&mut self, channel: ChannelId, head: &ResponseHead) -> Verdict {
        let carries_unsupported = head.has_stream || head.files.count > 0;
        if carries_unsupported {
            self.deliver(
                &head.parent,
                lost("files and streams in responses are not supported"),
            );
        }
        if carries_unsupported || !self.shared.lock().waiting.expects(&head.parent) {
            return if head.has_content() {
                Verdict::Refuse(channel)
            } else {
                Verdict::Keep
            };
        }
        let Some(payload) = self.assemble(head.payload_size) else {
            self.deliver(&head.parent, lost("too many payloads are arriving at once"));
            return Verdict::Refuse(channel);
        };
        let (parent, id, expects_response) = (head.parent, head.id, head.expects_response);
        let response = OpenResponse {
            parent,
            id,
            expects_response,
            payload,
        };
        if head.has_content() {
            *self.slot(channel) = Slot::Response(response);
        } else {
            self.deliver_response(response, Bytes::new());
        }
        Verdict::Keep
    }

    fn on_data(&mut self, channel: ChannelId, bytes: &[u8], remaining: u64, cx: &mut Context<'_>) {
        let slot = self.slot(channel);
        let payload = match slot {
            Slot::Free => return,
            Slot::Message(message) => &mut message.payload,
            Slot::Response(response) => &mut response.payload,
        };
        let Some(whole) = payload.push(bytes, remaining) else {
            return;
        };
        let reserved = payload.size;
        let open = std::mem::take(slot);
        self.reserved -= reserved;
        match open {
            Slot::Free => {}
            Slot::Message(message) => self.dispatch(message, whole, cx),
            Slot::Response(response) => self.deliver_response(response, whole),
        }
    }

    /// Runs the handler as far as it goes without waiting; what has to wait becomes a task of its own.
    ///
    /// Most handlers end at once, and cost no task and no wake-up this way.
    fn dispatch(&self, message: OpenMessage, payload: Bytes, cx: &mut Context<'_>) {
        let connection = Connection::new(Arc::clone(&self.shared));
        let OpenMessage {
            id,
            expects_response,
            route,
            executing,
            ..
        } = message;
        let owed = Owed::new(connection, id, expects_response, executing);
        let mut handler = self.router.dispatch(route, payload, owed);
        match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx))) {
            Ok(Poll::Ready(())) => {}
            Ok(Poll::Pending) => spawn(handler),
            // The reply went out when the message was dropped.
            Err(_) => error!(%id, "handler panicked"),
        }
    }

    fn deliver_response(&self, response: OpenResponse, payload: Bytes) {
        let OpenResponse {
            parent,
            id,
            expects_response,
            ..
        } = response;
        self.deliver(
            &parent,
            Ok(RawReply::Response(RawResponse {
                id,
                expects_response,
                payload,
            })),
        );
    }

    /// A reply that nobody waits for any longer is counted and dropped.
    fn deliver(&self, parent: &Uuid, reply: Result<RawReply, RequestError>) {
        self.shared.lock().waiting.deliver(parent, reply);
    }

    fn on_refused(&mut self, channel: ChannelId, refusal: &Refusal) {
        self.free(channel);
        if let Some(parent) = refusal.parent {
            self.deliver(&parent, lost(&refusal.reason.to_string()));
        } else if refusal.expects_response {
            let code = match refusal.reason {
                RefusalReason::TooLarge { .. } => Framework::TooLarge,
                _ => Framework::BadHeader,
            };
            self.shared.fast_reply(refusal.id, code.reply());
        }
    }

    fn on_lost(&mut self, channel: ChannelId, reason: &str) {
        if let Slot::Response(response) = self.slot(channel) {
            let parent = response.parent;
            self.deliver(&parent, lost(reason));
        }
        self.free(channel);
    }

    fn free(&mut self, channel: ChannelId) {
        match std::mem::take(self.slot(channel)) {
            Slot::Free => {}
            Slot::Message(message) => self.reserved -= message.payload.size,
            Slot::Response(response) => self.reserved -= response.payload.size,
        }
    }

    /// Reserves what a head declares. Nothing is allocated for it.
    fn assemble(&mut self, size: u64) -> Option<Assembly> {
        let reserved = self.reserved.checked_add(size)?;
        // One payload alone is bounded by its own limit already.
        if reserved > RESERVED_BYTES && self.reserved > 0 {
            return None;
        }
        self.reserved = reserved;
        Some(Assembly {
            size,
            bytes: Vec::new(),
        })
    }

    fn slot(&mut self, channel: ChannelId) -> &mut Slot {
        let index = usize::from(channel.get());
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, Slot::default);
        }
        &mut self.slots[index]
    }
}

fn lost(reason: &str) -> Result<RawReply, RequestError> {
    Err(RequestError::ResponseLost(reason.into()))
}

/// The slot of the request is inside the handler, so the number of such tasks is bounded.
fn spawn(handler: Dispatch) {
    tokio::spawn(handler);
}

/// A payload that is arriving. It grows with what came, not with what was announced.
struct Assembly {
    size: u64,
    bytes: Vec<u8>,
}

impl Assembly {
    /// Adds a part, and gives the whole when it was the last.
    fn push(&mut self, part: &[u8], remaining: u64) -> Option<Bytes> {
        if self.bytes.is_empty() && remaining == 0 {
            return Some(Bytes::copy_from_slice(part));
        }
        self.bytes.extend_from_slice(part);
        (remaining == 0).then(|| Bytes::from(std::mem::take(&mut self.bytes)))
    }
}

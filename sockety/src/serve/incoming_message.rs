//! A received message: what generated code reads, and what middleware, hooks and handlers wrap.

use bytes::Bytes;

use super::context::Context;
use crate::{
    action::Action,
    connection::Connection,
    content::received::Carried,
    engine::{pending_reply::PendingReply, serve::ReceivedPayload},
    message::typed::Received,
    msgpack::{__private::Entries, DecodeError},
    payload::{format::Format, parameters::decode_within},
};

/// A received message. Dropping it while the peer waits answers with code 5, Internal Error.
///
/// On its way to generated code its payload may still lie where it was read from the connection
/// ([`ReceivedPayload`]): most parameters are decoded right there and are never copied.
#[derive(Debug)]
pub struct IncomingMessage<P = Bytes> {
    pub(crate) payload: P,
    pub(crate) carried: Carried,
    pub(crate) reply: PendingReply,
}

impl<P> IncomingMessage<P> {
    /// The name of its action.
    #[inline]
    pub(crate) fn action(&self) -> &Action {
        &self.reply.action
    }

    /// A handle to the connection that brought the message.
    pub(crate) fn connection(&self) -> Connection {
        self.reply.lease().clone().into()
    }

    fn map_payload<Q>(self, map: impl FnOnce(P) -> Q) -> IncomingMessage<Q> {
        IncomingMessage {
            payload: map(self.payload),
            carried: self.carried,
            reply: self.reply,
        }
    }
}

impl IncomingMessage<ReceivedPayload<'_>> {
    /// Copies the payload unless it is owned already, for code that reads it later.
    pub fn into_owned(self) -> IncomingMessage<ReceivedPayload<'static>> {
        self.map_payload(|payload| ReceivedPayload::Owned(payload.into_bytes()))
    }

    /// Like [`into_owned`](Self::into_owned), for code that never borrows.
    pub(crate) fn into_bytes(self) -> IncomingMessage {
        self.map_payload(ReceivedPayload::into_bytes)
    }

    /// The context of the message, for a method that takes it.
    #[inline]
    pub fn context(&self) -> Context {
        // Where middleware has attached something, the record is shared; else nobody but the
        // context will ask for it.
        let record = self.reply.record.clone();
        let action = self.reply.action.clone();
        let described = self.reply.described.clone();
        let (id, expects_response) = (self.reply.id, self.reply.expects_response);
        Context::new(
            self.connection(),
            id,
            action,
            record,
            described,
            expects_response,
        )
    }

    /// The encoded parameters.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Decodes the only parameter.
    ///
    /// # Errors
    /// [`DecodeError`] if the payload is not of this type.
    #[inline]
    pub fn decode<T>(&self, format: Format<T>) -> Result<T, DecodeError> {
        let bounds = &self.reply.lease().shared().options.bounds;
        match &self.payload {
            // No large buffer, which would be worth sharing.
            ReceivedPayload::Borrowed(bytes) => format.decode_slice(bytes, bounds),
            ReceivedPayload::Owned(bytes) => format.decode(bytes, bounds),
        }
    }

    /// Decodes several parameters.
    ///
    /// # Errors
    /// [`DecodeError`] if the payload is something else.
    #[inline]
    pub fn decode_all<P: Entries>(&self, parameters: P) -> Result<P::Values, DecodeError> {
        let bounds = &self.reply.lease().shared().options.bounds;
        decode_within(&self.payload, bounds, parameters)
    }

    /// Releases the payload and keeps what answers the message.
    #[inline]
    pub fn into_reply(self) -> PendingReply {
        self.reply
    }

    /// For a method that takes files or a stream: what it takes, and what answers the message.
    pub fn into_received(self) -> (Received, PendingReply) {
        let limits = self.reply.lease().shared().payload_limits();
        let payload = self.payload.into_bytes().into();
        let received = Received::new(payload, self.carried, limits);
        (received, self.reply)
    }
}

impl From<IncomingMessage> for IncomingMessage<ReceivedPayload<'static>> {
    fn from(message: IncomingMessage) -> Self {
        message.map_payload(ReceivedPayload::Owned)
    }
}

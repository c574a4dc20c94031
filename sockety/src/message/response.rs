//! A received response.

use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use sockety_codec::Uuid;

use super::{outgoing::OutgoingResponse, request::Request, respond, sent::Sent};
use crate::{
    content::{byte_stream::ByteStream, file::File, received::Carried},
    engine::{early_end::Described, pending_reply::PendingReply},
    error::{
        refusal::{self, Refusal},
        send::SendError,
    },
    fast_reply::FastReply,
    metadata::MetadataKey,
    msgpack::{self, __private::is_service_error, DecodeError},
    payload::or_nil,
};

/// A full response to a message.
///
/// A response may itself expect an answer. None is ever sent unasked: the TypeScript implementation marks all its
/// responses so without meaning it.
#[derive(Debug)]
pub struct Response {
    parent: Uuid,
    payload: Bytes,
    carried: Carried,
    reply: PendingReply,
    described: Option<Arc<Described>>,
}

impl Response {
    pub(crate) fn new(
        parent: Uuid,
        payload: Bytes,
        carried: Carried,
        reply: PendingReply,
        described: Option<Arc<Described>>,
    ) -> Self {
        Self {
            parent,
            payload,
            carried,
            reply,
            described,
        }
    }

    /// Its own id.
    pub fn id(&self) -> Uuid {
        self.reply.id
    }

    /// The id of the message that it answers.
    pub fn parent(&self) -> Uuid {
        self.parent
    }

    /// Whether its sender says that it expects an answer.
    pub fn expects_response(&self) -> bool {
        self.reply.expects_response
    }

    /// Its payload; empty when there is none.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Returns why the peer refused the message that this answers, if it is such an answer. It is
    /// one only if the message [asked for reasons](crate::message::outgoing::Outgoing::asking_for_reasons).
    pub fn refusal(&self) -> Option<Refusal> {
        if !is_service_error(&self.payload) {
            return None;
        }
        let (code, reason) = refusal::decode(&self.payload)?;
        let retry_after = self.described.as_ref().and_then(|it| it.retry);
        Some(Refusal {
            code,
            reason,
            retry_after,
        })
    }

    /// The value of an entry of [metadata](crate::metadata) that travelled with it.
    pub fn metadata(&self, key: MetadataKey) -> Option<&[u8]> {
        self.described.as_ref()?.metadata.as_ref()?.get(key)
    }

    /// Its payload as a MessagePack value; none at all reads as nil.
    ///
    /// # Errors
    /// [`DecodeError`] when it is no MessagePack, or not of this type.
    pub fn msgpack<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        let bounds = &self.reply.lease().shared().options.bounds;
        msgpack::from_slice_with(or_nil(&self.payload), bounds)
    }

    /// Takes its files, in order. A second call returns none.
    pub fn take_files(&mut self) -> Vec<File> {
        self.carried.take_files()
    }

    /// Takes its stream. A second call returns `None`.
    pub fn take_stream(&mut self) -> Option<ByteStream> {
        self.carried.take_stream()
    }

    /// Answers it with a response.
    ///
    /// # Errors
    /// Same as [`Message::respond`](crate::serve::message::Message::respond).
    pub async fn respond(&self, response: impl Into<OutgoingResponse>) -> Result<Sent, SendError> {
        respond::respond(&self.reply, &response.into()).await
    }

    /// Answers it with a response that itself expects an answer.
    ///
    /// # Errors
    /// Same as [`Message::respond`](crate::serve::message::Message::respond).
    pub async fn respond_expecting(
        &self,
        response: impl Into<OutgoingResponse>,
    ) -> Result<Request, SendError> {
        respond::respond_expecting(&self.reply, &response.into()).await
    }

    /// Answers it with a code.
    ///
    /// # Errors
    /// Same as [`Message::fast_reply`](crate::serve::message::Message::fast_reply).
    pub async fn fast_reply(&self, code: impl Into<FastReply>) -> Result<(), SendError> {
        respond::fast_reply(&self.reply, code.into()).await
    }
}

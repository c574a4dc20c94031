//! A received message, as handlers without a typed service see it.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use sockety_codec::Uuid;

use super::{context::cancelled, incoming::Incoming, incoming_message::IncomingMessage};
use crate::{
    connection::Connection,
    content::{byte_stream::ByteStream, file::File, received::Carried},
    engine::{early_end::Ending, pending_reply::PendingReply},
    error::send::SendError,
    extensions::Extensions,
    fast_reply::FastReply,
    message::{
        outgoing::OutgoingResponse, reply::OutgoingReply, request::Request, respond, sent::Sent,
    },
    metadata::{Entry, Metadata, MetadataKey, RetryAfter, Trace},
    msgpack::{self, DecodeError},
    payload::or_nil,
};

/// A received message. Cloning is cheap.
///
/// When the last clone is dropped and the peer still waits for a reply, it gets code 5, Internal
/// Error.
#[derive(Debug, Clone)]
pub struct Message {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    payload: Bytes,
    carried: Mutex<Carried>,
    reply: PendingReply,
    /// Made when somebody asks for it: most handlers do not.
    connection: OnceLock<Connection>,
}

impl Message {
    pub(crate) fn new(incoming: Incoming) -> Self {
        let (_, message, connection) = incoming.into_parts();
        let IncomingMessage {
            payload,
            carried,
            reply,
        } = message;
        Self {
            inner: Arc::new(Inner {
                payload,
                carried: Mutex::new(carried),
                reply,
                connection,
            }),
        }
    }

    /// Its id.
    pub fn id(&self) -> Uuid {
        self.inner.reply.id
    }

    /// The name of its action.
    pub fn action(&self) -> &str {
        &self.inner.reply.action
    }

    /// Whether its sender waits for a reply.
    pub fn expects_response(&self) -> bool {
        self.inner.reply.expects_response
    }

    /// Whether a reply was sent already.
    pub fn is_answered(&self) -> bool {
        self.inner.reply.is_answered()
    }

    /// The connection that brought it.
    pub fn connection(&self) -> &Connection {
        let reply = &self.inner.reply;
        (self.inner.connection).get_or_init(|| reply.lease().clone().into())
    }

    /// Values attached to this message alone, as
    /// [middleware](crate::serve::middleware::ServeMiddleware) does.
    pub fn request_extensions(&self) -> &Extensions {
        self.inner.reply.record.extensions()
    }

    /// The value of an entry of [metadata](crate::metadata) that travelled with it.
    pub fn metadata(&self, key: MetadataKey) -> Option<&[u8]> {
        self.said()?.get(key)
    }

    /// All entries of [metadata](crate::metadata) that travelled with it. What is
    /// [secret](Entry::is_secret) must not be shown.
    pub fn metadata_entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.said().into_iter().flat_map(Metadata::entries)
    }

    /// The trace that it belongs to.
    pub fn trace(&self) -> Option<Trace> {
        self.said()?.trace()
    }

    /// How often its sender sent it before, with the same id: 0 for the first attempt, and if the
    /// connection does not [use the extension](Connection::is_extended).
    pub fn attempt(&self) -> u8 {
        self.said().map_or(0, Metadata::attempt)
    }

    /// How much time is left that its sender waits for the reply, if it has said so; see
    /// [`Context::deadline`](crate::serve::context::Context::deadline).
    pub fn deadline(&self) -> Option<Duration> {
        self.inner.reply.described.as_ref()?.time_left()
    }

    fn said(&self) -> Option<&Metadata> {
        self.inner.reply.described.as_ref()?.metadata.as_ref()
    }

    /// Ready when tasks that its handler has spawned should end; see
    /// [`Context::cancelled`](super::context::Context::cancelled). The handler itself is dropped then. A task that
    /// keeps the message answers it, or drops it: it is answered with code 3,844, Cancelled, then.
    ///
    /// # Cancel safety
    /// Dropping it does nothing. Another one can be made while the handler runs.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + use<> {
        let reply = &self.inner.reply;
        cancelled(reply.lease().shared(), &reply.record)
    }

    /// The handler was ended early. Others may have the message still.
    pub(super) fn end_early(&self) {
        let reply = &self.inner.reply;
        if let Some(code) = Ending::of_handler(&**reply.lease().shared()) {
            reply.record.end_early(code);
        }
    }

    /// Its payload; empty when there is none.
    pub fn payload(&self) -> &Bytes {
        &self.inner.payload
    }

    /// Its payload as a MessagePack value; none at all reads as nil.
    ///
    /// # Errors
    /// [`DecodeError`] when it is no MessagePack, or not of this type.
    pub fn msgpack<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        let bounds = &self.inner.reply.lease().shared().options.bounds;
        msgpack::from_slice_with(or_nil(&self.inner.payload), bounds)
    }

    /// Takes its files, in order. A second call returns none.
    pub fn take_files(&self) -> Vec<File> {
        self.carried().take_files()
    }

    /// Takes its stream. A second call returns `None`.
    pub fn take_stream(&self) -> Option<ByteStream> {
        self.carried().take_stream()
    }

    fn carried(&self) -> MutexGuard<'_, Carried> {
        self.inner
            .carried
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers with a response. A message may be answered by several, one after another.
    ///
    /// Ready when the response has its place among what waits to be written; see [`Sent`].
    ///
    /// # Errors
    /// [`SendError::NotExpected`] when the sender waits for no reply,
    /// [`SendError::PayloadTooLarge`], [`SendError::Encode`], [`SendError::Disconnected`].
    ///
    /// # Cancel safety
    /// If it is dropped before it completes, the response is not sent.
    pub async fn respond(&self, response: impl Into<OutgoingResponse>) -> Result<Sent, SendError> {
        respond::respond(&self.inner.reply, &response.into()).await
    }

    /// Answers with a response that itself expects an answer.
    ///
    /// # Errors
    /// Same as [`Message::respond`], and [`SendError::Busy`].
    pub async fn respond_expecting(
        &self,
        response: impl Into<OutgoingResponse>,
    ) -> Result<Request, SendError> {
        respond::respond_expecting(&self.inner.reply, &response.into()).await
    }

    /// Answers with a code.
    ///
    /// # Errors
    /// [`SendError::NotExpected`] when the sender waits for no reply, [`SendError::Disconnected`].
    pub async fn fast_reply(&self, code: impl Into<FastReply>) -> Result<(), SendError> {
        respond::fast_reply(&self.inner.reply, code.into()).await
    }

    /// Sets what its answer says about another attempt, if that is a code, a refusal or an error of the service: how long to wait
    /// before it, or [that there should be none](RetryAfter::NEVER). Left out if the connection does not use the extension.
    pub fn set_retry_after(&self, retry: impl Into<RetryAfter>) {
        self.inner.reply.set_retry_after(retry.into());
    }

    /// Answers with code 0, Accept.
    ///
    /// # Errors
    /// Same as [`Message::fast_reply`].
    pub async fn accept(&self) -> Result<(), SendError> {
        self.fast_reply(FastReply::ACCEPT).await
    }

    /// Answers with code 1, Reject.
    ///
    /// # Errors
    /// Same as [`Message::fast_reply`].
    pub async fn reject(&self) -> Result<(), SendError> {
        self.fast_reply(FastReply::REJECT).await
    }

    /// Sends what a handler returned, if the sender waits for a reply: a code if it has none yet, a
    /// response after those that were sent before.
    pub(crate) async fn settle(&self, reply: OutgoingReply) {
        match reply {
            OutgoingReply::Code(code) => self.inner.reply.answer_with_code(code).await,
            OutgoingReply::Response(response) => {
                self.inner.reply.answer_with_response(&response).await;
            }
        }
    }
}

use std::time::Duration;

use bytes::Bytes;
use sockety_codec::{MessageHead, Uuid};

use super::draft::{Draft, Encoded, Fixed, ResponseDraft};
use crate::{
    action::Action,
    content::{
        byte_stream::ByteStream,
        carrying::{OutgoingParts, Taken, Unwritten},
        file::File,
    },
    engine::{send::queue, shared::Shared},
    error::{refusal, send::SendError},
    metadata::{Entry, Metadata, MetadataKey, Trace},
    payload::encoding::Encoding,
};

/// A message that can be sent; made by a [`Draft`].
///
/// Cloning and sending it again encodes nothing again. Files in memory or on disk can be sent again too; what comes
/// from a reader only once ([`SendError::ContentTaken`]).
#[derive(Debug, Clone)]
#[must_use = "a message does nothing until it is sent"]
pub struct Outgoing {
    pub(crate) action: Action,
    content: Content,
    asks_for_reasons: bool,
    metadata: Option<Box<Metadata>>,
}

/// A response that can be sent; made by a [`ResponseDraft`]. Like [`Outgoing`].
#[derive(Debug, Clone)]
#[must_use = "a response does nothing until it is sent"]
pub struct OutgoingResponse {
    content: Content,
    metadata: Option<Box<Metadata>>,
}

/// What both carry.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) payload: Encoded,
    /// Most messages carry nothing but their payload.
    pub(crate) carrying: Option<Box<OutgoingParts>>,
}

impl From<Encoding> for Content {
    fn from(payload: Encoding) -> Self {
        Self {
            payload: Ok(payload),
            carrying: None,
        }
    }
}

impl Content {
    pub(crate) fn payload(&self) -> Result<&Encoding, SendError> {
        self.payload.as_ref().map_err(|error| (**error).clone())
    }

    /// The payload, unless it is larger or deeper than those of the connection may be.
    pub(crate) fn checked_payload(&self, shared: &Shared) -> Result<&Encoding, SendError> {
        let payload = self.payload()?;
        queue::check_payload(shared, payload)?;
        Ok(payload)
    }

    /// The payload, and what this sending of the message takes of its files and its stream, unless
    /// the payload is refused.
    #[inline]
    pub(crate) fn prepare(
        &self,
        shared: &Shared,
        unwritten: Unwritten,
    ) -> Result<(&Encoding, Option<Box<Taken>>), SendError> {
        let payload = self.checked_payload(shared)?;
        let taken = match &self.carrying {
            Some(parts) => parts.take(unwritten)?,
            None => None,
        };
        Ok((payload, taken))
    }

    pub(crate) fn carrying(&mut self) -> &mut OutgoingParts {
        self.carrying.get_or_insert_default()
    }
}

impl Outgoing {
    pub(crate) fn new(action: Action, payload: Encoded) -> Self {
        Self {
            action,
            content: Content {
                payload,
                carrying: None,
            },
            asks_for_reasons: false,
            metadata: None,
        }
    }

    pub(crate) fn with_content(action: Action, content: Content) -> Self {
        Self {
            action,
            content,
            asks_for_reasons: false,
            metadata: None,
        }
    }

    pub(crate) fn with_carrying(mut self, carrying: Option<Box<OutgoingParts>>) -> Self {
        self.content.carrying = carrying;
        self
    }

    pub(crate) fn head(&self, id: Uuid, expects_response: bool) -> MessageHead<'_> {
        MessageHead::new(id, &self.action).expecting_response(expects_response)
    }

    /// The name of the action.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// Adds a file.
    pub fn with_file(mut self, file: File) -> Self {
        self.content.carrying().add_file(file);
        self
    }

    /// Adds files.
    pub fn with_files(self, files: impl IntoIterator<Item = File>) -> Self {
        files.into_iter().fold(self, Self::with_file)
    }

    /// Attaches a stream that the sender writes, see [`Request::take_writer`](crate::message::request::Request::take_writer).
    pub fn with_stream(mut self) -> Self {
        self.content.carrying().write_stream();
        self
    }

    /// Attaches a stream that is read from here.
    pub fn with_stream_from(mut self, stream: ByteStream) -> Self {
        self.content.carrying().set_stream(stream);
        self
    }

    /// Sets an entry of [metadata](crate::metadata), which travels with the message. One with the same
    /// name is replaced.
    ///
    /// The message is not sent if the connection does not use the extension, unless the key is
    /// [optional](MetadataKey::optional), or if there are more than 64 entries or more bytes than the
    /// peer takes, 8 KiB by default. A broadcast has no metadata.
    pub fn with_metadata(mut self, key: MetadataKey, value: impl Into<Bytes>) -> Self {
        self.metadata_mut().insert(key, value.into());
        self
    }

    /// Sets entries that came with another message, as a service does that passes messages on: see
    /// [`Message::metadata_entries`](crate::serve::message::Message::metadata_entries). Secrets stay secret.
    // r[impl ext.meta.secret]
    pub fn with_metadata_entries<'e>(
        mut self,
        entries: impl IntoIterator<Item = Entry<'e>>,
    ) -> Self {
        for entry in entries {
            self.metadata_mut().insert_entry(entry);
        }
        self
    }

    /// Sets the trace that the message belongs to. Left out if the connection does not use the
    /// extension.
    pub fn with_trace(mut self, trace: Trace) -> Self {
        self.metadata_mut().set_trace(trace);
        self
    }

    /// Tells the peer how long its answer is waited for, from the moment at which the message is sent. When the time is over,
    /// its handler is dropped where it waits, and a request is answered with code 3,843, Deadline Exceeded, or 3,847,
    /// Not Begun. A request that a handler sends has no more time than the handler. This side
    /// waits as long as without it. Left out if the connection does not use the extension, and if it is more than 49 days.
    ///
    /// Typed calls tell their [timeout](crate::client::call::Call::timeout) by themselves.
    // r[impl ext.meta.deadline]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.metadata_mut().set_deadline(deadline);
        self
    }

    /// Tells the peer how often this message was sent before: 0 is the first attempt, and says nothing. Left out if the connection
    /// does not use the extension.
    // r[impl ext.meta.attempt]
    pub fn with_attempt(mut self, attempt: u8) -> Self {
        self.metadata_mut().set_attempt(attempt);
        self
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.metadata.as_ref()?.deadline()
    }

    pub(crate) fn metadata_mut(&mut self) -> &mut Metadata {
        self.metadata.get_or_insert_default()
    }

    pub(crate) fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_deref()
    }

    pub(crate) fn with_all_metadata(mut self, metadata: Option<Box<Metadata>>) -> Self {
        self.metadata = metadata;
        self
    }

    /// Asks the peer to say why, if it refuses the message as a request. A peer of this
    /// implementation then answers with a response that
    /// [`Response::refusal`](crate::message::response::Response::refusal) reads; others answer with
    /// a code all the same.
    pub fn asking_for_reasons(mut self) -> Self {
        self.asks_for_reasons = true;
        self
    }

    /// A new id for the message as a request.
    // r[impl head.id.version]
    pub(crate) fn request_id(&self) -> Uuid {
        match self.asks_for_reasons {
            true => refusal::new_call_id(),
            false => Uuid::new_v4(),
        }
    }

    pub(crate) fn content(&self) -> &Content {
        &self.content
    }
}

impl OutgoingResponse {
    pub(crate) fn new(payload: Encoded) -> Self {
        Self {
            content: Content {
                payload,
                carrying: None,
            },
            metadata: None,
        }
    }

    /// Sets an entry of [metadata](crate::metadata), which travels with the response; see
    /// [`Outgoing::with_metadata`]. The caller reads it with
    /// [`Response::metadata`](crate::message::response::Response::metadata).
    ///
    /// A response that cannot be sent leaves its caller with code 5, Internal Error, so the key is best
    /// [optional](MetadataKey::optional) where callers may be without the extension.
    pub fn with_metadata(mut self, key: MetadataKey, value: impl Into<Bytes>) -> Self {
        self.metadata
            .get_or_insert_default()
            .insert(key, value.into());
        self
    }

    pub(crate) fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_deref()
    }

    pub(crate) fn with_carrying(mut self, carrying: Option<Box<OutgoingParts>>) -> Self {
        self.content.carrying = carrying;
        self
    }

    /// Adds a file.
    pub fn with_file(mut self, file: File) -> Self {
        self.content.carrying().add_file(file);
        self
    }

    /// Adds files.
    pub fn with_files(self, files: impl IntoIterator<Item = File>) -> Self {
        files.into_iter().fold(self, Self::with_file)
    }

    /// Attaches a stream that the sender writes, see [`Sent::take_writer`](crate::message::sent::Sent::take_writer).
    pub fn with_stream(mut self) -> Self {
        self.content.carrying().write_stream();
        self
    }

    /// Attaches a stream that is read from here.
    pub fn with_stream_from(mut self, stream: ByteStream) -> Self {
        self.content.carrying().set_stream(stream);
        self
    }

    pub(crate) fn content(&self) -> &Content {
        &self.content
    }
}

impl From<&Draft> for Outgoing {
    fn from(draft: &Draft) -> Self {
        draft.create()
    }
}

impl From<&Draft<Fixed>> for Outgoing {
    fn from(draft: &Draft<Fixed>) -> Self {
        draft.create()
    }
}

impl From<&Self> for Outgoing {
    fn from(outgoing: &Self) -> Self {
        outgoing.clone()
    }
}

impl From<&ResponseDraft> for OutgoingResponse {
    fn from(draft: &ResponseDraft) -> Self {
        draft.create()
    }
}

impl From<&ResponseDraft<Fixed>> for OutgoingResponse {
    fn from(draft: &ResponseDraft<Fixed>) -> Self {
        draft.create()
    }
}

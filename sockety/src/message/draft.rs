use std::{marker::PhantomData, sync::Arc};

use bytes::Bytes;
use serde::Serialize;

use super::outgoing::{Outgoing, OutgoingResponse};
use crate::{
    action::Action,
    content::{carrying::OutgoingParts, file::File},
    error::send::SendError,
    msgpack::{__private::encode_measured, EncodeError},
    payload::{encoding::Encoding, payload_bytes::PayloadBytes, scratch},
};

/// A template for messages: an action, and what each message carries. Prepare it once, send it often.
///
/// A payload that never changes is encoded once, with [`Draft::with_data`] or [`Draft::with_msgpack`]. With [`Draft::data`] or
/// [`Draft::msgpack`], each message has its own payload, which is passed to `create`.
///
/// ```
/// use sockety::message::Draft;
///
/// let log = Draft::new("log").msgpack::<str>();
/// let ping = Draft::new("ping");
/// let hello = Draft::new("hello").with_msgpack(&("version", 1))?;
///
/// let first = log.create("some text");
/// let second = ping.create();
/// let third = hello.create();
/// # Ok::<(), sockety::msgpack::EncodeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Draft<P = NoPayload> {
    action: Action,
    payload: P,
    carrying: Option<Box<OutgoingParts>>,
}

/// A template for responses: like [`Draft`], but without an action.
///
/// ```
/// use sockety::message::ResponseDraft;
///
/// let pong = ResponseDraft::new().msgpack::<str>();
/// let response = pong.create("pong");
/// ```
#[derive(Debug, Clone, Default)]
pub struct ResponseDraft<P = NoPayload> {
    payload: P,
    carrying: Option<Box<OutgoingParts>>,
}

/// A draft without a payload.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPayload;

/// A draft whose payload is the same in each message, encoded already.
#[derive(Debug, Clone)]
pub struct Fixed(Encoding);

/// A draft whose payload is passed to `create` as bytes.
#[derive(Debug, Clone, Copy)]
pub struct Data;

/// A draft whose payload is passed to `create` as a value, and written as MessagePack.
#[derive(Debug)]
pub struct Msgpack<T: ?Sized>(PhantomData<fn(&T)>);

impl<T: ?Sized> Clone for Msgpack<T> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl Draft {
    /// A draft for an action, at first without a payload.
    ///
    /// The name has at most 65,535 bytes; a longer one is refused when a message is sent.
    pub fn new(action: impl Into<Arc<str>>) -> Self {
        Self {
            action: Action::Named(action.into()),
            payload: NoPayload,
            carrying: None,
        }
    }

    /// A message.
    pub fn create(&self) -> Outgoing {
        self.outgoing(Ok(Bytes::new().into()))
    }

    /// Each message has its own payload, as bytes.
    pub fn data(self) -> Draft<Data> {
        self.with(Data)
    }

    /// Each message has its own payload, as a value.
    pub fn msgpack<T: Serialize + ?Sized>(self) -> Draft<Msgpack<T>> {
        self.with(Msgpack(PhantomData))
    }

    /// All messages have this payload.
    pub fn with_data(self, data: impl Into<Bytes>) -> Draft<Fixed> {
        self.with(Fixed(data.into().into()))
    }

    /// All messages have this payload, which is encoded now.
    ///
    /// # Errors
    /// [`EncodeError`] when the value cannot be written as MessagePack.
    pub fn with_msgpack<T: Serialize + ?Sized>(
        self,
        value: &T,
    ) -> Result<Draft<Fixed>, EncodeError> {
        Ok(self.with(Fixed(encode_fixed(value)?)))
    }

    fn with<P>(self, payload: P) -> Draft<P> {
        Draft {
            action: self.action,
            payload,
            carrying: self.carrying,
        }
    }
}

impl<P> Draft<P> {
    /// The name of the action.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// All messages carry these files, before its own files. A file from a reader can be sent
    /// only once.
    pub fn with_files(mut self, files: impl IntoIterator<Item = File>) -> Self {
        for file in files {
            self.carrying.get_or_insert_default().add_file(file);
        }
        self
    }

    /// Each message has a stream that its sender writes, see [`Request::take_writer`](crate::message::request::Request::take_writer).
    pub fn with_stream(mut self) -> Self {
        self.carrying.get_or_insert_default().write_stream();
        self
    }

    fn outgoing(&self, payload: Encoded) -> Outgoing {
        Outgoing::new(self.action.clone(), payload).with_carrying(self.carrying.clone())
    }
}

impl<P> ResponseDraft<P> {
    /// All responses carry these files, before its own files. A file from a reader can be sent
    /// only once.
    pub fn with_files(mut self, files: impl IntoIterator<Item = File>) -> Self {
        for file in files {
            self.carrying.get_or_insert_default().add_file(file);
        }
        self
    }

    /// Each response has a stream that its sender writes, see [`Sent::take_writer`](crate::message::sent::Sent::take_writer).
    pub fn with_stream(mut self) -> Self {
        self.carrying.get_or_insert_default().write_stream();
        self
    }

    fn outgoing(&self, payload: Encoded) -> OutgoingResponse {
        OutgoingResponse::new(payload).with_carrying(self.carrying.clone())
    }

    fn with<Q>(self, payload: Q) -> ResponseDraft<Q> {
        ResponseDraft {
            payload,
            carrying: self.carrying,
        }
    }
}

impl Draft<Fixed> {
    /// A message.
    pub fn create(&self) -> Outgoing {
        self.outgoing(Ok(self.payload.0.clone()))
    }
}

impl Draft<Data> {
    /// A message with this payload.
    pub fn create(&self, data: impl Into<Bytes>) -> Outgoing {
        self.outgoing(Ok(data.into().into()))
    }
}

impl<T: Serialize + ?Sized> Draft<Msgpack<T>> {
    /// A message with this value as its payload. A value that cannot be written as MessagePack is reported
    /// when the message is sent.
    pub fn create(&self, value: &T) -> Outgoing {
        self.outgoing(
            scratch::encode_bytes(value)
                .map(Encoding::from)
                .map_err(Box::new),
        )
    }
}

impl ResponseDraft {
    /// A draft for responses, at first without a payload.
    pub fn new() -> Self {
        Self::default()
    }

    /// A response.
    pub fn create(&self) -> OutgoingResponse {
        self.outgoing(Ok(Bytes::new().into()))
    }

    /// Each response has its own payload, as bytes.
    pub fn data(self) -> ResponseDraft<Data> {
        self.with(Data)
    }

    /// Each response has its own payload, as a value.
    pub fn msgpack<T: Serialize + ?Sized>(self) -> ResponseDraft<Msgpack<T>> {
        self.with(Msgpack(PhantomData))
    }

    /// All responses have this payload.
    pub fn with_data(self, data: impl Into<Bytes>) -> ResponseDraft<Fixed> {
        self.with(Fixed(data.into().into()))
    }

    /// All responses have this payload, which is encoded now.
    ///
    /// # Errors
    /// [`EncodeError`] when the value cannot be written as MessagePack.
    pub fn with_msgpack<T: Serialize + ?Sized>(
        self,
        value: &T,
    ) -> Result<ResponseDraft<Fixed>, EncodeError> {
        Ok(self.with(Fixed(encode_fixed(value)?)))
    }
}

impl ResponseDraft<Fixed> {
    /// A response.
    pub fn create(&self) -> OutgoingResponse {
        self.outgoing(Ok(self.payload.0.clone()))
    }
}

impl ResponseDraft<Data> {
    /// A response with this payload.
    pub fn create(&self, data: impl Into<Bytes>) -> OutgoingResponse {
        self.outgoing(Ok(data.into().into()))
    }
}

impl<T: Serialize + ?Sized> ResponseDraft<Msgpack<T>> {
    /// A response with this value as its payload.
    pub fn create(&self, value: &T) -> OutgoingResponse {
        self.outgoing(
            scratch::encode_bytes(value)
                .map(Encoding::from)
                .map_err(Box::new),
        )
    }
}

fn encode_fixed<T: Serialize + ?Sized>(value: &T) -> Result<Encoding, EncodeError> {
    let mut bytes = Vec::new();
    let depth = encode_measured(value, &mut bytes)?;
    Ok(PayloadBytes::from(Bytes::from(bytes))
        .with_depth(depth)
        .into())
}

/// What was encoded for a message, or why it could not be.
// Boxed, because every call that is not sent yet holds one.
pub(crate) type Encoded = Result<Encoding, Box<SendError>>;

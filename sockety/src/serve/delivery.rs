//! A message as generated code takes it apart.

use bytes::Bytes;

use super::{answer::Responder, context::Context, incoming::Incoming};
use crate::{
    action::Action, content::received::Carried, engine::owed::Owed, message::typed::Received,
    msgpack::DecodeError, payload::format::Format,
};

/// A message on its way into a [`Service`](crate::serve::service::Service). Dropping it while the peer waits answers with code 5,
/// Internal Error.
///
/// Its payload may still lie where it was read from the connection: most parameters are read right there, and copied
/// nowhere.
pub struct Delivery<'a> {
    action: Action,
    payload: Delivered<'a>,
    carried: Carried,
    owed: Owed,
}

impl<'a> Delivery<'a> {
    /// Of a message that is nothing but a payload.
    #[inline]
    pub(crate) fn whole(action: Action, payload: &'a [u8], owed: Owed) -> Self {
        Self {
            action,
            payload: Delivered::Borrowed(payload),
            carried: Carried::default(),
            owed,
        }
    }

    /// Owns its payload, for code that takes it apart later.
    #[doc(hidden)]
    pub fn into_owned(self) -> Delivery<'static> {
        Delivery {
            action: self.action,
            payload: Delivered::Owned(self.payload.into_bytes()),
            carried: self.carried,
            owed: self.owed,
        }
    }

    /// Takes it apart.
    #[doc(hidden)]
    #[inline]
    pub fn open(self) -> (Context, Body<'a>, Responder) {
        let connection = self.owed.lease.clone().into();
        let record = self.owed.record.clone();
        let context = Context::new(connection, self.owed.id, self.action.clone(), record);
        let (body, responder) = self.open_without_context();
        (context, body, responder)
    }

    /// Like [`Delivery::open`], for a method that does not look at whom it answers.
    #[doc(hidden)]
    #[inline]
    pub fn open_without_context(self) -> (Body<'a>, Responder) {
        let body = Body {
            payload: self.payload,
            carried: self.carried,
            item_limit: self.owed.lease.shared.payload_limit(),
        };
        (body, Responder(self.owed))
    }
}

impl From<Incoming> for Delivery<'static> {
    fn from(incoming: Incoming) -> Self {
        let (route, payload, carried, owed, _) = incoming.into_parts();
        Self {
            action: route.action,
            payload: Delivered::Owned(payload),
            carried,
            owed,
        }
    }
}

/// What it brings.
#[doc(hidden)]
pub struct Body<'a> {
    payload: Delivered<'a>,
    carried: Carried,
    item_limit: usize,
}

impl Body<'_> {
    /// The payload, to be decoded.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        match &self.payload {
            Delivered::Borrowed(bytes) => bytes,
            Delivered::Owned(bytes) => bytes,
        }
    }

    /// The one value that the payload is.
    ///
    /// # Errors
    /// When it is not of this type.
    #[inline]
    pub fn decode<T>(&self, format: Format<T>) -> Result<T, DecodeError> {
        match &self.payload {
            // No large buffer, which would be worth sharing.
            Delivered::Borrowed(bytes) => format.decode_slice(bytes),
            Delivered::Owned(bytes) => format.decode(bytes),
        }
    }

    /// For a method that takes files or a stream.
    pub fn into_received(self) -> Received {
        Received::new(
            self.payload.into_bytes().into(),
            self.carried,
            self.item_limit,
        )
    }
}

enum Delivered<'a> {
    /// In the buffer of the connection.
    Borrowed(&'a [u8]),
    Owned(Bytes),
}

impl Delivered<'_> {
    fn into_bytes(self) -> Bytes {
        match self {
            Self::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            Self::Owned(bytes) => bytes,
        }
    }
}

use rmp_serde::decode::Error;

use crate::{
    ErrorVariant, Payload, SendError, ServiceError,
    content::{ContentError, Received},
    msgpack::{self, DecodeError, EncodeError, Reader},
    scratch,
    service::{Answer, Responder, or_nil},
};

/// How values of a type become a payload, and are read from one again.
///
/// Generated code makes one by [`payload`] wherever a value travels, and nothing that takes one asks anything of
/// the type itself: so a type that cannot travel is told of by one bound. That it is the same bound each time
/// matters, as the compiler shows equal messages once.
pub struct Format<T> {
    pub(crate) encode: fn(&T, &mut Vec<u8>) -> Result<(), EncodeError>,
    pub(crate) read: fn(&mut Reader<'_>) -> Result<T, Error>,
    /// The value of a parameter that is not there: `None`, or an error with its name.
    pub(crate) missing: fn(&'static str) -> Result<T, Error>,
    /// Takes it out of a message that has no files and no stream.
    pub receive: fn(&mut Received) -> Result<T, ContentError>,
}

/// The format of a type that travels.
#[inline]
pub fn payload<T: Payload>() -> Format<T> {
    Format {
        encode: msgpack::encode,
        read: msgpack::read,
        missing: msgpack::missing,
        receive,
    }
}

/// What a method returns that returns a payload alone.
pub(crate) fn receive<T: Payload>(received: &mut Received) -> Result<T, ContentError> {
    received.payload(payload())
}

impl<T> Format<T> {
    /// A payload, in a buffer to be given back.
    #[inline]
    pub(crate) fn buffer(&self, value: &T) -> Result<Vec<u8>, SendError> {
        scratch::encode_with(|into| Ok((self.encode)(value, into)?))
    }

    /// The one value that is the payload.
    #[inline]
    pub(crate) fn decode(&self, payload: &[u8]) -> Result<T, DecodeError> {
        msgpack::read_whole(or_nil(payload), self.read)
    }
}

/// As [`Format`], of the error type of a method.
pub struct ErrorFormat<E> {
    /// All variants.
    pub variants: &'static [ErrorVariant],
    pub(crate) answer: fn(&Responder, &E) -> Answer,
}

/// The format of an error type of a service.
pub const fn error<E: ServiceError>() -> ErrorFormat<E> {
    ErrorFormat {
        variants: E::VARIANTS,
        answer: Responder::error,
    }
}

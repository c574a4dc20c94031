use bytes::Bytes;

use super::{
    Payload,
    encoding::{self, Encoding},
    or_nil,
    scratch::{self, Buffer},
};
use crate::{
    error::send::SendError,
    msgpack::{
        __private::{Error, Reader, encode_measured, missing, read, read_whole},
        Bounds, DecodeError, EncodeError,
    },
};

/// How values of a type become a payload, and are read from one again.
///
/// Generated code makes one by [`payload`] wherever a value travels, and nothing that takes one asks anything of
/// the type itself: so a type that cannot travel is told of by one bound. That it is the same bound each time
/// matters, as the compiler shows equal messages once.
pub struct Format<T> {
    /// It returns how deep arrays and maps are nested.
    pub(crate) encode: fn(&T, &mut Vec<u8>) -> Result<usize, EncodeError>,
    pub(crate) read: fn(&mut Reader<'_>) -> Result<T, Error>,
    /// The value of a parameter that is not there: `None`, or an error with its name.
    pub(crate) missing: fn(&'static str) -> Result<T, Error>,
    /// The buffer that the value is, and one out of a payload: what is large is not copied.
    pub(crate) as_buffer: fn(&T) -> Option<&Bytes>,
    pub(crate) read_buffer: fn(&Bytes) -> Option<T>,
}

/// The format of a type that travels.
#[inline]
pub fn payload<T: Payload>() -> Format<T> {
    Format {
        encode: encode_measured,
        read,
        missing,
        as_buffer: encoding::as_buffer,
        read_buffer: encoding::read_buffer,
    }
}

impl<T> Format<T> {
    /// A payload, in a buffer to be given back.
    #[inline]
    pub(crate) fn buffer(&self, value: &T) -> Result<Buffer, SendError> {
        scratch::encode_with(|into| Ok((self.encode)(value, into)?))
    }

    /// A payload.
    #[inline]
    pub(crate) fn encoding(&self, value: &T) -> Result<Encoding, SendError> {
        match self.large_buffer(value) {
            Some(encoding) => Ok(encoding),
            None => Ok(scratch::into_bytes(self.buffer(value)?).into()),
        }
    }

    /// The payload of a value that is a large buffer.
    #[inline]
    pub(crate) fn large_buffer(&self, value: &T) -> Option<Encoding> {
        (self.as_buffer)(value).and_then(Encoding::of_buffer)
    }

    /// The one value that is the payload.
    #[inline]
    pub(crate) fn decode(&self, payload: &Bytes, bounds: &Bounds) -> Result<T, DecodeError> {
        if let Some(value) = (self.read_buffer)(payload) {
            return Ok(value);
        }
        self.decode_slice(payload, bounds)
    }

    /// Like [`Format::decode`], copying whatever there is.
    #[inline]
    pub(crate) fn decode_slice(&self, payload: &[u8], bounds: &Bounds) -> Result<T, DecodeError> {
        read_whole(or_nil(payload), bounds, self.read)
    }
}

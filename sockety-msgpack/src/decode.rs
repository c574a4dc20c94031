use serde::de::Deserialize;

use crate::{
    bounds::Bounds,
    check::check,
    error::{DecodeError, Error},
    extension::is_service_error,
    reader::{Reader, read_value},
};

/// Reads the one value in `bytes` within the default [`Bounds`].
///
/// # Errors
///
/// Any [`DecodeError`]: that of the first thing that is wrong.
///
/// # Examples
///
/// ```
/// // msgpackr writes 2^32 as a float.
/// let bytes = [0xCB, 0x41, 0xF0, 0, 0, 0, 0, 0, 0];
/// assert_eq!(sockety_msgpack::from_slice::<u64>(&bytes)?, 1 << 32);
/// assert!(sockety_msgpack::from_slice::<u32>(&bytes).is_err());
/// # Ok::<(), sockety_msgpack::DecodeError>(())
/// ```
pub fn from_slice<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, DecodeError> {
    from_slice_with(bytes, &Bounds::default())
}

/// Reads the one value in `bytes` within `bounds`.
///
/// # Errors
///
/// Any [`DecodeError`]: that of the first thing that is wrong.
pub fn from_slice_with<'de, T: Deserialize<'de>>(
    bytes: &'de [u8],
    bounds: &Bounds,
) -> Result<T, DecodeError> {
    whole(bytes, bounds, read_value)
}

/// Reads the one value in `bytes` within `bounds`, by the reading function of its type.
#[inline]
pub fn read_whole<T>(
    bytes: &[u8],
    bounds: &Bounds,
    read: fn(&mut Reader<'_>) -> Result<T, Error>,
) -> Result<T, DecodeError> {
    whole(bytes, bounds, read)
}

/// Reads the one thing in `bytes`.
#[inline]
pub(crate) fn whole<'de, T>(
    bytes: &'de [u8],
    bounds: &Bounds,
    read: impl FnOnce(&mut Reader<'de>) -> Result<T, Error>,
) -> Result<T, DecodeError> {
    if is_service_error(bytes) {
        return Err(not_a_value(bytes, bounds));
    }
    let mut reader = Reader::new(bytes, bounds);
    match read(&mut reader) {
        Ok(value) => {
            reader.end()?;
            Ok(value)
        }
        Err(error) => Err(error.into_decode_error()),
    }
}

/// The error of bytes that are a service error, if they are whole.
#[cold]
fn not_a_value(bytes: &[u8], bounds: &Bounds) -> DecodeError {
    match check(bytes, bounds) {
        Ok(_) => DecodeError::ServiceError,
        Err(error) => error,
    }
}

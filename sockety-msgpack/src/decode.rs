use rmp_serde::decode::{Error, ReadRefReader};
use serde::de::DeserializeOwned;

use crate::{
    bounds::Bounds, check::check, error::DecodeError, escaped::escaped, lenient::Lenient,
    undefined::undefined_as_nil,
};

/// Reads the one value in `bytes` within the default [`Bounds`].
///
/// # Errors
///
/// Any [`DecodeError`]. The structure of the bytes is checked first, independent of the type.
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
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    from_slice_with(bytes, &Bounds::default())
}

/// Reads the one value in `bytes` within `bounds`.
///
/// # Errors
///
/// Any [`DecodeError`]. The structure of the bytes is checked first, independent of the type.
pub fn from_slice_with<T: DeserializeOwned>(
    bytes: &[u8],
    bounds: &Bounds,
) -> Result<T, DecodeError> {
    checked(bytes, bounds, |bytes| {
        read(&mut reader(bytes, bounds)).map_err(invalid)
    })
}

/// Reads values one after another.
pub type Reader<'de> = rmp_serde::Deserializer<ReadRefReader<'de, [u8]>>;

/// Reads the next value.
#[inline]
pub fn read<T: DeserializeOwned>(reader: &mut Reader<'_>) -> Result<T, Error> {
    T::deserialize(Lenient::value(reader))
}

/// Reads the one value in `bytes` within the default [`Bounds`], by the [`read`] of its type.
pub fn read_whole<T>(
    bytes: &[u8],
    read: fn(&mut Reader<'_>) -> Result<T, Error>,
) -> Result<T, DecodeError> {
    let bounds = Bounds::default();
    checked(bytes, &bounds, |bytes| {
        read(&mut reader(bytes, &bounds)).map_err(invalid)
    })
}

/// Checks `bytes`, and passes them to `read` in a form that serde can read.
#[inline]
pub(crate) fn checked<T>(
    bytes: &[u8],
    bounds: &Bounds,
    read: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let checked = check(bytes, bounds)?;
    if checked.service_error {
        return Err(DecodeError::ServiceError);
    }
    if checked.undefined {
        return read(&undefined_as_nil(bytes)?);
    }
    read(bytes)
}

/// Creates a reader of bytes that were checked.
#[inline]
pub(crate) fn reader<'de>(bytes: &'de [u8], bounds: &Bounds) -> Reader<'de> {
    let mut reader = Reader::from_read_ref(bytes);
    // The check has already limited the depth. rmp-serde stops when its counter reaches 0, and
    // counts an extension as a level too.
    reader.set_max_depth(bounds.depth().saturating_add(2));
    reader
}

#[cold]
pub(crate) fn invalid(error: Error) -> DecodeError {
    DecodeError::Invalid(text(error))
}

pub(crate) fn text(error: Error) -> String {
    match error {
        Error::LengthMismatch(taken) => {
            format!("array or map has more entries than the type takes: maximum is {taken}")
        }
        // rmp-serde reports this itself only where an integer is expected.
        Error::TypeMismatch(marker) => {
            let found = kind_of(marker.to_u8());
            format!("invalid type: {found}, expected an integer")
        }
        // The text of serde quotes the value.
        error => escaped(&error.to_string()),
    }
}

/// The kind of a value that is not a number, by its marker.
pub(crate) fn kind_of(marker: u8) -> &'static str {
    match marker {
        0xA0..=0xBF | 0xD9..=0xDB => "string",
        0x90..=0x9F | 0xDC | 0xDD => "array",
        0x80..=0x8F | 0xDE | 0xDF => "map",
        0xC4..=0xC6 => "bin",
        0xC7..=0xC9 | 0xD4..=0xD8 => "extension",
        _ => "other value",
    }
}

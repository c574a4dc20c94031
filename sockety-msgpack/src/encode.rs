use serde::Serialize;

use crate::{error::EncodeError, serialize::Writer};

/// Encodes `value` into a new buffer.
///
/// # Errors
///
/// When the `Serialize` implementation of the value fails.
///
/// # Examples
///
/// ```
/// assert_eq!(sockety_msgpack::to_vec("hi")?, [0xA2, b'h', b'i']);
/// assert_eq!(sockety_msgpack::to_vec(&300)?, [0xCD, 0x01, 0x2C]);
/// # Ok::<(), sockety_msgpack::EncodeError>(())
/// ```
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes)?;
    Ok(bytes)
}

/// Appends `value` to `into`. After an error, `into` is unchanged.
///
/// # Errors
///
/// When the `Serialize` implementation of the value fails.
pub fn encode<T: Serialize + ?Sized>(value: &T, into: &mut Vec<u8>) -> Result<(), EncodeError> {
    encode_measured(value, into).map(|_| ())
}

/// Like [`encode`], and returns how deep arrays and maps are nested.
#[inline]
pub fn encode_measured<T: Serialize + ?Sized>(
    value: &T,
    into: &mut Vec<u8>,
) -> Result<usize, EncodeError> {
    let start = into.len();
    let mut writer = Writer::new(into);
    match value.serialize(&mut writer) {
        Ok(()) => Ok(writer.deepest()),
        Err(error) => {
            into.truncate(start);
            Err(error)
        }
    }
}

/// Appends the head of a map, which `count` keys must follow, each with its value.
pub fn encode_map_head(count: u16, into: &mut Vec<u8>) {
    match u8::try_from(count) {
        Ok(count @ 0..=0x0F) => into.push(0x80 | count),
        Ok(_) | Err(_) => {
            into.push(0xDE);
            into.extend(count.to_be_bytes());
        }
    }
}

/// Appends a key of a map.
///
/// # Errors
///
/// When the name is longer than MessagePack allows.
#[inline]
pub fn encode_name(name: &str, into: &mut Vec<u8>) -> Result<(), EncodeError> {
    match u8::try_from(name.len()) {
        Ok(len @ 0..=0x1F) => {
            into.push(0xA0 | len);
            into.extend_from_slice(name.as_bytes());
            Ok(())
        }
        Ok(_) | Err(_) => encode(name, into),
    }
}

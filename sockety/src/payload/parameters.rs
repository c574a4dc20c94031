//! The parameters of a method that has several: a map by their names.

use super::{format::Format, or_nil, payload_bytes::PayloadBytes, scratch};
use crate::{
    error::send::SendError,
    msgpack::{
        __private::{Entries, Entry, encode_map_head, encode_name, read_entries},
        Bounds, DecodeError, EncodeError,
    },
};

/// Writes parameters into a payload, one after another.
#[derive(Debug)]
pub struct ParameterWriter<'a> {
    into: &'a mut Vec<u8>,
    /// How deep what was written is nested.
    depth: Result<usize, EncodeError>,
}

impl ParameterWriter<'_> {
    /// Writes the next parameter.
    #[inline]
    pub fn with<T>(&mut self, name: &'static str, format: Format<T>, value: &T) -> &mut Self {
        if let Ok(depth) = &mut self.depth {
            let written =
                encode_name(name, self.into).and_then(|()| (format.encode)(value, self.into));
            match written {
                // The map of parameters is a level too.
                Ok(levels) => *depth = levels.saturating_add(1).max(*depth),
                Err(error) => self.depth = Err(error),
            }
        }
        self
    }
}

/// Parameters as a payload; `write` writes `count` of them.
#[inline]
pub(crate) fn encode(
    count: u16,
    write: impl FnOnce(&mut ParameterWriter<'_>),
) -> Result<PayloadBytes, SendError> {
    let buffer = scratch::encode_with(|into| {
        encode_map_head(count, into);
        let mut writer = ParameterWriter { into, depth: Ok(1) };
        write(&mut writer);
        Ok(writer.depth?)
    })?;
    Ok(scratch::into_bytes(buffer))
}

/// A parameter that is not read yet.
#[inline]
pub fn parameter<T>(name: &'static str, format: Format<T>) -> Entry<T> {
    Entry::new(name, format.read, format.missing)
}

/// Reads the parameters of a method that has several.
///
/// # Errors
/// When the payload is something else, or a parameter is missing or of another type.
#[inline]
pub(crate) fn decode_within<P: Entries>(
    payload: &[u8],
    bounds: &Bounds,
    parameters: P,
) -> Result<P::Values, DecodeError> {
    read_entries(or_nil(payload), bounds, parameters)
}

/// Reads the parameters of a method that has several, from a payload that no connection brought.
///
/// # Errors
/// When the payload is something else, or a parameter is missing or of another type.
pub fn decode_all<P: Entries>(payload: &[u8], parameters: P) -> Result<P::Values, DecodeError> {
    decode_within(payload, &Bounds::default(), parameters)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::{ParameterWriter, decode_all, encode, parameter};
    use crate::{msgpack, payload::format::payload};

    #[test]
    fn parameters_are_the_map_that_serde_writes() {
        for count in [0, 1, 15, 16, 300] {
            check_written((0..count).map(|number| format!("{number:03}")));
        }
        check_written((0..40).map(|length| "x".repeat(length)));
    }

    fn check_written(names: impl Iterator<Item = String>) {
        let values: BTreeMap<&'static str, usize> =
            names.map(|name| &*name.leak()).zip(100..).collect();
        let count = u16::try_from(values.len()).expect("few");
        let encoded = encode(count, |writer: &mut ParameterWriter<'_>| {
            for (name, value) in &values {
                writer.with(name, payload(), value);
            }
        });
        let expected = msgpack::to_vec(&values).expect("encoded");
        assert_eq!(*encoded.expect("encoded"), *expected);
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Sum {
        a: i64,
        b: Option<i64>,
        list: Vec<u8>,
    }

    /// What serde reads as a struct, and whatever a change of one or two bytes makes of it, reads the same.
    #[test]
    fn parameters_are_read_as_serde_reads_a_struct() {
        let read: [&[u8]; 7] = [
            b"\x83\xA1a\x01\xA1b\x02\xA4list\x91\x07",
            b"\x82\xA4list\xC4\x01\x07\xA1a\xCB\x41\xF0\0\0\0\0\0\0",
            b"\xDE\0\x04\xA1a\x01\xA1b\xD4\0\0\xA4list\x90\xA1z\x81\x01\xC0",
            b"\x83\x02\x90\x00\x01\x01\x02",
            b"\x84\xC4\x01a\x01\xC4\x01b\x02\xC4\x04list\x90\x63\x01",
            b"\x93\x01\xC0\x91\x02",
            b"\xDC\0\x03\x01\x02\xC4\x01\x07",
        ];
        for bytes in read {
            assert!(check_read(bytes), "{bytes:x?}");
            for first in 0..bytes.len() {
                for value in 0..=0xFF {
                    check_read(&changed(bytes, first, value));
                }
                for (second, value) in (first..bytes.len()).zip([0x00, 0x92, 0xA1, 0xC0]) {
                    for other in [0x01, 0x61, 0x80, 0x90, 0xC4] {
                        check_read(&changed(&changed(bytes, first, other), second, value));
                    }
                }
            }
        }
    }

    fn changed(bytes: &[u8], index: usize, value: u8) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        bytes[index] = value;
        bytes
    }

    /// Answers whether they can be read.
    fn check_read(bytes: &[u8]) -> bool {
        let parameters = (
            parameter("a", payload()),
            (
                parameter("b", payload()),
                (parameter("list", payload()), ()),
            ),
        );
        let read = decode_all(bytes, parameters);
        let read = read.map(|(a, (b, (list, ())))| Sum { a, b, list });
        assert_eq!(read.ok(), msgpack::from_slice(bytes).ok(), "{bytes:x?}");
        msgpack::from_slice::<Sum>(bytes).is_ok()
    }
}

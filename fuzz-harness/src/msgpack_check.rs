//! The check of MessagePack agrees with a decoder that reads all of it, and takes no memory.

use rmp_serde::decode::Deserializer;
use serde::Deserialize;
use serde::de::IgnoredAny;
use sockety::msgpack::{Bounds, DecodeError, check, from_slice, value_len};

use crate::heap;

/// The marker of the error of a service, which with the array behind it counts as one value.
const MARKER: [u8; 3] = [0xD4, 0x65, 0x00];

/// For an error, and for what reading it with a type allocates.
const READING: usize = 4 * 1024;

pub(crate) fn run(input: &[u8]) {
    let bounds = Bounds::default();
    let checked = heap::check(0, || check(input, &bounds));
    let read = heap::check(READING, || from_slice::<IgnoredAny>(input).is_ok());
    match &checked {
        Ok(checked) => {
            assert_eq!(reference(input), Some(input.len()));
            assert_eq!(checked.service_error, input.starts_with(&MARKER));
            assert_eq!(read, !checked.service_error);
            check_cut(input, &bounds);
        }
        Err(DecodeError::TooDeep { depth, limit, .. }) => {
            assert_eq!((*depth, *limit), (65, 64));
            assert!(input.len() > 64 && !read);
        }
        Err(DecodeError::TooManyItems { items, limit, .. }) => {
            assert!(*items > *limit as u64 && input.len() > *limit && !read);
        }
        Err(DecodeError::InvalidUtf8 {
            offset,
            valid_up_to,
        }) => {
            assert!(!read);
            check_no_text(&input[*offset..], *valid_up_to);
        }
        Err(error) => {
            assert_ne!(reference(input), Some(input.len()), "{error}");
            assert!(!read, "{error}");
        }
    }
    read_as_types(input);
}

/// How many bytes a decoder without our check takes for the first value; none when it does not read it.
fn reference(input: &[u8]) -> Option<usize> {
    let mut rest = input;
    let values = if input.starts_with(&MARKER) { 2 } else { 1 };
    for _ in 0..values {
        let mut decoder = Deserializer::new(&mut rest);
        decoder.set_max_depth(200);
        IgnoredAny::deserialize(&mut decoder).ok()?;
    }
    Some(input.len() - rest.len())
}

/// What is not all of a value is known to be too short, at whichever byte it was cut.
fn check_cut(input: &[u8], bounds: &Bounds) {
    for cut in (0..input.len()).rev().take(64) {
        let result = check(&input[..cut], bounds);
        // Of the error of a service, the marker alone is a value too: of an extension type.
        let is_marker = input.starts_with(&MARKER) && cut <= MARKER.len();
        assert!(
            is_marker || matches!(result, Err(DecodeError::Truncated { .. })),
            "cut at {cut}: {result:?}"
        );
    }
    if !input.starts_with(&MARKER) {
        assert_eq!(value_len(input, bounds), Ok(input.len()));
        let followed = [input, &[0xC1]].concat();
        assert_eq!(value_len(&followed, bounds), Ok(input.len()));
    }
}

/// The token is a string, and its bytes are no UTF-8 from there on.
fn check_no_text(token: &[u8], valid_up_to: usize) {
    let (head, length) = match token[0] {
        marker @ 0xA0..=0xBF => (1, usize::from(marker & 0x1F)),
        0xD9 => (2, usize::from(token[1])),
        0xDA => (3, usize::from(u16::from_be_bytes([token[1], token[2]]))),
        0xDB => (
            5,
            u32::from_be_bytes([token[1], token[2], token[3], token[4]]) as usize,
        ),
        marker => panic!("{marker:#04x} begins no string"),
    };
    let text = str::from_utf8(&token[head..head + length]);
    assert_eq!(text.expect_err("no text").valid_up_to(), valid_up_to);
}

/// Whatever the type, nothing panics.
fn read_as_types(input: &[u8]) {
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "it is only read into")]
    struct Record {
        number: i16,
        text: Option<String>,
        list: Vec<Choice>,
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "it is only read into")]
    enum Choice {
        Unit,
        Tuple(u8, f32),
        Named { flag: bool },
    }
    drop(from_slice::<Record>(input));
    drop(from_slice::<Choice>(input));
    drop(from_slice::<Vec<(u64, String)>>(input));
    drop(from_slice::<std::collections::BTreeMap<i64, f64>>(input));
    drop(from_slice::<sockety::msgpack::Timestamp>(input));
}

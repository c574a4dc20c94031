//! The check of MessagePack agrees with a decoder that reads all of it, and takes no memory.

use rmp_serde::decode::Deserializer;
use serde::Deserialize;
use serde::de::IgnoredAny;
use sockety::msgpack::{Bounds, DecodeError, ItemScanner, Scanned, check, from_slice, value_len};

use crate::{heap, pieces};

/// The marker of the error of a service, which with the array behind it counts as one value.
const MARKER: [u8; 3] = [0xD4, 0x65, 0x00];

/// For an error, and for what reading it with a type allocates.
const READING: usize = 4 * 1024;

/// For 200 levels of a scan that resumes, while their table grows.
const LEVELS: usize = 4 * 1024;

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
            assert_eq!((*depth, *limit), (201, 200));
            assert!(input.len() > 200 && !read);
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
    check_items(input);
    read_as_types(input);
}

/// However the bytes are cut, the same items are found in them, and the same after the last one.
fn check_items(input: &[u8]) {
    let whole = items([input]);
    assert_eq!(items(input.chunks(1)), whole, "byte by byte");
    // The corpus is MessagePack alone: the input itself decides where it is cut.
    let seed = input.iter().fold(0_u32, |seed, &byte| {
        seed.wrapping_mul(31).wrapping_add(byte.into())
    });
    assert_eq!(items(pieces(input, seed)), whole, "cut apart");
    let (lengths, end) = whole;
    let bounds = Bounds::default();
    let mut rest = input;
    for length in lengths {
        assert_eq!(first(rest, &bounds), Ok(Scanned::Whole { len: length }));
        rest = &rest[length..];
    }
    assert_eq!(first(rest, &bounds), end);
}

/// The lengths of the items in these pieces, and what is said of the bytes after them.
fn items<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<usize>, Result<Scanned, DecodeError>) {
    let mut scanner = ItemScanner::new(Bounds::default());
    let (mut lengths, mut buffer) = (Vec::new(), Vec::new());
    let mut end = scanner.scan(&buffer);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            end = scanner.scan(&buffer);
            match end {
                Ok(Scanned::Whole { len }) => {
                    lengths.push(len);
                    buffer.drain(..len);
                }
                Ok(Scanned::Partial { needed }) => {
                    assert!(needed > buffer.len());
                    break;
                }
                Err(_) => return (lengths, end),
            }
        }
    }
    (lengths, end)
}

/// What a scan of the first item says that sees all bytes at once.
fn first(bytes: &[u8], bounds: &Bounds) -> Result<Scanned, DecodeError> {
    let scanned = heap::check(LEVELS, || ItemScanner::new(*bounds).scan(bytes));
    if !bytes.starts_with(&MARKER) {
        let expected = match value_len(bytes, bounds) {
            Ok(len) => Ok(Scanned::Whole { len }),
            Err(DecodeError::Truncated { offset, needed, .. }) => {
                let needed = offset + usize::try_from(needed).expect("64 bits");
                Ok(Scanned::Partial { needed })
            }
            Err(error) => Err(error),
        };
        assert_eq!(scanned, expected);
    }
    scanned
}

/// How many bytes a decoder without our check takes for the first value; none when it does not read it.
fn reference(input: &[u8]) -> Option<usize> {
    let mut rest = input;
    let values = if input.starts_with(&MARKER) { 2 } else { 1 };
    for _ in 0..values {
        let mut decoder = Deserializer::new(&mut rest);
        decoder.set_max_depth(400);
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

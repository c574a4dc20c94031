//! What plain rmp-serde reads back is read back equal, whatever is read can be written, and no
//! value takes much more memory than its bytes.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use rmp_serde::decode::Deserializer;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sockety::msgpack::{Timestamp, from_slice, to_vec};

use crate::heap;

/// What a value may take for each byte, and what any may take, also while it grows.
const PER_BYTE: usize = 200;
const AT_LEAST: usize = 10 << 20;

pub(crate) fn run(input: &[u8]) {
    check::<u8>(input);
    check::<i64>(input);
    check::<u128>(input);
    check::<f64>(input);
    check::<char>(input);
    check::<String>(input);
    check::<bytes::Bytes>(input);
    check::<Option<Option<u32>>>(input);
    check::<Vec<i16>>(input);
    check::<Vec<Option<[u64; 32]>>>(input);
    check::<(u8, String, Unit)>(input);
    check::<BTreeMap<String, Vec<u8>>>(input);
    check::<HashMap<u64, bool>>(input);
    check::<BTreeMap<bool, Option<u8>>>(input);
    check::<Choice>(input);
    check::<Vec<Record>>(input);
    check::<Open>(input);
    check::<Vec<Tagged>>(input);
    check::<Vec<Untagged>>(input);
    check::<Timestamp>(input);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Choice {
    Unit,
    Newtype(Option<u8>),
    Tuple(u8, f32),
    Named {
        flag: bool,
        inner: Box<Option<Self>>,
    },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    number: i16,
    text: Option<String>,
    #[serde(default)]
    list: Vec<Choice>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    number: u64,
    #[serde(flatten)]
    rest: BTreeMap<String, Untagged>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    Number { value: u64 },
    Bytes { value: Vec<u8> },
    Keys { value: BTreeMap<i32, Timestamp> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Self>),
    Keys(BTreeMap<u8, bool>),
}

fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(input: &[u8]) {
    let read = heap::check(AT_LEAST + PER_BYTE * input.len(), || from_slice::<T>(input));
    let expected = T::deserialize(&mut Deserializer::new(input).with_human_readable());
    match (read, expected) {
        (Ok(read), Ok(expected)) => {
            // NaN is no value that is equal to itself.
            let (shown, expected) = (format!("{read:?}"), format!("{expected:?}"));
            let is_other = has_undefined(input) || has_numbers(input);
            assert!(shown == expected || is_other, "{shown}, {expected}");
            check_back(&read);
        }
        (Ok(read), Err(_)) => check_back(&read),
        (Err(error), Ok(expected)) => {
            let text = error.to_string();
            assert!(is_refused(&text, input), "{text}, read as {expected:?}");
        }
        (Err(_), Err(_)) => {}
    }
}

/// What was read is written, and comes back.
fn check_back<T: Serialize + DeserializeOwned + Debug>(read: &T) {
    let bytes = to_vec(read).expect("it was read");
    let back = from_slice::<T>(&bytes);
    let back = back.map(|back| format!("{back:?}"));
    assert_eq!(back, Ok(format!("{read:?}")), "{bytes:02X?}");
}

/// What rmp-serde reads, but is refused here, each for a reason.
fn is_refused(error: &str, input: &[u8]) -> bool {
    // It stops at the end of the value.
    error.starts_with("trailing bytes")
        // It reads any string as bytes.
        || error.starts_with("invalid UTF-8")
        // It reads the reserved marker as nil.
        || error.starts_with("reserved marker")
        // Bytes are read only as `u8`.
        || error.contains("a byte of a bin")
        // It takes a negative number for the bits of an unsigned one.
        || error.contains("expected u128")
        // Numbers of variants depend on their order. A service error is no value.
        || error.contains("expected enum")
        || error.contains("name of an enum variant")
        || error.contains("service error")
        || has_undefined(input)
}

/// Whether an entry may be absent that rmp-serde reads.
fn has_undefined(input: &[u8]) -> bool {
    input.windows(3).any(|window| window == [0xD4, 0, 0])
}

/// Whether a struct may have a number as a key among names. It is that of an unknown field here,
/// and the position of one for rmp-serde.
fn has_numbers(input: &[u8]) -> bool {
    input.iter().any(|byte| matches!(byte, 0..=2 | 0xCC..=0xCF))
}

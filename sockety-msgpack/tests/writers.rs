//! Values that other MessagePack writers wrote are read as what they were: see
//! `writers/record.sh`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use sockety_msgpack::{Timestamp, from_slice};
use uuid::Uuid;

const RECORDED: &str = include_str!("writers/recorded.txt");

/// What differs from the value that the writer was given.
enum Difference {
    /// It is refused, with these words among others: no type of Rust is meant by it, or the writer
    /// has its own form of it.
    Refused(&'static str),
    /// The writer itself has changed it.
    Changed,
}

use Difference::{Changed, Refused};

/// Which writers, which values, and what becomes of them.
const DIFFERENCES: &[(&str, &str, Difference)] = &[
    // Forms of msgpackr's own. Sets and shared objects are several values, one behind another.
    ("msgpackr * records", "*", RECORD),
    ("msgpackr * structuredClone: true", "*", RECORD),
    (
        "msgpackr * bundleStrings: true",
        "Map *",
        Refused("extension type 98 of 4 bytes"),
    ),
    ("msgpackr * bundleStrings: true", "*", RECORD),
    ("msgpackr *", "bytes *", Refused("extension type 116")),
    ("msgpackr *", "uuid as bytes", Refused("extension type 116")),
    ("msgpackr *", "Set", Refused("extension type 115")),
    ("msgpackr *", "huge *", Refused("extension type 66")),
    (
        "msgpackr * largeBigIntToFloat: true",
        "huge *",
        Refused("floating point"),
    ),
    // What `undefined` is, where it is not JavaScript's own: nil.
    (
        "msgpackr * encodeUndefinedAsNil: true",
        "user with undefined",
        Changed,
    ),
    (
        "msgpackr * encodeUndefinedAsNil: true",
        "user without tags",
        Changed,
    ),
    ("@msgpack/msgpack *", "user with undefined", Changed),
    ("@msgpack/msgpack *", "user without tags", Changed),
    // Numbers in fewer bytes than they need.
    ("msgpackr * useFloat32: DECIMAL_ROUND", "float *", Changed),
    ("@msgpack/msgpack * forceFloat32", "float *", Changed),
    ("Python msgpack * use_single_float", "float *", Changed),
    (
        "Python msgpack * use_single_float",
        "whole 1000000000000000",
        Changed,
    ),
    ("@msgpack/msgpack * useBigInt64", "huge *", Changed),
    ("notepack.io *", "float 1e+*", Changed),
    ("msgpack5 *", "date 17179869184.001", Changed),
    ("*", "float -0", Changed),
    // Objects whose entries are not found, as they are no properties.
    ("@msgpack/msgpack *", "Map *", Changed),
    ("notepack.io *", "Map *", Changed),
    (
        "*",
        "Set",
        Refused("invalid type: map, expected a sequence"),
    ),
    (
        "msgpack5 * disableTimestampEncoding",
        "date *",
        Refused("invalid type: map"),
    ),
    // The old format has no bin, only bytes that may be a string.
    (
        "msgpack5 * compatibilityMode",
        "bytes 0",
        Refused("below flatten"),
    ),
    (
        "Python msgpack * use_bin_type=False",
        "bytes 0",
        Refused("below flatten"),
    ),
    ("msgpack5 * compatibilityMode", "bytes *", NO_TEXT),
    ("Python msgpack * use_bin_type=False", "bytes *", NO_TEXT),
    ("msgpack5 * compatibilityMode", "uuid as bytes", NO_TEXT),
    (
        "Python msgpack * use_bin_type=False",
        "uuid as bytes",
        NO_TEXT,
    ),
    // Below a flatten, serde itself compares lengths.
    (
        "msgspec *",
        "user as longer array",
        Refused("below flatten"),
    ),
];

const RECORD: Difference = Refused("write with `useRecords: false`");
const NO_TEXT: Difference = Refused("invalid UTF-8");

#[test]
fn values_of_other_writers_are_read() {
    let (mut read, mut refused, mut changed, mut unwritten) = (0, 0, 0, 0);
    let mut problems = Vec::new();
    let mut unused: BTreeSet<_> = (0..DIFFERENCES.len()).collect();
    for (writer, values) in recorded() {
        for (name, bytes) in values {
            let Some(bytes) = bytes else {
                unwritten += 1;
                continue;
            };
            let result = check(&name, &bytes);
            let Err(error) = result else {
                read += 1;
                continue;
            };
            let difference = DIFFERENCES
                .iter()
                .position(|(writers, values, difference)| {
                    matches(writers, &writer)
                        && matches(values, &name)
                        && match difference {
                            Refused(words) => error.contains(words),
                            Changed => true,
                        }
                });
            let Some(index) = difference else {
                problems.push(format!("{writer}: {name}: {error}"));
                continue;
            };
            unused.remove(&index);
            match DIFFERENCES[index].2 {
                Refused(_) => refused += 1,
                Changed => changed += 1,
            }
        }
    }
    assert!(
        problems.is_empty(),
        "{} problems:\n{}",
        problems.len(),
        problems.join("\n")
    );
    let unused: Vec<_> = unused.into_iter().map(|it| DIFFERENCES[it].1).collect();
    assert!(unused.is_empty(), "differences that are none: {unused:?}");
    assert_eq!((read, refused, changed, unwritten), (4793, 220, 95, 266));
}

/// Whether a name matches a pattern, in which `*` is anything.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            (0..=name.len())
                .filter(|at| name.is_char_boundary(*at))
                .any(|at| matches(rest, &name[at..]))
        }),
    }
}

#[derive(Debug, PartialEq, Deserialize)]
struct User {
    id: u64,
    name: String,
    email: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
}

/// Distinguishes a field that is absent from one that is nil.
#[derive(Debug, PartialEq, Deserialize)]
struct Change {
    #[serde(default, deserialize_with = "present")]
    email: Option<Option<String>>,
}

fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Deserialize::deserialize(value).map(Some)
}

#[derive(Debug, PartialEq, Deserialize)]
struct Flat<T> {
    #[serde(flatten)]
    inner: T,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "kind")]
enum Tagged<T> {
    Only { value: T },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Untagged<T> {
    Only { value: T },
}

#[derive(Debug, PartialEq, Deserialize)]
struct Field<T> {
    value: T,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Tree {
    value: u32,
    left: Option<Box<Self>>,
    right: Option<Box<Self>>,
}

#[derive(Debug, PartialEq, Deserialize)]
enum External {
    Unit,
    New(u8),
    Tup(u8, String),
    Struct { a: u8, b: String },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "type")]
enum Internal {
    Struct { a: u8, b: String },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    Tup(u8, String),
}

/// Reads the value of this name into all types that stand for it.
fn check(name: &str, bytes: &[u8]) -> Result<(), String> {
    let (kind, detail) = name.split_once(' ').unwrap_or((name, ""));
    let user = || User {
        id: 7,
        name: "Ada".into(),
        email: None,
        tags: vec!["a".into(), "b".into()],
    };
    match (kind, detail) {
        ("nil", "") => {
            at_every_depth(bytes, None::<u8>)?;
            at_every_depth(bytes, ())
        }
        // As the value of a map it is absent, which only an `Option` can be.
        ("undefined", "") => {
            at_every_depth(bytes, None::<u8>)?;
            equal(bytes, &())
        }
        ("true" | "false", "") => at_every_depth(bytes, kind == "true"),
        ("int" | "big" | "huge" | "whole", number) => integer(bytes, number),
        ("float", number) => float(bytes, number),
        ("letters", count) => {
            let text = "a".repeat(number(count));
            at_every_depth(bytes, text.clone())?;
            at_every_depth(bytes, Bytes::from(text))
        }
        ("text", which) => {
            let text = match which {
                "umlauts" => "Zoë naïve übergrößenträger",
                "beyond 16 bits" => "𝄞 und 🦀",
                "nul" => "a\0b",
                _ => panic!("unknown text {which}"),
            };
            at_every_depth(bytes, text.to_owned())
        }
        ("bytes", count) => {
            let content = vec![255; number(count)];
            at_every_depth(bytes, Bytes::from(content.clone()))?;
            at_every_depth(bytes, content)
        }
        ("array", "of floats") => at_every_depth(bytes, vec![0.5, 1.0, 1.5, 4_294_967_296.0]),
        ("array", "with nil" | "with undefined") => {
            at_every_depth(bytes, vec![Some(1), None, Some(3)])
        }
        ("array", count) => at_every_depth(bytes, (0..number(count) as u32).collect::<Vec<_>>()),
        ("tuple", "") => at_every_depth(bytes, (1, "x".to_owned())),
        ("Map", "with integer keys") | ("object", "with integer keys") => at_every_depth(
            bytes,
            BTreeMap::from([
                (1, "one".to_owned()),
                (70_000, "many".into()),
                (-5, "below".into()),
            ]),
        ),
        ("Map", "with bool keys") | ("object", "with bool keys") => {
            at_every_depth(bytes, BTreeMap::from([(true, 1), (false, 0)]))
        }
        ("map" | "Map", count) => at_every_depth(
            bytes,
            (0..number(count))
                .map(|index| (format!("key{index}"), index))
                .collect::<BTreeMap<_, _>>(),
        ),
        ("Set", "") if from_slice::<Vec<u8>>(bytes).is_ok_and(|set| set.len() == 1) => {
            at_every_depth(bytes, BTreeSet::from([3]))
        }
        ("Set", "") => at_every_depth(bytes, BTreeSet::from([1, 2, 3])),
        ("user", "" | "as class" | "as array" | "as longer array" | "with more") => {
            if detail.is_empty() {
                at_every_depth(bytes, Flat { inner: user() })?;
            }
            at_every_depth(bytes, user())
        }
        ("user", "with undefined") => {
            at_every_depth(bytes, Change { email: None })?;
            at_every_depth(bytes, Flat { inner: user() })?;
            at_every_depth(bytes, user())
        }
        ("user", "without tags") => at_every_depth(
            bytes,
            User {
                tags: Vec::new(),
                ..user()
            },
        ),
        ("users", "") => at_every_depth(bytes, [(); 3].map(|()| user())),
        ("tree", "") => {
            let leaf = None;
            let grown = (1..=10).fold(leaf, |left, value| {
                Some(Box::new(Tree {
                    value,
                    left,
                    right: None,
                }))
            });
            at_every_depth(bytes, grown)
        }
        ("enum", "unit" | "unit as class" | "unit as map") => at_every_depth(bytes, External::Unit),
        ("enum", "newtype") => at_every_depth(bytes, External::New(5)),
        ("enum", "tuple") => at_every_depth(bytes, External::Tup(1, "x".into())),
        ("enum", "struct") => {
            let (a, b) = (1, "x".into());
            at_every_depth(bytes, External::Struct { a, b })
        }
        ("tagged" | "tagged,", _) => {
            let (a, b) = (1, "x".into());
            at_every_depth(bytes, Internal::Struct { a, b })
        }
        ("adjacent" | "adjacent,", _) => at_every_depth(bytes, Adjacent::Tup(1, "x".into())),
        ("uuid", _) => at_every_depth(
            bytes,
            Uuid::from_u128(0x0f8fad5b_d9cb_469f_a165_70867728950e),
        ),
        ("address", "4") => at_every_depth::<IpAddr>(bytes, [192, 0, 2, 7].into()),
        ("address", "6") => {
            at_every_depth::<IpAddr>(bytes, [0x2001, 0xdb8, 0, 0, 0, 0, 0, 7].into())
        }
        ("date", "as text") => date(bytes, 1_700_000_000_123),
        ("date", seconds) => {
            let seconds: f64 = seconds.parse().expect("seconds");
            date(bytes, (seconds * 1000.0).round() as i64)
        }
        _ => panic!("unknown value {name}"),
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

fn date(bytes: &[u8], milliseconds: i64) -> Result<(), String> {
    let since = Duration::from_millis(milliseconds.unsigned_abs());
    let time = match milliseconds {
        ..0 => SystemTime::UNIX_EPOCH - since,
        0.. => SystemTime::UNIX_EPOCH + since,
    };
    at_every_depth(bytes, Timestamp::from(time))?;
    at_every_depth::<chrono::DateTime<chrono::Utc>>(bytes, time.into())?;
    at_every_depth::<jiff::Timestamp>(bytes, time.try_into().expect("in range"))
}

/// An integer is read into every type that holds it, and refused by every other.
fn integer(bytes: &[u8], number: &str) -> Result<(), String> {
    macro_rules! types {
        ($($type:ty)*) => {$(
            match number.parse::<$type>() {
                Ok(number) => at_every_depth(bytes, number)?,
                Err(_) => refused::<$type>(bytes)?,
            }
        )*};
    }
    types!(u8 u16 u32 u64 i8 i16 i32 i64);
    if let Ok(number) = number.parse::<u128>() {
        equal(bytes, &number)?;
    }
    if let Ok(number) = number.parse::<i128>() {
        equal(bytes, &number)?;
    }
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        at_every_depth(bytes, number.parse::<f64>().expect("a number"))?;
    }
    // Numbers may have been written as text, which other types take.
    refused::<bool>(bytes)?;
    refused::<BTreeMap<u8, u8>>(bytes)
}

fn float(bytes: &[u8], number: &str) -> Result<(), String> {
    let number: f64 = number.parse().expect("a float");
    let same = |read: f64| read.to_bits() == number.to_bits() || (read.is_nan() && number.is_nan());
    let read: f64 = read(bytes)?;
    if !same(read) {
        return Err(format!("{read} for {number}"));
    }
    let within: Field<f64> = self::read(&field("value", bytes))?;
    if !same(within.value) {
        return Err(format!("{} for {number} in a field", within.value));
    }
    if number != -0.0 && number != 1e21 {
        refused::<i64>(bytes)?;
    }
    refused::<String>(bytes)
}

/// The value by itself, and as a field of a plain struct, below a flatten, and of internally tagged
/// and untagged enums.
fn at_every_depth<T: DeserializeOwned + PartialEq + Debug>(
    bytes: &[u8],
    value: T,
) -> Result<(), String> {
    let value = equal(bytes, &value).map(|()| value)?;
    let value = Field { value };
    let field_bytes = field("value", bytes);
    equal(&field_bytes, &value).map_err(|error| format!("in a field: {error}"))?;
    let value = Flat { inner: value };
    equal(&field_bytes, &value).map_err(|error| format!("below flatten: {error}"))?;
    let value = Untagged::Only {
        value: value.inner.value,
    };
    equal(&field_bytes, &value).map_err(|error| format!("untagged: {error}"))?;
    let Untagged::Only { value } = value;
    let mut tagged = b"\x82\xa4kind\xa4Only\xa5value".to_vec();
    tagged.extend_from_slice(bytes);
    equal(&tagged, &Tagged::Only { value }).map_err(|error| format!("internally tagged: {error}"))
}

fn field(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut map = vec![0x81, 0xA0 + name.len() as u8];
    map.extend_from_slice(name.as_bytes());
    map.extend_from_slice(bytes);
    map
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let name = std::any::type_name::<T>();
    from_slice(bytes).map_err(|error| format!("{name}: {error}"))
}

fn equal<T: DeserializeOwned + PartialEq + Debug>(bytes: &[u8], value: &T) -> Result<(), String> {
    let read: T = read(bytes)?;
    match read == *value {
        true => Ok(()),
        false => Err(format!("{read:?} for {value:?}")),
    }
}

fn refused<T: DeserializeOwned + Debug>(bytes: &[u8]) -> Result<(), String> {
    match from_slice::<T>(bytes) {
        Ok(read) => Err(format!("taken for {read:?}")),
        Err(_) => Ok(()),
    }
}

type Values = Vec<(String, Option<Vec<u8>>)>;

/// All writers, and what they wrote; `None` for values that they refuse.
fn recorded() -> Vec<(String, Values)> {
    let mut writers: Vec<(String, Values)> = Vec::new();
    for line in RECORDED.lines().filter(|line| !line.starts_with('#')) {
        if let Some(writer) = line.strip_prefix("= ") {
            writers.push((writer.to_owned(), Vec::new()));
            continue;
        }
        if let Some(like) = line.strip_prefix("< ") {
            let (_, values) = writers
                .iter()
                .find(|(writer, _)| writer == like)
                .expect(like);
            let values = values.clone();
            writers.last_mut().expect("a writer").1 = values;
            continue;
        }
        let (name, written) = line
            .rsplit_once(": ")
            .unwrap_or_else(|| (line.trim_end_matches(':'), ""));
        let written = (written != "!").then(|| from_hex(written));
        let (_, values) = writers.last_mut().expect("a writer");
        match values.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = written,
            None => values.push((name.to_owned(), written)),
        }
    }
    writers
}

/// Bytes in hex, with runs such as `ff*300`.
fn from_hex(text: &str) -> Vec<u8> {
    let digits = |text: &str| -> Vec<u8> {
        let pairs = text.as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        pairs.map(byte).collect()
    };
    let words = text.split(' ').map(|word| match word.split_once('*') {
        None => digits(word),
        Some((byte, count)) => digits(byte).repeat(number(count)),
    });
    words.collect::<Vec<_>>().concat()
}

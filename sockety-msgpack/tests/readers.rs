//! Bytes that this crate writes, what readers of other languages make of them, and whether what
//! those write back is the same value: see `writers/readers.sh`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sockety_msgpack::__private::{decode_service_error, encode_service_error};
use sockety_msgpack::{Bounds, Timestamp, from_slice, to_vec};
use uuid::Uuid;

const WRITTEN: &str = include_str!("writers/written.txt");
const READ: &str = include_str!("writers/read.txt");

const HEAD: &str = "\
# Values of Rust as this crate writes them, in hex. Written by readers.sh, see there.
";

/// A value of Rust, and how it is written.
struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    /// Fails if these bytes are not read as the same value.
    read: Box<Read>,
}

type Read = dyn Fn(&[u8]) -> Result<(), String>;

/// Values are compared as they are shown, since NaN is not equal to itself.
fn case<T>(name: &'static str, value: T) -> Case
where
    T: Serialize + DeserializeOwned + Debug + 'static,
{
    let bytes = to_vec(&value).expect("encoded");
    let shown = format!("{value:?}");
    let read = move |bytes: &[u8]| match from_slice::<T>(bytes) {
        Ok(read) if format!("{read:?}") == shown => Ok(()),
        Ok(read) => Err(format!("changed to {read:?}")),
        Err(error) => Err(format!("refused: {error}")),
    };
    read(&bytes).expect(name);
    let read = Box::new(read);
    Case { name, bytes, read }
}

#[derive(Debug, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
    email: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Marker;

#[derive(Debug, Serialize, Deserialize)]
struct Meters(f64);

#[derive(Debug, Serialize, Deserialize)]
struct Point(i32, i32);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Color {
    Red,
}

#[derive(Debug, Serialize, Deserialize)]
enum External {
    Unit,
    New(u8),
    Tuple(u8, String),
    Struct { a: u8 },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Internal {
    Unit,
    Struct { a: u8 },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "content")]
enum Adjacent {
    Unit,
    Tuple(u8, String),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Integer(i64),
    Float(f64),
    Text(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct Visit {
    #[serde(with = "sockety_msgpack::as_timestamp")]
    at: SystemTime,
}

/// An error of a service with data, which is no value of serde.
fn service_error() -> Case {
    let mut bytes = Vec::new();
    let details = BTreeMap::from([("balance", 100)]);
    encode_service_error("NotCovered", "not covered", &details, &mut bytes).expect("encoded");
    let written = bytes.clone();
    let read = Box::new(move |bytes: &[u8]| {
        let parts = |bytes| decode_service_error(bytes, &Bounds::default());
        match parts(bytes) {
            Ok(read) if read == parts(&written).expect("decoded") => Ok(()),
            Ok(read) => Err(format!("changed to {read:?}")),
            Err(error) => Err(format!("refused: {error}")),
        }
    });
    let name = "service error";
    Case { name, bytes, read }
}

const UUID: Uuid = Uuid::from_u128(0x0f8fad5b_d9cb_469f_a165_70867728950e);
const MOMENT: Duration = Duration::from_millis(1_700_000_000_123);

fn cases() -> Vec<Case> {
    let now = SystemTime::UNIX_EPOCH + MOMENT;
    let timestamp = |seconds, nanoseconds| Timestamp::new(seconds, nanoseconds).expect("valid");
    vec![
        case("bool: true", true),
        case("u8: 7", 7_u8),
        case("i32: -7", -7_i32),
        case("u32: MAX", u32::MAX),
        case("u64: 7", 7_u64),
        case("u64: 2^32", 1_u64 << 32),
        case("u64: 2^53 + 1", (1_u64 << 53) + 1),
        case("u64: MAX", u64::MAX),
        case("i64: -2^31 - 1", -(1_i64 << 31) - 1),
        case("i64: MIN", i64::MIN),
        case("u128: 7", 7_u128),
        case("u128: MAX", u128::MAX),
        case("i128: -7", -7_i128),
        case("f32: 0.1", 0.1_f32),
        case("f64: 0.1", 0.1_f64),
        case("f64: 3.0", 3.0_f64),
        case("f64: 2^32", 4_294_967_296.0_f64),
        case("f64: -0.0", -0.0_f64),
        case("f64: 1e300", 1e300_f64),
        case("f64: NaN", f64::NAN),
        case("f64: infinity", f64::INFINITY),
        case("char: ß", 'ß'),
        case("String", "Zoë 🦀".to_owned()),
        case("PathBuf", PathBuf::from("/tmp/a")),
        case("()", ()),
        case("Option: None", None::<u32>),
        case("Option: Some", Some(7_u32)),
        case("unit struct", Marker),
        case("newtype", Meters(1.5)),
        case("tuple", (1_u8, "x".to_owned(), true)),
        case("tuple struct", Point(1, -1)),
        case("Vec<u32>", vec![1_u32, 300]),
        case("Vec<u8>", vec![1_u8, 255]),
        case("[u8; 2]", [1_u8, 255]),
        case("Bytes", Bytes::from_static(&[1, 255])),
        case("BTreeSet<u32>", BTreeSet::from([1_u32, 2])),
        case(
            "struct",
            User {
                id: 7,
                name: "Ada".into(),
                email: None,
            },
        ),
        case(
            "map with String keys",
            BTreeMap::from([("a".to_owned(), 1_u32), ("b".to_owned(), 2)]),
        ),
        case("map with enum keys", BTreeMap::from([(Color::Red, 1_u32)])),
        case("map with Uuid keys", BTreeMap::from([(UUID, 1_u32)])),
        case("map with u32 keys", BTreeMap::from([(7_u32, 1_u32)])),
        case("map with i64 keys", BTreeMap::from([(-7_i64, 1_u32)])),
        case(
            "map with u64 keys over 2^53",
            BTreeMap::from([((1_u64 << 53) + 1, 1_u32)]),
        ),
        case("map with u128 keys", BTreeMap::from([(7_u128, 1_u32)])),
        case("map with bool keys", BTreeMap::from([(true, 1_u32)])),
        case(
            "map with Bytes keys",
            BTreeMap::from([(Bytes::from_static(&[1, 255]), 1_u32)]),
        ),
        case(
            "map with tuple keys",
            BTreeMap::from([((1_u8, 2_u8), 1_u32)]),
        ),
        case(
            "map with Option keys",
            BTreeMap::from([(None::<u8>, 1_u32)]),
        ),
        case("external enum: unit", External::Unit),
        case("external enum: newtype", External::New(5)),
        case("external enum: tuple", External::Tuple(1, "x".into())),
        case("external enum: struct", External::Struct { a: 1 }),
        case("internal enum: unit", Internal::Unit),
        case("internal enum: struct", Internal::Struct { a: 1 }),
        case("adjacent enum: unit", Adjacent::Unit),
        case("adjacent enum: tuple", Adjacent::Tuple(1, "x".into())),
        case("untagged enum: integer", Untagged::Integer(1 << 40)),
        case("untagged enum: float", Untagged::Float(5.0)),
        case("untagged enum: text", Untagged::Text("x".into())),
        case("Uuid", UUID),
        case("IpAddr", IpAddr::from([192, 0, 2, 7])),
        case("SocketAddr", SocketAddr::from(([192, 0, 2, 7], 80))),
        case("Duration", Duration::from_millis(1500)),
        case("SystemTime", now),
        case("SystemTime as_timestamp", Visit { at: now }),
        case("Timestamp: whole second", timestamp(1_700_000_000, 0)),
        case(
            "Timestamp: millisecond",
            timestamp(1_700_000_000, 123_000_000),
        ),
        case(
            "Timestamp: nanosecond",
            timestamp(1_700_000_000, 123_456_789),
        ),
        case(
            "Timestamp: second half",
            timestamp(1_700_000_000, 750_000_000),
        ),
        case("Timestamp: before 1970", timestamp(-2, 500_000_000)),
        case("Timestamp: 2600", timestamp(19_880_899_200, 500_000_000)),
        case(
            "chrono::DateTime<Utc>",
            chrono::DateTime::<chrono::Utc>::from(now),
        ),
        case(
            "chrono::NaiveDate",
            chrono::NaiveDate::from_ymd_opt(2023, 11, 14).expect("a date"),
        ),
        case(
            "jiff::Timestamp",
            jiff::Timestamp::try_from(now).expect("in range"),
        ),
        case("time::OffsetDateTime", time::OffsetDateTime::from(now)),
        case(
            "serde_json::Value",
            serde_json::json!({"a": [1, 0.5, null, "x"]}),
        ),
        case("extension 5", rmpv::Value::Ext(5, vec![1, 2])),
        service_error(),
    ]
}

#[test]
fn values_are_written_as_recorded() {
    let mut written = HEAD.to_owned();
    for Case { name, bytes, .. } in cases() {
        writeln!(written, "{name} = {}", to_hex(&bytes)).expect("written");
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/writers/written.txt");
        std::fs::write(path, &written).expect("written");
        return;
    }
    assert_eq!(written, WRITTEN);
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("written");
        hex
    })
}

/// Which readers write back which values in a form that is read as another value or as none.
/// Everything else that they write back is read as the value it was.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    // Integers in floats: rounded, and possibly too large then. notepack.io rounds as well.
    (
        "@msgpack/msgpack * defaults",
        "*u64*2^53*",
        "9007199254740992",
    ),
    ("msgpack5 *", "*u64*2^53*", "9007199254740992"),
    ("notepack.io *", "*u64*2^53*", "9007199254740992"),
    ("@msgpack/msgpack * defaults", "u64: MAX", "floating point"),
    ("msgpack5 *", "u64: MAX", "floating point"),
    ("notepack.io *", "u64: MAX", "changed to 0"),
    ("notepack.io *", "f64: 1e300", "changed to 0.0"),
    // JavaScript does not distinguish floats from integers.
    ("*", "f64: -0.0", "changed to 0.0"),
    ("*", "untagged enum: float", "changed to Integer(5)"),
    (
        "* int64AsType: 'auto'",
        "untagged enum: integer",
        "changed to Float",
    ),
    // Moments have milliseconds in JavaScript and microseconds in Python.
    ("*", "Timestamp: nanosecond", "nanoseconds: 123000000"),
    ("*", "Timestamp: nanosecond", "nanoseconds: 123456000"),
    (
        "msgspec *",
        "Timestamp: nanosecond",
        "nanoseconds: 123457000",
    ),
    // See `findings` in the repository.
    ("ormsgpack *", "Timestamp: second half", "nanoseconds: 0"),
    // Keys of objects are text, in any form.
    ("msgpackr *", "map with Option keys", "string \"null\""),
    ("notepack.io *", "map with Option keys", "string \"null\""),
    ("notepack.io *", "map with u128 keys", "expected u128"),
    ("notepack.io *", "map with Bytes keys", "xef\\xbf\\xbd"),
    ("notepack.io *", "map with tuple keys", "more entries"),
    // Extensions that are not read as such. An `Error` is written as an array without `moreTypes`,
    // and ormsgpack reads the first of several values.
    ("notepack.io *", "extension 5", "changed to Array"),
    (
        "msgpackr *",
        "service error",
        "is a value, not a service error",
    ),
    ("ormsgpack *", "service error", "truncated"),
];

#[test]
fn values_come_back_from_other_languages() {
    let mut lines = READ
        .lines()
        .filter(|line| !line.starts_with('#'))
        .peekable();
    let mut readers = BTreeMap::new();
    while let Some((letter, reader)) = lines.peek().and_then(|line| line.split_once(": ")) {
        if letter.len() > 1 {
            break;
        }
        readers.insert(letter.chars().next(), reader);
        lines.next();
    }
    let (mut same, mut different, mut unread) = (0, 0, 0);
    let mut problems = Vec::new();
    let mut unused: BTreeSet<_> = DIFFERENCES.iter().collect();
    for Case { name, bytes, read } in cases() {
        let head = format!("= {name} = {}", to_hex(&bytes));
        assert_eq!(lines.next(), Some(&*head), "run writers/readers.sh");
        let mut seen = BTreeSet::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("= ")) {
            let (letters, rest) = line.split_once(" | ").expect("readers");
            let (_, written) = rest.rsplit_once(" | ").expect("what is written");
            for letter in letters.chars() {
                assert!(seen.insert(Some(letter)), "{name}: {letter} twice");
                if written == "!" {
                    unread += 1;
                    continue;
                }
                let Err(error) = read(&from_hex(written)) else {
                    same += 1;
                    continue;
                };
                let reader = readers[&Some(letter)];
                let known = DIFFERENCES.iter().find(|(readers, values, words)| {
                    matches(readers, reader) && matches(values, name) && error.contains(words)
                });
                match known {
                    Some(known) => {
                        unused.remove(known);
                        different += 1;
                    }
                    None => problems.push(format!("{reader}: {name}: {error}")),
                }
            }
        }
        assert!(seen.iter().eq(readers.keys()), "{name}: all readers");
    }
    assert_eq!(lines.next(), None);
    assert!(
        problems.is_empty(),
        "{} problems:\n{}",
        problems.len(),
        problems.join("\n")
    );
    assert!(unused.is_empty(), "differences that are none: {unused:?}");
    assert_eq!((same, different, unread), (1047, 62, 61));
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

fn from_hex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(byte).collect()
}

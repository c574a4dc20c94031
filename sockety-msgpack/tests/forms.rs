//! Values in the forms in which other languages write them, in every place where serde reads them
//! in another way: as a field, and as one of a flattened, tagged or untagged type.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sockety_msgpack::{DecodeError, Timestamp, from_slice, to_vec};
use uuid::Uuid;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Field<T> {
    value: T,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flattened<T> {
    id: u8,
    #[serde(flatten)]
    inner: Field<T>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Internal<T> {
    Node { value: T },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "content")]
enum Adjacent<T> {
    Node { value: T },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged<T> {
    Node { value: T },
}

/// The value read in each of the places. `content` is what the other language writes for it.
fn check<T: DeserializeOwned + Debug + PartialEq>(content: &[u8], expected: impl Fn() -> T) {
    let field = [b"\x81\xA5value", content].concat();
    let node = b"\xA4type\xA4Node";
    let value = expected();
    check_read(content, value);
    check_read(&field, Field { value: expected() });
    let inner = Field { value: expected() };
    check_read(
        &[b"\x82\xA2id\x07\xA5value", content].concat(),
        Flattened { id: 7, inner },
    );
    let value = expected();
    check_read(
        &[b"\x82\xA5value", content, node].concat(),
        Internal::Node { value },
    );
    let value = expected();
    check_read(
        &[b"\x82", &node[..], b"\xA5value", content].concat(),
        Internal::Node { value },
    );
    let value = expected();
    check_read(
        &[b"\x82\xA7content", &field[..], node].concat(),
        Adjacent::Node { value },
    );
    let value = expected();
    check_read(&field, Untagged::Node { value });
    let value = expected();
    check_read(
        &[b"\x91", &field[..]].concat(),
        vec![Untagged::Node { value }],
    );
}

/// What Rust writes comes back equal in each of the places.
fn check_round_trip<T: Serialize + DeserializeOwned + Debug + PartialEq>(value: impl Fn() -> T) {
    let bytes = to_vec(&value()).expect("encoded");
    check(&bytes, value);
}

fn check_read<T: DeserializeOwned + Debug + PartialEq>(bytes: &[u8], expected: T) {
    let read = from_slice(bytes);
    assert_eq!(read.as_ref(), Ok(&expected), "{bytes:02X?}");
}

fn error_of<T: DeserializeOwned + Debug>(bytes: &[u8]) -> String {
    let error = from_slice::<T>(bytes).expect_err("refused");
    assert!(matches!(error, DecodeError::Invalid(_)), "{error:?}");
    error.to_string()
}

#[test]
fn whole_floats_are_integers_where_integers_are_asked_for() {
    check(b"\xCB\x40\x14\0\0\0\0\0\0", || 5_u8);
    check(b"\xCA\x40\xA0\0\0", || 5_i64);
    check(b"\xCB\x42\x70\0\0\0\0\0\0", || 1_u64 << 40);
    check(b"\xCB\xC2\x70\0\0\0\0\0\0", || -(1_i64 << 40));
    check(b"\x92\xCB\x40\x14\0\0\0\0\0\0\x07", || vec![5_u32, 7]);
}

#[test]
fn whole_floats_are_floats_where_anything_goes() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Number {
        Integer(i64),
        Float(f64),
    }
    for float in [3.0, 1e10, -1e10] {
        check_round_trip(|| float);
        check_round_trip(|| Number::Float(float));
        check_round_trip(|| vec![Number::Integer(3), Number::Float(float)]);
        check_round_trip(|| serde_json::json!({"a": [float, 3]}));
        check_round_trip(|| rmpv::Value::F64(float));
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Open {
            id: u64,
            #[serde(flatten)]
            rest: HashMap<String, serde_json::Value>,
        }
        check_round_trip(|| Open {
            id: 7,
            rest: HashMap::from([("price".to_owned(), float.into())]),
        });
    }
    let negative_zero: serde_json::Value =
        from_slice(&to_vec(&-0.0_f64).expect("encoded")).expect("a float");
    assert!(negative_zero.as_f64().expect("a float").is_sign_negative());
}

#[test]
fn bins_strings_and_arrays_are_bytes() {
    for content in [&b"\xC4\x02hi"[..], b"\xA2hi", b"\x92\x68\x69"] {
        check(content, || Bytes::from("hi"));
    }
    check(b"\xC4\x02hi", || b"hi".to_vec());
    check(b"\x92\x68\x69", || b"hi".to_vec());
    check(b"\xC4\x02hi", || *b"hi");
    check(b"\xC4\x02hi", || "hi".to_owned());
    check_read(b"\xA2hi", b"hi".to_vec());
    check_read(b"\xA0", Vec::<u8>::new());
    let error = error_of::<Vec<String>>(b"\xA0");
    assert!(
        error.contains("string \"\", expected a sequence"),
        "{error}"
    );
}

#[test]
fn texts_are_keys_of_other_types() {
    check(b"\x82\xA15\x01\xA2-7\x02", || {
        BTreeMap::from([(5_i32, 1_u8), (-7, 2)])
    });
    check(b"\x81\xA15\x01", || BTreeMap::from([("5".to_owned(), 1)]));
    check(b"\x82\xA4true\x01\xA5false\x02", || {
        BTreeMap::from([(true, 1), (false, 2)])
    });
    check_read(b"\x81\xC4\x011\x02", BTreeMap::from([(1_u8, 2_u8)]));
    let id = "24681357-8024-4679-8135-024680246802";
    check_read(
        &[b"\x81\xD9\x24", id.as_bytes(), b"\x01"].concat(),
        BTreeMap::from([(uuid(id), 1)]),
    );
    #[derive(Debug, PartialEq, Deserialize)]
    struct Open {
        id: u64,
        #[serde(flatten)]
        rest: BTreeMap<u32, u64>,
    }
    let rest = BTreeMap::from([(5, 6)]);
    check_read(b"\x82\xA2id\x07\xA15\x06", Open { id: 7, rest });
}

#[test]
fn decimal_texts_are_integers_of_128_bits() {
    let text = u128::MAX.to_string();
    check_read(&[b"\xD9\x27", text.as_bytes()].concat(), u128::MAX);
    let text = i128::MIN.to_string();
    check_read(&[b"\xD9\x28", text.as_bytes()].concat(), i128::MIN);
    check_read(b"\x07", 7_u128);
    check_read(b"\xCB\x40\x14\0\0\0\0\0\0", 5_i128);
    check_read(
        &[b"\x81\xD9\x27", u128::MAX.to_string().as_bytes(), b"\x01"].concat(),
        BTreeMap::from([(u128::MAX, 1_u8)]),
    );
    for text in [&b"\xA201"[..], b"\xA2+1", b"\xA31.5", b"\xA0"] {
        let error = error_of::<u128>(text);
        assert!(error.contains("invalid type: string"), "{error}");
    }
    assert_eq!(to_vec(&7_u128).expect("encoded")[..2], [0xC4, 16]);
}

#[test]
fn addresses_and_uuids_are_texts() {
    let address = || IpAddr::from([127, 0, 0, 1]);
    assert_eq!(to_vec(&address()).expect("encoded"), b"\xA9127.0.0.1");
    check_round_trip(address);
    check_round_trip(|| SocketAddr::new(address(), 80));
    check_round_trip(|| "2001:db8::1".parse::<IpAddr>().expect("an address"));
    let id = "24681357-8024-4679-8135-024680246802";
    assert_eq!(to_vec(&uuid(id)).expect("encoded")[..2], [0xD9, 36]);
    check_round_trip(|| uuid(id));
    check(
        b"\xC4\x10\x24\x68\x13\x57\x80\x24\x46\x79\x81\x35\x02\x46\x80\x24\x68\x02",
        || uuid(id),
    );
    let error = error_of::<Uuid>(b"\xB0abcdefghijklmnop");
    assert!(error.contains("UUID parsing failed"), "{error}");
}

fn uuid(text: &str) -> Uuid {
    text.parse().expect("a UUID")
}

#[test]
fn addresses_are_read_in_the_form_of_other_formats_too() {
    let v4 = IpAddr::from([10, 0, 0, 8]);
    check_read(b"\x81\xA2V4\x94\x0A\0\0\x08", v4);
    check_read(b"\x94\x0A\0\0\x08", std::net::Ipv4Addr::from([10, 0, 0, 8]));
    check_read(
        b"\x81\xA2V4\x92\x94\x0A\0\0\x08\x50",
        SocketAddr::new(v4, 80),
    );
    let v6: IpAddr = "2001:db8::1".parse().expect("an address");
    let mut bytes = b"\x81\xA2V6\xDC\0\x10\x20\x01\x0D\xCC\xB8".to_vec();
    bytes.extend([0; 11]);
    bytes.push(1);
    check_read(&bytes, v6);
    check_read(
        &[b"\x81\xA2V6\x92", &bytes[4..], b"\xCD\x1F\x90"].concat(),
        SocketAddr::new(v6, 8080),
    );
    check_read(
        &[b"\x92\x81\xA2V4\x94\x0A\0\0\x08", &bytes[..]].concat(),
        (v4, v6),
    );
    for other in [
        &b"\x81\xA2V5\x94\x0A\0\0\x08"[..],
        b"\x80",
        b"\x93\x01\x02\x03",
    ] {
        let error = error_of::<IpAddr>(other);
        assert!(error.contains("expected IP address"), "{error}");
    }
    let error = error_of::<String>(b"\x94\x0A\0\0\x08");
    assert!(error.contains("sequence, expected a string"), "{error}");
}

#[test]
fn moments_are_read_from_timestamps_and_texts() {
    let ms = b"\xD7\xFF\x1D\x53\x53\x00\x65\x53\xF1\x00";
    let text = b"\xB82023-11-14T22:13:20.123Z";
    let system = || SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 123_000_000);
    for content in [&ms[..], text] {
        check(content, || {
            Timestamp::new(1_700_000_000, 123_000_000).expect("valid")
        });
        check(content, || chrono::DateTime::<chrono::Utc>::from(system()));
        check(content, || {
            jiff::Timestamp::try_from(system()).expect("in range")
        });
        check_read(content, system());
        check_read(content, time::OffsetDateTime::from(system()));
        check_read(
            content,
            vec_of_one(time::UtcDateTime::from(system())).remove(0),
        );
    }
    check_round_trip(system);
    check_round_trip(|| chrono::DateTime::<chrono::Utc>::from(system()));
    let early = b"\xC7\x0C\xFF\0\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
    check_read(
        early,
        time::OffsetDateTime::UNIX_EPOCH - Duration::from_secs(1),
    );
    let error = error_of::<SystemTime>(early);
    assert!(error.contains("integer `-1`, expected"), "{error}");
    let error = error_of::<u64>(ms);
    assert!(
        error.contains("extension type -1 (timestamp) of 8 bytes"),
        "{error}"
    );
    let error = error_of::<Timestamp>(b"\xA5never");
    assert!(
        error.contains("string \"never\", expected a timestamp"),
        "{error}"
    );
}

fn vec_of_one<T>(value: T) -> Vec<T> {
    vec![value]
}

#[test]
fn moments_are_written_as_timestamps_on_request() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Moments {
        #[serde(with = "sockety_msgpack::as_timestamp")]
        system: SystemTime,
        #[serde(with = "sockety_msgpack::as_timestamp")]
        chrono: chrono::DateTime<chrono::Utc>,
        #[serde(with = "sockety_msgpack::as_timestamp")]
        time: time::OffsetDateTime,
        #[serde(with = "sockety_msgpack::as_timestamp")]
        jiff: jiff::Timestamp,
        #[serde(with = "sockety_msgpack::as_timestamp::option", default)]
        some: Option<SystemTime>,
        #[serde(with = "sockety_msgpack::as_timestamp::option", default)]
        none: Option<jiff::Timestamp>,
    }
    // Windows counts hundreds of nanoseconds.
    let before = SystemTime::UNIX_EPOCH - Duration::new(7, 900);
    let moments = Moments {
        system: before,
        chrono: before.into(),
        time: before.into(),
        jiff: before.try_into().expect("in range"),
        some: Some(before),
        none: None,
    };
    let bytes = to_vec(&moments).expect("encoded");
    let written = b"\xC7\x0C\xFF\x3B\x9A\xC6\x7C\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xF8";
    let times = bytes
        .windows(written.len())
        .filter(|window| window == written);
    assert_eq!(times.count(), 5);
    check_read(&bytes, moments);
}

#[test]
fn undefined_is_absent() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        a: u8,
        #[serde(default)]
        tags: Vec<u8>,
    }
    let bytes = b"\x83\xA1a\x01\xA4tags\xD4\0\0\xA1f\xD4\0\0";
    check_read(bytes, Strict { a: 1, tags: vec![] });
    check_read(bytes, BTreeMap::from([("a".to_owned(), 1)]));
    check_read(bytes, serde_json::json!({"a": 1}));
    check_read(b"\x82\x01\xD4\0\0\x02\x07", BTreeMap::from([(2, 7)]));
    check_read(b"\x92\xD4\0\0\x07", (None::<u8>, 7));
    #[derive(Debug, PartialEq, Deserialize)]
    struct Patch {
        id: u8,
        #[serde(default, deserialize_with = "double_option")]
        email: Option<Option<String>>,
    }
    fn double_option<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<String>>, D::Error> {
        Deserialize::deserialize(deserializer).map(Some)
    }
    let patch = |email| Patch { id: 1, email };
    check_read(b"\x82\xA2id\x01\xA5email\xD4\0\0", patch(None));
    check_read(b"\x82\xA2id\x01\xA5email\xC0", patch(Some(None)));
    #[derive(Debug, PartialEq, Deserialize)]
    enum Choice {
        New(u8),
        Unit,
    }
    check_read(b"\x82\xA3New\x05\xA4Unit\xD4\0\0", Choice::New(5));
    check_read(b"\x82\xA4Unit\xD4\0\0\xA3New\x05", Choice::New(5));
    check_read(b"\x81\xA4Unit\xD4\0\0", Choice::Unit);
    check_read(
        b"\x92\x82\xA4Unit\xD4\0\0\xA3New\x05\x07",
        (Choice::New(5), 7),
    );
    error_of::<Choice>(b"\x82\xA4Unit\xC0\xA3New\x05");
    error_of::<Choice>(b"\x82\xA4Unit\xD4\0\0\xA3New\xD4\0\0");
}

#[test]
fn extensions_are_given_to_values_as_they_are() {
    for (tag, data) in [
        (5, &b"hi"[..]),
        (0, b"hi"),
        (0, b"\x01"),
        (-128, b""),
        (-1, b"1234"),
    ] {
        let value = rmpv::Value::Ext(tag, data.to_vec());
        check_round_trip(|| value.clone());
        check_round_trip(|| vec![value.clone(), rmpv::Value::Nil]);
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename = "_ExtStruct")]
    struct Extension((i8, serde_bytes_like::Data));
    check_round_trip(|| Extension((0, serde_bytes_like::Data(vec![1, 2]))));
    let error = error_of::<serde_json::Value>(b"\xD5\x05hi");
    assert!(
        error.contains("extension type 5 of 2 bytes, expected any valid JSON value"),
        "{error}"
    );
    let error = error_of::<Field<u8>>(b"\x81\xA5value\xD4\x72\x40");
    assert!(error.contains("useRecords: false"), "{error}");
}

mod serde_bytes_like {
    #[derive(Debug, PartialEq)]
    pub(crate) struct Data(pub(crate) Vec<u8>);

    impl serde::Serialize for Data {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(&self.0)
        }
    }

    impl<'de> serde::Deserialize<'de> for Data {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Ok(Self(bytes::Bytes::deserialize(deserializer)?.to_vec()))
        }
    }
}

#[test]
fn keys_that_are_no_names_are_skipped() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Point {
        x: i8,
        y: i8,
    }
    let point = || Point { x: 1, y: 2 };
    for other in [
        &b"\xC0\x05"[..],
        b"\xC3\x05",
        b"\xFF\x05",
        b"\xCB\x3F\xF8\0\0\0\0\0\0\x05",
        b"\x91\x01\x05",
        b"\xD5\x05hi\x05",
        b"\x00\x05",
        b"\xA1z\xD5\x05hi",
        b"\xC4\x01z\x81\x01\x02",
    ] {
        check_read(&[b"\x83\xA1x\x01\xA1y\x02", other].concat(), point());
        check_read(&[b"\x83\xA1x\x01", other, b"\xA1y\x02"].concat(), point());
    }
    check_read(b"\x82\x00\x01\x01\x02", point());
    check_read(b"\x83\x00\x01\x01\x02\x02\x03", point());
}

#[test]
fn longer_arrays_are_structs_too() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Point {
        x: i8,
        y: i8,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    enum Shape {
        Line { from: Point, to: Point },
    }
    let (from, to) = (Point { x: 1, y: 2 }, Point { x: 3, y: 4 });
    check_read(
        b"\x81\xA4Line\x93\x92\x01\x02\x94\x03\x04\x91\xC0\xA1z\xC0",
        Shape::Line { from, to },
    );
    error_of::<[u8; 2]>(b"\x93\x01\x02\x03");
}

#[test]
fn an_enum_may_be_named_by_an_enum() {
    // Like `ipnet::IpNet` and others that are written by hand.
    #[derive(Debug, PartialEq)]
    struct Kinds(Vec<u8>);
    #[derive(Deserialize)]
    enum Kind {
        V4,
    }
    impl<'de> Deserialize<'de> for Kinds {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct KindsVisitor;
            impl<'de> serde::de::Visitor<'de> for KindsVisitor {
                type Value = Kinds;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("kinds")
                }
                fn visit_enum<A: serde::de::EnumAccess<'de>>(
                    self,
                    access: A,
                ) -> Result<Kinds, A::Error> {
                    let (Kind::V4, data) = access.variant()?;
                    serde::de::VariantAccess::newtype_variant(data).map(Kinds)
                }
            }
            deserializer.deserialize_enum("Kinds", &["V4"], KindsVisitor)
        }
    }
    check_read(b"\x81\xA2V4\x92\x01\x02", Kinds(vec![1, 2]));
}

#[test]
fn text_and_bytes_are_borrowed() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Borrowed<'a> {
        text: &'a str,
        bytes: &'a [u8],
    }
    let bytes = b"\x82\xA4text\xA2hi\xA5bytes\xC4\x02yo";
    let read: Borrowed<'_> = from_slice(bytes).expect("a struct");
    assert_eq!(
        read,
        Borrowed {
            text: "hi",
            bytes: b"yo"
        }
    );
    assert!(bytes.as_ptr_range().contains(&read.text.as_ptr()));
}

#[test]
fn errors_say_where_and_what() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is only read into")]
    struct User {
        name: String,
        tags: Vec<u32>,
        by_id: BTreeMap<u32, Shape>,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is only read into")]
    enum Shape {
        Circle { radius: u8 },
    }
    let user = |tags: &[u8], by_id: &[u8]| {
        [
            b"\x81\xA4user\x83\xA4name\xA1x\xA4tags",
            tags,
            b"\xA5by_id",
            by_id,
        ]
        .concat()
    };
    let check = |bytes: &[u8], expected: &str| {
        let error = from_slice::<BTreeMap<String, User>>(bytes).expect_err("refused");
        assert_eq!(error.to_string(), expected);
    };
    check(
        &user(b"\x92\x01\xA1x", b"\x80"),
        "user.tags[1]: invalid type: string \"x\", expected u32 (byte 21)",
    );
    check(
        &user(b"\x07", b"\x80"),
        "user.tags: invalid type: integer `7`, expected a sequence (byte 19)",
    );
    check(
        &user(b"\x90", b"\x81\x05\x81\xA6Circle\x81\xA6radius\xCD\x01\0"),
        "user.by_id[5].Circle.radius: invalid value: integer `256`, expected u8 (byte 44)",
    );
    check(
        &user(b"\x90", b"\x81\xA15\xA6Square"),
        "user.by_id.5: unknown variant `Square`, expected `Circle` (byte 29)",
    );
    check(
        &user(b"\x91\xD5\x72\x40\x91", b"\x80"),
        "user.tags[0]: invalid type: extension type 114 (a record of msgpackr: write with \
         `useRecords: false`) of 2 bytes, expected u32 (byte 20)",
    );
    check(b"\x81\xA4user\x80", "user: missing field `name` (byte 6)");
    check(
        b"\x81\xA3a b\x07",
        "[\"a b\"]: invalid type: integer `7`, expected struct User (byte 5)",
    );
    check(b"\x07", "invalid type: integer `7`, expected a map");
    check(
        &user(b"\xDC\x01\0", b""),
        "truncated value at byte 19: needs at least 259 bytes, 9 present",
    );
    check(
        &user(b"\x91\xC1", b"\x80"),
        "reserved marker 0xC1 at byte 20",
    );
}

#[test]
fn errors_of_parameters_say_which_one() {
    use sockety_msgpack::__private::{Entry, missing, read, read_entries};
    use sockety_msgpack::Bounds;
    let check = |bytes: &[u8], expected: &str| {
        let list = Entry::new("list", read::<Vec<u8>>, missing);
        let id = Entry::new("id", read::<u32>, missing);
        let read = read_entries(bytes, &Bounds::new(), (id, (list, ())));
        assert_eq!(read.expect_err("refused").to_string(), expected);
    };
    check(
        b"\x82\xA2id\x01\xA4list\x91\xA1x",
        "list[0]: invalid type: string \"x\", expected u8 (byte 11)",
    );
    check(
        b"\x92\xC0\x90",
        "id: invalid type: unit value, expected u32 (byte 1)",
    );
    check(b"\x81\xA2id\x01", "missing field `list`");
    check(
        b"\x07",
        "invalid type: integer `7`, expected a map of parameters",
    );
    check(
        b"\xD4\0\0",
        "invalid type: unit value, expected a map of parameters",
    );
    check(
        b"\xD4\x72\x40\x92\xA2id\xA4list\x01\x90",
        "invalid type: extension type 114 (a record of msgpackr: write with `useRecords: false`) of \
         1 bytes, expected a map of parameters",
    );
}

#[test]
fn a_path_is_cut_and_acts_on_no_terminal() {
    #[derive(Debug, Deserialize)]
    #[serde(transparent)]
    struct Tree {
        _children: BTreeMap<String, Self>,
    }
    let mut bytes = b"\x07".to_vec();
    for key in ["\u{1b}[2J".to_owned(), "x".repeat(250), "a".repeat(30)] {
        for _ in 0..10 {
            bytes = [&[0x81, 0xD9, key.len() as u8], key.as_bytes(), &bytes].concat();
        }
    }
    let error = from_slice::<Tree>(&bytes).expect_err("refused").to_string();
    assert!(!error.contains(char::is_control), "{error}");
    assert!(error.len() < 400, "{error}");
}

#[test]
fn t_p8_what_fits_in_no_form_is_read_a_limited_number_of_times() {
    use std::cell::Cell;
    thread_local! {
        static READ: Cell<usize> = const { Cell::new(0) };
    }
    #[derive(Debug)]
    struct Counted;
    impl<'de> Deserialize<'de> for Counted {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            READ.set(READ.get() + 1);
            Untagged::<(Bytes, Timestamp)>::deserialize(deserializer).map(|_| Self)
        }
    }
    let read = |content: &[u8]| {
        READ.set(0);
        from_slice::<Counted>(content).expect_err("refused");
        READ.get()
    };
    // Without anything to convert it is read once.
    assert_eq!(read(b"\x81\xA5value\x92\x01\xC0"), 1);
    assert_eq!(read(b"\x81\xA5value\xCB\x40\x14\0\0\0\0\0\0"), 2);
    let everything =
        b"\x84\xA5value\xCB\x40\x14\0\0\0\0\0\0\xA15\x01\xA1b\xC4\x01b\xA1t\xD6\xFF\0\0\0\0";
    assert_eq!(read(everything), 6);
    let many = [b"\xDC\0\x08", &everything.repeat(8)[..]].concat();
    assert_eq!(read(&many), 6);
}

//! MessagePack against the recorded bytes of the TypeScript implementation, lenient decoding of
//! other implementations, and hostile bytes.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Debug};
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;
use sockety::msgpack::__private::{decode_service_error, encode_service_error, is_service_error};
use sockety::msgpack::{
    Bounds, DecodeError, Timestamp, check, encode, from_slice, from_slice_with, to_vec, value_len,
};
use sockety::{Options, Outcome, Server, service};

// The recorded cases.

#[test]
fn every_recorded_payload_reads_as_what_was_written() {
    let mut payloads = 0;
    let mut responses = 0;
    for case in recorded_cases() {
        check_recorded(&case);
        match case.name.starts_with("response-") {
            true => responses += 1,
            false => payloads += 1,
        }
    }
    assert_eq!((payloads, responses), (73, 11));
}

#[test]
fn every_msgpack_payload_of_the_other_recordings_reads_as_what_was_written() {
    let mut count = 0;
    for case in recorded(|case| !is_msgpack_case(case)) {
        check_recorded(&case);
        count += 1;
    }
    assert_eq!(count, 111);
}

fn check_recorded(case: &Case) {
    let name = &case.name;
    let read = from_slice::<Value>(&case.bytes);
    match &case.expected {
        Expected::Value(value) => assert!(read.as_ref() == Ok(value), "{name}: {read:?}"),
        Expected::LoneSurrogate => {
            assert!(
                matches!(read, Err(DecodeError::InvalidUtf8 { .. })),
                "{name}: {read:?}"
            );
        }
        Expected::InvalidDate => {
            let error = read.unwrap_err().to_string();
            let text = "invalid timestamp length 1: must be 4, 8 or 12 bytes";
            assert!(error.contains(text), "{name}: {error}");
        }
    }
}

#[test]
fn recorded_numbers_read_into_number_types() {
    check_case("msgpack-int-0", 0u8);
    check_case("msgpack-int-minus-zero", 0i8);
    check_case("msgpack-int-minus-zero", 0.0f64);
    check_case("msgpack-int-127", 127i8);
    check_case("msgpack-int-255", 255u8);
    check_case("msgpack-int-256", 256.0f32);
    check_case("msgpack-int-2p31", 1u64 << 31);
    check_case("msgpack-int-2p53", 1u64 << 53);
    check_case("msgpack-int-2p53", 1i64 << 53);
    check_case("msgpack-int-2p53", 1i128 << 53);
    check_case("msgpack-int-2p53m1", (1u128 << 53) - 1);
    check_case("msgpack-int-1e15", 1_000_000_000_000_000usize);
    check_case("response-msgpack-int-2p32", 1u64 << 32);
    check_case("msgpack-neg-32", -32i8);
    check_case("msgpack-neg-2p31", i32::MIN);
    check_case("msgpack-neg-2p31m1", i64::from(i32::MIN) - 1);
    check_case("msgpack-float-1.1", 1.1f64);
    check_case("msgpack-float-min", 5e-324f64);
    check_case("msgpack-float-neginf", f64::NEG_INFINITY);
    check_case("msgpack-bigint-neg1", -1i8);
    check_case("msgpack-bigint-i64max", i64::MAX);
    check_case("msgpack-bigint-2p63", 1u64 << 63);
    check_case("msgpack-bigint-u64max", u64::MAX);
    check_case("msgpack-bigint-u64max", u128::from(u64::MAX));
}

#[test]
fn recorded_objects_read_into_structs() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        user: User,
        active: bool,
        score: f64,
        none: Option<u8>,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct User {
        name: String,
        tags: Vec<String>,
        address: Address,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Address {
        zip: String,
        geo: (f64, f64),
    }
    let address = Address {
        zip: "00-001".to_owned(),
        geo: (52.2297, 21.0122),
    };
    let user = User {
        name: "Żółw".to_owned(),
        tags: vec!["a".to_owned(), "b".to_owned()],
        address,
    };
    let outer = Outer {
        user,
        active: true,
        score: -12.5,
        none: None,
    };
    check_case("msgpack-object-nested", outer);
}

#[test]
fn recorded_containers_read_into_collections() {
    check_case("msgpack-array-empty", Vec::<String>::new());
    check_case("msgpack-array-15", [7u8; 15]);
    check_case("msgpack-array-65536", vec![1u16; 65536]);
    check_case("msgpack-array-with-undefined", vec![Some(1), None, Some(2)]);
    check_case("msgpack-array-with-undefined", (1, (), 2));
    check_case("msgpack-object-empty", BTreeMap::<String, u8>::new());
    check_case("msgpack-jsmap-empty", BTreeMap::<u8, u8>::new());
    check_case(
        "msgpack-object-numeric-keys",
        BTreeMap::from([
            ("1".to_owned(), "one".to_owned()),
            ("2".to_owned(), "two".to_owned()),
        ]),
    );
    check_case(
        "msgpack-object-numeric-keys",
        BTreeMap::from([(1u32, "one".to_owned()), (2, "two".to_owned())]),
    );
    check_case(
        "msgpack-error",
        ("Error".to_owned(), "boom".to_owned(), None::<u8>),
    );
}

#[test]
fn recorded_buffers_read_into_byte_types() {
    check_case("msgpack-buffer-3", vec![1u8, 2, 255]);
    check_case("msgpack-buffer-3", [1u8, 2, 255]);
    check_case("msgpack-buffer-3", Buffer(vec![1, 2, 255]));
    check_case("msgpack-buffer-0", Buffer(vec![]));
    #[derive(Debug, PartialEq, Deserialize)]
    struct Upload {
        file: Buffer,
        n: u8,
    }
    check_case(
        "msgpack-buffer-in-object",
        Upload {
            file: Buffer(b"abc".to_vec()),
            n: 1,
        },
    );
}

#[test]
fn recorded_dates_read_into_timestamps_and_are_written_the_same_or_shorter() {
    let mut count = 0;
    for case in recorded_cases() {
        if !case.name.starts_with("msgpack-date-") || case.name == "msgpack-date-invalid" {
            continue;
        }
        let timestamp: Timestamp = from_slice(&case.bytes).unwrap();
        let written = to_vec(&timestamp).unwrap();
        assert!(written.len() <= case.bytes.len(), "{}", case.name);
        assert_eq!(from_slice(&written), Ok(timestamp), "{}", case.name);
        count += 1;
    }
    assert_eq!(count, 8);
    check_case("msgpack-date-negative", timestamp(-1, 999_000_000));
    check_case("msgpack-date-millis", timestamp(1_700_000_000, 123_000_000));
    let invalid = case("msgpack-date-invalid");
    let error = from_slice::<Timestamp>(&invalid).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid timestamp length 1: must be 4, 8 or 12 bytes"
    );
}

// Leniency.

#[test]
fn a_whole_float_reads_as_an_integer_at_any_depth() {
    #[derive(Debug, PartialEq, Deserialize, Serialize)]
    struct Deep<N: Ord> {
        list: Vec<N>,
        some: Option<N>,
        pair: (N, N),
        by_key: BTreeMap<N, N>,
        wrapped: Wrapped<N>,
        newtype: Choice<N>,
        tuple: Choice<N>,
        named: Choice<N>,
    }
    #[derive(Debug, PartialEq, Deserialize, Serialize)]
    struct Wrapped<N>(N);
    #[derive(Debug, PartialEq, Deserialize, Serialize)]
    enum Choice<N> {
        Newtype(N),
        Tuple(N, N),
        Named { n: N },
    }
    fn deep<N: Ord + Copy>(n: N) -> Deep<N> {
        Deep {
            list: vec![n],
            some: Some(n),
            pair: (n, n),
            by_key: BTreeMap::from([(n, n)]),
            wrapped: Wrapped(n),
            newtype: Choice::Newtype(n),
            tuple: Choice::Tuple(n, n),
            named: Choice::Named { n },
        }
    }
    /// Written as msgpackr writes a number beyond 32 bits.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    struct Float(i64);
    impl Serialize for Float {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_f64(self.0 as f64)
        }
    }

    let bytes = to_vec(&deep(Float(1 << 40))).unwrap();
    assert_eq!(from_slice(&bytes), Ok(deep(1u64 << 40)));
    assert_eq!(from_slice(&bytes), Ok(deep(1i64 << 40)));
    assert_eq!(from_slice(&bytes), Ok(deep(1i128 << 40)));
    assert_eq!(from_slice(&bytes), Ok(deep(1u128 << 40)));
    let bytes = to_vec(&deep(Float(-7))).unwrap();
    assert_eq!(from_slice(&bytes), Ok(deep(-7i8)));
    assert!(from_slice::<Deep<u8>>(&bytes).is_err());
}

#[test]
fn a_whole_float_reads_as_an_integer_where_serde_buffers_values() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Flat {
        #[serde(flatten)]
        inner: Inner,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        at: u64,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "t")]
    enum Tagged {
        A { at: i64 },
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Object { at: u64 },
    }
    #[derive(Serialize)]
    struct Js {
        t: &'static str,
        at: f64,
    }
    let bytes = to_vec(&Js {
        t: "A",
        at: 1_700_000_000_123.0,
    })
    .unwrap();
    assert_eq!(
        from_slice(&bytes),
        Ok(Flat {
            inner: Inner {
                at: 1_700_000_000_123
            }
        })
    );
    assert_eq!(
        from_slice(&bytes),
        Ok(Tagged::A {
            at: 1_700_000_000_123
        })
    );
    assert_eq!(
        from_slice(&bytes),
        Ok(Untagged::Object {
            at: 1_700_000_000_123
        })
    );
}

#[test]
fn a_float_stays_a_float_where_anything_goes() {
    for float in [3.0, -0.0, 4_294_967_296.0, -2_147_483_649.0, 1e300, 0.5] {
        check_read(&to_vec(&float).unwrap(), Value::Float(float));
    }
}

#[test]
fn a_float32_reads_as_an_integer_too() {
    check_read(&to_vec(&16_777_216f32).unwrap(), 16_777_216u32);
    check_read(&to_vec(&-3f32).unwrap(), -3i8);
}

#[test]
fn a_float_at_the_edge_of_a_range_reads_only_if_it_fits() {
    check_read(&to_vec(&255.0f64).unwrap(), 255u8);
    check_fails::<u8>(&to_vec(&256.0f64).unwrap(), "integer `256`, expected u8");
    check_read(&to_vec(&-9_223_372_036_854_775_808.0f64).unwrap(), i64::MIN);
    check_fails::<i64>(
        &to_vec(&9_223_372_036_854_775_808.0f64).unwrap(),
        "expected i64",
    );
    check_read(
        &to_vec(&9_223_372_036_854_775_808.0f64).unwrap(),
        1u64 << 63,
    );
    check_read(
        &to_vec(&18_446_744_073_709_549_568.0f64).unwrap(),
        u64::MAX - 2047,
    );
    check_fails::<u64>(
        &to_vec(&18_446_744_073_709_551_616.0f64).unwrap(),
        "expected u64",
    );
}

#[test]
fn a_float_that_is_no_integer_is_refused_and_named() {
    check_fails::<u8>(
        &to_vec(&1.5f64).unwrap(),
        "floating point `1.5`, expected u8",
    );
    check_fails::<u64>(&to_vec(&-1.0f64).unwrap(), "integer `-1`, expected u64");
    check_fails::<i64>(
        &to_vec(&f64::NAN).unwrap(),
        "floating point `NaN`, expected i64",
    );
    check_fails::<i64>(
        &to_vec(&f64::INFINITY).unwrap(),
        "floating point `inf`, expected i64",
    );
    check_fails::<u128>(&to_vec(&-1i8).unwrap(), "integer `-1`, expected u128");
}

#[test]
fn an_integer_reads_as_a_float() {
    check_read(&[0x07], 7.0f64);
    check_read(&[0xD1, 0xFF, 0x7F], -129.0f32);
    check_read(&[0x92, 0x01, 0xE0], vec![1.0f64, -32.0]);
}

#[test]
fn undefined_is_absent_in_a_map_and_nil_elsewhere() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Object {
        a: Option<u8>,
        #[serde(default)]
        b: Vec<u8>,
        c: Vec<Option<String>>,
        d: Kind,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    enum Kind {
        Newtype(Option<u8>),
        Unit,
    }
    check_read(UNDEFINED, None::<u8>);
    check_read(UNDEFINED, ());
    check_read(UNDEFINED, Value::Nil);
    let bytes = [
        b"\x84\xA1a",
        UNDEFINED,
        b"\xA1b",
        UNDEFINED,
        b"\xA1c\x92\xA3\xD4\0\0",
        UNDEFINED,
        b"\xA1d\x81\xA7Newtype",
        UNDEFINED,
    ]
    .concat();
    let object = Object {
        a: None,
        b: vec![],
        c: vec![Some("\u{514}".to_owned()), None],
        d: Kind::Newtype(None),
    };
    // D4 00 00 inside a string is text: it is not UTF-8 by itself, so take one that is.
    let bytes = replace(&bytes, b"\xA3\xD4\0\0", b"\xA2\xD4\x94");
    check_read(&bytes, object);
    check_read(b"\x81\xA4Unit\xD4\0\0", Kind::Unit);
    check_fails::<u8>(UNDEFINED, "unit value, expected u8");
}

#[test]
fn the_bytes_of_undefined_inside_a_bin_stay() {
    check_read(b"\x92\xC4\x03\xD4\0\0\xD4\0\0", (vec![0xD4u8, 0, 0], ()));
}

#[test]
fn another_extension_of_type_0_is_not_undefined() {
    check_fails::<Option<u8>>(b"\xC7\x03\0abc", "extension type 0 of 3 bytes");
    check_fails::<Option<u8>>(b"\xD4\0\x01", "extension type 0 of 1 bytes");
    check_fails::<()>(b"\xC7\x01\0\0", "extension type 0 of 1 bytes");
}

#[test]
fn a_struct_reads_from_a_map_or_an_array() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Point {
        x: i8,
        y: i8,
    }
    check_read(b"\x82\xA1x\x01\xA1y\x02", Point { x: 1, y: 2 });
    check_read(b"\xDE\0\x02\xA1y\x02\xA1x\x01", Point { x: 1, y: 2 });
    check_read(b"\x92\x01\x02", Point { x: 1, y: 2 });
    check_read(
        b"\x83\xA1x\x01\xA1y\x02\xA1z\xC7\x01\x05?",
        Point { x: 1, y: 2 },
    );
    check_fails::<Point>(
        b"\x91\x01",
        "invalid length 1, expected struct Point with 2 elements",
    );
    check_read(b"\x93\x01\x02\x03", Point { x: 1, y: 2 });
    check_fails::<(i8, i8)>(
        b"\x93\x01\x02\x03",
        "more entries than the type takes: maximum is 2",
    );
    check_fails::<Point>(b"\x81\xA1x\x01", "missing field `y`");
    check_fails::<Point>(b"\xC4\x02\x01\x02", "byte array, expected struct Point");
}

#[test]
fn keys_of_maps_may_be_integers_and_booleans() {
    let bytes = case("msgpack-jsmap-int-keys");
    assert_eq!(
        from_slice(&bytes),
        Ok(Value::Map(vec![
            (Value::Int(1), Value::Str("one".to_owned())),
            (Value::Int(-5), Value::Str("m".to_owned())),
            (Value::Bool(true), Value::Str("b".to_owned())),
        ]))
    );
    check_read(
        b"\x82\x01\xA1a\xFB\xA1b",
        BTreeMap::from([(1, 'a'), (-5, 'b')]),
    );
    check_read(b"\x81\xC3\x07", BTreeMap::from([(true, 7u8)]));
    check_round_trip(HashMap::from([(u64::MAX, false), (0, true)]));
}

#[test]
fn integer_keys_read_from_the_string_keys_of_javascript_objects() {
    check_read(
        b"\x82\xA11\x01\xA2-5\x02",
        BTreeMap::from([(1i64, 1u8), (-5, 2)]),
    );
    check_read(b"\x81\xA10\x01", BTreeMap::from([(0u8, 1u8)]));
    check_fails::<BTreeMap<u8, u8>>(b"\x81\xA201\x01", "string \"01\", expected u8");
    check_fails::<BTreeMap<u8, u8>>(b"\x81\xA2+1\x01", "string \"+1\", expected u8");
    check_fails::<BTreeMap<i8, u8>>(b"\x81\xA2-0\x01", "string \"-0\", expected i8");
    check_fails::<BTreeMap<u8, u8>>(b"\x81\xA3256\x01", "integer `256`, expected u8");
    check_fails::<BTreeMap<u8, u8>>(
        b"\x81\x01\xA11",
        "[1]: invalid type: string \"1\", expected u8",
    );
}

#[test]
fn byte_buffers_read_from_bin_strings_and_arrays() {
    check_read(b"\xC4\x02hi", Buffer(b"hi".to_vec()));
    check_read(b"\xA2hi", Buffer(b"hi".to_vec()));
    check_read(b"\x92\x01\x02", Buffer(vec![1, 2]));
    check_read(b"\xC4\x02hi", b"hi".to_vec());
}

#[test]
fn a_bin_as_a_list_gives_only_u8() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    #[expect(
        clippy::large_enum_variant,
        reason = "what a bin must not be turned into a list of"
    )]
    enum Large {
        Small(u8),
        Big([u64; 32]),
    }
    check_fails::<Vec<Large>>(b"\xC4\x02hi", "a byte of a bin");
    check_fails::<Vec<u32>>(b"\xC4\x02hi", "a byte of a bin, expected u32");
}

#[test]
fn t_p6_a_string_that_is_not_utf_8_is_refused_everywhere() {
    let cut = b"\xA5a\xED\xA0\x80b";
    let error = DecodeError::InvalidUtf8 {
        offset: 0,
        valid_up_to: 1,
    };
    assert_eq!(from_slice::<String>(cut), Err(error.clone()));
    assert_eq!(from_slice::<Buffer>(cut), Err(error.clone()));
    assert_eq!(
        from_slice::<IgnoredAny>(cut).map(|_| ()),
        Err(error.clone())
    );
    assert_eq!(
        error.to_string(),
        "invalid UTF-8 in the string at byte 0: only its first 1 bytes are valid"
    );
    let error = DecodeError::InvalidUtf8 {
        offset: 2,
        valid_up_to: 0,
    };
    assert_eq!(from_slice::<Value>(b"\x92\x01\xA1\xFF"), Err(error));
}

#[test]
fn enums_read_from_a_string_or_a_map_of_one_entry_but_not_by_index() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Empty,
        Circle(u32),
        Line(i8, i8),
        Rect { w: u8, h: u8 },
    }
    check_read(b"\xA5Empty", Shape::Empty);
    check_read(b"\x81\xA5Empty\xC0", Shape::Empty);
    check_read(
        b"\xDE\0\x01\xA6Circle\xCB\x40\x08\0\0\0\0\0\0",
        Shape::Circle(3),
    );
    check_read(b"\x81\xA4Line\x92\x01\xFF", Shape::Line(1, -1));
    check_read(
        b"\x81\xA4Rect\x82\xA1w\x01\xA1h\x02",
        Shape::Rect { w: 1, h: 2 },
    );
    check_read(b"\x81\xA4Rect\x92\x01\x02", Shape::Rect { w: 1, h: 2 });
    check_fails::<Shape>(b"\x00", "integer `0`, expected enum Shape");
    check_fails::<Shape>(
        b"\x81\x01\x03",
        "integer `1`, expected the name of an enum variant",
    );
    check_fails::<Shape>(b"\x81\xCB\x3F\xF0\0\0\0\0\0\0\x03", "floating point `1.0`");
    check_fails::<Shape>(b"\x80", "invalid length 0, expected enum Shape");
    check_fails::<Shape>(b"\x82\xA5Empty\xC0\xA5Empty\xC0", "invalid length 2");
    check_fails::<Shape>(b"\xA5Other", "unknown variant `Other`");
    check_fails::<Shape>(b"\xA6Circle", "unit variant, expected newtype variant");
    check_fails::<Shape>(
        b"\xD4\x05\0",
        "extension type 5 of 1 bytes, expected enum Shape",
    );
    for shape in [
        Shape::Empty,
        Shape::Circle(9),
        Shape::Line(0, 1),
        Shape::Rect { w: 0, h: 1 },
    ] {
        check_round_trip(shape);
    }
}

#[test]
fn an_extension_that_no_type_knows_is_refused_and_named() {
    check_fails::<u8>(
        b"\xD4\x05\0",
        "invalid type: extension type 5 of 1 bytes, expected u8",
    );
    check_fails::<bool>(
        b"\xD4\x05\0",
        "extension type 5 of 1 bytes, expected a boolean",
    );
    check_fails::<String>(
        b"\xD5\x05\0\0",
        "extension type 5 of 2 bytes, expected a string",
    );
    check_fails::<Vec<u8>>(b"\xC7\x03\x7Fabc", "extension type 127 of 3 bytes");
    check_fails::<Option<bool>>(b"\xD4\x05\0", "extension type 5 of 1 bytes");
    check_fails::<serde_json::Value>(b"\x91\xD4\x05\0", "extension type 5 of 1 bytes");
    check_fails::<Timestamp>(b"\xD4\x05\0", "extension type 5, expected a timestamp");
    check_fails::<String>(
        b"\xD6\xFF\0\0\0\0",
        "extension type -1 (timestamp) of 4 bytes",
    );
    check_fails::<Timestamp>(
        b"\x07",
        "integer `7`, expected a timestamp (extension type -1)",
    );
}

#[test]
fn an_extension_in_a_field_that_no_one_asked_for_is_skipped() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Empty {}
    check_read(b"\x81\xA1x\xD4\x05\0", Empty {});
}

// Timestamps.

#[test]
fn a_timestamp_is_written_in_the_smallest_form_that_holds_it() {
    let check = |seconds, nanoseconds, bytes: &[u8]| {
        let timestamp = timestamp(seconds, nanoseconds);
        assert_eq!(to_vec(&timestamp).unwrap(), bytes);
        check_read(bytes, timestamp);
    };
    check(0, 0, b"\xD6\xFF\0\0\0\0");
    check((1 << 32) - 1, 0, b"\xD6\xFF\xFF\xFF\xFF\xFF");
    check(1 << 32, 0, b"\xD7\xFF\0\0\0\x01\0\0\0\0");
    check(0, 1, b"\xD7\xFF\0\0\0\x04\0\0\0\0");
    check(
        (1 << 34) - 1,
        999_999_999,
        b"\xD7\xFF\xEE\x6B\x27\xFF\xFF\xFF\xFF\xFF",
    );
    check(1 << 34, 0, b"\xC7\x0C\xFF\0\0\0\0\0\0\0\x04\0\0\0\0");
    check(
        -1,
        999_999_999,
        b"\xC7\x0C\xFF\x3B\x9A\xC9\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
    );
    check(i64::MIN, 0, b"\xC7\x0C\xFF\0\0\0\0\x80\0\0\0\0\0\0\0");
    check(
        i64::MAX,
        0,
        b"\xC7\x0C\xFF\0\0\0\0\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
    );
}

#[test]
fn a_timestamp_has_less_than_a_second_of_nanoseconds() {
    let text = "invalid timestamp nanoseconds 1000000000: maximum is 999999999";
    let error = Timestamp::new(0, 1_000_000_000).unwrap_err();
    assert_eq!(error.to_string(), text);
    check_fails::<Timestamp>(b"\xC7\x0C\xFF\x3B\x9A\xCA\0\0\0\0\0\0\0\0\0", text);
    let most = Timestamp::new(-7, 999_999_999).unwrap();
    assert_eq!((most.seconds(), most.nanoseconds()), (-7, 999_999_999));
}

#[test]
fn timestamps_convert_to_and_from_the_time_of_the_system() {
    let epoch = SystemTime::UNIX_EPOCH;
    let check = |time: SystemTime, seconds, nanoseconds| {
        let timestamp = timestamp(seconds, nanoseconds);
        assert_eq!(Timestamp::from(time), timestamp);
        assert_eq!(SystemTime::try_from(timestamp), Ok(time));
    };
    check(epoch, 0, 0);
    check(epoch + Duration::new(7, 9), 7, 9);
    check(epoch - Duration::new(7, 0), -7, 0);
    check(epoch - Duration::new(0, 1), -1, 999_999_999);
    // The time of Unix has the same range, that of other systems a smaller one.
    for extreme in [
        timestamp(i64::MIN, 0),
        timestamp(i64::MIN, 1),
        timestamp(i64::MAX, 999_999_999),
    ] {
        match SystemTime::try_from(extreme) {
            Ok(time) => assert_eq!(Timestamp::from(time), extreme),
            Err(error) => assert_eq!(error.timestamp(), extreme),
        }
    }
}

#[test]
fn timestamps_read_where_serde_buffers_values() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Event {
        Login {
            at: Timestamp,
            until: Option<Timestamp>,
        },
    }
    let at = timestamp(5, 6);
    check_round_trip(Event::Login { at, until: None });
    check_round_trip(Event::Login {
        at,
        until: Some(at),
    });
    check_round_trip(vec![Some(at), None]);
}

#[test]
fn a_timestamp_survives_formats_without_extensions() {
    let timestamp = timestamp(-5, 6);
    let json = serde_json::to_string(&timestamp).unwrap();
    assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), timestamp);
}

// Writing.

#[test]
fn integers_are_written_in_the_smallest_form() {
    check_written(&0u64, b"\x00");
    check_written(&127i64, b"\x7F");
    check_written(&128i64, b"\xCC\x80");
    check_written(&200i16, b"\xCC\xC8");
    check_written(&65_535u64, b"\xCD\xFF\xFF");
    check_written(&0xFFFF_FFFFi64, b"\xCE\xFF\xFF\xFF\xFF");
    check_written(&(1u64 << 32), b"\xCF\0\0\0\x01\0\0\0\0");
    check_written(&-1i64, b"\xFF");
    check_written(&-33i64, b"\xD0\xDF");
    check_written(&-129i32, b"\xD1\xFF\x7F");
    check_written(&i64::from(i32::MIN), b"\xD2\x80\0\0\0");
    check_written(&i64::MIN, b"\xD3\x80\0\0\0\0\0\0\0");
}

#[test]
fn structs_are_maps_with_names_and_bytes_are_bin() {
    #[derive(Serialize)]
    struct Sample {
        b: Buffer,
        f: f32,
        g: f64,
        n: Option<u8>,
        u: (),
    }
    check_written(
        &Sample { b: Buffer(vec![1, 2]), f: 1.0, g: 1.0, n: None, u: () },
        b"\x85\xA1b\xC4\x02\x01\x02\xA1f\xCA\x3F\x80\0\0\xA1g\xCB\x3F\xF0\0\0\0\0\0\0\xA1n\xC0\xA1u\xC0",
    );
}

#[test]
fn a_value_that_cannot_be_written_leaves_the_buffer_as_it_was() {
    let mut buffer = vec![7];
    encode("a", &mut buffer).unwrap();
    let error = encode(&("first", Refuses), &mut buffer).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot encode value as MessagePack: not today"
    );
    encode_service_error("A", "b", &Refuses, &mut buffer).unwrap_err();
    assert_eq!(buffer, b"\x07\xA1a");
}

// Round trips.

#[test]
fn numbers_round_trip() {
    check_round_trip((u64::MAX, i64::MIN, i64::MAX, u32::MAX, i32::MIN, i8::MIN));
    check_round_trip((u128::MAX, i128::MIN, i128::MAX, 0u128, -1i128));
    check_round_trip((f32::MIN_POSITIVE, f64::MAX, -0.0f64, f64::INFINITY, 0.1f32));
    check_round_trip((1e18f64, 4_294_967_296.0f64, -4_294_967_296.0f64));
    check_round_trip((true, 'ż', "text".to_owned(), ()));
}

#[test]
fn typical_types_round_trip() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Unit;
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Newtype(String);
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Tuple(u8, Option<Box<Self>>);
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Tree {
        Leaf,
        Value(Newtype),
        Pair(Box<Self>, Box<Self>),
        Node {
            children: Vec<Self>,
            by_name: BTreeMap<String, Option<Self>>,
        },
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(i64),
        Many(Vec<Self>),
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "t", content = "c", rename_all = "camelCase")]
    enum Adjacent {
        FirstOne(u8),
        SecondOne { a: bool },
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct All {
        unit: Unit,
        tuple: Tuple,
        tree: Tree,
        either: Either,
        adjacent: Vec<Adjacent>,
        bytes: Buffer,
        list_of_bytes: Vec<u8>,
        result: Result<u8, String>,
        address: std::net::IpAddr,
        range: std::ops::Range<u32>,
        duration: Duration,
        #[serde(flatten)]
        rest: BTreeMap<String, Either>,
    }
    check_round_trip(All {
        unit: Unit,
        tuple: Tuple(1, Some(Box::new(Tuple(2, None)))),
        tree: Tree::Node {
            children: vec![
                Tree::Leaf,
                Tree::Pair(
                    Box::new(Tree::Value(Newtype("x".to_owned()))),
                    Box::new(Tree::Leaf),
                ),
            ],
            by_name: BTreeMap::from([
                ("none".to_owned(), None),
                ("x".to_owned(), Some(Tree::Leaf)),
            ]),
        },
        either: Either::Many(vec![Either::Text("a".to_owned()), Either::Number(i64::MIN)]),
        adjacent: vec![Adjacent::FirstOne(1), Adjacent::SecondOne { a: true }],
        bytes: Buffer(vec![0; 300]),
        list_of_bytes: vec![0, 255],
        result: Err("no".to_owned()),
        address: "2001:db8::1".parse().unwrap(),
        range: 3..9,
        duration: Duration::from_millis(1500),
        rest: BTreeMap::from([("more".to_owned(), Either::Number(1 << 40))]),
    });
}

// Bounds and broken bytes.

#[test]
fn two_hundred_levels_are_read_and_one_more_is_not() {
    let nested = |levels| [vec![0x91; levels], vec![0xC0]].concat();
    let bounds = Bounds::default();
    assert!(check(&nested(200), &bounds).is_ok());
    assert!(from_slice::<Value>(&nested(200)).is_ok());
    assert!(from_slice::<IgnoredAny>(&nested(200)).is_ok());
    let error = DecodeError::TooDeep {
        offset: 200,
        depth: 201,
        limit: 200,
    };
    assert_eq!(from_slice::<Value>(&nested(201)), Err(error.clone()));
    assert_eq!(
        error.to_string(),
        "container at byte 200 is nested too deep: 201 levels, maximum is 200"
    );
    let wider = bounds.max_depth(201);
    assert!(from_slice_with::<Value>(&nested(201), &wider).is_ok());
    assert!(from_slice_with::<Value>(&nested(202), &wider).is_err());
    assert!(from_slice_with::<Value>(b"\x90", &bounds.max_depth(0)).is_err());
    assert!(from_slice_with::<Value>(b"\x07", &bounds.max_depth(0)).is_ok());
}

#[test]
fn a_timestamp_below_the_last_level_is_read() {
    let bytes = [vec![0x91; 200], b"\xD6\xFF\0\0\0\0".to_vec()].concat();
    assert!(from_slice::<Value>(&bytes).is_ok());
}

#[test]
fn every_value_counts_as_an_item() {
    let bounds = Bounds::new().max_items(5);
    assert!(from_slice_with::<Value>(b"\x82\x01\x02\x03\x04", &bounds).is_ok());
    assert_eq!(
        from_slice_with::<Value>(b"\x82\x01\x02\x03\x90", &bounds.max_items(4)),
        Err(DecodeError::TooManyItems {
            offset: 0,
            items: 5,
            limit: 4
        })
    );
    assert_eq!(
        from_slice_with::<Value>(b"\x91\x92\x92\x01\x02\x03", &bounds),
        Err(DecodeError::TooManyItems {
            offset: 2,
            items: 6,
            limit: 5
        })
    );
}

#[test]
fn t_p4_four_mib_of_nil_end_where_their_elements_take_too_much() {
    let count = 4 * 1024 * 1024 - 5u32;
    let bytes = [
        &[0xDD][..],
        &count.to_be_bytes(),
        &vec![0xC0; count as usize],
    ]
    .concat();
    assert_eq!(
        from_slice::<Vec<Option<u8>>>(&bytes).map(|list| list.len()),
        Ok(count as usize)
    );
    let large = from_slice::<Vec<Option<[u64; 32]>>>(&bytes);
    assert!(
        matches!(large, Err(DecodeError::TooMuchMemory { .. })),
        "{:?}",
        large.map(|list| list.len())
    );
    let bounds = Bounds::new().max_items(count as usize);
    assert_eq!(
        from_slice_with::<Vec<Option<u8>>>(&bytes, &bounds),
        Err(DecodeError::TooManyItems {
            offset: 0,
            items: u64::from(count) + 1,
            limit: count as usize
        })
    );
}

#[test]
fn t_p2_nested_arrays_that_declare_everything_are_refused() {
    let bytes = [0xDD, 0xFF, 0xFF, 0xFF, 0xFF].repeat(120);
    assert_eq!(
        from_slice::<Value>(&bytes),
        Err(DecodeError::Truncated {
            offset: 0,
            needed: 5 + 0xFFFF_FFFF,
            present: 600
        })
    );
}

#[test]
fn t_p1_a_thousand_honest_levels_are_refused() {
    let bytes = [vec![0x91; 1000], vec![0xC0]].concat();
    assert_eq!(
        from_slice::<Value>(&bytes),
        Err(DecodeError::TooDeep {
            offset: 200,
            depth: 201,
            limit: 200
        })
    );
}

#[test]
fn t_p3_lengths_that_are_not_there_are_refused_for_every_kind() {
    for marker in [0xC6u8, 0xC9, 0xDB, 0xDD, 0xDF] {
        let bytes = [marker, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0];
        let read = from_slice::<Value>(&bytes);
        assert!(
            matches!(
                read,
                Err(DecodeError::Truncated {
                    offset: 0,
                    present: 7,
                    ..
                })
            ),
            "{marker:02X}: {read:?}"
        );
    }
}

#[test]
fn an_error_quotes_little_and_nothing_that_acts_on_a_terminal() {
    #[derive(Debug, Deserialize)]
    enum Known {
        One,
    }
    let name = format!("\n\u{1b}[2J\u{202e}\"{}", "x".repeat(1_000_000));
    let error = from_slice::<Known>(&to_vec(&name).unwrap())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(r#"unknown variant `\n\u{1b}[2J\u{202e}"xxx"#),
        "{error}"
    );
    assert!(!error.contains(char::is_control));
    assert!(error.len() < 600, "{}", error.len());
}

#[test]
fn elements_of_different_levels_share_the_bytes() {
    // The outer array takes the one byte that the inner one declares for itself.
    assert_eq!(
        check(b"\x92\x91\x07", &Bounds::default()),
        Err(DecodeError::Truncated {
            offset: 1,
            needed: 3,
            present: 2
        })
    );
}

#[test]
fn every_prefix_of_a_value_is_truncated() {
    for case in recorded_cases() {
        if case.bytes.len() > 300 {
            continue;
        }
        for end in 0..case.bytes.len() {
            let read = from_slice::<Value>(&case.bytes[..end]);
            assert!(
                matches!(read, Err(DecodeError::Truncated { .. })),
                "{}: {read:?}",
                case.name
            );
        }
    }
}

#[test]
fn t_p5_bytes_after_the_value_are_refused() {
    assert_eq!(
        from_slice::<u8>(b"\x07\x08\x09"),
        Err(DecodeError::TrailingBytes {
            offset: 1,
            count: 2
        })
    );
    assert_eq!(
        from_slice::<Value>(b"\x90\xC1"),
        Err(DecodeError::TrailingBytes {
            offset: 1,
            count: 1
        })
    );
}

#[test]
fn no_bytes_are_no_value() {
    let error = from_slice::<()>(b"").unwrap_err();
    assert_eq!(
        error.to_string(),
        "truncated value at byte 0: needs at least 1 bytes, 0 present"
    );
}

#[test]
fn the_reserved_marker_is_refused() {
    assert_eq!(
        from_slice::<Value>(b"\x92\x01\xC1"),
        Err(DecodeError::ReservedMarker { offset: 2 })
    );
}

#[test]
fn every_marker_is_followed_by_what_it_says() {
    let mut whole = 0;
    for marker in 0..=0xFF_u8 {
        // One of the lengths that make this a whole value, unless it is reserved; zeros are
        // values, text and sizes.
        let bytes = [&[marker][..], &[0; 64]].concat();
        match value_len(&bytes, &Bounds::default()) {
            Ok(len) => {
                assert!(
                    check(&bytes[..len], &Bounds::default()).is_ok(),
                    "{marker:02X}"
                );
                assert!(
                    from_slice::<IgnoredAny>(&bytes[..len]).is_ok(),
                    "{marker:02X}"
                );
                whole += 1;
            }
            Err(error) => assert_eq!(error, DecodeError::ReservedMarker { offset: 0 }),
        }
    }
    assert_eq!(whole, 255);
}

#[test]
fn values_one_after_another_are_told_apart() {
    let bounds = Bounds::default();
    let mut bytes = &b"\x92\x01\x02\xA1a\xC0"[..];
    let mut lengths = Vec::new();
    while !bytes.is_empty() {
        let len = value_len(bytes, &bounds).unwrap();
        lengths.push(len);
        bytes = &bytes[len..];
    }
    assert_eq!(lengths, [3, 2, 1]);
    assert!(matches!(
        value_len(b"\x92\x01", &bounds),
        Err(DecodeError::Truncated { .. })
    ));
}

#[test]
fn damaged_payloads_never_panic_and_read_whole_if_they_pass_the_check() {
    #[derive(Debug, Deserialize)]
    struct Anything {
        #[serde(flatten)]
        _rest: HashMap<String, Value>,
    }
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    let mut passed = 0;
    for case in recorded_cases() {
        if case.bytes.len() > 300 {
            continue;
        }
        for _ in 0..200 {
            let mut bytes = case.bytes.clone();
            for _ in 0..=next(3) {
                let at = next(bytes.len());
                bytes[at] = next(256) as u8;
            }
            let checked = check(&bytes, &Bounds::default());
            let skipped = from_slice::<IgnoredAny>(&bytes);
            match checked {
                Ok(checked) => {
                    assert_eq!(skipped.is_ok(), !checked.service_error, "{bytes:02X?}");
                    passed += 1;
                }
                Err(error) => assert_eq!(skipped.unwrap_err(), error, "{bytes:02X?}"),
            }
            let _ = from_slice::<Value>(&bytes);
            let _ = from_slice::<Anything>(&bytes);
            let _ = decode_service_error(&bytes, &Bounds::default());
        }
    }
    assert!(passed > 1000, "{passed}");
}

// The error of a service.

#[test]
fn an_error_is_a_marker_and_an_array() {
    let mut bytes = Vec::new();
    encode_service_error("TooBig", "too big", &3, &mut bytes).unwrap();
    assert_eq!(bytes, b"\xD4\x65\0\x93\xA6TooBig\xA7too big\x03");
    assert!(is_service_error(&bytes));
    assert!(check(&bytes, &Bounds::default()).unwrap().service_error);
    assert!(!is_service_error(b"\x93\xA6TooBig\xA7too big\x03"));
}

#[test]
fn an_error_is_not_a_value() {
    let mut bytes = Vec::new();
    encode_service_error("A", "b", &(), &mut bytes).unwrap();
    assert_eq!(from_slice::<Value>(&bytes), Err(DecodeError::ServiceError));
}

#[test]
fn the_parts_of_an_error_come_back() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum ShopError {
        SoldOut { item: String, left: u64 },
    }
    let details = ShopError::SoldOut {
        item: "tea".to_owned(),
        left: 0,
    };
    let mut bytes = Vec::new();
    encode_service_error("SoldOut", "sold out", &details, &mut bytes).unwrap();
    let parts = decode_service_error(&bytes, &Bounds::default()).unwrap();
    assert_eq!(
        (parts.name.as_str(), parts.message.as_str()),
        ("SoldOut", "sold out")
    );
    assert_eq!(from_slice(parts.details), Ok(details));
}

#[test]
fn an_error_without_details_has_nil() {
    let check = |array: &[u8], details: &[u8]| {
        let bytes = [b"\xD4\x65\0", array].concat();
        let parts = decode_service_error(&bytes, &Bounds::default()).unwrap();
        assert_eq!((parts.name.as_str(), parts.message.as_str()), ("A", "b"));
        assert_eq!(parts.details, details);
    };
    check(b"\x92\xA1A\xA1b", b"\xC0");
    check(b"\x93\xA1A\xA1b\xD4\0\0", b"\xC0");
    check(b"\x93\xA1A\xA1b\xC0", b"\xC0");
    check(b"\x94\xA1A\xA1b\x91\x07\xC3", b"\x91\x07");
    check(b"\xDD\0\0\0\x03\xA1A\xA1b\xC4\x01x", b"\xC4\x01x");
}

#[test]
fn what_is_not_an_error_is_refused() {
    let check = |bytes: &[u8], part: &str| {
        let error = decode_service_error(bytes, &Bounds::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{error}");
    };
    check(b"\x93\xA1A\xA1b\xC0", "not a service error");
    check(b"\xD4\x65\0", "needs at least 1 bytes");
    check(
        b"\xD4\x65\0\x91\xA1A",
        "expected an array of at least 2 elements",
    );
    check(
        b"\xD4\x65\0\x82\xA1A\xA1b\x01\x02",
        "expected an array of at least 2 elements",
    );
    check(
        b"\xD4\x65\0\x92\x07\xA1b",
        "invalid name of a service error: invalid type: integer `7`",
    );
    check(
        b"\xD4\x65\0\x92\xA1A\x07",
        "invalid message of a service error: invalid type",
    );
    check(
        b"\xD4\x65\0\x92\xA1A\xA1b\xC0",
        "trailing bytes after the value: 1 from byte 8 on",
    );
    check(b"\xD4\x65\0\x93\xA1A\xA1b", "needs at least");
}

// Typed services.

#[service]
trait Numbers {
    async fn take(&self, numbers: Vec<u64>, pixels: Pixels) -> u64;
    async fn make(&self, count: usize) -> Pixels;
    async fn nest(&self, levels: usize) -> Expression;
    async fn eval(&self, expression: Expression) -> i64;
    async fn event(&self, event: Event) -> Event;
    async fn host(&self, host: Host) -> Host;
    async fn peer(&self, peer: Peer) -> Peer;
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pixels(Vec<u8>);

#[derive(Debug, Serialize, Deserialize)]
enum Expression {
    Number(i64),
    Add(Box<Self>, Box<Self>),
}

/// Types that serde writes in two forms, inside types that it buffers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Event {
    Joined { from: IpAddr },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Host {
    Ip(IpAddr),
    Name(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Peer {
    id: u64,
    #[serde(flatten)]
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Place {
    at: SocketAddr,
}

struct Machine;

impl Numbers for Machine {
    async fn take(&self, numbers: Vec<u64>, pixels: Pixels) -> u64 {
        numbers.iter().sum::<u64>() + pixels.0.len() as u64
    }

    async fn make(&self, count: usize) -> Pixels {
        Pixels(vec![200; count])
    }

    async fn nest(&self, levels: usize) -> Expression {
        sum(levels)
    }

    async fn eval(&self, expression: Expression) -> i64 {
        value(&expression)
    }

    async fn event(&self, event: Event) -> Event {
        event
    }

    async fn host(&self, host: Host) -> Host {
        host
    }

    async fn peer(&self, peer: Peer) -> Peer {
        peer
    }
}

/// 1 + 1 + …, which is two levels for each term after the first.
fn sum(terms: usize) -> Expression {
    let one = || Box::new(Expression::Number(1));
    (1..terms).fold(Expression::Number(1), |sum, _| {
        Expression::Add(Box::new(sum), one())
    })
}

fn value(expression: &Expression) -> i64 {
    match expression {
        Expression::Number(number) => *number,
        Expression::Add(left, right) => value(left) + value(right),
    }
}

async fn numbers(client: Options, server: Options) -> NumbersClient {
    let server_of = Server::bind("127.0.0.1:0").await.expect("bound");
    let address = server_of.local_addr().expect("an address");
    tokio::spawn(server_of.options(server).serve(NumbersServer::new(Machine)));
    let connected = NumbersClient::connect(address).options(client).await;
    connected.expect("connected")
}

#[tokio::test]
async fn many_values_arrive_if_their_bytes_do() {
    for options in [Options::default(), Options::trusted()] {
        let client = numbers(options.clone(), options).await;
        let sum = client
            .take(vec![1; 1_000_000], Pixels(vec![200; 1_000_000]))
            .await;
        assert_eq!(sum.expect("taken"), 2_000_000);
        let made = client.make(2_000_000).await.expect("made");
        assert_eq!(made, Pixels(vec![200; 2_000_000]));
    }
}

#[tokio::test]
async fn a_sum_of_many_terms_arrives() {
    let client = numbers(Options::default(), Options::default()).await;
    for terms in [1, 32, 33, 64, 100] {
        let sum = client.eval(sum(terms)).await;
        assert_eq!(sum.expect("evaluated"), terms as i64);
        let sum = client.nest(terms).await.expect("nested");
        assert_eq!(value(&sum), terms as i64);
    }
}

#[tokio::test]
async fn a_value_that_is_too_deep_is_not_sent() {
    let client = numbers(Options::default(), Options::default()).await;
    let error = client.eval(sum(101)).await.expect_err("not sent");
    assert_eq!(error.outcome(), Outcome::NotSent);
    let text = "payload is nested too deep: 201 levels, maximum is 200";
    assert!(error.to_string().contains(text), "{error}");
    let error = client.nest(101).await.expect_err("not sent");
    assert_eq!(error.outcome(), Outcome::Executed);
    let text = "reply is nested too deep: 201 levels, maximum is 200";
    assert!(error.to_string().contains(text), "{error}");
    let deep = Options::default().bounds(Bounds::new().max_depth(201));
    let client = numbers(deep.clone(), deep).await;
    assert_eq!(client.eval(sum(101)).await.expect("evaluated"), 101);
    assert_eq!(value(&client.nest(101).await.expect("nested")), 101);
}

#[tokio::test]
async fn too_many_values_are_not_sent() {
    let few = Options::default().bounds(Bounds::new().max_items(100));
    let client = numbers(few.clone(), Options::default()).await;
    let sum = client.take(vec![1; 40], Pixels(vec![200; 20])).await;
    assert_eq!(sum.expect("taken"), 60);
    let error = client.take(vec![1; 40], Pixels(vec![200; 60])).await;
    let error = error.expect_err("not sent");
    assert_eq!(error.outcome(), Outcome::NotSent);
    let text = "payload has too many values: 105, maximum is 100";
    assert!(error.to_string().contains(text), "{error}");
    let client = numbers(Options::default(), few).await;
    let error = client.make(100).await.expect_err("not sent");
    assert_eq!(error.outcome(), Outcome::Executed);
    let text = "reply has too many values: 101, maximum is 100";
    assert!(error.to_string().contains(text), "{error}");
    let error = client
        .take(vec![1; 100], Pixels(vec![]))
        .await
        .expect_err("refused");
    let text = "too many values up to the container at byte 9: 105, maximum is 100";
    assert!(error.to_string().contains(text), "{error}");
}

#[tokio::test]
async fn addresses_inside_tagged_types_arrive() {
    let client = numbers(Options::default(), Options::default()).await;
    let ip = IpAddr::from([127, 0, 0, 1]);
    let event = Event::Joined { from: ip };
    assert_eq!(client.event(event.clone()).await.expect("echo"), event);
    for host in [Host::Ip(ip), Host::Name("name".to_owned())] {
        assert_eq!(client.host(host.clone()).await.expect("echo"), host);
    }
    let at = SocketAddr::new(ip, 80);
    let place = Place { at };
    let peer = Peer { id: 1, place };
    assert_eq!(client.peer(peer.clone()).await.expect("echo"), peer);
}

// Helpers.

fn check_read<T: DeserializeOwned + PartialEq + Debug>(bytes: &[u8], expected: T) {
    assert_eq!(from_slice(bytes), Ok(expected));
}

fn check_fails<T: DeserializeOwned + Debug>(bytes: &[u8], part: &str) {
    let error = from_slice::<T>(bytes).unwrap_err();
    assert!(matches!(error, DecodeError::Invalid(_)), "{error:?}");
    assert!(error.to_string().contains(part), "{error}");
}

fn check_written<T: Serialize>(value: &T, expected: &[u8]) {
    assert_eq!(to_vec(value).unwrap(), expected);
}

fn check_round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    assert_eq!(from_slice(&to_vec(&value).unwrap()), Ok(value));
}

fn check_case<T: DeserializeOwned + PartialEq + Debug>(name: &str, expected: T) {
    assert_eq!(from_slice(&case(name)), Ok(expected), "{name}");
}

fn timestamp(seconds: i64, nanoseconds: u32) -> Timestamp {
    Timestamp::new(seconds, nanoseconds).unwrap()
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes
        .windows(from.len())
        .position(|window| window == from)
        .unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

const UNDEFINED: &[u8] = &[0xD4, 0x00, 0x00];

/// A byte buffer as the types of other crates read and write it.
#[derive(Debug, PartialEq)]
struct Buffer(Vec<u8>);

impl Serialize for Buffer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Buffer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BufferVisitor;

        impl<'de> Visitor<'de> for BufferVisitor {
            type Value = Buffer;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Buffer, E> {
                Ok(Buffer(bytes.to_vec()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Buffer, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = seq.next_element()? {
                    bytes.push(byte);
                }
                Ok(Buffer(bytes))
            }
        }

        deserializer.deserialize_byte_buf(BufferVisitor)
    }
}

struct Refuses;

impl Serialize for Refuses {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("not today"))
    }
}

/// Any value. Floats are compared by their bits.
#[derive(Clone, Debug)]
enum Value {
    Nil,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(String),
    Bin(Vec<u8>),
    Array(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Time(Timestamp),
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nil, Self::Nil) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Bin(a), Self::Bin(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            (Self::Time(a), Self::Time(b)) => a == b,
            _ => false,
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;

        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = Value;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("any value")
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Nil)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(Value::Int(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(Value::Int(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(Value::Float(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(Value::Str(value.to_owned()))
            }

            fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
                Ok(Value::Bin(value.to_owned()))
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Value, D::Error> {
                Timestamp::deserialize(deserializer).map(Value::Time)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(Value::Array(values))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Value::Map(entries))
            }
        }

        deserializer.deserialize_any(ValueVisitor)
    }
}

// The recordings; their form is described in tests/vectors.

struct Case {
    name: String,
    bytes: Vec<u8>,
    expected: Expected,
}

enum Expected {
    Value(Value),
    /// A string that is no text, which Rust's strings cannot hold.
    LoneSurrogate,
    /// JavaScript's `new Date(NaN)`, which is no moment.
    InvalidDate,
}

fn case(name: &str) -> Vec<u8> {
    let mut cases = recorded_cases()
        .into_iter()
        .filter(|case| case.name == name);
    let case = cases.next().unwrap_or_else(|| panic!("no case {name}"));
    assert!(cases.next().is_none(), "{name} has several payloads");
    case.bytes
}

fn recorded_cases() -> Vec<Case> {
    recorded(is_msgpack_case)
}

fn is_msgpack_case(case: &Json) -> bool {
    case["category"] == "msgpack" || text(&case["name"]).starts_with("response-msgpack-")
}

fn recorded(wanted: impl Fn(&Json) -> bool) -> Vec<Case> {
    static RECORDINGS: LazyLock<Vec<Json>> = LazyLock::new(|| {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/vectors/reference-transcripts.json"
        );
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    });
    let mut cases = Vec::new();
    for recording in RECORDINGS.iter().filter(|recording| wanted(recording)) {
        for write in recording["js_call"]["writes"]
            .as_array()
            .into_iter()
            .flatten()
        {
            if !write["msgpack"].is_object() {
                continue;
            }
            let bytes = content(&write["data"]);
            assert_eq!(write["data"]["len"], bytes.len());
            let expected = match &write["msgpack"] {
                value if value["utf16"].is_array() => Expected::LoneSurrogate,
                value if value["t"] == "date" && value["ms"].is_null() => Expected::InvalidDate,
                value => Expected::Value(expected_value(value)),
            };
            cases.push(Case {
                name: text(&recording["name"]).to_owned(),
                bytes,
                expected,
            });
        }
    }
    cases
}

fn expected_value(tagged: &Json) -> Value {
    let value = &tagged["v"];
    match text(&tagged["t"]) {
        "nil" | "undefined" => Value::Nil,
        "bool" => Value::Bool(value.as_bool().unwrap()),
        // msgpackr writes -0 as 0.
        "number" if text(value) == "-0" => Value::Int(0),
        "number" if tagged["integer"] == true => {
            let number: i128 = text(value).parse().unwrap();
            // It writes only those of 32 bits as integers.
            match (-(1 << 31)..1 << 32).contains(&number) {
                true => Value::Int(number),
                false => Value::Float(number as f64),
            }
        }
        "number" => Value::Float(text(value).replace("Infinity", "inf").parse().unwrap()),
        "bigint" => Value::Int(text(value).parse().unwrap()),
        "str" => Value::Str(text(value).to_owned()),
        "bin" => Value::Bin(content(tagged)),
        "date" => {
            let ms = tagged["ms"].as_i64().unwrap();
            Value::Time(timestamp(
                ms.div_euclid(1000),
                ms.rem_euclid(1000) as u32 * 1_000_000,
            ))
        }
        "array" if tagged["all"].is_object() => {
            let len = tagged["len"].as_u64().unwrap() as usize;
            Value::Array(vec![expected_value(&tagged["all"]); len])
        }
        "array" => Value::Array(list(value).iter().map(expected_value).collect()),
        "object" => {
            let entry = |pair: &Json| {
                (
                    Value::Str(text(&pair[0]).to_owned()),
                    expected_value(&pair[1]),
                )
            };
            Value::Map(list(value).iter().map(entry).collect())
        }
        "jsmap" => {
            let entry = |pair: &Json| (expected_value(&pair[0]), expected_value(&pair[1]));
            Value::Map(list(value).iter().map(entry).collect())
        }
        "regexp" => Value::Array(
            ["source", "flags"]
                .map(|part| Value::Str(text(&tagged[part]).to_owned()))
                .to_vec(),
        ),
        "error" => Value::Array(vec![
            Value::Str(text(&tagged["name"]).to_owned()),
            Value::Str(text(&tagged["message"]).to_owned()),
            expected_value(&tagged["cause"]),
        ]),
        other => panic!("unknown tag {other}"),
    }
}

fn content(described: &Json) -> Vec<u8> {
    if described["hex"].is_string() {
        return hex(text(&described["hex"]));
    }
    let mut bytes = Vec::new();
    for segment in list(&described["segments"]) {
        let number = |kind: &str, part: &str| segment[kind][part].as_u64().unwrap();
        if segment["hex"].is_string() {
            bytes.extend(hex(text(&segment["hex"])));
        } else if segment["mod251"].is_object() {
            let start = number("mod251", "start");
            let end = start + number("mod251", "len");
            bytes.extend((start..end).map(|i| (i % 251) as u8));
        } else {
            let byte = number("repeat", "byte") as u8;
            bytes.extend(vec![byte; number("repeat", "len") as usize]);
        }
    }
    bytes
}

fn hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap()
}

fn list(json: &Json) -> &[Json] {
    json.as_array().unwrap()
}

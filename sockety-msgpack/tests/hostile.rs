//! Bytes and values that are meant to break the reader and the writer.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};
use sockety_msgpack::{Bounds, DecodeError, check, from_slice, from_slice_with, to_vec};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    number: u32,
    text: Option<String>,
    list: Vec<u8>,
    map: HashMap<String, i64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    List(Vec<Self>),
    Map(BTreeMap<String, Self>),
    Nil,
}

#[derive(Debug, Serialize, Deserialize)]
enum Chain {
    Next(Box<Self>),
    End,
}

#[derive(Debug, Deserialize)]
struct Lists(#[expect(dead_code, reason = "it is only read into")] Vec<Self>);

#[derive(Debug, Deserialize)]
struct Flattened {
    #[serde(flatten)]
    #[expect(dead_code, reason = "it is only read into")]
    rest: BTreeMap<String, Box<Self>>,
}

#[test]
fn values_cut_at_any_byte_are_refused() {
    let record = Record {
        number: 70_000,
        text: Some("x".repeat(40)),
        list: vec![200; 300],
        map: [("key".to_owned(), -70_000)].into(),
    };
    let values = [
        to_vec(&record).expect("it is written"),
        b"\x82\xA1a\xC7\x0C\xFF\0\0\0\0\0\0\0\0\0\0\0\0\xA1b\xD8\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
            .to_vec(),
        b"\xDF\0\0\0\x01\xDB\0\0\0\x01a\xDD\0\0\0\x02\xC6\0\0\0\x01a\xC9\0\0\0\x01\x05a".to_vec(),
    ];
    for bytes in values {
        check(&bytes, &Bounds::default()).expect("a whole value");
        for end in 0..bytes.len() {
            let cut = &bytes[..end];
            assert!(from_slice::<IgnoredAny>(cut).is_err());
            assert!(from_slice::<rmpv::Value>(cut).is_err());
            assert!(from_slice::<Untagged>(cut).is_err());
            assert!(from_slice::<Record>(cut).is_err());
        }
    }
}

#[test]
fn every_container_counts_as_one_level() {
    const LIMIT: usize = 20;
    for levels in [LIMIT, LIMIT + 1] {
        let lists = [vec![0x91; levels - 1], vec![0x90]].concat();
        check_depth::<Lists>(&lists, levels > LIMIT);
        check_depth::<IgnoredAny>(&lists, levels > LIMIT);
        check_depth::<Untagged>(&lists, levels > LIMIT);
        check_depth::<rmpv::Value>(&lists, levels > LIMIT);
        let variants = [b"\x81\xA4Next".repeat(levels), b"\xA3End".to_vec()].concat();
        check_depth::<Chain>(&variants, levels > LIMIT);
        let maps = [b"\x81\xA1k".repeat(levels - 1), vec![0x80]].concat();
        check_depth::<Flattened>(&maps, levels > LIMIT);
        check_depth::<Untagged>(&maps, levels > LIMIT);
        check_depth::<IgnoredAny>(&maps, levels > LIMIT);
    }

    fn check_depth<T: DeserializeOwned + Debug>(bytes: &[u8], is_too_deep: bool) {
        let read = from_slice_with::<T>(bytes, &Bounds::new().max_depth(LIMIT));
        match is_too_deep {
            true => assert!(matches!(read, Err(DecodeError::TooDeep { .. })), "{read:?}"),
            false => assert!(read.is_ok(), "{read:?}"),
        }
    }
}

#[test]
fn a_fixed_number_of_elements_is_not_the_beginning_of_more_bytes() {
    assert_eq!(from_slice::<[u8; 2]>(b"\xC4\x02ab"), Ok([b'a', b'b']));
    assert_eq!(from_slice::<[u8; 2]>(b"\xA2ab"), Ok([b'a', b'b']));
    for longer in [&b"\xC4\x03abc"[..], b"\xA3abc", b"\x93\x01\x02\x03"] {
        let refused = "array or map has more entries than the type takes: maximum is 2";
        let error = from_slice::<[u8; 2]>(longer).expect_err("one too many");
        assert_eq!(error.to_string(), refused);
        let error = from_slice::<(u8, u8)>(longer).expect_err("one too many");
        assert_eq!(error.to_string(), refused);
    }
    assert!(from_slice::<[u8; 2]>(b"\xC4\x01a").is_err());
}

#[test]
fn a_deep_value_fails_before_its_writer_overflows_the_stack() {
    let chain = |levels| {
        let mut chain = Chain::End;
        for _ in 0..levels {
            chain = Chain::Next(Box::new(chain));
        }
        chain
    };
    let writing = std::thread::Builder::new().stack_size(8 * 1024 * 1024);
    let written = writing.spawn(move || {
        let deep = chain(100_000);
        let mut bytes = vec![7];
        let refused = sockety_msgpack::encode(&deep, &mut bytes);
        assert_eq!(bytes, [7]);
        // Its drop would overflow the stack.
        std::mem::forget(deep);
        (to_vec(&chain(1024)).map(|bytes| bytes.len()), refused)
    });
    let (deepest, refused) = written.expect("a thread").join().expect("no panic");
    assert_eq!(deepest, Ok(1024 * 6 + 4));
    assert_eq!(
        refused.expect_err("too deep").to_string(),
        "cannot encode value as MessagePack: \
         arrays and maps are nested too deep: maximum is 1024 levels"
    );
}

#[test]
fn collections_of_unknown_length_are_written_with_their_length() {
    /// Elements whose number is not announced.
    struct List(usize);

    impl Serialize for List {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut list = serializer.serialize_seq(None)?;
            for number in 0..self.0 {
                list.serialize_element(&(number % 100))?;
            }
            list.end()
        }
    }

    /// Entries whose number is not announced, each with such a list.
    struct Map(usize, usize);

    impl Serialize for Map {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            for number in 0..self.0 {
                map.serialize_entry(&number, &List(self.1))?;
            }
            map.end()
        }
    }

    for (entries, elements) in [
        (0, 0),
        (15, 65_536),
        (16, 65_535),
        (65_535, 1),
        (65_536, 16),
    ] {
        let bytes = to_vec(&Map(entries, elements)).expect("it is written");
        let map: BTreeMap<usize, Vec<usize>> = from_slice(&bytes).expect("it is read");
        assert!(map.keys().copied().eq(0..entries));
        let list: Vec<_> = (0..elements).map(|number| number % 100).collect();
        assert!(map.values().all(|value| *value == list));
    }
}

#[derive(Debug, Deserialize)]
struct Known {
    #[expect(dead_code, reason = "it is only read into")]
    number: u8,
    #[serde(default)]
    unit: (),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnlyKnown {
    #[expect(dead_code, reason = "it is only read into")]
    number: u8,
}

/// Names of fields are compared as bytes, which only those of unknown fields may be no UTF-8 in.
#[test]
fn the_name_of_an_unknown_field_is_utf8() {
    let map = |name: &[u8], value: u8| {
        let mut bytes = vec![0x82, 0xA6];
        bytes.extend_from_slice(b"number");
        bytes.extend_from_slice(&[7, 0xA0 | name.len() as u8]);
        bytes.extend_from_slice(name);
        bytes.push(value);
        bytes
    };
    let no_utf8 = DecodeError::InvalidUtf8 {
        offset: 9,
        valid_up_to: 2,
    };
    let bytes = map(b"na\xFFme", 1);
    assert_eq!(from_slice::<Known>(&bytes).unwrap_err(), no_utf8);
    assert_eq!(from_slice::<OnlyKnown>(&bytes).unwrap_err(), no_utf8);
    assert_eq!(check(&bytes, &Bounds::new()).unwrap_err(), no_utf8);

    let bytes = map("naïve".as_bytes(), 1);
    from_slice::<Known>(&bytes).unwrap();
    let error = from_slice::<OnlyKnown>(&bytes).unwrap_err().to_string();
    assert!(error.contains("unknown field `naïve`"), "{error}");
    let () = from_slice::<Known>(&map(b"unit", 0xC0)).unwrap().unit;
}

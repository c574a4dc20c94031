//! Plain rmp-serde is the measure: the same bytes are written, and what it reads back is read back
//! equal. The exceptions are listed here, each with its reason.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};
use sockety_msgpack::{Timestamp, from_slice, to_vec};

/// Every kind of type that serde knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Unit,
    Nothing(()),
    Empty {},
    Bool(bool),
    Small(i8, u8),
    Wide(i64, u64),
    Wider(i128, u128),
    Floats(f32, f64),
    Text(String),
    Char(char),
    Bytes(bytes::Bytes),
    Time(Timestamp),
    Option(Option<Box<Self>>),
    List(Vec<Self>),
    Pair(Box<(Self, Self)>),
    Named { left: Box<Self>, right: Vec<u16> },
    Map(BTreeMap<String, Self>),
    Numbered(BTreeMap<i64, Unit>),
    Newtype(Newtype),
    Tuple(TupleStruct),
    Struct(Box<Struct>),
    Range(std::ops::Range<u32>),
    Result(Result<u8, String>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(u16);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct TupleStruct(bool, String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Struct {
    #[serde(skip_serializing_if = "Option::is_none")]
    tree: Option<Tree>,
    internal: Internal,
    adjacent: Adjacent,
    untagged: Untagged,
    #[serde(flatten)]
    rest: HashMap<String, Untagged>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t")]
enum Internal {
    A { a: f64, b: u64 },
    B,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    A(u8, i64),
    B { b: Vec<f32> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Self>),
}

/// What rmp-serde writes in the same configuration.
fn reference<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = rmp_serde::Serializer::new(&mut bytes)
        .with_struct_map()
        .with_human_readable();
    value.serialize(&mut serializer).expect("encoded");
    bytes
}

/// What rmp-serde reads.
fn read_reference<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, rmp_serde::decode::Error> {
    T::deserialize(&mut rmp_serde::Deserializer::new(bytes).with_human_readable())
}

fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let bytes = to_vec(value).expect("encoded");
    assert_eq!(bytes, reference(value), "{value:?}");
    // It comes back in any case, also where rmp-serde does not read what it wrote.
    assert_eq!(from_slice::<T>(&bytes).as_ref(), Ok(value));
    if let Ok(read) = read_reference::<T>(&bytes) {
        assert_eq!(read, *value);
    }
}

proptest! {
    #[test]
    fn values_are_written_like_rmp_serde_does_and_come_back(tree in tree()) {
        check(&tree);
        check(&vec![tree; 2]);
    }

    #[test]
    fn integers_are_written_like_rmp_serde_does(signed: i64, shift in 0_u32..64) {
        check(&(signed >> shift, signed as u64 >> shift));
        check(&(1_i64 << shift, 1_u64 << shift, (1_u64 << shift) - 1, -(1_i64 << shift >> 1)));
    }

    /// Whatever bytes are read as one of these types by rmp-serde are read as the same value.
    #[test]
    fn bytes_that_rmp_serde_reads_are_read_equal(bytes in damaged()) {
        check_read::<u8>(&bytes);
        check_read::<i64>(&bytes);
        check_read::<f64>(&bytes);
        check_read::<String>(&bytes);
        check_read::<Option<u32>>(&bytes);
        check_read::<Vec<i16>>(&bytes);
        check_read::<Vec<(u8, String)>>(&bytes);
        check_read::<BTreeMap<String, Option<u8>>>(&bytes);
        check_read::<bytes::Bytes>(&bytes);
        check_read::<Newtype>(&bytes);
        check_read::<TupleStruct>(&bytes);
    }
}

/// rmp-serde stops at the end of the value. Bytes after it are refused here, as are strings that
/// are not UTF-8 and are read as bytes, or are not read at all.
fn check_read<T: DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(expected) = read_reference::<T>(bytes) else {
        return;
    };
    match from_slice::<T>(bytes) {
        Ok(read) => assert_eq!(read, expected, "{bytes:02X?}"),
        Err(error) => assert!(
            is_exception(bytes, &error.to_string()),
            "{bytes:02X?}: {error}"
        ),
    }
}

/// What rmp-serde reads, and is refused here.
fn is_exception(bytes: &[u8], error: &str) -> bool {
    // It ignores what follows the value.
    error.starts_with("trailing bytes")
        // It reads any string as bytes.
        || error.starts_with("invalid UTF-8")
        // It reads the marker 0xC1 as nil.
        || error.starts_with("reserved marker")
        // It reads the mark of a service error as an extension.
        || bytes.starts_with(b"\xD4\x65\0")
}

fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let flat = prop_oneof![
        any::<Vec<i16>>().prop_map(|list| to_vec(&list)),
        any::<Vec<(u8, String)>>().prop_map(|list| to_vec(&list)),
        any::<BTreeMap<String, Option<u8>>>().prop_map(|map| to_vec(&map)),
        any::<(bool, String)>().prop_map(|tuple| to_vec(&tuple)),
        any::<i64>().prop_map(|number| to_vec(&number)),
        any::<f64>().prop_map(|number| to_vec(&number)),
        tree().prop_map(|tree| to_vec(&tree)),
    ];
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (flat, damage).prop_map(|(bytes, damage)| {
        let mut bytes = bytes.expect("encoded");
        for (index, byte) in damage {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        bytes
    })
}

fn float() -> impl Strategy<Value = f64> {
    use prop::num::f64::{INFINITE, NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    prop_oneof![
        NORMAL | SUBNORMAL | INFINITE | ZERO | POSITIVE | NEGATIVE,
        any::<i64>().prop_map(|number| number as f64),
    ]
}

fn untagged() -> impl Strategy<Value = Untagged> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Untagged::Integer),
        float().prop_map(Untagged::Float),
        ".{0,40}".prop_map(Untagged::Text),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(Untagged::List)
    })
}

fn internal() -> impl Strategy<Value = Internal> {
    prop_oneof![
        Just(Internal::B),
        (float(), any::<u64>()).prop_map(|(a, b)| Internal::A { a, b }),
    ]
}

fn adjacent() -> impl Strategy<Value = Adjacent> {
    prop_oneof![
        any::<(u8, i64)>().prop_map(|(a, b)| Adjacent::A(a, b)),
        prop::collection::vec(-10.0_f32..10.0, 0..4).prop_map(|b| Adjacent::B { b }),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Unit),
        Just(Tree::Nothing(())),
        Just(Tree::Empty {}),
        any::<bool>().prop_map(Tree::Bool),
        any::<(i8, u8)>().prop_map(|(a, b)| Tree::Small(a, b)),
        any::<(i64, u64)>().prop_map(|(a, b)| Tree::Wide(a, b)),
        any::<(i128, u128)>().prop_map(|(a, b)| Tree::Wider(a, b)),
        (-10.0_f32..10.0, float()).prop_map(|(a, b)| Tree::Floats(a, b)),
        ".{0,300}".prop_map(Tree::Text),
        any::<char>().prop_map(Tree::Char),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| Tree::Bytes(bytes.into())),
        (any::<i64>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanoseconds)| Tree::Time(
            Timestamp::new(seconds, nanoseconds).expect("valid")
        )),
        Just(Tree::Option(None)),
        prop::collection::btree_map(any::<i64>(), Just(Unit), 0..4).prop_map(Tree::Numbered),
        any::<u16>().prop_map(|number| Tree::Newtype(Newtype(number))),
        any::<(bool, String)>().prop_map(|(a, b)| Tree::Tuple(TupleStruct(a, b))),
        any::<(u32, u32)>().prop_map(|(a, b)| Tree::Range(a..b)),
        any::<Result<u8, String>>().prop_map(Tree::Result),
    ];
    leaf.prop_recursive(5, 60, 20, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..20);
        prop_oneof![
            inner
                .clone()
                .prop_map(|tree| Tree::Option(Some(Box::new(tree)))),
            list.prop_map(Tree::List),
            (inner.clone(), inner.clone()).prop_map(|pair| Tree::Pair(Box::new(pair))),
            (inner.clone(), any::<Vec<u16>>()).prop_map(|(left, right)| Tree::Named {
                left: Box::new(left),
                right,
            }),
            prop::collection::btree_map(".{0,40}", inner.clone(), 0..4).prop_map(Tree::Map),
            structure(inner).prop_map(|fields| Tree::Struct(Box::new(fields))),
        ]
    })
}

fn structure(tree: impl Strategy<Value = Tree>) -> impl Strategy<Value = Struct> {
    let rest = prop::collection::hash_map("rest[a-z]{0,30}", untagged(), 0..20);
    let tree = prop::option::of(tree);
    (tree, internal(), adjacent(), untagged(), rest).prop_map(
        |(tree, internal, adjacent, untagged, rest)| Struct {
            tree,
            internal,
            adjacent,
            untagged,
            rest,
        },
    )
}

/// Collections that do not know how many they are, around the lengths at which heads grow.
#[test]
fn unknown_lengths_have_the_smallest_head() {
    struct Unknown<'a>(&'a [u32]);
    impl Serialize for Unknown<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut seq = serializer.serialize_seq(None)?;
            for number in self.0 {
                seq.serialize_element(number)?;
            }
            seq.end()
        }
    }
    struct UnknownMap<'a>(&'a [u32]);
    impl Serialize for UnknownMap<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            for number in self.0 {
                map.serialize_entry(number, &Unknown(&self.0[..2.min(self.0.len())]))?;
            }
            map.end()
        }
    }
    struct Shown(usize);
    impl Serialize for Shown {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(&format_args!("{:>1$}", "ż", self.0))
        }
    }
    for len in [0, 1, 15, 16, 17, 65_535, 65_536] {
        let numbers: Vec<u32> = (0..len).collect();
        let value = (7, Unknown(&numbers), UnknownMap(&numbers), "end");
        assert_eq!(to_vec(&value).expect("encoded"), reference(&value), "{len}");
    }
    for len in [0, 30, 31, 32, 254, 255, 256, 65_534, 65_535] {
        let value = (Shown(len), 7);
        assert_eq!(to_vec(&value).expect("encoded"), reference(&value), "{len}");
    }
}

#[test]
fn another_number_of_elements_than_announced_cannot_be_written() {
    struct Liar(usize);
    impl Serialize for Liar {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut seq = serializer.serialize_seq(Some(self.0))?;
            seq.serialize_element(&1)?;
            seq.end()
        }
    }
    assert!(to_vec(&Liar(1)).is_ok());
    for announced in [0, 2] {
        let error = to_vec(&Liar(announced)).expect_err("refused").to_string();
        let expected = format!("1 elements or entries were written, {announced} were announced");
        assert!(error.ends_with(&expected), "{error}");
    }
}

#[test]
fn what_is_no_extension_is_not_written_as_one() {
    struct Wrong<T>(T);
    impl<T: Serialize> Serialize for Wrong<T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_newtype_struct("_ExtStruct", &self.0)
        }
    }
    fn check<T: Serialize>(value: T) {
        let mut bytes = vec![7];
        let error = sockety_msgpack::encode(&Wrong(value), &mut bytes).expect_err("refused");
        assert!(
            error.to_string().ends_with("a tuple of an i8 and bytes"),
            "{error}"
        );
        assert_eq!(bytes, [7]);
    }
    let data = || bytes::Bytes::from_static(b"hi");
    check((5_i8,));
    check((5_u8, data()));
    check((5_i8, "hi"));
    check((5_i8, 6_i8));
    check((5_i8, data(), data()));
    check((data(), 5_i8));
    check(7);
    check([1, 2]);
    let right = Wrong((5_i8, data()));
    assert_eq!(to_vec(&right).expect("encoded"), b"\xD5\x05hi");
}

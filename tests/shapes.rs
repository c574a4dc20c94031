//! Shapes of serde types cross a typed service and come back equal: as the only parameter, as one of
//! several, as what a method returns, as the items of a stream in both directions, and as the data of
//! an error; each of them plain, below a flatten, and in an internally tagged, an adjacently tagged
//! and an untagged enum.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, LinkedList, VecDeque},
    fmt::Debug,
    marker::PhantomData,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    num::{NonZeroI64, NonZeroU8, Wrapping},
    ops::{Bound, Range, RangeInclusive},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sockety::msgpack::{Timestamp, from_slice, to_vec};
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Field<T> {
    field: T,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Flattened<T> {
    before: u8,
    #[serde(flatten)]
    inner: Field<T>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Internal<T> {
    Other,
    With { field: T, after: u8 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "content")]
enum Adjacent<T> {
    Other,
    With(T),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged<T> {
    Other { another: u8 },
    With { field: T },
}

/// A value in every form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Forms<T> {
    plain: T,
    flattened: Flattened<T>,
    internal: Internal<T>,
    adjacent: Adjacent<T>,
    untagged: Untagged<T>,
    list: Vec<T>,
}

impl<T: Clone> From<T> for Forms<T> {
    fn from(value: T) -> Self {
        let field = || value.clone();
        Self {
            plain: field(),
            flattened: Flattened {
                before: 1,
                inner: Field { field: field() },
            },
            internal: Internal::With {
                field: field(),
                after: 2,
            },
            adjacent: Adjacent::With(field()),
            untagged: Untagged::With { field: field() },
            list: vec![field(), field()],
        }
    }
}

/// A value in the forms that serde does not keep in between: those that it cannot keep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Unbuffered<T> {
    plain: T,
    adjacent: Adjacent<T>,
    list: Vec<T>,
}

impl<T: Clone> From<T> for Unbuffered<T> {
    fn from(value: T) -> Self {
        Self {
            plain: value.clone(),
            adjacent: Adjacent::With(value.clone()),
            list: vec![value],
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
enum External {
    Unit,
    New(u32),
    Tuple(u8, String),
    Struct { a: i64, b: Option<String> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct New(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Pair(u8, f64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Renamed {
    first_name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    nick_names: Vec<String>,
    #[serde(skip)]
    ignored: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Tree {
    value: u32,
    children: Vec<Tree>,
}

fn tree(depth: u32) -> Tree {
    let children = (0..depth.min(1)).map(|_| tree(depth - 1)).collect();
    let value = depth;
    Tree { value, children }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct WithRest {
    known: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

/// For each shape: a service whose methods take and return it, and a test that calls them.
macro_rules! shapes {
    ($form:ident: $($name:ident: $type:ty = [$($value:expr),+ $(,)?];)*) => {$(
        mod $name {
            use super::*;

            type Shape = $type;
            type Value = super::$form<Shape>;

            #[sockety::service]
            trait Crossing {
                async fn one(&self, value: Value) -> Value;
                async fn several(&self, first: Shape, second: Value, third: u8) -> Shape;
                async fn items(&self, items: sockety::Streaming<Value>) -> sockety::Streaming<Value>;
                async fn fail(&self, value: Value) -> Result<(), Failure>;
            }

            #[derive(Debug, PartialEq, Serialize, Deserialize, sockety::ServiceError)]
            enum Failure {
                #[code(20)]
                With(Value),
            }

            struct Here;

            impl Crossing for Here {
                async fn one(&self, value: Value) -> Value {
                    same(value)
                }

                async fn several(&self, first: Shape, second: Value, third: u8) -> Shape {
                    assert_eq!(third, 3);
                    assert_eq!(Value::from(first.clone()), second);
                    first
                }

                async fn items(&self, items: sockety::Streaming<Value>) -> sockety::Streaming<Value> {
                    items
                }

                async fn fail(&self, value: Value) -> Result<(), Failure> {
                    Err(Failure::With(same(value)))
                }
            }

            /// It is one of those that were sent.
            fn same(value: Value) -> Value {
                let values = values();
                assert!(values.contains(&value), "{value:?} arrived for one of {values:?}");
                value
            }

            fn values() -> Vec<Value> {
                let values: Vec<Shape> = vec![$($value),+];
                values.into_iter().map(Value::from).collect()
            }

            #[tokio::test]
            async fn comes_back_equal() {
                let client = CrossingClient::local(Here);
                for value in values() {
                    let back = client.one(value.clone()).await.expect("an answer");
                    assert_eq!(back, value);
                    let back = client.several(value.plain.clone(), value.clone(), 3).await;
                    assert_eq!(back.expect("an answer"), value.plain);
                    let sockety::CallError::Service(Failure::With(back)) =
                        client.fail(value.clone()).await.expect_err("an error")
                    else {
                        panic!("an error of the service");
                    };
                    assert_eq!(back, value);
                }
                let items = sockety::Streaming::from_iter(values());
                let mut items = client.items(items).await.expect("an answer");
                let mut back = Vec::new();
                while let Some(item) = items.next().await {
                    back.push(item.expect("an item"));
                }
                assert_eq!(back, values());
            }
        }
    )*};
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn seconds(number: f64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs_f64(number)
}

shapes! { Forms:
    boolean: bool = [true, false];
    u8_: u8 = [0, 127, 128, 255];
    u16_: u16 = [0, 256, u16::MAX];
    u32_: u32 = [0, 65536, u32::MAX];
    u64_: u64 = [0, 1 << 32, (1 << 53) + 1, u64::MAX];
    usize_: usize = [0, usize::MAX];
    i8_: i8 = [0, -1, -32, -33, i8::MIN, i8::MAX];
    i16_: i16 = [i16::MIN, i16::MAX];
    i32_: i32 = [i32::MIN, i32::MAX];
    i64_: i64 = [i64::MIN, -1 << 53, i64::MAX];
    non_zero: (NonZeroU8, NonZeroI64) = [(NonZeroU8::MAX, NonZeroI64::MIN)];
    wrapping: Wrapping<u16> = [Wrapping(7)];
    f32_: f32 = [0.0, -0.0, 0.1, 5.0, 1e10, f32::MAX, f32::MIN_POSITIVE, f32::INFINITY];
    f64_: f64 = [0.0, -0.0, 0.1, 5.0, 1e10, 1e300, 4294967296.0, f64::NEG_INFINITY, 5e-324];
    char_: char = ['a', '\0', 'ß', '\u{10FFFF}'];
    string: String = [text(""), text("text"), text("a\0b"), "ü".repeat(300), "x".repeat(70_000)];
    boxed: Box<str> = ["boxed".into()];
    cow: std::borrow::Cow<'static, str> = ["cow".into()];
    path: PathBuf = ["/some/path".into()];
    newtype: New = [New(text("inner"))];
    tuple_struct: Pair = [Pair(1, 2.0), Pair(255, 0.5)];
    tuple: (u8, String, bool) = [(1, text("x"), true)];
    array: [u16; 4] = [[1, 2, 3, 65535]];
    matrix: [[f64; 3]; 2] = [[[1.0, 2.5, 3.0], [0.0, 1e10, -1.0]]];
    vec: Vec<u32> = [vec![], vec![1], (0..100).collect(), (0..70_000).collect()];
    vec_of_bytes: Vec<u8> = [vec![], vec![1, 2, 255], vec![7; 100_000]];
    nested_vec: Vec<Vec<Vec<i8>>> = [vec![vec![], vec![vec![1], vec![]]]];
    deque: VecDeque<u8> = [[1, 2, 3].into()];
    linked: LinkedList<String> = [[text("a"), text("b")].into()];
    set: BTreeSet<u32> = [[3, 1, 2].into()];
    hash_set: HashSet<String> = [[text("a"), text("b")].into()];
    buffer: Bytes = [Bytes::new(), Bytes::from_static(b"\x00\xff"), vec![7; 100_000].into()];
    option: Option<u8> = [Some(5), None];
    option_of_text: Option<String> = [Some(text("")), None];
    map: BTreeMap<String, u8> = [[].into(), [(text("a"), 1), (text("b"), 2)].into()];
    hash_map: HashMap<String, Vec<u8>> = [[(text("k"), vec![1, 2])].into()];
    map_by_integer: BTreeMap<u32, String> = [[(0, text("a")), (70_000, text("b"))].into()];
    map_by_negative: BTreeMap<i64, u8> = [[(-5, 1), (i64::MIN, 2), (5, 3)].into()];
    map_by_bool: BTreeMap<bool, u8> = [[(true, 1), (false, 0)].into()];
    map_by_char: BTreeMap<char, u8> = [[('a', 1), ('ß', 2)].into()];
    map_by_uuid: BTreeMap<Uuid, u8> = [[(Uuid::from_u128(7), 1)].into()];
    map_by_unit_enum: BTreeMap<External, u8> = [[(External::Unit, 1)].into()];
    map_of_maps: BTreeMap<String, BTreeMap<String, Option<u8>>> =
        [[(text("a"), [(text("b"), None), (text("c"), Some(1))].into())].into()];
    map_by_address: BTreeMap<IpAddr, u8> = [[(IpAddr::from([10, 0, 0, 1]), 1)].into()];
    external: External = [
        External::Unit,
        External::New(7),
        External::Tuple(1, text("x")),
        External::Struct { a: -1, b: None },
        External::Struct { a: i64::MAX, b: Some(text("b")) },
    ];
    external_list: Vec<External> = [vec![External::Unit, External::New(1)]];
    external_option: Option<External> = [Some(External::New(1)), None];
    internal: Internal<String> = [Internal::Other, Internal::With { field: text("x"), after: 1 }];
    adjacent: Adjacent<Vec<u8>> = [Adjacent::Other, Adjacent::With(vec![1])];
    untagged: Untagged<f64> = [Untagged::Other { another: 1 }, Untagged::With { field: 1.5 }];
    flattened: Flattened<String> = [Flattened { before: 1, inner: Field { field: text("x") } }];
    results: Vec<Result<u8, String>> = [vec![Ok(1), Err(text("wrong"))]];
    renamed: Renamed = [
        Renamed { first_name: text("Ada"), nick_names: vec![], ignored: 0 },
        Renamed { first_name: text("Ada"), nick_names: vec![text("A")], ignored: 0 },
    ];
    recursive: Tree = [tree(0), tree(10)];
    with_rest: WithRest = [WithRest {
        known: 1,
        rest: [(text("more"), serde_json::json!({"a": [1, -1, 0.5, "x", null, true, {}]}))].into(),
    }];
    json: serde_json::Value = [
        serde_json::json!(null),
        serde_json::json!([1, -5, 1e10, 0.5, "text", {"key": {"nested": []}}]),
        serde_json::json!(u64::MAX),
        serde_json::json!(1e10),
    ];
    json_map: serde_json::Map<String, serde_json::Value> =
        [serde_json::json!({"a": 1}).as_object().expect("a map").clone()];
    range: Range<u32> = [1..5];
    range_inclusive: RangeInclusive<i8> = [-1..=5];
    bound: (Bound<u8>, Bound<u8>) = [(Bound::Included(1), Bound::Unbounded)];
    duration: Duration = [Duration::ZERO, Duration::new(1 << 40, 999_999_999)];
    system_time: SystemTime = [SystemTime::UNIX_EPOCH, seconds(1.5)];
    timestamp: Timestamp = [Timestamp::from(SystemTime::UNIX_EPOCH), seconds(1e9 + 0.5).into()];
    uuid_: Uuid = [Uuid::nil(), Uuid::from_u128(0x0f8fad5b_d9cb_469f_a165_70867728950e)];
    ip: IpAddr = [IpAddr::from([192, 0, 2, 7]), IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 7])];
    ip_4: Ipv4Addr = [Ipv4Addr::LOCALHOST];
    ip_6: Ipv6Addr = [Ipv6Addr::LOCALHOST];
    socket: SocketAddr = [([127, 0, 0, 1], 80).into(), ([0, 0, 0, 0, 0, 0, 0, 1], 65535).into()];
    chrono_time: chrono::DateTime<chrono::Utc> = [seconds(1.5).into()];
    chrono_date: chrono::NaiveDate = [chrono::NaiveDate::MIN];
    jiff_time: jiff::Timestamp = [jiff::Timestamp::UNIX_EPOCH];
    jiff_span: jiff::SignedDuration = [jiff::SignedDuration::from_millis(-1500)];
}

shapes! { Unbuffered:
    unit_struct: Unit = [Unit];
    phantom: PhantomData<u8> = [PhantomData];
    u128_: u128 = [0, 1 << 64, u128::MAX];
    i128_: i128 = [i128::MIN, -1, 0, i128::MAX];
    map_by_u128: BTreeMap<u128, u8> = [[(1 << 100, 1)].into()];
    map_by_tuple: BTreeMap<(u8, String), u8> = [[((1, text("x")), 1)].into()];
}

/// What serde itself, or a format with one nil, cannot carry. A line that fails here has become
/// possible.
#[test]
fn what_is_impossible_is_known() {
    // Each `Option` is nil or its value, and nil is nil.
    becomes(&Some(None::<u8>), &None::<Option<u8>>);
    becomes(&Some(()), &None);
    becomes(&Some(serde_json::Value::Null), &None);
    // serde keeps the content of such an enum and has no 128 bits there.
    let tagged = Internal::With {
        field: 1_u128,
        after: 0,
    };
    assert!(to_vec(&tagged).map_or(true, |bytes| from_slice::<Internal<u128>>(&bytes).is_err()));
    // A unit struct is an empty array, so that it is no `None`. Kept content is no unit struct then.
    let untagged = Untagged::With { field: Unit };
    let bytes = to_vec(&untagged).expect("encoded");
    assert!(from_slice::<Untagged<Unit>>(&bytes).is_err());
    // The first variant that takes the value is right.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Number {
        Float(f64),
        Integer(u64),
    }
    becomes(&Number::Integer(5), &Number::Float(5.0));
    // Not UTF-8, and before 1970: serde has no form for them.
    assert!(to_vec(&(SystemTime::UNIX_EPOCH - Duration::from_secs(1))).is_err());
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt;
        let path = PathBuf::from(std::ffi::OsString::from_vec(vec![0xFF]));
        assert!(to_vec(&path).is_err());
    }
}

fn becomes<T: Serialize + DeserializeOwned + Debug + PartialEq>(value: &T, expected: &T) {
    let bytes = to_vec(value).expect("encoded");
    assert_eq!(&from_slice::<T>(&bytes).expect("decoded"), expected);
}

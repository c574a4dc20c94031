//! From types to schemas, and schemas as text.

#![allow(
    clippy::use_self,
    clippy::too_many_arguments,
    reason = "specta has no `Self`, and a service here has all types"
)]

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    num::{NonZeroI8, NonZeroU64},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use expect_test::expect_file;
use serde::{Deserialize, Serialize};
use sockety::{ByteStream, File, ServiceError, Streaming, service};
use sockety_schema::{Schema, Shape, of};
use specta::Type;

/// Moves money.
#[derive(Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
struct Transfer {
    /// The account.
    ///
    /// Of the same bank.
    to_account: u64,
    #[serde(alias = "amount")]
    cents: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(rename = "when")]
    at: Option<Duration>,
    #[serde(skip)]
    _cache: HashMap<u8, ()>,
    #[serde(flatten)]
    page: Page,
    tree: Vec<Node<Unit>>,
}

#[derive(Serialize, Deserialize, Type)]
struct Page {
    first: u32,
    rest: BTreeMap<String, Bytes>,
}

#[derive(Serialize, Deserialize, Type)]
struct Node<T> {
    value: T,
    children: Vec<Node<T>>,
    parent: Option<Box<Node<u8>>>,
}

#[derive(Serialize, Deserialize, Type)]
struct Unit;

#[derive(Serialize, Deserialize, Type)]
struct Id(u64);

#[derive(Serialize, Deserialize, Type)]
struct Pair(Id, [u16; 2]);

#[derive(Clone, Serialize, Deserialize, Type)]
#[serde(from = "String", into = "String")]
struct Named(String);

impl From<String> for Named {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<Named> for String {
    fn from(named: Named) -> Self {
        named.0
    }
}

#[derive(Serialize, Deserialize, Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "kebab-case")]
enum External {
    One,
    OneValue(Id),
    TwoValues(u8, i128),
    #[serde(rename = "fields", alias = "Fields")]
    Fields {
        some_field: bool,
    },
    #[serde(skip)]
    #[expect(dead_code, reason = "shows that it does not travel")]
    Never(Unit),
}

#[derive(Serialize, Deserialize, Type)]
#[serde(tag = "kind")]
enum Internal {
    A {
        x: f32,
    },
    B(Page),
    #[serde(other)]
    Other,
}

#[derive(Serialize, Deserialize, Type)]
#[serde(tag = "t", content = "c", rename_all = "lowercase")]
enum Adjacent {
    Empty,
    Filled(char),
}

#[derive(Serialize, Deserialize, Type)]
#[serde(untagged)]
enum Untagged {
    Number(f64),
    Texts(Vec<String>),
}

#[derive(Serialize, Deserialize, Type)]
struct Special {
    id: uuid::Uuid,
    ip: IpAddr,
    socket: SocketAddr,
    at: SystemTime,
    some: NonZeroU64,
    less: NonZeroI8,
    url: url::Url,
    day: chrono::NaiveDate,
    time: chrono::DateTime<chrono::Utc>,
    set: HashSet<u32>,
    result: Result<u8, String>,
    nothing: (),
    pair: (u8, String),
    named: Named,
    boxed: Box<usize>,
}

#[derive(Debug, Serialize, Deserialize, Type, ServiceError)]
enum BankError {
    /// There is no such account
    #[code(16)]
    NoAccount,
    /// Too little money
    #[code(17)]
    Insufficient { missing: u64 },
}

/// A bank.
#[service(prefix = "bank.")]
trait Bank {
    /// Moves money.
    #[action(idempotent, timeout = "2s", alias = ["move"])]
    async fn transfer(&self, transfer: Transfer) -> Result<u64, BankError>;
    #[action(one_way)]
    async fn note(&self, text: String, level: Option<u8>);
    #[cfg(any())]
    async fn never(&self, special: Never);
    #[cfg(not(any()))]
    async fn enums(
        &self,
        external: External,
        internal: Internal,
        adjacent: Adjacent,
        untagged: Untagged,
    ) -> (Pair, File);
    #[action(limit(payload = "1KiB"))]
    async fn upload(
        &self,
        year: u16,
        first: File,
        rest: Vec<File>,
        updates: Streaming<Id>,
    ) -> ByteStream;
    async fn special(&self) -> Special;
    async fn nothing(&self);
}

#[test]
fn a_schema_says_how_every_type_travels() {
    let schema = of::<BankClient>().expect("described");
    let text = schema.to_json();
    expect_file!["bank.json"].assert_eq(&text);
    assert_eq!(Schema::from_json(&text).expect("read"), schema);
}

#[expect(
    private_bounds,
    private_interfaces,
    unnameable_types,
    reason = "that is tested"
)]
mod mint {
    use super::*;

    /// What nobody sees of a public trait may be private.
    #[service]
    pub trait Mint {
        async fn forge(&self, coin: Coin) -> Coin;
        #[cfg(not(any()))]
        async fn melt(&self, coin: Coin);
    }

    #[derive(Serialize, Deserialize, Type)]
    struct Coin {
        cents: u64,
    }
}

#[test]
fn types_may_be_less_visible_than_the_service() {
    let schema = of::<mint::MintClient>().expect("described");
    assert!(schema.services["Mint"].types.contains_key("Coin"));
    assert_eq!(schema.services["Mint"].actions.len(), 2);
}

/// Where the entries of a struct are among others, or another variant reads the value, nothing is refused.
#[test]
fn a_type_is_strict_if_it_refuses_unknown_fields_anywhere() {
    #[derive(Serialize, Deserialize, Type)]
    #[serde(deny_unknown_fields)]
    struct A {
        x: u8,
    }

    #[derive(Serialize, Deserialize, Type)]
    struct Flattened {
        #[serde(flatten)]
        a: A,
    }

    #[derive(Serialize, Deserialize, Type)]
    #[serde(deny_unknown_fields)]
    struct B {
        x: u8,
    }

    #[derive(Serialize, Deserialize, Type)]
    #[serde(untagged)]
    enum Untagged {
        B(B),
        Open { x: u8 },
    }

    #[derive(Serialize, Deserialize, Type)]
    struct Open {
        y: u8,
    }

    #[derive(Serialize, Deserialize, Type)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        #[serde(flatten)]
        open: Open,
    }

    #[service]
    trait Bank {
        async fn a_flattened(&self, it: Flattened);
        async fn b_direct(&self, it: A);
        async fn c_untagged(&self, it: Untagged);
        async fn d_direct(&self, it: B);
        async fn e_strict(&self, it: Strict);
    }
    let schema = of::<BankClient>().expect("described");
    let strict = |name: &str| match &schema.services["Bank"].types[name].shape {
        Shape::Struct(of) => of.strict,
        Shape::Enum(of) => of.strict,
        other => panic!("{other:?}"),
    };
    assert!(strict("A") && strict("B") && strict("Strict"));
    assert!(!strict("Flattened") && !strict("Untagged") && !strict("Open"));
}

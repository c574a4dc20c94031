//! Services whose TypeScript is tested.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    num::{NonZeroI8, NonZeroU64},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sockety::{ByteStream, File, ServiceError, Streaming, describe::ServiceTypes, service};
use sockety_msgpack::Timestamp;
use sockety_schema::{Schema, TypeCollector, of};
use specta::Type;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct Moment(pub(crate) Timestamp);

pub(crate) fn schema_of<C>() -> Schema
where
    C: ServiceTypes<TypeCollector>,
{
    of::<C>().expect("described")
}

/// An order to move money.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Transfer {
    /// The account that gets it.
    ///
    /// Of the same bank.
    pub(crate) to_account: u64,
    pub(crate) cents: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) text: String,
    /// When it is executed; at once if there is none.
    pub(crate) at: Option<Moment>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct Receipt {
    pub(crate) id: uuid::Uuid,
    pub(crate) balance: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct Update {
    pub(crate) account: u32,
    pub(crate) balance: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type, ServiceError)]
pub(crate) enum TransferError {
    /// there is no such account
    #[code(16)]
    NoAccount,
    /// the account holds less than that
    #[code(17)]
    Insufficient { missing: u64 },
    /// the account is locked
    #[code(18)]
    Locked { until: Moment },
}

/// Moves money.
#[service(prefix = "bank.")]
pub(crate) trait Bank {
    /// Moves money from the caller's account.
    #[action(timeout = "2s", alias = ["move"])]
    async fn transfer(&self, transfer: Transfer) -> Result<Receipt, TransferError>;
    /// Returns the number of bytes.
    async fn upload(&self, year: u16, files: Vec<File>) -> u64;
    async fn statement(
        &self,
        account: u32,
        year: Option<u16>,
    ) -> Result<(u64, File), TransferError>;
    /// Sends back what has changed.
    async fn follow(&self, account: u32, updates: Streaming<Update>) -> Streaming<Update>;
    async fn scan(&self, image: ByteStream) -> ByteStream;
    #[action(one_way)]
    async fn note(
        &self,
        #[param(alias = ["message"])] text: String,
        level: Option<u8>,
        #[param(default)] copies: u8,
    );
    async fn ping(&self);
}

#[expect(
    clippy::use_self,
    reason = "the derive of specta names the type in another item"
)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct Node<T> {
    pub(crate) value: T,
    pub(crate) children: Vec<Node<T>>,
    pub(crate) parent: Option<Box<Node<u8>>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct Unit;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Type)]
pub(crate) struct Id(pub(crate) u64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct Pair(pub(crate) Id, pub(crate) [u16; 2]);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct Page {
    pub(crate) first: u32,
    pub(crate) rest: BTreeMap<String, Bytes>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct Flat {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) page: Page,
    #[serde(flatten)]
    pub(crate) kind: Internal,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct Open {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) others: BTreeMap<String, u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) enum Choice {
    #[serde(alias = "Nil")]
    None,
    Amount(u64),
    Point {
        x: u8,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct Among {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) choice: Choice,
    #[serde(flatten)]
    pub(crate) unit: Unit,
    #[serde(flatten)]
    pub(crate) extent: Option<Extent>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct Extent {
    pub(crate) length: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(deny_unknown_fields)]
pub(crate) struct Closed {
    #[serde(alias = "first")]
    pub(crate) a: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) b: Option<u8>,
    #[serde(flatten)]
    pub(crate) extent: Extent,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sealed {
    pub(crate) id: u8,
}

/// Where its entries are among others, it refuses none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct AroundSealed {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) sealed: Sealed,
}

/// Unless serde looks for its entries among copies of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct AroundClosed {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) closed: Closed,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "kind", deny_unknown_fields)]
pub(crate) enum ClosedInternal {
    Closed(Closed),
    Fields { x: u8 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct AroundInternal {
    #[serde(flatten)]
    pub(crate) internal: ClosedInternal,
    pub(crate) name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "outer")]
pub(crate) enum TwoTags {
    Inner(ClosedInternal),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "t", content = "c", deny_unknown_fields)]
pub(crate) enum ClosedAdjacent {
    Empty,
    Fields { x: u8 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(deny_unknown_fields)]
pub(crate) enum ClosedExternal {
    Fields { x: u8 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "label")]
pub(crate) enum Labelled {
    Choice(Choice),
    Unit(Unit),
    Nil(()),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    LeftHand,
    RightHand,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "kebab-case")]
pub(crate) enum External {
    /// Nothing else.
    One,
    OneValue(Id),
    TwoValues(u8, i128),
    Fields {
        some_field: bool,
        /// May be missing.
        other: Option<u8>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "kind")]
pub(crate) enum Internal {
    A {
        x: f32,
    },
    B(Id2),
    C,
    /// What later versions have.
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct Id2 {
    pub(crate) id: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "t", content = "c", rename_all = "lowercase")]
pub(crate) enum Adjacent {
    Empty,
    Filled(char),
    Both(u8, String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(untagged)]
pub(crate) enum Untagged {
    Number(f64),
    Texts(Vec<String>),
    Fields { a: bool },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct Integers {
    pub(crate) u8: u8,
    pub(crate) u16: u16,
    pub(crate) u32: u32,
    pub(crate) u64: u64,
    pub(crate) u128: u128,
    pub(crate) i8: i8,
    pub(crate) i16: i16,
    pub(crate) i32: i32,
    pub(crate) i64: i64,
    pub(crate) i128: i128,
    pub(crate) usize: usize,
    pub(crate) some: NonZeroU64,
    pub(crate) less: NonZeroI8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct Scalars {
    pub(crate) f32: f32,
    pub(crate) f64: f64,
    pub(crate) bool: bool,
    pub(crate) char: char,
    pub(crate) string: String,
    pub(crate) nothing: (),
    pub(crate) unit: Unit,
    pub(crate) bytes: Bytes,
    pub(crate) numbers: Vec<u8>,
    pub(crate) boxed: Box<str>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct Special {
    pub(crate) id: uuid::Uuid,
    pub(crate) ip: IpAddr,
    pub(crate) socket: SocketAddr,
    pub(crate) at: SystemTime,
    pub(crate) span: Duration,
    pub(crate) time: Moment,
    pub(crate) url: url::Url,
    pub(crate) day: chrono::NaiveDate,
    pub(crate) moment: chrono::DateTime<chrono::Utc>,
    pub(crate) result: Result<u8, String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct Containers {
    pub(crate) list: Vec<Option<u64>>,
    pub(crate) array: [i8; 3],
    pub(crate) tuple: (u8, String, Option<bool>),
    pub(crate) set: BTreeSet<u32>,
    pub(crate) by_name: BTreeMap<String, Vec<Id>>,
    pub(crate) by_small: BTreeMap<i16, bool>,
    pub(crate) by_long: BTreeMap<u64, u8>,
    pub(crate) by_id: BTreeMap<Id, u8>,
    pub(crate) by_flag: BTreeMap<bool, u8>,
    pub(crate) by_char: BTreeMap<char, u8>,
    pub(crate) by_uuid: BTreeMap<uuid::Uuid, u8>,
    pub(crate) by_side: BTreeMap<Side, u8>,
    pub(crate) pair: Pair,
    pub(crate) tree: Node<Unit>,
}

/// Values of all kinds.
#[service]
pub(crate) trait Values {
    async fn integers(&self, it: Integers) -> Integers;
    async fn scalars(&self, it: Scalars) -> Scalars;
    async fn special(&self, it: Special) -> Special;
    async fn containers(&self, it: Containers) -> Containers;
    async fn enums(
        &self,
        external: External,
        internal: Internal,
        adjacent: Adjacent,
        untagged: Untagged,
    );
    async fn flat(&self, flat: Flat, open: Open, side: Side);
    async fn among(&self, among: Among, labelled: Labelled);
    async fn closed(
        &self,
        closed: Closed,
        internal: ClosedInternal,
        adjacent: ClosedAdjacent,
        external: ClosedExternal,
    );
    async fn around(&self, closed: AroundClosed, internal: AroundInternal, tags: TwoTags);
    async fn sealed(&self, sealed: Sealed, around: AroundSealed);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type, ServiceError)]
#[serde(tag = "why", rename_all = "snake_case")]
pub(crate) enum TaggedError {
    /// nothing is there
    #[code(20)]
    NotFound,
    #[code(21)]
    TooLarge { limit: u32 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type, ServiceError)]
#[serde(tag = "t", content = "c")]
pub(crate) enum AdjacentError {
    #[code(30)]
    Gone,
    #[code(31)]
    Because(String),
}

/// Errors by each of serde's tags.
#[service(prefix = "errors.")]
pub(crate) trait Errors {
    async fn tagged(&self, limit: u32) -> Result<String, TaggedError>;
    async fn tagged_again(&self) -> Result<(), TaggedError>;
    async fn adjacent(&self) -> Result<(), AdjacentError>;
}

/// Names that mean something else in TypeScript.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct Date {
    #[serde(rename = "it's \"odd\"")]
    pub(crate) odd: u8,
    #[serde(rename = "1")]
    pub(crate) number: u8,
    pub(crate) class: u8,
}

#[service(prefix = "js.")]
pub(crate) trait Words {
    async fn delete(&self, class: Date, options: u8, message: u8) -> Date;
    async fn constructor(&self, r#new: u8);
    async fn then(&self, text_of_it: String);
}

/// A service with nothing.
#[service]
pub(crate) trait Nothing {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type, ServiceError)]
pub(crate) enum CountError {
    /// it was stopped
    #[code(16)]
    Stopped,
    /// that are too many
    #[code(17)]
    TooMany { limit: u64 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct Order {
    #[serde(alias = "recipient", alias = "to_account")]
    pub(crate) to: u64,
    #[serde(default, alias = "how")]
    pub(crate) kind: Option<OrderKind>,
    pub(crate) after: Duration,
    pub(crate) parts: BTreeMap<String, Vec<(i64, Option<NonZeroU64>)>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub(crate) enum OrderKind {
    #[serde(alias = "quick")]
    Fast,
    #[serde(alias = "lazy")]
    Slow {
        #[serde(alias = "d")]
        days: u64,
    },
}

/// Streams that end with errors, and other names of fields.
#[service(prefix = "streams.")]
pub(crate) trait Streams {
    /// Counts to 3, and ends with an error: none, one without data, or one with.
    async fn count(&self, ends: u8) -> Streaming<u64, CountError>;
    /// The sum, and the error after it.
    async fn sum(&self, numbers: Streaming<u64, CountError>) -> String;
    /// Bytes that end with an error likewise.
    async fn read(&self, ends: u8) -> Result<ByteStream, CountError>;
    /// The number of bytes, and the error after them.
    async fn write(&self, bytes: ByteStream) -> Result<String, CountError>;
    async fn order(&self, #[param(alias = ["it"])] order: Order, times: u64) -> Order;
}

/// Lists fit two of its variants, so that a nested one could be tried in many ways.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(untagged)]
#[expect(
    clippy::use_self,
    reason = "the derive of specta names the type in another item"
)]
pub(crate) enum Ambiguous {
    Some(Vec<Ambiguous>),
    Same(Vec<Ambiguous>),
    Number(u8),
}

#[service]
pub(crate) trait Doubts {
    async fn solve(&self, it: Ambiguous) -> u8;
}

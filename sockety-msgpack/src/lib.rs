//! MessagePack for serde types, as the crate `sockety` uses it for payloads and typed streams.
//!
//! [`to_vec`] and [`encode()`] write each value in its smallest form. Structs become maps with
//! their field names, byte buffers (`bytes::Bytes`, the types of `serde_bytes`) become bin, and
//! what serde writes as text for people, such as addresses and UUIDs, becomes text.
//!
//! [`from_slice`] reads in one pass, which checks structure, bounds and UTF-8. Bytes from a peer
//! can neither overflow the stack nor cause an allocation by a length that they only declare, and a
//! value takes no more than 64 times its bytes and 4 MiB ([`DecodeError::TooMuchMemory`]): what its
//! type takes is charged before it is read. Types that are made from others, such as with
//! `#[serde(from = "…")]`, are known only where they are elements of a collection. What serde
//! buffers, the content of flattened, tagged and untagged types, is charged for as serde buffers
//! it: what large elements of lists in it take after that is not known. A list of structs with
//! defaults can take the size of the struct for each byte there, so keep such structs small, or the
//! limit of payloads low.
//!
//! Reading is lenient towards what other languages write, at every depth:
//!
//! - A float without a fraction reads as an integer, as msgpackr writes all integers outside -2³¹
//!   to 2³²-1 as floats. Decimal text reads as `u128` and `i128`.
//! - An entry of a map whose value is JavaScript's `undefined`, exactly `D4 00 00`, is absent.
//!   Elsewhere `undefined` reads as nil: `None` or `()`.
//! - A struct reads from a map or an array, which may be longer. Text, bins and arrays of `u8` read
//!   as each other.
//! - Keys that are integers or booleans also read from text, as JavaScript objects have no others.
//! - A timestamp, extension type -1 and JavaScript's `Date`, reads as [`Timestamp`], as the types
//!   of chrono, jiff and `time`, and as `SystemTime`, and so does a text of RFC 3339.
//!   [`as_timestamp`] writes them.
//!
//! Flattened, internally tagged and untagged types are a special case: serde buffers their values
//! before anything says what they become. They are buffered as they are. If that does not fit the
//! type, reading begins again with floats, timestamps, keys and bins converted. What Rust has
//! written always fits at once. `u128`, addresses in another form than text, and longer arrays are
//! beyond what that can do.
//!
//! [`ItemScanner`] divides a stream of bytes into values.
//!
//! # Examples
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use sockety_msgpack::{from_slice, to_vec};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Point {
//!     x: i32,
//!     label: Option<String>,
//! }
//!
//! let point = Point { x: 7, label: None };
//! let bytes = to_vec(&point)?;
//! assert_eq!(bytes, b"\x82\xa1x\x07\xa5label\xc0");
//! assert_eq!(from_slice::<Point>(&bytes)?, point);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// On docs.rs, what a feature adds says so.
#![cfg_attr(docsrs, feature(doc_cfg))]

/// Compiles and runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod encode;
pub use encode::{encode, to_vec};

mod decode;
pub use decode::{from_slice, from_slice_with};

mod bounds;
mod check;
mod item_scanner;
pub use bounds::Bounds;
pub use check::{Checked, check, value_len};
pub use item_scanner::{ItemScanner, Scanned};

mod error;
pub use error::{DecodeError, EncodeError, InvalidValue};

mod timestamp;
pub use timestamp::{InvalidNanoseconds, InvalidTimestamp, Timestamp, TimestampOutOfRange};

pub mod as_timestamp;

#[doc(hidden)]
pub mod __private;

mod access;
mod addresses;
mod deserialize;
mod entries;
mod escaped;
mod extension;
mod extension_writer;
mod key;
mod numbers;
mod parts;
mod reader;
mod rfc3339;
mod scan;
mod serialize;
mod service_error;
mod token;
mod variant;
#[cfg(test)]
mod work;

//! MessagePack for serde types, as the crate `sockety` uses it for payloads and typed streams.
//!
//! [`to_vec`] and [`encode()`] write each value in its smallest form. Structs become maps with their
//! field names, and byte buffers (`bytes::Bytes`, the types of `serde_bytes`) become bin.
//!
//! [`from_slice`] checks the structure of the bytes before it reads them into a type, see
//! [`check()`]. Bytes from a peer can therefore neither overflow the stack nor cause an allocation
//! by a length that they only declare. Reading is lenient towards what msgpackr writes, the encoder
//! of the TypeScript implementation of Sockety:
//!
//! - A whole float in range reads as an integer, because msgpackr writes all integers outside
//!   -2³¹ to 2³²-1 as floats. Types that accept any value (untagged and internally tagged enums,
//!   flattened structs, value types) receive a float64 outside that range as an integer if it is
//!   whole.
//! - JavaScript's `undefined`, extension type 0, reads as nil: `None` or `()`.
//! - A struct reads from a map or an array. A byte buffer reads from a bin, a string or an array.
//! - A map with integer keys also reads from string keys, as JavaScript objects have no others.
//! - A JavaScript `Date`, extension type -1, reads as [`Timestamp`].
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
mod reader;
mod rfc3339;
mod scan;
mod serialize;
mod service_error;
mod token;
#[cfg(test)]
mod work;

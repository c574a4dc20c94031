//! MessagePack, the form of payloads and of the values of typed streams.
//!
//! Writing gives the smallest form of every value, structs as maps with their field names and byte
//! buffers (`bytes::Bytes` and the types of `serde_bytes`) as bin.
//!
//! Reading checks the structure of the bytes first, see [`check()`], so that bytes from a peer can
//! neither overflow the stack nor make us allocate by a length that they only declare. It is then
//! lenient towards what msgpackr writes, the encoder of the TypeScript implementation:
//!
//! - A whole float in range reads as an integer; msgpackr writes every number outside -2³¹ to
//!   2³²-1 as a float. Where a type takes what comes (untagged and internally tagged enums,
//!   flattened structs, value types), a float64 of that kind is presented as the integer.
//! - JavaScript's `undefined`, extension type 0, reads as nil: `None` or `()`.
//! - A struct reads from a map or an array; bytes from bin, a string or an array of bytes.
//! - A map with integer keys reads also from string keys; JavaScript objects have no others.
//! - A JavaScript date, extension type -1, reads as [`Timestamp`].
//!
//! # Examples
//!
//! ```
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Point {
//!     x: i32,
//!     label: Option<String>,
//! }
//!
//! let point = Point { x: 7, label: None };
//! let bytes = sockety_msgpack::to_vec(&point)?;
//! assert_eq!(bytes, b"\x82\xa1x\x07\xa5label\xc0");
//! assert_eq!(sockety_msgpack::from_slice::<Point>(&bytes)?, point);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
pub use error::{DecodeError, EncodeError};

mod timestamp;
pub use timestamp::{InvalidNanoseconds, Timestamp, TimestampOutOfRange};

#[doc(hidden)]
pub mod __private;

mod entries;
mod escaped;
mod extension;
mod lenient;
mod scan;
mod service_error;
mod token;
mod undefined;
#[cfg(test)]
mod work;

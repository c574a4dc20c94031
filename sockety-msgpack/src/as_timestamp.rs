//! For `#[serde(with = "…")]`: writes a moment as a timestamp, the extension type -1, which other
//! languages read as their own type for moments.
//!
//! It is for types that convert to and from [`SystemTime`]: `SystemTime` itself,
//! `chrono::DateTime<Utc>`, `time::OffsetDateTime`, `time::UtcDateTime`, `jiff::Timestamp`. Without
//! it, each of these is written in its own way. They are read from timestamps in any case.
//!
//! # Examples
//!
//! ```
//! use std::time::SystemTime;
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Visit {
//!     #[serde(with = "sockety_msgpack::as_timestamp")]
//!     begin: SystemTime,
//!     #[serde(with = "sockety_msgpack::as_timestamp::option")]
//!     end: Option<SystemTime>,
//! }
//!
//! let visit = Visit { begin: SystemTime::UNIX_EPOCH, end: None };
//! let bytes = sockety_msgpack::to_vec(&visit)?;
//! assert_eq!(bytes, b"\x82\xA5begin\xD6\xFF\0\0\0\0\xA3end\xC0");
//! # Ok::<(), sockety_msgpack::EncodeError>(())
//! ```

use std::fmt::Display;
use std::time::SystemTime;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use crate::timestamp::Timestamp;

/// Writes a moment as a timestamp.
///
/// # Errors
///
/// Those of the serializer.
pub fn serialize<T, S>(time: &T, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Clone + Into<SystemTime>,
    S: Serializer,
{
    Timestamp::from(time.clone().into()).serialize(serializer)
}

/// Reads a moment from a timestamp, or from a text of RFC 3339.
///
/// # Errors
///
/// When it is neither, or a moment that the type does not have.
pub fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: TryFrom<SystemTime, Error: Display>,
    D: Deserializer<'de>,
{
    converted(Timestamp::deserialize(deserializer)?)
}

fn converted<T: TryFrom<SystemTime, Error: Display>, E: Error>(
    timestamp: Timestamp,
) -> Result<T, E> {
    let time = SystemTime::try_from(timestamp).map_err(E::custom)?;
    T::try_from(time).map_err(E::custom)
}

/// The same for an `Option`. Add `#[serde(default)]` for a field that may be missing.
pub mod option {
    use super::*;

    /// Writes a moment as a timestamp, and `None` as nil.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<T, S>(time: &Option<T>, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Clone + Into<SystemTime>,
        S: Serializer,
    {
        let timestamp = time.clone().map(|time| Timestamp::from(time.into()));
        timestamp.serialize(serializer)
    }

    /// Reads a moment from a timestamp, or from a text of RFC 3339.
    ///
    /// # Errors
    ///
    /// When it is none of them and not nil, or a moment that the type does not have.
    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: TryFrom<SystemTime, Error: Display>,
        D: Deserializer<'de>,
    {
        let timestamp = Option::<Timestamp>::deserialize(deserializer)?;
        timestamp.map(converted).transpose()
    }
}

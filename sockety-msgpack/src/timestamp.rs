use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::de::value::SeqDeserializer;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use thiserror::Error;

use crate::{error, extension::EXTENSION_STRUCT, rfc3339};

/// A moment: the extension type -1 of MessagePack, and a `Date` of JavaScript.
///
/// It is read from text of RFC 3339 too, and shown as such: `2023-11-14T22:13:20Z`.
///
/// # Examples
///
/// ```
/// use std::time::SystemTime;
/// use sockety_msgpack::{Timestamp, from_slice};
///
/// let timestamp: Timestamp = from_slice(&[0xD6, 0xFF, 0x65, 0x53, 0xF1, 0x00])?;
/// assert_eq!(timestamp, Timestamp::new(1_700_000_000, 0)?);
/// assert_eq!(Timestamp::from(SystemTime::try_from(timestamp)?), timestamp);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    seconds: i64,
    nanoseconds: u32,
}

/// More nanoseconds than a [`Timestamp`] can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("invalid timestamp nanoseconds {0}: maximum is {max}", max = SECOND - 1)]
pub struct InvalidNanoseconds(u32);

/// A timestamp that [`SystemTime`] cannot represent on this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{} s and {} ns since 1970 are outside the range of the system time", .0.seconds, .0.nanoseconds)]
pub struct TimestampOutOfRange(Timestamp);

/// A text that is no date and time of RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no date and time of RFC 3339, such as 2023-11-14T22:13:20Z")]
#[non_exhaustive]
pub struct InvalidTimestamp {}

impl TimestampOutOfRange {
    /// Returns the timestamp.
    pub const fn timestamp(&self) -> Timestamp {
        self.0
    }
}

impl Timestamp {
    /// Creates a timestamp from the whole seconds since 1970-01-01 00:00 UTC, rounded down, and
    /// the nanoseconds after them. Seconds before 1970 are negative.
    ///
    /// # Errors
    ///
    /// When there are more than 999,999,999 nanoseconds.
    pub const fn new(seconds: i64, nanoseconds: u32) -> Result<Self, InvalidNanoseconds> {
        if nanoseconds >= SECOND {
            return Err(InvalidNanoseconds(nanoseconds));
        }
        Ok(Self {
            seconds,
            nanoseconds,
        })
    }

    /// The whole seconds since 1970-01-01 00:00 UTC, rounded down.
    #[must_use]
    pub const fn seconds(&self) -> i64 {
        self.seconds
    }

    /// The nanoseconds after the whole seconds, at most 999,999,999.
    #[must_use]
    pub const fn nanoseconds(&self) -> u32 {
        self.nanoseconds
    }
}

/// The date and time of RFC 3339, in UTC. Years that have more than four digits have a sign.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        rfc3339::write(self.seconds, self.nanoseconds, f)
    }
}

/// Reads a date and time of RFC 3339. Digits after those of nanoseconds are cut off.
impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let (seconds, nanoseconds) = rfc3339::read(text).ok_or(InvalidTimestamp {})?;
        Ok(Self {
            seconds,
            nanoseconds,
        })
    }
}

impl Timestamp {
    /// Reads the data of the extension.
    pub(crate) fn from_data(data: &[u8]) -> Result<Self, error::Error> {
        Data::from(data).timestamp()
    }

    /// The elements from which the types of the crate `time` are read: year, day of the year,
    /// hour, minute, second, nanosecond, and the offset from UTC in the same units.
    pub(crate) fn into_parts_of_time(
        self,
    ) -> SeqDeserializer<std::array::IntoIter<i64, 9>, error::Error> {
        let time = rfc3339::Civil::of(self.seconds);
        let [hour, minute, second] = time.clock;
        let nanosecond = i64::from(self.nanoseconds);
        let ordinal = time.day_of_year();
        let parts = [
            time.year, ordinal, hour, minute, second, nanosecond, 0, 0, 0,
        ];
        SeqDeserializer::new(parts.into_iter())
    }
}

/// Seconds that an `i64` cannot represent become the nearest ones that it can.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => Self {
                seconds: 0_i64.saturating_add_unsigned(after.as_secs()),
                nanoseconds: after.subsec_nanos(),
            },
            Err(before) => {
                let before = before.duration();
                let seconds = 0_i64.saturating_sub_unsigned(before.as_secs());
                match before.subsec_nanos() {
                    0 => Self {
                        seconds,
                        nanoseconds: 0,
                    },
                    part => Self {
                        seconds: seconds.saturating_sub(1),
                        nanoseconds: SECOND - part,
                    },
                }
            }
        }
    }
}

impl TryFrom<Timestamp> for SystemTime {
    type Error = TimestampOutOfRange;

    fn try_from(timestamp: Timestamp) -> Result<Self, TimestampOutOfRange> {
        let seconds = Duration::from_secs(timestamp.seconds.unsigned_abs());
        let whole = if timestamp.seconds < 0 {
            Self::UNIX_EPOCH.checked_sub(seconds)
        } else {
            Self::UNIX_EPOCH.checked_add(seconds)
        };
        let part = Duration::from_nanos(u64::from(timestamp.nanoseconds));
        whole
            .and_then(|whole| whole.checked_add(part))
            .ok_or(TimestampOutOfRange(timestamp))
    }
}

/// What specta has of a [`Timestamp`]: nothing but that it is one.
#[cfg(feature = "specta")]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct OpaqueTimestamp;

#[cfg(feature = "specta")]
impl specta::Type for Timestamp {
    fn definition(_: &mut specta::Types) -> specta::datatype::DataType {
        let reference = specta::datatype::Reference::opaque(OpaqueTimestamp);
        specta::datatype::DataType::Reference(reference)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data = Data::of(self);
        serializer.serialize_newtype_struct(EXTENSION_STRUCT, &(TAG, data))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(EXTENSION_STRUCT, TimestampVisitor)
    }
}

struct TimestampVisitor;

impl<'de> Visitor<'de> for TimestampVisitor {
    type Value = Timestamp;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a timestamp (extension type -1) or a text of RFC 3339")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        // Where serde has buffered the value, it can still be text.
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(self);
        }
        deserializer.deserialize_tuple(2, self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Timestamp, A::Error> {
        let missing = |len| de::Error::invalid_length(len, &"a type and data");
        let tag: i8 = seq.next_element()?.ok_or_else(|| missing(0))?;
        let data: Data = seq.next_element()?.ok_or_else(|| missing(1))?;
        if tag != TAG {
            return Err(de::Error::custom(format_args!(
                "extension type {tag}, expected a timestamp (extension type -1)"
            )));
        }
        data.timestamp()
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
        text.parse()
            .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// The data of the extension. An invalid length is kept for the message.
struct Data {
    bytes: [u8; 12],
    len: usize,
}

impl Data {
    /// The smallest form: seconds in 32 bits; nanoseconds in 30 bits and seconds in 34; or
    /// nanoseconds in 32 bits and signed seconds in 64.
    fn of(timestamp: &Timestamp) -> Self {
        let Timestamp {
            seconds,
            nanoseconds,
        } = *timestamp;
        let mut long = [0; 12];
        long[..4].copy_from_slice(&nanoseconds.to_be_bytes());
        long[4..].copy_from_slice(&seconds.to_be_bytes());
        match u64::try_from(seconds) {
            Ok(seconds) if seconds >> 32 == 0 && nanoseconds == 0 => Self::from(&long[8..]),
            Ok(seconds) if seconds >> 34 == 0 => {
                Self::from(&(u64::from(nanoseconds) << 34 | seconds).to_be_bytes()[..])
            }
            _ => Self::from(&long[..]),
        }
    }

    fn timestamp<E: de::Error>(&self) -> Result<Timestamp, E> {
        let (seconds, nanoseconds) = self.parts().ok_or_else(|| {
            E::custom(format_args!(
                "invalid timestamp length {}: must be 4, 8 or 12 bytes",
                self.len
            ))
        })?;
        Timestamp::new(seconds, nanoseconds).map_err(E::custom)
    }

    /// The seconds and nanoseconds, of which there may be too many.
    fn parts(&self) -> Option<(i64, u32)> {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte));
        let bytes = self.bytes.get(..self.len)?;
        match self.len {
            4 => Some((number(bytes) as i64, 0)),
            8 => {
                let number = number(bytes);
                Some(((number & ((1 << 34) - 1)) as i64, (number >> 34) as u32))
            }
            12 => Some((number(&bytes[4..]) as i64, number(&bytes[..4]) as u32)),
            _ => None,
        }
    }
}

impl From<&[u8]> for Data {
    fn from(data: &[u8]) -> Self {
        let mut bytes = [0; 12];
        for (to, from) in bytes.iter_mut().zip(data) {
            *to = *from;
        }
        Self {
            bytes,
            len: data.len(),
        }
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.bytes[..self.len])
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DataVisitor;

        impl<'de> Visitor<'de> for DataVisitor {
            type Value = Data;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the bytes of a timestamp")
            }

            fn visit_bytes<E: de::Error>(self, data: &[u8]) -> Result<Data, E> {
                Ok(Data::from(data))
            }

            // For formats without bytes, such as JSON.
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Data, A::Error> {
                let mut data = Data {
                    bytes: [0; 12],
                    len: 0,
                };
                while let Some(byte) = seq.next_element()? {
                    if let Some(place) = data.bytes.get_mut(data.len) {
                        *place = byte;
                    }
                    data.len += 1;
                }
                Ok(data)
            }
        }

        deserializer.deserialize_bytes(DataVisitor)
    }
}

/// The extension type of timestamps.
pub(crate) const TAG: i8 = -1;

const SECOND: u32 = 1_000_000_000;

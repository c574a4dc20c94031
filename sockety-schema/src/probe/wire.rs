//! Values as they are on the wire.

use serde::{Serialize, Serializer, ser::SerializeMap};
use sockety::msgpack::Timestamp;

/// A value as it is on the wire.
pub(super) enum Wire {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Float(f64),
    Text(String),
    Bin(Vec<u8>),
    Array(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Timestamp,
}

impl Serialize for Wire {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_unit(),
            Self::Bool(value) => value.serialize(serializer),
            Self::Unsigned(value) => value.serialize(serializer),
            Self::Float(value) => value.serialize(serializer),
            Self::Text(value) => value.serialize(serializer),
            Self::Bin(value) => serializer.serialize_bytes(value),
            Self::Array(value) => value.serialize(serializer),
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Self::Timestamp => {
                Timestamp::from(std::time::SystemTime::UNIX_EPOCH).serialize(serializer)
            }
        }
    }
}

/// What a duration or a moment of the standard library is.
pub(super) fn seconds(seconds: &str, nanoseconds: &str) -> Wire {
    let text = |text: &str| Wire::Text(text.to_owned());
    Wire::Map(vec![
        (text(seconds), Wire::Unsigned(1)),
        (text(nanoseconds), Wire::Unsigned(1)),
    ])
}

/// A text that is read as a type of texts.
pub(super) fn example(name: &str) -> Option<&'static str> {
    Some(match name {
        "Uuid" => "67e55044-10b1-426f-9247-bb680e5fe0c8",
        "IpAddr" | "Ipv4Addr" => "127.0.0.1",
        "Ipv6Addr" => "::1",
        "SocketAddr" | "SocketAddrV4" => "127.0.0.1:80",
        "SocketAddrV6" => "[::1]:80",
        "url::Url" => "https://example.org/",
        "chrono::DateTime" | "jiff::Timestamp" => "2024-02-29T12:00:00Z",
        "chrono::NaiveDateTime" | "jiff::DateTime" => "2024-02-29T12:00:00",
        "chrono::NaiveDate" | "jiff::Date" => "2024-02-29",
        "chrono::NaiveTime" | "jiff::Time" => "12:00:00",
        "chrono::Weekday" => "Mon",
        "chrono::Month" => "January",
        "jiff::Zoned" => "2024-02-29T12:00:00+00:00[UTC]",
        "jiff::Span" | "jiff::SignedDuration" => "PT1S",
        "semver::Version" => "1.0.0",
        "semver::VersionReq" | "semver::Comparator" => "^1.0.0",
        "ulid::Ulid" => "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        _ => return None,
    })
}

//! Types of the language, of its library and of other crates.

use specta::datatype::Primitive;

use crate::model::Type;

pub(super) fn primitive(primitive: &Primitive) -> Option<Type> {
    Some(match primitive {
        Primitive::i8 => Type::I8,
        Primitive::i16 => Type::I16,
        Primitive::i32 => Type::I32,
        Primitive::i64 | Primitive::isize => Type::I64,
        Primitive::i128 => Type::I128,
        Primitive::u8 => Type::U8,
        Primitive::u16 => Type::U16,
        Primitive::u32 => Type::U32,
        Primitive::u64 | Primitive::usize => Type::U64,
        Primitive::u128 => Type::U128,
        Primitive::f32 => Type::F32,
        Primitive::f64 => Type::F64,
        Primitive::bool => Type::Bool,
        Primitive::char => Type::Char,
        Primitive::str => Type::String,
        Primitive::f16 | Primitive::f128 => return None,
    })
}

/// Names of types that are built in, which others must differ from.
pub(super) const RESERVED: [&str; 36] = [
    "bool",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "f32",
    "f64",
    "char",
    "String",
    "Text",
    "Bytes",
    "Timestamp",
    "Duration",
    "SystemTime",
    "Uuid",
    "IpAddr",
    "Ipv4Addr",
    "Ipv6Addr",
    "SocketAddr",
    "SocketAddrV4",
    "SocketAddrV6",
    "Option",
    "Vec",
    "Map",
    "NonZero",
    "File",
    "ByteStream",
    "Streaming",
];

/// What `sockety-msgpack` tells specta of its `Timestamp`.
pub(super) const TIMESTAMP: &str = "sockety_msgpack::timestamp::OpaqueTimestamp";

/// What is known of a type that specta implements its trait for.
pub(super) enum Foreign {
    Is(Type),
    /// An integer other than 0.
    Nonzero,
    /// As specta has it: containers and pointers, and what travels like the type that specta names.
    Transparent,
    Refused(&'static str),
    /// A type that derives it.
    Unknown,
}

pub(super) fn foreign(module: &str, name: &str) -> Foreign {
    let krate = module.split("::").next().unwrap_or_default();
    let text = |name: String| Foreign::Is(Type::Text(name));
    match (krate, name) {
        ("std" | "core" | "alloc", _) => of_std(name),
        ("bytes", "Bytes" | "BytesMut") => Foreign::Is(Type::Bytes),
        ("uuid", "Uuid") => text(name.to_owned()),
        (
            "chrono",
            "DateTime" | "NaiveDateTime" | "NaiveDate" | "NaiveTime" | "Weekday" | "Month",
        )
        | (
            "jiff",
            "Timestamp" | "Zoned" | "Span" | "SignedDuration" | "Date" | "Time" | "DateTime",
        )
        | ("url", "Url")
        | ("semver", "Version" | "VersionReq" | "Comparator")
        | ("ulid", "Ulid") => text(format!("{krate}::{name}")),
        ("smol_str" | "camino" | "indexmap" | "smallvec" | "arrayvec" | "heapless", _) => {
            Foreign::Transparent
        }
        ("time", _) => {
            Foreign::Refused("how it travels depends on features of `time`: send a `Timestamp`")
        }
        ("rust_decimal" | "bigdecimal", _) => {
            Foreign::Refused("how it travels depends on features of its crate: send a `String`")
        }
        (
            "serde_json" | "serde_yaml" | "toml" | "bson" | "geojson" | "bit_vec" | "bytesize"
            | "chrono" | "either" | "error_stack" | "glam" | "ipnetwork" | "jiff" | "mac_address"
            | "ordered_float" | "uhlc" | "ulid" | "url" | "uuid" | "bevy_ecs" | "bevy_input",
            _,
        ) => Foreign::Refused(
            "specta knows it as it is in JSON: write `#[specta(type = …)]` with a type that travels like it",
        ),
        _ => Foreign::Unknown,
    }
}

fn of_std(name: &str) -> Foreign {
    match name {
        "IpAddr" | "Ipv4Addr" | "Ipv6Addr" | "SocketAddr" | "SocketAddrV4" | "SocketAddrV6" => {
            Foreign::Is(Type::Text(name.to_owned()))
        }
        "Duration" => Foreign::Is(Type::Duration),
        "SystemTime" => Foreign::Is(Type::SystemTime),
        "PhantomData" => Foreign::Refused("it has no value: write `#[serde(skip)]`"),
        "Infallible" => Foreign::Refused("it has no values"),
        "OsString" | "OsStr" | "CString" | "CStr" => {
            Foreign::Refused("how it travels depends on the system: send a `String` or `Bytes`")
        }
        name if name.starts_with("NonZero") => Foreign::Nonzero,
        "Range" | "RangeInclusive" | "Result" => Foreign::Unknown,
        _ => Foreign::Transparent,
    }
}

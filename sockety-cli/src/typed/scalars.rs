//! Values that consist of no others, and times, in both directions.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    str::FromStr,
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rmpv::{Value as Packed, ValueRef};
use serde_json::{Number, Value as Json};
use sockety::msgpack::Timestamp;
use sockety_schema::Type;

use super::Problem;
use crate::value;

/// JSON as a value of a type that consists of no others. None if it does.
pub fn pack(json: &Json, ty: &Type) -> Option<Result<Packed, Problem>> {
    let packed = match ty {
        Type::Nil => match json {
            Json::Null => Some(Packed::Nil),
            _ => None,
        },
        Type::Bool => json.as_bool().map(Packed::from),
        Type::F32 => float(json)
            .map(|value| value as f32)
            .filter(|value| {
                // What is too large for it became infinite.
                value.is_finite() || !json.is_number()
            })
            .map(Packed::from),
        Type::F64 => float(json).map(Packed::from),
        Type::U128 => large::<u128>(json).map(|value| bin(&value.to_be_bytes())),
        Type::I128 => large::<i128>(json).map(|value| bin(&value.to_be_bytes())),
        Type::Nonzero(of) if **of == Type::U128 => large::<u128>(json)
            .filter(|value| *value != 0)
            .map(|value| bin(&value.to_be_bytes())),
        Type::Nonzero(of) if **of == Type::I128 => large::<i128>(json)
            .filter(|value| *value != 0)
            .map(|value| bin(&value.to_be_bytes())),
        Type::Char => json
            .as_str()
            .filter(|text| text.chars().count() == 1)
            .map(Packed::from),
        Type::String => json.as_str().map(Packed::from),
        Type::Text(name) => json
            .as_str()
            .filter(|text| is_text(name, text))
            .map(Packed::from),
        Type::Bytes => bytes(json).map(Packed::Binary),
        Type::Timestamp => timestamp(json).and_then(pack_timestamp),
        Type::Duration => duration(json),
        Type::SystemTime => system_time(json),
        _ => integer(json, ty)?,
    };
    Some(packed.ok_or_else(|| Problem::expected(words(ty), json)))
}

/// An integer of up to 64 bits. None for other types.
fn integer(json: &Json, ty: &Type) -> Option<Option<Packed>> {
    let (least, most) = ty.range()?;
    let value = match json {
        Json::Number(number) => {
            (number.as_u64().map(i128::from)).or_else(|| number.as_i64().map(i128::from))
        }
        _ => None,
    };
    let is_zero_taken = !matches!(ty, Type::Nonzero(_));
    let value = value
        .filter(|value| (least..=most).contains(value))
        .filter(|value| is_zero_taken || *value != 0);
    Some(value.map(|value| match u64::try_from(value) {
        Ok(value) => value.into(),
        Err(_) => (value as i64).into(),
    }))
}

/// What a type is, for a message.
pub fn words(ty: &Type) -> String {
    if let Some((least, most)) = ty.range() {
        let but = match ty {
            Type::Nonzero(_) if least < 0 => " other than 0",
            _ => "",
        };
        return format!("an integer from {least} to {most}{but}");
    }
    match ty {
        Type::Nil => "null".to_owned(),
        Type::Bool => "true or false".to_owned(),
        Type::F32 | Type::F64 => format!(r#"a number, as {ty}, or {{"$float": "NaN"}}"#),
        Type::U128 => format!("an integer from 0 to {}, as text if it is large", u128::MAX),
        Type::I128 => format!(
            "an integer from {} to {}, as text if it is large",
            i128::MIN,
            i128::MAX
        ),
        Type::Nonzero(of) => format!("{} and other than 0", words(of)),
        Type::Char => "a string of one character".to_owned(),
        Type::String => "a string".to_owned(),
        Type::Text(name) => format!("a string, as {name}"),
        Type::Bytes => r#"bytes as base64 or as "hex:…""#.to_owned(),
        Type::Timestamp | Type::SystemTime => r#"a time such as "2026-01-31T12:00:00Z""#.to_owned(),
        Type::Duration => r#"a duration such as "1m 30s" or "250ms""#.to_owned(),
        Type::Sequence(of) if **of == Type::U8 => {
            r#"an array of bytes, base64 or "hex:…""#.to_owned()
        }
        Type::Sequence(_) => "an array".to_owned(),
        Type::Array(_, length) => format!("an array of {length} items"),
        Type::Tuple(items) => format!("an array of {} items", items.len()),
        Type::Map(..) => "an object".to_owned(),
        other => other.to_string(),
    }
}

fn bin(bytes: &[u8]) -> Packed {
    Packed::Binary(bytes.to_vec())
}

fn float(json: &Json) -> Option<f64> {
    match marked(json) {
        Some(("$float", "NaN")) => Some(f64::NAN),
        Some(("$float", "Infinity")) => Some(f64::INFINITY),
        Some(("$float", "-Infinity")) => Some(f64::NEG_INFINITY),
        _ => json.as_f64(),
    }
}

fn large<T: FromStr + From<u64> + TryFrom<i128>>(json: &Json) -> Option<T> {
    match json {
        Json::String(text) => text.parse().ok(),
        Json::Number(number) => match number.as_u64() {
            Some(number) => Some(number.into()),
            None => T::try_from(i128::from(number.as_i64()?)).ok(),
        },
        _ => None,
    }
}

/// The bytes that a person has written.
pub fn bytes(json: &Json) -> Option<Vec<u8>> {
    if let Some(("$bin", text)) = marked(json) {
        return BASE64_STANDARD.decode(text).ok();
    }
    let text = json.as_str()?;
    // No base64 has a colon.
    match text.strip_prefix("hex:") {
        Some(digits) => hexadecimal(digits),
        None => BASE64_STANDARD.decode(text).ok(),
    }
}

fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<_>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits?;
    let pairs = digits.chunks_exact(2);
    let is_whole = pairs.remainder().is_empty();
    is_whole.then(|| pairs.map(|pair| (pair[0] * 16 + pair[1]) as u8).collect())
}

/// The marker of an object with one entry, and its text.
fn marked(json: &Json) -> Option<(&str, &str)> {
    let object = json.as_object().filter(|object| object.len() == 1)?;
    let (marker, value) = object.iter().next()?;
    Some((marker, value.as_str()?))
}

/// Whether a text is read as this type, as far as this program knows it.
fn is_text(name: &str, text: &str) -> bool {
    match name {
        "Uuid" => uuid::Uuid::parse_str(text).is_ok(),
        "IpAddr" => IpAddr::from_str(text).is_ok(),
        "Ipv4Addr" => Ipv4Addr::from_str(text).is_ok(),
        "Ipv6Addr" => Ipv6Addr::from_str(text).is_ok(),
        "SocketAddr" => SocketAddr::from_str(text).is_ok(),
        "SocketAddrV4" => SocketAddrV4::from_str(text).is_ok(),
        "SocketAddrV6" => SocketAddrV6::from_str(text).is_ok(),
        _ => true,
    }
}

fn timestamp(json: &Json) -> Option<Timestamp> {
    let text = match marked(json) {
        Some(("$time", text)) => text,
        _ => json.as_str()?,
    };
    text.parse().ok()
}

fn pack_timestamp(timestamp: Timestamp) -> Option<Packed> {
    let bytes = sockety::msgpack::to_vec(&timestamp).ok()?;
    rmpv::decode::read_value(&mut &bytes[..]).ok()
}

fn duration(json: &Json) -> Option<Packed> {
    let duration = match json {
        Json::Object(object) => {
            let (seconds, nanos) = parts(object, "secs", "nanos")?;
            Duration::new(seconds, nanos)
        }
        _ => humantime::parse_duration(json.as_str()?).ok()?,
    };
    Some(pair(
        "secs",
        duration.as_secs(),
        "nanos",
        duration.subsec_nanos(),
    ))
}

fn system_time(json: &Json) -> Option<Packed> {
    let names = ("secs_since_epoch", "nanos_since_epoch");
    let (seconds, nanos) = match json {
        Json::Object(object) if marked(json).is_none() => parts(object, names.0, names.1)?,
        _ => {
            let timestamp = timestamp(json)?;
            (
                u64::try_from(timestamp.seconds()).ok()?,
                timestamp.nanoseconds(),
            )
        }
    };
    Some(pair(names.0, seconds, names.1, nanos))
}

fn parts(object: &serde_json::Map<String, Json>, seconds: &str, nanos: &str) -> Option<(u64, u32)> {
    let seconds = object.get(seconds)?.as_u64()?;
    let nanos = u32::try_from(object.get(nanos)?.as_u64()?).ok()?;
    (object.len() == 2 && nanos < 1_000_000_000).then_some((seconds, nanos))
}

fn pair(seconds_name: &str, seconds: u64, nanos_name: &str, nanos: u32) -> Packed {
    Packed::Map(vec![
        (seconds_name.into(), seconds.into()),
        (nanos_name.into(), nanos.into()),
    ])
}

/// A value of a type that consists of no others, as JSON. None if the type does, or the value is none of it.
pub fn show(value: &ValueRef<'_>, ty: &Type) -> Option<Json> {
    match (ty, value) {
        (Type::Nil, ValueRef::Nil)
        | (Type::Bool, ValueRef::Boolean(_))
        | (Type::F64, ValueRef::F64(_))
        | (Type::Char | Type::String | Type::Text(_), ValueRef::String(_)) => {
            Some(value::to_json(value))
        }
        (Type::F32, ValueRef::F32(number)) => Some(shortest(*number)),
        (Type::U128, ValueRef::Binary(bytes)) => {
            let bytes = <[u8; 16]>::try_from(*bytes).ok()?;
            Some(u128::from_be_bytes(bytes).to_string().into())
        }
        (Type::I128, ValueRef::Binary(bytes)) => {
            let bytes = <[u8; 16]>::try_from(*bytes).ok()?;
            Some(i128::from_be_bytes(bytes).to_string().into())
        }
        (Type::Nonzero(of), ValueRef::Binary(_)) => show(value, of),
        (Type::Bytes, ValueRef::Binary(bytes)) => Some(BASE64_STANDARD.encode(bytes).into()),
        (Type::Timestamp, ValueRef::Ext(-1, _)) => show_timestamp(value),
        (Type::Duration, ValueRef::Map(_)) => {
            let (seconds, nanos) = numbers(value, "secs", "nanos")?;
            Some(show_duration(Duration::new(seconds, nanos)))
        }
        (Type::SystemTime, ValueRef::Map(_)) => {
            let (seconds, nanos) = numbers(value, "secs_since_epoch", "nanos_since_epoch")?;
            let time = SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos));
            let text = time.map(|time| Timestamp::from(time).to_string());
            Some(text.map_or_else(|| value::to_json(value), Json::from))
        }
        (_, ValueRef::Integer(number)) => {
            let (least, most) = ty.range()?;
            let of_u64 = number.as_u64().map(i128::from);
            let number = of_u64.or_else(|| number.as_i64().map(i128::from))?;
            let is_within = (least..=most).contains(&number);
            is_within.then(|| value::to_json(value))
        }
        _ => None,
    }
}

/// A float with as many digits as tell it apart from all others of 32 bits.
fn shortest(number: f32) -> Json {
    let text = number.to_string().parse().ok();
    match text.and_then(Number::from_f64) {
        Some(number) => number.into(),
        None => value::to_json(&ValueRef::F32(number)),
    }
}

fn show_timestamp(value: &ValueRef<'_>) -> Option<Json> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value_ref(&mut bytes, value).ok()?;
    let timestamp: Timestamp = sockety::msgpack::from_slice(&bytes).ok()?;
    Some(timestamp.to_string().into())
}

/// As people write it, unless it would be read as another one.
fn show_duration(duration: Duration) -> Json {
    let text = humantime::format_duration(duration).to_string();
    match humantime::parse_duration(&text) {
        Ok(read) if read == duration => text.into(),
        _ => serde_json::json!({ "secs": duration.as_secs(), "nanos": duration.subsec_nanos() }),
    }
}

fn numbers(value: &ValueRef<'_>, seconds: &str, nanos: &str) -> Option<(u64, u32)> {
    let ValueRef::Map(entries) = value else {
        return None;
    };
    let number = |name: &str| {
        let is_same =
            |key: &ValueRef<'_>| matches!(key, ValueRef::String(key) if key.as_str() == Some(name));
        let (_, value) = entries.iter().find(|(key, _)| is_same(key))?;
        value.as_u64()
    };
    let nanos = u32::try_from(number(nanos)?).ok()?;
    let is_valid = entries.len() == 2 && nanos < 1_000_000_000;
    is_valid.then_some((number(seconds)?, nanos))
}

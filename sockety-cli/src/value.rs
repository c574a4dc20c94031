//! Converts MessagePack to JSON and back. Values without a JSON form are objects with one key that
//! begins with `$`:
//!
//! | MessagePack | JSON |
//! | --- | --- |
//! | bin | `{"$bin": "base64"}` |
//! | a timestamp (extension type -1) | `{"$time": "2026-01-31T12:00:00Z"}` |
//! | any other extension | `{"$ext": [type, "base64"]}` |
//! | NaN and the infinities | `{"$float": "NaN"}`, `"Infinity"`, `"-Infinity"` |
//! | a map with keys that are not strings, or with duplicate keys | `{"$map": [[key, value], …]}` |
//! | JavaScript's `undefined` (extension type 0) | `null` |

use std::{fmt, time::SystemTime};

use base64::{Engine, prelude::BASE64_STANDARD};
use rmpv::{Integer, Utf8StringRef, Value as Packed, ValueRef};
use serde_json::{Map, Number, Value as Json, json};
use sockety::msgpack::{self, Bounds, DecodeError, Timestamp};

/// Larger or deeper values are shown as bytes. In a stream of items they are an error.
pub(crate) const BOUNDS: Bounds = Bounds::new().max_items(1_000_000);

/// Keys with a special meaning if an object has only this one.
const MARKERS: [&str; 5] = ["$bin", "$time", "$ext", "$float", "$map"];

/// Extension types with a meaning.
const UNDEFINED: i8 = 0;
const TIMESTAMP: i8 = -1;

/// A payload as JSON.
#[derive(Debug, PartialEq)]
pub enum Shown {
    /// The value.
    Value(Json),
    /// An error of a service: an object with `name`, `message` and `details`.
    Error(Json),
    /// No value that can be shown: the bytes, and why.
    Raw(Json, Problem),
}

/// Why a payload is shown as bytes.
#[derive(Debug, PartialEq)]
pub enum Problem {
    /// Its bytes are not MessagePack.
    Invalid(String),
    /// It has more levels or values than are shown.
    OverBounds(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(problem) => write!(f, "not MessagePack: {problem}"),
            Self::OverBounds(problem) => write!(f, "MessagePack, but too large to show: {problem}"),
        }
    }
}

impl Shown {
    /// Reads a payload, which must not be empty.
    pub fn of(payload: &[u8]) -> Self {
        match read(payload) {
            Ok(shown) => shown,
            Err(problem) => Self::Raw(bytes_to_json(payload), problem),
        }
    }

    /// The JSON of an item of a stream: an error is an object with the key `$error`.
    pub fn into_item(self) -> Json {
        match self {
            Self::Error(error) => json!({ "$error": error }),
            Self::Value(json) | Self::Raw(json, _) => json,
        }
    }

    /// The JSON to show, whatever the payload is.
    pub fn json(&self) -> &Json {
        match self {
            Self::Value(json) | Self::Error(json) | Self::Raw(json, _) => json,
        }
    }
}

impl From<&DecodeError> for Problem {
    fn from(error: &DecodeError) -> Self {
        match error {
            DecodeError::TooDeep { .. } | DecodeError::TooManyItems { .. } => {
                Self::OverBounds(error.to_string())
            }
            error => Self::Invalid(error.to_string()),
        }
    }
}

/// Bytes as JSON.
pub fn bytes_to_json(bytes: &[u8]) -> Json {
    json!({ "$bin": BASE64_STANDARD.encode(bytes) })
}

/// What a payload consists of.
pub enum Parts<'a> {
    Value(ValueRef<'a>),
    /// The name, message and details of an error of a service.
    Error([ValueRef<'a>; 3]),
}

impl<'a> Parts<'a> {
    /// Reads a payload, which must not be empty.
    pub fn of(payload: &'a [u8]) -> Result<Self, Problem> {
        // Checks the structure first, so that nothing unbounded is built.
        let checked = msgpack::check(payload, &BOUNDS).map_err(|error| Problem::from(&error))?;
        let mut rest = payload;
        let mut next = || {
            rmpv::decode::read_value_ref(&mut rest)
                .map_err(|error| Problem::Invalid(error.to_string()))
        };
        if !checked.service_error {
            return next().map(Self::Value);
        }
        next()?; // The marker.
        let ValueRef::Array(parts) = next()? else {
            return Err(Problem::Invalid(
                "the error of a service is not an array".into(),
            ));
        };
        let mut parts = parts.into_iter();
        let mut part = || parts.next().unwrap_or(ValueRef::Nil);
        Ok(Self::Error([(); 3].map(|()| part())))
    }
}

fn read(payload: &[u8]) -> Result<Shown, Problem> {
    Ok(match Parts::of(payload)? {
        Parts::Value(value) => Shown::Value(to_json(&value)),
        Parts::Error(parts) => Shown::Error(error_to_json(parts.each_ref().map(to_json))),
    })
}

/// The name, message and details of an error of a service.
pub fn error_to_json([name, message, details]: [Json; 3]) -> Json {
    json!({ "name": name, "message": message, "details": details })
}

pub fn to_json(value: &ValueRef<'_>) -> Json {
    match value {
        ValueRef::Nil => Json::Null,
        ValueRef::Boolean(value) => (*value).into(),
        ValueRef::Integer(value) => integer_to_json(*value),
        ValueRef::F32(value) => float_to_json(f64::from(*value)),
        ValueRef::F64(value) => float_to_json(*value),
        ValueRef::String(text) => string_to_json(text),
        ValueRef::Binary(bytes) => bytes_to_json(bytes),
        ValueRef::Array(values) => values.iter().map(to_json).collect(),
        ValueRef::Map(entries) => map_to_json(entries),
        ValueRef::Ext(UNDEFINED, _) => Json::Null,
        ValueRef::Ext(kind, data) => time_to_json(*kind, data)
            .unwrap_or_else(|| json!({ "$ext": [kind, BASE64_STANDARD.encode(data)] })),
    }
}

fn integer_to_json(value: Integer) -> Json {
    match value.as_u64() {
        Some(value) => value.into(),
        None => value.as_i64().into(),
    }
}

fn float_to_json(value: f64) -> Json {
    match Number::from_f64(value) {
        Some(number) => number.into(),
        None if value.is_nan() => json!({ "$float": "NaN" }),
        None if value > 0.0 => json!({ "$float": "Infinity" }),
        None => json!({ "$float": "-Infinity" }),
    }
}

fn string_to_json(text: &Utf8StringRef<'_>) -> Json {
    match text.as_str() {
        Some(text) => text.into(),
        None => json!({ "$bin": BASE64_STANDARD.encode(text.as_bytes()) }),
    }
}

fn map_to_json(entries: &[(ValueRef<'_>, ValueRef<'_>)]) -> Json {
    let mut object = Map::new();
    for (key, value) in entries {
        let ValueRef::String(key) = key else {
            return pairs_to_json(entries);
        };
        let Some(key) = key.as_str() else {
            return pairs_to_json(entries);
        };
        if object.insert(key.to_owned(), to_json(value)).is_some() {
            return pairs_to_json(entries);
        }
    }
    // A map that looks like one of our marked objects would be mistaken for one.
    match marker(&object) {
        Some(_) => pairs_to_json(entries),
        None => object.into(),
    }
}

fn pairs_to_json(entries: &[(ValueRef<'_>, ValueRef<'_>)]) -> Json {
    let pair = |(key, value): &(ValueRef<'_>, ValueRef<'_>)| json!([to_json(key), to_json(value)]);
    json!({ "$map": entries.iter().map(pair).collect::<Vec<_>>() })
}

/// Shows a timestamp as a date, if its year is between 1970 and 9999.
fn time_to_json(kind: i8, data: &[u8]) -> Option<Json> {
    if kind != TIMESTAMP {
        return None;
    }
    let mut bytes = Vec::new();
    rmpv::encode::write_value_ref(&mut bytes, &ValueRef::Ext(kind, data)).ok()?;
    let timestamp: Timestamp = msgpack::from_slice(&bytes).ok()?;
    let in_calendar = 0..253_402_300_800; // to the year 10000
    if !in_calendar.contains(&timestamp.seconds()) {
        return None;
    }
    let time = SystemTime::try_from(timestamp).ok()?;
    Some(json!({ "$time": humantime::format_rfc3339(time).to_string() }))
}

/// Why JSON text cannot be converted.
#[derive(Debug)]
pub enum InvalidJson {
    /// It is not JSON.
    Syntax(serde_json::Error),
    /// A marked object has a value that its marker does not allow.
    Marked(&'static str, Json),
}

impl InvalidJson {
    /// What is wrong, without anything of the text.
    pub fn kind(&self) -> String {
        match self {
            Self::Syntax(error) => {
                let (line, column) = (error.line(), error.column());
                format!("not JSON, at line {line} column {column}")
            }
            Self::Marked(marker, _) => format!("invalid {marker} value; see the help of --json"),
        }
    }
}

impl fmt::Display for InvalidJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => {
                write!(
                    f,
                    "not JSON: {error}; strings need quotes, as in '\"hello\"'"
                )
            }
            Self::Marked(marker, value) => {
                write!(f, "invalid {marker} value {value}; see the help of --json")
            }
        }
    }
}

/// Converts JSON text to MessagePack.
pub fn from_json(text: &str) -> Result<Vec<u8>, InvalidJson> {
    to_msgpack(parse(text)?)
}

/// Reads JSON text.
pub fn parse(text: &str) -> Result<Json, InvalidJson> {
    serde_json::from_str(text).map_err(InvalidJson::Syntax)
}

/// Converts JSON to MessagePack.
pub fn to_msgpack(json: Json) -> Result<Vec<u8>, InvalidJson> {
    let mut bytes = Vec::new();
    let packed = pack(json)?;
    rmpv::encode::write_value(&mut bytes, &packed).expect("a vector takes everything");
    Ok(bytes)
}

fn pack(json: Json) -> Result<Packed, InvalidJson> {
    Ok(match json {
        Json::Null => Packed::Nil,
        Json::Bool(value) => value.into(),
        Json::Number(number) => pack_number(&number),
        Json::String(text) => text.into(),
        Json::Array(values) => {
            let values: Result<_, _> = values.into_iter().map(pack).collect();
            Packed::Array(values?)
        }
        Json::Object(object) => match marker(&object) {
            Some((marker, value)) => pack_marked(marker, value)
                .ok_or_else(|| InvalidJson::Marked(marker, value.clone()))??,
            None => {
                let entry = |(key, value): (String, Json)| Ok((key.into(), pack(value)?));
                let entries: Result<_, InvalidJson> = object.into_iter().map(entry).collect();
                Packed::Map(entries?)
            }
        },
    })
}

fn pack_number(number: &Number) -> Packed {
    if let Some(value) = number.as_u64() {
        return value.into();
    }
    if let Some(value) = number.as_i64() {
        return value.into();
    }
    number.as_f64().unwrap_or(f64::NAN).into()
}

/// The marker and value of a marked object.
fn marker(object: &Map<String, Json>) -> Option<(&'static str, &Json)> {
    let (key, value) = object.iter().next()?;
    let marker = MARKERS.into_iter().find(|marker| marker == key)?;
    (object.len() == 1).then_some((marker, value))
}

fn pack_marked(marker: &str, value: &Json) -> Option<Result<Packed, InvalidJson>> {
    Some(Ok(match marker {
        "$bin" => Packed::Binary(BASE64_STANDARD.decode(value.as_str()?).ok()?),
        "$ext" => {
            let [kind, data] = value.as_array()?.as_slice() else {
                return None;
            };
            let kind = i8::try_from(kind.as_i64()?).ok()?;
            Packed::Ext(kind, BASE64_STANDARD.decode(data.as_str()?).ok()?)
        }
        "$time" => pack_time(value.as_str()?)?,
        "$float" => match value.as_str()? {
            "NaN" => f64::NAN.into(),
            "Infinity" => f64::INFINITY.into(),
            "-Infinity" => f64::NEG_INFINITY.into(),
            _ => return None,
        },
        "$map" => return pack_pairs(value),
        _ => return None,
    }))
}

fn pack_pairs(value: &Json) -> Option<Result<Packed, InvalidJson>> {
    let mut entries = Vec::new();
    for pair in value.as_array()? {
        let [key, value] = pair.as_array()?.as_slice() else {
            return None;
        };
        let (key, value) = match (pack(key.clone()), pack(value.clone())) {
            (Ok(key), Ok(value)) => (key, value),
            (Err(problem), _) | (_, Err(problem)) => return Some(Err(problem)),
        };
        entries.push((key, value));
    }
    Some(Ok(Packed::Map(entries)))
}

fn pack_time(text: &str) -> Option<Packed> {
    let time = humantime::parse_rfc3339_weak(text).ok()?;
    let bytes = msgpack::to_vec(&Timestamp::from(time)).ok()?;
    rmpv::decode::read_value(&mut &bytes[..]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, bytes: &[u8]) {
        assert_eq!(from_json(json).unwrap(), bytes, "{json}");
        match Shown::of(bytes) {
            Shown::Value(shown) => assert_eq!(shown.to_string(), json),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_form_goes_there_and_back() {
        check("null", &[0xC0]);
        check(
            "[1,-1,300,18446744073709551615]",
            b"\x94\x01\xff\xcd\x01\x2c\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
        );
        check("1.0", &[0xCB, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0]);
        check(r#"{"b":true,"a":"é"}"#, b"\x82\xa1b\xc3\xa1a\xa2\xc3\xa9");
        check(r#"{"$bin":"AAE="}"#, &[0xC4, 2, 0, 1]);
        check(r#"{"$ext":[5,"AQ=="]}"#, &[0xD4, 5, 1]);
        check(
            r#"{"$time":"2023-11-14T22:13:20Z"}"#,
            &[0xD6, 0xFF, 0x65, 0x53, 0xF1, 0x00],
        );
        check(
            r#"{"$float":"-Infinity"}"#,
            &[0xCB, 0xFF, 0xF0, 0, 0, 0, 0, 0, 0],
        );
        check(
            r#"{"$map":[[1,"a"],[null,[]]]}"#,
            &[0x82, 1, 0xA1, b'a', 0xC0, 0x90],
        );
        // A map of the peer that looks like a marker.
        check(r#"{"$map":[["$bin","x"]]}"#, b"\x81\xa4$bin\xa1x");
        check(r#"{"$other":1}"#, b"\x81\xa6$other\x01");
        check(r#"{"$map":[["a",1],["a",2]]}"#, b"\x82\xa1a\x01\xa1a\x02");
    }

    #[test]
    fn nan_and_times_before_1970_are_shown() {
        let nan = Shown::of(&[0xCB, 0x7F, 0xF8, 0, 0, 0, 0, 0, 0]);
        assert_eq!(nan, Shown::Value(json!({ "$float": "NaN" })));
        let early = msgpack::to_vec(&Timestamp::new(-1, 0).unwrap()).unwrap();
        let Shown::Value(shown) = Shown::of(&early) else {
            panic!()
        };
        assert_eq!(shown["$ext"][0], -1);
        assert_eq!(from_json(&shown.to_string()).unwrap(), early);
    }

    #[test]
    fn undefined_is_null_and_errors_are_errors() {
        assert_eq!(Shown::of(&[0xD4, 0, 0]), Shown::Value(Json::Null));
        let error = b"\xd4\x65\x00\x93\xa3Bad\xa4text\x07";
        let parts = json!({ "name": "Bad", "message": "text", "details": 7 });
        assert_eq!(Shown::of(error), Shown::Error(parts));
    }

    #[test]
    fn what_is_no_message_pack_is_shown_as_bytes() {
        for bytes in [&b"\xc1"[..], b"\x92\x01", b"\x01\x01", &[0x91; 100]] {
            let Shown::Raw(json, Problem::Invalid(_)) = Shown::of(bytes) else {
                panic!("{bytes:?}")
            };
            assert_eq!(from_json(&json.to_string()).unwrap()[2..], *bytes);
        }
    }

    #[test]
    fn what_is_too_deep_or_too_long_to_show_is_not_said_to_be_no_message_pack() {
        let mut deep = [0x91; 201];
        deep[200] = 0xC0;
        assert!(matches!(Shown::of(&deep), Shown::Value(_)), "200 levels");
        let mut deeper = [0x91; 202];
        deeper[201] = 0xC0;
        let mut long = vec![0xC0; 1_000_005];
        long[..5].copy_from_slice(&[0xDD, 0, 0x0F, 0x42, 0x40]);
        for (bytes, what) in [
            (&deeper[..], "201 levels, maximum is 200"),
            (&long, "1000001, maximum is 1000000"),
        ] {
            let Shown::Raw(_, problem) = Shown::of(bytes) else {
                panic!("{what}");
            };
            let text = problem.to_string();
            assert!(
                text.starts_with("MessagePack, but too large to show: "),
                "{text}"
            );
            assert!(text.ends_with(what), "{text}");
        }
    }

    #[test]
    fn markers_with_nonsense_are_refused() {
        for json in [
            r#"{"$bin":1}"#,
            r#"{"$bin":"?"}"#,
            r#"{"$ext":[500,""]}"#,
            r#"{"$time":"soon"}"#,
            r#"{"$float":"1"}"#,
            r#"{"$map":[[1]]}"#,
            r#"{"$map":[[{"$bin":1},2]]}"#,
            "hello",
            "",
        ] {
            assert!(from_json(json).is_err(), "{json}");
        }
    }
}

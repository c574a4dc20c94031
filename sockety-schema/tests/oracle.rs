//! Schemas, against what serde does: what it asks for when it reads a type, and what it writes.

#![allow(
    clippy::use_self,
    clippy::too_many_arguments,
    reason = "specta has no `Self`, and a service here has all types"
)]
#![allow(dead_code, reason = "types that are only described")]

mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_reflection::{ContainerFormat, Format, Named, Tracer, TracerConfig, VariantFormat};
use sockety::service;
use sockety_msgpack::{from_slice, to_vec};
use sockety_schema::{Content, Field, Service, Shape, Type, of};

use support::Maker;

#[derive(Debug, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "camelCase")]
struct Numbers {
    a_one: u8,
    b_two: u16,
    c: u32,
    d: u64,
    e: i8,
    f: i16,
    g: i32,
    h: i64,
    i: u128,
    j: i128,
    k: f32,
    l: f64,
    m: bool,
    n: char,
    o: (),
    p: usize,
    q: isize,
}

#[derive(Debug, Serialize, Deserialize, specta::Type)]
struct Lists {
    text: String,
    bytes: Bytes,
    list: Vec<Unit>,
    array: [u16; 3],
    pair: (u8, String),
    map: BTreeMap<String, Option<Pair>>,
    boxed: Box<Id>,
    #[serde(skip)]
    skipped: u8,
    #[serde(rename = "other")]
    renamed: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize, specta::Type)]
struct Unit;

#[derive(Debug, Serialize, Deserialize, specta::Type)]
struct Id(u64);

#[derive(Debug, Serialize, Deserialize, specta::Type)]
struct Pair(Id, bool);

#[derive(Debug, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE", rename_all_fields = "PascalCase")]
enum Kinds {
    PlainOne,
    WithValue(Id),
    WithValues(u8, Lists),
    #[serde(rename_all = "kebab-case")]
    WithFields {
        one_field: u8,
    },
    MoreFields {
        one_field: Numbers,
    },
}

#[derive(Debug, Serialize, Deserialize, specta::Type)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Internal {
    PlainOne,
    WithValue(Inner),
    WithFields { one: u8 },
}

#[derive(Debug, Serialize, Deserialize, specta::Type)]
struct Inner {
    x: i32,
    #[serde(flatten)]
    y: Option<Deeper>,
}

#[derive(Debug, Serialize, Deserialize, specta::Type)]
struct Deeper {
    z: String,
}

#[derive(Debug, Serialize, Deserialize, specta::Type)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    A,
    B(u8),
    C {
        d: Internal,
    },
    #[serde(untagged)]
    E(String),
}

#[derive(Debug, Serialize, Deserialize, specta::Type)]
#[serde(untagged)]
enum Untagged {
    A(u8),
    C(Vec<Untagged>),
    B { x: String },
}

#[derive(Debug, Serialize, Deserialize, specta::Type)]
struct Generic<T, const N: usize> {
    value: T,
    rest: Vec<Generic<T, N>>,
}

#[derive(Debug, Serialize, Deserialize, specta::Type)]
struct Special {
    id: uuid::Uuid,
    ip: std::net::IpAddr,
    socket: std::net::SocketAddr,
    at: std::time::SystemTime,
    took: std::time::Duration,
    some: std::num::NonZeroU64,
    url: url::Url,
    day: chrono::NaiveDate,
    time: sockety::msgpack::Timestamp,
    result: Result<u8, String>,
    range: std::ops::Range<u8>,
}

#[service]
trait All {
    async fn go(
        &self,
        numbers: Numbers,
        lists: Lists,
        kinds: Kinds,
        internal: Internal,
        adjacent: Adjacent,
        untagged: Untagged,
        generic: Generic<Pair, 3>,
        special: Special,
    );
}

fn service() -> Service {
    let schema = of::<AllClient>().expect("described");
    schema.services["All"].clone()
}

fn parameter<'a>(service: &'a Service, name: &str) -> &'a Type {
    let parameters = &service.actions["go"].parameters;
    let parameter = parameters.iter().find(|it| it.name == name);
    parameter
        .and_then(|it| it.ty.as_ref())
        .expect("a parameter")
}

/// What serde asks for is what the schema says, for the types that serde-reflection can trace.
#[test]
fn serde_reads_what_the_schema_says() {
    let service = service();
    let mut tracer = Tracer::new(TracerConfig::default().is_human_readable(true));
    tracer.trace_simple_type::<Kinds>().expect("traced");
    tracer.trace_simple_type::<Lists>().expect("traced");
    tracer.trace_simple_type::<Numbers>().expect("traced");
    let registry = tracer.registry().expect("complete");
    for name in ["Kinds", "Lists", "Numbers", "Id", "Pair", "Unit"] {
        let found = &registry[name];
        let shape = &service.types[name].shape;
        assert!(is_same(shape, found), "{name}: {shape:?} and {found:?}");
    }
}

fn is_same(shape: &Shape, format: &ContainerFormat) -> bool {
    match (shape, format) {
        (Shape::Unit, ContainerFormat::UnitStruct) => true,
        (Shape::Newtype(ty), ContainerFormat::NewTypeStruct(format)) => is_read(ty, format),
        (Shape::Tuple(types), ContainerFormat::TupleStruct(formats)) => are_read(types, formats),
        (Shape::Struct(of), ContainerFormat::Struct(fields)) => are_fields(&of.fields, fields),
        (Shape::Enum(of), ContainerFormat::Enum(variants)) => {
            of.variants.len() == variants.len()
                && of
                    .variants
                    .iter()
                    .zip(variants.values())
                    .all(|(one, other)| {
                        one.name == other.name
                            && match (&one.content, &other.value) {
                                (Content::Unit, VariantFormat::Unit) => true,
                                (Content::Newtype(ty), VariantFormat::NewType(format)) => {
                                    is_read(ty, format)
                                }
                                (Content::Tuple(types), VariantFormat::Tuple(formats)) => {
                                    are_read(types, formats)
                                }
                                (Content::Struct(fields), VariantFormat::Struct(formats)) => {
                                    are_fields(fields, formats)
                                }
                                _ => false,
                            }
                    })
        }
        _ => false,
    }
}

fn are_fields(fields: &[Field], formats: &[Named<Format>]) -> bool {
    fields.len() == formats.len()
        && fields
            .iter()
            .zip(formats)
            .all(|(field, format)| field.name == format.name && is_read(&field.ty, &format.value))
}

fn are_read(types: &[Type], formats: &[Format]) -> bool {
    types.len() == formats.len()
        && types
            .iter()
            .zip(formats)
            .all(|(ty, format)| is_read(ty, format))
}

fn is_read(ty: &Type, format: &Format) -> bool {
    match (ty, format) {
        (Type::Nil, Format::Unit)
        | (Type::Bool, Format::Bool)
        | (Type::U8, Format::U8)
        | (Type::U16, Format::U16)
        | (Type::U32, Format::U32)
        | (Type::U64, Format::U64)
        | (Type::U128, Format::U128)
        | (Type::I8, Format::I8)
        | (Type::I16, Format::I16)
        | (Type::I32, Format::I32)
        | (Type::I64, Format::I64)
        | (Type::I128, Format::I128)
        | (Type::F32, Format::F32)
        | (Type::F64, Format::F64)
        | (Type::Char, Format::Char)
        | (Type::String, Format::Str)
        | (Type::Bytes, Format::Bytes) => true,
        (Type::Named(name), Format::TypeName(known)) => name == known,
        (Type::Option(ty), Format::Option(format)) | (Type::Sequence(ty), Format::Seq(format)) => {
            is_read(ty, format)
        }
        (Type::Map(key, value), Format::Map { key: a, value: b }) => {
            is_read(key, a) && is_read(value, b)
        }
        (Type::Tuple(types), Format::Tuple(formats)) => are_read(types, formats),
        (Type::Array(ty, length), Format::TupleArray { content, size }) => {
            *length == *size as u64 && is_read(ty, content)
        }
        _ => false,
    }
}

/// Values that are made from nothing but the schema are read, and what is written of them is the same.
#[test]
fn serde_writes_what_the_schema_says() {
    let service = service();
    check::<Numbers>(&service, "numbers");
    check::<Lists>(&service, "lists");
    check::<Kinds>(&service, "kinds");
    check::<Internal>(&service, "internal");
    check::<Adjacent>(&service, "adjacent");
    check::<Untagged>(&service, "untagged");
    check::<Generic<Pair, 3>>(&service, "generic");
    check::<Special>(&service, "special");
}

fn check<T: Serialize + DeserializeOwned>(service: &Service, name: &str) {
    let ty = parameter(service, name);
    for seed in 0..500 {
        let made = Maker::new(service, seed * 7919).make(ty);
        let bytes = to_vec(&made).expect("encoded");
        let value: T = from_slice(&bytes).unwrap_or_else(|error| panic!("{made:?}: {error}"));
        let written = to_vec(&value).expect("encoded");
        assert_eq!(written, bytes, "{made:?}");
    }
}

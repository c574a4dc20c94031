//! Payloads for people to begin with.

use serde_json::{Map, Value as Json, json};
use sockety_schema::{Action, Content, Enum, Field, Form, Shape, Tagging, Type};

use super::{Types, keys::KeyForm, pack::tagged_variants};

/// The payload of a request. None if it has none, or none that is small.
pub fn payload(action: &Action, types: &Types) -> Option<Json> {
    let mut maker = Maker {
        types,
        steps: 10_000,
        open: Vec::new(),
    };
    let mut parameters = action.payload();
    match action.form() {
        Form::Empty => None,
        Form::Value => maker.value(parameters.next()?.ty.as_ref()?, 0),
        _ => {
            let mut object = Map::new();
            for parameter in parameters {
                let value = maker.value(parameter.ty.as_ref()?, 0)?;
                object.insert(parameter.name.clone(), value);
            }
            Some(object.into())
        }
    }
}

struct Maker<'a> {
    types: &'a Types,
    steps: usize,
    /// The named types around what is made. What contains itself is left out.
    open: Vec<String>,
}

/// Below this, what may be empty is, so that types that contain themselves come to an end.
const DEEP: usize = 4;

/// What is deeper is none to begin with.
const DEEPEST: usize = 24;

impl Maker<'_> {
    fn value(&mut self, ty: &Type, depth: usize) -> Option<Json> {
        self.steps = self.steps.checked_sub(1)?;
        if depth > DEEPEST {
            return None;
        }
        let is_deep = depth >= DEEP;
        Some(match ty {
            Type::Nil => Json::Null,
            Type::Bool => true.into(),
            Type::F32 | Type::F64 => 1.5.into(),
            Type::U128 | Type::I128 => "1".into(),
            Type::Nonzero(of) if of.range().is_none() => "1".into(),
            Type::Char => "x".into(),
            Type::String => "text".into(),
            Type::Text(name) => example(name)?.into(),
            Type::Bytes => "AAEC".into(),
            Type::Timestamp | Type::SystemTime => "2026-01-31T12:00:00Z".into(),
            Type::Duration => "1m 30s".into(),
            Type::Option(_) if is_deep => Json::Null,
            Type::Option(of) => self.value(of, depth + 1).unwrap_or(Json::Null),
            Type::Sequence(_) if is_deep => json!([]),
            Type::Sequence(of) => match self.value(of, depth + 1) {
                Some(item) => json!([item]),
                None => json!([]),
            },
            Type::Array(of, length) => {
                let items = (0..*length).map(|_| self.value(of, depth + 1));
                Json::Array(items.collect::<Option<_>>()?)
            }
            Type::Tuple(items) => self.tuple(items, depth)?,
            Type::Map(..) if is_deep => json!({}),
            Type::Map(key, value) => self.map(key, value, depth),
            Type::Named(name) => {
                if self.open.contains(name) {
                    return None;
                }
                self.open.push(name.clone());
                let made = self.named(name, depth);
                self.open.pop();
                made?
            }
            // Integers.
            ty => ty.range().map(|_| 1.into())?,
        })
    }

    fn named(&mut self, name: &str, depth: usize) -> Option<Json> {
        let types = self.types;
        Some(match &types.get(name)?.shape {
            Shape::Unit => json!([]),
            Shape::Newtype(ty) => self.value(ty, depth + 1)?,
            Shape::Tuple(items) => self.tuple(items, depth)?,
            Shape::Struct(of) => self.fields(&of.fields, depth)?.into(),
            Shape::Enum(of) => self.enumeration(of, depth)?,
            _ => return None,
        })
    }

    fn tuple(&mut self, items: &[Type], depth: usize) -> Option<Json> {
        let items = items.iter().map(|item| self.value(item, depth + 1));
        items.collect::<Option<_>>().map(Json::Array)
    }

    fn map(&mut self, key: &Type, value: &Type, depth: usize) -> Json {
        let entry = self.value(key, depth + 1).zip(self.value(value, depth + 1));
        match (entry, KeyForm::of(self.types, key)) {
            (Some((Json::String(key), value)), KeyForm::Text) => json!({ key: value }),
            (Some((key, value)), KeyForm::Literal) => json!({ key.to_string(): value }),
            (Some((key, value)), _) => json!({ "$map": [[key, value]] }),
            (None, _) => json!({}),
        }
    }

    fn fields(&mut self, fields: &[Field], depth: usize) -> Option<Map<String, Json>> {
        let mut object = Map::new();
        for field in fields {
            match self.value(&field.ty, depth + 1) {
                Some(Json::Object(entries)) if field.flatten => object.extend(entries),
                Some(_) if field.flatten => {}
                Some(value) => {
                    object.insert(field.name.clone(), value);
                }
                None if field.optional => {}
                None => return None,
            }
        }
        Some(object)
    }

    /// The first variant that comes to an end.
    fn enumeration(&mut self, of: &Enum, depth: usize) -> Option<Json> {
        if of.tagging == Tagging::Untagged {
            let mut variants = of.variants.iter();
            return variants.find_map(|variant| self.content(&variant.content, depth));
        }
        tagged_variants(of).find_map(|variant| {
            let name = &variant.name;
            let content = self.content(&variant.content, depth)?;
            let is_unit = variant.content == Content::Unit;
            Some(match &of.tagging {
                Tagging::External if is_unit => name.as_str().into(),
                Tagging::External => json!({ name: content }),
                Tagging::Internal { tag } => {
                    let mut object = Map::from_iter([(tag.clone(), name.as_str().into())]);
                    if let Json::Object(entries) = content {
                        object.extend(entries);
                    }
                    object.into()
                }
                Tagging::Adjacent { tag, .. } if is_unit => json!({ tag: name }),
                Tagging::Adjacent { tag, content: key } => json!({ tag: name, key: content }),
                _ => return None,
            })
        })
    }

    fn content(&mut self, content: &Content, depth: usize) -> Option<Json> {
        match content {
            Content::Unit => Some(Json::Null),
            Content::Newtype(ty) => self.value(ty, depth + 1),
            Content::Tuple(items) => self.tuple(items, depth),
            Content::Struct(fields) => self.fields(fields, depth).map(Json::from),
            _ => None,
        }
    }
}

fn example(name: &str) -> Option<&'static str> {
    Some(match name {
        "Uuid" => "67e55044-10b1-426f-9247-bb680e5fe0c8",
        "IpAddr" | "Ipv4Addr" => "127.0.0.1",
        "Ipv6Addr" => "::1",
        "SocketAddr" | "SocketAddrV4" => "127.0.0.1:80",
        "SocketAddrV6" => "[::1]:80",
        "url::Url" => "https://example.org/",
        "chrono::DateTime" | "jiff::Timestamp" => "2026-01-31T12:00:00Z",
        "chrono::NaiveDateTime" | "jiff::DateTime" => "2026-01-31T12:00:00",
        "chrono::NaiveDate" | "jiff::Date" => "2026-01-31",
        "chrono::NaiveTime" | "jiff::Time" => "12:00:00",
        _ => "text",
    })
}

//! Values of a type, made from nothing but what its schema says.

use serde::{Serialize, Serializer, ser::SerializeMap};
use sockety_schema::{Content, Enum, Field, Service, Shape, Tagging, Type, Variant};

/// A value as it is on the wire.
#[derive(Debug, Clone)]
pub(crate) enum Wire {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    F32(f32),
    F64(f64),
    Text(String),
    Bin(Vec<u8>),
    Array(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Timestamp(sockety_msgpack::Timestamp),
}

impl Serialize for Wire {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_unit(),
            Self::Bool(value) => value.serialize(serializer),
            Self::Unsigned(value) => value.serialize(serializer),
            Self::Signed(value) => value.serialize(serializer),
            Self::F32(value) => value.serialize(serializer),
            Self::F64(value) => value.serialize(serializer),
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
            Self::Timestamp(value) => value.serialize(serializer),
        }
    }
}

/// Chooses among the values that a type has.
pub(crate) struct Maker<'a> {
    service: &'a Service,
    state: u64,
    /// The levels that are left, so that recursive types come to an end.
    depth: usize,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(service: &'a Service, seed: u64) -> Self {
        Self {
            service,
            state: seed | 1,
            depth: 5,
        }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }

    fn text(&mut self) -> String {
        // No name of a field, which a key of a flattened map must not be.
        let length = self.below(5);
        let letters = (0..length).map(|_| char::from(b'a' + self.below(26) as u8));
        std::iter::once('_').chain(letters).collect()
    }

    fn integer(&mut self, least: i128, most: i128) -> Wire {
        let span = (most - least) as u128 + 1;
        let value = match self.below(4) {
            0 => least,
            1 => most,
            2 => least.max(0).min(most),
            _ => least + (u128::from(self.next()) % span) as i128,
        };
        match u64::try_from(value) {
            Ok(value) => Wire::Unsigned(value),
            Err(_) => Wire::Signed(value as i64),
        }
    }

    pub(crate) fn make(&mut self, ty: &Type) -> Wire {
        if let Some((least, most)) = ty.range() {
            let is_nonzero = matches!(ty, Type::Nonzero(_));
            return match self.integer(least, most) {
                Wire::Unsigned(0) if is_nonzero => Wire::Unsigned(1),
                value => value,
            };
        }
        match ty {
            Type::Nil => Wire::Nil,
            Type::Bool => Wire::Bool(self.below(2) == 0),
            Type::U128 | Type::I128 | Type::Nonzero(_) => {
                Wire::Bin((0..16).map(|_| self.below(255) as u8 + 1).collect())
            }
            Type::F32 => Wire::F32(self.below(1000) as f32 / 3.0),
            Type::F64 => Wire::F64(self.below(1_000_000) as f64 / 7.0),
            Type::Char => Wire::Text("x".to_owned()),
            Type::String => Wire::Text(self.text()),
            Type::Text(name) => Wire::Text(example(name).to_owned()),
            Type::Bytes => Wire::Bin((0..self.below(4)).map(|byte| 0xFF - byte as u8).collect()),
            Type::Timestamp => {
                let seconds = self.below(1 << 33) as i64;
                Wire::Timestamp(sockety_msgpack::Timestamp::new(seconds, 7).expect("a moment"))
            }
            Type::Duration => self.time("secs", "nanos"),
            Type::SystemTime => self.time("secs_since_epoch", "nanos_since_epoch"),
            Type::Option(_) if self.depth == 0 || self.below(2) == 0 => Wire::Nil,
            Type::Option(of) => self.make(of),
            Type::Sequence(of) => {
                let length = if self.depth == 0 { 0 } else { self.below(4) };
                Wire::Array((0..length).map(|_| self.make(of)).collect())
            }
            Type::Array(of, length) => Wire::Array((0..*length).map(|_| self.make(of)).collect()),
            Type::Tuple(items) => Wire::Array(items.iter().map(|ty| self.make(ty)).collect()),
            Type::Map(key, value) => {
                let length = if self.depth == 0 { 0 } else { self.below(2) };
                let entry = |maker: &mut Self| (maker.make(key), maker.make(value));
                Wire::Map((0..length).map(|_| entry(self)).collect())
            }
            Type::Named(name) => {
                let shape = &self.service.types[name].shape;
                let depth = self.depth;
                self.depth = depth.saturating_sub(1);
                let made = self.shape(shape);
                self.depth = depth;
                made
            }
            other => panic!("no values of {other}"),
        }
    }

    fn time(&mut self, seconds: &str, nanoseconds: &str) -> Wire {
        let text = |text: &str| Wire::Text(text.to_owned());
        Wire::Map(vec![
            (text(seconds), Wire::Unsigned(self.below(1 << 32))),
            (text(nanoseconds), Wire::Unsigned(self.below(1_000_000_000))),
        ])
    }

    fn shape(&mut self, shape: &Shape) -> Wire {
        match shape {
            Shape::Unit => Wire::Array(Vec::new()),
            Shape::Newtype(ty) => self.make(ty),
            Shape::Tuple(items) => Wire::Array(items.iter().map(|ty| self.make(ty)).collect()),
            Shape::Struct(of) => Wire::Map(self.fields(&of.fields)),
            Shape::Enum(of) => self.enumeration(of),
            other => panic!("no values of {other:?}"),
        }
    }

    fn fields(&mut self, fields: &[Field]) -> Vec<(Wire, Wire)> {
        let mut entries = Vec::new();
        for field in fields {
            if field.flatten {
                if field.omitted && self.is_readable_without(&field.ty) && self.below(2) == 0 {
                    continue;
                }
                match self.make(&field.ty) {
                    Wire::Map(flattened) => entries.extend(flattened),
                    // The name of a variant without content.
                    name @ Wire::Text(_) => entries.push((name, Wire::Nil)),
                    Wire::Nil => {}
                    other => panic!("flattened {other:?}"),
                }
                continue;
            }
            if field.omitted && self.below(2) == 0 && field.optional {
                continue;
            }
            entries.push((Wire::Text(field.name.clone()), self.make(&field.ty)));
        }
        entries
    }

    /// Whether the entries of a flattened value may be left out.
    fn is_readable_without(&self, ty: &Type) -> bool {
        match ty {
            Type::Option(_) | Type::Map(..) => true,
            Type::Named(name) => match &self.service.types[name].shape {
                Shape::Newtype(ty) => self.is_readable_without(ty),
                Shape::Struct(of) => of.fields.iter().all(|field| match field.flatten {
                    true => self.is_readable_without(&field.ty),
                    false => field.optional,
                }),
                _ => false,
            },
            _ => false,
        }
    }

    fn enumeration(&mut self, of: &Enum) -> Wire {
        let variants: Vec<&Variant> = of.variants.iter().collect();
        let mut variant = variants[self.below(variants.len() as u64) as usize];
        if self.depth == 0 {
            let is_plain = |variant: &&&Variant| variant.content == Content::Unit;
            variant = variants.iter().find(is_plain).unwrap_or(&variant);
        }
        let name = Wire::Text(variant.name.clone());
        let content = match &variant.content {
            Content::Unit => None,
            Content::Newtype(ty) => Some(self.make(ty)),
            Content::Tuple(items) => {
                Some(Wire::Array(items.iter().map(|ty| self.make(ty)).collect()))
            }
            Content::Struct(fields) => Some(Wire::Map(self.fields(fields))),
            other => panic!("no values of {other:?}"),
        };
        if variant.untagged {
            return content.unwrap_or(Wire::Nil);
        }
        match (&of.tagging, content) {
            (Tagging::Untagged, content) => content.unwrap_or(Wire::Nil),
            (Tagging::External, None) => name,
            (Tagging::External, Some(content)) => Wire::Map(vec![(name, content)]),
            (Tagging::Internal { tag }, content) => {
                let mut entries = vec![(Wire::Text(tag.clone()), name)];
                match content {
                    Some(Wire::Map(fields)) => entries.extend(fields),
                    Some(name @ Wire::Text(_)) => entries.push((name, Wire::Nil)),
                    Some(Wire::Array(items)) if items.is_empty() => {}
                    Some(other) => panic!("a tag inside of {other:?}"),
                    None => {}
                }
                Wire::Map(entries)
            }
            (Tagging::Adjacent { tag, content: key }, content) => {
                let mut entries = vec![(Wire::Text(tag.clone()), name)];
                entries.extend(content.map(|content| (Wire::Text(key.clone()), content)));
                Wire::Map(entries)
            }
            (other, _) => panic!("no values of {other:?}"),
        }
    }
}

fn example(name: &str) -> &'static str {
    match name {
        "Uuid" => "67e55044-10b1-426f-9247-bb680e5fe0c8",
        "IpAddr" | "Ipv6Addr" => "2001:db8::1",
        "Ipv4Addr" => "127.0.0.1",
        "SocketAddr" => "127.0.0.1:80",
        "url::Url" => "https://example.org/",
        "chrono::NaiveDate" => "2024-02-29",
        "chrono::DateTime" => "2024-02-29T12:00:00Z",
        other => panic!("no text of {other}"),
    }
}

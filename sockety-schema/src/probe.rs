//! Which structs and enums refuse unknown fields: serde knows, and specta does not tell.
//!
//! So the types are asked. From the schema a value is made in which the struct in question has one field more, and is read
//! as what it should be. A type that does not read its values without that field either, as those that read certain texts
//! alone, has no answer, and counts as one that ignores unknown fields.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Serialize, Serializer, ser::SerializeMap};
use sockety::msgpack::{self, Timestamp};

use crate::model::{Content, Definition, Enum, Field, Shape, Tagging, Type, Variant};

type Definitions = BTreeMap<String, Definition>;

/// A type that travels by itself, and whether bytes are read as it.
pub(crate) type Root = (Type, fn(&[u8]) -> bool);

/// Notes which of the definitions refuse unknown fields.
pub(crate) fn find_strict(definitions: &mut Definitions, roots: &[Root]) {
    let mut open: BTreeSet<String> = definitions
        .iter()
        .filter(|(_, definition)| may_be_strict(definition))
        .map(|(name, _)| name.clone())
        .collect();
    for (root, reads) in roots {
        for name in open.clone() {
            let strict = {
                let sample = Sample::new(definitions, &name);
                is_strict(&sample, root, *reads)
            };
            let Some(strict) = strict else {
                continue;
            };
            open.remove(&name);
            match definitions.get_mut(&name).map(|it| &mut it.shape) {
                Some(Shape::Struct(of)) => of.strict |= strict,
                Some(Shape::Enum(of)) => of.strict |= strict,
                _ => {}
            }
        }
    }
}

/// Whether there is a place for an unknown field. One among flattened ones would go to these.
fn may_be_strict(definition: &Definition) -> bool {
    match &definition.shape {
        Shape::Struct(of) => of.fields.iter().all(|field| !field.flatten),
        Shape::Enum(of) => of.variants.iter().any(has_fields),
        _ => false,
    }
}

fn has_fields(variant: &Variant) -> bool {
    match &variant.content {
        Content::Struct(fields) => fields.iter().all(|field| !field.flatten),
        _ => false,
    }
}

fn is_strict(sample: &Sample<'_>, root: &Type, reads: fn(&[u8]) -> bool) -> Option<bool> {
    sample.distance(root)?;
    let is_read = |is_more: bool| {
        let mut state = State {
            is_more,
            is_there: false,
            left: MAX_VALUES,
        };
        let value = sample.make(root, true, &mut state)?;
        let bytes = msgpack::to_vec(&value).ok()?;
        state.is_there.then(|| reads(&bytes))
    };
    match (is_read(false)?, is_read(true)?) {
        (true, with_more) => Some(!with_more),
        (false, _) => None,
    }
}

/// The most values in a sample.
const MAX_VALUES: usize = 10_000;

/// A name that no field has.
const UNKNOWN: &str = "$sockety.unknown";

struct State {
    /// Whether the type in question gets an unknown field.
    is_more: bool,
    /// Whether the value has the type in question.
    is_there: bool,
    left: usize,
}

/// How to make a small value with a type in it.
struct Sample<'a> {
    definitions: &'a Definitions,
    goal: &'a str,
    /// From each definition, the steps to the goal.
    distances: BTreeMap<&'a str, usize>,
    /// The levels of the smallest value of each definition that has one.
    heights: BTreeMap<&'a str, usize>,
}

impl<'a> Sample<'a> {
    fn new(definitions: &'a Definitions, goal: &'a str) -> Self {
        let mut sample = Self {
            definitions,
            goal,
            distances: BTreeMap::new(),
            heights: BTreeMap::new(),
        };
        sample.measure_distances();
        sample.measure_heights();
        sample
    }

    fn measure_distances(&mut self) {
        let mut users: BTreeMap<&str, Vec<&'a str>> = BTreeMap::new();
        for (name, definition) in self.definitions {
            for ty in types(&definition.shape) {
                for_names(ty, &mut |used| users.entry(used).or_default().push(name));
            }
        }
        let mut waiting = VecDeque::from([(self.goal, 0)]);
        while let Some((name, distance)) = waiting.pop_front() {
            if self.distances.contains_key(name) {
                continue;
            }
            self.distances.insert(name, distance);
            let users = users.get(name).into_iter().flatten();
            waiting.extend(users.map(|user| (*user, distance + 1)));
        }
    }

    fn measure_heights(&mut self) {
        loop {
            let known = self.heights.len();
            for (name, definition) in self.definitions {
                if self.heights.contains_key(name.as_str()) {
                    continue;
                }
                let height = match &definition.shape {
                    Shape::Enum(of) => {
                        let variants = of.variants.iter();
                        variants.filter_map(|it| self.height_of_variant(it)).min()
                    }
                    shape => self.height_of_all(types(shape)),
                };
                if let Some(height) = height {
                    self.heights.insert(name, height + 1);
                }
            }
            if self.heights.len() == known {
                return;
            }
        }
    }

    fn height_of_variant(&self, variant: &'a Variant) -> Option<usize> {
        self.height_of_all(types_of_content(&variant.content))
    }

    fn height_of_all(&self, types: Vec<&Type>) -> Option<usize> {
        let mut highest = 0;
        for ty in types {
            highest = highest.max(self.height(ty)?);
        }
        Some(highest)
    }

    fn height(&self, ty: &Type) -> Option<usize> {
        match ty {
            Type::Option(_) | Type::Sequence(_) | Type::Map(..) => Some(0),
            Type::Named(name) => self.heights.get(name.as_str()).copied(),
            _ => self.height_of_all(ty.inner()),
        }
    }

    fn distance(&self, ty: &Type) -> Option<usize> {
        let mut nearest = None;
        for_names(ty, &mut |name| {
            let distance = self.distances.get(name).copied();
            nearest = match (nearest, distance) {
                (Some(one), Some(other)) => Some(usize::min(one, other)),
                (one, other) => one.or(other),
            };
        });
        nearest
    }

    /// A value, in which the goal is, if it goes `toward` that, and else as small as there is.
    fn make(&self, ty: &Type, toward: bool, state: &mut State) -> Option<Wire> {
        state.left = state.left.checked_sub(1)?;
        let toward = toward && !state.is_there && self.distance(ty).is_some();
        Some(match ty {
            Type::Nil => Wire::Nil,
            Type::Bool => Wire::Bool(false),
            Type::F32 | Type::F64 => Wire::Float(0.5),
            Type::U128 | Type::I128 => Wire::Bin(vec![1; 16]),
            Type::Nonzero(of) if of.range().is_none() => Wire::Bin(vec![1; 16]),
            Type::Char => Wire::Text("x".to_owned()),
            Type::String => Wire::Text("x".to_owned()),
            Type::Text(name) => Wire::Text(example(name)?.to_owned()),
            Type::Bytes => Wire::Bin(Vec::new()),
            Type::Timestamp => Wire::Timestamp,
            Type::Duration => seconds("secs", "nanos"),
            Type::SystemTime => seconds("secs_since_epoch", "nanos_since_epoch"),
            Type::Option(of) => match toward {
                true => self.make(of, true, state)?,
                false => Wire::Nil,
            },
            Type::Sequence(of) => match toward {
                true => Wire::Array(vec![self.make(of, true, state)?]),
                false => Wire::Array(Vec::new()),
            },
            Type::Map(key, value) => match toward {
                true => Wire::Map(vec![(
                    self.make(key, true, state)?,
                    self.make(value, true, state)?,
                )]),
                false => Wire::Map(Vec::new()),
            },
            Type::Array(of, length) => {
                let items = (0..*length).map(|_| self.make(of, toward, state));
                Wire::Array(items.collect::<Option<_>>()?)
            }
            Type::Tuple(items) => self.tuple(items, toward, state)?,
            Type::Named(name) => {
                let shape = &self.definitions.get(name)?.shape;
                let is_goal = toward && name == self.goal;
                state.is_there |= is_goal;
                self.shape(shape, toward, is_goal, state)?
            }
            // Integers.
            _ => Wire::Unsigned(1),
        })
    }

    fn tuple(&self, items: &[Type], toward: bool, state: &mut State) -> Option<Wire> {
        let items = items.iter().map(|item| self.make(item, toward, state));
        Some(Wire::Array(items.collect::<Option<_>>()?))
    }

    fn shape(&self, shape: &Shape, toward: bool, is_goal: bool, state: &mut State) -> Option<Wire> {
        match shape {
            Shape::Unit => Some(Wire::Array(Vec::new())),
            Shape::Newtype(ty) => self.make(ty, toward, state),
            Shape::Tuple(items) => self.tuple(items, toward, state),
            Shape::Struct(of) => self.fields(&of.fields, toward, is_goal, state),
            Shape::Enum(of) => self.enumeration(of, toward, is_goal, state),
        }
    }

    fn fields(
        &self,
        fields: &[Field],
        toward: bool,
        is_goal: bool,
        state: &mut State,
    ) -> Option<Wire> {
        let nearest = fields.iter().filter_map(|it| self.distance(&it.ty)).min();
        let mut entries = Vec::new();
        for field in fields {
            let toward = toward && nearest.is_some() && self.distance(&field.ty) == nearest;
            match self.make(&field.ty, toward, state)? {
                Wire::Map(flattened) if field.flatten => entries.extend(flattened),
                Wire::Nil if field.flatten => {}
                value => entries.push((Wire::Text(field.name.clone()), value)),
            }
        }
        if is_goal && state.is_more {
            entries.push((Wire::Text(UNKNOWN.to_owned()), Wire::Nil));
        }
        Some(Wire::Map(entries))
    }

    fn enumeration(
        &self,
        of: &Enum,
        toward: bool,
        is_goal: bool,
        state: &mut State,
    ) -> Option<Wire> {
        let variants = || of.variants.iter();
        let nearest = |variant: &&Variant| {
            let types = types_of_content(&variant.content);
            types.into_iter().filter_map(|ty| self.distance(ty)).min()
        };
        let variant = if is_goal {
            variants().find(|variant| has_fields(variant))
        } else if toward {
            let leading = variants().filter(|variant| nearest(variant).is_some());
            leading.min_by_key(nearest)
        } else {
            let ended = variants().filter(|variant| self.height_of_variant(variant).is_some());
            ended.min_by_key(|variant| self.height_of_variant(variant))
        }?;
        let content = match &variant.content {
            Content::Unit => None,
            Content::Newtype(ty) => Some(self.make(ty, toward, state)?),
            Content::Tuple(items) => Some(self.tuple(items, toward, state)?),
            Content::Struct(fields) => Some(self.fields(fields, toward, is_goal, state)?),
        };
        let name = Wire::Text(variant.name.clone());
        Some(match (&of.tagging, content) {
            (Tagging::Untagged, content) => content.unwrap_or(Wire::Nil),
            (_, content) if variant.untagged => content.unwrap_or(Wire::Nil),
            (Tagging::External, None) => name,
            (Tagging::External, Some(content)) => Wire::Map(vec![(name, content)]),
            (Tagging::Internal { tag }, content) => {
                let mut entries = vec![(Wire::Text(tag.clone()), name)];
                if let Some(Wire::Map(fields)) = content {
                    entries.extend(fields);
                }
                Wire::Map(entries)
            }
            (Tagging::Adjacent { tag, content: key }, content) => {
                let mut entries = vec![(Wire::Text(tag.clone()), name)];
                entries.extend(content.map(|content| (Wire::Text(key.clone()), content)));
                Wire::Map(entries)
            }
        })
    }
}

/// All types directly in a shape.
fn types(shape: &Shape) -> Vec<&Type> {
    match shape {
        Shape::Unit => Vec::new(),
        Shape::Newtype(ty) => vec![ty],
        Shape::Tuple(items) => items.iter().collect(),
        Shape::Struct(of) => of.fields.iter().map(|field| &field.ty).collect(),
        Shape::Enum(of) => {
            let variants = of.variants.iter();
            variants
                .flat_map(|it| types_of_content(&it.content))
                .collect()
        }
    }
}

fn types_of_content(content: &Content) -> Vec<&Type> {
    match content {
        Content::Unit => Vec::new(),
        Content::Newtype(ty) => vec![ty],
        Content::Tuple(items) => items.iter().collect(),
        Content::Struct(fields) => fields.iter().map(|field| &field.ty).collect(),
    }
}

fn for_names<'a>(ty: &'a Type, found: &mut impl FnMut(&'a str)) {
    if let Type::Named(name) = ty {
        found(name);
    }
    for ty in ty.inner() {
        for_names(ty, found);
    }
}

fn seconds(seconds: &str, nanoseconds: &str) -> Wire {
    let text = |text: &str| Wire::Text(text.to_owned());
    Wire::Map(vec![
        (text(seconds), Wire::Unsigned(1)),
        (text(nanoseconds), Wire::Unsigned(1)),
    ])
}

fn example(name: &str) -> Option<&'static str> {
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

/// A value as it is on the wire.
enum Wire {
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

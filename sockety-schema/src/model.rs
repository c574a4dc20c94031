//! The data model: services, actions, types.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// How the values of one or several services travel.
///
/// [`of`](crate::of) makes one of a service, [`Schema::from_json`] reads one that was saved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Schema {
    /// The services by name.
    pub services: BTreeMap<String, Service>,
}

/// A service: its actions, and the types that these name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Service {
    /// The documentation of the trait.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docs: String,
    /// The actions by the name that peers call.
    #[serde(deserialize_with = "crate::json::distinct")]
    pub actions: BTreeMap<String, Action>,
    /// What [`Type::Named`] refers to, by that name.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "crate::json::distinct"
    )]
    pub types: BTreeMap<String, Definition>,
}

/// An action of a [`Service`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Action {
    /// Other names by which it is served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The documentation of the method.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docs: String,
    /// Whether its callers expect no reply.
    #[serde(default, skip_serializing_if = "is_default")]
    pub one_way: bool,
    /// Whether executing it twice is as good as once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub idempotent: bool,
    /// How long callers wait for the reply, in milliseconds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeout_ms: Option<u64>,
    /// What is refused before it is read.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// What callers pass, in the order of the method.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// What they get, in the order of the returned tuple: one part for a value by itself, none for `()`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returns: Vec<Part>,
    /// The type of its error, if it returns a `Result`. Details travel as a value of it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub error: Option<Type>,
    /// The variants of its error.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorVariant>,
}

impl Action {
    /// The parameters that travel in the payload.
    pub fn payload(&self) -> impl Iterator<Item = &Parameter> {
        let parameters = self.parameters.iter();
        parameters.filter(|parameter| parameter.kind == PartKind::Payload)
    }

    /// How the parameters of the payload travel: as nothing, as one bare value, or as a map by name.
    pub fn form(&self) -> Form {
        match self.payload().count() {
            0 => Form::Empty,
            1 => Form::Value,
            _ => Form::Map,
        }
    }

    /// All names by which it is served, `name` first, which is its key in [`Service::actions`].
    pub fn names<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        std::iter::once(name).chain(self.aliases.iter().map(String::as_str))
    }
}

/// The form of a payload, see [`Action::form`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// No payload. One that arrives is not read.
    Empty,
    /// The value of the only parameter, without its name.
    Value,
    /// A map of several parameters by their names.
    Map,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "nothing",
            Self::Value => "the bare value of one parameter",
            Self::Map => "a map of several parameters",
        })
    }
}

/// A parameter of an [`Action`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Parameter {
    /// Its name, a key of the payload if several parameters share that.
    pub name: String,
    /// Other keys that are read as this parameter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Whether a map without it is read: it has a default, or is an `Option`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub optional: bool,
    /// Where it travels.
    pub kind: PartKind,
    /// The type of the value, or of each item of a stream of values. None for files and bytes.
    #[serde(default, rename = "type", skip_serializing_if = "is_default")]
    pub ty: Option<Type>,
    /// The type of the error that may end a stream of values, if it has one. It travels as a value, in place of an item.
    #[serde(default, skip_serializing_if = "is_default")]
    pub error: Option<Type>,
    /// The variants of that error.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorVariant>,
}

/// A part of a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Part {
    /// Where it travels.
    pub kind: PartKind,
    /// The type of the value, or of each item of a stream of values. None for files and bytes.
    #[serde(default, rename = "type", skip_serializing_if = "is_default")]
    pub ty: Option<Type>,
    /// The type of the error that may end a stream of values, if it has one. It travels as a value, in place of an item.
    #[serde(default, skip_serializing_if = "is_default")]
    pub error: Option<Type>,
    /// The variants of that error.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorVariant>,
}

/// Where a [`Parameter`] or a [`Part`] of a reply travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PartKind {
    /// As the payload, or an entry of it.
    Payload,
    /// As the next file.
    File,
    /// As all files that follow.
    Files,
    /// As the stream, of values.
    Streaming,
    /// As the stream, of bytes.
    ByteStream,
}

impl fmt::Display for PartKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Payload => "a value",
            Self::File => "a file",
            Self::Files => "all files that follow",
            Self::Streaming => "a stream of values",
            Self::ByteStream => "a stream of bytes",
        })
    }
}

/// A variant of the error of an [`Action`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ErrorVariant {
    /// Its name.
    pub name: String,
    /// Its code, 16 to 3,839.
    pub code: u16,
    /// Whether it has data. One without travels as a code alone, one with data as a value of [`Action::error`].
    #[serde(default, skip_serializing_if = "is_default")]
    pub details: bool,
    /// What it says to a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docs: String,
}

/// What is refused before it is read, in bytes, and of files in number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of the payload.
    #[serde(default, skip_serializing_if = "is_default")]
    pub payload: Option<u64>,
    /// Number of files.
    #[serde(default, skip_serializing_if = "is_default")]
    pub files: Option<u32>,
    /// Bytes of each file.
    #[serde(default, skip_serializing_if = "is_default")]
    pub file: Option<u64>,
    /// Bytes of all files together.
    #[serde(default, skip_serializing_if = "is_default")]
    pub all_files: Option<u64>,
    /// Bytes of the stream.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stream: Option<u64>,
}

/// A type, as its values travel. In JSON a word, such as `"u64"`, or an object of one entry, such as
/// `{"option": "u64"}`, `{"map": ["string", {"named": "Account"}]}` and `{"text": "Uuid"}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Type {
    /// `()`: nil.
    Nil,
    /// A boolean.
    Bool,
    /// An integer of 8 bits.
    U8,
    /// An integer of 16 bits.
    U16,
    /// An integer of 32 bits.
    U32,
    /// An integer of 64 bits. So is `usize`.
    U64,
    /// An integer of 128 bits: a bin of 16 bytes, big-endian.
    U128,
    /// A signed integer of 8 bits.
    I8,
    /// A signed integer of 16 bits.
    I16,
    /// A signed integer of 32 bits.
    I32,
    /// A signed integer of 64 bits. So is `isize`.
    I64,
    /// A signed integer of 128 bits: a bin of 16 bytes, big-endian.
    I128,
    /// An integer type other than 0.
    Nonzero(Box<Self>),
    /// A float of 32 bits.
    F32,
    /// A float of 64 bits.
    F64,
    /// A string of one character.
    Char,
    /// A string.
    String,
    /// A string of which not every one is read, by the name of its type: `Uuid`, `IpAddr`, `Ipv4Addr`, `Ipv6Addr`,
    /// `SocketAddr`, `SocketAddrV4`, `SocketAddrV6`, or a path as `url::Url` and `chrono::DateTime`.
    Text(String),
    /// Bytes: bin.
    Bytes,
    /// Sockety's `Timestamp`: the extension type -1.
    Timestamp,
    /// `std::time::Duration`: a map of `secs`, a u64, and `nanos`, a u32.
    Duration,
    /// `std::time::SystemTime`: a map of `secs_since_epoch`, a u64, and `nanos_since_epoch`, a u32.
    SystemTime,
    /// Nil, or a value.
    Option(Box<Self>),
    /// An array of any length: lists and sets.
    Sequence(Box<Self>),
    /// An array of this length, of one type.
    Array(Box<Self>, u64),
    /// An array of these values.
    Tuple(Vec<Self>),
    /// A map of any keys and values of these types.
    Map(Box<Self>, Box<Self>),
    /// A type of [`Service::types`], by its name, in which `<`, `>` and `::` may be.
    Named(String),
}

impl Type {
    /// The smallest and the largest value, of an integer of up to 64 bits.
    pub fn range(&self) -> Option<(i128, i128)> {
        Some(match self {
            Self::U8 => (0, u8::MAX.into()),
            Self::U16 => (0, u16::MAX.into()),
            Self::U32 => (0, u32::MAX.into()),
            Self::U64 => (0, u64::MAX.into()),
            Self::I8 => (i8::MIN.into(), i8::MAX.into()),
            Self::I16 => (i16::MIN.into(), i16::MAX.into()),
            Self::I32 => (i32::MIN.into(), i32::MAX.into()),
            Self::I64 => (i64::MIN.into(), i64::MAX.into()),
            Self::Nonzero(of) => match of.range()? {
                (0, most) => (1, most),
                range => range,
            },
            _ => return None,
        })
    }

    /// The types directly inside.
    pub fn inner(&self) -> Vec<&Self> {
        match self {
            Self::Nonzero(of) | Self::Option(of) | Self::Sequence(of) | Self::Array(of, _) => {
                vec![of]
            }
            Self::Tuple(items) => items.iter().collect(),
            Self::Map(key, value) => vec![key, value],
            _ => Vec::new(),
        }
    }
}

/// As in Rust: `Option<u64>`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("()"),
            Self::Bool => f.write_str("bool"),
            Self::U8 => f.write_str("u8"),
            Self::U16 => f.write_str("u16"),
            Self::U32 => f.write_str("u32"),
            Self::U64 => f.write_str("u64"),
            Self::U128 => f.write_str("u128"),
            Self::I8 => f.write_str("i8"),
            Self::I16 => f.write_str("i16"),
            Self::I32 => f.write_str("i32"),
            Self::I64 => f.write_str("i64"),
            Self::I128 => f.write_str("i128"),
            Self::Nonzero(of) => write!(f, "NonZero<{of}>"),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::Char => f.write_str("char"),
            Self::String => f.write_str("String"),
            Self::Bytes => f.write_str("Bytes"),
            Self::Timestamp => f.write_str("Timestamp"),
            Self::Duration => f.write_str("Duration"),
            Self::SystemTime => f.write_str("SystemTime"),
            Self::Text(name) | Self::Named(name) => f.write_str(name),
            Self::Option(of) => write!(f, "Option<{of}>"),
            Self::Sequence(of) => write!(f, "Vec<{of}>"),
            Self::Array(of, length) => write!(f, "[{of}; {length}]"),
            Self::Map(key, value) => write!(f, "Map<{key}, {value}>"),
            Self::Tuple(items) => {
                f.write_str("(")?;
                for (index, item) in items.iter().enumerate() {
                    let before = if index == 0 { "" } else { ", " };
                    write!(f, "{before}{item}")?;
                }
                f.write_str(if items.len() == 1 { ",)" } else { ")" })
            }
        }
    }
}

/// A named type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Definition {
    /// Its documentation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docs: String,
    /// How its values travel.
    pub shape: Shape,
}

/// How the values of a [`Definition`] travel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Shape {
    /// A struct without fields, `struct Unit;`: an array without items, read also from nil.
    Unit,
    /// A struct around one value, which travels as that value; also what `#[serde(into, from)]` name.
    Newtype(Type),
    /// A struct of several values without names: an array.
    Tuple(Vec<Type>),
    /// A struct: a map by the names of its fields.
    Struct(Struct),
    /// An enum.
    Enum(Enum),
}

/// A struct with fields that have names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Struct {
    /// The fields, in the order of the declaration, which does not matter on the wire.
    pub fields: Vec<Field>,
    /// Whether a map with other keys is refused: `#[serde(deny_unknown_fields)]`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub strict: bool,
}

/// A field of a [`Struct`], or of a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Field {
    /// The key that is written, and read. Of a flattened field its name in Rust, which does not travel.
    pub name: String,
    /// Other keys that are read as this field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Its documentation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docs: String,
    /// The type of its value.
    #[serde(rename = "type")]
    pub ty: Type,
    /// Whether a map without it is read: it has a default, or is an `Option`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub optional: bool,
    /// Whether some values are written without it: `skip_serializing_if`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub omitted: bool,
    /// Whether the entries of its value are entries of the map around it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub flatten: bool,
}

impl Field {
    /// A field that is always there, with nothing but its name and type.
    pub(crate) fn new(name: &str, ty: Type) -> Self {
        Self {
            name: name.to_owned(),
            aliases: Vec::new(),
            docs: String::new(),
            ty,
            optional: false,
            omitted: false,
            flatten: false,
        }
    }
}

/// An enum.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Enum {
    /// How a value says which variant it is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tagging: Tagging,
    /// The variants, in the order of the declaration, which matters if there is no tag: the first that fits is read.
    pub variants: Vec<Variant>,
    /// Whether struct variants with other keys are refused: `#[serde(deny_unknown_fields)]`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub strict: bool,
}

/// How a value of an [`Enum`] says which variant it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Tagging {
    /// `"Variant"` without content, else `{"Variant": content}`.
    #[default]
    External,
    /// The name of the variant is an entry with this key, among those of the content.
    Internal {
        /// The key.
        tag: String,
    },
    /// A map with the name of the variant, and its content if it has some.
    Adjacent {
        /// The key of the name.
        tag: String,
        /// The key of the content.
        content: String,
    },
    /// The content alone.
    Untagged,
}

/// A variant of an [`Enum`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Variant {
    /// The name that is written, and read.
    pub name: String,
    /// Other names that are read as this variant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Its documentation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docs: String,
    /// What travels with its name.
    #[serde(default, skip_serializing_if = "is_default")]
    pub content: Content,
    /// Whether unknown names are read as this variant: `#[serde(other)]`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub other: bool,
    /// Whether this variant has no name, and is tried after all that have one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub untagged: bool,
}

/// The content of a [`Variant`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// None.
    #[default]
    Unit,
    /// One value.
    Newtype(Type),
    /// Several values: an array.
    Tuple(Vec<Type>),
    /// Fields: a map by their names.
    Struct(Vec<Field>),
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

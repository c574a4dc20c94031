//! From what specta tells of a type to how its values travel.
//!
//! Specta has the attributes of serde as they are written, under the keys that are named here. What would not be true of
//! our wire is refused: specta describes types of other crates as they are in JSON, for instance.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    fmt,
    panic::Location,
};

use specta::{
    Types,
    datatype::{
        Attributes, DataType, Enum as SpectaEnum, Field as SpectaField, Fields, NamedDataType,
        NamedReference, NamedReferenceType, Primitive, Reference, Struct as SpectaStruct,
        Variant as SpectaVariant,
    },
};

use crate::{
    describe::Travelling,
    model::{Content, Definition, Enum, Field, Shape, Struct, Tagging, Type, Variant},
    probe::Root,
    rename::Rule,
};

/// A type whose values cannot be described truly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedType {
    /// From the action to what is refused: `bank.transfer(request) › Transfer.until`.
    pub path: String,
    /// What is wrong, and what to do about it.
    pub reason: String,
}

impl fmt::Display for RefusedType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, reason } = self;
        write!(f, "{path} cannot be described: {reason}")
    }
}

impl Error for RefusedType {}

type Result<T> = std::result::Result<T, RefusedType>;

/// The named types of a service, as they are found.
pub(crate) struct Converter {
    pub(crate) types: Types,
    pub(crate) definitions: BTreeMap<String, Definition>,
    pub(crate) roots: Vec<Root>,
    names: HashMap<Identity, String>,
    /// From the action to the type at hand.
    path: Vec<String>,
}

/// A named type with its arguments. The place of its declaration tells apart types of the same name.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Identity {
    module: String,
    name: String,
    place: Location<'static>,
    arguments: Vec<Type>,
    /// Of a type that specta inlines, as its arguments are not known.
    inlined: Option<DataType>,
}

/// What type parameters stand for.
type Arguments = HashMap<String, Type>;

impl Converter {
    pub(crate) fn new(types: Types) -> Self {
        Self {
            types,
            definitions: BTreeMap::new(),
            roots: Vec::new(),
            names: HashMap::new(),
            path: Vec::new(),
        }
    }

    /// The type of a part of an action.
    pub(crate) fn root(&mut self, path: String, of: &Travelling) -> Result<Type> {
        let ty = self.within(path, |it| it.ty(&of.ty, &Arguments::new()))?;
        self.roots.push((ty.clone(), of.reads));
        Ok(ty)
    }

    fn refuse<T>(&self, reason: impl Into<String>) -> Result<T> {
        Err(RefusedType {
            path: self.path.join(" › "),
            reason: reason.into(),
        })
    }

    fn within<T>(
        &mut self,
        path: String,
        convert: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.path.push(path);
        let converted = convert(self);
        self.path.pop();
        converted
    }

    fn ty(&mut self, ty: &DataType, arguments: &Arguments) -> Result<Type> {
        Ok(match ty {
            DataType::Primitive(primitive) => match self::primitive(primitive) {
                Some(ty) => ty,
                None => return self.refuse("floats of 16 and 128 bits do not travel"),
            },
            DataType::List(list) => {
                let of = Box::new(self.ty(&list.ty, arguments)?);
                match list.length {
                    Some(length) => Type::Array(of, length as u64),
                    None => Type::Sequence(of),
                }
            }
            DataType::Map(map) => {
                let key = self.ty(map.key_ty(), arguments)?;
                let value = self.ty(map.value_ty(), arguments)?;
                Type::Map(Box::new(key), Box::new(value))
            }
            DataType::Tuple(tuple) if tuple.elements.is_empty() => Type::Nil,
            DataType::Tuple(tuple) => {
                let items = tuple.elements.iter().map(|item| self.ty(item, arguments));
                Type::Tuple(items.collect::<Result<_>>()?)
            }
            DataType::Nullable(of) => Type::Option(Box::new(self.ty(of, arguments)?)),
            DataType::Generic(generic) => match arguments.get(&**generic.name()) {
                Some(ty) => ty.clone(),
                None => {
                    return self.refuse(format!("its parameter {} is not known", generic.name()));
                }
            },
            DataType::Reference(Reference::Named(reference)) => {
                self.reference(reference, arguments)?
            }
            DataType::Reference(Reference::Opaque(opaque)) if opaque.type_name() == TIMESTAMP => {
                Type::Timestamp
            }
            DataType::Reference(Reference::Opaque(opaque)) => {
                return self.refuse(format!(
                    "specta has it as {}, which says nothing of its values",
                    opaque.type_name()
                ));
            }
            DataType::Struct(_) | DataType::Enum(_) | DataType::Intersection(_) => {
                return self
                    .refuse("it has no name: derive `specta::Type` instead of implementing it");
            }
        })
    }

    fn reference(&mut self, reference: &NamedReference, arguments: &Arguments) -> Result<Type> {
        let Some(named) = self.types.get(reference) else {
            return self.refuse("specta does not know the type that it names");
        };
        let named = named.clone();
        let inlined = match &reference.inner {
            NamedReferenceType::Inline { dt, .. } => Some(&**dt),
            _ => None,
        };
        match foreign(&named.module_path, &named.name) {
            Foreign::Is(ty) => return Ok(ty),
            Foreign::Nonzero => {
                let Some(of) = inlined else {
                    return self.refuse("specta does not say which integer it is");
                };
                return Ok(Type::Nonzero(Box::new(self.ty(of, arguments)?)));
            }
            Foreign::Refused(reason) => {
                return self.refuse(format!("{}::{}: {reason}", named.module_path, named.name));
            }
            Foreign::Transparent => {
                if let Some(of) = inlined {
                    return self.ty(of, arguments);
                }
            }
            Foreign::Unknown => {}
        }
        let (generics, body) = match &reference.inner {
            NamedReferenceType::Reference { generics, .. } => (&generics[..], named.ty.as_ref()),
            NamedReferenceType::Recursive(cycle) => (cycle.generics(), named.ty.as_ref()),
            // An inlined field of a type that has no parameters is a type like any other.
            NamedReferenceType::Inline { .. }
                if named.generics.is_empty() && named.ty.is_some() =>
            {
                (&[][..], named.ty.as_ref())
            }
            NamedReferenceType::Inline { dt, .. } => {
                if !matches!(**dt, DataType::Struct(_) | DataType::Enum(_)) {
                    return self.ty(dt, arguments);
                }
                return self.named(&named, dt, Vec::new(), arguments, true);
            }
        };
        let Some(body) = body.cloned() else {
            return self.refuse(format!("{} is inlined into itself", named.name));
        };
        let mut known = Arguments::new();
        let mut ordered = Vec::new();
        for (generic, ty) in generics {
            let ty = self.ty(ty, arguments)?;
            known.insert(generic.name().to_string(), ty.clone());
            ordered.push(ty);
        }
        self.named(&named, &body, ordered, &known, false)
    }

    fn named(
        &mut self,
        named: &NamedDataType,
        body: &DataType,
        ordered: Vec<Type>,
        arguments: &Arguments,
        is_inlined: bool,
    ) -> Result<Type> {
        let identity = Identity {
            module: named.module_path.to_string(),
            name: named.name.to_string(),
            place: named.location,
            arguments: ordered,
            inlined: is_inlined.then(|| body.clone()),
        };
        if let Some(name) = self.names.get(&identity) {
            return Ok(Type::Named(name.clone()));
        }
        let name = self.free_name(&identity);
        self.names.insert(identity, name.clone());
        let strict = named.module_path.starts_with("std::ops");
        let shape = self.within(name.clone(), |it| it.shape(body, arguments, strict))?;
        let docs = docs(&named.docs);
        self.definitions
            .insert(name.clone(), Definition { docs, shape });
        Ok(Type::Named(name))
    }

    /// The name of a type, or if another one has it, its path.
    fn free_name(&self, identity: &Identity) -> String {
        let arguments = match &identity.arguments[..] {
            [] => String::new(),
            several => {
                let texts: Vec<_> = several.iter().map(Type::to_string).collect();
                format!("<{}>", texts.join(", "))
            }
        };
        let is_free = |name: &str| {
            !RESERVED.contains(&name) && !self.names.values().any(|known| known == name)
        };
        let short = format!("{}{arguments}", identity.name);
        if is_free(&short) {
            return short;
        }
        let long = format!("{}::{short}", identity.module);
        let numbered = (2u64..).map(|number| format!("{long}#{number}"));
        let mut names = std::iter::once(long.clone()).chain(numbered);
        names.find(|name| is_free(name)).unwrap_or(long)
    }

    fn shape(&mut self, body: &DataType, arguments: &Arguments, strict: bool) -> Result<Shape> {
        match body {
            DataType::Struct(of) => self.structure(of, arguments, strict),
            DataType::Enum(of) => self.enumeration(of, arguments),
            other => Ok(Shape::Newtype(self.ty(other, arguments)?)),
        }
    }

    /// The type that `#[serde(from, into)]` name, if they do.
    fn converted(
        &mut self,
        attributes: &Attributes,
        arguments: &Arguments,
    ) -> Result<Option<Type>> {
        let named = |key| attributes.get_named_as::<DataType>(key).cloned();
        let into = named("serde:container:into_resolved");
        let from = named("serde:container:from_resolved")
            .or_else(|| named("serde:container:try_from_resolved"));
        match (into, from) {
            (None, None) => Ok(None),
            (Some(into), Some(from)) => {
                let (into, from) = (self.ty(&into, arguments)?, self.ty(&from, arguments)?);
                if into == from {
                    return Ok(Some(into));
                }
                self.refuse(format!("it is written as {into} and read as {from}"))
            }
            (Some(_), None) => self.refuse("it is written as another type, and read as itself"),
            (None, Some(_)) => self.refuse("it is read as another type, and written as itself"),
        }
    }

    fn structure(
        &mut self,
        of: &SpectaStruct,
        arguments: &Arguments,
        strict: bool,
    ) -> Result<Shape> {
        let attributes = &of.attributes;
        if let Some(ty) = self.converted(attributes, arguments)? {
            return Ok(Shape::Newtype(ty));
        }
        self.refuse_identifiers(attributes)?;
        match &of.fields {
            Fields::Unit => Ok(Shape::Unit),
            Fields::Unnamed(fields) => match &fields.fields[..] {
                [field] => Ok(Shape::Newtype(self.item(field, "0", arguments)?)),
                several => Ok(Shape::Tuple(self.items(several, arguments)?)),
            },
            Fields::Named(fields) if attributes.contains_key("serde:container:transparent") => {
                for (name, field) in &fields.fields {
                    if !self.is_skipped(field, name)? {
                        return Ok(Shape::Newtype(self.item(field, name, arguments)?));
                    }
                }
                self.refuse("it travels like a field that it does not have")
            }
            Fields::Named(fields) => {
                let rules = Rules::of(attributes, "serde:container:rename_all");
                let rules = self.rules(rules)?;
                let has_default = attributes.contains_key("serde:container:default");
                let mut fields = self.fields(&fields.fields, rules, has_default, arguments)?;
                // The tag of a struct is written, and not read.
                if let Some(tag) = attributes.get_named_as::<String>("serde:container:tag") {
                    let mut field = Field::new(tag, Type::String);
                    "The name of the type.".clone_into(&mut field.docs);
                    field.optional = true;
                    fields.insert(0, field);
                }
                Ok(Shape::Struct(Struct { fields, strict }))
            }
        }
    }

    fn refuse_identifiers(&self, attributes: &Attributes) -> Result<()> {
        let is_identifier = attributes.contains_key("serde:container:variant_identifier")
            || attributes.contains_key("serde:container:field_identifier");
        match is_identifier {
            true => self.refuse("identifiers of fields and variants are no values"),
            false => Ok(()),
        }
    }

    /// The items of a tuple, of which skipped ones are none.
    fn items(&mut self, fields: &[SpectaField], arguments: &Arguments) -> Result<Vec<Type>> {
        let mut items = Vec::new();
        for (index, field) in fields.iter().enumerate() {
            if !self.is_skipped(field, &index.to_string())? {
                items.push(self.item(field, &index.to_string(), arguments)?);
            }
        }
        Ok(items)
    }

    fn item(&mut self, field: &SpectaField, name: &str, arguments: &Arguments) -> Result<Type> {
        let attributes = &field.attributes;
        let is_one_way = attributes.contains_key("serde:field:skip_serializing")
            != attributes.contains_key("serde:field:skip_deserializing");
        self.within(name.to_owned(), |it| {
            if is_one_way || attributes.contains_key("serde:field:skip_serializing_if") {
                return it.refuse("an item of a tuple is skipped in one direction alone");
            }
            if attributes.contains_key("serde:field:flatten") {
                return it.refuse("an item of a tuple is flattened");
            }
            it.field_type(field, arguments)
        })
    }

    /// Whether a field travels in neither direction.
    fn is_skipped(&mut self, field: &SpectaField, name: &str) -> Result<bool> {
        let attributes = &field.attributes;
        let is_skipped = attributes.contains_key("serde:field:skip_serializing")
            && attributes.contains_key("serde:field:skip_deserializing");
        if field.ty.is_none() && !is_skipped {
            return self.within(name.to_owned(), |it| {
                it.refuse("it is hidden from specta, and travels: write `#[serde(skip)]`")
            });
        }
        Ok(is_skipped)
    }

    fn field_type(&mut self, field: &SpectaField, arguments: &Arguments) -> Result<Type> {
        let attributes = &field.attributes;
        if has_codec(attributes, "field") && !attributes.contains_key("specta:type_override") {
            return self.refuse(
                "`#[serde(with)]` decides how it travels: write `#[specta(type = …)]` with a type that travels like it",
            );
        }
        match &field.ty {
            Some(ty) => self.ty(ty, arguments),
            None => self.refuse("it is hidden from specta, and travels: write `#[serde(skip)]`"),
        }
    }

    fn fields(
        &mut self,
        fields: &[(std::borrow::Cow<'static, str>, SpectaField)],
        rules: Option<Rule>,
        has_default: bool,
        arguments: &Arguments,
    ) -> Result<Vec<Field>> {
        let mut converted = Vec::new();
        for (name, field) in fields {
            if self.is_skipped(field, name)? {
                continue;
            }
            let field = self.within(name.to_string(), |it| {
                it.field(name, field, rules, has_default, arguments)
            })?;
            converted.push(field);
        }
        Ok(converted)
    }

    fn field(
        &mut self,
        name: &str,
        field: &SpectaField,
        rule: Option<Rule>,
        has_default: bool,
        arguments: &Arguments,
    ) -> Result<Field> {
        let attributes = &field.attributes;
        let ty = self.field_type(field, arguments)?;
        let flatten = attributes.contains_key("serde:field:flatten");
        let own = rule.map_or_else(|| name.to_owned(), |rule| rule.field(name));
        let (name, aliases) = match flatten {
            true => (name.to_owned(), Vec::new()),
            false => self.names("field", attributes, &own)?,
        };
        // A missing value reads as `None`, unless a function of the user reads it.
        let is_option = matches!(ty, Type::Option(_)) && !has_codec(attributes, "field");
        let optional = has_default
            || is_option
            || attributes.contains_key("serde:field:default")
            || attributes.contains_key("serde:field:skip_deserializing");
        let omitted = attributes.contains_key("serde:field:skip_serializing_if")
            || attributes.contains_key("serde:field:skip_serializing");
        Ok(Field {
            name,
            aliases,
            docs: docs(&field.docs),
            ty,
            optional: optional && !flatten || flatten && is_option,
            omitted,
            flatten,
        })
    }

    /// The name that is written, and others that are read.
    fn names(&self, of: &str, attributes: &Attributes, own: &str) -> Result<(String, Vec<String>)> {
        let text = |key: &str| {
            let key = format!("serde:{of}:{key}");
            attributes.get_named_as::<String>(&key).cloned()
        };
        let written = text("rename_serialize").unwrap_or_else(|| own.to_owned());
        let read = text("rename_deserialize").unwrap_or_else(|| own.to_owned());
        let aliases = attributes.get_named_as::<Vec<String>>(&format!("serde:{of}:aliases"));
        let mut names: Vec<String> = aliases.cloned().unwrap_or_default();
        names.push(read.clone());
        if !names.contains(&written) {
            return self.refuse(format!("it is written as {written:?} and read as {read:?}"));
        }
        names.retain(|name| *name != written);
        names.sort();
        names.dedup();
        Ok((written, names))
    }

    /// The rule by which names are changed, if it is the same in both directions.
    fn rules(&self, rules: Rules) -> Result<Option<Rule>> {
        match rules.written == rules.read {
            false => self.refuse("`rename_all` differs between writing and reading"),
            true => match rules.written {
                None => Ok(None),
                Some(name) => match Rule::of(&name) {
                    Some(rule) => Ok(Some(rule)),
                    None => self.refuse(format!("unknown rule {name:?} for names")),
                },
            },
        }
    }

    fn enumeration(&mut self, of: &SpectaEnum, arguments: &Arguments) -> Result<Shape> {
        let attributes = &of.attributes;
        if let Some(ty) = self.converted(attributes, arguments)? {
            return Ok(Shape::Newtype(ty));
        }
        self.refuse_identifiers(attributes)?;
        let text = |key| attributes.get_named_as::<String>(key).cloned();
        let tag = text("serde:container:tag");
        let content = text("serde:container:content");
        let untagged = attributes.contains_key("serde:container:untagged");
        let tagging = match (tag, content) {
            _ if untagged => Tagging::Untagged,
            (Some(tag), Some(content)) => Tagging::Adjacent { tag, content },
            (Some(tag), None) => Tagging::Internal { tag },
            (None, _) => Tagging::External,
        };
        let rule = self.rules(Rules::of(attributes, "serde:container:rename_all"))?;
        let of_fields = self.rules(Rules::of(attributes, "serde:container:rename_all_fields"))?;
        let mut variants = Vec::new();
        for (name, variant) in &of.variants {
            let converted = self.within(name.to_string(), |it| {
                it.variant(name, variant, rule, of_fields, arguments)
            })?;
            variants.extend(converted);
        }
        let strict = false;
        Ok(Shape::Enum(Enum {
            tagging,
            variants,
            strict,
        }))
    }

    /// A variant, unless it is skipped.
    fn variant(
        &mut self,
        name: &str,
        variant: &SpectaVariant,
        rule: Option<Rule>,
        of_fields: Option<Rule>,
        arguments: &Arguments,
    ) -> Result<Option<Variant>> {
        let attributes = &variant.attributes;
        let is_never =
            |direction: &str| attributes.contains_key(&format!("serde:variant:skip_{direction}"));
        match (is_never("serializing"), is_never("deserializing")) {
            (true, true) => return Ok(None),
            (false, false) if !variant.skip => {}
            (false, false) => {
                return self
                    .refuse("it is hidden from specta, and travels: write `#[serde(skip)]`");
            }
            _ => return self.refuse("it is skipped in one direction alone"),
        }
        let is_overridden = attributes.contains_key("specta:type_override");
        if has_codec(attributes, "variant") && !is_overridden {
            return self.refuse(
                "`#[serde(with)]` decides how it travels: write `#[specta(type = …)]` with a type that travels like it",
            );
        }
        let own = rule.map_or_else(|| name.to_owned(), |rule| rule.variant(name));
        let (name, aliases) = self.names("variant", attributes, &own)?;
        let content = match &variant.fields {
            Fields::Unit => Content::Unit,
            Fields::Unnamed(fields) => match &fields.fields[..] {
                [field] if self.is_skipped(field, "0")? => Content::Unit,
                [field] => Content::Newtype(self.item(field, "0", arguments)?),
                several => Content::Tuple(self.items(several, arguments)?),
            },
            Fields::Named(fields) => {
                let own = self.rules(Rules::of(attributes, "serde:variant:rename_all"))?;
                let rule = own.or(of_fields);
                Content::Struct(self.fields(&fields.fields, rule, false, arguments)?)
            }
        };
        Ok(Some(Variant {
            name,
            aliases,
            docs: docs(&variant.docs),
            content,
            other: attributes.contains_key("serde:variant:other"),
            untagged: attributes.contains_key("serde:variant:untagged"),
        }))
    }
}

/// The names of rules for writing and for reading.
struct Rules {
    written: Option<String>,
    read: Option<String>,
}

impl Rules {
    fn of(attributes: &Attributes, key: &str) -> Self {
        let text = |direction: &str| {
            let key = format!("{key}_{direction}");
            attributes.get_named_as::<String>(&key).cloned()
        };
        Self {
            written: text("serialize"),
            read: text("deserialize"),
        }
    }
}

/// Whether a function of the user writes or reads it.
fn has_codec(attributes: &Attributes, of: &str) -> bool {
    ["with", "serialize_with", "deserialize_with"]
        .iter()
        .any(|what| attributes.contains_key(&format!("serde:{of}:has_{what}")))
}

/// Lines of documentation without the space that follows the slashes.
fn docs(docs: &str) -> String {
    let lines = docs
        .lines()
        .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
    let lines: Vec<_> = lines.collect();
    lines.join("\n").trim().to_owned()
}

fn primitive(primitive: &Primitive) -> Option<Type> {
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
const RESERVED: [&str; 36] = [
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
const TIMESTAMP: &str = "sockety_msgpack::timestamp::OpaqueTimestamp";

/// What is known of a type that specta implements its trait for.
enum Foreign {
    Is(Type),
    /// An integer other than 0.
    Nonzero,
    /// As specta has it: containers and pointers, and what travels like the type that specta names.
    Transparent,
    Refused(&'static str),
    /// A type that derives it.
    Unknown,
}

fn foreign(module: &str, name: &str) -> Foreign {
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

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
        Attributes, DataType, NamedDataType, NamedReference, NamedReferenceType, Reference,
    },
};

use self::{
    attributes::docs,
    foreign::{Foreign, RESERVED, TIMESTAMP, foreign},
};
use crate::{
    describe::Travelling,
    model::{Definition, Shape, Type},
    probe::{self, Root},
};

mod attributes;
mod buffered;
mod enums;
mod foreign;
mod structs;

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
    definitions: BTreeMap<String, Definition>,
    roots: Vec<Root>,
    /// Structs of one field that travel like its value, and the way to each.
    newtypes: Vec<(String, String)>,
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
            newtypes: Vec::new(),
            names: HashMap::new(),
            path: Vec::new(),
        }
    }

    /// The type of a part of an action.
    pub(crate) fn root(&mut self, path: String, of: &Travelling) -> Result<Type> {
        let ty = self.within(path.clone(), |it| it.ty(&of.ty, &Arguments::new()))?;
        self.roots.push(Root {
            path,
            ty: ty.clone(),
            reads: of.reads,
        });
        Ok(ty)
    }

    /// The definitions of all named types, which are asked for what specta does not tell.
    pub(crate) fn finish(mut self) -> Result<BTreeMap<String, Definition>> {
        buffered::check_buffered(&self.definitions, &self.roots)?;
        let (names, paths): (Vec<_>, Vec<_>) = self.newtypes.into_iter().unzip();
        let wrapped = probe::is_wrapped(&self.definitions, &self.roots, &names);
        let mut refused = paths.into_iter().zip(wrapped);
        if let Some((path, _)) = refused.find(|(_, is_wrapped)| *is_wrapped) {
            return Err(RefusedType {
                path,
                reason: "specta takes `#[repr(transparent)]` as `#[serde(transparent)]`, and serde does not: write \
                         `#[serde(transparent)]` or `#[specta(transparent = false)]`"
                    .to_owned(),
            });
        }
        probe::find_strict(&mut self.definitions, &self.roots);
        Ok(self.definitions)
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
            DataType::Primitive(primitive) => match foreign::primitive(primitive) {
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
}

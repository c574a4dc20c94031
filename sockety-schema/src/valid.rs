//! Whether a schema of an unknown origin is one: its size, and what its names lead to.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use crate::{
    error::SchemaError,
    model::{
        Content, Definition, ErrorVariant, Field, PartKind, Schema, Service, Shape, Tagging, Type,
    },
};

/// The most bytes of a schema as text.
pub(crate) const MAX_TEXT: usize = 4 << 20;

/// The most services.
const MAX_SERVICES: usize = 256;

/// The most actions of a service, and types.
const MAX_ENTRIES: usize = 4096;

/// The most parameters of an action, fields of a struct, variants of an enum, and items of a tuple.
const MAX_ITEMS: usize = 1024;

/// Codes of errors of a service.
const CODES: RangeInclusive<u16> = 16..=3839;

/// The most types that a type flattens, directly and by others.
const MAX_WIDTH: usize = 4096;

/// The most bytes of a name.
const MAX_NAME: usize = 512;

/// The most levels of types in a type. What a named one contains counts for that.
pub(crate) const MAX_DEPTH: usize = 32;

pub(crate) fn validate(schema: &Schema) -> Result<(), SchemaError> {
    count("services", schema.services.len(), MAX_SERVICES)?;
    for (name, service) in &schema.services {
        check_name(name)?;
        check_service(service)?;
    }
    Ok(())
}

fn check_service(service: &Service) -> Result<(), SchemaError> {
    count("actions in a service", service.actions.len(), MAX_ENTRIES)?;
    count("types in a service", service.types.len(), MAX_ENTRIES)?;
    let check = Check {
        types: &service.types,
    };
    let mut names = BTreeSet::new();
    for (name, action) in &service.actions {
        count("aliases of an action", action.aliases.len(), MAX_ITEMS)?;
        for name in action.names(name) {
            distinct(&mut names, "the service", name)?;
        }
        count(
            "parameters of an action",
            action.parameters.len(),
            MAX_ITEMS,
        )?;
        let mut keys = BTreeSet::new();
        for parameter in &action.parameters {
            distinct(&mut keys, name, &parameter.name)?;
            for alias in &parameter.aliases {
                distinct(&mut keys, name, alias)?;
            }
            let path = format!("{name}({})", parameter.name);
            check.part(&path, parameter.kind, parameter.ty.as_ref())?;
            let errors = (&parameter.error, &parameter.errors[..]);
            check.stream_errors(&path, parameter.kind, errors)?;
        }
        count("parts of a reply", action.returns.len(), MAX_ITEMS)?;
        for part in &action.returns {
            let path = format!("{name} -> {}", part.kind);
            check.part(&path, part.kind, part.ty.as_ref())?;
            check.stream_errors(&path, part.kind, (&part.error, &part.errors))?;
        }
        let kinds = action.parameters.iter().map(|it| it.kind);
        one_of_each(name, kinds, false)?;
        one_of_each(name, action.returns.iter().map(|it| it.kind), true)?;
        check.errors(name, (&action.error, &action.errors))?;
    }
    for (name, definition) in &service.types {
        check_name(name)?;
        check.definition(name, definition)?;
    }
    check.all_end()?;
    check.widths()
}

/// At most one stream, one list of files, and one payload of a reply.
fn one_of_each(
    path: &str,
    kinds: impl Iterator<Item = PartKind>,
    is_reply: bool,
) -> Result<(), SchemaError> {
    let (mut streams, mut files, mut payloads) = (0, 0, 0);
    for kind in kinds {
        match kind {
            PartKind::Streaming | PartKind::ByteStream => streams += 1,
            PartKind::Files => files += 1,
            PartKind::Payload => payloads += 1,
            PartKind::File => {}
        }
    }
    match () {
        () if streams > 1 => Err(unfit(path, "a message has two streams")),
        () if files > 1 => Err(unfit(path, "a message has two lists of files")),
        () if is_reply && payloads > 1 => Err(unfit(path, "a reply has two payloads")),
        () => Ok(()),
    }
}

struct Check<'a> {
    types: &'a BTreeMap<String, Definition>,
}

impl Check<'_> {
    fn part(&self, path: &str, kind: PartKind, ty: Option<&Type>) -> Result<(), SchemaError> {
        match (kind, ty) {
            (PartKind::Payload | PartKind::Streaming, Some(ty)) => self.ty(path, ty),
            (PartKind::Payload | PartKind::Streaming, None) => {
                Err(unfit(path, "a value has no type"))
            }
            (_, Some(_)) => Err(unfit(path, "files and bytes have no type")),
            (_, None) => Ok(()),
        }
    }

    fn stream_errors(
        &self,
        path: &str,
        kind: PartKind,
        errors: (&Option<Type>, &[ErrorVariant]),
    ) -> Result<(), SchemaError> {
        match (kind, errors) {
            (PartKind::Streaming, _) => self.errors(path, errors),
            (_, (None, [])) => Ok(()),
            _ => Err(unfit(path, "only a stream of values ends with an error")),
        }
    }

    fn errors(
        &self,
        path: &str,
        (ty, errors): (&Option<Type>, &[ErrorVariant]),
    ) -> Result<(), SchemaError> {
        let own = format!("{path} error");
        if let Some(ty) = ty {
            self.ty(&own, ty)?;
        }
        count("errors of an action", errors.len(), MAX_ENTRIES)?;
        let mut names = BTreeSet::new();
        for error in errors {
            distinct(&mut names, &own, &error.name)?;
            if !CODES.contains(&error.code) {
                return Err(unfit(path, "the code of an error is not from 16 to 3,839"));
            }
            if error.details && ty.is_none() {
                return Err(unfit(
                    path,
                    "an error has details, but the errors have no type",
                ));
            }
        }
        Ok(())
    }

    fn definition(&self, name: &str, definition: &Definition) -> Result<(), SchemaError> {
        match &definition.shape {
            Shape::Unit => Ok(()),
            Shape::Newtype(ty) => self.ty(name, ty),
            Shape::Tuple(items) => self.tuple(name, items),
            Shape::Struct(of) => self.fields(name, &of.fields, None),
            Shape::Enum(of) => {
                count("variants of an enum", of.variants.len(), MAX_ITEMS)?;
                let tag = match &of.tagging {
                    Tagging::Internal { tag } => Some(tag.as_str()),
                    _ => None,
                };
                if let Some(tag) = tag {
                    check_name(tag)?;
                }
                if let Tagging::Adjacent { tag, content } = &of.tagging {
                    check_name(tag)?;
                    check_name(content)?;
                    if tag == content {
                        return Err(unfit(
                            name,
                            "an enum has its tag and its content at one key",
                        ));
                    }
                }
                if of.variants.iter().filter(|variant| variant.other).count() > 1 {
                    return Err(unfit(name, "two variants stand for all unknown names"));
                }
                let mut names = BTreeSet::new();
                for variant in &of.variants {
                    distinct(&mut names, name, &variant.name)?;
                    for alias in &variant.aliases {
                        distinct(&mut names, name, alias)?;
                    }
                    let path = format!("{name}::{}", variant.name);
                    match &variant.content {
                        Content::Unit => {}
                        Content::Newtype(ty) => self.ty(&path, ty)?,
                        Content::Tuple(items) => self.tuple(&path, items)?,
                        Content::Struct(fields) => self.fields(&path, fields, tag)?,
                    }
                }
                Ok(())
            }
        }
    }

    fn tuple(&self, path: &str, items: &[Type]) -> Result<(), SchemaError> {
        count("items of a tuple", items.len(), MAX_ITEMS)?;
        items.iter().try_for_each(|ty| self.ty(path, ty))
    }

    fn fields(&self, path: &str, fields: &[Field], tag: Option<&str>) -> Result<(), SchemaError> {
        count("fields of a struct", fields.len(), MAX_ITEMS)?;
        let mut keys = BTreeSet::new();
        if let Some(tag) = tag {
            distinct(&mut keys, path, tag)?;
        }
        for field in fields {
            if !field.flatten {
                distinct(&mut keys, path, &field.name)?;
                for alias in &field.aliases {
                    distinct(&mut keys, path, alias)?;
                }
            }
            self.ty(&format!("{path}.{}", field.name), &field.ty)?;
        }
        Ok(())
    }

    /// Recursion ends at the depth that is checked, which is less than what the reader of JSON allows.
    fn ty(&self, path: &str, ty: &Type) -> Result<(), SchemaError> {
        self.ty_at(path, ty, 0)
    }

    fn ty_at(&self, path: &str, ty: &Type, depth: usize) -> Result<(), SchemaError> {
        if depth == MAX_DEPTH {
            return Err(SchemaError::TooDeep {
                path: path.to_owned(),
                limit: MAX_DEPTH,
            });
        }
        match ty {
            Type::Named(name) if !self.types.contains_key(name) => {
                return Err(SchemaError::UnknownType {
                    path: path.to_owned(),
                    name: shortened(name),
                });
            }
            Type::Nonzero(of)
                if of.range().is_none() && !matches!(**of, Type::U128 | Type::I128) =>
            {
                return Err(unfit(path, "only integers can be other than 0"));
            }
            Type::Nonzero(of) if matches!(**of, Type::Nonzero(_)) => {
                return Err(unfit(path, "only integers can be other than 0"));
            }
            Type::Text(name) => check_name(name)?,
            Type::Tuple(items) => count("items of a tuple", items.len(), MAX_ITEMS)?,
            _ => {}
        }
        let mut inner = ty.inner().into_iter();
        inner.try_for_each(|ty| self.ty_at(path, ty, depth + 1))
    }

    /// A type that is nothing but another one, or whose entries are those of another one, must come to an end.
    fn all_end(&self) -> Result<(), SchemaError> {
        let mut ended = BTreeSet::new();
        for name in self.types.keys() {
            let mut path = vec![(name.as_str(), self.same(name).into_iter())];
            let mut open = BTreeSet::from([name.as_str()]);
            while let Some((name, rest)) = path.last_mut() {
                match rest.next() {
                    Some(next) if ended.contains(next) => {}
                    Some(next) if !open.insert(next) => {
                        return Err(SchemaError::Endless {
                            name: shortened(next),
                        });
                    }
                    Some(next) => path.push((next, self.same(next).into_iter())),
                    None => {
                        open.remove(name);
                        ended.insert(*name);
                        path.pop();
                    }
                }
            }
        }
        Ok(())
    }

    /// Fields with those of flattened structs, which types that flatten each other could multiply.
    fn widths(&self) -> Result<(), SchemaError> {
        let mut widths: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self.types.keys() {
            // Each before those that flatten it; that this comes to an end is known.
            let mut open = vec![name.as_str()];
            while let Some(name) = open.last().copied() {
                let inner = self.same(name);
                if let Some(unknown) = inner.iter().find(|it| !widths.contains_key(**it)) {
                    open.push(unknown);
                    continue;
                }
                open.pop();
                let width = 1 + inner.iter().map(|it| widths[*it]).sum::<usize>();
                count("fields of a type with flattened ones", width, MAX_WIDTH)?;
                widths.insert(name, width);
            }
        }
        Ok(())
    }

    /// The types without which a type has no value at the same place.
    fn same(&self, name: &str) -> Vec<&str> {
        let mut found = Vec::new();
        let Some(definition) = self.types.get(name) else {
            return found;
        };
        let mut add = |ty: &'_ Type| {
            if let Some(name) = named(ty) {
                if let Some((name, _)) = self.types.get_key_value(name) {
                    found.push(name.as_str());
                }
            }
        };
        match &definition.shape {
            Shape::Newtype(ty) => add(ty),
            Shape::Struct(of) => {
                let fields = of.fields.iter().filter(|field| field.flatten);
                fields.for_each(|field| add(&field.ty));
            }
            Shape::Enum(of) => {
                for variant in &of.variants {
                    match &variant.content {
                        Content::Newtype(ty)
                            if matches!(
                                of.tagging,
                                Tagging::Untagged | Tagging::Internal { .. }
                            ) || variant.untagged =>
                        {
                            add(ty);
                        }
                        Content::Struct(fields) => {
                            let fields = fields.iter().filter(|field| field.flatten);
                            fields.for_each(|field| add(&field.ty));
                        }
                        _ => {}
                    }
                }
            }
            Shape::Unit | Shape::Tuple(_) => {}
        }
        found
    }
}

/// The name of a type, also of an optional one.
fn named(ty: &Type) -> Option<&str> {
    match ty {
        Type::Named(name) => Some(name),
        Type::Option(of) => named(of),
        _ => None,
    }
}

fn count(what: &'static str, count: usize, limit: usize) -> Result<(), SchemaError> {
    match count <= limit {
        true => Ok(()),
        false => Err(SchemaError::TooMany { what, count, limit }),
    }
}

fn check_name(name: &str) -> Result<(), SchemaError> {
    match name.len() <= MAX_NAME {
        true => Ok(()),
        false => Err(SchemaError::LongName {
            name: shortened(name),
            bytes: name.len(),
            limit: MAX_NAME,
        }),
    }
}

/// Adds a name to others that it must differ from.
fn distinct<'a>(
    names: &mut BTreeSet<&'a str>,
    path: &str,
    name: &'a str,
) -> Result<(), SchemaError> {
    check_name(name)?;
    match names.insert(name) {
        true => Ok(()),
        false => Err(SchemaError::Duplicate {
            path: path.to_owned(),
            name: name.to_owned(),
        }),
    }
}

fn unfit(path: &str, reason: &'static str) -> SchemaError {
    SchemaError::Unfit {
        path: path.to_owned(),
        reason,
    }
}

/// The beginning of a name that may be long.
fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

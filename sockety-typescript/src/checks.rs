//! Guards: what says at run time whether a value is of a type.

use std::collections::BTreeSet;

use sockety_schema::{Content, Definition, Enum, Field, Shape, Tagging, Type, Variant};

use crate::{
    BigInts,
    layout::{Doc, Item},
    names::quoted,
    types::{Flattened, Key, Result, Types, checked_key, inside, is_name, unknown},
};

/// Writes guards. Those that are declared already can be named; others only later.
pub(crate) struct Checks<'a> {
    pub(crate) types: &'a Types<'a>,
    pub(crate) declared: BTreeSet<String>,
}

impl Checks<'_> {
    pub(crate) fn declaration(&mut self, name: &str, of: &Definition) -> Result<String> {
        let names = self.types.names(name, name)?.clone();
        let check = match &of.shape {
            Shape::Unit => Doc::call("sockety.tuple", Vec::new()),
            Shape::Newtype(ty) => self.check(ty, name)?,
            Shape::Tuple(items) => Doc::call("sockety.tuple", self.items(items, name)?),
            Shape::Struct(of) => {
                let check = self.object(Vec::new(), &of.fields, name)?;
                self.closed(check, (&of.fields, of.strict), name)?
            }
            Shape::Enum(of) => {
                let variants = of.variants.iter();
                let variants = variants.map(|variant| Ok(self.variant(of, variant, name)?.into()));
                Doc::call("sockety.oneOf", variants.collect::<Result<_>>()?)
            }
            _ => return Err(unknown(name)),
        };
        self.declared.insert(names.check.clone());
        Ok(format!(
            "/** Whether a value is of the type `{ty}`. */\nexport const {check_name}: sockety.Check<{ty}> = {};\n",
            check.text(0),
            ty = names.ty,
            check_name = names.check,
        ))
    }

    pub(crate) fn check(&self, ty: &Type, path: &str) -> Result<Doc> {
        Ok(match ty {
            Type::Nil => "sockety.nil".into(),
            Type::Bool => "sockety.bool".into(),
            Type::U8 => "sockety.u8".into(),
            Type::U16 => "sockety.u16".into(),
            Type::U32 => "sockety.u32".into(),
            Type::U64 => self.long("sockety.u64", "sockety.bigU64"),
            Type::I8 => "sockety.i8".into(),
            Type::I16 => "sockety.i16".into(),
            Type::I32 => "sockety.i32".into(),
            Type::I64 => self.long("sockety.i64", "sockety.bigI64"),
            Type::U128 | Type::I128 => "sockety.int128".into(),
            Type::F32 | Type::F64 => "sockety.float".into(),
            Type::Char => "sockety.char".into(),
            Type::String | Type::Text(_) => "sockety.text".into(),
            Type::Bytes => "sockety.bytes".into(),
            Type::Timestamp => "sockety.date".into(),
            Type::Duration => self.long("sockety.duration", "sockety.bigDuration"),
            Type::SystemTime => self.long("sockety.systemTime", "sockety.bigSystemTime"),
            Type::Nonzero(of) => Doc::call("sockety.nonzero", vec![self.check(of, path)?.into()]),
            Type::Option(of) => Doc::call("sockety.option", vec![self.check(of, path)?.into()]),
            Type::Sequence(of) => Doc::call("sockety.list", vec![self.check(of, path)?.into()]),
            Type::Array(of, length) => {
                let length = Doc::from(length.to_string());
                let items = vec![self.check(of, path)?.into(), length.into()];
                Doc::call("sockety.array", items)
            }
            Type::Tuple(items) => Doc::call("sockety.tuple", self.items(items, path)?),
            Type::Map(by, of) => {
                let key = match self.types.key(by, path)? {
                    Key::Text => "sockety.text".into(),
                    Key::Bool => {
                        "sockety.oneOf(sockety.literal('true'), sockety.literal('false'))".into()
                    }
                    Key::Integer(of) | Key::Long(of) => {
                        Doc::call("sockety.key", vec![self.check(of, path)?.into()])
                    }
                    Key::Names(name) => self.named(name, path)?,
                };
                Doc::call(
                    "sockety.map",
                    vec![key.into(), self.check(of, path)?.into()],
                )
            }
            Type::Named(name) => self.named(name, path)?,
            _ => return Err(unknown(path)),
        })
    }

    /// The check of what has integers of 64 bits.
    fn long(&self, large: &str, always: &str) -> Doc {
        match self.types.bigints {
            BigInts::Large => large.into(),
            BigInts::Always => always.into(),
        }
    }

    fn named(&self, name: &str, path: &str) -> Result<Doc> {
        let check = &self.types.names(name, path)?.check;
        Ok(match self.declared.contains(check) {
            true => check.as_str().into(),
            false => format!("sockety.lazy(() => {check})").into(),
        })
    }

    fn items(&self, items: &[Type], path: &str) -> Result<Vec<Item>> {
        let items = items.iter().map(|ty| Ok(self.check(ty, path)?.into()));
        items.collect()
    }

    fn object(&self, mut entries: Vec<Item>, fields: &[Field], path: &str) -> Result<Doc> {
        let mut flattened = Vec::new();
        for field in fields {
            let path = format!("{path}.{}", field.name);
            if field.flatten {
                let of = self.types.flattened(&field.ty, &path)?;
                flattened.extend(self.flattened(of, &path)?.map(Item::from));
                continue;
            }
            let mut check = self.check(&field.ty, &path)?;
            if field.optional || field.omitted {
                check = Doc::call("sockety.optional", vec![check.into()]);
            }
            check = aliased(check, &field.aliases, &path)?;
            entries.push(entry(&checked_key(&field.name, &path)?, check));
        }
        Ok(structure(entries, flattened))
    }

    /// The check of fields, next to which other entries may be refused.
    fn closed(&self, check: Doc, (fields, strict): (&[Field], bool), path: &str) -> Result<Doc> {
        if !strict {
            return Ok(check);
        }
        for field in fields.iter().filter(|field| field.flatten) {
            let path = format!("{path}.{}", field.name);
            if matches!(self.types.flattened(&field.ty, &path)?, Flattened::Map) {
                return Ok(check);
            }
        }
        Ok(Doc::call("sockety.strict", vec![check.into()]))
    }

    /// The check of what a flattened value adds, if it adds something that can be wrong.
    fn flattened(&self, of: Flattened<'_>, path: &str) -> Result<Option<Doc>> {
        Ok(match of {
            Flattened::Nothing | Flattened::Map => None,
            Flattened::Entries(name) => Some(self.named(name, path)?),
            Flattened::Variant(name, of) => {
                let mut variants = Vec::new();
                for variant in of.variants.iter().filter(|it| is_name(of, it)) {
                    let name = checked_key(&variant.name, path)?;
                    let content = aliased("sockety.nil".into(), &variant.aliases, path)?;
                    variants.push(structure(vec![entry(&name, content)], Vec::new()).into());
                }
                if variants.len() < of.variants.len() {
                    variants.push(self.named(name, path)?.into());
                }
                Some(Doc::call("sockety.oneOf", variants))
            }
            Flattened::Optional(of) => {
                let check = self.flattened(*of, path)?;
                check.map(|check| Doc::call("sockety.perhaps", vec![check.into()]))
            }
        })
    }

    pub(crate) fn variant(&self, of: &Enum, variant: &Variant, path: &str) -> Result<Doc> {
        let path = &format!("{path}::{}", variant.name);
        let tagging = match variant.untagged {
            true => &Tagging::Untagged,
            false => &of.tagging,
        };
        // A variant that stands for names of later versions: none of the known ones, but for its own.
        let name = match variant.other {
            false => Doc::call("sockety.literal", literals(names(variant))),
            true => {
                let others = of.variants.iter().filter(|other| !other.other);
                Doc::call("sockety.otherThan", literals(others.flat_map(names)))
            }
        };
        Ok(match tagging {
            Tagging::External => match self.content(of, &variant.content, path)? {
                None => name,
                Some(content) => {
                    let name = checked_key(&variant.name, path)?;
                    let content = aliased(content, &variant.aliases, path)?;
                    structure(vec![entry(&name, content)], Vec::new())
                }
            },
            Tagging::Internal { tag } => {
                let key = checked_key(tag, path)?;
                match &variant.content {
                    Content::Unit => structure(vec![entry(&key, name)], Vec::new()),
                    Content::Struct(fields) => {
                        let entries = vec![entry(&key, name)];
                        let check = self.object(entries, fields, path)?;
                        self.closed(check, (fields, of.strict), path)?
                    }
                    Content::Newtype(ty) => {
                        let of = self.types.flattened(ty, path).map_err(|_| inside(path))?;
                        match of {
                            // What it refuses does not include the tag.
                            Flattened::Entries(of) => {
                                let tag = Doc::from(quoted(tag));
                                let of = self.named(of, path)?;
                                let items = vec![tag.into(), name.into(), of.into()];
                                Doc::call("sockety.tagged", items)
                            }
                            of => {
                                let rest = self.flattened(of, path)?.map(Item::from);
                                structure(vec![entry(&key, name)], rest.into_iter().collect())
                            }
                        }
                    }
                    _ => return Err(inside(path)),
                }
            }
            Tagging::Adjacent { tag, content } => {
                let mut entries = vec![entry(&checked_key(tag, path)?, name)];
                let mut others = Vec::new();
                match self.content(of, &variant.content, path)? {
                    Some(value) => entries.push(entry(&checked_key(content, path)?, value)),
                    // Serde reads that there is nothing.
                    None => others.push(Doc::from(quoted(content)).into()),
                }
                let check = structure(entries, Vec::new());
                match of.strict {
                    true => {
                        others.insert(0, check.into());
                        Doc::call("sockety.strict", others)
                    }
                    false => check,
                }
            }
            Tagging::Untagged => match self.content(of, &variant.content, path)? {
                Some(content) => content,
                None => "sockety.nil".into(),
            },
            _ => return Err(unknown(path)),
        })
    }

    fn content(&self, of: &Enum, content: &Content, path: &str) -> Result<Option<Doc>> {
        Ok(Some(match content {
            Content::Unit => return Ok(None),
            Content::Newtype(ty) => self.check(ty, path)?,
            Content::Tuple(items) => Doc::call("sockety.tuple", self.items(items, path)?),
            Content::Struct(fields) => {
                let check = self.object(Vec::new(), fields, path)?;
                self.closed(check, (fields, of.strict), path)?
            }
            _ => return Err(unknown(path)),
        }))
    }
}

/// The check of a field that is also read by other names.
fn aliased(check: Doc, aliases: &[String], path: &str) -> Result<Doc> {
    if aliases.is_empty() {
        return Ok(check);
    }
    for alias in aliases {
        checked_key(alias, path)?;
    }
    let mut items = literals(aliases);
    items.insert(0, check.into());
    Ok(Doc::call("sockety.aliased", items))
}

/// All names by which a variant is read, its own first.
fn names(variant: &Variant) -> impl Iterator<Item = &String> {
    std::iter::once(&variant.name).chain(&variant.aliases)
}

fn literals<'a>(texts: impl IntoIterator<Item = &'a String>) -> Vec<Item> {
    let literals = texts.into_iter().map(|text| Doc::from(quoted(text)).into());
    literals.collect()
}

fn entry(key: &str, check: Doc) -> Item {
    Doc::row([format!("{key}: ").into(), check]).into()
}

fn structure(entries: Vec<Item>, mut flattened: Vec<Item>) -> Doc {
    flattened.insert(0, Doc::object(entries).into());
    Doc::call("sockety.struct", flattened)
}

//! Types of a service as TypeScript.

use std::collections::BTreeMap;

use sockety_schema::{Content, Definition, Enum, Field, Service, Shape, Tagging, Type, Variant};

use crate::{
    BigInts,
    error::Unsupported,
    layout::{Doc, Item},
    names::{comment, key, quoted, shown},
};

pub(crate) type Result<T> = std::result::Result<T, Unsupported>;

/// The types of a service, and the names that they have in the file.
pub(crate) struct Types<'a> {
    pub(crate) service: &'a Service,
    pub(crate) names: BTreeMap<&'a str, TypeNames>,
    pub(crate) bigints: BigInts,
}

/// How a type is called in the file.
#[derive(Debug, Clone)]
pub(crate) struct TypeNames {
    pub(crate) ty: String,
    /// Its guard.
    pub(crate) check: String,
}

/// What the keys of a map are in JavaScript, where they are text.
pub(crate) enum Key<'a> {
    Text,
    Bool,
    /// An integer that a `number` has.
    Integer(&'a Type),
    /// An integer that may be larger.
    Long(&'a Type),
    /// An enum of names.
    Names(&'a str),
}

/// What a flattened value adds to the map around it.
pub(crate) enum Flattened<'a> {
    Nothing,
    /// The entries of a type.
    Entries(&'a str),
    /// The entry that a variant is, also of those that are mere names where they are no entries.
    Variant(&'a str, &'a Enum),
    /// Perhaps.
    Optional(Box<Self>),
    /// Entries of any name.
    Map,
}

impl<'a> Types<'a> {
    pub(crate) fn names(&self, name: &str, path: &str) -> Result<&TypeNames> {
        let named = self.names.get(name);
        named.ok_or_else(|| unsupported(path, "the schema does not have the type that it names"))
    }

    fn definition(&self, name: &str, path: &str) -> Result<&'a Definition> {
        let definition = self.service.types.get(name);
        definition
            .ok_or_else(|| unsupported(path, "the schema does not have the type that it names"))
    }

    /// What a type is, if it is nothing but another one.
    fn resolved<'b>(&'b self, mut ty: &'b Type, path: &str) -> Result<&'b Type> {
        for _ in 0..=self.service.types.len() {
            let Type::Named(name) = ty else {
                return Ok(ty);
            };
            match &self.definition(name, path)?.shape {
                Shape::Newtype(of) => ty = of,
                _ => return Ok(ty),
            }
        }
        Err(unsupported(path, "it consists of itself alone"))
    }

    /// The enum that a type is, if it is one.
    pub(crate) fn enumeration(&self, ty: &Type, path: &str) -> Result<Option<&'a Enum>> {
        Ok(match self.resolved(ty, path)? {
            Type::Named(name) => match &self.definition(name, path)?.shape {
                Shape::Enum(of) => Some(of),
                _ => None,
            },
            _ => None,
        })
    }

    pub(crate) fn key<'b>(&'b self, ty: &'b Type, path: &str) -> Result<Key<'b>> {
        let resolved = self.resolved(ty, path)?;
        let of = match resolved {
            Type::Nonzero(of) => &**of,
            of => of,
        };
        Ok(match of {
            Type::String | Type::Char | Type::Text(_) => Key::Text,
            Type::Bool => Key::Bool,
            Type::U8 | Type::U16 | Type::U32 | Type::I8 | Type::I16 | Type::I32 => {
                Key::Integer(resolved)
            }
            Type::U64 | Type::I64 => Key::Long(resolved),
            Type::Named(name) if self.is_names(name, path)? => Key::Names(name),
            _ => {
                let ty = shown(&ty.to_string());
                return Err(unsupported(
                    path,
                    format!(
                        "keys of objects are text in JavaScript, so it has no maps by {ty}: \
                         write `Vec<({ty}, …)>`"
                    ),
                ));
            }
        })
    }

    /// Whether it is an enum whose values are the names of its variants.
    fn is_names(&self, name: &str, path: &str) -> Result<bool> {
        Ok(match &self.definition(name, path)?.shape {
            Shape::Enum(of) => {
                of.tagging == Tagging::External
                    && of.variants.iter().all(|variant| {
                        variant.content == Content::Unit && !variant.untagged && !variant.other
                    })
            }
            _ => false,
        })
    }

    pub(crate) fn flattened<'b>(&'b self, ty: &'b Type, path: &str) -> Result<Flattened<'b>> {
        let refused = || {
            unsupported(
                path,
                "only structs, enums and maps can be flattened: remove `#[serde(flatten)]`",
            )
        };
        let resolved = self.resolved(ty, path)?;
        let name = match resolved {
            Type::Option(of) => {
                return Ok(match self.flattened(of, path)? {
                    Flattened::Map => Flattened::Map,
                    other => Flattened::Optional(Box::new(other)),
                });
            }
            Type::Map(..) => return Ok(Flattened::Map),
            Type::Nil => return Ok(Flattened::Nothing),
            Type::Named(name) => name,
            _ => return Err(refused()),
        };
        let shape = &self.definition(name, path)?.shape;
        // By the name that the field has for it.
        let name = match ty {
            Type::Named(name) => name,
            _ => name,
        };
        Ok(match shape {
            Shape::Unit => Flattened::Nothing,
            Shape::Enum(of) if of.variants.iter().any(|it| is_name(of, it)) => {
                Flattened::Variant(name, of)
            }
            Shape::Struct(_) | Shape::Enum(_) => Flattened::Entries(name),
            _ => return Err(refused()),
        })
    }

    /// The type of what a flattened value adds, if it adds something.
    fn flattened_type(&self, of: Flattened<'_>, path: &str) -> Result<Option<Doc>> {
        Ok(Some(match of {
            Flattened::Nothing => return Ok(None),
            Flattened::Entries(name) => self.names(name, path)?.ty.as_str().into(),
            Flattened::Variant(name, of) => {
                let (names, others): (Vec<_>, Vec<_>) =
                    of.variants.iter().partition(|it| is_name(of, it));
                let mut alternatives = Vec::new();
                for variant in names {
                    let name = checked_key(&variant.name, path)?;
                    alternatives.push(format!("{{ {name}: null }}"));
                }
                if !others.is_empty() {
                    let own = &self.names(name, path)?.ty;
                    alternatives.push(format!("Exclude<{own}, string>"));
                }
                format!("({})", alternatives.join(" | ")).into()
            }
            Flattened::Optional(of) => match self.flattened_type(*of, path)? {
                Some(of) => Doc::row(["Partial<".into(), of, ">".into()]),
                None => return Ok(None),
            },
            Flattened::Map => "{ [key: string]: unknown }".into(),
        }))
    }

    pub(crate) fn ty(&self, ty: &Type, path: &str) -> Result<Doc> {
        Ok(match ty {
            Type::Nil => "null".into(),
            Type::Bool => "boolean".into(),
            Type::U8
            | Type::U16
            | Type::U32
            | Type::I8
            | Type::I16
            | Type::I32
            | Type::F32
            | Type::F64 => "number".into(),
            Type::U64 | Type::I64 => match self.bigints {
                BigInts::Large => "number | bigint".into(),
                BigInts::Always => "bigint".into(),
            },
            Type::U128 | Type::I128 | Type::Bytes => "Uint8Array".into(),
            Type::Nonzero(of) => self.ty(of, path)?,
            Type::Char | Type::String | Type::Text(_) => "string".into(),
            Type::Timestamp => "Date".into(),
            Type::Duration => match self.bigints {
                BigInts::Large => "sockety.Duration".into(),
                BigInts::Always => "sockety.Duration<bigint>".into(),
            },
            Type::SystemTime => match self.bigints {
                BigInts::Large => "sockety.SystemTime".into(),
                BigInts::Always => "sockety.SystemTime<bigint>".into(),
            },
            Type::Option(of) if matches!(**of, Type::Option(_) | Type::Nil) => self.ty(of, path)?,
            Type::Option(of) => Doc::row([self.ty(of, path)?, " | null".into()]),
            Type::Sequence(of) | Type::Array(of, _) => match self.is_union(of) {
                true => Doc::row(["(".into(), self.ty(of, path)?, ")[]".into()]),
                false => Doc::row([self.ty(of, path)?, "[]".into()]),
            },
            Type::Tuple(items) => Doc::list(self.items(items, path)?),
            Type::Map(by, of) => {
                let index = match self.key(by, path)? {
                    Key::Text | Key::Long(_) => "[key: string]: ".to_owned(),
                    Key::Integer(_) => "[key: number]: ".to_owned(),
                    Key::Bool => "[K in 'true' | 'false']?: ".to_owned(),
                    Key::Names(name) => format!("[K in {}]?: ", self.names(name, path)?.ty),
                };
                let entry = Doc::row([index.into(), self.ty(of, path)?]);
                Doc::object_type(vec![entry.into()])
            }
            Type::Named(name) => self.names(name, path)?.ty.as_str().into(),
            _ => return Err(unknown(path)),
        })
    }

    /// Whether its type has several alternatives, without brackets around them.
    fn is_union(&self, ty: &Type) -> bool {
        match ty {
            Type::U64 | Type::I64 => self.bigints == BigInts::Large,
            Type::Option(_) => true,
            Type::Nonzero(of) => self.is_union(of),
            _ => false,
        }
    }

    fn items(&self, items: &[Type], path: &str) -> Result<Vec<Item>> {
        let items = items.iter().map(|ty| Ok(self.ty(ty, path)?.into()));
        items.collect()
    }

    /// The declaration of a type.
    pub(crate) fn declaration(&self, name: &str, of: &Definition) -> Result<String> {
        let own = &self.names(name, name)?.ty;
        let docs = comment(&of.docs, 0);
        Ok(match &of.shape {
            Shape::Unit => format!("{docs}export type {own} = [];\n"),
            Shape::Newtype(ty) => {
                format!(
                    "{docs}export type {own} = {};\n",
                    self.ty(ty, name)?.text(0)
                )
            }
            Shape::Tuple(items) => {
                let items = Doc::list(self.items(items, name)?);
                format!("{docs}export type {own} = {};\n", items.text(0))
            }
            Shape::Struct(of) => {
                if of.fields.iter().any(|field| field.flatten) {
                    let fields = self.object(Vec::new(), &of.fields, name)?;
                    format!("{docs}export type {own} = {};\n", fields.text(0))
                } else {
                    let fields = self.object(Vec::new(), &of.fields, name)?.spread();
                    format!("{docs}export interface {own} {}\n", fields.text(0))
                }
            }
            Shape::Enum(of) => {
                let mut variants = String::new();
                for variant in &of.variants {
                    let doc = self.variant(of, variant, name)?;
                    variants.push('\n');
                    variants += &comment(&variant.docs, 1);
                    variants += &format!("  | {}", doc.text(2));
                }
                if variants.is_empty() {
                    variants += " never";
                }
                format!("{docs}export type {own} ={variants};\n")
            }
            _ => return Err(unknown(name)),
        })
    }

    /// An object with these entries, and those of fields.
    fn object(&self, mut entries: Vec<Item>, fields: &[Field], path: &str) -> Result<Doc> {
        let mut flattened = Vec::new();
        for field in fields {
            let path = format!("{path}.{}", field.name);
            if field.flatten {
                let of = self.flattened(&field.ty, &path)?;
                if let Some(ty) = self.flattened_type(of, &path)? {
                    flattened.extend([" & ".into(), ty]);
                }
                continue;
            }
            let mark = match field.optional || field.omitted {
                true => "?",
                false => "",
            };
            let name = format!("{}{mark}: ", checked_key(&field.name, &path)?);
            entries.push(Item {
                docs: field.docs.clone(),
                doc: Doc::row([name.into(), self.ty(&field.ty, &path)?]),
            });
        }
        if entries.is_empty() && !flattened.is_empty() {
            flattened.remove(0);
            return Ok(Doc::Row(flattened));
        }
        if flattened.is_empty() {
            return Ok(Doc::object_type(entries));
        }
        flattened.insert(0, Doc::object_type(entries));
        Ok(Doc::Row(flattened))
    }

    fn variant(&self, of: &Enum, variant: &Variant, path: &str) -> Result<Doc> {
        let path = &format!("{path}::{}", variant.name);
        let tagging = match variant.untagged {
            true => &Tagging::Untagged,
            false => &of.tagging,
        };
        let name = quoted(&variant.name);
        Ok(match tagging {
            Tagging::External => {
                let Some(content) = self.content(&variant.content, path)? else {
                    return Ok(name.into());
                };
                let name = checked_key(&variant.name, path)?;
                let entry = Doc::row([format!("{name}: ").into(), content]);
                Doc::object_type(vec![entry.into()])
            }
            Tagging::Internal { tag } => {
                let tag = format!("{}: {name}", checked_key(tag, path)?);
                let entries = vec![Doc::from(tag).into()];
                match &variant.content {
                    Content::Unit => Doc::object_type(entries),
                    Content::Struct(fields) => self.object(entries, fields, path)?,
                    Content::Newtype(ty) => {
                        let of = self.flattened(ty, path).map_err(|_| inside(path))?;
                        if matches!(of, Flattened::Optional(_)) {
                            return Err(inside(path));
                        }
                        let entries = Doc::object_type(entries);
                        match self.flattened_type(of, path)? {
                            Some(rest) => Doc::row([entries, " & ".into(), rest]),
                            None => entries,
                        }
                    }
                    _ => return Err(inside(path)),
                }
            }
            Tagging::Adjacent { tag, content } => {
                let tag = format!("{}: {name}", checked_key(tag, path)?);
                let mut entries = vec![Doc::from(tag).into()];
                if let Some(value) = self.content(&variant.content, path)? {
                    let key = format!("{}: ", checked_key(content, path)?);
                    entries.push(Doc::row([key.into(), value]).into());
                }
                Doc::object_type(entries)
            }
            Tagging::Untagged => match self.content(&variant.content, path)? {
                Some(content) => content,
                None => "null".into(),
            },
            _ => return Err(unknown(path)),
        })
    }

    fn content(&self, content: &Content, path: &str) -> Result<Option<Doc>> {
        Ok(Some(match content {
            Content::Unit => return Ok(None),
            Content::Newtype(ty) => self.ty(ty, path)?,
            Content::Tuple(items) => Doc::list(self.items(items, path)?),
            Content::Struct(fields) => self.object(Vec::new(), fields, path)?,
            _ => return Err(unknown(path)),
        }))
    }
}

/// Whether it is a variant that is a mere name where it is no entry of a map.
pub(crate) fn is_name(of: &Enum, variant: &Variant) -> bool {
    of.tagging == Tagging::External && variant.content == Content::Unit && !variant.untagged
}

/// A key of an object, other than the one that JavaScript has for something else.
pub(crate) fn checked_key(name: &str, path: &str) -> Result<String> {
    match name {
        "__proto__" => Err(unsupported(
            path,
            "JavaScript has no entries of the name `__proto__`: write `#[serde(rename = …)]`",
        )),
        _ => Ok(key(name)),
    }
}

pub(crate) fn unsupported(path: &str, reason: impl Into<String>) -> Unsupported {
    Unsupported {
        path: shown(path),
        reason: reason.into(),
    }
}

/// A schema may have more than this version knows.
pub(crate) fn unknown(path: &str) -> Unsupported {
    unsupported(path, "this version does not know what it is")
}

pub(crate) fn inside(path: &str) -> Unsupported {
    unsupported(
        path,
        "the name of a variant is among the entries of its content, which are none here: write a variant with fields",
    )
}

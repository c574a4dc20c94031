//! MessagePack to JSON.

use rmpv::ValueRef;
use serde_json::{Map, Value as Json, json};
use sockety_schema::{Content, Enum, Field, Shape, Tagging, Type, Variant};

use super::{Budget, Problem, Types, pack::variant_of, scalars};
use crate::value;

/// Shows values of the types of a service.
pub struct Shower<'a> {
    pub types: &'a Types,
    budget: Budget,
}

type Pairs<'v> = [(ValueRef<'v>, ValueRef<'v>)];

/// What an entry of a map is.
enum Entry<'a> {
    Value(&'a Type),
    /// The content of a variant.
    Content(&'a Variant),
    /// Of a newer or another type, or of one without a tag.
    Unknown,
}

impl<'a> Shower<'a> {
    pub fn new(types: &'a Types) -> Self {
        Self {
            types,
            budget: Budget::new(Budget::PARTS),
        }
    }

    pub fn value(&mut self, value: &ValueRef<'_>, ty: &'a Type) -> Result<Json, Problem> {
        self.budget.step()?;
        self.budget.enter()?;
        let shown = self.value_within(value, ty);
        self.budget.leave();
        shown
    }

    fn value_within(&mut self, value: &ValueRef<'_>, ty: &'a Type) -> Result<Json, Problem> {
        if let Some(shown) = scalars::show(value, ty) {
            return Ok(shown);
        }
        match (ty, value) {
            (Type::Option(_), ValueRef::Nil) => Ok(Json::Null),
            (Type::Option(of), value) => self.value(value, of),
            (Type::Sequence(of), ValueRef::Array(items)) => {
                self.items(items.iter().map(|item| (item, &**of)))
            }
            (Type::Array(of, length), ValueRef::Array(items)) if items.len() as u64 == *length => {
                self.items(items.iter().map(|item| (item, &**of)))
            }
            (Type::Tuple(types), value) => self.tuple(value, types),
            (Type::Map(key, of), ValueRef::Map(entries)) => self.map(entries, key, of),
            (Type::Named(name), value) => self.named(value, name),
            (ty, value) => Err(misfit(scalars::words(ty), value)),
        }
    }

    fn items<'i, 'v: 'i>(
        &mut self,
        items: impl Iterator<Item = (&'i ValueRef<'v>, &'a Type)>,
    ) -> Result<Json, Problem> {
        let shown = items.enumerate().map(|(index, (item, ty))| {
            let shown = self.value(item, ty);
            shown.map_err(|problem| problem.at_index(index))
        });
        shown.collect::<Result<_, _>>().map(Json::Array)
    }

    fn tuple(&mut self, value: &ValueRef<'_>, types: &'a [Type]) -> Result<Json, Problem> {
        match value {
            ValueRef::Array(items) if items.len() == types.len() => {
                self.items(items.iter().zip(types))
            }
            value => Err(misfit(format!("an array of {} items", types.len()), value)),
        }
    }

    fn map(&mut self, entries: &Pairs<'_>, key: &'a Type, of: &'a Type) -> Result<Json, Problem> {
        let mut object = Map::new();
        for (name, value) in entries {
            let Some(text) = self.key(name, key)? else {
                return self.pairs(entries, key, of);
            };
            let shown = self.value(value, of).map_err(|problem| problem.at(&text))?;
            if object.insert(text, shown).is_some() {
                return self.pairs(entries, key, of);
            }
        }
        // It would be read as pairs.
        match object.len() == 1 && object.contains_key("$map") {
            true => self.pairs(entries, key, of),
            false => Ok(object.into()),
        }
    }

    fn pairs(&mut self, entries: &Pairs<'_>, key: &'a Type, of: &'a Type) -> Result<Json, Problem> {
        let mut pairs = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            pairs.push(json!([self.value(name, key)?, self.value(value, of)?]));
        }
        Ok(json!({ "$map": pairs }))
    }

    fn named(&mut self, value: &ValueRef<'_>, name: &str) -> Result<Json, Problem> {
        let types = self.types;
        let Some(definition) = types.get(name) else {
            return Err(Problem::new(format!("the schema has no type {name:?}")));
        };
        match (&definition.shape, value) {
            // Not null, which an option of it would be read as nothing from.
            (Shape::Unit, ValueRef::Nil) => Ok(json!([])),
            (Shape::Unit, ValueRef::Array(items)) if items.is_empty() => Ok(json!([])),
            (Shape::Newtype(ty), value) => self.value(value, ty),
            (Shape::Tuple(types), value) => self.tuple(value, types),
            (Shape::Struct(of), ValueRef::Map(entries)) => self.entries(entries, |shower, key| {
                shower.entry(&of.fields, key, entries)
            }),
            (Shape::Enum(of), value) => self.enumeration(value, of),
            _ => Err(misfit(name, value)),
        }
    }

    fn enumeration(&mut self, value: &ValueRef<'_>, of: &'a Enum) -> Result<Json, Problem> {
        match (&of.tagging, value) {
            (Tagging::External, ValueRef::String(name)) => {
                let is_known = name
                    .as_str()
                    .is_some_and(|name| variant_of(of, name).is_some());
                match is_known || of.variants.iter().any(|it| it.untagged) {
                    true => Ok(value::to_json(value)),
                    false => Err(misfit("a variant", value)),
                }
            }
            (Tagging::External, ValueRef::Map(entries)) => {
                let [(ValueRef::String(name), content)] = &entries[..] else {
                    return Ok(value::to_json(value));
                };
                let Some(variant) = name.as_str().and_then(|name| variant_of(of, name)) else {
                    return Ok(value::to_json(value));
                };
                let content = self.content(content, variant)?;
                Ok(json!({ &variant.name: content }))
            }
            (Tagging::Internal { .. } | Tagging::Adjacent { .. }, ValueRef::Map(entries))
                if tag_of(of, entries).is_some() =>
            {
                self.entries(entries, |shower, key| {
                    shower.entry_of_enum(of, key, entries)
                })
            }
            // Which variant it is, only reading it tells. In this form, every one is read as itself.
            _ => Ok(value::to_json(value)),
        }
    }

    fn content(&mut self, value: &ValueRef<'_>, variant: &'a Variant) -> Result<Json, Problem> {
        let shown = match (&variant.content, value) {
            (Content::Newtype(ty), value) => self.value(value, ty),
            (Content::Tuple(types), value) => self.tuple(value, types),
            (Content::Struct(fields), ValueRef::Map(entries)) => {
                self.entries(entries, |shower, key| shower.entry(fields, key, entries))
            }
            (Content::Unit, ValueRef::Nil) => Ok(Json::Null),
            _ => Err(misfit("the content of a variant", value)),
        };
        shown.map_err(|problem| problem.at(&variant.name))
    }

    /// The entries of a map, each as what `find` says that it is.
    fn entries(
        &mut self,
        entries: &Pairs<'_>,
        find: impl Fn(&mut Self, &str) -> Result<Entry<'a>, Problem>,
    ) -> Result<Json, Problem> {
        let mut object = Map::new();
        for (key, value) in entries {
            let ValueRef::String(key) = key else {
                return Err(misfit("the name of a field", key));
            };
            let Some(key) = key.as_str() else {
                return Err(Problem::new("the name of a field is not UTF-8"));
            };
            let shown = match find(self, key)? {
                Entry::Value(ty) => self.value(value, ty),
                Entry::Content(variant) => self.content(value, variant),
                Entry::Unknown => Ok(value::to_json(value)),
            };
            let shown = shown.map_err(|problem| problem.at(key))?;
            if object.insert(key.to_owned(), shown).is_some() {
                return Err(Problem::new(format!("field {key:?} is there twice")));
            }
        }
        Ok(object.into())
    }

    /// What an entry of a struct is.
    fn entry(
        &mut self,
        fields: &'a [Field],
        key: &str,
        entries: &Pairs<'_>,
    ) -> Result<Entry<'a>, Problem> {
        let is_named = |field: &Field| {
            !field.flatten && (field.name == key || field.aliases.iter().any(|it| it == key))
        };
        if let Some(field) = fields.iter().find(|field| is_named(field)) {
            return Ok(Entry::Value(&field.ty));
        }
        let mut of_map = Entry::Unknown;
        for field in fields.iter().filter(|field| field.flatten) {
            let (found, is_of_map) = self.entry_of(&field.ty, key, entries)?;
            match (found, is_of_map) {
                (Entry::Unknown, _) => {}
                (found, true) => of_map = found,
                (found, false) => return Ok(found),
            }
        }
        Ok(of_map)
    }

    /// What an entry of a flattened value is, and whether it is one of any name.
    fn entry_of(
        &mut self,
        ty: &'a Type,
        key: &str,
        entries: &Pairs<'_>,
    ) -> Result<(Entry<'a>, bool), Problem> {
        self.budget.step()?;
        self.budget.enter()?;
        let found = match ty {
            Type::Option(of) => self.entry_of(of, key, entries),
            Type::Map(_, value) => Ok((Entry::Value(value), true)),
            Type::Named(name) => {
                let types = self.types;
                match types.get(name).map(|it| &it.shape) {
                    Some(Shape::Newtype(of)) => self.entry_of(of, key, entries),
                    Some(Shape::Struct(of)) => {
                        self.entry(&of.fields, key, entries).map(|it| (it, false))
                    }
                    Some(Shape::Enum(of)) => {
                        self.entry_of_enum(of, key, entries).map(|it| (it, false))
                    }
                    _ => Ok((Entry::Unknown, false)),
                }
            }
            _ => Ok((Entry::Unknown, false)),
        };
        self.budget.leave();
        found
    }

    /// What an entry of an enum is that is written as a map.
    fn entry_of_enum(
        &mut self,
        of: &'a Enum,
        key: &str,
        entries: &Pairs<'_>,
    ) -> Result<Entry<'a>, Problem> {
        match &of.tagging {
            Tagging::External => Ok(variant_of(of, key).map_or(Entry::Unknown, Entry::Content)),
            Tagging::Internal { tag } if key != tag => {
                match tag_of(of, entries).map(|variant| &variant.content) {
                    Some(Content::Newtype(ty)) => {
                        self.entry_of(ty, key, entries).map(|(found, _)| found)
                    }
                    Some(Content::Struct(fields)) => self.entry(fields, key, entries),
                    _ => Ok(Entry::Unknown),
                }
            }
            Tagging::Adjacent { content, .. } if key == content => {
                Ok(tag_of(of, entries).map_or(Entry::Unknown, Entry::Content))
            }
            _ => Ok(Entry::Unknown),
        }
    }
}

/// The variant that a tag among these entries names.
fn tag_of<'a>(of: &'a Enum, entries: &Pairs<'_>) -> Option<&'a Variant> {
    let (Tagging::Internal { tag } | Tagging::Adjacent { tag, .. }) = &of.tagging else {
        return None;
    };
    let is_tag =
        |key: &ValueRef<'_>| matches!(key, ValueRef::String(key) if key.as_str() == Some(tag));
    let (_, name) = entries.iter().find(|(key, _)| is_tag(key))?;
    match name {
        ValueRef::String(name) => variant_of(of, name.as_str()?),
        _ => None,
    }
}

fn misfit(expected: impl std::fmt::Display, value: &ValueRef<'_>) -> Problem {
    Problem::expected(expected, &value::to_json(value))
}

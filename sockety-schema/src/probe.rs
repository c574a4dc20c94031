//! What serde knows of types, and specta does not tell: which of them refuse unknown fields, and which structs are around
//! their value.
//!
//! So the types are asked. From the schema a value is made in which the struct in question has one field more, and is read
//! as what it should be. A type that does not read its values without that field either, as those that read certain texts
//! alone, has no answer, and counts as one that ignores unknown fields.

use std::collections::{BTreeMap, BTreeSet};

use sockety::msgpack;

use self::sample::{Change, Heights, Sample};
use crate::model::{Content, Definition, Field, Shape, Tagging, Type, Variant};

mod sample;
mod wire;

pub(crate) type Definitions = BTreeMap<String, Definition>;

/// A type that travels by itself.
pub(crate) struct Root {
    /// From the action to it.
    pub(crate) path: String,
    pub(crate) ty: Type,
    /// Whether bytes are read as it.
    pub(crate) reads: fn(&[u8]) -> bool,
}

/// Notes which of the definitions refuse unknown fields.
pub(crate) fn find_strict(definitions: &mut Definitions, roots: &[Root]) {
    let heights = Heights::of(definitions);
    let names = definitions.keys();
    let strict = names.filter(|name| is_strict(definitions, &heights, roots, name));
    let strict: Vec<_> = strict.cloned().collect();
    for name in strict {
        match definitions.get_mut(&name).map(|it| &mut it.shape) {
            Some(Shape::Struct(of)) => of.strict = true,
            Some(Shape::Enum(of)) => of.strict = true,
            _ => {}
        }
    }
}

/// Whether an unknown field is refused wherever it can be: a place that takes it says nothing of another one.
fn is_strict(definitions: &Definitions, heights: &Heights<'_>, roots: &[Root], name: &str) -> bool {
    if !may_be_strict(definitions, name) {
        return false;
    }
    [false, true].into_iter().any(|through_doubt| {
        let sample = Sample::new(definitions, heights, name, through_doubt);
        let mut roots = roots.iter();
        roots.any(|root| {
            is_read(&sample, root, Change::None) == Some(true)
                && is_read(&sample, root, Change::UnknownField) == Some(false)
        })
    })
}

/// Whether what specta has as the bare value in a struct of one field is read only with the struct around it. A struct is
/// read from a list of its fields too, so that their names need not be known.
pub(crate) fn is_wrapped(definitions: &Definitions, roots: &[Root], names: &[String]) -> Vec<bool> {
    let heights = Heights::of(definitions);
    let is_wrapped = |name: &String| {
        let sample = Sample::new(definitions, &heights, name, false);
        let mut roots = roots.iter();
        roots.any(|root| {
            is_read(&sample, root, Change::None) == Some(false)
                && is_read(&sample, root, Change::InList) == Some(true)
        })
    };
    names.iter().map(is_wrapped).collect()
}

/// Whether there is a place for an unknown field.
fn may_be_strict(definitions: &Definitions, name: &str) -> bool {
    match definitions.get(name).map(|it| &it.shape) {
        Some(Shape::Struct(of)) => is_closed(definitions, &of.fields),
        Some(Shape::Enum(of)) => of.variants.iter().any(|it| has_fields(definitions, it)),
        _ => false,
    }
}

fn has_fields(definitions: &Definitions, variant: &Variant) -> bool {
    match &variant.content {
        Content::Struct(fields) => is_closed(definitions, fields),
        _ => false,
    }
}

/// Whether an unknown field would be nothing else, such as an entry of a flattened map.
fn is_closed(definitions: &Definitions, fields: &[Field]) -> bool {
    let mut flattened = fields.iter().filter(|field| field.flatten);
    let mut seen = BTreeSet::new();
    !flattened.any(|field| takes_any_name(definitions, &field.ty, &mut seen))
}

/// Whether a flattened value may take entries of any name.
fn takes_any_name<'a>(
    definitions: &'a Definitions,
    ty: &'a Type,
    seen: &mut BTreeSet<&'a str>,
) -> bool {
    let name = match ty {
        Type::Map(..) => return true,
        Type::Option(of) => return takes_any_name(definitions, of, seen),
        Type::Named(name) if seen.insert(name) => name,
        _ => return false,
    };
    let mut flattened = match definitions.get(name).map(|it| &it.shape) {
        Some(Shape::Newtype(ty)) => vec![ty],
        Some(Shape::Struct(of)) => types_of_flattened(&of.fields),
        Some(Shape::Enum(of)) => {
            let has_entries = |variant: &&Variant| {
                let is_internal = matches!(of.tagging, Tagging::Internal { .. });
                is_internal || of.tagging == Tagging::Untagged || variant.untagged
            };
            let variants = of.variants.iter().filter(has_entries);
            let types = variants.flat_map(|variant| match &variant.content {
                Content::Newtype(ty) => vec![ty],
                Content::Struct(fields) => types_of_flattened(fields),
                _ => Vec::new(),
            });
            types.collect()
        }
        _ => Vec::new(),
    }
    .into_iter();
    flattened.any(|ty| takes_any_name(definitions, ty, seen))
}

fn types_of_flattened(fields: &[Field]) -> Vec<&Type> {
    let flattened = fields.iter().filter(|field| field.flatten);
    flattened.map(|field| &field.ty).collect()
}

/// Whether a sample is read, if there is one with the type in question.
fn is_read(sample: &Sample<'_>, root: &Root, change: Change) -> Option<bool> {
    let value = sample.of(&root.ty, change)?;
    let bytes = msgpack::to_vec(&value).ok()?;
    Some((root.reads)(&bytes))
}

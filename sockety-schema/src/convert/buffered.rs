//! What serde does not read where it holds the value back.
//!
//! The content of flattened fields, of variants with an internal tag and of enums without a tag is held until it is known
//! what it is. Serde then reads it from memory, and not all of it is readable from there.

use std::collections::BTreeSet;

use super::{RefusedType, Result};
use crate::{
    model::{Content, Enum, Field, Shape, Tagging, Type},
    probe::{Definitions, Root},
};

/// How a value is read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    /// As it arrives.
    Direct,
    /// From memory, once.
    Buffered,
    /// From memory, perhaps several times: variants without a tag are tried one after the other.
    Tried,
    /// As entries of the map around it.
    Flattened,
}

/// Refuses types that serde writes and does not read.
pub(super) fn check_buffered(definitions: &Definitions, roots: &[Root]) -> Result<()> {
    let mut walk = Walk {
        definitions,
        path: Vec::new(),
        seen: BTreeSet::new(),
    };
    for root in roots {
        walk.within(&root.path, |it| it.ty(&root.ty, Mode::Direct))?;
    }
    Ok(())
}

struct Walk<'a> {
    definitions: &'a Definitions,
    path: Vec<&'a str>,
    seen: BTreeSet<(&'a str, Mode)>,
}

impl<'a> Walk<'a> {
    fn refuse(&self, reason: &str) -> Result<()> {
        Err(RefusedType {
            path: self.path.join(" › "),
            reason: reason.to_owned(),
        })
    }

    fn within(&mut self, part: &'a str, check: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.path.push(part);
        let checked = check(self);
        self.path.pop();
        checked
    }

    fn ty(&mut self, ty: &'a Type, mode: Mode) -> Result<()> {
        match ty {
            Type::U128 | Type::I128 if mode != Mode::Direct => self.refuse(
                "serde does not read integers of 128 bits inside of flattened fields, enums with an internal tag and \
                 enums without a tag: send a `String` or `Bytes`",
            ),
            Type::Named(name) if self.seen.insert((name, mode)) => {
                let definitions = self.definitions;
                match definitions.get(name) {
                    Some(of) => self.within(name, |it| it.shape(&of.shape, mode)),
                    None => Ok(()),
                }
            }
            Type::Option(of) => self.ty(of, mode),
            _ => {
                // Of the entries of a flattened map, copies are read.
                let mode = if mode == Mode::Flattened { Mode::Tried } else { mode };
                let mut inner = ty.inner().into_iter();
                inner.try_for_each(|ty| self.ty(ty, mode))
            }
        }
    }

    fn shape(&mut self, shape: &'a Shape, mode: Mode) -> Result<()> {
        match shape {
            Shape::Unit if mode == Mode::Tried => self.refuse(
                "serde does not read structs without fields inside of enums without a tag and flattened maps: write \
                 it with braces, `struct Name {}`",
            ),
            Shape::Unit => Ok(()),
            Shape::Newtype(ty) => self.ty(ty, mode),
            Shape::Tuple(items) => items.iter().try_for_each(|ty| self.ty(ty, mode)),
            Shape::Struct(of) => self.fields(&of.fields, mode),
            Shape::Enum(of) => self.enumeration(of, mode),
        }
    }

    fn fields(&mut self, fields: &'a [Field], mode: Mode) -> Result<()> {
        let has_flattened = fields.iter().any(|field| field.flatten);
        let own = match mode {
            // Its own entries are looked for among copies of all that are there.
            Mode::Flattened if has_flattened => Mode::Tried,
            Mode::Flattened => Mode::Buffered,
            mode => mode,
        };
        let mut fields = fields.iter();
        fields.try_for_each(|field| {
            let mode = if field.flatten { Mode::Flattened } else { own };
            self.within(&field.name, |it| it.ty(&field.ty, mode))
        })
    }

    fn enumeration(&mut self, of: &'a Enum, mode: Mode) -> Result<()> {
        let is_untagged = of.tagging == Tagging::Untagged;
        let is_tried = is_untagged || of.variants.iter().any(|variant| variant.untagged);
        of.variants.iter().try_for_each(|variant| {
            let mode = match &of.tagging {
                Tagging::Internal { .. } if !variant.untagged => Mode::Buffered,
                _ if is_tried => Mode::Tried,
                _ if mode == Mode::Flattened => Mode::Buffered,
                _ => mode,
            };
            self.within(&variant.name, |it| match &variant.content {
                Content::Unit => Ok(()),
                Content::Newtype(ty) => it.ty(ty, mode),
                Content::Tuple(items) => items.iter().try_for_each(|ty| it.ty(ty, mode)),
                Content::Struct(fields) => it.fields(fields, mode),
            })
        })
    }
}

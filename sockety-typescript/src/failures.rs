//! Errors of actions.

use sockety_schema::{Content, Enum, ErrorVariant, Tagging, Type, Variant};

use crate::{
    checks::Checks,
    layout::{Doc, Item},
    names::{Names, quoted, uncapitalized},
    types::{Result, Types, checked_key, unknown},
};

/// The error of one or several actions, and what generated code has for it.
pub(crate) struct Failure<'a> {
    ty: &'a str,
    variants: &'a [ErrorVariant],
    /// The class that handlers throw.
    class: String,
    /// The function that finds the error of a call.
    of: String,
    /// The constant with what there is to know of its variants.
    pub(crate) table: String,
}

impl<'a> Failure<'a> {
    /// Finds the errors of a type among those that are there already, or adds them.
    pub(crate) fn find(
        ty: Option<&'a Type>,
        variants: &'a [ErrorVariant],
        known: &mut Vec<Self>,
        types: &Types<'_>,
        names: &mut Names,
    ) -> Result<Option<usize>> {
        let Some(ty @ Type::Named(name)) = ty else {
            return Ok(None);
        };
        if variants.is_empty() || types.enumeration(ty, name)?.is_none() {
            return Ok(None);
        }
        let mut present = known.iter();
        if let Some(index) = present.position(|it| it.ty == name && it.variants == variants) {
            return Ok(Some(index));
        }
        let own = &types.names(name, name)?.ty;
        let stem = match own.strip_suffix("Error") {
            None | Some("") => own,
            Some(stem) => stem,
        };
        known.push(Self {
            ty: name,
            variants,
            class: names.claim(&format!("{stem}Failure")),
            of: names.claim(&format!("{}Of", uncapitalized(own))),
            table: names.claim(&format!("{}Variants", uncapitalized(own))),
        });
        Ok(Some(known.len() - 1))
    }

    pub(crate) fn class(&self) -> &str {
        &self.class
    }

    /// The name of its type in the file.
    pub(crate) fn ty<'b>(&self, types: &'b Types<'_>) -> Result<&'b str> {
        Ok(&types.names(self.ty, self.ty)?.ty)
    }

    /// What users see: a class and a function.
    pub(crate) fn declaration(&self, types: &Types<'_>) -> Result<String> {
        let Self {
            class, of, table, ..
        } = self;
        let ty = self.ty(types)?;
        Ok(format!(
            "/** Thrown by handlers, and by the sources of streams: their caller, or reader, gets the `{ty}`. */\n\
             export class {class} extends sockety.Failure<{ty}> {{\n\
             \x20 constructor(error: {ty}) {{\n\
             \x20   super(error, {table});\n\
             \x20 }}\n\
             }}\n\n\
             /** The `{ty}` with which a call was answered, or a stream was ended; `undefined` for any other problem. */\n\
             export function {of}(error: unknown): {ty} | undefined {{\n\
             \x20 return sockety.errorOf<{ty}>(error, {table});\n\
             }}\n"
        ))
    }

    pub(crate) fn table(&self, checks: &Checks<'_>) -> Result<String> {
        let mut items = Vec::new();
        let ty = Type::Named(self.ty.to_owned());
        if let Some(of) = checks.types.enumeration(&ty, self.ty)? {
            for (index, error) in self.variants.iter().enumerate() {
                let Some(variant) = variant(of, self.variants, index) else {
                    continue;
                };
                items.extend(self.variant(of, variant, error, checks)?);
            }
        }
        let items = Doc::list(items).spread();
        Ok(format!(
            "const {}: sockety.ErrorVariants = {};\n",
            self.table,
            items.text(0)
        ))
    }

    fn variant(
        &self,
        of: &Enum,
        variant: &Variant,
        error: &ErrorVariant,
        checks: &Checks<'_>,
    ) -> Result<Option<Item>> {
        let check = checks.variant(of, variant, self.ty)?;
        let mut entries: Vec<Item> = [
            format!("name: {}", quoted(&error.name)),
            format!("code: {}", error.code),
            format!("message: {}", quoted(&error.docs)),
            format!("hasDetails: {}", error.details),
        ]
        .map(|entry| Doc::from(entry).into())
        .into();
        if !error.details {
            if variant.content != Content::Unit {
                return Ok(None);
            }
            let value = value(of, variant, self.ty)?;
            entries.push(Doc::from(format!("value: {value}")).into());
        }
        entries.push(Doc::row(["check: ".into(), check]).into());
        Ok(Some(Doc::object(entries).into()))
    }
}

/// The variant of the enum, which may be renamed there.
fn variant<'a>(of: &'a Enum, errors: &[ErrorVariant], index: usize) -> Option<&'a Variant> {
    let is_same = of.variants.len() == errors.len();
    let by_place = is_same.then(|| &of.variants[index]);
    let name = &errors[index].name;
    let by_name = || of.variants.iter().find(|variant| variant.name == *name);
    by_place.or_else(by_name)
}

/// A variant without data, as a value.
fn value(of: &Enum, variant: &Variant, path: &str) -> Result<String> {
    let tagging = match variant.untagged {
        true => &Tagging::Untagged,
        false => &of.tagging,
    };
    let name = quoted(&variant.name);
    Ok(match tagging {
        Tagging::External => name,
        Tagging::Internal { tag } | Tagging::Adjacent { tag, .. } => {
            format!("{{ {}: {name} }}", checked_key(tag, path)?)
        }
        Tagging::Untagged => "null".to_owned(),
        _ => return Err(unknown(path)),
    })
}

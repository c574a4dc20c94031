//! Enums and their variants.

use specta::datatype::{Enum as SpectaEnum, Fields, Variant as SpectaVariant};

use super::{
    Arguments, Converter, Result,
    attributes::{Rules, docs, has_codec},
};
use crate::{
    model::{Content, Enum, Shape, Tagging, Variant},
    rename::Rule,
};

impl Converter {
    pub(super) fn enumeration(&mut self, of: &SpectaEnum, arguments: &Arguments) -> Result<Shape> {
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

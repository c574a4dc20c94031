//! Structs, and the fields of structs and variants.

use specta::datatype::{Attributes, Field as SpectaField, Fields, Struct as SpectaStruct};

use super::{
    Arguments, Converter, Result,
    attributes::{Rules, docs, has_codec},
};
use crate::{
    model::{Field, Shape, Struct, Type},
    rename::Rule,
};

impl Converter {
    pub(super) fn structure(
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
                [field] => {
                    let name = self.path.last().cloned().unwrap_or_default();
                    self.newtypes.push((name, self.path.join(" › ")));
                    Ok(Shape::Newtype(self.item(field, "0", arguments)?))
                }
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

    pub(super) fn refuse_identifiers(&self, attributes: &Attributes) -> Result<()> {
        let is_identifier = attributes.contains_key("serde:container:variant_identifier")
            || attributes.contains_key("serde:container:field_identifier");
        match is_identifier {
            true => self.refuse("identifiers of fields and variants are no values"),
            false => Ok(()),
        }
    }

    /// The items of a tuple, of which skipped ones are none.
    pub(super) fn items(
        &mut self,
        fields: &[SpectaField],
        arguments: &Arguments,
    ) -> Result<Vec<Type>> {
        let mut items = Vec::new();
        for (index, field) in fields.iter().enumerate() {
            if !self.is_skipped(field, &index.to_string())? {
                items.push(self.item(field, &index.to_string(), arguments)?);
            }
        }
        Ok(items)
    }

    pub(super) fn item(
        &mut self,
        field: &SpectaField,
        name: &str,
        arguments: &Arguments,
    ) -> Result<Type> {
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
    pub(super) fn is_skipped(&mut self, field: &SpectaField, name: &str) -> Result<bool> {
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

    pub(super) fn fields(
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
}

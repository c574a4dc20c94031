//! The types of a schema as text.

use std::fmt::Write;

use sockety_schema::{Content, Definition, Field, Schema, Shape, Tagging, Type};

use crate::{
    out::{FAINT, NAME, styled},
    shown::escaped,
};

/// All named types, each with what its values consist of.
pub fn text(schema: &Schema) -> String {
    let mut text = String::new();
    for service in schema.services.values() {
        for (name, definition) in &service.types {
            text += "\n";
            describe(name, definition, &mut text);
        }
    }
    text
}

fn describe(name: &str, definition: &Definition, text: &mut String) {
    for line in definition.docs.lines() {
        let _ = writeln!(
            text,
            "    {}",
            styled(FAINT, format_args!("/// {}", escaped(line)))
        );
    }
    let name = styled(NAME, escaped(name));
    match &definition.shape {
        Shape::Newtype(ty) => {
            let _ = writeln!(text, "    type {name} = {}", of(ty));
        }
        Shape::Tuple(items) => {
            let _ = writeln!(text, "    type {name} = {}", tuple(items));
        }
        Shape::Struct(of) => {
            let strict = if of.strict { ", no other fields" } else { "" };
            let _ = writeln!(text, "    struct {name}{}", styled(FAINT, strict));
            fields(&of.fields, "        ", text);
        }
        Shape::Enum(of) => {
            let tagging = match &of.tagging {
                Tagging::External => String::new(),
                Tagging::Internal { tag } => format!(", tag {tag:?}"),
                Tagging::Adjacent { tag, content } => format!(", tag {tag:?}, content {content:?}"),
                _ => ", without a tag".to_owned(),
            };
            let _ = writeln!(text, "    enum {name}{}", styled(FAINT, escaped(&tagging)));
            for variant in &of.variants {
                let content = match &variant.content {
                    Content::Newtype(ty) => format!("({})", self::of(ty)),
                    Content::Tuple(items) => tuple(items),
                    _ => String::new(),
                };
                let mut notes = also(&variant.aliases);
                if variant.other {
                    notes.push("and all unknown ones".to_owned());
                }
                let name = escaped(&variant.name);
                let _ = writeln!(text, "        {name}{content}{}", noted(&notes));
                if let Content::Struct(of) = &variant.content {
                    fields(of, "            ", text);
                }
            }
        }
        _ => {
            let _ = writeln!(text, "    struct {name}");
        }
    }
}

fn fields(fields: &[Field], indent: &str, text: &mut String) {
    for field in fields {
        let mut notes = also(&field.aliases);
        if field.flatten {
            notes.push("flattened".to_owned());
        } else if field.optional {
            notes.push("optional".to_owned());
        }
        let (name, ty) = (escaped(&field.name), of(&field.ty));
        let _ = writeln!(text, "{indent}{name}: {ty}{}", noted(&notes));
    }
}

fn also(aliases: &[String]) -> Vec<String> {
    let aliases: Vec<_> = aliases.iter().map(|alias| escaped(alias)).collect();
    match aliases.is_empty() {
        true => Vec::new(),
        false => vec![format!("also {}", aliases.join(", "))],
    }
}

fn noted(notes: &[String]) -> String {
    match notes.is_empty() {
        true => String::new(),
        false => styled(FAINT, format_args!(" ({})", notes.join(", "))),
    }
}

fn of(ty: &Type) -> String {
    escaped(&ty.to_string())
}

fn tuple(items: &[Type]) -> String {
    let items: Vec<_> = items.iter().map(of).collect();
    format!("({})", items.join(", "))
}

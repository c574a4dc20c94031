//! The types of a schema as text.

use std::fmt::Write;

use sockety_schema::{Content, Definition, Field, Service, Shape, Tagging, Type};

use crate::{
    out::{FAINT, NAME, styled},
    shown::escaped,
};

/// All named types of a service, each with what its values consist of, and how others are written as JSON.
pub fn text(service: &Service) -> String {
    let mut text = String::new();
    for (name, definition) in &service.types {
        text += "\n";
        describe(name, definition, &mut text);
    }
    let used = used(service);
    if !used.is_empty() {
        let _ = writeln!(text, "\n    {}", styled(FAINT, "as JSON"));
    }
    for (name, json) in used {
        let _ = writeln!(text, "        {} {json}", styled(NAME, escaped(name)));
    }
    text
}

/// The types that are used and whose JSON is not that of their name.
fn used(service: &Service) -> Vec<(&'static str, &'static str)> {
    let mut types = Vec::new();
    for action in service.actions.values() {
        types.extend(action.parameters.iter().filter_map(|it| it.ty.as_ref()));
        types.extend(action.returns.iter().filter_map(|it| it.ty.as_ref()));
    }
    types.extend(service.types.values().flat_map(|it| inside(&it.shape)));
    let mut used = Vec::new();
    while let Some(ty) = types.pop() {
        types.extend(ty.inner());
        let entry = match ty {
            Type::Bytes => ("Bytes", r#""AAEC", base64, or "hex:000102""#),
            Type::Timestamp => ("Timestamp", r#""2026-01-31T12:00:00Z""#),
            Type::SystemTime => ("SystemTime", r#""2026-01-31T12:00:00Z""#),
            Type::Duration => ("Duration", r#""1m 30s", "250ms""#),
            Type::U128 | Type::I128 => {
                ("u128, i128", r#""340282366920938463463374607431768211455""#)
            }
            Type::Map(key, _) if **key != Type::String => (
                "Map",
                r#"{"key": value} with keys as text, or {"$map": [[key, value], …]}"#,
            ),
            _ => continue,
        };
        if !used.contains(&entry) {
            used.push(entry);
        }
    }
    used.sort_unstable();
    used
}

/// The types directly in a shape.
fn inside(shape: &Shape) -> Vec<&Type> {
    match shape {
        Shape::Newtype(ty) => vec![ty],
        Shape::Tuple(items) => items.iter().collect(),
        Shape::Struct(of) => of.fields.iter().map(|it| &it.ty).collect(),
        Shape::Enum(of) => {
            let contents = of
                .variants
                .iter()
                .flat_map(|variant| match &variant.content {
                    Content::Newtype(ty) => vec![ty],
                    Content::Tuple(items) => items.iter().collect(),
                    Content::Struct(fields) => fields.iter().map(|it| &it.ty).collect(),
                    _ => Vec::new(),
                });
            contents.collect()
        }
        _ => Vec::new(),
    }
}

fn describe(name: &str, definition: &Definition, text: &mut String) {
    docs(&definition.docs, "    ", text);
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
                Tagging::External => r#", as "Name" or {"Name": content}"#.to_owned(),
                Tagging::Internal { tag } => format!(r#", as {{{tag:?}: "Name", fields}}"#),
                Tagging::Adjacent { tag, content } => {
                    format!(r#", as {{{tag:?}: "Name", {content:?}: content}}"#)
                }
                _ => ", as the content alone".to_owned(),
            };
            let _ = writeln!(text, "    enum {name}{}", styled(FAINT, escaped(&tagging)));
            for variant in &of.variants {
                let content = match &variant.content {
                    Content::Newtype(ty) => format!("({})", self::of(ty)),
                    Content::Tuple(items) => tuple(items),
                    _ => String::new(),
                };
                docs(&variant.docs, "        ", text);
                let mut notes = also(&variant.aliases);
                if variant.untagged {
                    notes.push("as the content alone".to_owned());
                }
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
            let _ = writeln!(text, "    struct {name}{}", styled(FAINT, ", as []"));
        }
    }
}

fn docs(docs: &str, indent: &str, text: &mut String) {
    for line in docs.lines() {
        let line = styled(FAINT, format_args!("/// {}", escaped(line)));
        let _ = writeln!(text, "{indent}{line}");
    }
}

fn fields(fields: &[Field], indent: &str, text: &mut String) {
    for field in fields {
        docs(&field.docs, indent, text);
        let mut notes = also(&field.aliases);
        if field.flatten {
            notes.push("its fields are among these".to_owned());
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

//! Names and texts of a schema, as TypeScript has them. They may be any text.

use std::collections::BTreeSet;

/// Names of one scope, each once.
#[derive(Clone, Default)]
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    pub(crate) fn with(taken: &[&str]) -> Self {
        Self(taken.iter().map(ToString::to_string).collect())
    }

    /// This name, or if another item has it, one with a number.
    pub(crate) fn claim(&mut self, name: &str) -> String {
        if !RESERVED.contains(&name) && self.0.insert(name.to_owned()) {
            return name.to_owned();
        }
        let numbered = (2u64..).map(|number| format!("{name}{number}"));
        let mut free = numbered.filter(|name| !self.0.contains(name));
        let name = free.next().unwrap_or_default();
        self.0.insert(name.clone());
        name
    }
}

/// Words that cannot name something, and names that generated code, or JavaScript, uses.
const RESERVED: [&str; 94] = [
    "Array",
    "ArrayBuffer",
    "AsyncIterable",
    "BigInt",
    "Boolean",
    "Buffer",
    "DataView",
    "Date",
    "Error",
    "Function",
    "Infinity",
    "Iterable",
    "Map",
    "Math",
    "NaN",
    "Number",
    "Object",
    "Partial",
    "Promise",
    "Proxy",
    "Reflect",
    "RegExp",
    "Set",
    "String",
    "Symbol",
    "Uint8Array",
    "any",
    "abstract",
    "arguments",
    "as",
    "async",
    "await",
    "bigint",
    "boolean",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "constructor",
    "continue",
    "debugger",
    "declare",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "globalThis",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "never",
    "new",
    "null",
    "number",
    "object",
    "package",
    "private",
    "protected",
    "prototype",
    "public",
    "return",
    "sockety",
    "static",
    "string",
    "super",
    "switch",
    "symbol",
    "then",
    "this",
    "throw",
    "true",
    "try",
    "type",
    "typeof",
    "undefined",
    "unknown",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

/// The name of a type: `Page<Item>` becomes `PageItem`.
pub(crate) fn upper_camel(name: &str) -> String {
    let joined: String = words(name).map(capitalized).collect();
    begun(joined, "Type")
}

/// The name of a method or parameter: `list_all` becomes `listAll`.
pub(crate) fn lower_camel(name: &str) -> String {
    let mut words = words(name);
    let first = uncapitalized(words.next().unwrap_or_default());
    let joined = words.fold(first, |joined, word| joined + &capitalized(word));
    begun(joined, "item")
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    let words = name.split(|character: char| !character.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty())
}

/// A name that begins as names have to.
fn begun(name: String, otherwise: &str) -> String {
    match name.chars().next() {
        None => otherwise.to_owned(),
        Some(first) if first.is_ascii_digit() => format!("{otherwise}{name}"),
        Some(_) => name,
    }
}

fn capitalized(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_ascii_uppercase() + rest
}

pub(crate) fn uncapitalized(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_ascii_lowercase() + rest
}

/// A key of an object: as it is if it is an identifier, else quoted.
pub(crate) fn key(name: &str) -> String {
    let mut characters = name.chars();
    let is_begun = characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_' || first == '$');
    let is_identifier = is_begun
        && characters.all(|next| next.is_ascii_alphanumeric() || next == '_' || next == '$');
    match is_identifier {
        true => name.to_owned(),
        false => quoted(name),
    }
}

/// A literal of a string.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("'");
    for character in text.chars() {
        match character {
            '\\' | '\'' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            _ if is_invisible(character) => {
                quoted.push_str(&format!("\\u{{{:x}}}", u32::from(character)));
            }
            _ => quoted.push(character),
        }
    }
    quoted + "'"
}

/// A JSDoc comment, or nothing. Ends with a line feed.
pub(crate) fn comment(text: &str, indent: usize) -> String {
    let margin = "  ".repeat(indent);
    let lines: Vec<_> = text.trim().split('\n').map(visible).collect();
    match &lines[..] {
        [line] if line.is_empty() => String::new(),
        [line] => format!("{margin}/** {line} */\n"),
        lines => {
            let mut comment = format!("{margin}/**\n");
            for line in lines {
                comment += format!("{margin} * {line}").trim_end();
                comment.push('\n');
            }
            comment + &margin + " */\n"
        }
    }
}

/// One line of a comment, which it cannot end.
fn visible(line: &str) -> String {
    let visible: String = line
        .trim_end()
        .chars()
        .map(|character| match character {
            _ if character.is_control() => ' ',
            _ if is_invisible(character) => '\u{fffd}',
            _ => character,
        })
        .collect();
    visible.replace("*/", "*\\/")
}

/// Characters that are not seen, end a line, or change the order of others.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        assert_eq!(upper_camel("Page<Item>"), "PageItem");
        assert_eq!(upper_camel("a::b::Page<Option<u8>>#2"), "ABPageOptionU82");
        assert_eq!(upper_camel("9"), "Type9");
        assert_eq!(upper_camel("é"), "Type");
        assert_eq!(lower_camel("list_all"), "listAll");
        assert_eq!(lower_camel("Übung; evil()"), "bungEvil");
        assert_eq!(lower_camel(""), "item");
        let mut names = Names::with(&["options"]);
        assert_eq!(names.claim("delete"), "delete2");
        assert_eq!(names.claim("options"), "options2");
        assert_eq!(names.claim("a"), "a");
        assert_eq!(names.claim("a"), "a2");
    }

    #[test]
    fn texts_stay_texts() {
        assert_eq!(key("a_b$1"), "a_b$1");
        assert_eq!(key("a-b"), "'a-b'");
        assert_eq!(key("1"), "'1'");
        assert_eq!(
            quoted("it's \\ \n \u{2028}\u{202e}"),
            r"'it\'s \\ \n \u{2028}\u{202e}'"
        );
        assert_eq!(comment("", 0), "");
        assert_eq!(comment("a */ b\u{202e}", 1), "  /** a *\\/ b\u{fffd} */\n");
        assert_eq!(comment("a *\u{0}/", 0), "/** a * / */\n");
        assert_eq!(comment("a\n\nb*", 0), "/**\n * a\n *\n * b*\n */\n");
    }
}

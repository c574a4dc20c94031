//! Names and texts of a schema, as TypeScript has them. They may be any text.

use std::collections::{BTreeMap, BTreeSet};

/// The most characters of a name, without the number that tells it apart from others. The names of a schema may be longer.
const MAX_NAME: usize = 100;

/// Names of one scope, each once.
#[derive(Clone, Default)]
pub(crate) struct Names {
    taken: BTreeSet<String>,
    /// The number that the next item of this name is tried with, as a schema may have many of one name.
    next: BTreeMap<String, u64>,
}

impl Names {
    pub(crate) fn with(taken: &[&str]) -> Self {
        Self {
            taken: taken.iter().map(ToString::to_string).collect(),
            next: BTreeMap::new(),
        }
    }

    /// This name, or if another item has it, one with a number.
    pub(crate) fn claim(&mut self, name: &str) -> String {
        if !RESERVED.contains(&name) && self.taken.insert(name.to_owned()) {
            return name.to_owned();
        }
        let number = self.next.entry(name.to_owned()).or_insert(2);
        loop {
            let numbered = format!("{name}{number}");
            *number += 1;
            if self.taken.insert(numbered.clone()) {
                return numbered;
            }
        }
    }
}

/// Words that cannot name something, and names that generated code, or JavaScript, uses. Among these are methods that
/// JavaScript itself calls, or finds in every object.
const RESERVED: [&str; 103] = [
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
    "K",
    "Map",
    "Math",
    "NaN",
    "Number",
    "Object",
    "Partial",
    "Promise",
    "Proxy",
    "Record",
    "Reflect",
    "RegExp",
    "Set",
    "String",
    "Symbol",
    "Uint8Array",
    "abstract",
    "any",
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
    "hasOwnProperty",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "isPrototypeOf",
    "let",
    "never",
    "new",
    "null",
    "number",
    "object",
    "package",
    "private",
    "propertyIsEnumerable",
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
    "toJSON",
    "toLocaleString",
    "toString",
    "true",
    "try",
    "type",
    "typeof",
    "undefined",
    "unknown",
    "valueOf",
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

/// The parts of a name that identifiers can have.
fn words(name: &str) -> impl Iterator<Item = &str> {
    let words = name.split(|character: char| !character.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty())
}

/// A name that begins as names have to, and ends where it gets too long.
fn begun(mut name: String, otherwise: &str) -> String {
    name.truncate(MAX_NAME);
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
    // Nothing that the compiler obeys.
    visible.replace("*/", "*\\/").replace("@ts-", "@ts\u{fffd}")
}

/// A text in the message of an error: what is not seen is escaped, and what is long is cut off.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 300;
    let mut shown = String::new();
    for (place, character) in text.chars().enumerate() {
        if place == MOST {
            shown.push('…');
            break;
        }
        match is_invisible(character) {
            true => shown.extend(character.escape_unicode()),
            false => shown.push(character),
        }
    }
    shown
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
        assert_eq!(names.claim("a2"), "a22");
        assert_eq!(names.claim("a"), "a3");
        assert_eq!(upper_camel(&"n".repeat(500)).len(), MAX_NAME);
    }

    #[test]
    fn words_of_javascript_name_nothing() {
        for word in RESERVED {
            assert_ne!(Names::default().claim(word), word);
        }
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
        assert_eq!(comment("@ts-ignore", 0), "/** @ts\u{fffd}ignore */\n");
        assert_eq!(shown("a\u{1b}[0m\u{202e}"), "a\\u{1b}[0m\\u{202e}");
        assert_eq!(shown(&"a".repeat(400)).chars().count(), 301);
        assert_eq!(comment("a\n\nb*", 0), "/**\n * a\n *\n * b*\n */\n");
    }
}

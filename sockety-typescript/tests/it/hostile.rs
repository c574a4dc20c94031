//! Schemas of servers that nobody knows.

use sockety_schema::Schema;
use sockety_typescript::typescript;

/// A text that would end whatever it is in.
const TEXT: &str =
    "*/ evil(); /* '; evil(); ` ${evil()} \\ \u{2028} evil(); \u{202e} \r\n // \n */ evil()";

pub(crate) fn hostile() -> Schema {
    let text = sockety_schema_text(TEXT);
    Schema::from_json(&text).expect("a schema")
}

/// A schema in which all names and texts are this one.
fn sockety_schema_text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    r#"{"format": 1, "services": {TEXT: {
        "docs": TEXT,
        "actions": {TEXT: {
            "docs": TEXT,
            "aliases": ["b", "b2"],
            "parameters": [
                {"name": TEXT, "kind": "payload", "type": {"named": TEXT}},
                {"name": "b", "kind": "payload", "type": {"named": "E"}},
                {"name": "c", "kind": "payload", "type": {"text": TEXT}}
            ],
            "error": {"named": "E"},
            "errors": [{"name": TEXT, "code": 16, "docs": TEXT}, {"name": "B", "code": 17, "details": true, "docs": TEXT}]
        }},
        "types": {
            TEXT: {"docs": TEXT, "shape": {"struct": {"fields": [{"name": TEXT, "docs": TEXT, "type": "u8"}]}}},
            "E": {"docs": TEXT, "shape": {"enum": {"tagging": {"internal": {"tag": TEXT}}, "variants": [
                {"name": TEXT, "docs": TEXT},
                {"name": "B", "docs": TEXT, "content": {"struct": [{"name": "b", "type": {"named": TEXT}}]}}
            ]}}}
        }
    }}}"#
        .replace("TEXT", &quoted)
}

/// The code without comments and literals.
fn code(text: &str) -> String {
    let (mut code, mut rest) = (String::new(), text);
    while let Some(next) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("/*") {
            rest = &comment[comment.find("*/").expect("an end") + 2..];
        } else if next == '\'' {
            let mut characters = rest[1..].char_indices();
            let end = loop {
                match characters.next().expect("an end") {
                    (_, '\\') => drop(characters.next()),
                    (at, '\'') => break at,
                    (_, character) => {
                        assert!(!character.is_control(), "a literal on several lines")
                    }
                }
            };
            rest = &rest[end + 2..];
            code.push_str("''");
        } else {
            code.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    code
}

#[test]
fn no_text_of_a_schema_becomes_code() {
    let text = typescript(&hostile()).expect("written");
    let code = code(&text);
    assert!(!code.contains("evil("), "{code}");
    assert!(!code.contains('`') && !code.contains("${"), "{code}");
    assert!(text.contains("evil("));
    for character in text.chars() {
        let is_shown = character == '\n' || !character.is_control();
        assert!(
            is_shown && !matches!(character, '\u{2028}' | '\u{202e}'),
            "{character:?}"
        );
    }
}

#[test]
fn a_large_schema_is_written_in_proportion() {
    let depth = 30;
    let deep = format!(
        "{}\"u64\"{}",
        "{\"sequence\": ".repeat(depth),
        "}".repeat(depth)
    );
    let fields: Vec<_> = (0..1000)
        .map(|n| format!(r#"{{"name": "f{n}", "type": {deep}}}"#))
        .collect();
    let text = format!(
        r#"{{"format": 1, "services": {{"S": {{"actions": {{}}, "types": {{"T": {{"shape": {{"struct": {{"fields": [{}]}}}}}}}}}}}}}}"#,
        fields.join(", ")
    );
    let schema = Schema::from_json(&text).expect("a schema");
    let written = typescript(&schema).expect("written");
    assert!(
        written.len() < 4 * text.len(),
        "{} of {}",
        written.len(),
        text.len()
    );
}

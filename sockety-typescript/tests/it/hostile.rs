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

/// A schema with one service of these actions and types.
fn schema(actions: &str, types: &str) -> Schema {
    let text = format!(
        r#"{{"format": 1, "services": {{"Bank": {{"actions": {{{actions}}}, "types": {{{types}}}}}}}}}"#
    );
    Schema::from_json(&text).expect("a schema")
}

/// Names that mean something in JavaScript, in TypeScript, or in the file itself.
pub(crate) fn words() -> Schema {
    let words = [
        "constructor",
        "prototype",
        "toString",
        "valueOf",
        "toJSON",
        "then",
        "await",
        "async",
        "arguments",
        "eval",
        "sockety",
        "Record",
        "Partial",
        "Promise",
        "K",
        "Error",
        "Date",
        "undefined",
        "bankActions",
        "BankClient",
        "Bank",
        "options",
        "message",
        "isRecord",
        "__defineGetter__",
        "hasOwnProperty",
        "get",
        "set",
        "static",
        "new",
        "1",
        "a-b",
        "",
        "`${evil()}`",
        "\\u2028",
        "\\ufeff",
        "\\u0000",
        "ünïcode",
        "日本",
        "日本語",
    ];
    let items = |item: &dyn Fn(&str) -> String| {
        let items: Vec<_> = words.iter().map(|word| item(word)).collect();
        items.join(",")
    };
    let parameters = items(&|word| {
        format!(r#"{{"name": "{word}", "kind": "payload", "type": {{"named": "{word}"}}}}"#)
    });
    let fields = items(&|word| {
        format!(
            r#"{{"name": "{word}", "docs": "@ts-expect-error", "type": {{"named": "{word}"}}}}"#
        )
    });
    let actions = items(&|word| {
        format!(
            r#""{word}": {{"parameters": [{parameters}], "error": {{"named": "{word}"}},
                "errors": [{{"name": "{word}", "code": 16}}], "docs": "@ts-nocheck"}}"#
        )
    });
    let types = items(&|word| {
        format!(
            r#""{word}": {{"docs": "@ts-expect-error", "shape": {{"enum": {{"variants": [
                {{"name": "{word}"}}, {{"name": "fields", "content": {{"struct": [{fields},
                    {{"name": "by it", "type": {{"map": ["string", {{"named": "{word}"}}]}}}}]}}}}
            ]}}}}}}"#
        )
    });
    let by = r#""Side": {"shape": {"enum": {"variants": [{"name": "A"}]}}},
        "By": {"shape": {"newtype": {"map": [{"named": "Side"}, {"named": "K"}]}}}"#;
    schema(&actions, &format!("{types}, {by}"))
}

#[test]
fn words_of_javascript_name_nothing() {
    let text = typescript(&words()).expect("written");
    assert!(text.contains("constructor2: Constructor,"), "{text}");
    assert!(!text.contains("@ts-"), "{text}");
    assert!(text.contains("bankActions2: BankActions,"), "{text}");
    assert!(text.contains("export type Record2 ="), "{text}");
}

#[test]
fn names_that_lose_what_tells_them_apart_are_numbered_quickly() {
    let types: Vec<_> = (0..4000)
        .map(|number| {
            let name = char::from_u32(0x4e00 + number).expect("a character");
            format!(r#""{name}": {{"shape": "unit"}}"#)
        })
        .collect();
    let text = typescript(&schema("", &types.join(","))).expect("written");
    assert!(text.contains("export type Type4000 = [];"));
}

#[test]
fn one_service_after_another_shares_long_chains_of_types() {
    let service = |last: &str| {
        let types = (0..2000).map(|it| match it + 1 < 2000 {
            true => format!(
                r#""T{it}":{{"shape":{{"newtype":{{"sequence":{{"named":"T{}"}}}}}}}}"#,
                it + 1
            ),
            false => format!(r#""T{it}":{{"shape":{{"newtype":"{last}"}}}}"#),
        });
        let types: Vec<_> = types.collect();
        format!(r#"{{"actions":{{}},"types":{{{}}}}}"#, types.join(","))
    };
    let services = |last: &dyn Fn(usize) -> &'static str| {
        let services: Vec<_> = (0..20)
            .map(|it| format!(r#""S{it}":{}"#, service(last(it))))
            .collect();
        let text = format!(r#"{{"format":1,"services":{{{}}}}}"#, services.join(","));
        Schema::from_json(&text).expect("a schema")
    };
    let same = typescript(&services(&|_| "u8")).expect("written");
    assert_eq!(same.matches("export type T1999").count(), 1);
    // One of them is another one, and so are all types that lead to it.
    let other = typescript(&services(&|it| if it == 7 { "u16" } else { "u8" })).expect("written");
    assert_eq!(other.matches("export type T").count(), 20 * 2000);
}

#[test]
fn a_small_schema_makes_no_huge_file() {
    // Each action has the error with other texts, so that each has a table with all fields.
    let fields: Vec<_> = (0..1000)
        .map(|it| format!(r#"{{"name":"f{it}","type":"u8"}}"#))
        .collect();
    let types = format!(
        r#""E":{{"shape":{{"enum":{{"variants":[{{"name":"A","content":{{"struct":[{}]}}}}]}}}}}}"#,
        fields.join(",")
    );
    let actions: Vec<_> = (0..4000)
        .map(|it| {
            format!(
                r#""a{it}":{{"error":{{"named":"E"}},"errors":[{{"name":"A","code":16,"details":true,"docs":"{it}"}}]}}"#
            )
        })
        .collect();
    let error = typescript(&schema(&actions.join(","), &types)).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "the schema has no TypeScript: the file would have more than 33554432 bytes"
    );
}

#[test]
fn a_refusal_shows_names_without_what_terminals_obey() {
    let schema = schema(
        r#""a":{"parameters":[{"name":"\u001b[2J","kind":"payload","type":{"map":["bytes","u8"]}}]}"#,
        "",
    );
    let error = typescript(&schema).expect_err("refused").to_string();
    assert!(
        error.starts_with(r"a(\u{1b}[2J) has no TypeScript: "),
        "{error}"
    );
}

//! Types that have no counterpart in JavaScript.

use sockety_schema::Schema;
use sockety_typescript::typescript;

/// The message about a service whose action takes a type, which may name those of `types`.
fn refused(ty: &str, types: &str) -> String {
    let text = format!(
        r#"{{"format": 1, "services": {{"Bank": {{
            "actions": {{"bank.do": {{"parameters": [{{"name": "it", "kind": "payload", "type": {ty}}}]}}}},
            "types": {{{types}}}
        }}}}}}"#
    );
    let schema = Schema::from_json(&text).expect("a schema");
    typescript(&schema).expect_err("refused").to_string()
}

#[test]
fn maps_need_keys_that_are_text_in_javascript() {
    for (key, shown) in [
        (r#""bytes""#, "Bytes"),
        (r#""u128""#, "u128"),
        (r#"{"tuple": ["u8", "u8"]}"#, "(u8, u8)"),
        (r#"{"option": "u8"}"#, "Option<u8>"),
        (r#"{"sequence": "u8"}"#, "Vec<u8>"),
        (r#""f64""#, "f64"),
        (r#"{"named": "Point"}"#, "Point"),
        (r#"{"named": "Mixed"}"#, "Mixed"),
        (r#"{"named": "Wrapped"}"#, "Wrapped"),
    ] {
        let message = refused(
            &format!(r#"{{"map": [{key}, "u8"]}}"#),
            r#""Point": {"shape": {"struct": {"fields": []}}},
               "Mixed": {"shape": {"enum": {"variants": [{"name": "A"}, {"name": "B", "content": {"newtype": "u8"}}]}}},
               "Wrapped": {"shape": {"newtype": "bytes"}}"#,
        );
        assert!(message.starts_with("bank.do"), "{message}");
        assert!(
            message.contains(&format!("write `Vec<({shown}, …)>`")),
            "{message}"
        );
    }
}

#[test]
fn a_refusal_names_the_field() {
    let message = refused(
        r#"{"named": "Outer"}"#,
        r#""Outer": {"shape": {"struct": {"fields": [
            {"name": "by_id", "type": {"option": {"map": ["bytes", "u8"]}}}
        ]}}}"#,
    );
    assert_eq!(
        message,
        "Outer.by_id has no TypeScript: keys of objects are text in JavaScript, so it has no maps by Bytes: \
         write `Vec<(Bytes, …)>`"
    );
}

#[test]
fn names_that_javascript_has_for_prototypes_are_refused() {
    let field =
        r#""Odd": {"shape": {"struct": {"fields": [{"name": "__proto__", "type": "u8"}]}}}"#;
    assert!(refused(r#"{"named": "Odd"}"#, field).contains("#[serde(rename = …)]"));
    let variant = r#""Odd": {"shape": {"enum": {"variants": [{"name": "__proto__", "content": {"newtype": "u8"}}]}}}"#;
    assert!(refused(r#"{"named": "Odd"}"#, variant).contains("#[serde(rename = …)]"));
}

#[test]
fn entries_of_what_has_none_are_refused() {
    let field = r#""Odd": {"shape": {"struct": {"fields": [{"name": "a", "flatten": true, "type": "u8"}]}}}"#;
    assert!(refused(r#"{"named": "Odd"}"#, field).contains("can be flattened"));
    let field = r#""Odd": {"shape": {"struct": {"fields": [{"name": "a", "flatten": true, "type": {"named": "Two"}}]}}},
        "Two": {"shape": {"tuple": ["u8", "u8"]}}"#;
    assert!(refused(r#"{"named": "Odd"}"#, field).contains("can be flattened"));
    let variant = r#""Odd": {"shape": {"enum": {"tagging": {"internal": {"tag": "t"}},
        "variants": [{"name": "A", "content": {"newtype": "u8"}}]}}}"#;
    assert!(refused(r#"{"named": "Odd"}"#, variant).contains("write a variant with fields"));
}

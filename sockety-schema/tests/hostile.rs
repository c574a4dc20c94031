//! Schemas that a server makes up: whatever they are, they are refused, and nothing is slow, deep or large for that.

use sockety_schema::{Schema, SchemaError, compare};

/// A schema with these types and actions.
fn schema(types: &str, actions: &str) -> String {
    format!(r#"{{"format":1,"services":{{"A":{{"actions":{{{actions}}},"types":{{{types}}}}}}}}}"#)
}

fn refused(text: &str) -> String {
    let error = Schema::from_json(text).expect_err("refused");
    match &error {
        SchemaError::Json(cause) => format!("{error}: {cause}"),
        _ => error.to_string(),
    }
}

#[test]
fn what_is_no_schema_is_refused() {
    for (text, said) in [
        ("", "invalid schema: EOF while parsing"),
        ("{}", "invalid schema: missing field `format`"),
        (
            r#"{"format":7,"anything":[]}"#,
            "unknown format 7 of a schema: this version reads format 1",
        ),
        (
            r#"{"format":1}"#,
            "invalid schema: missing field `services`",
        ),
        (
            &schema("", r#""a":{"more":1}"#),
            "invalid schema: unknown field `more`",
        ),
        (
            &schema(r#""B":{"shape":{"newtype":"u7"}}"#, ""),
            "invalid schema: unknown variant `u7`",
        ),
    ] {
        let found = refused(text);
        assert!(found.starts_with(said), "{found}, not {said}");
    }
}

#[test]
fn sizes_are_bounded() {
    let long = "x".repeat(5 << 20);
    assert_eq!(
        refused(&long),
        "schema of 5242880 bytes is over the limit of 4194304"
    );
    let name = "n".repeat(600);
    let types = format!(r#""{name}":{{"shape":"unit"}}"#);
    assert!(refused(&schema(&types, "")).ends_with("of 600 bytes is over the limit of 512"));
    let many: Vec<_> = (0..5000)
        .map(|it| format!(r#""t{it}":{{"shape":"unit"}}"#))
        .collect();
    let said = refused(&schema(&many.join(","), ""));
    assert_eq!(said, "schema has 5000 types in a service: maximum is 4096");
    let items = vec![r#""u8""#; 2000].join(",");
    let types = format!(r#""T":{{"shape":{{"tuple":[{items}]}}}}"#);
    let said = refused(&schema(&types, ""));
    assert_eq!(said, "schema has 2000 items of a tuple: maximum is 1024");
}

#[test]
fn depth_is_bounded() {
    for (depth, is_read) in [(31, true), (32, false), (100, false), (10_000, false)] {
        let ty = format!(
            "{}\"u8\"{}",
            r#"{"option":"#.repeat(depth),
            "}".repeat(depth)
        );
        let text = schema(&format!(r#""T":{{"shape":{{"newtype":{ty}}}}}"#), "");
        assert_eq!(Schema::from_json(&text).is_ok(), is_read, "{depth}");
    }
}

#[test]
fn names_lead_to_types_that_come_to_an_end() {
    let named =
        |name: &str, of: &str| format!(r#""{name}":{{"shape":{{"newtype":{{"named":"{of}"}}}}}}"#);
    let said = refused(&schema(&named("T", "U"), ""));
    assert_eq!(
        said,
        r#"T names the type "U", which the schema does not have"#
    );
    for types in [
        named("T", "T"),
        format!("{},{}", named("T", "U"), named("U", "T")),
        r#""T":{"shape":{"struct":{"fields":[{"name":"a","flatten":true,"type":{"option":{"named":"T"}}}]}}}"#.to_owned(),
        r#""T":{"shape":{"enum":{"tagging":"untagged","variants":[{"name":"A","content":{"newtype":{"named":"T"}}}]}}}"#.to_owned(),
    ] {
        assert_eq!(refused(&schema(&types, "")), r#"type "T" consists of itself alone"#);
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (types, actions, said) in [
        (
            "",
            r#""a":{},"b":{"aliases":["a"]}"#,
            r#"the service has two of the name "a""#,
        ),
        (
            r#""T":{"shape":{"struct":{"fields":[{"name":"a","type":"u8"},{"name":"b","aliases":["a"],"type":"u8"}]}}}"#,
            "",
            r#"T has two of the name "a""#,
        ),
        (
            "",
            r#""a":{"parameters":[{"name":"x","kind":"payload"}]}"#,
            "a(x): a value has no type",
        ),
        (
            "",
            r#""a":{"parameters":[{"name":"x","kind":"streaming","type":"u8"},{"name":"y","kind":"byte_stream"}]}"#,
            "a: a message has two streams",
        ),
        (
            "",
            r#""a":{"returns":[{"kind":"payload","type":"u8"},{"kind":"payload","type":"u8"}]}"#,
            "a: a reply has two payloads",
        ),
        (
            "",
            r#""a":{"errors":[{"name":"E","code":16,"details":true}]}"#,
            "a: an error has details, but the errors have no type",
        ),
        (
            "",
            r#""a":{"errors":[{"name":"E","code":4}]}"#,
            "a: the code of an error is not from 16 to 3,839",
        ),
        (
            "",
            r#""a":{"returns":[{"kind":"byte_stream","error":"string"}]}"#,
            "a -> a stream of bytes: only a stream of values ends with an error",
        ),
        (
            "",
            r#""a":{"parameters":[{"name":"x","kind":"streaming","type":"u8","errors":[{"name":"E","code":16,"details":true}]}]}"#,
            "a(x): an error has details, but the errors have no type",
        ),
        (
            r#""T":{"shape":{"newtype":{"nonzero":"string"}}}"#,
            "",
            "T: only integers can be other than 0",
        ),
        (
            r#""T":{"shape":{"enum":{"tagging":{"adjacent":{"tag":"t","content":"t"}},"variants":[]}}}"#,
            "",
            "T: an enum has its tag and its content at one key",
        ),
        (
            r#""T":{"shape":{"enum":{"variants":[{"name":"A","other":true},{"name":"B","other":true}]}}}"#,
            "",
            "T: two variants stand for all unknown names",
        ),
    ] {
        assert_eq!(refused(&schema(types, actions)), said);
    }
}

/// Types that lead to each other in many ways are compared in a bounded number of steps, and not by recursion.
#[test]
fn many_types_are_compared() {
    let chain = |number: usize, last: &str| {
        let types = (0..number).map(|it| {
            let next = match it + 1 < number {
                true => format!(r#"{{"named":"t{}"}}"#, it + 1),
                false => last.to_owned(),
            };
            format!(
                r#""t{it}":{{"shape":{{"struct":{{"fields":[{{"name":"next","type":{next}}}]}}}}}}"#
            )
        });
        let types: Vec<_> = types.collect();
        let action = r#""a":{"parameters":[{"name":"x","kind":"payload","type":{"named":"t0"}}]}"#;
        Schema::from_json(&schema(&types.join(","), action)).expect("a schema")
    };
    let report = compare(&chain(4000, r#""u8""#), &chain(4000, r#""string""#));
    let [change] = &report.changes[..] else {
        panic!("{report}");
    };
    assert!(change.path.ends_with("/t3999.next"), "{report}");

    // Each has a field for each of the next ones, under names that match none of the other side.
    let wide = |prefix: &str| {
        let fields: Vec<_> = (0..200)
            .map(|it| {
                format!(
                    r#"{{"name":"{prefix}{it}","type":{{"named":"T{}"}}}}"#,
                    it % 8
                )
            })
            .collect();
        let types: Vec<_> = (0..8)
            .map(|it| {
                format!(
                    r#""T{it}":{{"shape":{{"struct":{{"fields":[{}]}}}}}}"#,
                    fields.join(",")
                )
            })
            .collect();
        let action = r#""a":{"parameters":[{"name":"x","kind":"payload","type":{"named":"T0"}}]}"#;
        Schema::from_json(&schema(&types.join(","), action)).expect("a schema")
    };
    assert!(compare(&wide("a"), &wide("b")).is_breaking());
}

/// Types that flatten each other twice have twice as many fields at each level.
#[test]
fn flattened_types_do_not_multiply() {
    let types: Vec<_> = (0..40)
        .map(|it| {
            let next = format!(
                r#"{{"name":"a","flatten":true,"type":{{"named":"T{}"}}}}"#,
                it + 1
            );
            format!(r#""T{it}":{{"shape":{{"struct":{{"fields":[{next},{next}]}}}}}}"#)
        })
        .collect();
    let types = format!(r#"{},"T40":{{"shape":"unit"}}"#, types.join(","));
    let said = refused(&schema(&types, ""));
    let expected = "fields of a type with flattened ones: maximum is 4096";
    assert!(said.ends_with(expected), "{said}");
}

/// Many actions that lead to many types which all differ are compared in a bounded number of steps.
#[test]
fn many_actions_are_compared() {
    let made = |last: &str| {
        let types: Vec<_> = (0..1000)
            .map(|it| {
                let fields: Vec<_> = (0..10)
                    .map(|field| format!(r#"{{"name":"f{field}","type":"{last}"}}"#))
                    .collect();
                let next = (it + 1) % 1000;
                format!(
                    r#""T{it}":{{"shape":{{"struct":{{"fields":[{},{{"name":"next","type":{{"sequence":{{"named":"T{next}"}}}}}}]}}}}}}"#,
                    fields.join(",")
                )
            })
            .collect();
        let actions: Vec<_> = (0..1000)
            .map(|it| {
                format!(
                    r#""a{it}":{{"parameters":[{{"name":"x","kind":"payload","type":{{"named":"T{it}"}}}}]}}"#
                )
            })
            .collect();
        Schema::from_json(&schema(&types.join(","), &actions.join(","))).expect("a schema")
    };
    let report = compare(&made("u8"), &made("string"));
    assert!(report.is_breaking());
    let is_said =
        |change: &sockety_schema::Change| change.text.contains("too large to be compared");
    assert!(report.changes.iter().any(is_said));
}

/// What is merged by hand may have one name twice, of which one would be lost.
#[test]
fn names_are_there_once() {
    for (types, actions, said) in [
        (
            "",
            r#""a":{},"a":{"one_way":true}"#,
            r#""a" is there twice"#,
        ),
        (
            r#""T":{"shape":"unit"},"T":{"shape":"unit"}"#,
            "",
            r#""T" is there twice"#,
        ),
    ] {
        let found = refused(&schema(types, actions));
        assert!(found.contains(said), "{found}");
    }
    let found = refused(r#"{"format":1,"services":{"A":{"actions":{}},"A":{"actions":{}}}}"#);
    assert!(found.contains(r#""A" is there twice"#), "{found}");
}

#[test]
fn files_that_are_no_schemas_say_why() {
    let path = std::env::temp_dir().join(format!("sockety-schema-{}.json", std::process::id()));
    let load = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("written");
        let error = Schema::load(&path).expect_err("refused");
        match std::error::Error::source(&error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        }
    };
    // Its limit is in the middle of a letter.
    let long = format!("x{}", "\u{e9}".repeat(3 << 20));
    let said = "schema of 6291457 bytes is over the limit of 4194304";
    assert_eq!(load(long.as_bytes()), said);
    assert!(load(b"\xff").ends_with("invalid utf-8 sequence of 1 bytes from index 0"));
    let whole = schema(r#""T":{"shape":"unit"}"#, r#""a":{}"#);
    for length in [1, whole.len() / 2, whole.len() - 1] {
        let said = load(&whole.as_bytes()[..length]);
        assert!(
            said.starts_with("invalid schema: EOF while parsing"),
            "{said}"
        );
    }
    let said = load(b"<<<<<<< HEAD\n{}");
    assert_eq!(said, "invalid schema: expected value at line 1 column 1");
    std::fs::remove_file(&path).expect("removed");
}

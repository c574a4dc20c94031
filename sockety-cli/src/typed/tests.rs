//! Schemas that a peer makes up.

use sockety_schema::Schema;

use super::*;

fn typed(types: &str) -> Typed {
    let text = format!(
        r#"{{"format":1,"services":{{"A":{{"actions":{{"go":{{"parameters":[
            {{"name":"x","kind":"payload","type":{{"named":"T0"}}}}]}}}},"types":{{{types}}}}}}}}}"#
    );
    let schema = Schema::from_json(&text).expect("a schema");
    Typed::of(&schema, "go").expect("an action")
}

fn nested(levels: usize) -> Json {
    let text = format!("{}7{}", "[".repeat(levels), "]".repeat(levels));
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn types_that_lead_to_many_others_are_not_followed_too_deep() {
    let types: Vec<_> = (0..4000)
        .map(|it| {
            let next = (it + 1) % 4000;
            let ty = match it % 1000 {
                0 => format!(r#"{{"sequence":{{"named":"T{next}"}}}}"#),
                _ => format!(r#"{{"named":"T{next}"}}"#),
            };
            format!(r#""T{it}":{{"shape":{{"newtype":{ty}}}}}"#)
        })
        .collect();
    let typed = typed(&types.join(","));
    let problem = typed.payload(Some(&nested(100))).expect_err("too deep");
    let said = problem.to_string();
    assert!(
        said.ends_with("it is nested too deep: maximum is 450 levels of types"),
        "{said}"
    );
}

#[test]
fn alternatives_within_alternatives_come_to_an_end() {
    let variant = |name: &str| {
        format!(r#"{{"name":"{name}","content":{{"newtype":{{"sequence":{{"named":"T0"}}}}}}}}"#)
    };
    let (one, other) = (variant("A"), variant("B"));
    let typed = typed(&format!(
        r#""T0":{{"shape":{{"enum":{{"tagging":"untagged","variants":[{one},{other}]}}}}}}"#
    ));
    let ty = Type::Named("T0".to_owned());
    let mut packer = Packer::within(&typed.types, 10_000);
    let problem = packer.value(&nested(60), &ty).expect_err("too many");
    let said = problem.to_string();
    let expected = "it has too many parts or alternatives to be followed";
    assert!(said.contains(expected), "{said}");
    assert!(typed.payload(Some(&serde_json::json!([[], [[]]]))).is_ok());
}

#[test]
fn a_reply_of_another_type_is_shown_as_it_is() {
    let typed = typed(r#""T0":{"shape":"unit"}"#);
    assert_eq!(typed.shown(&[0x07]), Shown::Value(7.into()));
    assert_eq!(typed.shown(b"\xc1"), Shown::of(b"\xc1"));
}

//! Each of many types against each other one: whatever the verdict is on a change from one to the other, it is never laxer
//! than what their values do.

#![allow(
    clippy::use_self,
    clippy::too_many_arguments,
    reason = "specta has no `Self`, and a service here has all types"
)]
#![allow(dead_code, missing_docs, reason = "types that only travel")]

mod support;

use serde::{Serialize, de::DeserializeOwned};
use sockety_msgpack::{from_slice, to_vec};
use sockety_schema::{Schema, Verdict, compare};

use support::Maker;

/// A type: its schema, values of it as they are written, and whether it reads others.
struct Case {
    name: &'static str,
    schema: Schema,
    values: Vec<Vec<u8>>,
    reads: fn(&[u8]) -> bool,
}

impl Case {
    fn of<T: Serialize + DeserializeOwned>(name: &'static str, schema: Schema) -> Self {
        let service = &schema.services["Request"];
        let ty = service.actions["go"].parameters[0].ty.as_ref();
        let ty = ty.expect("a value");
        let values = (1..=VALUES).filter_map(|seed| {
            let made = Maker::new(service, seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)).make(ty);
            let bytes = to_vec(&made).expect("encoded");
            // Next to entries of any name, some values have one that is read as a field.
            let value: T = from_slice(&bytes).ok()?;
            Some(to_vec(&value).expect("encoded"))
        });
        let values: Vec<_> = values.collect();
        let is_any_name = name.starts_with("flattened_map");
        assert!(
            values.len() as u64 == VALUES || is_any_name && values.len() > 16,
            "{name}"
        );
        Self {
            name,
            values,
            schema,
            reads: |bytes| from_slice::<T>(bytes).is_ok(),
        }
    }
}

const VALUES: u64 = 64;

/// Whether a value is left out, which is about every other one.
fn ends_even<T: Serialize>(value: &T) -> bool {
    let bytes = to_vec(value).expect("encoded");
    bytes.last().is_some_and(|byte| byte % 2 == 0)
}

macro_rules! cases {
    ($($name:ident { $($item:item)* })*) => {
        $(mod $name {
            #[allow(unused_imports)]
            use std::collections::BTreeMap;

            #[allow(unused_imports)]
            use serde::{Deserialize, Serialize};

            $(
                #[derive(serde::Serialize, serde::Deserialize, specta::Type)]
                $item
            )*

            #[sockety::service]
            trait Request {
                async fn go(&self, value: T);
            }

            pub(super) fn case() -> super::Case {
                let schema = sockety_schema::of::<RequestClient>().expect("described");
                super::Case::of::<T>(stringify!($name), schema)
            }
        })*

        fn cases() -> Vec<Case> {
            vec![$($name::case()),*]
        }
    };
}

cases! {
    u8_ { pub(super) struct T(u8); }
    u16_ { pub(super) struct T(u16); }
    u64_ { pub(super) struct T(u64); }
    i8_ { pub(super) struct T(i8); }
    i64_ { pub(super) struct T(i64); }
    u128_ { pub(super) struct T(u128); }
    i128_ { pub(super) struct T(i128); }
    nonzero_u8 { pub(super) struct T(std::num::NonZeroU8); }
    nonzero_i64 { pub(super) struct T(std::num::NonZeroI64); }
    nonzero_u128 { pub(super) struct T(std::num::NonZeroU128); }
    f32_ { pub(super) struct T(f32); }
    f64_ { pub(super) struct T(f64); }
    bool_ { pub(super) struct T(bool); }
    char_ { pub(super) struct T(char); }
    string { pub(super) struct T(String); }
    uuid_ { pub(super) struct T(uuid::Uuid); }
    ip { pub(super) struct T(std::net::IpAddr); }
    bytes_ { pub(super) struct T(bytes::Bytes); }
    list_of_u8 { pub(super) struct T(Vec<u8>); }
    list_of_u16 { pub(super) struct T(Vec<u16>); }
    array_of_2 { pub(super) struct T([u8; 2]); }
    array_of_4 { pub(super) struct T([u8; 4]); }
    pair { pub(super) struct T(u8, u8); }
    pair_of_others { pub(super) struct T(u8, String); }
    nil { pub(super) struct T(()); }
    unit { pub(super) struct T; }
    duration { pub(super) struct T(std::time::Duration); }
    system_time { pub(super) struct T(std::time::SystemTime); }
    timestamp { pub(super) struct T(sockety_msgpack::Timestamp); }
    option_of_u8 { pub(super) struct T(Option<u8>); }
    option_of_option { pub(super) struct T(Option<Option<u8>>); }
    option_of_unit { pub(super) struct U; pub(super) struct T(Option<U>); }
    option_in_newtype { pub(super) struct U(Option<u8>); pub(super) struct T { a: U } }
    map_by_string { pub(super) struct T(BTreeMap<String, u8>); }
    map_by_u8 { pub(super) struct T(BTreeMap<u8, u8>); }
    map_by_bool { pub(super) struct T(BTreeMap<bool, u8>); }
    map_by_uuid { pub(super) struct T(BTreeMap<uuid::Uuid, u8>); }
    map_by_names {
        #[derive(PartialEq, Eq, PartialOrd, Ord)] pub(super) enum K { A, B }
        pub(super) struct T(BTreeMap<K, u8>);
    }
    one_field { pub(super) struct T { a: u8 } }
    one_wider_field { pub(super) struct T { a: u16 } }
    one_optional_field { pub(super) struct T { a: Option<u8> } }
    one_field_that_is_left_out {
        pub(super) struct T { #[serde(skip_serializing_if = "Option::is_none")] a: Option<u8> }
    }
    one_default_field { pub(super) struct T { #[serde(default)] a: u8 } }
    one_strict_field { #[serde(deny_unknown_fields)] pub(super) struct T { a: u8 } }
    one_field_with_an_alias { pub(super) struct T { #[serde(alias = "b")] a: u8 } }
    one_field_of_another_name { pub(super) struct T { b: u8 } }
    one_field_that_was_another { pub(super) struct T { #[serde(alias = "a")] b: u8 } }
    transparent { #[serde(transparent)] pub(super) struct T { a: u8 } }
    with_a_tag { #[serde(tag = "kind")] pub(super) struct T { a: u8 } }
    two_fields { pub(super) struct T { a: u8, b: u8 } }
    two_fields_swapped { pub(super) struct T { #[serde(rename = "b")] a: u8, #[serde(rename = "a")] b: String } }
    two_fields_of_aliases {
        pub(super) struct T { #[serde(alias = "c")] a: u8, #[serde(alias = "d")] b: u8 }
    }
    two_strict_fields { #[serde(deny_unknown_fields)] pub(super) struct T { a: u8, b: Option<u8> } }
    a_field_that_is_not_written {
        pub(super) struct T { a: u8, #[serde(skip_serializing, default)] b: u8 }
    }
    a_field_that_is_not_read { pub(super) struct T { a: u8, #[serde(skip_deserializing)] b: u8 } }
    all_have_defaults { #[derive(Default)] #[serde(default)] pub(super) struct T { a: u8, b: u8 } }
    flattened_struct {
        pub(super) struct U { b: u8 }
        pub(super) struct T { a: u8, #[serde(flatten)] u: U }
    }
    flattened_struct_of_a_default {
        pub(super) struct U { #[serde(default)] b: u8 }
        pub(super) struct T { a: u8, #[serde(flatten)] u: U }
    }
    flattened_struct_that_is_left_out {
        pub(super) struct U { #[serde(default)] b: u8 }
        pub(super) struct T { a: u8, #[serde(flatten, skip_serializing_if = "crate::ends_even")] u: U }
    }
    flattened_option {
        pub(super) struct U { b: u8 }
        pub(super) struct T { a: u8, #[serde(flatten)] u: Option<U> }
    }
    flattened_map { pub(super) struct T { a: u8, #[serde(flatten)] rest: BTreeMap<String, u8> } }
    flattened_map_of_strings {
        pub(super) struct T { a: u8, #[serde(flatten)] rest: BTreeMap<String, String> }
    }
    flattened_map_and_alias {
        pub(super) struct T { #[serde(alias = "_")] a: u8, #[serde(flatten)] rest: BTreeMap<String, u8> }
    }
    flattened_enum {
        pub(super) enum U { B(u8), C { x: u8 } }
        pub(super) struct T { a: u8, #[serde(flatten)] u: U }
    }
    flattened_enum_with_a_tag {
        #[serde(tag = "t")] pub(super) enum U { B { b: u8 }, C }
        pub(super) struct T { a: u8, #[serde(flatten)] u: U }
    }
    flattened_units {
        pub(super) enum U { B, C }
        pub(super) struct T { a: u8, #[serde(flatten)] u: U }
    }
    flattened_units_in_a_strict_struct {
        pub(super) enum U { B, C }
        #[serde(deny_unknown_fields)] pub(super) struct T { a: u8, #[serde(flatten)] u: U }
    }
    flattened_strict_struct {
        pub(super) struct U { b: u8 }
        #[serde(deny_unknown_fields)] pub(super) struct T { a: u8, #[serde(flatten)] u: U }
    }
    flattened_and_further_in {
        #[serde(deny_unknown_fields)] pub(super) struct A { x: u8 }
        pub(super) struct O { #[serde(flatten)] a: A }
        pub(super) struct E { a: A }
        pub(super) struct D { e: E }
        pub(super) struct T { o: O, d: D }
    }
    flattened_and_more_further_in {
        #[serde(deny_unknown_fields)] pub(super) struct A { x: u8, #[serde(default)] y: u8 }
        pub(super) struct O { #[serde(flatten)] a: A }
        pub(super) struct E { a: A }
        pub(super) struct D { e: E }
        pub(super) struct T { o: O, d: D }
    }
    strict_in_flattened {
        #[serde(deny_unknown_fields)] pub(super) struct V { x: u8 }
        pub(super) struct U { v: V }
        pub(super) struct T { a: u8, #[serde(flatten)] u: U }
    }
    strict_and_more_in_flattened {
        #[serde(deny_unknown_fields)] pub(super) struct V { x: u8, #[serde(default)] y: u8 }
        pub(super) struct U { v: V }
        pub(super) struct T { a: u8, #[serde(flatten)] u: U }
    }
    flattened_strict_enum {
        #[serde(deny_unknown_fields)] pub(super) enum U { C { x: u8 } }
        pub(super) struct T { a: u8, #[serde(flatten)] u: U }
    }
    flattened_strict_enum_of_more {
        #[serde(deny_unknown_fields)] pub(super) enum U { C { x: u8, #[serde(default)] y: u8 } }
        pub(super) struct T { a: u8, #[serde(flatten)] u: U }
    }
    flattened_more_in_a_strict_struct {
        pub(super) struct U { b: u8, #[serde(default)] c: u8 }
        #[serde(deny_unknown_fields)] pub(super) struct T { a: u8, #[serde(flatten)] u: U }
    }
    external { pub(super) enum T { A, B(u8) } }
    external_wider { pub(super) enum T { A, B(u16) } }
    external_more { pub(super) enum T { A, B(u8), C { x: u8 }, D(u8, u8) } }
    external_other { pub(super) enum T { A, #[serde(other)] Z } }
    external_other_and_two { pub(super) enum T { A(u8), B, #[serde(other)] Z } }
    external_other_and_an_alias { pub(super) enum T { #[serde(alias = "B")] A(u8), #[serde(other)] Z } }
    external_other_and_more { pub(super) enum T { A, C, D(u8), #[serde(other)] Z } }
    external_and_one_without_a_tag { pub(super) enum T { A, #[serde(untagged)] E(String) } }
    external_more_and_one_without_a_tag { pub(super) enum T { A, C, #[serde(untagged)] E(String) } }
    external_renamed { pub(super) enum T { A, #[serde(alias = "B")] X(u8) } }
    internal { #[serde(tag = "t")] pub(super) enum T { A, B { x: u8 } } }
    internal_more { #[serde(tag = "t")] pub(super) enum T { A, B { x: u8 }, C { y: u8 } } }
    internal_strict { #[serde(tag = "t", deny_unknown_fields)] pub(super) enum T { A, B { x: u8 } } }
    internal_strict_more {
        #[serde(tag = "t", deny_unknown_fields)] pub(super) enum T { A, B { x: u8, y: Option<u8> } }
    }
    internal_other { #[serde(tag = "t")] pub(super) enum T { A, #[serde(other)] Z } }
    internal_other_strict {
        #[serde(tag = "t", deny_unknown_fields)] pub(super) enum T { A, #[serde(other)] Z }
    }
    internal_struct {
        pub(super) struct U { x: u8 }
        #[serde(tag = "t")] pub(super) enum T { A, B(U) }
    }
    internal_strict_struct {
        #[serde(deny_unknown_fields)] pub(super) struct U { x: u8 }
        #[serde(tag = "t")] pub(super) enum T { A, B(U) }
    }
    internal_units {
        pub(super) enum U { B, C }
        #[serde(tag = "t")] pub(super) enum T { A, B(U) }
    }
    internal_unit {
        pub(super) struct U;
        #[serde(tag = "t")] pub(super) enum T { A, B(U) }
    }
    internal_strict_with_flattened {
        pub(super) struct U { x: u8 }
        #[serde(tag = "t", deny_unknown_fields)] pub(super) enum T { A, B { #[serde(flatten)] u: U } }
    }
    internal_map { #[serde(tag = "t")] pub(super) enum T { A, B(BTreeMap<String, u8>) } }
    adjacent { #[serde(tag = "t", content = "c")] pub(super) enum T { A, B(u8) } }
    adjacent_more { #[serde(tag = "t", content = "c")] pub(super) enum T { A, B(u8), C(String), D } }
    adjacent_other { #[serde(tag = "t", content = "c")] pub(super) enum T { A, #[serde(other)] Z } }
    adjacent_option { #[serde(tag = "t", content = "c")] pub(super) enum T { A, B(Option<u8>) } }
    adjacent_strict {
        #[serde(tag = "t", content = "c", deny_unknown_fields)] pub(super) enum T { A, B { x: u8 } }
    }
    untagged { #[serde(untagged)] pub(super) enum T { A(u8), B(String) } }
    untagged_more { #[serde(untagged)] pub(super) enum T { A(u8), B(String), C(Vec<u8>) } }
    untagged_other_order { #[serde(untagged)] pub(super) enum T { B(String), A(u8) } }
    untagged_structs { #[serde(untagged)] pub(super) enum T { A { a: u8 }, B { b: u8 } } }
    untagged_structs_with_a_default {
        #[serde(untagged)] pub(super) enum T { A { #[serde(default)] a: u8 }, B { b: u8 } }
    }
    untagged_with_nothing { #[serde(untagged)] pub(super) enum T { N, A(u8) } }
    untagged_and_itself { #[serde(untagged)] pub(super) enum T { A(u8), L(Vec<T>) } }
    untagged_wider_and_itself { #[serde(untagged)] pub(super) enum T { A(u16), L(Vec<T>) } }
    itself { pub(super) struct T(Vec<T>); }
    itself_or_nothing { pub(super) struct T(Vec<Option<T>>); }
    itself_in_a_field { pub(super) struct T { a: Vec<T> } }
    itself_in_another_field { pub(super) struct T { b: Vec<T> } }
    itself_in_an_optional_field { pub(super) struct T { a: Vec<Option<T>> } }
    itself_by_another { pub(super) struct U { a: Vec<T> } pub(super) struct T { a: Vec<U> } }
}

/// Whether a verdict on requests promises no more than what happens.
fn is_safe(verdict: Verdict, new_reads_old: bool, old_reads_new: bool) -> bool {
    match verdict {
        Verdict::Compatible | Verdict::Warning => new_reads_old && old_reads_new,
        Verdict::ServersFirst => new_reads_old,
        Verdict::ClientsFirst => old_reads_new,
        Verdict::Breaking => true,
    }
}

#[test]
fn no_verdict_is_laxer_than_what_happens() {
    let cases = cases();
    let mut lax = Vec::new();
    let mut promised = 0;
    for old in &cases {
        for new in &cases {
            let report = compare(&old.schema, &new.schema);
            let verdict = report.verdict();
            promised += usize::from(verdict != Verdict::Breaking);
            let new_reads_old = old.values.iter().all(|bytes| (new.reads)(bytes));
            let old_reads_new = new.values.iter().all(|bytes| (old.reads)(bytes));
            if !is_safe(verdict, new_reads_old, old_reads_new) {
                lax.push(format!(
                    "{} to {}: {verdict}, but new reads old: {new_reads_old}, old reads new: \
                     {old_reads_new}\n{report}",
                    old.name, new.name
                ));
            }
            if old.name == new.name {
                assert!(report.changes.is_empty(), "{}: {report}", old.name);
            }
        }
    }
    assert!(
        lax.is_empty(),
        "{} of {}:\n{}",
        lax.len(),
        cases.len().pow(2),
        lax.join("\n")
    );
    // It is not strict throughout.
    assert!(
        promised > cases.len() * 2,
        "{promised} of {} types",
        cases.len()
    );
}

//! Each rule, against what happens: values of the old types are read as the new ones, and the other way round.
//!
//! A fixture is a type `T` before and after a change. A schema is made of each, and the verdict on values of it in requests
//! and in replies is compared with what is expected, and with what the types do.

#![allow(
    clippy::use_self,
    clippy::too_many_arguments,
    reason = "specta has no `Self`, and a service here has all types"
)]
#![allow(dead_code, missing_docs, reason = "types that only travel")]

mod support;

use std::cell::Cell;

use proptest::test_runner::{Config, TestRunner};
use serde::{Serialize, de::DeserializeOwned};
use sockety_msgpack::{from_slice, to_vec};
use sockety_schema::{Report, Rule, Schema, Type, Verdict, compare};

use support::Maker;

/// What a fixture has of one side.
struct Side {
    request: Schema,
    reply: Schema,
}

/// What is expected of a fixture.
struct Expected {
    rules: &'static [&'static str],
    request: Verdict,
    reply: Verdict,
    /// Whether all values that the new type writes are read as the old one, and the other way round.
    old_reads_new: bool,
    new_reads_old: bool,
}

fn check<Old, New>(old: &Side, new: &Side, expected: &Expected)
where
    Old: Serialize + DeserializeOwned,
    New: Serialize + DeserializeOwned,
{
    for schema in [&old.request, &old.reply, &new.request, &new.reply] {
        let read = Schema::from_json(&schema.to_json()).expect("a schema");
        assert_eq!(read, *schema);
        assert_eq!(compare(schema, schema), Report::default(), "no change");
    }
    let old_reads_new = are_read::<New, Old>(&new.request);
    let new_reads_old = are_read::<Old, New>(&old.request);
    assert_eq!(
        (old_reads_new, new_reads_old),
        (expected.old_reads_new, expected.new_reads_old),
        "what happens"
    );
    let request = compare(&old.request, &new.request);
    let reply = compare(&old.reply, &new.reply);
    for (report, verdict) in [(&request, expected.request), (&reply, expected.reply)] {
        let mut rules: Vec<_> = report
            .changes
            .iter()
            .map(|change| change.rule.id())
            .collect();
        rules.sort_unstable();
        rules.dedup();
        assert_eq!(rules, expected.rules, "{report}");
        assert_eq!(report.verdict(), verdict, "{report}");
    }
    // Never laxer than what happens.
    let is_safe = |verdict, servers_first: bool, clients_first: bool| match verdict {
        Verdict::Compatible | Verdict::Warning => servers_first && clients_first,
        Verdict::ServersFirst => servers_first,
        Verdict::ClientsFirst => clients_first,
        Verdict::Breaking => true,
    };
    assert!(
        is_safe(request.verdict(), new_reads_old, old_reads_new),
        "{request}"
    );
    assert!(
        is_safe(reply.verdict(), old_reads_new, new_reads_old),
        "{reply}"
    );
}

/// Whether all values of a type are read as another one. Values are made from the schema of the writer, read as what it is,
/// and written by it.
fn are_read<Writer, Reader>(writer: &Schema) -> bool
where
    Writer: Serialize + DeserializeOwned,
    Reader: DeserializeOwned,
{
    let service = writer.services.values().next().expect("a service");
    let action = &service.actions["go"];
    let ty: &Type = action.parameters[0].ty.as_ref().expect("a value");
    let all = Cell::new(true);
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(256)
    });
    let seeds = proptest::num::u64::ANY;
    let run = runner.run(&seeds, |seed| {
        let made = Maker::new(service, seed).make(ty);
        let bytes = to_vec(&made).expect("encoded");
        let value: Writer = from_slice(&bytes)
            .unwrap_or_else(|error| panic!("{made:?} is no value of {ty}: {error}"));
        let written = to_vec(&value).expect("encoded");
        all.set(all.get() && from_slice::<Reader>(&written).is_ok());
        Ok(())
    });
    run.expect("no case fails");
    all.get()
}

macro_rules! fixture {
    (
        $name:ident: $($rule:literal)*, $request:ident, $reply:ident, ($old_reads_new:literal, $new_reads_old:literal),
        { $($old:item)* } { $($new:item)* }
    ) => {
        mod $name {
            mod old {
                fixture!(@types $($old)*);
            }

            mod new {
                fixture!(@types $($new)*);
            }

            #[test]
            fn is_judged() {
                use sockety_schema::Verdict;

                let expected = super::Expected {
                    rules: &[$($rule),*],
                    request: Verdict::$request,
                    reply: Verdict::$reply,
                    old_reads_new: $old_reads_new,
                    new_reads_old: $new_reads_old,
                };
                super::check::<old::T, new::T>(&old::side(), &new::side(), &expected);
            }
        }
    };
    (@types $($item:item)*) => {
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

        #[sockety::service]
        trait Reply {
            async fn go(&self) -> T;
        }

        pub(super) fn side() -> super::super::Side {
            super::super::Side {
                request: sockety_schema::of::<RequestClient>().expect("described"),
                reply: sockety_schema::of::<ReplyClient>().expect("described"),
            }
        }
    };
}

fixture! {
    v4_a_needed_field_is_new: "field.new", ClientsFirst, ServersFirst, (true, false),
    { pub(super) struct T { a: u8 } }
    { pub(super) struct T { a: u8, b: String } }
}

fixture! {
    v5_a_field_with_a_default_is_new: "field.new", Compatible, Compatible, (true, true),
    { pub(super) struct T { a: u8 } }
    { pub(super) struct T { a: u8, #[serde(default)] b: String } }
}

fixture! {
    v5_an_optional_field_is_new: "field.new", Compatible, Compatible, (true, true),
    { pub(super) struct T { a: u8 } }
    { pub(super) struct T { a: u8, b: Option<String> } }
}

fixture! {
    v5_all_fields_have_defaults: "field.new", Compatible, Compatible, (true, true),
    { pub(super) struct T { a: u8 } }
    {
        #[derive(Default)] #[serde(default)]
        pub(super) struct T { a: u8, b: String }
    }
}

fixture! {
    v6_a_needed_field_is_gone: "field.gone", ServersFirst, ClientsFirst, (false, true),
    { pub(super) struct T { a: u8, b: String } }
    { pub(super) struct T { a: u8 } }
}

fixture! {
    v6_an_optional_field_is_gone: "field.gone", Compatible, Compatible, (true, true),
    { pub(super) struct T { a: u8, b: Option<String> } }
    { pub(super) struct T { a: u8 } }
}

fixture! {
    v6_a_field_may_be_left_out: "field.gone", ServersFirst, ClientsFirst, (false, true),
    { pub(super) struct T { a: String } }
    { pub(super) struct T { #[serde(default, skip_serializing_if = "String::is_empty")] a: String } }
}

// What other languages leave out is no part of these values, so the verdict is stricter.
fixture! {
    v4_a_field_must_be_there: "field.new", ClientsFirst, ServersFirst, (true, true),
    { pub(super) struct T { #[serde(default)] a: String } }
    { pub(super) struct T { a: String } }
}

fixture! {
    v4_a_field_that_is_left_out_must_be_there: "field.new", ClientsFirst, ServersFirst, (true, false),
    { pub(super) struct T { #[serde(default, skip_serializing_if = "String::is_empty")] a: String } }
    { pub(super) struct T { a: String } }
}

fixture! {
    v7_a_field_is_renamed: "field.name", Breaking, Breaking, (false, false),
    { pub(super) struct T { a: u8 } }
    { pub(super) struct T { b: u8 } }
}

// It is read, as nothing.
fixture! {
    v7_an_optional_field_is_renamed: "field.name", Breaking, Breaking, (true, true),
    { pub(super) struct T { a: Option<u8> } }
    { pub(super) struct T { b: Option<u8> } }
}

fixture! {
    v7_a_field_is_renamed_with_an_alias: "field.name", ServersFirst, ClientsFirst, (false, true),
    { pub(super) struct T { a: u8 } }
    { pub(super) struct T { #[serde(alias = "a")] b: u8 } }
}

fixture! {
    v7_an_alias_is_new: , Compatible, Compatible, (true, true),
    { pub(super) struct T { a: u8 } }
    { pub(super) struct T { #[serde(alias = "b")] a: u8 } }
}

fixture! {
    v7_a_name_is_kept_on_the_wire: , Compatible, Compatible, (true, true),
    { pub(super) struct T { a_b: u8 } }
    { #[serde(rename_all = "snake_case")] pub(super) struct T { #[serde(rename = "a_b")] other: u8 } }
}

fixture! {
    v7_two_fields_became_one: "field.gone" "field.name" "order", Breaking, Breaking, (false, false),
    { pub(super) struct T { a: u8, b: u8 } }
    { pub(super) struct T { #[serde(alias = "b")] a: u8 } }
}

fixture! {
    v8_an_integer_is_wider: "number.range", ServersFirst, ClientsFirst, (false, true),
    { pub(super) struct T { a: u8 } }
    { pub(super) struct T { a: u64 } }
}

fixture! {
    v8_an_integer_has_128_bits: "number.range", ServersFirst, ClientsFirst, (false, true),
    { pub(super) struct T { a: u64 } }
    { pub(super) struct T { a: u128 } }
}

fixture! {
    v8_a_float_is_wider: "number.range", ServersFirst, ClientsFirst, (true, true),
    { pub(super) struct T { a: f32 } }
    { pub(super) struct T { a: f64 } }
}

fixture! {
    v8_an_integer_may_be_zero: "number.range", ServersFirst, ClientsFirst, (false, true),
    { pub(super) struct T { a: std::num::NonZeroU32 } }
    { pub(super) struct T { a: u32 } }
}

fixture! {
    v9_an_integer_is_narrower: "number.range", ClientsFirst, ServersFirst, (true, false),
    { pub(super) struct T { a: i32 } }
    { pub(super) struct T { a: i16 } }
}

fixture! {
    v9_an_integer_has_another_sign: "number.range", Breaking, Breaking, (false, false),
    { pub(super) struct T { a: i32 } }
    { pub(super) struct T { a: u32 } }
}

// The bytes of one are read as the other.
fixture! {
    v9_a_large_integer_has_another_sign: "number.range", Breaking, Breaking, (true, true),
    { pub(super) struct T { a: i128 } }
    { pub(super) struct T { a: u128 } }
}

fixture! {
    v10_an_integer_became_a_float: "number.kind", Breaking, Breaking, (false, true),
    { pub(super) struct T { a: u32 } }
    { pub(super) struct T { a: f64 } }
}

fixture! {
    v11_a_value_may_be_nothing: "option", ServersFirst, ClientsFirst, (false, true),
    { pub(super) struct T(Vec<u8>); }
    { pub(super) struct T(Option<Vec<u8>>); }
}

fixture! {
    v11_a_field_may_be_nothing: "option", ServersFirst, ClientsFirst, (false, true),
    { pub(super) struct T { a: u8 } }
    { pub(super) struct T { a: Option<u8> } }
}

fixture! {
    v11_a_field_may_not_be_nothing: "option", ClientsFirst, ServersFirst, (true, false),
    { pub(super) struct T { a: Option<u8> } }
    { pub(super) struct T { a: u8 } }
}

fixture! {
    v11_a_struct_may_be_nothing: "option", ServersFirst, ClientsFirst, (false, true),
    { pub(super) struct U { a: u8 } pub(super) struct T { u: Vec<U> } }
    { pub(super) struct U { a: u8 } pub(super) struct T { u: Vec<Option<U>> } }
}

fixture! {
    v12_a_variant_is_new: "variant.new", ServersFirst, ClientsFirst, (false, true),
    { pub(super) enum T { A, B(u8) } }
    { pub(super) enum T { A, B(u8), C { x: u8 } } }
}

fixture! {
    v12_a_variant_without_content_is_new_for_other: "variant.new", Compatible, Compatible, (true, true),
    { pub(super) enum T { A, #[serde(other)] B } }
    { pub(super) enum T { A, C, #[serde(other)] B } }
}

fixture! {
    v12_a_variant_with_content_is_new_for_other: "variant.new", ServersFirst, ClientsFirst, (false, true),
    { pub(super) enum T { A, #[serde(other)] B } }
    { pub(super) enum T { A, C(u8), #[serde(other)] B } }
}

fixture! {
    v12_a_variant_is_new_for_other_with_a_tag: "variant.new", Compatible, Compatible, (true, true),
    { #[serde(tag = "t")] pub(super) enum T { A, #[serde(other)] B } }
    { #[serde(tag = "t")] pub(super) enum T { A, C { x: u8 }, #[serde(other)] B } }
}

fixture! {
    v12_a_variant_is_new_beside_a_tag: "variant.new", ServersFirst, ClientsFirst, (false, true),
    { #[serde(tag = "t", content = "c")] pub(super) enum T { A, B(u8) } }
    { #[serde(tag = "t", content = "c")] pub(super) enum T { A, B(u8), C } }
}

fixture! {
    v12_a_variant_without_a_tag_is_new: "variant.new", ServersFirst, ClientsFirst, (false, true),
    { #[serde(untagged)] pub(super) enum T { A(u8), B(String) } }
    { #[serde(untagged)] pub(super) enum T { A(u8), B(String), C(Vec<bool>) } }
}

fixture! {
    v13_a_variant_is_gone: "variant.gone", ClientsFirst, ServersFirst, (true, false),
    { pub(super) enum T { A, B(u8), C { x: u8 } } }
    { pub(super) enum T { A, B(u8) } }
}

fixture! {
    v14_a_variant_is_renamed: "enum.form", Breaking, Breaking, (false, false),
    { pub(super) enum T { A, B(u8) } }
    { pub(super) enum T { A, C(u8) } }
}

fixture! {
    v14_a_variant_is_renamed_with_an_alias: "enum.form", ServersFirst, ClientsFirst, (false, true),
    { pub(super) enum T { A, B(u8) } }
    { pub(super) enum T { A, #[serde(alias = "B")] C(u8) } }
}

fixture! {
    v14_a_tag_is_new: "enum.form", Breaking, Breaking, (false, false),
    { pub(super) enum T { A { x: u8 } } }
    { #[serde(tag = "t")] pub(super) enum T { A { x: u8 } } }
}

fixture! {
    v14_a_tag_has_another_name: "enum.form", Breaking, Breaking, (false, false),
    { #[serde(tag = "t")] pub(super) enum T { A { x: u8 } } }
    { #[serde(tag = "kind")] pub(super) enum T { A { x: u8 } } }
}

fixture! {
    v14_content_has_another_name: "enum.form", Breaking, Breaking, (false, false),
    { #[serde(tag = "t", content = "c")] pub(super) enum T { A(u8) } }
    { #[serde(tag = "t", content = "d")] pub(super) enum T { A(u8) } }
}

fixture! {
    v14_a_variant_has_content_now: "enum.form", Breaking, Breaking, (false, false),
    { pub(super) enum T { A } }
    { pub(super) enum T { A(u8) } }
}

fixture! {
    v14_a_variant_of_a_struct_has_its_fields: , Compatible, Compatible, (true, true),
    { pub(super) struct U { x: u8 } pub(super) enum T { A(U), B } }
    { pub(super) enum T { A { x: u8 }, B } }
}

fixture! {
    v14_variants_without_a_tag_have_another_order: "enum.form", Breaking, Breaking, (true, true),
    { #[serde(untagged)] pub(super) enum T { A(u8), B(u64) } }
    { #[serde(untagged)] pub(super) enum T { B(u64), A(u8) } }
}

fixture! {
    v14_a_field_of_a_variant_is_new: "field.new", ClientsFirst, ServersFirst, (true, false),
    { #[serde(tag = "t")] pub(super) enum T { A { x: u8 } } }
    { #[serde(tag = "t")] pub(super) enum T { A { x: u8, y: u8 } } }
}

fixture! {
    v21_a_string_became_bytes: "type", Breaking, Breaking, (false, true),
    { pub(super) struct T { a: String } }
    { pub(super) struct T { a: bytes::Bytes } }
}

fixture! {
    v21_a_uuid_became_a_string: "type", Breaking, Breaking, (false, true),
    { pub(super) struct T { a: uuid::Uuid } }
    { pub(super) struct T { a: String } }
}

fixture! {
    v21_a_list_became_a_map: "type", Breaking, Breaking, (false, false),
    { pub(super) struct T { a: [u8; 1] } }
    { pub(super) struct T { a: U } pub(super) enum U { A(u8) } }
}

fixture! {
    v22_keys_are_of_another_type: "map.key", Breaking, Breaking, (false, false),
    { pub(super) struct T { a: std::collections::BTreeMap<u8, u8> } }
    { pub(super) struct T { a: std::collections::BTreeMap<bool, u8> } }
}

fixture! {
    v22_values_are_of_another_type: "number.range", ServersFirst, ClientsFirst, (false, true),
    { pub(super) struct T { a: std::collections::BTreeMap<String, u8> } }
    { pub(super) struct T { a: std::collections::BTreeMap<String, u16> } }
}

fixture! {
    v23_unknown_fields_are_refused: "strict", Warning, Warning, (true, true),
    { pub(super) struct T { a: u8 } }
    { #[serde(deny_unknown_fields)] pub(super) struct T { a: u8 } }
}

fixture! {
    v23_a_field_is_gone_and_refused: "field.gone" "strict", ClientsFirst, ServersFirst, (true, false),
    { pub(super) struct T { u: Vec<Option<U>> } pub(super) struct U { a: u8, b: Option<u8> } }
    {
        pub(super) struct T { u: Vec<Option<U>> }
        #[serde(deny_unknown_fields)] pub(super) struct U { a: u8 }
    }
}

fixture! {
    v23_a_new_field_is_refused: "field.new" "strict", ServersFirst, ClientsFirst, (false, true),
    { #[serde(deny_unknown_fields)] pub(super) struct T { a: u8 } }
    { #[serde(deny_unknown_fields)] pub(super) struct T { a: u8, b: Option<u8> } }
}

fixture! {
    v23_a_new_field_of_a_variant_is_refused: "field.new" "strict", ServersFirst, ClientsFirst, (false, true),
    { #[serde(deny_unknown_fields)] pub(super) enum T { A { a: u8 }, B } }
    { #[serde(deny_unknown_fields)] pub(super) enum T { A { a: u8, b: Option<u8> }, B } }
}

fixture! {
    v24_names_and_orders_do_not_travel: , Compatible, Compatible, (true, true),
    { pub(super) struct U { x: u8 } /** Docs. */ pub(super) struct T { a: u8, b: U } }
    { pub(super) struct V { x: u8 } pub(super) struct W(V); pub(super) struct T { b: W, a: u8 } }
}

fixture! {
    v25_a_tuple_has_another_order: "tuple", Breaking, Breaking, (false, false),
    { pub(super) struct T(u8, String); }
    { pub(super) struct T(String, u8); }
}

fixture! {
    v25_a_tuple_has_more_items: "tuple", Breaking, Breaking, (false, false),
    { pub(super) struct T(u8, String); }
    { pub(super) struct T(u8, String, u8); }
}

fixture! {
    v25_an_array_has_any_number_of_items: "tuple", ServersFirst, ClientsFirst, (false, true),
    { pub(super) struct T { a: [u8; 2] } }
    { pub(super) struct T { a: Vec<u8> } }
}

fixture! {
    flattened_fields_are_fields: , Compatible, Compatible, (true, true),
    { pub(super) struct U { x: u8 } pub(super) struct T { a: u8, #[serde(flatten)] u: U } }
    { pub(super) struct T { a: u8, x: u8 } }
}

fixture! {
    a_flattened_field_is_new: "field.new", ClientsFirst, ServersFirst, (true, false),
    { pub(super) struct T { a: u8 } }
    { pub(super) struct U { x: u8 } pub(super) struct T { a: u8, #[serde(flatten)] u: U } }
}

fixture! {
    a_field_is_new_beside_entries_of_any_name: "field.new" "order" "strict", Breaking, Breaking, (false, false),
    {
        pub(super) struct T {
            a: u8, #[serde(flatten)] rest: std::collections::BTreeMap<String, u8>,
        }
    }
    {
        pub(super) struct T {
            a: u8, b: String, #[serde(flatten)] rest: std::collections::BTreeMap<String, u8>,
        }
    }
}

fixture! {
    recursive_types_come_to_an_end: "field.new", ClientsFirst, ServersFirst, (true, false),
    { pub(super) struct T { children: Vec<T> } }
    { pub(super) struct T { children: Vec<T>, name: String } }
}

fixture! {
    two_changes_want_opposite_orders: "field.new" "number.range" "order", Breaking, Breaking, (false, false),
    { pub(super) struct T { a: u8 } }
    { pub(super) struct T { a: u64, b: String } }
}

fixture! {
    a_type_that_is_a_list_of_itself_comes_to_an_end: "option", ServersFirst, ClientsFirst, (false, true),
    { pub(super) struct T(Vec<T>); }
    { pub(super) struct T(Vec<Option<T>>); }
}

fixture! {
    a_field_of_itself_may_be_nothing: "option", ServersFirst, ClientsFirst, (false, true),
    { pub(super) struct T { children: Vec<T> } }
    { pub(super) struct T { children: Vec<Option<T>> } }
}

fixture! {
    a_field_of_itself_is_renamed: "field.name", Breaking, Breaking, (false, false),
    { pub(super) struct T { children: Vec<T> } }
    { pub(super) struct T { parts: Vec<T> } }
}

fixture! {
    v14_what_has_no_tag_may_contain_itself: "enum.form", Breaking, Breaking, (false, true),
    { #[serde(untagged)] pub(super) enum T { A(u8), L(Vec<T>) } }
    { #[serde(untagged)] pub(super) enum T { A(u16), L(Vec<T>) } }
}

// A value of one variant is read as another one.
fixture! {
    v14_what_has_no_tag_may_be_left_out_now: "enum.form", Breaking, Breaking, (true, true),
    { #[serde(untagged)] pub(super) enum T { A { x: u8 }, B { y: u8 } } }
    { #[serde(untagged)] pub(super) enum T { A { #[serde(default)] x: u8 }, B { y: u8 } } }
}

fixture! {
    v14_what_has_no_tag_has_an_alias_now: "enum.form", Breaking, Breaking, (true, true),
    { #[serde(untagged)] pub(super) enum T { A { x: u8 }, B { y: u8 } } }
    { #[serde(untagged)] pub(super) enum T { A { #[serde(alias = "y")] x: u8 }, B { y: u8 } } }
}

fixture! {
    v12_a_variant_is_new_that_a_value_without_a_tag_may_be: "order" "variant.new", Breaking, Breaking, (true, true),
    { pub(super) enum T { A, #[serde(untagged)] E(String) } }
    { pub(super) enum T { A, C, #[serde(untagged)] E(String) } }
}

fixture! {
    v4_a_field_that_is_left_out_is_an_option_by_another_type: "field.new", ClientsFirst, ServersFirst, (true, false),
    { pub(super) struct T { #[serde(skip_serializing_if = "Option::is_none")] a: Option<u8> } }
    { pub(super) struct N(Option<u8>); pub(super) struct T { a: N } }
}

fixture! {
    v7_two_fields_change_names_by_aliases: "field.name" "field.new" "order" "type", Breaking, Breaking, (false, false),
    { pub(super) struct T { #[serde(alias = "c")] a: u8 } }
    { pub(super) struct T { c: u8, a: String } }
}

fixture! {
    a_transparent_struct_is_its_field: , Compatible, Compatible, (true, true),
    { pub(super) struct U(u8); pub(super) struct T { a: U } }
    { #[serde(transparent)] pub(super) struct U { x: u8 } pub(super) struct T { a: U } }
}

fixture! {
    the_tag_of_a_struct_is_a_field: "field.new" "strict", ServersFirst, ClientsFirst, (false, true),
    { #[serde(deny_unknown_fields)] pub(super) struct T { a: u8 } }
    { #[serde(tag = "kind")] pub(super) struct T { a: u8 } }
}

/// All rules that are about types have a fixture; what is about actions is in `tests/actions.rs`.
#[test]
fn every_rule_has_a_fixture() {
    let sources = [include_str!("rules.rs"), include_str!("actions.rs")];
    for rule in Rule::ALL {
        let quoted = format!("\"{}\"", rule.id());
        assert!(
            sources.iter().any(|source| source.contains(&quoted)),
            "{rule}"
        );
    }
}

fixture! {
    v8_every_use_of_a_type_is_said: "number.range", ServersFirst, ClientsFirst, (false, true),
    { pub(super) struct I(u8); pub(super) struct T { a: I, b: I, c: u8, d: u8 } }
    { pub(super) struct I(u16); pub(super) struct T { a: I, b: I, c: u16, d: u16 } }
}

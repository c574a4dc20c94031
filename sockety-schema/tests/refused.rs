//! What specta cannot tell truly is refused, with the path to it.

#![allow(
    clippy::use_self,
    clippy::too_many_arguments,
    reason = "specta has no `Self`, and a service here has all types"
)]
#![allow(dead_code, reason = "types that are only described")]

use std::{ffi::OsString, marker::PhantomData};

use serde::{Deserialize, Serialize};
use sockety::service;
use sockety_schema::of;
use specta::Type;

macro_rules! refused {
    ($name:ident: $path:literal $reason:literal, $($item:tt)*) => {
        #[test]
        fn $name() {
            $($item)*

            #[service]
            trait Bank {
                async fn go(&self, value: T);
            }
            let error = of::<BankClient>().expect_err("refused");
            assert_eq!(error.path, $path);
            assert!(error.reason.contains($reason), "{error}");
        }
    };
}

refused! {
    a_codec_of_the_user: "go(value) › T › a" "`#[serde(with)]` decides how it travels",
    #[derive(Serialize, Deserialize, Type)]
    struct T {
        #[serde(with = "text")]
        a: u64,
    }

    mod text {
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        #[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde wants")]
        pub(super) fn serialize<S: Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
            value.to_string().serialize(to)
        }

        pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
            Ok(String::deserialize(from)?.len() as u64)
        }
    }
}

refused! {
    a_name_that_is_not_read: "go(value) › T › a" "it is written as \"b\" and read as \"a\"",
    #[derive(Serialize, Deserialize, Type)]
    struct T {
        #[serde(rename(serialize = "b"))]
        a: u64,
    }
}

refused! {
    names_that_differ_by_direction: "go(value) › T" "`rename_all` differs",
    #[derive(Serialize, Deserialize, Type)]
    #[serde(rename_all(serialize = "camelCase"))]
    struct T {
        a_b: u64,
    }
}

refused! {
    a_type_that_is_read_as_another: "go(value) › T" "it is read as another type",
    #[derive(Serialize, Deserialize, Type)]
    #[serde(from = "u8")]
    struct T(u64);

    impl From<u8> for T {
        fn from(value: u8) -> Self {
            Self(value.into())
        }
    }
}

refused! {
    a_variant_that_is_only_read: "go(value) › T › B" "it is skipped in one direction alone",
    #[derive(Serialize, Deserialize, Type)]
    enum T {
        A,
        #[serde(skip_serializing)]
        B,
    }
}

refused! {
    a_field_that_is_hidden: "go(value) › T › a" "it is hidden from specta, and travels",
    #[derive(Serialize, Deserialize, Type)]
    struct T {
        #[specta(skip)]
        a: u64,
    }
}

refused! {
    a_type_of_the_system: "go(value) › T › a" "how it travels depends on the system",
    #[derive(Serialize, Deserialize, Type)]
    struct T {
        a: OsString,
    }
}

refused! {
    a_type_without_a_value: "go(value) › T › a" "it has no value: write `#[serde(skip)]`",
    #[derive(Serialize, Deserialize, Type)]
    struct T {
        a: PhantomData<u8>,
    }
}

refused! {
    a_type_of_json: "go(value) › T › a" "specta knows it as it is in JSON",
    #[derive(Serialize, Deserialize, Type)]
    struct T {
        a: serde_json::Value,
    }
}

refused! {
    a_type_of_chrono_with_another_form: "go(value) › T › a" "specta knows it as it is in JSON",
    #[derive(Serialize, Deserialize, Type)]
    struct T {
        #[specta(type = chrono::Duration)]
        a: (i64, i32),
    }
}

refused! {
    a_struct_that_is_transparent_in_memory_alone: "go(value) › T › a › Meters" "specta takes `#[repr(transparent)]`",
    #[derive(Serialize, Deserialize, Type)]
    #[repr(transparent)]
    struct Meters {
        value: f64,
    }

    #[derive(Serialize, Deserialize, Type)]
    struct T {
        a: Vec<Meters>,
    }
}

refused! {
    a_tuple_that_is_transparent_in_memory_alone: "go(value) › T" "specta takes `#[repr(transparent)]`",
    #[derive(Serialize, Deserialize, Type)]
    #[repr(transparent)]
    struct T(f64, #[serde(skip)] PhantomData<u8>);
}

refused! {
    large_integers_in_a_flattened_struct: "go(value) › T › u › U › b" "serde does not read integers of 128 bits",
    #[derive(Serialize, Deserialize, Type)]
    struct U {
        b: Option<u128>,
    }

    #[derive(Serialize, Deserialize, Type)]
    struct T {
        a: u128,
        #[serde(flatten)]
        u: Option<U>,
    }
}

refused! {
    large_integers_next_to_an_internal_tag: "go(value) › T › A › b" "serde does not read integers of 128 bits",
    #[derive(Serialize, Deserialize, Type)]
    #[serde(tag = "t")]
    enum T {
        A { b: Vec<std::num::NonZeroI128> },
    }
}

refused! {
    large_integers_in_a_variant_without_a_tag: "go(value) › T › A" "serde does not read integers of 128 bits",
    #[derive(Serialize, Deserialize, Type)]
    enum T {
        A(i128),
        #[serde(untagged)]
        B(u8),
    }
}

refused! {
    a_struct_without_fields_in_an_enum_without_a_tag: "go(value) › T › A › U" "serde does not read structs without fields",
    #[derive(Serialize, Deserialize, Type)]
    struct U;

    #[derive(Serialize, Deserialize, Type)]
    #[serde(untagged)]
    enum T {
        A(U),
        B(u8),
    }
}

refused! {
    a_struct_without_fields_in_a_flattened_map: "go(value) › T › rest › U" "serde does not read structs without fields",
    #[derive(Serialize, Deserialize, Type)]
    struct U;

    #[derive(Serialize, Deserialize, Type)]
    struct T {
        #[serde(flatten)]
        rest: std::collections::BTreeMap<String, U>,
    }
}

/// What looks like a type that is refused, and is read.
#[test]
fn what_serde_reads_is_described() {
    #[derive(Serialize, Deserialize, Type)]
    struct Unit;

    #[derive(Serialize, Deserialize, Type)]
    #[serde(tag = "t", content = "c")]
    enum Adjacent {
        A(u128),
        B { b: Unit },
    }

    #[derive(Serialize, Deserialize, Type)]
    #[serde(tag = "t")]
    enum Internal {
        A(Unit),
        B { b: Unit },
    }

    #[derive(Serialize, Deserialize, Type)]
    struct Flattened {
        b: Unit,
        #[serde(flatten)]
        unit: Unit,
    }

    #[derive(Serialize, Deserialize, Type)]
    struct Outer {
        a: u128,
        #[serde(flatten)]
        external: External,
        #[serde(flatten)]
        unit: Unit,
    }

    #[derive(Serialize, Deserialize, Type)]
    enum External {
        A(Unit),
        B { b: Unit },
    }

    #[derive(Serialize, Deserialize, Type)]
    #[repr(transparent)]
    struct Meters(f64);

    #[derive(Serialize, Deserialize, Type)]
    #[repr(transparent)]
    #[specta(transparent = false)]
    struct Feet {
        value: f64,
    }

    #[derive(Serialize, Deserialize, Type)]
    #[serde(transparent)]
    struct Miles {
        value: f64,
    }

    #[service]
    trait Bank {
        async fn adjacent(&self, it: Adjacent);
        async fn internal(&self, it: Internal);
        async fn flattened(&self, it: Flattened);
        async fn outer(&self, it: Outer);
        async fn lengths(&self, meters: Meters, feet: Feet, miles: Miles);
    }
    let schema = of::<BankClient>().expect("described");
    let text = schema.to_json();
    for name in ["Meters", "Miles"] {
        let definition = format!("\"{name}\": {{\"shape\": {{\"newtype\": \"f64\"}}}}");
        assert!(text.contains(&definition), "{text}");
    }
}

#[test]
fn a_codec_travels_like_the_type_that_is_named() {
    #[derive(Serialize, Deserialize, Type)]
    struct T {
        #[serde(with = "sockety::msgpack::as_timestamp")]
        #[specta(type = sockety::msgpack::Timestamp)]
        a: std::time::SystemTime,
        b: sockety::msgpack::Timestamp,
    }

    #[service]
    trait Bank {
        async fn go(&self, value: T);
    }
    let schema = of::<BankClient>().expect("described");
    let text = schema.to_json();
    assert!(
        text.contains("{\"name\": \"a\", \"type\": \"timestamp\"}"),
        "{text}"
    );
    assert!(
        text.contains("{\"name\": \"b\", \"type\": \"timestamp\"}"),
        "{text}"
    );
}

#[test]
fn types_of_one_name_are_told_apart() {
    mod other {
        use super::*;

        #[derive(Serialize, Deserialize, Type)]
        pub(super) struct Account {
            b: u8,
        }
    }

    #[derive(Serialize, Deserialize, Type)]
    struct Account {
        a: u8,
    }

    #[derive(Serialize, Deserialize, Type)]
    #[serde(rename = "Renamed")]
    struct Uuid {
        c: u8,
    }

    #[service]
    trait Bank {
        async fn go(&self, one: Account, other: other::Account, own: Uuid);
    }
    let schema = of::<BankClient>().expect("described");
    let names: Vec<_> = schema.services["Bank"].types.keys().collect();
    assert_eq!(
        names,
        ["Account", "refused::Uuid", "refused::other::Account"]
    );
}

//! How the values of a Sockety service travel, as plain data.
//!
//! A [`Schema`] says for each action of a service which parameters it takes, what it returns, and for each type how serde
//! writes and reads its values. It is made from the types themselves, is saved as JSON that reads well in a diff, and is
//! compared with another one when a service changes.
#![cfg_attr(
    feature = "specta",
    doc = "
```
use sockety::service;

#[derive(serde::Serialize, serde::Deserialize, specta::Type)]
pub struct Transfer {
    pub to: u64,
    #[serde(default)]
    pub text: String,
}

#[service(prefix = \"bank.\")]
pub trait Bank {
    async fn transfer(&self, transfer: Transfer) -> u64;
}

let schema = sockety_schema::of::<BankClient>()?;
let bank = &schema.services[\"Bank\"];
assert_eq!(bank.actions[\"bank.transfer\"].parameters[0].name, \"transfer\");
assert!(bank.types.contains_key(\"Transfer\"));
# Ok::<(), sockety_schema::RefusedType>(())
```
"
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod assert;
mod error;
mod json;
mod model;
mod valid;

pub use assert::assert_compatible;
pub use error::SchemaError;
pub use model::{
    Action, Content, Definition, Enum, ErrorVariant, Field, Form, Limits, Parameter, Part,
    PartKind, Schema, Service, Shape, Struct, Tagging, Type, Variant,
};

#[cfg(feature = "specta")]
mod convert;
#[cfg(feature = "specta")]
mod describe;
#[cfg(feature = "specta")]
mod probe;
#[cfg(feature = "specta")]
mod rename;
#[cfg(feature = "specta")]
pub use convert::RefusedType;
#[cfg(feature = "specta")]
pub use describe::{ActionList, StreamErrorType, TypeCollector, TypeList, of};

mod compare;
pub use compare::{Allowed, Change, Direction, Report, Rule, UnknownRule, Verdict, compare};

/// Compiles and runs the example of the README.
#[cfg(all(doctest, feature = "specta"))]
#[doc = include_str!("../README.md")]
struct Readme;

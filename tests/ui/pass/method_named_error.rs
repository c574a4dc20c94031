//! A method may be called like an associated type of generated code.
#![deny(warnings)]

use sockety::service;

#[service]
pub trait Log {
    async fn info(&self, text: String);
    async fn error(&self, text: String);
}

#[service]
pub trait Underscored {
    async fn error_(&self);
    async fn output(&self, text: String) -> u64;
}

#[allow(non_snake_case)]
#[service]
pub trait Capital {
    async fn Error(&self, code: u64, text: String) -> u64;
}

fn main() {
    let request = LogRequest::Error { text: "full".into() };
    assert_eq!(format!("{request:?}"), "Error { .. }");
    let _: sockety::message::Outgoing = request.into();
}

//! What generated code names, and nobody else: it may change with any version.

pub use serde;

use serde::Serialize;
use tokio::net::ToSocketAddrs;

pub use crate::{
    Call, CallDraft, ConnectError, Connection, Context, Dispatch, ErrorVariant, Incoming, NoError,
    Pass, PassDraft, Service, ServiceClient, ServiceError,
    msgpack::DecodeError,
    service::{Body, Responder},
};
pub use tokio::net::ToSocketAddrs as ToAddress;

/// A typed message without parameters.
pub fn call_draft<T, E>(action: &'static str) -> CallDraft<T, E> {
    CallDraft::new(action)
}

/// A typed message with parameters.
pub fn call_draft_with<T, E, P: Serialize + ?Sized>(
    action: &'static str,
    payload: &P,
) -> CallDraft<T, E> {
    CallDraft::with(action, payload)
}

/// A typed one-way message without parameters.
pub fn pass_draft(action: &'static str) -> PassDraft {
    PassDraft::new(action)
}

/// A typed one-way message with parameters.
pub fn pass_draft_with<P: Serialize + ?Sized>(action: &'static str, payload: &P) -> PassDraft {
    PassDraft::with(action, payload)
}

/// A call of a method.
pub fn call<T, E>(connection: &Connection, draft: CallDraft<T, E>) -> Call<T, E> {
    Call::new(connection.clone(), draft)
}

/// A one-way message to a method.
pub fn pass(connection: &Connection, draft: PassDraft) -> Pass {
    Pass::new(connection.clone(), draft)
}

/// Connects for a client.
///
/// # Errors
/// As [`crate::connect`].
pub async fn connect<A: ToSocketAddrs>(address: A) -> Result<Connection, ConnectError> {
    crate::connect::dial(address, crate::Router::new(), crate::Options::default()).await
}

//! What generated code names, and nobody else: it may change with any version.

pub use serde;

use serde::{Serialize, de::DeserializeOwned};

use crate::{msgpack, service::or_nil};

pub use crate::{
    ActionDescription, ActionLimits, Address, ByteStream, Call, CallDraft, Connect, ConnectError,
    Connection, Content, ContentError, Context, Dispatch, ErrorVariant, File, Incoming, Message,
    NoError, Outgoing, ParameterDescription, PartKind, Pass, PassDraft, Payload, Received,
    RequestMismatch, ReturnDescription, Service, ServiceClient, ServiceDescription, ServiceError,
    Streaming,
    call_draft::read_payload,
    msgpack::DecodeError,
    service::{Answer, Body, Responder},
};

/// A typed message without parameters.
pub fn call_draft<T: Payload, E>(action: &'static str) -> CallDraft<T, E> {
    CallDraft::new(action, Content::new(), read_payload)
}

/// A typed message with a parameter.
pub fn call_draft_with<T: Payload, E, P: Payload>(
    action: &'static str,
    payload: &P,
) -> CallDraft<T, E> {
    CallDraft::new(action, Content::new().payload(payload), read_payload)
}

/// A typed message with several parameters.
pub fn call_draft_with_all<T: Payload, E, P: Serialize>(
    action: &'static str,
    payload: &P,
) -> CallDraft<T, E> {
    CallDraft::new(action, Content::new().payloads(payload), read_payload)
}

/// A typed message with files or a stream, in either direction.
pub fn call_draft_carrying<T, E>(
    action: &'static str,
    content: Content,
    read: fn(&mut Received) -> Result<T, ContentError>,
) -> CallDraft<T, E> {
    CallDraft::new(action, content, read)
}

/// A typed one-way message without parameters.
pub fn pass_draft(action: &'static str) -> PassDraft {
    PassDraft::new(action, Content::new())
}

/// A typed one-way message with a parameter.
pub fn pass_draft_with<P: Payload>(action: &'static str, payload: &P) -> PassDraft {
    PassDraft::new(action, Content::new().payload(payload))
}

/// A typed one-way message with several parameters.
pub fn pass_draft_with_all<P: Serialize>(action: &'static str, payload: &P) -> PassDraft {
    PassDraft::new(action, Content::new().payloads(payload))
}

/// A typed one-way message with files or a stream.
pub fn pass_draft_carrying(action: &'static str, content: Content) -> PassDraft {
    PassDraft::new(action, content)
}

/// The parameter of a method.
///
/// # Errors
/// When the payload is not of its type.
pub fn decode<T: Payload>(payload: &[u8]) -> Result<T, DecodeError> {
    msgpack::from_slice(or_nil(payload))
}

/// The parameters of a method that has several.
///
/// # Errors
/// When the payload is not of this type.
pub fn decode_all<T: DeserializeOwned>(payload: &[u8]) -> Result<T, DecodeError> {
    msgpack::from_slice(or_nil(payload))
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
pub fn connect<C>(address: impl Into<Address>) -> Connect<C> {
    Connect::new(address.into())
}

/// A client that calls a service in this process.
pub fn local<C: ServiceClient>(service: impl Service) -> C {
    C::new(crate::local::local(service))
}

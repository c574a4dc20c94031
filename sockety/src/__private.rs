//! What generated code names, and nobody else: it may change with any version.

pub use serde;

use serde::{Serialize, de::DeserializeOwned};

pub use crate::{
    Address, ByteStream, Call, CallDraft, Connect, ConnectError, Connection, Content, ContentError,
    Context, Dispatch, ErrorVariant, File, Incoming, NoError, Pass, PassDraft, Received, Service,
    ServiceClient, ServiceError, Streaming,
    msgpack::DecodeError,
    service::{Body, Responder},
};

/// A typed message without parameters.
pub fn call_draft<T: DeserializeOwned, E>(action: &'static str) -> CallDraft<T, E> {
    CallDraft::new(action, Content::new(), read_payload)
}

/// A typed message with parameters.
pub fn call_draft_with<T: DeserializeOwned, E, P: Serialize + ?Sized>(
    action: &'static str,
    payload: &P,
) -> CallDraft<T, E> {
    CallDraft::new(action, Content::new().payload(payload), read_payload)
}

/// A typed message with files or a stream, in either direction.
pub fn call_draft_carrying<T, E>(
    action: &'static str,
    content: Content,
    read: fn(&mut Received) -> Result<T, ContentError>,
) -> CallDraft<T, E> {
    CallDraft::new(action, content, read)
}

/// What a method returns that returns a payload alone.
///
/// # Errors
/// [`ContentError::Decode`].
pub fn read_payload<T: DeserializeOwned>(received: &mut Received) -> Result<T, ContentError> {
    received.payload()
}

/// A typed one-way message without parameters.
pub fn pass_draft(action: &'static str) -> PassDraft {
    PassDraft::new(action, Content::new())
}

/// A typed one-way message with parameters.
pub fn pass_draft_with<P: Serialize + ?Sized>(action: &'static str, payload: &P) -> PassDraft {
    PassDraft::new(action, Content::new().payload(payload))
}

/// A typed one-way message with files or a stream.
pub fn pass_draft_carrying(action: &'static str, content: Content) -> PassDraft {
    PassDraft::new(action, content)
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

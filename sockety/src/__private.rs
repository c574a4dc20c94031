//! What generated code names, and nobody else: it may change with any version.

use bytes::Bytes;

pub use crate::{
    address::IntoAddress,
    client::{
        call::Call, call_draft::CallDraft, connect::Connect, pass::Pass, pass_draft::PassDraft,
    },
    connection::{Connection, service_client::ServiceClient},
    content::{byte_stream::ByteStream, file::File, streaming::Streaming},
    description::{
        ServiceDescription, action::ActionDescription, error_variant::ErrorVariant,
        limits::ActionLimits, parameter::ParameterDescription, part_kind::PartKind,
        returned::ReturnDescription,
    },
    engine::{
        pending_reply::PendingReply,
        serve::{Dispatch, ReceivedPayload},
    },
    error::{
        connect::ConnectError,
        content::ContentError,
        mismatch::RequestMismatch,
        service::{NoError, ServiceError},
    },
    message::{
        outgoing::Outgoing,
        typed::{Content, Received},
    },
    msgpack::{
        __private::{Entries, Entry, Reader},
        DecodeError,
    },
    payload::{
        format::{Format, payload},
        parameters::{ParameterWriter, decode_all, parameter},
    },
    serve::{
        answer::{Answer, Answering, ErrorFormat, error},
        context::Context,
        incoming_message::IncomingMessage,
        message::Message,
        service::Service,
    },
};

/// A typed message, and what takes the result out of a response.
pub fn call_draft<T, E>(
    action: &'static str,
    content: Content,
    read: fn(&mut Received) -> Result<T, ContentError>,
) -> CallDraft<T, E> {
    CallDraft::new(action, content, read)
}

/// A typed one-way message.
pub fn pass_draft(action: &'static str, content: Content) -> PassDraft {
    PassDraft::new(action, content)
}

/// The parameter of a method.
///
/// # Errors
/// When the payload is not of its type.
#[inline]
pub fn decode<T>(payload: &Bytes, format: Format<T>) -> Result<T, DecodeError> {
    format.decode(payload)
}

/// A call of a method.
#[inline]
pub fn call<T, E>(connection: &Connection, draft: CallDraft<T, E>) -> Call<T, E> {
    Call::new(connection.clone(), draft)
}

/// A one-way message to a method.
pub fn pass(connection: &Connection, draft: PassDraft) -> Pass {
    Pass::new(connection.clone(), draft)
}

/// Connects for a client.
pub fn connect<C>(address: impl IntoAddress) -> Connect<C> {
    Connect::new(address.into_address())
}

/// A client that calls a service in this process.
pub fn local<C: ServiceClient>(service: impl Service) -> C {
    C::new(crate::transport::local::local(service))
}

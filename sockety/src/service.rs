use std::pin::Pin;

use bytes::Bytes;

use crate::{
    Context, FastReply, SendError,
    action::Action,
    carried::Carried,
    content::{Content, ContentError, Received},
    msgpack,
    owed::Owed,
    scratch,
};

/// What answers the actions of a connection; `#[sockety::service]` generates implementations.
///
/// Services are put together in a [`Router`](crate::Router).
pub trait Service: Send + Sync + 'static {
    /// The names of all its actions.
    fn actions(&self) -> &'static [&'static str];

    /// The handling of a message; `action` is an index into [`Service::actions`].
    fn dispatch(&self, action: usize, incoming: Incoming) -> Dispatch;
}

/// The handling of one message. It is polled once where the message was read, and becomes a task if it is
/// not done then.
pub type Dispatch = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

/// A message on its way to a service. Dropping it while the peer waits answers with code 5, Internal Error.
pub struct Incoming {
    action: Action,
    payload: Bytes,
    carried: Carried,
    owed: Owed,
}

impl Incoming {
    pub(crate) fn new(action: Action, payload: Bytes, carried: Carried, owed: Owed) -> Self {
        Self {
            action,
            payload,
            carried,
            owed,
        }
    }

    pub(crate) fn into_parts(self) -> (Action, Bytes, Carried, Owed) {
        (self.action, self.payload, self.carried, self.owed)
    }

    /// Takes it apart for a typed service.
    #[doc(hidden)]
    pub fn open(self) -> (Context, Body, Responder) {
        let context = Context::new(self.owed.connection.clone(), self.owed.id, self.action);
        let limit = self.owed.connection.payload_limit();
        let received = Received::new(self.payload, self.carried, limit);
        (context, Body(received), Responder(self.owed))
    }
}

/// What an incoming message brings.
#[doc(hidden)]
pub struct Body(Received);

impl Body {
    /// A method without parameters takes whatever there is.
    pub fn none(&self) -> Result<(), msgpack::DecodeError> {
        Ok(())
    }

    /// The payload as a value.
    pub fn value<T: serde::de::DeserializeOwned>(&self) -> Result<T, msgpack::DecodeError> {
        self.0.value()
    }

    /// For a method that takes files or a stream.
    pub fn into_received(self) -> Received {
        self.0
    }
}

/// No payload means the same as nil: TypeScript peers send neither for `undefined`.
pub(crate) fn or_nil(payload: &[u8]) -> &[u8] {
    const NIL: &[u8] = &[0xC0];
    if payload.is_empty() { NIL } else { payload }
}

/// Answers the message that a typed method has handled.
#[doc(hidden)]
pub struct Responder(Owed);

impl Responder {
    /// The parameters could not be read.
    pub async fn bad_request(self, error: msgpack::DecodeError) {
        tracing::debug!(id = %self.0.id, %error, "parameters cannot be read");
        self.code(FastReply::BAD_REQUEST).await;
    }

    /// Something that the method takes is missing, or could not be read.
    pub async fn bad_content(self, error: ContentError) {
        tracing::debug!(id = %self.0.id, %error, "parameters cannot be read");
        self.code(FastReply::BAD_REQUEST).await;
    }

    /// The method returned files or a stream.
    pub async fn content(self, content: Content) {
        if self.0.is_awaited() {
            let sent = self.0.respond(&content.into_outgoing(), false).await;
            let sent = sent.map(|(_, mut sending)| sending.pump.detach());
            self.after_response(sent).await;
        }
    }

    /// The method returned files or a stream, or an error of the service.
    pub async fn content_result<E: crate::ServiceError>(self, result: Result<Content, E>) {
        match result {
            Ok(content) => self.content(content).await,
            Err(error) => self.error(error).await,
        }
    }

    /// The method returned nothing.
    pub async fn unit(self) {
        self.code(FastReply::ACCEPT).await;
    }

    /// The method returned a value.
    pub async fn value<T: serde::Serialize>(self, value: T) {
        if self.0.is_awaited() {
            self.payload(scratch::encode(&value)).await;
        }
    }

    /// The method returned nothing, or an error of the service.
    pub async fn unit_result<E: crate::ServiceError>(self, result: Result<(), E>) {
        match result {
            Ok(()) => self.unit().await,
            Err(error) => self.error(error).await,
        }
    }

    /// The method returned a value, or an error of the service.
    pub async fn value_result<T: serde::Serialize, E: crate::ServiceError>(
        self,
        result: Result<T, E>,
    ) {
        match result {
            Ok(value) => self.value(value).await,
            Err(error) => self.error(error).await,
        }
    }

    async fn error<E: crate::ServiceError>(self, error: E) {
        let variant = error.variant();
        if !variant.has_details {
            let code = FastReply::new(variant.code).unwrap_or(FastReply::INTERNAL_ERROR);
            return self.code(code).await;
        }
        if self.0.is_awaited() {
            let payload = scratch::encode_with(|into| {
                Ok(msgpack::error_value::encode_error(
                    variant.name,
                    &error.message(),
                    &error,
                    into,
                )?)
            });
            self.payload(payload).await;
        }
    }

    async fn code(self, code: FastReply) {
        if self.0.is_awaited() {
            log_unsent(&self.0, self.0.fast_reply(code).await);
        }
    }

    async fn payload(self, payload: Result<Vec<u8>, SendError>) {
        let sent = match payload {
            Ok(payload) => self.0.respond_with(payload).await,
            Err(error) => Err(error),
        };
        self.after_response(sent).await;
    }

    /// A response that cannot be sent is an error of this side, which the peer is told.
    async fn after_response(self, sent: Result<(), SendError>) {
        if let Err(error) = sent {
            let is_connected = !matches!(error, SendError::Disconnected(_));
            log_unsent(&self.0, Err(error));
            if is_connected {
                log_unsent(&self.0, self.0.fast_reply(FastReply::INTERNAL_ERROR).await);
            }
        }
    }
}

fn log_unsent(owed: &Owed, sent: Result<(), SendError>) {
    match sent {
        Ok(()) => {}
        Err(SendError::Disconnected(_)) => {
            tracing::debug!(id = %owed.id, "reply not sent: the connection is gone");
        }
        Err(error) => tracing::error!(id = %owed.id, %error, "reply not sent"),
    }
}

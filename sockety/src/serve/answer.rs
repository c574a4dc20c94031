//! How a typed method answers its message.

use crate::{
    description::error_variant::ErrorVariant,
    engine::{owed::Owed, serve::Dispatch},
    error::{content::ContentError, send::SendError, service::ServiceError},
    fast_reply::FastReply,
    message::{respond::send_response, typed::Content},
    msgpack::{self, __private::encode_service_error},
    payload::{format::Format, scratch},
};
use serde::Serialize;
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// Like [`Format`], for the error type of a method.
pub struct ErrorFormat<E> {
    /// All variants.
    pub variants: &'static [ErrorVariant],
    pub(crate) answer: fn(&Responder, &E) -> Answer,
}

/// The format of an error type of a service.
pub const fn error<E: ServiceError>() -> ErrorFormat<E> {
    ErrorFormat {
        variants: E::VARIANTS,
        answer: Responder::error,
    }
}

/// What answers a message.
#[doc(hidden)]
pub enum Answer {
    /// Nobody waits for one.
    Nothing,
    /// A code.
    Code(FastReply),
    /// A response, in a buffer to be given back.
    Payload(Result<Vec<u8>, SendError>),
    /// A response with files or a stream.
    Content(Content),
}

/// Answers the message that a typed method has handled.
///
/// The answer is made before it is sent, so that no future holds what the method returned.
#[doc(hidden)]
pub struct Responder(pub(crate) Owed);

impl Responder {
    /// The parameters could not be read.
    pub fn bad_request(self, error: msgpack::DecodeError) -> Dispatch {
        self.bad_content(error.into())
    }

    /// Something that the method takes is missing, or could not be read.
    #[cold]
    pub fn bad_content(self, error: ContentError) -> Dispatch {
        tracing::debug!(id = %self.0.id, %error, "parameters cannot be read");
        Box::pin(self.code(FastReply::BAD_REQUEST))
    }

    /// The method returned files or a stream.
    pub fn content(&self, content: Content) -> Answer {
        Answer::Content(content)
    }

    /// The method returned files or a stream, or an error of the service.
    pub fn content_result<E>(&self, error: ErrorFormat<E>, result: Result<Content, E>) -> Answer {
        result.map_or_else(|value| (error.answer)(self, &value), Answer::Content)
    }

    /// The method returned nothing.
    pub fn unit(&self) -> Answer {
        Answer::Code(FastReply::ACCEPT)
    }

    /// The method returned nothing, or an error of the service.
    pub fn unit_result<E>(&self, error: ErrorFormat<E>, result: Result<(), E>) -> Answer {
        result.map_or_else(|value| (error.answer)(self, &value), |()| self.unit())
    }

    /// The method returned a value.
    pub fn value<T>(&self, format: Format<T>, value: T) -> Answer {
        if !self.0.is_awaited() {
            return Answer::Nothing;
        }
        match format.large_buffer(&value) {
            Some(encoding) => Answer::Content(Content::new().encoded(encoding)),
            None => Answer::Payload(format.buffer(&value)),
        }
    }

    /// The method returned a value, or an error of the service.
    pub fn value_result<T, E>(
        &self,
        format: Format<T>,
        error: ErrorFormat<E>,
        result: Result<T, E>,
    ) -> Answer {
        result.map_or_else(
            |value| (error.answer)(self, &value),
            |value| self.value(format, value),
        )
    }

    pub(crate) fn encoded<T: Serialize>(&self, value: &T) -> Answer {
        if self.0.is_awaited() {
            Answer::Payload(scratch::encode(value))
        } else {
            Answer::Nothing
        }
    }

    pub(crate) fn error<E: ServiceError>(&self, error: &E) -> Answer {
        let variant = error.variant();
        if !variant.has_details {
            let code = FastReply::new(variant.code);
            return Answer::Code(code.unwrap_or(FastReply::INTERNAL_ERROR));
        }
        if !self.0.is_awaited() {
            return Answer::Nothing;
        }
        let (name, message) = (&variant.name, error.message());
        Answer::Payload(scratch::encode_with(|into| {
            Ok(encode_service_error(name, &message, error, into)?)
        }))
    }

    /// Sends the answer, where the caller waits for it: at once, if there is room.
    #[inline]
    pub fn send(self, answer: Answer) -> Answering {
        if !self.0.is_awaited() {
            return Answering::DONE;
        }
        match answer {
            Answer::Nothing => Answering::DONE,
            Answer::Code(code) => match self.0.try_fast_reply(code) {
                Some(sent) => {
                    log_unsent(&self.0, sent);
                    Answering::DONE
                }
                None => Answering::later(self.code(code)),
            },
            Answer::Payload(Ok(payload)) => match self.0.try_respond_with(payload) {
                Ok(Ok(())) => Answering::DONE,
                Ok(error) => Answering::later(self.after_response(error)),
                Err(payload) => Answering::later(self.payload(payload)),
            },
            Answer::Payload(Err(error)) => Answering::later(self.after_response(Err(error))),
            Answer::Content(content) => Answering::later(self.respond(content)),
        }
    }

    async fn respond(self, content: Content) {
        let sent = send_response(&self.0, &content.into_outgoing(), false).await;
        let sent = sent.map(|(_, mut sending)| sending.pump.detach());
        self.after_response(sent).await;
    }

    async fn code(self, code: FastReply) {
        if self.0.is_awaited() {
            log_unsent(&self.0, self.0.fast_reply(code).await);
        }
    }

    async fn payload(self, payload: Vec<u8>) {
        let sent = self.0.respond_with(payload).await;
        self.after_response(sent).await;
    }

    /// A response that cannot be sent is an error of this side, which the peer is told.
    pub(crate) async fn after_response(self, sent: Result<(), SendError>) {
        if let Err(error) = sent {
            let is_connected = !matches!(error, SendError::Disconnected(_) | SendError::CutOff);
            log_unsent(&self.0, Err(error));
            if is_connected {
                log_unsent(&self.0, self.0.fast_reply(FastReply::INTERNAL_ERROR).await);
            }
        }
    }
}

/// An answer on its way into the outbox. Few have to wait for room, so few are futures of their own.
pub struct Answering(Option<Dispatch>);

impl Answering {
    const DONE: Self = Self(None);

    #[cold]
    fn later(sending: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Some(Box::pin(sending)))
    }
}

impl Future for Answering {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            None => Poll::Ready(()),
            Some(sending) => sending.as_mut().poll(cx),
        }
    }
}

pub(crate) fn log_unsent(owed: &Owed, sent: Result<(), SendError>) {
    match sent {
        Ok(()) => {}
        Err(SendError::Disconnected(_)) => {
            tracing::debug!(id = %owed.id, "reply not sent: the connection is gone");
        }
        Err(error @ SendError::CutOff) => tracing::debug!(id = %owed.id, %error, "reply not sent"),
        Err(error) => tracing::error!(id = %owed.id, %error, "reply not sent"),
    }
}

//! How a typed method answers its message.

use crate::{
    description::error_variant::ErrorVariant,
    engine::{
        answered::Answered, lease::Lease, pending_reply::PendingReply, serve::Dispatch,
        warnings::Warning,
    },
    error::{
        chain::chain,
        content::ContentError,
        refusal::{self, reads_reasons},
        send::SendError,
        service::ServiceError,
    },
    fast_reply::FastReply,
    message::{
        outgoing::{self, OutgoingResponse},
        reply::OutgoingReply,
        respond::send_response,
        typed::Content,
    },
    metadata::Metadata,
    msgpack::{self, __private::encode_service_error},
    payload::{
        format::Format,
        scratch::{self, Buffer},
    },
    shown::Shown,
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
    pub(crate) answer: fn(&PendingReply, &E) -> Answer,
}

/// The format of an error type of a service.
pub const fn error<E: ServiceError>() -> ErrorFormat<E> {
    ErrorFormat {
        variants: E::VARIANTS,
        answer: PendingReply::error,
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
    Payload(Result<Buffer, SendError>),
    /// A response with content, such as files or a stream.
    Content(Content),
    /// A response that a handler has made.
    Response(Box<OutgoingResponse>),
}

impl From<OutgoingReply> for Answer {
    fn from(reply: OutgoingReply) -> Self {
        match reply {
            OutgoingReply::Code(code) => Self::Code(code),
            OutgoingReply::Response(response) => Self::Response(Box::new(response)),
        }
    }
}

/// The answers of typed methods. An answer is encoded before it is sent, so that no future holds
/// what the method returned.
impl PendingReply {
    /// The parameters could not be read.
    pub fn bad_request(self, error: msgpack::DecodeError) -> Dispatch {
        self.bad_content(error.into())
    }

    /// Something that the method takes is missing, or could not be read.
    #[cold]
    pub fn bad_content(self, error: ContentError) -> Dispatch {
        let reason = chain(&error).to_string();
        self.lease()
            .shared()
            .warn(Warning::BadRequest, &self.action, &reason);
        Box::pin(async move { self.refuse(FastReply::BAD_REQUEST, &reason).await })
    }

    /// The method returned files or a stream.
    pub fn content(&self, content: Content) -> Answer {
        Answer::Content(content)
    }

    /// The method returned files or a stream, or an error of the service.
    pub fn content_result<E>(&self, error: ErrorFormat<E>, result: Result<Content, E>) -> Answer {
        result.map_or_else(
            |value| (error.answer)(self, &value),
            |content| self.content(content),
        )
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
        if !self.is_awaited() {
            return Answer::Nothing;
        }
        match format.large_buffer(&value) {
            Some(encoding) => Answer::Content(outgoing::Content::from(encoding).into()),
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
        if self.is_awaited() {
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
        if !self.is_awaited() {
            return Answer::Nothing;
        }
        let (name, message) = (&variant.name, error.to_string());
        Answer::Payload(scratch::encode_with(|into| {
            Ok(encode_service_error(name, &message, error, into)?)
        }))
    }

    /// Sends the answer if the caller waits for one: at once, if there is room.
    #[inline]
    pub fn send(self, answer: Answer) -> Answering {
        Answering(self.send_now(answer).err())
    }

    /// Like [`send`](Self::send). When it is sent, returns the lease of the message if another may use
    /// it; else what is left to do.
    #[inline]
    pub(crate) fn send_now(self, answer: Answer) -> Result<Option<Lease>, Dispatch> {
        match self.try_send(answer) {
            Ok(()) => Ok(self.into_lease()),
            Err(rest) => Err(self.send_rest(rest)),
        }
    }

    fn try_send(&self, answer: Answer) -> Result<(), Rest> {
        if !self.is_awaited() {
            return Ok(());
        }
        match answer {
            Answer::Nothing => Ok(()),
            Answer::Code(code) => match self.try_fast_reply(code) {
                Some(sent) => {
                    self.log_unsent(sent);
                    Ok(())
                }
                None => Err(Rest::Code(code)),
            },
            Answer::Payload(Ok(payload)) => match self.try_respond_with(payload) {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(Rest::Failed(error)),
                Err(payload) => Err(Rest::Payload(payload)),
            },
            Answer::Payload(Err(error)) => Err(Rest::Failed(error)),
            Answer::Content(content) => Err(Rest::Content(content)),
            Answer::Response(response) => Err(Rest::Response(response)),
        }
    }

    #[cold]
    #[inline(never)]
    fn send_rest(self, rest: Rest) -> Dispatch {
        match rest {
            Rest::Code(code) => Box::pin(async move { self.answer_with_code(code).await }),
            Rest::Failed(error) => Box::pin(async move { self.after_response(Err(error)).await }),
            Rest::Payload(payload) => Box::pin(async move {
                let sent = self.respond_with(payload).await;
                self.after_response(sent).await;
            }),
            Rest::Content(content) => {
                let content = content.into_outgoing();
                Box::pin(async move { self.answer_with_content(&content, None).await })
            }
            Rest::Response(response) => {
                Box::pin(async move { self.answer_with_response(&response).await })
            }
        }
    }

    /// Answers with a code, unless no reply is expected or one was sent.
    pub(crate) async fn answer_with_code(&self, code: FastReply) {
        if self.is_awaited() {
            self.log_unsent(self.fast_reply(code).await);
        }
    }

    /// Answers with a code, and tells a caller that reads reasons why.
    pub(crate) async fn refuse(&self, code: FastReply, reason: &str) {
        if self.is_awaited() && reads_reasons(&self.id) {
            self.record.set_answered(|| Answered::Code(code));
            let bytes = refusal::encode(code, &reason);
            match self.respond_with(Buffer { bytes, depth: 1 }).await {
                // Not even that is sent: the code is smaller.
                Err(
                    SendError::PayloadTooLarge { .. }
                    | SendError::TooDeep { .. }
                    | SendError::TooManyValues { .. },
                ) => {}
                sent => return self.log_unsent(sent),
            }
        }
        self.answer_with_code(code).await;
    }

    /// Like [`answer_with_content`](Self::answer_with_content), with what goes before the response.
    pub(crate) async fn answer_with_response(&self, response: &OutgoingResponse) {
        let (content, metadata) = (response.content(), response.metadata());
        self.answer_with_content(content, metadata).await;
    }

    /// Answers with a response, after those that were sent before. Its stream, if it has one, is
    /// read by a task.
    async fn answer_with_content(&self, content: &outgoing::Content, metadata: Option<&Metadata>) {
        if self.expects_response {
            let sent = send_response(self, content, metadata, false).await;
            let sent = sent.map(|(_, mut sending)| sending.pump.detach());
            self.after_response(sent).await;
        }
    }

    /// Tells the peer that its request failed if the response cannot be sent: that is an error of
    /// this side.
    async fn after_response(&self, sent: Result<(), SendError>) {
        let Err(error) = sent else {
            return;
        };
        if matches!(error, SendError::Disconnected { .. } | SendError::CutOff) {
            return self.log_unsent(Err(error));
        }
        // What the value cannot be encoded for concerns this side alone.
        let reason = match &error {
            SendError::PayloadTooLarge { size, limit } => {
                format!("reply of {size} bytes is over the limit of {limit}")
            }
            SendError::TooDeep { depth, limit } => {
                format!("reply is nested too deep: {depth} levels, maximum is {limit}")
            }
            SendError::TooManyValues { values, limit } => {
                format!("reply has too many values: {values}, maximum is {limit}")
            }
            SendError::Encode(_) => "reply cannot be encoded".to_owned(),
            _ => "reply cannot be sent".to_owned(),
        };
        self.warn_unsent(&error);
        self.refuse(FastReply::INTERNAL_ERROR, &reason).await;
    }

    fn log_unsent(&self, sent: Result<(), SendError>) {
        // Nearly all replies are sent: the text of the action is made for the others only.
        if let Err(error) = sent {
            self.log_error(&error);
        }
    }

    #[cold]
    fn log_error(&self, error: &SendError) {
        let (id, action) = (self.id, Shown::new(&self.action));
        match error {
            SendError::Disconnected { .. } => {
                tracing::debug!(%id, %action, "reply not sent: the connection is gone");
            }
            SendError::CutOff => tracing::debug!(%id, %action, %error, "reply not sent"),
            error => self.warn_unsent(error),
        }
    }

    #[cold]
    fn warn_unsent(&self, error: &SendError) {
        let shared = self.lease().shared();
        let warning = match error {
            SendError::PayloadTooLarge { .. }
            | SendError::TooDeep { .. }
            | SendError::TooManyValues { .. } => Warning::ReplyTooLarge,
            SendError::Encode(_) => Warning::ReplyUnencodable,
            _ => Warning::ReplyUnsent,
        };
        shared.warn(warning, &self.action, &chain(error));
    }
}

/// An answer on its way into the outbox. Few have to wait for room, so few are futures of their
/// own.
pub struct Answering(Option<Dispatch>);

/// An answer that could not be sent at once.
enum Rest {
    Code(FastReply),
    /// A response that cannot be sent.
    Failed(SendError),
    Payload(Buffer),
    Content(Content),
    Response(Box<OutgoingResponse>),
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

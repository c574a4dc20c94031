use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use sockety_codec::Uuid;

use crate::{
    Connection, Reply, RequestError, Response,
    connection::{
        sending::{self, Span},
        waiting::RawReply,
    },
};

/// A message that was sent and expects replies.
///
/// Dropping it gives the replies up: the message itself goes out all the same.
#[derive(Debug)]
#[must_use = "dropping a request gives its replies up; to send without a reply, use `pass`"]
pub struct Request {
    connection: Connection,
    id: Uuid,
    span: Span,
}

impl Request {
    pub(crate) fn new(connection: Connection, id: Uuid, span: Span) -> Self {
        Self {
            connection,
            id,
            span,
        }
    }

    /// The id of the message.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Waits until the message was handed to the socket. That says nothing about its arrival.
    ///
    /// # Errors
    /// [`RequestError::Disconnected`].
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn sent(&mut self) -> Result<(), RequestError> {
        sending::written(&self.connection.shared, self.span).await
    }

    /// Waits for a reply: the first, or when called again the next. Replies that came before are kept.
    ///
    /// # Errors
    /// [`RequestError::Disconnected`], [`RequestError::TimedOut`] after
    /// [`Options::call_timeout`](crate::Options::call_timeout), [`RequestError::ResponseLost`],
    /// [`RequestError::Overrun`].
    ///
    /// # Cancel safety
    /// May be dropped and called again: no reply is lost.
    pub async fn response(&mut self) -> Result<Reply, RequestError> {
        poll_fn(|cx| self.poll_raw(cx))
            .await
            .map(|raw| self.reply(raw))
    }

    /// All replies, one after another. The protocol does not say which is the last: a code ends them, else
    /// the caller decides.
    pub fn responses(self) -> Responses {
        Responses {
            request: Some(self),
        }
    }

    pub(crate) fn poll_raw(&self, cx: &mut Context<'_>) -> Poll<Result<RawReply, RequestError>> {
        self.connection.shared.lock().waiting.poll(&self.id, cx)
    }

    fn reply(&self, raw: RawReply) -> Reply {
        match raw {
            RawReply::Fast(code) => Reply::Fast(code),
            RawReply::Response(raw) => {
                Reply::Response(Response::new(self.connection.clone(), self.id, raw))
            }
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.connection.shared.lock().waiting.remove(&self.id);
    }
}

/// The replies to a message, one after another; see [`Request::responses`].
///
/// Dropping it gives further replies up.
#[derive(Debug)]
pub struct Responses {
    request: Option<Request>,
}

impl Responses {
    /// The next reply; `None` after a code or an error.
    ///
    /// # Cancel safety
    /// May be dropped and called again: no reply is lost.
    pub async fn next(&mut self) -> Option<Result<Reply, RequestError>> {
        let reply = self.request.as_mut()?.response().await;
        if !matches!(reply, Ok(Reply::Response(_))) {
            self.request = None;
        }
        Some(reply)
    }
}

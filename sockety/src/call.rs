use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use sockety_codec::Uuid;
use tokio::time::{Sleep, sleep};

use crate::{
    CallError, Connection, FastReply, Outcome, Outgoing, RemoteError, RequestError, SendError,
    ServiceError,
    action::Action,
    carried::Carried,
    carrying::{Cargo, Pump, Sending, Unwritten},
    connection::{
        message_head,
        outbox::Payload,
        sending,
        shared::State,
        waiting::{RawReply, ReplyClock},
    },
    content::{Content, ContentError, Received},
    msgpack::{self, error_value},
};

/// A message for a typed method that answers with `Result<T, E>`; made by a generated draft factory.
///
/// It can be sent by [`Connection::call`], typed, or as an [`Outgoing`], dynamically, any number of times.
#[must_use = "a draft does nothing until it is sent"]
pub struct CallDraft<T, E> {
    message: Outgoing,
    read: Read<T>,
    error: PhantomData<fn() -> E>,
}

/// Takes what a method returns out of a response.
pub(crate) type Read<T> = fn(&mut Received) -> Result<T, ContentError>;

impl<T, E> CallDraft<T, E> {
    pub(crate) fn new(action: &'static str, content: Content, read: Read<T>) -> Self {
        let message = Outgoing::with_content(Action::Known(action), content.into_outgoing());
        Self {
            message,
            read,
            error: PhantomData,
        }
    }

    /// The name of the action.
    pub fn action(&self) -> &str {
        self.message.action()
    }
}

impl<T, E> Clone for CallDraft<T, E> {
    fn clone(&self) -> Self {
        Self {
            message: self.message.clone(),
            read: self.read,
            error: PhantomData,
        }
    }
}

impl<T, E> fmt::Debug for CallDraft<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallDraft").field(&self.message).finish()
    }
}

impl<T, E> From<CallDraft<T, E>> for Outgoing {
    fn from(draft: CallDraft<T, E>) -> Self {
        draft.message
    }
}

impl<T, E> From<&CallDraft<T, E>> for Outgoing {
    fn from(draft: &CallDraft<T, E>) -> Self {
        draft.message.clone()
    }
}

/// A typed call. Nothing is sent until it is awaited.
///
/// Dropping the future that awaits it gives the call up: a message that was sent goes out all the same, and
/// its reply is dropped.
#[must_use = "a call does nothing until it is awaited"]
pub struct Call<T, E> {
    connection: Connection,
    draft: CallDraft<T, E>,
    id: Uuid,
    timeout: Option<Duration>,
}

impl<T, E> Call<T, E> {
    pub(crate) fn new(connection: Connection, draft: CallDraft<T, E>) -> Self {
        Self {
            connection,
            draft,
            id: Uuid::new_v4(),
            timeout: None,
        }
    }

    /// How long to wait for the reply, instead of [`Options::call_timeout`](crate::Options::call_timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The id of its message.
    pub fn id(&self) -> Uuid {
        self.id
    }
}

impl<T, E: ServiceError> IntoFuture for Call<T, E> {
    type Output = Result<T, CallError<E>>;
    type IntoFuture = Calling<T, E>;

    fn into_future(self) -> Calling<T, E> {
        let stage = Stage::Unsent {
            message: self.draft.message,
            cargo: None,
            ticket: None,
        };
        let timer = self.timeout.map(|timeout| Box::pin(sleep(timeout)));
        Calling {
            connection: self.connection,
            id: self.id,
            stage,
            pump: Pump::default(),
            timer,
            read: self.draft.read,
            error: PhantomData,
        }
    }
}

impl<T, E> fmt::Debug for Call<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("action", &self.draft.action())
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The future of a [`Call`].
#[must_use = "futures do nothing unless polled"]
pub struct Calling<T, E> {
    connection: Connection,
    id: Uuid,
    stage: Stage,
    /// Sends what the call carries.
    pump: Pump,
    timer: Option<Pin<Box<Sleep>>>,
    read: Read<T>,
    error: PhantomData<fn() -> E>,
}

/// ```text
/// Unsent ── has its place in the outbox ──▶ Waiting ── reply, timeout, end ──▶ Done
///    └──────────────── cannot be sent ─────────────────────────────────────────▲
/// ```
enum Stage {
    Unsent {
        message: Outgoing,
        cargo: Option<Cargo>,
        ticket: Option<u64>,
    },
    Waiting,
    Done,
}

impl<T, E: ServiceError> Future for Calling<T, E> {
    type Output = Result<T, CallError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let reply = match self.poll_reply(cx) {
            Poll::Ready(reply) => reply,
            Poll::Pending => Err(ready!(self.poll_timer(cx))),
        };
        self.finish();
        if reply.is_ok() {
            // The answer may come before all of the call was sent: the rest follows.
            self.pump.detach();
        }
        let (read, limit) = (self.read, self.connection.payload_limit());
        Poll::Ready(
            reply
                .map_err(CallError::Request)
                .and_then(|reply| read_reply(reply, read, limit)),
        )
    }
}

impl<T, E> Calling<T, E> {
    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<Result<RawReply, RequestError>> {
        if let Stage::Unsent { .. } = self.stage {
            ready!(self.poll_send(cx))?;
            self.stage = Stage::Waiting;
        }
        self.connection.shared.lock().waiting.poll(&self.id, cx)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let Stage::Unsent {
            message,
            cargo,
            ticket,
        } = &mut self.stage
        else {
            unreachable!("only an unsent call is sent");
        };
        let payload = self.connection.checked_payload(message.content())?;
        let head = message_head(self.id, message, true);
        let clock = if self.timer.is_some() {
            ReplyClock::Own
        } else {
            ReplyClock::Default
        };
        let shared = &self.connection.shared;
        let Some(carrying) = &message.content().carrying else {
            let put = |state: &mut State| state.send_message(&head, Payload::of(payload), clock);
            ready!(sending::poll_put(
                shared,
                ticket,
                cx,
                State::message_room,
                put
            ))?;
            return Poll::Ready(Ok(()));
        };
        let cargo = match cargo {
            Some(cargo) => cargo,
            None => cargo.insert(carrying.take()?),
        };
        let mut plan = cargo.plan(Unwritten::Ends);
        let put =
            |state: &mut State| state.begin_message(&head, Payload::of(payload), &mut plan, clock);
        let room = State::carrying_message_room;
        let (key, span) = ready!(sending::poll_put(shared, ticket, cx, room, put))?;
        let cargo = std::mem::take(cargo);
        self.pump =
            Sending::carrying(self.connection.clone(), span, key, cargo, Unwritten::Ends).pump;
        Poll::Ready(Ok(()))
    }

    /// Ready when the caller's own time is over.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<RequestError> {
        let Some(timer) = &mut self.timer else {
            return Poll::Pending;
        };
        ready!(timer.as_mut().poll(cx));
        let outcome = match self.stage {
            // What waits to be written still is.
            Stage::Waiting => Outcome::Unknown,
            Stage::Unsent { .. } | Stage::Done => Outcome::NotSent,
        };
        Poll::Ready(RequestError::TimedOut { outcome })
    }

    /// Gives up what the call holds in its connection.
    fn finish(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Unsent {
                ticket: Some(ticket),
                ..
            } => {
                self.connection.shared.lock().outbox.forget_space(ticket);
            }
            Stage::Waiting => {
                let replies = self.connection.shared.lock().waiting.remove(&self.id);
                // Readers of their parts take the same lock: dropped after it was given back.
                drop(replies);
            }
            Stage::Unsent { ticket: None, .. } | Stage::Done => {}
        }
    }
}

impl<T, E> Drop for Calling<T, E> {
    fn drop(&mut self) {
        self.finish();
    }
}

impl<T, E> fmt::Debug for Calling<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calling")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn read_reply<T, E: ServiceError>(
    reply: RawReply,
    read: Read<T>,
    item_limit: usize,
) -> Result<T, CallError<E>> {
    match reply {
        RawReply::Fast(FastReply::ACCEPT) => {
            let mut nothing = Received::new(Bytes::new(), Carried::default(), item_limit);
            read(&mut nothing).map_err(CallError::Content)
        }
        RawReply::Fast(code) => {
            Err(E::from_code(code.code()).map_or(CallError::Refused(code), CallError::Service))
        }
        RawReply::Response(response) if error_value::is_error(&response.payload) => {
            Err(read_error(&response.payload))
        }
        RawReply::Response(response) => {
            let mut received = Received::new(response.payload, response.carried, item_limit);
            read(&mut received).map_err(CallError::Content)
        }
    }
}

fn read_error<E: ServiceError>(payload: &[u8]) -> CallError<E> {
    match read_remote(payload) {
        Ok(Ok(error)) => CallError::Service(error),
        Ok(Err(remote)) => CallError::Remote(remote),
        Err(error) => CallError::Content(error.into()),
    }
}

/// The error of a service out of its wire form, as far as it is known here.
pub(crate) fn read_remote<E: ServiceError>(
    value: &[u8],
) -> Result<Result<E, RemoteError>, msgpack::DecodeError> {
    let parts = error_value::decode_error_parts(value, &msgpack::Bounds::default())?;
    let is_known = E::VARIANTS.iter().any(|variant| variant.name == parts.name);
    match msgpack::from_slice(parts.details) {
        Ok(error) if is_known => Ok(Ok(error)),
        _ => Ok(Err(RemoteError {
            name: parts.name,
            message: parts.message,
        })),
    }
}

/// A message for a typed one-way method; made by a generated draft factory.
#[derive(Debug, Clone)]
#[must_use = "a draft does nothing until it is sent"]
pub struct PassDraft {
    message: Outgoing,
}

impl PassDraft {
    pub(crate) fn new(action: &'static str, content: Content) -> Self {
        Self {
            message: Outgoing::with_content(Action::Known(action), content.into_outgoing()),
        }
    }

    /// The name of the action.
    pub fn action(&self) -> &str {
        self.message.action()
    }
}

impl From<PassDraft> for Outgoing {
    fn from(draft: PassDraft) -> Self {
        draft.message
    }
}

impl From<&PassDraft> for Outgoing {
    fn from(draft: &PassDraft) -> Self {
        draft.message.clone()
    }
}

/// A typed one-way message. Nothing is sent until it is awaited; then it is ready when it was handed to the
/// socket.
#[derive(Debug)]
#[must_use = "a one-way message does nothing until it is awaited"]
pub struct Pass {
    connection: Connection,
    draft: PassDraft,
}

impl Pass {
    pub(crate) fn new(connection: Connection, draft: PassDraft) -> Self {
        Self { connection, draft }
    }
}

impl IntoFuture for Pass {
    type Output = Result<(), RequestError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.connection.pass(self.draft).await })
    }
}

impl Connection {
    /// Calls a typed method by a draft of it, which may have been prepared long before.
    ///
    /// ```
    /// #[sockety::service]
    /// pub trait Media {
    ///     async fn title(&self, id: u64) -> String;
    /// }
    ///
    /// async fn example(connection: sockety::Connection) -> Result<(), Box<dyn std::error::Error>> {
    ///     let prepared = MediaDraft::title(7);
    ///     let title: String = connection.call(prepared.clone()).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn call<T, E>(&self, draft: CallDraft<T, E>) -> Call<T, E> {
        Call::new(self.clone(), draft)
    }
}

//! Handles messages by their actions, without a typed service.

use std::{error::Error, fmt, pin::Pin, sync::Arc};

use super::message::Message;
use crate::{
    engine::{serve::Dispatch, warnings::Warning},
    error::chain::chain,
    fast_reply::FastReply,
    message::{outgoing::OutgoingResponse, reply::OutgoingReply, sent::Sent},
};

/// Handles messages by their actions, without a typed service.
///
/// Its parts run in the order in which they were added:
/// - [`middleware`](Self::middleware) sees every message that no part before it handled, and may
///   answer it;
/// - [`action`](Self::action) handles the messages of one action;
/// - [`error`](Self::error) handles what a part before it failed with;
/// - [`fallback`](Self::fallback) handles what no action before it did.
///
/// A part returns the reply to send, see [`IntoReply`]. Once one was returned or an action has run,
/// no further action or fallback runs. No reply is sent to a sender that expects none. A message
/// that no part handled is answered with code 2, an error that no part handled with code 5.
///
/// ```
/// use sockety::{FastReply, message::ResponseDraft, serve::MessageHandler};
///
/// let pong = ResponseDraft::new().msgpack::<str>();
/// let handler = MessageHandler::new()
///     .middleware(|message| async move {
///         println!("received {:?}: {}", message.action(), message.id());
///     })
///     .action("log", |message| async move {
///         println!("{}", message.msgpack::<String>()?);
///         Ok::<_, sockety::serve::BoxError>(FastReply::ACCEPT)
///     })
///     .action("ping", move |_message| {
///         let pong = pong.create("pong");
///         async move { pong }
///     })
///     .error(|_message, _error| async { FastReply::INTERNAL_ERROR })
///     .fallback(|_message| async { FastReply::NOT_IMPLEMENTED });
/// ```
#[derive(Clone, Default)]
pub struct MessageHandler {
    parts: Arc<Vec<Part>>,
}

/// Any error, as handlers may fail with.
pub type BoxError = Box<dyn Error + Send + Sync>;

type Step = Pin<Box<dyn Future<Output = Result<Option<OutgoingReply>, BoxError>> + Send>>;
type Run = Arc<dyn Fn(Message) -> Step + Send + Sync>;
type Rescue = Arc<dyn Fn(Message, Arc<BoxError>) -> Step + Send + Sync>;

#[derive(Clone)]
enum Part {
    Middleware(Run),
    Action(Arc<str>, Run),
    Error(Rescue),
    Fallback(Run),
}

impl MessageHandler {
    /// A handler that answers every message with code 2, Not Implemented.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part that sees every message that nothing before it handled. Around all that a router
    /// serves, and with an eye on how it was answered, runs
    /// [`ServeMiddleware`](crate::serve::middleware::ServeMiddleware).
    pub fn middleware<F, R>(self, run: F) -> Self
    where
        F: Fn(Message) -> R + Send + Sync + 'static,
        R: Future<Output: IntoReply> + Send + 'static,
    {
        self.with(Part::Middleware(step(run)))
    }

    /// Adds the handling of an action.
    pub fn action<F, R>(self, name: impl Into<Arc<str>>, run: F) -> Self
    where
        F: Fn(Message) -> R + Send + Sync + 'static,
        R: Future<Output: IntoReply> + Send + 'static,
    {
        self.with(Part::Action(name.into(), step(run)))
    }

    /// Adds the handling of errors of the parts before it.
    pub fn error<F, R>(self, run: F) -> Self
    where
        F: Fn(Message, Arc<BoxError>) -> R + Send + Sync + 'static,
        R: Future<Output: IntoReply> + Send + 'static,
    {
        let run = move |message, error| -> Step {
            let handling = run(message, error);
            Box::pin(async move { handling.await.into_reply() })
        };
        self.with(Part::Error(Arc::new(run)))
    }

    /// Adds the handling of what no action before it did.
    pub fn fallback<F, R>(self, run: F) -> Self
    where
        F: Fn(Message) -> R + Send + Sync + 'static,
        R: Future<Output: IntoReply> + Send + 'static,
    {
        self.with(Part::Fallback(step(run)))
    }

    fn with(mut self, part: Part) -> Self {
        Arc::make_mut(&mut self.parts).push(part);
        self
    }

    /// Whether it has a part for this action alone.
    pub(crate) fn names(&self, action: &str) -> bool {
        let is_its = |part: &Part| matches!(part, Part::Action(name, _) if **name == *action);
        self.parts.iter().any(is_its)
    }

    pub(crate) fn dispatch(&self, message: Message) -> Dispatch {
        let parts = Arc::clone(&self.parts);
        Box::pin(async move {
            Passage {
                message,
                state: State::Open,
            }
            .run(&parts)
            .await
        })
    }
}

fn step<F, R>(run: F) -> Run
where
    F: Fn(Message) -> R + Send + Sync + 'static,
    R: Future<Output: IntoReply> + Send + 'static,
{
    Arc::new(move |message| -> Step {
        let handling = run(message);
        Box::pin(async move { handling.await.into_reply() })
    })
}

/// One message on its way through the parts.
struct Passage {
    message: Message,
    state: State,
}

enum State {
    /// Nothing has handled it yet.
    Open,
    Handled,
    Failed(Arc<BoxError>),
}

// r[impl ext.cancel.cx]
impl Drop for Passage {
    fn drop(&mut self) {
        self.message.end_early();
    }
}

impl Passage {
    async fn run(mut self, parts: &[Part]) {
        for part in parts {
            let Some((step, handles)) = self.begin(part) else {
                continue;
            };
            let result = step.await;
            self.finish(result, handles).await;
        }
        self.end().await;
    }

    /// The part's work on this message, if it has any, and whether that handles the message.
    fn begin(&self, part: &Part) -> Option<(Step, bool)> {
        let message = || self.message.clone();
        match (part, &self.state) {
            (Part::Middleware(run), State::Open) => Some((run(message()), false)),
            (Part::Action(name, run), State::Open) if **name == *self.message.action() => {
                Some((run(message()), true))
            }
            (Part::Fallback(run), State::Open) => Some((run(message()), true)),
            (Part::Error(rescue), State::Failed(error)) => {
                Some((rescue(message(), Arc::clone(error)), true))
            }
            _ => None,
        }
    }

    async fn finish(&mut self, result: Result<Option<OutgoingReply>, BoxError>, handles: bool) {
        match result {
            Ok(Some(reply)) => {
                self.message.settle(reply).await;
                self.state = State::Handled;
            }
            Ok(None) if handles || self.message.is_answered() => self.state = State::Handled,
            Ok(None) => {}
            Err(error) => self.state = State::Failed(Arc::new(error)),
        }
    }

    async fn end(self) {
        match &self.state {
            State::Handled => {}
            State::Open => {
                let shared = self.message.connection().shared();
                shared
                    .note_not_implemented(self.message.action(), &"the handler has no part for it");
                self.message.settle(FastReply::NOT_IMPLEMENTED.into()).await;
            }
            State::Failed(error) => {
                let shared = self.message.connection().shared();
                let action = self.message.action();
                shared.warn(Warning::HandlerFailed, action, &chain(&***error));
                self.message.settle(FastReply::INTERNAL_ERROR.into()).await;
            }
        }
    }
}

impl fmt::Debug for MessageHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let actions: Vec<_> = self
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Action(name, _) => Some(name),
                Part::Middleware(_) | Part::Error(_) | Part::Fallback(_) => None,
            })
            .collect();
        f.debug_struct("MessageHandler")
            .field("actions", &actions)
            .finish_non_exhaustive()
    }
}

/// What a part of a [`MessageHandler`] may return: nothing, a [`FastReply`], an
/// [`OutgoingResponse`], an [`OutgoingReply`], a [`Sent`] response, an `Option` of one of these, or
/// a `Result` of them.
///
/// ```
/// use sockety::{FastReply, message::{OutgoingReply, ResponseDraft}, serve::MessageHandler};
///
/// let greeting = ResponseDraft::new().msgpack::<str>();
/// let handler = MessageHandler::new().action("greet", move |message| {
///     let greeting = greeting.clone();
///     async move {
///         let name: Option<String> = message.msgpack()?;
///         Ok::<OutgoingReply, sockety::serve::BoxError>(match name {
///             Some(name) => greeting.create(&format!("hello {name}")).into(),
///             None => FastReply::REJECT.into(),
///         })
///     }
/// });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a reply",
    label = "the handler returns this",
    note = "return `()`, a `FastReply`, an `OutgoingResponse`, an `OutgoingReply`, or an `Option` or `Result` of one"
)]
pub trait IntoReply {
    /// The reply to send, if any.
    ///
    /// A code is sent if the sender waits for a reply and has none yet; a response is sent after
    /// those that were sent before. Neither is sent to a sender that expects no reply.
    ///
    /// # Errors
    /// The error that the part failed with.
    fn into_reply(self) -> Result<Option<OutgoingReply>, BoxError>;
}

impl IntoReply for () {
    fn into_reply(self) -> Result<Option<OutgoingReply>, BoxError> {
        Ok(None)
    }
}

/// The response was sent by the handler.
impl IntoReply for Sent {
    fn into_reply(self) -> Result<Option<OutgoingReply>, BoxError> {
        Ok(None)
    }
}

impl IntoReply for OutgoingReply {
    fn into_reply(self) -> Result<Option<OutgoingReply>, BoxError> {
        Ok(Some(self))
    }
}

impl IntoReply for FastReply {
    fn into_reply(self) -> Result<Option<OutgoingReply>, BoxError> {
        Ok(Some(self.into()))
    }
}

impl IntoReply for OutgoingResponse {
    fn into_reply(self) -> Result<Option<OutgoingReply>, BoxError> {
        Ok(Some(self.into()))
    }
}

impl<R: IntoReply> IntoReply for Option<R> {
    fn into_reply(self) -> Result<Option<OutgoingReply>, BoxError> {
        self.map_or(Ok(None), IntoReply::into_reply)
    }
}

impl<R: IntoReply, E: Into<BoxError>> IntoReply for Result<R, E> {
    fn into_reply(self) -> Result<Option<OutgoingReply>, BoxError> {
        self.map_err(Into::into)?.into_reply()
    }
}

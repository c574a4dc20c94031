use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::{outgoing_call::OutgoingCall, source::ConnectionSource};
#[cfg(feature = "metrics")]
use crate::engine::receive::intake::Intake;
use crate::{
    engine::{answered::Answered, lease::Lease, pending::RawReply},
    error::request::RequestError,
    metadata::RetryAfter,
};

/// Runs around every call and one-way message of a handle: typed ones, drafts and messages alike. Added with
/// [`Connection::layer`](crate::connection::Connection::layer) or [`ServiceClient::layer`](crate::client::ServiceClient::layer); for
/// what is served there is [`ServeMiddleware`](crate::serve::ServeMiddleware).
///
/// Middleware hands a call on with [`CallNext::run`] and returns the result, or refuses the call with
/// [`OutgoingCall::reject`]. The caller gets what the outermost middleware returns. Middleware that drops a call, or
/// the future of `run`, returns [`CallStatus::given_up`](crate::client::CallStatus::given_up).
///
/// Of a [`Request`](crate::message::Request), middleware sees the first reply, and runs on only while
/// [`Request::response`](crate::message::Request::response) is awaited. Of [`Connection::pass_stream`], it sees that
/// the message has begun. It sees each message of [`Connection::pass_all`]; it does not see broadcasts of a server, nor
/// responses that expect an answer.
///
/// A function that takes an [`OutgoingCall`] and a [`CallNext`] and returns a future of a [`CallResult`] is
/// middleware. A type implements the trait with [`#[async_trait]`](crate::async_trait).
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use sockety::{async_trait, client::{CallMiddleware, CallNext, CallResult, OutgoingCall}};
///
/// struct ReadOnly(AtomicBool);
///
/// #[async_trait]
/// impl CallMiddleware for ReadOnly {
///     async fn handle(&self, call: OutgoingCall, next: CallNext) -> CallResult {
///         if self.0.load(Ordering::Relaxed) && !call.action().starts_with("get") {
///             return call.reject("read only");
///         }
///         next.run(call).await
///     }
/// }
/// ```
///
/// [`Connection::pass_stream`]: crate::connection::Connection::pass_stream
/// [`Connection::pass_all`]: crate::connection::Connection::pass_all
#[async_trait]
pub trait CallMiddleware: Send + Sync + 'static {
    /// Handles one call, usually by handing it on.
    async fn handle(&self, call: OutgoingCall, next: CallNext) -> CallResult;
}

#[async_trait]
impl<F, R> CallMiddleware for F
where
    F: Fn(OutgoingCall, CallNext) -> R + Send + Sync + 'static,
    R: Future<Output = CallResult> + Send + 'static,
{
    async fn handle(&self, call: OutgoingCall, next: CallNext) -> CallResult {
        self(call, next).await
    }
}

/// What a call or one-way message came to.
///
/// # Errors
/// The error is the one that the caller gets: [`RequestError::outcome`] says what is known about the execution.
pub type CallResult = Result<CallReply, RequestError>;

/// The reply to a call, on its way to the caller. Middleware can look at it and returns it.
#[must_use = "the caller waits for the reply: return it"]
pub struct CallReply(Option<(RawReply, Lease)>);

impl CallReply {
    /// Of a one-way message.
    pub(crate) const NONE: Self = Self(None);

    /// A reply that came on the connection of this lease.
    pub(crate) fn new(reply: RawReply, lease: Lease) -> Self {
        Self(Some((reply, lease)))
    }

    /// How the call was answered: [`Answered::Nothing`] if it is a one-way message.
    pub fn answered(&self) -> Answered {
        let reply = self.0.as_ref();
        reply.map_or(Answered::Nothing, |(reply, _)| Answered::of(reply))
    }

    /// What it says about another attempt, if anything.
    pub fn retry_after(&self) -> Option<RetryAfter> {
        let (reply, _) = self.0.as_ref()?;
        reply.retry_after()
    }

    /// Where its files and its stream come from, if it has any.
    #[cfg(feature = "metrics")]
    pub(crate) fn intake(&self) -> Option<&Arc<Intake>> {
        match &self.0 {
            Some((RawReply::Response { carried, .. }, _)) => carried.intake(),
            Some((RawReply::Fast(..), _)) | None => None,
        }
    }

    /// What the caller of a request gets. A middleware that returns what it got for a one-way message has lost the
    /// reply.
    pub(crate) fn into_raw(self) -> Result<(RawReply, Lease), RequestError> {
        self.0.ok_or_else(RequestError::given_up)
    }
}

impl fmt::Debug for CallReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallReply").field(&self.answered()).finish()
    }
}

/// What messages of a handle go through: its middleware, in order, then the source of connections if
/// the handle has no fixed connection.
#[derive(Clone, Default)]
pub(crate) struct Chain {
    middleware: Vec<Arc<dyn CallMiddleware>>,
    source: Option<Arc<dyn ConnectionSource>>,
}

impl Chain {
    /// Without middleware.
    pub(crate) fn of_source(source: Arc<dyn ConnectionSource>) -> Self {
        Self {
            middleware: Vec::new(),
            source: Some(source),
        }
    }

    /// What is left for messages that have passed its middleware.
    pub(crate) fn without_middleware(self: &Arc<Self>) -> Option<Arc<Self>> {
        let source = self.source.as_ref()?;
        if self.middleware.is_empty() {
            return Some(Arc::clone(self));
        }
        Some(Arc::new(Self::of_source(Arc::clone(source))))
    }

    pub(crate) fn push(&mut self, middleware: Arc<dyn CallMiddleware>) {
        self.middleware.push(middleware);
    }

    pub(crate) fn source(&self) -> Option<&Arc<dyn ConnectionSource>> {
        self.source.as_ref()
    }

    /// The source, if there is no middleware.
    #[cfg(feature = "fleet")]
    #[inline]
    pub(crate) fn source_alone(&self) -> Option<&Arc<dyn ConnectionSource>> {
        self.source.as_ref().filter(|_| self.middleware.is_empty())
    }

    /// Takes the source out, for handles that must not keep it.
    pub(crate) fn take_source(&mut self) -> Option<Arc<dyn ConnectionSource>> {
        self.source.take()
    }

    pub(crate) fn set_source(&mut self, source: Arc<dyn ConnectionSource>) {
        self.source = Some(source);
    }
}

/// What handles a call next: further middleware, then the connection. Dropping it does nothing.
pub struct CallNext {
    chain: Arc<Chain>,
    position: usize,
}

impl CallNext {
    pub(crate) fn new(chain: Arc<Chain>) -> Self {
        Self { chain, position: 0 }
    }

    /// Hands the call on and waits for the reply, or until a one-way message was handed to the socket.
    ///
    /// # Errors
    /// Those of the connection, and those that further middleware returns.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call. [`CallStatus::given_up`](crate::client::CallStatus::given_up) is what
    /// to return then.
    pub async fn run(self, call: OutgoingCall) -> CallResult {
        match self.chain.middleware.get(self.position).cloned() {
            Some(middleware) => {
                let next = Self {
                    chain: self.chain,
                    position: self.position + 1,
                };
                middleware.handle(call, next).await
            }
            None => call.send().await,
        }
    }
}

impl fmt::Debug for CallNext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallNext").finish_non_exhaustive()
    }
}

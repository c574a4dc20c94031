use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::outgoing_call::OutgoingCall;
use crate::{engine::answered::Answered, error::request::RequestError};

/// Runs around every call and one-way message of a handle: typed ones, drafts and messages alike. Added with
/// [`Connection::with`](crate::connection::Connection::with) or [`ServiceClient::with`](crate::connection::service_client::ServiceClient::with); for what
/// is served there is [`ServeMiddleware`](crate::serve::middleware::ServeMiddleware).
///
/// Middleware hands a call on with [`CallNext::run`], which says how it went, or refuses it with
/// [`OutgoingCall::refuse`]. A call that is dropped, or whose `run` is dropped half-way, fails with the outcome
/// that is then known. The reply itself goes to the caller alone, when the middleware is done.
///
/// Of a [`Request`](crate::message::request::Request), middleware sees the first reply, and runs on only while
/// [`Request::response`](crate::message::request::Request::response) is awaited. Of [`Connection::pass_stream`], it sees that the
/// message has begun. Each message of [`Connection::pass_all`] is seen; broadcasts of a server, and responses that
/// expect an answer, are not.
///
/// A function that takes an [`OutgoingCall`] and a [`CallNext`] and gives a future is middleware. What has a name
/// of its own implements the trait with [`#[async_trait]`](crate::async_trait).
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use sockety::{async_trait, client::{CallMiddleware, CallNext, OutgoingCall}};
///
/// struct ReadOnly(AtomicBool);
///
/// #[async_trait]
/// impl CallMiddleware for ReadOnly {
///     async fn handle(&self, call: OutgoingCall, next: CallNext) {
///         if self.0.load(Ordering::Relaxed) && !call.action().starts_with("get") {
///             return call.refuse("read only");
///         }
///         let _ = next.run(call).await;
///     }
/// }
/// ```
///
/// [`Connection::pass_stream`]: crate::connection::Connection::pass_stream
/// [`Connection::pass_all`]: crate::connection::Connection::pass_all
#[async_trait]
pub trait CallMiddleware: Send + Sync + 'static {
    /// Handles one call, most likely by handing it on.
    async fn handle(&self, call: OutgoingCall, next: CallNext);
}

#[async_trait]
impl<F, R> CallMiddleware for F
where
    F: Fn(OutgoingCall, CallNext) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    async fn handle(&self, call: OutgoingCall, next: CallNext) {
        self(call, next).await;
    }
}

/// All middleware of a handle, in order.
pub(crate) type Chain = Arc<Vec<Arc<dyn CallMiddleware>>>;

/// The rest of the way of a call: further middleware, then the connection. Dropping it does nothing.
pub struct CallNext {
    chain: Chain,
    position: usize,
}

impl CallNext {
    pub(crate) fn new(chain: Chain) -> Self {
        Self { chain, position: 0 }
    }

    /// Hands the call on, and says how it was answered: [`Answered::Nothing`] when it is a one-way message.
    ///
    /// # Errors
    /// As the caller gets it: [`RequestError::outcome`] says what is known.
    ///
    /// # Cancel safety
    /// Dropping the future gives the call up; the caller gets [`RequestError::GivenUp`], or
    /// [`SendError::Refused`](crate::error::send::SendError::Refused) when nothing was sent.
    pub async fn run(self, call: OutgoingCall) -> Result<Answered, RequestError> {
        let summary = call.summary();
        match self.chain.get(self.position).cloned() {
            Some(middleware) => {
                let next = Self {
                    chain: self.chain,
                    position: self.position + 1,
                };
                middleware.handle(call, next).await;
            }
            None => call.depart().await,
        }
        summary.get()
    }
}

impl fmt::Debug for CallNext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallNext").finish_non_exhaustive()
    }
}

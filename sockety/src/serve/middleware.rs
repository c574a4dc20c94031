use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::{incoming::Incoming, router::Router};
use crate::engine::{answered::Answered, inherited, serve::Dispatch};

/// Runs around the handling of every message that is served: typed services and [`MessageHandler`]s
/// alike. Added with [`Router::layer`]; for calls of this side there is
/// [`CallMiddleware`](crate::connection::middleware::CallMiddleware).
///
/// Middleware sees a message when its payload is whole, and its files and stream have begun. It
/// hands it on with [`ServeNext::run`], refuses it with [`Incoming::refuse`], attaches what the
/// handler shall find to [`Incoming::request_extensions`]. A message that is dropped, a `run` that
/// is dropped half-way, and a panic are answered with code 5, Internal Error.
///
/// What the connection refuses by itself is not seen: messages over a limit, those before
/// [authorization](crate::serve::authorize::Authorize), and, where no [`MessageHandler`] takes
/// them, unknown actions. A request counts as executing while its middleware runs.
///
/// A function that takes an [`Incoming`] and a [`ServeNext`] and returns a future is middleware.
/// A named type implements the trait with [`#[async_trait]`](crate::async_trait).
///
/// ```
/// use std::time::Instant;
/// use sockety::{async_trait, serve::{Incoming, ServeMiddleware, ServeNext}};
///
/// struct Timing;
///
/// #[async_trait]
/// impl ServeMiddleware for Timing {
///     async fn handle(&self, incoming: Incoming, next: ServeNext) {
///         let (action, begin) = (incoming.action().to_owned(), Instant::now());
///         let answered = next.run(incoming).await;
///         println!("{action:?} took {:?}: {answered:?}", begin.elapsed());
///     }
/// }
/// ```
///
/// [`MessageHandler`]: crate::serve::handler::MessageHandler
#[async_trait]
pub trait ServeMiddleware: Send + Sync + 'static {
    /// Handles one message, most likely by handing it on.
    async fn handle(&self, incoming: Incoming, next: ServeNext);
}

#[async_trait]
impl<F, R> ServeMiddleware for F
where
    F: Fn(Incoming, ServeNext) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    async fn handle(&self, incoming: Incoming, next: ServeNext) {
        self(incoming, next).await;
    }
}

/// The rest of the way of a received message: further middleware, then the handler. Dropping it
/// does nothing.
pub struct ServeNext {
    router: Arc<Router>,
    position: usize,
}

impl ServeNext {
    /// Whether what is served names this action: one of its services, or of its [`MessageHandler`].
    /// Any other name is the peer's, which may send more of them than metrics should keep.
    ///
    /// [`MessageHandler`]: crate::serve::handler::MessageHandler
    pub fn is_known(&self, action: &str) -> bool {
        self.router.knows(action)
    }

    /// Hands the message on, and says how it was answered when that is done.
    ///
    /// A handler may answer before it is done, or keep the message to answer later. Of what a
    /// reader too slow for its files or stream is answered by the connection, nothing is seen here.
    ///
    /// # Cancel safety
    /// Dropping the future drops the handler wherever it waits; a message that was not answered is,
    /// with code 5.
    pub async fn run(self, incoming: Incoming) -> Answered {
        let record = incoming.begin_record();
        match self.router.middleware.get(self.position).cloned() {
            Some(middleware) => {
                let next = Self {
                    router: self.router,
                    position: self.position + 1,
                };
                middleware.handle(incoming, next).await;
            }
            None => match incoming.trace_of_handler() {
                None => self.router.handle(incoming).await,
                Some(trace) => inherited::within(trace, self.router.handle(incoming)).await,
            },
        }
        record.answered()
    }
}

impl fmt::Debug for ServeNext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeNext").finish_non_exhaustive()
    }
}

/// The way of a message through all middleware.
pub(crate) fn run(router: &Arc<Router>, incoming: Incoming) -> Dispatch {
    let next = ServeNext {
        router: Arc::clone(router),
        position: 0,
    };
    Box::pin(async move {
        next.run(incoming).await;
    })
}

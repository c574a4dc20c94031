//! tower layers around what a server runs.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use sockety::{
    async_trait,
    serve::{Answered, BoxError, Incoming, ServeMiddleware, ServeNext},
};
use tower::{Layer, Service, ServiceExt};
use tracing::debug;

/// tower layers as middleware of a router: each message passes through them on its way to its handler.
///
/// Each message has separate services, so state that layers need across messages must be shared, as
/// tower's `GlobalConcurrencyLimitLayer` does. If a layer returns an error, such as that of a timeout, the
/// message is dropped, and so answered with code 5, Internal Error; the error is logged at debug.
///
/// ```
/// use std::time::Duration;
/// use sockety::serve::{IntoRouter, MessageHandler};
/// use sockety_tower::Layered;
/// use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer, timeout::TimeoutLayer};
///
/// let layers = ServiceBuilder::new()
///     .layer(GlobalConcurrencyLimitLayer::new(64))
///     .layer(TimeoutLayer::new(Duration::from_secs(1)))
///     .into_inner();
/// let router = MessageHandler::new().into_router().layer(Layered::new(layers));
/// ```
pub struct Layered<L>(L);

impl<L> Layered<L> {
    /// Middleware of this layer; several are one in a [`ServiceBuilder`](tower::ServiceBuilder).
    pub fn new(layer: L) -> Self {
        Self(layer)
    }
}

#[async_trait]
impl<L> ServeMiddleware for Layered<L>
where
    L: Layer<Handling> + Send + Sync + 'static,
    L::Service: Service<Incoming, Future: Send, Error: Into<BoxError> + Send> + Send,
{
    async fn handle(&self, incoming: Incoming, next: ServeNext) {
        let action = incoming.action().to_owned();
        let layers = self.0.layer(Handling(Some(next)));
        if let Err(error) = layers.oneshot(incoming).await {
            let error: BoxError = error.into();
            debug!(
                action,
                error = &*error,
                "a tower layer has refused a message"
            );
        }
    }
}

impl<L> fmt::Debug for Layered<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layered").finish_non_exhaustive()
    }
}

/// The handling of one message, as the innermost service of [`Layered`]. It can be called once: a layer that calls it again, such as one
/// that retries, gets an error.
#[derive(Debug)]
pub struct Handling(Option<ServeNext>);

impl Service<Incoming> for Handling {
    type Response = Answered;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answered, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, incoming: Incoming) -> Self::Future {
        let next = self.0.take();
        Box::pin(async move {
            let next = next.ok_or("a message is handled once: no layer may repeat it")?;
            Ok(next.run(incoming).await)
        })
    }
}

//! Calls as a tower service.

use std::task::{Context, Poll};

use sockety::{
    CallError, Connection, ServiceError,
    client::{Call, CallDraft, ServiceClient},
};
use tower::Service;

/// Makes typed calls, as a [`Service`] that takes drafts. It is always ready: a call that has to wait, for room on its connection or for a
/// server of a fleet, does so in its future, within its timeout.
///
/// Dropping a future cancels its call. The client may have middleware, be one that reconnects, or that of a
/// [fleet](sockety::fleet), which chooses a server for each call and repeats calls by itself.
///
/// ```
/// use sockety_tower::CallService;
/// use tower::{Service, ServiceBuilder, ServiceExt};
///
/// #[sockety::service]
/// trait Oven {
///     async fn temperature(&self) -> u32;
/// }
///
/// async fn ask(oven: &OvenClient) -> Result<u32, tower::BoxError> {
///     let calls = ServiceBuilder::new()
///         .concurrency_limit(8)
///         .service(CallService::of(oven));
///     Ok(calls.oneshot(OvenDraft::temperature()).await?)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct CallService {
    connection: Connection,
}

impl CallService {
    /// Calls through this handle.
    pub fn new(connection: Connection) -> Self {
        Self { connection }
    }

    /// Calls through the handle of this client. The drafts may be those of any trait that the peer serves.
    pub fn of(client: &impl ServiceClient) -> Self {
        Self::new(client.connection().clone())
    }
}

impl<T, E: ServiceError> Service<CallDraft<T, E>> for CallService {
    type Response = T;
    type Error = CallError<E>;
    type Future = Call<T, E>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, draft: CallDraft<T, E>) -> Call<T, E> {
        self.connection.call(draft)
    }
}

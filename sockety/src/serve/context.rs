use std::{net::SocketAddr, sync::Arc, time::Duration};

use sockety_codec::Uuid;

use crate::{
    action::Action,
    connection::{Connection, service_client::ServiceClient},
    engine::{
        early_end::{Described, Ending},
        inherited::Inheriting,
        record::Record,
        shared::Shared,
    },
    extensions::Extensions,
    metadata::{Metadata, MetadataKey, RetryAfter, Trace},
};

/// The message that a typed method handles, and its caller. Take it as a parameter `cx: &Context`.
///
/// A `Context` counts as a handle: the connection stays open while it exists. A clone is about the
/// same message and shares its [extensions](Self::request_extensions), so that a spawned task can
/// have one.
///
/// ```
/// # use sockety::{Context, service};
/// # #[service]
/// # trait Media { async fn render(&self, cx: &Context, id: u64); }
/// # struct Store;
/// impl Media for Store {
///     async fn render(&self, cx: &Context, id: u64) {
///         let cx = cx.clone();
///         tokio::spawn(async move { tracing::info!(message = %cx.id(), id, "rendering") });
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Context {
    connection: Connection,
    id: Uuid,
    action: Action,
    record: Record,
    described: Option<Arc<Described>>,
    /// Whether it is the handler's own, which is dropped with the handler.
    is_handlers: bool,
    expects_response: bool,
}

impl Context {
    pub(crate) fn new(
        connection: Connection,
        id: Uuid,
        action: Action,
        record: Record,
        described: Option<Arc<Described>>,
        expects_response: bool,
    ) -> Self {
        Self {
            connection,
            id,
            action,
            record,
            described,
            is_handlers: true,
            expects_response,
        }
    }

    /// How much of the time is left that the caller waits for the reply: the rest of the timeout that the call has set
    /// or inherited. It is known only if the connection [uses the extension](Connection::is_extended). When it is over, the
    /// handler is dropped where it waits.
    ///
    /// `None` does not mean that there is no limit. A call without a timeout has
    /// [`Options::call_timeout`](crate::Options::call_timeout) of its caller as its deadline, 30 s by default, until it has
    /// an answer. Calls do not carry that, so it is returned here only if the message waited for its turn, and calls that
    /// the handler makes before it first waits do not inherit it.
    ///
    /// Calls that the handler makes have no more time than this. So do those of tasks that it spawns, if the tasks are in its
    /// [`scope`](Self::scope).
    pub fn deadline(&self) -> Option<Duration> {
        self.described.as_ref()?.time_left()
    }

    /// The value of an entry of [metadata](crate::metadata) that came with the message.
    pub fn metadata(&self, key: MetadataKey) -> Option<&[u8]> {
        self.described.as_ref()?.metadata.as_ref()?.get(key)
    }

    /// The trace that the message belongs to. Calls that the handler makes belong to it too, and so do those of
    /// spawned tasks in its [`scope`](Self::scope).
    pub fn trace(&self) -> Option<Trace> {
        self.described.as_ref()?.metadata.as_ref()?.trace()
    }

    /// How often the caller sent the message before, with the same [id](Self::id): 0 for the first attempt, and if
    /// the connection does not [use the extension](Connection::is_extended).
    ///
    /// An earlier attempt may have been executed. A handler that must not do its work twice can look up the id.
    pub fn attempt(&self) -> u8 {
        let described = self.described.as_ref();
        let metadata = described.and_then(|described| described.metadata.as_ref());
        metadata.map_or(0, Metadata::attempt)
    }

    /// Sets what the answer to the message says about another attempt, if the answer is an error or a refusal: how long to
    /// wait before it, or [that there should be none](RetryAfter::NEVER). Left out if the connection does not use the extension.
    pub fn set_retry_after(&self, retry: impl Into<RetryAfter>) {
        if self.expects_response {
            let (shared, retry) = (self.connection.shared(), retry.into());
            shared.change(|state| state.set_retry(self.id, retry));
        }
    }

    /// Returns a future for tasks that the handler spawns. It is ready when their work is no longer needed: the call was
    /// cancelled or its deadline has passed while the handler ran, or the connection has ended. Protocol rule
    /// `ext.cancel.cx`.
    ///
    /// The handler itself does not need it, because it is dropped then; tasks are not. The future keeps neither the handler's
    /// borrows nor the connection. It is not ready when the handler has ended, after which the call cannot be cancelled, nor
    /// because of a cancellation if the action has `#[action(no_cancel)]`. Without the
    /// [extension](Connection::is_extended), only the end of the connection makes it ready.
    ///
    /// It costs nothing unless it is called.
    ///
    /// ```
    /// # use sockety::{Context, service};
    /// # #[service]
    /// # trait Media { async fn render(&self, cx: &Context, id: u64) -> u64; }
    /// # struct Store;
    /// # async fn frame(_: u64) {}
    /// impl Media for Store {
    ///     async fn render(&self, cx: &Context, id: u64) -> u64 {
    ///         let cancelled = cx.cancelled();
    ///         let rendering = tokio::spawn(async move {
    ///             tokio::select! {
    ///                 () = cancelled => 0,
    ///                 () = frame(id) => 1,
    ///             }
    ///         });
    ///         rendering.await.unwrap_or_default()
    ///     }
    /// }
    /// ```
    ///
    /// # Cancel safety
    /// Dropping it does nothing. Another one can be made while the handler runs.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + use<> {
        cancelled(self.connection.shared(), &self.record)
    }

    /// Returns a future that runs `future`, for tasks that the handler spawns: it passes the
    /// [deadline](Self::deadline) and the trace on to the calls that it makes, like the handler itself, and
    /// ends with [`cancelled`](Self::cancelled). Then it drops `future`, and its output is `None`.
    ///
    /// Work that has to come to its end, or goes on after the handler, belongs in a task without it.
    ///
    /// ```
    /// # use sockety::{Context, service};
    /// # #[service]
    /// # trait Media { async fn render(&self, cx: &Context, id: u64); async fn title(&self, id: u64) -> String; }
    /// # struct Store { media: MediaClient }
    /// impl Media for Store {
    ///     async fn render(&self, cx: &Context, id: u64) {
    ///         let title = self.media.title(id).into_future();
    ///         let title = tokio::spawn(cx.scope(title));
    ///         if let Ok(Some(Ok(title))) = title.await {
    ///             tracing::info!(title, "rendered");
    ///         }
    ///     }
    /// #   async fn title(&self, _id: u64) -> String { String::new() }
    /// }
    /// ```
    ///
    /// # Cancel safety
    /// Dropping it drops `future`.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = Option<F::Output>> + use<F> {
        let described = self.described.as_ref();
        let inherited = described.map(|described| described.inherited());
        let future = Inheriting::new(inherited.unwrap_or_default(), future);
        let cancelled = self.cancelled();
        async move {
            tokio::select! {
                biased;
                () = cancelled => None,
                output = future => Some(output),
            }
        }
    }

    /// The id of the message.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The name of the action.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// The connection that brought the message.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The address of the peer, if the connection has one.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.connection.peer_addr()
    }

    /// The identity of the peer by its TLS certificate, if it showed one.
    #[cfg(feature = "_tls")]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "tls", feature = "tls-ring"))))]
    pub fn peer_identity(&self) -> Option<&crate::tls::PeerIdentity> {
        self.connection.peer_identity()
    }

    /// Waits until the caller is gone: the connection has ended, so the reply cannot arrive.
    ///
    /// A caller that has closed its side may still wait for replies, for 5 s. One that only cancels
    /// the call, by a timeout or by dropping it, is noticed only if the connection [uses the
    /// extension](Connection::is_extended): the handler is dropped then.
    ///
    /// ```
    /// # use sockety::{Context, service};
    /// # #[service]
    /// # trait Media { async fn render(&self, cx: &Context, id: u64) -> bool; }
    /// # struct Store;
    /// # async fn render(id: u64) -> bool { id > 0 }
    /// impl Media for Store {
    ///     async fn render(&self, cx: &Context, id: u64) -> bool {
    ///         tokio::select! {
    ///             done = render(id) => done,
    ///             () = cx.caller_gone() => false,
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn caller_gone(&self) {
        self.connection.closed().await;
    }

    /// Waits until the server shuts down, or the connection ends otherwise; see
    /// [`Connection::shutting_down`]. The handler still has the rest of the deadline.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn shutting_down(&self) {
        self.connection.shutting_down().await;
    }

    /// Values attached to the connection.
    pub fn extensions(&self) -> &Extensions {
        self.connection.extensions()
    }

    /// Values attached to this message alone, as
    /// [middleware](crate::serve::middleware::ServeMiddleware) does.
    pub fn request_extensions(&self) -> &Extensions {
        self.record.extensions()
    }

    /// The caller, as a client of a service that it serves: both sides of a connection may call.
    pub fn peer<C: ServiceClient>(&self) -> C {
        C::new(self.connection.clone())
    }
}

/// Ready when the handler of this message was ended early, or the connection has ended.
pub(super) fn cancelled(
    shared: &Arc<Shared>,
    record: &Record,
) -> impl Future<Output = ()> + Send + use<> {
    let (shared, early_end) = (Arc::clone(shared), record.early_end());
    // Asked for by a destructor of the handler.
    let is_ending = Ending::of_handler(&*shared).is_some();
    async move {
        if is_ending {
            return;
        }
        tokio::select! {
            () = early_end.come() => {}
            _ = shared.until_ended() => {}
        }
    }
}

impl Clone for Context {
    fn clone(&self) -> Self {
        Self {
            connection: self.connection.clone(),
            id: self.id,
            action: self.action.clone(),
            // Begun, so that the clone sees what is attached later.
            record: self.record.begin(),
            described: self.described.clone(),
            is_handlers: false,
            expects_response: self.expects_response,
        }
    }
}

// r[impl ext.cancel.cx]
impl Drop for Context {
    #[inline]
    fn drop(&mut self) {
        if self.is_handlers {
            if let Some(code) = Ending::of_handler(&**self.connection.shared()) {
                self.record.end_early(code);
            }
        }
    }
}

use std::net::SocketAddr;

use sockety_codec::Uuid;

use crate::{
    action::Action,
    connection::{Connection, service_client::ServiceClient},
    engine::record::Record,
    extensions::Extensions,
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
}

impl Context {
    pub(crate) fn new(connection: Connection, id: Uuid, action: Action, record: Record) -> Self {
        Self {
            connection,
            id,
            action,
            record,
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

    /// Who the peer is by its TLS certificate, if it showed one.
    #[cfg(feature = "_tls")]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "tls", feature = "tls-ring"))))]
    pub fn peer_identity(&self) -> Option<&crate::tls::PeerIdentity> {
        self.connection.peer_identity()
    }

    /// Waits until the caller is gone: the connection has ended, so that nobody can get the reply.
    ///
    /// A caller that has closed its side may still wait for replies, for 5 s. One that only cancels
    /// the call, by a timeout or by dropping it, is not noticed, because the protocol has no way to
    /// say so.
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

impl Clone for Context {
    fn clone(&self) -> Self {
        Self {
            connection: self.connection.clone(),
            id: self.id,
            action: self.action.clone(),
            // Begun, so that the clone sees what is attached later.
            record: self.record.begin(),
        }
    }
}

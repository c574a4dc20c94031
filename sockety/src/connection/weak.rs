use std::{
    fmt,
    sync::{Arc, Weak},
};

use super::{Connection, middleware::Chain, source::ConnectionSource};
use crate::engine::{lease::Lease, shared::Shared};

/// A handle that does not keep its connection open; made by [`Connection::downgrade`].
///
/// It suits lists of connections, and tasks that work on a connection for as long as others use it. When the last
/// [`Connection`] is dropped, the connection is closed, however many weak handles there are.
#[derive(Clone)]
pub struct WeakConnection {
    shared: Weak<Shared>,
    middleware: Option<Arc<Chain>>,
    /// Not kept either: it has the connection of a client that reconnects.
    source: Option<Weak<dyn ConnectionSource>>,
}

impl WeakConnection {
    /// A handle that keeps the connection open, with the middleware of the handle that was downgraded.
    ///
    /// `None` when no such handle is left: then the connection is closing, or has ended. A connection that has ended
    /// while there are handles is returned; see [`Connection::is_closed`].
    pub fn upgrade(&self) -> Option<Connection> {
        let lease = Lease::join(self.shared.upgrade()?)?;
        let mut middleware = self.middleware.clone();
        if let Some(source) = &self.source {
            let mut chain = middleware.as_deref().cloned().unwrap_or_default();
            chain.set_source(source.upgrade()?);
            middleware = Some(Arc::new(chain));
        }
        Some(Connection { lease, middleware })
    }
}

impl Connection {
    /// A handle that does not keep the connection open, with the middleware of this one.
    ///
    /// ```
    /// # use sockety::{FastReply, Router, message::Draft, pair, serve::MessageHandler};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let handler = MessageHandler::new().action("ping", |_| async { FastReply::ACCEPT });
    /// let (connection, _other) = pair(Router::new(), handler).await?;
    /// let weak = connection.downgrade();
    ///
    /// let upgraded = weak.upgrade().expect("`connection` is still there");
    /// upgraded.pass(&Draft::new("ping")).await?;
    ///
    /// drop((connection, upgraded));
    /// assert!(weak.upgrade().is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn downgrade(&self) -> WeakConnection {
        let (mut middleware, mut source) = (self.middleware.clone(), None);
        if let Some(kept) = self.source() {
            source = Some(Arc::downgrade(kept));
            let mut chain = middleware.as_deref().cloned().unwrap_or_default();
            chain.take_source();
            middleware = Some(Arc::new(chain));
        }
        WeakConnection {
            shared: Arc::downgrade(self.shared()),
            middleware,
            source,
        }
    }
}

impl fmt::Debug for WeakConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakConnection").finish_non_exhaustive()
    }
}

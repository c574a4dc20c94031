use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::Notify;

use crate::{
    ClosedBy, Connection, Outgoing, SendError, ServiceClient, connection::shared::Shared,
    transport::Handshake,
};

/// The connections of a [`Server`](crate::Server), and its end. Clones are handles on the same server.
#[derive(Debug, Clone, Default)]
pub struct ServerHandle {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Not handles: those keep a connection open.
    connections: Mutex<HashMap<u64, Weak<Shared>>>,
    next: AtomicU64,
    is_stopped: AtomicBool,
    stopped: Notify,
    #[cfg(feature = "_tls")]
    tls: Mutex<Option<crate::tls::TlsServer>>,
}

impl ServerHandle {
    /// All connections at this moment, as clients of a service that the peers serve.
    ///
    /// ```no_run
    /// # use sockety::{Server, service};
    /// # #[service]
    /// # trait Viewer { async fn show(&self, text: String); }
    /// # async fn example(server: Server) -> Result<(), Box<dyn std::error::Error>> {
    /// for viewer in server.handle().clients::<ViewerClient>() {
    ///     viewer.show("hello".into()).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn clients<C: ServiceClient>(&self) -> Vec<C> {
        self.connections().into_iter().map(C::new).collect()
    }

    /// All connections at this moment.
    pub fn connections(&self) -> Vec<Connection> {
        let connections = self.lock();
        let shared = connections.values().filter_map(Weak::upgrade);
        shared.map(Connection::new).collect()
    }

    /// Sends a message that expects no reply to every connection that `filter` accepts. It is encoded once.
    ///
    /// Ready when it has its place among what each of them writes, which waits for no peer: a connection whose
    /// peer takes less than is sent is left out. Gives the number of connections that it goes to.
    ///
    /// # Errors
    /// [`SendError`] when the message cannot be sent to anybody.
    pub fn broadcast(
        &self,
        message: impl Into<Outgoing>,
        mut filter: impl FnMut(&Connection) -> bool,
    ) -> Result<usize, SendError> {
        let message = message.into();
        let connections: Vec<_> = self
            .connections()
            .into_iter()
            .filter(|connection| filter(connection))
            .collect();
        let Some(first) = connections.first() else {
            return Ok(0);
        };
        if message.content().carrying.is_some() {
            return Ok(connections
                .iter()
                .filter(|c| c.try_carry(&message).is_ok())
                .count());
        }
        let mut bytes = Vec::new();
        first.encode(&message, &mut bytes)?;
        Ok(connections
            .iter()
            .filter(|connection| connection.try_queue_prepared(&bytes).is_ok())
            .count())
    }

    /// Stops accepting, and closes every connection in order, see [`Connection::close`]. The future of
    /// [`Server::serve`](crate::Server::serve) is ready when all are closed.
    pub fn stop(&self) {
        self.inner.is_stopped.store(true, Ordering::Release);
        self.inner.stopped.notify_waiters();
    }

    /// Serves every new connection with these certificates and rules; for certificates that are renewed. Connections
    /// that exist go on. A [`TlsServer`](crate::tls::TlsServer) is checked when it is made, so a broken file keeps the
    /// one before in use.
    ///
    /// ```no_run
    /// use sockety::{ServerHandle, tls::{TlsError, TlsServer}};
    ///
    /// fn renew(server: &ServerHandle) -> Result<(), TlsError> {
    ///     server.set_tls(TlsServer::from_pem_files("server.pem", "server.key")?);
    ///     Ok(())
    /// }
    /// ```
    #[cfg(feature = "_tls")]
    pub fn set_tls(&self, tls: crate::tls::TlsServer) {
        *self.lock_tls() = Some(tls);
    }

    #[cfg(feature = "_tls")]
    fn lock_tls(&self) -> MutexGuard<'_, Option<crate::tls::TlsServer>> {
        self.inner
            .tls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes before the connection headers.
    #[cfg(feature = "_tls")]
    pub(super) fn handshake(&self) -> Option<Handshake> {
        self.lock_tls().as_ref().map(|tls| tls.handshake())
    }

    #[cfg(not(feature = "_tls"))]
    pub(super) fn handshake(&self) -> Option<Handshake> {
        None
    }

    pub(super) async fn or_stopped<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut stopped = std::pin::pin!(self.inner.stopped.notified());
        stopped.as_mut().enable();
        if self.inner.is_stopped.load(Ordering::Acquire) {
            return None;
        }
        tokio::select! {
            output = future => Some(output),
            () = stopped => None,
        }
    }

    /// Enters a connection in the list, until what this gives is dropped.
    pub(super) fn register(&self, connection: &Connection) -> Entry {
        let key = self.inner.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(key, Arc::downgrade(&connection.shared));
        // A server that was stopped meanwhile has closed all that it saw.
        if self.inner.is_stopped.load(Ordering::Acquire) {
            connection.shared.close(ClosedBy::Local);
        }
        Entry {
            handle: self.clone(),
            key,
        }
    }

    pub(super) async fn close_all(&self) {
        let connections = self.connections();
        for connection in &connections {
            connection.shared.close(ClosedBy::Local);
        }
        for connection in connections {
            connection.closed().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Weak<Shared>>> {
        self.inner
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place in the list of its server.
pub(super) struct Entry {
    handle: ServerHandle,
    key: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.handle.lock().remove(&self.key);
    }
}

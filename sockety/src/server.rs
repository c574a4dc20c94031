use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
};
use tracing::{debug, warn};

use crate::{
    Address, ConnectError, Connection, IntoRouter, Options, Outgoing, Router, SendError,
    ServiceClient, connect::prepare, connection::driver::Driver,
};

/// Accepts connections over TCP and serves them.
///
/// ```no_run
/// # use sockety::{FastReply, MessageHandler, Server};
/// # async fn example() -> std::io::Result<()> {
/// let handler = MessageHandler::new().action("ping", |_| async { FastReply::ACCEPT });
/// Server::bind("127.0.0.1:9000").await?.serve(handler).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    options: Arc<Options>,
    handle: ServerHandle,
}

impl Server {
    /// Listens on an address; port 0 takes a free one.
    ///
    /// # Errors
    /// Those of the operating system: the address is in use, or not one of this machine.
    pub async fn bind(address: impl Into<Address>) -> io::Result<Self> {
        let address = address.into();
        let listener = async { TcpListener::bind(&*address.resolve().await?).await };
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
        };
        Ok(Self::new(listener.await.map_err(named)?))
    }

    /// Accepts from a listener that exists already.
    pub fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            options: Arc::default(),
            handle: ServerHandle::default(),
        }
    }

    /// Limits and clocks of the connections.
    pub fn options(mut self, options: Options) -> Self {
        self.options = Arc::new(options);
        self
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// A handle to reach the connections while the server runs, and to stop it.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Accepts and serves connections until [`ServerHandle::stop`]. A failing connection, or a lack of file
    /// descriptors, does not end it.
    ///
    /// # Errors
    /// None at present; an accept error is logged and tried again.
    ///
    /// # Cancel safety
    /// Dropping the future stops accepting; connections that exist go on.
    pub async fn serve(self, serve: impl IntoRouter) -> io::Result<()> {
        let router = Arc::new(serve.into_router());
        let mut backoff = Backoff::default();
        loop {
            let Some(permit) = self.handle.or_stopped(self.handle.permit()).await else {
                break;
            };
            let Some(accepted) = self.handle.or_stopped(self.listener.accept()).await else {
                break;
            };
            match accepted {
                Ok((stream, _)) => {
                    backoff = Backoff::default();
                    let (router, options) = (Arc::clone(&router), Arc::clone(&self.options));
                    let handle = self.handle.clone();
                    tokio::spawn(async move { handle.run(stream, router, options, permit).await });
                }
                Err(error) => backoff.wait(&error).await,
            }
        }
        self.handle.close_all().await;
        Ok(())
    }

    /// Accepts one connection and serves it; for servers that look at each connection first.
    ///
    /// # Errors
    /// [`ConnectError`] when accepting failed, or the peer does not speak Sockety.
    ///
    /// # Cancel safety
    /// Dropping the future drops a connection whose handshake has begun.
    pub async fn accept(&self, serve: impl IntoRouter) -> Result<Connection, ConnectError> {
        let (stream, _) = self.listener.accept().await?;
        let router = Arc::new(serve.into_router());
        let (connection, driver) = establish(stream, router, Arc::clone(&self.options)).await?;
        let entry = self.handle.register(&connection);
        tokio::spawn(async move {
            driver.run().await;
            drop(entry);
        });
        Ok(connection)
    }
}

/// The connections of a [`Server`], and its end. Clones are handles on the same server.
#[derive(Debug, Clone)]
pub struct ServerHandle {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    connections: Mutex<HashMap<u64, Connection>>,
    next: AtomicU64,
    permits: Arc<Semaphore>,
    is_stopped: AtomicBool,
    stopped: Notify,
}

/// Connections at a time. Further ones wait in the queue of the operating system.
const CONNECTIONS: usize = 4096;

impl Default for ServerHandle {
    fn default() -> Self {
        let inner = Inner {
            connections: Mutex::default(),
            next: AtomicU64::new(0),
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
            is_stopped: AtomicBool::new(false),
            stopped: Notify::new(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }
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
        self.lock().values().cloned().collect()
    }

    /// Sends a message that expects no reply to every [authorized](Connection::is_authorized) connection that
    /// `filter` accepts. It is encoded once.
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
            .filter(|connection| connection.is_authorized() && filter(connection))
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
    /// [`Server::serve`] is ready when all are closed.
    pub fn stop(&self) {
        self.inner.is_stopped.store(true, Ordering::Release);
        self.inner.stopped.notify_waiters();
    }

    async fn or_stopped<F: Future>(&self, future: F) -> Option<F::Output> {
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

    /// Taken before a connection is accepted, given back when it ends.
    async fn permit(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        Arc::clone(&self.inner.permits).acquire_owned().await.ok()
    }

    async fn run(
        &self,
        stream: TcpStream,
        router: Arc<Router>,
        options: Arc<Options>,
        _permit: Option<tokio::sync::OwnedSemaphorePermit>,
    ) {
        let peer = stream.peer_addr().ok();
        match self.or_stopped(establish(stream, router, options)).await {
            Some(Ok((connection, driver))) => {
                let _entry = self.register(&connection);
                drop(connection);
                driver.run().await;
            }
            Some(Err(error)) => warn!(?peer, %error, "handshake failed"),
            None => debug!(?peer, "stopped during the handshake"),
        }
    }

    fn register(&self, connection: &Connection) -> Entry {
        let key = self.inner.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(key, connection.clone());
        // A server that was stopped meanwhile has closed all that it saw.
        if self.inner.is_stopped.load(Ordering::Acquire) {
            connection.shared.close(crate::ClosedBy::Local);
        }
        Entry {
            handle: self.clone(),
            key,
        }
    }

    async fn close_all(&self) {
        let connections = self.connections();
        for connection in &connections {
            connection.shared.close(crate::ClosedBy::Local);
        }
        for connection in connections {
            connection.closed().await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Connection>> {
        self.inner
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place in the list of its server.
struct Entry {
    handle: ServerHandle,
    key: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let connection = self.handle.lock().remove(&self.key);
        // Dropped outside of the lock, as the last handle closes its connection.
        drop(connection);
    }
}

async fn establish(
    stream: TcpStream,
    router: Arc<Router>,
    options: Arc<Options>,
) -> Result<(Connection, Driver<TcpStream>), ConnectError> {
    let peer = prepare(&stream)?;
    Connection::establish(stream, router, options, peer).await
}

/// A pause after an accept error, longer each time: with no file descriptors left, accepting fails at once
/// and would keep a processor busy.
struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(Self::FIRST)
    }
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(1);

    async fn wait(&mut self, error: &io::Error) {
        warn!(%error, pause = ?self.0, "cannot accept");
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(Self::LONGEST);
    }
}

//! Accepting connections.

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tracing::debug;

pub(crate) mod admission;
mod age;
mod draining;
mod from;
pub(crate) mod handle;
mod links;
pub(crate) mod listener;
#[cfg(feature = "proxy-protocol")]
mod proxy_protocol;
mod serving;
#[cfg(unix)]
pub(crate) mod socket_file;

#[cfg(feature = "proxy-protocol")]
pub use self::proxy_protocol::{IpNet, ProxyProtocol};
use self::{
    admission::Gate,
    age::MaxAge,
    links::TakesLinks,
    listener::{Listener, Listeners},
    serving::{Owner, Serving},
};
pub use self::{draining::Drain, from::IntoListener, handle::ServerHandle, links::Handshaking};
pub use crate::stats::server::{FailedHandshakes, ServerStats};
use crate::{
    address::{
        IntoAddress,
        error::{AddressError, AddressProblem},
    },
    config::{budgets::Budgets, options::Options},
    connection::Connection,
    engine::{common::Common, health::Health},
    error::connect::{ConnectError, ConnectProblem},
    serve::router::{IntoRouter, Router},
    transport::link::Link,
};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Accepts connections over TCP, TLS or a Unix socket, and serves them. Dropping it before it
/// serves closes the listener.
///
/// ```no_run
/// # use sockety::{FastReply, Server, serve::MessageHandler};
/// # async fn example() -> std::io::Result<()> {
/// let handler = MessageHandler::new().action("ping", |_| async { FastReply::ACCEPT });
/// Server::bind("127.0.0.1:9000").await?.serve(handler).await?;
/// # Ok(())
/// # }
/// ```
///
/// A server can also take a listener that is bound already, such as one that systemd passes to the
/// process: `From` of tokio's `TcpListener` and `UnixListener`, `TryFrom` of those of std, and
/// [`listen_on`](Self::listen_on) for further ones. The file of such a Unix socket is never removed.
///
/// ```no_run
/// # use sockety::{Router, Server};
/// # async fn example() -> std::io::Result<()> {
/// let listener = std::net::TcpListener::bind("127.0.0.1:9000")?;
/// Server::try_from(listener)?.serve(Router::new()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    listeners: Listeners,
    common: Common,
    gate: Gate,
    #[cfg(feature = "proxy-protocol")]
    proxy_protocol: Option<ProxyProtocol>,
    max_age: Option<MaxAge>,
    /// Set if an address has `tls://`: the error of serving without TLS.
    without_tls: Option<AddressError>,
    handle: ServerHandle,
    takes_links: TakesLinks,
}

/// The future of [`Server::serve`].
///
/// It has no type parameter, so the compiler reports what cannot be served once, at the argument, and
/// not at each `.await` again.
#[must_use = "a server accepts no connection until this is awaited or spawned"]
pub struct Serve(Boxed<'static, io::Result<()>>);

impl Future for Serve {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Serve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve").finish_non_exhaustive()
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// Listens nowhere until [`listen`](Self::listen): it serves the links that
    /// [`ServerHandle::serve_link`] is given.
    pub fn new() -> Self {
        let handle = ServerHandle::default();
        Self {
            listeners: Listeners::default(),
            common: Common::of_server(handle.counters(), handle.health()),
            gate: Gate::default(),
            #[cfg(feature = "proxy-protocol")]
            proxy_protocol: None,
            max_age: None,
            without_tls: None,
            takes_links: TakesLinks::new(handle.state().clone()),
            handle,
        }
    }

    /// Listens on an address. Port 0 selects a free port.
    ///
    /// The file of a Unix socket must not exist, or must be a socket that no process listens on any
    /// longer, which is replaced. The file is removed when the server has stopped or is dropped.
    ///
    /// An address with `tls://` requires a call to `tls`: without it, nothing is served.
    ///
    /// # Errors
    /// Those of the operating system: the address is in use, or does not belong to this machine.
    /// The kind is `InvalidInput`, with the [`AddressError`] inside, if the text is no address.
    pub async fn bind(address: impl IntoAddress) -> io::Result<Self> {
        Self::new().listen(address).await
    }

    /// Listens on one more address, like [`bind`](Self::bind) does. Connections of all addresses
    /// are served alike, and limits count them together: `tls` encrypts those of every address,
    /// Unix sockets included.
    ///
    /// ```no_run
    /// # use sockety::{Router, Server};
    /// # async fn example() -> std::io::Result<()> {
    /// let server = Server::bind("127.0.0.1:9000").await?;
    /// let server = server.listen("unix:///run/media.sock").await?;
    /// server.serve(Router::new()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`bind`](Self::bind). The listeners that it had are closed.
    pub async fn listen(mut self, address: impl IntoAddress) -> io::Result<Self> {
        let invalid = |error: AddressError| io::Error::new(io::ErrorKind::InvalidInput, error);
        let address = address.into_address().map_err(invalid)?;
        if address.is_tls() && !cfg!(feature = "_tls") {
            return Err(invalid(address.error(AddressProblem::NeedsTls)));
        }
        self.listeners.add(Listener::bind(&address).await?);
        if address.is_tls() {
            self.without_tls = Some(address.error(AddressProblem::NoCertificate));
        }
        Ok(self)
    }

    fn with(listener: Listener) -> Self {
        let mut server = Self::new();
        server.listeners.add(listener);
        server
    }

    /// Sets the limits and clocks of the connections.
    pub fn options(mut self, options: Options) -> Self {
        self.common.set_options(options);
        self
    }

    /// Limits what its connections hold, together with other servers and clients that have the same
    /// budgets. By default a server has separate budgets.
    pub fn budgets(mut self, budgets: Budgets) -> Self {
        self.common.set_budgets(budgets);
        self
    }

    /// Uses TLS with every peer. [`ServerHandle::set_tls`] changes the certificates while the
    /// server runs.
    #[cfg(feature = "_tls")]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "tls", feature = "tls-ring"))))]
    pub fn tls(self, tls: crate::tls::TlsServer) -> Self {
        self.handle.set_tls(tls);
        self
    }

    /// Reads a header of the PROXY protocol in front of each connection from a proxy, also in front
    /// of TLS and of links that [`ServerHandle::serve_link`] is given. The address that the header
    /// names is then the address of the peer:
    /// [`Context::peer_addr`](crate::serve::context::Context::peer_addr) returns it,
    /// [`max_connections_per_host`](Self::max_connections_per_host) counts it, and logs have it.
    /// Where the header names none (`LOCAL`, `UNKNOWN`, Unix sockets), the address of the socket
    /// stays.
    ///
    /// Connections with a missing, unexpected, malformed or long header are closed, and counted as
    /// failed handshakes: [`ProxyProtocolError`](crate::error::ProxyProtocolError). A header has to
    /// be complete within [`Options::handshake_timeout`], which limits it together with TLS, and has
    /// at most 107 bytes in version 1, and 16 KiB behind the first 16 bytes in version 2. The server
    /// sends nothing before the first byte of the peer.
    #[cfg(feature = "proxy-protocol")]
    pub fn proxy_protocol(mut self, proxies: ProxyProtocol) -> Self {
        self.proxy_protocol = Some(proxies);
        self
    }

    /// Limits the connections that exist at a time (default: 4,096). Further ones wait in the queue
    /// of the operating system. 0 counts as 1.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.gate.set_connections(connections);
        self
    }

    /// Limits the handshakes that run at a time, including those of TLS (default: 256). Further
    /// connections wait in the queue of the operating system. Each handshake ends within
    /// [`Options::handshake_timeout`]. 0 counts as 1.
    pub fn max_handshakes(mut self, handshakes: usize) -> Self {
        self.gate.set_handshakes(handshakes);
        self
    }

    /// Limits the connections of one host that exist at a time (default: no limit). A host is an
    /// IPv4 address, or the first 64 bits of an IPv6 address. Further connections are closed at
    /// once. Unix sockets are not counted. 0 counts as 1.
    pub fn max_connections_per_host(mut self, connections: usize) -> Self {
        self.gate.set_connections_per_host(connections);
        self
    }

    /// Shuts each connection down at about this age (default: no limit), within `grace`; see
    /// [`Connection::shutdown`]. Calls under way are finished first. Peers connect again, so behind
    /// a load balancer or a name with several addresses they come to servers that were started
    /// meanwhile. [Reconnecting](crate::client::Reconnecting) clients and fleets do so by themselves, and lose
    /// no call if `grace` is longer than the longest call. With the extension, peers are told 2 s before,
    /// or half of `age` before if that is less, that another connection is better, so calls do not wait for one.
    ///
    /// Each connection has a random age from 90 to 110 % of `age`, so that peers that connected
    /// together do not come again together. It counts from the end of the handshake. Minutes to
    /// hours are reasonable: reconnecting clients pause before they replace a connection that lasted
    /// for less than a second before they were told, so calls wait with less than about 2.4 s.
    ///
    /// Connections of [`accept`](Self::accept) and [`ServerHandle::serve_link`] are included.
    ///
    /// ```no_run
    /// # use std::{io, time::Duration};
    /// # use sockety::Server;
    /// # async fn example() -> io::Result<()> {
    /// let (age, grace) = (Duration::from_secs(30 * 60), Duration::from_secs(60));
    /// let server = Server::bind("0.0.0.0:9000").await?.max_connection_age(age, grace);
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_connection_age(mut self, age: Duration, grace: Duration) -> Self {
        self.max_age = Some(MaxAge { age, grace });
        self
    }

    /// Closes a connection at once if there are [`max_connections`](Self::max_connections) already,
    /// instead of letting it wait in the queue of the operating system for up to its own time limit.
    ///
    /// This suits a server behind a balancer that tries another server when one closes. Clients of
    /// this framework get [`ConnectProblem::ClosedSilently`]. Such connections count as
    /// [`refused_connections`](ServerStats::refused_connections).
    pub fn refuse_when_full(mut self) -> Self {
        self.gate.set_refuses_when_full();
        self
    }

    /// Returns the address that it listens on; with several, the first.
    ///
    /// # Errors
    /// Those of the operating system; `Unsupported` for a Unix socket, or if it listens nowhere.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listeners.local_addr()
    }

    /// Returns a handle to reach the connections while the server runs, and to stop it.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Returns what the server says of its health to peers that ask.
    pub fn health(&self) -> Health {
        self.handle.health()
    }

    /// Accepts and serves connections until [`ServerHandle::drain`], [`ServerHandle::shutdown`] or
    /// [`ServerHandle::stop`], and completes when all connections are closed. A failed connection does not end it, nor does
    /// a lack of file descriptors: it logs errors of accepting, and retries after a pause of 10 ms
    /// to 1 s.
    ///
    /// # Errors
    /// `InvalidInput` if the server was bound to `tls://` and has no TLS.
    ///
    /// # Cancel safety
    /// Dropping the future stops accepting. Established connections continue.
    pub fn serve(self, serve: impl IntoRouter) -> Serve {
        self.serve_boxed(Arc::new(serve.into_router()))
    }

    /// Boxed by a function that is not generic, so that it is compiled with the library: the code of
    /// an `async fn` is generated in the crate that polls it, and would be again in each build of a
    /// program.
    fn serve_boxed(self, router: Arc<Router>) -> Serve {
        Serve(Box::pin(self.serve_router(router)))
    }

    async fn serve_router(self, router: Arc<Router>) -> io::Result<()> {
        self.check_tls()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let Self {
            listeners,
            common,
            gate,
            #[cfg(feature = "proxy-protocol")]
            proxy_protocol,
            max_age,
            handle,
            takes_links,
            ..
        } = self;
        let serving = Arc::new(Serving {
            router,
            common,
            gate,
            #[cfg(feature = "proxy-protocol")]
            proxy_protocol,
            max_age,
        });
        takes_links.begin(&serving);
        debug!(address = ?listeners.local_addr().ok(), "serving");
        let warnings = &serving.common.warnings;
        let on_full =
            |limit, refused: Option<Link>| handle.on_full(warnings, limit, refused.as_ref());
        while let Some(admitted) = handle
            .or_stopped(serving.gate.admit(&listeners, on_full))
            .await
        {
            let (handle, serving) = (handle.clone(), Arc::clone(&serving));
            tokio::spawn(async move {
                let established = serving.establish_link(&handle, admitted, Owner::Server);
                // Counted and logged there.
                let _ = established.await;
            });
        }
        debug!("no longer accepting");
        // New peers learn at once that nobody listens, not when the last connection is closed.
        drop((listeners, takes_links));
        handle.all_closed().await;
        Ok(())
    }

    /// Accepts one connection and serves it, for servers that inspect each connection. The
    /// connection stays open as long as it has handles, like one that was made by
    /// [`connect`](crate::connect).
    ///
    /// Several tasks can accept at once, so that no peer waits for the handshake of another.
    ///
    /// # Errors
    /// [`ConnectError`] if the handshake failed, the server was stopped, or it was bound to
    /// `tls://` and has no TLS. Like in [`serve`](Self::serve), errors of accepting are logged and
    /// retried.
    ///
    /// # Cancel safety
    /// Dropping the future closes a connection whose handshake has begun.
    pub async fn accept(&self, serve: impl IntoRouter) -> Result<Connection, ConnectError> {
        self.accept_boxed(Arc::new(serve.into_router())).await
    }

    /// Boxed for the same reason.
    fn accept_boxed(&self, router: Arc<Router>) -> Boxed<'_, Result<Connection, ConnectError>> {
        Box::pin(self.accept_routed(router))
    }

    async fn accept_routed(&self, router: Arc<Router>) -> Result<Connection, ConnectError> {
        self.check_tls()?;
        let serving = Serving {
            router,
            common: self.common.clone(),
            gate: self.gate.clone(),
            #[cfg(feature = "proxy-protocol")]
            proxy_protocol: self.proxy_protocol.clone(),
            max_age: self.max_age,
        };
        loop {
            let on_full = |limit, refused: Option<Link>| {
                // The tasks that accept have places too: without a link, nothing is known.
                if let Some(link) = &refused {
                    let warnings = &self.common.warnings;
                    self.handle.on_full(warnings, limit, Some(link));
                }
            };
            let admitted = self.gate.admit(&self.listeners, on_full);
            let admitted = self.handle.or_stopped(admitted);
            let admitted = admitted.await.ok_or(ConnectProblem::ServerStopped)?;
            let established = serving.establish_link(&self.handle, admitted, Owner::Caller);
            match established.await {
                // The next one may be of another host.
                Err(ConnectProblem::AtLimit(_)) => {}
                established => return Ok(established?),
            }
        }
    }

    /// Bytes that should be encrypted must not be sent in the clear.
    fn check_tls(&self) -> Result<(), AddressError> {
        match &self.without_tls {
            Some(error) if self.handle.handshake().is_none() => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

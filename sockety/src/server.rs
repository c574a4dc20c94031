//! Accepting connections.

use std::{io, net::SocketAddr, sync::Arc};

use tracing::debug;

pub(crate) mod admission;
mod from;
pub(crate) mod handle;
pub(crate) mod listener;
#[cfg(unix)]
pub(crate) mod socket_file;

pub use self::handle::ServerHandle;
use self::{
    admission::{Admitted, Gate},
    listener::Listener,
};
pub use crate::stats::server::ServerStats;
use crate::{
    address::{
        IntoAddress,
        error::{AddressError, AddressProblem},
    },
    config::{budgets::Budgets, options::Options},
    connection::Connection,
    engine::common::Common,
    error::{chain::chain, connect::ConnectError},
    serve::router::{IntoRouter, Router},
    transport::link::Setup,
};

/// Accepts connections and serves them, over TCP, TLS or a Unix socket.
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
/// A server can also take a listener that is bound already, such as one that systemd passes to the process: `From` of
/// tokio's `TcpListener` and `UnixListener`, `TryFrom` of those of std. The file of such a Unix socket is never removed.
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
    listener: Listener,
    common: Common,
    gate: Gate,
    /// It was bound to `tls://`: the error of serving without.
    without_tls: Option<AddressError>,
    handle: ServerHandle,
}

impl Server {
    /// Listens on an address; port 0 takes a free one.
    ///
    /// The file of a Unix socket must not exist, or be a socket that nobody listens on any more, which is
    /// replaced. It is removed when the server has stopped, or is dropped.
    ///
    /// `tls://` is a promise to call `tls` too: without it, nothing is served.
    ///
    /// # Errors
    /// Those of the operating system: the address is in use, or not one of this machine. A text that is no address is
    /// an error of kind `InvalidInput` with the [`AddressError`] inside.
    pub async fn bind(address: impl IntoAddress) -> io::Result<Self> {
        let invalid = |error: AddressError| io::Error::new(io::ErrorKind::InvalidInput, error);
        let address = address.into_address().map_err(invalid)?;
        if address.is_tls() && !cfg!(feature = "_tls") {
            return Err(invalid(address.error(AddressProblem::NeedsTls)));
        }
        let mut server = Self::with(Listener::bind(&address).await?);
        if address.is_tls() {
            server.without_tls = Some(address.error(AddressProblem::NoCertificate));
        }
        Ok(server)
    }

    fn with(listener: Listener) -> Self {
        let handle = ServerHandle::default();
        Self {
            listener,
            common: Common::default().counting(handle.counters()),
            gate: Gate::default(),
            without_tls: None,
            handle,
        }
    }

    /// Limits and clocks of the connections.
    pub fn options(mut self, options: Options) -> Self {
        self.common.set_options(options);
        self
    }

    /// Holds what its connections hold within these budgets, together with other servers and clients that
    /// have them. By default a server shares its budgets with nobody.
    pub fn budgets(mut self, budgets: Budgets) -> Self {
        self.common.set_budgets(budgets);
        self
    }

    /// Speaks TLS with every peer. [`ServerHandle::set_tls`] changes certificates while the server runs.
    #[cfg(feature = "_tls")]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "tls", feature = "tls-ring"))))]
    pub fn tls(self, tls: crate::tls::TlsServer) -> Self {
        self.handle.set_tls(tls);
        self
    }

    /// Limits the connections that exist at a time (default: 4,096). Further ones wait in the queue of the operating
    /// system.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.gate.set_connections(connections);
        self
    }

    /// Limits the handshakes that run at a time, including those of TLS (default: 256). Further connections wait in the
    /// queue of the operating system. Each handshake ends within [`Options::handshake_timeout`].
    pub fn max_handshakes(mut self, handshakes: usize) -> Self {
        self.gate.set_handshakes(handshakes);
        self
    }

    /// Limits the connections of one host that exist at a time (default: no limit). A host is an IPv4 address, or the
    /// first 64 bits of an IPv6 address. Further connections are closed at once. Unix sockets are not counted.
    pub fn max_connections_per_host(mut self, connections: usize) -> Self {
        self.gate.set_connections_per_host(connections);
        self
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// Those of the operating system; `Unsupported` for a Unix socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// A handle to reach the connections while the server runs, and to stop it.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Accepts and serves connections until [`ServerHandle::shutdown`] or [`ServerHandle::stop`]. A failing connection, or a lack of file
    /// descriptors, does not end it.
    ///
    /// # Errors
    /// `InvalidInput` when the server was bound to `tls://` and has no TLS. An accept error is logged and tried
    /// again.
    ///
    /// # Cancel safety
    /// Dropping the future stops accepting; connections that exist go on.
    pub async fn serve(self, serve: impl IntoRouter) -> io::Result<()> {
        self.check_tls()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let router = Arc::new(serve.into_router());
        let Self {
            listener,
            common,
            gate,
            handle,
            ..
        } = self;
        debug!(address = ?listener.local_addr().ok(), "serving");
        while let Some(admitted) = handle.or_stopped(gate.admit(&listener, &handle)).await {
            let (handle, router, common) = (handle.clone(), Arc::clone(&router), common.clone());
            tokio::spawn(async move { run(handle, admitted, router, common).await });
        }
        debug!("no longer accepting");
        // New peers are told at once, not when the old ones have gone.
        drop(listener);
        handle.all_closed().await;
        Ok(())
    }

    /// Accepts one connection and serves it; for servers that look at each connection first. The connection lives as
    /// long as it has handles, like one that was made by connecting.
    ///
    /// Several tasks may accept at once, so that nobody waits for the handshake of another.
    ///
    /// # Errors
    /// [`ConnectError`] when the handshake failed, the server was stopped, or it was bound to `tls://` and has no TLS.
    /// A connection that failed before it was accepted, or a lack of file descriptors, is no error.
    ///
    /// # Cancel safety
    /// Dropping the future drops a connection whose handshake has begun.
    pub async fn accept(&self, serve: impl IntoRouter) -> Result<Connection, ConnectError> {
        self.check_tls()?;
        let Admitted {
            link,
            place,
            handshake,
        } = self
            .handle
            .or_stopped(self.gate.admit(&self.listener, &self.handle))
            .await
            .ok_or(ConnectError::ServerStopped)?;
        let (router, common) = (Arc::new(serve.into_router()), self.common.clone());
        let entered = |connection| (self.handle.register(&connection), place);
        let setup = Setup::new(router, common, entered);
        self.handle.on_accepted();
        let connection = link.start(self.handle.handshake(), setup).await;
        drop(handshake);
        connection.inspect_err(|_| self.handle.on_failed_handshake())
    }

    /// Bytes that were to be secret must not travel in the open.
    fn check_tls(&self) -> Result<(), AddressError> {
        match &self.without_tls {
            Some(error) if self.handle.handshake().is_none() => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

async fn run(handle: ServerHandle, admitted: Admitted, router: Arc<Router>, common: Common) {
    let Admitted {
        link,
        place,
        handshake,
    } = admitted;
    let peer = link.peer().peer_addr;
    handle.on_accepted();
    // The server keeps a handle: the connection is closed when its peer, or the server, wants it.
    let entered = |connection| (handle.register(&connection), connection, place);
    let started = link.start(handle.handshake(), Setup::new(router, common, entered));
    match handle.or_stopped(started).await {
        Some(Ok(_)) => {}
        Some(Err(error)) => {
            handle.on_failed_handshake();
            debug!(?peer, error = %chain(&error), "handshake failed");
        }
        None => debug!(?peer, "stopped during the handshake"),
    }
    drop(handshake);
}

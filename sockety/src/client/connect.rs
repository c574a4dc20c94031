use std::{fmt, io, marker::PhantomData, pin::Pin, sync::Arc};

use tokio::{net::TcpStream, time::timeout};

use super::reconnecting::Reconnecting;
#[cfg(not(unix))]
use crate::address::error::AddressProblem;
use crate::{
    address::{Address, Endpoint, Host, IntoAddress, error::AddressError},
    config::{budgets::Budgets, options::Options},
    connection::{Connection, service_client::ServiceClient},
    engine::common::Common,
    error::connect::ConnectError,
    serve::router::{IntoRouter, Router},
    transport::link::{Handshake, Link, Setup},
};

/// Connects to a server, over TCP, TLS or a Unix socket: the [`Address`] says which.
///
/// `tls://` without a configuration trusts whom the operating system trusts, see
/// `TlsClient::system_roots`; [`Connect`] has a method `tls` for any other configuration. Both need the feature `tls`.
///
/// The result is awaited as it is, or given options and services for the server to call first. A
/// generated client has its own `connect`, which returns the client.
///
/// ```no_run
/// # use sockety::{Options, serve::MessageHandler};
/// # async fn example() -> Result<(), sockety::error::ConnectError> {
/// let connection = sockety::connect("127.0.0.1:9000").await?;
/// let connection = sockety::connect(("localhost", 9000))
///     .serve(MessageHandler::new())
///     .options(Options::default())
///     .await?;
/// # Ok(())
/// # }
/// ```
pub fn connect(address: impl IntoAddress) -> Connect {
    Connect::new(address.into_address())
}

/// A connection to be made, or a client on it; see [`connect`].
#[must_use = "nothing is connected until this is awaited"]
pub struct Connect<C = Connection> {
    address: Result<Address, AddressError>,
    router: Arc<Router>,
    common: Common,
    #[cfg(feature = "_tls")]
    tls: Option<crate::tls::TlsClient>,
    client: PhantomData<fn() -> C>,
}

impl<C> Connect<C> {
    pub(crate) fn new(address: Result<Address, AddressError>) -> Self {
        Self {
            address,
            router: Arc::default(),
            common: Common::default(),
            #[cfg(feature = "_tls")]
            tls: None,
            client: PhantomData,
        }
    }

    /// What the server may call on this side.
    pub fn serve(mut self, serve: impl IntoRouter) -> Self {
        self.router = Arc::new(serve.into_router());
        self
    }

    /// Limits and clocks of the connection.
    pub fn options(mut self, options: Options) -> Self {
        self.common.set_options(options);
        self
    }

    /// Holds what it holds within these budgets, together with other connections that have them. By
    /// default each client has budgets that it shares with nobody.
    pub fn budgets(mut self, budgets: Budgets) -> Self {
        self.common.set_budgets(budgets);
        self
    }

    /// Speaks TLS, whatever the scheme of the address. The server's certificate must be one for the host that the
    /// address names, or for [`TlsClient::server_name`](crate::tls::TlsClient::server_name).
    #[cfg(feature = "_tls")]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "tls", feature = "tls-ring"))))]
    pub fn tls(mut self, tls: crate::tls::TlsClient) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Connects when a connection is needed, and again when it has ended.
    pub fn reconnecting(self) -> Reconnecting<C> {
        Reconnecting::new(self)
    }

    #[cfg(feature = "_tls")]
    fn handshake(&self, address: &Address) -> Result<Option<Handshake>, ConnectError> {
        let tls = match &self.tls {
            Some(tls) => tls.clone(),
            None if address.is_tls() => crate::tls::TlsClient::shared_system_roots()?,
            None => return Ok(None),
        };
        Ok(Some(tls.handshake_with(address)?))
    }

    #[cfg(not(feature = "_tls"))]
    fn handshake(&self, address: &Address) -> Result<Option<Handshake>, ConnectError> {
        match address.is_tls() {
            true => Err(address
                .error(crate::address::error::AddressProblem::NeedsTls)
                .into()),
            false => Ok(None),
        }
    }
}

impl<C> Connect<C> {
    pub(crate) async fn dial(&self) -> Result<Connection, ConnectError> {
        let address = self.address.as_ref().map_err(Clone::clone)?;
        let handshake = self.handshake(address)?;
        let limit = self.common.options.connect_timeout;
        let link = timeout(limit, open(address))
            .await
            .map_err(|_| ConnectError::TimedOut(address.clone(), limit))??;
        let (router, common) = (Arc::clone(&self.router), self.common.clone());
        let setup = Setup::new(router, common, drop).to(Some(address.server_name()));
        link.start(handshake, setup).await
    }
}

impl<C: Connected + 'static> IntoFuture for Connect<C> {
    type Output = Result<C, ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let connection = self.dial().await?;
            Ok(C::connected(connection))
        })
    }
}

impl<C> fmt::Debug for Connect<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("address", &self.address)
            .field("router", &self.router)
            .finish_non_exhaustive()
    }
}

/// What connecting returns: a connection, or a generated client.
pub trait Connected {
    /// From the connection made.
    fn connected(connection: Connection) -> Self;
}

impl Connected for Connection {
    fn connected(connection: Connection) -> Self {
        connection
    }
}

impl<C: ServiceClient> Connected for C {
    fn connected(connection: Connection) -> Self {
        C::new(connection)
    }
}

async fn open(address: &Address) -> Result<Link, ConnectError> {
    let opened = match address.endpoint() {
        Endpoint::Tcp(host) => open_tcp(host).await,
        #[cfg(unix)]
        Endpoint::Unix(path) => tokio::net::UnixStream::connect(path).await.map(Link::Unix),
        #[cfg(not(unix))]
        Endpoint::Unix(_) => return Err(address.error(AddressProblem::NeedsUnix).into()),
    };
    opened.map_err(|error| ConnectError::Unreachable(address.clone(), error))
}

/// Tries the addresses of a name in turn, and reports the last failure.
async fn open_tcp(host: &Host) -> io::Result<Link> {
    TcpStream::connect(&*host.resolve().await?)
        .await
        .map(Link::Tcp)
}

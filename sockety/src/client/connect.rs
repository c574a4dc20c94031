use std::{fmt, marker::PhantomData, pin::Pin, sync::Arc};

#[cfg(feature = "fleet")]
use tokio::time::timeout;

use super::{dial, reconnecting::Reconnecting};
use crate::{
    address::{
        Address,
        error::AddressError,
        list::{Addresses, IntoAddresses},
    },
    config::{budgets::Budgets, options::Options},
    connection::{Connection, service_client::ServiceClient},
    engine::common::Common,
    error::connect::{ConnectError, ConnectProblem},
    serve::router::{IntoRouter, Router},
    transport::link::{Handshake, Link, Setup},
};

/// Connects to a server, over TCP, TLS or a Unix socket: the [`Address`] says which.
///
/// `tls://` without a configuration trusts the root certificates of the operating system, see
/// `TlsClient::system_roots`; [`Connect`] has a method `tls` for any other configuration. Both need the feature `tls`.
///
/// Await the result, after setting options, or services for the server to call. A generated client has its own
/// `connect`, which returns the client.
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
///
/// # Several addresses
/// `connect` takes a list of addresses too, and a name may have several. They are tried in order, IPv6 and IPv4 addresses of one
/// name in turn: the next one 250 ms after the last, or at once when one fails. The first that answers is used, and the others
/// are dropped (RFC 8305). All attempts together may take [`Options::connect_timeout`]. The error says what each address
/// answered. TLS checks the name that belongs to the address in use.
///
/// ```no_run
/// # async fn example() -> Result<(), sockety::error::ConnectError> {
/// let connection = sockety::connect(["media-1.internal:9000", "media-2.internal:9000"]).await?;
/// # Ok(())
/// # }
/// ```
pub fn connect(address: impl IntoAddresses) -> Connect {
    Connect::new(address.into_addresses())
}

/// A connection to be made, or a client on it; see [`connect`].
#[must_use = "nothing is connected until this is awaited"]
pub struct Connect<C = Connection> {
    addresses: Result<Addresses, AddressError>,
    router: Arc<Router>,
    common: Common,
    #[cfg(feature = "_tls")]
    tls: Option<crate::tls::TlsClient>,
    on_connect: Option<OnConnect>,
    client: PhantomData<fn() -> C>,
}

/// What runs on a new connection before anybody gets it.
type OnConnect = Arc<dyn Fn(Connection) -> Running + Send + Sync>;

type Running = Pin<Box<dyn Future<Output = Result<(), ConnectProblem>> + Send>>;

impl<C> Connect<C> {
    pub(crate) fn new(addresses: Result<Addresses, AddressError>) -> Self {
        Self {
            addresses,
            router: Arc::default(),
            common: Common::default(),
            #[cfg(feature = "_tls")]
            tls: None,
            on_connect: None,
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

    /// Limits what the connection holds by these budgets, which it shares with other connections that have them. By
    /// default each client has separate budgets.
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

    /// Runs this on each new connection before the client is returned, for instance to authorize it. If it returns
    /// an error, connecting fails with [`ConnectProblem::OnConnect`], and the connection is closed.
    ///
    /// It has no time limit except those of its calls; in a fleet, it has
    /// [`Options::handshake_timeout`](crate::config::Options::handshake_timeout). It is dropped when the connection ends. It must not wait for
    /// the client that it makes way for. A second hook replaces the first.
    ///
    /// ```no_run
    /// # use sockety::service;
    /// # #[service]
    /// # trait Session { async fn sign_in(&self, token: String); }
    /// # #[service]
    /// # trait Media { async fn count(&self) -> u64; }
    /// # async fn example(token: String) {
    /// let media = MediaClient::connect("media.internal:9000")
    ///     .on_connect(move |connection| {
    ///         let token = token.clone();
    ///         async move { SessionClient::new(connection).sign_in(token).await }
    ///     })
    ///     .reconnecting();
    /// # }
    /// ```
    pub fn on_connect<F, Fut, E>(mut self, hook: F) -> Self
    where
        F: Fn(Connection) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.on_connect = Some(Arc::new(move |connection| {
            let running = hook(connection);
            Box::pin(async move {
                let result = running.await;
                result.map_err(|error| ConnectProblem::OnConnect(error.into()))
            })
        }));
        self
    }

    /// Connects when a connection is needed, and again when it has ended. [`Reconnecting::client`]
    /// returns a client that does so behind its methods.
    pub fn reconnecting(self) -> Reconnecting<C> {
        Reconnecting::new(self)
    }

    #[cfg(feature = "_tls")]
    fn handshake(
        &self,
        address: &Address,
        tls_name: Option<&str>,
    ) -> Result<Option<Handshake>, ConnectProblem> {
        let tls = match &self.tls {
            Some(tls) => tls.clone(),
            None if address.is_tls() => crate::tls::TlsClient::shared_system_roots()?,
            None => return Ok(None),
        };
        #[cfg(feature = "fleet")]
        let tls = match tls_name {
            Some(name) => tls.or_server_name(name)?,
            None => tls,
        };
        #[cfg(not(feature = "fleet"))]
        let _ = tls_name;
        Ok(Some(tls.handshake_with(address)?))
    }

    #[cfg(not(feature = "_tls"))]
    fn handshake(
        &self,
        address: &Address,
        _: Option<&str>,
    ) -> Result<Option<Handshake>, ConnectProblem> {
        match address.is_tls() {
            true => Err(address
                .error(crate::address::error::AddressProblem::NeedsTls)
                .into()),
            false => Ok(None),
        }
    }
}

/// Connections of a fleet, whose addresses come later.
#[cfg(feature = "fleet")]
impl<C> Connect<C> {
    /// Has no address of its own.
    pub(crate) fn template() -> Self {
        let none: [Address; 0] = [];
        Self::new(none.into_addresses())
    }

    /// Connects to this address, and waits until the server has begun to serve the connection: one that stops
    /// meanwhile may close it after its header, and calls would be lost. Then the hook has the time of a handshake: one that never ends
    /// would take one of a few places for ever.
    pub(crate) async fn dial_begun(
        &self,
        address: Address,
        tls_name: Option<&str>,
    ) -> Result<Connection, ConnectError> {
        let addresses = address.into();
        let (connection, _) = self.dial_to(&addresses, tls_name).await?;
        let limit = self.common.options.handshake_timeout;
        let problem = match timeout(limit, connection.shared().until_begun()).await {
            Ok(true) => match timeout(limit, self.run_hook(&connection)).await {
                Ok(Ok(())) => return Ok(connection),
                Ok(Err(problem)) => problem,
                Err(_) => ConnectProblem::OnConnect(format!("not ready within {limit:?}").into()),
            },
            Ok(false) => ConnectProblem::ClosedSilently,
            Err(_) => ConnectProblem::HandshakeTimedOut(limit),
        };
        Err(ConnectError::new(
            problem,
            addresses,
            connection.peer_addr(),
        ))
    }

    pub(crate) fn of_connections(self) -> Connect<Connection> {
        Connect {
            addresses: self.addresses,
            router: self.router,
            common: self.common,
            #[cfg(feature = "_tls")]
            tls: self.tls,
            on_connect: self.on_connect,
            client: PhantomData,
        }
    }

    /// The error of an attempt that has panicked.
    pub(crate) fn panicked(&self) -> ConnectError {
        ConnectProblem::OnConnect("panicked, or its runtime was shut down".into()).into()
    }
}

#[cfg(feature = "fleet")]
impl<C> Clone for Connect<C> {
    fn clone(&self) -> Self {
        Self {
            addresses: self.addresses.clone(),
            router: Arc::clone(&self.router),
            common: self.common.clone(),
            #[cfg(feature = "_tls")]
            tls: self.tls.clone(),
            on_connect: self.on_connect.clone(),
            client: PhantomData,
        }
    }
}

impl<C> Connect<C> {
    pub(crate) fn common(&self) -> &Common {
        &self.common
    }

    /// The error of an attempt that ended without a result.
    pub(super) fn failed(&self, problem: ConnectProblem) -> ConnectError {
        match &self.addresses {
            Ok(addresses) => ConnectError::new(problem, addresses.clone(), None),
            Err(error) => error.clone().into(),
        }
    }

    fn check(&self, address: &Address, tls_name: Option<&str>) -> Result<(), ConnectProblem> {
        #[cfg(not(unix))]
        if let crate::address::Endpoint::Unix(_) = address.endpoint() {
            let problem = crate::address::error::AddressProblem::NeedsUnix;
            return Err(address.error(problem).into());
        }
        self.handshake(address, tls_name).map(drop)
    }

    pub(crate) async fn dial(&self) -> Result<Connection, ConnectError> {
        let addresses = self.addresses.as_ref().map_err(AddressError::clone)?;
        let (connection, address) = self.dial_to(addresses, None).await?;
        match self.run_hook(&connection).await {
            Ok(()) => Ok(connection),
            Err(problem) => Err(ConnectError::new(problem, address, connection.peer_addr())),
        }
    }

    /// Connects to these addresses instead of its own, and returns which of them it was. The certificate must have this name, if there is
    /// one and the TLS configuration has none.
    pub(crate) async fn dial_to(
        &self,
        addresses: &Addresses,
        tls_name: Option<&str>,
    ) -> Result<(Connection, Address), ConnectError> {
        // Before anything is tried: an address that cannot be used is a mistake of the configuration.
        for address in addresses {
            let checked = self.check(address, tls_name);
            checked.map_err(|problem| ConnectError::new(problem, address.clone(), None))?;
        }
        let limit = self.common.options.connect_timeout;
        let dialled = dial::dial(addresses, limit).await;
        let (link, address) =
            dialled.map_err(|problem| ConnectError::new(problem, addresses.clone(), None))?;
        let peer_addr = link.peer_addr();
        let established = self.establish(link, address, tls_name).await;
        match established {
            Ok(connection) => Ok((connection, address.clone())),
            Err(problem) => Err(ConnectError::new(problem, address.clone(), peer_addr)),
        }
    }

    /// Makes a connection of a link to this address.
    async fn establish(
        &self,
        link: Link,
        address: &Address,
        tls_name: Option<&str>,
    ) -> Result<Connection, ConnectProblem> {
        let handshake = self.handshake(address, tls_name)?;
        let (router, common) = (Arc::clone(&self.router), self.common.clone());
        let setup = Setup::new(router, common, drop as fn(Connection));
        let setup = setup.to(Some(address.server_name()));
        start(link, handshake, setup).await
    }

    async fn run_hook(&self, connection: &Connection) -> Result<(), ConnectProblem> {
        let Some(hook) = &self.on_connect else {
            return Ok(());
        };
        tokio::select! {
            biased;
            result = hook(connection.clone()) => result,
            // Or all callers would wait for a hook that waits for what cannot come any more.
            ended = connection.closed() => Err(ConnectProblem::OnConnect(ended.into())),
        }
    }
}

/// Boxed by a function that is not generic, so that connections are compiled with the library, and not
/// again in each build of a program.
fn start(
    link: Link,
    handshake: Option<Handshake>,
    setup: Setup<fn(Connection)>,
) -> Pin<Box<dyn Future<Output = Result<Connection, ConnectProblem>> + Send>> {
    Box::pin(link.start(handshake, setup))
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
            .field("addresses", &self.addresses)
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

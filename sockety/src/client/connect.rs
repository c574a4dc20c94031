use std::{fmt, marker::PhantomData, pin::Pin, sync::Arc};

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
    error::connect::ConnectError,
    serve::router::{IntoRouter, Router},
    transport::link::{Handshake, Setup},
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
///
/// # Several addresses
/// A name may have several addresses, and a list may be given. They are tried in this order, families of one name in turn:
/// the next one 250 ms after the last, or at once when one fails. The first that answers wins, and the others are
/// dropped (RFC 8305). All of it has the time of [`Options::connect_timeout`], and the error says what each address answered.
/// TLS checks the name of the address that won.
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
    client: PhantomData<fn() -> C>,
}

impl<C> Connect<C> {
    pub(crate) fn new(addresses: Result<Addresses, AddressError>) -> Self {
        Self {
            addresses,
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
    fn check(&self, address: &Address) -> Result<(), ConnectError> {
        #[cfg(not(unix))]
        if let crate::address::Endpoint::Unix(_) = address.endpoint() {
            let problem = crate::address::error::AddressProblem::NeedsUnix;
            return Err(address.error(problem).into());
        }
        self.handshake(address).map(drop)
    }

    pub(crate) async fn dial(&self) -> Result<Connection, ConnectError> {
        let addresses = self.addresses.as_ref().map_err(Clone::clone)?;
        // Before anything is tried: an address that cannot be used is a mistake of the configuration.
        for address in addresses {
            self.check(address)?;
        }
        let limit = self.common.options.connect_timeout;
        let (link, address) = dial::dial(addresses, limit).await?;
        let handshake = self.handshake(address)?;
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

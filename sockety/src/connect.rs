use std::{fmt, io, marker::PhantomData, pin::Pin, sync::Arc};

use tokio::{net::TcpStream, time::timeout};

use crate::{
    Address, ConnectError, Connection, IntoRouter, Options, Router, ServiceClient,
    connection::shared::Peer,
};

/// Connects to a server over TCP.
///
/// The result is awaited as it is, or given options and services for the server to call first. A
/// generated client has a `connect` of its own, which gives the client.
///
/// ```no_run
/// # use sockety::{MessageHandler, Options};
/// # async fn example() -> Result<(), sockety::ConnectError> {
/// let connection = sockety::connect("127.0.0.1:9000").await?;
/// let connection = sockety::connect(("localhost", 9000))
///     .serve(MessageHandler::new())
///     .options(Options::default())
///     .await?;
/// # Ok(())
/// # }
/// ```
pub fn connect(address: impl Into<Address>) -> Connect {
    Connect::new(address.into())
}

/// A connection to be made, or a client on it; see [`connect`].
#[must_use = "nothing is connected until this is awaited"]
pub struct Connect<C = Connection> {
    address: Address,
    router: Router,
    options: Options,
    client: PhantomData<fn() -> C>,
}

impl<C> Connect<C> {
    pub(crate) fn new(address: Address) -> Self {
        let (router, options) = (Router::new(), Options::default());
        Self {
            address,
            router,
            options,
            client: PhantomData,
        }
    }

    /// What the server may call on this side.
    pub fn serve(mut self, serve: impl IntoRouter) -> Self {
        self.router = serve.into_router();
        self
    }

    /// Limits and clocks of the connection.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }
}

impl<C: Connected + 'static> IntoFuture for Connect<C> {
    type Output = Result<C, ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let connection = dial(&self.address, self.router, self.options).await?;
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

/// What connecting gives: a connection, or a generated client.
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

async fn dial(
    address: &Address,
    router: Router,
    options: Options,
) -> Result<Connection, ConnectError> {
    let limit = options.connect_timeout;
    let timed_out = |_| ConnectError::TimedOut(address.clone(), limit);
    let refused = |error| ConnectError::Unreachable(address.clone(), error);
    let stream = timeout(limit, open(address))
        .await
        .map_err(timed_out)?
        .map_err(refused)?;
    let peer = prepare(&stream).map_err(refused)?;
    let (connection, driver) =
        Connection::establish(stream, Arc::new(router), Arc::new(options), peer).await?;
    tokio::spawn(driver.run());
    Ok(connection)
}

/// Tries the addresses of a name in turn, and reports the last failure.
async fn open(address: &Address) -> io::Result<TcpStream> {
    TcpStream::connect(&*address.resolve().await?).await
}

/// A small message must not wait for an acknowledgement of the one before.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<Peer> {
    stream.set_nodelay(true)?;
    // A small message must not wait behind megabytes given to the kernel before either.
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_notsent_lowat(NOT_SENT_BYTES) {
        // Some sandboxes do not know it. Only latency beside bulk depends on it.
        tracing::debug!(%error, "TCP_NOTSENT_LOWAT not set");
    }
    Ok(Peer {
        peer_addr: stream.peer_addr().ok(),
        local_addr: stream.local_addr().ok(),
    })
}

/// How much the kernel takes beyond what the network does.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
const NOT_SENT_BYTES: u32 = 128 * 1024;

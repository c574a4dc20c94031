use std::{io, pin::Pin, sync::Arc};

use tokio::{
    net::{TcpStream, ToSocketAddrs},
    time::timeout,
};

use crate::{ConnectError, Connection, IntoRouter, Options, Router, connection::shared::Peer};

/// Connects to a server over TCP.
///
/// The result is awaited as it is, or given options and services for the server to call first.
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
pub fn connect<A: ToSocketAddrs>(address: A) -> Connect<A> {
    Connect {
        address,
        router: Router::new(),
        options: Options::default(),
    }
}

/// A connection to be made; see [`connect`].
#[derive(Debug)]
#[must_use = "nothing is connected until this is awaited"]
pub struct Connect<A> {
    address: A,
    router: Router,
    options: Options,
}

impl<A> Connect<A> {
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

impl<A: ToSocketAddrs + Send + 'static> IntoFuture for Connect<A> {
    type Output = Result<Connection, ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(dial(self.address, self.router, self.options))
    }
}

pub(crate) async fn dial<A: ToSocketAddrs>(
    address: A,
    router: Router,
    options: Options,
) -> Result<Connection, ConnectError> {
    let limit = options.connect_timeout;
    let stream = timeout(limit, TcpStream::connect(address))
        .await
        .map_err(|_| ConnectError::TimedOut(limit))??;
    let peer = prepare(&stream)?;
    let (connection, driver) =
        Connection::establish(stream, Arc::new(router), Arc::new(options), peer).await?;
    tokio::spawn(driver.run());
    Ok(connection)
}

/// A small message must not wait for an acknowledgement of the one before.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<Peer> {
    stream.set_nodelay(true)?;
    Ok(Peer {
        peer_addr: stream.peer_addr().ok(),
        local_addr: stream.local_addr().ok(),
    })
}

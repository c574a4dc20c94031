use std::{net::SocketAddr, sync::Arc};

use super::{
    faults::Faults,
    link::{Link, LinkEnd, link},
};
use crate::{
    config::options::Options,
    connection::Connection,
    engine::{common::Common, peer::Peer},
    error::connect::{ConnectError, ConnectProblem},
    serve::router::{IntoRouter, Router},
    transport::link::{Setup, start, within},
};

/// A client and a server in memory, with what each of them serves, their options, the faults of the
/// link between them, and what the server sees of the client.
///
/// ```
/// use sockety::{Context, service, testing::Pair};
///
/// #[service]
/// trait Who {
///     async fn am_i(&self, cx: &Context) -> String;
/// }
///
/// struct ByAddress;
///
/// impl Who for ByAddress {
///     async fn am_i(&self, cx: &Context) -> String {
///         cx.peer_addr().map_or("nobody".into(), |address| address.ip().to_string())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pair = Pair::new(WhoServer::new(ByAddress)).peer_addr(([192, 0, 2, 7], 5_000).into());
/// let who = WhoClient::new(pair.connect().await?.client);
/// assert_eq!(who.am_i().await?, "192.0.2.7");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "it does nothing until `connect` is called and awaited"]
pub struct Pair {
    client: Side,
    server: Side,
    /// What the server sees of the client.
    peer: Peer,
    to_server: Faults,
    to_client: Faults,
}

#[derive(Debug)]
struct Side {
    serves: Router,
    options: Options,
}

impl Pair {
    /// A server that serves this, and a client that serves nothing.
    pub fn new(serve: impl IntoRouter) -> Self {
        let side = |serves| Side {
            serves,
            options: Options::default(),
        };
        Self {
            client: side(Router::new()),
            server: side(serve.into_router()),
            peer: Peer::default(),
            to_server: Faults::new(),
            to_client: Faults::new(),
        }
    }

    /// Sets what the client serves.
    pub fn client_serves(mut self, serve: impl IntoRouter) -> Self {
        self.client.serves = serve.into_router();
        self
    }

    /// Sets the options of the client.
    pub fn client_options(mut self, options: Options) -> Self {
        self.client.options = options;
        self
    }

    /// Sets the options of the server.
    pub fn server_options(mut self, options: Options) -> Self {
        self.server.options = options;
        self
    }

    /// Sets what is wrong with each direction of the link (default: nothing).
    pub fn faults(mut self, to_server: Faults, to_client: Faults) -> Self {
        (self.to_server, self.to_client) = (to_server, to_client);
        self
    }

    /// Sets the address from which the client seems to come (default: none).
    pub fn peer_addr(mut self, address: SocketAddr) -> Self {
        self.peer.peer_addr = Some(address);
        self
    }

    /// Sets the identity that the client seems to have by its TLS certificate (default: none). There is no TLS, and
    /// nothing is checked. See [`PeerIdentity::from_pem`](crate::tls::PeerIdentity::from_pem).
    #[cfg(feature = "_tls")]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "tls", feature = "tls-ring"))))]
    pub fn peer_identity(mut self, identity: crate::tls::PeerIdentity) -> Self {
        self.peer.identity = Some(identity);
        self
    }

    /// Connects them.
    ///
    /// # Errors
    /// [`ConnectError`] of the client or the server, if the link breaks in the handshake.
    pub async fn connect(self) -> Result<Paired, ConnectError> {
        let (near, far) = link(self.to_server, self.to_client);
        let link = near.link();
        let (client, server) = tokio::try_join!(
            self.client.start(near, Peer::default()),
            self.server.start(far, self.peer),
        )?;
        Ok(Paired {
            client,
            server,
            link,
        })
    }
}

impl Side {
    async fn start(self, io: LinkEnd, peer: Peer) -> Result<Connection, ConnectProblem> {
        let common = Common::new(self.options);
        let limit = common.options.handshake_timeout;
        let setup = Setup::new(Arc::new(self.serves), common, drop);
        within(limit, start(io, peer, setup)).await
    }
}

/// A client and a server that are connected; made by [`Pair::connect`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Paired {
    /// The client's connection.
    pub client: Connection,
    /// The server's connection. Values that authorization would attach, a test attaches to its
    /// [`extensions`](Connection::extensions).
    pub server: Connection,
    /// The link between them.
    pub link: Link,
}

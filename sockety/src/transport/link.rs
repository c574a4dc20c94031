//! The links below connections: TCP and Unix sockets, with or without TLS on them.
//!
//! Each kind of link has a separate type of driver, so that reads and writes need no dispatch.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tracing::debug;

use super::{first_byte::Accepted, handshake::establish};
use crate::{
    address::ServerName,
    connection::Connection,
    engine::{common::Common, peer::Peer},
    error::connect::ConnectProblem,
    serve::router::Router,
    shown,
};

#[cfg(feature = "_tls")]
use crate::error::connect::unheard;
#[cfg(feature = "_tls")]
pub(crate) use crate::tls::handshake::Handshake;

/// An established link, before anything is sent on it.
#[derive(Debug)]
pub(crate) enum Link {
    /// With the address of the peer, which the system no longer tells when the peer has reset the
    /// link.
    Tcp(TcpStream, Option<SocketAddr>),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

/// The TLS handshake to come; there is none without the feature.
#[cfg(not(feature = "_tls"))]
pub(crate) enum Handshake {}

/// Everything but the link that a connection is made of.
pub(crate) struct Setup<K> {
    router: Arc<Router>,
    pub(crate) common: Common,
    /// The server that this side connects to; `None` if it accepts.
    server: Option<ServerName>,
    is_accepted: bool,
    /// Called with a handle on the connection. Its result is dropped when the connection has ended.
    keep: K,
}

impl<K> Setup<K> {
    pub(crate) fn new(router: Arc<Router>, common: Common, keep: K) -> Self {
        Self {
            router,
            common,
            server: None,
            is_accepted: false,
            keep,
        }
    }

    /// Of a server.
    pub(crate) fn accepting(mut self) -> Self {
        self.is_accepted = true;
        self
    }

    pub(crate) fn to(mut self, server: Option<ServerName>) -> Self {
        self.server = server;
        self
    }
}

impl Link {
    /// The address of the peer, if the link is one of TCP.
    pub(crate) fn peer_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(_, peer_addr) => *peer_addr,
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    pub(crate) fn peer(&self) -> Peer {
        match self {
            Self::Tcp(stream, peer_addr) => Peer {
                peer_addr: *peer_addr,
                local_addr: stream.local_addr().ok(),
                fails_whole: true,
                ..Peer::default()
            },
            #[cfg(unix)]
            Self::Unix(stream) => Peer {
                credentials: stream.peer_cred().ok(),
                fails_whole: true,
                ..Peer::default()
            },
        }
    }

    /// Establishes a connection to a server, which runs as a task. `handshake_timeout` limits all
    /// handshakes together.
    pub(crate) async fn start<K, G>(
        self,
        handshake: Option<Handshake>,
        setup: Setup<K>,
    ) -> Result<Connection, ConnectProblem>
    where
        K: FnOnce(Connection) -> G,
        G: Send + 'static,
    {
        let (limit, peer) = (setup.common.options.handshake_timeout, self.peer());
        match self {
            Self::Tcp(io, _) => {
                setup.common.options.tcp.apply(&io);
                within(limit, secure(io, handshake, peer, setup)).await
            }
            #[cfg(unix)]
            Self::Unix(io) => within(limit, secure(io, handshake, peer, setup)).await,
        }
    }
}

/// Establishes a connection of a server, which runs as a task. The caller limits the time.
pub(crate) async fn accept<IO, K, G>(
    io: IO,
    handshake: Option<Handshake>,
    peer: Peer,
    setup: Setup<K>,
) -> Result<Connection, ConnectProblem>
where
    IO: Accepted,
    K: FnOnce(Connection) -> G,
    G: Send + 'static,
{
    #[cfg(feature = "_tls")]
    let (io, handshake) = heard(io, handshake).await?;
    secure(io, handshake, peer, setup).await
}

/// Waits for the first byte of a client that is to speak TLS: one that leaves without a byte is no
/// failed handshake.
#[cfg(feature = "_tls")]
async fn heard<IO: Accepted>(
    mut io: IO,
    handshake: Option<Handshake>,
) -> Result<(IO, Option<Handshake>), ConnectProblem> {
    let Some(handshake) = handshake else {
        return Ok((io, None));
    };
    match io.first_byte().await {
        Ok(Some(first)) => Ok((io, Some(handshake.knowing(first)))),
        Ok(None) => Err(ConnectProblem::ClosedSilently),
        Err(error) => Err(unheard(error)),
    }
}

/// Limits the time of a handshake.
pub(crate) async fn within<T>(
    limit: Duration,
    handshake: impl Future<Output = Result<T, ConnectProblem>>,
) -> Result<T, ConnectProblem> {
    timeout(limit, handshake)
        .await
        .unwrap_or(Err(ConnectProblem::HandshakeTimedOut(limit)))
}

#[cfg(feature = "_tls")]
async fn secure<IO, K, G>(
    io: IO,
    handshake: Option<Handshake>,
    mut peer: Peer,
    setup: Setup<K>,
) -> Result<Connection, ConnectProblem>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    K: FnOnce(Connection) -> G,
    G: Send + 'static,
{
    let Some(handshake) = handshake else {
        return start(io, peer, setup).await;
    };
    let late_failure = handshake.late_failure();
    let (io, identity) = handshake.run(io).await?;
    peer.identity = identity;
    peer.fails_whole = false;
    // In TLS 1.3, a client has finished the handshake before the server refuses the client's
    // certificate.
    start(io, peer, setup).await.map_err(late_failure)
}

#[cfg(not(feature = "_tls"))]
async fn secure<IO, K, G>(
    io: IO,
    handshake: Option<Handshake>,
    peer: Peer,
    setup: Setup<K>,
) -> Result<Connection, ConnectProblem>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    K: FnOnce(Connection) -> G,
    G: Send + 'static,
{
    match handshake {
        None => start(io, peer, setup).await,
        Some(never) => match never {},
    }
}

/// Exchanges connection headers, and spawns the connection's driver.
pub(crate) async fn start<IO, K, G>(
    io: IO,
    mut peer: Peer,
    setup: Setup<K>,
) -> Result<Connection, ConnectProblem>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    K: FnOnce(Connection) -> G,
    G: Send + 'static,
{
    peer.server = setup.server;
    peer.is_accepted = setup.is_accepted;
    let (peer_addr, local_addr) = (peer.peer_addr, peer.local_addr);
    let (connection, driver) = establish(io, setup.router, setup.common, peer).await?;
    // Before the driver can log the end.
    debug!(
        peer = shown::address(peer_addr),
        local = shown::address(local_addr),
        "connection established"
    );
    let kept = (setup.keep)(connection.clone());
    tokio::spawn(async move {
        driver.run().await;
        drop(kept);
    });
    Ok(connection)
}

#[cfg(all(test, feature = "_tls"))]
mod tests {
    use tokio::{
        io::DuplexStream,
        time::{Instant, sleep},
    };

    use super::*;
    use crate::tls::{Identity, Roots, TlsClient, TlsServer};

    const SECOND: Duration = Duration::from_secs(1);

    fn ends() -> (TlsClient, TlsServer) {
        let made = rcgen::generate_simple_self_signed(["localhost".into()]).expect("made");
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let identity = Identity::from_pem(&certificate, key).expect("an identity");
        let roots = Roots::from_pem(certificate).expect("roots");
        (TlsClient::new(&roots), TlsServer::new(identity))
    }

    async fn serve(io: DuplexStream, tls: TlsServer) -> Result<Connection, ConnectProblem> {
        let setup = Setup::new(Arc::default(), Common::default(), drop);
        let limit = setup.common.options.handshake_timeout;
        let handshake = Some(tls.handshake());
        within(limit, secure(io, handshake, Peer::default(), setup)).await
    }

    /// The clock is that of the server, whose peer waits this long before TLS, and again after it.
    async fn time_until_it_gives_up(pause: Duration) -> Duration {
        let begun = Instant::now();
        let (tls_client, tls_server) = ends();
        let (near, far) = tokio::io::duplex(64 * 1024);
        let peer = tokio::spawn(async move {
            sleep(pause).await;
            let handshake = tls_client.handshake_with(&"localhost:1".parse().expect("an address"));
            let handshaken = handshake.expect("a name").run(far).await;
            sleep(60 * SECOND).await;
            handshaken.map(drop)
        });
        let error = serve(near, tls_server).await.expect_err("timed out");
        let is_timeout =
            matches!(error, ConnectProblem::HandshakeTimedOut(at) if at == 10 * SECOND);
        assert!(is_timeout, "{error:?}");
        peer.abort();
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn t_h2_all_handshakes_together_have_the_time_of_one() {
        for pause in [0, 6, 20] {
            let elapsed = time_until_it_gives_up(SECOND * pause).await;
            assert_eq!(elapsed.as_secs(), 10, "after a pause of {pause} s");
        }
    }
}

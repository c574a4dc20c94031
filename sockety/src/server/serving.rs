//! From a link to a connection of a server.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tokio::time::timeout;
use tracing::debug;

use super::{
    admission::{Gate, Permits},
    age::MaxAge,
    handle::ServerHandle,
};
use crate::{
    connection::Connection,
    engine::{common::Common, peer::Peer, warnings::text_of},
    error::connect::ConnectProblem,
    serve::router::Router,
    shown,
    transport::{
        first_byte::Accepted,
        link::{Link, Setup, accept, within},
    },
};

/// How long a handshake may take that was under way when the server was stopped. A client sends its header at once.
const LAST_HANDSHAKE: Duration = Duration::from_secs(1);

/// What all connections of a server have in common.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) router: Arc<Router>,
    pub(super) common: Common,
    pub(super) gate: Gate,
    #[cfg(feature = "proxy-protocol")]
    pub(super) proxy_protocol: Option<super::proxy_protocol::ProxyProtocol>,
    pub(super) max_age: Option<MaxAge>,
}

/// Who closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Only its peer or the server does: the server keeps a handle.
    Server,
    /// It is closed with its last handle.
    Caller,
}

impl Serving {
    pub(super) async fn establish_link(
        &self,
        handle: &ServerHandle,
        (link, permits): (Link, Permits),
        owner: Owner,
    ) -> Result<Connection, ConnectProblem> {
        let peer = link.peer();
        match link {
            Link::Tcp(io, _) => {
                self.common.options.tcp.apply(&io);
                self.establish(handle, io, peer, permits, owner).await
            }
            #[cfg(unix)]
            Link::Unix(io) => self.establish(handle, io, peer, permits, owner).await,
        }
    }

    /// Establishes a connection, unless the server is stopped meanwhile: then it has another second. A failure is
    /// counted and logged here.
    pub(super) async fn establish<IO: Accepted>(
        &self,
        handle: &ServerHandle,
        mut io: IO,
        mut peer: Peer,
        permits: Permits,
        owner: Owner,
    ) -> Result<Connection, ConnectProblem> {
        let mut address = peer.peer_addr;
        let Permits {
            connection: permit,
            handshake: until_established,
        } = permits;
        let limit = self.common.options.handshake_timeout;
        let mut is_counted = false;
        let under_way = handle.begin_handshake();
        let has_begun = AtomicBool::new(false);
        let is_in_proxy_header = AtomicBool::new(false);
        let establishing = within(
            limit,
            caught(async {
                has_begun.store(true, Ordering::Relaxed);
                self.read_proxy_header(&mut io, &mut address, &is_in_proxy_header)
                    .await?;
                peer.peer_addr = address;
                let host = self.gate.host_place(address)?;
                handle.on_accepted();
                is_counted = true;
                let entered = |connection: Connection| {
                    let entry = handle.register(&connection);
                    let aging = self.max_age.map(|max_age| max_age.begin(&connection));
                    let kept = (owner == Owner::Server).then_some(connection);
                    (entry, aging, kept, permit, host)
                };
                let (router, common) = (Arc::clone(&self.router), self.common.clone());
                let setup = Setup::new(router, common, entered).accepting();
                accept(io, handle.handshake(), peer, setup).await
            }),
        );
        let established = {
            let mut establishing = pin!(establishing);
            match handle.or_stopped(establishing.as_mut()).await {
                // The peer may have read the header of this side, and have sent messages since: they are executed like
                // all that come before the end.
                None if has_begun.load(Ordering::Relaxed) => {
                    timeout(LAST_HANDSHAKE, establishing).await.ok()
                }
                established => established,
            }
        };
        drop((until_established, under_way));
        let Some(established) = established else {
            debug!(
                peer = shown::address(address),
                "stopped during the handshake"
            );
            return Err(ConnectProblem::ServerStopped);
        };
        let established = established.map_err(|error| match error {
            #[cfg(feature = "proxy-protocol")]
            ConnectProblem::HandshakeTimedOut(within)
                if is_in_proxy_header.load(Ordering::Relaxed) =>
            {
                let peer = address;
                crate::error::proxy_protocol::ProxyProtocolError::Incomplete { peer, within }.into()
            }
            error => error,
        });
        established.inspect_err(|error| {
            // It failed before its host was known. Those of a host with too many are not accepted.
            if !is_counted && !matches!(error, ConnectProblem::AtLimit(_)) {
                handle.on_accepted();
            }
            self.on_failure(handle, address, error);
        })
    }

    /// Replaces the address of a proxy by that of its client.
    #[cfg(feature = "proxy-protocol")]
    async fn read_proxy_header(
        &self,
        io: &mut impl Accepted,
        address: &mut Option<SocketAddr>,
        is_reading: &AtomicBool,
    ) -> Result<(), ConnectProblem> {
        if let Some(proxies) = &self.proxy_protocol {
            let client = proxies.client_address(io, *address, is_reading).await?;
            *address = client.or(*address);
        }
        Ok(())
    }

    #[cfg(not(feature = "proxy-protocol"))]
    async fn read_proxy_header(
        &self,
        _: &mut impl Accepted,
        _: &mut Option<SocketAddr>,
        _: &AtomicBool,
    ) -> Result<(), ConnectProblem> {
        Ok(())
    }

    fn on_failure(&self, handle: &ServerHandle, peer: Option<SocketAddr>, error: &ConnectProblem) {
        match error {
            ConnectProblem::AtLimit(limit) => {
                handle.on_refused_connection(&self.common.warnings, peer, limit);
            }
            error => handle.on_failed_handshake(&self.common.warnings, peer, error),
        }
    }
}

/// A link that is given to the server may be any code. Its panic fails its handshake alone.
async fn caught<T>(
    establishing: impl Future<Output = Result<T, ConnectProblem>>,
) -> Result<T, ConnectProblem> {
    let mut establishing = pin!(establishing);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| establishing.as_mut().poll(cx)));
        polled.unwrap_or_else(|panic| {
            let text = format!("link panicked: {}", text_of(&*panic));
            Poll::Ready(Err(ConnectProblem::Io(io::Error::other(text))))
        })
    })
    .await
}

//! From a link to a connection of a server.

use std::{net::SocketAddr, sync::Arc};

use tracing::debug;

use super::{
    admission::{Gate, Permits},
    age::MaxAge,
    handle::ServerHandle,
};
use crate::{
    connection::Connection,
    engine::{common::Common, peer::Peer},
    error::connect::ConnectError,
    serve::router::Router,
    transport::{
        first_byte::Accepted,
        link::{Link, Setup, accept, within},
    },
};

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
    ) -> Result<Connection, ConnectError> {
        let peer = link.peer();
        match link {
            Link::Tcp(io) => {
                self.common.options.tcp.apply(&io);
                self.establish(handle, io, peer, permits, owner).await
            }
            #[cfg(unix)]
            Link::Unix(io) => self.establish(handle, io, peer, permits, owner).await,
        }
    }

    /// Establishes a connection, unless the server is stopped meanwhile. A failure is counted and
    /// logged here.
    pub(super) async fn establish<IO: Accepted>(
        &self,
        handle: &ServerHandle,
        mut io: IO,
        mut peer: Peer,
        permits: Permits,
        owner: Owner,
    ) -> Result<Connection, ConnectError> {
        let mut address = peer.peer_addr;
        let Permits {
            connection: permit,
            handshake: until_established,
        } = permits;
        let limit = self.common.options.handshake_timeout;
        let establishing = within(limit, async {
            self.read_proxy_header(&mut io, &mut address).await?;
            peer.peer_addr = address;
            let host = self.gate.host_place(address)?;
            handle.on_accepted();
            let entered = |connection: Connection| {
                let entry = handle.register(&connection);
                let aging = self.max_age.map(|max_age| max_age.begin(&connection));
                let kept = (owner == Owner::Server).then_some(connection);
                (entry, aging, kept, permit, host)
            };
            let (router, common) = (Arc::clone(&self.router), self.common.clone());
            let setup = Setup::new(router, common, entered).accepting();
            accept(io, handle.handshake(), peer, setup).await
        });
        let established = handle.or_stopped(establishing).await;
        drop(until_established);
        let Some(established) = established else {
            debug!(peer = ?address, "stopped during the handshake");
            return Err(ConnectError::ServerStopped);
        };
        established.inspect_err(|error| self.on_failure(handle, address, error))
    }

    /// Replaces the address of a proxy by that of its client.
    #[cfg(feature = "proxy-protocol")]
    async fn read_proxy_header(
        &self,
        io: &mut impl Accepted,
        address: &mut Option<SocketAddr>,
    ) -> Result<(), ConnectError> {
        if let Some(proxies) = &self.proxy_protocol {
            let client = proxies.client_address(io, *address).await?;
            *address = client.or(*address);
        }
        Ok(())
    }

    #[cfg(not(feature = "proxy-protocol"))]
    async fn read_proxy_header(
        &self,
        _: &mut impl Accepted,
        _: &mut Option<SocketAddr>,
    ) -> Result<(), ConnectError> {
        Ok(())
    }

    fn on_failure(&self, handle: &ServerHandle, peer: Option<SocketAddr>, error: &ConnectError) {
        match error {
            ConnectError::AtLimit(limit) => {
                handle.on_refused_connection();
                debug!(?peer, "connection refused: {limit}");
            }
            error => handle.on_failed_handshake(&self.common.warnings, peer, error),
        }
    }
}

//! Where the other side is, and who it is.

use crate::address::ServerName;
use std::net::SocketAddr;

/// Where the other side is, and who.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    pub(crate) peer_addr: Option<SocketAddr>,
    pub(crate) local_addr: Option<SocketAddr>,
    /// What this side connected to.
    pub(crate) server: Option<ServerName>,
    /// Whether a server of this side accepted the connection: its peer can connect again.
    pub(crate) is_accepted: bool,
    /// A write that fails has passed nothing on: so with sockets, but not with TLS, nor for certain
    /// with other links.
    pub(crate) fails_whole: bool,
    #[cfg(feature = "_tls")]
    pub(crate) identity: Option<crate::tls::PeerIdentity>,
    #[cfg(unix)]
    pub(crate) credentials: Option<tokio::net::unix::UCred>,
}

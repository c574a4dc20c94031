use super::Stats;

/// The connections of a server, and what their peers did; see
/// [`ServerHandle::stats`](crate::server::handle::ServerHandle::stats).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Current connections.
    pub connections: usize,
    /// Connections accepted since the server started, including those that failed.
    pub accepted: u64,
    /// Connections that ended before they were established: no Sockety peer, too slow, or refused.
    pub failed_handshakes: u64,
    /// Connections that ended before they brought a byte of the protocol, as the health checks of
    /// load balancers do. They do not count as failed handshakes.
    pub silent_connections: u64,
    /// Connections closed at once because their host had too many. They do not count as accepted.
    pub refused_connections: u64,
    /// Behaviour of peers that was tolerated, refused or cut off, on all connections since the
    /// server started.
    pub peers: Stats,
}

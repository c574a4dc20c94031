use super::Stats;

/// The connections of a server, and what their peers did; see [`ServerHandle::stats`](crate::server::handle::ServerHandle::stats).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Connections at this moment.
    pub connections: usize,
    /// Connections accepted since the server began, whatever became of them.
    pub accepted: u64,
    /// Those that ended before they were established: no Sockety peer, too slow, or refused.
    pub failed_handshakes: u64,
    /// Those closed at once, as their host had as many as it may: they are not accepted ones.
    pub refused_connections: u64,
    /// What of the peers was tolerated, refused or cut off, on all connections since the server began.
    pub peers: Stats,
}

//! Why a connection ended.

use super::{going_away::GoingAway, limit::LimitExceeded};
use sockety_codec::{Truncated, Violation};
use std::{io, sync::Arc, time::Duration};

/// Why a connection ended. Every request that waits on it gets a copy.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The connection was closed between messages.
    #[error("connection closed by {0}")]
    Closed(ClosedBy),
    /// The peer broke a rule of the protocol; the error names it.
    #[error("peer broke the protocol")]
    Protocol(#[source] Violation),
    /// The peer's bytes ended inside a message.
    #[error("connection ended inside a message")]
    Truncated(#[source] Truncated),
    /// The peer accepted no data for this time.
    #[error("peer stopped reading: no data accepted for {0:?}")]
    WriteStalled(Duration),
    /// The peer sent nothing for this time, not even a heartbeat.
    #[error("no data received from peer for {0:?}")]
    Idle(Duration),
    /// The peer exceeded a limit.
    #[error("peer exceeded a limit")]
    Limit(#[source] LimitExceeded),
    /// The peer ended the connection because something was wrong, and said what: this side broke
    /// the protocol or exceeded a limit, or the peer is overloaded. An end in order is
    /// [`Closed`](Self::Closed).
    #[error("peer ended the connection")]
    EndedByPeer(#[source] Arc<GoingAway>),
    /// The operating system reported an error, or the link was reset.
    #[error("connection failed")]
    Io(#[source] Arc<io::Error>),
}

impl ConnectionError {
    /// Whether another connection may last longer without a change by people.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Closed(_)
            | Self::Truncated(_)
            | Self::WriteStalled(_)
            | Self::Idle(_)
            | Self::Io(_) => true,
            Self::EndedByPeer(why) => why.is_passing(),
            Self::Protocol(_) | Self::Limit(_) => false,
        }
    }
}

impl From<LimitExceeded> for ConnectionError {
    fn from(limit: LimitExceeded) -> Self {
        Self::Limit(limit)
    }
}

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

/// Which side closed a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClosedBy {
    /// This side: [`Connection::close`](crate::connection::Connection::close), a stopped server, or
    /// the last handle was dropped.
    Local,
    /// The other side, which said so before (Go Away).
    Peer,
    /// The other side, without a Go Away: its process has died, or a device in between has ended
    /// the connection. An implementation may also never say Go Away.
    PeerWithoutGoAway,
}

impl std::fmt::Display for ClosedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Local => "this side",
            Self::Peer => "the peer",
            Self::PeerWithoutGoAway => "the peer without Go Away",
        })
    }
}

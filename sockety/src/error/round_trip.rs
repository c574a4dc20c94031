//! Why the time to the peer and back could not be measured.

use std::{net::SocketAddr, sync::Arc};

use super::{connection::ConnectionError, peer::To};

/// Why [`Connection::round_trip`](crate::connection::Connection::round_trip) measured nothing.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RoundTripError {
    /// The connection does not use the extension, so its peer answers no ping; see
    /// [`Connection::is_extended`](crate::connection::Connection::is_extended).
    #[error("peer answers no ping: the connection does not use the extension")]
    NotSupported,
    /// The handle is one that [reconnects](crate::client::Reconnecting::client), and has no
    /// connection now.
    #[error("no connection")]
    NotConnected,
    /// The connection ended before the peer answered.
    #[error("connection{} is gone", To(peer))]
    Disconnected {
        /// The address of the peer, if the connection was one of TCP.
        peer: Option<Arc<SocketAddr>>,
        /// Why it ended.
        #[source]
        error: ConnectionError,
    },
}

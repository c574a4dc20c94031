//! What is wrong with the PROXY protocol header of a connection.

use std::{net::SocketAddr, time::Duration};

/// Why a server refused a connection for its PROXY protocol header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyProtocolError {
    /// A header from a peer that is in none of the networks of proxies: anybody could name any
    /// address.
    #[error(
        "PROXY protocol header from {}, which is no known proxy: if it is one, {}",
        shown(*peer),
        remedy(*peer)
    )]
    Untrusted {
        /// The address of the socket. `None` for Unix sockets and for links without an address.
        peer: Option<SocketAddr>,
    },
    /// No header from a proxy.
    #[error(
        "no PROXY protocol header from {}: make the proxy send one, or allow connections \
         without it with ProxyProtocol::optional", shown(*peer)
    )]
    Missing {
        /// The address of the proxy, if it has one.
        peer: Option<SocketAddr>,
    },
    /// A header that was not complete within
    /// [`Options::handshake_timeout`](crate::Options::handshake_timeout).
    #[error("PROXY protocol header from {} is incomplete after {within:?}", shown(*peer))]
    Incomplete {
        /// The address of the proxy, if it has one.
        peer: Option<SocketAddr>,
        /// The time limit.
        within: Duration,
    },
    /// A header that is longer than this server reads.
    #[error("PROXY protocol header from {} is too long: maximum is {max} bytes", shown(*peer))]
    TooLong {
        /// The address of the proxy, if it has one.
        peer: Option<SocketAddr>,
        /// In bytes: 107 for version 1. For version 2, what may follow the first 16 bytes.
        max: usize,
    },
    /// A header that breaks the PROXY protocol.
    #[error("malformed PROXY protocol header from {}", shown(*peer))]
    Malformed {
        /// The address of the proxy, if it has one.
        peer: Option<SocketAddr>,
    },
}

fn shown(peer: Option<SocketAddr>) -> String {
    match peer {
        Some(peer) => peer.to_string(),
        None => "a peer without an IP address".to_owned(),
    }
}

fn remedy(peer: Option<SocketAddr>) -> &'static str {
    match peer {
        Some(_) => "add its network to ProxyProtocol::from_networks",
        None => "add ProxyProtocol::with_unix_sockets",
    }
}

//! What is wrong with the PROXY protocol header of a connection.

use std::net::SocketAddr;

/// Why a server refused a connection for its PROXY protocol header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyProtocolError {
    /// A header from a peer that is in none of the networks of proxies: anybody could name any
    /// address.
    #[error(
        "PROXY protocol header from {}, which is no known proxy: add its network to \
         ProxyProtocol::from_networks if it is one", shown(*peer)
    )]
    Untrusted {
        /// The address of the socket. `None` for Unix sockets and for links without an address.
        peer: Option<SocketAddr>,
    },
    /// No header from a proxy.
    #[error(
        "no PROXY protocol header from {peer}: make the proxy send one, or allow connections \
         without it with ProxyProtocol::optional"
    )]
    Missing {
        /// The address of the proxy.
        peer: SocketAddr,
    },
    /// A header that is longer than this server reads.
    #[error("PROXY protocol header from {peer} is too long: maximum is {max} bytes")]
    TooLong {
        /// The address of the proxy.
        peer: SocketAddr,
        /// In bytes: 107 for version 1. For version 2, what may follow the first 16 bytes.
        max: usize,
    },
    /// A header that breaks the PROXY protocol.
    #[error("malformed PROXY protocol header from {peer}")]
    Malformed {
        /// The address of the proxy.
        peer: SocketAddr,
    },
}

fn shown(peer: Option<SocketAddr>) -> String {
    match peer {
        Some(peer) => peer.to_string(),
        None => "a peer without an IP address".to_owned(),
    }
}

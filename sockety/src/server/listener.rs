use std::{io, net::SocketAddr};

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

#[cfg(unix)]
use super::socket_file::{self, SocketFile};
#[cfg(not(unix))]
use crate::address::error::AddressProblem;
use crate::{
    address::{Address, Endpoint},
    transport::link::Link,
};

/// The error of listening on an address; the kind is that of the cause.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
struct Unbound {
    address: Address,
    #[source]
    error: io::Error,
}

/// A listening socket.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix {
        listener: UnixListener,
        /// Removed with the listener, unless it was made by others.
        _file: Option<SocketFile>,
    },
}

impl Listener {
    pub(super) async fn bind(address: &Address) -> io::Result<Self> {
        let bound = match address.endpoint() {
            Endpoint::Tcp(host) => async { TcpListener::bind(&*host.resolve().await?).await }
                .await
                .map(Self::Tcp),
            #[cfg(unix)]
            Endpoint::Unix(path) => socket_file::bind(path)
                .await
                .map(|(listener, _file)| Self::Unix { listener, _file }),
            #[cfg(not(unix))]
            Endpoint::Unix(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                address.error(AddressProblem::NeedsUnix),
            )),
        };
        bound.map_err(|error| {
            let address = address.clone();
            io::Error::new(error.kind(), Unbound { address, error })
        })
    }

    pub(super) async fn accept(&self) -> io::Result<Link> {
        match self {
            Self::Tcp(listener) => Ok(Link::Tcp(listener.accept().await?.0)),
            #[cfg(unix)]
            Self::Unix { listener, .. } => Ok(Link::Unix(listener.accept().await?.0)),
        }
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr(),
            #[cfg(unix)]
            Self::Unix { .. } => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a Unix socket has a path instead of a socket address",
            )),
        }
    }
}

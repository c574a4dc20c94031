use std::{
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    task::Poll,
};

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

#[cfg(unix)]
use super::socket_file::{self, SocketFile};
#[cfg(not(unix))]
use crate::address::error::AddressProblem;
use crate::{
    address::{Address, Endpoint},
    error::chain::chain,
    transport::link::Link,
};

/// The error of listening on an address; the kind is that of the cause.
#[derive(thiserror::Error)]
#[error("cannot listen on {address}")]
struct Unbound {
    address: Address,
    #[source]
    error: io::Error,
}

impl fmt::Debug for Unbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&chain(self), f)
    }
}

/// The listening sockets of a server; it may have none.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    all: Vec<Listener>,
    /// Which of them is asked first. It moves on, so that a busy one cannot keep the others from
    /// being asked.
    first: AtomicUsize,
}

impl Listeners {
    pub(super) fn add(&mut self, listener: Listener) {
        self.all.push(listener);
    }

    pub(super) fn append(&mut self, mut others: Self) {
        self.all.append(&mut others.all);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Accepts from any of them; waits forever if there is none.
    pub(super) async fn accept(&self) -> io::Result<Link> {
        match &self.all[..] {
            [listener] => listener.accept().await,
            listeners => first_of(listeners, self.first.fetch_add(1, Ordering::Relaxed)).await,
        }
    }

    /// The address of the first one.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self.all.first() {
            Some(listener) => listener.local_addr(),
            None => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the server listens nowhere",
            )),
        }
    }
}

/// Several tasks may accept at a time, so each has its own futures: a listener that is polled
/// directly wakes only the last task that did so.
async fn first_of(listeners: &[Listener], first: usize) -> io::Result<Link> {
    let (before, after) = listeners.split_at(first % listeners.len().max(1));
    let mut accepting: Vec<_> = after
        .iter()
        .chain(before)
        .map(|listener| Box::pin(listener.accept()))
        .collect();
    poll_fn(|cx| {
        let mut ready = accepting
            .iter_mut()
            .map(|accepting| accepting.as_mut().poll(cx));
        ready.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
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

    async fn accept(&self) -> io::Result<Link> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok(Link::Tcp(stream, Some(peer)))
            }
            #[cfg(unix)]
            Self::Unix { listener, .. } => Ok(Link::Unix(listener.accept().await?.0)),
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
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

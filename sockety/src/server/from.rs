//! Servers from listeners that are bound already.

use std::io;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use super::{Server, listener::Listener};

impl From<TcpListener> for Server {
    fn from(listener: TcpListener) -> Self {
        Self::with(Listener::Tcp(listener))
    }
}

/// Sets the listener to non-blocking mode. Processes that share an inherited listener share its
/// mode.
///
/// # Errors
/// Those of the operating system.
///
/// # Panics
/// Outside a tokio runtime.
impl TryFrom<std::net::TcpListener> for Server {
    type Error = io::Error;

    fn try_from(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener).map(Self::from)
    }
}

/// The socket's file, if it has one, is not removed when the server has stopped.
#[cfg(unix)]
impl From<UnixListener> for Server {
    fn from(listener: UnixListener) -> Self {
        Self::with(Listener::Unix {
            listener,
            _file: None,
        })
    }
}

/// Like that of a TCP listener. The socket's file, if it has one, is not removed when the server
/// has stopped.
///
/// # Errors
/// Those of the operating system.
///
/// # Panics
/// Outside a tokio runtime.
#[cfg(unix)]
impl TryFrom<std::os::unix::net::UnixListener> for Server {
    type Error = io::Error;

    fn try_from(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        UnixListener::from_std(listener).map(Self::from)
    }
}

//! Servers from listeners that are bound already.

use std::io;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use super::{Server, listener::Listener};

/// What [`Server::listen_on`] takes: a `TcpListener` or `UnixListener` of tokio or std.
///
/// The trait is sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a bound listener",
    label = "pass a `TcpListener` or `UnixListener` of tokio or std; addresses go to `listen`"
)]
pub trait IntoListener: sealed::Sealed {}

mod sealed {
    #[expect(unnameable_types, reason = "nobody else is to implement it")]
    pub trait Sealed {
        fn into_server(self) -> std::io::Result<super::Server>;
    }
}

impl Server {
    /// Listens on one more listener, which is bound already: one that a service manager passed to
    /// the process, or one with options that [`listen`](Self::listen) does not set. The file of a
    /// Unix socket is not removed when the server has stopped. A listener of std is set to
    /// non-blocking mode, which processes that share it have in common.
    ///
    /// ```no_run
    /// # use sockety::Server;
    /// # fn example(
    /// #     public: std::net::TcpListener,
    /// #     local: tokio::net::TcpListener,
    /// # ) -> std::io::Result<()> {
    /// let server = Server::new().listen_on(public)?.listen_on(local)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the operating system, and `InvalidInput` for a socket that does not listen, such as a
    /// connection that a service manager passed; Linux says whether a socket does. The listeners that
    /// it had are closed.
    ///
    /// # Panics
    /// With a listener of std, outside a tokio runtime.
    pub fn listen_on(mut self, listener: impl IntoListener) -> io::Result<Self> {
        self.listeners.append(listener.into_server()?.listeners);
        Ok(self)
    }
}

impl IntoListener for TcpListener {}

impl sealed::Sealed for TcpListener {
    fn into_server(self) -> io::Result<Server> {
        check(&self, || self.local_addr().map(|it| it.to_string()))?;
        Ok(self.into())
    }
}

impl IntoListener for std::net::TcpListener {}

impl sealed::Sealed for std::net::TcpListener {
    fn into_server(self) -> io::Result<Server> {
        self.try_into()
    }
}

#[cfg(unix)]
impl IntoListener for UnixListener {}

#[cfg(unix)]
impl sealed::Sealed for UnixListener {
    fn into_server(self) -> io::Result<Server> {
        check(&self, || {
            self.local_addr().map(|it| unix_name(it.as_pathname()))
        })?;
        Ok(self.into())
    }
}

#[cfg(unix)]
impl IntoListener for std::os::unix::net::UnixListener {}

#[cfg(unix)]
impl sealed::Sealed for std::os::unix::net::UnixListener {
    fn into_server(self) -> io::Result<Server> {
        self.try_into()
    }
}

impl From<TcpListener> for Server {
    fn from(listener: TcpListener) -> Self {
        Self::with(Listener::Tcp(listener))
    }
}

/// Sets the listener to non-blocking mode. Processes that share an inherited listener share its
/// mode.
///
/// # Errors
/// Those of the operating system, and `InvalidInput` for a socket that does not listen.
///
/// # Panics
/// Outside a tokio runtime.
impl TryFrom<std::net::TcpListener> for Server {
    type Error = io::Error;

    fn try_from(listener: std::net::TcpListener) -> io::Result<Self> {
        check(&listener, || listener.local_addr().map(|it| it.to_string()))?;
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
/// Those of the operating system, and `InvalidInput` for a socket that does not listen.
///
/// # Panics
/// Outside a tokio runtime.
#[cfg(unix)]
impl TryFrom<std::os::unix::net::UnixListener> for Server {
    type Error = io::Error;

    fn try_from(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        check(&listener, || {
            listener.local_addr().map(|it| unix_name(it.as_pathname()))
        })?;
        listener.set_nonblocking(true)?;
        UnixListener::from_std(listener).map(Self::from)
    }
}

/// Fails for a socket that does not listen, where the system says so: accepting on it would wait for
/// ever, or fail again and again.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn check(
    socket: &impl std::os::fd::AsFd,
    name: impl FnOnce() -> io::Result<String>,
) -> io::Result<()> {
    if socket2::SockRef::from(socket).is_listener()? {
        return Ok(());
    }
    let text = format!("{} is not a listening socket", name()?);
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn check<T>(_: &T, _: impl FnOnce() -> io::Result<String>) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn unix_name(path: Option<&std::path::Path>) -> String {
    path.map_or_else(
        || "unnamed Unix socket".to_owned(),
        |path| format!("unix://{}", path.display()),
    )
}

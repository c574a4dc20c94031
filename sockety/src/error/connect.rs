//! Why no connection was made.

use crate::{
    address::{Address, Endpoint, Host, error::AddressError, list::Addresses},
    error::{connection::ConnectionError, send::SendError},
};
use sockety_codec::Violation;
use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// A connection that could not be made.
///
/// Its text names the address that this side connected to, and is the [`problem`](Self::problem)
/// alone where this side accepts a connection, or where there is no address.
///
/// ```
/// # use sockety::error::ConnectProblem;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let error = sockety::connect("localhost:1").await.unwrap_err();
/// match error.problem() {
///     ConnectProblem::Unreachable(_) => println!("not reachable: {error}"),
///     _ => println!("{error}"),
/// }
/// assert_eq!(error.to_string(), "cannot connect to localhost:1");
/// # }
/// ```
pub struct ConnectError {
    problem: ConnectProblem,
    /// `None` if this side accepts, or if the text is no address.
    to: Option<Box<Dialled>>,
}

/// What this side connected to.
struct Dialled {
    /// As the user wrote them.
    addresses: Addresses,
    /// The one that answered, if it is one of TCP.
    peer_addr: Option<SocketAddr>,
}

impl ConnectError {
    pub(crate) fn new(
        problem: ConnectProblem,
        addresses: impl Into<Addresses>,
        peer_addr: Option<SocketAddr>,
    ) -> Self {
        let addresses = addresses.into();
        Self {
            problem,
            to: Some(Box::new(Dialled {
                addresses,
                peer_addr,
            })),
        }
    }

    /// Returns why there is no connection.
    pub fn problem(&self) -> &ConnectProblem {
        &self.problem
    }

    /// Returns the addresses that this side connected to, as they were passed: all that were tried if
    /// none answered, otherwise the one that did. `None` if this side accepted the connection or was
    /// passed a link, or if the text is no address.
    pub fn addresses(&self) -> Option<&Addresses> {
        self.to.as_ref().map(|to| &to.addresses)
    }

    /// Returns the address of the peer that answered, if it did over TCP, and this side connected.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.to.as_ref()?.peer_addr
    }

    /// Whether another attempt may succeed without a change by people.
    pub(crate) fn is_passing(&self) -> bool {
        self.problem.is_passing()
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.to, &self.problem) {
            // Its text has the address.
            (None, problem) | (_, problem @ ConnectProblem::Address(_)) => problem.fmt(f),
            // Its text says no more than this.
            (Some(to), ConnectProblem::Unreachable(_)) => write!(f, "cannot connect to {to}"),
            (Some(to), problem) => write!(f, "cannot connect to {to}: {problem}"),
        }
    }
}

impl fmt::Display for Dialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.addresses.fmt(f)?;
        let says = |address: &Address, peer_addr| matches!(address.endpoint(), Endpoint::Tcp(Host::Number(number)) if *number == peer_addr);
        match self.peer_addr {
            Some(peer_addr) if !self.addresses.iter().any(|it| says(it, peer_addr)) => {
                write!(f, " ({peer_addr})")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The text has that of the problem.
        self.problem.source()
    }
}

impl From<ConnectProblem> for ConnectError {
    fn from(problem: ConnectProblem) -> Self {
        Self { problem, to: None }
    }
}

impl From<AddressError> for ConnectError {
    fn from(error: AddressError) -> Self {
        ConnectProblem::from(error).into()
    }
}

/// Why no connection could be made.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ConnectProblem {
    /// The text is no address, or the address cannot be used here.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The TLS configuration cannot be used, or the system has no root certificates.
    #[cfg(feature = "_tls")]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "tls", feature = "tls-ring"))))]
    #[error("invalid TLS configuration")]
    TlsConfig(#[from] crate::error::tls::TlsError),
    /// No address could be resolved, or nothing listens there. If several were tried, the source says
    /// what each of them answered.
    #[error("cannot connect")]
    Unreachable(#[source] io::Error),
    /// No connection within [`Options::connect_timeout`](crate::config::Options::connect_timeout).
    /// The source says what each address answered.
    #[error("timed out after {0:?}")]
    TimedOut(Duration, #[source] io::Error),
    /// The TLS handshake failed, or the peer refused the certificate of this side. The source has
    /// the error of rustls.
    #[error("TLS handshake failed")]
    Tls(#[source] io::Error),
    /// The peer closed during the TLS handshake, without saying why.
    #[error(
        "peer closed during the TLS handshake: it may not speak TLS, or have refused the certificate \
         of this side"
    )]
    ClosedDuringTls(#[source] io::Error),
    /// The peer does not speak TLS: its first bytes are something else.
    #[error("peer does not speak TLS: {hint}")]
    NotTls {
        /// What the peer probably speaks, and what to change.
        hint: &'static str,
        /// The error of rustls.
        #[source]
        source: io::Error,
    },
    /// The peer closed after the TLS handshake, and before its connection header was complete. In
    /// TLS 1.3 a server can refuse the certificate of this side only then; some servers close
    /// without saying so.
    #[error(
        "peer closed after the TLS handshake: it may have refused the certificate of this side, \
         or require one"
    )]
    ClosedAfterTls,
    /// The peer did not agree by ALPN to speak `sockety/1`, which was required.
    #[error("peer did not negotiate sockety/1 by ALPN")]
    NoAlpn,
    /// Connected, but the TLS handshake or the peer's connection header was not complete within
    /// [`Options::handshake_timeout`](crate::config::Options::handshake_timeout).
    #[error("no connection header from peer within {0:?}")]
    HandshakeTimedOut(Duration),
    /// The connection failed before the peer's connection header was complete.
    #[error("connection failed before it was established")]
    Io(#[source] io::Error),
    /// The peer's first bytes are not those of a Sockety peer.
    #[error("peer does not speak Sockety")]
    Handshake(#[source] Violation),
    /// The peer closed before its connection header was complete.
    #[error("peer closed before its connection header was complete")]
    Closed,
    /// The peer closed before it sent anything: a health check, or a server that is at its limit of
    /// connections or is stopping.
    #[error(
        "peer closed before it sent anything: it may be stopping, or at its limit of connections"
    )]
    ClosedSilently,
    /// The peer does not have the negotiated extension, which
    /// [`Extension::Require`](crate::config::Extension::Require) asks for.
    #[error("peer does not offer the extension, which is required")]
    NoExtension,
    /// The hook that [`Connect::on_connect`](crate::client::Connect::on_connect) set returned an error.
    #[error("hook on the new connection failed")]
    OnConnect(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server that was to accept refused the PROXY protocol header, or there was none.
    #[cfg(feature = "proxy-protocol")]
    #[error(transparent)]
    ProxyProtocol(#[from] crate::error::proxy_protocol::ProxyProtocolError),
    /// The server that was to accept has been stopped.
    #[error("server was stopped")]
    ServerStopped,
    /// The server that was to accept has too many connections.
    #[error("connection refused")]
    AtLimit(#[source] ServerLimit),
}

/// A limit of a server that another connection would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerLimit {
    /// [`Server::max_connections_per_host`](crate::server::Server::max_connections_per_host).
    #[error("host {0} has too many connections")]
    OfHost(IpAddr),
}

impl ConnectProblem {
    /// Whether another attempt may succeed without a change by people.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(..)
            | Self::TimedOut(..)
            | Self::HandshakeTimedOut(_)
            | Self::Io(_)
            | Self::Closed
            | Self::ClosedSilently
            | Self::ClosedDuringTls(_)
            | Self::ClosedAfterTls
            | Self::AtLimit(_) => true,
            Self::Tls(error) => is_gone(error),
            Self::OnConnect(error) => is_loss(&**error),
            #[cfg(feature = "_tls")]
            Self::TlsConfig(_) => false,
            #[cfg(feature = "proxy-protocol")]
            Self::ProxyProtocol(_) => false,
            Self::Address(_)
            | Self::NotTls { .. }
            | Self::NoAlpn
            | Self::NoExtension
            | Self::Handshake(_)
            | Self::ServerStopped => false,
        }
    }
}

/// Whether the error of a hook comes from the end of its connection, and not from what its peer
/// answered.
fn is_loss(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut errors = std::iter::successors(Some(error), |error| error.source());
    errors.any(|error| {
        let ended = error.downcast_ref::<ConnectionError>();
        let is_lost = ended.is_some_and(ConnectionError::is_passing);
        let unsent = error.downcast_ref::<SendError>();
        is_lost || matches!(unsent, Some(SendError::PeerGoingAway))
    })
}

impl From<io::Error> for ConnectProblem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The error of a link on which the peer has sent nothing yet.
pub(crate) fn unheard(error: io::Error) -> ConnectProblem {
    if is_gone(&error) {
        ConnectProblem::ClosedSilently
    } else {
        error.into()
    }
}

/// Whether the peer has closed the link.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof
    )
}

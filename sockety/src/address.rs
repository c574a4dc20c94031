pub(crate) mod error;
mod into;
pub(crate) mod list;

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use tokio::net::lookup_host;

use self::error::{AddressError, AddressProblem};
pub use self::into::IntoAddress;

/// Where a peer is or a server listens.
///
/// | Text | Means |
/// | --- | --- |
/// | `host:port`, `tcp://host:port` | TCP |
/// | `tls://host:port` | TLS over TCP |
/// | `unix://path` | a Unix socket: `unix:///run/app.sock` has the path `/run/app.sock` |
///
/// A host is a name, an IPv4 address, or an IPv6 address in brackets.
///
/// [`str::parse`] returns the address of a text, or what is wrong with it.
/// [`connect`](crate::connect) and [`Server::bind`](crate::Server::bind) also take texts, see
/// [`IntoAddress`]; `connect` takes lists, too.
///
/// ```
/// # use std::net::Ipv6Addr;
/// use sockety::{Address, error::AddressProblem};
///
/// let address: Address = "tcp://localhost:9000".parse().unwrap();
/// assert_eq!(address.to_string(), "localhost:9000");
/// let address = Address::from((Ipv6Addr::LOCALHOST.into(), 9000));
/// assert_eq!(address.to_string(), "[::1]:9000");
///
/// let error = "localhost".parse::<Address>().unwrap_err();
/// assert_eq!(error.problem(), AddressProblem::NoPort);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address(Kind);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Kind {
    Tcp(Host),
    Tls(Host),
    Unix(PathBuf),
}

/// A host and a port, for TCP.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    Number(SocketAddr),
    Name(Box<str>, u16),
}

/// What the operating system is asked to connect to, or to bind.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Endpoint<'a> {
    Tcp(&'a Host),
    Unix(&'a Path),
}

impl Address {
    pub(crate) fn endpoint(&self) -> Endpoint<'_> {
        match &self.0 {
            Kind::Tcp(host) | Kind::Tls(host) => Endpoint::Tcp(host),
            Kind::Unix(path) => Endpoint::Unix(path),
        }
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self.0, Kind::Tls(_))
    }

    /// Returns the name of the server.
    pub(crate) fn server_name(&self) -> ServerName {
        let (host, port) = match self.endpoint() {
            Endpoint::Tcp(Host::Number(address)) => {
                (address.ip().to_string(), Some(address.port()))
            }
            Endpoint::Tcp(Host::Name(name, port)) => (name.to_string(), Some(*port)),
            Endpoint::Unix(path) => (path.display().to_string(), None),
        };
        let host = host.into();
        ServerName { host, port }
    }

    /// The address cannot be used here.
    pub(crate) fn error(&self, problem: AddressProblem) -> AddressError {
        AddressError::new(&self.to_string(), problem)
    }
}

impl Host {
    /// Resolves it to at least one address.
    pub(crate) async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let found: Vec<_> = match self {
            Self::Number(address) => vec![*address],
            Self::Name(name, port) => lookup_host((&**name, *port)).await?.collect(),
        };
        match found.is_empty() {
            false => Ok(found),
            true => Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the name resolves to no address",
            )),
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, AddressProblem> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Number(address));
        }
        let is_in_brackets = text.starts_with('[') && text.ends_with(']');
        let (name, port) = match text.rsplit_once(':') {
            Some(parts) if !is_in_brackets => parts,
            _ if text.starts_with(['/', '.']) => return Err(AddressProblem::IsPath),
            _ => return Err(AddressProblem::NoPort),
        };
        match name {
            "" => return Err(AddressProblem::NoHost),
            name if name.contains(':') => return Err(AddressProblem::NoBrackets),
            _ => {}
        }
        // Rust accepts a sign in numbers; a port has none.
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(AddressProblem::InvalidPort);
        }
        let port = port.parse().map_err(|_| AddressProblem::InvalidPort)?;
        Ok(Self::Name(name.into(), port))
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let kind = match text.split_once("://") {
            None => Host::parse(text).map(Kind::Tcp),
            Some(("tcp", host)) => Host::parse(host).map(Kind::Tcp),
            Some(("tls", host)) => Host::parse(host).map(Kind::Tls),
            Some(("unix", "")) => Err(AddressProblem::NoPath),
            Some(("unix", path)) => Ok(Kind::Unix(path.into())),
            Some(_) => Err(AddressProblem::UnknownScheme),
        };
        kind.map(Self)
            .map_err(|problem| AddressError::new(text, problem))
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self(Kind::Tcp(Host::Number(address)))
    }
}

impl From<(IpAddr, u16)> for Address {
    fn from(address: (IpAddr, u16)) -> Self {
        SocketAddr::from(address).into()
    }
}

/// A Unix socket.
impl From<PathBuf> for Address {
    fn from(path: PathBuf) -> Self {
        Self(Kind::Unix(path))
    }
}

/// A Unix socket.
impl From<&Path> for Address {
    fn from(path: &Path) -> Self {
        path.to_owned().into()
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Tcp(host) => host.fmt(f),
            Kind::Tls(host) => write!(f, "tls://{host}"),
            Kind::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// The name of a server, as it was given for connecting to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerName {
    /// A host, or the path of a Unix socket.
    pub(crate) host: Arc<str>,
    pub(crate) port: Option<u16>,
}

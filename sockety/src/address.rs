pub(crate) mod error;

use std::sync::Arc;
use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
};

use tokio::net::lookup_host;

use self::error::{AddressError, AddressProblem};

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
/// [`str::parse`] says at once what is wrong with a text. The conversions cannot fail, so that addresses can be given
/// as they are; a text that is no address is then an error of connecting or listening.
///
/// ```
/// use sockety::{Address, error::AddressProblem};
///
/// assert_eq!(Address::from("tcp://localhost:9000").to_string(), "localhost:9000");
/// assert_eq!(Address::from(("::1", 9000)).to_string(), "[::1]:9000");
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
    Unusable(AddressError),
}

/// Where TCP connects to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    Number(SocketAddr),
    Name(Box<str>, u16),
}

/// What an address asks of the operating system.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Endpoint<'a> {
    Tcp(&'a Host),
    Unix(&'a Path),
}

impl Address {
    pub(crate) fn endpoint(&self) -> Result<Endpoint<'_>, AddressError> {
        match &self.0 {
            Kind::Tcp(host) | Kind::Tls(host) => Ok(Endpoint::Tcp(host)),
            Kind::Unix(path) => Ok(Endpoint::Unix(path)),
            Kind::Unusable(error) => Err(error.clone()),
        }
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self.0, Kind::Tls(_))
    }

    /// Whom it names, if it can be used.
    pub(crate) fn server_name(&self) -> Option<ServerName> {
        let (host, port) = match self.endpoint().ok()? {
            Endpoint::Tcp(Host::Number(address)) => {
                (address.ip().to_string(), Some(address.port()))
            }
            Endpoint::Tcp(Host::Name(name, port)) => (name.to_string(), Some(*port)),
            Endpoint::Unix(path) => (path.display().to_string(), None),
        };
        let host = host.into();
        Some(ServerName { host, port })
    }

    /// The address cannot be used here.
    pub(crate) fn error(&self, problem: AddressProblem) -> AddressError {
        AddressError::new(&self.to_string(), problem)
    }
}

impl Host {
    /// The addresses that it resolves to; at least one.
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

    fn parse(text: &str) -> Result<Self, AddressProblem> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Number(address));
        }
        let is_in_brackets = text.starts_with('[') && text.ends_with(']');
        let (name, port) = match text.rsplit_once(':') {
            Some(parts) if !is_in_brackets => parts,
            _ => return Err(AddressProblem::NoPort),
        };
        match name {
            "" => return Err(AddressProblem::NoHost),
            name if name.contains(':') => return Err(AddressProblem::NoBrackets),
            _ => {}
        }
        // A sign is a number for Rust, but not for a port.
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

/// Like [`str::parse`], but a text that is no address is an error of connecting or listening.
impl From<&str> for Address {
    fn from(text: &str) -> Self {
        text.parse()
            .unwrap_or_else(|error| Self(Kind::Unusable(error)))
    }
}

impl From<String> for Address {
    fn from(text: String) -> Self {
        Self::from(&*text)
    }
}

impl From<&String> for Address {
    fn from(text: &String) -> Self {
        Self::from(&**text)
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self(Kind::Tcp(Host::Number(address)))
    }
}

/// A host, by name or number, and a port.
impl From<(&str, u16)> for Address {
    fn from((host, port): (&str, u16)) -> Self {
        match host.parse::<IpAddr>() {
            Ok(ip) => Self::from(SocketAddr::new(ip, port)),
            Err(_) => Self::from(format!("tcp://{host}:{port}")),
        }
    }
}

/// A Unix socket.
impl From<&Path> for Address {
    fn from(path: &Path) -> Self {
        Self(Kind::Unix(path.into()))
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
            Kind::Unusable(error) => f.write_str(error.text()),
        }
    }
}

/// A server by the name that it was given when connecting to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerName {
    /// A host, or the path of a Unix socket.
    pub(crate) host: Arc<str>,
    pub(crate) port: Option<u16>,
}

use std::{fmt, io, net::SocketAddr};

use tokio::net::lookup_host;

/// Where a peer is or a server listens: `host:port`, or the same after `tcp://`.
///
/// ```
/// use sockety::Address;
///
/// assert_eq!(Address::from("tcp://localhost:9000").to_string(), "localhost:9000");
/// assert_eq!(Address::from(("::1", 9000)).to_string(), "[::1]:9000");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address(Kind);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Kind {
    Socket(SocketAddr),
    Text(Box<str>),
}

impl Address {
    /// The addresses that the name stands for; at least one.
    pub(crate) async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let found: Vec<_> = match &self.0 {
            Kind::Socket(address) => vec![*address],
            Kind::Text(text) => lookup_host(&**text).await?.collect(),
        };
        match found.is_empty() {
            false => Ok(found),
            true => Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the name stands for no address",
            )),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self(Kind::Socket(address))
    }
}

impl From<&str> for Address {
    fn from(text: &str) -> Self {
        Self(Kind::Text(
            text.strip_prefix("tcp://").unwrap_or(text).into(),
        ))
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

/// A host, by name or number, and a port.
impl From<(&str, u16)> for Address {
    fn from((host, port): (&str, u16)) -> Self {
        match host.parse() {
            Ok(ip) => Self::from(SocketAddr::new(ip, port)),
            Err(_) => Self(Kind::Text(format!("{host}:{port}").into())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Socket(address) => address.fmt(f),
            Kind::Text(text) => f.write_str(text),
        }
    }
}

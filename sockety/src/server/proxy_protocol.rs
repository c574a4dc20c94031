//! The PROXY protocol: a proxy names its client in front of the client's bytes.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

pub use ipnet::IpNet;
use proxy_header::{ParseConfig, Protocol, ProxyHeader};
use sockety_codec::Violation;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{
    error::{
        connect::{ConnectProblem, unheard},
        proxy_protocol::ProxyProtocolError,
    },
    transport::first_byte::Accepted,
};

/// Which peers are proxies that put a header of the PROXY protocol, version 1 or 2, in front of
/// each connection: [`Server::proxy_protocol`](super::Server::proxy_protocol).
///
/// ```no_run
/// use sockety::{Router, Server, server::ProxyProtocol};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let proxies = ProxyProtocol::from_networks(["10.0.0.0/8".parse()?, "fd00::/8".parse()?]);
/// let server = Server::bind("0.0.0.0:9000").await?.proxy_protocol(proxies);
/// server.serve(Router::new()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ProxyProtocol {
    networks: Arc<[IpNet]>,
    has_unix_sockets: bool,
    is_optional: bool,
}

impl ProxyProtocol {
    /// Requires a header from peers in these networks, and refuses one from all others. Only
    /// proxies may be there: such a peer can claim to be any address.
    ///
    /// An IPv4 network contains the IPv4-mapped IPv6 addresses too. Peers of Unix sockets are in no
    /// network: see [`with_unix_sockets`](Self::with_unix_sockets).
    pub fn from_networks(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self {
            networks: networks.into_iter().collect(),
            has_unix_sockets: false,
            is_optional: false,
        }
    }

    /// Requires a header also from peers without an IP address: those of Unix sockets, and of links
    /// that [`ServerHandle::serve_link`](super::ServerHandle::serve_link) is given without an
    /// address. Only proxies may be able to connect to the socket; the permissions of its folder
    /// decide who can.
    ///
    /// ```
    /// use sockety::server::ProxyProtocol;
    ///
    /// // All peers are proxies on this machine.
    /// let proxies = ProxyProtocol::from_networks([]).with_unix_sockets();
    /// ```
    pub fn with_unix_sockets(mut self) -> Self {
        self.has_unix_sockets = true;
        self
    }

    /// Accepts connections without a header from these networks and sockets too, for example while
    /// proxies are being reconfigured. Such a connection has the address of its socket.
    pub fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }

    fn trusts(&self, peer: Option<SocketAddr>) -> bool {
        match peer.map(|peer| peer.ip().to_canonical()) {
            Some(ip) => self.networks.iter().any(|network| network.contains(&ip)),
            None => self.has_unix_sockets,
        }
    }

    /// Reads the header, if there has to be one, and nothing beyond it. Returns the address that it
    /// names. The caller limits the time: `is_reading` is set while a header has begun and is
    /// incomplete.
    pub(super) async fn client_address(
        &self,
        io: &mut impl Accepted,
        peer: Option<SocketAddr>,
        is_reading: &AtomicBool,
    ) -> Result<Option<SocketAddr>, ConnectProblem> {
        let first = io.first_byte().await.map_err(unheard)?;
        let first = first.ok_or(ConnectProblem::ClosedSilently)?;
        let is_proxy = self.trusts(peer);
        let is_required = is_proxy && !self.is_optional;
        let missing = is_required.then(|| ProxyProtocolError::Missing { peer }.into());
        let Some(version) = Version::begun_by(first) else {
            return missing.map_or(Ok(None), Err);
        };
        is_reading.store(is_proxy, Ordering::Relaxed);
        let mut header = Vec::with_capacity(V1_MAX);
        // What begins like a header begins no connection of ours, so it may be read.
        if !read_signature(io, version, &mut header).await? {
            let not_sockety = Violation::NotSockety { byte: first };
            return Err(missing.unwrap_or(ConnectProblem::Handshake(not_sockety)));
        }
        if !is_proxy {
            return Err(ProxyProtocolError::Untrusted { peer }.into());
        }
        let client = match version {
            Version::One => read_v1(io, header, peer).await,
            Version::Two => read_v2(io, header, peer).await,
        };
        is_reading.store(false, Ordering::Relaxed);
        client
    }
}

#[derive(Debug, Clone, Copy)]
enum Version {
    One,
    Two,
}

/// The longest header of version 1, with its end of line.
const V1_MAX: usize = 107;

/// `PROXY UNKNOWN` and the end of line.
const V1_MIN: usize = 15;

/// The signature of version 2, the version and command, the family, and the length of the rest.
const V2_FIXED: usize = 16;

/// The most that may follow: addresses, and fields that proxies add. The format allows 65,535.
const V2_MAX: usize = 16 * 1024;

const V2_LOCAL: u8 = 0x20;
const V2_PROXY: u8 = 0x21;

impl Version {
    fn begun_by(first: u8) -> Option<Self> {
        match first {
            b'P' => Some(Self::One),
            b'\r' => Some(Self::Two),
            _ => None,
        }
    }

    fn signature(self) -> &'static [u8] {
        match self {
            Self::One => b"PROXY ",
            Self::Two => b"\r\n\r\n\0\r\nQUIT\n",
        }
    }

    /// No header is shorter.
    fn min(self) -> usize {
        match self {
            Self::One => V1_MIN,
            Self::Two => V2_FIXED,
        }
    }
}

/// Reads the bytes that every header of this version has, or fewer if they do not begin with its
/// signature: then it returns `false`.
async fn read_signature(
    io: &mut (impl AsyncRead + Unpin),
    version: Version,
    header: &mut Vec<u8>,
) -> Result<bool, ConnectProblem> {
    let signature = version.signature();
    while header.len() < version.min() {
        let rest = (version.min() - header.len()) as u64;
        if (&mut *io).take(rest).read_buf(header).await? == 0 {
            return Err(ConnectProblem::Closed);
        }
        // Before it waits for more, because another protocol may wait for an answer.
        let seen = header.len().min(signature.len());
        if header[..seen] != signature[..seen] {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Reads a line byte by byte, because its length is unknown.
async fn read_v1(
    io: &mut (impl AsyncRead + Unpin),
    mut header: Vec<u8>,
    peer: Option<SocketAddr>,
) -> Result<Option<SocketAddr>, ConnectProblem> {
    while !header.ends_with(b"\r\n") {
        if header.len() == V1_MAX {
            return Err(ProxyProtocolError::TooLong { peer, max: V1_MAX }.into());
        }
        if (&mut *io).take(1).read_buf(&mut header).await? == 0 {
            return Err(ConnectProblem::Closed);
        }
    }
    parse(&header, peer)
}

async fn read_v2(
    io: &mut (impl AsyncRead + Unpin),
    mut header: Vec<u8>,
    peer: Option<SocketAddr>,
) -> Result<Option<SocketAddr>, ConnectProblem> {
    let [command, _, high, low] = header[V2_FIXED - 4..] else {
        return Err(ProxyProtocolError::Malformed { peer }.into());
    };
    if !matches!(command, V2_LOCAL | V2_PROXY) {
        return Err(ProxyProtocolError::Malformed { peer }.into());
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > V2_MAX {
        return Err(ProxyProtocolError::TooLong { peer, max: V2_MAX }.into());
    }
    // The buffer grows with what arrives, not with what was announced.
    let mut rest = io.take(length as u64);
    if rest.read_to_end(&mut header).await? < length {
        return Err(ConnectProblem::Closed);
    }
    match command {
        // Of the proxy itself, such as a health check: addresses are to be ignored.
        V2_LOCAL => Ok(None),
        _ => parse(&header, peer),
    }
}

fn parse(header: &[u8], peer: Option<SocketAddr>) -> Result<Option<SocketAddr>, ConnectProblem> {
    let config = ParseConfig {
        include_tlvs: false,
        ..ParseConfig::default()
    };
    match ProxyHeader::parse(header, config) {
        Ok((parsed, length)) if length == header.len() => {
            let proxied = parsed.proxied_address();
            let proxied = proxied.filter(|proxied| proxied.protocol == Protocol::Stream);
            Ok(proxied.map(|proxied| proxied.source))
        }
        _ => Err(ProxyProtocolError::Malformed { peer }.into()),
    }
}

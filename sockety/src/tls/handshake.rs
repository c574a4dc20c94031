use std::io;

use sockety_codec::Violation;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsAcceptor, TlsConnector, TlsStream,
    rustls::{self, InvalidMessage, pki_types::ServerName},
};

use super::{PROTOCOL, peer_identity::PeerIdentity};
use crate::error::connect::ConnectError;

/// A TLS handshake to come.
pub(crate) enum Handshake {
    Client(TlsConnector, ServerName<'static>, Alpn),
    /// With the first byte of the peer, if it is known.
    Server(TlsAcceptor, Alpn, Option<u8>),
}

/// Whether a peer must agree to our protocol. One that names others only is refused in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alpn {
    Optional,
    Required,
}

impl Handshake {
    pub(crate) async fn run<IO>(
        self,
        io: IO,
    ) -> Result<(TlsStream<IO>, Option<PeerIdentity>), ConnectError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let (stream, alpn) = match self {
            Self::Client(connector, name, alpn) => {
                let stream = connector.connect(name, io).await;
                let stream = stream.map_err(|error| failure(error, NOT_TLS));
                (stream.map(TlsStream::from), alpn)
            }
            Self::Server(acceptor, alpn, first) => {
                let stream = acceptor.accept(io).await;
                let stream = stream.map_err(|error| failure(error, hint(first)));
                (stream.map(TlsStream::from), alpn)
            }
        };
        let stream = stream?;
        let (_, session) = stream.get_ref();
        if alpn == Alpn::Required && session.alpn_protocol() != Some(PROTOCOL) {
            return Err(ConnectError::NoAlpn);
        }
        let identity = session.peer_certificates().map(PeerIdentity::new);
        Ok((stream, identity))
    }
}

impl Handshake {
    /// Of a server that has looked at the first byte of its client: what a client that does not
    /// speak TLS speaks instead is known by it.
    pub(crate) fn knowing(self, first: u8) -> Self {
        match self {
            Self::Server(acceptor, alpn, _) => Self::Server(acceptor, alpn, Some(first)),
            Self::Client(..) => self,
        }
    }

    /// What a failure while connection headers are exchanged means. What TLS says of the peer then is
    /// a failure of its handshake.
    pub(crate) fn late_failure(&self) -> impl Fn(ConnectError) -> ConnectError + use<> {
        let is_client = matches!(self, Self::Client(..));
        move |error| match error {
            ConnectError::Io(error) if is_of_tls(&error) => ConnectError::Tls(error),
            ConnectError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => error.into(),
            ConnectError::Io(_) | ConnectError::Closed | ConnectError::ClosedSilently
                if is_client =>
            {
                ConnectError::ClosedAfterTls
            }
            ConnectError::Io(_) => ConnectError::Closed,
            error => error,
        }
    }
}

/// For a client, which knows no byte of the server.
const NOT_TLS: &str = "connect without tls://, if that is what the server expects";

/// What a client that does not speak TLS speaks instead.
fn hint(first: Option<u8>) -> &'static str {
    match first {
        Some(0xE0..=0xEF) => "it must connect with tls://",
        Some(byte) => {
            let likely = Violation::NotSockety { byte }.likely_cause();
            likely.unwrap_or("its first byte begins no TLS record")
        }
        None => "its first byte begins no TLS record",
    }
}

fn failure(error: io::Error, hint: &'static str) -> ConnectError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            let source = error;
            ConnectError::NotTls { hint, source }
        }
        _ => ConnectError::Tls(error),
    }
}

fn is_of_tls(error: &io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(|inner| inner.is::<rustls::Error>())
}

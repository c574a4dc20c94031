use std::io;

use sockety_codec::Violation;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsAcceptor, TlsConnector, TlsStream,
    rustls::{self, CertificateError, InvalidMessage, pki_types::ServerName},
};

use super::{PROTOCOL, closable::Closable, peer_identity::PeerIdentity};
use crate::error::connect::{ConnectProblem, is_gone};

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
    ) -> Result<(TlsStream<Closable<IO>>, Option<PeerIdentity>), ConnectProblem>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let io = Closable::new(io);
        let (stream, alpn, hint) = match self {
            Self::Client(connector, name, alpn) => {
                let stream = connector.connect(name, io).into_fallible().await;
                (stream.map(TlsStream::from), alpn, NOT_TLS)
            }
            Self::Server(acceptor, alpn, first) => {
                let stream = acceptor.accept(io).into_fallible().await;
                (stream.map(TlsStream::from), alpn, hint(first))
            }
        };
        let mut stream =
            stream.map_err(|(error, io)| failure(io.into_error().unwrap_or(error), hint))?;
        let (io, session) = stream.get_mut();
        io.handshake_is_over();
        if alpn == Alpn::Required && session.alpn_protocol() != Some(PROTOCOL) {
            return Err(ConnectProblem::NoAlpn);
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
    pub(crate) fn late_failure(&self) -> impl Fn(ConnectProblem) -> ConnectProblem + use<> {
        let is_client = matches!(self, Self::Client(..));
        move |error| match error {
            ConnectProblem::Io(error) if is_of_tls(&error) => ConnectProblem::Tls(error),
            ConnectProblem::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                error.into()
            }
            ConnectProblem::Io(_) | ConnectProblem::Closed | ConnectProblem::ClosedSilently
                if is_client =>
            {
                ConnectProblem::ClosedAfterTls
            }
            ConnectProblem::Io(_) => ConnectProblem::Closed,
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

fn failure(error: io::Error, hint: &'static str) -> ConnectProblem {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            let source = error;
            ConnectProblem::NotTls { hint, source }
        }
        Some(refused) if is_of_authority(refused) => {
            let kind = error.kind();
            ConnectProblem::Tls(io::Error::new(kind, OfAuthority(refused.clone())))
        }
        None if is_gone(&error) => ConnectProblem::ClosedDuringTls(error),
        _ => ConnectProblem::Tls(error),
    }
}

/// What rustls says only to those who know the standard. Such a certificate is what
/// `openssl req -x509` makes.
#[derive(Debug, thiserror::Error)]
#[error(
    "the peer's certificate is that of an authority, which cannot be the peer's own: make one with \
     basicConstraints CA:FALSE"
)]
struct OfAuthority(#[source] rustls::Error);

fn is_of_authority(error: &rustls::Error) -> bool {
    let rustls::Error::InvalidCertificate(CertificateError::Other(other)) = error else {
        return false;
    };
    let error = other.0.downcast_ref::<webpki::Error>();
    matches!(error, Some(webpki::Error::CaUsedAsEndEntity))
}

fn is_of_tls(error: &io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(|inner| inner.is::<rustls::Error>())
}

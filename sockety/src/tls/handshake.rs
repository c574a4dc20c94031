use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsAcceptor, TlsConnector, TlsStream,
    rustls::{self, pki_types::ServerName},
};

use super::{PROTOCOL, peer_identity::PeerIdentity};
use crate::error::connect::ConnectError;

/// A TLS handshake to come.
pub(crate) enum Handshake {
    Client(TlsConnector, ServerName<'static>, Alpn),
    Server(TlsAcceptor, Alpn),
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
                (stream.map(TlsStream::from), alpn)
            }
            Self::Server(acceptor, alpn) => {
                let stream = acceptor.accept(io).await;
                (stream.map(TlsStream::from), alpn)
            }
        };
        let stream = stream.map_err(ConnectError::Tls)?;
        let (_, session) = stream.get_ref();
        if alpn == Alpn::Required && session.alpn_protocol() != Some(PROTOCOL) {
            return Err(ConnectError::NoAlpn);
        }
        let identity = session.peer_certificates().map(PeerIdentity::new);
        Ok((stream, identity))
    }
}

/// What TLS says of the peer while connection headers are exchanged is a failure of its handshake.
pub(crate) fn late_failure(error: ConnectError) -> ConnectError {
    match error {
        ConnectError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            ConnectError::Closed
        }
        ConnectError::Io(error) if is_of_tls(&error) => ConnectError::Tls(error),
        error => error,
    }
}

fn is_of_tls(error: &io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(|inner| inner.is::<rustls::Error>())
}

//! The endpoint under test, and how to connect with it.

use std::{io, process::Stdio, sync::Arc, time::Duration};

use futures_util::FutureExt;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    sync::Mutex,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, rustls::pki_types::ServerName};

/// The limit for connecting, including TLS.
const CONNECTING: Duration = Duration::from_secs(20);

pub enum Target {
    /// It listens, and the suite connects.
    Server {
        address: String,
        tls: Option<(TlsConnector, ServerName<'static>)>,
    },
    /// It connects to a port of the suite repeatedly. It was started by the user.
    Client {
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
    },
    /// A program that the suite starts for each case. `{port}` is replaced by the port to connect
    /// to.
    Command {
        words: Vec<String>,
        tls: Option<TlsAcceptor>,
    },
}

/// The state of the target that belongs to a case: the process started for it.
#[derive(Default)]
pub struct Session {
    process: Mutex<Option<(TcpListener, Child)>>,
}

/// A byte stream.
pub trait Link: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<L: AsyncRead + AsyncWrite + Send + Sync + Unpin> Link for L {}

/// A connection on which nothing has been sent, and its socket.
pub struct Connected {
    pub link: Box<dyn Link>,
    pub socket: socket2::Socket,
}

impl Target {
    pub fn is_client(&self) -> bool {
        !matches!(self, Self::Server { .. })
    }

    /// Whether cases may run at the same time. A client started by the user has only one
    /// connection.
    pub fn is_concurrent(&self) -> bool {
        !matches!(self, Self::Client { .. })
    }

    pub fn is_tls(&self) -> bool {
        match self {
            Self::Server { tls, .. } => tls.is_some(),
            Self::Client { tls, .. } | Self::Command { tls, .. } => tls.is_some(),
        }
    }

    pub async fn connect(&self, session: &Session) -> io::Result<Connected> {
        let connecting = self.try_connect(session);
        timeout(CONNECTING, connecting).await.map_err(|_| {
            let what = format!("not connected within {CONNECTING:?}");
            io::Error::new(io::ErrorKind::TimedOut, what)
        })?
    }

    async fn try_connect(&self, session: &Session) -> io::Result<Connected> {
        match self {
            Self::Server { address, tls } => {
                let (tcp, socket) = with_socket(TcpStream::connect(address).await?)?;
                let link: Box<dyn Link> = match tls {
                    None => Box::new(tcp),
                    Some((tls, name)) => Box::new(tls.connect(name.clone(), tcp).await?),
                };
                Ok(Connected { link, socket })
            }
            Self::Client { listener, tls } => accept(listener, tls.as_ref()).await,
            Self::Command { words, tls } => session.accept(words, tls.as_ref()).await,
        }
    }
}

impl Session {
    /// Accepts a connection of this case's process, which the first call starts.
    async fn accept(&self, words: &[String], tls: Option<&TlsAcceptor>) -> io::Result<Connected> {
        let mut process = self.process.lock().await;
        if process.is_none() {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let child = start(words, listener.local_addr()?.port())?;
            *process = Some((listener, child));
        }
        let (listener, child) = process.as_mut().expect("the process was started above");
        tokio::select! {
            connected = accept(listener, tls) => connected,
            status = child.wait() => {
                let what = format!("the client exited: {}", status?);
                Err(io::Error::other(what))
            }
        }
    }
}

fn start(words: &[String], port: u16) -> io::Result<Child> {
    let mut words = words
        .iter()
        .map(|word| word.replace("{port}", &port.to_string()));
    Command::new(words.next().unwrap_or_default())
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
}

/// How often to accept a connection: a client may disconnect during a TLS handshake.
const ATTEMPTS: usize = 5;

async fn accept(listener: &TcpListener, tls: Option<&TlsAcceptor>) -> io::Result<Connected> {
    for _ in 1..ATTEMPTS {
        if let Ok(connected) = accept_once(listener, tls).await {
            return Ok(connected);
        }
    }
    accept_once(listener, tls).await
}

async fn accept_once(listener: &TcpListener, tls: Option<&TlsAcceptor>) -> io::Result<Connected> {
    let (mut tcp, _) = listener.accept().await?;
    // A client may have abandoned a connection that was not accepted immediately, and made another.
    while let Some(later) = listener.accept().now_or_never() {
        (tcp, _) = later?;
    }
    let (tcp, socket) = with_socket(tcp)?;
    let link: Box<dyn Link> = match tls {
        None => Box::new(tcp),
        Some(tls) => Box::new(tls.accept(tcp).await?),
    };
    Ok(Connected { link, socket })
}

fn with_socket(tcp: TcpStream) -> io::Result<(TcpStream, socket2::Socket)> {
    // Cases depend on segments, so every write is sent immediately.
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(&tcp).try_clone()?;
    Ok((tcp, socket))
}

/// TLS configuration from PEM files.
pub mod tls {
    use super::{Arc, ServerName, TlsAcceptor, TlsConnector};
    use std::{error::Error, path::Path};
    use tokio_rustls::rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    };

    const PROTOCOL: &[u8] = b"sockety/1";

    /// The configuration for connecting to a server at `host`.
    pub fn connector(
        roots: &Path,
        host: &str,
    ) -> Result<(TlsConnector, ServerName<'static>), Box<dyn Error>> {
        let mut store = RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(roots)? {
            store.add(root?)?;
        }
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(store)
                .with_no_client_auth();
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        let name = ServerName::try_from(host.to_owned())?;
        Ok((TlsConnector::from(Arc::new(config)), name))
    }

    /// The configuration for accepting clients.
    pub fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, Box<dyn Error>> {
        let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_file(key)?;
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

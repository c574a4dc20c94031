use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytesize::ByteSize;
use clap::Args;
use sockety::{Address, tls::rustls::pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{
    exit::{Exit, Failure},
    extension::Side,
    interrupt::interrupted,
    out::{self, FAINT, styled},
    packets::{Exchanges, Inspector},
    pcap::{Conversation, Pcap},
    printing::{PrintArgs, Way},
    target::some_duration,
    tls::{ClientTls, ProxyTls, ServerTls},
};

/// Arguments of `tap`: forwards connections from clients to a server and shows their packets.
#[derive(Debug, Clone, Args)]
pub struct TapArgs {
    /// The address for clients: host:port or unix://PATH
    listen: Address,
    /// The address of the server: host:port, tls://host:port or unix://PATH
    upstream: Address,
    #[command(flatten)]
    print: PrintArgs,
    /// Write the bytes, without TLS, to a capture for Wireshark
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Largest size of the capture
    #[arg(long, value_name = "SIZE", default_value = "1GiB", requires = "pcap")]
    pcap_limit: ByteSize,
    /// Forward at most this many connections at a time; others wait
    #[arg(long, value_name = "N", default_value = "1024")]
    connections: u16,
    /// Longest time for TLS handshakes and for connecting to the server
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = some_duration)]
    connect_timeout: Duration,
    #[command(flatten)]
    tls: ClientTls,
    #[command(flatten)]
    listen_tls: ProxyTls,
}

/// State shared by all connections.
struct Tap {
    args: TapArgs,
    start: Instant,
    upstream: Place,
    connector: Option<(TlsConnector, ServerName<'static>)>,
    acceptor: Option<TlsAcceptor>,
    pcap: Option<Pcap>,
    /// Ends the program when its output can no longer be written.
    ended: mpsc::Sender<Failure>,
}

/// The address of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Tcp(String),
    Unix(PathBuf),
}

/// A byte stream of any kind, with or without TLS.
type Link = Box<dyn Stream>;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Forwards until interrupted.
pub async fn run(args: TapArgs) -> Result<Exit, Failure> {
    let (ended, mut end) = mpsc::channel(1);
    let listener = Listener::bind(&args.listen).await?;
    let tap = Arc::new(Tap::new(args, ended)?);
    let interrupted = interrupted();
    out::note(styled(
        FAINT,
        format_args!(
            "listening on {}, forwarding to {}",
            listener.name(),
            tap.args.upstream
        ),
    ));
    tokio::select! {
        failure = tap.accept(&listener) => Err(failure),
        Some(failure) = end.recv() => Err(failure),
        () = interrupted => Ok(Exit::Done),
    }
}

impl Tap {
    fn new(args: TapArgs, ended: mpsc::Sender<Failure>) -> Result<Self, Failure> {
        let pcap = match &args.pcap {
            Some(path) => Some(Pcap::create(path, args.pcap_limit.as_u64())?),
            None => None,
        };
        let acceptor = ServerTls::from(args.listen_tls.clone()).config()?;
        Ok(Self {
            start: Instant::now(),
            upstream: Place::of(&args.upstream),
            connector: connector(&args)?,
            acceptor: acceptor.map(|config| TlsAcceptor::from(Arc::new(config))),
            pcap,
            ended,
            args,
        })
    }

    async fn accept(self: &Arc<Self>, listener: &Listener) -> Failure {
        let places = Arc::new(Semaphore::new(usize::from(self.args.connections.max(1))));
        for number in 1.. {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                break;
            };
            match listener.accept().await {
                Ok((link, client)) => {
                    tokio::spawn(Arc::clone(self).serve(number, link, client, place));
                }
                Err(error) => {
                    // Most likely too many open files, which passes.
                    self.note(number, &format!("cannot accept: {error}"));
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        Failure::local("no more connections can be accepted")
    }

    async fn serve(
        self: Arc<Self>,
        number: u64,
        link: Link,
        client: Option<SocketAddr>,
        _place: OwnedSemaphorePermit,
    ) {
        let from = client.map_or_else(|| "a Unix socket".into(), |client| client.to_string());
        self.note(number, &format!("from {from}"));
        let opened = timeout(self.args.connect_timeout, self.open(link)).await;
        let (down, up, server) = match opened {
            Ok(Ok(links)) => links,
            Ok(Err(error)) => return self.note(number, &format!("closed: {error}")),
            Err(_) => {
                let limit = humantime::format_duration(self.args.connect_timeout);
                return self.note(
                    number,
                    &format!("closed: server not reached within {limit}"),
                );
            }
        };
        let passage = Passage::new(&self, number, Conversation::new(number, client, server));
        passage.begin();
        let (client_reader, client_writer) = tokio::io::split(down);
        let (server_reader, server_writer) = tokio::io::split(up);
        tokio::join!(
            passage.forward(Way::Up, client_reader, server_writer),
            passage.forward(Way::Down, server_reader, client_writer),
        );
        self.note(number, "closed");
    }

    /// Opens both links, with TLS where asked for; also returns the address of the server.
    async fn open(&self, client: Link) -> io::Result<(Link, Link, Option<SocketAddr>)> {
        let client: Link = match &self.acceptor {
            Some(acceptor) => Box::new(acceptor.accept(client).await?),
            None => client,
        };
        let (link, address) = self.upstream.connect().await?;
        let link: Link = match &self.connector {
            Some((connector, name)) => Box::new(connector.connect(name.clone(), link).await?),
            None => link,
        };
        Ok((client, link, address))
    }

    /// Prints an event of a connection between its packets.
    fn note(&self, number: u64, text: &str) {
        self.printed(self.args.print.note(number, self.start, text));
    }

    fn printed(&self, printed: Result<(), Failure>) {
        if let Err(failure) = printed {
            // Only the first failure counts.
            let _ = self.ended.try_send(failure);
        }
    }
}

fn connector(args: &TapArgs) -> Result<Option<(TlsConnector, ServerName<'static>)>, Failure> {
    let text = args.upstream.to_string();
    let host = text.strip_prefix("tls://");
    if host.is_none() && !args.tls.is_wanted() {
        return Ok(None);
    }
    let name = match (&args.tls.server_name, Place::of(&args.upstream)) {
        (Some(name), _) => name.clone(),
        (None, Place::Tcp(host)) => match host.rsplit_once(':') {
            Some((name, _)) => name.trim_matches(['[', ']']).to_owned(),
            None => host,
        },
        (None, Place::Unix(_)) => {
            return Err(Failure::usage("TLS over a Unix socket needs --server-name"));
        }
    };
    let server_name = ServerName::try_from(name.clone())
        .map_err(|_| Failure::usage(format!("invalid server name for TLS: {name:?}")))?;
    let connector = TlsConnector::from(Arc::new(args.tls.config()?));
    Ok(Some((connector, server_name)))
}

/// One forwarded connection.
struct Passage<'a> {
    tap: &'a Tap,
    number: u64,
    state: Mutex<PassageState>,
}

/// Both directions together, because replies refer to messages of the other one.
struct PassageState {
    up: Inspector,
    down: Inspector,
    exchanges: Exchanges,
    conversation: Conversation,
}

impl<'a> Passage<'a> {
    fn new(tap: &'a Tap, number: u64, conversation: Conversation) -> Self {
        let print = &tap.args.print;
        let inspector = |side| Inspector::new(side, print.kept(), print.items());
        let state = PassageState {
            up: inspector(Side::Near),
            down: inspector(Side::Far),
            exchanges: Exchanges::default(),
            conversation,
        };
        Self {
            tap,
            number,
            state: Mutex::new(state),
        }
    }

    fn begin(&self) {
        if let Some(pcap) = &self.tap.pcap {
            pcap.begin(&mut self.lock().conversation);
        }
    }

    /// Forwards every byte unchanged, whatever it means.
    async fn forward(
        &self,
        way: Way,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) {
        let mut buffer = vec![0; 64 * 1024];
        let ended = loop {
            match from.read(&mut buffer).await {
                Ok(0) => break Ok(()),
                Ok(length) => {
                    // Look before forwarding, so that no reply is seen before its message.
                    self.look(way, &buffer[..length]);
                    if let Err(error) = to.write_all(&buffer[..length]).await {
                        break Err(error);
                    }
                    if let Err(error) = to.flush().await {
                        break Err(error);
                    }
                }
                Err(error) => break Err(error),
            }
        };
        self.end(way, ended);
        // The other direction may continue.
        let _ = to.shutdown().await;
    }

    fn look(&self, way: Way, bytes: &[u8]) {
        let mut state = self.lock();
        let state = &mut *state;
        if let Some(pcap) = &self.tap.pcap {
            pcap.bytes(&mut state.conversation, way, bytes);
        }
        let inspector = match way {
            Way::Up | Way::Unknown => &mut state.up,
            Way::Down => &mut state.down,
        };
        inspector.feed(bytes, Instant::now(), &mut state.exchanges, |found| {
            let print = &self.tap.args.print;
            self.tap
                .printed(print.print(self.number, way, self.tap.start, &found));
        });
    }

    fn end(&self, way: Way, ended: io::Result<()>) {
        let mut state = self.lock();
        if let Some(pcap) = &self.tap.pcap {
            pcap.end(&mut state.conversation, way);
        }
        let (inspector, who) = match way {
            Way::Up | Way::Unknown => (&state.up, "the client"),
            Way::Down => (&state.down, "the server"),
        };
        let text = match (ended, inspector.finish()) {
            (Err(error), _) => format!("connection to {who} failed: {error}"),
            (Ok(()), Err(problem)) => format!("{who} finished sending: {problem}"),
            (Ok(()), Ok(())) => format!("{who} finished sending"),
        };
        drop(state);
        self.tap.note(self.number, &text);
    }

    fn lock(&self) -> MutexGuard<'_, PassageState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Takes the place of an address from its text.
    fn of(address: &Address) -> Self {
        let text = address.to_string();
        match text.strip_prefix("unix://") {
            Some(path) => Self::Unix(path.into()),
            None => Self::Tcp(text.strip_prefix("tls://").unwrap_or(&text).to_owned()),
        }
    }

    async fn connect(&self) -> io::Result<(Link, Option<SocketAddr>)> {
        match self {
            Self::Tcp(host) => {
                let socket = TcpStream::connect(host).await?;
                socket.set_nodelay(true)?;
                let address = socket.peer_addr().ok();
                Ok((Box::new(socket), address))
            }
            #[cfg(unix)]
            Self::Unix(path) => {
                let socket = tokio::net::UnixStream::connect(path).await?;
                Ok((Box::new(socket), None))
            }
            #[cfg(not(unix))]
            Self::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener, PathBuf),
}

impl Listener {
    async fn bind(address: &Address) -> Result<Self, Failure> {
        let bound = match Place::of(address) {
            Place::Tcp(host) => TcpListener::bind(host).await.map(Self::Tcp),
            #[cfg(unix)]
            Place::Unix(path) => {
                tokio::net::UnixListener::bind(&path).map(|listener| Self::Unix(listener, path))
            }
            #[cfg(not(unix))]
            Place::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        };
        bound.map_err(|error| {
            let text = format!("cannot listen on {address}: {error}");
            Failure::local(text)
        })
    }

    fn name(&self) -> String {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .map_or_else(|error| error.to_string(), |address| address.to_string()),
            #[cfg(unix)]
            Self::Unix(_, path) => format!("unix://{}", path.display()),
        }
    }

    async fn accept(&self) -> io::Result<(Link, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (socket, client) = listener.accept().await?;
                socket.set_nodelay(true)?;
                Ok((Box::new(socket), Some(client)))
            }
            #[cfg(unix)]
            Self::Unix(listener, _) => Ok((Box::new(listener.accept().await?.0), None)),
        }
    }
}

/// Removes the file of a Unix socket, which binding created.
#[cfg(unix)]
impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

//! A client and a server, over a link in memory in one thread, or over TCP with a thread for each.

use std::{
    net::SocketAddr,
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sockety::{ByteStream, File, Server, Streaming, service};
use tokio::runtime::{Builder, Runtime};

use crate::{usage, workload::Link};

/// Bytes of a chunk of a stream.
pub(crate) const CHUNK: usize = 64 * 1024;

/// One-way messages that are handed over at once.
const BATCH: u64 = 1024;

#[service]
trait Costs {
    async fn echo(&self, payload: Bytes) -> Bytes;

    async fn nothing(&self);

    #[action(one_way)]
    async fn note(&self, payload: Bytes);

    async fn noted(&self) -> u64;

    async fn upload(&self, payload: Bytes) -> u64;

    async fn stream(&self, bytes: ByteStream) -> u64;

    async fn store(&self, file: File) -> u64;

    async fn subscribe(&self, payload: Bytes) -> Streaming<Bytes>;

    async fn echoes(&self, payloads: Streaming<Bytes>) -> Streaming<Bytes>;
}

struct Desk {
    noted: Arc<AtomicU64>,
    folder: PathBuf,
}

impl Costs for Desk {
    async fn echo(&self, payload: Bytes) -> Bytes {
        payload
    }

    async fn nothing(&self) {}

    async fn note(&self, _payload: Bytes) {
        self.noted.fetch_add(1, Relaxed);
    }

    async fn noted(&self) -> u64 {
        self.noted.load(Relaxed)
    }

    async fn upload(&self, payload: Bytes) -> u64 {
        payload.len() as u64
    }

    async fn stream(&self, mut bytes: ByteStream) -> u64 {
        let mut sum = 0;
        while let Some(chunk) = bytes.next_chunk().await.expect("a whole stream") {
            sum += chunk.len() as u64;
        }
        sum
    }

    async fn store(&self, file: File) -> u64 {
        let saved = file.save_in(&self.folder).await.expect("saved");
        std::fs::metadata(saved.path).expect("it is there").len()
    }

    async fn subscribe(&self, payload: Bytes) -> Streaming<Bytes> {
        Streaming::from_stream(stream::iter([payload]).chain(stream::pending()))
    }

    async fn echoes(&self, payloads: Streaming<Bytes>) -> Streaming<Bytes> {
        Streaming::from_items(payloads)
    }
}

/// What is done, so often.
#[derive(Clone, Copy)]
pub(crate) enum Calls {
    /// Echo of 32 bytes, by as many tasks as are in flight.
    Echo {
        in_flight: u64,
    },
    /// A call without parameters and result.
    Nothing {
        in_flight: u64,
    },
    /// Messages of 32 bytes, each awaited.
    OneWay,
    /// The same, many at once.
    OneWayBatches,
    Upload {
        size: usize,
    },
    StreamChunk,
    FileMib,
    #[cfg_attr(not(feature = "fleet"), expect(dead_code))]
    /// Echo of 32 bytes over sockets: through a fleet of so many servers, or to one server without a fleet.
    Balanced {
        servers: Option<usize>,
        in_flight: u64,
    },
    /// Connections that stay, after one call each. The process ends with them.
    Kept(Kept),
}

/// The one call of a connection that stays.
#[derive(Clone, Copy)]
pub(crate) enum Kept {
    Idle,
    /// It has a stream from the server, which stays open after one item of 32 bytes.
    Stream,
    /// It has a stream in each direction; likewise.
    Streams,
}

impl Calls {
    pub(crate) fn run(self, link: Link, times: u64) {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = Desk {
            noted: Arc::default(),
            folder: folder.path().join("stored"),
        };
        std::fs::create_dir(&desk.folder).expect("a folder");
        let source = folder.path().join("source");
        if let Self::FileMib = self {
            std::fs::write(&source, vec![7; (times as usize) << 20]).expect("written");
        }
        runtime().block_on(async {
            if let Self::Kept(kept) = self {
                return keep(serve(desk), kept, times).await;
            }
            let client = match (self, link) {
                (Self::Balanced { servers, .. }, _) => balanced(desk, servers, link).await,
                (_, Link::Memory) => CostsClient::local(desk),
                (_, Link::Tcp) => CostsClient::connect(serve(desk)).await.expect("connected"),
            };
            self.call(&client, times, source).await;
            // While there are all threads.
            usage::print().expect("a system with /proc");
        });
    }

    async fn call(self, client: &CostsClient, times: u64, source: PathBuf) {
        match self {
            Self::Echo { in_flight } | Self::Balanced { in_flight, .. } => {
                let payload = Bytes::from_static(&[b'x'; 32]);
                in_tasks(client, in_flight, times, move |client| {
                    let payload = payload.clone();
                    async move {
                        let reply = client.echo(payload.clone()).await.expect("a reply");
                        assert_eq!(reply, payload);
                    }
                })
                .await;
            }
            Self::Nothing { in_flight } => {
                in_tasks(client, in_flight, times, |client| async move {
                    client.nothing().await.expect("a reply");
                })
                .await;
            }
            Self::OneWay => {
                let payload = Bytes::from_static(&[b'x'; 32]);
                for _ in 0..times {
                    client.note(payload.clone()).await.expect("sent");
                }
                assert_eq!(client.noted().await.expect("a reply"), times);
            }
            Self::OneWayBatches => {
                let payload = Bytes::from_static(&[b'x'; 32]);
                let connection = client.connection();
                for begin in (0..times).step_by(BATCH as usize) {
                    let count = BATCH.min(times - begin);
                    let notes = (0..count).map(|_| CostsDraft::note(payload.clone()));
                    connection.pass_all(notes).await.expect("sent");
                }
                assert_eq!(client.noted().await.expect("a reply"), times);
            }
            Self::Upload { size } => {
                let payload = Bytes::from(vec![7; size]);
                in_tasks(client, 1, times, move |client| {
                    let payload = payload.clone();
                    async move {
                        let arrived = client.upload(payload).await.expect("a reply");
                        assert_eq!(arrived, size as u64);
                    }
                })
                .await;
            }
            Self::StreamChunk => {
                let chunk = Bytes::from(vec![7; CHUNK]);
                let chunks = stream::iter((0..times).map(move |_| Ok(chunk.clone())));
                let stream = ByteStream::from_stream(chunks);
                let arrived = client.stream(stream).await.expect("a reply");
                assert_eq!(arrived, times * CHUNK as u64);
            }
            Self::FileMib => {
                let file = File::open(source).await.expect("it is there");
                assert_eq!(client.store(file).await.expect("a reply"), times << 20);
            }
            Self::Kept(_) => unreachable!("it has connections of its own"),
        }
    }
}

/// Tasks that each call again when their call has ended, `times` together.
async fn in_tasks<F, R>(client: &CostsClient, in_flight: u64, times: u64, call: F)
where
    F: Fn(CostsClient) -> R + Clone + Send + 'static,
    R: Future<Output = ()> + Send,
{
    let task = |task| {
        let (client, call) = (client.clone(), call.clone());
        let own = (task..times).step_by(in_flight as usize);
        tokio::spawn(async move {
            for _ in own {
                call(client.clone()).await;
            }
        })
    };
    let tasks: Vec<_> = (0..in_flight).map(task).collect();
    for task in tasks {
        task.await.expect("no panic");
    }
}

async fn keep(server: SocketAddr, kept: Kept, connections: u64) {
    let (mut clients, mut streams, mut senders) = (Vec::new(), Vec::new(), Vec::new());
    let payload = Bytes::from_static(&[b'x'; 32]);
    for _ in 0..connections {
        let client = CostsClient::connect(server).await.expect("connected");
        let stream = match kept {
            Kept::Idle => {
                client.nothing().await.expect("a reply");
                None
            }
            Kept::Stream => Some(client.subscribe(payload.clone()).await),
            Kept::Streams => {
                let (sender, sent) = Streaming::channel(1);
                sender
                    .send(Ok(payload.clone()))
                    .await
                    .expect("there is room");
                senders.push(sender);
                Some(client.echoes(sent).await)
            }
        };
        if let Some(stream) = stream {
            let mut stream = stream.expect("a reply");
            let item = stream.next().await.expect("an item");
            assert_eq!(item.expect("an item"), payload);
            streams.push(stream);
        }
        clients.push(client);
    }
    // So that nothing is freed.
    process::exit(0);
}

/// Over sockets, in one thread if the link would be in memory.
#[cfg(feature = "fleet")]
async fn balanced(desk: Desk, servers: Option<usize>, link: Link) -> CostsClient {
    let desk = Arc::new(desk);
    let mut addresses = Vec::new();
    for _ in 0..servers.unwrap_or(1) {
        let desk = Arc::clone(&desk);
        addresses.push(match link {
            Link::Memory => {
                let server = Server::bind("127.0.0.1:0").await.expect("a port");
                let address = server.local_addr().expect("bound");
                tokio::spawn(server.serve(CostsServer::new(desk)));
                address
            }
            Link::Tcp => serve(desk),
        });
    }
    if servers.is_none() {
        let client = CostsClient::connect(addresses[0]).await;
        return client.expect("connected");
    }
    let all: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
    let fleet = CostsClient::fleet(all.join(",")).await.expect("a fleet");
    while fleet.each().len() < addresses.len() {
        fleet.changed().await;
    }
    fleet.client()
}

/// There are no such rows without the feature.
#[cfg(not(feature = "fleet"))]
async fn balanced(_: Desk, _: Option<usize>, _: Link) -> CostsClient {
    unreachable!("needs the feature `fleet`")
}

/// A server in its own thread, until the process ends.
fn serve(desk: impl Costs + Send + Sync + 'static) -> SocketAddr {
    let (address_in, address) = mpsc::channel();
    thread::spawn(move || {
        runtime().block_on(async {
            let server = Server::bind("127.0.0.1:0").await.expect("a port");
            let _ = address_in.send(server.local_addr().expect("bound"));
            server
                .serve(CostsServer::new(desk))
                .await
                .expect("it served");
        });
    });
    address.recv().expect("it runs")
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

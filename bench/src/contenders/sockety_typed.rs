//! Sockety by a typed service.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sockety::{
    ByteStream, File, Options, Server, Streaming,
    client::ServiceClient,
    config::Extension,
    serve::BoxError,
    service,
    tls::{Identity, Roots, TlsClient, TlsServer},
};
use tokio::io::AsyncReadExt;

use crate::{
    Result,
    calls::{Client, Held},
    contender::{About, Contender, Kind, Serving, Target},
    control,
    payloads::{MIB, Record},
    plan::Runtime,
    tls,
    workload::Workload,
};

#[service]
pub trait Bench {
    async fn echo(&self, payload: Bytes) -> Bytes;

    async fn nothing(&self);

    #[action(one_way)]
    async fn note(&self, payload: Bytes);

    async fn upload(&self, payload: Bytes) -> u64;

    async fn records(&self, records: Vec<Record>) -> Vec<Record>;

    async fn stream(&self, bytes: ByteStream) -> u64;

    async fn store(&self, file: File) -> u64;

    async fn echoes(&self, payloads: Streaming<Bytes>) -> Streaming<Bytes>;

    async fn subscribe(&self, payload: Bytes) -> Streaming<Bytes>;
}

pub struct Sockety;

struct Desk {
    directory: PathBuf,
    reading: Reading,
}

/// What the server does with a stream.
#[derive(Clone, Copy)]
enum Reading {
    /// Takes chunks, and counts their bytes.
    Counts,
    /// Reads into one buffer again and again, as `limit-bulk` does.
    Discards,
}

impl Bench for Desk {
    async fn echo(&self, payload: Bytes) -> Bytes {
        control::executed(1);
        payload
    }

    async fn nothing(&self) {
        control::executed(1);
    }

    async fn note(&self, _payload: Bytes) {
        control::executed(1);
    }

    async fn upload(&self, payload: Bytes) -> u64 {
        control::executed(1);
        payload.len() as u64
    }

    async fn records(&self, records: Vec<Record>) -> Vec<Record> {
        control::executed(1);
        records
    }

    async fn stream(&self, bytes: ByteStream) -> u64 {
        match self.reading {
            Reading::Counts => count(bytes).await,
            Reading::Discards => discard(bytes).await,
        }
    }

    async fn store(&self, file: File) -> u64 {
        store(file, &self.directory).await.unwrap_or(0)
    }

    async fn echoes(&self, payloads: Streaming<Bytes>) -> Streaming<Bytes> {
        Streaming::from_items(payloads.inspect(|_| control::executed(1)))
    }

    async fn subscribe(&self, payload: Bytes) -> Streaming<Bytes> {
        control::executed(1);
        Streaming::from_stream(stream::iter([payload]).chain(stream::pending()))
    }
}

/// Reads a stream to its end; gives its length.
pub async fn count(mut bytes: ByteStream) -> u64 {
    let mut sum = 0;
    while let Ok(Some(chunk)) = bytes.next_chunk().await {
        sum += chunk.len() as u64;
    }
    sum
}

/// The same, into one buffer.
async fn discard(mut bytes: ByteStream) -> u64 {
    let mut buffer = vec![0; MIB];
    let mut sum = 0;
    while let Ok(read @ 1..) = bytes.read(&mut buffer).await {
        sum += read as u64;
    }
    sum
}

/// Saves a file, and removes it when it was counted.
pub async fn store(file: File, directory: &Path) -> Result<u64> {
    let saved = file.save_in(directory).await?;
    let stored = tokio::fs::metadata(&saved.path).await?.len();
    // Nobody waits for that.
    tokio::spawn(tokio::fs::remove_file(saved.path));
    Ok(stored)
}

pub async fn server(serving: Serving, options: Options) -> Result<Server> {
    let server = Server::from(serving.listener)
        .options(options)
        .max_connections(20_000);
    if !serving.tls {
        return Ok(server);
    }
    let identity = Identity::from_pem(&serving.identity.certificate, &serving.identity.key)?;
    Ok(server.tls(TlsServer::new(identity)))
}

/// A connection, or a typed client on one.
pub async fn connect<C: ServiceClient + 'static>(target: &Target) -> Result<C> {
    connect_to(target.address(), target).await
}

pub async fn connect_to<C: ServiceClient + 'static>(
    address: SocketAddr,
    target: &Target,
) -> Result<C> {
    let connect = sockety::connect(address).options(Options::trusted());
    let connection = match target.tls {
        true => {
            let roots = Roots::from_pem(&target.certificate)?;
            let tls = TlsClient::new(&roots).server_name(tls::NAME)?;
            connect.tls(tls).await?
        }
        false => connect.await?,
    };
    Ok(C::new(connection))
}

impl Contender for Sockety {
    type Client = BenchClient;

    const ABOUT: About = About {
        name: "sockety",
        kind: Kind::Ours,
        crates: &["sockety"],
        settings: "`Options::trusted()`, 20,000 connections",
        runtime: Runtime::Current,
        workloads: &[
            Workload::W1,
            Workload::W2,
            Workload::W3,
            Workload::W4,
            Workload::W5,
            Workload::W6,
            Workload::W7,
            Workload::W8,
            Workload::W9,
            Workload::W10,
            Workload::W11,
            Workload::W12,
            Workload::W13,
            Workload::W14,
            Workload::W15,
            Workload::T1,
            Workload::T2,
            Workload::T3,
            Workload::T4,
        ],
        tls: true,
    };

    async fn serve(serving: Serving) -> Result<()> {
        serve(serving, Options::trusted(), Reading::Counts).await
    }

    async fn connect(target: &Target) -> Result<BenchClient> {
        connect(target).await
    }
}

/// Without the extension of the protocol, as between a side that has it and one that has not.
pub struct SocketyBase;

impl Contender for SocketyBase {
    type Client = BenchClient;

    const ABOUT: About = About {
        name: "sockety-base",
        settings: "as `sockety`, the server with `Extension::Off`",
        ..Sockety::ABOUT
    };

    async fn serve(serving: Serving) -> Result<()> {
        let options = Options::trusted().extension(Extension::Off);
        serve(serving, options, Reading::Counts).await
    }

    async fn connect(target: &Target) -> Result<BenchClient> {
        connect(target).await
    }
}

/// With another reader of W6.
pub struct SocketyRead;

impl Contender for SocketyRead {
    type Client = BenchClient;

    const ABOUT: About = About {
        name: "sockety-read",
        settings: "as `sockety`; the server reads the stream into one buffer, instead of taking chunks",
        workloads: &[Workload::W6],
        ..Sockety::ABOUT
    };

    async fn serve(serving: Serving) -> Result<()> {
        serve(serving, Options::trusted(), Reading::Discards).await
    }

    async fn connect(target: &Target) -> Result<BenchClient> {
        connect(target).await
    }
}

async fn serve(serving: Serving, options: Options, reading: Reading) -> Result<()> {
    let directory = serving.directory.clone();
    let server = server(serving, options).await?;
    let desk = Desk { directory, reading };
    Ok(server.serve(BenchServer::new(desk)).await?)
}

impl Client for BenchClient {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        Ok(Self::echo(self, payload).await?)
    }

    async fn nothing(&self) -> Result<()> {
        Ok(Self::nothing(self).await?)
    }

    async fn notify(&self, payload: &Bytes, count: usize) -> Result<()> {
        let notes = (0..count).map(|_| BenchDraft::note(payload.clone()));
        Ok(self.connection().pass_all(notes).await?)
    }

    async fn upload(&self, payload: Bytes) -> Result<u64> {
        Ok(Self::upload(self, payload).await?)
    }

    async fn records(&self, records: Vec<Record>) -> Result<Vec<Record>> {
        Ok(Self::records(self, records).await?)
    }

    async fn stream(&self, chunk: Bytes, count: u64) -> Result<u64> {
        let chunks = stream::iter((0..count).map(move |_| Ok(chunk.clone())));
        Ok(Self::stream(self, ByteStream::from_stream(chunks)).await?)
    }

    async fn hold(&self, payload: Bytes, both_ways: bool) -> Result<Held> {
        let (mut items, sender) = match both_ways {
            true => {
                let (sender, payloads) = Streaming::channel(1);
                sender.send(Ok(payload.clone())).await?;
                (self.echoes(payloads).await?, Some(sender))
            }
            false => (self.subscribe(payload.clone()).await?, None),
        };
        match items.next().await.transpose()? {
            Some(item) if item == payload => Ok(Box::new((sender, items))),
            _ => Err("the item differs".into()),
        }
    }

    async fn file(&self, path: PathBuf) -> Result<u64> {
        let file = File::open(path).await.map_err(BoxError::from)?;
        Ok(self.store(file).await?)
    }
}

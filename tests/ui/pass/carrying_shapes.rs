//! Every shape of a method that carries files or a stream.
#![deny(
    missing_docs,
    warnings,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]
#![allow(clippy::unused_async)]

use sockety::{ByteStream, Context, File, ServiceError, Streaming, service};

/// A clip.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Clip {
    id: u64,
}

/// What can go wrong.
#[derive(Debug, serde::Serialize, serde::Deserialize, ServiceError)]
pub enum MediaError {
    /// There is no such clip.
    #[code(16)]
    NotFound,
}

/// Takes files and streams.
#[service]
pub trait Taking {
    /// One file.
    async fn file(&self, file: File);
    /// Any number of files.
    async fn files(&self, files: Vec<File>) -> Result<(), MediaError>;
    /// Files between the parts of the payload.
    async fn mixed(&self, a: u64, first: File, cx: &Context, b: u64, second: File) -> Clip;
    /// The stream comes before the files.
    async fn before(&self, ids: Streaming<u64>, first: File, rest: Vec<File>) -> u64;
    /// A stream that may end with an error.
    async fn failing(&self, ids: Streaming<u64, MediaError>) -> Result<Clip, MediaError>;
    /// Bytes.
    async fn bytes(&self, clip: Clip, input: ByteStream);
    /// No reply.
    #[action(one_way)]
    async fn ingest(&self, source: String, lines: Streaming<Clip>, attachments: Vec<File>);
    /// A default body.
    async fn default(&self, received: File, content: u64, value: Streaming<u64>) -> u64 {
        drop((received, value));
        content
    }
}

/// Returns files and streams.
#[service]
pub trait Returning {
    /// One file.
    async fn file(&self) -> File;
    /// Any number of files.
    async fn files(&self, id: u64) -> Result<Vec<File>, MediaError>;
    /// A stream.
    async fn clips(&self, cx: &Context) -> Streaming<Clip>;
    /// A stream that may end with an error.
    async fn failing(&self, from: u64, to: u64) -> Result<Streaming<Clip, MediaError>, MediaError>;
    /// Bytes for bytes.
    async fn shell(&self, input: ByteStream) -> ByteStream;
    /// A payload first.
    async fn clip(&self, id: u64) -> Result<(Clip, File), MediaError>;
    /// A payload last, and the stream first.
    async fn last(&self) -> (ByteStream, File, Vec<File>, Vec<Clip>);
    /// A tuple as the payload.
    async fn tuple(&self) -> Result<((u64, Clip), Streaming<u64>), MediaError>;
    /// A tuple of one.
    async fn alone(&self) -> (File,);
    /// No payload.
    async fn pair(&self, ids: Streaming<u64>, file: File) -> (File, Streaming<u64>);
    /// Nothing but a payload.
    async fn plain(&self) -> (u64, Clip);
}

struct Store;

impl Taking for Store {
    async fn file(&self, _: File) {}

    async fn files(&self, _: Vec<File>) -> Result<(), MediaError> {
        Err(MediaError::NotFound)
    }

    async fn mixed(&self, a: u64, _: File, _: &Context, b: u64, _: File) -> Clip {
        Clip { id: a + b }
    }

    async fn before(&self, _: Streaming<u64>, _: File, _: Vec<File>) -> u64 {
        0
    }

    async fn failing(&self, _: Streaming<u64, MediaError>) -> Result<Clip, MediaError> {
        Err(MediaError::NotFound)
    }

    async fn bytes(&self, _: Clip, _: ByteStream) {}

    async fn ingest(&self, _: String, _: Streaming<Clip>, _: Vec<File>) {}
}

async fn take_all(client: TakingClient, file: fn() -> File, input: ByteStream) {
    let ids = || Streaming::from_iter([1]);
    client.file(file()).await.ok();
    client.files(vec![file(), file()]).await.ok();
    client.mixed(1, file(), 2, file()).await.ok();
    client.before(ids(), file(), Vec::new()).await.ok();
    client.failing(Streaming::from_iter([1])).await.ok();
    client.bytes(Clip { id: 1 }, input).await.ok();
    let clips = Streaming::from_iter([Clip { id: 1 }]);
    client.ingest(String::new(), clips, vec![]).await.ok();
    let _: u64 = client.default(file(), 1, ids()).await.unwrap_or_default();
}

async fn return_all(client: ReturningClient, input: ByteStream, file: File) -> Option<()> {
    let _: File = client.file().await.ok()?;
    let _: Vec<File> = client.files(1).await.ok()?;
    let _: Streaming<Clip> = client.clips().await.ok()?;
    let _: Streaming<Clip, MediaError> = client.failing(1, 2).await.ok()?;
    let _: ByteStream = client.shell(input).await.ok()?;
    let _: (Clip, File) = client.clip(1).await.ok()?;
    let _: (ByteStream, File, Vec<File>, Vec<Clip>) = client.last().await.ok()?;
    let _: ((u64, Clip), Streaming<u64>) = client.tuple().await.ok()?;
    let (_,): (File,) = client.alone().await.ok()?;
    let _: (File, Streaming<u64>) = client.pair(Streaming::from_iter([1]), file).await.ok()?;
    let _: (u64, Clip) = client.plain().await.ok()?;
    Some(())
}

fn main() {
    let _ = (take_all, return_all);
    drop(TakingServer::new(Store));
}

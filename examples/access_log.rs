//! An access log: one line for each message, with its peer, action, outcome, bytes in both
//! directions, and how long it took until the reply and until the end of its content.
//!
//! The log is middleware, [`AccessLog`]. The line of a message is written when its [`Entry`] is
//! dropped, so that each has one: also those whose handler was cancelled or panicked. Messages that
//! are refused before any middleware runs have none: of unknown actions, over a limit, or not
//! authorized. Events of tracing and [`ServerHandle::stats`](sockety::server::ServerHandle::stats)
//! tell of them.

use std::{
    error::Error,
    fmt::{self, Display},
    io::{self, Write},
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use sockety::{
    ByteStream, Connection, File, Server, ServiceError, async_trait,
    serve::{Answered, Incoming, IntoRouter, ServeMiddleware, ServeNext, TransferEnd, Transferred},
    service,
};
use tokio::{
    io::{AsyncWriteExt, copy, sink},
    sync::mpsc,
    time::sleep,
};

/// Lines that may wait to be written. If the log is too slow, further ones are lost: it must not
/// delay any call, nor grow without bound.
const WAITING_LINES: usize = 10_000;

/// How long accepted calls may take when the server is told to end.
const GRACE: Duration = Duration::from_secs(20);

/// Logs each message to a channel.
struct AccessLog {
    lines: mpsc::Sender<String>,
}

/// What is known about a message.
struct Entry {
    lines: mpsc::Sender<String>,
    peer: Option<SocketAddr>,
    action: String,
    payload: usize,
    begin: Instant,
    /// How it was answered, and after what time.
    reply: Option<(Answered, Duration)>,
    transferred: Option<Transferred>,
}

#[async_trait]
impl ServeMiddleware for AccessLog {
    async fn handle(&self, incoming: Incoming, next: ServeNext) {
        let mut entry = Entry {
            lines: self.lines.clone(),
            peer: incoming.peer_addr(),
            action: incoming.action().to_owned(),
            payload: incoming.payload().len(),
            begin: Instant::now(),
            reply: None,
            transferred: None,
        };
        let transfer = incoming.transfer();
        let answered = next.run(incoming).await;
        entry.reply = Some((answered, entry.begin.elapsed()));
        // In a task: a message counts as executing while its middleware runs.
        tokio::spawn(async move { entry.end(transfer.ended().await) });
    }
}

impl Entry {
    fn end(mut self, transferred: Transferred) {
        self.transferred = Some(transferred);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // Full, or the program ends.
        let _ = self.lines.try_send(self.to_string());
    }
}

impl Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Unix sockets have no addresses.
        match self.peer {
            Some(peer) => write!(f, "{peer}")?,
            None => write!(f, "-")?,
        }
        // The peer chose the name, so it is escaped: it may contain line breaks.
        write!(f, " {:?} ", self.action)?;
        let (mut received, mut sent) = (self.payload as u64, 0);
        match self.reply.as_ref().map(|(answered, _)| answered) {
            Some(Answered::Nothing) => write!(f, "nothing")?,
            Some(Answered::Code(code)) => write!(f, "code {code}")?,
            Some(Answered::Response { payload }) => {
                sent += *payload as u64;
                write!(f, "response")?;
            }
            Some(Answered::Error { payload }) => {
                sent += *payload as u64;
                write!(f, "error")?;
            }
            Some(_) => write!(f, "other")?,
            // Or its handler panicked.
            None => write!(f, "cancelled")?,
        }
        if let Some(content) = &self.transferred {
            received += content.received.files + content.received.stream;
            sent += content.sent.files + content.sent.stream;
            match content.end {
                TransferEnd::Complete => {}
                TransferEnd::PeerGone => write!(f, ", not taken")?,
                _ => write!(f, ", broken off")?,
            }
        }
        write!(f, " in={received} out={sent}")?;
        if let Some((_, after)) = self.reply {
            write!(f, " reply={}", Milliseconds(after))?;
        }
        write!(f, " end={}", Milliseconds(self.begin.elapsed()))
    }
}

struct Milliseconds(Duration);

impl Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}ms", self.0.as_secs_f64() * 1e3)
    }
}

/// What is logged.
#[service]
trait Archive {
    async fn title(&self, id: u64) -> Result<String, ArchiveError>;
    /// Returns the size of the document.
    async fn add(&self, document: File) -> u64;
    /// A page of 1,000 bytes every 20 ms.
    async fn read(&self, pages: u64) -> ByteStream;
    #[action(one_way)]
    async fn note(&self, text: String);
}

#[derive(Debug, Serialize, Deserialize, ServiceError)]
enum ArchiveError {
    /// There is no such document.
    #[code(404)]
    NotFound,
}

struct Shelf;

impl Archive for Shelf {
    async fn title(&self, id: u64) -> Result<String, ArchiveError> {
        match id {
            1 => Ok("Emma".into()),
            _ => Err(ArchiveError::NotFound),
        }
    }

    async fn add(&self, mut document: File) -> u64 {
        copy(&mut document, &mut sink()).await.unwrap_or_default()
    }

    async fn read(&self, pages: u64) -> ByteStream {
        ByteStream::spawn(4096, move |mut writer| async move {
            for _ in 0..pages {
                writer.write_all(&[b'a'; 1_000]).await?;
                sleep(Duration::from_millis(20)).await;
            }
            Ok(writer.shutdown().await?)
        })
    }

    async fn note(&self, _text: String) {}
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (lines, mut written) = mpsc::channel(WAITING_LINES);
    // One task writes, so that lines stay whole. A server would write to a file.
    let writer = tokio::spawn(async move {
        while let Some(line) = written.recv().await {
            let _ = writeln!(io::stdout(), "{line}");
        }
    });
    let server = Server::bind("127.0.0.1:0").await?;
    let (address, handle) = (server.local_addr()?, server.handle());
    let router = ArchiveServer::new(Shelf).into_router();
    let serving = tokio::spawn(server.serve(router.layer(AccessLog { lines })));

    call_everything(sockety::connect(address).await?).await?;

    handle.shutdown(GRACE).await;
    serving.await??;
    // All lines are written: the last one had the last sender.
    writer.await?;
    Ok(())
}

async fn call_everything(connection: Connection) -> Result<(), Box<dyn Error>> {
    let archive = ArchiveClient::new(connection.clone());
    archive.title(1).await?;
    // The log shows how it fails.
    let _ = archive.title(2).await;
    let document = File::from_bytes("persuasion.txt", vec![b'p'; 50_000]);
    archive.add(document).await?;
    let mut pages = archive.read(5).await?;
    copy(&mut pages, &mut sink()).await?;
    // The rest of these is not read.
    let mut pages = archive.read(1_000).await?;
    pages.next_chunk().await?;
    drop(pages);
    archive.note("closed on Mondays".into()).await?;
    connection.close().await;
    Ok(())
}

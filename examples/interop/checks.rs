//! The checks by theme, and their common helpers.

use std::{fmt::Debug, pin::Pin, time::Duration};

use sockety::{
    Connection, File,
    content::StreamWriter,
    error::ConnectError,
    message::{Draft, Outgoing, Reply, Response},
    serve::BoxError,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::TcpStream,
};

use crate::{content, service::options, tls::Tls};

mod connections;
mod files;
mod one_way;
mod payloads;
mod replies;
mod streams;
mod together;
mod values;

/// One check.
pub struct Check {
    pub what: String,
    pub run: Run,
}

pub type Run = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Why a check failed.
type Outcome<T = ()> = Result<T, BoxError>;

/// All checks of the server on a port of 127.0.0.1.
pub fn all(port: u16, tls: Option<Tls>) -> Vec<Check> {
    let mut checks = Checks {
        peer: Peer { port, tls },
        list: Vec::new(),
    };
    replies::add(&mut checks);
    payloads::add(&mut checks);
    values::add(&mut checks);
    files::add(&mut checks);
    streams::add(&mut checks);
    together::add(&mut checks);
    one_way::add(&mut checks);
    connections::add(&mut checks);
    checks.list
}

struct Checks {
    peer: Peer,
    list: Vec<Check>,
}

impl Checks {
    /// Adds a check with a separate connection: if it breaks the connection, no other check is
    /// affected.
    fn add<F, R>(&mut self, what: impl Into<String>, run: F)
    where
        F: FnOnce(Connection) -> R + Send + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        self.add_with_peer(what, |peer| async move { run(peer.connect().await?).await });
    }

    /// Adds a check that opens its connections itself.
    fn add_with_peer<F, R>(&mut self, what: impl Into<String>, run: F)
    where
        F: FnOnce(Peer) -> R,
        R: Future<Output = Outcome> + Send + 'static,
    {
        let run = run(self.peer.clone());
        self.list.push(Check {
            what: what.into(),
            run: Box::pin(run),
        });
    }
}

/// The server.
#[derive(Clone)]
struct Peer {
    port: u16,
    tls: Option<Tls>,
}

impl Peer {
    fn address(&self) -> (&'static str, u16) {
        ("127.0.0.1", self.port)
    }

    async fn connect(&self) -> Result<Connection, ConnectError> {
        // Well below the time limit of a check: if a server sends nothing, all checks should fail
        // quickly.
        let options = options().handshake_timeout(Duration::from_secs(2));
        let connect = sockety::connect(self.address()).options(options);
        match &self.tls {
            Some(tls) => connect.tls(tls.client.clone()).await,
            None => connect.await,
        }
    }

    /// A new socket on which nothing was sent.
    async fn socket(&self) -> Outcome<Box<dyn Socket>> {
        let socket = TcpStream::connect(self.address()).await?;
        Ok(match &self.tls {
            Some(tls) => Box::new(tls.secure(socket).await?),
            None => Box::new(socket),
        })
    }
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// Sends a message and waits for a reply.
async fn ask(connection: &Connection, message: impl Into<Outgoing>) -> Outcome<Reply> {
    Ok(connection.send(message).await?.response().await?)
}

/// Expects a response.
async fn response(connection: &Connection, message: impl Into<Outgoing>) -> Outcome<Response> {
    to_response(ask(connection, message).await?)
}

fn to_response(reply: Reply) -> Outcome<Response> {
    match reply {
        Reply::Response(response) => Ok(response),
        Reply::Fast(code) => Err(format!("a response was expected, code {code} came").into()),
    }
}

/// Expects this code.
async fn expect_code(
    connection: &Connection,
    message: impl Into<Outgoing>,
    expected: u16,
) -> Outcome {
    match ask(connection, message).await? {
        Reply::Fast(code) => equal("code", &code.code(), &expected),
        Reply::Response(_) => Err(format!("code {expected} was expected, a response came").into()),
    }
}

/// Whatever happened before, the connection must still work.
async fn expect_alive(connection: &Connection) -> Outcome {
    let ping = Draft::new("ping");
    let alive = expect_code(connection, &ping, 0).await;
    alive.map_err(|error| format!("the connection does not go on: {error}").into())
}

fn equal<T: PartialEq + Debug + ?Sized>(what: &str, found: &T, expected: &T) -> Outcome {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: {found:?} instead of {expected:?}").into())
    }
}

/// Like [`equal`], for byte strings that are too long to show.
fn equal_bytes(found: &[u8], expected: &[u8]) -> Outcome {
    equal("number of bytes", &found.len(), &expected.len())?;
    let difference = found.iter().zip(expected).position(|(a, b)| a != b);
    match difference {
        None => Ok(()),
        Some(position) => Err(format!("byte {position} is another than was sent").into()),
    }
}

/// Writes a complete stream.
async fn write(mut writer: StreamWriter, content: Vec<bytes::Bytes>) -> Outcome {
    for chunk in content {
        writer.write_chunk(chunk).await?;
    }
    Ok(writer.finish()?)
}

/// Reads a received file to its end. It must have the announced size and the generated content.
async fn expect_generated(mut file: File) -> Outcome {
    let name = file.name().to_owned();
    let mut position = 0;
    let mut chunk = Vec::with_capacity(16 * 1024);
    while file.read_buf(&mut chunk).await? > 0 {
        if let Some(difference) = content::first_difference(&chunk, position) {
            return Err(format!("file {name:?}: byte {difference} is wrong").into());
        }
        position += chunk.len() as u64;
        chunk.clear();
    }
    equal("bytes of a file", &position, &file.size())
}

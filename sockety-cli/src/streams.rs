//! Streams of messages, read from and written to files or standard input and output, as bytes or as
//! items.

use std::{
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use serde_json::{Value as Json, json};
use sockety::{
    ByteStream,
    msgpack::{ItemScanner, Scanned},
};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use crate::{
    exit::{Exit, Failure, explain},
    out,
    shown::{escaped_json, escaped_stream},
    typed::Typed,
    value::{self, Shown},
};

/// How the bytes of a stream are read and shown.
#[derive(Debug, Clone)]
pub enum Form {
    /// Unchanged.
    Bytes,
    /// As MessagePack values, each as a line of JSON.
    Items {
        /// The largest value, in bytes.
        limit: usize,
        /// The types of the action, if they are known.
        types: Option<Arc<Typed>>,
    },
}

/// Where a stream goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// Standard output, unchanged or as lines of JSON.
    Output,
    /// Standard output, as objects.
    Objects,
    File(PathBuf),
}

impl From<&Path> for Sink {
    fn from(path: &Path) -> Self {
        match path == Path::new("-") {
            true => Self::Output,
            false => Self::File(path.to_owned()),
        }
    }
}

/// Opens a file or standard input as a stream to send.
pub async fn outgoing(path: &Path, form: Form) -> Result<ByteStream, Failure> {
    let reader: Pin<Box<dyn AsyncRead + Send>> = match path == Path::new("-") {
        true => Box::pin(tokio::io::stdin()),
        false => {
            let file = tokio::fs::File::open(path).await;
            Box::pin(file.map_err(|error| {
                Failure::local(format!("cannot read {}: {error}", path.display()))
            })?)
        }
    };
    Ok(match form {
        Form::Bytes => ByteStream::from_reader(reader),
        Form::Items { limit, types } => {
            let lines = BufReader::new(reader);
            let items = stream::try_unfold((lines, 0), move |(lines, number)| {
                next_line(lines, number, limit, types.clone())
            });
            ByteStream::from_stream(items)
        }
    })
}

/// Reads the next line of JSON that is not blank, as MessagePack. `number` lines were read before.
async fn next_line<R>(
    mut lines: R,
    mut number: u64,
    limit: usize,
    types: Option<Arc<Typed>>,
) -> io::Result<Option<(Bytes, (R, u64))>>
where
    R: tokio::io::AsyncBufRead + Unpin,
{
    loop {
        number += 1;
        let mut line = Vec::new();
        let one_more = (limit as u64).saturating_add(1);
        (&mut lines)
            .take(one_more)
            .read_until(b'\n', &mut line)
            .await?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.len() > limit {
            return Err(invalid(format!(
                "a line is longer than --max-payload: the limit is {limit} bytes"
            )));
        }
        let text = str::from_utf8(&line).map_err(|_| invalid("a line is not UTF-8".into()))?;
        if !text.trim().is_empty() {
            let item = item(text, types.as_deref());
            let item = item.map_err(|problem| invalid(format!("line {number}: {problem}")))?;
            return Ok(Some((item.into(), (lines, number))));
        }
    }
}

/// A line of JSON as MessagePack, by its type if that is known.
fn item(text: &str, types: Option<&Typed>) -> Result<Vec<u8>, String> {
    let json = value::parse(text).map_err(|error| error.to_string())?;
    match types.and_then(|types| types.item(&json)) {
        Some(item) => item.map_err(|problem| problem.to_string()),
        None => value::to_msgpack(json).map_err(|error| error.to_string()),
    }
}

fn invalid(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

/// Copies the stream of the reply to the message that `what` names to its sink, and returns the number of bytes received.
pub async fn copy(
    mut stream: ByteStream,
    what: &str,
    sink: &Sink,
    form: Form,
) -> Result<u64, Failure> {
    let mut writer = Writer::open(sink).await?;
    let types = match &form {
        Form::Bytes => None,
        Form::Items { types, .. } => types.clone(),
    };
    let mut items = Items::new(&form);
    let mut count = 0;
    loop {
        let chunk = stream.next_chunk().await.map_err(|error| {
            let text = format!(
                "{what}: stream incomplete after {count} bytes: {}",
                explain(&error)
            );
            Failure::new(Exit::ReplyLost, text)
        })?;
        let Some(chunk) = chunk else {
            break;
        };
        count += chunk.len() as u64;
        match &mut items {
            None => writer.bytes(&chunk).await?,
            Some(items) => {
                items.bytes.extend_from_slice(&chunk);
                while let Some(item) = items.next(what)? {
                    let shown = match &types {
                        Some(types) => types.shown_item(&item),
                        None => Shown::of(&item),
                    };
                    writer.item(&shown.into_item()).await?;
                }
            }
        }
    }
    writer.finish().await?;
    match items.is_none_or(|items| items.bytes.is_empty()) {
        true => Ok(count),
        false => Err(lost(what, "stream ended inside an item")),
    }
}

/// Splits a stream into its items.
struct Items {
    bytes: BytesMut,
    limit: usize,
    scanner: ItemScanner,
}

impl Items {
    fn new(form: &Form) -> Option<Self> {
        match form {
            Form::Bytes => None,
            Form::Items { limit, .. } => Some(Self {
                bytes: BytesMut::new(),
                limit: *limit,
                scanner: ItemScanner::new(value::BOUNDS),
            }),
        }
    }

    /// Removes and returns the first item, if all of it has arrived.
    fn next(&mut self, what: &str) -> Result<Option<Bytes>, Failure> {
        match self.scanner.scan(&self.bytes) {
            Ok(Scanned::Whole { len }) => Ok(Some(self.bytes.split_to(len).freeze())),
            Ok(Scanned::Partial { needed }) if needed > self.limit && !self.bytes.is_empty() => {
                Err(lost(
                    what,
                    &format!(
                        "item of at least {needed} bytes in the stream is over the limit of \
                         --max-payload: {} bytes",
                        self.limit
                    ),
                ))
            }
            Ok(Scanned::Partial { .. }) => Ok(None),
            Err(error) => Err(lost(
                what,
                &format!("item in the stream is {}", value::Problem::from(&error)),
            )),
        }
    }
}

fn lost(what: &str, problem: &str) -> Failure {
    Failure::new(Exit::ReplyLost, format!("{what}: {problem}"))
}

enum Writer {
    /// Standard output is a terminal: bytes are escaped.
    Terminal,
    Output,
    Objects,
    File(PathBuf, Pin<Box<dyn AsyncWrite + Send>>),
}

impl Writer {
    async fn open(sink: &Sink) -> Result<Self, Failure> {
        match sink {
            Sink::Output if out::is_terminal() => Ok(Self::Terminal),
            Sink::Output => Ok(Self::Output),
            Sink::Objects => Ok(Self::Objects),
            Sink::File(path) => {
                let file = tokio::fs::File::create(path).await;
                let file = file.map_err(|error| cannot_write(path, &error))?;
                Ok(Self::File(path.clone(), Box::pin(file)))
            }
        }
    }

    async fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Terminal => out::raw(escaped_stream(bytes).as_bytes()),
            Self::Output => out::raw(bytes),
            Self::Objects => {
                let value = json!({ "$bin": BASE64_STANDARD.encode(bytes) });
                out::object(&json!({ "type": "bytes", "value": value }))
            }
            Self::File(path, file) => file
                .write_all(bytes)
                .await
                .map_err(|error| cannot_write(path, &error)),
        }
    }

    async fn item(&mut self, item: &Json) -> Result<(), Failure> {
        let line = escaped_json(&item.to_string()) + "\n";
        match self {
            Self::Terminal | Self::Output => out::raw(line.as_bytes()),
            Self::Objects => out::object(&json!({ "type": "item", "value": item })),
            Self::File(path, file) => file
                .write_all(line.as_bytes())
                .await
                .map_err(|error| cannot_write(path, &error)),
        }
    }

    async fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Terminal | Self::Output | Self::Objects => Ok(()),
            Self::File(path, mut file) => file
                .shutdown()
                .await
                .map_err(|error| cannot_write(&path, &error)),
        }
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::local(format!("cannot write {}: {error}", path.display()))
}

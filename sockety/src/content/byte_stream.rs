use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use futures_core::Stream;
use sync_wrapper::SyncWrapper;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::engine::receive::intake::PartReader;

/// A live stream of bytes: one to be sent, or one that is being received.
///
/// It is an `AsyncRead`, and a `Stream` of chunks, whose borders mean nothing. Its end is reported only when its
/// sender has ended it. Dropping a received one drops what was not read, and the message goes on.
///
/// ```
/// # use sockety::ByteStream;
/// let stream = ByteStream::from_reader(&b"hello"[..]);
/// let (writer, stream) = ByteStream::pipe(64 * 1024);
/// ```
pub struct ByteStream {
    source: Source,
}

enum Source {
    Received(PartReader),
    Reader(SyncWrapper<Pin<Box<dyn AsyncRead + Send>>>),
    Chunks(Chunks),
}

struct Chunks {
    stream: SyncWrapper<Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>>,
    rest: Bytes,
}

/// How much of a reader is asked for at a time.
const READ_BYTES: usize = 64 * 1024;

impl ByteStream {
    /// Reads from a reader until its end.
    pub fn from_reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self {
            source: Source::Reader(SyncWrapper::new(Box::pin(reader))),
        }
    }

    /// The chunks of a stream.
    pub fn from_stream(stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self {
            source: Source::Chunks(Chunks {
                stream: SyncWrapper::new(Box::pin(stream)),
                rest: Bytes::new(),
            }),
        }
    }

    /// What is written to the writer. The stream ends when the writer is shut down or dropped; `capacity` bytes may
    /// wait between the two.
    pub fn pipe(capacity: usize) -> (impl AsyncWrite + Send + Unpin + 'static, Self) {
        let (writer, reader) = tokio::io::duplex(capacity);
        (writer, Self::from_reader(reader))
    }

    pub(crate) fn received(reader: PartReader) -> Self {
        Self {
            source: Source::Received(reader),
        }
    }

    /// The next chunk; `None` at the end.
    ///
    /// # Errors
    /// What reading fails with; of a received stream a [`ReadError`](crate::error::read::ReadError), inside the [`io::Error`].
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        std::future::poll_fn(|cx| self.poll_chunk(cx))
            .await
            .transpose()
    }

    /// Tells the connection that some of a chunk was used.
    pub(crate) fn note_progress(&self) {
        if let Source::Received(reader) = &self.source {
            reader.note_progress();
        }
    }

    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        match &mut self.source {
            Source::Received(reader) => reader.poll_chunk(usize::MAX, cx).map_err(io::Error::from),
            Source::Reader(reader) => poll_reader(reader.get_mut().as_mut(), cx),
            Source::Chunks(chunks) if chunks.rest.is_empty() => {
                chunks.stream.get_mut().as_mut().poll_next(cx)
            }
            Source::Chunks(chunks) => Poll::Ready(Some(Ok(std::mem::take(&mut chunks.rest)))),
        }
    }
}

fn poll_reader(
    reader: Pin<&mut (dyn AsyncRead + Send)>,
    cx: &mut Context<'_>,
) -> Poll<Option<io::Result<Bytes>>> {
    let mut chunk = BytesMut::zeroed(READ_BYTES);
    let mut buffer = ReadBuf::new(&mut chunk);
    ready!(reader.poll_read(cx, &mut buffer))?;
    let length = buffer.filled().len();
    chunk.truncate(length);
    Poll::Ready((length > 0).then(|| Ok(chunk.freeze())))
}

impl Stream for ByteStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_chunk(cx)
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.source {
            Source::Received(reader) => Pin::new(reader).poll_read(cx, into),
            Source::Reader(reader) => reader.get_mut().as_mut().poll_read(cx, into),
            Source::Chunks(chunks) => chunks.poll_read(cx, into),
        }
    }
}

impl Chunks {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(self.stream.get_mut().as_mut().poll_next(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(chunk) => self.rest = chunk?,
            }
        }
        let length = self.rest.len().min(into.remaining());
        into.put_slice(&self.rest[..length]);
        self.rest.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.source {
            Source::Received(_) => "received",
            Source::Reader(_) => "reader",
            Source::Chunks(_) => "chunks",
        };
        write!(f, "ByteStream({kind})")
    }
}

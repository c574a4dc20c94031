use std::{
    error::Error,
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use futures_core::Stream;
use sync_wrapper::SyncWrapper;
use tokio::io::{AsyncRead, ReadBuf};

use super::{
    pipe::{PipeReader, PipeWriter},
    stream_sender::unfinished,
};
use crate::engine::receive::intake::PartReader;

/// A live stream of bytes: one to be sent, or one that is being received.
///
/// It is an `AsyncRead`, and a `Stream` of chunks, whose borders mean nothing. Its end is reported
/// only if its producer has ended it; if the producer breaks off, the reader gets an error, so an
/// incomplete stream never looks complete. A stream that has failed cannot be sent as if it were
/// whole. Dropping a received one drops what was not read, and the message goes on. It does not
/// keep its connection open.
///
/// ```
/// # use sockety::ByteStream;
/// # use tokio::io::AsyncWriteExt;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let stream = ByteStream::from_reader(&b"hello"[..]);
/// let (writer, stream) = ByteStream::pipe(64 * 1024);
/// let stream = ByteStream::spawn(64 * 1024, |mut writer| async move {
///     writer.write_all(b"hello").await?;
///     Ok(())
/// });
/// # }
/// ```
pub struct ByteStream {
    source: Source,
}

enum Source {
    Received(PartReader),
    Reader(SyncWrapper<Pin<Box<dyn AsyncRead + Send>>>),
    Chunks(Chunks),
    /// Reading has failed.
    Failed,
}

struct Chunks {
    stream: SyncWrapper<Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>>,
    rest: Bytes,
}

/// How much of a reader is asked for at a time.
const READ_BYTES: usize = 64 * 1024;

impl ByteStream {
    /// Reads from a reader. Its end is the end.
    pub fn from_reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self {
            source: Source::Reader(SyncWrapper::new(Box::pin(reader))),
        }
    }

    /// The chunks of a stream. Its end is the end.
    pub fn from_stream(stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self {
            source: Source::Chunks(Chunks {
                stream: SyncWrapper::new(Box::pin(stream)),
                rest: Bytes::new(),
            }),
        }
    }

    /// What is written to the writer; `capacity` bytes may wait between the two.
    ///
    /// The stream ends when the writer is shut down. If the writer is dropped without that, the
    /// stream ends with an error, see [`PipeWriter`]; [`PipeWriter::end_with`] ends it with one of the service. [`spawn`](Self::spawn) does it for a task.
    pub fn pipe(capacity: usize) -> (PipeWriter, Self) {
        let (writer, reader) = PipeReader::pipe(capacity);
        (writer, Self::from_reader(reader))
    }

    /// The bytes that a new task writes. Up to `capacity` bytes wait between the task and the stream.
    ///
    /// The result of the task ends the stream, after the bytes that were written: `Ok(())` ends it
    /// cleanly, whether the writer was shut down or not; an error or a panic ends it with an error.
    /// The error is not sent: the reader learns that the stream broke off, and this side logs why.
    ///
    /// The task is aborted when the stream is dropped, which also happens when its message is
    /// abandoned or its connection ends.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn spawn<F>(capacity: usize, produce: impl FnOnce(PipeWriter) -> F) -> Self
    where
        F: Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        Self::from_reader(PipeReader::spawn(capacity, produce))
    }

    /// One that has failed already.
    pub(crate) fn failed() -> Self {
        Self {
            source: Source::Failed,
        }
    }

    pub(crate) fn received(reader: PartReader) -> Self {
        Self {
            source: Source::Received(reader),
        }
    }

    /// The next chunk; `None` at the end.
    ///
    /// # Errors
    /// What reading fails with; of a received stream a
    /// [`ReadError`](crate::error::read::ReadError), inside the [`io::Error`]. After an error there
    /// is nothing more.
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
        let chunk = match &mut self.source {
            Source::Received(reader) => {
                return reader.poll_chunk(usize::MAX, cx).map_err(io::Error::from);
            }
            Source::Reader(reader) => ready!(poll_reader(reader.get_mut().as_mut(), cx)),
            Source::Chunks(chunks) if chunks.rest.is_empty() => {
                ready!(chunks.stream.get_mut().as_mut().poll_next(cx))
            }
            Source::Chunks(chunks) => Some(Ok(std::mem::take(&mut chunks.rest))),
            Source::Failed => Some(Err(unfinished())),
        };
        if let Some(Err(_)) = chunk {
            self.source = Source::Failed;
        }
        Poll::Ready(chunk)
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
        let read = match &mut self.source {
            Source::Received(reader) => return Pin::new(reader).poll_read(cx, into),
            Source::Reader(reader) => ready!(reader.get_mut().as_mut().poll_read(cx, into)),
            Source::Chunks(chunks) => ready!(chunks.poll_read(cx, into)),
            Source::Failed => Err(unfinished()),
        };
        if read.is_err() {
            self.source = Source::Failed;
        }
        Poll::Ready(read)
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
            Source::Failed => "failed",
        };
        write!(f, "ByteStream({kind})")
    }
}

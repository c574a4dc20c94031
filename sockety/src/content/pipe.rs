//! The two ends of `ByteStream::pipe`.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    task::JoinHandle,
};

use super::stream_sender::unfinished;
use crate::{
    error::{read::ReadError, stream_end::StreamEnd},
    fast_reply::FastReply,
};

/// Writes a [`ByteStream`](super::ByteStream).
///
/// End the stream by shutting the writer down
/// ([`shutdown`](https://docs.rs/tokio/1/tokio/io/trait.AsyncWriteExt.html#method.shutdown)). If
/// the writer is dropped without that, for example because its task panics, is aborted or returns
/// early, the stream ends with an error after the bytes that were written: it never looks complete.
///
/// If the stream is no longer read, writing fails with [`io::ErrorKind::BrokenPipe`].
#[derive(Debug)]
#[must_use = "dropping the writer before it was shut down ends the stream with an error"]
pub struct PipeWriter {
    pipe: DuplexStream,
    ended: Arc<Ended>,
    /// A task has the writer, and its result ends the stream; until it has returned, which this
    /// tells.
    task_has_returned: Option<Arc<AtomicBool>>,
}

impl AsyncWrite for PipeWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.pipe.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // First, as the reader looks at it when nothing more comes.
        self.ended.is_ended.store(true, Ordering::Release);
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        let is_of_task = |has_returned: &Arc<AtomicBool>| !has_returned.load(Ordering::Acquire);
        if self.task_has_returned.as_ref().is_some_and(is_of_task) {
            self.ended.is_ended.store(true, Ordering::Release);
        }
    }
}

impl PipeWriter {
    /// Ends the stream with an error: that of a service, or a [code](crate::FastReply). Its reader gets what was
    /// written before, and then [`ReadError::Ended`]. Where the stream is sent, see
    /// [`StreamWriter::end_with`](super::StreamWriter::end_with).
    pub fn end_with(self, error: impl Into<StreamEnd>) {
        let end = error.into();
        if end.code() != FastReply::ACCEPT {
            let _ = self.ended.with.set(Arc::new(end));
        }
        self.ended.is_ended.store(true, Ordering::Release);
    }
}

/// How a stream has ended.
#[derive(Debug, Default)]
struct Ended {
    is_ended: AtomicBool,
    with: OnceLock<Arc<StreamEnd>>,
}

/// What was written. Dropping it aborts the task that writes.
pub(super) struct PipeReader {
    pipe: DuplexStream,
    ended: Arc<Ended>,
    task: Option<JoinHandle<io::Result<()>>>,
}

impl PipeReader {
    pub(super) fn pipe(capacity: usize) -> (PipeWriter, Self) {
        let (writer, reader) = tokio::io::duplex(capacity);
        let ended = Arc::new(Ended::default());
        let writer = PipeWriter {
            pipe: writer,
            ended: Arc::clone(&ended),
            task_has_returned: None,
        };
        let reader = Self {
            pipe: reader,
            ended,
            task: None,
        };
        (writer, reader)
    }

    /// Spawns the task that has the writer, and whose result ends the stream.
    pub(super) fn spawn<F>(capacity: usize, produce: impl FnOnce(PipeWriter) -> F) -> Self
    where
        F: Future<Output = Result<(), Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let (mut writer, mut reader) = Self::pipe(capacity);
        let has_returned = Arc::new(AtomicBool::new(false));
        writer.task_has_returned = Some(Arc::clone(&has_returned));
        let produced = produce(writer);
        reader.task = Some(tokio::spawn(async move {
            let result = produced.await;
            has_returned.store(true, Ordering::Release);
            result.map_err(|error| {
                let error = error.downcast::<io::Error>();
                error.map_or_else(io::Error::other, |error| *error)
            })
        }));
        reader
    }

    /// Nothing more comes: whether that is the end.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(task) = &mut self.task {
            let result = ready!(Pin::new(task).poll(cx));
            self.task = None;
            result.map_err(io::Error::other)??;
        }
        if !self.ended.is_ended.load(Ordering::Acquire) {
            return Poll::Ready(Err(unfinished()));
        }
        Poll::Ready(match self.ended.with.get() {
            Some(end) => Err(ReadError::Ended(Arc::clone(end)).into()),
            None => Ok(()),
        })
    }
}

impl AsyncRead for PipeReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.remaining();
        ready!(Pin::new(&mut self.pipe).poll_read(cx, into))?;
        if into.remaining() < before || before == 0 {
            return Poll::Ready(Ok(()));
        }
        self.poll_end(cx)
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

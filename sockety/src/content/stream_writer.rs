use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_sink::Sink;
use tokio::io::AsyncWrite;

use crate::{
    engine::send::part_writer::PartWriter,
    error::{source::SourceError, stream_end::StreamEnd},
};

/// Writes the stream of a message that is being sent.
///
/// It is an `AsyncWrite` and a `Sink` of chunks. A write is done when it has its place among what
/// waits to be sent, up to 256 KiB; what waits is joined into packets and leaves as soon as the
/// connection can write.
///
/// End the stream with [`finish`](Self::finish), or by shutting the writer down. Dropped without
/// that, the whole message is abandoned, and the receiver is told so.
#[derive(Debug)]
#[must_use = "dropping the writer before the stream has ended abandons the message"]
pub struct StreamWriter {
    part: PartWriter,
}

impl StreamWriter {
    pub(crate) fn new(part: PartWriter) -> Self {
        Self { part }
    }

    /// Writes a chunk without copying it.
    ///
    /// # Errors
    /// [`SourceError`]: the message was abandoned, or the connection is gone.
    ///
    /// # Cancel safety
    /// If it is dropped before it completes, the chunk is not written.
    pub async fn write_chunk(&mut self, chunk: impl Into<Bytes>) -> Result<(), SourceError> {
        self.part.push(chunk.into()).await
    }

    /// Ends the stream. What was written before is still sent.
    ///
    /// # Errors
    /// [`SourceError`]: the message was abandoned, or the connection is gone.
    pub fn finish(mut self) -> Result<(), SourceError> {
        self.part.finish()
    }

    /// Ends the stream with an error: that of a service, or a [code](crate::FastReply). What was written
    /// before is still sent, and the receiver gets [`ReadError::Ended`](crate::error::ReadError::Ended) after it.
    /// The message goes on: a request has its reply, and files are sent.
    ///
    /// If the connection does not [use the extension](crate::Connection::is_extended), the message is
    /// abandoned after what was written, and the receiver gets [`ReadError::Aborted`](crate::error::ReadError::Aborted).
    ///
    /// # Errors
    /// [`SourceError`]: the message was abandoned before, or the connection is gone.
    ///
    /// # Cancel safety
    /// If it is dropped before it completes, the message is abandoned.
    // r[impl ext.status]
    pub async fn end_with(mut self, error: impl Into<StreamEnd>) -> Result<(), SourceError> {
        self.part.finish_with(Arc::new(error.into())).await
    }
}

impl AsyncWrite for StreamWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.part.poll_add(cx, |chunks| chunks.push_slice(bytes)))?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Whatever was written leaves by itself.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(self.part.finish()?))
    }
}

impl Sink<Bytes> for StreamWriter {
    type Error = SourceError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SourceError>> {
        self.part.poll_add(cx, |_| ())
    }

    fn start_send(mut self: Pin<&mut Self>, chunk: Bytes) -> Result<(), SourceError> {
        self.part.add_now(chunk)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SourceError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SourceError>> {
        Poll::Ready(self.part.finish())
    }
}

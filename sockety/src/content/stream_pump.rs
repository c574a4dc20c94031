//! The task that sends the stream of a message.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;

use super::byte_stream::ByteStream;
use crate::{
    engine::send::part_writer::PartWriter,
    error::{
        chain::chain, read::ReadError, send::SendError, source::SourceError, stream_end::StreamEnd,
    },
};

/// Sends a stream. It may be silent for a long time, so this is no `async fn`, which would hold what it
/// was called with twice: as captured, and while it runs.
pub(super) struct StreamPump {
    stream: ByteStream,
    /// `None` once the stream has ended.
    writer: Option<PartWriter>,
    /// What has no room yet.
    chunk: Option<Bytes>,
    watch: Watch,
    /// What is still to be done about a stream that has failed.
    failure: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl StreamPump {
    pub(super) fn new(stream: ByteStream, writer: PartWriter) -> Self {
        Self {
            stream,
            writer: Some(writer),
            chunk: None,
            watch: Watch::default(),
            failure: None,
        }
    }

    /// Ready when the stream has ended. Until then, its chunks are sent.
    fn poll_chunks(
        &mut self,
        writer: &mut PartWriter,
        cx: &mut Context<'_>,
    ) -> Poll<Result<io::Result<()>, SourceError>> {
        loop {
            if self.chunk.is_some() {
                let chunk = &mut self.chunk;
                ready!(writer.poll_add(cx, |chunks| {
                    chunk
                        .take()
                        .into_iter()
                        .for_each(|chunk| chunks.push(chunk))
                }))?;
            }
            match ready!(self.watch.poll_next(&mut self.stream, writer, cx))? {
                Some(Ok(chunk)) => self.chunk = Some(chunk),
                None => return Poll::Ready(Ok(Ok(()))),
                Some(Err(error)) => return Poll::Ready(Ok(Err(error))),
            }
        }
    }
}

impl Future for StreamPump {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(mut writer) = self.writer.take() {
            match self.poll_chunks(&mut writer, cx) {
                Poll::Pending => {
                    self.writer = Some(writer);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(Ok(()))) => finish_or_abort(writer),
                Poll::Ready(Ok(Err(error))) => {
                    self.failure = Some(Box::pin(on_failed_stream(error, writer)));
                }
                Poll::Ready(Err(error)) => writer.abort(error),
            }
        }
        match &mut self.failure {
            Some(failure) => failure.as_mut().poll(cx),
            None => Poll::Ready(()),
        }
    }
}

fn finish_or_abort(mut writer: PartWriter) {
    if let Err(error) = writer.finish() {
        writer.abort(error);
    }
}

async fn on_failed_stream(error: io::Error, mut writer: PartWriter) {
    let ended = match ended_with(&error) {
        Some(end) => writer.finish_with(end).await,
        None => {
            let error = stream_error(error);
            log_unsent("stream", &error);
            // What was read before the failure arrives before it.
            writer.drain().await.and(Err(error))
        }
    };
    if let Err(error) = ended {
        writer.abort(error);
    }
}

/// Notices that a message is aborted while its stream has nothing to send.
#[derive(Default)]
struct Watch {
    /// The task is woken when the message is aborted.
    is_registered: bool,
    /// Whether it was found before that the stream has nothing, since its last chunk.
    has_waited: bool,
}

impl Watch {
    /// The next chunk, or why no more is sent.
    fn poll_next(
        &mut self,
        stream: &mut ByteStream,
        writer: &mut PartWriter,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<io::Result<Bytes>>, SourceError>> {
        if let Poll::Ready(chunk) = stream.poll_chunk(cx) {
            self.has_waited = false;
            return Poll::Ready(Ok(chunk));
        }
        // It takes the lock of the connection, so not for each chunk: the task has one waker for all its
        // life, and when that is woken, what has waited before looks again.
        if self.is_registered && !std::mem::replace(&mut self.has_waited, true) {
            return Poll::Pending;
        }
        (self.is_registered, self.has_waited) = (true, true);
        writer.poll_over(cx).map(Err)
    }
}

/// The error with which the producer of a stream has ended it, here or on another connection.
fn ended_with(error: &io::Error) -> Option<Arc<StreamEnd>> {
    match error.get_ref()?.downcast_ref()? {
        ReadError::Ended(end) => Some(Arc::clone(end)),
        _ => None,
    }
}

/// Items of a typed stream are encoded while it is read, and producers may break off: reading may
/// fail for that.
fn stream_error(error: io::Error) -> SourceError {
    let inner = error.get_ref();
    if let Some(SendError::Encode(error)) = inner.and_then(|inner| inner.downcast_ref()) {
        return SourceError::Encode(Arc::clone(error));
    }
    if let Some(SourceError::GivenUp) = inner.and_then(|inner| inner.downcast_ref()) {
        return SourceError::GivenUp;
    }
    SourceError::Read {
        name: "".into(),
        error: Arc::new(error),
    }
}

/// Logs why a source was not sent to its end: the peer learns only that it broke off.
pub(super) fn log_unsent(part: &str, error: &SourceError) {
    // What comes from another peer may break off at any time, and peers must not fill the log.
    if is_read_error(error) {
        tracing::debug!(error = %chain(error), part, "not sent to its end");
    } else {
        tracing::warn!(error = %chain(error), part, "not sent to its end");
    }
}

fn is_read_error(error: &SourceError) -> bool {
    let SourceError::Read { error, .. } = error else {
        return false;
    };
    error.get_ref().is_some_and(|inner| inner.is::<ReadError>())
}

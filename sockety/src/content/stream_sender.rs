//! The two ends of `Streaming::channel`.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use tokio::{sync::mpsc, task::JoinHandle};

use crate::error::{source::SourceError, stream::StreamError};

/// Sends the items of a [`Streaming`](super::Streaming).
///
/// End the stream with [`finish`](Self::finish), or with an error of the service as the last item.
/// If the sender is dropped without either, for example because its task panics, is aborted or
/// returns early, the stream ends with an error after the items that were sent: it never looks
/// complete.
///
/// Clones send to the same stream. It ends when all of them have finished, and with an error as
/// soon as one of them is dropped unfinished.
#[derive(Debug)]
#[must_use = "dropping the sender before it has finished ends the stream with an error"]
pub struct StreamSender<T, E> {
    items: mpsc::Sender<Result<T, E>>,
    broken: mpsc::Sender<()>,
    end: End,
}

/// What dropping a sender means.
#[derive(Debug)]
enum End {
    Broken,
    Finished,
    /// A task has the sender, and its result ends the stream; until it has returned, which this
    /// tells.
    OfTask(Arc<AtomicBool>),
}

impl<T, E> StreamSender<T, E> {
    /// Sends an item, or the error of the service that ends the stream, as soon as there is room.
    ///
    /// # Errors
    /// [`SourceError::GivenUp`]: the stream is no longer read, or has ended with an error.
    ///
    /// # Cancel safety
    /// If it is dropped before it is ready, the item is not sent.
    pub async fn send(&self, item: Result<T, E>) -> Result<(), SourceError> {
        let sent = self.items.send(item).await;
        sent.map_err(|_| SourceError::GivenUp)
    }

    /// Sends an item from outside of async code, and blocks the thread until there is room.
    ///
    /// # Errors
    /// Like [`send`](Self::send).
    ///
    /// # Panics
    /// In async code.
    pub fn send_blocking(&self, item: Result<T, E>) -> Result<(), SourceError> {
        let sent = self.items.blocking_send(item);
        sent.map_err(|_| SourceError::GivenUp)
    }

    /// Ends the stream after the items that were sent, once all clones have finished too.
    pub fn finish(mut self) {
        self.end = End::Finished;
    }

    /// Whether the stream is no longer read, or has ended with an error.
    pub fn is_closed(&self) -> bool {
        self.items.is_closed()
    }

    /// Waits until the stream is no longer read, or has ended with an error.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn closed(&self) {
        self.items.closed().await;
    }
}

impl<T, E> Clone for StreamSender<T, E> {
    fn clone(&self) -> Self {
        Self {
            items: self.items.clone(),
            broken: self.broken.clone(),
            end: End::Broken,
        }
    }
}

impl<T, E> Drop for StreamSender<T, E> {
    fn drop(&mut self) {
        let is_broken = match &self.end {
            End::Broken => true,
            End::Finished => false,
            End::OfTask(has_returned) => has_returned.load(Ordering::Acquire),
        };
        if is_broken {
            // Before the items are closed, which looks like the end without this. If it is full,
            // another one was faster.
            let _ = self.broken.try_send(());
        }
    }
}

/// What was sent. Dropping it aborts the task that sends.
pub(super) struct SentItems<T, E> {
    items: mpsc::Receiver<Result<T, E>>,
    broken: mpsc::Receiver<()>,
    task: Option<JoinHandle<Result<(), StreamError<E>>>>,
    /// Reported after the items that were sent before it.
    failure: Option<StreamError<E>>,
}

impl<T, E> SentItems<T, E> {
    pub(super) fn channel(capacity: usize) -> (StreamSender<T, E>, Self) {
        let (items, sent) = mpsc::channel(capacity);
        let (broken, breaks) = mpsc::channel(1);
        let sender = StreamSender {
            items,
            broken,
            end: End::Broken,
        };
        let sent = Self {
            items: sent,
            broken: breaks,
            task: None,
            failure: None,
        };
        (sender, sent)
    }

    /// Spawns the task that has the sender, and whose result ends the stream.
    pub(super) fn spawn<F>(
        capacity: usize,
        produce: impl FnOnce(StreamSender<T, E>) -> F,
        read_error: fn(Box<dyn std::error::Error + Send + Sync>) -> StreamError<E>,
    ) -> Self
    where
        T: Send + 'static,
        E: Send + 'static,
        F: Future<Output = Result<(), Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let (mut sender, mut sent) = Self::channel(capacity);
        let has_returned = Arc::new(AtomicBool::new(false));
        sender.end = End::OfTask(Arc::clone(&has_returned));
        let produced = produce(sender);
        sent.task = Some(tokio::spawn(async move {
            let result = produced.await;
            has_returned.store(true, Ordering::Release);
            result.map_err(read_error)
        }));
        sent
    }

    /// Why there are fewer items than there should be; `None` if nothing is known of that. While
    /// this is pending, a task may still fail.
    fn poll_failure(&mut self, cx: &mut Context<'_>) -> Poll<Option<StreamError<E>>> {
        if let Poll::Ready(Some(())) = self.broken.poll_recv(cx) {
            return Poll::Ready(Some(StreamError::Read(unfinished())));
        }
        let Some(task) = &mut self.task else {
            return Poll::Ready(None);
        };
        let result = ready!(Pin::new(task).poll(cx));
        self.task = None;
        Poll::Ready(match result {
            Ok(result) => result.err(),
            Err(error) => Some(StreamError::Read(io::Error::other(error))),
        })
    }
}

impl<T, E> Unpin for SentItems<T, E> {}

impl<T, E> Stream for SentItems<T, E> {
    type Item = Result<T, StreamError<E>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let received = self.items.poll_recv(cx);
            if let Poll::Ready(Some(item)) = received {
                return Poll::Ready(Some(item.map_err(StreamError::Service)));
            }
            if let Some(failure) = self.failure.take() {
                return Poll::Ready(Some(Err(failure)));
            }
            match self.poll_failure(cx) {
                // Once more through the items: some may have been sent before it, but after the
                // look above.
                Poll::Ready(Some(failure)) => self.failure = Some(failure),
                Poll::Ready(None) if received.is_ready() => return Poll::Ready(None),
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl<T, E> Drop for SentItems<T, E> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// The error of a stream that its producer has not ended.
pub(super) fn unfinished() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, SourceError::GivenUp)
}

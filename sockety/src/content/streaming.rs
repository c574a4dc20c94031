use std::{
    fmt, io,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use serde::{Serialize, de::DeserializeOwned};
use sync_wrapper::SyncWrapper;
use tokio::sync::mpsc;

use super::byte_stream::ByteStream;
use crate::error::stream::StreamError;
use crate::{
    error::{
        remote::read_remote,
        service::{NoError, ServiceError},
    },
    msgpack::{
        self,
        __private::{encode_service_error, is_service_error},
        Bounds, DecodeError, ItemScanner, Scanned,
    },
};

/// A live stream of typed items: one to be sent, or one that is being received.
///
/// It is a `Stream` of results. An error of the service, of type `E`, may end it; without one it ends cleanly, and
/// that is reported only when its sender has ended it. On the wire the items are MessagePack values one after
/// another. Dropping a received one drops what was not read, and the message goes on: the protocol cannot tell its
/// sender to stop. For a stream without an end, take a second one that the caller ends.
///
/// ```
/// # use sockety::{Streaming, error::NoError};
/// let counted: Streaming<u64> = Streaming::from_iter(1..=3);
/// let (sender, sent): (_, Streaming<String>) = Streaming::channel(16);
/// ```
pub struct Streaming<T, E = NoError> {
    source: Source<T, E>,
}

type LocalItems<T, E> = Pin<Box<dyn Stream<Item = Result<T, E>> + Send>>;

#[expect(
    clippy::large_enum_variant,
    reason = "a box would be an allocation for each received stream"
)]
enum Source<T, E> {
    Local(SyncWrapper<LocalItems<T, E>>),
    Received(Items<T, E>),
}

impl<T, E> Streaming<T, E> {
    /// The items of a stream.
    pub fn from_stream(stream: impl Stream<Item = T> + Send + 'static) -> Self
    where
        T: 'static,
        E: 'static,
    {
        Self::from_results(Succeed {
            stream: Box::pin(stream),
            error: PhantomData,
        })
    }

    /// The items of a stream, until an error, which ends it.
    pub fn from_results(stream: impl Stream<Item = Result<T, E>> + Send + 'static) -> Self {
        Self {
            source: Source::Local(SyncWrapper::new(Box::pin(stream))),
        }
    }

    /// The items of an iterator. It is asked for the next one only when there is room for it.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator must be Send and 'static here"
    )]
    pub fn from_iter<I>(items: I) -> Self
    where
        I: IntoIterator<Item = T, IntoIter: Send + 'static>,
        T: 'static,
        E: 'static,
    {
        Self::from_stream(Iterated(items.into_iter()))
    }

    /// What is sent to the sender. The stream ends when all senders are dropped, or with the first error sent;
    /// `capacity` items may wait between the two.
    pub fn channel(capacity: usize) -> (mpsc::Sender<Result<T, E>>, Self)
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(capacity);
        (sender, Self::from_results(Received(receiver)))
    }

    pub(crate) fn received(bytes: ByteStream, limit: usize) -> Self {
        Self {
            source: Source::Received(Items {
                bytes,
                buffer: BytesMut::new(),
                scanner: ItemScanner::new(Bounds::default()),
                limit,
                state: State::Open,
                item: PhantomData,
            }),
        }
    }
}

impl<T: DeserializeOwned, E: ServiceError> Streaming<T, E> {
    /// The next item; `None` at the end.
    ///
    /// # Errors
    /// What ended the stream. After an error there is nothing more.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn next(&mut self) -> Option<Result<T, StreamError<E>>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl<T: Serialize + Send + 'static, E: ServiceError> Streaming<T, E> {
    /// The items as they stand on the wire.
    pub(crate) fn into_bytes(self) -> ByteStream {
        match self.source {
            Source::Local(items) => ByteStream::from_stream(Encoded {
                items: Some(items.into_inner()),
                buffer: BytesMut::new(),
            }),
            // Sent on as it came.
            Source::Received(items) => ByteStream::from_stream(Rest {
                head: items.buffer.freeze(),
                bytes: items.bytes,
            }),
        }
    }
}

impl<T: DeserializeOwned, E: ServiceError> Stream for Streaming<T, E> {
    type Item = Result<T, StreamError<E>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.source {
            Source::Local(items) => items
                .get_mut()
                .as_mut()
                .poll_next(cx)
                .map_err(StreamError::Service),
            Source::Received(items) => items.poll_next(cx),
        }
    }
}

impl<T, E> Unpin for Streaming<T, E> {}

impl<T, E> fmt::Debug for Streaming<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source {
            Source::Local(_) => "Streaming(local)",
            Source::Received(_) => "Streaming(received)",
        })
    }
}

/// Items out of received bytes.
struct Items<T, E> {
    bytes: ByteStream,
    buffer: BytesMut,
    /// Finds the end of the first item in the buffer.
    scanner: ItemScanner,
    limit: usize,
    state: State,
    item: PhantomData<fn() -> Result<T, E>>,
}

enum State {
    Open,
    /// No bytes come any more.
    Ended,
    /// An error was given out.
    Failed,
}

impl<T: DeserializeOwned, E: ServiceError> Items<T, E> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, StreamError<E>>>> {
        let next = ready!(self.poll_item(cx));
        if let Some(Err(_)) = next {
            self.state = State::Failed;
        }
        Poll::Ready(next)
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, StreamError<E>>>> {
        loop {
            if let State::Failed = self.state {
                return Poll::Ready(None);
            }
            let scanned = self.scanner.scan(&self.buffer);
            let needed = match scanned.map_err(StreamError::Decode)? {
                Scanned::Whole { len } if len <= self.limit => {
                    let item = self.buffer.split_to(len);
                    self.bytes.note_progress();
                    return Poll::Ready(Some(read_item(&item)));
                }
                Scanned::Whole { len } => len,
                Scanned::Partial { needed } => needed,
            };
            // Between two items `needed` is 1, but another item need not follow.
            if needed > self.limit && !self.buffer.is_empty() {
                return Poll::Ready(Some(Err(StreamError::TooLarge { limit: self.limit })));
            }
            if let State::Ended = self.state {
                return Poll::Ready(self.at_end(needed));
            }
            match ready!(self.bytes.poll_chunk(cx)) {
                Some(chunk) => self
                    .buffer
                    .extend_from_slice(&chunk.map_err(StreamError::Read)?),
                None => self.state = State::Ended,
            }
        }
    }

    /// The error of a stream that ended inside an item of at least `needed` bytes.
    fn at_end(&self, needed: usize) -> Option<Result<T, StreamError<E>>> {
        let present = self.buffer.len();
        let missing = || DecodeError::Truncated {
            offset: 0,
            needed: needed as u64,
            present,
        };
        (present > 0).then(|| Err(StreamError::Decode(missing())))
    }
}

fn read_item<T: DeserializeOwned, E: ServiceError>(item: &[u8]) -> Result<T, StreamError<E>> {
    if !is_service_error(item) {
        return msgpack::from_slice(item).map_err(StreamError::Decode);
    }
    Err(match read_remote(item) {
        Ok(Ok(error)) => StreamError::Service(error),
        Ok(Err(remote)) => StreamError::Remote(remote),
        Err(error) => StreamError::Decode(error),
    })
}

/// Encodes items, as many as are at hand, into one chunk.
struct Encoded<T, E> {
    items: Option<LocalItems<T, E>>,
    buffer: BytesMut,
}

/// Items are joined up to this size.
const JOINED_BYTES: usize = 16 * 1024;

impl<T, E> Unpin for Encoded<T, E> {}

impl<T: Serialize, E: ServiceError> Stream for Encoded<T, E> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while let Some(items) = this
            .items
            .as_mut()
            .filter(|_| this.buffer.len() < JOINED_BYTES)
        {
            match items.as_mut().poll_next(cx) {
                Poll::Pending if this.buffer.is_empty() => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(None) => this.items = None,
                Poll::Ready(Some(Ok(item))) => {
                    append(&mut this.buffer, |into| msgpack::encode(&item, into))?
                }
                Poll::Ready(Some(Err(error))) => {
                    let (name, message) = (&error.variant().name, error.to_string());
                    append(&mut this.buffer, |into| {
                        encode_service_error(name, &message, &error, into)
                    })?;
                    this.items = None;
                }
            }
        }
        let chunk = this.buffer.split().freeze();
        Poll::Ready((!chunk.is_empty()).then_some(Ok(chunk)))
    }
}

fn append(
    buffer: &mut BytesMut,
    encode: impl FnOnce(&mut Vec<u8>) -> Result<(), msgpack::EncodeError>,
) -> io::Result<()> {
    let encoded =
        crate::payload::scratch::encode_with(|into| Ok(encode(into)?)).map_err(io::Error::other)?;
    buffer.extend_from_slice(&encoded);
    crate::payload::scratch::give_back(encoded);
    Ok(())
}

/// What is left of a received stream.
struct Rest {
    head: Bytes,
    bytes: ByteStream,
}

impl Stream for Rest {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.head.is_empty() {
            return Pin::new(&mut self.bytes).poll_next(cx);
        }
        Poll::Ready(Some(Ok(std::mem::take(&mut self.head))))
    }
}

struct Succeed<T, E> {
    stream: Pin<Box<dyn Stream<Item = T> + Send>>,
    error: PhantomData<fn() -> E>,
}

impl<T, E> Stream for Succeed<T, E> {
    type Item = Result<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.as_mut().poll_next(cx).map(|item| item.map(Ok))
    }
}

struct Iterated<I>(I);

impl<I> Unpin for Iterated<I> {}

impl<I: Iterator> Stream for Iterated<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.next())
    }
}

struct Received<T>(mpsc::Receiver<T>);

impl<T> Stream for Received<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    const ELEMENTS: usize = 20_000;

    /// An item that arrives one element at a time, and one that arrives one byte at a time.
    #[test]
    fn t_p7_what_was_scanned_of_an_item_is_not_scanned_again() {
        check_resumes(6);
        check_resumes(1);
    }

    /// The head of the item is overwritten once it was scanned: a scan from the beginning would
    /// fail. `msgpack::ItemScanner` has tests of how much work its scans are.
    fn check_resumes(chunk: usize) {
        let value = vec!["short"; ELEMENTS];
        let item = msgpack::to_vec(&value).expect("encoded");
        let head = &item[..item.len() - ELEMENTS * 6];
        let (sender, receiver) = mpsc::channel(1);
        let bytes = ByteStream::from_stream(Received(receiver));
        let mut stream: Streaming<Vec<String>> = Streaming::received(bytes, item.len());
        let mut poll_after = |chunk: &[u8], head: &[u8]| {
            let sent = sender.try_send(Ok(Bytes::copy_from_slice(chunk)));
            sent.expect("the last chunk was taken");
            let Source::Received(items) = &mut stream.source else {
                unreachable!("it was received");
            };
            for (to, &from) in items.buffer.iter_mut().zip(head) {
                *to = from;
            }
            Pin::new(&mut stream).poll_next(&mut Context::from_waker(Waker::noop()))
        };
        let (first, rest) = item.split_at(item.len() / 2);
        assert!(poll_after(first, head).is_pending());
        let (rest, last) = rest.split_at(rest.len() - chunk);
        for chunk in rest.chunks(chunk) {
            assert!(poll_after(chunk, b"\xC1\xC1\xC1").is_pending());
        }
        match poll_after(last, head) {
            Poll::Ready(Some(Ok(read))) => assert_eq!(read, value),
            other => panic!("{other:?}"),
        }
    }
}

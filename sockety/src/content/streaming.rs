use std::{
    error::Error,
    fmt, io,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use serde::{Serialize, de::DeserializeOwned};
use sync_wrapper::SyncWrapper;

use super::{
    byte_stream::ByteStream,
    stream_sender::{SentItems, StreamSender},
};
use crate::{
    error::{
        remote::read_remote,
        service::{NoError, ServiceError},
        stream::StreamError,
    },
    msgpack::{
        self,
        __private::{encode_measured, encode_service_error, is_service_error},
        Bounds, DecodeError, ItemScanner, Scanned,
    },
    payload::PayloadLimits,
};

/// A live stream of typed items: one to be sent, or one that is being received.
///
/// It is a `Stream` of results. An error of the service, of type `E`, may end it. It ends without
/// an error only if its producer has ended it; if the producer breaks off, the reader gets an
/// error, so an incomplete stream never looks complete. After an error there is nothing more, and a
/// stream that has failed cannot be sent as if it were whole. A received stream does not keep its
/// connection open.
///
/// On the wire the items are MessagePack values one after another. If an item cannot be encoded,
/// those before it arrive, then the reader gets an error. Dropping a received stream drops what was
/// not read, and the message goes on: the protocol cannot tell its sender to stop. For a stream
/// without an end, take a second one that the caller ends.
///
/// ```
/// # use sockety::Streaming;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let counted: Streaming<u64> = Streaming::from_iter(1..=3);
/// let (sender, sent): (_, Streaming<String>) = Streaming::channel(16);
/// let halved: Streaming<u64> = Streaming::spawn(16, |sender| async move {
///     let mut counted = counted;
///     while let Some(number) = counted.next().await {
///         sender.send(Ok(number? / 2)).await?;
///     }
///     Ok(())
/// });
/// # }
/// ```
pub struct Streaming<T, E = NoError> {
    source: Source<T, E>,
}

type LocalItems<T, E> = Pin<Box<dyn Stream<Item = Result<T, StreamError<E>>> + Send>>;

#[expect(
    clippy::large_enum_variant,
    reason = "a box would be an allocation for each received stream"
)]
enum Source<T, E> {
    Local(SyncWrapper<LocalItems<T, E>>),
    Received(Items<T, E>),
    /// An error was returned.
    Failed,
}

impl<T, E> Streaming<T, E> {
    /// The items of a `Stream`, whose end counts as a clean end.
    pub fn from_stream(stream: impl Stream<Item = T> + Send + 'static) -> Self
    where
        T: 'static,
        E: 'static,
    {
        Self::local(Mapped {
            stream: Box::pin(stream),
            map: Ok,
        })
    }

    /// The items of a `Stream` of results, up to an error of the service, which ends it.
    pub fn from_results(stream: impl Stream<Item = Result<T, E>> + Send + 'static) -> Self
    where
        T: 'static,
        E: 'static,
    {
        Self::local(Mapped {
            stream: Box::pin(stream),
            map: |item: Result<T, E>| item.map_err(StreamError::Service),
        })
    }

    /// The items of a `Stream` that may break off, such as another `Streaming` that an adapter has changed, up to an
    /// error, which ends it.
    ///
    /// ```
    /// use futures_util::TryStreamExt;
    /// # use sockety::Streaming;
    /// let words: Streaming<String> = Streaming::from_iter([String::from("one")]);
    /// let lengths: Streaming<usize> = Streaming::from_items(words.map_ok(|word| word.len()));
    /// ```
    ///
    /// [`StreamError::Service`] is sent as the error of the service. Any other error is not sent:
    /// the reader learns that the stream broke off, and this side logs why.
    pub fn from_items(
        stream: impl Stream<Item = Result<T, StreamError<E>>> + Send + 'static,
    ) -> Self {
        Self::local(stream)
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

    /// What is sent to the sender; `capacity` items may wait between the two.
    ///
    /// The stream ends when the sender calls [`finish`](StreamSender::finish), or with the first
    /// error sent. If the sender is dropped without either, the stream ends with an error, see
    /// [`StreamSender`]. [`spawn`](Self::spawn) does it for a task.
    ///
    /// # Panics
    /// If `capacity` is 0.
    pub fn channel(capacity: usize) -> (StreamSender<T, E>, Self)
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let (sender, sent) = SentItems::channel(capacity);
        (sender, Self::local(sent))
    }

    /// What a new task sends; `capacity` items may wait between the two.
    ///
    /// The result of the task ends the stream, after the items that were sent: `Ok(())` ends it
    /// cleanly, without [`finish`](StreamSender::finish); an error or a panic ends it with an
    /// error. An error of type `E` (or [`StreamError::Service`]) travels as the error of the
    /// service. Any other is not sent: the reader learns that the stream broke off, and this side
    /// logs why. Clones of the sender have to finish too.
    ///
    /// The task is aborted when the stream is dropped, which also happens when its message is given
    /// up or its connection ends.
    ///
    /// # Panics
    /// Outside of a tokio runtime, or if `capacity` is 0.
    pub fn spawn<F>(capacity: usize, produce: impl FnOnce(StreamSender<T, E>) -> F) -> Self
    where
        F: Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send + 'static,
        T: Send + 'static,
        E: ServiceError,
    {
        Self::local(SentItems::spawn(capacity, produce, produced_error))
    }

    fn local(stream: impl Stream<Item = Result<T, StreamError<E>>> + Send + 'static) -> Self {
        Self {
            source: Source::Local(SyncWrapper::new(Box::pin(stream))),
        }
    }

    pub(crate) fn received(bytes: ByteStream, limits: PayloadLimits) -> Self {
        Self {
            source: Source::Received(Items {
                bytes,
                buffer: BytesMut::new(),
                scanner: ItemScanner::new(limits.bounds),
                limits,
                is_ended: false,
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
                failure: None,
            }),
            // Sent on as it came.
            Source::Received(items) => ByteStream::from_stream(Rest {
                head: items.buffer.freeze(),
                bytes: items.bytes,
            }),
            Source::Failed => ByteStream::failed(),
        }
    }
}

impl<T: DeserializeOwned, E: ServiceError> Stream for Streaming<T, E> {
    type Item = Result<T, StreamError<E>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = match &mut self.source {
            Source::Local(items) => ready!(items.get_mut().as_mut().poll_next(cx)),
            Source::Received(items) => ready!(items.poll_next(cx)),
            Source::Failed => None,
        };
        if let Some(Err(_)) = next {
            self.source = Source::Failed;
        }
        Poll::Ready(next)
    }
}

impl<T, E> Unpin for Streaming<T, E> {}

impl<T, E> fmt::Debug for Streaming<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source {
            Source::Local(_) => "Streaming(local)",
            Source::Received(_) => "Streaming(received)",
            Source::Failed => "Streaming(failed)",
        })
    }
}

/// Items out of received bytes.
struct Items<T, E> {
    bytes: ByteStream,
    buffer: BytesMut,
    /// Finds the end of the first item in the buffer.
    scanner: ItemScanner,
    limits: PayloadLimits,
    /// No bytes come any more.
    is_ended: bool,
    item: PhantomData<fn() -> Result<T, E>>,
}

impl<T: DeserializeOwned, E: ServiceError> Items<T, E> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, StreamError<E>>>> {
        let limit = self.limits.item_bytes;
        loop {
            let scanned = self.scanner.scan(&self.buffer);
            let needed = match scanned.map_err(StreamError::Decode)? {
                Scanned::Whole { len } if len <= limit => {
                    let item = self.buffer.split_to(len);
                    self.bytes.note_progress();
                    return Poll::Ready(Some(read_item(&item, &self.limits.bounds)));
                }
                Scanned::Whole { len } => len,
                Scanned::Partial { needed } => needed,
            };
            // Between two items `needed` is 1, but another item need not follow.
            if needed > limit && !self.buffer.is_empty() {
                return Poll::Ready(Some(Err(StreamError::TooLarge { limit })));
            }
            if self.is_ended {
                return Poll::Ready(self.at_end(needed));
            }
            match ready!(self.bytes.poll_chunk(cx)) {
                Some(chunk) => self
                    .buffer
                    .extend_from_slice(&chunk.map_err(StreamError::Read)?),
                None => self.is_ended = true,
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

fn read_item<T: DeserializeOwned, E: ServiceError>(
    item: &[u8],
    bounds: &Bounds,
) -> Result<T, StreamError<E>> {
    if !is_service_error(item) {
        return msgpack::from_slice_with(item, bounds).map_err(StreamError::Decode);
    }
    Err(match read_remote(item, bounds) {
        Ok(Ok(error)) => StreamError::Service(error),
        Ok(Err(remote)) => StreamError::Remote(remote),
        Err(error) => StreamError::Decode(error),
    })
}

/// Encodes items, as many as are at hand, into one chunk.
struct Encoded<T, E> {
    items: Option<LocalItems<T, E>>,
    buffer: BytesMut,
    /// Reported after what is in the buffer.
    failure: Option<io::Error>,
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
                Poll::Pending if this.buffer.is_empty() => {
                    // Perhaps no item comes for a long time.
                    this.buffer = BytesMut::new();
                    return Poll::Pending;
                }
                Poll::Pending => break,
                Poll::Ready(None) => this.items = None,
                Poll::Ready(Some(item)) => {
                    let is_last = item.is_err();
                    this.failure = encode(item, &mut this.buffer).err();
                    if is_last || this.failure.is_some() {
                        this.items = None;
                    }
                }
            }
        }
        let chunk = this.buffer.split().freeze();
        Poll::Ready(if chunk.is_empty() {
            this.failure.take().map(Err)
        } else {
            Some(Ok(chunk))
        })
    }
}

/// Appends an item, or the error of the service. Any other error is not for the peer.
fn encode<T: Serialize, E: ServiceError>(
    item: Result<T, StreamError<E>>,
    buffer: &mut BytesMut,
) -> io::Result<()> {
    match item {
        Ok(item) => append(buffer, |into| encode_measured(&item, into)),
        Err(StreamError::Service(error)) => {
            let (name, message) = (&error.variant().name, error.to_string());
            append(buffer, |into| {
                encode_service_error(name, &message, &error, into)
            })
        }
        Err(StreamError::Read(error)) => Err(error),
        Err(StreamError::Remote(error)) => Err(io::Error::other(error)),
        Err(error @ (StreamError::Decode(_) | StreamError::TooLarge { .. })) => {
            Err(io::Error::new(io::ErrorKind::InvalidData, error))
        }
    }
}

/// The error of a task that produces items.
fn produced_error<E: ServiceError>(error: Box<dyn Error + Send + Sync>) -> StreamError<E> {
    let error = match error.downcast::<StreamError<E>>() {
        Ok(error) => return *error,
        Err(error) => error,
    };
    let error = match error.downcast::<E>() {
        Ok(error) => return StreamError::Service(*error),
        Err(error) => error,
    };
    let error = error.downcast::<io::Error>();
    StreamError::Read(error.map_or_else(io::Error::other, |error| *error))
}

fn append(
    buffer: &mut BytesMut,
    encode: impl FnOnce(&mut Vec<u8>) -> Result<usize, msgpack::EncodeError>,
) -> io::Result<()> {
    let encoded =
        crate::payload::scratch::encode_with(|into| Ok(encode(into)?)).map_err(io::Error::other)?;
    buffer.extend_from_slice(&encoded.bytes);
    crate::payload::scratch::give_back(encoded.bytes);
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

/// A stream whose items become those of another type.
struct Mapped<S, F> {
    stream: Pin<Box<S>>,
    map: F,
}

impl<S, F> Unpin for Mapped<S, F> {}

impl<S: Stream, T, F: FnMut(S::Item) -> T> Stream for Mapped<S, F> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
        let next = ready!(this.stream.as_mut().poll_next(cx));
        Poll::Ready(next.map(&mut this.map))
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

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::sync::mpsc;

    use super::*;

    struct Received<T>(mpsc::Receiver<T>);

    impl<T> Stream for Received<T> {
        type Item = T;

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
            self.0.poll_recv(cx)
        }
    }

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
        let limits = PayloadLimits {
            item_bytes: item.len(),
            bounds: Bounds::default(),
        };
        let mut stream: Streaming<Vec<String>> = Streaming::received(bytes, limits);
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

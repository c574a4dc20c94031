use std::{
    fmt,
    future::poll_fn,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use sockety_codec::Uuid;

use super::{
    call_draft::{CallDraft, Read},
    reply::read_reply,
    way::Way,
};
use crate::{
    connection::Connection,
    error::{call::CallError, request::RequestError, service::ServiceError},
    message::reply::Reply,
};

/// A typed call. Nothing is sent until it is awaited.
///
/// Dropping the future that awaits it gives the call up: a message that was sent goes out all the same, and
/// its reply is dropped.
#[must_use = "a call does nothing until it is awaited"]
pub struct Call<T, E> {
    connection: Connection,
    draft: CallDraft<T, E>,
    id: Uuid,
    timeout: Option<Duration>,
}

impl<T, E> Call<T, E> {
    #[inline]
    pub(crate) fn new(connection: Connection, draft: CallDraft<T, E>) -> Self {
        Self {
            connection,
            id: Uuid::new_v4(),
            timeout: draft.default_timeout(),
            draft,
        }
    }

    /// How long to wait for the reply, instead of `#[action(timeout = "…")]` and of
    /// [`Options::call_timeout`](crate::config::options::Options::call_timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The id of its message.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Whether executing it twice is as good as once: `#[action(idempotent)]`.
    pub fn is_idempotent(&self) -> bool {
        self.draft.is_idempotent()
    }

    /// Sends it, and gives the reply as it came: the errors of the service are replies too.
    ///
    /// # Errors
    /// [`RequestError`]: there was no reply.
    ///
    /// # Cancel safety
    /// Dropping the future gives the call up, as for the call itself.
    ///
    /// ```
    /// # use sockety::{FastReply, Router, pair, service};
    /// # #[service]
    /// # trait Media { async fn rename(&self, id: u64, title: String); }
    /// # struct Store;
    /// # impl Media for Store { async fn rename(&self, _id: u64, _title: String) {} }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let media = MediaClient::local(Store);
    /// let reply = media.rename(7, "Seven".into()).raw().await?;
    /// assert_eq!(reply.code(), Some(FastReply::ACCEPT));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn raw(self) -> Result<Reply, RequestError> {
        let (mut way, _) = self.begin();
        let raw = poll_fn(|cx| way.poll(cx)).await?;
        Ok(Reply::new(way.connection().lease(), way.id(), raw))
    }

    fn begin(self) -> (Way, Read<T>) {
        let CallDraft { message, read, .. } = self.draft;
        let way = Way::new(self.connection, self.id, message, self.timeout);
        (way, read)
    }
}

impl<T, E: ServiceError> IntoFuture for Call<T, E> {
    type Output = Result<T, CallError<E>>;
    type IntoFuture = Calling<T, E>;

    fn into_future(self) -> Calling<T, E> {
        let (way, read) = self.begin();
        Calling {
            way,
            read,
            error: PhantomData,
        }
    }
}

impl<T, E> fmt::Debug for Call<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("action", &self.draft.action())
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The future of a [`Call`].
#[must_use = "futures do nothing unless polled"]
pub struct Calling<T, E> {
    way: Way,
    read: Read<T>,
    error: PhantomData<fn() -> E>,
}

impl<T, E: ServiceError> Future for Calling<T, E> {
    type Output = Result<T, CallError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let reply = ready!(self.way.poll(cx));
        let (read, limit) = (self.read, self.way.connection().shared().payload_limit());
        Poll::Ready(
            reply
                .map_err(CallError::Request)
                .and_then(|reply| read_reply(reply, read, limit)),
        )
    }
}

impl<T, E> fmt::Debug for Calling<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calling")
            .field("id", &self.way.id())
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Calls a typed method by a draft of it, which may have been prepared long before.
    ///
    /// ```
    /// #[sockety::service]
    /// pub trait Media {
    ///     async fn title(&self, id: u64) -> String;
    /// }
    ///
    /// async fn example(connection: sockety::Connection) -> Result<(), Box<dyn std::error::Error>> {
    ///     let prepared = MediaDraft::title(7);
    ///     let title: String = connection.call(prepared.clone()).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn call<T, E>(&self, draft: CallDraft<T, E>) -> Call<T, E> {
        Call::new(self.clone(), draft)
    }
}

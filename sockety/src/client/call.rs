use std::{
    fmt,
    future::poll_fn,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use sockety_codec::Uuid;

use super::{
    call_draft::{CallDraft, Read},
    exchange::Exchange,
    reply::{Replied, read_reply},
};
use crate::{
    connection::Connection,
    engine::pending::RawReply,
    error::{call::CallError, service::ServiceError},
    message::reply::Reply,
    metadata::{MetadataKey, Trace},
    outcome::{Cancelled, Outcome},
};

/// A typed call: a future that resolves to what the method returns. Nothing is sent until it is
/// first polled.
///
/// Dropping it cancels the call: a peer that [uses the extension](Connection::is_extended) is told, and
/// drops the handler where it waits. If its message was queued already, it is still sent, and its reply
/// is dropped. Files and a stream that were not sent completely are aborted: the handler gets an
/// error when it reads them.
///
/// # Panics
/// Panics if it is polled again after it was ready.
#[must_use = "a call does nothing until it is awaited"]
pub struct Call<T, E> {
    exchange: Exchange,
    read: Read<T>,
    error: PhantomData<fn() -> E>,
}

impl<T, E> Call<T, E> {
    #[inline]
    pub(crate) fn new(connection: Connection, draft: CallDraft<T, E>) -> Self {
        Self {
            exchange: Exchange::new(connection, draft.unsent, draft.timeout, draft.traits),
            read: draft.read,
            error: PhantomData,
        }
    }

    /// Sets how long to wait for the reply. It replaces `#[action(timeout = "…")]` and
    /// [`Options::call_timeout`](crate::config::Options::call_timeout).
    ///
    /// The timeout starts when the call is first polled. Setting it after that has no effect. While
    /// files or the stream of the call are being sent, the clock stops, unless the peer takes nothing of
    /// them for the whole timeout. After they were sent, it starts again from zero. It does not run while
    /// the reader of a file or the producer of the stream has nothing to send: to end such a call, drop
    /// its future, for example with `tokio::time::timeout`.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.exchange.set_timeout(timeout);
        self
    }

    /// Sets an entry of [metadata](crate::metadata), which travels with the call. One with the same
    /// name is replaced. Setting it after the call was polled has no effect.
    ///
    /// The call is not sent if the connection does not use the extension, unless the key is
    /// [optional](MetadataKey::optional), or if there are more than 64 entries or more bytes than the
    /// peer takes, 8 KiB by default.
    pub fn metadata(mut self, key: MetadataKey, value: impl Into<Bytes>) -> Self {
        self.exchange.metadata().insert(key, value.into());
        self
    }

    /// Sets the trace that the call belongs to, in place of that of the handler that makes it. Left out
    /// if the connection does not use the extension.
    pub fn trace(mut self, trace: Trace) -> Self {
        self.exchange.metadata().set_trace(trace);
        self
    }

    /// The id of the call's message.
    pub fn id(&self) -> Uuid {
        self.exchange.id
    }

    /// Whether the action is declared idempotent, with `#[action(idempotent)]`. A client that
    /// [reconnects](crate::client::Reconnecting::client) sends such a call again if its connection ends
    /// without a reply.
    pub fn is_idempotent(&self) -> bool {
        self.exchange.traits.is_idempotent
    }

    /// Sends the call now, instead of when it is first polled. If there is no room for it at the moment,
    /// it is sent when it is polled.
    ///
    /// ```
    /// # use sockety::{Router, pair, service};
    /// # #[service]
    /// # trait Media { async fn title(&self, id: u64) -> String; }
    /// # struct Store;
    /// # impl Media for Store { async fn title(&self, id: u64) -> String { id.to_string() } }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let media = MediaClient::local(Store);
    /// let seven = media.title(7).start(); // on its way, while this task does something else
    /// assert_eq!(media.title(8).await?, "8");
    /// assert_eq!(seven.await?, "7");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// Panics outside of a Tokio runtime, if it has files or a stream.
    pub fn start(mut self) -> Self {
        self.exchange.start();
        self
    }

    /// Cancels the call, and waits for the peer to answer whether it was executed, for 30 s at most. A call that was
    /// not sent yet is not sent at all. Protocol rules `ext.cancel` and `ext.cancel.answer`.
    ///
    /// A peer that [uses the extension](Connection::is_extended) drops the handler where it waits, and
    /// answers in any case: [`Cancelled::NotExecuted`] and [`Cancelled::Executed`] say whether the
    /// handler had begun, and [`Cancelled::Replied`] has the reply if it came before the cancellation. Handlers of
    /// actions with `#[action(no_cancel)]` run to their ends, and their reply is the answer. A peer without
    /// the extension cannot be told, and its handler runs on: then this completes at once, with
    /// [`Cancelled::Unknown`] unless the reply has come already.
    ///
    /// Middleware sees the answer like any other, and its result is the result of the call. It cannot send the call
    /// again.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use sockety::{Connection, Options, Outcome, Router, service};
    /// # use tokio::time::timeout;
    /// # #[service]
    /// # trait Bank { async fn report(&self, year: u16) -> String; }
    /// # struct Books;
    /// # impl Bank for Books { async fn report(&self, _year: u16) -> String { std::future::pending().await } }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = Options::default();
    /// # let (near, far) = tokio::io::duplex(4096);
    /// # let (near, _far) = tokio::try_join!(
    /// #     Connection::over(near, Router::new(), options.clone()),
    /// #     Connection::over(far, BankServer::new(Books), options),
    /// # )?;
    /// # let bank = BankClient::new(near);
    /// let mut report = bank.report(2026);
    /// if timeout(Duration::from_millis(50), &mut report).await.is_err() {
    ///     let cancelled = report.cancel().await;
    ///     assert_eq!(cancelled.outcome(), Outcome::Executed); // it had begun, and was stopped
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future is like dropping the call: it is cancelled without waiting.
    ///
    /// # Panics
    /// Panics if the call was ready already.
    pub async fn cancel(self) -> Cancelled<Result<T, CallError<E>>>
    where
        E: ServiceError,
    {
        let mut exchange = self.exchange;
        let reply = match exchange.cancel().await {
            Ok(reply) => reply.without_reason(),
            Err(outcome) => return Cancelled::without_reply(outcome),
        };
        match reply {
            RawReply::Fast(code, _) if code.outcome() != Outcome::Replied => {
                Cancelled::without_reply(code.outcome())
            }
            reply => {
                let lease = exchange.connection.lease();
                Cancelled::Replied(read_reply(reply, exchange.action, self.read, lease))
            }
        }
    }

    /// Sends the call and returns the value together with the [metadata](crate::metadata) of the response
    /// that brings it. Codes and errors have no metadata.
    ///
    /// # Errors
    /// Same as those of the call itself.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call, like dropping the call itself.
    ///
    /// ```
    /// # use sockety::{Connection, Options, Router, message::ResponseDraft, service};
    /// # use sockety::{serve::{Message, MessageHandler}};
    /// # #[service]
    /// # trait Media { async fn title(&self, id: u64) -> String; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use sockety::metadata::MetadataKey;
    ///
    /// const SERVED_BY: MetadataKey = MetadataKey::new("served-by");
    ///
    /// # let handler = MessageHandler::new().action("title", |_: Message| async {
    /// #     ResponseDraft::new().msgpack().create(&"Seven").with_metadata(SERVED_BY, "shelf-3")
    /// # });
    /// # let options = Options::default();
    /// # let (near, far) = tokio::io::duplex(4096);
    /// # let (near, _far) = tokio::try_join!(
    /// #     Connection::over(near, Router::new(), options.clone()),
    /// #     Connection::over(far, handler, options),
    /// # )?;
    /// # let media = MediaClient::new(near);
    /// let reply = media.title(7).replied().await?;
    /// assert_eq!(reply.metadata(SERVED_BY), Some(&b"shelf-3"[..]));
    /// assert_eq!(reply.value, "Seven");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn replied(self) -> Result<Replied<T>, CallError<E>>
    where
        E: ServiceError,
    {
        let (mut exchange, read) = (self.exchange, self.read);
        let action = exchange.action;
        match poll_fn(|cx| exchange.poll(cx)).await {
            Ok(reply) => {
                let described = reply.described().cloned();
                let value = read_reply(reply, action, read, exchange.connection.lease())?;
                Ok(Replied { value, described })
            }
            Err(error) => Err(CallError::Request { action, error }),
        }
    }

    /// Lets the call go on without its future: in a task, which sends it if that has not happened yet,
    /// and drops its reply. The call still ends by its timeout, or with the connection. Rule `ext.cancel.when`.
    ///
    /// Dropping a call cancels it instead. A message for which no reply is needed is better declared
    /// as one-way.
    ///
    /// ```
    /// # use sockety::{Router, pair, service};
    /// # #[service]
    /// # trait Media { async fn render(&self, id: u64); }
    /// # struct Store;
    /// # impl Media for Store { async fn render(&self, _id: u64) {} }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let media = MediaClient::local(Store);
    /// media.render(7).detach();
    /// # }
    /// ```
    pub fn detach(self) {
        self.exchange.detach();
    }

    /// Sends the call and returns the undecoded reply. An error of the service is a reply as well,
    /// so it is returned as `Ok`.
    ///
    /// # Errors
    /// [`CallError::Request`] if there was no reply.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call, like dropping the call itself.
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
    pub async fn raw(self) -> Result<Reply, CallError<E>> {
        let mut exchange = self.exchange;
        match poll_fn(|cx| exchange.poll(cx)).await {
            Ok(raw) => {
                let raw = raw.without_reason();
                Ok(Reply::new(exchange.connection.lease(), exchange.id, raw))
            }
            Err(error) => {
                let action = exchange.action;
                Err(CallError::Request { action, error })
            }
        }
    }
}

impl<T, E: ServiceError> Future for Call<T, E> {
    type Output = Result<T, CallError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(self.exchange.poll(cx)) {
            Ok(reply) => {
                let (action, lease) = (self.exchange.action, self.exchange.connection.lease());
                read_reply(reply, action, self.read, lease)
            }
            Err(error) => {
                let action = self.exchange.action;
                Err(CallError::Request { action, error })
            }
        })
    }
}

impl<T, E> fmt::Debug for Call<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Calls a typed method with a draft, which may have been prepared earlier.
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

#[cfg(test)]
mod tests {
    use super::Call;
    use crate::error::service::NoError;

    /// What is larger is moved by a call of `memcpy`, and each call is moved several times.
    #[test]
    fn a_call_is_small_enough_to_be_moved_in_place() {
        assert!(size_of::<Call<String, NoError>>() <= 128);
    }
}

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
    exchange::Exchange,
    reply::{read_reply, without_reason},
};
use crate::{
    connection::Connection,
    error::{call::CallError, service::ServiceError},
    message::reply::Reply,
};

/// A typed call: a future that resolves to what the method returns. Nothing is sent until it is
/// first polled.
///
/// Dropping it cancels the call. If its message was queued already, it is still sent, and its reply
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
            exchange: Exchange::new(connection, draft.unsent, draft.timeout, draft.is_idempotent),
            read: draft.read,
            error: PhantomData,
        }
    }

    /// Sets how long to wait for the reply. It replaces `#[action(timeout = "…")]` and
    /// [`Options::call_timeout`](crate::config::Options::call_timeout).
    ///
    /// The timeout starts when the call is first polled. Setting it after that has no effect. While
    /// files or the stream of the call are being sent, the clock stops, unless nothing of them moves for
    /// the whole timeout. After they were sent, it starts again from zero.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.exchange.set_timeout(timeout);
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
        self.exchange.is_idempotent
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
                let raw = without_reason(raw);
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
    /// async fn example(connection: sockety::Connection) -> Result<(), Box<dyn std::error::Error>>
    /// {     let prepared = MediaDraft::title(7);     let title: String =
    /// connection.call(prepared.clone()).await?;     Ok(()) }
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

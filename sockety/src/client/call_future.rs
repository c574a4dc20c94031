//! How a call gets to its reply: on the connection at once, or through the middleware of its handle.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use sockety_codec::Uuid;
use sync_wrapper::SyncWrapper;

use super::exchange::Exchange;
use crate::{
    connection::{Connection, outgoing_call},
    engine::pending::RawReply,
    error::request::RequestError,
    message::outgoing::Outgoing,
};

/// Sends nothing before it is polled. Dropping it gives the call up.
pub(super) enum CallFuture {
    /// Each call is made like this. One of a handle with middleware becomes `Layered` when it is first polled.
    Direct(Exchange),
    Layered {
        connection: Connection,
        id: Uuid,
        reply: SyncWrapper<Replying>,
    },
}

type Replying = Pin<Box<dyn Future<Output = Result<RawReply, RequestError>> + Send>>;

impl CallFuture {
    #[inline]
    pub(super) fn new(
        connection: Connection,
        message: Outgoing,
        timeout: Option<Duration>,
    ) -> Self {
        Self::Direct(Exchange::new(connection, Uuid::new_v4(), message, timeout))
    }

    /// Does nothing after the first poll.
    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        if let Self::Direct(exchange) = self {
            exchange.set_timeout(timeout);
        }
    }

    pub(super) fn connection(&self) -> &Connection {
        match self {
            Self::Direct(exchange) => &exchange.connection,
            Self::Layered { connection, .. } => connection,
        }
    }

    pub(super) fn id(&self) -> Uuid {
        match self {
            Self::Direct(exchange) => exchange.id,
            Self::Layered { id, .. } => *id,
        }
    }

    /// Panics after it was ready.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<RawReply, RequestError>> {
        if let Self::Direct(exchange) = self
            && exchange.connection.middleware.is_some()
            && let Some((message, timeout)) = exchange.take_unsent()
        {
            let (connection, id) = (exchange.connection.clone(), exchange.id);
            let reply = outgoing_call::call(connection.clone(), id, message, timeout);
            *self = Self::Layered {
                connection,
                id,
                reply: SyncWrapper::new(Box::pin(reply)),
            };
        }
        match self {
            Self::Direct(exchange) => exchange.poll(cx),
            Self::Layered { reply, .. } => reply.get_mut().as_mut().poll(cx),
        }
    }
}

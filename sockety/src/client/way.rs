//! How a call gets to its reply: on the connection at once, or through the middleware of its handle.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use sockety_codec::Uuid;
use sync_wrapper::SyncWrapper;
use tokio::time::timeout;

use super::exchange::Exchange;
use crate::{
    connection::{
        Connection,
        outgoing_call::{Departure, Terms},
    },
    content::carrying::Unwritten,
    engine::pending::{RawReply, ReplyClock},
    error::request::RequestError,
    message::outgoing::Outgoing,
};

/// Dropping it gives the call up.
pub(super) enum Way {
    Direct(Exchange),
    Through {
        connection: Connection,
        id: Uuid,
        reply: SyncWrapper<Replying>,
    },
}

type Replying = Pin<Box<dyn Future<Output = Result<RawReply, RequestError>> + Send>>;

impl Way {
    pub(super) fn new(
        connection: Connection,
        id: Uuid,
        message: Outgoing,
        timeout: Option<Duration>,
    ) -> Self {
        if connection.middleware.is_none() {
            return Self::Direct(Exchange::new(connection, id, message, timeout));
        }
        let reply: Replying = Box::pin(through(connection.clone(), id, message, timeout));
        Self::Through {
            connection,
            id,
            reply: SyncWrapper::new(reply),
        }
    }

    pub(super) fn connection(&self) -> &Connection {
        match self {
            Self::Direct(exchange) => &exchange.connection,
            Self::Through { connection, .. } => connection,
        }
    }

    pub(super) fn id(&self) -> Uuid {
        match self {
            Self::Direct(exchange) => exchange.id,
            Self::Through { id, .. } => *id,
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<RawReply, RequestError>> {
        match self {
            Self::Direct(exchange) => exchange.poll(cx),
            Self::Through { reply, .. } => reply.get_mut().as_mut().poll(cx),
        }
    }
}

/// The caller's own time is for all of it, middleware included.
async fn through(
    connection: Connection,
    id: Uuid,
    message: Outgoing,
    limit: Option<Duration>,
) -> Result<RawReply, RequestError> {
    let terms = Terms {
        unwritten: Unwritten::Ends,
        clock: limit.map_or(ReplyClock::Default, |_| ReplyClock::Own),
    };
    let departure = Departure::new(&connection, id, message, terms);
    let summary = departure.summary();
    let reply = async {
        let mut request = departure.request().await?;
        poll_fn(|cx| request.poll_reply(cx)).await
    };
    let Some(limit) = limit else {
        return reply.await;
    };
    let replied = {
        let mut reply = std::pin::pin!(reply);
        let replied = timeout(limit, reply.as_mut()).await;
        if replied.is_err() {
            summary.set_timed_out();
        }
        replied
    };
    replied.unwrap_or_else(|_| {
        let outcome = summary.outcome();
        Err(RequestError::TimedOut { outcome })
    })
}

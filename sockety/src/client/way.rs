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
        let reply: Replying = Box::pin(outgoing_call::call(
            connection.clone(),
            id,
            message,
            timeout,
        ));
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

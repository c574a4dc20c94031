//! Where a handle that has no fixed connection gets one for each message.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{Connection, middleware::CallResult};
use crate::{
    engine::answered::Answered,
    error::{connect::ConnectError, request::RequestError, send::SendError},
    outcome::Outcome,
};

/// Supplies the connections that the messages of a handle are sent on.
#[async_trait]
pub(crate) trait ConnectionSource: Send + Sync {
    /// The open connection, or one of them. It neither waits nor connects.
    fn current(&self) -> Option<Connection>;

    /// A connection for a message that this one could not carry, if there is another.
    fn current_but(&self, _tried: &Connection) -> Option<Connection> {
        self.current()
    }

    /// Waits until there is an open connection. Dropping the future disturbs no other caller.
    ///
    /// # Errors
    /// Why there will be none without a change by people, such as to the configuration.
    async fn connection(&self) -> Result<Connection, Arc<ConnectError>>;

    /// Whether a message is sent again after this attempt.
    fn next(&self, tried: &Tried<'_>) -> Next {
        tried.on_next_connection()
    }

    /// A handle was closed: the connection that is being made is closed once it is made, and the open
    /// one is not replaced before a message needs one.
    fn on_close(&self);

    /// Why there is no connection, for a caller that waited for so long.
    fn failure(&self, after: Duration) -> Arc<ConnectError>;

    /// Of a fleet, the connection for the first attempt of a call, which may have ended a moment ago.
    #[cfg(feature = "fleet")]
    fn pick(&self) -> Option<Connection> {
        None
    }

    /// All open connections.
    fn all(&self) -> Vec<Connection> {
        self.current().into_iter().collect()
    }

    /// A message on this connection has failed.
    #[cfg(feature = "fleet")]
    fn on_failure(&self, _on: &Connection) {}

    /// Another handle with this source.
    #[cfg(feature = "fleet")]
    fn handle(self: Arc<Self>) -> Connection;
}

/// An attempt to send a message, and what came of it.
pub(crate) struct Tried<'a> {
    pub(crate) result: &'a CallResult,
    pub(crate) connection: &'a Connection,
    /// Whether it may be executed twice.
    pub(crate) is_idempotent: bool,
    /// How many attempts before may have reached a peer.
    #[cfg_attr(
        not(feature = "fleet"),
        expect(dead_code, reason = "only fleets count attempts")
    )]
    pub(crate) before: u32,
}

/// What is known of a message by the result of an attempt.
pub(crate) fn outcome_of(result: &CallResult) -> Outcome {
    match result {
        Err(error) => error.outcome(),
        Ok(reply) => match reply.answered() {
            Answered::Code(code) => code.outcome(),
            _ => Outcome::Replied,
        },
    }
}

/// What becomes of a message after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Its caller gets the result.
    Return,
    /// It is sent again, after this time.
    Again(Duration),
}

impl Tried<'_> {
    /// If the connection ended before a byte of the message was sent, it is sent on the next one: it is
    /// the same message still, which nobody has seen. A call of an idempotent action is sent again whatever
    /// was sent of it.
    fn on_next_connection(&self) -> Next {
        let is_safe = self.outcome() == Outcome::NotSent || self.is_idempotent;
        match is_safe && self.is_of_connection() && !self.connection.takes_calls() {
            true => Next::Again(Duration::ZERO),
            false => Next::Return,
        }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        outcome_of(self.result)
    }

    /// What the peer says about another attempt.
    #[cfg(feature = "fleet")]
    pub(crate) fn retry_after(&self) -> Option<crate::metadata::RetryAfter> {
        self.result.as_ref().ok()?.retry_after()
    }

    /// Whether the message failed with its connection, or because that takes no messages any longer.
    pub(crate) fn is_of_connection(&self) -> bool {
        match self.result {
            Err(RequestError::Send(error)) => matches!(
                error,
                SendError::Disconnected { .. }
                    | SendError::PeerGoingAway
                    | SendError::ChannelsExhausted { .. }
            ),
            Err(RequestError::Disconnected { .. } | RequestError::PeerGoingAway { .. }) => true,
            _ => false,
        }
    }
}

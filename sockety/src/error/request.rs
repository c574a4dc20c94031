//! Why a request has no reply.

use super::{
    connection::ConnectionError,
    going_away::GoingAway,
    peer::{Of, To},
    read::ReadError,
    send::SendError,
    source::SourceError,
};
use crate::{metadata::RetryAfter, outcome::Outcome};
use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

/// Why a request got no reply, or one that could not be used.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The message was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The connection ended before a reply arrived.
    #[error("connection{} ended before a reply arrived", To(peer))]
    Disconnected {
        /// The address of the peer, if the connection was one of TCP.
        peer: Option<Arc<SocketAddr>>,
        /// Why it ended.
        #[source]
        error: ConnectionError,
        /// Whether the message may have been executed.
        outcome: Outcome,
    },
    /// The peer goes away, and does not execute the message, as it says. The connection may go on,
    /// with answers to other messages.
    #[error("message{} not executed: peer is going away", To(peer))]
    PeerGoingAway {
        /// The address of the peer, if the connection is one of TCP.
        peer: Option<Arc<SocketAddr>>,
        /// What it says about that.
        #[source]
        why: Arc<GoingAway>,
    },
    /// No reply within the timeout.
    #[error("no reply within {after:?}{}", Of(peer))]
    TimedOut {
        /// The address of the peer, if the message waited for a connection of TCP, or for a reply on
        /// one.
        peer: Option<Arc<SocketAddr>>,
        /// The timeout.
        after: Duration,
        /// Whether the message may have been executed.
        outcome: Outcome,
    },
    /// The response did not arrive completely: it broke a limit of this side, or its sender
    /// abandoned it, or its content stopped arriving or was not read in time.
    #[error("response lost")]
    ResponseLost(#[source] ReadError),
    /// The message was not sent completely, and the peer was told so.
    #[error("message abandoned")]
    Source(#[source] SourceError),
    /// A [middleware](crate::connection::middleware::CallMiddleware) of this side stopped waiting
    /// for the reply.
    #[error("abandoned by a middleware")]
    GivenUp {
        /// Whether the message may have been executed.
        outcome: Outcome,
    },
    /// Responses arrived faster than they were taken. The remaining ones are lost.
    #[error("more than {limit} unread responses")]
    Overrun {
        /// The number of responses kept: 64, or fewer if their payloads exceed 8 MiB in total.
        limit: usize,
    },
}

impl RequestError {
    /// Writes the text of the error after the action that it is about.
    pub(crate) fn fmt_of(&self, action: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // It names the action itself, because drafts are sent without types, too.
            Self::Send(SendError::OverActionLimit { .. }) => write!(f, "{self}"),
            _ => write!(f, "{action}: {self}"),
        }
    }

    /// A middleware abandoned the call after it was sent.
    pub(crate) fn given_up() -> Self {
        let outcome = Outcome::Unknown;
        Self::GivenUp { outcome }
    }

    /// Returns how long the peer asks to wait before anybody connects to it again, if it goes away and says so.
    pub fn retry_after(&self) -> Option<RetryAfter> {
        match self {
            Self::PeerGoingAway { why, .. } if !why.retry_after.is_zero() => {
                Some(why.retry_after.into())
            }
            _ => None,
        }
    }

    /// Returns what is known about the execution of the message.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Send(_) => Outcome::NotSent,
            Self::Disconnected { outcome, .. }
            | Self::TimedOut { outcome, .. }
            | Self::GivenUp { outcome } => *outcome,
            Self::PeerGoingAway { .. } => Outcome::NotExecuted,
            Self::Source(_) => Outcome::Unknown,
            Self::ResponseLost(_) => Outcome::Executed,
            Self::Overrun { .. } => Outcome::Replied,
        }
    }
}

impl From<SourceError> for RequestError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

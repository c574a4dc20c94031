//! Why a request has no reply.

use super::{connection::ConnectionError, read::ReadError, send::SendError, source::SourceError};
use crate::outcome::Outcome;
use std::{fmt, time::Duration};

/// Why a request got no reply, or one that could not be used.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The message was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The connection ended before a reply arrived.
    #[error("connection ended before a reply arrived")]
    Disconnected {
        /// Why it ended.
        #[source]
        error: ConnectionError,
        /// Whether the message may have been executed.
        outcome: Outcome,
    },
    /// No reply within the timeout.
    #[error("{}no reply within {after:?}", Prefix(action))]
    TimedOut {
        /// The action, if it was a typed call; otherwise empty.
        action: &'static str,
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
    /// The same error, of a call of this action.
    pub(crate) fn of_action(mut self, name: &'static str) -> Self {
        if let Self::TimedOut { action, .. } = &mut self {
            *action = name;
        }
        self
    }

    /// A middleware gave up the call after it was sent.
    pub(crate) fn given_up() -> Self {
        let outcome = Outcome::Unknown;
        Self::GivenUp { outcome }
    }

    /// Returns what is known about the execution of the message.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Send(_) => Outcome::NotSent,
            Self::Disconnected { outcome, .. }
            | Self::TimedOut { outcome, .. }
            | Self::GivenUp { outcome } => *outcome,
            Self::Source(_) => Outcome::Unknown,
            Self::ResponseLost(_) => Outcome::Executed,
            Self::Overrun { .. } => Outcome::Replied,
        }
    }
}

/// The name of an action before what happened to it.
struct Prefix<'a>(&'a str);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => Ok(()),
            action => write!(f, "{action}: "),
        }
    }
}

impl From<SourceError> for RequestError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

use std::{error::Error, fmt};

use super::{
    content::ContentError, pass::PassError, remote::RemoteError, request::RequestError,
    service::ServiceError,
};
use crate::{fast_reply::FastReply, metadata::RetryAfter, outcome::Outcome};

/// Why a typed call returned no value: the service's error, or what happened on the way.
///
/// Its text does not include the cause: [`chain`](super::chain()) displays both. Except for the
/// error of the service, it begins with the action.
#[derive(Clone)]
#[non_exhaustive]
pub enum CallError<E> {
    /// The method returned its error.
    Service(E),
    /// The method returned an error that this side does not know, such as one of a newer version: a
    /// code from 16 to 3,839 that no error of the service has, or data of another form.
    Remote {
        /// The action that was called.
        action: &'static str,
        /// The error, as far as this side can read it.
        error: RemoteError,
    },
    /// The peer answered with a code of the protocol or of this framework.
    Refused {
        /// The action that was called.
        action: &'static str,
        /// The code.
        code: FastReply,
        /// What was wrong, such as a parameter or a limit, if the peer says so: at most 200 bytes,
        /// escaped. It is text for people: only `code` decides what happened.
        reason: Option<Box<str>>,
        /// What the peer says about another attempt, if anything.
        retry_after: Option<RetryAfter>,
    },
    /// The reply does not have the form of what the method returns.
    Content {
        /// The action that was called.
        action: &'static str,
        /// What is wrong with the reply.
        error: ContentError,
    },
    /// There was no reply.
    Request {
        /// The action that was called.
        action: &'static str,
        /// What happened.
        error: RequestError,
    },
}

impl<E> CallError<E> {
    /// Returns what is known about the execution of the call.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Service(_) | Self::Remote { .. } => Outcome::Replied,
            Self::Refused { code, .. } => code.outcome(),
            Self::Content { .. } => Outcome::Executed,
            Self::Request { error, .. } => error.outcome(),
        }
    }

    /// Returns whether another attempt cannot make the method run twice.
    pub fn is_retryable(&self) -> bool {
        self.outcome().is_retryable()
    }

    /// Returns what the peer says about another attempt, if it refused the call or goes away, and says anything: how long to wait
    /// before it, or that there should be none. The connection must [use the extension](crate::Connection::is_extended).
    ///
    /// It says nothing of what was executed: see [`outcome`](Self::outcome).
    pub fn retry_after(&self) -> Option<RetryAfter> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::Request { error, .. } => error.retry_after(),
            _ => None,
        }
    }

    /// Returns the service's error, if it is one.
    pub fn into_service(self) -> Option<E> {
        match self {
            Self::Service(error) => Some(error),
            Self::Remote { .. }
            | Self::Refused { .. }
            | Self::Content { .. }
            | Self::Request { .. } => None,
        }
    }
}

impl<E: ServiceError> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(_) => f.write_str("method returned an error"),
            Self::Remote { action, .. } => write!(f, "{action}: method returned an unknown error"),
            Self::Refused {
                action,
                code,
                reason,
                ..
            } => {
                write!(f, "{action}: refused with code {code}")?;
                match reason {
                    Some(reason) => write!(f, ": {reason}"),
                    None => Ok(()),
                }
            }
            Self::Content { action, .. } => write!(f, "{action}: reply cannot be read"),
            Self::Request { action, error } => error.fmt_of(action, f),
        }
    }
}

impl<E: ServiceError> Error for CallError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Service(error) => Some(error),
            Self::Remote { error, .. } => Some(error),
            Self::Refused { .. } => None,
            Self::Content { error, .. } => Some(error),
            Self::Request { error, .. } => error.source(),
        }
    }
}

impl<E> From<PassError> for CallError<E> {
    fn from(PassError { action, error }: PassError) -> Self {
        Self::Request { action, error }
    }
}

use std::{error::Error, fmt};

use super::request::RequestError;
use crate::outcome::Outcome;

/// Why a typed one-way message was not handed to the socket, or not completely.
///
/// Its text begins with the action and does not include the cause:
/// [`chain`](super::chain()) displays both.
#[derive(Clone)]
#[non_exhaustive]
pub struct PassError {
    /// The action of the message.
    pub action: &'static str,
    /// What happened.
    pub error: RequestError,
}

impl PassError {
    /// Returns what is known about the execution of the message.
    pub fn outcome(&self) -> Outcome {
        self.error.outcome()
    }

    /// Returns whether another attempt cannot make the method run twice.
    pub fn is_retryable(&self) -> bool {
        self.outcome().is_retryable()
    }
}

impl fmt::Display for PassError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt_of(self.action, f)
    }
}

impl Error for PassError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

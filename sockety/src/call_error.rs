use crate::{FastReply, Outcome, RequestError, fast_reply::Framework, msgpack::DecodeError};

/// Why a typed call gave no value: the service's own error, or what happened on the way.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CallError<E> {
    /// The method returned its error.
    #[error("{}", service_message(.0))]
    Service(E),
    /// The method returned an error that this side does not know, such as one of a newer version.
    #[error("{}: {}", .0.name, .0.message)]
    Remote(RemoteError),
    /// The peer answered with a code that is none of the service's errors.
    #[error("refused with code {0}")]
    Refused(FastReply),
    /// The reply is not of the type that the method returns.
    #[error("reply cannot be read")]
    Decode(#[source] DecodeError),
    /// There was no reply.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// Details need not be `Display`: the variant stands for itself.
fn service_message<E>(_: &E) -> &'static str {
    "the service answered with an error"
}

impl<E> CallError<E> {
    /// What is known about the call: may it have been executed?
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Service(_) | Self::Remote(_) => Outcome::Replied,
            Self::Refused(code) if Framework::means_not_executed(*code) => Outcome::NotExecuted,
            Self::Refused(FastReply::INTERNAL_ERROR) | Self::Decode(_) => Outcome::Executed,
            Self::Refused(_) => Outcome::Replied,
            Self::Request(error) => error.outcome(),
        }
    }

    /// Whether calling again cannot make the method run twice.
    pub fn is_retryable(&self) -> bool {
        self.outcome().is_retryable()
    }

    /// The service's own error, if it is one.
    pub fn into_service(self) -> Option<E> {
        match self {
            Self::Service(error) => Some(error),
            Self::Remote(_) | Self::Refused(_) | Self::Decode(_) | Self::Request(_) => None,
        }
    }
}

/// An error of a service as it came, when its type here does not have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteError {
    /// The name of the variant.
    pub name: String,
    /// What it says to a person.
    pub message: String,
}

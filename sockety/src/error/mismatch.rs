use crate::msgpack::DecodeError;

/// Why a message is not a request of a service, such as a generated `MediaRequest`.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestMismatch {
    /// The service has no such action.
    #[error("no action {0:?} in this service")]
    Action(String),
    /// The parameters cannot be decoded.
    #[error("parameters cannot be read")]
    Payload(#[from] DecodeError),
}

impl RequestMismatch {
    #[doc(hidden)]
    pub fn action(name: &str) -> Self {
        Self::Action(name.to_owned())
    }
}

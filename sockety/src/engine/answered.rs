use super::pending::RawReply;
use crate::{error::refusal, fast_reply::FastReply, msgpack::__private::is_service_error};

/// How a message was answered, as middleware sees it. Of several responses to one message, the
/// first one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answered {
    /// There is no answer: no reply is expected, or the handler keeps the message to answer it
    /// later.
    Nothing,
    /// With a code.
    Code(FastReply),
    /// With a response.
    Response {
        /// The size of its payload in bytes.
        payload: usize,
    },
    /// With a response that is an error of the service.
    Error {
        /// The size of its payload in bytes.
        payload: usize,
    },
}

impl Answered {
    pub(crate) fn of(reply: &RawReply) -> Self {
        match reply {
            RawReply::Fast(code, _) => Self::Code(*code),
            RawReply::Response { payload, .. } => {
                let is_error = is_service_error(payload);
                // A refusal with its reason.
                match is_error.then(|| refusal::decode(payload)).flatten() {
                    Some((code, _)) => Self::Code(code),
                    None => Self::response(payload.len(), is_error),
                }
            }
        }
    }

    /// With a response that has a payload of this size.
    pub(crate) fn response(payload: usize, is_error: bool) -> Self {
        if is_error {
            Self::Error { payload }
        } else {
            Self::Response { payload }
        }
    }
}

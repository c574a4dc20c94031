use super::pending::RawReply;
use crate::{fast_reply::FastReply, msgpack::__private::is_service_error};

/// How a message was answered, as middleware sees it. Of several responses to one message it is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answered {
    /// Not at all: no reply is expected, or the handler keeps the message to answer it later.
    Nothing,
    /// By a code.
    Code(FastReply),
    /// By a response.
    Response {
        /// Bytes of its payload.
        payload: usize,
    },
    /// By a response with an error of the service.
    Error {
        /// Bytes of its payload.
        payload: usize,
    },
}

impl Answered {
    pub(crate) fn of(reply: &RawReply) -> Self {
        match reply {
            RawReply::Fast(code) => Self::Code(*code),
            RawReply::Response(response) => {
                let payload = &response.payload;
                Self::response(payload.len(), is_service_error(payload))
            }
        }
    }

    /// By a response with a payload of this size.
    pub(crate) fn response(payload: usize, is_error: bool) -> Self {
        if is_error {
            Self::Error { payload }
        } else {
            Self::Response { payload }
        }
    }
}

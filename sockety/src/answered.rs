use crate::{FastReply, connection::waiting::RawReply};

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
}

impl Answered {
    pub(crate) fn of(reply: &RawReply) -> Self {
        match reply {
            RawReply::Fast(code) => Self::Code(*code),
            RawReply::Response(response) => Self::Response {
                payload: response.payload.len(),
            },
        }
    }
}

use crate::{FastReply, Response};

/// What answers a message: a code, or a response.
#[derive(Debug)]
pub enum Reply {
    /// A code.
    Fast(FastReply),
    /// A full response.
    Response(Response),
}

impl Reply {
    /// The code, if it is one.
    pub fn code(&self) -> Option<FastReply> {
        match self {
            Self::Fast(code) => Some(*code),
            Self::Response(_) => None,
        }
    }

    /// The response, if it is one.
    pub fn into_response(self) -> Option<Response> {
        match self {
            Self::Fast(_) => None,
            Self::Response(response) => Some(response),
        }
    }
}

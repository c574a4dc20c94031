use sockety_codec::Uuid;

use super::response::Response;
use crate::{
    engine::{lease::Lease, pending::RawReply},
    fast_reply::FastReply,
};

/// What answers a message: a code, or a response.
#[derive(Debug)]
pub enum Reply {
    /// A code.
    Fast(FastReply),
    /// A full response.
    Response(Response),
}

impl Reply {
    pub(crate) fn new(lease: &Lease, parent: Uuid, raw: RawReply) -> Self {
        match raw {
            RawReply::Fast(code) => Self::Fast(code),
            RawReply::Response(raw) => Self::Response(Response::new(lease.clone(), parent, raw)),
        }
    }

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

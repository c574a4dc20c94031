use sockety_codec::Uuid;

use super::{outgoing::OutgoingResponse, response::Response};
use crate::{
    content::received::Carried,
    engine::{lease::Lease, pending::RawReply, pending_reply::PendingReply},
    fast_reply::FastReply,
};

/// A reply to be sent, as handlers return it: a code, or a response.
#[derive(Debug, Clone)]
#[must_use = "a reply does nothing until it is sent"]
pub enum OutgoingReply {
    /// A code.
    Code(FastReply),
    /// A full response.
    Response(OutgoingResponse),
}

impl From<FastReply> for OutgoingReply {
    fn from(code: FastReply) -> Self {
        Self::Code(code)
    }
}

impl From<OutgoingResponse> for OutgoingReply {
    fn from(response: OutgoingResponse) -> Self {
        Self::Response(response)
    }
}

/// A received reply: a code, or a response. There is no third kind in the protocol, so matches may be
/// exhaustive.
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
            RawReply::Fast(code, _) => Self::Fast(code),
            RawReply::Response {
                id,
                expects_response,
                payload,
                carried,
            } => {
                let described = carried.described().cloned();
                let carried = Carried::new(carried, lease);
                let reply = PendingReply::optional(lease.clone(), id, expects_response);
                let payload = payload.into_bytes();
                Self::Response(Response::new(parent, payload, carried, reply, described))
            }
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

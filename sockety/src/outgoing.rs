use bytes::Bytes;

use crate::{
    Draft, ResponseDraft, SendError,
    action::Action,
    draft::{Encoded, Fixed},
};

/// A message that can be sent; made by a [`Draft`]. Cloning and sending it again encodes nothing again.
#[derive(Debug, Clone)]
#[must_use = "a message does nothing until it is sent"]
pub struct Outgoing {
    pub(crate) action: Action,
    payload: Encoded,
}

impl Outgoing {
    pub(crate) fn new(action: Action, payload: Encoded) -> Self {
        Self { action, payload }
    }

    /// The name of the action.
    pub fn action(&self) -> &str {
        &self.action
    }

    pub(crate) fn payload(&self) -> Result<&Bytes, SendError> {
        self.payload.as_ref().map_err(Clone::clone)
    }
}

impl From<&Draft> for Outgoing {
    fn from(draft: &Draft) -> Self {
        draft.create()
    }
}

impl From<&Draft<Fixed>> for Outgoing {
    fn from(draft: &Draft<Fixed>) -> Self {
        draft.create()
    }
}

impl From<&Self> for Outgoing {
    fn from(outgoing: &Self) -> Self {
        outgoing.clone()
    }
}

/// A response that can be sent; made by a [`ResponseDraft`].
#[derive(Debug, Clone)]
#[must_use = "a response does nothing until it is sent"]
pub struct OutgoingResponse {
    payload: Encoded,
}

impl OutgoingResponse {
    pub(crate) fn new(payload: Encoded) -> Self {
        Self { payload }
    }

    pub(crate) fn payload(&self) -> Result<&Bytes, SendError> {
        self.payload.as_ref().map_err(Clone::clone)
    }
}

impl From<&ResponseDraft> for OutgoingResponse {
    fn from(draft: &ResponseDraft) -> Self {
        draft.create()
    }
}

impl From<&ResponseDraft<Fixed>> for OutgoingResponse {
    fn from(draft: &ResponseDraft<Fixed>) -> Self {
        draft.create()
    }
}

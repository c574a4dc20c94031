use std::fmt;

use super::incoming::Incoming;
use crate::{engine::attempt::Attempt, fast_reply::FastReply, message::outgoing::OutgoingResponse};

/// The verdict on a [`FirstMessage`](crate::serve::first_message::FirstMessage), made by consuming it.
#[must_use = "a verdict that is dropped refuses the message"]
pub struct Authorization {
    pub(crate) attempt: Attempt,
    pub(crate) incoming: Incoming,
    pub(crate) verdict: Verdict,
}

#[derive(Debug)]
pub(crate) enum Verdict {
    /// Accepted; its handler answers.
    PassOn,
    Accept,
    Respond(OutgoingResponse),
    Refuse(FastReply),
    Close(FastReply),
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorization").field(&self.verdict).finish()
    }
}

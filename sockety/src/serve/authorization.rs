//! The verdict of an authorization hook.

use std::fmt;

use super::incoming_message::IncomingMessage;
use crate::{engine::attempt::Attempt, fast_reply::FastReply, message::reply::OutgoingReply};

/// The verdict on a [`FirstMessage`](crate::serve::first_message::FirstMessage), made by consuming
/// it.
#[must_use = "a verdict that is dropped refuses the message"]
pub struct Authorization {
    pub(crate) attempt: Attempt,
    pub(crate) message: IncomingMessage,
    pub(crate) verdict: Verdict,
}

#[derive(Debug)]
pub(crate) enum Verdict {
    /// Accepted; its handler answers.
    PassOn,
    Accept(OutgoingReply),
    Refuse(FastReply),
    Close(FastReply),
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorization").field(&self.verdict).finish()
    }
}

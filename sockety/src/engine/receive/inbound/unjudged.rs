//! Messages that came while another is judged, which may authorize the connection.

use std::task::Context;

use sockety_codec::MessageHead;

use super::Inbound;
use crate::engine::{receive::kept_messages::KeptMessages, serve::Serve};

/// They wait for the verdict: a peer that sends its calls right behind its token loses none.
#[derive(Default)]
pub(super) struct Unjudged {
    messages: KeptMessages,
}

/// Reading pauses when as much waits.
const MOST: usize = 256;
const MOST_BYTES: usize = 128 * 1024;

/// What one read brings beyond that is refused, like what carries files or a stream.
const EXCESS: usize = 1024;

impl Unjudged {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

impl<S: Serve> Inbound<S> {
    /// Whether nothing is read until the hook has judged a message, because enough waits for that.
    /// Not while a call of this side waits: the hook may have made it, and its reply must be read
    /// for the hook to end.
    pub(super) fn awaits_verdict(&self) -> bool {
        let is_full =
            self.unjudged.messages.len() >= MOST || self.unjudged.messages.bytes() >= MOST_BYTES;
        is_full && self.shared.auth.is_judging() && !self.shared.lock().pending.has_unanswered()
    }

    /// Whether a message has to wait: for a verdict, or, though that has come, behind others.
    #[inline]
    pub(super) fn has_to_wait(&self) -> bool {
        !self.unjudged.is_empty() || (!self.shared.auth.is_open() && self.shared.auth.is_judging())
    }

    /// Keeps a message until its turn. Returns whether there was room.
    #[cold]
    pub(super) fn keep_unjudged(&mut self, head: &MessageHead<'_>, payload: &[u8]) -> bool {
        if self.unjudged.messages.len() >= EXCESS {
            return false;
        }
        self.unjudged.messages.push(head, payload);
        true
    }

    /// Handles what waited for a verdict that has come, in the order in which it arrived: another
    /// of these may be judged next.
    #[cold]
    pub(super) fn run_unjudged(&mut self, cx: &mut Context<'_>) {
        while !self.shared.auth.is_judging()
            && let Some(message) = self.unjudged.messages.pop()
        {
            let _ = self.handle_whole(&message.head(), &message.payload, cx);
        }
    }
}

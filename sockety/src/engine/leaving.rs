//! The end of a connection as its sides announce it.
//!
//! ```text
//! this side leaves:   Leave(open) ── Done comes ─────────────────────▶ all is known ─▶ last Leave
//!                          └──────── none for 2 s ──▶ Leave(taken) ────────▲
//! the peer leaves:    Leave ──▶ no request begins, Done is queued ──▶ replies go on, both ways
//!                       └─ requests from taken on have failed, not executed
//! before either:      Leave(lame duck) ──▶ all goes on, while the reader connects elsewhere
//! ```
//!
//! A peer without the extension knows only Go Away, the first of these.

use std::{sync::Arc, time::Duration};

use sockety_codec::extension::{Leave, LeaveReason};

use crate::error::going_away::GoingAway;

/// How long an orderly end waits for handlers, and for the peer to read what is written.
pub(crate) const LINGER_SECONDS: u32 = 5;

/// What was said about the end of a connection.
#[derive(Default)]
pub(crate) struct Leaving {
    /// What this side says, since it leaves.
    pub(crate) ours: Option<Ours>,
    /// The peer sends no message any more.
    pub(crate) is_peer_done: bool,
    /// What the peer said last.
    pub(crate) peer: Option<Arc<GoingAway>>,
}

/// What this side says when it leaves.
pub(crate) struct Ours {
    pub(crate) reason: LeaveReason,
    pub(crate) grace_millis: u32,
    pub(crate) retry_after_millis: u32,
    /// How many messages of the peer are taken; `None` while that is open.
    pub(crate) taken: Option<u64>,
}

/// How the end of a connection comes into sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// The peer will leave soon, and takes new messages until then.
    LameDuck,
    /// The peer takes no new message.
    GoingAway,
    /// The connection has ended, and the peer has not said that it would.
    Ended,
}

/// As the wire counts it, at most 49 days.
pub(crate) fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

impl Leaving {
    /// Whether it is known which messages of the peer are taken: it sends none any more, or was told.
    pub(crate) fn has_taken_all(&self) -> bool {
        let ours = self.ours.as_ref();
        self.is_peer_done || ours.is_some_and(|ours| ours.taken.is_some())
    }
}

impl Ours {
    pub(crate) fn leave<'a>(&self, text: &'a str) -> Leave<'a> {
        Leave {
            taken: self.taken,
            reason: self.reason,
            grace_millis: self.grace_millis,
            retry_after_millis: self.retry_after_millis,
            text,
        }
    }
}

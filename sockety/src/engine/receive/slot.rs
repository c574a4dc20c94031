//! What is arriving on a channel.

use std::sync::Arc;

use sockety_codec::{FileIndex, Uuid};

use super::{intake::Intake, parts::ReceivedParts, payload::Assembly};
use crate::engine::{lease::Lease, serve::Route};

/// What is open on a channel.
///
/// ```text
/// Free ── head ──▶ Open ── payload and file headers whole ──▶ Rest ── files and stream whole ──▶ Free
/// ```
#[derive(Default)]
pub(crate) enum Slot {
    #[default]
    Free,
    Open(Open),
    Rest(Rest),
}

/// A message or response that has not been handed on yet.
pub(crate) struct Open {
    pub(crate) role: Role,
    pub(crate) id: Uuid,
    pub(crate) expects_response: bool,
    pub(crate) payload: Assembly,
    pub(crate) carried: Option<Box<Arriving>>,
    pub(crate) progress: Progress,
}

pub(crate) enum Role {
    Message { route: Route, lease: Lease },
    Response { parent: Uuid },
}

impl Role {
    pub(crate) fn allows_file(&self, size: u64) -> bool {
        match self {
            Self::Message { route, .. } => route.allows_file(size),
            Self::Response { .. } => true,
        }
    }
}

/// Files and stream of a message that has not been handed on yet.
pub(crate) struct Arriving {
    pub(crate) rest: Rest,
    pub(crate) carried: ReceivedParts,
    pub(crate) headers_due: u32,
}

/// What remains to arrive of a message that somebody reads already.
pub(crate) struct Rest {
    pub(crate) intake: Arc<Intake>,
    pub(crate) has_stream: bool,
    /// Files that have not ended. A stream may be silent as long as it likes, a file may not.
    pub(crate) files_due: u32,
    /// The message, when it waits for a reply.
    pub(crate) owed: Option<Uuid>,
    pub(crate) is_response: bool,
    pub(crate) progress: Progress,
}

/// Whether content comes.
#[derive(Default)]
pub(crate) struct Progress {
    has_come: bool,
    /// For how long nothing did.
    seconds: u32,
}

impl Progress {
    pub(crate) fn on_content(&mut self) {
        self.has_come = true;
    }

    /// A tick has passed. Whether nothing came for longer than the limit.
    fn is_stalled(&mut self, limit: u32) -> bool {
        let has_come = std::mem::take(&mut self.has_come);
        self.seconds = if has_come { 0 } else { self.seconds + 1 };
        self.seconds > limit
    }
}

impl Rest {
    /// The stream is the first part, the files follow.
    pub(crate) const STREAM: usize = 0;

    pub(crate) fn file(&self, index: FileIndex) -> usize {
        index.get() as usize + usize::from(self.has_stream)
    }
}

impl Slot {
    /// A tick has passed. Whether content is due of which nothing came for longer than the limit.
    pub(crate) fn is_stalled(&mut self, limit: u32) -> bool {
        match self {
            Self::Open(open) => open.progress.is_stalled(limit),
            Self::Rest(rest) if rest.files_due > 0 => rest.progress.is_stalled(limit),
            Self::Free | Self::Rest(_) => false,
        }
    }

    pub(crate) fn rest_mut(&mut self) -> Option<&mut Rest> {
        match self {
            Self::Free => None,
            Self::Open(open) => open.carried.as_mut().map(|arriving| &mut arriving.rest),
            Self::Rest(rest) => Some(rest),
        }
    }

    pub(crate) fn rest(&self) -> Option<&Rest> {
        match self {
            Self::Free => None,
            Self::Open(open) => open.carried.as_ref().map(|arriving| &arriving.rest),
            Self::Rest(rest) => Some(rest),
        }
    }
}

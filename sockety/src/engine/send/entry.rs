//! What is put into the outbox, and where it lies there.

use super::lines::Line;

/// What is put into the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    Message,
    CarryingMessage,
    Reply,
    CarryingReply,
    Code,
}

impl Entry {
    pub(crate) fn line(self) -> Line {
        match self {
            Self::Message | Self::Reply => Line::Whole,
            Self::CarryingMessage | Self::CarryingReply => Line::Carrying,
            Self::Code => Line::Code,
        }
    }
}

/// Whether something can be queued now, or has to wait for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Free,
    Full,
}

impl Room {
    pub(crate) fn free_if(is_free: bool) -> Self {
        if is_free { Self::Free } else { Self::Full }
    }
}

/// Where a message stands among all bytes of its connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

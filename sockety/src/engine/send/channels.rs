//! The channels on which messages with content are sent.

use sockety_codec::{ChannelCount, ChannelId, Uuid};

use crate::engine::negotiated::Negotiated;

/// The channels on which messages with content are sent. Channel 0 is left to small messages,
/// unless the peer has no other.
///
/// After an abort, a channel is free again only with a peer that takes notice of aborts. The
/// TypeScript implementation does not: it waits for the rest of the message for ever, and would take
/// the next message for that. Channels are held back until it is known which kind the peer is.
pub(crate) struct Channels {
    next: u16,
    count: u16,
    free: Vec<ChannelId>,
    /// Whose messages were aborted, while it is not known whether the peer took notice.
    held: Vec<ChannelId>,
    /// Lost, as the peer takes no notice.
    retired: u16,
    notice: Notice,
}

/// Whether the peer takes notice of aborts.
enum Notice {
    Unknown,
    /// The peer is asked by the message with this id; for how many ticks it has not answered.
    Asked {
        id: Uuid,
        ticks: u32,
    },
    Taken,
    NotTaken,
}

/// A peer that does not answer for this long does not know the question.
const ASKED_SECONDS: u32 = 5;

impl Channels {
    pub(super) fn new(negotiated: Negotiated) -> Self {
        let count = negotiated.channels();
        let first = u16::from(count.get() > 1);
        Self {
            next: first,
            count: count.get(),
            free: Vec::new(),
            held: Vec::new(),
            retired: 0,
            notice: match negotiated {
                Negotiated::Base(_) => Notice::Unknown,
                // r[impl ext.abort.free]
                Negotiated::Extended => Notice::Taken,
            },
        }
    }

    /// The peer receives on more channels than it did before, or on as many.
    pub(crate) fn set_count(&mut self, count: ChannelCount) {
        self.count = self.count.max(count.get());
    }

    pub(crate) fn is_available(&self) -> bool {
        // Until the peer has answered, no more are risked than can be lost before the connection is
        // replaced.
        if let Notice::Asked { .. } = self.notice {
            if self.held.len() * 2 >= self.usable() {
                return false;
            }
        }
        !self.free.is_empty() || self.next < self.count
    }

    /// Whether none will be free again.
    pub(crate) fn is_exhausted(&self) -> bool {
        let held = match self.notice {
            Notice::Asked { .. } => 0,
            Notice::Unknown | Notice::Taken | Notice::NotTaken => self.held.len(),
        };
        held + usize::from(self.retired) >= self.usable()
    }

    /// Whether too many are lost, so that a new connection is better.
    pub(crate) fn is_running_low(&self) -> bool {
        usize::from(self.retired) * 4 >= self.usable() * 3
    }

    /// Whether enough are lost that a server replaces the connection. The rest is for what it has
    /// accepted before, so this is sooner than [`Channels::is_running_low`].
    pub(crate) fn is_to_be_replaced(&self) -> bool {
        self.retired > 0 && usize::from(self.retired) * 2 >= self.usable()
    }

    /// How many can have files or a stream.
    pub(crate) fn usable(&self) -> usize {
        usize::from(self.count - u16::from(self.count > 1))
    }

    pub(crate) fn take(&mut self) -> Option<ChannelId> {
        if let Some(channel) = self.free.pop() {
            return Some(channel);
        }
        let channel = ChannelId::new(self.next).filter(|_| self.next < self.count)?;
        self.next += 1;
        Some(channel)
    }

    pub(crate) fn give_back(&mut self, channel: ChannelId) {
        self.free.push(channel);
    }

    /// The message on a channel was aborted. Returns whether the channel is free again.
    pub(crate) fn on_aborted(&mut self, channel: ChannelId) -> bool {
        match self.notice {
            Notice::Unknown | Notice::Asked { .. } => self.held.push(channel),
            Notice::Taken => self.free.push(channel),
            Notice::NotTaken => self.retired += 1,
        }
        matches!(self.notice, Notice::Taken)
    }

    /// Whether it is time to ask the peer: not before a quarter of the channels is held back, so that
    /// few connections ever ask. The question goes on channel 0, which must not be one of those.
    pub(crate) fn should_ask(&self) -> bool {
        let is_unknown = matches!(self.notice, Notice::Unknown);
        is_unknown && self.count > 1 && self.held.len() * 4 >= self.usable()
    }

    pub(crate) fn on_asked(&mut self, id: Uuid) {
        self.notice = Notice::Asked { id, ticks: 0 };
    }

    pub(crate) fn is_question(&self, id: &Uuid) -> bool {
        matches!(&self.notice, Notice::Asked { id: asked, .. } if asked == id)
    }

    pub(crate) fn is_asking(&self) -> bool {
        matches!(self.notice, Notice::Asked { .. })
    }

    /// A second has passed. Returns whether the peer has not answered in time.
    pub(crate) fn is_unanswered(&mut self) -> bool {
        let Notice::Asked { ticks, .. } = &mut self.notice else {
            return false;
        };
        *ticks += 1;
        *ticks > ASKED_SECONDS
    }

    pub(crate) fn takes_notice(&self) -> bool {
        matches!(self.notice, Notice::Taken)
    }

    /// Returns the channels that are free again now that the peer is known to take notice.
    pub(crate) fn on_notice(&mut self) -> Vec<ChannelId> {
        self.notice = Notice::Taken;
        let held = std::mem::take(&mut self.held);
        self.free.extend(&held);
        held
    }

    /// The peer takes no notice.
    pub(crate) fn on_no_notice(&mut self) {
        self.notice = Notice::NotTaken;
        self.retired += self.held.len() as u16;
        self.held = Vec::new();
    }
}

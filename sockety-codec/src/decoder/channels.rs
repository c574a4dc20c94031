use super::body::Body;
use super::partial_head::PartialHead;
use crate::{ChannelId, Truncated};

/// What is in progress on each channel.
///
/// It has entries up to the highest channel that has ever had a message. Switching to a channel
/// does not add one.
#[derive(Debug, Default)]
pub(super) struct Channels {
    table: Vec<Channel>,
    /// Channels that are not idle.
    open: usize,
}

/// ```text
///          Message, Response          header complete
///   Idle ────────────────────> Head ──────────────────> Body
///    │                           │ Abort                  │
///    ├───────────────────────────┴────────────────────────┤
///    │       all content received, or Abort               │
///    └────────────────────────────────────────────────────┘
/// ```
#[derive(Debug, Default)]
pub(super) enum Channel {
    /// Nothing is being received.
    #[default]
    Idle,
    /// The header is incomplete.
    Head(Box<PartialHead>),
    /// The header is complete, and content remains.
    Body(Body),
}

impl Channels {
    /// Changes the state of a channel.
    #[inline]
    pub(super) fn put(&mut self, channel: ChannelId, state: Channel) {
        let index = channel.index();
        if index >= self.table.len() {
            self.table
                .resize_with(index.saturating_add(1), Channel::default);
        }
        let Some(place) = self.table.get_mut(index) else {
            return;
        };
        let freed = usize::from(!place.is_idle());
        let opened = usize::from(!state.is_idle());
        self.open = self.open.saturating_add(opened).saturating_sub(freed);
        *place = state;
    }

    /// Takes the state out of a channel and leaves it idle.
    #[inline]
    pub(super) fn take(&mut self, channel: ChannelId) -> Channel {
        let Some(place) = self.table.get_mut(channel.index()) else {
            return Channel::Idle;
        };
        let state = core::mem::take(place);
        let freed = usize::from(!state.is_idle());
        self.open = self.open.saturating_sub(freed);
        state
    }

    #[inline]
    pub(super) fn is_idle(&self, channel: ChannelId) -> bool {
        self.table
            .get(channel.index())
            .is_none_or(|state| state.is_idle())
    }

    #[inline]
    pub(super) fn get_mut(&mut self, channel: ChannelId) -> Option<&mut Channel> {
        self.table.get_mut(channel.index())
    }

    /// The body of the message in progress on a channel, if its header is complete.
    #[inline]
    pub(super) fn body(&self, channel: ChannelId) -> Option<&Body> {
        match self.table.get(channel.index())? {
            Channel::Idle | Channel::Head(_) => None,
            Channel::Body(body) => Some(body),
        }
    }

    /// The body of the message in progress on a channel, if it has been announced.
    #[inline]
    pub(super) fn body_mut(&mut self, channel: ChannelId) -> Option<&mut Body> {
        match self.get_mut(channel)? {
            Channel::Idle => None,
            Channel::Head(head) => head.body_mut(),
            Channel::Body(body) => Some(body),
        }
    }

    #[inline]
    pub(super) fn are_idle(&self) -> bool {
        self.open == 0
    }

    /// Adds a unit of time to the age of each header. Returns the age of the oldest.
    pub(super) fn age_heads(&mut self) -> u32 {
        if self.are_idle() {
            return 0;
        }
        let heads = self.table.iter_mut().filter_map(|state| match state {
            Channel::Head(head) => Some(head.grow_older()),
            Channel::Idle | Channel::Body(_) => None,
        });
        heads.max().unwrap_or(0)
    }

    /// Fails with what is missing on the first channel that is not idle.
    pub(super) fn finish(&self) -> Result<(), Truncated> {
        if self.open == 0 {
            return Ok(());
        }
        for (state, index) in self.table.iter().zip(0..) {
            let channel = ChannelId::new(index).unwrap_or(ChannelId::MAX);
            match state {
                Channel::Idle => {}
                Channel::Head(_) => return Err(Truncated::Head { channel }),
                Channel::Body(_) => return Err(Truncated::Content { channel }),
            }
        }
        Ok(())
    }
}

impl Channel {
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        matches!(self, Self::Idle)
    }
}

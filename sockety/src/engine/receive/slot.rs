//! What is arriving on each channel.

use std::{collections::hash_map::Entry, sync::Arc};

use rustc_hash::FxHashMap;
use sockety_codec::{ChannelId, Part, Uuid};

use super::{credit::Credit, intake::Intake, parts::ReceivedParts, payload::Assembly};
use crate::engine::{
    early_end::{Number, Steering},
    lease::Lease,
    serve::Route,
};

/// What is open, by channel. A map, as the peer chooses the channels: memory goes with how many are
/// open, not with their numbers.
#[derive(Default)]
pub(crate) struct Slots(FxHashMap<ChannelId, Slot>);

/// What is open on a channel. There is none between messages.
///
/// ```text
/// head ──▶ Open ── payload and file headers whole ──▶ Rest ── files and stream whole ──▶ removed
/// ```
pub(crate) enum Slot {
    /// In separate memory, which it needs for a moment, so that a place in the map is small.
    Open(Box<Open>),
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
    pub(crate) steering: Steering,
}

pub(crate) enum Role {
    Message {
        route: Route,
        lease: Lease,
    },
    /// A message that came while another was judged: its action is looked up after the verdict.
    Unjudged {
        action: Arc<str>,
        lease: Lease,
    },
    Response {
        parent: Uuid,
    },
}

impl Role {
    /// The route of a message.
    pub(crate) fn route(&self) -> Option<&Route> {
        match self {
            Self::Message { route, .. } => Some(route),
            Self::Unjudged { .. } | Self::Response { .. } => None,
        }
    }
}

impl Open {
    /// Whether it can be handed on. Either the payload or the last file header is complete last.
    pub(crate) fn is_complete(&self) -> bool {
        let has_headers = match &self.carried {
            Some(arriving) => arriving.headers_due == 0,
            None => true,
        };
        has_headers && self.payload.is_whole()
    }

    /// How much of it has arrived and waits.
    pub(crate) fn bytes(&self) -> usize {
        let carried = self.carried.as_ref();
        self.payload.arrived() + carried.map_or(0, |arriving| arriving.carried.bytes())
    }

    /// The request to answer if it is refused now, if it is one that waits for a reply. No handler
    /// has seen it.
    pub(crate) fn owed(&self) -> Option<Uuid> {
        let is_message = !matches!(self.role, Role::Response { .. });
        (is_message && self.expects_response).then_some(self.id)
    }
}

/// The files and the stream of a message that was not handed on yet.
pub(crate) struct Arriving {
    pub(crate) rest: Rest,
    pub(crate) carried: ReceivedParts,
    pub(crate) headers_due: u32,
}

/// The rest of a message that was handed on, and may be read while it arrives.
pub(crate) struct Rest {
    pub(crate) intake: Arc<Intake>,
    pub(crate) has_stream: bool,
    /// How many files have not ended. A stream may be silent for any time, a file may not.
    pub(crate) files_due: u32,
    /// The id of the message, if it waits for a reply.
    pub(crate) owed: Option<Uuid>,
    pub(crate) is_response: bool,
    pub(crate) progress: Progress,
}

/// Whether content is arriving.
#[derive(Default)]
pub(crate) struct Progress {
    has_come: bool,
    /// For how many ticks none has.
    seconds: u32,
}

impl Progress {
    pub(crate) fn on_content(&mut self) {
        self.has_come = true;
    }

    fn on_tick(&mut self) {
        let has_come = std::mem::take(&mut self.has_come);
        self.seconds = if has_come { 0 } else { self.seconds + 1 };
    }
}

impl Rest {
    /// The stream is the first part, the files follow.
    pub(crate) fn part(&self, part: Part) -> usize {
        match part {
            Part::Stream => 0,
            Part::File(index) => index.get() as usize + usize::from(self.has_stream),
        }
    }
}

impl Slots {
    pub(crate) fn get(&self, channel: ChannelId) -> Option<&Slot> {
        self.0.get(&channel)
    }

    pub(crate) fn get_mut(&mut self, channel: ChannelId) -> Option<&mut Slot> {
        self.0.get_mut(&channel)
    }

    /// What has not been handed on yet.
    pub(crate) fn open_mut(&mut self, channel: ChannelId) -> Option<&mut Open> {
        match self.0.get_mut(&channel)? {
            Slot::Open(open) => Some(open),
            Slot::Rest(_) => None,
        }
    }

    /// Requests of which not enough has arrived that a handler could begin.
    pub(crate) fn owed(&self) -> impl Iterator<Item = Uuid> {
        self.0.values().filter_map(|slot| match slot {
            Slot::Open(open) => open.owed(),
            Slot::Rest(_) => None,
        })
    }

    /// Messages that arrive while another is judged.
    pub(crate) fn unjudged(&self) -> impl Iterator<Item = (ChannelId, &Open)> {
        self.0.iter().filter_map(|(channel, slot)| match slot {
            Slot::Open(open) if open.role.is_unjudged() => Some((*channel, &**open)),
            Slot::Open(_) | Slot::Rest(_) => None,
        })
    }

    /// Where the request with this number arrives, if it was not handed on yet.
    pub(crate) fn arriving(&self, number: Number) -> Option<ChannelId> {
        let mut slots = self.0.iter();
        let is_it = |slot: &Slot| match slot {
            Slot::Open(open) => open.steering.is_cancellable && open.steering.number == number,
            Slot::Rest(_) => false,
        };
        slots.find_map(|(channel, slot)| is_it(slot).then_some(*channel))
    }

    /// Where messages arrive that nobody waits for any longer.
    pub(crate) fn overdue(&self) -> Vec<ChannelId> {
        let is_over = |slot: &Slot| matches!(slot, Slot::Open(open) if open.steering.is_over());
        let slots = self.0.iter().filter(|(_, slot)| is_over(slot));
        slots.map(|(channel, _)| *channel).collect()
    }

    pub(crate) fn open(&mut self, channel: ChannelId, open: Open) {
        self.0.insert(channel, Slot::Open(Box::new(open)));
    }

    /// Takes a message that is complete, with its payload. Where content is still to come, that
    /// stays.
    pub(crate) fn take_complete(&mut self, channel: ChannelId) -> Option<(Open, ReceivedParts)> {
        let Entry::Occupied(mut entry) = self.0.entry(channel) else {
            return None;
        };
        let Slot::Open(open) = entry.get_mut() else {
            return None;
        };
        if !open.is_complete() {
            return None;
        }
        let slot = match open.carried.take() {
            Some(arriving) => {
                let Arriving { rest, carried, .. } = *arriving;
                (entry.insert(Slot::Rest(rest)), carried)
            }
            None => (entry.remove(), ReceivedParts::default()),
        };
        match slot {
            (Slot::Open(open), carried) => Some((*open, carried)),
            (Slot::Rest(_), _) => None,
        }
    }

    pub(crate) fn free(&mut self, channel: ChannelId) {
        self.0.remove(&channel);
    }

    /// The intakes of what is arriving.
    pub(crate) fn intakes(&self) -> impl Iterator<Item = &Arc<Intake>> {
        let rests = self.0.values().filter_map(Slot::rest);
        rests.map(|rest| &rest.intake)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes everything, because nothing more arrives.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Slot> {
        std::mem::take(&mut self.0).into_values()
    }

    /// A tick has passed: counts it wherever content is due, unless the peer waits for credit. Returns
    /// the channels on which none came for more ticks than this.
    pub(crate) fn on_tick(&mut self, limit: u32, credit: Option<&Credit>) -> Vec<ChannelId> {
        let is_used_up = credit.is_some_and(Credit::is_used_up);
        let waits_for_credit =
            |rest: &Rest| is_used_up || (credit.is_some() && rest.intake.unread() > 0);
        let mut stalled = Vec::new();
        for (channel, slot) in &mut self.0 {
            let progress = match slot {
                Slot::Open(open) => &mut open.progress,
                Slot::Rest(rest) if rest.files_due > 0 && !waits_for_credit(rest) => {
                    &mut rest.progress
                }
                Slot::Rest(_) => continue,
            };
            progress.on_tick();
            if progress.seconds > limit {
                stalled.push(*channel);
            }
        }
        stalled
    }

    /// Returns memory to the allocator if fewer channels are open than before.
    pub(crate) fn give_back_memory(&mut self) {
        if self.0.is_empty() {
            self.0.shrink_to_fit();
        }
    }
}

impl Slot {
    pub(crate) fn rest_mut(&mut self) -> Option<&mut Rest> {
        match self {
            Self::Open(open) => open.carried.as_mut().map(|arriving| &mut arriving.rest),
            Self::Rest(rest) => Some(rest),
        }
    }

    pub(crate) fn rest(&self) -> Option<&Rest> {
        match self {
            Self::Open(open) => open.carried.as_ref().map(|arriving| &arriving.rest),
            Self::Rest(rest) => Some(rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(size: u64) -> Open {
        Open {
            role: Role::Response {
                parent: Uuid::new_v4(),
            },
            id: Uuid::new_v4(),
            expects_response: false,
            payload: Assembly::new(size, None),
            carried: None,
            progress: Progress::default(),
            steering: Steering::default(),
        }
    }

    fn memory(slots: &Slots) -> usize {
        slots.0.capacity() * size_of::<(ChannelId, Slot)>()
    }

    #[test]
    fn a_message_on_a_high_channel_takes_no_more_memory_than_on_a_low_one() {
        let mut slots = Slots::default();
        assert_eq!(memory(&slots), 0);
        slots.open(ChannelId::new(255).unwrap(), response(30));
        assert!(memory(&slots) <= 1024, "{}", memory(&slots));
    }

    #[test]
    fn memory_for_many_channels_is_returned_when_none_is_open() {
        let mut slots = Slots::default();
        let channels: Vec<_> = (0..4095).filter_map(ChannelId::new).collect();
        for channel in &channels {
            slots.open(*channel, response(1));
        }
        for channel in &channels {
            assert!(slots.take_complete(*channel).is_none());
            let open = slots.open_mut(*channel).unwrap();
            assert!(open.payload.push(b"x", 0).is_ok());
            let (open, _) = slots.take_complete(*channel).unwrap();
            assert_eq!(open.payload.into_parts().0, "x");
        }
        slots.give_back_memory();
        assert_eq!((slots.len(), memory(&slots)), (0, 0));
    }

    #[test]
    fn a_message_without_content_for_too_long_is_stalled() {
        let mut slots = Slots::default();
        let channel = ChannelId::new(7).unwrap();
        slots.open(channel, response(2));
        assert_eq!(slots.on_tick(1, None), []);
        slots.open_mut(channel).unwrap().progress.on_content();
        for _ in 0..2 {
            assert_eq!(slots.on_tick(1, None), []);
        }
        assert_eq!(slots.on_tick(1, None), [channel]);
    }
}

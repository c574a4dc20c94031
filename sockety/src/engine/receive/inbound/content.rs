//! Payloads, files and streams on their way to those who wait for them.

use std::{sync::Arc, task::Context};

use sockety_codec::{ChannelId, FileHeader, FileIndex, Part, Uuid, credit::Fate};

use super::{Inbound, Verdict, replies::lost, unjudged::Carrying};
use crate::{
    engine::{
        memory::recycled,
        payload_reservation::NoRoom,
        pending::RawReply,
        pending_reply::PendingReply,
        receive::{
            intake::{Intake, Pushed, StreamLimit, WakeDriver},
            parts::{ReceivedFile, ReceivedParts},
            payload::Assembly,
            slot::{Arriving, Open, Progress, Rest, Role, Slot},
        },
        serve::{ReceivedPayload, Serve},
        warnings::Warning,
    },
    error::read::ReadError,
    fast_reply::{FastReply, FrameworkCode},
};

impl<S: Serve> Inbound<S> {
    pub(super) fn arriving(
        &self,
        number: u64,
        has_stream: bool,
        files: u32,
        about: Uuid,
        owed: Option<Uuid>,
        is_response: bool,
    ) -> Option<Box<Arriving>> {
        if !has_stream && files == 0 {
            return None;
        }
        let account = Arc::clone(&self.shared.account);
        let driver: Arc<dyn WakeDriver> = Arc::clone(&self.shared) as _;
        let credit = self.credit_of(number);
        let intake = Intake::new(account, driver, credit, files as usize, has_stream, about);
        let stream = has_stream.then(|| intake.part());
        let carried = ReceivedParts::new(Arc::clone(&intake), stream);
        let rest = Rest {
            intake,
            has_stream,
            files_due: files,
            owed,
            is_response,
            progress: Progress::default(),
        };
        Some(Box::new(Arriving {
            rest,
            carried,
            headers_due: files,
        }))
    }

    /// Opens the channel for a message, or hands it on if nothing of it is to come before.
    pub(super) fn begin(
        &mut self,
        channel: ChannelId,
        open: Open,
        cx: &mut Context<'_>,
    ) -> Verdict {
        let is_complete = open.is_complete();
        self.slots.open(channel, open);
        if is_complete {
            self.hand_on(channel, cx);
        }
        Verdict::Keep
    }

    pub(super) fn on_file_header(
        &mut self,
        channel: ChannelId,
        header: &FileHeader<'_>,
        cx: &mut Context<'_>,
    ) -> Verdict {
        let Some(open) = self.slots.open_mut(channel) else {
            return Verdict::Keep;
        };
        if let Some(route) = open.role.route() {
            if let Some(reason) = route.excess_of_file(header.size) {
                self.shared.warn(Warning::TooLarge, &route.action, &reason);
                self.abuse.on_refused();
                return self.refuse_open(channel, FrameworkCode::TooLarge.reply(), &reason);
            }
        }
        let Some(arriving) = &mut open.carried else {
            return Verdict::Keep;
        };
        let reader = arriving.rest.intake.part();
        arriving.carried.add_file(ReceivedFile {
            name: header.name.into(),
            size: header.size,
            reader,
        });
        arriving.headers_due -= 1;
        if open.is_complete() {
            self.hand_on(channel, cx);
        }
        Verdict::Keep
    }

    pub(super) fn on_data(
        &mut self,
        channel: ChannelId,
        bytes: &[u8],
        remaining: u64,
        cx: &mut Context<'_>,
    ) -> Verdict {
        self.on_payload(channel, cx, |payload| payload.push(bytes, remaining))
    }

    /// Returns where to read more of the payload on a channel, of which `left` bytes come next, if
    /// it is to be read there.
    pub(crate) fn payload_memory(
        &mut self,
        channel: ChannelId,
        left: usize,
    ) -> Option<&mut Vec<u8>> {
        self.slots.open_mut(channel)?.payload.memory(left)
    }

    /// `count` bytes were read there, and `remaining` bytes of the payload follow.
    pub(crate) fn on_payload_read(
        &mut self,
        channel: ChannelId,
        count: usize,
        remaining: u64,
        cx: &mut Context<'_>,
    ) -> Verdict {
        self.on_payload(channel, cx, |payload| payload.on_read(count, remaining))
    }

    fn on_payload(
        &mut self,
        channel: ChannelId,
        cx: &mut Context<'_>,
        add: impl FnOnce(&mut Assembly) -> Result<(), NoRoom>,
    ) -> Verdict {
        let Some(open) = self.slots.open_mut(channel) else {
            return Verdict::Keep;
        };
        open.progress.on_content();
        if let Err(no_room) = add(&mut open.payload) {
            return self.on_no_room(channel, no_room);
        }
        if open.is_complete() {
            self.hand_on(channel, cx);
        }
        Verdict::Keep
    }

    /// All connections together hold as much as they may.
    fn on_no_room(&mut self, channel: ChannelId, NoRoom { limit }: NoRoom) -> Verdict {
        self.shared.counters.count(|all| &all.overloaded);
        let reason = ReadError::OverBudget { limit }.to_string();
        match self.slots.open_mut(channel).map(|open| &open.role) {
            Some(Role::Message { route, .. }) => {
                self.shared
                    .warn(Warning::Overloaded, &route.action, &reason);
            }
            Some(Role::Unjudged { action, .. }) => {
                self.shared.warn(Warning::Overloaded, action, &reason);
            }
            Some(&Role::Response { parent }) => {
                self.deliver(&parent, lost(ReadError::OverBudget { limit }));
            }
            None => {}
        }
        self.refuse_open(channel, FrameworkCode::Overloaded.reply(), &reason)
    }

    /// Hands on a message that is complete. The channel stays open for its files and its stream.
    fn hand_on(&mut self, channel: ChannelId, cx: &mut Context<'_>) {
        let Some((open, carried)) = self.slots.take_complete(channel) else {
            return;
        };
        let (payload, reservation) = open.payload.into_parts();
        match open.role {
            Role::Message { route, mut lease } => {
                lease.begin_executing();
                let intake = carried.intake().cloned();
                let (id, expects_response) = (open.id, open.expects_response);
                let mut reply = PendingReply::new(lease, id, expects_response, reservation, intake);
                let steering = open.steering;
                reply.steer(&steering);
                let payload = ReceivedPayload::Owned(payload);
                self.dispatch(steering, route, payload, carried, reply, cx);
            }
            Role::Unjudged { action, lease } => {
                let message = Carrying {
                    action,
                    id: open.id,
                    expects_response: open.expects_response,
                    payload,
                    parts: carried,
                    reservation,
                    lease,
                    steering: open.steering,
                };
                self.on_unjudged(message, cx);
            }
            Role::Response { parent } => {
                let mut carried = carried;
                carried.describe(open.steering.described);
                let response = RawReply::Response {
                    id: open.id,
                    expects_response: open.expects_response,
                    payload: payload.into(),
                    carried,
                };
                self.deliver(&parent, Ok(response));
            }
        }
    }

    pub(super) fn on_content(&mut self, channel: ChannelId, part: Part, bytes: &[u8]) -> Verdict {
        self.has_large_content |= bytes.len() >= recycled::LEAST;
        let credited = match self.on_credited(channel, part, bytes) {
            Ok((Fate::Keep, credited)) => credited,
            Ok((Fate::Drop, _)) => {
                self.on_unread(channel, bytes);
                return Verdict::Keep;
            }
            Err(verdict) => return verdict,
        };
        let Some(slot) = self.slots.get_mut(channel) else {
            return Verdict::Keep;
        };
        if let Slot::Open(open) = slot {
            open.progress.on_content();
        }
        let Some(rest) = slot.rest_mut() else {
            return Verdict::Keep;
        };
        rest.progress.on_content();
        let pushed = rest.intake.push(rest.part(part), bytes);
        if let (Some(credit), Pushed::Dropped | Pushed::OverLimit(_)) = (credited, &pushed) {
            let _ = credit.taken(part, bytes.len() as u64);
            if let Pushed::OverLimit(_) = pushed {
                let _ = credit.refuse(part);
            }
        }
        match pushed {
            // Content that waits for a verdict has no reader yet.
            Pushed::Unread(unread)
                if self.slow.is_too_much(unread)
                    && (rest.is_response || !self.unjudged.has_content()) =>
            {
                self.slow.add(channel, &rest.intake);
            }
            // A message may be sent to its end though its handler has gone; a caller that has gone
            // should not be sent a reply without end.
            Pushed::Dropped if rest.is_response => self.abuse.on_dropped(bytes.len() as u64),
            Pushed::OverLimit(limit) => return self.on_stream_over_limit(channel, &limit),
            Pushed::Unread(_) | Pushed::Dropped => {}
        }
        Verdict::Keep
    }

    /// Content arrived whose reader has gone.
    #[cold]
    fn on_unread(&mut self, channel: ChannelId, bytes: &[u8]) {
        let rest = self.slots.get_mut(channel).and_then(Slot::rest_mut);
        let Some(rest) = rest else { return };
        rest.progress.on_content();
        if rest.is_response {
            self.abuse.on_dropped(bytes.len() as u64);
        }
    }

    /// What still comes of the stream is dropped, and its sender is asked to stop. If its message has a handler already, that learns it
    /// from the stream, and may have done anything before.
    #[cold]
    fn on_stream_over_limit(&mut self, channel: ChannelId, limit: &StreamLimit) -> Verdict {
        let reason = limit.to_string();
        self.shared.warn(Warning::TooLarge, &limit.action, &reason);
        self.abuse.on_refused();
        match self.slots.get(channel) {
            Some(Slot::Rest(rest)) => {
                if let Some(id) = rest.owed {
                    self.answer_cut_off(id, &rest.intake, FastReply::BAD_REQUEST, &reason);
                }
                Verdict::Keep
            }
            Some(Slot::Open(_)) => {
                self.refuse_open(channel, FrameworkCode::TooLarge.reply(), &reason)
            }
            None => Verdict::Keep,
        }
    }

    pub(super) fn on_part_end(&mut self, channel: ChannelId, part: Part, missing: u64) -> Verdict {
        self.on_credited_end(channel, part);
        let error = match (part, missing) {
            (Part::Stream, _) => self.take_status(channel),
            (Part::File(_), 0) => None,
            (Part::File(_), missing) => Some(ReadError::TooShort { missing }),
        };
        if let Some(rest) = self.slots.get(channel).and_then(Slot::rest) {
            let part = rest.part(part);
            match error {
                None => rest.intake.end(part),
                Some(error) => rest.intake.fail_part(part, error),
            }
        }
        Verdict::Keep
    }

    pub(super) fn on_file_end(
        &mut self,
        channel: ChannelId,
        index: FileIndex,
        missing: u64,
    ) -> Verdict {
        if let Some(rest) = self.slots.get_mut(channel).and_then(Slot::rest_mut) {
            rest.files_due = rest.files_due.saturating_sub(1);
        }
        self.on_part_end(channel, Part::File(index), missing)
    }
}

//! Messages and responses that are arriving, by channel, until they are whole and go to whom they are for.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::Context,
};

use bytes::Bytes;
use sockety_codec::{
    ChannelId, Event, FileHeader, MessageHead, Refusal, RefusalReason, ResponseHead, Uuid,
};
use tracing::{debug, error};

use super::{
    abuse::Guard,
    intake::{Intake, Pushed},
    parts::{ReceivedFile, ReceivedParts},
    payload::Assembly,
    slot::{Arriving, Open, Progress, Rest, Role, Slot},
    slow_readers::SlowReaders,
};
use crate::{
    config::budgets::Share,
    engine::{
        attempt::Attempt,
        held::{Held, NoRoom},
        holders::Holder,
        lease::Lease,
        memory::recycled,
        owed::Owed,
        pending::{RawReply, RawResponse},
        serve::{Dispatch, Route, Serve},
        shared::Shared,
        state::State,
        ticks,
    },
    error::{connection::ConnectionError, read::ReadError, request::RequestError},
    fast_reply::{FastReply, Framework},
    payload::payload_bytes::PayloadBytes,
};

/// The receiving side of one connection. Only its driver has it.
pub(crate) struct Inbound<S> {
    shared: Arc<Shared>,
    serve: S,
    slots: Vec<Slot>,
    has_served: bool,
    slow: SlowReaders,
    /// Channels of messages that were given up, as their content did not come.
    stalled: Vec<ChannelId>,
    pub(crate) guard: Guard,
    /// Whether a large part of a stream or of a file was among what was read last.
    pub(crate) has_large_content: bool,
    /// What begins now was sent after the peer could know that we are going away.
    pub(crate) refuses_new: bool,
}

/// What the decoder is to do with the rest of a message.
#[must_use]
pub(crate) enum Verdict {
    Keep,
    Refuse(ChannelId),
}

impl Verdict {
    pub(crate) fn refused(self) -> Option<ChannelId> {
        match self {
            Self::Keep => None,
            Self::Refuse(channel) => Some(channel),
        }
    }
}

impl<S> Inbound<S> {
    /// The connection has ended: whatever is not whole never will be.
    pub(crate) fn end(&mut self, error: &ConnectionError) {
        let error = ReadError::Disconnected(error.clone());
        for slot in &mut self.slots {
            match std::mem::take(slot) {
                Slot::Free => {}
                Slot::Open(open) => {
                    if let Some(arriving) = &open.carried {
                        arriving.rest.intake.fail(&error);
                    }
                }
                Slot::Rest(rest) => rest.intake.fail(&error),
            }
        }
    }
}

impl<S: Serve> Inbound<S> {
    pub(crate) fn new(shared: Arc<Shared>, serve: S) -> Self {
        if serve.asks_for_authorization() {
            shared.gate.close();
        }
        let slow = SlowReaders::new(&shared);
        let guard = Guard::new(&shared);
        Self {
            shared,
            serve,
            slots: Vec::new(),
            has_served: false,
            slow,
            stalled: Vec::new(),
            guard,
            has_large_content: false,
            refuses_new: false,
        }
    }

    /// Whether the peer has sent a request at all.
    pub(crate) fn has_served(&self) -> bool {
        self.has_served
    }

    /// Whether reading has to pause until somebody reads a file or a stream.
    pub(crate) fn is_paused(&mut self) -> bool {
        self.slow.is_paused()
    }

    /// How much may be read at a time.
    pub(crate) fn room(&self) -> usize {
        self.slow.room()
    }

    /// A tick has passed: gives up messages whose readers hold others up, or whose content does not come. What still
    /// comes of them is dropped, and does not count against the peer, who need not know.
    pub(crate) fn on_tick(&mut self, has_written: bool, is_paused: bool) {
        let others_wait = self.do_others_wait();
        for channel in self.slow.on_tick(others_wait, has_written) {
            self.shared.counters.count(|all| &all.overrun_messages);
            self.cut_off(channel);
        }
        if !is_paused {
            self.give_up_stalled();
        }
    }

    fn give_up_stalled(&mut self) {
        let Some(limit) = self.shared.options.progress_timeout else {
            return;
        };
        let seconds = ticks::seconds(limit);
        let slots = self.slots.iter_mut().zip(0..);
        let stalled: Vec<_> = slots
            .filter_map(|(slot, index)| slot.is_stalled(seconds).then(|| ChannelId::new(index))?)
            .collect();
        for channel in &stalled {
            self.shared.counters.count(|all| &all.stalled_messages);
            if let Slot::Open(open) = self.slot(*channel)
                && open.expects_response
                && matches!(open.role, Role::Message { .. })
            {
                let id = open.id;
                self.shared.fast_reply(id, FastReply::BAD_REQUEST);
            }
            self.on_lost(*channel, &ReadError::Stalled(limit));
        }
        self.stalled.extend(&stalled);
        let channels = usize::from(self.shared.options.limits.channels().get());
        if self.stalled.len() * 4 > channels {
            self.guard.on_stalled();
        }
    }

    fn do_others_wait(&self) -> bool {
        let is_open = |slot: &&Slot| !matches!(slot, Slot::Free);
        self.shared.holders.requests() > 1
            || self.shared.lock().waiting.has_unanswered()
            || self.slots.iter().filter(is_open).count() > 1
    }

    fn cut_off(&mut self, channel: ChannelId) {
        match self.slot(channel) {
            Slot::Free => {}
            Slot::Rest(rest) => {
                let Some(id) = rest.owed else { return };
                let intake = Arc::clone(&rest.intake);
                self.shared.answer_cut_off(id, &intake);
            }
            // Its payload comes after more than may wait to be read.
            Slot::Open(open) => {
                let owed = (open.expects_response && matches!(open.role, Role::Message { .. }))
                    .then_some(open.id);
                // Nobody has seen it: its handler did not run.
                if let Some(id) = owed {
                    self.shared.fast_reply(id, Framework::TooLarge.reply());
                }
                self.on_lost(channel, &ReadError::Overrun);
            }
        }
    }

    pub(crate) fn on_event(&mut self, event: &Event<'_>, cx: &mut Context<'_>) -> Verdict {
        match *event {
            Event::WholeMessage {
                ref head, payload, ..
            } => {
                self.on_whole_message(head, payload, cx);
            }
            Event::WholeResponse {
                ref head, payload, ..
            } => {
                self.on_whole_response(head, payload);
            }
            Event::Message { channel, ref head } => return self.on_message(channel, head, cx),
            Event::Response { channel, ref head } => return self.on_response(channel, head, cx),
            Event::FileHeader {
                channel,
                ref header,
                ..
            } => return self.on_file_header(channel, header, cx),
            Event::Data {
                channel,
                bytes,
                remaining,
            } => return self.on_data(channel, bytes, remaining, cx),
            Event::Stream { channel, bytes } => self.on_content(channel, |_| Rest::STREAM, bytes),
            Event::StreamEnd { channel } => self.on_part_end(channel, |_| Rest::STREAM, 0),
            Event::File {
                channel,
                index,
                bytes,
            } => self.on_content(channel, |rest| rest.file(index), bytes),
            Event::FileEnd {
                channel,
                index,
                missing,
            } => {
                self.on_part_end(channel, |rest| rest.file(index), missing);
                if let Some(rest) = self.slot(channel).rest_mut() {
                    rest.files_due = rest.files_due.saturating_sub(1);
                }
            }
            Event::FastReply { id, code } => {
                self.deliver(&id, Ok(RawReply::Fast(code.into())));
            }
            Event::End { channel } => self.on_end(channel),
            Event::Abort { channel } => {
                self.guard.on_aborted(1);
                self.on_lost(channel, &ReadError::Aborted);
                self.on_end(channel);
            }
            Event::Refused {
                channel,
                ref refusal,
            } => self.on_refused(channel, refusal),
            Event::GoAway => self.on_go_away(),
            // The connection header was read in the handshake; the other is a sign of life.
            Event::Header(_) | Event::Heartbeat => {}
            // The decoder returns other events only if it is asked to.
            _ => {}
        }
        Verdict::Keep
    }

    /// Most messages: there is nothing to keep until more of it comes.
    fn on_whole_message(&mut self, head: &MessageHead<'_>, payload: &[u8], cx: &mut Context<'_>) {
        self.has_served = true;
        let admitted = self.route(head).and_then(|route| {
            let admitted = self.admit_whole(payload);
            let (lease, held) = admitted.ok_or_else(|| Framework::Overloaded.reply())?;
            Ok((route, lease, held))
        });
        let (route, lease, held) = match admitted {
            Ok(admitted) => admitted,
            Err(code) => {
                // r[impl reply.only-when-expected]
                if head.expects_response {
                    self.shared.fast_reply(head.id, code);
                }
                return self.guard.on_dropped(payload.len() as u64);
            }
        };
        let owed = Owed::new(lease, head.id, head.expects_response, held, None);
        let is_spawned = route.is_spawned();
        self.run(head.id, is_spawned, cx, |serve| {
            serve.dispatch_whole(route, payload, owed)
        });
    }

    fn admit_whole(&self, payload: &[u8]) -> Option<(Lease, Option<Box<Held>>)> {
        let lease = Lease::of_request(&self.shared, Holder::Executing);
        let admitted = lease.and_then(|lease| {
            let held = Held::whole(&self.shared, payload.len()).ok()?;
            Some((lease, held))
        });
        if admitted.is_none() {
            self.shared.counters.count(|all| &all.overloaded);
        }
        admitted
    }

    fn on_whole_response(&mut self, head: &ResponseHead, payload: &[u8]) {
        let response = RawResponse {
            id: head.id,
            expects_response: head.expects_response,
            payload: PayloadBytes::copy_of(payload),
            carried: ReceivedParts::default(),
        };
        let is_dropped = self.deliver(&head.parent, Ok(RawReply::Response(response)));
        if is_dropped && !self.shared.lock().waiting.expects(&head.parent) {
            self.guard.on_dropped(payload.len() as u64);
        }
    }

    fn on_message(
        &mut self,
        channel: ChannelId,
        head: &MessageHead<'_>,
        cx: &mut Context<'_>,
    ) -> Verdict {
        self.has_served = true;
        let route = match self.route(head) {
            Ok(route) => route,
            Err(code) => return self.refuse_message(channel, head, code),
        };
        let Some((lease, payload)) = self.admit(head) else {
            self.shared.counters.count(|all| &all.overloaded);
            return self.refuse_message(channel, head, Framework::Overloaded.reply());
        };
        let open = Open {
            role: Role::Message { route, lease },
            id: head.id,
            expects_response: head.expects_response,
            payload,
            carried: self.arriving(
                head.has_stream,
                head.files.count,
                head.id,
                head.expects_response.then_some(head.id),
                false,
            ),
            progress: Progress::default(),
        };
        self.begin(channel, open, cx);
        Verdict::Keep
    }

    fn route(&mut self, head: &MessageHead<'_>) -> Result<Route, FastReply> {
        let counters = &self.shared.counters;
        if self.refuses_new {
            counters.count(|all| &all.going_away);
            return Err(Framework::GoingAway.reply());
        }
        if !self.shared.gate.is_open() {
            return match Attempt::begin(&self.shared, head) {
                Some(attempt) => Ok(Route::to_judge(head.action, attempt)),
                None => {
                    counters.count(|all| &all.unauthorized);
                    Err(FastReply::UNAUTHORIZED)
                }
            };
        }
        let files = head.files.count;
        let route = self.serve.route(head.action, head.payload_size, files);
        match &route {
            Ok(_) => {}
            Err(code) if *code == FastReply::NOT_IMPLEMENTED => {
                counters.count(|all| &all.not_implemented);
            }
            Err(_) => self.guard.on_refused(),
        }
        route
    }

    fn admit(&self, head: &MessageHead<'_>) -> Option<(Lease, Assembly)> {
        let lease = Lease::of_request(&self.shared, Holder::Arriving)?;
        let held = Held::reserve(&self.shared, head.payload_size).ok()?;
        let files = head.files.count as usize;
        let is_room = files == 0 || self.shared.has_room_for_files(files);
        is_room.then(|| (lease, Assembly::new(head.payload_size, held)))
    }

    fn refuse_message(
        &self,
        channel: ChannelId,
        head: &MessageHead<'_>,
        reply: FastReply,
    ) -> Verdict {
        // r[impl reply.only-when-expected]
        if head.expects_response {
            self.shared.fast_reply(head.id, reply);
        }
        if head.has_content() {
            Verdict::Refuse(channel)
        } else {
            Verdict::Keep
        }
    }

    fn on_response(
        &mut self,
        channel: ChannelId,
        head: &ResponseHead,
        cx: &mut Context<'_>,
    ) -> Verdict {
        if !self.shared.lock().waiting.begin_response(&head.parent) {
            self.on_unwanted(&head.parent, false);
            return if head.has_content() {
                Verdict::Refuse(channel)
            } else {
                Verdict::Keep
            };
        }
        let Ok(held) = Held::reserve(&self.shared, head.payload_size) else {
            self.deliver(&head.parent, lost("too many payloads are arriving at once"));
            return Verdict::Refuse(channel);
        };
        let payload = Assembly::new(head.payload_size, held);
        let open = Open {
            role: Role::Response {
                parent: head.parent,
            },
            id: head.id,
            expects_response: head.expects_response,
            payload,
            carried: self.arriving(head.has_stream, head.files.count, head.parent, None, true),
            progress: Progress::default(),
        };
        self.begin(channel, open, cx);
        Verdict::Keep
    }

    fn arriving(
        &self,
        has_stream: bool,
        files: u32,
        about: Uuid,
        owed: Option<Uuid>,
        is_response: bool,
    ) -> Option<Box<Arriving>> {
        if !has_stream && files == 0 {
            return None;
        }
        let shared = Arc::clone(&self.shared);
        let intake = Intake::new(shared, files as usize, has_stream, about);
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

    fn begin(&mut self, channel: ChannelId, open: Open, cx: &mut Context<'_>) {
        let has_payload = open.payload.size > 0;
        *self.slot(channel) = Slot::Open(open);
        if !has_payload {
            self.hand_on(channel, Bytes::new(), cx);
        }
    }

    fn on_file_header(
        &mut self,
        channel: ChannelId,
        header: &FileHeader<'_>,
        cx: &mut Context<'_>,
    ) -> Verdict {
        let Slot::Open(open) = self.slot(channel) else {
            return Verdict::Keep;
        };
        if !open.role.allows_file(header.size) {
            self.guard.on_refused();
            return self.refuse_open(channel, Framework::TooLarge.reply());
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
        if let Some(payload) = open.payload.whole() {
            self.hand_on(channel, payload, cx);
        }
        Verdict::Keep
    }

    /// Refuses a message that nobody has seen yet.
    fn refuse_open(&mut self, channel: ChannelId, reply: FastReply) -> Verdict {
        if let Slot::Open(open) = self.slot(channel)
            && open.expects_response
            && matches!(open.role, Role::Message { .. })
        {
            let id = open.id;
            self.shared.fast_reply(id, reply);
        }
        self.free(channel);
        Verdict::Refuse(channel)
    }

    fn on_data(
        &mut self,
        channel: ChannelId,
        bytes: &[u8],
        remaining: u64,
        cx: &mut Context<'_>,
    ) -> Verdict {
        let Slot::Open(open) = self.slot(channel) else {
            return Verdict::Keep;
        };
        let pushed = open.payload.push(bytes, remaining);
        self.on_payload(channel, pushed, cx)
    }

    /// Where to read more of the payload on a channel, of which `left` bytes come next, if it is to be read there.
    pub(crate) fn payload_memory(
        &mut self,
        channel: ChannelId,
        left: usize,
    ) -> Option<&mut Vec<u8>> {
        match self.slot(channel) {
            Slot::Open(open) => open.payload.memory(left),
            Slot::Free | Slot::Rest(_) => None,
        }
    }

    /// So many bytes were read there.
    pub(crate) fn on_payload_read(
        &mut self,
        channel: ChannelId,
        count: usize,
        remaining: u64,
        cx: &mut Context<'_>,
    ) -> Verdict {
        let Slot::Open(open) = self.slot(channel) else {
            return Verdict::Keep;
        };
        let read = open.payload.on_read(count, remaining);
        self.on_payload(channel, read, cx)
    }

    fn on_payload(
        &mut self,
        channel: ChannelId,
        arrived: Result<Option<Bytes>, NoRoom>,
        cx: &mut Context<'_>,
    ) -> Verdict {
        if let Slot::Open(open) = self.slot(channel) {
            open.progress.on_content();
        }
        match arrived {
            Ok(None) => {}
            Ok(Some(payload)) => self.hand_on(channel, payload, cx),
            Err(NoRoom) => return self.on_no_room(channel),
        }
        Verdict::Keep
    }

    /// All connections together hold as much as they may.
    fn on_no_room(&mut self, channel: ChannelId) -> Verdict {
        self.shared.counters.count(|all| &all.overloaded);
        if let Slot::Open(open) = self.slot(channel)
            && let Role::Response { parent } = open.role
        {
            self.deliver(&parent, lost("too many payloads are arriving at once"));
        }
        self.refuse_open(channel, Framework::Overloaded.reply())
    }

    /// Hands a message on when its payload and its file headers are there, the latter of which may come last.
    fn hand_on(&mut self, channel: ChannelId, payload: Bytes, cx: &mut Context<'_>) {
        let slot = self.slot(channel);
        let Slot::Open(open) = slot else { return };
        if open
            .carried
            .as_ref()
            .is_some_and(|arriving| arriving.headers_due > 0)
        {
            open.payload.keep(payload);
            return;
        }
        let Slot::Open(open) = std::mem::take(slot) else {
            return;
        };
        let Open {
            role,
            id,
            expects_response,
            payload: assembly,
            carried,
            progress: _,
        } = open;
        let carried = carried.map(|arriving| {
            let Arriving { rest, carried, .. } = *arriving;
            *self.slot(channel) = Slot::Rest(rest);
            carried
        });
        let carried = carried.unwrap_or_default();
        match role {
            Role::Message { route, mut lease } => {
                lease.begin_executing();
                let owed = Owed::new(
                    lease,
                    id,
                    expects_response,
                    assembly.held,
                    carried.intake().cloned(),
                );
                self.dispatch(route, payload, carried, owed, cx);
            }
            Role::Response { parent } => {
                self.deliver(
                    &parent,
                    Ok(RawReply::Response(RawResponse {
                        id,
                        expects_response,
                        payload: payload.into(),
                        carried,
                    })),
                );
            }
        }
    }

    fn on_content(&mut self, channel: ChannelId, part: impl FnOnce(&Rest) -> usize, bytes: &[u8]) {
        self.has_large_content |= bytes.len() >= recycled::LEAST;
        let slot = self.slot(channel);
        let Some(rest) = slot.rest_mut() else {
            return;
        };
        rest.progress.on_content();
        let unread = match rest.intake.push(part(rest), bytes) {
            Pushed::Unread(unread) => unread,
            // Whoever sends a message may send all of it; a caller who has gone should not be sent a reply without end.
            Pushed::Dropped if rest.is_response => {
                return self.guard.on_dropped(bytes.len() as u64);
            }
            Pushed::Dropped => return,
        };
        let intake = Arc::clone(&rest.intake);
        if let Slot::Open(open) = slot {
            open.progress.on_content();
        }
        if self.slow.is_too_much(unread) {
            self.slow.add(channel, intake);
        }
    }

    fn on_part_end(&mut self, channel: ChannelId, part: impl FnOnce(&Rest) -> usize, missing: u64) {
        let Some(rest) = self.slot(channel).rest() else {
            return;
        };
        let part = part(rest);
        match missing {
            0 => rest.intake.end(part),
            missing => rest.intake.fail_part(part, ReadError::TooShort { missing }),
        }
    }

    /// Runs the handler as far as it goes without waiting; what has to wait becomes a task of its own.
    ///
    /// Most handlers end at once, and cost no task and no wake-up this way. A service may want a task from the
    /// beginning all the same.
    fn dispatch(
        &self,
        route: Route,
        payload: Bytes,
        carried: ReceivedParts,
        owed: Owed,
        cx: &mut Context<'_>,
    ) {
        let (id, is_spawned) = (owed.id, route.is_spawned());
        self.run(id, is_spawned, cx, |serve| {
            serve.dispatch(route, payload, carried, owed)
        });
    }

    fn run(
        &self,
        id: Uuid,
        is_spawned: bool,
        cx: &mut Context<'_>,
        dispatch: impl FnOnce(&S) -> Dispatch,
    ) {
        let begin = || {
            let mut handler = dispatch(&self.serve);
            if is_spawned {
                return Some(handler);
            }
            handler.as_mut().poll(cx).is_pending().then_some(handler)
        };
        match catch_unwind(AssertUnwindSafe(begin)) {
            Ok(None) => {}
            Ok(Some(handler)) => self.spawn(handler),
            // The reply went out when the message was dropped.
            Err(_) => error!(%id, "handler panicked"),
        }
    }

    /// The slot of the request is inside the handler, so the number of such tasks is bounded.
    fn spawn(&self, handler: Dispatch) {
        let tasks = Arc::clone(self.shared.budgets.waiting());
        let share = Share::none(tasks).charge(1);
        tokio::spawn(async move {
            handler.await;
            drop(share);
        });
    }

    // r[impl reply.response]
    /// A reply that nobody waits for any longer is dropped. Gives whether it was.
    fn deliver(&mut self, parent: &Uuid, reply: Result<RawReply, RequestError>) -> bool {
        let delivered = self.shared.lock().deliver(parent, reply);
        // The mutex is free again: the woken task may take it at once, and so may destructors of the reply's parts.
        if let Some(waker) = delivered.waker {
            waker.wake();
        }
        let Some(unwanted) = delivered.unwanted else {
            return false;
        };
        let is_code = matches!(unwanted, Ok(RawReply::Fast(_)));
        drop(unwanted);
        self.on_unwanted(parent, is_code);
        true
    }

    #[cold]
    fn on_go_away(&self) {
        if self.shared.change(State::on_go_away) {
            debug!(peer = ?self.shared.peer.peer_addr, "peer is going away");
        }
    }

    /// A reply came that nobody waits for.
    fn on_unwanted(&mut self, parent: &Uuid, is_code: bool) {
        if self.shared.lock().waiting.allows_late(parent, is_code) {
            self.shared.counters.count(|all| &all.late_replies);
        } else {
            self.guard.on_unexpected_reply();
        }
    }

    fn on_refused(&mut self, channel: ChannelId, refusal: &Refusal) {
        self.guard.on_refused();
        let is_handed_on = matches!(self.slot(channel), Slot::Rest(_));
        self.on_lost(channel, &ReadError::Refused(refusal.reason));
        if let Some(parent) = refusal.parent {
            self.deliver(&parent, lost(&refusal.reason.to_string()));
        } else if refusal.expects_response && !is_handed_on {
            let code = match refusal.reason {
                RefusalReason::TooLarge { .. } => Framework::TooLarge,
                _ => Framework::BadHeader,
            };
            self.shared.fast_reply(refusal.id, code.reply());
        }
    }

    fn on_lost(&mut self, channel: ChannelId, error: &ReadError) {
        match self.slot(channel) {
            Slot::Free => {}
            Slot::Rest(rest) => rest.intake.fail(error),
            Slot::Open(open) => {
                if let Some(arriving) = &open.carried {
                    arriving.rest.intake.fail(error);
                }
                if let Role::Response { parent } = open.role {
                    self.deliver(&parent, lost(&error.to_string()));
                }
            }
        }
        self.free(channel);
    }

    /// Nothing more of the message comes.
    fn on_end(&mut self, channel: ChannelId) {
        self.stalled.retain(|stalled| *stalled != channel);
        self.free(channel);
    }

    fn free(&mut self, channel: ChannelId) {
        self.slow.finish(channel);
        *self.slot(channel) = Slot::Free;
    }

    fn slot(&mut self, channel: ChannelId) -> &mut Slot {
        let index = usize::from(channel.get());
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, Slot::default);
        }
        &mut self.slots[index]
    }
}

fn lost(reason: &str) -> Result<RawReply, RequestError> {
    Err(RequestError::ResponseLost(reason.into()))
}

//! What a peer with the extension sends besides messages: metadata, and requests to end handlers.

use std::sync::{Arc, Weak};

use rustc_hash::FxHashMap;
use sockety_codec::{
    ChannelId, FilesSummary, FlowEntry, MessageHead, Part, Violation,
    credit::{Fate, Round},
    extension::{Cancels, FlowEntries, Settings, Status, metadata},
};

use super::{Inbound, Verdict};
use crate::{
    config::{options::Options, rate::Rate},
    engine::{
        cancellation::Running,
        early_end::{self, Described, Ending, Number, Steering, Which},
        negotiated,
        receive::{
            bucket::Bucket,
            credit::{Credit, MessageCredit},
            intake::Intake,
            slot::Slot,
        },
        serve::{Dispatch, Serve},
    },
    error::{limit::LimitExceeded, read::ReadError, stream_end::StreamEnd},
    fast_reply::FrameworkCode,
    metadata::{Metadata, RetryAfter},
};

/// What the receiving side of a connection with the extension has in addition. Most connections need
/// it never, or not for long: it is made when something is noted in it, and dropped at a tick at which
/// it is [blank](Self::is_blank).
#[derive(Default)]
pub(super) struct Extended {
    metadata: metadata::Reader,
    /// What was said of messages that were not announced yet, by their numbers: of more than one only
    /// if their headers are split, of which the decoder bounds the bytes.
    described: FxHashMap<u64, Said>,
    /// What was said of another attempt before the fast reply that is next.
    retry: Option<RetryAfter>,
    /// Why the stream ends that is next to end, or the message that is next to be aborted.
    status: Option<(ChannelId, Arc<StreamEnd>)>,
    running: Running,
    pub(super) violation: Option<Violation>,
    /// What the peer may send of files and streams, from the first message with any on.
    pub(super) credit: Option<Arc<Credit>>,
    /// Messages with files or a stream that are arriving, refused ones as well. As many as there are
    /// channels.
    content: FxHashMap<ChannelId, Content>,
    /// What the decoder had dropped of files and streams.
    drained: u64,
    /// Entries to write, empty between rounds.
    entries: Vec<FlowEntry>,
    held: Held,
    entries_read: EntriesRead,
    unread: Unread,
}

/// Messages that have arrived, and whose readers have not taken all of them.
#[derive(Default)]
struct Unread(Vec<Weak<Intake>>);

impl Unread {
    fn add(&mut self, intake: &Arc<Intake>) {
        if intake.unread() == 0 {
            return;
        }
        // No more than twice as many as have readers.
        if self.0.len() == self.0.capacity() {
            self.0.retain(|intake| intake.strong_count() > 0);
            self.0.reserve(self.0.len());
        }
        self.0.push(Arc::downgrade(intake));
    }

    fn all(&mut self) -> impl Iterator<Item = Arc<Intake>> {
        self.0.retain(|intake| intake.strong_count() > 0);
        self.0.iter().filter_map(Weak::upgrade)
    }
}

/// A message whose files or stream are arriving.
#[derive(Clone, Copy)]
struct Content {
    number: u64,
    /// Its sender was, or will be, asked to stop.
    is_stopped: bool,
}

/// What credit waits for that is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Held {
    #[default]
    No,
    /// A round in which the socket has nothing more to read.
    UntilIdle,
    /// Less memory in use, which is looked at once a second.
    UntilMemory,
}

/// Pays for the Flow entries that the peer sends.
// r[impl ext.credit.budget]
struct EntriesRead {
    bucket: Bucket,
    /// How many were paid for by content.
    paid: u64,
}

/// How many entries a peer may send at once, and each second, without receiving content.
const FREE_ENTRIES: Rate = Rate::new(1_024, 10);

/// One entry is paid for by as many bytes of content that were sent. With the smallest windows, 2,048 bytes
/// that a reader takes can be worth an entry for their part and one for the connection.
const BYTES_PER_ENTRY: u64 = 1_024;

impl Default for EntriesRead {
    fn default() -> Self {
        Self {
            bucket: Bucket::new(FREE_ENTRIES),
            paid: 0,
        }
    }
}

impl EntriesRead {
    /// Returns whether all of them are paid for. `content`: bytes of content that were sent so far.
    /// Each part can be stopped once, or released after its end.
    fn pay(&mut self, count: u64, content: u64, parts_begun: u64) -> bool {
        let earned = (content / BYTES_PER_ENTRY).saturating_add(parts_begun);
        let paid = count.min(earned.saturating_sub(self.paid));
        self.paid = self.paid.saturating_add(paid);
        self.bucket.take(count.saturating_sub(paid))
    }

    fn is_blank(&self) -> bool {
        self.paid == 0 && self.bucket.is_untouched()
    }
}

/// What was said of a message, unless that is nothing.
#[derive(Default)]
struct Said {
    /// Whether it has a deadline or says that it has none, whatever the settings of the peer say.
    decides_deadline: bool,
    described: Option<Arc<Described>>,
}

impl<S: Serve> Inbound<S> {
    /// What a peer with the extension has said about itself.
    pub(crate) fn settings(&self) -> Option<&Settings> {
        self.settings.as_deref()
    }

    /// The peer has said what it is as a receiver.
    #[cold]
    pub(super) fn on_settings(&mut self, settings: &Settings) -> Verdict {
        let settings = Arc::new(*settings);
        self.settings = Some(Arc::clone(&settings));
        self.shared.change(|state| state.on_settings(settings));
        self.shared.ended.notify_waiters();
        // It sends heartbeats as its settings say.
        self.has_heartbeats = true;
        Verdict::Settings
    }

    /// The rule that the peer broke, after [`Verdict::Break`].
    pub(crate) fn violation(&mut self) -> Option<Violation> {
        self.extended.as_mut()?.violation.take()
    }

    // r[impl ext.meta.names]
    #[cold]
    pub(super) fn on_metadata(&mut self, number: Option<u64>, content: &[u8]) -> Verdict {
        let extended = self.extended.get_or_insert_default();
        let metadata = match extended.metadata.decode(content) {
            Ok(metadata) => metadata,
            Err(violation) => {
                extended.violation = Some(violation);
                return Verdict::Break;
            }
        };
        let retry = metadata.retry_after.map(RetryAfter::of_wire);
        let Some(number) = number else {
            extended.retry = retry;
            return Verdict::Keep;
        };
        // It counts from now, when it is read.
        let described = Described {
            deadline: metadata.deadline.flatten().map(early_end::after),
            is_default: false,
            metadata: Metadata::of_wire(&metadata),
            retry,
        };
        let is_something =
            described.deadline.is_some() || described.metadata.is_some() || retry.is_some();
        let said = Said {
            decides_deadline: metadata.deadline.is_some(),
            described: is_something.then(|| Arc::new(described)),
        };
        extended.described.insert(number, said);
        Verdict::Keep
    }

    /// A message was aborted before it was announced.
    #[cold]
    pub(super) fn on_unannounced(&mut self, number: u64) -> Verdict {
        self.forget_said(number);
        Verdict::Keep
    }

    /// No message with this number will ask for what was said of it.
    fn forget_said(&mut self, number: u64) {
        if let Some(extended) = &mut self.extended {
            extended.described.remove(&number);
        }
    }

    /// What may end a message early that is announced now.
    // r[impl ext.meta.deadline]
    #[inline]
    pub(super) fn steering(&mut self, number: u64, head: &MessageHead<'_>) -> Steering {
        if self.settings.is_none() {
            return Steering::default();
        }
        let said = match &mut self.extended {
            Some(extended) if !extended.described.is_empty() => extended.take_said(number),
            _ => Said::default(),
        };
        let default = || self.default_deadline(head);
        Steering {
            number: Number::new(number),
            is_cancellable: head.expects_response,
            default_millis: (!said.decides_deadline).then(default).flatten(),
            described: said.described,
        }
    }

    /// What the fast reply that is next says about another attempt.
    // r[impl ext.meta.retry]
    #[inline]
    pub(super) fn retry_after(&mut self) -> Option<RetryAfter> {
        self.extended.as_mut()?.retry.take()
    }

    /// The end of a stream or an abort is next, on this channel: only one status is kept.
    // r[impl ext.status]
    #[cold]
    pub(super) fn on_status(&mut self, channel: ChannelId, status: &Status<'_>) -> Verdict {
        let end = StreamEnd::of_status(status).map(|end| (channel, end));
        self.extended.get_or_insert_default().status = end;
        Verdict::Keep
    }

    /// Why what ends now on this channel does, if that was said.
    #[inline]
    pub(super) fn take_status(&mut self, channel: ChannelId) -> Option<ReadError> {
        let status = &mut self.extended.as_mut()?.status;
        let (of, end) = status.take()?;
        (of == channel).then(|| ReadError::Ended(end))
    }

    /// What was said of a response.
    #[inline]
    pub(super) fn said_of_response(&mut self, number: u64) -> Option<Arc<Described>> {
        let extended = self.extended.as_mut()?;
        if extended.described.is_empty() {
            return None;
        }
        extended.take_said(number).described
    }

    /// The deadline that the peer has for its requests that carry none.
    fn default_deadline(&self, head: &MessageHead<'_>) -> Option<u32> {
        let is_plain = head.expects_response && !head.has_stream && head.files.count == 0;
        let millis = self.settings.as_ref()?.deadline_millis();
        (is_plain && millis > 0).then_some(millis)
    }

    /// The peer wants no answer to these requests any more.
    // r[impl ext.cancel.answer]
    #[cold]
    pub(super) fn on_cancel(&mut self, numbers: Cancels<'_>) -> Verdict {
        for number in numbers {
            self.cancel(Number::new(number));
        }
        Verdict::Keep
    }

    fn cancel(&mut self, number: Number) {
        let extended = self.extended.as_mut();
        let is_running = extended.is_some_and(|it| it.running.cancel(number));
        if !is_running && self.cancel_unbegun(number) {
            return;
        }
        // One that has ended has its answer, of which content may be on its way.
        self.shared.change(|state| state.cancel_answers(number));
    }

    /// Returns whether the request had not begun.
    fn cancel_unbegun(&mut self, number: Number) -> bool {
        if self.end_waiting(number) {
            return true;
        }
        let Some(channel) = self.slots.arriving(number) else {
            return false;
        };
        self.end_arriving(channel);
        true
    }

    /// Ends a request that waits for its turn, or for a verdict. Returns whether it does.
    pub(super) fn end_waiting(&mut self, number: Number) -> bool {
        match self.queue.take(number) {
            Some(request) => {
                self.end_unbegun(number, request);
                true
            }
            None => self.cancel_unjudged(number),
        }
    }

    /// The number of the message whose content arrives on a channel, with the extension.
    pub(super) fn content_number(&self, channel: ChannelId) -> Option<Number> {
        let content = self.extended.as_ref()?.content.get(&channel)?;
        Some(Number::new(content.number))
    }

    /// Ends a message before all of it has come that its handler needs to begin.
    fn end_arriving(&mut self, channel: ChannelId) {
        if let Some(id) = self.slots.open_mut(channel).and_then(|open| open.owed()) {
            self.shared.fast_reply(id, FrameworkCode::NotBegun.reply());
        }
        self.stop_message(channel);
        self.free(channel);
    }

    /// Drops what holds the reply to a message whose handler has not begun, and will not.
    pub(super) fn end_unbegun<T>(&self, number: Number, dropped: T) {
        let message = Which::new(number, &*self.shared);
        let code = FrameworkCode::NotBegun.reply();
        Ending { code, message }.drop(dropped);
    }

    /// A handler becomes a task.
    pub(super) fn cancellable(&mut self, steering: &Steering, handler: Dispatch) -> Dispatch {
        if !steering.can_end() {
            return handler;
        }
        let message = Which::new(steering.number, &*self.shared);
        let extended = self.extended.get_or_insert_default();
        extended.running.add(steering, message, handler)
    }

    /// A message or response was announced. Every one with content, whether it is taken or not: its
    /// sender counts what it sends.
    #[inline]
    pub(super) fn begin_content(
        &mut self,
        channel: ChannelId,
        number: u64,
        has_stream: bool,
        files: FilesSummary,
    ) {
        if (has_stream || files.count > 0) && self.shared.is_extended {
            self.begin_credited(channel, number, has_stream, files);
        }
    }

    #[inline(never)]
    fn begin_credited(
        &mut self,
        channel: ChannelId,
        number: u64,
        has_stream: bool,
        files: FilesSummary,
    ) {
        let extended = self.extended.get_or_insert_default();
        let credit = extended.credit(&self.shared.options);
        credit.begin(number, has_stream, files);
        let content = Content {
            number,
            is_stopped: false,
        };
        extended.content.insert(channel, content);
    }

    /// The credit of one message of the peer, if the extension is active.
    pub(super) fn credit_of(&self, number: u64) -> Option<MessageCredit> {
        let credit = self.extended.as_ref()?.credit.as_ref()?;
        let credit = Arc::clone(credit);
        Some(MessageCredit { credit, number })
    }

    /// The decoder refuses a message, perhaps before it was announced.
    pub(super) fn on_refused_content(&mut self, channel: ChannelId, number: Option<u64>) {
        if let Some(number) = number.filter(|_| self.shared.is_extended) {
            self.forget_said(number);
            // What it has is not known. If it has nothing, it is over before its sender is asked to stop.
            let files = FilesSummary::new(0, 0);
            self.begin_credited(channel, number, true, files);
        }
        self.stop_message(channel);
    }

    /// Nobody reads the message that is arriving on a channel.
    // r[impl ext.stop.when]
    #[inline]
    pub(crate) fn stop_message(&mut self, channel: ChannelId) {
        let Some(extended) = &mut self.extended else {
            return;
        };
        if let Some(content) = extended.content.get_mut(&channel) {
            content.is_stopped = true;
            if let Some(credit) = &extended.credit {
                credit.stop_message(content.number);
            }
        }
    }

    /// Nothing more of a message arrives. Returns whether its sender was asked to stop.
    pub(super) fn on_content_over(&mut self, channel: ChannelId, is_aborted: bool) -> bool {
        let Some(extended) = &mut self.extended else {
            return false;
        };
        let Some(content) = extended.content.remove(&channel) else {
            return false;
        };
        if content.is_stopped || is_aborted {
            if let Some(credit) = &extended.credit {
                credit.over(content.number);
            }
        }
        if let Some(rest) = self.slots.get(channel).and_then(Slot::rest) {
            // What is unread waits for its readers.
            extended.unread.add(&rest.intake);
        }
        content.is_stopped
    }

    /// A second has passed. While content of this side waits for credit, moves what nobody takes to
    /// disk: its reader may be the one that waits, and the peer may wait for it in turn.
    // r[impl ext.spill]
    pub(super) fn relieve(&mut self) {
        let Some(extended) = &mut self.extended else {
            return;
        };
        if !self.shared.lock().transmissions.has_blocked() {
            return;
        }
        for intake in self.slots.intakes() {
            intake.spill_if_still();
        }
        for intake in extended.unread.all() {
            intake.spill_if_still();
        }
    }

    /// Content of a file or a stream was read. Returns what becomes of it, and whom to tell if it is
    /// dropped all the same.
    #[inline]
    pub(super) fn on_credited(
        &mut self,
        channel: ChannelId,
        part: Part,
        bytes: &[u8],
    ) -> Result<(Fate, Option<MessageCredit>), Verdict> {
        match &mut self.extended {
            None => Ok((Fate::Keep, None)),
            Some(_) => self.on_received(channel, part, bytes),
        }
    }

    fn on_received(
        &mut self,
        channel: ChannelId,
        part: Part,
        bytes: &[u8],
    ) -> Result<(Fate, Option<MessageCredit>), Verdict> {
        let Some(extended) = &mut self.extended else {
            return Ok((Fate::Keep, None));
        };
        let (Some(content), Some(credit)) = (extended.content.get(&channel), &extended.credit)
        else {
            return Ok((Fate::Keep, None));
        };
        let number = content.number;
        match credit.received(number, part, bytes.len() as u64) {
            Ok(fate) => Ok((fate, self.credit_of(number))),
            Err(violation) => {
                extended.violation = Some(violation);
                Err(Verdict::Break)
            }
        }
    }

    #[inline]
    pub(super) fn on_credited_end(&mut self, channel: ChannelId, part: Part) {
        if let Some(extended) = &self.extended {
            if let (Some(content), Some(credit)) =
                (extended.content.get(&channel), &extended.credit)
            {
                credit.end(content.number, part);
            }
        }
    }

    /// The decoder has dropped as much of files and streams so far.
    // r[impl ext.credit.dropped]
    #[inline]
    pub(crate) fn on_drained(&mut self, drained: u64) -> Result<(), Violation> {
        let before = self.extended.as_ref().map_or(0, |it| it.drained);
        if drained == before {
            return Ok(());
        }
        self.count_drained(drained)
    }

    #[inline(never)]
    fn count_drained(&mut self, drained: u64) -> Result<(), Violation> {
        if !self.shared.is_extended {
            return Ok(());
        }
        let extended = self.extended.get_or_insert_default();
        let before = std::mem::replace(&mut extended.drained, drained);
        let credit = extended.credit(&self.shared.options);
        credit.dropped(drained - before)
    }

    /// The peer grants credit, or wants less than is sent.
    pub(super) fn on_flow(&mut self, entries: FlowEntries<'_>) -> Verdict {
        let extended = self.extended.get_or_insert_default();
        let applied = self.shared.change(|state| state.on_flow(entries));
        let applied = match applied {
            Ok(applied) => applied,
            Err(violation) => {
                extended.violation = Some(violation);
                return Verdict::Break;
            }
        };
        let is_paid =
            (extended.entries_read).pay(applied.entries, applied.content_sent, applied.parts_begun);
        if !is_paid {
            let Rate { burst, per_second } = FREE_ENTRIES;
            self.abuse.exceed(LimitExceeded::Flow { burst, per_second });
        }
        self.abuse.on_useless(applied.useless);
        Verdict::Keep
    }

    /// Queues the credit that is due. Returns whether there was any. `is_idle`: the socket has nothing
    /// more to read.
    #[inline]
    pub(crate) fn grant(&mut self, is_idle: bool) -> bool {
        let Some(extended) = &self.extended else {
            return false;
        };
        let is_held = || is_idle && extended.held == Held::UntilIdle;
        (extended.has_grants() || is_held()) && self.write_grants(is_idle)
    }

    fn write_grants(&mut self, is_idle: bool) -> bool {
        let Some(extended) = &mut self.extended else {
            return false;
        };
        let Some(credit) = &extended.credit else {
            return false;
        };
        let pressure = self.shared.account.pressure();
        let round = Round { is_idle, pressure };
        extended.held = match credit.grant(round, &mut extended.entries) {
            false => Held::No,
            true if is_idle => Held::UntilMemory,
            true => Held::UntilIdle,
        };
        if extended.entries.is_empty() {
            return false;
        }
        let entries = extended.entries.drain(..);
        self.shared.lock().outbox.flow(entries);
        true
    }

    /// Whether credit is due that no round has written.
    #[inline]
    pub(crate) fn has_grants(&self) -> bool {
        self.extended.as_ref().is_some_and(|it| it.has_grants())
    }

    /// Whether credit waits for memory, so that this has to be looked at every second.
    pub(crate) fn has_held_grants(&self) -> bool {
        let extended = self.extended.as_ref();
        extended.is_some_and(|extended| extended.held == Held::UntilMemory)
    }

    /// Whether handlers have deadlines that are kept to the second.
    pub(crate) fn has_handler_deadlines(&self) -> bool {
        let extended = self.extended.as_ref();
        extended.is_some_and(|extended| extended.running.has_deadlines())
    }

    /// Ends messages whose deadlines have passed before they could begin.
    // r[impl ext.meta.deadline]
    fn end_overdue_unbegun(&mut self) {
        for request in self.queue.take_overdue() {
            self.end_unbegun(request.reply.number, request);
        }
        for channel in self.slots.overdue() {
            self.end_arriving(channel);
        }
        self.end_overdue_unjudged();
    }

    /// A second has passed.
    pub(super) fn end_overdue(&mut self) {
        if let Some(extended) = &mut self.extended {
            if extended.held == Held::UntilMemory {
                extended.held = Held::UntilIdle;
            }
            extended.running.on_tick();
        }
        if self.shared.is_extended {
            self.end_overdue_unbegun();
        }
    }
}

impl Extended {
    fn credit(&mut self, options: &Options) -> &Credit {
        self.credit.get_or_insert_with(|| {
            let settings = negotiated::settings(options);
            Arc::new(Credit::new(&settings, options))
        })
    }

    #[inline]
    fn has_grants(&self) -> bool {
        self.credit.as_ref().is_some_and(|credit| credit.is_due())
    }

    /// Whether nothing is noted here.
    pub(super) fn is_blank(&self) -> bool {
        let Self {
            metadata,
            described,
            retry,
            status,
            running,
            violation,
            credit,
            content: _,
            drained: _,
            entries: _,
            held: _,
            entries_read,
            unread: _,
        } = self;
        // What is not looked at needs credit.
        let has_messages = running.is_empty() && described.is_empty() && status.is_none();
        let is_counting = credit.is_some() || !entries_read.is_blank() || metadata.has_names();
        has_messages && !is_counting && retry.is_none() && violation.is_none()
    }

    #[cold]
    #[inline(never)]
    fn take_said(&mut self, number: u64) -> Said {
        self.described.remove(&number).unwrap_or_default()
    }
}

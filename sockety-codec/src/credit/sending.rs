use super::line::Line;
use super::numbers::{self, Messages};
use super::parts::{Known, Parts};
use crate::{FileIndex, FlowEntry, Part, Violation};

/// The credit of the content that one side sends.
///
/// Until [`open`](Self::open) there is none.
#[derive(Debug, Default)]
pub struct Sending {
    /// Bytes of a message beyond the limits of its parts.
    window: u64,
    /// What `total` may reach.
    limit: u64,
    /// Content so far, without lifelines.
    total: u64,
    messages: Messages<Message>,
    /// Parts that were blocked by their message, or have not begun, and may send now.
    ready: Line,
    /// Parts that wait until the limit of the connection grows.
    waiting: Line,
    /// Parts that the last Flow packet named and that are in `waiting`, last first.
    named: Vec<(u64, Part)>,
}

/// Why nothing can be sent of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// The window of its message and its own limit are used up.
    Message,
    /// The limit of the connection is used up, or the peer's Settings were not read yet.
    Connection,
    /// The part has ended or was stopped, or its message is over: there will never be credit.
    Over,
}

/// What a Flow entry has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Credit has grown.
    Grown,
    /// Nothing, as it was about something that is over. It may have been under way when that ended.
    Over,
    /// Nothing, as it said nothing new. A peer has no reason to send it.
    Useless,
    /// The part is not wanted any more: its end is to be sent at once.
    Stop,
    /// The message is not wanted any more: it is to be aborted, or completed if all of its packets are
    /// waiting to be written.
    StopMessage,
}

#[derive(Debug)]
struct Message {
    /// Bytes beyond the limits of their parts.
    used: u64,
    /// Parts that have not ended.
    open: u32,
    /// Parts that are blocked by this message.
    blocked: u32,
    is_stopped: bool,
    parts: Parts<Sent>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    sent: u64,
    limit: u64,
    /// Bytes below this position do not count to the limit of the connection.
    free: u64,
    has_ended: bool,
    is_stopped: bool,
    blocked: Option<Blocked>,
    /// Whether it is in the line of the same name.
    is_ready: bool,
    is_waiting: bool,
}

impl Sent {
    /// Bytes beyond the limit. A part that was stopped gets no credit any more, and counts no more.
    // r[impl ext.credit.message]
    #[inline]
    fn used(&self) -> u64 {
        if self.is_stopped {
            0
        } else {
            self.sent.saturating_sub(self.limit)
        }
    }

    fn is_over(&self) -> bool {
        self.has_ended || self.is_stopped
    }
}

impl Message {
    /// Changes a record, and the sum over all records with it.
    #[inline]
    fn change<T>(used: &mut u64, record: &mut Sent, change: impl FnOnce(&mut Sent) -> T) -> T {
        let before = record.used();
        let result = change(record);
        *used = used.saturating_sub(before).saturating_add(record.used());
        result
    }

    /// What a part may send as far as its message is concerned.
    #[inline]
    fn own(&self, window: u64, record: &Sent) -> u64 {
        let beyond = window.saturating_sub(self.used);
        let below = record.limit.saturating_sub(record.sent);
        below.saturating_add(beyond)
    }

    fn unblock(&mut self, part: Part) {
        if let Some(record) = self.parts.existing(part) {
            if record.blocked.take() == Some(Blocked::Message) {
                self.blocked = self.blocked.saturating_sub(1);
            }
        }
    }

    /// Removes records that no entry can change any more.
    fn settle(&mut self) {
        while self
            .parts
            .pop(|record| record.has_ended && record.used() == 0)
            .is_some()
        {}
    }
}

impl Sending {
    /// Takes the windows that the peer's Settings announce: `message` bytes of each message beyond the
    /// limits of its parts, and `connection` bytes of content before its first connection credit.
    ///
    /// Then [`next_ready`](Self::next_ready) returns the parts that have waited for it.
    pub fn open(&mut self, message: u64, connection: u64) {
        self.window = message;
        self.limit = self.limit.max(connection);
    }

    /// A message or response was begun. Nothing is kept of one without files and without a stream.
    pub fn begin(&mut self, number: u64, has_stream: bool, files: u32) {
        let parts = Parts::new(has_stream, files);
        let open = parts.number();
        if open > 0 {
            let message = Message {
                used: 0,
                open,
                blocked: 0,
                is_stopped: false,
                parts,
            };
            self.messages.insert(number, Box::new(message));
        }
    }

    /// Bytes of a part that may be sent now, to the last one: packets are cut to fit. Zero if it is
    /// blocked or over.
    // r[impl ext.credit.exact]
    #[inline]
    pub fn credit(&self, number: u64, part: Part) -> u64 {
        let Some(message) = self.messages.get(&number) else {
            return 0;
        };
        match message.parts.get(part) {
            Some(record) if !record.is_over() && !message.is_stopped => {
                let own = message.own(self.window, &record);
                own.min(self.all(&record))
            }
            _ => 0,
        }
    }

    /// What a part may send as far as the connection is concerned.
    // r[impl ext.credit.connection]
    #[inline]
    fn all(&self, record: &Sent) -> u64 {
        let free = record.free.saturating_sub(record.sent);
        let counted = self.limit.saturating_sub(self.total);
        free.saturating_add(counted)
    }

    /// Like [`credit`](Self::credit), at least 1. A part that is blocked instead is remembered:
    /// [`next_ready`](Self::next_ready) returns it when it may send, and until then it needs no turn.
    ///
    /// # Errors
    ///
    /// Why nothing may be sent.
    pub fn may_send(&mut self, number: u64, part: Part) -> Result<u64, Blocked> {
        let credit = self.credit(number, part);
        if credit > 0 {
            return Ok(credit);
        }
        self.block(number, part)
    }

    #[cold]
    fn block(&mut self, number: u64, part: Part) -> Result<u64, Blocked> {
        let Some(message) = self.messages.get_mut(&number) else {
            return Err(Blocked::Over);
        };
        let Known::Record(record) = message.parts.use_of(part) else {
            return Err(Blocked::Over);
        };
        if record.is_over() || message.is_stopped {
            return Err(Blocked::Over);
        }
        let record = *record;
        // Before the Settings, both windows are zero.
        let is_open = self.limit > 0;
        let blocked = if is_open && message.own(self.window, &record) == 0 {
            Blocked::Message
        } else {
            Blocked::Connection
        };
        message.unblock(part);
        if let Some(record) = message.parts.existing(part) {
            record.blocked = Some(blocked);
            if blocked == Blocked::Message {
                message.blocked = message.blocked.saturating_add(1);
            } else if !core::mem::replace(&mut record.is_waiting, true) {
                let messages = &self.messages;
                self.waiting.push((number, Some(part)), |place| {
                    record_of(messages, place).is_some_and(|it| it.is_waiting)
                });
            }
        }
        Err(blocked)
    }

    /// What blocks a part since it asked for credit in vain.
    pub fn blocked(&self, number: u64, part: Part) -> Option<Blocked> {
        let message = self.messages.get(&number)?;
        if message.is_stopped {
            return None;
        }
        message.parts.get(part)?.blocked
    }

    /// Content of a part was written.
    pub fn sent(&mut self, number: u64, part: Part, bytes: u64) {
        let Some(message) = self.messages.get_mut(&number) else {
            self.total = self.total.saturating_add(bytes);
            return;
        };
        let Known::Record(record) = message.parts.use_of(part) else {
            self.total = self.total.saturating_add(bytes);
            return;
        };
        // r[impl ext.credit.lifeline]
        let free = record.free.saturating_sub(record.sent).min(bytes);
        self.total = self.total.saturating_add(bytes.saturating_sub(free));
        let was_blocked = record.blocked.is_some();
        Message::change(&mut message.used, record, |record| {
            record.sent = record.sent.saturating_add(bytes);
        });
        if was_blocked {
            message.unblock(part);
        }
    }

    /// The end of a part was written.
    pub fn end(&mut self, number: u64, part: Part) {
        let Some(message) = self.messages.get_mut(&number) else {
            return;
        };
        message.unblock(part);
        let Known::Record(record) = message.parts.use_of(part) else {
            return;
        };
        if core::mem::replace(&mut record.has_ended, true) {
            return;
        }
        message.open = message.open.saturating_sub(1);
        if message.open == 0 {
            self.over(number);
        } else {
            message.settle();
        }
    }

    /// A message was aborted. What it has sent still counts to the limit of the connection: the peer
    /// grants it anew when it has dropped it.
    // r[impl ext.credit.dropped]
    pub fn over(&mut self, number: u64) {
        numbers::remove(&mut self.messages, number);
    }

    /// A Flow packet begins. Of the parts that wait for the limit of the connection, those that it
    /// names go first.
    // r[impl ext.credit.named]
    pub fn packet(&mut self) {
        self.named.clear();
    }

    /// Applies an entry of a Flow packet.
    ///
    /// # Errors
    ///
    /// [`Violation::FlowPart`] if the message has no such part; [`Violation::FlowFileOpen`] if files
    /// are released that have not ended.
    pub fn apply(&mut self, entry: FlowEntry) -> Result<Effect, Violation> {
        match entry {
            FlowEntry::Part {
                number,
                part,
                limit,
                lifeline,
            } => self.grow(number, part, limit, lifeline),
            FlowEntry::FilesBelow { number, index } => self.release(number, index),
            // r[impl ext.credit.grows]
            FlowEntry::Connection { limit } if limit <= self.limit => Ok(Effect::Useless),
            FlowEntry::Connection { limit } => {
                self.limit = limit;
                Ok(Effect::Grown)
            }
            FlowEntry::Stop {
                number,
                part: Some(part),
            } => self.stop(number, part),
            FlowEntry::Stop { number, part: None } => Ok(self.stop_message(number)),
        }
    }

    // r[impl ext.credit.grows]
    fn grow(
        &mut self,
        number: u64,
        part: Part,
        limit: u64,
        lifeline: bool,
    ) -> Result<Effect, Violation> {
        let Some(message) = self.messages.get_mut(&number) else {
            return Ok(Effect::Over);
        };
        let record = match message.parts.use_of(part) {
            Known::Record(record) => record,
            // It had ended, which the peer may not have read yet, and needed no more credit.
            Known::Gone => return Ok(Effect::Over),
            Known::Unannounced => return Err(Violation::FlowPart { number, part }),
        };
        let grows = limit > record.limit || (lifeline && limit > record.free);
        if !grows {
            return Ok(Effect::Useless);
        }
        Message::change(&mut message.used, record, |record| {
            record.limit = record.limit.max(limit);
            if lifeline {
                record.free = record.free.max(limit);
            }
        });
        let record = *record;
        message.settle();
        if !record.is_over() {
            self.name(number, part, &record);
        }
        self.offer_blocked(number);
        Ok(Effect::Grown)
    }

    /// A part got credit of its own: it goes before others.
    fn name(&mut self, number: u64, part: Part, record: &Sent) {
        // One that has not begun is offered too: its sender may not have reached it yet.
        if record.blocked.is_none() && record.sent > 0 {
            return;
        }
        match self.may_send(number, part) {
            Ok(_) => self.offer(number, part),
            Err(Blocked::Connection) if self.named.len() < NAMED => {
                self.named.push((number, part));
            }
            Err(_) => {}
        }
    }

    // r[impl ext.credit.enough]
    fn release(&mut self, number: u64, index: FileIndex) -> Result<Effect, Violation> {
        let Some(message) = self.messages.get_mut(&number) else {
            return Ok(Effect::Over);
        };
        if index.get() > message.parts.files() {
            let part = Part::File(index);
            return Err(Violation::FlowPart { number, part });
        }
        if index.get() <= message.parts.first() {
            return Ok(Effect::Useless);
        }
        while message.parts.first() < index.get() {
            let Some(record) = message.parts.pop(|record| record.has_ended) else {
                let index = FileIndex::from_low_bits(message.parts.first());
                return Err(Violation::FlowFileOpen { number, index });
            };
            message.used = message.used.saturating_sub(record.used());
        }
        message.settle();
        self.offer_blocked(number);
        Ok(Effect::Grown)
    }

    // r[impl ext.stop]
    fn stop(&mut self, number: u64, part: Part) -> Result<Effect, Violation> {
        let Some(message) = self.messages.get_mut(&number) else {
            return Ok(Effect::Over);
        };
        let record = match message.parts.use_of(part) {
            Known::Record(record) => record,
            Known::Gone => return Ok(Effect::Over),
            Known::Unannounced => return Err(Violation::FlowPart { number, part }),
        };
        // r[impl ext.stop.once]
        if record.is_stopped {
            return Ok(Effect::Useless);
        }
        // Also if it has ended: its receiver sends no credit for it any more, and the others of its
        // message would wait for that.
        Message::change(&mut message.used, record, |record| record.is_stopped = true);
        let has_ended = record.has_ended;
        message.unblock(part);
        message.settle();
        self.offer_blocked(number);
        Ok(if has_ended {
            Effect::Over
        } else {
            Effect::Stop
        })
    }

    fn stop_message(&mut self, number: u64) -> Effect {
        let Some(message) = self.messages.get_mut(&number) else {
            return Effect::Over;
        };
        if core::mem::replace(&mut message.is_stopped, true) {
            return Effect::Useless;
        }
        Effect::StopMessage
    }

    /// Offers the parts that their message has blocked, if it blocks them no more.
    fn offer_blocked(&mut self, number: u64) {
        let Some(message) = self.messages.get_mut(&number) else {
            return;
        };
        if message.blocked == 0 || message.used >= self.window {
            return;
        }
        let mut left = message.blocked;
        let mut parts = Vec::new();
        // The last files first: those that have ended come before those that are blocked.
        for (part, record) in message.parts.records().rev() {
            if record.blocked == Some(Blocked::Message) {
                parts.push(part);
                left = left.saturating_sub(1);
                if left == 0 {
                    break;
                }
            }
        }
        for part in parts.into_iter().rev() {
            self.offer(number, part);
        }
    }

    fn offer(&mut self, number: u64, part: Part) {
        let record = self
            .messages
            .get_mut(&number)
            .and_then(|message| message.parts.existing(part));
        let Some(record) = record else { return };
        if core::mem::replace(&mut record.is_ready, true) {
            return;
        }
        let messages = &self.messages;
        self.ready.push((number, Some(part)), |place| {
            record_of(messages, place).is_some_and(|it| it.is_ready)
        });
    }

    /// Whether [`next_ready`](Self::next_ready) may return a part.
    #[inline]
    pub fn has_ready(&self) -> bool {
        let is_waiting = !self.named.is_empty() || !self.waiting.is_empty();
        !self.ready.is_empty() || (is_waiting && self.total < self.limit)
    }

    /// The next part that may be sent since it asked in vain, or since it got credit before it had begun.
    ///
    /// Call this for each packet that there is room for, before parts that were not blocked have their
    /// turn: those that wait for the connection are returned one at a time while it has credit.
    /// A part may be returned that has nothing to send, or that has its turn already.
    pub fn next_ready(&mut self) -> Option<(u64, Part)> {
        while let Some(place) = self.ready.pop() {
            if let Some(record) = self.record(place) {
                record.is_ready = false;
            }
            if let Some(part) = self.try_again(place) {
                return Some(part);
            }
        }
        while self.total < self.limit {
            let place = match self.named.pop() {
                Some((number, part)) => (number, Some(part)),
                None => {
                    let place = self.waiting.pop()?;
                    if let Some(record) = self.record(place) {
                        record.is_waiting = false;
                    }
                    place
                }
            };
            let is_blocked = self
                .record(place)
                .is_some_and(|record| record.blocked == Some(Blocked::Connection));
            if is_blocked {
                if let Some(part) = self.try_again(place) {
                    return Some(part);
                }
            }
        }
        None
    }

    /// Returns a part if it may be sent; one that is blocked anew is remembered.
    fn try_again(&mut self, place: (u64, Option<Part>)) -> Option<(u64, Part)> {
        let (number, part) = (place.0, place.1?);
        self.may_send(number, part).ok()?;
        self.messages.get_mut(&number)?.unblock(part);
        Some((number, part))
    }

    fn record(&mut self, (number, part): (u64, Option<Part>)) -> Option<&mut Sent> {
        self.messages.get_mut(&number)?.parts.existing(part?)
    }

    /// Content so far that counts to the limit of the connection, in bytes.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What [`total`](Self::total) may reach, in bytes.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// What is used of the window of a message.
    #[cfg(test)]
    pub(super) fn used(&self, number: u64) -> Option<u64> {
        Some(self.messages.get(&number)?.used)
    }

    /// Bytes of a message, and of each of its parts that has begun.
    #[cfg(test)]
    pub(super) const SIZES: (usize, usize) = (size_of::<Message>(), size_of::<Sent>());

    /// Messages, parts with records, and entries of lines.
    #[cfg(test)]
    pub(super) fn kept(&self) -> (usize, usize, usize) {
        let records = self.messages.values().map(|it| it.parts.records().count());
        let lines = self.ready.len() + self.waiting.len() + self.named.len();
        (self.messages.len(), records.sum(), lines)
    }
}

/// More entries than fit into a Flow packet.
const NAMED: usize = 1_024;

fn record_of(messages: &Messages<Message>, (number, part): (u64, Option<Part>)) -> Option<Sent> {
    messages.get(&number)?.parts.get(part?)
}

use super::LIFELINE;
use super::line::{Line, Place};
use super::numbers::{self, Messages};
use super::parts::Parts;
use crate::uint::U48_MAX;
use crate::{FileIndex, FilesSummary, FlowEntry, Part, Violation};

/// What one side grants for the content that it receives.
///
/// Methods that return a `bool` return whether an entry is due: the driver must be woken then, unless
/// it is the caller. [`due`](Self::due) returns the entries.
#[derive(Debug)]
pub struct Receiving {
    windows: Windows,
    /// Content so far, without lifelines.
    total: u64,
    /// What `total` may reach: the largest limit that was sent.
    limit: u64,
    /// Content that no reader has taken, lifelines included.
    unread: u64,
    messages: Messages<Message>,
    /// Parts for which something may be due.
    touched: Line,
    /// Messages for which something may be due. They come after parts, so that an entry for one part is
    /// not followed by another one for all.
    touched_whole: Line,
    /// Those for which it will be, in a round that allows it.
    held: Line,
    /// Parts whose reader waits, without a lifeline. They are due when the connection has no credit.
    starving: Line,
}

/// How much a side lets the other send before its readers have taken it, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// The content of a message beyond the limits of its parts, as Settings announce it.
    pub message: u64,
    /// The same with what the limits of its parts are ahead of their readers. It grows from `message`
    /// to this while the reader is faster than credit arrives. No growth if it is less.
    pub message_max: u64,
    /// The content of all messages, as Settings announce it.
    pub connection: u64,
}

/// What is to happen with content that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It waits for its reader.
    Keep,
    /// It will not be read. It was counted as taken.
    Drop,
}

/// The state of the connection when entries are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// The socket has nothing more to read, so that a reader who waits does so for the peer.
    pub is_idle: bool,
    /// What is unread on all connections, in relation to the limit for that.
    pub pressure: Pressure,
}

/// How much of the memory for unread content is in use, all connections together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// Up to half. Windows may grow.
    Low,
    /// Above half. Windows shrink to what Settings announce.
    High,
    /// All of it. Credit is granted only to readers that wait.
    Exhausted,
}

#[derive(Debug)]
struct Message {
    sums: Sums,
    /// What the files whose records have gone are beyond their limits: their bytes in `sums.used`.
    read: u64,
    /// Bytes of its files that are still to come, or more if files are shorter than announced.
    to_come: u64,
    /// Parts that have not ended.
    open: u32,
    /// Parts whose reader waits.
    waiting: u32,
    stop: Stop,
    lines: Lines,
    /// Whether credit is being written for all parts; it goes on at `cursor`.
    is_releasing: bool,
    /// 0 for the stream, then the files.
    cursor: u32,
    parts: Parts<Received>,
}

/// Sums over the parts of a message, of which those whose sender was asked to stop have only what is
/// unread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    /// Bytes received beyond the limit.
    used: u64,
    /// Bytes received beyond the limit that the sender is known to have had, those of files whose
    /// records have gone included.
    known: u64,
    /// Bytes taken beyond the limit: what credit would release.
    owed: u64,
    unread: u64,
    /// Bytes that readers have not taken and that do not count to the window: as many as limits are, or
    /// may be, ahead of readers.
    ahead: u64,
}

/// Whether the sender of a message is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    No,
    Due,
    Sent,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// Its reader was dropped, and its sender is to be told. Until then it counts: if it ends before,
    /// its sender is never told.
    StopDue,
    Stopped,
    /// All of it has arrived.
    Ended,
    /// It was stopped, and has ended.
    Gone,
}

#[derive(Clone, Copy, Debug, Default)]
struct Received {
    received: u64,
    /// The largest limit that was sent.
    limit: u64,
    /// The largest limit that the sender is known to have had.
    known: u64,
    unread: u32,
    /// By how much limits are ahead of the reader.
    extra: u32,
    /// Bytes of the lifeline that have not arrived.
    lifeline: u16,
    state: State,
    /// Whether its reader has found nothing to read.
    is_waiting: bool,
    /// Whether `extra` has grown since `known` changed.
    has_grown: bool,
    lines: Lines,
}

/// In which lines a part or a message is.
#[derive(Clone, Copy, Debug, Default)]
struct Lines {
    touched: bool,
    held: bool,
    starving: bool,
}

/// What a touched part or message is due for.
enum Visit {
    Entry(FlowEntry),
    /// Nothing more.
    Done,
    /// Something that this round does not allow.
    Hold,
}

impl Received {
    fn taken(&self) -> u64 {
        self.received.saturating_sub(self.unread.into())
    }

    /// Whether it counts to the window of its message.
    fn counts(&self) -> bool {
        matches!(self.state, State::Open | State::StopDue | State::Ended)
    }

    /// What it adds to the sums of its message.
    #[inline]
    fn sums(&self) -> Sums {
        if !self.counts() {
            return Sums {
                unread: self.unread.into(),
                ..Sums::default()
            };
        }
        let taken = self.taken();
        Sums {
            used: self.received.saturating_sub(self.limit),
            known: self.received.saturating_sub(self.known),
            owed: taken.saturating_sub(self.limit),
            unread: self.unread.into(),
            ahead: if self.state == State::Open {
                self.limit.saturating_sub(taken).max(self.extra.into())
            } else {
                // All of it has arrived, or will be dropped.
                self.limit.min(self.received).saturating_sub(taken)
            },
        }
    }

    /// Whether nothing more will arrive or be taken.
    fn is_done(&self) -> bool {
        matches!(self.state, State::Ended | State::Gone) && self.unread == 0
    }

    /// Whether its reader waits for bytes of the sender.
    fn is_starved(&self) -> bool {
        self.is_waiting && self.unread == 0 && self.state == State::Open
    }

    /// Doubles its window, as far as the other parts of its message leave room. Returns whether it grew.
    // r[impl ext.credit.growth]
    fn grow(&mut self, windows: Windows, others: u64) -> bool {
        self.has_grown = true;
        let twice = windows.with(self.extra).saturating_mul(2);
        let window = twice.min(windows.message_max).saturating_sub(others);
        let extra = narrow(window.saturating_sub(windows.message));
        let grows = extra > self.extra;
        self.extra = self.extra.max(extra);
        grows
    }

    /// What its limit can be raised to.
    fn target(&self) -> u64 {
        let extra = if self.state == State::Open {
            self.extra
        } else {
            0
        };
        self.taken().saturating_add(extra.into()).min(U48_MAX)
    }

    /// By how much its limit can be raised. There is no more credit for a part that is to stop.
    fn rise(&self) -> u64 {
        if matches!(self.state, State::Open | State::Ended) {
            self.target().saturating_sub(self.limit)
        } else {
            0
        }
    }
}

impl Message {
    /// Changes a record, and the sums over all records with it.
    #[inline]
    fn change<T>(
        sums: &mut Sums,
        record: &mut Received,
        change: impl FnOnce(&mut Received) -> T,
    ) -> T {
        let before = record.sums();
        let result = change(record);
        let after = record.sums();
        // Exact: what is subtracted was added before. This runs twice for each packet.
        let replace = |sum: &mut u64, before: u64, after: u64| {
            *sum = sum.wrapping_sub(before).wrapping_add(after);
        };
        replace(&mut sums.used, before.used, after.used);
        replace(&mut sums.known, before.known, after.known);
        replace(&mut sums.owed, before.owed, after.owed);
        replace(&mut sums.unread, before.unread, after.unread);
        replace(&mut sums.ahead, before.ahead, after.ahead);
        result
    }

    /// The sender has used limits beyond the known ones, so it has had them all.
    fn know_limits(&mut self) {
        for record in self.parts.records_mut() {
            record.known = record.limit;
            record.has_grown = false;
        }
        self.sums.known = self.sums.used;
    }

    /// Whether the sender needs no more credit for what is still to come. `own` is what it can send of
    /// the part in question.
    // r[impl ext.credit.enough]
    fn is_covered(&self, window: u64, own: u64) -> bool {
        let has_stream = self
            .parts
            .stream()
            .is_some_and(|stream| stream.state == State::Open);
        let beyond = window.saturating_sub(self.sums.used);
        let is_last = self.open == 1;
        !has_stream && (self.to_come <= beyond || (is_last && self.to_come <= own))
    }

    /// Removes the records of leading files that are done, and remembers what they have used.
    fn settle(&mut self) {
        while let Some(record) = self.parts.pop(Received::is_done) {
            self.read = self.read.saturating_add(record.sums().used);
        }
    }

    /// Whether its readers have taken enough to release it for all parts.
    // r[impl ext.credit.when]
    fn owes(&self, window: u64) -> bool {
        self.open > 0 && self.sums.owed >= window.div_ceil(2) && !self.is_covered(window, 0)
    }

    /// The next entry that releases what readers have taken. Few bytes of a part that goes on wait for
    /// more of them, so that each entry is paid for by content, or by the end of a part.
    fn release(&mut self, number: u64, window: u64) -> Option<FlowEntry> {
        if self.is_covered(window, 0) {
            return None;
        }
        // r[impl ext.credit.enough]
        if self.read > 0 {
            self.sums.used = self.sums.used.saturating_sub(self.read);
            self.sums.owed = self.sums.owed.saturating_sub(self.read);
            self.read = 0;
            let index = FileIndex::from_low_bits(self.parts.first());
            return Some(FlowEntry::FilesBelow { number, index });
        }
        while self.cursor <= self.parts.unused() {
            let part = match self.cursor.checked_sub(1) {
                None => Part::Stream,
                Some(index) => Part::File(FileIndex::from_low_bits(index)),
            };
            let next = self.cursor.saturating_add(1);
            // Over the files whose records have gone.
            self.cursor = next.max(self.parts.first().saturating_add(1));
            let Some(record) = self.parts.existing(part) else {
                continue;
            };
            if record.rise() >= LIFELINE / 2 || (record.rise() > 0 && record.is_done()) {
                let limit = record.target();
                Self::change(&mut self.sums, record, |record| record.limit = limit);
                return Some(FlowEntry::Part {
                    number,
                    part,
                    limit,
                    lifeline: false,
                });
            }
        }
        None
    }

    /// Parts whose reader waits while the sender is as far as it was known to be allowed.
    fn at_edge(&self, window: u64) -> Vec<Part> {
        if self.waiting == 0 || self.sums.known < window {
            return Vec::new();
        }
        self.parts
            .records()
            .filter(|(_, record)| record.is_starved() && record.received >= record.known)
            .map(|(part, _)| part)
            .collect()
    }

    fn rest(&mut self, part: Part) {
        if let Some(record) = self.parts.existing(part) {
            if core::mem::take(&mut record.is_waiting) {
                self.waiting = self.waiting.saturating_sub(1);
            }
        }
    }

    fn is_over(&self) -> bool {
        self.open == 0 && self.sums.unread == 0
    }
}

impl Windows {
    const MESSAGE_MAX: u64 = 1 << 31;
    const CONNECTION_MAX: u64 = 1 << 40;

    fn within_range(self) -> Self {
        Self {
            message: self.message.clamp(1, Self::MESSAGE_MAX),
            message_max: self.message_max.min(Self::MESSAGE_MAX),
            connection: self.connection.clamp(1, Self::CONNECTION_MAX),
        }
    }

    /// The window of a part that is ahead of its reader by `extra`.
    fn with(&self, extra: u32) -> u64 {
        self.message.saturating_add(extra.into())
    }

    /// By how much the limit of a part has to rise to be worth an entry.
    // r[impl ext.credit.when]
    fn step(&self, extra: u32) -> u64 {
        (self.with(extra) / 8).max(self.half())
    }

    fn half(&self) -> u64 {
        self.message.div_ceil(2)
    }
}

impl Receiving {
    /// Windows are those that our Settings announce: 1 to 2^31 bytes of a message, 1 to 2^40 of the
    /// connection. Others are cut to that.
    pub fn new(windows: Windows) -> Self {
        let windows = windows.within_range();
        Self {
            windows,
            total: 0,
            limit: windows.connection,
            unread: 0,
            messages: Messages::default(),
            touched: Line::default(),
            touched_whole: Line::default(),
            held: Line::default(),
            starving: Line::default(),
        }
    }

    /// A message or response begins. Nothing is kept of one without files and without a stream.
    pub fn begin(&mut self, number: u64, has_stream: bool, files: FilesSummary) {
        let parts = Parts::new(has_stream, files.count);
        let open = parts.number();
        if open == 0 {
            return;
        }
        let message = Message {
            sums: Sums::default(),
            read: 0,
            to_come: files.total_size,
            open,
            waiting: 0,
            stop: Stop::No,
            lines: Lines::default(),
            is_releasing: false,
            cursor: 0,
            parts,
        };
        self.messages.insert(number, Box::new(message));
    }

    /// Content of a part was read from the socket. To be called before a reader can take it.
    ///
    /// # Errors
    ///
    /// [`Violation::MessageCredit`] or [`Violation::ConnectionCredit`] if the peer was not allowed to
    /// send it.
    pub fn received(&mut self, number: u64, part: Part, bytes: u64) -> Result<Fate, Violation> {
        let Some(message) = self.messages.get_mut(&number) else {
            return self.count(bytes);
        };
        let is_wanted = message.stop == Stop::No;
        let record = if is_wanted {
            message.parts.use_of(part).record()
        } else {
            // No records are made for a message that nobody reads.
            message.parts.existing(part)
        };
        let Some(record) = record else {
            return self.count(bytes);
        };
        if matches!(part, Part::File(_)) {
            message.to_come = message.to_come.saturating_sub(bytes);
        }
        // r[impl ext.credit.lifeline]
        let free = u64::from(record.lifeline).min(bytes);
        record.lifeline = record.lifeline.saturating_sub(short(free));
        // r[impl ext.credit.check]
        if !is_wanted || !record.counts() {
            record.received = record.received.saturating_add(bytes);
            return self.count(bytes.saturating_sub(free));
        }
        // r[impl ext.credit.dropped]
        let kept = if record.state == State::Open {
            bytes
        } else {
            0
        };
        let before = message.sums;
        Message::change(&mut message.sums, record, |record| {
            record.received = record.received.saturating_add(bytes);
            record.unread = record.unread.saturating_add(narrow(kept));
        });
        let sums = message.sums;
        let window = self.windows.message;
        // r[impl ext.credit.message]
        if sums.used > window {
            let used = sums.used;
            return Err(Violation::MessageCredit {
                number,
                used,
                window,
            });
        }
        if sums.known > window {
            message.know_limits();
        }
        // Other parts of this message may be blocked now while their readers wait.
        let is_at_edge = sums.known > before.known && message.sums.known >= window;
        let touches = message.waiting > 0 && is_at_edge;
        self.unread = self.unread.saturating_add(kept);
        self.count(bytes.saturating_sub(free))?;
        if touches {
            self.touch((number, None));
        }
        Ok(if kept == bytes {
            Fate::Keep
        } else {
            Fate::Drop
        })
    }

    /// Counts content to the limit of the connection, with the limits that were sent: the sender knew no
    /// larger ones.
    // r[impl ext.credit.connection]
    // r[impl ext.credit.check]
    fn count(&mut self, bytes: u64) -> Result<Fate, Violation> {
        self.total = self.total.saturating_add(bytes);
        if self.total > self.limit {
            return Err(Violation::ConnectionCredit {
                total: self.total,
                limit: self.limit,
            });
        }
        Ok(Fate::Drop)
    }

    /// Content was dropped before anybody saw it, because its message was refused.
    ///
    /// # Errors
    ///
    /// [`Violation::ConnectionCredit`] if the peer was not allowed to send it.
    // r[impl ext.credit.dropped]
    pub fn dropped(&mut self, bytes: u64) -> Result<(), Violation> {
        self.count(bytes).map(|_| ())
    }

    /// A reader took content of a part. It does not wait any more.
    pub fn taken(&mut self, number: u64, part: Part, bytes: u64) -> bool {
        let windows = self.windows;
        let Some(message) = self.messages.get_mut(&number) else {
            return self.is_due();
        };
        let is_wanted = message.stop == Stop::No;
        message.rest(part);
        let Some(record) = message.parts.existing(part) else {
            return self.is_due();
        };
        let bytes = bytes.min(record.unread.into());
        Message::change(&mut message.sums, record, |record| {
            record.unread = record.unread.saturating_sub(narrow(bytes));
        });
        // r[impl ext.credit.wakes]
        let rises = record.state == State::Open && record.rise() >= windows.step(record.extra);
        if record.is_done() {
            message.settle();
        }
        let is_due = is_wanted && rises && !message.is_covered(windows.message, 0);
        let owes = is_wanted && message.owes(windows.message);
        let is_over = message.is_over();
        self.unread = self.unread.saturating_sub(bytes);
        if is_due {
            self.touch((number, Some(part)));
        }
        if owes {
            self.touch((number, None));
        }
        if is_over {
            numbers::remove(&mut self.messages, number);
        }
        self.is_due()
    }

    /// A message that was not stopped.
    fn wanted(&mut self, number: u64) -> Option<&mut Message> {
        let message = self.messages.get_mut(&number)?;
        (message.stop == Stop::No).then_some(message)
    }

    /// The reader of a part has found nothing to read, and waits until content or the end arrives. For
    /// credit, it waits until [`taken`](Self::taken), [`stop`](Self::stop) or [`end`](Self::end).
    pub fn waits(&mut self, number: u64, part: Part) -> bool {
        let window = self.windows.message;
        let Some(message) = self.wanted(number) else {
            return self.is_due();
        };
        let known = message.sums.known;
        let Some(record) = message.parts.use_of(part).record() else {
            return self.is_due();
        };
        if !core::mem::replace(&mut record.is_waiting, true) {
            message.waiting = message.waiting.saturating_add(1);
        }
        let record = *record;
        if record.is_starved() {
            // r[impl ext.credit.wakes]
            let is_at_edge = known >= window && record.received >= record.known;
            if is_at_edge && !message.is_covered(window, 0) {
                self.touch((number, Some(part)));
            }
            if record.lifeline == 0 {
                self.starve((number, Some(part)));
            }
        }
        self.is_due()
    }

    /// The reader of a part was dropped. What is unread counts as taken, and so will what arrives. If the
    /// part has not ended, its sender is asked to stop it.
    // r[impl ext.credit.dropped]
    pub fn stop(&mut self, number: u64, part: Part) -> bool {
        self.refuse(number, part);
        self.taken(number, part, u64::MAX)
    }

    /// Nobody wants what still comes of a part, which will count as taken; what is unread may still be
    /// read. If the part has not ended, its sender is asked to stop it.
    pub fn refuse(&mut self, number: u64, part: Part) -> bool {
        let window = self.windows.message;
        let message = self.wanted(number);
        // Of a message that was aborted, parts that have not begun have not ended either.
        let Some(message) = message.filter(|message| message.open > 0) else {
            return self.is_due();
        };
        message.rest(part);
        let Some(record) = message.parts.use_of(part).record() else {
            return self.is_due();
        };
        let is_open = record.state == State::Open;
        if is_open {
            Message::change(&mut message.sums, record, |record| {
                record.state = State::StopDue;
            });
        }
        let owes = message.owes(window);
        if is_open {
            self.touch((number, Some(part)));
        }
        if owes {
            self.touch((number, None));
        }
        self.is_due()
    }

    /// Nobody wants what still comes of a message, which will count as taken: it was refused, or is
    /// lost. What is unread counts until its readers have taken it, or are dropped. If it has not
    /// ended, its sender is asked to stop all of it.
    // r[impl ext.credit.dropped]
    pub fn stop_message(&mut self, number: u64) -> bool {
        let Some(message) = self.wanted(number) else {
            return self.is_due();
        };
        message.stop = Stop::Due;
        if message.open > 0 {
            self.touch((number, None));
        }
        self.is_due()
    }

    /// The end of a part was read from the socket. Its reader does not wait any more.
    pub fn end(&mut self, number: u64, part: Part) {
        let Some(message) = self.messages.get_mut(&number) else {
            return;
        };
        if message.stop == Stop::No {
            message.rest(part);
            let Some(record) = message.parts.use_of(part).record() else {
                return;
            };
            let state = match record.state {
                State::Open | State::StopDue => State::Ended,
                State::Stopped => State::Gone,
                State::Ended | State::Gone => return,
            };
            Message::change(&mut message.sums, record, |record| record.state = state);
            message.settle();
        }
        message.open = message.open.saturating_sub(1);
        if message.is_over() {
            numbers::remove(&mut self.messages, number);
        }
    }

    /// A message was aborted by its sender: nothing more of it arrives. What is unread counts until its
    /// readers have taken it, or are dropped.
    pub fn over(&mut self, number: u64) {
        let Some(message) = self.messages.get_mut(&number) else {
            return;
        };
        (message.open, message.to_come, message.waiting) = (0, 0, 0);
        let sums = &mut message.sums;
        for record in message.parts.records_mut() {
            Message::change(sums, record, |record| {
                record.is_waiting = false;
                record.lifeline = 0;
                record.state = match record.state {
                    State::Open | State::StopDue | State::Ended => State::Ended,
                    State::Stopped | State::Gone => State::Gone,
                };
            });
        }
        message.settle();
        if message.is_over() {
            numbers::remove(&mut self.messages, number);
        }
    }

    /// Whether [`due`](Self::due) may return an entry.
    #[inline]
    pub fn is_due(&self) -> bool {
        !self.touched.is_empty()
            || !self.touched_whole.is_empty()
            || self.rise() >= self.quarter()
            || (self.is_used_up() && !self.starving.is_empty())
    }

    /// Whether entries wait until less memory is in use, or the socket has nothing more to read. When the
    /// [`Pressure`] falls, the drivers of such connections must be woken.
    pub fn is_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// The entries that are due. Each is granted when it is returned, so it must be written. Those that
    /// are not asked for remain due.
    ///
    /// Only what was touched since is looked at. A Flow packet has room for at least
    /// 4,096 / [`FlowEntry::MAX_LENGTH`] entries.
    pub fn due(&mut self, round: Round) -> Due<'_> {
        if round.pressure < Pressure::Exhausted {
            while let Some(place) = self.held.pop() {
                if let Some(lines) = lines(&mut self.messages, place) {
                    lines.held = false;
                    self.touch(place);
                }
            }
        }
        Due {
            receiving: self,
            round,
            has_entries: false,
        }
    }

    /// Whether the sender has no credit of the connection, as far as is known here. All that it has
    /// sent and that counts has arrived then.
    fn is_used_up(&self) -> bool {
        self.total >= self.limit
    }

    /// What the limit of the connection can be raised by.
    // r[impl ext.credit.when]
    fn rise(&self) -> u64 {
        let limit = self.total.saturating_add(self.windows.connection);
        let limit = limit.saturating_sub(self.unread).min(U48_MAX);
        limit.saturating_sub(self.limit)
    }

    fn quarter(&self) -> u64 {
        self.windows.connection.div_ceil(4)
    }

    /// Raises the limit of the connection, if that is by at least `least`.
    fn raise(&mut self, least: u64) -> Option<FlowEntry> {
        let rise = self.rise();
        if rise < least {
            return None;
        }
        self.limit = self.limit.saturating_add(rise);
        let limit = self.limit;
        Some(FlowEntry::Connection { limit })
    }

    /// Serves the readers that wait while the connection has no credit.
    // r[impl ext.credit.starved]
    fn feed(&mut self) -> Option<FlowEntry> {
        while self.is_used_up() {
            let place = self.starving.front()?;
            #[cfg(test)]
            crate::work::add(1);
            let is_starved = self.is_starved(place);
            if is_starved {
                // By a lifeline at least: readers that take a byte at a time would cause an entry for
                // each of them.
                let raised = self.raise(LIFELINE);
                if raised.is_some() {
                    return raised;
                }
            }
            self.starving.pop();
            if let Some(lines) = lines(&mut self.messages, place) {
                lines.starving = false;
            }
            if is_starved {
                return self.save(place);
            }
        }
        None
    }

    /// Whether the reader of a part waits, without a lifeline, for something that is still to come.
    fn is_starved(&self, (number, part): Place) -> bool {
        let Some((message, part)) = self.messages.get(&number).zip(part) else {
            return false;
        };
        let has_arrived = matches!(part, Part::File(_)) && message.to_come == 0;
        let record = message.parts.get(part);
        let is_starved = record.is_some_and(|record| record.is_starved() && record.lifeline == 0);
        is_starved && !has_arrived && message.stop == Stop::No
    }

    /// Sends a lifeline to a part. Nothing of it is on its way: what counts has all arrived, and what does
    /// not count was a lifeline that is used up. So both sides exempt the same bytes.
    // r[impl ext.credit.lifeline]
    fn save(&mut self, (number, part): Place) -> Option<FlowEntry> {
        let part = part?;
        let message = self.messages.get_mut(&number)?;
        let record = message.parts.existing(part)?;
        let limit = record.received.saturating_add(LIFELINE).min(U48_MAX);
        record.lifeline = short(limit.saturating_sub(record.received));
        Message::change(&mut message.sums, record, |record| {
            record.limit = record.limit.max(limit);
        });
        Some(FlowEntry::Part {
            number,
            part,
            limit,
            lifeline: true,
        })
    }

    /// The next entry for what was touched.
    fn next_touched(&mut self, round: Round) -> Option<FlowEntry> {
        loop {
            let part = self.touched.front();
            let place = part.or_else(|| self.touched_whole.front())?;
            #[cfg(test)]
            crate::work::add(1);
            let visit = match place {
                (number, Some(part)) => self.visit_part(number, part, round),
                (number, None) => self.visit_message(number, round),
            };
            if let Visit::Entry(entry) = visit {
                return Some(entry);
            }
            match place.1 {
                Some(_) => self.touched.pop(),
                None => self.touched_whole.pop(),
            };
            if let Some(lines) = lines(&mut self.messages, place) {
                lines.touched = false;
                if matches!(visit, Visit::Hold) {
                    self.hold(place);
                }
            }
        }
    }

    fn visit_part(&mut self, number: u64, part: Part, round: Round) -> Visit {
        let windows = self.windows;
        let has_credit = !self.is_used_up();
        let Some(message) = self.wanted(number) else {
            return Visit::Done;
        };
        let sums = message.sums;
        let Some(record) = message.parts.existing(part) else {
            return Visit::Done;
        };
        match record.state {
            State::Open => {}
            // r[impl ext.stop.once]
            State::StopDue => {
                Message::change(&mut message.sums, record, |record| {
                    record.state = State::Stopped;
                });
                let part = Some(part);
                return Visit::Entry(FlowEntry::Stop { number, part });
            }
            State::Stopped | State::Ended | State::Gone => return Visit::Done,
        }
        let mut next = *record;
        let own = next
            .limit
            .saturating_sub(next.received)
            .saturating_add(windows.message.saturating_sub(sums.used));
        if message.is_covered(windows.message, own) {
            return Visit::Done;
        }
        let is_blocked = next.is_starved() && own == 0;
        let mut is_held = false;
        let mut grows = false;
        // r[impl ext.credit.growth]
        if round.pressure != Pressure::Low {
            next.extra = 0;
        } else if next.is_starved()
            && has_credit
            && !next.has_grown
            && sums.known >= windows.message
            && next.received >= next.known
        {
            let others = sums.ahead.saturating_sub(next.sums().ahead);
            grows = round.is_idle && next.grow(windows, others);
            is_held = !round.is_idle;
        }
        // r[impl ext.credit.when]
        let mut is_due = next.rise() >= windows.step(next.extra);
        if is_due && u64::from(next.unread) >= windows.with(next.extra).div_ceil(2) {
            next.extra /= 2;
            is_due = next.rise() >= windows.step(next.extra);
        }
        // r[impl ext.credit.memory]
        if round.pressure == Pressure::Exhausted {
            is_held = is_due;
            is_due = false;
        }
        let before = next.limit;
        if is_due || grows {
            next.limit = next.limit.max(next.target());
        }
        // r[impl ext.credit.starved]
        if is_blocked {
            let least = next.taken().saturating_add(LIFELINE).min(U48_MAX);
            next.limit = next.limit.max(next.target()).max(least);
        }
        if let Some(record) = message.parts.existing(part) {
            Message::change(&mut message.sums, record, |record| *record = next);
        }
        if is_blocked {
            message.is_releasing = true;
            self.touch((number, None));
        }
        let limit = next.limit;
        if limit > before {
            Visit::Entry(FlowEntry::Part {
                number,
                part,
                limit,
                lifeline: false,
            })
        } else if is_held {
            Visit::Hold
        } else {
            Visit::Done
        }
    }

    fn visit_message(&mut self, number: u64, round: Round) -> Visit {
        let window = self.windows.message;
        let Some(message) = self.messages.get_mut(&number) else {
            return Visit::Done;
        };
        match message.stop {
            Stop::No => {}
            // It has ended, though not all of it was read.
            Stop::Due if message.open == 0 => return Visit::Done,
            // r[impl ext.stop.once]
            Stop::Due => {
                message.stop = Stop::Sent;
                return Visit::Entry(FlowEntry::Stop { number, part: None });
            }
            Stop::Sent => return Visit::Done,
        }
        // r[impl ext.credit.when]
        let is_due = message.owes(window);
        let is_held = is_due && round.pressure == Pressure::Exhausted;
        message.is_releasing |= is_due && !is_held;
        if message.is_releasing {
            if let Some(entry) = message.release(number, window) {
                return Visit::Entry(entry);
            }
            message.is_releasing = false;
            message.cursor = 0;
        }
        for part in message.at_edge(window) {
            self.touch((number, Some(part)));
        }
        if is_held { Visit::Hold } else { Visit::Done }
    }

    fn touch(&mut self, place: Place) {
        let line = match place.1 {
            Some(_) => &mut self.touched,
            None => &mut self.touched_whole,
        };
        enter(line, &mut self.messages, place, |lines| &mut lines.touched);
    }

    fn hold(&mut self, place: Place) {
        enter(&mut self.held, &mut self.messages, place, |lines| {
            &mut lines.held
        });
    }

    fn starve(&mut self, place: Place) {
        enter(&mut self.starving, &mut self.messages, place, |lines| {
            &mut lines.starving
        });
    }

    /// Content so far that counts to the limit of the connection, in bytes.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The largest limit of the connection that was sent, in bytes.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Content that waits for its readers, in bytes.
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// What is used of the window of a message: with its limits, and with those that its sender is known
    /// to have had.
    #[cfg(test)]
    pub(super) fn used(&self, number: u64) -> Option<(u64, u64)> {
        let sums = self.messages.get(&number)?.sums;
        Some((sums.used, sums.known))
    }

    /// Bytes of a message, and of each of its parts that has begun.
    #[cfg(test)]
    pub(super) const SIZES: (usize, usize) = (size_of::<Message>(), size_of::<Received>());

    /// Messages, parts with records, and entries of lines.
    #[cfg(test)]
    pub(super) fn kept(&self) -> (usize, usize, usize) {
        let records = self.messages.values().map(|it| it.parts.records().count());
        let lines = [
            &self.touched,
            &self.touched_whole,
            &self.held,
            &self.starving,
        ];
        let lines = lines.map(Line::len).iter().sum();
        (self.messages.len(), records.sum(), lines)
    }
}

/// The entries that are due; see [`Receiving::due`].
#[derive(Debug)]
pub struct Due<'a> {
    receiving: &'a mut Receiving,
    round: Round,
    has_entries: bool,
}

impl Iterator for Due<'_> {
    type Item = FlowEntry;

    fn next(&mut self) -> Option<FlowEntry> {
        if !self.has_entries && !self.receiving.is_due() {
            return None;
        }
        let is_exhausted = self.round.pressure == Pressure::Exhausted;
        let quarter = self.receiving.quarter();
        // r[impl ext.credit.when]
        let mut entry = None;
        if !is_exhausted {
            entry = self.receiving.raise(quarter);
        }
        let mut entry = entry
            .or_else(|| self.receiving.feed())
            .or_else(|| self.receiving.next_touched(self.round));
        if entry.is_none() && self.has_entries && !is_exhausted {
            entry = self.receiving.raise(quarter.div_ceil(2));
        }
        self.has_entries |= entry.is_some();
        entry
    }
}

/// Adds a place to a line, unless it is there.
fn enter(
    line: &mut Line,
    messages: &mut Messages<Message>,
    place: Place,
    flag: fn(&mut Lines) -> &mut bool,
) {
    let Some(lines_of_place) = lines(messages, place) else {
        return;
    };
    if !core::mem::replace(flag(lines_of_place), true) {
        line.push(place, |place| {
            lines(messages, place).is_some_and(|lines| *flag(lines))
        });
    }
}

fn lines(messages: &mut Messages<Message>, (number, part): Place) -> Option<&mut Lines> {
    let message = messages.get_mut(&number)?;
    match part {
        None => Some(&mut message.lines),
        Some(part) => Some(&mut message.parts.existing(part)?.lines),
    }
}

/// A number of bytes inside of a window, of which none is above 2^31.
fn narrow(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// A number of bytes inside of a lifeline.
fn short(bytes: u64) -> u16 {
    u16::try_from(bytes).unwrap_or(u16::MAX)
}

//! One message whose files and stream are being sent, and its parts.

use std::{sync::Arc, task::Waker};

use bytes::Bytes;
use sockety_codec::{
    ChannelId, Part as WirePart, Uuid,
    credit::{self, Blocked},
};
use tokio::time::Instant;

use crate::{
    engine::{
        early_end::Number,
        memory::chunks::Chunks,
        send::layout::{NewPart, PartKind, PartSource},
        transfer::ContentBytes,
        wake_list::WakeList,
    },
    error::{source::SourceError, stream_end::StreamEnd},
};

/// How many bytes of a part may wait to be sent before its writer has to wait.
pub(super) const QUEUED_BYTES: usize = 256 * 1024;

/// How many bytes a part sends in its turn while others wait, and while none does.
pub(super) const QUANTUM: usize = 16 * 1024;
pub(super) const QUANTUM_ALONE: usize = 64 * 1024;

/// A message whose files and stream are being sent.
pub(crate) struct Transmission {
    pub(crate) id: Uuid,
    /// The message that it answers, or its own id.
    pub(super) about: Uuid,
    /// The number of the request that it answers, if that may be cancelled.
    pub(super) answers: Number,
    pub(crate) channel: ChannelId,
    pub(super) parts: Vec<Part>,
    pub(super) open_parts: usize,
    /// The file that is being sent. Files follow one another, so that a receiver may read them in
    /// their order.
    pub(super) file: usize,
    pub(super) state: Sending,
    /// Who may still ask for the entry: the [`Queued`](crate::engine::send::queue::Queued) of the message,
    /// counted when the transmission begins, and each writer, counted when it is made.
    pub(super) holders: usize,
    pub(super) watcher: Option<Waker>,
    /// Who measures it.
    pub(super) observer: Option<Waker>,
    pub(super) sent: ContentBytes,
    /// The peer did not want all of it.
    pub(super) is_cut_short: bool,
    pub(super) turns: u64,
    /// How far it was at the last tick of the clock of calls.
    pub(super) ticked: Option<Progress>,
    /// When some of it was last moved to the outbox, or began to wait for that. Only noted once a timer
    /// of its call has asked.
    pub(super) moved: Option<Instant>,
    /// Whether it answers a message of the peer.
    pub(super) is_response: bool,
    /// For how many ticks of the driver it had something to send, and no credit.
    pub(super) blocked_seconds: u32,
    /// How many turns it had had at the last tick of the driver.
    pub(super) turns_before: u64,
    /// Files that the peer waits for before it is their turn, and who reads their sources.
    pub(super) wanted: Vec<usize>,
    pub(super) file_source: Option<Waker>,
}

/// ```text
/// Open ── its last part has ended ──────────────▶ Whole
///  └────── a source failed, peer refused, end ──▶ Aborted
/// ```
#[derive(Clone)]
pub(crate) enum Sending {
    Open,
    /// The position in the outbox after its last byte.
    Whole(u64),
    Aborted(SourceError),
}

pub(super) struct Part {
    pub(super) kind: PartKind,
    pub(super) chunks: Chunks,
    pub(super) is_ended: bool,
    pub(super) is_ready: bool,
    /// All of it is in the outbox.
    pub(super) is_over: bool,
    /// It has something to send, and no credit.
    pub(super) is_blocked: bool,
    /// It may be sent though it is not its turn among the files.
    pub(super) is_out_of_turn: bool,
    /// The peer asked to stop it.
    pub(super) is_unwanted: bool,
    pub(super) writer: Option<Waker>,
    /// Who reads its source, and stops when the message is aborted.
    pub(super) source: Option<Waker>,
    /// The error with which it ends, if it is a stream.
    pub(super) end: Option<Arc<StreamEnd>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartKey {
    pub(crate) transmission: u64,
    pub(crate) part: usize,
}

/// What a part sends in its turn.
pub(crate) struct Turn {
    pub(crate) channel: ChannelId,
    pub(crate) kind: PartKind,
    pub(crate) chunks: Vec<Bytes>,
    pub(crate) is_end: bool,
    /// The error with which it ends.
    pub(crate) end: Option<Arc<StreamEnd>>,
    /// It is the last part of its message to end.
    pub(crate) is_last: bool,
    pub(crate) transmission: u64,
}

/// How far a message with files or a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Grows whenever some of it is moved to the outbox.
    pub(crate) turns: u64,
    /// Some of it waits for that. Else its source has nothing to send.
    pub(crate) is_waiting: bool,
}

impl Progress {
    /// Whether nothing of it has moved since it was this far, and its source is not to blame.
    pub(crate) fn is_stuck_since(self, before: Self) -> bool {
        self.is_waiting && before.is_waiting && self.turns == before.turns
    }
}

impl Transmission {
    pub(super) fn turn(&mut self, key: PartKey, quantum: usize, due: &mut WakeList) -> Turn {
        let part = &mut self.parts[key.part];
        let mut chunks = Vec::new();
        let mut left = quantum;
        while left > 0 {
            let Some(chunk) = part.chunks.pop(left) else {
                break;
            };
            left -= chunk.len();
            chunks.push(chunk);
        }
        let is_end = part.is_ended && part.chunks.is_empty();
        part.is_over = is_end;
        part.is_ready = !part.chunks.is_empty();
        // Not only when the part is empty: a writer that echoes what it reads would stop reading
        // long enough that the peer takes it for a slow consumer.
        if part.chunks.len() + QUANTUM <= QUEUED_BYTES {
            part.wake(due);
        }
        let sent = (quantum - left) as u64;
        match part.kind {
            PartKind::File(_) => self.sent.files += sent,
            PartKind::Stream => self.sent.stream += sent,
        }
        let end = part.end.take_if(|_| is_end);
        self.open_parts -= usize::from(is_end);
        let (channel, kind) = (self.channel, part.kind);
        self.turns += 1;
        self.note_moved();
        Turn {
            channel,
            kind,
            chunks,
            is_end,
            end,
            is_last: self.open_parts == 0,
            transmission: key.transmission,
        }
    }

    pub(super) fn note_moved(&mut self) {
        if let Some(moved) = &mut self.moved {
            *moved = Instant::now();
        }
    }

    pub(super) fn is_its_turn(&self, part: usize) -> bool {
        let found = &self.parts[part];
        found.kind == PartKind::Stream || found.is_out_of_turn || part == self.file
    }

    /// After the end of a file, the next one, if it has something to send.
    pub(super) fn next_file(&mut self, turn: &Turn) -> Option<usize> {
        if !turn.is_end || turn.kind == PartKind::Stream {
            return None;
        }
        let before = self.file;
        while self.parts.get(self.file).is_some_and(|part| part.is_over) {
            self.file += 1;
        }
        let next = self.parts.get(self.file).filter(|_| self.file != before);
        next.filter(|part| part.has_content()).map(|_| self.file)
    }

    /// Where a part is among all.
    pub(super) fn index_of(&self, part: WirePart) -> Option<usize> {
        let has_stream = matches!(self.parts.first(), Some(part) if part.kind == PartKind::Stream);
        let index = match part {
            WirePart::Stream => 0,
            WirePart::File(index) => index.get() as usize + usize::from(has_stream),
        };
        (index < self.parts.len()).then_some(index)
    }

    /// The peer waits for a file whose turn has not come: its source may not be read yet.
    pub(super) fn want(&mut self, part: usize, due: &mut WakeList) {
        let found = &self.parts[part];
        let is_source = found.kind != PartKind::Stream && !found.is_ended && part > self.file;
        if is_source && !self.wanted.contains(&part) {
            self.wanted.push(part);
            if let Some(source) = self.file_source.take() {
                due.wake(source);
            }
        }
    }

    /// How much a part may send in its turn; `None` if it has something to send and no credit.
    // r[impl ext.credit.what]
    // r[impl ext.credit.blocked]
    pub(super) fn allowance(
        &mut self,
        key: PartKey,
        credit: &mut credit::Sending,
        quantum: usize,
    ) -> Option<usize> {
        let part = &mut self.parts[key.part];
        if part.chunks.is_empty() {
            // Its end needs none.
            return Some(quantum);
        }
        match credit.may_send(key.transmission - 1, part.kind.on_wire()) {
            Ok(most) => Some(quantum.min(usize::try_from(most).unwrap_or(usize::MAX))),
            Err(Blocked::Message | Blocked::Connection | Blocked::Over) => {
                (part.is_ready, part.is_blocked) = (false, true);
                None
            }
        }
    }

    /// A part has had its turn.
    pub(super) fn count(&self, key: PartKey, credit: &mut credit::Sending, turn: &Turn) {
        let (number, part) = (key.transmission - 1, turn.kind.on_wire());
        let bytes: usize = turn.chunks.iter().map(Bytes::len).sum();
        if bytes > 0 {
            credit.sent(number, part, bytes as u64);
        }
        if turn.is_end {
            credit.end(number, part);
        }
    }

    /// Returns how many of its parts were blocked.
    pub(super) fn settle(&mut self, state: Sending, due: &mut WakeList) -> usize {
        self.state = state;
        let mut blocked = 0;
        if let Some(source) = self.file_source.take() {
            due.wake(source);
        }
        for part in &mut self.parts {
            blocked += usize::from(std::mem::take(&mut part.is_blocked));
            part.chunks.clear();
            part.wake(due);
            if let Some(source) = part.source.take() {
                due.wake(source);
            }
        }
        let waiting = [self.watcher.take(), self.observer.take()];
        waiting
            .into_iter()
            .flatten()
            .for_each(|waker| due.wake(waker));
        blocked
    }
}

impl PartKind {
    fn on_wire(self) -> WirePart {
        match self {
            Self::Stream => WirePart::Stream,
            Self::File(index) => WirePart::File(index),
        }
    }
}

impl Part {
    pub(super) fn new(new: NewPart) -> Self {
        let mut chunks = Chunks::default();
        let is_ended = match new.source {
            PartSource::Whole(bytes) => {
                chunks.push(bytes);
                true
            }
            PartSource::Written => false,
        };
        Self {
            kind: new.kind,
            chunks,
            is_ended,
            is_ready: false,
            is_over: false,
            is_blocked: false,
            is_out_of_turn: false,
            is_unwanted: false,
            writer: None,
            source: None,
            end: None,
        }
    }

    pub(super) fn has_content(&self) -> bool {
        self.is_ended || !self.chunks.is_empty()
    }

    pub(super) fn is_open(&self) -> bool {
        !self.is_ended || !self.chunks.is_empty()
    }

    pub(super) fn wake(&mut self, due: &mut WakeList) {
        if let Some(writer) = self.writer.take() {
            due.wake(writer);
        }
    }
}

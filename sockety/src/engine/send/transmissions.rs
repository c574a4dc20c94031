//! Files and streams that are being sent. A message that has any occupies a channel until all of
//! them have ended.
//!
//! ```text
//! writers ── poll_push ──▶ Part (up to 256 KiB) ── turn ──▶ outbox ──▶ driver
//!    ▲                                               │
//!    └───────────── woken when there is room ────────┘
//! ```

use std::{
    collections::VecDeque,
    task::{Poll, Waker},
};

use bytes::Bytes;
use rustc_hash::FxHashMap;
use sockety_codec::{ChannelCount, ChannelId, Uuid};

use super::{
    channels::Channels,
    layout::{NewPart, PartKind, PartSource},
};
use crate::{
    engine::{
        memory::chunks::Chunks,
        transfer::{ContentBytes, TransferEnd},
        wake_list::WakeList,
    },
    error::source::SourceError,
};

/// All messages of a connection whose files or streams have not ended, or whose senders still ask
/// how they have.
pub(crate) struct Transmissions {
    /// By number. The hash needs no secret, because no peer chooses these numbers.
    by_number: FxHashMap<u64, Transmission>,
    /// Parts that have something to send, in the order of their turns.
    ready: VecDeque<PartKey>,
    next: u64,
    pub(crate) channels: Channels,
}

/// How many bytes of a part may wait to be sent before its writer has to wait.
const QUEUED_BYTES: usize = 256 * 1024;

/// How many bytes a part sends in its turn while others wait, and while none does.
const QUANTUM: usize = 16 * 1024;
const QUANTUM_ALONE: usize = 64 * 1024;

/// A message whose files and stream are being sent.
pub(crate) struct Transmission {
    pub(crate) id: Uuid,
    /// The message that it answers, or its own id.
    about: Uuid,
    pub(crate) channel: ChannelId,
    parts: Vec<Part>,
    open_parts: usize,
    /// The file that is being sent. Files follow one another, so that a receiver may read them in
    /// their order.
    file: usize,
    state: Sending,
    /// Who may still ask for the entry: the [`Queued`](super::queue::Queued) of the message,
    /// counted when the transmission begins, and each writer, counted when it is made.
    holders: usize,
    watcher: Option<Waker>,
    /// Who measures it.
    observer: Option<Waker>,
    sent: ContentBytes,
    turns: u64,
    /// How far it was at the last tick of the clock of calls.
    ticked: Option<Progress>,
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

struct Part {
    kind: PartKind,
    chunks: Chunks,
    is_ended: bool,
    is_ready: bool,
    writer: Option<Waker>,
    /// Who reads its source, and stops when the message is aborted.
    source: Option<Waker>,
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

impl Transmissions {
    pub(crate) fn new(peer_channels: ChannelCount) -> Self {
        Self {
            by_number: FxHashMap::default(),
            ready: VecDeque::new(),
            next: 0,
            channels: Channels::new(peer_channels),
        }
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_number
            .values()
            .all(|transmission| !matches!(transmission.state, Sending::Open))
    }

    /// Files and streams that have not been sent to their ends.
    pub(crate) fn count_open(&self) -> (usize, usize) {
        let open = self.by_number.values();
        let open = open.filter(|known| matches!(known.state, Sending::Open));
        let parts = open.flat_map(|known| known.parts.iter().filter(|part| part.is_open()));
        let (mut files, mut streams) = (0, 0);
        for part in parts {
            match part.kind {
                PartKind::File(_) => files += 1,
                PartKind::Stream => streams += 1,
            }
        }
        (files, streams)
    }

    /// How far this message is, while anything of it is still to be sent.
    pub(crate) fn progress(&self, key: u64) -> Option<Progress> {
        let known = self.by_number.get(&key)?;
        let is_open = matches!(known.state, Sending::Open);
        is_open.then(|| Progress {
            turns: known.turns,
            is_waiting: known.parts.iter().any(|part| !part.chunks.is_empty()),
        })
    }

    /// A second has passed. Returns whether this message is still being sent, and is not stuck.
    pub(crate) fn moves_on(&mut self, key: u64) -> bool {
        let Some(progress) = self.progress(key) else {
            return false;
        };
        let Some(known) = self.by_number.get_mut(&key) else {
            return false;
        };
        let before = known.ticked.replace(progress);
        before.is_none_or(|before| !progress.is_stuck_since(before))
    }

    /// Whether anything is still to be sent of this message, or of a response to it.
    pub(crate) fn is_sending_about(&self, id: &Uuid) -> bool {
        self.by_number
            .values()
            .any(|known| known.about == *id && matches!(known.state, Sending::Open))
    }

    /// Starts a transmission. The caller holds its entry, until it calls
    /// [`Transmissions::release`].
    pub(crate) fn begin(
        &mut self,
        id: Uuid,
        parent: Option<Uuid>,
        channel: ChannelId,
        parts: Vec<NewPart>,
    ) -> u64 {
        self.next += 1;
        let key = self.next;
        let parts: Vec<_> = parts.into_iter().map(Part::new).collect();
        let first_file = parts
            .iter()
            .position(|part| part.kind != PartKind::Stream)
            .unwrap_or(0);
        let has_content = |(part, new): (usize, &Part)| new.has_content().then_some(part);
        let ready: Vec<_> = parts.iter().enumerate().filter_map(has_content).collect();
        let transmission = Transmission {
            id,
            about: parent.unwrap_or(id),
            channel,
            open_parts: parts.len(),
            file: first_file,
            parts,
            state: Sending::Open,
            holders: 1,
            watcher: None,
            observer: None,
            sent: ContentBytes::default(),
            turns: 0,
            ticked: None,
        };
        self.by_number.insert(key, transmission);
        ready.into_iter().for_each(|part| {
            self.make_ready(PartKey {
                transmission: key,
                part,
            })
        });
        key
    }

    /// Adds to a part if it has room. Else the writer is woken when the part has sent some.
    pub(crate) fn poll_push(
        &mut self,
        key: PartKey,
        waker: &Waker,
        due: &mut WakeList,
        add: impl FnOnce(&mut Chunks),
    ) -> Poll<Result<(), SourceError>> {
        let part = self.writable(key)?;
        if part.chunks.len() >= QUEUED_BYTES {
            due.replace(&mut part.writer, waker);
            return Poll::Pending;
        }
        Poll::Ready(self.push(key, add))
    }

    /// Ready when a part can no longer be written. Until then, the task is woken once for that.
    pub(crate) fn poll_over(
        &mut self,
        key: PartKey,
        waker: &Waker,
        due: &mut WakeList,
    ) -> Poll<SourceError> {
        match self.writable(key) {
            Ok(part) => {
                due.replace(&mut part.source, waker);
                Poll::Pending
            }
            Err(error) => Poll::Ready(error),
        }
    }

    /// Ready when everything that was pushed to a part is in the outbox. Else the writer is woken
    /// when the part has sent some.
    pub(crate) fn poll_drained(
        &mut self,
        key: PartKey,
        waker: &Waker,
        due: &mut WakeList,
    ) -> Poll<Result<(), SourceError>> {
        let part = self.writable(key)?;
        if part.chunks.is_empty() {
            return Poll::Ready(Ok(()));
        }
        due.replace(&mut part.writer, waker);
        Poll::Pending
    }

    /// Adds to a part, whether it has room or not.
    pub(crate) fn push(
        &mut self,
        key: PartKey,
        add: impl FnOnce(&mut Chunks),
    ) -> Result<(), SourceError> {
        let part = self.writable(key)?;
        add(&mut part.chunks);
        if !part.chunks.is_empty() {
            self.make_ready(key);
        }
        Ok(())
    }

    fn writable(&mut self, key: PartKey) -> Result<&mut Part, SourceError> {
        let transmission = self
            .by_number
            .get_mut(&key.transmission)
            .ok_or(SourceError::GivenUp)?;
        if let Sending::Aborted(error) = &transmission.state {
            return Err(error.clone());
        }
        let part = &mut transmission.parts[key.part];
        if part.is_ended {
            Err(SourceError::Ended)
        } else {
            Ok(part)
        }
    }

    /// Ends a part after the bytes that were pushed.
    pub(crate) fn finish(&mut self, key: PartKey) -> Result<(), SourceError> {
        self.writable(key)?.is_ended = true;
        self.make_ready(key);
        Ok(())
    }

    fn make_ready(&mut self, key: PartKey) {
        let Some(transmission) = self.by_number.get_mut(&key.transmission) else {
            return;
        };
        if !transmission.is_its_turn(key.part) {
            return;
        }
        if !std::mem::replace(&mut transmission.parts[key.part].is_ready, true) {
            self.ready.push_back(key);
        }
    }

    /// What the next part in turn sends.
    pub(crate) fn turn(&mut self, due: &mut WakeList) -> Option<Turn> {
        loop {
            let key = self.ready.pop_front()?;
            let quantum = if self.ready.is_empty() {
                QUANTUM_ALONE
            } else {
                QUANTUM
            };
            // What was aborted is still in the queue of turns.
            let Some(transmission) = self.by_number.get_mut(&key.transmission) else {
                continue;
            };
            if !matches!(transmission.state, Sending::Open) {
                continue;
            }
            let turn = transmission.turn(key, quantum, due);
            if transmission.parts[key.part].is_ready {
                self.ready.push_back(key);
            }
            if let Some(part) = transmission.next_file(&turn) {
                self.make_ready(PartKey { part, ..key });
            }
            return Some(turn);
        }
    }

    /// All of a message is in the outbox, up to this position. Its channel is free again.
    pub(crate) fn complete(&mut self, key: u64, end: u64, due: &mut WakeList) {
        if let Some(transmission) = self.by_number.get_mut(&key) {
            transmission.settle(Sending::Whole(end), due);
            self.channels.give_back(transmission.channel);
        }
        self.forget_if_unheld(key);
    }

    /// Aborts a message. Returns its id and channel if it was still being sent.
    pub(crate) fn abort(
        &mut self,
        key: u64,
        error: SourceError,
        due: &mut WakeList,
    ) -> Option<(Uuid, ChannelId)> {
        let transmission = self.by_number.get_mut(&key)?;
        if !matches!(transmission.state, Sending::Open) {
            return None;
        }
        transmission.settle(Sending::Aborted(error), due);
        Some((transmission.id, transmission.channel))
    }

    pub(crate) fn abort_all(&mut self, error: &SourceError, due: &mut WakeList) {
        for transmission in self.by_number.values_mut() {
            if matches!(transmission.state, Sending::Open) {
                transmission.settle(Sending::Aborted(error.clone()), due);
            }
        }
    }

    /// Returns how far a message is. While it is open, the task is woken when that changes.
    pub(crate) fn watch(&mut self, key: u64, waker: &Waker, due: &mut WakeList) -> Sending {
        let Some(transmission) = self.by_number.get_mut(&key) else {
            return Sending::Aborted(SourceError::GivenUp);
        };
        if matches!(transmission.state, Sending::Open) {
            due.replace(&mut transmission.watcher, waker);
        }
        transmission.state.clone()
    }

    /// The task that watched waits no longer.
    pub(crate) fn unwatch(&mut self, key: u64, due: &mut WakeList) {
        let transmission = self.by_number.get_mut(&key);
        let watcher = transmission.and_then(|known| known.watcher.take());
        watcher.into_iter().for_each(|waker| due.discard(waker));
    }

    /// Ready when nothing more of a message is sent, with how much of it was. Until then, the task is
    /// woken when that changes: one for each message.
    pub(crate) fn poll_observed(
        &mut self,
        key: u64,
        waker: &Waker,
        due: &mut WakeList,
    ) -> Poll<(ContentBytes, TransferEnd)> {
        let Some(transmission) = self.by_number.get_mut(&key) else {
            debug_assert!(false, "the entry was forgotten while it was held");
            return Poll::Ready((ContentBytes::default(), TransferEnd::SourceFailed));
        };
        let end = match &transmission.state {
            Sending::Open => {
                due.replace(&mut transmission.observer, waker);
                return Poll::Pending;
            }
            Sending::Whole(_) => TransferEnd::Complete,
            Sending::Aborted(error) => TransferEnd::of(error),
        };
        Poll::Ready((transmission.sent, end))
    }

    /// Releases the entry for the one who observed it.
    pub(crate) fn unobserve(&mut self, key: u64, due: &mut WakeList) {
        let transmission = self.by_number.get_mut(&key);
        let observer = transmission.and_then(|known| known.observer.take());
        observer.into_iter().for_each(|waker| due.discard(waker));
        self.release(key);
    }

    /// Keeps the entry for one more holder. Somebody must hold it already.
    pub(crate) fn hold(&mut self, key: u64) {
        if let Some(transmission) = self.by_number.get_mut(&key) {
            transmission.holders += 1;
        } else {
            debug_assert!(false, "the entry was forgotten while it was held");
        }
    }

    /// Once for each hold. The last one forgets the entry, if the transmission is over.
    pub(crate) fn release(&mut self, key: u64) {
        if let Some(transmission) = self.by_number.get_mut(&key) {
            transmission.holders -= 1;
        }
        self.forget_if_unheld(key);
    }

    fn forget_if_unheld(&mut self, key: u64) {
        let is_over = |transmission: &Transmission| {
            transmission.holders == 0 && !matches!(transmission.state, Sending::Open)
        };
        if self.by_number.get(&key).is_some_and(is_over) {
            self.by_number.remove(&key);
        }
    }
}

impl Transmission {
    fn turn(&mut self, key: PartKey, quantum: usize, due: &mut WakeList) -> Turn {
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
        self.open_parts -= usize::from(is_end);
        self.turns += 1;
        let (channel, kind) = (self.channel, part.kind);
        Turn {
            channel,
            kind,
            chunks,
            is_end,
            is_last: self.open_parts == 0,
            transmission: key.transmission,
        }
    }

    fn is_its_turn(&self, part: usize) -> bool {
        self.parts[part].kind == PartKind::Stream || part == self.file
    }

    /// After the end of a file, the next one, if it has something to send.
    fn next_file(&mut self, turn: &Turn) -> Option<usize> {
        if !turn.is_end || turn.kind == PartKind::Stream {
            return None;
        }
        self.file += 1;
        self.parts
            .get(self.file)
            .filter(|part| part.has_content())
            .map(|_| self.file)
    }

    fn settle(&mut self, state: Sending, due: &mut WakeList) {
        self.state = state;
        for part in &mut self.parts {
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
    }
}

impl Part {
    fn new(new: NewPart) -> Self {
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
            writer: None,
            source: None,
        }
    }

    fn has_content(&self) -> bool {
        self.is_ended || !self.chunks.is_empty()
    }

    fn is_open(&self) -> bool {
        !self.is_ended || !self.chunks.is_empty()
    }

    fn wake(&mut self, due: &mut WakeList) {
        if let Some(writer) = self.writer.take() {
            due.wake(writer);
        }
    }
}

//! Files and streams that are being sent. A message that has any occupies a channel until all of
//! them have ended.
//!
//! ```text
//! writers ── poll_push ──▶ Part (up to 256 KiB) ── turn ──▶ outbox ──▶ driver
//!    ▲                                               │
//!    └───────────── woken when there is room ────────┘
//! ```
//!
//! A peer with the extension grants credit for content. A part without credit has no turns until
//! there is some; the others go on.

mod transmission;

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Poll, Waker},
};

use rustc_hash::FxHashMap;
use sockety_codec::{ChannelId, Part as WirePart, Uuid, credit, extension::Settings};
use tokio::time::Instant;

use self::transmission::{Part, QUANTUM, QUANTUM_ALONE, QUEUED_BYTES};
use super::{
    channels::Channels,
    layout::{NewPart, PartKind},
};
use crate::{
    engine::{
        early_end::Number,
        memory::chunks::Chunks,
        negotiated::Negotiated,
        transfer::{ContentBytes, TransferEnd},
        wake_list::WakeList,
    },
    error::{source::SourceError, stream_end::StreamEnd},
};

pub(crate) use self::transmission::{PartKey, Progress, Sending, Transmission, Turn};

/// All messages of a connection whose files or streams have not ended, or whose senders still ask
/// how they have.
pub(crate) struct Transmissions {
    /// By key: the number of the message, plus 1. The hash needs no secret, because no peer chooses
    /// these numbers. Each is in separate memory, so that an empty place is small.
    by_number: FxHashMap<u64, Box<Transmission>>,
    /// Parts that have something to send, in the order of their turns.
    ready: VecDeque<PartKey>,
    pub(crate) channels: Channels,
    /// What a peer with the extension lets this side send, from the first message with any content or
    /// the first Flow packet on.
    credit: Option<Box<credit::Sending>>,
    /// Parts that have something to send and no credit.
    blocked: usize,
    /// Parts that have begun so far.
    parts_begun: u64,
}

/// When more than this many bytes wait for credit, the response whose reader has taken nothing for
/// longest is given up, after this many seconds at least.
const BLOCKED_BYTES: usize = 8 * 1024 * 1024;
const CREDIT_STALL_SECONDS: u32 = 60;

impl Transmissions {
    pub(crate) fn new(negotiated: Negotiated) -> Self {
        Self {
            by_number: FxHashMap::default(),
            ready: VecDeque::new(),
            channels: Channels::new(negotiated),
            credit: None,
            blocked: 0,
            parts_begun: 0,
        }
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty() || self.credit.as_ref().is_some_and(|it| it.has_ready())
    }

    /// Whether anything waits for credit.
    pub(crate) fn has_blocked(&self) -> bool {
        self.blocked > 0
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

    /// While anything of this message is still to be sent: since when some of it waits to be moved to
    /// the outbox, unless its source has nothing to send.
    pub(crate) fn waits_since(&mut self, key: u64) -> Option<Option<Instant>> {
        let progress = self.progress(key)?;
        let known = self.by_number.get_mut(&key)?;
        let moved = *known.moved.get_or_insert_with(Instant::now);
        Some(progress.is_waiting.then_some(moved))
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
        number: u64,
        id: Uuid,
        parent: Option<Uuid>,
        channel: ChannelId,
        parts: Vec<NewPart>,
    ) -> u64 {
        let key = number + 1;
        self.parts_begun += parts.len() as u64;
        if let Some(credit) = &mut self.credit {
            let is_file = |part: &&NewPart| part.kind != PartKind::Stream;
            let files = parts.iter().filter(is_file).count();
            let has_stream = files < parts.len();
            // No more than there are indexes of files.
            credit.begin(number, has_stream, files as u32);
        }
        let parts: Vec<_> = parts.into_iter().map(Part::new).collect();
        let first_file = parts
            .iter()
            .position(|part| part.kind != PartKind::Stream)
            .unwrap_or(0);
        let has_content = |(part, new): (usize, &Part)| new.has_content().then_some(part);
        let ready: Vec<_> = parts.iter().enumerate().filter_map(has_content).collect();
        let transmission = Box::new(Transmission {
            id,
            about: parent.unwrap_or(id),
            answers: Number::NONE,
            channel,
            open_parts: parts.len(),
            file: first_file,
            parts,
            state: Sending::Open,
            holders: 1,
            watcher: None,
            observer: None,
            sent: ContentBytes::default(),
            is_cut_short: false,
            turns: 0,
            ticked: None,
            moved: None,
            is_response: parent.is_some(),
            blocked_seconds: 0,
            turns_before: 0,
            wanted: Vec::new(),
            file_source: None,
        });
        self.by_number.insert(key, transmission);
        ready.into_iter().for_each(|part| {
            self.make_ready(PartKey {
                transmission: key,
                part,
            })
        });
        key
    }

    /// It answers the request with this number.
    pub(crate) fn set_answers(&mut self, key: u64, number: Number) {
        if let Some(transmission) = self.by_number.get_mut(&key) {
            transmission.answers = number;
        }
    }

    /// What is still being sent as an answer to this request.
    pub(crate) fn answering(&self, number: Number) -> Option<u64> {
        let is_it =
            |known: &Transmission| known.answers == number && matches!(known.state, Sending::Open);
        let mut known = self.by_number.iter();
        known.find_map(|(key, known)| is_it(known).then_some(*key))
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
        let was_empty = part.chunks.is_empty();
        add(&mut part.chunks);
        if !part.chunks.is_empty() {
            if was_empty {
                self.note_moved(key.transmission);
            }
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
        if part.is_unwanted {
            Err(SourceError::Unwanted)
        } else if part.is_ended {
            Err(SourceError::Ended)
        } else {
            Ok(part)
        }
    }

    /// Ends a part after the bytes that were pushed.
    /// One that the peer stopped has ended already.
    pub(crate) fn finish(&mut self, key: PartKey) -> Result<(), SourceError> {
        match self.writable(key) {
            Ok(part) => part.is_ended = true,
            Err(SourceError::Unwanted) => return Ok(()),
            Err(error) => return Err(error),
        }
        self.make_ready(key);
        Ok(())
    }

    /// Like [`finish`](Self::finish), for a stream that ends with an error.
    pub(crate) fn finish_with(
        &mut self,
        key: PartKey,
        end: Arc<StreamEnd>,
    ) -> Result<(), SourceError> {
        if let Ok(part) = self.writable(key) {
            part.end = Some(end);
        }
        self.finish(key)
    }

    /// Whether the peer asked to stop a part, so that its writer may go.
    pub(crate) fn is_unwanted(&self, key: PartKey) -> bool {
        let transmission = self.by_number.get(&key.transmission);
        transmission.is_some_and(|known| known.parts[key.part].is_unwanted)
    }

    fn note_moved(&mut self, key: u64) {
        if let Some(transmission) = self.by_number.get_mut(&key) {
            transmission.note_moved();
        }
    }

    fn make_ready(&mut self, key: PartKey) {
        let Some(transmission) = self.by_number.get_mut(&key.transmission) else {
            return;
        };
        // A part without credit has its turn when there is some.
        if !transmission.is_its_turn(key.part) || transmission.parts[key.part].is_blocked {
            return;
        }
        if !std::mem::replace(&mut transmission.parts[key.part].is_ready, true) {
            self.ready.push_back(key);
        }
    }

    /// What the next part in turn sends.
    pub(crate) fn turn(&mut self, due: &mut WakeList) -> Option<Turn> {
        loop {
            let key = self.next_turn(due)?;
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
            let quantum = match &mut self.credit {
                None => quantum,
                Some(credit) => match transmission.allowance(key, credit, quantum) {
                    Some(quantum) => quantum,
                    None => {
                        self.blocked += 1;
                        continue;
                    }
                },
            };
            let turn = transmission.turn(key, quantum, due);
            if let Some(credit) = &mut self.credit {
                transmission.count(key, credit, &turn);
            }
            if transmission.parts[key.part].is_ready {
                self.ready.push_back(key);
            }
            if let Some(part) = transmission.next_file(&turn) {
                self.make_ready(PartKey { part, ..key });
            }
            return Some(turn);
        }
    }

    /// First those that have waited for credit.
    #[inline]
    fn next_turn(&mut self, due: &mut WakeList) -> Option<PartKey> {
        if self.credit.is_some() {
            if let Some(key) = self.next_credited(due) {
                return Some(key);
            }
        }
        self.ready.pop_front()
    }

    // r[impl ext.credit.any-part]
    fn next_credited(&mut self, due: &mut WakeList) -> Option<PartKey> {
        loop {
            let (number, part) = self.credit.as_mut()?.next_ready()?;
            let key = PartKey {
                transmission: number + 1,
                part: 0,
            };
            let Some(transmission) = self.by_number.get_mut(&key.transmission) else {
                continue;
            };
            if !matches!(transmission.state, Sending::Open) {
                continue;
            }
            let Some(index) = transmission.index_of(part) else {
                continue;
            };
            let part = &mut transmission.parts[index];
            self.blocked -= usize::from(std::mem::take(&mut part.is_blocked));
            part.is_out_of_turn = true;
            if part.has_content() && !part.is_ready && !part.is_over {
                return Some(PartKey { part: index, ..key });
            }
            transmission.want(index, due);
        }
    }

    /// What a peer with the extension lets this side send. `settings` are its own, once they were read.
    ///
    /// To be called before the first message with content begins: what is sent needs credit from then
    /// on.
    pub(crate) fn credit(&mut self, settings: Option<&Settings>) -> &mut credit::Sending {
        self.credit.get_or_insert_with(|| {
            let mut credit = Box::<credit::Sending>::default();
            if let Some(settings) = settings {
                open(&mut credit, settings);
            }
            credit
        })
    }

    /// The settings of the peer were read: messages that have begun before may be sent.
    pub(crate) fn open_credit(&mut self, settings: &Settings) {
        if let Some(credit) = &mut self.credit {
            open(credit, settings);
        }
    }

    /// The peer reads no more of a part: it ends, without what waits.
    // r[impl ext.stop]
    pub(crate) fn stop(&mut self, number: u64, part: WirePart, due: &mut WakeList) {
        let key = number + 1;
        let Some(transmission) = self.by_number.get_mut(&key) else {
            return;
        };
        if !matches!(transmission.state, Sending::Open) {
            return;
        }
        let Some(index) = transmission.index_of(part) else {
            return;
        };
        let part = &mut transmission.parts[index];
        if part.is_over {
            return;
        }
        transmission.is_cut_short = true;
        self.blocked -= usize::from(std::mem::take(&mut part.is_blocked));
        part.chunks.clear();
        (part.is_ended, part.is_unwanted, part.is_out_of_turn) = (true, true, true);
        part.wake(due);
        if let Some(source) = part.source.take() {
            due.wake(source);
        }
        self.make_ready(PartKey {
            transmission: key,
            part: index,
        });
    }

    /// Parts that have begun so far.
    pub(crate) fn parts_begun(&self) -> u64 {
        self.parts_begun
    }

    /// A tick of the driver has passed. Returns a response that holds memory though its reader takes
    /// nothing of it, if there are too many of those.
    // r[impl ext.credit.stall]
    pub(crate) fn tick(&mut self) -> Option<u64> {
        if self.blocked == 0 {
            return None;
        }
        let (mut bytes, mut longest) = (0, None);
        for (key, known) in &mut self.by_number {
            let is_open = known.is_response && matches!(known.state, Sending::Open);
            let blocked = known.parts.iter().filter(|part| part.is_blocked);
            let waiting: usize = blocked.map(|part| part.chunks.len()).sum();
            let has_moved = std::mem::replace(&mut known.turns_before, known.turns) != known.turns;
            if has_moved || !is_open || waiting == 0 {
                known.blocked_seconds = 0;
            } else {
                known.blocked_seconds += 1;
            }
            if is_open {
                bytes += waiting;
            }
            if known.blocked_seconds > CREDIT_STALL_SECONDS {
                longest = longest.max(Some((known.blocked_seconds, *key)));
            }
        }
        longest
            .filter(|_| bytes > BLOCKED_BYTES)
            .map(|(_, key)| key)
    }

    /// The next file whose source is to be read though others before it are not sent: the peer waits
    /// for it. One task for each message asks.
    pub(crate) fn poll_wanted(
        &mut self,
        key: u64,
        waker: &Waker,
        due: &mut WakeList,
    ) -> Poll<usize> {
        let Some(transmission) = self.by_number.get_mut(&key) else {
            return Poll::Pending;
        };
        if let Some(part) = transmission.wanted.pop() {
            return Poll::Ready(part);
        }
        due.replace(&mut transmission.file_source, waker);
        Poll::Pending
    }

    /// All of a message is in the outbox, up to this position. Its channel is free again.
    pub(crate) fn complete(&mut self, key: u64, end: u64, due: &mut WakeList) {
        if let Some(transmission) = self.by_number.get_mut(&key) {
            self.blocked -= transmission.settle(Sending::Whole(end), due);
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
        self.blocked -= transmission.settle(Sending::Aborted(error), due);
        if let Some(credit) = &mut self.credit {
            credit.over(key - 1);
        }
        Some((transmission.id, transmission.channel))
    }

    pub(crate) fn abort_all(&mut self, error: &SourceError, due: &mut WakeList) {
        for transmission in self.by_number.values_mut() {
            if matches!(transmission.state, Sending::Open) {
                self.blocked -= transmission.settle(Sending::Aborted(error.clone()), due);
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
            Sending::Whole(_) if transmission.is_cut_short => TransferEnd::PeerGone,
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
        if self.by_number.get(&key).is_some_and(|known| is_over(known)) {
            self.by_number.remove(&key);
        }
    }
}

fn open(credit: &mut credit::Sending, settings: &Settings) {
    credit.open(
        settings.message_window().into(),
        settings.connection_window(),
    );
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use sockety_codec::FlowEntry;

    use super::*;
    use crate::engine::send::layout::PartSource;

    /// A message with a stream, whose peer lets 4,096 bytes of it be sent without credit.
    fn begin(all: &mut Transmissions, number: u64, parent: Option<Uuid>) -> PartKey {
        let (id, channel) = (Uuid::from_u128(number.into()), ChannelId::ZERO);
        let stream = NewPart {
            kind: PartKind::Stream,
            source: PartSource::Written,
        };
        let transmission = all.begin(number, id, parent, channel, vec![stream]);
        PartKey {
            transmission,
            part: 0,
        }
    }

    /// Adds to a part, and sends all that has credit.
    fn push(all: &mut Transmissions, key: PartKey, bytes: usize, due: &mut WakeList) {
        let bytes = Bytes::from(vec![0; bytes]);
        all.push(key, |chunks| chunks.push(bytes)).expect("open");
        while all.turn(due).is_some() {}
    }

    fn grant(all: &mut Transmissions, number: u64, limit: u64, due: &mut WakeList) {
        let entry = FlowEntry::Part {
            number,
            part: WirePart::Stream,
            limit,
            lifeline: false,
        };
        all.credit(None).apply(entry).expect("granted");
        while all.turn(due).is_some() {}
    }

    // r[verify ext.credit.stall]
    #[test]
    fn a_response_that_has_moved_waits_anew() {
        const MUCH: usize = BLOCKED_BYTES + 1;
        let mut due = WakeList::default();
        let mut all = Transmissions::new(Negotiated::Extended);
        let windows = Settings::default().with_message_window(4_096);
        all.credit(Some(&windows.with_connection_window(1 << 40)));
        let response = begin(&mut all, 0, Some(Uuid::from_u128(7)));
        push(&mut all, response, MUCH, &mut due);
        // Another message waits all the time. It is no response, so that it is never given up.
        let request = begin(&mut all, 1, None);
        push(&mut all, request, 5_000, &mut due);
        // The first tick sees that it has moved.
        for second in 0..=CREDIT_STALL_SECONDS {
            assert_eq!(all.tick(), None, "after {second} s");
        }
        // Its reader takes all but the window, and then nothing more.
        grant(&mut all, 0, MUCH as u64 - 4_096, &mut due);
        assert_eq!(all.tick(), None);
        push(&mut all, response, MUCH, &mut due);
        for second in 1..=CREDIT_STALL_SECONDS {
            assert_eq!(all.tick(), None, "after {second} s more");
        }
        assert_eq!(all.tick(), Some(response.transmission));
    }
}

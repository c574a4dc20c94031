//! The bytes that wait to be written, in the order in which they are sent.

use std::{collections::BTreeMap, task::Waker};

use bytes::Bytes;
use sockety_codec::{
    ChannelCount, ChannelId, Encoder, FilesSummary, FlowEntry, Head, MessageHead, UsageError, Uuid,
    extension::{Leave, Settings, Status, metadata},
};

use super::{
    layout::{Layout, PartKind},
    payload::{Payload, REFERENCED_FROM},
    wait_queue::{self, Line, Ticket, WaitQueue},
};
use crate::{
    engine::wake_list::WakeList, error::stream_end::StreamEnd, fast_reply::FastReply,
    outcome::Outcome,
};

/// The queue of outgoing bytes, filled by callers and emptied by the driver.
///
/// Positions are counts of bytes since the beginning of the connection, so that "has my message
/// been sent?" is a comparison: `written <= taken <= queued`.
pub(crate) struct Outbox {
    encoder: Encoder,
    pieces: Pieces,
    /// The position after the last byte that was appended.
    queued: u64,
    /// How many of the bytes before it belong to files and streams.
    content: u64,
    /// Up to here the driver has taken bytes.
    taken: u64,
    /// Up to here bytes were handed to the socket.
    written: u64,
    /// Up to here a write that failed may have handed bytes to the socket.
    perhaps_written: u64,
    /// With this many bytes waiting, the outbox is full.
    limit: u64,
    wait_queue: WaitQueue,
    progress: Wakers,
    /// Tasks to wake once the lock is released.
    pub(crate) due: WakeList,
    unasked: Unasked,
    /// The last answer to a ping.
    pong: Option<Pong>,
    /// The metadata of the message that is appended next; nearly always empty.
    description: Vec<u8>,
    metadata: metadata::Writer,
    /// The most that the peer takes.
    metadata_bytes: u32,
}

/// What every peer takes of metadata.
// r[impl ext.settings.before]
const METADATA_BEFORE_SETTINGS: u32 = 1_024;

/// A position, and how many of the bytes before it belong to files and streams.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) position: u64,
    pub(crate) content: u64,
}

impl Place {
    /// What is known about a message without a reply that begins here, when no byte from
    /// `last_sent` on can have been sent.
    pub(crate) fn outcome(self, last_sent: u64) -> Outcome {
        if self.position < last_sent {
            Outcome::Unknown
        } else {
            Outcome::NotSent
        }
    }
}

/// Fast replies that were queued without asking for room, as the driver cannot wait for it.
#[derive(Default)]
struct Unasked {
    count: usize,
    end: u64,
}

/// Where an answer to a ping ends in the buffer, if nothing was taken since.
#[derive(Clone, Copy)]
struct Pong {
    taken: u64,
    end: usize,
}

impl Outbox {
    pub(crate) fn new(peer_channels: ChannelCount, limit: usize) -> Self {
        Self {
            encoder: Encoder::new(peer_channels),
            pieces: Pieces::default(),
            queued: 0,
            content: 0,
            taken: 0,
            written: 0,
            perhaps_written: 0,
            limit: limit as u64,
            wait_queue: WaitQueue::default(),
            progress: Wakers::default(),
            due: WakeList::default(),
            unasked: Unasked::default(),
            pong: None,
            description: Vec::new(),
            metadata: metadata::Writer::default(),
            metadata_bytes: METADATA_BEFORE_SETTINGS,
        }
    }

    /// Says what this side is as a receiver. Before anything else.
    pub(crate) fn settings(&mut self, settings: &Settings) {
        let before = self.pieces.bytes.len();
        self.encoder.settings(&mut self.pieces.bytes, settings);
        self.count_from(before);
    }

    /// The peer has said what it is as a receiver.
    pub(crate) fn on_settings(&mut self, settings: &Settings) {
        self.encoder.set_peer_channels(settings.channels());
        self.metadata_bytes = settings.metadata_bytes();
    }

    /// The number of the message or response that was appended last.
    pub(crate) fn newest(&self) -> u64 {
        self.encoder.begun().wrapping_sub(1)
    }

    /// The next message that is appended carries this. On an error nothing was changed.
    pub(crate) fn describe(
        &mut self,
        described: &metadata::Metadata<'_>,
    ) -> Result<usize, UsageError> {
        let mark = self.metadata.remembered();
        let limit = self.metadata_bytes as usize;
        self.metadata
            .encode(described, limit, &mut self.description)?;
        Ok(mark)
    }

    /// The message was appended, or not: then its names are not remembered, as the peer never sees
    /// them.
    pub(crate) fn end_description(&mut self, mark: usize, was_appended: bool) {
        self.description.clear();
        if !was_appended {
            self.metadata.forget_from(mark);
        }
    }

    /// How many messages and responses were appended.
    pub(crate) fn begun(&self) -> u64 {
        self.encoder.begun()
    }

    /// Grants the peer credit for content. The entries must fit in one packet.
    pub(crate) fn flow(&mut self, entries: impl IntoIterator<Item = FlowEntry>) {
        let before = self.pieces.bytes.len();
        let rest = self.encoder.flow(&mut self.pieces.bytes, entries);
        debug_assert!(rest.is_none(), "an entry that was granted is not written");
        self.count_from(before);
    }

    /// Says that nobody waits for the reply to this request any more.
    pub(crate) fn cancel(&mut self, number: u64) {
        let before = self.pieces.bytes.len();
        self.encoder.cancel(&mut self.pieces.bytes, &[number]);
        self.count_from(before);
    }

    /// Appends a message or a response with its payload. On an error nothing was appended.
    ///
    /// With a layout, files or a stream follow on the channel, which stays occupied until they have
    /// ended; without one, the message is whole, and leaves the channel free.
    pub(crate) fn submit(
        &mut self,
        channel: ChannelId,
        head: Head<'_>,
        payload: Payload<'_>,
        layout: Option<&Layout>,
    ) -> Result<(), UsageError> {
        let before = self.pieces.bytes.len();
        match (payload, layout) {
            (Payload::Copied(bytes), None) => {
                let into = &mut self.pieces.bytes;
                // Each kind has a separate copy of the encoding code, which knows the kind.
                match head {
                    _ if !self.description.is_empty() => {
                        let described = self.encoder.describing(&self.description);
                        described.whole(into, channel, head, bytes)?;
                    }
                    Head::Message(head) => self.encoder.whole(into, channel, head, bytes)?,
                    Head::Response(head) => self.encoder.whole(into, channel, head, bytes)?,
                }
            }
            (payload, layout) => self.begin(channel, head, payload, layout)?,
        }
        self.count_from(before);
        Ok(())
    }

    fn begin(
        &mut self,
        channel: ChannelId,
        head: Head<'_>,
        payload: Payload<'_>,
        layout: Option<&Layout>,
    ) -> Result<(), UsageError> {
        // Checked first: once the header is written, the payload has to follow.
        let length = packet_length(payload.len())?;
        let files = layout.map(Layout::headers).unwrap_or_default();
        let head = head
            .with_payload_size(length.into())
            .with_stream(layout.is_some_and(Layout::has_stream))
            // Files that a header cannot announce have no summary: the encoder refuses the empty
            // one.
            .with_files(FilesSummary::of(&files).unwrap_or_default());
        let into = &mut self.pieces.bytes;
        let described = self.encoder.describing(&self.description);
        described.begin(into, channel, head, &files)?;
        self.payload(channel, payload, length)
    }

    // r[impl content.data.single]
    fn payload(
        &mut self,
        channel: ChannelId,
        payload: Payload<'_>,
        length: u32,
    ) -> Result<(), UsageError> {
        if length == 0 {
            return Ok(());
        }
        self.encoder.data(&mut self.pieces.bytes, channel, length)?;
        match payload {
            Payload::Copied(bytes) => self.pieces.bytes.extend_from_slice(bytes),
            Payload::Referenced(start, bytes) => {
                self.pieces.bytes.extend_from_slice(start);
                self.reference(bytes.clone());
            }
        }
        Ok(())
    }

    // r[impl content.stream.joined]
    /// Appends a piece of a file or a stream as one packet, and the end of the part if this is the
    /// last piece.
    pub(crate) fn content(
        &mut self,
        channel: ChannelId,
        kind: PartKind,
        chunks: Vec<Bytes>,
        is_end: bool,
    ) -> Result<(), UsageError> {
        let (before, start) = (self.pieces.bytes.len(), self.queued);
        let length = chunks.iter().map(Bytes::len).sum::<usize>();
        if length > 0 {
            let length = packet_length(length)?;
            match kind {
                PartKind::Stream => self
                    .encoder
                    .stream(&mut self.pieces.bytes, channel, length)?,
                PartKind::File(index) => {
                    self.encoder
                        .file(&mut self.pieces.bytes, channel, index, length)?
                }
            }
            for chunk in chunks {
                self.chunk(chunk);
            }
        }
        match kind {
            _ if !is_end => {}
            PartKind::Stream => self.encoder.stream_end(&mut self.pieces.bytes, channel)?,
            PartKind::File(index) => {
                self.encoder
                    .file_end(&mut self.pieces.bytes, channel, index)?
            }
        }
        self.count_from(before);
        self.content += self.queued - start;
        Ok(())
    }

    /// Ends the stream that is open on this channel with an error.
    // r[impl ext.status]
    #[cold]
    pub(crate) fn stream_end_with(
        &mut self,
        channel: ChannelId,
        end: &StreamEnd,
    ) -> Result<(), UsageError> {
        let (before, start) = (self.pieces.bytes.len(), self.queued);
        let into = &mut self.pieces.bytes;
        self.encoder.stream_end_with(into, channel, &end.status())?;
        self.count_from(before);
        self.content += self.queued - start;
        Ok(())
    }

    /// Ends the message that is open on this channel, unfinished.
    pub(crate) fn abort(&mut self, channel: ChannelId) {
        let before = self.pieces.bytes.len();
        if let Err(error) = self.encoder.abort(&mut self.pieces.bytes, channel) {
            debug_assert!(false, "nothing to abort: {error}");
        }
        self.count_from(before);
    }

    /// Like [`Outbox::abort`], and says why.
    pub(crate) fn abort_with(&mut self, channel: ChannelId, code: FastReply) {
        let before = self.pieces.bytes.len();
        let status = Status {
            code: code.reply_code(),
            error: &[],
        };
        let into = &mut self.pieces.bytes;
        if let Err(error) = self.encoder.abort_with(into, channel, &status) {
            debug_assert!(false, "nothing to abort: {error}");
        }
        self.count_from(before);
    }

    /// Frees a channel after an abort that the peer is known to take notice of.
    pub(crate) fn reuse(&mut self, channel: ChannelId) {
        self.encoder.reuse(channel);
    }

    pub(crate) fn is_free(&self, channel: ChannelId) -> bool {
        self.encoder.is_free(channel)
    }

    /// Appends messages that are encoded already, on channel 0.
    pub(crate) fn prepared(&mut self, block: &Block) -> Result<(), UsageError> {
        let before = self.pieces.bytes.len();
        let (count, bytes) = (block.messages, &block.bytes);
        self.encoder
            .prepared(&mut self.pieces.bytes, ChannelId::ZERO, count, bytes)?;
        self.count_from(before);
        Ok(())
    }

    pub(crate) fn fast_reply(&mut self, id: Uuid, reply: FastReply) {
        let before = self.pieces.bytes.len();
        let (into, code) = (&mut self.pieces.bytes, reply.reply_code());
        match self.description.is_empty() {
            true => self.encoder.fast_reply(into, id, code),
            false => {
                let described = self.encoder.describing(&self.description);
                described.fast_reply(into, id, code);
            }
        }
        self.count_from(before);
    }

    /// Like [`Outbox::fast_reply`], but counts the reply as one that did not ask for room.
    pub(crate) fn unasked_reply(&mut self, id: Uuid, reply: FastReply) {
        self.fast_reply(id, reply);
        self.unasked = Unasked {
            count: self.unasked.count + 1,
            end: self.queued,
        };
    }

    /// How many replies that did not ask for room wait to be written.
    pub(crate) fn unasked(&self) -> usize {
        self.unasked.count
    }

    pub(crate) fn heartbeat(&mut self) {
        let before = self.pieces.bytes.len();
        self.encoder.heartbeat(&mut self.pieces.bytes);
        self.count_from(before);
    }

    pub(crate) fn go_away(&mut self) {
        let before = self.pieces.bytes.len();
        self.encoder.go_away(&mut self.pieces.bytes);
        self.count_from(before);
    }

    /// What a peer with the extension is told instead of [`Outbox::go_away`].
    pub(crate) fn leave(&mut self, leave: &Leave<'_>) {
        let before = self.pieces.bytes.len();
        self.encoder.leave(&mut self.pieces.bytes, leave);
        self.count_from(before);
    }

    /// Says that no message follows.
    pub(crate) fn done(&mut self) {
        let before = self.pieces.bytes.len();
        self.encoder.done(&mut self.pieces.bytes);
        self.count_from(before);
    }

    pub(crate) fn ping(&mut self, bytes: [u8; 8]) {
        let before = self.pieces.bytes.len();
        self.encoder.ping(&mut self.pieces.bytes, bytes);
        self.count_from(before);
    }

    /// Answers a ping. An answer to another one that was not taken yet is replaced, so that a flood
    /// of pings takes no memory.
    // r[impl ext.ping]
    pub(crate) fn pong(&mut self, bytes: [u8; 8]) {
        let waiting = self.pong.filter(|pong| pong.taken == self.taken);
        let place = waiting.and_then(|pong| {
            let bytes = self.pieces.bytes.get_mut(..pong.end)?;
            bytes.last_chunk_mut()
        });
        if let Some(place) = place {
            *place = bytes;
            return;
        }
        let before = self.pieces.bytes.len();
        self.encoder.pong(&mut self.pieces.bytes, bytes);
        self.count_from(before);
        self.pong = Some(Pong {
            taken: self.taken,
            end: self.pieces.bytes.len(),
        });
    }

    fn chunk(&mut self, chunk: Bytes) {
        if chunk.len() < REFERENCED_FROM {
            self.pieces.bytes.extend_from_slice(&chunk);
        } else {
            self.reference(chunk);
        }
    }

    /// What lies outside the buffer is counted here, the buffer itself by [`Outbox::count_from`].
    fn reference(&mut self, bytes: Bytes) {
        self.queued += bytes.len() as u64;
        let at = self.pieces.bytes.len();
        self.pieces.references.push((at, bytes));
    }

    fn count_from(&mut self, before: usize) {
        self.queued += (self.pieces.bytes.len() - before) as u64;
    }

    /// The position after the last byte queued.
    pub(crate) fn end(&self) -> u64 {
        self.queued
    }

    /// Like [`Outbox::end`], with the bytes of files and streams before it.
    pub(crate) fn place(&self) -> Place {
        Place {
            position: self.queued,
            content: self.content,
        }
    }

    /// The position up to which the driver has taken bytes.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// The position up to which bytes were handed to the socket.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// The position from which on no byte can have been sent.
    pub(crate) fn last_sent(&self) -> u64 {
        self.written.max(self.perhaps_written)
    }

    /// A write failed that may have passed on any of the bytes that it was given.
    pub(crate) fn on_failed_write(&mut self) {
        self.perhaps_written = self.taken;
    }

    /// How many bytes wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.queued - self.written
    }

    /// Whether new messages have to wait. The last one accepted may exceed the limit, so that a
    /// message larger than the limit can be sent at all.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting() >= self.limit
    }

    /// Whether there is something that the driver has not taken yet.
    pub(crate) fn has_new(&self) -> bool {
        !self.pieces.bytes.is_empty()
    }

    /// Hands everything that is queued to the driver in exchange for its used buffers, so that the
    /// lock is not held while bytes are copied or written.
    pub(crate) fn take(&mut self, used: &mut Pieces) {
        used.clear();
        self.taken = self.queued;
        std::mem::swap(&mut self.pieces, used);
    }

    /// Returns the buffers to the allocator, if nothing waits in them.
    pub(crate) fn give_back_memory(&mut self) {
        if self.waiting() == 0 {
            self.pieces = Pieces::default();
        }
    }

    /// Bytes were handed to the socket: wakes the tasks that wait for that, and the first task of
    /// each queue for room.
    pub(crate) fn advance(&mut self, count: u64) {
        self.written += count;
        if self.written >= self.unasked.end {
            self.unasked.count = 0;
        }
        self.progress.wake_up_to(self.written, &mut self.due);
        if !self.wait_queue.is_empty() && !self.is_full() {
            self.wait_queue.wake_first_of_each(&mut self.due);
        }
    }

    /// A channel was freed or retired, or the connection no longer accepts messages: every task
    /// that waits has to look again.
    pub(crate) fn wake_space(&mut self) {
        self.wait_queue.wake_all(&mut self.due);
    }

    /// The connection has ended: wakes all tasks.
    pub(crate) fn wake_all(&mut self) {
        self.progress.wake_all(&mut self.due);
        self.wait_queue.wake_all(&mut self.due);
    }

    pub(crate) fn wait_for_space(
        &mut self,
        ticket: &mut Option<Ticket>,
        line: Line,
        waker: &Waker,
    ) {
        self.wait_queue.wait(ticket, line, waker, &mut self.due);
    }

    /// Whether any task waits for room.
    pub(crate) fn is_awaited(&self) -> bool {
        !self.wait_queue.is_empty()
    }

    /// Whether a task that comes now would overtake another.
    pub(crate) fn has_waiting(&self, line: Line) -> bool {
        self.wait_queue.has_waiting(line)
    }

    /// A task that waited has found room. It wakes the next one, which may find some too.
    pub(crate) fn pass_turn(&mut self, ticket: Ticket) {
        self.wait_queue.leave(ticket, &mut self.due);
        self.wake_next(ticket.line());
    }

    /// A task waits no longer. If it was woken already, its turn passes to the next one.
    pub(crate) fn forget_space(&mut self, ticket: Ticket) {
        if !self.wait_queue.leave(ticket, &mut self.due) {
            self.wake_next(ticket.line());
        }
    }

    /// Called once a second. A task that was woken and has not come no longer keeps others waiting.
    pub(crate) fn on_tick(&mut self) {
        if !self.is_full() {
            self.wait_queue.wake_all(&mut self.due);
            self.wait_queue.forget_called();
        }
    }

    fn wake_next(&mut self, line: Line) {
        if !self.is_full() {
            self.wait_queue.wake_first(line, &mut self.due);
        }
    }

    pub(crate) fn wait_for_progress(&mut self, position: u64, waker: &Waker) {
        wait_queue::register(&mut self.progress.wakers, position, waker, &mut self.due);
    }

    pub(crate) fn forget_progress(&mut self, position: u64) {
        let waker = self.progress.wakers.remove(&position);
        waker.into_iter().for_each(|waker| self.due.discard(waker));
    }
}

/// The length of what has to fit one packet.
fn packet_length(size: usize) -> Result<u32, UsageError> {
    u32::try_from(size).map_err(|_| UsageError::PayloadTooLarge {
        size: size as u64,
        max: u64::from(u32::MAX),
    })
}

/// One-way messages that are encoded already, without files and streams: how many, and the largest of
/// each kind of size, which their receivers limit.
#[derive(Default)]
pub(crate) struct Block {
    pub(crate) bytes: Vec<u8>,
    pub(crate) messages: u64,
    pub(crate) payload: u64,
    pub(crate) action: usize,
    pub(crate) header: u32,
    /// The action and the payload of the message whose header was measured last: that of a message
    /// with no more of both is no larger.
    measured: (usize, u64),
}

impl Block {
    /// Encodes another message.
    pub(crate) fn add(&mut self, head: MessageHead<'_>, payload: &[u8]) -> Result<(), UsageError> {
        let (action, size) = (head.action.len(), payload.len() as u64);
        if self.header == 0 || action > self.measured.0 || size > self.measured.1 {
            let header = Encoder::header_size(head.with_payload_size(size), &[])?;
            self.header = self.header.max(header);
            self.measured = (action, size);
        }
        sockety_codec::encode_message(&mut self.bytes, head, payload)?;
        self.messages += 1;
        self.payload = self.payload.max(size);
        self.action = self.action.max(action);
        Ok(())
    }

    /// Removes all messages, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        *self = Self {
            bytes,
            ..Self::default()
        };
    }
}

/// Bytes to write: a buffer, and the large payloads that belong between its bytes.
#[derive(Default)]
pub(crate) struct Pieces {
    pub(crate) bytes: Vec<u8>,
    /// Each belongs before the byte of the buffer at this index.
    pub(crate) references: Vec<(usize, Bytes)>,
}

impl Pieces {
    /// The capacity that a busy connection keeps. A quiet one keeps none.
    const KEPT: usize = 64 * 1024;

    fn clear(&mut self) {
        self.references.clear();
        self.bytes.clear();
        self.bytes.shrink_to(Self::KEPT);
    }
}

/// Tasks that wait until bytes are written, by position. Each message waits for a different end,
/// so that there is one task at each position.
#[derive(Default)]
struct Wakers {
    wakers: BTreeMap<u64, Waker>,
}

impl Wakers {
    fn wake_up_to(&mut self, position: u64, due: &mut WakeList) {
        while let Some(entry) = self.wakers.first_entry() {
            if *entry.key() > position {
                break;
            }
            due.wake(entry.remove());
        }
    }

    fn wake_all(&mut self, due: &mut WakeList) {
        for (_, waker) in std::mem::take(&mut self.wakers) {
            due.wake(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_when_nothing_waits_and_not_before() {
        let mut outbox = Outbox::new(ChannelCount::MAX, 1024);
        outbox.heartbeat();
        outbox.give_back_memory();
        assert_eq!(outbox.waiting(), 1);
        let mut taken = Pieces::default();
        outbox.take(&mut taken);
        assert_eq!(taken.bytes, [0xA0]);
        outbox.advance(1);
        outbox.take(&mut taken);
        assert!(outbox.pieces.bytes.capacity() > 0);
        outbox.give_back_memory();
        assert_eq!(outbox.pieces.bytes.capacity(), 0);
        outbox.heartbeat();
        assert_eq!(outbox.waiting(), 1);
    }
}

//! Files and streams that are arriving, between the driver that brings them and the readers that take them.

use std::{
    io,
    pin::Pin,
    sync::{Arc, PoisonError, atomic::Ordering},
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use sockety_codec::Uuid;
use tokio::{
    io::{AsyncRead, ReadBuf},
    task::JoinHandle,
};

use super::spill::{Extent, SpillFile, Spilled};
use crate::{
    engine::{memory::chunks::Chunks, shared::Shared},
    error::read::ReadError,
    sync::{AtomicBool, Mutex, MutexGuard},
};

/// The files and the stream of one message.
pub(crate) struct Intake {
    shared: Arc<Shared>,
    state: Mutex<State>,
    files: usize,
    has_stream: bool,
    /// What it is about: the id of its message, or of the one that its message answers.
    pub(crate) about: Uuid,
    /// Whether its message was answered: the driver answers for a handler whose content it cuts off.
    pub(crate) is_answered: AtomicBool,
    /// It was the connection that answered, as nobody read the content. Changes under the lock of the connection.
    pub(crate) is_cut_off: AtomicBool,
}

struct State {
    parts: Vec<Part>,
    unread: usize,
    /// Bytes taken or dropped since the beginning.
    taken: u64,
    /// The driver waits for it to be read.
    is_awaited: bool,
    /// Where content is that had to make way.
    spill: Option<SpillFile>,
    /// Bytes there, or on their way there, that were not read back.
    on_disk: u64,
}

#[derive(Default)]
struct Part {
    chunks: Chunks,
    state: PartState,
    reader: Option<Waker>,
    /// What came before the chunks, and is on disk.
    spilled: Spilled,
    /// Bytes on their way to the disk.
    spilling: usize,
}

#[derive(Default)]
enum PartState {
    #[default]
    Open,
    Ended,
    Failed(ReadError),
    /// Its reader was dropped: what comes is dropped too.
    Unwanted,
}

impl Intake {
    pub(crate) fn new(
        shared: Arc<Shared>,
        files: usize,
        has_stream: bool,
        about: Uuid,
    ) -> Arc<Self> {
        shared.files.fetch_add(files, Ordering::Relaxed);
        let streams = usize::from(has_stream);
        shared.streams.fetch_add(streams, Ordering::Relaxed);
        let state = State {
            parts: Vec::new(),
            unread: 0,
            taken: 0,
            is_awaited: false,
            spill: None,
            on_disk: 0,
        };
        Arc::new(Self {
            shared,
            state: Mutex::new(state),
            files,
            has_stream,
            about,
            is_answered: AtomicBool::new(false),
            is_cut_off: AtomicBool::new(false),
        })
    }

    /// Makes the next part.
    pub(crate) fn part(self: &Arc<Self>) -> PartReader {
        let mut state = self.lock();
        state.parts.push(Part::default());
        PartReader {
            intake: Arc::clone(self),
            part: state.parts.len() - 1,
            rest: Bytes::new(),
            reading: None,
        }
    }

    /// Sends what nobody reads yet to disk, if somebody waits for another part. Woken when that is done, the driver
    /// looks again.
    pub(crate) fn spill_for_starved(self: &Arc<Self>) {
        let mut state = self.lock();
        if !state.parts.iter().any(Part::is_starved) {
            return;
        }
        for part in 0..state.parts.len() {
            if let Some((extent, job)) = self.begin_spilling(&mut state, part) {
                let intake = Arc::clone(self);
                tokio::spawn(async move { intake.spill(part, extent, job).await });
            }
        }
    }

    fn begin_spilling(&self, state: &mut State, part: usize) -> Option<(Extent, SpillJob)> {
        let part = &mut state.parts[part];
        let bytes = part.chunks.len();
        if part.spilling > 0 || part.reader.is_some() || bytes == 0 {
            return None;
        }
        let file = match &mut state.spill {
            Some(file) => file,
            none => match SpillFile::create(Arc::clone(self.shared.budgets.spill())) {
                Ok(file) => none.insert(file?),
                // Then it waits in memory like any other that is not read.
                Err(error) => {
                    tracing::warn!(%error, "no temporary file");
                    return None;
                }
            },
        };
        let extent = file.reserve(bytes)?;
        let chunks: Vec<_> = std::iter::from_fn(|| part.chunks.pop(usize::MAX)).collect();
        part.spilling = bytes;
        state.on_disk += bytes as u64;
        Some((extent, Box::new(file.write(extent, chunks))))
    }

    async fn spill(&self, part: usize, extent: Extent, job: SpillJob) {
        let result = tokio::task::spawn_blocking(job)
            .await
            .map_err(io::Error::other)
            .flatten();
        let mut state = self.lock();
        let found = &mut state.parts[part];
        let mut count = std::mem::take(&mut found.spilling);
        let mut gone = 0;
        match (result, &found.state) {
            (_, PartState::Unwanted) => gone = count,
            (Ok(()), _) => found.spilled.push(extent),
            (Err(error), _) => {
                gone = count;
                found.state = PartState::Failed(ReadError::Spill(Arc::new(error)));
                // What came meanwhile would be read with a gap before it.
                count += found.chunks.len();
                found.chunks.clear();
            }
        }
        found.wake();
        let file = state.leave_disk(gone as u64);
        let wakes_driver = self.count_taken(&mut state, count);
        drop(state);
        drop(file);
        if wakes_driver {
            self.shared.wake_driver();
        }
    }

    /// Adds to a part.
    pub(crate) fn push(&self, part: usize, bytes: &[u8]) -> Pushed {
        let mut state = self.lock();
        let Some(found) = state.parts.get_mut(part) else {
            return Pushed::Dropped;
        };
        if !matches!(found.state, PartState::Open) {
            return Pushed::Dropped;
        }
        found.chunks.push_received(bytes);
        found.wake();
        state.unread += bytes.len();
        self.shared.unread.fetch_add(bytes.len(), Ordering::Relaxed);
        self.shared.budgets.received().charge(bytes.len() as u64);
        Pushed::Unread(state.unread)
    }

    /// The part is whole.
    pub(crate) fn end(&self, part: usize) {
        self.settle(part, PartState::Ended);
    }

    /// The part is not whole, and never will be.
    pub(crate) fn fail_part(&self, part: usize, error: ReadError) {
        self.settle(part, PartState::Failed(error));
    }

    fn settle(&self, part: usize, new: PartState) {
        let mut state = self.lock();
        if let Some(part) = state.parts.get_mut(part) {
            if matches!(part.state, PartState::Open) {
                part.state = new;
            }
            part.wake();
        }
    }

    /// The message is given up: whatever is not whole ends with this error.
    pub(crate) fn fail(&self, error: &ReadError) {
        let mut state = self.lock();
        let mut dropped = 0;
        for part in &mut state.parts {
            if matches!(part.state, PartState::Open) {
                part.state = PartState::Failed(error.clone());
                dropped += part.chunks.len();
                part.chunks.clear();
            }
            part.wake();
        }
        self.count_taken(&mut state, dropped);
    }

    /// What is unread is dropped, whether all of it has come or not.
    pub(crate) fn cut_off(&self, error: &ReadError) {
        let mut state = self.lock();
        let mut dropped = 0;
        for part in &mut state.parts {
            let is_unread = !part.chunks.is_empty();
            if is_unread || matches!(part.state, PartState::Open) {
                part.state = PartState::Failed(error.clone());
                dropped += part.chunks.len();
                part.chunks.clear();
                part.wake();
            }
        }
        self.count_taken(&mut state, dropped);
    }

    /// How much is unread and was taken; from now on the driver is woken when something is.
    pub(crate) fn await_reader(&self) -> Level {
        let mut state = self.lock();
        state.is_awaited = true;
        Level {
            unread: state.unread,
            taken: state.taken,
        }
    }

    /// Bytes leave the intake: the caller woke nobody yet.
    fn count_taken(&self, state: &mut State, count: usize) -> bool {
        state.unread -= count;
        state.taken += count as u64;
        self.shared.unread.fetch_sub(count, Ordering::SeqCst);
        self.shared.budgets.received().give_back(count as u64);
        let is_awaited = count > 0 && std::mem::take(&mut state.is_awaited);
        is_awaited || self.makes_room_for_others()
    }

    /// Whether reading pauses for the budget of the connection, and that has room now. The budget of all connections is
    /// looked at again at the next tick.
    fn makes_room_for_others(&self) -> bool {
        let awaits_room = &self.shared.awaits_room;
        let has_room = self.shared.unread.load(Ordering::SeqCst) < self.shared.options.unread_bytes;
        has_room && awaits_room.load(Ordering::SeqCst) && awaits_room.swap(false, Ordering::SeqCst)
    }

    fn poll_chunk(
        &self,
        part: usize,
        limit: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Next, ReadError>>> {
        let mut state = self.lock();
        if let Some(job) = state.read_back(part) {
            return Poll::Ready(Some(Ok(Next::OnDisk(job))));
        }
        let found = &mut state.parts[part];
        let chunk = if found.spilling > 0 {
            None
        } else {
            found.chunks.pop(limit)
        };
        if let Some(chunk) = chunk {
            let wakes_driver = self.count_taken(&mut state, chunk.len());
            drop(state);
            if wakes_driver {
                self.shared.wake_driver();
            }
            return Poll::Ready(Some(Ok(Next::Chunk(chunk))));
        }
        match &found.state {
            // What is on its way to the disk comes first.
            PartState::Ended if found.spilling == 0 => Poll::Ready(None),
            PartState::Failed(error) if found.spilling == 0 => {
                Poll::Ready(Some(Err(error.clone())))
            }
            PartState::Ended | PartState::Failed(_) | PartState::Open | PartState::Unwanted => {
                found.reader = Some(cx.waker().clone());
                // Paused for other parts of this message, the driver has to move those out of the way.
                let wakes_driver = std::mem::take(&mut state.is_awaited);
                drop(state);
                if wakes_driver {
                    self.shared.wake_driver();
                }
                Poll::Pending
            }
        }
    }

    fn was_read_back(&self, part: usize, count: usize) {
        let mut state = self.lock();
        state.parts[part].spilled.was_read(count);
        let file = state.leave_disk(count as u64);
        drop(state);
        drop(file);
    }

    fn drop_part(&self, part: usize) {
        let mut state = self.lock();
        let found = &mut state.parts[part];
        let dropped = found.chunks.len();
        found.chunks.clear();
        let spilled = std::mem::take(&mut found.spilled);
        found.reader = None;
        found.state = PartState::Unwanted;
        let file = state.leave_disk(spilled.len());
        let wakes_driver = self.count_taken(&mut state, dropped);
        drop(state);
        drop(file);
        if wakes_driver {
            self.shared.wake_driver();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of content.
pub(crate) enum Pushed {
    /// It waits; so many bytes of the message do.
    Unread(usize),
    /// Nobody wants it any longer.
    Dropped,
}

impl Drop for Intake {
    fn drop(&mut self) {
        let streams = usize::from(self.has_stream);
        self.shared.files.fetch_sub(self.files, Ordering::Relaxed);
        self.shared.streams.fetch_sub(streams, Ordering::Relaxed);
    }
}

/// How full an intake is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Level {
    pub(crate) unread: usize,
    pub(crate) taken: u64,
}

impl State {
    /// What reads the next bytes of a part from the disk, if there are any.
    fn read_back(&self, part: usize) -> Option<ReadJob> {
        let extent = self.parts[part].spilled.next()?;
        Some(Box::new(self.spill.as_ref()?.read(extent)))
    }

    /// Bytes were read back from disk, or nobody wants them. With the last of them the file goes, to be dropped
    /// without the lock.
    #[must_use]
    fn leave_disk(&mut self, count: u64) -> Option<SpillFile> {
        self.on_disk -= count;
        if self.on_disk == 0 {
            self.spill.take()
        } else {
            None
        }
    }
}

impl Part {
    /// Its reader waits for what has not come.
    fn is_starved(&self) -> bool {
        let is_waiting = self.reader.is_some() && self.spilling == 0;
        is_waiting && self.chunks.is_empty() && matches!(self.state, PartState::Open)
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

type SpillJob = Box<dyn FnOnce() -> io::Result<()> + Send>;

type ReadJob = Box<dyn FnOnce() -> io::Result<Bytes> + Send>;

/// Where the next bytes of a part are.
enum Next {
    Chunk(Bytes),
    OnDisk(ReadJob),
}

/// What who reads into a small buffer takes at a time.
const READ_BYTES: usize = 1024;

/// Reads one file or stream. Dropping it drops what it has not read, and the message goes on.
pub(crate) struct PartReader {
    intake: Arc<Intake>,
    part: usize,
    /// Of the chunk taken last, for who reads into a buffer.
    rest: Bytes,
    /// A chunk that is being read from the disk.
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl PartReader {
    /// The next chunk, at most this long; `None` at the end.
    pub(crate) fn poll_chunk(
        &mut self,
        limit: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, ReadError>>> {
        if ready!(self.poll_fill(limit, cx))? {
            let length = self.rest.len().min(limit);
            return Poll::Ready(Some(Ok(self.rest.split_to(length))));
        }
        Poll::Ready(None)
    }

    /// Sees to it that there is a rest; `false` at the end.
    fn poll_fill(&mut self, limit: usize, cx: &mut Context<'_>) -> Poll<Result<bool, ReadError>> {
        while self.rest.is_empty() {
            if let Some(reading) = &mut self.reading {
                let read = ready!(Pin::new(reading).poll(cx))
                    .map_err(io::Error::other)
                    .flatten();
                self.reading = None;
                self.rest = read.map_err(|error| ReadError::Spill(Arc::new(error)))?;
                self.intake.was_read_back(self.part, self.rest.len());
                continue;
            }
            match ready!(self.intake.poll_chunk(self.part, limit, cx)).transpose()? {
                Some(Next::Chunk(chunk)) => self.rest = chunk,
                Some(Next::OnDisk(job)) => self.reading = Some(tokio::task::spawn_blocking(job)),
                None => return Poll::Ready(Ok(false)),
            }
        }
        Poll::Ready(Ok(true))
    }
}

impl Drop for PartReader {
    fn drop(&mut self) {
        self.intake.drop_part(self.part);
    }
}

impl Stream for PartReader {
    type Item = Result<Bytes, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_chunk(usize::MAX, cx)
    }
}

impl AsyncRead for PartReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // No more than is read soon: what lies in the rest counts as taken.
        let limit = into.remaining().max(READ_BYTES);
        if !ready!(self.poll_fill(limit, cx))? {
            return Poll::Ready(Ok(()));
        }
        let length = self.rest.len().min(into.remaining());
        into.put_slice(&self.rest[..length]);
        self.rest.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl std::fmt::Debug for PartReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartReader")
            .field("part", &self.part)
            .finish_non_exhaustive()
    }
}

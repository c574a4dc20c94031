//! Files and streams that are arriving, between the driver that pushes them and the readers that
//! take them.

#[cfg(feature = "metrics")]
use std::sync::OnceLock;
use std::{
    fmt, io,
    pin::Pin,
    sync::{Arc, PoisonError, atomic::Ordering},
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use sockety_codec::{FileIndex, Part as WirePart, Uuid};
use tokio::{
    io::{AsyncRead, ReadBuf},
    task::JoinHandle,
};

use super::{
    credit::MessageCredit,
    spill::{self, Extent, Spill, SpillError, SpillFile, Spilled},
};
use crate::{
    action::Action,
    engine::{account::Account, lease::Lease, memory::chunks::Chunks, transfer::ContentBytes},
    error::read::ReadError,
    sync::{AtomicBool, AtomicU64, Mutex, MutexGuard},
};

/// The files and the stream of one message.
///
/// The driver pushes, readers on any thread take. Both do so under the lock of the intake, and wake
/// each other after they have released it. The lock of the connection is never held at the same
/// time.
pub(crate) struct Intake {
    account: Arc<Account>,
    driver: Arc<dyn WakeDriver>,
    /// `None` for a peer without the extension. Its lock is taken after that of the intake is released.
    credit: Option<MessageCredit>,
    state: Mutex<State>,
    files: usize,
    has_stream: bool,
    /// The id of its message, or of the message that it answers.
    pub(crate) about: Uuid,
    /// Whether its message was answered, by the handler, or by the driver if it cut the content
    /// off.
    pub(crate) is_answered: AtomicBool,
    /// Whether its sender has aborted the message.
    pub(crate) is_aborted: AtomicBool,
    /// Counts what readers hand out of what they took.
    handed_out: AtomicU64,
    /// It was the connection that answered, as nobody read the content. Changes under the lock of
    /// the connection.
    pub(crate) is_cut_off: AtomicBool,
    /// Called with how much has come when it is dropped.
    #[cfg(feature = "metrics")]
    measured: OnceLock<Box<dyn FnOnce(ContentBytes) + Send + Sync>>,
}

/// Wakes the driver of the connection, which may have paused reading until something is taken.
pub(crate) trait WakeDriver: Send + Sync {
    fn wake_driver(&self);

    /// Logs that no temporary file can be made.
    fn warn_of_no_file(&self, error: &io::Error);
}

/// Whether the driver must be woken after the lock of the intake is released.
#[must_use]
enum Driver {
    IsAwake,
    Waits,
}

impl Driver {
    fn or(self, other: Self) -> Self {
        match self {
            Self::IsAwake => other,
            Self::Waits => Self::Waits,
        }
    }
}

struct State {
    parts: Vec<Part>,
    unread: usize,
    /// Bytes that came for readers so far.
    received: ContentBytes,
    /// Bytes taken or dropped so far.
    taken: u64,
    /// Whether the driver waits until something is taken.
    is_awaited: bool,
    /// How far readers were when [`Intake::spill_if_still`] looked.
    progress_before: Option<u64>,
    stream_limit: Option<StreamLimit>,
    /// Where content is that had to make way.
    spill: Spill,
    /// Bytes there, or on their way there, that were not read back.
    on_disk: u64,
    /// No temporary file could be made when it was tried last.
    has_no_file: bool,
}

#[derive(Default)]
struct Part {
    chunks: Chunks,
    state: PartState,
    reader: Option<Waker>,
    /// The bytes before the chunks that are on disk.
    spilled: Spilled,
    /// Bytes on their way to the disk, between the two.
    spilling: usize,
    /// Bytes that its reader has taken and that were not reported to the credit.
    untold: u64,
    /// Whether it was reported to the credit that its reader waits.
    is_known_to_wait: bool,
}

#[derive(Default)]
enum PartState {
    #[default]
    Open,
    Ended,
    Failed(ReadError),
    /// Its reader was dropped, so what arrives is dropped too.
    Unwanted,
}

impl Intake {
    pub(crate) fn new(
        account: Arc<Account>,
        driver: Arc<dyn WakeDriver>,
        credit: Option<MessageCredit>,
        files: usize,
        has_stream: bool,
        about: Uuid,
    ) -> Arc<Self> {
        account.add_parts(files, usize::from(has_stream));
        // Of many files that are announced, none may ever come.
        let known = usize::from(has_stream) + usize::from(files > 0);
        let state = State {
            parts: Vec::with_capacity(known),
            unread: 0,
            received: ContentBytes::default(),
            stream_limit: None,
            taken: 0,
            is_awaited: false,
            progress_before: None,
            spill: Spill::default(),
            on_disk: 0,
            has_no_file: false,
        };
        Arc::new(Self {
            account,
            driver,
            credit,
            state: Mutex::new(state),
            files,
            has_stream,
            about,
            is_answered: AtomicBool::new(false),
            is_aborted: AtomicBool::new(false),
            handed_out: AtomicU64::new(0),
            is_cut_off: AtomicBool::new(false),
            #[cfg(feature = "metrics")]
            measured: OnceLock::new(),
        })
    }

    /// Adds the next part and returns its reader.
    pub(crate) fn part(self: &Arc<Self>) -> PartReader {
        let mut state = self.lock();
        state.parts.push(Part::default());
        PartReader {
            intake: Arc::clone(self),
            part: state.parts.len() - 1,
            rest: Bytes::new(),
            reading: None,
            lease: None,
        }
    }

    /// Moves what nobody reads yet to disk if a reader waits for another part. The driver is woken
    /// when that is done, and looks again.
    pub(crate) fn spill_for_starved(self: &Arc<Self>) {
        let state = self.lock();
        if state.parts.iter().any(Part::is_starved) {
            self.spill_parts(state);
        }
    }

    /// Moves everything that was not taken to disk. The driver is woken when that is done, and
    /// looks again.
    pub(crate) fn spill_unread(self: &Arc<Self>) -> Spilling {
        self.spill_parts(self.lock())
    }

    /// Like [`Intake::spill_unread`], unless its readers have taken something since this was called
    /// before. Called once a second.
    pub(crate) fn spill_if_still(self: &Arc<Self>) {
        let mut state = self.lock();
        let progress = state.taken + self.handed_out.load(Ordering::Relaxed);
        let before = state.progress_before.replace(progress);
        if before == Some(progress) && state.unread > 0 {
            self.spill_parts(state);
        }
    }

    fn spill_parts(self: &Arc<Self>, mut state: MutexGuard<'_, State>) -> Spilling {
        let begun = if state.has_no_file {
            Spilling::HasNoRoom
        } else {
            Spilling::IsUnderWay
        };
        let mut spilling = Spilling::HasNoRoom;
        for part in 0..state.parts.len() {
            if state.parts[part].spilling > 0 {
                spilling = begun;
            } else if let Some((extent, chunks)) = self.begin_spilling(&mut state, part) {
                spilling = begun;
                let intake = Arc::clone(self);
                tokio::spawn(async move { intake.spill(part, extent, chunks).await });
            }
        }
        spilling
    }

    fn begin_spilling(&self, state: &mut State, part: usize) -> Option<(Extent, Vec<Bytes>)> {
        let State { parts, spill, .. } = state;
        let part = &mut parts[part];
        let bytes = part.chunks.len();
        if part.reader.is_some() || bytes == 0 {
            return None;
        }
        let extent = spill.reserve(bytes, &self.account)?;
        let chunks: Vec<_> = std::iter::from_fn(|| part.chunks.pop(usize::MAX)).collect();
        part.spilling = bytes;
        state.on_disk += bytes as u64;
        Some((extent, chunks))
    }

    async fn spill(&self, part: usize, extent: Extent, chunks: Vec<Bytes>) {
        let job = move || (extent.write(chunks), extent);
        let (result, extent) = match spill::run(job).await {
            Ok((result, extent)) => (result, Some(extent)),
            Err(error) => (Err(SpillError::Write(io::Error::other(error))), None),
        };
        let mut state = self.lock();
        let found = &mut state.parts[part];
        let spilled = std::mem::take(&mut found.spilling);
        let (mut taken, mut gone) = (spilled, spilled);
        // What is left of it is dropped without the mutex.
        let mut unused = None;
        let mut no_file = None;
        match (result, extent, &found.state) {
            (_, extent, PartState::Unwanted) => unused = extent,
            (Ok(()), Some(extent), _) => {
                found.spilled.push(extent);
                gone = 0;
                state.has_no_file = false;
            }
            // They wait in memory, like any others that are not read.
            (Err(SpillError::NoFile { error, chunks }), extent, _) => {
                no_file = Some(error);
                found.chunks.put_back(chunks);
                taken = 0;
                unused = extent;
                state.has_no_file = true;
            }
            (Err(SpillError::Write(error)), extent, _) => {
                found.state = PartState::Failed(ReadError::Spill(Arc::new(error)));
                // Dropped, because these chunks would be read with a gap before them.
                taken += found.chunks.len();
                found.chunks.clear();
                unused = extent;
            }
            (Ok(()), None, _) => {}
        }
        let reader = state.parts[part].reader.take();
        let file = state.leave_disk(gone as u64);
        // If nothing was taken, the driver is not woken, because it would try the disk again at
        // once. It does so when it checks the next time.
        let driver = match taken {
            0 => Driver::IsAwake,
            taken => self.count_taken(&mut state, taken),
        };
        drop(state);
        drop((file, unused));
        let driver = driver.or(self.tell_taken(part, taken as u64));
        if let Some(error) = no_file {
            self.driver.warn_of_no_file(&error);
        }
        wake(reader);
        self.wake(driver);
    }

    /// Adds bytes to a part. Its reader is woken after the lock is released.
    pub(crate) fn push(&self, part: usize, bytes: &[u8]) -> Pushed {
        let mut state = self.lock();
        let Some(found) = state.parts.get(part) else {
            return Pushed::Dropped;
        };
        if !matches!(found.state, PartState::Open) {
            return Pushed::Dropped;
        }
        if self.has_stream && part == STREAM {
            let received = state.received.stream + bytes.len() as u64;
            if let Some(limit) = &state.stream_limit {
                if received > limit.bytes {
                    let limit = limit.clone();
                    drop(state);
                    self.fail_part(part, ReadError::TooLarge { limit: limit.bytes });
                    return Pushed::OverLimit(limit);
                }
            }
            state.received.stream = received;
        } else {
            state.received.files += bytes.len() as u64;
        }
        let found = &mut state.parts[part];
        found.chunks.push_received(bytes);
        let reader = found.reader.take();
        state.unread += bytes.len();
        let unread = state.unread;
        // Under the lock, so that they are counted before the reader can take any of them.
        self.account.on_received(bytes.len());
        drop(state);
        wake(reader);
        Pushed::Unread(unread)
    }

    /// Limits the stream, unless more has come already.
    pub(crate) fn limit_stream(&self, limit: StreamLimit) -> Result<(), StreamLimit> {
        let mut state = self.lock();
        if state.received.stream > limit.bytes {
            return Err(limit);
        }
        state.stream_limit = Some(limit);
        Ok(())
    }

    /// How much of it has come for readers.
    pub(crate) fn received(&self) -> ContentBytes {
        self.lock().received
    }

    /// Calls this with how much has come when nothing more can: the connection is done with the
    /// message, and its readers are dropped. A second call does nothing.
    #[cfg(feature = "metrics")]
    pub(crate) fn at_end(&self, measured: impl FnOnce(ContentBytes) + Send + Sync + 'static) {
        let _ = self.measured.set(Box::new(measured));
    }

    /// How much of it was not read.
    pub(crate) fn unread(&self) -> usize {
        self.lock().unread
    }

    /// The part is complete.
    pub(crate) fn end(&self, part: usize) {
        self.settle(part, PartState::Ended);
    }

    /// The part will never be complete.
    pub(crate) fn fail_part(&self, part: usize, error: ReadError) {
        self.settle(part, PartState::Failed(error));
    }

    fn settle(&self, part: usize, new: PartState) {
        let mut state = self.lock();
        let Some(part) = state.parts.get_mut(part) else {
            return;
        };
        if matches!(part.state, PartState::Open) {
            part.state = new;
        }
        let reader = part.reader.take();
        drop(state);
        wake(reader);
    }

    /// The message is abandoned: its incomplete parts end with this error. If its sender did that,
    /// what has come can still be read. Called by the driver, which is awake.
    pub(crate) fn fail(&self, error: &ReadError) {
        if let ReadError::Aborted | ReadError::Ended(_) = error {
            let parts = 0..self.lock().parts.len();
            parts.for_each(|part| self.fail_part(part, error.clone()));
            return;
        }
        self.fail_parts(error, |part| matches!(part.state, PartState::Open));
    }

    /// Drops what is unread, also of parts that are complete. Called by the driver, which is awake.
    pub(crate) fn cut_off(&self, error: &ReadError) {
        self.fail_parts(error, |part| {
            !part.chunks.is_empty() || matches!(part.state, PartState::Open)
        });
    }

    fn fail_parts(&self, error: &ReadError, is_failing: impl Fn(&Part) -> bool) {
        let mut state = self.lock();
        let mut dropped = Vec::new();
        let mut readers = Vec::new();
        for (index, part) in state.parts.iter_mut().enumerate() {
            if is_failing(part) {
                part.state = PartState::Failed(error.clone());
                dropped.push((index, part.chunks.len()));
                part.chunks.clear();
            }
            readers.extend(part.reader.take());
        }
        let count = dropped.iter().map(|(_, count)| count).sum();
        let mut driver = self.count_taken(&mut state, count);
        drop(state);
        for (part, count) in dropped {
            driver = driver.or(self.tell_taken(part, count as u64));
        }
        readers.into_iter().for_each(Waker::wake);
        self.wake(driver);
    }

    /// Returns how much is unread and how far readers are; from now on the driver is woken when
    /// something is taken.
    pub(crate) fn await_reader(&self) -> Level {
        let mut state = self.lock();
        state.is_awaited = true;
        Level {
            unread: state.unread,
            progress: state.taken + self.handed_out.load(Ordering::Relaxed),
        }
    }

    /// Bytes leave the intake. The caller passes the result to [`wake`](Self::wake) after it has
    /// released the lock.
    fn count_taken(&self, state: &mut State, count: usize) -> Driver {
        state.unread -= count;
        state.taken += count as u64;
        let has_room = self.account.on_taken(count);
        let is_awaited = count > 0 && std::mem::take(&mut state.is_awaited);
        if is_awaited || has_room {
            Driver::Waits
        } else {
            Driver::IsAwake
        }
    }

    /// Called without the lock, because it takes that of the connection.
    fn wake(&self, driver: Driver) {
        match driver {
            Driver::IsAwake => {}
            Driver::Waits => self.driver.wake_driver(),
        }
    }

    fn poll_chunk(
        &self,
        part: usize,
        limit: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Next, ReadError>>> {
        let mut state = self.lock();
        if let Some(extent) = state.parts[part].spilled.next() {
            return Poll::Ready(Some(Ok(Next::OnDisk(extent))));
        }
        let found = &mut state.parts[part];
        let chunk = if found.spilling > 0 {
            None
        } else {
            found.chunks.pop(limit)
        };
        if let Some(chunk) = chunk {
            let taken = self.note_taken(found, chunk.len());
            let driver = self.count_taken(&mut state, chunk.len());
            drop(state);
            let driver = driver.or(self.tell_taken(part, taken));
            self.wake(driver);
            return Poll::Ready(Some(Ok(Next::Chunk(chunk))));
        }
        let end = match &found.state {
            // Bytes on their way to the disk come before the end.
            PartState::Ended if found.spilling == 0 => Some(None),
            PartState::Failed(error) if found.spilling == 0 => Some(Some(Err(error.clone()))),
            PartState::Ended | PartState::Failed(_) | PartState::Open | PartState::Unwanted => None,
        };
        let taken = std::mem::take(&mut found.untold);
        if let Some(end) = end {
            drop(state);
            let driver = self.tell_taken(part, taken);
            self.wake(driver);
            return Poll::Ready(end);
        }
        found.reader = Some(cx.waker().clone());
        let is_known = std::mem::replace(&mut found.is_known_to_wait, true);
        // If the driver has paused because of other parts of this message, it has to move those to
        // disk.
        let mut driver = match std::mem::take(&mut state.is_awaited) {
            true => Driver::Waits,
            false => Driver::IsAwake,
        };
        drop(state);
        if let Some(credit) = self.credit.as_ref().filter(|_| !is_known || taken > 0) {
            if credit.waits(self.wire_part(part), taken) {
                driver = Driver::Waits;
            }
        }
        self.wake(driver);
        Poll::Pending
    }

    /// Which part of the message it is on the wire.
    fn wire_part(&self, part: usize) -> WirePart {
        let file = match (self.has_stream, part) {
            (true, STREAM) => return WirePart::Stream,
            (true, part) => part - 1,
            (false, part) => part,
        };
        let index = u32::try_from(file).ok().and_then(FileIndex::new);
        WirePart::File(index.unwrap_or(FileIndex::MAX))
    }

    /// A reader takes bytes of a part. Returns how many are to be reported to
    /// the credit now.
    fn note_taken(&self, part: &mut Part, count: usize) -> u64 {
        let Some(credit) = &self.credit else {
            return 0;
        };
        part.untold += count as u64;
        if credit.is_enough(part.untold) {
            part.is_known_to_wait = false;
            std::mem::take(&mut part.untold)
        } else {
            0
        }
    }

    /// Called without the lock.
    fn tell_taken(&self, part: usize, taken: u64) -> Driver {
        match &self.credit {
            Some(credit) if taken > 0 && credit.taken(self.wire_part(part), taken) => Driver::Waits,
            _ => Driver::IsAwake,
        }
    }

    fn was_read_back(&self, part: usize, count: usize) {
        let mut state = self.lock();
        let extent = state.parts[part].spilled.was_read(count);
        let file = state.leave_disk(count as u64);
        drop(state);
        drop((extent, file));
    }

    fn drop_part(&self, part: usize) {
        let mut state = self.lock();
        let found = &mut state.parts[part];
        let dropped = found.chunks.len();
        found.chunks.clear();
        let spilled = std::mem::take(&mut found.spilled);
        let reader = found.reader.take();
        found.state = PartState::Unwanted;
        let file = state.leave_disk(spilled.len());
        let mut driver = self.count_taken(&mut state, dropped);
        drop(state);
        drop((file, spilled, reader));
        if let Some(credit) = &self.credit {
            if credit.stop(self.wire_part(part)) {
                driver = Driver::Waits;
            }
        }
        self.wake(driver);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What happened to pushed content.
pub(crate) enum Pushed {
    /// It waits to be read. This many bytes of its message are unread now.
    Unread(usize),
    /// Nobody reads the part any longer.
    Dropped,
    /// It exceeds this limit of the action. From now on nobody reads the part.
    OverLimit(StreamLimit),
}

/// The limit of an action for a stream.
#[derive(Debug, Clone)]
pub(crate) struct StreamLimit {
    pub(crate) action: Action,
    pub(crate) bytes: u64,
}

/// What is wrong with a stream that exceeds it.
impl fmt::Display for StreamLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream is over the limit of {} bytes", self.bytes)
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.account
            .remove_parts(self.files, usize::from(self.has_stream));
        #[cfg(feature = "metrics")]
        if let Some(measured) = self.measured.take() {
            measured(self.received());
        }
    }
}

/// How full an intake is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Level {
    pub(crate) unread: usize,
    /// Grows whenever a reader takes something, or hands out some of what it took.
    pub(crate) progress: u64,
}

/// Whether unread content is on its way to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spilling {
    IsUnderWay,
    /// The budget for temporary files is used up, or there is no temporary file.
    HasNoRoom,
}

impl State {
    /// Bytes were read back from disk, or nobody wants them. With the last of them, returns the
    /// file, which the caller drops without the lock: closing it is input and output.
    #[must_use]
    fn leave_disk(&mut self, count: u64) -> Option<Arc<SpillFile>> {
        self.on_disk -= count;
        if self.on_disk == 0 {
            self.spill.finish()
        } else {
            None
        }
    }
}

impl Part {
    /// Whether its reader waits for bytes that have not arrived.
    fn is_starved(&self) -> bool {
        let is_waiting = self.reader.is_some() && self.spilling == 0;
        is_waiting && self.chunks.is_empty() && matches!(self.state, PartState::Open)
    }
}

/// Called without the lock, because a waker runs code of any executor.
fn wake(reader: Option<Waker>) {
    if let Some(reader) = reader {
        reader.wake();
    }
}

/// The part that is the stream, if there is one: it comes first.
const STREAM: usize = 0;

/// Where the next bytes of a part are.
enum Next {
    Chunk(Bytes),
    OnDisk(Extent),
}

/// The minimum number of bytes that a reader takes at a time, even with a smaller buffer.
const READ_BYTES: usize = 1024;

/// Reads one file or stream. Dropping it drops what it has not read; the rest of the message is not
/// affected.
pub(crate) struct PartReader {
    intake: Arc<Intake>,
    part: usize,
    /// The part of the last chunk for which the reader's buffer had no room.
    rest: Bytes,
    /// A chunk that is being read from the disk.
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    /// Keeps the connection open until the part is read.
    lease: Option<Lease>,
}

impl PartReader {
    /// The user has it from now on: it keeps the connection open, like a handle.
    pub(crate) fn hold(&mut self, lease: Lease) {
        self.lease = Some(lease);
    }

    /// Tells the connection that some of a chunk was used: a reader that takes large chunks and
    /// uses little of one at a time reads all the same.
    pub(crate) fn note_progress(&self) {
        self.intake.handed_out.fetch_add(1, Ordering::Relaxed);
    }

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

    /// Ready with `true` when there are bytes in `rest`, or with `false` at the end.
    fn poll_fill(&mut self, limit: usize, cx: &mut Context<'_>) -> Poll<Result<bool, ReadError>> {
        while self.rest.is_empty() {
            if let Some(reading) = &mut self.reading {
                let read = ready!(Pin::new(reading).poll(cx))
                    .unwrap_or_else(|error| Err(io::Error::other(error)));
                self.reading = None;
                self.rest = read.map_err(|error| ReadError::Spill(Arc::new(error)))?;
                self.intake.was_read_back(self.part, self.rest.len());
                continue;
            }
            match ready!(self.intake.poll_chunk(self.part, limit, cx)).transpose()? {
                Some(Next::Chunk(chunk)) => self.rest = chunk,
                Some(Next::OnDisk(extent)) => {
                    self.reading = Some(spill::run(move || extent.read()));
                }
                None => {
                    self.lease = None;
                    return Poll::Ready(Ok(false));
                }
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
        // Not more than is read soon, because bytes in `rest` count as taken.
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

impl fmt::Debug for PartReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartReader")
            .field("part", &self.part)
            .finish_non_exhaustive()
    }
}

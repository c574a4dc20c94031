//! Files and streams that are arriving, between the driver that brings them and the readers that take them.

use std::{
    io,
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use sockety_codec::Uuid;
use tokio::{
    io::{AsyncRead, ReadBuf},
    task::JoinHandle,
};

use super::spill::{Extent, SpillError, SpillFile, Spilled};
use crate::{
    engine::{account::Account, memory::chunks::Chunks},
    error::{chain::chain, read::ReadError},
    sync::{AtomicBool, Mutex, MutexGuard},
};

/// The files and the stream of one message.
///
/// The driver pushes, readers on any thread take. Both do it under the mutex of the intake, and wake each other when it is
/// free again. The mutex of the connection is never held at the same time.
pub(crate) struct Intake {
    account: Arc<Account>,
    driver: Arc<dyn WakeDriver>,
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

/// The driver of the connection, which may have paused reading until something is taken.
pub(crate) trait WakeDriver: Send + Sync {
    fn wake_driver(&self);
}

/// What those who take something owe the driver when the mutex is free again.
#[must_use]
enum Driver {
    IsAwake,
    Waits,
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
        account: Arc<Account>,
        driver: Arc<dyn WakeDriver>,
        files: usize,
        has_stream: bool,
        about: Uuid,
    ) -> Arc<Self> {
        account.add_parts(files, usize::from(has_stream));
        let state = State {
            parts: Vec::new(),
            unread: 0,
            taken: 0,
            is_awaited: false,
            spill: None,
            on_disk: 0,
        };
        Arc::new(Self {
            account,
            driver,
            state: Mutex::new(state),
            files,
            has_stream,
            about,
            is_answered: AtomicBool::new(false),
            is_cut_off: AtomicBool::new(false),
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
        }
    }

    /// Sends to disk what nobody reads yet, if a reader waits for another part. The driver is woken when that is done, and
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
            none => {
                let budget = Arc::clone(self.account.budgets().spill());
                none.insert(SpillFile::new(budget)?)
            }
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
            .unwrap_or_else(|error| Err(SpillError::Write(io::Error::other(error))));
        let mut state = self.lock();
        let found = &mut state.parts[part];
        let spilled = std::mem::take(&mut found.spilling);
        let (mut taken, mut gone) = (spilled, spilled);
        match (result, &found.state) {
            (_, PartState::Unwanted) => {}
            (Ok(()), _) => {
                found.spilled.push(extent);
                gone = 0;
            }
            // They wait in memory, like any others that are not read.
            (Err(SpillError::NoFile { error, chunks }), _) => {
                tracing::warn!(error = %chain(&error), "no temporary file");
                found.chunks.put_back(chunks);
                taken = 0;
            }
            (Err(SpillError::Write(error)), _) => {
                found.state = PartState::Failed(ReadError::Spill(Arc::new(error)));
                // What came meanwhile would be read with a gap before it.
                taken += found.chunks.len();
                found.chunks.clear();
            }
        }
        let reader = found.reader.take();
        let file = state.leave_disk(gone as u64);
        // When nothing was taken, the driver is not woken: it would try the disk again at once. It does at its next look.
        let driver = match taken {
            0 => Driver::IsAwake,
            taken => self.count_taken(&mut state, taken),
        };
        drop(state);
        drop(file);
        wake(reader);
        self.wake(driver);
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
        let reader = found.reader.take();
        state.unread += bytes.len();
        let unread = state.unread;
        // Counted before the reader can take any of it.
        self.account.on_received(bytes.len());
        drop(state);
        wake(reader);
        Pushed::Unread(unread)
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

    /// The message is given up: what is not whole ends with this error. Called by the driver, which is awake.
    pub(crate) fn fail(&self, error: &ReadError) {
        self.fail_parts(error, |part| matches!(part.state, PartState::Open));
    }

    /// What is unread is dropped, whether all of it has come or not. Called by the driver, which is awake.
    pub(crate) fn cut_off(&self, error: &ReadError) {
        self.fail_parts(error, |part| {
            !part.chunks.is_empty() || matches!(part.state, PartState::Open)
        });
    }

    fn fail_parts(&self, error: &ReadError, is_failing: impl Fn(&Part) -> bool) {
        let mut state = self.lock();
        let mut dropped = 0;
        let mut readers = Vec::new();
        for part in &mut state.parts {
            if is_failing(part) {
                part.state = PartState::Failed(error.clone());
                dropped += part.chunks.len();
                part.chunks.clear();
            }
            readers.extend(part.reader.take());
        }
        let driver = self.count_taken(&mut state, dropped);
        drop(state);
        readers.into_iter().for_each(Waker::wake);
        self.wake(driver);
    }

    /// Returns how much is unread and how much was taken; from now on the driver is woken when something is taken.
    pub(crate) fn await_reader(&self) -> Level {
        let mut state = self.lock();
        state.is_awaited = true;
        Level {
            unread: state.unread,
            taken: state.taken,
        }
    }

    /// Bytes leave the intake.
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

    /// Without the mutex.
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
            let driver = self.count_taken(&mut state, chunk.len());
            drop(state);
            self.wake(driver);
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
                    self.driver.wake_driver();
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
        let reader = found.reader.take();
        found.state = PartState::Unwanted;
        let file = state.leave_disk(spilled.len());
        let driver = self.count_taken(&mut state, dropped);
        drop(state);
        drop((file, reader));
        self.wake(driver);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of content.
pub(crate) enum Pushed {
    /// It waits to be read, and so do this many bytes of its message.
    Unread(usize),
    /// Nobody wants it any longer.
    Dropped,
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.account
            .remove_parts(self.files, usize::from(self.has_stream));
    }
}

/// How full an intake is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Level {
    pub(crate) unread: usize,
    pub(crate) taken: u64,
}

impl State {
    /// Returns the job that reads the next bytes of a part from the disk, if there are any.
    fn read_back(&self, part: usize) -> Option<ReadJob> {
        let extent = self.parts[part].spilled.next()?;
        Some(Box::new(self.spill.as_ref()?.read(extent)))
    }

    /// Bytes were read back from disk, or nobody wants them. With the last of them, returns the file, which the caller
    /// drops without the lock: closing it is input and output.
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
}

/// Without the mutex, as a waker runs code of any executor.
fn wake(reader: Option<Waker>) {
    if let Some(reader) = reader {
        reader.wake();
    }
}

type SpillJob = Box<dyn FnOnce() -> Result<(), SpillError> + Send>;

type ReadJob = Box<dyn FnOnce() -> io::Result<Bytes> + Send>;

/// Where the next bytes of a part are.
enum Next {
    Chunk(Bytes),
    OnDisk(ReadJob),
}

/// The least that a reader with a small buffer takes at a time.
const READ_BYTES: usize = 1024;

/// Reads one file or stream. Dropping it drops what it has not read, and the message goes on.
pub(crate) struct PartReader {
    intake: Arc<Intake>,
    part: usize,
    /// Of the chunk taken last: what the reader's buffer had no room for.
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

    /// Ready when there is a rest, or with `false` at the end.
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

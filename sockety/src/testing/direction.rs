use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{io::ReadBuf, time::Instant};

use super::faults::Faults;

/// One direction of a [`Link`](super::Link), to control it while a test runs. Clones control the same direction.
#[derive(Debug, Clone)]
pub struct Direction(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    faults: Faults,
    /// Written and not read.
    pieces: VecDeque<Piece>,
    held: usize,
    carried: u64,
    read: u64,
    is_paused: bool,
    end: Option<End>,
    has_reader: bool,
    /// When everything that was written has left, at the limited rate.
    is_free_at: Option<Instant>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug)]
struct Piece {
    /// When it arrives; `None` if it has.
    at: Option<Instant>,
    bytes: Bytes,
}

#[derive(Debug, Clone, Copy)]
enum End {
    /// The reader reads the end of the input, at this time.
    Clean(Option<Instant>),
    Cut,
}

/// What a read or a write came to.
pub(super) enum Step<T> {
    Done(io::Result<T>),
    /// The task is woken when it is worth another attempt.
    Waits,
    /// It is worth another attempt at this time.
    Until(Instant),
    /// It is done, and the link is to be cut.
    Cuts(T),
}

impl Direction {
    pub(super) fn new(faults: Faults) -> Self {
        let state = State {
            is_paused: false,
            pieces: VecDeque::new(),
            held: 0,
            carried: 0,
            read: 0,
            end: match faults.end_after {
                Some(0) => Some(End::Clean(None)),
                _ => None,
            },
            has_reader: true,
            is_free_at: None,
            reader: None,
            writer: None,
            faults,
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// How many bytes it has carried, or will deliver when their delay has passed. Bytes that were
    /// lost do not count.
    pub fn carried(&self) -> u64 {
        self.lock().carried
    }

    /// How many bytes were written and not read.
    pub fn unread(&self) -> usize {
        self.lock().held
    }

    /// From now on, nothing arrives until [`resume`](Self::resume).
    pub fn pause(&self) {
        self.lock().is_paused = true;
    }

    /// Ends a pause, and that of [`Faults::pause_after`].
    pub fn resume(&self) {
        self.change(|state| {
            state.is_paused = false;
            if state.faults.pause_after.is_some_and(|it| it <= state.read) {
                state.faults.pause_after = None;
            }
        });
    }

    /// Ends this direction after what it has carried, as [`Faults::end_after`] does.
    pub fn end(&self) {
        self.change(State::end);
    }

    pub(super) fn cut(&self) {
        self.change(|state| {
            if !matches!(state.end, Some(End::Clean(_))) {
                state.end = Some(End::Cut);
            }
        });
    }

    /// Whether the link is cut before anything was written.
    pub(super) fn is_cut_at_once(&self) -> bool {
        self.lock().faults.cut_after == Some(0)
    }

    pub(super) fn drop_reader(&self) {
        self.change(|state| state.has_reader = false);
    }

    pub(super) fn poll_read(&self, cx: &Context<'_>, into: &mut ReadBuf<'_>) -> Step<()> {
        let mut state = self.lock();
        let step = state.read(into);
        if let Step::Waits = step {
            state.reader = Some(cx.waker().clone());
        }
        let writer = match step {
            Step::Done(_) => state.writer.take(),
            Step::Waits | Step::Until(_) | Step::Cuts(()) => None,
        };
        drop(state);
        writer.into_iter().for_each(Waker::wake);
        step
    }

    pub(super) fn poll_write(&self, cx: &Context<'_>, bytes: &[u8]) -> Step<usize> {
        let mut state = self.lock();
        let step = state.write(bytes);
        if let Step::Waits = step {
            state.writer = Some(cx.waker().clone());
            return step;
        }
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        step
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(&mut self) {
        if self.end.is_none() {
            self.end = Some(End::Clean(self.arrival(0)));
        }
    }

    fn read(&mut self, into: &mut ReadBuf<'_>) -> Step<()> {
        let until_pause = self.faults.pause_after.map(|after| after - self.read);
        if self.is_paused || until_pause == Some(0) {
            return match self.end {
                Some(End::Cut) => Step::Done(Err(io::ErrorKind::ConnectionReset.into())),
                Some(End::Clean(_)) | None => Step::Waits,
            };
        }
        let Some(piece) = self.pieces.front_mut() else {
            return match self.end {
                Some(End::Cut) => Step::Done(Err(io::ErrorKind::ConnectionReset.into())),
                Some(End::Clean(at)) => in_future(at).map_or(Step::Done(Ok(())), Step::Until),
                None => Step::Waits,
            };
        };
        if let Some(at) = in_future(piece.at) {
            return Step::Until(at);
        }
        let until_pause = until_pause.map_or(usize::MAX, |it| it.try_into().unwrap_or(usize::MAX));
        let limit = self.faults.read_at_most.min(until_pause);
        let count = piece.bytes.len().min(into.remaining()).min(limit);
        into.put_slice(&piece.bytes[..count]);
        piece.bytes.advance(count);
        if piece.bytes.is_empty() {
            self.pieces.pop_front();
        }
        self.held -= count;
        self.read += count as u64;
        Step::Done(Ok(()))
    }

    fn write(&mut self, bytes: &[u8]) -> Step<usize> {
        match self.end {
            Some(End::Cut) => return Step::Done(Err(io::ErrorKind::ConnectionReset.into())),
            // Nobody reads them.
            Some(End::Clean(_)) => return Step::Done(Ok(bytes.len())),
            None if !self.has_reader => {
                return Step::Done(Err(io::ErrorKind::BrokenPipe.into()));
            }
            None => {}
        }
        let room = self.faults.capacity - self.held;
        if room == 0 && !bytes.is_empty() {
            return Step::Waits;
        }
        let count = bytes.len().min(room).min(self.faults.largest_piece());
        let until = |end: Option<u64>| end.map(|end| end - self.carried);
        let (cut, end) = (until(self.faults.cut_after), until(self.faults.end_after));
        let reaches = |left: Option<u64>| left.is_some_and(|left| left <= count as u64);
        let (is_cut, is_end) = (reaches(cut), reaches(end));
        let kept = [cut, end].into_iter().flatten();
        let kept = kept.fold(count as u64, u64::min);
        self.keep(&bytes[..usize::try_from(kept).unwrap_or(count)]);
        if is_end {
            self.end();
        }
        if is_cut {
            Step::Cuts(count)
        } else {
            Step::Done(Ok(count))
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let (first, mut bytes) = (self.carried, bytes.to_vec());
        for position in &self.faults.corrupted {
            let index = position.checked_sub(first);
            let index = index.and_then(|index| usize::try_from(index).ok());
            if let Some(byte) = index.and_then(|index| bytes.get_mut(index)) {
                *byte = !*byte;
            }
        }
        let at = self.arrival(bytes.len());
        self.held += bytes.len();
        self.carried += bytes.len() as u64;
        let bytes = bytes.into();
        self.pieces.push_back(Piece { at, bytes });
    }

    /// When this many bytes that are written now will arrive.
    fn arrival(&mut self, bytes: usize) -> Option<Instant> {
        if self.faults.delay.is_zero() && self.faults.bytes_per_second.is_none() {
            return None;
        }
        let now = Instant::now();
        let begin = self.is_free_at.map_or(now, |it| it.max(now));
        let rate = self.faults.bytes_per_second;
        let duration = rate.map_or(0, |rate| bytes as u64 * NANOSECONDS / rate);
        let end = begin + Duration::from_nanos(duration);
        self.is_free_at = Some(end);
        // Nobody waits for what is too far away for the clock.
        let at = end.checked_add(self.faults.delay);
        Some(at.unwrap_or_else(|| end + LONGEST_DELAY))
    }
}

/// A hundred years.
const LONGEST_DELAY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

const NANOSECONDS: u64 = 1_000_000_000;

fn in_future(at: Option<Instant>) -> Option<Instant> {
    at.filter(|at| *at > Instant::now())
}

impl Faults {
    /// At a limited rate, bytes arrive in pieces of 20 ms.
    fn largest_piece(&self) -> usize {
        let piece = self.bytes_per_second.map(|rate| (rate / 50).max(1));
        piece.map_or(usize::MAX, |piece| piece.try_into().unwrap_or(usize::MAX))
    }
}

impl<T> Step<T> {
    /// Of a step that did not ask for the time.
    pub(super) fn into_poll(self) -> Poll<io::Result<T>> {
        match self {
            Self::Done(result) => Poll::Ready(result),
            Self::Cuts(value) => Poll::Ready(Ok(value)),
            Self::Waits | Self::Until(_) => Poll::Pending,
        }
    }
}

//! Temporary files for content that came before anybody read it.
//!
//! The parts of all messages arrive mixed on one connection, in the order of the sender. Content
//! that nobody reads now would hold up everything behind it; on disk it does not.

use std::{
    collections::VecDeque,
    fmt,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{engine::account::Account, sync::AtomicU64};

/// Where unread content of one message is written. All parts share its files.
#[derive(Debug, Default)]
pub(crate) struct Spill {
    /// The file that is written to, and where its next bytes go.
    current: Option<(Arc<SpillFile>, u64)>,
}

/// A temporary file without a name: nothing is left of it whatever happens. It lives as long as an
/// extent of it is unread.
///
/// It is created, written and read in jobs of [`run`] only, as a slow disk must not hold up the
/// driver. Its mutex is held during those, and taken nowhere else.
pub(crate) struct SpillFile {
    /// Created by the first job that writes.
    file: Mutex<Option<File>>,
    create: fn() -> io::Result<File>,
    /// What it took of the budget of all connections, and of the connection's share.
    charged: AtomicU64,
    account: Arc<Account>,
}

/// Some of the bytes of one part, one after another in a file.
#[derive(Debug, Clone)]
pub(crate) struct Extent {
    file: Arc<SpillFile>,
    at: u64,
    size: u64,
}

/// What is on disk of one part, in its order.
#[derive(Debug, Default)]
pub(crate) struct Spilled(VecDeque<Extent>);

/// How much is read back at a time.
const READ_BYTES: u64 = 256 * 1024;

/// What a file takes of the budget, and every extent at least, as each has an entry in memory.
const LEAST_CHARGE: u64 = 4 * 1024;

/// A file that has grown to this size is written to no more, so that a stream whose reader is
/// always a little behind frees what it has read.
const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Runs a job that writes or reads a temporary file, on a thread for such jobs.
pub(crate) fn run<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    #[cfg(feature = "test")]
    if IN_PLACE.get() {
        return tokio::spawn(async move { job() });
    }
    spawn_blocking(job)
}

#[cfg(feature = "test")]
thread_local! {
    static IN_PLACE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// From now on, tasks of this thread write and read temporary files themselves, instead of leaving that to
/// threads, whose order nothing decides.
///
/// For simulations of whole systems in one thread, such as those of the crate `turmoil`, so that equal seeds
/// have equal histories.
#[cfg(feature = "test")]
pub fn spill_in_place() {
    IN_PLACE.set(true);
}

impl Spill {
    /// Reserves a place for this many bytes; `None` when the budget is used up.
    pub(crate) fn reserve(&mut self, bytes: usize, account: &Arc<Account>) -> Option<Extent> {
        let size = bytes as u64;
        let (file, end) = match &mut self.current {
            Some(current) if current.1 < FILE_BYTES => current,
            current => {
                let file = SpillFile::new(tempfile::tempfile, Arc::clone(account))?;
                current.insert((Arc::new(file), 0))
            }
        };
        if !file.charge(size.max(LEAST_CHARGE)) {
            return None;
        }
        let at = *end;
        *end += size;
        Some(Extent {
            file: Arc::clone(file),
            at,
            size,
        })
    }

    /// Nothing is on disk any longer. Drop the result without a lock: closing a file is input and
    /// output.
    #[must_use]
    pub(crate) fn finish(&mut self) -> Option<Arc<SpillFile>> {
        self.current.take().map(|(file, _)| file)
    }
}

impl SpillFile {
    /// `None` when the budget is used up.
    fn new(create: fn() -> io::Result<File>, account: Arc<Account>) -> Option<Self> {
        let file = Self {
            file: Mutex::default(),
            create,
            charged: AtomicU64::new(0),
            account,
        };
        file.charge(LEAST_CHARGE).then_some(file)
    }

    fn charge(&self, amount: u64) -> bool {
        let is_taken = self.account.take_spill(amount);
        if is_taken {
            self.charged.fetch_add(amount, Ordering::Relaxed);
        }
        is_taken
    }
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        self.account
            .give_back_spill(self.charged.load(Ordering::Relaxed));
    }
}

impl fmt::Debug for SpillFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpillFile")
            .field("charged", &self.charged)
            .finish_non_exhaustive()
    }
}

impl Extent {
    /// Writes the chunks to their place. It blocks.
    pub(crate) fn write(&self, chunks: Vec<Bytes>) -> Result<(), SpillError> {
        let mut file = self
            .file
            .file
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let file = match &mut *file {
            Some(file) => file,
            none => match (self.file.create)() {
                Ok(file) => none.insert(file),
                Err(error) => return Err(SpillError::NoFile { error, chunks }),
            },
        };
        file.seek(SeekFrom::Start(self.at))
            .and_then(|_| chunks.iter().try_for_each(|chunk| file.write_all(chunk)))
            .map_err(SpillError::Write)
    }

    /// Reads the bytes back. It blocks.
    pub(crate) fn read(&self) -> io::Result<Bytes> {
        let mut file = self
            .file
            .file
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(file) = &mut *file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        file.seek(SeekFrom::Start(self.at))?;
        let mut bytes = Vec::with_capacity(self.size as usize);
        file.take(self.size).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < self.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes.into())
    }
}

/// Why chunks are not on disk.
#[derive(Debug)]
pub(crate) enum SpillError {
    /// There is no file. The chunks can wait in memory, like others that are not read.
    NoFile {
        error: io::Error,
        chunks: Vec<Bytes>,
    },
    Write(io::Error),
}

impl Spilled {
    pub(crate) fn push(&mut self, extent: Extent) {
        match self.0.back_mut() {
            Some(last)
                if Arc::ptr_eq(&last.file, &extent.file) && last.at + last.size == extent.at =>
            {
                last.size += extent.size;
            }
            _ => self.0.push_back(extent),
        }
    }

    /// What is to be read next; when that is done, [`Spilled::was_read`].
    pub(crate) fn next(&self) -> Option<Extent> {
        let first = self.0.front()?;
        Some(Extent {
            file: Arc::clone(&first.file),
            at: first.at,
            size: first.size.min(READ_BYTES),
        })
    }

    /// Returns an extent that was read to its end. Drop it without a lock: it may close its file.
    #[must_use]
    pub(crate) fn was_read(&mut self, count: usize) -> Option<Extent> {
        let first = self.0.front_mut()?;
        first.at += count as u64;
        first.size -= count as u64;
        if first.size > 0 {
            return None;
        }
        self.0.pop_front()
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(|extent| extent.size).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{budgets::Budgets, options::Options};

    fn account(limit: u64) -> Arc<Account> {
        let options = Options::default().max_spill_bytes(limit);
        with_budgets(&Budgets::new(&options))
    }

    fn with_budgets(budgets: &Budgets) -> Arc<Account> {
        let options = Arc::new(Options::default());
        Arc::new(Account::new(options, budgets.clone(), false))
    }

    fn read_all(mut spilled: Spilled) -> Vec<u8> {
        let mut found = Vec::new();
        while let Some(extent) = spilled.next() {
            let bytes = extent.read().unwrap();
            drop(spilled.was_read(bytes.len()));
            found.extend_from_slice(&bytes);
        }
        found
    }

    #[test]
    fn parts_are_read_back_in_their_order_from_one_file() {
        let (mut spill, account) = (Spill::default(), account(100_000));
        let mut parts = [Spilled::default(), Spilled::default()];
        for (part, chunk) in [(0, "hel"), (1, "world"), (0, "lo"), (0, "!"), (1, "s")] {
            let extent = spill.reserve(chunk.len(), &account).unwrap();
            extent
                .write(vec![Bytes::from_static(chunk.as_bytes())])
                .unwrap();
            parts[part].push(extent);
        }
        assert_eq!(parts[0].0.len(), 2);
        for (part, expected) in parts.into_iter().zip(["hello!", "worlds"]) {
            assert_eq!(part.len(), expected.len() as u64);
            assert_eq!(read_all(part), expected.as_bytes());
        }
    }

    #[test]
    fn the_file_is_created_by_the_job_that_writes() {
        let (mut spill, account) = (Spill::default(), account(100_000));
        let extent = spill.reserve(2, &account).unwrap();
        assert!(extent.file.file.lock().unwrap().is_none());
        extent.write(vec![Bytes::from_static(b"hi")]).unwrap();
        assert!(extent.file.file.lock().unwrap().is_some());
    }

    #[test]
    fn chunks_come_back_when_there_is_no_file() {
        let create = || Err(io::ErrorKind::StorageFull.into());
        let file = Arc::new(SpillFile::new(create, account(100_000)).unwrap());
        let extent = Extent {
            file,
            at: 0,
            size: 2,
        };
        let written = extent.write(vec![Bytes::from_static(b"hi")]);
        let Err(SpillError::NoFile { error, chunks }) = written else {
            panic!("{written:?}");
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(chunks, ["hi"]);
    }

    #[test]
    fn the_budget_is_given_back_with_the_file() {
        let budgets = Budgets::new(&Options::default().max_spill_bytes(20_000));
        let account = with_budgets(&budgets);
        let mut spill = Spill::default();
        let extent = spill.reserve(1, &account).unwrap();
        assert!(spill.reserve(1, &account).is_none());
        drop((extent, spill.finish()));
        let budget = budgets.spill();
        assert!(budget.take(20_000) && !budget.take(1));
    }

    #[test]
    fn a_connection_takes_no_more_than_it_leaves_to_others() {
        let budgets = Budgets::new(&Options::default().max_spill_bytes(1_000_000));
        let (one, other) = (with_budgets(&budgets), with_budgets(&budgets));
        assert!(one.take_spill(500_000) && !one.take_spill(1));
        assert!(other.take_spill(250_000) && !other.take_spill(1));
        one.give_back_spill(500_000);
        assert!(other.take_spill(1));
    }

    #[test]
    fn a_stream_that_is_read_a_little_later_uses_little_of_the_budget() {
        let account = account(8 * FILE_BYTES);
        let (mut spill, mut spilled) = (Spill::default(), Spilled::default());
        let chunk = 1024 * 1024;
        for round in 0..200 {
            let extent = spill.reserve(chunk, &account).unwrap();
            spilled.push(extent);
            while round > 2 && spilled.len() > 2 * chunk as u64 {
                let next = spilled.next().unwrap();
                drop(spilled.was_read(next.size as usize));
            }
        }
    }
}

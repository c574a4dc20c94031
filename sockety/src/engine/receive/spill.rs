//! A temporary file for content that blocks other content of its message.
//!
//! The parts of a message arrive interleaved, and may be read in any order. When a reader waits for
//! one part while others fill the window, those are moved to disk. Otherwise neither could
//! continue.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

use crate::config::budgets::{Budget, Share};

/// The file of one message. All parts share it, so a message costs one descriptor however many they
/// are.
///
/// It is created, written and read in blocking tasks only, as a slow disk must not hold up the
/// driver. Its mutex is held during those, and taken nowhere else.
#[derive(Debug)]
pub(crate) struct SpillFile {
    /// Created by the first job that writes to it.
    file: Arc<Mutex<Option<File>>>,
    create: fn() -> io::Result<File>,
    /// How much of the budget it has taken.
    share: Share,
    /// The position of the next bytes.
    end: u64,
}

/// A range of bytes of one part in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    at: u64,
    size: u64,
}

/// The extents of one part, in the order in which they are read.
#[derive(Debug, Default)]
pub(crate) struct Spilled(VecDeque<Extent>);

/// How many bytes are read back at a time.
const READ_BYTES: u64 = 256 * 1024;

/// What a file takes of the budget, and every extent at least, as each has an entry in memory.
const LEAST_CHARGE: u64 = 4 * 1024;

impl SpillFile {
    /// The file has no name: nothing is left of it whatever happens. `None` when the budget is used
    /// up.
    pub(crate) fn new(budget: Arc<Budget>) -> Option<Self> {
        Self::created_by(tempfile::tempfile, budget)
    }

    fn created_by(create: fn() -> io::Result<File>, budget: Arc<Budget>) -> Option<Self> {
        let mut share = Share::none(budget);
        share.grow(LEAST_CHARGE).then(|| Self {
            file: Arc::default(),
            create,
            share,
            end: 0,
        })
    }

    /// Reserves an extent for this many bytes. Returns `None` if the budget is used up.
    pub(crate) fn reserve(&mut self, bytes: usize) -> Option<Extent> {
        let size = bytes as u64;
        let charge = size.max(LEAST_CHARGE);
        if !self.share.grow(charge) {
            return None;
        }
        let at = self.end;
        self.end += size;
        Some(Extent { at, size })
    }

    /// Returns a job for a blocking task, which writes the chunks to their extent.
    pub(crate) fn write(
        &self,
        extent: Extent,
        chunks: Vec<Bytes>,
    ) -> impl FnOnce() -> Result<(), SpillError> + Send + 'static {
        let (file, create) = (Arc::clone(&self.file), self.create);
        move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let file = match &mut *file {
                Some(file) => file,
                none => match create() {
                    Ok(file) => none.insert(file),
                    Err(error) => return Err(SpillError::NoFile { error, chunks }),
                },
            };
            file.seek(SeekFrom::Start(extent.at))
                .and_then(|_| chunks.iter().try_for_each(|chunk| file.write_all(chunk)))
                .map_err(SpillError::Write)
        }
    }

    /// Returns a job for a blocking task, which reads the bytes back.
    pub(crate) fn read(
        &self,
        extent: Extent,
    ) -> impl FnOnce() -> io::Result<Bytes> + Send + 'static {
        let file = Arc::clone(&self.file);
        move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(file) = &mut *file else {
                return Err(io::ErrorKind::NotFound.into());
            };
            file.seek(SeekFrom::Start(extent.at))?;
            let mut bytes = Vec::with_capacity(extent.size as usize);
            file.take(extent.size).read_to_end(&mut bytes)?;
            if (bytes.len() as u64) < extent.size {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(bytes.into())
        }
    }
}

/// Why chunks were not written to disk.
#[derive(Debug)]
pub(crate) enum SpillError {
    /// There is no file. The chunks can wait in memory, like any others that are not read.
    NoFile {
        error: io::Error,
        chunks: Vec<Bytes>,
    },
    Write(io::Error),
}

impl Spilled {
    pub(crate) fn push(&mut self, extent: Extent) {
        match self.0.back_mut() {
            Some(last) if last.at + last.size == extent.at => last.size += extent.size,
            _ => self.0.push_back(extent),
        }
    }

    /// The extent to read next. Afterwards the caller calls [`Spilled::was_read`].
    pub(crate) fn next(&self) -> Option<Extent> {
        let first = self.0.front()?;
        Some(Extent {
            at: first.at,
            size: first.size.min(READ_BYTES),
        })
    }

    pub(crate) fn was_read(&mut self, count: usize) {
        let Some(first) = self.0.front_mut() else {
            return;
        };
        first.at += count as u64;
        first.size -= count as u64;
        if first.size == 0 {
            self.0.pop_front();
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(|extent| extent.size).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_back_in_their_order_from_one_file() {
        let mut file = SpillFile::new(Arc::new(Budget::new(100_000))).unwrap();
        let mut parts = [Spilled::default(), Spilled::default()];
        for (part, chunk) in [(0, "hel"), (1, "world"), (0, "lo"), (0, "!"), (1, "s")] {
            let extent = file.reserve(chunk.len()).unwrap();
            file.write(extent, vec![Bytes::from_static(chunk.as_bytes())])().unwrap();
            parts[part].push(extent);
        }
        assert_eq!(parts[0].0.len(), 2);
        for (part, expected) in parts.iter_mut().zip(["hello!", "worlds"]) {
            assert_eq!(part.len(), expected.len() as u64);
            let mut found = Vec::new();
            while let Some(extent) = part.next() {
                let bytes = file.read(extent)().unwrap();
                part.was_read(bytes.len());
                found.extend_from_slice(&bytes);
            }
            assert_eq!(found, expected.as_bytes());
        }
    }

    #[test]
    fn the_file_is_created_by_the_job_that_writes() {
        let mut file = SpillFile::new(Arc::new(Budget::new(100_000))).unwrap();
        let extent = file.reserve(2).unwrap();
        let job = file.write(extent, vec![Bytes::from_static(b"hi")]);
        assert!(file.file.lock().unwrap().is_none());
        job().unwrap();
        assert!(file.file.lock().unwrap().is_some());
    }

    #[test]
    fn chunks_come_back_when_there_is_no_file() {
        let create = || Err(io::ErrorKind::StorageFull.into());
        let mut file = SpillFile::created_by(create, Arc::new(Budget::new(100_000))).unwrap();
        let extent = file.reserve(2).unwrap();
        let written = file.write(extent, vec![Bytes::from_static(b"hi")])();
        let Err(SpillError::NoFile { error, chunks }) = written else {
            panic!("{written:?}");
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(chunks, ["hi"]);
    }

    #[test]
    fn the_budget_is_given_back_with_the_file() {
        let budget = Arc::new(Budget::new(10_000));
        let create = || SpillFile::new(Arc::clone(&budget));
        let mut file = create().unwrap();
        assert!(file.reserve(1).is_some());
        assert!(file.reserve(1).is_none());
        assert!(create().is_none());
        drop(file);
        assert!(budget.take(10_000) && !budget.take(1));
    }
}

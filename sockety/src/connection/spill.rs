//! A temporary file for content that came before anybody wanted to read it.
//!
//! The parts of a message arrive mixed, and may be read in any order. When a reader waits for one part while
//! others fill the window, those go to disk: else neither could go on.

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

use super::budget::Budget;

/// Appended to at its end and read from its beginning, both off the async threads.
#[derive(Debug)]
pub(crate) struct Spill {
    file: Arc<Mutex<std::fs::File>>,
    budget: Arc<Budget>,
    written: u64,
    read: u64,
}

/// How much is read back at a time.
const READ_BYTES: u64 = 256 * 1024;

impl Spill {
    /// The file has no name: nothing is left of it whatever happens.
    pub(crate) fn create(budget: Arc<Budget>) -> io::Result<Self> {
        let file = Arc::new(Mutex::new(tempfile::tempfile()?));
        Ok(Self {
            file,
            budget,
            written: 0,
            read: 0,
        })
    }

    pub(crate) fn has_unread(&self) -> bool {
        self.read < self.written
    }

    /// What appends the chunks, in a blocking task; when it is done, [`Spill::appended`].
    pub(crate) fn append(
        &self,
        chunks: Vec<Bytes>,
    ) -> impl FnOnce() -> io::Result<()> + Send + 'static {
        let (file, at) = (Arc::clone(&self.file), self.written);
        move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(at))?;
            chunks.iter().try_for_each(|chunk| file.write_all(chunk))
        }
    }

    pub(crate) fn appended(&mut self, count: usize) {
        self.written += count as u64;
    }

    /// What reads the next part back, in a blocking task; when it is done, [`Spill::was_read`].
    pub(crate) fn read(&self) -> impl FnOnce() -> io::Result<Bytes> + Send + 'static {
        let (file, at) = (Arc::clone(&self.file), self.read);
        let count = (self.written - self.read).min(READ_BYTES);
        move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(at))?;
            let mut bytes = Vec::with_capacity(count as usize);
            (&mut *file).take(count).read_to_end(&mut bytes)?;
            if (bytes.len() as u64) < count {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(bytes.into())
        }
    }

    pub(crate) fn was_read(&mut self, count: usize) {
        self.read += count as u64;
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        self.budget.give_back(self.written);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_appended_is_read_back_in_order() {
        let mut spill = Spill::create(Arc::new(Budget::new(100))).unwrap();
        for chunk in [&b"hello "[..], b"world"] {
            spill.append(vec![Bytes::from_static(chunk)])().unwrap();
            spill.appended(chunk.len());
        }
        let bytes = spill.read()().unwrap();
        spill.was_read(bytes.len());
        assert_eq!(&bytes[..], b"hello world");
        assert!(!spill.has_unread());
    }

    #[test]
    fn the_budget_is_given_back_with_the_file() {
        let budget = Arc::new(Budget::new(5));
        assert!(budget.take(5) && !budget.take(1));
        let mut spill = Spill::create(Arc::clone(&budget)).unwrap();
        spill.appended(5);
        drop(spill);
        assert!(budget.take(5));
    }
}

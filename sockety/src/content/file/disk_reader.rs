//! A file on disk that is read to be sent: off the async threads, and without a copy between the system
//! and the outbox.

use std::{
    fs, io,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::engine::memory::payloads;

/// Reads a file on disk from its beginning to its end. It is opened when it is read first.
pub(super) struct DiskReader {
    state: State,
    /// How many bytes are to come, as far as its size is known.
    left: u64,
}

/// ```text
/// Ready ── asked for a chunk ──▶ Reading ── failed ──▶ Failed
///   ▲                               │
///   └────────── done ───────────────┘
/// ```
enum State {
    Ready(Source),
    Reading(JoinHandle<io::Result<(fs::File, Vec<u8>)>>),
    Failed(Arc<io::Error>),
}

enum Source {
    Unopened(PathBuf),
    Open(fs::File),
}

impl DiskReader {
    pub(super) fn new(path: PathBuf, size: u64) -> Self {
        Self {
            state: State::Ready(Source::Unopened(path)),
            left: size,
        }
    }

    /// The next chunk, of up to `most` bytes; `None` at the end. An error comes again each time.
    ///
    /// When this is not polled to its end, the chunk is returned the next time.
    pub(super) fn poll_chunk(
        &mut self,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<Bytes>>> {
        loop {
            match &mut self.state {
                State::Ready(_) => self.begin(most),
                State::Reading(reading) => {
                    let read = ready!(Pin::new(reading).poll(cx));
                    match read.unwrap_or_else(|lost| Err(io::Error::other(lost))) {
                        Ok((file, chunk)) => {
                            self.state = State::Ready(Source::Open(file));
                            return Poll::Ready(Ok(self.on_read(chunk)));
                        }
                        Err(error) => self.state = State::Failed(Arc::new(error)),
                    }
                }
                State::Failed(error) => {
                    let error = io::Error::new(error.kind(), Arc::clone(error));
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    /// Begins to read, into memory of this thread, which is used again when the chunk was sent.
    fn begin(&mut self, most: usize) {
        // A byte more shows whether the file has grown.
        let size = most.min(usize::try_from(self.left).unwrap_or(most).saturating_add(1));
        let mut chunk = payloads::take(size as u64);
        let missing = State::Failed(Arc::new(io::ErrorKind::Other.into()));
        let State::Ready(source) = std::mem::replace(&mut self.state, missing) else {
            unreachable!("it is called when nothing is being read");
        };
        self.state = State::Reading(spawn_blocking(move || {
            let file = match source {
                Source::Unopened(path) => fs::File::open(path)?,
                Source::Open(file) => file,
            };
            read(&file, size, &mut chunk)?;
            Ok((file, chunk))
        }));
    }

    fn on_read(&mut self, chunk: Vec<u8>) -> Option<Bytes> {
        if chunk.is_empty() {
            return None;
        }
        self.left = self.left.saturating_sub(chunk.len() as u64);
        Some(payloads::share(chunk))
    }
}

/// Reads once. Memory that was used before may have room for more than `least` bytes, and is filled.
#[cfg(unix)]
fn read(file: &fs::File, least: usize, into: &mut Vec<u8>) -> io::Result<()> {
    into.reserve_exact(least);
    // Unlike `Read`, it fills memory that was not initialized.
    let read = || rustix::io::read(file, rustix::buffer::spare_capacity(&mut *into));
    rustix::io::retry_on_intr(read)?;
    Ok(())
}

/// Reads once.
#[cfg(not(unix))]
fn read(mut file: &fs::File, most: usize, into: &mut Vec<u8>) -> io::Result<()> {
    into.resize(most, 0);
    let count = loop {
        match io::Read::read(&mut file, into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    into.truncate(count);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, io::Write};

    use super::*;

    async fn read_all(reader: &mut DiskReader, most: usize) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(chunk) = poll_fn(|cx| reader.poll_chunk(most, cx)).await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn all_of_a_file_is_read_whatever_the_size_of_chunks() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let content: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        file.write_all(&content).unwrap();
        for most in [7_000, 65_536, 200_000, 1 << 20] {
            let mut reader = DiskReader::new(file.path().to_owned(), 200_000);
            assert_eq!(read_all(&mut reader, most).await.unwrap(), content);
        }
    }

    #[tokio::test]
    async fn more_is_read_of_a_file_that_has_grown() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&[7; 100]).unwrap();
        let mut reader = DiskReader::new(file.path().to_owned(), 10);
        assert_eq!(read_all(&mut reader, 1024).await.unwrap().len(), 100);
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_opened_fails_each_time() {
        let directory = tempfile::tempdir().unwrap();
        let mut reader = DiskReader::new(directory.path().join("none"), 10);
        for _ in 0..2 {
            let error = read_all(&mut reader, 1024).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
    }

    #[tokio::test]
    async fn a_chunk_that_was_asked_for_is_not_lost() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"abcdef").unwrap();
        let mut reader = DiskReader::new(file.path().to_owned(), 6);
        let asked = poll_fn(|cx| Poll::Ready(reader.poll_chunk(3, cx))).await;
        let mut all = match asked {
            Poll::Ready(chunk) => chunk.unwrap().unwrap().to_vec(),
            Poll::Pending => Vec::new(),
        };
        all.extend(read_all(&mut reader, 3).await.unwrap());
        assert_eq!(all, b"abcdef");
    }
}

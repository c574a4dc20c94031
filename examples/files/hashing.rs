//! Computes the SHA-256 hash of what another reader reads.

use std::{
    io, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::oneshot,
    task::{JoinHandle, spawn_blocking},
};

/// How much is collected before it is hashed.
const BATCH: usize = 256 * 1024;

/// A reader that passes on what another one reads, and hashes it on the way.
///
/// Hashing is CPU-bound, so it runs outside the async threads, one batch at a time. Meanwhile the
/// next batch is collected, and no thread is blocked while waiting for a slow peer.
pub struct Hashing<R> {
    reader: R,
    gathered: Vec<u8>,
    work: Work,
    done: Option<oneshot::Sender<String>>,
}

enum Work {
    Idle(Sha256),
    /// Also returns the batch, to be filled again.
    Busy(JoinHandle<(Sha256, Vec<u8>)>),
}

impl<R> Hashing<R> {
    /// Returns the reader, and the hash once it was read to its end.
    pub fn new(reader: R) -> (Self, oneshot::Receiver<String>) {
        let (done, hash) = oneshot::channel();
        let hashing = Self {
            reader,
            gathered: Vec::new(),
            work: Work::Idle(Sha256::new()),
            done: Some(done),
        };
        (hashing, hash)
    }

    /// Waits for the previous batch, if any, and starts to hash the collected one.
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (mut sha256, next) = match &mut self.work {
            Work::Idle(sha256) => (mem::take(sha256), Vec::with_capacity(BATCH)),
            Work::Busy(batch) => ready!(Pin::new(batch).poll(cx))?,
        };
        let mut batch = mem::replace(&mut self.gathered, next);
        self.work = Work::Busy(spawn_blocking(move || {
            sha256.update(&batch);
            batch.clear();
            (sha256, batch)
        }));
        Poll::Ready(Ok(()))
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sha256 = match &mut self.work {
            Work::Idle(sha256) => sha256,
            Work::Busy(batch) => &mut ready!(Pin::new(batch).poll(cx))?.0,
        };
        // Less than a batch is not worth another thread.
        sha256.update(&self.gathered);
        let hash = hex(&sha256.finalize_reset());
        self.work = Work::Idle(Sha256::new());
        if let Some(done) = self.done.take() {
            drop(done.send(hash));
        }
        Poll::Ready(Ok(()))
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Hashing<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.gathered.len() >= BATCH {
            ready!(this.poll_begin(cx))?;
        }
        let before = into.filled().len();
        ready!(Pin::new(&mut this.reader).poll_read(cx, into))?;
        let read = &into.filled()[before..];
        // Nothing was read because this is the end, not because there was no room.
        if read.is_empty() && into.remaining() > 0 && this.done.is_some() {
            return this.poll_end(cx);
        }
        this.gathered.extend_from_slice(read);
        Poll::Ready(Ok(()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

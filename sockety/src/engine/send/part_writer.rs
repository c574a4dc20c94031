//! The writing end of one file or stream that is being sent.

use std::task::{Context, Poll};

use bytes::Bytes;

use super::transmissions::PartKey;
use crate::{
    engine::{lease::Lease, memory::chunks::Chunks},
    error::source::SourceError,
};

/// Dropped before the part has ended, it gives the whole message up.
#[derive(Debug)]
pub(crate) struct PartWriter {
    lease: Lease,
    key: PartKey,
    is_finished: bool,
}

const DISK_CHUNK_BESIDE_CALLS: usize = 64 * 1024;

impl PartWriter {
    /// Whoever makes it holds the entry of the transmission, which it holds too from here on.
    pub(crate) fn new(lease: Lease, key: PartKey) -> Self {
        lease.shared.lock().sources.hold(key.transmission);
        Self {
            lease,
            key,
            is_finished: false,
        }
    }

    /// How much of a file on disk is read at a time: whoever reads, or copies what was read, is on a processor for it
    /// that calls may need.
    pub(crate) fn disk_chunk(&self) -> usize {
        if self.lease.shared.lock().is_beside_calls() {
            DISK_CHUNK_BESIDE_CALLS
        } else {
            DISK_CHUNK
        }
    }

    /// Adds to the part when there is room; pending, nothing was added.
    pub(crate) fn poll_add(
        &mut self,
        cx: &mut Context<'_>,
        add: impl FnOnce(&mut Chunks),
    ) -> Poll<Result<(), SourceError>> {
        let shared = &self.lease.shared;
        shared.change(|state| {
            let due = &mut state.outbox.due;
            state.sources.poll_push(self.key, cx.waker(), due, add)
        })
    }

    pub(crate) async fn push(&mut self, chunk: Bytes) -> Result<(), SourceError> {
        let mut chunk = Some(chunk);
        std::future::poll_fn(|cx| {
            self.poll_add(cx, |chunks| {
                if let Some(chunk) = chunk.take() {
                    chunks.push(chunk);
                }
            })
        })
        .await
    }

    /// Adds to the part after it was found to have room.
    pub(crate) fn add_now(&mut self, chunk: Bytes) -> Result<(), SourceError> {
        self.lease
            .shared
            .change(|state| state.sources.push(self.key, |chunks| chunks.push(chunk)))
    }

    /// Ends the part.
    pub(crate) fn finish(&mut self) -> Result<(), SourceError> {
        if self.is_finished {
            return Ok(());
        }
        self.is_finished = true;
        self.lease
            .shared
            .change(|state| state.sources.finish(self.key))
    }

    /// Gives the message up.
    pub(crate) fn abort(&mut self, error: SourceError) {
        self.is_finished = true;
        self.lease
            .shared
            .change(|state| state.abort(self.key.transmission, error));
    }
}

impl Drop for PartWriter {
    fn drop(&mut self) {
        if !self.is_finished {
            self.abort(SourceError::GivenUp);
        }
        self.lease
            .shared
            .lock()
            .sources
            .release(self.key.transmission);
    }
}

/// How much is read from a disk at a time, off the async threads.
pub(crate) const DISK_CHUNK: usize = 256 * 1024;

//! The writing end of one file or stream that is being sent.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;

use super::transmissions::PartKey;
use crate::{
    engine::{lease::Lease, memory::chunks::Chunks},
    error::{source::SourceError, stream_end::StreamEnd},
    fast_reply::FastReply,
};

/// Dropped before the part has ended, it aborts the whole message.
#[derive(Debug)]
pub(crate) struct PartWriter {
    lease: Lease,
    key: PartKey,
    is_finished: bool,
}

const DISK_CHUNK_BESIDE_CALLS: usize = 64 * 1024;

impl PartWriter {
    /// The caller holds the entry of the transmission. From now on, the writer holds it too.
    pub(crate) fn new(lease: Lease, key: PartKey) -> Self {
        lease.shared().lock().transmissions.hold(key.transmission);
        Self {
            lease,
            key,
            is_finished: false,
        }
    }

    /// How many bytes of a file on disk are read at a time. Reading them, and copying what was
    /// read, occupies a processor that calls may need.
    pub(crate) fn disk_chunk(&self) -> usize {
        if self.lease.shared().lock().is_beside_calls() {
            DISK_CHUNK_BESIDE_CALLS
        } else {
            DISK_CHUNK
        }
    }

    /// Adds to the part if there is room. While this is pending, nothing was added.
    pub(crate) fn poll_add(
        &mut self,
        cx: &mut Context<'_>,
        add: impl FnOnce(&mut Chunks),
    ) -> Poll<Result<(), SourceError>> {
        let shared = self.lease.shared();
        shared.change(|state| {
            let due = &mut state.outbox.due;
            state
                .transmissions
                .poll_push(self.key, cx.waker(), due, add)
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

    /// Adds to the part without waiting, after [`PartWriter::poll_add`] has found room.
    pub(crate) fn add_now(&mut self, chunk: Bytes) -> Result<(), SourceError> {
        self.lease.shared().change(|state| {
            state
                .transmissions
                .push(self.key, |chunks| chunks.push(chunk))
        })
    }

    /// Ready when the part can no longer be written. Until then, the task is woken once for that.
    pub(crate) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<SourceError> {
        self.lease.shared().change(|state| {
            let due = &mut state.outbox.due;
            state.transmissions.poll_over(self.key, cx.waker(), due)
        })
    }

    /// Waits until everything that was pushed is on its way.
    pub(crate) async fn drain(&mut self) -> Result<(), SourceError> {
        std::future::poll_fn(|cx| {
            self.lease.shared().change(|state| {
                let due = &mut state.outbox.due;
                state.transmissions.poll_drained(self.key, cx.waker(), due)
            })
        })
        .await
    }

    /// Ends the part.
    pub(crate) fn finish(&mut self) -> Result<(), SourceError> {
        if self.is_finished {
            return Ok(());
        }
        self.is_finished = true;
        self.lease
            .shared()
            .change(|state| state.transmissions.finish(self.key))
    }

    /// Ends a stream with an error, after what was pushed. A peer without the extension cannot learn it:
    /// the message is aborted when all that was pushed is on its way.
    // r[impl ext.status.base]
    pub(crate) async fn finish_with(&mut self, end: Arc<StreamEnd>) -> Result<(), SourceError> {
        if end.code() == FastReply::ACCEPT {
            return self.finish();
        }
        if !self.lease.shared().is_extended {
            self.drain().await?;
            self.abort(SourceError::GivenUp);
            return Ok(());
        }
        self.is_finished = true;
        self.lease
            .shared()
            .change(|state| state.transmissions.finish_with(self.key, end))
    }

    /// Aborts the message.
    pub(crate) fn abort(&mut self, error: SourceError) {
        self.is_finished = true;
        self.lease
            .shared()
            .change(|state| state.abort_part(self.key, error));
    }

    /// Ready with the number of a file of this message whose source is to be read now, as the peer waits
    /// for it.
    pub(crate) fn poll_wanted(&self, cx: &mut Context<'_>) -> Poll<usize> {
        self.lease.shared().change(|state| {
            let due = &mut state.outbox.due;
            let key = self.key.transmission;
            state.transmissions.poll_wanted(key, cx.waker(), due)
        })
    }

    /// Which part of the message it writes.
    pub(crate) fn part(&self) -> usize {
        self.key.part
    }

    /// Whether parts wait for credit, each by itself.
    pub(crate) fn needs_credit(&self) -> bool {
        self.lease.shared().is_extended
    }
}

impl Drop for PartWriter {
    fn drop(&mut self) {
        if !self.is_finished {
            self.abort(SourceError::GivenUp);
        }
        self.lease
            .shared()
            .lock()
            .transmissions
            .release(self.key.transmission);
    }
}

/// How many bytes are read from a disk at a time, off the async threads.
pub(crate) const DISK_CHUNK: usize = 256 * 1024;

//! What is attached to a message while it is handled.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::Notify;

use super::{
    answered::Answered,
    measured::{MeasuredContent, SendingContent},
};
use crate::{extensions::Extensions, fast_reply::FastReply};

/// Allocated from the beginning when middleware sees the message, else on its first use: most
/// messages need none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record(OnceLock<Arc<Known>>);

#[derive(Debug, Default)]
struct Known {
    extensions: Extensions,
    answered: OnceLock<Answered>,
    /// Whether somebody measures the content of the reply.
    is_measured: AtomicBool,
    /// The content of the first reply that has any.
    content: OnceLock<Box<MeasuredContent>>,
    /// What its handler has begun and what ends with it, if there is any such thing.
    early_end: OnceLock<Arc<EarlyEnd>>,
}

/// Whether the handler of a message was ended early, for what it has spawned.
#[derive(Debug, Default)]
pub(crate) struct EarlyEnd {
    /// The answer, once it was.
    code: OnceLock<FastReply>,
    come: Notify,
}

impl EarlyEnd {
    /// Ready when the handler was ended early. Never, if it comes to its end.
    pub(crate) async fn come(&self) {
        let mut come = std::pin::pin!(self.come.notified());
        // Registered before the flag is read, so that an end in between is not missed.
        come.as_mut().enable();
        if self.code.get().is_none() {
            come.await;
        }
    }
}

impl Record {
    /// Allocates the record now. From now on, all clones share it; clones made before do not.
    pub(crate) fn begin(&self) -> Self {
        self.known();
        self.clone()
    }

    /// Whether anything may be attached.
    #[inline]
    pub(crate) fn is_used(&self) -> bool {
        self.0.get().is_some()
    }

    pub(crate) fn extensions(&self) -> &Extensions {
        &self.known().extensions
    }

    pub(crate) fn answered(&self) -> Answered {
        let known = self.0.get().and_then(|known| known.answered.get());
        known.copied().unwrap_or(Answered::Nothing)
    }

    /// Sets the answer, unless there is one already. Without a record nothing will ask for it.
    pub(crate) fn set_answered(&self, answered: impl FnOnce() -> Answered) {
        if let Some(known) = self.0.get() {
            let _ = known.answered.set(answered());
        }
    }

    /// From now on, the content of a reply is kept for [`content`](Self::content).
    pub(crate) fn measure_content(&self) {
        self.known().is_measured.store(true, Ordering::Relaxed);
    }

    /// Keeps the content of a reply that is being sent, if somebody measures it and there was none
    /// before.
    pub(crate) fn set_content(&self, content: impl FnOnce() -> Option<SendingContent>) {
        let Some(known) = self.0.get() else {
            return;
        };
        if known.is_measured.load(Ordering::Relaxed) {
            if let Some(content) = content() {
                let _ = known.content.set(Box::new(MeasuredContent::new(content)));
            }
        }
    }

    /// The content of the reply, if it has any.
    pub(crate) fn content(&self) -> Option<&MeasuredContent> {
        self.0.get()?.content.get().map(|content| &**content)
    }

    /// For what the handler spawns.
    pub(crate) fn early_end(&self) -> Arc<EarlyEnd> {
        let early_end = self.known().early_end.get_or_init(Arc::default);
        Arc::clone(early_end)
    }

    /// The handler was ended early. Its message is answered with this code, wherever it is.
    pub(crate) fn end_early(&self, code: FastReply) {
        let known = self.0.get();
        if let Some(early_end) = known.and_then(|known| known.early_end.get()) {
            let _ = early_end.code.set(code);
            early_end.come.notify_waiters();
        }
    }

    /// The answer, if the handler was ended early, and somebody asked to be told.
    pub(crate) fn early_answer(&self) -> Option<FastReply> {
        self.0.get()?.early_end.get()?.code.get().copied()
    }

    fn known(&self) -> &Known {
        self.0.get_or_init(Arc::default)
    }
}

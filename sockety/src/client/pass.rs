use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use sockety_codec::{MessageHead, Uuid};
use sync_wrapper::SyncWrapper;

use super::{
    pass_draft::PassDraft,
    unsent::{self, Extra, Unsent},
};
use crate::{
    connection::Connection,
    content::carrying::Sending,
    engine::{inherited, pending::ReplyClock},
    error::{pass::PassError, request::RequestError},
    metadata::{MetadataKey, Trace},
};

/// A typed one-way message: a future that is ready when the message was handed to the socket.
/// Nothing is sent until it is first polled.
///
/// If it is dropped between its first poll and its end, the message may or may not be sent.
///
/// # Panics
/// Panics if it is polled again after it was ready.
#[must_use = "a one-way message does nothing until it is awaited"]
pub struct Pass {
    connection: Connection,
    action: &'static str,
    stage: Stage,
    extra: Option<Box<Extra>>,
}

/// ```text
/// Unsent ── has its place in the outbox ──▶ Sending ── written, end ──▶ Done
///    │  └───────────── cannot be sent ───────────────────────────────────▲
///    └── its handle has middleware ──▶ Layered ──────────────────────────┘
/// ```
enum Stage {
    Unsent(Unsent),
    Sending(Sending),
    Layered(SyncWrapper<Layered>),
    Done,
}

type Layered = Pin<Box<dyn Future<Output = Result<(), RequestError>> + Send>>;

impl Pass {
    #[inline]
    pub(crate) fn new(connection: Connection, draft: PassDraft) -> Self {
        Self {
            connection,
            action: draft.unsent.action,
            stage: Stage::Unsent(draft.unsent),
            extra: None,
        }
    }

    /// Sets an entry of [metadata](crate::metadata), which travels with the message. One with the same
    /// name is replaced.
    ///
    /// The message is not sent if the connection does not use the extension, unless the key is
    /// [optional](MetadataKey::optional), or if there are more than 64 entries or more bytes than the
    /// peer takes, 8 KiB by default.
    pub fn metadata(mut self, key: MetadataKey, value: impl Into<Bytes>) -> Self {
        let extra = self.extra.get_or_insert_default();
        let metadata = extra.metadata.get_or_insert_default();
        metadata.insert(key, value.into());
        self
    }

    /// Sets the trace that the message belongs to, in place of that of the handler that sends it. Left out
    /// if the connection does not use the extension.
    pub fn trace(mut self, trace: Trace) -> Self {
        let extra = self.extra.get_or_insert_default();
        let metadata = extra.metadata.get_or_insert_default();
        metadata.set_trace(trace);
        self
    }

    fn poll_stages(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), RequestError>> {
        loop {
            self.stage = match &mut self.stage {
                Stage::Unsent(unsent) if self.connection.middleware.is_some() => {
                    let metadata = self.extra.take().and_then(|extra| extra.metadata);
                    let message = unsent.clone().into_outgoing();
                    let (connection, message) =
                        (self.connection.clone(), message.with_all_metadata(metadata));
                    let passing = async move { connection.pass(message).await };
                    Stage::Layered(SyncWrapper::new(Box::pin(passing)))
                }
                Stage::Unsent(unsent) => {
                    // r[impl head.id.version]
                    let head = MessageHead::new(Uuid::new_v4(), unsent.action);
                    let along = inherited::along_one_way(None);
                    let submitted = unsent::poll_submit(
                        head,
                        &unsent.content,
                        &mut self.extra,
                        &self.connection,
                        ReplyClock::Default,
                        along,
                        cx,
                    );
                    let submitted = ready!(submitted)?;
                    Stage::Sending(unsent::start(&mut self.extra, &self.connection, submitted))
                }
                Stage::Sending(sending) => return sending.queued.poll_sent(cx),
                Stage::Layered(layered) => return layered.get_mut().as_mut().poll(cx),
                Stage::Done => panic!("a one-way message was polled after it was ready"),
            }
        }
    }

    /// Gives up the message's place in the queue, if it still waits for room.
    fn finish(&mut self) {
        if let (Stage::Unsent(_), Some(extra)) = (&self.stage, &self.extra) {
            extra.forget(&self.connection);
        }
        self.stage = Stage::Done;
    }
}

impl Future for Pass {
    type Output = Result<(), PassError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(self.poll_stages(cx));
        self.finish();
        let action = self.action;
        Poll::Ready(result.map_err(|error| PassError { action, error }))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.finish();
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass").finish_non_exhaustive()
    }
}

//! What is known about a call on its way through middleware.

use std::{
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

#[cfg(feature = "metrics")]
use crate::engine::measured::SendingContent;
use crate::{
    engine::shared::Shared,
    error::{request::RequestError, send::SendError},
    outcome::Outcome,
};

/// What is known about a call that middleware does not wait for any longer; see
/// [`OutgoingCall::status`](crate::client::OutgoingCall::status).
///
/// Middleware that drops the call, or the future of [`CallNext::run`](crate::client::CallNext::run), has no result
/// to return. It returns [`given_up`](Self::given_up) instead.
///
/// ```
/// use std::time::Duration;
/// use sockety::client::{CallNext, CallResult, OutgoingCall};
/// use tokio::time::timeout;
///
/// async fn within_a_second(call: OutgoingCall, next: CallNext) -> CallResult {
///     let status = call.status();
///     let replied = timeout(Duration::from_secs(1), next.run(call)).await;
///     replied.unwrap_or_else(|_| Err(status.given_up()))
/// }
/// # fn example(connection: sockety::Connection) { connection.layer(within_a_second); }
/// ```
#[derive(Clone)]
pub struct CallStatus(Arc<Known>);

#[derive(Default)]
struct Known {
    /// Set when the call is dropped, or has failed.
    outcome: OnceLock<Outcome>,
    /// The caller's own time, once it is over.
    timed_out: OnceLock<Duration>,
    /// Whether the caller has cancelled it, and waits for what became of it.
    is_cancelled: AtomicBool,
    /// Notified once, by [`Caller`]. The permit stays until the call asks for it.
    caller_gone: Notify,
    /// The connection that the call was sent on, if its handle has a source of them: the timeout of
    /// the call asks it how far the content is.
    on: Mutex<Option<Arc<Shared>>>,
    /// What of the call is measured, if somebody wants that: its content, once it is being sent.
    #[cfg(feature = "metrics")]
    measured: OnceLock<Mutex<Option<SendingContent>>>,
}

impl CallStatus {
    /// A call, and who waits for it.
    pub(crate) fn begin() -> (Tracker, Caller) {
        let status = Self(Arc::default());
        let tracker = Tracker {
            status: status.clone(),
            is_sent: false,
        };
        (tracker, Caller(status))
    }

    /// What is known about the execution. [`Outcome::Unknown`] until the call was dropped or has failed: until then
    /// it may still be sent, from another task.
    pub fn outcome(&self) -> Outcome {
        let outcome = self.0.outcome.get();
        outcome.copied().unwrap_or(Outcome::Unknown)
    }

    /// The error of a call without a result: [`SendError::RejectedByMiddleware`] if it was not sent, otherwise
    /// [`RequestError::GivenUp`]; [`RequestError::TimedOut`] if the caller's own time is over.
    ///
    /// Drop the call, or the future of [`CallNext::run`](crate::client::CallNext::run), first: only then is it
    /// known that the call was not sent.
    pub fn given_up(&self) -> RequestError {
        let outcome = self.outcome();
        if let Some(&after) = self.0.timed_out.get() {
            let peer = self
                .on()
                .and_then(|shared| shared.peer.peer_addr)
                .map(Arc::new);
            return RequestError::TimedOut {
                peer,
                after,
                outcome,
            };
        }
        match outcome {
            Outcome::NotSent => SendError::rejected_without_reason().into(),
            outcome => RequestError::GivenUp { outcome },
        }
    }

    /// The caller's own time is over: it drops the call next.
    pub(crate) fn set_timed_out(&self, after: Duration) {
        let _ = self.0.timed_out.set(after);
    }

    /// The caller has cancelled it: it is not sent any more, unless it was.
    pub(crate) fn cancel(&self) {
        self.0.is_cancelled.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.is_cancelled.load(Ordering::SeqCst)
    }

    /// The connection that it is sent on; `None` while it waits for one.
    pub(crate) fn set_on(&self, on: Option<Arc<Shared>>) {
        *self.0.on.lock().unwrap_or_else(PoisonError::into_inner) = on;
    }

    pub(crate) fn on(&self) -> Option<Arc<Shared>> {
        self.0
            .on
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// From now on, the content of the call is kept for [`take_content`](Self::take_content).
    #[cfg(feature = "metrics")]
    pub(crate) fn measure_content(&self) {
        self.0.measured.get_or_init(Mutex::default);
    }

    /// The content of the call is being sent: of several attempts, the last one counts.
    #[cfg(feature = "metrics")]
    pub(super) fn set_content(&self, content: impl FnOnce() -> Option<SendingContent>) {
        if let Some(measured) = self.0.measured.get() {
            let content = content();
            let before = std::mem::replace(
                &mut *measured.lock().unwrap_or_else(PoisonError::into_inner),
                content,
            );
            drop(before);
        }
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn take_content(&self) -> Option<SendingContent> {
        let measured = self.0.measured.get()?;
        measured
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Ready when the caller waits no longer. For one waiter.
    pub(crate) async fn caller_gone(&self) {
        self.0.caller_gone.notified().await;
    }
}

impl fmt::Debug for CallStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallStatus")
            .field("outcome", &self.outcome())
            .finish_non_exhaustive()
    }
}

/// Part of a call: when it is dropped, the outcome of the call is known.
pub(crate) struct Tracker {
    pub(crate) status: CallStatus,
    is_sent: bool,
}

impl Tracker {
    /// From now on, nobody knows whether the call is executed.
    pub(crate) fn set_sent(&mut self) {
        self.is_sent = true;
    }

    /// It turned out that no byte was sent, and none will be.
    pub(crate) fn set_unsent(&mut self) {
        self.is_sent = false;
    }

    pub(crate) fn set_failed(&self, error: &RequestError) {
        let _ = self.status.0.outcome.set(error.outcome());
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        let outcome = if self.is_sent {
            Outcome::Unknown
        } else {
            Outcome::NotSent
        };
        // Does nothing after a failure.
        let _ = self.status.0.outcome.set(outcome);
    }
}

/// Held by the waiter of the call. Middleware may run as a separate task, which this does not end: the call
/// itself learns that nobody waits for it, and ends.
pub(crate) struct Caller(pub(crate) CallStatus);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.0.caller_gone.notify_one();
    }
}

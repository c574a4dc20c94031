//! The way of a call through middleware, and how its caller learns what became of it.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use sync_wrapper::SyncWrapper;
use tokio::sync::oneshot;

use super::{
    middleware::{CallNext, Chain},
    outgoing_call::OutgoingCall,
};
use crate::{
    engine::answered::Answered,
    error::{request::RequestError, send::SendError},
    outcome::Outcome,
};

/// What the caller has. Dropping it drops the middleware wherever it waits.
pub(crate) struct Passage<T> {
    /// Until the middleware is done.
    chain: Option<SyncWrapper<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    result: oneshot::Receiver<Result<T, RequestError>>,
    summary: Summary,
}

/// Begins the way of a call, which reports what became of it.
pub(crate) fn passage<T>(chain: Chain, call: impl FnOnce(Report<T>) -> OutgoingCall) -> Passage<T> {
    let (sender, result) = oneshot::channel();
    let summary = Summary::default();
    let call = call(Report {
        to: Some(sender),
        summary: summary.clone(),
        is_sent: false,
    });
    let next = CallNext::new(chain);
    let chain = Box::pin(async move {
        let _ = next.run(call).await;
    });
    Passage {
        chain: Some(SyncWrapper::new(chain)),
        result,
        summary,
    }
}

impl<T> Passage<T> {
    pub(crate) fn summary(&self) -> Summary {
        self.summary.clone()
    }

    /// Ready when the middleware is done.
    pub(crate) fn poll_chain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(chain) = &mut self.chain {
            ready!(chain.get_mut().as_mut().poll(cx));
            self.chain = None;
        }
        Poll::Ready(())
    }

    /// What became of the call, when the middleware is done. Ready once.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, RequestError>> {
        ready!(self.poll_chain(cx));
        let told = ready!(Pin::new(&mut self.result).poll(cx));
        Poll::Ready(told.unwrap_or_else(|_| Err(RequestError::given_up())))
    }
}

impl<T> fmt::Debug for Passage<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passage").finish_non_exhaustive()
    }
}

/// Tells the caller what became of the call. Dropped without a word, it says that the call was given up.
pub(crate) struct Report<T> {
    to: Option<oneshot::Sender<Result<T, RequestError>>>,
    summary: Summary,
    is_sent: bool,
}

impl<T> Report<T> {
    pub(crate) fn summary(&self) -> Summary {
        self.summary.clone()
    }

    /// From here on nobody knows whether the call is executed.
    pub(crate) fn set_sent(&mut self) {
        self.is_sent = true;
    }

    /// Ready when the caller waits no longer.
    pub(crate) fn poll_unwanted(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.to {
            Some(to) => to.poll_closed(cx),
            None => Poll::Ready(()),
        }
    }

    pub(crate) fn tell(
        mut self,
        result: Result<T, RequestError>,
        answered: impl FnOnce(&T) -> Answered,
    ) {
        let summary = result.as_ref().map(answered).map_err(Clone::clone);
        self.end(result, summary);
    }

    pub(crate) fn fail(mut self, error: RequestError) {
        self.end(Err(error.clone()), Err(error));
    }

    fn end(&mut self, result: Result<T, RequestError>, summary: Result<Answered, RequestError>) {
        if let Some(to) = self.to.take() {
            let _ = self.summary.0.result.set(summary);
            // A caller that waits no longer misses nothing.
            let _ = to.send(result);
        }
    }
}

impl<T> Drop for Report<T> {
    fn drop(&mut self) {
        let is_timed_out = self.summary.0.is_timed_out.load(Ordering::Relaxed);
        let error = match (is_timed_out, self.is_sent) {
            (true, true) => timed_out(Outcome::Unknown),
            (true, false) => timed_out(Outcome::NotSent),
            (false, true) => RequestError::given_up(),
            (false, false) => SendError::refused_unsaid().into(),
        };
        self.end(Err(error.clone()), Err(error));
    }
}

fn timed_out(outcome: Outcome) -> RequestError {
    RequestError::TimedOut { outcome }
}

/// How a call went, for the middleware that it comes back through.
#[derive(Clone, Default)]
pub(crate) struct Summary(Arc<Known>);

#[derive(Default)]
struct Known {
    result: OnceLock<Result<Answered, RequestError>>,
    is_timed_out: AtomicBool,
}

impl Summary {
    pub(crate) fn get(&self) -> Result<Answered, RequestError> {
        // Nothing yet when a middleware goes on elsewhere.
        let known = self.0.result.get().cloned();
        known.unwrap_or_else(|| Err(RequestError::given_up()))
    }

    /// The caller's own time is over: it drops the passage for that next.
    pub(crate) fn set_timed_out(&self) {
        self.0.is_timed_out.store(true, Ordering::Relaxed);
    }

    /// What is known about the call when its caller has dropped the passage: a call that was still with it was not sent.
    pub(crate) fn outcome(&self) -> Outcome {
        match self.get() {
            Ok(_) => Outcome::Unknown,
            Err(error) => error.outcome(),
        }
    }
}

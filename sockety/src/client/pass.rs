use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use sync_wrapper::SyncWrapper;

use super::pass_draft::PassDraft;
use crate::{connection::Connection, error::request::RequestError};

/// A typed one-way message: a future that is ready when the message was handed to the socket. Nothing is sent until it
/// is first polled.
///
/// Dropped after that and before it is ready, the message may be sent or not. Polled again after it was ready, it
/// panics.
#[must_use = "a one-way message does nothing until it is awaited"]
pub struct Pass(Stage);

enum Stage {
    Unsent(Option<(Connection, PassDraft)>),
    Passing(SyncWrapper<Passing>),
}

type Passing = Pin<Box<dyn Future<Output = Result<(), RequestError>> + Send>>;

impl Pass {
    pub(crate) fn new(connection: Connection, draft: PassDraft) -> Self {
        Self(Stage::Unsent(Some((connection, draft))))
    }
}

impl Future for Pass {
    type Output = Result<(), RequestError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Stage::Unsent(unsent) = &mut self.0
            && let Some((connection, draft)) = unsent.take()
        {
            let passing: Passing = Box::pin(async move { connection.pass(draft).await });
            self.0 = Stage::Passing(SyncWrapper::new(passing));
        }
        match &mut self.0 {
            Stage::Passing(passing) => passing.get_mut().as_mut().poll(cx),
            Stage::Unsent(_) => Poll::Pending,
        }
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass").finish_non_exhaustive()
    }
}

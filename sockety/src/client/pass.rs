use std::pin::Pin;

use super::pass_draft::PassDraft;
use crate::{connection::Connection, error::request::RequestError};

/// A typed one-way message. Nothing is sent until it is awaited; then it is ready when it was handed to the
/// socket.
#[derive(Debug)]
#[must_use = "a one-way message does nothing until it is awaited"]
pub struct Pass {
    connection: Connection,
    draft: PassDraft,
}

impl Pass {
    pub(crate) fn new(connection: Connection, draft: PassDraft) -> Self {
        Self { connection, draft }
    }
}

impl IntoFuture for Pass {
    type Output = Result<(), RequestError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.connection.pass(self.draft).await })
    }
}

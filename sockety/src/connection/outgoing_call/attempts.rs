//! Attempts to send one message, on one connection of a source after another.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::{
    connection::{
        Connection,
        call_status::CallStatus,
        middleware::{CallReply, CallResult},
        source::ConnectionSource,
    },
    engine::answered::Answered,
    error::{request::RequestError, send::SendError},
    outcome::Outcome,
};

/// A connection of the source, which the message waits for until the deadline, or until its handle is
/// closed.
pub(super) async fn connection_of(
    source: &dyn ConnectionSource,
    handle: &Connection,
    deadline: Option<(Instant, Duration)>,
    tried: Option<&Connection>,
) -> Result<Connection, SendError> {
    handle.shared().lock().check_open()?;
    let current = match tried {
        None => source.current(),
        Some(tried) => source.current_but(tried),
    };
    if let Some(current) = current {
        return Ok(current);
    }
    let waiting = async {
        tokio::select! {
            biased;
            connection = source.connection() => connection.map_err(SendError::NotConnected),
            error = handle.closed() => Err(SendError::Disconnected { peer: None, error }),
        }
    };
    let Some((deadline, patience)) = deadline else {
        return waiting.await;
    };
    let connection = timeout_at(deadline, waiting).await;
    connection.unwrap_or_else(|_| Err(SendError::NotConnected(source.failure(patience))))
}

/// What came of earlier attempts to send a message.
#[derive(Default)]
pub(super) struct Before {
    /// The last error, or the one after which the message may have been executed.
    error: Option<RequestError>,
    /// The last refusal by a peer.
    refusal: Option<CallReply>,
}

impl Before {
    pub(super) fn note(&mut self, result: CallResult) {
        match result {
            Err(error) if self.is_unsent() => self.error = Some(error),
            Err(_) => {}
            Ok(refusal) => self.refusal = Some(refusal),
        }
    }

    pub(super) fn is_unsent(&self) -> bool {
        let error = self.error.as_ref();
        error.is_none_or(|error| error.outcome() == Outcome::NotSent)
    }

    /// The result of the last attempt. It must not say that nothing was executed if something may
    /// have been before, and a refusal says more than that there was no other connection.
    pub(super) fn result(self, last: CallResult) -> CallResult {
        let is_unsent = self.is_unsent();
        if let (Some(refusal), Err(RequestError::Send(_)), true) = (self.refusal, &last, is_unsent)
        {
            return Ok(refusal);
        }
        let Some(before) = self.error else {
            return last;
        };
        let is_denied = match &last {
            _ if before.outcome() == Outcome::NotSent => false,
            Err(error) => error.outcome().is_retryable(),
            Ok(reply) => match reply.answered() {
                Answered::Code(code) => code.outcome().is_retryable(),
                _ => false,
            },
        };
        if is_denied { Err(before) } else { last }
    }
}

/// Why a call whose time is over has no connection, if it waits for one.
pub(super) fn unconnected(
    connection: &Connection,
    status: &CallStatus,
    limit: Duration,
) -> Option<RequestError> {
    let source = connection.source()?;
    let is_waiting = status.on().is_none() && status.outcome() == Outcome::NotSent;
    if !is_waiting || source.current().is_some() {
        return None;
    }
    Some(SendError::NotConnected(source.failure(limit)).into())
}

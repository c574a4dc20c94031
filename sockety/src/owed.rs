//! The reply that a received message waits for.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use sockety_codec::{FilesSummary, ResponseHead, Uuid};

use crate::{
    Connection, FastReply, SendError,
    connection::{
        outbox::Payload,
        sending::{self, Span},
        shared::{Executing, State},
    },
};

/// Dropped without a reply, it answers with code 5, Internal Error, so that no caller waits in vain.
pub(crate) struct Owed {
    pub(crate) connection: Connection,
    pub(crate) id: Uuid,
    pub(crate) expects_response: bool,
    is_answered: AtomicBool,
    _executing: Option<Executing>,
}

impl Owed {
    pub(crate) fn new(
        connection: Connection,
        id: Uuid,
        expects_response: bool,
        executing: Executing,
    ) -> Self {
        Self {
            connection,
            id,
            expects_response,
            is_answered: AtomicBool::new(false),
            _executing: Some(executing),
        }
    }

    /// For a response that itself expects one. Nothing is owed for it unless the user answers.
    pub(crate) fn optional(connection: Connection, id: Uuid, expects_response: bool) -> Self {
        Self {
            connection,
            id,
            expects_response,
            is_answered: AtomicBool::new(true),
            _executing: None,
        }
    }

    /// Whether a reply went out already.
    pub(crate) fn is_answered(&self) -> bool {
        self.is_answered.load(Ordering::Relaxed)
    }

    /// Claims the one reply that the peer waits for; `false` when it waits for none, or has one.
    ///
    /// r[impl reply.only-when-expected]
    pub(crate) fn claim(&self) -> bool {
        self.expects_response && !self.is_answered.swap(true, Ordering::Relaxed)
    }

    pub(crate) async fn fast_reply(&self, reply: FastReply) -> Result<Span, SendError> {
        self.is_answered.store(true, Ordering::Relaxed);
        sending::reply(&self.connection.shared, |state| {
            Ok(state.send_fast_reply(self.id, reply))
        })
        .await
    }

    pub(crate) async fn respond(
        &self,
        payload: &Bytes,
        expects_response: bool,
    ) -> Result<(Uuid, Span), SendError> {
        self.is_answered.store(true, Ordering::Relaxed);
        sending::check_size(&self.connection.shared, payload.len())?;
        let head = self.response_head(expects_response);
        let put = |state: &mut State| state.send_response(&head, Payload::of(payload));
        Ok((head.id, sending::reply(&self.connection.shared, put).await?))
    }

    /// As [`Owed::respond`], with a payload in a buffer that is used again.
    pub(crate) async fn respond_with(&self, payload: Vec<u8>) -> Result<(), SendError> {
        self.is_answered.store(true, Ordering::Relaxed);
        sending::check_size(&self.connection.shared, payload.len())?;
        let head = self.response_head(false);
        let put = |state: &mut State| {
            state
                .send_response(&head, Payload::Copied(&payload))
                .map(drop)
        };
        let sent = sending::reply(&self.connection.shared, put).await;
        crate::scratch::give_back(payload);
        sent
    }

    fn response_head(&self, expects_response: bool) -> ResponseHead {
        ResponseHead {
            parent: self.id,
            id: Uuid::new_v4(),
            expects_response,
            has_stream: false,
            payload_size: 0,
            files: FilesSummary::default(),
        }
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if self.claim() {
            self.connection
                .shared
                .fast_reply(self.id, FastReply::INTERNAL_ERROR);
        }
    }
}

impl fmt::Debug for Owed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owed")
            .field("id", &self.id)
            .field("expects_response", &self.expects_response)
            .field("is_answered", &self.is_answered())
            .finish_non_exhaustive()
    }
}

//! Content of messages while it is sent, for those who measure it.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use tokio::sync::OnceCell;

use super::{
    lease::Lease,
    transfer::{ContentBytes, TransferEnd},
};

/// The content of a message that is being sent. It holds the entry of the transmission.
#[derive(Debug)]
pub(crate) struct SendingContent {
    lease: Lease,
    transmission: u64,
}

impl SendingContent {
    /// Somebody else holds the entry of the transmission.
    pub(crate) fn new(lease: Lease, transmission: u64) -> Self {
        lease.shared().lock().transmissions.hold(transmission);
        Self {
            lease,
            transmission,
        }
    }

    /// Waits until nothing more of it is sent.
    pub(crate) async fn ended(&self) -> (ContentBytes, TransferEnd) {
        poll_fn(|cx| self.poll_ended(cx)).await
    }

    fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<(ContentBytes, TransferEnd)> {
        self.lease.shared().change(|state| {
            let due = &mut state.outbox.due;
            let transmissions = &mut state.transmissions;
            transmissions.poll_observed(self.transmission, cx.waker(), due)
        })
    }
}

/// The content of a message that is being sent, for any number of those who measure it.
#[derive(Debug)]
pub(crate) struct MeasuredContent {
    content: SendingContent,
    ended: OnceCell<(ContentBytes, TransferEnd)>,
}

impl MeasuredContent {
    pub(crate) fn new(content: SendingContent) -> Self {
        let ended = OnceCell::new();
        Self { content, ended }
    }

    /// Waits until nothing more of it is sent.
    pub(crate) async fn ended(&self) -> (ContentBytes, TransferEnd) {
        // One waits for the transmission, the others for that one.
        *self.ended.get_or_init(|| self.content.ended()).await
    }
}

impl Drop for SendingContent {
    fn drop(&mut self) {
        let mut state = self.lease.shared().lock_to_wake();
        let state = &mut *state;
        let due = &mut state.outbox.due;
        state.transmissions.unobserve(self.transmission, due);
    }
}

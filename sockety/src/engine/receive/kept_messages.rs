//! Messages that are kept as they came, until they can be handled.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use sockety_codec::{MessageHead, Uuid};

use crate::engine::early_end::Steering;

/// A FIFO queue of whole messages. It knows what they take, and who adds one asks first.
#[derive(Default)]
pub(crate) struct KeptMessages {
    messages: VecDeque<KeptMessage>,
    bytes: usize,
}

pub(crate) struct KeptMessage {
    id: Uuid,
    action: Arc<str>,
    expects_response: bool,
    pub(crate) payload: Bytes,
    pub(crate) steering: Steering,
}

/// What a message takes besides its action and its payload.
const OVERHEAD: usize = 256;

impl KeptMessages {
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// What all of them take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn push(&mut self, message: KeptMessage) {
        self.bytes += message.bytes();
        self.messages.push_back(message);
    }

    pub(crate) fn first(&self) -> Option<&KeptMessage> {
        self.messages.front()
    }

    pub(crate) fn pop(&mut self) -> Option<KeptMessage> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.bytes();
        if self.messages.is_empty() {
            // A burst leaves no memory behind.
            self.messages = VecDeque::new();
        }
        Some(message)
    }
}

impl KeptMessage {
    /// While it waits, its time passes.
    pub(crate) fn new(steering: &Steering, head: &MessageHead<'_>, payload: &[u8]) -> Self {
        let mut steering = steering.clone();
        steering.fix_deadline();
        Self {
            steering,
            id: head.id,
            action: head.action.into(),
            expects_response: head.expects_response,
            payload: Bytes::copy_from_slice(payload),
        }
    }

    pub(crate) fn head(&self) -> MessageHead<'_> {
        MessageHead::new(self.id, &self.action)
            .expecting_response(self.expects_response)
            .with_payload_size(self.payload.len() as u64)
    }

    pub(crate) fn bytes(&self) -> usize {
        OVERHEAD + self.action.len() + self.payload.len()
    }
}

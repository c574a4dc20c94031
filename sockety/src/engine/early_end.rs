//! What may end a message before its handler does, and the answer that it has then.

use std::{cell::Cell, ptr, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::inherited::Inherited;
use crate::{
    fast_reply::FastReply,
    metadata::{Metadata, RetryAfter},
};

/// What may end a message early. It is apart from its reply, because replies are moved into handlers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Steering {
    pub(crate) number: Number,
    /// Whether it may be cancelled by its number.
    pub(crate) is_cancellable: bool,
    /// Milliseconds, where there is no deadline: that of all requests of the peer that have none. The
    /// time is not read for requests that end at once.
    pub(crate) default_millis: Option<u32>,
    pub(crate) described: Option<Arc<Described>>,
}

/// The number of a message among those of its direction. Without the extension no message has one. Of
/// 48 bits, as on the wire, so that a [`PendingReply`](super::pending_reply::PendingReply) takes no more memory for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Number([u16; 3]);

impl Number {
    /// No message has it: that many would take centuries.
    pub(crate) const NONE: Self = Self([u16::MAX; 3]);

    pub(crate) fn new(number: u64) -> Self {
        Self([number as u16, (number >> 16) as u16, (number >> 32) as u16])
    }
}

impl Default for Number {
    fn default() -> Self {
        Self::NONE
    }
}

/// What was said of a message before it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Described {
    /// When nobody waits for it any longer.
    pub(crate) deadline: Option<Instant>,
    /// Whether it is that of all requests of the peer that have none.
    pub(crate) is_default: bool,
    pub(crate) metadata: Option<Metadata>,
    /// Of an answer.
    pub(crate) retry: Option<RetryAfter>,
}

impl Described {
    /// Whether nobody waits for the message any longer.
    pub(crate) fn is_over(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| deadline <= Instant::now())
    }

    /// How much time is left before the deadline.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        Some(self.deadline?.saturating_duration_since(Instant::now()))
    }

    /// What the calls of its handler inherit.
    pub(crate) fn inherited(&self) -> Inherited {
        let metadata = self.metadata.as_ref();
        Inherited {
            deadline: self.deadline,
            trace: metadata.and_then(Metadata::trace),
        }
    }
}

impl Steering {
    #[inline]
    pub(crate) fn inherited(&self) -> Inherited {
        match &self.described {
            Some(described) => described.inherited(),
            None => Inherited::default(),
        }
    }

    /// The deadline, of which the default counts from now.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let described = self.described.as_ref();
        let deadline = described.and_then(|described| described.deadline);
        deadline.or_else(|| self.default_millis.map(after))
    }

    /// Whether its deadline is the default, which limits the time before the first answer only.
    pub(crate) fn has_default_deadline(&self) -> bool {
        match &self.described {
            Some(described) if described.deadline.is_some() => described.is_default,
            _ => self.default_millis.is_some(),
        }
    }

    /// From now on, the default counts: the message waits, or is still arriving.
    // r[impl ext.meta.deadline]
    pub(crate) fn fix_deadline(&mut self) {
        let Some(millis) = self.default_millis.take() else {
            return;
        };
        let described = self.described.as_ref();
        if described.is_some_and(|described| described.deadline.is_some()) {
            return;
        }
        self.described = Some(Arc::new(Described {
            deadline: Some(after(millis)),
            is_default: true,
            metadata: described.and_then(|described| described.metadata.clone()),
            ..Described::default()
        }));
    }

    /// Whether anything may.
    pub(crate) fn can_end(&self) -> bool {
        self.is_cancellable || self.described.is_some() || self.default_millis.is_some()
    }

    /// Whether nobody waits for it any longer.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        let described = self.described.as_ref();
        described.is_some_and(|described| described.is_over())
    }
}

pub(crate) fn after(millis: u32) -> Instant {
    Instant::now() + Duration::from_millis(millis.into())
}

thread_local! {
    /// While a handler is dropped that was cancelled.
    static ENDING: Cell<Option<Ending>> = const { Cell::new(None) };
    /// The message that was answered last by code that may answer again.
    static ANSWERED: Cell<Option<Which>> = const { Cell::new(None) };
}

/// A message that is ended early, and its answer.
#[derive(Clone, Copy)]
pub(crate) struct Ending {
    pub(crate) code: FastReply,
    pub(crate) message: Which,
}

/// Which message of which connection: those that a handler holds are compared with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Which {
    number: Number,
    connection: usize,
}

impl Which {
    /// `C` is what the handles of the connection share.
    pub(crate) fn new<C>(number: Number, connection: &C) -> Self {
        let connection = ptr::from_ref(connection).addr();
        Self { number, connection }
    }

    /// Its handler answers it, and may go on.
    pub(crate) fn note_answered(self) {
        ANSWERED.set(Some(self));
    }

    /// Whether its handler has answered it, when that was polled just now.
    pub(crate) fn was_answered(self) -> bool {
        ANSWERED.get() == Some(self)
    }
}

impl Ending {
    /// Drops what holds the reply to the message, which is then answered with the code.
    // r[impl ext.cancel.handler]
    pub(crate) fn drop<T>(self, dropped: T) {
        struct Restore(Option<Ending>);
        impl Drop for Restore {
            fn drop(&mut self) {
                ENDING.set(self.0);
            }
        }
        // Also if a destructor panics.
        let _restore = Restore(ENDING.replace(Some(self)));
        drop(dropped);
    }

    /// The answer of the message of this connection whose handler is dropped now, early.
    pub(crate) fn of_handler<C>(connection: &C) -> Option<FastReply> {
        let address = ptr::from_ref(connection).addr();
        let ending = ENDING.get();
        let is_its = |ending: &Self| ending.message.connection == address;
        ending.filter(is_its).map(|ending| ending.code)
    }

    /// The answer of this message, if it is the one that is ended now: its handler may hold others.
    #[inline]
    pub(crate) fn answer<C>(number: Number, connection: &C) -> Option<FastReply> {
        let ending = ENDING.get()?;
        let is_it = ending.message == Which::new(number, connection);
        is_it.then_some(ending.code)
    }
}

use std::{fmt, marker::PhantomData, time::Duration};

use super::unsent::Unsent;
use crate::{
    error::content::ContentError,
    message::{
        outgoing::Outgoing,
        typed::{Content, Received},
    },
};

/// A message for a typed method that answers with `Result<T, E>`; made by a generated draft factory.
///
/// It can be sent by [`Connection::call`](crate::connection::Connection::call), typed, or as an [`Outgoing`], dynamically, any
/// number of times.
#[must_use = "a draft does nothing until it is sent"]
pub struct CallDraft<T, E> {
    pub(super) unsent: Unsent,
    pub(super) read: Read<T>,
    pub(super) timeout: Option<Duration>,
    pub(super) is_idempotent: bool,
    error: PhantomData<fn() -> E>,
}

/// Takes what a method returns out of a response.
pub(crate) type Read<T> = fn(&mut Received) -> Result<T, ContentError>;

impl<T, E> CallDraft<T, E> {
    #[inline]
    pub(crate) fn new(action: &'static str, content: Content, read: Read<T>) -> Self {
        let content = content.into_outgoing();
        Self {
            unsent: Unsent { action, content },
            read,
            timeout: None,
            is_idempotent: false,
            error: PhantomData,
        }
    }

    /// How long its calls wait for the reply, unless they say otherwise
    /// ([`Call::timeout`](crate::client::call::Call::timeout)).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Executing it twice is as good as once.
    pub fn idempotent(mut self) -> Self {
        self.is_idempotent = true;
        self
    }

    /// The message, without what is known of its reply. It can be added to, and sent dynamically.
    pub fn into_outgoing(self) -> Outgoing {
        self.unsent.into_outgoing()
    }

    /// The name of the action.
    pub fn action(&self) -> &str {
        self.unsent.action
    }

    /// Whether executing it twice is as good as once: `#[action(idempotent)]`.
    pub fn is_idempotent(&self) -> bool {
        self.is_idempotent
    }
}

impl<T, E> Clone for CallDraft<T, E> {
    fn clone(&self) -> Self {
        Self {
            unsent: self.unsent.clone(),
            ..*self
        }
    }
}

impl<T, E> fmt::Debug for CallDraft<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallDraft").field(&self.unsent).finish()
    }
}

impl<T, E> From<CallDraft<T, E>> for Outgoing {
    fn from(draft: CallDraft<T, E>) -> Self {
        draft.into_outgoing()
    }
}

impl<T, E> From<&CallDraft<T, E>> for Outgoing {
    fn from(draft: &CallDraft<T, E>) -> Self {
        draft.unsent.clone().into_outgoing()
    }
}

use std::{fmt, marker::PhantomData, time::Duration};

use super::unsent::Unsent;
use crate::{
    action::Traits,
    description::limits::ActionLimits,
    error::content::ContentError,
    message::{
        outgoing::Outgoing,
        typed::{Content, Received},
    },
};

/// A message for a typed method that returns `Result<T, E>`. Generated draft factories make it.
///
/// A clone of it can be sent any number of times: as a typed call with
/// [`Connection::call`](crate::connection::Connection::call), or converted into an [`Outgoing`].
#[must_use = "a draft does nothing until it is sent"]
pub struct CallDraft<T, E> {
    pub(super) unsent: Unsent,
    pub(super) read: Read<T>,
    pub(super) timeout: Option<Duration>,
    pub(super) traits: Traits,
    error: PhantomData<fn() -> E>,
}

/// Reads what a method returns from a response.
pub(crate) type Read<T> = fn(&mut Received) -> Result<T, ContentError>;

impl<T, E> CallDraft<T, E> {
    #[inline]
    pub(crate) fn new(action: &'static str, content: Content, read: Read<T>) -> Self {
        let content = content.into_outgoing();
        Self {
            unsent: Unsent { action, content },
            read,
            timeout: None,
            traits: Traits::default(),
            error: PhantomData,
        }
    }

    /// Sets how long its calls wait for the reply, unless a call has its own
    /// [timeout](crate::client::call::Call::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Marks the action as idempotent: executing it twice has the same effect as once.
    pub fn idempotent(mut self) -> Self {
        self.traits.is_idempotent = true;
        self
    }

    /// Marks the action as a long poll: its reply comes when something happens. How long that takes is not counted
    /// as the load of a server of a fleet.
    pub fn long_poll(mut self) -> Self {
        self.traits.is_untimed = true;
        self
    }

    /// Refuses to send a message that exceeds these limits:
    /// [`SendError::OverActionLimit`](crate::error::SendError::OverActionLimit).
    pub fn limits(mut self, limits: ActionLimits) -> Self {
        self.unsent.limit(limits);
        self
    }

    /// Returns the message, without the types of its reply. Files and a stream can be added to it.
    pub fn into_outgoing(self) -> Outgoing {
        self.unsent.into_outgoing()
    }

    /// The name of the action.
    pub fn action(&self) -> &str {
        self.unsent.action
    }

    /// Whether the action is declared idempotent, with `#[action(idempotent)]`.
    pub fn is_idempotent(&self) -> bool {
        self.traits.is_idempotent
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

use std::{fmt, marker::PhantomData, time::Duration};

use crate::{
    action::Action,
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
    pub(crate) message: Outgoing,
    pub(crate) read: Read<T>,
    timeout: Option<Duration>,
    is_idempotent: bool,
    error: PhantomData<fn() -> E>,
}

/// Takes what a method returns out of a response.
pub(crate) type Read<T> = fn(&mut Received) -> Result<T, ContentError>;

impl<T, E> CallDraft<T, E> {
    pub(crate) fn new(action: &'static str, content: Content, read: Read<T>) -> Self {
        let message = Outgoing::with_content(Action::Known(action), content.into_outgoing());
        Self {
            message,
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
        self.message
    }

    /// The name of the action.
    pub fn action(&self) -> &str {
        self.message.action()
    }

    /// Whether executing it twice is as good as once: `#[action(idempotent)]`.
    pub fn is_idempotent(&self) -> bool {
        self.is_idempotent
    }

    pub(crate) fn default_timeout(&self) -> Option<Duration> {
        self.timeout
    }
}

impl<T, E> Clone for CallDraft<T, E> {
    fn clone(&self) -> Self {
        Self {
            message: self.message.clone(),
            ..*self
        }
    }
}

impl<T, E> fmt::Debug for CallDraft<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallDraft").field(&self.message).finish()
    }
}

impl<T, E> From<CallDraft<T, E>> for Outgoing {
    fn from(draft: CallDraft<T, E>) -> Self {
        draft.message
    }
}

impl<T, E> From<&CallDraft<T, E>> for Outgoing {
    fn from(draft: &CallDraft<T, E>) -> Self {
        draft.message.clone()
    }
}

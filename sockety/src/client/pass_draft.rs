use super::unsent::Unsent;
use crate::{
    description::limits::ActionLimits,
    message::{outgoing::Outgoing, typed::Content},
};

/// A message for a typed one-way method. Generated draft factories make it.
#[derive(Debug, Clone)]
#[must_use = "a draft does nothing until it is sent"]
pub struct PassDraft {
    pub(super) unsent: Unsent,
}

impl PassDraft {
    #[inline]
    pub(crate) fn new(action: &'static str, content: Content) -> Self {
        let content = content.into_outgoing();
        Self {
            unsent: Unsent { action, content },
        }
    }

    /// Refuses to send a message that exceeds these limits:
    /// [`SendError::OverActionLimit`](crate::error::SendError::OverActionLimit).
    pub fn limits(mut self, limits: ActionLimits) -> Self {
        self.unsent.limit(limits);
        self
    }

    /// Returns the message. Files and a stream can be added to it.
    #[inline]
    pub fn into_outgoing(self) -> Outgoing {
        self.unsent.into_outgoing()
    }

    /// The name of the action.
    pub fn action(&self) -> &str {
        self.unsent.action
    }
}

impl From<PassDraft> for Outgoing {
    #[inline]
    fn from(draft: PassDraft) -> Self {
        draft.into_outgoing()
    }
}

impl From<&PassDraft> for Outgoing {
    fn from(draft: &PassDraft) -> Self {
        draft.unsent.clone().into_outgoing()
    }
}

use crate::{
    action::Action,
    message::{outgoing::Outgoing, typed::Content},
};

/// A message for a typed one-way method; made by a generated draft factory.
#[derive(Debug, Clone)]
#[must_use = "a draft does nothing until it is sent"]
pub struct PassDraft {
    message: Outgoing,
}

impl PassDraft {
    pub(crate) fn new(action: &'static str, content: Content) -> Self {
        Self {
            message: Outgoing::with_content(Action::Known(action), content.into_outgoing()),
        }
    }

    /// The message, without what is known of its reply. It can be added to, and sent dynamically.
    pub fn into_outgoing(self) -> Outgoing {
        self.message
    }

    /// The name of the action.
    pub fn action(&self) -> &str {
        self.message.action()
    }
}

impl From<PassDraft> for Outgoing {
    fn from(draft: PassDraft) -> Self {
        draft.message
    }
}

impl From<&PassDraft> for Outgoing {
    fn from(draft: &PassDraft) -> Self {
        draft.message.clone()
    }
}

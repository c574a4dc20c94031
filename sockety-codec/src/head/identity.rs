use uuid::Uuid;

use crate::{Refusal, RefusalReason};

/// What a refusal says about the message or response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) id: Uuid,
    pub(crate) parent: Option<Uuid>,
    pub(crate) expects_response: bool,
}

impl Identity {
    pub(crate) fn refusal(self, reason: RefusalReason) -> Refusal {
        Refusal {
            id: self.id,
            parent: self.parent,
            expects_response: self.expects_response,
            reason,
        }
    }
}

//! What is attached to a message while it is handled.

use std::sync::{Arc, OnceLock};

use super::answered::Answered;
use crate::extensions::Extensions;

/// Allocated from the beginning when middleware sees the message, else on its first use: most
/// messages need none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record(OnceLock<Arc<Known>>);

#[derive(Debug, Default)]
struct Known {
    extensions: Extensions,
    answered: OnceLock<Answered>,
}

impl Record {
    /// Allocates the record now. From now on, all clones share it; clones made before do not.
    pub(crate) fn begin(&self) -> Self {
        self.known();
        self.clone()
    }

    pub(crate) fn extensions(&self) -> &Extensions {
        &self.known().extensions
    }

    pub(crate) fn answered(&self) -> Answered {
        let known = self.0.get().and_then(|known| known.answered.get());
        known.copied().unwrap_or(Answered::Nothing)
    }

    /// Sets the answer, unless there is one already. Without a record nothing will ask for it.
    pub(crate) fn set_answered(&self, answered: impl FnOnce() -> Answered) {
        if let Some(known) = self.0.get() {
            let _ = known.answered.set(answered());
        }
    }

    fn known(&self) -> &Known {
        self.0.get_or_init(Arc::default)
    }
}

use std::sync::{Arc, Mutex};

/// What happened, in order. Clones write to the same log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn note(&self, event: impl Into<String>) {
        self.0.lock().expect("no panic").push(event.into());
    }

    /// Everything so far.
    pub(crate) fn events(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }
}

use std::{
    cell::RefCell,
    fmt::Write,
    sync::{Arc, Mutex, Once},
};

use tracing::{Event, field};
use tracing_subscriber::{Layer, filter::LevelFilter, layer, prelude::*};

/// What happened, in order. Clones write to the same log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn note(&self, event: impl Into<String>) {
        self.0.lock().expect("no panic").push(event.into());
    }

    /// What this thread logs as warnings and errors, while the guard exists.
    ///
    /// The subscriber is that of the whole process. A subscriber of this thread alone could miss
    /// events: an event that another thread, without a subscriber, is registering just now is
    /// disabled for all threads.
    pub(crate) fn of_warnings() -> (Self, WarningsGuard) {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            let subscriber = tracing_subscriber::registry()
                .with(LevelFilter::WARN)
                .with(WarningsOfThread);
            tracing::subscriber::set_global_default(subscriber)
                .expect("the only global subscriber");
            tracing::callsite::rebuild_interest_cache();
        });
        let log = Self::default();
        WARNINGS.set(Some(log.clone()));
        (log, WarningsGuard)
    }

    /// Everything so far.
    pub(crate) fn events(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }
}

thread_local! {
    static WARNINGS: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// Ends the log of this thread.
pub(crate) struct WarningsGuard;

impl Drop for WarningsGuard {
    fn drop(&mut self) {
        WARNINGS.set(None);
    }
}

struct WarningsOfThread;

impl<S: tracing::Subscriber> Layer<S> for WarningsOfThread {
    fn on_event(&self, event: &Event<'_>, _: layer::Context<'_, S>) {
        let mut text = String::new();
        event.record(&mut |field: &field::Field, value: &dyn std::fmt::Debug| {
            let name = match field.name() {
                "message" => "",
                name => &format!(" {name}="),
            };
            let _ = write!(text, "{name}{value:?}");
        });
        WARNINGS.with_borrow(|log| log.iter().for_each(|log| log.note(&*text)));
    }
}

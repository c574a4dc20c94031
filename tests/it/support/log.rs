use std::{
    fmt::Write,
    sync::{Arc, Mutex},
};

use tracing::{Event, Level, field, subscriber::DefaultGuard};
use tracing_subscriber::{Layer, layer, prelude::*};

/// What happened, in order. Clones write to the same log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn note(&self, event: impl Into<String>) {
        self.0.lock().expect("no panic").push(event.into());
    }

    /// What this thread logs as warnings and errors, while the guard exists.
    pub(crate) fn of_warnings() -> (Self, DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::registry().with(log.clone());
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// Everything so far.
    pub(crate) fn events(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }
}

impl<S: tracing::Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: layer::Context<'_, S>) {
        if *event.metadata().level() <= Level::WARN {
            let mut text = String::new();
            event.record(&mut |field: &field::Field, value: &dyn std::fmt::Debug| {
                let name = match field.name() {
                    "message" => "",
                    name => &format!(" {name}="),
                };
                let _ = write!(text, "{name}{value:?}");
            });
            self.note(text);
        }
    }
}

//! Places of requests that were ended early, which become free at a bounded rate.
//!
//! A peer that cancels its requests at once could otherwise begin any number of handlers a second,
//! as none occupies its place for long.
//!
//! ```text
//! handler is dropped ─▶ token? ── yes ─▶ place is free
//!                          └───── no ──▶ held, until the task has a token for it
//! ```

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use super::{holders::Holder, receive::bucket::Bucket, shared::Shared};
use crate::{
    config::rate::Rate,
    sync::{Mutex, MutexGuard},
};

/// How many requests may be ended early before their places become free late.
const ENDED_EARLY: Rate = Rate::new(1_024, 1_024);

/// How often it is looked for tokens. About ten are there each time, so that it costs little.
const PAUSE: Duration = Duration::from_millis(10);

/// The places of a connection that wait for tokens. Nearly no connection needs them.
#[derive(Default)]
pub(crate) struct LatePlaces(Mutex<Option<Box<Late>>>);

struct Late {
    tokens: Bucket,
    /// A task frees these, if there are any.
    held: u64,
}

impl Default for Late {
    fn default() -> Self {
        Self {
            tokens: Bucket::new(ENDED_EARLY),
            held: 0,
        }
    }
}

impl Late {
    /// Holds a place, unless there is a token for it. Returns how many are held then.
    fn hold(&mut self) -> u64 {
        if self.held > 0 || !self.tokens.take(1) {
            self.held += 1;
        }
        self.held
    }
}

impl LatePlaces {
    /// The handler of an executed request is gone, as the request was cancelled, or its deadline has
    /// passed. Its place becomes free when there is a token for it.
    // r[impl ext.cancel.slot]
    #[cold]
    pub(crate) fn leave(&self, shared: &Arc<Shared>) {
        let Some(runtime) = &shared.runtime else {
            return shared.leave(Holder::Executing);
        };
        let held = self.lock().get_or_insert_default().hold();
        if held == 0 {
            return shared.leave(Holder::Executing);
        }
        // What is left has no handle, so it does not keep the connection open.
        shared.leave(Holder::Handle);
        if held == 1 {
            runtime.spawn(free(Arc::clone(shared)));
        }
    }

    /// Returns how many places are free now, and whether others are still held.
    fn due(&self, is_ending: bool) -> (u64, bool) {
        let mut late = self.lock();
        let late = late.get_or_insert_default();
        let held = late.held;
        // Nothing begins while a connection ends, and its end waits for these.
        let due = match is_ending {
            true => held,
            false => late.tokens.take_up_to(held),
        };
        late.held -= due;
        (due, late.held > 0)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Late>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Frees what is held. It ends when nothing is; the next place that is held begins it anew.
async fn free(shared: Arc<Shared>) {
    loop {
        let (due, is_more) = shared.late.due(shared.is_ending());
        for _ in 0..due {
            shared.leave(Holder::Arriving);
        }
        if !is_more {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

//! What a fleet counts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::retry::Repeat;
use crate::outcome::Outcome;

/// What has happened in a fleet since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetStats {
    /// Attempts of calls that have ended, as it was a second ago at most: each time that a message was sent to a server counts.
    pub attempts: u64,
    /// Connections that were made.
    pub connected: u64,
    /// Attempts to connect that failed.
    pub failed_connects: u64,
    /// How often a server was ejected.
    pub ejections: u64,
    /// How often messages were sent again.
    pub retries: FleetRetries,
    /// Failed attempts that would have been repeated if the budget had not been used up.
    pub over_budget: u64,
    /// How many messages may be sent again now: what is left of the budget.
    pub retries_left: u64,
    /// Errors that discovery reported.
    pub discover_errors: u64,
    /// Whether ejection is ignored now, because more than half of the servers fail.
    pub is_panicking: bool,
}

/// How often a fleet sent messages again, by what was known of the attempt before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetRetries {
    /// Nothing of it was sent.
    pub not_sent: u64,
    /// The server refused it.
    pub not_executed: u64,
    /// It may have been executed; only idempotent actions.
    pub unknown: u64,
}

impl FleetRetries {
    /// Each with the name of the outcome, as in metrics.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        [
            ("not_sent", self.not_sent),
            ("not_executed", self.not_executed),
            ("unknown", self.unknown),
        ]
        .into_iter()
    }
}

/// The same while it is counted.
#[derive(Default)]
pub(super) struct Counters {
    attempts: AtomicU64,
    connected: AtomicU64,
    failed_connects: AtomicU64,
    ejections: AtomicU64,
    not_sent: AtomicU64,
    not_executed: AtomicU64,
    unknown: AtomicU64,
    over_budget: AtomicU64,
    discover_errors: AtomicU64,
    is_panicking: AtomicBool,
}

impl Counters {
    pub(super) fn attempts(&self, ended: u64) {
        self.attempts.fetch_add(ended, Relaxed);
    }

    pub(super) fn connected(&self) {
        self.connected.fetch_add(1, Relaxed);
    }

    pub(super) fn failed_connect(&self) {
        self.failed_connects.fetch_add(1, Relaxed);
    }

    pub(super) fn ejection(&self) {
        self.ejections.fetch_add(1, Relaxed);
    }

    pub(super) fn discover_error(&self) {
        self.discover_errors.fetch_add(1, Relaxed);
    }

    pub(super) fn panicking(&self, is_panicking: bool) {
        self.is_panicking.store(is_panicking, Relaxed);
    }

    /// What was decided about a message after an attempt with this outcome.
    pub(super) fn repeat(&self, repeat: Repeat, outcome: Outcome) {
        let counter = match (repeat, outcome) {
            (Repeat::Never, _) => return,
            (Repeat::OverBudget, _) => &self.over_budget,
            (Repeat::After(_), Outcome::NotSent) => &self.not_sent,
            (Repeat::After(_), Outcome::NotExecuted) => &self.not_executed,
            (Repeat::After(_), _) => &self.unknown,
        };
        counter.fetch_add(1, Relaxed);
    }

    /// What is not counted here is 0.
    pub(super) fn stats(&self) -> FleetStats {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        FleetStats {
            attempts: get(&self.attempts),
            connected: get(&self.connected),
            failed_connects: get(&self.failed_connects),
            ejections: get(&self.ejections),
            retries: FleetRetries {
                not_sent: get(&self.not_sent),
                not_executed: get(&self.not_executed),
                unknown: get(&self.unknown),
            },
            over_budget: get(&self.over_budget),
            retries_left: 0,
            discover_errors: get(&self.discover_errors),
            is_panicking: self.is_panicking.load(Relaxed),
        }
    }
}

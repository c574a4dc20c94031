//! Limits on what several connections hold together.

use std::sync::{Arc, atomic::Ordering};

use super::options::Options;
use crate::sync::AtomicU64;

/// What several connections hold together, limited by [`Options::max_waiting_requests`],
/// [`Options::max_received_bytes`] and [`Options::max_spill_bytes`] of the options it was made
/// with.
///
/// A server makes one for all its connections, and each client has separate ones. A clone shares
/// the budgets: pass it to several servers and clients of a process to limit what they hold
/// together.
///
/// ```
/// use sockety::{Options, Server, config::Budgets};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let budgets = Budgets::new(&Options::default().max_received_bytes(64 * 1024 * 1024));
/// let public = Server::bind("127.0.0.1:0").await?.budgets(budgets.clone());
/// let internal = Server::bind("127.0.0.1:0").await?.budgets(budgets);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Budgets(Arc<Totals>);

#[derive(Debug)]
struct Totals {
    waiting: Arc<Budget>,
    received: Arc<Budget>,
    spill: Arc<Budget>,
}

impl Budgets {
    /// Creates unused budgets with the limits of these options.
    pub fn new(options: &Options) -> Self {
        let budget = |limit| Arc::new(Budget::new(limit));
        Self(Arc::new(Totals {
            waiting: budget(options.waiting_requests),
            received: budget(options.received_bytes),
            spill: budget(options.spill_bytes),
        }))
    }

    /// Requests whose handlers wait for something.
    pub(crate) fn waiting(&self) -> &Arc<Budget> {
        &self.0.waiting
    }

    /// Received bytes: payloads, and content that was not read.
    pub(crate) fn received(&self) -> &Arc<Budget> {
        &self.0.received
    }

    /// Bytes in temporary files.
    pub(crate) fn spill(&self) -> &Arc<Budget> {
        &self.0.spill
    }
}

/// A number of bytes, or of other units, that connections take shares of.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicU64,
    limit: u64,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            used: AtomicU64::new(0),
            limit,
        }
    }

    /// Takes an amount, if that much is left.
    pub(crate) fn take(&self, amount: u64) -> bool {
        let take = |used: u64| {
            let used = used.checked_add(amount)?;
            (used <= self.limit).then_some(used)
        };
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }

    /// Takes an amount even if less is left, for what already exists.
    pub(crate) fn charge(&self, amount: u64) {
        self.used.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn give_back(&self, amount: u64) {
        self.used.fetch_sub(amount, Ordering::Relaxed);
    }

    pub(crate) fn free(&self) -> u64 {
        self.limit.saturating_sub(self.used.load(Ordering::Relaxed))
    }

    pub(crate) fn is_half_used(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.limit / 2
    }

    pub(crate) fn is_used_up(&self) -> bool {
        self.used.load(Ordering::Relaxed) >= self.limit
    }
}

/// A share of a budget, returned when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    amount: u64,
}

impl Share {
    pub(crate) fn none(budget: Arc<Budget>) -> Self {
        Self { budget, amount: 0 }
    }

    /// The limit of all shares together.
    pub(crate) fn limit(&self) -> u64 {
        self.budget.limit
    }

    /// Takes more, if that much is left.
    pub(crate) fn grow(&mut self, amount: u64) -> bool {
        let is_taken = self.budget.take(amount);
        if is_taken {
            self.amount += amount;
        }
        is_taken
    }

    /// Takes more, even if less is left.
    pub(crate) fn charge(mut self, amount: u64) -> Self {
        self.budget.charge(amount);
        self.amount += amount;
        self
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.amount > 0 {
            self.budget.give_back(self.amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_there_is() {
        let budget = Arc::new(Budget::new(5));
        let mut share = Share::none(Arc::clone(&budget));
        assert!(share.grow(3) && !share.grow(3) && share.grow(2));
        assert!(budget.is_used_up());
        drop(share);
        assert!(budget.take(5));
    }

    #[test]
    fn what_is_there_already_is_charged_beyond_the_limit() {
        let budget = Arc::new(Budget::new(1));
        let share = Share::none(Arc::clone(&budget)).charge(3);
        assert!(budget.is_used_up() && !budget.take(1));
        drop(share);
        assert!(budget.take(1));
    }
}

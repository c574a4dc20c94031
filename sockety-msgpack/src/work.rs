//! Counts the work of scans for the tests that prove that it is linear.

use std::cell::Cell;

thread_local! {
    static WORK: Cell<usize> = const { Cell::new(0) };
}

/// Adds tokens that were looked at, or bytes of text that were checked.
pub(crate) fn add(amount: usize) {
    WORK.with(|work| work.set(work.get() + amount));
}

/// Returns the work of `run` on this thread.
pub(crate) fn of(run: impl FnOnce()) -> usize {
    let before = WORK.with(Cell::get);
    run();
    WORK.with(Cell::get) - before
}

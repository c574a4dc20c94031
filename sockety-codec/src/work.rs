//! Counts the work of the decoder, for the tests that it is linear.

use std::cell::Cell;

thread_local! {
    static WORK: Cell<u64> = const { Cell::new(0) };
}

/// Counts `amount` bytes that are examined or moved.
pub(crate) fn add(amount: usize) {
    WORK.with(|work| work.set(work.get() + amount as u64));
}

pub(crate) fn reset() {
    WORK.with(|work| work.set(0));
}

pub(crate) fn done() -> u64 {
    WORK.with(Cell::get)
}

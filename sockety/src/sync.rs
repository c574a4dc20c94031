//! Locks and atomics of the code that runs on several threads at once, and the tasks of handlers.
//!
//! They are those of `std` and of Tokio. Built with `--cfg sockety_models` they are those of shuttle, which tries many schedules of
//! the same code: see `models.rs`.

#[cfg(all(test, sockety_models))]
pub(crate) use shuttle::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, AtomicUsize},
};
#[cfg(not(all(test, sockety_models)))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, AtomicUsize},
};

/// Runs a future as a task of its own.
#[cfg(all(test, sockety_models))]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    shuttle::future::spawn(task);
}

/// Runs a future as a task of its own.
#[cfg(not(all(test, sockety_models)))]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

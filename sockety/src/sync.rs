//! Locks and atomics of the code that runs on several threads at once.
//!
//! They are those of `std`. Built with `--cfg sockety_models` they are those of shuttle, which tries many schedules of
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

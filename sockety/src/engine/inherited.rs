//! What the calls of a handler inherit from its message, while the handler is polled: they have no
//! more time than it has, and belong to the same trace.

use std::{
    cell::Cell,
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use sockety_codec::extension::metadata::Trace;
use tokio::time::Instant;

/// What the calls of a handler inherit from its message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Inherited {
    pub(crate) deadline: Option<Instant>,
    pub(crate) trace: Option<Trace>,
}

/// What a call takes along. A moment, because the call may wait in middleware or for room.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Along {
    pub(crate) deadline: Option<Instant>,
    pub(crate) trace: Option<Trace>,
}

impl Along {
    /// What is left before the deadline, in milliseconds, for the peer. What is longer than 49 days has no deadline.
    pub(crate) fn millis(&self) -> Option<u32> {
        let left = self.deadline?.saturating_duration_since(Instant::now());
        // Rounded up, because a call with a fraction of a millisecond has time. One that has none is
        // about to be ended by its caller.
        u32::try_from(left.as_nanos().div_ceil(1_000_000).max(1)).ok()
    }
}

/// The end of a time that begins now, unless there is none.
pub(crate) fn from_now(time: Duration) -> Option<Instant> {
    Instant::now().checked_add(time)
}

thread_local! {
    static CURRENT: Cell<Option<Inherited>> = const { Cell::new(None) };
}

/// Runs code of a handler whose calls inherit this, if there is something to inherit.
#[inline]
pub(crate) fn with<T>(inherited: Inherited, run: impl FnOnce() -> T) -> T {
    struct Restore(Option<Inherited>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }
    match inherited {
        Inherited {
            deadline: None,
            trace: None,
        } => run(),
        inherited => {
            // Also if the handler panics.
            let _restore = Restore(CURRENT.replace(Some(inherited)));
            run()
        }
    }
}

/// What a call takes along that has a deadline of its own, or none. `Err` if the handler that makes it
/// has no time left.
// r[impl ext.meta.nested]
#[inline]
pub(crate) fn along(own: Option<Instant>) -> Result<Option<Along>, NoTime> {
    match (own, CURRENT.get()) {
        (None, None) => Ok(None),
        (own, current) => along_of(own, current.unwrap_or_default()).map(Some),
    }
}

/// What a one-way message takes along: the trace of the handler that sends it, but not its deadline. What
/// is sent without waiting is often meant to be done after the answer.
#[inline]
pub(crate) fn along_one_way(own: Option<Duration>) -> Option<Along> {
    let inherited = Inherited {
        deadline: None,
        trace: trace(),
    };
    match (own, inherited.trace) {
        (None, None) => None,
        _ => along_of(own.and_then(from_now), inherited).ok(),
    }
}

/// What the calls of the handler that runs now inherit.
pub(crate) fn current() -> Inherited {
    CURRENT.get().unwrap_or_default()
}

/// The trace of the handler that runs now.
#[inline]
pub(crate) fn trace() -> Option<Trace> {
    CURRENT.get()?.trace
}

#[cold]
#[inline(never)]
fn along_of(own: Option<Instant>, current: Inherited) -> Result<Along, NoTime> {
    if current.deadline.is_some_and(|end| end <= Instant::now()) {
        return Err(NoTime);
    }
    let least = match (own, current.deadline) {
        (Some(own), Some(inherited)) => Some(own.min(inherited)),
        (own, inherited) => own.or(inherited),
    };
    Ok(Along {
        deadline: least,
        trace: current.trace,
    })
}

/// The deadline of the handler that makes a call has passed.
#[derive(Debug)]
pub(crate) struct NoTime;

/// Runs a future whose calls belong to this trace, and have the deadline that those of the task have that polls it.
pub(crate) async fn within<T>(trace: Trace, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let inherited = Inherited {
            trace: Some(trace),
            ..CURRENT.get().unwrap_or_default()
        };
        with(inherited, || future.as_mut().poll(cx))
    })
    .await
}

/// A future whose calls inherit from a handler wherever it is polled.
pub(crate) struct Inheriting<F> {
    inherited: Inherited,
    future: Pin<Box<F>>,
}

impl<F> Inheriting<F> {
    pub(crate) fn new(inherited: Inherited, future: F) -> Self {
        let future = Box::pin(future);
        Self { inherited, future }
    }
}

impl<F: Future> Future for Inheriting<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        with(this.inherited, || this.future.as_mut().poll(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn until(deadline: Instant) -> Inherited {
        Inherited {
            deadline: Some(deadline),
            trace: None,
        }
    }

    // r[verify ext.meta.nested]
    #[tokio::test(start_paused = true)]
    async fn a_call_has_the_lesser_of_its_own_time_and_the_rest() {
        let deadline = |own: Option<u64>| {
            let along = along(own.map(Duration::from_millis).and_then(from_now));
            let deadline = |along: Option<Along>| along.and_then(|along| along.millis());
            along.map(deadline).ok()
        };
        assert_eq!(deadline(None), Some(None));
        assert_eq!(deadline(Some(500)), Some(Some(500)));
        let begun = Instant::now();
        let at = |after| until(begun + after);
        with(at(SECOND), || {
            assert_eq!(deadline(None), Some(Some(1_000)));
            assert_eq!(deadline(Some(500)), Some(Some(500)));
            assert_eq!(deadline(Some(5_000)), Some(Some(1_000)));
            with(at(Duration::from_micros(1)), || {
                assert_eq!(deadline(None), Some(Some(1)));
            });
            assert_eq!(deadline(None), Some(Some(1_000)));
        });
        assert_eq!(deadline(Some(u64::MAX)), Some(None));
        tokio::time::advance(SECOND).await;
        with(at(SECOND), || assert_eq!(deadline(Some(500)), None));
        assert_eq!(deadline(None), Some(None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_future_inherits_wherever_it_is_polled() {
        let inherited = until(Instant::now() + SECOND);
        let task = tokio::spawn(Inheriting::new(inherited, async {
            tokio::task::yield_now().await;
            CURRENT.get()
        }));
        assert_eq!(task.await.expect("a task"), Some(inherited));
        assert_eq!(CURRENT.get(), None);
    }
}

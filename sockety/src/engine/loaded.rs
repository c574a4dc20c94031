//! Calls that count as load of the endpoint that they are sent to.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    load::{Load, Verdict},
    pending::RawReply,
    shared::Shared,
};
use crate::{
    error::{request::RequestError, send::SendError},
    fast_reply::{FastReply, FrameworkCode},
    outcome::Outcome,
};

/// The time that loads are counted in: nanoseconds since the first call of this.
pub(crate) fn now() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let since = START.elapsed();
    // Less than a conversion of 128 bits.
    since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos())
}

/// A message that is under way to an endpoint of a fleet. Dropped, it was given up.
pub(crate) struct Loaded {
    load: Arc<Load>,
    begun: u64,
    /// Whether the time to its reply says something about the endpoint.
    is_timed: bool,
    verdict: Verdict,
}

impl Loaded {
    /// `None` if the connection is not one of a fleet.
    pub(crate) fn begin(shared: &Shared, is_timed: bool) -> Option<Self> {
        let load = Arc::clone(shared.load.get()?);
        load.begin();
        Some(Self {
            load,
            begun: now(),
            is_timed,
            verdict: Verdict::Neutral,
        })
    }

    pub(crate) fn end(mut self, verdict: Verdict) {
        self.verdict = verdict;
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        let now = now();
        let took = Duration::from_nanos(now.saturating_sub(self.begun));
        end(&self.load, now, took, self.is_timed, self.verdict);
    }
}

/// A message has ended now, after this time.
#[inline]
pub(crate) fn end(load: &Load, now: u64, took: Duration, is_timed: bool, verdict: Verdict) {
    let sample = match verdict {
        // A failure that comes at once must not look fast.
        Verdict::Failure => (is_timed && took > FAILED).then_some(took),
        Verdict::Success => is_timed.then_some(took),
        // A caller that waits no longer must not look like a reply, but the reply would have come later.
        Verdict::Neutral => (is_timed && took > load.mean()).then_some(took),
    };
    load.end(now, sample, verdict);
}

/// What a failure counts for that came sooner.
const FAILED: Duration = Duration::from_secs(1);

impl Verdict {
    #[inline]
    pub(crate) fn of(result: &Result<RawReply, RequestError>) -> Self {
        match result {
            Ok(RawReply::Fast(code, _)) => Self::of_code(*code),
            Ok(RawReply::Response { .. }) => Self::Success,
            Err(error) => Self::of_error(error),
        }
    }

    /// What services answer is no failure of the endpoint.
    pub(crate) fn of_code(code: FastReply) -> Self {
        match FrameworkCode::of(code) {
            Some(FrameworkCode::Overloaded | FrameworkCode::DeadlineExceeded) => Self::Failure,
            Some(FrameworkCode::GoingAway | FrameworkCode::Cancelled | FrameworkCode::NotBegun) => {
                Self::Neutral
            }
            _ => Self::Success,
        }
    }

    #[cold]
    pub(crate) fn of_error(error: &RequestError) -> Self {
        match error {
            RequestError::TimedOut { outcome, .. } if *outcome != Outcome::NotSent => Self::Failure,
            RequestError::Send(SendError::Disconnected { .. })
            | RequestError::Disconnected { .. } => Self::Failure,
            _ => Self::Neutral,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_was_given_up_makes_nothing_look_faster() {
        let mean = |took: u64| {
            let load = Load::new(0);
            load.seed(0, Duration::from_millis(10));
            load.begin();
            let took = Duration::from_millis(took);
            end(&load, 10_000_000_000, took, true, Verdict::Neutral);
            assert_eq!(load.in_flight(), 0);
            load.mean().as_millis()
        };
        assert_eq!((mean(1), mean(50)), (10, 50));
    }

    #[test]
    fn a_failure_costs_its_time_only_if_that_says_something() {
        let mean = |took, is_timed| {
            let load = Load::new(0);
            load.begin();
            end(
                &load,
                1,
                Duration::from_secs(took),
                is_timed,
                Verdict::Failure,
            );
            load.mean().as_secs_f64().round()
        };
        assert_eq!((mean(600, true), mean(600, false)), (600.0, 1.0));
        assert_eq!((mean(0, true), mean(0, false)), (1.0, 1.0));
    }

    #[test]
    fn a_message_that_was_given_up_is_a_sample_like_a_call() {
        let mean = |is_timed| {
            let load = Arc::new(Load::new(0));
            load.begin();
            let loaded = Loaded {
                load: Arc::clone(&load),
                begun: now(),
                is_timed,
                verdict: Verdict::Neutral,
            };
            std::thread::sleep(Duration::from_millis(1));
            drop(loaded);
            assert_eq!(load.in_flight(), 0);
            load.mean()
        };
        // That of a load without samples is below any time.
        assert!(mean(true) >= Duration::from_millis(1));
        assert!(mean(false) < Duration::from_millis(1));
    }
}

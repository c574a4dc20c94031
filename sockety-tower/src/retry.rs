//! Retries that never make a call run twice, unless that does no harm.

use std::time::Duration;

use sockety::{CallError, FastReply, Outcome, ServiceError, client::CallDraft};
use tokio::time::{Sleep, sleep};
use tower::retry::Policy;

/// A policy for [`RetryLayer`](tower::retry::RetryLayer) that decides by the [outcome](Outcome) of a call.
///
/// | Outcome | Called again |
/// | --- | --- |
/// | `NotSent`, `NotExecuted` | yes, except for code 2, Not Implemented |
/// | `Unknown` | if the method is `#[action(idempotent)]` |
/// | `Executed`, `Replied` | no |
///
/// Before each repetition there is a pause of random length between a half and all of the current one, which doubles each time. If the peer [asks
/// for a pause](CallError::retry_after), the longer of both counts; if it asks for more than 10 s, or for no repetition, there is none.
///
/// Each clone counts its own calls, as [`RetryLayer`](tower::retry::RetryLayer) wants it. Nothing limits the repetitions of all calls together: do not use it
/// around a client of a [fleet](sockety::fleet), which has such a budget and repeats calls itself. Calls whose files or streams come from
/// readers cannot be sent twice: their repetition fails with [`SendError::ContentTaken`](sockety::error::SendError::ContentTaken).
#[derive(Debug, Clone)]
pub struct RetryByOutcome {
    left: u32,
    pause: Duration,
}

/// The longest pause that a peer may ask for, and the longest of ours.
const LONGEST: Duration = Duration::from_secs(10);

impl RetryByOutcome {
    /// Repeats a call at most this number of times. The first pause is at most this long.
    pub fn new(repetitions: u32, pause: Duration) -> Self {
        Self {
            left: repetitions,
            pause: pause.min(LONGEST),
        }
    }

    /// The pause that comes next.
    fn pause(&mut self) -> Duration {
        let pause = self.pause.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.pause = self.pause.saturating_mul(2).min(LONGEST);
        pause
    }
}

impl<T, E: ServiceError> Policy<CallDraft<T, E>, T, CallError<E>> for RetryByOutcome {
    type Future = Sleep;

    fn retry(
        &mut self,
        call: &mut CallDraft<T, E>,
        result: &mut Result<T, CallError<E>>,
    ) -> Option<Sleep> {
        let error = result.as_ref().err()?;
        if matches!(error, CallError::Refused { code, .. } if *code == FastReply::NOT_IMPLEMENTED) {
            return None;
        }
        let is_harmless = match error.outcome() {
            Outcome::NotSent | Outcome::NotExecuted => true,
            Outcome::Unknown => call.is_idempotent(),
            Outcome::Executed | Outcome::Replied => false,
        };
        let asked = match error.retry_after() {
            None => Duration::ZERO,
            Some(after) => after.wait().filter(|wait| *wait <= LONGEST)?,
        };
        self.left = self.left.checked_sub(1).filter(|_| is_harmless)?;
        Some(sleep(self.pause().max(asked)))
    }

    /// Costs no encoding.
    fn clone_request(&mut self, call: &CallDraft<T, E>) -> Option<CallDraft<T, E>> {
        Some(call.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_have_an_end() {
        let mut policy = RetryByOutcome::new(20, Duration::from_millis(100));
        for longest in [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000] {
            let longest = Duration::from_millis(longest);
            let pause = policy.pause();
            assert!(pause >= longest / 2 && pause <= longest, "{pause:?}");
        }
        let mut policy = RetryByOutcome::new(1, Duration::MAX);
        assert!(policy.pause() <= LONGEST);
    }
}

//! Time limits, and pauses between attempts.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use crate::error::EtcdError;

/// How long an answer of etcd is waited for. A process that hangs says nothing at all.
pub(crate) const ANSWER: Duration = Duration::from_secs(5);

/// What etcd answers to this request in time.
pub(crate) async fn within<T>(
    limit: Duration,
    request: &'static str,
    answer: impl Future<Output = Result<T, etcd_client::Error>>,
) -> Result<T, EtcdError> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(EtcdError::NoAnswer { request, limit }),
    }
}

const SHORTEST: Duration = Duration::from_millis(100);
const FACTOR: f64 = 1.6;

/// The pauses before attempts, each of a random length between nothing and a bound that grows with the
/// failures: all clients of an etcd fail at the same moment, and are not to return at the same one.
#[derive(Debug)]
pub(crate) struct Pauses {
    longest: Duration,
    failures: i32,
    attempt: Instant,
}

impl Pauses {
    pub(crate) fn new(longest: Duration) -> Self {
        Self {
            longest,
            failures: 0,
            attempt: Instant::now(),
        }
    }

    /// Waits before the next attempt. The first is at once.
    pub(crate) async fn pause(&mut self) {
        if self.failures > 0 {
            tokio::time::sleep(self.bound().mul_f64(fastrand::f64())).await;
        }
        self.attempt = Instant::now();
    }

    /// The attempt has failed, maybe after it had been successful for a while.
    pub(crate) fn failed(&mut self) {
        if self.attempt.elapsed() > self.longest + ANSWER {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
    }

    pub(crate) fn set_longest(&mut self, longest: Duration) {
        self.longest = longest;
    }

    fn bound(&self) -> Duration {
        let grown = SHORTEST.as_secs_f64() * FACTOR.powi(self.failures - 1);
        Duration::from_secs_f64(grown.min(self.longest.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let mut pauses = Pauses::new(Duration::from_secs(10));
        let bounds: Vec<_> = (0..15)
            .map(|_| {
                pauses.failed();
                pauses.bound().as_millis()
            })
            .collect();
        assert_eq!(bounds[..4], [100, 160, 256, 409]);
        assert_eq!(bounds[10..], [10_000; 5]);
        pauses.failures = i32::MAX;
        pauses.failed();
        assert_eq!(pauses.bound(), Duration::from_secs(10));
    }
}

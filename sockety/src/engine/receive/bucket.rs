//! A token bucket for events that are harmless now and then, but an attack in large numbers.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::rate::Rate;

/// How long reading pauses at most for a bucket that is empty.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Full at the beginning. Its clock is read only when something is taken.
pub(crate) struct Bucket {
    rate: Rate,
    left: u64,
    /// What was taken and is not there yet.
    debt: u64,
    filled: Option<Instant>,
}

impl Bucket {
    pub(crate) fn new(rate: Rate) -> Self {
        let rate = rate.counted();
        Self {
            rate,
            left: rate.burst,
            debt: 0,
            filled: None,
        }
    }

    /// Whether nothing was ever taken.
    pub(crate) fn is_untouched(&self) -> bool {
        self.filled.is_none()
    }

    /// Takes `count` tokens; returns false, and takes none, when there are fewer.
    pub(crate) fn take(&mut self, count: u64) -> bool {
        if count == 0 {
            return true;
        }
        self.fill();
        match self.left.checked_sub(count) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    /// Takes as many tokens as there are, up to `most`. Returns how many it took.
    pub(crate) fn take_up_to(&mut self, most: u64) -> u64 {
        self.fill();
        let taken = most.min(self.left);
        self.left -= taken;
        taken
    }

    /// Takes `count` tokens, though there may be fewer. Returns how long it takes until those are
    /// there, but no more than [`LONGEST_PAUSE`], so that nothing waits for ever.
    pub(crate) fn charge(&mut self, count: u64) -> Duration {
        if self.take(count) {
            return Duration::ZERO;
        }
        self.debt = self.debt.saturating_add(count - self.left);
        self.left = 0;
        let per_second = u128::from(self.rate.per_second.max(1));
        let millis = u128::from(self.debt) * 1000 / per_second;
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        Duration::from_millis(millis).min(LONGEST_PAUSE)
    }

    /// How long it takes until a token is there, after [`take`](Self::take); `None` if none ever will be.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let per_second = self.rate.per_second;
        if per_second == 0 {
            return None;
        }
        let missing = 1_000_u128.div_ceil(per_second.into());
        let since = self.filled.map_or(0, |filled| filled.elapsed().as_millis());
        let millis = u64::try_from(missing.saturating_sub(since)).unwrap_or(u64::MAX);
        Some(Duration::from_millis(millis))
    }

    fn fill(&mut self) {
        let now = Instant::now();
        let since = now.duration_since(*self.filled.get_or_insert(now));
        let more = since.as_millis() * u128::from(self.rate.per_second) / 1000;
        // Otherwise, many calls in a short time would each drop a part of a token.
        if more > 0 {
            self.filled = Some(now);
            let more = u64::try_from(more).unwrap_or(u64::MAX);
            let paid = more.min(self.debt);
            self.debt -= paid;
            let more = more - paid;
            self.left = self.left.saturating_add(more).min(self.rate.burst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_fills_again_with_time() {
        let mut bucket = Bucket::new(Rate::new(3, 2));
        assert!(bucket.take(3) && !bucket.take(1));
        for _ in 0..4 {
            tokio::time::advance(Duration::from_millis(250)).await;
            bucket.take(100);
        }
        assert_eq!([bucket.take_up_to(1), bucket.take_up_to(5)], [1, 1]);
        assert!(!bucket.take(1));
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert!(bucket.take(3) && !bucket.take(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_debt_is_paid_with_time() {
        let mut bucket = Bucket::new(Rate::new(3, 2));
        assert_eq!(bucket.charge(3), Duration::ZERO);
        assert_eq!(bucket.charge(1), Duration::from_millis(500));
        assert_eq!(bucket.charge(3), Duration::from_secs(2));
        tokio::time::advance(Duration::from_millis(1500)).await;
        assert_eq!(bucket.charge(1), Duration::from_secs(1));
        tokio::time::advance(Duration::from_millis(1500)).await;
        assert_eq!(bucket.charge(1), Duration::ZERO);
        assert_eq!(bucket.charge(1_000_000), LONGEST_PAUSE);
    }

    #[test]
    fn nothing_costs_nothing() {
        let mut bucket = Bucket::new(Rate::new(1, 0));
        assert!(bucket.take(1) && bucket.take(0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_none_counts_as_one() {
        let (burst, per_second) = (0, 2);
        for rate in [Rate::new(burst, per_second), Rate { burst, per_second }] {
            let mut bucket = Bucket::new(rate);
            for _ in 0..3 {
                assert!(bucket.take(1) && !bucket.take(1));
                assert_eq!(bucket.wait(), Some(Duration::from_millis(500)));
                tokio::time::advance(Duration::from_millis(500)).await;
            }
        }
    }
}

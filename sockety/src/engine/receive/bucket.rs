//! A token bucket for events that are harmless now and then, but an attack in large numbers.

use tokio::time::Instant;

use crate::config::rate::Rate;

/// Full at the beginning. Its clock is read only when something is taken.
pub(crate) struct Bucket {
    rate: Rate,
    left: u64,
    filled: Option<Instant>,
}

impl Bucket {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            rate,
            left: rate.burst,
            filled: None,
        }
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

    fn fill(&mut self) {
        let now = Instant::now();
        let since = now.duration_since(*self.filled.get_or_insert(now));
        let more = since.as_millis() * u128::from(self.rate.per_second) / 1000;
        // Otherwise, many calls in a short time would each drop a part of a token.
        if more > 0 {
            self.filled = Some(now);
            let more = u64::try_from(more).unwrap_or(u64::MAX);
            self.left = self.left.saturating_add(more).min(self.rate.burst);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_fills_again_with_time() {
        let mut bucket = Bucket::new(Rate::new(3, 2));
        assert!(bucket.take(3) && !bucket.take(1));
        for _ in 0..4 {
            tokio::time::advance(Duration::from_millis(250)).await;
            bucket.take(100);
        }
        assert!(bucket.take(2) && !bucket.take(1));
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert!(bucket.take(3) && !bucket.take(1));
    }

    #[test]
    fn nothing_costs_nothing() {
        assert!(Bucket::new(Rate::new(0, 0)).take(0));
    }
}

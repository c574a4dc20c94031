//! How many messages may be sent again: of the calls of the last 10 s a share, and some a second in any case.
//!
//! Counted in ten slots of a second each, which the task of the fleet turns. A repetition takes from the slot of its second, and what
//! a slot had is forgotten after 10 s, the repetitions with the calls. So in any 10 s no more is repeated than
//! the share of their calls and the reserve, as with tower's `TpsBudget`; that takes a lock for each call and reads the clock.

use std::sync::atomic::{
    AtomicI64, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed},
};

/// Over how many seconds it counts.
const SECONDS: usize = 10;

/// A repetition. Shares of one are counted in millionths.
const ONE: i64 = 1_000_000;

#[derive(Debug)]
pub(super) struct Budget {
    /// What each call adds.
    share: i64,
    /// What there is without calls.
    reserve: i64,
    /// What the calls of the last seconds have added, less what was repeated in them: negative while the reserve is used.
    left: AtomicI64,
    /// The same for each second; `left` is their sum.
    seconds: [AtomicI64; SECONDS],
    /// The current one.
    second: AtomicUsize,
    /// How many messages were sent again since the last turn. They are counted among the calls, and earn nothing: otherwise
    /// repetitions would allow repetitions.
    repeated: AtomicU64,
}

impl Budget {
    /// `share` is from 0 to 1.
    pub(super) fn new(share: f32, per_second: u32) -> Self {
        Self {
            share: (f64::from(share) * ONE as f64) as i64,
            reserve: i64::from(per_second) * SECONDS as i64 * ONE,
            left: AtomicI64::new(0),
            seconds: Default::default(),
            second: AtomicUsize::new(0),
            repeated: AtomicU64::new(0),
        }
    }

    /// These seconds have passed, in which this many attempts of calls have ended. Called by one task.
    pub(super) fn turn(&self, seconds: u64, attempts: u64) {
        let mut second = self.second.load(Relaxed);
        for _ in 0..seconds.min(SECONDS as u64) {
            second = (second + 1) % SECONDS;
            let forgotten = self.seconds[second].swap(0, AcqRel);
            self.left.fetch_sub(forgotten, AcqRel);
        }
        self.second.store(second, Relaxed);
        let count = |count| i64::try_from(count).unwrap_or(i64::MAX);
        // Less than 0 if some of the repetitions go on.
        let calls = count(attempts).saturating_sub(count(self.repeated.swap(0, AcqRel)));
        // So that the sum of all seconds is in range.
        const MOST: i64 = i64::MAX / 32;
        let added = calls.saturating_mul(self.share).clamp(-MOST, MOST);
        self.seconds[second].fetch_add(added, AcqRel);
        self.left.fetch_add(added, AcqRel);
    }

    /// Takes a repetition, if there is one.
    pub(super) fn withdraw(&self) -> bool {
        let take = |left: i64| (left + self.reserve >= ONE).then_some(left - ONE);
        let is_taken = self.left.fetch_update(AcqRel, Acquire, take).is_ok();
        if is_taken {
            self.seconds[self.second.load(Relaxed)].fetch_sub(ONE, AcqRel);
            self.repeat_free();
        }
        is_taken
    }

    /// How many repetitions there are now.
    pub(super) fn left(&self) -> u64 {
        let left = self.left.load(Acquire).saturating_add(self.reserve);
        u64::try_from(left / ONE).unwrap_or(0)
    }

    /// A message is sent again that no server has seen, although its attempt is counted.
    pub(super) fn repeat_free(&self) {
        self.repeated.fetch_add(1, AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(budget: &Budget) -> usize {
        (0..10_000).take_while(|_| budget.withdraw()).count()
    }

    #[test]
    fn repetitions_earn_none() {
        for (share, attempts) in [(0.2, 3), (0.5, 10), (1.0, 10)] {
            let budget = Budget::new(share, 0);
            let (mut calls, mut sent) = (0, 0);
            for _ in 0..60 {
                let mut ended = 0;
                for _ in 0..1_000 {
                    // Every attempt is refused.
                    let repeated = (1..attempts).take_while(|_| budget.withdraw()).count();
                    (calls, ended) = (calls + 1, ended + 1 + repeated as u64);
                    // Nobody has seen this one.
                    budget.repeat_free();
                    ended += 1;
                }
                sent += ended - 1_000;
                budget.turn(1, ended);
            }
            let times = sent as f64 / f64::from(calls);
            let most = 1.0 + f64::from(share);
            assert!((most - 0.1..=most).contains(&times), "{times} of {most}");
        }
    }

    #[test]
    fn a_share_of_the_calls_of_ten_seconds_may_be_repeated() {
        let budget = Budget::new(0.2, 0);
        assert_eq!(granted(&budget), 0);
        budget.turn(1, 1000);
        assert!((199..=200).contains(&granted(&budget)));
        // The repetitions have ended, too.
        budget.turn(0, 200);
        for _ in 0..5 {
            budget.turn(1, 100);
        }
        assert!((99..=101).contains(&granted(&budget)));
        budget.turn(0, 100);
        for _ in 0..7 {
            budget.turn(1, 1);
        }
        // Calls of the first seconds are forgotten, but not what was repeated later.
        assert_eq!(granted(&budget), 0);
        for _ in 0..3 {
            budget.turn(1, 1);
        }
        assert_eq!(granted(&budget), 2);
        budget.turn(1, 1000);
        budget.turn(10, 0);
        assert_eq!(granted(&budget), 0);
    }

    #[test]
    fn some_a_second_may_be_repeated_without_calls() {
        let budget = Budget::new(0.2, 10);
        assert_eq!(granted(&budget), 100);
        budget.turn(9, 100);
        assert_eq!(granted(&budget), 0);
        budget.turn(1, 0);
        assert_eq!(granted(&budget), 100);
    }

    #[test]
    fn any_number_of_calls_and_seconds_is_in_range() {
        let budget = Budget::new(1.0, u32::MAX);
        for _ in 0..100 {
            budget.turn(1, u64::MAX);
        }
        assert!(budget.withdraw());
        budget.turn(u64::MAX, 1);
        assert_eq!(budget.left.load(Relaxed), 0);
        assert!(!Budget::new(0.0, 0).withdraw());
    }
}

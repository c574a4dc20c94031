//! The load of one endpoint of a fleet, as its callers see it: calls in flight, how long its replies take, and failures.
//!
//! Callers compare endpoints by [`cost`](Load::cost), (calls in flight + 1) × mean time to the reply ÷ weight, so a call goes where it
//! should be answered first. Picking reads atomics and takes no lock. It is Finagle's "peak EWMA", which is also what tower and linkerd
//! use:
//!
//! - The first sample, and each above the mean, becomes the mean at once; one below moves it by *t* ÷ (10 s + *t*), where *t* is the time since the last
//!   sample. An endpoint that becomes slow is avoided from its first slow reply on, and one fast reply does not hide ten slow ones.
//! - A failure counts as a sample of max(deadline or 1 s, 2 × mean). An endpoint that refuses at once would otherwise look like the
//!   fastest one and attract the calls of all others, which is a known fault of `tower::load::PeakEwma`.
//! - An endpoint that looks slow gets no calls, so nothing would ever show that it has recovered. Once a second, [`settle`](Load::settle)
//!   therefore lowers the means of endpoints without samples, with a time constant of 10 s and from at most 128 × the lowest mean: each
//!   is asked again within a minute. It does so only while others are sampled, or, if no call is timed, while calls to others end. Without
//!   traffic nothing changes.
//! - An endpoint that answers many calls need not have all of them timed, because reading the clock is the most expensive part of a
//!   sample: after the first 64 replies of a second, every eighth is enough ([`begin`](Load::begin)). One that becomes slow has fewer replies,
//!   and from the next second on each is a sample.
//!
//! Nobody reads a clock here. `now` is in nanoseconds since any moment that all callers have in common.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use crate::sync::AtomicU64;

/// In nanoseconds: how slowly the mean falls.
const DECAY: f64 = 10e9;

/// The sample of a failure without a deadline.
const PENALTY: Duration = Duration::from_secs(1);

/// How far a mean may be above the lowest one when it begins to fall: ln(128 ÷ ½) × 10 s is 55 s until it is the lowest.
const HIGHEST: f32 = 128.0;

/// How far it falls, in shares of the lowest mean. Below 1, so that it gets below the others.
const LOWEST: f32 = 0.5;

/// In nanoseconds. Where an endpoint begins that cannot be compared with others yet: its first sample is above.
const UNKNOWN: f32 = 1_000.0;

/// In nanoseconds: an hour. Keeps penalties, which double, from growing without bound.
const LONGEST: f32 = 3.6e12;

/// The lower half of a pair.
const LOW: u64 = 0xffff_ffff;

/// One in the upper half of a pair.
const HIGH_ONE: u64 = 1 << 32;

/// How many replies of a second are timed, and then the share of them.
const TIMED: u64 = 64;
const ONE_OF: u64 = 8;

/// How a call ended, as far as it says something about the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was answered, be it with an error of the application.
    Success,
    /// The endpoint or the way to it failed: the outcome is unknown, it was refused for overload, or its deadline has passed.
    Failure,
    /// It says nothing: the caller cancelled it.
    Neutral,
}

/// What [`Load::look`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// Since the last look.
    pub(crate) successes: u32,
    /// Since the last look.
    pub(crate) failures: u32,
    /// Since the last success.
    pub(crate) failures_in_a_row: u32,
}

impl Counts {
    /// Adds what a later look has returned.
    pub(crate) fn add(&mut self, later: Self) {
        self.successes = self.successes.saturating_add(later.successes);
        self.failures = self.failures.saturating_add(later.failures);
        self.failures_in_a_row = later.failures_in_a_row;
    }
}

/// The load of one endpoint. All its methods may be called from any thread at any time.
#[derive(Debug)]
pub(crate) struct Load {
    /// Low: calls in flight. High: successes since the last look. In one number, because a success changes both.
    calls: AtomicU64,
    /// Low: failures in a row. High: failures since the last look.
    failures: AtomicU64,
    /// A [`Mean`].
    mean: AtomicU64,
    /// The bits of an `f64`: 1 ÷ the weight, because multiplying takes less time than dividing.
    inverse_weight: AtomicU64,
}

impl Load {
    /// With weight 1, and a mean below that of any real endpoint; see [`seed`](Self::seed).
    pub(crate) fn new(now: u64) -> Self {
        Self {
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            mean: AtomicU64::new(Mean::new(UNKNOWN, now).pack()),
            inverse_weight: AtomicU64::new(1.0_f64.to_bits()),
        }
    }

    /// A call is sent. Each call of this is followed by one of [`end`](Self::end). Returns whether it should be timed.
    #[inline]
    pub(crate) fn begin(&self) -> bool {
        let successes = self.calls.fetch_add(1, Relaxed) >> 32;
        successes < TIMED || successes % ONE_OF == 0
    }

    /// When the last sample was taken, in nanoseconds, without the bits below those of a tick: for calls that are not timed, since others
    /// were in the last second.
    #[inline]
    pub(crate) fn sampled_at(&self) -> u64 {
        let mean = Mean::unpack(self.mean.load(Relaxed));
        u64::from(mean.at) << TICK_BITS
    }

    /// A call has ended.
    ///
    /// `sample` is the time from sending to the first byte of the reply; `None` for calls that say nothing about it, such as those with
    /// files or streams. For a failure it is the deadline if that has passed, and `None`, which counts as 1 s, if the call failed otherwise.
    #[inline]
    pub(crate) fn end(&self, now: u64, sample: Option<Duration>, verdict: Verdict) {
        match verdict {
            Verdict::Success => {
                self.calls.fetch_add(HIGH_ONE - 1, Relaxed);
                // Seldom true, and reading costs less than writing.
                if self.failures_in_a_row() != 0 {
                    self.failures.fetch_and(!LOW, Relaxed);
                }
            }
            Verdict::Failure => {
                self.calls.fetch_sub(1, Relaxed);
                self.failures.fetch_add(HIGH_ONE | 1, Relaxed);
                let least = nanos(sample.unwrap_or(PENALTY));
                return self.sample(now, |mean| least.max(2.0 * mean).min(LONGEST));
            }
            Verdict::Neutral => {
                self.calls.fetch_sub(1, Relaxed);
            }
        }
        if let Some(sample) = sample {
            let sample = nanos(sample);
            self.sample(now, |_| sample);
        }
    }

    /// What the next call would cost, to be compared with that of other endpoints: infinite if the weight is 0, never NaN.
    pub(crate) fn cost(&self) -> f64 {
        let mean = Mean::unpack(self.mean.load(Relaxed)).nanos;
        let inverse_weight = f64::from_bits(self.inverse_weight.load(Relaxed));
        f64::from(self.in_flight() + 1) * f64::from(mean) * inverse_weight
    }

    pub(crate) fn in_flight(&self) -> u32 {
        (self.calls.load(Relaxed) & LOW) as u32
    }

    /// How often calls have failed since the last success.
    pub(crate) fn failures_in_a_row(&self) -> u32 {
        (self.failures.load(Relaxed) & LOW) as u32
    }

    /// The mean time to the reply. It is nearer to the longest of the last 10 s than to the average.
    pub(crate) fn mean(&self) -> Duration {
        let nanos = Mean::unpack(self.mean.load(Relaxed)).nanos;
        Duration::from_nanos(nanos as u64)
    }

    /// Whether the mean is that of its own replies, and not where it was set to begin.
    pub(crate) fn is_sampled(&self) -> bool {
        Mean::unpack(self.mean.load(Relaxed)).is_sampled
    }

    /// Whether a call has ended since the last look, other than cancelled.
    pub(crate) fn has_counted(&self) -> bool {
        let counted = self.calls.load(Relaxed) | self.failures.load(Relaxed);
        counted >= HIGH_ONE
    }

    /// Takes what was counted since the last look.
    pub(crate) fn look(&self) -> Counts {
        let calls = self.calls.fetch_and(LOW, Relaxed);
        let failures = self.failures.fetch_and(LOW, Relaxed);
        Counts {
            successes: (calls >> 32) as u32,
            failures: (failures >> 32) as u32,
            failures_in_a_row: (failures & LOW) as u32,
        }
    }

    /// Sets the weight: twice the weight halves the cost. What is negative or no number counts as 0.
    pub(crate) fn set_weight(&self, weight: f32) {
        // `max` also turns NaN into 0.
        let weight = f64::from(weight).max(0.0).min(f64::from(f32::MAX));
        self.inverse_weight.store(weight.recip().to_bits(), Relaxed);
    }

    /// Begins again with the mean of other endpoints, for an endpoint that is new or comes back: it is neither avoided nor flooded until
    /// it has a mean of its own. Failures in a row are forgotten.
    pub(crate) fn seed(&self, now: u64, mean: Duration) {
        self.failures.fetch_and(!LOW, Relaxed);
        self.mean.store(Mean::new(nanos(mean), now).pack(), Relaxed);
    }

    /// Lowers the means of endpoints without samples. To be called once a second, before [`look`](Self::look); `elapsed` is the time since
    /// the last call.
    pub(crate) fn settle<'a>(
        loads: impl Iterator<Item = &'a Self> + Clone,
        now: u64,
        elapsed: Duration,
    ) {
        let means = loads
            .clone()
            .map(|load| Mean::unpack(load.mean.load(Relaxed)));
        let sampled = means.filter(|mean| mean.since(now) < nanos(elapsed));
        let lowest = sampled.map(|mean| mean.nanos).reduce(f32::min);
        let is_called = |load: &&Self| lowest.is_none() && load.has_counted();
        let called = loads.clone().filter(is_called);
        let called = called.map(|load| Mean::unpack(load.mean.load(Relaxed)).nanos);
        let lowest_called = lowest.or_else(|| called.reduce(f32::min));
        for load in loads {
            // Else what is called would fall below itself, again and again.
            let lowest = lowest_called.filter(|_| !is_called(&load));
            load.fall(now, elapsed, lowest);
        }
    }

    /// The median of their means, for [`seed`](Self::seed). Not the average, which one endpoint that fails raises for all.
    pub(crate) fn median<'a>(loads: impl Iterator<Item = &'a Self>) -> Option<Duration> {
        let mut means: Vec<_> = loads.map(Self::mean).collect();
        means.sort_unstable();
        means.get(means.len() / 2).copied()
    }

    /// Takes a sample, which may depend on the mean.
    fn sample(&self, now: u64, sample: impl Fn(f32) -> f32) {
        let mut packed = self.mean.load(Relaxed);
        loop {
            let mean = Mean::unpack(packed);
            let sample = sample(mean.nanos);
            let Some(next) = mean.next(now, sample) else {
                return;
            };
            match self.exchange(packed, next) {
                Ok(()) => return,
                // Another thread's sample, just as recent, takes the place of one that is not a peak.
                Err(_) if sample <= mean.nanos => return,
                Err(current) => packed = current,
            }
        }
    }

    /// Lowers the mean if it had no sample in this time, but another endpoint had.
    fn fall(&self, now: u64, elapsed: Duration, lowest: Option<f32>) {
        let mean = Mean::unpack(self.mean.load(Relaxed));
        let since = mean.since(now);
        if since < nanos(elapsed) {
            return;
        }
        let mut next = mean;
        if let Some(lowest) = lowest {
            let share = (-elapsed.as_secs_f64() * 1e9 / DECAY).exp() as f32;
            let fallen = (mean.nanos.min(HIGHEST * lowest) * share).max(LOWEST * lowest);
            next.nanos = fallen.min(mean.nanos);
        }
        // Moves on before it comes round.
        if since > LONGEST {
            next.at = ticks(now.wrapping_sub(LONGEST as u64));
        }
        // If the mean has changed meanwhile, there is a sample.
        let _ = self.exchange(mean.pack(), next);
    }

    fn exchange(&self, current: u64, next: Mean) -> Result<(), u64> {
        self.mean
            .compare_exchange(current, next.pack(), Relaxed, Relaxed)
            .map(drop)
    }
}

/// A mean and when it was last sampled, in 64 bits, so that both change at once.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Mean {
    nanos: f32,
    /// Whether a sample is in it. It is the sign of the number, as no mean is negative.
    is_sampled: bool,
    /// In [`ticks`].
    at: u32,
}

impl Mean {
    /// Without samples.
    fn new(nanos: f32, now: u64) -> Self {
        Self {
            nanos,
            is_sampled: false,
            at: ticks(now),
        }
    }

    fn pack(self) -> u64 {
        let sign = if self.is_sampled { 0 } else { SIGN };
        u64::from(self.at) << 32 | u64::from(self.nanos.to_bits() | sign)
    }

    fn unpack(packed: u64) -> Self {
        let bits = (packed & LOW) as u32;
        Self {
            nanos: f32::from_bits(bits & !SIGN),
            is_sampled: bits & SIGN == 0,
            at: (packed >> 32) as u32,
        }
    }

    /// Nanoseconds since the last sample; 0 if that was, on another thread, a little later than `now`.
    fn since(self, now: u64) -> f32 {
        let ticks = ticks(now).wrapping_sub(self.at);
        if ticks > u32::MAX - AHEAD {
            0.0
        } else {
            ticks as f32 * TICK
        }
    }

    /// `None` if the sample changes nothing.
    fn next(self, now: u64, sample: f32) -> Option<Self> {
        let since = self.since(now);
        let is_sampled = true;
        if sample > self.nanos || !self.is_sampled {
            let at = if since > 0.0 { ticks(now) } else { self.at };
            return Some(Self {
                nanos: sample,
                is_sampled,
                at,
            });
        }
        if since == 0.0 {
            return None;
        }
        let share = since / (since + DECAY as f32);
        Some(Self {
            nanos: self.nanos + (sample - self.nanos) * share,
            is_sampled,
            at: ticks(now),
        })
    }
}

const SIGN: u32 = 1 << 31;

/// 16.4 µs. A `u32` of them comes round after 19 hours, unless [`Load::settle`] is called meanwhile.
const TICK_BITS: u32 = 14;

/// Nanoseconds of a tick.
const TICK: f32 = (1 << TICK_BITS) as f32;

/// Ticks that the clock of another thread may be ahead: a second.
const AHEAD: u32 = 1 << 16;

fn ticks(nanos: u64) -> u32 {
    (nanos >> TICK_BITS) as u32
}

/// At least 1, so that no cost is 0.
fn nanos(duration: Duration) -> f32 {
    // Less than a conversion of 128 bits.
    let nanos = duration.as_secs() as f32 * 1e9 + duration.subsec_nanos() as f32;
    nanos.clamp(1.0, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const SECOND: u64 = 1_000 * MS;

    fn millis(millis: u64) -> Option<Duration> {
        Some(Duration::from_millis(millis))
    }

    /// A load with this mean.
    fn load(now: u64, mean: u64) -> Load {
        let load = Load::new(now);
        let mean = Mean {
            is_sampled: true,
            ..Mean::new(nanos(Duration::from_millis(mean)), now)
        };
        load.mean.store(mean.pack(), Relaxed);
        load
    }

    fn call(load: &Load, now: u64, sample: Option<Duration>, verdict: Verdict) {
        load.begin();
        load.end(now, sample, verdict);
    }

    /// In milliseconds.
    fn mean(load: &Load) -> f64 {
        load.mean().as_secs_f64() * 1e3
    }

    #[track_caller]
    fn assert_near(is: f64, should_be: f64) {
        assert!(
            (is - should_be).abs() <= should_be * 1e-3,
            "{is} instead of {should_be}"
        );
    }

    #[test]
    fn cost_grows_with_calls_and_mean_and_falls_with_weight() {
        let load = load(0, 10);
        assert_near(load.cost(), 10e6);
        load.begin();
        load.begin();
        assert_eq!(load.in_flight(), 2);
        assert_near(load.cost(), 30e6);
        load.set_weight(4.0);
        assert_near(load.cost(), 7.5e6);
        load.end(0, None, Verdict::Neutral);
        assert_near(load.cost(), 5e6);
    }

    #[test]
    fn many_replies_of_a_second_are_timed_in_part() {
        let load = load(0, 10);
        for _ in 0..3 {
            let timed = (0..1064).filter(|_| {
                let is_timed = load.begin();
                load.end(0, None, Verdict::Success);
                is_timed
            });
            assert_eq!(timed.count(), 64 + 1000 / 8);
            load.look();
        }
        // All of those that are sent before a reply comes.
        assert!((0..1000).all(|_| load.begin()));
    }

    #[test]
    fn time_of_the_last_sample_is_known_within_a_tick() {
        let load = load(0, 10);
        for now in [SECOND, 5 * SECOND, 3_600 * SECOND] {
            call(&load, now, millis(10), Verdict::Success);
            assert!(now - load.sampled_at() < 1 << TICK_BITS);
        }
    }

    #[test]
    fn no_weight_makes_the_cost_no_number() {
        let load = load(0, 10);
        for weight in [0.0, -1.0, f32::NAN, f32::NEG_INFINITY] {
            load.set_weight(weight);
            assert_eq!(load.cost(), f64::INFINITY, "{weight}");
        }
        for weight in [f32::INFINITY, f32::MAX, f32::MIN_POSITIVE] {
            load.set_weight(weight);
            assert!(load.cost() > 0.0 && load.cost().is_finite(), "{weight}");
        }
    }

    #[test]
    fn peak_takes_over_at_once_and_goes_within_some_time() {
        let load = load(0, 10);
        call(&load, 0, millis(200), Verdict::Success);
        assert_near(mean(&load), 200.0);
        // Half of the way in 10 s.
        call(&load, 10 * SECOND, millis(10), Verdict::Success);
        assert_near(mean(&load), 105.0);
        // Many samples move it as far as their time does, whatever their number.
        for step in 1..=10_000 {
            let now = 10 * SECOND + step * MS;
            call(&load, now, millis(10), Verdict::Success);
        }
        let expected = 10.0 + 95.0 * (-1.0_f64).exp();
        assert!((mean(&load) - expected).abs() < 1.0, "{}", mean(&load));
    }

    #[test]
    fn samples_of_one_moment_count_once() {
        let load = load(0, 100);
        for _ in 0..1_000 {
            call(&load, SECOND, millis(10), Verdict::Success);
        }
        assert_near(mean(&load), 100.0 - 90.0 / 11.0);
    }

    #[test]
    fn a_mean_is_its_own_from_its_first_sample_on() {
        let load = Load::new(0);
        call(&load, 0, None, Verdict::Success);
        assert!(!load.is_sampled());
        call(&load, 0, millis(5), Verdict::Success);
        assert!(load.is_sampled());
        assert_near(mean(&load), 5.0);
        // It has come back, with the mean of others: its first reply is all that is known of it.
        load.seed(SECOND, Duration::from_millis(500));
        assert!(!load.is_sampled());
        call(&load, SECOND, millis(2), Verdict::Success);
        assert!(load.is_sampled());
        assert_near(mean(&load), 2.0);
        call(&load, 2 * SECOND, millis(1), Verdict::Success);
        assert_near(mean(&load), 2.0 - 1.0 / 11.0);
    }

    #[test]
    fn sample_of_a_thread_whose_time_is_behind_moves_nothing_back() {
        let load = load(0, 100);
        call(&load, 10 * SECOND, millis(50), Verdict::Success);
        assert_near(mean(&load), 75.0);
        call(&load, 10 * SECOND - 900 * MS, millis(50), Verdict::Success);
        assert_near(mean(&load), 75.0);
        call(&load, 10 * SECOND - 900 * MS, millis(80), Verdict::Success);
        assert_near(mean(&load), 80.0);
        call(&load, 20 * SECOND, millis(40), Verdict::Success);
        assert_near(mean(&load), 60.0);
    }

    #[test]
    fn failure_costs_a_second_its_deadline_or_twice_the_mean() {
        let load = load(0, 10);
        call(&load, 0, None, Verdict::Failure);
        assert_near(mean(&load), 1_000.0);
        call(&load, 0, None, Verdict::Failure);
        assert_near(mean(&load), 2_000.0);
        call(&load, 0, millis(5_000), Verdict::Failure);
        assert_near(mean(&load), 5_000.0);
        for _ in 0..1_000 {
            call(&load, 0, Some(Duration::MAX), Verdict::Failure);
        }
        assert_near(mean(&load), 3_600_000.0);
        assert!(load.cost().is_finite());
    }

    #[test]
    fn failure_with_a_short_deadline_costs_that() {
        let load = load(0, 10);
        call(&load, 0, millis(50), Verdict::Failure);
        assert_near(mean(&load), 50.0);
    }

    #[test]
    fn calls_without_sample_leave_the_mean() {
        let load = load(0, 10);
        call(&load, SECOND, None, Verdict::Success);
        call(&load, SECOND, None, Verdict::Neutral);
        assert_near(mean(&load), 10.0);
        assert_eq!(load.in_flight(), 0);
    }

    #[test]
    fn look_takes_what_was_counted_but_the_row() {
        let load = load(0, 10);
        let calls = [
            Verdict::Failure,
            Verdict::Success,
            Verdict::Success,
            Verdict::Failure,
            Verdict::Neutral,
            Verdict::Failure,
        ];
        load.begin();
        for verdict in calls {
            call(&load, 0, None, verdict);
        }
        let row = Counts {
            successes: 0,
            failures: 0,
            failures_in_a_row: 2,
        };
        assert_eq!(
            load.look(),
            Counts {
                successes: 2,
                failures: 3,
                ..row
            }
        );
        assert_eq!(load.look(), row);
        call(&load, 0, None, Verdict::Failure);
        assert_eq!(load.failures_in_a_row(), 3);
        load.seed(0, Duration::ZERO);
        assert_eq!(
            load.look(),
            Counts {
                failures: 1,
                ..Counts::default()
            }
        );
        assert_eq!(load.in_flight(), 1);
    }

    #[test]
    fn success_ends_the_row() {
        let load = load(0, 10);
        call(&load, 0, None, Verdict::Failure);
        call(&load, 0, None, Verdict::Success);
        assert_eq!(load.failures_in_a_row(), 0);
    }

    /// Asks only the fast one, and settles once a second.
    fn seconds_until_cheaper(slow: &Load, fast: &Load, sample: Option<Duration>) -> u64 {
        for second in 1..=1_000 {
            let now = second * SECOND;
            call(fast, now, sample, Verdict::Success);
            Load::settle([slow, fast].into_iter(), now + 1, Duration::from_secs(1));
            fast.look();
            if slow.cost() < fast.cost() {
                return second;
            }
        }
        panic!("never");
    }

    #[test]
    fn what_is_not_asked_becomes_cheaper_within_a_minute() {
        let seconds = [2, 20, 1_000, 3_600_000]
            .map(|slow| seconds_until_cheaper(&load(0, slow), &load(0, 1), millis(1)));
        assert_eq!(seconds, [8, 31, 50, 50]);
    }

    /// As with files and long polls.
    #[test]
    fn what_is_not_asked_becomes_cheaper_though_no_call_is_timed() {
        let (slow, fast) = (load(0, 1_000), load(0, 1));
        assert_eq!(seconds_until_cheaper(&slow, &fast, None), 50);
        assert_near(mean(&fast), 1.0);
    }

    #[test]
    fn what_is_not_asked_keeps_half_of_the_lowest_mean() {
        let (other, asked) = (load(0, 20), load(0, 1));
        for second in 1..=1_000 {
            let now = second * SECOND;
            call(&asked, now, millis(1), Verdict::Success);
            Load::settle(
                [&other, &asked].into_iter(),
                now + 1,
                Duration::from_secs(1),
            );
        }
        assert_near(mean(&other), 0.5);
        assert_near(mean(&asked), 1.0);
    }

    #[test]
    fn without_traffic_means_stay() {
        let loads = [load(0, 20), load(0, 1)];
        // Until ticks have just come round for the third time: 3 × 2⁴⁶ ns are 211,106.2 s.
        let end = 211_107;
        for second in 2..end {
            Load::settle(loads.iter(), second * SECOND, Duration::from_secs(1));
        }
        assert_near(mean(&loads[0]), 20.0);
        assert_near(mean(&loads[1]), 1.0);
        // And what comes then counts as after a long time.
        call(&loads[0], end * SECOND, millis(1), Verdict::Success);
        assert!(mean(&loads[0]) < 1.1, "{}", mean(&loads[0]));
    }

    #[test]
    fn median_is_of_the_means() {
        assert_eq!(Load::median([].into_iter()), None);
        let loads = [load(0, 9), load(0, 1), load(0, 3_600_000)];
        let median = Load::median(loads.iter()).expect("loads");
        assert_near(median.as_secs_f64(), 9e-3);
    }

    #[test]
    fn new_load_takes_its_first_sample() {
        let load = Load::new(0);
        call(&load, SECOND, millis(7), Verdict::Success);
        assert_near(mean(&load), 7.0);
    }

    #[test]
    fn threads_lose_no_call() {
        let load = Load::new(0);
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let load = &load;
                scope.spawn(move || {
                    for step in 0..10_000 {
                        let verdict = match (step + thread) % 3 {
                            0 => Verdict::Success,
                            1 => Verdict::Failure,
                            _ => Verdict::Neutral,
                        };
                        call(load, step * MS, millis(step % 7 + 1), verdict);
                    }
                });
            }
        });
        let counts = load.look();
        assert_eq!(load.in_flight(), 0);
        assert_eq!(counts.successes, 3_334 + 3_333 + 3_333 + 3_334);
        assert_eq!(counts.failures, 3_333 + 3_334 + 3_333 + 3_333);
    }
}

//! Which endpoints of a fleet are left out for a while because too many of their calls fail: outlier detection as in gRFC A50
//! (grpc/proposal, A50-xds-outlier-detection.md), with its numbers.
//!
//! All here is arithmetic. The task of a fleet calls [`Eject::look_at_rows`] once a second and when a row has become long enough,
//! [`Eject::look_at_counts`] once an interval, keeps a [`Standing`] for each endpoint, and probes those that are [due](Standing::is_due) before it readmits them.
//!
//! What differs from A50, and why:
//!
//! - Failures in a row eject as well, as in Envoy and Finagle: that is faster where there are few calls. A50 leaves them out because
//!   Envoy counts codes of HTTP there.
//! - The failure share needs no five endpoints: of two, one that fails nearly all calls is no less broken.
//! - A success rate must be 5 points below the mean, in addition to its deviations. Among endpoints that hardly ever fail the deviation is so
//!   small that a few failed calls of a thousand would eject.
//! - An ejection does not end by time alone: a probe has to pass first.
//! - A server that was started again comes back sooner. A50 knows no way but time; Envoy readmits a host whose health check passes, however often
//!   (`successful_active_health_check_uneject_host`). Here it makes the ejection as long as the one before: the first one is over at once, and a
//!   server that crashes again and again is left out for longer and longer.

use std::{fmt, time::Duration};

use crate::engine::load::Counts;

/// Calls that an endpoint needs within the interval so that its success rate is compared.
const RATE_CALLS: u32 = 100;

/// Endpoints with [`RATE_CALLS`] that are needed to compare success rates. Of four, none can be more than √3 deviations below the mean.
const RATE_ENDPOINTS: usize = 5;

/// Standard deviations below the mean.
const RATE_DEVIATIONS: f64 = 1.9;

/// The least difference from the mean.
const RATE_DIFFERENCE: f64 = 0.05;

/// Calls that an endpoint needs within the interval so that the share of its failures counts.
const SHARE_CALLS: u32 = 50;

/// When a fleet stops calling an endpoint because its calls fail, and for how long.
///
/// Failures are calls whose outcome is unknown, that were refused because of overload, or whose deadline has passed. Errors of the
/// application are successes here: the endpoint has answered.
///
/// | Setting | Default | |
/// | --- | --- | --- |
/// | [`failures_in_a_row`](Self::failures_in_a_row) | 5 | failures without a success between them eject |
/// | [`failure_percent`](Self::failure_percent) | 85 | this percentage of at least 50 calls in one interval ejects |
/// | [`success_rate`](Self::success_rate) | yes | endpoints whose calls succeed less often than those of the others are ejected |
/// | [`interval`](Self::interval) | 10 s | over which the last two count |
/// | [`time`](Self::time) | 30 s | for which an endpoint is ejected, times the number of its ejections |
/// | [`max_time`](Self::max_time) | 5 min | the longest |
/// | [`max_percent`](Self::max_percent) | 10 | of the endpoints are ejected at a time, but always one |
///
/// The number of its ejections falls by one with every interval that an endpoint is not ejected. After its time, a probe has to pass
/// before it is called again. If more than half of all endpoints are ejected or cannot be reached, ejection is ignored until they are
/// fewer: then the fault is rather with the network or with the client.
///
/// An endpoint whose connections have ended, and that is connected to again, was probably started again: its ejection becomes as long as the
/// one before. So it is probed at once if it was ejected for the first time, and is back if it serves; one that crashes again
/// and again is ejected for 30 s, 60 s and so on from the second time on.
///
/// ```
/// use std::time::Duration;
/// use sockety::fleet::Eject;
///
/// let eject = Eject::default().failures_in_a_row(3).time(Duration::from_secs(10));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eject {
    failures_in_a_row: Option<u32>,
    failure_percent: Option<u8>,
    success_rate: bool,
    interval: Duration,
    time: Duration,
    max_time: Duration,
    max_percent: u8,
}

impl Default for Eject {
    fn default() -> Self {
        Self {
            failures_in_a_row: Some(5),
            failure_percent: Some(85),
            success_rate: true,
            interval: Duration::from_secs(10),
            time: Duration::from_secs(30),
            max_time: Duration::from_secs(300),
            max_percent: 10,
        }
    }
}

impl Eject {
    /// Ejects no endpoint. Endpoints whose calls fail still get fewer of them, because failures count as slow replies.
    pub fn off() -> Self {
        Self::default()
            .failures_in_a_row(None)
            .failure_percent(None)
            .success_rate(false)
    }

    /// Sets after how many failures without a success between them an endpoint is ejected (default: 5; `None`: never; 0 counts as 1).
    pub fn failures_in_a_row(mut self, failures: impl Into<Option<u32>>) -> Self {
        self.failures_in_a_row = failures.into().map(|failures| failures.max(1));
        self
    }

    /// Sets how many percent of the calls of one [interval](Self::interval) have to fail so that the endpoint is ejected (default: 85;
    /// `None`: never; 1 to 100, others count as the nearest). Only endpoints with at least 50 calls in it are ejected so.
    pub fn failure_percent(mut self, percent: impl Into<Option<u8>>) -> Self {
        self.failure_percent = percent.into().map(|percent| percent.clamp(1, 100));
        self
    }

    /// Sets whether endpoints are ejected whose success rate over one [interval](Self::interval) is an outlier: by at least 1.9 standard
    /// deviations and 5 percentage points below the mean (default: yes). It takes at least 5 endpoints with at least 100 calls each.
    pub fn success_rate(mut self, is_on: bool) -> Self {
        self.success_rate = is_on;
        self
    }

    /// Sets over which time calls are counted (default: 10 s; at least 1 s).
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_secs(1));
        self
    }

    /// Sets for how long an endpoint is ejected, if it is for the first time (default: 30 s). For the second time it is twice as long,
    /// and so on.
    pub fn time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Sets the longest time of an ejection (default: 5 min). It is never shorter than [`time`](Self::time).
    pub fn max_time(mut self, time: Duration) -> Self {
        self.max_time = time;
        self
    }

    /// Sets how many percent of the endpoints may be ejected at a time (default: 10; more than 100 counts as 100). One always may:
    /// [`Eject::off`] ejects none.
    pub fn max_percent(mut self, percent: u8) -> Self {
        self.max_percent = percent.min(100);
        self
    }

    /// All connections to an endpoint with this number of failures in a row had ended, and there is another one. Returns whether its failures
    /// are to be forgotten: they were those of the process before.
    pub(crate) fn on_restart(&self, row: u32, standing: &mut Standing) -> bool {
        if let Some((since, until)) = &mut standing.ejected {
            *until = since.saturating_add(self.length(standing.times.saturating_sub(1)));
            return false;
        }
        let is_first = standing.times == 0;
        // It would have been ejected, if fewer were.
        if is_first && self.is_over(row) {
            standing.times = 1;
        }
        is_first
    }

    /// Whether this number of failures in a row ejects.
    fn is_over(&self, row: u32) -> bool {
        self.failures_in_a_row.is_some_and(|limit| row >= limit)
    }

    /// Whether to look at the rows now, because one has become this long. Not at each failure of an endpoint that cannot be ejected: looking
    /// takes time in proportion to the number of endpoints.
    pub(crate) fn is_to_look(&self, row: u32) -> bool {
        // Several calls may fail at once, of which none sees the limit itself.
        const AT_ONCE: u32 = 16;
        let limit = self.failures_in_a_row;
        limit.is_some_and(|limit| (limit..limit.saturating_add(AT_ONCE)).contains(&row))
    }

    /// How long an ejection is.
    fn length(&self, times: u32) -> Duration {
        let longest = self.max_time.max(self.time);
        self.time.saturating_mul(times).min(longest)
    }

    /// How often [`look_at_counts`](Self::look_at_counts) is called.
    pub(crate) fn every(&self) -> Duration {
        self.interval
    }

    /// Ejects those that failed too often in a row; returns their indices. `endpoints` are all that are known, each with its number of
    /// failures in a row.
    pub(crate) fn look_at_rows(
        &self,
        now: Duration,
        endpoints: &mut [(u32, &mut Standing)],
    ) -> Vec<usize> {
        let mut room = self.room(endpoints.iter().map(|(_, standing)| &**standing));
        let mut ejected = Vec::new();
        for (index, (row, standing)) in endpoints.iter_mut().enumerate() {
            if self.is_over(*row) && !standing.is_ejected() && room > 0 {
                standing.eject(self, now);
                ejected.push(index);
                room -= 1;
            }
        }
        ejected
    }

    /// Ejects by what was counted in one interval; returns their indices. `endpoints` are all that are known.
    pub(crate) fn look_at_counts(
        &self,
        now: Duration,
        endpoints: &mut [(Counts, &mut Standing)],
    ) -> Vec<(usize, Reason)> {
        let least = self.success_rate.then(|| least_rate(endpoints)).flatten();
        let mut room = self.room(endpoints.iter().map(|(_, standing)| &**standing));
        let mut ejected = Vec::new();
        // All by the one reason first, as in A50: these decide who has the room.
        for reason in [Reason::SuccessRate, Reason::FailureShare] {
            for (index, (counts, standing)) in endpoints.iter_mut().enumerate() {
                let is_outlier = match reason {
                    Reason::SuccessRate => is_below(least, *counts),
                    _ => self.is_mostly_failure(*counts),
                };
                if is_outlier && !standing.is_ejected() && room > 0 {
                    standing.eject(self, now);
                    ejected.push((index, reason));
                    room -= 1;
                }
            }
        }
        for (_, standing) in endpoints {
            if !standing.is_ejected() {
                standing.times = standing.times.saturating_sub(1);
            }
        }
        ejected
    }

    fn is_mostly_failure(&self, counts: Counts) -> bool {
        let calls = calls(counts);
        let is_mostly =
            |percent| u64::from(counts.failures) * 100 >= u64::from(calls) * u64::from(percent);
        calls >= SHARE_CALLS && self.failure_percent.is_some_and(is_mostly)
    }

    /// How many more may be ejected.
    fn room<'a>(&self, standings: impl ExactSizeIterator<Item = &'a Standing>) -> usize {
        let most = (standings.len() * usize::from(self.max_percent) / 100).max(1);
        let ejected = standings.filter(|standing| standing.is_ejected()).count();
        most.saturating_sub(ejected)
    }
}

/// Why an endpoint was ejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Row,
    SuccessRate,
    FailureShare,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Row => "its calls failed one after another",
            Self::SuccessRate => "more of its calls fail than of others",
            Self::FailureShare => "most of its calls fail",
        })
    }
}

/// Whether and how often one endpoint was ejected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// When it was ejected, and until when.
    ejected: Option<(Duration, Duration)>,
    /// Falls with each interval without ejection.
    times: u32,
}

impl Standing {
    /// Until it is readmitted, whether its time is over or not.
    pub(crate) fn is_ejected(&self) -> bool {
        self.ejected.is_some()
    }

    /// Whether its time is over, so that it may be probed.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.ejected.is_some_and(|(_, until)| until <= now)
    }

    /// Ejects it, or ejects it again when its probe has failed.
    pub(crate) fn eject(&mut self, settings: &Eject, now: Duration) {
        self.times = self.times.saturating_add(1);
        self.ejected = Some((now, now.saturating_add(settings.length(self.times))));
    }

    /// Its probe has passed.
    pub(crate) fn readmit(&mut self) {
        self.ejected = None;
    }
}

/// Whether ejection is to be ignored: more than half of the endpoints that are known are ejected or not available for other reasons.
pub(crate) fn is_panic(known: usize, ejected: usize, unavailable: usize) -> bool {
    ejected > 0 && 2 * (ejected + unavailable) > known
}

fn calls(counts: Counts) -> u32 {
    counts.successes.saturating_add(counts.failures)
}

/// `None` for endpoints with too few calls.
fn rate(counts: Counts) -> Option<f64> {
    let calls = calls(counts);
    (calls >= RATE_CALLS).then(|| f64::from(counts.successes) / f64::from(calls))
}

fn is_below(least: Option<f64>, counts: Counts) -> bool {
    matches!((rate(counts), least), (Some(rate), Some(least)) if rate < least)
}

/// The success rate below which an endpoint is an outlier, if there are enough of them to tell.
fn least_rate(endpoints: &[(Counts, &mut Standing)]) -> Option<f64> {
    let rates: Vec<_> = endpoints
        .iter()
        .filter_map(|(counts, _)| rate(*counts))
        .collect();
    if rates.len() < RATE_ENDPOINTS {
        return None;
    }
    let average = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / rates.len() as f64;
    let mean = average(&mut rates.iter().copied());
    let variance = average(&mut rates.iter().map(|rate| (rate - mean).powi(2)));
    Some(mean - (RATE_DEVIATIONS * variance.sqrt()).max(RATE_DIFFERENCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// (successes, failures) of each endpoint.
    fn look(
        settings: &Eject,
        now: u32,
        standings: &mut [Standing],
        counts: &[(u32, u32)],
    ) -> Vec<(usize, Reason)> {
        let counts = counts.iter().map(|(successes, failures)| Counts {
            successes: *successes,
            failures: *failures,
            failures_in_a_row: 0,
        });
        let mut endpoints: Vec<_> = counts.zip(standings).collect();
        settings.look_at_counts(now * SECOND, &mut endpoints)
    }

    fn rows(settings: &Eject, now: u32, standings: &mut [Standing], rows: &[u32]) -> Vec<usize> {
        let mut endpoints: Vec<_> = rows.iter().copied().zip(standings).collect();
        settings.look_at_rows(now * SECOND, &mut endpoints)
    }

    fn standings<const N: usize>() -> [Standing; N] {
        std::array::from_fn(|_| Standing::default())
    }

    /// All with these counts, but some.
    fn but<const N: usize>(all: (u32, u32), some: &[(usize, (u32, u32))]) -> [(u32, u32); N] {
        let mut counts = [all; N];
        for (index, other) in some {
            counts[*index] = *other;
        }
        counts
    }

    /// Its name, (successes, failures) of each endpoint, who is ejected.
    type Case<'a> = (&'a str, &'a [(u32, u32)], &'a [(usize, Reason)]);

    #[test]
    fn endpoints_are_ejected_by_their_counts() {
        use Reason::{FailureShare, SuccessRate};
        let good = (200, 0);
        let table: [Case<'_>; 19] = [
            ("none known", &[], &[]),
            ("all succeed", &[good; 5], &[]),
            ("all fail", &[(0, 200); 5], &[(0, FailureShare)]),
            (
                "one of five fails",
                &but::<5>(good, &[(2, (0, 200))]),
                &[(2, SuccessRate)],
            ),
            (
                "one of five fails often",
                &but::<5>(good, &[(2, (150, 50))]),
                &[(2, SuccessRate)],
            ),
            (
                "one of ten fails often",
                &but::<10>(good, &[(9, (100, 100))]),
                &[(9, SuccessRate)],
            ),
            (
                "less than 5 points",
                &but::<5>(good, &[(2, (190, 10))]),
                &[],
            ),
            (
                "just more",
                &but::<5>(good, &[(2, (187, 13))]),
                &[(2, SuccessRate)],
            ),
            ("all fail as often", &[(120, 80); 7], &[]),
            (
                "two of five: 1.2 deviations",
                &but::<5>(good, &[(0, (100, 100)), (1, (100, 100))]),
                &[],
            ),
            ("four endpoints", &but::<4>(good, &[(2, (100, 100))]), &[]),
            (
                "four with enough calls",
                &but::<5>(good, &[(2, (50, 50)), (3, (99, 0))]),
                &[],
            ),
            (
                "too few calls itself",
                &but::<6>(good, &[(2, (50, 49))]),
                &[],
            ),
            ("share, of two", &[good, (9, 51)], &[(1, FailureShare)]),
            ("share of 85 %", &[good, (15, 85)], &[(1, FailureShare)]),
            ("share of 84 %", &[good, (16, 84)], &[]),
            ("share, too few calls", &[good, (0, 49)], &[]),
            ("share, just enough", &[good, (0, 50)], &[(1, FailureShare)]),
            (
                "one of ten is the most",
                &but::<10>(good, &[(3, (0, 200)), (4, (0, 60))]),
                &[(3, SuccessRate)],
            ),
        ];
        for (name, counts, expected) in table {
            let mut standings = vec![Standing::default(); counts.len()];
            let ejected = look(&Eject::default(), 10, &mut standings, counts);
            assert_eq!(ejected, expected, "{name}");
            for (index, standing) in standings.iter().enumerate() {
                let is_expected = expected.iter().any(|(it, _)| *it == index);
                assert_eq!(standing.is_ejected(), is_expected, "{name}: {index}");
            }
        }
    }

    #[test]
    fn success_rate_comes_before_the_share_when_there_is_room_for_one() {
        let counts = but::<10>((200, 0), &[(1, (0, 60)), (8, (20, 180))]);
        let ejected = look(&Eject::default(), 10, &mut standings::<10>(), &counts);
        assert_eq!(ejected, [(8, Reason::SuccessRate)]);
        let more = Eject::default().max_percent(29);
        let ejected = look(&more, 10, &mut standings::<10>(), &counts);
        assert_eq!(
            ejected,
            [(8, Reason::SuccessRate), (1, Reason::FailureShare)]
        );
    }

    #[test]
    fn settings_switch_off_what_they_name() {
        let counts = but::<5>((200, 0), &[(2, (0, 200))]);
        let table = [
            (Eject::off(), &[][..]),
            (
                Eject::default().success_rate(false),
                &[(2, Reason::FailureShare)],
            ),
            (
                Eject::default().success_rate(false).failure_percent(None),
                &[],
            ),
            (
                Eject::off().failure_percent(100),
                &[(2, Reason::FailureShare)],
            ),
        ];
        for (settings, expected) in table {
            assert_eq!(
                look(&settings, 10, &mut standings::<5>(), &counts),
                expected
            );
        }
        assert!(rows(&Eject::off(), 1, &mut standings::<5>(), &[u32::MAX; 5]).is_empty());
    }

    #[test]
    fn failures_in_a_row_eject() {
        let settings = Eject::default();
        let mut standings = standings::<3>();
        assert!(rows(&settings, 1, &mut standings, &[4, 0, 4]).is_empty());
        assert_eq!(rows(&settings, 2, &mut standings, &[4, 0, 5]), [2]);
        // One of three is more than 10 %, but the least; another has to wait.
        assert!(rows(&settings, 3, &mut standings, &[9, 0, 6]).is_empty());
        standings[2].readmit();
        assert_eq!(rows(&settings, 40, &mut standings, &[9, 0, 0]), [0]);
    }

    #[test]
    fn a_tenth_is_ejected_at_most() {
        for (known, most) in [(1, 1), (10, 1), (19, 1), (20, 2), (105, 10)] {
            let mut standings = vec![Standing::default(); known];
            let ejected = rows(&Eject::default(), 1, &mut standings, &vec![5; known]);
            assert_eq!(ejected.len(), most, "of {known}");
            // Those count that were ejected before.
            assert!(rows(&Eject::default(), 2, &mut standings, &vec![5; known]).is_empty());
        }
        let all = Eject::default().max_percent(200);
        assert_eq!(rows(&all, 1, &mut standings::<7>(), &[5; 7]).len(), 7);
        let least = Eject::default().max_percent(0);
        assert_eq!(rows(&least, 1, &mut standings::<7>(), &[5; 7]).len(), 1);
    }

    #[test]
    fn each_ejection_is_longer_and_intervals_without_make_it_shorter() {
        let settings = Eject::default();
        let mut standing = Standing::default();
        let mut now = Duration::ZERO;
        let mut ejected_for = |standing: &mut Standing| {
            standing.eject(&settings, now);
            let begin = now;
            while !standing.is_due(now) {
                now += SECOND;
            }
            (now - begin).as_secs()
        };
        let mut times = Vec::new();
        for _ in 0..12 {
            times.push(ejected_for(&mut standing));
        }
        assert_eq!(
            times,
            [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]
        );

        // While it is ejected, intervals change nothing.
        let quiet = |standing: &mut Standing, intervals| {
            for _ in 0..intervals {
                look(&settings, 0, std::slice::from_mut(standing), &[(0, 0)]);
            }
        };
        quiet(&mut standing, 20);
        assert!(standing.is_ejected());
        standing.readmit();
        quiet(&mut standing, 10);
        assert_eq!(ejected_for(&mut standing), 90);
        standing.readmit();
        quiet(&mut standing, 100);
        assert_eq!(ejected_for(&mut standing), 30);
    }

    #[test]
    fn a_restart_makes_an_ejection_as_long_as_the_one_before() {
        let settings = Eject::default();
        let mut standing = Standing::default();
        let mut now = Duration::ZERO;
        let mut times = Vec::new();
        for _ in 0..12 {
            standing.eject(&settings, now);
            let begin = now;
            now += SECOND;
            // A second one changes nothing.
            for _ in 0..2 {
                assert!(!settings.on_restart(5, &mut standing));
            }
            while !standing.is_due(now) {
                now += SECOND;
            }
            times.push((now - begin).as_secs());
            standing.readmit();
        }
        assert_eq!(
            times,
            [1, 30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300]
        );
    }

    #[test]
    fn a_restart_forgives_failures_that_nobody_was_ejected_for_once() {
        let settings = Eject::default();
        let mut standing = Standing::default();
        // These would have ejected nobody.
        assert!(settings.on_restart(4, &mut standing));
        assert!(settings.on_restart(4, &mut standing));
        assert!(settings.on_restart(5, &mut standing));
        for row in [4, 5] {
            assert!(!settings.on_restart(row, &mut standing));
        }
        standing.eject(&settings, SECOND);
        assert!(!standing.is_due(60 * SECOND));
        assert!(Eject::off().on_restart(5, &mut Standing::default()));
    }

    #[test]
    fn longest_time_is_not_shorter_than_the_first() {
        let settings = Eject::default().time(60 * SECOND).max_time(SECOND);
        let mut standing = Standing::default();
        standing.eject(&settings, SECOND);
        assert!(!standing.is_due(60 * SECOND));
        assert!(standing.is_due(61 * SECOND));
        standing.eject(&Eject::default().time(Duration::MAX), SECOND);
        assert!(!standing.is_due(61 * SECOND));
    }

    #[test]
    fn ejection_is_ignored_when_more_than_half_are_missing() {
        let table = [
            ((10, 1, 0), false),
            ((10, 1, 4), false),
            ((10, 1, 5), true),
            // Without any ejection there is nothing to ignore.
            ((10, 0, 10), false),
            ((2, 1, 0), false),
            ((1, 1, 0), true),
            ((0, 0, 0), false),
        ];
        for ((known, ejected, unavailable), expected) in table {
            let is = is_panic(known, ejected, unavailable);
            assert_eq!(is, expected, "{known}, {ejected}, {unavailable}");
        }
    }
}

//! How long to wait before an endpoint is connected again.
//!
//! When a server restarts, all its clients lose their connections in the same moment. Would they all connect again at once, or after
//! the same pauses, they would keep it from coming up. So every pause is random between 0 and a window ("full jitter"), and the
//! windows grow: 100 ms, 160 ms, 256 ms, … up to 30 s. That holds for the first one too.
//!
//! A connection that lived for a second makes the next window the first one again. One that did not counts as an attempt that failed:
//! a server that accepts and closes is not asked more often than one that refuses.
//!
//! What a server says about when to come back is added to the pause, and so is a lower bound: if it were the greater one of both that
//! counts, all clients would come back in the same moment.

use std::time::Duration;

use crate::client::reconnecting::LONGEST_ABSENCE;

/// What the first pause is at most.
const FIRST: Duration = Duration::from_millis(100);

/// How much longer each of the following may be.
const GROWTH: f64 = 1.6;

/// What any pause is at most, apart from what the server says.
const LONGEST: Duration = Duration::from_secs(30);

/// How long a connection has to live to count as one.
const LIFE: Duration = Duration::from_secs(1);

/// The pauses before attempts to connect one endpoint.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pauses {
    /// Since a connection lived.
    attempts: u32,
}

impl Pauses {
    /// A connection has ended after this time.
    pub(crate) fn lost(&mut self, lived: Duration) {
        if lived >= LIFE {
            self.attempts = 0;
        }
    }

    /// The pause before the next attempt. `retry_after` is what the server said, 0 if nothing.
    pub(crate) fn next(&mut self, rng: &mut fastrand::Rng, retry_after: Duration) -> Duration {
        let pause = self.window().mul_f64(rng.f64());
        self.attempts = self.attempts.saturating_add(1);
        retry_after.min(LONGEST_ABSENCE) + pause
    }

    fn window(&self) -> Duration {
        // 1.6 to the power of 13 is more than 30 s already.
        let growth = GROWTH.powi(self.attempts.min(20) as i32);
        FIRST.mul_f64(growth).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use std::{cmp::Reverse, collections::BinaryHeap};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn pauses_are_anywhere_in_windows_that_grow() {
        let mut rng = fastrand::Rng::with_seed(1);
        let windows = [100, 160, 256, 409, 655, 1_048, 1_677];
        for (attempt, window) in windows.into_iter().enumerate() {
            let draw = |rng: &mut _| {
                let mut pauses = Pauses {
                    attempts: attempt as u32,
                };
                pauses.next(rng, Duration::ZERO).as_millis()
            };
            let drawn: Vec<_> = (0..2_000).map(|_| draw(&mut rng)).collect();
            let in_part = |part| {
                drawn
                    .iter()
                    .filter(|it| **it * 10 / (window + 1) == part)
                    .count()
            };
            assert_eq!(
                (0..10).map(in_part).sum::<usize>(),
                2_000,
                "some are longer than {window} ms"
            );
            for part in 0..10 {
                assert!(
                    (140..260).contains(&in_part(part)),
                    "{} of {window} ms",
                    in_part(part)
                );
            }
        }
    }

    #[test]
    fn pauses_end_at_half_a_minute() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut pauses = Pauses::default();
        let all: Vec<_> = (0..10_000)
            .map(|_| pauses.next(&mut rng, Duration::ZERO))
            .collect();
        let longest = all.iter().max().expect("10,000");
        assert!(
            *longest <= LONGEST && *longest > LONGEST * 99 / 100,
            "{longest:?}"
        );
        pauses.attempts = u32::MAX;
        assert!(pauses.next(&mut rng, Duration::ZERO) <= LONGEST);
    }

    #[test]
    fn only_a_connection_that_lived_begins_anew() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut pauses = Pauses::default();
        for _ in 0..10 {
            pauses.next(&mut rng, Duration::ZERO);
            pauses.lost(LIFE - MS);
        }
        assert_eq!(pauses.window(), FIRST.mul_f64(GROWTH.powi(10)));
        pauses.lost(LIFE);
        assert_eq!(pauses.window(), FIRST);
    }

    #[test]
    fn what_the_server_says_is_added_but_not_without_bound() {
        let mut rng = fastrand::Rng::with_seed(1);
        for (said, least) in [(5_000, 5_000), (u64::MAX, 300_000)] {
            let said = Duration::from_millis(said);
            let least = Duration::from_millis(least);
            let draw = |_| Pauses::default().next(&mut rng, said);
            let mut pauses: Vec<_> = (0..100).map(draw).collect();
            pauses.sort_unstable();
            assert!(pauses[0] >= least && pauses[99] <= least + FIRST);
            assert!(pauses[99] - pauses[0] > FIRST / 2, "{pauses:?}");
        }
    }

    // A model: 10,000 clients lose a server in the same moment.

    const CLIENTS: usize = 10_000;

    /// When the clients came, and when they were accepted.
    struct Return {
        came: Vec<Duration>,
        accepted: Vec<Duration>,
    }

    /// The server is gone at 0. `accepts` says whether the server accepts somebody at this time, after it has accepted this number of clients.
    fn restart(retry_after: Duration, mut accepts: impl FnMut(Duration, usize) -> bool) -> Return {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| Pauses { attempts: 7 }).collect();
        let mut attempts = BinaryHeap::new();
        for (index, pauses) in clients.iter_mut().enumerate() {
            pauses.lost(Duration::from_secs(60));
            attempts.push(Reverse((pauses.next(&mut rng, retry_after), index)));
        }
        let (mut came, mut accepted) = (Vec::new(), Vec::new());
        while let Some(Reverse((now, index))) = attempts.pop() {
            came.push(now);
            if accepts(now, accepted.len()) {
                accepted.push(now);
            } else {
                let pause = clients[index].next(&mut rng, Duration::ZERO);
                attempts.push(Reverse((now + pause, index)));
            }
        }
        Return { came, accepted }
    }

    /// The most of these moments in any 10 ms, as a share of all clients.
    fn most_in_10_ms(moments: &[Duration], from: Duration) -> f64 {
        let from = moments.partition_point(|it| *it < from);
        let moments = &moments[from..];
        let mut first = 0;
        let mut most = 0;
        for (last, moment) in moments.iter().enumerate() {
            while *moment - moments[first] > 10 * MS {
                first += 1;
            }
            most = most.max(last + 1 - first);
        }
        most as f64 / CLIENTS as f64
    }

    #[test]
    fn clients_of_a_server_that_is_back_at_once_come_over_the_first_window() {
        for retry_after in [Duration::ZERO, Duration::from_secs(5)] {
            let back = restart(retry_after, |_, _| true);
            let (first, last) = (back.came[0], back.came[CLIENTS - 1]);
            let most = most_in_10_ms(&back.came, Duration::ZERO);
            assert!(first >= retry_after && last - first >= FIRST * 99 / 100);
            assert!(most < 0.12, "{most} in 10 ms");
        }
    }

    #[test]
    fn clients_of_a_server_that_comes_back_later_come_over_ever_longer_windows() {
        let table = [
            (100, 0.09),
            (1_000, 0.025),
            (10_000, 0.005),
            (60_000, 0.0025),
        ];
        for (away, most_expected) in table {
            let up = away * MS;
            let back = restart(Duration::ZERO, |now, _| now >= up);
            let most = most_in_10_ms(&back.came, up);
            assert_eq!(back.accepted.len(), CLIENTS);
            assert!(most <= most_expected, "{most} in 10 ms, after {away} ms");
        }
    }

    /// It accepts 20 in 10 ms and refuses the others, which come again: some of them while others come for the first time, and then
    /// fewer and fewer.
    #[test]
    fn those_who_are_refused_make_no_second_storm() {
        let back = restart(Duration::ZERO, |now, accepted| {
            accepted < 20 * (1 + now.as_millis() as usize / 10)
        });
        assert_eq!(back.accepted.len(), CLIENTS);
        let table = [
            (0, 0.18),
            (100, 0.1),
            (200, 0.075),
            (500, 0.04),
            (1_000, 0.02),
            (5_000, 0.0015),
        ];
        for (from, most_expected) in table {
            let most = most_in_10_ms(&back.came, from * MS);
            assert!(most <= most_expected, "{most} in 10 ms, from {from} ms on");
        }
    }
}

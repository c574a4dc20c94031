//! Which endpoint of a fleet gets a call: two at random, then the one with the lower cost ("power of two choices").
//!
//! Comparing all would send every caller to the same endpoint as long as its cost is the lowest; two at random avoid such herds, and
//! the slowest of *n* is chosen only if nothing but it is compared. The cost is that of [`Load`](crate::engine::load::Load).
//!
//! An endpoint is in two of *n* comparisons, so that it gets at most 2 ÷ *n* of the calls, whatever its weight.

/// Picks one of `n` endpoints. `bits` are random.
///
/// Returns 0 if `n` is 0 or 1. If the costs are equal, or cannot be compared, either is as likely.
pub(crate) fn pick(n: usize, bits: u64, cost: impl Fn(usize) -> f64) -> usize {
    if n < 2 {
        return 0;
    }
    let one = scale(bits >> 32, n);
    let mut other = scale(bits & 0xffff_ffff, n - 1);
    if other >= one {
        other += 1;
    }
    if cost(other) < cost(one) { other } else { one }
}

/// From 32 random bits to a number below `n`. Lemire's multiplication, without the step that would make it exact: for a thousand
/// endpoints, the probabilities differ by less than one in a million.
fn scale(bits: u64, n: usize) -> usize {
    (bits.saturating_mul(n as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use std::{
        cmp::Reverse,
        collections::{BinaryHeap, VecDeque},
        ops::Range,
        time::Duration,
    };

    use super::pick;
    use crate::{
        engine::load::{Load, Verdict},
        fleet::weight::{Candidate, weights},
    };

    #[test]
    fn pick_compares_two_that_differ() {
        let mut rng = fastrand::Rng::with_seed(1);
        for n in 2..20 {
            let mut seen = vec![0; n];
            for _ in 0..1_000 * n {
                let picked = pick(n, rng.u64(..), |index| index as f64);
                seen[picked] += 1;
            }
            // The most expensive is never picked: the other one is cheaper.
            assert_eq!(seen[n - 1], 0);
            // The cheapest is picked whenever it is compared.
            let share = 2.0 / n as f64;
            let picked = seen[0] as f64 / (1_000 * n) as f64;
            assert!((picked - share).abs() < 0.1 * share, "{picked} of {n}");
        }
    }

    #[test]
    fn equal_costs_are_picked_equally() {
        for cost in [1.0, f64::INFINITY, f64::NAN] {
            let mut rng = fastrand::Rng::with_seed(1);
            let mut seen = [0; 7];
            for _ in 0..70_000 {
                seen[pick(7, rng.u64(..), |_| cost)] += 1;
            }
            for seen in seen {
                assert!((9_500..10_500).contains(&seen), "{seen}");
            }
        }
    }

    #[test]
    fn pick_is_in_range_for_all_bits() {
        for n in [0, 1, 2, 3, 1_000_003] {
            for bits in [0, 1, u64::MAX, u64::MAX << 32, 0xffff_ffff] {
                assert!(pick(n, bits, |index| index as f64) < n.max(1));
            }
        }
    }

    // A model: servers as queues, callers that pick, time that jumps from event to event.

    const MS: u64 = 1_000_000;
    const SECOND: u64 = 1_000 * MS;

    /// Serves some calls at a time, in times that are distributed exponentially; the others wait.
    struct Server {
        /// The mean, in nanoseconds.
        service: u64,
        /// Answers nothing but failures, at once.
        refuses: bool,
        busy: usize,
        waiting: VecDeque<Call>,
        ready_since: u64,
        load: Load,
    }

    const WORKERS: usize = 8;

    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    struct Call {
        server: usize,
        sent: u64,
        is_timed: bool,
    }

    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    enum Event {
        Send,
        Refused(Call),
        Served(Call),
        Second,
    }

    #[derive(Clone, Copy)]
    enum Callers {
        /// So many, and each sends its next call when the last one is answered.
        Closed(usize),
        /// In a Poisson process, with this mean time between two calls.
        Open(u64),
    }

    struct Model {
        rng: fastrand::Rng,
        now: u64,
        callers: Callers,
        servers: Vec<Server>,
        events: BinaryHeap<Reverse<(u64, usize, Event)>>,
        /// Every call that was sent.
        calls: Vec<Call>,
    }

    impl Model {
        fn new(seed: u64, callers: Callers, services: &[u64]) -> Self {
            let mut model = Self {
                rng: fastrand::Rng::with_seed(seed),
                now: 0,
                callers,
                servers: Vec::new(),
                events: BinaryHeap::new(),
                calls: Vec::new(),
            };
            for service in services {
                model.add(*service);
            }
            let first = match callers {
                Callers::Closed(callers) => callers,
                Callers::Open(_) => 1,
            };
            for _ in 0..first {
                model.at(0, Event::Send);
            }
            model.at(SECOND, Event::Second);
            model
        }

        /// Adds a server as a fleet does. Those of the beginning have been ready for a while, but had no calls.
        fn add(&mut self, service: u64) {
            let load = Load::new(self.now);
            let loads = self.servers.iter().map(|server| &server.load);
            if let (1.., Some(median)) = (self.now, Load::median(loads)) {
                load.seed(self.now, median);
                load.set_weight(0.1);
            }
            self.servers.push(Server {
                service,
                refuses: false,
                busy: 0,
                waiting: VecDeque::new(),
                ready_since: self.now,
                load,
            });
        }

        fn at(&mut self, time: u64, event: Event) {
            let order = self.events.len() + self.calls.len();
            self.events.push(Reverse((time, order, event)));
        }

        fn run_until(&mut self, end: u64) {
            while let Some(Reverse((time, _, _))) = self.events.peek() {
                if *time > end {
                    break;
                }
                let Some(Reverse((time, _, event))) = self.events.pop() else {
                    break;
                };
                self.now = time;
                self.handle(event);
            }
            self.now = end;
        }

        fn handle(&mut self, event: Event) {
            match event {
                Event::Send => {
                    if let Callers::Open(mean) = self.callers {
                        let next = self.now + self.exponential(mean);
                        self.at(next, Event::Send);
                    }
                    self.send();
                }
                Event::Refused(call) => self.answered(call, Verdict::Failure),
                Event::Served(call) => {
                    self.servers[call.server].busy -= 1;
                    if let Some(next) = self.servers[call.server].waiting.pop_front() {
                        self.serve(next);
                    }
                    self.answered(call, Verdict::Success);
                }
                Event::Second => self.second(),
            }
        }

        fn send(&mut self) {
            let bits = self.rng.u64(..);
            let servers = &self.servers;
            let server = pick(servers.len(), bits, |index| servers[index].load.cost());
            let call = Call {
                server,
                sent: self.now,
                is_timed: self.servers[server].load.begin(),
            };
            self.calls.push(call);
            let server = &mut self.servers[server];
            if server.refuses {
                self.at(self.now + MS / 20, Event::Refused(call));
            } else if server.busy == WORKERS {
                server.waiting.push_back(call);
            } else {
                self.serve(call);
            }
        }

        fn serve(&mut self, call: Call) {
            let server = &mut self.servers[call.server];
            server.busy += 1;
            let mean = server.service;
            let served = self.now + self.exponential(mean);
            self.at(served, Event::Served(call));
        }

        fn answered(&mut self, call: Call, verdict: Verdict) {
            let took = Duration::from_nanos(self.now - call.sent);
            let is_sample = call.is_timed && verdict == Verdict::Success;
            let sample = is_sample.then_some(took);
            self.servers[call.server]
                .load
                .end(self.now, sample, verdict);
            if let Callers::Closed(_) = self.callers {
                self.at(self.now, Event::Send);
            }
        }

        /// What the task of a fleet does once a second.
        fn second(&mut self) {
            let loads = self.servers.iter().map(|server| &server.load);
            Load::settle(loads, self.now, Duration::from_secs(1));
            for server in &self.servers {
                server.load.look();
            }
            let candidate = |server: &Server| Candidate {
                weight: 1,
                ready_for: Some(match server.ready_since {
                    0 => Duration::MAX,
                    since => Duration::from_nanos(self.now - since),
                }),
                is_in_zone: false,
            };
            let candidates: Vec<_> = self.servers.iter().map(candidate).collect();
            for (server, weight) in self.servers.iter().zip(weights(&candidates)) {
                server.load.set_weight(weight);
            }
            self.at(self.now + SECOND, Event::Second);
        }

        fn exponential(&mut self, mean: u64) -> u64 {
            (-(1.0 - self.rng.f64()).ln() * mean as f64) as u64
        }

        /// The server's part of the calls that were sent in this time.
        fn share(&self, server: usize, time: Range<u64>) -> f64 {
            let before = |end| self.calls.partition_point(|call| call.sent < end);
            let sent = &self.calls[before(time.start)..before(time.end)];
            let here = sent.iter().filter(|call| call.server == server).count();
            here as f64 / sent.len().max(1) as f64
        }
    }

    /// Ten servers; callers that keep half of their workers busy, in both kinds of traffic.
    fn traffic(service: u64) -> [Callers; 2] {
        [Callers::Closed(64), Callers::Open(service / 40)]
    }

    #[test]
    fn slow_one_of_ten_gets_hardly_any_calls() {
        for (service, seconds) in [(MS / 2, 4), (5 * MS, 20)] {
            for callers in traffic(service) {
                let mut services = [service; 10];
                services[3] *= 20;
                let mut model = Model::new(7, callers, &services);
                model.run_until(seconds * SECOND);
                let share = model.share(3, SECOND..seconds * SECOND);
                assert!(share <= 0.02, "{share} of the calls");
            }
        }
    }

    #[test]
    fn one_of_ten_that_becomes_slow_gets_hardly_any_calls() {
        for callers in traffic(5 * MS) {
            let mut model = Model::new(7, callers, &[5 * MS; 10]);
            model.run_until(10 * SECOND);
            let before = model.share(3, SECOND..10 * SECOND);
            model.servers[3].service *= 20;
            model.run_until(30 * SECOND);
            let after = model.share(3, 11 * SECOND..30 * SECOND);
            assert!((0.08..0.12).contains(&before), "{before} of the calls");
            assert!(after <= 0.02, "{after} of the calls");
        }
    }

    #[test]
    fn one_that_refuses_attracts_no_calls() {
        for callers in traffic(5 * MS) {
            let mut model = Model::new(7, callers, &[5 * MS; 10]);
            model.servers[3].refuses = true;
            model.run_until(60 * SECOND);
            let share = model.share(3, 0..60 * SECOND);
            assert!(share > 0.0 && share < 0.05, "{share} of the calls");
        }
    }

    #[test]
    fn new_one_takes_its_share_within_ten_seconds() {
        for callers in traffic(5 * MS) {
            let mut model = Model::new(7, callers, &[5 * MS; 9]);
            model.run_until(10 * SECOND);
            model.add(5 * MS);
            model.run_until(40 * SECOND);
            let shares: Vec<_> = (0..300)
                .map(|step| 10 * SECOND + step * SECOND / 10)
                .map(|begin| model.share(9, begin..begin + SECOND / 10))
                .collect();
            let most = shares.iter().copied().fold(0.0, f64::max);
            let first = model.share(9, 10 * SECOND..11 * SECOND);
            assert!(first < 0.05, "{first} of the calls of the first second");
            assert!(most < 0.15, "{most} of the calls of 100 ms");
            let then = model.share(9, 20 * SECOND..40 * SECOND);
            assert!((0.08..0.12).contains(&then), "{then} of the calls then");
        }
    }

    /// With one call at a time, the number of calls in flight never makes the fast one the dearer.
    #[test]
    fn slow_one_of_two_is_asked_again_within_a_minute() {
        let mut model = Model::new(7, Callers::Closed(1), &[MS, 20 * MS]);
        model.run_until(121 * SECOND);
        let asked: Vec<_> = model
            .calls
            .iter()
            .filter(|call| call.server == 1)
            .map(|call| call.sent)
            .collect();
        for pair in asked.windows(2) {
            assert!(pair[1] - pair[0] <= 60 * SECOND);
        }
        assert!((2..500).contains(&asked.len()), "{} times", asked.len());

        // One call at a time goes to the same server until a slow reply comes, so shares of short times differ.
        model.servers[1].service = MS;
        model.run_until(1200 * SECOND);
        let share = model.share(1, 200 * SECOND..1200 * SECOND);
        assert!((0.4..0.6).contains(&share), "{share} of the calls");
    }
}

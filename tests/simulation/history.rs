//! What was done and what resulted, and whether that is as promised.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sockety::Outcome;

use crate::SECOND;

#[derive(Clone, Default)]
pub(crate) struct History(Arc<Mutex<Notes>>);

#[derive(Default)]
struct Notes {
    /// How often the handler of each call began.
    begun: BTreeMap<u64, u32>,
    calls: BTreeMap<u64, Option<Ended>>,
    pings: Vec<Ping>,
    /// Of streams that are read slowly: what their writers have handed over, and their readers taken.
    streams: BTreeMap<u64, (u64, u64)>,
    /// Tasks of each host.
    tasks: BTreeMap<String, usize>,
    wrongs: Vec<String>,
}

pub(crate) struct Ended {
    pub(crate) what: &'static str,
    pub(crate) at: Duration,
    pub(crate) took: Duration,
    pub(crate) deadline: Duration,
    pub(crate) outcome: Outcome,
    pub(crate) error: String,
}

struct Ping {
    from: String,
    at: Duration,
    took: Duration,
    error: Option<String>,
}

/// No call outlives its deadline by more.
const GRACE: Duration = SECOND;

/// The clock of a call stops while its own file or stream is being sent, and no call outlives
/// its deadline by more than this: most content of these scenarios takes less, and where the peer
/// takes nothing, the connection ends after 30 s.
const CONTENT: Duration = Duration::from_secs(60);

impl History {
    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().expect("no panic")
    }

    /// A new call.
    pub(crate) fn number(&self) -> u64 {
        let mut notes = self.lock();
        let call = notes.calls.len() as u64;
        notes.calls.insert(call, None);
        call
    }

    pub(crate) fn begin(&self, call: u64) {
        *self.lock().begun.entry(call).or_default() += 1;
    }

    pub(crate) fn end(&self, call: u64, ended: Ended) {
        let before = self.lock().calls.insert(call, Some(ended));
        assert!(matches!(before, Some(None)), "call {call} ended twice");
    }

    pub(crate) fn ping(&self, from: &str, at: Duration, took: Duration, error: Option<String>) {
        self.lock().pings.push(Ping {
            from: from.into(),
            at,
            took,
            error,
        });
    }

    /// What ends well must be whole.
    pub(crate) fn is_whole(&self, call: u64, count: u64, size: u64) {
        if count != size {
            self.wrong(format!("call {call}: {count} of {size} bytes as a whole"));
        }
    }

    pub(crate) fn wrong(&self, what: String) {
        self.lock().wrongs.push(what);
    }

    pub(crate) fn hand_over(&self, stream: u64, bytes: u64) {
        self.lock().streams.entry(stream).or_default().0 += bytes;
    }

    pub(crate) fn take(&self, stream: u64, bytes: u64) {
        let mut notes = self.lock();
        let taken = &mut notes.streams.entry(stream).or_default().1;
        *taken = taken.saturating_add(bytes);
    }

    /// How much of streams was handed over and is not taken yet: of the fullest, and of all.
    pub(crate) fn between(&self) -> (u64, u64) {
        let notes = self.lock();
        let between = notes.streams.values();
        let between = between.map(|(given, taken)| given.saturating_sub(*taken));
        between.fold((0, 0), |(most, sum), one| (one.max(most), sum + one))
    }

    pub(crate) fn tasks(&self, host: &str, count: usize) {
        self.lock().tasks.insert(host.into(), count);
    }

    pub(crate) fn tasks_of(&self, host: &str) -> usize {
        self.lock().tasks.get(host).copied().unwrap_or(0)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().calls.len()
    }

    pub(crate) fn count(&self, is_it: impl Fn(&Ended) -> bool) -> usize {
        let notes = self.lock();
        let ended = notes.calls.values().flatten();
        ended.filter(|ended| is_it(ended)).count()
    }

    /// What holds in every scenario.
    pub(crate) fn check(&self) {
        let notes = self.lock();
        assert!(notes.wrongs.is_empty(), "{:?}", notes.wrongs);
        for (call, ended) in &notes.calls {
            let Some(ended) = ended else {
                panic!("call {call} has no end");
            };
            let begun = notes.begun.get(call).copied().unwrap_or(0);
            let Ended { outcome, error, .. } = ended;
            let is_true = match outcome {
                Outcome::NotSent | Outcome::NotExecuted => begun == 0,
                Outcome::Unknown => begun <= 1,
                Outcome::Executed | Outcome::Replied => begun == 1,
            };
            assert!(
                is_true,
                "call {call} is {outcome} ({error}), and began {begun} times"
            );
            let carries = matches!(ended.what, "gather" | "store" | "dawdle" | "neglect");
            let grace = if carries { CONTENT } else { GRACE };
            assert!(
                ended.took <= ended.deadline + grace,
                "call {call} ({}, {outcome}) took {:?} of {:?}",
                ended.what,
                ended.took,
                ended.deadline
            );
        }
        for call in notes.begun.keys() {
            assert!(notes.calls.contains_key(call), "nobody made call {call}");
        }
    }

    /// All pings of a host were answered, within this time.
    pub(crate) fn check_pings(&self, from: &str, at_least: usize, limit: Duration) {
        let notes = self.lock();
        let mut count = 0;
        for ping in notes.pings.iter().filter(|ping| ping.from == from) {
            assert!(
                ping.error.is_none(),
                "{from}, {:?}: {:?}",
                ping.at,
                ping.error
            );
            assert!(
                ping.took <= limit,
                "{from}, {:?}: took {:?}",
                ping.at,
                ping.took
            );
            count += 1;
        }
        assert!(count >= at_least, "{from} pinged {count} times");
    }

    /// All of it, as text.
    pub(crate) fn report(&self) -> String {
        let notes = self.lock();
        let mut text = String::new();
        for (call, ended) in &notes.calls {
            let begun = notes.begun.get(call).copied().unwrap_or(0);
            if let Some(ended) = ended {
                let Ended { what, at, took, .. } = ended;
                let (outcome, error) = (ended.outcome, &ended.error);
                let _ = writeln!(
                    text,
                    "call {call} at {at:?}, {what}: {outcome} after {took:?}, began {begun} times; {error}"
                );
            }
        }
        for ping in &notes.pings {
            let Ping {
                from,
                at,
                took,
                error,
            } = ping;
            let _ = writeln!(text, "ping of {from} at {at:?}: {took:?} {error:?}");
        }
        text
    }
}

//! A scripted resolver, and a clock that does not advance until all wait.

#[cfg(feature = "dns")]
mod real;
#[cfg(not(feature = "dns"))]
mod system;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use futures_util::StreamExt;
use tokio::{sync::watch, time::timeout};

use super::*;
use crate::fleet::discover::Endpoint;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Answers the n-th question with what this returns, after this time, and notes when it was asked.
struct Scripted<F> {
    script: F,
    takes: Duration,
    asked: Arc<Mutex<Vec<Instant>>>,
}

impl<F> Resolve for Scripted<F>
where
    F: FnMut(usize) -> Result<Answer, Failure> + Send + 'static,
{
    async fn resolve(&mut self) -> Result<Answer, Failure> {
        let index = {
            let mut asked = self.asked.lock().expect("no panic");
            asked.push(Instant::now());
            asked.len() - 1
        };
        tokio::time::sleep(self.takes).await;
        (self.script)(index)
    }
}

/// What comes of a script.
struct Run {
    changes: Changes,
    asked: Arc<Mutex<Vec<Instant>>>,
    began: Instant,
    lost: watch::Sender<()>,
}

fn run(script: impl FnMut(usize) -> Result<Answer, Failure> + Send + 'static) -> Run {
    run_slowly(Duration::ZERO, script)
}

fn run_slowly(
    takes: Duration,
    script: impl FnMut(usize) -> Result<Answer, Failure> + Send + 'static,
) -> Run {
    let asked = Arc::default();
    let resolver = Scripted {
        script,
        takes,
        asked: Arc::clone(&asked),
    };
    let lost = watch::Sender::default();
    Run {
        changes: changes("dns://bank:9000".into(), resolver, Some(Losses::of(&lost))),
        asked,
        began: Instant::now(),
        lost,
    }
}

impl Run {
    /// The next snapshot: weights by key.
    async fn snapshot(&mut self) -> BTreeMap<String, u32> {
        match self.next().await {
            Ok(Change::Snapshot(all)) => by_key(all),
            other => panic!("{other:?}"),
        }
    }

    async fn error(&mut self) -> DiscoverError {
        self.next().await.expect_err("an error")
    }

    async fn next(&mut self) -> Result<Change, DiscoverError> {
        self.changes.next().await.expect("it does not end")
    }

    /// Nothing is yielded for this time.
    async fn is_quiet(&mut self, time: Duration) {
        if let Ok(change) = timeout(time, self.changes.next()).await {
            panic!("{change:?}");
        }
    }

    /// When it was asked, in milliseconds since it began.
    fn asked(&self) -> Vec<u64> {
        let asked = self.asked.lock().expect("no panic");
        let since = |at: &Instant| (*at - self.began).as_millis() as u64;
        asked.iter().map(since).collect()
    }
}

fn by_key(all: Vec<Endpoint>) -> BTreeMap<String, u32> {
    let all = all.into_iter();
    all.map(|it| (it.key().to_string(), it.weight())).collect()
}

fn found(address: &str, priority: u16, weight: u32) -> Found {
    let endpoint = Endpoint::new(address).expect("an address");
    let endpoint = endpoint.with_weight(weight);
    Found { priority, endpoint }
}

fn answer(addresses: &[&str], ttl: u64) -> Result<Answer, Failure> {
    Ok(Answer {
        servers: addresses.iter().map(|it| found(it, 0, 1)).collect(),
        skipped: None,
        ttl: Duration::from_secs(ttl),
    })
}

fn keys<const N: usize>(keys: [&str; N]) -> BTreeMap<String, u32> {
    keys.map(|it| (it.to_owned(), 1)).into()
}

/// As `keys`, with weights.
fn weights<const N: usize>(weights: [(&str, u32); N]) -> BTreeMap<String, u32> {
    weights.map(|(key, weight)| (key.to_owned(), weight)).into()
}

// F21

#[tokio::test(start_paused = true)]
async fn it_is_asked_after_the_ttl_between_5_and_30_seconds() {
    let ttls = [0, 1, 5, 7, 30, 31, 4_000_000_000, 9];
    let mut run = run(move |index| answer(&["10.0.0.1:9000"], ttls[index.min(7)]));
    assert_eq!(run.snapshot().await, keys(["10.0.0.1:9000"]));
    run.is_quiet(120 * SECOND).await;
    let asked: Vec<_> = run.asked().iter().map(|ms| ms / 1_000).collect();
    assert_eq!(asked[..8], [0, 5, 10, 15, 22, 52, 82, 112]);
}

#[tokio::test(start_paused = true)]
async fn new_server_is_there_with_the_first_answer_that_names_it() {
    let mut run = run(|index| match index {
        0 => answer(&["10.0.0.1:9000"], 5),
        _ => answer(&["10.0.0.2:9000", "10.0.0.1:9000"], 5),
    });
    assert_eq!(run.snapshot().await, keys(["10.0.0.1:9000"]));
    let both = keys(["10.0.0.1:9000", "10.0.0.2:9000"]);
    assert_eq!(run.snapshot().await, both);
    assert_eq!(run.asked(), [0, 5_000]);
    run.is_quiet(60 * SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn server_is_removed_after_three_answers_without_it() {
    let mut run = run(|index| match index {
        // Two without it, then one with it: it stays, and counting begins anew.
        0 | 3 => answer(&["10.0.0.1:9000", "10.0.0.2:9000"], 5),
        _ => answer(&["10.0.0.1:9000"], 5),
    });
    let both = keys(["10.0.0.1:9000", "10.0.0.2:9000"]);
    assert_eq!(run.snapshot().await, both);
    assert_eq!(run.snapshot().await, keys(["10.0.0.1:9000"]));
    assert_eq!(run.asked().len(), 7, "{:?}", run.asked());
}

#[tokio::test(start_paused = true)]
async fn failures_keep_servers_and_are_one_error_each() {
    let mut run = run(|index| match index {
        1..=4 => Err("server failure".into()),
        5 => answer(&["10.0.0.1:9000", "10.0.0.2:9000"], 5),
        _ => answer(&["10.0.0.1:9000"], 5),
    });
    assert_eq!(run.snapshot().await, keys(["10.0.0.1:9000"]));
    for attempt in 2..=5 {
        let error = run.error().await;
        assert_eq!(
            crate::error::chain(&error).to_string(),
            "cannot look up the servers of dns://bank:9000: server failure"
        );
        assert_eq!(run.asked().len(), attempt);
    }
    // It has never been without its servers: what comes next is added.
    let both = keys(["10.0.0.1:9000", "10.0.0.2:9000"]);
    assert_eq!(run.snapshot().await, both);
}

#[tokio::test(start_paused = true)]
async fn failures_are_no_answers_without_a_server() {
    let mut run = run(|index| match index {
        0 => answer(&["10.0.0.1:9000", "10.0.0.2:9000"], 5),
        2 | 4 => Err("server failure".into()),
        _ => answer(&["10.0.0.1:9000"], 5),
    });
    let both = keys(["10.0.0.1:9000", "10.0.0.2:9000"]);
    assert_eq!(run.snapshot().await, both);
    // After an error, what is known is said again: the error is over.
    for known in [both, keys(["10.0.0.1:9000"])] {
        run.error().await;
        assert_eq!(run.snapshot().await, known);
    }
    assert_eq!(run.asked().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn empty_answers_keep_servers() {
    let mut run = run(|index| match index {
        1..=5 => answer(&[], 5),
        _ => answer(&["10.0.0.1:9000"], 5),
    });
    assert_eq!(run.snapshot().await, keys(["10.0.0.1:9000"]));
    for _ in 0..5 {
        let error = run.error().await;
        assert!(matches!(error, DiscoverError::Unavailable { .. }));
        let shown = crate::error::chain(&error).to_string();
        assert!(shown.ends_with(": the name has no servers"), "{shown}");
    }
    assert_eq!(run.snapshot().await, keys(["10.0.0.1:9000"]));
}

#[tokio::test(start_paused = true)]
async fn pauses_after_failures_grow_to_30_seconds_and_begin_anew() {
    const FAILURES: usize = 200;
    let mut run = run(|index| match index {
        FAILURES => answer(&["10.0.0.1:9000"], 5),
        _ => Err("server failure".into()),
    });
    for _ in 0..FAILURES {
        run.error().await;
    }
    run.snapshot().await;
    run.error().await;
    run.error().await;
    let asked = run.asked();
    let pauses: Vec<_> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // Milliseconds are cut off.
    assert!(
        pauses[0] <= 101 && pauses[1] <= 161 && pauses[2] <= 257,
        "{pauses:?}"
    );
    assert!(pauses.iter().all(|it| *it <= 30_001), "{pauses:?}");
    let grown = &pauses[20..FAILURES];
    assert!(grown.iter().any(|it| *it > 25_000), "{pauses:?}");
    assert!(
        grown.iter().any(|it| *it < 5_000),
        "not at random: {pauses:?}"
    );
    assert_eq!(pauses[FAILURES], 5_000);
    assert!(pauses[FAILURES + 1] <= 101, "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn losses_have_it_asked_at_once_but_once_a_second() {
    let mut run = run(|_| answer(&["10.0.0.1:9000"], 30));
    run.snapshot().await;
    // Soon after it was asked: a second after that.
    run.lost.send_replace(());
    run.is_quiet(4 * SECOND).await;
    assert_eq!(run.asked(), [0, 1_000]);
    // Later: at once.
    run.lost.send_replace(());
    run.is_quiet(100 * MS).await;
    assert_eq!(run.asked(), [0, 1_000, 4_000]);
    // Many of them.
    for _ in 0..20 {
        run.lost.send_replace(());
        run.is_quiet(100 * MS).await;
    }
    // The last one of them is answered after them; without losses, the TTL counts.
    run.is_quiet(20 * SECOND).await;
    assert_eq!(run.asked(), [0, 1_000, 4_000, 5_000, 6_000, 7_000]);
    run.is_quiet(20 * SECOND).await;
    assert_eq!(run.asked()[6..], [37_000]);
}

#[tokio::test(start_paused = true)]
async fn loss_during_a_question_is_asked_about_again() {
    let mut run = run_slowly(500 * MS, |_| answer(&["10.0.0.1:9000"], 30));
    let lost = run.lost.clone();
    let loses = async {
        tokio::time::sleep(200 * MS).await;
        lost.send_replace(());
    };
    tokio::join!(run.snapshot(), loses);
    run.is_quiet(20 * SECOND).await;
    assert_eq!(run.asked(), [0, 1_000]);
}

#[tokio::test(start_paused = true)]
async fn losses_make_no_pause_after_a_failure_shorter() {
    let mut run = run(|index| match index {
        0..100 => Err("server failure".into()),
        _ => answer(&["10.0.0.1:9000"], 30),
    });
    for _ in 0..100 {
        run.error().await;
        run.lost.send_replace(());
    }
    let asked = run.asked();
    let longest = asked.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(longest > Some(20_000), "{asked:?}");
    // What was lost before it was asked needs no other question.
    run.snapshot().await;
    run.is_quiet(20 * SECOND).await;
    assert_eq!(run.asked().len(), 101);
}

#[tokio::test(start_paused = true)]
async fn skipped_entry_is_reported_besides_the_others() {
    let entry = || DiscoverError::entry("a b", TargetProblem::Name);
    let mut run = run(move |index| match index {
        0 => Ok(Answer {
            skipped: Some(entry()),
            ..answer(&["10.0.0.1:9000"], 5)?
        }),
        1 => Ok(Answer {
            skipped: Some(entry()),
            ..Answer::default()
        }),
        _ => answer(&["10.0.0.1:9000"], 5),
    });
    assert_eq!(run.snapshot().await, keys(["10.0.0.1:9000"]));
    let error = run.error().await;
    assert_eq!(error.to_string(), "entry \"a b\" is skipped");
    // The only one that there is.
    let error = run.error().await;
    assert!(matches!(error, DiscoverError::Unavailable { .. }));
    let shown = crate::error::chain(&error).to_string();
    assert!(shown.contains("entry \"a b\" is skipped"), "{shown}");
    assert_eq!(run.snapshot().await, keys(["10.0.0.1:9000"]));
}

// F22

#[test]
fn lowest_priority_is_used_and_the_next_is_its_reserve() {
    let mut known = Known::new(1);
    let all = || {
        vec![
            found("d:1", 30, 5),
            found("c:1", 20, 5),
            found("b:1", 10, 10),
            found("a:1", 10, 1),
        ]
    };
    assert!(known.learn(all()));
    assert_eq!(
        by_key(known.endpoints()),
        weights([("a:1", 1), ("b:1", 10), ("c:1", 0)])
    );
    assert!(!known.learn(all()), "nothing has changed");
    // The reserve is used as soon as the others are gone.
    let others = || all().into_iter().take(2).collect();
    assert!(!known.learn(others()) && !known.learn(others()));
    assert!(known.learn(others()));
    assert_eq!(by_key(known.endpoints()), weights([("c:1", 5), ("d:1", 0)]));
    // And no longer when they are back.
    assert!(known.learn(all()));
    assert_eq!(by_key(known.endpoints())["c:1"], 0);
}

#[test]
fn weight_0_is_a_reserve_unless_all_have_it() {
    let mut known = Known::new(1);
    known.learn(vec![
        found("a:1", 0, 0),
        found("b:1", 0, 1),
        found("c:1", 0, 10),
    ]);
    assert_eq!(
        by_key(known.endpoints()),
        weights([("a:1", 0), ("b:1", 1), ("c:1", 10)])
    );
    let mut known = Known::new(1);
    known.learn(vec![
        found("a:1", 0, 0),
        found("b:1", 0, 0),
        found("c:1", 1, 0),
    ]);
    assert_eq!(
        by_key(known.endpoints()),
        weights([("a:1", 1), ("b:1", 1), ("c:1", 0)])
    );
}

#[test]
fn new_weight_counts_at_once() {
    let mut known = Known::new(1);
    known.learn(vec![found("a:1", 0, 1), found("b:1", 0, 1)]);
    assert!(known.learn(vec![found("a:1", 0, 7), found("b:1", 0, 1)]));
    assert_eq!(by_key(known.endpoints()), weights([("a:1", 7), ("b:1", 1)]));
}

#[test]
fn duplicates_are_one_server() {
    let mut both_orders = [
        vec![
            found("[2001:db8::1]:9", 2, 1),
            found("[2001:db8:0::1]:9", 1, 3),
        ],
        vec![
            found("[2001:db8::1]:9", 1, 3),
            found("[2001:db8::1]:9", 1, 2),
        ],
    ];
    for order in [0, 1] {
        for answer in &mut both_orders {
            if order == 1 {
                answer.reverse();
            }
            let mut known = Known::new(1);
            known.learn(answer.clone());
            let expected = weights([("[2001:db8::1]:9", 3)]);
            assert_eq!(by_key(known.endpoints()), expected);
        }
    }
}

/// 10.0.0.0 and what follows it.
fn many(range: std::ops::Range<u32>, priority: u16) -> Vec<Found> {
    let address = |n| format!("10.0.{}.{}:9000", n / 256, n % 256);
    range.map(|n| found(&address(n), priority, 1)).collect()
}

#[test]
fn a_thousand_of_too_many_are_used_the_same_ones_each_time() {
    let mut all = many(0..3_000, 0);
    let used = |seed, all: &[Found]| {
        let mut known = Known::new(seed);
        known.learn(all.to_vec());
        by_key(known.endpoints())
    };
    let first = used(1, &all);
    assert_eq!(first.len(), 1_000);
    all.reverse();
    all.rotate_left(700);
    assert_eq!(used(1, &all), first);
    let other = used(2, &all);
    let common = other.keys().filter(|key| first.contains_key(*key)).count();
    assert!((200..500).contains(&common), "{common} of another seed");
}

#[test]
fn lowest_priorities_of_too_many_are_used_first() {
    let mut known = Known::new(1);
    known.learn([many(0..2_000, 7), many(2_000..2_010, 3)].concat());
    let weights = by_key(known.endpoints());
    assert_eq!(weights.len(), 1_000);
    assert_eq!(weights.values().filter(|it| **it == 1).count(), 10);
}

#[test]
fn names_that_change_all_the_time_do_not_pile_up() {
    let mut known = Known::new(1);
    for round in 0..20 {
        known.learn(many(round * 2_000..(round + 1) * 2_000, 0));
        assert!(known.endpoints().len() <= 3_000);
    }
}

#[test]
fn names_of_dns_are_checked() {
    let label = "a".repeat(63);
    let longest = [&*label, &label, &label, &label[2..]].join(".");
    assert_eq!(longest.len(), 253);
    let names = [
        "a",
        "_bank._tcp.Example.com.",
        "xn--bcher-kva.example",
        "10-0-0-1.x",
        &longest,
    ];
    for name in names {
        assert_eq!(check_name(name), Ok(()), "{name}");
    }
    let dotted = format!("{longest}.");
    assert_eq!(check_name(&dotted), Ok(()));
    let long = format!("{longest}a");
    let label = format!("{label}a.b");
    for name in [
        "", ".", "a..b", ".a", "a..", "/bank", "a b", "bücher", "a,b", &long, &label,
    ] {
        assert_eq!(check_name(name), Err(TargetProblem::Name), "{name}");
    }
}

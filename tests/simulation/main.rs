//! Whole systems in one thread, with a simulated network and a simulated clock. A seed decides what
//! goes wrong, and the same seed always goes wrong in the same way. With half of the seeds, both sides
//! offer the extension.
//!
//! `cargo test -p sockety-tests --test simulation` runs 25 seeds of each scenario, with
//! `SOCKETY_SEEDS=20000` that many. `SOCKETY_SEED=7` runs only that seed and prints its history. A
//! failing seed prints how to run it alone.

mod client;
mod dice;
mod history;
mod link;
mod scenarios;
mod server;
mod site;
mod work;

use std::cell::RefCell;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use sockety::testing::spill_in_place;

use crate::dice::Dice;
use crate::history::History;
use crate::scenarios::Scenario;

const SECOND: Duration = Duration::from_secs(1);

thread_local! {
    /// What the last scenario of this thread has noted, for when it fails.
    static LAST: RefCell<History> = RefCell::default();
}

/// Seeds of each scenario, when nobody asks for another number.
const SEEDS: u64 = 25;

/// Runs a scenario with one seed after another.
fn run(name: &str, scenario: Scenario) {
    spill_in_place();
    if let Some(seed) = number("SOCKETY_SEED") {
        let outcome = catch_unwind(AssertUnwindSafe(|| scenario(&mut Dice::new(seed))));
        print!("{}", LAST.take().report());
        if let Err(panic) = outcome {
            resume_unwind(panic);
        }
        return;
    }
    let (begun, seeds) = (Instant::now(), number("SOCKETY_SEEDS").unwrap_or(SEEDS));
    let mut calls = 0;
    for seed in 0..seeds {
        let outcome = catch_unwind(AssertUnwindSafe(|| scenario(&mut Dice::new(seed))));
        match outcome {
            Ok(history) => calls += history.len(),
            Err(panic) => {
                println!("to see it: SOCKETY_SEED={seed} {COMMAND} {name} --exact --nocapture");
                resume_unwind(panic)
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{name}: {seeds} seeds, {calls} calls, {seconds:.1} s");
}

const COMMAND: &str = "cargo test -p sockety-tests --test simulation --";

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number in the environment"))
}

#[test]
fn the_same_seed_has_the_same_history() {
    spill_in_place();
    let seeds = (number("SOCKETY_SEEDS").unwrap_or(SEEDS) / 10).max(4);
    for (seed, (name, scenario)) in
        (0..seeds).flat_map(|seed| scenarios::ALL.map(|scenario| (seed, scenario)))
    {
        let [first, second] = [0, 1].map(|_| scenario(&mut Dice::new(seed)).report());
        let difference = difference(&first, &second);
        assert!(first == second, "{name} with seed {seed}: {difference}");
    }
}

/// The first lines that differ.
fn difference(first: &str, second: &str) -> String {
    let mut shown = String::new();
    let pairs = first.lines().zip(second.lines());
    for (first, second) in pairs.filter(|(first, second)| first != second).take(3) {
        let _ = write!(shown, "\n  {first}\n  {second}");
    }
    shown
}

macro_rules! scenario {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            run(stringify!($name), scenarios::$name);
        }
    )*};
}

scenario! {
    echo_under_latency
    partition
    one_direction_held
    crash_and_restart
    symmetric_pressure
    slow_readers
    going_away
    clock_gap
}

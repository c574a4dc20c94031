//! Everything that is fuzzed, for a while: what is known to be interesting, and mutants of it. `VERIFICATION.md` says how to
//! run it for longer, and how to run one input again.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use sockety_fuzz_harness::{TARGETS, Target, mutant, seeds};

/// One at a time: they judge what the whole process allocates.
static TURN: Mutex<()> = Mutex::new(());

/// A single input that takes this long never ends.
const PATIENCE: Duration = Duration::from_secs(120);

fn fuzz(name: &str) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    watch();
    let target = TARGETS
        .iter()
        .find(|target| target.name == name)
        .expect("it is a target");
    if let Some(path) = variable::<String>("SOCKETY_FUZZ_INPUT") {
        (target.run)(&fs::read(path).expect("the input"));
        return;
    }
    let seed = variable("SOCKETY_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("{name}: SOCKETY_SEED={seed}");
    let seeds = seeds(target);
    let mut inputs = 0_u64;
    for input in &seeds {
        try_input(target, input);
        inputs += 1;
    }
    let mut rng = Rng::with_seed(seed);
    let mut goes_on = patience(target);
    while goes_on() {
        try_input(target, &mutant(&mut rng, &seeds));
        inputs += 1;
    }
    eprintln!("{name}: {inputs} inputs, {} of them known", seeds.len());
}

/// Whether there is to be another input.
fn patience(target: &Target) -> impl FnMut() -> bool {
    let begin = Instant::now();
    let seconds = variable("SOCKETY_FUZZ_SECONDS").map(Duration::from_secs);
    let runs = variable("SOCKETY_FUZZ_RUNS").unwrap_or_else(|| u64::from(target.runs));
    let mut made = 0;
    move || {
        made += 1;
        match seconds {
            Some(seconds) => begin.elapsed() < seconds,
            None => made <= runs,
        }
    }
}

/// Runs an input; what fails is kept, and how to run it again is told.
fn try_input(target: &Target, input: &[u8]) {
    *running() = Some((target.name, input.to_vec(), Instant::now()));
    let result = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    *running() = None;
    if let Err(panic) = result {
        keep(target.name, input);
        resume_unwind(panic);
    }
}

/// The input that is running, and since when.
static RUNNING: Mutex<Option<(&str, Vec<u8>, Instant)>> = Mutex::new(None);

fn running() -> MutexGuard<'static, Option<(&'static str, Vec<u8>, Instant)>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the process when an input never ends, as nobody could tell which one it was.
fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        thread::spawn(|| {
            loop {
                thread::sleep(Duration::from_secs(1));
                if let Some((name, input, since)) = &*running()
                    && since.elapsed() > PATIENCE
                {
                    keep(name, input);
                    std::process::abort();
                }
            }
        });
    });
}

/// Writes an input to a file.
fn keep(name: &str, input: &[u8]) {
    let digest = input
        .iter()
        .fold(0xCBF2_9CE4_8422_2325_u64, |digest, byte| {
            (digest ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3)
        });
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{digest:016x}"));
    fs::write(&path, input).expect("it can be written");
    eprintln!(
        "again: SOCKETY_FUZZ_INPUT={} cargo test -p sockety-fuzz-harness --test targets {name}",
        path.display()
    );
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    let value = value.parse().ok();
    assert!(value.is_some(), "{name} has no usable value");
    value
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                fuzz(stringify!($name));
            }
        )*

        #[test]
        fn all_targets_run_here() {
            let names = TARGETS.map(|target| target.name);
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

targets! {
    decode_split
    decode_encode
    encode_script
    extension
    differential
    connection_server
    connection_client
    two_peers
    msgpack_check
    msgpack_read
    file_name
    credit
}

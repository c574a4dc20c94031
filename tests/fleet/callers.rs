//! Many callers, what each of their calls came to, and what the ledgers say of it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use sockety::{CallError, Outcome, error::chain};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{PATIENCE, server::WorkClient, until};

/// At the same time.
const CALLERS: usize = 48;

/// Between two calls of a caller. Without it, a test would measure how busy the machine is.
const PAUSE: Duration = Duration::from_millis(4);

/// Which action a call has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Note,
    Slow,
    Find,
}

struct Made {
    phase: &'static str,
    kind: Kind,
    outcome: Outcome,
    error: Option<String>,
}

/// What every call came to.
#[derive(Default)]
pub(crate) struct History {
    next: AtomicU64,
    replied: AtomicU64,
    calls: Mutex<BTreeMap<u64, Made>>,
}

impl History {
    pub(crate) fn replied(&self) -> u64 {
        self.replied.load(Ordering::SeqCst)
    }

    /// Waits until this number of further calls is answered.
    pub(crate) async fn more(&self, calls: u64) {
        let goal = self.replied() + calls;
        until("calls are answered", || self.replied() >= goal).await;
    }

    /// Compares what the callers were told with what was begun, and prints both.
    pub(crate) fn check(&self, begun: &BTreeMap<u64, usize>) {
        let calls = self.calls.lock().expect("no panic");
        let made = self.next.load(Ordering::SeqCst);
        assert_eq!(calls.len() as u64, made, "every call has an outcome");
        let mut rows = BTreeMap::<_, (usize, usize)>::new();
        let mut wrong = Vec::new();
        for (call, made) in &*calls {
            let begun = begun.get(call).copied().unwrap_or(0);
            let is_idempotent = made.kind == Kind::Find;
            let is_true = match made.outcome {
                Outcome::NotSent | Outcome::NotExecuted => begun == 0,
                Outcome::Unknown => begun <= 1 || is_idempotent,
                Outcome::Executed | Outcome::Replied => begun == 1 || begun > 1 && is_idempotent,
            };
            if !is_true {
                let (phase, kind, outcome) = (made.phase, made.kind, made.outcome);
                let error = &made.error;
                wrong.push(format!(
                    "{phase}: {kind:?} {call} is {outcome} ({error:?}), and began {begun} times"
                ));
            }
            let error = made.error.clone().unwrap_or_default();
            let row = (made.phase, made.outcome.to_string(), made.kind, error);
            let row = rows.entry(row).or_default();
            *row = (row.0 + 1, row.1 + begun);
        }
        for ((phase, outcome, kind, error), (count, begun)) in rows {
            println!("{phase:10} {count:6} {kind:?} {outcome:12} {begun:6} executed  {error}");
        }
        for call in begun.keys() {
            assert!(calls.contains_key(call), "nobody made call {call}");
        }
        assert!(wrong.is_empty(), "{} calls: {wrong:#?}", wrong.len());
    }

    /// The calls of this phase that were not answered.
    pub(crate) fn failed(&self, phase: &str) -> Vec<Failed> {
        let calls = self.calls.lock().expect("no panic");
        let of_phase = calls.values().filter(|made| made.phase == phase);
        let failed = of_phase.filter_map(|made| {
            Some(Failed {
                is_idempotent: made.kind == Kind::Find,
                outcome: made.outcome,
                error: made.error.clone()?,
            })
        });
        failed.collect()
    }
}

#[derive(Debug, PartialEq)]
pub(crate) struct Failed {
    pub(crate) is_idempotent: bool,
    pub(crate) outcome: Outcome,
    pub(crate) error: String,
}

/// They call until they are told to stop.
pub(crate) struct Callers {
    is_over: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Callers {
    pub(crate) fn start(work: &WorkClient, history: &Arc<History>, phase: &'static str) -> Self {
        let is_over = Arc::<AtomicBool>::default();
        let task = |caller| {
            let (work, history, is_over) =
                (work.clone(), Arc::clone(history), Arc::clone(&is_over));
            let kind = [Kind::Note, Kind::Find, Kind::Note, Kind::Slow][caller % 4];
            tokio::spawn(async move {
                while !is_over.load(Ordering::SeqCst) {
                    call(&work, &history, phase, kind).await;
                    sleep(PAUSE).await;
                }
            })
        };
        let tasks = (0..CALLERS).map(task).collect();
        Self { is_over, tasks }
    }

    /// Every caller learns of the end of its call.
    pub(crate) async fn stop(self) {
        self.is_over.store(true, Ordering::SeqCst);
        for task in self.tasks {
            let ended = timeout(PATIENCE, task).await;
            ended.expect("every call ends").expect("no panic");
        }
    }
}

async fn call(work: &WorkClient, history: &History, phase: &'static str, kind: Kind) {
    let call = history.next.fetch_add(1, Ordering::SeqCst);
    let calling = match kind {
        Kind::Note => work.note(call),
        Kind::Slow => work.slow(call),
        Kind::Find => work.find(call),
    };
    // Some have timeouts of their own, which takes another way through the client.
    let calling = match call % 3 {
        0 => calling.timeout(Duration::from_secs(5)),
        _ => calling,
    };
    let (outcome, error) = match calling.await {
        Ok(answer) => {
            assert_eq!(answer, call, "the reply to another call");
            (Outcome::Replied, None)
        }
        Err(error) => (error.outcome(), Some(explain(&error))),
    };
    if error.is_none() {
        history.replied.fetch_add(1, Ordering::SeqCst);
    }
    let made = Made {
        phase,
        kind,
        outcome,
        error,
    };
    history.calls.lock().expect("no panic").insert(call, made);
}

/// Without addresses, so that equal errors are counted as such.
fn explain<E: sockety::ServiceError>(error: &CallError<E>) -> String {
    let text = match error {
        CallError::Request { error, .. } => chain(error).to_string(),
        error => format!("{error:?}"),
    };
    let words = text
        .split(' ')
        .map(|word| match word.contains("127.0.0.1:") {
            true => "ADDRESS",
            false => word,
        });
    words.collect::<Vec<_>>().join(" ")
}

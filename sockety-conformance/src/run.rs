//! Running the cases, several at a time.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, StreamExt, stream};
use tokio::time::timeout;

use crate::{
    case::Case,
    outcome::{Outcome, Stop, failed},
    report::{Finding, Verdict},
    trial::{Settings, Trial},
};

/// No case takes longer than this beside its clocks, whatever the endpoint does.
const LONGEST: Duration = Duration::from_secs(60);

/// The clock that takes longest, in seconds.
const SLOWEST_CLOCK: f64 = 90.0;

/// Runs the cases, so many at a time. `on_done` is told of each as it ends; what is given back is in their order.
pub async fn all(
    cases: Vec<Arc<Case>>,
    settings: &Arc<Settings>,
    jobs: usize,
    on_done: impl Fn(&Finding),
) -> Vec<Finding> {
    let (slow, quick): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| is_slow(case));
    // Slow cases only wait, so they are no load: all of them wait at the same time, beside the others.
    let together = if jobs > 1 { slow.len().max(1) } else { 1 };
    let run = |case| one(case, Arc::clone(settings));
    let slow = stream::iter(slow).map(run).buffer_unordered(together);
    let quick = stream::iter(quick).map(run).buffer_unordered(jobs);
    let done = match jobs {
        1 => slow.chain(quick).left_stream(),
        _ => stream::select(slow, quick).right_stream(),
    };
    let mut findings: Vec<_> = done.inspect(on_done).collect().await;
    findings.sort_by_key(|finding| finding.case.id);
    findings
}

/// Whether a case waits for clocks.
fn is_slow(case: &Case) -> bool {
    case.id.section == 16 || [(2, 15), (4, 5), (8, 11)].contains(&(case.id.section, case.id.number))
}

async fn one(case: Arc<Case>, settings: Arc<Settings>) -> Finding {
    let begin = Instant::now();
    let limit = LONGEST
        + Duration::from_secs_f64(2.0 * SLOWEST_CLOCK / settings.clocks.unwrap_or(SLOWEST_CLOCK));
    let trial = Trial::new(settings);
    // A case that panics is a mistake of the suite, and costs no other.
    let run = AssertUnwindSafe(judged(&case, &trial)).catch_unwind();
    let outcome = match timeout(limit, run).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(failed("the case itself has panicked")),
        Err(_) => Err(failed(format!("the case did not end within {limit:?}"))),
    };
    let verdict = match outcome {
        Ok(warnings) => Verdict::Passed(warnings),
        Err(Stop::Failed(why)) => Verdict::Failed(why),
        Err(Stop::Skipped(why)) => Verdict::Skipped(why),
    };
    let time = begin.elapsed();
    Finding {
        case,
        verdict,
        time,
    }
}

/// The case, then what it did to the endpoint.
async fn judged(case: &Case, trial: &Trial) -> Outcome<Vec<String>> {
    case.run(trial.clone()).await?;
    trial.expect_life().await?;
    trial.judge()
}

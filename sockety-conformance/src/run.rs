//! Runs the cases, several at a time.

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

/// The limit for a case, not counting its timeouts, whatever the endpoint does.
const LONGEST: Duration = Duration::from_secs(60);

/// The longest timeout, in seconds.
const SLOWEST_CLOCK: f64 = 90.0;

/// Runs up to `jobs` cases at a time. Calls `on_done` as each ends. Returns the findings in the
/// order of the cases.
pub async fn all(
    cases: Vec<Arc<Case>>,
    settings: &Arc<Settings>,
    jobs: usize,
    on_done: impl Fn(&Finding),
) -> Vec<Finding> {
    let (slow, quick): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| is_slow(case));
    // Slow cases only wait, so they cause no load: all of them run at the same time.
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

/// Whether a case waits for timeouts.
fn is_slow(case: &Case) -> bool {
    case.id.section == 16 || [(2, 15), (4, 5), (8, 11)].contains(&(case.id.section, case.id.number))
}

async fn one(case: Arc<Case>, settings: Arc<Settings>) -> Finding {
    let begin = Instant::now();
    let limit = LONGEST
        + Duration::from_secs_f64(2.0 * SLOWEST_CLOCK / settings.clocks.unwrap_or(SLOWEST_CLOCK));
    let trial = Trial::new(settings);
    // A panic is a defect of the suite, and must not affect other cases.
    let run = AssertUnwindSafe(judged(&case, &trial)).catch_unwind();
    let outcome = match timeout(limit, run).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(failed("the case itself panicked")),
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

/// Runs the case, then checks what it did to the endpoint.
async fn judged(case: &Case, trial: &Trial) -> Outcome<Vec<String>> {
    case.run(trial.clone()).await?;
    trial.expect_life().await?;
    trial.judge()
}

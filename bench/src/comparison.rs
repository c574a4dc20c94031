//! Two revisions of the project, measured in turns.

use std::fmt::Write;

use crate::{
    figures::{Figures, Row},
    outcome::Outcome,
    results::Results,
    shown,
};

/// Ratios of one revision's figures to those of the other one.
pub fn markdown(results: &Results, other: &Results) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, results, other);
    text
}

fn write_all(text: &mut String, results: &Results, other: &Results) -> std::fmt::Result {
    let now = Figures::new(&results.contenders, &results.measurements);
    let before = Figures::new(&other.contenders, &other.measurements);
    writeln!(
        text,
        "{}. {} against {}, in turns; ratios are medians of those of {} repetitions, with least and most.{}\n",
        results.machine,
        results.revision,
        other.revision,
        results.settings.repetitions,
        results.settings.remarks(),
    )?;
    writeln!(
        text,
        "| Workload | Cores | Contender | Result | before | ratio | CPU, ratio | p50, ratio | p99, ratio |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    )?;
    for row in &now.rows {
        if let Some(before) = before.row(&row.contender, &row.case, row.placement) {
            write_row(text, row, before)?;
        }
    }
    let failed = now.failed.iter().map(|failed| (&results.revision, failed));
    let failed = failed.chain(before.failed.iter().map(|failed| (&other.revision, failed)));
    for (revision, failed) in failed {
        writeln!(
            text,
            "| {} | {} | {} | {revision} failed: {} | - | - | - | - | - |",
            shown::case(&failed.case),
            shown::cores(failed.placement),
            failed.contender,
            failed.result.as_ref().err().map_or("", String::as_str),
        )?;
    }
    Ok(())
}

fn write_row(text: &mut String, row: &Row, before: &Row) -> std::fmt::Result {
    let ratio = |figure: fn(&Outcome) -> Option<f64>| {
        let ratio = row.ratio(before, figure);
        ratio.map_or_else(|| "-".into(), shown::ratio)
    };
    writeln!(
        text,
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        shown::case(&row.case),
        shown::cores(row.placement),
        row.contender,
        shown::value(row.case.workload, row.value.median),
        shown::value(row.case.workload, before.value.median),
        ratio(|outcome| Some(outcome.value)),
        ratio(|outcome| outcome.cpu),
        ratio(|outcome| Some(outcome.latency?.p50 as f64)),
        ratio(|outcome| Some(outcome.latency?.p99 as f64)),
    )
}

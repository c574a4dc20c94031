//! The page of the guide that shows a run.

use std::{fmt::Write, fs, path::Path};

use crate::{
    Result,
    contender::Kind,
    figures::{Figures, Row},
    plan::Placement,
    plots,
    results::Results,
    shown,
    workload::{Case, Workload},
};

/// Writes the page, and its plots into a folder of the same name.
pub fn write(results: &Results, guide: &Path) -> Result<()> {
    if results.settings.quick {
        return Err("figures of --quick are not for publishing".into());
    }
    let figures = Figures::new(&results.contenders, &results.measurements);
    if let Some(failed) = figures.failed.first() {
        let case = shown::case(&failed.case);
        return Err(format!("{} failed in {case}: measure it again", failed.contender).into());
    }
    let folder = guide.join("benchmarks");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let mut plotted = Vec::new();
    for (workload, plot) in plots::of(results) {
        if compared(&figures, workload) {
            fs::write(folder.join(format!("{workload:?}.svg")), plot)?;
            plotted.push(workload);
        }
    }
    let mut text = String::new();
    write_page(&mut text, results, &figures, &plotted)?;
    Ok(fs::write(guide.join("benchmarks.md"), text)?)
}

/// Whether there is anybody to compare with.
fn compared(figures: &Figures<'_>, workload: Workload) -> bool {
    let mut rows = figures.rows.iter();
    rows.any(|row| row.case.workload == workload && is_other(row))
}

fn is_other(row: &Row) -> bool {
    match row.kind {
        Kind::Peer => true,
        // Not calls: replies come in the order of requests.
        Kind::Streams => !matches!(
            row.case.workload,
            Workload::W1 | Workload::W2 | Workload::W3 | Workload::W11 | Workload::W12
        ),
        Kind::Ours | Kind::Limit => false,
    }
}

fn write_page(
    text: &mut String,
    results: &Results,
    figures: &Figures<'_>,
    plotted: &[Workload],
) -> std::fmt::Result {
    let settings = &results.settings;
    writeln!(
        text,
        "<!-- Written by bench/publish; its text is in bench/src/page.rs. -->\n\
         # Benchmarks\n\n\
         Sockety, other RPC frameworks, and the limits of the machine, all in one run of [`bench`](../../bench/README.md), where workloads and \
         settings are explained. [Performance](performance.md) says what makes your programs fast.\n\n\
         - Machine: {}.\n\
         - Revision: {}.\n\
         - Client and server are two processes over loopback, with one worker thread each unless noted. \"All cores\" is as the system places \
         them, \"one core\" both on the same one.\n\
         - Each figure is the median of {} repetitions of {:.2} s, in which contenders take turns. Ratios are computed within each repetition; \
         the least and the most of them follow in parentheses.{}\n\n\
         Absolute figures depend on the machine, so compare ratios.\n",
        results.machine,
        results.revision,
        settings.repetitions,
        settings.measure.as_secs_f64(),
        settings.remarks(),
    )?;
    writeln!(
        text,
        "## Compared with the fastest other\n\n\
         A ratio above 1 means that Sockety is faster; of memory, that it needs more. In W1 to W3, W11 and W12, `tonic-stream` is not among the others: it \
         makes calls by hand over one stream of tonic, on which replies come in the order of the requests. The plots have it.\n\n\
         | | Sockety, all cores | fastest other | ratio | Sockety, one core | fastest other | ratio |\n\
         | --- | --- | --- | --- | --- | --- | --- |"
    )?;
    let mut cases: Vec<Case> = figures.rows.iter().map(|row| row.case).collect();
    cases.dedup();
    cases.sort();
    cases.dedup();
    for case in cases {
        if compared(figures, case.workload) {
            writeln!(
                text,
                "| {} | {} | {} |",
                shown::case(&case),
                cells(figures, &case, Placement::Free),
                cells(figures, &case, Placement::One),
            )?;
        }
    }
    writeln!(
        text,
        "\n## Every contender\n\n\
         Bars are multiples of Sockety's figure, with the least and the most ratio of a repetition as a line. Lines are latencies of single calls. \
         `limit-raw`, `limit-mux` and `limit-bulk` are not products: they do the least that any implementation must do.\n"
    )?;
    for workload in plotted {
        writeln!(
            text,
            "![{workload:?}: {}](benchmarks/{workload:?}.svg)\n",
            workload.title()
        )?;
    }
    writeln!(
        text,
        "## Versions and settings\n\n| Contender | Versions | Runtime | Settings |\n| --- | --- | --- | --- |"
    )?;
    for one in &results.contenders {
        writeln!(
            text,
            "| {} | {} | {} | {} |",
            one.name, one.versions, one.runtime, one.settings
        )?;
    }
    Ok(())
}

/// Ours, the fastest other, and the ratio.
fn cells(figures: &Figures<'_>, case: &Case, placement: Placement) -> String {
    let name = match case.workload {
        Workload::W14 => "sockety-fleet",
        _ => "sockety",
    };
    let Some(ours) = figures.row(name, case, placement) else {
        return "– | – | –".into();
    };
    let value = |row: &Row| shown::value(case.workload, row.value.median);
    let others = figures.rows_beside(ours).filter(|row| is_other(row));
    let faster = |a: &&Row, b: &&Row| a.value.median.total_cmp(&b.value.median);
    let best = match case.workload.less_is_better() {
        true => others.min_by(faster),
        false => others.max_by(faster),
    };
    let Some(best) = best else {
        return format!("{} | – | –", value(ours));
    };
    let ratio = ours.ratio(best, |outcome| Some(outcome.value));
    format!(
        "{} | {} {} | {}",
        value(ours),
        best.contender,
        value(best),
        ratio.map_or_else(|| "–".into(), shown::ratio),
    )
}

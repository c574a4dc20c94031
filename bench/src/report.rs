//! All figures of a run as one table, for a terminal.

use std::fmt::Write;

use crate::{
    contender::Kind,
    figures::{Figures, Quantiles, Row, Spread},
    goals,
    results::Results,
    shown,
};

pub fn markdown(results: &Results) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, results);
    text
}

fn write_all(text: &mut String, results: &Results) -> std::fmt::Result {
    let figures = Figures::new(&results.contenders, &results.measurements);
    let settings = &results.settings;
    writeln!(text, "{}, at {}.\n", results.machine, results.revision)?;
    writeln!(
        text,
        "Client and server are processes with one tokio worker each, except the servers of W13, over loopback: \"free\" \
         as the system places them, \"one\" both on one core. Release build with thin LTO. {} repetitions in turn, {:.2} \
         s each after {:.2} s to warm up; streams of {} MiB, files of {} MiB. Figures are medians, with least and most \
         in parentheses; ratios are medians of those of each repetition; CPU is user and system time of both processes \
         for a call, a message or a MiB; memory is the most that was resident.{}\n",
        settings.repetitions,
        settings.measure.as_secs_f64(),
        settings.warm_up.as_secs_f64(),
        settings.stream_bytes >> 20,
        settings.file_bytes >> 20,
        settings.remarks(),
    )?;
    writeln!(
        text,
        "| Workload | Cores | Contender | Result | p50 | p99 | p99.9 | CPU, of it the server | Server, client MiB | Goals |"
    )?;
    writeln!(
        text,
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    )?;
    for row in &figures.rows {
        write_row(text, row, &figures)?;
    }
    for failed in &figures.failed {
        let error = failed.result.as_ref().err().map_or("", String::as_str);
        writeln!(
            text,
            "| {} | {} | {} | failed: {error} | - | - | - | - | - | - |",
            shown::case(&failed.case),
            shown::cores(failed.placement),
            failed.contender,
        )?;
    }
    writeln!(
        text,
        "\n| Contender | Versions | Runtime | Settings | Workloads |\n| --- | --- | --- | --- | --- |"
    )?;
    for about in &results.contenders {
        let workloads = about
            .workloads
            .iter()
            .map(|workload| format!("{workload:?}"));
        writeln!(
            text,
            "| {} | {} | {} | {} | {}{} |",
            about.name,
            about.versions,
            about.runtime,
            about.settings,
            workloads.collect::<Vec<_>>().join(" "),
            if about.tls { "" } else { ", no TLS" },
        )?;
    }
    Ok(())
}

fn write_row(text: &mut String, row: &Row, figures: &Figures<'_>) -> std::fmt::Result {
    let quantile = |figure: fn(&Quantiles) -> f64| {
        row.latency
            .map_or_else(|| "-".into(), |latency| shown::duration(figure(&latency)))
    };
    let goals = match row.kind {
        Kind::Ours => goals::of(row, figures),
        Kind::Limit | Kind::Peer | Kind::Streams => vec![],
    };
    let goals: Vec<_> = goals.iter().map(ToString::to_string).collect();
    writeln!(
        text,
        "| {} | {} | {} | {} | {} | {} | {} | {} | {:.0}, {:.0} | {} |",
        shown::case(&row.case),
        shown::cores(row.placement),
        row.contender,
        shown::values(row.case.workload, row.value),
        quantile(|latency| latency.p50),
        quantile(|latency| latency.p99),
        quantile(|latency| latency.p999),
        cpu(row),
        row.server_peak / 1048576.0,
        row.client_peak / 1048576.0,
        goals.join("; "),
    )
}

fn cpu(row: &Row) -> String {
    let text = |cpu: Option<Spread>| cpu.map(|cpu| shown::duration(cpu.median));
    match (text(row.cpu), text(row.server_cpu)) {
        (Some(all), Some(server)) => format!("{all}, {server}"),
        (Some(all), None) => all,
        _ => "-".into(),
    }
}

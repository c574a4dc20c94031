use std::fmt::Write;

use serde_json::json;

use crate::{
    Result,
    contender::{About, Kind},
    figures::{Figures, Quantiles, Row, Spread},
    goals,
    machine::{Machine, version_of},
    measurement::{Measurement, Settings},
    plan::Placement,
    workload::{Case, Workload},
};

/// Every measurement by itself.
pub fn json(
    machine: &Machine,
    settings: &Settings,
    contenders: &[&About],
    measurements: &[Measurement],
) -> Result<String> {
    let contender = |about: &&About| {
        json!({
            "name": about.name,
            "versions": versions(about),
            "runtime": settings.runtime.unwrap_or(about.runtime).name(),
            "settings": about.settings,
        })
    };
    let all = json!({
        "machine": machine,
        "settings": settings,
        "contenders": contenders.iter().map(contender).collect::<Vec<_>>(),
        "measurements": measurements,
    });
    Ok(serde_json::to_string_pretty(&all)?)
}

pub fn markdown(
    machine: &Machine,
    settings: &Settings,
    contenders: &[&About],
    measurements: &[Measurement],
) -> String {
    let figures = Figures::new(contenders, measurements);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, machine, settings, contenders, &figures);
    text
}

fn write_all(
    text: &mut String,
    machine: &Machine,
    settings: &Settings,
    contenders: &[&About],
    figures: &Figures<'_>,
) -> std::fmt::Result {
    writeln!(text, "{machine}.\n")?;
    writeln!(
        text,
        "Client and server are processes with one tokio worker each, over loopback: \"free\" as the system places \
         them, \"one\" both on one core. Release build with thin LTO. {} repetitions in turn, {:.2} s each after \
         {:.2} s to warm up; streams of {} MiB, files of {} MiB. Figures are medians, with least and most in \
         parentheses; CPU is user and system time of both processes for a call, a message or a MiB; memory is the \
         most that was resident.{}\n",
        settings.repetitions,
        settings.measure.as_secs_f64(),
        settings.warm_up.as_secs_f64(),
        settings.stream_bytes >> 20,
        settings.file_bytes >> 20,
        if settings.quick {
            " **Quick: no figures to rely on.**"
        } else {
            ""
        },
    )?;
    writeln!(
        text,
        "| Workload | Cores | Contender | Result | p50 | p99 | p99.9 | CPU | Server, client MiB | Goals |"
    )?;
    writeln!(
        text,
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    )?;
    for row in &figures.rows {
        write_row(text, row, figures)?;
    }
    for failed in &figures.failed {
        let error = failed.result.as_ref().err().map_or("", String::as_str);
        writeln!(
            text,
            "| {} | {} | {} | failed: {error} | - | - | - | - | - | - |",
            workload(&failed.case),
            cores(failed.placement),
            failed.contender,
        )?;
    }
    writeln!(
        text,
        "\n| Contender | Versions | Runtime | Settings | Workloads |\n| --- | --- | --- | --- | --- |"
    )?;
    for about in contenders {
        let workloads = about
            .workloads
            .iter()
            .map(|workload| format!("{workload:?}"));
        writeln!(
            text,
            "| {} | {} | {} | {} | {}{} |",
            about.name,
            versions(about),
            settings.runtime.unwrap_or(about.runtime).name(),
            about.settings,
            workloads.collect::<Vec<_>>().join(" "),
            if about.tls { "" } else { ", no TLS" },
        )?;
    }
    Ok(())
}

fn versions(about: &About) -> String {
    let versions = about.crates.iter();
    let versions = versions.map(|name| format!("{name} {}", version_of(name)));
    versions.collect::<Vec<_>>().join(", ")
}

fn write_row(text: &mut String, row: &Row, figures: &Figures<'_>) -> std::fmt::Result {
    let quantile = |figure: fn(&Quantiles) -> f64| {
        row.latency
            .map_or_else(|| "-".into(), |latency| duration(figure(&latency)))
    };
    let goals = match row.kind {
        Kind::Ours => goals::of(row, figures),
        Kind::Limit | Kind::Peer | Kind::Streams => vec![],
    };
    let goals: Vec<_> = goals.iter().map(ToString::to_string).collect();
    writeln!(
        text,
        "| {} | {} | {} | {} | {} | {} | {} | {} | {:.0}, {:.0} | {} |",
        workload(&row.case),
        cores(row.placement),
        row.contender,
        result(row),
        quantile(|latency| latency.p50),
        quantile(|latency| latency.p99),
        quantile(|latency| latency.p999),
        row.cpu
            .map_or_else(|| "-".into(), |cpu| duration(cpu.median)),
        row.server_peak / 1048576.0,
        row.client_peak / 1048576.0,
        goals.join("; "),
    )
}

fn workload(case: &Case) -> String {
    let detail = case.detail();
    let separator = if detail.is_empty() { "" } else { ", " };
    format!(
        "{:?} {}{separator}{detail}",
        case.workload,
        case.workload.title()
    )
}

fn cores(placement: Placement) -> &'static str {
    match placement {
        Placement::Free => "free",
        Placement::One => "one",
    }
}

fn result(row: &Row) -> String {
    let (divisor, unit, digits) = match row.case.workload {
        Workload::W4 => (1e6, "M/s", 2),
        Workload::W5 | Workload::W6 | Workload::W9 => (1.0, "MiB/s", 0),
        Workload::T4 => (1.0, "/s", 0),
        Workload::W7 => (1024.0, "KiB", 1),
        _ => (1e3, "k/s", 1),
    };
    let Spread {
        median,
        least,
        most,
    } = row.value;
    format!(
        "{:.digits$} {unit} ({:.digits$}–{:.digits$})",
        median / divisor,
        least / divisor,
        most / divisor,
    )
}

fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        few if few < 1e4 => format!("{few:.0} ns"),
        some if some < 1e7 => format!("{:.1} µs", some / 1e3),
        many => format!("{:.1} ms", many / 1e6),
    }
}

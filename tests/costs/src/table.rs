use std::fmt::Write;

use crate::{
    Result,
    tool::{ALLOCATED, ALLOCATIONS, Counts, INSTRUCTIONS, SYSTEM_CALLS, Tool},
    usage::{INVOLUNTARY, TIME, VOLUNTARY},
    workload::{FLEETS, GUARDED, IN_FLIGHT, Link, PAYLOADS, Workload},
};

/// Prints what one of each costs, both sides together, in Markdown: over memory what is the same everywhere, over TCP the rest.
pub(crate) fn print() -> Result<()> {
    // The codec does not allocate, and calls nobody.
    let calls = GUARDED.iter().filter(|workload| workload.is_calls());
    table("One of", calls)?;
    table("Calls in flight", IN_FLIGHT)?;
    table("Payload of a call", PAYLOADS)?;
    match FLEETS {
        [] => Ok(()),
        rows => table("Call over a socket, to", rows),
    }
}

fn table(title: &str, rows: impl IntoIterator<Item = &'static Workload>) -> Result<()> {
    println!(
        "| {title} | Instructions | Allocations | Allocated, bytes | System calls | Switches: waits, other | On a core, µs | System calls by name |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for workload in rows {
        println!("{}", row(workload)?);
    }
    println!();
    Ok(())
}

fn row(workload: &Workload) -> Result<String> {
    let instructions = Tool::Callgrind.measure(workload, Link::Memory)?;
    let allocations = Tool::Memcheck.measure(workload, Link::Memory)?;
    let system_calls = Tool::Strace.measure(workload, Link::Tcp)?;
    let usage = Tool::None.measure(workload, Link::Tcp)?;
    let Workload { name, .. } = workload;
    Ok(format!(
        "| {name} | {:.0} | {:.1} | {:.0} | {:.2} | {:.2}, {:.2} | {:.2} | {} |",
        instructions[INSTRUCTIONS],
        allocations[ALLOCATIONS],
        allocations[ALLOCATED],
        system_calls[SYSTEM_CALLS],
        usage[VOLUNTARY].max(0.0),
        usage[INVOLUNTARY].max(0.0),
        usage[TIME] / 1e3,
        by_name(&system_calls),
    ))
}

/// Those that are no rarity, most frequent first.
fn by_name(system_calls: &Counts) -> String {
    let all = system_calls[SYSTEM_CALLS];
    let mut frequent: Vec<_> = system_calls
        .iter()
        .filter(|(name, count)| *name != SYSTEM_CALLS && **count > all / 50.0)
        .collect();
    frequent.sort_by(|a, b| b.1.total_cmp(a.1));
    let mut text = String::new();
    for (name, count) in frequent {
        let separator = if text.is_empty() { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{separator}{name} {count:.2}");
    }
    text
}

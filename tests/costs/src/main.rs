//! What a call costs, counted instead of timed: the figures are the same in every run.
//!
//! `cargo run --profile bench -p sockety-costs` compares instructions with `baseline.txt`, and
//! fails if one has grown by more than 10 %; with `--update` it writes a new baseline. `--table`,
//! `--profile` and `--memory` print the tables of `docs/performance.md`.
#![allow(clippy::print_stdout, reason = "it is what the program is for")]

mod baseline;
mod calls;
mod check;
mod codec;
mod memory;
mod profile;
mod records;
mod surroundings;
mod table;
mod tool;
mod usage;
mod workload;

use std::{env, process::ExitCode};

use workload::{Link, Workload};

/// Any error: it is printed, and ends the program.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

const HELP: &str =
    "arguments: none, to compare with the baseline; --update, --table, --profile or --memory";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [] => check::check(),
        ["--update"] => check::update(),
        ["--table"] => table::print(),
        ["--memory"] => memory::print(),
        ["--profile"] => profile::print(),
        // How this program starts itself under a tool.
        ["run", name, link, times] => run(name, link, times),
        _ => Err(HELP.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, link: &str, times: &str) -> Result<()> {
    let workload = Workload::named(name).ok_or("no such workload")?;
    workload.run(Link::named(link).ok_or("no such link")?, times.parse()?);
    Ok(())
}

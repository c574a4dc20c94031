//! Checks any implementation of the Sockety protocol, rule by rule, by exchanging raw bytes. The
//! README says how to run it, and what an endpoint has to provide.
#![expect(unreachable_pub, reason = "a program has no public items")]

mod arguments;
mod case;
mod cases;
mod interop;
mod outcome;
mod peer;
mod received;
mod report;
mod rules;
mod run;
mod target;
mod trial;

use std::{
    error::Error,
    fmt::Display,
    fs,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use clap::Parser;

use crate::{
    arguments::Arguments,
    case::Section,
    outcome::Stop,
    report::{Finding, Sum, junit, tree},
    target::Target,
    trial::{Settings, Trial},
};

/// The exit code if the arguments are invalid or the target is unreachable, so nothing was checked.
const UNUSABLE: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let sections = cases::all();
    if arguments.list {
        list(&sections, &arguments);
        return ExitCode::SUCCESS;
    }
    match check(&sections, &arguments).await {
        Ok(sum) if sum.failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "sockety-conformance: {error}");
            ExitCode::from(UNUSABLE)
        }
    }
}

fn list(sections: &[Section], arguments: &Arguments) {
    for section in sections {
        for case in section
            .cases
            .iter()
            .filter(|case| arguments.chooses(case.id))
        {
            say(format_args!(
                "{:<6}{} ({})",
                case.id.to_string(),
                case.title,
                case.rule
            ));
        }
    }
}

async fn check(sections: &[Section], arguments: &Arguments) -> Result<Sum, Box<dyn Error>> {
    let target = arguments.target().await?;
    if let Target::Client { listener, .. } = &target {
        say(format_args!("PORT {}", listener.local_addr()?.port()));
    }
    let jobs = if target.is_concurrent() {
        arguments.jobs
    } else {
        1
    };
    let settings = Arc::new(Settings {
        target,
        is_strict: arguments.strict,
        timeout: arguments.timeout(),
        clocks: arguments.clocks,
        pid: arguments.pid,
        is_bytewise: arguments.bytewise,
    });
    let cases = sections.iter().flat_map(|section| &section.cases);
    let cases: Vec<_> = cases
        .filter(|case| arguments.chooses(case.id))
        .cloned()
        .collect();
    if cases.is_empty() {
        return Err("no such case; --list shows all cases".into());
    }
    reach(&settings).await?;
    let findings = run::all(cases, &settings, jobs, progress).await;
    report(sections, &findings, arguments)
}

/// Checks that the endpoint can be reached.
async fn reach(settings: &Arc<Settings>) -> Result<(), String> {
    let trial = Trial::new(Arc::clone(settings));
    match trial.bare(256).await {
        Ok(_) => Ok(()),
        Err(Stop::Failed(why) | Stop::Skipped(why)) => Err(why),
    }
}

/// Shows progress on standard error, as the report comes at the end.
fn progress(finding: &Finding) {
    let _ = writeln!(
        io::stderr(),
        "{} {:.1} s",
        finding.case.id,
        finding.time.as_secs_f64()
    );
}

fn report(
    sections: &[Section],
    findings: &[Finding],
    arguments: &Arguments,
) -> Result<Sum, Box<dyn Error>> {
    let mut text = String::new();
    tree::write(&mut text, sections, findings)?;
    say(text.trim_end());
    if let Some(path) = &arguments.junit {
        fs::write(path, junit::write(sections, findings)?)?;
    }
    Ok(Sum::of(findings))
}

/// Prints and flushes, so that a pipe gets the line immediately. Ignores a closed pipe.
fn say(line: impl Display) {
    let mut out = io::stdout();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

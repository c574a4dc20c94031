use std::{path::PathBuf, str::FromStr, time::Duration};

use anstyle::Style;
use bytesize::ByteSize;
use clap::Args;
use serde_json::json;
use sockety::Address;
use sockety_schema::{Allowed, Change, Report, Schema, UnknownRule, Verdict, compare};

use crate::{
    describe::{self, ask},
    exit::{Exit, Failure, explain},
    first::FirstArgs,
    out::{self, BAD, FAINT, GOOD, OutputArgs, WARN, styled},
    shown::escaped,
    target::{Target, some_duration},
    tls::ClientTls,
};

/// Arguments of `check`: compares two schemas.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Schema before the change: a file of `describe --save`. With --against, the schema after it
    #[arg(value_name = "OLD")]
    first_schema: PathBuf,
    /// Schema after the change
    #[arg(
        value_name = "NEW",
        required_unless_present = "against",
        conflicts_with = "against"
    )]
    new: Option<PathBuf>,
    /// The schema before the change is what this peer serves
    #[arg(long, value_name = "ADDR")]
    against: Option<Address>,
    /// Changes that are meant: RULE, or RULE:PATH
    #[arg(long, value_name = "RULE")]
    allow: Vec<Allowance>,
    /// File with changes that are meant, one a line; # begins a comment
    #[arg(long, value_name = "FILE")]
    allow_from: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    tls: ClientTls,
    #[command(flatten)]
    first: FirstArgs,
    /// Longest time to connect, and longest wait for the answer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = some_duration)]
    timeout: Duration,
}

/// Changes that are meant, and what the user wrote.
#[derive(Debug, Clone)]
struct Allowance {
    allowed: Allowed,
    text: String,
}

impl FromStr for Allowance {
    type Err = UnknownRule;

    fn from_str(text: &str) -> Result<Self, UnknownRule> {
        let (allowed, text) = (text.parse()?, text.to_owned());
        Ok(Self { allowed, text })
    }
}

/// Compares two schemas.
pub async fn run(args: CheckArgs) -> Result<Exit, Failure> {
    let mut allowed = args.allow.clone();
    if let Some(path) = &args.allow_from {
        allowed.extend(read_allowed(path)?);
    }
    let schema = load(&args.first_schema)?;
    let (old, new) = match (&args.new, &args.against) {
        (Some(path), _) => (schema, load(path)?),
        (None, Some(address)) => (served(&args, address).await?, schema),
        (None, None) => return Err(Failure::usage("neither NEW nor --against")),
    };
    let mut report = compare(&old, &new);
    let mut unused = Vec::new();
    for Allowance { allowed, text } in &allowed {
        let mut alone = report.clone();
        alone
            .changes
            .iter_mut()
            .for_each(|it| it.is_allowed = false);
        alone.allow(allowed);
        if !alone.changes.iter().any(|it| it.is_allowed) {
            unused.push(text);
        }
        report.allow(allowed);
    }
    for change in &report.changes {
        match args.output.is_json() {
            true => out::object(&json(change))?,
            false => out::line(text(change))?,
        }
    }
    for text in &unused {
        let text = escaped(text);
        out::warn(format_args!("allowance {text} matches no change"));
    }
    match args.output.is_json() {
        true => out::object(&verdict(&report, &unused))?,
        false => {
            let (style, text) = summary(&report);
            out::line(styled(style, text))?;
        }
    }
    match report.is_breaking() {
        true => Ok(Exit::Refused),
        false => Ok(Exit::Done),
    }
}

fn load(path: &PathBuf) -> Result<Schema, Failure> {
    let what = path.display().to_string();
    Schema::load(path).map_err(|error| match &error {
        sockety_schema::SchemaError::File { .. } => Failure::local(explain(&error)),
        _ => Failure::local(explain(&error)).about(&what),
    })
}

fn read_allowed(path: &PathBuf) -> Result<Vec<Allowance>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::local(format!("cannot read {}: {error}", path.display())))?;
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    let lines = lines.filter(|line| !line.is_empty());
    let allowed = lines.map(|line| {
        let parsed = line.parse();
        parsed.map_err(|error: UnknownRule| {
            Failure::usage(error.to_string()).about(&path.display().to_string())
        })
    });
    allowed.collect()
}

async fn served(args: &CheckArgs, address: &Address) -> Result<Schema, Failure> {
    let target = Target {
        address: address.clone(),
        tls: args.tls.clone(),
        connect_timeout: args.timeout,
        max_payload: ByteSize::mib(64),
        first: args.first.clone(),
    };
    let services = ask(&target, args.timeout).await?;
    describe::schema(&services).map_err(|failure| failure.about(&address.to_string()))
}

fn text(change: &Change) -> String {
    let style = match change.verdict {
        _ if change.is_allowed => FAINT,
        Verdict::Compatible => GOOD,
        Verdict::Breaking => BAD,
        _ => WARN,
    };
    let line = escaped(&change.to_string());
    let verdict = change.verdict.to_string();
    match line.strip_prefix(&verdict) {
        Some(rest) => format!("{}{rest}", styled(style, verdict)),
        None => line,
    }
}

fn id(verdict: Verdict) -> String {
    verdict.to_string().replace(' ', "_")
}

/// The line at the end.
fn verdict(report: &Report, unused: &[&String]) -> serde_json::Value {
    json!({
        "type": "verdict",
        "verdict": id(report.verdict()),
        "breaking": report.is_breaking(),
        "changes": report.changes.len(),
        "unused_allowances": unused,
        "text": summary(report).1,
    })
}

fn json(change: &Change) -> serde_json::Value {
    json!({
        "type": "change",
        "verdict": id(change.verdict),
        "rule": change.rule.id(),
        "direction": change.direction.map(|direction| direction.to_string()),
        "path": change.path,
        "also": change.also,
        "text": change.text,
        "allowed": change.is_allowed,
    })
}

/// The verdict for people.
fn summary(report: &Report) -> (Style, &'static str) {
    let is_there = |verdict| {
        let mut changes = report.changes.iter().filter(|it| !it.is_allowed);
        changes.any(|it| it.verdict == verdict)
    };
    let has_two_orders = is_there(Verdict::ServersFirst) && is_there(Verdict::ClientsFirst);
    match report.verdict() {
        _ if report.changes.is_empty() => (GOOD, "nothing that travels has changed"),
        Verdict::ClientsFirst if has_two_orders => (
            WARN,
            "compatible in two releases: what needs servers first, and what needs clients first",
        ),
        Verdict::Compatible => (GOOD, "compatible"),
        Verdict::Warning => (WARN, "compatible, with warnings"),
        Verdict::ServersFirst => (
            WARN,
            "compatible: renew every server before any client uses the change",
        ),
        Verdict::ClientsFirst => (
            WARN,
            "compatible: renew every client before any server uses the change",
        ),
        Verdict::Breaking => (BAD, "breaking"),
    }
}

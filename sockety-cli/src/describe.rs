use std::{fmt::Write, time::Duration};

use clap::Args;
use sockety::{
    CallError, FastReply,
    describe::{ActionDescription, PartKind, ServiceDescription},
    error::NoError,
};

use crate::{
    exit::{Exit, Failure, exit_of, explain},
    out::{self, FAINT, NAME, OutputArgs, styled},
    shown::escaped,
    target::{Target, duration},
};

/// Arguments of `describe`: asks a peer for its services.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: OutputArgs,
    /// Longest wait for the answer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    timeout: Duration,
}

/// Lists the services and actions of a peer.
pub async fn run(args: DescribeArgs) -> Result<Exit, Failure> {
    let connection = args.target.connect().await?;
    let asked = tokio::time::timeout(args.timeout, sockety::describe::describe(&connection)).await;
    let what = args.target.naming("describe");
    let asked = asked.map_err(|_| Failure::timed_out(&what, "no answer", args.timeout))?;
    let services = asked.map_err(|error| args.failure(&error))?;
    if args.output.is_json() {
        let json =
            serde_json::to_value(&services).map_err(|error| Failure::local(error.to_string()))?;
        out::object(&json)?;
    } else {
        for service in &services {
            out::line(text(service))?;
        }
        if services.is_empty() {
            out::note("the peer has no services");
        }
    }
    connection.close().await;
    Ok(Exit::Done)
}

impl DescribeArgs {
    fn failure(&self, error: &CallError<NoError>) -> Failure {
        let peer = &self.target.address;
        let (text, outcome) = (explain(error), error.outcome());
        match error {
            CallError::Refused { code, .. } if *code == FastReply::NOT_IMPLEMENTED => Failure::new(
                Exit::Refused,
                format!("{peer} does not describe its services: code {code}"),
            ),
            CallError::Refused { code, .. } => Failure::new(
                Exit::Refused,
                format!("{peer}: {text}{}", self.target.hint(*code)),
            ),
            _ => Failure::new(exit_of(outcome), format!("{peer}: {text} ({outcome})")),
        }
    }
}

fn text(service: &ServiceDescription) -> String {
    let mut text = docs(&service.docs, "");
    let _ = writeln!(text, "service {}", styled(NAME, escaped(&service.name)));
    for action in &*service.actions {
        text += "\n";
        describe(action, &mut text);
    }
    text
}

fn describe(action: &ActionDescription, text: &mut String) {
    *text += &docs(&action.docs, "    ");
    let parameters: Vec<_> = action
        .parameters
        .iter()
        .map(|parameter| {
            let (name, ty) = (escaped(&parameter.name), escaped(&parameter.ty));
            format!("{name}: {ty}{}", mark(parameter.kind))
        })
        .collect();
    let _ = write!(
        text,
        "    {}({})",
        styled(NAME, escaped(&action.name)),
        parameters.join(", ")
    );
    if !action.returns.kinds.is_empty() {
        let _ = write!(text, " -> {}", escaped(&action.returns.ty));
    }
    *text += "\n";
    for line in traits(action) {
        let _ = writeln!(text, "        {}", styled(FAINT, line));
    }
    for error in &*action.errors {
        let (name, docs) = (
            escaped(&error.name),
            escaped(error.docs.lines().next().unwrap_or_default()),
        );
        let _ = writeln!(text, "        error {} {name}: {docs}", error.code);
    }
}

/// Aliases, attributes and limits of an action.
fn traits(action: &ActionDescription) -> Vec<String> {
    let mut lines = Vec::new();
    let aliases: Vec<_> = action.aliases.iter().map(|alias| escaped(alias)).collect();
    if !aliases.is_empty() {
        lines.push(format!("also {}", aliases.join(", ")));
    }
    let mut words = Vec::new();
    if action.is_one_way {
        words.push("one-way".to_owned());
    }
    if action.is_idempotent {
        words.push("idempotent".to_owned());
    }
    if action.is_no_cancel {
        words.push("not cancelled".to_owned());
    }
    if let Some(timeout) = action.timeout {
        words.push(format!("timeout {}", humantime::format_duration(timeout)));
    }
    let limits = &action.limits;
    words.extend(
        limits
            .payload
            .map(|bytes| format!("payload up to {bytes} bytes")),
    );
    words.extend(limits.files.map(|files| format!("up to {files} files")));
    words.extend(
        limits
            .file
            .map(|bytes| format!("files up to {bytes} bytes")),
    );
    words.extend(
        limits
            .all_files
            .map(|bytes| format!("all files up to {bytes} bytes")),
    );
    words.extend(
        limits
            .stream
            .map(|bytes| format!("stream up to {bytes} bytes")),
    );
    if !words.is_empty() {
        lines.push(words.join(", "));
    }
    lines
}

/// How a parameter is sent if it is not part of the payload.
fn mark(kind: PartKind) -> &'static str {
    match kind {
        PartKind::File => " (a file)",
        PartKind::Files => " (all files that follow)",
        PartKind::Streaming => " (the stream, of values)",
        PartKind::ByteStream => " (the stream, of bytes)",
        _ => "",
    }
}

fn docs(docs: &str, indent: &str) -> String {
    let line = |line: &str| styled(FAINT, format_args!("{indent}/// {}", escaped(line))) + "\n";
    docs.lines().map(line).collect()
}

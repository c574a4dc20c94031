use std::{fmt::Write, path::PathBuf, time::Duration};

use clap::Args;
use sockety::{
    CallError, FastReply,
    describe::{ActionDescription, PartKind, ServiceDescription},
    error::NoError,
};

use sockety_schema::Schema;

use crate::{
    exit::{Exit, Failure, exit_of, explain},
    out::{self, FAINT, NAME, OutputArgs, styled},
    shown::escaped,
    target::{Target, duration},
    types,
};

/// Arguments of `describe`: asks a peer for its services.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: OutputArgs,
    /// Write the schema of all services to FILE too, for `check`
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Longest wait for the answer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    timeout: Duration,
}

/// Lists the services and actions of a peer.
pub async fn run(args: DescribeArgs) -> Result<Exit, Failure> {
    let services = ask(&args.target, args.timeout).await?;
    if let Some(path) = &args.save {
        let peer = args.target.address.to_string();
        let schema = schema(&services).map_err(|failure| failure.about(&peer))?;
        schema
            .save(path)
            .map_err(|error| Failure::local(format!("cannot write {}: {error}", path.display())))?;
    }
    if args.output.is_json() {
        let json =
            serde_json::to_value(&services).map_err(|error| Failure::local(error.to_string()))?;
        out::object(&json)?;
    } else {
        for service in &services {
            let mut text = text(service);
            if let Some(schema) = schema_of(service)? {
                text += &types::text(&schema);
            }
            out::line(text)?;
        }
        if services.is_empty() {
            out::note("the peer has no services");
        }
    }
    Ok(Exit::Done)
}

/// Asks a peer for its services.
pub async fn ask(target: &Target, timeout: Duration) -> Result<Vec<ServiceDescription>, Failure> {
    let connection = target.connect().await?;
    let asked = tokio::time::timeout(timeout, sockety::describe::describe(&connection)).await;
    let what = target.naming("describe");
    let asked = asked.map_err(|_| Failure::timed_out(&what, "no answer", timeout))?;
    let services = asked.map_err(|error| failure(target, &error))?;
    connection.close().await;
    Ok(services)
}

fn failure(target: &Target, error: &CallError<NoError>) -> Failure {
    let peer = &target.address;
    let (text, outcome) = (explain(error), error.outcome());
    match error {
        CallError::Refused { code, .. } if *code == FastReply::NOT_IMPLEMENTED => Failure::new(
            Exit::Refused,
            format!("{peer} does not describe its services: code {code}"),
        ),
        CallError::Refused { code, .. } => Failure::new(
            Exit::Refused,
            format!("{peer}: {text}{}", target.hint(*code)),
        ),
        _ => Failure::new(exit_of(outcome), format!("{peer}: {text} ({outcome})")),
    }
}

/// The schemas of all services as one.
pub fn schema(services: &[ServiceDescription]) -> Result<Schema, Failure> {
    let mut all = Schema::default();
    for service in services {
        let of_one = schema_of(service)?.ok_or_else(|| {
            let text = format!(
                "service {} has no schema: `Router::describe_with` adds it",
                service.name
            );
            Failure::new(Exit::Refused, text)
        })?;
        all.merge(of_one);
    }
    Ok(all)
}

/// The schema of a service, if the peer has sent one.
fn schema_of(service: &ServiceDescription) -> Result<Option<Schema>, Failure> {
    let Some(text) = &service.schema else {
        return Ok(None);
    };
    let schema = Schema::from_json(text).map_err(|error| {
        let text = format!("schema of service {}: {}", service.name, explain(&error));
        Failure::new(Exit::Refused, text)
    })?;
    Ok(Some(schema))
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
            let default = if parameter.has_default {
                " = default"
            } else {
                ""
            };
            format!("{name}: {ty}{default}{}", mark(parameter.kind))
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

use std::{fmt::Write, path::PathBuf, time::Duration};

use clap::Args;
use sockety::{
    CallError, FastReply,
    describe::{ActionDescription, PartKind, ServiceDescription},
    error::NoError,
};

use serde_json::Value as Json;
use sockety_schema::{Action, Part, Schema, Service};

use crate::{
    exit::{Exit, Failure, exit_of, explain},
    out::{self, FAINT, NAME, OutputArgs, styled},
    shown::{escaped, escaped_json},
    target::{Target, some_duration},
    typed, types,
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
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = some_duration)]
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
            let schema = schema_of(service)?;
            let schema = schema
                .as_ref()
                .and_then(|it| it.services.get(&*service.name));
            let mut text = text(service, schema, &args.target.address.to_string());
            if let Some(schema) = schema {
                text += &types::text(schema);
            }
            out::line(text)?;
        }
        if services.is_empty() {
            out::note("the peer has no services");
        }
    }
    Ok(Exit::Done)
}

/// The action under which peers describe their services.
pub const ACTION: &str = "$sockety.describe";

/// Asks a peer for its services.
pub async fn ask(target: &Target, timeout: Duration) -> Result<Vec<ServiceDescription>, Failure> {
    let asked = answer(target, timeout).await;
    asked.map_err(|failure| failure.of(ACTION))
}

async fn answer(target: &Target, timeout: Duration) -> Result<Vec<ServiceDescription>, Failure> {
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
        CallError::Refused { code, reason, .. } => {
            let reason = reason.as_deref();
            let text = match *code {
                FastReply::NOT_IMPLEMENTED => {
                    format!("{peer} does not describe its services: code {code}")
                }
                _ => format!("{peer}: {text}{}", target.hint(*code, reason)),
            };
            Failure::refused(text, *code, reason)
        }
        _ => {
            let text = format!("{peer}: {text} ({outcome})");
            Failure::new(exit_of(outcome), text).outcome(outcome)
        }
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

fn text(service: &ServiceDescription, schema: Option<&Service>, peer: &str) -> String {
    let mut text = docs(&service.docs, "");
    let _ = writeln!(text, "service {}", styled(NAME, escaped(&service.name)));
    for action in &*service.actions {
        text += "\n";
        let typed = schema.and_then(|schema| schema.actions.get(&*action.name));
        describe(action, typed, &mut text);
        if let Some((typed, schema)) = typed.zip(schema) {
            let call = call(
                peer,
                &action.name,
                typed,
                typed::example(typed, &schema.types),
            );
            let _ = writeln!(text, "        {}", styled(FAINT, call));
        }
    }
    text
}

/// A call for people to change.
fn call(peer: &str, name: &str, action: &Action, payload: Option<Json>) -> String {
    let command = if action.one_way { "pass" } else { "call" };
    let (peer, name) = (quoted(&escaped(peer)), quoted(&escaped(name)));
    let mut call = format!("$ sockety {command} {peer} {name}");
    if let Some(payload) = payload {
        call += &format!(" --json {}", quoted(&escaped_json(&payload.to_string())));
    }
    for parameter in &action.parameters {
        call += match parameter.kind {
            sockety_schema::PartKind::File | sockety_schema::PartKind::Files => " --file PATH",
            sockety_schema::PartKind::Streaming => " --items --stream PATH",
            sockety_schema::PartKind::ByteStream => " --stream PATH",
            _ => "",
        };
    }
    let returns = |kind| action.returns.iter().any(|part| part.kind == kind);
    if returns(sockety_schema::PartKind::Streaming) && !call.contains(" --items") {
        call += " --items";
    }
    if returns(sockety_schema::PartKind::File) || returns(sockety_schema::PartKind::Files) {
        call += " --save DIR";
    }
    call
}

/// An argument as a shell takes it.
fn quoted(argument: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.:/[]@%+".contains(it);
    match !argument.is_empty() && argument.chars().all(is_plain) {
        true => argument.to_owned(),
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    }
}

fn describe(action: &ActionDescription, typed: Option<&Action>, text: &mut String) {
    *text += &docs(&action.docs, "    ");
    let parameters: Vec<_> = action
        .parameters
        .iter()
        .map(|parameter| {
            let mut known = typed.iter().flat_map(|it| &it.parameters);
            let known = known.find(|it| it.name == *parameter.name);
            let ty = match known.and_then(|it| it.ty.as_ref()) {
                Some(ty) if parameter.kind == PartKind::Streaming => format!("Streaming<{ty}>"),
                Some(ty) => ty.to_string(),
                None => parameter.ty.to_string(),
            };
            let (name, ty) = (escaped(&parameter.name), escaped(&ty));
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
        let ty = typed.map_or_else(|| action.returns.ty.to_string(), returned);
        let _ = write!(text, " -> {}", escaped(&ty));
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
        let data = match (error.has_details, typed.and_then(|it| it.error.as_ref())) {
            (true, Some(ty)) => format!(", with data of {}", escaped(&ty.to_string())),
            _ => String::new(),
        };
        let _ = writeln!(text, "        error {} {name}: {docs}{data}", error.code);
    }
}

/// What an action returns, by its schema.
fn returned(action: &Action) -> String {
    let part = |part: &Part| match (part.kind, &part.ty) {
        (sockety_schema::PartKind::Streaming, Some(ty)) => format!("Streaming<{ty}>"),
        (sockety_schema::PartKind::File, _) => "File".to_owned(),
        (sockety_schema::PartKind::Files, _) => "Vec<File>".to_owned(),
        (sockety_schema::PartKind::ByteStream, _) => "ByteStream".to_owned(),
        (_, Some(ty)) => ty.to_string(),
        (kind, None) => kind.to_string(),
    };
    let parts: Vec<_> = action.returns.iter().map(part).collect();
    match &parts[..] {
        [one] => one.clone(),
        several => format!("({})", several.join(", ")),
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

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::Value as Json;
use sockety::{
    File, Outcome,
    message::{Draft, Outgoing},
};

use crate::{
    exit::{Failure, explain},
    metadata::Metadata,
    typed::{Problem, Typed},
    value,
};

/// Arguments for the payload of a message.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub struct PayloadArgs {
    /// The payload as JSON, sent as MessagePack; @FILE reads it from a file, @- from standard input
    ///
    /// If the peer has a schema, the JSON is of the types that `describe` shows: bytes are base64
    /// or "hex:00ff", times "2026-01-31T12:00:00Z", durations "1m 30s", and mistakes are said
    /// before anything is sent. Otherwise, and with --no-schema, values without a JSON form are objects with one key: {"$bin": "base64"}, {"$time":
    /// "2026-01-31T12:00:00Z"}, {"$ext": [type, "base64"]}, {"$float": "NaN"} ("Infinity",
    /// "-Infinity"), {"$map": [[key, value], …]} for keys that are not strings. Replies are shown
    /// in the same way. A number with a decimal point is a float.
    #[arg(long, value_name = "JSON", allow_negative_numbers = true)]
    json: Option<String>,
    /// The payload as text, sent unchanged; @FILE and @- work as in --json
    #[arg(long, value_name = "TEXT")]
    data: Option<String>,
    /// Read the payload from this file and send it unchanged; - is standard input
    #[arg(long, value_name = "FILE")]
    raw: Option<PathBuf>,
}

/// A payload that was read, before it is known of which types it is.
#[derive(Debug)]
pub enum Input {
    None,
    Json(Json),
    /// Sent unchanged.
    Bytes(Vec<u8>),
}

/// The message that the arguments describe.
#[derive(Debug, Clone)]
pub struct Form {
    draft: Draft<sockety::message::Fixed>,
    metadata: Metadata,
}

/// An argument that says what a payload is.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// JSON, or @ and the path of a file.
    Json(&'a str),
    /// Text, or @ and the path of a file.
    Data(&'a str),
    /// The path of a file.
    Raw(&'a Path),
}

impl<'a> Source<'a> {
    /// The first that is there: no more than one can be.
    pub fn of(json: Option<&'a str>, data: Option<&'a str>, raw: Option<&'a Path>) -> Option<Self> {
        let json = json.map(Self::Json);
        json.or_else(|| data.map(Self::Data))
            .or_else(|| raw.map(Self::Raw))
    }

    /// Reads the payload; more than `limit` bytes are an error.
    pub fn read(self, limit: u64) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Json(json) => value::from_json(&text(json, limit)?)
                .map_err(|error| Failure::usage(error.to_string())),
            Self::Data(data) => Ok(text(data, limit)?.into()),
            Self::Raw(path) => file(path, limit),
        }
    }

    /// The same; no failure quotes the payload.
    pub fn read_secret(self, limit: u64) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Json(json) => value::from_json(&text(json, limit)?)
                .map_err(|error| Failure::usage(format!("--first-json: {}", error.kind()))),
            Self::Data(_) | Self::Raw(_) => self.read(limit),
        }
    }
}

/// Whether the payload is read from standard input.
pub fn is_stdin(source: Option<Source<'_>>) -> bool {
    match source {
        Some(Source::Json(text) | Source::Data(text)) => text == "@-",
        Some(Source::Raw(path)) => path == Path::new("-"),
        None => false,
    }
}

impl PayloadArgs {
    fn source(&self) -> Option<Source<'_>> {
        let (json, data) = (self.json.as_deref(), self.data.as_deref());
        Source::of(json, data, self.raw.as_deref())
    }

    /// Whether the payload is read from standard input.
    pub fn is_stdin(&self) -> bool {
        is_stdin(self.source())
    }

    /// Reads the payload. More than `limit` bytes are an error.
    pub fn read(&self, limit: u64) -> Result<Input, Failure> {
        Ok(match self.source() {
            None => Input::None,
            Some(Source::Json(argument)) => {
                let json = value::parse(&text(argument, limit)?);
                Input::Json(json.map_err(|error| Failure::usage(error.to_string()))?)
            }
            Some(source) => Input::Bytes(source.read(limit)?),
        })
    }
}

impl Input {
    /// Whether it is of the types of the action.
    pub fn is_json(&self) -> bool {
        matches!(self, Self::Json(_))
    }

    /// The message with this action and payload. `types` are those of the action, if they are known.
    pub fn form(self, action: &str, types: Option<&Typed>) -> Result<Form, Failure> {
        let payload = match (self, types) {
            (Self::Bytes(bytes), _) => bytes,
            (Self::None, None) => Vec::new(),
            (Self::Json(json), None) => {
                value::to_msgpack(json).map_err(|error| Failure::usage(error.to_string()))?
            }
            (Self::None, Some(types)) => typed(types.payload(None))?,
            (Self::Json(json), Some(types)) => typed(types.payload(Some(&json)))?,
        };
        let draft = Draft::new(action).with_data(payload);
        let metadata = Metadata::default();
        Ok(Form { draft, metadata })
    }
}

fn typed(packed: Result<Vec<u8>, Problem>) -> Result<Vec<u8>, Failure> {
    packed.map_err(|problem| {
        let text = format!("{problem}; `sockety describe` shows the types of the peer");
        Failure::usage(text).outcome(Outcome::NotSent)
    })
}

/// Standard input can be read only once: fails if several of these arguments want it.
pub fn check_stdin(wanted: &[(bool, &str)]) -> Result<(), Failure> {
    let wanting = wanted.iter().filter(|(wants, _)| *wants);
    let names: Vec<_> = wanting.map(|(_, name)| *name).collect();
    match names.len() {
        0 | 1 => Ok(()),
        _ => Err(Failure::usage(format!(
            "standard input cannot be both {}",
            names.join(" and ")
        ))),
    }
}

impl Form {
    /// The same message, with metadata.
    pub fn with_metadata(self, metadata: Metadata) -> Self {
        Self { metadata, ..self }
    }

    /// Creates a message without files.
    pub fn create(&self) -> Outgoing {
        self.metadata.add_to(self.draft.create())
    }
}

/// Opens the files at these paths for sending.
pub async fn files(paths: &[PathBuf]) -> Result<Vec<File>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        let opened = File::open(path).await;
        files.push(opened.map_err(|error| Failure::local(explain(&error)))?);
    }
    Ok(files)
}

/// The argument itself, or the content of the file that `@` points to.
fn text(argument: &str, limit: u64) -> Result<String, Failure> {
    let Some(path) = argument.strip_prefix('@') else {
        return Ok(argument.to_owned());
    };
    String::from_utf8(file(Path::new(path), limit)?)
        .map_err(|_| Failure::usage(format!("{path} is not UTF-8")))
}

fn file(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::local(format!("cannot read {}: {error}", path.display()));
    let reader: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(io::stdin()),
        false => Box::new(std::fs::File::open(path).map_err(failed)?),
    };
    let mut bytes = Vec::new();
    let one_more = limit.saturating_add(1);
    reader
        .take(one_more)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    match bytes.len() as u64 > limit {
        false => Ok(bytes),
        true => Err(Failure::usage(format!(
            "{} is larger than --max-payload: the limit is {limit} bytes",
            path.display()
        ))),
    }
}

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use clap::Args;
use sockety::{Draft, File, Outgoing};

use crate::{exit::Failure, value};

/// What a message carries as its payload.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub struct PayloadArgs {
    /// The payload as JSON, sent as MessagePack; @FILE reads it from a file, @- from standard input
    ///
    /// What JSON has no form for is an object with one key: {"$bin": "base64"}, {"$time": "2026-01-31T12:00:00Z"},
    /// {"$ext": [type, "base64"]}, {"$float": "NaN"} ("Infinity", "-Infinity"), {"$map": [[key, value], …]} for keys
    /// that are no strings. Replies are shown in the same way. A number with a point is a float.
    #[arg(long, value_name = "JSON")]
    json: Option<String>,
    /// The payload as text, sent as it is; @FILE and @- as with --json
    #[arg(long, value_name = "TEXT")]
    data: Option<String>,
    /// The payload is the content of this file, as it is; - is standard input
    #[arg(long, value_name = "FILE")]
    raw: Option<PathBuf>,
}

/// A message as arguments say it.
#[derive(Debug, Clone)]
pub struct Form {
    draft: Draft<sockety::Fixed>,
}

impl PayloadArgs {
    /// Whether it is read from standard input.
    pub fn is_stdin(&self) -> bool {
        let named = self.json.as_deref().or(self.data.as_deref());
        named == Some("@-") || self.raw.as_deref() == Some(Path::new("-"))
    }

    /// The bytes, at most so many.
    pub fn read(&self, limit: u64) -> Result<Bytes, Failure> {
        if let Some(json) = &self.json {
            let text = text(json, limit)?;
            return Ok(value::from_json(&text).map_err(Failure::usage)?.into());
        }
        if let Some(data) = &self.data {
            return Ok(text(data, limit)?.into());
        }
        match &self.raw {
            Some(path) => Ok(file(path, limit)?.into()),
            None => Ok(Bytes::new()),
        }
    }

    /// The form of messages with this payload.
    pub fn form(&self, action: &str, limit: u64) -> Result<Form, Failure> {
        let draft = Draft::new(action).with_data(self.read(limit)?);
        Ok(Form { draft })
    }
}

impl Form {
    /// A message, as yet without files.
    pub fn create(&self) -> Outgoing {
        self.draft.create()
    }
}

/// The files at these paths, to be sent.
pub async fn files(paths: &[PathBuf]) -> Result<Vec<File>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        let opened = File::open(path).await;
        files.push(
            opened.map_err(|error| {
                Failure::local(format!("cannot send {}: {error}", path.display()))
            })?,
        );
    }
    Ok(files)
}

/// An argument, or what stands where it points to.
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
            "{} has more than the {limit} bytes of --max-payload",
            path.display()
        ))),
    }
}

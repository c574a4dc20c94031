use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use clap::Args;
use sockety::{
    File,
    message::{Draft, Outgoing},
};

use crate::{
    exit::{Failure, explain},
    value,
};

/// Arguments for the payload of a message.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub struct PayloadArgs {
    /// The payload as JSON, sent as MessagePack; @FILE reads it from a file, @- from standard input
    ///
    /// Values without a JSON form are objects with one key: {"$bin": "base64"}, {"$time":
    /// "2026-01-31T12:00:00Z"}, {"$ext": [type, "base64"]}, {"$float": "NaN"} ("Infinity",
    /// "-Infinity"), {"$map": [[key, value], …]} for keys that are not strings. Replies are shown
    /// in the same way. A number with a decimal point is a float.
    #[arg(long, value_name = "JSON")]
    json: Option<String>,
    /// The payload as text, sent unchanged; @FILE and @- work as in --json
    #[arg(long, value_name = "TEXT")]
    data: Option<String>,
    /// Read the payload from this file and send it unchanged; - is standard input
    #[arg(long, value_name = "FILE")]
    raw: Option<PathBuf>,
}

/// The message that the arguments describe.
#[derive(Debug, Clone)]
pub struct Form {
    draft: Draft<sockety::message::Fixed>,
}

impl PayloadArgs {
    /// Whether the payload is read from standard input.
    pub fn is_stdin(&self) -> bool {
        let named = self.json.as_deref().or(self.data.as_deref());
        named == Some("@-") || self.raw.as_deref() == Some(Path::new("-"))
    }

    /// Reads the payload; more than `limit` bytes are an error.
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

    /// The message with this action and payload.
    pub fn form(&self, action: &str, limit: u64) -> Result<Form, Failure> {
        let draft = Draft::new(action).with_data(self.read(limit)?);
        Ok(Form { draft })
    }
}

impl Form {
    /// Creates a message without files.
    pub fn create(&self) -> Outgoing {
        self.draft.create()
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

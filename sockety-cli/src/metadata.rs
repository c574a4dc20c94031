//! What is sent with a message besides its content.

use std::{env, time::Duration};

use clap::Args;
use sockety::{Connection, config::Extension, message::Outgoing, metadata::MetadataKey};

use crate::{exit::Failure, out, target::some_duration};

/// Arguments for the metadata of a message.
#[derive(Debug, Clone, Args)]
pub struct MetadataArgs {
    /// Send this entry of metadata with the message; can be repeated
    ///
    /// A name has 1 to 64 of a-z 0-9 . _ - and does not begin with "sockety-". Peers that do not use
    /// the extension of the protocol take no metadata: nothing is sent then.
    #[arg(
        help_heading = "Metadata",
        long,
        value_name = "NAME=VALUE",
        value_parser = entry
    )]
    metadata: Vec<Entry>,
    /// The same, with the value of an environment variable, and marked as a secret, which tools do
    /// not show
    #[arg(
        help_heading = "Metadata",
        long,
        value_name = "NAME=VARIABLE",
        value_parser = entry
    )]
    metadata_secret: Vec<Entry>,
    /// Tell the peer to stop handling the message after this time
    ///
    /// Peers that do not use the extension of the protocol do not learn it. It does not end the wait
    /// for a reply: see --timeout.
    #[arg(help_heading = "Metadata", long, value_name = "TIME", value_parser = some_duration)]
    deadline: Option<Duration>,
}

/// A name and a value, or the environment variable that has it.
#[derive(Debug, Clone)]
struct Entry {
    key: MetadataKey,
    value: String,
}

fn entry(text: &str) -> Result<Entry, String> {
    let Some((name, value)) = text.split_once('=') else {
        return Err("write NAME=VALUE, such as tenant=acme".to_owned());
    };
    // As many as there are arguments.
    let key = MetadataKey::try_new(name.to_owned().leak());
    let key = key.ok_or_else(|| {
        "a name has 1 to 64 of a-z 0-9 . _ - and does not begin with sockety-".to_owned()
    })?;
    let value = value.to_owned();
    Ok(Entry { key, value })
}

/// What is sent with each message.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    entries: Vec<(MetadataKey, String)>,
    deadline: Option<Duration>,
}

impl MetadataArgs {
    /// Reads the values that are in the environment. No failure quotes one.
    pub fn read(&self) -> Result<Metadata, Failure> {
        let mut entries: Vec<_> = self
            .metadata
            .iter()
            .map(|it| (it.key, it.value.clone()))
            .collect();
        for Entry {
            key,
            value: variable,
        } in &self.metadata_secret
        {
            let value = env::var(variable).map_err(|error| {
                let problem = match error {
                    env::VarError::NotPresent => "is not set",
                    env::VarError::NotUnicode(_) => "is not UTF-8",
                };
                Failure::usage(format!("--metadata-secret: {variable} {problem}"))
            })?;
            entries.push((key.secret(), value));
        }
        for (place, (key, _)) in entries.iter().enumerate() {
            if entries
                .iter()
                .take(place)
                .any(|(before, _)| before.name() == key.name())
            {
                return Err(Failure::usage(format!(
                    "metadata {} is there twice",
                    key.name()
                )));
            }
        }
        let deadline = self.deadline;
        Ok(Metadata { entries, deadline })
    }
}

impl Metadata {
    /// The extension is offered where something needs it.
    pub fn extension(&self) -> Extension {
        match self.entries.is_empty() && self.deadline.is_none() {
            true => Extension::default(),
            false => Extension::Auto,
        }
    }

    /// Says what the peer does not learn.
    pub fn check(&self, connection: &Connection) {
        if self.deadline.is_some() && !connection.is_extended() {
            out::warn("--deadline: the peer does not use the extension, so it does not learn it");
        }
    }

    /// Adds it to a message.
    pub fn add_to(&self, message: Outgoing) -> Outgoing {
        let add = |message: Outgoing, (key, value): &(MetadataKey, String)| {
            message.with_metadata(*key, value.clone())
        };
        let message = self.entries.iter().fold(message, add);
        match self.deadline {
            Some(deadline) => message.with_deadline(deadline),
            None => message,
        }
    }
}

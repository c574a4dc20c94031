//! The message that authorizes a connection.

use std::{env, path::PathBuf, time::Duration};

use clap::Args;
use serde_json::Value as Json;
use sockety::{
    Connection, FastReply, Outcome,
    message::{Draft, Fixed, Reply},
};
use tokio::time::timeout;

use crate::{
    exit::{Exit, Failure},
    payload::{Source, is_stdin},
    shown::quoted,
    value::Shown,
};

/// Arguments for the first message of each connection.
#[derive(Debug, Clone, Args)]
pub struct FirstArgs {
    /// Send a message with this action first, and continue when the peer has accepted it; for
    /// servers that authorize a connection by its first message
    ///
    /// Its payload is the text in the environment variable SOCKETY_TOKEN, as MessagePack, unless
    /// one of the options below says otherwise.
    #[arg(help_heading = "First message", long, value_name = "ACTION")]
    first: Option<String>,
    /// The payload of the first message, as in --json
    ///
    /// Other users of this machine can see arguments. Secrets belong into a file, @FILE, or into
    /// SOCKETY_TOKEN.
    #[arg(
        help_heading = "First message",
        long,
        value_name = "JSON",
        requires = "first",
        allow_negative_numbers = true,
        conflicts_with_all = ["first_data", "first_raw"]
    )]
    first_json: Option<String>,
    /// The payload of the first message, as in --data
    #[arg(
        help_heading = "First message",
        long,
        value_name = "TEXT",
        requires = "first",
        conflicts_with = "first_raw"
    )]
    first_data: Option<String>,
    /// The payload of the first message, as in --raw
    #[arg(
        help_heading = "First message",
        long,
        value_name = "FILE",
        requires = "first"
    )]
    first_raw: Option<PathBuf>,
}

/// The environment variable that holds a token.
const TOKEN: &str = "SOCKETY_TOKEN";

/// The first message of each connection.
#[derive(Debug, Clone)]
pub struct First {
    draft: Draft<Fixed>,
    /// Whether it has no payload because none was named anywhere.
    is_bare: bool,
    /// Texts and numbers of its payload, which no output may quote.
    secrets: Vec<String>,
}

impl FirstArgs {
    /// Whether a first message is sent.
    pub fn is_wanted(&self) -> bool {
        self.first.is_some()
    }

    /// Whether its payload is read from standard input.
    pub fn is_stdin(&self) -> bool {
        is_stdin(self.source())
    }

    /// Reads the first message, if one is to be sent. No failure quotes its payload.
    pub fn read(&self, limit: u64) -> Result<Option<First>, Failure> {
        let Some(action) = &self.first else {
            return Ok(None);
        };
        let payload = match self.source() {
            Some(source) => Some(source.read_secret(limit)?),
            None => token()?,
        };
        let is_bare = payload.is_none();
        let payload = payload.unwrap_or_default();
        let secrets = secrets_of(&payload);
        let draft = Draft::new(action.as_str()).with_data(payload);
        Ok(Some(First {
            draft,
            is_bare,
            secrets,
        }))
    }

    fn source(&self) -> Option<Source<'_>> {
        Source::of(
            self.first_json.as_deref(),
            self.first_data.as_deref(),
            self.first_raw.as_deref(),
        )
    }
}

/// The token in the environment, as MessagePack.
fn token() -> Result<Option<Vec<u8>>, Failure> {
    match env::var(TOKEN) {
        Ok(token) if token.is_empty() => Err(Failure::usage(format!("{TOKEN} is empty"))),
        Ok(token) => sockety::msgpack::to_vec(&token)
            .map(Some)
            .map_err(|error| Failure::usage(format!("{TOKEN} cannot be sent: {error}"))),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Failure::usage(format!("{TOKEN} is not UTF-8"))),
    }
}

impl First {
    /// Sends it, and waits at most `limit` until the peer has accepted it.
    pub async fn send(
        &self,
        connection: &Connection,
        peer: &str,
        limit: Duration,
    ) -> Result<(), Failure> {
        let what = format!("{} at {peer}: first message", self.draft.action());
        let asking = async {
            let message = self.draft.create().asking_for_reasons();
            connection.send(message).await?.response().await
        };
        let taken = match timeout(limit, asking).await {
            Err(_) => Err(Failure::timed_out(&what, "no reply", limit)),
            Ok(Err(error)) => Err(Failure::request(&what, &error)),
            Ok(Ok(Reply::Fast(FastReply::ACCEPT))) => Ok(()),
            Ok(Ok(Reply::Fast(code))) => Err(self.refused(&what, code, None)),
            Ok(Ok(Reply::Response(response))) => match response.refusal() {
                Some(refusal) => {
                    let reason = self.without_secrets(&refusal.reason);
                    Err(self.refused(&what, refusal.code, Some(reason)))
                }
                None => self.check(&what, response.payload()),
            },
        };
        taken.map_err(|failure| failure.of(self.draft.action()))
    }

    fn refused(&self, what: &str, code: FastReply, reason: Option<&str>) -> Failure {
        let shown = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        let text = format!("{what} refused with code {code}{shown}{}", self.hint());
        Failure::refused(text, code, reason)
    }

    /// What may be wrong with it.
    fn hint(&self) -> String {
        match self.is_bare {
            true => format!(
                "; it had no payload: set {TOKEN}, or use --first-json, --first-data or --first-raw"
            ),
            false => String::new(),
        }
    }

    /// A response accepts it, unless it is an error of the service.
    fn check(&self, what: &str, payload: &[u8]) -> Result<(), Failure> {
        if payload.is_empty() {
            return Ok(());
        }
        let Shown::Error(error) = Shown::of(payload) else {
            return Ok(());
        };
        let part = |key: &str| error[key].as_str().unwrap_or_default();
        let text = format!("{}: {}", part("name"), part("message"));
        let text = self.without_secrets(&text);
        let hint = self.hint();
        let text = format!("{what} refused with an error of the service: {text}{hint}");
        Err(Failure::new(Exit::Refused, text).outcome(Outcome::Replied))
    }

    /// The text of a peer, unless it quotes the payload. It may be cut in the middle of a quote.
    fn without_secrets<'a>(&self, text: &'a str) -> &'a str {
        let quotes = |secret: &String| text.contains(secret.as_str());
        match self.secrets.iter().any(quotes) {
            true => "not shown, because it quotes the message",
            false => text,
        }
    }
}

/// The beginnings of all texts and numbers in a payload. Whoever quotes one of them quotes its
/// beginning. Shorter ones are no secrets.
fn secrets_of(payload: &[u8]) -> Vec<String> {
    let mut secrets = Vec::new();
    if let Ok(text) = str::from_utf8(payload) {
        add(text, &mut secrets);
    }
    if !payload.is_empty() {
        collect(Shown::of(payload).json(), &mut secrets);
    }
    secrets
}

fn collect(json: &Json, secrets: &mut Vec<String>) {
    match json {
        Json::String(text) => add(text, secrets),
        Json::Number(number) => add(&number.to_string(), secrets),
        Json::Array(values) => values.iter().for_each(|value| collect(value, secrets)),
        Json::Object(object) => object.values().for_each(|value| collect(value, secrets)),
        Json::Null | Json::Bool(_) => {}
    }
}

fn add(text: &str, secrets: &mut Vec<String>) {
    const BEGINNING: usize = 4;
    let beginning: String = text.trim().chars().take(BEGINNING).collect();
    if beginning.chars().count() == BEGINNING {
        // As the text of an error quotes it.
        let quoted = quoted(&beginning);
        secrets.push(quoted.trim_matches('"').to_owned());
        secrets.push(beginning);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value;

    #[test]
    fn a_text_that_quotes_the_payload_is_not_shown() {
        let payload = value::from_json(r#"{"user":"ada","token":"t0k\"en-abc","pin":123456}"#);
        let payload = payload.unwrap();
        let secrets = secrets_of(&payload);
        let draft = Draft::new("auth").with_data(payload);
        let first = First {
            draft,
            is_bare: false,
            secrets,
        };
        for quoting in [
            r#"invalid type: string "t0k\"en-abc", expected u64"#,
            "unknown token t0k\"en-abc",
            "invalid type: string \"t0k\\\"e…",
            "invalid type: integer `123456`",
        ] {
            let shown = first.without_secrets(quoting);
            assert!(shown.starts_with("not shown"), "{shown}");
        }
        for other in ["missing field `token`", "ada is unknown", ""] {
            assert_eq!(first.without_secrets(other), other);
        }
    }
}

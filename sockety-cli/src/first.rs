//! The message that authorizes a connection.

use std::{env, path::PathBuf, time::Duration};

use clap::Args;
use serde_json::Value as Json;
use sockety::{
    Connection, FastReply,
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
            Some(source) => source.read_secret(limit)?,
            None => token()?,
        };
        let secrets = secrets_of(&payload);
        let draft = Draft::new(action.as_str()).with_data(payload);
        Ok(Some(First { draft, secrets }))
    }

    fn source(&self) -> Option<Source<'_>> {
        Source::of(
            self.first_json.as_deref(),
            self.first_data.as_deref(),
            self.first_raw.as_deref(),
        )
    }
}

/// The token in the environment, as MessagePack; an empty payload if there is none.
fn token() -> Result<Vec<u8>, Failure> {
    match env::var(TOKEN) {
        Ok(token) if token.is_empty() => Err(Failure::usage(format!("{TOKEN} is empty"))),
        Ok(token) => sockety::msgpack::to_vec(&token)
            .map_err(|error| Failure::usage(format!("{TOKEN} cannot be sent: {error}"))),
        Err(env::VarError::NotPresent) => Ok(Vec::new()),
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
        let reply = timeout(limit, asking).await;
        let reply = reply.map_err(|_| Failure::timed_out(&what, "no reply", limit))?;
        match reply.map_err(|error| Failure::request(&what, &error))? {
            Reply::Fast(FastReply::ACCEPT) => Ok(()),
            Reply::Fast(code) => Err(refused(&what, code, None)),
            Reply::Response(response) => match response.refusal() {
                Some(refusal) => {
                    let reason = self.without_secrets(&refusal.reason);
                    Err(refused(&what, refusal.code, Some(reason)))
                }
                None => self.check(&what, response.payload()),
            },
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
        let text = format!("{what} refused with an error of the service: {text}");
        Err(Failure::new(Exit::Refused, text))
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

fn refused(what: &str, code: FastReply, reason: Option<&str>) -> Failure {
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    let text = format!("{what} refused with code {code}{reason}");
    Failure::new(Exit::Refused, text)
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
        let first = First { draft, secrets };
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

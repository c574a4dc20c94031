//! Actions that are answered with the content of files.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use bytes::Bytes;
use clap::Args;
use sockety::{
    FastReply,
    error::SendError,
    message::ResponseDraft,
    serve::{BoxError, Message, MessageHandler},
};

use crate::{exit::Failure, out, payload::Source, received::Received, saving::SaveArgs};

/// Arguments for the actions that are served.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Answer messages with this action with the JSON in this file; can be repeated
    #[arg(long = "serve", value_name = "ACTION=FILE", value_parser = pair)]
    serve: Vec<(String, PathBuf)>,
}

fn pair(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((action, file)) if !file.is_empty() => Ok((action.to_owned(), file.into())),
        _ => Err("write ACTION=FILE, such as media.find=clip.json".to_owned()),
    }
}

/// The answers, by action.
#[derive(Debug)]
pub struct Served(HashMap<String, Bytes>);

impl ServeArgs {
    /// Reads the files; each may have at most `limit` bytes.
    pub fn read(&self, limit: u64) -> Result<Served, Failure> {
        let mut answers = HashMap::new();
        for (action, path) in &self.serve {
            let text = format!("@{}", path.display());
            let payload = Source::Json(&text).read(limit).map_err(|failure| {
                failure.about(&format!("--serve {action}={}", path.display()))
            })?;
            answers.insert(action.clone(), payload.into());
        }
        Ok(Served(answers))
    }
}

impl Served {
    /// Answers a message if its action is served, and returns whether it is.
    pub async fn answer(&self, message: &Message) -> Result<bool, SendError> {
        let Some(payload) = self.0.get(message.action()) else {
            return Ok(false);
        };
        if message.expects_response() {
            let response = ResponseDraft::new().with_data(payload.clone());
            message.respond(&response).await?;
        }
        Ok(true)
    }
}

/// How many bytes of the JSON of a payload are shown.
const SHOW: usize = 500;

/// What answers and shows the messages that the peer of a call sends.
pub fn calls_back(served: Served, save: SaveArgs, is_json: bool) -> MessageHandler {
    let state = Arc::new((served, save));
    MessageHandler::new().fallback(move |message: Message| {
        let state = Arc::clone(&state);
        async move {
            let (served, save) = &*state;
            let is_served = served.0.contains_key(message.action());
            let received = match is_served {
                true => Received::take(message, save).await,
                false => Received::without_content(message),
            };
            show(&received, is_served, is_json);
            if !received.is_complete() {
                return Ok(Some(FastReply::REJECT));
            }
            match served.answer(received.message()).await? {
                true => Ok::<_, BoxError>(None),
                false => Ok(Some(FastReply::NOT_IMPLEMENTED)),
            }
        }
    })
}

/// Prints a message that the peer sent. If the output cannot be written, what follows it fails, too.
fn show(received: &Received, is_served: bool, is_json: bool) {
    if is_json {
        let mut json = received.json();
        json["served"] = is_served.into();
        let _ = out::object(&json);
        return;
    }
    let fate = match (is_served, received.message().expects_response()) {
        (true, true) if !received.is_complete() => {
            format!("answered with code {}", FastReply::REJECT)
        }
        (true, true) => "answered".to_owned(),
        (true, false) => "taken".to_owned(),
        (false, true) => format!(
            "refused with code {}, as no --serve names its action",
            FastReply::NOT_IMPLEMENTED
        ),
        (false, false) => "dropped, as no --serve names its action".to_owned(),
    };
    out::note(format_args!("{}\n    {fate}", received.text(SHOW)));
}

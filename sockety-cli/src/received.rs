//! Messages of a peer, as they are shown.

use std::time::{Duration, SystemTime};

use serde_json::{Value as Json, json};
use sockety::{ByteStream, serve::Message};

use crate::{
    exit::{Exit, explain},
    extension::{shown_entry, shown_trace},
    out::{BAD, FAINT, NAME, WARN, styled},
    progress::Progress,
    saving::{Arrived, SaveArgs},
    shown::{cut, escaped, escaped_json, quoted},
    value::Shown,
};

/// A message of which everything has arrived.
pub struct Received {
    message: Message,
    begun: SystemTime,
    /// What was left when it came.
    deadline: Option<Duration>,
    files: Vec<Arrived>,
    stream: Option<Streamed>,
}

/// The size of a stream, or why it is incomplete.
type Streamed = Result<u64, String>;

impl Received {
    /// Waits for everything that belongs to the message.
    pub async fn take(message: Message, save: &SaveArgs) -> Self {
        let (begun, deadline) = (SystemTime::now(), message.deadline());
        let (files, stream) = (message.take_files(), message.take_stream());
        let progress = Progress::default();
        // Concurrently, because the peer may interleave them.
        let (files, stream) = tokio::join!(save.take(files, &progress), count(stream));
        Self {
            message,
            begun,
            deadline,
            files,
            stream,
        }
    }

    /// The message itself, whose content is not to be read.
    pub fn without_content(message: Message) -> Self {
        Self {
            deadline: message.deadline(),
            message,
            begun: SystemTime::now(),
            files: Vec::new(),
            stream: None,
        }
    }

    /// Whether all of its stream has arrived, and all files were saved that were to be.
    pub fn is_complete(&self) -> bool {
        let all_saved = self.files.iter().all(|file| file.exit() == Exit::Done);
        all_saved && !matches!(self.stream, Some(Err(_)))
    }

    pub fn message(&self) -> &Message {
        &self.message
    }

    /// For people: several lines, with at most `show` bytes of the payload's JSON.
    pub fn text(&self, show: usize) -> String {
        let message = &self.message;
        let time = styled(FAINT, humantime::format_rfc3339_millis(self.begun));
        let action = styled(NAME, quoted(message.action()));
        let kind = match message.expects_response() {
            true => String::new(),
            false => styled(WARN, " one-way"),
        };
        let id = styled(FAINT, message.id());
        let mut lines = vec![format!("{time} {} {action}{kind} {id}", peer(message))];
        lines.extend(self.metadata().map(|(_, _, text)| format!("    {text}")));
        if !message.payload().is_empty() {
            lines.push(payload(message.payload(), show));
        }
        lines.extend(self.files.iter().map(|file| format!("    {}", file.text())));
        lines.extend(self.stream.as_ref().map(|streamed| match streamed {
            Ok(bytes) => format!("    stream of {bytes} bytes"),
            Err(problem) => styled(
                BAD,
                format_args!("    stream incomplete: {}", escaped(problem)),
            ),
        }));
        lines.join("\n")
    }

    /// What was said of the message, as `tap` shows it: the key, the value as JSON, and as text.
    fn metadata(&self) -> impl Iterator<Item = (&'static str, Json, String)> {
        let message = &self.message;
        let deadline = self.deadline.map(|deadline| {
            // Rounded up, like that of the sender.
            let millis = deadline.as_micros().div_ceil(1_000) as u64;
            let text = format!("deadline {millis} ms");
            ("deadline_ms", millis.into(), text)
        });
        let trace = message.trace().map(|trace| {
            let (json, text) = shown_trace(trace);
            ("trace", json, text)
        });
        let attempt = Some(message.attempt()).filter(|attempt| *attempt > 0);
        let attempt = attempt.map(|number| ("attempt", number.into(), format!("attempt {number}")));
        let entries = message.metadata_entries().map(|entry| {
            let (json, text) = shown_entry(&entry);
            ("entries", json, text)
        });
        deadline
            .into_iter()
            .chain(trace)
            .chain(attempt)
            .chain(entries)
    }

    /// For programs.
    pub fn json(&self) -> Json {
        let message = &self.message;
        let mut json = json!({
            "type": "message",
            "time": humantime::format_rfc3339_millis(self.begun).to_string(),
            "peer": peer(message),
            "id": message.id().to_string(),
            "action": message.action(),
            "expects_reply": message.expects_response(),
        });
        for (key, value, _) in self.metadata() {
            match (key, &mut json[key]) {
                ("entries", Json::Array(all)) => all.push(value),
                ("entries", none) => *none = json!([value]),
                (_, none) => *none = value,
            }
        }
        if !message.payload().is_empty() {
            json["payload"] = Shown::of(message.payload()).json().clone();
        }
        if !self.files.is_empty() {
            json["files"] = self.files.iter().map(Arrived::json).collect::<Json>();
        }
        match &self.stream {
            None => {}
            Some(Ok(bytes)) => json["stream_bytes"] = (*bytes).into(),
            Some(Err(problem)) => json["stream_error"] = problem.as_str().into(),
        }
        json
    }
}

async fn count(stream: Option<ByteStream>) -> Option<Streamed> {
    let mut stream = stream?;
    let mut bytes = 0;
    loop {
        match stream.next_chunk().await {
            Ok(Some(chunk)) => bytes += chunk.len() as u64,
            Ok(None) => return Some(Ok(bytes)),
            Err(error) => return Some(Err(explain(&error))),
        }
    }
}

fn peer(message: &Message) -> String {
    let peer = message.connection().peer_addr();
    peer.map_or_else(|| "unix".to_owned(), |peer| peer.to_string())
}

fn payload(payload: &[u8], show: usize) -> String {
    let shown = Shown::of(payload);
    let text = shown.json().to_string();
    let (start, end) = cut(&text, show);
    let what = match &shown {
        Shown::Value(_) => String::new(),
        Shown::Error(_) => "error ".into(),
        Shown::Raw(_, problem) => format!("{problem}: "),
    };
    format!(
        "    payload of {} bytes: {what}{}{end}",
        payload.len(),
        escaped_json(start)
    )
}

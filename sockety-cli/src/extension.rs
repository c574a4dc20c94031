//! What packets of the negotiated extension say.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use sockety::{FastReply, Uuid};
use sockety_codec::{
    Event, FlowEntry, Part, Violation,
    extension::{
        Cancels, FlowEntries, Leave, LeaveReason, Settings, Status,
        metadata::{Entry, Metadata, Trace},
    },
};

use crate::{
    packets::{Packet, short},
    shown::{cut, escaped, escaped_json, quoted},
    value::{Shown, bytes_to_json},
};

/// One of the two sides of a connection, as the sender of what is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client, or the side that was recorded.
    Near,
    /// The server.
    Far,
}

impl Side {
    /// The other side.
    pub fn peer(self) -> Self {
        match self {
            Self::Near => Self::Far,
            Self::Far => Self::Near,
        }
    }
}

/// What one side has said that packets of the other one refer to.
#[derive(Debug, Default)]
pub struct Said {
    /// Whether its connection header offers the extension, when it has come.
    pub offers: Option<bool>,
    /// The number of its messages and responses, as long as all of them could be decoded.
    begun: Option<u64>,
    named: BTreeMap<u64, Named>,
}

/// What a number means.
#[derive(Debug, Clone)]
struct Named {
    id: Uuid,
    action: Box<str>,
    is_response: bool,
}

impl Said {
    /// How many numbers are remembered; those of older messages are shown without them.
    const MOST: usize = 4096;

    /// After the connection header.
    pub fn greet(&mut self, offers: bool) {
        self.offers = Some(offers);
        self.begun = Some(0);
    }

    /// After the first packet of a message or response.
    pub fn begin(&mut self) {
        self.begun = self.begun.map(|begun| begun.wrapping_add(1));
    }

    /// After bytes that cannot be decoded, so that nobody knows how many messages follow.
    pub fn lose(&mut self) {
        self.begun = None;
    }

    /// Remembers what was announced; the action of a response is that of its request.
    pub fn name(&mut self, number: u64, id: Uuid, action: &str, is_response: bool) {
        let (start, end) = cut(action, 256);
        let action = format!("{start}{end}").into();
        let named = Named {
            id,
            action,
            is_response,
        };
        if self.named.len() == Self::MOST {
            self.named.pop_first();
        }
        self.named.insert(number, named);
    }

    /// The number with the message that it names, as text and as JSON.
    fn shown(&self, number: u64) -> (String, Map<String, Json>) {
        let mut json = Map::new();
        json.insert("number".into(), number.into());
        let Some(named) = self.named.get(&number) else {
            return (number.to_string(), json);
        };
        let Named {
            id,
            action,
            is_response,
        } = named;
        json.insert("id".into(), id.to_string().into());
        let (key, what) = match (is_response, action.is_empty()) {
            (false, _) => (Some("action"), quoted(action)),
            (true, false) => (Some("to_action"), format!("response to {}", quoted(action))),
            (true, true) => (None, "response".to_owned()),
        };
        if let Some(key) = key {
            json.insert(key.into(), (**action).into());
        }
        (format!("{number} ({what}, {})", short(*id)), json)
    }
}

/// How many entries of a packet are shown.
const MOST_ENTRIES: usize = 64;

/// How many bytes of a value a line shows.
const VALUE_SHOWN: usize = 160;

/// The kinds of Control packets, by the first byte of their content.
const CONTROL: [&str; 7] = [
    "Settings", "Cancel", "Leave", "Done", "Ping", "Pong", "Status",
];

impl Packet {
    /// Names a Control packet by the first byte of its content.
    pub fn name_control(&mut self, kind: u8, peer: &Said) {
        match CONTROL.get(usize::from(kind)) {
            Some(name) => self.name = name,
            None => self.say("kind", kind, format!("kind {kind}")),
        }
        // Nobody has said so before, if the other direction was not seen.
        if self.name == CONTROL[0] && peer.offers.is_none() {
            self.say("extension", true, "extension active".into());
        }
    }

    /// Adds what a packet of the extension says, other than metadata. `own` has said it, to `peer`.
    pub fn add_extension(&mut self, event: &Event<'_>, own: &Said, peer: &Said) {
        match event {
            Event::Settings(settings) => self.add_settings(settings),
            Event::Cancel(cancels) => self.add_cancels(*cancels, own),
            Event::Leave(leave) => self.add_leave(leave),
            Event::Ping(bytes) | Event::Pong(bytes) => {
                let bytes = hex(bytes);
                self.say("bytes", bytes.as_str(), bytes.clone());
            }
            Event::Status { channel, status } => {
                self.channel = Some(channel.get());
                self.add_status(status);
            }
            Event::Flow(entries) => self.add_flow(*entries, peer),
            _ => {}
        }
    }

    fn add_settings(&mut self, settings: &Settings) {
        let of = |settings: &Settings| {
            [
                ("message_window", settings.message_window().into()),
                ("connection_window", settings.connection_window()),
                ("channels", settings.channels().get().into()),
                ("metadata_bytes", settings.metadata_bytes().into()),
                ("payload", settings.payload()),
                ("files", settings.files().into()),
                ("action_bytes", settings.action_bytes().into()),
                ("header_bytes", settings.header_bytes().into()),
                ("requests", settings.requests().into()),
                ("idle_ms", settings.idle_millis()),
                ("deadline_ms", settings.deadline_millis().into()),
            ]
        };
        let defaults = of(&Settings::default());
        let mut changed = Map::new();
        for ((name, value), (_, default)) in of(settings).into_iter().zip(defaults) {
            if value != default {
                changed.insert(name.into(), value.into());
                self.text.push(format!("{name} {value}"));
            }
        }
        if changed.is_empty() {
            self.text.push("all defaults".into());
        }
        self.json.insert("settings".into(), changed.into());
    }

    fn add_cancels(&mut self, cancels: Cancels<'_>, own: &Said) {
        self.json
            .insert("cancels_count".into(), cancels.count().into());
        for number in cancels {
            let (text, json) = own.shown(number);
            self.list_up_to(MOST_ENTRIES, "cancels", json.into(), text);
        }
    }

    fn add_leave(&mut self, leave: &Leave<'_>) {
        let Leave {
            taken,
            reason,
            grace_millis,
            retry_after_millis,
            text,
        } = leave;
        let what = match taken {
            Some(count) => format!("taken: {count}"),
            None => "taken: open".into(),
        };
        self.say("taken", *taken, what);
        let reason = reason_name(*reason);
        self.say("reason", reason, format!("reason: {reason}"));
        let shown = format!("grace {grace_millis} ms");
        self.say("grace_ms", *grace_millis, shown);
        let shown = format!("retry after {retry_after_millis} ms");
        self.say("retry_after_ms", *retry_after_millis, shown);
        if !text.is_empty() {
            self.say("text", *text, quoted(text));
        }
    }

    fn add_status(&mut self, status: &Status<'_>) {
        let code = FastReply::from(status.code);
        self.say("code", code.code(), code.to_string());
        if !status.error.is_empty() {
            let error = Shown::of(status.error);
            let text = error.json().to_string();
            let (start, end) = cut(&text, VALUE_SHOWN);
            self.say("error", error.json().clone(), escaped_json(start) + end);
        }
    }

    fn add_flow(&mut self, entries: FlowEntries<'_>, peer: &Said) {
        // Without the other direction, numbers are shown as they are on the wire.
        const ALL: u64 = 1 << 32;
        let mut count = 0_u64;
        for entry in entries.resolve(peer.begun.unwrap_or(ALL)) {
            count += 1;
            match entry {
                Ok(entry) => self.add_flow_entry(entry, peer),
                Err(violation) => {
                    let text = escaped(&rule(violation));
                    self.say("problem", text.as_str(), format!("invalid: {text}"));
                    break;
                }
            }
        }
        self.json.insert("flow_count".into(), count.into());
    }

    fn add_flow_entry(&mut self, entry: FlowEntry, peer: &Said) {
        let number = match entry {
            FlowEntry::Part { number, .. }
            | FlowEntry::FilesBelow { number, .. }
            | FlowEntry::Stop { number, .. } => Some(number),
            FlowEntry::Connection { .. } => None,
        };
        let (message, mut json) = number.map(|number| peer.shown(number)).unwrap_or_default();
        let mut say = |key: &str, value: Json| {
            json.insert(key.into(), value);
        };
        let text = match entry {
            FlowEntry::Part {
                part,
                limit,
                lifeline,
                ..
            } => {
                say("entry", "credit".into());
                say_part(&mut say, Some(part));
                say("limit", limit.into());
                say("lifeline", lifeline.into());
                let lifeline = if lifeline { "lifeline: " } else { "" };
                format!("{lifeline}{part} of message {message} up to {limit} B")
            }
            FlowEntry::FilesBelow { index, .. } => {
                say("entry", "files_read".into());
                say("below", index.get().into());
                format!("files below {index} of message {message} read")
            }
            FlowEntry::Connection { limit } => {
                say("entry", "connection".into());
                say("limit", limit.into());
                format!("connection up to {limit} B")
            }
            FlowEntry::Stop { part, .. } => {
                say("entry", "stop".into());
                say_part(&mut say, part);
                match part {
                    Some(part) => format!("stop {part} of message {message}"),
                    None => format!("stop message {message}"),
                }
            }
        };
        self.list_up_to(MOST_ENTRIES, "flow", json.into(), text);
    }

    /// Adds the metadata in `content`, which are the last bytes of the packet.
    pub fn add_metadata(&mut self, metadata: &Metadata<'_>, content: &[u8]) {
        if let Some(deadline) = metadata.deadline {
            let text = match deadline {
                Some(millis) => format!("deadline {millis} ms"),
                None => "no deadline".into(),
            };
            self.say("deadline_ms", deadline, text);
        }
        if let Some(trace) = metadata.trace {
            let (json, text) = shown_trace(trace);
            self.say("trace", json, text);
        }
        if metadata.attempt > 0 {
            let text = format!("attempt {}", metadata.attempt);
            self.say("attempt", metadata.attempt, text);
        }
        if let Some(after) = metadata.retry_after {
            let text = match after {
                Some(millis) => format!("retry after {millis} ms"),
                None => "do not retry".into(),
            };
            self.say("retry_after_ms", after, text);
        }
        for entry in &metadata.entries {
            let (json, text) = shown_entry(entry);
            self.list_up_to(MOST_ENTRIES, "entries", json, text);
            if entry.is_secret {
                self.hide(entry.value, content);
            }
        }
    }

    /// Makes sure that no one prints these bytes of the content.
    fn hide(&mut self, value: &[u8], content: &[u8]) {
        let before = self.bytes.len().saturating_sub(content.len());
        let start = value.as_ptr().addr() - content.as_ptr().addr() + before;
        self.hidden.push(start..start + value.len());
    }
}

/// A trace, as JSON and as text.
pub fn shown_trace(trace: Trace) -> (Json, String) {
    let (id, parent) = (hex(&trace.trace_id), hex(&trace.parent_id));
    let text = format!("trace {id}, parent {parent}, flags {:02x}", trace.flags);
    let json = json!({ "trace_id": id, "parent_id": parent, "flags": trace.flags });
    (json, text)
}

/// An entry of a user, as JSON and as text; of a secret its length.
pub fn shown_entry(entry: &Entry<'_>) -> (Json, String) {
    let Entry {
        name,
        value,
        is_secret,
    } = *entry;
    if is_secret {
        let length = value.len();
        let json = json!({ "name": name, "secret_bytes": length });
        return (json, format!("{name}: secret of {length} B"));
    }
    let (json, text) = match str::from_utf8(value) {
        Ok(text) => (text.into(), quoted(text)),
        Err(_) => {
            let json = bytes_to_json(value);
            let (start, end) = value.split_at(value.len().min(VALUE_SHOWN / 2));
            let more = if end.is_empty() { "" } else { "…" };
            (json, format!("0x{}{more}", hex(start)))
        }
    };
    (
        json!({ "name": name, "value": json }),
        format!("{name}: {text}"),
    )
}

fn say_part(say: &mut impl FnMut(&str, Json), part: Option<Part>) {
    let text = match part {
        None => "message",
        Some(Part::Stream) => "stream",
        Some(Part::File(_)) => "file",
    };
    say("part", text.into());
    if let Some(Part::File(index)) = part {
        say("file", index.get().into());
    }
}

fn reason_name(reason: LeaveReason) -> &'static str {
    match reason {
        LeaveReason::Age => "age",
        LeaveReason::Idle => "idle",
        LeaveReason::Protocol => "protocol",
        LeaveReason::Limit => "limit",
        LeaveReason::Overloaded => "overloaded",
        LeaveReason::Unauthorized => "unauthorized",
        LeaveReason::Internal => "internal",
        LeaveReason::LameDuck => "lame duck",
        _ => "shutdown",
    }
}

/// A violation with the id of its rule.
pub fn rule(violation: Violation) -> String {
    format!("{violation} ({})", violation.rule())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

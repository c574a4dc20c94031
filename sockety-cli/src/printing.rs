//! Prints packets on standard output, one per line.

use std::{fmt::Write, time::Instant};

use clap::Args;
use serde_json::{Value as Json, json};

use crate::{
    exit::Failure,
    out::{self, BAD, FAINT, NAME, OutputArgs, WARN, styled},
    packets::{Found, Packet},
    shown::escaped,
};

/// Arguments for how packets are shown.
#[derive(Debug, Clone, Args)]
pub struct PrintArgs {
    /// Also show the bytes of each packet
    #[arg(long)]
    hex: bool,
    /// Show at most this many bytes of each packet
    #[arg(long, value_name = "N", default_value = "256", requires = "hex")]
    hex_bytes: u32,
    /// Show the items of streams, which must consist of MessagePack values
    #[arg(long)]
    items: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// The direction of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
    /// Unknown, as in a recording.
    Unknown,
}

/// Time, connection and direction of a packet; empty for a recording.
fn place(connection: u64, way: Way, start: Instant, at: Instant) -> String {
    let seconds = at.duration_since(start).as_secs_f64();
    match way {
        Way::Up => format!("{seconds:>12.6} #{connection} → "),
        Way::Down => format!("{seconds:>12.6} #{connection} ← "),
        Way::Unknown => String::new(),
    }
}

/// The same as the first keys of an object of this type.
fn place_in_json(kind: &str, connection: u64, way: Way, start: Instant, at: Instant) -> Json {
    let seconds = at.duration_since(start).as_secs_f64();
    match way {
        Way::Up => json!({ "type": kind, "time": seconds, "connection": connection, "way": "up" }),
        Way::Down => {
            json!({ "type": kind, "time": seconds, "connection": connection, "way": "down" })
        }
        Way::Unknown => json!({ "type": kind }),
    }
}

impl PrintArgs {
    /// Whether the items of streams are shown.
    pub fn items(&self) -> bool {
        self.items
    }

    /// How many bytes of a packet must be kept to show them.
    pub fn kept(&self) -> usize {
        match self.hex {
            true => self.hex_bytes as usize,
            false => 0,
        }
    }

    /// Prints what was found on a connection; times count from `start`.
    pub fn print(
        &self,
        connection: u64,
        way: Way,
        start: Instant,
        found: &Found,
    ) -> Result<(), Failure> {
        match (self.output.is_json(), found) {
            (true, Found::Packet(packet)) => {
                out::object(&self.object(connection, way, start, packet))
            }
            (true, Found::Undecodable(problem)) => {
                let mut json = place_in_json("undecodable", connection, way, start, Instant::now());
                json["problem"] = problem.as_str().into();
                out::object(&json)
            }
            (false, Found::Packet(packet)) => out::line(self.text(connection, way, start, packet)),
            (false, Found::Undecodable(problem)) => {
                let text = format!("cannot be decoded from here on: {}", escaped(problem));
                let place = place(connection, way, start, Instant::now());
                out::line(format_args!("{place}{}", styled(BAD, text)))
            }
        }
    }

    /// Prints an event of a connection between its packets.
    pub fn note(&self, connection: u64, start: Instant, text: &str) -> Result<(), Failure> {
        let seconds = start.elapsed().as_secs_f64();
        if self.output.is_json() {
            return out::object(&json!({
                "type": "note", "time": seconds, "connection": connection, "text": text,
            }));
        }
        let text = styled(WARN, escaped(text));
        out::line(format_args!("{seconds:>12.6} #{connection}   {text}"))
    }

    fn text(&self, connection: u64, way: Way, start: Instant, packet: &Packet) -> String {
        let place = place(connection, way, start, packet.at);
        let channel = packet
            .channel
            .map_or(String::new(), |channel| format!("ch {channel}"));
        let style = match packet.name {
            "Message" | "Response" | "Fast Reply" => NAME,
            "Abort" | "Unassigned" => BAD,
            "Go Away" | "Leave" | "Cancel" => WARN,
            _ => FAINT,
        };
        let name = styled(style, format_args!("{:<17}", packet.name));
        let mut line = format!(
            "{place}{name} {channel:<7} {:>8} B  {}",
            packet.size,
            packet.text.join(", "),
        );
        line.truncate(line.trim_end().len());
        if self.hex {
            self.dump(packet, &mut line);
        }
        line
    }

    fn object(&self, connection: u64, way: Way, start: Instant, packet: &Packet) -> Json {
        let mut json = place_in_json("packet", connection, way, start, packet.at);
        json["packet"] = packet.name.into();
        json["channel"] = packet.channel.into();
        json["size"] = packet.size.into();
        json["content"] = packet.content.into();
        if let Some(object) = json.as_object_mut() {
            object.extend(packet.json.clone());
        }
        if self.hex {
            let bytes = self.shown(packet).into_iter();
            json["hex"] = bytes.map(digits).collect::<String>().into();
        }
        json
    }

    /// The bytes to show: `None` for those that are secret.
    fn shown(&self, packet: &Packet) -> Vec<Option<u8>> {
        let bytes = packet.bytes.iter().take(self.kept());
        let mut shown: Vec<_> = bytes.copied().map(Some).collect();
        for hidden in &packet.hidden {
            let end = hidden.end.min(shown.len());
            let start = hidden.start.min(end);
            shown[start..end].fill(None);
        }
        shown
    }

    fn dump(&self, packet: &Packet, into: &mut String) {
        let shown = self.shown(packet);
        for (row, bytes) in shown.chunks(16).enumerate() {
            let _ = write!(into, "\n{:>12}   {:06x} ", "", row * 16);
            for column in 0..16 {
                let byte = bytes.get(column).copied().map(digits);
                let byte = byte.unwrap_or_else(|| "  ".into());
                let _ = write!(into, " {byte}");
            }
            let visible = |byte: &Option<u8>| match byte {
                Some(byte @ 0x20..0x7F) => char::from(*byte),
                Some(_) => '.',
                None => '*',
            };
            let _ = write!(into, "  {}", bytes.iter().map(visible).collect::<String>());
        }
        let rest = packet.size.saturating_sub(shown.len() as u64);
        if rest > 0 {
            let _ = write!(into, "\n{:>12}   … {rest} more", "");
        }
    }
}

/// A byte in a dump; a secret one is not shown.
fn digits(byte: Option<u8>) -> String {
    byte.map_or_else(|| "**".into(), |byte| format!("{byte:02x}"))
}

//! Splits one direction of a connection into packets and describes them.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    time::{Duration, Instant},
};

use serde_json::{Map, Value as Json, json};
use sockety::{FastReply, Uuid, config::Limits};
use sockety_codec::{
    ConnectionHeader, Decoder, Event, FileHeader, FileIndex, FilesSummary, MessageHead, PacketHead,
    PacketKind, RefusalReason, ReplyCode, ResponseHead, Violation, extension::metadata,
};

use crate::{
    extension::{Said, Side, rule},
    items::StreamItems,
    shown::{cut, escaped, escaped_json, quoted},
    value::Shown,
};

/// A packet that has arrived completely.
#[derive(Debug)]
pub struct Packet {
    /// When its last byte arrived.
    pub at: Instant,
    /// Its name in the protocol.
    pub name: &'static str,
    /// The channel that it belongs to, if any.
    pub channel: Option<u16>,
    /// Its size in bytes, including content.
    pub size: u64,
    /// The size of its content in bytes.
    pub content: u64,
    /// What it says, as text.
    pub text: Vec<String>,
    /// What it says, as JSON.
    pub json: Map<String, Json>,
    /// Its first bytes.
    pub bytes: Vec<u8>,
    /// Those of its bytes that are secret.
    pub hidden: Vec<Range<usize>>,
    /// Whether something in it has no effect or no meaning. It is said at its end, wherever it was.
    is_odd: bool,
}

/// What an [`Inspector`] found in the bytes.
#[derive(Debug)]
pub enum Found {
    /// A packet.
    Packet(Packet),
    /// The bytes from here on cannot be decoded: the peer broke a rule, or speaks another protocol.
    Undecodable(String),
}

/// Splits one direction into packets. Its memory is bounded: the first bytes of a packet, and what
/// the decoder keeps.
#[derive(Debug)]
pub struct Inspector {
    side: Side,
    decoder: Decoder,
    /// Whether the extension is active, as far as it is known.
    extension: Extension,
    /// The names that metadata refers to.
    metadata: metadata::Reader,
    state: State,
    channel: u16,
    /// How many bytes of a packet to keep.
    keep: usize,
    /// The items of streams, if they are shown.
    items: Option<StreamItems>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extension {
    /// It is not, or the connection header has not come.
    Off,
    /// This side offers it. The first packet decides.
    Offered,
    Active,
}

#[derive(Debug)]
enum State {
    /// Before or inside the connection header: its bytes so far.
    Header(Vec<u8>),
    /// Between packets, or inside the head of one: its bytes so far.
    Head(Vec<u8>),
    /// Inside the content of a packet, with the number of bytes still to come.
    Content(Packet, u64),
    /// After bytes that cannot be decoded: how many have come since.
    Lost(u64),
}

/// A payload is shown if it comes in one packet and has at most this many bytes.
const PAYLOAD: usize = 4096;

/// The largest Metadata packet. It is kept as a whole, to read it when it is complete.
const METADATA: usize = 5 + 65_536;

/// How many items of a packet are shown.
const MOST_ITEMS: u64 = 8;

/// How many bytes of a payload's JSON a line shows.
const PAYLOAD_SHOWN: usize = 160;

impl Inspector {
    /// Starts at the first byte of what a side sends. Packets keep their first `keep` bytes, for
    /// showing them, and with `items` say which values of a stream they complete.
    pub fn new(side: Side, keep: usize, items: bool) -> Self {
        Self {
            side,
            decoder: decoder(),
            extension: Extension::Off,
            metadata: metadata::Reader::default(),
            state: State::Header(Vec::new()),
            channel: 0,
            keep: keep.max(PAYLOAD),
            items: items.then(StreamItems::default),
        }
    }

    /// Starts at a packet, as if the connection header had come before.
    pub fn without_header(side: Side, keep: usize, items: bool) -> Self {
        let mut inspector = Self::new(side, keep, items);
        inspector.decoder = after_offer(decoder());
        inspector.extension = Extension::Offered;
        inspector.state = State::Head(Vec::new());
        inspector
    }

    /// Takes bytes, and calls `found` for each packet that they complete.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        at: Instant,
        exchanges: &mut Exchanges,
        mut found: impl FnMut(Found),
    ) {
        while !bytes.is_empty() {
            let left = bytes.len() as u64;
            match self.step(&mut bytes, at, exchanges) {
                Ok(None) => {}
                Ok(Some(packet)) => found(Found::Packet(packet)),
                Err(problem) => {
                    self.state = State::Lost(left);
                    exchanges.said_mut(self.side).lose();
                    return found(Found::Undecodable(problem));
                }
            }
        }
    }

    /// Says what is incomplete if the bytes end here.
    pub fn finish(&self) -> Result<(), String> {
        match &self.state {
            State::Lost(count) => Err(format!("last {count} bytes not decoded")),
            State::Header(_) => Err("incomplete connection header at the end".to_owned()),
            State::Content(..) => Err("incomplete packet at the end".to_owned()),
            State::Head(head) if !head.is_empty() => Err("incomplete packet at the end".to_owned()),
            State::Head(_) => self.decoder.finish().map_err(|error| error.to_string()),
        }
    }

    /// Takes bytes of at most one packet.
    fn step(
        &mut self,
        bytes: &mut &[u8],
        at: Instant,
        exchanges: &mut Exchanges,
    ) -> Result<Option<Packet>, String> {
        match std::mem::replace(&mut self.state, State::Lost(0)) {
            State::Lost(count) => {
                self.state = State::Lost(count.saturating_add(bytes.len() as u64));
                *bytes = &[];
                Ok(None)
            }
            State::Header(header) => self.header(header, bytes, at, exchanges),
            State::Head(mut head) => {
                head.push(take(bytes, 1)[0]);
                if self.extension == Extension::Offered {
                    self.decide(head[0], exchanges.said(self.side.peer()));
                }
                if head[0] >> 4 == 0xF && self.extension == Extension::Off {
                    // It breaks the protocol, whatever follows.
                    self.decode(&head, &mut Packet::new("Unassigned", at), exchanges)?;
                }
                let Some(parsed) = PacketHead::decode(&head) else {
                    self.state = State::Head(head);
                    return Ok(None);
                };
                let mut packet = self.packet(&parsed, &head, at);
                self.decode(&head, &mut packet, exchanges)?;
                if let PacketKind::Message | PacketKind::Response = parsed.kind {
                    exchanges.said_mut(self.side).begin();
                }
                self.content(packet, u64::from(parsed.content))
            }
            State::Content(mut packet, left) => {
                if packet.name == "Control" && left == packet.content {
                    packet.name_control(bytes[0], exchanges.said(self.side.peer()));
                }
                let piece = take(bytes, usize::try_from(left).unwrap_or(usize::MAX));
                let keep = match packet.name {
                    "Metadata" => self.keep.max(METADATA),
                    _ => self.keep,
                };
                let room = keep.saturating_sub(packet.bytes.len());
                packet
                    .bytes
                    .extend_from_slice(&piece[..piece.len().min(room)]);
                packet.at = at;
                self.decode(piece, &mut packet, exchanges)?;
                self.content(packet, left - piece.len() as u64)
            }
        }
    }

    /// At the first packet of a side that offers the extension: it is active if the other side
    /// offers it too. If only this side was recorded, a packet that only the extension has says so.
    fn decide(&mut self, first: u8, peer: &Said) {
        let is_control = first >> 4 == 0xF && first & 0b11 == 0;
        self.extension = match peer.offers.unwrap_or(is_control) {
            true => Extension::Active,
            false => Extension::Off,
        };
        if self.extension == Extension::Active {
            self.decoder = after_offer(decoder().offering_extension());
        }
    }

    /// Returns the packet if none of its content is still to come.
    fn content(&mut self, mut packet: Packet, left: u64) -> Result<Option<Packet>, String> {
        if left > 0 {
            self.state = State::Content(packet, left);
            return Ok(None);
        }
        self.state = State::Head(Vec::new());
        let content = usize::try_from(packet.content).unwrap_or(usize::MAX);
        let start = packet.bytes.len().saturating_sub(content);
        match packet.name {
            "Data" => with_payload(&mut packet, content),
            // The decoder returns it with the packet that it belongs to.
            "Metadata" => {
                let content = packet.bytes[start..].to_vec();
                let metadata = self.metadata.decode(&content).map_err(rule)?;
                packet.add_metadata(&metadata, &content);
            }
            _ => {}
        }
        packet.say_odd();
        Ok(Some(packet))
    }

    fn header(
        &mut self,
        mut header: Vec<u8>,
        bytes: &mut &[u8],
        at: Instant,
        exchanges: &mut Exchanges,
    ) -> Result<Option<Packet>, String> {
        // Byte by byte, to find its end.
        let byte = take(bytes, 1);
        let mut packet = Packet::new("Connection Header", at);
        self.decode(byte, &mut packet, exchanges)?;
        header.extend_from_slice(byte);
        if packet.text.is_empty() {
            self.state = State::Header(header);
            return Ok(None);
        }
        if exchanges.said(self.side).offers == Some(true) {
            self.extension = Extension::Offered;
        }
        packet.say_odd();
        packet.size = header.len() as u64;
        packet.bytes = header;
        self.state = State::Head(Vec::new());
        Ok(Some(packet))
    }

    fn packet(&mut self, head: &PacketHead, bytes: &[u8], at: Instant) -> Packet {
        let mut packet = Packet::new(name(head.kind), at);
        packet.content = u64::from(head.content);
        packet.size = head.length as u64 + packet.content;
        packet.bytes = bytes.to_vec();
        packet.channel = Some(self.channel);
        match head.kind {
            PacketKind::SwitchChannel(channel) => {
                self.channel = channel.get();
                packet.channel = Some(self.channel);
            }
            PacketKind::FastReply { .. } | PacketKind::Heartbeat | PacketKind::GoAway => {
                packet.channel = None;
            }
            PacketKind::Control | PacketKind::Metadata | PacketKind::Flow => packet.channel = None,
            PacketKind::File(index) | PacketKind::FileEnd(index) => {
                packet.text.push(format!("file {index}"));
                packet.json.insert("file".into(), index.get().into());
            }
            _ => {}
        }
        packet
    }

    fn decode(
        &mut self,
        mut bytes: &[u8],
        packet: &mut Packet,
        exchanges: &mut Exchanges,
    ) -> Result<(), String> {
        let tolerated = self.decoder.tolerated().total();
        loop {
            match self.decoder.decode(&mut bytes) {
                Ok(None) => break,
                Ok(Some(event)) => {
                    if let Some(items) = &mut self.items {
                        items.take(&event, packet);
                    }
                    packet.add(event, exchanges, self.side);
                }
                Err(violation) => return Err(why(violation)),
            }
        }
        if self.decoder.tolerated().total() > tolerated && packet.name != "Heartbeat" {
            packet.is_odd = true;
        }
        Ok(())
    }
}

fn decoder() -> Decoder {
    // A peer may interleave headers on all channels. This is more than honest peers need.
    Decoder::new(Limits::WIRE.max_held_header_bytes(1024 * 1024))
}

/// The decoder after a header that offers the extension.
fn after_offer(mut decoder: Decoder) -> Decoder {
    let mut bytes = Vec::new();
    ConnectionHeader::OFFER.encode(&mut bytes);
    let header = decoder.decode(&mut &bytes[..]);
    debug_assert!(matches!(header, Ok(Some(Event::Header(_)))));
    decoder
}

/// Takes up to `length` bytes off the front.
fn take<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(length.min(bytes.len()));
    *bytes = rest;
    taken
}

fn why(violation: Violation) -> String {
    match violation {
        Violation::NotSockety { byte: 0x16 } => {
            "the first byte is that of TLS, not of Sockety: pass a certificate to see what is inside".into()
        }
        violation => rule(violation),
    }
}

fn name(kind: PacketKind) -> &'static str {
    match kind {
        PacketKind::SwitchChannel(_) => "Switch Channel",
        PacketKind::Message => "Message",
        PacketKind::Response => "Response",
        PacketKind::FastReply { .. } => "Fast Reply",
        PacketKind::Continue => "Continue",
        PacketKind::Stream => "Stream",
        PacketKind::StreamEnd => "Stream End",
        PacketKind::Abort => "Abort",
        PacketKind::Heartbeat => "Heartbeat",
        PacketKind::GoAway => "Go Away",
        PacketKind::File(_) => "File",
        PacketKind::FileEnd(_) => "File End",
        PacketKind::Data => "Data",
        PacketKind::Control => "Control",
        PacketKind::Metadata => "Metadata",
        PacketKind::Flow => "Flow",
        _ => "Unassigned",
    }
}

/// Adds the payload as JSON, if all of it came in this packet.
fn with_payload(packet: &mut Packet, content: usize) {
    let is_whole = packet.json.get("remaining").is_some_and(|left| left == 0);
    if !is_whole || content > PAYLOAD {
        return;
    }
    let start = packet.bytes.len().saturating_sub(content);
    if let Shown::Value(value) | Shown::Error(value) = Shown::of(&packet.bytes[start..]) {
        let text = value.to_string();
        let (start, end) = cut(&text, PAYLOAD_SHOWN);
        packet.text.push(escaped_json(start) + end);
        packet.json.insert("payload".into(), value);
    }
}

impl Packet {
    fn new(name: &'static str, at: Instant) -> Self {
        Self {
            at,
            name,
            channel: None,
            size: 1,
            content: 0,
            text: Vec::new(),
            json: Map::new(),
            bytes: Vec::new(),
            hidden: Vec::new(),
            is_odd: false,
        }
    }

    /// Adds an item of a stream that this packet completes. Only the first items are shown: a packet
    /// may complete millions.
    pub fn item(&mut self, item: &[u8]) {
        let count = self.json.get("items_count").and_then(Json::as_u64);
        let count = count.unwrap_or(0) + 1;
        self.json.insert("items_count".into(), count.into());
        match count {
            ..=MOST_ITEMS => self.show_item(Shown::of(item).into_item()),
            _ if count == MOST_ITEMS + 1 => self.text.push("…".into()),
            _ => {}
        }
    }

    fn show_item(&mut self, item: Json) {
        let text = item.to_string();
        let (start, end) = cut(&text, PAYLOAD_SHOWN);
        let text = escaped_json(start) + end;
        self.list("items", item, text);
    }

    pub fn say(&mut self, key: &str, value: impl Into<Json>, text: String) {
        self.json.insert(key.into(), value.into());
        self.text.push(text);
    }

    fn say_odd(&mut self) {
        if self.is_odd {
            self.say("odd", true, "odd".into());
        }
    }

    /// Adds what an event says, which is from `side`.
    fn add(&mut self, event: Event<'_>, exchanges: &mut Exchanges, side: Side) {
        match event {
            Event::Header(header) => self.add_header(&header, exchanges, side),
            Event::Message { head, number, .. } => {
                exchanges
                    .said_mut(side)
                    .name(number, head.id, head.action, false);
                self.add_message(&head, exchanges);
            }
            Event::Response { head, number, .. } => {
                let answered = exchanges.answer(head.parent, self.at);
                let action = answered.map(|(action, _)| action).unwrap_or_default();
                exchanges
                    .said_mut(side)
                    .name(number, head.id, &action, true);
                self.add_response(&head, exchanges);
            }
            Event::FileHeader { index, header, .. } => self.add_file(index, &header),
            Event::Data { remaining, .. } => {
                self.json.insert("remaining".into(), remaining.into());
            }
            Event::FileEnd { missing, .. } => self.add_missing(missing),
            Event::End { .. } => self.say("end", true, "ends the message".into()),
            Event::Abort { .. } => self.say("aborts", true, "aborts the message".into()),
            Event::Refused { refusal, .. } => self.add_refusal(refusal.reason),
            Event::FastReply { id, code } => self.add_fast_reply(id, code, exchanges),
            Event::Stream { .. } | Event::StreamEnd { .. } | Event::File { .. } => {}
            Event::Heartbeat | Event::GoAway => {}
            event => self.add_extension(&event, exchanges.said(side), exchanges.said(side.peer())),
        }
    }

    fn add_header(&mut self, header: &ConnectionHeader, exchanges: &mut Exchanges, side: Side) {
        let count = header.channels.get();
        self.say("channels", count, format!("receives on {count} channels"));
        let own = header.offers_extension;
        exchanges.said_mut(side).greet(own);
        if own {
            self.say("offers_extension", true, "offers the extension".into());
        }
        match exchanges.said(side.peer()).offers {
            Some(true) if own => self.say("extension", true, "extension active".into()),
            Some(peer) if own || peer => {
                self.say("extension", false, "extension not active".into());
            }
            _ => {}
        }
    }

    fn add_message(&mut self, head: &MessageHead<'_>, exchanges: &mut Exchanges) {
        exchanges.ask(head.id, head.action, self.at);
        self.say("action", head.action, quoted(head.action));
        self.say("id", head.id.to_string(), short(head.id));
        if !head.expects_response {
            self.text.push("one-way".into());
        }
        self.add_content(
            head.expects_response,
            head.has_stream,
            head.payload_size,
            head.files,
        );
    }

    fn add_response(&mut self, head: &ResponseHead, exchanges: &Exchanges) {
        self.add_parent(head.parent, exchanges);
        self.say("id", head.id.to_string(), short(head.id));
        self.add_content(
            head.expects_response,
            head.has_stream,
            head.payload_size,
            head.files,
        );
    }

    fn add_content(&mut self, expects: bool, has_stream: bool, payload: u64, files: FilesSummary) {
        self.json.insert("expects_reply".into(), expects.into());
        if payload > 0 {
            self.say("payload_size", payload, format!("payload {payload} B"));
        }
        if files.count > 0 {
            let FilesSummary {
                count, total_size, ..
            } = files;
            self.json.insert("files_size".into(), total_size.into());
            self.say("files", count, format!("files: {count} of {total_size} B"));
        }
        if has_stream {
            self.say("stream", true, "stream".into());
        }
    }

    fn add_file(&mut self, index: FileIndex, header: &FileHeader<'_>) {
        let FileHeader { name, size, .. } = header;
        let text = format!("file {index} {}, {size} B", quoted(name));
        let json = json!({ "index": index.get(), "name": name, "size": size });
        self.list("announces", json, text);
    }

    fn add_missing(&mut self, missing: u64) {
        if missing > 0 {
            self.say("missing", missing, format!("{missing} B missing"));
        }
    }

    fn add_refusal(&mut self, reason: RefusalReason) {
        let reason = reason.to_string();
        let text = format!("invalid: {}", escaped(&reason));
        self.say("problem", reason, text);
    }

    fn add_fast_reply(&mut self, id: Uuid, code: ReplyCode, exchanges: &Exchanges) {
        let code = FastReply::from(code);
        self.say("code", code.code(), code.to_string());
        self.add_parent(id, exchanges);
    }

    /// Adds which message this answers, and how long that took.
    fn add_parent(&mut self, parent: Uuid, exchanges: &Exchanges) {
        self.say(
            "parent",
            parent.to_string(),
            format!("to {}", short(parent)),
        );
        let Some((action, elapsed)) = exchanges.answer(parent, self.at) else {
            return;
        };
        let ms = elapsed.as_secs_f64() * 1000.0;
        self.json.insert("ms".into(), ms.into());
        let text = format!("{} after {ms:.3} ms", quoted(&action));
        self.say("to_action", &*action, text);
    }

    /// Adds to a list of which only the first items are shown: a message may have a million files.
    fn list(&mut self, key: &str, json: Json, text: String) {
        self.list_up_to(8, key, json, text);
    }

    /// Adds to a list of which at most `most` items are shown.
    pub fn list_up_to(&mut self, most: usize, key: &str, json: Json, text: String) {
        let list = self.json.entry(key).or_insert_with(|| json!([]));
        let Json::Array(list) = list else {
            return;
        };
        match list.len() {
            length if length < most => {
                list.push(json);
                self.text.push(text);
            }
            length if length == most => {
                list.push(json!("…"));
                self.text.push("…".into());
            }
            _ => {}
        }
    }
}

/// The beginning of an id, which is enough for people.
pub fn short(id: Uuid) -> String {
    let mut text = id.to_string();
    text.truncate(8);
    text
}

/// What packets of one side need to know of the other: messages and when they were seen, to match
/// replies with them, and what the [extension](crate::extension) refers to.
#[derive(Debug, Default)]
pub struct Exchanges {
    near: Said,
    far: Said,
    asked: HashMap<Uuid, (Box<str>, Instant)>,
    order: VecDeque<Uuid>,
}

impl Exchanges {
    /// How many messages are remembered; older ones are forgotten.
    const MOST: usize = 4096;

    fn said(&self, side: Side) -> &Said {
        match side {
            Side::Near => &self.near,
            Side::Far => &self.far,
        }
    }

    fn said_mut(&mut self, side: Side) -> &mut Said {
        match side {
            Side::Near => &mut self.near,
            Side::Far => &mut self.far,
        }
    }

    fn ask(&mut self, id: Uuid, action: &str, at: Instant) {
        if self.order.len() == Self::MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.asked.remove(&oldest);
        }
        let (start, end) = cut(action, 256);
        let action = format!("{start}{end}").into();
        if self.asked.insert(id, (action, at)).is_none() {
            self.order.push_back(id);
        }
    }

    /// The action of a message, and the time since. It stays remembered, because several responses
    /// may answer it.
    fn answer(&self, id: Uuid, at: Instant) -> Option<(Box<str>, Duration)> {
        let (action, asked) = self.asked.get(&id)?;
        Some((action.clone(), at.duration_since(*asked)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found if the bytes come in pieces of this size.
    fn found(bytes: &[u8], size: usize) -> Vec<String> {
        let mut inspector = Inspector::new(Side::Near, 16, true);
        let mut exchanges = Exchanges::default();
        let mut found = Vec::new();
        let at = Instant::now();
        for piece in bytes.chunks(size) {
            inspector.feed(piece, at, &mut exchanges, |packet| {
                found.push(match packet {
                    Found::Packet(packet) => {
                        format!("{} {} {}", packet.name, packet.size, packet.text.join(", "))
                    }
                    Found::Undecodable(problem) => problem,
                });
            });
        }
        found.extend(inspector.finish().err());
        found
    }

    /// A message whose header is in two packets, with a payload, a file and a stream; then an
    /// invalid packet.
    fn recorded() -> Vec<u8> {
        let mut bytes = vec![0xE2, 0x00, 0x01, 0x1F, 0x05, 0x23, 18, 0x50];
        bytes.extend([7; 16]);
        bytes.extend(b"\x02\x60\x0eup\x02\x01\x03\x00\x00\x03\x05a.txt");
        bytes.extend(b"\xe0\x02\x91\x07\xc0\x03abc\xd0\x70\x01x\x80\xa0\xf1rest");
        bytes
    }

    /// Packets of the extension, in one of which a value has this many bytes.
    fn extended(value: u16) -> Vec<u8> {
        let mut bytes = b"\xe2\xee\0\xf0\x01\0\xf5".to_vec();
        bytes.extend((value + 13).to_le_bytes());
        bytes.extend(b"\x4c\x01k\x01v\x50\x02");
        bytes.extend(value.to_le_bytes());
        bytes.extend(vec![b'x'; value.into()]);
        bytes.extend(b"\x68\x01s\x00\x12\x01\x23\x13\x00");
        bytes.extend([7; 16]);
        bytes.extend(b"\x01a\xf0\x04\x06\x00\x00\x07\x80\xf2\x05\x08\x07\0\0\0\xf0\x01\x03\xf3");
        bytes
    }

    #[test]
    fn packets_of_the_extension_are_the_same_however_they_arrive() {
        // More than other packets keep of their content.
        let bytes = extended(4992);
        let whole = found(&bytes, bytes.len());
        let value = "x".repeat(128);
        let expected = [
            "Connection Header 3 receives on 238 channels, offers the extension",
            "Settings 3 extension active, all defaults",
            &format!(r#"Metadata 5008 k: "v", authorization: "{value}"…, s: secret of 0 B"#),
            "Switch Channel 2 ",
            "Message 21 \"a\", 07070707, stream",
            "Status 6 0 (Accept), 7",
            "Stream End 1 ends the message",
            "Flow 7 stop the stream of message 7",
            "Done 3 ",
            "unknown kind of extension packet: first byte is 0xf3 (ext.packet.kind)",
            "last 1 bytes not decoded",
        ];
        assert_eq!(whole, expected);
        for size in (1..64).chain([4096, bytes.len() - 1]) {
            assert_eq!(found(&bytes, size), whole, "in pieces of {size}");
        }
    }

    #[test]
    fn packets_are_the_same_however_they_arrive() {
        let bytes = recorded();
        let whole = found(&bytes, bytes.len());
        let expected = [
            "Connection Header 3 receives on 256 channels",
            "Switch Channel 2 ",
            "Message 20 ",
            "Continue 16 \"up\", 07070707, payload 2 B, files: 1 of 3 B, stream, file 0 \"a.txt\", 3 B",
            "Data 4 [7]",
            "File 5 file 0",
            "File End 1 file 0",
            "Stream 3 120",
            "Stream End 1 ends the message",
            "Heartbeat 1 ",
            "unknown packet type: first byte is 0xf1 (packet.unknown)",
            "last 5 bytes not decoded",
        ];
        assert_eq!(whole, expected);
        for size in 1..bytes.len() {
            assert_eq!(found(&bytes, size), whole, "in pieces of {size}");
        }
    }

    #[test]
    fn a_message_is_one_way_also_when_its_header_is_in_two_packets() {
        let mut bytes = recorded();
        let first = bytes.iter_mut().find(|byte| **byte == 0x23);
        *first.unwrap() = 0x22;
        let found = found(&bytes, bytes.len());
        let end = &found[3];
        assert!(end.contains("\"up\", 07070707, one-way"), "{end}");
    }

    #[test]
    fn no_byte_is_a_reason_to_panic() {
        for recorded in [recorded(), extended(3)] {
            for position in 0..recorded.len() {
                for changed in (0..=u8::MAX).step_by(3) {
                    let mut bytes = recorded.clone();
                    bytes[position] = changed;
                    let shown = |size| {
                        let mut found = found(&bytes, size);
                        // How many bytes follow a mistake depends on the piece that it is in.
                        found.retain(|text| !text.starts_with("last "));
                        found
                    };
                    assert_eq!(shown(bytes.len()), shown(3), "{changed:#x} at {position}");
                }
            }
        }
    }
}

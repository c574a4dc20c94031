//! What has been received from an endpoint, and which rules for writers it breaks.
//!
//! The suite's ids say whether a reply is expected (see
//! [`fresh_id`](sockety_conformance::wire::fresh_id)), so unexpected and repeated replies are
//! noticed in every case.

use std::collections::{BTreeSet, HashMap};

use sockety_conformance::wire::{
    Id,
    head::{self, Head, Read},
    hex, is_expecting,
    packet::{self, Entry, Kind, Packet},
    uint,
};

/// Everything received on one connection.
#[derive(Default)]
pub struct Received {
    /// The first byte of its connection header, and the channels that the endpoint receives on.
    pub header: Option<(u8, u16)>,
    pub codes: Vec<Code>,
    pub messages: Vec<Incoming>,
    pub heartbeats: usize,
    pub go_aways: usize,
    /// The channels that were used.
    pub channels: BTreeSet<u16>,
    /// The number of bytes received.
    pub bytes: u64,
    /// Packets of the extension: their kinds, and their contents.
    pub extension: Vec<(u8, Vec<u8>)>,
    /// The entries of its Flow packets.
    pub flow: Vec<Entry>,
    /// Its Leave packets: messages taken, unless that is open, and the reason.
    pub leaves: Vec<(Option<u64>, u8)>,
    /// The number of its Done packets.
    pub dones: usize,
    /// The bytes of its Pong packets.
    pub pongs: Vec<[u8; 8]>,
    /// The numbers of the messages that it has cancelled.
    pub cancels: Vec<u32>,
    /// Whether the suite offers the extension.
    pub is_offering: bool,
    /// Whether the suite has stopped files, which may thus be shorter than announced.
    pub has_stopped_files: bool,
    pub closed: Option<Closed>,
    /// The rules of the protocol that were broken.
    pub broken: Vec<String>,
    /// Rules about forms that a writer should choose, and that it did not follow.
    pub oddities: BTreeSet<&'static str>,
    /// The number of channels that the suite receives on.
    pub offered: u16,
    /// How many messages and responses have begun.
    begun: u32,
    /// Metadata whose message has not begun, and whether a switch has followed it.
    described: Option<(Vec<u8>, bool)>,
    /// Whether the last packet was Status.
    is_after_status: bool,
    /// The number of replies allowed for an id, where it differs from what the id says.
    pub allowed: HashMap<Id, usize>,
    answers: HashMap<Id, usize>,
    channel: u16,
    /// The message in progress on a channel, as its index in `messages` once its header is
    /// complete.
    open: HashMap<u16, Open>,
    waiting: Vec<u8>,
}

/// A fast reply.
pub struct Code {
    pub id: Id,
    pub code: u16,
    /// The number of bytes received up to its arrival.
    pub at: u64,
}

/// How the endpoint ended the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    Cleanly,
    /// By a reset, or without a TLS close.
    Abruptly(String),
}

/// A message or response of the endpoint, as far as received.
#[derive(Clone, Default)]
pub struct Incoming {
    pub is_response: bool,
    pub head: Head,
    pub has_stream: bool,
    pub payload: Vec<u8>,
    pub files: Vec<IncomingFile>,
    pub stream: Vec<u8>,
    pub is_stream_over: bool,
    pub is_aborted: bool,
    pub is_whole: bool,
    /// Its number, as the extension counts them.
    pub number: u32,
    /// The entries of its Metadata packet.
    pub metadata: Vec<u8>,
    /// The code of the Status before the end of its stream, or before its Abort.
    pub status: Option<u16>,
}

#[derive(Clone, Default)]
pub struct IncomingFile {
    pub content: Vec<u8>,
    pub is_over: bool,
}

enum Open {
    Header {
        is_response: bool,
        has_stream: bool,
        bytes: Vec<u8>,
        number: u32,
        metadata: Vec<u8>,
    },
    Body(usize),
}

impl Received {
    /// For an endpoint that may send on `channels` channels.
    pub fn offering(channels: u16) -> Self {
        Self {
            offered: channels,
            ..Self::default()
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.waiting.extend_from_slice(bytes);
        let waiting = std::mem::take(&mut self.waiting);
        let mut rest = &waiting[..];
        if self.header.is_some() || self.take_header(&mut rest).is_some() {
            // After a violation, the remaining bytes cannot be interpreted.
            while self.broken.is_empty() {
                let packet = match self.is_extended() {
                    true => Packet::take_extended(&mut rest),
                    false => Packet::take(&mut rest),
                };
                let Some(packet) = packet else {
                    break;
                };
                self.oddities.extend(packet.oddities);
                self.on(packet.kind);
            }
        }
        self.waiting = rest.to_vec();
    }

    /// Whether the endpoint offers the extension.
    pub fn is_offered(&self) -> bool {
        self.header == Some((packet::OFFER[0], 238))
    }

    /// Whether the extension is active, as both sides offer it.
    fn is_extended(&self) -> bool {
        self.is_offering && self.is_offered()
    }

    /// The code that answered the message with that id.
    pub fn code_of(&self, id: &Id) -> Option<u16> {
        self.codes
            .iter()
            .find(|code| code.id == *id)
            .map(|code| code.code)
    }

    /// The first response to the message with that id.
    pub fn response_to(&self, id: &Id) -> Option<&Incoming> {
        self.messages
            .iter()
            .find(|message| message.head.parent == Some(*id))
    }

    pub fn replies_to(&self, id: &Id) -> usize {
        self.answers.get(id).copied().unwrap_or(0)
    }

    fn take_header(&mut self, rest: &mut &[u8]) -> Option<()> {
        let (first, after) = rest.split_first()?;
        let (count, used) = match first & 3 {
            0 => (1, 0),
            1 => (u16::from(*after.first()?), 1),
            2 => (u16::from_le_bytes(*after.first_chunk()?), 2),
            _ => (4096, 0),
        };
        let count = if first & 3 == 1 && count == 0 {
            256
        } else {
            count
        };
        if first >> 4 != 0xE || !(1..=4096).contains(&count) {
            self.breaks("header.form", format_args!("the first byte is {first:02x}"));
        }
        if first & 0x0C != 0 {
            self.oddities.insert("header.reserved");
        }
        let smallest = match count {
            1 => 0,
            2..=255 => 1,
            4096 => 3,
            _ => 2,
        };
        // The offer of the extension is the exception.
        if first & 3 != smallest && (*first, count) != (packet::OFFER[0], 238) {
            self.oddities.insert("header.smallest");
        }
        self.header = Some((*first, count));
        *rest = &after[used..];
        Some(())
    }

    fn breaks(&mut self, rule: &str, what: impl std::fmt::Display) {
        self.broken
            .push(format!("the endpoint breaks {rule}: {what}"));
    }

    fn on(&mut self, kind: Kind) {
        if self.is_extended() && self.extension.is_empty() {
            let is_settings =
                matches!(&kind, Kind::Extension(0, content) if content.first() == Some(&0));
            if !is_settings {
                self.breaks("ext.settings.first", format_args!("{kind:?} came first"));
            }
        }
        if self.is_extended() {
            self.check_place(&kind);
        }
        match kind {
            Kind::Extension(kind, content) => self.on_extension(kind, content),
            Kind::Switch(channel) if channel >= self.offered => {
                let offered = self.offered;
                self.breaks(
                    "packet.switch.range",
                    format_args!("channel {channel} of {offered}"),
                );
            }
            Kind::Switch(channel) => self.channel = channel,
            Kind::FastReply(code, id) => {
                let at = self.bytes;
                self.codes.push(Code { id, code, at });
                self.answer(id);
            }
            Kind::Heartbeat => self.heartbeats += 1,
            Kind::GoAway => {
                self.go_aways += 1;
                if self.is_extended() {
                    self.breaks("ext.leave", "Go Away instead of Leave");
                }
            }
            Kind::Unknown(first) => {
                self.breaks("packet.unknown", format_args!("a packet {first:02x}"));
            }
            Kind::Head {
                is_response,
                has_stream,
                piece,
                ..
            } => {
                if self.open.contains_key(&self.channel) {
                    let channel = self.channel;
                    self.breaks(
                        "content.busy",
                        format_args!("channel {channel} is not free"),
                    );
                }
                self.channels.insert(self.channel);
                if !is_response && self.dones > 0 {
                    self.breaks("ext.leave.done", "a message after Done");
                }
                let number = self.begun;
                self.begun += 1;
                let metadata = self.described.take();
                let open = Open::Header {
                    is_response,
                    has_stream,
                    bytes: Vec::new(),
                    number,
                    metadata: metadata.map(|(entries, _)| entries).unwrap_or_default(),
                };
                self.open.insert(self.channel, open);
                self.header_piece(&piece);
            }
            Kind::Continue(piece) => {
                self.oddities.insert("head.whole");
                self.header_piece(&piece);
            }
            Kind::Abort => match self.open.remove(&self.channel) {
                Some(Open::Body(index)) => self.messages[index].is_aborted = true,
                Some(Open::Header { .. }) => {}
                None => {
                    self.oddities.insert("content.abort.idle");
                }
            },
            content => self.content(content),
        }
    }

    /// Checks what Metadata and Status say of the packet that follows them.
    fn check_place(&mut self, kind: &Kind) {
        if std::mem::take(&mut self.is_after_status)
            && !matches!(kind, Kind::StreamEnd | Kind::Abort)
        {
            self.breaks("ext.status", format_args!("{kind:?} after Status"));
        }
        let Some((_, is_switched)) = &mut self.described else {
            return;
        };
        match kind {
            Kind::Head { .. } => {}
            Kind::FastReply(..) => self.described = None,
            Kind::Switch(_) if !*is_switched => *is_switched = true,
            _ => self.breaks("ext.meta.place", format_args!("{kind:?} after Metadata")),
        }
    }

    fn on_extension(&mut self, kind: u8, content: Vec<u8>) {
        self.extension.push((kind, content.clone()));
        match kind {
            0 => {
                if self.control(&content).is_none() {
                    let what = format!("a Control packet {}", hex(&content));
                    self.breaks("ext.content.exact", what);
                }
            }
            1 => self.described = Some((content, false)),
            2 => match Entry::all(&content) {
                Some(entries) => self.flow.extend(entries),
                None => self.breaks("ext.flow", format_args!("a packet {}", hex(&content))),
            },
            _ => self.breaks("ext.packet.kind", format_args!("kind {kind}")),
        }
    }

    /// Reads a Control packet; `None` if it is malformed.
    fn control(&mut self, content: &[u8]) -> Option<()> {
        let (kind, mut rest) = content.split_first()?;
        match kind {
            0 if self.extension.len() > 1 => {
                self.breaks("ext.settings.first", "settings again");
            }
            0 => ensure(rest.len() % 7 == 0, "").ok()?,
            1 => {
                ensure(!rest.is_empty() && rest.len() % 4 == 0, "").ok()?;
                while let Some(number) = uint::take(&mut rest, 4) {
                    self.cancels.push(number as u32);
                }
            }
            2 => {
                let taken = uint::take(&mut rest, 6)?;
                let reason = uint::take(&mut rest, 1)? as u8;
                uint::take(&mut rest, 8)?;
                ensure(rest.len() <= 200, "").ok()?;
                std::str::from_utf8(rest).ok()?;
                let taken = (taken != (1 << 48) - 1).then_some(taken);
                let before = self.leaves.last().and_then(|(taken, _)| *taken);
                if before.is_some_and(|before| taken.is_none_or(|taken| taken > before)) {
                    self.breaks("ext.leave.taken", "it has risen");
                }
                self.leaves.push((taken, reason));
            }
            3 => {
                ensure(rest.is_empty(), "").ok()?;
                self.dones += 1;
            }
            4 => ensure(rest.len() == 8, "").ok()?,
            5 => self.pongs.push(rest.try_into().ok()?),
            6 => {
                let code = uint::take(&mut rest, 2)? as u16;
                ensure(code < 4_096 && rest.len() <= 4_096, "").ok()?;
                self.is_after_status = true;
                match self.open.get(&self.channel) {
                    Some(Open::Body(index)) => self.messages[*index].status = Some(code),
                    _ => self.breaks("ext.status", "no message is in progress"),
                }
            }
            // Other kinds have no meaning that the suite knows.
            _ => {}
        }
        Some(())
    }

    /// What the endpoint says of itself in that setting.
    pub fn setting(&self, id: u8, default: u64) -> Option<u64> {
        let (_, content) = self.extension.first()?;
        let mut rest = content.get(1..)?;
        while let (Some(found), Some(value)) = (uint::take(&mut rest, 1), uint::take(&mut rest, 6))
        {
            if found == u64::from(id) {
                return Some(value);
            }
        }
        Some(default)
    }

    /// Counts a reply to a message of the suite.
    fn answer(&mut self, id: Id) {
        let answers = self.answers.entry(id).or_default();
        *answers += 1;
        let allowed = self.allowed.get(&id).copied();
        if *answers > allowed.unwrap_or_else(|| usize::from(is_expecting(&id))) {
            let rule = match is_expecting(&id) {
                true => "reply.expected",
                false => "reply.only-when-expected",
            };
            let what = format!("reply number {answers} to {}", hex(&id));
            self.breaks(rule, what);
        }
    }

    fn header_piece(&mut self, piece: &[u8]) {
        let channel = self.channel;
        let Some(Open::Header {
            is_response,
            has_stream,
            bytes,
            number,
            metadata,
        }) = self.open.get_mut(&channel)
        else {
            return self.breaks("head.continue", format_args!("on channel {channel}"));
        };
        bytes.extend_from_slice(piece);
        let (is_response, has_stream, number) = (*is_response, *has_stream, *number);
        let metadata = metadata.clone();
        match head::read(bytes, is_response) {
            Read::Partial => {}
            Read::Broken(rule) => self.breaks(rule, "in a header"),
            Read::Whole(head, oddities) => {
                self.oddities.extend(oddities);
                if let Some(parent) = head.parent {
                    self.answer(parent);
                }
                let files = vec![IncomingFile::default(); head.files.len()];
                let message = Incoming {
                    is_response,
                    head,
                    has_stream,
                    files,
                    number,
                    metadata,
                    ..Incoming::default()
                };
                self.open.insert(channel, Open::Body(self.messages.len()));
                self.messages.push(message);
                self.finish(channel);
            }
        }
    }

    fn content(&mut self, kind: Kind) {
        let channel = self.channel;
        let Some(Open::Body(index)) = self.open.get(&channel) else {
            return self.breaks(
                "content.order",
                format_args!("content on channel {channel}"),
            );
        };
        let may_be_short = self.has_stopped_files;
        match self.messages[*index].content(kind, may_be_short) {
            Ok(()) => self.finish(channel),
            Err(rule) => self.breaks(rule, format_args!("on channel {channel}")),
        }
    }

    /// Frees the channel if its message is complete.
    fn finish(&mut self, channel: u16) {
        if let Some(Open::Body(index)) = self.open.get(&channel)
            && self.messages[*index].check_whole()
        {
            self.open.remove(&channel);
        }
    }
}

impl Incoming {
    fn content(&mut self, kind: Kind, may_be_short: bool) -> Result<(), &'static str> {
        match kind {
            Kind::Data(content) => {
                self.payload.extend(content);
                ensure(
                    self.payload.len() as u64 <= self.head.payload,
                    "content.data.exact",
                )
            }
            Kind::Stream(content) => {
                ensure(self.has_stream, "content.stream.announced")?;
                ensure(!self.is_stream_over, "content.stream.once")?;
                self.stream.extend(content);
                Ok(())
            }
            Kind::StreamEnd => {
                ensure(self.has_stream, "content.stream.announced")?;
                ensure(!self.is_stream_over, "content.stream.once")?;
                self.is_stream_over = true;
                Ok(())
            }
            Kind::File(index, content) => {
                ensure(content.len() < 1 << 24, "packet.file.small")?;
                let file = self.file(index)?;
                file.content.extend(content);
                let size = file.content.len() as u64;
                ensure(
                    size <= self.head.files[index as usize].size,
                    "content.file.size",
                )
            }
            Kind::FileEnd(index) => {
                let file = self.file(index)?;
                file.is_over = true;
                let size = file.content.len() as u64;
                let is_whole = size == self.head.files[index as usize].size;
                ensure(is_whole || may_be_short, "content.file.ends")
            }
            _ => unreachable!("no content"),
        }
    }

    fn file(&mut self, index: u32) -> Result<&mut IncomingFile, &'static str> {
        let file = self
            .files
            .get_mut(index as usize)
            .ok_or("content.file.index")?;
        ensure(!file.is_over, "content.file.once")?;
        Ok(file)
    }

    fn check_whole(&mut self) -> bool {
        self.is_whole = self.payload.len() as u64 == self.head.payload
            && self.files.iter().all(|file| file.is_over)
            && (self.is_stream_over || !self.has_stream);
        self.is_whole
    }
}

fn ensure(holds: bool, rule: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(rule) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sockety_conformance::wire::{fresh_id, message::Message, packet};

    /// What is received from an endpoint that may send on two channels.
    fn received(packets: &[&[u8]]) -> Received {
        let mut all = Received::offering(2);
        all.push(&packet::header(256));
        packets.iter().for_each(|packet| all.push(packet));
        all
    }

    #[test]
    fn broken_rules_are_noticed() {
        let open = Message::tell("open").announced(2).first();
        let files = Message::tell("files")
            .announced_file("a", 1)
            .announced_file("b", 1)
            .first();
        let streams = Message::tell("streams").announced(2).stream().first();
        let trailing = packet::sized(0x20, &[Message::tell("x").head(), vec![0]].concat());
        let (asked, told) = (fresh_id(true), fresh_id(false));
        let broken: [(&str, Vec<u8>); 17] = [
            ("packet.switch.range", packet::switch(2)),
            ("packet.unknown", vec![0xF0]),
            ("content.busy", [&open[..], &open].concat()),
            ("head.continue", packet::continued(b"piece")),
            ("head.trailing", trailing),
            (
                "head.files.sum",
                Message::tell("x").file("f", "abc").total(4).first(),
            ),
            ("text.utf8", Message::tell(b"\xFF").first()),
            ("content.order", packet::data(b"x")),
            (
                "content.data.exact",
                [&open[..], &packet::data(b"abc")].concat(),
            ),
            (
                "content.stream.announced",
                [&open[..], &packet::stream(b"x")].concat(),
            ),
            (
                "content.stream.once",
                [&streams[..], &packet::STREAM_END, &packet::STREAM_END].concat(),
            ),
            (
                "content.file.index",
                [&files[..], &packet::file(2, b"x")].concat(),
            ),
            (
                "content.file.size",
                [&files[..], &packet::file(0, b"xy")].concat(),
            ),
            (
                "content.file.ends",
                [&files[..], &packet::file_end(0)].concat(),
            ),
            (
                "content.file.once",
                [
                    &files[..],
                    &packet::file(0, b"x"),
                    &packet::file_end(0),
                    &packet::file_end(0),
                ]
                .concat(),
            ),
            ("reply.only-when-expected", packet::code(0, &told)),
            (
                "reply.expected",
                [packet::code(0, &asked), Message::answer(asked).first()].concat(),
            ),
        ];
        for (rule, bytes) in broken {
            let all = received(&[&bytes]);
            let found = all.broken.first().map(String::as_str).unwrap_or_default();
            assert!(found.contains(&format!(" {rule}:")), "{rule}: {found:?}");
        }
    }

    #[test]
    fn forms_that_a_writer_should_not_choose_are_noticed() {
        let nil = Message::tell("x").id([0; 16]).first();
        let odd: [(&str, Vec<u8>); 10] = [
            ("packet.switch.smallest", packet::switch_long(1)),
            (
                "packet.reply.smallest",
                packet::code_long(1, &fresh_id(true)),
            ),
            (
                "packet.size.smallest",
                Message::tell("x").packet_size(3).first(),
            ),
            ("packet.reserved", vec![0xA1]),
            ("head.smallest", Message::tell("x").payload_form(3).first()),
            ("head.reserved", Message::tell("x").reserved(1).first()),
            ("head.id.version", nil),
            ("head.whole", Message::tell("x").pieces([5]).concat()),
            (
                "packet.empty.write",
                [Message::tell("x").stream().first(), packet::stream(b"")].concat(),
            ),
            ("content.abort.idle", packet::ABORT.to_vec()),
        ];
        for (rule, bytes) in odd {
            let all = received(&[&bytes]);
            assert!(all.broken.is_empty(), "{rule}: {:?}", all.broken);
            assert!(all.oddities.contains(rule), "{rule}: {:?}", all.oddities);
        }
    }

    #[test]
    fn whole_messages_in_any_segments_break_nothing() {
        let id = fresh_id(true);
        let response = Message::answer(id)
            .payload("data")
            .file("f", "abc")
            .stream();
        let bytes = [
            packet::header(300),
            packet::switch(1),
            response.bytes(),
            packet::stream(b"flow"),
            packet::STREAM_END.to_vec(),
            packet::HEARTBEAT.to_vec(),
        ]
        .concat();
        let mut all = Received::offering(2);
        bytes.chunks(1).for_each(|byte| all.push(byte));
        assert!(all.broken.is_empty() && all.oddities.is_empty());
        assert_eq!((all.header, all.heartbeats), (Some((0xE2, 300)), 1));
        let found = all.response_to(&id).expect("a response");
        assert!(found.is_whole);
        assert_eq!(
            (&found.payload[..], &found.stream[..]),
            (&b"data"[..], &b"flow"[..])
        );
        assert_eq!(found.files[0].content, b"abc");
    }
}

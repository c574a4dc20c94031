//! A second decoder, written from the protocol alone and for nothing but to be compared with.
//!
//! It has all of the input before it, so it needs no state for what was cut apart, and it knows no limits: it does what
//! the codec does with [`Limits::WIRE`](sockety_codec::Limits::WIRE). What it holds is of no concern.

use std::collections::BTreeMap;

use sockety_codec::{FileIndex, RefusalReason, Tolerated, Uuid};

use crate::Said;

/// All that the bytes of one side say.
#[derive(Debug, PartialEq)]
pub struct Reading {
    /// What came, in order.
    pub events: Vec<Said>,
    /// How it ended.
    pub end: End,
    /// Oddities without consequence.
    pub tolerated: Tolerated,
}

/// How the input of one side ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Between messages.
    Clean,
    /// In the connection header.
    InConnectionHeader,
    /// In the first bytes of a packet.
    InPacket,
    /// In the header of a message on this channel.
    InHead(u16),
    /// In the content of a message on this channel.
    InContent(u16),
    /// With a breach of this rule.
    Broken(&'static str),
}

/// What a type of packet is for.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Switch,
    Head,
    FastReply,
    Continue,
    Stream,
    StreamEnd,
    Abort,
    Heartbeat,
    GoAway,
    File,
    FileEnd,
    Data,
    Unassigned,
}

/// How the packets of one type are laid out.
struct Row {
    kind: Kind,
    /// Bits 2 and 3 tell the width of a size.
    sized: bool,
    /// Bits 0 and 1 tell the width of a file index.
    indexed: bool,
    /// One byte with the low bits of a number.
    low_byte: bool,
    /// Bits without a meaning.
    reserved: u8,
}

const fn row(kind: Kind, sized: bool, indexed: bool, low_byte: bool, reserved: u8) -> Row {
    Row {
        kind,
        sized,
        indexed,
        low_byte,
        reserved,
    }
}

/// The types of packets by the high half of their first byte.
const TYPES: [Row; 16] = [
    row(Kind::Switch, false, false, false, 0),
    row(Kind::Switch, false, false, true, 0),
    row(Kind::Head, true, false, false, 0),
    row(Kind::FastReply, false, false, false, 0),
    row(Kind::FastReply, false, false, true, 0),
    row(Kind::Head, true, false, false, 0),
    row(Kind::Continue, true, false, false, 0b11),
    row(Kind::Stream, true, false, false, 0b11),
    row(Kind::StreamEnd, false, false, false, 0b1111),
    row(Kind::Abort, false, false, false, 0b1111),
    row(Kind::Heartbeat, false, false, false, 0b1111),
    row(Kind::GoAway, false, false, false, 0b1111),
    row(Kind::File, true, true, false, 0),
    row(Kind::FileEnd, false, true, false, 0b1100),
    row(Kind::Data, true, false, false, 0b11),
    row(Kind::Unassigned, false, false, false, 0),
];

/// Widths by their two bits.
const PACKET_SIZE: [usize; 4] = [1, 2, 3, 4];
const INDEX: [usize; 4] = [0, 1, 2, 3];
const PAYLOAD: [usize; 4] = [0, 1, 2, 6];
const FILES_COUNT: [usize; 4] = [0, 1, 2, 3];
const FILES_TOTAL: [usize; 4] = [2, 3, 4, 6];
const FILE_SIZE: [usize; 4] = [1, 2, 3, 6];

/// Reads everything that one side has sent.
pub fn read(input: &[u8], channels: u16, strict: bool) -> Reading {
    let mut reference = Reference {
        input,
        at: 0,
        channels,
        strict,
        channel: 0,
        after_switch: false,
        gone_away: false,
        open: BTreeMap::new(),
        events: Vec::new(),
        tolerated: Tolerated::default(),
    };
    let end = match reference.everything() {
        Ok(never) => match never {},
        Err(end) => end,
    };
    Reading {
        events: reference.events,
        end,
        tolerated: reference.tolerated,
    }
}

enum Never {}

struct Reference<'a> {
    input: &'a [u8],
    at: usize,
    channels: u16,
    strict: bool,
    channel: u16,
    after_switch: bool,
    gone_away: bool,
    /// What is in progress, by channel.
    open: BTreeMap<u16, Open>,
    events: Vec<Said>,
    tolerated: Tolerated,
}

/// A message or response in progress.
struct Open {
    is_response: bool,
    expects_response: bool,
    has_stream: bool,
    /// The header as far as it is there, and how much of it was understood.
    header: Vec<u8>,
    read: usize,
    /// What comes before the file headers, once that is there.
    announced: Option<Announced>,
}

struct Announced {
    parent: Option<Uuid>,
    id: Uuid,
    refused: bool,
    payload_left: u64,
    stream_open: bool,
    count: u32,
    total: u64,
    /// Of the file headers so far.
    sum: u128,
    files: Vec<FileState>,
    /// Bytes of a name that are still to come. Of a refused message names are not looked at, and a file header is there
    /// as soon as it tells how long its name is.
    skipped: usize,
}

struct FileState {
    size: u64,
    left: u64,
    ended: bool,
}

impl Announced {
    fn has_all_headers(&self) -> bool {
        self.files.len() as u64 == u64::from(self.count)
    }

    fn header_is_whole(&self) -> bool {
        self.has_all_headers() && self.skipped == 0
    }

    fn is_over(&self) -> bool {
        // Not `header_is_whole`: who ends a file before its header is over breaks a rule, but of a refused message
        // that is not looked at either.
        self.has_all_headers()
            && self.payload_left == 0
            && !self.stream_open
            && self.files.iter().all(|file| file.ended)
    }
}

impl Reference<'_> {
    fn everything(&mut self) -> Result<Never, End> {
        self.connection_header()?;
        loop {
            self.packet()?;
        }
    }

    fn connection_header(&mut self) -> Result<(), End> {
        let control = self.bytes(1, End::InConnectionHeader)?[0];
        if control & 0xF0 != 0xE0 {
            return Err(End::Broken("header.form"));
        }
        let width = [0, 1, 2, 0][usize::from(control & 0b11)];
        let count = number(&self.bytes(width, End::InConnectionHeader)?);
        let channels = match (control & 0b11, count) {
            (0b00, _) => 1,
            (0b01, 0) => 256,
            (0b11, _) => 4096,
            (_, count) => count as u16,
        };
        if channels == 0 || channels > 4096 {
            return Err(End::Broken("header.count.range"));
        }
        self.reserved(control & 0b1100 != 0)?;
        self.events.push(Said::Header { channels });
        Ok(())
    }

    fn packet(&mut self) -> Result<(), End> {
        if self.at == self.input.len() {
            return Err(self.end_of_input());
        }
        let first = self.bytes(1, End::InPacket)?[0];
        let row = &TYPES[usize::from(first >> 4)];
        if row.kind == Kind::Unassigned {
            return Err(End::Broken("packet.unknown"));
        }
        let size = match row.sized {
            true => {
                number(&self.bytes(PACKET_SIZE[usize::from(first >> 2 & 0b11)], End::InPacket)?)
            }
            false => 0,
        };
        let index = match row.indexed {
            true => number(&self.bytes(INDEX[usize::from(first & 0b11)], End::InPacket)?) as u32,
            false => 0,
        };
        let low_half = u16::from(first & 0b1111);
        let value = match row.low_byte {
            true => low_half << 8 | u16::from(self.bytes(1, End::InPacket)?[0]),
            false => low_half,
        };
        self.reserved(first & row.reserved != 0)?;
        if row.kind == Kind::Head && self.open.contains_key(&self.channel) {
            return Err(End::Broken("content.busy"));
        }
        if row.sized && size == 0 {
            self.tolerated.empty_packets += 1;
            if self.strict {
                return Err(End::Broken("limits.strict"));
            }
        }
        let after_switch = std::mem::replace(&mut self.after_switch, row.kind == Kind::Switch);
        match row.kind {
            Kind::Switch => self.switch(value, after_switch),
            Kind::FastReply => {
                let id = uuid(&self.bytes(16, End::InPacket)?);
                self.events.push(Said::FastReply { id, code: value });
                Ok(())
            }
            Kind::Heartbeat => {
                self.tolerated.heartbeats += 1;
                self.events.push(Said::Heartbeat);
                Ok(())
            }
            Kind::GoAway => {
                self.tolerated.repeated_go_aways += u64::from(self.gone_away);
                self.gone_away = true;
                self.events.push(Said::GoAway);
                Ok(())
            }
            Kind::Abort => self.abort(),
            Kind::Head => self.head(first, size),
            Kind::StreamEnd => self.stream_end(),
            Kind::FileEnd => self.file_end(index),
            _ if size == 0 => Ok(()),
            Kind::Continue => self.go_on(size),
            Kind::Stream => self.stream(size),
            Kind::File => self.file(index, size),
            Kind::Data => self.data(size),
            Kind::Unassigned => Ok(()),
        }
    }

    fn switch(&mut self, channel: u16, after_switch: bool) -> Result<(), End> {
        if channel >= self.channels {
            return Err(End::Broken("packet.switch.range"));
        }
        self.tolerated.needless_switches += u64::from(after_switch || channel == self.channel);
        self.channel = channel;
        Ok(())
    }

    fn abort(&mut self) -> Result<(), End> {
        let channel = self.channel;
        match self.open.remove(&channel) {
            None if self.strict => return Err(End::Broken("limits.strict")),
            None => self.tolerated.aborts_without_message += 1,
            Some(open) if open.announced.is_none() => self.tolerated.aborted_headers += 1,
            Some(_) => self.events.push(Said::Abort { channel }),
        }
        Ok(())
    }

    fn head(&mut self, first: u8, size: u64) -> Result<(), End> {
        let open = Open {
            is_response: first >> 4 == 0b0101,
            has_stream: first & 0b10 != 0,
            expects_response: first & 0b01 != 0,
            header: Vec::new(),
            read: 0,
            announced: None,
        };
        self.open.insert(self.channel, open);
        self.header_bytes(size)
    }

    fn go_on(&mut self, size: u64) -> Result<(), End> {
        match self.open.get(&self.channel) {
            None => return Err(End::Broken("head.continue")),
            Some(open) => {
                if open
                    .announced
                    .as_ref()
                    .is_some_and(Announced::header_is_whole)
                {
                    return Err(End::Broken("head.continue.ended"));
                }
            }
        }
        self.header_bytes(size)
    }

    /// A packet with this many bytes of a header, as far as they are there.
    fn header_bytes(&mut self, size: u64) -> Result<(), End> {
        let (piece, is_whole) = self.content(size);
        let channel = self.channel;
        let mut open = self.open.remove(&channel).expect("it was looked at");
        open.header.extend_from_slice(&piece);
        self.header_parts(&mut open, is_whole)?;
        self.settle(channel, open);
        match is_whole {
            true => Ok(()),
            false => Err(self.end_of_input()),
        }
    }

    /// Understands what is there of a header. A part that ends it, and not its packet too, is not told any more.
    fn header_parts(&mut self, open: &mut Open, packet_is_whole: bool) -> Result<(), End> {
        let channel = self.channel;
        if open.announced.is_none() && !self.announcement(open, packet_is_whole)? {
            return Ok(());
        }
        let announced = open.announced.as_mut().expect("just announced");
        while !announced.header_is_whole() {
            let rest = &open.header[open.read..];
            let mut cursor = Cursor(rest);
            if announced.skipped > 0 {
                let count = announced.skipped.min(rest.len());
                announced.skipped -= count;
                open.read += count;
                if announced.skipped > 0 {
                    return Ok(());
                }
                if announced.header_is_whole() && (!packet_is_whole || rest.len() > count) {
                    return Err(End::Broken("head.trailing"));
                }
                continue;
            }
            let Some((flags, size, name_length)) = file_header(&mut cursor) else {
                return Ok(());
            };
            let name = match announced.refused {
                true => {
                    announced.skipped = name_length;
                    &[]
                }
                false => match cursor.take(name_length) {
                    Some(name) => name,
                    None => return Ok(()),
                },
            };
            self.reserved(flags & 0b1111_0001 != 0)?;
            let follows = announced.skipped == 0 && (!packet_is_whole || !cursor.0.is_empty());
            if follows && announced.files.len() as u64 + 1 == u64::from(announced.count) {
                return Err(End::Broken("head.trailing"));
            }
            let used = rest.len() - cursor.0.len();
            let index = announced.files.len() as u32;
            announced.sum += u128::from(size);
            announced.files.push(FileState {
                size,
                left: size,
                ended: false,
            });
            let bad = wrong_sum(announced).or_else(|| {
                std::str::from_utf8(name)
                    .err()
                    .map(|_| RefusalReason::BadFileName {
                        index: FileIndex::new(index).expect("24 bits"),
                    })
            });
            match bad {
                _ if announced.refused => {}
                Some(reason) => self.refuse(open.expects_response, announced, reason),
                None => self.events.push(Said::FileHeader {
                    channel,
                    index,
                    size,
                    name: String::from_utf8_lossy(name).into(),
                }),
            }
            open.read += used;
        }
        Ok(())
    }

    /// Reads what comes before the file headers; whether it is there.
    fn announcement(&mut self, open: &mut Open, packet_is_whole: bool) -> Result<bool, End> {
        let mut cursor = Cursor(&open.header);
        let Some(head) = before_files(&mut cursor, open.is_response) else {
            return Ok(false);
        };
        let unused = if open.is_response { 0b11 } else { 0b01 };
        self.reserved(head.flags & unused != 0)?;
        let follows = !packet_is_whole || !cursor.0.is_empty();
        if follows && head.files == 0 {
            return Err(End::Broken("head.trailing"));
        }
        open.read = open.header.len() - cursor.0.len();
        let mut announced = Announced {
            parent: head.parent,
            id: head.id,
            refused: false,
            payload_left: head.payload,
            stream_open: open.has_stream,
            count: head.files,
            total: head.files_size,
            sum: 0,
            files: Vec::new(),
            skipped: 0,
        };
        let bad = wrong_sum(&announced).or_else(|| {
            let text = std::str::from_utf8(head.action);
            text.err().map(|_| RefusalReason::BadAction)
        });
        match bad {
            Some(reason) => self.refuse(open.expects_response, &mut announced, reason),
            None => self.events.push(Said::Head {
                channel: self.channel,
                parent: head.parent,
                id: head.id,
                action: String::from_utf8_lossy(head.action).into(),
                expects_response: open.expects_response,
                has_stream: open.has_stream,
                payload: head.payload,
                files: head.files,
                files_size: head.files_size,
            }),
        }
        open.announced = Some(announced);
        Ok(true)
    }

    fn refuse(&mut self, expects_response: bool, announced: &mut Announced, reason: RefusalReason) {
        announced.refused = true;
        self.events.push(Said::Refused {
            channel: self.channel,
            parent: announced.parent,
            id: announced.id,
            expects_response,
            reason,
        });
    }

    /// Keeps what is not over; tells the end of what is.
    fn settle(&mut self, channel: u16, open: Open) {
        let Some(announced) = open
            .announced
            .as_ref()
            .filter(|announced| announced.is_over())
        else {
            self.open.insert(channel, open);
            return;
        };
        let had_content = !matches!(
            self.events.last(),
            Some(Said::Head {
                payload: 0,
                has_stream: false,
                files: 0,
                ..
            })
        );
        if had_content || announced.refused {
            self.events.push(Said::End { channel });
        }
    }

    /// What is announced on the current channel.
    fn announced(&mut self) -> Option<&mut Announced> {
        self.open.get_mut(&self.channel)?.announced.as_mut()
    }

    fn data(&mut self, size: u64) -> Result<(), End> {
        let channel = self.channel;
        let left = self
            .announced()
            .map_or(0, |announced| announced.payload_left);
        if left == 0 {
            return Err(End::Broken("content.data.announced"));
        }
        if size > left {
            return Err(End::Broken("content.data.exact"));
        }
        let (bytes, is_whole) = self.content(size);
        let announced = self.announced().expect("payload is awaited");
        announced.payload_left -= bytes.len() as u64;
        let remaining = announced.payload_left;
        if !announced.refused && !bytes.is_empty() {
            Said::Data {
                channel,
                bytes,
                remaining,
            }
            .push(&mut self.events);
        }
        self.after_content(is_whole)
    }

    fn check_stream(&mut self) -> Result<(), End> {
        let open = self.open.get(&self.channel);
        let announced = open.and_then(|open| Some((open.has_stream, open.announced.as_ref()?)));
        match announced {
            None | Some((false, _)) => Err(End::Broken("content.stream.announced")),
            Some((true, announced)) if announced.stream_open => Ok(()),
            Some(_) => Err(End::Broken("content.stream.once")),
        }
    }

    fn stream(&mut self, size: u64) -> Result<(), End> {
        self.check_stream()?;
        let channel = self.channel;
        let (bytes, is_whole) = self.content(size);
        if !bytes.is_empty() && self.announced().is_some_and(|announced| !announced.refused) {
            Said::Stream { channel, bytes }.push(&mut self.events);
        }
        self.after_content(is_whole)
    }

    fn stream_end(&mut self) -> Result<(), End> {
        self.check_stream()?;
        let channel = self.channel;
        let announced = self.announced().expect("it has a stream");
        announced.stream_open = false;
        if !announced.refused {
            self.events.push(Said::StreamEnd { channel });
        }
        self.after_content(true)
    }

    fn check_file(&mut self, index: u32) -> Result<&mut Announced, End> {
        let at = index as usize;
        match self.announced() {
            Some(announced) if index < announced.count => match announced.files.get(at) {
                None => Err(End::Broken("content.file.header")),
                Some(file) if file.ended => Err(End::Broken("content.file.once")),
                Some(_) => Ok(announced),
            },
            _ => Err(End::Broken("content.file.index")),
        }
    }

    fn file(&mut self, index: u32, size: u64) -> Result<(), End> {
        self.check_file(index)?;
        let (channel, at) = (self.channel, index as usize);
        let (mut bytes, is_whole) = self.content(size);
        let expects_response = self.open[&channel].expects_response;
        let mut announced = self
            .open
            .get_mut(&channel)
            .and_then(|open| open.announced.take());
        let open = announced.as_mut().expect("it has files");
        let file = &mut open.files[at];
        let (left, declared) = (file.left, file.size);
        file.left = left.saturating_sub(bytes.len() as u64);
        let overrun = size > left;
        bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        if !open.refused {
            if overrun {
                let index = FileIndex::new(index).expect("24 bits");
                let reason = RefusalReason::FileOverrun { index, declared };
                self.refuse(expects_response, open, reason);
            } else if !bytes.is_empty() {
                Said::File {
                    channel,
                    index,
                    bytes,
                }
                .push(&mut self.events);
            }
        }
        self.open.get_mut(&channel).expect("it is open").announced = announced;
        self.after_content(is_whole)
    }

    fn file_end(&mut self, index: u32) -> Result<(), End> {
        let channel = self.channel;
        let announced = self.check_file(index)?;
        let file = &mut announced.files[index as usize];
        file.ended = true;
        let missing = file.left;
        if !announced.refused {
            self.events.push(Said::FileEnd {
                channel,
                index,
                missing,
            });
        }
        self.after_content(true)
    }

    fn after_content(&mut self, is_whole: bool) -> Result<(), End> {
        let open = self.open.remove(&self.channel).expect("it has content");
        self.settle(self.channel, open);
        match is_whole {
            true => Ok(()),
            false => Err(self.end_of_input()),
        }
    }

    fn reserved(&mut self, set: bool) -> Result<(), End> {
        self.tolerated.reserved_bits += u64::from(set);
        match set && self.strict {
            true => Err(End::Broken("limits.strict")),
            false => Ok(()),
        }
    }

    /// The end of the input, not inside the first bytes of a packet: the first channel with something incomplete counts.
    fn end_of_input(&self) -> End {
        match self.open.first_key_value() {
            None => End::Clean,
            Some((channel, open)) => match &open.announced {
                Some(announced) if announced.header_is_whole() => End::InContent(*channel),
                _ => End::InHead(*channel),
            },
        }
    }

    /// So many bytes, or the end.
    fn bytes(&mut self, count: usize, short: End) -> Result<Vec<u8>, End> {
        let rest = &self.input[self.at..];
        let Some(bytes) = rest.get(..count) else {
            return Err(short);
        };
        self.at += count;
        Ok(bytes.to_vec())
    }

    /// The content of a packet as far as it is there, and whether that is all.
    fn content(&mut self, size: u64) -> (Vec<u8>, bool) {
        let rest = &self.input[self.at..];
        let there = rest.len().min(usize::try_from(size).unwrap_or(usize::MAX));
        self.at += there;
        (rest[..there].to_vec(), there as u64 == size)
    }
}

/// What comes before the file headers.
struct Head<'a> {
    flags: u8,
    parent: Option<Uuid>,
    id: Uuid,
    action: &'a [u8],
    payload: u64,
    files: u32,
    files_size: u64,
}

fn before_files<'a>(cursor: &mut Cursor<'a>, is_response: bool) -> Option<Head<'a>> {
    let flags = cursor.number(1)? as u8;
    let parent = match is_response {
        true => Some(uuid(cursor.take(16)?)),
        false => None,
    };
    let id = uuid(cursor.take(16)?);
    let action_width = match (is_response, flags & 0b10) {
        (true, _) => 0,
        (false, 0) => 1,
        (false, _) => 2,
    };
    let action_length = cursor.number(action_width)? as usize;
    let action = cursor.take(action_length)?;
    let payload = cursor.number(PAYLOAD[usize::from(flags >> 6)])?;
    let count_width = FILES_COUNT[usize::from(flags >> 4 & 0b11)];
    let files = cursor.number(count_width)? as u32;
    let files_size = match count_width {
        0 => 0,
        _ => cursor.number(FILES_TOTAL[usize::from(flags >> 2 & 0b11)])?,
    };
    Some(Head {
        flags,
        parent,
        id,
        action,
        payload,
        files,
        files_size,
    })
}

/// A file header up to its name: flags, size, and length of the name.
fn file_header(cursor: &mut Cursor<'_>) -> Option<(u8, u64, usize)> {
    let flags = cursor.number(1)? as u8;
    let size = cursor.number(FILE_SIZE[usize::from(flags >> 2 & 0b11)])?;
    let length = cursor.number(if flags & 0b10 == 0 { 1 } else { 2 })? as usize;
    Some((flags, size, length))
}

/// Whether the sizes of the files are already above what was announced, or below it when all are there.
fn wrong_sum(announced: &Announced) -> Option<RefusalReason> {
    let declared = u128::from(announced.total);
    let is_wrong = match announced.has_all_headers() {
        true => announced.sum != declared,
        false => announced.sum > declared,
    };
    is_wrong.then(|| RefusalReason::FilesSizeMismatch {
        declared: announced.total,
        sum: u64::try_from(announced.sum).unwrap_or(u64::MAX),
    })
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, width: usize) -> Option<u64> {
        self.take(width).map(number)
    }
}

/// The lowest byte comes first.
fn number(bytes: impl AsRef<[u8]>) -> u64 {
    let bytes = bytes.as_ref();
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn uuid(bytes: &[u8]) -> Uuid {
    Uuid::from_slice(bytes).expect("16 bytes")
}

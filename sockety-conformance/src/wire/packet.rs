//! Packets: a function to write each, and a reader.

use super::{Id, uint};

/// Widths of the size of a packet, by their code.
pub const SIZE: [usize; 4] = [1, 2, 3, 4];
/// Widths of the index of a file, by their code.
pub const INDEX: [usize; 4] = [0, 1, 2, 3];

/// A Stream End packet.
pub const STREAM_END: [u8; 1] = [0x80];
/// An Abort packet.
pub const ABORT: [u8; 1] = [0x90];
/// A Heartbeat packet.
pub const HEARTBEAT: [u8; 1] = [0xA0];
/// A Go Away packet.
pub const GO_AWAY: [u8; 1] = [0xB0];

const CONTINUE: u8 = 0x60;
const STREAM: u8 = 0x70;
const FILE: u8 = 0xC0;
const DATA: u8 = 0xE0;

/// The connection header of a side that offers the extension.
pub const OFFER: [u8; 3] = [0xE2, 0xEE, 0x00];
/// Settings that say nothing but the defaults.
pub const SETTINGS: [u8; 3] = [0xF0, 1, 0];

/// A Control packet of the extension.
pub fn control(content: &[u8]) -> Vec<u8> {
    sized(0xF0, content)
}

/// A Cancel packet that names these messages.
pub fn cancel(numbers: &[u32]) -> Vec<u8> {
    let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
    control(&std::iter::once(1).chain(numbers).collect::<Vec<_>>())
}

/// A Metadata packet with these entries.
pub fn metadata(entries: &[u8]) -> Vec<u8> {
    sized(0xF1, entries)
}

/// A Settings packet with these ids and values.
pub fn settings(entries: &[(u8, u64)]) -> Vec<u8> {
    let mut content = vec![0];
    for &(id, value) in entries {
        content.push(id);
        uint::put(&mut content, value, 6);
    }
    control(&content)
}

/// A Leave packet with this number of messages taken and this reason; `None` leaves it open.
pub fn leave(taken: Option<u64>, reason: u8, text: &[u8]) -> Vec<u8> {
    let mut content = vec![2];
    uint::put(&mut content, taken.unwrap_or(u64::MAX), 6);
    content.push(reason);
    uint::put(&mut content, 30_000, 4);
    uint::put(&mut content, 0, 4);
    content.extend_from_slice(text);
    control(&content)
}

/// A Status packet.
pub fn status(code: u16, error: &[u8]) -> Vec<u8> {
    control(&[&[6], &code.to_le_bytes()[..], error].concat())
}

/// A Done packet.
pub const DONE: [u8; 3] = [0xF0, 1, 3];

/// Widths of a limit in a Flow packet, by their code.
pub const LIMIT: [usize; 4] = [2, 3, 4, 6];

/// A Flow packet with these entries.
pub fn flow(entries: &[Entry]) -> Vec<u8> {
    sized(
        0xF2,
        &entries.iter().flat_map(Entry::bytes).collect::<Vec<_>>(),
    )
}

/// A part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The stream.
    Stream,
    /// The file with this index.
    File(u32),
}

impl Part {
    /// The code of the width of its index, and the bytes of that.
    fn index(self) -> (u8, Vec<u8>) {
        match self {
            Self::Stream => (0, Vec::new()),
            Self::File(index @ 0..=255) => (1, vec![index as u8]),
            Self::File(index) => (2, index.to_le_bytes()[..3].to_vec()),
        }
    }
}

/// An entry of a Flow packet. The number is that of a message of the side that reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Credit for a part.
    Credit {
        /// The message.
        number: u32,
        /// The part.
        part: Part,
        /// The number of bytes that may be sent of it.
        limit: u64,
        /// Whether it is credit in addition to the limit of the connection.
        is_lifeline: bool,
    },
    /// Every file below an index was read.
    Read {
        /// The message.
        number: u32,
        /// The index.
        below: u32,
    },
    /// Credit for the connection.
    Connection(u64),
    /// A stop of a part, or of the message.
    Stop {
        /// The message.
        number: u32,
        /// The part; `None`: all of the message.
        part: Option<Part>,
    },
}

impl Entry {
    /// Credit for a part that counts to the limit of the connection.
    pub fn credit(number: u32, part: Part, limit: u64) -> Self {
        Self::Credit {
            number,
            part,
            limit,
            is_lifeline: false,
        }
    }

    /// The bytes of the entry, in the smallest form.
    pub fn bytes(&self) -> Vec<u8> {
        let (flags, number, index, limit) = match *self {
            Self::Credit {
                number,
                part,
                limit,
                is_lifeline,
            } => {
                let (code, index) = part.index();
                let flags = code << 6 | u8::from(is_lifeline) << 1;
                (flags, Some(number), index, Some(limit))
            }
            Self::Read { number, below } => {
                let index = below.to_le_bytes()[..3].to_vec();
                (0xC0, Some(number), index, None)
            }
            Self::Connection(limit) => (0x04, None, Vec::new(), Some(limit)),
            Self::Stop { number, part } => {
                let (code, index) = part.map_or((3, Vec::new()), Part::index);
                (code << 6 | 0x08, Some(number), index, None)
            }
        };
        let form = limit.map_or(0, |limit| uint::smallest(&LIMIT, limit));
        let mut out = vec![flags | (form << 4) as u8];
        out.extend(number.iter().flat_map(|number| number.to_le_bytes()));
        out.extend(index);
        if let Some(limit) = limit {
            uint::put(&mut out, limit, LIMIT[form]);
        }
        out
    }

    /// The entries of a Flow packet; `None` if it is malformed.
    pub fn all(mut content: &[u8]) -> Option<Vec<Self>> {
        let mut all = Vec::new();
        while !content.is_empty() {
            all.push(Self::take(&mut content)?);
        }
        Some(all)
    }

    fn take(rest: &mut &[u8]) -> Option<Self> {
        let flags = uint::take(rest, 1)? as u8;
        let width = LIMIT[usize::from(flags >> 4 & 3)];
        let (parts, has_limit_code) = (flags >> 6, flags >> 4 & 3 != 0);
        if flags & 0x0F == 0x04 && parts == 0 {
            return uint::take(rest, width).map(Self::Connection);
        }
        let number = uint::take(rest, 4)? as u32;
        let mut part = || {
            Some(match parts {
                0 => Part::Stream,
                1 => Part::File(uint::take(rest, 1)? as u32),
                _ => Part::File(uint::take(rest, 3)? as u32),
            })
        };
        match flags & 0x0F {
            0 if parts == 3 && !has_limit_code => {
                let below = uint::take(rest, 3)? as u32;
                Some(Self::Read { number, below })
            }
            low @ (0 | 2) if parts < 3 => {
                let part = part()?;
                let limit = uint::take(rest, width)?;
                Some(Self::Credit {
                    number,
                    part,
                    limit,
                    is_lifeline: low == 2,
                })
            }
            8 if !has_limit_code => {
                let part = if parts == 3 { None } else { Some(part()?) };
                Some(Self::Stop { number, part })
            }
            _ => None,
        }
    }
}

/// The connection header of a side that receives on `channels` channels.
pub fn header(channels: u16) -> Vec<u8> {
    match channels {
        1 => vec![0xE0],
        2..=255 => vec![0xE1, channels as u8],
        4096 => vec![0xE3],
        _ => vec![0xE2, channels as u8, (channels >> 8) as u8],
    }
}

/// A Switch Channel packet in the smallest form.
pub fn switch(channel: u16) -> Vec<u8> {
    match channel {
        0..=15 => vec![channel as u8],
        _ => switch_long(channel),
    }
}

/// A Switch Channel packet in the long form.
pub fn switch_long(channel: u16) -> Vec<u8> {
    vec![0x10 | (channel >> 8) as u8, channel as u8]
}

/// A Fast Reply packet in the smallest form.
pub fn code(code: u16, id: &Id) -> Vec<u8> {
    match code {
        0..=15 => [&[0x30 | code as u8], &id[..]].concat(),
        _ => code_long(code, id),
    }
}

/// A Fast Reply packet in the long form.
pub fn code_long(code: u16, id: &Id) -> Vec<u8> {
    [&[0x40 | (code >> 8) as u8, code as u8], &id[..]].concat()
}

/// A packet that begins with `first` and has a size, written in the smallest width.
pub fn sized(first: u8, content: &[u8]) -> Vec<u8> {
    sized_as(uint::smallest(&SIZE, content.len() as u64), first, content)
}

/// Like [`sized`], with the size in the width with code `form`.
pub fn sized_as(form: usize, first: u8, content: &[u8]) -> Vec<u8> {
    let mut out = begun(form, first, content.len() as u64);
    out.extend_from_slice(content);
    out
}

/// The start of a packet that announces `size` bytes of content.
pub fn begun(form: usize, first: u8, size: u64) -> Vec<u8> {
    let mut out = vec![first | (form << 2) as u8];
    uint::put(&mut out, size, SIZE[form]);
    out
}

/// A Continue packet.
pub fn continued(content: &[u8]) -> Vec<u8> {
    sized(CONTINUE, content)
}

/// A Data packet.
pub fn data(content: &[u8]) -> Vec<u8> {
    sized(DATA, content)
}

/// A Data packet with its size in the width with code `form`.
pub fn data_as(form: usize, content: &[u8]) -> Vec<u8> {
    sized_as(form, DATA, content)
}

/// The start of a Data packet that announces `size` bytes.
pub fn data_begun(size: u64) -> Vec<u8> {
    begun(3, DATA, size)
}

/// A Stream packet.
pub fn stream(content: &[u8]) -> Vec<u8> {
    sized(STREAM, content)
}

/// A Stream packet with its size in the width with code `form`.
pub fn stream_as(form: usize, content: &[u8]) -> Vec<u8> {
    sized_as(form, STREAM, content)
}

/// A File packet.
pub fn file(index: u32, content: &[u8]) -> Vec<u8> {
    let size = uint::smallest(&SIZE, content.len() as u64);
    file_as(size, uint::smallest(&INDEX, index.into()), index, content)
}

/// A File packet with its size and index in the widths with these codes.
pub fn file_as(size: usize, index_form: usize, index: u32, content: &[u8]) -> Vec<u8> {
    let mut out = begun(size, FILE | index_form as u8, content.len() as u64);
    uint::put(&mut out, index.into(), INDEX[index_form]);
    out.extend_from_slice(content);
    out
}

/// A File End packet.
pub fn file_end(index: u32) -> Vec<u8> {
    file_end_as(uint::smallest(&INDEX, index.into()), index)
}

/// A File End packet with its index in the width with code `form`.
pub fn file_end_as(form: usize, index: u32) -> Vec<u8> {
    let mut out = vec![0xD0 | form as u8];
    uint::put(&mut out, index.into(), INDEX[form]);
    out
}

/// A whole packet that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// What it says.
    pub kind: Kind,
    /// The rules for writers that its form breaks.
    pub oddities: Vec<&'static str>,
}

/// The types of packets, with their fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Switch Channel.
    Switch(u16),
    /// Message or Response.
    Head {
        /// Whether it is a response.
        is_response: bool,
        /// Bit `T`.
        has_stream: bool,
        /// Bit `E`.
        expects_reply: bool,
        /// The first piece of its header.
        piece: Vec<u8>,
    },
    /// Continue, with a piece of a header.
    Continue(Vec<u8>),
    /// Fast Reply: the code, and the message answered.
    FastReply(u16, Id),
    /// Stream.
    Stream(Vec<u8>),
    /// Stream End.
    StreamEnd,
    /// Abort.
    Abort,
    /// Heartbeat.
    Heartbeat,
    /// Go Away.
    GoAway,
    /// File: the index and a piece of content.
    File(u32, Vec<u8>),
    /// File End.
    FileEnd(u32),
    /// Data.
    Data(Vec<u8>),
    /// A packet of the extension: its kind, and its content.
    Extension(u8, Vec<u8>),
    /// The unassigned type, with the first byte.
    Unknown(u8),
}

impl Packet {
    /// Like [`Packet::take`], from a peer with the extension.
    pub fn take_extended(input: &mut &[u8]) -> Option<Self> {
        let Some(first @ 0xF0..) = input.first().copied() else {
            return Self::take(input);
        };
        let (mut rest, mut oddities) = (&input[1..], Vec::new());
        let content = Self::content(&mut rest, first & 0x0F, 0, &mut oddities)?.1;
        *input = rest;
        let kind = Kind::Extension(first & 3, content);
        Some(Self { kind, oddities })
    }

    /// Takes one packet off the front of `input`; `None` until all of it has arrived.
    pub fn take(input: &mut &[u8]) -> Option<Self> {
        let mut rest = *input;
        let first = uint::take(&mut rest, 1)? as u8;
        let (low, mut oddities) = (first & 0x0F, Vec::new());
        let kind = match first >> 4 {
            0 => Kind::Switch(low.into()),
            1 => Kind::Switch(Self::low_byte(
                &mut rest,
                low,
                &mut oddities,
                "packet.switch.smallest",
            )?),
            3 => Kind::FastReply(low.into(), Self::id(&mut rest)?),
            4 => {
                let code = Self::low_byte(&mut rest, low, &mut oddities, "packet.reply.smallest")?;
                Kind::FastReply(code, Self::id(&mut rest)?)
            }
            kind @ (2 | 5) => Kind::Head {
                is_response: kind == 5,
                has_stream: low & 2 != 0,
                expects_reply: low & 1 != 0,
                piece: Self::content(&mut rest, low, 0, &mut oddities)?.1,
            },
            kind @ (6 | 7 | 14) => {
                if low & 3 != 0 {
                    oddities.push("packet.reserved");
                }
                let content = Self::content(&mut rest, low, 0, &mut oddities)?.1;
                match kind {
                    6 => Kind::Continue(content),
                    7 => Kind::Stream(content),
                    _ => Kind::Data(content),
                }
            }
            12 => {
                let (index, content) =
                    Self::content(&mut rest, low, (low & 3).into(), &mut oddities)?;
                Kind::File(index, content)
            }
            13 => {
                if low >> 2 != 0 {
                    oddities.push("packet.reserved");
                }
                let form = usize::from(low & 3);
                let index = uint::take(&mut rest, INDEX[form])?;
                Self::smallest(&INDEX, form, index, &mut oddities, "packet.file.index");
                Kind::FileEnd(index as u32)
            }
            15 => Kind::Unknown(first),
            kind => {
                if low != 0 {
                    oddities.push("packet.reserved");
                }
                match kind {
                    8 => Kind::StreamEnd,
                    9 => Kind::Abort,
                    10 => Kind::Heartbeat,
                    _ => Kind::GoAway,
                }
            }
        };
        *input = rest;
        Some(Self { kind, oddities })
    }

    /// Reads the low byte of a number of 12 bits.
    fn low_byte(
        rest: &mut &[u8],
        high: u8,
        oddities: &mut Vec<&'static str>,
        rule: &'static str,
    ) -> Option<u16> {
        let value = u16::from(high) << 8 | uint::take(rest, 1)? as u16;
        if value < 16 {
            oddities.push(rule);
        }
        Some(value)
    }

    fn id(rest: &mut &[u8]) -> Option<Id> {
        let (id, after) = rest.split_first_chunk()?;
        *rest = after;
        Some(*id)
    }

    /// Reads the size, the index of a file, and the content.
    fn content(
        rest: &mut &[u8],
        low: u8,
        index_form: usize,
        oddities: &mut Vec<&'static str>,
    ) -> Option<(u32, Vec<u8>)> {
        let form = usize::from(low >> 2);
        let size = uint::take(rest, SIZE[form])?;
        Self::smallest(&SIZE, form, size, oddities, "packet.size.smallest");
        if size == 0 {
            oddities.push("packet.empty.write");
        }
        let index = uint::take(rest, INDEX[index_form])?;
        Self::smallest(&INDEX, index_form, index, oddities, "packet.file.index");
        let (content, after) = rest.split_at_checked(size as usize)?;
        *rest = after;
        Some((index as u32, content.to_vec()))
    }

    fn smallest(
        widths: &[usize],
        form: usize,
        value: u64,
        oddities: &mut Vec<&'static str>,
        rule: &'static str,
    ) {
        if form != uint::smallest(widths, value) {
            oddities.push(rule);
        }
    }
}

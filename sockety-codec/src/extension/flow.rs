use super::{malformed, number};
use crate::{
    FileIndex, FlowEntry, Part, Violation,
    reader::Reader,
    uint::{self, FLOW_LIMIT},
};

/// The entries of a Flow packet. Their numbers are those of messages that the reader of the packet
/// sends, so only its encoder knows how many have begun: see [`resolve`](Self::resolve).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowEntries<'a>(&'a [u8]);

impl<'a> FlowEntries<'a> {
    /// Checks the form of all entries.
    pub(crate) fn decode(content: &'a [u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(content);
        while !reader.rest().is_empty() {
            entry(&mut reader)?;
        }
        Ok(Self(content))
    }

    /// Returns the entries, with whole numbers. `begun` is the number of messages and responses
    /// that the reader of the packet has begun: [`Encoder::begun`](crate::Encoder::begun).
    ///
    /// An entry about a message that has not begun is a violation, `ext.number.unknown`.
    pub fn resolve(self, begun: u64) -> Resolved<'a> {
        Resolved {
            reader: Reader::new(self.0),
            begun,
        }
    }
}

/// The entries of a Flow packet, with whole numbers; made by [`FlowEntries::resolve`].
#[derive(Clone, Debug)]
pub struct Resolved<'a> {
    reader: Reader<'a>,
    begun: u64,
}

impl Iterator for Resolved<'_> {
    type Item = Result<FlowEntry, Violation>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.rest().is_empty() {
            return None;
        }
        // Its form was checked.
        let mut entry = match entry(&mut self.reader) {
            Ok(entry) => entry,
            Err(violation) => return Some(Err(violation)),
        };
        let begun = self.begun;
        if let Some(whole) = number_of(&mut entry) {
            let low = low_half(*whole);
            match number(low, begun) {
                Some(number) => *whole = number,
                None => return Some(Err(Violation::NumberUnknown { number: low, begun })),
            }
        }
        Some(Ok(entry))
    }
}

fn number_of(entry: &mut FlowEntry) -> Option<&mut u64> {
    match entry {
        FlowEntry::Part { number, .. }
        | FlowEntry::FilesBelow { number, .. }
        | FlowEntry::Stop { number, .. } => Some(number),
        FlowEntry::Connection { .. } => None,
    }
}

fn low_half(number: u64) -> u32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

const CREDIT: u8 = 0b00;
const CONNECTION: u8 = 0b01;
const STOP: u8 = 0b10;

/// What bits 6 and 7 of an entry's flags say: no index, one of a byte or of three, or all.
const NO_INDEX: u8 = 0b00;
const BYTE_INDEX: u8 = 0b01;
const LONG_INDEX: u8 = 0b10;
const ALL: u8 = 0b11;

const LIFELINE: u8 = 0b10;

/// Reads an entry: flags `PPLLKKG0`, then the fields that they say. Its number is the low half.
// r[impl ext.flow]
fn entry(reader: &mut Reader<'_>) -> Result<FlowEntry, Violation> {
    let flags = reader.byte().ok_or(malformed("Flow"))?;
    let (parts, limit, kind) = (flags >> 6, (flags >> 4) & 0b11, (flags >> 2) & 0b11);
    let lifeline = flags & LIFELINE != 0;
    let is_legal = match kind {
        CREDIT if parts == ALL => limit == 0 && !lifeline,
        CREDIT => true,
        CONNECTION => parts == NO_INDEX && !lifeline,
        STOP => limit == 0 && !lifeline,
        _ => false,
    };
    if !is_legal || flags & 1 != 0 {
        return Err(Violation::FlowFlags { flags });
    }
    fields(reader, [parts, limit, kind], lifeline).ok_or(malformed("Flow"))
}

fn fields(reader: &mut Reader<'_>, flags: [u8; 3], lifeline: bool) -> Option<FlowEntry> {
    let [parts, width, kind] = flags;
    let width = FLOW_LIMIT.width(width);
    if kind == CONNECTION {
        let limit = reader.u64(width)?;
        return Some(FlowEntry::Connection { limit });
    }
    let number = u64::from(reader.u32(4)?);
    Some(match (kind, parts) {
        (CREDIT, ALL) => FlowEntry::FilesBelow {
            number,
            index: index(reader, LONG_INDEX)?,
        },
        (CREDIT, _) => FlowEntry::Part {
            number,
            part: part(reader, parts)?,
            limit: reader.u64(width)?,
            lifeline,
        },
        (_, ALL) => FlowEntry::Stop { number, part: None },
        _ => FlowEntry::Stop {
            number,
            part: Some(part(reader, parts)?),
        },
    })
}

fn part(reader: &mut Reader<'_>, parts: u8) -> Option<Part> {
    match parts {
        NO_INDEX => Some(Part::Stream),
        _ => index(reader, parts).map(Part::File),
    }
}

fn index(reader: &mut Reader<'_>, parts: u8) -> Option<FileIndex> {
    let width = if parts == BYTE_INDEX { 1 } else { 3 };
    FileIndex::new(reader.u32(width)?)
}

/// Appends an entry in its smallest form.
pub(crate) fn put_entry(dst: &mut Vec<u8>, entry: FlowEntry) {
    match entry {
        FlowEntry::Part {
            number,
            part,
            limit,
            lifeline,
        } => {
            let (parts, index) = parts_of(Some(part));
            let (code, width) = FLOW_LIMIT.smallest(limit);
            let lifeline = if lifeline { LIFELINE } else { 0 };
            dst.push((parts << 6) | (code << 4) | (CREDIT << 2) | lifeline);
            put_number(dst, number);
            put_index(dst, parts, index);
            uint::put(dst, limit, width);
        }
        FlowEntry::FilesBelow { number, index } => {
            dst.push((ALL << 6) | (CREDIT << 2));
            put_number(dst, number);
            uint::put(dst, index.get().into(), 3);
        }
        FlowEntry::Connection { limit } => {
            let (code, width) = FLOW_LIMIT.smallest(limit);
            dst.push((code << 4) | (CONNECTION << 2));
            uint::put(dst, limit, width);
        }
        FlowEntry::Stop { number, part } => {
            let (parts, index) = parts_of(part);
            dst.push((parts << 6) | (STOP << 2));
            put_number(dst, number);
            put_index(dst, parts, index);
        }
    }
}

fn parts_of(part: Option<Part>) -> (u8, FileIndex) {
    match part {
        None => (ALL, FileIndex::ZERO),
        Some(Part::Stream) => (NO_INDEX, FileIndex::ZERO),
        Some(Part::File(index)) if index.get() <= u8::MAX.into() => (BYTE_INDEX, index),
        Some(Part::File(index)) => (LONG_INDEX, index),
    }
}

fn put_number(dst: &mut Vec<u8>, number: u64) {
    uint::put(dst, number, 4);
}

fn put_index(dst: &mut Vec<u8>, parts: u8, index: FileIndex) {
    match parts {
        BYTE_INDEX => uint::put(dst, index.get().into(), 1),
        LONG_INDEX => uint::put(dst, index.get().into(), 3),
        _ => {}
    }
}

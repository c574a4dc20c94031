use uuid::Uuid;

use crate::reader::Reader;
use crate::uint::{self, FILE_INDEX, PACKET_SIZE};
use crate::{ChannelId, FileIndex, ReplyCode};

/// A packet without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Switch(ChannelId),
    Message(Opening),
    Response(Opening),
    FastReply { id: Uuid, code: ReplyCode },
    Continue { size: u32 },
    Stream { size: u32 },
    StreamEnd,
    Abort,
    Heartbeat,
    GoAway,
    File { index: FileIndex, size: u32 },
    FileEnd { index: FileIndex },
    Data { size: u32 },
    Unassigned { byte: u8 },
}

/// What the first packet of a message or response says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    /// Bytes of the header in this packet.
    pub(crate) size: u32,
    pub(crate) has_stream: bool,
    pub(crate) expects_response: bool,
}

impl Packet {
    /// The length of the longest, a fast reply in its long form.
    pub(crate) const MAX_LENGTH: usize = 18;

    /// The length of the packet that starts with `first`, without its content.
    pub(crate) fn length(first: u8) -> usize {
        let size = PACKET_SIZE.width(first >> 2);
        let index = FILE_INDEX.width(first);
        let rest = match first >> 4 {
            0x1 => 1,
            0x3 => 16,
            0x4 => 17,
            0x2 | 0x5 | 0x6 | 0x7 | 0xE => size,
            0xC => size.saturating_add(index),
            0xD => index,
            _ => 0,
        };
        usize::from(rest).saturating_add(1)
    }

    /// Whether reserved bits are set in `first`.
    // r[impl packet.reserved]
    #[inline]
    pub(crate) const fn has_reserved_bits(first: u8) -> bool {
        let reserved = match first >> 4 {
            0x6 | 0x7 | 0xE => 0b0011,
            0x8..=0xB => 0b1111,
            0xD => 0b1100,
            _ => 0,
        };
        first & reserved != 0
    }

    /// Decodes a packet without its content; `None` if it is incomplete.
    #[inline]
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let first = reader.byte()?;
        Some(match first >> 4 {
            // r[impl packet.switch.low]
            0x0 => Self::Switch(ChannelId::from_parts(0, first)),
            // r[impl packet.switch.long]
            0x1 => Self::Switch(ChannelId::from_parts(first, reader.byte()?)),
            // r[impl packet.message]
            0x2 => Self::Message(Opening::decode(first, reader)?),
            // r[impl packet.reply.low]
            0x3 => Self::FastReply {
                code: ReplyCode::from_parts(0, first & 0x0F),
                id: reader.uuid()?,
            },
            // r[impl packet.reply.long]
            0x4 => Self::FastReply {
                code: ReplyCode::from_parts(first, reader.byte()?),
                id: reader.uuid()?,
            },
            // r[impl packet.response]
            0x5 => Self::Response(Opening::decode(first, reader)?),
            // r[impl packet.continue]
            0x6 => Self::Continue {
                size: size(first, reader)?,
            },
            // r[impl packet.stream]
            0x7 => Self::Stream {
                size: size(first, reader)?,
            },
            // r[impl packet.stream.end]
            0x8 => Self::StreamEnd,
            // r[impl packet.abort]
            0x9 => Self::Abort,
            // r[impl packet.heartbeat]
            0xA => Self::Heartbeat,
            // r[impl packet.goaway]
            0xB => Self::GoAway,
            // r[impl packet.file]
            // r[impl packet.file.wide]
            0xC => {
                let size = size(first, reader)?;
                let index = file_index(first, reader)?;
                Self::File { index, size }
            }
            // r[impl packet.file.end]
            0xD => Self::FileEnd {
                index: file_index(first, reader)?,
            },
            // r[impl packet.data]
            0xE => Self::Data {
                size: size(first, reader)?,
            },
            _ => Self::Unassigned { byte: first },
        })
    }

    /// Decodes a Data packet without its content, and returns its size; `None` if it is another
    /// packet or incomplete.
    #[inline]
    pub(crate) fn decode_data(reader: &mut Reader<'_>) -> Option<u32> {
        let first = reader.byte()?;
        if first >> 4 != 0xE {
            return None;
        }
        size(first, reader)
    }

    /// Appends a fast reply.
    // r[impl packet.reply.smallest]
    #[inline]
    pub(crate) fn encode_fast_reply(dst: &mut Vec<u8>, id: Uuid, code: ReplyCode) {
        match code.to_parts() {
            [0, low @ 0..=0x0F] => dst.extend_from_slice(&joined(0x30 | low, id)),
            [high, low] => {
                dst.push(0x40 | high);
                dst.extend_from_slice(&joined(low, id));
            }
        }
    }

    /// Appends a Data packet without its content, of which there are `size` bytes.
    #[inline]
    pub(crate) fn encode_data(dst: &mut Vec<u8>, size: u32) {
        put_sized(dst, 0xE0, size);
    }

    /// Appends the first byte with the width of the size, and the size.
    pub(crate) fn encode_sized(dst: &mut Vec<u8>, first: u8, size: u32) {
        put_sized(dst, first, size);
    }

    /// Appends the packet without its content, in the smallest form.
    // r[impl number.split]
    #[inline]
    pub(crate) fn encode(self, dst: &mut Vec<u8>) {
        match self {
            // r[impl packet.switch.smallest]
            Self::Switch(channel) => match channel.to_parts() {
                [0, low @ 0..=0x0F] => dst.push(low),
                [high, low] => dst.extend_from_slice(&[0x10 | high, low]),
            },
            Self::Message(opening) => opening.encode(dst, false),
            Self::Response(opening) => opening.encode(dst, true),
            Self::FastReply { id, code } => Self::encode_fast_reply(dst, id, code),
            Self::Continue { size } => put_sized(dst, 0x60, size),
            Self::Stream { size } => put_sized(dst, 0x70, size),
            Self::StreamEnd => dst.push(0x80),
            Self::Abort => dst.push(0x90),
            Self::Heartbeat => dst.push(0xA0),
            Self::GoAway => dst.push(0xB0),
            Self::File { index, size } => {
                let (code, width) = FILE_INDEX.smallest(index.get().into());
                put_sized(dst, 0xC0 | code, size);
                uint::put(dst, index.get().into(), width);
            }
            Self::FileEnd { index } => {
                let (code, width) = FILE_INDEX.smallest(index.get().into());
                dst.push(0xD0 | code);
                uint::put(dst, index.get().into(), width);
            }
            Self::Data { size } => Self::encode_data(dst, size),
            Self::Unassigned { byte } => dst.push(byte),
        }
    }
}

impl Opening {
    // r[impl packet.head.flags]
    #[inline]
    fn decode(first: u8, reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            size: size(first, reader)?,
            has_stream: first & 0b10 != 0,
            expects_response: first & 0b01 != 0,
        })
    }

    /// Appends the packet of a message or response, without its content.
    #[inline]
    pub(crate) fn encode(self, dst: &mut Vec<u8>, is_response: bool) {
        let kind = if is_response { 0x50 } else { 0x20 };
        let stream = u8::from(self.has_stream) << 1;
        let response = u8::from(self.expects_response);
        put_sized(dst, kind | stream | response, self.size);
    }
}

// r[impl packet.size]
// r[impl packet.size.any]
#[inline]
fn size(first: u8, reader: &mut Reader<'_>) -> Option<u32> {
    reader.u32(PACKET_SIZE.width(first >> 2))
}

// r[impl packet.file.index]
#[inline]
fn file_index(first: u8, reader: &mut Reader<'_>) -> Option<FileIndex> {
    reader
        .u32(FILE_INDEX.width(first))
        .map(FileIndex::from_low_bits)
}

#[inline]
fn put_sized(dst: &mut Vec<u8>, first: u8, size: u32) {
    if let Ok(size) = u8::try_from(size) {
        return dst.extend_from_slice(&[first, size]);
    }
    let (code, width) = PACKET_SIZE.smallest(size.into());
    dst.push(first | (code << 2));
    uint::put(dst, size.into(), width);
}

/// A byte and an id, joined so that appending them checks the capacity once.
#[inline]
pub(crate) fn joined(first: u8, id: Uuid) -> [u8; 17] {
    let mut bytes = [first; 17];
    let (_, rest) = bytes.split_at_mut(1);
    rest.copy_from_slice(id.as_bytes());
    bytes
}

use uuid::Uuid;

use crate::extension::Kind;
use crate::packet::Packet;
use crate::reader::Reader;
use crate::uint::PACKET_SIZE;
use crate::{ChannelId, FileIndex, ReplyCode};

/// A packet without its content. It is for tools that show single packets, in addition to a
/// [`Decoder`](crate::Decoder) that says what they mean.
///
/// It says where a packet ends, but not whether the packet is legal at this point: packets of the
/// [extension](crate::extension) are decoded here on every connection. The connection header is not
/// a packet.
///
/// # Examples
///
/// ```
/// use sockety_codec::{PacketHead, PacketKind};
///
/// let head = PacketHead::decode(&[0xE0, 5, b'h', b'e', b'l', b'l', b'o']).unwrap();
/// assert_eq!(head.kind, PacketKind::Data);
/// assert_eq!((head.length, head.content), (2, 5));
/// assert_eq!(PacketHead::decode(&[0xE0]), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PacketHead {
    /// The type of the packet, with its fields.
    pub kind: PacketKind,
    /// The number of bytes before its content.
    pub length: usize,
    /// The number of bytes of its content, which follow. The content of a Message, Response or
    /// Continue packet is a piece of a header.
    pub content: u32,
}

/// The type of a packet, with the fields before its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PacketKind {
    /// Makes a channel the current one (`packet.switch.low`).
    SwitchChannel(ChannelId),
    /// Starts a message (`packet.message`).
    Message,
    /// Starts a response (`packet.response`).
    Response,
    /// Answers with a code (`packet.reply.low`).
    FastReply {
        /// The message or response that is answered.
        id: Uuid,
        /// The code.
        code: ReplyCode,
    },
    /// Continues a header (`packet.continue`).
    Continue,
    /// A piece of a stream (`packet.stream`).
    Stream,
    /// The end of a stream (`packet.stream.end`).
    StreamEnd,
    /// Aborts the message in progress (`packet.abort`).
    Abort,
    /// Says that the sender is alive (`packet.heartbeat`).
    Heartbeat,
    /// Says that the sender is about to close the connection (`packet.goaway`).
    GoAway,
    /// A piece of a file (`packet.file`).
    File(FileIndex),
    /// The end of a file (`packet.file.end`).
    FileEnd(FileIndex),
    /// A piece of a payload (`packet.data`).
    Data,
    /// Settings and signals of the extension (`ext.packet`).
    Control,
    /// Metadata of the next message, response or fast reply (`ext.meta.place`).
    Metadata,
    /// Credit for content, and requests to stop sending some (`ext.flow`).
    Flow,
    /// The unassigned kind of the extension's type (`ext.packet.kind`). Its end is not known.
    Unassigned,
}

impl PacketHead {
    /// The length of the longest head, which is a fast reply in its long form.
    pub const MAX_LENGTH: usize = Packet::MAX_LENGTH;

    /// Decodes the packet at the start of `bytes`; `None` if its head is incomplete.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let first = *bytes.first()?;
        if let Some(kind) = PacketKind::of_extension(first) {
            let width = PACKET_SIZE.width(first >> 2);
            let mut reader = Reader::new(bytes.get(1..)?);
            return Some(Self {
                kind,
                length: usize::from(width).saturating_add(1),
                content: reader.u32(width)?,
            });
        }
        let length = Packet::length(first);
        let (kind, content) = match Packet::decode(&mut Reader::new(bytes))? {
            Packet::Switch(channel) => (PacketKind::SwitchChannel(channel), 0),
            Packet::Message(opening) => (PacketKind::Message, opening.size),
            Packet::Response(opening) => (PacketKind::Response, opening.size),
            Packet::FastReply { id, code } => (PacketKind::FastReply { id, code }, 0),
            Packet::Continue { size } => (PacketKind::Continue, size),
            Packet::Stream { size } => (PacketKind::Stream, size),
            Packet::StreamEnd => (PacketKind::StreamEnd, 0),
            Packet::Abort => (PacketKind::Abort, 0),
            Packet::Heartbeat => (PacketKind::Heartbeat, 0),
            Packet::GoAway => (PacketKind::GoAway, 0),
            Packet::File { index, size } => (PacketKind::File(index), size),
            Packet::FileEnd { index } => (PacketKind::FileEnd(index), 0),
            Packet::Data { size } => (PacketKind::Data, size),
            Packet::Unassigned { .. } => (PacketKind::Unassigned, 0),
        };
        Some(Self {
            kind,
            length,
            content,
        })
    }
}

impl PacketKind {
    /// The kind of a packet of the extension; `None` for the unassigned one, and for other types.
    fn of_extension(first: u8) -> Option<Self> {
        if first >> 4 != 0xF {
            return None;
        }
        Some(match Kind::of(first).ok()? {
            Kind::Control => Self::Control,
            Kind::Metadata => Self::Metadata,
            Kind::Flow => Self::Flow,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_as_long_as_the_packet_without_its_content() {
        let check = |bytes: &[u8], kind, content| {
            let head = PacketHead::decode(bytes).unwrap();
            let length = bytes.len();
            assert_eq!(
                head,
                PacketHead {
                    kind,
                    length,
                    content
                }
            );
            // One byte less is incomplete.
            assert_eq!(PacketHead::decode(&bytes[..length - 1]), None);
        };
        let channel = |id| PacketKind::SwitchChannel(ChannelId::new(id).unwrap());
        check(&[0x05], channel(5), 0);
        check(&[0x11, 0x02], channel(0x102), 0);
        check(&[0x25, 0, 1], PacketKind::Message, 256);
        check(&[0x6C, 0, 0, 0, 1], PacketKind::Continue, 1 << 24);
        let file = PacketKind::File(FileIndex::new(7).unwrap());
        check(&[0xC1, 9, 7], file, 9);
        let mut reply = [0; PacketHead::MAX_LENGTH];
        reply[0] = 0x41;
        let code = ReplyCode::new(256).unwrap();
        let id = Uuid::nil();
        check(&reply, PacketKind::FastReply { id, code }, 0);
        check(&[0xF0, 9], PacketKind::Control, 9);
        check(&[0xF5, 0, 1], PacketKind::Metadata, 256);
        check(&[0xFA, 1, 2, 3], PacketKind::Flow, 0x03_0201);
        check(&[0xFC, 0, 0, 0, 1], PacketKind::Control, 1 << 24);
        for first in [0xF3, 0xF7, 0xFB, 0xFF] {
            check(&[first], PacketKind::Unassigned, 0);
        }
    }
}

use core::fmt;

use thiserror::Error;

use crate::{ChannelCount, ChannelId, FileIndex};

/// The peer broke a rule in a way that ends the connection.
///
/// One variant per rule, with the value that breaks it; [`rule`](Self::rule) returns the id of the
/// rule in the [protocol](crate::protocol).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Violation {
    /// The first byte does not start a connection header (`header.form`).
    #[error("invalid connection header: first byte is {byte:#04x}{}", Cause(self.likely_cause()))]
    NotSockety {
        /// The byte.
        byte: u8,
    },
    /// The connection header offers 0 or more than 4096 channels (`header.count.range`).
    #[error("invalid channel count {count}: must be 1 to 4096")]
    ChannelCount {
        /// The count.
        count: u16,
    },
    /// A packet has the unassigned type (`packet.unknown`).
    #[error("unknown packet type: first byte is {byte:#04x}")]
    UnknownPacket {
        /// Its first byte.
        byte: u8,
    },
    /// A switch to a channel that we do not receive on (`packet.switch.range`).
    #[error("channel {channel} is out of range: {channels} channels are received on")]
    ChannelOutOfRange {
        /// The channel switched to.
        channel: ChannelId,
        /// The channels that we receive on.
        channels: ChannelCount,
    },
    /// A message or response starts while another is in progress (`content.busy`).
    #[error("message started on channel {channel} while another is in progress")]
    ChannelBusy {
        /// The channel.
        channel: ChannelId,
    },
    /// A Continue packet arrives where no header is in progress (`head.continue`).
    #[error("header continued by {size} bytes on channel {channel}, where none has started")]
    NoMessage {
        /// The channel.
        channel: ChannelId,
        /// Size of the packet.
        size: u32,
    },
    /// A Continue packet arrives after the end of the header (`head.continue.ended`).
    #[error("header continued by {size} bytes on channel {channel}, where it is complete")]
    ContinueAfterHeader {
        /// The channel.
        channel: ChannelId,
        /// Size of the packet.
        size: u32,
    },
    /// Bytes follow the end of a header inside its packet (`head.trailing`).
    #[error("{bytes} bytes after the end of the header in its packet on channel {channel}")]
    HeaderTrailing {
        /// The channel.
        channel: ChannelId,
        /// Their number.
        bytes: u32,
    },
    /// A header continues far beyond the limits (`limits.abuse`).
    #[error("header on channel {channel} is too long: {bytes} bytes in {pieces} packets")]
    HeaderAbuse {
        /// The channel.
        channel: ChannelId,
        /// Bytes of the header so far.
        bytes: u64,
        /// Packets of the header so far.
        pieces: u32,
    },
    /// The incomplete headers of all channels together are too large (`limits.held`).
    #[error("incomplete headers hold {held} bytes: limit is {limit}")]
    HeldHeaders {
        /// Bytes held.
        held: u64,
        /// The limit.
        limit: u64,
    },
    /// Payload where none is expected (`content.data.announced`).
    #[error("unexpected payload of {size} bytes on channel {channel}")]
    UnexpectedData {
        /// The channel.
        channel: ChannelId,
        /// Size of the packet.
        size: u32,
    },
    /// More payload than announced (`content.data.exact`).
    #[error("payload on channel {channel} is too long: {size} bytes received, {left} expected")]
    DataOverflow {
        /// The channel.
        channel: ChannelId,
        /// Size of the packet.
        size: u32,
        /// Bytes of the payload still expected.
        left: u64,
    },
    /// Stream content, or its end, where no stream was announced (`content.stream.announced`).
    #[error("unexpected stream on channel {channel}")]
    UnexpectedStream {
        /// The channel.
        channel: ChannelId,
    },
    /// Stream content, or another end, after the end of the stream (`content.stream.once`).
    #[error("stream on channel {channel} continued after its end")]
    StreamEnded {
        /// The channel.
        channel: ChannelId,
    },
    /// A file that was not announced (`content.file.index`).
    #[error("file {index} on channel {channel} is out of range: {count} files were announced")]
    FileIndex {
        /// The channel.
        channel: ChannelId,
        /// The file.
        index: FileIndex,
        /// Files announced.
        count: u32,
    },
    /// A file before its header (`content.file.header`).
    #[error("file {index} on channel {channel} arrived before its header")]
    FileBeforeHeader {
        /// The channel.
        channel: ChannelId,
        /// The file.
        index: FileIndex,
    },
    /// Content or another end of a file after its end (`content.file.once`).
    #[error("file {index} on channel {channel} continued after its end")]
    FileEnded {
        /// The channel.
        channel: ChannelId,
        /// The file.
        index: FileIndex,
    },
    /// Reserved bits are set, and the limits are strict (`limits.strict`).
    #[error("reserved bits are set in byte {byte:#04x}")]
    ReservedBits {
        /// The byte.
        byte: u8,
    },
    /// A packet without content, and the limits are strict (`limits.strict`).
    #[error("empty packet on channel {channel}")]
    EmptyPacket {
        /// The channel.
        channel: ChannelId,
    },
    /// An abort where nothing is in progress, and the limits are strict (`limits.strict`).
    #[error("abort on channel {channel}, where nothing is in progress")]
    AbortWithoutMessage {
        /// The channel.
        channel: ChannelId,
    },
}

/// What is said after the byte that began no connection header.
struct Cause(Option<&'static str>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl Violation {
    /// What a peer that does not begin with a connection header probably does instead, judging by
    /// its first byte: "the peer speaks TLS".
    pub const fn likely_cause(&self) -> Option<&'static str> {
        let Self::NotSockety { byte } = self else {
            return None;
        };
        Some(match byte {
            0x15 | 0x16 => "the peer speaks TLS, use tls:// on both sides",
            b'\r' => "the peer, or a proxy before it, sends a PROXY protocol header",
            b'P' => "the peer speaks HTTP, or a proxy sends a PROXY protocol header",
            b'G' | b'H' | b'D' | b'O' => "the peer speaks HTTP",
            b'S' => "the peer speaks SSH",
            _ => return None,
        })
    }

    /// The id of the broken rule in the [protocol](crate::protocol).
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::NotSockety { .. } => "header.form",
            Self::ChannelCount { .. } => "header.count.range",
            Self::UnknownPacket { .. } => "packet.unknown",
            Self::ChannelOutOfRange { .. } => "packet.switch.range",
            Self::ChannelBusy { .. } => "content.busy",
            Self::NoMessage { .. } => "head.continue",
            Self::ContinueAfterHeader { .. } => "head.continue.ended",
            Self::HeaderTrailing { .. } => "head.trailing",
            Self::HeaderAbuse { .. } => "limits.abuse",
            Self::HeldHeaders { .. } => "limits.held",
            Self::UnexpectedData { .. } => "content.data.announced",
            Self::DataOverflow { .. } => "content.data.exact",
            Self::UnexpectedStream { .. } => "content.stream.announced",
            Self::StreamEnded { .. } => "content.stream.once",
            Self::FileIndex { .. } => "content.file.index",
            Self::FileBeforeHeader { .. } => "content.file.header",
            Self::FileEnded { .. } => "content.file.once",
            Self::ReservedBits { .. }
            | Self::EmptyPacket { .. }
            | Self::AbortWithoutMessage { .. } => "limits.strict",
        }
    }
}

use thiserror::Error;

use crate::{ChannelCount, ChannelId, FileIndex};

/// The peer broke a rule in a way that ends the connection.
///
/// One variant per rule, with the value that breaks it; [`rule`](Self::rule) gives the id of the
/// rule in the [protocol](crate::protocol).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Violation {
    /// The first byte does not begin a connection header (`header.form`).
    #[error("the first byte {byte:#04x} does not begin a connection header")]
    NotSockety {
        /// The byte.
        byte: u8,
    },
    /// The connection header offers 0 or more than 4096 channels (`header.count.range`).
    #[error("the connection header offers {count} channels, not 1 to 4096")]
    ChannelCount {
        /// The count.
        count: u16,
    },
    /// A packet has the type that is not assigned (`packet.unknown`).
    #[error("no packet begins with {byte:#04x}")]
    UnknownPacket {
        /// Its first byte.
        byte: u8,
    },
    /// A switch to a channel that we do not receive on (`packet.switch.range`).
    #[error("channel {channel} is not among the {channels} channels received on")]
    ChannelOutOfRange {
        /// The channel switched to.
        channel: ChannelId,
        /// The channels that exist.
        channels: ChannelCount,
    },
    /// A message or response begins while another is in progress (`content.busy`).
    #[error("a message begins on channel {channel} while another is in progress there")]
    ChannelBusy {
        /// The channel.
        channel: ChannelId,
    },
    /// A header goes on where none has begun (`head.continue`).
    #[error("a header goes on by {size} bytes on channel {channel}, where none has begun")]
    NoMessage {
        /// The channel.
        channel: ChannelId,
        /// Size of the packet.
        size: u32,
    },
    /// A header goes on after its end (`head.continue.ended`).
    #[error("a header goes on by {size} bytes on channel {channel}, where it is whole")]
    ContinueAfterHeader {
        /// The channel.
        channel: ChannelId,
        /// Size of the packet.
        size: u32,
    },
    /// Bytes follow a header inside its packet (`head.trailing`).
    #[error("{bytes} bytes follow the header on channel {channel} inside its packet")]
    HeaderTrailing {
        /// The channel.
        channel: ChannelId,
        /// Their number.
        bytes: u32,
    },
    /// A header far beyond the limits goes on (`limits.abuse`).
    #[error("the header on channel {channel} goes on after {bytes} bytes in {pieces} packets")]
    HeaderAbuse {
        /// The channel.
        channel: ChannelId,
        /// Bytes of the header so far.
        bytes: u64,
        /// Packets of the header so far.
        pieces: u32,
    },
    /// The incomplete headers of all channels are too large together (`limits.held`).
    #[error("incomplete headers hold {held} bytes, above the limit of {limit}")]
    HeldHeaders {
        /// Bytes held.
        held: u64,
        /// The limit.
        limit: u64,
    },
    /// Payload where none is awaited (`content.data.announced`).
    #[error("{size} bytes of payload on channel {channel}, where none are awaited")]
    UnexpectedData {
        /// The channel.
        channel: ChannelId,
        /// Size of the packet.
        size: u32,
    },
    /// More payload than announced (`content.data.exact`).
    #[error("{size} bytes of payload on channel {channel}, where {left} are still to come")]
    DataOverflow {
        /// The channel.
        channel: ChannelId,
        /// Size of the packet.
        size: u32,
        /// Bytes still to come.
        left: u64,
    },
    /// Stream content, or its end, where no stream was announced (`content.stream.announced`).
    #[error("a stream on channel {channel}, where none was announced")]
    UnexpectedStream {
        /// The channel.
        channel: ChannelId,
    },
    /// Stream content, or another end, after the end of the stream (`content.stream.once`).
    #[error("the stream on channel {channel} goes on after its end")]
    StreamEnded {
        /// The channel.
        channel: ChannelId,
    },
    /// A file that was not announced (`content.file.index`).
    #[error("file {index} on channel {channel}, where {count} files were announced")]
    FileIndex {
        /// The channel.
        channel: ChannelId,
        /// The file.
        index: FileIndex,
        /// Files announced.
        count: u32,
    },
    /// A file before its header (`content.file.header`).
    #[error("file {index} on channel {channel} comes before its header")]
    FileBeforeHeader {
        /// The channel.
        channel: ChannelId,
        /// The file.
        index: FileIndex,
    },
    /// Content or another end of a file after its end (`content.file.once`).
    #[error("file {index} on channel {channel} goes on after its end")]
    FileEnded {
        /// The channel.
        channel: ChannelId,
        /// The file.
        index: FileIndex,
    },
    /// Bits without a meaning are set, and the limits are strict (`limits.strict`).
    #[error("bits without a meaning are set in {byte:#04x}")]
    ReservedBits {
        /// The byte.
        byte: u8,
    },
    /// A packet without content, and the limits are strict (`limits.strict`).
    #[error("a packet on channel {channel} is empty")]
    EmptyPacket {
        /// The channel.
        channel: ChannelId,
    },
    /// An abort where nothing is in progress, and the limits are strict (`limits.strict`).
    #[error("an abort on channel {channel}, where nothing is in progress")]
    AbortWithoutMessage {
        /// The channel.
        channel: ChannelId,
    },
}

impl Violation {
    /// Id of the broken rule in the [protocol](crate::protocol).
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

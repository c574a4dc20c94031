use thiserror::Error;

use crate::{ChannelCount, ChannelId, FileIndex};

/// The caller asked for something that the protocol does not allow. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UsageError {
    /// The peer does not receive on this channel (`header.count`).
    #[error("channel {channel} is not among the {channels} channels that the peer receives on")]
    ChannelOutOfRange {
        /// The channel.
        channel: ChannelId,
        /// The channels the peer receives on.
        channels: ChannelCount,
    },
    /// Another message is in progress on this channel (`content.busy`).
    #[error("channel {channel} is in use until everything announced on it is sent")]
    ChannelBusy {
        /// The channel.
        channel: ChannelId,
    },
    /// A message was aborted on this channel, which is not to be used again
    /// (`content.abort.retire`).
    #[error("channel {channel} is not to be used again after an abort")]
    ChannelRetired {
        /// The channel.
        channel: ChannelId,
    },
    /// No message is in progress on this channel.
    #[error("no message is in progress on channel {channel}")]
    NothingOpen {
        /// The channel.
        channel: ChannelId,
    },
    /// The action is longer than 65,535 bytes (`head.action`).
    #[error("the action is {length} bytes long, more than 65,535")]
    ActionTooLong {
        /// Its length.
        length: usize,
    },
    /// The payload is larger than 2^48 - 1 bytes (`head.payload`), or too large for the one
    /// packet asked for.
    #[error("the payload is {size} bytes long, more than {max}")]
    PayloadTooLarge {
        /// Its size.
        size: u64,
        /// The most that is possible.
        max: u64,
    },
    /// The header says something else about its files than they do (`head.files.sum`), or they
    /// are more than can be announced (`head.files.count`, `head.files.total`).
    #[error("the files are not those that the header announces, or too many")]
    FilesMismatch,
    /// The size of a file is over 2^48 - 1 bytes or its name over 65,535 (`head.file`).
    #[error("the size or the name of file {index} cannot be announced")]
    BadFileHeader {
        /// The file.
        index: FileIndex,
    },
    /// The header is larger than 4 GiB, and so does not fit one packet (`head.whole`).
    #[error("the header is larger than one packet")]
    HeaderTooLarge,
    /// A packet without content was asked for (`packet.empty.write`).
    #[error("a packet of content has at least one byte")]
    EmptyPacket,
    /// More payload than announced (`content.data.exact`).
    #[error("{size} bytes of payload, where {left} are left of those announced")]
    DataOverflow {
        /// Size of the packet.
        size: u32,
        /// Bytes not yet sent.
        left: u64,
    },
    /// No stream was announced, or it has ended (`content.stream.announced`,
    /// `content.stream.once`).
    #[error("no stream is in progress on channel {channel}")]
    NoStream {
        /// The channel.
        channel: ChannelId,
    },
    /// The file was not announced, or has ended (`content.file.index`, `content.file.once`).
    #[error("file {index} is not in progress on channel {channel}")]
    NoFile {
        /// The channel.
        channel: ChannelId,
        /// The file.
        index: FileIndex,
    },
    /// More content of a file than announced (`content.file.size`).
    #[error("{size} bytes of file {index}, where {left} are left of those announced")]
    FileOverflow {
        /// The file.
        index: FileIndex,
        /// Size of the packet.
        size: u32,
        /// Bytes not yet sent.
        left: u64,
    },
    /// A file packet of 16 MiB or more (`packet.file.small`).
    #[error("{size} bytes of a file in one packet, more than 16,777,215")]
    FilePacketTooLarge {
        /// Size of the packet.
        size: u32,
    },
}

use thiserror::Error;

use crate::{ChannelCount, ChannelId, FileIndex};

/// The caller asked for something that the protocol does not allow. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UsageError {
    /// The peer does not receive on this channel (`header.count`).
    #[error("channel {channel} is out of range: the peer receives on {channels} channels")]
    ChannelOutOfRange {
        /// The channel.
        channel: ChannelId,
        /// The channels that the peer receives on.
        channels: ChannelCount,
    },
    /// Another message is in progress on this channel (`content.busy`).
    #[error("channel {channel} is in use: announced content has not been sent")]
    ChannelBusy {
        /// The channel.
        channel: ChannelId,
    },
    /// A message was aborted on this channel, which must not be used again
    /// (`content.abort.retire`).
    #[error("channel {channel} cannot be used again after an abort")]
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
    #[error("action is {length} bytes long: maximum is 65535")]
    ActionTooLong {
        /// Its length.
        length: usize,
    },
    /// The payload is larger than 2^48 - 1 bytes (`head.payload`), or does not fit in the single
    /// packet requested.
    #[error("payload is {size} bytes long: maximum is {max}")]
    PayloadTooLarge {
        /// Its size.
        size: u64,
        /// The maximum.
        max: u64,
    },
    /// The head announces other files than the given ones (`head.files.sum`), or there are more
    /// than can be announced (`head.files.count`, `head.files.total`).
    #[error("files differ from those announced in the head, or are too many")]
    FilesMismatch,
    /// The size of a file exceeds 2^48 - 1 bytes, or its name 65,535 bytes (`head.file`).
    #[error("size or name of file {index} is too large to announce")]
    BadFileHeader {
        /// The file.
        index: FileIndex,
    },
    /// The header is larger than 4 GiB, and does not fit in one packet (`head.whole`).
    #[error("header does not fit in one packet")]
    HeaderTooLarge,
    /// A packet without content was requested (`packet.empty.write`).
    #[error("packet has no content: at least one byte is required")]
    EmptyPacket,
    /// More payload than announced (`content.data.exact`).
    #[error("{size} bytes of payload exceed the {left} bytes left of those announced")]
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
    #[error("{size} bytes of file {index} exceed the {left} bytes left of those announced")]
    FileOverflow {
        /// The file.
        index: FileIndex,
        /// Size of the packet.
        size: u32,
        /// Bytes not yet sent.
        left: u64,
    },
    /// Metadata, or one of its values, is longer than the peer accepts (`ext.meta.bound`).
    #[error("metadata of {size} bytes is over the limit of {limit}")]
    MetadataTooLarge {
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Metadata has too many entries (`ext.meta.bound`).
    #[error("metadata has {count} entries: maximum is 64")]
    MetadataEntries {
        /// Their number.
        count: usize,
    },
    /// A name of metadata is not legal, or there twice (`ext.meta.user`).
    #[error("name of metadata is invalid or there twice")]
    MetadataName,
    /// The error of a status is too large (`ext.status.content`).
    #[error("error of a status has {size} bytes: maximum is 4096")]
    StatusTooLarge {
        /// Its size.
        size: usize,
    },
    /// A file packet of 16 MiB or more (`packet.file.small`).
    #[error("file packet has {size} bytes of content: maximum is 16777215")]
    FilePacketTooLarge {
        /// Size of the packet.
        size: u32,
    },
}

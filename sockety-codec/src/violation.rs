use core::fmt;

use thiserror::Error;

use crate::{
    ChannelCount, ChannelId, FileIndex, Part,
    extension::{setting_range, zero_is_allowed},
    uint::U48_MAX,
};

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
    /// More content of a message than was granted (`ext.credit.message`).
    #[error(
        "message {number} sent {used} bytes beyond the limits of its parts: window is {window}"
    )]
    MessageCredit {
        /// The message.
        number: u64,
        /// Its bytes beyond the limits of its parts.
        used: u64,
        /// The window of a message.
        window: u64,
    },
    /// More content than was granted for the connection (`ext.credit.connection`).
    #[error("content of the connection reached {total} bytes: limit is {limit}")]
    ConnectionCredit {
        /// The content, without lifelines.
        total: u64,
        /// The largest limit that was sent.
        limit: u64,
    },
    /// A Flow entry for a part that its message does not have (`ext.credit.grows`).
    #[error("flow entry for {part} of message {number}, which has none")]
    FlowPart {
        /// The message.
        number: u64,
        /// The part.
        part: Part,
    },
    /// A Flow entry says that a file was read to its end, which was not sent
    /// (`ext.credit.enough`).
    #[error("flow entry releases file {index} of message {number} before its end")]
    FlowFileOpen {
        /// The message.
        number: u64,
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
    /// A packet of the extension has the unassigned kind (`ext.packet.kind`).
    #[error("unknown kind of extension packet: first byte is {byte:#04x}")]
    ExtensionKind {
        /// Its first byte.
        byte: u8,
    },
    /// A packet of the extension is too large (`ext.packet.bound`).
    #[error("{packet} packet of {size} bytes is over the limit of {limit}")]
    ExtensionTooLarge {
        /// Control, Metadata or Flow.
        packet: &'static str,
        /// Size of its content.
        size: u32,
        /// The limit.
        limit: u32,
    },
    /// The content of a packet of the extension ends inside a field, goes on after the last one, or
    /// has no such form (`ext.content.exact`).
    #[error("malformed content of {what}")]
    ExtensionContent {
        /// The packet.
        what: &'static str,
    },
    /// The first packet is not Settings (`ext.settings.first`).
    #[error("first packet is not Settings: first byte is {byte:#04x}")]
    SettingsMissing {
        /// Its first byte.
        byte: u8,
    },
    /// Settings are sent again (`ext.settings.first`).
    #[error("Settings sent twice")]
    SettingsAgain,
    /// A setting is there twice (`ext.settings.entries`).
    #[error("setting {id} is there twice")]
    SettingRepeated {
        /// Its id.
        id: u8,
    },
    /// A setting is out of its range (`ext.settings.entries`).
    #[error("setting {id} is {value}, must be {}", Range(*id))]
    SettingRange {
        /// Its id.
        id: u8,
        /// Its value.
        value: u64,
    },
    /// A kind of Control packet that may not be skipped is not known (`ext.control.unknown`).
    #[error("unknown kind of Control packet: {kind}")]
    ControlKind {
        /// The kind.
        kind: u8,
    },
    /// A number of a message that has not begun (`ext.number.unknown`).
    #[error("number {number} has not begun: {begun} messages have")]
    NumberUnknown {
        /// The low half of the number.
        number: u32,
        /// How many messages and responses have begun.
        begun: u64,
    },
    /// More cancels than messages and responses that expect a response (`ext.cancel.count`).
    #[error(
        "{cancels} numbers cancelled, maximum is the number of requests that have begun: {requests}"
    )]
    Cancels {
        /// How many numbers Cancel has named.
        cancels: u64,
        /// How many messages and responses that expect a response have begun.
        requests: u64,
    },
    /// The flags of an entry in a Flow packet are not legal (`ext.flow`).
    #[error("invalid flags of a Flow entry: {flags:#04x}")]
    FlowFlags {
        /// The flags.
        flags: u8,
    },
    /// Metadata is not followed by what it belongs to (`ext.meta.place`).
    #[error("Metadata is followed by a packet that has none: first byte is {byte:#04x}")]
    MetadataPlace {
        /// The first byte of that packet.
        byte: u8,
    },
    /// Metadata has more than 64 entries (`ext.meta.bound`).
    #[error("Metadata has more than 64 entries")]
    MetadataEntries,
    /// An entry of Metadata is of no known kind, and may not be skipped (`ext.meta.entry`).
    #[error("unknown kind of Metadata entry: {byte:#04x}")]
    MetadataEntry {
        /// Its first byte.
        byte: u8,
    },
    /// A name of Metadata has the wrong length or characters, or is reserved (`ext.meta.user`).
    #[error("invalid name in Metadata")]
    MetadataName,
    /// An entry of Metadata is there twice (`ext.meta.user`).
    #[error("entry {byte:#04x} of Metadata is there twice")]
    MetadataRepeated {
        /// Its first byte.
        byte: u8,
    },
    /// A name is to be remembered after 64 others (`ext.meta.names`).
    #[error("more than 64 names of Metadata are to be remembered")]
    MetadataNames,
    /// A slot without a name (`ext.meta.names`).
    #[error("slot {slot} of Metadata has no name")]
    MetadataSlot {
        /// The slot.
        slot: u8,
    },
    /// A status that is not followed by the end of a stream or an abort (`ext.status`).
    #[error("Status is followed by another packet: first byte is {byte:#04x}")]
    StatusPlace {
        /// The first byte of that packet.
        byte: u8,
    },
    /// A status where no message is in progress (`ext.status`).
    #[error("Status on channel {channel}, where nothing is in progress")]
    StatusWithoutMessage {
        /// The channel.
        channel: ChannelId,
    },
    /// A message after the last one was announced (`ext.leave.done`).
    #[error("message after Done")]
    MessageAfterDone,
    /// The peer says that no message follows, and was not told that this side leaves
    /// (`ext.leave.done`).
    #[error("Done without a Leave of this side")]
    DoneBeforeLeave,
    /// Leave takes more messages than the Leave before it, or than there are (`ext.leave.taken`).
    #[error("Leave takes {} messages, maximum is {most}", Taken(*taken))]
    LeaveTaken {
        /// How many it takes; 2^48 - 1 if that is open.
        taken: u64,
        /// As many as the Leave before it, or as there are.
        most: u64,
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

/// The range of a setting.
struct Range(u8);

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((least, most)) = setting_range(self.0) else {
            return f.write_str("any value");
        };
        if zero_is_allowed(self.0) {
            f.write_str("0 or ")?;
        }
        write!(f, "{least} to {most}")
    }
}

/// How many messages a Leave takes.
struct Taken(u64);

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            U48_MAX => f.write_str("an open number of"),
            taken => taken.fmt(f),
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
            Self::ExtensionKind { .. } => "ext.packet.kind",
            Self::ExtensionTooLarge { .. } => "ext.packet.bound",
            Self::ExtensionContent { .. } => "ext.content.exact",
            Self::SettingsMissing { .. } | Self::SettingsAgain => "ext.settings.first",
            Self::SettingRepeated { .. } | Self::SettingRange { .. } => "ext.settings.entries",
            Self::ControlKind { .. } => "ext.control.unknown",
            Self::NumberUnknown { .. } => "ext.number.unknown",
            Self::Cancels { .. } => "ext.cancel.count",
            Self::FlowFlags { .. } => "ext.flow",
            Self::MetadataPlace { .. } => "ext.meta.place",
            Self::MetadataEntries => "ext.meta.bound",
            Self::MetadataEntry { .. } => "ext.meta.entry",
            Self::MetadataName | Self::MetadataRepeated { .. } => "ext.meta.user",
            Self::MetadataNames | Self::MetadataSlot { .. } => "ext.meta.names",
            Self::StatusPlace { .. } | Self::StatusWithoutMessage { .. } => "ext.status",
            Self::MessageAfterDone | Self::DoneBeforeLeave => "ext.leave.done",
            Self::LeaveTaken { .. } => "ext.leave.taken",
            Self::MessageCredit { .. } => "ext.credit.message",
            Self::ConnectionCredit { .. } => "ext.credit.connection",
            Self::FlowPart { .. } => "ext.credit.grows",
            Self::FlowFileOpen { .. } => "ext.credit.enough",
            Self::ReservedBits { .. }
            | Self::EmptyPacket { .. }
            | Self::AbortWithoutMessage { .. } => "limits.strict",
        }
    }
}

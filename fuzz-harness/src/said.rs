use sockety_codec::{Event, RefusalReason, Uuid};

use crate::Extended;

/// An event that owns its bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The connection header.
    Header {
        /// Channels offered.
        channels: u16,
    },
    /// A message or, with a parent, a response begins.
    Head {
        /// Its channel.
        channel: u16,
        /// What a response answers.
        parent: Option<Uuid>,
        /// Its own id.
        id: Uuid,
        /// Empty for a response.
        action: String,
        /// Whether a reply is awaited.
        expects_response: bool,
        /// Whether a stream belongs to it.
        has_stream: bool,
        /// Bytes of its payload.
        payload: u64,
        /// Number of its files.
        files: u32,
        /// Bytes of its files.
        files_size: u64,
    },
    /// A file is announced.
    FileHeader {
        /// Channel of the message.
        channel: u16,
        /// Position of the file.
        index: u32,
        /// Its size.
        size: u64,
        /// Its name.
        name: String,
    },
    /// Payload.
    Data {
        /// Channel of the message.
        channel: u16,
        /// The bytes, pieces that follow each other joined.
        bytes: Vec<u8>,
        /// What is still to come.
        remaining: u64,
    },
    /// Bytes of the stream.
    Stream {
        /// Channel of the message.
        channel: u16,
        /// The bytes, pieces that follow each other joined.
        bytes: Vec<u8>,
    },
    /// The end of the stream.
    StreamEnd {
        /// Channel of the message.
        channel: u16,
    },
    /// Bytes of a file.
    File {
        /// Channel of the message.
        channel: u16,
        /// Position of the file.
        index: u32,
        /// The bytes, pieces that follow each other joined.
        bytes: Vec<u8>,
    },
    /// The end of a file.
    FileEnd {
        /// Channel of the message.
        channel: u16,
        /// Position of the file.
        index: u32,
        /// Bytes announced that did not come.
        missing: u64,
    },
    /// The end of a message with content.
    End {
        /// Channel of the message.
        channel: u16,
    },
    /// A message was dropped by its sender.
    Abort {
        /// Channel of the message.
        channel: u16,
    },
    /// A message is not taken.
    Refused {
        /// Channel of the message.
        channel: u16,
        /// What a response answers.
        parent: Option<Uuid>,
        /// Its id.
        id: Uuid,
        /// Whether a reply is awaited.
        expects_response: bool,
        /// Why.
        reason: RefusalReason,
    },
    /// A reply that is only a code.
    FastReply {
        /// What is answered.
        id: Uuid,
        /// The code.
        code: u16,
    },
    /// A sign of life.
    Heartbeat,
    /// The announcement of the end.
    GoAway,
    /// An event of the extension.
    Extension(Extended),
}

impl Said {
    /// Appends an event to others; bytes that continue those of the last event are joined to it.
    pub fn push(self, events: &mut Vec<Self>) {
        match (events.last_mut(), &self) {
            (
                Some(Self::Data {
                    channel: before,
                    bytes,
                    remaining: left,
                }),
                Self::Data {
                    channel,
                    bytes: more,
                    remaining,
                },
            ) if before == channel => {
                bytes.extend_from_slice(more);
                *left = *remaining;
            }
            (
                Some(Self::Stream {
                    channel: before,
                    bytes,
                }),
                Self::Stream {
                    channel,
                    bytes: more,
                },
            ) if before == channel => bytes.extend_from_slice(more),
            (
                Some(Self::File {
                    channel: before,
                    index: file,
                    bytes,
                }),
                Self::File {
                    channel,
                    index,
                    bytes: more,
                },
            ) if before == channel && file == index => bytes.extend_from_slice(more),
            _ => events.push(self),
        }
    }

    /// The channel of what belongs to one.
    pub fn channel(&self) -> Option<u16> {
        match self {
            Self::Head { channel, .. }
            | Self::FileHeader { channel, .. }
            | Self::Data { channel, .. }
            | Self::Stream { channel, .. }
            | Self::StreamEnd { channel }
            | Self::File { channel, .. }
            | Self::FileEnd { channel, .. }
            | Self::End { channel }
            | Self::Abort { channel }
            | Self::Refused { channel, .. } => Some(*channel),
            Self::Extension(event) => event.channel(),
            Self::Header { .. } | Self::FastReply { .. } | Self::Heartbeat | Self::GoAway => None,
        }
    }
}

impl From<Event<'_>> for Said {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Header(header) => Self::Header {
                channels: header.channels.get(),
            },
            Event::Message { channel, head, .. } => Self::Head {
                channel: channel.get(),
                parent: None,
                id: head.id,
                action: head.action.into(),
                expects_response: head.expects_response,
                has_stream: head.has_stream,
                payload: head.payload_size,
                files: head.files.count,
                files_size: head.files.total_size,
            },
            Event::WholeMessage { .. } | Event::WholeResponse { .. } => {
                unreachable!("events are taken apart first")
            }
            Event::Response { channel, head, .. } => Self::Head {
                channel: channel.get(),
                parent: Some(head.parent),
                id: head.id,
                action: String::new(),
                expects_response: head.expects_response,
                has_stream: head.has_stream,
                payload: head.payload_size,
                files: head.files.count,
                files_size: head.files.total_size,
            },
            Event::FileHeader {
                channel,
                index,
                header,
            } => Self::FileHeader {
                channel: channel.get(),
                index: index.get(),
                size: header.size,
                name: header.name.into(),
            },
            Event::Data {
                channel,
                bytes,
                remaining,
            } => Self::Data {
                channel: channel.get(),
                bytes: bytes.into(),
                remaining,
            },
            Event::Stream { channel, bytes } => Self::Stream {
                channel: channel.get(),
                bytes: bytes.into(),
            },
            Event::StreamEnd { channel } => Self::StreamEnd {
                channel: channel.get(),
            },
            Event::File {
                channel,
                index,
                bytes,
            } => Self::File {
                channel: channel.get(),
                index: index.get(),
                bytes: bytes.into(),
            },
            Event::FileEnd {
                channel,
                index,
                missing,
            } => Self::FileEnd {
                channel: channel.get(),
                index: index.get(),
                missing,
            },
            Event::End { channel } => Self::End {
                channel: channel.get(),
            },
            Event::Abort { channel } => Self::Abort {
                channel: channel.get(),
            },
            Event::Refused {
                channel, refusal, ..
            } => Self::Refused {
                channel: channel.get(),
                parent: refusal.parent,
                id: refusal.id,
                expects_response: refusal.expects_response,
                reason: refusal.reason,
            },
            Event::FastReply { id, code } => Self::FastReply {
                id,
                code: code.get(),
            },
            Event::Heartbeat => Self::Heartbeat,
            Event::GoAway => Self::GoAway,
            other => match Extended::of(&other) {
                Some(event) => Self::Extension(event),
                None => unreachable!("the decoder was not asked for {other:?}"),
            },
        }
    }
}

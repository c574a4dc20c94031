use uuid::Uuid;

use crate::extension::{Cancels, FlowEntries, Leave, Settings, Status};
use crate::{
    ChannelId, ConnectionHeader, FileHeader, FileIndex, MessageHead, Refusal, ReplyCode,
    ResponseHead,
};

/// What the [`Decoder`](crate::Decoder) found in the bytes of the peer.
///
/// Slices of content (`bytes`) are always parts of the input, never copies. Content is returned in
/// the pieces in which it was received, and never in empty ones.
///
/// New variants are returned only if the decoder is asked for them, as for
/// [whole messages](crate::Decoder::whole_messages), so a `_` arm may ignore the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The peer's connection header: always the first event, returned once.
    Header(ConnectionHeader),
    /// A message started. Everything before its file headers has arrived.
    Message {
        /// The channel that it occupies until all of its content has arrived.
        channel: ChannelId,
        /// Its number: how many messages and responses began before it.
        number: u64,
        /// What it announces.
        head: MessageHead<'a>,
    },
    /// A response started. Everything before its file headers has arrived.
    Response {
        /// The channel that it occupies until all of its content has arrived.
        channel: ChannelId,
        /// Its number: how many messages and responses began before it.
        number: u64,
        /// What it announces.
        head: ResponseHead,
    },
    /// A message whose only content is its payload, instead of [`Message`](Self::Message),
    /// [`Data`](Self::Data) and [`End`](Self::End). Returned only if
    /// [whole messages](crate::Decoder::whole_messages) are enabled.
    WholeMessage {
        /// The channel on which it arrived, which is free.
        channel: ChannelId,
        /// Its number: how many messages and responses began before it.
        number: u64,
        /// What it announced.
        head: MessageHead<'a>,
        /// Its payload; empty if it has none.
        payload: &'a [u8],
    },
    /// A response whose only content is its payload, like [`WholeMessage`](Self::WholeMessage).
    WholeResponse {
        /// The channel on which it arrived, which is free.
        channel: ChannelId,
        /// Its number: how many messages and responses began before it.
        number: u64,
        /// What it announced.
        head: ResponseHead,
        /// Its payload; empty if it has none.
        payload: &'a [u8],
    },
    /// The header of the next file. There are as many as the head announced, in the order of the
    /// file indexes.
    FileHeader {
        /// The channel of the message.
        channel: ChannelId,
        /// Position of the file.
        index: FileIndex,
        /// Its size and name.
        header: FileHeader<'a>,
    },
    /// A piece of the payload.
    Data {
        /// The channel of the message.
        channel: ChannelId,
        /// The piece.
        bytes: &'a [u8],
        /// Bytes of the payload that follow this piece.
        remaining: u64,
    },
    /// A piece of the stream.
    Stream {
        /// The channel of the message.
        channel: ChannelId,
        /// The piece.
        bytes: &'a [u8],
    },
    /// The stream ended.
    StreamEnd {
        /// The channel of the message.
        channel: ChannelId,
    },
    /// A piece of a file.
    File {
        /// The channel of the message.
        channel: ChannelId,
        /// The file.
        index: FileIndex,
        /// The piece.
        bytes: &'a [u8],
    },
    /// A file ended.
    FileEnd {
        /// The channel of the message.
        channel: ChannelId,
        /// The file.
        index: FileIndex,
        /// Bytes by which the file is shorter than announced; 0 if it is complete.
        missing: u64,
    },
    /// Everything announced has arrived, and the channel is free. It follows heads
    /// [with content](MessageHead::has_content) and refused ones; a head without content leaves its
    /// channel free by itself.
    End {
        /// The channel that is free now.
        channel: ChannelId,
    },
    /// The sender aborted the message in progress, and the channel is free.
    Abort {
        /// The channel that is free now.
        channel: ChannelId,
    },
    /// A message or response is refused. The only further event about it is its
    /// [`End`](Self::End) or [`Abort`](Self::Abort). It may have been announced before, if only its
    /// later parts are the cause.
    Refused {
        /// The channel, which it still occupies.
        channel: ChannelId,
        /// The action, if a message is refused when it is announced, and its action can be read.
        action: Option<&'a str>,
        /// Its number, if it is refused when it is announced; `None` if it was announced before.
        number: Option<u64>,
        /// What is refused, and why.
        refusal: Refusal,
    },
    /// A message or response is answered with a code.
    FastReply {
        /// The message or response that is answered.
        id: Uuid,
        /// The code.
        code: ReplyCode,
    },
    /// The peer is alive.
    Heartbeat,
    /// The peer is going to close the connection.
    GoAway,
    /// What the peer says about itself as a receiver: the first event after the header if the
    /// extension is active. This and the following are returned only then.
    Settings(Settings),
    /// Metadata of the next message or response with this number, or of the fast reply that is the
    /// next event.
    Metadata {
        /// The number of the message; `None` for a fast reply. If its header is split, others may be
        /// announced before it. If it is aborted before it is announced, it is
        /// [unannounced](Self::Unannounced).
        number: Option<u64>,
        /// The entries: see [`metadata::Reader`](crate::extension::metadata::Reader).
        content: &'a [u8],
    },
    /// The message or response with this number was aborted before its header was complete enough to
    /// announce or refuse it: no other event is about it, except that of its metadata.
    Unannounced {
        /// Its number.
        number: u64,
    },
    /// The peer wants no answer to some of its requests.
    Cancel(Cancels<'a>),
    /// Why the stream on the channel ends early, or why its message is dropped: one of both is the
    /// next event, unless the message was refused.
    Status {
        /// The channel of the message.
        channel: ChannelId,
        /// The reason.
        status: Status<'a>,
    },
    /// Credit for content, and requests to stop sending some.
    Flow(FlowEntries<'a>),
    /// The peer is going to close the connection, and says what it takes before.
    Leave(Leave<'a>),
    /// No further message of the peer follows; responses may.
    Done,
    /// The peer asks for a [`Pong`](Self::Pong) with the same bytes.
    Ping([u8; 8]),
    /// The answer to a ping.
    Pong([u8; 8]),
}

impl<'a> Event<'a> {
    /// Splits a [whole message](Self::WholeMessage) into the events that it replaces; returns any
    /// other event unchanged.
    pub fn apart(self) -> impl Iterator<Item = Self> {
        let (begin, content) = match self {
            Self::WholeMessage {
                channel,
                number,
                head,
                payload,
            } => {
                let message = Self::Message {
                    channel,
                    number,
                    head,
                };
                (message, Some((channel, payload)))
            }
            Self::WholeResponse {
                channel,
                number,
                head,
                payload,
            } => {
                let response = Self::Response {
                    channel,
                    number,
                    head,
                };
                (response, Some((channel, payload)))
            }
            event => (event, None),
        };
        let content = content.filter(|(_, payload)| !payload.is_empty());
        let rest = content.map(|(channel, bytes)| {
            let data = Self::Data {
                channel,
                bytes,
                remaining: 0,
            };
            [data, Self::End { channel }]
        });
        core::iter::once(begin).chain(rest.into_iter().flatten())
    }
}

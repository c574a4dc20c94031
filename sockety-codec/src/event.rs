use uuid::Uuid;

use crate::{
    ChannelId, ConnectionHeader, FileHeader, FileIndex, MessageHead, Refusal, ReplyCode,
    ResponseHead,
};

/// What the [`Decoder`](crate::Decoder) found in the bytes of the peer.
///
/// The slices of content (`bytes`) are always parts of the input, never copies. Content comes in
/// the pieces in which it was received, never empty ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The peer's connection header: always the first event, and once.
    Header(ConnectionHeader),
    /// A message begins. Everything before its file headers is there.
    Message {
        /// The channel it occupies while it has content to come.
        channel: ChannelId,
        /// What it announces.
        head: MessageHead<'a>,
    },
    /// A response begins. Everything before its file headers is there.
    Response {
        /// The channel it occupies while it has content to come.
        channel: ChannelId,
        /// What it announces.
        head: ResponseHead,
    },
    /// A message and all it has, a payload: what else would be [`Message`](Self::Message), [`Data`](Self::Data) and
    /// [`End`](Self::End). Only for who asks for [whole messages](crate::Decoder::whole_messages).
    WholeMessage {
        /// The channel it came on, which is free.
        channel: ChannelId,
        /// What it announced.
        head: MessageHead<'a>,
        /// Its payload; empty when it has none.
        payload: &'a [u8],
    },
    /// A response and all it has, as [`WholeMessage`](Self::WholeMessage).
    WholeResponse {
        /// The channel it came on, which is free.
        channel: ChannelId,
        /// What it announced.
        head: ResponseHead,
        /// Its payload; empty when it has none.
        payload: &'a [u8],
    },
    /// The header of the next file. They come in order, as many as the head announced.
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
        /// Bytes of the payload still to come after this piece.
        remaining: u64,
    },
    /// A piece of the stream.
    Stream {
        /// The channel of the message.
        channel: ChannelId,
        /// The piece.
        bytes: &'a [u8],
    },
    /// The stream is whole.
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
    /// The sender has no more bytes of a file.
    FileEnd {
        /// The channel of the message.
        channel: ChannelId,
        /// The file.
        index: FileIndex,
        /// Bytes by which the file is shorter than announced; 0 when it is whole.
        missing: u64,
    },
    /// Everything announced has arrived, and the channel is free. It comes for heads
    /// [with content](MessageHead::has_content) and for refused ones; a head without content
    /// leaves its channel free itself.
    End {
        /// The channel that is free now.
        channel: ChannelId,
    },
    /// The sender dropped the message in progress, and the channel is free.
    Abort {
        /// The channel that is free now.
        channel: ChannelId,
    },
    /// A message or response is not taken. Nothing more of it comes but its
    /// [`End`](Self::End) or [`Abort`](Self::Abort), one of which always does. It may have been
    /// announced before, when only its later parts are bad.
    Refused {
        /// The channel it goes on occupying.
        channel: ChannelId,
        /// What is refused, and why.
        refusal: Refusal,
    },
    /// An answer that is only a code.
    FastReply {
        /// The message or response that is answered.
        id: Uuid,
        /// The answer.
        code: ReplyCode,
    },
    /// The peer is alive.
    Heartbeat,
    /// The peer is going to close the connection.
    GoAway,
}

impl<'a> Event<'a> {
    /// The events that it stands for: those of a [whole message](Self::WholeMessage), or itself.
    pub fn apart(self) -> impl Iterator<Item = Self> {
        let (begin, content) = match self {
            Self::WholeMessage {
                channel,
                head,
                payload,
            } => (Self::Message { channel, head }, Some((channel, payload))),
            Self::WholeResponse {
                channel,
                head,
                payload,
            } => (Self::Response { channel, head }, Some((channel, payload))),
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

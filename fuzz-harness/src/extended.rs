use sockety_codec::extension::metadata::{Metadata, Reader, Writer};
use sockety_codec::extension::{Leave, LeaveReason, Settings, Status};
use sockety_codec::{
    ChannelCount, ChannelId, ConnectionHeader, Encoder, Event, FlowEntry, MessageHead, ReplyCode,
    Uuid,
};

/// An event of the extension, that owns its bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Extended {
    /// What a side says about itself.
    Settings(Settings),
    /// Metadata, as it is on the wire.
    Metadata {
        /// What message it belongs to; nothing for a fast reply.
        number: Option<u64>,
        /// The content of the packet.
        content: Vec<u8>,
    },
    /// The number of a message that was aborted before it was announced.
    Unannounced(u64),
    /// Requests that nobody awaits.
    Cancel(Vec<u64>),
    /// Why a stream or a message ends.
    Status {
        /// Channel of the message.
        channel: u16,
        /// The code.
        code: u16,
        /// The error, as MessagePack.
        error: Vec<u8>,
    },
    /// Credit; numbers are as they are on the wire.
    Flow(Vec<FlowEntry>),
    /// The announcement of the end.
    Leave {
        /// How many messages are taken.
        taken: Option<u64>,
        /// Why.
        reason: LeaveReason,
        /// For how long it goes on.
        grace_millis: u32,
        /// When to come back.
        retry_after_millis: u32,
        /// Details.
        text: String,
    },
    /// No message follows.
    Done,
    /// A question.
    Ping([u8; 8]),
    /// Its answer.
    Pong([u8; 8]),
}

impl Extended {
    /// `None` for events that connections without the extension have too.
    pub fn of(event: &Event<'_>) -> Option<Self> {
        Some(match *event {
            Event::Settings(settings) => Self::Settings(settings),
            Event::Metadata { number, content } => Self::Metadata {
                number,
                content: content.into(),
            },
            Event::Unannounced { number } => Self::Unannounced(number),
            Event::Cancel(numbers) => Self::Cancel(numbers.collect()),
            Event::Status { channel, status } => Self::Status {
                channel: channel.get(),
                code: status.code.get(),
                error: status.error.into(),
            },
            Event::Flow(entries) => {
                // So many have begun that each number means itself.
                let entries = entries.resolve(1 << 32);
                Self::Flow(entries.collect::<Result<_, _>>().expect("all have begun"))
            }
            Event::Leave(leave) => Self::Leave {
                taken: leave.taken,
                reason: leave.reason,
                grace_millis: leave.grace_millis,
                retry_after_millis: leave.retry_after_millis,
                text: leave.text.into(),
            },
            Event::Done => Self::Done,
            Event::Ping(bytes) => Self::Ping(bytes),
            Event::Pong(bytes) => Self::Pong(bytes),
            _ => return None,
        })
    }

    /// The channel of a status.
    pub fn channel(&self) -> Option<u16> {
        match self {
            Self::Status { channel, .. } => Some(*channel),
            _ => None,
        }
    }
}

/// Writes a dialogue with these events after the connection header. Settings are first, then as many messages as cancels need;
/// metadata has a message of its own, and a status one with a stream. That no message follows is last.
pub fn encode_extended(events: &[Extended]) -> Vec<u8> {
    let mut dst = Vec::new();
    ConnectionHeader::OFFER.encode(&mut dst);
    let mut encoder = Encoder::new(Encoder::UNTIL_SETTINGS);
    encoder.set_peer_channels(ChannelCount::MAX);
    let settings = events.iter().find_map(|event| match event {
        Extended::Settings(settings) => Some(*settings),
        _ => None,
    });
    encoder.settings(&mut dst, &settings.unwrap_or_default());
    for _ in 0..requests_for(events) {
        let head = head().expecting_response(true);
        let written = encoder.whole(&mut dst, ChannelId::ZERO, head, b"");
        written.expect("it can be written");
    }
    for event in events {
        put(&mut encoder, &mut dst, event);
    }
    if events.contains(&Extended::Done) {
        encoder.done(&mut dst);
    }
    dst
}

/// How many requests have to come before these events: all that are cancelled, and no fewer than there are cancels.
pub fn requests_for(events: &[Extended]) -> u64 {
    let cancels = events.iter().filter_map(|event| match event {
        Extended::Cancel(numbers) => Some(numbers),
        _ => None,
    });
    let numbers: Vec<_> = cancels.flatten().copied().collect();
    let newest = numbers.iter().max().map_or(0, |number| number + 1);
    newest.max(numbers.len() as u64)
}

fn head() -> MessageHead<'static> {
    MessageHead::new(Uuid::nil(), "")
}

fn put(encoder: &mut Encoder, dst: &mut Vec<u8>, event: &Extended) {
    let written = match event {
        // What was aborted is not said again.
        Extended::Settings(_) | Extended::Done | Extended::Unannounced(_) => Ok(()),
        Extended::Metadata {
            number: None,
            content,
        } => {
            let described = encoder.describing(content);
            described.fast_reply(dst, Uuid::nil(), ReplyCode::ACCEPT);
            Ok(())
        }
        Extended::Metadata { content, .. } => {
            let described = encoder.describing(content);
            described.whole(dst, ChannelId::ZERO, head(), b"")
        }
        Extended::Cancel(numbers) => {
            let mut rest = &numbers[..];
            while !rest.is_empty() {
                rest = encoder.cancel(dst, rest);
            }
            Ok(())
        }
        Extended::Status {
            channel,
            code,
            error,
        } => {
            let channel = ChannelId::new(*channel).expect("it was read");
            let status = Status {
                code: ReplyCode::new(*code).expect("it was read"),
                error,
            };
            let head = head().with_stream(true);
            let begun = encoder.begin(dst, channel, head, &[]);
            begun.and_then(|()| encoder.stream_end_with(dst, channel, &status))
        }
        Extended::Flow(entries) => {
            let before = dst.len();
            let left = encoder.flow(dst, entries.iter().copied());
            assert_eq!(left, None, "as many as were in one packet fit in one");
            let length: usize = entries.iter().map(FlowEntry::length).sum();
            assert!(dst[before..].len() > length, "it has them and a head");
            Ok(())
        }
        Extended::Leave {
            taken,
            reason,
            grace_millis,
            retry_after_millis,
            text,
        } => {
            let leave = Leave {
                taken: *taken,
                reason: *reason,
                grace_millis: *grace_millis,
                retry_after_millis: *retry_after_millis,
                text,
            };
            encoder.leave(dst, &leave);
            Ok(())
        }
        Extended::Ping(bytes) => {
            encoder.ping(dst, *bytes);
            Ok(())
        }
        Extended::Pong(bytes) => {
            encoder.pong(dst, *bytes);
            Ok(())
        }
    };
    assert_eq!(written, Ok(()), "{event:?} can be said again");
}

/// Reads all metadata of a direction, up to the first that breaks a rule, and writes it again.
pub(crate) fn check_metadata(events: &[Extended]) {
    let mut reader = Reader::default();
    let (mut writer, mut again) = (Writer::default(), Reader::default());
    for event in events {
        let Extended::Metadata { content, .. } = event else {
            continue;
        };
        let Ok(metadata) = reader.decode(content) else {
            break;
        };
        let mut written = Vec::new();
        let result = writer.encode(&metadata, usize::MAX, &mut written);
        assert_eq!(result, Ok(()), "{metadata:?}");
        assert_eq!(again.decode(&written).as_ref(), Ok(&metadata));
        check_whole(&metadata);
    }
}

/// For any connection.
fn check_whole(metadata: &Metadata<'_>) {
    let mut whole = Vec::new();
    let result = Writer::encode_whole(metadata, usize::MAX, &mut whole);
    assert_eq!(result, Ok(()), "{metadata:?}");
    assert_eq!(Reader::default().decode(&whole).as_ref(), Ok(metadata));
    let mut twice = Vec::new();
    let mut reader = Reader::default();
    let again = reader.decode(&whole).expect("it was read");
    let result = Writer::encode_whole(&again, whole.len(), &mut twice);
    assert_eq!((result, &twice), (Ok(()), &whole), "it has one form");
}

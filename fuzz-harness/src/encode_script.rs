//! Whatever a caller asks the encoder for, in whatever order: it writes what a decoder accepts, or nothing.

use arbitrary::{Arbitrary, Unstructured};
use sockety_codec::{
    ChannelCount, ChannelId, ConnectionHeader, Encoder, FileHeader, FileIndex, FilesSummary,
    Limits, MessageHead, ReplyCode, ResponseHead, UsageError, Uuid, encode_message,
};

use crate::decode;
use crate::order::Order;

/// What a caller may ask for. Small numbers of channels and files, so that many calls belong together.
#[derive(Debug, Arbitrary)]
enum Step {
    Begin {
        channel: u8,
        parent: Option<u128>,
        id: u128,
        action: String,
        expects_response: bool,
        has_stream: bool,
        payload: Size,
        files: Vec<(Size, String)>,
        /// Announces something else about the files than they are.
        lies: bool,
    },
    Whole {
        channel: u8,
        is_response: bool,
        is_prepared: bool,
        payload: Vec<u8>,
    },
    Data(u8, u8),
    Stream(u8, u8),
    StreamEnd(u8),
    File(u8, u8, u8),
    FileEnd(u8, u8),
    Abort(u8),
    Reuse(u8),
    FastReply(u128, u16),
    Heartbeat,
    GoAway,
}

/// Sizes are small, so that they can be sent, or as large as they can be.
#[derive(Debug, Arbitrary)]
enum Size {
    Small(u8),
    Any(u64),
}

impl Size {
    fn get(&self) -> u64 {
        match self {
            Self::Small(size) => u64::from(size % 8),
            Self::Any(size) => *size,
        }
    }
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let channels = ChannelCount::new(5).expect("a count");
    let mut encoder = Encoder::new(channels);
    let mut dst = Vec::new();
    ConnectionHeader::new(channels).encode(&mut dst);
    let mut written = 0;
    while !input.is_empty() {
        let Ok(step) = Step::arbitrary(&mut input) else {
            break;
        };
        let before = dst.len();
        match take(&mut encoder, &mut dst, &step) {
            Ok(()) => written += 1,
            Err(_) => assert_eq!(dst.len(), before, "{step:?} failed and left something"),
        }
    }
    let limits = Limits::WIRE.max_channels(channels);
    let decoded = decode(limits, &dst);
    assert_eq!(decoded.violation, None, "after {written} steps: {dst:02x?}");
    Order::check(&decoded.events);
    let tolerated = decoded.tolerated;
    let harmless = tolerated.heartbeats + tolerated.repeated_go_aways;
    assert_eq!(tolerated.total(), harmless, "{tolerated:?}");
}

fn take(encoder: &mut Encoder, dst: &mut Vec<u8>, step: &Step) -> Result<(), UsageError> {
    match step {
        Step::Begin { .. } => begin(encoder, dst, step),
        Step::Whole {
            channel,
            is_response,
            is_prepared,
            payload,
        } => whole(
            encoder,
            dst,
            on(*channel),
            (*is_response, *is_prepared),
            payload,
        ),
        Step::Data(channel, size) => {
            let result = encoder.data(dst, on(*channel), u32::from(size % 8));
            with_content(dst, result, size % 8)
        }
        Step::Stream(channel, size) => {
            let result = encoder.stream(dst, on(*channel), u32::from(size % 8));
            with_content(dst, result, size % 8)
        }
        Step::File(channel, index, size) => {
            let result = encoder.file(dst, on(*channel), file(*index), u32::from(size % 8));
            with_content(dst, result, size % 8)
        }
        Step::StreamEnd(channel) => encoder.stream_end(dst, on(*channel)),
        Step::FileEnd(channel, index) => encoder.file_end(dst, on(*channel), file(*index)),
        Step::Abort(channel) => encoder.abort(dst, on(*channel)),
        Step::Reuse(channel) => {
            encoder.reuse(on(*channel));
            Ok(())
        }
        Step::FastReply(id, code) => {
            let code = ReplyCode::new(code % 4096).expect("12 bits");
            encoder.fast_reply(dst, Uuid::from_u128(*id), code);
            Ok(())
        }
        Step::Heartbeat => {
            encoder.heartbeat(dst);
            Ok(())
        }
        Step::GoAway => {
            encoder.go_away(dst);
            Ok(())
        }
    }
}

fn begin(encoder: &mut Encoder, dst: &mut Vec<u8>, step: &Step) -> Result<(), UsageError> {
    let Step::Begin {
        channel,
        parent,
        id,
        action,
        expects_response,
        has_stream,
        payload,
        files,
        lies,
    } = step
    else {
        unreachable!("it begins a message");
    };
    let files: Vec<_> = files
        .iter()
        .map(|(size, name)| FileHeader::new(name, size.get()))
        .collect();
    let mut announced = FilesSummary::of(&files).unwrap_or_default();
    announced.total_size += u64::from(*lies);
    let id = Uuid::from_u128(*id);
    match parent {
        None => {
            let head = MessageHead::new(id, action)
                .expecting_response(*expects_response)
                .with_stream(*has_stream)
                .with_payload_size(payload.get())
                .with_files(announced);
            encoder.begin(dst, on(*channel), head, &files)
        }
        Some(parent) => {
            let head = ResponseHead::new(Uuid::from_u128(*parent), id)
                .expecting_response(*expects_response)
                .with_stream(*has_stream)
                .with_payload_size(payload.get())
                .with_files(announced);
            encoder.begin(dst, on(*channel), head, &files)
        }
    }
}

fn whole(
    encoder: &mut Encoder,
    dst: &mut Vec<u8>,
    channel: ChannelId,
    (is_response, is_prepared): (bool, bool),
    payload: &[u8],
) -> Result<(), UsageError> {
    let message = MessageHead::new(Uuid::nil(), "whole")
        .expecting_response(true)
        .with_stream(true)
        .with_payload_size(77);
    if is_response {
        let head = ResponseHead::new(Uuid::nil(), Uuid::max())
            .with_stream(true)
            .with_payload_size(77);
        encoder.whole(dst, channel, head, payload)
    } else if is_prepared {
        let mut prepared = Vec::new();
        encode_message(&mut prepared, message, payload)?;
        encoder.prepared(dst, channel, 1, &prepared)
    } else {
        encoder.whole(dst, channel, message, payload)
    }
}

fn with_content(
    dst: &mut Vec<u8>,
    result: Result<(), UsageError>,
    size: u8,
) -> Result<(), UsageError> {
    if result.is_ok() {
        dst.resize(dst.len() + usize::from(size), 0xC5);
    }
    result
}

/// Channels that exist, and one that does not.
fn on(channel: u8) -> ChannelId {
    ChannelId::new(u16::from(channel % 6)).expect("12 bits")
}

fn file(index: u8) -> FileIndex {
    FileIndex::new(u32::from(index % 4)).expect("24 bits")
}

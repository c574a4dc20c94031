use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::{Encoder, FileHeader, FilesSummary, MessageHead, ResponseHead, Uuid};

/// A message or response with its content.
#[derive(Clone, Debug)]
struct Sample {
    parent: Option<u128>,
    id: u128,
    action: String,
    expects_response: bool,
    payload: Vec<u8>,
    files: Vec<(String, Vec<u8>)>,
    stream: Option<Vec<Vec<u8>>>,
    channel: u16,
}

fn sample() -> impl Strategy<Value = Sample> {
    let content = || vec(any::<u8>(), 0..40);
    let lengthy = prop_oneof![
        "\\PC{0,20}",
        (0_usize..70_000).prop_map(|length| "x".repeat(length % 65_536)),
    ];
    let name = prop_oneof!["\\PC{0,10}", (250_usize..300).prop_map(|n| "n".repeat(n))];
    (
        any::<Option<u128>>(),
        any::<u128>(),
        lengthy,
        any::<bool>(),
        prop_oneof![content(), vec(any::<u8>(), 250..300)],
        vec((name, content()), 0..4),
        proptest::option::of(vec(vec(any::<u8>(), 1..20), 0..4)),
        0_u16..4096,
    )
        .prop_map(
            |(parent, id, action, expects_response, payload, files, stream, channel)| Sample {
                action: if parent.is_some() {
                    String::new()
                } else {
                    action
                },
                parent,
                id,
                expects_response,
                payload,
                files,
                stream,
                channel,
            },
        )
}

fn encode(encoder: &mut Encoder, dst: &mut Vec<u8>, sample: &Sample) {
    let on = channel(sample.channel);
    let files: Vec<FileHeader<'_>> = sample
        .files
        .iter()
        .map(|(name, content)| FileHeader::new(name, content.len() as u64))
        .collect();
    let head = MessageHead::new(Uuid::from_u128(sample.id), &sample.action)
        .expecting_response(sample.expects_response)
        .with_stream(sample.stream.is_some())
        .with_payload_size(sample.payload.len() as u64)
        .with_files(FilesSummary::of(&files).unwrap());
    match sample.parent {
        None => encoder.begin(dst, on, head, &files).unwrap(),
        Some(parent) => {
            let head = ResponseHead::new(Uuid::from_u128(parent), head.id)
                .expecting_response(head.expects_response)
                .with_stream(head.has_stream)
                .with_payload_size(head.payload_size)
                .with_files(head.files);
            encoder.begin(dst, on, head, &files).unwrap();
        }
    }
    for chunk in sample.payload.chunks(100) {
        encoder.data(dst, on, chunk.len() as u32).unwrap();
        dst.extend(chunk);
    }
    for (index, (_, content)) in (0..).zip(&sample.files) {
        for chunk in content.chunks(30) {
            encoder
                .file(dst, on, file(index), chunk.len() as u32)
                .unwrap();
            dst.extend(chunk);
        }
        encoder.file_end(dst, on, file(index)).unwrap();
    }
    for chunk in sample.stream.iter().flatten() {
        encoder.stream(dst, on, chunk.len() as u32).unwrap();
        dst.extend(chunk);
    }
    if sample.stream.is_some() {
        encoder.stream_end(dst, on).unwrap();
    }
    assert!(encoder.is_free(on));
}

/// The message or response in `input`, which is split as `pieces` says.
fn decode(decoder: &mut Decoder, input: &[u8], pieces: &[usize]) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    let mut rest = input;
    let mut sizes = pieces.iter().cycle();
    while !rest.is_empty() {
        let size = sizes.next().copied().unwrap_or(usize::MAX);
        let (mut piece, later) = rest.split_at(size.min(rest.len()));
        rest = later;
        while let Some(event) = decoder.decode(&mut piece).unwrap() {
            take(&mut samples, event);
        }
    }
    samples
}

fn take(samples: &mut Vec<Sample>, event: Event<'_>) {
    let begin = |channel: ChannelId, parent: Option<Uuid>, head: MessageHead<'_>| Sample {
        parent: parent.map(|parent| parent.as_u128()),
        id: head.id.as_u128(),
        action: head.action.into(),
        expects_response: head.expects_response,
        payload: Vec::new(),
        files: Vec::new(),
        stream: head.has_stream.then(Vec::new),
        channel: channel.get(),
    };
    match event {
        Event::Message { channel, head, .. } => samples.push(begin(channel, None, head)),
        Event::Response { channel, head, .. } => {
            let message = MessageHead::new(head.id, "")
                .expecting_response(head.expects_response)
                .with_stream(head.has_stream)
                .with_payload_size(head.payload_size)
                .with_files(head.files);
            samples.push(begin(channel, Some(head.parent), message));
        }
        event => take_content(samples.last_mut().expect("content of a message"), event),
    }
}

fn take_content(sample: &mut Sample, event: Event<'_>) {
    match event {
        Event::FileHeader { header, .. } => sample.files.push((header.name.into(), Vec::new())),
        Event::Data { bytes, .. } => sample.payload.extend(bytes),
        Event::Stream { bytes, .. } => sample.stream.as_mut().unwrap().push(bytes.into()),
        Event::File { index, bytes, .. } => {
            sample.files[index.get() as usize].1.extend(bytes);
        }
        Event::FileEnd { missing, .. } => assert_eq!(missing, 0),
        Event::StreamEnd { .. } | Event::End { .. } => {}
        event => panic!("unexpected {event:?}"),
    }
}

/// The parts of a sample that must be decoded. How the stream was split does not matter.
fn essence(sample: &Sample) -> impl PartialEq + core::fmt::Debug + use<> {
    let Sample {
        parent,
        id,
        action,
        expects_response,
        payload,
        files,
        stream,
        channel,
    } = sample.clone();
    let stream = stream.map(|chunks| chunks.concat());
    let rest = (payload, files, stream, channel);
    ((parent, id, action, expects_response), rest)
}

proptest! {
    // r[verify head.smallest]
    #[test]
    fn what_is_encoded_is_decoded(
        samples in vec(sample(), 1..4),
        pieces in vec(1_usize..60, 0..5),
    ) {
        let mut encoder = Encoder::new(ChannelCount::MAX);
        let mut input = Vec::new();
        for sample in &samples {
            encode(&mut encoder, &mut input, sample);
        }
        let mut decoder = connected(Limits::WIRE);
        let decoded = decode(&mut decoder, &input, &pieces);
        prop_assert_eq!(decoder.finish(), Ok(()));
        let expected: Vec<_> = samples.iter().map(essence).collect();
        let decoded: Vec<_> = decoded.iter().map(essence).collect();
        prop_assert!(decoded == expected, "{:?} is not {:?}", decoded, expected);
    }

    #[test]
    fn no_bytes_make_it_panic(
        input in vec(any::<u8>(), 0..400),
        pieces in vec(1_usize..20, 1..5),
    ) {
        let mut decoder = connected(Limits::default());
        for piece in input.chunks(pieces[0]) {
            if events(&mut decoder, piece).1.is_some() {
                break;
            }
        }
        let _ = (decoder.finish(), decoder.buffered(), decoder.drained());
    }

    #[test]
    fn bytes_near_the_protocol_give_the_same_in_all_pieces(
        input in vec(near_the_protocol(), 0..30),
        size in 1_usize..20,
    ) {
        let limits = Limits::default()
            .max_action_bytes(3)
            .max_header_bytes(60)
            .max_header_pieces(3)
            .max_files(2)
            .max_payload(200);
        let input = input.concat();
        let mut whole = connected(limits);
        let mut pieces = connected(limits);
        let expected = events(&mut whole, &input);
        let mut found = (Vec::new(), None);
        for piece in input.chunks(size) {
            let (events, violation) = events(&mut pieces, piece);
            found.0.extend(events);
            found.1 = violation;
            if violation.is_some() {
                break;
            }
        }
        prop_assert_eq!(found.1, expected.1);
        let notable = |events: Vec<String>| -> Vec<String> {
            let content = ["data ", "stream 0", "stream 1", "file 0 ", "file 1 "];
            let is_content = |event: &String| content.iter().any(|begin| event.starts_with(begin));
            events.into_iter().filter(|event| !is_content(event)).collect()
        };
        prop_assert_eq!(notable(found.0), notable(expected.0));
        prop_assert_eq!(pieces.tolerated(), whole.tolerated());
        prop_assert_eq!(pieces.drained(), whole.drained());
        prop_assert_eq!(pieces.finish(), whole.finish());
    }
}

/// Whole packets, most of which could follow each other.
fn near_the_protocol() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(bytes("21 14 40 U 01 61 02")),
        Just(bytes("21 16 00 U 04 61626364")),
        Just(bytes("23 1F 50 U 04 70696e67 02 01 0300 00 03 02 6263")),
        Just(bytes("22 13 01 U 01 61")),
        Just(bytes("53 22 40 P U 01")),
        Just(bytes("23 1E 10 U 01 61 02 0500 00 02 01 62 00 03 01 63")),
        Just(bytes("23 16 10 U 01 61 02 0500")),
        Just(bytes("21 16 10 U 01 61 05 0500")),
        Just(bytes("60 04 00 02 01 62")),
        Just(bytes("60 02 00 03")),
        Just(bytes("60 02 01 63")),
        Just(bytes("20 06 40 0a1b2c3d4e")),
        Just(bytes("E0 01 AA")),
        Just(bytes("E0 02 AABB")),
        Just(bytes("70 02 0102")),
        Just(bytes("80")),
        Just(bytes("90")),
        Just(bytes("C0 02 0102")),
        Just(bytes("C1 03 01 010203")),
        Just(bytes("D0")),
        Just(bytes("D1 01")),
        Just(bytes("A0")),
        Just(bytes("00")),
        Just(bytes("01")),
        Just(bytes("32 U")),
        vec(any::<u8>(), 0..3),
    ]
}

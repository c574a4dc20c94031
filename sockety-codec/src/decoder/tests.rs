//! Dialogues with a scripted peer: bytes in, events or a violation out.

mod content;
mod extension;
mod heads;
mod limits;
mod packets;
mod properties;
mod segmentation;

use super::*;
use crate::{ChannelCount, ConnectionHeader, Refusal, RefusalReason};

/// The UUID written as `U` in scripts.
const U: &str = "0a1b2c3d4e5f4a6b8c7d9e0f1a2b3c4d";
/// The UUID written as `P` in scripts.
const P: &str = "ffeeddccbbaa4998877665544332211f";

/// The bytes of a script: hex digits, with `U` and `P` for UUIDs.
fn bytes(script: &str) -> Vec<u8> {
    let digits: Vec<u8> = script
        .replace('U', U)
        .replace('P', P)
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// A decoder that has read the peer's connection header.
fn connected(limits: Limits) -> Decoder {
    let mut decoder = Decoder::new(limits);
    let mut input: &[u8] = &[0xE3];
    let header = decoder.decode(&mut input).unwrap();
    let channels = ChannelCount::MAX;
    assert_eq!(header, Some(Event::Header(ConnectionHeader::new(channels))));
    decoder
}

/// The events of `input` as text, up to its end or a violation.
fn events(decoder: &mut Decoder, mut input: &[u8]) -> (Vec<String>, Option<Violation>) {
    let mut events = Vec::new();
    loop {
        let open = foreseen(decoder, input);
        match decoder.decode(&mut input) {
            Ok(Some(event)) => {
                assert!(open.is_none_or(|open| open.is(&event)), "{event:?}");
                events.push(describe(&event));
            }
            Ok(None) => {
                assert!(input.is_empty(), "starved with {} bytes left", input.len());
                return (events, None);
            }
            Err(violation) => {
                assert_eq!(
                    decoder.decode(&mut input),
                    Err(violation),
                    "it must not go on"
                );
                return (events, Some(violation));
            }
        }
    }
}

/// What the next event must be if the input ended inside a Data packet.
struct Foreseen<'i> {
    channel: ChannelId,
    bytes: &'i [u8],
}

fn foreseen<'i>(decoder: &Decoder, input: &'i [u8]) -> Option<Foreseen<'i>> {
    let (channel, left) = decoder.open_payload()?;
    assert!(left > 0);
    let bytes = input.get(..left as usize).unwrap_or(input);
    (!bytes.is_empty()).then_some(Foreseen { channel, bytes })
}

impl Foreseen<'_> {
    fn is(&self, event: &Event<'_>) -> bool {
        matches!(event, Event::Data { channel, bytes, .. }
            if *channel == self.channel && *bytes == self.bytes)
    }
}

/// An event as one line.
fn describe(event: &Event<'_>) -> String {
    match event {
        Event::Header(header) => format!("header {}", header.channels),
        Event::Message { channel, head, .. } => format!(
            "message {channel} {:?} response={} stream={} payload={} files={}/{}",
            head.action,
            head.expects_response,
            head.has_stream,
            head.payload_size,
            head.files.count,
            head.files.total_size,
        ),
        Event::Response { channel, head, .. } => format!(
            "response {channel} response={} stream={} payload={} files={}/{}",
            head.expects_response,
            head.has_stream,
            head.payload_size,
            head.files.count,
            head.files.total_size,
        ),
        Event::WholeMessage { .. } | Event::WholeResponse { .. } => event
            .apart()
            .map(|part| describe(&part))
            .collect::<Vec<_>>()
            .join(", "),
        Event::FileHeader {
            channel,
            index,
            header,
        } => format!(
            "file header {channel} {index} {:?} {}",
            header.name, header.size
        ),
        Event::Data {
            channel,
            bytes,
            remaining,
        } => format!("data {channel} {bytes:02x?} {remaining}"),
        Event::Stream { channel, bytes } => format!("stream {channel} {bytes:02x?}"),
        Event::StreamEnd { channel } => format!("stream end {channel}"),
        Event::File {
            channel,
            index,
            bytes,
        } => format!("file {channel} {index} {bytes:02x?}"),
        Event::FileEnd {
            channel,
            index,
            missing,
        } => format!("file end {channel} {index} {missing}"),
        Event::End { channel } => format!("end {channel}"),
        Event::Abort { channel } => format!("abort {channel}"),
        Event::Refused {
            channel, refusal, ..
        } => format!("refused {channel} {}", refusal.reason),
        Event::FastReply { id, code } => format!("fast reply {} {code}", id.simple()),
        Event::Heartbeat => "heartbeat".into(),
        Event::GoAway => "go away".into(),
        Event::Settings(settings) => format!("settings {}", settings.message_window()),
        Event::Metadata { number, content } => format!("metadata {number:?} {content:02x?}"),
        Event::Unannounced { number } => format!("unannounced {number}"),
        Event::Cancel(numbers) => format!("cancel {:?}", numbers.collect::<Vec<_>>()),
        Event::Status { channel, status } => {
            format!("status {channel} {} {:02x?}", status.code, status.error)
        }
        Event::Flow(entries) => format!("flow {:?}", entries.resolve(1 << 32).collect::<Vec<_>>()),
        Event::Leave(leave) => format!("{leave:?}"),
        Event::Done => "done".into(),
        Event::Ping(bytes) => format!("ping {bytes:02x?}"),
        Event::Pong(bytes) => format!("pong {bytes:02x?}"),
    }
}

/// `script`, sent after the connection header, results in these events and no violation.
#[track_caller]
fn check(script: &str, expected: &[&str]) -> Decoder {
    check_with(Limits::default(), script, expected)
}

#[track_caller]
fn check_with(limits: Limits, script: &str, expected: &[&str]) -> Decoder {
    let mut decoder = connected(limits);
    let (events, violation) = events(&mut decoder, &bytes(script));
    assert_eq!(violation, None, "after {events:#?}");
    assert_eq!(events, expected);
    decoder
}

/// `script`, sent after the connection header, breaks a rule.
#[track_caller]
fn check_broken(script: &str, expected: Violation) {
    check_broken_with(Limits::default(), script, expected);
}

#[track_caller]
fn check_broken_with(limits: Limits, script: &str, expected: Violation) {
    let mut decoder = connected(limits);
    let (events, violation) = events(&mut decoder, &bytes(script));
    assert_eq!(violation, Some(expected), "after {events:#?}");
    assert_eq!(named_rule(&expected.to_string(), expected.rule()), Ok(()));
}

/// Checks that a message is not empty, and that the rule is in PROTOCOL.md.
fn named_rule(message: &str, rule: &str) -> Result<(), String> {
    let protocol = include_str!("../../PROTOCOL.md");
    let known = protocol.lines().any(|line| line == format!("r[{rule}]"));
    match known && !message.is_empty() {
        true => Ok(()),
        false => Err(format!("{rule} is not a rule")),
    }
}

/// The only refusal among the events of `script`, and its reason.
#[track_caller]
fn refusal_of(limits: Limits, script: &str) -> Refusal {
    let mut decoder = connected(limits);
    let input = bytes(script);
    let mut input = input.as_slice();
    loop {
        match decoder.decode(&mut input).unwrap() {
            Some(Event::Refused { refusal, .. }) => return refusal,
            Some(_) => {}
            None => panic!("nothing was refused"),
        }
    }
}

fn channel(id: u16) -> ChannelId {
    ChannelId::new(id).unwrap()
}

fn file(index: u32) -> crate::FileIndex {
    crate::FileIndex::new(index).unwrap()
}

//! What was decoded can be said again, and the second time it has its one canonical form.

use std::collections::{BTreeMap, VecDeque};

use sockety_codec::{
    ChannelCount, ChannelId, ConnectionHeader, Encoder, FileHeader, FileIndex, FilesSummary,
    Limits, MessageHead, ReplyCode, ResponseHead,
};

use crate::{Said, decode};

pub(crate) fn run(input: &[u8]) {
    let decoded = decode(Limits::WIRE, input);
    if !matches!(decoded.events.first(), Some(Said::Header { .. })) {
        return;
    }
    let events = sayable(decoded.events);
    let again = encode(&events);
    let decoded = decode(Limits::WIRE, &again);
    assert_eq!(decoded.violation, None, "{again:02x?}");
    assert_eq!(decoded.tolerated.reserved_bits, 0);
    assert_eq!(decoded.tolerated.empty_packets, 0);
    assert_eq!(decoded.tolerated.needless_switches, 0);
    assert_eq!(decoded.events, events);
    assert_eq!(encode(&decoded.events), again, "it has one form");
}

/// The events that an encoder can write: up to the first refusal, headers of files right behind the head that announces
/// them. A message whose header never became whole is left out.
fn sayable(events: Vec<Said>) -> Vec<Said> {
    let until = events
        .iter()
        .position(|event| matches!(event, Said::Refused { .. }))
        .unwrap_or(events.len());
    let events = &events[..until];
    let mut headers = file_headers(events);
    let mut sayable = Vec::new();
    let mut incomplete = std::collections::BTreeSet::new();
    for event in events {
        match event {
            Said::Head { channel, files, .. } => {
                let announced = match files {
                    0 => Vec::new(),
                    _ => headers
                        .get_mut(channel)
                        .and_then(VecDeque::pop_front)
                        .unwrap_or_default(),
                };
                if announced.len() as u64 != u64::from(*files) {
                    incomplete.insert(*channel);
                    continue;
                }
                incomplete.remove(channel);
                event.clone().push(&mut sayable);
                sayable.extend(announced);
            }
            Said::FileHeader { .. } => {}
            event
                if event
                    .channel()
                    .is_some_and(|channel| incomplete.contains(&channel)) => {}
            event => event.clone().push(&mut sayable),
        }
    }
    sayable
}

/// The headers of the files of each message with files, by channel.
fn file_headers(events: &[Said]) -> BTreeMap<u16, VecDeque<Vec<Said>>> {
    let mut headers: BTreeMap<u16, VecDeque<Vec<Said>>> = BTreeMap::new();
    for event in events {
        match event {
            Said::Head { channel, files, .. } if *files > 0 => {
                headers.entry(*channel).or_default().push_back(Vec::new());
            }
            Said::FileHeader { channel, .. } => {
                let of_channel = headers.get_mut(channel).expect("a head with files");
                of_channel
                    .back_mut()
                    .expect("a head with files")
                    .push(event.clone());
            }
            _ => {}
        }
    }
    headers
}

fn encode(events: &[Said]) -> Vec<u8> {
    let mut dst = Vec::new();
    let mut encoder = Encoder::new(ChannelCount::MAX);
    let mut rest = events.iter().peekable();
    while let Some(event) = rest.next() {
        let on = ChannelId::new(event.channel().unwrap_or(0)).expect("12 bits");
        let result = match event {
            Said::Header { channels } => {
                let channels = ChannelCount::new(*channels).expect("it was read");
                ConnectionHeader::new(channels).encode(&mut dst);
                Ok(())
            }
            Said::Head { .. } => {
                let mut files = Vec::new();
                while let Some(Said::FileHeader { size, name, .. }) =
                    rest.next_if(|next| matches!(next, Said::FileHeader { .. }))
                {
                    files.push(FileHeader::new(name, *size));
                }
                begin(&mut encoder, &mut dst, event, &files)
            }
            Said::FileHeader { .. } | Said::End { .. } | Said::Refused { .. } => Ok(()),
            Said::Data { bytes, .. } => {
                let result = encoder.data(&mut dst, on, length(bytes));
                dst.extend_from_slice(bytes);
                result
            }
            Said::Stream { bytes, .. } => {
                let result = encoder.stream(&mut dst, on, length(bytes));
                dst.extend_from_slice(bytes);
                result
            }
            Said::File { index, bytes, .. } => {
                let result = encoder.file(&mut dst, on, file(*index), length(bytes));
                dst.extend_from_slice(bytes);
                result
            }
            Said::StreamEnd { .. } => encoder.stream_end(&mut dst, on),
            Said::FileEnd { index, .. } => encoder.file_end(&mut dst, on, file(*index)),
            Said::Abort { .. } => {
                let result = encoder.abort(&mut dst, on);
                encoder.reuse(on);
                result
            }
            Said::FastReply { id, code } => {
                let code = ReplyCode::new(*code).expect("12 bits");
                encoder.fast_reply(&mut dst, *id, code);
                Ok(())
            }
            Said::Heartbeat => {
                encoder.heartbeat(&mut dst);
                Ok(())
            }
            Said::GoAway => {
                encoder.go_away(&mut dst);
                Ok(())
            }
            Said::Extension(event) => unreachable!("nobody offered {event:?}"),
        };
        assert_eq!(result, Ok(()), "{event:?} can be said again");
    }
    dst
}

fn begin(
    encoder: &mut Encoder,
    dst: &mut Vec<u8>,
    head: &Said,
    files: &[FileHeader<'_>],
) -> Result<(), sockety_codec::UsageError> {
    let Said::Head {
        channel,
        parent,
        id,
        action,
        expects_response,
        has_stream,
        payload,
        files: count,
        files_size,
    } = head
    else {
        unreachable!("it is a head");
    };
    let channel = ChannelId::new(*channel).expect("12 bits");
    let announced = FilesSummary::new(*count, *files_size);
    match parent {
        None => {
            let head = MessageHead::new(*id, action)
                .expecting_response(*expects_response)
                .with_stream(*has_stream)
                .with_payload_size(*payload)
                .with_files(announced);
            encoder.begin(dst, channel, head, files)
        }
        Some(parent) => {
            let head = ResponseHead::new(*parent, *id)
                .expecting_response(*expects_response)
                .with_stream(*has_stream)
                .with_payload_size(*payload)
                .with_files(announced);
            encoder.begin(dst, channel, head, files)
        }
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("an input is small")
}

fn file(index: u32) -> FileIndex {
    FileIndex::new(index).expect("24 bits")
}

//! The negotiated extension: whatever a peer sends that offers it means the same however it is cut, takes no memory to speak of,
//! and can be said again.

use std::collections::BTreeSet;

use sockety_codec::{ConnectionHeader, Decoder, Limits};

use crate::extended::{check_metadata, encode_extended};
use crate::order::Order;
use crate::stream::decode_by;
use crate::{Decoded, Extended, Said, Setting, heap, pieces};

/// Besides channels and what follows the input.
const BASE: usize = 16 * 1024;
/// As in `decode_split`.
const PER_CHANNEL: usize = 3 * 24;
const PER_BYTE: usize = 24;

/// The largest packet of the extension.
const LARGEST: usize = 64 * 1024;

/// Settings with all defaults.
const SETTINGS: &[u8] = &[0xF0, 0x01, 0x00];

/// For nearly all inputs, the settings come first, as everything else ends there.
const WITHOUT_SETTINGS: u8 = 0x80;

pub(crate) fn run(data: &[u8]) {
    let [setting, a, b, c, d, input @ ..] = data else {
        return;
    };
    let limits = Setting::of(*setting).limits();
    let mut sent = Vec::new();
    ConnectionHeader::OFFER.encode(&mut sent);
    if setting & WITHOUT_SETTINGS == 0 {
        sent.extend_from_slice(SETTINGS);
    }
    sent.extend_from_slice(input);
    let input = &*sent;

    let whole = decode_extended(limits, [input]);
    check_order(&whole);
    let cut = pieces(input, u32::from_le_bytes([*a, *b, *c, *d]));
    let channels = usize::from(limits.channels().get()).max(16);
    heap::check(
        BASE + PER_CHANNEL * channels + PER_BYTE * input.len(),
        || {
            drop_everything(limits, &cut);
        },
    );
    for whole_messages in [false, true] {
        let decode = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut decoder = Decoder::new(limits).offering_extension();
            if whole_messages {
                decoder = decoder.whole_messages();
            }
            decode_by(decoder, pieces)
        };
        assert_eq!(decode(&mut [input].into_iter()), whole, "in one piece");
        assert_eq!(decode(&mut cut.iter().copied()), whole, "cut apart");
        assert_eq!(decode(&mut input.chunks(1)), whole, "byte by byte");
    }
    say_again(&extended(&whole.events));
}

/// Decodes what a side sends, whose peer offers the extension.
pub fn decode_extended<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    decode_by(Decoder::new(limits).offering_extension(), pieces)
}

/// Only the events of the extension.
pub fn extended(events: &[Said]) -> Vec<Extended> {
    let extended = events.iter().filter_map(|event| match event {
        Said::Extension(event) => Some(event.clone()),
        _ => None,
    });
    extended.collect()
}

fn check_order(decoded: &Decoded) {
    let events = &decoded.events;
    Order::check(events);
    let settings = |event: &Said| matches!(event, Said::Extension(Extended::Settings(_)));
    let position = events.iter().position(settings);
    assert!(matches!(position, Some(1) | None), "settings are first");
    assert!(position.is_some() || events.len() <= 1);
    assert!(events.iter().filter(|event| settings(event)).count() <= 1);
    let numbers: BTreeSet<_> = decoded.numbers.iter().collect();
    assert_eq!(
        numbers.len(),
        decoded.numbers.len(),
        "a number is there twice"
    );
    for two in events.windows(2) {
        match &two[0] {
            Said::Extension(Extended::Metadata { number: None, .. }) => {
                assert!(matches!(two[1], Said::FastReply { .. }), "{two:?}");
            }
            Said::Extension(Extended::Status { channel, .. }) => {
                let is_end = matches!(two[1], Said::StreamEnd { .. } | Said::Abort { .. });
                assert!(is_end && two[1].channel() == Some(*channel), "{two:?}");
            }
            _ => {}
        }
    }
}

fn drop_everything(limits: Limits, pieces: &[&[u8]]) {
    let mut decoder = Decoder::new(limits).offering_extension();
    for piece in pieces {
        let mut input = *piece;
        while let Ok(Some(_)) = decoder.decode(&mut input) {}
        let held = decoder.buffered();
        let limit = limits.held_header_bytes().max(64).saturating_add(LARGEST);
        assert!(held <= limit, "{held} bytes held");
    }
}

/// What was read can be written, in one form.
fn say_again(events: &[Extended]) {
    check_metadata(events);
    let written = encode_extended(events);
    // All metadata may be as large as the wire can say.
    let decoded = decode_extended(Limits::WIRE, [&*written]);
    assert_eq!(decoded.violation, None, "{written:02x?}");
    assert_eq!(decoded.tolerated.total(), 0, "{:?}", decoded.tolerated);
    let again = extended(&decoded.events);
    assert_eq!(comparable(&again), comparable(events));
    assert_eq!(encode_extended(&again), written, "it has one form");
}

/// Numbers of messages are others when it is said again, that no message follows is said once and last, and there are settings.
fn comparable(events: &[Extended]) -> Vec<Extended> {
    let mut comparable = Vec::new();
    let mut cancelled = Vec::new();
    let (mut settings, mut is_done) = (Extended::Settings(Default::default()), false);
    for event in events {
        match event {
            Extended::Settings(_) => settings = event.clone(),
            Extended::Done => is_done = true,
            Extended::Unannounced(_) => {}
            // Many may take several packets.
            Extended::Cancel(numbers) => cancelled.extend_from_slice(numbers),
            Extended::Metadata { number, content } => comparable.push(Extended::Metadata {
                number: number.map(|_| 0),
                content: content.clone(),
            }),
            event => comparable.push(event.clone()),
        }
    }
    comparable.insert(0, settings);
    comparable.push(Extended::Cancel(cancelled));
    comparable.extend(is_done.then_some(Extended::Done));
    comparable
}

//! However the bytes of a peer are cut, they say the same; and they take no memory to speak of.

use sockety_codec::{ChannelId, Decoder, Event, Limits};

use crate::order::Order;
use crate::{Setting, decode, decode_pieces, decode_whole, heap};

/// Besides channels and what follows the input.
const BASE: usize = 16 * 1024;

/// A channel costs 24 bytes, in a table up to the highest one, which grows by doubling: while it moves, three times as much.
const PER_CHANNEL: usize = 3 * 24;

/// A file is announced with three bytes at least and costs 24, in a table that grows by doubling: while it moves to one
/// twice as large, half as much again.
const PER_BYTE: usize = 24;

pub(crate) fn run(data: &[u8]) {
    let [setting, a, b, c, d, input @ ..] = data else {
        return;
    };
    let limits = Setting::of(*setting).limits();
    let seed = u32::from_le_bytes([*a, *b, *c, *d]);
    let whole = decode(limits, input);
    Order::check(&whole.events);
    let cut = pieces(input, seed);
    let table = PER_CHANNEL * usize::from(limits.channels().get());
    heap::check(BASE + table + PER_BYTE * input.len(), || {
        drop_everything(limits, &cut)
    });
    let in_whole = decode_whole(limits, cut.iter().copied());
    assert_eq!(in_whole, whole, "in whole messages");
    assert_eq!(decode_pieces(limits, cut), whole, "cut apart");
    assert_eq!(decode_whole(limits, [input]), whole, "in whole messages");
    let bytes = input.chunks(1);
    assert_eq!(decode_pieces(limits, bytes), whole, "byte by byte");
    refuse_some(limits, input, seed);
}

/// Cuts `input` into pieces of sizes that `seed` tells: some tiny, some large, some empty.
pub fn pieces(input: &[u8], seed: u32) -> Vec<&[u8]> {
    let mut rng = fastrand::Rng::with_seed(seed.into());
    let mut rest = input;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let longest = [1, 3, 20, 300, 5000][rng.usize(..5)];
        let (piece, after) = rest.split_at(rng.usize(..=longest).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn drop_everything(limits: Limits, pieces: &[&[u8]]) {
    let mut decoder = Decoder::new(limits);
    for piece in pieces {
        let mut input = *piece;
        while let Ok(Some(_)) = decoder.decode(&mut input) {}
        let held = decoder.buffered();
        assert!(
            held <= limits.held_header_bytes().max(64),
            "{held} bytes of headers"
        );
    }
}

/// The application may refuse any message at any time: then nothing of it comes but its end.
fn refuse_some(limits: Limits, input: &[u8], seed: u32) {
    let mut rng = fastrand::Rng::with_seed(seed.into());
    let mut decoder = Decoder::new(limits);
    let mut refused = std::collections::BTreeSet::new();
    for piece in pieces(input, seed) {
        let mut input = piece;
        while let Ok(Some(event)) = decoder.decode(&mut input) {
            let is_end = matches!(event, Event::End { .. } | Event::Abort { .. });
            if let Some(channel) = crate::Said::from(event).channel() {
                let was_refused = refused.remove(&channel);
                assert!(is_end || !was_refused, "channel {channel} was refused");
            }
        }
        let channel = ChannelId::new(rng.u16(..4)).expect("a channel");
        if rng.bool() && decoder.refuse(channel) {
            refused.insert(channel.get());
        }
    }
}

use sockety_codec::{ChannelCount, Decoder, Event, Limits, Tolerated, Truncated, Violation};

use crate::Said;

/// Limits that a decoder is tried with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The defaults.
    Default,
    /// Nothing is refused that the wire can say.
    Wire,
    /// The defaults, and no oddities.
    Strict,
    /// So little that everything is soon over a limit.
    Tiny,
}

impl Setting {
    /// One for each number.
    pub fn of(selector: u8) -> Self {
        match selector % 4 {
            0 => Self::Default,
            1 => Self::Wire,
            2 => Self::Strict,
            _ => Self::Tiny,
        }
    }

    /// The limits.
    pub fn limits(self) -> Limits {
        match self {
            Self::Default => Limits::default(),
            Self::Wire => Limits::WIRE,
            Self::Strict => Limits::default().strict(true),
            Self::Tiny => Limits::WIRE
                .max_channels(ChannelCount::new(3).unwrap_or(ChannelCount::ONE))
                .max_action_bytes(8)
                .max_header_bytes(64)
                .max_header_pieces(4)
                .max_held_header_bytes(100)
                .max_payload(32)
                .max_files(2)
                .max_file_name_bytes(4)
                .max_file_size(16)
                .max_total_file_size(24),
        }
    }
}

/// All that a decoder made of some input.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The events; pieces of content that follow each other are joined.
    pub events: Vec<Said>,
    /// The numbers of the messages that were announced.
    pub numbers: Vec<u64>,
    /// The rule that was broken, if any.
    pub violation: Option<Violation>,
    /// Whether the input may end here.
    pub end: Result<(), Truncated>,
    /// Oddities.
    pub tolerated: Tolerated,
    /// Content that was dropped.
    pub drained: u64,
}

/// Decodes input in one piece.
pub fn decode(limits: Limits, input: &[u8]) -> Decoded {
    decode_pieces(limits, [input])
}

/// Decodes input in pieces.
pub fn decode_pieces<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    decode_by(Decoder::new(limits), pieces)
}

/// Decodes input in pieces, in which messages may be whole.
pub fn decode_whole<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    decode_by(Decoder::new(limits).whole_messages(), pieces)
}

pub(crate) fn decode_by<'a>(
    mut decoder: Decoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Decoded {
    let (mut events, mut numbers) = (Vec::new(), Vec::new());
    let violation = feed(&mut decoder, pieces, |event| {
        if let Event::Message { number, .. } | Event::Response { number, .. } = event {
            numbers.push(number);
        }
        Said::from(event).push(&mut events);
    });
    Decoded {
        events,
        numbers,
        violation,
        end: decoder.finish(),
        tolerated: *decoder.tolerated(),
        drained: decoder.drained(),
    }
}

/// Gives a decoder its input, up to the rule that is broken.
fn feed<'a>(
    decoder: &mut Decoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    mut take: impl FnMut(Event<'_>),
) -> Option<Violation> {
    for piece in pieces {
        let mut input = piece;
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(event)) => event.apart().for_each(&mut take),
                Ok(None) => break,
                Err(violation) => {
                    let again = decoder.decode(&mut input).map(|_| ());
                    assert_eq!(again, Err(violation), "it went on after a violation");
                    return Some(violation);
                }
            }
        }
        assert!(input.is_empty(), "{} bytes were not used", input.len());
    }
    None
}

//! The decoder and the reference agree on every input.

use sockety_codec::{Limits, Truncated};

use crate::{Decoded, End, decode, read};

pub(crate) fn run(data: &[u8]) {
    let [setting, input @ ..] = data else {
        return;
    };
    let strict = setting & 1 == 1;
    let limits = Limits::WIRE.strict(strict);
    let decoded = decode(limits, input);
    let expected = read(input, limits.channels().get(), strict);
    assert_eq!(end(&decoded), expected.end, "after {:#?}", expected.events);
    assert_eq!(decoded.events, expected.events);
    // What else is odd about the packet that breaks a rule is nothing that anyone needs to know.
    if !matches!(expected.end, End::Broken(_)) {
        assert_eq!(decoded.tolerated, expected.tolerated);
    }
}

fn end(decoded: &Decoded) -> End {
    match (decoded.violation, decoded.end) {
        (Some(violation), _) => End::Broken(violation.rule()),
        (None, Ok(())) => End::Clean,
        (None, Err(Truncated::ConnectionHeader)) => End::InConnectionHeader,
        (None, Err(Truncated::Packet)) => End::InPacket,
        (None, Err(Truncated::Head { channel })) => End::InHead(channel.get()),
        (None, Err(Truncated::Content { channel })) => End::InContent(channel.get()),
        (None, Err(other)) => panic!("the reference does not know {other:?}"),
    }
}

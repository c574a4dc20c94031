use super::*;

const ON: ChannelId = ChannelId::ZERO;
use crate::ConnectionHeader;

/// Checks what `write` appends at the start of a connection.
#[track_caller]
fn check(write: impl FnOnce(&mut Encoder, &mut Vec<u8>), expected: &[&[u8]]) {
    let mut dst = Vec::new();
    write(&mut encoder(), &mut dst);
    assert_eq!(dst, join(expected));
}

// r[verify header.smallest]
// r[verify header.count.256]
// r[verify header.reserved]
#[test]
fn connection_headers_have_their_smallest_form() {
    let header = |count| {
        let mut dst = Vec::new();
        ConnectionHeader::new(ChannelCount::new(count).unwrap()).encode(&mut dst);
        dst
    };
    assert_eq!(header(1), [0xE0]);
    assert_eq!(header(2), [0xE1, 2]);
    assert_eq!(header(255), [0xE1, 255]);
    assert_eq!(header(256), [0xE2, 0x00, 0x01]);
    assert_eq!(header(4095), [0xE2, 0xFF, 0x0F]);
    assert_eq!(header(4096), [0xE3]);
}

// r[verify head.action]
// r[verify packet.message]
#[test]
fn a_message_without_content_is_its_header() {
    check(
        |encoder, dst| {
            encoder
                .begin(dst, ChannelId::ZERO, message("ping"), &[])
                .unwrap()
        },
        &[&[0x21, 22, 0x00], &[0xA5; 16], b"\x04ping"],
    );
    let long = "x".repeat(256);
    check(
        |encoder, dst| {
            encoder
                .begin(dst, ChannelId::ZERO, message(&long), &[])
                .unwrap()
        },
        &[
            &[0x25, 0x13, 0x01, 0x02],
            &[0xA5; 16],
            &[0x00, 0x01],
            long.as_bytes(),
        ],
    );
}

// r[verify packet.response]
// r[verify head.parent]
// r[verify head.id]
#[test]
fn a_response_names_what_it_answers() {
    check(
        |encoder, dst| {
            encoder
                .begin(dst, ChannelId::ZERO, response(), &[])
                .unwrap()
        },
        &[&[0x50, 33, 0x00], &[0x5A; 16], &[0xA5; 16]],
    );
}

// r[verify head.smallest]
// r[verify head.payload]
// r[verify packet.head.flags]
// r[verify packet.size.smallest]
#[test]
fn payload_sizes_have_their_smallest_form() {
    let cases: [(u64, &[u8], &[u8]); 5] = [
        (1, &[0x23, 20, 0x40], &[1]),
        (255, &[0x23, 20, 0x40], &[255]),
        (256, &[0x23, 21, 0x80], &[0x00, 0x01]),
        (65_536, &[0x23, 25, 0xC0], &[0, 0, 1, 0, 0, 0]),
        (0xFFFF_FFFF_FFFF, &[0x23, 25, 0xC0], &[0xFF; 6]),
    ];
    for (payload_size, begin, end) in cases {
        let head = message("a")
            .with_payload_size(payload_size)
            .with_stream(true);
        check(
            |encoder, dst| encoder.begin(dst, ChannelId::ZERO, head, &[]).unwrap(),
            &[begin, &[0xA5; 16], b"\x01a", end],
        );
    }
}

// r[verify head.whole]
// r[verify head.files.count]
// r[verify head.files.total]
// r[verify head.file]
#[test]
fn files_are_announced_in_the_same_packet() {
    let long = "n".repeat(256);
    let sizes = [1, 0x100, 0x1_0000, 0x100_0000];
    let files = sizes.map(|size| FileHeader::new("f", size));
    let files = [&files[..], &[FileHeader::new(&long, 0)]].concat();
    let head = message("a").with_files(FilesSummary::of(&files).unwrap());
    check(
        |encoder, dst| encoder.begin(dst, ChannelId::ZERO, head, &files).unwrap(),
        &[
            &[0x25, 0x34, 0x01, 0x18],
            &[0xA5; 16],
            b"\x01a",
            &[5, 0x01, 0x01, 0x01, 0x01],
            &[0x00, 1, 1, b'f'],
            &[0x04, 0, 1, 1, b'f'],
            &[0x08, 0, 0, 1, 1, b'f'],
            &[0x0C, 0, 0, 0, 1, 0, 0, 1, b'f'],
            &[0x02, 0, 0, 1],
            long.as_bytes(),
        ],
    );
}

// r[verify packet.size.smallest]
// r[verify packet.data]
#[test]
fn packet_sizes_have_their_smallest_form() {
    let sizes: [(u32, &[u8]); 7] = [
        (1, &[0xE0, 1]),
        (0xFF, &[0xE0, 0xFF]),
        (0x100, &[0xE4, 0, 1]),
        (0xFFFF, &[0xE4, 0xFF, 0xFF]),
        (0x1_0000, &[0xE8, 0, 0, 1]),
        (0xFF_FFFF, &[0xE8, 0xFF, 0xFF, 0xFF]),
        (0x100_0000, &[0xEC, 0, 0, 0, 1]),
    ];
    for (size, expected) in sizes {
        let mut dst = Vec::new();
        Packet::Data { size }.encode(&mut dst);
        assert_eq!(dst, expected);
    }
}

// r[verify packet.stream]
// r[verify packet.stream.end]
// r[verify packet.abort]
// r[verify packet.heartbeat]
// r[verify packet.goaway]
// r[verify packet.continue]
// r[verify packet.reserved]
#[test]
fn small_packets_have_golden_bytes() {
    let cases: [(Packet, &[u8]); 6] = [
        (Packet::Stream { size: 3 }, &[0x70, 3]),
        (Packet::StreamEnd, &[0x80]),
        (Packet::Abort, &[0x90]),
        (Packet::Heartbeat, &[0xA0]),
        (Packet::GoAway, &[0xB0]),
        (Packet::Continue { size: 3 }, &[0x60, 3]),
    ];
    for (packet, expected) in cases {
        let mut dst = Vec::new();
        packet.encode(&mut dst);
        assert_eq!(dst, expected);
    }
}

// r[verify packet.switch.smallest]
// r[verify number.split]
#[test]
fn channels_below_16_are_switched_to_in_one_byte() {
    for (id, expected) in [
        (15, &[0x0F][..]),
        (16, &[0x10, 0x10]),
        (0x123, &[0x11, 0x23]),
        (4095, &[0x1F, 0xFF]),
    ] {
        let mut dst = Vec::new();
        Packet::Switch(channel(id)).encode(&mut dst);
        assert_eq!(dst, expected);
    }
}

// r[verify packet.reply.smallest]
// r[verify packet.reply.low]
// r[verify packet.reply.long]
#[test]
fn codes_below_16_are_sent_in_one_byte() {
    for (code, expected) in [
        (0, &[0x30][..]),
        (15, &[0x3F]),
        (16, &[0x40, 0x10]),
        (4095, &[0x4F, 0xFF]),
    ] {
        let code = ReplyCode::new(code).unwrap();
        check(
            |encoder, dst| encoder.fast_reply(dst, ID, code),
            &[expected, &[0xA5; 16]],
        );
    }
}

// r[verify packet.file]
// r[verify packet.file.index]
// r[verify packet.file.end]
#[test]
fn file_indexes_have_their_smallest_form() {
    let cases: [(u32, u8, &[u8]); 4] = [
        (0, 0, &[]),
        (1, 1, &[1]),
        (0x100, 2, &[0, 1]),
        (0x1_0000, 3, &[0, 0, 1]),
    ];
    for (index, code, bytes) in cases {
        let index = file(index);
        let mut dst = Vec::new();
        Packet::File { index, size: 7 }.encode(&mut dst);
        Packet::FileEnd { index }.encode(&mut dst);
        assert_eq!(
            dst,
            join(&[&[0xC0 | code, 7], bytes, &[0xD0 | code], bytes])
        );
    }
}

#[test]
fn every_packet_is_read_as_it_was_written() {
    let opening = crate::packet::Opening {
        size: 70_000,
        has_stream: true,
        expects_response: false,
    };
    let index = file(300);
    let packets = [
        Packet::Switch(channel(3)),
        Packet::Switch(channel(300)),
        Packet::Message(opening),
        Packet::Response(opening),
        Packet::FastReply {
            id: ID,
            code: ReplyCode::INTERNAL_ERROR,
        },
        Packet::FastReply {
            id: ID,
            code: ReplyCode::MAX,
        },
        Packet::Continue { size: 256 },
        Packet::Stream { size: 1 },
        Packet::StreamEnd,
        Packet::Abort,
        Packet::Heartbeat,
        Packet::GoAway,
        Packet::File { index, size: 9 },
        Packet::FileEnd { index },
        Packet::Data { size: u32::MAX },
    ];
    for packet in packets {
        let mut bytes = Vec::new();
        packet.encode(&mut bytes);
        assert_eq!(Packet::length(bytes[0]), bytes.len());
        assert!(!Packet::has_reserved_bits(bytes[0]));
        for end in 0..bytes.len() {
            let mut reader = crate::reader::Reader::new(&bytes[..end]);
            assert_eq!(Packet::decode(&mut reader), None);
        }
        let mut reader = crate::reader::Reader::new(&bytes);
        assert_eq!(Packet::decode(&mut reader), Some(packet));
        assert!(reader.rest().is_empty());
    }
}

// r[verify number.order]
#[test]
fn whole_messages_carry_their_payload() {
    let payload = [7; 300];
    let mut dst = Vec::new();
    let mut encoder = encoder();
    encoder
        .whole(&mut dst, channel(1), message("a"), &payload)
        .unwrap();
    encoder
        .whole(&mut dst, channel(1), response(), &payload)
        .unwrap();
    encoder
        .whole(&mut dst, channel(1), message("a"), &[])
        .unwrap();
    let expected = join(&[
        &[0x01, 0x21, 21, 0x80],
        &[0xA5; 16],
        b"\x01a\x2C\x01",
        &[0xE4, 0x2C, 0x01],
        &payload,
        &[0x50, 35, 0x80],
        &[0x5A; 16],
        &[0xA5; 16],
        &[0x2C, 0x01],
        &[0xE4, 0x2C, 0x01],
        &payload,
        &[0x21, 19, 0x00],
        &[0xA5; 16],
        b"\x01a",
    ]);
    assert_eq!(dst, expected);
}

#[test]
fn whole_messages_announce_nothing_but_their_payload() {
    let files = FilesSummary::new(3, 9);
    let (mut said, mut expected) = (Vec::new(), Vec::new());
    let message = message("a");
    let more = message
        .with_stream(true)
        .with_payload_size(77)
        .with_files(files);
    let response = response();
    let more_in_response = response
        .with_stream(true)
        .with_payload_size(77)
        .with_files(files);
    for (dst, message, response) in [
        (&mut said, more, more_in_response),
        (&mut expected, message, response),
    ] {
        let mut encoder = encoder();
        encoder.whole(dst, ON, message, b"one").unwrap();
        encoder.whole(dst, ON, response, b"two").unwrap();
        encode_message(dst, message, b"three").unwrap();
    }
    assert_eq!(said, expected);
}

// r[verify head.smallest]
#[test]
fn actions_of_256_bytes_take_two_for_their_length() {
    for (length, expected) in [(255, &[0x00, 0xFF][..]), (256, &[0x02, 0x00, 0x01])] {
        let action = "a".repeat(length);
        let mut dst = Vec::new();
        let message = message(&action);
        encoder().begin(&mut dst, ON, message, &[]).unwrap();
        // The size of the packet has two bytes.
        let header = &dst[3..];
        assert_eq!(
            [&header[..1], &header[17..16 + expected.len()]].concat(),
            expected
        );
        assert!(header.ends_with(action.as_bytes()));
    }
}

#[test]
fn prepared_messages_are_the_same_as_whole_ones() {
    let mut prepared = Vec::new();
    encode_message(&mut prepared, message("a"), b"payload").unwrap();
    let (mut one, mut other) = (Vec::new(), Vec::new());
    encoder()
        .prepared(&mut one, channel(9), 1, &prepared)
        .unwrap();
    encoder()
        .whole(&mut other, channel(9), message("a"), b"payload")
        .unwrap();
    assert_eq!(one, other);
}

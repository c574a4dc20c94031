use super::*;

const ANNOUNCED: &str = "message 0 \"a\" response=true stream=false payload=0 files=2/5";

// r[verify packet.response]
// r[verify head.parent]
// r[verify head.id]
#[test]
fn a_response_names_what_it_answers() {
    let mut decoder = connected(Limits::default());
    let input = bytes("50 22 40 P U 02 E0 02 0102");
    let mut input = input.as_slice();
    let Ok(Some(Event::Response { head, .. })) = decoder.decode(&mut input) else {
        panic!("no response");
    };
    assert_eq!(head.parent.simple().to_string(), P);
    assert_eq!(head.id.simple().to_string(), U);
    assert_eq!(head.payload_size, 2);
    assert!(head.has_content());
}

// r[verify packet.head.flags]
#[test]
fn the_first_byte_tells_of_stream_and_response() {
    let event = |script: &str| check_first(script);
    assert!(event("20 13 00 U 01 61").contains("response=false stream=false"));
    assert!(event("21 13 00 U 01 61").contains("response=true stream=false"));
    assert!(event("22 13 00 U 01 61").contains("response=false stream=true"));
    assert!(event("53 21 00 P U").contains("response=true stream=true"));
}

// r[verify head.flags]
// r[verify head.payload]
#[test]
fn the_payload_size_has_four_forms() {
    assert!(check_first("20 13 00 U 01 61").contains("payload=0"));
    assert!(check_first("20 14 40 U 01 61 07").contains("payload=7"));
    assert!(check_first("20 15 80 U 01 61 0701").contains("payload=263"));
    assert!(check_first("20 19 C0 U 01 61 070000000000").contains("payload=7"));
    // A size field with the value 0 means no payload.
    check(
        "20 14 40 U 01 61 00 A0",
        &[
            "message 0 \"a\" response=false stream=false payload=0 files=0/0",
            "heartbeat",
        ],
    );
}

// r[verify head.files.count]
// r[verify head.files.total]
// r[verify head.file]
// r[verify head.file.order]
#[test]
fn files_are_announced_in_all_forms() {
    check_files("21 1F 10 U 01 61 02 0500  00 02 01 62  02 03 0100 63");
    check_files("21 21 24 U 01 61 0200 050000  04 0200 01 62  00 03 01 63");
    check_files("21 24 38 U 01 61 020000 05000000  08 020000 01 62  00 03 01 63");
    check_files("21 28 1C U 01 61 02 050000000000  0C 020000000000 01 62  02 03 0100 63");
}

#[track_caller]
fn check_files(script: &str) {
    let script = format!("{script} D1 01 D0");
    let mut decoder = connected(Limits::default());
    let (events, violation) = events(&mut decoder, &bytes(&script));
    assert_eq!(violation, None);
    assert_eq!(
        events,
        [
            ANNOUNCED,
            "file header 0 0 \"b\" 2",
            "file header 0 1 \"c\" 3",
            "file end 0 1 3",
            "file end 0 0 2",
            "end 0",
        ]
    );
}

// r[verify head.files.count]
#[test]
fn a_file_count_of_zero_is_no_files() {
    check(
        "20 16 10 U 01 61 00 0000",
        &["message 0 \"a\" response=false stream=false payload=0 files=0/0"],
    );
}

// r[verify head.reserved]
#[test]
fn t_m12_reserved_bits_of_heads_are_counted() {
    let decoder = check(
        "20 13 01 U 01 61",
        &["message 0 \"a\" response=false stream=false payload=0 files=0/0"],
    );
    assert_eq!(decoder.tolerated().reserved_bits, 1);
    // A response has no action, so the bit for the width of its length is reserved.
    let decoder = check(
        "50 21 02 P U",
        &["response 0 response=false stream=false payload=0 files=0/0"],
    );
    assert_eq!(decoder.tolerated().reserved_bits, 1);
}

// r[verify head.file.reserved]
#[test]
fn reserved_bits_of_file_headers_are_counted() {
    let decoder = check(
        "20 1A 10 U 01 61 01 0000 F1 00 01 62 D0",
        &[
            "message 0 \"a\" response=false stream=false payload=0 files=1/0",
            "file header 0 0 \"b\" 0",
            "file end 0 0 0",
            "end 0",
        ],
    );
    assert_eq!(decoder.tolerated().reserved_bits, 1);
}

/// Strict limits name the byte, and do not count valid bytes.
#[test]
fn the_byte_with_reserved_bits_is_told() {
    let limits = Limits::default().strict(true);
    let file = |flags: &str| format!("20 1A 10 U 01 61 01 0000 {flags} 00 01 62 D0");
    check_broken_with(limits, &file("F1"), Violation::ReservedBits { byte: 0xF1 });
    check_broken_with(limits, &file("10"), Violation::ReservedBits { byte: 0x10 });
    let head = "20 13 01 U 01 61";
    check_broken_with(limits, head, Violation::ReservedBits { byte: 0x01 });
    let mut decoder = connected(limits);
    let (_, violation) = events(&mut decoder, &bytes(&file("00")));
    assert_eq!((violation, decoder.tolerated().reserved_bits), (None, 0));
}

// r[verify head.cut]
// r[verify head.announce]
// r[verify packet.continue]
#[test]
fn a_header_goes_on_at_any_byte_with_content_between() {
    check(
        "23 06 50 0a1b2c3d4e  60 0F 5f4a6b8c7d9e0f1a2b3c4d 01 61 01 02  \
         60 04 0500 00 02  A0  60 02 01 62  E0 01 AA  C0 02 0102  70 01 BB  \
         60 03 00 03 01  D0  80  60 01 63  C1 03 01 030405 D1 01",
        &[
            "message 0 \"a\" response=true stream=true payload=1 files=2/5",
            "heartbeat",
            "file header 0 0 \"b\" 2",
            "data 0 [aa] 0",
            "file 0 0 [01, 02]",
            "stream 0 [bb]",
            "file end 0 0 0",
            "stream end 0",
            "file header 0 1 \"c\" 3",
            "file 0 1 [03, 04, 05]",
            "file end 0 1 0",
            "end 0",
        ],
    );
}

// r[verify head.continue]
#[test]
fn a_header_cannot_go_on_where_none_has_begun() {
    let channel = ChannelId::ZERO;
    check_broken("60 01 00", Violation::NoMessage { channel, size: 1 });
    check_broken(
        "21 16 00 U 04 70696e67 60 01 00",
        Violation::NoMessage { channel, size: 1 },
    );
}

// r[verify head.continue.ended]
#[test]
fn a_header_cannot_go_on_after_its_end() {
    check_broken(
        "21 14 40 U 01 61 01 60 01 00",
        Violation::ContinueAfterHeader {
            channel: ChannelId::ZERO,
            size: 1,
        },
    );
}

// r[verify head.trailing]
#[test]
fn bytes_after_a_header_in_its_packet_break_a_rule() {
    let channel = ChannelId::ZERO;
    let trailing = |bytes| Violation::HeaderTrailing { channel, bytes };
    check_broken("21 17 00 U 04 70696e67 00", trailing(1));
    check_broken("50 24 00 P U 000000", trailing(3));
    check_broken("20 1B 10 U 01 61 01 0000 00 00 01 62 00", trailing(1));
    check_broken(
        "20 12 00 0a1b2c3d4e5f4a6b8c7d9e0f1a2b3c4d 01 60 02 61 00",
        trailing(1),
    );
    // It is reported without waiting for those bytes.
    check_broken("2D FFFFFFFF 00 U 00", trailing(0xFFFF_FFFF - 18));
}

/// This includes a last file whose name is dropped, as nobody is going to see it.
#[test]
fn bytes_after_a_refused_header_in_its_packet_break_a_rule() {
    let channel = ChannelId::ZERO;
    check_broken(
        "20 1E 10 U 01 FF 01 0000 00 00 02 6162 000000",
        Violation::HeaderTrailing { channel, bytes: 3 },
    );
}

// r[verify head.id.opaque]
#[test]
fn ids_of_any_version_are_kept_byte_for_byte() {
    let mut decoder = connected(Limits::default());
    let mut input = vec![0x21, 0x12, 0x00];
    input.extend([0xFF; 16]);
    input.push(0);
    let mut input = input.as_slice();
    let Ok(Some(Event::Message { head, .. })) = decoder.decode(&mut input) else {
        panic!("no message");
    };
    assert_eq!(head.id.as_bytes(), &[0xFF; 16]);
    assert_eq!(head.action, "");
}

// r[verify text.utf8]
#[test]
fn an_action_that_is_not_text_is_refused() {
    let decoder = check(
        "21 14 00 U 02 FFFE A0",
        &["refused 0 action is not valid UTF-8", "end 0", "heartbeat"],
    );
    assert!(decoder.is_between_messages());
    let refusal = refusal_of(Limits::default(), "21 14 00 U 02 FFFE");
    assert_eq!(refusal.reason, RefusalReason::BadAction);
    assert_eq!(refusal.id.simple().to_string(), U);
    assert!(refusal.expects_response);
    assert_eq!(refusal.parent, None);
}

// r[verify text.utf8]
#[test]
fn a_file_name_that_is_not_text_is_refused() {
    check(
        "21 1B 50 U 01 61 01 01 0200 00 02 01 FF E0 01 00 C0 02 0000 D0 A0",
        &[
            "message 0 \"a\" response=true stream=false payload=1 files=1/2",
            "refused 0 name of file 0 is not valid UTF-8",
            "end 0",
            "heartbeat",
        ],
    );
}

// r[verify head.files.sum]
#[test]
fn file_sizes_must_sum_to_the_announced_total() {
    // Too small and too large.
    check(
        "21 1A 10 U 01 61 01 0900 00 02 01 62 D0",
        &[
            "message 0 \"a\" response=true stream=false payload=0 files=1/9",
            "refused 0 file sizes sum to 2 bytes, but 9 were announced",
            "end 0",
        ],
    );
    check(
        "21 1E 10 U 01 61 02 0100 00 02 01 62 00 00 01 63 D0 D1 01",
        &[
            "message 0 \"a\" response=true stream=false payload=0 files=2/1",
            "refused 0 file sizes sum to 2 bytes, but 1 were announced",
            "end 0",
        ],
    );
    check(
        "21 16 10 U 01 61 00 0100",
        &[
            "refused 0 file sizes sum to 0 bytes, but 1 were announced",
            "end 0",
        ],
    );
}

#[test]
fn t_m5_file_sizes_without_a_sum_are_refused() {
    let mut decoder = connected(Limits::WIRE);
    let (before, _) = events(
        &mut decoder,
        &bytes("2D FFFFFFFF 3C U 01 61 FFFFFF FFFFFFFFFFFF"),
    );
    assert_eq!(before.len(), 1);
    // Each has 2^48 - 1 bytes: two exceed what can be announced, and the sum of 65,538 overflows.
    let header = bytes("0C FFFFFFFFFFFF 00");
    let (after, violation) = events(&mut decoder, &header.repeat(70_000));
    assert_eq!(violation, None);
    let sum = "file sizes sum to 562949953421310 bytes";
    let announced = "281474976710655 were announced";
    assert_eq!(after[1], format!("refused 0 {sum}, but {announced}"));
    assert_eq!(after.len(), 2);
}

#[track_caller]
fn check_first(script: &str) -> String {
    let mut decoder = connected(Limits::default());
    let (events, violation) = events(&mut decoder, &bytes(script));
    assert_eq!(violation, None);
    events[0].clone()
}

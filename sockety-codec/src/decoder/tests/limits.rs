use super::*;
use crate::Measure;

fn too_large(what: Measure, size: u64, limit: u64) -> RefusalReason {
    RefusalReason::TooLarge { what, size, limit }
}

// r[verify limits.refuse]
#[test]
fn each_limit_of_a_head_refuses_the_message() {
    let limits = Limits::default()
        .max_action_bytes(3)
        .max_payload(10)
        .max_files(2)
        .max_total_file_size(20)
        .max_file_size(6)
        .max_file_name_bytes(1);
    let reason = |script: &str| refusal_of(limits, script).reason;
    assert_eq!(
        reason("21 16 00 U 04 70696e67"),
        too_large(Measure::Action, 4, 3)
    );
    assert_eq!(
        reason("21 14 40 U 01 61 0B"),
        too_large(Measure::Payload, 11, 10)
    );
    assert_eq!(
        reason("21 16 10 U 01 61 03 0000"),
        too_large(Measure::Files, 3, 2)
    );
    assert_eq!(
        reason("21 16 10 U 01 61 01 1500"),
        too_large(Measure::TotalFileSize, 21, 20)
    );
    assert_eq!(
        reason("21 1A 10 U 01 61 01 0700 00 07 01 62"),
        too_large(Measure::FileSize, 7, 6)
    );
    assert_eq!(
        reason("21 1B 10 U 01 61 01 0600 00 06 02 6263"),
        too_large(Measure::FileName, 2, 1)
    );
}

// r[verify limits.refuse]
#[test]
fn a_header_may_be_too_large_although_nothing_in_it_is() {
    let limits = |header_bytes| Limits::default().max_header_bytes(header_bytes);
    let script = "21 14 40 U 01 61 01";
    let refused = refusal_of(limits(19), script).reason;
    assert_eq!(refused, too_large(Measure::Header, 20, 19));
    let (events, _) = events(&mut connected(limits(20)), &bytes(script));
    assert!(events[0].starts_with("message"), "{events:?}");
}

// r[verify limits.refuse]
#[test]
fn a_refused_message_is_followed_to_its_end() {
    let limits = Limits::default().max_action_bytes(3);
    let decoder = check_with(
        limits,
        "23 1F 50 U 04 70696e67 02 01 0300 00 03 02 6263 E0 02 0102 70 01 00 C0 03 010203 D0 80 A0",
        &[
            "refused 0 action length 4 exceeds the limit of 3",
            "end 0",
            "heartbeat",
        ],
    );
    assert_eq!(decoder.drained(), 6);
    assert!(decoder.is_between_messages());
    check_with(
        limits,
        "21 16 00 U 04 70696e67 21 16 00 U 04 70",
        &[
            "refused 0 action length 4 exceeds the limit of 3",
            "end 0",
            "refused 0 action length 4 exceeds the limit of 3",
        ],
    );
    check_with(
        limits,
        "21 14 00 U 04 7069 90 A0",
        &[
            "refused 0 action length 4 exceeds the limit of 3",
            "abort 0",
            "heartbeat",
        ],
    );
}

#[test]
fn t_m6_a_long_action_is_not_held() {
    let mut decoder = connected(Limits::default());
    let mut input = bytes("25 FFFF 02 U FFFF");
    input.extend(vec![b'x'; 60_000]);
    let (events, violation) = events(&mut decoder, &input);
    assert_eq!(violation, None);
    assert_eq!(events.len(), 1);
    assert_eq!(decoder.buffered(), 0);
}

// r[verify limits.files]
#[test]
fn t_m2_too_many_files_are_only_counted() {
    let limits = Limits::default().max_files(1);
    let refused = "refused 0 file count 2 exceeds the limit of 1";
    let message = "21 1E 10 U 01 61 02 0500 00 02 01 62 00 03 01 63";
    check_with(
        limits,
        &format!("{message} C0 02 0102 D0 C1 03 01 010203 D1 01 A0"),
        &[refused, "end 0", "heartbeat"],
    );
    let channel = ChannelId::ZERO;
    let count = 2;
    let index = file(2);
    check_broken_with(
        limits,
        &format!("{message} D1 02"),
        Violation::FileIndex {
            channel,
            index,
            count,
        },
    );
    // With one header and two ends, one of them is too many.
    let index = file(0);
    check_broken_with(
        limits,
        "21 1A 10 U 01 61 02 0500 00 02 01 62 D0 D0",
        Violation::FileEnded { channel, index },
    );
}

// r[verify limits.refuse]
// r[verify limits.abuse]
#[test]
fn t_m1_an_endless_header_is_refused_and_then_ends_the_connection() {
    let limits = Limits::default().max_header_bytes(64).max_files(100);
    let mut script = String::from("21 16 10 U 01 61 64 0000");
    // 22 bytes, and 3 for each file header: the 15th exceeds 64, the 79th exceeds 256.
    for _ in 0..14 {
        script.push_str(" 60 03 00 00 00");
    }
    let mut decoder = connected(limits);
    let (before, violation) = events(&mut decoder, &bytes(&script));
    assert_eq!(violation, None);
    assert_eq!(before.len(), 15);
    let more = bytes(&"60 03 00 00 00".repeat(64));
    let (after, violation) = events(&mut decoder, &more);
    assert_eq!(violation, None);
    assert_eq!(
        after,
        ["refused 0 header length 67 exceeds the limit of 64"]
    );
    let (_, violation) = events(&mut decoder, &bytes("60 03 00 00 00"));
    assert_eq!(
        violation,
        Some(Violation::HeaderAbuse {
            channel: ChannelId::ZERO,
            bytes: 259,
            pieces: 80
        })
    );
}

// r[verify limits.refuse]
// r[verify limits.abuse]
#[test]
fn t_m1_a_header_in_too_many_pieces_is_refused_and_then_ends_the_connection() {
    let limits = Limits::default().max_header_pieces(4);
    let begin = "21 16 10 U 01 61 01 0000";
    let abuse = |bytes, pieces| Violation::HeaderAbuse {
        channel: ChannelId::ZERO,
        bytes,
        pieces,
    };
    check_with(
        limits,
        &format!("{begin} {} 60 03 00 00 00 D0", "60 00".repeat(4)),
        &[
            "message 0 \"a\" response=true stream=false payload=0 files=1/0",
            "refused 0 header packet count 5 exceeds the limit of 4",
            "end 0",
        ],
    );
    check_broken_with(
        limits,
        &format!("{begin} {}", "60 00".repeat(16)),
        abuse(22, 17),
    );
    // The message to refuse is not known yet.
    check_broken_with(limits, &format!("21 00 {}", "60 00".repeat(4)), abuse(0, 5));
}

// r[verify limits.held]
#[test]
fn incomplete_headers_share_a_limit() {
    let limits = Limits::default().max_held_header_bytes(40);
    check_broken_with(
        limits,
        "21 15 00 U 20 616161 05 21 15 00 U 20 616161",
        Violation::HeldHeaders {
            held: 42,
            limit: 40,
        },
    );
}

#[test]
fn a_message_can_be_refused_while_a_file_name_arrives() {
    let mut decoder = connected(Limits::default());
    let (before, _) = events(
        &mut decoder,
        &bytes("21 1F 10 U 01 61 01 0100 00 01 06 6162"),
    );
    assert_eq!(before.len(), 1);
    assert!(decoder.refuse(ChannelId::ZERO));
    let (after, violation) = events(&mut decoder, &bytes("63646566 C0 01 00 D0 A0"));
    assert_eq!(violation, None);
    assert_eq!(after, ["end 0", "heartbeat"]);
}

#[test]
fn a_channel_costs_24_bytes() {
    assert_eq!(size_of::<channels::Channel>(), 24);
}

#[test]
fn the_age_of_headers_is_counted_from_their_first_byte() {
    let mut decoder = connected(Limits::default());
    assert_eq!(decoder.age_headers(), 0);
    // An incomplete header on channel 0, then one on channel 1, and content on channel 2.
    events(&mut decoder, &bytes("21 16 00 U 04"));
    assert_eq!(decoder.age_headers(), 1);
    events(&mut decoder, &bytes("70 69 6e 67 01 21 00"));
    assert!(!decoder.is_between_messages());
    assert_eq!([decoder.age_headers(), decoder.age_headers()], [1, 2]);
    events(&mut decoder, &bytes("60 01 00 02 23 16 00 U 04 70696e67"));
    assert_eq!(decoder.age_headers(), 3);
    // The header is aborted; what remains is a stream, which has no age.
    events(&mut decoder, &bytes("01 90"));
    assert_eq!(decoder.age_headers(), 0);
    assert!(!decoder.is_between_messages());
}

#[test]
fn a_packet_cut_before_its_content_has_an_age_too() {
    let mut decoder = connected(Limits::default());
    events(&mut decoder, &bytes("40 00"));
    assert_eq!([decoder.age_headers(), decoder.age_headers()], [1, 2]);
    events(&mut decoder, &bytes("00112233445566778899aabbccdd"));
    assert_eq!(decoder.age_headers(), 3);
    events(&mut decoder, &bytes("ee ff"));
    assert_eq!(decoder.age_headers(), 0);
    assert!(decoder.is_between_messages());
    // And a header has the age of the packet in which it starts.
    events(&mut decoder, &bytes("21"));
    assert_eq!([decoder.age_headers(), decoder.age_headers()], [1, 2]);
    events(&mut decoder, &bytes("16 00"));
    assert_eq!(decoder.age_headers(), 3);
    events(&mut decoder, &bytes("U 04 70696e67"));
    assert_eq!(decoder.age_headers(), 0);
}

#[test]
fn what_is_held_of_headers_and_packets_is_told() {
    let mut decoder = connected(Limits::default());
    for (script, held) in [("21", 1), ("16 00 0a1b2c", 4), ("3d", 5)] {
        events(&mut decoder, &bytes(script));
        assert_eq!(decoder.buffered(), held, "after {script}");
    }
}

#[test]
fn what_is_held_depends_on_how_the_bytes_arrive() {
    // On channel 0, 10 bytes of a header; on channel 1 a header of 22 bytes, which is held only if
    // it is cut.
    let script = bytes("20 0a 00 0a1b2c3d4e5f6071 82 01 20 16 00 U 04 70696e67");
    let limits = Limits::default().max_held_header_bytes(20);
    let mut decoder = connected(limits);
    assert_eq!(events(&mut decoder, &script).1, None);
    let mut decoder = connected(limits);
    let violation = script
        .chunks(1)
        .find_map(|piece| events(&mut decoder, piece).1);
    let (held, limit) = (21, 20);
    assert_eq!(violation, Some(Violation::HeldHeaders { held, limit }));
}

#[test]
fn trusted_peers_may_send_more() {
    let trusted = Limits::trusted();
    assert_eq!(trusted.payload(), 256 << 20);
    assert_eq!(trusted.header_bytes(), 16 << 20);
    assert_eq!(trusted.held_header_bytes(), 16 << 20);
    assert_eq!((trusted.files(), trusted.header_pieces()), (65_536, 65_536));
    assert_eq!(trusted.action_bytes(), Limits::default().action_bytes());
}

/// Every reason names a rule, as every violation does.
#[test]
fn every_reason_of_a_refusal_has_a_rule() {
    let index = file(0);
    let (declared, sum) = (1, 2);
    let reasons = [
        (too_large(Measure::Action, 2, 1), "limits.refuse"),
        (RefusalReason::BadAction, "text.utf8"),
        (RefusalReason::BadFileName { index }, "text.utf8"),
        (
            RefusalReason::FilesSizeMismatch { declared, sum },
            "head.files.sum",
        ),
        (
            RefusalReason::FileOverrun { index, declared },
            "content.file.size",
        ),
    ];
    for (reason, rule) in reasons {
        assert_eq!(reason.rule(), rule);
        assert_eq!(named_rule(&reason.to_string(), rule), Ok(()));
    }
}

//! The negotiated extension. Scripts begin after both connection headers.

use super::*;
use crate::extension::{Leave, LeaveReason, Settings, Status};
use crate::{Encoder, FlowEntry, MessageHead, Part, ReplyCode, Uuid};

/// Settings with all defaults.
const SETTINGS: &str = "F0 01 00";
/// A request with the action "a".
const REQUEST: &str = "21 13 00 U 01 61";

fn offering(limits: Limits) -> Decoder {
    Decoder::new(limits).offering_extension()
}

fn extended_with(limits: Limits) -> Decoder {
    let mut decoder = offering(limits);
    let (events, violation) = events(&mut decoder, &bytes("E2 EE 00"));
    assert_eq!((&*events, violation), (&["header 238".into()][..], None));
    decoder
}

fn extended() -> Decoder {
    extended_with(Limits::default())
}

/// The events after the settings, with the input in one piece and byte by byte.
#[track_caller]
fn check(script: &str, expected: &[&str]) {
    let script = bytes(&format!("{SETTINGS} {script}"));
    for size in [script.len(), 1, 2, 3, 7] {
        let mut decoder = extended();
        let mut found = Vec::new();
        for piece in script.chunks(size) {
            let (events, violation) = events(&mut decoder, piece);
            assert_eq!(violation, None, "in pieces of {size}: {found:?}");
            found.extend(events);
        }
        assert_eq!(found[0], "settings 262144");
        assert_eq!(found[1..], *expected, "in pieces of {size}");
        assert_eq!(decoder.buffered(), 0);
        assert_eq!(decoder.finish(), Ok(()));
    }
}

#[track_caller]
fn check_broken(script: &str, expected: Violation) {
    check_broken_from(&format!("{SETTINGS} {script}"), expected);
}

#[track_caller]
fn check_broken_from(script: &str, expected: Violation) {
    let script = bytes(script);
    for size in [script.len(), 1] {
        let mut decoder = extended();
        let mut found = None;
        for piece in script.chunks(size) {
            let (_, violation) = events(&mut decoder, piece);
            found = violation;
        }
        assert_eq!(found, Some(expected), "in pieces of {size}");
    }
    assert_eq!(named_rule(&expected.to_string(), expected.rule()), Ok(()));
}

// r[verify ext.offer]
// r[verify ext.inactive]
// r[verify packet.unknown]
#[test]
fn the_extension_is_active_only_if_both_offer_it() {
    let unknown = Violation::UnknownPacket { byte: 0xF0 };
    for header in [
        "E0", "E1 EE", "E1 00", "E2 00 01", "E2 EE 01", "E3", "E6 EE 00", "EE EE 00",
    ] {
        let mut decoder = offering(Limits::default());
        let (found, violation) = events(&mut decoder, &bytes(&format!("{header} A0 F0 01 00")));
        assert_eq!(violation, Some(unknown), "{header}");
        assert_eq!(found.len(), 2, "{header}: {found:?}");
    }
    // This side does not offer it.
    let mut decoder = Decoder::new(Limits::default());
    let (found, violation) = events(&mut decoder, &bytes("E2 EE 00 F0 01 00"));
    assert_eq!((found.len(), violation), (1, Some(unknown)));
    // At every byte.
    for cut in 1..6 {
        let input = bytes("E2 EE 00 F0 01 00");
        let mut decoder = offering(Limits::default());
        let (before, violation) = events(&mut decoder, &input[..cut]);
        assert_eq!(violation, None);
        let (after, violation) = events(&mut decoder, &input[cut..]);
        assert_eq!(violation, None);
        assert_eq!([before, after].concat(), ["header 238", "settings 262144"]);
    }
}

// r[verify ext.settings.first]
#[test]
fn settings_come_first_and_once() {
    for byte in ["A0", "B0", "01", "F1", "F2", "F3", "90"] {
        let first = bytes(byte)[0];
        let violation = Violation::SettingsMissing { byte: first };
        check_broken_from(&format!("{byte} 01 00"), violation);
    }
    let missing = Violation::SettingsMissing { byte: 0xF0 };
    check_broken_from("F0 00", missing);
    check_broken_from("F0 01 03", missing);
    check_broken_from("F0 01 50", missing);
    check_broken("F0 01 00", Violation::SettingsAgain);
    check_broken("A0 F0 01 00", Violation::SettingsAgain);
}

// r[verify ext.packet]
#[test]
fn every_width_of_the_size_is_read() {
    for script in ["F0 01 03", "F4 0100 03", "F8 010000 03", "FC 01000000 03"] {
        check(script, &["done"]);
    }
}

// r[verify ext.packet.kind]
#[test]
fn the_fourth_kind_breaks() {
    check_broken("F3 01 00", Violation::ExtensionKind { byte: 0xF3 });
    check_broken("FF", Violation::ExtensionKind { byte: 0xFF });
}

// r[verify ext.packet.bound]
#[test]
fn what_is_too_large_breaks_before_it_is_held() {
    for (script, packet, size, limit) in [
        ("FC FFFFFFFF", "Control", u32::MAX, 8_192),
        ("F4 0120", "Control", 8_193, 8_192),
        ("F5 0120", "Metadata", 8_193, 8_192),
        ("F6 0110", "Flow", 4_097, 4_096),
    ] {
        let violation = Violation::ExtensionTooLarge {
            packet,
            size,
            limit,
        };
        check_broken(script, violation);
    }
    // A limit of this side.
    let mut decoder = extended_with(Limits::default().max_metadata_bytes(1));
    let script = bytes(&format!("{SETTINGS} F5 0104"));
    let (_, violation) = events(&mut decoder, &script);
    let violation = violation.map(|it| it.to_string());
    let expected = "Metadata packet of 1025 bytes is over the limit of 1024";
    assert_eq!(violation.as_deref(), Some(expected));
}

// r[verify ext.packet.empty]
#[test]
fn an_empty_packet_has_no_effect() {
    check("F0 00 F1 00 F2 00 F1 00 A0", &["heartbeat"]);
    let mut decoder = extended();
    let script = bytes(&format!("{SETTINGS} F0 00 F1 00 F2 00"));
    assert_eq!(events(&mut decoder, &script).1, None);
    assert_eq!(decoder.tolerated().empty_packets, 3);
}

// r[verify ext.packet.channelless]
#[test]
fn packets_stand_between_any_two_others() {
    let message = "message 0 \"a\" response=true stream=false payload=0 files=0/0";
    check(
        "21 03 00 0A1B F0 01 03 F2 04 14 0000C0 60 10 2C3D4E5F4A6B8C7D9E0F1A2B3C4D 01 61",
        &["done", "flow [Ok(Connection { limit: 12582912 })]", message],
    );
}

// r[verify ext.control.unknown]
#[test]
fn later_kinds_are_skipped_or_break() {
    check("F0 03 07 AABB F0 01 7F A0", &["heartbeat"]);
    check_broken("F0 01 80", Violation::ControlKind { kind: 128 });
    check_broken("F0 02 FF 00", Violation::ControlKind { kind: 255 });
    let mut decoder = extended();
    let script = bytes(&format!("{SETTINGS} F0 03 07 AABB"));
    assert_eq!(events(&mut decoder, &script).1, None);
    assert_eq!(decoder.tolerated().unknown_controls, 1);
}

// r[verify ext.content.exact]
#[test]
fn content_is_exact() {
    let broken = |what| Violation::ExtensionContent { what };
    for (script, what) in [
        ("F0 01 01", "Cancel"),
        ("F0 04 01 000000", "Cancel"),
        ("F0 06 01 0000000000", "Cancel"),
        ("F0 01 02", "Leave"),
        ("F0 0F 02 FFFFFFFFFFFF 00 10270000 E80300", "Leave"),
        ("F0 11 02 FFFFFFFFFFFF 00 10270000 E8030000 FF", "Leave"),
        ("F0 02 03 00", "Done"),
        ("F0 08 04 00000000000000", "Ping"),
        ("F0 0A 05 000000000000000000", "Pong"),
        ("F2 01 00", "Flow"),
        ("F2 05 08 07 00 00 00 08", "Flow"),
        ("F2 03 14 00 00", "Flow"),
    ] {
        let script = format!("{REQUEST} {script}");
        // The last one of these is cut inside a second entry.
        let script = script.replace("F2 05 08 07 00 00 00 08", "F2 06 08 07 00 00 00 08");
        check_broken(&script, broken(what));
    }
    let long = format!(
        "F0 D9 02 FFFFFFFFFFFF 00 10270000 E8030000 {}",
        "61".repeat(201)
    );
    check_broken(&long, broken("Leave"));
}

// r[verify ext.flow]
#[test]
fn flow_entries_have_legal_flags() {
    let entries = |script: &str| {
        let mut decoder = extended();
        let script = bytes(&format!("{SETTINGS} {script}"));
        events(&mut decoder, &script)
    };
    for flags in 0..=255_u8 {
        let (parts, limit, kind, lifeline) = (
            flags >> 6,
            (flags >> 4) & 3,
            (flags >> 2) & 3,
            flags & 2 != 0,
        );
        let is_legal = flags & 1 == 0
            && match kind {
                0 => parts != 3 || (limit == 0 && !lifeline),
                1 => parts == 0 && !lifeline,
                2 => limit == 0 && !lifeline,
                _ => false,
            };
        let number = if kind == 1 { 0 } else { 4 };
        let index = match (kind, parts) {
            (1, _) | (_, 0) | (2, 3) => 0,
            (_, 1) => 1,
            _ => 3,
        };
        let width = match (kind, parts) {
            (2, _) | (0, 3) => 0,
            _ => [2, 3, 4, 6][usize::from(limit)],
        };
        let size = 1 + number + index + width;
        let script = format!("F2 {size:02X} {flags:02X} {}", "00".repeat(size - 1));
        let (found, violation) = entries(&script);
        let expected = (!is_legal).then_some(Violation::FlowFlags { flags });
        assert_eq!(violation, expected, "{flags:#010b}");
        assert_eq!(found.len() == 2, is_legal, "{flags:#010b}");
    }
}

// r[verify ext.number]
// r[verify ext.number.unknown]
// r[verify ext.cancel]
#[test]
fn a_cancelled_number_has_begun() {
    let messages = REQUEST.repeat(7);
    let mut decoder = extended();
    let script = format!("{SETTINGS} {messages} F0 09 01 05000000 06000000");
    let (found, violation) = events(&mut decoder, &bytes(&script));
    assert_eq!(violation, None);
    assert_eq!(found.last().unwrap(), "cancel [5, 6]");
    let number = 7;
    let violation = Violation::NumberUnknown { number, begun: 7 };
    check_broken(&format!("{messages} F0 05 01 07000000"), violation);
    let violation = Violation::NumberUnknown {
        number: 0,
        begun: 0,
    };
    check_broken("F0 05 01 00000000", violation);
}

// r[verify ext.cancel.count]
#[test]
fn no_more_is_cancelled_than_was_requested() {
    let one_way = REQUEST.replacen("21", "20", 1);
    let response = "50 21 00 P U";
    let asking = "51 21 00 P U";
    let begun = format!("{REQUEST} {one_way} {REQUEST} {response} {asking}");
    let thrice = "F0 0D 01 00000000 04000000 00000000";
    let once = "F0 05 01 01000000";
    let mut decoder = extended();
    let (found, violation) = events(
        &mut decoder,
        &bytes(&format!("{SETTINGS} {begun} {thrice}")),
    );
    assert_eq!(violation, None);
    assert_eq!(found.last().unwrap(), "cancel [0, 4, 0]");
    let violation = |cancels, requests| Violation::Cancels { cancels, requests };
    check_broken(&format!("{begun} {thrice} {once}"), violation(4, 3));
    check_broken(&format!("{begun} {once} {once} {thrice}"), violation(5, 3));
    check_broken(&format!("{one_way} {one_way} {once}"), violation(1, 0));
}

// r[verify ext.number]
#[test]
fn every_message_and_response_has_a_number() {
    let numbers = |script: &str| {
        let mut decoder = extended_with(Limits::default().max_payload(9)).whole_messages();
        let script = bytes(&format!("{SETTINGS} {script}"));
        let mut input = script.as_slice();
        let mut numbers = Vec::new();
        while let Some(event) = decoder.decode(&mut input).unwrap() {
            match event {
                Event::Message { number, .. }
                | Event::Response { number, .. }
                | Event::WholeMessage { number, .. }
                | Event::WholeResponse { number, .. } => numbers.push(number),
                _ => {}
            }
        }
        numbers
    };
    let response = "50 21 00 P U";
    let refused = "21 14 40 U 01 61 0A E0 0A 00000000000000000000";
    let whole = "21 14 40 U 01 61 01 E0 01 FF";
    let split = "21 03 00 0A1B 01 21 13 00 U 01 61 00 60 10 2C3D4E5F4A6B8C7D9E0F1A2B3C4D 01 61";
    assert_eq!(
        numbers(&format!("{REQUEST} {response} {refused} {whole} {split}")),
        [0, 1, 3, 5, 4]
    );
}

// r[verify ext.offer]
// r[verify packet.switch.range]
#[test]
fn without_the_extension_the_channels_of_the_offer_are_received_on() {
    let one = Limits::default().max_channels(ChannelCount::ONE);
    for limits in [one, Limits::default(), Limits::WIRE] {
        let mut decoder = offering(limits);
        let (_, violation) = events(&mut decoder, &bytes("E0 10 ED"));
        assert_eq!(violation, None);
        let (_, violation) = events(&mut decoder, &bytes("10 EE"));
        let expected = Violation::ChannelOutOfRange {
            channel: ChannelId::new(238).unwrap(),
            channels: ChannelCount::OFFER,
        };
        assert_eq!(violation, Some(expected));
    }
}

// r[verify ext.settings.channels]
#[test]
fn at_least_16_channels_are_received_on() {
    let one = Limits::default().max_channels(ChannelCount::ONE);
    for (limits, channels) in [(one, 16), (Limits::default(), 256)] {
        let last = channels - 1;
        let mut decoder = extended_with(limits);
        let script = format!("{SETTINGS} 10 {last:02X} {REQUEST}");
        assert_eq!(events(&mut decoder, &bytes(&script)).1, None);
        let script = format!("{:02X} {:02X}", 0x10 | channels >> 8, channels & 0xFF);
        let violation = Violation::ChannelOutOfRange {
            channel: channel(channels),
            channels: ChannelCount::new(channels).unwrap(),
        };
        assert_eq!(events(&mut decoder, &bytes(&script)).1, Some(violation));
    }
}

// r[verify ext.meta.place]
#[test]
fn metadata_belongs_to_what_follows() {
    let message = "message 0 \"a\" response=true stream=false payload=0 files=0/0";
    let on_5 = "message 5 \"a\" response=true stream=false payload=0 files=0/0";
    let response = "response 0 response=false stream=false payload=0 files=0/0";
    let (first, second) = ("metadata Some(0) [00, fa]", "metadata Some(1) [00, fa]");
    check(
        &format!("F1 02 00FA {REQUEST} F1 02 00FA 50 21 00 P U"),
        &[first, message, second, response],
    );
    check(&format!("F1 02 00FA 05 {REQUEST}"), &[first, on_5]);
    check(&format!("F1 02 00FA 10 05 {REQUEST}"), &[first, on_5]);
    let reply = "fast reply 0a1b2c3d4e5f4a6b8c7d9e0f1a2b3c4d 2";
    let of_reply = "metadata None [08, fa]";
    check("F1 02 08FA 32 U", &[of_reply, reply]);
    check("F1 02 08FA 40 02 U", &[of_reply, reply]);
    for packet in [
        "6000", "7000", "80", "90", "A0", "B0", "C000", "D0", "E000", "F001", "F100", "F200",
    ] {
        let byte = bytes(packet)[0];
        let violation = Violation::MetadataPlace { byte };
        check_broken(&format!("F1 02 00FA {packet}"), violation);
        check_broken(&format!("F1 02 00FA 05 {packet}"), violation);
    }
    for second in ["06", "10 06"] {
        let byte = bytes(second)[0];
        let violation = Violation::MetadataPlace { byte };
        check_broken(&format!("F1 02 00FA 05 {second} {REQUEST}"), violation);
    }
}

#[test]
fn metadata_that_waits_is_counted_as_held_and_grows_old() {
    let mut decoder = extended();
    let script = bytes(&format!("{SETTINGS} F1 02 00FA"));
    assert_eq!(events(&mut decoder, &script).1, None);
    assert_eq!(decoder.buffered(), 2);
    assert_eq!(decoder.age_headers(), 1);
    assert_eq!(decoder.finish(), Err(Truncated::Packet));
    assert!(!decoder.is_between_messages());
    let (found, _) = events(&mut decoder, &bytes(REQUEST));
    assert_eq!(found.len(), 2);
    assert_eq!(decoder.buffered(), 0);
    assert_eq!(decoder.age_headers(), 0);

    let mut decoder = extended();
    let script = bytes(&format!("{SETTINGS} F2 08 10"));
    assert_eq!(events(&mut decoder, &script).1, None);
    assert_eq!(decoder.buffered(), 1);
    assert_eq!(decoder.age_headers(), 1);
}

#[test]
fn a_packet_that_is_cut_is_no_part_of_a_header() {
    // More than headers may hold, as the value has 26 bytes.
    let metadata = format!("F1 1E 48 01 6B 1A {} 01 {REQUEST}", "78".repeat(26));
    let script = bytes(&format!("{SETTINGS} {metadata}"));
    for size in [1, 1000] {
        let mut decoder = extended_with(Limits::default().max_held_header_bytes(20));
        let mut found = Vec::new();
        for piece in script.chunks(size) {
            let (events, violation) = events(&mut decoder, piece);
            assert_eq!(violation, None, "in pieces of {size}");
            found.extend(events);
        }
        assert_eq!(found.len(), 3, "{found:?}");
    }
}

#[test]
fn metadata_of_a_header_that_is_aborted_is_of_no_message() {
    let first = "metadata Some(0) [00, fa]";
    let begun = "F1 02 00FA 21 05 00 0A1B2C3D";
    check(&format!("{begun} 90"), &[first, "unannounced 0"]);
    // The other one goes on.
    check(
        &format!("{begun} 05 21 00 90 00 90"),
        &[first, "unannounced 1", "unannounced 0"],
    );
}

// r[verify limits.held]
#[test]
fn metadata_of_incomplete_headers_is_held() {
    let metadata = format!("F1 1E 48 01 6B 1A {}", "78".repeat(26));
    // The rest of the header follows in the same packet, or after others.
    for (script, held) in [
        (format!("{metadata} {REQUEST}"), None),
        (format!("{metadata} 21 05 00 0A1B2C3D"), Some(35)),
    ] {
        let script = bytes(&format!("{SETTINGS} {script}"));
        for size in [1, 1000] {
            let mut decoder = extended_with(Limits::default().max_held_header_bytes(20));
            let violations = script
                .chunks(size)
                .filter_map(|it| events(&mut decoder, it).1);
            let expected = held.map(|held| Violation::HeldHeaders { held, limit: 20 });
            assert_eq!(violations.last(), expected, "in pieces of {size}");
        }
    }
}

// r[verify ext.status]
// r[verify ext.status.content]
#[test]
fn a_status_belongs_to_an_end() {
    let begun = "message 0 \"a\" response=true stream=true payload=0 files=0/0";
    let request = "23 13 00 U 01 61";
    check(
        &format!("{request} F0 04 06 050F C0 80"),
        &[begun, "status 0 3845 [c0]", "stream end 0", "end 0"],
    );
    check(
        &format!("{request} F0 03 06 050F 90"),
        &[begun, "status 0 3845 []", "abort 0"],
    );
    for packet in ["A0", "01", "70 01 FF", "F0 01 03"] {
        let byte = bytes(packet)[0];
        let violation = Violation::StatusPlace { byte };
        check_broken(&format!("{request} F0 03 06 050F {packet}"), violation);
    }
    let violation = Violation::StatusWithoutMessage {
        channel: ChannelId::ZERO,
    };
    check_broken("F0 03 06 050F", violation);
    let malformed = Violation::ExtensionContent { what: "Status" };
    for script in ["F0 02 06 05", "F0 03 06 0510", "F0 01 06"] {
        check_broken(&format!("{request} {script}"), malformed);
    }
}

// r[verify ext.leave.taken]
#[test]
fn what_is_taken_only_falls() {
    let leave = |taken: &str| format!("F0 10 02 {taken} 00 00000000 00000000");
    let (open, five, four) = ("FFFFFFFFFFFF", "050000000000", "040000000000");
    let [open, five, four] = [open, five, four].map(leave);
    let said = |taken: Option<u64>| {
        let fixed = "reason: Shutdown, grace_millis: 0, retry_after_millis: 0, text: \"\"";
        format!("Leave {{ taken: {taken:?}, {fixed} }}")
    };
    check(
        &format!("{open} {open} {five} {five} {four}"),
        &[
            &said(None),
            &said(None),
            &said(Some(5)),
            &said(Some(5)),
            &said(Some(4)),
        ],
    );
    let rises = |taken, most| Violation::LeaveTaken { taken, most };
    check_broken(&format!("{five} {four} {five}"), rises(5, 4));
    check_broken(&format!("{five} {open}"), rises((1 << 48) - 1, 5));
}

// r[verify ext.leave.done]
#[test]
fn no_message_follows_done_but_responses_may() {
    let response = "response 0 response=false stream=false payload=0 files=0/0";
    check("F0 01 03 50 21 00 P U", &["done", response]);
    check_broken(&format!("F0 01 03 {REQUEST}"), Violation::MessageAfterDone);
}

/// What the encoder writes, as hex without spaces.
#[track_caller]
fn check_written(write: impl FnOnce(&mut Encoder, &mut Vec<u8>), expected: &str) {
    let mut encoder = Encoder::new(Encoder::UNTIL_SETTINGS);
    let mut dst = Vec::new();
    write(&mut encoder, &mut dst);
    assert_eq!(dst, bytes(expected), "{dst:02X?}");
}

// r[verify ext.packet]
// r[verify ext.flow]
// r[verify ext.leave]
#[test]
fn packets_are_written_in_their_smallest_form() {
    let settings = Settings::default();
    check_written(|e, dst| e.settings(dst, &settings), SETTINGS);
    let settings = settings.with_message_window(1 << 20);
    check_written(
        |e, dst| e.settings(dst, &settings),
        "F0 08 00 01 00 00 10 00 00 00",
    );
    let flow =
        |entry| move |e: &mut Encoder, dst: &mut Vec<u8>| assert!(e.flow(dst, [entry]).is_none());
    let part = |part, limit, lifeline| FlowEntry::Part {
        number: 7 + (1 << 32),
        part,
        limit,
        lifeline,
    };
    let number = 7;
    check_written(
        flow(part(Part::Stream, 393_216, false)),
        "F2 08 10 07 00 00 00 00 00 06",
    );
    check_written(
        flow(part(Part::File(file(3)), 4_096, true)),
        "F2 08 42 07 00 00 00 03 00 10",
    );
    check_written(
        flow(part(Part::File(file(256)), 1 << 32, false)),
        "F2 0E B0 07000000 000100 000000000100",
    );
    let index = file(128);
    check_written(
        flow(FlowEntry::FilesBelow { number, index }),
        "F2 08 C0 07 00 00 00 80 00 00",
    );
    let limit = 12_582_912;
    check_written(flow(FlowEntry::Connection { limit }), "F2 04 14 00 00 C0");
    let stop = |part| FlowEntry::Stop { number, part };
    check_written(flow(stop(Some(Part::Stream))), "F2 05 08 07 00 00 00");
    check_written(flow(stop(None)), "F2 05 C8 07 00 00 00");
    check_written(
        |e, dst| assert!(e.cancel(dst, &[5, 6]).is_empty()),
        "F0 09 01 05 00 00 00 06 00 00 00",
    );
    let leave = Leave {
        taken: None,
        reason: LeaveReason::Shutdown,
        grace_millis: 10_000,
        retry_after_millis: 1_000,
        text: "",
    };
    check_written(
        |e, dst| e.leave(dst, &leave),
        "F0 10 02 FF FF FF FF FF FF 00 10 27 00 00 E8 03 00 00",
    );
    check_written(|e, dst| e.done(dst), "F0 01 03");
    check_written(|e, dst| e.ping(dst, [1; 8]), "F0 09 04 0101010101010101");
    check_written(|e, dst| e.pong(dst, [1; 8]), "F0 09 05 0101010101010101");
}

// r[verify ext.leave.reason]
#[test]
fn leaves_are_read_as_they_were_written() {
    let long = "é".repeat(150);
    let cut = "é".repeat(100);
    for (byte, reason) in (0..).zip([
        LeaveReason::Shutdown,
        LeaveReason::Age,
        LeaveReason::Idle,
        LeaveReason::Protocol,
        LeaveReason::Limit,
        LeaveReason::Overloaded,
        LeaveReason::Unauthorized,
        LeaveReason::Internal,
        LeaveReason::LameDuck,
    ]) {
        let leave = Leave {
            taken: Some(7),
            reason,
            grace_millis: 1,
            retry_after_millis: u32::MAX,
            text: &long,
        };
        let mut dst = bytes(SETTINGS);
        Encoder::new(Encoder::UNTIL_SETTINGS).leave(&mut dst, &leave);
        let mut decoder = extended();
        let mut input = dst.as_slice();
        decoder.decode(&mut input).unwrap();
        let expected = Leave {
            text: &cut,
            ..leave
        };
        assert_eq!(decoder.decode(&mut input), Ok(Some(Event::Leave(expected))));
        assert_eq!(dst[3..][9], byte, "{reason:?}");
    }
    let script = "F0 10 02 010000000000 C8 00000000 00000000";
    let (found, _) = events(&mut extended(), &bytes(&format!("{SETTINGS} {script}")));
    assert!(found[1].contains("reason: Shutdown"), "{found:?}");
}

// r[verify ext.meta.place]
// r[verify ext.status]
#[test]
fn what_belongs_together_is_written_together() {
    let id = Uuid::parse_str(U).unwrap();
    let head = MessageHead::new(id, "a").expecting_response(true);
    check_written(
        |e, dst| {
            let on_5 = channel(5);
            e.describing(&[0, 0xFA])
                .whole(dst, on_5, head, b"")
                .unwrap();
            assert_eq!(e.begun(), 1);
            e.describing(&[]).whole(dst, on_5, head, b"").unwrap();
            let code = ReplyCode::NOT_IMPLEMENTED;
            e.describing(&[8, 0xFA]).fast_reply(dst, id, code);
            assert_eq!(e.begun(), 2);
        },
        &format!("F1 02 00FA 05 {REQUEST} {REQUEST} F1 02 08FA 32 U"),
    );
    let mut encoder = Encoder::new(Encoder::UNTIL_SETTINGS);
    let mut dst = Vec::new();
    let refused = encoder
        .describing(&[0, 0xFA])
        .whole(&mut dst, channel(16), head, b"");
    assert!(refused.is_err());
    assert!(dst.is_empty());
    assert_eq!(encoder.begun(), 0);

    let status = Status {
        code: ReplyCode::new(3845).unwrap(),
        error: b"",
    };
    check_written(
        |e, dst| {
            let on_2 = channel(2);
            assert!(e.stream_end_with(dst, on_2, &status).is_err());
            assert!(e.abort_with(dst, on_2, &status).is_err());
            assert!(dst.is_empty());
            let head = head.with_stream(true);
            e.begin(dst, on_2, head, &[]).unwrap();
            e.begin(dst, channel(3), head, &[]).unwrap();
            e.stream_end_with(dst, on_2, &status).unwrap();
            e.abort_with(dst, channel(3), &status).unwrap();
        },
        "02 23 13 00 U 01 61 03 23 13 00 U 01 61 02 F0 03 06 050F 80 03 F0 03 06 050F 90",
    );
}

// r[verify ext.offer.distinct]
// r[verify header.smallest]
#[test]
fn only_an_offer_is_written_like_one() {
    for count in 1..=4_096 {
        let mut header = Vec::new();
        ConnectionHeader::new(ChannelCount::new(count).unwrap()).encode(&mut header);
        assert_ne!(header, [0xE2, 0xEE, 0x00]);
    }
    let mut header = Vec::new();
    ConnectionHeader::OFFER.encode(&mut header);
    assert_eq!(header, [0xE2, 0xEE, 0x00]);
}

#[test]
fn large_lists_are_written_in_several_packets() {
    let mut encoder = Encoder::new(Encoder::UNTIL_SETTINGS);
    let numbers: Vec<_> = (0..5_000).collect();
    let (mut rest, mut packets) = (&*numbers, 0);
    while !rest.is_empty() {
        let mut dst = Vec::new();
        rest = encoder.cancel(&mut dst, rest);
        assert!(dst.len() <= 8_192);
        packets += 1;
    }
    assert_eq!(packets, 3);
    let entries = |count: u64| (0..count).map(|number| FlowEntry::Stop { number, part: None });
    let mut dst = Vec::new();
    assert_eq!(encoder.flow(&mut dst, entries(819)), None);
    let next = encoder.flow(&mut dst, entries(820));
    assert_eq!(next, entries(820).next_back());
    assert_eq!(encoder.flow(&mut dst, []), None);
    assert_eq!(dst.len(), 2 * (3 + 4_095));
}

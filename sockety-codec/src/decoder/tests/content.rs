use super::*;

const CHANNEL: ChannelId = ChannelId::ZERO;

// r[verify packet.data]
// r[verify content.end]
#[test]
fn a_payload_may_come_in_packets() {
    check(
        "21 14 40 U 01 61 03 E0 01 01 E4 0200 0203 21 13 00 U 01 62",
        &[
            "message 0 \"a\" response=true stream=false payload=3 files=0/0",
            "data 0 [01] 2",
            "data 0 [02, 03] 0",
            "end 0",
            "message 0 \"b\" response=true stream=false payload=0 files=0/0",
        ],
    );
}

// r[verify content.data.exact]
#[test]
fn more_payload_than_announced_breaks_a_rule() {
    let overflow = |size, left| Violation::DataOverflow {
        channel: CHANNEL,
        size,
        left,
    };
    check_broken("21 14 40 U 01 61 02 E0 03 010203", overflow(3, 2));
    check_broken(
        "21 14 40 U 01 61 02 E0 01 01 EC FFFFFFFF",
        overflow(u32::MAX, 1),
    );
}

// r[verify content.data.announced]
#[test]
fn a_payload_that_was_not_announced_breaks_a_rule() {
    let unexpected = |size| Violation::UnexpectedData {
        channel: CHANNEL,
        size,
    };
    check_broken("E0 01 01", unexpected(1));
    check_broken("22 13 00 U 01 61 E0 02 0101", unexpected(2));
    // The payload is complete, and the message continues with its stream.
    check_broken("22 14 40 U 01 61 01 E0 01 00 E0 01 01", unexpected(1));
}

// r[verify content.order]
#[test]
fn content_before_its_announcement_breaks_a_rule() {
    let (channel, index) = (CHANNEL, file(0));
    check_broken(
        "23 01 50 E0 01 01",
        Violation::UnexpectedData { channel, size: 1 },
    );
    check_broken("23 01 50 70 01 01", Violation::UnexpectedStream { channel });
    check_broken("23 01 50 80", Violation::UnexpectedStream { channel });
    let count = 0;
    check_broken(
        "23 01 50 C0 01 01",
        Violation::FileIndex {
            channel,
            index,
            count,
        },
    );
    check_broken(
        "23 01 50 D0",
        Violation::FileIndex {
            channel,
            index,
            count,
        },
    );
}

// r[verify content.busy]
#[test]
fn a_second_message_on_a_busy_channel_breaks_a_rule() {
    let busy = Violation::ChannelBusy { channel: CHANNEL };
    check_broken("21 01 00 21 13 00 U 01 61", busy);
    check_broken("21 14 40 U 01 61 02 E0 01 00 21 13 00 U 01 61", busy);
    check_broken("21 14 40 U 01 61 02 50 21 00 P U", busy);
}

// r[verify packet.stream]
// r[verify packet.stream.end]
#[test]
fn a_stream_ends_with_its_own_packet() {
    check(
        "22 13 00 U 01 61 70 02 0102 74 0100 03 80 22 13 00 U 01 61 80",
        &[
            "message 0 \"a\" response=false stream=true payload=0 files=0/0",
            "stream 0 [01, 02]",
            "stream 0 [03]",
            "stream end 0",
            "end 0",
            "message 0 \"a\" response=false stream=true payload=0 files=0/0",
            "stream end 0",
            "end 0",
        ],
    );
}

// r[verify content.stream.announced]
#[test]
fn a_stream_that_was_not_announced_breaks_a_rule() {
    let unexpected = Violation::UnexpectedStream { channel: CHANNEL };
    check_broken("80", unexpected);
    check_broken("70 01 00", unexpected);
    check_broken("20 14 40 U 01 61 01 80", unexpected);
    check_broken("20 14 40 U 01 61 01 70 01 00", unexpected);
}

// r[verify content.stream.once]
#[test]
fn a_stream_does_not_go_on_after_its_end() {
    let ended = Violation::StreamEnded { channel: CHANNEL };
    check_broken("22 14 40 U 01 61 01 80 80", ended);
    check_broken("22 14 40 U 01 61 01 80 70 01 00", ended);
}

const TWO_FILES: &str = "21 1E 10 U 01 61 02 0500 00 02 01 62 00 03 01 63";

/// Sends a message with files of 2 and 3 bytes, and then `script`.
#[track_caller]
fn check_files_broken(script: &str, expected: Violation) {
    check_broken(&format!("{TWO_FILES} {script}"), expected);
}

// r[verify packet.file]
// r[verify packet.file.index]
// r[verify packet.file.end]
#[test]
fn files_come_in_any_order_and_form() {
    check(
        &format!("{TWO_FILES} C1 01 01 0A C2 02 0000 0102 CF 02000000 010000 0B0C D2 0100 D0"),
        &[
            "message 0 \"a\" response=true stream=false payload=0 files=2/5",
            "file header 0 0 \"b\" 2",
            "file header 0 1 \"c\" 3",
            "file 0 1 [0a]",
            "file 0 0 [01, 02]",
            "file 0 1 [0b, 0c]",
            "file end 0 1 0",
            "file end 0 0 0",
            "end 0",
        ],
    );
}

// r[verify packet.file.wide]
#[test]
fn t_c10_a_file_packet_of_four_size_bytes_is_read_as_such() {
    let mut decoder = connected(Limits::default());
    let mut input = bytes("21 22 1C U 01 61 01 000000010000 0C 000000010000 00 CC 00000001");
    input.push(0xAA);
    let (events, violation) = events(&mut decoder, &input);
    assert_eq!(violation, None);
    assert_eq!(events.last().map(String::as_str), Some("file 0 0 [aa]"));
    assert_eq!(
        decoder.finish(),
        Err(Truncated::Content { channel: CHANNEL })
    );
}

// r[verify content.file.ends]
#[test]
fn a_short_file_tells_what_is_missing() {
    check(
        "21 1A 10 U 01 61 01 0300 00 03 01 62 C0 01 00 D0",
        &[
            "message 0 \"a\" response=true stream=false payload=0 files=1/3",
            "file header 0 0 \"b\" 3",
            "file 0 0 [00]",
            "file end 0 0 2",
            "end 0",
        ],
    );
}

// r[verify content.file.size]
#[test]
fn t_c4_nothing_past_the_size_of_a_file_is_handed_on() {
    let decoder = check(
        &format!(
            "{TWO_FILES} C0 05 0102030405 C1 03 01 0A0B0C C1 09 01 000000000000000000 D0 D1 01"
        ),
        &[
            "message 0 \"a\" response=true stream=false payload=0 files=2/5",
            "file header 0 0 \"b\" 2",
            "file header 0 1 \"c\" 3",
            "refused 0 file 0 is longer than its announced 2 bytes",
            "end 0",
        ],
    );
    assert_eq!([decoder.drained(), decoder.drained_credit()], [17, 17]);
}

// r[verify content.file.index]
#[test]
fn a_file_that_was_not_announced_breaks_a_rule() {
    let channel = CHANNEL;
    let unknown = |index, count| Violation::FileIndex {
        channel,
        index: file(index),
        count,
    };
    check_files_broken("D1 07", unknown(7, 2));
    check_files_broken("C1 01 02 00", unknown(2, 2));
    check_broken("C0 01 00", unknown(0, 0));
    check_broken("D0", unknown(0, 0));
    check_broken("20 14 40 U 01 61 01 D0", unknown(0, 0));
}

// r[verify content.file.header]
#[test]
fn a_file_before_its_header_breaks_a_rule() {
    let before = Violation::FileBeforeHeader {
        channel: CHANNEL,
        index: file(0),
    };
    check_broken("21 16 10 U 01 61 01 0500 C0 01 00", before);
    check_broken("21 18 10 U 01 61 01 0500 00 05 D0", before);
}

// r[verify content.file.once]
#[test]
fn a_file_does_not_go_on_after_its_end() {
    let ended = Violation::FileEnded {
        channel: CHANNEL,
        index: file(0),
    };
    check_files_broken("D0 D0", ended);
    check_files_broken("D0 C0 01 00", ended);
}

// r[verify content.mixed]
#[test]
fn kinds_of_content_and_channels_interleave() {
    check(
        "23 1B 50 U 01 61 02 01 0200 00 02 01 62  E0 01 01  05 21 14 40 P 01 63 01  00 C0 01 0A \
         70 01 0B  05 E0 01 FF  00 E0 01 02  80 C0 01 0C D0",
        &[
            "message 0 \"a\" response=true stream=true payload=2 files=1/2",
            "file header 0 0 \"b\" 2",
            "data 0 [01] 1",
            "message 5 \"c\" response=true stream=false payload=1 files=0/0",
            "file 0 0 [0a]",
            "stream 0 [0b]",
            "data 5 [ff] 0",
            "end 5",
            "data 0 [02] 0",
            "stream end 0",
            "file 0 0 [0c]",
            "file end 0 0 0",
            "end 0",
        ],
    );
}

// r[verify packet.abort]
// r[verify content.abort]
#[test]
fn an_abort_frees_the_channel() {
    check(
        "21 14 40 U 01 61 02 E0 01 00 90 21 13 00 U 01 62",
        &[
            "message 0 \"a\" response=true stream=false payload=2 files=0/0",
            "data 0 [00] 1",
            "abort 0",
            "message 0 \"b\" response=true stream=false payload=0 files=0/0",
        ],
    );
}

// r[verify content.abort]
#[test]
fn t_c15_an_abort_inside_a_header_drops_it() {
    let decoder = check(
        "21 04 40 0a1b2c 90 21 13 00 U 01 62",
        &["message 0 \"b\" response=true stream=false payload=0 files=0/0"],
    );
    assert_eq!(decoder.tolerated().aborted_headers, 1);
    assert_eq!(decoder.buffered(), 0);
    // It had been announced, and only file headers were missing.
    check(
        "21 16 10 U 01 61 01 0500 90 21 13 00 U 01 62",
        &[
            "message 0 \"a\" response=true stream=false payload=0 files=1/5",
            "abort 0",
            "message 0 \"b\" response=true stream=false payload=0 files=0/0",
        ],
    );
}

// r[verify content.abort.idle]
#[test]
fn an_abort_of_nothing_is_counted() {
    let decoder = check(
        "90 21 14 40 U 01 61 01 E0 01 00 90",
        &[
            "message 0 \"a\" response=true stream=false payload=1 files=0/0",
            "data 0 [00] 0",
            "end 0",
        ],
    );
    assert_eq!(decoder.tolerated().aborts_without_message, 2);
}

#[test]
fn a_refused_message_ends_without_its_content() {
    let mut decoder = connected(Limits::default());
    events(&mut decoder, &bytes("22 14 40 U 01 61 03 E0 03 01"));
    assert!(!decoder.refuse(channel(1)));
    assert!(decoder.refuse(CHANNEL));
    let (events, violation) = events(&mut decoder, &bytes("0203 70 01 00 80 A0"));
    assert_eq!(violation, None);
    assert_eq!(events, ["end 0", "heartbeat"]);
    // Two bytes of the payload, and one of the stream.
    assert_eq!([decoder.drained(), decoder.drained_credit()], [3, 1]);
    assert!(!decoder.refuse(CHANNEL));
}

#[test]
fn content_is_part_of_the_input() {
    let mut decoder = connected(Limits::default());
    let buffer = bytes("20 14 40 U 01 61 05 E0 05 0102030405");
    let (first, second) = buffer.split_at(25);
    for part in [first, second] {
        let mut input = part;
        while let Some(event) = decoder.decode(&mut input).unwrap() {
            if let Event::Data { bytes, .. } = event {
                assert!(part.as_ptr_range().contains(&bytes.as_ptr()));
            }
        }
    }
}

#[test]
fn an_open_packet_of_a_payload_is_foreseen() {
    let mut decoder = connected(Limits::default());
    let next = |decoder: &mut Decoder, script: &str| {
        events(decoder, &bytes(script));
        decoder.open_payload()
    };
    // A payload of five bytes, in packets of two and of three.
    assert_eq!(next(&mut decoder, "21 14 40 U 01 61 05"), None);
    assert_eq!(next(&mut decoder, "E0 02 01"), Some((channel(0), 1)));
    assert_eq!(next(&mut decoder, "02"), None);
    assert_eq!(next(&mut decoder, "E0 03 03"), Some((channel(0), 2)));
    assert!(decoder.refuse(channel(0)));
    assert_eq!(decoder.open_payload(), None);
}

use super::*;

/// A refused call writes nothing.
#[track_caller]
fn check_refused(
    encoder: &mut Encoder,
    call: impl FnOnce(&mut Encoder, &mut Vec<u8>) -> Result<(), UsageError>,
    expected: UsageError,
) {
    let mut dst = Vec::new();
    assert_eq!(call(encoder, &mut dst), Err(expected));
    assert_eq!(dst, []);
    assert!(!expected.to_string().is_empty());
}

/// An encoder with a message in progress on channel 0 that has all kinds of content.
fn with_message() -> Encoder {
    let mut encoder = encoder();
    let files = [FileHeader::new("f", 5), FileHeader::new("g", 0)];
    let head = message("a")
        .with_stream(true)
        .with_payload_size(3)
        .with_files(FilesSummary::of(&files).unwrap());
    encoder
        .begin(&mut Vec::new(), ChannelId::ZERO, head, &files)
        .unwrap();
    encoder
}

const ON: ChannelId = ChannelId::ZERO;

// r[verify content.end]
#[test]
fn the_channel_is_free_when_everything_is_out() {
    let mut encoder = with_message();
    let mut dst = Vec::new();
    assert!(!encoder.is_free(ON));
    encoder.data(&mut dst, ON, 3).unwrap();
    encoder.file(&mut dst, ON, file(0), 2).unwrap();
    encoder.file(&mut dst, ON, file(0), 3).unwrap();
    encoder.file_end(&mut dst, ON, file(0)).unwrap();
    encoder.stream(&mut dst, ON, 9).unwrap();
    encoder.stream_end(&mut dst, ON).unwrap();
    assert!(!encoder.is_free(ON));
    encoder.file_end(&mut dst, ON, file(1)).unwrap();
    assert!(encoder.is_free(ON));
}

// r[verify content.busy]
#[test]
fn a_busy_channel_takes_no_second_message() {
    let mut encoder = with_message();
    let busy = UsageError::ChannelBusy { channel: ON };
    check_refused(
        &mut encoder,
        |e, dst| e.begin(dst, ON, message("b"), &[]),
        busy,
    );
    check_refused(
        &mut encoder,
        |e, dst| e.begin(dst, ON, response(), &[]),
        busy,
    );
    check_refused(
        &mut encoder,
        |e, dst| e.whole(dst, ON, message("b"), b"x"),
        busy,
    );
    check_refused(
        &mut encoder,
        |e, dst| e.whole(dst, ON, response(), b"x"),
        busy,
    );
    check_refused(&mut encoder, |e, dst| e.prepared(dst, ON, 1, b"x"), busy);
    assert!(encoder.is_free(channel(1)));
}

// r[verify packet.switch.range]
#[test]
fn only_the_channels_of_the_peer_are_used() {
    let mut encoder = Encoder::new(ChannelCount::ONE);
    let channel = channel(1);
    let expected = UsageError::ChannelOutOfRange {
        channel,
        channels: ChannelCount::ONE,
    };
    check_refused(
        &mut encoder,
        |e, dst| e.begin(dst, channel, message("b"), &[]),
        expected,
    );
    assert!(encoder.is_free(ON) && !encoder.is_free(channel));
}

// r[verify content.data.exact]
// r[verify packet.empty.write]
#[test]
fn the_payload_is_as_long_as_announced() {
    let mut encoder = with_message();
    let overflow = |size, left| UsageError::DataOverflow { size, left };
    check_refused(&mut encoder, |e, dst| e.data(dst, ON, 4), overflow(4, 3));
    check_refused(
        &mut encoder,
        |e, dst| e.data(dst, ON, 0),
        UsageError::EmptyPacket,
    );
    encoder.data(&mut Vec::new(), ON, 2).unwrap();
    check_refused(&mut encoder, |e, dst| e.data(dst, ON, 2), overflow(2, 1));
    let open = UsageError::NothingOpen {
        channel: channel(1),
    };
    check_refused(&mut encoder, |e, dst| e.data(dst, channel(1), 1), open);
}

// r[verify content.stream.announced]
// r[verify content.stream.once]
// r[verify packet.empty.write]
#[test]
fn a_stream_is_written_once_and_when_announced() {
    let mut encoder = with_message();
    let none = UsageError::NoStream { channel: ON };
    check_refused(
        &mut encoder,
        |e, dst| e.stream(dst, ON, 0),
        UsageError::EmptyPacket,
    );
    encoder.stream_end(&mut Vec::new(), ON).unwrap();
    check_refused(&mut encoder, |e, dst| e.stream(dst, ON, 1), none);
    check_refused(&mut encoder, |e, dst| e.stream_end(dst, ON), none);
}

// r[verify packet.file.small]
// r[verify content.file.size]
// r[verify content.file.once]
// r[verify content.file.index]
// r[verify packet.empty.write]
#[test]
fn files_are_written_as_announced() {
    let mut encoder = with_message();
    let none = |index| UsageError::NoFile {
        channel: ON,
        index: file(index),
    };
    let overflow = UsageError::FileOverflow {
        index: file(0),
        size: 6,
        left: 5,
    };
    let large = UsageError::FilePacketTooLarge { size: 0x100_0000 };
    check_refused(&mut encoder, |e, dst| e.file(dst, ON, file(0), 6), overflow);
    check_refused(
        &mut encoder,
        |e, dst| e.file(dst, ON, file(0), 0x100_0000),
        large,
    );
    check_refused(
        &mut encoder,
        |e, dst| e.file(dst, ON, file(0), 0),
        UsageError::EmptyPacket,
    );
    check_refused(&mut encoder, |e, dst| e.file(dst, ON, file(2), 1), none(2));
    encoder.file_end(&mut Vec::new(), ON, file(0)).unwrap();
    check_refused(&mut encoder, |e, dst| e.file(dst, ON, file(0), 1), none(0));
    check_refused(&mut encoder, |e, dst| e.file_end(dst, ON, file(0)), none(0));
}

// r[verify packet.file.small]
#[test]
fn a_file_packet_has_at_most_24_bits_of_size() {
    let files = [FileHeader::new("large", 0x100_0000)];
    let head = message("a").with_files(FilesSummary::of(&files).unwrap());
    let (mut encoder, mut dst) = (encoder(), Vec::new());
    encoder.begin(&mut dst, ON, head, &files).unwrap();
    dst.clear();
    encoder.file(&mut dst, ON, file(0), 0xFF_FFFF).unwrap();
    assert_eq!(dst, [0xC8, 0xFF, 0xFF, 0xFF]);
}

// r[verify content.abort.retire]
#[test]
fn a_channel_is_not_used_again_after_an_abort() {
    let mut encoder = with_message();
    let mut dst = Vec::new();
    encoder.abort(&mut dst, ON).unwrap();
    assert_eq!(dst, [0x90]);
    let retired = UsageError::ChannelRetired { channel: ON };
    assert!(!encoder.is_free(ON));
    check_refused(
        &mut encoder,
        |e, dst| e.begin(dst, ON, message("b"), &[]),
        retired,
    );
    check_refused(&mut encoder, |e, dst| e.data(dst, ON, 1), retired);
    check_refused(&mut encoder, |e, dst| e.abort(dst, ON), retired);
    let open = UsageError::NothingOpen {
        channel: channel(1),
    };
    check_refused(&mut encoder, |e, dst| e.abort(dst, channel(1)), open);
}

// r[verify content.abort.retire]
#[test]
fn a_channel_is_used_again_where_the_peer_takes_notice_of_aborts() {
    let mut encoder = with_message();
    encoder.reuse(ON);
    assert!(!encoder.is_free(ON), "a message is in progress");
    encoder.abort(&mut Vec::new(), ON).unwrap();
    encoder.reuse(ON);
    assert!(encoder.is_free(ON));
}

// r[verify head.action]
// r[verify head.payload]
// r[verify head.files.sum]
// r[verify head.file]
#[test]
fn heads_that_cannot_be_written_are_refused() {
    let mut encoder = encoder();
    let long = "x".repeat(65_536);
    let expected = UsageError::ActionTooLong { length: 65_536 };
    check_refused(
        &mut encoder,
        |e, dst| e.begin(dst, ON, message(&long), &[]),
        expected,
    );
    let head = response().with_payload_size(1 << 48);
    let expected = UsageError::PayloadTooLarge {
        size: 1 << 48,
        max: (1 << 48) - 1,
    };
    check_refused(&mut encoder, |e, dst| e.begin(dst, ON, head, &[]), expected);
    let files = [FileHeader::new(&long, 1)];
    let head = message("a").with_files(FilesSummary::of(&files).unwrap());
    let expected = UsageError::BadFileHeader { index: file(0) };
    check_refused(
        &mut encoder,
        |e, dst| e.begin(dst, ON, head, &files),
        expected,
    );
    let expected = UsageError::FilesMismatch;
    check_refused(
        &mut encoder,
        |e, dst| e.begin(dst, ON, message("a"), &files),
        expected,
    );
    let huge = [FileHeader::new("", u64::MAX); 2];
    assert_eq!(FilesSummary::of(&huge), None);
}

// r[verify packet.switch.initial]
#[test]
fn the_channel_is_switched_only_when_it_changes() {
    let mut encoder = encoder();
    let mut switches = Vec::new();
    for id in [0, 0, 3, 3, 0] {
        let mut dst = Vec::new();
        encoder.prepared(&mut dst, channel(id), 0, &[]).unwrap();
        switches.push(dst);
    }
    assert_eq!(switches, [vec![], vec![], vec![3], vec![], vec![0]]);
}

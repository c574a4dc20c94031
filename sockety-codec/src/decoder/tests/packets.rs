use super::*;

const PING: &str = "message 0 \"ping\" response=true stream=false payload=0 files=0/0";

// r[verify packet.message]
// r[verify head.action]
// r[verify packet.size]
// r[verify packet.size.any]
#[test]
fn a_ping_is_one_event_in_every_size_form() {
    check("21 16 00 U 04 70696e67", &[PING]);
    check("25 1600 00 U 04 70696e67", &[PING]);
    check("29 160000 00 U 04 70696e67", &[PING]);
    check("2D 16000000 00 U 04 70696e67", &[PING]);
    check("21 17 02 U 0400 70696e67", &[PING]);
}

// r[verify header.first]
// r[verify header.form]
// r[verify header.count]
#[test]
fn the_connection_header_is_the_first_event() {
    let cases: [(&[u8], u16); 5] = [
        (&[0xE0], 1),
        (&[0xE1, 7], 7),
        (&[0xE2, 0x00, 0x01], 256),
        (&[0xE2, 0x00, 0x10], 4096),
        (&[0xE3], 4096),
    ];
    for (mut input, count) in cases {
        let channels = ChannelCount::new(count).unwrap();
        let mut decoder = Decoder::new(Limits::default());
        let event = decoder.decode(&mut input);
        assert_eq!(
            event,
            Ok(Some(Event::Header(ConnectionHeader::new(channels))))
        );
        assert_eq!(decoder.finish(), Ok(()));
        let last = channel(count - 1);
        assert!(channels.contains(last));
        assert!(!ChannelId::new(count).is_some_and(|id| channels.contains(id)));
    }
}

// r[verify header.count.wrapped]
#[test]
fn t_h3_a_count_of_zero_in_a_byte_is_256() {
    let mut decoder = Decoder::new(Limits::default());
    let (events, violation) = events(&mut decoder, &[0xE1, 0x00]);
    assert_eq!((events, violation), (vec!["header 256".into()], None));
}

// r[verify header.count.range]
#[test]
fn counts_out_of_range_are_refused() {
    for (bytes, count) in [([0xE2, 0, 0], 0), ([0xE2, 0x01, 0x10], 4097)] {
        let mut decoder = Decoder::new(Limits::default());
        let (_, violation) = events(&mut decoder, &bytes);
        assert_eq!(violation, Some(Violation::ChannelCount { count }));
    }
}

// r[verify header.form]
#[test]
fn another_protocol_is_noticed_at_its_first_byte() {
    let mut decoder = Decoder::new(Limits::default());
    let (_, violation) = events(&mut decoder, b"G");
    assert_eq!(violation, Some(Violation::NotSockety { byte: b'G' }));
}

// r[verify header.reserved]
#[test]
fn t_h5_reserved_bits_of_the_connection_header_are_counted() {
    let mut decoder = Decoder::new(Limits::default());
    let (events, _) = events(&mut decoder, &[0xEF]);
    assert_eq!(events, ["header 4096"]);
    assert_eq!(decoder.tolerated().reserved_bits, 1);
}

// r[verify packet.switch.low]
// r[verify packet.switch.long]
// r[verify packet.switch.initial]
// r[verify number.split]
#[test]
fn packets_belong_to_the_channel_switched_to() {
    let decoder = check(
        "20 13 00 U 01 61   05 20 13 00 U 01 62   10 FF 20 13 00 U 01 63   10 02 20 13 00 U 01 64",
        &[
            "message 0 \"a\" response=false stream=false payload=0 files=0/0",
            "message 5 \"b\" response=false stream=false payload=0 files=0/0",
            "message 255 \"c\" response=false stream=false payload=0 files=0/0",
            "message 2 \"d\" response=false stream=false payload=0 files=0/0",
        ],
    );
    assert_eq!(decoder.tolerated().total(), 0);
}

// r[verify packet.switch.range]
#[test]
fn t_f7_a_switch_beyond_the_channels_breaks_a_rule() {
    let limits = Limits::default().max_channels(ChannelCount::new(16).unwrap());
    check_with(limits, "0F", &[]);
    check_broken_with(
        limits,
        "1F FF",
        Violation::ChannelOutOfRange {
            channel: ChannelId::MAX,
            channels: limits.channels(),
        },
    );
}

// r[verify packet.switch.needless]
#[test]
fn needless_switches_are_counted_and_allocate_nothing() {
    let limits = Limits::WIRE;
    let decoder = check_with(limits, "1F FF 10 00 1F FF 1F FF A0 1F FF", &["heartbeat"]);
    assert_eq!(decoder.tolerated().needless_switches, 4);
    assert_eq!(decoder.buffered(), 0);
}

// r[verify packet.reply.low]
// r[verify packet.reply.long]
// r[verify reply.codes]
#[test]
fn fast_replies_have_two_forms() {
    let reply = |code: u16| format!("fast reply {U} {code}");
    check("32 U", &[&reply(2)]);
    check("40 02 U", &[&reply(2)]);
    check("4F FF U", &[&reply(4095)]);
    assert_eq!(crate::ReplyCode::NOT_IMPLEMENTED.get(), 2);
}

// r[verify packet.heartbeat]
// r[verify packet.goaway]
#[test]
fn signals_are_events_and_counted() {
    let decoder = check(
        "A0 B0 A0 B0",
        &["heartbeat", "go away", "heartbeat", "go away"],
    );
    assert_eq!(decoder.tolerated().heartbeats, 2);
    assert_eq!(decoder.tolerated().repeated_go_aways, 1);
}

// r[verify packet.channelless]
#[test]
fn t_f12_packets_without_a_channel_may_stand_anywhere() {
    check(
        "21 06 40 0a1b2c3d4e A0 30 P 07 0A 00 \
         60 0E 5f4a6b8c7d9e0f1a2b3c4d 01 61 02 B0 E0 01 AA 3F P E0 01 BB",
        &[
            "heartbeat",
            &format!("fast reply {P} 0"),
            "message 0 \"a\" response=true stream=false payload=2 files=0/0",
            "go away",
            "data 0 [aa] 1",
            &format!("fast reply {P} 15"),
            "data 0 [bb] 0",
            "end 0",
        ],
    );
}

// r[verify packet.unknown]
#[test]
fn the_unassigned_type_breaks_a_rule() {
    check_broken("F0", Violation::UnknownPacket { byte: 0xF0 });
    check_broken("FF", Violation::UnknownPacket { byte: 0xFF });
}

// r[verify packet.reserved]
#[test]
fn t_f2_reserved_bits_of_packets_are_counted() {
    let decoder = check("AF BF E3 00 72 00 61 00", &["heartbeat", "go away"]);
    assert_eq!(decoder.tolerated().reserved_bits, 5);
    let decoder = check(
        "22 13 00 U 01 61 81",
        &[
            "message 0 \"a\" response=false stream=true payload=0 files=0/0",
            "stream end 0",
            "end 0",
        ],
    );
    assert_eq!(decoder.tolerated().reserved_bits, 1);
}

// r[verify limits.strict]
#[test]
fn strict_limits_end_the_connection_at_oddities() {
    let limits = Limits::default().strict(true);
    let channel = ChannelId::ZERO;
    check_broken_with(limits, "AF", Violation::ReservedBits { byte: 0xAF });
    check_broken_with(limits, "E0 00", Violation::EmptyPacket { channel });
    check_broken_with(limits, "90", Violation::AbortWithoutMessage { channel });
    check_with(limits, "A0 21 16 00 U 04 70696e67", &["heartbeat", PING]);
}

// r[verify packet.empty.read]
#[test]
fn empty_packets_are_counted_and_not_reported() {
    let decoder = check("70 00 E0 00 C0 00 60 00 C1 00 07", &[]);
    assert_eq!(decoder.tolerated().empty_packets, 5);
    assert!(decoder.is_between_messages());
}

// r[verify packet.message]
#[test]
fn the_end_of_the_input_is_judged() {
    let finish = |script: &str| {
        let mut decoder = connected(Limits::default());
        events(&mut decoder, &bytes(script));
        decoder.finish()
    };
    let channel = ChannelId::ZERO;
    assert_eq!(
        Decoder::new(Limits::default()).finish(),
        Err(Truncated::ConnectionHeader)
    );
    assert_eq!(finish(""), Ok(()));
    assert_eq!(finish("21"), Err(Truncated::Packet));
    assert_eq!(finish("1F"), Err(Truncated::Packet));
    assert_eq!(finish("21 16"), Err(Truncated::Head { channel }));
    assert_eq!(finish("21 16 00"), Err(Truncated::Head { channel }));
    assert_eq!(finish("21 16 00 U 04 70696e67"), Ok(()));
    assert_eq!(
        finish("21 14 40 U 01 61 01"),
        Err(Truncated::Content { channel })
    );
    assert_eq!(finish("21 14 40 U 01 61 01 E0 01 00"), Ok(()));
    assert_eq!(finish("05 A0"), Ok(()));
}

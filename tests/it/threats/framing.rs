//! Packets and what is between them: rows F.

use sockety_codec::{ChannelCount, ChannelId, Violation};

use super::{ends, ends_with, is_answered, is_ignored, strict};

#[tokio::test(start_paused = true)]
async fn t_f1_a_packet_of_no_type_ends_the_connection() {
    ends("F0", Violation::UnknownPacket { byte: 0xF0 }).await;
    ends("FF", Violation::UnknownPacket { byte: 0xFF }).await;
    ends(
        "20 16 00 U 04 70696e67 F5 00",
        Violation::UnknownPacket { byte: 0xF5 },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn t_f2_bits_without_a_meaning_are_ignored() {
    is_ignored("AF").await;
    is_ignored("BF").await;
    is_answered(
        "21 02 00 50 63 14 05000000004000 8000000000000001 04 70696e67",
        0,
    )
    .await;
    is_answered("21 17 40 U 04 70696e67 01 E1 01 07", 0).await;
    // A stream that nobody reads, and its end.
    is_answered("23 16 00 U 04 70696e67 71 01 07 81", 0).await;
}

#[tokio::test(start_paused = true)]
async fn t_f2_bits_without_a_meaning_end_a_connection_with_strict_limits() {
    for (digits, byte) in [
        ("AF", 0xAF),
        ("BF", 0xBF),
        ("21 01 00 63 01 00", 0x63),
        ("22 16 00 U 04 70696e67 71 01 07", 0x71),
        ("20 17 40 U 04 70696e67 01 E1 01 07", 0xE1),
    ] {
        ends_with(strict(), digits, Violation::ReservedBits { byte }).await;
    }
}

#[tokio::test(start_paused = true)]
async fn t_f7_a_switch_beyond_the_channels_ends_the_connection() {
    let out_of_range = |channel| Violation::ChannelOutOfRange {
        channel: ChannelId::new(channel).expect("a channel"),
        channels: ChannelCount::new(238).expect("a count"),
    };
    ends("10 EE", out_of_range(238)).await;
    ends("1F FF", out_of_range(4095)).await;
}

#[tokio::test(start_paused = true)]
async fn t_f12_heartbeats_and_switches_between_the_pieces_of_a_header_change_nothing() {
    is_answered(
        "21 02 00 50 A0 07 00 60 0D 05000000004000 800000000000 B0 30 V 60 07 0001 04 70696e67",
        0,
    )
    .await;
}

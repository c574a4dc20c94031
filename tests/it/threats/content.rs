//! Payloads, files and streams: rows C.

use sockety_codec::{ChannelId, FileIndex, Violation};

use super::{ends, is_ignored, script};
use crate::support::{answers_ping, dialogue, id, ping_handler};

const CHANNEL: ChannelId = ChannelId::ZERO;

/// A one-way message `ping` with a payload of 2 bytes.
const PAYLOAD: &str = "20 17 40 U 04 70696e67 02";

/// A one-way message `ping` with files of 2 and 3 bytes, whose handler has not been called.
const FILES: &str = "20 22 50 U 04 70696e67 01 02 05 00 00 02 01 66 00 03 01 67";

fn file(index: u32) -> FileIndex {
    FileIndex::new(index).expect("an index")
}

#[tokio::test(start_paused = true)]
async fn t_c1_more_payload_than_announced_ends_the_connection() {
    let overflow = |size, left| Violation::DataOverflow {
        channel: CHANNEL,
        size,
        left,
    };
    ends(&format!("{PAYLOAD} E0 03 010203"), overflow(3, 2)).await;
    ends(&format!("{PAYLOAD} E0 01 01 E0 02 0203"), overflow(2, 1)).await;
    ends(&format!("{PAYLOAD} EC FFFFFFFF"), overflow(u32::MAX, 2)).await;
}

#[tokio::test(start_paused = true)]
async fn t_c2_a_message_before_the_payload_of_another_is_whole_ends_the_connection() {
    let busy = Violation::ChannelBusy { channel: CHANNEL };
    ends(&format!("{PAYLOAD} E0 01 01 21 16 00 V 04 70696e67"), busy).await;
}

#[tokio::test(start_paused = true)]
async fn t_c3_a_payload_that_was_not_announced_ends_the_connection() {
    let unexpected = Violation::UnexpectedData {
        channel: CHANNEL,
        size: 1,
    };
    ends("E0 01 01", unexpected).await;
    ends(&format!("{PAYLOAD} E0 02 0102 E0 01 01"), unexpected).await;
    is_ignored("E0 00").await;
}

#[tokio::test(start_paused = true)]
async fn t_c7_files_beyond_the_announced_ones_end_the_connection() {
    let index = |index| Violation::FileIndex {
        channel: CHANNEL,
        index: file(index),
        count: 2,
    };
    ends(&format!("{FILES} D1 07"), index(7)).await;
    ends(&format!("{FILES} C1 01 02 00"), index(2)).await;
    ends(&format!("{FILES} C3 01 FFFFFF 00"), index(0xFF_FFFF)).await;
}

#[tokio::test(start_paused = true)]
async fn t_c8_a_file_before_its_header_ends_the_connection() {
    let before = |index| Violation::FileBeforeHeader {
        channel: CHANNEL,
        index: file(index),
    };
    let one_of_two = "20 1E 50 U 04 70696e67 01 02 05 00 00 02 01 66";
    ends(&format!("{one_of_two} C1 01 01 00"), before(1)).await;
    ends(&format!("{one_of_two} D1 01"), before(1)).await;
}

#[tokio::test(start_paused = true)]
async fn t_c11_a_stream_that_was_not_announced_ends_the_connection() {
    let unexpected = Violation::UnexpectedStream { channel: CHANNEL };
    ends("80", unexpected).await;
    ends("70 01 00", unexpected).await;
    ends(&format!("{PAYLOAD} 80"), unexpected).await;
}

#[tokio::test(start_paused = true)]
async fn t_c11_a_stream_after_its_end_ends_the_connection() {
    let ended = Violation::StreamEnded { channel: CHANNEL };
    let stream = "22 17 40 U 04 70696e67 02 80";
    ends(&format!("{stream} 80"), ended).await;
    ends(&format!("{stream} 70 01 00"), ended).await;
}

#[tokio::test(start_paused = true)]
async fn t_c13_content_before_its_header_is_whole_ends_the_connection() {
    let channel = CHANNEL;
    ends(
        "23 01 50 E0 01 01",
        Violation::UnexpectedData { channel, size: 1 },
    )
    .await;
    ends("23 01 50 70 01 01", Violation::UnexpectedStream { channel }).await;
    let (index, count) = (file(0), 0);
    ends(
        "23 01 50 C0 01 01",
        Violation::FileIndex {
            channel,
            index,
            count,
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn t_c15_an_abort_inside_a_header_leaves_nothing_of_it() {
    is_ignored("21 04 00 0A0B0C 90").await;
    is_ignored("21 15 00 U 04 706969 90 21 02 40 01 90").await;
}

#[tokio::test(start_paused = true)]
async fn t_c17_a_goodbye_in_the_middle_of_a_message_is_no_abort() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    peer.send(&script("01 21 17 40 U 04 70696e67 02 E0 01 01 B0 00"))
        .await;
    answers_ping(&mut peer).await;
    peer.expect_silence().await;
    assert!(!connection.is_closed());
    peer.send("01 E0 01 02").await;
    peer.expect_code(id(1), 0).await;
}

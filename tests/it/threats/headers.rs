//! Headers of messages: rows M.

use std::fmt::{Debug, Write};

use sockety::{
    FastReply,
    error::ConnectionError,
    serve::{BoxError, MessageHandler},
};
use sockety_codec::{ChannelId, Violation};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::{ends, is_answered, script};
use crate::support::{Log, answers_ping, dialogue, hex, id, message, ping_handler, settled};

const CHANNEL: ChannelId = ChannelId::ZERO;

const TOO_LARGE: u16 = 3842;
const BAD_HEADER: u16 = 3846;

#[tokio::test(start_paused = true)]
async fn t_m2_more_files_than_the_limit_are_refused_before_their_headers() {
    is_answered("21 1B 30 U 04 70696e67 FF FF FF 00 00 90", TOO_LARGE).await;
    is_answered("21 1A 20 U 04 70696e67 01 04 00 00 90", TOO_LARGE).await;
}

#[tokio::test(start_paused = true)]
async fn t_m3_file_headers_without_end_end_the_connection() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    peer.send(&script("2D FFFFFFFF 30 U 04 70696e67 FF FF FF 00 00"))
        .await;
    peer.expect_code(id(1), TOO_LARGE).await;
    // 256 KiB, four times the limit, less the header so far.
    peer.send_bytes(&vec![0; 256 * 1024 - 28]).await;
    settled().await;
    assert!(!connection.is_closed());
    peer.send_bytes(&[0; 16]).await;
    let error = connection.closed().await;
    let ConnectionError::Protocol(Violation::HeaderAbuse { bytes, .. }) = error else {
        panic!("{error:?}");
    };
    assert!((262_144..262_164).contains(&bytes), "{bytes}");
}

#[tokio::test(start_paused = true)]
async fn t_m4_a_payload_over_the_limit_is_refused_before_its_content() {
    is_answered("21 1C C0 U 04 70696e67 FF FF FF FF FF FF 90", TOO_LARGE).await;
    // 4 MiB and one byte.
    is_answered(
        "21 1C C0 U 04 70696e67 01 00 40 00 00 00 E0 01 00 90",
        TOO_LARGE,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn t_m6_an_action_over_the_limit_is_refused() {
    let action = |size: u16| {
        let header = 19 + u32::from(size);
        let header = hex(&header.to_le_bytes()[..3]);
        let name = hex(vec![b'a'; size.into()]);
        format!("29 {header} 02 U {} {name}", hex(size.to_le_bytes()))
    };
    is_answered(&action(65_535), TOO_LARGE).await;
    is_answered(&action(1025), TOO_LARGE).await;
    is_answered(&action(1024), 2).await;
}

#[tokio::test(start_paused = true)]
async fn t_m7_an_action_that_is_not_utf_8_is_refused_and_never_mended() {
    is_answered("21 14 00 U 02 FF FE", BAD_HEADER).await;
    // "ping" in an overlong form, with half a surrogate pair, and cut in a character.
    is_answered("21 17 00 U 05 C1 B0 696e67", BAD_HEADER).await;
    is_answered("21 19 00 U 07 70696e67 ED A0 80", BAD_HEADER).await;
    is_answered("21 18 00 U 06 70696e67 E2 80", BAD_HEADER).await;
}

#[tokio::test(start_paused = true)]
async fn t_m8_actions_are_compared_byte_by_byte() {
    let (_connection, mut peer) = dialogue(ping_handler()).await;
    for action in [
        "",
        "Ping",
        "ping\n",
        "ping ",
        "ping\0",
        "\u{1b}[2Jping",
        "\u{202e}gnip",
        "pi\u{300}ng",
    ] {
        peer.ask(id(1), action, b"").await;
        peer.expect_code(id(1), 2).await;
    }
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn t_m8_an_action_cannot_forge_lines_of_the_log() {
    let logged = Logged::default();
    let _logging = tracing::subscriber::set_default(logged.clone());
    let handler =
        MessageHandler::new().fallback(|_| async { Err::<FastReply, BoxError>("broken".into()) });
    let (_connection, mut peer) = dialogue(handler).await;
    let action = format!("\n\u{1b}[2J\u{202e}{}", "a".repeat(1000));
    peer.ask(id(1), &action, b"").await;
    peer.expect_code(id(1), 5).await;
    let lines = logged.0.events();
    let line = lines
        .iter()
        .find(|line| line.contains("message handler failed"));
    let line = line.expect("the failure");
    assert!(line.contains(r"\n\u{1b}[2J\u{202e}aaa"), "{line}");
    assert!(
        !line.contains(|c: char| c.is_control() || c == '\u{202e}'),
        "{line}"
    );
    assert!(line.len() < 300, "{line}");
}

/// Writes what is logged to a log that can be looked at.
#[derive(Clone, Default)]
struct Logged(Log);

impl Subscriber for Logged {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.note(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").expect("a string takes all");
    }
}

#[tokio::test(start_paused = true)]
async fn t_m9_bytes_after_a_header_in_its_packet_end_the_connection() {
    let trailing = |bytes| Violation::HeaderTrailing {
        channel: CHANNEL,
        bytes,
    };
    ends("21 17 00 U 04 70696e67 00", trailing(1)).await;
    ends("25 FFFF 00 U 04 70696e67 21 16 00 V", trailing(65_535 - 22)).await;
}

#[tokio::test(start_paused = true)]
async fn t_m10_a_message_inside_another_ends_the_connection() {
    let busy = Violation::ChannelBusy { channel: CHANNEL };
    ends("22 16 00 U 04 70696e67 21 16 00 V 04 70696e67", busy).await;
    ends("21 17 40 U 04 70696e67 02 21 16 00 V 04 70696e67", busy).await;
    ends("21 01 00 51 21 00 U V", busy).await;
}

#[tokio::test(start_paused = true)]
async fn t_m11_a_header_that_goes_on_where_none_has_begun_ends_the_connection() {
    let (channel, size) = (CHANNEL, 1);
    ends("60 01 00", Violation::NoMessage { channel, size }).await;
    ends(
        "21 17 40 U 04 70696e67 02 60 01 00",
        Violation::ContinueAfterHeader { channel, size },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn t_m12_flags_without_a_meaning_are_ignored() {
    is_answered("21 16 01 U 04 70696e67", 0).await;
    // Sizes of files where none are announced.
    is_answered("21 16 0C U 04 70696e67", 0).await;
}

#[tokio::test(start_paused = true)]
async fn t_m13_two_requests_of_one_id_are_both_handled_and_answered() {
    let handler = ping_handler().action("slow", |_| async {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        FastReply::REJECT
    });
    let (_connection, mut peer) = dialogue(handler).await;
    peer.ask(id(1), "slow", b"").await;
    peer.ask(id(1), "ping", b"").await;
    peer.ask(id(1), "slow", b"").await;
    for code in [0, 1, 1] {
        peer.expect_code(id(1), code).await;
    }
    answers_ping(&mut peer).await;
    peer.expect_silence().await;
}

// r[verify reply.expected]
#[tokio::test(start_paused = true)]
async fn t_m14_ids_of_all_versions_are_echoed_byte_for_byte() {
    let (_connection, mut peer) = dialogue(ping_handler()).await;
    for id in [
        "00000000000000000000000000000000",
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
        "0a1b2c3d4e5f1a6b0c7d9e0f1a2b3c4d",
    ] {
        peer.send(&format!("21 16 00 {id} 04 70696e67")).await;
        peer.expect(&format!("30 {id}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn t_m20_an_unknown_action_is_answered_and_its_content_dropped() {
    is_answered("21 12 00 U 00", 2).await;
    is_answered(
        "23 1B 50 U 01 78 02 01 02 00 00 02 01 66 E0 02 0102 70 01 03 C0 02 0405 D0 80",
        2,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn t_m21_replies_that_ask_for_replies_are_not_answered() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let draft = sockety::message::Draft::new("ask");
    let mut request = connection.send(&draft).await.expect("sent");
    peer.expect_message("ask").await;
    for number in 2..60 {
        peer.respond_expecting(request.id(), id(number), b"more")
            .await;
    }
    for _ in 2..60 {
        let reply = request.response().await.expect("a reply");
        assert!(
            reply
                .into_response()
                .expect("a response")
                .expects_response()
        );
    }
    // To nobody.
    peer.respond_expecting(id(1), id(2), b"more").await;
    peer.expect_silence().await;
    peer.send_bytes(&message(id(1), "ping", true, b"")).await;
    peer.expect_code(id(1), 0).await;
}

//! Peers that are slow, silent or gone: rows S, and the timeout for headers.

use std::time::Duration;

use sockety::{
    FastReply, Options, Outcome, Router,
    error::{ConnectionError, LimitExceeded},
    message::Draft,
    serve::{Message, MessageHandler},
};
use tokio::time::{Instant, sleep};

use super::script;
use crate::streams::{Asks, Packet, Packets, head, head_on};
use crate::support::{
    PIPE, answers_ping, bytes, dialogue, dialogue_with, hex, id, ping_handler, settled, tasks,
    tasks_are_back_to, waiting_handler,
};

const SECOND: Duration = Duration::from_secs(1);

fn check_between(from: u64, elapsed: Duration, to: u64) {
    assert!((from..=to).contains(&elapsed.as_secs()), "{elapsed:?}");
}

fn is_header_timeout(error: &ConnectionError) -> bool {
    let limit = 15 * SECOND;
    matches!(error, ConnectionError::Limit(LimitExceeded::HeaderTimeout(found)) if *found == limit)
}

/// Sends one of these bytes every few seconds, the last over and over, until the connection ends.
async fn ends_in_time(digits: &str, pause: Duration) {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let begin = Instant::now();
    let all = bytes(digits);
    let sending = async {
        for at in 0.. {
            peer.send_bytes(&all[at.min(all.len() - 1)..][..1]).await;
            sleep(pause).await;
        }
    };
    let error = tokio::select! {
        error = connection.closed() => error,
        () = sending => unreachable!("it goes on for ever"),
    };
    assert!(is_header_timeout(&error), "{digits}: {error:?}");
    check_between(14, begin.elapsed(), 17);
}

#[tokio::test(start_paused = true)]
async fn t_s1_a_header_byte_by_byte_ends_the_connection_in_time() {
    ends_in_time("21 16 00 50 05 00", 10 * SECOND).await;
    ends_in_time("21 16 00 50 05 00", SECOND).await;
    // A packet that is no message's.
    ends_in_time("30 00 00", 3 * SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn t_m1_a_header_in_empty_pieces_ends_the_connection_in_time() {
    let options = Options::default().max_useless_packets(sockety::config::Rate::UNLIMITED);
    let (connection, mut peer) = dialogue_with(ping_handler(), options, PIPE).await;
    let begin = Instant::now();
    peer.send("21 01 00").await;
    let sending = async {
        loop {
            peer.send("60 00").await;
            sleep(SECOND).await;
        }
    };
    let error = tokio::select! {
        error = connection.closed() => error,
        () = sending => unreachable!("it goes on for ever"),
    };
    assert!(is_header_timeout(&error), "{error:?}");
    check_between(14, begin.elapsed(), 17);
}

#[tokio::test(start_paused = true)]
async fn t_m16_headers_that_are_begun_on_all_channels_end_the_connection_in_time() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let begin = Instant::now();
    let mut headers = Vec::new();
    for channel in 0..238_u16 {
        headers.extend([0x10, channel as u8]);
        headers.extend(bytes("21 14 00"));
        headers.extend([0xFF; 19]);
    }
    peer.send_bytes(&headers).await;
    let error = connection.closed().await;
    assert!(is_header_timeout(&error), "{error:?}");
    check_between(14, begin.elapsed(), 17);
}

#[tokio::test(start_paused = true)]
async fn t_s2_messages_that_stop_on_a_quarter_of_the_channels_end_the_connection() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    for number in 1..=65 {
        let channel = sockety_codec::ChannelId::new(number).expect("a channel");
        let one = id(number.into());
        peer.send_bytes(&head_on(channel, one, "ping", Asks::Nothing, 9, false, &[]))
            .await;
    }
    let error = connection.closed().await;
    let stalled = LimitExceeded::StalledMessages {
        messages: 65,
        limit: 64,
    };
    assert!(
        matches!(error, ConnectionError::Limit(limit) if limit == stalled),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn t_s4_what_the_clock_itself_queues_is_no_sign_of_life() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    // A payload that stops is answered after 60 s, and the socket takes that.
    peer.send(&script("01 21 17 40 U 04 70696e67 02 E0 01 01 00"))
        .await;
    let begun = Instant::now();
    let error = connection.closed().await;
    assert!(matches!(error, ConnectionError::Idle(_)), "{error:?}");
    let seconds = begun.elapsed().as_secs();
    assert!((90..95).contains(&seconds), "{seconds}");
    let rest = hex(peer.rest().await);
    assert!(rest.contains(&format!("34{}", hex(id(1)))), "{rest}");
}

#[tokio::test(start_paused = true)]
async fn t_c2_a_payload_that_stops_is_lost_and_its_channel_with_it() {
    let (_connection, mut peer) = dialogue(ping_handler()).await;
    peer.send(&script("01 21 17 40 U 04 70696e67 02 E0 01 01 00"))
        .await;
    sleep(50 * SECOND).await;
    peer.send("A0").await;
    peer.expect("A0 A0").await;
    peer.expect_code(id(1), 4).await;
    answers_ping(&mut peer).await;
    // What comes at last is dropped, and the channel free again.
    peer.send(&script("01 E0 01 02 21 16 00 V 04 70696e67"))
        .await;
    peer.expect_code(id(2), 0).await;
}

#[tokio::test(start_paused = true)]
async fn t_s8_a_peer_that_is_stopped_while_it_is_written_to_is_given_up() {
    let (connection, mut peer) = dialogue_with(Router::new(), Options::default(), 64).await;
    peer.send("A0").await;
    settled().await;
    let begin = Instant::now();
    let message = Draft::new("large").data().create(vec![7; 1000]);
    let mut request = connection.send(message).await.expect("a place");
    let error = request.response().await.expect_err("no reply");
    assert_eq!(error.outcome(), Outcome::Unknown);
    let error = connection.closed().await;
    assert!(
        matches!(error, ConnectionError::WriteStalled(_)),
        "{error:?}"
    );
    check_between(30, begin.elapsed(), 36);
}

#[tokio::test(start_paused = true)]
async fn t_s9_a_process_that_was_suspended_reads_before_it_judges() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    sleep(80 * SECOND).await;
    // What came before and during the sleep of an hour is there when it ends.
    peer.send("A0").await;
    tokio::time::advance(3600 * SECOND).await;
    settled().await;
    assert!(!connection.is_closed(), "{:?}", connection.closed().await);
    // A quiet peer is given the rest of its time too.
    sleep(60 * SECOND).await;
    tokio::time::advance(3600 * SECOND).await;
    settled().await;
    assert!(!connection.is_closed(), "{:?}", connection.closed().await);
    let error = connection.closed().await;
    assert!(matches!(error, ConnectionError::Idle(_)), "{error:?}");
}

/// Reads a little of its stream, seldom.
fn reluctant() -> MessageHandler {
    ping_handler().action("read", |message: Message| async move {
        let mut stream = message.take_stream().expect("a stream");
        while stream.next_chunk().await?.is_some() {
            sleep(4 * SECOND).await;
        }
        Ok::<_, std::io::Error>(FastReply::ACCEPT)
    })
}

#[tokio::test(start_paused = true)]
async fn t_s10_a_peer_that_may_not_send_is_not_idle_and_is_sent_heartbeats() {
    let options = Options::default()
        .max_unread_per_message(16 * 1024)
        .max_spill_bytes(0);
    let (connection, mut peer) = dialogue_with(reluctant(), options, 1000).await;
    peer.send_bytes(&head(id(1), "read", Asks::Reply, 0, true, &[]))
        .await;
    let begin = Instant::now();
    let mut packets = [bytes("74 00 10"), vec![7; 4096]].concat().repeat(300);
    packets.push(0x80);
    peer.send_bytes(&packets).await;
    assert!(begin.elapsed() > 90 * SECOND, "{:?}", begin.elapsed());
    assert!(!connection.is_closed());
    let mut packets = Packets::of(peer);
    let mut heartbeats = 0;
    while packets.next().await == Packet::Heartbeat {
        heartbeats += 1;
    }
    let expected = begin.elapsed().as_secs() / 25;
    assert!(heartbeats >= expected, "{heartbeats} of {expected}");
}

#[tokio::test(start_paused = true)]
async fn t_a8_nothing_is_left_of_a_connection_whose_handles_are_gone() {
    let baseline = tasks();
    let (connection, mut peer) = dialogue(waiting_handler()).await;
    let request = connection.send(&Draft::new("ask")).await.expect("sent");
    peer.expect_message("ask").await;
    let calling = tokio::spawn({
        let connection = connection.clone();
        async move {
            let mut request = connection.send(&Draft::new("ask")).await.expect("sent");
            drop(connection);
            request.response().await.map(drop)
        }
    });
    peer.expect_message("ask").await;
    // A call that waits is a handle: it gets its reply.
    drop((connection, request));
    peer.expect_silence().await;
    calling.abort();
    let begin = Instant::now();
    peer.expect("B0").await;
    peer.expect_end().await;
    drop(peer);
    tasks_are_back_to(baseline).await;
    check_between(0, begin.elapsed(), 1);
}

//! Things that are harmless occasionally, and an attack in large numbers.

use std::time::Duration;

use sockety::{
    Connection, FastReply, Options, Router,
    config::{Budgets, Rate},
    error::{ConnectionError, LimitExceeded},
    message::Draft,
};

use tokio::time::Instant;

use super::script;
use crate::support::{
    PIPE, Peer, answers_ping, bytes, code_of, dialogue, dialogue_with, id, message, ping_handler,
    response, settled, waiting_handler,
};

const USELESS: LimitExceeded = LimitExceeded::UselessPackets {
    burst: 128,
    per_second: 10,
};

/// A peer may send this a number of times at once, and then as often as is said per second, but not once more. What the
/// connection answers is not looked at.
async fn is_limited(digits: &str, burst: usize, per_second: u64, expected: LimitExceeded) {
    let attack = bytes(&script(digits));
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let (_other, mut honest) = dialogue(ping_handler()).await;
    peer.send_bytes(&attack.repeat(burst)).await;
    settled().await;
    assert!(
        !connection.is_closed(),
        "{digits}: {:?}",
        connection.closed().await
    );
    // Less than a token was added while all settled.
    tokio::time::sleep(Duration::from_secs(1)).await;
    peer.send_bytes(&attack.repeat(per_second as usize)).await;
    settled().await;
    assert!(
        !connection.is_closed(),
        "{digits}: {:?}",
        connection.closed().await
    );
    peer.send_bytes(&attack.repeat(2)).await;
    let error = connection.closed().await;
    assert!(
        matches!(error, ConnectionError::Limit(limit) if limit == expected),
        "{digits}: {error:?}"
    );
    let rest = peer.rest().await;
    assert_eq!(rest.last(), Some(&0xB0), "{digits}");
    answers_ping(&mut honest).await;
}

/// A peer may send this that many times at once. What it sends beyond that is read at this rate, and
/// whatever comes behind it waits, but the connection goes on.
async fn is_throttled(digits: &str, burst: u64, per_second: u64) {
    let attack = bytes(&script(digits));
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let mut send = async |count: u64| {
        let begin = Instant::now();
        peer.send_bytes(&attack.repeat(count as usize)).await;
        settled().await;
        peer.ask(id(1_000), "ping", b"").await;
        peer.skip_to_code(id(1_000), 0).await;
        begin.elapsed()
    };
    let elapsed = send(burst).await.as_millis();
    assert!(elapsed < 10, "{digits}: {elapsed} ms");
    for _ in 0..3 {
        let elapsed = send(per_second).await.as_millis();
        assert!((600..=1400).contains(&elapsed), "{digits}: {elapsed} ms");
    }
    assert!(!connection.is_closed(), "{digits}");
    assert!(connection.stats().throttled >= 3, "{digits}");
}

#[tokio::test(start_paused = true)]
async fn t_f4_empty_packets_are_allowed_now_and_then() {
    for empty in ["70 00", "E0 00", "C0 00", "60 00"] {
        is_limited(empty, 128, 10, USELESS).await;
    }
}

#[tokio::test(start_paused = true)]
async fn t_f4_empty_packets_inside_a_message_count_too() {
    let (connection, mut peer) = dialogue(waiting_handler()).await;
    peer.send(&script("22 16 00 U 04 77616974")).await;
    peer.send(&"70 00 70 01 07".repeat(129)).await;
    let error = connection.closed().await;
    assert!(
        matches!(error, ConnectionError::Limit(USELESS)),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn t_f6_needless_switches_are_allowed_now_and_then() {
    is_limited("07 00 A0", 64, 5, USELESS).await;
    // Each to the channel that is current.
    is_limited("00", 128, 10, USELESS).await;
}

#[tokio::test(start_paused = true)]
async fn t_f10_heartbeats_are_allowed_now_and_then() {
    is_limited("A0", 128, 10, USELESS).await;
}

#[tokio::test(start_paused = true)]
async fn t_f11_goodbyes_are_allowed_now_and_then() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    peer.send(&"B0".repeat(129)).await;
    answers_ping(&mut peer).await;
    peer.send("B0").await;
    let error = connection.closed().await;
    assert!(
        matches!(error, ConnectionError::Limit(USELESS)),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn t_c14_aborts_of_nothing_are_allowed_now_and_then() {
    is_limited("90", 128, 10, USELESS).await;
    super::is_ignored("90").await;
    // After the end of a message, and once more.
    super::is_answered("21 17 40 U 04 70696e67 01 E0 01 07 90 90", 0).await;
}

#[tokio::test(start_paused = true)]
async fn t_m18_rapid_abort() {
    is_throttled("22 16 00 U 04 70696e67 90", 512, 256).await;
    is_throttled("23 17 40 U 04 70696e67 02 90", 512, 256).await;
}

#[tokio::test(start_paused = true)]
async fn t_m18_an_abort_gives_no_place_free_that_a_handler_has() {
    let options = Options::default()
        .max_requests_executing(2)
        .max_queued_requests(0)
        .max_aborted_messages(Rate::UNLIMITED);
    let (_connection, mut peer) = dialogue_with(waiting_handler(), options, PIPE).await;
    for _ in 0..2 {
        peer.send(&script("23 16 00 U 04 77616974 90")).await;
    }
    for _ in 0..200 {
        peer.send(&script("23 16 00 V 04 77616974 90")).await;
        peer.expect_code(id(2), 3840).await;
    }
}

#[tokio::test(start_paused = true)]
async fn t_c15_headers_that_are_given_up_are_allowed_now_and_then() {
    is_throttled("21 04 00 0A0B0C 90", 512, 256).await;
}

#[tokio::test(start_paused = true)]
async fn t_m19_messages_to_be_refused_are_allowed_now_and_then() {
    is_throttled("21 14 00 U 02 FF FE", 1024, 256).await;
    // One way: nothing is answered, and it counts all the same.
    is_throttled("20 14 00 U 02 FF FE", 1024, 256).await;
}

#[tokio::test(start_paused = true)]
async fn t_r1_replies_to_nobody_are_allowed_now_and_then() {
    is_throttled("30 U", 1024, 256).await;
    is_throttled("50 21 00 U V", 1024, 256).await;
    // With content, which is dropped.
    is_throttled("51 22 40 U V 01 E0 01 07", 1024, 256).await;
}

#[tokio::test(start_paused = true)]
async fn t_r6_replies_to_one_way_messages_are_allowed_now_and_then() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    for _ in 0..1024 + 512 {
        connection.pass(&Draft::new("note")).await.expect("written");
        let (id, _) = peer.expect_message("note").await;
        peer.reply(id, 0).await;
    }
    settled().await;
    let stats = connection.stats();
    assert!(
        stats.unexpected_replies >= 1024 && stats.throttled > 0,
        "{stats:?}"
    );
    assert!(!connection.is_closed());
}

#[tokio::test(start_paused = true)]
async fn t_r1_replies_to_what_was_given_up_are_free_once() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let mut given_up = Vec::new();
    for _ in 0..1000 {
        given_up.push(give_up(&connection, &mut peer).await);
    }
    for id in &given_up {
        peer.reply(*id, 0).await;
    }
    answers_ping(&mut peer).await;
    assert_eq!(connection.stats().unexpected_replies, 0);
    for id in &given_up[..129] {
        peer.reply(*id, 0).await;
    }
    answers_ping(&mut peer).await;
    assert_eq!(connection.stats().unexpected_replies, 129);
}

#[tokio::test(start_paused = true)]
async fn t_r1_the_newest_4096_requests_that_were_given_up_are_remembered_and_no_more_than_twice_as_many()
 {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let mut given_up = Vec::new();
    for _ in 0..2 * 4096 + 129 {
        given_up.push(give_up(&connection, &mut peer).await);
    }
    for id in &given_up[4096 + 129..] {
        peer.reply(*id, 0).await;
    }
    answers_ping(&mut peer).await;
    assert_eq!(connection.stats().unexpected_replies, 0);
    for id in &given_up[..129] {
        peer.reply(*id, 0).await;
    }
    answers_ping(&mut peer).await;
    assert_eq!(connection.stats().unexpected_replies, 129);
}

async fn give_up(connection: &Connection, peer: &mut Peer) -> sockety::Uuid {
    drop(connection.send(&Draft::new("ask")).await.expect("sent"));
    peer.expect_message("ask").await.0
}

/// A stream of a response, of this many MiB.
async fn send_mib(peer: &mut Peer, count: usize) {
    let packet = [&bytes("78 000010")[..], &vec![7; 1024 * 1024]].concat();
    for _ in 0..count {
        peer.send_bytes(&packet).await;
    }
}

/// Content that nobody takes is dropped as it comes: 64 MiB at once, then 64 MiB a second.
async fn is_dropped_at_a_rate(connection: &Connection, peer: &mut Peer) {
    let mut send = async |count| {
        let begin = Instant::now();
        send_mib(peer, count).await;
        peer.send("00").await;
        answers_ping(peer).await;
        peer.send("01").await;
        begin.elapsed().as_millis()
    };
    assert_eq!(send(64).await, 0);
    let elapsed = send(256).await;
    assert!((3900..=4200).contains(&elapsed), "{elapsed} ms");
    assert!(!connection.is_closed());
}

#[tokio::test(start_paused = true)]
async fn t_r3_a_response_to_nobody_is_dropped_at_a_rate() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    peer.send(&script("01 52 21 00 U V")).await;
    is_dropped_at_a_rate(&connection, &mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn t_r11_a_response_to_a_call_that_was_given_up_is_dropped_at_a_rate() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let request = connection.send(&Draft::new("ask")).await.expect("sent");
    let (parent, _) = peer.expect_message("ask").await;
    peer.send(&format!(
        "01 52 21 00 {} {}",
        parent.simple(),
        id(1).simple()
    ))
    .await;
    settled().await;
    drop(request);
    is_dropped_at_a_rate(&connection, &mut peer).await;
}

/// Sends 128 MiB of whole messages, and returns how long they take.
async fn send_whole(peer: &mut Peer, message: impl Fn(u64) -> Vec<u8>) -> Duration {
    let begin = Instant::now();
    for number in 0..12_800 {
        peer.send_bytes(&message(number)).await;
    }
    begin.elapsed()
}

#[tokio::test(start_paused = true)]
async fn t_r3_whole_responses_to_a_call_that_was_given_up_are_dropped_at_a_rate() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let request = connection.send(&Draft::new("ask")).await.expect("sent");
    let (parent, _) = peer.expect_message("ask").await;
    drop(request);
    settled().await;
    let whole = |number| response(parent, id(number), false, &[7; 10_485]);
    let elapsed = send_whole(&mut peer, whole).await.as_millis();
    assert!((900..=1100).contains(&elapsed), "{elapsed} ms");
    answers_ping(&mut peer).await;
    assert!(!connection.is_closed());
}

#[tokio::test(start_paused = true)]
async fn t_m20_whole_messages_that_nobody_serves_are_dropped_at_a_rate() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let whole = |number| message(id(number), "nobody", false, &[7; 10_485]);
    let elapsed = send_whole(&mut peer, whole).await.as_millis();
    assert!((900..=1100).contains(&elapsed), "{elapsed} ms");
    assert!(!connection.is_closed());
}

#[tokio::test(start_paused = true)]
async fn t_m17_no_more_handlers_wait_than_all_connections_may_have() {
    let options = Options::default()
        .max_waiting_requests(20)
        .max_queued_requests(0);
    let budgets = Budgets::new(&options);
    let dialogue = async || {
        let (near, far) = tokio::io::duplex(PIPE);
        let (options, budgets) = (options.clone(), budgets.clone());
        let (connection, peer) = tokio::join!(
            Connection::over_within(near, waiting_handler(), options, budgets),
            Peer::greeted(far)
        );
        (connection.expect("a connection"), peer)
    };
    let (first, mut one) = dialogue().await;
    let (_second, mut other) = dialogue().await;
    for number in 0..20 {
        one.ask(id(number), "wait", b"").await;
        settled().await;
    }
    one.ask(id(20), "wait", b"").await;
    one.expect_code(id(20), 3840).await;
    // Every other connection still has its own eight.
    for number in 0..8 {
        other.ask(id(number), "wait", b"").await;
        settled().await;
    }
    other.expect_silence().await;
    other.ask(id(8), "wait", b"").await;
    other.expect_code(id(8), 3840).await;
    let request = first.send(&Draft::new("ask")).await.expect("sent");
    one.expect_message("ask").await;
    one.reply(request.id(), 1).await;
    assert_eq!(code_of(request).await, FastReply::REJECT.code());
}

//! Leave, Done and pings of the negotiated extension: how a connection ends, and what is known of its
//! requests then.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use sockety::{
    ByteStream, Connection, FastReply, File, Options, Outcome, Router,
    config::{Extension, Limits, Rate},
    error::{
        CallError, ClosedBy, ConnectionError, LeaveReason, LimitExceeded, RequestError,
        RoundTripError, SendError,
    },
    message::{Draft, Request},
    serve::{Authorization, FirstMessage, IntoRouter, Message, MessageHandler},
    testing::{Faults, link},
};
use sockety_codec::{ChannelCount, Encoder, FileHeader, FilesSummary, MessageHead};
use tokio::{
    io::duplex,
    time::{Instant, sleep, timeout},
};

use crate::support::{
    OFFER, PIPE, Peer, Running, base, bytes, code_of, dialogue, hex, id, is_closed_by, is_pending,
    pair_over, pair_with, ping_handler, settled, waiting_handler,
};

/// Settings with all defaults.
const SETTINGS: &str = "F0 01 00";
/// Those of our default options: calls have a deadline of 30 s.
const OURS: &str = "F0 08 00 0B 307500000000";
const DONE: &str = "F0 01 03";

fn extended() -> Options {
    Options::default().extension(Extension::Auto)
}

/// One of our connections, and a peer that has the extension.
async fn scripted(serve: impl IntoRouter, options: Options) -> (Connection, Peer) {
    let (near, far) = duplex(PIPE);
    let mut peer = Peer::silent(far);
    peer.send(OFFER).await;
    let options = options.extension(Extension::Auto);
    let connection = Connection::over(near, serve, options).await;
    peer.expect(OFFER).await;
    peer.send(SETTINGS).await;
    (connection.expect("connected"), peer)
}

/// Like [`scripted`], with default options, whose settings were read.
async fn greeted(serve: impl IntoRouter) -> (Connection, Peer) {
    let (connection, mut peer) = scripted(serve, Options::default()).await;
    peer.expect(OURS).await;
    settled().await;
    (connection, peer)
}

async fn pair(here: impl IntoRouter, there: impl IntoRouter) -> (Connection, Connection) {
    pair_with((here, extended()), (there, extended()), PIPE).await
}

/// A Leave with this reason and grace, in milliseconds.
fn leave(taken: Option<u64>, reason: u8, grace: u32) -> String {
    let taken = taken.map_or([0xFF; 8], u64::to_le_bytes);
    let taken = hex(&taken[..6]);
    let grace = hex(grace.to_le_bytes());
    format!("F0 10 02 {taken} {reason:02X} {grace} 00000000")
}

/// A Leave with a text, without any grace.
fn leave_with(taken: u64, reason: u8, text: &str) -> String {
    let taken = hex(&taken.to_le_bytes()[..6]);
    let size = 16 + text.len();
    format!(
        "F0 {size:02X} 02 {taken} {reason:02X} 00000000 00000000 {}",
        hex(text)
    )
}

/// A request with this id, of the action `ping`.
fn request(number: u64) -> String {
    format!("21 16 00 {} 04 70696e67", hex(id(number).as_bytes()))
}

fn shut_down(connection: &Connection, seconds: u64) -> tokio::task::JoinHandle<Duration> {
    let connection = connection.clone();
    let begun = Instant::now();
    tokio::spawn(async move {
        connection.shutdown(Duration::from_secs(seconds)).await;
        begun.elapsed()
    })
}

async fn ask(connection: &Connection, action: &str) -> Request {
    connection.send(&Draft::new(action)).await.expect("sent")
}

/// The error of a request without a reply.
async fn error_of(mut request: Request) -> RequestError {
    request.response().await.map(drop).expect_err("no reply")
}

// This side leaves.

// r[verify ext.leave]
// r[verify ext.leave.course]
// r[verify ext.leave.last]
#[tokio::test(start_paused = true)]
async fn a_shutdown_is_over_when_the_peer_is_done() {
    let (connection, mut peer) = greeted(ping_handler()).await;
    let shutdown = shut_down(&connection, 30);
    peer.expect(&leave(None, 0, 30_000)).await;
    // What was on its way is executed.
    peer.send(&request(0)).await;
    peer.expect_code(id(0), 0).await;
    peer.send(DONE).await;
    peer.expect(&leave(Some(1), 0, 0)).await;
    peer.expect_end().await;
    drop(peer);
    assert_eq!(shutdown.await.expect("no panic"), Duration::ZERO);
}

/// Handlers that do not end are no reason to wait for longer.
#[tokio::test(start_paused = true)]
async fn a_shutdown_has_the_time_that_it_is_given_and_no_more() {
    for options in [extended(), base()] {
        for millis in [0, 300, 1_500, 2_000, 5_250] {
            let stuck = MessageHandler::new().action("stuck", |_| std::future::pending::<()>());
            let (near, far) = duplex(PIPE);
            let (server, client) = tokio::join!(
                Connection::over(near, stuck, options.clone()),
                Connection::over(far, Router::new(), options.clone()),
            );
            let (server, client) = (server.expect("a side"), client.expect("a side"));
            let held = ask(&client, "stuck").await;
            settled().await;
            // In the middle of the seconds that its clocks count.
            sleep(Duration::from_millis(700)).await;
            let begun = Instant::now();
            // The sooner limit counts.
            let longer = shut_down(&server, 60);
            settled().await;
            server.shutdown(Duration::from_millis(millis)).await;
            // The timer counts whole milliseconds.
            let over = begun.elapsed() - Duration::from_millis(millis);
            assert!(
                over <= Duration::from_millis(2),
                "{over:?} more than {millis} ms"
            );
            let error = error_of(held).await;
            assert_eq!(error.outcome(), Outcome::Unknown);
            longer.await.expect("no panic");
        }
    }
}

/// A limit is kept although the peer closes meanwhile, or this side was closing already: neither ends a
/// handler that does not end by itself.
#[tokio::test(start_paused = true)]
async fn a_shutdown_keeps_its_limit_whatever_else_ends_the_connection() {
    for has_peer_closed_before in [true, false] {
        let stuck = MessageHandler::new().action("stuck", |_| std::future::pending::<()>());
        let (near, mut peer) = dialogue(stuck).await;
        peer.ask(id(1), "stuck", b"").await;
        settled().await;
        let begun = Instant::now();
        let shutdown = match has_peer_closed_before {
            true => {
                peer.finish().await;
                settled().await;
                shut_down(&near, 1)
            }
            false => {
                let shutdown = shut_down(&near, 1);
                settled().await;
                peer.finish().await;
                shutdown
            }
        };
        shutdown.await.expect("no panic");
        let over = begun.elapsed() - Duration::from_secs(1);
        assert!(over <= Duration::from_millis(2), "{over:?}");
    }
}

// r[verify ext.leave.course]
// r[verify ext.leave.taken]
#[tokio::test(start_paused = true)]
async fn a_peer_that_is_not_done_is_told_which_messages_are_taken() {
    let (connection, mut peer) = greeted(ping_handler()).await;
    let shutdown = shut_down(&connection, 30);
    peer.expect(&leave(None, 0, 30_000)).await;
    sleep(Duration::from_millis(1_500)).await;
    for number in 0..3 {
        peer.send(&request(number)).await;
        peer.expect_code(id(number), 0).await;
    }
    let begun = Instant::now();
    peer.expect(&leave(Some(3), 0, 30_000)).await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    drop(peer);
    assert!(shutdown.await.expect("no panic") < Duration::from_secs(4));
}

// r[verify ext.leave.taken]
#[tokio::test(start_paused = true)]
async fn messages_that_are_not_taken_are_neither_executed_nor_answered() {
    let (connection, mut peer) = greeted(waiting_handler()).await;
    peer.send(&request(0).replace("70696e67", "77616974")).await;
    settled().await;
    // The header of the second is not whole when messages are counted: it is taken, the third is not.
    let second = bytes(&request(1));
    let shutdown = shut_down(&connection, 10);
    peer.expect(&leave(None, 0, 10_000)).await;
    peer.send_bytes(&second[..9]).await;
    peer.expect(&leave(Some(2), 0, 10_000)).await;
    peer.send_bytes(&second[9..]).await;
    peer.expect_code(id(1), 0).await;
    // A request, one with a payload, and one with a stream.
    peer.send(&request(2)).await;
    peer.ask(id(3), "ping", b"payload").await;
    peer.send(&request(4).replacen("21", "23", 1)).await;
    peer.send("70 03 010203 80").await;
    peer.ask(id(5), "ping", b"").await;
    peer.expect_silence().await;
    assert!(!connection.is_closed());
    // The handler of the first has not ended in time.
    peer.expect(&leave(Some(2), 0, 0)).await;
    peer.expect_end().await;
    drop(peer);
    let took = shutdown.await.expect("no panic");
    assert!(took >= Duration::from_secs(10), "{took:?}");
    assert_eq!(connection.stats().going_away, 4);
}

// r[verify ext.leave.course]
#[tokio::test(start_paused = true)]
async fn thousands_of_messages_that_come_too_late_are_dropped() {
    let (connection, mut peer) = greeted(waiting_handler()).await;
    peer.send(&request(0).replace("70696e67", "77616974")).await;
    settled().await;
    let shutdown = shut_down(&connection, 20);
    peer.expect(&leave(None, 0, 20_000)).await;
    peer.expect(&leave(Some(1), 0, 20_000)).await;
    for number in 1..=10_000 {
        peer.send(&request(number)).await;
    }
    peer.expect(&leave(Some(1), 0, 0)).await;
    peer.expect_end().await;
    drop(peer);
    shutdown.await.expect("no panic");
    assert_eq!(connection.stats().going_away, 10_000);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_what_is_under_way() {
    let handler = ping_handler().action("slow", |_| async {
        sleep(Duration::from_secs(7)).await;
        FastReply::ACCEPT
    });
    let (near, far) = pair(Router::new(), handler).await;
    let slow = ask(&near, "slow").await;
    settled().await;
    let shutdown = shut_down(&far, 30);
    assert_eq!(code_of(slow).await, 0);
    let took = shutdown.await.expect("no panic").as_secs();
    assert!((6..=7).contains(&took), "{took}");
}

// r[verify ext.leave.last]
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_closed_says_what_it_has_taken() {
    let (connection, mut peer) = greeted(ping_handler()).await;
    for number in 0..3 {
        peer.send(&request(number)).await;
        peer.expect_code(id(number), 0).await;
    }
    let closing = tokio::spawn(async move { connection.close().await });
    peer.expect(&leave(None, 0, 5_000)).await;
    peer.expect(&leave(Some(3), 0, 0)).await;
    peer.expect_end().await;
    drop(peer);
    closing.await.expect("no panic");
}

// r[verify ext.leave.last]
// r[verify ext.leave.reason]
#[tokio::test(start_paused = true)]
async fn the_last_leave_says_why() {
    // The peer says nothing.
    let options = Options::default().idle_timeout(Duration::from_secs(3));
    let (_connection, mut peer) = scripted(ping_handler(), options).await;
    peer.expect("F0 0F 00 0A B80B00000000 0B 307500000000")
        .await;
    let idle = "no data received from peer for 3s";
    peer.expect(&leave_with(0, 2, idle)).await;
    peer.expect_end().await;

    // It breaks the protocol.
    let (connection, mut peer) = greeted(ping_handler()).await;
    peer.send(&request(0)).await;
    peer.expect_code(id(0), 0).await;
    peer.send("F3 01 00").await;
    let ConnectionError::Protocol(violation) = connection.closed().await else {
        panic!("no violation");
    };
    peer.expect(&leave_with(1, 3, &violation.to_string())).await;
    peer.expect_end().await;

    // It exceeds a limit.
    let options = Options::default().max_useless_packets(Rate::new(2, 1));
    let (_connection, mut peer) = scripted(ping_handler(), options).await;
    peer.expect(OURS).await;
    peer.send("A0 A0 A0").await;
    let useless = LimitExceeded::UselessPackets {
        burst: 2,
        per_second: 1,
    };
    let useless = useless.to_string();
    peer.expect(&leave_with(0, 4, &useless)).await;
    peer.expect_end().await;

    // It does not show who it is.
    let router = ping_handler().into_router();
    let router = router.authorize(|_: FirstMessage| std::future::pending::<Authorization>());
    let (_connection, mut peer) = scripted(router, Options::default()).await;
    peer.expect(OURS).await;
    let late = LimitExceeded::AuthorizationTimeout(Duration::from_secs(15)).to_string();
    peer.expect(&leave_with(0, 6, &late)).await;
    peer.expect_end().await;
}

// The peer leaves.

// r[verify ext.leave.peer]
// r[verify ext.leave.done]
#[tokio::test(start_paused = true)]
async fn nothing_new_is_sent_to_a_peer_that_leaves() {
    let (connection, mut peer) = greeted(ping_handler()).await;
    let before = ask(&connection, "before").await;
    let (id_before, _) = peer.expect_message("before").await;
    assert_eq!(connection.peer_going_away(), None);
    peer.send("F0 14 02 FFFFFFFFFFFF 01 10270000 E8030000 6F6C6420")
        .await;
    peer.expect(DONE).await;
    let error = connection.send(&Draft::new("after")).await.map(drop);
    let error = error.expect_err("refused");
    assert!(matches!(error, SendError::PeerGoingAway), "{error:?}");
    let why = connection.peer_going_away().expect("it leaves");
    assert_eq!(why.reason, LeaveReason::Age);
    assert_eq!(why.grace, Duration::from_secs(10));
    assert_eq!(why.retry_after, Duration::from_secs(1));
    assert_eq!(&*why.text, "old ");
    // Answers go on in both directions.
    peer.send(&request(0)).await;
    peer.expect_code(id(0), 0).await;
    peer.reply(id_before, 7).await;
    assert_eq!(code_of(before).await, 7);
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_room_is_not_sent_to_a_peer_that_leaves() {
    let (near, far) = duplex(64);
    let mut peer = Peer::silent(far);
    peer.send(OFFER).await;
    let options = extended().max_outbox_bytes(100);
    let connection = Connection::over(near, Router::new(), options).await;
    let connection = connection.expect("connected");
    peer.expect(OFFER).await;
    peer.send(SETTINGS).await;
    let large = Draft::new("large").data().create(vec![7; 50_000]);
    let large = connection.send(large).await.expect("there is room");
    let small = Draft::new("small");
    let mut small = Box::pin(connection.send(&small));
    assert!(is_pending(&mut small).await);
    peer.send(&leave(None, 0, 0)).await;
    let error = small.await.map(drop).expect_err("not sent");
    assert!(matches!(error, SendError::PeerGoingAway), "{error:?}");
    // The first is on its way.
    peer.expect(OURS).await;
    peer.expect_message("large").await;
    peer.expect(DONE).await;
    drop(large);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_not_taken_knows_when_to_try_again() {
    let (connection, mut peer) = greeted(ping_handler()).await;
    let mut request = ask(&connection, "ask").await;
    peer.expect_message("ask").await;
    peer.send("F0 10 02 000000000000 00 00000000 E8030000")
        .await;
    let error = request.response().await.map(drop).expect_err("not taken");
    let second = Some(Duration::from_secs(1).into());
    assert_eq!(request.retry_after(), second);
    assert_eq!(error.retry_after(), second);
    let action = "ask";
    let error = CallError::<Infallible>::Request { action, error };
    assert_eq!(error.retry_after(), second);
}

// r[verify ext.leave.peer]
// r[verify ext.leave.taken]
#[tokio::test(start_paused = true)]
async fn requests_that_are_not_taken_fail_at_once() {
    let (connection, mut peer) = greeted(ping_handler()).await;
    let mut requests = Vec::new();
    for _ in 0..4 {
        requests.push(ask(&connection, "ask").await);
        peer.expect_message("ask").await;
    }
    // An answer of this side counts, too.
    let begun = Instant::now();
    peer.send(&leave(None, 0, 0)).await;
    peer.send(&leave(Some(3), 0, 0)).await;
    let error = error_of(requests.pop().expect("four")).await;
    assert!(
        matches!(error, RequestError::PeerGoingAway { .. }),
        "{error:?}"
    );
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    peer.send(&leave(Some(1), 0, 0)).await;
    for _ in 0..2 {
        let error = error_of(requests.pop().expect("more")).await;
        assert_eq!(error.outcome(), Outcome::NotExecuted);
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    peer.expect(DONE).await;
    // The first goes on, and what becomes of it is known only with its answer.
    let mut first = Box::pin(error_of(requests.pop().expect("the first")));
    assert!(is_pending(&mut first).await);
    drop(peer);
    assert_eq!(first.await.outcome(), Outcome::Unknown);
}

// r[verify ext.leave.taken]
#[tokio::test(start_paused = true)]
async fn a_request_that_was_given_up_and_is_not_taken_is_waited_for_no_longer() {
    let (connection, mut peer) = greeted(ping_handler()).await;
    let request = ask(&connection, "ask").await;
    peer.expect_message("ask").await;
    drop(request);
    // A cancel.
    peer.expect("F0 05 01 00000000").await;
    assert_eq!(connection.traffic().requests_waiting, 1);
    peer.send(&leave(Some(0), 0, 0)).await;
    peer.expect(DONE).await;
    assert_eq!(connection.traffic().requests_waiting, 0);
}

// r[verify ext.leave.taken]
#[tokio::test(start_paused = true)]
async fn the_content_of_a_request_that_is_not_taken_is_sent_no_further() {
    let (connection, mut peer) = greeted(Router::new()).await;
    let (mut writer, stream) = ByteStream::pipe(1024);
    let message = Draft::new("up").create().with_stream_from(stream);
    let request = connection.send(message).await.expect("sent");
    peer.expect("01 23 14 00 <id> 02 7570").await;
    tokio::io::AsyncWriteExt::write_all(&mut writer, b"part")
        .await
        .expect("taken");
    peer.expect("70 04 70617274").await;
    peer.send(&leave(Some(0), 0, 0)).await;
    let error = error_of(request).await;
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    // An Abort, behind Done.
    peer.expect(&format!("{DONE} 90")).await;
}

// r[verify ext.leave]
#[tokio::test(start_paused = true)]
async fn a_go_away_is_read_as_a_leave() {
    let (connection, mut peer) = greeted(Router::new()).await;
    peer.send("B0").await;
    peer.expect(DONE).await;
    let why = connection.peer_going_away().expect("it leaves");
    assert_eq!(*why, sockety::error::GoingAway::default());
    drop(peer);
    assert!(is_closed_by(&connection.closed().await, ClosedBy::Peer));
    assert!(connection.peer_going_away().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_peer_without_the_extension_that_goes_away_is_known_to() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    assert_eq!(connection.peer_going_away(), None);
    peer.send("B0").await;
    settled().await;
    let why = connection.peer_going_away().expect("it goes away");
    assert_eq!(*why, sockety::error::GoingAway::default());
    peer.expect_silence().await;
}

async fn breaks(script: &str, rule: &str) {
    let (connection, mut peer) = greeted(ping_handler()).await;
    peer.send(script).await;
    let ConnectionError::Protocol(violation) = connection.closed().await else {
        panic!("no violation: {script}");
    };
    assert_eq!(violation.rule(), rule, "{script}");
}

// r[verify ext.leave.taken]
// r[verify ext.leave.done]
#[tokio::test(start_paused = true)]
async fn a_leave_that_cannot_be_breaks_the_protocol() {
    let [none, open] = [Some(0), None].map(|taken| leave(taken, 0, 0));
    breaks(&format!("{none} {open}"), "ext.leave.taken").await;
    // There is no message yet.
    breaks(&leave(Some(1), 0, 0), "ext.leave.taken").await;
    breaks(DONE, "ext.leave.done").await;

    let (connection, mut peer) = greeted(ping_handler()).await;
    let _shutdown = shut_down(&connection, 30);
    peer.expect(&leave(None, 0, 30_000)).await;
    peer.send(&format!("{DONE} {}", request(0))).await;
    let ConnectionError::Protocol(violation) = connection.closed().await else {
        panic!("no violation");
    };
    assert_eq!(violation.rule(), "ext.leave.done");
}

#[tokio::test(start_paused = true)]
async fn the_end_says_what_the_peer_says() {
    let (connection, mut peer) = greeted(Router::new()).await;
    let request = ask(&connection, "ask").await;
    peer.expect_message("ask").await;
    peer.send(&leave_with(1, 3, "bad byte")).await;
    peer.expect(DONE).await;
    drop(peer);
    let error = error_of(request).await;
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(
        sockety::error::chain(&error).to_string(),
        "connection ended before a reply arrived: peer ended the connection: this side broke the \
         protocol: \"bad byte\""
    );
    let error = connection.closed().await;
    assert!(
        matches!(error, ConnectionError::EndedByPeer(_)),
        "{error:?}"
    );
}

// r[verify ext.leave.reason]
// r[verify ext.leave.lame-duck]
#[tokio::test(start_paused = true)]
async fn requests_go_on_with_a_lame_duck_until_it_leaves() {
    let (connection, mut peer) = greeted(ping_handler()).await;
    let request = ask(&connection, "ask").await;
    let (asked, _) = peer.expect_message("ask").await;
    peer.send(&leave(None, 8, 60_000)).await;
    settled().await;
    let why = connection.peer_going_away().expect("it said so");
    assert_eq!(
        (why.reason, why.grace.as_secs()),
        (LeaveReason::LameDuck, 60)
    );
    let new = ask(&connection, "new").await;
    let (asked_new, _) = peer.expect_message("new").await;
    peer.expect_silence().await;
    sleep(Duration::from_secs(20)).await;
    peer.reply(asked, 7).await;
    assert_eq!(code_of(request).await, 7);

    peer.send(&leave(None, 0, 10_000)).await;
    peer.expect(DONE).await;
    let error = connection.send(&Draft::new("late")).await.map(drop);
    assert!(matches!(error, Err(SendError::PeerGoingAway)), "{error:?}");
    let why = connection.peer_going_away().expect("it said so");
    assert_eq!(why.reason, LeaveReason::Shutdown);
    // There is no way back, and no second Done.
    peer.send(&leave(None, 8, 60_000)).await;
    settled().await;
    let error = connection.send(&Draft::new("late")).await.map(drop);
    assert!(matches!(error, Err(SendError::PeerGoingAway)), "{error:?}");
    peer.reply(asked_new, 8).await;
    assert_eq!(code_of(new).await, 8);
    peer.expect_silence().await;
    assert!(!connection.is_closed());
}

// r[verify ext.leave.lame-duck]
#[tokio::test(start_paused = true)]
async fn a_lame_duck_that_says_what_it_takes_has_left() {
    let (connection, mut peer) = greeted(ping_handler()).await;
    let request = ask(&connection, "ask").await;
    peer.expect_message("ask").await;
    peer.send(&leave(Some(0), 8, 60_000)).await;
    peer.expect(DONE).await;
    assert_eq!(error_of(request).await.outcome(), Outcome::NotExecuted);
    let error = connection.send(&Draft::new("new")).await.map(drop);
    assert!(matches!(error, Err(SendError::PeerGoingAway)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn t_e13_a_leave_that_lies_is_believed_and_hurts_nobody_else() {
    let (connection, mut peer) = greeted(ping_handler()).await;
    let calls = [ask(&connection, "ask").await, ask(&connection, "ask").await];
    let (asked, _) = peer.expect_message("ask").await;
    peer.expect_message("ask").await;
    peer.send(&leave(Some(0), 0, 0)).await;
    for request in calls {
        assert_eq!(error_of(request).await.outcome(), Outcome::NotExecuted);
    }
    peer.expect(DONE).await;
    // It was executed, and nobody waits for its answer.
    peer.reply(asked, 0).await;
    peer.send(&request(0)).await;
    peer.expect_code(id(0), 0).await;
    assert_eq!(connection.stats().late_replies, 1);
}

#[tokio::test(start_paused = true)]
async fn t_e14_after_a_leave_and_silence_all_clocks_go_on() {
    let (connection, mut peer) = greeted(ping_handler()).await;
    let begun = Instant::now();
    let request = ask(&connection, "ask").await;
    peer.expect_message("ask").await;
    // For 49 days, as a lame duck.
    peer.send(&leave(None, 8, u32::MAX)).await;
    let error = error_of(request).await;
    assert!(matches!(error, RequestError::TimedOut { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(32));
    let error = connection.closed().await;
    assert!(matches!(error, ConnectionError::Idle(_)), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(100));
}

#[tokio::test(start_paused = true)]
async fn t_e15_nothing_waits_as_long_as_a_leave_asks_for() {
    let (connection, mut peer) = greeted(ping_handler()).await;
    peer.send("F0 10 02 FFFFFFFFFFFF 05 00000000 FFFFFFFF")
        .await;
    peer.expect(DONE).await;
    let why = connection.peer_going_away().expect("it leaves");
    assert_eq!(why.retry_after, Duration::from_millis(u32::MAX.into()));
    let begun = Instant::now();
    drop(peer);
    let error = connection.closed().await;
    assert!(
        matches!(error, ConnectionError::EndedByPeer(_)),
        "{error:?}"
    );
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

// Both leave.

// r[verify ext.leave.both]
#[tokio::test(start_paused = true)]
async fn both_sides_may_leave_at_once() {
    let slow = || {
        MessageHandler::new().action("slow", |_| async {
            sleep(Duration::from_secs(3)).await;
            FastReply::ACCEPT
        })
    };
    let (near, far) = pair(slow(), slow()).await;
    let requests = [ask(&near, "slow").await, ask(&far, "slow").await];
    let ends = [shut_down(&near, 30), shut_down(&far, 30)];
    for request in requests {
        assert_eq!(code_of(request).await, 0);
    }
    for end in ends {
        let took = end.await.expect("no panic").as_secs();
        assert!((3..=5).contains(&took), "{took}");
    }

    let (connection, mut peer) = greeted(ping_handler()).await;
    let _shutdown = shut_down(&connection, 30);
    peer.send(&leave(None, 0, 30_000)).await;
    peer.expect(&leave(None, 0, 30_000)).await;
    peer.expect(DONE).await;
    peer.send(DONE).await;
    peer.expect(&leave(Some(0), 0, 0)).await;
    peer.expect_end().await;
}

// A server.

// r[verify ext.leave.reason]
#[tokio::test]
async fn a_server_says_that_a_connection_is_old() {
    let server = sockety::Server::bind("127.0.0.1:0").await.expect("bound");
    let server = server
        .options(extended())
        .max_connection_age(Duration::from_millis(50), Duration::from_secs(5));
    let server = Running::of(server, ping_handler());
    let client = sockety::connect(server.address).options(extended());
    let client = client.await.expect("connected");
    timeout(Duration::from_secs(60), client.closed())
        .await
        .expect("it ends");
    let why = client.peer_going_away().expect("the server said so");
    assert_eq!(why.reason, LeaveReason::Age);
    server.stop().await;
}

// Pings.

// r[verify ext.ping]
#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_and_of_several_the_newest() {
    let (connection, mut peer) = greeted(ping_handler()).await;
    peer.send("F0 09 04 0102030405060708").await;
    peer.expect("F0 09 05 0102030405060708").await;
    peer.send("F0 09 04 0000000000000001 F0 09 04 0000000000000002")
        .await;
    peer.send(&request(0)).await;
    peer.send("F0 09 04 0000000000000003").await;
    let answers = peer.take(18 + 11).await;
    assert!(hex(answers).contains("f009050000000000000003"));
    peer.expect_silence().await;
    assert!(!connection.is_closed());
}

// r[verify ext.ping]
#[tokio::test(start_paused = true)]
async fn t_e4_a_flood_of_pings_is_answered_in_constant_memory_until_it_is_too_much() {
    let (connection, mut peer) = greeted(ping_handler()).await;
    // 16 of them, and 128 useless packets.
    let flood = "F0 09 04 0000000000000001".repeat(144);
    peer.send(&flood).await;
    settled().await;
    assert!(!connection.is_closed());
    peer.expect("F0 09 05 0000000000000001").await;
    peer.send("F0 09 04 0000000000000002").await;
    let error = connection.closed().await;
    assert!(
        matches!(
            error,
            ConnectionError::Limit(LimitExceeded::UselessPackets { .. })
        ),
        "{error:?}"
    );
    // An honest one may send one ping after another.
    let (connection, mut peer) = greeted(ping_handler()).await;
    for _ in 0..200 {
        peer.send("F0 09 04 0000000000000001").await;
        peer.expect("F0 09 05 0000000000000001").await;
        sleep(Duration::from_millis(100)).await;
    }
    assert!(!connection.is_closed());
}

// r[verify ext.ping]
// r[verify ext.ping.use]
#[tokio::test(start_paused = true)]
async fn callers_share_a_ping() {
    let (connection, mut peer) = greeted(Router::new()).await;
    let mut first = Box::pin(connection.round_trip());
    assert!(is_pending(&mut first).await);
    let one = peer.take(11).await;
    assert!(hex(&one).starts_with("f00904"), "{}", hex(&one));
    let mut second = Box::pin(connection.round_trip());
    assert!(is_pending(&mut second).await);
    peer.expect_silence().await;
    sleep(Duration::from_millis(20)).await;
    // One that gives up takes nothing from the other.
    drop(first);
    let pong = |ping: &[u8]| format!("F0 09 05 {}", hex(&ping[3..]));
    peer.send(&pong(&one)).await;
    let took = second.await.expect("answered");
    assert_eq!(took.as_millis(), 21);
    // The next is another ping.
    let mut third = Box::pin(connection.round_trip());
    assert!(is_pending(&mut third).await);
    let other = peer.take(11).await;
    assert_ne!(one, other);
    // An answer to none has no effect.
    peer.send(&pong(&one)).await;
    settled().await;
    assert!(is_pending(&mut third).await);
    peer.send(&pong(&other)).await;
    assert_eq!(third.await.expect("answered").as_millis(), 1);
}

#[tokio::test(start_paused = true)]
async fn t_e4_leaves_and_unknown_controls_are_useless_packets() {
    for packet in [&leave(None, 0, 0), "F0 01 07"] {
        let (connection, mut peer) = greeted(ping_handler()).await;
        // The first Leave is none.
        peer.send(&leave(None, 0, 0)).await;
        peer.send(&packet.repeat(128)).await;
        settled().await;
        assert!(!connection.is_closed(), "{packet}");
        peer.expect(DONE).await;
        peer.send(packet).await;
        let error = connection.closed().await;
        assert!(
            matches!(
                error,
                ConnectionError::Limit(LimitExceeded::UselessPackets { .. })
            ),
            "{error:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_round_trip_needs_a_peer_that_answers() {
    let (near, far) = pair(Router::new(), Router::new()).await;
    for connection in [&near, &far] {
        assert_eq!(
            connection.round_trip().await.expect("answered"),
            Duration::ZERO
        );
    }
    far.close().await;
    let error = near.round_trip().await.expect_err("closed");
    assert!(
        matches!(error, RoundTripError::Disconnected { .. }),
        "{error:?}"
    );

    let (connection, mut peer) = greeted(Router::new()).await;
    let mut waiting = Box::pin(connection.round_trip());
    assert!(is_pending(&mut waiting).await);
    peer.take(11).await;
    drop(peer);
    let error = waiting.await.expect_err("gone");
    assert!(
        matches!(error, RoundTripError::Disconnected { .. }),
        "{error:?}"
    );

    let (connection, _peer) = dialogue(Router::new()).await;
    let error = connection.round_trip().await.expect_err("no extension");
    assert!(matches!(error, RoundTripError::NotSupported), "{error:?}");
}

// r[verify ext.settings.advisory]
#[tokio::test(start_paused = true)]
async fn what_the_peer_says_that_it_does_not_accept_is_not_sent() {
    let (near, far) = duplex(PIPE);
    let mut peer = Peer::silent(far);
    peer.send(OFFER).await;
    let connection = Connection::over(near, ping_handler(), extended()).await;
    let connection = connection.expect("connected");
    peer.expect(OFFER).await;
    peer.expect(OURS).await;
    // 100 bytes of a payload, 2 files, 8 bytes of an action, 60 bytes of a header.
    peer.send("F0 1D 00 05 640000000000 06 020000000000 07 080000000000 08 3C0000000000")
        .await;
    settled().await;
    let files = |names: &[&str]| {
        let file = |name: &&str| File::from_bytes(String::from(*name), "x");
        let files: Vec<_> = names.iter().map(file).collect();
        Draft::new("files").with_files(files).create()
    };
    let payload = |size| Draft::new("payload").data().create(vec![7_u8; size]);
    // All of a header but the name of its only file.
    let header = [FileHeader::new("", 1)];
    let head =
        MessageHead::new(id(0), "files").with_files(FilesSummary::of(&header).expect("small"));
    let rest = Encoder::header_size(head, &header).expect("a header") as usize;
    let name = "n".repeat(61 - rest);
    for (message, expected) in [
        (
            payload(101),
            "payload of 101 bytes is over the limit of 100",
        ),
        (
            Draft::new("nine char").create(),
            "action of 9 bytes is over the limit of the peer, 8",
        ),
        (
            files(&["a", "b", "c"]),
            "3 files are over the limit of the peer, 2",
        ),
        (
            files(&[&name]),
            "header of 61 bytes is over the limit of the peer, 60",
        ),
    ] {
        let error = connection.send(message).await.map(drop);
        assert_eq!(error.expect_err("too large").to_string(), expected);
    }
    let drafts = [payload(1), payload(101)];
    let error = connection.pass_all(drafts).await.expect_err("too large");
    let expected = "payload of 101 bytes is over the limit of 100";
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.outcome(), Outcome::NotSent);
    peer.expect_silence().await;
    // What is as large as may be.
    let _sent = connection
        .send(files(&[&name[1..]]))
        .await
        .expect("small enough");
    assert_eq!(peer.take(3).await[2], 60);
    let _sent = connection.send(payload(100)).await.expect("small enough");
}

// r[verify ext.ping.use]
#[tokio::test(start_paused = true)]
async fn heartbeats_come_three_times_as_often_as_the_peer_needs_them() {
    let (near, far) = duplex(PIPE);
    let mut peer = Peer::silent(far);
    peer.send(OFFER).await;
    let connection = Connection::over(near, ping_handler(), extended()).await;
    let _connection = connection.expect("connected");
    peer.expect(OFFER).await;
    peer.expect(OURS).await;
    // It takes this side for dead after 9 s.
    peer.send("F0 08 00 0A 282300000000").await;
    for _ in 0..10 {
        let begun = Instant::now();
        peer.expect("A0").await;
        let passed = begun.elapsed();
        assert!(passed < Duration::from_secs(9), "{passed:?}");
    }
}

// r[verify ext.ping.use]
#[tokio::test(start_paused = true)]
async fn a_peer_that_allows_a_second_of_silence_gets_three_heartbeats_in_it() {
    // It allows 1,000 ms, 2,999 ms.
    for (limit, third) in [("E80300000000", 333), ("B70B00000000", 999)] {
        let (near, far) = duplex(PIPE);
        let mut peer = Peer::silent(far);
        peer.send(OFFER).await;
        let options = extended().idle_timeout(Some(Duration::from_secs(20)));
        let connection = Connection::over(near, ping_handler(), options).await;
        let connection = connection.expect("connected");
        peer.expect(OFFER).await;
        peer.expect("F0 0F 00 0A 204E00000000 0B 307500000000")
            .await;
        let begun = Instant::now();
        peer.send(&format!("F0 08 00 0A {limit}")).await;
        let third = Duration::from_millis(third);
        // Timers have whole milliseconds.
        let late = Duration::from_millis(2);
        for _ in 0..5 {
            let begun = Instant::now();
            peer.expect("A0").await;
            assert!(begun.elapsed() <= third + late, "{:?}", begun.elapsed());
        }
        // While a call waits as well, of which seconds are counted.
        let call = Draft::new("call");
        let mut request = connection.send(&call).await.expect("sent");
        // A first byte, size and flags, the id, and the action.
        peer.take(3 + 16 + 5).await;
        for _ in 0..5 {
            let begun = Instant::now();
            peer.expect("A0").await;
            assert!(begun.elapsed() <= third + late, "{:?}", begun.elapsed());
        }
        // Those seconds still pass: the peer itself is silent for longer than this side allows.
        request.response().await.expect_err("no answer");
        let error = connection.closed().await;
        assert!(matches!(error, ConnectionError::Idle(_)), "{error}");
        let passed = begun.elapsed().as_secs();
        assert!((20..=25).contains(&passed), "{passed} s");
    }
}

// Aborts.

// r[verify ext.abort.free]
#[tokio::test(start_paused = true)]
async fn a_channel_is_free_again_right_after_an_abort() {
    let few = Limits::default().max_channels(ChannelCount::new(16).expect("a count"));
    let options = || {
        let options = extended().limits(few);
        options.max_aborted_messages(Rate::UNLIMITED)
    };
    let here = (Router::new(), options());
    let (near, far) = pair_with(here, (waiting_handler(), options()), PIPE).await;
    for round in 0..100_000 {
        let (writer, stream) = ByteStream::pipe(1);
        let message = Draft::new("wait").create().with_stream_from(stream);
        let request = near.send(message).await.expect("a channel");
        drop((writer, request));
        if round % 1_000 == 0 {
            // What it holds of them does not grow.
            settled().await;
        }
    }
    settled().await;
    assert!(!near.is_closed() && !far.is_closed());
    assert_eq!(near.traffic().streams, 0);
}

// Outcomes.

/// The number of a call, which is its payload.
fn number_of(message: &Message) -> u32 {
    let payload = message.payload();
    u32::from_le_bytes(payload[..4].try_into().expect("a number"))
}

/// Which calls began, of both sides.
type Begun = Arc<Mutex<BTreeSet<u32>>>;

/// Answers `work`, which takes up to so many milliseconds.
fn worker(begun: &Begun, longest: u64) -> MessageHandler {
    let begun = Arc::clone(begun);
    MessageHandler::new().action("work", move |message: Message| {
        let number = number_of(&message);
        let is_new = begun.lock().expect("no panic").insert(number);
        assert!(is_new, "call {number} began twice");
        async move {
            match u64::from(number) * 7_919 % (longest + 1) {
                0 => {}
                millis => sleep(Duration::from_millis(millis)).await,
            }
            FastReply::ACCEPT
        }
    })
}

async fn call(connection: &Connection, number: u32, size: usize) -> Outcome {
    let mut payload = number.to_le_bytes().to_vec();
    payload.resize(4 + size, 0);
    let message = Draft::new("work").data().create(payload);
    let mut request = match connection.send(message).await {
        Ok(request) => request,
        Err(_) => return Outcome::NotSent,
    };
    match request.response().await {
        Ok(reply) => reply.code().map_or(Outcome::Replied, FastReply::outcome),
        Err(error) => error.outcome(),
    }
}

/// Numbers that look random, and are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// How a side ends the connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Shutdown(u64),
    Close,
    Stays,
}

/// Two sides that call each other and leave at random moments. Returns the outcomes of all calls, and
/// whether each began.
async fn both_leave(seed: u64, endings: [Ending; 2], longest: u64) -> Vec<(u32, Outcome, bool)> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let begun = Begun::default();
    let faults = |random: &mut Random| {
        // The slowest carries 25,000 bytes a second.
        let links = [(200, 0), (200, 1), (1_000, 40), (65_536, 300)];
        let (capacity, delay) = links[random.below(4) as usize];
        let delay = Duration::from_millis(delay);
        let at_most = [17, 1_000, 100_000][random.below(3) as usize];
        Faults::new()
            .capacity(capacity)
            .delay(delay)
            .read_at_most(at_most)
    };
    let (near, far) = link(faults(&mut random), faults(&mut random));
    let serve = || worker(&begun, longest);
    let options = || extended().max_requests_executing(8);
    let (near, far) = pair_over(near, far, (serve(), options()), (serve(), options())).await;
    let mut calls = Vec::new();
    for number in 0..60 {
        let connection = [&near, &far][random.below(2) as usize].clone();
        let at = Duration::from_millis(random.below(3_000));
        let size = [0, 10, 300, 5_000][random.below(4) as usize];
        calls.push(tokio::spawn(async move {
            sleep(at).await;
            (number, call(&connection, number, size).await)
        }));
    }
    let mut ends = Vec::new();
    for (connection, ending) in [near, far].into_iter().zip(endings) {
        let at = Duration::from_millis(random.below(3_000));
        ends.push(tokio::spawn(async move {
            sleep(at).await;
            match ending {
                Ending::Shutdown(millis) => {
                    connection.shutdown(Duration::from_millis(millis)).await
                }
                Ending::Close => connection.close().await,
                Ending::Stays => drop(connection.closed().await),
            }
        }));
    }
    let mut outcomes = Vec::new();
    for ended in calls {
        let (number, outcome) = ended.await.expect("no panic");
        outcomes.push((number, outcome));
    }
    for end in ends {
        end.await.expect("no panic");
    }
    // A handler that went on after the end has begun before.
    let begun = begun.lock().expect("no panic");
    let began = |(number, outcome)| (number, outcome, begun.contains(&number));
    outcomes.into_iter().map(began).collect()
}

fn assert_is_true(number: u32, outcome: Outcome, began: bool, what: &str) {
    let is_true = match outcome {
        Outcome::NotSent | Outcome::NotExecuted => !began,
        Outcome::Unknown => true,
        Outcome::Executed | Outcome::Replied => began,
    };
    assert!(
        is_true,
        "{what}: call {number} is {outcome:?}, and began: {began}"
    );
}

// r[verify ext.leave.both]
// r[verify ext.leave.taken]
#[tokio::test(start_paused = true)]
async fn outcomes_are_true_whoever_leaves_at_any_moment() {
    use Ending::{Close, Shutdown, Stays};
    let mut seen = [0; 5];
    for seed in 0..300 {
        let endings = match seed % 6 {
            0 => [Shutdown(30_000), Shutdown(30_000)],
            1 => [Shutdown(30_000), Stays],
            2 => [Shutdown(300), Shutdown(30_000)],
            3 => [Close, Stays],
            4 => [Close, Shutdown(1_000)],
            _ => [Close, Close],
        };
        let what = format!("seed {seed}, {endings:?}");
        // Some take longer than an end waits for them.
        let longest = [900, 8_000][seed as usize / 6 % 2];
        for (number, outcome, began) in both_leave(seed, endings, longest).await {
            assert_is_true(number, outcome, began, &what);
            seen[outcome as usize] += 1;
        }
    }
    println!("NotSent, NotExecuted, Unknown, Executed, Replied: {seen:?}");
    assert!(seen[0] > 0 && seen[1] > 0 && seen[4] > 0, "{seen:?}");
}

// r[verify ext.leave.course]
#[tokio::test(start_paused = true)]
async fn nothing_is_unknown_after_a_shutdown_that_had_the_time() {
    use Ending::{Shutdown, Stays};
    for seed in 1_000..1_200 {
        let endings = match seed % 3 {
            0 => [Shutdown(60_000), Shutdown(60_000)],
            1 => [Shutdown(60_000), Stays],
            _ => [Stays, Shutdown(60_000)],
        };
        let what = format!("seed {seed}, {endings:?}");
        for (number, outcome, began) in both_leave(seed, endings, 2_000).await {
            assert_is_true(number, outcome, began, &what);
            assert_ne!(outcome, Outcome::Unknown, "{what}: call {number}");
        }
    }
}

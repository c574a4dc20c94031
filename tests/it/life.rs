//! The life of a connection: heartbeats, timeouts, and shutdowns that wait for what was accepted.

use std::time::Duration;

use sockety::{
    Connection, Options, Outcome, Router, Server,
    error::{ClosedBy, ConnectionError, ReadError, SendError},
    message::Draft,
    serve::MessageHandler,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use crate::streams::{Asks, head, read_error};
use crate::support::{
    PIPE, Peer, answers_ping, code_of, dialogue, dialogue_with, id, is_closed_by, pair_serving,
    ping_handler, settled, tasks, tasks_are_back_to, waiting_handler,
};

const SECOND: Duration = Duration::from_secs(1);

/// The code of a message that came too late.
const GOING_AWAY: u16 = 3841;

fn check_between(from: u64, elapsed: Duration, to: u64) {
    assert!((from..=to).contains(&elapsed.as_secs()), "{elapsed:?}");
}

/// Answers `slow` with code 0 after this time, and `ping` at once.
fn slow_handler(pause: Duration) -> MessageHandler {
    ping_handler().action("slow", move |_| async move {
        sleep(pause).await;
        sockety::FastReply::ACCEPT
    })
}

// Signs of life.

#[tokio::test(start_paused = true)]
async fn a_quiet_connection_sends_heartbeats() {
    let options = Options::default().idle_timeout(None);
    let (_connection, mut peer) = dialogue_with(Router::new(), options, PIPE).await;
    for _ in 0..5 {
        let begin = Instant::now();
        peer.expect("A0").await;
        check_between(20, begin.elapsed(), 25);
    }
}

#[tokio::test(start_paused = true)]
async fn who_writes_something_else_sends_no_heartbeat() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    for _ in 0..20 {
        sleep(10 * SECOND).await;
        connection.pass(&Draft::new("tick")).await.expect("sent");
        peer.expect_message("tick").await;
        peer.send("A0").await;
    }
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn two_quiet_connections_keep_each_other() {
    let (near, far) = pair_serving(ping_handler()).await;
    sleep(24 * 3600 * SECOND).await;
    assert!(!near.is_closed() && !far.is_closed());
    let stats = near.stats();
    assert!(stats.heartbeats > 3000, "{stats:?}");
    assert_eq!(near.stats().exceeded_limits, 0);
}

#[tokio::test(start_paused = true)]
async fn t_s4_a_peer_that_shows_no_sign_of_life_is_given_up() {
    let baseline = tasks();
    let (connection, peer) = dialogue(Router::new()).await;
    let begin = Instant::now();
    let error = connection.closed().await;
    check_between(90, begin.elapsed(), 96);
    let idle = 90 * SECOND;
    assert!(matches!(error, ConnectionError::Idle(limit) if limit == idle));
    assert_eq!(connection.stats().timed_out_connections, 1);
    drop(peer);
    tasks_are_back_to(baseline).await;
}

#[tokio::test(start_paused = true)]
async fn t_s8_a_call_that_waits_does_not_hide_that_its_peer_is_gone() {
    let options = Options::default().call_timeout(None);
    let (connection, _peer) = dialogue_with(Router::new(), options, PIPE).await;
    let mut request = connection.send(&Draft::new("wait")).await.expect("sent");
    let begin = Instant::now();
    let error = request.response().await.expect_err("no reply");
    check_between(90, begin.elapsed(), 96);
    assert_eq!(error.outcome(), Outcome::Unknown);
}

#[tokio::test(start_paused = true)]
async fn t_s7_the_bytes_of_one_long_packet_are_signs_of_life() {
    let (connection, mut peer) = dialogue(waiting_handler()).await;
    peer.send_bytes(&head(id(1), "wait", Asks::Nothing, 1000, false, &[]))
        .await;
    peer.send("E4 E8 03").await;
    for _ in 0..50 {
        sleep(50 * SECOND).await;
        peer.send("00").await;
    }
    assert!(!connection.is_closed());
}

// Clocks of what arrives.

#[tokio::test(start_paused = true)]
async fn t_s2_a_payload_that_stops_coming_is_given_up_and_the_connection_goes_on() {
    let (connection, mut peer) = dialogue(waiting_handler()).await;
    peer.send_bytes(&head(id(1), "wait", Asks::Reply, 100, false, &[]))
        .await;
    peer.send("E0 01 00 00").await;
    let begin = Instant::now();
    for _ in 0..3 {
        sleep(19 * SECOND).await;
        peer.send("A0").await;
    }
    peer.expect_code(id(1), 4).await;
    check_between(59, begin.elapsed(), 63);
    assert_eq!(connection.stats().stalled_messages, 1);
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn t_s2_a_file_that_stops_coming_fails_where_it_is_read() {
    let (sender, receiver) = oneshot::channel();
    let sender = std::sync::Mutex::new(Some(sender));
    let handler = ping_handler().action("file", move |message: sockety::serve::Message| {
        let sender = sender.lock().expect("no panic").take();
        async move {
            let mut file = message.take_files().pop().expect("a file");
            let error = loop {
                match file.next_chunk().await {
                    Ok(chunk) => assert!(chunk.is_some(), "the end of what is not whole"),
                    Err(error) => break error,
                }
            };
            let sender = sender.expect("one message");
            sender.send(error).expect("a listener");
        }
    });
    let options = Options::default().idle_timeout(None);
    let (_connection, mut peer) = dialogue_with(handler, options, PIPE).await;
    peer.send_bytes(&head(id(1), "file", Asks::Nothing, 0, false, &[5]))
        .await;
    peer.send("C0 02 68 69").await;
    let error = receiver.await.expect("an error");
    assert!(
        matches!(read_error(&error), ReadError::Stalled(_)),
        "{error:?}"
    );
    peer.send("00").await;
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_be_silent_as_long_as_it_likes() {
    let options = Options::default().idle_timeout(None);
    let (_connection, mut peer) = dialogue_with(crate::streams::collecting(), options, PIPE).await;
    peer.send_bytes(&head(id(1), "collect", Asks::Reply, 0, true, &[]))
        .await;
    sleep(3600 * SECOND).await;
    peer.send("70 02 68 69 80").await;
    let payload = loop {
        match peer.next().await.expect("a response") {
            crate::support::Received::Response { payload, .. } => break payload,
            other => assert_eq!(other, crate::support::Received::Heartbeat),
        }
    };
    assert_eq!(payload, b"hi");
}

// Shutting a connection down.

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_what_was_accepted() {
    let baseline = tasks();
    let (near, far) = pair_serving(slow_handler(10 * SECOND)).await;
    let slow = near.send(&Draft::new("slow")).await.expect("sent");
    settled().await;
    let begin = Instant::now();
    let shutdown = tokio::spawn({
        let far = far.clone();
        async move { far.shutdown(30 * SECOND).await }
    });
    settled().await;
    let error = near.send(&Draft::new("ping")).await.expect_err("refused");
    assert!(matches!(error, SendError::PeerGoingAway), "{error:?}");
    assert_eq!(code_of(slow).await, 0);
    shutdown.await.expect("no panic");
    check_between(9, begin.elapsed(), 12);
    assert!(is_closed_by(&far.closed().await, ClosedBy::Local));
    assert!(is_closed_by(&near.closed().await, ClosedBy::Peer));
    tasks_are_back_to(baseline).await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_without_work_ends_when_the_peer_could_have_heard_of_it() {
    // With the extension, the peer says when it has.
    let base = crate::support::base;
    let far = (ping_handler(), base());
    let (near, far) = crate::support::pair_with((Router::new(), base()), far, PIPE).await;
    let begin = Instant::now();
    far.shutdown(30 * SECOND).await;
    check_between(2, begin.elapsed(), 4);
    assert!(is_closed_by(&near.closed().await, ClosedBy::Peer));
}

#[tokio::test(start_paused = true)]
async fn t_r10_a_message_that_crosses_the_goodbye_is_executed_and_a_later_one_is_not() {
    let (connection, mut peer) = dialogue(slow_handler(10 * SECOND)).await;
    peer.ask(id(1), "slow", b"").await;
    settled().await;
    let shutdown = tokio::spawn({
        let connection = connection.clone();
        async move { connection.shutdown(30 * SECOND).await }
    });
    peer.expect("B0").await;
    sleep(SECOND).await;
    answers_ping(&mut peer).await;
    sleep(3 * SECOND).await;
    peer.ask(id(2), "ping", b"").await;
    peer.expect_code(id(2), GOING_AWAY).await;
    peer.expect_code(id(1), 0).await;
    peer.expect_end().await;
    drop(peer);
    shutdown.await.expect("no panic");
    assert_eq!(connection.stats().going_away, 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_learns_that_a_late_call_was_not_executed() {
    let error = sockety::CallError::<sockety::error::NoError>::Refused {
        action: "late",
        code: sockety::FastReply::new(GOING_AWAY).expect("a code"),
        reason: None,
        retry_after: None,
    };
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    assert!(error.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn handlers_may_call_the_peer_during_a_shutdown() {
    let handler =
        MessageHandler::new().action("ask back", |message: sockety::serve::Message| async move {
            sleep(5 * SECOND).await;
            let request = message.connection().send(&Draft::new("ping")).await?;
            assert_eq!(code_of(request).await, 0);
            Ok::<_, sockety::serve::BoxError>(sockety::FastReply::ACCEPT)
        });
    let (near, far) = sockety::pair(ping_handler(), handler).await.expect("two");
    let request = near.send(&Draft::new("ask back")).await.expect("sent");
    settled().await;
    tokio::join!(far.shutdown(30 * SECOND), async {
        assert_eq!(code_of(request).await, 0);
    });
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_in_time_whatever_runs() {
    let (near, far) = pair_serving(waiting_handler()).await;
    let mut request = near.send(&Draft::new("wait")).await.expect("sent");
    settled().await;
    let begin = Instant::now();
    far.shutdown(7 * SECOND).await;
    check_between(7, begin.elapsed(), 9);
    let error = request.response().await.expect_err("no reply");
    assert_eq!(error.outcome(), Outcome::Unknown);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_a_payload_that_is_arriving() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    peer.send_bytes(&head(id(1), "ping", Asks::Reply, 3, false, &[]))
        .await;
    settled().await;
    let shutdown = tokio::spawn(async move { connection.shutdown(30 * SECOND).await });
    sleep(8 * SECOND).await;
    peer.send("E0 03 01 02 03").await;
    peer.expect("B0").await;
    peer.expect_code(id(1), 0).await;
    peer.expect_end().await;
    drop(peer);
    shutdown.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_leaves_during_a_shutdown_ends_it() {
    let (near, far) = pair_serving(waiting_handler()).await;
    let mut waiting = far.send(&Draft::new("nobody")).await.expect("sent");
    let shutdown = far.shutdown(30 * SECOND);
    let begin = Instant::now();
    tokio::join!(shutdown, near.close());
    check_between(0, begin.elapsed(), 6);
    let _ = waiting.response().await;
}

// Shutting a server down.

async fn tcp_pair(handler: MessageHandler) -> (Connection, sockety::server::ServerHandle) {
    let server = Server::bind("127.0.0.1:0").await.expect("a port");
    let (address, handle) = (server.local_addr().expect("bound"), server.handle());
    tokio::spawn(server.serve(handler));
    let client = sockety::connect(address).await.expect("connected");
    (client, handle)
}

#[tokio::test]
async fn a_server_shuts_down_without_losing_an_accepted_call() {
    let (go, gone) = oneshot::channel::<()>();
    let gone = std::sync::Mutex::new(Some(gone));
    let handler = ping_handler().action("held", move |_| {
        let gone = gone.lock().expect("no panic").take();
        async move {
            gone.expect("one message").await.expect("told");
            sockety::FastReply::ACCEPT
        }
    });
    let (client, handle) = tcp_pair(handler).await;
    let held = client.send(&Draft::new("held")).await.expect("sent");
    assert_eq!(
        code_of(client.send(&Draft::new("ping")).await.expect("sent")).await,
        0
    );
    let shutdown = tokio::spawn({
        let handle = handle.clone();
        async move { handle.shutdown(30 * SECOND).await }
    });
    loop {
        match client.send(&Draft::new("ping")).await {
            Ok(request) => assert_eq!(code_of(request).await, 0),
            Err(error) => break assert!(matches!(error, SendError::PeerGoingAway)),
        }
    }
    go.send(()).expect("held");
    assert_eq!(code_of(held).await, 0);
    shutdown.await.expect("no panic");
    let stats = handle.stats();
    assert_eq!((stats.accepted, stats.connections), (1, 0));
    assert!(is_closed_by(&client.closed().await, ClosedBy::Peer));
}

#[tokio::test]
async fn the_statistics_of_a_server_are_those_of_all_its_connections() {
    let server = Server::bind("127.0.0.1:0").await.expect("a port");
    let (address, handle) = (server.local_addr().expect("bound"), server.handle());
    tokio::spawn(server.serve(ping_handler()));
    for _ in 0..2 {
        let client = sockety::connect(address).await.expect("connected");
        let request = client.send(&Draft::new("unknown")).await.expect("sent");
        assert_eq!(code_of(request).await, 2);
    }
    let mut peer = Peer::greeted(tokio::net::TcpStream::connect(address).await.expect("up")).await;
    peer.send("F0").await;
    peer.expect("B0").await;
    peer.expect_end().await;
    let stats = handle.stats();
    assert_eq!((stats.accepted, stats.peers.not_implemented), (3, 2));
    assert_eq!(stats.peers.violations, 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_without_end_waits_for_its_work() {
    // With the extension, deadlines end handlers.
    let here = (Router::new(), Options::default());
    let there = (slow_handler(1000 * SECOND), crate::support::base());
    let (near, far) = crate::support::pair_with(here, there, PIPE).await;
    let options = Draft::new("slow");
    let slow = near.send(&options).await.expect("sent");
    settled().await;
    tokio::join!(far.shutdown(Duration::MAX), async {
        // The caller times out after 30 s, the handler goes on.
        let mut slow = slow;
        slow.response().await.expect_err("no reply in time");
    });
    assert!(is_closed_by(&near.closed().await, ClosedBy::Peer));
}

#[tokio::test(start_paused = true)]
async fn heartbeats_go_on_during_a_shutdown() {
    let (connection, mut peer) = dialogue(slow_handler(80 * SECOND)).await;
    peer.ask(id(1), "slow", b"").await;
    settled().await;
    let shutdown = tokio::spawn(async move { connection.shutdown(300 * SECOND).await });
    peer.expect("B0 A0").await;
    peer.expect_code(id(1), 0).await;
    drop(peer);
    shutdown.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_half_closes_during_a_shutdown_gets_its_reply() {
    let (connection, mut peer) = dialogue(slow_handler(10 * SECOND)).await;
    peer.ask(id(1), "slow", b"").await;
    settled().await;
    let shutdown = tokio::spawn(async move { connection.shutdown(60 * SECOND).await });
    sleep(8 * SECOND).await;
    peer.finish().await;
    peer.expect("B0").await;
    peer.expect_code(id(1), 0).await;
    peer.expect_end().await;
    drop(peer);
    shutdown.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn callers_that_wait_for_room_learn_at_once_that_the_peer_goes_away() {
    let options = Options::default().max_outbox_bytes(100);
    let (connection, mut peer) = dialogue_with(Router::new(), options, 64).await;
    let filler = Draft::new("filler").data().create(vec![7; 1000]);
    let _filler = connection.send(filler).await.expect("accepted");
    let waiting = tokio::spawn({
        let connection = connection.clone();
        async move { connection.send(&Draft::new("late")).await.map(drop) }
    });
    settled().await;
    peer.send("B0").await;
    let error = waiting.await.expect("no panic").expect_err("refused");
    assert!(matches!(error, SendError::PeerGoingAway), "{error:?}");
}

/// Hangs are what this finds: nothing else ends it in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_never_stops_sending_does_not_stop_the_clocks() {
    let server = Server::bind("127.0.0.1:0").await.expect("a port");
    let (address, handle) = (server.local_addr().expect("bound"), server.handle());
    let serving = tokio::spawn(server.serve(ping_handler()));
    let socket = tokio::net::TcpStream::connect(address).await.expect("up");
    let mut peer = Peer::greeted(socket).await;
    let messages = crate::support::message(id(1), "tick", false, b"").repeat(1000);
    let flood = tokio::spawn(async move { while peer.try_send_bytes(&messages).await {} });
    while handle.stats().peers.not_implemented < 10_000 {
        tokio::task::yield_now().await;
    }
    handle.shutdown(3 * SECOND).await;
    serving.await.expect("no panic").expect("served");
    flood.await.expect("no panic");
}

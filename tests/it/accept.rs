//! How a server lets peers in.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sockety::{
    Options, Router, Server,
    error::{ClosedBy, ConnectProblem},
    message::Draft,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::{
    HEADER, Log, OFFER, Peer, Running, answers_ping, is_closed_by, ping, ping_handler, tasks,
    tasks_are_back_to,
};

async fn bound() -> Server {
    Server::bind("127.0.0.1:0").await.expect("bound")
}

async fn silent(running: &Running) -> Peer {
    let stream = TcpStream::connect(running.address).await;
    Peer::silent(stream.expect("connected"))
}

#[tokio::test]
async fn t_h2_only_so_many_handshakes_run_at_a_time() {
    let running = Running::of(bound().await.max_handshakes(2), ping_handler());
    let mut first = silent(&running).await;
    let mut second = silent(&running).await;
    first.expect(OFFER).await;
    second.expect(OFFER).await;
    let mut third = silent(&running).await;
    third.send(HEADER).await;
    // The first is done, so there is a place; the second still has its own.
    first.send(HEADER).await;
    answers_ping(&mut first).await;
    third.expect(OFFER).await;
    answers_ping(&mut third).await;
    // A peer that goes away in the middle frees its place too.
    drop(second);
    let mut peers = Vec::new();
    for _ in 0..8 {
        let stream = TcpStream::connect(running.address)
            .await
            .expect("connected");
        let mut peer = Peer::greeted(stream).await;
        answers_ping(&mut peer).await;
        peers.push(peer);
    }
    running.stop().await;
}

#[tokio::test]
async fn t_h2_a_place_is_taken_before_a_connection_is_accepted() {
    let options = Options::default().handshake_timeout(Duration::from_millis(50));
    let running = Running::of(
        bound().await.options(options).max_handshakes(1),
        ping_handler(),
    );
    let mut first = silent(&running).await;
    let mut second = silent(&running).await;
    second.send(HEADER).await;
    // The second is served when the first has used up its time, and not before.
    first.expect(OFFER).await;
    first.expect_end().await;
    second.expect(OFFER).await;
    answers_ping(&mut second).await;
    running.stop().await;
}

#[tokio::test]
async fn t_h6_only_so_many_connections_live_at_a_time() {
    let running = Running::of(bound().await.max_connections(1), ping_handler());
    let first = running.client(Router::new()).await;
    let mut second = silent(&running).await;
    second.send(HEADER).await;
    first.close().await;
    second.expect(OFFER).await;
    answers_ping(&mut second).await;
    assert_eq!(running.handle.connections().len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_server_that_refuses_when_full_closes_at_once_and_serves_when_it_is_not() {
    let server = bound().await.max_connections(1).refuse_when_full();
    let running = Running::of(server, ping_handler());
    let first = running.client(Router::new()).await;
    for refused in 1..=3 {
        let error = sockety::connect(running.address).await.expect_err("full");
        assert!(
            matches!(error.problem(), ConnectProblem::ClosedSilently),
            "{error:?}"
        );
        let stats = running.handle.stats();
        assert_eq!((stats.refused_connections, stats.accepted), (refused, 1));
    }
    ping(&first).await;
    first.close().await;
    while !running.handle.connections().is_empty() {
        tokio::task::yield_now().await;
    }
    ping(&running.client(Router::new()).await).await;
    assert_eq!(running.handle.stats().failed_handshakes, 0);
    running.stop().await;
}

#[tokio::test]
async fn t_h6_a_host_has_only_so_many_connections() {
    let running = Running::of(bound().await.max_connections_per_host(2), ping_handler());
    let first = running.client(Router::new()).await;
    let second = running.client(Router::new()).await;
    let error = sockety::connect(running.address)
        .await
        .expect_err("too many");
    assert!(
        matches!(
            error.problem(),
            ConnectProblem::ClosedSilently | ConnectProblem::Io(_)
        ),
        "{error:?}"
    );
    let stats = running.handle.stats();
    assert_eq!((stats.refused_connections, stats.accepted), (1, 2));
    ping(&second).await;
    first.close().await;
    while running.handle.connections().len() > 1 {
        tokio::task::yield_now().await;
    }
    ping(&running.client(Router::new()).await).await;
    running.stop().await;
}

/// Waits until this server has met this many connections that were not established.
async fn not_established(running: &Running, count: u64) -> (u64, u64) {
    loop {
        let stats = running.handle.stats();
        if stats.failed_handshakes + stats.silent_connections == count {
            return (stats.failed_handshakes, stats.silent_connections);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_health_check_is_no_failed_handshake_and_other_protocols_are_logged() {
    let (log, _guard) = Log::of_warnings();
    let running = Running::of(bound().await, ping_handler());
    drop(silent(&running).await);
    assert_eq!(not_established(&running, 1).await, (0, 1));
    assert_eq!(log.events(), [""; 0]);

    for (count, first) in [
        (2, &b"\r\n\r\n\0\r\nQUIT\n"[..]),
        (3, b"GET / HTTP/1.1\r\n"),
    ] {
        let stream = TcpStream::connect(running.address).await;
        let mut stream = stream.expect("connected");
        stream.write_all(first).await.expect("sent");
        assert_eq!(not_established(&running, count).await, (count - 1, 1));
    }
    // At most one in a second.
    let events = log.events();
    let [event] = &events[..] else {
        panic!("{events:#?}");
    };
    assert!(
        event.starts_with("handshake failed peer=127.0.0.1:"),
        "{event}"
    );
    assert!(
        event.ends_with(
            "reason=peer does not speak Sockety: invalid connection header: first byte is 0x0d: \
             the peer, or a proxy before it, sends a PROXY protocol header suppressed=0"
        ),
        "{event}"
    );
    running.stop().await;
}

/// Connects, and sends what begins no connection.
async fn speak_http(running: &Running, count: u64) {
    let stream = TcpStream::connect(running.address).await;
    let mut stream = stream.expect("connected");
    stream.write_all(b"GET / HTTP/1.1\r\n").await.expect("sent");
    assert_eq!(not_established(running, count).await, (count, 0));
}

#[tokio::test]
async fn failed_handshakes_are_counted_by_reason() {
    let options = Options::default().handshake_timeout(Duration::from_millis(50));
    let running = Running::of(bound().await.options(options), ping_handler());
    speak_http(&running, 1).await;
    let mut cut = silent(&running).await;
    cut.send("E2").await;
    drop(cut);
    not_established(&running, 2).await;
    let mut slow = silent(&running).await;
    slow.send("E2").await;
    not_established(&running, 3).await;

    let stats = running.handle.stats();
    let reasons: Vec<_> = stats
        .failures
        .iter()
        .filter(|(_, times)| *times > 0)
        .collect();
    assert_eq!(
        reasons,
        [("other_protocol", 1), ("timed_out", 1), ("cut_off", 1)]
    );
    assert_eq!(stats.failed_handshakes, 3);
    running.stop().await;
}

#[tokio::test]
async fn when_every_handshake_fails_the_log_says_so() {
    let (log, _guard) = Log::of_warnings();
    let running = Running::of(bound().await, ping_handler());
    for count in 1..=20 {
        speak_http(&running, count).await;
    }
    // The time between two warnings of one kind.
    let pause = Duration::from_millis(1100);
    tokio::time::sleep(pause).await;
    speak_http(&running, 21).await;
    ping(&running.client(Router::new()).await).await;
    tokio::time::sleep(pause).await;
    speak_http(&running, 22).await;

    let events = log.events();
    let in_a_row = "; all of the last 21 handshakes failed suppressed=19";
    let said: Vec<_> = events
        .iter()
        .map(|event| event.ends_with(in_a_row))
        .collect();
    assert_eq!(said, [false, true, false], "{events:#?}");
    running.stop().await;
}

#[tokio::test]
async fn an_accepted_connection_is_closed_with_its_last_handle() {
    let baseline = tasks();
    let server = bound().await;
    let address = server.local_addr().expect("an address");
    let (client, accepted) = tokio::join!(
        sockety::connect(address).into_future(),
        server.accept(ping_handler()),
    );
    let (client, accepted) = (client.expect("connected"), accepted.expect("accepted"));
    ping(&client).await;
    assert_eq!(server.handle().connections().len(), 1);
    ping(&client).await;
    drop(accepted);
    assert!(is_closed_by(&client.closed().await, ClosedBy::Peer));
    tasks_are_back_to(baseline).await;
    assert!(server.handle().connections().is_empty());
}

#[tokio::test]
async fn an_accepted_connection_counts_among_the_connections() {
    let server = bound().await.max_connections(1);
    let address = server.local_addr().expect("an address");
    let (client, accepted) = tokio::join!(
        sockety::connect(address).into_future(),
        server.accept(Router::new()),
    );
    let (_client, accepted) = (client.expect("connected"), accepted.expect("accepted"));
    let (second, _) = tokio::join!(server.accept(Router::new()), async {
        let connecting = sockety::connect(address).into_future();
        let (second, ()) = tokio::join!(connecting, accepted.close());
        second.expect("connected")
    });
    second.expect("accepted");
}

#[tokio::test]
async fn a_server_that_stops_frees_its_address_at_once() {
    let go_on = Arc::new(Notify::new());
    let told = Arc::clone(&go_on);
    let handler = ping_handler().action("wait", move |_| {
        let told = Arc::clone(&told);
        async move { told.notified().await }
    });
    let running = Running::with(handler).await;
    let client = running.client(Router::new()).await;
    let _request = client.send(&Draft::new("wait")).await.expect("sent");
    ping(&client).await;
    running.handle.stop();
    // Its end waits for the handler, but new peers need not.
    loop {
        // A peer in the queue of the listener that goes away is reset.
        match TcpStream::connect(running.address).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => break,
            _ => tokio::task::yield_now().await,
        }
    }
    assert!(!running.serving.is_finished());
    go_on.notify_one();
    running.stop().await;
}

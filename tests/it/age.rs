//! The greatest age of connections.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sockety::{
    Connection, FastReply, Options, Router, Server, connect,
    error::{ClosedBy, LeaveReason, SendError},
    message::Draft,
    serve::MessageHandler,
    server::ServerHandle,
};
use tokio::{
    io::duplex,
    time::{Instant, sleep},
};

use crate::support::{
    PIPE, Running, code_of, is_closed_by, ping, ping_handler, tasks, tasks_are_back_to,
};

/// Waits until the server has said that it is about to end the connection.
async fn told(client: &Connection) {
    while client.peer_going_away().is_none() {
        assert!(!client.is_closed(), "closed without a word");
        sleep(Duration::from_millis(10)).await;
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// A server without sockets, so that a test can pause the clock.
fn serving(server: Server, handler: MessageHandler) -> ServerHandle {
    let handle = server.handle();
    tokio::spawn(server.serve(handler));
    handle
}

async fn client(handle: &ServerHandle) -> Connection {
    let (near, far) = duplex(PIPE);
    handle.serve_link(near, None).await.expect("taken");
    let connection = Connection::over(far, Router::new(), Options::default()).await;
    connection.expect("a connection")
}

fn slow_handler(pause: Duration) -> MessageHandler {
    ping_handler().action("slow", move |_| async move {
        sleep(pause).await;
        FastReply::ACCEPT
    })
}

#[tokio::test(start_paused = true)]
async fn connections_end_at_their_age_give_or_take_a_tenth() {
    const AGE: Duration = Duration::from_secs(1_000);
    // An idle connection is closed when the peer says that nothing follows.
    const CROSSING: Duration = Duration::from_secs(1);

    let handle = serving(
        Server::new().max_connection_age(AGE, MINUTE),
        ping_handler(),
    );
    let begin = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..30 {
        clients.push(client(&handle).await);
    }
    sleep(AGE * 9 / 10 - Duration::from_secs(1)).await;
    for client in &clients {
        ping(client).await;
    }
    let mut ends = Vec::new();
    for client in clients {
        ends.push(tokio::spawn(async move {
            assert!(is_closed_by(&client.closed().await, ClosedBy::Peer));
            begin.elapsed()
        }));
    }
    let (mut first, mut last) = (Duration::MAX, Duration::ZERO);
    for end in ends {
        let end = end.await.expect("no panic");
        (first, last) = (first.min(end), last.max(end));
    }
    assert!(first >= AGE * 9 / 10, "{first:?}");
    assert!(last <= AGE * 11 / 10 + CROSSING, "{last:?}");
    assert!(last - first > AGE / 20, "{first:?} to {last:?}");
    assert_eq!(handle.stats().connections, 0);
}

#[tokio::test(start_paused = true)]
async fn a_peer_is_told_before_its_connection_is_old() {
    const NOTICE: Duration = Duration::from_secs(2);
    for (age, seconds) in [(1_000, 898..=1_098), (1, 0..=0)] {
        let age = Duration::from_secs(age);
        let server = Server::new().max_connection_age(age, MINUTE);
        let handle = serving(server, ping_handler());
        let begin = Instant::now();
        let client = client(&handle).await;
        told(&client).await;
        let (why, noticed) = (client.peer_going_away().expect("told"), begin.elapsed());
        assert_eq!(why.reason, LeaveReason::LameDuck);
        assert!(seconds.contains(&noticed.as_secs()), "{noticed:?}");
        // It serves on until it is as old.
        ping(&client).await;
        client.closed().await;
        assert_eq!(
            client.peer_going_away().expect("told").reason,
            LeaveReason::Age
        );
        let ended = begin.elapsed();
        assert!(
            (age * 9 / 10..=age * 11 / 10 + NOTICE / 20).contains(&ended),
            "{ended:?}"
        );
        let notice = ended - noticed;
        assert!(
            (age * 9 / 20).min(NOTICE) - NOTICE / 20 <= notice,
            "{notice:?}"
        );
        assert!(notice <= NOTICE + NOTICE / 20, "{notice:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn connections_are_cut_as_soon_as_the_grace_is_over() {
    let (age, grace) = (Duration::from_secs(10), Duration::from_millis(1_250));
    let handler = slow_handler(MINUTE);
    let handle = serving(Server::new().max_connection_age(age, grace), handler);
    let client = client(&handle).await;
    let begin = Instant::now();
    let mut slow = client.send(&Draft::new("slow")).await.expect("sent");
    told(&client).await;
    let noticed = begin.elapsed();
    slow.response().await.map(drop).expect_err("cut off");
    let after = begin.elapsed() + Duration::from_millis(10) - noticed - Duration::from_secs(2);
    assert!(
        (grace..=grace + Duration::from_millis(15)).contains(&after),
        "{after:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_is_finished_and_a_later_one_is_not_sent() {
    let age = Duration::from_secs(5);
    let handler = slow_handler(Duration::from_secs(20));
    let handle = serving(Server::new().max_connection_age(age, MINUTE), handler);
    let client = client(&handle).await;
    let slow = client.send(&Draft::new("slow")).await.expect("sent");
    sleep(age * 2).await;
    let late = client.send(&Draft::new("ping")).await;
    let late = late.map(drop).expect_err("going away");
    assert!(matches!(late, SendError::PeerGoingAway), "{late}");
    assert_eq!(code_of(slow).await, 0);
    assert!(is_closed_by(&client.closed().await, ClosedBy::Peer));
}

#[tokio::test(start_paused = true)]
async fn a_call_is_cut_off_when_the_grace_has_passed() {
    let (age, grace) = (Duration::from_secs(5), Duration::from_secs(3));
    let handler = slow_handler(Duration::from_secs(25));
    let handle = serving(Server::new().max_connection_age(age, grace), handler);
    let client = client(&handle).await;
    let mut slow = client.send(&Draft::new("slow")).await.expect("sent");
    slow.response().await.map(drop).expect_err("cut off");
    assert!(client.is_closed());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_a_connection_that_ends_before() {
    let handle = serving(
        Server::new().max_connection_age(MINUTE, MINUTE),
        ping_handler(),
    );
    ping(&client(&handle).await).await;
    let baseline = tasks();
    let client = client(&handle).await;
    ping(&client).await;
    client.close().await;
    tasks_are_back_to(baseline).await;
}

/// Four clients that call all the time, until the server has replaced each connection twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconnecting_clients_lose_no_call() {
    const CLIENTS: u64 = 4;
    // Long enough that clients connect again without a pause.
    let age = Duration::from_millis(2_400);
    let executed = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&executed);
    let handler = ping_handler().action("count", move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        async {
            sleep(Duration::from_millis(1)).await;
            FastReply::ACCEPT
        }
    });
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let server = Running::of(server.max_connection_age(age, MINUTE), handler);
    let callers: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let client = connect(server.address).reconnecting().client();
            let handle = server.handle.clone();
            tokio::spawn(async move {
                let mut calls = 0;
                while handle.stats().accepted < 3 * CLIENTS {
                    let request = client.send(&Draft::new("count")).await.expect("sent");
                    assert_eq!(code_of(request).await, 0);
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let mut calls = 0;
    for caller in callers {
        calls += caller.await.expect("no call failed");
    }
    assert_eq!(executed.load(Ordering::Relaxed), calls);
    server.stop().await;
}

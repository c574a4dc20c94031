//! Handlers and callers that do what they should not: rows A.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use sockety::{
    CallError, Connection, Context, FastReply, Options, Outcome, Router, error::RequestError,
    message::Draft, service,
};
use tokio::time::Instant;

use crate::support::{
    PIPE, code_of, dialogue_with, id, is_pending, pair_serving, pair_with, ping_handler, settled,
};

#[test]
fn t_a3_a_handler_that_blocks_its_thread_holds_up_no_other_connection() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let (begun, has_begun) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let handler = ping_handler().action("block", move |_| {
        let (begun, released) = (begun.clone(), Arc::clone(&released));
        async move {
            begun.send(()).expect("the test waits");
            let released = released.lock().expect("no panic").recv();
            assert!(released.is_ok(), "the test has ended");
            FastReply::REJECT
        }
    });
    runtime.block_on(async {
        let (blocked, _server) = pair_serving(handler).await;
        let request = blocked.send(&Draft::new("block")).await.expect("sent");
        has_begun.recv().expect("the handler runs");
        for _ in 0..10 {
            let (other, _server) = pair_serving(ping_handler()).await;
            ping(&other).await;
        }
        release.send(()).expect("the handler waits");
        assert_eq!(code_of(request).await, 1);
        ping(&blocked).await;
    });
}

async fn ping(connection: &Connection) {
    let request = connection.send(&Draft::new("ping")).await.expect("sent");
    assert_eq!(code_of(request).await, 0);
}

#[tokio::test(start_paused = true)]
async fn t_a6_futures_that_are_not_polled_any_more_hold_nobody_up() {
    let options = Options::default()
        .max_outbox_bytes(1000)
        .max_requests_in_flight(10);
    let (connection, mut peer) = dialogue_with(Router::new(), options, 64).await;
    let filler = Draft::new("filler").data().create(vec![7; 2000]);
    let _filler = connection.send(filler).await.expect("a place");
    // Each waits for a place in the outbox, and is left there.
    let mut sending = Box::pin(connection.send(Draft::new("left").create()));
    assert!(is_pending(&mut sending).await);
    let mut passing = Box::pin(connection.pass(Draft::new("left").create()));
    assert!(is_pending(&mut passing).await);
    let mut closed = Box::pin(connection.closed());
    assert!(is_pending(&mut closed).await);
    let other = connection.clone();
    let sent = tokio::spawn(async move { other.send(&Draft::new("later")).await.map(|r| r.id()) });
    settled().await;
    peer.expect_message("filler").await;
    let (id, _) = peer.expect_message("later").await;
    assert_eq!(sent.await.expect("no panic").expect("sent"), id);
    // And goes on when it is polled again.
    let request = sending.await.expect("sent");
    let (id, _) = peer.expect_message("left").await;
    assert_eq!(request.id(), id);
}

#[service]
trait Recursion {
    /// Calls the other side, and so on, without an end.
    async fn deeper(&self, cx: &Context) -> u16;
}

struct Endless;

impl Recursion for Endless {
    async fn deeper(&self, cx: &Context) -> u16 {
        match cx.peer::<RecursionClient>().deeper().await {
            Ok(depth) => depth + 1,
            Err(CallError::Request {
                error: RequestError::TimedOut { .. },
                ..
            }) => 1,
            Err(error) => {
                assert!(matches!(error, CallError::Refused { .. }), "{error:?}");
                assert_eq!(error.outcome(), Outcome::NotExecuted);
                1
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn t_a7_recursion_without_end_ends_where_no_more_requests_may_execute() {
    let side = || {
        let options = Options::default().max_queued_requests(0);
        (RecursionServer::new(Endless), options)
    };
    let (near, _far) = pair_with(side(), side(), PIPE).await;
    let depth = RecursionClient::new(near).deeper().await.expect("a reply");
    assert_eq!(depth, 2 * 256);
}

/// Where requests wait for their turn, the last ones wait for handlers that wait for them.
#[tokio::test(start_paused = true)]
async fn t_a7_recursion_without_end_ends_by_the_time_of_the_calls() {
    let (near, _far) = sockety::pair(RecursionServer::new(Endless), RecursionServer::new(Endless))
        .await
        .expect("two connections");
    let begin = Instant::now();
    let _ = RecursionClient::new(near.clone()).deeper().await;
    assert!(begin.elapsed() < Duration::from_secs(40));
    settled().await;
    assert!(!near.is_closed());
}

#[tokio::test(start_paused = true)]
async fn t_a2_a_message_that_is_forgotten_on_a_raw_connection_is_answered() {
    let handler = ping_handler().action("forget", |message| async move { drop(message) });
    let (_connection, mut peer) = dialogue_with(handler, Options::default(), 64).await;
    peer.ask(id(1), "forget", b"").await;
    peer.expect_code(id(1), 5).await;
}

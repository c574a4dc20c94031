//! Requests that come faster than they are handled wait for their turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sockety::{
    Connection, Context, File, Options, Outcome, Router, error::RequestError, message::Draft,
    serve::MessageHandler, service,
};
use tokio::time::{Instant, sleep};

use crate::support::{
    PIPE, answers_ping, code_of, dialogue_with, id, message, pair_serving, pair_with, ping_handler,
    settled,
};

/// How long each handler takes.
const WORK: Duration = Duration::from_millis(100);

/// Handles `work` in 100 ms and counts it; answers `ping`.
fn working(done: &Arc<AtomicUsize>) -> MessageHandler {
    let done = Arc::clone(done);
    ping_handler().action("work", move |message| {
        let done = Arc::clone(&done);
        async move {
            sleep(WORK).await;
            done.fetch_add(1, Ordering::Relaxed);
            drop(message.take_files());
            sockety::FastReply::ACCEPT
        }
    })
}

async fn ask(connection: &Connection) -> u16 {
    let request = connection.send(&Draft::new("work")).await.expect("sent");
    code_of(request).await
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_one_way_messages_runs_to_the_last() {
    let done = Arc::default();
    let (near, far) = pair_serving(working(&done)).await;
    for _ in 0..10_000 {
        near.pass(&Draft::new("work")).await.expect("passed");
    }
    while done.load(Ordering::Relaxed) < 10_000 {
        sleep(WORK).await;
    }
    assert_eq!(far.stats().overloaded, 0);
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_one_way_messages_larger_than_the_queue_holds_the_sender_back() {
    for limit in [0, 100] {
        let done = Arc::default();
        let options = Options::default().max_queued_requests(limit);
        let (here, there) = (
            (Router::new(), Options::default()),
            (working(&done), options),
        );
        let (near, far) = pair_with(here, there, 1000).await;
        for _ in 0..5_000 {
            near.pass(&Draft::new("work")).await.expect("passed");
        }
        while done.load(Ordering::Relaxed) < 5_000 {
            sleep(WORK).await;
        }
        assert_eq!(far.stats().overloaded, 0, "{limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_way_messages_with_files_run_to_the_last() {
    let done = Arc::default();
    let (near, _far) = pair_serving(working(&done)).await;
    for _ in 0..2_000 {
        let message = Draft::new("work").create();
        let message = message.with_file(File::from_bytes("a", "b"));
        near.pass(message).await.expect("passed");
    }
    while done.load(Ordering::Relaxed) < 2_000 {
        sleep(WORK).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_calls_at_once_to_a_slow_handler_succeed_in_their_order() {
    let done = Arc::default();
    let (near, _far) = pair_serving(working(&done)).await;
    let begin = Instant::now();
    let calls = (0..1_000).map(|_| ask(&near));
    let codes = futures_util::future::join_all(calls).await;
    assert!(codes.iter().all(|code| *code == 0));
    // Four rounds of 256.
    let elapsed = begin.elapsed();
    assert!((4 * WORK..5 * WORK).contains(&elapsed), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_beyond_the_queue_is_refused() {
    let done = Arc::default();
    let options = Options::default()
        .max_requests_executing(2)
        .max_queued_requests(3);
    let (here, there) = (
        (Router::new(), Options::default()),
        (working(&done), options),
    );
    let (near, far) = pair_with(here, there, PIPE).await;
    let codes = futures_util::future::join_all((0..8).map(|_| ask(&near))).await;
    assert_eq!(codes, [0, 0, 0, 0, 0, 3840, 3840, 3840]);
    assert_eq!(far.stats().overloaded, 3);
}

#[tokio::test(start_paused = true)]
async fn payloads_that_wait_are_bounded() {
    let options = Options::default()
        .max_requests_executing(1)
        .max_unread_bytes(100_000);
    let done = Arc::default();
    let (_connection, mut peer) = dialogue_with(working(&done), options, PIPE).await;
    for number in 0..20 {
        let bytes = message(id(number), "work", true, &[7; 10_000]);
        peer.send_bytes(&bytes).await;
    }
    settled().await;
    // One executes, ten wait, and the others are refused at once.
    for number in 11..20 {
        peer.expect_code(id(number), 3840).await;
    }
    for number in 0..11 {
        peer.expect_code(id(number), 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_too_long_is_timed_out_and_the_others_go_on() {
    let done = Arc::default();
    let options = Options::default().max_requests_executing(1);
    let here = (Router::new(), Options::default().call_timeout(WORK * 25));
    let (near, _far) = pair_with(here, (working(&done), options), PIPE).await;
    let first = futures_util::future::join_all((0..10).map(|_| ask(&near)));
    assert_eq!(first.await, [0; 10]);
    let request = near.send(&Draft::new("work")).await.expect("sent");
    let mut others = Vec::new();
    for _ in 0..50 {
        others.push(near.send(&Draft::new("work")).await.expect("sent"));
    }
    assert_eq!(code_of(request).await, 0);
    let mut last = others.pop().expect("one");
    let error = last.response().await.expect_err("too late");
    assert!(matches!(
        error,
        RequestError::TimedOut {
            outcome: Outcome::Unknown,
            ..
        }
    ));
    assert_eq!(ask(&near).await, 0);
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_when_the_connection_is_shut_down_are_executed() {
    let done = Arc::default();
    let (near, far) = pair_serving(working(&done)).await;
    let calls = (0..1_000).map(|_| ask(&near));
    let calls = futures_util::future::join_all(calls);
    let shutdown = async {
        settled().await;
        far.shutdown(Duration::from_secs(10)).await;
    };
    let (codes, ()) = tokio::join!(calls, shutdown);
    assert!(codes.iter().all(|code| *code == 0));
}

#[service]
trait Chain {
    /// Calls the other side for each message.
    #[action(one_way)]
    async fn event(&self, cx: &Context);

    async fn seen(&self);
}

struct Relay(Arc<AtomicUsize>);

impl Chain for Relay {
    async fn event(&self, cx: &Context) {
        cx.peer::<ChainClient>().seen().await.expect("seen");
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    async fn seen(&self) {}
}

#[tokio::test(start_paused = true)]
async fn handlers_of_a_burst_may_call_back() {
    let done: Arc<AtomicUsize> = Arc::default();
    let side = || ChainServer::new(Relay(Arc::clone(&done)));
    let (near, _far) = sockety::pair(side(), side())
        .await
        .expect("two connections");
    let client = ChainClient::new(near);
    for _ in 0..10_000 {
        client.event().await.expect("passed");
    }
    client.seen().await.expect("a reply");
    while done.load(Ordering::Relaxed) < 10_000 {
        sleep(WORK).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_holds_up_nothing_but_itself() {
    let done = Arc::default();
    let (connection, mut peer) = dialogue_with(working(&done), Options::default(), PIPE).await;
    for number in 0..300 {
        peer.ask(id(number), "work", b"").await;
    }
    settled().await;
    // A reply to a call of this side is read meanwhile.
    let request = connection.send(&Draft::new("ask")).await.expect("sent");
    let (parent, _) = peer.expect_message("ask").await;
    peer.reply(parent, 0).await;
    assert_eq!(code_of(request).await, 0);
    for number in 0..300 {
        peer.expect_code(id(number), 0).await;
    }
    answers_ping(&mut peer).await;
}

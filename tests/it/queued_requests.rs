//! Requests that come faster than they are handled wait for their turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sockety::{
    ByteStream, Connection, Context, File, Options, Outcome, Router,
    error::RequestError,
    message::{Draft, Outgoing, ResponseDraft},
    serve::{Message, MessageHandler},
    service,
};
use tokio::time::{Instant, sleep};

use crate::support::{
    Log, PIPE, answers_ping, code_of, dialogue_with, id, message, pair_serving, pair_with,
    ping_handler, settled,
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
    let (_connection, mut peer) = dialogue_with(working(&done), options, 1_000).await;
    let (mut sent, begin) = (0, Instant::now());
    while sent < 30 {
        let bytes = message(id(sent), "work", true, &[7; 10_000]);
        peer.send_bytes(&bytes).await;
        sent += 1;
        // One executes, ten wait, and one read brings some more before the rest has to wait.
        let done = done.load(Ordering::Relaxed);
        assert!(sent as usize <= done + 11 + 8, "{sent} sent, {done} done");
    }
    assert!(begin.elapsed() > 5 * WORK, "its sender was held back");
    for number in 0..30 {
        peer.expect_code(id(number), 0).await;
    }
}

/// Counts the handlers of `hold` that run, each for 100 ms with its payload.
fn holding(running: &Arc<AtomicUsize>, most: &Arc<AtomicUsize>) -> MessageHandler {
    let (running, most) = (Arc::clone(running), Arc::clone(most));
    ping_handler().action("hold", move |message: Message| {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        async move {
            let now = running.fetch_add(1, Ordering::Relaxed) + 1;
            most.fetch_max(now, Ordering::Relaxed);
            sleep(WORK).await;
            running.fetch_sub(1, Ordering::Relaxed);
            let mut size = message.payload().len();
            if let Some(mut stream) = message.take_stream() {
                while let Some(chunk) = stream.next_chunk().await.expect("content") {
                    size += chunk.len();
                }
            }
            ResponseDraft::new().with_data(size.to_string()).create()
        }
    })
}

const KIB: usize = 1024;

async fn hold(connection: &Connection, message: impl Into<Outgoing>) -> String {
    let mut request = connection.send(message).await.expect("sent");
    let reply = request.response().await.expect("a reply");
    let response = reply.into_response().expect("a response");
    String::from_utf8_lossy(response.payload()).into_owned()
}

#[tokio::test(start_paused = true)]
async fn payloads_that_find_no_room_hold_their_sender_back() {
    // In one read, and in several.
    for size in [30 * KIB, 256 * KIB] {
        let (running, most) = (Arc::default(), Arc::default());
        let options = Options::default().max_payload_bytes(4 * size as u64);
        let here = (Router::new(), Options::default());
        let there = (holding(&running, &most), options);
        let (near, far) = pair_with(here, there, PIPE).await;
        let message = Draft::new("hold").with_data(vec![7; size]);
        let calls = (0..50).map(|_| hold(&near, &message));
        let replies = futures_util::future::join_all(calls).await;
        assert!(replies.iter().all(|reply| *reply == size.to_string()));
        assert_eq!(far.stats().overloaded, 0);
        let most = most.load(Ordering::Relaxed);
        // One more is taken, or what one read brings.
        assert!((4..=4 + 3).contains(&most), "{most} of {size} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_whose_streams_are_awaited_are_read_though_there_is_no_room_for_payloads() {
    let (running, most) = (Arc::default(), Arc::default());
    let options = Options::default().max_payload_bytes(200 * KIB as u64);
    let here = (Router::new(), Options::default());
    let (near, _far) = pair_with(here, (holding(&running, &most), options), PIPE).await;
    for _ in 0..20 {
        let stream = vec![7; 100 * KIB];
        let stream = ByteStream::from_reader(std::io::Cursor::new(stream));
        let message = Draft::new("hold").with_data(vec![7; 300 * KIB]).create();
        let with_stream = hold(&near, message.with_stream_from(stream));
        let small = Draft::new("hold").with_data(vec![7; 30 * KIB]).create();
        let (with_stream, small) = tokio::join!(with_stream, hold(&near, small));
        assert_eq!(with_stream, (400 * KIB).to_string());
        assert_eq!(small, (30 * KIB).to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn handlers_that_hold_all_room_for_payloads_get_large_replies() {
    let answering = MessageHandler::new().action("ask", |_: Message| async {
        ResponseDraft::new().with_data(vec![7; 150 * KIB]).create()
    });
    let asking = MessageHandler::new().action("work", |message: Message| async move {
        sleep(WORK).await;
        let request = message.connection().send(&Draft::new("ask")).await;
        let reply = request.expect("sent").response().await.expect("a reply");
        reply.into_response().expect("a response");
        sockety::FastReply::ACCEPT
    });
    let options = Options::default().max_payload_bytes(200 * KIB as u64);
    let here = (answering, Options::default());
    let (near, _far) = pair_with(here, (asking, options), PIPE).await;
    let message = Draft::new("work").with_data(vec![7; 60 * KIB]);
    let calls = (0..4).map(async |_| code_of(near.send(&message).await.expect("sent")).await);
    assert_eq!(futures_util::future::join_all(calls).await, [0; 4]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_too_long_is_timed_out_and_the_others_go_on() {
    let done = Arc::default();
    // With the extension, the peer answers it when its deadline has passed.
    let options = crate::support::base().max_requests_executing(1);
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
async fn handlers_of_a_burst_larger_than_the_queue_may_call_back() {
    let done: Arc<AtomicUsize> = Arc::default();
    let side = || ChainServer::new(Relay(Arc::clone(&done)));
    let options = Options::default().max_queued_requests(10);
    let (here, there) = ((side(), Options::default()), (side(), options));
    let (near, far) = pair_with(here, there, PIPE).await;
    let client = ChainClient::new(near);
    for _ in 0..20_000 {
        client.event().await.expect("passed");
    }
    while done.load(Ordering::Relaxed) < 20_000 {
        sleep(WORK).await;
    }
    assert_eq!(far.stats().overloaded, 0);
}

#[tokio::test(start_paused = true)]
async fn one_way_messages_that_find_no_room_are_bounded_and_run_in_their_order() {
    let log = Log::default();
    let noting = log.clone();
    let handler = ping_handler()
        .action("note", move |message: Message| {
            noting.note(String::from_utf8_lossy(message.payload()));
            async {}
        })
        .action("ask", |message: Message| async move {
            let request = message.connection().send(&Draft::new("asked")).await;
            request.expect("sent").response().await.expect("a reply");
        });
    let options = Options::default()
        .max_requests_executing(1)
        .max_queued_requests(2)
        .max_payload_bytes(20_000);
    let (connection, mut peer) = dialogue_with(handler, options, PIPE).await;
    let (_log, _guard) = Log::of_warnings();
    peer.tell(id(0), "ask", b"").await;
    let (asked, _) = peer.expect_message("asked").await;
    for number in 1..=1_000 {
        let text = number.to_string();
        peer.tell(id(number), "note", text.as_bytes()).await;
    }
    settled().await;
    let lost = connection.stats().overloaded;
    // Two wait, and each further one takes about 260 bytes.
    assert!((900..930).contains(&lost), "{lost} lost");
    peer.reply(asked, 0).await;
    settled().await;
    answers_ping(&mut peer).await;
    let expected = (1..=1_000 - lost).map(|number| number.to_string());
    assert_eq!(log.events(), expected.collect::<Vec<_>>());
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

//! What a peer cannot make us do, and what happens if it reads less than is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sockety::{
    Connection, FastReply, Options, Outcome, Router,
    config::Limits,
    error::{ConnectionError, ReadError, RequestError, SendError},
    message::{Draft, Request, ResponseDraft},
    serve::{Message, MessageHandler},
    service,
};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::streams::{Asks, head_on};
use crate::support::{
    PIPE, Peer, Received, answers_ping, bytes, code_of, dialogue, dialogue_with, hex, id,
    is_pending, message, pair_with, ping_handler, settled, tasks, tasks_are_back_to,
    waiting_handler,
};

const MIB: usize = 1024 * 1024;

async fn ask(connection: &Connection, action: &str) -> Request {
    connection.send(&Draft::new(action)).await.expect("sent")
}

// Requests that execute.

/// Counts what ran; each waits until it is let go.
#[derive(Clone)]
struct Gate {
    ran: Arc<AtomicUsize>,
    open: Arc<Semaphore>,
}

impl Gate {
    fn new() -> Self {
        Self {
            ran: Arc::default(),
            open: Arc::new(Semaphore::new(0)),
        }
    }

    fn handler(&self) -> MessageHandler {
        let gate = self.clone();
        MessageHandler::new().action("work", move |_| {
            gate.ran.fetch_add(1, Ordering::Relaxed);
            let open = Arc::clone(&gate.open);
            async move {
                open.acquire().await.expect("never closed").forget();
                FastReply::ACCEPT
            }
        })
    }

    fn ran(&self) -> usize {
        self.ran.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn t_m17_one_request_more_than_may_execute_is_refused_and_does_not_run() {
    let baseline = tasks();
    let gate = Gate::new();
    let options = Options::default().max_queued_requests(0);
    let (connection, mut peer) = dialogue_with(gate.handler(), options, PIPE).await;
    for number in 0..256 {
        peer.ask(id(number), "work", b"").await;
    }
    peer.expect_silence().await;
    peer.ask(id(256), "work", b"").await;
    peer.expect_code(id(256), 3840).await;
    peer.ask(id(257), "work", b"with payload").await;
    peer.expect_code(id(257), 3840).await;
    assert_eq!(gate.ran(), 256);
    gate.open.add_permits(1);
    assert!(matches!(
        peer.next().await,
        Some(Received::FastReply { code: 0, .. })
    ));
    peer.ask(id(259), "work", b"").await;
    peer.expect_silence().await;
    assert_eq!(gate.ran(), 257);
    gate.open.add_permits(256);
    for _ in 0..256 {
        assert!(matches!(
            peer.next().await,
            Some(Received::FastReply { code: 0, .. })
        ));
    }
    drop(connection);
    peer.expect("B0").await;
    peer.expect_end().await;
    drop(peer);
    tasks_are_back_to(baseline).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_kept_goes_on_taking_its_place() {
    let (keep, mut kept) = tokio::sync::mpsc::unbounded_channel::<Message>();
    let handler = MessageHandler::new().action("keep", move |message| {
        keep.send(message).expect("kept");
        async {}
    });
    let options = Options::default()
        .max_requests_executing(2)
        .max_queued_requests(0);
    let (_connection, mut peer) = dialogue_with(handler, options, PIPE).await;
    for number in 0..3 {
        peer.ask(id(number), "keep", b"").await;
    }
    peer.expect_code(id(2), 3840).await;
    drop(kept.recv().await);
    peer.expect_code(id(0), 5).await;
    peer.ask(id(3), "keep", b"").await;
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_payload_is_arriving_takes_a_place_until_it_is_given_up() {
    let options = Options::default()
        .max_requests_executing(1)
        .max_queued_requests(0);
    let (_connection, mut peer) = dialogue_with(ping_handler(), options, PIPE).await;
    let head = format!("21 17 40 {} 04 70696e67 02", hex(id(1)));
    peer.send(&format!("01 {head}")).await;
    peer.send("00").await;
    peer.ask(id(2), "ping", b"").await;
    peer.expect_code(id(2), 3840).await;
    peer.send("01 90 00").await;
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn calls_over_the_peers_limit_are_not_executed_and_say_so() {
    #[service]
    trait Work {
        async fn work(&self);
    }
    let gate = Gate::new();
    let (near, _far) = pair_with(
        (Router::new(), Options::default()),
        (
            gate.handler(),
            Options::default()
                .max_requests_executing(1)
                .max_queued_requests(0),
        ),
        PIPE,
    )
    .await;
    let first = ask(&near, "work").await;
    settled().await;
    let error = WorkClient::new(near).work().await.expect_err("refused");
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    assert!(error.is_retryable());
    assert_eq!(gate.ran(), 1);
    gate.open.add_permits(1);
    assert_eq!(code_of(first).await, 0);
}

// Sizes.

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_refused_message_is_dropped() {
    let (_connection, mut peer) = dialogue(ping_handler()).await;
    let size = 5 * MIB;
    peer.send(&format!(
        "21 1C C0 {} 04 70696e67 00 00 50 00 00 00",
        hex(id(1))
    ))
    .await;
    peer.expect_code(id(1), 3842).await;
    peer.send("E8 00 00 50").await;
    peer.send_bytes(&vec![0xF0; size]).await;
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn a_response_with_too_much_is_lost_and_the_connection_lives() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let mut request = ask(&connection, "ask").await;
    peer.expect_message("ask").await;
    let parent = hex(request.id());
    peer.send(&format!(
        "50 27 C0 {parent} {} FF FF FF FF FF FF",
        hex(id(1))
    ))
    .await;
    let error = request.response().await.expect_err("lost");
    assert!(
        matches!(error, RequestError::ResponseLost(ReadError::NotAccepted(_))),
        "{error:?}"
    );
    assert_eq!(error.outcome(), Outcome::Executed);
    peer.send("90").await;
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_given_up_is_lost() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let mut request = ask(&connection, "ask").await;
    peer.expect_message("ask").await;
    let parent = hex(request.id());
    peer.send(&format!(
        "50 22 40 {parent} {} 05 E0 02 0102 90",
        hex(id(1))
    ))
    .await;
    let error = request.response().await.expect_err("lost");
    assert!(
        matches!(error, RequestError::ResponseLost(ReadError::Aborted)),
        "{error:?}"
    );
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn a_payload_of_exactly_the_limit_is_taken() {
    let limits = Limits::default().max_payload(1000);
    let options = Options::default().limits(limits);
    let (_connection, mut peer) = dialogue_with(ping_handler(), options, PIPE).await;
    peer.ask(id(1), "ping", &[0; 1000]).await;
    peer.expect_code(id(1), 0).await;
    peer.ask(id(2), "ping", &[0; 1001]).await;
    peer.expect_code(id(2), 3842).await;
}

#[tokio::test(start_paused = true)]
async fn payloads_that_would_be_too_much_together_are_refused() {
    let options = Options::default().max_payload_bytes(8 * MIB as u64);
    let (_connection, mut peer) = dialogue_with(ping_handler(), options, PIPE).await;
    // 4 MiB each, of which nothing has arrived.
    for channel in 1..=2_u8 {
        let one = hex(id(channel.into()));
        peer.send(&format!(
            "{channel:02x} 21 1C C0 {one} 04 70696e67 00 00 40 00 00 00"
        ))
        .await;
    }
    peer.expect_silence().await;
    let third = hex(id(3));
    peer.send(&format!(
        "03 21 1C C0 {third} 04 70696e67 00 00 40 00 00 00"
    ))
    .await;
    peer.expect_code(id(3), 3840).await;
    // Given up: there is room again.
    peer.send("01 90 02 90 03 90 00").await;
    peer.ask(id(4), "ping", &vec![0; 4 * MIB]).await;
    peer.expect_code(id(4), 0).await;
}

#[tokio::test(start_paused = true)]
async fn t_m1_a_header_in_endless_pieces_ends_the_connection() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    peer.send("21 01 00").await;
    for _ in 0..1100 {
        peer.send_bytes(&bytes("60 01 00")).await;
    }
    let error = connection.closed().await;
    assert!(matches!(error, ConnectionError::Protocol(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn t_p1_parameters_nested_too_deep_are_a_bad_request() {
    #[service]
    trait Any {
        async fn any(&self, value: serde_json::Value);
    }

    struct Takes;

    impl Any for Takes {
        async fn any(&self, _: serde_json::Value) {}
    }

    let (_connection, mut peer) = dialogue(AnyServer::new(Takes)).await;
    let nested = [vec![0x91; 100_000], vec![0xC0]].concat();
    peer.ask(id(1), "any", &nested).await;
    peer.expect_code(id(1), 4).await;
}

// A peer that takes less than is sent.

fn filler(size: usize) -> sockety::message::Outgoing {
    Draft::new("filler").data().create(vec![7; size])
}

#[tokio::test(start_paused = true)]
async fn senders_wait_for_a_place_and_go_on_in_their_order() {
    let options = Options::default().max_outbox_bytes(1000);
    let (connection, mut peer) = dialogue_with(Router::new(), options, 64).await;
    let _filler = connection.send(filler(2000)).await.expect("a place");
    let senders: Vec<_> = (0..3)
        .map(|number| {
            let connection = connection.clone();
            tokio::spawn(async move {
                let action = number.to_string();
                connection
                    .send(&Draft::new(action))
                    .await
                    .expect("a place")
                    .id()
            })
        })
        .collect();
    settled().await;
    assert!(senders.iter().all(|sender| !sender.is_finished()));
    peer.expect_message("filler").await;
    for (number, sender) in senders.into_iter().enumerate() {
        let (id, _) = peer.expect_message(&number.to_string()).await;
        assert_eq!(sender.await.expect("no panic"), id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_gives_up_waiting_sends_nothing() {
    let options = Options::default().max_outbox_bytes(1000);
    let (connection, mut peer) = dialogue_with(Router::new(), options, 64).await;
    let _filler = connection.send(filler(2000)).await.expect("a place");
    {
        let mut sending = Box::pin(connection.send(Draft::new("given up").create()));
        assert!(is_pending(&mut sending).await);
        let mut passing = Box::pin(connection.pass(Draft::new("given up").create()));
        assert!(is_pending(&mut passing).await);
    }
    peer.expect_message("filler").await;
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn handlers_wait_for_a_place_too() {
    let handler = MessageHandler::new().action("get", |message| async move {
        let response = ResponseDraft::new().data().create(vec![7; 2000]);
        message.respond(response).await.map(drop)
    });
    let options = Options::default().max_outbox_bytes(1000);
    let (_connection, mut peer) = dialogue_with(handler, options, 64).await;
    for number in 0..5 {
        peer.ask(id(number), "get", b"").await;
    }
    settled().await;
    for number in 0..5 {
        let (_, payload) = peer.expect_response(id(number)).await;
        assert_eq!(payload.len(), 2000);
    }
}

#[tokio::test(start_paused = true)]
async fn t_s3_a_peer_that_takes_nothing_is_given_up_in_time() {
    let baseline = tasks();
    let (connection, mut peer) = dialogue_with(Router::new(), Options::default(), 64).await;
    // So it is known to send heartbeats.
    peer.send("A0").await;
    settled().await;
    let begin = Instant::now();
    let mut request = connection.send(filler(100_000)).await.expect("a place");
    let error = connection.closed().await;
    let stall = Duration::from_secs(30);
    assert!(
        matches!(error, ConnectionError::WriteStalled(limit) if limit == stall),
        "{error:?}"
    );
    let waited = begin.elapsed().as_secs();
    assert!((30..=32).contains(&waited), "{waited} s");
    let error = request.response().await.expect_err("no reply");
    assert_eq!(error.outcome(), Outcome::Unknown);
    drop(peer);
    tasks_are_back_to(baseline).await;
}

#[tokio::test(start_paused = true)]
async fn t_s3_a_peer_without_heartbeats_that_takes_nothing_is_given_up_after_minutes() {
    let (connection, mut peer) = dialogue_with(Router::new(), Options::default(), 64).await;
    let begin = Instant::now();
    let _request = connection.send(filler(100_000)).await.expect("a place");
    // It reads slowly, and says nothing.
    for _ in 0..5 {
        sleep(Duration::from_secs(200)).await;
        peer.take(64).await;
    }
    assert!(!connection.is_closed(), "{:?}", connection.closed().await);
    let begun = Instant::now();
    let error = connection.closed().await;
    let stall = Duration::from_secs(300);
    assert!(
        matches!(error, ConnectionError::WriteStalled(limit) if limit == stall),
        "{error:?}"
    );
    let waited = begun.elapsed().as_secs();
    assert!((299..=303).contains(&waited), "{waited} s");
    assert!(begin.elapsed() > Duration::from_secs(1_300));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_what_is_written_is_not_idle() {
    let options = Options::default().call_timeout(None);
    let (connection, mut peer) = dialogue_with(Router::new(), options, 64).await;
    peer.send("A0").await;
    let mut request = connection.send(filler(10_000)).await.expect("a place");
    for _ in 0..50 {
        peer.take(64).await;
        sleep(Duration::from_secs(20)).await;
    }
    assert!(!connection.is_closed());
    peer.take(10_000 + 30 - 50 * 64).await;
    request.sent().await.expect("written");
    // Nothing waits now.
    let error = connection.closed().await;
    assert!(matches!(error, ConnectionError::Idle(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn the_time_for_writing_can_be_set() {
    let options = Options::default().write_stall(Duration::from_secs(3));
    let (connection, _peer) = dialogue_with(Router::new(), options, 64).await;
    let begin = Instant::now();
    let _request = connection.send(filler(100_000)).await.expect("a place");
    let error = connection.closed().await;
    assert!(
        matches!(error, ConnectionError::WriteStalled(_)),
        "{error:?}"
    );
    let waited = begin.elapsed().as_secs();
    assert!((3..=5).contains(&waited), "{waited} s");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_little_at_a_time_is_waited_for() {
    let options = Options::default().call_timeout(None).idle_timeout(None);
    let (connection, mut peer) = dialogue_with(Router::new(), options, 64).await;
    let mut request = connection.send(filler(10_000)).await.expect("a place");
    for _ in 0..50 {
        peer.take(64).await;
        sleep(Duration::from_secs(20)).await;
    }
    assert!(!connection.is_closed());
    peer.take(10_000 + 30 - 50 * 64).await;
    request.sent().await.expect("written");
}

/// Sends pings until the other side takes no more, and never reads a reply.
async fn flood(peer: &mut Peer) {
    let pings: Vec<_> = (0..100)
        .flat_map(|number| message(id(number), "ping", true, b""))
        .collect();
    loop {
        let sending = peer.send_bytes(&pings);
        if tokio::time::timeout(Duration::from_millis(1), sending)
            .await
            .is_err()
        {
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn t_r8_a_peer_that_never_reads_its_replies_is_given_up() {
    let baseline = tasks();
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let begin = Instant::now();
    flood(&mut peer).await;
    let error = connection.closed().await;
    assert!(
        matches!(
            error,
            ConnectionError::Limit(sockety::error::LimitExceeded::ReplyBacklog(_))
        ),
        "{error:?}"
    );
    let waited = begin.elapsed().as_secs();
    assert!((1..=3).contains(&waited), "{waited} s");
    drop(peer);
    tasks_are_back_to(baseline).await;
}

#[tokio::test(start_paused = true)]
async fn t_r8_a_peer_that_never_reads_large_replies_is_given_up() {
    let handler = MessageHandler::new().action("echo", |message| async move {
        let response = ResponseDraft::new()
            .data()
            .create(message.payload().clone());
        message.respond(response).await.map(drop)
    });
    let baseline = tasks();
    let (connection, mut peer) = dialogue(handler).await;
    // So it is known to send heartbeats.
    peer.send("A0").await;
    // Until nothing more is read, because as many requests wait as may.
    for number in 0..10_000 {
        let request = message(id(number), "echo", true, &[7; 16_000]);
        let sending = peer.send_bytes(&request);
        let sent = tokio::time::timeout(Duration::from_millis(1), sending).await;
        if sent.is_err() {
            break;
        }
        assert!(number < 9_999, "all was read");
    }
    let begin = Instant::now();
    let closed = tokio::time::timeout(Duration::from_secs(600), connection.closed());
    let error = closed.await.expect("an end");
    assert!(
        matches!(error, ConnectionError::WriteStalled(_)),
        "{error:?}"
    );
    let waited = begin.elapsed().as_secs();
    assert!((29..=32).contains(&waited), "{waited} s");
    drop(peer);
    tasks_are_back_to(baseline).await;
}

#[tokio::test(start_paused = true)]
async fn a_large_response_is_no_backlog_of_replies() {
    let handler = MessageHandler::new().action("get", |message| async move {
        let response = ResponseDraft::new().data().create(vec![7; 4 * MIB]);
        message.respond(response).await.map(drop)
    });
    let (connection, mut peer) = dialogue(handler).await;
    peer.ask(id(1), "get", b"").await;
    // A slow link: 64 KiB a second.
    for _ in 0..32 {
        peer.take(64 * 1024).await;
        sleep(Duration::from_secs(1)).await;
        assert!(!connection.is_closed(), "{:?}", connection.closed().await);
    }
}

#[tokio::test(start_paused = true)]
async fn requests_are_read_while_a_large_response_is_written() {
    let handler = ping_handler().action("get", |message| async move {
        let response = ResponseDraft::new().data().create(vec![7; 4 * MIB]);
        message.respond(response).await.map(drop)
    });
    let (_connection, mut peer) = dialogue(handler).await;
    peer.ask(id(1), "get", b"").await;
    settled().await;
    // More than the pipe holds: it goes out only if the other side reads.
    let ping = message(id(2), "ping", false, &[7; 2 * 64 * 1024]);
    tokio::time::timeout(Duration::from_millis(500), peer.send_bytes(&ping))
        .await
        .expect("read");
}

// Requests of ours.

#[tokio::test(start_paused = true)]
async fn more_requests_than_may_wait_are_refused_at_the_call() {
    let options = Options::default().max_requests_in_flight(2);
    let (connection, mut peer) = dialogue_with(Router::new(), options, PIPE).await;
    let first = ask(&connection, "ask").await;
    let second = ask(&connection, "ask").await;
    let error = connection.send(&Draft::new("ask")).await.expect_err("busy");
    assert!(matches!(error, SendError::Busy { limit: 2 }), "{error:?}");
    connection
        .pass(&Draft::new("note"))
        .await
        .expect("needs no place");
    peer.expect_message("ask").await;
    peer.expect_message("ask").await;
    peer.expect_message("note").await;
    peer.expect_silence().await;
    peer.reply(first.id(), 0).await;
    assert_eq!(code_of(first).await, 0);
    let third = ask(&connection, "ask").await;
    connection.send(&Draft::new("ask")).await.expect_err("busy");
    drop(second);
    drop(third);
    drop(ask(&connection, "ask").await);
}

#[tokio::test(start_paused = true)]
async fn a_busy_call_was_not_sent() {
    #[service]
    trait Work {
        async fn work(&self);
    }
    // As one.
    let options = Options::default().max_requests_in_flight(0);
    let (connection, mut peer) = dialogue_with(Router::new(), options, PIPE).await;
    let client = WorkClient::new(connection.clone());
    let first = client.work().start();
    peer.expect_message("work").await;
    let error = client.work().await.expect_err("busy");
    assert_eq!(error.outcome(), Outcome::NotSent);
    peer.expect_silence().await;
    drop(first);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_reply_times_out_and_a_late_reply_is_ignored() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let begin = Instant::now();
    let mut request = ask(&connection, "ask").await;
    peer.expect_message("ask").await;
    let error = request.response().await.expect_err("no reply");
    assert!(matches!(error, RequestError::TimedOut { .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::Unknown);
    let waited = begin.elapsed().as_secs();
    assert!((30..=32).contains(&waited), "{waited} s");
    peer.reply(request.id(), 0).await;
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn each_further_response_has_the_whole_time_again() {
    let options = Options::default().call_timeout(Some(Duration::from_secs(3)));
    let (connection, mut peer) = dialogue_with(Router::new(), options, PIPE).await;
    let mut request = ask(&connection, "ask").await;
    peer.expect_message("ask").await;
    for number in 0..5 {
        sleep(Duration::from_secs(2)).await;
        peer.respond(request.id(), id(number), b"").await;
        request.response().await.expect("a reply");
    }
    let error = request.response().await.expect_err("no reply");
    assert!(matches!(error, RequestError::TimedOut { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn t_m17_payloads_count_until_their_handlers_have_ended() {
    let options = Options::default().max_payload_bytes(3 * MIB as u64);
    let (connection, mut peer) = dialogue_with(waiting_handler(), options, 8 * MIB).await;
    for number in 1..=3 {
        peer.ask(id(number), "wait", &vec![0; MIB]).await;
    }
    settled().await;
    // One more is taken, and nothing is read after it.
    peer.ask(id(4), "wait", &vec![0; MIB]).await;
    peer.ask(id(5), "ping", b"").await;
    peer.expect_silence().await;
    // While a call of this side waits, reading goes on, and what is beyond is refused.
    let request = ask(&connection, "ask").await;
    peer.expect_message("ask").await;
    peer.expect_code(id(5), 0).await;
    peer.ask(id(6), "ping", &vec![0; MIB]).await;
    peer.expect_code(id(6), 3840).await;
    // Little ones need no room.
    peer.ask(id(7), "ping", &vec![0; 16 * 1024]).await;
    peer.expect_code(id(7), 0).await;
    peer.reply(request.id(), 0).await;
    assert_eq!(code_of(request).await, 0);
}

#[tokio::test(start_paused = true)]
async fn t_m2_files_that_are_announced_count_until_their_messages_are_done_with() {
    let options = Options::default().max_open_files(5);
    let (connection, mut peer) = dialogue_with(waiting_handler(), options, PIPE).await;
    let begin = |channel, number, files: &[u64]| {
        let channel = sockety_codec::ChannelId::new(channel).expect("a channel");
        head_on(channel, id(number), "wait", Asks::Reply, 0, false, files)
    };
    peer.send_bytes(&begin(1, 1, &[1, 1, 1])).await;
    peer.send_bytes(&begin(2, 2, &[1, 1, 1])).await;
    peer.expect_code(id(2), 3840).await;
    peer.send_bytes(&begin(3, 3, &[1, 1])).await;
    peer.expect_silence().await;
    assert_eq!(connection.stats().overloaded, 1);
}

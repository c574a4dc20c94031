//! How connections end, and what everything that waits on one is told.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::task::AtomicWaker;
use serde::{Deserialize, Deserializer, Serialize};
use sockety::{
    Connection, FastReply, Options, Outcome, Router,
    error::{ClosedBy, ConnectionError, RequestError, SendError},
    message::{Draft, Request},
    serve::MessageHandler,
};
use sockety_codec::{ChannelId, Truncated};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::time::Instant;
use tracing_subscriber::{Layer, layer, prelude::*};

use crate::support::{
    HEADER, Log, PIPE, Peer, Received, answers_ping, bytes, code_of, dialogue, dialogue_with, hex,
    id, is_closed_by, is_pending, pair_serving, ping_handler, settled, tasks, tasks_are_back_to,
    waiting_handler,
};

async fn ask(connection: &Connection, action: &str) -> Request {
    connection.send(&Draft::new(action)).await.expect("sent")
}

/// How the wait for the reply ended.
async fn end_of(mut request: Request) -> (ConnectionError, Outcome) {
    match request.response().await.expect_err("no reply") {
        RequestError::Disconnected { error, outcome, .. } => (error, outcome),
        other => panic!("{other:?}"),
    }
}

async fn ends_with(request: Request, by: ClosedBy, outcome: Outcome) {
    let (error, found) = end_of(request).await;
    assert!(is_closed_by(&error, by), "{error:?}");
    assert_eq!(found, outcome);
}

/// Checks that nothing can be sent any more.
async fn refuses_to_send(connection: &Connection) {
    let error = connection
        .send(&Draft::new("late"))
        .await
        .expect_err("refused");
    assert!(matches!(error, SendError::Disconnected { .. }), "{error:?}");
    let error = connection
        .pass(&Draft::new("late"))
        .await
        .expect_err("refused");
    assert_eq!(error.outcome(), Outcome::NotSent);
}

// In order.

#[tokio::test(start_paused = true)]
async fn closing_says_goodbye_and_ends_both_sides() {
    let baseline = tasks();
    let (near, far) = pair_serving(ping_handler()).await;
    assert!(!near.is_closed());
    near.close().await;
    assert!(near.is_closed());
    assert!(is_closed_by(&near.closed().await, ClosedBy::Local));
    assert!(is_closed_by(&far.closed().await, ClosedBy::Peer));
    refuses_to_send(&near).await;
    refuses_to_send(&far).await;
    tasks_are_back_to(baseline).await;
}

#[tokio::test(start_paused = true)]
async fn closing_writes_go_away_and_then_the_end() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let closing = tokio::spawn(async move { connection.close().await });
    peer.expect("B0").await;
    peer.expect_end().await;
    closing.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn closing_again_changes_nothing() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    tokio::join!(connection.close(), connection.close());
    connection.close().await;
    peer.expect("B0").await;
    peer.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_fail_at_once_when_the_connection_is_closed() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let first = ask(&connection, "ask").await;
    let second = ask(&connection, "ask").await;
    peer.expect_message("ask").await;
    peer.expect_message("ask").await;
    let begin = Instant::now();
    tokio::join!(connection.close(), async {
        ends_with(first, ClosedBy::Local, Outcome::Unknown).await;
        ends_with(second, ClosedBy::Local, Outcome::Unknown).await;
        assert_eq!(begin.elapsed(), Duration::ZERO);
    });
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_fail_at_once_when_the_peer_closes() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let request = ask(&connection, "ask").await;
    peer.expect_message("ask").await;
    let begin = Instant::now();
    drop(peer);
    let by = ClosedBy::PeerWithoutGoAway;
    ends_with(request, by, Outcome::Unknown).await;
    assert!(is_closed_by(&connection.closed().await, by));
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn replies_that_came_before_the_end_are_given_first() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let mut request = ask(&connection, "ask").await;
    peer.expect_message("ask").await;
    peer.respond(request.id(), id(1), b"first").await;
    drop(peer);
    connection.closed().await;
    let reply = request.response().await.expect("a reply");
    let response = reply.into_response().expect("a response");
    assert_eq!(response.payload(), &b"first"[..]);
    ends_with(request, ClosedBy::PeerWithoutGoAway, Outcome::Executed).await;
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_came_with_the_end_is_given_though_something_waits_to_be_written() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let request = ask(&connection, "ask").await;
    peer.expect_message("ask").await;
    peer.reply(request.id(), 7).await;
    drop(peer);
    let _unsent = connection
        .send(&Draft::new("more"))
        .await
        .expect("accepted");
    assert_eq!(code_of(request).await, 7);
}

#[tokio::test(start_paused = true)]
async fn a_call_said_not_to_be_sent_is_not_written_while_closing() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    // Nothing else ran since: not a byte of it was written.
    let request = ask(&connection, "ask").await;
    let mut closing = Box::pin(connection.close());
    assert!(is_pending(&mut closing).await);
    let (_, outcome) = end_of(request).await;
    let (first, ()) = tokio::join!(peer.next(), closing);
    match outcome {
        Outcome::NotSent => assert_eq!(first, Some(Received::GoAway)),
        outcome => assert_eq!(outcome, Outcome::Unknown),
    }
}

#[tokio::test(start_paused = true)]
async fn t_a8_the_last_handle_to_go_writes_what_was_accepted() {
    let baseline = tasks();
    let (connection, mut peer) = dialogue_with(Router::new(), Options::default(), 64).await;
    let large = Draft::new("large").data().create(vec![7; 50_000]);
    for message in [large, Draft::new("small").create()] {
        drop(connection.send(message).await.expect("accepted"));
    }
    drop(connection);
    let (_, payload) = peer.expect_message("large").await;
    assert!(payload == vec![7; 50_000]);
    peer.expect_message("small").await;
    peer.expect("B0").await;
    peer.expect_end().await;
    drop(peer);
    tasks_are_back_to(baseline).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_lives_while_one_handle_does() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let clone = connection.clone();
    drop(connection);
    answers_ping(&mut peer).await;
    let request = ask(&clone, "ask").await;
    drop(clone);
    peer.expect_message("ask").await;
    answers_ping(&mut peer).await;
    peer.reply(request.id(), 7).await;
    assert_eq!(code_of(request).await, 7);
    peer.expect("B0").await;
    peer.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_handlers_that_owe_a_reply() {
    let handler = MessageHandler::new().action("slow", |_| async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        FastReply::ACCEPT
    });
    let (connection, mut peer) = dialogue(handler).await;
    peer.ask(id(1), "slow", b"").await;
    settled().await;
    let closing = tokio::spawn(async move { connection.close().await });
    peer.expect("B0").await;
    peer.expect_code(id(1), 0).await;
    peer.expect_end().await;
    closing.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn closing_waits_no_longer_than_it_says() {
    let baseline = tasks();
    let (connection, mut peer) = dialogue(waiting_handler()).await;
    peer.ask(id(1), "wait", b"").await;
    settled().await;
    let begin = Instant::now();
    connection.close().await;
    let waited = begin.elapsed().as_secs();
    assert!((6..=7).contains(&waited), "{waited} s");
    peer.expect("B0").await;
    peer.expect_end().await;
    drop(peer);
    // The handler itself is not stopped.
    tasks_are_back_to(baseline + 1).await;
}

#[tokio::test(start_paused = true)]
async fn closing_ends_though_the_peer_reads_nothing() {
    let (connection, _peer) = dialogue_with(Router::new(), Options::default(), 64).await;
    let large = Draft::new("large").data().create(vec![7; 50_000]);
    drop(connection.send(large).await.expect("accepted"));
    let begin = Instant::now();
    connection.close().await;
    let waited = begin.elapsed().as_secs();
    assert!((5..=7).contains(&waited), "{waited} s");
}

#[tokio::test(start_paused = true)]
async fn t_s5_a_peer_that_sends_no_more_still_gets_its_replies() {
    let baseline = tasks();
    let handler = ping_handler().action("slow", |_| async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        FastReply::REJECT
    });
    let (connection, mut peer) = dialogue(handler).await;
    let own = ask(&connection, "ask").await;
    peer.expect_message("ask").await;
    peer.ask(id(1), "slow", b"").await;
    peer.ask(id(2), "ping", b"").await;
    peer.finish().await;
    peer.expect_code(id(2), 0).await;
    let by = ClosedBy::PeerWithoutGoAway;
    ends_with(own, by, Outcome::Unknown).await;
    peer.expect_code(id(1), 1).await;
    peer.expect_end().await;
    assert!(is_closed_by(&connection.closed().await, by));
    drop(peer);
    tasks_are_back_to(baseline).await;
}

#[tokio::test(start_paused = true)]
async fn t_r9_go_away_of_the_peer_ends_nothing_that_is_under_way() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let request = ask(&connection, "ask").await;
    peer.expect_message("ask").await;
    peer.send("B0").await;
    peer.send("B0 A0").await;
    answers_ping(&mut peer).await;
    peer.reply(request.id(), 7).await;
    assert_eq!(code_of(request).await, 7);
    assert!(!connection.is_closed());
}

#[tokio::test(start_paused = true)]
async fn t_r9_a_call_after_go_away_of_the_peer_is_not_sent() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    peer.send("B0").await;
    settled().await;
    let error = connection
        .send(&Draft::new("late"))
        .await
        .expect_err("refused");
    assert!(matches!(error, SendError::PeerGoingAway), "{error:?}");
    peer.expect_silence().await;
}

// Out of order.

async fn check_truncated(digits: &str, expected: Truncated) {
    let baseline = tasks();
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let request = ask(&connection, "ask").await;
    peer.expect_message("ask").await;
    peer.send(digits).await;
    drop(peer);
    let (error, outcome) = end_of(request).await;
    assert!(
        matches!(error, ConnectionError::Truncated(found) if found == expected),
        "{digits}: {error:?}"
    );
    assert_eq!(outcome, Outcome::Unknown);
    let error = connection.closed().await;
    assert!(matches!(error, ConnectionError::Truncated(_)), "{error:?}");
    refuses_to_send(&connection).await;
    tasks_are_back_to(baseline).await;
}

#[tokio::test(start_paused = true)]
async fn t_f8_an_end_inside_a_message_is_a_truncated_connection() {
    let channel = ChannelId::ZERO;
    let one = hex(id(1));
    check_truncated("21", Truncated::Packet).await;
    check_truncated("21 16", Truncated::Head { channel }).await;
    check_truncated("21 16 00", Truncated::Head { channel }).await;
    check_truncated("30 00", Truncated::Packet).await;
    check_truncated(
        &format!("21 16 00 {one} 04 7069"),
        Truncated::Head { channel },
    )
    .await;
    let head = format!("21 17 40 {one} 04 70696e67 05");
    check_truncated(&head, Truncated::Content { channel }).await;
    check_truncated(&format!("{head} E0 02 01"), Truncated::Content { channel }).await;
}

#[tokio::test(start_paused = true)]
async fn an_end_inside_a_response_tells_its_request_so() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let request = ask(&connection, "ask").await;
    peer.expect_message("ask").await;
    let parent = hex(request.id());
    peer.send(&format!("50 22 40 {parent} {} 05 E0 05 01", hex(id(1))))
        .await;
    drop(peer);
    let (error, _) = end_of(request).await;
    assert!(matches!(error, ConnectionError::Truncated(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_violation_is_handled() {
    let (_connection, mut peer) = dialogue(ping_handler()).await;
    let mut bytes = crate::support::message(id(1), "ping", true, b"");
    bytes.push(0xF0);
    peer.send_bytes(&bytes).await;
    peer.expect_code(id(1), 0).await;
    peer.expect("B0").await;
    peer.expect_end().await;
}

/// Fills the pipe with a message and queues another; returns the requests.
async fn half_written(connection: &Connection) -> (Request, Request) {
    let large = Draft::new("large").data().create(vec![7; 50_000]);
    let begun = connection.send(large).await.expect("accepted");
    let queued = ask(connection, "queued").await;
    settled().await;
    (begun, queued)
}

#[tokio::test(start_paused = true)]
async fn the_outcome_is_known_by_whether_a_byte_was_written() {
    let (connection, mut peer) = dialogue_with(Router::new(), Options::default(), 64).await;
    let (begun, queued) = half_written(&connection).await;
    let mut passing = Box::pin(connection.pass(Draft::new("queued too").create()));
    assert!(is_pending(&mut passing).await);
    // Half a packet, and then nothing more comes.
    peer.send("21").await;
    peer.finish().await;
    assert_eq!(end_of(begun).await.1, Outcome::Unknown);
    assert_eq!(end_of(queued).await.1, Outcome::NotSent);
    let error = passing.await.expect_err("not written");
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(
        matches!(error, RequestError::Disconnected { .. }),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_one_way_message_that_was_begun_has_an_unknown_outcome() {
    let (connection, peer) = dialogue_with(Router::new(), Options::default(), 64).await;
    let large = Draft::new("large").data().create(vec![7; 50_000]);
    let mut passing = Box::pin(connection.pass(large));
    assert!(is_pending(&mut passing).await);
    settled().await;
    drop(peer);
    let error = passing.await.expect_err("not written");
    assert_eq!(error.outcome(), Outcome::Unknown);
}

/// What the peer reads until the end, by action.
async fn actions(peer: &mut Peer) -> Vec<String> {
    let mut actions = Vec::new();
    while let Some(received) = peer.next().await {
        if let Received::Message { action, .. } = received {
            actions.push(action);
        }
    }
    actions
}

#[tokio::test(start_paused = true)]
async fn a_call_said_not_to_be_sent_is_not_written_after_a_violation() {
    let (connection, mut peer) = dialogue_with(Router::new(), Options::default(), 64).await;
    let (_begun, queued) = half_written(&connection).await;
    peer.send("F0").await;
    let outcome = end_of(queued).await.1;
    let actions = actions(&mut peer).await;
    match outcome {
        Outcome::NotSent => assert!(!actions.contains(&"queued".to_owned()), "{actions:?}"),
        outcome => assert_eq!(outcome, Outcome::Unknown),
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_said_not_to_be_sent_is_not_written_after_the_end_of_the_peers_bytes() {
    let (connection, mut peer) = dialogue_with(Router::new(), Options::default(), 64).await;
    let (_begun, queued) = half_written(&connection).await;
    peer.finish().await;
    let outcome = end_of(queued).await.1;
    let actions = actions(&mut peer).await;
    match outcome {
        Outcome::NotSent => assert!(!actions.contains(&"queued".to_owned()), "{actions:?}"),
        outcome => assert_eq!(outcome, Outcome::Unknown),
    }
}

#[tokio::test(start_paused = true)]
async fn senders_that_wait_for_a_place_learn_of_the_end() {
    let options = Options::default().max_outbox_bytes(100);
    let (connection, peer) = dialogue_with(Router::new(), options, 64).await;
    let (_begun, waiting) = {
        let large = Draft::new("large").data().create(vec![7; 50_000]);
        let begun = connection.send(large).await.expect("accepted");
        let connection = connection.clone();
        let waiting = tokio::spawn(async move { connection.send(&Draft::new("next")).await });
        (begun, waiting)
    };
    settled().await;
    assert!(!waiting.is_finished());
    drop(peer);
    let error = waiting.await.expect("no panic").expect_err("refused");
    assert!(matches!(error, SendError::Disconnected { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn senders_that_wait_for_a_place_learn_at_once_that_the_connection_is_closed() {
    let options = Options::default().max_outbox_bytes(100);
    let (connection, mut peer) = dialogue_with(Router::new(), options, 64).await;
    let large = Draft::new("large").data().create(vec![7; 50_000]);
    let _begun = connection.send(large).await.expect("accepted");
    let sender = connection.clone();
    let waiting = tokio::spawn(async move { sender.send(&Draft::new("next")).await });
    settled().await;
    let begin = Instant::now();
    let closing = tokio::spawn(async move { connection.close().await });
    let error = waiting.await.expect("no panic").expect_err("refused");
    assert!(matches!(error, SendError::Disconnected { .. }), "{error:?}");
    assert_eq!(begin.elapsed(), Duration::ZERO);
    peer.expect_message("large").await;
    peer.expect("B0").await;
    peer.expect_end().await;
    closing.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_connection_is_gone_ends_in_peace() {
    let baseline = tasks();
    let handler = MessageHandler::new().action("slow", |message| async move {
        message.connection().closed().await;
        let error = message.accept().await.expect_err("gone");
        assert!(matches!(error, SendError::Disconnected { .. }), "{error:?}");
        Ok::<_, SendError>(FastReply::ACCEPT)
    });
    let (connection, mut peer) = dialogue(handler).await;
    peer.ask(id(1), "slow", b"").await;
    peer.send("F0").await;
    connection.closed().await;
    peer.expect("B0").await;
    peer.expect_end().await;
    drop(peer);
    drop(connection);
    tasks_are_back_to(baseline).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_panics_outside_its_future_costs_only_its_message() {
    #[derive(Serialize)]
    struct Unreadable;

    impl<'de> Deserialize<'de> for Unreadable {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            panic!("a panic");
        }
    }

    #[sockety::service]
    trait Broken {
        async fn broken(&self, value: Unreadable);
    }

    struct Implementation;

    impl Broken for Implementation {
        async fn broken(&self, _: Unreadable) {}
    }

    let router = Router::new()
        .service(BrokenServer::new(Implementation))
        .expect("one action")
        .handler(ping_handler());
    let (_connection, mut peer) = dialogue(router).await;
    peer.ask(id(1), "broken", b"\xc0").await;
    peer.expect_code(id(1), 5).await;
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn many_connections_leave_no_tasks_behind() {
    let baseline = tasks();
    for round in 0..20_usize {
        let (near, far) = duplex(PIPE);
        let (near, far) = tokio::try_join!(
            Connection::over(near, Router::new(), Options::default()),
            Connection::over(far, ping_handler(), Options::default()),
        )
        .expect("two connections");
        let request = ask(&near, "ping").await;
        assert_eq!(code_of(request).await, 0);
        match round % 3 {
            0 => near.close().await,
            1 => far.close().await,
            _ => {}
        }
    }
    tasks_are_back_to(baseline).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_was_thrown_out_and_goes_on_sending_is_not_read_for_long() {
    let (near, mut far) = tokio::io::duplex(PIPE);
    far.write_all(&bytes(HEADER)).await.expect("open");
    let connection = Connection::over(near, Router::new(), Options::default());
    let connection = connection.await.expect("a connection");
    far.write_all(&bytes("F0")).await.expect("open");
    let begin = Instant::now();
    let mut taken = 0;
    while let Ok(count) = far.write(&[0; PIPE]).await {
        taken += count;
    }
    assert!(taken > 1024 * 1024, "{taken} bytes taken");
    assert!(taken < 5 * 1024 * 1024, "{taken} bytes taken");
    assert_eq!(begin.elapsed().as_secs(), 1);
    assert!(connection.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_go_away_before_it_ends_is_told_from_one_that_does_not() {
    for (bytes, by, text) in [
        ("B0", ClosedBy::Peer, "connection closed by the peer"),
        (
            "",
            ClosedBy::PeerWithoutGoAway,
            "connection closed by the peer without Go Away",
        ),
    ] {
        let (connection, mut peer) = dialogue(Router::new()).await;
        peer.send(bytes).await;
        drop(peer);
        let error = connection.closed().await;
        assert!(is_closed_by(&error, by), "{error:?}");
        assert_eq!(error.to_string(), text);
    }
}

/// A socket that takes nothing until it fails. As with a real one, its error is reported once, to
/// whichever operation comes first; after that its input has ended.
struct Failing {
    inner: DuplexStream,
    fails: Arc<Fails>,
    failure: Option<io::ErrorKind>,
    /// Whether the write notices the failure, rather than the read.
    at_write: bool,
    /// How many bytes it takes before.
    room: usize,
}

#[derive(Default)]
struct Fails {
    now: AtomicBool,
    waker: AtomicWaker,
}

impl Failing {
    fn failed(&mut self, cx: &Context<'_>, notices: bool) -> Option<io::Result<()>> {
        self.fails.waker.register(cx.waker());
        if !self.fails.now.load(Ordering::SeqCst) {
            return None;
        }
        match self.failure {
            Some(_) if !notices => None,
            Some(_) => Some(Err(self.failure.take().expect("a failure").into())),
            None => Some(Ok(())),
        }
    }
}

impl AsyncRead for Failing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let notices = !self.at_write;
        if let Some(failed) = self.failed(cx, notices) {
            return Poll::Ready(failed);
        }
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Failing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let notices = self.at_write;
        if let Some(failed) = self.failed(cx, notices) {
            return Poll::Ready(failed.and(Err(io::ErrorKind::BrokenPipe.into())));
        }
        let count = bytes.len().min(self.room);
        if count == 0 {
            return Poll::Pending;
        }
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &bytes[..count]))?;
        self.room -= written;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Two calls behind a socket that fails: the second was never handed to it. Returns what both are
/// told, and the connection.
async fn calls_on(failure: io::ErrorKind, at_write: bool) -> ([RequestError; 2], Connection) {
    let (near, mut far) = duplex(PIPE);
    let fails = Arc::new(Fails::default());
    let link = Failing {
        inner: near,
        fails: Arc::clone(&fails),
        failure: Some(failure),
        at_write,
        // The connection header, and the beginning of the first call.
        room: 3 + 10,
    };
    far.write_all(&[0xE2, 0, 1]).await.expect("a header");
    let connection = Connection::over(link, Router::new(), Options::default());
    let connection = connection.await.expect("established");
    let mut first = ask(&connection, "first").await;
    settled().await;
    let mut second = ask(&connection, "second").await;
    settled().await;
    fails.now.store(true, Ordering::SeqCst);
    fails.waker.wake();
    let errors = [
        first.response().await.expect_err("no reply"),
        second.response().await.expect_err("no reply"),
    ];
    (errors, connection)
}

#[tokio::test(start_paused = true)]
async fn when_the_link_fails_everybody_is_told_why_and_what_never_left_is_not_sent() {
    for at_write in [true, false] {
        let (errors, connection) = calls_on(io::ErrorKind::ConnectionReset, at_write).await;
        let outcomes = errors.each_ref().map(RequestError::outcome);
        // A write that failed may have handed over what it was given; a read hands over nothing.
        assert_eq!(outcomes, [Outcome::Unknown, Outcome::NotSent]);
        let ends = errors.map(|error| match error {
            RequestError::Disconnected { error, .. } => error,
            other => panic!("{other:?}"),
        });
        for error in [&ends[0], &ends[1], &connection.closed().await] {
            let ConnectionError::Io(source) = error else {
                panic!("{error:?}");
            };
            assert_eq!(source.kind(), io::ErrorKind::ConnectionReset);
        }
        assert_eq!(connection.stats().timed_out_connections, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_to_a_peer_that_has_closed_says_so() {
    let (errors, connection) = calls_on(io::ErrorKind::BrokenPipe, true).await;
    let by = ClosedBy::PeerWithoutGoAway;
    assert!(is_closed_by(&connection.closed().await, by));
    let outcomes = errors.each_ref().map(RequestError::outcome);
    assert_eq!(outcomes, [Outcome::Unknown, Outcome::NotSent]);
}

/// How a connection ends whose peer says Go Away, and whose link is reset: with a call under way, or
/// without.
async fn reset_after_go_away(is_waiting: bool) -> ConnectionError {
    let (near, mut far) = duplex(PIPE);
    let fails = Arc::new(Fails::default());
    let link = Failing {
        inner: near,
        fails: Arc::clone(&fails),
        failure: Some(io::ErrorKind::ConnectionReset),
        at_write: false,
        room: PIPE,
    };
    far.write_all(&[0xE2, 0, 1]).await.expect("a header");
    let connection = Connection::over(link, Router::new(), Options::default());
    let connection = connection.await.expect("established");
    let call = match is_waiting {
        true => Some(ask(&connection, "call").await),
        false => None,
    };
    far.write_all(&[0xB0]).await.expect("Go Away");
    settled().await;
    fails.now.store(true, Ordering::SeqCst);
    fails.waker.wake();
    let error = connection.closed().await;
    drop(call);
    error
}

#[tokio::test(start_paused = true)]
async fn a_reset_after_go_away_is_an_orderly_end_when_everything_is_finished() {
    let error = reset_after_go_away(false).await;
    assert!(is_closed_by(&error, ClosedBy::Peer), "{error:?}");
    let error = reset_after_go_away(true).await;
    assert!(matches!(error, ConnectionError::Io(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn t_s4_a_peer_that_the_system_finds_gone_counts_like_one_that_the_clock_finds_gone() {
    for failure in [
        io::ErrorKind::TimedOut,
        io::ErrorKind::HostUnreachable,
        io::ErrorKind::NetworkUnreachable,
    ] {
        for at_write in [true, false] {
            let (_, connection) = calls_on(failure, at_write).await;
            let error = connection.closed().await;
            assert!(matches!(error, ConnectionError::Io(_)), "{error:?}");
            assert_eq!(connection.stats().timed_out_connections, 1, "{failure}");
        }
    }
}

/// Notes the level and the message of each event of the library.
#[derive(Clone, Default)]
struct Events(Log);

impl Events {
    fn subscribe(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::registry().with(self.clone());
        tracing::subscriber::set_default(subscriber)
    }

    /// How the end of a connection was logged.
    fn ends(&self) -> Vec<String> {
        let mut events = self.0.events();
        events.retain(|event| event.contains(" connection "));
        events.retain(|event| !event.contains("established"));
        events
    }
}

impl<S: tracing::Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &tracing::Event<'_>, _: layer::Context<'_, S>) {
        if event.metadata().target().starts_with("sockety") {
            let mut message = Message::default();
            event.record(&mut message);
            let level = event.metadata().level();
            self.0.note(format!("{level} {}", message.0));
        }
    }
}

#[derive(Default)]
struct Message(String);

impl tracing::field::Visit for Message {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_needs_attention_is_logged_as_such() {
    for (bytes, has_call, expected) in [
        ("B0", true, "DEBUG connection closed by the peer"),
        (
            "",
            false,
            "DEBUG connection closed by the peer without Go Away",
        ),
        (
            "",
            true,
            "INFO connection closed by the peer without Go Away, with calls in flight",
        ),
    ] {
        let events = Events::default();
        let _subscribed = events.subscribe();
        let (connection, mut peer) = dialogue(Router::new()).await;
        let request = match has_call {
            true => Some(ask(&connection, "ask").await),
            false => None,
        };
        peer.send(bytes).await;
        drop(peer);
        connection.closed().await;
        assert_eq!(events.ends(), [expected]);
        drop(request);
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_the_system_finds_gone_is_a_warning_with_its_reason() {
    let (log, _guard) = Log::of_warnings();
    let (_, connection) = calls_on(io::ErrorKind::TimedOut, false).await;
    connection.closed().await;
    let [line] = &log.events()[..] else {
        panic!("{:?}", log.events())
    };
    let expected = "connection ended reason=connection failed: timed out suppressed=0";
    assert!(line.contains(expected), "{line}");
}

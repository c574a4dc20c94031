//! Calls that are given up, and what becomes of them, between two sides with the extension.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use sockety::{
    ByteStream, CallError, Connection, Context, FastReply, Options, Outcome, Router, Server,
    client::{CallNext, CallResult, Cancelled, OutgoingCall, ServiceClient},
    config::Extension,
    error::{ConnectionError, RequestError, SendError},
    message::{Draft, ResponseDraft},
    serve::{FirstMessage, IntoRouter, Message, MessageHandler},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    sync::Notify,
    time::Instant,
};

use crate::support::{
    HEADER, OFFER, PIPE, Peer, Received, bytes, hex, id, is_pending, pair_with, ping_handler,
    settled,
};

/// Settings with all defaults.
const SETTINGS: &str = "F0 01 00";
/// Those of our default options: calls have a deadline of 30 s.
const OURS: &str = "F0 08 00 0B 307500000000";

fn extended() -> Options {
    Options::default().extension(Extension::Auto)
}

/// One of our connections that calls, and a peer that has sent its settings.
async fn scripted(options: Options) -> (Connection, Peer) {
    let (near, far) = duplex(PIPE);
    let mut peer = Peer::silent(far);
    peer.send(OFFER).await;
    let options = options.extension(Extension::Auto);
    let connection = Connection::over(near, Router::new(), options).await;
    peer.expect(OFFER).await;
    peer.send(SETTINGS).await;
    (connection.expect("connected"), peer)
}

/// Skips heartbeats.
async fn expect_cancel(peer: &mut Peer, number: u32) {
    let mut found = peer.take(7).await;
    while found[0] == 0xA0 {
        found.remove(0);
        found.extend(peer.take(1).await);
    }
    assert_eq!(
        found,
        [&bytes("F0 05 01")[..], &number.to_le_bytes()].concat()
    );
}

#[sockety::service]
trait Bank {
    async fn report(&self, year: u16) -> u32;
    #[action(no_cancel)]
    async fn pay(&self) -> u32;
    async fn quick(&self) -> u32;
    async fn upload(&self, content: ByteStream) -> u32;
}

/// Counts what began, what was dropped before its end, and what came to it.
#[derive(Clone, Default)]
struct Books {
    counts: Arc<[AtomicUsize; 3]>,
    released: Arc<Notify>,
}

struct OnDrop(Arc<[AtomicUsize; 3]>, usize);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0[self.1].fetch_add(1, Ordering::SeqCst);
    }
}

impl Books {
    fn counts(&self) -> [usize; 3] {
        [0, 1, 2].map(|at| self.counts[at].load(Ordering::SeqCst))
    }

    async fn work(&self) {
        self.counts[0].fetch_add(1, Ordering::SeqCst);
        let mut ends = OnDrop(Arc::clone(&self.counts), 1);
        self.released.notified().await;
        ends.1 = 2;
    }
}

impl Bank for Books {
    async fn report(&self, year: u16) -> u32 {
        self.work().await;
        year.into()
    }

    async fn pay(&self) -> u32 {
        self.work().await;
        7
    }

    async fn quick(&self) -> u32 {
        9
    }

    async fn upload(&self, mut content: ByteStream) -> u32 {
        self.work().await;
        let mut count = 0;
        while let Ok(Some(chunk)) = content.next_chunk().await {
            count += chunk.len();
        }
        count as u32
    }
}

async fn bank(far: Options) -> (Books, BankClient, [Connection; 2]) {
    let books = Books::default();
    let far = far.extension(Extension::Auto);
    let server = BankServer::new(books.clone());
    let (near, far) = pair_with((Router::new(), extended()), (server, far), PIPE).await;
    (books, BankClient::new(near.clone()), [near, far])
}

/// The outcome, and the value of a reply.
fn known<E: std::fmt::Debug>(cancelled: Cancelled<Result<u32, E>>) -> (Outcome, Option<u32>) {
    let outcome = cancelled.outcome();
    let value = cancelled.reply().map(|reply| reply.expect("a value"));
    (outcome, value)
}

/// Its handler learns that the upload has broken off, and answers.
#[tokio::test(start_paused = true)]
async fn the_answer_to_an_upload_that_failed_is_no_unexpected_reply() {
    let (books, bank, [near, _far]) = bank(Options::default()).await;
    for _ in 0..3 {
        let (writer, content) = ByteStream::pipe(1_024);
        let call = bank.upload(content).start();
        settled().await;
        // Without its end.
        drop(writer);
        call.await.expect_err("its source has failed");
        books.released.notify_one();
        settled().await;
    }
    assert_eq!(books.counts(), [3, 0, 3]);
    let stats = near.stats();
    assert_eq!((stats.unexpected_replies, stats.late_replies), (0, 3));
}

// r[verify ext.cancel.when]
// r[verify ext.codes]
#[tokio::test(start_paused = true)]
async fn who_cancels_a_call_learns_what_became_of_it() {
    let (books, bank, [near, _far]) = bank(Options::default().max_requests_executing(2)).await;
    // Never sent.
    assert_eq!(
        known(bank.report(1).cancel().await),
        (Outcome::NotSent, None)
    );
    // Begun: dropped.
    let report = bank.report(2026).start();
    settled().await;
    assert_eq!(books.counts(), [1, 0, 0]);
    assert_eq!(known(report.cancel().await), (Outcome::Executed, None));
    assert_eq!(books.counts(), [1, 1, 0]);
    // The answer is there already.
    let quick = bank.quick().start();
    settled().await;
    assert_eq!(known(quick.cancel().await), (Outcome::Replied, Some(9)));
    // Begun, and to run to its end.
    let paid = bank.pay().start();
    settled().await;
    let cancelling = tokio::spawn(paid.cancel());
    settled().await;
    assert!(!cancelling.is_finished());
    books.released.notify_one();
    let paid = cancelling.await.expect("no panic");
    assert_eq!(known(paid), (Outcome::Replied, Some(7)));
    // It waits for its turn.
    let [one, two, three] = [1, 2, 3].map(|year| bank.report(year).start());
    settled().await;
    assert_eq!(known(three.cancel().await), (Outcome::NotExecuted, None));
    assert_eq!(known(two.cancel().await), (Outcome::Executed, None));
    assert_eq!(known(one.cancel().await), (Outcome::Executed, None));
    assert_eq!(books.counts(), [4, 3, 1]);
    assert_eq!(near.traffic().requests_waiting, 0);
}

// r[verify ext.cancel.when]
#[tokio::test(start_paused = true)]
async fn the_answer_to_a_cancel_is_waited_for_30_seconds() {
    let (connection, mut peer) = scripted(Options::default()).await;
    peer.expect(OURS).await;
    let bank = BankClient::new(connection.clone());
    for (number, code, outcome) in [
        (0, 3844, Outcome::Executed),
        (1, 3843, Outcome::Executed),
        (2, 3847, Outcome::NotExecuted),
        (3, 3840, Outcome::NotExecuted),
        (4, 2, Outcome::NotExecuted),
        (5, 5, Outcome::Executed),
    ] {
        let quick = bank.quick().start();
        let asked = peer.expect_id("21 17 00 <id> 05 717569636B").await;
        let cancelling = tokio::spawn(quick.cancel());
        expect_cancel(&mut peer, number).await;
        peer.reply(asked, code).await;
        let cancelled = cancelling.await.expect("no panic");
        assert_eq!(cancelled.outcome(), outcome, "{code}");
    }
    // The service's own answer.
    let quick = bank.quick().start();
    let asked = peer.expect_id("21 17 00 <id> 05 717569636B").await;
    let cancelling = tokio::spawn(quick.cancel());
    expect_cancel(&mut peer, 6).await;
    peer.respond(asked, id(1), &[9]).await;
    let cancelled = cancelling.await.expect("no panic");
    assert_eq!(known(cancelled), (Outcome::Replied, Some(9)));
    // No answer at all.
    let quick = bank.quick().start();
    let asked = peer.expect_id("21 17 00 <id> 05 717569636B").await;
    let begun = Instant::now();
    assert_eq!(quick.cancel().await.outcome(), Outcome::Unknown);
    let after = begun.elapsed();
    assert!((30..33).contains(&after.as_secs()), "{after:?}");
    expect_cancel(&mut peer, 7).await;
    // It may still come, and is not held against the peer.
    peer.reply(asked, 3844).await;
    settled().await;
    assert!(!connection.is_closed());
    // The connection ends.
    let quick = bank.quick().start();
    settled().await;
    let cancelling = tokio::spawn(quick.cancel());
    settled().await;
    drop(peer);
    let cancelled = cancelling.await.expect("no panic");
    assert_eq!(cancelled.outcome(), Outcome::Unknown);
    let quick = bank.quick().start();
    assert_eq!(quick.cancel().await.outcome(), Outcome::NotSent);
}

#[tokio::test(start_paused = true)]
async fn a_base_peer_is_not_told_of_cancels() {
    let (near, far) = duplex(PIPE);
    let mut peer = Peer::silent(far);
    peer.send(HEADER).await;
    let connection = Connection::over(near, Router::new(), extended()).await;
    peer.expect(OFFER).await;
    let bank = BankClient::new(connection.expect("connected"));
    let quick = bank.quick().start();
    let asked = peer.expect_id("21 17 00 <id> 05 717569636B").await;
    let begun = Instant::now();
    assert_eq!(quick.cancel().await.outcome(), Outcome::Unknown);
    peer.reply(asked, 0).await;
    let quick = bank.quick().start();
    let asked = peer.expect_id("21 17 00 <id> 05 717569636B").await;
    peer.respond(asked, id(1), &[9]).await;
    settled().await;
    assert_eq!(known(quick.cancel().await), (Outcome::Replied, Some(9)));
    assert_eq!(bank.quick().cancel().await.outcome(), Outcome::NotSent);
    assert!(begun.elapsed() < Duration::from_secs(1));
    peer.expect_silence().await;
}

async fn handed_on(call: OutgoingCall, next: CallNext) -> CallResult {
    next.run(call).await
}

// r[verify ext.cancel.when]
#[tokio::test(start_paused = true)]
async fn calls_through_middleware_are_cancelled_too() {
    let (books, bank, [near, _far]) = bank(Options::default()).await;
    drop(bank);
    let bank = BankClient::new(near.clone().layer(handed_on));
    assert_eq!(
        known(bank.report(1).cancel().await),
        (Outcome::NotSent, None)
    );
    let report = bank.report(1).start();
    settled().await;
    assert_eq!(books.counts(), [1, 0, 0]);
    assert_eq!(known(report.cancel().await), (Outcome::Executed, None));
    assert_eq!(books.counts(), [1, 1, 0]);
    let quick = bank.quick().start();
    settled().await;
    assert_eq!(known(quick.cancel().await), (Outcome::Replied, Some(9)));
    assert_eq!(near.traffic().requests_waiting, 0);
    // Middleware that waits has sent nothing.
    let waiting = |call: OutgoingCall, next: CallNext| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        next.run(call).await
    };
    let bank = BankClient::new(near.layer(waiting));
    let report = bank.report(1).start();
    settled().await;
    assert_eq!(known(report.cancel().await), (Outcome::NotSent, None));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(books.counts(), [1, 1, 0]);
}

// r[verify ext.cancel]
#[tokio::test(start_paused = true)]
async fn a_request_without_types_is_cancelled_with_its_upload() {
    let (connection, mut peer) = scripted(Options::default()).await;
    peer.expect(OURS).await;
    let (_writer, stream) = ByteStream::pipe(1);
    let message = Draft::new("x").create().with_stream_from(stream);
    let request = connection.send(message).await.expect("sent");
    let asked = peer.expect_id("01 23 13 00 <id> 01 78").await;
    let cancelling = tokio::spawn(request.cancel());
    peer.expect("90 F0 05 01 00000000").await;
    peer.reply(asked, 3847).await;
    let cancelled = cancelling.await.expect("no panic");
    assert!(matches!(cancelled, Cancelled::NotExecuted), "{cancelled:?}");
    // After the first of its responses, no answer follows.
    let mut request = connection.send(&Draft::new("x")).await.expect("sent");
    let asked = peer.expect_id("00 21 13 00 <id> 01 78").await;
    peer.respond(asked, id(1), &[9]).await;
    request.response().await.expect("a reply");
    let cancelled = request.cancel().await;
    assert!(matches!(cancelled, Cancelled::Executed), "{cancelled:?}");
    peer.expect("F0 05 01 01000000").await;
    // Nor after a code, after which there is nothing to cancel.
    let mut request = connection.send(&Draft::new("x")).await.expect("sent");
    let asked = peer.expect_id("21 13 00 <id> 01 78").await;
    peer.reply(asked, 1).await;
    request.response().await.expect("a reply");
    assert!(request.cancel().await.reply().is_none());
    peer.expect_silence().await;
}

// r[verify ext.cancel.caller]
#[tokio::test(start_paused = true)]
async fn a_cancelled_request_counts_until_its_answer_comes() {
    let options = Options::default().max_requests_in_flight(2);
    let (connection, mut peer) = scripted(options).await;
    peer.expect(OURS).await;
    let ask = async || connection.send(&Draft::new("x")).await;
    let is_busy = |sent: Result<_, SendError>| matches!(sent, Err(SendError::Busy { limit: 2 }));
    let one = ask().await.expect("sent");
    let two = ask().await.expect("sent");
    peer.expect("21 13 00 <id> 01 78").await;
    peer.expect("21 13 00 <id> 01 78").await;
    let (first, second) = (one.id(), two.id());
    drop((one, two));
    expect_cancel(&mut peer, 0).await;
    expect_cancel(&mut peer, 1).await;
    assert_eq!(connection.traffic().requests_waiting, 2);
    assert!(is_busy(ask().await));
    peer.reply(first, 3844).await;
    settled().await;
    assert_eq!(connection.traffic().requests_waiting, 1);
    let three = ask().await.expect("sent");
    peer.expect("21 13 00 <id> 01 78").await;
    assert!(is_busy(ask().await));
    // An answer with content takes the place of a code, and is thrown away.
    peer.send(&format!(
        "01 52 21 00 {} {}",
        hex(second.as_bytes()),
        hex(id(9).as_bytes())
    ))
    .await;
    peer.send("70 04 01020304 80").await;
    settled().await;
    assert_eq!(connection.traffic().requests_waiting, 1);
    // Without an answer it counts for 30 s.
    let third = three.id();
    drop(three);
    expect_cancel(&mut peer, 2).await;
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert_eq!(connection.traffic().requests_waiting, 1);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(connection.traffic().requests_waiting, 0);
    peer.reply(third, 3844).await;
    settled().await;
    let stats = connection.stats();
    assert_eq!(stats.late_replies, 3);
    assert!(!connection.is_closed());
}

/// One of our connections that serves, and a peer that has sent its settings.
async fn serving(serve: impl IntoRouter, options: Options) -> (Connection, Peer) {
    let (near, far) = duplex(PIPE);
    let mut peer = Peer::silent(far);
    peer.send(OFFER).await;
    let options = options.extension(Extension::Auto);
    let connection = Connection::over(near, serve, options).await;
    peer.expect(OFFER).await;
    peer.send(SETTINGS).await;
    (connection.expect("connected"), peer)
}

/// A whole request without a payload.
fn request(number: u64, action: &str) -> String {
    message("21", number, action)
}

fn message(first: &str, number: u64, action: &str) -> String {
    let (id, size) = (hex(id(number).as_bytes()), 18 + action.len());
    format!(
        "{first} {size:02X} 00 {id} {:02X} {}",
        action.len(),
        hex(action)
    )
}

fn cancel(number: u32) -> String {
    format!("F0 05 01 {}", hex(number.to_le_bytes()))
}

#[sockety::service]
trait Farm {
    async fn render(&self, cx: &Context);
    async fn scoped(&self, cx: &Context);
    async fn done(&self, cx: &Context);
    #[action(no_cancel)]
    async fn sure(&self, cx: &Context);
}

/// What was spawned, and what of it has ended for which reason.
#[derive(Clone, Default)]
struct Spawned {
    cancelled: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

impl Spawned {
    fn watch(&self, cx: &Context) {
        let (cancelled, count) = (cx.cancelled(), Arc::clone(&self.cancelled));
        tokio::spawn(async move {
            cancelled.await;
            count.fetch_add(1, Ordering::SeqCst);
        });
    }

    fn scope(&self, cx: &Context) {
        let dropped = Counted(Arc::clone(&self.dropped));
        let scope = cx.scope(async move {
            let _dropped = dropped;
            pending::<()>().await;
        });
        let cancelled = Arc::clone(&self.cancelled);
        tokio::spawn(async move {
            assert_eq!(scope.await, None);
            cancelled.fetch_add(1, Ordering::SeqCst);
        });
    }

    fn counts(&self) -> [usize; 2] {
        [&self.cancelled, &self.dropped].map(|count| count.load(Ordering::SeqCst))
    }
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Farm for Spawned {
    async fn render(&self, cx: &Context) {
        // From the beginning, later, and by a clone that outlives the handler.
        self.watch(cx);
        tokio::task::yield_now().await;
        self.watch(cx);
        let (cx, spawned) = (cx.clone(), self.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(20)).await;
            spawned.watch(&cx);
        });
        pending().await
    }

    async fn scoped(&self, cx: &Context) {
        self.scope(cx);
        let cx = cx.clone();
        self.scope(&cx);
        pending().await
    }

    async fn done(&self, cx: &Context) {
        self.watch(cx);
        self.scope(cx);
    }

    async fn sure(&self, cx: &Context) {
        self.watch(cx);
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

// r[verify ext.cancel.cx]
#[tokio::test(start_paused = true)]
async fn what_a_handler_has_spawned_learns_that_it_was_cancelled() {
    let spawned = Spawned::default();
    let server = FarmServer::new(spawned.clone());
    let (connection, mut peer) = serving(server, Options::default()).await;
    peer.expect(OURS).await;
    // By a cancel.
    peer.send(&request(0, "render")).await;
    settled().await;
    assert_eq!(spawned.counts(), [0, 0]);
    peer.send(&cancel(0)).await;
    peer.expect_code(id(0), 3844).await;
    settled().await;
    assert_eq!(spawned.counts(), [2, 0]);
    tokio::time::sleep(Duration::from_secs(21)).await;
    assert_eq!(spawned.counts(), [3, 0]);
    // By deadlines of 1 s and of 12 s.
    for (number, deadline, seconds) in [(1, "F1 03 01 E803", 1), (2, "F1 03 01 E02E", 12)] {
        let before = spawned.counts();
        peer.send(deadline).await;
        peer.send(&request(number, "scoped")).await;
        tokio::time::sleep(Duration::from_millis(seconds * 1_000 - 100)).await;
        assert_eq!(spawned.counts(), before);
        peer.skip_to_code(id(number), 3843).await;
        settled().await;
        assert_eq!(spawned.counts(), [before[0] + 2, before[1] + 2]);
    }
    // Not by its end, nor by a cancel after that.
    peer.send(&request(3, "done")).await;
    peer.skip_to_code(id(3), 0).await;
    peer.send(&cancel(3)).await;
    // Nor where it runs to its end.
    peer.send(&request(4, "sure")).await;
    peer.send(&cancel(4)).await;
    peer.skip_to_code(id(4), 0).await;
    assert_eq!(spawned.counts(), [7, 4]);
    // All by the end of the connection.
    peer.send(&request(5, "render")).await;
    settled().await;
    drop(peer);
    connection.closed().await;
    settled().await;
    assert_eq!(spawned.counts(), [7 + 3 + 2, 4 + 1]);
}

// r[verify ext.cancel.cx]
#[tokio::test(start_paused = true)]
async fn a_message_that_outlives_its_handler_is_answered_when_it_is_dropped() {
    let released = Arc::new(Notify::new());
    let cancelled = Arc::new(AtomicUsize::new(0));
    let (release, count) = (Arc::clone(&released), Arc::clone(&cancelled));
    let handler = ping_handler().action("keep", move |message: Message| {
        let (release, count) = (Arc::clone(&release), Arc::clone(&count));
        async move {
            let kept = message.clone();
            tokio::spawn(async move {
                kept.cancelled().await;
                count.fetch_add(1, Ordering::SeqCst);
                release.notified().await;
                drop(kept);
            });
            pending::<()>().await;
        }
    });
    let (connection, mut peer) = serving(handler, Options::default()).await;
    peer.expect(OURS).await;
    peer.send(&request(0, "keep")).await;
    peer.send(&cancel(0)).await;
    settled().await;
    assert_eq!(cancelled.load(Ordering::SeqCst), 1);
    assert_eq!(connection.traffic().requests_executing, 1);
    peer.expect_silence().await;
    released.notify_one();
    peer.expect_code(id(0), 3844).await;
    settled().await;
    assert_eq!(connection.traffic().requests_executing, 0);
    assert_eq!(connection.stats().unanswered_messages, 0);
}

/// Authorizes with its first message, when it may.
fn judged(gate: &Arc<Notify>, begun: &Arc<AtomicUsize>) -> Router {
    let (gate, begun) = (Arc::clone(gate), Arc::clone(begun));
    let handler = ping_handler().action("wait", move |message: Message| {
        begun.fetch_add(1, Ordering::SeqCst);
        async move {
            let _message = message;
            pending::<()>().await;
        }
    });
    handler.into_router().authorize(move |first: FirstMessage| {
        let gate = Arc::clone(&gate);
        async move {
            gate.notified().await;
            first.accept()
        }
    })
}

// r[verify ext.cancel.answer]
// r[verify ext.meta.deadline]
#[tokio::test(start_paused = true)]
async fn what_waits_for_authorization_is_cancelled_and_has_deadlines() {
    let (gate, begun) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (_connection, mut peer) = serving(judged(&gate, &begun), Options::default()).await;
    peer.expect(OURS).await;
    peer.send(&request(0, "open")).await;
    for number in 1..=2 {
        peer.send(&request(number, "wait")).await;
    }
    // With a stream.
    peer.send("01").await;
    peer.send(&message("23", 3, "wait")).await;
    // With a deadline of 1 s, and of 5 s.
    peer.send("00 F1 03 01 E803").await;
    peer.send(&request(4, "wait")).await;
    peer.send("F1 03 01 8813").await;
    peer.send(&request(5, "wait")).await;
    settled().await;
    peer.send(&cancel(1)).await;
    peer.expect_code(id(1), 3847).await;
    peer.send(&cancel(3)).await;
    peer.expect_code(id(3), 3847).await;
    // Nobody reads its stream.
    peer.expect("F2 05 08 03000000").await;
    peer.skip_to_code(id(4), 3847).await;
    assert_eq!(begun.load(Ordering::SeqCst), 0);
    gate.notify_one();
    let (mut codes, begin) = (Vec::new(), Instant::now());
    while codes.len() < 2 {
        match peer.next().await.expect("a packet") {
            Received::Heartbeat => {}
            Received::FastReply { id, code } => codes.push((id, code)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(codes, [(id(0), 0), (id(5), 3843)]);
    assert!(begin.elapsed() >= Duration::from_secs(2));
    assert_eq!(begun.load(Ordering::SeqCst), 2);
    peer.send(&cancel(2)).await;
    peer.skip_to_code(id(2), 3844).await;
}

// r[verify ext.cancel.answer]
#[tokio::test(start_paused = true)]
async fn a_request_that_is_arriving_is_cancelled_before_it_begins() {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let handler = ping_handler().action("take", move |_: Message| {
        count.fetch_add(1, Ordering::SeqCst);
        async { FastReply::ACCEPT }
    });
    let (connection, mut peer) = serving(handler, Options::default()).await;
    peer.expect(OURS).await;
    // A payload of 4 bytes, of which 2 come: aborted, then cancelled; and cancelled alone.
    let half = |channel: &str, number| {
        let [head, action] = [hex(id(number).as_bytes()), hex("take")];
        format!("{channel} 21 17 40 {head} 04 {action} 04")
    };
    peer.send(&half("01", 0)).await;
    peer.send("90").await;
    peer.expect_code(id(0), 3847).await;
    peer.send(&cancel(0)).await;
    peer.expect_silence().await;
    peer.send(&half("02", 1)).await;
    peer.send(&cancel(1)).await;
    peer.expect_code(id(1), 3847).await;
    settled().await;
    assert_eq!(begun.load(Ordering::SeqCst), 0);
    assert_eq!(connection.traffic().requests_executing, 0);
}

/// Answers `stream` with a stream that is never ended, `twice` with a response and then waits.
#[derive(Clone, Default)]
struct Answers {
    /// What the writers of streams failed with.
    ended: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

impl Answers {
    fn handler(&self) -> MessageHandler {
        let (answers, others) = (self.clone(), self.clone());
        ping_handler()
            .action("stream", move |_: Message| {
                let ended = Arc::clone(&answers.ended);
                async move {
                    let (mut writer, stream) = ByteStream::pipe(1 << 20);
                    tokio::spawn(async move {
                        while writer.write_all(&[7; 1_000]).await.is_ok() {
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                        ended.fetch_add(1, Ordering::SeqCst);
                    });
                    ResponseDraft::new().create().with_stream_from(stream)
                }
            })
            .action("twice", move |message: Message| {
                let dropped = Arc::clone(&others.dropped);
                async move {
                    let _dropped = Counted(dropped);
                    let response = || ResponseDraft::new().data().create(vec![9]);
                    message.respond(response()).await.expect("sent");
                    tokio::time::sleep(Duration::from_secs(5)).await;
                    message.respond(response()).await.expect("sent");
                }
            })
            .action("written", move |message: Message| async move {
                let response = ResponseDraft::new().with_stream().create();
                let mut sent = message.respond(response).await.expect("sent");
                let mut writer = sent.take_writer().expect("a stream");
                while writer.write_chunk(vec![7; 10]).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            })
    }
}

// r[verify ext.cancel.answer]
// r[verify ext.status]
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_on_its_way_ends_when_it_is_cancelled() {
    let answers = Answers::default();
    let (connection, mut peer) = serving(answers.handler(), Options::default()).await;
    peer.expect(OURS).await;
    // Its handler has ended.
    peer.send(&request(0, "stream")).await;
    let parent = hex(id(0).as_bytes());
    peer.expect(&format!("01 52 21 00 {parent} <id>")).await;
    settled().await;
    peer.send(&cancel(0)).await;
    let all = peer.take(3 + 1_000).await;
    assert_eq!(hex(&all[..3]), "74e803");
    // Why, and that.
    peer.expect("F0 03 06 040F 90").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(answers.ended.load(Ordering::SeqCst), 1);
    // Its handler still writes it.
    peer.send(&request(1, "written")).await;
    let parent = hex(id(1).as_bytes());
    peer.expect(&format!("52 21 00 {parent} <id>")).await;
    peer.expect(&format!("70 0A {}", "07".repeat(10))).await;
    peer.send(&cancel(1)).await;
    peer.expect("F0 03 06 040F 90").await;
    peer.expect_silence().await;
    assert_eq!(connection.traffic().requests_executing, 0);
    // After the first of two responses: the second does not come.
    peer.send(&request(2, "twice")).await;
    let (_, payload) = peer.expect_response(id(2)).await;
    assert_eq!(payload, [9]);
    peer.send(&cancel(2)).await;
    settled().await;
    assert_eq!(answers.dropped.load(Ordering::SeqCst), 1);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(connection.traffic().requests_executing, 0);
    assert_eq!(connection.stats().unanswered_messages, 0);
}

// r[verify ext.cancel.answer]
#[tokio::test(start_paused = true)]
async fn who_cancels_between_responses_gets_no_more_of_them() {
    let answers = Answers::default();
    let far = (answers.handler(), extended());
    let (near, far) = pair_with((Router::new(), extended()), far, PIPE).await;
    let mut twice = near.send(&Draft::new("twice")).await.expect("sent");
    twice.response().await.expect("a reply");
    let cancelled = twice.cancel().await;
    assert!(matches!(cancelled, Cancelled::Executed), "{cancelled:?}");
    settled().await;
    assert_eq!(answers.dropped.load(Ordering::SeqCst), 1);
    // A reader gets what was sent, and an error.
    let mut request = near.send(&Draft::new("stream")).await.expect("sent");
    let reply = request.response().await.expect("a reply");
    let mut stream = reply.into_response().and_then(|mut it| it.take_stream());
    let stream = stream.as_mut().expect("a stream");
    stream.next_chunk().await.expect("content");
    request.cancel().await;
    let mut read = Ok(Some(Bytes::new()));
    while let Ok(Some(_)) = read {
        read = stream.next_chunk().await;
    }
    read.expect_err("aborted");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(answers.ended.load(Ordering::SeqCst), 1);
    let (near, far) = (near.traffic(), far.traffic());
    assert_eq!((near.requests_waiting, far.requests_executing), (0, 0));
}

/// `keep` puts its message where the next `take` finds it, and waits; `take` holds all that are there.
fn hoarding() -> MessageHandler {
    let hoard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&hoard);
    ping_handler()
        .action("keep", move |message: Message| {
            kept.lock().expect("no panic").push(message);
            async {}
        })
        .action("take", move |_: Message| {
            let held = std::mem::take(&mut *hoard.lock().expect("no panic"));
            async move {
                let _held = held;
                pending::<()>().await;
            }
        })
}

// r[verify ext.cancel.handler]
#[tokio::test(start_paused = true)]
async fn a_cancelled_handler_does_not_answer_other_messages_that_it_holds() {
    let (connection, mut peer) = serving(hoarding(), Options::default()).await;
    peer.expect(OURS).await;
    for number in 0..3 {
        peer.send(&request(number, "keep")).await;
    }
    settled().await;
    peer.send(&request(3, "take")).await;
    settled().await;
    assert_eq!(connection.traffic().requests_executing, 4);
    peer.send(&cancel(3)).await;
    let mut codes = Vec::new();
    while codes.len() < 4 {
        match peer.next().await.expect("a packet") {
            Received::FastReply { id, code } => codes.push((id, code)),
            other => panic!("{other:?}"),
        }
    }
    codes.sort_unstable();
    assert_eq!(codes, [(id(0), 5), (id(1), 5), (id(2), 5), (id(3), 3844)]);
}

// r[verify ext.meta.deadline]
#[tokio::test(start_paused = true)]
async fn the_default_deadline_of_a_request_that_waits_counts_from_when_it_was_read() {
    let waiting = ping_handler().action("wait", |_: Message| pending::<()>());
    let options = Options::default().max_requests_executing(1);
    let (near, far) = duplex(PIPE);
    let mut peer = Peer::silent(far);
    peer.send(OFFER).await;
    let options = options.extension(Extension::Auto);
    let _connection = Connection::over(near, waiting, options).await;
    peer.expect(OFFER).await;
    peer.expect("F0 0F 00 09 010000000000 0B 307500000000")
        .await;
    // 3 s.
    peer.send("F0 08 00 0B B80B00000000").await;
    let begun = Instant::now();
    peer.send(&request(0, "wait")).await;
    // With metadata: an attempt.
    tokio::time::sleep(Duration::from_secs(1)).await;
    peer.send("F1 08 48 04 74656E61 01 61").await;
    peer.send(&request(1, "wait")).await;
    peer.skip_to_code(id(0), 3843).await;
    peer.skip_to_code(id(1), 3843).await;
    // At 4 s, not at 6 s.
    let after = begun.elapsed().as_millis();
    assert!((4_000..5_500).contains(&after), "{after}");
}

// r[verify ext.cancel.when]
// r[verify ext.cancel.deadline]
#[tokio::test(start_paused = true)]
async fn the_default_timeout_of_a_call_ends_its_handler() {
    let second = Duration::from_secs(1);
    let books = Books::default();
    let near = (Router::new(), extended().call_timeout(2 * second));
    let far = (BankServer::new(books.clone()), extended());
    let (near, _far) = pair_with(near, far, PIPE).await;
    let bank = BankClient::new(near);
    let content = || ByteStream::from_reader(&b"some"[..]);
    for (number, upload) in [(1, false), (2, true)] {
        let begun = Instant::now();
        let ended = match upload {
            false => bank.report(2026).await,
            // It has no deadline, so its caller cancels it.
            true => bank.upload(content()).await,
        };
        let error = ended.expect_err("no reply");
        let is_timeout = matches!(
            error,
            CallError::Request {
                error: RequestError::TimedOut { .. },
                ..
            }
        );
        assert!(is_timeout, "{error:?}");
        settled().await;
        assert_eq!(books.counts(), [number, number, 0]);
        let elapsed = begun.elapsed();
        assert!(
            elapsed >= 2 * second && elapsed <= 4 * second,
            "{elapsed:?}"
        );
    }
}

// r[verify ext.cancel.when]
#[tokio::test(start_paused = true)]
async fn a_detached_call_goes_on_without_its_future() {
    for (layered, started) in [(false, false), (false, true), (true, false), (true, true)] {
        let (books, bank, _connections) = bank(Options::default()).await;
        let bank = match layered {
            false => bank,
            true => bank.layer(handed_on),
        };
        let report = bank.report(2026);
        let report = if started { report.start() } else { report };
        report.detach();
        let content = ByteStream::from_reader(&b"some"[..]);
        bank.upload(content).detach();
        settled().await;
        assert_eq!(books.counts(), [2, 0, 0]);
        drop(bank);
        books.released.notify_waiters();
        settled().await;
        assert_eq!(books.counts(), [2, 0, 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_detached_call_ends_by_its_timeout_and_one_that_is_over_does_nothing() {
    let (books, bank, _connections) = bank(Options::default()).await;
    bank.report(2026).timeout(Duration::from_secs(2)).detach();
    let mut quick = bank.quick();
    assert_eq!((&mut quick).await.ok(), Some(9));
    quick.detach();
    tokio::time::sleep(Duration::from_millis(1_900)).await;
    assert_eq!(books.counts(), [1, 0, 0]);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(books.counts(), [1, 1, 0]);
}

/// It is sent when there is room, though nobody polls the call.
#[tokio::test(start_paused = true)]
async fn a_detached_call_waits_for_room_in_its_task() {
    let (books, bank, [near, _far]) = bank(Options::default()).await;
    let mut filling = Vec::new();
    for _ in 0..6 {
        let message = Draft::new("some").data().create(vec![7; 60_000]);
        let mut passing = Box::pin(near.pass(message));
        // Nothing is written before this task waits.
        assert!(is_pending(&mut passing).await);
        filling.push(passing);
    }
    bank.report(2026).detach();
    assert_eq!(near.traffic().requests_waiting, 0, "it has no room");
    for passing in filling {
        passing.await.expect("written");
    }
    settled().await;
    assert_eq!(books.counts(), [1, 0, 0]);
}

/// It goes on in the runtime of the connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_detached_outside_of_any_runtime() {
    let (books, bank, _connections) = bank(Options::default()).await;
    let content = ByteStream::from_reader(&b"some"[..]);
    let elsewhere = std::thread::spawn(move || bank.upload(content).detach());
    elsewhere.join().expect("no panic");
    while books.counts()[0] == 0 {
        tokio::task::yield_now().await;
    }
    books.released.notify_one();
    while books.counts() != [1, 0, 1] {
        tokio::task::yield_now().await;
    }
}

// r[verify ext.cancel.slot]
#[tokio::test(start_paused = true)]
async fn places_of_aborted_requests_become_free_late_too() {
    const CANCELLED: u32 = 1_100;
    let handler = ping_handler()
        .action("wait", |_: Message| pending::<()>())
        .action("take", |message: Message| async move {
            let mut stream = message.take_stream().expect("a stream");
            while let Ok(Some(_)) = stream.next_chunk().await {}
            FastReply::REJECT
        });
    let options = Options::default().max_requests_executing(2_000);
    let (connection, mut peer) = serving(handler, options).await;
    peer.expect("F0 0F 00 09 D00700000000 0B 307500000000")
        .await;
    // All tokens are gone.
    for number in 0..CANCELLED {
        peer.send(&request(number.into(), "wait")).await;
        peer.send(&cancel(number)).await;
        peer.expect_code(id(number.into()), 3844).await;
    }
    let held = connection.traffic().requests_executing;
    assert!(held > 0, "{held}");
    for (number, end, held) in [(1_100, "80", held), (1_101, "90", held + 1)] {
        peer.send(&message("23", number, "take")).await;
        peer.send(end).await;
        peer.expect_code(id(number), 1).await;
        assert_eq!(connection.traffic().requests_executing, held, "{end}");
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(connection.traffic().requests_executing, 0);
}

/// Handlers that wait: how many there are, and how many there were at most at a time.
#[derive(Clone, Default)]
struct Live(Arc<[AtomicUsize; 2]>);

struct Lives(Live);

impl Live {
    fn handler(&self) -> MessageHandler {
        let live = self.clone();
        ping_handler().action("wait", move |_: Message| {
            let live = live.begin();
            async move {
                let _live = live;
                // It takes several rounds, so that some are cancelled in each of them.
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                FastReply::ACCEPT
            }
        })
    }

    fn begin(&self) -> Lives {
        let now = 1 + self.0[0].fetch_add(1, Ordering::SeqCst);
        self.0[1].fetch_max(now, Ordering::SeqCst);
        Lives(self.clone())
    }

    /// Those now, and the most.
    fn counts(&self) -> [usize; 2] {
        [0, 1].map(|at| self.0[at].load(Ordering::SeqCst))
    }
}

impl Drop for Lives {
    fn drop(&mut self) {
        self.0.0[0].fetch_sub(1, Ordering::SeqCst);
    }
}

/// As random as a test needs it.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

// r[verify ext.cancel.answer]
// r[verify ext.cancel.caller]
#[tokio::test(start_paused = true)]
async fn each_of_10_000_calls_that_are_dropped_at_any_moment_has_one_answer() {
    const CALLS: u64 = 10_000;
    let live = Live::default();
    let far = (live.handler(), extended().max_requests_executing(100));
    let (near, far) = pair_with((Router::new(), extended()), far, PIPE).await;
    let answered = Arc::new(AtomicUsize::new(0));
    let mut random = Random(0x5EED_CA11);
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        let mut call = near.send(&Draft::new("wait")).await.expect("sent");
        let (rounds, answered) = (random.below(60), Arc::clone(&answered));
        calls.push(tokio::spawn(async move {
            // Given up after so many rounds; what it returns is dropped unseen then.
            let given_up = async {
                for _ in 0..rounds {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                biased;
                reply = call.response() => {
                    reply.expect("a reply");
                    answered.fetch_add(1, Ordering::SeqCst);
                }
                () = given_up => drop(call),
            }
        }));
        if random.below(8) == 0 {
            tokio::task::yield_now().await;
        }
    }
    for call in calls {
        call.await.expect("no panic");
    }
    // Less than it takes until a cancelled request is forgotten: each has its answer. Places become free
    // with the tokens.
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(near.traffic().requests_waiting, 0);
    assert_eq!(far.traffic().requests_executing, 0);
    let (answered, late) = (
        answered.load(Ordering::SeqCst) as u64,
        near.stats().late_replies,
    );
    assert_eq!(answered + late, CALLS, "{answered} answered, {late} late");
    assert!(
        answered > 100 && late > 100,
        "{answered} answered, {late} late"
    );
    assert_eq!(live.counts()[0], 0);
    assert!(live.counts()[1] <= 100, "{:?}", live.counts());
    assert_eq!(far.stats().unanswered_messages, 0);
    assert!(!near.is_closed() && !far.is_closed());
}

// r[verify ext.cancel.slot]
#[tokio::test(start_paused = true)]
async fn t_e6_a_burst_of_100_000_cancelled_requests_occupies_no_more_than_its_places() {
    const PLACES: usize = 64;
    const REQUESTS: u32 = 100_000;
    let live = Live::default();
    let (near, far) = duplex(PIPE);
    let (mut reader, mut writer) = tokio::io::split(far);
    let start = bytes(&format!("{OFFER} {SETTINGS}"));
    writer.write_all(&start).await.expect("written");
    let options = extended()
        .max_requests_executing(PLACES)
        .max_queued_requests(64);
    let connection = Connection::over(near, live.handler(), options).await;
    let connection = connection.expect("connected");
    let drained = tokio::spawn(async move {
        let (mut buffer, mut read) = (vec![0; 64 * 1024], 0);
        while let Ok(count @ 1..) = reader.read(&mut buffer).await {
            read += count;
        }
        read
    });
    for number in 0..REQUESTS {
        let mut both = bytes(&request(number.into(), "wait"));
        both.extend(bytes(&cancel(number)));
        writer.write_all(&both).await.expect("the connection lives");
        if number % 1_000 == 0 {
            let executing = connection.traffic().requests_executing;
            assert!(executing <= 2 * PLACES + 1_024, "{executing}");
        }
    }
    assert!(!connection.is_closed());
    settled().await;
    assert!(live.counts()[1] <= PLACES, "{:?}", live.counts());
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(live.counts()[0], 0);
    assert_eq!(connection.traffic().requests_executing, 0);
    writer.shutdown().await.expect("closed");
    connection.closed().await;
    let (drained, answers) = (drained.await.expect("drained"), 18 * REQUESTS as usize);
    assert!(drained >= answers, "{drained}, {answers}");
}

// r[verify ext.meta.deadline]
#[tokio::test(start_paused = true)]
async fn a_deadline_is_kept_to_the_second_on_a_quiet_connection() {
    let handler = ping_handler().action("wait", |_: Message| pending::<()>());
    let (connection, mut peer) = serving(handler, Options::default()).await;
    peer.expect(OURS).await;
    for (number, seconds) in [(0, 11_u32), (1, 47), (2, 80)] {
        let begun = Instant::now();
        let deadline = hex((seconds * 1_000).to_le_bytes());
        peer.send(&format!("F1 05 03 {deadline}")).await;
        peer.send(&request(number, "wait")).await;
        peer.skip_to_code(id(number), 3843).await;
        let after = begun.elapsed().as_secs();
        assert!((seconds..seconds + 3).contains(&(after as u32)), "{after}");
    }
    assert!(!connection.is_closed());
}

// r[verify ext.cancel.deadline]
#[tokio::test(start_paused = true)]
async fn a_deadline_is_kept_when_the_connection_has_ended() {
    let counts = <Arc<[AtomicUsize; 3]>>::default();
    let dropped = Arc::clone(&counts);
    let handler = ping_handler().action("wait", move |_: Message| {
        let ends = OnDrop(Arc::clone(&dropped), 1);
        async move {
            let _ends = ends;
            pending::<()>().await;
        }
    });
    let (connection, mut peer) = serving(handler, Options::default()).await;
    peer.expect(OURS).await;
    let begun = Instant::now();
    for (number, seconds) in [(0, 9_u32), (1, 30), (2, 40)] {
        let deadline = hex((seconds * 1_000).to_le_bytes());
        peer.send(&format!("F1 05 03 {deadline}")).await;
        peer.send(&request(number, "wait")).await;
    }
    settled().await;
    drop(peer);
    connection.closed().await;
    for (seconds, ended) in [(8, 0), (10, 1), (29, 1), (31, 2), (41, 3)] {
        tokio::time::sleep_until(begun + Duration::from_secs(seconds)).await;
        assert_eq!(counts[1].load(Ordering::SeqCst), ended, "after {seconds} s");
    }
}

// r[verify ext.meta.deadline]
#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_before_the_handler_begins_is_answered_in_time() {
    let handler = ping_handler().action("wait", |_: Message| pending::<()>());
    let options = Options::default().max_requests_executing(2);
    let (connection, mut peer) = serving(handler, options).await;
    peer.expect("F0 0F 00 09 020000000000 0B 307500000000")
        .await;
    // With neither a deadline nor one by default.
    peer.send(&request(0, "wait")).await;
    let begun = Instant::now();
    // It arrives, and never completely: it has a place.
    peer.send("F1 03 01 B80B 01").await;
    let (own, action) = (hex(id(1).as_bytes()), hex("wait"));
    peer.send(&format!("21 17 40 {own} 04 {action} 04")).await;
    // They wait for their turn; one expects no reply.
    peer.send("00 F1 03 01 B80B").await;
    peer.send(&request(2, "wait")).await;
    peer.send("F1 03 01 B80B").await;
    peer.send(&message("20", 3, "wait")).await;
    settled().await;
    assert_eq!(connection.traffic().requests_executing, 4);
    let mut codes = Vec::new();
    while codes.len() < 2 {
        match peer.next().await.expect("a packet") {
            Received::Heartbeat => {}
            Received::FastReply { id, code } => codes.push((id, code)),
            other => panic!("{other:?}"),
        }
    }
    codes.sort_unstable();
    assert_eq!(codes, [(id(1), 3847), (id(2), 3847)]);
    assert!((3..6).contains(&begun.elapsed().as_secs()));
    settled().await;
    assert_eq!(connection.traffic().requests_executing, 1);
}

// r[verify ext.cancel.slot]
#[tokio::test(start_paused = true)]
async fn t_e7_stopping_answers_frees_no_place_before_the_handler_has_ended() {
    const PLACES: usize = 4;
    let live = Live::default();
    let lives = live.clone();
    let handler = ping_handler().action("answer", move |message: Message| {
        let live = lives.begin();
        async move {
            let _live = live;
            let response = ResponseDraft::new().with_stream().create();
            let mut sent = message.respond(response).await.expect("sent");
            let mut writer = sent.take_writer().expect("a stream");
            // Its work goes on, whether anybody reads the answer or not.
            let _ = writer.write_chunk(vec![7; 10]).await;
            pending::<()>().await;
        }
    });
    let options = Options::default()
        .max_requests_executing(PLACES)
        .max_queued_requests(0);
    let (connection, mut peer) = serving(handler, options).await;
    peer.expect("F0 0F 00 09 040000000000 0B 307500000000")
        .await;
    for number in 0..1_000_u32 {
        peer.send(&request(number.into(), "answer")).await;
        settled().await;
        if number < PLACES as u32 {
            // Of the stream of one answer, and of another as a whole.
            let which = if number % 2 == 0 { "08" } else { "C8" };
            let number = hex(number.to_le_bytes());
            peer.send(&format!("F2 05 {which} {number}")).await;
        }
    }
    settled().await;
    assert_eq!(live.counts(), [PLACES, PLACES]);
    assert_eq!(connection.traffic().requests_executing, PLACES);
    assert_eq!(connection.stats().overloaded, 1_000 - PLACES as u64);
    // What names no answer breaks the connection, and resets none in our name.
    peer.send("F2 08 10 FFFFFF7F 00000600").await;
    let error = connection.closed().await;
    let ConnectionError::Protocol(violation) = error else {
        panic!("{error:?}");
    };
    assert_eq!(violation.rule(), "ext.number.unknown");
}

// r[verify ext.cancel.when]
#[tokio::test]
async fn calls_of_a_client_that_reconnects_are_cancelled_on_the_connection_that_they_are_on() {
    let books = Books::default();
    let server = Server::bind("127.0.0.1:0").await.expect("a port");
    let address = server.local_addr().expect("bound");
    let server = server.options(extended());
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(BankServer::new(books.clone())));
    let bank = BankClient::connect(address)
        .options(extended())
        .reconnecting()
        .client();
    assert_eq!(bank.quick().await.expect("a reply"), 9);
    let report = bank.report(1).start();
    while books.counts() != [1, 0, 0] {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(known(report.cancel().await), (Outcome::Executed, None));
    assert_eq!(books.counts(), [1, 1, 0]);
    // It waits for a connection.
    handle.stop();
    serving.await.expect("no panic").expect("served");
    let report = bank.report(2).start();
    assert_eq!(known(report.cancel().await), (Outcome::NotSent, None));
    assert_eq!(books.counts(), [1, 1, 0]);
}

#[sockety::service]
trait Slow {
    async fn sleep(&self, cx: &Context) -> bool;
}

/// Says when its handler begins, and when it is dropped.
struct Sleeper(tokio::sync::mpsc::UnboundedSender<Option<Duration>>);

impl Slow for Sleeper {
    async fn sleep(&self, cx: &Context) -> bool {
        struct Dropped(tokio::sync::mpsc::UnboundedSender<Option<Duration>>);

        impl Drop for Dropped {
            fn drop(&mut self) {
                let _ = self.0.send(None);
            }
        }

        let _dropped = Dropped(self.0.clone());
        let _ = self.0.send(cx.deadline());
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_local_client_steers_its_calls_like_one_over_a_network() {
    let (said, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let slow = SlowClient::local(Sleeper(said));
    assert!(slow.connection().is_extended());
    let call = tokio::spawn(slow.sleep().timeout(Duration::from_secs(7)).into_future());
    let left = hears.recv().await.expect("begun").expect("a deadline");
    assert!(left <= Duration::from_secs(7), "{left:?}");
    assert!(left > Duration::from_secs(6), "{left:?}");
    call.abort();
    assert_eq!(hears.recv().await, Some(None));
}

//! What is known after a call, checked against a ledger of what really ran: exactly one outcome,
//! which is true.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};
use sockety::{
    ByteStream, CallError, Connection, FastReply, File, Options, Outcome, Router, ServiceError,
    client::{CallNext, OutgoingCall, ServiceClient},
    config::Limits,
    error::{ConnectionError, NoError, RequestError, SendError, SourceError},
    message::{Draft, Reply},
    serve::{Incoming, IntoRouter, MessageHandler, ServeNext},
    service,
    testing::{Faults, Link, LinkEnd, link},
};
use sockety_codec::ChannelCount;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::sleep;

use crate::streams::Asks;
use crate::support::{
    OFFER, PIPE, Peer, base, bytes, dialogue, dialogue_with, id, is_pending, message, pair_over,
    response, settled, sound_link,
};

const SECOND: Duration = Duration::from_secs(1);

/// How often the handler of each call began, by the number of the call.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<BTreeMap<u32, u32>>>);

impl Ledger {
    fn begin(&self, call: u32) {
        *self.0.lock().expect("no panic").entry(call).or_default() += 1;
    }

    fn begun(&self, call: u32) -> u32 {
        let ledger = self.0.lock().expect("no panic");
        ledger.get(&call).copied().unwrap_or(0)
    }
}

#[derive(Debug, Serialize, Deserialize, ServiceError)]
enum WorkError {
    /// Too hard.
    #[code(16)]
    TooHard,
    /// Too long.
    #[code(17)]
    TooLong { hours: u32 },
}

/// Cannot be encoded.
#[derive(Debug, Deserialize)]
struct Unspeakable;

impl Serialize for Unspeakable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("unspeakable"))
    }
}

#[service]
trait Work {
    async fn run(&self, call: u32) -> String;
    async fn nothing(&self, call: u32);
    async fn hold(&self, call: u32);
    async fn fail(&self, call: u32) -> Result<(), WorkError>;
    async fn fail_at_length(&self, call: u32) -> Result<(), WorkError>;
    async fn panic(&self, call: u32);
    #[action(limit(payload = "4 B"))]
    async fn small(&self, call: u32, text: String);
    async fn large(&self, call: u32) -> Bytes;
    async fn upload(&self, call: u32, file: File, labels: ByteStream) -> u64;
    async fn neglect(&self, call: u32, bytes: ByteStream);
    async fn speak(&self, word: Unspeakable);
}

/// For callers whose version of the trait has no limit.
#[service]
trait Unlimited {
    async fn small(&self, call: u32, text: String);
}

struct Worker(Ledger);

impl Work for Worker {
    async fn run(&self, call: u32) -> String {
        self.0.begin(call);
        format!("the answer to {call}")
    }

    async fn nothing(&self, call: u32) {
        self.0.begin(call);
    }

    async fn hold(&self, call: u32) {
        self.0.begin(call);
        std::future::pending().await
    }

    async fn fail(&self, call: u32) -> Result<(), WorkError> {
        self.0.begin(call);
        Err(WorkError::TooHard)
    }

    async fn fail_at_length(&self, call: u32) -> Result<(), WorkError> {
        self.0.begin(call);
        Err(WorkError::TooLong { hours: 9 })
    }

    async fn panic(&self, call: u32) {
        self.0.begin(call);
        panic!("as the test wants it");
    }

    async fn small(&self, call: u32, _text: String) {
        self.0.begin(call);
    }

    async fn large(&self, call: u32) -> Bytes {
        self.0.begin(call);
        vec![7; 1000].into()
    }

    async fn upload(&self, call: u32, file: File, labels: ByteStream) -> u64 {
        self.0.begin(call);
        drop(labels);
        file.bytes(1000).await.map_or(0, |bytes| bytes.len() as u64)
    }

    async fn neglect(&self, call: u32, bytes: ByteStream) {
        self.0.begin(call);
        std::future::pending::<()>().await;
        drop(bytes);
    }

    async fn speak(&self, _word: Unspeakable) {
        self.0.begin(0);
    }
}

/// A client, and what its server did.
struct Site {
    work: WorkClient,
    server: Connection,
    ledger: Ledger,
}

impl Site {
    async fn new() -> Self {
        Self::with(Options::default(), Options::default()).await
    }

    async fn with(client: Options, server: Options) -> Self {
        Self::over(sound_link(PIPE), client, server).await
    }

    async fn over(ends: (LinkEnd, LinkEnd), client: Options, server: Options) -> Self {
        Self::serving(ends, client, server, |worker| worker.into_router()).await
    }

    async fn serving<R: IntoRouter>(
        (near, far): (LinkEnd, LinkEnd),
        client: Options,
        server: Options,
        serve: impl FnOnce(WorkServer<Worker>) -> R,
    ) -> Self {
        let ledger = Ledger::default();
        let serve = serve(WorkServer::new(Worker(ledger.clone())));
        let (client, server) = pair_over(near, far, (Router::new(), client), (serve, server)).await;
        Self {
            work: WorkClient::new(client),
            server,
            ledger,
        }
    }

    /// Checks, after a long time, that the outcome is this one and that it is true.
    async fn ends<T: Debug>(
        &self,
        call: u32,
        result: Result<T, impl Into<Failed>>,
        expected: Outcome,
    ) {
        let outcome = result.map_or_else(|error| error.into().0, |_| Outcome::Replied);
        sleep(100 * SECOND).await;
        assert_eq!(outcome, expected, "call {call}");
        assert_is_true(outcome, self.ledger.begun(call));
    }

    async fn still_works(&self) {
        let answer = self.work.run(u32::MAX).await.expect("an answer");
        assert_eq!(answer, "the answer to 4294967295");
    }
}

/// The outcome of an error of either layer.
struct Failed(Outcome);

impl<E> From<CallError<E>> for Failed {
    fn from(error: CallError<E>) -> Self {
        Self(error.outcome())
    }
}

impl From<RequestError> for Failed {
    fn from(error: RequestError) -> Self {
        Self(error.outcome())
    }
}

impl From<SendError> for Failed {
    fn from(error: SendError) -> Self {
        Self(RequestError::from(error).outcome())
    }
}

/// Whether an outcome says the truth about a handler that began this often. Codes that the framework sends before a
/// handler runs are looked at by themselves.
#[track_caller]
fn assert_is_true(outcome: Outcome, begun: u32) {
    let is_true = match outcome {
        Outcome::NotSent | Outcome::NotExecuted => begun == 0,
        Outcome::Unknown => begun <= 1,
        Outcome::Executed | Outcome::Replied => begun == 1,
    };
    assert!(is_true, "{outcome}, but the handler began {begun} times");
}

fn outcome_of_reply(reply: &Result<Reply, RequestError>) -> Outcome {
    match reply {
        Ok(reply) => reply.code().map_or(Outcome::Replied, FastReply::outcome),
        Err(error) => error.outcome(),
    }
}

fn stream(bytes: &'static [u8]) -> ByteStream {
    ByteStream::from_reader(bytes)
}

/// A draft of `action` with a number as its only parameter, without types.
fn draft(action: &'static str, call: u32) -> sockety::message::Outgoing {
    let draft = Draft::new(action).msgpack::<u32>();
    draft.create(&call)
}

async fn ask(connection: &Connection, action: &'static str, call: u32) -> Outcome {
    let request = connection.send(draft(action, call)).await;
    match request {
        Ok(mut request) => outcome_of_reply(&request.response().await),
        Err(error) => Failed::from(error).0,
    }
}

// What is answered.

#[tokio::test(start_paused = true)]
async fn a_complete_reply_is_replied() {
    let site = Site::new().await;
    site.ends(1, site.work.run(1).await, Outcome::Replied).await;
    site.ends(2, site.work.nothing(2).await, Outcome::Replied)
        .await;
    let coded = site.work.fail(3).await.expect_err("an error");
    assert!(matches!(coded, CallError::Service(WorkError::TooHard)));
    site.ends(3, Err::<(), _>(coded), Outcome::Replied).await;
    let detailed = site.work.fail_at_length(4).await.expect_err("an error");
    assert!(matches!(
        detailed,
        CallError::Service(WorkError::TooLong { hours: 9 })
    ));
    site.ends(4, Err::<(), _>(detailed), Outcome::Replied).await;
    for (call, action) in [(5, "run"), (6, "fail"), (7, "fail_at_length")] {
        let outcome = ask(site.work.connection(), action, call).await;
        assert_eq!(outcome, Outcome::Replied);
        assert_is_true(outcome, site.ledger.begun(call));
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_was_executed() {
    let site = Site::new().await;
    site.ends(1, site.work.panic(1).await, Outcome::Executed)
        .await;
    let outcome = ask(site.work.connection(), "panic", 2).await;
    assert_eq!((outcome, site.ledger.begun(2)), (Outcome::Executed, 1));
    site.still_works().await;
}

/// The same whether it comes to a typed call or to a request.
#[tokio::test(start_paused = true)]
async fn every_code_has_one_outcome() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let codes = (0..=15).chain(3830..=4095).map(|code| {
        let expected = match code {
            2 | 3840 | 3841 | 3842 | 3846 | 3847 => Outcome::NotExecuted,
            5 | 3843..=3845 => Outcome::Executed,
            _ => Outcome::Replied,
        };
        (code, expected)
    });
    let work = WorkClient::new(connection.clone());
    for (code, expected) in codes {
        let answering = async {
            for _ in 0..2 {
                let (asked, _) = peer.expect_message("nothing").await;
                peer.reply(asked, code).await;
            }
        };
        let asking = async { (ask(&connection, "nothing", 1).await, work.nothing(2).await) };
        let ((untyped, typed), ()) = tokio::join!(asking, answering);
        assert_eq!(untyped, expected, "code {code}");
        if code == 0 {
            typed.expect("accepted");
        } else {
            assert_eq!(typed.expect_err("an error").outcome(), expected, "{code}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_server_refuses_was_not_executed() {
    let site = Site::with(
        Options::default(),
        Options::default()
            .max_requests_executing(1)
            .max_queued_requests(0),
    )
    .await;
    let mut held = Box::pin(site.work.hold(1).into_future());
    assert!(is_pending(&mut held).await);
    settled().await;
    // Overloaded.
    site.ends(2, site.work.run(2).await, Outcome::NotExecuted)
        .await;
    let site = Site::new().await;
    // Too Large.
    let unlimited = UnlimitedClient::new(site.work.connection().clone());
    let long = unlimited.small(3, "much too long".into()).await;
    site.ends(3, long, Outcome::NotExecuted).await;
    // A peer with the extension says what it takes, and the call is not sent.
    let strict = base().limits(Limits::default().max_payload(3));
    let site = Site::with(Options::default(), strict).await;
    let upload = site.work.upload(4, File::from_bytes("a", "1"), stream(b""));
    site.ends(4, upload.await, Outcome::Replied).await;
    let unlimited = UnlimitedClient::new(site.work.connection().clone());
    let long = unlimited.small(5, "much too long".into()).await;
    site.ends(5, long, Outcome::NotExecuted).await;
    // Not Implemented.
    let outcome = ask(site.work.connection(), "unheard of", 6).await;
    assert_eq!(outcome, Outcome::NotExecuted);
}

/// An action that is no text: Bad Header.
#[tokio::test(start_paused = true)]
async fn a_message_with_a_broken_head_is_not_executed() {
    let ledger = Ledger::default();
    let (_connection, mut peer) = dialogue(WorkServer::new(Worker(ledger.clone()))).await;
    let mut broken = message(id(1), "nothing", true, b"\x01");
    let action = broken
        .windows(7)
        .position(|bytes| bytes == b"nothing")
        .expect("the action");
    broken[action] = 0xFF;
    peer.send_bytes(&broken).await;
    peer.expect_code(id(1), 3846).await;
    let code = FastReply::new(3846).expect("a code");
    assert_eq!(code.outcome(), Outcome::NotExecuted);
    assert_eq!(ledger.begun(1), 0);
}

/// No handler ran, but a peer that speaks with these codes may be one whose handler chose them.
#[tokio::test(start_paused = true)]
async fn codes_1_3_and_4_are_answers_although_no_handler_of_ours_ran() {
    let site = Site::serving(
        sound_link(PIPE),
        Options::default(),
        Options::default(),
        |worker| {
            worker
                .into_router()
                .authorize(|first: sockety::serve::FirstMessage| async move { first.refuse() })
        },
    )
    .await;
    let unauthorized = site.work.run(1).await.expect_err("refused");
    assert!(matches!(
        unauthorized,
        CallError::Refused {
            code: FastReply::UNAUTHORIZED,
            ..
        }
    ));
    assert_eq!(unauthorized.outcome(), Outcome::Replied);
    assert_eq!(site.ledger.begun(1), 0);

    let refuses = |incoming: Incoming, _: ServeNext| incoming.refuse(FastReply::REJECT);
    let site = Site::serving(
        sound_link(PIPE),
        Options::default(),
        Options::default(),
        |worker| worker.into_router().layer(refuses),
    )
    .await;
    let rejected = site.work.run(1).await.expect_err("refused");
    assert_eq!(rejected.outcome(), Outcome::Replied);
    assert!(!rejected.is_retryable());
    assert_eq!(site.ledger.begun(1), 0);

    let site = Site::new().await;
    let garbled = Draft::new("run").with_data(&b"\xC1"[..]);
    let mut request = site.work.connection().send(&garbled).await.expect("sent");
    let reply = request.response().await;
    assert_eq!(outcome_of_reply(&reply), Outcome::Replied);
    let code = reply.expect("a reply").code();
    assert_eq!(code, Some(FastReply::BAD_REQUEST));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_cut_off_in_the_hands_of_its_handler_was_executed() {
    let site = Site::with(base(), base().max_spill_bytes(0)).await;
    let much = stream(&[0; 1_000_000]);
    let neglected = site.work.neglect(1, much).await;
    site.ends(1, neglected, Outcome::Executed).await;
    site.still_works().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_cut_off_before_its_handler_was_not_executed() {
    let ledger = Ledger::default();
    let options = Options::default().max_spill_bytes(0);
    let serve = WorkServer::new(Worker(ledger.clone()));
    let (_connection, mut peer) = dialogue_with(serve, options, PIPE).await;
    let head = crate::streams::head(id(1), "neglect", Asks::Reply, 1, true, &[]);
    peer.send_bytes(&head).await;
    // The payload never comes, but more of the stream than anybody may keep.
    for _ in 0..20 {
        peer.send("78 00 40 00").await;
        peer.send_bytes(&[0; 16 * 1024]).await;
    }
    peer.expect_code(id(1), 3842).await;
    let code = FastReply::new(3842).expect("a code");
    assert_eq!(code.outcome(), Outcome::NotExecuted);
    assert_eq!(ledger.begun(1), 0);
}

// Answers that are lost.

#[tokio::test(start_paused = true)]
async fn a_response_above_a_limit_was_executed() {
    let limits = Limits::default().max_payload(100);
    let site = Site::with(Options::default().limits(limits), Options::default()).await;
    let large = site.work.large(1).await;
    // Its sender knows the limit, and says what is too large.
    let error = large.as_ref().expect_err("too large").to_string();
    assert!(
        error.contains("reply of 1003 bytes is over the limit of 100"),
        "{error}"
    );
    site.ends(1, large, Outcome::Executed).await;
    let outcome = ask(site.work.connection(), "large", 2).await;
    assert_eq!((outcome, site.ledger.begun(2)), (Outcome::Executed, 1));
    site.still_works().await;
}

#[tokio::test(start_paused = true)]
async fn a_response_that_cannot_be_read_was_executed() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let work = WorkClient::new(connection);
    let (answer, ()) = tokio::join!(work.run(1), async {
        let (asked, _) = peer.expect_message("run").await;
        peer.respond(asked, id(9), b"\xC1").await;
    });
    let error = answer.expect_err("no MessagePack");
    assert!(matches!(error, CallError::Content { .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::Executed);
    // A code where a value was to come.
    let (answer, ()) = tokio::join!(work.run(2), async {
        let (asked, _) = peer.expect_message("run").await;
        peer.reply(asked, 0).await;
    });
    assert_eq!(answer.expect_err("no value").outcome(), Outcome::Executed);
}

/// Its handler has answered, whatever comes of the answer.
#[tokio::test(start_paused = true)]
async fn a_response_that_begins_and_stops_was_executed() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let work = WorkClient::new(connection.clone());
    let begun = |asked| {
        let mut begun = response(asked, id(9), false, b"\xA5hello");
        begun.pop();
        begun
    };
    let late = work.run(1).timeout(5 * SECOND);
    let (late, ()) = tokio::join!(late, async {
        let (asked, _) = peer.expect_message("run").await;
        peer.send_bytes(&begun(asked)).await;
    });
    let late = late.expect_err("half an answer");
    assert!(matches!(
        late,
        CallError::Request {
            error: RequestError::TimedOut { .. },
            ..
        }
    ));
    assert_eq!(late.outcome(), Outcome::Executed);

    // By the clock of the options, and at the end of the connection.
    for is_cut in [false, true] {
        let (connection, mut peer) = dialogue(Router::new()).await;
        let mut request = connection.send(draft("run", 1)).await.expect("sent");
        let (asked, _) = peer.expect_message("run").await;
        peer.send_bytes(&begun(asked)).await;
        settled().await;
        let peer = (!is_cut).then_some(peer);
        let error = request.response().await.expect_err("half an answer");
        let is_expected = match error {
            RequestError::Disconnected { .. } => is_cut,
            RequestError::TimedOut { .. } => !is_cut,
            _ => false,
        };
        assert!(is_expected, "{error:?}");
        assert_eq!(error.outcome(), Outcome::Executed);
        drop(peer);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_response_its_request_was_executed_however_the_connection_ends() {
    let site = Site::new().await;
    let mut request = site
        .work
        .connection()
        .send(draft("run", 1))
        .await
        .expect("sent");
    request.response().await.expect("an answer");
    site.server.close().await;
    let error = request.response().await.expect_err("no other");
    assert_eq!(error.outcome(), Outcome::Executed);
}

// What is not sent.

#[tokio::test(start_paused = true)]
async fn what_this_side_refuses_is_not_sent() {
    let limits = Limits::default().max_payload(100);
    let options = Options::default().limits(limits).max_requests_in_flight(1);
    let site = Site::with(options, Options::default()).await;
    let spoken = site.work.speak(Unspeakable).await;
    site.ends(0, spoken, Outcome::NotSent).await;
    let long = site.work.small(1, "x".repeat(200)).await;
    site.ends(1, long, Outcome::NotSent).await;
    let large = Draft::new("run").with_data(vec![0; 200]);
    let large = site.work.connection().send(&large).await;
    site.ends(2, large, Outcome::NotSent).await;
    let mut held = Box::pin(site.work.hold(3).into_future());
    assert!(is_pending(&mut held).await);
    let busy = site.work.run(4).await;
    assert!(matches!(
        busy,
        Err(CallError::Request {
            error: RequestError::Send(SendError::Busy { .. }),
            ..
        })
    ));
    site.ends(4, busy, Outcome::NotSent).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_channel_nothing_is_sent() {
    let limits = Limits::default().max_channels(ChannelCount::new(1).expect("one"));
    let site = Site::with(base(), base().limits(limits)).await;
    let connection = site.work.connection();
    let mut request = connection
        .send(&Draft::new("neglect").with_stream())
        .await
        .expect("sent");
    // Given up half-way: its channel is lost, and the peer cannot be asked without one.
    drop(request.take_writer());
    settled().await;
    let upload = site.work.upload(1, File::from_bytes("a", "1"), stream(b""));
    let upload = upload.await;
    assert!(matches!(
        upload,
        Err(CallError::Request {
            error: RequestError::Send(SendError::ChannelsExhausted { .. }),
            ..
        })
    ));
    site.ends(1, upload, Outcome::NotSent).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_new_is_sent_to_a_peer_that_goes_away() {
    let site = Site::new().await;
    let mut held = Box::pin(site.work.hold(1).into_future());
    assert!(is_pending(&mut held).await);
    settled().await;
    let server = site.server.clone();
    let shutdown = tokio::spawn(async move { server.shutdown(10 * SECOND).await });
    settled().await;
    site.ends(2, site.work.run(2).await, Outcome::NotSent).await;
    shutdown.await.expect("no panic");
    // It was still running when time was over.
    site.ends(1, held.await, Outcome::Unknown).await;
    site.ends(3, site.work.run(3).await, Outcome::NotSent).await;
}

#[tokio::test(start_paused = true)]
async fn a_middleware_that_refuses_or_drops_a_call_keeps_it_from_being_sent() {
    let site = Site::new().await;
    let refusing = |call: OutgoingCall, _: CallNext| async move { call.reject("no") };
    let refused = site.work.layer(refusing).run(1).await;
    site.ends(1, refused, Outcome::NotSent).await;
    let dropping = |call: OutgoingCall, _: CallNext| async {
        let status = call.status();
        drop(call);
        Err(status.given_up())
    };
    let dropped = site.work.layer(dropping).run(2).await;
    site.ends(2, dropped, Outcome::NotSent).await;
}

// Time.

/// A site whose first call fills all there is room for, and goes no further.
async fn clogged() -> (Site, Link, Pin<Box<sockety::client::Call<String, NoError>>>) {
    let options = Options::default().max_outbox_bytes(1);
    let ends = sound_link(16);
    let link = ends.0.link();
    let site = Site::over(ends, options, Options::default()).await;
    link.to_server().pause();
    settled().await;
    let mut first = Box::pin(site.work.run(1).timeout(5 * SECOND).into_future());
    assert!(is_pending(&mut first).await);
    settled().await;
    (site, link, first)
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_time_is_over_while_it_is_queued_is_never_sent() {
    let (site, link, first) = clogged().await;
    let second = site.work.run(2).timeout(5 * SECOND).await;
    assert!(matches!(
        second,
        Err(CallError::Request {
            error: RequestError::TimedOut { .. },
            ..
        })
    ));
    let first = first.await;
    link.to_server().resume();
    site.ends(2, second, Outcome::NotSent).await;
    // This one had its place: it goes out all the same.
    site.ends(1, first, Outcome::Unknown).await;
    assert_eq!(site.ledger.begun(1), 1);
    site.still_works().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_while_it_is_queued_is_never_sent() {
    let (site, link, first) = clogged().await;
    let mut typed = Box::pin(site.work.run(2).into_future());
    assert!(is_pending(&mut typed).await);
    let connection = site.work.connection().clone();
    let mut untyped = Box::pin(connection.send(draft("run", 3)));
    assert!(is_pending(&mut untyped).await);
    drop((typed, untyped));
    link.to_server().resume();
    first.await.expect("an answer");
    site.still_works().await;
    assert_eq!((site.ledger.begun(2), site.ledger.begun(3)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_after_it_was_sent_may_run() {
    let site = Site::new().await;
    let late = site.work.hold(1).timeout(5 * SECOND).await;
    site.ends(1, late, Outcome::Unknown).await;
    assert_eq!(site.ledger.begun(1), 1);
    // The peer says so before this side has noticed.
    let outcome = ask(site.work.connection(), "hold", 2).await;
    assert_eq!((outcome, site.ledger.begun(2)), (Outcome::Executed, 1));
    let mut cancelled = Box::pin(site.work.hold(3).into_future());
    assert!(is_pending(&mut cancelled).await);
    drop(cancelled);
    settled().await;
    assert_eq!(site.ledger.begun(3), 1);
    site.still_works().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_time_is_over_in_its_middleware_is_never_sent() {
    let site = Site::new().await;
    let slow = |call: OutgoingCall, next: CallNext| async move {
        sleep(10 * SECOND).await;
        next.run(call).await
    };
    let late = site.work.layer(slow).run(1).timeout(5 * SECOND).await;
    site.ends(1, late, Outcome::NotSent).await;
    // Sent, and not answered.
    let passes = |call: OutgoingCall, next: CallNext| next.run(call);
    let late = site.work.layer(passes).hold(2).timeout(5 * SECOND).await;
    site.ends(2, late, Outcome::Unknown).await;
    assert_eq!(site.ledger.begun(2), 1);
}

/// Nobody can know where a call is that went on elsewhere. It is not sent when its caller has gone.
#[tokio::test(start_paused = true)]
async fn a_call_whose_middleware_runs_as_a_task_is_not_sent_after_its_time() {
    let site = Site::new().await;
    let spawned = |call: OutgoingCall, next: CallNext| async move {
        let going_on = tokio::spawn(async move {
            sleep(10 * SECOND).await;
            next.run(call).await
        });
        going_on.await.expect("no panic")
    };
    let work = site.work.layer(spawned);
    let late = work.run(1).timeout(5 * SECOND).await;
    site.ends(1, late, Outcome::Unknown).await;
    assert_eq!(site.ledger.begun(1), 0);
    let mut untyped = Box::pin(work.connection().send(draft("run", 2)));
    assert!(is_pending(&mut untyped).await);
    drop(untyped);
    sleep(100 * SECOND).await;
    assert_eq!(site.ledger.begun(2), 0);
}

// What a message carries.

/// Gives a byte, and then fails.
struct Failing(bool);

impl AsyncRead for Failing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0 {
            return Poll::Ready(Err(io::Error::other("unreadable")));
        }
        self.0 = true;
        buffer.put_slice(b"a");
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_file_or_stream_fails_may_have_run() {
    let site = Site::new().await;
    let file = File::from_reader("a", 9, Failing(false));
    let upload = site.work.upload(1, file, stream(b"")).await;
    assert!(matches!(
        upload,
        Err(CallError::Request {
            error: RequestError::Source(SourceError::Read { .. }),
            ..
        })
    ));
    site.ends(1, upload, Outcome::Unknown).await;
    let stream = ByteStream::from_reader(Failing(false));
    let neglected = site.work.neglect(2, stream).await;
    site.ends(2, neglected, Outcome::Unknown).await;
    site.still_works().await;
}

// The end of a connection.

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    ToServer,
    ToClient,
}

fn link_that_is_cut(way: Way, after: u64) -> (LinkEnd, LinkEnd) {
    let (sound, cut) = (Faults::new(), Faults::new().cut_after(after));
    match way {
        Way::ToServer => link(cut, sound),
        Way::ToClient => link(sound, cut),
    }
}

/// The outcome of one call over a link, and what ran.
async fn one_call((near, far): (LinkEnd, LinkEnd), kind: usize) -> (Outcome, u32) {
    let ledger = Ledger::default();
    let worker = WorkServer::new(Worker(ledger.clone()));
    let serving = tokio::spawn(Connection::over(far, worker, Options::default()));
    let connecting = Connection::over(near, Router::new(), Options::default());
    let outcome = match connecting.await {
        Err(_) => Outcome::NotSent,
        Ok(connection) => {
            let work = WorkClient::new(connection.clone());
            match kind {
                0 => typed(work.run(7).await),
                1 => typed(work.nothing(7).await),
                2 => ask(&connection, "run", 7).await,
                _ => {
                    let (file, labels) = (File::from_bytes("a", "12345"), stream(b"labels"));
                    typed(work.upload(7, file, labels).await)
                }
            }
        }
    };
    sleep(10 * SECOND).await;
    serving.abort();
    (outcome, ledger.begun(7))
}

fn typed<T, E>(result: Result<T, CallError<E>>) -> Outcome {
    result.map_or_else(|error| error.outcome(), |_| Outcome::Replied)
}

#[tokio::test(start_paused = true)]
async fn a_connection_cut_at_any_byte_gives_an_outcome_that_is_true() {
    for kind in 0..4 {
        let sound = sound_link(PIPE);
        let link = sound.0.link();
        assert_eq!(one_call(sound, kind).await, (Outcome::Replied, 1));
        for way in [Way::ToServer, Way::ToClient] {
            let mut seen = BTreeMap::<String, (u64, u32)>::new();
            // Both write a Go Away at the end.
            let length = match way {
                Way::ToServer => link.to_server().carried(),
                Way::ToClient => link.to_client().carried(),
            };
            for after in 0..=length {
                let (outcome, begun) = one_call(link_that_is_cut(way, after), kind).await;
                assert_is_true(outcome, begun);
                let (cuts, ran) = seen.entry(outcome.to_string()).or_default();
                (*cuts, *ran) = (*cuts + 1, *ran + begun);
            }
            println!("call {kind}, {way:?}, cut at 0 to {length}: {seen:?} (cuts, executed)");
            let cuts = |outcome: Outcome| seen.get(&outcome.to_string()).map_or(0, |seen| seen.0);
            assert!(cuts(Outcome::Unknown) > 0, "{seen:?}");
            if way == Way::ToClient {
                // The last bytes are no reply, and the first of a response say that it ran.
                assert!(cuts(Outcome::Replied) > 0, "{seen:?}");
                assert_eq!(cuts(Outcome::Executed) > 0, kind != 1, "{seen:?}");
            }
        }
    }
}

/// Three messages, the first of which is with the socket in part, when the link blocks.
async fn waiting_for_a_link(client: Options) -> (Site, [Outcome; 3]) {
    let ends = sound_link(16);
    let link = ends.0.link();
    let site = Site::over(ends, client, Options::default()).await;
    link.to_server().pause();
    settled().await;
    let mut partly = Box::pin(site.work.run(1).into_future());
    assert!(is_pending(&mut partly).await);
    settled().await;
    let mut queued = Box::pin(site.work.run(2).into_future());
    assert!(is_pending(&mut queued).await);
    let connection = site.work.connection().clone();
    let passing = connection.pass(draft("run", 3));
    let cut = async {
        sleep(20 * SECOND).await;
        link.cut();
    };
    let (partly, queued, passed, ()) = tokio::join!(partly, queued, passing, cut);
    let passed = passed.expect_err("not written").outcome();
    (site, [typed(partly), typed(queued), passed])
}

#[tokio::test(start_paused = true)]
async fn when_the_connection_ends_what_never_left_is_not_sent() {
    let client = Options::default().write_stall(3 * SECOND);
    let (site, outcomes) = waiting_for_a_link(client).await;
    assert_eq!(
        outcomes,
        [Outcome::Unknown, Outcome::NotSent, Outcome::NotSent]
    );
    assert_eq!([1, 2, 3].map(|call| site.ledger.begun(call)), [0; 3]);
    site.ends(4, site.work.run(4).await, Outcome::NotSent).await;
}

/// The write that fails says so before the end of the input is read.
#[tokio::test(start_paused = true)]
async fn when_the_link_is_cut_calls_that_wait_to_be_written_are_not_sent() {
    let (site, outcomes) = waiting_for_a_link(Options::default()).await;
    assert_eq!(
        outcomes,
        [Outcome::Unknown, Outcome::NotSent, Outcome::NotSent]
    );
    assert_eq!([1, 2, 3].map(|call| site.ledger.begun(call)), [0; 3]);
}

/// A peer that says no more may still be told what waits. Who would wait for a reply is not kept until then.
#[tokio::test(start_paused = true)]
async fn when_the_peer_has_ended_calls_that_wait_to_be_written_are_perhaps_sent() {
    let (connection, mut peer) = dialogue_with(Router::new(), Options::default(), 16).await;
    let mut partly = connection.send(draft("run", 1)).await.expect("queued");
    settled().await;
    let mut queued = connection.send(draft("run", 2)).await.expect("queued");
    let mut passing = Box::pin(connection.pass(draft("run", 3)));
    assert!(is_pending(&mut passing).await);
    peer.finish().await;
    let outcomes = [
        partly.response().await.expect_err("no reply").outcome(),
        queued.response().await.expect_err("no reply").outcome(),
        passing.await.expect_err("not written").outcome(),
    ];
    assert_eq!(
        outcomes,
        [Outcome::Unknown, Outcome::Unknown, Outcome::NotSent]
    );
}

/// A connection that ends because of its peer still writes what it owes, and with it what was queued.
#[tokio::test(start_paused = true)]
async fn what_goes_out_with_the_farewell_was_perhaps_sent() {
    let (connection, mut peer) = dialogue_with(Router::new(), Options::default(), 16).await;
    let filler = connection.pass(draft("filler", 1));
    let mut filler = Box::pin(filler);
    assert!(is_pending(&mut filler).await);
    settled().await;
    let mut passing = Box::pin(connection.pass(draft("late", 2)));
    assert!(is_pending(&mut passing).await);
    peer.send("F0").await;
    let error = connection.closed().await;
    assert!(matches!(error, ConnectionError::Protocol(_)));
    let error = passing.await.expect_err("not known to be written");
    assert_eq!(error.outcome(), Outcome::Unknown);
    peer.expect_message("filler").await;
    peer.expect_message("late").await;
    drop(filler);
}

/// Passes on what it is given, and says that it failed, as TLS does when it has passed on a part.
struct Treacherous {
    inner: LinkEnd,
    betrays: Arc<std::sync::atomic::AtomicBool>,
}

impl AsyncRead for Treacherous {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Treacherous {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        if self.betrays.load(std::sync::atomic::Ordering::Relaxed) {
            return written.map(|_| Err(io::ErrorKind::BrokenPipe.into()));
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_fails_may_have_sent_what_it_was_given() {
    let (near, far) = sound_link(PIPE);
    let betrays = Arc::default();
    let near = Treacherous {
        inner: near,
        betrays: Arc::clone(&betrays),
    };
    let ledger = Ledger::default();
    let worker = WorkServer::new(Worker(ledger.clone()));
    let options = Options::default();
    let (client, _server) = pair_over(
        near,
        far,
        (Router::new(), options.clone()),
        (worker, options),
    )
    .await;
    let work = WorkClient::new(client.clone());
    settled().await;
    betrays.store(true, std::sync::atomic::Ordering::Relaxed);
    let (typed, passed) = tokio::join!(work.run(1), client.pass(draft("run", 2)));
    sleep(10 * SECOND).await;
    assert_eq!((ledger.begun(1), ledger.begun(2)), (1, 1));
    let outcome = typed.expect_err("no answer").outcome();
    assert_is_true(outcome, 1);
    assert_eq!(outcome, Outcome::Unknown);
    let outcome = passed.expect_err("not written").outcome();
    assert_eq!(outcome, Outcome::Unknown);
}

/// A peer that breaks the protocol, or is given up, leaves no call without its outcome.
#[tokio::test(start_paused = true)]
async fn every_end_of_a_connection_leaves_sent_calls_unknown() {
    for way in 0..4 {
        let (connection, mut peer) = dialogue(MessageHandler::new()).await;
        let mut request = connection.send(draft("run", 1)).await.expect("sent");
        peer.expect_message("run").await;
        match way {
            0 => peer.send("F0").await,
            1 => peer.send_bytes(&bytes("21 16")).await,
            _ => {}
        }
        let peer = (way != 1).then_some(peer);
        if way == 2 {
            tokio::spawn(async move { connection.close().await });
        }
        let error = request.response().await.expect_err("no reply");
        assert_eq!(error.outcome(), Outcome::Unknown, "{way}: {error:?}");
        drop(peer);
    }
}

#[tokio::test]
async fn connecting_that_fails_sends_nothing() {
    let refused = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = refused.local_addr().expect("bound");
    drop(refused);
    let error = WorkClient::connect(address).await.expect_err("nobody");
    assert!(matches!(
        error.problem(),
        sockety::error::ConnectProblem::Unreachable(..)
    ));
    let (near, far) = tokio::io::duplex(PIPE);
    let mut peer = Peer::silent(far);
    peer.send("47 45 54").await;
    let handshake = Connection::over(near, Router::new(), Options::default());
    handshake.await.expect_err("no Sockety");
    peer.expect(OFFER).await;
    drop(peer);
}

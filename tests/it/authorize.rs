//! Authorization: whatever the peer sends, nothing runs before the hook has allowed it.

use std::sync::Arc;

use sockety::msgpack::to_vec;
use sockety::{
    ByteStream, Context, FastReply, File, Options, Router, Server, async_trait,
    error::ClosedBy,
    message::{Draft, Outgoing, Request, ResponseDraft},
    pair,
    serve::{
        Authorization, Authorize, FirstMessage, Incoming, IntoRouter, Message, MessageHandler,
        ServeNext,
    },
    server::ServerHandle,
    service,
};
use tokio::sync::Semaphore;

use crate::support::{
    Log, PIPE, Received, answers_ping, code_of, dialogue, dialogue_with, hex, id, is_closed_by,
    message, ping_handler, settled, tasks, tasks_are_back_to,
};

#[derive(Debug, PartialEq)]
struct User(String);

#[service]
trait Vault {
    async fn open(&self, cx: &Context, number: u8) -> String;
    #[action(one_way)]
    async fn knock(&self);
    #[action(limit(payload = "4 B"))]
    async fn label(&self, text: String);
    #[action(spawn)]
    async fn turn(&self, cx: &Context) -> String;
}

/// Notes all that runs.
#[derive(Clone, Default)]
struct Ledger(Log);

impl Ledger {
    fn who(&self, cx: &Context) -> String {
        let user = cx.extensions().get::<User>();
        user.map_or_else(|| "nobody".into(), |user| user.0.clone())
    }
}

impl Vault for Ledger {
    async fn open(&self, cx: &Context, number: u8) -> String {
        self.0.note(format!("open {number}"));
        self.who(cx)
    }

    async fn knock(&self) {
        self.0.note("knock");
    }

    async fn label(&self, text: String) {
        self.0.note(format!("label {text}"));
    }

    async fn turn(&self, cx: &Context) -> String {
        self.0.note("turn");
        self.who(cx)
    }
}

/// A typed service, a handler that takes everything else, middleware and the description: all of it is behind
/// the hook.
fn vault(ledger: &Ledger, hook: impl Authorize) -> Router {
    let (seen, other) = (ledger.0.clone(), ledger.0.clone());
    let handler = MessageHandler::new()
        .action("ping", |_| async { FastReply::ACCEPT })
        .action("any", move |_| {
            other.note("any");
            async { FastReply::ACCEPT }
        });
    VaultServer::new(ledger.clone())
        .into_router()
        .handler(handler)
        .describe()
        .layer(move |incoming: Incoming, next: ServeNext| {
            seen.note("middleware");
            async move {
                next.run(incoming).await;
            }
        })
        .authorize(hook)
}

/// Accepts the action `auth` with the right token.
async fn token(first: FirstMessage) -> Authorization {
    if first.action() == "auth" && first.msgpack().is_ok_and(|token: String| token == "s3cret") {
        first.extensions().insert(User("ada".into()));
        first.accept()
    } else {
        first.refuse()
    }
}

fn secret() -> Vec<u8> {
    to_vec("s3cret").expect("encoded")
}

/// Without a verdict until the gate opens.
#[derive(Clone)]
struct Slow {
    log: Log,
    gate: Arc<Semaphore>,
}

impl Slow {
    fn new() -> Self {
        let (log, gate) = (Log::default(), Arc::new(Semaphore::new(0)));
        Self { log, gate }
    }
}

#[async_trait]
impl Authorize for Slow {
    async fn authorize(&self, first: FirstMessage) -> Authorization {
        self.log.note(first.action());
        self.gate.acquire().await.expect("never closed").forget();
        token(first).await
    }
}

#[tokio::test(start_paused = true)]
async fn no_handler_runs_before_the_connection_is_authorized() {
    let ledger = Ledger::default();
    let (connection, mut peer) = dialogue(vault(&ledger, token)).await;
    let actions = ["open", "any", "unknown", "$sockety.describe", "auth"];
    for (number, action) in (0..).zip(actions) {
        peer.ask(id(number), action, &to_vec(&7).expect("encoded"))
            .await;
        peer.expect_code(id(number), 3).await;
    }
    peer.tell(id(10), "knock", b"").await;
    peer.expect_silence().await;
    assert!(!connection.is_authorized());
    assert!(ledger.0.events().is_empty());

    peer.ask(id(11), "auth", &secret()).await;
    peer.expect_code(id(11), 0).await;
    assert!(connection.is_authorized());
    assert!(ledger.0.events().is_empty());

    peer.ask(id(12), "open", &to_vec(&7).expect("encoded"))
        .await;
    let (_, user) = peer.expect_response(id(12)).await;
    assert_eq!(user, to_vec("ada").expect("encoded"));
    assert_eq!(ledger.0.events(), ["middleware", "open 7"]);
    peer.ask(id(13), "unknown", b"").await;
    peer.expect_code(id(13), 2).await;
}

#[tokio::test(start_paused = true)]
async fn the_typed_layer_is_authorized_by_the_same_hook() {
    let ledger = Ledger::default();
    let (near, far) = pair(Router::new(), vault(&ledger, token))
        .await
        .expect("a connection");
    let vault = VaultClient::new(near.clone());
    let refused = vault.open(1).await.expect_err("refused");
    assert!(
        matches!(refused, sockety::CallError::Refused { code, .. } if code == FastReply::UNAUTHORIZED)
    );
    assert!(ledger.0.events().is_empty());

    let auth = Draft::new("auth").with_msgpack("s3cret").expect("encoded");
    let auth = near.send(&auth).await.expect("sent");
    assert_eq!(code_of(auth).await, 0);
    assert_eq!(vault.open(2).await.expect("authorized"), "ada");
    assert_eq!(
        *far.extensions().get::<User>().expect("a user"),
        User("ada".into())
    );
    assert!(near.is_authorized(), "a side without a hook asks nobody");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_passed_on_is_handled_like_any_other() {
    let ledger = Ledger::default();
    let anonymous = |first: FirstMessage| async move {
        first.extensions().insert(User("guest".into()));
        first.pass_on()
    };
    let seven = to_vec(&7).expect("encoded");
    for (action, payload, expected) in [
        ("open", &seven[..], Ok("guest")),
        ("turn", b"", Ok("guest")),
        ("label", b"\xA5lorem", Err(3842)),
        ("unknown", b"", Err(2)),
    ] {
        let (connection, mut peer) = dialogue(vault(&ledger, anonymous)).await;
        peer.ask(id(1), action, payload).await;
        match expected {
            Ok(user) => assert_eq!(
                peer.expect_response(id(1)).await.1,
                to_vec(user).expect("encoded")
            ),
            Err(code) => peer.expect_code(id(1), code).await,
        }
        assert!(connection.is_authorized());
        answers_ping(&mut peer).await;
    }
    let events = ledger.0.events();
    let ran: Vec<_> = events
        .iter()
        .filter(|event| *event != "middleware")
        .collect();
    assert_eq!(ran, ["open 7", "turn"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_carries_too_much_is_refused_unseen_and_its_content_dropped() {
    let seen = Log::default();
    let hook = {
        let seen = seen.clone();
        move |first: FirstMessage| {
            seen.note(format!("{} {}", first.action(), first.payload().len()));
            token(first)
        }
    };
    let (_connection, mut peer) = dialogue(vault(&Ledger::default(), hook)).await;
    // With a stream, on channel 1.
    let stream = format!("01 23 16 00 {} 04 61757468 70 03 B0A090 80 00", hex(id(1)));
    peer.send(&stream).await;
    peer.expect_code(id(1), 3).await;
    // With a file.
    let file = format!(
        "01 21 1D 10 {} 04 61757468 01 03 00 00 03 01 61 C0 03 B0A090 D0 00",
        hex(id(2))
    );
    peer.send(&file).await;
    peer.expect_code(id(2), 3).await;
    // With a payload of a byte too many, and with one that just fits.
    peer.ask(id(3), "auth", &vec![0xB0; 64 * 1024 + 1]).await;
    peer.expect_code(id(3), 3).await;
    peer.ask(id(4), "auth", &vec![0xB0; 64 * 1024]).await;
    peer.expect_code(id(4), 3).await;
    peer.ask(id(5), "auth", &secret()).await;
    peer.expect_code(id(5), 0).await;
    assert_eq!(seen.events(), ["auth 65536", "auth 7"]);
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn messages_behind_one_that_a_ready_hook_accepts_are_handled() {
    let ledger = Ledger::default();
    let (_connection, mut peer) = dialogue(vault(&ledger, token)).await;
    let mut bytes = message(id(1), "auth", true, &secret());
    bytes.extend(message(id(2), "any", true, b""));
    peer.send_bytes(&bytes).await;
    peer.expect_code(id(1), 0).await;
    peer.expect_code(id(2), 0).await;
    assert_eq!(ledger.0.events(), ["middleware", "any"]);
}

#[tokio::test(start_paused = true)]
async fn messages_that_come_while_one_is_judged_wait_for_the_verdict() {
    let (ledger, slow) = (Ledger::default(), Slow::new());
    let (connection, mut peer) = dialogue(vault(&ledger, slow.clone())).await;
    let baseline = tasks();
    let mut together = message(id(0), "auth", true, &secret());
    for number in 1..100 {
        together.extend(message(id(number), "any", true, b""));
    }
    peer.send_bytes(&together).await;
    // Another read.
    peer.ask(id(100), "any", b"").await;
    peer.expect_silence().await;
    assert_eq!(slow.log.events(), ["auth"]);
    assert_eq!(tasks(), baseline + 1, "one message is judged at a time");
    assert!(!connection.is_authorized());
    slow.gate.add_permits(1);
    for number in 0..=100 {
        peer.expect_code(id(number), 0).await;
    }
    assert!(connection.is_authorized());
    assert_eq!(slow.log.events(), ["auth"]);
}

/// Answers `keep` with what its files and its stream have together.
fn keeping(hook: impl Authorize) -> Router {
    ping_handler()
        .action("keep", |message: Message| async move {
            let mut all = Vec::new();
            for mut file in message.take_files() {
                while let Some(chunk) = file.next_chunk().await.expect("content") {
                    all.extend(chunk);
                }
            }
            if let Some(mut stream) = message.take_stream() {
                while let Some(chunk) = stream.next_chunk().await.expect("content") {
                    all.extend(chunk);
                }
            }
            let all = format!("{} + {}", message.payload().len(), all.len());
            ResponseDraft::new().with_data(all).create()
        })
        .into_router()
        .authorize(hook)
}

fn kept(payload: usize, file: usize, stream: usize) -> Outgoing {
    let stream = ByteStream::from_reader(std::io::Cursor::new(vec![2; stream]));
    Draft::new("keep")
        .with_data(vec![0; payload])
        .create()
        .with_file(File::from_bytes("f", vec![1; file]))
        .with_stream_from(stream)
}

async fn text_of(mut request: Request) -> String {
    let reply = request.response().await.expect("a reply");
    let response = reply.into_response().expect("a response");
    String::from_utf8_lossy(response.payload()).into_owned()
}

#[tokio::test(start_paused = true)]
async fn t_m22_messages_with_content_that_come_while_one_is_judged_wait_for_the_verdict() {
    for size in [10, 100_000, 3_000_000] {
        let slow = Slow::new();
        let (near, far) = pair(Router::new(), keeping(slow.clone()))
            .await
            .expect("two");
        let auth = Draft::new("auth").with_data(secret());
        let auth = near.send(&auth).await.expect("sent");
        let (first, second) = (near.clone(), near.clone());
        let carrying = tokio::spawn(async move {
            text_of(first.send(kept(size, size, size)).await.expect("sent")).await
        });
        // In pieces, if it is long.
        let payload = tokio::spawn(async move {
            let message = Draft::new("keep").with_data(vec![0; size]);
            text_of(second.send(&message).await.expect("sent")).await
        });
        settled().await;
        assert_eq!(slow.log.events(), ["auth"]);
        // Nothing of it goes to disk, and not much is read.
        let received = far.traffic().received_bytes;
        assert!(received < 500_000, "{received} of {size}");
        slow.gate.add_permits(1);
        assert_eq!(code_of(auth).await, 0);
        let expected = format!("{size} + {}", 2 * size);
        assert_eq!(carrying.await.expect("no panic"), expected);
        let expected = format!("{size} + 0");
        assert_eq!(payload.await.expect("no panic"), expected);
        assert_eq!(far.stats().unauthorized, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn messages_with_content_behind_one_that_is_refused_are_refused() {
    let slow = Slow::new();
    let (near, far) = pair(Router::new(), keeping(slow.clone()))
        .await
        .expect("two");
    let auth = near.send(&Draft::new("auth")).await.expect("sent");
    let carrying = near.send(kept(10, 1_000, 1_000)).await.expect("sent");
    settled().await;
    slow.gate.add_permits(1);
    assert_eq!(code_of(auth).await, 3);
    assert_eq!(code_of(carrying).await, 3);
    // The next one may be accepted.
    slow.gate.add_permits(1);
    let auth = Draft::new("auth").with_data(secret());
    assert_eq!(code_of(near.send(&auth).await.expect("sent")).await, 0);
    let carrying = near.send(kept(10, 1_000, 1_000)).await.expect("sent");
    assert_eq!(text_of(carrying).await, "10 + 2000");
    assert_eq!(far.stats().unauthorized, 2);
}

#[tokio::test(start_paused = true)]
async fn t_m22_content_that_waits_for_a_verdict_is_bounded_while_the_hook_calls_its_peer() {
    let hook = |first: FirstMessage| async move {
        let question = first.connection().send(&Draft::new("who")).await;
        match code_of(question.expect("sent")).await {
            0 => first.accept(),
            _ => first.refuse(),
        }
    };
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let answering = MessageHandler::new().action("who", move |_| {
        let gate = Arc::clone(&opened);
        async move {
            gate.acquire().await.expect("open").forget();
            FastReply::ACCEPT
        }
    });
    // With the extension, the large one waits for credit instead.
    let there = (keeping(hook), crate::support::base());
    let (near, far) = crate::support::pair_with((answering, Options::default()), there, PIPE).await;
    let auth = near.send(&Draft::new("auth")).await.expect("sent");
    let small = near.send(kept(10, 1_000, 1_000)).await.expect("sent");
    settled().await;
    let large = near.send(kept(10, 3_000_000, 1_000)).await.expect("sent");
    assert_eq!(code_of(large).await, 3);
    assert_eq!(far.stats().unauthorized, 1);
    gate.add_permits(1);
    assert_eq!(code_of(auth).await, 0);
    assert_eq!(text_of(small).await, "10 + 2000");
}

#[tokio::test(start_paused = true)]
async fn messages_behind_one_that_is_refused_are_judged_in_turn() {
    let (ledger, slow) = (Ledger::default(), Slow::new());
    let (connection, mut peer) = dialogue(vault(&ledger, slow.clone())).await;
    let mut together = message(id(0), "any", true, b"");
    together.extend(message(id(1), "any", true, b""));
    together.extend(message(id(2), "auth", true, &secret()));
    together.extend(message(id(3), "any", true, b""));
    peer.send_bytes(&together).await;
    peer.expect_silence().await;
    slow.gate.add_permits(10);
    for (number, code) in [(0, 3), (1, 3), (2, 0), (3, 0)] {
        peer.expect_code(id(number), code).await;
    }
    assert_eq!(slow.log.events(), ["any", "any", "auth"]);
    assert!(connection.is_authorized());
}

#[tokio::test(start_paused = true)]
async fn a_hook_may_call_the_peer_while_other_messages_wait() {
    let hook = |first: FirstMessage| async move {
        let question = first.connection().send(&Draft::new("who")).await;
        let code = code_of(question.expect("sent")).await;
        if code == 0 {
            first.accept()
        } else {
            first.refuse()
        }
    };
    let router = ping_handler().into_router().authorize(hook);
    let (_connection, mut peer) = dialogue(router).await;
    let mut together = message(id(0), "auth", true, b"");
    together.extend(message(id(1), "ping", true, b""));
    peer.send_bytes(&together).await;
    let (question, _) = peer.expect_message("who").await;
    peer.reply(question, 0).await;
    peer.expect_code(id(0), 0).await;
    peer.expect_code(id(1), 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_or_drops_its_message_leaves_the_connection_unauthorized() {
    let ledger = Ledger::default();
    let hook = |first: FirstMessage| async move {
        match first.action() {
            "panic" => panic!("the hook"),
            "late panic" => {
                tokio::task::yield_now().await;
                panic!("the hook, as a task")
            }
            "drop" => drop(first.accept()),
            _ => return token(first).await,
        }
        std::future::pending().await
    };
    let (connection, mut peer) = dialogue(vault(&ledger, hook)).await;
    for (number, action) in (0..).zip(["panic", "late panic"]) {
        peer.ask(id(number), action, b"").await;
        peer.expect_code(id(number), 5).await;
        assert!(!connection.is_authorized());
        peer.ask(id(10 + number), "any", b"").await;
        peer.expect_code(id(10 + number), 3).await;
    }
    peer.ask(id(2), "drop", b"").await;
    peer.expect_code(id(2), 5).await;
    assert!(!connection.is_authorized());
    assert!(ledger.0.events().is_empty());
    peer.ask(id(3), "auth", &secret()).await;
    peer.expect_code(id(3), 0).await;
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_given_up_while_it_arrives_is_a_failed_attempt() {
    let (connection, mut peer) = dialogue(vault(&Ledger::default(), token)).await;
    // Two bytes of payload are announced, and never come.
    let head = format!("21 17 40 {} 04 61757468 02", hex(id(1)));
    peer.send(&format!("01 {head} 00")).await;
    peer.ask(id(2), "auth", &secret()).await;
    peer.expect_code(id(2), 3).await;
    peer.send("01 90 00").await;
    peer.ask(id(3), "auth", &secret()).await;
    peer.expect_code(id(3), 0).await;
    assert!(connection.is_authorized());
}

#[tokio::test(start_paused = true)]
async fn the_eighth_failure_closes_the_connection() {
    let ledger = Ledger::default();
    let (connection, mut peer) = dialogue(vault(&ledger, token)).await;
    let mut bytes = Vec::new();
    for number in 0..8 {
        bytes.extend(message(id(number), "any", true, b""));
    }
    // Too late.
    bytes.extend(message(id(8), "auth", true, &secret()));
    peer.send_bytes(&bytes).await;
    for number in 0..7 {
        peer.expect_code(id(number), 3).await;
    }
    assert_eq!(peer.next().await, Some(Received::GoAway));
    peer.expect_code(id(7), 3).await;
    peer.expect_code(id(8), 3).await;
    peer.expect_end().await;
    assert!(is_closed_by(&connection.closed().await, ClosedBy::Local));
    assert!(!connection.is_authorized());
    assert!(ledger.0.events().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_message_unseen_by_the_hook_is_a_failure_too() {
    let (connection, mut peer) = dialogue(vault(&Ledger::default(), token)).await;
    for number in 0..8 {
        let stream = format!("23 16 00 {} 04 61757468 80", hex(id(number)));
        peer.send(&stream).await;
    }
    assert!(is_closed_by(&connection.closed().await, ClosedBy::Local));
}

#[tokio::test(start_paused = true)]
async fn a_hook_may_close_the_connection_at_once() {
    let hook = |first: FirstMessage| async { first.close_with(FastReply::REJECT) };
    let ledger = Ledger::default();
    let (connection, mut peer) = dialogue(vault(&ledger, hook)).await;
    let mut bytes = message(id(1), "any", true, b"");
    bytes.extend(message(id(2), "any", true, b""));
    peer.send_bytes(&bytes).await;
    assert_eq!(peer.next().await, Some(Received::GoAway));
    peer.expect_code(id(1), 1).await;
    peer.expect_code(id(2), 3).await;
    peer.expect_end().await;
    assert!(is_closed_by(&connection.closed().await, ClosedBy::Local));
    assert!(ledger.0.events().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_hook_answers_with_codes_and_responses() {
    let hook = |first: FirstMessage| async move {
        let welcome = ResponseDraft::new().msgpack::<str>();
        match first.action() {
            "auth" => first.accept_with(welcome.create("welcome")),
            _ => first.refuse_with(FastReply::new(404).expect("12 bits")),
        }
    };
    let (connection, mut peer) = dialogue(vault(&Ledger::default(), hook)).await;
    peer.ask(id(1), "any", b"").await;
    peer.expect_code(id(1), 404).await;
    peer.ask(id(2), "auth", b"").await;
    let (_, payload) = peer.expect_response(id(2)).await;
    assert_eq!(payload, to_vec("welcome").expect("encoded"));
    assert!(connection.is_authorized());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_expects_no_reply_may_authorize_and_gets_none() {
    let (connection, mut peer) = dialogue(vault(&Ledger::default(), token)).await;
    peer.tell(id(1), "auth", b"\xA5wrong").await;
    peer.expect_silence().await;
    assert!(!connection.is_authorized());
    peer.tell(id(2), "auth", &secret()).await;
    peer.expect_silence().await;
    assert!(connection.is_authorized());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_not_authorized_can_be_called() {
    let (connection, mut peer) = dialogue(vault(&Ledger::default(), token)).await;
    let request = connection.send(&Draft::new("who")).await.expect("sent");
    let (who, _) = peer.expect_message("who").await;
    peer.reply(who, 0).await;
    assert_eq!(code_of(request).await, 0);
    assert!(!connection.is_authorized());
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_waits_ends_with_its_connection() {
    let (slow, baseline) = (Slow::new(), tasks());
    let (connection, mut peer) = dialogue_with(
        vault(&Ledger::default(), slow.clone()),
        Options::default(),
        PIPE,
    )
    .await;
    peer.ask(id(1), "auth", &secret()).await;
    settled().await;
    assert_eq!(tasks(), baseline + 2, "the driver and the hook");
    drop(peer);
    let error = connection.closed().await;
    assert!(is_closed_by(&error, ClosedBy::PeerWithoutGoAway));
    tasks_are_back_to(baseline).await;
    assert_eq!(slow.log.events(), ["auth"]);
}

#[tokio::test]
async fn a_broadcast_reaches_only_who_is_authorized() {
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let (address, handle) = (server.local_addr().expect("an address"), server.handle());
    tokio::spawn(server.serve(vault(&Ledger::default(), token)));
    let (send, mut news) = tokio::sync::mpsc::unbounded_channel();
    let connect = async |name: &'static str| {
        let send = send.clone();
        let listener = MessageHandler::new().fallback(move |message| {
            send.send((name, message.action().to_owned()))
                .expect("received");
            async {}
        });
        sockety::connect(address)
            .serve(listener)
            .await
            .expect("connected")
    };
    let (inside, outside) = (connect("inside").await, connect("outside").await);
    let auth = Draft::new("auth").with_msgpack("s3cret").expect("encoded");
    assert_eq!(code_of(inside.send(&auth).await.expect("sent")).await, 0);
    // Answered, so known to the server.
    let refused = outside.send(&Draft::new("any")).await.expect("sent");
    assert_eq!(code_of(refused).await, 3);

    assert_eq!(broadcast(&handle, "news"), 1);
    assert_eq!(news.recv().await, Some(("inside", "news".into())));
    assert_eq!(code_of(outside.send(&auth).await.expect("sent")).await, 0);
    assert_eq!(broadcast(&handle, "more"), 2);
}

fn broadcast(handle: &ServerHandle, action: &str) -> usize {
    handle
        .broadcast(&Draft::new(action), |_| true)
        .expect("queued")
}

#[tokio::test(start_paused = true)]
async fn a_peer_has_so_long_to_become_authorized() {
    let router =
        Router::new()
            .handler(ping_handler())
            .authorize(|first: FirstMessage| async move {
                std::future::pending::<()>().await;
                first.accept()
            });
    let (connection, mut peer) = dialogue(router).await;
    peer.ask(id(1), "auth", b"").await;
    let begin = tokio::time::Instant::now();
    let error = connection.closed().await;
    let waited = begin.elapsed().as_secs();
    assert!((14..=17).contains(&waited), "{waited} s");
    assert!(matches!(
        error,
        sockety::error::ConnectionError::Limit(
            sockety::error::LimitExceeded::AuthorizationTimeout(_)
        )
    ));
}

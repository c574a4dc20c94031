//! What travels with a message besides its content.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use sockety::{
    CallError, Connection, Context, FastReply, Options, Outcome, Router, ServiceError,
    client::{CallNext, OutgoingCall, ServiceClient},
    config::{Extension, Rate},
    message::{Draft, Reply, ResponseDraft},
    metadata::{MetadataKey, RetryAfter, Trace},
    serve::{IntoRouter, Message, MessageHandler, RateLimit},
    service,
};
use tokio::{io::duplex, net::TcpListener};

use crate::support::{OFFER, PIPE, Peer, dialogue, hex, id, pair_with, ping_handler};

/// Settings with all defaults.
const SETTINGS: &str = "F0 01 00";
/// Those of our default options: calls have a deadline of 30 s.
const OURS: &str = "F0 08 00 0B 307500000000";

const TRACE: Trace = Trace {
    trace_id: [7; 16],
    parent_id: [8; 8],
    flags: 1,
};

fn extended() -> Options {
    Options::default().extension(Extension::Auto)
}

/// One of our connections, and a peer that has sent its settings.
async fn scripted(handler: MessageHandler) -> (Connection, Peer) {
    let (near, far) = duplex(PIPE);
    let mut peer = Peer::silent(far);
    peer.send(OFFER).await;
    let connection = Connection::over(near, handler, extended()).await;
    peer.expect(OFFER).await;
    peer.expect(OURS).await;
    peer.send(SETTINGS).await;
    (connection.expect("connected"), peer)
}

#[service(prefix = "x.")]
trait Attempts {
    #[action(idempotent)]
    async fn y(&self, cx: &Context) -> u8;
}

/// The next connection, of a client with the extension.
async fn accept(listener: &TcpListener) -> Peer {
    let (socket, _) = listener.accept().await.expect("a client");
    let mut peer = Peer::silent(socket);
    peer.send(OFFER).await;
    peer.expect(OFFER).await;
    peer.expect(SETTINGS).await;
    peer.send(SETTINGS).await;
    peer
}

// r[verify ext.meta.attempt]
#[tokio::test]
async fn a_message_that_is_sent_again_keeps_its_id_and_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    // Without a default timeout, calls have no deadline.
    let options = extended().call_timeout(None);
    let client = AttemptsClient::connect(address).options(options);
    let client = client.reconnecting().client();
    let call = tokio::spawn(client.y().into_future());
    let mut ids = Vec::new();
    for before in ["", "F1 02 05 01", "F1 02 05 02"] {
        let mut peer = accept(&listener).await;
        let request = format!("{before} 21 15 00 <id> 03 782E79");
        ids.push(peer.expect_id(&request).await);
        if ids.len() == 3 {
            peer.respond(ids[2], id(1), &[3]).await;
            assert_eq!(call.await.expect("no panic").expect("a reply"), 3);
            break;
        }
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

// r[verify ext.meta.deadline]
#[tokio::test]
async fn a_message_that_is_sent_again_has_the_rest_of_its_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let options = extended().call_timeout(None);
    let client = AttemptsClient::connect(address).options(options);
    let client = client.reconnecting().client();
    let call = client.y().timeout(Duration::from_secs(60));
    let _call = tokio::spawn(call.into_future());
    let mut deadlines = Vec::new();
    for _ in 0..2 {
        let mut peer = accept(&listener).await;
        // Of a deadline with two bytes, and the action `y`.
        let said = peer.take(5).await;
        assert_eq!(said[0], 0xF1);
        deadlines.push(u16::from_le_bytes([said[3], said[4]]));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(deadlines[0] <= 60_000, "{deadlines:?}");
    assert!(deadlines[1] <= deadlines[0] - 20, "{deadlines:?}");
}

#[service]
trait Shelf {
    async fn title(&self, id: u64) -> String;
    async fn touch(&self);
}

#[tokio::test(start_paused = true)]
async fn a_typed_call_returns_the_metadata_of_its_response() {
    const SERVED_BY: MetadataKey = MetadataKey::new("served-by");
    const OTHER: MetadataKey = MetadataKey::new("other");
    let titles = |message: Message| async move {
        let id: u64 = message.msgpack().expect("an id");
        let response = ResponseDraft::new().msgpack().create(&format!("book {id}"));
        match id {
            7 => response.with_metadata(SERVED_BY, "shelf-3"),
            _ => response,
        }
    };
    let handler = ping_handler()
        .action("title", titles)
        .action("touch", |_: Message| async { FastReply::ACCEPT });
    let (near, _far) = pair_with((Router::new(), extended()), (handler, extended()), PIPE).await;
    let through = |call: OutgoingCall, next: CallNext| async move { next.run(call).await };
    let shelf = ShelfClient::new(near);
    for shelf in [shelf.clone(), shelf.layer(through)] {
        let reply = shelf.title(7).replied().await.expect("a title");
        assert_eq!(reply.metadata(SERVED_BY), Some(&b"shelf-3"[..]));
        assert_eq!(reply.metadata(OTHER), None);
        assert_eq!(reply.value, "book 7");
        let reply = shelf.title(8).start().replied().await.expect("a title");
        assert_eq!((reply.metadata(SERVED_BY), &*reply.value), (None, "book 8"));
        let reply = shelf.touch().replied().await.expect("done");
        assert_eq!(reply.metadata(SERVED_BY), None);
    }
}

#[tokio::test(start_paused = true)]
async fn handlers_learn_the_attempt() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let handler = MessageHandler::new().action("x", move |message: Message| {
        noted.lock().expect("no panic").push(message.attempt());
        async { FastReply::ACCEPT }
    });
    let (_connection, mut peer) = scripted(handler).await;
    for before in ["", "F1 02 05 01", "F1 02 05 FF"] {
        peer.send(&format!(
            "{before} 21 13 00 {} 01 78",
            hex(id(1).as_bytes())
        ))
        .await;
        peer.expect_code(id(1), 0).await;
    }
    assert_eq!(*seen.lock().expect("no panic"), [0, 1, 255]);
    let (connection, mut peer) = scripted(ping_handler()).await;
    let message = Draft::new("x").create().with_attempt(7);
    connection.pass(message).await.expect("sent");
    peer.expect("F1 02 05 07 20 13 00 <id> 01 78").await;
}

// r[verify ext.meta.deadline]
#[tokio::test(start_paused = true)]
async fn a_message_without_types_has_a_deadline_too() {
    let (connection, mut peer) = scripted(ping_handler()).await;
    let message = Draft::new("x").create();
    let message = message.with_deadline(Duration::from_millis(500));
    let _request = connection.send(message.clone()).await.expect("sent");
    peer.expect("F1 03 01 F401 21 13 00 <id> 01 78").await;
    connection.pass(message).await.expect("sent");
    peer.expect("F1 03 01 F401 20 13 00 <id> 01 78").await;
    // Longer than the wire can say.
    let forever = Draft::new("x").create().with_deadline(Duration::MAX);
    connection.pass(forever).await.expect("sent");
    peer.expect("20 13 00 <id> 01 78").await;
}

// r[verify ext.meta.nested]
#[tokio::test(start_paused = true)]
async fn one_way_messages_of_a_handler_belong_to_its_trace_but_have_its_deadline_not() {
    let (next, mut last) = scripted(ping_handler()).await;
    let handler = MessageHandler::new().action("x", move |_message: Message| {
        let next = next.clone();
        async move {
            let message = Draft::new("note").create();
            next.pass(message.clone()).await.expect("sent");
            // Also in a pause, after which it is a task.
            tokio::task::yield_now().await;
            next.pass(message).await.expect("sent");
            FastReply::ACCEPT
        }
    });
    let (near, _far) = pair_with((Router::new(), extended()), (handler, extended()), PIPE).await;
    let message = Draft::new("x").create().with_trace(TRACE);
    let message = message.with_deadline(Duration::from_secs(1));
    let mut request = near.send(message).await.expect("sent");
    request.response().await.expect("a reply");
    let trace = format!("F1 1A 04 {} {} 01", "07".repeat(16), "08".repeat(8));
    for _ in 0..2 {
        last.expect(&format!("{trace} 20 16 00 <id> 04 6E6F7465"))
            .await;
    }
}

#[derive(Debug, serde::Serialize, serde::Deserialize, ServiceError)]
enum BusyError {
    /// Busy.
    #[code(16)]
    Busy,
    /// Busy with something.
    #[code(17)]
    BusyWith { what: String },
}

#[service(prefix = "gate.")]
trait Gate {
    async fn pass(&self) -> u32;
    /// Fails with the first or second error, or succeeds, and says to wait a second.
    async fn busy(&self, cx: &Context, how: u32) -> Result<u32, BusyError>;
}

struct Keeper;

impl Gate for Keeper {
    async fn pass(&self) -> u32 {
        1
    }

    async fn busy(&self, cx: &Context, how: u32) -> Result<u32, BusyError> {
        cx.set_retry_after(Duration::from_secs(1));
        match how {
            0 => Ok(7),
            1 => Err(BusyError::Busy),
            _ => Err(BusyError::BusyWith { what: "tea".into() }),
        }
    }
}

async fn gate(rate: Rate, pipe: usize, extension: Extension) -> (GateClient, Connection) {
    let options = || Options::default().extension(extension);
    let router = GateServer::new(Keeper).into_router();
    let guard = RateLimit::total(rate).only(GateClient::DESCRIPTION, &["gate.pass"]);
    let router = router.layer(guard);
    let (near, far) = pair_with((Router::new(), options()), (router, options()), pipe).await;
    (GateClient::new(near), far)
}

const MILLIS: fn(u64) -> Duration = Duration::from_millis;

// r[verify ext.meta.retry]
#[tokio::test(start_paused = true)]
async fn who_is_over_the_rate_learns_when_there_is_room() {
    // With the small one, answers arrive in pieces.
    for pipe in [PIPE, 7] {
        let (gate, _far) = gate(Rate::new(1, 2), pipe, Extension::Auto).await;
        assert_eq!(gate.pass().await.expect("the first"), 1);
        let error = gate.pass().await.expect_err("too many");
        let CallError::Refused {
            code, ref reason, ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!((code.code(), error.outcome()), (3840, Outcome::NotExecuted));
        assert!(reason.is_some());
        let wait = error
            .retry_after()
            .expect("known")
            .wait()
            .expect("some day");
        assert_eq!(wait, MILLIS(500));
        tokio::time::sleep(MILLIS(200)).await;
        let error = gate.pass().await.expect_err("too early");
        assert_eq!(error.retry_after(), Some(MILLIS(300).into()));
        // As long as it takes, and no longer.
        tokio::time::sleep(MILLIS(299)).await;
        gate.pass().await.expect_err("too early");
        tokio::time::sleep(MILLIS(1)).await;
        assert_eq!(gate.pass().await.expect("in time"), 1);
    }
    let (gate, _far) = self::gate(Rate::new(1, 0), PIPE, Extension::Auto).await;
    gate.pass().await.expect("the only one");
    let error = gate.pass().await.expect_err("closed");
    assert_eq!(error.retry_after(), Some(RetryAfter::NEVER));
}

// r[verify ext.meta.base]
#[tokio::test(start_paused = true)]
async fn without_the_extension_nobody_says_when() {
    let (gate, _far) = gate(Rate::new(1, 1), PIPE, Extension::Off).await;
    gate.pass().await.expect("the first");
    let error = gate.pass().await.expect_err("closed");
    assert_eq!(error.retry_after(), None);
    assert_eq!(gate.busy(0).await.expect("not busy"), 7);
    gate.busy(1).await.expect_err("busy");
}

// r[verify ext.meta.retry]
#[tokio::test(start_paused = true)]
async fn errors_say_when_to_try_again_and_values_do_not() {
    let (gate, _far) = gate(Rate::new(1, 1), PIPE, Extension::Auto).await;
    let said = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&said);
    let gate = gate.layer(move |call: OutgoingCall, next: CallNext| {
        let noted = Arc::clone(&noted);
        async move {
            let result = next.run(call).await;
            let retry = result.as_ref().ok().and_then(|reply| reply.retry_after());
            noted.lock().expect("no panic").push(retry);
            result
        }
    });
    assert_eq!(gate.busy(0).await.expect("not busy"), 7);
    gate.busy(1).await.expect_err("busy");
    gate.busy(2).await.expect_err("busy");
    let second = Some(RetryAfter::from(MILLIS(1_000)));
    let said = said.lock().expect("no panic").clone();
    assert_eq!(said, [None, second, second]);
}

/// Also when the caller leaves meanwhile, and when the message is dropped.
// r[verify ext.meta.retry]
#[tokio::test(start_paused = true)]
async fn every_answer_but_a_value_says_when_to_try_again() {
    for (leaves, drops, code) in [(true, false, 1), (false, true, 5), (true, true, 5)] {
        let handler = MessageHandler::new().action("x", move |message: Message| async move {
            tokio::time::sleep(MILLIS(100)).await;
            message.set_retry_after(MILLIS(9));
            if drops {
                drop(message);
                return None;
            }
            Some(FastReply::REJECT)
        });
        let (connection, mut peer) = scripted(handler).await;
        peer.ask(id(1), "x", b"").await;
        if leaves {
            peer.send("F0 10 02 FFFFFFFFFFFF 00 10270000 00000000")
                .await;
            peer.expect("F0 01 03").await;
        }
        peer.expect("F1 02 08 09").await;
        peer.expect_code(id(1), code).await;
        drop(connection);
    }
}

/// What is said of it is not kept for another message with the same id.
#[tokio::test(start_paused = true)]
async fn nothing_is_kept_for_messages_that_are_not_answered() {
    #[service]
    trait Tea {
        #[action(one_way)]
        async fn spill(&self, cx: &Context);
        async fn drink(&self) -> Result<(), BusyError>;
    }
    struct Pot;
    impl Tea for Pot {
        async fn spill(&self, cx: &Context) {
            cx.set_retry_after(MILLIS(9));
        }
        async fn drink(&self) -> Result<(), BusyError> {
            Err(BusyError::Busy)
        }
    }
    let (near, far) = duplex(PIPE);
    let mut peer = Peer::silent(far);
    peer.send(OFFER).await;
    let connection = Connection::over(near, TeaServer::new(Pot), extended()).await;
    let _connection = connection.expect("connected");
    peer.expect(OFFER).await;
    peer.expect(OURS).await;
    peer.send(SETTINGS).await;
    peer.tell(id(1), "spill", b"").await;
    peer.ask(id(1), "drink", b"").await;
    peer.expect_code(id(1), 16).await;
}

/// What is left counts when a call is sent, not when it is made.
// r[verify ext.meta.nested]
#[tokio::test(start_paused = true)]
async fn time_in_middleware_is_not_time_for_the_handler() {
    #[service]
    trait Timed {
        async fn left(&self, cx: &Context) -> Option<u64>;
    }
    struct Clock;
    impl Timed for Clock {
        async fn left(&self, cx: &Context) -> Option<u64> {
            cx.deadline().map(|left| left.as_millis() as u64)
        }
    }
    let there = (TimedServer::new(Clock), extended());
    let (near, _far) = pair_with((Router::new(), extended()), there, PIPE).await;
    let timed = TimedClient::new(near).layer(|call: OutgoingCall, next: CallNext| async move {
        tokio::time::sleep(MILLIS(1_500)).await;
        next.run(call).await
    });
    let left = timed.left().timeout(MILLIS(2_000)).await;
    assert_eq!(left.expect("in time"), Some(500));
}

// r[verify ext.meta.retry]
#[tokio::test(start_paused = true)]
async fn a_code_says_when_to_try_again() {
    let handler = MessageHandler::new().action("x", |message: Message| async move {
        message.set_retry_after(MILLIS(9));
        // The last one counts.
        message.set_retry_after(RetryAfter::NEVER);
        FastReply::REJECT
    });
    let (_connection, mut peer) = scripted(handler.clone()).await;
    peer.ask(id(1), "x", b"").await;
    peer.expect("F1 05 0B FFFFFFFF").await;
    peer.expect_code(id(1), 1).await;
    // Nothing is left of it for another message.
    peer.ask(id(2), "y", b"").await;
    peer.expect_code(id(2), 2).await;

    let (near, _far) = pair_with((Router::new(), extended()), (handler, extended()), PIPE).await;
    let mut request = near.send(&Draft::new("x")).await.expect("sent");
    assert_eq!(request.retry_after(), None);
    let reply = request.response().await.expect("a reply");
    assert_eq!(reply.code(), Some(FastReply::REJECT));
    assert_eq!(request.retry_after(), Some(RetryAfter::NEVER));
}

const TENANT: MetadataKey = MetadataKey::new("tenant");

#[tokio::test(start_paused = true)]
async fn a_response_has_metadata_too() {
    let handler = |key: MetadataKey| {
        MessageHandler::new()
            .action("returned", move |_message: Message| async move {
                ResponseDraft::new()
                    .data()
                    .create("")
                    .with_metadata(key, "acme")
            })
            .action("sent", move |message: Message| async move {
                let response = ResponseDraft::new().data().create(vec![7; 100_000]);
                message.respond(response.with_metadata(key, "acme")).await
            })
    };
    for (extension, key, expected) in [
        (Extension::Auto, TENANT, Ok(Some(&b"acme"[..]))),
        (Extension::Off, TENANT.optional(), Ok(None)),
        (Extension::Off, TENANT, Err(FastReply::INTERNAL_ERROR)),
    ] {
        let far = (handler(key), Options::default().extension(extension));
        let (near, _far) = pair_with((Router::new(), extended()), far, 1_000).await;
        for action in ["returned", "sent"] {
            let mut request = near.send(&Draft::new(action)).await.expect("sent");
            let reply = match request.response().await.expect("a reply") {
                Reply::Response(response) => Ok(response),
                Reply::Fast(code) => Err(code),
            };
            let found = reply.as_ref().map(|response| response.metadata(TENANT));
            assert_eq!(found.map_err(|code| *code), expected, "{action}");
        }
    }
}

const TOKEN: MetadataKey = MetadataKey::new("authorization").secret();

// r[verify ext.meta.names]
#[tokio::test(start_paused = true)]
async fn t_e18_no_length_tells_what_values_have_in_common() {
    let (connection, mut peer) = scripted(ping_handler()).await;
    let message = |token: &str, guess: &str| {
        let message = Draft::new("x").create();
        let message = message.with_metadata(TOKEN, token.to_owned());
        message.with_metadata(TENANT, guess.to_owned())
    };
    // The guess is right, wrong, and right again.
    let mut lengths = Vec::new();
    for (token, guess) in [("t0ken", "t0ken"), ("t0ken", "x7rqz"), ("t0ken", "t0ken")] {
        connection.pass(message(token, guess)).await.expect("sent");
        let head = peer.take(2).await;
        let content = peer.take(head[1].into()).await;
        let (token, guess) = (token.as_bytes(), guess.as_bytes());
        let values = content.windows(5).filter(|it| *it == token || *it == guess);
        assert_eq!(values.count(), 2, "{}", hex(&content));
        lengths.push(head[1]);
        peer.expect("20 13 00 <id> 01 78").await;
    }
    // The name of the second is sent once.
    let name = "tenant".len() as u8;
    assert_eq!(lengths, [lengths[1] + name, lengths[1], lengths[1]]);
}

// r[verify ext.meta.secret]
#[tokio::test(start_paused = true)]
async fn what_is_passed_on_keeps_its_metadata() {
    let (next, mut last) = scripted(ping_handler()).await;
    let handler = MessageHandler::new().action("x", move |message: Message| {
        let next = next.clone();
        async move {
            let passed = Draft::new("y").create();
            let passed = passed.with_metadata(TENANT, "replaced");
            let passed = passed.with_metadata_entries(message.metadata_entries());
            next.pass(passed).await.expect("sent");
            FastReply::ACCEPT
        }
    });
    let (near, _far) = pair_with((Router::new(), extended()), (handler, extended()), PIPE).await;
    let message = Draft::new("x").create().with_metadata(TOKEN, "t0k");
    let message = message.with_metadata(TENANT, "acme");
    let mut request = near.send(message).await.expect("sent");
    request.response().await.expect("a reply");
    last.expect("F1 13 4C 06 74656E616E74 04 61636D65 60 02 03 74306B 20 13 00 <id> 01 79")
        .await;
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_passed_together_keep_their_metadata() {
    let message = |tenant| Draft::new("y").create().with_metadata(TENANT, tenant);
    let (near, mut peer) = scripted(ping_handler()).await;
    let messages = [Draft::new("x").create(), message("acme")];
    near.pass_all(messages).await.expect("sent");
    peer.expect("20 13 00 <id> 01 78").await;
    peer.expect("F1 0D 4C 06 74656E616E74 04 61636D65 20 13 00 <id> 01 79")
        .await;

    let (near, mut peer) = dialogue(ping_handler()).await;
    let error = near.pass_all([message("acme")]).await;
    assert_eq!(error.expect_err("no extension").outcome(), Outcome::NotSent);
    peer.expect_silence().await;
}

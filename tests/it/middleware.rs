//! Middleware around what is served, and around calls.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sockety::{
    ByteStream, CallError, Connection, Context, FastReply, File, Options, Outcome, Router,
    ServiceError, async_trait,
    client::{CallMiddleware, CallNext, CallResult, OutgoingCall, ServiceClient},
    error::{RequestError, SendError},
    message::{Draft, Reply, ResponseDraft},
    pair,
    serve::{Answered, Incoming, IntoRouter, Message, MessageHandler, ServeMiddleware, ServeNext},
    service,
};
use tokio::time::timeout;

use crate::support::{
    Log, PIPE, Peer, answers_ping, code_of, dialogue, dialogue_with, hex, id, pair_serving,
    ping_handler, settled, tasks, tasks_are_back_to,
};

#[derive(Debug, Serialize, Deserialize, ServiceError)]
enum ShopError {
    /// Sold out.
    #[code(16)]
    SoldOut,
    /// Too dear.
    #[code(17)]
    TooDear { price: u32 },
}

#[service]
trait Shop {
    async fn buy(&self, thing: String) -> Result<u32, ShopError>;
    async fn send(&self, note: String, parcels: Vec<File>, labels: ByteStream);
    #[action(one_way)]
    async fn look(&self);
    #[action(spawn)]
    async fn wrap(&self, cx: &Context) -> Option<String>;
    #[action(limit(payload = "4 B"))]
    async fn whisper(&self, text: String);
    async fn forever(&self);
}

#[derive(Clone, Default)]
struct Corner(Log);

/// A value attached to a message.
struct Tag(&'static str);

impl Shop for Corner {
    async fn buy(&self, thing: String) -> Result<u32, ShopError> {
        self.0.note(format!("buy {thing}"));
        match thing.as_str() {
            "bread" => Ok(300),
            "gold" => Err(ShopError::TooDear { price: 9 }),
            _ => Err(ShopError::SoldOut),
        }
    }

    async fn send(&self, note: String, parcels: Vec<File>, _labels: ByteStream) {
        self.0.note(format!("send {note} {}", parcels.len()));
    }

    async fn look(&self) {
        self.0.note("look");
    }

    async fn wrap(&self, cx: &Context) -> Option<String> {
        let tag = cx.request_extensions().get::<Tag>();
        cx.request_extensions().insert(Tag("of the handler"));
        tag.map(|tag| tag.0.to_owned())
    }

    async fn whisper(&self, _text: String) {
        self.0.note("whisper");
    }

    async fn forever(&self) {
        let _noted = NotedDrop(self.0.clone(), "handler dropped");
        std::future::pending().await
    }
}

struct NotedDrop(Log, &'static str);

impl Drop for NotedDrop {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

fn shop(corner: &Corner) -> Router {
    let other = corner.0.clone();
    let keeper: Arc<std::sync::Mutex<Vec<Message>>> = Arc::default();
    let pong = ResponseDraft::new().with_data("pong");
    let handler = ping_handler()
        .action("pong", move |message| {
            let (pong, other) = (pong.create(), other.clone());
            async move {
                let tag = message.request_extensions().get::<Tag>();
                other.note(format!("pong {:?}", tag.map(|tag| tag.0)));
                message.respond(pong).await
            }
        })
        .action("keep", move |message| {
            keeper.lock().expect("no panic").push(message);
            async {}
        });
    ShopServer::new(corner.clone())
        .into_router()
        .handler(handler)
}

/// Notes each message and how it was answered.
struct Noting(Log, &'static str);

#[async_trait]
impl ServeMiddleware for Noting {
    async fn handle(&self, incoming: Incoming, next: ServeNext) {
        self.0.note(format!("{} > {}", self.1, incoming.action()));
        let answered = next.run(incoming).await;
        self.0.note(format!("{} < {answered:?}", self.1));
    }
}

#[async_trait]
impl CallMiddleware for Noting {
    async fn handle(&self, call: OutgoingCall, next: CallNext) -> CallResult {
        self.0.note(format!("{} > {}", self.1, call.action()));
        let result = next.run(call).await;
        let noted = match &result {
            Ok(reply) => format!("{} < {:?}", self.1, reply.answered()),
            Err(error) => format!("{} < {}", self.1, error.outcome()),
        };
        self.0.note(noted);
        result
    }
}

// What is served.

#[tokio::test(start_paused = true)]
async fn what_is_added_first_sees_a_message_first_and_its_answer_last() {
    let corner = Corner::default();
    let log = &corner.0;
    let router = Router::new()
        .layer(Noting(log.clone(), "a"))
        .layer(Noting(log.clone(), "b"))
        .service(ShopServer::new(corner.clone()))
        .expect("no duplicates");
    let (near, _far) = pair_serving(router).await;
    assert_eq!(
        ShopClient::new(near)
            .buy("bread".into())
            .await
            .expect("bread"),
        300
    );
    let response = "Response { payload: 3 }";
    assert_eq!(
        log.events(),
        [
            "a > buy".to_owned(),
            "b > buy".into(),
            "buy bread".into(),
            format!("b < {response}"),
            format!("a < {response}"),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn middleware_sees_how_typed_methods_and_handlers_answered() {
    let corner = Corner::default();
    let log = Log::default();
    let router = shop(&corner).describe().layer(Noting(log.clone(), "m"));
    let (near, _far) = pair_serving(router).await;
    let shop = ShopClient::new(near.clone());
    shop.buy("gold".into()).await.expect_err("too dear");
    shop.buy("milk".into()).await.expect_err("sold out");
    shop.look().await.expect("sent");
    for action in ["ping", "pong"] {
        let mut request = near.send(&Draft::new(action)).await.expect("sent");
        request.response().await.expect("a reply");
    }
    near.pass(&Draft::new("ping")).await.expect("sent");
    let _kept = near.send(&Draft::new("keep")).await.expect("sent");
    settled().await;
    sockety::describe::describe(&near)
        .await
        .expect("a description");
    let events = log.events();
    let of = |action: &str| {
        let seen = events.iter().position(|e| *e == format!("m > {action}"));
        events[seen.expect("seen") + 1].clone()
    };
    assert!(of("buy").starts_with("m < Error"));
    assert_eq!(events[3], "m < Code(FastReply(16))");
    assert_eq!(of("look"), "m < Nothing");
    assert_eq!(of("ping"), "m < Code(FastReply(0 (Accept)))");
    assert_eq!(of("pong"), "m < Response { payload: 4 }");
    assert_eq!(events[11], "m < Nothing", "nobody waits for this ping");
    assert_eq!(of("keep"), "m < Nothing");
    assert!(of("$sockety.describe").starts_with("m < Response"));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_by_the_connection_or_by_middleware_does_not_run() {
    let corner = Corner::default();
    let seen = Log::default();
    let note = seen.clone();
    let router = shop(&corner).layer(move |incoming: Incoming, next: ServeNext| {
        note.note(incoming.action());
        async move {
            if incoming.action() == "buy" || incoming.action() == "look" {
                return incoming.refuse(FastReply::REJECT).await;
            }
            next.run(incoming).await;
        }
    });
    let (_connection, mut peer) = dialogue(router).await;
    peer.ask(id(1), "unknown", b"").await;
    // Handlers decide what they do not know; middleware sees what they are asked.
    peer.expect_code(id(1), 2).await;
    peer.ask(id(2), "whisper", b"\xA5lorem").await;
    peer.expect_code(id(2), 3842).await;
    peer.ask(id(3), "buy", b"\xA5bread").await;
    peer.expect_code(id(3), 1).await;
    peer.tell(id(4), "look", b"").await;
    peer.expect_silence().await;
    assert_eq!(seen.events(), ["unknown", "buy", "look"]);
    assert!(corner.0.events().is_empty());
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn middleware_sees_sizes_files_and_streams_and_whom_it_serves() {
    let corner = Corner::default();
    let seen = Log::default();
    let note = seen.clone();
    let router = shop(&corner).layer(move |incoming: Incoming, next: ServeNext| {
        let files: Vec<_> = incoming
            .files()
            .iter()
            .map(|f| (f.name(), f.size()))
            .collect();
        note.note(format!(
            "{} {files:?} {} {} {:?}",
            incoming.payload().len(),
            incoming.has_stream(),
            incoming.expects_response(),
            incoming.peer_addr(),
        ));
        assert_eq!(incoming.extensions().get::<u8>().as_deref(), Some(&7));
        async move {
            next.run(incoming).await;
        }
    });
    let (near, far) = pair_serving(router).await;
    far.extensions().insert(7_u8);
    let files = vec![File::from_bytes("a", "xyz"), File::from_bytes("b", "")];
    let labels = ByteStream::from_reader(&b"label"[..]);
    ShopClient::new(near)
        .send("hello".into(), files, labels)
        .await
        .expect("sent");
    assert_eq!(seen.events(), [r#"6 [("a", 3), ("b", 0)] true true None"#]);
    assert_eq!(corner.0.events(), ["send hello 2"]);
}

#[tokio::test(start_paused = true)]
async fn values_attached_to_a_message_reach_its_handler_and_no_other() {
    let corner = Corner::default();
    let router = shop(&corner).layer(|incoming: Incoming, next: ServeNext| async move {
        if incoming.expects_response() && incoming.payload().is_empty() {
            incoming.request_extensions().insert(Tag("of middleware"));
        }
        next.run(incoming).await;
    });
    let (near, _far) = pair_serving(router).await;
    let shop = ShopClient::new(near.clone());
    let tag = shop.wrap().await.expect("answered");
    assert_eq!(tag.as_deref(), Some("of middleware"));
    near.pass(&Draft::new("pong")).await.expect("sent");
    let mut pong = near.send(&Draft::new("pong")).await.expect("sent");
    pong.response().await.expect("answered");
    assert_eq!(
        corner.0.events(),
        ["pong None", r#"pong Some("of middleware")"#]
    );
}

#[tokio::test(start_paused = true)]
async fn values_can_be_attached_to_a_message_without_middleware() {
    let (near, _far) = pair_serving(shop(&Corner::default())).await;
    let shop = ShopClient::new(near);
    for _ in 0..2 {
        assert_eq!(shop.wrap().await.expect("answered"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_middleware_loses_is_answered_with_code_5() {
    let corner = Corner::default();
    let log = corner.0.clone();
    let router = shop(&corner).layer(Noting(log.clone(), "m")).layer(
        |incoming: Incoming, next: ServeNext| async move {
            let action = incoming.action().to_owned();
            match action.as_str() {
                // With the message.
                "keep" => {}
                "pong" => panic!("middleware"),
                "wrap" => {
                    tokio::task::yield_now().await;
                    panic!("middleware, as a task")
                }
                "look" => drop(next),
                _ => {
                    let time = Duration::from_secs(1);
                    let _ = timeout(time, next.run(incoming)).await;
                }
            }
        },
    );
    let (_connection, mut peer) = dialogue(router).await;
    for (number, action) in (0..).zip(["keep", "pong", "wrap", "look", "forever"]) {
        peer.ask(id(number), action, b"").await;
        peer.expect_code(id(number), 5).await;
    }
    settled().await;
    let internal = "m < Code(FastReply(5 (Internal Error)))";
    assert_eq!(
        log.events(),
        [
            "m > keep",
            internal,
            "m > pong",
            "m > wrap",
            "m > look",
            internal,
            "m > forever",
            "handler dropped",
            internal
        ]
    );
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_counts_as_executing_while_its_middleware_waits() {
    let router = shop(&Corner::default()).layer(|incoming: Incoming, next: ServeNext| async move {
        if incoming.action() == "pong" {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        next.run(incoming).await;
    });
    let options = Options::default()
        .max_requests_executing(1)
        .max_queued_requests(0);
    let (_connection, mut peer) = dialogue_with(router, options, PIPE).await;
    peer.ask(id(1), "pong", b"").await;
    settled().await;
    peer.ask(id(2), "ping", b"").await;
    peer.expect_code(id(2), 3840).await;
    peer.expect_response(id(1)).await;
    settled().await;
    answers_ping(&mut peer).await;
}

// Calls.

async fn noting(router: Router) -> (Connection, Connection, Log) {
    let log = Log::default();
    let (near, far) = pair_serving(router).await;
    (near.layer(Noting(log.clone(), "m")), far, log)
}

#[tokio::test(start_paused = true)]
async fn all_calls_of_a_handle_go_through_its_middleware() {
    let corner = Corner::default();
    let (near, _far, log) = noting(shop(&corner)).await;
    let client = ShopClient::new(near.clone());
    assert_eq!(client.buy("bread".into()).await.expect("bread"), 300);
    let raw = client.buy("milk".into()).raw().await.expect("a reply");
    assert_eq!(raw.code(), Some(FastReply::new(16).expect("a code")));
    near.call(ShopDraft::buy("bread".into()))
        .await
        .expect("bread");
    client.look().await.expect("sent");
    let ping = near.send(&Draft::new("ping")).await.expect("sent");
    assert_eq!(code_of(ping).await, 0);
    near.pass(&Draft::new("ping")).await.expect("sent");
    near.pass_all([&Draft::new("ping"), &Draft::new("pong")])
        .await
        .expect("sent");
    let mut stream = near
        .pass_stream(&Draft::new("ping"))
        .await
        .expect("a stream");
    let writer = stream.take_writer().expect("its writer");
    writer.finish().expect("sent");
    let accepted = "m < Code(FastReply(0 (Accept)))";
    assert_eq!(
        log.events(),
        [
            "m > buy",
            "m < Response { payload: 3 }",
            "m > buy",
            "m < Code(FastReply(16))",
            "m > buy",
            "m < Response { payload: 3 }",
            "m > look",
            "m < Nothing",
            "m > ping",
            accepted,
            "m > ping",
            "m < Nothing",
            "m > ping",
            "m < Nothing",
            "m > pong",
            "m < Nothing",
            "m > ping",
            "m < Nothing",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn handles_have_their_own_middleware_and_pass_it_to_their_clones() {
    let (near, _far, log) = noting(shop(&Corner::default())).await;
    let (plain, _plain_far) = pair(Router::new(), ping_handler()).await.expect("a pair");
    let client = ShopClient::new(near.clone()).layer(Noting(log.clone(), "n"));
    client.clone().buy("bread".into()).await.expect("bread");
    let response = "< Response { payload: 3 }";
    assert_eq!(
        log.events(),
        [
            "m > buy".to_owned(),
            "n > buy".into(),
            format!("n {response}"),
            format!("m {response}")
        ]
    );
    let ping = plain.send(&Draft::new("ping")).await.expect("sent");
    assert_eq!(code_of(ping).await, 0);
    assert_eq!(log.events().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_middleware_refuses_or_drops_is_not_sent() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let handle = connection.layer(|call: OutgoingCall, _: CallNext| async move {
        match call.payload() {
            [] => {
                let status = call.status();
                drop(call);
                Err(status.given_up())
            }
            _ => call.reject("not today"),
        }
    });
    let refused = ShopClient::new(handle.clone())
        .buy("bread".into())
        .await
        .expect_err("refused");
    assert_eq!(refused.outcome(), Outcome::NotSent);
    assert!(
        matches!(&refused, CallError::Request { error: RequestError::Send(SendError::RejectedByMiddleware(why)), .. } if **why == *"not today")
    );
    let dropped = [
        handle.send(&Draft::new("ping")).await.err(),
        handle.pass_stream(&Draft::new("ping")).await.err(),
    ];
    for error in dropped {
        assert!(
            matches!(error, Some(SendError::RejectedByMiddleware(_))),
            "{error:?}"
        );
    }
    let passed = handle.pass(&Draft::new("ping")).await.expect_err("dropped");
    assert_eq!(passed.outcome(), Outcome::NotSent);
    peer.expect_silence().await;
    // The other handle knows nothing of it.
    connection.pass(&Draft::new("ping")).await.expect("sent");
    peer.expect_message("ping").await;
}

/// Waits a second for each call.
async fn hasty(call: OutgoingCall, next: CallNext) -> CallResult {
    let status = call.status();
    let replied = timeout(Duration::from_secs(1), next.run(call)).await;
    replied.unwrap_or_else(|_| Err(status.given_up()))
}

#[tokio::test(start_paused = true)]
async fn a_call_that_middleware_gives_up_may_have_been_executed() {
    let options = Options::default().max_requests_in_flight(1);
    let (connection, mut peer) = dialogue_with(Router::new(), options, PIPE).await;
    let handle = connection.layer(hasty);
    let call = tokio::spawn({
        let client = ShopClient::new(handle.clone());
        async move { client.forever().await }
    });
    let (late, _) = peer.expect_message("forever").await;
    let error = call.await.expect("no panic").expect_err("given up");
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(matches!(
        error,
        CallError::Request {
            error: RequestError::GivenUp { .. },
            ..
        }
    ));
    peer.reply(late, 0).await;
    // Its place in the table was given back.
    let mut request = handle.send(&Draft::new("ping")).await.expect("room");
    let (ping, _) = peer.expect_message("ping").await;
    peer.reply(ping, 0).await;
    assert_eq!(
        request.response().await.expect("a reply").code(),
        Some(FastReply::ACCEPT)
    );
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_call_holds_for_its_middleware_too() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let stuck = connection.layer(|_call: OutgoingCall, _next: CallNext| std::future::pending());
    let limit = Duration::from_millis(50);
    let error = ShopClient::new(stuck)
        .forever()
        .timeout(limit)
        .await
        .expect_err("stuck");
    assert!(matches!(
        error,
        CallError::Request {
            error: RequestError::TimedOut {
                outcome: Outcome::NotSent,
                ..
            },
            ..
        }
    ));
    peer.expect_silence().await;
    let handle = connection.layer(|call: OutgoingCall, next: CallNext| next.run(call));
    let error = ShopClient::new(handle)
        .forever()
        .timeout(limit)
        .await
        .expect_err("no answer");
    assert!(matches!(
        error,
        CallError::Request {
            error: RequestError::TimedOut {
                outcome: Outcome::Unknown,
                ..
            },
            ..
        }
    ));
    peer.expect_message("forever").await;
}

#[tokio::test(start_paused = true)]
async fn middleware_sees_the_errors_that_callers_get() {
    let log = Log::default();
    let (connection, peer) = dialogue(Router::new()).await;
    let handle = connection.layer(Noting(log.clone(), "m"));
    let mut request = handle.send(&Draft::new("ping")).await.expect("sent");
    request.sent().await.expect("written");
    drop::<Peer>(peer);
    let error = request.response().await.expect_err("gone");
    assert_eq!(error.outcome(), Outcome::Unknown);
    handle
        .send(&Draft::new("ping"))
        .await
        .expect_err("nobody there");
    assert_eq!(
        log.events(),
        [
            "m > ping",
            "m < unknown whether it was executed",
            "m > ping",
            "m < not sent"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn further_replies_and_streams_are_the_callers() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let log = Log::default();
    let handle = connection.layer(Noting(log.clone(), "m"));
    let mut request = handle
        .send(Draft::new("talk").with_stream().create())
        .await
        .expect("sent");
    let writer = request.take_writer().expect("a writer");
    writer.finish().expect("written");
    let written = format!("23 16 00 {} 04 74616c6b 80", hex(request.id()));
    peer.expect(&format!("01 {written}")).await;
    peer.respond(request.id(), id(1), b"one").await;
    peer.respond(request.id(), id(2), b"two").await;
    let mut replies = request.responses();
    for expected in ["one", "two"] {
        let reply = replies.next().await.expect("more").expect("a reply");
        let Reply::Response(response) = reply else {
            panic!("{reply:?}")
        };
        assert_eq!(response.payload(), expected);
    }
    assert_eq!(log.events(), ["m > talk", "m < Response { payload: 3 }"]);
}

#[tokio::test(start_paused = true)]
async fn middleware_may_run_as_a_task_that_ends_with_the_request() {
    // The clock of calls is a task too.
    let options = Options::default().call_timeout(None);
    let (connection, mut peer) = dialogue_with(Router::new(), options, PIPE).await;
    let handle = connection.layer(|call: OutgoingCall, next: CallNext| async move {
        let going_on = tokio::spawn(next.run(call));
        going_on.await.expect("no panic")
    });
    let baseline = tasks();
    let mut request = handle.send(&Draft::new("ping")).await.expect("sent");
    peer.expect_message("ping").await;
    peer.reply(request.id(), 0).await;
    let reply = request.response().await.expect("a reply");
    assert_eq!(reply.code(), Some(FastReply::ACCEPT));
    drop(request);
    tasks_are_back_to(baseline).await;

    let dropped = handle.send(&Draft::new("ping")).await.expect("sent");
    assert_eq!(tasks(), baseline + 1);
    drop(dropped);
    tasks_are_back_to(baseline).await;
}

#[tokio::test(start_paused = true)]
async fn middleware_may_call_on_the_same_connection_itself() {
    let (near, _far) = pair_serving(shop(&Corner::default())).await;
    let log = Log::default();
    let note = log.clone();
    let handle = near.layer(move |call: OutgoingCall, next: CallNext| {
        note.note(call.action());
        let connection = call.connection().clone();
        async move {
            let ping = connection.send(&Draft::new("ping")).await.expect("sent");
            assert_eq!(code_of(ping).await, 0);
            let reply = next.run(call).await.expect("answered");
            assert_eq!(reply.answered(), Answered::Response { payload: 4 });
            Ok(reply)
        }
    });
    let mut pong = handle.send(&Draft::new("pong")).await.expect("sent");
    pong.response().await.expect("answered");
    assert_eq!(log.events(), ["pong"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_middleware_is_its_callers_and_the_connection_lives() {
    let (near, _far) =
        pair_serving(MessageHandler::new().action("ping", |_| async { FastReply::ACCEPT })).await;
    let handle = near.layer(|_call: OutgoingCall, _next: CallNext| async { panic!("middleware") });
    let call = tokio::spawn(async move { handle.send(&Draft::new("ping")).await });
    assert!(call.await.expect_err("a panic").is_panic());
    let ping = near.send(&Draft::new("ping")).await.expect("sent");
    assert_eq!(code_of(ping).await, 0);
}

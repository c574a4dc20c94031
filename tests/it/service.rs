//! Typed services: their bytes on the wire, and what their callers are told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sockety::msgpack::to_vec;
use sockety::{
    CallError, Connection, Context, FastReply, Options, Outcome, Router, Server, ServiceError,
    error::{NoError, RequestError},
    message::Draft,
    pair,
    serve::{DuplicateAction, IntoRouter, MessageHandler},
    service,
};
use tokio::time::Instant;

use crate::support::{
    Log, PIPE, Peer, Received, answers_ping, bytes, code_of, dialogue, dialogue_with, hex, id,
    is_pending, ping_handler, settled,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Clip {
    id: u64,
    title: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ServiceError)]
enum MediaError {
    /// There is no such clip.
    #[code(16)]
    NotFound,
    /// The quota is used up.
    #[code(17)]
    QuotaExceeded { used: u64, limit: u64 },
    #[code(3839)]
    Refused(String),
    #[code(18)]
    Empty {},
}

#[service]
trait Media {
    async fn version(&self) -> u32;
    async fn get(&self, id: u64) -> Result<Clip, MediaError>;
    async fn rename(&self, id: u64, title: String);
    async fn remove(&self, id: u64) -> Result<(), MediaError>;
    async fn store(&self, clip: Clip) -> u64;
    async fn sum(&self, a: i64, b: Option<i64>, list: Vec<i64>) -> i64;
    #[action(one_way)]
    async fn track(&self, event: String);
    #[action(one_way)]
    async fn tick(&self);
    #[action(name = "who am I")]
    async fn who(&self, cx: &Context) -> String;
    async fn describe(&self, cx: &Context, number: u8, text: String) -> String;
    async fn find(&self, title: String) -> Option<Clip>;
    async fn fail(&self, message: String);
    async fn forever(&self);
    async fn ask_back(&self, cx: &Context, question: String) -> Result<String, MediaError>;
}

#[service(prefix = "viewer.")]
trait Viewer {
    async fn answer(&self, question: String) -> String;
    async fn get(&self, id: u64) -> u64;
}

#[derive(Clone, Default)]
struct Store {
    log: Log,
}

impl Media for Store {
    async fn version(&self) -> u32 {
        3
    }

    async fn get(&self, id: u64) -> Result<Clip, MediaError> {
        match id {
            0 => Err(MediaError::NotFound),
            1 => Err(MediaError::QuotaExceeded { used: 9, limit: 8 }),
            2 => Err(MediaError::Refused("no".into())),
            3 => Err(MediaError::Empty {}),
            id => Ok(Clip {
                id,
                title: "title".into(),
            }),
        }
    }

    async fn rename(&self, id: u64, title: String) {
        self.log.note(format!("rename {id} {title}"));
    }

    async fn remove(&self, id: u64) -> Result<(), MediaError> {
        self.get(id).await.map(drop)
    }

    async fn store(&self, clip: Clip) -> u64 {
        clip.id
    }

    async fn sum(&self, a: i64, b: Option<i64>, list: Vec<i64>) -> i64 {
        a + b.unwrap_or(1000) + list.iter().sum::<i64>()
    }

    async fn track(&self, event: String) {
        self.log.note(event);
    }

    async fn tick(&self) {
        self.log.note("tick");
    }

    async fn who(&self, cx: &Context) -> String {
        format!("{} {}", cx.id(), cx.action())
    }

    async fn describe(&self, cx: &Context, number: u8, text: String) -> String {
        let known = cx.extensions().get::<String>();
        format!("{number} {text} {known:?} {:?}", cx.peer_addr())
    }

    async fn find(&self, title: String) -> Option<Clip> {
        (!title.is_empty()).then_some(Clip { id: 1, title })
    }

    async fn fail(&self, message: String) {
        if message == "later" {
            tokio::task::yield_now().await;
        }
        panic!("{message}");
    }

    async fn forever(&self) {
        std::future::pending().await
    }

    async fn ask_back(&self, cx: &Context, question: String) -> Result<String, MediaError> {
        let viewer = cx.peer::<ViewerClient>();
        let answer = viewer.answer(question).await;
        answer.map_err(|error| MediaError::Refused(error.to_string()))
    }
}

struct Person;

impl Viewer for Person {
    async fn answer(&self, question: String) -> String {
        question.chars().rev().collect()
    }

    async fn get(&self, id: u64) -> u64 {
        id
    }
}

async fn served() -> (MediaClient, Connection, Log) {
    let store = Store::default();
    let log = store.log.clone();
    let (near, far) = pair(ViewerServer::new(Person), MediaServer::new(store))
        .await
        .expect("two connections");
    (MediaClient::new(near), far, log)
}

/// A client, and a peer that plays the server.
async fn calling() -> (MediaClient, Peer) {
    let (connection, peer) = dialogue(Router::new()).await;
    (MediaClient::new(connection), peer)
}

/// A peer that plays the client.
async fn serving() -> (Connection, Peer) {
    let router = MediaServer::new(Store::default()).into_router();
    dialogue(router.handler(ping_handler())).await
}

// What comes back.

#[tokio::test(start_paused = true)]
async fn every_shape_of_method_can_be_called() {
    let (media, _far, log) = served().await;
    assert_eq!(media.version().await.expect("a reply"), 3);
    let clip = Clip {
        id: 7,
        title: "title".into(),
    };
    assert_eq!(media.get(7).await.expect("a reply"), clip);
    media.rename(7, "new".into()).await.expect("accepted");
    media.remove(7).await.expect("accepted");
    assert_eq!(media.store(clip).await.expect("a reply"), 7);
    assert_eq!(
        media.sum(1, Some(2), vec![3, 4]).await.expect("a reply"),
        10
    );
    assert_eq!(media.sum(-1, None, vec![]).await.expect("a reply"), 999);
    media.track("seen".into()).await.expect("written");
    media.tick().await.expect("written");
    let described = media.describe(7, "text".into()).await.expect("a reply");
    assert_eq!(described, "7 text None None");
    assert_eq!(media.find(String::new()).await.expect("a reply"), None);
    let found = media.find("a".into()).await.expect("a reply");
    assert_eq!(found.map(|clip| clip.title).as_deref(), Some("a"));
    assert_eq!(log.events(), ["rename 7 new", "seen", "tick"]);
}

#[tokio::test(start_paused = true)]
async fn the_context_shows_the_message() {
    let (media, far, _) = served().await;
    let call = media.who();
    let expected = format!("{} who am I", call.id());
    assert_eq!(call.await.expect("a reply"), expected);
    far.extensions().insert("ada".to_owned());
    let described = media.describe(1, "x".into()).await.expect("a reply");
    assert_eq!(described, "1 x Some(\"ada\") None");
}

fn service_error<T: std::fmt::Debug, E>(result: Result<T, CallError<E>>) -> E {
    let error = result.expect_err("an error");
    assert_eq!(error.outcome(), Outcome::Replied);
    assert!(!error.is_retryable());
    error.into_service().expect("an error of the service")
}

#[tokio::test(start_paused = true)]
async fn errors_come_back_with_and_without_details() {
    let (media, _far, _) = served().await;
    let expected = || {
        [
            MediaError::NotFound,
            MediaError::QuotaExceeded { used: 9, limit: 8 },
            MediaError::Refused("no".into()),
            MediaError::Empty {},
        ]
    };
    for (id, error) in (0..).zip(expected()) {
        assert_eq!(service_error(media.get(id).await), error);
    }
    for (id, error) in (0..).zip(expected()) {
        assert_eq!(service_error(media.remove(id).await), error);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_calls_its_client_back() {
    let (media, _far, _) = served().await;
    assert_eq!(media.ask_back("abc".into()).await.expect("a reply"), "cba");
}

#[tokio::test(start_paused = true)]
async fn a_server_whose_client_serves_nothing_learns_so() {
    let (near, _far) = pair(Router::new(), MediaServer::new(Store::default()))
        .await
        .expect("two connections");
    let error = service_error(MediaClient::new(near).ask_back("abc".into()).await);
    assert!(matches!(error, MediaError::Refused(text) if text.contains("Not Implemented")));
}

#[tokio::test]
async fn a_client_connects_by_address() {
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let address = server.local_addr().expect("an address");
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(MediaServer::new(Store::default())));
    let media = MediaClient::connect(address).await.expect("connected");
    assert_eq!(media.version().await.expect("a reply"), 3);
    let described = media.describe(1, "x".into()).await.expect("a reply");
    let own = media.connection().local_addr().expect("an address");
    assert_eq!(described, format!("1 x None Some({own})"));
    handle.stop();
    serving.await.expect("no panic").expect("stopped");
}

// The wire.

#[tokio::test(start_paused = true)]
async fn a_method_without_parameters_has_no_payload() {
    let (media, mut peer) = calling().await;
    let mut call = Box::pin(media.version().into_future());
    assert!(is_pending(&mut call).await);
    let id = peer.expect_id("21 19 00 <id> 07 76657273696f6e").await;
    peer.respond(id, crate::support::id(1), &[0x2A]).await;
    assert_eq!(call.await.expect("a reply"), 42);
}

#[tokio::test(start_paused = true)]
async fn one_parameter_is_the_bare_value() {
    let (media, mut peer) = calling().await;
    let mut call = Box::pin(media.get(7).into_future());
    assert!(is_pending(&mut call).await);
    let id = peer.expect_id("21 16 40 <id> 03 676574 01 E0 01 07").await;
    let clip = bytes("82 A2 6964 07 A5 7469746c65 A1 78");
    peer.respond(id, crate::support::id(1), &clip).await;
    assert_eq!(call.await.expect("a reply").title, "x");
}

#[tokio::test(start_paused = true)]
async fn several_parameters_are_a_map_keyed_by_their_names() {
    let (media, mut peer) = calling().await;
    let mut call = Box::pin(media.rename(7, "new".into()).into_future());
    assert!(is_pending(&mut call).await);
    let id = peer
        .expect_id("21 19 40 <id> 06 72656e616d65 0F E0 0F 82 A2 6964 07 A5 7469746c65 A3 6e6577")
        .await;
    peer.reply(id, 0).await;
    call.await.expect("accepted");
}

#[tokio::test(start_paused = true)]
async fn a_context_is_not_on_the_wire_and_the_name_is_that_of_the_attribute() {
    let (media, mut peer) = calling().await;
    let mut who = Box::pin(media.who().into_future());
    assert!(is_pending(&mut who).await);
    peer.expect("21 1A 00 <id> 08 77686f20616d2049").await;
    let mut describe = Box::pin(media.describe(1, "x".into()).into_future());
    assert!(is_pending(&mut describe).await);
    let (_, payload) = peer.expect_message("describe").await;
    assert_eq!(payload, bytes("82 A6 6e756d626572 01 A4 74657874 A1 78"));
}

#[tokio::test(start_paused = true)]
async fn a_prefix_stands_before_the_name() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let viewer = ViewerClient::new(connection);
    let mut call = Box::pin(viewer.get(1).into_future());
    assert!(is_pending(&mut call).await);
    peer.expect_message("viewer.get").await;
}

#[tokio::test(start_paused = true)]
async fn a_one_way_method_expects_no_response() {
    let (media, mut peer) = calling().await;
    media.tick().await.expect("written");
    peer.expect("20 16 00 <id> 04 7469636b").await;
    media.track("x".into()).await.expect("written");
    peer.expect("20 18 40 <id> 05 747261636b 02 E0 02 A1 78")
        .await;
}

async fn check_reply(action: &str, payload: &[u8], expected: &str) {
    let (_connection, mut peer) = serving().await;
    peer.ask(id(1), action, payload).await;
    peer.expect(&expected.replace("<parent>", &hex(id(1))))
        .await;
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_answered_by_code_0() {
    check_reply(
        "rename",
        &bytes("82 A2 6964 07 A5 7469746c65 A1 78"),
        "30 <parent>",
    )
    .await;
    check_reply("remove", &[9], "30 <parent>").await;
}

#[tokio::test(start_paused = true)]
async fn a_value_is_answered_by_a_response() {
    check_reply("version", b"", "50 22 40 <parent> <id> 01 E0 01 03").await;
    check_reply(
        "get",
        &[9],
        "50 22 40 <parent> <id> 11 E0 11 82 A2 6964 09 A5 7469746c65 A5 7469746c65",
    )
    .await;
    check_reply("find", &[0xA0], "50 22 40 <parent> <id> 01 E0 01 C0").await;
}

#[tokio::test(start_paused = true)]
async fn an_error_without_details_is_a_code() {
    check_reply("get", &[0], "40 10 <parent>").await;
}

#[tokio::test(start_paused = true)]
async fn an_error_with_details_is_an_error_value() {
    let name = "AD 51756f74614578636565646564";
    let text = "B4 5468652071756f7461206973207573656420 7570";
    let details = format!("81 {name} 82 A4 75736564 09 A5 6c696d6974 08");
    let value = format!("D4 65 00 93 {name} {text} {details}");
    let expected = format!("50 22 40 <parent> <id> 44 E0 44 {value}");
    check_reply("get", &[1], &expected).await;
    check_reply("remove", &[1], &expected).await;
}

// What a peer may do.

async fn check_call(code: u16, expected: fn(&CallError<MediaError>) -> bool, outcome: Outcome) {
    let (media, mut peer) = calling().await;
    let mut call = Box::pin(media.get(7).into_future());
    assert!(is_pending(&mut call).await);
    let (id, _) = peer.expect_message("get").await;
    peer.reply(id, code).await;
    let error = call.await.expect_err("refused");
    assert!(expected(&error), "{error:?}");
    assert_eq!(error.outcome(), outcome, "{code}");
}

#[tokio::test(start_paused = true)]
async fn codes_are_told_apart() {
    let is_refused = |error: &CallError<MediaError>| matches!(error, CallError::Refused { .. });
    check_call(1, is_refused, Outcome::Replied).await;
    check_call(2, is_refused, Outcome::NotExecuted).await;
    check_call(3, is_refused, Outcome::Replied).await;
    check_call(4, is_refused, Outcome::Replied).await;
    check_call(5, is_refused, Outcome::Executed).await;
    check_call(3840, is_refused, Outcome::NotExecuted).await;
    check_call(3842, is_refused, Outcome::NotExecuted).await;
    check_call(3846, is_refused, Outcome::NotExecuted).await;
    // Codes of variants with details, which travel otherwise, and of no variant.
    let is_remote = |error: &CallError<MediaError>| matches!(error, CallError::Remote { error: remote, .. } if remote.code.is_some());
    check_call(17, is_remote, Outcome::Replied).await;
    check_call(100, is_remote, Outcome::Replied).await;
    let is_not_found =
        |error: &CallError<MediaError>| matches!(error, CallError::Service(MediaError::NotFound));
    check_call(16, is_not_found, Outcome::Replied).await;
}

#[tokio::test(start_paused = true)]
async fn code_0_for_a_value_cannot_be_read() {
    let is_unreadable = |error: &CallError<MediaError>| matches!(error, CallError::Content { .. });
    check_call(0, is_unreadable, Outcome::Executed).await;
}

async fn response_to_get(payload: &[u8]) -> Result<Clip, CallError<MediaError>> {
    let (media, mut peer) = calling().await;
    let mut call = Box::pin(media.get(7).into_future());
    assert!(is_pending(&mut call).await);
    let (id, _) = peer.expect_message("get").await;
    peer.respond_expecting(id, crate::support::id(1), payload)
        .await;
    call.await
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_newer_peer_is_a_remote_error() {
    let newer = bytes("D4 65 00 93 A3 4e6577 A4 74657874 81 A3 4e6577 07");
    let error = response_to_get(&newer).await.expect_err("an error");
    assert_eq!(error.outcome(), Outcome::Replied);
    let CallError::Remote { error, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!((&*error.name, &*error.message), ("New", "text"));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_javascript_is_a_remote_error() {
    // new TypeError("text"), without and with an undefined cause.
    for digits in [
        "D4 65 00 92 A9 547970654572726f72 A4 74657874",
        "D4 65 00 93 A9 547970654572726f72 A4 74657874 D4 00 00",
        "D4 65 00 93 A9 547970654572726f72 A4 74657874 C0",
    ] {
        let error = response_to_get(&bytes(digits)).await.expect_err("an error");
        let CallError::Remote { error, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!((&*error.name, &*error.message), ("TypeError", "text"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_cannot_be_read_says_so() {
    for digits in [
        "C1",
        "A3 6e6577",
        "82 A2 6964",
        "D4 65 00",
        "D4 65 00 07",
        "07 07",
    ] {
        let error = response_to_get(&bytes(digits)).await.expect_err(digits);
        assert!(
            matches!(error, CallError::Content { .. }),
            "{digits}: {error:?}"
        );
        assert_eq!(error.outcome(), Outcome::Executed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_of_msgpackr_is_read() {
    // The id as a whole float, the map as map16, a further field that is undefined.
    let clip =
        bytes("DE 00 03 A2 6964 CB 41F0000000000000 A5 7469746c65 A1 78 A4 6d6f7265 D4 00 00");
    let clip = response_to_get(&clip).await.expect("a clip");
    assert_eq!((clip.id, &*clip.title), (1 << 32, "x"));
}

async fn check_request(action: &str, digits: &str, expected: &[u8]) {
    let (_connection, mut peer) = serving().await;
    peer.ask(id(1), action, &bytes(digits)).await;
    let (_, payload) = peer.expect_response(id(1)).await;
    assert_eq!(hex(payload), hex(expected), "{action} {digits}");
}

#[tokio::test(start_paused = true)]
async fn parameters_of_msgpackr_are_read() {
    let clip = to_vec(&Clip {
        id: 9,
        title: "title".into(),
    })
    .expect("encoded");
    // 9 as a float64 and as a float32; 2^32, which msgpackr never writes otherwise.
    check_request("get", "CB 4022000000000000", &clip).await;
    check_request("get", "CA 41100000", &clip).await;
    let stored = to_vec(&(1_u64 << 32)).expect("encoded");
    check_request(
        "store",
        "DE 00 02 A2 6964 CB 41F0000000000000 A5 7469746c65 A1 78",
        &stored,
    )
    .await;
    // Fields as an array.
    check_request("store", "92 05 A1 78", &[5]).await;
    // An undefined option, a missing one, and a parameter that we do not have.
    check_request(
        "sum",
        "DE 00 03 A1 61 01 A1 62 D4 00 00 A4 6c697374 91 02",
        &[0xCD, 3, 0xEB],
    )
    .await;
    check_request("sum", "82 A1 61 01 A4 6c697374 91 02", &[0xCD, 3, 0xEB]).await;
    check_request("sum", "84 A1 61 01 A1 62 01 A4 6c697374 90 A1 7A C3", &[2]).await;
    check_request("version", "D4 00 00", &[3]).await;
    check_request("version", "C0", &[3]).await;
}

#[tokio::test(start_paused = true)]
async fn parameters_are_read_by_name_place_or_order() {
    // In another order.
    check_request("sum", "83 A4 6c697374 91 02 A1 62 01 A1 61 01", &[4]).await;
    // By their places, as a Rust peer may write them.
    check_request("sum", "83 00 01 01 01 02 91 02", &[4]).await;
    // As an array of all.
    check_request("sum", "93 01 01 91 02", &[4]).await;
    check_request("sum", "93 01 C0 91 02", &[0xCD, 3, 0xEB]).await;
    // With names that we do not have, numbers among names, and more elements.
    check_request(
        "sum",
        "85 A1 61 01 A4 6c697374 90 03 90 00 07 A1 7A 81 A1 61 01",
        &[0xCD, 3, 0xE9],
    )
    .await;
    check_request("sum", "94 01 01 91 02 07", &[4]).await;
}

#[tokio::test(start_paused = true)]
async fn parameters_that_are_missing_or_come_twice_are_a_bad_request() {
    for digits in [
        // One that is not optional is missing; only the optional one is there.
        "81 A4 6c697374 90",
        "81 A1 62 01",
        "80",
        "C0",
        "",
        // An array with fewer, also where the last could be missing in a map.
        "92 01 C0",
        "90",
        // Twice, by name, by place and by both.
        "83 A1 61 01 A1 61 01 A4 6c697374 90",
        "83 00 01 00 01 A4 6c697374 90",
        "83 00 01 A1 61 01 A4 6c697374 90",
        // Another type, of the whole, of a key and of a value.
        "07",
        "A1 61",
        "82 C0 01 A1 61 01",
        "82 FF 01 A1 61 01",
        "82 A1 61 A1 61 A4 6c697374 90",
    ] {
        check_code("sum", digits, 4).await;
    }
}

async fn check_code(action: &str, digits: &str, code: u16) {
    let (_connection, mut peer) = serving().await;
    peer.ask(id(1), action, &bytes(digits)).await;
    peer.expect_code(id(1), code).await;
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn parameters_that_cannot_be_read_are_answered_with_code_4() {
    check_code("get", "", 4).await;
    check_code("get", "A1 78", 4).await;
    check_code("get", "C1", 4).await;
    check_code("get", "CB 3FF8000000000000", 4).await;
    check_code("get", "07 07", 4).await;
    check_code("get", "CF FF", 4).await;
    check_code("get", "DD FF FF FF FF", 4).await;
    check_code("get", "D4 65 00 93 A1 78 A1 78 C0", 4).await;
    check_code("rename", "81 A2 6964 07", 4).await;
    check_code("rename", "07", 4).await;
    check_code("remove", "FF", 4).await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_action_is_answered_with_code_2_and_was_not_executed() {
    check_code("Get", "07", 2).await;
    let (near, _far) = pair(Router::new(), ViewerServer::new(Person))
        .await
        .expect("two connections");
    let error = MediaClient::new(near).version().await.expect_err("refused");
    assert!(matches!(
        error,
        CallError::Refused {
            code: FastReply::NOT_IMPLEMENTED,
            ..
        }
    ));
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    assert!(error.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_answered_with_code_5_and_the_connection_lives() {
    let (media, _far, _) = served().await;
    for message in ["at once", "later"] {
        let error = media.fail(message.into()).await.expect_err("a panic");
        assert!(matches!(
            error,
            CallError::Refused {
                code: FastReply::INTERNAL_ERROR,
                ..
            }
        ));
        assert_eq!(error.outcome(), Outcome::Executed);
        assert_eq!(media.version().await.expect("a reply"), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_expects_no_reply_runs_any_method_and_gets_none() {
    let (_connection, mut peer) = serving().await;
    for (action, digits) in [
        ("version", ""),
        ("get", "00"),
        ("get", "01"),
        ("get", "C1"),
        ("fail", "A0"),
    ] {
        peer.tell(id(1), action, &bytes(digits)).await;
    }
    answers_ping(&mut peer).await;
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_one_way_method_that_is_asked_answers_code_0() {
    let (_connection, mut peer) = serving().await;
    peer.ask(id(1), "tick", b"").await;
    peer.expect_code(id(1), 0).await;
    peer.ask(id(2), "track", &bytes("C1")).await;
    peer.expect_code(id(2), 4).await;
}

// Several services.

#[tokio::test(start_paused = true)]
async fn several_services_and_a_handler_share_a_connection() {
    let router = Router::new()
        .service(MediaServer::new(Store::default()))
        .and_then(|router| router.service(ViewerServer::new(Person)))
        .expect("no name twice")
        .handler(ping_handler());
    let (near, _far) = pair(Router::new(), router).await.expect("two connections");
    let media = MediaClient::new(near.clone());
    let viewer = ViewerClient::new(near.clone());
    assert_eq!(media.get(9).await.expect("a reply").id, 9);
    assert_eq!(viewer.get(9).await.expect("a reply"), 9);
    let ping = near.send(&Draft::new("ping")).await.expect("sent");
    assert_eq!(code_of(ping).await, 0);
}

#[test]
fn two_services_with_an_action_of_one_name_are_refused() {
    let router = Router::new()
        .service(MediaServer::new(Store::default()))
        .expect("no name twice");
    let error = router
        .service(MediaServer::new(Store::default()))
        .expect_err("all names twice");
    let DuplicateAction { action, services } = error;
    assert_eq!(action, "version");
    assert_eq!(services[0], services[1]);
    assert!(services[0].contains("MediaServer"));
}

#[tokio::test(start_paused = true)]
async fn one_service_serves_several_connections() {
    let store = Arc::new(Store::default());
    for _ in 0..2 {
        let server = MediaServer::from_arc(Arc::clone(&store));
        let (near, _far) = pair(Router::new(), server).await.expect("two connections");
        let media = MediaClient::new(near);
        media.track("seen".into()).await.expect("written");
        assert_eq!(media.version().await.expect("a reply"), 3);
    }
    assert_eq!(store.log.events(), ["seen", "seen"]);
}

// Drafts.

#[tokio::test(start_paused = true)]
async fn a_draft_is_called_typed_any_number_of_times() {
    let (media, _far, _) = served().await;
    let connection = media.connection();
    let draft = MediaDraft::get(7);
    assert_eq!(draft.action(), "get");
    let mut ids = Vec::new();
    for _ in 0..3 {
        let call = connection.call(draft.clone());
        ids.push(call.id());
        assert_eq!(call.await.expect("a reply").id, 7);
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);
    let error = connection.call(MediaDraft::get(0)).await;
    assert_eq!(service_error(error), MediaError::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_draft_is_sent_and_passed_dynamically() {
    let (media, _far, log) = served().await;
    let connection = media.connection();
    let mut request = connection.send(&MediaDraft::get(7)).await.expect("sent");
    let reply = request.response().await.expect("a reply");
    let clip: Clip = reply
        .into_response()
        .expect("a response")
        .msgpack()
        .expect("a clip");
    assert_eq!(clip.id, 7);
    connection
        .pass(MediaDraft::track("one".into()))
        .await
        .expect("written");
    let drafts = [MediaDraft::track("two".into()), MediaDraft::tick()];
    connection.pass_all(&drafts).await.expect("written");
    assert_eq!(media.version().await.expect("a reply"), 3);
    assert_eq!(log.events(), ["one", "two", "tick"]);
}

#[tokio::test]
async fn a_draft_is_broadcast() {
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let address = server.local_addr().expect("an address");
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(ViewerServer::new(Person)));
    let (events, mut received) = tokio::sync::mpsc::unbounded_channel();
    let listener = MessageHandler::new().action("track", move |message| {
        events.send(message.msgpack::<String>()).expect("received");
        async {}
    });
    let connection = sockety::connect(address)
        .serve(listener)
        .await
        .expect("connected");
    // Answered, so the server knows the connection.
    ViewerClient::new(connection.clone())
        .get(1)
        .await
        .expect("a reply");
    let sent = handle.broadcast(MediaDraft::track("news".into()), |_| true);
    assert_eq!(sent.expect("sent"), 1);
    let event = received.recv().await.expect("an event");
    assert_eq!(event.expect("text"), "news");
    handle.stop();
    serving.await.expect("no panic").expect("stopped");
}

// Clocks.

fn timed_out_as<T: std::fmt::Debug, E: sockety::ServiceError>(
    result: Result<T, CallError<E>>,
    expected: Outcome,
) {
    let error = result.expect_err("no reply");
    let is_timed_out = matches!(
        error,
        CallError::Request {
            error: RequestError::TimedOut { .. },
            ..
        }
    );
    assert!(is_timed_out, "{error:?}");
    assert_eq!(error.outcome(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_sent_and_not_answered_in_time_has_an_unknown_outcome() {
    let (media, _far, _) = served().await;
    let begin = Instant::now();
    let call = media.forever().timeout(Duration::from_millis(500));
    timed_out_as(call.await, Outcome::Unknown);
    assert_eq!(begin.elapsed(), Duration::from_millis(500));
    assert_eq!(media.version().await.expect("a reply"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_time_of_its_own_ends_with_that_of_the_connection() {
    let (media, _far, _) = served().await;
    let begin = Instant::now();
    // The peer says that the handler had begun.
    timed_out_as(media.forever().await, Outcome::Executed);
    let waited = begin.elapsed().as_secs();
    assert!((30..=32).contains(&waited), "{waited} s");
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_connection_without_a_time_waits_as_long_as_it_takes() {
    let options = Options::default().call_timeout(None).idle_timeout(None);
    let (connection, mut peer) = dialogue_with(Router::new(), options, PIPE).await;
    let media = MediaClient::new(connection);
    let mut call = Box::pin(media.version().into_future());
    assert!(is_pending(&mut call).await);
    let (id, _) = peer.expect_message("version").await;
    tokio::time::sleep(Duration::from_secs(100_000)).await;
    assert!(is_pending(&mut call).await);
    peer.respond(id, crate::support::id(1), &[1]).await;
    assert_eq!(call.await.expect("a reply"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_found_no_place_in_time_was_not_sent() {
    let options = Options::default().max_outbox_bytes(100);
    let (connection, mut peer) = dialogue_with(Router::new(), options, 64).await;
    let media = MediaClient::new(connection.clone());
    let filler = Draft::new("filler").data().create(vec![0; 1000]);
    let _filler = connection.send(filler).await.expect("accepted");
    let call = media.version().timeout(Duration::from_millis(500));
    timed_out_as(call.await, Outcome::NotSent);
    peer.expect_message("filler").await;
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_said_not_to_be_sent_is_never_sent() {
    let (connection, mut peer) = dialogue_with(Router::new(), Options::default(), 64).await;
    let media = MediaClient::new(connection.clone());
    let filler = Draft::new("filler").data().create(vec![0; 1000]);
    let _filler = connection.send(filler).await.expect("accepted");
    // It has its place behind the filler, which the peer does not read.
    let call = media.version().timeout(Duration::from_millis(500));
    let error = call.await.expect_err("no reply");
    peer.expect_message("filler").await;
    settled().await;
    match error.outcome() {
        Outcome::NotSent => peer.expect_silence().await,
        outcome => assert_eq!(outcome, Outcome::Unknown),
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_said_not_to_be_sent_is_never_sent() {
    let options = Options::default().call_timeout(Some(Duration::from_secs(2)));
    let (connection, mut peer) = dialogue_with(Router::new(), options, 64).await;
    let filler = Draft::new("filler").data().create(vec![0; 1000]);
    let _filler = connection.send(filler).await.expect("accepted");
    let mut request = connection
        .send(&Draft::new("late"))
        .await
        .expect("accepted");
    let error = request.response().await.expect_err("no reply");
    peer.expect_message("filler").await;
    match error.outcome() {
        Outcome::NotSent => peer.expect_silence().await,
        outcome => assert_eq!(outcome, Outcome::Unknown),
    }
}

#[tokio::test(start_paused = true)]
async fn t_a4_a_call_that_is_given_up_leaves_the_connection_as_it_was() {
    let (media, mut peer) = calling().await;
    let mut call = Box::pin(media.version().into_future());
    assert!(is_pending(&mut call).await);
    let (id, _) = peer.expect_message("version").await;
    drop(call);
    peer.respond(id, crate::support::id(1), &[1]).await;
    let mut call = Box::pin(media.version().into_future());
    assert!(is_pending(&mut call).await);
    let (id, _) = peer.expect_message("version").await;
    peer.respond(id, crate::support::id(2), &[2]).await;
    assert_eq!(call.await.expect("a reply"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_awaited_is_not_sent() {
    let (media, mut peer) = calling().await;
    drop(media.version());
    drop(media.track("x".into()));
    drop(media.version().into_future());
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_but_an_error_value_is_one() {
    // A map whose only value is an error in the middle is none.
    #[service]
    trait Dump {
        async fn all(&self) -> BTreeMap<String, u8>;
    }
    let (connection, mut peer) = dialogue(Router::new()).await;
    let dump = DumpClient::new(connection);
    let mut call = Box::pin(dump.all().into_future());
    assert!(is_pending(&mut call).await);
    let Some(Received::Message { id, .. }) = peer.next().await else {
        panic!("a message");
    };
    peer.respond(id, crate::support::id(1), &bytes("81 A1 61 D4 65 00"))
        .await;
    let result: Result<_, CallError<NoError>> = call.await;
    assert!(
        matches!(result, Err(CallError::Content { .. })),
        "{result:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn t_r2_the_first_of_several_replies_to_a_call_wins() {
    let (media, mut peer) = calling().await;
    for _ in 0..2 {
        let mut call = Box::pin(media.version().into_future());
        assert!(is_pending(&mut call).await);
        let (id, _) = peer.expect_message("version").await;
        peer.respond(id, crate::support::id(1), &[1]).await;
        peer.respond(id, crate::support::id(2), &[2]).await;
        peer.reply(id, 5).await;
        settled().await;
        assert_eq!(call.await.expect("a reply"), 1);
    }
}

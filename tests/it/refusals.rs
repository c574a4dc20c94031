//! Refusals say why: to callers that read it, and in the log of the side that refuses.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use serde::{Deserialize, Serialize, Serializer};
use sockety::{
    ByteStream, CallError, Connection, FastReply, File, Options, Outcome, Router, Server,
    Streaming,
    client::OutgoingCall,
    config::Limits,
    error::{ContentError, NoError, ReadError, RequestError, chain},
    message::{Draft, Reply},
    pair,
    serve::{IntoRouter, MessageHandler},
    service,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, ReadBuf},
    time::advance,
};

use crate::support::{Log, PIPE, dialogue, dialogue_with, hex, id, pair_with, settled};

/// A value that cannot be encoded.
#[derive(Debug, Deserialize)]
struct Secret;

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("/etc/secret is locked"))
    }
}

#[service(prefix = "media.")]
trait Media {
    async fn put(&self, id: u64, labels: Vec<String>);
    async fn title(&self, id: u64) -> String;
    async fn export(&self, bytes: usize) -> String;
    async fn rename(&self, id: u64, title: String);
    async fn secret(&self) -> Secret;
    async fn upload(&self, file: File);
    async fn broken(&self, later: bool) -> u64;
    #[action(timeout = "2s")]
    async fn forever(&self);
    #[action(one_way, limit(payload = "100 B"))]
    async fn note(&self, text: String);
    async fn label(&self, text: String, items: Streaming<u8>);
    async fn hold(&self, file: File);
    async fn later(&self, file: File) -> u64;
    async fn named(&self) -> File;
}

/// The same actions as a caller of another version knows them.
#[service(prefix = "media.")]
trait Other {
    async fn put(&self, id: u64, labels: u64);
    async fn title(&self, id: String) -> u64;
    async fn rename(&self, id: u64, text: String);
    async fn upload(&self);
    async fn unknown(&self);
}

struct Store;

impl Media for Store {
    async fn put(&self, _id: u64, _labels: Vec<String>) {}

    async fn title(&self, id: u64) -> String {
        format!("title {id}")
    }

    async fn export(&self, bytes: usize) -> String {
        "x".repeat(bytes)
    }

    async fn rename(&self, _id: u64, _title: String) {}

    async fn secret(&self) -> Secret {
        Secret
    }

    async fn upload(&self, _file: File) {}

    async fn broken(&self, later: bool) -> u64 {
        if later {
            tokio::task::yield_now().await;
        }
        panic!("a bug of Media::broken")
    }

    async fn forever(&self) {
        std::future::pending().await
    }

    async fn note(&self, _text: String) {}

    async fn label(&self, _text: String, _items: Streaming<u8>) {}

    async fn hold(&self, _file: File) {
        std::future::pending().await
    }

    async fn later(&self, file: File) -> u64 {
        tokio::time::sleep(Duration::from_secs(3)).await;
        file.bytes(u64::MAX).await.expect("a file").len() as u64
    }

    async fn named(&self) -> File {
        File::from_bytes("x".repeat(70_000), "")
    }
}

async fn connected() -> (MediaClient, OtherClient, Connection) {
    let (client, server) = pair(Router::new(), MediaServer::new(Store))
        .await
        .expect("a connection");
    let (media, other) = (client.clone(), client);
    (MediaClient::new(media), OtherClient::new(other), server)
}

#[track_caller]
fn refusal<T>(result: Result<T, CallError<NoError>>) -> (FastReply, String) {
    let Err(error) = result else {
        panic!("not refused");
    };
    let text = chain(&error).to_string();
    let CallError::Refused { code, .. } = error else {
        panic!("{error:?}");
    };
    (code, text)
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_cannot_be_read_is_named() {
    let (_media, other, _server) = connected().await;
    let (code, text) = refusal(other.put(7, 8).await);
    assert_eq!(code, FastReply::BAD_REQUEST);
    assert_eq!(
        text,
        "media.put: refused with code 4 (Bad Request): payload cannot be read: labels: \
         invalid type: integer `8`, expected a sequence (byte 12)"
    );
    let (_, text) = refusal(other.rename(7, "Seven".into()).await);
    assert!(text.ends_with("missing field `title`"), "{text}");
    let (_, text) = refusal(other.title("x".repeat(100_000)).await);
    assert!(text.contains("invalid type: string"), "{text}");
    let reason = text.len() - "media.title: refused with code 4 (Bad Request): ".len();
    assert!(reason <= 200, "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_missing_file_is_named() {
    let (_media, other, _server) = connected().await;
    let (code, text) = refusal(other.upload().await);
    assert_eq!(code, FastReply::BAD_REQUEST);
    assert!(
        text.ends_with(": missing file: the message has only 0"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_over_the_limit_says_its_size_and_the_limit() {
    let (media, _other, _server) = connected().await;
    let result = media.export(5 << 20).await;
    let error = result.as_ref().expect_err("too large");
    assert_eq!(error.outcome(), Outcome::Executed);
    assert_eq!(
        refusal(result),
        (
            FastReply::INTERNAL_ERROR,
            "media.export: refused with code 5 (Internal Error): \
             reply of 5242885 bytes is over the limit of 4194304"
                .into()
        )
    );
    assert_eq!(media.title(7).await.expect("a reply"), "title 7");
}

#[tokio::test(start_paused = true)]
async fn what_concerns_the_server_alone_does_not_travel() {
    let (media, _other, _server) = connected().await;
    let (code, text) = refusal(media.secret().await);
    assert_eq!(code, FastReply::INTERNAL_ERROR);
    assert!(text.ends_with(": reply cannot be encoded"), "{text}");
    for later in [false, true] {
        let (code, text) = refusal(media.broken(later).await);
        assert_eq!(code, FastReply::INTERNAL_ERROR);
        assert_eq!(text, "media.broken: refused with code 5 (Internal Error)");
    }
}

#[tokio::test(start_paused = true)]
async fn callers_that_do_not_read_reasons_get_the_code_alone() {
    let (media, _other, _server) = connected().await;
    let bad = Draft::new("media.title")
        .with_msgpack("seven")
        .expect("encoded");
    let large = Draft::new("media.export")
        .with_msgpack(&(5 << 20))
        .expect("encoded");
    for (draft, expected) in [
        (bad, FastReply::BAD_REQUEST),
        (large, FastReply::INTERNAL_ERROR),
    ] {
        let mut request = media.connection().send(&draft).await.expect("sent");
        let reply = request.response().await.expect("a reply");
        assert!(
            matches!(reply, Reply::Fast(code) if code == expected),
            "{reply:?}"
        );
    }
    let reply = media.export(5 << 20).raw().await.expect("a reply");
    assert_eq!(reply.code(), Some(FastReply::INTERNAL_ERROR));
}

#[tokio::test(start_paused = true)]
async fn a_message_without_types_can_ask_for_reasons() {
    let (media, _other, _server) = connected().await;
    let connection = media.connection();
    let draft = Draft::new("media.title").msgpack::<str>();
    let message = draft.create("seven").asking_for_reasons();
    let mut request = connection.send(message).await.expect("sent");
    let response = request.response().await.expect("a reply").into_response();
    let refusal = response.expect("a response").refusal().expect("a refusal");
    assert_eq!(refusal.code, FastReply::BAD_REQUEST);
    assert!(refusal.reason.contains("invalid type"), "{refusal:?}");
    // Another response is none, nor is an error of a service.
    let titles = MessageHandler::new().action("media.title", |_| async {
        sockety::message::ResponseDraft::new()
            .msgpack::<u64>()
            .create(&7)
    });
    let (client, _peer) = pair(Router::new(), titles).await.expect("a connection");
    let message = draft.create("seven").asking_for_reasons();
    let mut request = client.send(message).await.expect("sent");
    let response = request.response().await.expect("a reply").into_response();
    assert_eq!(response.expect("a response").refusal(), None);
}

#[tokio::test(start_paused = true)]
async fn a_reply_of_another_type_and_a_timeout_name_their_action() {
    let (media, _other, _server) = connected().await;
    let titles = MessageHandler::new().action("media.title", |_| async {
        sockety::message::ResponseDraft::new()
            .msgpack::<u64>()
            .create(&7)
    });
    let (client, _peer) = pair(Router::new(), titles).await.expect("a connection");
    let error = MediaClient::new(client)
        .title(7)
        .await
        .expect_err("a number");
    assert_eq!(error.to_string(), "media.title: reply cannot be read");
    assert!(matches!(
        error,
        CallError::Content {
            error: ContentError::Decode(_),
            ..
        }
    ));

    let error = media.forever().await.expect_err("no reply");
    assert_eq!(error.to_string(), "media.forever: no reply within 2s");
    let call = media.forever().timeout(Duration::from_millis(1500));
    let error = call.await.expect_err("no reply");
    assert_eq!(error.to_string(), "media.forever: no reply within 1.5s");

    let mut request = (media.connection().send(&Draft::new("media.forever")).await).expect("sent");
    let error = request.response().await.expect_err("no reply");
    assert_eq!(error.to_string(), "no reply within 30s");
    assert!(matches!(error, RequestError::TimedOut { .. }));
}

#[tokio::test(start_paused = true)]
async fn an_error_that_this_side_does_not_know_names_its_action() {
    let newer = MessageHandler::new().action("media.title", |_| async {
        Ok::<_, NoError>(FastReply::new(99).expect("a code"))
    });
    let (client, _server) = pair(Router::new(), newer).await.expect("a connection");
    let error = MediaClient::new(client).title(7).await.expect_err("a code");
    assert_eq!(
        chain(&error).to_string(),
        "media.title: method returned an unknown error: error 99 of the service"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_answered_names_its_action() {
    let (media, _other, server) = connected().await;
    let text = |error: CallError<NoError>| chain(&error).to_string();

    let unsent = media.rename(7, "x".repeat(5 << 20)).await;
    assert_eq!(
        text(unsent.expect_err("too large")),
        "media.rename: payload of 5242896 bytes is over the limit of 4194304"
    );
    let broken = File::from_reader("a.bin", 10, &b"short"[..]);
    assert_eq!(
        text(media.upload(broken).await.expect_err("too short")),
        "media.upload: message abandoned: file \"a.bin\" changed: announced with 10 bytes, found 5"
    );
    let layered = media
        .connection()
        .layer(|call: OutgoingCall, _| async move {
            let status = call.status();
            drop(call);
            Err(status.given_up())
        });
    assert_eq!(
        text(
            MediaClient::new(layered)
                .title(7)
                .await
                .expect_err("dropped")
        ),
        "media.title: rejected by a middleware: a middleware dropped the message"
    );
    let waiting = media.forever().timeout(Duration::from_secs(60));
    let (error, ()) = tokio::join!(waiting, async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.close().await;
    });
    assert_eq!(
        text(error.expect_err("no reply")),
        "media.forever: connection ended before a reply arrived: connection closed by the peer"
    );
    let error = media.title(7).raw().await.expect_err("closed");
    assert_eq!(
        text(error),
        "media.title: connection is gone: connection closed by the peer"
    );
}

#[tokio::test]
async fn a_call_that_is_not_answered_names_its_peer() {
    let server = Server::bind("127.0.0.1:0").await.expect("a server");
    let peer = server.local_addr().expect("an address");
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(MediaServer::new(Store)));
    let media = MediaClient::connect(peer).await.expect("a connection");

    let short = Duration::from_millis(20);
    let error = media.forever().timeout(short).await.expect_err("no reply");
    assert_eq!(
        error.to_string(),
        format!("media.forever: no reply within 20ms from {peer}")
    );

    let waiting = media.forever().timeout(Duration::from_secs(60));
    let (error, ()) = tokio::join!(waiting, async {
        media.title(7).await.expect("a title");
        handle.shutdown(Duration::ZERO).await;
    });
    assert_eq!(
        error.expect_err("no reply").to_string(),
        format!("media.forever: connection to {peer} ended before a reply arrived")
    );
    let error = media.title(7).await.expect_err("closed");
    assert_eq!(
        error.to_string(),
        format!("media.title: connection to {peer} is gone")
    );
    serving.await.expect("a task").expect("stopped");
}

#[tokio::test(start_paused = true)]
async fn a_one_way_message_that_is_not_sent_names_its_action() {
    let (media, _other, server) = connected().await;
    let error = media.note("x".repeat(1000)).await.expect_err("too large");
    assert_eq!(
        chain(&error).to_string(),
        "media.note: payload of 1003 bytes is over the limit of 100"
    );
    server.close().await;
    let error = media.note("late".into()).await.expect_err("closed");
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(error.is_retryable());
    assert_eq!(
        chain(&error).to_string(),
        "media.note: connection is gone: connection closed by the peer"
    );
    // It can be passed on as the error of a method.
    let error = CallError::<NoError>::from(error);
    assert_eq!(
        chain(&error).to_string(),
        "media.note: connection is gone: connection closed by the peer"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_beside_a_payload_over_the_limit_is_not_sent_any_further() {
    let limits = Limits::default().max_payload(1000);
    let strict = (MediaServer::new(Store), Options::default().limits(limits));
    let here = (Router::new(), Options::default());
    let (client, _server) = pair_with(here, strict, PIPE).await;
    let media = MediaClient::new(client);
    let (sender, items) = Streaming::channel(1);
    let producing = async move { while sender.send(Ok(7)).await.is_ok() {} };
    let (result, ()) = tokio::join!(media.label("x".repeat(2000), items), producing);
    let (code, text) = refusal(result);
    assert_eq!(code.code(), 3842);
    assert_eq!(
        text,
        "media.label: refused with code 3842 (Too Large): payload size 2003 exceeds the limit of \
         1000"
    );
    assert_eq!(media.title(7).await.expect("a reply"), "title 7");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_does_not_read_is_blamed() {
    let no_disk = crate::support::base().max_spill_bytes(0);
    let there = (MediaServer::new(Store), no_disk);
    let here = (Router::new(), Options::default());
    let (client, _server) = pair_with(here, there, PIPE).await;
    let file = File::from_reader("a.bin", 1 << 40, tokio::io::repeat(7));
    let (code, text) = refusal(MediaClient::new(client).hold(file).await);
    assert_eq!(code.code(), 3845);
    assert_eq!(
        text,
        "media.hold: refused with code 3845 (Slow Consumer): the handler did not read the files \
         or the stream, and other messages had to wait"
    );
}

// The log.

#[tokio::test(start_paused = true)]
async fn each_kind_of_refusal_is_logged_with_action_and_reason() {
    let (log, _guard) = Log::of_warnings();
    let (media, other, _server) = connected().await;
    let _ = other.put(7, 8).await;
    let _ = media.export(5 << 20).await;
    let _ = media.secret().await;
    let _ = other.unknown().await;
    let _ = media.broken(false).await;
    advance(Duration::from_secs(1)).await;
    let _ = media.broken(true).await;
    let panicked =
        r#"handler panicked action="media.broken" reason=a bug of Media::broken suppressed=0"#;
    assert_eq!(
        log.events(),
        [
            "request refused: its parameters cannot be read action=\"media.put\" \
             reason=payload cannot be read: labels: invalid type: integer `8`, expected a \
             sequence (byte 12) suppressed=0",
            "reply not sent: it is too large action=\"media.export\" reason=payload of \
             5242885 bytes is over the limit of 4194304 suppressed=0",
            "reply not sent: it cannot be encoded action=\"media.secret\" \
             reason=payload cannot be encoded: cannot encode value as MessagePack: /etc/secret is \
             locked suppressed=0",
            "request refused: nothing serves its action action=\"media.unknown\" \
             reason=no service and no handler has it suppressed=0",
            panicked,
            panicked,
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn t_m19_a_peer_that_sends_bad_messages_all_day_does_not_fill_the_log() {
    let (log, _guard) = Log::of_warnings();
    let (_media, other, _server) = connected().await;
    for _ in 0..50 {
        let _ = other.put(7, 8).await;
    }
    assert_eq!(log.events().len(), 1);
    advance(Duration::from_secs(1)).await;
    let _ = other.put(7, 8).await;
    let events = log.events();
    assert_eq!(events.len(), 2);
    assert!(events[1].ends_with("suppressed=49"), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn messages_over_the_limits_of_the_connection_are_logged() {
    let (log, _guard) = Log::of_warnings();
    let limits = Limits::default().max_payload(1000);
    let strict = Options::default().limits(limits);
    let (near, far) = tokio::io::duplex(100_000);
    let (client, _server) = tokio::try_join!(
        Connection::over(near, Router::new(), Options::default()),
        Connection::over(far, MediaServer::new(Store), strict),
    )
    .expect("a connection");
    let (code, text) = refusal(MediaClient::new(client).rename(7, "x".repeat(2000)).await);
    assert_eq!(code.code(), 3842);
    assert_eq!(
        text,
        "media.rename: refused with code 3842 (Too Large): payload size 2014 exceeds the limit of \
         1000"
    );
    assert_eq!(
        log.events(),
        [
            "request refused: too large action=\"media.rename\" reason=payload size 2014 \
             exceeds the limit of 1000 suppressed=0"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_one_way_message_over_the_limits_is_logged_with_its_action() {
    let (log, _guard) = Log::of_warnings();
    let (_connection, mut peer) = dialogue_with(
        MediaServer::new(Store),
        Options::default().limits(Limits::default().max_payload(1000)),
        PIPE,
    )
    .await;
    peer.tell(id(1), "media.title", &[0; 1001]).await;
    peer.ask(id(2), "media.forgotten", b"").await;
    peer.expect_code(id(2), 2).await;
    assert_eq!(
        log.events()[0],
        "request refused: too large action=\"media.title\" reason=payload size 1001 \
         exceeds the limit of 1000 suppressed=0"
    );
}

#[tokio::test(start_paused = true)]
async fn a_header_that_cannot_be_read_is_logged() {
    let (log, _guard) = Log::of_warnings();
    let (_connection, mut peer) = dialogue(MediaServer::new(Store)).await;
    let id = id(1);
    let header = format!("21 14 00 {} 02 FF FE", hex(id.as_bytes()));
    peer.send(&header).await;
    peer.expect_code(id, 3846).await;
    assert_eq!(
        log.events(),
        ["request refused: its header is invalid reason=action is not valid UTF-8 suppressed=0"]
    );
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_the_queue_are_logged_with_action_count_and_limits() {
    let (log, _guard) = Log::of_warnings();
    let narrow = (Options::default().max_requests_executing(1)).max_queued_requests(1);
    let there = (MediaServer::new(Store), narrow);
    let here = (Router::new(), Options::default());
    let (client, _server) = pair_with(here, there, PIPE).await;
    let media = MediaClient::new(client);
    let calls = [(); 3].map(|()| media.forever().into_future());
    let results = futures_util::future::join_all(calls).await;
    let refused = results.into_iter().filter(|result| {
        matches!(result, Err(CallError::Refused { action: "media.forever", code, .. })
            if code.code() == 3840)
    });
    assert_eq!(refused.count(), 1);
    assert_eq!(
        log.events(),
        [
            "request refused: too many are executing or waiting action=\"media.forever\" \
             reason=1 wait for their turn (limits: 1 executing, 1 waiting) suppressed=0"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_the_protocol_cannot_express_is_logged_with_its_action() {
    let (log, _guard) = Log::of_warnings();
    let (media, _other, _server) = connected().await;
    let (code, text) = refusal(media.named().await.map(drop));
    assert_eq!(code, FastReply::INTERNAL_ERROR);
    assert!(text.ends_with(": reply cannot be sent"), "{text}");
    let events = log.events();
    assert_eq!(events.len(), 1, "{events:?}");
    let expected = "reply not sent action=\"media.named\" reason=message cannot be sent: ";
    assert!(events[0].starts_with(expected), "{events:?}");
}

#[test]
fn no_folder_for_temporary_files_is_logged_once_a_second() {
    let child = std::process::Command::new(std::env::current_exe().expect("a path"))
        .args([
            "--exact",
            "refusals::in_a_child::has_no_folder",
            "--ignored",
        ])
        .env("TMPDIR", "/proc/no/such/folder")
        .output()
        .expect("a child");
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}");
    assert!(output.contains("1 passed"), "{output}");
}

mod in_a_child {
    use super::*;

    #[tokio::test(start_paused = true)]
    #[ignore = "run by no_folder_for_temporary_files_is_logged_once_a_second"]
    async fn has_no_folder() {
        let (log, _guard) = Log::of_warnings();
        let there = (MediaServer::new(Store), crate::support::base());
        let here = (Router::new(), Options::default());
        let (client, _server) = pair_with(here, there, PIPE).await;
        let media = MediaClient::new(client);
        let upload = || {
            let file = File::from_bytes("a.bin", vec![7; 4 << 20]);
            media.later(file).into_future()
        };
        let sizes = tokio::join!(upload(), upload(), upload());
        for size in [sizes.0, sizes.1, sizes.2] {
            assert_eq!(size.expect("stored"), 4 << 20);
        }
        let events = log.events();
        // The handlers wait for three seconds.
        assert!((1..=4).contains(&events.len()), "{events:#?}");
        for event in events {
            assert!(
                event.starts_with(
                    "no temporary file: set TMPDIR to a folder that can be written to reason="
                ),
                "{event}"
            );
            assert!(event.contains("/proc/no/such/folder"), "{event}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn files_over_the_limit_of_their_action_are_logged() {
    #[service]
    trait Narrow {
        #[action(limit(file = "100 B"))]
        async fn put(&self, file: File);
    }
    struct Shelf;
    impl Narrow for Shelf {
        async fn put(&self, _file: File) {}
    }
    let (log, _guard) = Log::of_warnings();
    let server = NarrowServer::new(Shelf).into_router();
    let (client, _server) = pair(Router::new(), server).await.expect("a connection");
    let put = Draft::new("put")
        .create()
        .with_file(File::from_bytes("a", vec![0; 101]));
    let mut request = client.send(put).await.expect("sent");
    let reply = request.response().await.expect("a reply");
    assert_eq!(reply.code().map(FastReply::code), Some(3842));
    assert_eq!(
        log.events(),
        [
            "request refused: too large action=\"put\" reason=file of 101 bytes is over the \
             limit of 100 suppressed=0"
        ]
    );

    // A caller whose trait declares no limit. It is told why, and sends no more of the file.
    #[service]
    trait Wide {
        async fn put(&self, file: File);
    }
    let read = Arc::new(AtomicU64::new(0));
    let counted = read.clone();
    let endless = Counted(tokio::io::repeat(7), counted);
    let wide = WideClient::new(client);
    let (code, text) = refusal(wide.put(File::from_reader("a", 1 << 40, endless)).await);
    assert_eq!(code.code(), 3842);
    assert_eq!(
        text,
        "put: refused with code 3842 (Too Large): file of 1099511627776 bytes is over the limit \
         of 100"
    );
    settled().await;
    let read = read.load(Ordering::Relaxed);
    assert!(read < 16 << 20, "{read} bytes were read");
    wide.put(File::from_bytes("a", vec![0; 100]))
        .await
        .expect("the connection goes on");
}

#[tokio::test(start_paused = true)]
async fn messages_over_the_limit_of_their_action_are_logged() {
    #[service]
    trait Narrow {
        #[action(limit(payload = "100 B"))]
        async fn put(&self, text: String);
    }
    struct Shelf;
    impl Narrow for Shelf {
        async fn put(&self, _text: String) {}
    }
    let (log, _guard) = Log::of_warnings();
    let server = NarrowServer::new(Shelf).into_router();
    let (client, _server) = pair(Router::new(), server).await.expect("a connection");
    let put = Draft::new("put").with_data(vec![0; 101]);
    let mut request = client.send(&put).await.expect("sent");
    let reply = request.response().await.expect("a reply");
    assert_eq!(reply.code().map(FastReply::code), Some(3842));
    assert_eq!(
        log.events(),
        [
            "request refused: too large action=\"put\" reason=payload of 101 bytes is \
             over the limit of 100 suppressed=0"
        ]
    );
}

/// Counts what is read.
struct Counted(tokio::io::Repeat, Arc<AtomicU64>);

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.0).poll_read(cx, into);
        let read = into.filled().len() - before;
        self.1.fetch_add(read as u64, Ordering::Relaxed);
        polled
    }
}

#[tokio::test(start_paused = true)]
async fn files_that_are_too_large_together_are_not_sent_and_not_taken() {
    #[service]
    trait Narrow {
        #[action(limit(all_files = "100 B"))]
        async fn put(&self, files: Vec<File>);
    }
    #[service]
    trait Wide {
        async fn put(&self, files: Vec<File>);
    }
    struct Shelf;
    impl Narrow for Shelf {
        async fn put(&self, _files: Vec<File>) {}
    }
    let (log, _guard) = Log::of_warnings();
    let server = NarrowServer::new(Shelf).into_router();
    let (client, _server) = pair(Router::new(), server).await.expect("a connection");
    let file = |size: usize| File::from_bytes("a", vec![0; size]);
    let files = |sizes: [usize; 2]| sizes.map(file).into();
    let narrow = NarrowClient::new(client.clone());
    narrow.put(files([50, 50])).await.expect("as much as may");
    let error = narrow.put(files([50, 51])).await.expect_err("too much");
    assert_eq!(error.outcome(), Outcome::NotSent);
    let text = "files of 101 bytes together are over the limit of 100";
    assert_eq!(chain(&error).to_string(), format!("put: {text}"));

    let wide = WideClient::new(client);
    let (code, said) = refusal(wide.put(files([50, 51])).await);
    assert_eq!(code.outcome(), Outcome::NotExecuted);
    assert_eq!(
        said,
        format!("put: refused with code 3842 (Too Large): {text}")
    );
    let event = format!("request refused: too large action=\"put\" reason={text} suppressed=0");
    assert_eq!(log.events(), [event]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_over_the_limit_of_its_action_breaks_off_on_both_sides() {
    #[service]
    trait Narrow {
        #[action(limit(stream = "100 B"))]
        async fn pour(&self, water: ByteStream) -> u64;
    }
    struct Glass(Arc<AtomicU64>);
    impl Narrow for Glass {
        async fn pour(&self, mut water: ByteStream) -> u64 {
            let mut glass = Vec::new();
            let poured = water.read_to_end(&mut glass).await;
            if let Err(error) = poured {
                let error = error.into_inner().expect("a reason");
                let error = error.downcast::<ReadError>().expect("a reason");
                assert!(
                    matches!(*error, ReadError::TooLarge { limit: 100 }),
                    "{error:?}"
                );
            }
            self.0.store(glass.len() as u64, Ordering::Relaxed);
            glass.len() as u64
        }
    }
    let (log, _guard) = Log::of_warnings();
    let poured = Arc::new(AtomicU64::new(0));
    let server = NarrowServer::new(Glass(Arc::clone(&poured)));
    let (client, server) = pair(Router::new(), server).await.expect("a connection");
    let narrow = NarrowClient::new(client.clone());
    let water = |bytes: usize| ByteStream::from_reader(std::io::Cursor::new(vec![0; bytes]));
    assert_eq!(narrow.pour(water(100)).await.expect("a glass"), 100);

    let read = Arc::new(AtomicU64::new(0));
    let endless = Counted(tokio::io::repeat(7), Arc::clone(&read));
    let (code, text) = refusal(narrow.pour(ByteStream::from_reader(endless)).await);
    assert_eq!(code.outcome(), Outcome::Replied);
    assert_eq!(
        text,
        "pour: refused with code 4 (Bad Request): stream is over the limit of 100 bytes"
    );
    settled().await;
    assert!(poured.load(Ordering::Relaxed) <= 100);
    let read = read.load(Ordering::Relaxed);
    assert!(read < 16 << 20, "{read} bytes were read");
    assert_eq!(
        log.events(),
        [
            "request refused: too large action=\"pour\" reason=stream is over the limit of \
             100 bytes suppressed=0"
        ]
    );
    assert_eq!(narrow.pour(water(99)).await.expect("a glass"), 99);
    assert_eq!(server.stats().unanswered_messages, 0);
}

//! Refusals say why: to callers that read it, and in the log of the side that refuses.

use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use sockety::{
    CallError, Connection, FastReply, File, Options, Outcome, Router,
    client::OutgoingCall,
    config::Limits,
    error::{ContentError, NoError, RequestError, chain},
    message::{Draft, Reply},
    pair,
    serve::{IntoRouter, MessageHandler},
    service,
};
use tokio::time::advance;

use crate::support::Log;

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
         invalid type: integer `8`, expected a sequence"
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
    let panicked = r#"handler panicked action="media.broken" peer=None reason=a bug of Media::broken suppressed=0"#;
    assert_eq!(
        log.events(),
        [
            "request refused: its parameters cannot be read action=\"media.put\" peer=None \
             reason=payload cannot be read: labels: invalid type: integer `8`, expected a \
             sequence suppressed=0",
            "reply not sent: it is too large action=\"media.export\" peer=None reason=payload of \
             5242885 bytes is over the limit of 4194304 suppressed=0",
            "reply not sent: it cannot be encoded action=\"media.secret\" peer=None \
             reason=payload cannot be encoded: cannot encode value as MessagePack: /etc/secret is \
             locked suppressed=0",
            "request refused: nothing serves its action action=\"media.unknown\" peer=None \
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
    assert_eq!(text, "media.rename: refused with code 3842 (Too Large)");
    assert_eq!(
        log.events(),
        [
            "request refused: too large peer=None reason=payload size 2014 exceeds the limit of 1000 \
          suppressed=0"
        ]
    );
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
            "request refused: too large action=\"put\" peer=None reason=file of 101 bytes is over the \
          limit suppressed=0"
        ]
    );
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
            "request refused: too large action=\"put\" peer=None reason=payload of 101 bytes is \
             over the limit of 100 suppressed=0"
        ]
    );
}

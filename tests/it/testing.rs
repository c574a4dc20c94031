//! The tools for tests of users: links with faults, peers with a faked identity, recorded calls.

use std::{
    io::{self, ErrorKind},
    time::Duration,
};

use sockety::{
    CallError, Connection, Context, FastReply, File, Options, Outcome, Router,
    error::{ConnectProblem, ConnectionError},
    message::Draft,
    serve::{Answered, IntoRouter, MessageHandler},
    service,
    testing::{Faults, LinkEnd, Pair, Recorder, link},
    tls::PeerIdentity,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep},
};

use crate::support::{Authority, code_of, is_pending, ping, ping_handler, settled};

const SECOND: Duration = Duration::from_secs(1);

/// The end that writes and the end that reads, with these faults between them.
fn one_way(faults: Faults) -> (LinkEnd, LinkEnd) {
    link(faults, Faults::new())
}

async fn read(end: &mut LinkEnd, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    end.read_exact(&mut bytes).await.expect("bytes");
    bytes
}

/// Everything until the end, and how it ended.
async fn rest(end: &mut LinkEnd) -> (Vec<u8>, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let read = end.read_to_end(&mut bytes).await;
    (bytes, read.err().map(|error| error.kind()))
}

fn kind<T>(result: io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[tokio::test(start_paused = true)]
async fn a_link_without_faults_carries_both_ways_at_once() {
    let (mut client, mut server) = link(Faults::new(), Faults::new());
    let begin = Instant::now();
    client.write_all(b"ping").await.expect("written");
    server.write_all(b"pong!").await.expect("written");
    assert_eq!(client.link().to_client().unread(), 5);
    assert_eq!(read(&mut server, 4).await, b"ping");
    assert_eq!(read(&mut client, 5).await, b"pong!");
    let link = client.link();
    assert_eq!(link.to_server().carried(), 4);
    assert_eq!(link.to_client().carried(), 5);
    assert_eq!(link.to_client().unread(), 0);
    client.shutdown().await.expect("ended");
    assert_eq!(rest(&mut server).await, (vec![], None));
    server.write_all(b"still").await.expect("half-closed");
    drop(server);
    assert_eq!(rest(&mut client).await, (b"still".to_vec(), None));
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_is_written_to_an_end_that_was_dropped_fails() {
    let (mut client, server) = link(Faults::new(), Faults::new());
    drop(server);
    assert_eq!(
        kind(client.write_all(b"x").await),
        Some(ErrorKind::BrokenPipe)
    );
}

#[tokio::test(start_paused = true)]
async fn bytes_and_the_end_arrive_after_their_delay() {
    let (mut writer, mut reader) = one_way(Faults::new().delay(2 * SECOND));
    let begin = Instant::now();
    writer.write_all(b"a").await.expect("written");
    sleep(SECOND).await;
    writer.write_all(b"b").await.expect("written");
    drop(writer);
    assert_eq!(read(&mut reader, 1).await, b"a");
    assert_eq!(begin.elapsed(), 2 * SECOND);
    assert_eq!(rest(&mut reader).await, (b"b".to_vec(), None));
    assert_eq!(begin.elapsed(), 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_limited_rate_is_kept_and_holds_the_writer_up() {
    let faults = Faults::new().bytes_per_second(1000).capacity(100);
    let (mut writer, mut reader) = one_way(faults);
    let begin = Instant::now();
    let writing = tokio::spawn(async move {
        writer.write_all(&[7; 3000]).await.expect("written");
        begin.elapsed()
    });
    assert_eq!(rest(&mut reader).await, (vec![7; 3000], None));
    // A timer has milliseconds.
    let elapsed = begin.elapsed().as_millis();
    assert!((3000..3200).contains(&elapsed), "{elapsed} ms");
    let written = writing.await.expect("no panic").as_millis();
    assert!((2800..3100).contains(&written), "{written} ms");
}

#[tokio::test(start_paused = true)]
async fn a_writer_waits_while_the_capacity_is_used_up() {
    let (mut writer, mut reader) = one_way(Faults::new().capacity(3));
    {
        let mut writing = Box::pin(writer.write_all(b"12345"));
        assert!(is_pending(&mut writing).await);
        assert_eq!(read(&mut reader, 3).await, b"123");
        writing.await.expect("written");
    }
    assert_eq!(read(&mut reader, 2).await, b"45");
}

#[tokio::test(start_paused = true)]
async fn a_read_returns_no_more_than_it_may() {
    let (mut writer, mut reader) = one_way(Faults::new().read_at_most(2));
    writer.write_all(b"12345").await.expect("written");
    let mut buffer = [0; 8];
    for expected in [2, 2, 1] {
        assert_eq!(reader.read(&mut buffer).await.expect("bytes"), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_at_their_positions_are_inverted_and_no_others() {
    let (mut writer, mut reader) = one_way(Faults::new().corrupt(1).corrupt(4));
    for byte in 0..6 {
        writer.write_all(&[byte]).await.expect("written");
    }
    assert_eq!(read(&mut reader, 6).await, [0, !1, 2, 3, !4, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_cut_link_delivers_what_it_carried_and_fails_at_both_ends() {
    for after in [0, 1, 4, 5] {
        let (mut client, mut server) = one_way(Faults::new().cut_after(after));
        server.write_all(b"back").await.ok();
        let written = client.write_all(b"12345").await;
        assert_eq!(kind(written).is_some(), after == 0, "{after}");
        let reset = Some(ErrorKind::ConnectionReset);
        assert_eq!(kind(client.write_all(b"6").await), reset);
        assert_eq!(kind(server.write_all(b"6").await), reset);
        let count = usize::try_from(after).expect("small");
        assert_eq!(rest(&mut server).await, (b"12345"[..count].to_vec(), reset));
        let back = if after == 0 { "" } else { "back" };
        assert_eq!(rest(&mut client).await, (back.into(), reset));
        assert_eq!(client.link().to_server().carried(), after);
    }
}

#[tokio::test(start_paused = true)]
async fn a_direction_that_ends_ends_alone() {
    let (mut client, mut server) = one_way(Faults::new().end_after(2));
    client.write_all(b"12345").await.expect("lost");
    assert_eq!(rest(&mut server).await, (b"12".to_vec(), None));
    server.write_all(b"back").await.expect("written");
    assert_eq!(read(&mut client, 4).await, b"back");
    assert_eq!(client.link().to_server().carried(), 2);

    client.link().to_client().end();
    assert_eq!(rest(&mut client).await, (vec![], None));
}

#[tokio::test(start_paused = true)]
async fn a_paused_direction_goes_on_when_it_is_resumed() {
    let (mut client, mut server) = one_way(Faults::new().pause_after(2));
    let link = client.link();
    client.write_all(b"12345").await.expect("written");
    assert_eq!(read(&mut server, 2).await, b"12");
    {
        let mut three = [0; 3];
        let mut reading = Box::pin(server.read_exact(&mut three));
        assert!(is_pending(&mut reading).await);
        link.to_server().resume();
        reading.await.expect("bytes");
        assert_eq!(three, *b"345");
    }
    link.to_server().pause();
    client.write_all(b"6").await.expect("written");
    let mut one = [0; 1];
    let mut reading = Box::pin(server.read_exact(&mut one));
    assert!(is_pending(&mut reading).await);
    link.cut();
    assert_eq!(kind(reading.await), Some(ErrorKind::ConnectionReset));
}

// Connections over them.

#[service]
trait Post {
    async fn who(&self, cx: &Context) -> String;
    async fn send(&self, text: String) -> u32;
    async fn attach(&self, name: String, letter: File);
    #[action(one_way)]
    async fn note(&self, text: String);
}

struct Office;

impl Post for Office {
    async fn who(&self, cx: &Context) -> String {
        let names = cx.peer_identity().map(PeerIdentity::dns_names);
        let address = cx.peer_addr().map(|address| address.to_string());
        format!("{names:?} {address:?}")
    }

    async fn send(&self, text: String) -> u32 {
        text.len() as u32
    }

    async fn attach(&self, _name: String, _letter: File) {}

    async fn note(&self, _text: String) {}
}

#[tokio::test(start_paused = true)]
async fn a_server_sees_the_address_and_the_certificate_that_a_test_gives_its_client() {
    let issued = Authority::new("authority").issue(&["ada.example"]);
    let identity = PeerIdentity::from_pem(&issued.certificate).expect("an identity");
    assert_eq!(identity.chain().count(), 1);
    let pair = Pair::new(PostServer::new(Office))
        .peer_addr(([192, 0, 2, 1], 77).into())
        .peer_identity(identity)
        .connect()
        .await
        .expect("connected");
    let post = PostClient::new(pair.client.clone());
    let expected = r#"Some(["ada.example"]) Some("192.0.2.1:77")"#;
    assert_eq!(post.who().await.expect("an answer"), expected);
    assert_eq!(pair.client.peer_addr(), None);
    PeerIdentity::from_pem("nothing").expect_err("no certificate");
}

#[tokio::test(start_paused = true)]
async fn each_side_of_a_pair_has_what_it_serves_and_its_options() {
    let pair = Pair::new(ping_handler())
        .client_serves(ping_handler())
        .client_options(Options::default().call_timeout(SECOND))
        .server_options(Options::default().call_timeout(2 * SECOND))
        .connect()
        .await
        .expect("connected");
    ping(&pair.client).await;
    ping(&pair.server).await;
    pair.link.to_server().pause();
    let begin = Instant::now();
    for (connection, seconds) in [(&pair.client, 1), (&pair.server, 3)] {
        let request = connection.send(&Draft::new("ping")).await;
        request.expect("sent").response().await.expect_err("none");
        // The clock of calls ticks once a second.
        let elapsed = begin.elapsed();
        assert!(elapsed >= SECOND * seconds, "{elapsed:?}");
        assert!(elapsed < SECOND * (2 * seconds + 1), "{elapsed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_corrupt_byte_ends_the_connection() {
    let (to_server, to_client) = (Faults::new(), Faults::new().corrupt(0));
    let pair = Pair::new(Router::new()).faults(to_server, to_client);
    let error = pair.connect().await.expect_err("no connection header");
    assert!(
        matches!(error.problem(), ConnectProblem::Handshake(_)),
        "{error:?}"
    );

    let (to_server, to_client) = (Faults::new(), Faults::new().corrupt(3));
    let pair = Pair::new(PostServer::new(Office)).faults(to_server, to_client);
    let pair = pair.connect().await.expect("connected");
    let post = PostClient::new(pair.client.clone());
    let error = post.send("hello".into()).await.expect_err("corrupt");
    assert_eq!(error.outcome(), Outcome::Unknown);
    let error = pair.client.closed().await;
    assert!(!matches!(error, ConnectionError::Closed(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_cut_off_leaves_the_outcome_unknown_or_executed() {
    let recorder = Recorder::new();
    let router = PostServer::new(Office).into_router();
    // After its header and its settings.
    let pair = Pair::new(router.layer(recorder.clone()))
        .faults(Faults::new(), Faults::new().cut_after(3 + 10 + 8))
        .connect()
        .await
        .expect("connected");
    let post = PostClient::new(pair.client);
    let error = post.send("hello".into()).await.expect_err("no reply");
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(recorder.until("send", 1).await.len(), 1);
}

// Recorded calls.

async fn recorded() -> (PostClient, Recorder, Connection) {
    let recorder = Recorder::new();
    let router = PostServer::new(Office).into_router();
    let pair = Pair::new(router.layer(recorder.clone()));
    let pair = pair.connect().await.expect("connected");
    (PostClient::new(pair.client), recorder, pair.server)
}

#[tokio::test(start_paused = true)]
async fn calls_are_recorded_with_what_they_carry_and_how_they_were_answered() {
    let (post, recorder, _server) = recorded().await;
    post.send("hello".into()).await.expect("an answer");
    let letter = File::from_bytes("a.txt", "dear");
    post.attach("a".into(), letter).await.expect("an answer");
    let calls = recorder.calls();
    let actions: Vec<_> = calls.iter().map(|call| &*call.action).collect();
    assert_eq!(actions, ["send", "attach"]);
    assert_eq!(calls[0].msgpack::<String>().expect("a text"), "hello");
    assert_eq!(calls[0].answered, Some(Answered::Response { payload: 1 }));
    assert!(calls[0].expects_response && !calls[0].has_stream);
    assert!(calls[0].files.is_empty());
    assert_eq!(calls[1].files, [("a.txt".to_owned(), 4)]);
    assert_eq!(calls[1].answered, Some(Answered::Code(FastReply::ACCEPT)));
    recorder.clear();
    assert!(recorder.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_test_waits_for_one_way_messages() {
    let (post, recorder, _server) = recorded().await;
    let waiting = {
        let recorder = recorder.clone();
        tokio::spawn(async move { recorder.until("note", 2).await })
    };
    post.note("one".into()).await.expect("sent");
    settled().await;
    assert!(!waiting.is_finished());
    post.note("two".into()).await.expect("sent");
    let notes = waiting.await.expect("no panic");
    let texts = notes
        .iter()
        .map(|note| note.msgpack::<String>().expect("a text"));
    assert_eq!(texts.collect::<Vec<_>>(), ["one", "two"]);
    assert!(!notes[0].expects_response);
}

#[tokio::test(start_paused = true)]
async fn the_next_calls_of_an_action_are_refused_before_their_handler() {
    let (post, recorder, _server) = recorded().await;
    let busy = FastReply::new(3840).expect("a code");
    recorder.refuse_next("send", busy);
    recorder.refuse_next("send", FastReply::REJECT);
    post.who().await.expect("another action");
    let refused = post.send("a".into()).await.expect_err("refused");
    assert_eq!(refused.outcome(), Outcome::NotExecuted);
    let refused = post.send("a".into()).await.expect_err("refused");
    assert!(matches!(
        refused,
        CallError::Refused {
            code: FastReply::REJECT,
            ..
        }
    ));
    assert_eq!(post.send("abc".into()).await.expect("an answer"), 3);
    let answered: Vec<_> = recorder
        .calls_of("send")
        .iter()
        .map(|it| it.answered)
        .collect();
    let response = Answered::Response { payload: 1 };
    let expected = [
        Answered::Code(busy),
        Answered::Code(FastReply::REJECT),
        response,
    ];
    assert_eq!(answered, expected.map(Some));
}

#[tokio::test(start_paused = true)]
async fn a_handler_with_closures_answers_in_place_of_a_service() {
    let handler = MessageHandler::new().action("send", |message| async move {
        let text: String = message.msgpack()?;
        Ok::<_, sockety::serve::BoxError>(if text == "no" {
            FastReply::REJECT
        } else {
            FastReply::ACCEPT
        })
    });
    let pair = Pair::new(handler).connect().await.expect("connected");
    let post = PostClient::new(pair.client);
    let refused = post.send("no".into()).await.expect_err("refused");
    assert!(matches!(
        refused,
        CallError::Refused {
            code: FastReply::REJECT,
            ..
        }
    ));
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_handler_panics_has_ended() {
    let recorder = Recorder::new();
    let handler = MessageHandler::new().action("broken", |message| async move {
        assert!(message.payload().is_empty(), "a bug");
        FastReply::ACCEPT
    });
    let router = handler.into_router().layer(recorder.clone());
    let pair = Pair::new(router).connect().await.expect("connected");
    let broken = Draft::new("broken").with_data("x");
    let request = pair.client.send(&broken).await.expect("sent");
    assert_eq!(code_of(request).await, 5);
    let calls = recorder.until("broken", 1).await;
    let answered = Some(Answered::Code(FastReply::INTERNAL_ERROR));
    assert_eq!(calls[0].answered, answered);
}

#[tokio::test(start_paused = true)]
async fn a_delay_without_end_is_possible() {
    let never = Faults::new().delay(Duration::MAX);
    let pair = Pair::new(PostServer::new(Office)).faults(never, Faults::new());
    let error = pair.connect().await.expect_err("no header");
    assert!(
        matches!(error.problem(), ConnectProblem::HandshakeTimedOut(_)),
        "{error}"
    );
}

//! Streams of bytes that end with an error.

use std::io;

use serde::{Deserialize, Serialize};
use sockety::{
    ByteStream, Connection, FastReply, Options, Router, ServiceError, Streaming,
    config::Extension,
    error::{ConnectionError, ReadError, StreamEnd},
    message::{Draft, Reply},
    serve::{Message, MessageHandler},
    service,
};
use tokio::{io::AsyncWriteExt, io::duplex, sync::mpsc};

use crate::support::{OFFER, PIPE, Peer, hex, id, pair_with, ping_handler, settled};

const SETTINGS: &str = "F0 01 00";
const OURS: &str = "F0 08 00 0B 307500000000";

#[derive(Debug, PartialEq, Serialize, Deserialize, ServiceError)]
enum ReportError {
    /// The report was withdrawn.
    #[code(410)]
    Gone,
    /// There are no more lines.
    #[code(411)]
    NoLines { since: String },
}

#[service(prefix = "report.")]
trait Report {
    /// So many bytes, then an error.
    async fn read(&self, size: u64, since: Option<String>) -> Result<ByteStream, ReportError>;
    async fn items(&self) -> Streaming<u64, ReportError>;
}

struct Press;

impl Report for Press {
    async fn read(&self, size: u64, since: Option<String>) -> Result<ByteStream, ReportError> {
        Ok(ByteStream::spawn(1024, move |mut writer| async move {
            let bytes = vec![7; usize::try_from(size)?];
            writer.write_all(&bytes).await?;
            match since {
                Some(since) => writer.end_with(ReportError::NoLines { since }),
                None => writer.end_with(ReportError::Gone),
            }
            Ok(())
        }))
    }

    async fn items(&self) -> Streaming<u64, ReportError> {
        Streaming::spawn(4, |sender| async move {
            sender.send(Ok(1)).await?;
            sender.send(Err(ReportError::Gone)).await?;
            Ok(())
        })
    }
}

/// How much there was, and the error after it.
async fn read(mut stream: ByteStream) -> (usize, Option<io::Error>) {
    let mut length = 0;
    loop {
        match stream.next_chunk().await {
            Ok(Some(chunk)) => length += chunk.len(),
            Ok(None) => return (length, None),
            Err(error) => return (length, Some(error)),
        }
    }
}

fn error_of(end: &io::Error) -> Option<ReportError> {
    StreamEnd::of(end).expect("an end with an error").service()
}

fn options(extension: Extension) -> Options {
    Options::default().extension(extension)
}

async fn reports(extension: Extension) -> (ReportClient, Connection) {
    let press = ReportServer::new(Press);
    let (near, far) = pair_with(
        (Router::new(), options(Extension::Auto)),
        (press, options(extension)),
        PIPE,
    )
    .await;
    (ReportClient::new(near), far)
}

// r[verify ext.status.content]
#[tokio::test(start_paused = true)]
async fn a_reader_gets_all_bytes_and_then_the_error() {
    let (report, _far) = reports(Extension::Auto).await;
    // The last is more than the peer grants at once.
    for size in [0, 1, 100_000, 1_000_000] {
        for since in [None, Some("noon".to_owned())] {
            let stream = report.read(size, since.clone()).await.expect("a stream");
            let (length, error) = read(stream).await;
            assert_eq!(length as u64, size);
            let expected = match since {
                Some(since) => ReportError::NoLines { since },
                None => ReportError::Gone,
            };
            assert_eq!(error_of(&error.expect("an error")), Some(expected));
        }
    }
    let stream = report.read(1, None).await.expect("a stream");
    let error = read(stream).await.1.expect("an error");
    let text = sockety::error::chain(error.get_ref().expect("ours")).to_string();
    assert_eq!(
        text,
        "ended by its sender with an error: error 410 of the service"
    );
    assert_eq!(StreamEnd::of(&error).expect("an end").code().code(), 410);
    // Data that is too large for a status is left out.
    let long = Some("x".repeat(5_000));
    let stream = report.read(1, long).await.expect("a stream");
    let error = read(stream).await.1.expect("an error");
    assert_eq!(StreamEnd::of(&error).expect("an end").code().code(), 411);
    assert_eq!(error_of(&error), None);
}

// r[verify ext.status.base]
#[tokio::test(start_paused = true)]
async fn without_the_extension_the_message_is_abandoned() {
    let (report, _far) = reports(Extension::Off).await;
    let stream = report.read(100_000, None).await.expect("a stream");
    let (length, error) = read(stream).await;
    assert_eq!(length, 100_000);
    let error = error.expect("an error");
    assert!(StreamEnd::of(&error).is_none());
    let error = error.get_ref().and_then(|inner| inner.downcast_ref());
    assert!(matches!(error, Some(ReadError::Aborted)), "{error:?}");
}

/// Hands the stream of each message, and then the request goes on.
fn taking() -> (
    MessageHandler,
    mpsc::UnboundedReceiver<(usize, Option<io::Error>)>,
) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let handler = ping_handler().action("x", move |message: Message| {
        let sender = sender.clone();
        async move {
            let stream = message.take_stream().expect("a stream");
            let _ = sender.send(read(stream).await);
            FastReply::ACCEPT
        }
    });
    (handler, receiver)
}

// r[verify ext.status]
#[tokio::test(start_paused = true)]
async fn a_request_goes_on_after_its_stream_has_ended_with_an_error() {
    let (handler, mut taken) = taking();
    let far = (handler, options(Extension::Auto));
    let (near, _far) = pair_with((Router::new(), options(Extension::Auto)), far, PIPE).await;
    let message = Draft::new("x").create().with_stream();
    let mut request = near.send(message).await.expect("sent");
    let mut writer = request.take_writer().expect("a writer");
    writer.write_chunk("some").await.expect("written");
    writer.end_with(ReportError::Gone).await.expect("ended");
    let reply = request.response().await.expect("a reply");
    assert!(matches!(reply, Reply::Fast(FastReply::ACCEPT)));
    let (length, error) = taken.recv().await.expect("read");
    assert_eq!(
        (length, error_of(&error.expect("an error"))),
        (4, Some(ReportError::Gone))
    );
    // A code alone, of which 0 is a normal end.
    for (code, expected) in [(FastReply::REJECT, Some(1)), (FastReply::ACCEPT, None)] {
        let message = Draft::new("x").create();
        let mut sent = near.pass_stream(message).await.expect("sent");
        let writer = sent.take_writer().expect("a writer");
        writer.end_with(code).await.expect("ended");
        let (length, error) = taken.recv().await.expect("read");
        let end = error
            .as_ref()
            .map(|error| StreamEnd::of(error).expect("an end"));
        assert_eq!((length, end.map(|end| end.code().code())), (0, expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_passed_on_keeps_its_error() {
    let (report, _press) = reports(Extension::Auto).await;
    let handler = MessageHandler::new().action("x", move |message: Message| {
        let report = report.clone();
        async move {
            let stream = report.read(9, Some("dawn".into())).await.expect("a stream");
            let response = sockety::message::ResponseDraft::new().data().create("");
            message.respond(response.with_stream_from(stream)).await
        }
    });
    let far = (handler, options(Extension::Auto));
    let (near, _far) = pair_with((Router::new(), options(Extension::Auto)), far, PIPE).await;
    let mut request = near.send(&Draft::new("x")).await.expect("sent");
    let Ok(Reply::Response(mut response)) = request.response().await else {
        panic!("no response");
    };
    let (length, error) = read(response.take_stream().expect("a stream")).await;
    let since = "dawn".into();
    let expected = Some(ReportError::NoLines { since });
    assert_eq!((length, error_of(&error.expect("an error"))), (9, expected));
}

/// A connection with this handler, and a peer that has sent its settings.
async fn scripted(handler: MessageHandler) -> (Connection, Peer) {
    let (near, far) = duplex(PIPE);
    let mut peer = Peer::silent(far);
    peer.send(OFFER).await;
    let connection = Connection::over(near, handler, options(Extension::Auto)).await;
    peer.expect(OFFER).await;
    peer.expect(OURS).await;
    peer.send(SETTINGS).await;
    settled().await;
    (connection.expect("connected"), peer)
}

// r[verify ext.status]
#[tokio::test(start_paused = true)]
async fn the_status_stands_before_the_end() {
    let (connection, mut peer) = scripted(ping_handler()).await;
    let mut sent = connection
        .pass_stream(Draft::new("x").create())
        .await
        .expect("sent");
    peer.expect("01 22 13 00 <id> 01 78").await;
    let mut writer = sent.take_writer().expect("a writer");
    writer.write_chunk("ab").await.expect("written");
    writer.end_with(ReportError::Gone).await.expect("ended");
    peer.expect("70 02 6162 F0 03 06 9A01 80").await;
    // Nothing of it is left for the next.
    let mut sent = connection
        .pass_stream(Draft::new("x").create())
        .await
        .expect("sent");
    peer.expect("22 13 00 <id> 01 78").await;
    sent.take_writer()
        .expect("a writer")
        .finish()
        .expect("ended");
    peer.expect("80").await;
}

/// A one-way message with a stream.
fn streaming(number: u64) -> String {
    format!("22 13 00 {} 01 78", hex(id(number).as_bytes()))
}

// r[verify ext.status]
// r[verify ext.status.content]
#[tokio::test(start_paused = true)]
async fn a_status_says_why_a_stream_ends_or_a_message_is_abandoned() {
    let (handler, mut taken) = taking();
    let (connection, mut peer) = scripted(handler).await;
    for (end, expected) in [
        ("F0 03 06 9A01 80", Some(410)),
        ("F0 03 06 0000 80", None),
        ("F0 03 06 040F 90", Some(3844)),
        // Not of the one before.
        ("80", None),
        ("F0 07 06 9A01 C0C0C0C0 80", Some(410)),
    ] {
        peer.send(&format!("{} 70 01 61 {end}", streaming(1))).await;
        let (length, error) = taken.recv().await.expect("read");
        let end = error
            .as_ref()
            .map(|error| StreamEnd::of(error).expect("an end"));
        assert_eq!((length, end.map(|end| end.code().code())), (1, expected));
    }
    peer.ask(id(2), "ping", b"").await;
    peer.expect_code(id(2), 0).await;
    // An abort without one.
    peer.send(&format!("{} 90", streaming(3))).await;
    let (_, error) = taken.recv().await.expect("read");
    assert!(StreamEnd::of(&error.expect("an error")).is_none());
    assert!(!connection.is_closed());
}

// r[verify ext.status]
#[tokio::test(start_paused = true)]
async fn t_e16_errors_of_streams_have_4_kib_each() {
    let (handler, mut taken) = taking();
    let (connection, mut peer) = scripted(handler).await;
    let error = "C0".repeat(4_096);
    // All are open at once, and end in the reverse order.
    for channel in 0..200 {
        peer.send(&format!("10 {channel:02X} {}", streaming(channel)))
            .await;
    }
    for channel in (0..200).rev() {
        let end = format!("10 {channel:02X} F4 0310 06 {:02X}01 {error} 80", channel);
        peer.send(&end).await;
        let (_, error) = taken.recv().await.expect("read");
        let error = error.expect("an error");
        let code = StreamEnd::of(&error).expect("an end").code().code();
        assert_eq!(u64::from(code), 0x100 + channel);
    }
    assert!(!connection.is_closed());
    let end = format!("{} F4 0410 06 9A01 {error} C0 80", streaming(7));
    peer.send(&end).await;
    let ConnectionError::Protocol(violation) = connection.closed().await else {
        panic!("no violation");
    };
    assert_eq!(violation.rule(), "ext.content.exact");
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_items_has_its_error_in_the_stream() {
    // Both kinds of peers see the same.
    let mut seen = Vec::new();
    for (extension, header) in [
        (Extension::Auto, format!("{OFFER} {SETTINGS}")),
        (Extension::Off, "E2 00 01".to_owned()),
    ] {
        let (near, far) = duplex(PIPE);
        let mut peer = Peer::silent(far);
        peer.send(&header).await;
        let press = ReportServer::new(Press);
        let connection = Connection::over(near, press, options(extension)).await;
        let _connection = connection.expect("connected");
        match extension {
            Extension::Auto => peer.expect(&format!("{OFFER} {OURS}")).await,
            _ => peer.expect("E2 00 01").await,
        };
        peer.ask(id(1), "report.items", b"").await;
        let head = format!("01 52 21 00 {} <id>", hex(id(1).as_bytes()));
        peer.expect(&head).await;
        // The item, the error of the service, the end.
        seen.push(hex(peer.take(2 + 0x28 + 1).await));
        peer.expect_silence().await;
    }
    assert!(
        seen[0].starts_with("702801d46500") && seen[0].ends_with("80"),
        "{seen:?}"
    );
    assert_eq!(seen[0], seen[1]);
    let (report, _far) = reports(Extension::Auto).await;
    let mut items = report.items().await.expect("items");
    assert_eq!(items.next().await.expect("an item").expect("a number"), 1);
    let error = items.next().await.expect("an item").expect_err("an error");
    assert!(matches!(
        error,
        sockety::error::StreamError::Service(ReportError::Gone)
    ));
}

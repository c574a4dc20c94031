//! Credit for files and streams between sides with the extension.

use std::{
    io::Cursor,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use sockety::{
    ByteStream, Connection, FastReply, File, Options, Router,
    config::Extension,
    error::{ConnectionError, LimitExceeded, ReadError, SourceError},
    message::{Draft, Reply, ResponseDraft},
    serve::{Message, MessageHandler},
    testing::{Faults, link},
};
use sockety_codec::{ChannelId, FileIndex, FlowEntry, Part, Violation};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    sync::{Notify, mpsc},
    task::JoinSet,
    time::{Instant, advance, sleep},
};

use crate::{
    streams::{Asks, collecting, head, head_on, pattern, read_all, response, send_stream},
    support::{OFFER, PIPE, Peer, code_of, id, pair_over, pair_with, ping_handler, settled},
};

const SETTINGS: &str = "F0 01 00";
/// Those of our default options: calls have a deadline of 30 s.
const OURS: &str = "F0 08 00 0B 307500000000";
const WINDOW: usize = 256 * 1024;
const SECOND: Duration = Duration::from_secs(1);

fn extended() -> Options {
    Options::default().extension(Extension::Require)
}

async fn pair(here: MessageHandler, there: MessageHandler) -> (Connection, Connection) {
    pair_with((here, extended()), (there, extended()), PIPE).await
}

/// One of our connections, and a peer that has sent its settings.
async fn scripted(handler: MessageHandler, settings: &str) -> (Connection, Peer) {
    let (near, far) = duplex(4 << 20);
    let mut peer = Peer::silent(far);
    peer.send(OFFER).await;
    let connection = Connection::over(near, handler, extended()).await;
    peer.expect(OFFER).await;
    peer.expect(OURS).await;
    peer.send(settings).await;
    (connection.expect("connected"), peer)
}

fn stream(size: usize) -> Vec<u8> {
    content(0x78, size)
}

/// A packet of content with this first byte and a size of three bytes.
fn content(first: u8, size: usize) -> Vec<u8> {
    let [a, b, c, ..] = size.to_le_bytes();
    let mut packet = vec![first, a, b, c];
    packet.resize(4 + size, 7);
    packet
}

async fn violation(connection: &Connection) -> Violation {
    match connection.closed().await {
        ConnectionError::Protocol(violation) => violation,
        other => panic!("{other:?}"),
    }
}

/// Keeps its messages and reads nothing.
fn holding() -> MessageHandler {
    collecting().action("hold", |message: Message| async move {
        std::future::pending::<()>().await;
        drop(message);
    })
}

// r[verify ext.credit.message]
// r[verify ext.credit.check]
#[tokio::test(start_paused = true)]
async fn t_e1_one_byte_beyond_the_window_of_a_message_breaks_the_connection() {
    let (connection, mut peer) = scripted(holding(), SETTINGS).await;
    peer.send_bytes(&head(id(0), "hold", Asks::Reply, 0, true, &[]))
        .await;
    for _ in 0..4 {
        peer.send_bytes(&stream(WINDOW / 4)).await;
    }
    // Nobody reads it, so there is no credit, and nobody waits for it.
    sleep(60 * SECOND).await;
    assert!(!connection.is_closed());
    peer.send("70 01 07").await;
    let expected = Violation::MessageCredit {
        number: 0,
        used: WINDOW as u64 + 1,
        window: WINDOW as u64,
    };
    assert_eq!(violation(&connection).await, expected);
}

// r[verify ext.credit.connection]
#[tokio::test(start_paused = true)]
async fn t_e1_one_byte_beyond_the_limit_of_the_connection_breaks_it() {
    let (connection, mut peer) = scripted(holding(), SETTINGS).await;
    for number in 0..32 {
        let channel = ChannelId::new(number + 1).expect("a channel");
        let head = head_on(
            channel,
            id(number.into()),
            "hold",
            Asks::Reply,
            0,
            true,
            &[],
        );
        peer.send_bytes(&head).await;
        peer.send_bytes(&stream(WINDOW)).await;
    }
    settled().await;
    assert!(!connection.is_closed());
    let channel = ChannelId::new(33).expect("a channel");
    let head = head_on(channel, id(33), "hold", Asks::Reply, 0, true, &[]);
    peer.send_bytes(&head).await;
    peer.send("70 01 07").await;
    let limit = 32 * WINDOW as u64;
    let total = limit + 1;
    let expected = Violation::ConnectionCredit { total, limit };
    assert_eq!(violation(&connection).await, expected);
}

/// Their readers still have what has come.
// r[verify ext.credit.dropped]
#[tokio::test(start_paused = true)]
async fn t_e1_what_is_unread_of_aborted_messages_counts() {
    let (connection, mut peer) = scripted(holding(), SETTINGS).await;
    for number in 0..32 {
        peer.send_bytes(&head(id(number), "hold", Asks::Reply, 0, true, &[]))
            .await;
        peer.send_bytes(&stream(WINDOW)).await;
        peer.send("90").await;
    }
    settled().await;
    assert!(!connection.is_closed());
    peer.expect_silence().await;
    peer.send_bytes(&head(id(33), "hold", Asks::Reply, 0, true, &[]))
        .await;
    peer.send("70 01 07").await;
    let limit = 32 * WINDOW as u64;
    let total = limit + 1;
    let expected = Violation::ConnectionCredit { total, limit };
    assert_eq!(violation(&connection).await, expected);
}

// r[verify ext.stop.when]
#[tokio::test(start_paused = true)]
async fn a_stream_over_the_limit_of_its_action_is_stopped() {
    #[sockety::service]
    trait Notes {
        #[action(limit(stream = "10 KiB"))]
        async fn keep(&self, notes: ByteStream);
    }
    struct Keeps;
    impl Notes for Keeps {
        async fn keep(&self, notes: ByteStream) {
            std::future::pending::<()>().await;
            drop(notes);
        }
    }
    let there = (NotesServer::new(Keeps), extended());
    let (near, _far) = pair_with((Router::new(), extended()), there, PIPE).await;
    let (request, mut writer) = send_stream(&near, "keep").await;
    let mut written = 0;
    let error = loop {
        match writer.write_all(&[7; 1_000]).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 10_000, "it goes on");
        settled().await;
    };
    let reason = error.get_ref().and_then(|error| error.downcast_ref());
    assert!(matches!(reason, Some(SourceError::Unwanted)), "{error:?}");
    assert_eq!(code_of(request).await, 4);
}

// r[verify ext.settings.before]
// r[verify ext.credit.exact]
// r[verify ext.credit.grows]
// r[verify ext.credit.blocked]
#[tokio::test(start_paused = true)]
async fn content_is_sent_to_the_last_byte_of_credit() {
    let (near, far) = duplex(4 << 20);
    let mut peer = Peer::silent(far);
    peer.send(OFFER).await;
    let connection = Connection::over(near, ping_handler(), extended()).await;
    let connection = connection.expect("connected");
    peer.expect(OFFER).await;
    peer.expect(OURS).await;
    let mut sent = connection
        .pass_stream(Draft::new("x").create())
        .await
        .expect("sent");
    let mut writer = sent.take_writer().expect("a writer");
    writer.write_chunk(vec![7; 10_000]).await.expect("room");
    peer.expect("01 22 13 00 <id> 01 78").await;
    // No content before the settings of the peer are known.
    peer.expect_silence().await;
    // A window of 4,097 bytes.
    peer.send("F0 08 00 01 011000000000").await;
    peer.expect("74 01 10").await;
    peer.expect(&"07".repeat(4_097)).await;
    peer.expect_silence().await;
    // One byte, then a limit that is lower, which has no effect, then all.
    peer.send("F2 07 00 00000000 0100").await;
    peer.expect("70 01 07").await;
    peer.send("F2 07 00 00000000 0000").await;
    peer.expect_silence().await;
    peer.send("F2 07 00 00000000 FFFF").await;
    peer.expect("74 0E 17").await;
    peer.expect(&"07".repeat(10_000 - 4_098)).await;
    writer.finish().expect("open");
    peer.expect("80").await;
}

// r[verify ext.number.unknown]
#[tokio::test(start_paused = true)]
async fn t_e5_credit_for_what_never_began_breaks_the_connection() {
    for (flow, expected) in [
        (
            "F2 07 00 01000000 0100",
            Violation::NumberUnknown {
                number: 1,
                begun: 1,
            },
        ),
        (
            "F2 05 08 05000000",
            Violation::NumberUnknown {
                number: 5,
                begun: 1,
            },
        ),
        (
            "F2 08 40 00000000 00 0100",
            Violation::FlowPart {
                number: 0,
                part: Part::File(FileIndex::new(0).expect("an index")),
            },
        ),
    ] {
        let (connection, mut peer) = scripted(ping_handler(), SETTINGS).await;
        let _sent = connection
            .pass_stream(Draft::new("x").create())
            .await
            .expect("sent");
        peer.expect("01 22 13 00 <id> 01 78").await;
        peer.send(flow).await;
        assert_eq!(violation(&connection).await, expected, "{flow}");
    }
}

// r[verify ext.credit.budget]
#[tokio::test(start_paused = true)]
async fn t_e3_a_flood_of_credit_ends_the_connection() {
    let (connection, mut peer) = scripted(ping_handler(), SETTINGS).await;
    let _sent = connection
        .pass_stream(Draft::new("x").create())
        .await
        .expect("sent");
    peer.expect("01 22 13 00 <id> 01 78").await;
    // One for the stream, which has begun.
    for limit in 1..=1_025_u32 {
        let [a, b, ..] = limit.to_le_bytes();
        peer.send_bytes(&[0xF2, 7, 0, 0, 0, 0, 0, a, b]).await;
    }
    settled().await;
    assert!(!connection.is_closed());
    // Ten more each second.
    advance(SECOND).await;
    for limit in 1_026..=1_035_u32 {
        let [a, b, ..] = limit.to_le_bytes();
        peer.send_bytes(&[0xF2, 7, 0, 0, 0, 0, 0, a, b]).await;
    }
    settled().await;
    assert!(!connection.is_closed());
    peer.send("F2 07 00 00000000 FFFF").await;
    let error = connection.closed().await;
    assert!(
        matches!(error, ConnectionError::Limit(LimitExceeded::Flow { .. })),
        "{error:?}"
    );
}

/// Thousands of files that nobody reads are stopped one by one.
// r[verify ext.credit.budget]
#[tokio::test(start_paused = true)]
async fn each_part_of_a_message_can_be_stopped() {
    const FILES: u32 = 3_000;
    // A window of 4,096 bytes, and as many files.
    let settings = "F0 0F 00 01 001000000000 06 B80B00000000";
    let (connection, mut peer) = scripted(ping_handler(), settings).await;
    let file = |index| File::from_bytes(format!("{index}"), vec![7; 1_000]);
    let message = Draft::new("x").with_files((0..FILES).map(file)).create();
    let request = connection.send(message).await.expect("sent");
    settled().await;
    let indexes: Vec<u32> = (0..FILES).collect();
    let mut stops = Vec::new();
    for indexes in indexes.chunks(500) {
        let size = (8 * indexes.len() as u16).to_le_bytes();
        stops.extend([0xF6, size[0], size[1]]);
        for index in indexes {
            let [a, b, c, _] = index.to_le_bytes();
            stops.extend([0x88, 0, 0, 0, 0, a, b, c]);
        }
    }
    peer.send_bytes(&stops).await;
    settled().await;
    assert!(!connection.is_closed(), "{:?}", connection.closed().await);
    peer.reply(request.id(), 0).await;
    assert_eq!(code_of(request).await, 0);
}

/// The busiest reader that there may be pays for each of its entries.
#[tokio::test(start_paused = true)]
async fn a_reader_of_small_pieces_is_within_the_budget_of_credit() {
    const SIZE: usize = 3_000_000;
    let read_slowly = || {
        ping_handler().action("read", |message: Message| async move {
            let mut stream = message.take_stream().expect("a stream");
            let (mut buffer, mut all) = (vec![0; 4_096], 0);
            loop {
                match stream.read(&mut buffer).await {
                    Ok(0) => break,
                    Ok(count) => all += count,
                    Err(error) => panic!("{error}"),
                }
                tokio::task::yield_now().await;
            }
            assert_eq!(all, SIZE);
            FastReply::ACCEPT
        })
    };
    // With the smallest windows, half of all entries are for the connection.
    for (largest, unread) in [(0, 8 << 20), (0, 1), (4 << 20, 1)] {
        let options = || {
            extended()
                .call_timeout(None)
                .max_unread_per_message(1)
                .max_message_window(largest)
                .max_unread_bytes(unread)
        };
        let there = (read_slowly(), options());
        let (near, _far) = pair_with((Router::new(), options()), there, 300).await;
        let mut writing = JoinSet::new();
        for _ in 0..2 {
            let (request, mut writer) = send_stream(&near, "read").await;
            writing.spawn(async move {
                for _ in 0..SIZE / 50 {
                    writer.write_all(&[7; 50]).await.expect("read");
                }
                writer.finish().expect("open");
                assert_eq!(code_of(request).await, 0);
            });
        }
        while let Some(written) = writing.join_next().await {
            written.expect("no panic");
        }
    }
}

/// Takes the files of its message, reads them in this order, and then the stream.
fn reading(order: &'static [usize]) -> MessageHandler {
    ping_handler().action("read", move |message: Message| async move {
        let mut files: Vec<_> = message.take_files().into_iter().map(Some).collect();
        for index in order {
            let file = files[*index].take().expect("once");
            let bytes = file.bytes(u64::MAX).await.expect("all of it");
            assert!(bytes == pattern(1_000_000 + index), "file {index}");
        }
        let mut stream = message.take_stream().expect("a stream");
        let all = read_all(&mut stream).await.expect("all");
        assert!(all == pattern(900_000));
        FastReply::ACCEPT
    })
}

// r[verify ext.credit.any-part]
// r[verify ext.credit.what]
// r[verify ext.credit.starved]
#[tokio::test(start_paused = true)]
async fn files_larger_than_the_window_are_read_in_any_order() {
    for order in [&[0, 1, 2], &[2, 0, 1], &[1, 2, 0], &[2, 1, 0]] {
        let directory = tempfile::tempdir().expect("a directory");
        let (near, _far) = pair(ping_handler(), reading(order)).await;
        for on_disk in [false, true] {
            let mut files = Vec::new();
            for index in 0..3 {
                let all = pattern(1_000_000 + index);
                if on_disk {
                    let path = directory.path().join(format!("{index}.bin"));
                    std::fs::write(&path, all).expect("written");
                    files.push(File::open(path).await.expect("a file"));
                } else {
                    files.push(File::from_bytes(format!("{index}.bin"), all));
                }
            }
            let stream = ByteStream::from_reader(Cursor::new(pattern(900_000)));
            let message = Draft::new("read")
                .create()
                .with_files(files)
                .with_stream_from(stream);
            let request = near.send(message).await.expect("sent");
            assert_eq!(code_of(request).await, 0, "{order:?}");
        }
    }
}

// r[verify ext.stop]
// r[verify ext.stop.when]
#[tokio::test(start_paused = true)]
async fn a_dropped_reader_stops_its_writer_and_the_call_goes_on() {
    let go_on = Arc::new(Notify::new());
    let may_end = Arc::clone(&go_on);
    let handler = ping_handler().action("drop", move |message: Message| {
        let may_end = Arc::clone(&may_end);
        async move {
            drop(message.take_stream());
            may_end.notified().await;
            FastReply::ACCEPT
        }
    });
    let (near, _far) = pair(ping_handler(), handler).await;
    let (request, mut writer) = send_stream(&near, "drop").await;
    settled().await;
    let written = writer.write_chunk(vec![7; 1_000]).await;
    assert!(matches!(written, Err(SourceError::Unwanted)), "{written:?}");
    // It has ended, so that neither is a failure.
    writer.finish().expect("ended");
    go_on.notify_one();
    assert_eq!(code_of(request).await, 0);

    // A source is dropped, and so is a writer that nobody finishes.
    let dropped = Arc::new(AtomicUsize::new(0));
    let source = OnDrop(Arc::clone(&dropped));
    let endless = futures_util::stream::repeat_with(move || {
        let _kept = &source;
        Ok::<_, std::io::Error>(Bytes::from_static(&[7; 1_000]))
    });
    let stream = ByteStream::from_stream(endless);
    let message = Draft::new("drop").create().with_stream_from(stream);
    let request = near.send(message).await.expect("sent");
    let (other, writer) = send_stream(&near, "drop").await;
    settled().await;
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    drop(writer);
    settled().await;
    go_on.notify_one();
    go_on.notify_one();
    settled().await;
    go_on.notify_one();
    assert_eq!(code_of(request).await, 0);
    go_on.notify_one();
    assert_eq!(code_of(other).await, 0);
}

struct OnDrop(Arc<AtomicUsize>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

// r[verify ext.stop.message]
#[tokio::test(start_paused = true)]
async fn a_message_that_is_refused_is_not_sent_to_its_end() {
    let (near, far) = pair(ping_handler(), ping_handler()).await;
    let before = far.traffic().received_bytes;
    let endless = || tokio::io::repeat(7);
    let huge = File::from_reader("huge.bin", 1 << 40, endless());
    let message = Draft::new("unknown").create().with_files([huge]);
    let request = near.send(message).await.expect("sent");
    assert_eq!(code_of(request).await, 2);
    settled().await;
    let received = far.traffic().received_bytes - before;
    assert!(received < 2 * WINDOW as u64, "{received}");
    let aborted = far.stats().aborted_messages;
    assert_eq!(aborted, 0, "it was asked to abort");
    // A window of the connection would be used up by now if what was refused counted as unread.
    for _ in 0..100 {
        let huge = File::from_reader("huge.bin", 1 << 40, endless());
        let message = Draft::new("unknown").create().with_files([huge]);
        let request = near.send(message).await.expect("sent");
        assert_eq!(code_of(request).await, 2);
    }
    assert!(!near.is_closed() && !far.is_closed());
}

// r[verify ext.stop.message]
#[tokio::test(start_paused = true)]
async fn a_stop_of_a_message_aborts_it() {
    let (connection, mut peer) = scripted(ping_handler(), SETTINGS).await;
    let (mut request, mut writer) = send_stream(&connection, "x").await;
    let id = peer.expect_id("01 23 13 00 <id> 01 78").await;
    peer.send("F2 05 C8 00000000").await;
    peer.expect("90").await;
    writer.write_chunk(vec![7]).await.expect_err("aborted");
    // Again, and for one that is over: no effect. The reply comes all the same.
    peer.send("F2 05 C8 00000000").await;
    peer.reply(id, 7).await;
    let reply = request.response().await.expect("a reply");
    assert_eq!(reply.code().map(FastReply::code), Some(7));
    assert!(!connection.is_closed());
}

// r[verify ext.credit.lifeline]
// r[verify ext.slow]
#[tokio::test(start_paused = true)]
async fn an_event_stream_goes_on_beside_uploads_that_nobody_reads() {
    let (near, _far) = pair(ping_handler(), holding()).await;
    let mut stuck = Vec::new();
    for _ in 0..40 {
        let (request, mut writer) = send_stream(&near, "hold").await;
        tokio::spawn(async move { while writer.write_chunk(vec![7; 10_000]).await.is_ok() {} });
        stuck.push(request);
    }
    settled().await;
    let (mut request, mut writer) = send_stream(&near, "echo").await;
    let mut events = response(&mut request)
        .await
        .take_stream()
        .expect("a stream");
    for number in 0..1_000 {
        let event = vec![number as u8; 100];
        writer.write_chunk(event.clone()).await.expect("room");
        let mut echoed = vec![0; 100];
        events.read_exact(&mut echoed).await.expect("an event");
        assert_eq!(echoed, event);
    }
    // Nor do they hold up larger ones, or time out.
    sleep(25 * SECOND).await;
    writer.write_all(&pattern(100_000)).await.expect("room");
    writer.finish().expect("open");
    assert!(read_all(&mut events).await.expect("all") == pattern(100_000));
    assert!(!near.is_closed());
}

// r[verify ext.slow]
// r[verify ext.spill]
#[tokio::test(start_paused = true)]
async fn a_reader_may_wait_for_minutes_and_loses_nothing() {
    let handler = ping_handler().action("late", |message: Message| async move {
        sleep(600 * SECOND).await;
        let mut stream = message.take_stream().expect("a stream");
        let all = read_all(&mut stream).await.expect("all");
        assert!(all == pattern(3_000_000));
        FastReply::ACCEPT
    });
    // Without room on disk, as none is needed.
    let options = || extended().max_spill_bytes(0).call_timeout(None);
    let (near, _far) = pair_with((Router::new(), options()), (handler, options()), PIPE).await;
    let stream = ByteStream::from_reader(Cursor::new(pattern(3_000_000)));
    let message = Draft::new("late").create().with_stream_from(stream);
    let request = near.send(message).await.expect("sent");
    assert_eq!(code_of(request).await, 0);
}

// r[verify ext.spill]
#[tokio::test(start_paused = true)]
async fn a_caller_may_write_all_before_it_reads_what_is_echoed() {
    let (near, _far) = pair(ping_handler(), collecting()).await;
    let (mut request, mut writer) = send_stream(&near, "echo").await;
    let mut stream = response(&mut request)
        .await
        .take_stream()
        .expect("a stream");
    for _ in 0..500 {
        let written = writer.write_chunk(vec![7; 10_000]).await;
        written.expect("the connection is up");
    }
    writer.finish().expect("the connection is up");
    assert_eq!(read_all(&mut stream).await.expect("all").len(), 5_000_000);
}

// r[verify ext.credit.dropped]
#[tokio::test(start_paused = true)]
async fn no_credit_is_lost_with_content_that_nobody_reads() {
    let handler = collecting().action("ignore", |_message: Message| async { FastReply::ACCEPT });
    // Two messages use up the limit of the connection.
    let options = || {
        extended()
            .max_unread_per_message(8_192)
            .max_unread_bytes(16_384)
    };
    let (near, _far) = pair_with((Router::new(), options()), (handler, options()), PIPE).await;
    for round in 0..300 {
        let size = 1 + (round * 997) % 40_000;
        match round % 4 {
            0 => {
                let file = File::from_bytes("a.bin", pattern(size));
                let message = Draft::new("ignore").create().with_files([file]);
                let request = near.send(message).await.expect("sent");
                assert_eq!(code_of(request).await, 0);
            }
            1 => {
                let file = File::from_bytes("a.bin", pattern(size));
                let message = Draft::new("unknown").create().with_files([file]);
                let request = near.send(message).await.expect("sent");
                assert_eq!(code_of(request).await, 2);
            }
            2 => {
                let (request, mut writer) = send_stream(&near, "collect").await;
                writer
                    .write_chunk(pattern(size.min(8_000)))
                    .await
                    .expect("room");
                settled().await;
                drop((request, writer));
            }
            _ => {
                let stream = ByteStream::from_reader(Cursor::new(pattern(size)));
                let message = Draft::new("echo").create().with_stream_from(stream);
                let mut request = near.send(message).await.expect("sent");
                // Half of it is read.
                let mut echoed = response(&mut request)
                    .await
                    .take_stream()
                    .expect("a stream");
                let mut half = vec![0; size / 2];
                echoed.read_exact(&mut half).await.expect("half of it");
            }
        }
    }
    let stream = ByteStream::from_reader(Cursor::new(pattern(1_000_000)));
    let message = Draft::new("collect").create().with_stream_from(stream);
    let mut request = near.send(message).await.expect("sent");
    assert!(response(&mut request).await.payload() == &pattern(1_000_000)[..]);
}

// r[verify ext.credit.stall]
#[tokio::test(start_paused = true)]
async fn t_e2_responses_that_are_never_read_are_given_up_when_they_hold_too_much() {
    let handler = ping_handler().action("get", |message: Message| async move {
        let size = message.payload().len() * 1_000_000;
        let file = File::from_bytes("a.bin", vec![7; size]);
        message
            .respond(ResponseDraft::new().create().with_files([file]))
            .await
    });
    let (near, far) = pair(ping_handler(), handler).await;
    let mut files = Vec::new();
    // Below 8 MiB together, they wait.
    for _ in 0..2 {
        let draft = Draft::new("get").data().create(vec![0_u8; 4]);
        let mut request = near.send(draft).await.expect("sent");
        files.push(
            response(&mut request)
                .await
                .take_files()
                .pop()
                .expect("a file"),
        );
    }
    sleep(600 * SECOND).await;
    assert_eq!(far.traffic().files, 2);
    let draft = Draft::new("get").data().create(vec![0_u8; 4]);
    let mut request = near.send(draft).await.expect("sent");
    let kept = response(&mut request)
        .await
        .take_files()
        .pop()
        .expect("a file");
    sleep(2 * SECOND).await;
    // One of the oldest is given up, and that is enough.
    assert_eq!(far.traffic().files, 2);
    sleep(600 * SECOND).await;
    assert_eq!(far.traffic().files, 2);
    assert_eq!(kept.bytes(u64::MAX).await.expect("all").len(), 4_000_000);
    let mut ends = Vec::new();
    for file in files {
        let read = file.bytes(u64::MAX).await;
        ends.push(read.map_or_else(
            |error| sockety::error::chain(&error).to_string(),
            |_| "all".into(),
        ));
    }
    ends.sort_unstable();
    assert_eq!(ends[0], "all");
    assert!(ends[1].contains("3845 (Slow Consumer)"), "{ends:?}");
    assert!(!near.is_closed());
}

/// Nothing is granted for content that has come, or has credit, to its end.
// r[verify ext.credit.enough]
// r[verify ext.credit.when]
#[tokio::test(start_paused = true)]
async fn content_up_to_the_window_needs_no_credit() {
    let (_connection, mut peer) = scripted(collecting(), SETTINGS).await;
    peer.send_bytes(&head(id(0), "collect", Asks::Reply, 0, true, &[]))
        .await;
    peer.send_bytes(&stream(WINDOW / 2 - 1)).await;
    peer.expect_silence().await;
    // Half of the window is taken, and the stream may go on.
    peer.send("70 01 07").await;
    peer.expect("F2 08 10 00000000 000002").await;
    peer.send("80").await;
}

/// A stop takes the place of credit.
// r[verify ext.stop.once]
#[tokio::test(start_paused = true)]
async fn a_part_is_stopped_once() {
    let (sender, mut streams) = mpsc::unbounded_channel();
    let handler = ping_handler().action("give", move |message: Message| {
        let stream = message.take_stream().expect("a stream");
        sender.send(stream).expect("the test listens");
        std::future::pending::<()>()
    });
    let (connection, mut peer) = scripted(handler, SETTINGS).await;
    peer.send_bytes(&head(id(0), "give", Asks::Nothing, 0, true, &[]))
        .await;
    peer.send_bytes(&stream(1_000)).await;
    drop(streams.recv().await);
    peer.expect("F2 05 08 00000000").await;
    // What was on its way is dropped.
    peer.send_bytes(&stream(WINDOW - 1_000)).await;
    peer.expect_silence().await;
    peer.send("80").await;
    peer.expect_silence().await;
    assert!(!connection.is_closed());
}

/// What is refused at its announcement is stopped as well, unless it has come already.
#[tokio::test(start_paused = true)]
async fn what_the_decoder_refuses_is_stopped() {
    let (connection, mut peer) = scripted(ping_handler(), SETTINGS).await;
    // Its action is not UTF-8.
    peer.send("01 23 13 00").await;
    peer.send_bytes(id(0).as_bytes()).await;
    peer.send("01 FF").await;
    peer.expect_code(id(0), 3846).await;
    peer.expect("F2 05 C8 00000000").await;
    peer.send_bytes(&stream(WINDOW)).await;
    peer.send("90").await;
    // Whole when it is read.
    peer.send("23 13 00").await;
    peer.send_bytes(id(1).as_bytes()).await;
    peer.send("01 FF 70 01 07 80").await;
    peer.expect_code(id(1), 3846).await;
    peer.expect_silence().await;
    assert_eq!(connection.stats().aborted_messages, 0);
}

/// A reply is lost when its content is, and its sender learns nothing.
#[tokio::test(start_paused = true)]
async fn an_aborted_stream_fails_after_what_has_come() {
    let handler = ping_handler().action("half", |message: Message| async move {
        let broken = futures_util::stream::iter([
            Ok(Bytes::from_static(b"half")),
            Err(std::io::Error::other("broken")),
        ]);
        let stream = ByteStream::from_stream(broken);
        message
            .respond(ResponseDraft::new().create().with_stream_from(stream))
            .await
    });
    let (near, _far) = pair(ping_handler(), handler).await;
    let mut request = near.send(&Draft::new("half")).await.expect("sent");
    let Reply::Response(mut response) = request.response().await.expect("a reply") else {
        panic!("a response");
    };
    let mut stream = response.take_stream().expect("a stream");
    let mut half = vec![0; 4];
    stream.read_exact(&mut half).await.expect("half");
    let error = read_all(&mut stream).await.expect_err("aborted");
    let error = crate::streams::read_error(&error);
    assert!(matches!(error, ReadError::Aborted), "{error:?}");
}

/// The entry that a scripted peer sends as `F2 08 10 00000000 000002`.
#[test]
fn the_vectors_of_these_tests_say_what_they_mean() {
    let mut bytes = Vec::new();
    let entry = FlowEntry::Part {
        number: 0,
        part: Part::Stream,
        limit: 0x02_0000,
        lifeline: false,
    };
    sockety_codec::Encoder::new(sockety_codec::ChannelCount::MAX).flow(&mut bytes, [entry]);
    assert_eq!(bytes, crate::support::bytes("F2 08 10 00000000 000002"));
}

/// How long a stream of this size takes over a line of 1 Gbit/s with a round trip of 50 ms, on the clock of the test.
async fn over_a_long_line(size: u64, options: fn() -> Options) -> Duration {
    let line = || {
        Faults::new()
            .delay(Duration::from_millis(25))
            .bytes_per_second(125_000_000)
            .capacity(64 << 20)
    };
    let (near, far) = link(line(), line());
    let counting = ping_handler().action("count", move |message: Message| async move {
        let mut stream = message.take_stream().expect("a stream");
        let mut count = 0;
        while let Some(chunk) = stream.next_chunk().await.expect("whole") {
            count += chunk.len() as u64;
        }
        assert_eq!(count, size);
        FastReply::ACCEPT
    });
    let (near, _far) =
        pair_over(near, far, (Router::new(), options()), (counting, options())).await;
    let begin = Instant::now();
    let stream = ByteStream::from_reader(tokio::io::repeat(7).take(size));
    let message = Draft::new("count").create().with_stream_from(stream);
    let request = near.send(message).await.expect("sent");
    assert_eq!(code_of(request).await, 0);
    begin.elapsed()
}

// r[verify ext.credit.growth]
#[tokio::test(start_paused = true)]
async fn windows_grow_to_what_a_long_line_holds() {
    // The line alone needs 537 ms, and 50 ms for the last of it and the reply.
    let size = 64 << 20;
    let usual = over_a_long_line(size, extended).await;
    let large = || {
        extended()
            .max_message_window(16 << 20)
            .max_unread_bytes(32 << 20)
    };
    let wide = over_a_long_line(size, large).await;
    let fixed = || extended().max_message_window(0);
    let never = over_a_long_line(4 << 20, fixed).await;
    println!("64 MiB: {usual:?}, {wide:?} with 16 MiB; 4 MiB without growth: {never:?}");
    // 80 MB/s, and the time that windows need to grow.
    assert!(usual < Duration::from_millis(1_250), "{usual:?}");
    assert!(wide < Duration::from_millis(900), "{wide:?}");
    // A window each round trip, half of it granted at a time.
    assert!(never > Duration::from_millis(300), "{never:?}");
}

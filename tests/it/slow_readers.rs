//! Readers of files and streams that are slower than the sender.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sockety::{
    ByteStream, Connection, FastReply, File, Options, Router,
    content::StreamWriter,
    error::{ReadError, RequestError},
    message::{Draft, ResponseDraft},
    serve::{BoxError, Message, MessageHandler},
};
use sockety_codec::ChannelId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::streams::{
    Asks, Packet, Packets, collecting, head, head_on, pattern, read_all, read_error, response,
    send_stream,
};
use crate::support::{
    PIPE, Peer, Received, answers_ping, base, code_of, dialogue, dialogue_with, id, pair_serving,
    pair_with, settled, waiting_handler,
};

/// The code that answers a message whose content was not read in time.
const SLOW_CONSUMER: u16 = 3845;

/// The code of a message of which too much came before its handler could run.
const TOO_LARGE: u16 = 3842;

const WINDOW: usize = 256 * 1024;

/// What one read of the connection brings at most.
const READ: usize = 64 * 1024;

const SECOND: Duration = Duration::from_secs(1);

/// Content that is not read cannot make way for others. With the extension nobody waits for its readers.
fn without_disk() -> Options {
    base()
        .max_spill_bytes(0)
        .reader_timeout(5 * SECOND)
        .blocking_reader_timeout(SECOND)
}

/// Two connections, of which the one that serves has no room on disk.
async fn pair_without_disk(handler: MessageHandler) -> (Connection, Connection) {
    let (here, there) = (Options::default(), without_disk());
    pair_with((Router::new(), here), (handler, there), PIPE).await
}

async fn dialogue_without_disk(handler: MessageHandler) -> (Connection, Peer) {
    dialogue_with(handler, without_disk(), PIPE).await
}

/// Keeps the messages `hold` and never reads them; collects and echoes, answers `ping`, never answers `wait`.
fn holding() -> MessageHandler {
    collecting()
        .action("hold", |message: Message| async move {
            std::future::pending::<()>().await;
            drop(message);
        })
        .action("wait", |_| std::future::pending::<()>())
}

/// Writes until the message is given up or this is dropped.
async fn write_for_ever(mut writer: StreamWriter) {
    while writer.write_chunk(vec![7; 10_000]).await.is_ok() {}
}

/// Sends a message that nobody reads, and goes on writing its stream.
async fn flood(connection: &Connection) -> sockety::message::Request {
    let (request, writer) = send_stream(connection, "hold").await;
    tokio::spawn(write_for_ever(writer));
    request
}

async fn ping(connection: &Connection) {
    let request = connection.send(&Draft::new("ping")).await.expect("sent");
    assert_eq!(code_of(request).await, 0);
}

/// How long something takes.
async fn time<T>(future: impl Future<Output = T>) -> (Duration, T) {
    let start = Instant::now();
    let result = future.await;
    (start.elapsed(), result)
}

fn check_between(from: u64, elapsed: Duration, to: u64) {
    let range = from * SECOND.as_millis() as u64..=to * SECOND.as_millis() as u64;
    assert!(range.contains(&(elapsed.as_millis() as u64)), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_nobody_reads_is_lost_after_five_seconds_when_it_is_alone() {
    let (near, _far) = pair_without_disk(holding()).await;
    let request = flood(&near).await;
    let (elapsed, code) = time(code_of(request)).await;
    assert_eq!(code, SLOW_CONSUMER);
    check_between(5, elapsed, 7);
}

/// Its reader cannot be waiting for the peer to take that.
#[tokio::test(start_paused = true)]
async fn a_message_that_nobody_reads_is_lost_also_while_something_else_is_sent() {
    let handler = holding().action("report", |message: Message| async move {
        let reports = futures_util::stream::unfold((), |()| async {
            sleep(SECOND / 10).await;
            Some((Ok(Bytes::from_static(b"all is well")), ()))
        });
        let response = ResponseDraft::new().create();
        let reports = ByteStream::from_stream(reports);
        message.respond(response.with_stream_from(reports)).await
    });
    let (near, _far) = pair_without_disk(handler).await;
    let mut request = near.send(&Draft::new("report")).await.expect("sent");
    let mut reports = response(&mut request)
        .await
        .take_stream()
        .expect("a stream");
    tokio::spawn(async move { while let Ok(Some(_)) = reports.next_chunk().await {} });
    let request = flood(&near).await;
    let (elapsed, code) = time(code_of(request)).await;
    assert_eq!(code, SLOW_CONSUMER);
    check_between(5, elapsed, 7);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_nobody_reads_is_lost_after_a_second_when_others_wait() {
    let (near, _far) = pair_without_disk(holding()).await;
    let _other = near.send(&Draft::new("wait")).await.expect("sent");
    let request = flood(&near).await;
    let (elapsed, code) = time(code_of(request)).await;
    assert_eq!(code, SLOW_CONSUMER);
    check_between(1, elapsed, 3);
}

#[tokio::test(start_paused = true)]
async fn t_s6_calls_behind_a_message_that_nobody_reads_are_answered_when_it_is_cut_off() {
    let (near, _far) = pair_without_disk(holding()).await;
    let _other = near.send(&Draft::new("wait")).await.expect("sent");
    let request = flood(&near).await;
    settled().await;
    let (elapsed, ()) = time(ping(&near)).await;
    check_between(0, elapsed, 3);
    assert_eq!(code_of(request).await, SLOW_CONSUMER);
    // From then on it holds nobody up, though it is still being written.
    for _ in 0..100 {
        let (elapsed, ()) = time(ping(&near)).await;
        assert_eq!(elapsed, Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn who_reads_too_late_is_told_that_the_message_was_cut_off() {
    let (sender, mut reads) = mpsc::unbounded_channel();
    let handler = MessageHandler::new().action("late", move |message: Message| {
        let sender = sender.clone();
        async move {
            sleep(20 * SECOND).await;
            let mut stream = message.take_stream().expect("a stream");
            let error = read_all(&mut stream).await.expect_err("cut off");
            sender
                .send(read_error(&error).clone())
                .expect("the test listens");
        }
    });
    let (near, _far) = pair_without_disk(handler).await;
    let (request, writer) = send_stream(&near, "late").await;
    let writing = tokio::spawn(write_for_ever(writer));
    assert_eq!(code_of(request).await, SLOW_CONSUMER);
    // While anything is written, the paused clock does not advance.
    writing.abort();
    assert!(matches!(reads.recv().await, Some(ReadError::Overrun)));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_cut_off_is_answered_once() {
    let handler = holding().action("late", |message: Message| async move {
        sleep(20 * SECOND).await;
        let mut stream = message.take_stream().expect("a stream");
        read_all(&mut stream).await.expect_err("cut off");
        FastReply::ACCEPT
    });
    let (_near, mut peer) = dialogue_without_disk(handler).await;
    peer.send_bytes(&head(id(1), "late", Asks::Reply, 0, true, &[]))
        .await;
    peer.send_bytes(&stream_packets(WINDOW + READ)).await;
    peer.expect_code(id(1), SLOW_CONSUMER).await;
    sleep(60 * SECOND).await;
    peer.send("80").await;
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn what_remains_of_a_message_that_was_cut_off_is_dropped_and_its_channel_used_again() {
    let (_near, mut peer) = dialogue_without_disk(holding()).await;
    peer.send_bytes(&head(id(1), "hold", Asks::Reply, 0, true, &[]))
        .await;
    peer.send_bytes(&stream_packets(WINDOW + READ)).await;
    peer.expect_code(id(1), SLOW_CONSUMER).await;
    peer.send_bytes(&stream_packets(3_000_000)).await;
    peer.send("80").await;
    peer.send_bytes(&head(id(2), "collect", Asks::Reply, 0, true, &[]))
        .await;
    peer.send("70 02 68 69 80").await;
    assert_eq!(peer.expect_response(id(2)).await.1, b"hi");
}

/// Packets of a stream with this many bytes.
fn stream_packets(bytes: usize) -> Vec<u8> {
    let packet = [&[0x74, 0xE8, 0x03][..], &[7; 1000]].concat();
    packet.repeat(bytes.div_ceil(1000))
}

/// Answers `slow` when its stream has ended; reads it by chunks, at this pace.
fn chunk_every(pause: Duration) -> MessageHandler {
    waiting_handler().action("slow", move |message: Message| async move {
        let mut stream = message.take_stream().expect("a stream");
        let mut all = 0;
        while let Some(chunk) = stream.next_chunk().await? {
            all += chunk.len();
            sleep(pause).await;
        }
        let response = ResponseDraft::new().data().create(all.to_string());
        Ok::<_, BoxError>(message.respond(response).await?)
    })
}

/// Answers `slow` when its stream has ended; reads this much of it each second.
fn bytes_each_second(count: usize) -> MessageHandler {
    waiting_handler().action("slow", move |message: Message| async move {
        let mut stream = message.take_stream().expect("a stream");
        let (mut all, mut buffer) = (0, vec![0; count]);
        loop {
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                break;
            }
            all += read;
            sleep(SECOND).await;
        }
        let response = ResponseDraft::new().data().create(all.to_string());
        Ok::<_, BoxError>(message.respond(response).await?)
    })
}

fn patient() -> Options {
    Options::default().call_timeout(None)
}

/// Sends this many bytes to `slow`, and expects that all of them are read.
async fn check_is_read_whole(handler: MessageHandler, size: usize) {
    let (near, _far) = pair_with((Router::new(), patient()), (handler, patient()), PIPE).await;
    let (mut request, mut writer) = send_stream(&near, "slow").await;
    let writing = async {
        for chunk in pattern(size).chunks(10_000) {
            let chunk = Bytes::copy_from_slice(chunk);
            writer
                .write_chunk(chunk)
                .await
                .expect("the connection is up");
        }
        writer.finish().expect("the connection is up");
    };
    let ((), reply) = tokio::join!(writing, request.response());
    let response = reply.expect("a reply").into_response();
    assert_eq!(response.expect("not cut off").payload(), &size.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_a_chunk_every_few_seconds_is_not_cut_off_when_alone() {
    check_is_read_whole(chunk_every(4 * SECOND), 2_000_000).await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_reads_a_little_each_second_is_not_cut_off_when_alone() {
    check_is_read_whole(bytes_each_second(8 * 1024), 1_000_000).await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_reads_very_little_each_second_is_not_cut_off_when_alone() {
    check_is_read_whole(bytes_each_second(1024), 1_000_000).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_but_steady_reader_is_not_cut_off_beside_others() {
    for options in [patient(), without_disk().call_timeout(None)] {
        let (near, _far) = pair_with(
            (Router::new(), patient()),
            (bytes_each_second(1024), options),
            PIPE,
        )
        .await;
        let _other = near.send(&Draft::new("wait")).await.expect("sent");
        let stream = ByteStream::from_reader(std::io::Cursor::new(pattern(500_000)));
        let message = Draft::new("slow").create().with_stream_from(stream);
        let mut request = near.send(message).await.expect("sent");
        assert_eq!(response(&mut request).await.payload(), "500000");
    }
}

#[tokio::test(start_paused = true)]
async fn a_steady_reader_of_a_response_is_not_cut_off_when_alone() {
    let (near, _far) = pair_serving(collecting()).await;
    let (mut request, mut writer) = send_stream(&near, "echo").await;
    let mut stream = response(&mut request)
        .await
        .take_stream()
        .expect("a stream");
    let writing = tokio::spawn(async move {
        for _ in 0..200 {
            writer
                .write_chunk(vec![7; 10_000])
                .await
                .expect("the connection is up");
        }
        writer.finish().expect("the connection is up");
    });
    let mut all = 0;
    while let Some(chunk) = stream.next_chunk().await.expect("not cut off") {
        all += chunk.len();
        sleep(2 * SECOND).await;
    }
    assert_eq!(all, 2_000_000);
    writing.await.expect("no panic");
    // The request is still there, and waits for nothing.
    drop(request);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_goes_on_in_time_loses_nothing() {
    let handler = holding().action("slow", |message: Message| async move {
        sleep(4 * SECOND).await;
        let all = read_all(&mut message.take_stream().expect("a stream")).await?;
        assert!(all == pattern(2_000_000));
        Ok::<_, BoxError>(FastReply::ACCEPT)
    });
    let (near, _far) = pair_serving(handler).await;
    let stream = ByteStream::from_reader(std::io::Cursor::new(pattern(2_000_000)));
    let message = Draft::new("slow").create().with_stream_from(stream);
    let request = near.send(message).await.expect("sent");
    let (elapsed, code) = time(code_of(request)).await;
    assert_eq!(code, 0);
    check_between(4, elapsed, 4);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_reader_resumes_at_once() {
    let go = Arc::new(Notify::new());
    let gone = Arc::clone(&go);
    let handler = collecting().action("drop", move |message: Message| {
        let gone = Arc::clone(&gone);
        async move {
            let stream = message.take_stream().expect("a stream");
            gone.notified().await;
            drop(stream);
            std::future::pending::<()>().await;
        }
    });
    let (near, _far) = pair_serving(handler).await;
    let (_request, writer) = send_stream(&near, "drop").await;
    tokio::spawn(write_for_ever(writer));
    settled().await;
    go.notify_one();
    let (elapsed, ()) = time(ping(&near)).await;
    assert_eq!(elapsed, Duration::ZERO);
}

/// Sends packets until the connection takes no more; returns how many bytes of content it took.
async fn taken(peer: &mut Peer) -> usize {
    let packet = stream_packets(1000);
    let mut taken = 0;
    loop {
        tokio::select! {
            biased;
            () = peer.send_bytes(&packet) => taken += 1000,
            () = settled() => return taken,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn t_c12_what_waits_to_be_read_of_a_message_is_bounded_by_the_window_and_one_read() {
    for window in [1, 10_000, 300_000] {
        let options = Options::default().max_unread_per_message(window);
        let (_near, mut peer) = dialogue_with(holding(), options, 1000).await;
        peer.send_bytes(&head(id(1), "hold", Asks::Nothing, 0, true, &[]))
            .await;
        let taken = taken(&mut peer).await;
        assert!(taken + 1000 >= window, "{taken} of {window}");
        assert!(taken <= window + READ + 2000, "{taken} of {window}");
    }
}

/// Begins messages `hold`, each of which brings this much of its stream and goes on later; returns how much was taken.
async fn flood_of_many(peer: &mut Peer, count: u16, each: usize) -> usize {
    let mut taken = 0;
    for channel in 1..=count {
        let channel = ChannelId::new(channel).expect("a channel");
        let mut bytes = head_on(
            channel,
            id(channel.get().into()),
            "hold",
            Asks::Nothing,
            0,
            true,
            &[],
        );
        bytes.extend(stream_packets(each));
        tokio::select! {
            biased;
            () = peer.send_bytes(&bytes) => taken += each,
            () = settled() => break,
        }
        settled().await;
    }
    taken
}

#[tokio::test(start_paused = true)]
async fn what_waits_to_be_read_of_all_messages_is_bounded_for_the_connection() {
    let options = Options::default()
        .max_unread_per_message(100_000)
        .max_unread_bytes(200_000);
    let (_near, mut peer) = dialogue_with(holding(), options, 1000).await;
    let taken = flood_of_many(&mut peer, 100, 50_000).await;
    assert!(
        (100_000..=200_000 + READ + 50_000).contains(&taken),
        "{taken}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_waits_to_be_read_is_bounded_also_when_each_message_is_small_and_whole() {
    let options = Options::default()
        .max_unread_per_message(100_000)
        .max_unread_bytes(100_000);
    let (_near, mut peer) = dialogue_with(holding(), options, PIPE).await;
    let mut taken = 0;
    for number in 1..=200 {
        let mut bytes = head(id(number), "hold", Asks::Nothing, 0, true, &[]);
        bytes.extend(stream_packets(10_000));
        bytes.push(0x80);
        tokio::select! {
            biased;
            () = peer.send_bytes(&bytes) => taken += 10_000,
            () = settled() => break,
        }
        settled().await;
    }
    assert!(taken <= 100_000 + READ + PIPE, "{taken}");
}

#[tokio::test(start_paused = true)]
async fn a_reader_goes_on_at_once_when_others_make_room_for_it() {
    let go = Arc::new(Notify::new());
    let gone = Arc::clone(&go);
    let handler = collecting()
        .action("keep", move |message: Message| {
            let gone = Arc::clone(&gone);
            async move {
                gone.notified().await;
                drop(message);
            }
        })
        .action("hold", |message: Message| async move {
            std::future::pending::<()>().await;
            drop(message);
        });
    let options = Options::default()
        .max_unread_per_message(100_000)
        .max_unread_bytes(100_000);
    let (_near, mut peer) = dialogue_with(handler, options, PIPE).await;
    // The budget is used up by a message that is whole.
    let mut bytes = head(id(1), "keep", Asks::Nothing, 0, true, &[]);
    bytes.extend(stream_packets(99_000));
    bytes.push(0x80);
    bytes.extend(&head(id(2), "hold", Asks::Nothing, 0, true, &[])[1..]);
    bytes.extend(stream_packets(2000));
    peer.send_bytes(&bytes).await;
    settled().await;
    go.notify_one();
    peer.send("00").await;
    let (elapsed, ()) = time(answers_ping(&mut peer)).await;
    assert_eq!(elapsed, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn room_of_messages_that_were_cut_off_is_free_again() {
    let options = without_disk().max_unread_bytes(2 * WINDOW);
    let (near, _far) = pair_with((Router::new(), patient()), (holding(), options), PIPE).await;
    for _ in 0..10 {
        assert_eq!(code_of(flood(&near).await).await, SLOW_CONSUMER);
    }
    let stream = ByteStream::from_reader(std::io::Cursor::new(pattern(2_000_000)));
    let message = Draft::new("collect").create().with_stream_from(stream);
    let mut request = near.send(message).await.expect("sent");
    let (elapsed, response) = time(response(&mut request)).await;
    assert!(response.payload() == &pattern(2_000_000));
    assert_eq!(elapsed, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn many_messages_that_nobody_reads_cost_each_other_only_themselves() {
    let options = without_disk().max_unread_bytes(2 * WINDOW);
    let (near, _far) = pair_with((Router::new(), patient()), (holding(), options), PIPE).await;
    let mut floods = Vec::new();
    for _ in 0..20 {
        floods.push(flood(&near).await);
    }
    for flood in floods {
        assert_eq!(code_of(flood).await, SLOW_CONSUMER);
    }
    ping(&near).await;
}

#[tokio::test(start_paused = true)]
async fn content_over_the_window_before_the_payload_is_whole_gets_an_answer() {
    let (near, mut peer) = dialogue_without_disk(holding()).await;
    peer.send_bytes(&head(id(1), "collect", Asks::Reply, 1, true, &[]))
        .await;
    peer.send_bytes(&stream_packets(WINDOW + READ)).await;
    sleep(60 * SECOND).await;
    // The payload comes at last, and the stream ends.
    peer.send("E0 01 07 80").await;
    peer.expect_code(id(1), TOO_LARGE).await;
    assert!(!near.is_closed());
}

#[tokio::test(start_paused = true)]
async fn content_over_the_window_before_the_payload_of_a_response_is_whole_ends_its_request() {
    let (near, mut peer) = dialogue_without_disk(holding()).await;
    let mut request = near.send(&Draft::new("a")).await.expect("sent");
    let parent = peer.expect_id("21 13 00 <id> 01 61").await;
    let mut bytes = crate::support::bytes("01 52 22 40");
    bytes.extend(parent.as_bytes());
    bytes.extend(id(1).as_bytes());
    bytes.push(1);
    bytes.extend(stream_packets(WINDOW + READ));
    peer.send_bytes(&bytes).await;
    sleep(20 * SECOND).await;
    peer.send("E0 01 07 80").await;
    let error = request.response().await.expect_err("lost");
    assert!(
        matches!(error, RequestError::ResponseLost(ReadError::Overrun)),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn parts_read_out_of_order_without_room_on_disk_are_lost_when_over_the_window() {
    let (sender, mut reads) = mpsc::unbounded_channel();
    let handler = MessageHandler::new().action("files", move |message: Message| {
        let sender = sender.clone();
        async move {
            let mut files = message.take_files();
            let last = files.pop().expect("a file");
            let error = last.bytes(u64::MAX).await.expect_err("cut off");
            sender
                .send(read_error(&error).clone())
                .expect("the test listens");
        }
    });
    let options = without_disk();
    let (near, _far) = pair_with((Router::new(), patient()), (handler, options), PIPE).await;
    let files = [1, 2].map(|_| File::from_bytes("f", pattern(1_000_000)));
    let message = Draft::new("files").create().with_files(files);
    let request = near.send(message).await.expect("sent");
    assert_eq!(code_of(request).await, SLOW_CONSUMER);
    assert!(matches!(reads.recv().await, Some(ReadError::Overrun)));
}

#[tokio::test(start_paused = true)]
async fn a_small_window_slows_nothing_down_for_a_reader_that_keeps_up() {
    for window in [1, 1000, 70_000] {
        let options = Options::default().max_unread_per_message(window);
        let (near, _far) =
            pair_with((Router::new(), patient()), (collecting(), options), 5000).await;
        let stream = ByteStream::from_reader(std::io::Cursor::new(pattern(3_000_000)));
        let message = Draft::new("collect").create().with_stream_from(stream);
        let mut request = near.send(message).await.expect("sent");
        let (elapsed, response) = time(response(&mut request)).await;
        assert!(response.payload() == &pattern(3_000_000));
        assert_eq!(elapsed, Duration::ZERO, "a wake-up was lost");
    }
}

/// How long a run on real threads may take. Without lost wake-ups it is done in a small part of that; each lost
/// one costs a second.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_on_other_threads_lose_no_wake_up() {
    const CHUNKS: usize = 30_000;
    let options = Options::default()
        .max_unread_per_message(1)
        .max_unread_bytes(100);
    let (near, _far) = pair_with((Router::new(), patient()), (counting(), options), 300).await;
    let mut writing = JoinSet::new();
    for _ in 0..2 {
        let near = near.clone();
        writing.spawn(async move {
            let (mut request, mut writer) = send_stream(&near, "count").await;
            for _ in 0..CHUNKS {
                writer.write_all(&[7; 50]).await.expect("written");
            }
            writer.finish().expect("ended");
            let response = response(&mut request).await;
            assert_eq!(response.payload(), &(CHUNKS * 50).to_string());
        });
    }
    let all = async {
        while let Some(written) = writing.join_next().await {
            written.expect("no panic");
        }
    };
    timeout(PATIENCE, all).await.expect("no wake-up was lost");
}

/// Counts the bytes of a stream in a separate task.
fn counting() -> MessageHandler {
    MessageHandler::new().action("count", |message: Message| async move {
        let mut stream = message.take_stream().expect("a stream");
        let mut all = 0;
        while let Some(chunk) = stream.next_chunk().await? {
            all += chunk.len();
        }
        let response = ResponseDraft::new().data().create(all.to_string());
        Ok::<_, BoxError>(message.respond(response).await?)
    })
}

#[tokio::test(start_paused = true)]
async fn both_sides_send_much_to_slow_readers_and_neither_is_stuck() {
    const SIZE: usize = 1_000_000;
    let handler = || chunk_every(SECOND / 10);
    let (near, far) = pair_with((handler(), patient()), (handler(), patient()), 1000).await;
    let send = async |connection: &Connection| {
        let stream = ByteStream::from_reader(std::io::Cursor::new(pattern(SIZE)));
        let message = Draft::new("slow").create().with_stream_from(stream);
        let mut request = connection.send(message).await.expect("sent");
        assert_eq!(response(&mut request).await.payload(), &SIZE.to_string());
    };
    tokio::join!(send(&near), send(&far), send(&near), send(&far));
}

#[tokio::test(start_paused = true)]
async fn both_sides_send_to_readers_that_read_nothing_and_the_connection_goes_on() {
    let (near, far) = pair_with(
        (holding(), without_disk()),
        (holding(), without_disk()),
        1000,
    )
    .await;
    let (one, other) = (flood(&near).await, flood(&far).await);
    assert_eq!(code_of(one).await, SLOW_CONSUMER);
    assert_eq!(code_of(other).await, SLOW_CONSUMER);
    ping(&near).await;
    ping(&far).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_may_write_all_before_it_reads_what_is_echoed() {
    let (near, _far) = pair_serving(collecting()).await;
    let (mut request, mut writer) = send_stream(&near, "echo").await;
    let mut stream = response(&mut request)
        .await
        .take_stream()
        .expect("a stream");
    for _ in 0..1000 {
        let written = writer.write_chunk(vec![7; 10_000]).await;
        written.expect("the connection is up");
    }
    writer.finish().expect("the connection is up");
    assert_eq!(read_all(&mut stream).await.expect("all").len(), 10_000_000);
    ping(&near).await;
}

#[tokio::test(start_paused = true)]
async fn three_hundred_streams_and_a_thousand_calls_finish_beside_a_reader_that_never_reads() {
    let options = || {
        without_disk()
            .call_timeout(None)
            .max_requests_executing(10_000)
    };
    let (near, _far) = pair_with((Router::new(), options()), (holding(), options()), PIPE).await;
    let stuck = flood(&near).await;
    let done = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for number in 0..300 {
        let (near, done) = (near.clone(), Arc::clone(&done));
        tasks.spawn(async move {
            let all = pattern(number * 97);
            let stream = ByteStream::from_reader(std::io::Cursor::new(all.clone()));
            let message = Draft::new("collect").create().with_stream_from(stream);
            let mut request = near.send(message).await.expect("sent");
            assert!(response(&mut request).await.payload() == &all);
            done.fetch_add(1, Ordering::Relaxed);
        });
    }
    for _ in 0..1000 {
        let (near, done) = (near.clone(), Arc::clone(&done));
        tasks.spawn(async move {
            ping(&near).await;
            done.fetch_add(1, Ordering::Relaxed);
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("no panic");
    }
    assert_eq!(done.load(Ordering::Relaxed), 1300);
    assert_eq!(code_of(stuck).await, SLOW_CONSUMER);
}

#[tokio::test(start_paused = true)]
async fn reading_pauses_but_writing_goes_on() {
    let handler = holding().action("give", |message: Message| async move {
        let response = ResponseDraft::new().data().create(vec![7; 3_000_000]);
        sleep(SECOND).await;
        message.respond(response).await
    });
    let (_near, mut peer) = dialogue(handler).await;
    peer.ask(id(1), "give", b"").await;
    peer.send_bytes(&head(id(2), "hold", Asks::Reply, 0, true, &[]))
        .await;
    peer.send_bytes(&stream_packets(WINDOW + READ)).await;
    let mut packets = Packets::of(peer);
    assert!(matches!(packets.next().await, Packet::Response { .. }));
    let Packet::Data { bytes, .. } = packets.next().await else {
        panic!("no data");
    };
    assert_eq!(bytes.len(), 3_000_000);
}

/// How often a message is answered whose stream is kept and read by nobody, while a large reply to another fills
/// the outbox, and the peer reads nothing until the message is cut off.
async fn replies_to_kept(handler: impl sockety::serve::IntoRouter) -> usize {
    let (_connection, mut peer) = dialogue_with(handler, without_disk(), PIPE).await;
    peer.ask(id(1), "big", b"").await;
    settled().await;
    peer.send_bytes(&head(id(2), "keep", Asks::Reply, 0, true, &[]))
        .await;
    let _ = timeout(15 * SECOND, peer.send_bytes(&stream_packets(WINDOW + READ))).await;
    sleep(15 * SECOND).await;
    let mut replies = 0;
    while let Ok(Some(received)) = timeout(5 * SECOND, peer.next()).await {
        replies += match received {
            Received::FastReply { id: parent, .. } | Received::Response { parent, .. } => {
                usize::from(parent == id(2))
            }
            _ => 0,
        };
    }
    replies
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_waits_for_room_when_its_message_is_cut_off_is_not_sent() {
    let handler = MessageHandler::new()
        .action("big", |message: Message| async move {
            let response = ResponseDraft::new().data().create(vec![7; 1 << 20]);
            message.respond(response).await
        })
        .action("keep", |message: Message| async move {
            let kept = message.take_stream();
            tokio::spawn(async move {
                std::future::pending::<()>().await;
                drop(kept);
            });
            FastReply::ACCEPT
        });
    assert_eq!(replies_to_kept(handler).await, 1);
}

#[sockety::service]
trait Attic {
    async fn big(&self) -> Bytes;
    async fn keep(&self, stream: ByteStream) -> u32;
}

struct Dusty;

impl Attic for Dusty {
    async fn big(&self) -> Bytes {
        vec![7; 1 << 20].into()
    }

    async fn keep(&self, stream: ByteStream) -> u32 {
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(stream);
        });
        7
    }
}

#[tokio::test(start_paused = true)]
async fn so_it_is_with_typed_services() {
    assert_eq!(replies_to_kept(AtticServer::new(Dusty)).await, 1);
}

#[tokio::test(start_paused = true)]
async fn who_answers_after_the_cut_is_told() {
    let (told, mut outcome) = mpsc::unbounded_channel();
    let handler = ping_or(move |message: Message| {
        let told = told.clone();
        async move {
            let _kept = message.take_stream();
            sleep(20 * SECOND).await;
            let _ = told.send(message.fast_reply(FastReply::ACCEPT).await);
        }
    });
    let (_connection, mut peer) = dialogue_without_disk(handler).await;
    peer.send_bytes(&head(id(2), "keep", Asks::Reply, 0, true, &[]))
        .await;
    peer.send_bytes(&stream_packets(WINDOW + READ)).await;
    peer.expect_code(id(2), SLOW_CONSUMER).await;
    let answered = outcome.recv().await.expect("told");
    assert!(
        matches!(answered, Err(sockety::error::SendError::CutOff)),
        "{answered:?}"
    );
    peer.send("80").await;
    answers_ping(&mut peer).await;
}

fn ping_or<F, R>(keep: F) -> MessageHandler
where
    F: Fn(Message) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    crate::support::ping_handler().action("keep", keep)
}

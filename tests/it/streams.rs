//! Streams of messages and responses, in both directions.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use sockety::{
    ByteStream, Connection, Router, Uuid,
    content::StreamWriter,
    error::{ReadError, SourceError},
    message::{Draft, Request, Response, ResponseDraft},
    serve::{IntoReply, Message, MessageHandler},
};
use sockety_codec::{ChannelCount, ChannelId, Encoder, FileHeader, FilesSummary, MessageHead};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::support::{
    PIPE, Peer, answers_ping, base, dialogue, dialogue_with, id, is_pending, pair_serving,
    pair_with, ping_handler,
};

/// Bytes among which a lost, doubled or moved piece shows.
pub(crate) fn pattern(size: usize) -> Vec<u8> {
    (0..size as u64)
        .map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8)
        .collect()
}

/// All of a stream.
pub(crate) async fn read_all(stream: &mut ByteStream) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await?;
    Ok(all)
}

/// Why reading failed.
pub(crate) fn read_error(error: &io::Error) -> &ReadError {
    let inner = error.get_ref().expect("an error inside");
    inner.downcast_ref().expect("a read error")
}

/// Why writing failed.
pub(crate) fn source_error(error: &io::Error) -> &SourceError {
    let inner = error.get_ref().expect("an error inside");
    inner.downcast_ref().expect("a source error")
}

/// Sends a message whose stream is to be written.
pub(crate) async fn send_stream(
    connection: &Connection,
    action: &'static str,
) -> (Request, StreamWriter) {
    let mut request = connection
        .send(&Draft::new(action).with_stream())
        .await
        .expect("sent");
    let writer = request.take_writer().expect("the writer");
    (request, writer)
}

/// The response to a request.
pub(crate) async fn response(request: &mut Request) -> Response {
    let reply = request.response().await.expect("a reply");
    reply.into_response().expect("a response")
}

fn stream_of(message: &Message) -> ByteStream {
    message.take_stream().expect("a stream")
}

/// Answers `collect` with all of its stream, and `echo` with its stream while it comes.
pub(crate) fn collecting() -> MessageHandler {
    ping_handler()
        .action("collect", |message| async move {
            let all = read_all(&mut stream_of(&message)).await?;
            let response = ResponseDraft::new().data().create(all);
            Ok::<_, sockety::serve::BoxError>(message.respond(response).await?)
        })
        .action("echo", |message| async move {
            let response = ResponseDraft::new()
                .create()
                .with_stream_from(stream_of(&message));
            message.respond(response).await
        })
}

/// Answers `give` with a stream that this writes.
fn giving<F, R>(write: F) -> MessageHandler
where
    F: Fn(StreamWriter) -> R + Send + Sync + 'static,
    R: Future<Output: IntoReply> + Send + 'static,
{
    let write = std::sync::Arc::new(write);
    MessageHandler::new().action("give", move |message| {
        let write = std::sync::Arc::clone(&write);
        async move {
            let response = ResponseDraft::new().with_stream().create();
            let mut sent = message.respond(response).await?;
            let writer = sent.take_writer().expect("the writer");
            write(writer).await.into_reply()
        }
    })
}

async fn ask(connection: &Connection, action: &'static str) -> Request {
    connection.send(&Draft::new(action)).await.expect("sent")
}

/// What arrives of the stream that is written this way, at the side that serves.
async fn collected<F, R>(write: F) -> Vec<u8>
where
    F: FnOnce(StreamWriter) -> R,
    R: Future<Output = ()>,
{
    let (near, _far) = pair_serving(collecting()).await;
    let (mut request, writer) = send_stream(&near, "collect").await;
    let ((), response) = tokio::join!(write(writer), response(&mut request));
    response.payload().to_vec()
}

#[tokio::test(start_paused = true)]
async fn a_stream_written_by_chunks_arrives_whole_and_in_order() {
    let all = pattern(1_000_000);
    let written = all.clone();
    let arrived = collected(|mut writer| async move {
        for chunk in written.chunks(7_777) {
            let chunk = Bytes::copy_from_slice(chunk);
            writer.write_chunk(chunk).await.expect("written");
        }
        writer.finish().expect("ended");
    });
    assert!(arrived.await == all);
}

#[tokio::test(start_paused = true)]
async fn a_stream_written_as_async_write_ends_with_its_shutdown() {
    let all = pattern(1_000_000);
    let written = all.clone();
    let arrived = collected(|mut writer| async move {
        for chunk in written.chunks(30_011) {
            writer.write_all(chunk).await.expect("written");
        }
        AsyncWriteExt::flush(&mut writer).await.expect("flushed");
        writer.shutdown().await.expect("ended");
        writer.shutdown().await.expect("ended already");
    });
    assert!(arrived.await == all);
}

#[tokio::test(start_paused = true)]
async fn a_stream_written_as_a_sink_ends_with_its_close() {
    let all = pattern(1_000_000);
    let written = all.clone();
    let arrived = collected(|mut writer| async move {
        for chunk in written.chunks(100_003) {
            let chunk = Bytes::copy_from_slice(chunk);
            writer.send(chunk).await.expect("written");
        }
        SinkExt::close(&mut writer).await.expect("ended");
    });
    assert!(arrived.await == all);
}

#[tokio::test(start_paused = true)]
async fn a_stream_written_byte_by_byte_arrives_whole() {
    let all = pattern(100_000);
    let written = all.clone();
    let arrived = collected(|mut writer| async move {
        for byte in written {
            writer.write_u8(byte).await.expect("written");
        }
        writer.finish().expect("ended");
    });
    assert!(arrived.await == all);
}

#[tokio::test(start_paused = true)]
async fn an_empty_stream_ends_at_once() {
    let arrived = collected(|writer| async move { writer.finish().expect("ended") });
    assert!(arrived.await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn chunks_without_bytes_leave_no_trace() {
    let arrived = collected(|mut writer| async move {
        for chunk in ["", "a", "", "b", ""] {
            writer.write_chunk(chunk).await.expect("written");
        }
        writer.finish().expect("ended");
    });
    assert_eq!(arrived.await, b"ab");
}

#[tokio::test(start_paused = true)]
async fn a_writer_takes_nothing_after_the_end() {
    let (near, _far) = pair_serving(collecting()).await;
    let (mut request, mut writer) = send_stream(&near, "collect").await;
    writer.shutdown().await.expect("ended");
    let error = writer.write_all(b"late").await.expect_err("ended");
    assert!(matches!(source_error(&error), SourceError::Ended));
    let error = writer.write_chunk("late").await.expect_err("ended");
    assert!(matches!(error, SourceError::Ended));
    drop(writer);
    assert!(response(&mut request).await.payload().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_writer_waits_when_the_peer_takes_nothing() {
    let (near, _peer) = dialogue(ping_handler()).await;
    let (_request, mut writer) = send_stream(&near, "a").await;
    let mut written = 0;
    loop {
        let chunk = Bytes::from_static(&[0; 4096]);
        let write = std::pin::pin!(writer.write_chunk(chunk));
        let mut write = write;
        if is_pending(&mut write).await {
            break;
        }
        written += 4096;
    }
    // The pipe, what the connection takes ahead, and the queue of the stream.
    assert!(
        written <= PIPE + 256 * 1024 + 256 * 1024 + 4096,
        "{written}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_response_stream_arrives_whole() {
    let all = pattern(1_000_000);
    let written = Bytes::from(all.clone());
    let handler = giving(move |mut writer| {
        let written = written.clone();
        async move {
            for at in (0..written.len()).step_by(9_999) {
                let end = (at + 9_999).min(written.len());
                writer.write_chunk(written.slice(at..end)).await?;
            }
            writer.finish()
        }
    });
    let (near, _far) = pair_serving(handler).await;
    let mut request = ask(&near, "give").await;
    let mut stream = response(&mut request)
        .await
        .take_stream()
        .expect("a stream");
    assert!(read_all(&mut stream).await.expect("whole") == all);
}

#[tokio::test(start_paused = true)]
async fn a_received_stream_can_be_read_in_all_three_ways() {
    let handler = giving(|mut writer: StreamWriter| async move {
        writer.write_chunk("abcdef").await?;
        writer.finish()
    });
    let (near, _far) = pair_serving(handler).await;
    let mut request = ask(&near, "give").await;
    let mut stream = response(&mut request)
        .await
        .take_stream()
        .expect("a stream");
    let mut two = [0; 2];
    stream.read_exact(&mut two).await.expect("read");
    assert_eq!(&two, b"ab");
    let chunk = stream.next_chunk().await.expect("read");
    assert_eq!(chunk, Some(Bytes::from("cdef")));
    assert!(stream.next().await.is_none());
    assert_eq!(stream.next_chunk().await.expect("ended"), None);
    assert_eq!(stream.read(&mut two).await.expect("ended"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_response_stream_begins_before_the_stream_of_its_request_has_ended() {
    let (near, _far) = pair_serving(collecting()).await;
    let (mut request, mut writer) = send_stream(&near, "echo").await;
    let mut stream = response(&mut request)
        .await
        .take_stream()
        .expect("a stream");
    for word in ["one", "two", "three"] {
        writer.write_chunk(word).await.expect("written");
        let chunk = stream.next_chunk().await.expect("read");
        assert_eq!(chunk, Some(Bytes::from(word)));
    }
    writer.finish().expect("ended");
    assert_eq!(stream.next_chunk().await.expect("ended"), None);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_echoed_while_it_is_written_comes_back_whole() {
    let all = pattern(3_000_000);
    let (near, _far) = pair_serving(collecting()).await;
    let (mut request, mut writer) = send_stream(&near, "echo").await;
    let mut stream = response(&mut request)
        .await
        .take_stream()
        .expect("a stream");
    let writing = async {
        writer.write_all(&all).await.expect("written");
        writer.finish().expect("ended");
    };
    let ((), back) = tokio::join!(writing, read_all(&mut stream));
    assert!(back.expect("whole") == all);
}

#[tokio::test(start_paused = true)]
async fn t_a5_a_reader_that_gives_way_to_another_future_loses_nothing() {
    let all = pattern(300_000);
    let written = Bytes::from(all.clone());
    let handler = giving(move |mut writer| {
        let written = written.clone();
        async move {
            for byte in written.chunks(1000) {
                writer.write_all(byte).await?;
                tokio::task::yield_now().await;
            }
            Ok::<_, sockety::serve::BoxError>(writer.shutdown().await?)
        }
    });
    let (near, _far) = pair_serving(handler).await;
    let mut request = ask(&near, "give").await;
    let mut stream = response(&mut request)
        .await
        .take_stream()
        .expect("a stream");
    let mut back = Vec::new();
    loop {
        tokio::select! {
            biased;
            chunk = stream.next_chunk() => match chunk.expect("read") {
                Some(chunk) => back.extend_from_slice(&chunk),
                None => break,
            },
            () = tokio::task::yield_now() => {}
        }
    }
    assert!(back == all);
}

#[tokio::test(start_paused = true)]
async fn a_byte_leaves_without_further_writes() {
    let (near, peer) = dialogue(ping_handler()).await;
    let mut packets = Packets::of(peer);
    let (_request, mut writer) = send_stream(&near, "a").await;
    assert!(matches!(packets.next().await, Packet::Message { .. }));
    for byte in [b"x", b"y"] {
        writer.write_chunk(&byte[..]).await.expect("written");
        assert_eq!(packets.next().await, Packet::stream(1, byte));
    }
}

// r[verify content.stream.joined]
#[tokio::test(start_paused = true)]
async fn bytes_that_wait_for_the_socket_are_joined_into_few_packets() {
    let (near, peer) = dialogue_with(ping_handler(), Default::default(), 64).await;
    let mut packets = Packets::of(peer);
    let (_request, mut writer) = send_stream(&near, "a").await;
    let all = pattern(100_000);
    for byte in &all {
        writer.write_u8(*byte).await.expect("written");
    }
    writer.finish().expect("ended");
    assert!(matches!(packets.next().await, Packet::Message { .. }));
    let (mut count, mut arrived) = (0, Vec::new());
    while let Packet::Stream { bytes, .. } = packets.next().await {
        assert!(!bytes.is_empty());
        arrived.extend(bytes);
        count += 1;
    }
    assert!(arrived == all);
    assert!(count <= 4, "{count} packets");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_stream_comes_once_and_after_its_bytes() {
    let (near, mut peer) = dialogue(ping_handler()).await;
    let (_request, mut writer) = send_stream(&near, "a").await;
    writer.write_chunk("hi").await.expect("written");
    peer.expect("01 23 13 00 <id> 01 61 70 02 68 69").await;
    writer.finish().expect("ended");
    peer.expect("80").await;
    peer.expect_silence().await;
}

// r[verify content.stream.unwritten]
#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_writes_ends_right_after_the_header() {
    let (near, mut peer) = dialogue(ping_handler()).await;
    let draft = Draft::new("a").with_stream();
    near.pass(&draft).await.expect("passed");
    peer.expect("01 22 13 00 <id> 01 61 80").await;
    near.pass(&draft).await.expect("passed");
    peer.expect("22 13 00 <id> 01 61 80").await;
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_writes_reads_as_empty() {
    let (lengths, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let handler = MessageHandler::new().action("a", move |message| {
        let lengths = lengths.clone();
        async move {
            let all = read_all(&mut stream_of(&message)).await?;
            lengths.send(all.len()).expect("the test listens");
            Ok::<_, io::Error>(())
        }
    });
    let (near, _far) = pair_serving(handler).await;
    near.pass(&Draft::new("a").with_stream())
        .await
        .expect("passed");
    assert_eq!(seen.recv().await, Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_one_way_message_can_have_a_stream_that_its_sender_writes() {
    let (near, mut peer) = dialogue(ping_handler()).await;
    let mut sent = near.pass_stream(&Draft::new("a")).await.expect("sent");
    let mut writer = sent.take_writer().expect("the writer");
    assert!(sent.take_writer().is_none(), "there is one writer");
    writer.write_chunk("hi").await.expect("written");
    writer.finish().expect("ended");
    sent.sent().await.expect("all of it left");
    peer.expect("01 22 13 00 <id> 01 61 70 02 68 69 80").await;
    drop(sent);
    peer.expect_silence().await;
}

/// Sends a stream that is read from somewhere, and compares what arrives.
async fn check_stream_from(stream: ByteStream, expected: &[u8]) {
    let (near, _far) = pair_serving(collecting()).await;
    let message = Draft::new("collect").create().with_stream_from(stream);
    let mut request = near.send(message).await.expect("sent");
    assert!(request.take_writer().is_none(), "it needs no writer");
    let response = timeout(Duration::from_secs(60), response(&mut request)).await;
    assert!(response.expect("the stream ends").payload() == expected);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_comes_from_a_reader_arrives_whole() {
    let all = pattern(500_000);
    let reader = io::Cursor::new(all.clone());
    check_stream_from(ByteStream::from_reader(reader), &all).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_comes_from_a_stream_of_chunks_arrives_whole() {
    let all = pattern(500_000);
    let chunks: Vec<_> = all.chunks(50_001).map(Bytes::copy_from_slice).collect();
    let chunks = futures_util::stream::iter(chunks.into_iter().map(Ok));
    check_stream_from(ByteStream::from_stream(chunks), &all).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_comes_from_a_pipe_ends_when_the_writer_is_shut_down() {
    let all = pattern(500_000);
    let written = all.clone();
    let (mut writer, pipe) = ByteStream::pipe(1000);
    tokio::spawn(async move {
        writer.write_all(&written).await.expect("written");
        writer.shutdown().await.expect("ended");
    });
    check_stream_from(pipe, &all).await;
}

#[tokio::test(start_paused = true)]
async fn the_writer_of_a_pipe_fails_when_nobody_can_read_it_any_longer() {
    let (mut writer, pipe) = ByteStream::pipe(10);
    drop(pipe);
    let writing = writer.write_all(&[0; 100]);
    let written = timeout(Duration::from_secs(60), writing).await;
    written
        .expect("it does not wait")
        .expect_err("nobody reads");
}

#[tokio::test(start_paused = true)]
async fn a_chunk_without_bytes_does_not_end_a_stream_that_is_read_as_async_read() {
    let chunks = ["", "a", "", "b"].map(|chunk| Ok(Bytes::from(chunk)));
    let mut stream = ByteStream::from_stream(futures_util::stream::iter(chunks));
    assert_eq!(read_all(&mut stream).await.expect("whole"), b"ab");
}

#[tokio::test(start_paused = true)]
async fn a_received_stream_can_be_sent_on_over_another_connection() {
    let (hub, _last) = pair_serving(collecting()).await;
    let forwarding = MessageHandler::new().action("forward", move |message| {
        let hub = hub.clone();
        async move {
            let onward = Draft::new("echo")
                .create()
                .with_stream_from(stream_of(&message));
            let mut request = hub.send(onward).await?;
            let stream = response(&mut request)
                .await
                .take_stream()
                .expect("a stream");
            let back = ResponseDraft::new().create().with_stream_from(stream);
            let mut sent = message.respond(back).await?;
            sent.sent().await?;
            Ok::<_, sockety::serve::BoxError>(())
        }
    });
    let (near, _middle) = pair_serving(forwarding).await;
    let all = pattern(2_000_000);
    let (mut request, mut writer) = send_stream(&near, "forward").await;
    let mut stream = response(&mut request)
        .await
        .take_stream()
        .expect("a stream");
    let writing = async {
        writer.write_all(&all).await.expect("written");
        writer.finish().expect("ended");
    };
    let ((), back) = tokio::join!(writing, read_all(&mut stream));
    assert!(back.expect("whole") == all);
}

#[tokio::test(start_paused = true)]
async fn a_response_may_come_before_the_stream_of_the_request_has_ended() {
    let handler = ping_handler().action("early", |message| async move { message.accept().await });
    let handler = (handler, base());
    let (near, _far) = pair_with((Router::new(), base()), handler, PIPE).await;
    let (mut request, mut writer) = send_stream(&near, "early").await;
    let reply = request.response().await.expect("a reply");
    assert_eq!(reply.code().map(u16::from), Some(0));
    // Nobody reads it any longer, yet it is sent to its end. With the extension, it is stopped.
    writer
        .write_all(&pattern(1_000_000))
        .await
        .expect("written");
    writer.finish().expect("ended");
    request.sent().await.expect("all of it left");
}

#[tokio::test(start_paused = true)]
async fn the_stream_of_an_action_that_nobody_serves_is_sent_no_further() {
    let (near, _far) = pair_serving(ping_handler()).await;
    let (mut request, mut writer) = send_stream(&near, "unknown").await;
    let reply = request.response().await.expect("a reply");
    assert_eq!(reply.code().map(u16::from), Some(2));
    let error = writer.write_all(b"more").await.expect_err("refused");
    assert!(matches!(source_error(&error), SourceError::Unwanted));
    let reply = ask(&near, "ping").await.response().await.expect("a reply");
    assert_eq!(reply.code().map(u16::from), Some(0));
}

#[tokio::test(start_paused = true)]
async fn bytes_of_a_stream_may_come_one_at_a_time_and_in_one_packet_with_the_end() {
    let (_near, mut peer) = dialogue(collecting()).await;
    let all = pattern(2000);
    let mut bytes = head(id(1), "collect", Asks::Reply, 0, true, &[]);
    for byte in &all {
        bytes.extend([0x70, 1, *byte]);
    }
    bytes.push(0x80);
    peer.send_bytes(&bytes).await;
    assert_eq!(peer.expect_response(id(1)).await.1, all);
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_for_nobody_needs_no_router() {
    let (near, mut peer) = dialogue(Router::new()).await;
    let message = head(id(1), "a", Asks::Nothing, 0, true, &[]);
    peer.send_bytes(&[message, vec![0x70, 1, 7, 0x80]].concat())
        .await;
    peer.ask(id(2), "b", b"").await;
    peer.expect_code(id(2), 2).await;
    assert!(!near.is_closed());
}

/// Typed items, as methods send and take them.
mod typed {
    use serde::{Deserialize, Serialize};
    use sockety::__private::{self, Content, Received};
    use sockety::{
        Options, ServiceError, Streaming,
        error::{ContentError, NoError, StreamError},
    };
    use sockety_codec::Limits;

    use super::*;
    use crate::support::bytes;

    #[derive(Debug, PartialEq, Serialize, Deserialize, ServiceError)]
    enum Broken {
        #[code(16)]
        Rotated,
        #[code(17)]
        Full { limit: u64 },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize, ServiceError)]
    enum NewerBroken {
        #[code(18)]
        Melted { degrees: u64 },
    }

    type Items<T, E> = Result<Streaming<T, E>, ContentError>;

    fn read<T: sockety::message::Payload + Send + 'static, E: ServiceError>(
        received: &mut Received,
    ) -> Items<T, E> {
        received.streaming()
    }

    /// Calls a method that returns items.
    async fn items<T, E>(connection: &Connection) -> Streaming<T, E>
    where
        T: sockety::message::Payload + Send + 'static,
        E: ServiceError,
    {
        let draft = __private::call_draft::<_, NoError>("give", Content::new(), read::<T, E>);
        __private::call(connection, draft).await.expect("a stream")
    }

    /// Answers `give` with these bytes as its stream.
    fn giving_bytes(chunks: Vec<Bytes>) -> MessageHandler {
        giving(move |mut writer| {
            let chunks = chunks.clone();
            async move {
                for chunk in chunks {
                    writer.write_chunk(chunk).await?;
                    tokio::task::yield_now().await;
                }
                writer.finish()
            }
        })
    }

    /// What comes out of these bytes, read as items.
    async fn items_of<T, E>(digits: &str, chunk: usize) -> Vec<Result<T, StreamError<E>>>
    where
        T: sockety::message::Payload + Send + 'static,
        E: ServiceError,
    {
        let all = bytes(digits);
        let chunks = all.chunks(chunk).map(Bytes::copy_from_slice).collect();
        let (near, _far) = pair_serving(giving_bytes(chunks)).await;
        items(&near).await.collect().await
    }

    /// Sends items as the stream of a message, and returns what arrives of them as bytes.
    async fn encoded<T, E>(stream: Streaming<T, E>) -> Vec<u8>
    where
        T: sockety::message::Payload + Send + 'static,
        E: ServiceError,
    {
        let (near, _far) = pair_serving(collecting()).await;
        let content = Content::new().streaming(stream);
        let draft = __private::call_draft::<Vec<u8>, NoError>("collect", content, |_| {
            unreachable!("sent as a message")
        });
        let mut request = near.send(draft).await.expect("sent");
        response(&mut request).await.payload().to_vec()
    }

    /// As written, read and compared.
    async fn check_items(digits: &str, chunk: usize, expected: &[&str]) {
        let found: Vec<Result<String, StreamError<NoError>>> = items_of(digits, chunk).await;
        let found: Vec<_> = found
            .into_iter()
            .map(|item| item.expect("an item"))
            .collect();
        assert_eq!(found, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn items_are_found_wherever_the_borders_of_chunks_are() {
        for chunk in 1..=12 {
            check_items(
                "A2 68 69 A0 D9 03 61 62 63 A1 7A",
                chunk,
                &["hi", "", "abc", "z"],
            )
            .await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_bytes_has_no_items() {
        check_items("", 1, &[]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn items_of_an_iterator_a_stream_results_and_a_channel_stand_one_after_another() {
        let expected = bytes("01 02 CD 03 E8");
        let numbers = [1u64, 2, 1000];
        let stream: Streaming<u64> = Streaming::from_iter(numbers);
        assert_eq!(encoded(stream).await, expected);
        let stream: Streaming<u64> = Streaming::from_stream(futures_util::stream::iter(numbers));
        assert_eq!(encoded(stream).await, expected);
        let results = futures_util::stream::iter(numbers.map(Ok));
        let stream: Streaming<u64> = Streaming::from_results(results);
        assert_eq!(encoded(stream).await, expected);
        let (sender, stream): (_, Streaming<u64>) = Streaming::channel(1);
        let sending = async move {
            for number in numbers {
                sender.send(Ok(number)).await.expect("taken");
            }
            sender.finish();
        };
        assert_eq!(tokio::join!(encoded(stream), sending).0, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn an_item_leaves_without_the_next_one() {
        let (near, peer) = dialogue(ping_handler()).await;
        let mut packets = Packets::of(peer);
        let (sender, stream): (_, Streaming<u64>) = Streaming::channel(10);
        let content = Content::new().streaming(stream);
        let draft = __private::pass_draft("a", content);
        let passing = tokio::spawn(async move { __private::pass(&near, draft).await });
        assert!(matches!(packets.next().await, Packet::Message { .. }));
        for number in 1..=3 {
            sender.send(Ok(number)).await.expect("taken");
            assert_eq!(packets.next().await, Packet::stream(1, &[number as u8]));
        }
        sender.finish();
        assert_eq!(packets.next().await, Packet::StreamEnd { channel: 1 });
        passing.await.expect("no panic").expect("passed");
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_of_the_service_ends_the_stream_and_is_the_last_item() {
        let results = futures_util::stream::iter([Ok(1u64), Err(Broken::Full { limit: 9 }), Ok(2)]);
        let chunk = encoded(Streaming::from_results(results)).await;
        let (near, _far) = pair_serving(giving_bytes(vec![chunk.into()])).await;
        let mut items: Streaming<u64, Broken> = items(&near).await;
        assert!(matches!(items.next().await, Some(Ok(1))));
        let error = items.next().await.expect("an error").expect_err("an error");
        assert!(matches!(
            error,
            StreamError::Service(Broken::Full { limit: 9 })
        ));
        assert!(items.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_without_data_arrives_too() {
        let results = futures_util::stream::iter([Err::<u64, _>(Broken::Rotated)]);
        let chunk = encoded(Streaming::from_results(results)).await;
        let (near, _far) = pair_serving(giving_bytes(vec![chunk.into()])).await;
        let mut items: Streaming<u64, Broken> = items(&near).await;
        let error = items.next().await.expect("an error").expect_err("an error");
        assert!(matches!(error, StreamError::Service(Broken::Rotated)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_that_is_not_known_here_is_remote() {
        let newer = NewerBroken::Melted { degrees: 1 };
        let results = futures_util::stream::iter([Err::<u64, _>(newer)]);
        let chunk = encoded(Streaming::from_results(results)).await;
        let (near, _far) = pair_serving(giving_bytes(vec![chunk.into()])).await;
        let mut items: Streaming<u64, Broken> = items(&near).await;
        let error = items.next().await.expect("an error").expect_err("an error");
        assert!(matches!(error, StreamError::Remote(remote) if remote.name == "Melted"));
        assert!(items.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_item_that_is_cut_off_by_the_end_is_an_error() {
        for chunk in 1..=3 {
            let found: Vec<Result<String, StreamError<NoError>>> =
                items_of("A1 61 A2 62", chunk).await;
            let [Ok(first), Err(StreamError::Decode(_))] = &found[..] else {
                panic!("{found:?}");
            };
            assert_eq!(first, "a");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_item_of_another_type_is_an_error_and_the_last() {
        let found: Vec<Result<u64, StreamError<NoError>>> = items_of("01 A1 61 02", 9).await;
        let [Ok(1), Err(StreamError::Decode(_))] = &found[..] else {
            panic!("{found:?}");
        };
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_breaks_off_is_never_a_clean_end() {
        let handler = giving(|mut writer: StreamWriter| async move {
            writer.write_chunk(&b"\xA1a\xA1b"[..]).await
        });
        let (near, _far) = pair_serving(handler).await;
        let items: Streaming<String> = items(&near).await;
        let found: Vec<_> = items.collect().await;
        let Some(Err(StreamError::Read(error))) = found.last() else {
            panic!("{found:?}");
        };
        assert!(matches!(read_error(error), ReadError::Aborted));
    }

    /// Reads a text of this many bytes where items may have 1,000, after a first item of one byte.
    async fn read_text(size: usize, chunk: usize) -> Vec<Result<String, StreamError<NoError>>> {
        let text = [
            &[0xA0, 0xDA][..],
            &(size as u16).to_be_bytes(),
            &vec![b'a'; size],
        ]
        .concat();
        let chunks = text.chunks(chunk).map(Bytes::copy_from_slice).collect();
        let limits = Limits::default().max_payload(1000);
        let (near, _far) = crate::support::pair_with(
            (Router::new(), Options::default().limits(limits)),
            (giving_bytes(chunks), Options::default()),
            PIPE,
        )
        .await;
        items(&near).await.collect().await
    }

    #[tokio::test(start_paused = true)]
    async fn an_item_of_the_limit_is_taken() {
        let found = read_text(997, 10_000).await;
        assert!(matches!(&found[..], [Ok(_), Ok(text)] if text.len() == 997));
    }

    #[tokio::test(start_paused = true)]
    async fn an_item_over_the_limit_that_comes_in_parts_is_an_error() {
        let found = read_text(5000, 100).await;
        assert!(matches!(
            &found[..],
            [Ok(_), Err(StreamError::TooLarge { limit: 1000 })]
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn an_item_over_the_limit_that_comes_at_once_is_an_error() {
        let found = read_text(5000, 10_000).await;
        assert!(matches!(
            &found[..],
            [Ok(_), Err(StreamError::TooLarge { limit: 1000 })]
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn an_item_that_cannot_be_encoded_gives_the_message_up_and_says_why() {
        #[derive(Deserialize)]
        struct Unencodable;
        impl Serialize for Unencodable {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("not this one"))
            }
        }
        let (near, _far) = pair_serving(collecting()).await;
        let stream: Streaming<Unencodable> = Streaming::from_iter([Unencodable]);
        let content = Content::new().streaming(stream);
        let draft = __private::pass_draft("collect", content);
        let error = __private::pass(&near, draft).await.expect_err("given up");
        assert!(
            matches!(
                &error.error,
                sockety::error::RequestError::Source(SourceError::Encode(_))
            ),
            "{error:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_received_stream_of_items_is_sent_on_as_it_came() {
        let chunks = bytes("A1 61 A2 62")
            .into_iter()
            .map(|byte| Bytes::from(vec![byte]));
        let whole: Vec<_> = chunks.chain([Bytes::from("c")]).collect();
        let (near, _far) = pair_serving(giving_bytes(whole)).await;
        let mut items: Streaming<String> = items(&near).await;
        assert!(matches!(items.next().await, Some(Ok(first)) if first == "a"));
        assert_eq!(encoded(items).await, bytes("A2 62 63"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_endless_iterator_is_asked_only_for_what_there_is_room_for() {
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = std::sync::Arc::clone(&asked);
        let endless = std::iter::repeat_with(move || {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            7u64
        });
        let (near, mut peer) = dialogue(ping_handler()).await;
        let stream: Streaming<u64> = Streaming::from_iter(endless);
        let draft = __private::pass_draft("a", Content::new().streaming(stream));
        let passing = tokio::spawn(async move { __private::pass(&near, draft).await });
        crate::support::settled().await;
        let asked = asked.load(std::sync::atomic::Ordering::Relaxed);
        assert!((1..1_000_000).contains(&asked), "{asked}");
        passing.abort();
        peer.expect("01 22 13 00 <id> 01 61").await;
    }
}

/// A packet as it is on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Packet {
    Message {
        channel: u16,
        head: Vec<u8>,
    },
    Response {
        channel: u16,
        head: Vec<u8>,
    },
    FastReply {
        id: Uuid,
        code: u16,
    },
    Data {
        channel: u16,
        bytes: Vec<u8>,
    },
    Stream {
        channel: u16,
        bytes: Vec<u8>,
    },
    StreamEnd {
        channel: u16,
    },
    File {
        channel: u16,
        index: u32,
        bytes: Vec<u8>,
    },
    FileEnd {
        channel: u16,
        index: u32,
    },
    Abort {
        channel: u16,
    },
    Heartbeat,
    GoAway,
}

impl Packet {
    pub(crate) fn stream(channel: u16, bytes: &[u8]) -> Self {
        Self::Stream {
            channel,
            bytes: bytes.to_vec(),
        }
    }

    /// Bytes of content in it.
    pub(crate) fn content(&self) -> usize {
        match self {
            Self::Data { bytes, .. } | Self::Stream { bytes, .. } | Self::File { bytes, .. } => {
                bytes.len()
            }
            _ => 0,
        }
    }
}

/// Reads what one of our connections sends packet by packet, without judging it.
pub(crate) struct Packets {
    pub(crate) peer: Peer,
    channel: u16,
}

impl Packets {
    pub(crate) fn of(peer: Peer) -> Self {
        Self { peer, channel: 0 }
    }

    /// The next packet that is no switch of the channel.
    pub(crate) async fn next(&mut self) -> Packet {
        loop {
            let first = self.byte().await;
            let low = u16::from(first & 15);
            match first >> 4 {
                0 => self.channel = low,
                1 => self.channel = self.twelve_bits(low).await,
                _ => return self.packet(first).await,
            }
        }
    }

    async fn packet(&mut self, first: u8) -> Packet {
        let channel = self.channel;
        let low = u16::from(first & 15);
        match first >> 4 {
            2 => Packet::Message {
                channel,
                head: self.sized(first).await,
            },
            3 => self.fast_reply(low).await,
            4 => {
                let code = self.twelve_bits(low).await;
                self.fast_reply(code).await
            }
            5 => Packet::Response {
                channel,
                head: self.sized(first).await,
            },
            7 => Packet::Stream {
                channel,
                bytes: self.sized(first).await,
            },
            8 => Packet::StreamEnd { channel },
            9 => Packet::Abort { channel },
            10 => Packet::Heartbeat,
            11 => Packet::GoAway,
            12 => {
                let size = self.size(first).await;
                let index = self.number(usize::from(first & 3)).await as u32;
                let bytes = self.peer.take(size).await;
                Packet::File {
                    channel,
                    index,
                    bytes,
                }
            }
            13 => Packet::FileEnd {
                channel,
                index: self.number(usize::from(first & 3)).await as u32,
            },
            14 => Packet::Data {
                channel,
                bytes: self.sized(first).await,
            },
            _ => panic!("a packet that begins with {first:#04x}"),
        }
    }

    async fn sized(&mut self, first: u8) -> Vec<u8> {
        let size = self.size(first).await;
        self.peer.take(size).await
    }

    async fn size(&mut self, first: u8) -> usize {
        self.number(usize::from(first >> 2 & 3) + 1).await
    }

    async fn fast_reply(&mut self, code: u16) -> Packet {
        let id = Uuid::from_slice(&self.peer.take(16).await).expect("16 bytes");
        Packet::FastReply { id, code }
    }

    async fn twelve_bits(&mut self, high: u16) -> u16 {
        high << 8 | u16::from(self.byte().await)
    }

    async fn byte(&mut self) -> u8 {
        self.peer.take(1).await[0]
    }

    async fn number(&mut self, length: usize) -> usize {
        let bytes = self.peer.take(length).await;
        bytes
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | usize::from(*byte))
    }
}

/// Whether a message waits for a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Nothing,
    Reply,
}

/// The bytes of a switch to channel 1 and of a header there, with these files by size.
pub(crate) fn head(
    id: Uuid,
    action: &str,
    asks: Asks,
    payload_size: u64,
    has_stream: bool,
    files: &[u64],
) -> Vec<u8> {
    let channel = ChannelId::new(1).expect("a channel");
    head_on(channel, id, action, asks, payload_size, has_stream, files)
}

/// As [`head`], on another channel than 0.
pub(crate) fn head_on(
    channel: ChannelId,
    id: Uuid,
    action: &str,
    asks: Asks,
    payload_size: u64,
    has_stream: bool,
    files: &[u64],
) -> Vec<u8> {
    let header = |size: &u64| FileHeader::new("f", *size);
    let files: Vec<_> = files.iter().map(header).collect();
    let head = MessageHead::new(id, action)
        .expecting_response(asks == Asks::Reply)
        .with_stream(has_stream)
        .with_payload_size(payload_size)
        .with_files(FilesSummary::of(&files).expect("few files"));
    let mut bytes = Vec::new();
    Encoder::new(ChannelCount::MAX)
        .begin(&mut bytes, channel, head, &files)
        .expect("a legal head");
    bytes
}

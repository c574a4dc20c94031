//! Messages whose files or streams do not reach their end.

use std::io;

use bytes::Bytes;
use sockety::__private::{self, Content};
use sockety::{
    ByteStream, Connection, FastReply, File, Options, Uuid,
    error::{ConnectionError, NoError, ReadError, RequestError, SendError, SourceError},
    message::{Draft, Request, ResponseDraft},
    serve::{BoxError, IntoRouter, Message, MessageHandler},
};
use sockety_codec::{ChannelCount, ChannelId, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::streams::{
    Asks, Packet, Packets, collecting, head, head_on, pattern, read_all, read_error, response,
    send_stream, source_error,
};
use crate::support::{
    PIPE, Peer, Running, answers_ping, code_of, dialogue, dialogue_with, id, is_pending,
    pair_serving, pair_with, ping_handler, settled,
};

/// A message with a stream, on channel 1, that asks for a reply.
const ASKS: &str = "01 23 13 00 <id> 01 61";

/// The same, one-way.
const TELLS: &str = "01 22 13 00 <id> 01 61";

/// A stream that never returns anything.
fn never() -> ByteStream {
    ByteStream::from_stream(futures_util::stream::pending())
}

/// A file that returns half of its bytes, and then waits.
fn half_a_file() -> File {
    let (reader, mut writer) = tokio::io::simplex(100);
    let writing = async move {
        writer.write_all(b"half").await.expect("written");
        std::future::pending::<()>().await;
    };
    tokio::spawn(writing);
    File::from_reader("f", 8, reader)
}

/// A reader that returns two bytes and fails.
fn failing() -> ByteStream {
    let chunks = [
        Ok(Bytes::from("hi")),
        Err(io::Error::from(io::ErrorKind::TimedOut)),
    ];
    ByteStream::from_stream(futures_util::stream::iter(chunks))
}

/// Tells the test how reading the stream of each `read` ended, and accepts.
fn reading() -> (
    MessageHandler,
    mpsc::UnboundedReceiver<Result<usize, ReadError>>,
) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let handler = collecting().action("read", move |message| {
        let sender = sender.clone();
        async move {
            let mut stream = message.take_stream().expect("a stream");
            let read = read_all(&mut stream).await;
            let read = read.map_err(|error| read_error(&error).clone());
            sender
                .send(read.map(|all| all.len()))
                .expect("the test listens");
            FastReply::ACCEPT
        }
    });
    (handler, receiver)
}

async fn ping(connection: &Connection) {
    let request = connection.send(&Draft::new("ping")).await.expect("sent");
    assert_eq!(code_of(request).await, 0);
}

fn is_given_up(error: &RequestError) -> bool {
    matches!(error, RequestError::Source(SourceError::GivenUp))
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_is_dropped_gives_its_message_up() {
    let (near, mut peer) = dialogue(ping_handler()).await;
    let (mut request, mut writer) = send_stream(&near, "a").await;
    writer.write_chunk("hi").await.expect("written");
    peer.expect(&format!("{ASKS} 70 02 68 69")).await;
    drop(writer);
    peer.expect("90").await;
    assert!(is_given_up(
        &request.response().await.expect_err("given up")
    ));
    assert!(is_given_up(&request.sent().await.expect_err("given up")));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_with_its_writer_gives_its_message_up() {
    let (near, mut peer) = dialogue(ping_handler()).await;
    let request = near
        .send(&Draft::new("a").with_stream())
        .await
        .expect("sent");
    peer.expect(ASKS).await;
    drop(request);
    peer.expect("90").await;
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_gives_the_stream_up_that_it_is_read_from() {
    let (near, mut peer) = dialogue(ping_handler()).await;
    let message = Draft::new("a").create().with_stream_from(never());
    let request = near.send(message).await.expect("sent");
    peer.expect(ASKS).await;
    drop(request);
    peer.expect("90").await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_gives_a_file_up_that_is_read() {
    let (near, mut peer) = dialogue(ping_handler()).await;
    let message = Draft::new("a").create().with_file(half_a_file());
    let request = near.send(message).await.expect("sent");
    peer.expect("01 21 1A 10 <id> 01 61 01 0800 00 08 01 66 C0 04 68616C66")
        .await;
    drop(request);
    peer.expect("90").await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_gives_a_file_up_that_is_in_memory() {
    let (near, peer) = dialogue_with(ping_handler(), Options::default(), 100).await;
    let file = File::from_bytes("f", pattern(2_000_000));
    let request = near
        .send(Draft::new("a").create().with_file(file))
        .await
        .expect("sent");
    settled().await;
    drop(request);
    ends_with_abort(Packets::of(peer)).await;
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_is_dropped_gives_a_file_up_that_is_in_memory() {
    let (near, peer) = dialogue_with(ping_handler(), Options::default(), 100).await;
    let file = File::from_bytes("f", pattern(2_000_000));
    let mut pass = Box::pin(near.pass(Draft::new("a").create().with_file(file)));
    assert!(is_pending(&mut pass).await);
    settled().await;
    drop(pass);
    ends_with_abort(Packets::of(peer)).await;
}

/// Expects a message with a file that is given up before its end.
async fn ends_with_abort(mut packets: Packets) {
    assert!(matches!(packets.next().await, Packet::Message { .. }));
    loop {
        match packets.next().await {
            Packet::File { .. } => {}
            packet => return assert_eq!(packet, Packet::Abort { channel: 1 }),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_writer_was_taken_can_be_dropped_and_all_of_its_message_is_sent() {
    let (near, mut peer) = dialogue(ping_handler()).await;
    let (reader, mut file) = tokio::io::simplex(100);
    let message = Draft::new("a").with_stream().create();
    let message = message.with_file(File::from_reader("f", 2, reader));
    let mut request = near.send(message).await.expect("sent");
    let mut writer = request.take_writer().expect("the writer");
    peer.expect("01 23 1A 10 <id> 01 61 01 0200 00 02 01 66")
        .await;
    drop(request);
    peer.expect_silence().await;
    writer.write_chunk("hi").await.expect("written");
    peer.expect("70 02 68 69").await;
    file.write_all(b"ho").await.expect("written");
    file.shutdown().await.expect("ended");
    peer.expect("C0 02 68 6F D0").await;
    writer.finish().expect("ended");
    peer.expect("80").await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_answered_can_be_dropped_and_all_of_its_message_is_sent() {
    let (near, mut peer) = dialogue(ping_handler()).await;
    let (mut writer, stream) = ByteStream::pipe(100);
    let message = Draft::new("a").create().with_stream_from(stream);
    let mut request = near.send(message).await.expect("sent");
    let id = peer.expect_id(ASKS).await;
    peer.reply(id, 0).await;
    request.response().await.expect("a reply");
    drop(request);
    writer.write_all(b"hi").await.expect("written");
    writer.shutdown().await.expect("ended");
    peer.expect("70 02 68 69 80").await;
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_is_dropped_half_way_gives_its_message_up() {
    let (near, mut peer) = dialogue(ping_handler()).await;
    let message = Draft::new("a").create().with_stream_from(never());
    let mut pass = Box::pin(near.pass(message));
    assert!(is_pending(&mut pass).await);
    peer.expect(TELLS).await;
    drop(pass);
    peer.expect("90").await;
}

#[tokio::test(start_paused = true)]
async fn a_sent_message_whose_writer_was_not_taken_is_given_up_when_it_is_dropped() {
    let (near, mut peer) = dialogue(ping_handler()).await;
    let sent = near.pass_stream(&Draft::new("a")).await.expect("sent");
    peer.expect(TELLS).await;
    drop(sent);
    peer.expect("90").await;
}

#[tokio::test(start_paused = true)]
async fn t_a4_a_call_that_is_dropped_half_way_gives_its_message_up() {
    let (near, mut peer) = dialogue(ping_handler()).await;
    let draft =
        __private::call_draft::<(), NoError>("a", Content::new().bytes(never()), |received| {
            received.payload(__private::payload())
        });
    let mut call = Box::pin(__private::call(&near, draft).into_future());
    assert!(is_pending(&mut call).await);
    peer.expect(ASKS).await;
    drop(call);
    peer.expect("90").await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_for_a_channel_and_is_dropped_is_not_sent() {
    let (near, peer) = narrow(ping_handler(), "E1 02").await;
    let mut packets = Packets::of(peer);
    let (_first, writer) = send_stream(&near, "a").await;
    assert!(matches!(
        packets.next().await,
        Packet::Message { channel: 1, .. }
    ));
    let draft = Draft::new("b").with_stream();
    let mut waiting = Box::pin(near.send(&draft));
    let mut behind = Box::pin(near.pass(&draft));
    assert!(is_pending(&mut waiting).await && is_pending(&mut behind).await);
    drop(waiting);
    writer.finish().expect("ended");
    behind.await.expect("passed");
    assert_eq!(packets.next().await, Packet::StreamEnd { channel: 1 });
    assert!(matches!(
        packets.next().await,
        Packet::Message { channel: 1, .. }
    ));
    assert_eq!(packets.next().await, Packet::StreamEnd { channel: 1 });
    packets.peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_gives_its_message_up_and_the_sender_knows_why() {
    let (near, mut peer) = dialogue(ping_handler()).await;
    let message = Draft::new("a").create().with_stream_from(failing());
    let mut request = near.send(message).await.expect("sent");
    // What was read before the failure arrives.
    peer.expect(ASKS).await;
    peer.expect("70 02 68 69 90").await;
    let error = request.response().await.expect_err("given up");
    let RequestError::Source(SourceError::Read { name, error }) = error else {
        panic!("{error:?}");
    };
    assert_eq!((&*name, error.kind()), ("", io::ErrorKind::TimedOut));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_fails_gives_the_stream_beside_it_up() {
    let (near, _peer) = dialogue(ping_handler()).await;
    let reader = failing();
    let message = Draft::new("a").with_stream().create();
    let mut request = near
        .send(message.with_file(File::from_reader("f", 100, reader)))
        .await
        .expect("sent");
    let mut writer = request.take_writer().expect("the writer");
    settled().await;
    let error = writer.write_chunk("late").await.expect_err("given up");
    assert!(matches!(error, SourceError::Read { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn t_c16_a_message_that_was_given_up_never_reads_as_whole() {
    let (handler, mut reads) = reading();
    let (near, _far) = pair_serving(handler).await;
    for size in [0, 1, 1_000_000] {
        let (_request, mut writer) = send_stream(&near, "read").await;
        writer.write_all(&pattern(size)).await.expect("written");
        drop(writer);
        let read = reads.recv().await.expect("read");
        assert!(matches!(read, Err(ReadError::Aborted)), "{read:?}");
    }
    ping(&near).await;
}

#[tokio::test(start_paused = true)]
async fn a_response_stream_that_was_given_up_never_reads_as_whole() {
    let handler = MessageHandler::new().action("a", |message| async move {
        let response = ResponseDraft::new().create().with_stream_from(failing());
        message.respond(response).await
    });
    let (near, _far) = pair_serving(handler).await;
    let mut request = near.send(&Draft::new("a")).await.expect("sent");
    let mut stream = response(&mut request)
        .await
        .take_stream()
        .expect("a stream");
    let error = read_all(&mut stream).await.expect_err("given up");
    assert!(matches!(read_error(&error), ReadError::Aborted));
}

#[tokio::test(start_paused = true)]
async fn an_abort_of_the_peer_ends_the_message_and_frees_its_channel() {
    let (handler, mut reads) = reading();
    let (_near, mut peer) = dialogue(handler).await;
    for number in [1, 2] {
        peer.send_bytes(&head(id(number), "read", Asks::Reply, 0, true, &[]))
            .await;
        peer.send("70 02 68 69 90").await;
        let read = reads.recv().await.expect("read");
        assert!(matches!(read, Err(ReadError::Aborted)));
        peer.expect_code(id(number), 0).await;
    }
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn t_c16_an_abort_before_the_payload_is_whole_runs_no_handler() {
    let (handler, mut reads) = reading();
    let (_near, mut peer) = dialogue(handler).await;
    peer.send_bytes(&head(id(1), "read", Asks::Reply, 2, true, &[3]))
        .await;
    peer.send("70 01 61 E0 01 61 C0 01 61 90").await;
    answers_ping(&mut peer).await;
    assert!(reads.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn an_abort_of_a_response_before_its_payload_is_whole_is_an_error_of_the_request() {
    let (near, mut peer) = dialogue(ping_handler()).await;
    let mut request = near.send(&Draft::new("a")).await.expect("sent");
    let parent = peer.expect_id("21 13 00 <id> 01 61").await;
    let mut bytes = crate::support::bytes("01 50 22 40");
    bytes.extend(parent.as_bytes());
    bytes.extend(id(1).as_bytes());
    bytes.extend([5, 0xE0, 1, 7, 0x90]);
    peer.send_bytes(&bytes).await;
    let error = request.response().await.expect_err("lost");
    assert!(
        matches!(error, RequestError::ResponseLost(ReadError::Aborted)),
        "{error:?}"
    );
}

/// One of our connections, towards a peer that receives on few channels.
async fn narrow(serve: impl IntoRouter, header: &str) -> (Connection, Peer) {
    let (near, far) = duplex(PIPE);
    let greeting = async {
        let mut peer = Peer::silent(far);
        peer.send(header).await;
        peer.expect(crate::support::OFFER).await;
        peer
    };
    let (connection, peer) =
        tokio::join!(Connection::over(near, serve, Options::default()), greeting);
    (connection.expect("a connection"), peer)
}

// r[verify content.abort.retire]
#[tokio::test(start_paused = true)]
async fn channels_of_messages_that_were_given_up_are_not_used_again() {
    let (near, peer) = narrow(ping_handler(), "E1 04").await;
    let mut packets = Packets::of(peer);
    for expected in [1, 2, 3] {
        drop(send_stream(&near, "a").await);
        assert!(
            matches!(packets.next().await, Packet::Message { channel, .. } if channel == expected)
        );
        assert_eq!(packets.next().await, Packet::Abort { channel: expected });
        // After the first, the peer is asked once whether it takes notice. It does not answer.
        if expected == 1 {
            let question = packets.next().await;
            assert!(matches!(question, Packet::Message { channel: 0, .. }));
        }
    }
    let draft = Draft::new("a").with_stream();
    let error = near.send(&draft).await.expect_err("no channel");
    assert!(
        matches!(error, SendError::ChannelsExhausted { .. }),
        "{error:?}"
    );
    let error = near.pass(&draft).await.expect_err("no channel");
    assert!(matches!(
        error,
        RequestError::Send(SendError::ChannelsExhausted { .. })
    ));
    // Small messages need none of those.
    near.pass(&Draft::new("b")).await.expect("passed");
    assert!(matches!(
        packets.next().await,
        Packet::Message { channel: 0, .. }
    ));
}

/// Answers the question whether a peer takes notice of aborts.
const PRESENT: &str = "$sockety.present";

async fn gives_up(near: &Connection, packets: &mut Packets, on: u16) {
    drop(send_stream(near, "a").await);
    assert!(matches!(packets.next().await, Packet::Message { channel, .. } if channel == on));
    assert_eq!(packets.next().await, Packet::Abort { channel: on });
}

#[tokio::test(start_paused = true)]
async fn channels_are_used_again_with_a_peer_that_takes_notice_of_aborts() {
    let (near, mut peer) = narrow(ping_handler(), "E1 04").await;
    drop(send_stream(&near, "a").await);
    peer.expect("01 23 13 00 <id> 01 61 90").await;
    peer.send("00").await;
    let (question, _) = peer.expect_message(PRESENT).await;
    peer.reply(question, 3847).await;
    settled().await;
    let mut packets = Packets::of(peer);
    for _ in 0..100 {
        gives_up(&near, &mut packets, 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn channels_are_not_used_again_with_a_peer_that_does_not_know_the_question() {
    let (near, mut peer) = narrow(ping_handler(), "E1 04").await;
    drop(send_stream(&near, "a").await);
    peer.expect("01 23 13 00 <id> 01 61 90").await;
    let (question, _) = peer.expect_message(PRESENT).await;
    peer.reply(question, 0).await;
    settled().await;
    let mut packets = Packets::of(peer);
    gives_up(&near, &mut packets, 2).await;
    gives_up(&near, &mut packets, 3).await;
    let error = near.send(&Draft::new("a").with_stream()).await;
    assert!(matches!(error, Err(SendError::ChannelsExhausted { .. })));
}

#[tokio::test(start_paused = true)]
async fn the_question_is_answered_before_authorization() {
    let router = ping_handler()
        .into_router()
        .authorize(|first: sockety::serve::FirstMessage| async move { first.refuse() });
    let (_near, mut peer) = dialogue(router).await;
    peer.ask(id(1), PRESENT, b"").await;
    peer.expect_code(id(1), 3847).await;
    peer.ask(id(2), "ping", b"").await;
    peer.expect_code(id(2), 3).await;
}

#[tokio::test(start_paused = true)]
async fn uploads_that_are_cancelled_one_after_the_other_leave_room_for_the_next() {
    let (near, _far) = pair_serving(collecting()).await;
    for _ in 0..300 {
        let (request, writer) = send_stream(&near, "collect").await;
        settled().await;
        drop((request, writer));
        settled().await;
    }
    let (mut request, mut writer) = send_stream(&near, "collect").await;
    writer.write_chunk("good").await.expect("written");
    writer.finish().expect("ended");
    assert_eq!(response(&mut request).await.payload(), "good");
}

#[tokio::test(start_paused = true)]
async fn two_hundred_uploads_that_are_cancelled_at_once_cost_no_other_call() {
    let handler = || {
        collecting().action("slow", |_| async {
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            FastReply::ACCEPT
        })
    };
    let (near, _far) = pair_serving(handler()).await;
    for _ in 0..5 {
        let slow = near.send(&Draft::new("slow")).await.expect("sent");
        let mut uploads = Vec::new();
        for _ in 0..200 {
            uploads.push(send_stream(&near, "collect").await);
        }
        settled().await;
        drop(uploads);
        assert_eq!(crate::support::code_of(slow).await, 0);
    }
}

/// Gives a file, or one that breaks off if the payload is empty.
fn giving() -> MessageHandler {
    collecting().action("give", |message: Message| async move {
        let is_broken = message.payload().is_empty();
        let file = if is_broken {
            // Shorter than announced.
            File::from_reader("f", 10, &b"short"[..])
        } else {
            File::from_bytes("f", "whole")
        };
        ResponseDraft::new().create().with_file(file)
    })
}

#[tokio::test(start_paused = true)]
async fn downloads_whose_source_fails_leave_room_for_the_next() {
    let (near, _far) = pair_serving(giving()).await;
    for _ in 0..300 {
        let mut request = near.send(&Draft::new("give")).await.expect("sent");
        let mut response = response(&mut request).await;
        let file = response.take_files().pop().expect("a file");
        file.bytes(100).await.expect_err("too short");
    }
    let good = Draft::new("give").with_data("good");
    let mut request = near.send(&good).await.expect("sent");
    let mut response = response(&mut request).await;
    let file = response.take_files().pop().expect("a file");
    assert_eq!(file.bytes(100).await.expect("whole"), "whole");
}

/// Asks for broken files until the server says Go Away; returns how many there were.
async fn break_off_until_go_away(packets: &mut Packets) -> usize {
    let mut broken = 0;
    loop {
        packets.peer.ask(id(broken), "give", b"").await;
        loop {
            match packets.next().await {
                Packet::Response { .. } | Packet::File { .. } => {}
                Packet::Abort { .. } => break,
                Packet::Message { head, .. } => {
                    let question = Uuid::from_slice(&head[1..17]).expect("an id");
                    packets.peer.reply(question, 2).await;
                }
                Packet::GoAway => return broken as usize,
                other => panic!("{other:?} after {broken} files"),
            }
        }
        broken += 1;
    }
}

#[tokio::test]
async fn a_server_replaces_a_connection_before_its_channels_run_out() {
    let running = Running::with(giving()).await;
    let (mut broken, mut connections) = (0, 0);
    while broken < 300 {
        let socket = TcpStream::connect(running.address).await;
        let mut packets = Packets::of(Peer::greeted(socket.expect("connected")).await);
        connections += 1;
        broken += break_off_until_go_away(&mut packets).await;
        // The last one crossed the Go Away. It and the next, which the peer sends before it has
        // read the Go Away, are executed.
        packets.peer.ask(id(1_000), "give", b"good").await;
        let mut whole = Vec::new();
        loop {
            match packets.next().await {
                Packet::Response { .. } | Packet::Abort { .. } => whole.clear(),
                Packet::File { bytes, .. } => whole.extend(bytes),
                Packet::FileEnd { .. } => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(whole, b"whole");
    }
    // Half of 255 channels each.
    assert_eq!(connections, 3);
    assert_eq!(running.handle.stats().accepted, 3);
}

#[tokio::test(start_paused = true)]
async fn while_a_peer_is_asked_no_more_than_half_of_its_channels_are_risked() {
    let (near, peer) = narrow(ping_handler(), "E1 09").await;
    let mut packets = Packets::of(peer);
    let mut uploads = Vec::new();
    for _ in 0..4 {
        uploads.push(send_stream(&near, "a").await);
    }
    drop(uploads);
    let draft = Draft::new("a").with_stream();
    let mut waiting = Box::pin(near.send(&draft));
    assert!(is_pending(&mut waiting).await);
    let question = loop {
        if let Packet::Message { channel: 0, head } = packets.next().await {
            break Uuid::from_slice(&head[1..17]).expect("an id");
        }
    };
    packets.peer.reply(question, 3847).await;
    drop(waiting.await.expect("a channel"));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_for_a_channel_learns_that_there_will_be_none() {
    let (near, _peer) = narrow(ping_handler(), "E1 02").await;
    let first = send_stream(&near, "a").await;
    let draft = Draft::new("a").with_stream();
    let mut waiting = Box::pin(near.send(&draft));
    assert!(is_pending(&mut waiting).await);
    drop(first);
    let error = waiting.await.expect_err("no channel");
    assert!(matches!(error, SendError::ChannelsExhausted { .. }));
}

#[tokio::test(start_paused = true)]
async fn after_an_abort_towards_a_peer_with_one_channel_messages_fail_instead_of_waiting() {
    let (near, mut peer) = narrow(ping_handler(), "E0").await;
    drop(send_stream(&near, "a").await);
    peer.expect("23 13 00 <id> 01 61 90").await;
    let draft = Draft::new("b");
    let sending = tokio::time::timeout(std::time::Duration::from_secs(600), near.send(&draft));
    let error = sending.await.expect("no waiting").expect_err("no channel");
    assert!(matches!(error, SendError::ChannelsExhausted { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_code_needs_no_channel_and_passes_a_stream_on_the_only_one() {
    let handler = ping_handler().action("give", |message| async move {
        let response = ResponseDraft::new().create().with_stream_from(never());
        message.respond(response).await
    });
    let (_near, mut peer) = narrow(handler, "E0").await;
    peer.ask(id(1), "give", b"").await;
    let parent = peer.expect("52 21 00 <id> <id>").await[0];
    assert_eq!(parent, id(1));
    peer.ask(id(2), "ping", b"").await;
    peer.expect_code(id(2), 0).await;
}

fn one_channel() -> Options {
    let limits = Limits::default().max_channels(ChannelCount::new(1).expect("a count"));
    Options::default().limits(limits)
}

#[tokio::test(start_paused = true)]
async fn over_a_single_channel_all_messages_wait_for_their_turn_and_succeed() {
    let (near, _far) = pair_with(
        (collecting(), one_channel()),
        (collecting(), one_channel()),
        PIPE,
    )
    .await;
    let stream = async |n: usize| {
        let stream = ByteStream::from_reader(io::Cursor::new(pattern(n * 10_000)));
        let message = Draft::new("collect").create().with_stream_from(stream);
        let mut request = near.send(message).await.expect("sent");
        assert!(response(&mut request).await.payload() == &pattern(n * 10_000));
    };
    let streams = futures_util::future::join_all((0..30).map(stream));
    let pings = futures_util::future::join_all((0..200).map(|_| ping(&near)));
    tokio::join!(streams, pings);
}

#[tokio::test(start_paused = true)]
async fn towards_a_peer_with_one_channel_nothing_but_that_channel_is_used() {
    let (near, mut peer) = narrow(ping_handler(), "E0").await;
    let (_request, writer) = send_stream(&near, "a").await;
    peer.expect("23 13 00 <id> 01 61").await;
    let draft = Draft::new("b");
    let mut waiting = Box::pin(near.pass(&draft));
    assert!(is_pending(&mut waiting).await);
    peer.expect_silence().await;
    writer.finish().expect("ended");
    waiting.await.expect("passed");
    peer.expect("80 20 13 00 <id> 01 62").await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_lost_ends_all_that_is_being_sent_and_read() {
    let (handler, mut reads) = reading();
    let (near, mut peer) = dialogue(handler).await;
    let (mut request, mut writer) = send_stream(&near, "a").await;
    let message = Draft::new("a").create().with_stream_from(never());
    let mut other = near.send(message).await.expect("sent");
    peer.send_bytes(&head(id(1), "read", Asks::Reply, 0, true, &[]))
        .await;
    peer.send("70 02 68 69").await;
    settled().await;
    drop(peer);
    let error = near.closed().await;
    assert!(matches!(error, ConnectionError::Truncated(_)), "{error:?}");
    let read = reads.recv().await.expect("read");
    assert!(
        matches!(read, Err(ReadError::Disconnected { .. })),
        "{read:?}"
    );
    let error = writer.write_chunk("late").await.expect_err("lost");
    assert!(
        matches!(error, SourceError::Disconnected { .. }),
        "{error:?}"
    );
    let error = writer.write_all(b"late").await.expect_err("lost");
    assert!(matches!(
        source_error(&error),
        SourceError::Disconnected { .. }
    ));
    for request in [&mut request, &mut other] {
        assert_disconnected(request).await;
    }
}

async fn assert_disconnected(request: &mut Request) {
    let error = request.response().await.expect_err("lost");
    assert!(
        matches!(error, RequestError::Disconnected { .. }),
        "{error:?}"
    );
    let error = request.sent().await.expect_err("lost");
    assert!(
        matches!(error, RequestError::Disconnected { .. }),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_response_stream_whose_connection_is_lost_is_an_error() {
    let handler = MessageHandler::new().action("a", |message| async move {
        let response = ResponseDraft::new().create().with_stream_from(never());
        let mut sent = message.respond(response).await?;
        sent.sent().await?;
        Ok::<_, BoxError>(())
    });
    let (near, far) = pair_serving(handler).await;
    let mut request = near.send(&Draft::new("a")).await.expect("sent");
    let mut stream = response(&mut request)
        .await
        .take_stream()
        .expect("a stream");
    // Its handler never ends, so the other side closes after a while.
    far.close().await;
    let error = stream.read_u8().await.expect_err("lost");
    assert!(matches!(read_error(&error), ReadError::Disconnected { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_waits_for_room_learns_that_the_connection_is_lost() {
    let (near, peer) = dialogue(ping_handler()).await;
    let (_request, mut writer) = send_stream(&near, "a").await;
    let writing = tokio::spawn(async move {
        loop {
            if let Err(error) = writer.write_chunk(vec![0; 10_000]).await {
                return error;
            }
        }
    });
    settled().await;
    drop(peer);
    let error = writing.await.expect("no panic");
    assert!(
        matches!(error, SourceError::Disconnected { .. }),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_abort_on_one_channel_leaves_the_others_alone() {
    let (handler, mut reads) = reading();
    let (_near, mut peer) = dialogue(handler).await;
    for channel in [1, 2] {
        let number = u64::from(channel);
        let channel = ChannelId::new(channel).expect("a channel");
        let head = head_on(channel, id(number), "read", Asks::Nothing, 0, true, &[]);
        peer.send_bytes(&head).await;
    }
    peer.send("70 02 68 69 01 90").await;
    let read = reads.recv().await.expect("read");
    assert!(matches!(read, Err(ReadError::Aborted)));
    peer.send("02 80").await;
    assert!(matches!(reads.recv().await, Some(Ok(2))));
}

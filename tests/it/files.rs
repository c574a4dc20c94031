//! Files of messages and responses, in both directions.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use sockety::{
    Connection, FastReply, File,
    error::{ReadError, RequestError, SendError, SourceError, chain},
    message::{Draft, Outgoing, Reply, Request, ResponseDraft},
    serve::{BoxError, Message, MessageHandler},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::streams::{Asks, Packet, Packets, head, pattern, read_error, response};
use crate::support::{Peer, answers_ping, code_of, dialogue, id, pair_serving, ping_handler};

/// What a file was found to be.
#[derive(Debug, PartialEq)]
struct Found {
    name: String,
    content: Result<Vec<u8>, String>,
}

fn found(name: &str, bytes: &[u8]) -> Found {
    Found {
        name: name.to_owned(),
        content: Ok(bytes.to_vec()),
    }
}

/// The order in which files are read.
#[derive(Clone, Copy)]
enum Order {
    Forward,
    Backward,
    AtOnce,
}

async fn read(mut file: File) -> Found {
    let mut all = Vec::new();
    let size = file.size();
    let read = file.read_to_end(&mut all).await;
    if read.is_ok() {
        assert_eq!(size, all.len() as u64, "the size of {:?}", file.name());
    }
    Found {
        name: file.name().to_owned(),
        content: read.map(|_| all).map_err(|error| error.to_string()),
    }
}

async fn read_files(files: Vec<File>, order: Order) -> Vec<Found> {
    let mut all = Vec::new();
    match order {
        Order::AtOnce => return futures_util::future::join_all(files.into_iter().map(read)).await,
        Order::Forward => {
            for file in files {
                all.push(read(file).await);
            }
        }
        Order::Backward => {
            for file in files.into_iter().rev() {
                all.insert(0, read(file).await);
            }
        }
    }
    all
}

/// Reads the files of each message `files`, accepts it, and tells the test; answers `drop` without reading.
fn reading(order: Order) -> (MessageHandler, mpsc::UnboundedReceiver<Vec<Found>>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let handler = ping_handler()
        .action("files", move |message: Message| {
            let sender = sender.clone();
            async move {
                let found = read_files(message.take_files(), order).await;
                sender.send(found).expect("the test listens");
                FastReply::ACCEPT
            }
        })
        .action("drop", |_| async { FastReply::ACCEPT });
    (handler, receiver)
}

/// Sends a message with these files, and returns what was found at the other side.
async fn sent(message: Outgoing, order: Order) -> Vec<Found> {
    let (handler, mut receiver) = reading(order);
    let (near, _far) = pair_serving(handler).await;
    let request = near.send(message).await.expect("sent");
    assert_eq!(code_of(request).await, 0);
    receiver.recv().await.expect("the files")
}

fn with_files(files: impl IntoIterator<Item = File>) -> Outgoing {
    Draft::new("files").create().with_files(files)
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_of_files_is_none_at_all() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let drafts = [
        Draft::new("a").with_files([]).create(),
        Draft::new("a").create().with_files([]),
        Draft::new("a").with_files([]).create().with_files([]),
    ];
    for message in &drafts {
        connection.pass(message).await.expect("written");
        peer.expect("20 13 00 <id> 01 61").await;
    }
    let mut sent = connection.send(&drafts[0]).await.expect("accepted");
    sent.sent().await.expect("written");
    peer.expect("21 13 00 <id> 01 61").await;
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn empty_lists_of_files_use_up_no_channels() {
    let (handler, _receiver) = reading(Order::Forward);
    let (near, _far) = pair_serving(handler).await;
    let empty = Draft::new("drop").with_files([]).create();
    for _ in 0..300 {
        let passed = tokio::time::timeout(Duration::from_secs(1), near.pass(&empty)).await;
        passed.expect("it ends").expect("written");
    }
    let file = File::from_bytes("a file", pattern(1000));
    let request = near.send(with_files([file])).await.expect("a channel");
    assert_eq!(code_of(request).await, 0);
    assert!(
        tokio::time::timeout(Duration::from_secs(2), near.close())
            .await
            .is_ok(),
        "something is still to be written"
    );
}

#[tokio::test(start_paused = true)]
async fn a_response_with_an_empty_list_of_files_is_whole() {
    let handler = MessageHandler::new().action("get", |message: Message| async move {
        let response = ResponseDraft::new().with_files([]).create().with_files([]);
        let mut sent = message.respond(response).await?;
        sent.sent().await.map_err(BoxError::from)
    });
    let (near, _far) = pair_serving(handler).await;
    for _ in 0..300 {
        let mut request = near.send(&Draft::new("get")).await.expect("sent");
        let reply = request.response().await.expect("a reply");
        let Reply::Response(mut response) = reply else {
            panic!("a response");
        };
        assert!(response.take_files().is_empty());
    }
    let closing = tokio::time::timeout(Duration::from_secs(2), near.close());
    assert!(closing.await.is_ok(), "something is still to be written");
}

/// A file on disk, in a place of the test's own; removed when dropped.
struct OnDisk(PathBuf);

impl OnDisk {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, bytes).expect("written");
        Self(path)
    }

    async fn open(&self) -> File {
        File::open(&self.0).await.expect("it exists")
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn files_from_memory_disk_and_readers_arrive_with_their_names_in_their_order() {
    let all = pattern(700_000);
    let disk = OnDisk::new("in_order.bin", &all);
    let reader = io::Cursor::new(all.clone());
    let files = [
        File::from_bytes("memory", all.clone()),
        disk.open().await,
        File::from_reader("reader", all.len() as u64, reader),
        disk.open().await.with_name("Größe/..\n"),
    ];
    let expected = ["memory", "in_order.bin", "reader", "Größe/..\n"];
    let arrived = sent(with_files(files), Order::Forward).await;
    assert!(arrived.iter().eq(&expected.map(|name| found(name, &all))));
}

#[tokio::test]
async fn files_can_be_read_in_any_order_also_when_they_are_larger_than_the_window() {
    let all = pattern(1_000_000);
    for order in [Order::Forward, Order::Backward, Order::AtOnce] {
        let reader = io::Cursor::new(all.clone());
        let files = [
            File::from_bytes("a", all.clone()),
            File::from_reader("b", all.len() as u64, reader),
            File::from_bytes("c", all.clone()),
        ];
        let arrived = sent(with_files(files), order).await;
        assert!(
            arrived
                .iter()
                .eq(&["a", "b", "c"].map(|name| found(name, &all)))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn files_that_fit_the_window_can_be_read_backwards() {
    let files = (0..10).map(|n| File::from_bytes(n.to_string(), pattern(n * 1000)));
    let arrived = sent(with_files(files), Order::Backward).await;
    for (n, file) in arrived.iter().enumerate() {
        assert_eq!(file, &found(&n.to_string(), &pattern(n * 1000)));
    }
}

#[tokio::test(start_paused = true)]
async fn files_without_bytes_and_without_names_arrive() {
    let reader = tokio::io::empty();
    let files = [
        File::from_bytes("", ""),
        File::from_reader("empty", 0, reader),
        File::from_bytes("", "x"),
    ];
    let arrived = sent(with_files(files), Order::Forward).await;
    assert_eq!(
        arrived,
        [found("", b""), found("empty", b""), found("", b"x")]
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_without_bytes_on_disk_arrives() {
    let disk = OnDisk::new("nothing.bin", b"");
    let arrived = sent(with_files([disk.open().await]), Order::Forward).await;
    assert_eq!(arrived, [found("nothing.bin", b"")]);
}

#[tokio::test(start_paused = true)]
async fn three_hundred_files_arrive_in_their_order() {
    let bytes = |n: usize| pattern(n * 37);
    let files = (0..300).map(|n| File::from_bytes(format!("{n}.bin"), bytes(n)));
    let arrived = sent(with_files(files), Order::Forward).await;
    assert_eq!(arrived.len(), 300);
    for (n, file) in arrived.iter().enumerate() {
        assert!(*file == found(&format!("{n}.bin"), &bytes(n)), "file {n}");
    }
}

#[tokio::test]
async fn three_hundred_files_on_disk_arrive() {
    let disk = OnDisk::new("one_of_many.bin", &pattern(3000));
    let mut files = Vec::new();
    for n in 0..300 {
        files.push(disk.open().await.with_name(n.to_string()));
    }
    let arrived = sent(with_files(files), Order::Forward).await;
    for (n, file) in arrived.iter().enumerate() {
        assert!(*file == found(&n.to_string(), &pattern(3000)), "file {n}");
    }
}

#[tokio::test(start_paused = true)]
async fn more_files_than_the_receiver_takes_are_refused_with_a_code() {
    let (handler, _receiver) = reading(Order::Forward);
    let (near, _far) = pair_serving(handler).await;
    let files = (0..1025).map(|_| File::from_bytes("", "x"));
    let request = near.send(with_files(files)).await.expect("sent");
    assert_eq!(code_of(request).await, 3842);
    let request = near.send(&Draft::new("ping")).await.expect("sent");
    assert_eq!(code_of(request).await, 0);
}

#[tokio::test(start_paused = true)]
async fn files_that_nobody_reads_are_dropped_and_the_connection_goes_on() {
    let (handler, _receiver) = reading(Order::Forward);
    let (near, _far) = pair_serving(handler).await;
    for _ in 0..3 {
        let files = [
            File::from_bytes("a", pattern(3_000_000)),
            File::from_reader("b", 3_000_000, tokio::io::repeat(7).take(3_000_000)),
        ];
        let message = Draft::new("drop").create().with_files(files);
        let mut request = near.send(message).await.expect("sent");
        let reply = request.response().await.expect("a reply");
        assert_eq!(reply.code(), Some(FastReply::ACCEPT));
        request.sent().await.expect("all of it left");
    }
    let request = near.send(&Draft::new("ping")).await.expect("sent");
    assert_eq!(code_of(request).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_with_payload_files_and_a_stream_arrives_with_all_of_them() {
    let handler = MessageHandler::new().action("all", |message| async move {
        let mut stream = message.take_stream().expect("a stream");
        let files = read_files(message.take_files(), Order::Forward).await;
        let stream = crate::streams::read_all(&mut stream).await?;
        assert_eq!(files[0], found("a", &pattern(100_000)));
        assert_eq!(message.payload(), &pattern(50_000));
        let files = vec![File::from_bytes("back", stream)];
        let response = ResponseDraft::new()
            .data()
            .create("payload")
            .with_files(files);
        Ok::<_, BoxError>(message.respond(response).await?)
    });
    let (near, _far) = pair_serving(handler).await;
    let message = Draft::new("all")
        .with_stream()
        .data()
        .create(pattern(50_000));
    let message = message.with_file(File::from_bytes("a", pattern(100_000)));
    let mut request = near.send(message).await.expect("sent");
    let mut writer = request.take_writer().expect("the writer");
    writer.write_all(&pattern(60_000)).await.expect("written");
    writer.shutdown().await.expect("ended");
    let mut response = response(&mut request).await;
    assert_eq!(response.payload(), "payload");
    let files = read_files(response.take_files(), Order::Forward).await;
    assert!(files == [found("back", &pattern(60_000))]);
    assert!(response.take_files().is_empty() && response.take_stream().is_none());
}

#[tokio::test(start_paused = true)]
async fn the_files_of_a_draft_are_sent_with_each_message_before_its_own() {
    let disk = OnDisk::new("static.bin", b"disk");
    let draft = Draft::new("files").with_files([
        File::from_bytes("memory", "memory"),
        disk.open().await.with_name("disk"),
    ]);
    let (handler, mut receiver) = reading(Order::Forward);
    let (near, _far) = pair_serving(handler).await;
    for n in 0..20 {
        let own = File::from_bytes("own", vec![n]);
        let request = near
            .send(draft.create().with_file(own))
            .await
            .expect("sent");
        assert_eq!(code_of(request).await, 0);
        let expected = [
            found("memory", b"memory"),
            found("disk", b"disk"),
            found("own", &[n]),
        ];
        assert_eq!(receiver.recv().await.expect("the files"), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_files_of_a_response_draft_are_sent_with_each_response() {
    let draft = ResponseDraft::new().with_files([File::from_bytes("f", "again")]);
    let handler = MessageHandler::new().action("get", move |message| {
        let response = draft.create();
        async move { message.respond(response).await }
    });
    let (near, _far) = pair_serving(handler).await;
    for _ in 0..3 {
        let mut request = near.send(&Draft::new("get")).await.expect("sent");
        let files = read_files(response(&mut request).await.take_files(), Order::Forward).await;
        assert_eq!(files, [found("f", b"again")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_from_a_reader_can_be_sent_once() {
    let (handler, mut receiver) = reading(Order::Forward);
    let (near, _far) = pair_serving(handler).await;
    let message = with_files([File::from_reader("r", 2, &b"hi"[..])]);
    assert_eq!(code_of(near.send(&message).await.expect("sent")).await, 0);
    assert_eq!(
        receiver.recv().await.expect("the files"),
        [found("r", b"hi")]
    );
    let error = near.send(&message).await.expect_err("it was read");
    assert!(matches!(error, SendError::ContentTaken));
}

#[tokio::test(start_paused = true)]
async fn a_response_that_cannot_be_sent_is_replaced_by_a_code() {
    let reader = File::from_reader("r", 2, &b"hi"[..]);
    let draft = ResponseDraft::new().with_files([reader]);
    let handler = MessageHandler::new().action("get", move |message| {
        let response = draft.create();
        async move { message.respond(response).await }
    });
    let (near, _far) = pair_serving(handler).await;
    let mut request = near.send(&Draft::new("get")).await.expect("sent");
    let files = read_files(response(&mut request).await.take_files(), Order::Forward).await;
    assert_eq!(files, [found("r", b"hi")]);
    // Its content is gone, but a reader must not wait in vain.
    assert_eq!(
        code_of(near.send(&Draft::new("get")).await.expect("sent")).await,
        5
    );
}

#[tokio::test(start_paused = true)]
async fn a_received_file_can_be_sent_on_over_another_connection() {
    let (handler, mut receiver) = reading(Order::Forward);
    let (hub, _last) = pair_serving(handler).await;
    let forwarding = MessageHandler::new().action("files", move |message: Message| {
        let hub = hub.clone();
        async move {
            let onward = with_files(message.take_files());
            let mut request = hub.send(onward).await?;
            Ok::<_, BoxError>(request.response().await?.code())
        }
    });
    let (near, _middle) = pair_serving(forwarding).await;
    let all = pattern(2_000_000);
    let message = with_files([File::from_bytes("f", all.clone())]);
    assert_eq!(code_of(near.send(message).await.expect("sent")).await, 0);
    assert!(receiver.recv().await.expect("the file") == [found("f", &all)]);
}

#[tokio::test(start_paused = true)]
async fn a_file_is_taken_into_memory_up_to_a_limit() {
    let disk = OnDisk::new("limited.bin", &pattern(1000));
    let file = || File::from_bytes("m", pattern(1000));
    assert!(file().bytes(1000).await.expect("it fits") == pattern(1000));
    assert!(disk.open().await.bytes(1000).await.expect("it fits") == pattern(1000));
    for file in [file(), disk.open().await] {
        let error = file.bytes(999).await.expect_err("it does not fit");
        assert!(matches!(
            read_error(&error),
            ReadError::TooLarge { limit: 999 }
        ));
    }
    assert!(
        File::from_bytes("", "")
            .bytes(0)
            .await
            .expect("it fits")
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn a_received_file_is_taken_into_memory_up_to_a_limit() {
    let (sender, mut results) = mpsc::unbounded_channel();
    let handler = MessageHandler::new().action("files", move |message: Message| {
        let sender = sender.clone();
        async move {
            for file in message.take_files() {
                sender
                    .send(file.bytes(300_000).await)
                    .expect("the test listens");
            }
            FastReply::ACCEPT
        }
    });
    let (near, _far) = pair_serving(handler).await;
    let sizes = [300_000, 300_001, 0, 1];
    let files = sizes.map(|size| File::from_bytes("f", pattern(size)));
    assert_eq!(
        code_of(near.send(with_files(files)).await.expect("sent")).await,
        0
    );
    for size in sizes {
        let result: io::Result<Bytes> = results.recv().await.expect("a result");
        match result {
            Ok(bytes) => assert!(bytes == pattern(size)),
            Err(error) => {
                assert_eq!(size, 300_001);
                let error = read_error(&error);
                assert!(matches!(error, ReadError::TooLarge { limit: 300_000 }));
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_file_cannot_be_opened() {
    let directory = File::open(env!("CARGO_TARGET_TMPDIR")).await;
    let error = directory.expect_err("a directory");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    let error = File::open("/does/not/exist").await.expect_err("nothing");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert_eq!(
        chain(&error).to_string(),
        "cannot open \"/does/not/exist\": No such file or directory (os error 2)"
    );
}

#[tokio::test]
async fn a_file_that_is_gone_when_it_is_read_fails_each_time() {
    let disk = OnDisk::new("gone.bin", b"gone");
    let mut file = disk.open().await;
    drop(disk);
    for _ in 0..2 {
        let error = file.read_u8().await.expect_err("it is gone");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn a_file_that_is_gone_when_it_is_sent_gives_the_message_up() {
    let disk = OnDisk::new("gone_too.bin", b"gone");
    let file = disk.open().await;
    drop(disk);
    let (near, _far) = pair_serving(reading(Order::Forward).0).await;
    let error = near.pass(with_files([file])).await.expect_err("it is gone");
    let RequestError::Source(SourceError::Read { name, error }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(&*name, "gone_too.bin");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

/// Sends a file whose reader returns another number of bytes than was announced; returns the error of the sender.
async fn changed(announced: u64, bytes: Vec<u8>) -> (SourceError, Packets) {
    let (near, peer) = dialogue(ping_handler()).await;
    let file = File::from_reader("f", announced, io::Cursor::new(bytes));
    let sending = tokio::spawn(async move { (near.pass(with_files([file])).await, near) });
    let mut packets = Packets::of(peer);
    assert!(matches!(
        packets.next().await,
        Packet::Message { channel: 1, .. }
    ));
    let mut arrived = 0;
    loop {
        match packets.next().await {
            Packet::Abort { channel: 1 } => break,
            Packet::File {
                channel: 1,
                index: 0,
                bytes,
            } => arrived += bytes.len() as u64,
            packet => panic!("{packet:?}"),
        }
    }
    assert!(arrived <= announced, "nothing past the announced size");
    let (result, near) = sending.await.expect("no panic");
    let Err(RequestError::Source(error)) = result else {
        panic!("{result:?}");
    };
    // Channel 1 is never used again.
    for channel in [2, 2] {
        near.pass(with_files([File::from_bytes("g", "x")]))
            .await
            .expect("passed");
        assert!(matches!(packets.next().await, Packet::Message { channel: c, .. } if c == channel));
        assert!(matches!(packets.next().await, Packet::File { channel: c, .. } if c == channel));
        assert_eq!(packets.next().await, Packet::FileEnd { channel, index: 0 });
    }
    (error, packets)
}

#[tokio::test(start_paused = true)]
async fn a_file_that_grew_gives_the_message_up() {
    let (error, _) = changed(1000, pattern(1001)).await;
    let SourceError::SizeChanged {
        name,
        announced: 1000,
        found,
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!((&*name, found), ("f", 1001));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_empty_and_grew_gives_the_message_up() {
    let (error, _) = changed(0, pattern(1)).await;
    assert!(matches!(
        error,
        SourceError::SizeChanged {
            announced: 0,
            found: 1,
            ..
        }
    ));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_shrank_gives_the_message_up() {
    let (error, _) = changed(1000, pattern(999)).await;
    assert!(matches!(
        error,
        SourceError::SizeChanged {
            announced: 1000,
            found: 999,
            ..
        }
    ));
}

#[tokio::test]
async fn a_file_on_disk_that_changed_is_never_read_as_whole() {
    for size in [2_000_000, 3_000_000] {
        let disk = OnDisk::new(&format!("changed_{size}.bin"), &pattern(2_500_000));
        let file = disk.open().await;
        std::fs::write(&disk.0, pattern(size)).expect("written");
        let (handler, mut receiver) = reading(Order::Forward);
        let (near, _far) = pair_serving(handler).await;
        let mut request: Request = near.send(with_files([file])).await.expect("sent");
        let error = request.sent().await.expect_err("it changed");
        assert!(matches!(
            error,
            RequestError::Source(SourceError::SizeChanged {
                announced: 2_500_000,
                ..
            })
        ));
        let error = request.response().await.expect_err("it changed");
        assert!(matches!(
            error,
            RequestError::Source(SourceError::SizeChanged { .. })
        ));
        let aborted = ReadError::Aborted.to_string();
        let content = &receiver.recv().await.expect("the file")[0].content;
        assert_eq!(content.as_ref().expect_err("aborted"), &aborted);
    }
}

/// A raw peer that sends these bytes after the head of `files`; what the handler found of them.
async fn raw(sizes: &[u64], digits: &str) -> (Vec<Found>, Connection, Peer) {
    let (handler, mut receiver) = reading(Order::Forward);
    let (near, mut peer) = dialogue(handler).await;
    peer.send_bytes(&head(id(1), "files", Asks::Reply, 0, false, sizes))
        .await;
    peer.send(digits).await;
    let found = receiver.recv().await.expect("the files");
    peer.expect_code(id(1), 0).await;
    (found, near, peer)
}

fn failed(error: &str) -> Found {
    Found {
        name: "f".to_owned(),
        content: Err(error.to_owned()),
    }
}

#[tokio::test(start_paused = true)]
async fn t_c5_a_file_that_ends_before_its_announced_size_is_too_short() {
    let (found, _near, mut peer) = raw(&[3], "C0 01 61 D0").await;
    assert_eq!(
        found,
        [failed(&ReadError::TooShort { missing: 2 }.to_string())]
    );
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_too_short_does_not_harm_the_others() {
    let (all, _near, mut peer) = raw(&[3, 2], "C1 02 01 68 69 C0 01 61 D0 D1 01").await;
    let too_short = failed(&ReadError::TooShort { missing: 2 }.to_string());
    assert_eq!(all, [too_short, found("f", b"hi")]);
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn t_c4_a_file_with_more_than_its_announced_size_is_refused_and_nothing_past_it_is_read() {
    let (all, _near, mut peer) = raw(&[3], "C0 05 61 62 63 64 65 D0").await;
    let content = all[0].content.as_ref().expect_err("refused");
    assert!(content.starts_with("message not accepted"), "{content}");
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn t_m5_sizes_of_files_that_do_not_sum_up_are_refused_with_a_code() {
    let (_near, mut peer) = dialogue(reading(Order::Forward).0).await;
    // One file of 5 bytes, announced with 4 together.
    let mut message = head(id(1), "files", Asks::Reply, 0, false, &[4]);
    let size = message.len() - 3;
    assert_eq!(message[size], 4);
    message[size] = 5;
    peer.send_bytes(&message).await;
    peer.expect_code(id(1), 3846).await;
    peer.send("C0 05 61 62 63 64 65 D0").await;
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn file_packets_and_indices_in_long_forms_are_read() {
    let long = "CF 01000000 000000 61 CB 010000 010000 62 D3 010000 D1 00";
    let (all, _near, mut peer) = raw(&[1, 1], long).await;
    assert_eq!(all, [found("f", b"a"), found("f", b"b")]);
    answers_ping(&mut peer).await;
}

/// Sends these bytes after the head of `files`, and expects that the connection ends with this rule.
async fn check_violation(sizes: &[u64], digits: &str, rule: &str) {
    let (handler, _receiver) = reading(Order::Forward);
    let (near, mut peer) = dialogue(handler).await;
    peer.send_bytes(&head(id(1), "files", Asks::Reply, 0, false, sizes))
        .await;
    peer.send(digits).await;
    let error = near.closed().await;
    let sockety::error::ConnectionError::Protocol(violation) = error else {
        panic!("{error:?}");
    };
    assert_eq!(violation.rule(), rule, "{violation}");
}

#[tokio::test(start_paused = true)]
async fn t_c6_a_file_that_ends_twice_ends_the_connection() {
    check_violation(&[0, 0], "D0 D0", "content.file.once").await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_goes_on_after_its_end_ends_the_connection() {
    check_violation(&[1, 0], "C0 01 61 D0 C0 01 61", "content.file.once").await;
}

#[tokio::test(start_paused = true)]
async fn t_c7_a_file_that_was_not_announced_ends_the_connection() {
    check_violation(&[1], "C1 01 01 61", "content.file.index").await;
    check_violation(&[1], "D1 07", "content.file.index").await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_beside_files_that_was_not_announced_ends_the_connection() {
    check_violation(&[1], "70 01 61", "content.stream.announced").await;
}

#[tokio::test(start_paused = true)]
async fn files_stand_on_the_wire_with_one_end_each() {
    let (near, mut peer) = dialogue(ping_handler()).await;
    let files = [
        File::from_bytes("a", "hi"),
        File::from_bytes("bc", ""),
        File::from_bytes("", "x"),
    ];
    near.pass(Draft::new("f").create().with_files(files))
        .await
        .expect("passed");
    // One-way; flags with 3 files of u16 total size 3; the headers.
    peer.expect("01 20 22 10 <id> 01 66 03 0300 00 02 01 61 00 00 02 6263 00 01 00")
        .await;
    peer.expect("C0 02 68 69 D0 D1 01 C1 01 02 78 D1 02").await;
    peer.expect_silence().await;
}

// r[verify packet.file.small]
#[tokio::test(start_paused = true)]
async fn t_c10_file_packets_are_small_and_each_file_ends_once() {
    let (near, peer) = dialogue(ping_handler()).await;
    let mut packets = Packets::of(peer);
    let sizes = [20_000_000, 0, 100_000, 1, 17_000_000];
    let files: Vec<_> = sizes
        .into_iter()
        .enumerate()
        .map(|(index, size)| match index % 2 {
            0 => File::from_bytes("m", vec![index as u8; size]),
            _ => {
                let reader = tokio::io::repeat(index as u8).take(size as u64);
                File::from_reader("r", size as u64, reader)
            }
        })
        .collect();
    let passing = tokio::spawn(async move { (near.pass(with_files(files)).await, near) });
    assert!(matches!(packets.next().await, Packet::Message { .. }));
    let (mut counts, mut ends) = ([0; 5], [0; 5]);
    while ends != [1; 5] {
        match packets.next().await {
            Packet::File { index, bytes, .. } => {
                assert!(
                    !bytes.is_empty() && bytes.len() < 1 << 24,
                    "{}",
                    bytes.len()
                );
                assert!(bytes.iter().all(|byte| u32::from(*byte) == index));
                assert_eq!(ends[index as usize], 0, "nothing after the end");
                counts[index as usize] += bytes.len();
            }
            Packet::FileEnd { index, .. } => ends[index as usize] += 1,
            packet => panic!("{packet:?}"),
        }
    }
    assert_eq!(counts, sizes);
    let (passed, _near) = passing.await.expect("no panic");
    passed.expect("passed");
    packets.peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn the_progress_of_a_file_is_reported_while_it_is_sent_and_again_when_it_is_sent_again() {
    const SIZE: usize = 2_000_000;
    let disk = OnDisk::new("progress.bin", &[1; SIZE]);
    for file in [disk.open().await, File::from_bytes("memory", vec![1; SIZE])] {
        let (handler, mut heard) = reading(Order::Forward);
        let (near, _far) = pair_serving(handler).await;
        let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let note = std::sync::Arc::clone(&seen);
        let name = file.name().to_owned();
        let file = file.on_progress(move |sent, size| {
            assert_eq!(size, SIZE as u64);
            note.lock().expect("no panic").push(sent);
        });
        let draft = with_files([file]);
        for _ in 0..2 {
            near.pass(&draft).await.expect("passed");
            let read = heard.recv().await.expect("read");
            assert_eq!(read, [found(&name, &vec![1; SIZE])]);
            let sent = std::mem::take(&mut *seen.lock().expect("no panic"));
            assert!(sent.len() > 1, "{sent:?}");
            assert!(sent.is_sorted(), "{sent:?}");
            assert_eq!(sent.last(), Some(&(SIZE as u64)));
        }
    }
}

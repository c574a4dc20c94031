//! Calls by a program that is in the middle of reading a file or stream on the same connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sockety::{
    ByteStream, Connection, Context, File, Options, Router, Streaming, error::NoError,
    serve::IntoRouter, service,
};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep};

use crate::streams::pattern;
use crate::support::{PIPE, pair_with, settled};

#[service]
trait Table {
    async fn rows(&self, count: u32, size: usize) -> Streaming<Bytes>;
    async fn file(&self, size: usize) -> File;
    async fn raw(&self, size: usize) -> ByteStream;
    async fn delete(&self, row: u32) -> u32;
    /// Reports its progress to the caller, chunk by chunk.
    async fn upload(&self, cx: &Context, file: File) -> u64;
    /// Pauses in the middle.
    async fn store(&self, file: File, pause: Duration) -> u64;
}

#[service]
trait Watcher {
    async fn progress(&self, bytes: u64);
}

struct Disk;

impl Table for Disk {
    async fn rows(&self, count: u32, size: usize) -> Streaming<Bytes> {
        Streaming::from_iter((0..count).map(move |_| Bytes::from(vec![7; size])))
    }

    async fn file(&self, size: usize) -> File {
        File::from_bytes("f", pattern(size))
    }

    async fn raw(&self, size: usize) -> ByteStream {
        ByteStream::from_reader(std::io::Cursor::new(pattern(size)))
    }

    async fn delete(&self, row: u32) -> u32 {
        row
    }

    async fn upload(&self, cx: &Context, mut file: File) -> u64 {
        let watcher: WatcherClient = cx.peer();
        let mut bytes = 0;
        while let Some(chunk) = file.next_chunk().await.expect("a chunk") {
            bytes += chunk.len() as u64;
            watcher.progress(bytes).await.expect("reported");
        }
        bytes
    }

    async fn store(&self, mut file: File, pause: Duration) -> u64 {
        let first = file.next_chunk().await.expect("read").expect("a chunk");
        sleep(pause).await;
        first.len() as u64 + file.bytes(u64::MAX).await.expect("the rest").len() as u64
    }
}

struct Screen(Arc<AtomicU64>);

impl Watcher for Screen {
    async fn progress(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

async fn connected(serve: impl IntoRouter) -> (TableClient, Connection) {
    let side = (serve, Options::default());
    let (near, far) = pair_with(side, (TableServer::new(Disk), Options::default()), PIPE).await;
    (TableClient::new(near), far)
}

async fn check_rows(count: u32, size: usize) {
    let (table, _far) = connected(Router::new()).await;
    let mut rows = table.rows(count, size).await.expect("rows");
    let mut row = 0;
    while let Some(item) = rows.next().await {
        assert_eq!(item.expect("a row").len(), size);
        assert_eq!(table.delete(row).await.expect("a reply"), row);
        row += 1;
    }
    assert_eq!(row, count);
}

#[tokio::test(start_paused = true)]
async fn a_call_for_each_item_of_a_stream() {
    check_rows(20_000, 100).await;
    check_rows(5_000, 1_024).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_for_each_chunk_of_a_file() {
    let (table, _far) = connected(Router::new()).await;
    let mut file = table.file(10_000_000).await.expect("a file");
    let mut bytes = 0;
    while let Some(chunk) = file.next_chunk().await.expect("a chunk") {
        bytes += chunk.len();
        assert_eq!(table.delete(1).await.expect("a reply"), 1);
    }
    assert_eq!(bytes, 10_000_000);
}

#[tokio::test(start_paused = true)]
async fn a_call_to_the_caller_for_each_chunk_of_an_upload() {
    let seen = Arc::default();
    let (table, _far) = connected(WatcherServer::new(Screen(Arc::clone(&seen)))).await;
    let file = File::from_bytes("f", pattern(10_000_000));
    assert_eq!(table.upload(file).await.expect("a reply"), 10_000_000);
    assert_eq!(seen.load(Ordering::Relaxed), 10_000_000);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_pauses_keeps_its_upload_and_a_call_beside_it_waits_a_second_at_most() {
    let (table, _far) = connected(Router::new()).await;
    for pause in [6, 600] {
        let pause = Duration::from_secs(pause);
        let file = File::from_bytes("f", pattern(3_000_000));
        let upload = table.store(file, pause).timeout(2 * pause);
        let pinging = async {
            settled().await;
            let begin = Instant::now();
            assert_eq!(table.delete(1).await.expect("a reply"), 1);
            assert!(
                begin.elapsed() <= Duration::from_millis(1100),
                "{:?}",
                begin.elapsed()
            );
        };
        let (stored, ()) = tokio::join!(upload, pinging);
        assert_eq!(stored.expect("a reply"), 3_000_000);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_large_chunks_and_few_items_at_a_time_gets_all() {
    let (table, _far) = connected(Router::new()).await;
    let mut rows = table.rows(10_000, 100).await.expect("rows");
    for _ in 0..10_000 {
        rows.next().await.expect("one more").expect("a row");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(rows.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_steady_reader_of_bytes_gets_all_beside_calls() {
    let (table, _far) = connected(Router::new()).await;
    let mut raw = table.raw(4_000_000).await.expect("a stream");
    let calling = async {
        loop {
            assert_eq!(table.delete(1).await.expect("a reply"), 1);
            sleep(Duration::from_millis(10)).await;
        }
    };
    let reading = async {
        let (mut bytes, mut buffer) = (0, vec![0; 16 * 1024]);
        loop {
            match raw.read(&mut buffer).await.expect("read") {
                0 => return bytes,
                count => bytes += count,
            }
            sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        bytes = reading => assert_eq!(bytes, 4_000_000),
        () = calling => {}
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_received_keeps_its_connection_until_it_is_read() {
    let (table, far) = connected(Router::new()).await;
    let file = table.file(5_000_000).await.expect("a file");
    let mut raw = table.raw(5_000_000).await.expect("a stream");
    let mut rows = table.rows(5_000, 1_000).await.expect("rows");
    drop(table);
    settled().await;
    assert_eq!(file.bytes(u64::MAX).await.expect("whole").len(), 5_000_000);
    let mut all = Vec::new();
    raw.read_to_end(&mut all).await.expect("whole");
    assert_eq!(all.len(), 5_000_000);
    let mut count = 0;
    while let Some(row) = rows.next().await {
        row.expect("a row");
        count += 1;
    }
    assert_eq!(count, 5_000);
    // Nothing holds it any longer, although the readers are still there.
    far.closed().await;
    drop((raw, rows));
}

#[tokio::test(start_paused = true)]
async fn dropping_what_was_received_lets_the_connection_go() {
    let (table, far) = connected(Router::new()).await;
    let rows: Streaming<Bytes, NoError> = table.rows(100_000, 1_000).await.expect("rows");
    drop(table);
    settled().await;
    assert!(!far.is_closed());
    drop(rows);
    far.closed().await;
}

#[service]
trait Tail {
    async fn until_gone(&self, cx: &Context);
    async fn until_shutdown(&self, cx: &Context) -> u32;
}

struct Log(Arc<AtomicU64>);

impl Tail for Log {
    async fn until_gone(&self, cx: &Context) {
        cx.caller_gone().await;
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    async fn until_shutdown(&self, cx: &Context) -> u32 {
        cx.shutting_down().await;
        7
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_learns_that_its_caller_is_gone() {
    let gone: Arc<AtomicU64> = Arc::default();
    let router = TailServer::new(Log(Arc::clone(&gone)));
    let (near, _far) = sockety::pair(Router::new(), router).await.expect("two");
    let tail = TailClient::new(near);
    let mut waiting = Box::pin(tail.until_gone().into_future());
    assert!(crate::support::is_pending(&mut waiting).await);
    settled().await;
    assert_eq!(gone.load(Ordering::Relaxed), 0);
    tail.connection().close().await;
    // The caller could still have waited for the reply.
    sleep(Duration::from_secs(6)).await;
    assert_eq!(gone.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_handler_learns_that_its_server_shuts_down_and_answers_in_time() {
    let router = TailServer::new(Log(Arc::default()));
    let (near, far) = sockety::pair(Router::new(), router).await.expect("two");
    let tail = TailClient::new(near);
    let begin = Instant::now();
    let shutdown = async {
        sleep(Duration::from_secs(1)).await;
        far.shutdown(Duration::from_secs(20)).await;
    };
    let (answer, ()) = tokio::join!(tail.until_shutdown(), shutdown);
    assert_eq!(answer.expect("a reply"), 7);
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
}

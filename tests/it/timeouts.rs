//! The timeout of a call is one clock, wherever it was set.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use sockety::{
    CallError, Connection, Context, File, Options, Outcome, Router, Server,
    client::{CallNext, OutgoingCall},
    error::RequestError,
    message::Draft,
    service,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    runtime::{Builder, Handle, Runtime},
    task::block_in_place,
    time::{Instant, sleep},
};

use crate::support::{dialogue_with, is_pending, pair_with, settled};

const SECOND: Duration = Duration::from_secs(1);

#[service]
trait Store {
    async fn upload(&self, file: File) -> u64;
    #[action(timeout = "2s")]
    async fn quick(&self, file: File) -> u64;
    /// Answers never, after it has the file.
    async fn keep(&self, file: File);
    /// Reads some of the file, once, after this time.
    async fn begin(&self, after: Duration, file: File);
    async fn hang(&self);
    async fn title(&self, id: u64) -> u64;
}

struct Disk;

impl Store for Disk {
    async fn upload(&self, file: File) -> u64 {
        file.bytes(1 << 20)
            .await
            .map_or(0, |bytes| bytes.len() as u64)
    }

    async fn quick(&self, file: File) -> u64 {
        self.upload(file).await
    }

    async fn keep(&self, file: File) {
        self.upload(file).await;
        std::future::pending().await
    }

    async fn begin(&self, after: Duration, mut file: File) {
        sleep(after).await;
        let mut some = vec![0; 300_000];
        file.read_exact(&mut some).await.expect("it is sent");
        std::future::pending().await
    }

    async fn hang(&self) {
        std::future::pending().await
    }

    async fn title(&self, id: u64) -> u64 {
        id
    }
}

/// 1,000 bytes each 100 ms, for 5 s.
fn slow() -> File {
    let (mut writer, reader) = tokio::io::duplex(1_000);
    tokio::spawn(async move {
        for _ in 0..50 {
            sleep(Duration::from_millis(100)).await;
            // The call may have been given up.
            let _ = writer.write_all(&[7; 1_000]).await;
        }
    });
    File::from_reader("a.bin", 50_000, reader)
}

async fn store(options: Options) -> StoreClient {
    let here = (Router::new(), options);
    let there = (StoreServer::new(Disk), Options::default());
    let (here, there) = pair_with(here, there, 64 * 1024).await;
    tokio::spawn(async move { there.closed().await });
    StoreClient::new(here)
}

fn has_timed_out<T, E>(result: Result<T, CallError<E>>) -> Option<Outcome> {
    match result {
        Err(CallError::Request {
            error: RequestError::TimedOut { outcome, .. },
            ..
        }) => Some(outcome),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_stops_the_clock_whichever_way_it_was_set() {
    let by_options = store(Options::default().call_timeout(2 * SECOND)).await;
    assert_eq!(by_options.upload(slow()).await.ok(), Some(50_000));
    let store = store(Options::default()).await;
    let by_call = store.upload(slow()).timeout(2 * SECOND);
    assert_eq!(by_call.await.ok(), Some(50_000));
    assert_eq!(store.quick(slow()).await.ok(), Some(50_000));
    let through = |call: OutgoingCall, next: CallNext| async move { next.run(call).await };
    let layered = StoreClient::new(store.connection().layer(through));
    assert_eq!(layered.quick(slow()).await.ok(), Some(50_000));
}

#[tokio::test(start_paused = true)]
async fn after_an_upload_a_call_has_its_whole_time() {
    let by_options = store(Options::default().call_timeout(2 * SECOND)).await;
    let store = store(Options::default()).await;
    let begin = Instant::now();
    let outcome = has_timed_out(by_options.keep(slow()).await);
    assert_eq!(outcome, Some(Outcome::Unknown));
    // The clock of all calls counts seconds.
    let elapsed = begin.elapsed().as_secs_f32();
    assert!((7.0..9.1).contains(&elapsed), "{elapsed} s");
    let begin = Instant::now();
    let call = store.keep(slow()).timeout(2 * SECOND);
    assert_eq!(has_timed_out(call.await), Some(Outcome::Unknown));
    let elapsed = begin.elapsed().as_secs_f32();
    assert!((7.0..7.1).contains(&elapsed), "{elapsed} s");
}

#[tokio::test(start_paused = true)]
async fn every_call_that_times_out_is_counted() {
    let store = store(Options::default().call_timeout(SECOND)).await;
    assert!(has_timed_out(store.hang().await).is_some());
    assert!(has_timed_out(store.hang().timeout(SECOND).await).is_some());
    let through = |call: OutgoingCall, next: CallNext| async move { next.run(call).await };
    let layered = StoreClient::new(store.connection().layer(through));
    assert!(has_timed_out(layered.hang().timeout(SECOND).await).is_some());
    assert_eq!(store.connection().stats().timed_out_requests, 3);
}

/// A connection whose outbox is full, and whose peer is alive, but reads nothing.
async fn full() -> (Connection, impl Sized) {
    let options = Options::default().call_timeout(3 * SECOND);
    let (connection, mut peer) = dialogue_with(Router::new(), options, 16).await;
    let large = Draft::new("large").data().create(vec![7; 1 << 20]);
    let mut filler = Box::pin({
        let connection = connection.clone();
        async move { connection.pass(large).await }
    });
    assert!(is_pending(&mut filler).await);
    settled().await;
    let beats = tokio::spawn(async move {
        loop {
            sleep(SECOND).await;
            peer.send("A0").await;
        }
    });
    (connection, (filler, beats))
}

#[tokio::test(start_paused = true)]
async fn a_call_that_gets_no_room_ends_by_the_default_timeout() {
    let (connection, _full) = full().await;
    let through = |call: OutgoingCall, next: CallNext| async move { next.run(call).await };
    for connection in [connection.clone(), connection.layer(through)] {
        let begin = Instant::now();
        let outcome = has_timed_out(StoreClient::new(connection).title(1).await);
        assert_eq!(outcome, Some(Outcome::NotSent));
        assert_eq!(begin.elapsed().as_secs(), 3);
    }
}

#[service]
trait Work {
    async fn work(&self, cx: &Context) -> String;
}

#[service]
trait Watcher {
    async fn progress(&self, step: u32) -> u32;
}

struct Site;

impl Work for Site {
    async fn work(&self, cx: &Context) -> String {
        let watcher = cx.peer::<WatcherClient>();
        let told =
            block_in_place(|| Handle::current().block_on(async { watcher.progress(1).await }));
        format!("{:?}", has_timed_out(told))
    }
}

struct Screen;

impl Watcher for Screen {
    async fn progress(&self, step: u32) -> u32 {
        step
    }
}

/// The handler blocks the thread of the driver, which would have to bring its reply.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_handler_that_blocks_on_its_own_connection_ends_by_the_timeout_of_its_call() {
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let address = server.local_addr().expect("an address");
    let options = Options::default().call_timeout(SECOND);
    tokio::spawn(server.options(options).serve(WorkServer::new(Site)));
    let client = WorkClient::connect(address).serve(WatcherServer::new(Screen));
    let client = client.await.expect("connected");
    let told = client.work().await.expect("a reply");
    assert_eq!(told, "Some(Unknown)");
}

/// The connection's runtime runs elsewhere. The thread that awaits the calls has no timers.
#[test]
fn calls_with_a_timeout_are_awaited_outside_the_runtime_of_their_connection() {
    let runtime = Runtime::new().expect("a runtime");
    let client = runtime.block_on(store(Options::default().call_timeout(SECOND)));
    let client = Arc::new(Mutex::new(Some(client)));
    let elsewhere = std::thread::spawn(move || {
        let without_timers = Builder::new_current_thread().build().expect("a runtime");
        without_timers.block_on(async {
            let client = client.lock().expect("no panic").take().expect("a client");
            assert_eq!(client.title(7).await.ok(), Some(7));
            assert_eq!(client.title(7).timeout(SECOND).await.ok(), Some(7));
            let short = client.hang().timeout(SECOND / 10);
            let outcomes = [
                has_timed_out(short.await),
                has_timed_out(client.hang().await),
            ];
            for outcome in outcomes {
                // It depends on who notices first.
                let is_known = matches!(outcome, Some(Outcome::Unknown | Outcome::Executed));
                assert!(is_known, "{outcome:?}");
            }
        });
    });
    elsewhere.join().expect("no panic");
}

/// The content of an upload waits, but the peer takes nothing: that is no reason to wait for ever.
#[tokio::test(start_paused = true)]
async fn an_upload_that_does_not_move_ends_by_the_time_of_its_call() {
    let limit = Duration::from_secs(5);
    for own in [false, true] {
        let options = Options::default()
            .call_timeout(limit)
            .write_stall(Duration::from_secs(600));
        let (near, peer) = dialogue_with(Router::new(), options, 1000).await;
        let client = StoreClient::new(near);
        let upload = client.upload(File::from_bytes("a", vec![7; 10_000_000]));
        let upload = if own { upload.timeout(limit) } else { upload };
        let begin = Instant::now();
        let error = upload.await.expect_err("no reply");
        assert!(
            matches!(
                error,
                CallError::Request {
                    error: RequestError::TimedOut { .. },
                    ..
                }
            ),
            "{error:?}"
        );
        assert_in_time(begin, limit, own);
        drop(peer);
    }
}

/// Timers are exact. The clock of all calls counts seconds, and looks at content once a second.
fn assert_in_time(begin: Instant, limit: Duration, own: bool) {
    let elapsed = begin.elapsed();
    let most = limit + if own { SECOND / 100 } else { 2 * SECOND };
    assert!(
        elapsed >= limit && elapsed <= most,
        "{elapsed:?} with own: {own}"
    );
}

/// With the extension, what a handler does not read waits for credit.
#[tokio::test(start_paused = true)]
async fn an_upload_without_credit_ends_by_the_time_of_its_call() {
    let limit = 2 * SECOND;
    for (own, layered) in [(false, false), (true, false), (true, true)] {
        let store = store(Options::default().call_timeout(limit)).await;
        assert!(store.connection().is_extended());
        let through = |call: OutgoingCall, next: CallNext| async move { next.run(call).await };
        let store = match layered {
            false => store,
            true => StoreClient::new(store.connection().layer(through)),
        };
        // The handler takes more after 1.5 s, so that the time begins anew then.
        for (first_after, moved) in [
            (60 * SECOND, Duration::ZERO),
            (SECOND * 3 / 2, SECOND * 3 / 2),
        ] {
            let file = File::from_bytes("a", vec![7; 10_000_000]);
            let upload = store.begin(first_after, file);
            let upload = if own { upload.timeout(limit) } else { upload };
            let begin = Instant::now();
            let outcome = has_timed_out(upload.await);
            assert_eq!(outcome, Some(Outcome::Unknown));
            assert_in_time(begin, moved + limit, own);
        }
    }
}

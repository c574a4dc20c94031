//! What is kept while nothing happens: threads release memory that they keep for further payloads and
//! streams, and the extension costs an idle connection little. A separate binary, because it counts what
//! the whole process allocates.

use std::time::Duration;

use bytes::Bytes;
use peak_alloc::PeakAlloc;
use sockety::{
    ByteStream, Connection, Options, Router,
    config::Extension,
    message::{Draft, Reply, ResponseDraft},
    pair,
    serve::{Message, MessageHandler},
};
use tokio::io::AsyncReadExt;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::sleep;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const MIB: usize = 1024 * 1024;

/// What stays: the read buffer of the thread, more or less.
const NOISE: usize = MIB / 2;

fn echoing() -> MessageHandler {
    MessageHandler::new().action("echo", |message: Message| async move {
        let reply = ResponseDraft::new()
            .data()
            .create(message.payload().clone());
        let reply = match message.take_stream() {
            Some(stream) => reply.with_stream_from(stream),
            None => reply,
        };
        message.respond(reply).await
    })
}

/// Large payloads there and back, some at a time, and a stream; returns one of the replies' payloads.
async fn work(connection: &Connection) -> Bytes {
    let draft = Draft::new("echo").data();
    let mut payload = Bytes::new();
    for size in [300, 500, 900] {
        let mut requests = Vec::new();
        for _ in 0..4 {
            let message = draft.create(vec![7; size * 1024]);
            requests.push(connection.send(message).await.expect("sent"));
        }
        for mut request in requests {
            let Ok(Reply::Response(response)) = request.response().await else {
                panic!("no response");
            };
            payload = response.payload().clone();
        }
    }
    let content = ByteStream::from_reader(tokio::io::repeat(7).take(4 * MIB as u64));
    let message = draft.create(Bytes::new()).with_stream_from(content);
    let mut request = connection.send(message).await.expect("sent");
    let Ok(Reply::Response(mut response)) = request.response().await else {
        panic!("no response");
    };
    let mut stream = response.take_stream().expect("a stream");
    while stream.next_chunk().await.expect("whole").is_some() {}
    payload
}

/// How much more the heap has than before.
fn more_than(before: usize) -> usize {
    HEAP.current_usage().saturating_sub(before)
}

fn quiet_connections_give_it_back() {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (near, _far) = pair(Router::new(), echoing())
            .await
            .expect("two connections");
        let before = HEAP.current_usage();
        drop(work(&near).await);
        assert!(
            more_than(before) > MIB,
            "nothing was kept: {}",
            more_than(before)
        );
        sleep(Duration::from_secs(120)).await;
        assert!(
            more_than(before) < NOISE,
            "{} bytes are kept",
            more_than(before)
        );
    });
}

/// Bytes that each side of the extension may keep allocated for a connection that is idle.
const EXTENSION_BYTES: usize = 128;

/// Bytes allocated for each side of a connection on which a handler has waited, some time later.
async fn idle_side(extension: Extension) -> usize {
    const PAIRS: usize = 100;
    let mut open = Vec::with_capacity(PAIRS);
    let before = HEAP.current_usage();
    for _ in 0..PAIRS {
        let serve = MessageHandler::new().action("wait", |message: Message| async move {
            sleep(Duration::from_millis(10)).await;
            let reply = ResponseDraft::new().with_data(vec![7; 200]);
            message.respond(&reply).await
        });
        let options = || Options::default().extension(extension);
        let (here, there) = tokio::io::duplex(64 * 1024);
        let (near, far) = tokio::try_join!(
            Connection::over(here, Router::new(), options()),
            Connection::over(there, serve, options()),
        )
        .expect("two connections");
        let draft = Draft::new("wait").with_data(vec![7; 200]);
        let mut request = near.send(&draft).await.expect("sent");
        request.response().await.expect("a response");
        open.push((near, far));
    }
    sleep(Duration::from_secs(120)).await;
    let kept = more_than(before) / (2 * PAIRS);
    drop(open);
    // Until all of it is freed.
    sleep(Duration::from_secs(120)).await;
    kept
}

fn the_extension_costs_an_idle_connection_little() {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        // What is allocated once for all.
        idle_side(Extension::Auto).await;
        let base = idle_side(Extension::Off).await;
        let extended = idle_side(Extension::Auto).await;
        assert!(base > 1000, "{base} bytes are less than a connection has");
        assert!(
            extended <= base + EXTENSION_BYTES,
            "{extended} bytes with the extension, {base} without"
        );
    });
}

fn the_last_connection_gives_it_back(runtime: &Runtime) {
    runtime.block_on(async {
        let tasks = || Handle::current().metrics().num_alive_tasks();
        let (before, alone) = (HEAP.current_usage(), tasks());
        let (near, far) = pair(Router::new(), echoing())
            .await
            .expect("two connections");
        let payload = work(&near).await;
        let kept = more_than(before);
        assert!(kept > 2 * MIB, "nothing was kept: {kept}");
        drop((near, far));
        while tasks() > alone {
            sleep(Duration::from_millis(1)).await;
        }
        // What streams were read into stays with its thread.
        let left = more_than(before);
        assert!(left < kept - MIB, "{left} of {kept}");
        drop(payload);
        let last = left - more_than(before);
        assert!(last >= 900 * 1024, "{last} bytes of the last payload");
    });
}

#[test]
fn little_is_kept() {
    // What a thread keeps has times of one clock, so the other clock has a thread of its own.
    std::thread::spawn(the_extension_costs_an_idle_connection_little)
        .join()
        .expect("no panic");
    quiet_connections_give_it_back();
    let runtime = Runtime::new().expect("a runtime");
    the_last_connection_gives_it_back(&runtime);
}

//! A server without file descriptors. A separate binary, because it takes all that the process has.

use std::fmt::Debug;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sockety::{FastReply, Server, message::Draft, serve::MessageHandler};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

/// Counts what the server says of accepting that failed.
#[derive(Clone, Default)]
struct Failures(Arc<AtomicUsize>);

impl Visit for Failures {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" && format!("{value:?}") == "cannot accept" {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Subscriber for Failures {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Opens until nothing more can be opened.
fn take_all() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

#[tokio::test]
async fn t_h6_a_lack_of_descriptors_neither_ends_a_server_nor_keeps_it_busy() {
    let failures = Failures::default();
    let _guard = tracing::subscriber::set_default(failures.clone());
    let limit = Rlimit {
        current: Some(64),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, limit).expect("a lower limit");

    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let address = server.local_addr().expect("an address");
    let handler = MessageHandler::new().action("ping", |_| async { FastReply::ACCEPT });
    let serving = tokio::spawn(server.serve(handler));

    // Peers wait in the queue of the operating system, and there is no descriptor for them.
    let mut taken = take_all();
    taken.pop();
    let mut peer = TcpStream::connect(address).await.expect("connected");
    File::open("/dev/null").expect_err("none is left");
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(10)).await;
    tokio::time::resume();
    let attempts = failures.0.load(Ordering::Relaxed);
    assert!((8..=20).contains(&attempts), "{attempts} attempts in 10 s");

    drop(taken);
    peer.write_all(b"\xE2\x00\x01").await.expect("sent");
    let mut header = [0; 3];
    peer.read_exact(&mut header).await.expect("a header");
    let connection = sockety::connect(address).await.expect("connected");
    let mut request = connection.send(&Draft::new("ping")).await.expect("sent");
    request.response().await.expect("a reply");
    assert!(!serving.is_finished());
}

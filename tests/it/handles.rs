//! Handles: weak ones, and calls and one-way messages as futures.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future::join_all, stream::FuturesUnordered};
use sockety::{
    Connection, FastReply, Outcome, Router,
    client::{CallNext, OutgoingCall, Pass, ServiceClient},
    connection::WeakConnection,
    message::Draft,
    service,
};
use tokio::time::{Instant, sleep};

use crate::support::{Log, code_of, dialogue, is_pending, pair_serving, settled};

#[service]
trait Counter {
    async fn double(&self, number: u32) -> u32;
    async fn wait(&self, seconds: u64) -> u64;
    #[action(one_way)]
    async fn note(&self, number: u32);
}

#[derive(Clone, Default)]
struct Counting(Log);

impl Counter for Counting {
    async fn double(&self, number: u32) -> u32 {
        2 * number
    }

    async fn wait(&self, seconds: u64) -> u64 {
        sleep(Duration::from_secs(seconds)).await;
        seconds
    }

    async fn note(&self, number: u32) {
        self.0.note(format!("note {number}"));
    }
}

async fn counting() -> (CounterClient, Connection, Log) {
    let log = Log::default();
    let server = CounterServer::new(Counting(log.clone()));
    let (near, far) = pair_serving(server).await;
    (CounterClient::new(near), far, log)
}

/// Hands every call on, as middleware.
fn passing(connection: &Connection, log: &Log) -> Connection {
    let log = log.clone();
    connection.layer(move |call: OutgoingCall, next: CallNext| {
        log.note(format!("> {}", call.action()));
        next.run(call)
    })
}

// Weak handles.

#[tokio::test(start_paused = true)]
async fn a_weak_handle_does_not_keep_its_connection_open() {
    let (client, far, _) = counting().await;
    let weak = client.connection().downgrade();
    let upgraded = weak.upgrade().expect("the client is there");
    drop(client);
    settled().await;
    assert!(!far.is_closed(), "the upgraded handle keeps it open");
    let client = CounterClient::new(upgraded);
    assert_eq!(client.double(2).await.expect("answered"), 4);
    drop(client);
    far.closed().await;
    assert!(weak.upgrade().is_none());
    assert!(weak.clone().upgrade().is_none());
}

#[service]
trait Watcher {
    async fn event(&self, number: u32) -> u32;
}

/// Calls the peer back over the connection that it is served on.
struct Screen(Arc<OnceLock<WeakConnection>>);

impl Watcher for Screen {
    async fn event(&self, number: u32) -> u32 {
        let host = self.0.get().and_then(WeakConnection::upgrade);
        let host = CounterClient::new(host.expect("the client is there"));
        host.double(number).await.expect("answered")
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_client_serves_may_have_a_weak_handle_of_the_client() {
    let slot = Arc::new(OnceLock::new());
    let screen = WatcherServer::new(Screen(slot.clone()));
    let server = CounterServer::new(Counting::default());
    let (near, far) = sockety::pair(screen, server)
        .await
        .expect("two connections");
    slot.set(near.downgrade()).expect("unset");
    let watcher = WatcherClient::new(far.clone());
    assert_eq!(watcher.event(2).await.expect("answered"), 4);
    drop(near);
    far.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_closing_connection_is_not_opened_again() {
    let (client, far, _) = counting().await;
    let weak = client.connection().downgrade();
    drop(client);
    // Nothing has been closed yet, but it is going to be.
    assert!(weak.upgrade().is_none());
    far.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ended_can_be_upgraded_while_it_has_handles() {
    let (client, far, _) = counting().await;
    let weak = client.connection().downgrade();
    far.close().await;
    client.connection().closed().await;
    assert!(weak.upgrade().expect("there is a handle").is_closed());
    drop(client);
    assert!(weak.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_weak_handle_keeps_the_middleware() {
    let (client, _far, _) = counting().await;
    let log = Log::default();
    let weak = passing(client.connection(), &log).downgrade();
    let upgraded = CounterClient::new(weak.upgrade().expect("there is a handle"));
    upgraded.double(1).await.expect("answered");
    assert_eq!(log.events(), ["> double"]);
    client.double(1).await.expect("answered");
    assert_eq!(log.events().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_weak_handle_can_be_upgraded_while_a_handler_runs() {
    let (client, far, _) = counting().await;
    let weak: WeakConnection = far.downgrade();
    let waiting = tokio::spawn(client.wait(5));
    settled().await;
    drop(far);
    // The context of the handler is a handle.
    let upgraded = weak.upgrade().expect("the handler is there");
    drop(upgraded);
    assert_eq!(waiting.await.expect("no panic").expect("answered"), 5);
    client.connection().closed().await;
    assert!(weak.upgrade().is_none());
}

// Calls as futures.

#[tokio::test(start_paused = true)]
async fn calls_and_one_way_messages_are_futures() {
    let (client, _far, log) = counting().await;
    for client in [
        client.clone(),
        client.layer(|call: OutgoingCall, next: CallNext| next.run(call)),
    ] {
        let doubled = join_all((0..10).map(|number| client.double(number))).await;
        let doubled: Result<Vec<_>, _> = doubled.into_iter().collect();
        assert_eq!(
            doubled.expect("answered"),
            [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
        );
        let waiting: FuturesUnordered<_> = [3, 1, 2]
            .map(|seconds| client.wait(seconds))
            .into_iter()
            .collect();
        let waited: Vec<_> = waiting
            .map(|waited| waited.expect("answered"))
            .collect()
            .await;
        assert_eq!(waited, [1, 2, 3]);
        let three = client.double(1).map(|two| two.expect("answered") + 1).await;
        assert_eq!(three, 3);
        let notes = [7, 8].map(|number| client.note(number));
        for sent in join_all(notes).await {
            sent.expect("sent");
        }
    }
    settled().await;
    assert_eq!(log.events(), ["note 7", "note 8", "note 7", "note 8"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_before_the_first_poll() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let log = Log::default();
    let client = CounterClient::new(connection.clone());
    let layered = CounterClient::new(passing(&connection, &log));
    let calls = (
        client.double(1),
        client.note(1),
        layered.double(1),
        layered.note(1),
    );
    peer.expect_silence().await;
    drop(calls);
    peer.expect_silence().await;
    assert!(log.events().is_empty());
    let mut call = client.double(2);
    assert!(is_pending(&mut call).await);
    peer.expect_message("double").await;
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_call_begins_with_its_first_poll() {
    let (client, _far, _) = counting().await;
    let layered = client.layer(|call: OutgoingCall, next: CallNext| next.run(call));
    for client in [client, layered] {
        let call = client.wait(2).timeout(Duration::from_secs(3));
        sleep(Duration::from_secs(10)).await;
        assert_eq!(call.await.expect("in time"), 2);
        let begin = Instant::now();
        let late = client.wait(4).timeout(Duration::from_secs(3)).await;
        assert_eq!(late.expect_err("late").outcome(), Outcome::Unknown);
        assert_eq!(begin.elapsed().as_secs(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_after_the_first_poll_has_no_effect() {
    let (client, _far, _) = counting().await;
    let layered = client.layer(|call: OutgoingCall, next: CallNext| next.run(call));
    for client in [client, layered] {
        let mut call = client.wait(5);
        assert!(is_pending(&mut call).await);
        let waited = call.timeout(Duration::from_secs(1)).await;
        assert_eq!(waited.expect("the time was not set"), 5);
        let mut call = client.wait(5).timeout(Duration::from_secs(1));
        assert!(is_pending(&mut call).await);
        let late = call.timeout(Duration::from_secs(9)).await;
        assert_eq!(late.expect_err("late").outcome(), Outcome::Unknown);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_polled_can_still_be_taken_raw() {
    let (client, _far, _) = counting().await;
    let mut call = client.wait(1);
    let id = call.id();
    assert!(is_pending(&mut call).await);
    assert_eq!(call.id(), id);
    let reply = call.raw().await.expect("answered");
    assert!(reply.into_response().is_some());
}

/// Programs hold many of them at once.
#[tokio::test]
async fn calls_are_small() {
    let (client, _far, _) = counting().await;
    let call = std::mem::size_of_val(&client.double(1));
    assert!(call <= 256, "a call has {call} bytes");
    let pass = std::mem::size_of::<Pass>();
    assert!(pass <= 256, "a one-way message has {pass} bytes");
}

#[tokio::test]
async fn futures_of_calls_can_be_sent_and_shared() {
    fn check<F: Send + Sync + Unpin + 'static>(_: &F) {}
    let (client, _far, _) = counting().await;
    check(&client.double(1));
    check(&client.note(1));
    let ping = client.connection().send(&Draft::new("unknown")).await;
    assert_eq!(
        code_of(ping.expect("sent")).await,
        FastReply::NOT_IMPLEMENTED.code()
    );
}

/// What is attached to a message, seen by a context and by its clone.
#[derive(Debug, PartialEq)]
struct Note(&'static str);

#[sockety::service]
trait Notes {
    async fn attach(&self, cx: &sockety::Context) -> bool;
}

struct Attaching;

impl Notes for Attaching {
    async fn attach(&self, cx: &sockety::Context) -> bool {
        let clone = cx.clone();
        clone.request_extensions().insert(Note("by the clone"));
        let found = cx.request_extensions().get::<Note>();
        found.as_deref() == Some(&Note("by the clone")) && clone.id() == cx.id()
    }
}

#[tokio::test]
async fn a_clone_of_a_context_shares_what_is_attached_to_the_message() {
    let notes = NotesClient::local(Attaching);
    assert!(notes.attach().await.expect("a reply"));
}

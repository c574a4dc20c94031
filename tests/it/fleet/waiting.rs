//! What calls wait for, and what fails them.

use std::{
    slice,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sockety::{
    Options,
    fleet::{Change, Eject, Fleet, Health},
    message::Draft,
};
use tokio::time::{sleep, timeout};

use super::bank::*;

#[tokio::test]
async fn times_without_end_are_times_like_others() {
    let server = Running::start();
    let fleet = Fleet::<BankClient>::of(server.address())
        .health(Health::default().interval(Duration::MAX))
        .eject(Eject::default().interval(Duration::MAX))
        .options(Options::default().call_timeout(Duration::MAX))
        .await
        .expect("a fleet");
    let bank = fleet.client();
    let connection = bank.connection();
    connection.pass(&Draft::new("a")).await.expect("passed");
    assert_eq!(bank.port().await.expect("answered"), server.worker.port);
    let size = bank.size(sockety::File::from_bytes("b", &b"hi"[..]));
    let size = size.timeout(Duration::MAX).await;
    assert_eq!(size.expect("answered"), 2);
}

#[tokio::test]
async fn a_hook_that_does_not_end_does_not_keep_a_server_from_being_connected_to() {
    let server = Running::start();
    let options = Options::default().handshake_timeout(Duration::from_millis(200));
    let is_first = Arc::new(AtomicBool::new(true));
    let hook = move |_| {
        let hangs = is_first.swap(false, Ordering::SeqCst);
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok::<_, std::io::Error>(())
        }
    };
    let fleet = Fleet::<BankClient>::of(server.address())
        .options(options)
        .on_connect(hook)
        .lazy()
        .expect("a fleet");
    timeout(LONG, fleet.ready()).await.expect("another attempt");
    fleet.client().port().await.expect("answered");
    assert_eq!(fleet.stats().failed_connects, 1);
}

/// The next connection is made while the one before still takes calls.
#[tokio::test]
async fn connections_that_reach_their_age_cost_no_call_that_does_not_wait() {
    // Its notice comes after a second, so that there is no pause before another connection.
    let age =
        |server: sockety::Server| server.max_connection_age(Duration::from_millis(2_400), LONG);
    let server = Running::start_with(0, age);
    let fleet = Fleet::<BankClient>::of(server.address())
        .fail_fast()
        .await
        .expect("a fleet");
    let callers = Callers::of(&fleet.client());
    until("connections were replaced, and are over", || {
        let stats = server.handle.stats();
        stats.accepted >= 4 && stats.connections < 3
    })
    .await;
    assert!(callers.end().await > 0);
}

#[tokio::test]
async fn a_server_that_is_listed_twice_keeps_its_connections() {
    let servers = [Running::start(), Running::start()];
    let (changes, discover) = Scripted::new();
    let twice = || vec![servers[0].endpoint(), servers[0].endpoint()];
    changes.send(Change::Snapshot(twice())).expect("it listens");
    let fleet = Fleet::<BankClient>::of(discover).await.expect("a fleet");
    changes.send(Change::Snapshot(twice())).expect("it listens");
    let other = servers[1].endpoint();
    changes.send(Change::Insert(other)).expect("it listens");
    all_ready(&fleet, 2).await;
    assert_eq!(fleet.stats().connected, 2);
}

/// Its time to reply is not known: the caller may look long after it has come.
#[tokio::test]
async fn a_reply_that_is_taken_late_is_no_latency() {
    let server = Running::start();
    let fleet = fleet_of(slice::from_ref(&server)).await;
    let bank = fleet.client();
    let started = bank.port().start();
    let drafts = bank.connection().send(&Draft::new("Bank.port")).await;
    let mut request = drafts.expect("sent");
    sleep(Duration::from_millis(50)).await;
    started.await.expect("answered");
    request.response().await.expect("answered");
    assert_eq!(fleet.endpoints()[0].latency, None);
    // A call that is given up.
    server.worker.hangs.store(false, Ordering::SeqCst);
    let started = bank.hang().start();
    sleep(Duration::from_millis(50)).await;
    drop(started);
    assert_eq!(fleet.endpoints()[0].latency, None);
    // One that is awaited.
    bank.port().await.expect("answered");
    assert!(fleet.endpoints()[0].latency.is_some());
}

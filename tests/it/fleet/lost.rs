//! Calls whose server is lost, and servers that were lost and come back.

use std::{slice, sync::atomic::Ordering, time::Duration};

use sockety::{
    Outcome,
    fleet::{Change, Endpoint, EndpointState, Fleet, Health, Retry},
    message::Draft,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::{sleep, timeout},
};

use super::bank::*;
use crate::{
    streams::send_stream,
    support::{HEADER, OFFER, Peer, bytes},
};

#[tokio::test]
async fn a_call_that_may_have_run_is_unknown_although_no_server_is_left_for_it() {
    for is_cancelled in [false, true] {
        let mut server = Running::start();
        server.worker.hangs.store(true, Ordering::SeqCst);
        let fleet = fleet_of(slice::from_ref(&server)).await;
        let bank = fleet.client();
        let time = Duration::from_secs(3);
        let call = bank.find("once".into());
        let call = if is_cancelled {
            call
        } else {
            call.timeout(time)
        };
        let call = call.start();
        executing(slice::from_ref(&server), 1).await;
        server.kill();
        let outcome = if is_cancelled {
            // It is polled until it waits for another server.
            let mut call = call;
            while fleet.stats().retries.unknown == 0 {
                let waits = timeout(Duration::from_millis(5), &mut call).await;
                assert!(waits.is_err(), "{waits:?}");
            }
            call.cancel().await.outcome()
        } else {
            call.await.expect_err("no server is left").outcome()
        };
        assert_eq!(outcome, Outcome::Unknown, "is cancelled: {is_cancelled}");
    }
}

#[tokio::test]
async fn a_long_poll_that_is_repeated_has_the_time_that_is_left() {
    let mut servers = [Running::start(), Running::start()];
    let fleet = fleet_of(&servers).await;
    let bank = fleet.client();
    let time = Duration::from_secs(3);
    // No call was timed before. The time since then is not that of the call.
    sleep(time).await;
    let call = bank.watch().timeout(time).start();
    executing(&servers, 1).await;
    let busy = servers[1].executing();
    let other = &servers[1 - busy].worker;
    other.hangs.store(true, Ordering::SeqCst);
    let port = other.port;
    servers[busy].kill();
    assert_eq!(call.await.expect("answered by the other"), port);
}

#[tokio::test]
async fn a_server_that_was_started_again_is_taken_for_one_that_serves() {
    let mut server = Running::start();
    let hour = Duration::from_secs(3600);
    let second = Duration::from_secs(1);
    let fleet = Fleet::<BankClient>::of(server.address())
        .health(Health::default().interval(second))
        .await
        .expect("a fleet");
    server.handle.health().set_serving(false);
    until("it was asked", || {
        count(&fleet, EndpointState::NotServing) == 1
    })
    .await;
    let port = server.worker.port;
    server.kill();
    // Connections end before it is quiet for the interval.
    let age = |server: sockety::Server| server.max_connection_age(second / 2, hour);
    let _server = {
        drop(server);
        Running::start_with(port, age)
    };
    all_ready(&fleet, 1).await;
}

#[tokio::test]
async fn a_server_that_was_killed_and_started_again_is_not_avoided() {
    let mut servers = [Running::start(), Running::start()];
    let fleet = Fleet::<BankClient>::of(addresses(&servers))
        .retry(Retry::none())
        .await
        .expect("a fleet");
    all_ready(&fleet, 2).await;
    let bank = fleet.client();
    for _ in 0..50 {
        bank.port().await.expect("answered");
    }
    // Fewer than eject it.
    let mut hanging = Vec::new();
    while servers[0].executing() == 0 {
        hanging.push(bank.hang().start());
        executing(&servers, hanging.len()).await;
    }
    let port = servers[0].worker.port;
    servers[0].kill();
    let lost = hanging.pop().expect("the one that it executed");
    lost.await.expect_err("its server was killed");
    until("it is lost", || count(&fleet, EndpointState::Ready) == 1).await;
    servers[0] = Running::start_with(port, |server| server);
    all_ready(&fleet, 2).await;
    assert_eq!(fleet.stats().ejections, 0);
    // A failure counts as a reply after a second.
    for endpoint in fleet.endpoints() {
        // The new process has not been called.
        let latency = endpoint.latency;
        let is_new = endpoint
            .endpoint
            .address()
            .to_string()
            .ends_with(&format!(":{port}"));
        assert_eq!(latency.is_none(), is_new, "{endpoint:?}");
        assert!(latency < Some(Duration::from_secs(1)), "{endpoint:?}");
    }
}

#[tokio::test]
async fn an_answer_of_a_process_says_nothing_about_the_next_one() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = silent.local_addr().expect("bound");
    let (asked, was_asked) = tokio::sync::oneshot::channel();
    let hung = tokio::spawn(async move {
        let (mut stream, _) = silent.accept().await.expect("a connection");
        stream.write_all(&bytes(HEADER)).await.expect("written");
        let mut first = [0; 4];
        // The other's header, and then the first byte of a question.
        stream.read_exact(&mut first).await.expect("asked");
        asked.send(stream).expect("the test waits");
    });
    let (changes, discover) = Scripted::new();
    let old = Endpoint::new(address).expect("an address").with_key("a");
    changes.send(Change::Insert(old)).expect("it listens");
    let health = Health::default()
        .interval(Duration::from_secs(1))
        .timeout(Duration::from_secs(2));
    let fleet = Fleet::<BankClient>::of(discover).health(health).await;
    let fleet = fleet.expect("a fleet");
    let _stream = timeout(LONG, was_asked)
        .await
        .expect("asked")
        .expect("sent");
    hung.await.expect("no panic");
    let server = Running::start();
    let new = server.endpoint().with_key("a");
    changes.send(Change::Insert(new)).expect("it listens");
    until("it is connected to", || {
        let all = fleet.endpoints();
        all[0].connections == 1 && all[0].endpoint.to_string() == server.address()
    })
    .await;
    // Longer than an answer of the old one may take.
    let seen = timeout(Duration::from_secs(3), async {
        while count(&fleet, EndpointState::Ready) == 1 {
            fleet.changed().await;
        }
    });
    seen.await
        .expect_err("it is taken for one that does not serve");
}

#[tokio::test]
async fn a_connection_without_channels_is_replaced() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let fleet = Fleet::<BankClient>::of(address.to_string()).lazy();
    let fleet = fleet.expect("a fleet");
    let accept = async || {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut peer = Peer::silent(stream);
        // It receives on 4 channels.
        peer.send("E1 04").await;
        peer.expect(OFFER).await;
        peer
    };
    let mut first = timeout(LONG, accept()).await.expect("connected to");
    fleet.ready().await;
    let connection = fleet.each().remove(0);
    let connection = connection.connection().clone();
    let give_up = async || drop(send_stream(&connection, "a").await);
    give_up().await;
    first.expect("01 23 13 00 <id> 01 61 90").await;
    // It takes no notice of aborts.
    let (question, _) = first.expect_message("$sockety.present").await;
    first.reply(question, 0).await;
    give_up().await;
    give_up().await;
    let draft = Draft::new("a").with_stream();
    let refused = connection.send(&draft).await;
    refused.expect_err("no channel is left");
    drop(connection);
    timeout(LONG, accept()).await.expect("connected to again");
}

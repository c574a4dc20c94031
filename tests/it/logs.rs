//! What is logged, and how often.

use std::time::Duration;

use sockety::{
    CallError, FastReply, Router, Server,
    config::Rate,
    pair,
    serve::{AccessCheck, BoxError, Incoming, IntoRouter, MessageHandler, RateLimit},
    service,
};
use tokio::io::{AsyncWriteExt, duplex};

use crate::support::{HEADER, Log, PIPE, bytes, dialogue, id, ping_handler, settled};

#[service]
trait Door {
    async fn open(&self) -> u32;
}

struct Ajar;

impl Door for Ajar {
    async fn open(&self) -> u32 {
        1
    }
}

#[tokio::test(start_paused = true)]
async fn peers_that_break_the_protocol_do_not_fill_the_log() {
    let (log, _guard) = Log::of_warnings();
    let server = Server::new();
    let handle = server.handle();
    tokio::spawn(server.serve(ping_handler()));
    let attack = async || {
        let (near, mut far) = duplex(PIPE);
        let taken = handle.serve_link(near, None).await.expect("taken");
        far.write_all(&bytes(HEADER)).await.expect("sent");
        let connection = taken.await.expect("established");
        far.write_all(&bytes("FF")).await.expect("sent");
        connection.closed().await;
    };
    for _ in 0..50 {
        attack().await;
    }
    assert_eq!(handle.stats().peers.violations, 50);
    let [line] = &log.events()[..] else {
        panic!("{:?}", log.events())
    };
    assert!(line.contains("connection ended"), "{line}");
    assert!(line.contains("peer broke the protocol: "), "{line}");
    tokio::time::advance(Duration::from_secs(1)).await;
    attack().await;
    let [_, line] = &log.events()[..] else {
        panic!("{:?}", log.events())
    };
    assert!(line.contains("suppressed=49"), "{line}");
    handle.stop();
}

#[tokio::test(start_paused = true)]
async fn messages_whose_handler_fails_do_not_fill_the_log() {
    let (log, _guard) = Log::of_warnings();
    let handler = MessageHandler::new().action("save", |_| async {
        Err::<FastReply, BoxError>("disk is full".into())
    });
    let (_connection, mut peer) = dialogue(handler).await;
    for number in 1..=20 {
        peer.ask(id(number), "save", b"").await;
        peer.expect_code(id(number), 5).await;
    }
    let [line] = &log.events()[..] else {
        panic!("{:?}", log.events())
    };
    for part in [
        "message handler failed",
        "action=\"save\"",
        "disk is full",
        "suppressed=0",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[tokio::test(start_paused = true)]
async fn guards_count_and_log_what_they_refuse() {
    let (log, _guard) = Log::of_warnings();
    let check = AccessCheck::new(|_: &Incoming| Err::<(), _>("no key"));
    let rate = RateLimit::total(Rate::new(1, 1));
    let router = DoorServer::new(Ajar).into_router();
    let (client, server) = pair(Router::new(), router.layer(rate).layer(check))
        .await
        .expect("two");
    let door = DoorClient::new(client);
    for expected in [3, 3840] {
        let error = door.open().await.expect_err("refused");
        let CallError::Refused { code, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(code.code(), expected);
    }
    let stats = server.stats();
    assert_eq!((stats.access_denied, stats.overloaded), (1, 1));
    let [denied, limited] = &log.events()[..] else {
        panic!("{:?}", log.events())
    };
    let expected = "request refused: its caller may not call the action";
    assert!(denied.contains(expected), "{denied}");
    assert!(denied.contains("reason=no key"), "{denied}");
    let expected = "request refused: its action is called too often";
    assert!(limited.contains(expected), "{limited}");
}

#[tokio::test(start_paused = true)]
async fn reserved_actions_that_are_not_served_are_no_sign_of_another_version() {
    let (log, _guard) = Log::of_warnings();
    for (before, router) in [Router::new(), MessageHandler::new().into_router()]
        .into_iter()
        .enumerate()
    {
        let (connection, mut peer) = dialogue(router).await;
        peer.ask(id(1), "$sockety.ping", b"").await;
        peer.expect_code(id(1), 2).await;
        assert_eq!(connection.stats().not_implemented, 0);
        assert_eq!(log.events().len(), before, "{:?}", log.events());
        peer.ask(id(2), "sockety.ping", b"").await;
        peer.expect_code(id(2), 2).await;
        assert_eq!(connection.stats().not_implemented, 1);
        settled().await;
    }
    assert_eq!(log.events().len(), 2);
}

#[tokio::test]
async fn a_full_server_says_so() {
    let (log, _guard) = Log::of_warnings();
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let address = server.local_addr().expect("an address");
    let handle = server.handle();
    tokio::spawn(server.max_connections(1).serve(ping_handler()));
    let _first = sockety::connect(address).await.expect("connected");
    while log.events().is_empty() {
        tokio::task::yield_now().await;
    }
    let [line] = &log.events()[..] else {
        panic!("{:?}", log.events())
    };
    let expected = "no further connection is accepted until one ends";
    assert!(line.contains(expected), "{line}");
    assert!(line.contains("reason=limit is 1 connections"), "{line}");
    assert_eq!(handle.stats().refused_connections, 0);
    handle.stop();
}

#[tokio::test]
async fn connections_that_are_refused_at_a_limit_do_not_fill_the_log() {
    let limits = [
        (1, usize::MAX, "limit is 1 connections"),
        (10, 1, "host 127.0.0.1 has too many connections"),
    ];
    for (all, of_host, expected) in limits {
        let (log, _guard) = Log::of_warnings();
        let server = Server::bind("127.0.0.1:0").await.expect("bound");
        let address = server.local_addr().expect("an address");
        let handle = server.handle();
        let server = server.max_connections(all).refuse_when_full();
        let server = server.max_connections_per_host(of_host);
        tokio::spawn(server.serve(ping_handler()));
        let _first = sockety::connect(address).await.expect("connected");
        for _ in 0..5 {
            sockety::connect(address).await.expect_err("refused");
        }
        assert_eq!(handle.stats().refused_connections, 5);
        let [line, ..] = &log.events()[..] else {
            panic!("no line")
        };
        assert!(line.contains("connection refused"), "{line}");
        assert!(line.contains(expected), "{line}");
        assert!(log.events().len() < 5, "{:?}", log.events());
        handle.stop();
    }
}

//! Servers: accepting, the list of connections, broadcasts, and the end.

use std::{io, time::Duration};

use sockety::{
    FastReply, Options, Router, Server,
    error::{ClosedBy, ConnectProblem, SendError},
    message::Draft,
    serve::MessageHandler,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::{sync::mpsc, time::timeout};

use crate::support::{
    HEADER, OFFER, Peer, Running, answers_ping, code_of, id, is_closed_by, ping, ping_handler,
    tasks, tasks_are_back_to,
};

/// What a step of a test waits for at most. Nothing is measured.
const LONG: Duration = Duration::from_secs(20);

/// Hands on the actions of all messages.
fn listener() -> (MessageHandler, mpsc::UnboundedReceiver<String>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let handler = MessageHandler::new().fallback(move |message| {
        sender.send(message.action().to_owned()).expect("received");
        async {}
    });
    (handler, receiver)
}

#[tokio::test]
async fn a_server_serves_and_stops() {
    let baseline = tasks();
    let server = Running::with(ping_handler()).await;
    assert_ne!(server.address.port(), 0);
    let clients = [
        server.client(Router::new()).await,
        server.client(Router::new()).await,
    ];
    assert_eq!(server.handle.connections().len(), 2);
    let handle = server.handle.clone();
    server.stop().await;
    for client in clients {
        assert!(is_closed_by(&client.closed().await, ClosedBy::Peer));
    }
    tasks_are_back_to(baseline).await;
    assert!(handle.connections().is_empty());
}

#[tokio::test]
async fn clones_of_a_router_share_what_they_serve() {
    let (handler, mut actions) = listener();
    let router = Router::new().handler(handler);
    let servers = [
        Running::with(router.clone()).await,
        Running::with(router).await,
    ];
    for (server, action) in servers.iter().zip(["a", "b"]) {
        let client = sockety::connect(server.address).await.expect("connected");
        client.pass(&Draft::new(action)).await.expect("sent");
        assert_eq!(actions.recv().await.as_deref(), Some(action));
    }
}

#[tokio::test]
async fn a_stopped_server_accepts_nobody() {
    let server = Running::with(ping_handler()).await;
    let address = server.address;
    server.stop().await;
    let error = sockety::connect(address).await.expect_err("nobody listens");
    assert!(
        matches!(error.problem(), ConnectProblem::Unreachable(..)),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_stopped_before_it_serves_ends_at_once() {
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    server.handle().stop();
    server.serve(Router::new()).await.expect("stopped");
}

#[tokio::test]
async fn stopping_writes_the_replies_that_are_owed() {
    let (begun, mut has_begun) = mpsc::unbounded_channel();
    let handler = MessageHandler::new().action("last", move |message| {
        begun.send(message).expect("received");
        async {}
    });
    let server = Running::with(handler.action("ping", |_| async { FastReply::ACCEPT })).await;
    let stream = TcpStream::connect(server.address).await.expect("connected");
    let mut peer = Peer::greeted(stream).await;
    peer.ask(id(1), "last", b"").await;
    let message = has_begun.recv().await.expect("a message");
    let stopping = tokio::spawn(server.stop());
    peer.expect("B0").await;
    message.accept().await.expect("sent");
    drop(message);
    peer.expect_code(id(1), 0).await;
    peer.expect_end().await;
    stopping.await.expect("no panic");
}

#[tokio::test]
async fn a_connection_knows_its_addresses() {
    let server = Running::with(ping_handler()).await;
    let client = server.client(Router::new()).await;
    let [accepted] = &server.handle.connections()[..] else {
        panic!("one connection");
    };
    assert_eq!(client.peer_addr(), Some(server.address));
    assert_eq!(client.local_addr(), accepted.peer_addr());
    assert_eq!(client.peer_addr(), accepted.local_addr());
    server.stop().await;
}

#[tokio::test]
async fn the_list_of_connections_is_that_of_the_moment() {
    let server = Running::with(ping_handler()).await;
    let silent = TcpStream::connect(server.address).await.expect("connected");
    let first = server.client(Router::new()).await;
    let second = server.client(Router::new()).await;
    // Without its header a peer is no connection yet.
    assert_eq!(server.handle.connections().len(), 2);
    first.close().await;
    second.close().await;
    while !server.handle.connections().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(silent);
    server.stop().await;
}

#[tokio::test]
async fn a_broadcast_goes_to_all_that_the_filter_accepts() {
    let server = Running::with(ping_handler()).await;
    let (first_handler, mut first_events) = listener();
    let (second_handler, mut second_events) = listener();
    let first = server.client(first_handler).await;
    let _second = server.client(second_handler).await;
    let all = server.handle.broadcast(&Draft::new("to all"), |_| true);
    assert_eq!(all.expect("sent"), 2);
    let address = first.local_addr();
    let one = server
        .handle
        .broadcast(&Draft::new("to one"), |connection| {
            connection.peer_addr() == address
        });
    assert_eq!(one.expect("sent"), 1);
    let last = server
        .handle
        .broadcast(&Draft::new("last").with_data("x"), |_| true);
    assert_eq!(last.expect("sent"), 2);
    let nobody = server.handle.broadcast(&Draft::new("to none"), |_| false);
    assert_eq!(nobody.expect("sent"), 0);
    for expected in ["to all", "to one", "last"] {
        assert_eq!(first_events.recv().await.expect("an event"), expected);
    }
    for expected in ["to all", "last"] {
        assert_eq!(second_events.recv().await.expect("an event"), expected);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_broadcast_expects_no_reply_and_is_whole() {
    let server = Running::with(ping_handler()).await;
    let stream = TcpStream::connect(server.address).await.expect("connected");
    let mut peer = Peer::greeted(stream).await;
    answers_ping(&mut peer).await;
    let message = Draft::new("news").data().create("hello");
    server.handle.broadcast(message, |_| true).expect("sent");
    peer.expect("20 17 40 <id> 04 6e657773 05 E0 05 68656c6c6f")
        .await;
    server.stop().await;
}

#[tokio::test]
async fn a_broadcast_that_nobody_can_be_sent_is_refused() {
    let server = Running::with(ping_handler()).await;
    let _client = server.client(Router::new()).await;
    let long = Draft::new("a".repeat(65_536));
    let error = server
        .handle
        .broadcast(&long, |_| true)
        .expect_err("too long");
    assert!(matches!(error, SendError::Usage(_)), "{error:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_handler_can_broadcast() {
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let address = server.local_addr().expect("an address");
    let handle = server.handle();
    let shouting = handle.clone();
    let handler = ping_handler().action("shout", move |message| {
        let sender = message.connection().peer_addr();
        let count = shouting.broadcast(&Draft::new("shout"), |other| other.peer_addr() != sender);
        async move { count.map(|_| FastReply::ACCEPT) }
    });
    let serving = tokio::spawn(server.serve(handler));
    let running = Running {
        address,
        handle,
        serving,
    };
    let (first_handler, mut first_events) = listener();
    let (second_handler, mut second_events) = listener();
    let first = running.client(first_handler).await;
    let second = running.client(second_handler).await;
    for client in [&first, &second] {
        let request = client.send(&Draft::new("shout")).await.expect("sent");
        assert_eq!(code_of(request).await, 0);
    }
    assert_eq!(second_events.recv().await.expect("an event"), "shout");
    assert_eq!(first_events.recv().await.expect("an event"), "shout");
    running.stop().await;
    assert!(first_events.try_recv().is_err());
    assert!(second_events.try_recv().is_err());
}

#[tokio::test]
async fn a_connection_can_be_accepted_and_looked_at() {
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let address = server.local_addr().expect("an address");
    let (client, accepted) = tokio::join!(
        async { sockety::connect(address).await.expect("connected") },
        server.accept(ping_handler()),
    );
    let accepted = accepted.expect("accepted");
    assert_eq!(accepted.peer_addr(), client.local_addr());
    assert_eq!(server.handle().connections().len(), 1);
    ping(&client).await;
    accepted.close().await;
    assert!(is_closed_by(&client.closed().await, ClosedBy::Peer));
}

#[tokio::test]
async fn a_peer_that_speaks_something_else_disturbs_nobody() {
    let server = Running::with(ping_handler()).await;
    let stream = TcpStream::connect(server.address).await.expect("connected");
    let mut stranger = Peer::silent(stream);
    stranger.send("47 45 54 20 2F").await;
    stranger.expect(OFFER).await;
    stranger.rest().await;
    let client = server.client(Router::new()).await;
    ping(&client).await;
    server.stop().await;
}

#[tokio::test]
async fn one_byte_at_a_time_over_tcp_is_enough() {
    let server = Running::with(ping_handler()).await;
    let stream = TcpStream::connect(server.address).await.expect("connected");
    stream.set_nodelay(true).expect("an option");
    let mut peer = Peer::greeted(stream).await;
    for byte in crate::support::message(id(1), "ping", true, b"hello") {
        peer.send_bytes(&[byte]).await;
    }
    peer.expect_code(id(1), 0).await;
    server.stop().await;
}

#[tokio::test]
async fn options_are_those_of_every_connection() {
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let server = server.options(
        Options::default()
            .max_requests_executing(0)
            .max_queued_requests(0),
    );
    let address = server.local_addr().expect("an address");
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(ping_handler()));
    let client = sockety::connect(address).await.expect("connected");
    let request = client.send(&Draft::new("ping")).await.expect("sent");
    assert_eq!(code_of(request).await, 3840);
    handle.stop();
    serving.await.expect("no panic").expect("stopped");
}

#[tokio::test]
async fn limits_of_nothing_leave_room_for_one() {
    let options = Options::default()
        .max_outbox_bytes(0)
        .max_unread_per_message(0);
    let one = Options::default()
        .max_outbox_bytes(1)
        .max_unread_per_message(1);
    assert_eq!(options, one);
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let server = server.options(options.clone());
    let server = server.max_connections(0).max_handshakes(0);
    let address = server.local_addr().expect("an address");
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(ping_handler()));
    ping(
        &sockety::connect(address)
            .options(options)
            .await
            .expect("connected"),
    )
    .await;
    handle.stop();
    serving.await.expect("no panic").expect("stopped");
}

#[tokio::test]
async fn a_server_takes_a_listener_that_exists() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("an address");
    let server = Server::from(listener);
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(ping_handler()));
    ping(&sockety::connect(address).await.expect("connected")).await;
    handle.stop();
    serving.await.expect("no panic").expect("stopped");
}

/// Such a listener blocks: a server that did not change that would never see that it is stopped.
#[tokio::test]
async fn a_server_takes_a_blocking_listener() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("an address");
    let server = Server::try_from(listener).expect("a server");
    assert_eq!(server.local_addr().expect("an address"), address);
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(ping_handler()));
    ping(&sockety::connect(address).await.expect("connected")).await;
    handle.stop();
    serving.await.expect("no panic").expect("stopped");
}

#[tokio::test]
async fn an_address_in_use_is_an_error() {
    let first = Server::bind("127.0.0.1:0").await.expect("bound");
    let address = first.local_addr().expect("an address");
    let error = Server::bind(address).await.expect_err("in use");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

/// A client that has read the header of the server may send, and its header may be on its way when the server is stopped.
#[tokio::test]
async fn a_message_behind_a_handshake_that_was_under_way_is_executed_when_the_server_shuts_down() {
    let server = Running::with(ping_handler()).await;
    let stream = TcpStream::connect(server.address).await.expect("connected");
    let mut peer = Peer::silent(stream);
    peer.take(3).await;
    let handle = server.handle.clone();
    let ending = tokio::spawn(async move { handle.shutdown(LONG).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    peer.send(HEADER).await;
    peer.ask(id(1), "ping", b"").await;
    peer.skip_to_code(id(1), 0).await;
    peer.finish().await;
    ending.await.expect("no panic");
    server.serving.await.expect("no panic").expect("served");
}

#[tokio::test]
async fn a_peer_that_is_silent_in_its_handshake_holds_a_shutdown_up_for_a_second_at_most() {
    let server = Running::with(ping_handler()).await;
    let stream = TcpStream::connect(server.address).await.expect("connected");
    let mut peer = Peer::silent(stream);
    peer.take(3).await;
    let ended = timeout(LONG, server.handle.shutdown(LONG));
    ended.await.expect("the server does not wait for it");
    peer.expect_end().await;
}

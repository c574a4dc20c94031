//! Links that a server is given instead of accepting them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use sockety::tls::{TlsClient, TlsServer};
use sockety::{
    Connection, Context, FastReply, Options, Router, Server,
    error::{ClosedBy, ConnectProblem, ServerLimit, chain},
    message::Draft,
    serve::{IntoRouter, MessageHandler},
    server::ServerHandle,
    service,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::support::{
    Authority, HEADER, Log, OFFER, PIPE, Peer, answers_ping, bytes, is_closed_by, is_pending, ping,
    ping_handler, tasks, tasks_are_back_to,
};
use crate::tls::raw_config;

#[service]
pub(crate) trait Where {
    async fn am_i(&self, cx: &Context) -> Option<String>;
}

pub(crate) struct Here;

impl Where for Here {
    async fn am_i(&self, cx: &Context) -> Option<String> {
        cx.peer_addr().map(|address| address.to_string())
    }
}

type Serving = JoinHandle<std::io::Result<()>>;

fn serving(server: Server, serve: impl IntoRouter) -> (ServerHandle, Serving) {
    let handle = server.handle();
    (handle, tokio::spawn(server.serve(serve.into_router())))
}

async fn stopped((handle, serving): (ServerHandle, Serving)) {
    handle.stop();
    serving.await.expect("no panic").expect("stopped");
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// The other end of a link that the server serves.
async fn link(handle: &ServerHandle, address: Option<SocketAddr>) -> DuplexStream {
    let (near, far) = duplex(PIPE);
    handle.serve_link(near, address).await.expect("taken");
    far
}

async fn over(far: DuplexStream) -> Connection {
    let connection = Connection::over(far, Router::new(), Options::default()).await;
    connection.expect("a connection")
}

#[tokio::test]
async fn a_link_is_served_like_one_that_the_server_accepts() {
    let baseline = tasks();
    let services = Router::new()
        .service(WhereServer::new(Here))
        .expect("names");
    let (handle, serving) = serving(Server::new(), services.handler(ping_handler()));
    let given = address("203.0.113.7:4711");
    let (near, far) = duplex(PIPE);
    let (taken, connection) = tokio::join!(
        async { handle.serve_link(near, given).await.expect("taken").await },
        over(far)
    );
    let taken = taken.expect("established");
    assert_eq!(taken.peer_addr(), Some(given));
    // The server has a handle too.
    drop(taken);
    ping(&connection).await;
    let client = WhereClient::new(connection.clone());
    assert_eq!(
        client.am_i().await.expect("a reply").as_deref(),
        Some("203.0.113.7:4711")
    );
    let stats = handle.stats();
    assert_eq!((stats.connections, stats.accepted), (1, 1));
    assert_eq!(handle.connections()[0].peer_addr(), Some(given));
    assert!(handle.traffic().received_bytes > 0);

    handle.shutdown(Duration::from_secs(5)).await;
    assert!(is_closed_by(&connection.closed().await, ClosedBy::Peer));
    serving.await.expect("no panic").expect("stopped");
    let error = handle.serve_link(duplex(PIPE).0, None).await;
    let error = error.expect_err("stopped");
    assert!(
        matches!(error.problem(), ConnectProblem::ServerStopped),
        "{error:?}"
    );
    drop((client, connection));
    tasks_are_back_to(baseline).await;
}

#[tokio::test]
async fn a_loop_of_ones_own_serves_sockets() {
    let running = serving(Server::new(), ping_handler());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let at = listener.local_addr().expect("an address");
    let handle = running.0.clone();
    let accepting = tokio::spawn(async move {
        loop {
            let (stream, peer_addr) = listener.accept().await.expect("accepted");
            if handle.serve_link(stream, peer_addr).await.is_err() {
                return;
            }
        }
    });
    let mut clients = Vec::new();
    for _ in 0..3 {
        let client = sockety::connect(at).await.expect("connected");
        ping(&client).await;
        clients.push(client);
    }
    assert_eq!(running.0.connections().len(), 3);
    stopped(running).await;
    accepting.abort();
}

#[tokio::test(start_paused = true)]
async fn a_link_waits_for_the_server_to_serve() {
    let server = Server::new();
    let handle = server.handle();
    let (near, far) = duplex(PIPE);
    let mut waiting = Box::pin(handle.serve_link(near, None));
    assert!(is_pending(&mut waiting).await);
    let serving = tokio::spawn(server.serve(ping_handler()));
    waiting.await.expect("taken");
    ping(&over(far).await).await;
    stopped((handle, serving)).await;
}

#[tokio::test]
async fn no_link_is_taken_for_a_server_that_never_serves() {
    let server = Server::new();
    let handle = server.handle();
    let mut waiting = Box::pin(handle.serve_link(duplex(PIPE).0, None));
    assert!(is_pending(&mut waiting).await);
    drop(server);
    let error = waiting.await.expect_err("it never serves");
    assert!(
        matches!(error.problem(), ConnectProblem::ServerStopped),
        "{error:?}"
    );
}

#[tokio::test]
async fn no_link_is_taken_when_nobody_serves_any_longer() {
    let shown = Arc::new(());
    let kept = Arc::clone(&shown);
    let handler = MessageHandler::new().fallback(move |_| {
        let _ = &kept;
        async { FastReply::ACCEPT }
    });
    let (handle, serving) = serving(Server::new(), handler);
    let connection = over(link(&handle, None).await).await;
    serving.abort();
    serving.await.expect_err("aborted");
    let error = handle.serve_link(duplex(PIPE).0, None).await;
    let error = error.expect_err("nobody serves");
    assert!(
        matches!(error.problem(), ConnectProblem::ServerStopped),
        "{error:?}"
    );
    // What is established goes on, and the router is dropped with it.
    connection
        .send(&Draft::new("any"))
        .await
        .expect("sent")
        .response()
        .await
        .expect("a reply");
    connection.close().await;
    while Arc::strong_count(&shown) > 1 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn links_wait_for_room_and_are_closed_when_nobody_waits() {
    let running = serving(Server::new().max_connections(1), ping_handler());
    let first = over(link(&running.0, None).await).await;
    let (near, far) = duplex(PIPE);
    let mut waiting = Box::pin(running.0.serve_link(near, None));
    assert!(is_pending(&mut waiting).await);
    drop(waiting);
    Peer::silent(far).expect_end().await;

    let (near, far) = duplex(PIPE);
    let mut waiting = Box::pin(running.0.serve_link(near, None));
    assert!(is_pending(&mut waiting).await);
    first.close().await;
    waiting.await.expect("taken");
    ping(&over(far).await).await;
    assert_eq!(running.0.stats().accepted, 2);
    stopped(running).await;
}

/// The server listens too, and keeps its permits for nobody while nobody connects.
#[tokio::test]
async fn a_link_gets_in_beside_a_listener_that_nobody_connects_to() {
    for (connections, handshakes) in [(1, 1), (1, 64), (10, 1), (2, 2)] {
        let server = Server::bind("127.0.0.1:0").await.expect("bound");
        let at = server.local_addr().expect("an address");
        let limited = server
            .max_connections(connections)
            .max_handshakes(handshakes);
        let running = serving(limited, ping_handler());
        // Until it waits for connections.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let mut clients = Vec::new();
        for _ in 0..connections {
            clients.push(over(link(&running.0, None).await).await);
        }
        // Full: another link waits, and gets in before those who come to the listener after it.
        let (near, far) = duplex(PIPE);
        let mut waiting = Box::pin(running.0.serve_link(near, None));
        assert!(is_pending(&mut waiting).await);
        clients.remove(0).close().await;
        waiting.await.expect("taken");
        clients.push(over(far).await);
        for client in clients {
            ping(&client).await;
            client.close().await;
        }
        // Nothing is kept for links.
        ping(&sockety::connect(at).await.expect("connected")).await;
        stopped(running).await;
    }
}

#[tokio::test]
async fn a_link_that_waits_when_the_server_is_stopped_is_not_taken() {
    for _ in 0..50 {
        let server = Server::bind("127.0.0.1:0").await.expect("bound");
        let running = serving(server.max_connections(1), ping_handler());
        let handle = running.0.clone();
        let client = over(link(&handle, None).await).await;
        let mut waiting = Vec::new();
        for _ in 0..3 {
            let mut one = Box::pin(handle.serve_link(duplex(PIPE).0, None));
            assert!(is_pending(&mut one).await);
            waiting.push(one);
        }
        stopped(running).await;
        drop(client);
        for one in waiting {
            let error = one.await.expect_err("stopped");
            let problem = error.problem();
            assert!(
                matches!(problem, ConnectProblem::ServerStopped),
                "{error:?}"
            );
        }
    }
}

/// A link of other code, which has a bug.
struct Panics;

impl AsyncRead for Panics {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut task::Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        panic!("no such device");
    }
}

impl AsyncWrite for Panics {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut task::Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_link_that_panics_is_a_failed_handshake_that_says_so() {
    let (log, _guard) = Log::of_warnings();
    let running = serving(Server::new().max_connections(1), ping_handler());
    let given = address("203.0.113.7:4711");
    let handshaking = running.0.serve_link(Panics, given).await.expect("taken");
    let error = handshaking.await.expect_err("it panics");
    assert!(
        matches!(error.problem(), ConnectProblem::Io(_)),
        "{error:?}"
    );
    let text = "connection failed before it was established: link panicked: no such device";
    assert_eq!(chain(&error).to_string(), text);
    let stats = running.0.stats();
    assert_eq!((stats.accepted, stats.failed_handshakes), (1, 1));
    assert_eq!(stats.failures.cut_off, 1);
    let logged = log.events();
    assert!(
        logged.iter().any(|event| event.contains(text)),
        "{logged:?}"
    );
    // Its place is free.
    ping(&over(link(&running.0, None).await).await).await;
    stopped(running).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_link_holds_up_no_other_and_is_given_up_in_time() {
    let options = Options::default().handshake_timeout(Duration::from_secs(3));
    let running = serving(Server::new().options(options), ping_handler());
    let (near, far) = duplex(PIPE);
    let slow = running.0.serve_link(near, None).await.expect("taken");
    ping(&over(link(&running.0, None).await).await).await;
    let begun = tokio::time::Instant::now();
    let error = slow.await.expect_err("too slow");
    assert!(
        matches!(error.problem(), ConnectProblem::HandshakeTimedOut(_)),
        "{error:?}"
    );
    assert_eq!(begun.elapsed().as_secs(), 3);
    let mut peer = Peer::silent(far);
    peer.expect(OFFER).await;
    peer.expect_end().await;
    assert_eq!(running.0.stats().failed_handshakes, 1);
    stopped(running).await;
}

#[tokio::test]
async fn a_host_has_only_so_many_links_by_the_address_that_is_given() {
    let running = serving(Server::new().max_connections_per_host(1), ping_handler());
    let host = |port| Some(address("203.0.113.7:1").ip()).map(|ip| SocketAddr::new(ip, port));
    let first = over(link(&running.0, host(1)).await).await;
    let refused = running.0.serve_link(duplex(PIPE).0, host(2)).await;
    let error = refused.expect("taken").await.expect_err("too many");
    let ConnectProblem::AtLimit(ServerLimit::OfHost(ip)) = error.problem() else {
        panic!("{error:?}");
    };
    assert_eq!(ip.to_string(), "203.0.113.7");
    assert_eq!(
        sockety::error::chain(&error).to_string(),
        "connection refused: host 203.0.113.7 has too many connections"
    );
    let _other = over(link(&running.0, Some(address("203.0.113.8:1"))).await).await;
    let _nobody = over(link(&running.0, None).await).await;
    let stats = running.0.stats();
    assert_eq!((stats.refused_connections, stats.accepted), (1, 3));
    assert_eq!(stats.failed_handshakes, 0);
    first.close().await;
    while running.0.connections().len() > 2 {
        tokio::task::yield_now().await;
    }
    ping(&over(link(&running.0, host(3)).await).await).await;
    stopped(running).await;
}

/// Like those of a server.
#[tokio::test]
async fn no_connection_of_a_host_counts_as_one() {
    let running = serving(Server::new().max_connections_per_host(0), ping_handler());
    let host = |port| SocketAddr::from(([203, 0, 113, 7], port));
    let first = over(link(&running.0, Some(host(1))).await).await;
    ping(&first).await;
    let refused = running.0.serve_link(duplex(PIPE).0, host(2)).await;
    refused.expect("taken").await.expect_err("too many");
    stopped(running).await;
}

#[tokio::test]
async fn a_link_speaks_tls_like_the_server() {
    let authority = Authority::new("servers");
    let tls = TlsServer::new(authority.issue(&["localhost"]).identity());
    let running = serving(Server::new().tls(tls), ping_handler());
    let config = Arc::new(raw_config(&authority, &[b"sockety/1"]));
    let name = "localhost".try_into().expect("a name");
    let far = link(&running.0, None).await;
    let io = TlsConnector::from(config)
        .connect(name, far)
        .await
        .expect("TLS");
    let mut peer = Peer::greeted(io).await;
    answers_ping(&mut peer).await;

    // One that leaves at once, and one that speaks something else.
    drop(link(&running.0, None).await);
    let (log, _guard) = Log::of_warnings();
    let (near, mut far) = duplex(PIPE);
    far.write_all(&bytes(HEADER)).await.expect("sent");
    let error = running.0.serve_link(near, None).await.expect("taken").await;
    let error = error.expect_err("no TLS");
    assert_eq!(
        error.to_string(),
        "peer does not speak TLS: it must connect with tls://"
    );
    let stats = running.0.stats();
    assert_eq!((stats.silent_connections, stats.failed_handshakes), (1, 1));
    assert_eq!(log.events().len(), 1, "{:#?}", log.events());
    stopped(running).await;
}

#[tokio::test]
async fn a_link_of_one_byte_at_a_time_is_served() {
    let authority = Authority::new("servers");
    let tls = TlsServer::new(authority.issue(&["localhost"]).identity());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let at = listener.local_addr().expect("an address");
    let running = serving(Server::new().tls(tls), ping_handler());
    let client = tokio::spawn({
        let tls = TlsClient::new(&authority.roots());
        async move { sockety::connect(("localhost", at.port())).tls(tls).await }
    });
    let (stream, _): (TcpStream, _) = listener.accept().await.expect("accepted");
    let (near, mut far) = duplex(1);
    let mut stream = stream;
    let copying =
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut stream, &mut far).await });
    running.0.serve_link(near, None).await.expect("taken");
    let client = client.await.expect("no panic").expect("connected");
    ping(&client).await;
    client.close().await;
    copying.await.expect("no panic").expect("copied");
    stopped(running).await;
}

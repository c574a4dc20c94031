//! Health checks of HAProxy, and what the server counts.
//!
//! A proxy sends its first checks while the test waits for it, so servers run on other threads: a
//! check that is not answered in time is a failed handshake.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    time::Duration,
};

use sockety::{Connection, Options, Router, Server, server::ProxyProtocol, tls::TlsServer};
use tempfile::TempDir;
use tokio::{
    net::TcpSocket,
    time::{sleep, timeout},
};

use crate::{
    CHECK, PATIENCE, Running, WorkClient, connect,
    programs::{Certificate, Proxy},
    until,
};

const EACH: &str = "check inter 100ms";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs haproxy"]
async fn a_check_that_speaks_the_header_is_a_connection() {
    let server = Running::start().await;
    let before = server.stats();
    let _proxy = Proxy::haproxy(server.port, "", EACH, CHECK);
    until("checks", || server.stats().accepted >= before.accepted + 10).await;
    let stats = server.stats();
    assert_eq!(stats.failed_handshakes, 0, "{stats:?}");
    assert_eq!(stats.peers.violations, 0, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs haproxy"]
async fn a_plain_check_is_no_failure() {
    let server = Running::start().await;
    let _proxy = Proxy::haproxy(server.port, "", EACH, "");
    sleep(Duration::from_secs(2)).await;
    let stats = server.stats();
    assert_eq!(stats.failed_handshakes, 0, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs haproxy"]
async fn a_check_of_tls_alone_is_no_failure() {
    let certificate = Certificate::new();
    let (cert, key) = (certificate.path("cert.pem"), certificate.path("key.pem"));
    for version in ["tlsv12", "tlsv13"] {
        let tls = TlsServer::from_pem_files(&cert, &key).expect("a certificate");
        let server = Running::start_with(tls).await;
        let check_tls = format!("{EACH} check-ssl verify none force-{version}");
        let _proxy = Proxy::haproxy(server.port, "", &check_tls, "");
        // One is of the wait for the proxy, which connects to the server too.
        until("checks", || server.stats().silent_connections >= 10).await;
        let stats = server.stats();
        assert_eq!(stats.failed_handshakes, 0, "{version}: {stats:?}");
    }
}

/// A server takes the header of the PROXY protocol for bytes of another protocol.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs haproxy and nginx"]
async fn a_proxy_header_that_the_server_does_not_expect_is_a_failed_handshake() {
    let server = Running::start().await;
    let upstream = format!("server 127.0.0.1:{};", server.port);
    let proxies = [
        Proxy::haproxy(server.port, "", "send-proxy", ""),
        Proxy::haproxy(server.port, "", "send-proxy-v2", ""),
        Proxy::nginx("proxy_protocol on;", &upstream),
    ];
    for proxy in proxies {
        let before = server.stats().failed_handshakes;
        // Its header arrives before the server refuses.
        if let Ok(client) = WorkClient::connect(proxy.address()).await {
            client.quick(1).await.expect_err("refused");
        }
        until("counted", || server.stats().failed_handshakes > before).await;
    }
}

/// What the guide says about addresses.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs haproxy and nginx"]
async fn a_proxy_header_has_the_address_of_the_client() {
    // The proxy and its client are on one host, so the client has another address of it.
    let (server, client) = ("127.0.0.1:0", "127.7.7.7:0");
    let network = "127.0.0.1/32".parse().expect("a network");
    let server = Server::bind(server).await.expect("a port");
    let server = server.proxy_protocol(ProxyProtocol::from_networks([network]));
    let running = Running::of(server);
    let upstream = format!("server 127.0.0.1:{};", running.port);
    // Otherwise this check sends no header.
    let check = CHECK.replace("tcp-check connect", "tcp-check connect default");
    let with_checks = |kind: &str| format!("{kind} {EACH}");
    let proxies = [
        Proxy::haproxy(running.port, "", &with_checks("send-proxy"), &check),
        Proxy::haproxy(running.port, "", &with_checks("send-proxy-v2"), &check),
        Proxy::nginx("proxy_protocol on;", &upstream),
    ];
    let before = running.stats();
    until("checks", || {
        running.stats().accepted >= before.accepted + 10
    })
    .await;
    for proxy in &proxies {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .bind(client.parse().expect("an address"))
            .expect("bound");
        let stream = socket.connect(proxy.address()).await.expect("connected");
        let own = stream.local_addr().expect("an address");
        let connection = Connection::over(stream, Router::new(), Options::default()).await;
        let client = WorkClient::new(connection.expect("a connection"));
        let seen = client.caller().await.expect("an answer");
        assert_eq!(seen, Some(own.to_string()));
    }
    let stats = running.stats();
    assert_eq!(stats.failed_handshakes, 0, "{stats:?}");
}

/// The socket at which HAProxy says what it thinks of its servers.
struct Stats {
    folder: TempDir,
}

impl Stats {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("stats")
    }

    /// The line of the global section that opens it.
    fn line(&self) -> String {
        format!("stats socket {} mode 600", self.path().display())
    }

    /// What HAProxy says of this server: `UP`, `DOWN`, or something between.
    fn state(&self, server: &str) -> String {
        let mut socket = UnixStream::connect(self.path()).expect("connected");
        socket.write_all(b"show stat\n").expect("asked");
        let mut table = String::new();
        socket.read_to_string(&mut table).expect("answered");
        let mut lines = table.trim_start_matches("# ").lines();
        let names = lines.next().expect("names of columns");
        let column = names.split(',').position(|name| name == "status");
        let own = format!("sockety,{server},");
        let line = lines.find(|line| line.starts_with(&own)).expect("a server");
        let state = line.split(',').nth(column.expect("a column"));
        state.expect("a state").to_owned()
    }
}

/// What the guide says about full servers.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs haproxy"]
async fn a_check_that_speaks_the_header_notices_a_full_server() {
    let full = Server::bind("127.0.0.1:0").await.expect("a port");
    let full = Running::of(full.max_connections(2).refuse_when_full());
    let other = Running::start().await;
    let (speaking, plain) = (Stats::new(), Stats::new());
    let servers = |options: &str| {
        let (full, other) = (full.port, other.port);
        format!("server full 127.0.0.1:{full} {options}\n    server other 127.0.0.1:{other}")
    };
    let each = format!("{EACH} fall 2 rise 1");
    let sections = |stats: &Stats, options: &str| {
        Proxy::haproxy_sections(&stats.line(), &servers(&each), options, "")
    };
    let proxy = sections(&speaking, CHECK);
    let _plain = sections(&plain, "");
    until("UP", || speaking.state("full") == "UP").await;

    // Checks take a place, too, so that the last one may not be free at once.
    let mut clients = Vec::new();
    until_filled(&full, &mut clients).await;
    until("DOWN", || speaking.state("full") == "DOWN").await;
    for _ in 0..4 {
        let client = connect(&proxy).await;
        assert_eq!(client.port().await.expect("answered"), other.port);
    }
    // Ten of its checks, of which it makes one each 100 ms.
    sleep(Duration::from_secs(1)).await;
    assert_eq!(plain.state("full"), "UP");

    for client in clients.drain(..) {
        client.connection().close().await;
    }
    until("UP again", || speaking.state("full") == "UP").await;
    assert_eq!(plain.state("full"), "UP");
    assert_eq!(full.stats().failed_handshakes, 0, "{:?}", full.stats());
}

/// Takes both places of a server.
async fn until_filled(server: &Running, clients: &mut Vec<WorkClient>) {
    let filling = async {
        while clients.len() < 2 {
            match WorkClient::connect(("127.0.0.1", server.port)).await {
                Ok(client) => clients.push(client),
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    timeout(PATIENCE, filling).await.expect("places");
}

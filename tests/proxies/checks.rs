//! Health checks of HAProxy, and what the server counts.
//!
//! A proxy sends its first checks while the test waits for it, so servers run on other threads: a
//! check that is not answered in time is a failed handshake.

use std::time::Duration;

use sockety::{Connection, Options, Router, Server, server::ProxyProtocol, tls::TlsServer};
use tokio::{net::TcpSocket, time::sleep};

use crate::{
    CHECK, Running, WorkClient,
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

//! Health checks of HAProxy, and what the server counts.

use std::time::Duration;

use sockety::tls::TlsServer;
use tokio::time::sleep;

use crate::{
    CHECK, Running, WorkClient,
    programs::{Certificate, Proxy},
    until,
};

const EACH: &str = "check inter 100ms";

#[tokio::test]
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

#[tokio::test]
#[ignore = "needs haproxy"]
async fn a_plain_check_is_no_failure() {
    let server = Running::start().await;
    let _proxy = Proxy::haproxy(server.port, "", EACH, "");
    sleep(Duration::from_secs(2)).await;
    let stats = server.stats();
    assert_eq!(stats.failed_handshakes, 0, "{stats:?}");
}

#[tokio::test]
#[ignore = "needs haproxy"]
async fn a_check_of_tls_alone_counts_as_a_failed_handshake() {
    let certificate = Certificate::new();
    let (cert, key) = (certificate.path("cert.pem"), certificate.path("key.pem"));
    let tls = TlsServer::from_pem_files(cert, key).expect("a certificate");
    let server = Running::start_with(tls).await;
    let check_tls = format!("{EACH} check-ssl verify none");
    let _proxy = Proxy::haproxy(server.port, "", &check_tls, "");
    until("checks", || server.stats().failed_handshakes >= 5).await;
}

/// A server takes the header of the PROXY protocol for bytes of another protocol.
#[tokio::test]
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

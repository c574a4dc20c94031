//! Idle timeouts of proxies, and heartbeats.

use std::time::Duration;

use sockety::{
    Options,
    error::{ClosedBy, ConnectionError},
};
use tokio::time::{sleep, timeout};

use crate::{
    PATIENCE, Running, connect, connect_with,
    programs::{Certificate, Proxy},
};

/// Heartbeats come at most 5 s late, so that 2 s of silence need more than 7 s of patience.
const HEARTBEAT: Duration = Duration::from_secs(2);
const LIMIT: &str = "8s";
const LONGER: Duration = Duration::from_secs(9);

/// Returns how a connection ended whose heartbeats were too rare. `proxies` are one after the
/// other; clients connect to the first.
async fn check(proxies: &[Proxy]) -> ConnectionError {
    let proxy = &proxies[0];
    let beating = Options::default().heartbeat(HEARTBEAT);
    let beating = connect_with(proxy.address(), beating).await;
    beating.quick(1).await.expect("answered");
    // Those of one side are enough, in front of the server or behind it; 20 s are too long here.
    let quiet = connect(proxy).await;
    quiet.quick(1).await.expect("answered");
    let cut = timeout(PATIENCE, quiet.connection().closed()).await;
    sleep(LONGER).await;
    beating.quick(2).await.expect("the connection lives");
    cut.expect("the proxy cuts it")
}

fn assert_ended(cut: &ConnectionError) {
    assert!(
        matches!(cut, ConnectionError::Closed(ClosedBy::PeerWithoutGoAway)),
        "{cut}"
    );
}

#[tokio::test]
#[ignore = "needs haproxy"]
async fn heartbeats_keep_a_connection_through_haproxy() {
    let server = Running::start().await;
    let timeouts = format!("timeout client {LIMIT}\n    timeout server {LIMIT}");
    assert_ended(&check(&[Proxy::haproxy(server.port, "", "", &timeouts)]).await);
}

#[tokio::test]
#[ignore = "needs nginx"]
async fn heartbeats_keep_a_connection_through_nginx() {
    let server = Running::start().await;
    let upstream = format!("server 127.0.0.1:{};", server.port);
    let proxy = Proxy::nginx(&format!("proxy_timeout {LIMIT};"), &upstream);
    assert_ended(&check(&[proxy]).await);
}

#[tokio::test]
#[ignore = "needs stunnel and socat"]
async fn heartbeats_keep_a_connection_through_stunnel_and_socat() {
    let (server, certificate) = (Running::start().await, Certificate::new());
    let (cert, key) = (certificate.text("cert.pem"), certificate.text("key.pem"));
    let limit = "TIMEOUTidle = 8";
    let inner = format!("cert = {cert}\nkey = {key}\n{limit}");
    let inner = Proxy::stunnel(server.port, &inner);
    let outer = Proxy::stunnel(inner.port(), &format!("client = yes\n{limit}"));
    let stunnel = [outer, inner];
    let socat = [Proxy::socat_with(server.port, &["-T", "8"])];
    let (stunnel, socat) = tokio::join!(check(&stunnel), check(&socat));
    // The first of the two that notices it ends or resets the connection.
    if !matches!(stunnel, ConnectionError::Io(_)) {
        assert_ended(&stunnel);
    }
    assert_ended(&socat);
}

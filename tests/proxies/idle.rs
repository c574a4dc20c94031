//! Idle timeouts of proxies, and heartbeats.

use std::time::Duration;

use sockety::{
    Options,
    error::{ClosedBy, ConnectionError},
};
use tokio::time::{sleep, timeout};

use crate::{PATIENCE, Running, connect, connect_with, programs::Proxy};

/// Heartbeats come at most 5 s late, so that 2 s of silence need more than 7 s of patience.
const HEARTBEAT: Duration = Duration::from_secs(2);
const LIMIT: &str = "8s";
const LONGER: Duration = Duration::from_secs(9);

async fn check(proxy: Proxy) {
    let beating = Options::default().heartbeat(HEARTBEAT);
    let beating = connect_with(proxy.address(), beating).await;
    beating.quick(1).await.expect("answered");
    // Those of one side are enough, in front of the server or behind it; 20 s are too long here.
    let quiet = connect(&proxy).await;
    quiet.quick(1).await.expect("answered");
    let cut = timeout(PATIENCE, quiet.connection().closed()).await;
    let cut = cut.expect("the proxy cuts it");
    assert!(
        matches!(cut, ConnectionError::Closed(ClosedBy::PeerWithoutGoAway)),
        "{cut}"
    );
    sleep(LONGER).await;
    beating.quick(2).await.expect("the connection lives");
}

#[tokio::test]
#[ignore = "needs haproxy"]
async fn heartbeats_keep_a_connection_through_haproxy() {
    let server = Running::start().await;
    let timeouts = format!("timeout client {LIMIT}\n    timeout server {LIMIT}");
    check(Proxy::haproxy(server.port, "", "", &timeouts)).await;
}

#[tokio::test]
#[ignore = "needs nginx"]
async fn heartbeats_keep_a_connection_through_nginx() {
    let server = Running::start().await;
    let upstream = format!("server 127.0.0.1:{};", server.port);
    check(Proxy::nginx(&format!("proxy_timeout {LIMIT};"), &upstream)).await;
}

//! Ends of connections: orderly, half, by a kill, and by the reload of a proxy.

use std::time::Duration;

use sockety::{
    Outcome,
    error::{ClosedBy, ConnectionError, ReadError},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    PATIENCE, Process, Running, WorkClient, connect,
    programs::{Certificate, Proxy},
};

/// Each program in front of a server.
fn proxies(server: u16) -> Vec<(&'static str, Vec<Proxy>)> {
    let certificate = Certificate::new();
    let (cert, key) = (certificate.text("cert.pem"), certificate.text("key.pem"));
    let inner = Proxy::stunnel(server, &format!("cert = {cert}\nkey = {key}"));
    let outer = Proxy::stunnel(inner.port(), "client = yes");
    let upstream = format!("server 127.0.0.1:{server};");
    vec![
        ("HAProxy", vec![Proxy::haproxy(server, "", "", "")]),
        (
            "nginx",
            vec![Proxy::nginx("proxy_half_close off;", &upstream)],
        ),
        (
            "nginx, half-close",
            vec![Proxy::nginx("proxy_half_close on;", &upstream)],
        ),
        ("stunnel", vec![outer, inner]),
        ("socat", vec![Proxy::socat(server)]),
    ]
}

/// Whether a message with this action is being executed.
async fn begun(client: &WorkClient) {
    // What comes later on the connection is answered after it has begun.
    client.quick(0).await.expect("answered");
}

#[tokio::test]
#[ignore = "needs haproxy, nginx, stunnel and socat"]
async fn replies_that_are_owed_arrive_when_the_server_ends() {
    let server = Running::start().await;
    let proxies = proxies(server.port);
    let mut waiting = Vec::new();
    for (name, proxy) in &proxies {
        let client = connect(&proxy[0]).await;
        let call = tokio::spawn({
            let client = client.clone();
            async move { client.wait(1500).await }
        });
        let download = client.download(20_000_000).await.expect("a stream");
        begun(&client).await;
        waiting.push((*name, client, call, download));
    }
    let ending = tokio::spawn(server.end());
    for (name, client, call, mut download) in waiting {
        let mut size = 0;
        while let Some(chunk) = download.next_chunk().await.expect(name) {
            size += chunk.len();
        }
        assert_eq!(size, 20_000_000, "{name}");
        assert_eq!(call.await.expect("no panic").expect(name), 1500, "{name}");
        let closed = timeout(PATIENCE, client.connection().closed()).await;
        let closed = closed.expect("closed");
        assert!(
            matches!(closed, ConnectionError::Closed(ClosedBy::Peer)),
            "{name}: {closed}"
        );
        let late = client.quick(1).await.expect_err("closed");
        assert_eq!(late.outcome(), Outcome::NotSent, "{name}");
    }
    ending.await.expect("no panic");
}

#[tokio::test]
#[ignore = "needs haproxy, nginx, stunnel and socat"]
async fn replies_that_are_owed_arrive_when_the_client_ends() {
    let server = Running::start().await;
    for (name, proxy) in &proxies(server.port) {
        let client = connect(&proxy[0]).await;
        let call = tokio::spawn({
            let client = client.clone();
            async move { client.wait(700).await }
        });
        begun(&client).await;
        client.connection().shutdown(PATIENCE).await;
        assert_eq!(call.await.expect("no panic").expect(name), 700, "{name}");
    }
}

/// A peer that sends a request and FIN, and reads: does it get the reply, which takes 1.5 s?
async fn half_closed(proxy: &Proxy) -> bool {
    let mut peer = TcpStream::connect(proxy.address())
        .await
        .expect("connected");
    // Header, and a message "late" that expects a reply.
    let mut bytes = vec![0xE1, 0x10, 0x21, 0x16, 0x00];
    let id = [0x11; 16];
    bytes.extend(id);
    bytes.extend(b"\x04late");
    peer.write_all(&bytes).await.expect("written");
    peer.shutdown().await.expect("ended");
    let mut received = Vec::new();
    let reading = timeout(PATIENCE, peer.read_to_end(&mut received)).await;
    // A reset ends it, too.
    let _ = reading.expect("the proxy ends the connection");
    received.windows(id.len()).any(|bytes| bytes == id)
}

#[tokio::test]
#[ignore = "needs haproxy, nginx, stunnel and socat"]
async fn a_peer_that_half_closes_gets_its_reply_where_the_proxy_lets_it() {
    let server = Running::start().await;
    let mut seen = Vec::new();
    for (name, proxy) in &proxies(server.port) {
        seen.push((*name, half_closed(&proxy[0]).await));
    }
    let expected = [
        ("HAProxy", true),
        ("nginx", false),
        ("nginx, half-close", true),
        ("stunnel", true),
        ("socat", false),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
#[ignore = "needs haproxy, nginx, stunnel and socat"]
async fn callers_are_told_at_once_when_the_server_is_killed() {
    let mut server = Process::start();
    let proxies = proxies(server.port);
    let mut waiting = Vec::new();
    for (name, proxy) in &proxies {
        let client = connect(&proxy[0]).await;
        let call = tokio::spawn({
            let client = client.clone();
            async move { client.wait(600_000).await }
        });
        begun(&client).await;
        waiting.push((*name, client, call));
    }
    server.kill();
    for (name, client, call) in waiting {
        let call = timeout(PATIENCE / 3, call)
            .await
            .expect(name)
            .expect("no panic");
        assert_eq!(
            call.expect_err("killed").outcome(),
            Outcome::Unknown,
            "{name}"
        );
        let closed = client.connection().closed().await;
        let is_told = matches!(
            closed,
            ConnectionError::Closed(ClosedBy::PeerWithoutGoAway) | ConnectionError::Io(_)
        );
        assert!(is_told, "{name}: {closed}");
    }
}

#[tokio::test]
#[ignore = "needs haproxy"]
async fn a_reload_of_haproxy_leaves_connections_alone() {
    let server = Running::start().await;
    let mut proxy = Proxy::haproxy(server.port, "", "", "");
    let client = connect(&proxy).await;
    client.quick(1).await.expect("answered");
    let mut old = proxy.replace_haproxy();
    sleep(Duration::from_secs(1)).await;
    // The old process carries the old connection.
    assert!(old.try_wait().expect("a child").is_none());
    client.quick(2).await.expect("answered");
    let other = connect(&proxy).await;
    other.quick(3).await.expect("answered");
    client.connection().close().await;
    crate::until("the old process ends", {
        let old = std::cell::RefCell::new(old);
        move || old.borrow_mut().try_wait().expect("a child").is_some()
    })
    .await;
    other.quick(4).await.expect("answered");
}

#[tokio::test]
#[ignore = "needs haproxy"]
async fn a_reload_of_haproxy_cuts_connections_after_its_hard_stop() {
    let server = Running::start().await;
    let mut proxy = Proxy::haproxy_global("hard-stop-after 2s", server.port);
    let client = WorkClient::reconnecting(proxy.address());
    let mut download = client.download(u64::MAX).await.expect("a stream");
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.wait(600_000).await }
    });
    begun(&client).await;
    let mut old = proxy.replace_haproxy();
    let call = timeout(PATIENCE, call).await.expect("cut");
    let error = call.expect("no panic").expect_err("cut");
    // It may have run, so the client does not make it again.
    assert_eq!(error.outcome(), Outcome::Unknown);
    let error = loop {
        match download.next_chunk().await {
            Ok(chunk) => assert!(chunk.is_some(), "it looks complete"),
            Err(error) => break error,
        }
    };
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
    assert!(
        matches!(cause, Some(ReadError::Disconnected { .. })),
        "{error:?}"
    );
    // The client connects again, through the new process.
    client.quick(1).await.expect("answered");
    old.wait().expect("a child");
}

#[tokio::test]
#[ignore = "needs nginx"]
async fn a_reload_of_nginx_leaves_connections_alone() {
    let server = Running::start().await;
    let upstream = format!("server 127.0.0.1:{};", server.port);
    let proxy = Proxy::nginx("", &upstream);
    let client = connect(&proxy).await;
    client.quick(1).await.expect("answered");
    proxy.reload_nginx();
    sleep(Duration::from_secs(1)).await;
    client.quick(2).await.expect("answered");
    let other = connect(&proxy).await;
    other.quick(3).await.expect("answered");
}

#[tokio::test]
#[ignore = "needs nginx"]
async fn a_reload_of_nginx_cuts_connections_after_its_timeout() {
    let server = Running::start().await;
    let upstream = format!("server 127.0.0.1:{};", server.port);
    let proxy = Proxy::nginx_main("worker_shutdown_timeout 2s;", &upstream);
    let client = connect(&proxy).await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.wait(600_000).await }
    });
    begun(&client).await;
    proxy.reload_nginx();
    let call = timeout(PATIENCE, call)
        .await
        .expect("cut")
        .expect("no panic");
    assert_eq!(call.expect_err("cut").outcome(), Outcome::Unknown);
    connect(&proxy).await.quick(1).await.expect("answered");
}

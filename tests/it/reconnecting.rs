//! Clients that connect again.

use sockety::{Router, Server, connect, message::Draft, server::ServerHandle};
use tokio::task::JoinHandle;

use crate::support::{code_of, ping, waiting_handler};

/// A server on this port, or a free one.
async fn serve(port: u16) -> (u16, ServerHandle, JoinHandle<()>) {
    let server = Server::bind(("127.0.0.1", port)).await.expect("a port");
    let port = server.local_addr().expect("bound").port();
    let handle = server.handle();
    let task = tokio::spawn(async move {
        server.serve(waiting_handler()).await.expect("served");
    });
    (port, handle, task)
}

#[tokio::test]
async fn a_client_goes_on_with_a_server_that_was_started_again() {
    let (port, handle, task) = serve(0).await;
    let client = connect(("127.0.0.1", port)).reconnecting();
    for _ in 0..3 {
        let connection = client.get().await.expect("connected");
        let request = connection.send(&Draft::new("ping")).await.expect("sent");
        assert_eq!(code_of(request).await, 0);
    }
    assert_eq!(handle.stats().accepted, 1, "all calls share a connection");
    handle.stop();
    task.await.expect("no panic");
    let (_, handle, _) = serve(port).await;
    let connection = client.get().await.expect("connected again");
    let request = connection.send(&Draft::new("ping")).await.expect("sent");
    assert_eq!(code_of(request).await, 0);
    assert_eq!(handle.stats().accepted, 1);
}

#[tokio::test]
async fn a_connection_whose_peer_goes_away_is_replaced_while_it_finishes() {
    let (port, handle, _) = serve(0).await;
    let client = connect(("127.0.0.1", port)).reconnecting();
    let old = client.get().await.expect("connected");
    // From then on the server knows the connection.
    ping(&old).await;
    let held = old.send(&Draft::new("wait")).await.expect("sent");
    for connection in handle.connections() {
        tokio::spawn(async move {
            connection
                .shutdown(std::time::Duration::from_secs(30))
                .await
        });
    }
    while let Ok(request) = old.send(&Draft::new("ping")).await {
        assert_eq!(code_of(request).await, 0);
    }
    assert!(!old.is_closed());
    let new = client.get().await.expect("connected again");
    assert_eq!(
        code_of(new.send(&Draft::new("ping")).await.expect("sent")).await,
        0
    );
    assert_eq!(handle.stats().accepted, 2);
    drop(held);
}

#[tokio::test]
async fn callers_that_wait_share_an_attempt() {
    let (port, handle, _) = serve(0).await;
    let client = connect(("127.0.0.1", port)).reconnecting();
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.get().await.map(drop) })
        })
        .collect();
    for caller in callers {
        caller.await.expect("no panic").expect("connected");
    }
    assert_eq!(handle.stats().accepted, 1);
}

#[tokio::test]
async fn an_attempt_that_fails_is_an_error_and_the_next_call_makes_another() {
    let (port, handle, task) = serve(0).await;
    handle.stop();
    task.await.expect("no panic");
    let client = connect(("127.0.0.1", port))
        .serve(Router::new())
        .reconnecting();
    client.get().await.expect_err("nobody listens");
    let _server = serve(port).await;
    client.get().await.expect("connected");
}

#[tokio::test]
async fn callers_that_wait_share_a_failure() {
    let (port, handle, task) = serve(0).await;
    handle.stop();
    task.await.expect("no panic");
    let client = connect(("127.0.0.1", port)).reconnecting();
    client.get().await.expect_err("nobody listens");
    // The next attempt is due after a pause, in which all of these begin to wait.
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.get().await.map(drop).expect_err("nobody listens") })
        })
        .collect();
    let mut errors = Vec::new();
    for caller in callers {
        errors.push(caller.await.expect("no panic"));
    }
    let first = &errors[0];
    assert!(
        errors
            .iter()
            .all(|error| std::sync::Arc::ptr_eq(error, first))
    );
}

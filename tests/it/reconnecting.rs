//! Clients that connect again.

mod clients;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sockety::{
    FastReply, Router, Server, connect,
    error::{ConnectProblem, chain},
    message::Draft,
    server::ServerHandle,
};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

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

/// What a step of a test waits for at most. Nothing is measured.
const LONG: Duration = Duration::from_secs(20);

async fn accepted(handle: &ServerHandle, count: u64) {
    let waiting = async {
        while handle.stats().accepted < count {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, waiting).await.expect("accepted");
}

#[tokio::test]
async fn a_connection_whose_peer_goes_away_is_replaced_before_anybody_asks() {
    let (port, handle, _) = serve(0).await;
    let client = connect(("127.0.0.1", port)).reconnecting();
    assert!(!client.is_connected() && client.try_get().is_none());
    let old = client.get().await.expect("connected");
    ping(&old).await;
    let held = old.send(&Draft::new("wait")).await.expect("sent");
    assert!(client.is_connected());
    for connection in handle.connections() {
        tokio::spawn(async move { connection.shutdown(LONG).await });
    }
    accepted(&handle, 2).await;
    ping(&client.get().await.expect("connected")).await;
    ping(&client.try_get().expect("connected")).await;
    assert_eq!(handle.stats().accepted, 2);
    assert!(!old.is_closed(), "its call has not ended");
    drop(held);
}

#[tokio::test]
async fn a_client_that_nobody_has_is_not_connected_again() {
    let (port, handle, _) = serve(0).await;
    let client = connect(("127.0.0.1", port)).reconnecting();
    let old = client.get().await.expect("connected");
    ping(&old).await;
    drop(client);
    for connection in handle.connections() {
        connection.shutdown(Duration::from_secs(3)).await;
    }
    old.closed().await;
    assert_eq!(handle.stats().accepted, 1);
}

#[tokio::test]
async fn a_hook_runs_on_each_new_connection_before_anybody_gets_it() {
    let (port, handle, _) = serve(0).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let client = connect(("127.0.0.1", port))
        .on_connect(move |connection| {
            let runs = Arc::clone(&counted);
            async move {
                let mut request = connection.send(&Draft::new("ping")).await?;
                request.response().await?;
                runs.fetch_add(1, Ordering::SeqCst);
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
            }
        })
        .reconnecting();
    let first = client.get().await.expect("connected");
    client.get().await.expect("connected");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    first.close().await;
    client.get().await.expect("connected again");
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert_eq!(handle.stats().accepted, 2);
}

#[tokio::test]
async fn a_hook_that_fails_is_a_failed_attempt() {
    let (port, handle, _) = serve(0).await;
    let runs = AtomicUsize::new(0);
    let client = connect(("127.0.0.1", port))
        .on_connect(move |_connection| {
            let is_first = runs.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                match is_first {
                    true => Err("no token"),
                    false => Ok(()),
                }
            }
        })
        .reconnecting();
    let error = client.get().await.expect_err("refused by the hook");
    assert!(
        matches!(error.problem(), ConnectProblem::OnConnect(_)),
        "{error:?}"
    );
    assert_eq!(
        chain(&*error).to_string(),
        format!("cannot connect to 127.0.0.1:{port}: hook on the new connection failed: no token")
    );
    let last = client.last_error().expect("an error");
    assert!(Arc::ptr_eq(&last, &error));
    assert!(!client.is_connected());
    client.retry_now();
    ping(&client.get().await.expect("connected")).await;
    assert!(client.last_error().is_none());
    accepted(&handle, 2).await;
}

#[tokio::test]
async fn a_hook_runs_without_reconnecting_too() {
    let (port, ..) = serve(0).await;
    let error = connect(("127.0.0.1", port))
        .on_connect(|connection| async move {
            let mut request = connection.send(&Draft::new("unknown")).await?;
            match request.response().await?.code() {
                Some(FastReply::ACCEPT) => Ok::<_, Box<dyn std::error::Error + Send + Sync>>(()),
                code => Err(format!("{code:?}").into()),
            }
        })
        .await
        .expect_err("nobody serves it");
    assert!(
        matches!(error.problem(), ConnectProblem::OnConnect(_)),
        "{error:?}"
    );
}

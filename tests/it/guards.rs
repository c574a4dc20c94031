//! Middleware that refuses calls of some actions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sockety::{
    CallError, Connection, Options, Outcome, Router,
    config::{Extension, Rate},
    message::Draft,
    pair,
    serve::{
        AccessCheck, ConcurrencyLimit, Incoming, IntoRouter, MessageHandler, RateLimit,
        ServeMiddleware,
    },
    service,
};
use tokio::{io::duplex, sync::Notify, time::sleep};

use crate::support::settled;

#[service(prefix = "gate.")]
trait Gate {
    #[action(alias = ["enter"])]
    async fn pass(&self) -> u32;
    async fn look(&self) -> u32;
}

struct Open;

impl Gate for Open {
    async fn pass(&self) -> u32 {
        sleep(Duration::from_secs(1)).await;
        1
    }

    async fn look(&self) -> u32 {
        2
    }
}

async fn guarded(guard: impl ServeMiddleware) -> (GateClient, sockety::Connection) {
    let router = GateServer::new(Open).into_router().layer(guard);
    let (client, server) = pair(Router::new(), router).await.expect("two");
    (GateClient::new(client), server)
}

const PASS: &[&str] = &["gate.pass"];

fn refusal<E: sockety::ServiceError>(error: &CallError<E>) -> (u16, Outcome, Option<&str>) {
    match error {
        CallError::Refused { code, reason, .. } => {
            (code.code(), error.outcome(), reason.as_deref())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_not_call_an_action_learns_why() {
    let check = AccessCheck::new(|incoming: &Incoming| {
        let key = incoming.extensions().get::<&str>();
        key.map(drop).ok_or("no key")
    });
    let (gate, server) = guarded(check.only(GateClient::DESCRIPTION, PASS)).await;
    let error = gate.pass().await.expect_err("refused");
    assert_eq!(refusal(&error), (3, Outcome::Replied, Some("no key")));
    assert_eq!(gate.look().await.expect("another action"), 2);
    server.extensions().insert("key");
    assert_eq!(gate.pass().await.expect("with a key"), 1);
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_limit_wait_and_those_beyond_that_are_not_executed() {
    let limit = ConcurrencyLimit::new(1).max_waiting(1);
    let (gate, server) = guarded(limit.only(GateClient::DESCRIPTION, PASS)).await;
    let first = tokio::spawn(gate.pass().into_future());
    settled().await;
    let second = tokio::spawn(gate.pass().into_future());
    settled().await;
    // A refusal makes no room for further calls.
    for _ in 0..3 {
        let error = gate.pass().await.expect_err("too many");
        let reason = "too many calls: the limits are 1 executing and 1 waiting";
        assert_eq!(refusal(&error), (3840, Outcome::NotExecuted, Some(reason)));
    }
    assert_eq!(gate.look().await.expect("another action"), 2);
    for call in [first, second] {
        assert_eq!(call.await.expect("no panic").expect("executed"), 1);
    }
    assert_eq!(server.stats().overloaded, 3);
    // Nor does it take any from later ones.
    let (first, second) = tokio::join!(gate.pass(), gate.pass());
    assert_eq!(first.and(second).expect("one waits for the other"), 1);
    assert_eq!(server.stats().handler_panics, 0);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_while_it_waits_is_no_overload() {
    let limit = ConcurrencyLimit::new(1).only(GateClient::DESCRIPTION, PASS);
    let (gate, _server) = guarded(limit.clone()).await;
    let (other, server) = guarded(limit).await;
    let first = tokio::spawn(gate.pass().into_future());
    settled().await;
    let second = tokio::spawn(other.pass().into_future());
    settled().await;
    other.connection().close().await;
    second.await.expect("no panic").expect_err("closed");
    settled().await;
    assert_eq!(server.stats().overloaded, 0);
    assert_eq!(first.await.expect("no panic").expect("executed"), 1);
}

/// Also those that wait in the queue of the connection itself.
#[tokio::test(start_paused = true)]
async fn calls_that_wait_when_their_connection_is_cut_are_not_executed() {
    const WAITING: usize = 3;
    for extension in [Extension::Auto, Extension::Off] {
        for executing in [256, 2] {
            let begun = Arc::new(AtomicUsize::new(0));
            let may_end = Arc::new(Notify::new());
            let (count, wait) = (Arc::clone(&begun), Arc::clone(&may_end));
            let handler = MessageHandler::new().action("hold", move |_| {
                count.fetch_add(1, Ordering::Relaxed);
                let wait = Arc::clone(&wait);
                async move { wait.notified().await }
            });
            let router = handler.into_router().layer(ConcurrencyLimit::new(1));
            let options = Options::default()
                .extension(extension)
                .max_requests_executing(executing);
            let (near, far) = duplex(1 << 16);
            let (server, client) = tokio::join!(
                Connection::over(near, router, options.clone()),
                Connection::over(far, Router::new(), options),
            );
            let (server, client) = (server.expect("a side"), client.expect("a side"));
            let mut calls = Vec::new();
            for _ in 0..=WAITING {
                calls.push(client.send(&Draft::new("hold")).await.expect("sent"));
                settled().await;
            }
            let shutdown = server.shutdown(Duration::from_millis(1_500));
            let outcomes = async {
                let mut outcomes = Vec::new();
                for mut call in calls {
                    outcomes.push(match call.response().await {
                        Ok(reply) => reply.code().expect("a code").outcome(),
                        Err(error) => error.outcome(),
                    });
                }
                // The turn of the others comes, too late.
                may_end.notify_waiters();
                outcomes
            };
            let (outcomes, ()) = tokio::join!(outcomes, shutdown);
            let what = format!("{extension:?}, {executing} executing");
            assert_eq!(outcomes[0], Outcome::Unknown, "{what}");
            assert_eq!(outcomes[1..], [Outcome::NotExecuted; WAITING], "{what}");
            settled().await;
            may_end.notify_waiters();
            settled().await;
            assert_eq!(begun.load(Ordering::Relaxed), 1, "{what}");
            assert_eq!(server.stats().overloaded, 0, "{what}");
            assert_eq!(server.stats().unanswered_messages, 0, "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_rate_are_not_executed() {
    for rate in [RateLimit::per_connection, RateLimit::total] {
        let limit = rate(Rate::new(2, 1)).only(GateClient::DESCRIPTION, PASS);
        let (gate, _server) = guarded(limit).await;
        let both = tokio::join!(gate.pass(), gate.pass());
        both.0.and(both.1).expect("as many as may");
        gate.pass().await.expect("a second later");
        let error = gate.pass().await;
        gate.look().await.expect("another action");
        assert!(error.is_ok(), "one a second");
        let (third, fourth) = tokio::join!(gate.pass(), gate.pass());
        let error = third.and(fourth).expect_err("too many");
        let (code, outcome, reason) = refusal(&error);
        assert_eq!((code, outcome), (3840, Outcome::NotExecuted));
        let reason = reason.expect("a reason");
        assert!(
            reason.ends_with(": at most 2 at once, then 1 a second"),
            "{reason}"
        );
    }
}

#[test]
#[should_panic(expected = "Gate has no action \"pass\"")]
fn a_misspelt_action_is_not_left_unguarded() {
    let _ = ConcurrencyLimit::new(1).only(GateClient::DESCRIPTION, &["pass"]);
}

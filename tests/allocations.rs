//! How often a typed call allocates, client and server together. A separate binary, because the
//! allocator counts for the whole process; one test, because tests run concurrently.

use std::alloc::System;

use sockety::{Connection, Router, Server, pair, service};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations of one call, the text of the caller included. Lower it with every one that goes.
const PER_CALL: usize = 3;

const CALLS: usize = 10_000;

#[service]
trait Echo {
    async fn echo(&self, text: String) -> String;
}

struct Parrot;

impl Echo for Parrot {
    async fn echo(&self, text: String) -> String {
        text
    }
}

#[tokio::test]
async fn a_call_allocates_no_more_often_than_it_did() {
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let address = server.local_addr().expect("an address");
    let (client, accepted) = tokio::join!(
        async { sockety::connect(address).await.expect("connected") },
        server.accept(EchoServer::new(Parrot)),
    );
    let _accepted = accepted.expect("accepted");
    check("TCP", client).await;
    let (near, _far) = pair(Router::new(), EchoServer::new(Parrot))
        .await
        .expect("two connections");
    check("memory", near).await;
}

async fn check(link: &str, connection: Connection) {
    let client = EchoClient::new(connection);
    call(&client, CALLS).await;
    let region = Region::new(ALLOCATOR);
    call(&client, CALLS).await;
    let change = region.change();
    let count = change.allocations + change.reallocations;
    eprintln!(
        "{link}: {:.2} allocations, {:.2} reallocations and {:.0} bytes in a call",
        change.allocations as f64 / CALLS as f64,
        change.reallocations as f64 / CALLS as f64,
        change.bytes_allocated as f64 / CALLS as f64,
    );
    // What happens now and then, such as the timer of a second, does not count.
    let per_call = count / CALLS;
    assert!(
        per_call <= PER_CALL,
        "{per_call} allocations in a call over {link}"
    );
}

async fn call(client: &EchoClient, times: usize) {
    for _ in 0..times {
        let text = client.echo("x".repeat(32)).await.expect("a reply");
        assert_eq!(text.len(), 32);
    }
}

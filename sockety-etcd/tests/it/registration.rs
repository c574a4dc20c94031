//! Registrations, whatever becomes of etcd, of their leases and of their processes.

use std::{
    env,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use sockety::{Router, Server, server::Drain};
use sockety_etcd::{Etcd, EtcdError, Registration, State};
use tokio::time::{sleep, timeout};

use crate::support::{EtcdServer, Found, PATIENCE, signal};

const ADDRESS: &str = "127.0.0.1:9001";
const KEY: &str = "bank/127.0.0.1:9001";
const TTL: Duration = Duration::from_secs(2);

fn register(server: &EtcdServer) -> Registration {
    let bank = Etcd::connect(&server.bank()).unwrap();
    bank.registration(ADDRESS).ttl(TTL).register().unwrap()
}

async fn registered(registration: &Registration) {
    let registered = timeout(PATIENCE, registration.registered()).await;
    registered.expect("it does not register").unwrap();
}

/// After longer than a lease lives that is not kept alive. On a busy machine it may have been replaced.
async fn is_registered(server: &EtcdServer, registration: &Registration) {
    server.get_until(KEY, Option::is_some).await;
    registered(registration).await;
}

async fn until(registration: &Registration, holds: impl Fn(&State) -> bool) -> State {
    let waiting = async {
        loop {
            let state = registration.state();
            if holds(&state) {
                return state;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = timeout(PATIENCE, waiting).await;
    waited.unwrap_or_else(|_| panic!("{registration:?}"))
}

fn is_retrying(state: &State) -> bool {
    matches!(state, State::Retrying { .. })
}

#[tokio::test]
async fn a_server_is_registered_in_the_layout_of_go() {
    let server = EtcdServer::start().await;
    let bank = Etcd::connect(&server.bank()).unwrap();
    let plain = bank.registration(ADDRESS).id("plain").register().unwrap();
    registered(&plain).await;
    assert_eq!(plain.key(), "bank/plain");
    let entry = server.get("bank/plain").await.unwrap();
    assert_eq!(entry.value_str().unwrap(), include_str!("../go/plain.json"));
    assert_ne!(entry.lease(), 0);

    let full = bank
        .registration(("localhost", 9000))
        .weight(2)
        .zone("b")
        .tls_name("bank");
    let full = full.metadata("version", "1.2").register().unwrap();
    registered(&full).await;
    let mut found = Found::by(bank);
    found
        .until_keys(&["bank/localhost:9000", "bank/plain"])
        .await;
    let endpoint = &found.servers["bank/localhost:9000"];
    assert_eq!(
        (endpoint.weight(), endpoint.zone(), endpoint.tls_name()),
        (2, Some("b"), Some("bank"))
    );
    assert_eq!(endpoint.metadata()["version"], "1.2");
}

#[tokio::test]
async fn etcd_chooses_the_time_to_live() {
    let server = EtcdServer::start().await;
    let bank = Etcd::connect(&server.bank()).unwrap();
    let registration = bank
        .registration(ADDRESS)
        .ttl(Duration::from_secs(1))
        .register()
        .unwrap();
    registered(&registration).await;
    let State::Registered { ttl, .. } = registration.state() else {
        panic!("{registration:?}");
    };
    assert_eq!(ttl, TTL);

    sleep(4 * TTL).await;
    is_registered(&server, &registration).await;
}

#[tokio::test]
async fn a_lease_that_is_gone_is_replaced() {
    let server = EtcdServer::start().await;
    let registration = register(&server);
    registered(&registration).await;
    let lease = server.get(KEY).await.unwrap().lease();
    server.client().await.lease_revoke(lease).await.unwrap();
    assert!(server.get(KEY).await.is_none());
    let entry = server.get_until(KEY, Option::is_some).await.unwrap();
    assert_ne!(entry.lease(), lease);
    registered(&registration).await;
}

#[tokio::test]
async fn a_registration_outlives_a_restart_of_etcd() {
    let mut server = EtcdServer::start().await;
    let registration = register(&server);
    registered(&registration).await;
    server.kill();
    let State::Retrying { since, error } = until(&registration, is_retrying).await else {
        unreachable!("it was waited for");
    };
    assert!(
        matches!(error, EtcdError::Client(_) | EtcdError::KeepAliveEnded),
        "{error}"
    );
    server.restart().await;
    registered(&registration).await;
    let State::Registered { since: again, .. } = registration.state() else {
        panic!("{registration:?}");
    };
    assert!(again > since);
    sleep(2 * TTL).await;
    is_registered(&server, &registration).await;
}

/// Not only when the lease is to be renewed, which would be after more than a minute.
#[tokio::test]
async fn the_end_of_etcd_is_noticed_at_once() {
    let mut server = EtcdServer::start().await;
    let bank = Etcd::connect(&server.bank()).unwrap();
    let registration = bank
        .registration(ADDRESS)
        .ttl(10 * PATIENCE)
        .register()
        .unwrap();
    registered(&registration).await;
    server.kill();
    server.wipe();
    until(&registration, is_retrying).await;
    server.restart().await;
    server.get_until(KEY, Option::is_some).await;
}

#[tokio::test]
async fn a_registration_outlives_a_loss_of_data() {
    let mut server = EtcdServer::start().await;
    let registration = register(&server);
    registered(&registration).await;
    server.kill();
    server.wipe();
    server.restart().await;
    server.get_until(KEY, Option::is_some).await;
    registered(&registration).await;
}

#[tokio::test]
async fn a_registration_outlives_an_etcd_that_hangs() {
    let server = EtcdServer::start().await;
    let bank = Etcd::new(server.client().await, "bank");
    let registration = bank.registration(ADDRESS).ttl(TTL).register().unwrap();
    registered(&registration).await;
    server.pause();
    until(&registration, |state| {
        matches!(
            state,
            State::Retrying {
                error: EtcdError::NoAnswer { .. },
                ..
            }
        )
    })
    .await;
    // Longer than the lease lives.
    sleep(3 * TTL).await;
    server.resume();
    registered(&registration).await;
    server.get_until(KEY, Option::is_some).await;
    sleep(2 * TTL).await;
    is_registered(&server, &registration).await;
}

#[tokio::test]
async fn a_registration_waits_for_etcd_to_be_started() {
    let mut server = EtcdServer::stopped();
    let registration = register(&server);
    until(&registration, is_retrying).await;
    server.restart().await;
    registered(&registration).await;
    assert!(server.get(KEY).await.is_some());
}

#[tokio::test]
async fn a_registration_is_revoked_by_a_drain() {
    let server = EtcdServer::start().await;
    let registration = register(&server);
    let other = registration.clone();
    registered(&registration).await;
    let sockety = Server::bind("127.0.0.1:0").await.unwrap();
    let handle = sockety.handle();
    handle.on_drain(|| registration.revoke());
    let serving = tokio::spawn(sockety.serve(Router::new()));
    timeout(
        PATIENCE,
        handle.drain(Drain::default().linger(Duration::ZERO)),
    )
    .await
    .unwrap();
    serving.await.unwrap().unwrap();
    assert!(server.get(KEY).await.is_none());
    assert!(matches!(other.state(), State::Revoked));
    assert!(matches!(other.registered().await, Err(EtcdError::Revoked)));
    // Again is no error.
    other.revoke().await.unwrap();
}

#[tokio::test]
async fn without_etcd_a_revocation_ends_with_an_error() {
    let mut server = EtcdServer::start().await;
    let registration = register(&server);
    registered(&registration).await;
    server.kill();
    let error = timeout(PATIENCE, registration.clone().revoke())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "no answer to revoking the lease within 4s"
    );
    assert!(matches!(registration.state(), State::Expiring { .. }));
    server.restart().await;
    server.get_until(KEY, Option::is_none).await;
}

#[tokio::test]
async fn a_registration_without_a_lease_is_revoked_at_once() {
    let server = EtcdServer::stopped();
    let registration = register(&server);
    until(&registration, is_retrying).await;
    timeout(PATIENCE, registration.revoke())
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn the_last_handle_that_is_dropped_removes_the_entry() {
    let server = EtcdServer::start().await;
    let bank = Etcd::connect(&server.bank()).unwrap();
    // Longer than the test is patient.
    let registration = bank
        .registration(ADDRESS)
        .ttl(10 * PATIENCE)
        .register()
        .unwrap();
    registered(&registration).await;
    drop(registration.clone());
    sleep(Duration::from_millis(300)).await;
    assert!(server.get(KEY).await.is_some());
    drop(registration);
    server.get_until(KEY, Option::is_none).await;
}

#[tokio::test]
async fn the_entry_of_a_successor_stays() {
    let server = EtcdServer::start().await;
    let former = register(&server);
    registered(&former).await;
    let lease = server.get(KEY).await.unwrap().lease();
    let successor = register(&server);
    registered(&successor).await;
    former.revoke().await.unwrap();
    assert_ne!(server.get(KEY).await.unwrap().lease(), lease);
    successor.revoke().await.unwrap();
    assert!(server.get(KEY).await.is_none());
}

const TARGET: &str = "SOCKETY_ETCD_TEST_TARGET";

/// The process of a server that registers, for tests that stop and kill it.
#[tokio::test]
#[ignore = "not a test, but a process that tests run"]
async fn process() {
    let Ok(target) = env::var(TARGET) else { return };
    let registration = Etcd::connect(&target)
        .unwrap()
        .registration(ADDRESS)
        .ttl(TTL);
    let _registration = registration.register().unwrap();
    std::future::pending().await
}

struct Registrar(Child);

impl Registrar {
    async fn run(server: &EtcdServer) -> Self {
        let process = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "registration::process"])
            .env(TARGET, server.bank())
            .stdout(Stdio::null())
            .spawn();
        let registrar = Self(process.unwrap());
        server.get_until(KEY, Option::is_some).await;
        registrar
    }
}

impl Drop for Registrar {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn a_server_that_is_killed_disappears() {
    let server = EtcdServer::start().await;
    let mut found = Found::by(Etcd::connect(&server.bank()).unwrap());
    found.next().await;
    let registrar = Registrar::run(&server).await;
    found.until_keys(&[KEY]).await;
    drop(registrar);
    found.until_keys(&[]).await;
    assert_eq!(found.snapshots, 1);
}

#[tokio::test]
async fn a_server_that_was_stopped_for_long_comes_back() {
    let server = EtcdServer::start().await;
    let registrar = Registrar::run(&server).await;
    let lease = server.get(KEY).await.unwrap().lease();
    signal(&registrar.0, Signal::STOP);
    server.get_until(KEY, Option::is_none).await;
    signal(&registrar.0, Signal::CONT);
    let entry = server.get_until(KEY, Option::is_some).await.unwrap();
    assert_ne!(entry.lease(), lease);
}

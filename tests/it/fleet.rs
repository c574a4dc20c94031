//! Fleets: one client for many servers.

mod bank;
mod lost;
mod shown;
mod waiting;

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::stream;
use sockety::{
    File, Options, Outcome, Server,
    client::ServiceClient,
    config::Extension,
    error::{CallError, RequestError, SendError, chain},
    fleet::{
        Change, Changes, Discover, Dns, Eject, Endpoint, EndpointState, EndpointStatus, Fleet,
        Health, Losses, Retry, Srv, TargetProblem,
    },
    server::Drain,
    tls::{TlsClient, TlsServer},
};
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

use self::bank::*;
use crate::support::{Authority, Log, is_pending};

#[tokio::test]
async fn calls_are_spread_over_all_servers() {
    let servers = [Running::start(), Running::start(), Running::start()];
    let fleet = fleet_of(&servers).await;
    let bank = fleet.client();
    let mut answered: HashMap<u16, u32> = HashMap::new();
    for _ in 0..300 {
        *answered
            .entry(bank.port().await.expect("answered"))
            .or_default() += 1;
    }
    assert_eq!(answered.len(), 3, "{answered:?}");
    assert!(fleet.endpoints().iter().all(|it| it.in_flight == 0));
}

#[tokio::test]
async fn calls_go_elsewhere_while_a_server_drains_if_there_is_another() {
    let servers = [Running::start(), Running::start()];
    let fleet = fleet_of(&servers).await;
    let bank = fleet.client();
    for (number, server) in servers.iter().enumerate() {
        let handle = server.handle.clone();
        tokio::spawn(async move { handle.drain(long_drain()).await });
        until("it drains", || {
            count(&fleet, EndpointState::Draining) == number + 1
        })
        .await;
        for _ in 0..100 {
            let port = bank.port().await.expect("answered");
            // The last one takes calls, too.
            assert!(number == 1 || port == servers[1].worker.port);
        }
    }
}

#[tokio::test]
async fn no_call_is_sent_to_an_address_where_nobody_listens() {
    let server = Running::start();
    let targets = format!("{},{}", dead().await, server.address());
    let fleet = BankClient::fleet(targets).await.expect("a fleet");
    let bank = fleet.client();
    for _ in 0..200 {
        assert_eq!(bank.port().await.expect("answered"), server.worker.port);
    }
    let endpoints = fleet.endpoints();
    let dead = endpoints.iter().find(|it| it.state != EndpointState::Ready);
    let dead = dead.expect("one is not ready");
    assert!(
        matches!(
            dead.state,
            EndpointState::Waiting | EndpointState::Connecting
        ),
        "{dead:?}"
    );
    let error = dead.error.as_ref().expect("it was tried");
    assert!(
        error.to_string().starts_with("cannot connect to"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_accepts_and_is_silent_gets_no_calls() {
    let server = Running::start();
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let targets = format!(
        "{},{}",
        silent.local_addr().expect("bound"),
        server.address()
    );
    let fleet = BankClient::fleet(targets).await.expect("a fleet");
    let bank = fleet.client();
    for _ in 0..100 {
        assert_eq!(bank.port().await.expect("answered"), server.worker.port);
    }
    assert_eq!(count(&fleet, EndpointState::Connecting), 1);
}

#[tokio::test]
async fn a_server_that_stops_in_order_costs_no_call() {
    let mut servers: Vec<_> = (0..3).map(|_| Running::start()).collect();
    let fleet = fleet_of(&servers).await;
    let callers = Callers::of(&fleet.client());
    for round in 0..6 {
        let index = round % servers.len();
        let port = servers[index].worker.port;
        servers[index].handle.shutdown(LONG).await;
        servers[index].kill();
        callers.more(100).await;
        servers[index] = Running::start_with(port, |server| server);
        all_ready(&fleet, 3).await;
    }
    callers.end().await;
}

#[tokio::test]
async fn a_call_that_a_killed_server_may_have_executed_is_repeated_only_if_it_is_idempotent() {
    let mut servers = [Running::start(), Running::start()];
    let fleet = fleet_of(&servers).await;
    let bank = fleet.client();
    for server in &servers {
        server.worker.hangs.store(true, Ordering::SeqCst);
    }
    let note = |number| {
        let bank = bank.clone();
        tokio::spawn(async move { bank.note(format!("note {number}")).await })
    };
    let find = |number| {
        let bank = bank.clone();
        tokio::spawn(async move { bank.find(format!("find {number}")).await })
    };
    let calls: Vec<_> = (0..40)
        .map(|number| {
            // Equal servers are called in turn, and each gets both.
            if number % 2 == 0 {
                (note(number), find(number))
            } else {
                let find = find(number);
                (note(number), find)
            }
        })
        .collect();
    let begun = |server: &Running| server.worker.log.events().len();
    until("all have begun", || {
        servers.iter().map(begun).sum::<usize>() == 80
    })
    .await;
    let lost = servers[0].worker.log.events();
    servers[0].kill();
    servers[1].worker.hangs.store(false, Ordering::SeqCst);
    let mut unknown = 0;
    for (note, find) in calls {
        // The budget has 10 repetitions a second and 100 calls' worth of nothing: some are not repeated.
        match find.await.expect("no panic") {
            Ok(port) => assert_eq!(port, servers[1].worker.port),
            Err(error) => assert_eq!(error.outcome(), Outcome::Unknown, "{error}"),
        }
        if let Err(error) = note.await.expect("no panic") {
            assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
            unknown += 1;
        }
    }
    let notes = |events: &[String]| {
        let notes = events.iter().filter(|event| event.starts_with("note"));
        notes.cloned().collect::<Vec<_>>()
    };
    let lost = notes(&lost);
    assert_eq!(unknown, lost.len());
    let kept = notes(&servers[1].worker.log.events());
    assert!(
        lost.iter().all(|note| !kept.contains(note)),
        "executed twice"
    );
    assert!(fleet.stats().retries.unknown > 0);
}

#[tokio::test]
async fn an_overloaded_server_refuses_and_another_one_executes() {
    let servers = [Running::start_with(0, narrow), Running::start()];
    let fleet = fleet_of(&servers).await;
    let mut busy = None;
    for bank in fleet.each() {
        if bank.port().await.expect("answered") == servers[0].worker.port {
            busy = Some(bank);
        }
    }
    let hanging = busy.expect("connected").hang().start();
    executing(&servers, 1).await;
    let bank = fleet.client();
    // It is asked once at least: a server that was not called seems to be the fastest.
    for _ in 0..50 {
        assert_eq!(bank.port().await.expect("answered"), servers[1].worker.port);
    }
    assert!(fleet.stats().retries.not_executed > 0);
    servers[0].worker.hangs.store(true, Ordering::SeqCst);
    hanging.await.expect("answered");
}

/// The budget counts seconds, not intervals of ejection.
#[tokio::test]
async fn calls_count_for_the_budget_whatever_the_interval_of_ejection() {
    let server = Running::start_with(0, narrow);
    let fleet = BankClient::fleet(server.address())
        .retry(Retry::default().budget(1.0, 0))
        .eject(Eject::off().interval(Duration::from_secs(3600)))
        .await
        .expect("a fleet");
    let bank = fleet.client();
    let hanging = tokio::spawn({
        let bank = bank.clone();
        async move { bank.hang().await }
    });
    executing(std::slice::from_ref(&server), 1).await;
    let repeated = timeout(LONG, async {
        while fleet.stats().retries.not_executed == 0 {
            let calls = (0..16).map(|_| bank.port().into_future());
            for answer in futures_util::future::join_all(calls).await {
                // Refused, and over the budget.
                if let Err(error) = answer {
                    assert_eq!(error.outcome(), Outcome::NotExecuted, "{error}");
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    repeated.await.expect("never repeated");
    server.worker.hangs.store(true, Ordering::SeqCst);
    hanging.await.expect("no panic").expect("answered");
}

/// What it carries can be read only once.
#[tokio::test]
async fn a_call_that_cannot_be_sent_again_takes_nothing_from_the_budget() {
    let server = Running::start_with(0, narrow);
    let fleet = fleet_of(std::slice::from_ref(&server)).await;
    let bank = fleet.client();
    let hanging = tokio::spawn({
        let bank = bank.clone();
        async move { bank.hang().await }
    });
    executing(std::slice::from_ref(&server), 1).await;
    for _ in 0..3 {
        let file = File::from_reader("r", 2, &b"hi"[..]);
        let error = bank.size(file).await.expect_err("refused");
        assert_eq!(error.outcome(), Outcome::NotExecuted, "{error}");
    }
    let stats = fleet.stats();
    assert_eq!((stats.retries.not_executed, stats.over_budget), (0, 0));
    let file = File::from_bytes("b", &b"hi"[..]);
    bank.size(file).await.expect_err("refused again and again");
    assert_eq!(fleet.stats().retries.not_executed, 2);
    server.worker.hangs.store(true, Ordering::SeqCst);
    hanging.await.expect("no panic").expect("answered");
}

#[tokio::test]
async fn calls_wait_until_a_server_is_ready() {
    let (changes, discover) = Scripted::new();
    let fleet = Fleet::<BankClient>::of(discover)
        .name("bank")
        .lazy()
        .expect("a fleet");
    let bank = fleet.client();
    let waiting = tokio::spawn({
        let bank = bank.clone();
        async move { bank.port().await }
    });
    let error = bank.port().timeout(Duration::from_millis(50)).await;
    let error = error.expect_err("there is no server");
    assert_eq!(error.outcome(), Outcome::NotSent);
    let text = chain(&error).to_string();
    assert!(
        text.contains("discovery of bank has not answered yet"),
        "{text}"
    );
    changes
        .send(Change::Snapshot(Vec::new()))
        .expect("it listens");
    let none = "none of the 0 known servers of bank is ready";
    let why = timeout(LONG, async {
        loop {
            let error = bank.port().timeout(Duration::from_millis(50)).await;
            let error = error.expect_err("there is no server");
            if chain(&error).to_string().contains(none) {
                return;
            }
        }
    });
    why.await.expect("it says that there is none");
    let server = Running::start();
    let all = vec![server.endpoint()];
    changes.send(Change::Snapshot(all)).expect("it listens");
    let port = timeout(LONG, waiting).await.expect("in time");
    assert_eq!(
        port.expect("no panic").expect("answered"),
        server.worker.port
    );
}

#[tokio::test]
async fn a_fleet_without_a_server_is_an_error_after_the_time_to_connect() {
    let nobody = dead().await.to_string();
    let options = Options::default().connect_timeout(Duration::from_millis(300));
    let error = BankClient::fleet(&nobody).options(options).await;
    let text = chain(&error.expect_err("nobody listens")).to_string();
    let expected = format!(
        "fleet is not ready: timed out after 300ms: none of the 1 known servers of {nobody} is ready: cannot connect to {nobody}"
    );
    assert!(text.starts_with(&expected), "{text}");
}

#[tokio::test]
async fn a_server_that_drains_gets_no_new_calls_while_it_lingers() {
    let mut servers: Vec<_> = (0..2).map(|_| Running::start()).collect();
    let fleet = fleet_of(&servers).await;
    let bank = fleet.client();
    let callers = Callers::of(&bank);
    for index in [0, 1, 0] {
        let port = servers[index].worker.port;
        let handle = servers[index].handle.clone();
        let draining = tokio::spawn(async move { handle.drain(long_drain()).await });
        until("it is left", || count(&fleet, EndpointState::Draining) == 1).await;
        for _ in 0..100 {
            assert_ne!(bank.port().await.expect("answered"), port);
        }
        servers[index].handle.shutdown(LONG).await;
        draining.await.expect("no panic");
        servers[index].kill();
        servers[index] = Running::start_with(port, |server| server);
        all_ready(&fleet, 2).await;
    }
    assert!(callers.end().await > 100);
}

#[tokio::test]
async fn the_only_server_gets_calls_while_it_lingers() {
    let server = Running::start();
    let fleet = fleet_of(std::slice::from_ref(&server)).await;
    let callers = Callers::of(&fleet.client());
    let handle = server.handle.clone();
    let draining = tokio::spawn(async move { handle.drain(long_drain()).await });
    until("it lingers", || count(&fleet, EndpointState::Draining) == 1).await;
    let bank = fleet.client();
    for _ in 0..100 {
        bank.port().await.expect("answered");
    }
    assert!(callers.end().await > 0);
    server.handle.shutdown(LONG).await;
    draining.await.expect("no panic");
}

#[tokio::test]
async fn servers_that_do_not_serve_get_calls_if_no_other_does() {
    let servers = [Running::start(), Running::start()];
    let fleet = BankClient::fleet(addresses(&servers))
        .health(Health::default().interval(Duration::from_secs(1)))
        .await
        .expect("a fleet");
    all_ready(&fleet, 2).await;
    let bank = fleet.client();
    let not_serving = async |number| {
        until("it was asked", || {
            count(&fleet, EndpointState::NotServing) == number
        })
        .await;
    };
    servers[0].handle.health().set_serving(false);
    not_serving(1).await;
    for _ in 0..100 {
        assert_eq!(bank.port().await.expect("answered"), servers[1].worker.port);
    }
    servers[1].handle.health().set_serving(false);
    not_serving(2).await;
    assert!(fleet.is_ready());
    for _ in 0..100 {
        bank.port().await.expect("answered");
    }
    // Although calls are answered, it is asked.
    let callers = Callers::of(&bank);
    servers[0].handle.health().set_serving(true);
    not_serving(1).await;
    for _ in 0..100 {
        assert_eq!(bank.port().await.expect("answered"), servers[0].worker.port);
    }
    callers.end().await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_gets_no_calls_even_if_no_other_does() {
    let server = Running::start();
    let fleet = BankClient::fleet(server.address())
        .health(
            Health::default()
                .timeout(Duration::from_millis(100))
                .interval(Duration::from_secs(1)),
        )
        .await
        .expect("a fleet");
    let _hanging = server.hang();
    until("no answer is in time", || {
        count(&fleet, EndpointState::NotServing) == 1
    })
    .await;
    assert!(!fleet.is_ready());
}

#[tokio::test]
async fn a_reserve_gets_calls_before_a_server_that_drains() {
    let servers = [Running::start(), Running::start()];
    let reserve = servers[1].endpoint().with_weight(0);
    let all = vec![servers[0].endpoint(), reserve];
    let fleet = Fleet::<BankClient>::of(all).await.expect("a fleet");
    all_ready(&fleet, 2).await;
    let bank = fleet.client();
    assert_eq!(bank.port().await.expect("answered"), servers[0].worker.port);
    let handle = servers[0].handle.clone();
    tokio::spawn(async move { handle.drain(long_drain()).await });
    until("it drains", || count(&fleet, EndpointState::Draining) == 1).await;
    for _ in 0..100 {
        assert_eq!(bank.port().await.expect("answered"), servers[1].worker.port);
    }
}

#[tokio::test]
async fn a_server_that_asks_to_keep_away_is_not_connected_to_while_it_lingers() {
    let server = Running::start();
    let fleet = fleet_of(std::slice::from_ref(&server)).await;
    // A connection that was made a moment ago is not replaced in any case.
    sleep(Duration::from_millis(1_100)).await;
    let drain = long_drain().retry_after(2 * LONG);
    let handle = server.handle.clone();
    let draining = tokio::spawn(async move { handle.drain(drain).await });
    until("it lingers", || count(&fleet, EndpointState::Draining) == 1).await;
    // Longer than another connection would take.
    sleep(Duration::from_millis(500)).await;
    assert_eq!(server.handle.stats().accepted, 1);
    server.handle.shutdown(LONG).await;
    draining.await.expect("no panic");
    until("it has left", || count(&fleet, EndpointState::Waiting) == 1).await;
}

#[tokio::test]
async fn a_fleet_that_fails_fast_does_not_wait() {
    let fleet = Fleet::<BankClient>::of(dead().await.to_string().as_str())
        .fail_fast()
        .lazy()
        .expect("a fleet");
    let error = fleet.client().port().await.expect_err("no server");
    let CallError::Request {
        error: RequestError::Send(SendError::NotConnected(_)),
        ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(error.outcome(), Outcome::NotSent);
}

#[tokio::test]
async fn a_fleet_that_fails_fast_waits_for_discovery() {
    let (changes, discover) = Scripted::new();
    let fleet = Fleet::<BankClient>::of(discover)
        .name("bank")
        .fail_fast()
        .lazy()
        .expect("a fleet");
    let bank = fleet.client();
    let error = bank.port().timeout(Duration::from_millis(50)).await;
    let text = chain(&error.expect_err("no answer yet")).to_string();
    assert!(
        text.contains("discovery of bank has not answered yet"),
        "{text}"
    );
    let waiting = tokio::spawn(async move { bank.port().await });
    sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished());
    let nobody = Endpoint::new(dead().await).expect("an address");
    changes
        .send(Change::Snapshot(vec![nobody]))
        .expect("it listens");
    let error = timeout(LONG, waiting).await.expect("at once");
    let error = error.expect("no panic").expect_err("nobody listens");
    let text = chain(&error).to_string();
    let expected = "none of the 1 known servers of bank is ready";
    assert!(text.contains(expected), "{text}");
}

#[tokio::test]
async fn servers_that_discovery_removes_finish_what_they_have() {
    let (changes, discover) = Scripted::new();
    let servers = [Running::start(), Running::start()];
    let all = servers.iter().map(Running::endpoint).collect();
    changes.send(Change::Snapshot(all)).expect("it listens");
    let fleet = Fleet::<BankClient>::of(discover).await.expect("a fleet");
    all_ready(&fleet, 2).await;
    let bank = fleet.client();
    let hanging: Vec<_> = (0..16)
        .map(|_| {
            let bank = bank.clone();
            tokio::spawn(async move { bank.hang().await })
        })
        .collect();
    executing(&servers, 16).await;
    let gone = Arc::clone(servers[0].endpoint().key());
    changes.send(Change::Remove(gone)).expect("it listens");
    until("it is gone", || fleet.endpoints().len() == 1).await;
    for _ in 0..50 {
        assert_eq!(bank.port().await.expect("answered"), servers[1].worker.port);
    }
    for server in &servers {
        server.worker.hangs.store(true, Ordering::SeqCst);
    }
    for call in hanging {
        call.await.expect("no panic").expect("answered");
    }
    until("its connection is closed", || {
        servers[0].handle.connections().is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_server_whose_calls_fail_is_ejected_and_comes_back_after_a_probe() {
    let (bad, good) = (Running::start(), Running::start());
    let targets = format!("{},{}", bad.address(), good.address());
    let fleet = BankClient::fleet(targets)
        .retry(Retry::none())
        .eject(Eject::default().time(Duration::from_millis(1500)))
        .await
        .expect("a fleet");
    all_ready(&fleet, 2).await;
    let bank = fleet.client();
    bad.worker.hangs.store(true, Ordering::SeqCst);
    fail_until_ejected(&fleet).await;
    until("it is ejected", || {
        count(&fleet, EndpointState::Ejected) == 1
    })
    .await;
    for _ in 0..100 {
        assert_eq!(bank.port().await.expect("answered"), good.worker.port);
    }
    bad.worker.hangs.store(false, Ordering::SeqCst);
    all_ready(&fleet, 2).await;
}

/// It is asked again also while something else comes from it, such as heartbeats.
#[tokio::test]
async fn a_server_that_serves_again_gets_calls_though_it_is_not_quiet() {
    let server = Running::start();
    let health = Health::default().interval(Duration::from_secs(1));
    let fleet = BankClient::fleet(server.address())
        .health(health)
        .await
        .expect("a fleet");
    all_ready(&fleet, 1).await;
    server.handle.health().set_serving(false);
    until("it says that it does not serve", || {
        count(&fleet, EndpointState::NotServing) == 1
    })
    .await;

    let connection = server.handle.connections().remove(0);
    let chatter = tokio::spawn(async move {
        while sockety::health::check(&connection).await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    });
    // It is asked at least once before it serves.
    sleep(Duration::from_secs(2)).await;
    server.handle.health().set_serving(true);
    all_ready(&fleet, 1).await;
    assert!(!chatter.is_finished());
    chatter.abort();
}

/// Fails enough calls on one of two servers, by killing it, so that it is ejected.
async fn kill_under_load(fleet: &Fleet<BankClient>, server: &mut Running) {
    let ejections = fleet.stats().ejections;
    let (mut hanging, handle) = (JoinSet::new(), server.handle.clone());
    until("it has some", || {
        let bank = fleet.client();
        hanging.spawn(async move { bank.hang().await });
        handle.traffic().requests_executing >= 5
    })
    .await;
    server.kill();
    until("it is ejected", || fleet.stats().ejections > ejections).await;
}

#[tokio::test]
async fn a_server_that_was_killed_and_started_again_comes_back_at_once_but_not_again_and_again() {
    let mut servers = [Running::start(), Running::start()];
    // No ejection is forgotten meanwhile.
    let hour = Duration::from_secs(3600);
    let fleet = BankClient::fleet(addresses(&servers))
        .eject(Eject::default().time(hour).interval(hour))
        .retry(Retry::none())
        .await
        .expect("a fleet");
    all_ready(&fleet, 2).await;
    let port = servers[0].worker.port;
    kill_under_load(&fleet, &mut servers[0]).await;
    servers[0] = Running::start_with(port, |server| server);
    all_ready(&fleet, 2).await;
    assert_eq!(fleet.stats().ejections, 1);

    kill_under_load(&fleet, &mut servers[0]).await;
    servers[0] = Running::start_with(port, |server| server);
    let is_connected = |it: &EndpointStatus| it.connections == 1;
    until("it is connected to", || {
        fleet.endpoints().iter().all(is_connected)
    })
    .await;
    // Longer than a probe would take.
    sleep(Duration::from_millis(1_500)).await;
    assert_eq!(count(&fleet, EndpointState::Ejected), 1);
}

#[tokio::test]
async fn errors_of_the_service_eject_nobody() {
    let servers = [Running::start(), Running::start()];
    let fleet = fleet_of(&servers).await;
    let bank = fleet.client();
    for _ in 0..200 {
        let error = bank.fail().await.expect_err("refused");
        assert_eq!(error.outcome(), Outcome::Replied);
    }
    assert_eq!(fleet.stats().ejections, 0);
}

#[tokio::test]
async fn the_last_client_ends_the_fleet() {
    let servers = [Running::start(), Running::start()];
    let fleet = fleet_of(&servers).await;
    let bank = fleet.client();
    drop(fleet);
    bank.port().await.expect("answered");
    let last = tokio::spawn({
        let bank = bank.clone();
        async move { bank.hang().await }
    });
    executing(&servers, 1).await;
    drop(bank);
    for server in &servers {
        server.worker.hangs.store(true, Ordering::SeqCst);
    }
    last.await.expect("no panic").expect("answered");
    until("all connections are closed", || {
        servers
            .iter()
            .all(|server| server.handle.connections().is_empty())
    })
    .await;
}

#[tokio::test]
async fn closing_a_client_closes_all_connections() {
    let servers = [Running::start(), Running::start()];
    let fleet = fleet_of(&servers).await;
    let bank = fleet.client();
    bank.connection().close().await;
    until("all connections are closed", || {
        servers
            .iter()
            .all(|server| server.handle.connections().is_empty())
    })
    .await;
    let error = bank.port().await.expect_err("closed");
    assert_eq!(error.outcome(), Outcome::NotSent);
    let error = fleet.client().port().await.expect_err("closed");
    assert_eq!(error.outcome(), Outcome::NotSent);
}

#[tokio::test]
async fn a_reserve_takes_no_place_in_a_subset() {
    let servers: Vec<_> = (0..8).map(|_| Running::start()).collect();
    // Which ones are chosen is random for each fleet.
    for _ in 0..8 {
        let weights = [1, 0, 0, 0, 0, 0, 0, 0];
        let all = servers.iter().zip(weights);
        let all: Vec<_> = all
            .map(|(server, weight)| server.endpoint().with_weight(weight))
            .collect();
        let fleet = Fleet::<BankClient>::of(all).subset(1).await;
        let fleet = fleet.expect("a fleet");
        all_ready(&fleet, 2).await;
        assert_eq!(count(&fleet, EndpointState::Unused), 6);
        for _ in 0..10 {
            let port = fleet.client().port().await.expect("answered");
            assert_eq!(port, servers[0].worker.port);
        }
    }
}

#[tokio::test]
async fn attempts_to_connect_to_servers_that_were_removed_end() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = silent.local_addr().expect("bound");
    let (changes, discover) = Scripted::new();
    // More than are connected to at a time; the silent server accepts, and says nothing.
    let many = (0..40).map(|number| {
        let key = format!("silent-{number}");
        Endpoint::new(address).expect("an address").with_key(key)
    });
    changes
        .send(Change::Snapshot(many.collect()))
        .expect("it listens");
    let options = Options::default().connect_timeout(Duration::from_secs(3600));
    let fleet = Fleet::<BankClient>::of(discover).options(options);
    let fleet = fleet.lazy().expect("a fleet");
    until("all places are taken", || {
        count(&fleet, EndpointState::Connecting) == 32
    })
    .await;
    let server = Running::start();
    let all = vec![server.endpoint()];
    changes.send(Change::Snapshot(all)).expect("it listens");
    all_ready(&fleet, 1).await;
}

/// Servers outside of the subset are not missing: they neither end ejection, nor allow more of it, nor keep the zone from being
/// preferred.
#[tokio::test]
async fn a_server_of_a_subset_is_ejected_like_any_other() {
    let servers: Vec<_> = (0..6).map(|_| Running::start()).collect();
    let fleet = BankClient::fleet(addresses(&servers))
        .subset(2)
        .retry(Retry::none())
        .eject(Eject::default().time(LONG))
        .await
        .expect("a fleet");
    all_ready(&fleet, 2).await;
    let is_used = |server: &&Running| !server.handle.connections().is_empty();
    let used: Vec<_> = servers.iter().filter(is_used).collect();
    let (bad, good) = (used[0], used[1]);
    bad.worker.hangs.store(true, Ordering::SeqCst);
    fail_until_ejected(&fleet).await;
    let bank = fleet.client();
    until("it is ejected", || {
        count(&fleet, EndpointState::Ejected) == 1
    })
    .await;
    assert!(!fleet.stats().is_panicking);
    for _ in 0..100 {
        assert_eq!(bank.port().await.expect("answered"), good.worker.port);
    }
    bad.worker.hangs.store(false, Ordering::SeqCst);
}

#[tokio::test]
async fn a_shutdown_waits_for_the_calls_of_a_server_that_drains() {
    let servers = [Running::start(), Running::start()];
    let fleet = fleet_of(&servers).await;
    let bank = fleet.client();
    let hanging: Vec<_> = (0..8)
        .map(|_| {
            let bank = bank.clone();
            tokio::spawn(async move { bank.hang().await })
        })
        .collect();
    executing(&servers, 8).await;
    assert!(servers[0].executing() > 0);
    let handle = servers[0].handle.clone();
    let draining = tokio::spawn(async move { handle.drain(Drain::default()).await });
    until("it drains", || count(&fleet, EndpointState::Draining) == 1).await;
    servers[1].worker.hangs.store(true, Ordering::SeqCst);
    until("the other has finished", || servers[1].executing() == 0).await;

    let mut shutdown = Box::pin(fleet.shutdown(LONG));
    let waits = timeout(Duration::from_millis(200), &mut shutdown).await;
    assert!(waits.is_err(), "it waits for the calls under way");
    servers[0].worker.hangs.store(true, Ordering::SeqCst);
    for call in hanging {
        call.await.expect("no panic").expect("answered");
    }
    shutdown.await;
    servers[0].handle.stop();
    draining.await.expect("no panic");
}

/// No call waits for a fleet that nobody runs any longer.
async fn assert_ended(fleet: &Fleet<BankClient>) {
    until("it has ended", || !fleet.is_ready()).await;
    let bank = fleet.client();
    let error = timeout(LONG, bank.port()).await.expect("it does not wait");
    let error = error.expect_err("ended");
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(
        chain(&error).to_string().contains("has ended"),
        "{}",
        chain(&error)
    );
    timeout(LONG, fleet.ready())
        .await
        .expect("it does not wait");
    assert!(fleet.endpoints().is_empty());
}

#[tokio::test]
async fn a_fleet_ends_with_its_runtime() {
    let server = Running::start();
    let runtime = Runtime::new().expect("a runtime");
    let address = server.address();
    let made = runtime.spawn(async move { BankClient::fleet(address).await });
    let fleet = made.await.expect("no panic").expect("a fleet");
    let bank = fleet.client();
    bank.port().await.expect("another runtime may call");
    runtime.shutdown_background();
    assert_ended(&fleet).await;
}

#[tokio::test]
async fn a_discovery_that_panics_ends_the_fleet() {
    struct Panics(Option<Endpoint>, Arc<tokio::sync::Notify>);

    impl Discover for Panics {
        fn changes(self) -> Changes {
            Box::pin(stream::unfold(self, |mut it| async move {
                let Some(endpoint) = it.0.take() else {
                    it.1.notified().await;
                    panic!("a panic of discovery, as the test wants it");
                };
                Some((Ok(Change::Insert(endpoint)), it))
            }))
        }
    }

    let server = Running::start();
    let now = Arc::new(tokio::sync::Notify::new());
    let discover = Panics(Some(server.endpoint()), Arc::clone(&now));
    let fleet = Fleet::<BankClient>::of(discover).await.expect("a fleet");
    fleet.client().port().await.expect("answered");
    now.notify_one();
    assert_ended(&fleet).await;

    now.notify_one();
    let made = Fleet::<BankClient>::of(Panics(None, now)).await;
    let error = made.expect_err("it has ended before a server was ready");
    assert!(
        chain(&error).to_string().contains("has ended"),
        "{}",
        chain(&error)
    );
}

#[tokio::test]
async fn servers_that_do_not_answer_do_not_keep_others_from_being_connected_to() {
    const SILENT: usize = 160;
    let server = Running::start();
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = silent.local_addr().expect("bound");
    let accepting = tokio::spawn(async move {
        let mut accepted = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            accepted.push(stream);
        }
    });
    let endpoint = Endpoint::new(address).expect("an address");
    let mut all: Vec<_> = (0..SILENT)
        .map(|number| endpoint.clone().with_key(format!("a{number:03}")))
        .collect();
    all.push(server.endpoint().with_key("b"));
    let (changes, discover) = Scripted::new();
    changes.send(Change::Snapshot(all)).expect("it listens");
    let options = Options::default().handshake_timeout(Duration::from_millis(200));
    let fleet = Fleet::<BankClient>::of(discover)
        .options(options)
        .lazy()
        .expect("a fleet");
    timeout(LONG, fleet.ready())
        .await
        .expect("it is connected to");
    // Each of the others has had its turn at most, and those that were begun meanwhile.
    let failed = fleet.stats().failed_connects;
    assert!(
        failed < 2 * SILENT as u64,
        "{failed} attempts failed before"
    );
    accepting.abort();
}

#[tokio::test]
async fn the_time_to_reply_is_known_after_the_first_one() {
    let server = Running::start();
    let fleet = fleet_of(std::slice::from_ref(&server)).await;
    assert_eq!(fleet.endpoints()[0].latency, None);
    fleet.client().port().await.expect("answered");
    assert!(fleet.endpoints()[0].latency.is_some());
}

#[tokio::test]
async fn the_time_to_the_reply_of_a_long_poll_is_no_latency() {
    let server = Running::start();
    let fleet = fleet_of(std::slice::from_ref(&server)).await;
    let bank = fleet.client();
    let latency = || fleet.endpoints()[0].latency;
    server.worker.hangs.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        bank.wait().await.expect("answered");
        // Another way through the client.
        bank.wait().timeout(LONG).await.expect("answered");
    }
    assert_eq!(latency(), None);
    bank.hang().await.expect("answered");
    assert!(latency().is_some());
}

#[tokio::test]
async fn base_servers_are_a_fleet_too() {
    let base = |server: Server| server.options(Options::default().extension(Extension::Off));
    let mut servers = [Running::start_with(0, base), Running::start_with(0, base)];
    let fleet = fleet_of(&servers).await;
    let bank = fleet.client();
    for _ in 0..50 {
        bank.port().await.expect("answered");
    }
    servers[0].kill();
    until("one is left", || count(&fleet, EndpointState::Ready) == 1).await;
    for _ in 0..50 {
        assert_eq!(bank.port().await.expect("answered"), servers[1].worker.port);
    }
}

#[tokio::test]
async fn a_call_is_timed_out_or_cancelled_as_on_one_connection() {
    let servers = [Running::start(), Running::start()];
    let fleet = fleet_of(&servers).await;
    let bank = fleet.client();
    let error = bank.hang().timeout(Duration::from_millis(50)).await;
    let error = error.expect_err("it hangs");
    assert!(
        matches!(error.outcome(), Outcome::Unknown | Outcome::Executed),
        "{error:?}"
    );
    let mut call = Box::pin(bank.hang());
    assert!(timeout(Duration::from_millis(50), &mut call).await.is_err());
    drop(call);
    let started = bank.hang().start();
    sleep(Duration::from_millis(50)).await;
    let cancelled = started.cancel().await;
    assert_eq!(cancelled.outcome(), Outcome::Executed);
    until("all handlers have ended", || {
        servers.iter().map(Running::executing).sum::<usize>() == 0
    })
    .await;
    assert!(fleet.endpoints().iter().all(|it| it.in_flight == 0));
    until("no answer is waited for", || {
        let waiting = |bank: &BankClient| bank.connection().traffic().requests_waiting;
        fleet.each().iter().map(waiting).sum::<usize>() == 0
    })
    .await;
}

const NO_NAME: &str = "has an invalid name: labels of 1 to 63 letters, digits, `-` and `_`, joined by dots, at most 253 bytes";

#[tokio::test]
async fn a_text_that_names_no_fleet_is_refused() {
    for (text, problem) in [
        ("", "names no server"),
        (" , ", "names no server"),
        (
            "ftp://bank",
            "has a scheme other than dns:// and srv://, and those of addresses",
        ),
        (
            "etcd://localhost:2379/bank",
            "needs the crate `sockety-etcd`: pass `sockety_etcd::Etcd` instead of a text",
        ),
        (
            "localhost",
            "has the address \"localhost\", which has no port",
        ),
        ("dns://bank", "has the address \"bank\", which has no port"),
        ("dns:///bank:9000", NO_NAME),
        ("dns://a b:9000", NO_NAME),
        ("srv://_bank._tcp.example.com:9000", NO_NAME),
        ("srv://", NO_NAME),
    ] {
        let error = BankClient::fleet(text).lazy().expect_err(text);
        assert_eq!(error.to_string(), format!("fleet {text:?} {problem}"));
        assert_eq!(error.text(), text);
    }
    let error = BankClient::fleet("").lazy().expect_err("empty");
    assert_eq!(error.problem(), &TargetProblem::Empty);
    let error = Dns::new("bank").expect_err("no port");
    assert_eq!(error.text(), "bank");
    let error = Srv::new("a..b").expect_err("an empty label");
    assert_eq!(error.problem(), &TargetProblem::Name);
}

#[tokio::test]
async fn an_ip_address_is_looked_up_nowhere() {
    let server = Running::start();
    let fleet = BankClient::fleet(format!("dns://{}", server.address()));
    let fleet = fleet.await.expect("a fleet");
    let port = fleet.client().port().await.expect("a port");
    assert_eq!(port, server.worker.port);
    assert_eq!(fleet.name(), format!("dns://{}", server.address()));
}

#[tokio::test]
async fn discovery_learns_that_a_connection_was_lost() {
    /// A list that says when its fleet has lost a connection.
    struct Told(Vec<Endpoint>, Option<Losses>, mpsc::UnboundedSender<()>);

    impl Discover for Told {
        fn changes(self) -> Changes {
            let mut losses = self.1.expect("they come before");
            tokio::spawn(async move {
                loop {
                    losses.next().await;
                    self.2.send(()).expect("the test waits");
                }
            });
            self.0.changes()
        }

        fn watch_losses(&mut self, losses: Losses) {
            self.1 = Some(losses);
        }
    }

    let mut server = Running::start();
    let (told, mut losses) = mpsc::unbounded_channel();
    let fleet = BankClient::fleet(Told(vec![server.endpoint()], None, told));
    let fleet = fleet.await.expect("a fleet");
    fleet.client().port().await.expect("a port");
    assert!(losses.try_recv().is_err(), "nothing was lost yet");
    server.kill();
    let lost = timeout(LONG, losses.recv()).await;
    lost.expect("a loss").expect("it is told");
}

#[tokio::test]
async fn a_client_may_have_middleware() {
    let servers = [Running::start(), Running::start()];
    let fleet = fleet_of(&servers).await;
    let seen = Log::default();
    let bank = fleet.client().layer({
        let seen = seen.clone();
        move |call: sockety::client::OutgoingCall, next: sockety::client::CallNext| {
            seen.note(call.action().to_owned());
            next.run(call)
        }
    });
    let mut ports = Vec::new();
    for _ in 0..60 {
        ports.push(bank.port().await.expect("answered"));
    }
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 2);
    assert_eq!(seen.events().len(), 60);
}

#[tokio::test]
async fn a_subset_has_the_servers_that_it_may_have() {
    let servers: Vec<_> = (0..5).map(|_| Running::start()).collect();
    let fleet = BankClient::fleet(addresses(&servers))
        .subset(2)
        .health(Health::off())
        .await
        .expect("a fleet");
    all_ready(&fleet, 2).await;
    assert_eq!(count(&fleet, EndpointState::Unused), 3);
    let connected = |server: &&Running| !server.handle.connections().is_empty();
    assert_eq!(servers.iter().filter(connected).count(), 2);
}

#[tokio::test]
async fn no_change_of_the_servers_is_missed() {
    let (changes, discover) = Scripted::new();
    let fleet = Fleet::<BankClient>::of(discover).lazy().expect("a fleet");
    let servers: Vec<_> = (0..4).map(|_| Running::start()).collect();
    // Nothing changes any more when they are ready.
    let insert = async |number: usize| {
        let endpoint = servers[number].endpoint();
        changes.send(Change::Insert(endpoint)).expect("it listens");
        all_ready(&fleet, number + 1).await;
    };
    let has_changed = async |fleet: &Fleet<BankClient>| {
        timeout(LONG, fleet.changed())
            .await
            .expect("it has changed");
    };
    // Before anybody waits, and between two waits.
    for number in 0..2 {
        insert(number).await;
        has_changed(&fleet).await;
    }
    let clone = fleet.clone();
    insert(2).await;
    has_changed(&fleet).await;
    has_changed(&clone).await;
    // A wait that is dropped notices nothing.
    let mut dropped = Box::pin(fleet.changed());
    assert!(is_pending(&mut dropped).await);
    insert(3).await;
    drop(dropped);
    has_changed(&fleet).await;
}

#[tokio::test]
async fn each_server_can_be_called() {
    let servers = [Running::start(), Running::start()];
    let fleet = BankClient::fleet(addresses(&servers))
        .connections_per_endpoint(2)
        .await
        .expect("a fleet");
    until("all connections are open", || fleet.each().len() == 4).await;
    let mut ports = Vec::new();
    for bank in fleet.each() {
        ports.push(bank.port().await.expect("answered"));
    }
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 2);
}

/// A fleet of one server, whose certificate is one for `bank.internal`, and which discovery knows by this name.
async fn over_tls(known: &str, said: Option<&str>) -> Result<Fleet<BankClient>, String> {
    let authority = Authority::new("Authority");
    let identity = authority.issue(&["bank.internal"]).identity();
    let tls = TlsServer::new(identity);
    let server = Running::start_with(0, |server| server.tls(tls));
    let mut tls = TlsClient::new(&authority.roots());
    if let Some(name) = said {
        tls = tls.server_name(name).expect("a name");
    }
    let all = vec![server.endpoint().with_tls_name(known)];
    let options = Options::default().connect_timeout(Duration::from_secs(2));
    let fleet = BankClient::fleet(all).tls(tls).options(options).await;
    let fleet = fleet.map_err(|error| chain(&error).to_string())?;
    let port = fleet.client().port().await.expect("answered");
    assert_eq!(port, server.worker.port);
    Ok(fleet)
}

#[tokio::test]
async fn the_certificate_of_a_server_has_the_name_that_discovery_or_the_user_says() {
    over_tls("bank.internal", None).await.expect("its name");
    let error = over_tls("other.internal", None).await;
    let error = error.expect_err("another name");
    assert!(error.contains("TLS handshake failed"), "{error}");
    // A discovery does not choose whom the user trusts.
    let said = Some("bank.internal");
    over_tls("other.internal", said)
        .await
        .expect("the name that was said");
    let said = Some("other.internal");
    over_tls("bank.internal", said)
        .await
        .expect_err("another name");
}

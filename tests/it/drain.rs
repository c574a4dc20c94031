//! Health, and how a server leaves a fleet.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sockety::{
    Connection, FastReply, Options, Router, Server, connect,
    error::{CallError, ConnectionError, LeaveReason, LimitExceeded, RequestError},
    health::{self, HealthStatus},
    message::Draft,
    serve::{FirstMessage, Incoming, IntoRouter, Message, MessageHandler, ServeNext},
    server::{Drain, ServerHandle},
    service,
};
use tokio::{
    io::duplex,
    net::TcpListener,
    sync::{Notify, Semaphore},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::support::{
    Log, OFFER, PIPE, Peer, base, code_of, dialogue, id, is_pending, message, ping, ping_handler,
    settled, waiting_handler,
};

const HEALTH: &str = "$sockety.health";

#[service]
trait Bank {
    async fn balance(&self) -> u64;
}

struct Vault;

impl Bank for Vault {
    async fn balance(&self) -> u64 {
        7
    }
}

/// A server without sockets, so that a test can pause the clock.
fn serving(serve: impl IntoRouter) -> (ServerHandle, JoinHandle<std::io::Result<()>>) {
    let server = Server::new();
    let handle = server.handle();
    let router = serve.into_router();
    (handle, tokio::spawn(server.serve(router)))
}

async fn client_with(handle: &ServerHandle, options: Options) -> Connection {
    let (near, far) = duplex(PIPE);
    handle.serve_link(near, None).await.expect("taken");
    let connection = Connection::over(far, Router::new(), options).await;
    connection.expect("a connection")
}

/// A client that the server knows.
async fn client(handle: &ServerHandle) -> Connection {
    let client = client_with(handle, Options::default()).await;
    ping(&client).await;
    client
}

async fn health_of(connection: &Connection) -> HealthStatus {
    health::check(connection).await.expect("an answer")
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn start(handle: &ServerHandle, drain: Drain) -> JoinHandle<Duration> {
    let (handle, begun) = (handle.clone(), Instant::now());
    tokio::spawn(async move {
        handle.drain(drain).await;
        begun.elapsed()
    })
}

// Health.

#[tokio::test(start_paused = true)]
async fn a_server_says_how_it_and_its_services_are() {
    let server = Server::new();
    let (handle, health) = (server.handle(), server.health());
    tokio::spawn(server.serve(BankServer::new(Vault)));
    for options in [Options::default(), base()] {
        let client = client_with(&handle, options).await;
        let of = async |name: &str| {
            let asked = health::check_service(&client, name).await;
            asked.expect("an answer")
        };
        assert_eq!(health_of(&client).await, HealthStatus::Serving);
        assert_eq!(of("Bank").await, HealthStatus::Serving);
        assert_eq!(of("Mint").await, HealthStatus::UnknownService);

        health.set_service_serving("Bank", false);
        assert_eq!(of("Bank").await, HealthStatus::NotServing);
        assert_eq!(health_of(&client).await, HealthStatus::Serving);
        health.set_service_serving("Bank", true);

        handle.health().set_serving(false);
        assert_eq!(health_of(&client).await, HealthStatus::NotServing);
        assert_eq!(of("Bank").await, HealthStatus::NotServing);
        assert_eq!(BankClient::new(client.clone()).balance().await.unwrap(), 7);
        handle.health().set_serving(true);
    }
}

#[tokio::test(start_paused = true)]
async fn each_code_of_a_peer_has_its_meaning() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    for (code, status) in [
        (0, Some(HealthStatus::Serving)),
        (1, Some(HealthStatus::NotServing)),
        (2, Some(HealthStatus::Serving)),
        (4, Some(HealthStatus::UnknownService)),
        (3, None),
        (3840, None),
    ] {
        let asked = connection.clone();
        let asked = tokio::spawn(async move { health::check_service(&asked, "Bank").await });
        let (id, payload) = peer.expect_message(HEALTH).await;
        assert_eq!(payload, b"Bank");
        peer.reply(id, code).await;
        match (asked.await.expect("no panic"), status) {
            (Ok(found), Some(status)) => assert_eq!(found, status, "code {code}"),
            (Err(CallError::Refused { code: found, .. }), None) => {
                assert_eq!(found.code(), code);
            }
            (found, _) => panic!("code {code}: {found:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_answer_is_an_error() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let mut asked = Box::pin(health::check(&connection));
    assert!(is_pending(&mut asked).await);
    peer.expect_message(HEALTH).await;
    let error = asked.await.expect_err("no answer");
    assert!(
        matches!(
            error,
            CallError::Request {
                error: RequestError::TimedOut { .. },
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn health_is_answered_before_authorization_and_while_it_is_judged() {
    let gate = Arc::new(Semaphore::new(0));
    let judge = Arc::clone(&gate);
    let log = Log::default();
    let seen = log.clone();
    let router = BankServer::new(Vault)
        .into_router()
        .layer(move |incoming: Incoming, next: ServeNext| {
            seen.note("middleware");
            async move {
                next.run(incoming).await;
            }
        })
        .authorize(move |first: FirstMessage| {
            let judge = Arc::clone(&judge);
            async move {
                judge.acquire().await.expect("open").forget();
                first.accept()
            }
        });
    let (connection, mut peer) = dialogue(router).await;
    peer.ask(id(0), HEALTH, b"").await;
    peer.expect_code(id(0), 0).await;
    peer.ask(id(1), "auth", b"").await;
    peer.ask(id(2), "balance", b"").await;
    peer.ask(id(3), HEALTH, b"Bank").await;
    peer.expect_code(id(3), 0).await;
    peer.ask(id(4), HEALTH, b"Mint").await;
    peer.expect_code(id(4), 4).await;
    // Nobody waits for an answer.
    peer.tell(id(5), HEALTH, b"").await;
    peer.expect_silence().await;
    assert!(!connection.is_authorized());
    gate.add_permits(1);
    settled().await;
    assert!(connection.is_authorized());
    peer.expect_code(id(1), 0).await;
    peer.expect_response(id(2)).await;
    // That of the call alone.
    assert_eq!(log.events(), ["middleware"]);
}

#[tokio::test(start_paused = true)]
async fn a_question_in_pieces_is_answered_like_a_whole_one() {
    let log = Log::default();
    let seen = log.clone();
    let router =
        BankServer::new(Vault)
            .into_router()
            .layer(move |incoming: Incoming, next: ServeNext| {
                seen.note("middleware");
                async move {
                    next.run(incoming).await;
                }
            });
    let authorized = router
        .clone()
        .authorize(async |first: FirstMessage| first.refuse());
    for router in [router, authorized] {
        let (_connection, mut peer) = dialogue(router).await;
        for (number, (name, code)) in (0..).zip([("", 0), ("Bank", 0), ("Mint", 4)]) {
            let question = message(id(number), HEALTH, true, name.as_bytes());
            for byte in question {
                peer.send_bytes(&[byte]).await;
                settled().await;
            }
            peer.expect_code(id(number), code).await;
        }
    }
    assert!(log.events().is_empty());
}

#[tokio::test(start_paused = true)]
async fn health_needs_no_slot() {
    let options = base().max_requests_executing(1).max_queued_requests(0);
    let (near, far) = duplex(PIPE);
    let mut peer = Peer::silent(far);
    peer.send("E2 00 01").await;
    let connection = Connection::over(near, waiting_handler(), options).await;
    let connection = connection.expect("connected");
    peer.expect("E2 00 01").await;
    peer.ask(id(0), "wait", b"").await;
    settled().await;
    assert_eq!(connection.traffic().requests_executing, 1);
    peer.ask(id(1), HEALTH, b"").await;
    peer.expect_code(id(1), 0).await;
}

#[tokio::test(start_paused = true)]
async fn t_m23_no_more_questions_are_read_than_answers_are() {
    let router = Router::new().authorize(async |first: FirstMessage| first.refuse());
    let (connection, mut peer) = dialogue(router).await;
    let questions = (0..50_000).flat_map(|number| message(id(number), HEALTH, true, b""));
    let questions: Vec<u8> = questions.collect();
    assert!(!peer.try_send_bytes(&questions).await, "no answer is read");
    let error = connection.closed().await;
    assert!(
        matches!(
            error,
            ConnectionError::Limit(LimitExceeded::ReplyBacklog(_))
        ),
        "{error:?}"
    );
}

// The order of a drain.

#[tokio::test(start_paused = true)]
async fn a_drain_says_no_then_deregisters_then_lingers_then_shuts_down() {
    let (handle, served) = serving(ping_handler());
    let (client, base) = (client(&handle).await, client_with(&handle, base()).await);
    ping(&base).await;
    let log = Log::default();
    for name in ["first", "second"] {
        let (log, client, health) = (log.clone(), client.clone(), handle.health());
        handle.on_drain(move || {
            log.note(format!("{name} begins"));
            async move {
                sleep(seconds(1)).await;
                assert!(!health.is_serving());
                assert_eq!(client.peer_going_away(), None);
                log.note(format!("{name} ends"));
                Ok::<(), std::io::Error>(())
            }
        });
    }
    let drain = Drain::default().retry_after(seconds(9));
    let drained = start(&handle, drain);
    settled().await;
    assert_eq!(health_of(&client).await, HealthStatus::NotServing);
    assert_eq!(client.peer_going_away(), None);
    assert_eq!(log.events(), ["first begins", "second begins"]);

    sleep(Duration::from_millis(1_500)).await;
    assert_eq!(
        log.events(),
        ["first begins", "second begins", "first ends", "second ends"]
    );
    let why = client.peer_going_away().expect("it said so");
    assert_eq!(
        (why.reason, why.grace, why.retry_after),
        (LeaveReason::LameDuck, seconds(5), seconds(9))
    );
    // A peer without the extension has no word for it.
    assert_eq!(base.peer_going_away(), None);
    for client in [&client, &base] {
        ping(client).await;
        assert_eq!(health_of(client).await, HealthStatus::NotServing);
    }
    assert!(!served.is_finished());

    sleep(seconds(4)).await;
    ping(&client).await;
    ping(&base).await;
    sleep(seconds(1)).await;
    // From here on it is a shutdown.
    let why = client.peer_going_away().expect("it said so");
    assert_eq!(
        (why.reason, why.retry_after),
        (LeaveReason::Shutdown, seconds(9))
    );
    let late = client.send(&Draft::new("ping")).await;
    late.map(drop).expect_err("it takes nothing new");
    assert!(base.peer_going_away().is_some());
    let (near, _far) = duplex(PIPE);
    assert!(handle.serve_link(near, None).await.is_err());
    let took = drained.await.expect("no panic");
    // A base peer is waited for, as it does not say when it is done.
    assert!((6..=10).contains(&took.as_secs()), "{took:?}");
    served.await.expect("no panic").expect("served");
}

#[tokio::test(start_paused = true)]
async fn connections_made_while_it_lingers_are_served_and_told_at_once() {
    let (handle, _served) = serving(ping_handler());
    let drained = start(&handle, Drain::default());
    sleep(seconds(2)).await;
    let late = client(&handle).await;
    let why = late.peer_going_away().expect("it said so");
    assert_eq!(why.reason, LeaveReason::LameDuck);
    assert_eq!(why.grace, seconds(3));
    sleep(Duration::from_millis(2_900)).await;
    ping(&late).await;
    sleep(Duration::from_millis(200)).await;
    assert_eq!(
        late.peer_going_away().expect("still").reason,
        LeaveReason::Shutdown
    );
    drained.await.expect("no panic");
    assert_eq!(handle.stats().connections, 0);
}

#[tokio::test(start_paused = true)]
async fn calls_begun_before_and_during_the_linger_end() {
    let handler = ping_handler().action("slow", |_| async {
        sleep(seconds(10)).await;
        FastReply::ACCEPT
    });
    let (handle, _served) = serving(handler);
    let client = client(&handle).await;
    let before = client.send(&Draft::new("slow")).await.expect("sent");
    let drained = start(&handle, Drain::default());
    sleep(seconds(4)).await;
    let during = client.send(&Draft::new("slow")).await.expect("sent");
    assert_eq!(code_of(before).await, 0);
    assert_eq!(code_of(during).await, 0);
    let took = drained.await.expect("no panic");
    assert!((13..=15).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_at_its_limit() {
    for (drain, longest) in [
        (Drain::default().max(seconds(8)), 8),
        // The linger is part of it.
        (Drain::default().linger(seconds(60)).max(seconds(8)), 8),
        (Drain::default().linger(Duration::ZERO).max(seconds(3)), 3),
        (Drain::default().max(Duration::ZERO), 0),
    ] {
        let (handle, _served) = serving(waiting_handler());
        let client = client(&handle).await;
        let mut held = client.send(&Draft::new("wait")).await.expect("sent");
        settled().await;
        // Part of the limit, too.
        handle.on_drain(|| async {
            sleep(seconds(1)).await;
            Ok::<(), std::io::Error>(())
        });
        let took = start(&handle, drain).await.expect("no panic");
        assert_eq!(took.as_millis() / 10, longest * 100);
        held.response().await.map(drop).expect_err("cut off");
    }
}

#[tokio::test(start_paused = true)]
async fn hooks_that_hang_fail_or_panic_hold_nothing_up() {
    let (log, guard) = Log::of_warnings();
    let _logging = guard;
    let (handle, _served) = serving(ping_handler());
    let client = client(&handle).await;
    let ended = Arc::new(AtomicUsize::new(0));
    handle.on_drain(std::future::pending::<Result<(), std::io::Error>>);
    handle.on_drain(|| async { Err::<(), _>("the registry is away") });
    handle.on_drain(|| async {
        if true {
            panic!("a hook that panics");
        }
        Ok::<(), std::io::Error>(())
    });
    let last = Arc::clone(&ended);
    handle.on_drain(move || async move {
        last.fetch_add(1, Ordering::Relaxed);
        Ok::<(), std::io::Error>(())
    });
    let drained = start(&handle, Drain::default());
    sleep(Duration::from_millis(4_900)).await;
    assert_eq!(ended.load(Ordering::Relaxed), 1);
    assert_eq!(client.peer_going_away(), None);
    sleep(Duration::from_millis(200)).await;
    let why = client.peer_going_away().expect("it said so");
    assert_eq!(why.reason, LeaveReason::LameDuck);
    let said = log.events().join("\n");
    for part in ["the registry is away", "panicked", "1 hook"] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    // One that comes late runs at once.
    let late = Arc::clone(&ended);
    handle.on_drain(move || async move {
        late.fetch_add(1, Ordering::Relaxed);
        Ok::<(), std::io::Error>(())
    });
    settled().await;
    assert_eq!(ended.load(Ordering::Relaxed), 2);
    drained.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_second_drain_waits_for_the_first_and_a_stop_or_shutdown_ends_it() {
    let (handle, _served) = serving(ping_handler());
    let drain = Drain::default().linger(seconds(20));
    let first = start(&handle, drain);
    settled().await;
    let second = start(&handle, Drain::default().linger(Duration::ZERO));
    for took in [first.await, second.await] {
        let took = took.expect("no panic").as_secs();
        assert!((19..=21).contains(&took), "{took}");
    }

    for stops in [true, false] {
        let (handle, served) = serving(ping_handler());
        let client = client(&handle).await;
        let drained = start(&handle, drain);
        sleep(seconds(1)).await;
        match stops {
            true => handle.stop(),
            false => handle.shutdown(seconds(5)).await,
        }
        client.closed().await;
        let took = drained.await.expect("no panic");
        assert!(took < seconds(8), "{took:?}");
        served.await.expect("no panic").expect("served");
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_goes_on_when_nobody_waits_for_it() {
    let (handle, served) = serving(ping_handler());
    let mut drain = Box::pin(handle.drain(Drain::default()));
    assert!(is_pending(&mut drain).await);
    drop(drain);
    let begun = Instant::now();
    served.await.expect("no panic").expect("served");
    assert_eq!(begun.elapsed().as_secs(), 5);
}

// r[verify ext.leave.lame-duck]
#[tokio::test(start_paused = true)]
async fn what_a_drain_says_on_the_wire() {
    let (handle, _served) = serving(ping_handler());
    let (near, far) = duplex(PIPE);
    let mut peer = Peer::silent(far);
    peer.send(OFFER).await;
    handle.serve_link(near, None).await.expect("taken");
    peer.expect(OFFER).await;
    peer.send("F0 01 00").await;
    peer.expect("F0 08 00 0B 307500000000").await;
    settled().await;
    let drained = start(
        &handle,
        Drain::default().retry_after(Duration::from_millis(1)),
    );
    // A lame duck for 5 s.
    peer.expect("F0 10 02 FFFFFFFFFFFF 08 88130000 01000000")
        .await;
    peer.ask(id(0), "ping", b"").await;
    peer.expect_code(id(0), 0).await;
    // A reader that begins nothing any more may say so at once.
    peer.send("F0 01 03").await;
    sleep(seconds(5)).await;
    // The rest of 30 s; it is done at once.
    peer.expect("F0 10 02 FFFFFFFFFFFF 00 A8610000 01000000")
        .await;
    peer.expect("F0 10 02 010000000000 00 00000000 01000000")
        .await;
    peer.expect_end().await;
    drop(peer);
    let took = drained.await.expect("no panic");
    assert!(took < seconds(7), "{took:?}");
}

// Clients that reconnect.

/// A balancer with one address: each link goes to the server that the test names.
struct Balancer {
    port: u16,
    links: tokio::sync::mpsc::UnboundedReceiver<tokio::net::TcpStream>,
}

impl Balancer {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let port = listener.local_addr().expect("an address").port();
        let (sender, links) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((link, _)) = listener.accept().await {
                if sender.send(link).is_err() {
                    return;
                }
            }
        });
        Self { port, links }
    }

    async fn next_to(&mut self, server: &ServerHandle) {
        let link = timeout(seconds(60), self.links.recv()).await;
        let link = link.expect("in time").expect("a link");
        server.serve_link(link, None).await.expect("taken");
    }
}

/// Answers `who` with this code, and `held` when it may.
fn named(code: u16, may: &Arc<Notify>) -> MessageHandler {
    let may = Arc::clone(may);
    let code = FastReply::new(code).expect("12 bits");
    ping_handler()
        .action("who", move |_| async move { code })
        .action("held", move |_: Message| {
            let may = Arc::clone(&may);
            async move {
                may.notified().await;
                code
            }
        })
}

// r[verify ext.leave.lame-duck]
#[tokio::test]
async fn a_client_makes_another_connection_before_it_leaves_a_lame_duck() {
    let may = Arc::new(Notify::new());
    let (old, served) = serving(named(16, &may));
    let (new, _served) = serving(named(17, &may));
    let mut balancer = Balancer::new().await;
    let client = connect(("127.0.0.1", balancer.port))
        .reconnecting()
        .client();
    let who = async || code_of(client.send(&Draft::new("who")).await.expect("sent")).await;
    let (first, ()) = tokio::join!(who(), balancer.next_to(&old));
    assert_eq!(first, 16);
    // One that was made a moment ago is not replaced: see the next test.
    sleep(Duration::from_millis(1_100)).await;
    let held = client.send(&Draft::new("held")).await.expect("sent");

    let drained = start(&old, Drain::default().linger(seconds(60)).max(seconds(90)));
    let link = timeout(seconds(60), balancer.links.recv()).await;
    let link = link.expect("it connects").expect("a link");
    // It waits for the other server, and goes on with the first.
    let why = client.peer_going_away().expect("it said so");
    assert_eq!(why.reason, LeaveReason::LameDuck);
    for _ in 0..100 {
        assert_eq!(who().await, 16);
    }
    let handshake = new.serve_link(link, None).await.expect("taken");
    handshake.await.expect("a connection");
    timeout(seconds(60), async { while who().await != 17 {} })
        .await
        .expect("it moves");
    for _ in 0..100 {
        assert_eq!(who().await, 17);
    }
    // What was under way has its answer; then nothing keeps the old connection.
    may.notify_one();
    assert_eq!(code_of(held).await, 16);
    timeout(seconds(50), async {
        while old.stats().connections > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("closed before the linger is over");
    old.stop();
    drained.await.expect("no panic");
    served.await.expect("no panic").expect("served");
}

// r[verify ext.leave.lame-duck]
#[tokio::test]
async fn t_e19_a_client_that_finds_the_same_lame_duck_again_stays_until_it_leaves() {
    let may = Arc::new(Notify::new());
    let (old, served) = serving(named(16, &may));
    let (new, _served) = serving(named(17, &may));
    let mut balancer = Balancer::new().await;
    let client = connect(("127.0.0.1", balancer.port))
        .reconnecting()
        .client();
    let who = async || code_of(client.send(&Draft::new("who")).await.expect("sent")).await;
    let (first, ()) = tokio::join!(who(), balancer.next_to(&old));
    assert_eq!(first, 16);
    sleep(Duration::from_millis(1_100)).await;
    let drained = start(&old, Drain::default().linger(seconds(2)));
    balancer.next_to(&old).await;
    while !drained.is_finished() && balancer.links.is_empty() {
        assert_eq!(who().await, 16);
        sleep(Duration::from_millis(1)).await;
    }
    // The server shuts down: the third connection.
    let (last, ()) = tokio::join!(who(), balancer.next_to(&new));
    assert_eq!(last, 17);
    drained.await.expect("no panic");
    served.await.expect("no panic").expect("served");
    assert_eq!((old.stats().accepted, new.stats().accepted), (2, 1));
}

#[tokio::test]
async fn a_client_keeps_away_while_a_server_asks_for_it() {
    let may = Arc::new(Notify::new());
    let (old, served) = serving(named(16, &may));
    let (new, _served) = serving(named(17, &may));
    let mut balancer = Balancer::new().await;
    let client = connect(("127.0.0.1", balancer.port))
        .reconnecting()
        .client();
    let who = async || code_of(client.send(&Draft::new("who")).await.expect("sent")).await;
    let (first, ()) = tokio::join!(who(), balancer.next_to(&old));
    assert_eq!(first, 16);
    // One that was made a moment ago is not replaced in any case.
    sleep(Duration::from_millis(1_100)).await;
    let drain = Drain::default().linger(seconds(2)).retry_after(seconds(2));
    let drained = start(&old, drain);
    while client.peer_going_away().is_none() {
        sleep(Duration::from_millis(1)).await;
    }
    drained.await.expect("no panic");
    served.await.expect("no panic").expect("served");
    assert!(balancer.links.is_empty(), "it connects meanwhile");
    let (last, ()) = tokio::join!(who(), balancer.next_to(&new));
    assert_eq!(last, 17);
}

#[tokio::test]
async fn a_server_is_started_again_and_again_and_no_call_fails() {
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let address = server.local_addr().expect("an address");
    let (mut handle, mut served) = (server.handle(), tokio::spawn(server.serve(slow_handler())));
    let client = connect(address).reconnecting().client();
    let is_over = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (client, is_over) = (client.clone(), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut calls = 0_u64;
                while is_over.load(Ordering::Relaxed) == 0 {
                    let request = client.send(&Draft::new("slow")).await.expect("sent");
                    assert_eq!(code_of(request).await, 0);
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let drain = Drain::default().linger(Duration::from_millis(300));
    for _ in 0..4 {
        sleep(Duration::from_millis(300)).await;
        handle.drain(drain).await;
        served.await.expect("no panic").expect("served");
        let server = Server::bind(address).await.expect("bound again");
        handle = server.handle();
        served = tokio::spawn(server.serve(slow_handler()));
        timeout(seconds(60), async {
            while handle.stats().connections == 0 {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("the client comes back");
    }
    is_over.store(1, Ordering::Relaxed);
    for caller in callers {
        assert!(caller.await.expect("no call failed") > 0);
    }
    handle.stop();
}

fn slow_handler() -> MessageHandler {
    MessageHandler::new().action("slow", |_| async {
        sleep(Duration::from_millis(3)).await;
        FastReply::ACCEPT
    })
}

//! Clients that reconnect behind their methods.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use sockety::{
    ByteStream, Connection, File, Options, Outcome, Router, Server, Streaming,
    client::{CallNext, OutgoingCall, ServiceClient},
    config::Limits,
    connection::WeakConnection,
    error::{CallError, ConnectError, ConnectProblem, NoError, RequestError, SendError, chain},
    message::Draft,
    server::ServerHandle,
    service,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::support::{Log, bytes};

/// What a step of a test waits for at most. Nothing is measured.
const LONG: Duration = Duration::from_secs(20);

const SHORT: Duration = Duration::from_millis(50);

#[service]
trait Bank {
    async fn balance(&self, id: u64) -> u64;
    async fn hang(&self);
    /// Hangs the first time.
    #[action(idempotent)]
    async fn find(&self) -> u64;
    async fn blob(&self, bytes: ByteStream) -> u64;
    async fn statement(&self, id: u64) -> File;
    async fn upload(&self, file: File) -> u64;
    async fn rows(&self, count: u64) -> Streaming<u64>;
    #[action(one_way)]
    async fn note(&self, text: String);
}

/// Notes what it executes.
#[derive(Clone, Default)]
struct Ledger(Log);

impl Bank for Ledger {
    async fn balance(&self, id: u64) -> u64 {
        self.0.note(format!("balance {id}"));
        100 + id
    }

    async fn hang(&self) {
        self.0.note("hang");
        std::future::pending().await
    }

    async fn find(&self) -> u64 {
        self.0.note("find");
        let found = self
            .0
            .events()
            .iter()
            .filter(|event| *event == "find")
            .count();
        if found == 1 {
            std::future::pending::<()>().await;
        }
        7
    }

    async fn blob(&self, mut bytes: ByteStream) -> u64 {
        let mut length = 0;
        while let Some(chunk) = bytes.next_chunk().await.expect("all of it") {
            length += chunk.len() as u64;
        }
        length
    }

    async fn statement(&self, id: u64) -> File {
        File::from_bytes(format!("{id}.txt"), vec![7; 600_000])
    }

    async fn upload(&self, file: File) -> u64 {
        file.bytes(1_000_000).await.expect("all of it").len() as u64
    }

    async fn rows(&self, count: u64) -> Streaming<u64> {
        Streaming::from_iter(0..count)
    }

    async fn note(&self, text: String) {
        self.0.note(text);
    }
}

/// A server of the bank.
struct Branch {
    address: SocketAddr,
    handle: ServerHandle,
    serving: JoinHandle<()>,
    ledger: Log,
}

impl Branch {
    async fn open() -> Self {
        Self::at(([127, 0, 0, 1], 0).into()).await
    }

    async fn at(address: SocketAddr) -> Self {
        let server = Server::bind(address).await.expect("a port");
        let (address, handle) = (server.local_addr().expect("bound"), server.handle());
        let ledger = Log::default();
        let bank = BankServer::new(Ledger(ledger.clone()));
        let serving = tokio::spawn(async move { server.serve(bank).await.expect("served") });
        Self {
            address,
            handle,
            serving,
            ledger,
        }
    }

    /// Ends at once, without a word to clients.
    async fn close(self) -> SocketAddr {
        self.handle.stop();
        self.serving.await.expect("no panic");
        self.address
    }
}

/// The newest connection of a client.
#[derive(Clone, Default)]
struct Newest(Arc<Mutex<Option<WeakConnection>>>);

impl Newest {
    fn of(address: SocketAddr) -> (BankClient, Self) {
        let newest = Self::default();
        let noted = newest.clone();
        let connecting = BankClient::connect(address).on_connect(move |connection| {
            noted.note(&connection);
            async { Ok::<_, NoError>(()) }
        });
        (connecting.reconnecting().client(), newest)
    }

    fn note(&self, connection: &Connection) {
        *self.0.lock().expect("no panic") = Some(connection.downgrade());
    }

    /// Closes the connection, as if the link had failed: calls that wait get no reply.
    fn cut(&self) {
        let newest = self.0.lock().expect("no panic").take();
        let connection = newest.and_then(|newest| newest.upgrade());
        let connection = connection.expect("a connection");
        // Closing begins at once.
        assert!(connection.close().now_or_never().is_none());
    }
}

/// An address at which nobody listens.
async fn deserted() -> SocketAddr {
    Branch::open().await.close().await
}

fn not_connected<E: sockety::ServiceError>(error: CallError<E>) -> Arc<ConnectError> {
    assert_eq!(error.outcome(), Outcome::NotSent);
    match error {
        CallError::Request {
            error: RequestError::Send(SendError::NotConnected(error)),
            ..
        } => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn calls_go_on_with_a_server_that_was_started_again() {
    let branch = Branch::open().await;
    let bank = BankClient::reconnecting(branch.address);
    assert_eq!(bank.balance(1).await.expect("connected"), 101);
    assert_eq!(bank.balance(2).await.expect("connected"), 102);
    assert_eq!(branch.handle.stats().accepted, 1);
    let branch = Branch::at(branch.close().await).await;
    assert_eq!(bank.clone().balance(3).await.expect("again"), 103);
    assert_eq!(branch.ledger.events(), ["balance 3"]);
}

#[tokio::test]
async fn a_call_waits_for_a_connection_within_its_timeout() {
    let address = deserted().await;
    let bank = BankClient::reconnecting(address);
    let call = tokio::spawn(bank.balance(1).timeout(LONG));
    let pass = tokio::spawn(bank.note("noted".into()));
    let connection = bank.connection().clone();
    let message = tokio::spawn(async move { connection.send(BankDraft::balance(2)).await });
    sleep(SHORT).await;
    let branch = Branch::at(address).await;
    assert_eq!(call.await.expect("no panic").expect("connected"), 101);
    pass.await.expect("no panic").expect("connected");
    let mut request = message.await.expect("no panic").expect("connected");
    request.response().await.expect("answered");
    assert_eq!(branch.handle.stats().accepted, 1);
}

#[tokio::test]
async fn a_call_that_found_no_connection_in_time_says_why() {
    let bank = BankClient::reconnecting(deserted().await);
    let error = bank.balance(1).timeout(SHORT).await.expect_err("nobody");
    let error = not_connected(error);
    assert!(
        matches!(error.problem(), ConnectProblem::Unreachable(..)),
        "{error:?}"
    );

    let options = Options::default().call_timeout(SHORT);
    let bank = BankClient::connect(deserted().await)
        .options(options)
        .reconnecting()
        .client();
    not_connected(bank.balance(1).await.expect_err("nobody"));
    let passed = bank.note("lost".into()).await.expect_err("nobody");
    assert_eq!(passed.outcome(), Outcome::NotSent);
    let sent = bank.connection().send(BankDraft::balance(1)).await;
    let error = sent.expect_err("nobody");
    assert!(matches!(error, SendError::NotConnected(_)), "{error:?}");
    assert!(
        chain(&error)
            .to_string()
            .starts_with("no connection: cannot connect to ")
    );
}

#[tokio::test]
async fn errors_that_time_does_not_mend_are_returned_at_once() {
    let bank = BankClient::reconnecting("no port");
    let error = not_connected(bank.balance(1).timeout(LONG).await.expect_err("no address"));
    assert!(
        matches!(error.problem(), ConnectProblem::Address(_)),
        "{error:?}"
    );

    let branch = Branch::open().await;
    let connecting = BankClient::connect(branch.address)
        .on_connect(|_| async { Err::<(), _>("no token") })
        .reconnecting();
    let bank = connecting.client();
    let error = not_connected(bank.balance(1).timeout(LONG).await.expect_err("refused"));
    assert_eq!(
        chain(&*error).to_string(),
        format!(
            "cannot connect to {}: hook on the new connection failed: no token",
            branch.address
        )
    );
    assert!(branch.ledger.events().is_empty());
}

#[tokio::test]
async fn a_hook_that_panics_is_a_failed_attempt() {
    let branch = Branch::open().await;
    let runs = AtomicUsize::new(0);
    let connecting = BankClient::connect(branch.address)
        .on_connect(move |_| {
            assert!(runs.fetch_add(1, Ordering::SeqCst) > 0, "on purpose");
            async { Ok::<_, NoError>(()) }
        })
        .reconnecting();
    let error = connecting.get().await.expect_err("panicked");
    assert!(
        matches!(error.problem(), ConnectProblem::OnConnect(_)),
        "{error:?}"
    );
    let bank = connecting.client();
    assert_eq!(bank.balance(1).await.expect("the next attempt"), 101);
}

#[tokio::test]
async fn the_hook_runs_before_calls_on_each_connection() {
    let branch = Branch::open().await;
    let newest = Newest::default();
    let noted = newest.clone();
    let bank = BankClient::connect(branch.address)
        .on_connect(move |connection| {
            noted.note(&connection);
            async move {
                let bank = BankClient::new(connection);
                bank.note("hello".into()).await?;
                bank.balance(0).await.map(drop)?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
            }
        })
        .reconnecting()
        .client();
    bank.balance(1).await.expect("answered");
    newest.cut();
    bank.balance(2).await.expect("answered");
    let greeting = ["hello", "balance 0"];
    let expected = [&greeting[..], &["balance 1"], &greeting, &["balance 2"]].concat();
    assert_eq!(branch.ledger.events(), expected);
}

#[tokio::test]
async fn a_call_that_may_have_been_executed_is_not_sent_again() {
    let branch = Branch::open().await;
    let (bank, newest) = Newest::of(branch.address);
    for count in 1..=2 {
        let call = tokio::spawn(bank.hang().timeout(LONG));
        let begun = async {
            while branch.ledger.events().len() < count {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(LONG, begun).await.expect("begun");
        newest.cut();
        let error = call.await.expect("no panic").expect_err("cut off");
        assert_eq!(error.outcome(), Outcome::Unknown, "{error:?}");
    }
    bank.balance(1).await.expect("answered");
    assert_eq!(branch.ledger.events(), ["hang", "hang", "balance 1"]);
}

/// Calls, and waits until the handler has begun.
async fn begin_to_find(
    bank: &BankClient,
    ledger: &Log,
) -> JoinHandle<Result<u64, CallError<NoError>>> {
    let call = tokio::spawn(bank.find().timeout(LONG / 10));
    let begun = async {
        while !ledger.events().contains(&"find".into()) {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, begun).await.expect("begun");
    call
}

#[tokio::test]
async fn a_call_of_an_idempotent_action_is_sent_again() {
    let branch = Branch::open().await;
    let (bank, newest) = Newest::of(branch.address);
    let call = begin_to_find(&bank, &branch.ledger).await;
    newest.cut();
    assert_eq!(call.await.expect("no panic").expect("sent again"), 7);
    assert_eq!(branch.ledger.events(), ["find", "find"]);
}

#[tokio::test]
async fn a_call_that_could_not_be_sent_again_has_perhaps_been_executed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (bank, newest) = Newest::of(listener.local_addr().expect("bound"));
    let connecting = bank.clone();
    let connected = tokio::spawn(async move { connecting.balance(1).await });
    let (_connection, ledger) = accept_and_serve(&listener).await;
    connected.await.expect("no panic").expect("answered");
    let call = begin_to_find(&bank, &ledger).await;
    // Nobody is there in time.
    drop(listener);
    newest.cut();
    let error = call.await.expect("no panic").expect_err("too late");
    assert_eq!(error.outcome(), Outcome::Unknown, "{error:?}");
}

/// Accepts a connection at the listener whose peer reads nothing but the header.
async fn accept_and_stall(listener: &TcpListener) -> TcpStream {
    let (mut socket, _) = listener.accept().await.expect("a client");
    let header = bytes("E2 00 01");
    socket.write_all(&header).await.expect("written");
    socket.read_exact(&mut [0; 3]).await.expect("a header");
    socket
}

/// Accepts a connection at the listener, and serves it.
async fn accept_and_serve(listener: &TcpListener) -> (Connection, Log) {
    let (socket, _) = listener.accept().await.expect("a client");
    let ledger = Log::default();
    let bank = BankServer::new(Ledger(ledger.clone()));
    let connection = Connection::over(socket, bank, Options::default()).await;
    (connection.expect("connected"), ledger)
}

/// Calls while the peer takes nothing, then ends the connection: they wait in an outbox of this size,
/// or for room in it.
async fn check_unsent(outbox: usize, is_queued: bool) {
    let socket = TcpSocket::new_v4().expect("a socket");
    // So that its system takes little.
    socket.set_recv_buffer_size(4096).expect("set");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let listener = socket.listen(8).expect("listens");
    let options = Options::default()
        .max_outbox_bytes(outbox)
        .limits(Limits::default().max_payload(16 << 20));
    let bank = BankClient::connect(listener.local_addr().expect("bound"))
        .options(options)
        .reconnecting()
        .client();
    let large = Draft::new("large").with_data(vec![0; 16 << 20]);
    let (filling, stalled) =
        tokio::join!(bank.connection().send(&large), accept_and_stall(&listener));
    let mut filling = filling.expect("queued");

    let call = tokio::spawn(bank.balance(1).timeout(LONG));
    let pass = tokio::spawn(bank.note("noted".into()));
    let file = File::from_bytes("a", vec![1; 1000]);
    let upload = tokio::spawn(bank.upload(file).timeout(LONG));
    let connection = bank.connection().clone();
    let message = tokio::spawn(async move {
        let mut request = connection.send(BankDraft::balance(2)).await?;
        request.response().await
    });
    // The first and these, but for the one-way message.
    let is_queued_now = || !is_queued || bank.connection().traffic().requests_waiting == 4;
    let queued = async {
        while !is_queued_now() {
            sleep(Duration::from_millis(1)).await;
        }
        sleep(SHORT).await;
    };
    timeout(LONG, queued).await.expect("queued");
    assert!(!call.is_finished() && !pass.is_finished());
    drop(stalled);
    let (_connection, ledger) = accept_and_serve(&listener).await;
    assert_eq!(call.await.expect("no panic").expect("sent again"), 101);
    pass.await.expect("no panic").expect("sent again");
    assert_eq!(upload.await.expect("no panic").expect("sent again"), 1000);
    // It left in part.
    let error = filling.response().await.expect_err("the connection ended");
    assert_eq!(error.outcome(), Outcome::Unknown);
    let replied = message.await.expect("no panic");
    let mut events = ledger.events();
    events.sort();
    if is_queued {
        // Its caller had the request already, which is one of the first connection.
        let error = replied.expect_err("the connection ended");
        assert_eq!(error.outcome(), Outcome::NotSent);
        assert_eq!(events, ["balance 1", "noted"]);
    } else {
        replied.expect("sent again");
        assert_eq!(events, ["balance 1", "balance 2", "noted"]);
    }
}

#[tokio::test]
async fn messages_of_which_nothing_was_sent_go_to_the_next_connection() {
    check_unsent(64 << 20, true).await;
    check_unsent(64 << 10, false).await;
}

#[tokio::test]
async fn everything_a_client_sends_goes_through_it() {
    let branch = Branch::open().await;
    let (bank, newest) = Newest::of(branch.address);
    bank.balance(1).await.expect("answered");
    newest.cut();

    let file = bank.statement(7).await.expect("a file");
    assert_eq!(file.name(), "7.txt");
    assert_eq!(file.bytes(1_000_000).await.expect("read").len(), 600_000);
    let file = File::from_bytes("a.txt", vec![1; 300_000]);
    assert_eq!(bank.upload(file).await.expect("taken"), 300_000);
    let reader = std::io::Cursor::new(vec![2; 400_000]);
    let stream = ByteStream::from_reader(reader);
    assert_eq!(bank.blob(stream).await.expect("taken"), 400_000);
    let mut rows = bank.rows(3).await.expect("a stream");
    for row in 0..3 {
        assert_eq!(rows.next().await.expect("a row").expect("a row"), row);
    }
    assert!(rows.next().await.is_none());

    let connection = bank.connection();
    let draft = BankDraft::balance(4).timeout(LONG);
    assert_eq!(connection.call(draft.clone()).await.expect("answered"), 104);
    assert_eq!(bank.balance(5).raw().await.expect("answered").code(), None);
    let mut request = connection.send(draft).await.expect("sent");
    request.response().await.expect("answered");
    let notes = ["a", "b"].map(|text| BankDraft::note(text.into()));
    connection.pass_all(notes).await.expect("sent");
    let mut sent = connection
        .pass_stream(&Draft::new("nobody serves this"))
        .await
        .expect("sent");
    let mut writer = sent.take_writer().expect("a stream");
    writer.write_all(&[0; 10]).await.expect("written");
    drop(writer);
    bank.balance(6).await.expect("answered");
    assert_eq!(branch.handle.stats().accepted, 2);
}

#[tokio::test]
async fn received_content_keeps_its_connection_while_the_client_has_another() {
    let branch = Branch::open().await;
    let bank = BankClient::reconnecting(branch.address);
    let mut rows = bank.rows(200_000).await.expect("a stream");
    let first = rows.next().await.expect("a row").expect("a row");
    for connection in branch.handle.connections() {
        tokio::spawn(async move { connection.shutdown(LONG).await });
    }
    let replaced = async {
        while branch.handle.stats().accepted < 2 {
            bank.balance(1).await.expect("answered");
        }
    };
    timeout(LONG, replaced).await.expect("replaced");
    let mut count = first + 1;
    while let Some(row) = rows.next().await {
        assert_eq!(row.expect("a row"), count);
        count += 1;
    }
    assert_eq!(count, 200_000);
}

#[tokio::test]
async fn an_attempt_goes_on_without_the_call_that_began_it() {
    let branch = Branch::open().await;
    let bank = BankClient::connect(branch.address)
        .on_connect(|_| async {
            sleep(6 * SHORT).await;
            Ok::<_, NoError>(())
        })
        .reconnecting()
        .client();
    let answered = async {
        let mut failures = 0;
        while let Err(error) = bank.balance(1).timeout(SHORT).await {
            assert!(matches!(
                not_connected(error).problem(),
                ConnectProblem::TimedOut(..)
            ));
            failures += 1;
        }
        failures
    };
    let failures = timeout(LONG, answered).await.expect("answered");
    assert!(failures > 0, "the hook takes longer than a call may");
    assert_eq!(branch.handle.stats().accepted, 1, "one attempt");
}

#[tokio::test]
async fn middleware_sees_a_call_once_and_its_connection() {
    let branch = Branch::open().await;
    let (bank, newest) = Newest::of(branch.address);
    let (log, seen) = (Log::default(), Log::default());
    let noting = log.clone();
    let layered = bank.layer(move |call: OutgoingCall, next: CallNext| {
        noting.note(call.action());
        let (connection, seen) = (call.connection().clone(), seen.clone());
        async move {
            let result = next.run(call).await;
            seen.note(format!("{:?}", connection.peer_addr()));
            assert!(seen.events()[0].contains("127.0.0.1"));
            result
        }
    });
    assert_eq!(layered.balance(1).await.expect("answered"), 101);
    newest.cut();
    assert_eq!(layered.balance(2).await.expect("answered"), 102);
    let mut rows = layered.rows(2).await.expect("a stream");
    assert_eq!(rows.next().await.expect("a row").expect("a row"), 0);
    bank.balance(3).await.expect("answered");
    assert_eq!(log.events(), ["balance", "balance", "rows"]);
    assert_eq!(branch.handle.stats().accepted, 2);
}

#[tokio::test]
async fn a_handle_speaks_of_the_connection_that_is_open() {
    let branch = Branch::open().await;
    let bank = BankClient::reconnecting(branch.address);
    let connection = bank.connection();
    assert_eq!(connection.peer_addr(), None);
    bank.balance(1).await.expect("answered");
    assert_eq!(connection.peer_addr(), Some(branch.address));
    assert!(connection.traffic().sent_bytes > 0);
    assert!(!connection.is_closed());
}

#[tokio::test]
async fn a_client_that_was_closed_does_not_reconnect() {
    for is_shutdown in [false, true] {
        let branch = Branch::open().await;
        let bank = BankClient::reconnecting(branch.address);
        bank.balance(1).await.expect("answered");
        match is_shutdown {
            false => bank.connection().close().await,
            true => bank.connection().shutdown(LONG).await,
        }
        bank.connection().closed().await;
        assert!(bank.connection().is_closed());
        let error = bank.balance(2).await.expect_err("closed");
        assert!(
            matches!(
                error,
                CallError::Request {
                    error: RequestError::Send(SendError::Disconnected { .. }),
                    ..
                }
            ),
            "{error:?}"
        );
        assert_eq!(branch.handle.stats().accepted, 1);
    }
}

#[tokio::test]
async fn closing_ends_calls_that_wait_for_a_connection() {
    let bank = BankClient::reconnecting(deserted().await);
    let call = tokio::spawn(bank.balance(1).timeout(LONG));
    sleep(SHORT).await;
    bank.connection().close().await;
    let error = call.await.expect("no panic").expect_err("closed");
    assert_eq!(error.outcome(), Outcome::NotSent);
}

#[tokio::test]
async fn a_client_that_is_dropped_closes_its_connection() {
    let branch = Branch::open().await;
    let bank = BankClient::reconnecting(branch.address);
    bank.balance(1).await.expect("answered");
    let [there] = &branch.handle.connections()[..] else {
        panic!("one connection");
    };
    let weak = bank.connection().downgrade();
    let upgraded = BankClient::new(weak.upgrade().expect("the client is there"));
    drop(bank);
    assert_eq!(upgraded.balance(2).await.expect("answered"), 102);
    drop(upgraded);
    timeout(LONG, there.closed()).await.expect("closed");
    assert!(weak.upgrade().is_none());
}

#[tokio::test]
async fn a_connection_without_types_reconnects_too() {
    let branch = Branch::open().await;
    let newest = Newest::default();
    let noted = newest.clone();
    let connection = sockety::connect(branch.address)
        .serve(Router::new())
        .on_connect(move |connection| {
            noted.note(&connection);
            async { Ok::<_, NoError>(()) }
        })
        .reconnecting()
        .client();
    for id in 0..2 {
        let request = connection.send(BankDraft::balance(id)).await;
        request.expect("sent").response().await.expect("answered");
        newest.cut();
    }
    assert_eq!(branch.handle.stats().accepted, 2);
}

#[tokio::test]
async fn a_connection_that_is_made_while_the_client_is_closed_does_not_stay() {
    for is_shutdown in [false, true] {
        let branch = Branch::open().await;
        let bank = BankClient::connect(branch.address)
            .on_connect(|_| async {
                sleep(4 * SHORT).await;
                Ok::<_, NoError>(())
            })
            .reconnecting()
            .client();
        let call = tokio::spawn(bank.balance(1).timeout(LONG));
        let accepted = async {
            while branch.handle.stats().accepted == 0 {
                sleep(SHORT).await;
            }
        };
        timeout(LONG, accepted).await.expect("accepted");
        match is_shutdown {
            false => bank.connection().close().await,
            true => bank.connection().shutdown(LONG).await,
        }
        call.await.expect("no panic").expect_err("closed");
        let gone = async {
            while !branch.handle.connections().is_empty() {
                sleep(SHORT).await;
            }
        };
        timeout(LONG / 4, gone).await.expect("closed");
    }
}

#[tokio::test]
async fn a_link_that_fails_during_the_hook_is_mended_by_time() {
    let branch = Branch::open().await;
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    let bank = BankClient::connect(branch.address)
        .on_connect(move |connection| {
            let attempt = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                if attempt < 2 {
                    // As if the link had failed before the answer came.
                    assert!(connection.close().now_or_never().is_none());
                }
                BankClient::new(connection).balance(1).await.map(drop)
            }
        })
        .reconnecting()
        .client();
    assert_eq!(bank.balance(2).timeout(LONG).await.expect("answered"), 102);
    assert_eq!(attempts.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_hook_that_waits_on_a_connection_that_has_ended_holds_nobody_up() {
    let branch = Branch::open().await;
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    let bank = BankClient::connect(branch.address)
        .on_connect(move |connection| {
            let attempt = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                if attempt == 0 {
                    assert!(connection.close().now_or_never().is_none());
                    std::future::pending::<()>().await;
                }
                Ok::<_, NoError>(())
            }
        })
        .reconnecting()
        .client();
    assert_eq!(bank.balance(2).timeout(LONG).await.expect("answered"), 102);
}

/// Polls a future this many times, with a pause before each but the first, and drops it. Returns
/// whether it was still pending.
async fn poll_and_drop(future: impl Future, polls: usize) -> bool {
    let mut future = std::pin::pin!(future);
    for poll in 0..polls {
        if poll > 0 {
            tokio::task::yield_now().await;
        }
        if future.as_mut().now_or_never().is_some() {
            return false;
        }
    }
    true
}

#[tokio::test]
async fn a_call_that_is_dropped_at_any_await_leaves_nothing_behind() {
    let branch = Branch::open().await;
    let newest = Newest::default();
    let noted = newest.clone();
    let connecting = BankClient::connect(branch.address).on_connect(move |connection| {
        noted.note(&connection);
        async { Ok::<_, NoError>(()) }
    });
    let connecting = connecting.reconnecting();
    let bank = connecting.client();
    let mut dropped = 0;
    for polls in 0..60 {
        // Each connection is short, so the pauses would grow.
        connecting.retry_now();
        // Without a connection, while one is made, while the call waits for its reply.
        let calls = async {
            tokio::join!(
                poll_and_drop(bank.balance(1), polls),
                poll_and_drop(bank.find(), polls),
                poll_and_drop(bank.note("note".to_owned()), polls),
                poll_and_drop(bank.statement(1), polls),
                poll_and_drop(bank.rows(100_000), polls),
            )
        };
        let (a, b, c, d, e) = timeout(LONG, calls).await.expect("it is polled");
        dropped += [a, b, c, d, e]
            .into_iter()
            .filter(|is_pending| *is_pending)
            .count();
        // A connection that works, without anything of the calls before.
        let answered = timeout(LONG, bank.balance(2)).await.expect("in time");
        assert_eq!(answered.expect("answered"), 102);
        let idle = async {
            while bank.connection().traffic().requests_waiting > 0 {
                sleep(SHORT / 10).await;
            }
        };
        timeout(LONG, idle).await.expect("nothing waits");
        // Each second round begins with a connection.
        if polls % 2 == 0 {
            newest.cut();
        }
    }
    // More than those that were not polled at all.
    assert!(dropped > 10, "{dropped}");
}

#[tokio::test]
async fn a_client_that_was_shut_down_does_not_reconnect_when_its_peer_goes_away() {
    let branch = Branch::open().await;
    let bank = BankClient::reconnecting(branch.address);
    bank.balance(1).await.expect("answered");
    let hanging = tokio::spawn(bank.hang().timeout(LONG));
    while !branch.ledger.events().contains(&"hang".to_owned()) {
        sleep(SHORT).await;
    }
    let connection = bank.connection().clone();
    let shutdown = tokio::spawn(async move { connection.shutdown(20 * SHORT).await });
    bank.connection().closed().await;
    let [there] = &branch.handle.connections()[..] else {
        panic!("one connection");
    };
    there.shutdown(10 * SHORT).await;
    shutdown.await.expect("no panic");
    hanging.await.expect("no panic").expect_err("not answered");
    // Longer than until a connection in the background would be made.
    sleep(10 * SHORT).await;
    assert_eq!(branch.handle.stats().accepted, 1);
}

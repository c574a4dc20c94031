//! Real processes and real faults: compares what callers are told with a ledger on disk of what the
//! server began.
//!
//! `cargo test -p sockety-tests --test faults -- --nocapture` prints the results of the calls. The
//! matrix runs 24 cells, and all 240 with `SOCKETY_FAULTS=all`: half of them with the extension.

mod matrix;
mod proxy;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sockety::tls::{Roots, TlsClient, TlsServer};
use sockety::{ByteStream, CallError, Options, Outcome, Server, error::chain, service};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// Callers at the same time.
const CALLERS: usize = 64;

/// Those of them whose first call is not answered.
const HELD: usize = 8;

/// Replies before the fault comes.
const WARM: usize = 2000;

/// Calls of a caller that fail before it stops.
const FAILURES: usize = 4;

/// No test takes this long, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(50);

const SECOND: Duration = Duration::from_secs(1);

#[service]
trait Work {
    async fn quick(&self, call: u64) -> u64;
    async fn slow(&self, call: u64) -> u64;
    async fn hold(&self, call: u64) -> u64;
    async fn wait(&self, call: u64, millis: u64);
    async fn gather(&self, call: u64, text: String) -> u64;
    async fn listen(&self, call: u64, stream: ByteStream) -> u64;
    async fn store(&self, call: u64, file: sockety::File) -> u64;
    async fn tell(&self, call: u64, size: u64) -> ByteStream;
    #[action(limit(payload = "64 B"))]
    async fn small(&self, call: u64, text: String);
    async fn gauge(&self) -> Gauge;
}

/// For callers whose version of the trait has no limit.
#[service]
trait Unlimited {
    async fn small(&self, call: u64, text: String);
}

/// What a server has at the moment.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
struct Gauge {
    tasks: usize,
    files: usize,
    /// Kilobytes in memory.
    memory: u64,
}

impl Gauge {
    fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").expect("a status");
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = memory.and_then(|memory| memory.trim().strip_suffix(" kB"));
        Self {
            tasks: tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks(),
            files: fs::read_dir("/proc/self/fd").expect("descriptors").count(),
            memory: memory.expect("its memory").parse().expect("a number"),
        }
    }
}

// The server, a separate process.

/// Names the folder of a server's files, for its process.
const FOLDER: &str = "SOCKETY_FAULTS_FOLDER";

/// Asks for shortened clocks.
const SHORT: &str = "SOCKETY_FAULTS_SHORT";

/// Writes a line for every call that begins.
struct Worker {
    ledger: File,
    /// Where it stores files.
    folder: std::path::PathBuf,
}

impl Worker {
    fn begin(&self, call: u64) {
        let line = format!("{call}\n");
        (&self.ledger)
            .write_all(line.as_bytes())
            .expect("room on the disk");
    }
}

impl Work for Worker {
    async fn quick(&self, call: u64) -> u64 {
        self.begin(call);
        call
    }

    async fn slow(&self, call: u64) -> u64 {
        self.begin(call);
        sleep(Duration::from_millis(20)).await;
        call
    }

    async fn hold(&self, call: u64) -> u64 {
        self.begin(call);
        std::future::pending().await
    }

    async fn wait(&self, call: u64, millis: u64) {
        self.begin(call);
        sleep(Duration::from_millis(millis)).await;
    }

    async fn gather(&self, call: u64, text: String) -> u64 {
        self.begin(call);
        text.len() as u64
    }

    async fn listen(&self, call: u64, mut stream: ByteStream) -> u64 {
        self.begin(call);
        let mut size = 0;
        while let Ok(Some(chunk)) = stream.next_chunk().await {
            size += chunk.len() as u64;
        }
        size
    }

    async fn store(&self, call: u64, file: sockety::File) -> u64 {
        self.begin(call);
        let size = file.size();
        match file.save_in(&self.folder).await {
            Ok(_) => size,
            Err(_) => 0,
        }
    }

    async fn tell(&self, call: u64, size: u64) -> ByteStream {
        self.begin(call);
        ByteStream::from_reader(tokio::io::repeat(7).take(size))
    }

    async fn small(&self, call: u64, _text: String) {
        self.begin(call);
    }

    async fn gauge(&self) -> Gauge {
        Gauge::read()
    }
}

#[tokio::test]
#[ignore = "the process that the others start"]
async fn server() {
    let folder = std::env::var_os(FOLDER).expect("started by a test");
    let folder = Path::new(&folder);
    let ledger = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("ledger"))
        .expect("a ledger");
    let mut server = Server::bind("localhost:0").await.expect("a port");
    if std::env::var_os(SHORT).is_some() {
        server = server.options(matrix::short());
    }
    let (certificate, key) = (folder.join("certificate"), folder.join("key"));
    if certificate.exists() {
        let tls = TlsServer::from_pem_files(certificate, key).expect("a certificate");
        server = server.tls(tls);
    }
    let handle = server.handle();
    // Whoever started it has gone when its input ends.
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(1);
    });
    let mut terminated =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("signals");
    println!("port {}", server.local_addr().expect("bound").port());
    let files = folder.join("files");
    fs::create_dir_all(&files).expect("a folder");
    let worker = Worker {
        ledger,
        folder: files,
    };
    let serving = tokio::spawn(server.serve(WorkServer::new(worker)));
    terminated.recv().await;
    handle.shutdown(30 * SECOND).await;
    serving.await.expect("no panic").expect("served");
}

/// A running server.
struct Process {
    child: Child,
    /// Closed, it would fail when it says that it has ended well.
    _output: BufReader<ChildStdout>,
    folder: TempDir,
    address: SocketAddr,
}

impl Process {
    fn start() -> Self {
        Self::start_in(tempfile::tempdir().expect("a folder"), false)
    }

    /// With the shortened clocks.
    fn start_short() -> Self {
        Self::start_in(tempfile::tempdir().expect("a folder"), true)
    }

    /// Serves over TLS, with this certificate.
    fn start_with_tls(is_short: bool) -> (Self, TlsClient) {
        let folder = tempfile::tempdir().expect("a folder");
        let made = rcgen::generate_simple_self_signed(["localhost".into()]).expect("a key");
        let certificate = made.cert.pem();
        fs::write(folder.path().join("certificate"), &certificate).expect("written");
        let key = made.signing_key.serialize_pem();
        fs::write(folder.path().join("key"), key).expect("written");
        let roots = Roots::from_pem(&certificate).expect("a certificate");
        (Self::start_in(folder, is_short), TlsClient::new(&roots))
    }

    fn start_in(folder: TempDir, is_short: bool) -> Self {
        let this = std::env::current_exe().expect("a name");
        let mut child = Command::new(this)
            .args(["--ignored", "--exact", "--nocapture", "server"])
            .env(FOLDER, folder.path())
            .envs(is_short.then_some((SHORT, "1")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let lines = output.by_ref().lines();
        let mut ports = lines.map_while(Result::ok).filter_map(|line| {
            let (_, port) = line.split_once("port ")?;
            port.parse::<u16>().ok()
        });
        let port = ports.next().expect("a port");
        Self {
            child,
            _output: output,
            folder,
            address: ([127, 0, 0, 1], port).into(),
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// A signal takes its time on a machine that has much to do.
    async fn is_in_state(&self, state: char) {
        let status = format!("/proc/{}/status", self.child.id());
        let is_there = || {
            let status = fs::read_to_string(&status).expect("a status");
            let line = status.lines().find_map(|line| line.strip_prefix("State:"));
            line.is_some_and(|line| line.trim().starts_with(state))
        };
        while !is_there() {
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Ends it in order.
    async fn terminate(mut self) -> (ExitStatus, Ledger) {
        self.signal(Signal::TERM);
        self.wait().await
    }

    async fn kill(self) -> Ledger {
        self.signal(Signal::KILL);
        self.killed().await
    }

    /// Waits for the end of one that was killed.
    async fn killed(mut self) -> Ledger {
        self.wait().await.1
    }

    async fn wait(&mut self) -> (ExitStatus, Ledger) {
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            sleep(Duration::from_millis(10)).await;
        };
        let ledger = self.folder.path().join("ledger");
        (status, Ledger::read(&ledger))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How often each call began.
struct Ledger(BTreeMap<u64, usize>);

impl Ledger {
    fn read(path: &Path) -> Self {
        let mut begun = BTreeMap::new();
        for line in fs::read_to_string(path).expect("a ledger").lines() {
            let call = line.parse().expect("a number");
            *begun.entry(call).or_default() += 1;
        }
        Self(begun)
    }

    fn begun(&self, call: u64) -> usize {
        self.0.get(&call).copied().unwrap_or(0)
    }
}

// The callers.

/// What every call came to.
#[derive(Default)]
struct History {
    next: AtomicU64,
    replied: AtomicUsize,
    warm: Notify,
    calls: Mutex<BTreeMap<u64, (Outcome, Option<String>)>>,
}

impl History {
    fn note(&self, call: u64, outcome: Outcome, error: Option<String>) {
        let before = self
            .calls
            .lock()
            .expect("no panic")
            .insert(call, (outcome, error));
        assert!(before.is_none(), "call {call} ended twice");
        if outcome == Outcome::Replied && self.replied.fetch_add(1, Ordering::Relaxed) + 1 == WARM {
            self.warm.notify_one();
        }
    }
}

/// Many callers on one connection, until each has failed often enough.
struct Callers {
    history: Arc<History>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Callers {
    /// So many of them begin with a call that is never answered. As others are answered, it was begun.
    fn start(work: &WorkClient, held: usize) -> Self {
        let history = Arc::<History>::default();
        let tasks = (0..CALLERS)
            .map(|caller| {
                let calls = call(work.clone(), Arc::clone(&history), caller, caller < held);
                tokio::spawn(calls)
            })
            .collect();
        Self { history, tasks }
    }

    /// Until there is work in every state.
    async fn are_warm(&self) {
        timeout(PATIENCE, self.history.warm.notified())
            .await
            .expect("replies");
    }

    /// Every caller learns of the end of every call.
    async fn resolve(self) -> BTreeMap<u64, (Outcome, Option<String>)> {
        for task in self.tasks {
            let ended = timeout(PATIENCE, task).await;
            ended.expect("every call ends").expect("no panic");
        }
        let history = Arc::into_inner(self.history).expect("all callers have gone");
        assert_eq!(
            history.calls.lock().expect("no panic").len() as u64,
            history.next.into_inner(),
            "every call has an outcome"
        );
        history.calls.into_inner().expect("no panic")
    }
}

async fn call(work: WorkClient, history: Arc<History>, caller: usize, mut is_held: bool) {
    let mut failures = 0;
    while failures < FAILURES {
        let call = history.next.fetch_add(1, Ordering::Relaxed);
        let calling = if std::mem::take(&mut is_held) {
            work.hold(call)
        } else if caller.is_multiple_of(2) {
            work.quick(call)
        } else {
            work.slow(call)
        };
        match calling.await {
            Ok(answer) => {
                assert_eq!(answer, call, "the reply to another call");
                history.note(call, Outcome::Replied, None);
            }
            Err(error) => {
                failures += 1;
                history.note(call, error.outcome(), Some(explain(&error)));
            }
        }
    }
}

fn explain<E: sockety::ServiceError>(error: &CallError<E>) -> String {
    match error {
        CallError::Request { error, .. } => chain(error).to_string(),
        error => format!("{error:?}"),
    }
}

/// What came of one fault.
struct Verdict {
    counts: BTreeMap<String, usize>,
}

impl Verdict {
    /// Compares what the callers were told with what was begun, and prints both.
    fn check(
        fault: &str,
        calls: BTreeMap<u64, (Outcome, Option<String>)>,
        ledger: &Ledger,
    ) -> Self {
        let mut counts = BTreeMap::<String, usize>::new();
        let mut rows = BTreeMap::<(String, String), (usize, usize)>::new();
        for (call, (outcome, error)) in &calls {
            let begun = ledger.begun(*call);
            let is_true = match outcome {
                Outcome::NotSent | Outcome::NotExecuted => begun == 0,
                Outcome::Unknown => begun <= 1,
                Outcome::Executed | Outcome::Replied => begun == 1,
            };
            assert!(
                is_true,
                "{fault}: call {call} is {outcome} ({error:?}), and began {begun} times"
            );
            *counts.entry(outcome.to_string()).or_default() += 1;
            let error = error.clone().unwrap_or_default();
            let row = rows.entry((outcome.to_string(), error)).or_default();
            *row = (row.0 + 1, row.1 + begun);
        }
        for call in ledger.0.keys() {
            assert!(calls.contains_key(call), "{fault}: nobody made call {call}");
        }
        let mut table = format!("{fault}: {} calls\n", calls.len());
        for ((outcome, error), (count, begun)) in rows {
            table += &format!("  {count:6} {outcome:30} {begun:6} executed  {error}\n");
        }
        println!("{table}");
        Self { counts }
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.counts.get(&outcome.to_string()).copied().unwrap_or(0)
    }

    /// The fault struck in the middle of the work.
    fn is_of_a_broken_link(&self) {
        assert!(self.count(Outcome::Replied) >= WARM);
        assert!(self.count(Outcome::Unknown) >= HELD);
        assert!(self.count(Outcome::NotSent) > 0, "nothing came after it");
        assert_eq!(self.count(Outcome::NotExecuted), 0);
    }
}

// A proxy, for faults of the link.

/// What happens to the link of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    /// Both sockets are reset.
    Reset,
    /// The client is told that nothing more comes; what it sends goes on for a while.
    EndToClient,
    /// The server is told that nothing more comes; what it answers goes on.
    EndToServer,
}

/// Passes one connection on, until it is broken.
async fn proxy(server: SocketAddr, fault: Break, strikes: Arc<Notify>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.expect("a client");
        let server = TcpStream::connect(server).await.expect("a server");
        carry(client, server, fault, &strikes).await
    });
    address
}

async fn carry(mut client: TcpStream, mut server: TcpStream, fault: Break, strikes: &Notify) {
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => return,
        () = strikes.notified() => {}
    }
    match fault {
        Break::Reset => {
            client.set_zero_linger().expect("a socket");
            server.set_zero_linger().expect("a socket");
        }
        Break::EndToClient => go_on_one_way(client, server).await,
        Break::EndToServer => go_on_one_way(server, client).await,
    }
}

/// Tells one side that nothing more comes, and goes on passing what it sends.
async fn go_on_one_way(mut from: TcpStream, mut to: TcpStream) {
    let _ = from.shutdown().await;
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

async fn break_the_link(fault: Break) -> Verdict {
    let process = Process::start();
    let strikes = Arc::<Notify>::default();
    let address = proxy(process.address, fault, Arc::clone(&strikes)).await;
    let work = WorkClient::connect(address).await.expect("connected");
    let callers = Callers::start(&work, HELD);
    callers.are_warm().await;
    strikes.notify_one();
    let calls = callers.resolve().await;
    drop(work);
    let (status, ledger) = process.terminate().await;
    assert!(status.success());
    Verdict::check(&format!("{fault:?}"), calls, &ledger)
}

// The faults.

#[tokio::test]
async fn a_server_that_killed_leaves_true_outcomes() {
    let process = Process::start();
    let work = WorkClient::connect(process.address)
        .await
        .expect("connected");
    let callers = Callers::start(&work, HELD);
    callers.are_warm().await;
    let ledger = process.kill().await;
    let verdict = Verdict::check("kill -9", callers.resolve().await, &ledger);
    verdict.is_of_a_broken_link();
}

#[tokio::test]
async fn a_server_with_tls_that_killed_leaves_true_outcomes() {
    let (process, tls) = Process::start_with_tls(false);
    let work = WorkClient::connect(("localhost", process.address.port()))
        .tls(tls)
        .await
        .expect("connected");
    let callers = Callers::start(&work, HELD);
    callers.are_warm().await;
    let ledger = process.kill().await;
    let verdict = Verdict::check("kill -9, with TLS", callers.resolve().await, &ledger);
    verdict.is_of_a_broken_link();
}

#[tokio::test]
async fn a_server_that_stands_still_is_given_up_with_true_outcomes() {
    let process = Process::start();
    let options = Options::default()
        .call_timeout(Some(SECOND))
        .idle_timeout(Some(3 * SECOND));
    let work = WorkClient::connect(process.address)
        .options(options)
        .await
        .expect("connected");
    let callers = Callers::start(&work, HELD);
    callers.are_warm().await;
    process.signal(Signal::STOP);
    let calls = callers.resolve().await;
    drop(work);
    // What it had received it executes now.
    process.signal(Signal::CONT);
    let (status, ledger) = process.terminate().await;
    assert!(status.success());
    let verdict = Verdict::check("SIGSTOP", calls, &ledger);
    assert!(verdict.count(Outcome::Unknown) >= CALLERS);
}

#[tokio::test]
async fn a_link_that_is_reset_leaves_true_outcomes() {
    break_the_link(Break::Reset).await.is_of_a_broken_link();
}

#[tokio::test]
async fn a_link_that_ends_towards_the_client_leaves_true_outcomes() {
    break_the_link(Break::EndToClient)
        .await
        .is_of_a_broken_link();
}

/// The server answers what it has received.
#[tokio::test]
async fn a_link_that_ends_towards_the_server_leaves_true_outcomes() {
    break_the_link(Break::EndToServer)
        .await
        .is_of_a_broken_link();
}

#[tokio::test]
async fn a_server_that_shuts_down_loses_no_call_that_it_accepted() {
    let process = Process::start();
    let work = WorkClient::connect(process.address)
        .await
        .expect("connected");
    let callers = Callers::start(&work, 0);
    callers.are_warm().await;
    let (status, ledger) = process.terminate().await;
    assert!(status.success());
    let verdict = Verdict::check("shutdown under load", callers.resolve().await, &ledger);
    assert!(verdict.count(Outcome::NotSent) > 0);
    assert_eq!(verdict.count(Outcome::Unknown), 0);
    assert_eq!(verdict.count(Outcome::Executed), 0);
}

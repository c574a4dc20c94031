//! A server as a process of its own, which writes what it executes into a ledger on disk.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use sockety::{Options, Server, service};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::PATIENCE;

/// Each action answers with the number of its call.
#[service]
pub(crate) trait Work {
    /// Must not be executed twice.
    async fn note(&self, call: u64) -> u64;
    /// Takes a while, and must not be executed twice.
    async fn slow(&self, call: u64) -> u64;
    #[action(idempotent)]
    async fn find(&self, call: u64) -> u64;
}

/// Names the folder of a server's ledger, its port, and how many requests it executes at a time, for its process.
const FOLDER: &str = "SOCKETY_FLEET_FOLDER";
const PORT: &str = "SOCKETY_FLEET_PORT";
const LIMIT: &str = "SOCKETY_FLEET_LIMIT";

struct Worker {
    ledger: File,
    /// Milliseconds, before each answer.
    delay: Arc<AtomicU64>,
    executing: Arc<AtomicU64>,
}

/// A call that is being executed.
struct Executing(Arc<AtomicU64>);

impl Drop for Executing {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Worker {
    async fn execute(&self, call: u64, takes: Duration) -> u64 {
        self.executing.fetch_add(1, Ordering::SeqCst);
        let _executing = Executing(Arc::clone(&self.executing));
        let line = format!("{call}\n");
        (&self.ledger)
            .write_all(line.as_bytes())
            .expect("room on the disk");
        let delay = Duration::from_millis(self.delay.load(Ordering::SeqCst));
        if !(takes + delay).is_zero() {
            sleep(takes + delay).await;
        }
        call
    }
}

impl Work for Worker {
    async fn note(&self, call: u64) -> u64 {
        self.execute(call, Duration::ZERO).await
    }

    async fn slow(&self, call: u64) -> u64 {
        self.execute(call, Duration::from_millis(10)).await
    }

    async fn find(&self, call: u64) -> u64 {
        self.execute(call, Duration::ZERO).await
    }
}

fn number(name: &str) -> Option<u64> {
    let number = std::env::var(name).ok()?;
    Some(number.parse().expect("a number"))
}

#[tokio::test]
#[ignore = "the process that the others start"]
async fn server() {
    let folder = std::env::var_os(FOLDER).expect("started by a test");
    let ledger = OpenOptions::new()
        .create(true)
        .append(true)
        .open(Path::new(&folder).join("ledger"))
        .expect("a ledger");
    let port = number(PORT).map_or(0, |port| port.try_into().expect("a port"));
    let mut server = bind(port).await;
    if let Some(limit) = number(LIMIT) {
        let options = Options::default()
            .max_requests_executing(limit.try_into().expect("a limit"))
            .max_queued_requests(0);
        server = server.options(options);
    }
    let (delay, executing) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let worker = Worker {
        ledger,
        delay: Arc::clone(&delay),
        executing: Arc::clone(&executing),
    };
    // Each line is a new delay. Whoever started it has gone when its input ends.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            delay.store(line.parse().expect("a delay"), Ordering::SeqCst);
        }
        std::process::exit(1);
    });
    let mut terminated =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("signals");
    println!("port {}", server.local_addr().expect("bound").port());
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(WorkServer::new(worker)));
    terminated.recv().await;
    handle.shutdown(Duration::from_secs(30)).await;
    serving.await.expect("no panic").expect("served");
    assert_eq!(executing.load(Ordering::SeqCst), 0, "still executed");
    println!("refused {}", handle.stats().peers.overloaded);
}

/// A port that was in use a moment ago may be so for another moment.
async fn bind(port: u16) -> Server {
    let begin = Instant::now();
    loop {
        match Server::bind(("127.0.0.1", port)).await {
            Ok(server) => return server,
            Err(error) if begin.elapsed() > Duration::from_secs(5) => panic!("{error}"),
            Err(_) => sleep(Duration::from_millis(5)).await,
        }
    }
}

/// A server that runs, or does not run at the moment.
pub(crate) struct Process {
    running: Option<Running>,
    folder: TempDir,
    pub(crate) address: SocketAddr,
}

struct Running {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start() -> Self {
        let mut process = Self {
            running: None,
            folder: tempfile::tempdir().expect("a folder"),
            address: ([127, 0, 0, 1], 0).into(),
        };
        process.run(None);
        process
    }

    /// Runs it on the port that it had before. Returns when it listens.
    pub(crate) fn run(&mut self, limit: Option<u64>) {
        let this = std::env::current_exe().expect("a name");
        let limit = limit.map(|limit| (LIMIT, limit.to_string()));
        let mut child = Command::new(this)
            .args(["--ignored", "--exact", "--nocapture", "server::server"])
            .env(FOLDER, self.folder.path())
            .env(PORT, self.address.port().to_string())
            .envs(limit)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let input = child.stdin.take().expect("piped");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        self.address.set_port(said(&mut output, "port "));
        self.running = Some(Running {
            child,
            input,
            output,
        });
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.running().child), signal).expect("it runs");
    }

    /// How much longer each of its answers takes from now on.
    pub(crate) fn delay(&self, delay: Duration) {
        writeln!(&self.running().input, "{}", delay.as_millis()).expect("it runs");
    }

    /// Waits until it has ended.
    async fn wait(&mut self) -> (ExitStatus, BufReader<ChildStdout>) {
        let mut running = self.running.take().expect("it runs");
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Some(status) = running.child.try_wait().expect("a child") {
                return (status, running.output);
            }
            sleep(Duration::from_millis(2)).await;
        }
        let _ = running.child.kill();
        panic!("a server did not end within {PATIENCE:?}");
    }

    /// Ends it in order: what it has is executed and answered. Returns how many requests it has refused because of its limit.
    pub(crate) async fn terminate(&mut self) -> u64 {
        self.signal(Signal::TERM);
        let (status, mut output) = self.wait().await;
        assert!(status.success(), "a server ended with {status}");
        said(&mut output, "refused ")
    }

    pub(crate) async fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait().await;
    }

    /// Adds how often each call was begun here.
    pub(crate) fn add_to(&self, begun: &mut BTreeMap<u64, usize>) {
        let ledger = std::fs::read_to_string(self.folder.path().join("ledger"));
        for line in ledger.expect("a ledger").lines() {
            let call = line.parse().expect("a number");
            *begun.entry(call).or_default() += 1;
        }
    }
}

/// The number that it says after this word.
fn said<T: std::str::FromStr>(output: &mut impl BufRead, word: &str) -> T {
    let lines = output.lines().map_while(Result::ok);
    let mut numbers = lines.filter_map(|line| line.split_once(word)?.1.parse().ok());
    numbers.next().expect("a number")
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}

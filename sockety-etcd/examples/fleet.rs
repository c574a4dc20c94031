//! Three servers that register in etcd, and a client that finds them there: one server is killed, and
//! one is replaced, as in a rolling update, while the client calls.
//!
//! `cargo run --example fleet` starts all processes: etcd (Debian's package `etcd-server`) and the servers.

use std::{
    collections::BTreeSet,
    env,
    error::Error,
    fmt::Display,
    io::{self, Write},
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use sockety::{
    Server,
    error::chain,
    fleet::{EndpointState, Fleet},
    server::Drain,
    service,
};
use sockety_etcd::Etcd;
use tempfile::TempDir;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::{sleep, timeout},
};

#[service]
trait Bank {
    /// Returns the process that has answered.
    #[action(idempotent)]
    async fn balance(&self, account: u64) -> (u64, u32);
}

struct Accounts;

impl Bank for Accounts {
    async fn balance(&self, account: u64) -> (u64, u32) {
        sleep(Duration::from_millis(2)).await;
        (account * 100, std::process::id())
    }
}

/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many calls are under way at a time.
const CALLERS: u32 = 8;

/// A server that has died stays in the list for about as long.
const TTL: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match env::args().nth(1) {
        Some(target) => serve(&target).await,
        None => show().await,
    }
}

/// A server: registers when it listens, and drains when it is told to end, which takes it out of etcd first.
async fn serve(target: &str) -> Result<(), Box<dyn Error>> {
    let mut terminated = signal(SignalKind::terminate())?;
    let server = Server::bind("127.0.0.1:0").await?;
    let registration = Etcd::connect(target)?.registration(server.local_addr()?);
    let registration = registration.ttl(TTL).register()?;

    let handle = server.handle();
    handle.on_drain(|| registration.revoke());
    tokio::spawn(async move {
        terminated.recv().await;
        handle
            .drain(Drain::default().linger(Duration::from_secs(1)))
            .await;
    });
    server.serve(BankServer::new(Accounts)).await?;
    Ok(())
}

async fn show() -> Result<(), Box<dyn Error>> {
    let etcd = Process::etcd()?;
    let target = &etcd.target;
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(Process::server(target)?);
    }
    // etcd may still be starting.
    let fleet = BankClient::fleet(Etcd::connect(target)?)
        .name("bank")
        .await?;
    until_ready(&fleet, 3).await?;
    print(&fleet);

    let (stop, stopped) = watch::channel(false);
    let callers = (0..CALLERS).map(|_| tokio::spawn(call(fleet.client(), stopped.clone())));
    let callers: Vec<_> = callers.collect();
    sleep(Duration::from_secs(1)).await;

    say("one server is killed");
    servers.remove(0).end(Signal::KILL)?;
    until_ready(&fleet, 2).await?;
    print(&fleet);

    say("one server is replaced");
    servers.push(Process::server(target)?);
    until_ready(&fleet, 3).await?;
    servers.remove(0).end(Signal::TERM)?;
    until_ready(&fleet, 2).await?;
    print(&fleet);

    sleep(Duration::from_secs(1)).await;
    stop.send_replace(true);
    let (mut processes, mut failures) = (BTreeSet::new(), 0);
    for caller in callers {
        let (answered, failed) = caller.await?;
        processes.extend(answered);
        failures += failed;
    }
    let processes = processes.len();
    say(format_args!(
        "{processes} servers have answered calls, {failures} calls failed"
    ));
    for server in servers {
        server.end(Signal::TERM)?;
    }
    Ok(())
}

/// Calls until it is told to stop. Returns the processes that have answered, and how many calls failed.
async fn call(bank: BankClient, stopped: watch::Receiver<bool>) -> (BTreeSet<u32>, u64) {
    let (mut processes, mut failures) = (BTreeSet::new(), 0);
    while !*stopped.borrow() {
        match bank.balance(7).await {
            Ok((_, process)) => {
                processes.insert(process);
            }
            Err(error) => {
                say(format_args!("client: {}", chain(&error)));
                failures += 1;
            }
        }
    }
    (processes, failures)
}

/// Waits until the fleet knows this many servers, all of them ready.
async fn until_ready(fleet: &Fleet<BankClient>, count: usize) -> Result<(), Box<dyn Error>> {
    let waiting = async {
        loop {
            let servers = fleet.endpoints();
            let is_ready = servers.iter().all(|it| it.state == EndpointState::Ready);
            if is_ready && servers.len() == count {
                return;
            }
            fleet.changed().await;
        }
    };
    Ok(timeout(PATIENCE, waiting).await?)
}

fn print(fleet: &Fleet<BankClient>) {
    for server in fleet.endpoints() {
        say(format_args!(
            "  {} is {}",
            server.endpoint.key(),
            server.state
        ));
    }
}

/// A process that is killed when it is dropped.
struct Process {
    child: Child,
    target: String,
    /// Its files.
    _folder: Option<TempDir>,
}

impl Process {
    fn etcd() -> io::Result<Self> {
        let (folder, clients, peers) = (TempDir::new()?, free_url()?, free_url()?);
        let child = Command::new("etcd")
            .arg("--data-dir")
            .arg(folder.path())
            .args([
                "--listen-client-urls",
                &clients,
                "--advertise-client-urls",
                &clients,
            ])
            .args([
                "--listen-peer-urls",
                &peers,
                "--initial-advertise-peer-urls",
                &peers,
            ])
            .args(["--initial-cluster", &format!("default={peers}")])
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| {
                io::Error::new(error.kind(), format!("etcd cannot be run: {error}"))
            })?;
        Ok(Self {
            child,
            target: format!("etcd://{}/bank", clients.trim_start_matches("http://")),
            _folder: Some(folder),
        })
    }

    fn server(target: &str) -> io::Result<Self> {
        let child = Command::new(env::current_exe()?).arg(target).spawn()?;
        Ok(Self {
            child,
            target: target.to_owned(),
            _folder: None,
        })
    }

    fn end(mut self, signal: Signal) -> io::Result<()> {
        kill_process(Pid::from_child(&self.child), signal)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_url() -> io::Result<String> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    Ok(format!("http://127.0.0.1:{port}"))
}

fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

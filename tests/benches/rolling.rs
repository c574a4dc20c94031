//! What a rolling restart costs the calls of clients that reconnect: two servers behind a TCP load
//! balancer, which are shut down and started again in turn.
//!
//! `cargo bench -p sockety-tests --bench rolling [-- RESTARTS]`, 20 by default. All of it runs in one
//! process, so that a scheduler under load counts too.
#![allow(clippy::print_stdout, reason = "it is what the program is for")]

use std::{
    env,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sockety::{Server, server::ServerHandle, service};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

#[service]
trait Bank {
    async fn balance(&self, id: u64) -> u64;
    /// Takes a while, so that calls are in flight when a server goes away.
    async fn audit(&self, id: u64) -> u64;
}

struct Branch;

/// How long `audit` takes. It is subtracted from what is shown.
const AUDIT: Duration = Duration::from_millis(50);

impl Bank for Branch {
    async fn balance(&self, id: u64) -> u64 {
        id
    }

    async fn audit(&self, id: u64) -> u64 {
        sleep(AUDIT).await;
        id
    }
}

/// Clients, each with callers that call all the time.
const CLIENTS: usize = 4;
const CALLERS: usize = 4;

/// Between two calls of a caller, and between two restarts.
const PAUSE: Duration = Duration::from_millis(2);
const BETWEEN: Duration = Duration::from_millis(1500);

#[tokio::main]
async fn main() {
    let restarts = env::args().skip(1).find_map(|word| word.parse().ok());
    let restarts: usize = restarts.unwrap_or(20);
    let balancer = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = balancer.local_addr().expect("bound");
    let mut servers = [start().await, start().await];
    let backends = Arc::new(servers.each_ref().map(|server| Mutex::new(server.address)));
    tokio::spawn(balance(balancer, Arc::clone(&backends)));

    let figures = Arc::new(Figures::default());
    let mut callers = Vec::new();
    for _ in 0..CLIENTS {
        let bank = BankClient::reconnecting(address);
        bank.balance(0).await.expect("connected");
        for caller in 0..CALLERS {
            let (bank, figures) = (bank.clone(), Arc::clone(&figures));
            callers.push(tokio::spawn(call(bank, caller == 0, figures)));
        }
    }
    sleep(BETWEEN).await;
    let before = figures.take();
    for restart in 0..restarts {
        let which = restart % servers.len();
        let stopping = servers[which].handle.clone();
        let shutdown = tokio::spawn(async move {
            stopping.shutdown(Duration::from_secs(30)).await;
        });
        sleep(BETWEEN / 2).await;
        // The new one starts while the old one finishes.
        let new = start().await;
        *backends[which].lock().expect("no panic") = new.address;
        let old = std::mem::replace(&mut servers[which], new);
        shutdown.await.expect("no panic");
        old.serving.await.expect("no panic");
        sleep(BETWEEN / 2).await;
    }
    let during = figures.take();
    figures.is_over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.expect("no panic");
    }
    println!("| | calls | failed | median, ms | p99, ms | p99.9, ms | worst, ms |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    print("without a restart", before);
    print(&format!("{restarts} restarts"), during);
}

struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    serving: JoinHandle<()>,
}

async fn start() -> Running {
    let server = Server::bind("127.0.0.1:0").await.expect("a port");
    let (address, handle) = (server.local_addr().expect("bound"), server.handle());
    let serving = tokio::spawn(async move {
        server.serve(BankServer::new(Branch)).await.expect("served");
    });
    Running {
        address,
        handle,
        serving,
    }
}

/// Passes each connection to the next server that takes it.
async fn balance(listener: TcpListener, backends: Arc<[Mutex<SocketAddr>; 2]>) {
    let next = AtomicUsize::new(0);
    loop {
        let (mut client, _) = listener.accept().await.expect("a client");
        client.set_nodelay(true).expect("set");
        let first = next.fetch_add(1, Ordering::Relaxed);
        let backends = Arc::clone(&backends);
        tokio::spawn(async move {
            for turn in first..first + backends.len() {
                let address = *backends[turn % backends.len()].lock().expect("no panic");
                if let Ok(mut server) = TcpStream::connect(address).await {
                    server.set_nodelay(true).expect("set");
                    // Whoever closes first is no matter.
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                    return;
                }
            }
        });
    }
}

/// What calls took, and how many failed.
#[derive(Default)]
struct Figures {
    taken: Mutex<(Vec<Duration>, Vec<String>)>,
    is_over: AtomicBool,
}

impl Figures {
    fn add(&self, taken: Duration, error: Option<String>) {
        let mut figures = self.taken.lock().expect("no panic");
        figures.0.push(taken);
        figures.1.extend(error);
    }

    fn take(&self) -> (Vec<Duration>, Vec<String>) {
        std::mem::take(&mut *self.taken.lock().expect("no panic"))
    }
}

async fn call(bank: BankClient, is_long: bool, figures: Arc<Figures>) {
    let mut id = 0;
    while !figures.is_over.load(Ordering::Relaxed) {
        id += 1;
        let begin = Instant::now();
        let result = match is_long {
            true => bank.audit(id).await,
            false => bank.balance(id).await,
        };
        let own = if is_long { AUDIT } else { Duration::ZERO };
        let taken = begin.elapsed().saturating_sub(own);
        let error = match result {
            Ok(answer) => {
                assert_eq!(answer, id);
                None
            }
            Err(error) => Some(sockety::error::chain(&error).to_string()),
        };
        figures.add(taken, error);
        sleep(PAUSE).await;
    }
}

fn print(what: &str, (mut taken, failed): (Vec<Duration>, Vec<String>)) {
    taken.sort_unstable();
    let at = |share: f64| {
        let index = ((taken.len() - 1) as f64 * share) as usize;
        taken[index].as_secs_f64() * 1000.0
    };
    println!(
        "| {what} | {} | {} | {:.2} | {:.2} | {:.2} | {:.2} |",
        taken.len(),
        failed.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
    for error in failed.iter().take(5) {
        println!("\nfailed: {error}");
    }
}

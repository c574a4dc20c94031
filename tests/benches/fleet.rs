//! What a fleet costs, and what it is for: `cargo bench -p sockety-tests --bench fleet [-- RESTARTS]`, 100 by default.
//!
//! - A call through a fleet of ten servers, against the same call to one of them, and to any of them at random. These measurements take
//!   turns. The second says what the fleet costs, the first what it costs to spread calls over connections: calls that go to one server at
//!   the same time leave in one write.
//! - One slow server of ten: how many calls it gets, and what they take, against the same fleet without it.
//! - One address of two where nobody listens, against a fleet of the other one alone.
//! - Servers that are shut down and started again one after another, while callers call without a pause: how many calls fail.
//!
//! Servers and clients are one process with two workers. Each figure is the median of the repetitions; the least and the most follow.
#![allow(clippy::print_stdout, reason = "it is what the program is for")]

#[path = "process.rs"]
#[allow(dead_code, reason = "only for what the figures depend on")]
mod process;

use std::{
    env,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use sockety::{
    Server,
    error::chain,
    fleet::{EndpointState, Fleet},
    server::ServerHandle,
    service,
};
use tokio::{net::TcpSocket, task::JoinHandle, time::sleep};

#[service]
trait Bank {
    async fn balance(&self, id: u64) -> u64;
    /// Takes the time of its server.
    async fn audit(&self, id: u64) -> u64;
}

#[derive(Clone, Default)]
struct Branch {
    takes: Duration,
    audits: Arc<AtomicU64>,
}

impl Bank for Branch {
    async fn balance(&self, id: u64) -> u64 {
        id
    }

    async fn audit(&self, id: u64) -> u64 {
        self.audits.fetch_add(1, Relaxed);
        sleep(self.takes).await;
        id
    }
}

const SERVERS: usize = 10;
const IN_FLIGHT: usize = 64;
const REPETITIONS: usize = 15;
const MEASURED: Duration = Duration::from_millis(300);
const WARM: Duration = Duration::from_secs(2);

struct Running {
    address: SocketAddr,
    branch: Branch,
    handle: ServerHandle,
    serving: JoinHandle<()>,
}

impl Running {
    async fn start(port: u16, takes: Duration) -> Self {
        let server = Server::bind(("127.0.0.1", port)).await.expect("a port");
        let (address, handle) = (server.local_addr().expect("bound"), server.handle());
        let branch = Branch {
            takes,
            ..Branch::default()
        };
        let serves = BankServer::new(branch.clone());
        let serving = tokio::spawn(async move {
            server.serve(serves).await.expect("served");
        });
        Self {
            address,
            branch,
            handle,
            serving,
        }
    }

    /// Ends it in order, and starts it again on the same port.
    async fn restart(&mut self) {
        self.handle.shutdown(Duration::from_secs(30)).await;
        (&mut self.serving).await.expect("no panic");
        *self = Self::start(self.address.port(), self.branch.takes).await;
    }
}

async fn start(takes: &[Duration]) -> Vec<Running> {
    let mut servers = Vec::new();
    for takes in takes {
        servers.push(Running::start(0, *takes).await);
    }
    servers
}

async fn fleet_of(addresses: impl Iterator<Item = SocketAddr>, ready: usize) -> Fleet<BankClient> {
    let addresses: Vec<_> = addresses.map(|address| address.to_string()).collect();
    let fleet = BankClient::fleet(addresses.join(",")).await;
    let fleet = fleet.expect("a fleet");
    while count_ready(&fleet) < ready {
        fleet.changed().await;
    }
    fleet
}

fn count_ready(fleet: &Fleet<BankClient>) -> usize {
    let endpoints = fleet.endpoints();
    let ready = endpoints
        .iter()
        .filter(|it| it.state == EndpointState::Ready);
    ready.count()
}

/// Which action is called.
#[derive(Clone, Copy)]
enum Action {
    Balance,
    Audit,
}

/// What the calls of some time took, and how many there were a second.
struct Figures {
    times: Vec<Duration>,
    a_second: f64,
    failed: Vec<String>,
}

impl Figures {
    /// Of a second in which so many calls are made at a time.
    fn nanos(&self) -> f64 {
        1e9 / self.a_second
    }

    /// In milliseconds.
    fn at(&mut self, share: f64) -> f64 {
        self.times.sort_unstable();
        let index = (self.times.len().saturating_sub(1) as f64 * share) as usize;
        self.times[index].as_secs_f64() * 1e3
    }
}

/// Callers that use any of these clients for each call, without a pause, until it is over.
fn callers(
    clients: &[BankClient],
    action: Action,
    callers: usize,
    is_over: &Arc<AtomicBool>,
) -> Vec<JoinHandle<(Vec<Duration>, Vec<String>)>> {
    let caller = |caller: usize| {
        let (clients, is_over) = (clients.to_vec(), Arc::clone(is_over));
        tokio::spawn(async move {
            let (mut times, mut failed) = (Vec::new(), Vec::new());
            let mut turn = caller as u64;
            while !is_over.load(Relaxed) {
                let begin = Instant::now();
                // The high bits of a linear congruential generator.
                turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let client = &clients[(turn >> 33) as usize % clients.len()];
                let answer = match action {
                    Action::Balance => client.balance(7).await,
                    Action::Audit => client.audit(7).await,
                };
                match answer {
                    Ok(answer) => assert_eq!(answer, 7),
                    Err(error) => failed.push(chain(&error).to_string()),
                }
                times.push(begin.elapsed());
            }
            (times, failed)
        })
    };
    (0..callers).map(caller).collect()
}

async fn measure(
    clients: &[BankClient],
    action: Action,
    in_flight: usize,
    time: Duration,
) -> Figures {
    let is_over = Arc::<AtomicBool>::default();
    let begin = Instant::now();
    let tasks = callers(clients, action, in_flight, &is_over);
    sleep(time).await;
    is_over.store(true, Relaxed);
    collect(tasks, begin).await
}

async fn collect(tasks: Vec<JoinHandle<(Vec<Duration>, Vec<String>)>>, begin: Instant) -> Figures {
    let (mut times, mut failed) = (Vec::new(), Vec::new());
    for task in tasks {
        let of_task = task.await.expect("no panic");
        times.extend(of_task.0);
        failed.extend(of_task.1);
    }
    let a_second = times.len() as f64 / begin.elapsed().as_secs_f64();
    Figures {
        times,
        a_second,
        failed,
    }
}

/// The median, the least and the most.
fn spread(mut all: Vec<f64>) -> String {
    all.sort_unstable_by(f64::total_cmp);
    let median = all[all.len() / 2];
    let digits = if median < 10.0 { 3 } else { 0 };
    let (least, most) = (all[0], all[all.len() - 1]);
    format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
}

async fn cost() {
    let servers = start(&[Duration::ZERO; SERVERS]).await;
    let fleet = fleet_of(servers.iter().map(|server| server.address), SERVERS).await;
    let mut all = Vec::new();
    for server in &servers {
        all.push(
            BankClient::connect(server.address)
                .await
                .expect("connected"),
        );
    }
    let ways = [
        ("to one server", vec![all[0].clone()]),
        ("to any of ten servers", all),
        ("through a fleet of ten", vec![fleet.client()]),
    ];
    println!(
        "| In flight | Call | ns per call | Times the one to any, in the same round | Failed |"
    );
    println!("| --- | --- | --- | --- | --- |");
    for in_flight in [1, IN_FLIGHT] {
        for (_, clients) in &ways {
            measure(clients, Action::Balance, in_flight, WARM).await;
        }
        let mut nanos = [const { Vec::new() }; 3];
        let mut failed = [0; 3];
        for _ in 0..REPETITIONS {
            for (way, (_, clients)) in ways.iter().enumerate() {
                let figures = measure(clients, Action::Balance, in_flight, MEASURED).await;
                nanos[way].push(figures.nanos());
                failed[way] += figures.failed.len();
            }
        }
        for (way, (name, _)) in ways.iter().enumerate() {
            let ratios = nanos[way].iter().zip(&nanos[1]).map(|(a, b)| a / b);
            let ratios = spread(ratios.collect());
            println!(
                "| {in_flight} | {name} | {} | {ratios} | {} |",
                spread(nanos[way].clone()),
                failed[way]
            );
        }
    }
    println!();
}

async fn slow_one() {
    const FAST: Duration = Duration::from_millis(2);
    let mut takes = [FAST; SERVERS];
    takes[3] *= 20;
    let servers = start(&takes).await;
    let all = servers.iter().map(|server| server.address);
    let others = all.clone().filter(|it| *it != servers[3].address);
    let with = fleet_of(all, SERVERS).await;
    let without = fleet_of(others, SERVERS - 1).await;
    let (with, without) = ([with.client()], [without.client()]);
    let time = Duration::from_secs(2);
    let mut columns = [const { Vec::new() }; 5];
    for repetition in 0..6 {
        let audits = |server: &Running| server.branch.audits.swap(0, Relaxed);
        let mut one = measure(&with, Action::Audit, IN_FLIGHT, time).await;
        let counts: Vec<_> = servers.iter().map(audits).collect();
        let mut other = measure(&without, Action::Audit, IN_FLIGHT, time).await;
        servers.iter().map(audits).for_each(|_| {});
        if repetition == 0 {
            continue;
        }
        columns[0].push(counts[3] as f64 * 100.0 / counts.iter().sum::<u64>() as f64);
        for (column, figure) in [one.at(0.99), other.at(0.99), one.a_second, other.a_second]
            .into_iter()
            .enumerate()
        {
            columns[column + 1].push(figure);
        }
    }
    let [share, p99, p99_without, rate, rate_without] = columns.map(spread);
    println!("One server of ten takes 40 ms, the others 2 ms; {IN_FLIGHT} callers:");
    println!("  {share} % of the calls are its own");
    println!("  p99 {p99} ms with it, {p99_without} ms without it");
    println!("  {rate} calls a second with it, {rate_without} without it\n");
}

async fn dead_one() {
    let server = Running::start(0, Duration::ZERO).await;
    // It is bound, and does not listen.
    let dead = TcpSocket::new_v4().expect("a socket");
    dead.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let addresses = [server.address, dead.local_addr().expect("bound")];
    let with = fleet_of(addresses.into_iter(), 1).await;
    let without = fleet_of([server.address].into_iter(), 1).await;
    let (with, without) = ([with.client()], [without.client()]);
    let mut columns = [const { Vec::new() }; 3];
    let mut failed = 0;
    measure(&with, Action::Balance, IN_FLIGHT, WARM).await;
    measure(&without, Action::Balance, IN_FLIGHT, WARM).await;
    for _ in 0..REPETITIONS {
        let one = measure(&with, Action::Balance, IN_FLIGHT, MEASURED).await;
        let other = measure(&without, Action::Balance, IN_FLIGHT, MEASURED).await;
        failed += one.failed.len();
        columns[2].push(one.a_second / other.a_second);
        columns[0].push(one.a_second);
        columns[1].push(other.a_second);
    }
    let [rate, rate_without, ratio] = columns.map(spread);
    println!("One of two addresses is dead; {IN_FLIGHT} callers:");
    println!("  {rate} calls a second, {failed} failed; {rate_without} with the live one alone");
    println!("  {ratio} times as many\n");
}

async fn rolling(restarts: usize) {
    let mut servers = start(&[Duration::ZERO; SERVERS]).await;
    let fleet = fleet_of(servers.iter().map(|server| server.address), SERVERS).await;
    let clients = [fleet.client()];
    let mut calm = measure(&clients, Action::Balance, IN_FLIGHT, WARM).await;
    let is_over = Arc::<AtomicBool>::default();
    let begin = Instant::now();
    let tasks = callers(&clients, Action::Balance, IN_FLIGHT, &is_over);
    for restart in 0..restarts {
        servers[restart % SERVERS].restart().await;
        while count_ready(&fleet) < SERVERS {
            fleet.changed().await;
        }
    }
    is_over.store(true, Relaxed);
    let mut figures = collect(tasks, begin).await;
    println!(
        "{restarts} rolling restarts of ten servers in {:.1} s; {IN_FLIGHT} callers:",
        begin.elapsed().as_secs_f64()
    );
    println!(
        "  {} calls, {:.0} a second, {} failed",
        figures.times.len(),
        figures.a_second,
        figures.failed.len()
    );
    for (name, figures) in [("without restarts", &mut calm), ("with them", &mut figures)] {
        println!(
            "  {name}: median {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, worst {:.2} ms",
            figures.at(0.5),
            figures.at(0.99),
            figures.at(0.999),
            figures.at(1.0)
        );
    }
    for error in figures.failed.iter().take(5) {
        println!("  failed: {error}");
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let restarts = env::args().skip(1).find_map(|word| word.parse().ok());
    process::print_surroundings();
    cost().await;
    slow_one().await;
    dead_one().await;
    rolling(restarts.unwrap_or(100)).await;
}

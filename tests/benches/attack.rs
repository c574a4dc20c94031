//! What honest clients notice while a hostile peer attacks the same server: rows of THREATS.md, one
//! at a time.
//!
//! `cargo bench -p sockety-tests --bench attack [-- ROW…]`. Server, clients and attacker are three
//! processes. The attacker has a low priority, because a real one would run on another machine. 64
//! clients start calls at a fixed rate, whether their earlier calls have ended or not.
#![allow(clippy::print_stdout, reason = "it is what the program is for")]

mod process;

use std::{
    env,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use process::{Process, SERVER, print_surroundings, serve};
use sockety::{Connection, Server, message::Draft};
use tokio::time::{Instant, sleep_until};

/// Honest clients, each with its own connection.
const CLIENTS: u32 = 64;

/// From one call of a client to its next.
const PERIOD: Duration = Duration::from_millis(50);

/// Calls of each client in one run; those of the first tenth are not counted.
const CALLS: u32 = 120;

const REPETITIONS: usize = 5;

/// The first argument of an attacker's process; the row and the address follow.
const ATTACKER: &str = "attacker";

const ELSEWHERE: &str = "M17*";

/// The hostile peers. The first attacks another server: that the machine is busy is not the fault of this one.
const ROWS: [(&str, &str); 7] = [
    (ELSEWHERE, "M17 against another server"),
    ("M1", "a header without an end"),
    ("M17", "requests at line rate, replies read"),
    ("M18", "messages begun and aborted"),
    ("F4", "empty packets"),
    ("R8", "requests, replies never read"),
    ("S6", "a stream that is never read"),
];

#[tokio::main]
async fn main() {
    // Cargo says `--bench`.
    let arguments = env::args().skip(1).filter(|word| word != "--bench");
    let arguments: Vec<String> = arguments.collect();
    match arguments.first().map(String::as_str) {
        Some(SERVER) => serve(Server::bind("127.0.0.1:0").await.expect("a port")).await,
        Some(ATTACKER) => attack(&arguments[1], arguments[2].parse().expect("an address")),
        _ => measure(&arguments).await,
    }
}

async fn measure(wanted: &[String]) {
    print_surroundings();
    let mut rows = vec![(None, "no attack", Vec::new(), String::new())];
    let is_wanted = |row: &str| wanted.is_empty() || wanted.iter().any(|word| word == row);
    let attacks = ROWS.into_iter().filter(|(row, _)| is_wanted(row));
    rows.extend(attacks.map(|(row, name)| (Some(row), name, Vec::new(), String::new())));
    for _ in 0..REPETITIONS {
        for (row, _, figures, stats) in &mut rows {
            let (figure, seen) = run(*row).await;
            figures.push(figure);
            *stats = seen;
        }
    }
    let quiet = rows[0].2.clone();
    let calls_per_second = 1000 / PERIOD.as_millis() * u128::from(CLIENTS);
    println!(
        "{CLIENTS} clients, {calls_per_second} calls a second; {REPETITIONS} runs, median (lowest to highest), times in µs\n"
    );
    println!(
        "| {:4} | {:36} | {:20} | {:22} | {:22} |",
        "row", "attack", "p50", "p99", "p99 to that without"
    );
    println!("| --- | --- | --- | --- | --- |");
    for (row, name, figures, _) in &rows {
        let ratios = figures
            .iter()
            .zip(&quiet)
            .map(|(figure, quiet)| figure.p99 / quiet.p99);
        println!(
            "| {:4} | {name:36} | {:20} | {:22} | {:22} |",
            row.unwrap_or("–"),
            spread(figures.iter().map(|figure| figure.p50), 0),
            spread(figures.iter().map(|figure| figure.p99), 0),
            spread(ratios, 2),
        );
    }
    println!("\nWhat the attacker sent in the last run, and what the server counted:");
    for (row, _, _, stats) in &rows {
        println!("{:4} {stats}", row.unwrap_or("–"));
    }
}

/// Quantiles of one run, in µs.
#[derive(Clone, Copy)]
struct Figure {
    p50: f64,
    p99: f64,
}

impl Figure {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let quantile = |part: usize| times[times.len() * part / 100].as_secs_f64() * 1e6;
        Self {
            p50: quantile(50),
            p99: quantile(99),
        }
    }
}

/// The median, and between what it lies.
fn spread(figures: impl Iterator<Item = f64>, digits: usize) -> String {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    let (lowest, highest) = (figures[0], figures[figures.len() - 1]);
    let median = figures[figures.len() / 2];
    format!("{median:.digits$} ({lowest:.digits$} to {highest:.digits$})")
}

async fn run(row: Option<&str>) -> (Figure, String) {
    let mut server = Process::start(&[]);
    let mut connections = Vec::new();
    for _ in 0..CLIENTS {
        connections.push(sockety::connect(server.address).await.expect("connected"));
    }
    let other = Process::start(&[]);
    let attacker = row.map(|row| match row {
        ELSEWHERE => Attacker::start("M17", other.address),
        row => Attacker::start(row, server.address),
    });
    let begin = Instant::now() + Duration::from_millis(100);
    let clients: Vec<_> = (0..CLIENTS)
        .zip(connections)
        // Not all at the same moment.
        .map(|(client, connection)| {
            tokio::spawn(call(connection, begin + PERIOD * client / CLIENTS))
        })
        .collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await.expect("no panic"));
    }
    let sent = attacker.map_or(0, Attacker::stop);
    (
        Figure::of(times),
        format!("{} MiB; {}", sent >> 20, server.stats()),
    )
}

/// Calls at fixed times; returns how long each took.
async fn call(connection: Connection, begin: Instant) -> Vec<Duration> {
    let draft = Draft::new("echo").with_data(vec![7; 100]);
    let mut calls = Vec::new();
    for number in 0..CALLS {
        let due = begin + PERIOD * number;
        sleep_until(due).await;
        let (connection, draft) = (connection.clone(), draft.clone());
        calls.push(tokio::spawn(async move {
            let begin = Instant::now();
            let mut request = connection.send(&draft).await.expect("sent");
            request.response().await.expect("an echo");
            begin.elapsed()
        }));
    }
    let mut times = Vec::new();
    for call in calls {
        times.push(call.await.expect("no panic"));
    }
    times.split_off(times.len() / 10)
}

// The attacker.

/// The hostile peer, a separate process.
struct Attacker(Child);

impl Attacker {
    fn start(row: &str, server: SocketAddr) -> Self {
        let this = env::current_exe().expect("a name");
        let attacker = Command::new(this)
            .args([ATTACKER, row, &server.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        Self(attacker.expect("a process"))
    }

    /// Gives how many bytes it has sent.
    fn stop(mut self) -> u64 {
        drop(self.0.stdin.take());
        let mut sent = String::new();
        let output = self.0.stdout.as_mut().expect("piped");
        output.read_to_string(&mut sent).expect("it runs");
        sent.trim().parse().expect("a number")
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the attacker has sent.
static SENT: AtomicU64 = AtomicU64::new(0);

/// Attacks until its input ends, with a new connection whenever it is thrown out.
fn attack(row: &str, server: SocketAddr) {
    // Somewhere else it would take nobody's time.
    rustix::process::nice(5).expect("its own priority");
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        println!("{}", SENT.load(Ordering::Relaxed));
        std::process::exit(0);
    });
    let (first, again) = script(row);
    loop {
        let Ok(mut link) = TcpStream::connect(server) else {
            continue;
        };
        if row != "R8" {
            let mut replies = link.try_clone().expect("a socket");
            thread::spawn(move || {
                let mut buffer = vec![0; 64 * 1024];
                while replies.read(&mut buffer).is_ok_and(|count| count > 0) {}
            });
        }
        if link.write_all(&first).is_ok() {
            while link.write_all(&again).is_ok() {
                SENT.fetch_add(again.len() as u64, Ordering::Relaxed);
            }
        }
    }
}

/// What it sends first, and then over and over.
fn script(row: &str) -> (Vec<u8>, Vec<u8>) {
    let hello = vec![0xE2, 0, 1];
    let message = |number: u16, kind: u8, action: &str| {
        let id = [
            &[0x50; 6][..],
            &[0x40, 0, 0x80, 0, 0, 0, 0, 0],
            &number.to_le_bytes(),
        ]
        .concat();
        let length = u8::try_from(18 + action.len()).expect("short");
        [&[kind, length, 0], &*id, &[4], action.as_bytes()].concat()
    };
    let pings = || (0..1000).flat_map(|number| message(number, 0x21, "ping"));
    match row {
        "M1" => (
            [hello, vec![0x21, 0]].concat(),
            [0x60, 1, 0xFF].repeat(20_000),
        ),
        "M17" | "R8" => (hello, pings().collect()),
        "M18" => {
            let aborted = |number| [message(number, 0x23, "hold"), vec![0x90]].concat();
            (hello, (0..1000).flat_map(aborted).collect())
        }
        "F4" => (hello, [0x70, 0].repeat(20_000)),
        "S6" => {
            let mut chunk = vec![0x78, 0, 0x40, 0];
            chunk.resize(4 + 16 * 1024, 7);
            ([hello, message(0, 0x23, "hold")].concat(), chunk)
        }
        row => panic!("no row {row}"),
    }
}

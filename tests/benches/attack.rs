//! What honest clients notice while a hostile peer attacks the same server: rows of THREATS.md, one at a time.
//!
//! `cargo bench -p sockety-tests --bench attack`. Server, clients and attacker are three processes. The attacker has the lowest
//! priority, as it would compute elsewhere. 64 clients call at a fixed rate, and each call is timed from when it was
//! to begin, so that one that had to wait for another counts in full.
#![allow(clippy::print_stdout, reason = "it is what the program is for")]

mod process;

use std::{
    env,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command},
    thread,
    time::Duration,
};

use process::{Process, SERVER, print_surroundings, serve};
use sockety::{Connection, Draft, Server};
use tokio::time::{Instant, sleep_until};

/// Honest clients, each with a connection of its own.
const CLIENTS: u32 = 64;

/// From one call of a client to its next.
const PERIOD: Duration = Duration::from_millis(50);

/// Calls of each client in one run; those of the first tenth are not counted.
const CALLS: u32 = 100;

const REPETITIONS: usize = 5;

/// The first argument of an attacker's process; the row and the address follow.
const ATTACKER: &str = "attacker";

/// The hostile peers.
const ROWS: [(&str, &str); 6] = [
    ("M1", "a header without an end"),
    ("M17", "requests at line rate, replies read"),
    ("M18", "messages begun and aborted"),
    ("F4", "empty packets"),
    ("R8", "requests, replies never read"),
    ("S6", "a stream that is never read"),
];

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(SERVER) => serve(Server::bind("127.0.0.1:0").await.expect("a port")).await,
        Some(ATTACKER) => attack(&arguments[1], arguments[2].parse().expect("an address")),
        _ => measure().await,
    }
}

async fn measure() {
    print_surroundings();
    let mut rows = vec![(None, "no attack", Vec::new(), String::new())];
    rows.extend(ROWS.map(|(row, name)| (Some(row), name, Vec::new(), String::new())));
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
    println!("\nWhat the server counted in the last run:");
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
    let attacker = row.map(|row| Attacker::start(row, server.address));
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
    drop(attacker);
    (Figure::of(times), server.stats())
}

/// Calls at fixed times; gives how long after its time each was answered.
async fn call(connection: Connection, begin: Instant) -> Vec<Duration> {
    let draft = Draft::new("echo").with_data(vec![7; 100]);
    let mut calls = Vec::new();
    for number in 0..CALLS {
        let due = begin + PERIOD * number;
        sleep_until(due).await;
        let (connection, draft) = (connection.clone(), draft.clone());
        calls.push(tokio::spawn(async move {
            let mut request = connection.send(&draft).await.expect("sent");
            request.response().await.expect("an echo");
            due.elapsed()
        }));
    }
    let mut times = Vec::new();
    for call in calls {
        times.push(call.await.expect("no panic"));
    }
    times.split_off(times.len() / 10)
}

// The attacker.

/// The hostile peer, a process of its own.
struct Attacker(Child);

impl Attacker {
    fn start(row: &str, server: SocketAddr) -> Self {
        let this = env::current_exe().expect("a name");
        let attacker = Command::new(this)
            .args([ATTACKER, row, &server.to_string()])
            .spawn();
        Self(attacker.expect("a process"))
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Attacks until it is killed, with a new connection whenever it is thrown out.
fn attack(row: &str, server: SocketAddr) {
    // Somewhere else it would not take their time from the others.
    rustix::process::nice(19).expect("its own priority");
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
            while link.write_all(&again).is_ok() {}
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
        "M1" => ([hello, vec![0x21, 0]].concat(), [0x60, 1, 0].repeat(20_000)),
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

//! Works without a pause, and checks that nothing is left over: memory, tasks, descriptors, time.
//!
//! `cargo run --release -p sockety-tests --example sockety-soak -- [--seconds 60] [--mix mixed] [--extension off]`,
//! where a mix is one of `rpc`, `channel`, `stream`, `file`, `churn` and `mixed`, which is all of
//! them concurrently. The time is divided into rounds. After each round everything is released and
//! measured, so that what is left is a leak. Fails if a call fails, if tasks or descriptors are
//! left, or if the heap grows from round to round.
#![allow(clippy::print_stdout, reason = "it is what the program is for")]

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{env, fs};

use bytes::Bytes;
use peak_alloc::PeakAlloc;
use sockety::{ByteStream, File, Options, Server, config::Extension, error::ConnectError, service};
use tokio::io::AsyncReadExt;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const ROUNDS: usize = 8;

/// Rounds until caches have their size.
const WARM: usize = 2;

/// How much the heap may grow over all other rounds, in bytes.
const GROWTH: usize = 64 * 1024;

/// How much the resident memory may be over that of the warm rounds, in kilobytes: the allocator keeps some.
const RESIDENT: usize = 64 * 1024;

/// No iteration takes longer.
const LONGEST: Duration = Duration::from_secs(30);

/// From this many seconds on, the slowest calls of the last quarter are compared with those of the first.
const LONG: u64 = 600;

/// Workers of each kind.
const WORKERS: usize = 4;

const KINDS: [&str; 5] = ["rpc", "channel", "stream", "file", "churn"];

type Failed = Box<dyn std::error::Error + Send + Sync>;

#[service]
trait Work {
    /// As many bytes as asked for.
    async fn rpc(&self, text: String, size: u32) -> String;
    async fn echo(&self, stream: ByteStream) -> ByteStream;
    async fn store(&self, file: File) -> u64;
    async fn wait(&self);
}

struct Worker;

impl Work for Worker {
    async fn rpc(&self, text: String, size: u32) -> String {
        drop(text);
        "x".repeat(size as usize)
    }

    async fn echo(&self, stream: ByteStream) -> ByteStream {
        stream
    }

    async fn store(&self, mut file: File) -> u64 {
        let mut size = 0;
        while let Ok(Some(chunk)) = file.next_chunk().await {
            size += chunk.len() as u64;
        }
        size
    }

    async fn wait(&self) {
        sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let seconds = argument("--seconds").map_or(60, |text| text.parse().expect("a number"));
    let mix = argument("--mix").unwrap_or_else(|| "mixed".into());
    let kinds: Vec<_> = KINDS
        .into_iter()
        .filter(|kind| mix == "mixed" || mix == *kind)
        .collect();
    assert!(!kinds.is_empty(), "no mix is called {mix}");
    let extension = match argument("--extension").as_deref() {
        None | Some("off") => Extension::Off,
        Some("auto") => Extension::Auto,
        Some(other) => panic!("--extension is off or auto, not {other}"),
    };
    let options = Options::default().extension(Extension::Auto);
    let server = Server::bind("127.0.0.1:0")
        .await
        .expect("a port")
        .options(options);
    EXTENSION.set(extension).expect("set once");
    let address = server.local_addr().expect("bound");
    let serving = tokio::spawn(server.serve(WorkServer::new(Worker)));
    let base = Rest::read().tasks;
    println!(
        "| round | calls | p50, ms | p99, ms | longest, ms | heap, KiB | resident, KiB | tasks | descriptors |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut rounds = Vec::new();
    for number in 1..=ROUNDS {
        let time = Duration::from_secs(seconds) / ROUNDS as u32;
        match round(address, &kinds, time, base).await {
            Ok(round) => {
                round.print(number);
                rounds.push(round);
            }
            Err(error) => {
                println!("FAILED in round {number}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    serving.abort();
    let wrongs = judge(&rounds, seconds);
    for wrong in &wrongs {
        println!("FAILED: {wrong}");
    }
    if wrongs.is_empty() {
        let calls: usize = rounds.iter().map(|round| round.calls).sum();
        println!("{mix}: {calls} calls in {seconds} s, nothing is left over");
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}

/// What the clients offer; the server offers it always.
static EXTENSION: OnceLock<Extension> = OnceLock::new();

async fn connect(address: SocketAddr) -> Result<WorkClient, ConnectError> {
    let extension = EXTENSION.get().copied().unwrap_or_default();
    let options = Options::default().extension(extension);
    WorkClient::connect(address).options(options).await
}

fn argument(name: &str) -> Option<String> {
    let mut arguments = env::args().skip_while(|argument| argument != name);
    arguments.nth(1)
}

/// What is there when nothing is done.
#[derive(Clone, Copy, Debug)]
struct Rest {
    heap: usize,
    resident: usize,
    tasks: usize,
    descriptors: usize,
}

impl Rest {
    fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").expect("a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Self {
            heap: HEAP.current_usage(),
            resident: resident.expect("its memory").parse().expect("a number"),
            tasks: Handle::current().metrics().num_alive_tasks(),
            descriptors: fs::read_dir("/proc/self/fd").expect("descriptors").count(),
        }
    }
}

struct Round {
    calls: usize,
    times: Times,
    rest: Rest,
}

/// How long the calls took, in milliseconds.
struct Times {
    median: f64,
    p99: f64,
    longest: f64,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let share = |of_hundred: usize| {
            let at = (times.len() * of_hundred / 100).min(times.len() - 1);
            times[at].as_secs_f64() * 1000.0
        };
        Self {
            median: share(50),
            p99: share(99),
            longest: share(100),
        }
    }
}

impl Round {
    fn print(&self, number: usize) {
        let Times {
            median,
            p99,
            longest,
        } = self.times;
        let Rest {
            heap,
            resident,
            tasks,
            descriptors,
        } = self.rest;
        println!(
            "| {number} | {} | {median:.2} | {p99:.2} | {longest:.0} | {} | {resident} | {tasks} | {descriptors} |",
            self.calls,
            heap / 1024,
        );
    }
}

/// Works for this time, drops everything, and measures.
async fn round(
    address: SocketAddr,
    kinds: &[&'static str],
    time: Duration,
    base: usize,
) -> Result<Round, Failed> {
    let end = Instant::now() + time;
    let shared = connect(address).await?;
    let mut workers = JoinSet::new();
    for kind in kinds {
        for _ in 0..WORKERS {
            workers.spawn(work(kind, address, shared.clone(), end));
        }
    }
    drop(shared);
    let mut times = Vec::new();
    while let Some(worker) = workers.join_next().await {
        times.extend(worker??);
    }
    // Nothing of this program counts as left over.
    let (calls, times) = (times.len(), Times::of(times));
    // The last connections take a moment to go.
    let rests = timeout(LONGEST, async {
        while Handle::current().metrics().num_alive_tasks() > base {
            sleep(Duration::from_millis(10)).await;
        }
    });
    rests
        .await
        .map_err(|_| format!("tasks are left: {:?}, and {base} at first", Rest::read()))?;
    Ok(Round {
        calls,
        times,
        rest: Rest::read(),
    })
}

async fn work(
    kind: &'static str,
    address: SocketAddr,
    shared: WorkClient,
    end: Instant,
) -> Result<Vec<Duration>, Failed> {
    let mut times = Vec::new();
    let mut number = 0;
    while Instant::now() < end {
        number += 1;
        let begun = Instant::now();
        let iteration = async {
            match kind {
                "rpc" => rpc(&shared).await,
                "channel" => rpc(&connect(address).await?).await,
                "stream" => stream(&shared).await,
                "file" => file(&shared).await,
                _ => churn(address, number).await,
            }
        };
        timeout(LONGEST, iteration)
            .await
            .map_err(|_| format!("{kind} took longer than {LONGEST:?}"))?
            .map_err(|error| format!("{kind}: {error}"))?;
        times.push(begun.elapsed());
    }
    Ok(times)
}

/// The sizes of gRPC's soak test.
async fn rpc(work: &WorkClient) -> Result<(), Failed> {
    let reply = work.rpc("x".repeat(271_828), 314_159).await?;
    (reply.len() == 314_159)
        .then_some(())
        .ok_or("a part of a reply".into())
}

const CONTENT: u64 = 4 * 1024 * 1024;

async fn stream(work: &WorkClient) -> Result<(), Failed> {
    let content = ByteStream::from_reader(tokio::io::repeat(7).take(CONTENT));
    let mut echo = work.echo(content).await?;
    let mut size = 0;
    while let Some(chunk) = echo.next_chunk().await? {
        size += chunk.len() as u64;
    }
    (size == CONTENT)
        .then_some(())
        .ok_or("a part of a stream".into())
}

async fn file(work: &WorkClient) -> Result<(), Failed> {
    let content = Bytes::from(vec![7; CONTENT as usize]);
    let size = work.store(File::from_bytes("file", content)).await?;
    (size == CONTENT)
        .then_some(())
        .ok_or("a part of a file".into())
}

/// Gives up in the middle, in one way or another.
async fn churn(address: SocketAddr, number: u64) -> Result<(), Failed> {
    let work = connect(address).await?;
    let moment = Duration::from_micros(number * 37 % 3000);
    match number % 4 {
        0 => drop(timeout(moment, work.wait()).await),
        1 => drop(timeout(moment, stream(&work)).await),
        2 => drop(timeout(moment, file(&work)).await),
        _ => {
            drop(timeout(moment, rpc(&work)).await);
            work.connection().close().await;
        }
    }
    Ok(())
}

fn judge(rounds: &[Round], seconds: u64) -> Vec<String> {
    let mut wrongs = Vec::new();
    let (warm, last) = (&rounds[WARM - 1], &rounds[ROUNDS - 1]);
    if last.rest.heap > warm.rest.heap + GROWTH {
        wrongs.push(format!(
            "the heap grew by {} bytes",
            last.rest.heap - warm.rest.heap
        ));
    }
    if last.rest.resident > warm.rest.resident + RESIDENT {
        let grown = last.rest.resident - warm.rest.resident;
        wrongs.push(format!("the resident memory grew by {grown} KiB"));
    }
    if rounds
        .iter()
        .any(|round| round.rest.descriptors > warm.rest.descriptors)
    {
        wrongs.push("descriptors are left".into());
    }
    let quarter = |rounds: &[Round]| rounds.iter().map(|round| round.times.p99).sum::<f64>();
    let (first, end) = (
        quarter(&rounds[WARM..2 * WARM]),
        quarter(&rounds[ROUNDS - WARM..]),
    );
    println!(
        "p99 of the last quarter: {:.2} of that of the one after the warm rounds",
        end / first
    );
    if seconds >= LONG && end > first * 1.1 {
        wrongs.push("calls have become slower".into());
    }
    wrongs
}

//! What the negotiated extension is for, as ratios of one run: `cargo bench -p sockety-tests --bench steering`.
//!
//! - Calls of one peer while another one cancels 100,000 calls a second, against the same calls alone.
//! - Events echoed by a stream while 32 uploads on the same connection are read by nobody, against the same events
//!   alone, with the extension and without it.
//!
//! Server and clients are one process with two workers. Each figure is the median of the repetitions, each with its
//! own server.
#![allow(clippy::print_stdout, reason = "it is what the program is for")]

use std::time::{Duration, Instant};

use sockety::{
    ByteStream, Connection, FastReply, Options, Server,
    config::Extension,
    message::{Draft, Response, ResponseDraft},
    serve::{Message, MessageHandler},
};
use tokio::{
    io::AsyncReadExt,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};

type Failed = Box<dyn std::error::Error + Send + Sync>;

const REPETITIONS: usize = 5;
const MEASURED: Duration = Duration::from_secs(2);
const CANCELLED_A_SECOND: u64 = 100_000;
const UPLOADS: usize = 32;

fn handler() -> MessageHandler {
    MessageHandler::new()
        .action("ping", |_| async { FastReply::ACCEPT })
        .action("wait", |_| std::future::pending::<()>())
        .action("hold", |message: Message| async move {
            std::future::pending::<()>().await;
            drop(message);
        })
        .action("echo", |message: Message| async move {
            let stream = message
                .take_stream()
                .unwrap_or_else(|| ByteStream::from_reader(tokio::io::empty()));
            let response = ResponseDraft::new().create().with_stream_from(stream);
            message.respond(response).await
        })
}

struct Site {
    address: std::net::SocketAddr,
    server: JoinHandle<()>,
}

impl Site {
    async fn new(options: Options) -> Result<Self, Failed> {
        let server = Server::bind("127.0.0.1:0").await?.options(options);
        let address = server.local_addr()?;
        let server = tokio::spawn(async move {
            let _ = server.serve(handler()).await;
        });
        Ok(Self { address, server })
    }

    async fn connect(&self) -> Result<Connection, Failed> {
        let options = Options::default().call_timeout(None);
        Ok(sockety::connect(self.address).options(options).await?)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The 99th percentile of how long something takes, one at a time.
async fn p99<F: Future<Output = Result<(), Failed>>>(
    mut step: impl FnMut() -> F,
) -> Result<Duration, Failed> {
    let mut times = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < MEASURED {
        let start = Instant::now();
        step().await?;
        times.push(start.elapsed());
    }
    percentile(times)
}

fn percentile(mut times: Vec<Duration>) -> Result<Duration, Failed> {
    times.sort_unstable();
    let place = times.len() * 99 / 100;
    times
        .get(place)
        .copied()
        .ok_or_else(|| "nothing was measured".into())
}

async fn ping(connection: &Connection) -> Result<(), Failed> {
    let mut request = connection.send(&Draft::new("ping")).await?;
    request.response().await?;
    Ok(())
}

/// Sends requests and cancels each at once. Returns how many a second it managed.
fn cancel_calls(connection: Connection) -> JoinHandle<f64> {
    tokio::spawn(async move {
        let begin = Instant::now();
        let mut clock = interval(Duration::from_millis(1));
        clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut count = 0_u64;
        while begin.elapsed() < MEASURED {
            clock.tick().await;
            for _ in 0..CANCELLED_A_SECOND / 1_000 {
                match timeout(MEASURED, connection.send(&Draft::new("wait"))).await {
                    Ok(Ok(request)) => drop(request),
                    // The peer is full: it waits for its turn.
                    Ok(Err(_)) => tokio::task::yield_now().await,
                    Err(_) => break,
                }
                count += 1;
            }
        }
        count as f64 / begin.elapsed().as_secs_f64()
    })
}

async fn neighbour(is_flooded: bool) -> Result<(Duration, f64), Failed> {
    let site = Site::new(Options::default()).await?;
    let (other, mine) = (site.connect().await?, site.connect().await?);
    let flood = is_flooded.then(|| cancel_calls(other.clone()));
    let p99 = p99(|| ping(&mine)).await?;
    let rate = match flood {
        Some(flood) => flood.await?,
        None => 0.0,
    };
    let is_alive = !other.is_closed();
    if !is_alive {
        return Err("the connection of the one that cancels was ended".into());
    }
    Ok((p99, rate))
}

async fn events(extension: Extension, uploads: usize) -> Result<Duration, Failed> {
    let site = Site::new(Options::default().extension(extension)).await?;
    let connection = site.connect().await?;
    let mut held = Vec::new();
    for _ in 0..uploads {
        let endless = ByteStream::from_reader(tokio::io::repeat(7));
        let upload = Draft::new("hold").create().with_stream_from(endless);
        held.push(connection.send(upload).await?);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut request = connection.send(&Draft::new("echo").with_stream()).await?;
    let mut writer = request.take_writer().ok_or("no stream")?;
    let mut echoed = stream_of(request.response().await?.into_response())?;
    let mut times = Vec::new();
    let begin = Instant::now();
    let mut event = [0; 100];
    while begin.elapsed() < MEASURED {
        let start = Instant::now();
        writer.write_chunk(vec![7; 100]).await?;
        echoed.read_exact(&mut event).await?;
        times.push(start.elapsed());
    }
    percentile(times)
}

fn stream_of(response: Option<Response>) -> Result<ByteStream, Failed> {
    response
        .and_then(|mut response| response.take_stream())
        .ok_or_else(|| "no stream".into())
}

fn median<T: PartialOrd + Copy>(mut all: Vec<T>) -> T {
    all.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    all[all.len() / 2]
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failed> {
    let (mut alone, mut flooded, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    let mut of_events = [const { Vec::new() }; 4];
    for _ in 0..REPETITIONS {
        alone.push(neighbour(false).await?.0);
        let (p99, rate) = neighbour(true).await?;
        flooded.push(p99);
        rates.push(rate);
        let kinds = [Extension::Auto, Extension::Off];
        for (kind, extension) in kinds.into_iter().enumerate() {
            of_events[2 * kind].push(events(extension, 0).await?);
            of_events[2 * kind + 1].push(events(extension, UPLOADS).await?);
        }
    }
    let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
    let (a, b) = (median(alone.clone()), median(flooded.clone()));
    println!("p99 of calls: {a:?} alone {alone:?}");
    println!(
        "  {b:?} beside {:.0} cancelled calls a second {flooded:?}: {:.2} x",
        median(rates),
        ratio(b, a)
    );
    for (kind, name) in ["with the extension", "without it"].into_iter().enumerate() {
        let (all, beside) = (of_events[2 * kind].clone(), of_events[2 * kind + 1].clone());
        let (a, b) = (median(all.clone()), median(beside.clone()));
        println!("p99 of events {name}: {a:?} alone {all:?}");
        println!(
            "  {b:?} beside {UPLOADS} unread uploads {beside:?}: {:.2} x",
            ratio(b, a)
        );
    }
    Ok(())
}

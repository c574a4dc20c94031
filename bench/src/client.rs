use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    Result,
    calls::{Client, Echo, Held, Note, Nothing},
    clock::Window,
    contender::{Contender, Target},
    contenders::{self, Visit},
    control::{Sample, Server},
    load::{self, Operation, Tally},
    outcome::{Latency, Outcome},
    payloads::{CHUNK, MIB, large, small},
    plan::Plan,
    process, tls,
    workload::Workload,
};

/// The calling process: starts its server, calls it, and prints what it found.
pub fn run(plan: &Plan) -> Result<()> {
    process::place(plan.placement)?;
    process::raise_file_limit()?;
    tls::install()?;
    let outcome = contenders::with(&plan.contender, Measure { plan: plan.clone() });
    let outcome = outcome.map_err(|error| error.to_string());
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

struct Measure {
    plan: Plan,
}

impl Visit for Measure {
    type Output = Result<Outcome>;

    fn visit<C: Contender>(self) -> Result<Outcome> {
        let plan = self.plan;
        let (server, hello) = Server::start(&plan)?;
        let runtime = plan.client_runtime(C::ABOUT.runtime)?;
        let target = Target {
            addresses: hello.addresses,
            tls: plan.case.tls,
            certificate: hello.certificate,
            directory: plan.stored(),
        };
        let run = Run {
            plan,
            server: Arc::new(Mutex::new(server)),
        };
        // As a task, it runs on the worker and not on the thread that waits for it.
        runtime
            .block_on(async { tokio::spawn(async move { run.measure::<C>(&target).await }).await? })
    }
}

struct Run {
    plan: Plan,
    server: Arc<Mutex<Server>>,
}

impl Run {
    async fn measure<C: Contender>(&self, target: &Target) -> Result<Outcome> {
        match self.plan.case.workload {
            Workload::W7 => return self.memory::<C, _>(target, echo_once::<C::Client>).await,
            Workload::W15 => {
                return match self.plan.case.in_flight {
                    1 => self.memory::<C, _>(target, hold_all::<_, false>).await,
                    _ => self.memory::<C, _>(target, hold_all::<_, true>).await,
                };
            }
            _ => {}
        }
        let clients = connect::<C>(target, self.plan.case.connections).await?;
        let mut outcome = match self.plan.case.workload {
            Workload::W4 => self.one_way(&clients[0]).await?,
            Workload::T3 => self.one_way_by_tasks(&clients).await?,
            Workload::W6 => self.stream(&clients[0]).await?,
            Workload::W9 => self.file(&clients[0]).await?,
            Workload::W10 => self.beside_content(&clients).await?,
            _ => self.calls(&clients).await?,
        };
        self.note_peaks(&mut outcome)?;
        Ok(outcome)
    }

    fn note_peaks(&self, outcome: &mut Outcome) -> Result<()> {
        let sample = self.sample()?;
        outcome.client_peak = sample.client.peak;
        outcome.server_peak = sample.server.usage.peak;
        Ok(())
    }

    async fn calls<C: Client>(&self, clients: &[C]) -> Result<Outcome> {
        let (window, in_flight) = (self.window(), self.plan.case.in_flight);
        let before = self.executed()?;
        let workload = self.plan.case.workload;
        let load = async {
            match workload {
                Workload::W5 | Workload::T4 => C::upload_load(clients, in_flight, window).await,
                Workload::T1 => load::closed_loop::<Nothing, C>(clients, in_flight, window).await,
                Workload::W8 => C::records_load(clients, in_flight, window).await,
                _ => C::echo_load(clients, in_flight, window).await,
            }
        };
        let (tally, begin, end) = self.during(window, load).await?;
        let executed = self.executed()? - before;
        if executed != tally.calls {
            return Err(format!("{executed} executed of {} calls", tally.calls).into());
        }
        if tally.latency.is_empty() {
            return Err("no call ended while calls were counted".into());
        }
        Ok(outcome(&tally, &window, &begin, &end))
    }

    async fn one_way<C: Client>(&self, client: &C) -> Result<Outcome> {
        const BATCH: usize = 1024;
        let window = self.window();
        let before = self.executed()?;
        let sender = || async {
            let (payload, mut sent) = (small(0), 0);
            while Instant::now() < window.end {
                client.notify(&payload, BATCH).await?;
                sent += BATCH as u64;
            }
            Ok(sent)
        };
        // While one waits, the other prepares.
        let load = async { tokio::try_join!(sender(), sender()).map(|(a, b)| a + b) };
        let (sent, begin, end) = self.during(window, load).await?;
        self.until_executed(before + sent).await?;
        Ok(received(&begin, &end))
    }

    async fn one_way_by_tasks<C: Client>(&self, clients: &[C]) -> Result<Outcome> {
        let (window, in_flight) = (self.window(), self.plan.case.in_flight);
        let before = self.executed()?;
        let load = load::closed_loop::<Note, C>(clients, in_flight, window);
        let (tally, begin, end) = self.during(window, load).await?;
        self.until_executed(before + tally.calls).await?;
        Ok(received(&begin, &end))
    }

    /// Waits for messages that are still on their way, and for no others.
    async fn until_executed(&self, expected: u64) -> Result<()> {
        let give_up = Instant::now() + Duration::from_secs(20);
        loop {
            match self.executed()? {
                executed if executed == expected => return Ok(()),
                executed if executed > expected || Instant::now() > give_up => {
                    return Err(format!("{executed} executed of {expected} messages").into());
                }
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    async fn stream<C: Client>(&self, client: &C) -> Result<Outcome> {
        let chunk = large(CHUNK);
        let total = self.plan.stream_bytes / CHUNK as u64;
        let send = |count| {
            let chunk = chunk.clone();
            async move { check_bytes(client.stream(chunk, count).await?, count * CHUNK as u64) }
        };
        send(total.div_ceil(16)).await?;
        let begin = self.sample()?;
        send(total).await?;
        let end = self.sample()?;
        Ok(throughput(total * CHUNK as u64, &begin, &end))
    }

    async fn file<C: Client>(&self, client: &C) -> Result<Outcome> {
        let begin = self.sample()?;
        let stored = client.file(self.plan.source()).await?;
        let end = self.sample()?;
        check_bytes(stored, self.plan.file_bytes)?;
        Ok(throughput(stored, &begin, &end))
    }

    async fn beside_content<C: Client>(&self, clients: &[C]) -> Result<Outcome> {
        let alone = self.calls(clients).await?;
        let content = Content::start(&clients[0], &self.plan);
        let mut outcome = self.calls(clients).await?;
        content.stop().await?;
        outcome.alone = alone.latency;
        Ok(outcome)
    }

    /// What the server keeps of each connection that was used in this way.
    async fn memory<C: Contender, T>(
        &self,
        target: &Target,
        using: impl AsyncFn(&[C::Client]) -> Result<T>,
    ) -> Result<Outcome> {
        let connections = self.plan.case.connections;
        let first = connect::<C>(target, 100).await?;
        let _first_used = using(&first).await?;
        let before = self.settled().await?;
        let clients = connect::<C>(target, connections).await?;
        let _used = using(&clients).await?;
        let after = self.settled().await?;
        let grown = (after.server.usage.resident).saturating_sub(before.server.usage.resident);
        Ok(Outcome {
            value: grown as f64 / connections as f64,
            client_peak: after.client.peak,
            server_peak: after.server.usage.peak,
            ..Outcome::default()
        })
    }

    async fn settled(&self) -> Result<Sample> {
        tokio::time::sleep(Duration::from_millis(500)).await;
        self.sample()
    }

    fn window(&self) -> Window {
        Window::after(self.plan.warm_up, self.plan.measure)
    }

    fn sample(&self) -> Result<Sample> {
        sample(&self.server)
    }

    fn executed(&self) -> Result<u64> {
        Ok(self.sample()?.server.executed)
    }

    /// Runs a load, and samples both processes at both ends of the window.
    async fn during<T>(
        &self,
        window: Window,
        load: impl Future<Output = Result<T>>,
    ) -> Result<(T, Sample, Sample)> {
        let server = Arc::clone(&self.server);
        let (samples_in, samples) = oneshot::channel();
        // A thread of its own: the worker is busy.
        thread::spawn(move || {
            let _ = samples_in.send(sample_both(&server, window));
        });
        let done = load.await?;
        let (begin, end) = samples.await??;
        Ok((done, begin, end))
    }
}

fn sample(server: &Mutex<Server>) -> Result<Sample> {
    Sample::take(&mut server.lock().unwrap_or_else(PoisonError::into_inner))
}

fn sample_both(server: &Mutex<Server>, window: Window) -> Result<(Sample, Sample)> {
    thread::sleep(window.begin.saturating_duration_since(Instant::now()));
    let begin = sample(server)?;
    thread::sleep(window.end.saturating_duration_since(Instant::now()));
    Ok((begin, sample(server)?))
}

/// So many connections, a few dozen at a time.
async fn connect<C: Contender>(target: &Target, connections: usize) -> Result<Vec<C::Client>> {
    stream::iter(0..connections)
        .map(|_| C::connect(target))
        .buffered(64)
        .try_collect()
        .await
}

async fn echo_once<C: Client>(clients: &[C]) -> Result<()> {
    for (task, client) in clients.iter().enumerate() {
        <Echo as Operation<C>>::new(task).call(client).await?;
    }
    Ok(())
}

/// An open stream on each, or one in each direction.
async fn hold_all<C: Client, const BOTH_WAYS: bool>(clients: &[C]) -> Result<Vec<Held>> {
    let mut held = Vec::with_capacity(clients.len());
    for (task, client) in clients.iter().enumerate() {
        held.push(client.hold(small(task), BOTH_WAYS).await?);
    }
    Ok(held)
}

fn check_bytes(arrived: u64, sent: u64) -> Result<()> {
    match arrived == sent {
        true => Ok(()),
        false => Err(format!("{arrived} bytes arrived of {sent}").into()),
    }
}

fn outcome(tally: &Tally, window: &Window, begin: &Sample, end: &Sample) -> Outcome {
    let calls = tally.latency.len() as f64;
    Outcome {
        value: calls / window.seconds(),
        cpu: Some(end.cpu_since(begin) / calls),
        latency: Some(Latency::from(&tally.latency)),
        server_cpu: Some(end.server_cpu_since(begin) / calls),
        least_share: tally.least_share().filter(|_| tally.by_client.len() > 1),
        ..Outcome::default()
    }
}

/// What the server has executed.
fn received(begin: &Sample, end: &Sample) -> Outcome {
    let executed = (end.server.executed - begin.server.executed) as f64;
    Outcome {
        value: executed / end.seconds_since(begin),
        cpu: Some(end.cpu_since(begin) / executed),
        ..Outcome::default()
    }
}

/// An operation is a MiB.
fn throughput(bytes: u64, begin: &Sample, end: &Sample) -> Outcome {
    let mib = bytes as f64 / MIB as f64;
    Outcome {
        value: mib / end.seconds_since(begin),
        cpu: Some(end.cpu_since(begin) / mib),
        ..Outcome::default()
    }
}

/// Streams and files that go on until they are stopped, one after another.
struct Content {
    stop: Arc<AtomicBool>,
    streaming: JoinHandle<Result<u64>>,
    storing: JoinHandle<Result<u64>>,
}

impl Content {
    const CHUNKS: u64 = 256;

    fn start<C: Client>(client: &C, plan: &Plan) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let streams = {
            let (client, chunk) = (client.clone(), large(CHUNK));
            let once = move || {
                let (client, chunk) = (client.clone(), chunk.clone());
                async move { client.stream(chunk, Self::CHUNKS).await }
            };
            repeat(once, Self::CHUNKS * CHUNK as u64, Arc::clone(&stop))
        };
        let files = {
            let (client, source) = (client.clone(), plan.source());
            let once = move || {
                let (client, source) = (client.clone(), source.clone());
                async move { client.file(source).await }
            };
            repeat(once, plan.file_bytes, Arc::clone(&stop))
        };
        Self {
            stop,
            streaming: tokio::spawn(streams),
            storing: tokio::spawn(files),
        }
    }

    async fn stop(self) -> Result<()> {
        self.stop.store(true, Relaxed);
        let (streams, files) = (self.streaming.await??, self.storing.await??);
        match streams > 0 && files > 0 {
            true => Ok(()),
            false => Err("nothing was sent alongside the calls".into()),
        }
    }
}

async fn repeat<R: Future<Output = Result<u64>>>(
    once: impl Fn() -> R,
    expected: u64,
    stop: Arc<AtomicBool>,
) -> Result<u64> {
    let mut times = 0;
    while !stop.load(Relaxed) {
        check_bytes(once().await?, expected)?;
        times += 1;
    }
    Ok(times)
}

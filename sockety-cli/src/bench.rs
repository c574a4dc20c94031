use std::{
    collections::BTreeMap,
    num::{NonZeroU16, NonZeroU32},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use clap::Args;
use futures_util::future::join_all;
use serde_json::json;
use sockety::{Connection, FastReply, error::RequestError, message::Reply};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    exit::{Exit, Failure, explain},
    figures::Figures,
    interrupt::interrupted,
    out::{self, BAD, FAINT, OutputArgs, WARN, styled},
    payload::{self, Form, PayloadArgs},
    schema::{Answer, SchemaArgs},
    shown::escaped,
    target::{Target, duration, some_duration},
};

/// Arguments of `bench`: calls a peer under load and measures the calls.
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(flatten)]
    target: Target,
    /// The action to call
    #[arg(default_value = "ping")]
    action: String,
    #[command(flatten)]
    payload: PayloadArgs,
    #[command(flatten)]
    schema: SchemaArgs,
    /// Number of connections
    #[arg(long, value_name = "N", default_value = "1")]
    connections: NonZeroU16,
    /// Concurrent calls on each connection
    #[arg(short, long, value_name = "N", default_value = "16")]
    concurrency: NonZeroU16,
    /// Calls per second over all connections; latency counts from when a call was due [default:
    /// unlimited]
    #[arg(short, long, value_name = "N")]
    rate: Option<NonZeroU32>,
    /// How long to measure
    #[arg(short, long, value_name = "TIME", default_value = "10s", value_parser = some_duration)]
    duration: Duration,
    /// How long to call before measuring
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    warmup: Duration,
    /// Longest wait for each reply
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = some_duration)]
    timeout: Duration,
    #[command(flatten)]
    output: OutputArgs,
}

/// Calls for `--duration`, and prints the results.
pub async fn run(args: BenchArgs) -> Result<Exit, Failure> {
    let action = args.action.clone();
    let ended = bench(args).await;
    ended.map_err(|failure| failure.of(&action))
}

async fn bench(args: BenchArgs) -> Result<Exit, Failure> {
    payload::check_stdin(&[
        (args.target.first.is_stdin(), "first message"),
        (args.payload.is_stdin(), "payload"),
    ])?;
    let limit = args.target.max_payload.as_u64();
    let input = args.payload.read(limit)?;
    let mut connections = Vec::new();
    let dial = args.target.dial()?;
    let types = args.schema.of(&args.target, &args.action);
    let known = types.before(&dial, &input, false, Answer::Awaited).await?;
    let form = input.form(&args.action, known.types())?;
    connections.push(known.connect(&dial).await?);
    for _ in 1..args.connections.get() {
        connections.push(dial.connect().await?);
    }
    let interrupted = interrupted();
    if !args.output.is_json() {
        out::note(styled(FAINT, args.plan()));
    }
    let cpu = processor_time();
    let load = Arc::new(Load::new(args, form));
    // As tasks, so that they run on all cores.
    let mut callers = JoinSet::new();
    for connection in &connections {
        for _ in 0..load.args.concurrency.get() {
            callers.spawn(Arc::clone(&load).caller(connection.clone()));
        }
    }
    let mut callers = pin!(callers.join_all());
    let (results, is_interrupted) = tokio::select! {
        results = &mut callers => (results, false),
        () = interrupted => {
            load.stop.send_replace(true);
            (callers.await, true)
        }
    };
    let elapsed = load.start.elapsed();
    let cpu = cpu
        .zip(processor_time())
        .map(|(from, to)| to.saturating_sub(from));
    let mut sum = Results::new();
    results.iter().for_each(|result| sum.merge(result));
    join_all(connections.iter().map(Connection::close)).await;
    if load.refused.load(Ordering::Relaxed) {
        let code = FastReply::UNAUTHORIZED;
        let reasons = load.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = reasons.get(&Outcome::Code(code.code()));
        let reason = reason.map(String::as_str);
        return Err(load.args.target.refused(&load.args.action, code, reason));
    }
    let mut measured = elapsed.saturating_sub(load.args.warmup);
    match load.args.rate {
        None => measured = measured.min(load.args.duration),
        Some(_) if is_interrupted => {}
        // Calls that were begun in time are waited for.
        Some(rate) => {
            measured = measured.max(load.args.duration);
            let due = load.args.due_calls(rate);
            sum.not_made = due.saturating_sub(sum.figures.count());
            if sum.not_made > 0 {
                let why = match sum.outcomes.contains_key(&Outcome::Ended) {
                    true => "a connection ended".to_owned(),
                    false => format!("{rate} calls per second are too many"),
                };
                out::warn(format_args!(
                    "{} of the {due} calls that were due were not made: {why}",
                    sum.not_made
                ));
            }
        }
    }
    sum.reasons = std::mem::take(&mut *load.reasons.lock().unwrap_or_else(PoisonError::into_inner));
    let exit = sum.tell(&load.args, measured, elapsed, cpu)?;
    match is_interrupted {
        false => Ok(exit),
        true => Err(Failure::local("interrupted before the end")),
    }
}

/// When this call is due, at this rate, after the start.
fn due_after(number: u64, rate: NonZeroU32) -> Duration {
    let nanos = u128::from(number) * NANOS / u128::from(rate.get());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How many calls are due before this time is over: the first for which `due_after` is not before it.
fn due_before(time: Duration, rate: NonZeroU32) -> u64 {
    let due = (time.as_nanos() * u128::from(rate.get())).div_ceil(NANOS);
    u64::try_from(due).unwrap_or(u64::MAX)
}

const NANOS: u128 = 1_000_000_000;

impl BenchArgs {
    /// How many calls are due at this rate while it measures.
    fn due_calls(&self, rate: NonZeroU32) -> u64 {
        let until_end = due_before(self.warmup + self.duration, rate);
        until_end - due_before(self.warmup, rate)
    }

    fn plan(&self) -> String {
        let Self {
            connections,
            concurrency,
            rate,
            duration,
            ..
        } = self;
        let rate = rate.map_or_else(
            || "unlimited rate".to_owned(),
            |rate| format!("{rate} per second"),
        );
        let duration = humantime::format_duration(*duration);
        format!(
            "connections: {connections}, concurrent calls on each: {concurrency}, {rate}, for {duration}"
        )
    }
}

/// The load that all callers produce together.
struct Load {
    args: BenchArgs,
    form: Form,
    start: Instant,
    /// The number of the next call, if there is a rate.
    next: AtomicU64,
    /// The peer answered with code 3, Unauthorized: more calls are no use.
    refused: AtomicBool,
    /// The first reason for each outcome that has one.
    reasons: Mutex<BTreeMap<Outcome, String>>,
    /// Whether it was said why a connection ended.
    said: AtomicBool,
    /// Whether the program is to end, and shows what it has measured.
    stop: watch::Sender<bool>,
}

impl Load {
    fn new(args: BenchArgs, form: Form) -> Self {
        Self {
            args,
            form,
            start: Instant::now(),
            next: AtomicU64::new(0),
            refused: AtomicBool::new(false),
            reasons: Mutex::default(),
            said: AtomicBool::new(false),
            stop: watch::Sender::new(false),
        }
    }

    /// Calls in sequence until the time is over, or until the program is to end.
    async fn caller(self: Arc<Self>, connection: Connection) -> Results {
        let mut results = Results::new();
        let mut stop = self.stop.subscribe();
        tokio::select! {
            () = self.calls(&connection, &mut results) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        results
    }

    async fn calls(&self, connection: &Connection, results: &mut Results) {
        let measured = self.start + self.args.warmup;
        let end = measured + self.args.duration;
        loop {
            // A call that is late is not begun after the end; one that is taken before it is made.
            let is_over = Instant::now() >= end;
            let due = self.due();
            if is_over || due >= end || self.refused.load(Ordering::Relaxed) {
                return;
            }
            sleep_until(due).await;
            let outcome = self.call(connection).await;
            let now = Instant::now();
            if now >= end && self.args.rate.is_none() {
                return;
            }
            if due >= measured {
                results.add(now - due, &outcome);
            }
            if outcome == Outcome::Ended {
                return;
            }
        }
    }

    /// When the next call is due. With a rate, this does not depend on earlier calls: a pause of
    /// the peer raises the latency of all calls that became due meanwhile.
    fn due(&self) -> Instant {
        let Some(rate) = self.args.rate else {
            return Instant::now();
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.start + due_after(number, rate)
    }

    /// Says why a connection ended, once: all callers on it learn the same.
    fn say(&self, error: &RequestError) {
        let is_told = self.refused.load(Ordering::Relaxed);
        if is_told || self.said.swap(true, Ordering::Relaxed) {
            return;
        }
        let what = self.args.target.naming(&self.args.action);
        let text = format!("{what}: {}", explain(error));
        out::note(styled(BAD, escaped(&text)));
    }

    /// Keeps the first reason for an outcome.
    fn explain(&self, outcome: Outcome, reason: impl FnOnce() -> String) {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.entry(outcome).or_insert_with(reason);
    }

    fn code(&self, code: FastReply, reason: Option<&str>) -> Outcome {
        let outcome = Outcome::Code(code.code());
        if let Some(reason) = reason {
            self.explain(outcome, || reason.to_owned());
        }
        if code == FastReply::UNAUTHORIZED {
            self.refused.store(true, Ordering::Relaxed);
        }
        outcome
    }

    async fn call(&self, connection: &Connection) -> Outcome {
        let message = self.form.create().asking_for_reasons();
        let call = async { connection.send(message).await?.response().await };
        match timeout(self.args.timeout, call).await {
            Ok(Ok(Reply::Response(response))) => match response.refusal() {
                Some(refusal) => self.code(refusal.code, Some(&refusal.reason)),
                None => Outcome::Response,
            },
            Ok(Ok(Reply::Fast(code))) => self.code(code, None),
            Ok(Err(error)) if connection.is_closed() => {
                self.say(&error);
                Outcome::Ended
            }
            Ok(Err(error)) => {
                self.explain(Outcome::Failed, || explain(&error));
                Outcome::Failed
            }
            Err(_) => Outcome::TimedOut,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Response,
    Code(u16),
    Failed,
    TimedOut,
    /// The connection has ended.
    Ended,
}

impl Outcome {
    fn text(self) -> String {
        match self {
            Self::Response => "response".into(),
            Self::Code(code) => match FastReply::new(code) {
                Ok(code) => format!("code {code}"),
                Err(error) => error.to_string(),
            },
            Self::Failed => "failed".into(),
            Self::TimedOut => "no reply in time".into(),
            Self::Ended => "connection ended".into(),
        }
    }
}

/// Latencies and outcomes of calls.
struct Results {
    figures: Figures,
    outcomes: BTreeMap<Outcome, u64>,
    /// The first reason for each outcome that has one.
    reasons: BTreeMap<Outcome, String>,
    /// Calls that were due at the rate, and for which there was no time.
    not_made: u64,
}

impl Results {
    fn new() -> Self {
        Self {
            figures: Figures::new(),
            outcomes: BTreeMap::new(),
            reasons: BTreeMap::new(),
            not_made: 0,
        }
    }

    fn add(&mut self, duration: Duration, outcome: &Outcome) {
        self.figures.add(duration);
        *self.outcomes.entry(*outcome).or_default() += 1;
    }

    fn merge(&mut self, other: &Self) {
        self.figures.merge(&other.figures);
        for (outcome, count) in &other.outcomes {
            *self.outcomes.entry(*outcome).or_default() += count;
        }
    }

    /// Prints them; `measured` is the time that they took, `elapsed` the time since the start.
    fn tell(
        &self,
        args: &BenchArgs,
        measured: Duration,
        elapsed: Duration,
        cpu: Option<Duration>,
    ) -> Result<Exit, Failure> {
        let calls = self.figures.count();
        let rate = match measured.is_zero() {
            false => calls as f64 / measured.as_secs_f64(),
            true => 0.0,
        };
        // CPU time includes the warm-up.
        let cpu = cpu.map(|cpu| cpu.as_secs_f64() / elapsed.as_secs_f64() * 100.0);
        match args.output.is_json() {
            true => self.tell_json(calls, rate, cpu)?,
            false => self.tell_text(calls, rate, cpu)?,
        }
        let is_bad = |outcome: &Outcome| !matches!(outcome, Outcome::Response | Outcome::Code(0));
        let lost = |outcome: &Outcome| {
            matches!(
                outcome,
                Outcome::Failed | Outcome::TimedOut | Outcome::Ended
            )
        };
        match calls {
            0 => Ok(Exit::Unknown),
            _ if self.outcomes.keys().any(lost) => Ok(Exit::Unknown),
            _ if self.outcomes.keys().any(is_bad) => Ok(Exit::Refused),
            _ => Ok(Exit::Done),
        }
    }

    fn tell_json(&self, calls: u64, rate: f64, cpu: Option<f64>) -> Result<(), Failure> {
        let outcomes: serde_json::Map<_, _> = self
            .outcomes
            .iter()
            .map(|(outcome, count)| (outcome.text(), (*count).into()))
            .collect();
        let reasons = self.reasons.iter();
        let reasons: serde_json::Map<_, _> = reasons
            .filter(|(outcome, _)| self.outcomes.contains_key(outcome))
            .map(|(outcome, reason)| (outcome.text(), reason.as_str().into()))
            .collect();
        out::object(&json!({
            "type": "summary",
            "calls": calls,
            "not_made": self.not_made,
            "per_second": rate,
            "outcomes": outcomes,
            "reasons": reasons,
            "ms": self.figures.json(),
            "cpu_percent": cpu,
        }))
    }

    fn tell_text(&self, calls: u64, rate: f64, cpu: Option<f64>) -> Result<(), Failure> {
        out::line(format_args!("{calls} calls, {rate:.0} per second"))?;
        for (outcome, count) in &self.outcomes {
            let style = match outcome {
                Outcome::Response | Outcome::Code(0) => FAINT,
                Outcome::Code(_) => WARN,
                Outcome::Failed | Outcome::TimedOut | Outcome::Ended => BAD,
            };
            let reason = self.reasons.get(outcome);
            let reason = reason.map_or_else(String::new, |it| format!(", first: {}", escaped(it)));
            out::line(format_args!(
                "  {count:>10}  {}{reason}",
                styled(style, outcome.text())
            ))?;
        }
        if calls > 0 {
            out::line(self.figures.text())?;
            out::line(self.figures.bars())?;
        }
        match cpu {
            Some(cpu) => out::line(format_args!("this program used {cpu:.0} % of a core")),
            None => Ok(()),
        }
    }
}

/// CPU time of all threads of this program, if the system reports it.
fn processor_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let seconds = u64::try_from(time.tv_sec).ok()?;
        Some(Duration::new(seconds, u32::try_from(time.tv_nsec).ok()?))
    }
    #[cfg(not(unix))]
    None
}

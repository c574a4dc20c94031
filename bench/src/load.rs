use std::{
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::{
    Error, Result,
    clock::Window,
    contender::Client,
    payloads::{MIB, Record, large, records, small},
};

/// What a load has done.
pub struct Tally {
    /// All calls, those before and after the window too.
    pub calls: u64,
    /// How long those took, in nanoseconds, that ended in the window.
    pub latency: Histogram<u64>,
}

impl Tally {
    pub fn new() -> Self {
        let latency = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds in order");
        Self { calls: 0, latency }
    }

    pub fn record(&mut self, window: &Window, begun: Instant, ended: Instant) {
        self.calls += 1;
        if window.contains(ended) {
            self.latency
                .saturating_record(nanoseconds(ended.duration_since(begun)));
        }
    }
}

/// A tally of several tasks.
#[derive(Clone)]
pub struct SharedTally(Arc<Mutex<Tally>>);

impl Default for SharedTally {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Tally::new())))
    }
}

impl SharedTally {
    pub fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When all tasks have ended.
    pub fn into_tally(self) -> Tally {
        std::mem::replace(&mut self.lock(), Tally::new())
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A kind of call, which a task makes again and again.
pub trait Operation<C>: Sized + Send + 'static {
    fn new(task: usize) -> Self;

    /// Calls once, and checks the reply.
    fn call(&mut self, client: &C) -> impl Future<Output = Result<()>> + Send;
}

/// A task for each call in flight; each begins its next call when the one before has ended.
pub async fn closed_loop<O: Operation<C>, C: Client>(
    clients: &[C],
    in_flight: usize,
    window: Window,
) -> Result<Tally> {
    let tally = SharedTally::default();
    let mut tasks = JoinSet::new();
    for task in 0..clients.len() * in_flight {
        let (client, tally) = (clients[task % clients.len()].clone(), tally.clone());
        tasks.spawn(async move {
            let mut operation = O::new(task);
            let mut begun = Instant::now();
            while begun < window.end {
                operation.call(&client).await?;
                let ended = Instant::now();
                tally.lock().record(&window, begun, ended);
                begun = ended;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(tally.into_tally())
}

pub struct Echo {
    payload: Bytes,
}

impl<C: Client> Operation<C> for Echo {
    fn new(task: usize) -> Self {
        Self {
            payload: small(task),
        }
    }

    async fn call(&mut self, client: &C) -> Result<()> {
        let reply = client.echo(self.payload.clone()).await?;
        match reply == self.payload {
            true => Ok(()),
            false => Err("the echo differs".into()),
        }
    }
}

pub struct Nothing;

impl<C: Client> Operation<C> for Nothing {
    fn new(_task: usize) -> Self {
        Self
    }

    async fn call(&mut self, client: &C) -> Result<()> {
        client.nothing().await
    }
}

/// A one-way message at a time.
pub struct Note {
    payload: Bytes,
}

impl<C: Client> Operation<C> for Note {
    fn new(task: usize) -> Self {
        Self {
            payload: small(task),
        }
    }

    async fn call(&mut self, client: &C) -> Result<()> {
        client.notify(&self.payload, 1).await
    }
}

pub struct Upload {
    payload: Bytes,
}

impl Upload {
    /// All calls send the same bytes, as those of the limit do: more would not fit in all caches.
    pub fn payload() -> Bytes {
        static PAYLOAD: LazyLock<Bytes> = LazyLock::new(|| large(MIB));
        PAYLOAD.clone()
    }
}

impl<C: Client> Operation<C> for Upload {
    fn new(_task: usize) -> Self {
        Self {
            payload: Self::payload(),
        }
    }

    async fn call(&mut self, client: &C) -> Result<()> {
        match client.upload(self.payload.clone()).await? {
            length if length == MIB as u64 => Ok(()),
            length => Err(format!("{length} bytes arrived").into()),
        }
    }
}

pub struct Records {
    records: Vec<Record>,
    calls: u64,
}

/// Comparing takes time that is not the contender's.
const SAMPLED: u64 = 64;

impl<C: Client> Operation<C> for Records {
    fn new(task: usize) -> Self {
        Self {
            records: records(task),
            calls: 0,
        }
    }

    async fn call(&mut self, client: &C) -> Result<()> {
        let reply = client.records(self.records.clone()).await?;
        let sampled = self.calls.is_multiple_of(SAMPLED);
        self.calls += 1;
        match reply.len() == self.records.len() && (!sampled || reply == self.records) {
            true => Ok(()),
            false => Err("the records differ".into()),
        }
    }
}

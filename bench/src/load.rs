use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::{Error, Result, clock::Window};

/// What a load has done.
pub struct Tally {
    /// All calls, those before and after the window too.
    pub calls: u64,
    /// How long those took, in nanoseconds, that ended in the window.
    pub latency: Histogram<u64>,
    /// How many of those each client made, if that was counted.
    pub by_client: Vec<u64>,
}

impl Tally {
    pub fn new() -> Self {
        let latency = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds in order");
        Self {
            calls: 0,
            latency,
            by_client: Vec::new(),
        }
    }

    pub fn record(&mut self, window: &Window, begun: Instant, ended: Instant) {
        self.calls += 1;
        if window.contains(ended) {
            self.latency
                .saturating_record(nanoseconds(ended.duration_since(begun)));
        }
    }

    /// Of a client that is counted by itself.
    fn record_of(&mut self, client: usize, window: &Window, begun: Instant, ended: Instant) {
        self.record(window, begun, ended);
        if let Some(calls) = self.by_client.get_mut(client) {
            *calls += u64::from(window.contains(ended));
        }
    }

    /// The fewest calls of a client, against the mean.
    pub fn least_share(&self) -> Option<f64> {
        let least = *self.by_client.iter().min()?;
        let all: u64 = self.by_client.iter().sum();
        Some(least as f64 * self.by_client.len() as f64 / all as f64)
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
pub async fn closed_loop<O: Operation<C>, C: Clone + Send + Sync + 'static>(
    clients: &[C],
    in_flight: usize,
    window: Window,
) -> Result<Tally> {
    let tally = SharedTally::default();
    tally.lock().by_client = vec![0; clients.len()];
    let mut tasks = JoinSet::new();
    for task in 0..clients.len() * in_flight {
        let index = task % clients.len();
        let (client, tally) = (clients[index].clone(), tally.clone());
        tasks.spawn(async move {
            let mut operation = O::new(task);
            let mut begun = Instant::now();
            while begun < window.end {
                operation.call(&client).await?;
                let ended = Instant::now();
                tally.lock().record_of(index, &window, begun, ended);
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

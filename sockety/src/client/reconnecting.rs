use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::{Instant, sleep_until};

use super::connect::{Connect, Connected};
use crate::{connection::Connection, error::connect::ConnectError};

/// A client that connects when it is first needed, and reconnects after its connection has ended.
/// [`Connect::reconnecting`] makes it.
///
/// [`get`](Self::get) returns a client with an open connection. Calls in flight on a connection
/// that ends still fail: only the caller knows which of them may be repeated, and
/// [`Outcome`](crate::outcome::Outcome) helps to decide.
///
/// There is a pause between two attempts to connect. It starts at 100 ms and grows by a factor of
/// 1.6 with each attempt, up to 30 s. A random amount of up to the same length is added, so that
/// the clients of a restarted server do not all reconnect at once. After a connection that lasted
/// for at least 30 s, the pauses start at 100 ms again.
///
/// Clones share one connection.
///
/// ```no_run
/// # use sockety::{connect, service};
/// # #[service]
/// # trait Media { async fn count(&self) -> u64; }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let media = MediaClient::connect("media.internal:9000").reconnecting();
/// let count = media.get().await?.count().await?;
/// # Ok(())
/// # }
/// ```
pub struct Reconnecting<C = Connection> {
    inner: Arc<Inner<C>>,
}

struct Inner<C> {
    connect: Connect<C>,
    current: Mutex<Option<Connection>>,
    /// How many attempts have failed.
    failures: AtomicU64,
    /// Held while connecting. Other callers wait for the lock, and so for the result.
    attempts: tokio::sync::Mutex<Attempts>,
}

struct Attempts {
    pauses: ExponentialBackoff,
    not_before: Option<Instant>,
    connected_at: Option<Instant>,
    failure: Option<Arc<ConnectError>>,
}

/// Pauses between attempts, without the random amount.
const SHORTEST: Duration = Duration::from_millis(100);
const FACTOR: f32 = 1.6;
const LONGEST: Duration = Duration::from_secs(30);

impl<C: Connected> Reconnecting<C> {
    /// Returns a client with an open connection. Connects first if there is none.
    ///
    /// Waits until the next attempt is due, then makes it. Callers that come meanwhile wait for the
    /// same attempt, and get the same error.
    ///
    /// # Errors
    /// The error of the attempt. The next call makes a new attempt.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the attempt. The pause before the next one remains.
    pub async fn get(&self) -> Result<C, Arc<ConnectError>> {
        if let Some(connection) = self.current() {
            return Ok(C::connected(connection));
        }
        let failures = self.inner.failures.load(Ordering::Acquire);
        let mut attempts = self.inner.attempts.lock().await;
        if let Some(connection) = self.current() {
            return Ok(C::connected(connection));
        }
        if let Some(failure) = &attempts.failure
            && failures != self.inner.failures.load(Ordering::Acquire)
        {
            return Err(Arc::clone(failure));
        }
        attempts.pause().await;
        let connection = match self.inner.connect.dial().await {
            Ok(connection) => connection,
            Err(error) => {
                self.inner.failures.fetch_add(1, Ordering::Release);
                return Err(Arc::clone(attempts.failure.insert(Arc::new(error))));
            }
        };
        attempts.connected_at = Some(Instant::now());
        *self.lock() = Some(connection.clone());
        Ok(C::connected(connection))
    }

    /// The connection, if it accepts calls.
    fn current(&self) -> Option<Connection> {
        let mut current = self.lock();
        if current.as_ref().is_some_and(Connection::takes_calls) {
            return current.clone();
        }
        let ended = current.take();
        drop(current);
        // Dropped after the lock is released, because the last handle closes its connection.
        drop(ended);
        None
    }
}

impl<C> Reconnecting<C> {
    pub(crate) fn new(connect: Connect<C>) -> Self {
        let inner = Inner {
            connect,
            current: Mutex::default(),
            failures: AtomicU64::new(0),
            attempts: tokio::sync::Mutex::new(Attempts::new()),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Connection>> {
        self.inner
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempts {
    fn new() -> Self {
        Self {
            pauses: pauses(),
            not_before: None,
            connected_at: None,
            failure: None,
        }
    }

    /// Waits until the next attempt is due, and plans the one after it, whether or not this one
    /// succeeds.
    async fn pause(&mut self) {
        if let Some(connected_at) = self.connected_at.take() {
            if connected_at.elapsed() >= LONGEST {
                self.pauses = pauses();
            }
            // A server that goes down disconnects all of its clients, which must not all reconnect
            // at once.
            self.not_before = Some(Instant::now() + self.next());
        }
        if let Some(at) = self.not_before {
            sleep_until(at).await;
        }
        self.not_before = Some(Instant::now() + self.next());
    }

    fn next(&mut self) -> Duration {
        self.pauses.next().unwrap_or(LONGEST)
    }
}

fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(SHORTEST)
        .with_factor(FACTOR)
        .with_max_delay(LONGEST)
        .with_jitter()
        .without_max_times()
        .build()
}

impl<C> Clone for Reconnecting<C> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<C> fmt::Debug for Reconnecting<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnecting")
            .field("connect", &self.inner.connect)
            .field("connection", &*self.lock())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn paused(attempts: &mut Attempts) -> f32 {
        let begin = Instant::now();
        attempts.pause().await;
        begin.elapsed().as_secs_f32()
    }

    /// Timers count milliseconds.
    const TICK: f32 = 0.002;

    #[tokio::test(start_paused = true)]
    async fn t_n2_attempts_that_fail_have_longer_and_longer_pauses_between_them() {
        let mut attempts = Attempts::new();
        assert_eq!(paused(&mut attempts).await, 0.0);
        let mut least = SHORTEST.as_secs_f32();
        let mut pauses = Vec::new();
        for _ in 0..20 {
            let pause = paused(&mut attempts).await;
            let range = least..=2.0 * least + TICK;
            assert!(range.contains(&pause), "{pause} s, not {range:?}");
            least = (least * FACTOR).min(LONGEST.as_secs_f32());
            pauses.push(pause / least);
        }
        let first = pauses[0];
        assert!(pauses.iter().any(|pause| (pause - first).abs() > 0.01));
    }

    #[tokio::test(start_paused = true)]
    async fn t_n2_clients_of_a_server_that_has_gone_come_back_one_after_another() {
        let mut pauses = Vec::new();
        for _ in 0..100 {
            let mut attempts = Attempts::new();
            attempts.pause().await;
            attempts.connected_at = Some(Instant::now());
            tokio::time::advance(2 * LONGEST).await;
            pauses.push(paused(&mut attempts).await);
        }
        assert!(
            pauses
                .iter()
                .all(|pause| (0.1..=0.2 + TICK).contains(pause))
        );
        let early = pauses.iter().filter(|pause| **pause < 0.15).count();
        assert!((10..=90).contains(&early), "{early} of 100");
    }

    #[tokio::test(start_paused = true)]
    async fn t_n2_a_server_that_closes_at_once_is_no_reason_to_begin_anew() {
        let mut attempts = Attempts::new();
        let mut last = 0.0;
        for _ in 0..12 {
            attempts.connected_at = Some(Instant::now());
            last = paused(&mut attempts).await;
        }
        assert!(last >= 30.0, "{last} s");
    }
}

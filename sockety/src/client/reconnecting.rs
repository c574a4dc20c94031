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

/// A client whose connection is made when it is needed, and again when it has ended; see [`Connect::reconnecting`].
///
/// [`get`](Self::get) returns a client that can be used now. Calls that were under way on a connection that
/// ended fail as ever: only the caller knows which may be made again, and [`Outcome`](crate::outcome::Outcome) helps to tell.
///
/// Attempts to connect have pauses between them: 100 ms, and 1.6 times as much after each, up to 30 s, and up to twice that at
/// random, so that the clients of a server that starts again do not all come at once. A connection that has lived for
/// 30 s begins anew with the shortest. Clones share one connection.
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
    /// Attempts that failed.
    failures: AtomicU64,
    /// Held by who connects; the others wait for what comes of it.
    attempts: tokio::sync::Mutex<Attempts>,
}

struct Attempts {
    pauses: ExponentialBackoff,
    not_before: Option<Instant>,
    connected_at: Option<Instant>,
    failure: Option<Arc<ConnectError>>,
}

/// Pauses between attempts, before what is added at random.
const SHORTEST: Duration = Duration::from_millis(100);
const FACTOR: f32 = 1.6;
const LONGEST: Duration = Duration::from_secs(30);

impl<C: Connected> Reconnecting<C> {
    /// A client on an open connection, connecting first if there is none.
    ///
    /// Waits until the next attempt is due, and makes it; further callers wait for the same one, and get the same error.
    ///
    /// # Errors
    /// That of the attempt. The next call makes another.
    ///
    /// # Cancel safety
    /// Dropping the future gives the attempt up; the pause before the next one stays.
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

    /// The connection, if there is one that takes calls.
    fn current(&self) -> Option<Connection> {
        let mut current = self.lock();
        if current.as_ref().is_some_and(Connection::takes_calls) {
            return current.clone();
        }
        let ended = current.take();
        drop(current);
        // Dropped without the lock: the last handle closes its connection.
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

    /// Waits until the next attempt is due. The one after it has to wait longer, whatever comes of this one.
    async fn pause(&mut self) {
        if let Some(connected_at) = self.connected_at.take() {
            if connected_at.elapsed() >= LONGEST {
                self.pauses = pauses();
            }
            // A server that has gone takes all its clients along: they do not come back all at once.
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

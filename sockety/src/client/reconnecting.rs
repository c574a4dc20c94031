use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use sockety_codec::Uuid;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, sleep_until},
};

use super::connect::{Connect, Connected};
use crate::{
    connection::{Connection, source::ConnectionSource},
    engine::{leaving::Sign, shared::Shared},
    error::connect::{ConnectError, ConnectProblem},
};

/// A client that connects when it is first needed, and reconnects after its connection has ended.
/// [`Connect::reconnecting`] makes it.
///
/// [`client`](Self::client) returns a client that reconnects behind its methods.
/// [`get`](Self::get) returns a client on the connection that is open now. Calls in flight on a
/// connection that ends still fail: only the caller knows which of them may be repeated, and
/// [`Outcome`](crate::outcome::Outcome) helps to decide.
///
/// A server that stops in order says so (Go Away). Then a new connection is made at once: by the
/// next `get`, or within 100 ms in the background, while calls on the old connection finish. So a
/// rolling restart costs a call no more than the time to connect. A server that
/// [drains](crate::server::ServerHandle::drain) announces that (a lame duck): calls go on with the old
/// connection until there is another one.
///
/// A server may ask its clients to [keep away](crate::error::GoingAway::retry_after) for a time, 5 min at most. Then
/// the next attempt is made after that time and a pause, and a lame duck is not left before it goes.
///
/// Otherwise there is a pause between two attempts to connect. It starts at 100 ms and grows by a
/// factor of 1.6 with each attempt, up to 30 s. A random amount of up to the same length is added,
/// so that the clients of a restarted server do not all reconnect at once. After a connection that
/// lasted for at least 30 s, the pauses start at 100 ms again. [`retry_now`](Self::retry_now) ends a
/// pause.
///
/// Clones share one connection.
///
/// ```no_run
/// # use sockety::{connect, service};
/// # #[service]
/// # trait Media { async fn count(&self) -> u64; }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let connecting = MediaClient::connect("media.internal:9000").reconnecting();
/// let media = connecting.client();
/// let count = media.count().await?;
/// # Ok(())
/// # }
/// ```
pub struct Reconnecting<C = Connection> {
    inner: Arc<Inner<C>>,
}

struct Inner<C> {
    connect: Connect<C>,
    state: Mutex<State>,
    /// Held by the attempt that is under way.
    attempts: Arc<tokio::sync::Mutex<Attempts>>,
    /// Ends the pause before an attempt.
    retry: Arc<Notify>,
}

#[derive(Default)]
struct State {
    current: Option<Connection>,
    /// How the last connection ended.
    farewell: Farewell,
    /// Why the last attempt failed; `None` if it did not.
    failure: Option<Arc<ConnectError>>,
    /// The attempt that is under way: all callers wait for the same.
    attempt: Option<watch::Receiver<Option<Attempted>>>,
    /// Whether a client was closed since the last attempt began: a connection that it makes is closed
    /// at once, and none is made in the background.
    is_closed: bool,
}

/// What the peer of a connection said before it ended.
#[derive(Debug, Clone, Copy, Default)]
struct Farewell {
    /// It said Go Away.
    is_orderly: bool,
    /// How long it asked to wait before anybody connects again.
    absence: Duration,
}

impl Farewell {
    fn of(shared: &Shared) -> Self {
        let state = shared.lock();
        let asked = state.peer_going_away().map(|why| why.retry_after);
        Self {
            is_orderly: state.is_peer_going_away,
            absence: asked.unwrap_or_default().min(LONGEST_ABSENCE),
        }
    }
}

/// How an attempt ended. The connection is in the state, if it has not ended meanwhile.
type Attempted = Result<(), Arc<ConnectError>>;

struct Attempts {
    pauses: ExponentialBackoff,
    not_before: Option<Instant>,
    connected_at: Option<Instant>,
}

/// Pauses between attempts, without the random amount.
const SHORTEST: Duration = Duration::from_millis(100);
const FACTOR: f32 = 1.6;
const LONGEST: Duration = Duration::from_secs(30);

/// A connection that lasted for less is replaced after a pause, even if its peer said Go Away: a
/// server that does so to everybody must not be asked again and again.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);

/// The longest time that a server may send its clients away. It may be mistaken or hostile.
pub(crate) const LONGEST_ABSENCE: Duration = Duration::from_secs(300);

/// Over how many milliseconds attempts in the background are spread.
const SPREAD: u128 = 100;

/// Not all clients of a server at once. The id generator is the random source at hand.
async fn spread() {
    let millis = Uuid::new_v4().as_u128() % SPREAD;
    sleep(Duration::from_millis(millis as u64)).await;
}

impl<C: Connected + 'static> Reconnecting<C> {
    /// Returns a client with an open connection. Connects first if there is none.
    ///
    /// Waits until the next attempt is due, then makes it. Callers that come meanwhile wait for the
    /// same attempt, and get the same error.
    ///
    /// # Errors
    /// The error of the attempt. The next call makes a new attempt.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the attempt running: the next caller waits for the same.
    ///
    /// # Panics
    /// Panics outside of a Tokio runtime.
    pub async fn get(&self) -> Result<C, Arc<ConnectError>> {
        Inner::connection(&self.inner).await.map(C::connected)
    }

    /// Returns a client if there is an open connection. It neither waits nor connects.
    pub fn try_get(&self) -> Option<C> {
        self.inner.current().map(C::connected)
    }

    /// Returns a client that reconnects behind its methods. Each call, one-way message, draft and
    /// message is sent on the connection that is open when it begins. If there is none, it waits for
    /// one within its timeout, or within
    /// [`Options::call_timeout`](crate::config::options::Options::call_timeout) if it has none, and an
    /// attempt to connect is made. The hook of [`Connect::on_connect`] runs first.
    ///
    /// A message of which no byte was sent ([`Outcome::NotSent`](crate::outcome::Outcome::NotSent))
    /// when its connection ended goes to the next connection within the same time. So does a call of an
    /// action that is declared [idempotent](crate::client::Call::is_idempotent), whatever was sent of
    /// it. No other message is ever sent again: its caller gets the error. A file or stream that comes
    /// from a reader is read for one connection only.
    ///
    /// [`SendError::NotConnected`](crate::error::send::SendError::NotConnected) says why there was no
    /// connection in time. Errors that time does not mend are returned at once: an invalid address or
    /// TLS configuration, a peer that does not speak the protocol, an error of the hook unless its source
    /// is that the connection has ended. The next call makes another attempt.
    ///
    /// The [`Connection`] of such a client represents all of its connections. Messages and middleware
    /// work as on any other. Addresses and figures are those of the connection that is open now; the
    /// identity of its peer is not known, and values attached to it belong to this handle. Closing or
    /// shutting it down closes the open connection, or the one that is being made, and nothing is sent
    /// through the handle any more.
    ///
    /// Calls must be awaited within a Tokio runtime.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use sockety::service;
    /// # #[service]
    /// # trait Session { async fn sign_in(&self, token: String); }
    /// # #[service]
    /// # trait Media { async fn count(&self) -> u64; }
    /// # async fn example(token: String) -> Result<(), Box<dyn std::error::Error>> {
    /// let media = MediaClient::connect("media.internal:9000")
    ///     .on_connect(move |connection| {
    ///         let token = token.clone();
    ///         async move { SessionClient::new(connection).sign_in(token).await }
    ///     })
    ///     .reconnecting()
    ///     .client();
    /// // Waits for a connection for up to 5 s, and for the reply within the same time.
    /// let count = media.count().timeout(Duration::from_secs(5)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn client(&self) -> C {
        let common = self.inner.connect.common().clone();
        C::connected(Connection::of_source(Arc::new(self.clone()), common))
    }
}

#[async_trait]
impl<C: 'static> ConnectionSource for Reconnecting<C> {
    fn current(&self) -> Option<Connection> {
        self.inner.current()
    }

    async fn connection(&self) -> Result<Connection, Arc<ConnectError>> {
        loop {
            match Inner::connection(&self.inner).await {
                // There is a pause before the next attempt.
                Err(error) if error.is_passing() => {}
                result => return result,
            }
        }
    }

    #[cfg(feature = "fleet")]
    fn handle(self: Arc<Self>) -> Connection {
        let common = self.inner.connect.common().clone();
        Connection::of_source(self, common)
    }

    fn on_close(&self) {
        self.inner.lock().is_closed = true;
    }

    fn failure(&self, after: Duration) -> Arc<ConnectError> {
        if let Some(failure) = self.last_error() {
            return failure;
        }
        let unfinished = io::Error::new(io::ErrorKind::TimedOut, "still connecting");
        Arc::new(
            self.inner
                .connect
                .failed(ConnectProblem::TimedOut(after, unfinished)),
        )
    }
}

impl<C> Reconnecting<C> {
    pub(crate) fn new(connect: Connect<C>) -> Self {
        let inner = Inner {
            connect,
            state: Mutex::default(),
            attempts: Arc::new(tokio::sync::Mutex::new(Attempts::new())),
            retry: Arc::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Whether there is a connection that accepts calls.
    pub fn is_connected(&self) -> bool {
        self.inner.current().is_some()
    }

    /// Returns why the last attempt to connect failed, or `None` if it did not, or there was none.
    pub fn last_error(&self) -> Option<Arc<ConnectError>> {
        self.inner.lock().failure.clone()
    }

    /// Ends the pause before the next attempt: for when it is known that the server can be reached
    /// again. A [`get`](Self::get) that waits makes its attempt now; if none does, the next attempt
    /// has no pause.
    pub fn retry_now(&self) {
        self.inner.retry.notify_one();
    }
}

impl<C> Inner<C> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, if it accepts calls. Its lock is taken after that of the client is released.
    fn current(&self) -> Option<Connection> {
        let current = self.lock().current.clone()?;
        if current.takes_calls() {
            return Some(current);
        }
        self.forget(&current);
        None
    }

    /// The connection accepts no calls any more.
    #[cold]
    fn forget(&self, ended: &Connection) {
        let farewell = Farewell::of(ended.shared());
        let mut state = self.lock();
        let is_it = |current: &Connection| Arc::ptr_eq(current.shared(), ended.shared());
        let forgotten = state.current.take_if(|current| is_it(current));
        if forgotten.is_some() {
            state.farewell = farewell;
        }
        drop(state);
        // Dropped after the lock is released, because the last handle closes its connection.
        drop(forgotten);
    }
}

impl<C: 'static> Inner<C> {
    async fn connection(self: &Arc<Self>) -> Result<Connection, Arc<ConnectError>> {
        loop {
            if let Some(connection) = self.current() {
                return Ok(connection);
            }
            let mut attempt = self.attempt();
            // The sender is never dropped without a result.
            if let Ok(ended) = attempt.wait_for(Option::is_some).await {
                if let Some(Err(error)) = &*ended {
                    return Err(Arc::clone(error));
                }
            }
        }
    }

    /// The attempt that is in progress, or a new one. It runs in a separate task, so that callers with
    /// short timeouts do not begin attempts that none of them ends.
    fn attempt(self: &Arc<Self>) -> watch::Receiver<Option<Attempted>> {
        let mut state = self.lock();
        if let Some(attempt) = &state.attempt {
            return attempt.clone();
        }
        let (sender, receiver) = watch::channel(None);
        state.attempt = Some(receiver.clone());
        state.is_closed = false;
        let farewell = std::mem::take(&mut state.farewell);
        drop(state);
        let attempt = Attempt {
            inner: Arc::downgrade(self),
            ended: sender,
        };
        let (attempts, retry) = (Arc::clone(&self.attempts), Arc::clone(&self.retry));
        tokio::spawn(async move {
            attempts.lock().await.pause(farewell, &retry).await;
            // Nobody has the client any more if this fails.
            if let Some(inner) = attempt.inner.upgrade() {
                let result = inner.connect.dial().await.map_err(Arc::new);
                if let Ok(connection) = &result {
                    attempts.lock().await.connected_at = Some(Instant::now());
                    inner.watch(connection);
                }
                attempt.end(&inner, result);
            }
        });
        receiver
    }

    /// Replaces the connection when its peer is going away, or will soon. The task holds no handle on
    /// either the connection or the client, so it keeps neither.
    fn watch(self: &Arc<Self>, connection: &Connection) {
        let (inner, shared) = (Arc::downgrade(self), Arc::clone(connection.shared()));
        let connected_at = Instant::now();
        tokio::spawn(async move {
            let mut sign = shared.until_end_in_sight(None).await;
            if sign == Sign::LameDuck {
                // One that is a lame duck from the beginning replaced such a one: its address still
                // leads to the same server. Nor is one replaced that wants nobody to connect again now.
                let is_awaited = !Farewell::of(&shared).absence.is_zero();
                if connected_at.elapsed() >= SHORTEST_LIFE && !is_awaited {
                    spread().await;
                    match inner.upgrade() {
                        Some(inner) if inner.replace(&shared).await => return,
                        Some(_) => {}
                        None => return,
                    }
                }
                sign = shared.until_end_in_sight(Some(sign)).await;
            }
            drop(shared);
            if sign == Sign::Ended {
                return;
            }
            spread().await;
            if let Some(inner) = inner.upgrade() {
                if !inner.lock().is_closed {
                    // A failure is kept for `last_error`; the next `get` tries again.
                    let _ = inner.connection().await;
                }
            }
        });
    }

    /// Makes another connection while this one is still used. Returns whether it has been replaced, or
    /// need not be.
    async fn replace(self: &Arc<Self>, old: &Arc<Shared>) -> bool {
        {
            let mut state = self.lock();
            let current = state.current.as_ref();
            if state.is_closed || !current.is_some_and(|it| Arc::ptr_eq(it.shared(), old)) {
                return true;
            }
            state.farewell.is_orderly = true;
        }
        let mut attempt = self.attempt();
        let ended = attempt.wait_for(Option::is_some).await;
        ended.is_ok_and(|ended| matches!(&*ended, Some(Ok(()))))
    }
}

/// An attempt to connect. Dropped without a result, because the hook on the new connection panicked, it
/// has failed.
struct Attempt<C> {
    inner: Weak<Inner<C>>,
    ended: watch::Sender<Option<Attempted>>,
}

impl<C> Attempt<C> {
    fn end(&self, inner: &Inner<C>, result: Result<Connection, Arc<ConnectError>>) {
        let ended = result.as_ref().map(drop).map_err(Arc::clone);
        let mut state = inner.lock();
        state.attempt = None;
        state.failure = ended.as_ref().err().map(Arc::clone);
        let mut other = result.ok();
        // One that a lame duck still serves stays if it cannot be replaced.
        if other.is_some() && !state.is_closed {
            std::mem::swap(&mut state.current, &mut other);
        }
        drop(state);
        // Dropped after the lock is released, because the last handle closes its connection.
        drop(other);
        self.ended.send_replace(Some(ended));
    }
}

impl<C> Drop for Attempt<C> {
    fn drop(&mut self) {
        if self.ended.borrow().is_some() {
            return;
        }
        let problem = ConnectProblem::OnConnect("panicked, or its runtime was shut down".into());
        match self.inner.upgrade() {
            Some(inner) => self.end(&inner, Err(Arc::new(inner.connect.failed(problem)))),
            None => drop(self.ended.send_replace(Some(Err(Arc::new(problem.into()))))),
        }
    }
}

impl<C> Drop for Inner<C> {
    fn drop(&mut self) {
        // Ends a pause whose attempt nobody waits for.
        self.retry.notify_one();
    }
}

impl Attempts {
    fn new() -> Self {
        Self {
            pauses: pauses(),
            not_before: None,
            connected_at: None,
        }
    }

    /// Waits until the next attempt is due, or until `retry`, and plans the one after it, whether
    /// or not this one succeeds.
    async fn pause(&mut self, farewell: Farewell, retry: &Notify) {
        if let Some(connected_at) = self.connected_at.take() {
            let lasted = connected_at.elapsed();
            if lasted >= LONGEST {
                self.pauses = pauses();
            }
            let is_quick = farewell.is_orderly && lasted >= SHORTEST_LIFE;
            if is_quick && farewell.absence.is_zero() {
                // It stops in order, and its successor is probably there.
                self.not_before = None;
            } else {
                // A server that goes down disconnects all of its clients, which must not all
                // reconnect at once, nor all after the time that it has told them.
                self.not_before = Some(Instant::now() + farewell.absence + self.next());
            }
        }
        if let Some(at) = self.not_before {
            tokio::select! {
                () = sleep_until(at) => {}
                () = retry.notified() => {}
            }
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
            .field("connection", &self.inner.lock().current)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn paused(attempts: &mut Attempts) -> f32 {
        let begin = Instant::now();
        attempts.pause(Farewell::default(), &Notify::new()).await;
        begin.elapsed().as_secs_f32()
    }

    const ORDERLY: Farewell = Farewell {
        is_orderly: true,
        absence: Duration::ZERO,
    };

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
            attempts.pause(Farewell::default(), &Notify::new()).await;
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

    #[tokio::test(start_paused = true)]
    async fn after_go_away_there_is_no_pause_unless_the_connection_was_short() {
        let mut attempts = Attempts::new();
        attempts.pause(Farewell::default(), &Notify::new()).await;
        for (life, is_paused) in [(2, false), (40, false), (0, true)] {
            attempts.connected_at = Some(Instant::now());
            tokio::time::advance(Duration::from_secs(life)).await;
            let begin = Instant::now();
            attempts.pause(ORDERLY, &Notify::new()).await;
            let paused = begin.elapsed();
            assert_eq!(paused >= SHORTEST, is_paused, "{life} s: {paused:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn t_n2_what_a_server_asks_for_is_added_to_the_pause() {
        for is_orderly in [true, false] {
            let mut pauses = Vec::new();
            for _ in 0..20 {
                let mut attempts = Attempts::new();
                attempts.pause(Farewell::default(), &Notify::new()).await;
                attempts.connected_at = Some(Instant::now());
                tokio::time::advance(2 * LONGEST).await;
                let begin = Instant::now();
                let absence = Duration::from_secs(9);
                let farewell = Farewell {
                    is_orderly,
                    absence,
                };
                attempts.pause(farewell, &Notify::new()).await;
                pauses.push(begin.elapsed().as_secs_f32());
            }
            let range = 9.1..=9.2 + TICK;
            assert!(pauses.iter().all(|it| range.contains(it)), "{pauses:?}");
            assert!(pauses.iter().any(|it| (it - pauses[0]).abs() > 0.005));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_ends_the_pause() {
        let (mut attempts, retry) = (Attempts::new(), Notify::new());
        attempts.pause(Farewell::default(), &retry).await;
        let begin = Instant::now();
        retry.notify_one();
        attempts.pause(Farewell::default(), &retry).await;
        assert_eq!(begin.elapsed(), Duration::ZERO);
        attempts.pause(Farewell::default(), &retry).await;
        assert!(begin.elapsed() >= SHORTEST);
    }
}

//! What the clients of a fleet and its task share.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::sync::{Notify, watch};

use super::{
    eject::Eject,
    error::DiscoverError,
    health::Health,
    ready::Ready,
    retry::{Repeat, Retries},
    stats::{Counters, FleetStats},
    status::{EndpointStatus, Shown},
};
use crate::{
    connection::{
        Connection,
        source::{ConnectionSource, Next, Tried},
    },
    engine::common::Common,
    error::connect::{ConnectError, ConnectProblem},
};

/// What the builder has set.
pub(super) struct Settings {
    /// How many connections there are to each endpoint.
    pub(super) connections: usize,
    pub(super) subset: Option<usize>,
    pub(super) zone: Option<Arc<str>>,
    pub(super) eject: Eject,
    pub(super) health: Health,
    /// Whether a call waits while no server is ready.
    pub(super) waits: bool,
}

pub(super) struct Inner {
    /// What it is called in logs, metrics and errors.
    pub(super) name: Arc<str>,
    pub(super) settings: Settings,
    pub(super) retries: Retries,
    /// What calls read.
    ready: ArcSwap<Ready>,
    /// How often something was published, for those who wait.
    published: watch::Sender<u64>,
    shown: Mutex<Vec<Shown>>,
    /// What discovery reported last, if it has found nothing since.
    discover_error: Mutex<Option<DiscoverError>>,
    /// Whether discovery has answered, if only with an error, and what it said was published.
    is_discovered: AtomicBool,
    is_closed: AtomicBool,
    pub(super) counters: Counters,
    /// Wakes the task: the last client is gone, or the fleet was closed.
    pub(super) ended: Notify,
    /// Wakes the task: an endpoint may have to be ejected.
    pub(super) failures: Notify,
    /// Changed when a connection was lost or its server leaves, for discovery.
    lost: watch::Sender<()>,
}

impl Inner {
    pub(super) fn new(
        name: Arc<str>,
        settings: Settings,
        retries: Retries,
        lost: watch::Sender<()>,
    ) -> Self {
        Self {
            name,
            settings,
            retries,
            ready: ArcSwap::default(),
            published: watch::Sender::default(),
            shown: Mutex::default(),
            discover_error: Mutex::default(),
            is_discovered: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            counters: Counters::default(),
            ended: Notify::new(),
            failures: Notify::new(),
            lost,
        }
    }

    pub(super) fn publish(&self, ready: Ready, shown: Vec<Shown>, is_discovered: bool) {
        let before = self.ready.swap(Arc::new(ready));
        let shown = std::mem::replace(&mut *lock(&self.shown), shown);
        self.is_discovered.store(is_discovered, Ordering::SeqCst);
        self.published.send_modify(|times| *times += 1);
        // The last handle on a connection closes it, which wakes others: not before all is published.
        drop((before, shown));
    }

    pub(super) fn on_loss(&self) {
        self.lost.send_replace(());
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    pub(super) fn endpoints(&self) -> Vec<EndpointStatus> {
        lock(&self.shown).iter().map(Shown::status).collect()
    }

    /// The connections that take calls.
    pub(super) fn connections(&self) -> Vec<Connection> {
        self.ready.load().connections().cloned().collect()
    }

    /// All connections, also those that get no new calls, but have some under way.
    pub(super) fn open(&self) -> Vec<Connection> {
        let shown = lock(&self.shown);
        shown.iter().flat_map(|it| &it.open).cloned().collect()
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.ready.load().is_empty()
    }

    /// Whether a call waits while no server is ready.
    fn is_worth_waiting(&self) -> bool {
        self.settings.waits || !self.is_discovered.load(Ordering::SeqCst)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.ended.notify_one();
    }

    pub(super) fn set_discovered(&self) {
        *lock(&self.discover_error) = None;
    }

    pub(super) fn set_discover_error(&self, error: DiscoverError) {
        self.counters.discover_error();
        *lock(&self.discover_error) = Some(error);
    }

    pub(super) fn discover_error(&self) -> Option<DiscoverError> {
        lock(&self.discover_error).clone()
    }

    pub(super) fn stats(&self) -> FleetStats {
        FleetStats {
            retries_left: self.retries.left(),
            ..self.counters.stats()
        }
    }

    /// Why no server is ready.
    fn why(&self) -> NoServer {
        if self.is_closed() {
            return NoServer::Ended(Arc::clone(&self.name));
        }
        if !self.is_discovered.load(Ordering::SeqCst) {
            return NoServer::NotDiscovered(Arc::clone(&self.name));
        }
        let (known, connect) = {
            let shown = lock(&self.shown);
            let error = shown.iter().find_map(|it| it.error.clone());
            (shown.len(), error)
        };
        let source: Option<Arc<dyn std::error::Error + Send + Sync>> = match connect {
            Some(error) => Some(error),
            None => self.discover_error().map(|error| Arc::new(error) as _),
        };
        NoServer::NotReady {
            fleet: Arc::clone(&self.name),
            known,
            source: source.map(Source),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// No server of a fleet takes calls.
#[derive(Debug, thiserror::Error)]
enum NoServer {
    #[error("none of the {known} known servers of {fleet} is ready")]
    NotReady {
        fleet: Arc<str>,
        known: usize,
        #[source]
        source: Option<Source>,
    },
    #[error("discovery of {0} has not answered yet")]
    NotDiscovered(Arc<str>),
    #[error("fleet {0} has ended")]
    Ended(Arc<str>),
}

/// An error that several share.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Source(Arc<dyn std::error::Error + Send + Sync>);

/// Supplies the connections of a fleet to the handles of its clients. With the last of them, the fleet ends.
pub(super) struct Balanced {
    pub(super) inner: Arc<Inner>,
    pub(super) common: Common,
}

impl Drop for Balanced {
    fn drop(&mut self) {
        self.inner.close();
    }
}

#[async_trait]
impl ConnectionSource for Balanced {
    fn current(&self) -> Option<Connection> {
        let ready = self.inner.ready.load();
        ready.pick_open(None).cloned()
    }

    fn current_but(&self, tried: &Connection) -> Option<Connection> {
        let ready = self.inner.ready.load();
        ready.pick_open(Some(tried)).cloned()
    }

    fn pick(&self) -> Option<Connection> {
        let ready = self.inner.ready.load();
        ready.pick().cloned()
    }

    async fn connection(&self) -> Result<Connection, Arc<ConnectError>> {
        let mut published = self.inner.subscribe();
        loop {
            if let Some(connection) = self.current() {
                return Ok(connection);
            }
            if self.inner.is_closed() || !self.inner.is_worth_waiting() {
                return Err(self.failure(Duration::ZERO));
            }
            // The sender is as old as the source.
            let _ = published.changed().await;
        }
    }

    fn all(&self) -> Vec<Connection> {
        self.inner.open()
    }

    fn next(&self, tried: &Tried<'_>) -> Next {
        let repeat = self.inner.retries.next(tried);
        self.inner.counters.repeat(repeat, tried.outcome());
        match repeat {
            Repeat::After(pause) => Next::Again(pause),
            Repeat::OverBudget | Repeat::Never => Next::Return,
        }
    }

    fn on_failure(&self, on: &Connection) {
        let row = on.shared().load.get().map(|load| load.failures_in_a_row());
        if row.is_some_and(|row| self.inner.settings.eject.is_to_look(row)) {
            self.inner.failures.notify_one();
        }
    }

    fn on_close(&self) {
        self.inner.close();
    }

    fn handle(self: Arc<Self>) -> Connection {
        let common = self.common.clone();
        Connection::of_source(self, common)
    }

    fn failure(&self, after: Duration) -> Arc<ConnectError> {
        let why = io::Error::new(io::ErrorKind::NotConnected, self.inner.why());
        let problem = match after.is_zero() {
            true => ConnectProblem::Unreachable(why),
            false => ConnectProblem::TimedOut(after, why),
        };
        Arc::new(problem.into())
    }
}

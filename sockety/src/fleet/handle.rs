//! The handle on a fleet.

use std::{
    fmt,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    builder::FleetBuilder,
    error::DiscoverError,
    inner::{Balanced, Inner},
    stats::FleetStats,
    status::EndpointStatus,
    target::IntoDiscover,
};
use crate::{
    client::connect::Connected,
    connection::{Connection, source::ConnectionSource},
    engine::common::Common,
    error::ConnectError,
};

/// Connections to the servers of a service, and one client for all of them.
///
/// Each call goes to the better of two servers picked at random: the one with the lower number of calls under way times the
/// time to its replies. What becomes of a call that fails is decided by its [`Outcome`](crate::Outcome), see [`Retry`](super::Retry).
/// A server that stops in order loses no call: the fleet sends it nothing new, and it finishes what it has.
///
/// Clones are handles on the same fleet. When the last of them and of its clients is dropped, it ends: its connections are closed
/// once their calls are finished. It also ends with the Tokio runtime that it was made in; its calls fail from then on, with
/// [`NotSent`](crate::Outcome::NotSent).
pub struct Fleet<C = Connection> {
    source: Arc<Balanced>,
    /// What [`Inner::subscribe`] said when this handle last noticed a change.
    seen: AtomicU64,
    client: PhantomData<fn() -> C>,
}

impl<C> Fleet<C> {
    /// A fleet of the servers that this finds: see [`IntoDiscover`]. `BankClient::fleet(target)` is the same, with the type of
    /// the client.
    pub fn of(target: impl IntoDiscover) -> FleetBuilder<C> {
        FleetBuilder::new(target)
    }

    pub(super) fn new(inner: Arc<Inner>, common: Common) -> Self {
        Self {
            source: Arc::new(Balanced { inner, common }),
            seen: AtomicU64::new(0),
            client: PhantomData,
        }
    }

    fn inner(&self) -> &Inner {
        &self.source.inner
    }

    /// Its name: the text of the target, or what [`Discover::name`](super::Discover::name) says, unless the builder has set another.
    pub fn name(&self) -> &str {
        &self.inner().name
    }

    /// What is known about its servers now, in the order of their keys.
    pub fn endpoints(&self) -> Vec<EndpointStatus> {
        self.inner().endpoints()
    }

    /// Whether a server takes calls now.
    pub fn is_ready(&self) -> bool {
        self.inner().is_ready()
    }

    /// What has happened since it was made: connections, retries, ejections.
    pub fn stats(&self) -> FleetStats {
        self.inner().stats()
    }

    /// A view of it that does not keep it open.
    #[cfg(feature = "metrics")]
    pub(crate) fn watched(&self) -> Watched {
        Watched(Arc::clone(&self.source.inner))
    }

    /// What discovery reported last, if it has found nothing since.
    pub fn discover_error(&self) -> Option<DiscoverError> {
        self.inner().discover_error()
    }

    /// Waits until a server takes calls, or the fleet is closed. There is no time limit.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn ready(&self) {
        let mut published = self.inner().subscribe();
        while !self.inner().is_ready() && !self.inner().is_closed() {
            // The sender is as old as the fleet.
            let _ = published.changed().await;
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.inner().is_closed()
    }

    /// Why no server is ready after this time.
    pub(super) fn why(&self, after: Duration) -> Arc<ConnectError> {
        self.source.failure(after)
    }

    /// Waits until something has changed about its [`endpoints`](Self::endpoints), apart from figures, since this returned last on
    /// this handle; since the fleet was made, the first time. So a loop that reads them after each change misses none. A
    /// clone has noticed what the handle had that it was made of.
    ///
    /// # Cancel safety
    /// May be dropped and called again: no change is lost.
    pub async fn changed(&self) {
        let seen = self.seen.load(Ordering::SeqCst);
        let mut published = self.inner().subscribe();
        // The sender is as old as the fleet.
        if let Ok(times) = published.wait_for(|times| *times != seen).await {
            self.seen.store(*times, Ordering::SeqCst);
        }
    }

    /// Closes it. Calls that begin in the next moment may still be sent; then nothing new is, and calls under way and messages that servers
    /// have sent are finished, within this time. Its clients are closed then. Calls on servers that discovery has removed are not waited for; they go on by themselves.
    ///
    /// # Cancel safety
    /// Dropping the future does not stop the closing.
    pub async fn shutdown(&self, deadline: Duration) {
        let handle = Arc::clone(&self.source).handle();
        handle.shutdown(deadline).await;
    }
}

impl<C: Connected> Fleet<C> {
    /// A client of all its servers. Middleware is added to it as to any other.
    ///
    /// Its [`Connection`] represents all connections: [`close`](Connection::close) and [`shutdown`](Connection::shutdown) end the
    /// fleet, figures are those of one of them.
    pub fn client(&self) -> C {
        C::connected(Arc::clone(&self.source).handle())
    }

    /// A client of each connection that takes calls now, for messages to all servers.
    pub fn each(&self) -> Vec<C> {
        let connections = self.inner().connections();
        connections.into_iter().map(C::connected).collect()
    }
}

impl<C> Clone for Fleet<C> {
    fn clone(&self) -> Self {
        Self {
            source: Arc::clone(&self.source),
            seen: AtomicU64::new(self.seen.load(Ordering::SeqCst)),
            client: PhantomData,
        }
    }
}

impl<C> fmt::Debug for Fleet<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// What metrics read of a fleet. When the fleet has ended, it has no endpoints.
#[cfg(feature = "metrics")]
#[derive(Clone)]
pub(crate) struct Watched(Arc<Inner>);

#[cfg(feature = "metrics")]
impl Watched {
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    pub(crate) fn endpoints(&self) -> Vec<EndpointStatus> {
        self.0.endpoints()
    }

    pub(crate) fn stats(&self) -> FleetStats {
        self.0.stats()
    }
}

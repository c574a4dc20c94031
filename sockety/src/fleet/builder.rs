//! Settings of a fleet.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use tokio::{sync::watch, time::timeout};

use super::{
    discover::{Changes, Losses},
    eject::Eject,
    error::{FleetError, TargetError},
    handle::Fleet,
    health::Health,
    inner::{Inner, Settings},
    retry::{Retries, Retry},
    target::IntoDiscover,
    task::Task,
};
use crate::{
    client::{Connect, connect::Connected},
    config::{budgets::Budgets, options::Options},
    connection::Connection,
    serve::router::IntoRouter,
};

/// A fleet to be made, by `BankClient::fleet(target)` or [`Fleet::of`].
///
/// Awaited, it is ready when one server is, or returns an error when none is in time; [`lazy`](Self::lazy) waits for nothing.
///
/// ```no_run
/// # use std::time::Duration;
/// # use sockety::{fleet::{Eject, Retry}, service};
/// # #[service]
/// # trait Bank { async fn balance(&self, account: u64) -> u64; }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let fleet = BankClient::fleet("bank-1:9000,bank-2:9000")
///     .retry(Retry::default().attempts(2))
///     .eject(Eject::default().time(Duration::from_secs(10)))
///     .await?;
/// let bank = fleet.client();
/// let balance = bank.balance(7).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is connected until this is awaited, or made `lazy`"]
pub struct FleetBuilder<C = Connection> {
    changes: Result<Changes, TargetError>,
    name: Option<Arc<str>>,
    lost: watch::Sender<()>,
    connect: Connect<C>,
    settings: Settings,
    retry: Retry,
}

/// How many connections there may be to each endpoint.
const MOST_CONNECTIONS: usize = 4;

impl<C> FleetBuilder<C> {
    pub(super) fn new(target: impl IntoDiscover) -> Self {
        let name = target.name();
        let lost = watch::Sender::default();
        let settings = Settings {
            connections: 1,
            subset: None,
            zone: None,
            eject: Eject::default(),
            health: Health::default(),
            waits: true,
        };
        Self {
            changes: target.into_changes(Losses::of(&lost)),
            name,
            lost,
            connect: Connect::template(),
            settings,
            retry: Retry::default(),
        }
    }

    /// Sets what the fleet is called in logs, metrics and errors: by default the text of its target, or what its
    /// [`Discover::name`](super::Discover::name) says.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets how many connections there are to each server, 1 to 4, 1 by default. More than one is of use where one
    /// processor of the server is too slow for all calls.
    pub fn connections_per_endpoint(mut self, connections: usize) -> Self {
        self.settings.connections = connections.clamp(1, MOST_CONNECTIONS);
        self
    }

    /// Connects to this many servers only, at least 1, chosen at random for each process; by default to all. Of 100 clients with
    /// 20 of 100 servers each, every server gets about 20. Servers of the subset that fail are not replaced by others. Of the reserve,
    /// which are the servers of weight 0, it connects to this many more.
    pub fn subset(mut self, servers: usize) -> Self {
        self.settings.subset = Some(servers.max(1));
        self
    }

    /// Prefers servers of this zone: each counts four times while at least half of them are ready.
    pub fn zone(mut self, zone: impl Into<Arc<str>>) -> Self {
        self.settings.zone = Some(zone.into());
        self
    }

    /// Sets which messages are sent again.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Sets when a server that fails gets no calls for a while.
    pub fn eject(mut self, eject: Eject) -> Self {
        self.settings.eject = eject;
        self
    }

    /// Sets when servers are asked whether they serve.
    pub fn health(mut self, health: Health) -> Self {
        self.settings.health = health;
        self
    }

    /// Calls fail at once with [`NotSent`](crate::Outcome::NotSent) while no server is ready. By default they wait for one,
    /// within their timeouts. Until discovery has answered for the first time, they wait in any case.
    pub fn fail_fast(mut self) -> Self {
        self.settings.waits = false;
        self
    }

    /// What the servers may call on this side, on each connection.
    pub fn serve(mut self, serve: impl IntoRouter) -> Self {
        self.connect = self.connect.serve(serve);
        self
    }

    /// Limits and clocks of the connections.
    pub fn options(mut self, options: Options) -> Self {
        self.connect = self.connect.options(options);
        self
    }

    /// Holds what the connections hold within these budgets.
    pub fn budgets(mut self, budgets: Budgets) -> Self {
        self.connect = self.connect.budgets(budgets);
        self
    }

    /// Speaks TLS, whatever the schemes of the addresses. The certificate of each server must be one for
    /// [`TlsClient::server_name`](crate::tls::TlsClient::server_name) if that is set, else for the name that discovery has for it, else for
    /// the host of its address.
    #[cfg(feature = "_tls")]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "tls", feature = "tls-ring"))))]
    pub fn tls(mut self, tls: crate::tls::TlsClient) -> Self {
        self.connect = self.connect.tls(tls);
        self
    }

    /// Runs this on each new connection before it gets calls, for instance to authorize it; see [`Connect::on_connect`].
    pub fn on_connect<F, Fut, E>(mut self, hook: F) -> Self
    where
        F: Fn(Connection) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.connect = self.connect.on_connect(hook);
        self
    }

    /// Makes the fleet, and connects in the background. Calls wait until a server is ready.
    ///
    /// # Errors
    /// [`TargetError`] if the target names no fleet.
    ///
    /// # Panics
    /// Panics outside of a Tokio runtime.
    pub fn lazy(self) -> Result<Fleet<C>, TargetError> {
        let changes = self.changes?;
        let name = self.name.unwrap_or_else(|| "fleet".into());
        let common = self.connect.common().clone();
        let retries = Retries::new(self.retry);
        let inner = Arc::new(Inner::new(name, self.settings, retries, self.lost));
        let task = Task::new(Arc::clone(&inner), self.connect.of_connections(), changes);
        tokio::spawn(task.run());
        Ok(Fleet::new(inner, common))
    }
}

impl<C: Connected + 'static> IntoFuture for FleetBuilder<C> {
    type Output = Result<Fleet<C>, FleetError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Makes the fleet, and waits until one server is ready: for [`Options::connect_timeout`] at most.
    ///
    /// # Cancel safety
    /// Dropping the future ends the fleet.
    fn into_future(self) -> Self::IntoFuture {
        let limit = self.connect.common().options.connect_timeout;
        let fleet = self.lazy();
        Box::pin(async move {
            let fleet = fleet?;
            match timeout(limit, fleet.ready()).await {
                Ok(()) if fleet.is_closed() => Err(FleetError::NotReady(fleet.why(Duration::ZERO))),
                Ok(()) => Ok(fleet),
                Err(_) => Err(FleetError::NotReady(fleet.why(limit))),
            }
        })
    }
}

impl<C> fmt::Debug for FleetBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetBuilder")
            .field("name", &self.name)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

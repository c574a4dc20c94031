//! Leaving a fleet: what a server does between SIGTERM and its end.
//!
//! ```text
//! drain ─▶ health says no ─▶ hooks ─▶ Leave(lame duck) to all ─── linger ───▶ shutdown ─▶ ended
//!                           │ 5 s at most │   it goes on serving, and accepting │          │
//!                           └──────────────────────── max at most ─────────────────────────┘
//! ```

use std::{error::Error, fmt, pin::Pin, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tracing::{debug, warn};

use super::handle::{Ending, ServerHandle};
use crate::{
    engine::{later::later, shared::Shared},
    error::chain::chain,
};

/// How a server leaves: see [`ServerHandle::drain`].
///
/// ```
/// # use std::time::Duration;
/// # use sockety::server::Drain;
/// // Longer than the longest call, and `terminationGracePeriodSeconds` is longer still.
/// let drain = Drain::default().max(Duration::from_secs(90));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    linger: Duration,
    max: Duration,
    retry_after: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            linger: Duration::from_secs(5),
            max: Duration::from_secs(30),
            retry_after: Duration::ZERO,
        }
    }
}

impl Drain {
    /// For how long the server goes on serving, new connections too, after its clients were told that
    /// it leaves (default: 5 s): as long as others may take to notice, such as Kubernetes until it has
    /// removed a pod from its endpoints, or a DNS record its time to live.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Limits all of it, from the beginning to the end of the last call (default: 30 s). What is not
    /// done then fails, as with [`ServerHandle::shutdown`].
    pub fn max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }

    /// Asks clients not to connect to this address again before (default: zero, does not ask):
    /// [`GoingAway::retry_after`](crate::error::GoingAway::retry_after). In milliseconds on the wire, at
    /// most 49 days.
    pub fn retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = retry_after;
        self
    }
}

/// How long all hooks together may take.
const HOOKS: Duration = Duration::from_secs(5);

type HookResult = Result<(), Box<dyn Error + Send + Sync>>;
type HookFuture = Pin<Box<dyn Future<Output = HookResult> + Send>>;

struct Hook(Box<dyn FnOnce() -> HookFuture + Send>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// How far a server is with leaving.
#[derive(Debug, Default)]
pub(super) struct Draining {
    has_begun: bool,
    hooks: Vec<Hook>,
    lame_duck: Option<LameDuck>,
}

/// What all connections are told, new ones too.
#[derive(Debug, Clone, Copy)]
pub(super) struct LameDuck {
    until: Instant,
    retry_after: Duration,
}

impl LameDuck {
    pub(super) fn tell(self, shared: &Shared) {
        let grace = self.until.saturating_duration_since(Instant::now());
        shared.be_lame_duck(grace, self.retry_after);
    }
}

impl ServerHandle {
    /// Ends the server so that its clients notice nothing: for SIGTERM, in a fleet or behind a
    /// balancer. Completes when all connections are closed, like the future of
    /// [`Server::serve`](crate::server::Server::serve).
    ///
    /// 1. [`Health`](crate::health::Health) says that nothing is serving any more.
    /// 2. The hooks of [`on_drain`](Self::on_drain) run, 5 s at most: the server is taken out of
    ///    registries.
    /// 3. All connections with the [extension](crate::Connection::is_extended) are told that new calls are
    ///    to go elsewhere ([`LeaveReason::LameDuck`](crate::error::LeaveReason::LameDuck)). Clients that
    ///    reconnect make another connection first, and move to it. Peers without the extension
    ///    cannot be told.
    /// 4. For [`Drain::linger`] the server goes on as before, and accepts connections, which are told the
    ///    same: those who have not heard yet are served.
    /// 5. [`shutdown`](Self::shutdown) with the rest of [`Drain::max`]: it closes its listeners, and
    ///    finishes the calls that it has accepted.
    ///
    /// A second call waits for the first. [`stop`](Self::stop) and [`shutdown`](Self::shutdown) end a
    /// drain sooner.
    ///
    /// # Cancel safety
    /// Dropping the future does not stop the drain, once it was polled.
    ///
    /// # Panics
    /// Panics outside of a Tokio runtime.
    ///
    /// ```no_run
    /// # use sockety::{Router, Server, server::Drain};
    /// # async fn terminated() {}
    /// # async fn example() -> std::io::Result<()> {
    /// let server = Server::bind("0.0.0.0:9000").await?;
    /// let handle = server.handle();
    /// tokio::spawn(async move {
    ///     // SIGTERM, such as by `tokio::signal`.
    ///     terminated().await;
    ///     handle.drain(Drain::default()).await;
    /// });
    /// server.serve(Router::new()).await
    /// # }
    /// ```
    pub async fn drain(&self, drain: Drain) {
        let is_first = {
            let mut draining = self.draining();
            !std::mem::replace(&mut draining.has_begun, true)
        };
        if is_first {
            let handle = self.clone();
            tokio::spawn(async move { handle.run_drain(drain).await });
        }
        self.until_stopped().await;
        self.all_closed().await;
    }

    /// Runs this when the server begins to [drain](Self::drain), before its clients are told: to take the
    /// server out of a registry, such as etcd. Not when it is shut down or stopped without a drain.
    ///
    /// All hooks run at the same time, each in a task, and begin in the order in which they were added.
    /// The drain goes on when all have ended, at the latest after 5 s; what still runs then is dropped.
    /// An error or a panic is logged. If the server drains already, the hook runs at once.
    ///
    /// The hook is kept until then: one that holds the handle of its own server keeps what the server
    /// holds.
    ///
    /// # Panics
    /// Panics outside of a Tokio runtime, if the server drains already.
    ///
    /// ```no_run
    /// # use std::io;
    /// # struct Registration;
    /// # impl Registration { async fn revoke(self) -> io::Result<()> { Ok(()) } }
    /// # fn example(server: &sockety::Server, registration: Registration) {
    /// server.handle().on_drain(|| registration.revoke());
    /// # }
    /// ```
    pub fn on_drain<H, F, E>(&self, hook: H)
    where
        H: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let run =
            move || -> HookFuture { Box::pin(async move { hook().await.map_err(Into::into) }) };
        let hook = Hook(Box::new(run));
        let mut draining = self.draining();
        if draining.has_begun {
            drop(draining);
            tokio::spawn(run_hooks(vec![hook], HOOKS));
        } else {
            draining.hooks.push(hook);
        }
    }

    async fn run_drain(&self, drain: Drain) {
        let begun = Instant::now();
        let left = || drain.max.saturating_sub(begun.elapsed());
        debug!(?drain, "draining");
        self.health().end();
        let hooks = std::mem::take(&mut self.draining().hooks);
        run_hooks(hooks, HOOKS.min(left())).await;
        let linger = drain.linger.min(left());
        self.be_lame_duck(linger, drain.retry_after);
        if self.or_stopped(sleep(linger)).await.is_some() {
            self.end(Ending::Drain(later(begun, drain.max)));
        }
    }

    /// Tells all connections, and those to come.
    fn be_lame_duck(&self, linger: Duration, retry_after: Duration) {
        let lame_duck = LameDuck {
            until: later(Instant::now(), linger),
            retry_after,
        };
        // Before the list is read: a connection that is added after that is told there.
        self.draining().lame_duck = Some(lame_duck);
        for connection in self.connections() {
            lame_duck.tell(connection.shared());
        }
    }

    /// What connections are told, if the server is about to leave.
    pub(super) fn lame_duck(&self) -> Option<LameDuck> {
        self.draining().lame_duck
    }
}

async fn run_hooks(hooks: Vec<Hook>, limit: Duration) {
    let mut running = JoinSet::new();
    for Hook(hook) in hooks {
        running.spawn(async move { hook().await });
    }
    let all = async {
        while let Some(ended) = running.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => warn!("hook of the drain failed: {}", chain(&*error)),
                Err(error) => warn!("hook of the drain panicked: {error}"),
            }
        }
    };
    if timeout(limit, all).await.is_err() {
        let count = running.len();
        warn!("{count} hooks of the drain have not ended within {limit:?}");
    }
}

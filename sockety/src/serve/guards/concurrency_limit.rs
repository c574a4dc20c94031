use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Scope;
use crate::{
    description::ServiceDescription,
    engine::warnings::Warning,
    fast_reply::FrameworkCode,
    serve::{
        incoming::Incoming,
        middleware::{ServeMiddleware, ServeNext},
    },
};

/// Middleware that limits how many handlers run at a time, over all connections of the router. Added
/// with [`Router::layer`](crate::serve::Router::layer). Clones share the limit.
///
/// Further messages wait for their turn, in the order of their arrival, up to a number of them.
/// Beyond that, a message is answered with code 3,840, Overloaded, and a reason, and its handler does
/// not see it: the outcome is [`NotExecuted`](crate::Outcome::NotExecuted). A message that waits occupies a slot of
/// [`Options::max_requests_executing`](crate::Options::max_requests_executing) of its connection.
/// It waits no longer when its connection ends: if this side ends it, such as at the end of the time of a
/// [shutdown](crate::server::ServerHandle::shutdown), the outcome of the call is `NotExecuted`, as for all requests whose turn has not come.
///
/// The answer does not say when to call again, unlike that of a [`RateLimit`](crate::serve::RateLimit), because it is not known
/// when a handler ends.
///
/// A handler counts until it has ended, not until files or a stream of its reply have been sent.
///
/// ```
/// # use sockety::{Router, serve::{ConcurrencyLimit, IntoRouter}, service};
/// # #[service]
/// # trait Media { async fn render(&self, id: u64); async fn title(&self, id: u64) -> String; }
/// # fn example(server: impl IntoRouter) -> Router {
/// let renderers = ConcurrencyLimit::new(4).max_waiting(64).only(MediaClient::DESCRIPTION, &["render"]);
/// server.into_router().layer(renderers)
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ConcurrencyLimit {
    limit: usize,
    max_waiting: usize,
    running: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    scope: Scope,
}

impl ConcurrencyLimit {
    /// Lets this many handlers run at a time, of all actions together, and 1,024 messages wait. 0 counts as 1, and
    /// more than 2^61 - 1 as that.
    pub fn new(limit: usize) -> Self {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            limit,
            max_waiting: 1024,
            running: Arc::new(Semaphore::new(limit)),
            waiting: Arc::default(),
            scope: Scope::default(),
        }
    }

    /// Limits how many messages wait for their turn (default: 1,024). With 0, none waits.
    pub fn max_waiting(mut self, messages: usize) -> Self {
        self.max_waiting = messages;
        self
    }

    /// Limits only these actions, by their names with the prefix, and those of earlier calls of this method,
    /// all of them together. Aliases of an action are included.
    ///
    /// # Panics
    /// If the service does not have one of the actions.
    #[track_caller]
    pub fn only(mut self, service: &'static ServiceDescription, actions: &[&str]) -> Self {
        self.scope.add(service, actions);
        self
    }

    /// Waits for a turn.
    async fn turn(&self, incoming: &Incoming) -> Result<SemaphorePermit<'_>, NoTurn> {
        // Those who wait have come before.
        if let Ok(permit) = self.running.try_acquire() {
            return Ok(permit);
        }
        let _waiting = Waiting::begin(&self.waiting, self.max_waiting).ok_or(NoTurn::TooMany)?;
        let unbegun = incoming.begin_waiting();
        let turn = tokio::select! {
            permit = self.running.acquire() => permit.map_err(|_| NoTurn::TooMany),
            _ = incoming.connection().closed() => Err(NoTurn::Gone),
        };
        // Its sender may have been told just now that it is not executed.
        match unbegun.end() {
            true => turn,
            false => Err(NoTurn::Gone),
        }
    }
}

/// Why a message has no turn.
enum NoTurn {
    TooMany,
    /// Its connection has ended, or ends.
    Gone,
}

/// One of those who wait.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicUsize, limit: usize) -> Option<Self> {
        let more = |now: usize| (now < limit).then(|| now + 1);
        let begun = waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        // Made only if it was counted, because dropping it counts down.
        begun.is_ok().then(|| Self(waiting))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl ServeMiddleware for ConcurrencyLimit {
    async fn handle(&self, incoming: Incoming, next: ServeNext) {
        if !self.scope.has(incoming.action()) {
            next.run(incoming).await;
            return;
        }
        match self.turn(&incoming).await {
            Ok(_turn) => {
                next.run(incoming).await;
            }
            Err(no_turn) => {
                let (limit, waiting) = (self.limit, self.max_waiting);
                let reason = format!(
                    "too many calls: the limits are {limit} executing and {waiting} waiting"
                );
                // A caller that is gone is no sign of overload, and reads no answer.
                if let NoTurn::TooMany = no_turn {
                    incoming.note_overload(Warning::Overloaded, &reason);
                }
                let code = FrameworkCode::Overloaded.reply();
                incoming.refuse_because(code, reason).await;
            }
        }
    }
}

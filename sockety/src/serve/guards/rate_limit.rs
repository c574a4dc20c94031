use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;

use super::Scope;
use crate::{
    config::rate::Rate,
    connection::Connection,
    description::ServiceDescription,
    engine::{receive::bucket::Bucket, warnings::Warning},
    fast_reply::FrameworkCode,
    metadata::RetryAfter,
    serve::{
        incoming::Incoming,
        middleware::{ServeMiddleware, ServeNext},
    },
};

/// Middleware that limits how often messages are handled. Added with
/// [`Router::layer`](crate::serve::Router::layer). Clones share the limit.
///
/// A message beyond the [`Rate`] is answered with code 3,840, Overloaded, and a reason, and its
/// handler does not see it: the outcome is [`NotExecuted`](crate::Outcome::NotExecuted). Nothing waits. The senders of
/// one-way messages learn nothing. Callers whose connections use the extension learn when there will be room again:
/// [`CallError::retry_after`](crate::CallError::retry_after).
///
/// ```
/// # use sockety::{Router, serve::IntoRouter, service};
/// # #[service]
/// # trait Session { async fn reset_password(&self, user: String); }
/// # fn example(server: impl IntoRouter) -> Router {
/// use sockety::{config::Rate, serve::RateLimit};
///
/// // Five at once, then one a second.
/// let resets = RateLimit::per_connection(Rate::new(5, 1));
/// server.into_router().layer(resets.only(SessionClient::DESCRIPTION, &["reset_password"]))
/// # }
/// ```
#[derive(Clone)]
pub struct RateLimit {
    rate: Rate,
    buckets: Buckets,
    scope: Scope,
}

#[derive(Clone)]
enum Buckets {
    One(Arc<Mutex<Bucket>>),
    /// In the extensions of each connection, by this number.
    OfConnections(u64),
}

/// The buckets of a connection, by the numbers of their limits.
#[derive(Default)]
struct OfConnection(Mutex<HashMap<u64, Bucket>>);

impl RateLimit {
    /// Limits the messages of all connections of the router together.
    pub fn total(rate: Rate) -> Self {
        let rate = rate.counted();
        let bucket = Bucket::new(rate);
        Self::new(rate, Buckets::One(Arc::new(Mutex::new(bucket))))
    }

    /// Limits the messages of each connection. A peer may have several connections: see
    /// [`Server::max_connections_per_host`](crate::Server::max_connections_per_host).
    pub fn per_connection(rate: Rate) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self::new(rate.counted(), Buckets::OfConnections(number))
    }

    fn new(rate: Rate, buckets: Buckets) -> Self {
        let scope = Scope::default();
        Self {
            rate,
            buckets,
            scope,
        }
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

    /// Takes a token, or returns when there will be one.
    fn take(&self, connection: &Connection) -> Result<(), RetryAfter> {
        let take = |bucket: &mut Bucket| match bucket.take(1) {
            true => Ok(()),
            false => Err(bucket.wait().map_or(RetryAfter::NEVER, RetryAfter::from)),
        };
        match &self.buckets {
            Buckets::One(bucket) => {
                take(&mut bucket.lock().unwrap_or_else(PoisonError::into_inner))
            }
            Buckets::OfConnections(number) => {
                let buckets = connection.extensions().get_or_default::<OfConnection>();
                let mut buckets = buckets.0.lock().unwrap_or_else(PoisonError::into_inner);
                let bucket = buckets.entry(*number);
                take(bucket.or_insert_with(|| Bucket::new(self.rate)))
            }
        }
    }
}

#[async_trait]
impl ServeMiddleware for RateLimit {
    async fn handle(&self, incoming: Incoming, next: ServeNext) {
        let taken = match self.scope.has(incoming.action()) {
            true => self.take(incoming.connection()),
            false => Ok(()),
        };
        if let Err(retry) = taken {
            let Rate { burst, per_second } = self.rate;
            let whose = match &self.buckets {
                Buckets::One(_) => "",
                Buckets::OfConnections(_) => " of a connection",
            };
            let reason = format!(
                "too many calls{whose}: at most {burst} at once, then {per_second} a second"
            );
            incoming.note_overload(Warning::RateLimited, &reason);
            incoming.set_retry_after(retry);
            let code = FrameworkCode::Overloaded.reply();
            return incoming.refuse_because(code, reason).await;
        }
        next.run(incoming).await;
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("rate", &self.rate)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

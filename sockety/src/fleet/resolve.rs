//! Servers by name: asks a resolver again and again, and says what has changed.
//!
//! ```text
//!   resolver ──▶ answer ──▶ servers that are known ──▶ snapshot, if it differs
//!      ▲                                                 │
//!      └───── after the TTL of the answer, 5 s to 30 s ◀─┤
//!             1 s after the last time, if a server was lost
//!             after a random pause of up to 30 s, if there was no answer
//! ```
//!
//! It is asked whether or not a connection was lost: otherwise clients with long-lived connections never notice new servers.
//!
//! A failure keeps the servers that are known, and so does an empty answer: a resolver that has just started, or a registry that
//! is being restarted, often says that there is nothing. While there are no answers, losses do not make the pauses shorter, so that a
//! resolver that is overloaded is not asked more often by all who lose their servers with it.

#[cfg(feature = "dns")]
pub(super) mod hickory;
pub(super) mod known;
#[cfg(not(feature = "dns"))]
pub(super) mod system;
#[cfg(test)]
mod tests;

use std::{error::Error, sync::Arc, time::Duration};

use futures_util::stream;
use tokio::time::{Instant, sleep_until};

use self::known::{Found, Known};
use super::{
    discover::{Change, Changes, Losses},
    error::{DiscoverError, TargetProblem},
    pause::Pauses,
};

/// How soon and how late it is asked after an answer, whatever its TTL.
const SOONEST: Duration = Duration::from_secs(5);
const LATEST: Duration = Duration::from_secs(30);

/// How soon it is asked after it was asked, if a server was lost.
const SOONEST_AFTER_LOSS: Duration = Duration::from_secs(1);

/// Looks up the servers of one name.
pub(super) trait Resolve: Send + 'static {
    fn resolve(&mut self) -> impl Future<Output = Result<Answer, Failure>> + Send;
}

pub(super) type Failure = Box<dyn Error + Send + Sync>;

/// What a resolver has found.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) servers: Vec<Found>,
    /// What was wrong with an entry that is left out.
    pub(super) skipped: Option<DiscoverError>,
    /// How long it holds.
    pub(super) ttl: Duration,
}

/// The resolver has answered, but knows no server.
#[derive(Debug, thiserror::Error)]
#[error("the name has no servers")]
struct Empty;

/// The changes of what a resolver finds. `target` is what it looks up, for errors.
pub(super) fn changes(target: Arc<str>, resolver: impl Resolve, losses: Option<Losses>) -> Changes {
    let lookups = Lookups {
        target,
        resolver,
        losses,
        known: Known::new(fastrand::u64(..)),
        pauses: Pauses::default(),
        rng: fastrand::Rng::new(),
        is_shown: false,
        skipped: None,
        next: None,
    };
    Box::pin(stream::unfold(lookups, |mut lookups| async move {
        let change = lookups.change().await;
        Some((change, lookups))
    }))
}

struct Lookups<R> {
    target: Arc<str>,
    resolver: R,
    losses: Option<Losses>,
    known: Known,
    /// Between attempts that fail.
    pauses: Pauses,
    rng: fastrand::Rng,
    /// Whether the last that was yielded is a snapshot of what is known.
    is_shown: bool,
    /// To be yielded after the snapshot.
    skipped: Option<DiscoverError>,
    /// `None`: now.
    next: Option<Next>,
}

/// When to ask again.
struct Next {
    at: Instant,
    /// If a server is lost: not before this.
    after_loss: Option<Instant>,
}

impl<R: Resolve> Lookups<R> {
    async fn change(&mut self) -> Result<Change, DiscoverError> {
        loop {
            if let Some(skipped) = self.skipped.take() {
                self.is_shown = false;
                return Err(skipped);
            }
            self.until_due().await;
            // What is asked now knows of these.
            if let Some(losses) = &mut self.losses {
                losses.forget();
            }
            let asked = Instant::now();
            let failure = match self.resolver.resolve().await {
                Ok(answer) if !answer.servers.is_empty() => {
                    self.pauses = Pauses::default();
                    self.next = Some(Next {
                        at: Instant::now() + answer.ttl.clamp(SOONEST, LATEST),
                        after_loss: Some(asked + SOONEST_AFTER_LOSS),
                    });
                    self.skipped = answer.skipped;
                    let has_changed = self.known.learn(answer.servers);
                    if has_changed || !self.is_shown {
                        self.is_shown = true;
                        return Ok(Change::Snapshot(self.known.endpoints()));
                    }
                    continue;
                }
                // Why the only entries that there are cannot be used is worth more than that there are none.
                Ok(answer) => answer.skipped.map_or_else(|| Empty.into(), Failure::from),
                Err(failure) => failure,
            };
            self.is_shown = false;
            let pause = self.pauses.next(&mut self.rng, Duration::ZERO);
            self.next = Some(Next {
                at: Instant::now() + pause,
                after_loss: None,
            });
            return Err(DiscoverError::unavailable(
                Arc::clone(&self.target),
                failure,
            ));
        }
    }

    async fn until_due(&mut self) {
        let Some(next) = &self.next else {
            return;
        };
        let lost = async {
            match (next.after_loss, &mut self.losses) {
                (Some(soonest), Some(losses)) => {
                    losses.next().await;
                    sleep_until(soonest).await;
                }
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep_until(next.at) => {}
            () = lost => {}
        }
    }
}

/// Whether DNS can have this name.
pub(super) fn check_name(name: &str) -> Result<(), TargetProblem> {
    let relative = name.strip_suffix('.').unwrap_or(name);
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(is_allowed);
    match relative.len() <= 253 && relative.split('.').all(is_label) {
        true => Ok(()),
        false => Err(TargetProblem::Name),
    }
}

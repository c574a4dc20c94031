//! The greatest age of connections.

use std::{sync::Arc, time::Duration};

use sockety_codec::{Uuid, extension::LeaveReason};
use tokio::{task::AbortHandle, time::sleep};
use tracing::debug;

use crate::{connection::Connection, shown};

/// When a server shuts its connections down.
#[derive(Debug, Clone, Copy)]
pub(super) struct MaxAge {
    pub(super) age: Duration,
    pub(super) grace: Duration,
}

/// How long before its end a peer is told to make another connection, so that its calls do not wait for one. If the age is shorter than
/// twice this, it is told at half the age: a client that is told at once does not leave, because it pauses before it replaces a connection
/// that was just made.
const NOTICE: Duration = Duration::from_secs(2);

/// Ends the wait for a connection's age when its connection has ended.
#[derive(Debug)]
pub(super) struct Aging(AbortHandle);

impl MaxAge {
    /// Shuts the connection down at this age, give or take a tenth. A peer with the extension is told 2 s before, so that it
    /// can make another connection.
    pub(super) fn begin(self, connection: &Connection) -> Aging {
        // Not a handle, which would keep the connection open.
        let shared = Arc::clone(connection.shared());
        let age = self.spread();
        let aging = tokio::spawn(async move {
            let notice = NOTICE.min(age / 2);
            sleep(age - notice).await;
            if shared.is_extended {
                shared.be_lame_duck(notice, Duration::ZERO);
            }
            sleep(notice).await;
            debug!(
                peer = shown::address(shared.peer.peer_addr),
                ?age,
                "connection has reached its greatest age"
            );
            shared.drain(self.grace, LeaveReason::Age);
        });
        Aging(aging.abort_handle())
    }

    /// Clients that connected together must not come again together. The id generator is the random
    /// source at hand.
    fn spread(self) -> Duration {
        let tenth = self.age / 10;
        let thousandths = (Uuid::new_v4().as_u128() % 2_001) as u32;
        (self.age - tenth).saturating_add(tenth / 1_000 * thousandths)
    }
}

impl Drop for Aging {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_spread_over_a_tenth_in_both_directions() {
        let max = MaxAge {
            age: Duration::from_secs(1_000),
            grace: Duration::ZERO,
        };
        let ages: Vec<_> = (0..2_000).map(|_| max.spread().as_secs_f64()).collect();
        assert!(ages.iter().all(|age| (900.0..=1_100.0).contains(age)));
        for tenth in 0..10 {
            let from = 900.0 + 20.0 * f64::from(tenth);
            let of_it = ages.iter().filter(|age| (from..from + 20.0).contains(*age));
            assert!(of_it.count() > 50, "few ages from {from}");
        }
    }

    #[test]
    fn no_age_is_too_long_or_too_short() {
        for age in [Duration::MAX, Duration::ZERO] {
            let grace = Duration::ZERO;
            let spread = MaxAge { age, grace }.spread();
            assert!(spread >= age - age / 10, "{spread:?} of {age:?}");
        }
    }
}

//! Moments in the future, at any distance.

use std::time::Duration;

use tokio::time::Instant;

/// The moment this long after another; a century is as good as for ever.
pub(crate) fn later(from: Instant, by: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    from + by.min(CENTURY)
}

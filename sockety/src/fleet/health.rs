//! When servers are asked whether they serve.

use std::time::Duration;

/// When a fleet asks its servers whether they serve: one from which nothing has come for the interval, and one that was
/// ejected before it gets calls again. One that says that it does not serve, or does not answer, gets no calls, and is asked
/// again every second. While no other server is ready, one that has answered gets calls all the same.
///
/// The question is the action `$sockety.health`. A server that does not know it serves.
#[derive(Debug, Clone)]
pub struct Health {
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) is_on: bool,
}

impl Default for Health {
    /// Every 10 s, with an answer within 5 s.
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            is_on: true,
        }
    }
}

impl Health {
    /// Only servers that were ejected are asked.
    pub fn off() -> Self {
        Self {
            is_on: false,
            ..Self::default()
        }
    }

    /// Sets after which time without a byte a server is asked, 10 s by default. It is counted in whole seconds, at least 1.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_secs(1));
        self
    }

    /// Sets how long an answer may take, 5 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

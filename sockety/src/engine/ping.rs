//! Pings to a peer with the extension, which measure the time to it and back.

use std::time::Duration;

use tokio::time::Instant;

use super::send::outbox::Outbox;

/// The ping that is under way, and what the last one measured. Guarded by the connection's lock.
#[derive(Default)]
pub(crate) struct Pings {
    /// How many were sent; each has its number as its bytes.
    sent: u64,
    /// Since when one is under way.
    since: Option<Instant>,
    /// The number of the last that was answered, and how long that took.
    measured: (u64, Duration),
}

impl Pings {
    /// Sends a ping, unless one is under way, which serves as well. Returns its number.
    // r[impl ext.ping]
    // r[impl ext.ping.use]
    pub(crate) fn send(&mut self, outbox: &mut Outbox) -> u64 {
        if self.since.is_none() {
            self.sent += 1;
            self.since = Some(Instant::now());
            outbox.ping(self.sent.to_le_bytes());
        }
        self.sent
    }

    /// How long this ping, or a later one, took.
    pub(crate) fn measured(&self, number: u64) -> Option<Duration> {
        let (answered, took) = self.measured;
        (answered >= number).then_some(took)
    }

    /// The peer answered a ping. Returns whether it is the one that is under way.
    pub(crate) fn on_pong(&mut self, bytes: [u8; 8]) -> bool {
        let is_it = bytes == self.sent.to_le_bytes();
        let Some(since) = self.since.take_if(|_| is_it) else {
            return false;
        };
        self.measured = (self.sent, since.elapsed());
        true
    }
}

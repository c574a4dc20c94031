//! The end of a connection: what is counted and logged, and what is still written and read.

use std::{future::poll_fn, io::ErrorKind, task::Context};

use sockety_codec::extension::LeaveReason;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tracing::{debug, info};

use super::{Driver, write::Written};
use crate::{
    engine::{serve::Serve, state::Unwritten, warnings::Warning},
    error::{
        chain::chain,
        connection::{ClosedBy, ConnectionError},
        limit::LimitExceeded,
    },
    shown,
};

/// How many bytes a farewell reads and drops: as many as may have been in transit.
const DRAIN_BYTES: usize = 4 * 1024 * 1024;

impl<IO: AsyncRead + AsyncWrite + Unpin, S: Serve> Driver<IO, S> {
    pub(super) fn count(&self, error: &ConnectionError) {
        let counters = &self.shared.counters;
        match error {
            error if is_timeout(error) => counters.count(|all| &all.timed_out_connections),
            ConnectionError::Protocol(_) => counters.count(|all| &all.violations),
            ConnectionError::Limit(_) => counters.count(|all| &all.exceeded_limits),
            ConnectionError::Truncated(_) => counters.count(|all| &all.truncated_connections),
            ConnectionError::Closed(_)
            | ConnectionError::EndedByPeer(_)
            | ConnectionError::Idle(_)
            | ConnectionError::WriteStalled(_)
            | ConnectionError::Io(_) => {}
        }
    }

    pub(super) fn log(&self, error: &ConnectionError) {
        let peer = self.shared.peer.peer_addr;
        match error {
            error if is_timeout(error) => {
                self.shared.warn_of_peer(Warning::TimedOut, &chain(error));
            }
            // Nobody ends calls in flight on purpose: something has cut the connection, or the
            // peer's process has died. Without calls, the process may just have finished.
            ConnectionError::Closed(by @ ClosedBy::PeerWithoutGoAway) if self.was_at_work => {
                info!(
                    peer = shown::address(peer),
                    "connection closed by {by}, with calls in flight"
                );
            }
            ConnectionError::Closed(by) => {
                debug!(peer = shown::address(peer), "connection closed by {by}")
            }
            ConnectionError::Io(source) => {
                debug!(peer = shown::address(peer), source = %chain(&**source), "connection failed");
            }
            error => self.shared.warn_of_peer(Warning::Ended, &chain(error)),
        }
    }

    /// Says why this side ends the connection, and which messages of the peer it has taken: the others
    /// are not executed. If the socket does not take it at once, nothing waits for that.
    // r[impl ext.leave.last]
    pub(super) fn say_last(&mut self, error: &ConnectionError, cx: &mut Context<'_>) {
        if !self.shared.is_extended {
            // Others do not learn which messages are taken, but of these that they are not executed.
            if matches!(error, ConnectionError::Closed(ClosedBy::Local)) {
                self.inbound.answer_waiting();
                self.write_at_once(cx);
            }
            return;
        }
        let (reason, text) = match error {
            ConnectionError::Closed(ClosedBy::Local) => (None, String::new()),
            ConnectionError::Idle(_) => (Some(LeaveReason::Idle), error.to_string()),
            ConnectionError::Protocol(violation) => {
                (Some(LeaveReason::Protocol), violation.to_string())
            }
            ConnectionError::Limit(limit @ LimitExceeded::AuthorizationTimeout(_)) => {
                (Some(LeaveReason::Unauthorized), limit.to_string())
            }
            ConnectionError::Limit(limit) => (Some(LeaveReason::Limit), limit.to_string()),
            // The peer does not read.
            ConnectionError::Closed(_)
            | ConnectionError::EndedByPeer(_)
            | ConnectionError::Truncated(_)
            | ConnectionError::WriteStalled(_)
            | ConnectionError::Io(_) => return,
        };
        self.inbound.answer_waiting();
        let taken = self.decoder.begun();
        self.shared.lock().say_last(reason, &text, taken);
        if Unwritten::of(error) == Unwritten::Dropped {
            // Before the outcomes of requests are decided, because this may send some of them.
            self.write_at_once(cx);
        }
    }

    pub(super) async fn say_goodbye(&mut self, error: &ConnectionError) -> std::io::Result<()> {
        let is_our_decision = Unwritten::of(error) == Unwritten::Sent;
        if is_our_decision {
            if !self.shared.is_extended {
                self.shared.lock().outbox.go_away();
            }
            while let Written::Some = poll_fn(|cx| self.poll_write(cx)).await? {}
        }
        self.io.shutdown().await?;
        // Closing a socket with unread bytes resets the connection, which may destroy what the peer
        // has not read yet.
        if is_our_decision || matches!(error, ConnectionError::Closed(ClosedBy::Local)) {
            self.drain().await?;
        }
        Ok(())
    }

    /// Reads until the peer ends. If it sends more than [`DRAIN_BYTES`], nothing more is read, and
    /// the farewell ends at its time limit.
    async fn drain(&mut self) -> std::io::Result<()> {
        // An array would be part of this future, and so of every connection's task.
        let mut rest = vec![0; 4096];
        let mut drained = 0;
        while drained < DRAIN_BYTES {
            match self.io.read(&mut rest).await? {
                0 => return Ok(()),
                count => drained += count,
            }
        }
        std::future::pending().await
    }
}

/// Whether the peer, or the way to it, has vanished: this side's clocks noticed that, or those of
/// the operating system.
fn is_timeout(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::Idle(_) | ConnectionError::WriteStalled(_) => true,
        ConnectionError::Io(error) => matches!(
            error.kind(),
            ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
        ),
        ConnectionError::Closed(_)
        | ConnectionError::EndedByPeer(_)
        | ConnectionError::Protocol(_)
        | ConnectionError::Limit(_)
        | ConnectionError::Truncated(_) => false,
    }
}

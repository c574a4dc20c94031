//! What is known about the servers of a fleet.

use std::{fmt, sync::Arc, time::Duration};

use super::discover::Endpoint;
use crate::{connection::Connection, engine::load::Load, error::ConnectError};

/// A server of a fleet, as the fleet sees it at one moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EndpointStatus {
    /// What discovery says about it.
    pub endpoint: Endpoint,
    /// Whether it gets calls, and why not.
    pub state: EndpointState,
    /// How many connections to it are open.
    pub connections: usize,
    /// How many calls to it are under way.
    pub in_flight: u32,
    /// How long its replies take: nearer to the longest of the last 10 s than to the average. `None` before the first one,
    /// and again when the server has come back after an ejection or a restart.
    ///
    /// The time counts if the caller waits for the reply when it comes: not for [`Connection::send`](crate::Connection::send) and calls that
    /// were [started](crate::client::Call::start), nor with files, streams or `#[action(long_poll)]`. A failed call counts as its
    /// timeout, or as 1 s, at least.
    pub latency: Option<Duration>,
    /// Why the last attempt to connect failed, if it did.
    pub error: Option<Arc<ConnectError>>,
}

/// Whether a server gets calls.
///
/// ```text
/// Unused      Connecting ──▶ Ready ◀──▶ Ejected      Ready ──▶ Draining ──▶ Waiting
///                 ▲ │          ◀──▶ NotServing
///                 │ ▼
///               Waiting
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndpointState {
    /// It is not in the subset that this client connects to.
    Unused,
    /// A connection to it is being made.
    Connecting,
    /// The last attempt failed, or its connection has ended, and the pause before the next one runs.
    Waiting,
    /// It gets calls.
    Ready,
    /// It failed more than others, and gets no calls until its time is over and it answers a probe.
    Ejected,
    /// It says that it does not serve, and gets new calls only while no other server is ready. Or it does not answer probes, and gets none.
    NotServing,
    /// It is about to stop: it finishes what was begun, and gets new calls only while no other server is ready.
    Draining,
}

impl fmt::Display for EndpointState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unused => "unused",
            Self::Connecting => "connecting",
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Ejected => "ejected",
            Self::NotServing => "not serving",
            Self::Draining => "draining",
        })
    }
}

/// What the task of a fleet publishes for [`EndpointStatus`]; the rest is read from the load.
pub(super) struct Shown {
    pub(super) endpoint: Endpoint,
    pub(super) state: EndpointState,
    pub(super) open: Vec<Connection>,
    pub(super) load: Arc<Load>,
    pub(super) error: Option<Arc<ConnectError>>,
}

impl Shown {
    pub(super) fn status(&self) -> EndpointStatus {
        EndpointStatus {
            endpoint: self.endpoint.clone(),
            state: self.state,
            connections: self.open.len(),
            in_flight: self.load.in_flight(),
            latency: self.load.is_sampled().then(|| self.load.mean()),
            error: self.error.clone(),
        }
    }
}

//! One server of a fleet: its connections, and whether it gets calls.

use std::{sync::Arc, time::Duration};

use tokio::{task::AbortHandle, time::Instant};

use super::{
    discover::Endpoint,
    eject::Standing,
    health::Answer,
    pause::Pauses,
    status::{EndpointState, Shown},
};
use crate::{
    connection::Connection,
    engine::{
        load::{Counts, Load},
        loaded,
        shared::Shared,
    },
    error::ConnectError,
};

pub(super) struct Member {
    pub(super) endpoint: Endpoint,
    pub(super) load: Arc<Load>,
    /// One for each connection that there is, or should be. None while it is not in the subset.
    pub(super) links: Vec<Link>,
    pub(super) standing: Standing,
    pub(super) health: Answer,
    /// The connection on which a probe of it is under way.
    pub(super) probed: Option<Arc<Shared>>,
    /// When a probe of it is due, if nothing else comes from it until then.
    pub(super) probe_at: Instant,
    /// Since when it gets calls.
    pub(super) ready_since: Option<Instant>,
    /// What was counted in this interval of ejection, apart from the current second.
    pub(super) counts: Counts,
    /// Whether its connections have ended, other than to be replaced, so that the next one is probably to another process.
    pub(super) is_lost: bool,
    /// Whether it had a latency at the last look.
    pub(super) has_latency: bool,
    /// How many bytes had come from it at the last look.
    pub(super) received: u64,
    pub(super) error: Option<Arc<ConnectError>>,
}

/// A connection to a server, or the place of one.
pub(super) struct Link {
    /// Its number in the fleet.
    pub(super) id: u64,
    pub(super) pauses: Pauses,
    pub(super) state: LinkState,
}

pub(super) enum LinkState {
    /// No connection is made before this time.
    Waiting(Instant),
    Connecting(#[expect(dead_code, reason = "it ends when it is dropped")] Attempt),
    Open {
        connection: Connection,
        since: Instant,
        /// The server asks for new calls to go elsewhere, but takes them still.
        is_lame: bool,
        /// Another link has taken its place in the count of connections.
        is_replaced: bool,
    },
}

/// An attempt to connect, which ends with its link: it takes one of a few places.
pub(super) struct Attempt(pub(super) AbortHandle);

impl Drop for Attempt {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Member {
    pub(super) fn new(endpoint: Endpoint, now: Instant) -> Self {
        Self {
            endpoint,
            load: Arc::new(Load::new(loaded::now())),
            links: Vec::new(),
            standing: Standing::default(),
            health: Answer::Serving,
            probed: None,
            probe_at: now,
            ready_since: None,
            counts: Counts::default(),
            is_lost: false,
            has_latency: false,
            received: 0,
            error: None,
        }
    }

    /// The open connections, with whether their server asks for calls to go elsewhere.
    pub(super) fn open(&self) -> impl Iterator<Item = (&Connection, bool)> {
        self.links.iter().filter_map(|link| match &link.state {
            LinkState::Open {
                connection,
                is_lame,
                ..
            } => Some((connection, *is_lame)),
            LinkState::Waiting(_) | LinkState::Connecting(_) => None,
        })
    }

    pub(super) fn link(&mut self, id: u64) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.id == id)
    }

    /// The connection of a link is over. Returns whether the link stays, for another one.
    pub(super) fn remove_replaced(&mut self, id: u64) -> bool {
        self.links.retain(|link| {
            let is_replaced = matches!(
                link.state,
                LinkState::Open {
                    is_replaced: true,
                    ..
                }
            );
            link.id != id || !is_replaced
        });
        self.link(id).is_some()
    }

    /// Whether this client connects to it: it is in the subset.
    pub(super) fn is_used(&self) -> bool {
        !self.links.is_empty()
    }

    /// Whether it may get calls, apart from ejection.
    pub(super) fn is_available(&self) -> bool {
        self.health == Answer::Serving && self.open().next().is_some()
    }

    /// Whether it may get calls if no other server does, apart from ejection: it serves, but asks for calls to go elsewhere.
    pub(super) fn is_last_resort(&self) -> bool {
        self.health != Answer::Silent && self.open().next().is_some()
    }

    /// Whether it has a connection whose server does not ask for calls to go elsewhere.
    pub(super) fn has_fresh(&self) -> bool {
        self.open().any(|(_, is_lame)| !is_lame)
    }

    /// How long it has got calls.
    pub(super) fn ready_for(&self, now: Instant) -> Option<Duration> {
        self.ready_since.map(|since| now - since)
    }

    fn state(&self) -> EndpointState {
        let is_connecting = |link: &Link| matches!(link.state, LinkState::Connecting(_));
        match self.open().next() {
            None if !self.is_used() => EndpointState::Unused,
            None if self.links.iter().any(is_connecting) => EndpointState::Connecting,
            None => EndpointState::Waiting,
            _ if self.standing.is_ejected() => EndpointState::Ejected,
            _ if self.health == Answer::Silent => EndpointState::NotServing,
            _ if !self.has_fresh() => EndpointState::Draining,
            _ if self.health != Answer::Serving => EndpointState::NotServing,
            _ => EndpointState::Ready,
        }
    }

    pub(super) fn shown(&self) -> Shown {
        Shown {
            endpoint: self.endpoint.clone(),
            state: self.state(),
            open: self.open().map(|(open, _)| open.clone()).collect(),
            load: Arc::clone(&self.load),
            error: self.error.clone(),
        }
    }
}

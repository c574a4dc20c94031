//! What the handles of a connection and its driver share.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Waker,
};

use sockety_codec::{ChannelCount, MessageHead, ResponseHead, UsageError, Uuid};
use tokio::sync::Notify;

use super::{
    outbox::{Outbox, Payload},
    sending::Span,
    waiting::{ReplyClock, Waiting},
};
use crate::{ClosedBy, ConnectionError, FastReply, Options, SendError, extensions::Extensions};

pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) options: Arc<Options>,
    pub(crate) peer: Peer,
    pub(crate) extensions: Extensions,
    pub(crate) ended: Notify,
    /// Handles in users' hands; the driver has none. The last one to go closes the connection.
    pub(crate) handles: AtomicUsize,
    /// Requests of the peer whose handlers have not ended.
    pub(crate) executing: AtomicUsize,
}

/// Where the other side is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Peer {
    pub(crate) peer_addr: Option<SocketAddr>,
    pub(crate) local_addr: Option<SocketAddr>,
}

/// Everything under the lock. No user code runs and nothing waits while it is held.
pub(crate) struct State {
    pub(crate) outbox: Outbox,
    pub(crate) waiting: Waiting,
    pub(crate) life: Life,
    /// Set while the driver sleeps.
    driver: Option<Waker>,
}

/// ```text
/// Open ── close(), last handle dropped, peer's end ──▶ Closing ──▶ Ended
///   └──────────────────── error ─────────────────────────────────────▲
/// ```
#[derive(Clone)]
pub(crate) enum Life {
    Open,
    /// No new message is sent; replies that are owed still are, and what was accepted is written.
    Closing(ClosedBy),
    Ended(ConnectionError),
}

impl Shared {
    pub(crate) fn new(options: Arc<Options>, peer: Peer, peer_channels: ChannelCount) -> Self {
        let state = State {
            outbox: Outbox::new(peer_channels, options.outbox_bytes),
            waiting: Waiting::new(options.requests_in_flight, options.call_timeout),
            life: Life::Open,
            driver: None,
        };
        Self {
            state: Mutex::new(state),
            options,
            peer,
            extensions: Extensions::default(),
            ended: Notify::new(),
            handles: AtomicUsize::new(0),
            executing: AtomicUsize::new(0),
        }
    }

    /// A poisoned lock is taken all the same: every change under it is whole before anything can panic.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes the driver when that gave it something to do.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state);
        let driver = if state.needs_driver() {
            state.driver.take()
        } else {
            None
        };
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
        result
    }

    /// Answers without waiting for a place: for the few bytes of a fast reply that the connection itself owes.
    pub(crate) fn fast_reply(&self, id: Uuid, reply: FastReply) {
        self.change(|state| {
            if !matches!(state.life, Life::Ended(_)) {
                state.outbox.fast_reply(id, reply);
            }
        });
    }

    /// Begins the orderly end.
    pub(crate) fn close(&self, by: ClosedBy) {
        self.change(|state| {
            if !matches!(state.life, Life::Open) {
                return;
            }
            if by == ClosedBy::Local {
                state.outbox.go_away();
            }
            state.life = Life::Closing(by);
            state
                .waiting
                .fail_all(&ConnectionError::Closed(by), state.outbox.written());
        });
    }

    /// Takes a slot for a request of the peer; `None` when all are taken.
    pub(crate) fn begin_executing(self: &Arc<Self>) -> Option<Executing> {
        let before = self.executing.fetch_add(1, Ordering::Relaxed);
        let slot = Executing(Arc::clone(self));
        (before < self.options.requests_executing).then_some(slot)
    }

    pub(crate) fn wake_driver(&self) {
        let driver = self.lock().driver.take();
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

impl State {
    fn needs_driver(&self) -> bool {
        self.outbox.has_new() || matches!(self.life, Life::Closing(_))
    }

    /// The driver goes to sleep.
    pub(crate) fn park(&mut self, waker: &Waker) {
        self.driver = Some(waker.clone());
    }

    /// The driver is awake; gives its waker unless it was used to wake it.
    pub(crate) fn unpark(&mut self) -> Option<Waker> {
        self.driver.take()
    }

    /// Whether a new message may be sent.
    pub(crate) fn check_open(&self) -> Result<(), SendError> {
        match &self.life {
            Life::Open => Ok(()),
            Life::Closing(by) => Err(SendError::Disconnected(ConnectionError::Closed(*by))),
            Life::Ended(error) => Err(SendError::Disconnected(error.clone())),
        }
    }

    /// Whether a reply that is owed may be sent.
    pub(crate) fn check_replies(&self) -> Result<(), SendError> {
        match &self.life {
            Life::Open | Life::Closing(_) => Ok(()),
            Life::Ended(error) => Err(SendError::Disconnected(error.clone())),
        }
    }

    /// Why the connection is over, if it is.
    pub(crate) fn ended(&self) -> Option<ConnectionError> {
        match &self.life {
            Life::Open | Life::Closing(_) => None,
            Life::Ended(error) => Some(error.clone()),
        }
    }

    /// Queues a message, and expects replies if its head says so.
    pub(crate) fn send_message(
        &mut self,
        head: &MessageHead<'_>,
        payload: Payload<'_>,
        clock: ReplyClock,
    ) -> Result<Span, SendError> {
        self.check_room(head.expects_response)?;
        let start = self.outbox.end();
        self.outbox.message(head, payload)?;
        if head.expects_response {
            self.waiting.insert(head.id, start, clock);
        }
        Ok(Span {
            start,
            end: self.outbox.end(),
        })
    }

    /// Queues a response, as [`State::send_message`].
    pub(crate) fn send_response(
        &mut self,
        head: &ResponseHead,
        payload: Payload<'_>,
    ) -> Result<Span, SendError> {
        self.check_room(head.expects_response)?;
        let start = self.outbox.end();
        self.outbox.response(head, payload)?;
        if head.expects_response {
            self.waiting.insert(head.id, start, ReplyClock::Default);
        }
        Ok(Span {
            start,
            end: self.outbox.end(),
        })
    }

    pub(crate) fn send_fast_reply(&mut self, id: Uuid, reply: FastReply) -> Span {
        let start = self.outbox.end();
        self.outbox.fast_reply(id, reply);
        Span {
            start,
            end: self.outbox.end(),
        }
    }

    /// Queues one-way messages that were encoded before.
    pub(crate) fn send_prepared(&mut self, bytes: &[u8]) -> Result<Span, UsageError> {
        let start = self.outbox.end();
        self.outbox.prepared(bytes)?;
        Ok(Span {
            start,
            end: self.outbox.end(),
        })
    }

    fn check_room(&self, expects_response: bool) -> Result<(), SendError> {
        if expects_response && self.waiting.is_full() {
            return Err(SendError::Busy {
                limit: self.waiting.limit(),
            });
        }
        Ok(())
    }

    /// Resolves everything that waits.
    pub(crate) fn end(&mut self, error: ConnectionError) {
        if let Life::Ended(_) = self.life {
            return;
        }
        self.waiting.fail_all(&error, self.outbox.written());
        self.life = Life::Ended(error);
        self.outbox.wake_all();
    }
}

/// The slot of an executing request, held until its handler is really gone.
pub(crate) struct Executing(Arc<Shared>);

impl Drop for Executing {
    fn drop(&mut self) {
        let before = self.0.executing.fetch_sub(1, Ordering::Release);
        // A connection that the peer has half closed waits for its last handler.
        if before == 1 && !matches!(self.0.lock().life, Life::Open) {
            self.0.wake_driver();
        }
    }
}

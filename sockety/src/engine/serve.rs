//! What the engine asks of the code that handles messages: where a message goes, and its handling.

use super::{
    attempt::Attempt,
    pending_reply::PendingReply,
    receive::{intake::StreamLimit, parts::ReceivedParts},
    start::{Begun, OneWay, Start},
};
use crate::{
    action::Action,
    description::{action::ActionDescription, limits::ActionLimits},
    fast_reply::{FastReply, FrameworkCode},
};
use bytes::Bytes;
use sockety_codec::FilesSummary;
use std::{ops::Deref, pin::Pin};

/// The handling of one message. It is polled once where the message was read, and becomes a task if
/// it is not done then.
pub(crate) type Dispatch = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

/// What is served on a connection.
pub(crate) trait Serve: Send + Sync + 'static {
    /// Whether the peer may call only once a hook has authorized it.
    fn asks_for_authorization(&self) -> bool;

    /// Whether one of the services has this name.
    fn has_service(&self, name: &str) -> bool;

    /// Where a message goes, or why it goes nowhere.
    fn route(&self, action: &str, payload: u64, files: FilesSummary) -> Result<Route, Unrouted>;

    /// Begins the handling of a message.
    fn dispatch(
        &self,
        route: Route,
        payload: ReceivedPayload<'_>,
        parts: ReceivedParts,
        reply: PendingReply,
        start: Start<'_, '_>,
    ) -> Begun;

    /// Begins the handling of a one-way message to a service. `None` leaves it to [`dispatch`](Self::dispatch):
    /// nothing was called.
    fn one_way(&self, served: Served, message: OneWay<'_, '_>) -> Option<Begun>;
}

/// The payload of a received message.
pub enum ReceivedPayload<'a> {
    /// In the buffer of the connection.
    Borrowed(&'a [u8]),
    /// In memory of the message.
    Owned(Bytes),
}

impl ReceivedPayload<'_> {
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            Self::Owned(bytes) => bytes,
        }
    }
}

impl Deref for ReceivedPayload<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// Why a message goes nowhere.
#[derive(Clone, Copy)]
pub(crate) enum Unrouted {
    NotImplemented,
    /// It exceeds these limits of its action.
    TooLarge(ActionLimits),
}

impl Unrouted {
    pub(crate) fn code(self) -> FastReply {
        match self {
            Self::NotImplemented => FastReply::NOT_IMPLEMENTED,
            Self::TooLarge(_) => FrameworkCode::TooLarge.reply(),
        }
    }
}

/// Where a message goes.
pub(crate) struct Route {
    pub(crate) action: Action,
    pub(crate) target: Target,
}

pub(crate) enum Target {
    /// The hook that authorizes the connection.
    Authorize(Attempt),
    Handle(Handler),
}

/// What handles a message of an authorized connection.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    Service(Served),
    /// The router itself, which describes what it serves.
    Description,
    /// The router itself, which says whether it serves. Most such messages are answered before one asks
    /// for a handler.
    Health,
    /// The handler of messages that belong to no service.
    Messages,
}

/// An action of one of the services.
#[derive(Clone, Copy)]
pub(crate) struct Served {
    pub(crate) service: usize,
    pub(crate) action: usize,
    pub(crate) description: &'static ActionDescription,
}

impl Route {
    pub(crate) fn to_handler(action: Action, handler: Handler) -> Self {
        let target = Target::Handle(handler);
        Self { action, target }
    }

    pub(crate) fn to_authorization(action: &str, attempt: Attempt) -> Self {
        let (action, target) = (Action::Named(action.into()), Target::Authorize(attempt));
        Self { action, target }
    }

    /// What is wrong with a file of this size, if its messages may not carry it. The limits of the
    /// connection apply in addition.
    pub(crate) fn excess_of_file(&self, size: u64) -> Option<String> {
        self.description()?.limits.excess_of_file(size)
    }

    /// What its messages may have as a stream.
    pub(crate) fn stream_limit(&self) -> Option<StreamLimit> {
        let bytes = self.description()?.limits.stream?;
        let action = self.action.clone();
        Some(StreamLimit { action, bytes })
    }

    /// Whether its handler must not be polled where the message was read.
    pub(crate) fn is_spawned(&self) -> bool {
        match &self.target {
            Target::Authorize(_) => false,
            Target::Handle(handler) => handler.is_spawned(),
        }
    }

    /// Whether its handler runs to its end, even if its caller no longer waits.
    // r[impl ext.cancel.never]
    pub(crate) fn is_no_cancel(&self) -> bool {
        self.description()
            .is_some_and(|description| description.is_no_cancel)
    }

    pub(crate) fn description(&self) -> Option<&'static ActionDescription> {
        match &self.target {
            Target::Authorize(_) => None,
            Target::Handle(handler) => handler.description(),
        }
    }
}

impl Handler {
    pub(crate) fn is_spawned(self) -> bool {
        self.description()
            .is_some_and(|description| description.is_spawned)
    }

    pub(crate) fn description(self) -> Option<&'static ActionDescription> {
        match self {
            Self::Service(served) => Some(served.description),
            Self::Description | Self::Health | Self::Messages => None,
        }
    }
}

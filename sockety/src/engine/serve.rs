//! How the engine asks what is served: where a message goes, and who handles it.

use super::{attempt::Attempt, owed::Owed, receive::parts::ReceivedParts};
use crate::{action::Action, description::action::ActionDescription, fast_reply::FastReply};
use bytes::Bytes;
use std::pin::Pin;

/// The handling of one message. It is polled once where the message was read, and becomes a task if it is
/// not done then.
pub type Dispatch = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

/// What is served on a connection.
pub(crate) trait Serve: Send + Sync + 'static {
    /// Whether the peer may call only once a hook has authorized it.
    fn asks_for_authorization(&self) -> bool;

    /// Where a message goes, or the code with which it is refused.
    fn route(&self, action: &str, payload: u64, files: u32) -> Result<Route, FastReply>;

    /// The handling of a message.
    fn dispatch(&self, route: Route, payload: Bytes, parts: ReceivedParts, owed: Owed) -> Dispatch;

    /// Like [`Serve::dispatch`], of a message that is nothing but a payload, which may be read where it is.
    fn dispatch_whole(&self, route: Route, payload: &[u8], owed: Owed) -> Dispatch;
}

/// Where a message goes.
pub(crate) struct Route {
    pub(crate) action: Action,
    pub(crate) target: Target,
}

pub(crate) enum Target {
    /// The connection is not authorized yet.
    Judge(Attempt),
    /// Not known before the verdict.
    Unknown,
    Service(Served),
    /// The router itself tells what it serves.
    Description,
    Handler,
}

/// An action of one of the services.
#[derive(Clone, Copy)]
pub(crate) struct Served {
    pub(crate) service: usize,
    pub(crate) action: usize,
    pub(crate) description: &'static ActionDescription,
}

impl Route {
    /// To the hook that authorizes the connection.
    pub(crate) fn to_judge(action: &str, attempt: Attempt) -> Self {
        let (action, target) = (Action::Named(action.into()), Target::Judge(attempt));
        Self { action, target }
    }

    /// Whether its messages may carry a file of this size, in addition to the limits of the connection.
    pub(crate) fn allows_file(&self, size: u64) -> bool {
        let description = self.description();
        description.is_none_or(|description| description.limits.allow_file(size))
    }

    /// Whether its handler is not to be polled where the message was read.
    pub(crate) fn is_spawned(&self) -> bool {
        self.description()
            .is_some_and(|description| description.is_spawned)
    }

    pub(crate) fn description(&self) -> Option<&'static ActionDescription> {
        match &self.target {
            Target::Service(served) => Some(served.description),
            Target::Judge(_) | Target::Unknown | Target::Description | Target::Handler => None,
        }
    }
}

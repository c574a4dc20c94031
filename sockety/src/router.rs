use std::{any::type_name, collections::HashMap, fmt, sync::Arc};

use bytes::Bytes;

use crate::{
    Dispatch, Incoming, MessageHandler, Service, action::Action, carried::Carried, owed::Owed,
};

/// Several services, and a [`MessageHandler`] for the rest, on one connection.
///
/// An action that nobody serves is answered with code 2, Not Implemented.
///
/// ```
/// # use sockety::{FastReply, MessageHandler, Router};
/// # fn main() -> Result<(), sockety::DuplicateAction> {
/// let handler = MessageHandler::new().action("ping", |_| async { FastReply::ACCEPT });
/// let router = Router::new().handler(handler);
/// // .service(MediaServer::new(store))?
/// // .service(AdminServer::new(admin))?
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Router {
    services: Vec<(Arc<dyn Service>, &'static str)>,
    actions: HashMap<&'static str, Target>,
    handler: Option<MessageHandler>,
}

impl Router {
    /// Serves nothing: every message that waits for a reply is answered with code 2, Not Implemented.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a service.
    ///
    /// # Errors
    /// [`DuplicateAction`] when another service has an action of the same name.
    pub fn service<S: Service>(mut self, service: S) -> Result<Self, DuplicateAction> {
        let index = self.services.len();
        let name = type_name::<S>();
        for (action, action_name) in service.actions().iter().enumerate() {
            let target = Target {
                service: index,
                action,
            };
            if let Some(known) = self.actions.insert(action_name, target) {
                let first = self
                    .services
                    .get(known.service)
                    .map_or(name, |(_, first)| first);
                return Err(DuplicateAction {
                    action: action_name,
                    services: [first, name],
                });
            }
        }
        self.services.push((Arc::new(service), name));
        Ok(self)
    }

    /// Sets what handles the actions that no service has.
    pub fn handler(mut self, handler: MessageHandler) -> Self {
        self.handler = Some(handler);
        self
    }

    pub(crate) fn resolve(&self, action: &str) -> Option<Route> {
        match self.actions.get_key_value(action) {
            Some((name, target)) => Some(Route {
                action: Action::Known(name),
                target: Some(*target),
            }),
            None if self.handler.is_some() => Some(Route {
                action: Action::Named(action.into()),
                target: None,
            }),
            None => None,
        }
    }

    pub(crate) fn dispatch(
        &self,
        route: Route,
        payload: Bytes,
        carried: Carried,
        owed: Owed,
    ) -> Dispatch {
        let incoming = Incoming::new(route.action, payload, carried, owed);
        match (route.target, &self.handler) {
            (Some(target), _) => self.services[target.service]
                .0
                .dispatch(target.action, incoming),
            (None, Some(handler)) => handler.dispatch(incoming),
            (None, None) => Box::pin(async move { drop(incoming) }),
        }
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services: Vec<_> = self.services.iter().map(|(_, name)| name).collect();
        f.debug_struct("Router")
            .field("services", &services)
            .field("handler", &self.handler.is_some())
            .finish()
    }
}

/// Where a message goes.
#[derive(Clone)]
pub(crate) struct Route {
    action: Action,
    /// To the handler, when there is none.
    target: Option<Target>,
}

#[derive(Clone, Copy)]
struct Target {
    service: usize,
    action: usize,
}

/// Two services of a [`Router`] have an action of the same name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the action {action:?} is served by both {} and {}", services[0], services[1])]
pub struct DuplicateAction {
    /// The name of the action.
    pub action: &'static str,
    /// The types of the two services.
    pub services: [&'static str; 2],
}

/// What a connection can serve: a [`Service`], a [`MessageHandler`] or a [`Router`] of several.
pub trait IntoRouter {
    /// The router that serves it.
    fn into_router(self) -> Router;
}

impl IntoRouter for Router {
    fn into_router(self) -> Router {
        self
    }
}

impl IntoRouter for MessageHandler {
    fn into_router(self) -> Router {
        Router::new().handler(self)
    }
}

impl<S: Service> IntoRouter for S {
    /// # Panics
    /// If the service names an action twice, which generated ones cannot.
    fn into_router(self) -> Router {
        Router::new()
            .service(self)
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

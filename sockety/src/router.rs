use std::{any::type_name, collections::HashMap, fmt, sync::Arc};

use bytes::Bytes;

use crate::{
    ActionDescription, ActionLimits, Dispatch, Incoming, MessageHandler, Service,
    ServiceDescription, action::Action, carried::Carried, describe, owed::Owed,
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
    actions: HashMap<&'static str, Served>,
    handler: Option<MessageHandler>,
    describes: bool,
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
        let name = type_name::<S>();
        for (action, description) in service.description().actions.iter().enumerate() {
            let served = Served {
                service: self.services.len(),
                action,
                description,
            };
            for action in description.names() {
                self.add(action, served, name)?;
            }
        }
        self.services.push((Arc::new(service), name));
        Ok(self)
    }

    fn add(
        &mut self,
        action: &'static str,
        served: Served,
        name: &'static str,
    ) -> Result<(), DuplicateAction> {
        let Some(known) = self.actions.insert(action, served) else {
            return Ok(());
        };
        let first = self.services.get(known.service);
        let first = first.map_or(name, |(_, first)| first);
        let services = [first, name];
        Err(DuplicateAction { action, services })
    }

    /// Tells peers that ask which services there are, under the action `$sockety.describe`; see
    /// [`describe`](crate::describe()).
    ///
    /// ```
    /// # use sockety::{IntoRouter, Router, pair, service};
    /// # #[service]
    /// # trait Media { async fn count(&self) -> u64; }
    /// # struct Store;
    /// # impl Media for Store { async fn count(&self) -> u64 { 0 } }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let router = MediaServer::new(Store).into_router().describe();
    /// let (client, _server) = pair(Router::new(), router).await?;
    /// assert_eq!(sockety::describe(&client).await?[0].name, "Media");
    /// # Ok(())
    /// # }
    /// ```
    pub fn describe(mut self) -> Self {
        self.describes = true;
        self
    }

    /// Sets what handles the actions that no service has.
    pub fn handler(mut self, handler: MessageHandler) -> Self {
        self.handler = Some(handler);
        self
    }

    pub(crate) fn resolve(&self, action: &str) -> Option<Route> {
        if let Some((name, served)) = self.actions.get_key_value(action) {
            let (action, target) = (Action::Known(name), Target::Service(*served));
            return Some(Route { action, target });
        }
        if self.describes && action == describe::ACTION {
            let (action, target) = (Action::Known(describe::ACTION), Target::Description);
            return Some(Route { action, target });
        }
        self.handler.as_ref()?;
        let (action, target) = (Action::Named(action.into()), Target::Handler);
        Some(Route { action, target })
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
            (Target::Service(served), _) => self.services[served.service]
                .0
                .dispatch(served.action, incoming),
            (Target::Description, _) => self.answer_with_descriptions(incoming),
            (Target::Handler, Some(handler)) => handler.dispatch(incoming),
            (Target::Handler, None) => Box::pin(async move { drop(incoming) }),
        }
    }

    fn answer_with_descriptions(&self, incoming: Incoming) -> Dispatch {
        let services = self.services.iter();
        let descriptions = services.map(|(service, _)| service.description());
        let descriptions: Vec<&'static ServiceDescription> = descriptions.collect();
        Box::pin(async move {
            let (_, _, responder) = incoming.open();
            let answer = responder.encoded(&descriptions);
            responder.send(answer).await;
        })
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
    target: Target,
}

#[derive(Clone, Copy)]
enum Target {
    Service(Served),
    /// The router itself tells what it serves.
    Description,
    Handler,
}

/// An action of one of the services.
#[derive(Clone, Copy)]
struct Served {
    service: usize,
    action: usize,
    description: &'static ActionDescription,
}

impl Route {
    /// What its messages may carry, beside the limits of the connection.
    pub(crate) fn limits(&self) -> ActionLimits {
        self.description()
            .map_or(ActionLimits::none(), |description| description.limits)
    }

    /// Whether its handler is not to be polled where the message was read.
    pub(crate) fn is_spawned(&self) -> bool {
        self.description()
            .is_some_and(|description| description.is_spawned)
    }

    fn description(&self) -> Option<&'static ActionDescription> {
        match self.target {
            Target::Service(served) => Some(served.description),
            Target::Description | Target::Handler => None,
        }
    }
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

//! The services, the handler, the hook and the middleware of connections.

use std::{any::type_name, borrow::Cow, fmt, sync::Arc};

use rustc_hash::FxHashMap;
use sockety_codec::FilesSummary;

use super::{
    authorize::{self, Authorize},
    first_message::FirstMessage,
    handler::MessageHandler,
    incoming::Incoming,
    incoming_message::IncomingMessage,
    message::Message,
    middleware::{self, ServeMiddleware},
    service::Service,
};
use crate::{
    action::Action,
    content::received::Carried,
    description::{self, ServiceDescription},
    engine::{
        health,
        pending_reply::PendingReply,
        receive::parts::ReceivedParts,
        serve::{Dispatch, Handler, ReceivedPayload, Route, Serve, Served, Target, Unrouted},
        start::{Begun, OneWay, Start},
    },
    fast_reply::FastReply,
};

/// Several services, and a [`MessageHandler`] for the rest, on one connection.
///
/// An action that is not served is answered with code 2, Not Implemented.
///
/// Clones share the services, the handler, the hook and the middleware, so that several servers can
/// serve the same.
///
/// ```
/// # use sockety::{FastReply, Router, serve::MessageHandler};
/// # fn main() -> Result<(), sockety::serve::DuplicateAction> {
/// let handler = MessageHandler::new().action("ping", |_| async { FastReply::ACCEPT });
/// let router = Router::new().handler(handler);
/// // .service(MediaServer::new(store))?
/// // .service(AdminServer::new(admin))?
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Router {
    services: Vec<(Arc<dyn Service>, &'static str)>,
    /// No peer chooses its keys, so the hash need not withstand one who would.
    actions: FxHashMap<&'static str, Served>,
    handler: Option<MessageHandler>,
    describes: bool,
    /// By the names of services.
    schemas: FxHashMap<String, Arc<str>>,
    authorize: Option<Arc<dyn Authorize>>,
    pub(crate) middleware: Vec<Arc<dyn ServeMiddleware>>,
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
    /// [`describe`](crate::client::describe::describe()).
    ///
    /// ```
    /// # use sockety::{Router, pair, serve::IntoRouter, service};
    /// # #[service]
    /// # trait Media { async fn count(&self) -> u64; }
    /// # struct Store;
    /// # impl Media for Store { async fn count(&self) -> u64 { 0 } }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let router = MediaServer::new(Store).into_router().describe();
    /// let (client, _server) = pair(Router::new(), router).await?;
    /// assert_eq!(sockety::describe::describe(&client).await?[0].name, "Media");
    /// # Ok(())
    /// # }
    /// ```
    pub fn describe(mut self) -> Self {
        self.describes = true;
        self
    }

    /// Like [`describe`](Self::describe), and tells peers how the values of services travel too: `schemas` are names of
    /// services, each with its schema. A second call adds to the first one.
    ///
    /// The crate `sockety-schema` makes them: `router.describe_with(&sockety_schema::of::<MediaClient>()?)`.
    ///
    /// ```
    /// # use sockety::{Router, pair, serve::IntoRouter, service};
    /// # #[service]
    /// # trait Media { async fn count(&self) -> u64; }
    /// # struct Store;
    /// # impl Media for Store { async fn count(&self) -> u64 { 0 } }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let schemas = [("Media".to_owned(), "{}".to_owned())];
    /// let router = MediaServer::new(Store).into_router().describe_with(schemas);
    /// let (client, _server) = pair(Router::new(), router).await?;
    /// let media = &sockety::describe::describe(&client).await?[0];
    /// assert_eq!(media.schema.as_deref(), Some("{}"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn describe_with(mut self, schemas: impl IntoIterator<Item = (String, String)>) -> Self {
        let schemas = schemas.into_iter();
        self.schemas
            .extend(schemas.map(|(name, schema)| (name, schema.into())));
        self.describe()
    }

    /// Sets the handler of the actions that no service has. A second call replaces the first handler:
    /// handlers of several parts are built with [`MessageHandler`] itself.
    pub fn handler(mut self, handler: MessageHandler) -> Self {
        self.handler = Some(handler);
        self
    }

    /// Serves a connection only once this hook has authorized it; see [`Authorize`]. A second call
    /// replaces the first hook.
    ///
    /// The hook judges each message of a connection until it accepts one; no handler and no middleware runs before.
    /// At most one message at a time is judged, with a payload of at most 64 KiB, no files and no
    /// stream. Messages that arrive meanwhile wait for the verdict, so that a peer may send its calls
    /// right behind its token. When 128 KiB of them wait, nothing more is read; while this side waits
    /// for a reply, which the hook may need, up to 16 messages with content wait, and 512 KiB. A
    /// refused message gets code 3, Unauthorized, and with the eighth that the hook refused the
    /// connection is closed.
    ///
    /// The peer's replies to what this side sends are taken before, too; see
    /// [`Connection::is_authorized`](crate::connection::Connection::is_authorized).
    ///
    /// ```
    /// # use sockety::{FastReply, Router, message::Draft, pair, serve::{FirstMessage, MessageHandler}};
    /// struct User(&'static str);
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let handler = MessageHandler::new().action("who", |message| async move {
    ///     let user = message.connection().extensions().get::<User>();
    ///     assert_eq!(user.unwrap().0, "ada");
    ///     FastReply::ACCEPT
    /// });
    /// let router = Router::new().handler(handler).authorize(|first: FirstMessage| async move {
    ///     if first.action() == "auth" && first.payload() == "secret" {
    ///         first.extensions().insert(User("ada"));
    ///         first.accept()
    ///     } else {
    ///         first.refuse()
    ///     }
    /// });
    /// let (client, _server) = pair(Router::new(), router).await?;
    /// let ask = async |message: &Draft<_>| client.send(message).await?.response().await;
    ///
    /// let (who, auth) = (Draft::new("who").with_data(""), Draft::new("auth").with_data("secret"));
    /// assert_eq!(ask(&who).await?.code(), Some(FastReply::UNAUTHORIZED));
    /// assert_eq!(ask(&auth).await?.code(), Some(FastReply::ACCEPT));
    /// assert_eq!(ask(&who).await?.code(), Some(FastReply::ACCEPT));
    /// # Ok(())
    /// # }
    /// ```
    pub fn authorize(mut self, hook: impl Authorize) -> Self {
        self.authorize = Some(Arc::new(hook));
        self
    }

    /// Adds middleware around all handlers, whether these were added before or after it. What is added first
    /// sees a message first, and its answer last.
    ///
    /// ```
    /// # use sockety::{FastReply, Router, serve::{Incoming, MessageHandler, ServeNext}};
    /// let handler = MessageHandler::new().action("ping", |_| async { FastReply::ACCEPT });
    /// let router = Router::new().handler(handler).layer(|incoming: Incoming, next: ServeNext| async move {
    ///     if incoming.payload().len() > 100 {
    ///         return incoming.refuse(FastReply::REJECT).await;
    ///     }
    ///     next.run(incoming).await;
    /// });
    /// ```
    pub fn layer(mut self, middleware: impl ServeMiddleware) -> Self {
        self.middleware.push(Arc::new(middleware));
        self
    }

    /// Whether one of its services has this name.
    fn names(&self, service: &str) -> bool {
        let mut services = self.services.iter();
        services.any(|(known, _)| known.description().name == service)
    }

    pub(crate) fn knows(&self, action: &str) -> bool {
        self.actions.contains_key(action)
            || (self.describes && action == description::ACTION)
            || action == health::ACTION
            || self.handler.as_ref().is_some_and(|it| it.names(action))
    }

    /// Where a message goes whose head says this, or why it goes nowhere.
    pub(crate) fn route(
        &self,
        action: &str,
        payload: u64,
        files: FilesSummary,
    ) -> Result<Route, Unrouted> {
        let route = self.resolve(action).ok_or(Unrouted::NotImplemented)?;
        match route.description() {
            Some(description) if !description.limits.allow(payload, files) => {
                Err(Unrouted::TooLarge(description.limits))
            }
            _ => Ok(route),
        }
    }

    fn resolve(&self, action: &str) -> Option<Route> {
        if let Some((name, served)) = self.actions.get_key_value(action) {
            let (action, handler) = (Action::Known(name), Handler::Service(*served));
            return Some(Route::to_handler(action, handler));
        }
        if self.describes && action == description::ACTION {
            let action = Action::Known(description::ACTION);
            return Some(Route::to_handler(action, Handler::Description));
        }
        self.handler.as_ref()?;
        let action = Action::Named(action.into());
        Some(Route::to_handler(action, Handler::Messages))
    }

    /// Hands on a message that authorized its connection as any other.
    pub(crate) async fn pass_on(self: &Arc<Self>, message: IncomingMessage) {
        let payload = message.payload.len() as u64;
        let handler = match self.route(message.action(), payload, FilesSummary::NONE) {
            Ok(Route {
                target: Target::Handle(handler),
                ..
            }) => handler,
            // The router names no other target.
            Ok(_) => return,
            Err(refused) => return message.reply.answer_with_code(refused.code()).await,
        };
        let handling = self.begin(handler, message);
        if handler.is_spawned() {
            // Awaited, as it counts among those that wait until it has ended.
            let _ = tokio::spawn(handling).await;
        } else {
            handling.await;
        }
    }

    fn begin(self: &Arc<Self>, handler: Handler, message: IncomingMessage) -> Dispatch {
        let incoming = Incoming::new(handler, message);
        if self.middleware.is_empty() || matches!(handler, Handler::Health) {
            self.handle(incoming)
        } else {
            middleware::run(self, incoming)
        }
    }

    /// Hands a message to its handler, after all middleware.
    pub(crate) fn handle(&self, incoming: Incoming) -> Dispatch {
        match (incoming.handler(), &self.handler) {
            (Handler::Service(served), _) => {
                let (_, message, _) = incoming.into_parts();
                let begun = self.serve(served, message.into(), Start::later());
                begun.into_rest()
            }
            (Handler::Description, _) => {
                let (_, message, _) = incoming.into_parts();
                let answer = message.reply.encoded(&self.descriptions());
                Box::pin(message.reply.send(answer))
            }
            (Handler::Health, _) => {
                let (_, message, _) = incoming.into_parts();
                let health = message.reply.lease().shared().health.as_ref();
                let code = health::answer(health, &message.payload, |name| self.names(name));
                Box::pin(async move { message.reply.answer_with_code(code).await })
            }
            (Handler::Messages, Some(handler)) => handler.dispatch(Message::new(incoming)),
            (Handler::Messages, None) => Box::pin(incoming.refuse(FastReply::NOT_IMPLEMENTED)),
        }
    }

    fn descriptions(&self) -> Vec<Cow<'static, ServiceDescription>> {
        let services = self.services.iter();
        let descriptions = services.map(|(service, _)| {
            let description = service.description();
            let Some(schema) = self.schemas.get(&*description.name) else {
                return Cow::Borrowed(description);
            };
            let mut description = description.clone();
            description.schema = Some(schema.to_string().into());
            Cow::Owned(description)
        });
        descriptions.collect()
    }

    #[inline]
    fn serve(
        &self,
        served: Served,
        message: IncomingMessage<ReceivedPayload<'_>>,
        start: Start<'_, '_>,
    ) -> Begun {
        let (service, _) = &self.services[served.service];
        service.dispatch(served.action, message, start)
    }
}

impl Serve for Arc<Router> {
    fn asks_for_authorization(&self) -> bool {
        self.authorize.is_some()
    }

    fn has_service(&self, name: &str) -> bool {
        self.names(name)
    }

    fn route(&self, action: &str, payload: u64, files: FilesSummary) -> Result<Route, Unrouted> {
        Router::route(self, action, payload, files)
    }

    #[inline]
    fn one_way(&self, served: Served, message: OneWay<'_, '_>) -> Option<Begun> {
        let (service, _) = &self.services[served.service];
        match self.middleware.is_empty() {
            true => service.one_way(served.action, message),
            false => None,
        }
    }

    #[inline]
    fn dispatch(
        &self,
        route: Route,
        payload: ReceivedPayload<'_>,
        parts: ReceivedParts,
        mut reply: PendingReply,
        start: Start<'_, '_>,
    ) -> Begun {
        reply.action = route.action;
        let message = IncomingMessage {
            payload,
            carried: Carried::new(parts, reply.lease()),
            reply,
        };
        Begun::later(match route.target {
            // Without middleware the payload is read where it lies.
            Target::Handle(Handler::Service(served)) if self.middleware.is_empty() => {
                return self.serve(served, message, start);
            }
            Target::Handle(handler) => self.begin(handler, message.into_bytes()),
            Target::Authorize(attempt) => {
                let first = FirstMessage::new(message.into_bytes(), attempt);
                match &self.authorize {
                    Some(hook) => authorize::judge(Self::clone(self), Arc::clone(hook), first),
                    None => Box::pin(async move { drop(first) }),
                }
            }
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

/// Two services of a [`Router`] have an action of the same name.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("the action {action:?} is served by both {} and {}", services[0], services[1])]
pub struct DuplicateAction {
    /// The name of the action.
    pub action: &'static str,
    /// The types of the two services.
    pub services: [&'static str; 2],
}

impl fmt::Debug for DuplicateAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a connection can serve: a [`Service`], a [`MessageHandler`] or a [`Router`] of several.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a generated service",
    note = "pass the generated server, such as `MediaServer::new(implementation)`, a `MessageHandler` or a `Router`"
)]
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

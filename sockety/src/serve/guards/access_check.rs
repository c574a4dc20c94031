use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::Scope;
use crate::{
    description::ServiceDescription,
    fast_reply::FastReply,
    serve::{
        incoming::Incoming,
        middleware::{ServeMiddleware, ServeNext},
    },
};

/// Middleware that asks a function whether a message may be handled, for example by the role of its
/// caller. Added with [`Router::layer`](crate::serve::Router::layer).
///
/// The function returns `Ok(())`, or the reason for a refusal. A refused message is answered with code
/// 3, Unauthorized, and its handler does not see it. Callers of this implementation get the reason.
/// Their outcome is [`Replied`](crate::Outcome::Replied): there is no point in another attempt. The
/// server logs refusals, at most one a second, and counts them in
/// [`Stats::access_denied`](crate::connection::Stats::access_denied).
///
/// ```
/// use sockety::{CallError, Router, pair, serve::{AccessCheck, Incoming, IntoRouter}, service};
///
/// #[service]
/// trait Media {
///     async fn title(&self, id: u64) -> String;
///     async fn delete(&self, id: u64);
/// }
///
/// struct User { is_admin: bool }
///
/// # struct Store;
/// # impl Media for Store {
/// #     async fn title(&self, id: u64) -> String { format!("clip {id}") }
/// #     async fn delete(&self, _id: u64) {}
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let admins = AccessCheck::new(|incoming: &Incoming| match incoming.extensions().get::<User>() {
///     Some(user) if user.is_admin => Ok(()),
///     _ => Err("only administrators delete clips"),
/// });
/// let admins = admins.only(MediaClient::DESCRIPTION, &["delete"]);
/// let router = MediaServer::new(Store).into_router().layer(admins);
/// let (client, server) = pair(Router::new(), router).await?;
/// let media = MediaClient::new(client);
///
/// server.extensions().insert(User { is_admin: false });
/// assert_eq!(media.title(7).await?, "clip 7");
/// let Err(CallError::Refused { reason, .. }) = media.delete(7).await else { panic!() };
/// assert_eq!(reason.as_deref(), Some("only administrators delete clips"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AccessCheck {
    check: Check,
    scope: Scope,
}

type Check = Arc<dyn Fn(&Incoming) -> Result<(), String> + Send + Sync>;

impl AccessCheck {
    /// Checks all messages with this function.
    pub fn new<E: fmt::Display>(
        check: impl Fn(&Incoming) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        let check = move |incoming: &Incoming| check(incoming).map_err(|why| why.to_string());
        Self {
            check: Arc::new(check),
            scope: Scope::default(),
        }
    }

    /// Checks only messages of these actions, by their names with the prefix, and of those of earlier
    /// calls of this method. Aliases of an action are included.
    ///
    /// # Panics
    /// If the service does not have one of the actions.
    #[track_caller]
    pub fn only(mut self, service: &'static ServiceDescription, actions: &[&str]) -> Self {
        self.scope.add(service, actions);
        self
    }
}

#[async_trait]
impl ServeMiddleware for AccessCheck {
    async fn handle(&self, incoming: Incoming, next: ServeNext) {
        if self.scope.has(incoming.action()) {
            if let Err(reason) = (self.check)(&incoming) {
                incoming.note_access_denied(&reason);
                return incoming
                    .refuse_because(FastReply::UNAUTHORIZED, reason)
                    .await;
            }
        }
        next.run(incoming).await;
    }
}

impl fmt::Debug for AccessCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessCheck")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

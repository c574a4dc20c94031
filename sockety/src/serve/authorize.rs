use std::sync::Arc;

use async_trait::async_trait;

use super::{
    authorization::{Authorization, Verdict},
    first_message::FirstMessage,
    router::Router,
};
use crate::engine::serve::Dispatch;

/// Decides who may call: judges the messages of a connection until one authorizes it. Set it with
/// [`Router::authorize`].
///
/// A function that takes a [`FirstMessage`] and returns a future of an [`Authorization`] is one. A
/// hook that is a named type implements the trait with [`#[async_trait]`](crate::async_trait).
///
/// ```
/// use std::collections::HashMap;
/// use sockety::{async_trait, serve::{Authorization, Authorize, FirstMessage}};
///
/// struct User(String);
///
/// struct Tokens(HashMap<String, String>);
///
/// #[async_trait]
/// impl Authorize for Tokens {
///     async fn authorize(&self, first: FirstMessage) -> Authorization {
///         let token = first.msgpack::<String>().ok();
///         match token.and_then(|token| self.0.get(&token)) {
///             Some(name) if first.action() == "auth" => {
///                 first.extensions().insert(User(name.clone()));
///                 first.accept()
///             }
///             _ => first.refuse(),
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait Authorize: Send + Sync + 'static {
    /// Judges one message. The verdict is made by consuming the message; dropping it refuses it
    /// with code 5, Internal Error, as a panic does.
    ///
    /// While this runs, other messages of the connection wait. When the peer has
    /// not become authorized within
    /// [`Options::authorization_timeout`](crate::config::options::Options::authorization_timeout),
    /// or the connection ends otherwise, it is dropped wherever it waits.
    async fn authorize(&self, first: FirstMessage) -> Authorization;
}

#[async_trait]
impl<F, R> Authorize for F
where
    F: Fn(FirstMessage) -> R + Send + Sync + 'static,
    R: Future<Output = Authorization> + Send + 'static,
{
    async fn authorize(&self, first: FirstMessage) -> Authorization {
        self(first).await
    }
}

/// Has a message judged, and does what the verdict says.
pub(crate) fn judge(
    router: Arc<Router>,
    hook: Arc<dyn Authorize>,
    first: FirstMessage,
) -> Dispatch {
    let connection = first.connection().clone();
    Box::pin(async move {
        // Or peers that come and go would leave hooks behind, without bound.
        let judged = tokio::select! {
            biased;
            judged = hook.authorize(first) => judged,
            _ = connection.closed() => return,
        };
        let Authorization {
            message,
            attempt,
            verdict,
        } = judged;
        // Before the peer can know: it may send the next message when it has the answer.
        match verdict {
            Verdict::PassOn | Verdict::Accept(_) => attempt.accept(),
            Verdict::Refuse(_) => drop(attempt),
            Verdict::Close(_) => attempt.close(),
        }
        let reply = match verdict {
            Verdict::PassOn => return router.pass_on(message).await,
            Verdict::Accept(reply) => reply,
            Verdict::Refuse(code) | Verdict::Close(code) => code.into(),
        };
        message.reply.send(reply.into()).await;
    })
}

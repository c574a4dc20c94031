//! What the action `$sockety.health` answers: whether new calls are welcome.
//!
//! Every connection answers it itself: before authorization, without a handler, a slot or middleware,
//! at any load, and while it ends.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::fast_reply::FastReply;

/// The action under which a peer says whether it serves.
pub(crate) const ACTION: &str = "$sockety.health";

/// Says what a server answers to peers that ask for its health: whether it, or one of its services, is
/// serving. [`Server::health`](crate::server::Server::health) and
/// [`ServerHandle::health`](crate::server::ServerHandle::health) return it. Clones are handles on the
/// same.
///
/// All is serving until something else is said, and nothing is any more once the server
/// [drains](crate::server::ServerHandle::drain), shuts down or stops. Calls are executed all the same:
/// it is up to the caller, such as a fleet client or Kubernetes, to send them elsewhere.
///
/// ```no_run
/// # use sockety::{Router, Server};
/// # async fn warm_up() {}
/// # async fn example() -> std::io::Result<()> {
/// let server = Server::bind("127.0.0.1:9000").await?;
/// let health = server.health();
/// health.set_serving(false);
/// tokio::spawn(async move {
///     warm_up().await;
///     health.set_serving(true);
/// });
/// server.serve(Router::new()).await
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Health {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    is_paused: AtomicBool,
    has_ended: AtomicBool,
    /// The services of which something was said.
    services: Mutex<HashMap<Box<str>, bool>>,
}

impl Health {
    /// Says whether the server as a whole is serving. While it is not, none of its services is.
    pub fn set_serving(&self, is_serving: bool) {
        self.state.is_paused.store(!is_serving, Ordering::Release);
    }

    /// Says whether one service is serving. A service has the name of its trait, which is
    /// [`ServiceDescription::name`](crate::describe::ServiceDescription::name); other names may be said
    /// as well, and are then known to peers.
    pub fn set_service_serving(&self, name: &str, is_serving: bool) {
        self.services().insert(name.into(), is_serving);
    }

    /// Whether the server as a whole is serving.
    pub fn is_serving(&self) -> bool {
        let state = &self.state;
        !state.has_ended.load(Ordering::Acquire) && !state.is_paused.load(Ordering::Acquire)
    }

    /// The server is about to end: nothing is serving from here on, whatever else is said.
    pub(crate) fn end(&self) {
        self.state.has_ended.store(true, Ordering::Release);
    }

    fn services(&self) -> MutexGuard<'_, HashMap<Box<str>, bool>> {
        let services = &self.state.services;
        services.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer to a peer that asks, with this payload: nothing, or the name of a service.
///
/// Connections that belong to no server have no `health`: they serve what they know.
pub(crate) fn answer(
    health: Option<&Health>,
    payload: &[u8],
    is_known: impl FnOnce(&str) -> bool,
) -> FastReply {
    let is_serving = health.is_none_or(Health::is_serving);
    let of_service = match payload {
        [] => Some(true),
        name => std::str::from_utf8(name).ok().and_then(|name| {
            let said = health.and_then(|health| health.services().get(name).copied());
            said.or_else(|| is_known(name).then_some(true))
        }),
    };
    match of_service {
        Some(true) if is_serving => FastReply::ACCEPT,
        Some(_) => FastReply::REJECT,
        None => FastReply::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(health: &Health, payload: &str) -> u16 {
        answer(Some(health), payload.as_bytes(), |name| name == "Bank").code()
    }

    #[test]
    fn a_service_is_serving_only_while_the_server_is() {
        let health = Health::default();
        assert_eq!([code(&health, ""), code(&health, "Bank")], [0, 0]);
        health.set_service_serving("Bank", false);
        assert_eq!([code(&health, ""), code(&health, "Bank")], [0, 1]);
        health.set_service_serving("Bank", true);
        health.set_serving(false);
        assert_eq!([code(&health, ""), code(&health, "Bank")], [1, 1]);
        health.set_serving(true);
        assert_eq!([code(&health, ""), code(&health, "Bank")], [0, 0]);
    }

    #[test]
    fn a_name_is_known_once_something_was_said_of_it() {
        let health = Health::default();
        assert_eq!(code(&health, "Mint"), 4);
        assert_eq!(answer(Some(&health), b"\xFF", |_| true).code(), 4);
        health.set_service_serving("Mint", true);
        assert_eq!(code(&health, "Mint"), 0);
        health.set_serving(false);
        assert_eq!(code(&health, "Other"), 4);
    }

    #[test]
    fn an_end_is_final() {
        let health = Health::default();
        health.end();
        health.set_serving(true);
        health.set_service_serving("Bank", true);
        assert_eq!([code(&health, ""), code(&health, "Bank")], [1, 1]);
        assert!(!health.is_serving());
    }

    #[test]
    fn without_a_server_what_is_known_is_serving() {
        let of = |payload: &[u8]| answer(None, payload, |name| name == "Bank").code();
        assert_eq!([of(b""), of(b"Bank"), of(b"Mint")], [0, 0, 4]);
    }
}

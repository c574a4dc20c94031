//! The servers that calls are sent to now, with their connections: what each call reads, and only the task of the fleet replaces.

use std::sync::Arc;

use super::balance;
use crate::{connection::Connection, engine::load::Load};

/// All servers that take calls.
#[derive(Default)]
pub(super) struct Ready(Box<[Server]>);

pub(super) struct Server {
    pub(super) load: Arc<Load>,
    /// At least one.
    pub(super) connections: Box<[Connection]>,
}

impl Ready {
    pub(super) fn new(servers: impl IntoIterator<Item = Server>) -> Self {
        Self(servers.into_iter().collect())
    }

    /// Any connection of the better of two servers at random.
    #[inline]
    pub(super) fn pick(&self) -> Option<&Connection> {
        let server = match &*self.0 {
            [] => return None,
            [only] => only,
            servers => {
                let cost = |index: usize| servers[index].load.cost();
                &servers[balance::pick(servers.len(), fastrand::u64(..), cost)]
            }
        };
        match &*server.connections {
            [only] => Some(only),
            connections => fastrand::choice(connections),
        }
    }

    /// Likewise, of those that take calls at this moment, and not of the server of this one if there is another.
    pub(super) fn pick_open(&self, but: Option<&Connection>) -> Option<&Connection> {
        let but = but.and_then(|but| but.shared().load.get());
        let is_of = |server: &Server| but.is_some_and(|but| Arc::ptr_eq(but, &server.load));
        let is_other = |it: &Connection| {
            let load = it.shared().load.get();
            but.is_none_or(|but| load.is_none_or(|load| !Arc::ptr_eq(but, load)))
        };
        let picked = self.pick();
        if let Some(picked) = picked.filter(|it| is_other(it) && it.takes_calls()) {
            return Some(picked);
        }
        let cheapest = |a: &&Server, b: &&Server| a.load.cost().total_cmp(&b.load.cost());
        let others = self.0.iter().filter(|it| !is_of(it) && it.open().is_some());
        let other = others.min_by(cheapest).and_then(Server::open);
        other.or_else(|| self.0.iter().find_map(Server::open))
    }

    pub(super) fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.0.iter().flat_map(|server| &server.connections)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Server {
    /// A connection that takes calls at this moment.
    fn open(&self) -> Option<&Connection> {
        self.connections.iter().find(|it| it.takes_calls())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{pair, serve::router::Router};

    /// A server with this mean time to the reply, in milliseconds, and a number of connections. Their other ends are added to these.
    async fn server(mean: u64, connections: usize, others: &mut Vec<Connection>) -> Server {
        let load = Arc::new(Load::new(0));
        load.seed(0, Duration::from_millis(mean));
        let mut ours = Vec::new();
        for _ in 0..connections {
            let (near, far) = pair(Router::new(), Router::new()).await.expect("a pair");
            near.shared().load.set(Arc::clone(&load)).expect("once");
            ours.push(near);
            others.push(far);
        }
        Server {
            load,
            connections: ours.into(),
        }
    }

    fn is_of(connection: &Connection, server: &Server) -> bool {
        let load = connection.shared().load.get().expect("that of its server");
        Arc::ptr_eq(load, &server.load)
    }

    #[tokio::test]
    async fn two_servers_are_compared_however_many_connections_they_have() {
        let mut others = Vec::new();
        let (slow, fast) = (
            server(100, 4, &mut others).await,
            server(1, 1, &mut others).await,
        );
        let ready = Ready::new([slow, fast]);
        let fast = &ready.0[1];
        for _ in 0..1_000 {
            assert!(is_of(ready.pick().expect("one"), fast));
        }
    }

    #[tokio::test]
    async fn all_connections_of_a_server_are_used() {
        let mut others = Vec::new();
        let ready = Ready::new([server(1, 4, &mut others).await]);
        let mut seen: Vec<_> = (0..1_000)
            .map(|_| Arc::as_ptr(ready.pick().expect("one").shared()))
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 4);
    }

    #[tokio::test]
    async fn what_a_server_refused_goes_to_another_server() {
        let mut others = Vec::new();
        let (fast, slow) = (
            server(1, 4, &mut others).await,
            server(100, 1, &mut others).await,
        );
        let ready = Ready::new([fast, slow]);
        let (fast, slow) = (&ready.0[0], &ready.0[1]);
        for tried in &fast.connections {
            let next = ready.pick_open(Some(tried)).expect("one");
            assert!(is_of(next, slow));
        }
        let slow = slow.connections[0].clone();
        slow.close().await;
        // There is no other server.
        let tried = &fast.connections[0];
        assert!(is_of(ready.pick_open(Some(tried)).expect("one"), fast));
        assert!(is_of(ready.pick_open(None).expect("one"), fast));
    }
}

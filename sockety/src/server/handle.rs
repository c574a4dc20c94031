use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sockety_codec::extension::LeaveReason;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tracing::debug;

use super::{draining::Draining, links::State};
use crate::{
    connection::{Connection, service_client::ServiceClient},
    engine::{
        health::Health,
        later::later,
        send::outbox::Block,
        shared::Shared,
        warnings::{Warning, Warnings},
    },
    error::{chain::chain, connect::ConnectProblem, connection::ClosedBy, send::SendError},
    message::outgoing::Outgoing,
    shown,
    stats::{
        Counters,
        server::{FailureCounters, ServerStats},
        traffic::Traffic,
    },
    transport::link::{Handshake, Link},
};

/// Lists the connections of a [`Server`](crate::server::Server), and stops it. Clones are handles
/// on the same server; dropping them does nothing.
#[derive(Debug, Clone, Default)]
pub struct ServerHandle {
    inner: Arc<Inner>,
}

/// From this number on, a failed handshake is logged with how many have failed since one succeeded: the cause is
/// then rather in front of the server, or in its certificate, than with one client.
const MANY_IN_A_ROW: u64 = 20;

/// The counter for a failed handshake.
fn reason<'a>(counters: &'a FailureCounters, error: &ConnectProblem) -> &'a AtomicU64 {
    match error {
        ConnectProblem::Handshake(_) => &counters.other_protocol,
        ConnectProblem::Tls(_)
        | ConnectProblem::ClosedDuringTls(_)
        | ConnectProblem::NotTls { .. }
        | ConnectProblem::NoAlpn
        | ConnectProblem::NoExtension
        | ConnectProblem::ClosedAfterTls => &counters.tls,
        #[cfg(feature = "proxy-protocol")]
        ConnectProblem::ProxyProtocol(_) => &counters.proxy_header,
        ConnectProblem::HandshakeTimedOut(_) => &counters.timed_out,
        _ => &counters.cut_off,
    }
}

#[derive(Debug, Default)]
struct Inner {
    connections: Mutex<Connections>,
    next: AtomicU64,
    ending: Mutex<Option<Ending>>,
    stopped: Notify,
    draining: Mutex<Draining>,
    health: Health,
    /// Handshakes that are under way.
    handshakes: AtomicUsize,
    /// The last connection has left the list, or the last handshake has ended.
    all_left: Notify,
    counters: Arc<Counters>,
    accepted: AtomicU64,
    failed_handshakes: FailureCounters,
    /// How many handshakes have failed since one succeeded.
    failed_in_a_row: AtomicU64,
    silent_connections: AtomicU64,
    refused_connections: AtomicU64,
    /// What [`ServerHandle::serve_link`] needs of the server.
    state: watch::Sender<State>,
    #[cfg(feature = "_tls")]
    tls: Mutex<Option<crate::tls::TlsServer>>,
}

#[derive(Debug, Default)]
struct Connections {
    /// Weak, because handles would keep the connections open.
    live: HashMap<u64, Weak<Shared>>,
    /// Traffic of the connections that have ended.
    past: Traffic,
}

impl Connections {
    fn live(&self) -> Vec<Arc<Shared>> {
        self.live.values().filter_map(Weak::upgrade).collect()
    }
}

/// What happens to the connections of a server that has stopped accepting.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    Close,
    /// With this time limit.
    Drain(Instant),
}

impl Ending {
    fn of(self, connection: &Connection) {
        match self {
            Self::Close => connection.shared().close(ClosedBy::Local),
            Self::Drain(until) => {
                let left = until.saturating_duration_since(Instant::now());
                connection.shared().drain(left, LeaveReason::Shutdown);
            }
        }
    }

    /// What holds if the server ends in both ways: the sooner, also for connections to come.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Drain(one), Self::Drain(other)) => Self::Drain(one.min(other)),
            _ => Self::Close,
        }
    }
}

impl ServerHandle {
    /// Returns the current connections, as clients of a service that the peers serve.
    ///
    /// ```no_run
    /// # use sockety::{Server, service};
    /// # #[service]
    /// # trait Viewer { async fn show(&self, text: String); }
    /// # async fn example(server: Server) -> Result<(), Box<dyn std::error::Error>> {
    /// for viewer in server.handle().clients::<ViewerClient>() {
    ///     viewer.show("hello".into()).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn clients<C: ServiceClient>(&self) -> Vec<C> {
        self.connections().into_iter().map(C::new).collect()
    }

    /// Returns the current connections.
    pub fn connections(&self) -> Vec<Connection> {
        let live = self.lock().live();
        live.into_iter().map(Connection::new).collect()
    }

    /// Sends a message that expects no reply to every [authorized](Connection::is_authorized)
    /// connection that `filter` accepts. The message is encoded once. Returns the number of
    /// connections that it is sent to.
    ///
    /// It is queued without waiting: connections whose outbox is full, because their peer reads too
    /// slowly, are skipped.
    ///
    /// # Errors
    /// [`SendError`] if the message cannot be sent to any peer, such as one that exceeds a limit.
    pub fn broadcast(
        &self,
        message: impl Into<Outgoing>,
        mut filter: impl FnMut(&Connection) -> bool,
    ) -> Result<usize, SendError> {
        let message = message.into();
        let connections: Vec<_> = self
            .connections()
            .into_iter()
            .filter(|connection| connection.is_authorized() && filter(connection))
            .collect();
        let Some(first) = connections.first() else {
            return Ok(0);
        };
        if message.content().carrying.is_some() || message.metadata().is_some() {
            return Ok(connections
                .iter()
                .filter(|c| c.try_pass(&message).is_ok())
                .count());
        }
        let mut block = Block::default();
        first.encode(&message, &mut block)?;
        Ok(connections
            .iter()
            .filter(|connection| connection.try_pass_encoded(&block).is_ok())
            .count())
    }

    /// Stops accepting, and closes every connection, see [`Connection::close`]. The future of
    /// [`Server::serve`](crate::server::Server::serve) completes when all are closed.
    ///
    /// Use [`ServerHandle::shutdown`] to let accepted calls finish, and [`ServerHandle::drain`] to let
    /// clients move to other servers first.
    pub fn stop(&self) {
        self.end(Ending::Close);
    }

    /// Stops accepting, and shuts down every connection gracefully within `deadline`; see
    /// [`Connection::shutdown`]. Completes when all are closed, like the future of
    /// [`Server::serve`](crate::server::Server::serve): a second later at most, for peers that leave their ends open, and for
    /// handshakes that are under way.
    ///
    /// # Cancel safety
    /// Dropping the future does not cancel the shutdown.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn example(handle: sockety::server::ServerHandle) {
    /// // When the process is told to end:
    /// handle.shutdown(Duration::from_secs(30)).await;
    /// # }
    /// ```
    pub async fn shutdown(&self, deadline: Duration) {
        self.end(Ending::Drain(later(Instant::now(), deadline)));
        self.all_closed().await;
    }

    /// Returns counts of connections, and of the behaviour of their peers that was tolerated,
    /// refused or cut off.
    pub fn stats(&self) -> ServerStats {
        let failures = self.inner.failed_handshakes.read();
        ServerStats {
            connections: self.lock().live.len(),
            accepted: self.inner.accepted.load(Ordering::Relaxed),
            failed_handshakes: failures.iter().map(|(_, times)| times).sum(),
            failures,
            silent_connections: self.inner.silent_connections.load(Ordering::Relaxed),
            refused_connections: self.inner.refused_connections.load(Ordering::Relaxed),
            peers: self.inner.counters.read(),
        }
    }

    /// Returns the bytes transferred on all connections since the server started, and the work in
    /// flight. It locks each connection for a moment.
    pub fn traffic(&self) -> Traffic {
        // Both under one lock, or a connection that ends would be counted twice, or not at all.
        let connections = self.lock();
        let (live, mut traffic) = (connections.live(), connections.past);
        drop(connections);
        for shared in live {
            traffic.add(&shared.traffic());
        }
        traffic
    }

    /// Returns what the server says of its health to peers that ask.
    pub fn health(&self) -> Health {
        self.inner.health.clone()
    }

    pub(super) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.inner.counters)
    }

    pub(super) fn state(&self) -> &watch::Sender<State> {
        &self.inner.state
    }

    pub(super) fn on_accepted(&self) {
        self.inner.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was accepted, but not established.
    pub(super) fn on_failed_handshake(
        &self,
        warnings: &Warnings,
        peer: Option<SocketAddr>,
        error: &ConnectProblem,
    ) {
        if matches!(error, ConnectProblem::ClosedSilently) {
            self.inner
                .silent_connections
                .fetch_add(1, Ordering::Relaxed);
            debug!(
                peer = shown::address(peer),
                "connection ended before it brought a byte"
            );
        } else {
            reason(&self.inner.failed_handshakes, error).fetch_add(1, Ordering::Relaxed);
            let row = self.inner.failed_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
            let error = chain(error);
            if row < MANY_IN_A_ROW {
                warnings.of_peer(Warning::HandshakeFailed, peer, &error);
            } else {
                warnings.of_peer(
                    Warning::HandshakeFailed,
                    peer,
                    &format_args!("{error}; all of the last {row} handshakes failed"),
                );
            }
        }
    }

    /// A link is closed, because a limit of connections is reached.
    pub(super) fn on_refused_connection(
        &self,
        warnings: &Warnings,
        peer: Option<SocketAddr>,
        limit: &dyn fmt::Display,
    ) {
        let refused = &self.inner.refused_connections;
        refused.fetch_add(1, Ordering::Relaxed);
        warnings.of_peer(Warning::ConnectionRefused, peer, limit);
    }

    /// There is no room for a link: for this one, which is closed, or for further ones, which wait.
    pub(super) fn on_full(&self, warnings: &Warnings, limit: usize, refused: Option<&Link>) {
        match refused {
            Some(link) => self.on_refused_connection(
                warnings,
                link.peer_addr(),
                &format_args!("limit is {limit} connections"),
            ),
            None => warnings.of_peer(
                Warning::Full,
                None,
                &format_args!("limit is {limit} connections"),
            ),
        }
    }

    pub(super) fn end(&self, ending: Ending) {
        self.inner.health.end();
        let ending = {
            let mut known = self.ending();
            let ending = known.map_or(ending, |known| known.or(ending));
            *known.insert(ending)
        };
        self.inner.stopped.notify_waiters();
        for connection in self.connections() {
            ending.of(&connection);
        }
    }

    pub(super) fn draining(&self) -> MutexGuard<'_, Draining> {
        let draining = &self.inner.draining;
        draining.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ending(&self) -> MutexGuard<'_, Option<Ending>> {
        self.inner
            .ending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses these certificates and rules for all new connections, for example after a renewal.
    /// Established connections continue. A [`TlsServer`](crate::tls::TlsServer) is checked when it
    /// is made, so with a broken file the previous one stays in use.
    ///
    /// ```no_run
    /// use sockety::{server::ServerHandle, tls::{TlsError, TlsServer}};
    ///
    /// fn renew(server: &ServerHandle) -> Result<(), TlsError> {
    ///     server.set_tls(TlsServer::from_pem_files("server.pem", "server.key")?);
    ///     Ok(())
    /// }
    /// ```
    #[cfg(feature = "_tls")]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "tls", feature = "tls-ring"))))]
    pub fn set_tls(&self, tls: crate::tls::TlsServer) {
        *self.lock_tls() = Some(tls);
    }

    #[cfg(feature = "_tls")]
    fn lock_tls(&self) -> MutexGuard<'_, Option<crate::tls::TlsServer>> {
        self.inner
            .tls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The handshake that precedes the connection headers.
    #[cfg(feature = "_tls")]
    pub(super) fn handshake(&self) -> Option<Handshake> {
        self.lock_tls().as_ref().map(|tls| tls.handshake())
    }

    #[cfg(not(feature = "_tls"))]
    pub(super) fn handshake(&self) -> Option<Handshake> {
        None
    }

    pub(super) async fn or_stopped<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut stopped = std::pin::pin!(self.inner.stopped.notified());
        stopped.as_mut().enable();
        if self.ending().is_some() {
            return None;
        }
        tokio::select! {
            // What becomes ready because the server stops, such as room for a link, is too late.
            biased;
            () = stopped => None,
            output = future => Some(output),
        }
    }

    /// The server waits for its end, see [`all_closed`](Self::all_closed).
    pub(super) fn begin_handshake(&self) -> Handshaking {
        self.inner.handshakes.fetch_add(1, Ordering::SeqCst);
        Handshaking(self.clone())
    }

    /// Waits until the server accepts nothing any more.
    pub(super) async fn until_stopped(&self) {
        let _: Option<()> = self.or_stopped(std::future::pending()).await;
    }

    /// Adds a connection to the list. Dropping the returned entry removes it.
    pub(super) fn register(&self, connection: &Connection) -> Entry {
        self.inner.failed_in_a_row.store(0, Ordering::Relaxed);
        let key = self.inner.next.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(connection.shared());
        self.lock().live.insert(key, Arc::downgrade(&shared));
        // A server that was stopped before the insertion has not seen this connection, so end it
        // here. Likewise, one that is about to leave has not told it.
        if let Some(lame_duck) = self.lame_duck() {
            lame_duck.tell(&shared);
        }
        let ending = *self.ending();
        if let Some(ending) = ending {
            ending.of(connection);
        }
        Entry {
            handle: self.clone(),
            key,
            shared,
        }
    }

    pub(super) async fn all_closed(&self) {
        loop {
            let mut all_left = std::pin::pin!(self.inner.all_left.notified());
            // Before the list is read: an entry that leaves it afterwards wakes us.
            all_left.as_mut().enable();
            // First: the connection of a handshake is in the list before the handshake has ended.
            let has_handshakes = self.inner.handshakes.load(Ordering::SeqCst) > 0;
            if !has_handshakes && self.lock().live.is_empty() {
                return;
            }
            all_left.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.inner
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handshake that is under way, until it is dropped.
pub(super) struct Handshaking(ServerHandle);

impl Drop for Handshaking {
    fn drop(&mut self) {
        if self.0.inner.handshakes.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.inner.all_left.notify_waiters();
        }
    }
}

/// A connection's place in the list of its server.
pub(super) struct Entry {
    handle: ServerHandle,
    key: u64,
    shared: Arc<Shared>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let past = self.shared.traffic().past();
        let mut connections = self.handle.lock();
        connections.live.remove(&self.key);
        connections.past.add(&past);
        let is_last = connections.live.is_empty();
        // The woken task takes the same mutex.
        drop(connections);
        if is_last {
            self.handle.inner.all_left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::atomic::AtomicUsize,
        task::{Context, Wake, Waker},
    };

    use super::*;
    use crate::{serve::router::Router, transport::local::local};

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Between a connection's end and its removal from the list, tasks that wait for the last one
    /// sleep.
    #[tokio::test]
    async fn the_last_entry_wakes_those_who_wait_until_all_are_closed() {
        let handle = ServerHandle::default();
        let (first, second) = (local(Router::new()), local(Router::new()));
        let entries = [handle.register(&first), handle.register(&second)];
        handle.stop();
        tokio::join!(first.closed(), second.closed());

        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut cx = Context::from_waker(&waker);
        let mut closed = pin!(handle.all_closed());
        let [first, second] = entries;
        assert!(closed.as_mut().poll(&mut cx).is_pending());
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        drop(first);
        assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
        drop(second);
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert!(closed.as_mut().poll(&mut cx).is_ready());
    }

    #[tokio::test]
    async fn a_connection_that_comes_late_is_waited_for() {
        let handle = ServerHandle::default();
        let connection = local(Router::new());
        let entry = handle.register(&connection);
        let mut closed = pin!(handle.all_closed());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(closed.as_mut().poll(&mut cx).is_pending());
        drop(entry);
        let late = handle.register(&connection);
        assert!(closed.as_mut().poll(&mut cx).is_pending());
        drop(late);
        assert!(closed.as_mut().poll(&mut cx).is_ready());
    }
}

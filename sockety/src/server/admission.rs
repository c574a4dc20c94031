use std::{
    collections::HashMap,
    future::poll_fn,
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    task::unconstrained,
};
use tracing::{debug, warn};

use super::listener::Listeners;
use crate::{
    error::{
        chain::chain,
        connect::{ConnectProblem, ServerLimit},
    },
    transport::link::Link,
};

/// Limits connections and handshakes. Permits are taken before a connection is accepted, so that
/// further connections wait in the queue of the operating system.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    connections: Arc<Semaphore>,
    max_connections: usize,
    handshakes: Arc<Semaphore>,
    hosts: Option<Hosts>,
    refuses_when_full: bool,
    /// Notified when a link that was given to the server waits for a permit: the permits of acceptors that
    /// only wait for the next link are given up for it.
    wanted: Arc<Notify>,
}

/// What a link needs to become a connection.
pub(super) struct Permits {
    /// Held until the connection ends.
    pub(super) connection: OwnedSemaphorePermit,
    /// Held until its handshake ends.
    pub(super) handshake: OwnedSemaphorePermit,
}

impl Gate {
    pub(super) fn set_connections(&mut self, connections: usize) {
        self.connections = semaphore(connections);
        self.max_connections = connections.max(1);
    }

    pub(super) fn set_handshakes(&mut self, handshakes: usize) {
        self.handshakes = semaphore(handshakes);
    }

    pub(super) fn set_connections_per_host(&mut self, connections: usize) {
        self.hosts = Some(Hosts::new(connections.max(1)));
    }

    pub(super) fn set_refuses_when_full(&mut self) {
        self.refuses_when_full = true;
    }

    /// Waits until there is room for a link that is there.
    pub(super) async fn permits(&self) -> Permits {
        Permits {
            connection: self.wanted_permit(&self.connections).await,
            handshake: self.wanted_permit(&self.handshakes).await,
        }
    }

    async fn wanted_permit(&self, semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
        // Unconstrained, because it might be pending otherwise without having a place in the queue.
        let mut acquired = pin!(unconstrained(permit(semaphore)));
        let at_once = poll_fn(|cx| {
            let polled = acquired.as_mut().poll(cx);
            Poll::Ready(match polled {
                Poll::Ready(permit) => Some(permit),
                Poll::Pending => None,
            })
        });
        if let Some(permit) = at_once.await {
            return permit;
        }
        // Behind that, so that what is given up comes to the first of the queue.
        self.wanted.notify_waiters();
        acquired.await
    }

    /// Returns the next link. Errors of accepting, such as a lack of file descriptors, are logged
    /// and retried. `on_full` is called with the limit when there is no room for a link: with that
    /// link, which is closed, or without one, if further links wait.
    pub(super) async fn admit(
        &self,
        listeners: &Listeners,
        on_full: impl Fn(usize, Option<Link>),
    ) -> (Link, Permits) {
        if listeners.is_empty() {
            // Without permits, which the links that are given need.
            return std::future::pending().await;
        }
        loop {
            let mut wanted = pin!(self.wanted.notified());
            // A link that wanted a permit before this point is ahead in the queue of permits.
            wanted.as_mut().enable();
            if self.connections.available_permits() == 0 && !self.refuses_when_full {
                on_full(self.max_connections, None);
            }
            let connection = loop {
                tokio::select! {
                    // What has room is not refused.
                    biased;
                    connection = permit(&self.connections) => break connection,
                    link = next_link(listeners), if self.refuses_when_full => {
                        on_full(self.max_connections, Some(link));
                    }
                }
            };
            // This wait is short, as handshakes have a time limit: nobody is refused for it.
            let handshake = permit(&self.handshakes).await;
            let permits = Permits {
                connection,
                handshake,
            };
            tokio::select! {
                biased;
                link = next_link(listeners) => return (link, permits),
                // There is a link already.
                () = wanted => {}
            }
        }
    }

    /// A connection of this host, which is to be kept until the connection ends.
    ///
    /// # Errors
    /// `AtLimit` if the host has too many.
    pub(super) fn host_place(
        &self,
        peer: Option<SocketAddr>,
    ) -> Result<Option<HostPlace>, ConnectProblem> {
        match (&self.hosts, peer) {
            (Some(hosts), Some(peer)) => match hosts.place(peer.ip()) {
                Some(place) => Ok(Some(place)),
                None => Err(ConnectProblem::AtLimit(ServerLimit::OfHost(peer.ip()))),
            },
            _ => Ok(None),
        }
    }
}

const CONNECTIONS: usize = 4096;

impl Default for Gate {
    fn default() -> Self {
        Self {
            connections: semaphore(CONNECTIONS),
            max_connections: CONNECTIONS,
            handshakes: semaphore(256),
            hosts: None,
            refuses_when_full: false,
            wanted: Arc::default(),
        }
    }
}

/// The next link, however many errors come first.
async fn next_link(listeners: &Listeners) -> Link {
    let mut pause = Pause::default();
    loop {
        match listeners.accept().await {
            Ok(link) => return link,
            Err(error) if is_of_one_connection(&error) => {
                debug!(error = %chain(&error), "a connection ended before it was accepted");
            }
            Err(error) => pause.wait(&error).await,
        }
    }
}

/// With none, nothing would ever be accepted.
fn semaphore(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS)))
}

async fn permit(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    let permit = Arc::clone(semaphore).acquire_owned().await;
    permit.expect("nobody closes the semaphore")
}

/// Counts the connections of each host.
#[derive(Debug, Clone)]
struct Hosts {
    limit: usize,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One of the connections that a host may have.
pub(super) struct HostPlace {
    hosts: Hosts,
    host: IpAddr,
}

impl Hosts {
    fn new(limit: usize) -> Self {
        let counts = Arc::default();
        Self { limit, counts }
    }

    fn place(&self, ip: IpAddr) -> Option<HostPlace> {
        let host = host_of(ip);
        let mut counts = self.lock();
        let count = counts.get(&host).copied().unwrap_or(0);
        if count >= self.limit {
            return None;
        }
        counts.insert(host, count + 1);
        let hosts = self.clone();
        Some(HostPlace { hosts, host })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HostPlace {
    fn drop(&mut self) {
        let mut counts = self.hosts.lock();
        match counts.get_mut(&self.host) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&self.host)),
        }
    }
}

/// An IPv6 host can choose its addresses from a network of 64 bits, so that network counts as the
/// host.
fn host_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let network = ip.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        ip => ip,
    }
}

/// Whether the error concerns one connection only. After any other error, known or unknown, the
/// caller pauses: an error that repeats at once would keep a processor busy.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::Interrupted
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::NetworkUnreachable
    )
}

/// The pause after any other error, which doubles each time.
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(Duration::from_millis(10))
    }
}

impl Pause {
    const LONGEST: Duration = Duration::from_secs(1);

    async fn wait(&mut self, error: &io::Error) {
        warn!(error = %chain(error), pause = ?self.0, "cannot accept");
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(Self::LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_of_ipv6_is_its_network() {
        let host = |text: &str| host_of(text.parse().expect("an address")).to_string();
        assert_eq!(host("192.0.2.7"), "192.0.2.7");
        assert_eq!(host("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(host("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }

    #[test]
    fn a_host_gets_its_places_back() {
        let hosts = Hosts::new(2);
        let place = |text: &str| hosts.place(text.parse().expect("an address"));
        let (first, second) = (place("192.0.2.7"), place("192.0.2.7"));
        assert!(first.is_some() && second.is_some());
        assert!(place("192.0.2.7").is_none());
        let other = place("192.0.2.8");
        assert!(other.is_some());
        drop(first);
        assert!(place("192.0.2.7").is_some());
        drop((second, other));
        assert!(hosts.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_a_second() {
        let mut pause = Pause::default();
        let error = io::Error::other("no file descriptors");
        let mut millis = Vec::new();
        for _ in 0..9 {
            let begun = tokio::time::Instant::now();
            pause.wait(&error).await;
            millis.push(begun.elapsed().as_millis());
        }
        assert_eq!(millis, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_errors_of_one_connection_are_passed_over() {
        let is_passed_over = |code| is_of_one_connection(&io::Error::from_raw_os_error(code));
        let [econnaborted, emfile, enfile, enobufs, enomem] = [103, 24, 23, 105, 12];
        assert!(is_passed_over(econnaborted));
        for code in [emfile, enfile, enobufs, enomem] {
            assert!(!is_passed_over(code), "{code}");
        }
    }
}

//! A fleet of ten servers that are processes, and real faults: compares what callers are told with ledgers on disk of what the servers
//! began.
//!
//! `cargo test -p sockety-tests --test fleet -- --nocapture` prints the results of the calls.

mod callers;
mod link;
mod server;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use rustix::process::Signal;
use sockety::{
    Options, Outcome,
    fleet::{Eject, EndpointState, Fleet, Health},
};
use tokio::{
    net::{TcpListener, TcpSocket},
    time::{sleep, timeout},
};

use crate::{
    callers::{Callers, History},
    link::Link,
    server::{Process, WorkClient},
};

const SERVERS: usize = 10;

/// The one of them that is reached through a proxy.
const LINKED: usize = 9;

/// No step takes this long, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(40);

const SECOND: Duration = Duration::from_secs(1);

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !is_so() {
            sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(waited.await.is_ok(), "not within {PATIENCE:?}: {what}");
}

/// Ten servers, two addresses without one, and a fleet of all.
struct Site {
    servers: Vec<Process>,
    addresses: Vec<SocketAddr>,
    link: Link,
    fleet: Fleet<WorkClient>,
    history: Arc<History>,
    /// Refuses connections: it is bound, but does not listen.
    _refusing: TcpSocket,
    /// Accepts connections, and says nothing.
    _silent: TcpListener,
}

impl Site {
    async fn start() -> Self {
        let servers: Vec<_> = (0..SERVERS).map(|_| Process::start()).collect();
        let link = Link::to(servers[LINKED].address).await;
        let mut addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
        addresses[LINKED] = link.address;

        let refusing = TcpSocket::new_v4().expect("a socket");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        refusing.bind(any).expect("a port");
        let silent = TcpListener::bind(any).await.expect("a port");
        let without = [refusing.local_addr(), silent.local_addr()];
        let without = without.map(|address| address.expect("bound"));

        let all = addresses.iter().chain(&without);
        let all: Vec<_> = all.map(SocketAddr::to_string).collect();
        let options = Options::default()
            .call_timeout(Some(10 * SECOND))
            .idle_timeout(Some(6 * SECOND));
        let fleet = WorkClient::fleet(all.join(","))
            .options(options)
            .eject(Eject::default().time(SECOND))
            .health(Health::default().interval(2 * SECOND).timeout(SECOND))
            .await
            .expect("a fleet");
        let site = Self {
            servers,
            addresses,
            link,
            fleet,
            history: Arc::default(),
            _refusing: refusing,
            _silent: silent,
        };
        site.all_are_ready().await;
        site
    }

    fn state(&self, server: usize) -> EndpointState {
        let address = self.addresses[server].to_string();
        let all = self.fleet.endpoints();
        let found = all
            .iter()
            .find(|it| it.endpoint.address().to_string() == address);
        found.expect("it is known").state
    }

    async fn is_ready(&self, server: usize) {
        let is_ready = async {
            while self.state(server) != EndpointState::Ready {
                sleep(Duration::from_millis(2)).await;
            }
        };
        let is_ready = timeout(PATIENCE, is_ready).await.is_ok();
        let all = || self.fleet.endpoints();
        assert!(
            is_ready,
            "server {server} is not ready within {PATIENCE:?}: {:#?}",
            all()
        );
    }

    async fn all_are_ready(&self) {
        for server in 0..SERVERS {
            self.is_ready(server).await;
        }
    }

    fn callers(&self, phase: &'static str) -> Callers {
        Callers::start(&self.fleet.client(), &self.history, phase)
    }

    /// Nothing is under way any longer, and the outcomes are those of the ledgers.
    async fn end(mut self) {
        for endpoint in self.fleet.endpoints() {
            assert_eq!(endpoint.in_flight, 0, "{endpoint:?}");
        }
        // The answers to calls that were given up have come.
        until("no answer is waited for", || {
            let waiting = |work: &WorkClient| work.connection().traffic().requests_waiting;
            self.fleet.each().iter().map(waiting).sum::<usize>() == 0
        })
        .await;
        self.fleet.shutdown(PATIENCE).await;
        let mut begun = BTreeMap::new();
        for server in &mut self.servers {
            server.terminate().await;
            server.add_to(&mut begun);
        }
        self.history.check(&begun);
    }

    /// A few calls of this phase were lost with a server. Idempotent ones were repeated, and no others failed.
    fn only_lost_failed(&self, phase: &str) {
        let mut failed = self.history.failed(phase);
        failed.retain(|failed| failed.outcome != Outcome::Unknown || failed.is_idempotent);
        assert_eq!(failed, [], "{phase}");
    }

    fn none_failed(&self, phase: &str) {
        assert_eq!(self.history.failed(phase), [], "{phase}");
    }
}

/// One fleet goes through all faults, one after another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_of_a_fleet_are_true_whatever_happens_to_its_servers() {
    let mut site = Site::start().await;

    // Two addresses have no server, all the time.
    let callers = site.callers("healthy");
    site.history.more(2000).await;
    callers.stop().await;
    site.none_failed("healthy");

    let callers = site.callers("killed");
    for server in 0..5 {
        site.history.more(500).await;
        site.servers[server].kill().await;
        site.history.more(500).await;
        site.servers[server].run(None);
        site.is_ready(server).await;
    }
    callers.stop().await;
    site.only_lost_failed("killed");

    let callers = site.callers("stopped");
    site.history.more(500).await;
    site.servers[3].signal(Signal::STOP);
    until("no calls are sent to a server that is stopped", || {
        site.state(3) != EndpointState::Ready
    })
    .await;
    site.history.more(2000).await;
    site.servers[3].signal(Signal::CONT);
    site.is_ready(3).await;
    site.history.more(500).await;
    callers.stop().await;

    let callers = site.callers("slowed");
    site.servers[4].delay(Duration::from_millis(200));
    site.history.more(4000).await;
    site.servers[4].delay(Duration::ZERO);
    site.history.more(500).await;
    callers.stop().await;
    site.none_failed("slowed");

    let callers = site.callers("cut off");
    site.history.more(500).await;
    site.link.cut(true);
    until("no calls are sent to a server that is cut off", || {
        site.state(LINKED) != EndpointState::Ready
    })
    .await;
    site.history.more(2000).await;
    site.link.cut(false);
    site.is_ready(LINKED).await;
    site.history.more(500).await;
    callers.stop().await;

    site.servers[5].terminate().await;
    site.servers[5].run(Some(1));
    site.servers[5].delay(Duration::from_millis(20));
    site.is_ready(5).await;
    let callers = site.callers("at limit");
    site.history.more(4000).await;
    callers.stop().await;
    site.none_failed("at limit");
    assert!(site.servers[5].terminate().await > 0, "it refused nothing");
    site.servers[5].run(None);

    site.end().await;
}

/// Servers that are shut down in order lose no call, whatever their number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_restarts_fail_no_call() {
    const RESTARTS: usize = 100;
    let mut site = Site::start().await;
    let callers = site.callers("rolling");
    for restart in 0..RESTARTS {
        let server = restart % SERVERS;
        site.servers[server].terminate().await;
        site.servers[server].run(None);
        site.is_ready(server).await;
    }
    callers.stop().await;
    site.none_failed("rolling");
    site.end().await;
}

//! The background task of a fleet: it follows discovery, keeps connections, probes, ejects, and publishes which connections take calls.
//!
//! ```text
//!   discovery ──▶ members ──▶ subset ──▶ links ──▶ attempts to connect (a task each)
//!                    │                     │ open            │
//!   failures ──▶ ejection, probes ◀────────┤                 ▼
//!                    └──────────────▶ what is published: connections that take calls
//! ```
//!
//! It is one future, which reacts to one event at a time, so nothing here needs a lock. Calls read what it publishes, and leave
//! what they measured in the [`Load`] of the endpoint. It ends with the last client of the fleet,
//! and the fleet ends with it.

use std::{
    collections::{BTreeMap, HashMap},
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    task::{Id, JoinError, JoinSet},
    time::{Instant, sleep_until, timeout},
};
use tracing::{debug, info, warn};

use super::{
    discover::{Change, Changes, Endpoint},
    eject::{Reason, is_panic},
    health::{Answer, ask},
    inner::Inner,
    member::{Attempt, Link, LinkState, Member},
    pause::Pauses,
    ready::{Ready, Server},
    subset::subset,
    weight::{Candidate, SLOW_START, weights},
};
use crate::{
    client::Connect,
    connection::Connection,
    engine::{later::later, leaving::Sign, load::Load, loaded, shared::Shared},
    error::{ConnectError, chain},
};

/// How many connections are made at a time. An attempt that nobody needs any more ends, so that another one can begin.
const ATTEMPTS: usize = 32;

/// How often loads are settled and weights are set while calls are made.
const SECOND: Duration = Duration::from_secs(1);

/// How often a server that does not serve is asked whether it does again.
const AGAIN: Duration = Duration::from_secs(1);

pub(super) struct Task {
    inner: Arc<Inner>,
    connect: Connect<Connection>,
    changes: Option<Changes>,
    /// By key, and so in the same order on every run.
    members: BTreeMap<Arc<str>, Member>,
    attempts: JoinSet<Result<Connection, ConnectError>>,
    /// Which attempt is that of which link.
    attempting: HashMap<Id, LinkId>,
    events: FuturesUnordered<Pin<Box<dyn Future<Output = Event> + Send>>>,
    last_id: u64,
    rng: fastrand::Rng,
    /// The seed of the subset.
    seed: u64,
    next_second: Instant,
    next_interval: Instant,
    /// Whether discovery has answered.
    is_discovered: bool,
    is_panicking: bool,
}

/// A link of a member.
type LinkId = (Arc<str>, u64);

enum Event {
    /// The end of an open connection is in sight.
    Leaving(LinkId, Sign),
    /// A probe on this connection has ended: with an answer, unless the connection kept it from one.
    Probed(Arc<str>, Arc<Shared>, Option<Answer>),
}

impl Task {
    pub(super) fn new(inner: Arc<Inner>, connect: Connect<Connection>, changes: Changes) -> Self {
        let now = Instant::now();
        let mut rng = fastrand::Rng::new();
        Self {
            next_second: now + SECOND,
            next_interval: later(now, inner.settings.eject.every()),
            inner,
            connect,
            changes: Some(changes),
            members: BTreeMap::new(),
            attempts: JoinSet::new(),
            attempting: HashMap::new(),
            events: FuturesUnordered::new(),
            last_id: 0,
            seed: rng.u64(..),
            rng,
            is_discovered: false,
            is_panicking: false,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            let due = self.due();
            let mut has_changed = tokio::select! {
                () = self.inner.ended.notified() => break,
                change = next(&mut self.changes) => self.on_discovered(change),
                Some(attempt) = self.attempts.join_next_with_id() => self.on_attempt(attempt),
                Some(event) = self.events.next() => self.on_event(event),
                () = self.inner.failures.notified() => self.eject_rows(),
                () = sleep_until(due) => self.on_time(),
            };
            // All that have ended meanwhile: what follows takes time in proportion to the number of servers.
            while let Some(attempt) = self.attempts.try_join_next_with_id() {
                has_changed |= self.on_attempt(attempt);
            }
            self.start_attempts();
            if has_changed {
                self.publish();
            }
        }
    }

    /// When there is something to do without an event.
    fn due(&self) -> Instant {
        let has_room = self.attempts.len() < ATTEMPTS;
        let links = self.members.values().flat_map(|member| &member.links);
        let waiting = links.filter_map(|link| match link.state {
            LinkState::Waiting(until) if has_room => Some(until),
            _ => None,
        });
        waiting
            .chain([self.next_second])
            .min()
            .expect("one at least")
    }

    fn on_discovered(&mut self, change: Option<Result<Change, super::DiscoverError>>) -> bool {
        self.is_discovered = true;
        match change {
            Some(Ok(Change::Snapshot(all))) => {
                let mut known = std::mem::take(&mut self.members);
                for endpoint in all {
                    let key = endpoint.key();
                    // One that is listed twice was inserted already.
                    let before = known.remove(key).or_else(|| self.members.remove(key));
                    self.insert(endpoint, before);
                }
                self.inner.set_discovered();
            }
            Some(Ok(Change::Insert(endpoint))) => {
                let before = self.members.remove(endpoint.key());
                self.insert(endpoint, before);
                self.inner.set_discovered();
            }
            Some(Ok(Change::Remove(key))) => drop(self.members.remove(&key)),
            Some(Err(error)) => {
                warn!(fleet = %self.inner.name, "{}", chain(&error));
                self.inner.set_discover_error(error);
                return true;
            }
            None => {
                self.changes = None;
                return true;
            }
        }
        self.choose_subset();
        true
    }

    /// Connections to a server are kept if it is where it was. Those to another are dropped: calls on them are finished, because each
    /// has its own handle.
    fn insert(&mut self, endpoint: Endpoint, before: Option<Member>) {
        let is_same = |member: &Member| {
            let before = &member.endpoint;
            (before.address(), before.tls_name()) == (endpoint.address(), endpoint.tls_name())
        };
        let key = Arc::clone(endpoint.key());
        let member = match before.filter(is_same) {
            Some(member) => Member { endpoint, ..member },
            None => Member::new(endpoint, Instant::now()),
        };
        self.members.insert(key, member);
    }

    fn choose_subset(&mut self) {
        let count = self.inner.settings.subset.unwrap_or(self.members.len());
        // A reserve takes no place of those that get calls before it.
        let chosen = |is_reserve: bool| {
            let of_kind = self.members.iter().enumerate();
            let of_kind = of_kind.filter(|(_, (_, it))| it.endpoint.is_reserve() == is_reserve);
            let (indices, keys): (Vec<_>, Vec<_>) = of_kind
                .map(|(index, (key, _))| (index, key.as_bytes()))
                .unzip();
            let chosen = subset(&keys, count, self.seed).into_iter();
            chosen.map(move |it| indices[it])
        };
        let mut chosen: Vec<_> = chosen(false).chain(chosen(true)).collect();
        chosen.sort_unstable();
        let mut chosen = chosen.into_iter().peekable();
        let now = Instant::now();
        for (index, member) in self.members.values_mut().enumerate() {
            if chosen.next_if_eq(&index).is_none() {
                member.links.clear();
                member.ready_since = None;
                continue;
            }
            while member.links.len() < self.inner.settings.connections {
                self.last_id += 1;
                member.links.push(Link {
                    id: self.last_id,
                    pauses: Pauses::default(),
                    state: LinkState::Waiting(now),
                });
            }
        }
    }

    /// Makes the connections that are due, as many as may be made at a time. Those that were due first go first: else a few servers
    /// that do not answer would take all places again and again, and others would never be connected to.
    fn start_attempts(&mut self) {
        let room = ATTEMPTS.saturating_sub(self.attempts.len());
        if room == 0 {
            return;
        }
        let now = Instant::now();
        let mut due: Vec<_> = self
            .members
            .values_mut()
            .flat_map(|member| {
                let endpoint = &member.endpoint;
                let links = member.links.iter_mut();
                links.filter_map(move |link| match link.state {
                    LinkState::Waiting(until) if until <= now => Some((until, endpoint, link)),
                    _ => None,
                })
            })
            .collect();
        if due.len() > room {
            due.select_nth_unstable_by_key(room, |(until, ..)| *until);
        }
        for (_, endpoint, link) in due.into_iter().take(room) {
            let (connect, endpoint) = (self.connect.clone(), endpoint.clone());
            let key = Arc::clone(endpoint.key());
            let attempt = async move {
                let (address, tls_name) = (endpoint.address().clone(), endpoint.tls_name());
                connect.dial_begun(address, tls_name).await
            };
            let attempt = self.attempts.spawn(attempt);
            self.attempting.insert(attempt.id(), (key, link.id));
            link.state = LinkState::Connecting(Attempt(attempt));
        }
    }

    fn on_attempt(
        &mut self,
        attempt: Result<(Id, Result<Connection, ConnectError>), JoinError>,
    ) -> bool {
        let (id, result) = match attempt {
            Ok(attempt) => attempt,
            // The hook on the new connection panicked, or the runtime is shutting down.
            Err(error) => (error.id(), Err(self.connect.panicked())),
        };
        let Some(of) = self.attempting.remove(&id) else {
            return false;
        };
        let Some(member) = self.members.get_mut(&of.0) else {
            return false;
        };
        let endpoint = member.endpoint.to_string();
        let Some(link) = member.link(of.1) else {
            return false;
        };
        match result {
            Ok(connection) => {
                self.inner.counters.connected();
                let shared = Arc::clone(connection.shared());
                let key = Arc::clone(&of.0);
                let leaving = leaving(of, Arc::clone(&shared), None);
                link.state = LinkState::Open {
                    connection,
                    since: Instant::now(),
                    is_lame: false,
                    is_replaced: false,
                };
                let _ = shared.load.set(Arc::clone(&member.load));
                member.error = None;
                self.events.push(Box::pin(leaving));
                self.on_connected(&key);
            }
            Err(error) => {
                let pause = link.pauses.next(&mut self.rng, Duration::ZERO);
                link.state = LinkState::Waiting(Instant::now() + pause);
                debug!(fleet = %self.inner.name, endpoint, "{}", chain(&error));
                member.error = Some(Arc::new(error));
                self.inner.counters.failed_connect();
            }
        }
        true
    }

    /// There is another connection to a server. If all before had ended, the server was probably started again.
    fn on_connected(&mut self, key: &str) {
        let mean = self.median();
        let Some(member) = self.members.get_mut(key) else {
            return;
        };
        let now = loaded::now();
        if std::mem::take(&mut member.is_lost) {
            // What was known is that of the process before.
            (member.health, member.probed) = (Answer::Serving, None);
            let row = member.load.failures_in_a_row();
            let eject = &self.inner.settings.eject;
            if eject.on_restart(row, &mut member.standing) {
                let mean = mean.unwrap_or_else(|| member.load.mean());
                member.load.seed(now, mean);
            }
        }
        let serves = member.health == Answer::Serving;
        let is_due = member.standing.is_due(Duration::from_nanos(now));
        let now = Instant::now();
        member.probe_at = match serves {
            true => later(now, self.inner.settings.health.interval),
            // Or connections that end soon would put it off again and again.
            false => now,
        };
        if !serves || is_due {
            self.probe(now);
        }
    }

    fn on_event(&mut self, event: Event) -> bool {
        match event {
            Event::Leaving(of, Sign::LameDuck) => self.on_lame_duck(of),
            Event::Leaving((key, id), Sign::GoingAway | Sign::Ended) => self.on_leaving(&key, id),
            Event::Probed(key, on, answer) => self.on_probed(&key, &on, answer),
        }
    }

    /// The server of a connection will go away soon: new calls go to others, if there are any. Another connection is made to the
    /// same address meanwhile, which may lead to another server.
    fn on_lame_duck(&mut self, of: LinkId) -> bool {
        let Some(member) = self.members.get_mut(&of.0) else {
            return false;
        };
        let Some(link) = member.link(of.1) else {
            return false;
        };
        let LinkState::Open {
            connection,
            is_lame,
            is_replaced,
            since,
        } = &mut link.state
        else {
            return false;
        };
        *is_lame = true;
        let shared = Arc::clone(connection.shared());
        let why = connection.peer_going_away();
        let is_awaited = why.is_some_and(|why| !why.retry_after.is_zero());
        // One that is lame from the beginning has replaced such a one: the address still leads to the same server. Nor is one replaced
        // that wants nobody to connect again now.
        *is_replaced = since.elapsed() >= SECOND && !is_awaited;
        if *is_replaced {
            self.last_id += 1;
            let mut pauses = Pauses::default();
            let pause = pauses.next(&mut self.rng, Duration::ZERO);
            member.links.push(Link {
                id: self.last_id,
                pauses,
                state: LinkState::Waiting(Instant::now() + pause),
            });
        }
        let leaving = leaving(of, shared, Some(Sign::LameDuck));
        self.events.push(Box::pin(leaving));
        self.inner.on_loss();
        true
    }

    /// A connection takes no calls any more. Another one is made, after a pause that spreads all clients of the server.
    fn on_leaving(&mut self, key: &str, id: u64) -> bool {
        let Some(member) = self.members.get_mut(key) else {
            return false;
        };
        if !member.remove_replaced(id) {
            let is_last = member.open().next().is_none();
            member.is_lost |= is_last;
            return true;
        }
        let Some(link) = member.link(id) else {
            return false;
        };
        let LinkState::Open {
            connection, since, ..
        } = &link.state
        else {
            return false;
        };
        let why = connection.peer_going_away();
        let retry_after = why.as_ref().map(|why| why.retry_after).unwrap_or_default();
        link.pauses.lost(since.elapsed());
        let pause = link.pauses.next(&mut self.rng, retry_after);
        // The server is there: it only wants another connection.
        let is_replaced = why.is_some_and(|why| why.is_for_connection());
        let is_quick = is_replaced && since.elapsed() >= SECOND && retry_after.is_zero();
        let pause = if is_quick { Duration::ZERO } else { pause };
        link.state = LinkState::Waiting(Instant::now() + pause);
        member.is_lost |= !is_replaced && member.open().next().is_none();
        self.inner.on_loss();
        true
    }

    /// Replaces connections on which too many channels are lost. No sign says so, because their servers do not know.
    fn replace_used_up(&mut self) -> bool {
        let mut has_changed = false;
        let links = self.members.values_mut().flat_map(|it| &mut it.links);
        for link in links {
            let LinkState::Open {
                connection,
                since,
                is_replaced: false,
                ..
            } = &link.state
            else {
                continue;
            };
            if !connection.shared().lock().is_used_up() {
                continue;
            }
            // What still comes of the connection is not about the next one.
            self.last_id += 1;
            link.id = self.last_id;
            link.pauses.lost(since.elapsed());
            let pause = link.pauses.next(&mut self.rng, Duration::ZERO);
            link.state = LinkState::Waiting(Instant::now() + pause);
            has_changed = true;
        }
        has_changed
    }

    fn on_time(&mut self) -> bool {
        let now = Instant::now();
        if now < self.next_second {
            return false;
        }
        let elapsed = now - self.next_second + SECOND;
        self.next_second = now + SECOND;
        let loads = self.members.values().map(|member| &*member.load);
        Load::settle(loads, loaded::now(), elapsed);
        let (attempts, is_new) = self.count();
        self.inner.counters.attempts(attempts);
        self.inner.retries.turn(elapsed.as_secs(), attempts);
        let mut has_changed = self.eject_rows() || is_new;
        if now >= self.next_interval {
            self.next_interval = later(now, self.inner.settings.eject.every());
            has_changed |= self.eject_counts();
        }
        has_changed |= self.replace_used_up();
        self.probe(now);
        self.set_weights(now);
        has_changed
    }

    /// Ejects endpoints whose calls fail one after another.
    fn eject_rows(&mut self) -> bool {
        let now = Duration::from_nanos(loaded::now());
        let members = self.members.values_mut().filter(|it| it.is_used());
        let mut rows: Vec<_> = members
            .map(|member| (member.load.failures_in_a_row(), &mut member.standing))
            .collect();
        let ejected = self.inner.settings.eject.look_at_rows(now, &mut rows);
        let ejected = ejected.into_iter();
        self.on_ejected(ejected.map(|index| (index, Reason::Row)).collect())
    }

    /// Takes what calls have counted since the last second. Returns how many have ended, and whether an endpoint has a latency
    /// that had none, which is something to publish.
    fn count(&mut self) -> (u64, bool) {
        let (mut all, mut is_new) = (0, false);
        for member in self.members.values_mut() {
            let counts = member.load.look();
            let calls = u64::from(counts.successes) + u64::from(counts.failures);
            let is_sampled = member.load.is_sampled();
            is_new |= is_sampled && !member.has_latency;
            member.has_latency = is_sampled;
            member.counts.add(counts);
            all += calls;
        }
        (all, is_new)
    }

    /// Ejects endpoints by what was counted in an interval.
    fn eject_counts(&mut self) -> bool {
        let now = Duration::from_nanos(loaded::now());
        let members = self.members.values_mut().filter(|it| it.is_used());
        let mut counts: Vec<_> = members
            .map(|member| (std::mem::take(&mut member.counts), &mut member.standing))
            .collect();
        let ejected = self.inner.settings.eject.look_at_counts(now, &mut counts);
        self.on_ejected(ejected)
    }

    fn on_ejected(&mut self, ejected: Vec<(usize, Reason)>) -> bool {
        for (index, reason) in &ejected {
            let mut used = self.members.values().filter(|it| it.is_used());
            let member = used.nth(*index).expect("one of them");
            info!(fleet = %self.inner.name, endpoint = %member.endpoint, "endpoint is ejected: {reason}");
            self.inner.counters.ejection();
        }
        !ejected.is_empty()
    }

    /// Asks servers whether they serve: those whose ejection is over, those that did not, and those that were quiet.
    fn probe(&mut self, now: Instant) {
        let time = Duration::from_nanos(loaded::now());
        let health = &self.inner.settings.health;
        for (key, member) in &mut self.members {
            let received: u64 = member
                .open()
                .map(|(connection, _)| connection.traffic().received_bytes)
                .sum();
            let is_quiet = received == std::mem::replace(&mut member.received, received);
            // Bytes say that a server is alive, not that it serves again.
            if member.health == Answer::Serving && !is_quiet {
                member.probe_at = member.probe_at.max(later(now, health.interval));
            }
            let is_return = member.standing.is_due(time);
            let is_due = is_return || (health.is_on && now >= member.probe_at);
            if member.probed.is_some() || !is_due {
                continue;
            }
            // A lame duck may be the process before.
            let open = member.open().min_by_key(|(_, is_lame)| *is_lame);
            let Some(connection) = open.map(|(open, _)| open.clone()) else {
                continue;
            };
            let on = Arc::clone(connection.shared());
            member.probed = Some(Arc::clone(&on));
            let (key, limit) = (Arc::clone(key), health.timeout);
            self.events.push(Box::pin(async move {
                let answer = timeout(limit, ask(connection)).await;
                Event::Probed(key, on, answer.unwrap_or(Some(Answer::Silent)))
            }));
        }
    }

    fn on_probed(&mut self, key: &str, on: &Arc<Shared>, answer: Option<Answer>) -> bool {
        let settings = &self.inner.settings;
        let mean = self.median();
        let Some(member) = self.members.get_mut(key) else {
            return false;
        };
        // The process that was asked may be gone, and its key that of another server.
        let probed = member.probed.take_if(|probed| Arc::ptr_eq(probed, on));
        if probed.is_none() {
            return false;
        }
        let now = Instant::now();
        let Some(health) = answer else {
            member.probe_at = now + AGAIN;
            return false;
        };
        let was = (member.health, member.standing.is_ejected());
        member.health = health;
        member.probe_at = match health {
            Answer::Serving => later(now, settings.health.interval),
            Answer::NotServing | Answer::Silent => now + AGAIN,
        };
        let time = Duration::from_nanos(loaded::now());
        if member.standing.is_due(time) {
            if health == Answer::Serving {
                member.standing.readmit();
                member.ready_since = None;
                let mean = mean.unwrap_or_else(|| member.load.mean());
                member.load.seed(loaded::now(), mean);
            } else if health == Answer::Silent {
                member.standing.eject(&settings.eject, time);
            }
            // One that says that it does not serve is asked again.
        }
        let is = (member.health, member.standing.is_ejected());
        if is != was {
            info!(fleet = %self.inner.name, endpoint = %member.endpoint, ?health, "endpoint was probed");
        }
        is != was
    }

    /// Publishes which connections take calls, and what is known about all members.
    fn publish(&mut self) {
        let now = Instant::now();
        // Servers outside of the subset do not fail.
        let used = || self.members.values().filter(|it| it.is_used());
        let count = |is: fn(&Member) -> bool| used().filter(|it| is(it)).count();
        let known = used().count();
        let ejected = count(|it| it.is_available() && it.standing.is_ejected());
        let unavailable = count(|it| !it.is_available());
        let was_panicking = self.is_panicking;
        self.is_panicking = is_panic(known, ejected, unavailable);
        self.inner.counters.panicking(self.is_panicking);
        if self.is_panicking && !was_panicking {
            warn!(fleet = %self.inner.name, ejected, unavailable, "more than half of the endpoints fail: ejection is ignored");
        }
        let mean = self.median();
        for member in self.members.values_mut() {
            let is_ejected = member.standing.is_ejected() && !self.is_panicking;
            if !member.is_available() || is_ejected {
                member.ready_since = None;
            } else if member.ready_since.is_none() {
                member.ready_since = Some(now);
                if let Some(mean) = mean.filter(|_| !member.load.is_sampled()) {
                    member.load.seed(loaded::now(), mean);
                }
            }
        }
        let weights = self.set_weights(now);
        let is_last_resort = self.is_last_resort();
        let members = self.members.values().zip(&weights);
        let ready = members.filter(|(_, weight)| **weight > 0.0);
        let ready = ready.map(|(member, _)| {
            let open = member
                .open()
                .filter(|(_, is_lame)| is_last_resort || !is_lame);
            Server {
                load: Arc::clone(&member.load),
                connections: open.map(|(connection, _)| connection.clone()).collect(),
            }
        });
        let ready: Vec<_> = ready.collect();
        let shown = self.members.values().map(Member::shown).collect();
        debug!(fleet = %self.inner.name, known = self.members.len(), ready = ready.len(), ejected, "published");
        self.inner
            .publish(Ready::new(ready), shown, self.is_discovered);
    }

    /// The mean time to the reply of a server in the middle of those that get calls.
    fn median(&self) -> Option<Duration> {
        let ready = self.members.values().filter(|it| it.ready_since.is_some());
        Load::median(ready.map(|member| &*member.load))
    }

    /// Whether no server is ready but those that want calls to go elsewhere: lame ducks, and servers that say that they do not serve.
    fn is_last_resort(&self) -> bool {
        let mut ready = self.members.values().filter(|it| it.ready_since.is_some());
        !ready.any(Member::has_fresh)
    }

    /// How long a server has been one that gets calls.
    fn ready_for(&self, member: &Member, is_last_resort: bool, now: Instant) -> Option<Duration> {
        let is_ejected = member.standing.is_ejected() && !self.is_panicking;
        match is_last_resort {
            false => member.ready_for(now).filter(|_| member.has_fresh()),
            // Nobody else takes the calls while it starts slowly.
            true => (member.is_last_resort() && !is_ejected).then_some(SLOW_START),
        }
    }

    fn set_weights(&self, now: Instant) -> Vec<f32> {
        let zone = self.inner.settings.zone.as_deref();
        let is_last_resort = self.is_last_resort();
        let candidates: Vec<_> = self
            .members
            .values()
            .map(|member| Candidate {
                weight: member.endpoint.weight(),
                ready_for: self.ready_for(member, is_last_resort, now),
                is_in_zone: zone.is_some() && member.is_used() && member.endpoint.zone() == zone,
            })
            .collect();
        let weights = weights(&candidates);
        for (member, weight) in self.members.values().zip(&weights) {
            member.load.set_weight(*weight);
        }
        weights
    }
}

/// However the task ends, the fleet ends with it, so that no call waits for it: with the last client, with its runtime, or because
/// discovery has panicked.
impl Drop for Task {
    fn drop(&mut self) {
        self.inner.close();
        self.inner
            .publish(Ready::default(), Vec::new(), self.is_discovered);
    }
}

/// The next change; never, when discovery has ended.
async fn next(changes: &mut Option<Changes>) -> Option<Result<Change, super::DiscoverError>> {
    match changes {
        Some(changes) => changes.next().await,
        None => poll_fn(|_| std::task::Poll::Pending).await,
    }
}

/// Waits until the end of a connection is in sight, in another way than `known`.
async fn leaving(of: LinkId, shared: Arc<Shared>, known: Option<Sign>) -> Event {
    let sign = shared.until_end_in_sight(known).await;
    Event::Leaving(of, sign)
}

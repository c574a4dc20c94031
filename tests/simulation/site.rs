//! A server, clients and the network between them, and the faults that happen to it.

use std::time::Duration;

use sockety::config::Extension;
use tokio::sync::watch;
use turmoil::{Builder, Sim};

use crate::client::Client;
use crate::dice::Dice;
use crate::history::History;
use crate::link::{PACKETS, Valve};
use crate::server::{Order, Server};
use crate::{LAST, SECOND};

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// Packets between client and server wait, as those that TCP sends again.
    Hold,
    Release,
    /// They are lost from now on, in both directions or in one.
    Cut,
    CutToServer,
    CutToClient,
    /// What comes to one side waits in front of it.
    Shut(Side),
    Open(Side),
    /// The server has gone; silently if the network says nothing about it.
    Crash {
        silently: bool,
    },
    Restart,
    /// The server sends its clients away.
    Order(Order),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    Client,
    Server,
}

/// Nothing of a server is left this long after its clients have gone: the longest silence, and a quiet look at the clock.
const SILENT: Duration = Duration::from_secs(110);

pub(crate) struct Site<'a> {
    sim: Sim<'a>,
    pub(crate) history: History,
    orders: watch::Sender<Order>,
    /// What both sides offer.
    extension: Extension,
    pub(crate) to_client: Valve,
    to_server: Valve,
    events: Vec<(Duration, Event)>,
    /// Bytes of streams that may be between writers and readers.
    budget: Option<(u64, u64)>,
}

impl Site<'_> {
    /// Packets take at most this long.
    pub(crate) fn new(dice: &mut Dice, latency: Duration) -> Self {
        // What is finer costs time and finds nothing more in long runs.
        let tick = Duration::from_millis(dice.pick(&[10, 20]));
        let sim = Builder::new()
            .rng_seed(dice.seed())
            .tick_duration(tick)
            .simulation_duration(3600 * SECOND)
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(latency)
            .tcp_capacity(PACKETS)
            .enable_random_order()
            .build();
        let history = History::default();
        LAST.set(history.clone());
        let (orders, received) = watch::channel(Order::Serve);
        let to_server = Valve::default();
        let extension = dice.pick(&[Extension::Off, Extension::Auto]);
        let server = Server {
            extension,
            history: history.clone(),
            valve: to_server.clone(),
            orders: received,
        };
        let mut site = Self {
            sim,
            history,
            orders,
            extension,
            to_client: Valve::default(),
            to_server,
            events: Vec::new(),
            budget: None,
        };
        site.sim.host("server", move || server.clone().run());
        site
    }

    /// The client that faults happen to, with callers of all kinds.
    pub(crate) fn client(&mut self, dice: &mut Dice, callers: usize, time: Duration) {
        let client = self.new_client("client", dice, callers, time);
        self.sim.client("client", client.run());
    }

    /// One that faults do not happen to.
    pub(crate) fn bystander(&mut self, dice: &mut Dice, time: Duration) {
        let mut client = self.new_client("bystander", dice, 0, time);
        client.valve = Valve::default();
        client.pings = true;
        self.sim.client("bystander", client.run());
    }

    pub(crate) fn new_client(
        &self,
        name: &'static str,
        dice: &mut Dice,
        callers: usize,
        time: Duration,
    ) -> Client {
        Client {
            name,
            extension: self.extension,
            history: self.history.clone(),
            dice: dice.split(),
            callers,
            largest: dice.pick(&[2_000, 100_000, 600_000]),
            pings: false,
            time,
            valve: self.to_client.clone(),
        }
    }

    pub(crate) fn add<F>(&mut self, name: &str, client: F)
    where
        F: Future<Output = turmoil::Result> + 'static,
    {
        self.sim.client(name, client);
    }

    pub(crate) fn at(&mut self, time: Duration, event: Event) {
        self.events.push((time, event));
    }

    /// Limits what is between the writers and the readers of streams: of each, and of all.
    pub(crate) fn limit(&mut self, each: u64, all: u64) {
        self.budget = Some((each, all));
    }

    /// Runs until all clients have ended and nothing is left, and checks what holds always.
    pub(crate) fn run(mut self) -> History {
        self.events.sort_by_key(|(at, _)| *at);
        while !self.sim.step().expect("no host fails") {
            self.happen();
            self.check_budget();
        }
        let end = self.sim.elapsed() + SILENT;
        while self.history.tasks_of("server") > 0 {
            assert!(self.sim.elapsed() < end, "the server still has tasks");
            self.sim.step().expect("no host fails");
        }
        for client in ["client", "bystander"] {
            assert_eq!(self.history.tasks_of(client), 0, "tasks of the {client}");
        }
        self.history.check();
        self.history
    }

    fn happen(&mut self) {
        while let Some((at, event)) = self.events.first().copied() {
            if at > self.sim.elapsed() {
                return;
            }
            self.events.remove(0);
            self.apply(event);
        }
    }

    fn apply(&mut self, event: Event) {
        let sim = &mut self.sim;
        match event {
            Event::Hold => sim.hold("client", "server"),
            Event::Release => sim.release("client", "server"),
            Event::Cut => sim.partition("client", "server"),
            Event::CutToServer => sim.partition_oneway("client", "server"),
            Event::CutToClient => sim.partition_oneway("server", "client"),
            Event::Shut(side) => self.valve(side).shut(),
            Event::Open(side) => self.valve(side).open(),
            Event::Crash { silently } => {
                if silently {
                    sim.partition("client", "server");
                }
                sim.crash("server");
            }
            Event::Restart => {
                sim.bounce("server");
                sim.repair("client", "server");
            }
            Event::Order(order) => drop(self.orders.send(order)),
        }
    }

    fn valve(&self, side: Side) -> &Valve {
        match side {
            Side::Client => &self.to_client,
            Side::Server => &self.to_server,
        }
    }

    fn check_budget(&self) {
        let Some((each, all)) = self.budget else {
            return;
        };
        let (most, sum) = self.history.between();
        let at = self.sim.elapsed();
        assert!(
            most <= each,
            "{at:?}: {most} bytes of a stream are on their way"
        );
        assert!(
            sum <= all,
            "{at:?}: {sum} bytes of streams are on their way"
        );
    }
}

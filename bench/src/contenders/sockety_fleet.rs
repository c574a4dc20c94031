//! Sockety with several servers: a fleet, and the same calls spread by hand, which says what spreading costs by itself.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use bytes::Bytes;
use sockety::{Options, fleet::EndpointState};

use super::sockety_typed::{BenchClient, Sockety, connect_to};
use crate::{
    Result,
    calls::Client,
    contender::{About, Contender, Serving, Target},
    workload::Workload,
};

pub struct SocketyFleet;

impl Contender for SocketyFleet {
    type Client = BenchClient;

    const ABOUT: About = About {
        name: "sockety-fleet",
        settings: "`Options::trusted()`, a connection to each server, balanced by the fleet",
        workloads: &[Workload::W14],
        tls: false,
        ..Sockety::ABOUT
    };

    async fn serve(serving: Serving) -> Result<()> {
        Sockety::serve(serving).await
    }

    async fn connect(target: &Target) -> Result<BenchClient> {
        let addresses: Vec<_> = target.addresses.iter().map(ToString::to_string).collect();
        let fleet = BenchClient::fleet(addresses.join(",")).options(Options::trusted());
        let fleet = fleet.await?;
        let is_ready = || {
            let endpoints = fleet.endpoints();
            let mut states = endpoints.iter().map(|endpoint| endpoint.state);
            states.all(|state| state == EndpointState::Ready)
        };
        while !is_ready() {
            fleet.changed().await;
        }
        Ok(fleet.client())
    }
}

pub struct SocketySpread;

impl Contender for SocketySpread {
    type Client = Spread;

    const ABOUT: About = About {
        name: "sockety-spread",
        settings: "`Options::trusted()`, a connection to each server, calls in turn, without a fleet",
        ..SocketyFleet::ABOUT
    };

    async fn serve(serving: Serving) -> Result<()> {
        Sockety::serve(serving).await
    }

    async fn connect(target: &Target) -> Result<Spread> {
        let mut servers = Vec::new();
        for &address in &target.addresses {
            servers.push(connect_to(address, target).await?);
        }
        Ok(Spread {
            servers: servers.into(),
            turn: Arc::default(),
        })
    }
}

#[derive(Clone)]
pub struct Spread {
    servers: Arc<[BenchClient]>,
    turn: Arc<AtomicUsize>,
}

impl Client for Spread {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        let turn = self.turn.fetch_add(1, Relaxed) % self.servers.len();
        Ok(self.servers[turn].echo(payload).await?)
    }
}

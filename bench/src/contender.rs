use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::{
    Result,
    calls::Client,
    plan::Runtime,
    tls::Identity,
    workload::{Case, Workload},
};

/// Something that is measured: a way to serve and a way to call. One module each.
pub trait Contender: 'static {
    type Client: Client;

    const ABOUT: About;

    /// Serves for ever, and counts what it executes with [`control::executed`](crate::control::executed).
    fn serve(serving: Serving) -> impl Future<Output = Result<()>> + Send;

    /// Connects; every client has a connection of its own, which its clones share.
    fn connect(target: &Target) -> impl Future<Output = Result<Self::Client>> + Send;
}

/// What the report says of a contender, and what it takes part in.
#[derive(Debug, Clone, Copy)]
pub struct About {
    pub name: &'static str,
    pub kind: Kind,
    /// The crates whose versions belong to its figures.
    pub crates: &'static [&'static str],
    /// What was set, against its defaults.
    pub settings: &'static str,
    pub runtime: Runtime,
    pub workloads: &'static [Workload],
    /// Whether it does the cases with TLS.
    pub tls: bool,
}

/// What a contender is to the goals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// What is measured against the others.
    Ours,
    /// Not usable as it is: what the machine allows at most.
    Limit,
    /// An RPC framework whose calls are those of the workloads.
    Peer,
    /// Calls by hand over a stream of a framework.
    Streams,
}

impl About {
    pub fn does(&self, case: &Case) -> bool {
        self.workloads.contains(&case.workload) && (self.tls || !case.tls)
    }
}

pub struct Serving {
    pub listener: TcpListener,
    pub tls: bool,
    pub identity: Identity,
    /// The folder for files.
    pub directory: PathBuf,
}

#[derive(Debug, Clone)]
pub struct Target {
    /// Of all servers, of which there is one except in W14.
    pub addresses: Vec<SocketAddr>,
    pub tls: bool,
    /// PEM, of the server, its own root.
    pub certificate: String,
    /// The folder for files.
    pub directory: PathBuf,
}

impl Target {
    /// Of the first server.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }
}

use std::{net::SocketAddr, path::PathBuf};

use bytes::Bytes;
use tokio::net::TcpListener;

use crate::{
    Result,
    clock::Window,
    load::{self, Echo, Records, Tally, Upload},
    payloads::Record,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    pub address: SocketAddr,
    pub tls: bool,
    /// PEM, of the server, its own root.
    pub certificate: String,
    /// The folder for files.
    pub directory: PathBuf,
}

/// The calling side. What a contender does not take part in, it leaves out.
pub trait Client: Clone + Send + Sync + 'static {
    fn echo(&self, _payload: Bytes) -> impl Future<Output = Result<Bytes>> + Send {
        async { missing() }
    }

    /// Calls without parameters and result.
    fn nothing(&self) -> impl Future<Output = Result<()>> + Send {
        async { missing() }
    }

    /// Sends so many one-way messages; ready when there is room for more.
    fn notify(&self, _payload: &Bytes, _count: usize) -> impl Future<Output = Result<()>> + Send {
        async { missing() }
    }

    /// Gives the length that the server saw.
    fn upload(&self, _payload: Bytes) -> impl Future<Output = Result<u64>> + Send {
        async { missing() }
    }

    fn records(&self, _records: Vec<Record>) -> impl Future<Output = Result<Vec<Record>>> + Send {
        async { missing() }
    }

    /// Streams the chunk so often; gives the bytes that the server saw.
    fn stream(&self, _chunk: Bytes, _count: u64) -> impl Future<Output = Result<u64>> + Send {
        async { missing() }
    }

    /// Has the server store a file; gives the bytes that it stored.
    fn file(&self, _path: PathBuf) -> impl Future<Output = Result<u64>> + Send {
        async { missing() }
    }

    /// Echoes on all clients, with so many in flight on each.
    fn echo_load(
        clients: &[Self],
        in_flight: usize,
        window: Window,
    ) -> impl Future<Output = Result<Tally>> + Send {
        load::closed_loop::<Echo, Self>(clients, in_flight, window)
    }

    fn upload_load(
        clients: &[Self],
        in_flight: usize,
        window: Window,
    ) -> impl Future<Output = Result<Tally>> + Send {
        load::closed_loop::<Upload, Self>(clients, in_flight, window)
    }

    fn records_load(
        clients: &[Self],
        in_flight: usize,
        window: Window,
    ) -> impl Future<Output = Result<Tally>> + Send {
        load::closed_loop::<Records, Self>(clients, in_flight, window)
    }
}

fn missing<T>() -> Result<T> {
    Err("this contender does not do that".into())
}

//! The calls of the workloads: what a client can do, and operations that repeat a call and check its reply.

use std::{any::Any, path::PathBuf, sync::LazyLock};

use bytes::Bytes;

use crate::{
    Result,
    clock::Window,
    load::{self, Operation, Tally},
    payloads::{MIB, Record, large, records, small},
};

/// The calling side. What a contender does not take part in, it leaves out.
pub trait Client: Clone + Send + Sync + 'static {
    fn echo(&self, _payload: Bytes) -> impl Future<Output = Result<Bytes>> + Send {
        async { missing() }
    }

    /// Calls without parameters and result.
    fn nothing(&self) -> impl Future<Output = Result<()>> + Send {
        async { missing() }
    }

    /// Sends `count` one-way messages. Ready when there is room for more.
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

    /// Streams the chunk `count` times. Returns the bytes that the server received.
    fn stream(&self, _chunk: Bytes, _count: u64) -> impl Future<Output = Result<u64>> + Send {
        async { missing() }
    }

    /// Has the server store a file. Returns the bytes that it stored.
    fn file(&self, _path: PathBuf) -> impl Future<Output = Result<u64>> + Send {
        async { missing() }
    }

    /// Calls with a stream from the server, and if told so with one to the server too. The first item of the former is the payload,
    /// and also of the latter. Returns what keeps them open.
    fn hold(&self, _payload: Bytes, _both_ways: bool) -> impl Future<Output = Result<Held>> + Send {
        async { missing() }
    }

    /// Echoes on all clients, with `in_flight` calls on each.
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

/// Keeps streams open until it is dropped.
pub type Held = Box<dyn Any + Send>;

fn missing<T>() -> Result<T> {
    Err("this contender does not do that".into())
}

pub struct Echo {
    payload: Bytes,
}

impl<C: Client> Operation<C> for Echo {
    fn new(task: usize) -> Self {
        Self {
            payload: small(task),
        }
    }

    async fn call(&mut self, client: &C) -> Result<()> {
        let reply = client.echo(self.payload.clone()).await?;
        match reply == self.payload {
            true => Ok(()),
            false => Err("the echo differs".into()),
        }
    }
}

pub struct Nothing;

impl<C: Client> Operation<C> for Nothing {
    fn new(_task: usize) -> Self {
        Self
    }

    async fn call(&mut self, client: &C) -> Result<()> {
        client.nothing().await
    }
}

/// A one-way message at a time.
pub struct Note {
    payload: Bytes,
}

impl<C: Client> Operation<C> for Note {
    fn new(task: usize) -> Self {
        Self {
            payload: small(task),
        }
    }

    async fn call(&mut self, client: &C) -> Result<()> {
        client.notify(&self.payload, 1).await
    }
}

pub struct Upload {
    payload: Bytes,
}

impl Upload {
    /// All calls send the same bytes, as those of the limit do: more would not fit in all caches.
    pub fn payload() -> Bytes {
        static PAYLOAD: LazyLock<Bytes> = LazyLock::new(|| large(MIB));
        PAYLOAD.clone()
    }
}

impl<C: Client> Operation<C> for Upload {
    fn new(_task: usize) -> Self {
        Self {
            payload: Self::payload(),
        }
    }

    async fn call(&mut self, client: &C) -> Result<()> {
        match client.upload(self.payload.clone()).await? {
            length if length == MIB as u64 => Ok(()),
            length => Err(format!("{length} bytes arrived").into()),
        }
    }
}

pub struct Records {
    records: Vec<Record>,
    calls: u64,
}

/// Comparing takes time that is not the contender's.
const SAMPLED: u64 = 64;

impl<C: Client> Operation<C> for Records {
    fn new(task: usize) -> Self {
        Self {
            records: records(task),
            calls: 0,
        }
    }

    async fn call(&mut self, client: &C) -> Result<()> {
        let reply = client.records(self.records.clone()).await?;
        let sampled = self.calls.is_multiple_of(SAMPLED);
        self.calls += 1;
        match reply.len() == self.records.len() && (!sampled || reply == self.records) {
            true => Ok(()),
            false => Err("the records differ".into()),
        }
    }
}

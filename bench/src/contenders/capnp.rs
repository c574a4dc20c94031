//! Cap'n Proto RPC. What it makes cannot leave its thread, so each process has a thread for it, with a runtime of its own; the
//! runtime of the process waits. `bench_capnp.rs` is generated and checked in: the README says how.

#[allow(clippy::all, clippy::or_fun_call, clippy::use_self)]
#[allow(unused_qualifications, elided_lifetimes_in_paths, dead_code)]
#[rustfmt::skip]
mod bench_capnp;

use std::{cell::RefCell, rc::Rc, sync::OnceLock, thread, time::Instant};

use bytes::Bytes;
use capnp::message::ReaderOptions;
use capnp_rpc::{RpcSystem, rpc_twoparty_capnp::Side, twoparty::VatNetwork};
use futures_util::io::{BufReader, BufWriter};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::{JoinSet, LocalSet, spawn_local},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

use self::bench_capnp::bench;
use crate::{
    Error, Result,
    calls::{Client, Upload},
    clock::Window,
    contender::{About, Contender, Kind, Serving, Target},
    control,
    link::{Link, accept},
    load::{SharedTally, Tally},
    payloads::{Record, records, small},
    plan::Runtime,
    tls,
    workload::Workload,
};

pub struct Capnp;

impl Contender for Capnp {
    type Client = CapnpClient;

    const ABOUT: About = About {
        name: "capnp-rpc",
        kind: Kind::Peer,
        crates: &["capnp-rpc", "capnp"],
        settings: "buffers of 64 KiB around the socket; a thread with `current_thread` and a `LocalSet`",
        runtime: Runtime::Current,
        workloads: &[
            Workload::W1,
            Workload::W2,
            Workload::W3,
            Workload::W5,
            Workload::W7,
            Workload::W8,
            Workload::W11,
            Workload::W12,
        ],
        tls: true,
    };

    async fn serve(serving: Serving) -> Result<()> {
        let acceptor = match serving.tls {
            true => Some(TlsAcceptor::from(tls::server(&serving.identity)?)),
            false => None,
        };
        let listener = serving.listener.into_std()?;
        local(move |_| async move {
            let listener = TcpListener::from_std(listener)?;
            loop {
                let (stream, acceptor) = (accept(&listener).await?, acceptor.clone());
                spawn_local(async move {
                    let link = match acceptor {
                        Some(acceptor) => {
                            Link::Tls(Box::new(acceptor.accept(stream).await?.into()))
                        }
                        None => Link::Plain(stream),
                    };
                    let desk: bench::Client = capnp_rpc::new_client(Desk);
                    let network = network(link, Side::Server);
                    RpcSystem::new(Box::new(network), Some(desk.client)).await?;
                    Ok::<_, Error>(())
                });
            }
        })
        .await
    }

    async fn connect(target: &Target) -> Result<CapnpClient> {
        let target = target.clone();
        local(move |all| async move {
            let network = network(Link::connect(&target).await?, Side::Client);
            let mut system = RpcSystem::new(Box::new(network), None);
            let remote = system.bootstrap(Side::Server);
            spawn_local(system);
            let mut all = all.borrow_mut();
            all.push(remote);
            Ok(CapnpClient {
                index: all.len() - 1,
            })
        })
        .await
    }
}

type Network = VatNetwork<BufReader<tokio_util::compat::Compat<super::super::link::Reader>>>;

fn network(link: Link, side: Side) -> Network {
    const BUFFER: usize = 64 * 1024;
    let (reader, writer) = link.split();
    let reader = BufReader::with_capacity(BUFFER, reader.compat());
    let writer = BufWriter::with_capacity(BUFFER, writer.compat_write());
    VatNetwork::new(reader, writer, side, ReaderOptions::new())
}

/// The clients of the thread, by their numbers.
type Clients = Rc<RefCell<Vec<bench::Client>>>;
type Job = Box<dyn FnOnce(Clients) + Send>;

/// Does something on the thread of Cap'n Proto.
async fn local<T, F, R>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(Clients) -> R + Send + 'static,
    R: Future<Output = Result<T>> + 'static,
{
    static THREAD: OnceLock<mpsc::UnboundedSender<Job>> = OnceLock::new();
    let jobs = THREAD.get_or_init(|| {
        let (sender, jobs) = mpsc::unbounded_channel();
        thread::spawn(|| run(jobs));
        sender
    });
    let (result, done) = oneshot::channel();
    let job: Job = Box::new(|clients| {
        let working = work(clients);
        spawn_local(async {
            let _ = result.send(working.await);
        });
    });
    jobs.send(job).map_err(|_| "the thread has ended")?;
    done.await?
}

fn run(mut jobs: mpsc::UnboundedReceiver<Job>) -> Result<()> {
    let clients = Clients::default();
    let runtime = Runtime::Current.build(1)?;
    LocalSet::new().block_on(&runtime, async {
        while let Some(job) = jobs.recv().await {
            job(Rc::clone(&clients));
        }
    });
    Ok(())
}

struct Desk;

impl bench::Server for Desk {
    async fn echo(
        self: Rc<Self>,
        params: bench::EchoParams,
        mut results: bench::EchoResults,
    ) -> capnp::Result<()> {
        control::executed(1);
        results.get().set_payload(params.get()?.get_payload()?);
        Ok(())
    }

    async fn upload(
        self: Rc<Self>,
        params: bench::UploadParams,
        mut results: bench::UploadResults,
    ) -> capnp::Result<()> {
        control::executed(1);
        results
            .get()
            .set_bytes(params.get()?.get_payload()?.len() as u64);
        Ok(())
    }

    async fn records(
        self: Rc<Self>,
        params: bench::RecordsParams,
        mut results: bench::RecordsResults,
    ) -> capnp::Result<()> {
        control::executed(1);
        results.get().set_records(params.get()?.get_records()?)
    }
}

/// The number of a client, as itself it cannot leave its thread.
#[derive(Clone)]
pub struct CapnpClient {
    index: usize,
}

#[derive(Clone)]
enum Call {
    Echo(Bytes),
    Upload(Bytes),
    Records(Vec<Record>),
}

impl Client for CapnpClient {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        let index = self.index;
        let call = Call::Echo(payload.clone());
        local(move |all| async move {
            let client = all.borrow()[index].clone();
            call.make(&client).await
        })
        .await?;
        // The reply was compared.
        Ok(payload)
    }

    async fn echo_load(clients: &[Self], in_flight: usize, window: Window) -> Result<Tally> {
        load(clients, in_flight, window, |task| Call::Echo(small(task))).await
    }

    async fn upload_load(clients: &[Self], in_flight: usize, window: Window) -> Result<Tally> {
        load(clients, in_flight, window, |_| {
            Call::Upload(Upload::payload())
        })
        .await
    }

    async fn records_load(clients: &[Self], in_flight: usize, window: Window) -> Result<Tally> {
        load(clients, in_flight, window, |task| {
            Call::Records(records(task))
        })
        .await
    }
}

/// As [`load::closed_loop`](crate::load::closed_loop), on the thread of Cap'n Proto.
async fn load(
    clients: &[CapnpClient],
    in_flight: usize,
    window: Window,
    call: fn(usize) -> Call,
) -> Result<Tally> {
    let indices: Vec<usize> = clients.iter().map(|client| client.index).collect();
    local(move |all| async move {
        let tally = SharedTally::default();
        let mut tasks = JoinSet::new();
        for task in 0..indices.len() * in_flight {
            let client = all.borrow()[indices[task % indices.len()]].clone();
            let (call, tally) = (call(task), tally.clone());
            tasks.spawn_local(async move {
                let mut begun = Instant::now();
                while begun < window.end {
                    call.make(&client).await?;
                    let ended = Instant::now();
                    tally.lock().record(&window, begun, ended);
                    begun = ended;
                }
                Ok::<_, Error>(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(tally.into_tally())
    })
    .await
}

impl Call {
    async fn make(&self, client: &bench::Client) -> Result<()> {
        let as_sent = match self {
            Self::Echo(payload) => {
                let mut request = client.echo_request();
                request.get().set_payload(payload);
                let reply = request.send().promise.await?;
                reply.get()?.get_payload()? == payload
            }
            Self::Upload(payload) => {
                let mut request = client.upload_request();
                request.get().set_payload(payload);
                let reply = request.send().promise.await?;
                reply.get()?.get_bytes() == payload.len() as u64
            }
            Self::Records(records) => {
                let mut request = client.records_request();
                let mut list = request.get().init_records(records.len() as u32);
                for (index, record) in (0..).zip(records) {
                    write(record, list.reborrow().get(index));
                }
                let reply = request.send().promise.await?;
                let replied = reply.get()?.get_records()?.iter().map(read);
                replied.collect::<Result<Vec<_>>>()? == *records
            }
        };
        match as_sent {
            true => Ok(()),
            false => Err("the reply differs".into()),
        }
    }
}

fn write(record: &Record, mut to: bench_capnp::record::Builder<'_>) {
    to.set_id(record.id);
    to.set_owner(record.owner);
    to.set_amount(record.amount);
    to.set_name(&record.name);
    to.set_city(&record.city);
    to.set_note(&record.note);
}

fn read(from: bench_capnp::record::Reader<'_>) -> Result<Record> {
    Ok(Record {
        id: from.get_id(),
        owner: from.get_owner(),
        amount: from.get_amount(),
        name: from.get_name()?.to_string()?,
        city: from.get_city()?.to_string()?,
        note: from.get_note()?.to_string()?,
    })
}

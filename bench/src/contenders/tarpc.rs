//! tarpc over TCP or TLS, with either of two serializations.

use std::{future::ready, io, marker::PhantomData};

use bytes::Bytes;
use futures_util::StreamExt;
use serde::{Serialize, de::DeserializeOwned};
use tarpc::{
    ClientMessage, Response,
    client::{self, stub::load_balance::RoundRobin},
    context, serde_transport,
    server::{self, BaseChannel, Channel},
    tokio_serde::{Deserializer, Serializer},
};
use tokio_serde::formats;
use tokio_util::codec::LengthDelimitedCodec;

use crate::{
    Result,
    calls::Client,
    contender::{About, Contender, Kind, Serving, Target},
    control,
    link::{Link, accept_each},
    payloads::{MIB, Record},
    plan::Runtime,
    workload::Workload,
};

#[tarpc::service]
pub trait Bench {
    async fn echo(payload: Bytes) -> Bytes;
    async fn upload(payload: Bytes) -> u64;
    async fn records(records: Vec<Record>) -> Vec<Record>;
}

#[derive(Clone)]
struct Desk;

impl Bench for Desk {
    async fn echo(self, _: context::Context, payload: Bytes) -> Bytes {
        control::executed(1);
        payload
    }

    async fn upload(self, _: context::Context, payload: Bytes) -> u64 {
        control::executed(1);
        payload.len() as u64
    }

    async fn records(self, _: context::Context, records: Vec<Record>) -> Vec<Record> {
        control::executed(1);
        records
    }
}

pub struct Tarpc<F>(PhantomData<F>);

/// A serialization.
pub trait Format: Send + 'static {
    const NAME: &'static str;

    fn codec<I, O>() -> impl Codec<I, O>
    where
        I: DeserializeOwned + Unpin + Send + 'static,
        O: Serialize + Unpin + Send + 'static;
}

pub trait Codec<I, O>:
    Serializer<O, Error = io::Error> + Deserializer<I, Error = io::Error> + Unpin + Send + 'static
{
}

impl<I, O, C> Codec<I, O> for C where
    C: Serializer<O, Error = io::Error>
        + Deserializer<I, Error = io::Error>
        + Unpin
        + Send
        + 'static
{
}

pub struct Bincode;

impl Format for Bincode {
    const NAME: &'static str = "tarpc-bincode";

    fn codec<I, O>() -> impl Codec<I, O>
    where
        I: DeserializeOwned + Unpin + Send + 'static,
        O: Serialize + Unpin + Send + 'static,
    {
        formats::Bincode::<I, O>::default()
    }
}

pub struct Msgpack;

impl Format for Msgpack {
    const NAME: &'static str = "tarpc-msgpack";

    fn codec<I, O>() -> impl Codec<I, O>
    where
        I: DeserializeOwned + Unpin + Send + 'static,
        O: Serialize + Unpin + Send + 'static,
    {
        formats::MessagePack::<I, O>::default()
    }
}

fn frames() -> tokio_util::codec::length_delimited::Builder {
    let mut builder = LengthDelimitedCodec::builder();
    builder.max_frame_length(8 * MIB);
    builder
}

impl<F: Format> Contender for Tarpc<F> {
    type Client = BenchClient;

    const ABOUT: About = About {
        name: F::NAME,
        kind: Kind::Peer,
        crates: &["tarpc", "tokio-serde"],
        settings: "frames up to 8 MiB, buffers of 4,096 requests and responses, a task per request",
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
            Workload::W13,
        ],
        tls: true,
    };

    async fn serve(serving: Serving) -> Result<()> {
        accept_each(serving, |link| async {
            let codec = F::codec::<ClientMessage<BenchRequest>, Response<BenchResponse>>();
            let transport = serde_transport::new(frames().new_framed(link), codec);
            let config = server::Config {
                pending_response_buffer: 4096,
            };
            BaseChannel::new(config, transport)
                .execute(Desk.serve())
                .for_each(|response| {
                    tokio::spawn(response);
                    ready(())
                })
                .await;
            Ok(())
        })
        .await
    }

    async fn connect(target: &Target) -> Result<BenchClient> {
        Ok(stub::<F>(Link::connect(target).await?).into())
    }
}

type Stub = client::Channel<BenchRequest, BenchResponse>;

fn stub<F: Format>(link: Link) -> Stub {
    let codec = F::codec::<Response<BenchResponse>, ClientMessage<BenchRequest>>();
    let transport = serde_transport::new(frames().new_framed(link), codec);
    let mut config = client::Config::default();
    config.max_in_flight_requests = 4096;
    config.pending_request_buffer = 4096;
    client::new(config, transport).spawn()
}

/// Calls over several servers, in turn, by tarpc's balancer.
pub struct TarpcBalance;

impl Contender for TarpcBalance {
    type Client = BenchClient<RoundRobin<Stub>>;

    const ABOUT: About = About {
        name: "tarpc-balance",
        settings: "as tarpc-bincode, `RoundRobin` over a connection to each server",
        workloads: &[Workload::W14],
        tls: false,
        ..Tarpc::<Bincode>::ABOUT
    };

    async fn serve(serving: Serving) -> Result<()> {
        Tarpc::<Bincode>::serve(serving).await
    }

    async fn connect(target: &Target) -> Result<Self::Client> {
        let mut stubs = Vec::new();
        for &address in &target.addresses {
            stubs.push(stub::<Bincode>(Link::connect_to(address, target).await?));
        }
        Ok(RoundRobin::new(stubs).into())
    }
}

impl Client for BenchClient<RoundRobin<Stub>> {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        Ok(Self::echo(self, context::current(), payload).await?)
    }
}

impl Client for BenchClient {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        Ok(Self::echo(self, context::current(), payload).await?)
    }

    async fn upload(&self, payload: Bytes) -> Result<u64> {
        Ok(Self::upload(self, context::current(), payload).await?)
    }

    async fn records(&self, records: Vec<Record>) -> Result<Vec<Record>> {
        Ok(Self::records(self, context::current(), records).await?)
    }
}

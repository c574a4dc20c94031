//! gRPC by tonic. What is generated elsewhere is written by hand here, as `protoc` would be needed to generate it: messages
//! by prost's derive, and the glue between tonic and a service.

mod methods;
mod service;
mod streams;
mod transport;

use bytes::Bytes;
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Response, Status, client::Grpc, codegen::http::uri::PathAndQuery, transport::Channel,
};
use tonic_prost::ProstCodec;

pub use self::streams::TonicStream;
use self::{
    methods::{ECHO, ECHOES, RECORDS, SUBSCRIBE, UPLOAD},
    transport::{SETTINGS, channel, endpoint, serve},
};
use crate::{
    Result,
    calls::{Client, Held},
    contender::{About, Contender, Kind, Serving, Target},
    contenders::protobuf::{Payload, Records, Total},
    payloads::Record,
    plan::Runtime,
    workload::Workload,
};

pub struct Tonic;

impl Contender for Tonic {
    type Client = TonicClient;

    const ABOUT: About = About {
        name: "tonic",
        kind: Kind::Peer,
        crates: &["tonic", "prost"],
        settings: SETTINGS,
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
            Workload::W15,
        ],
        tls: true,
    };

    async fn serve(serving: Serving) -> Result<()> {
        serve(serving).await
    }

    async fn connect(target: &Target) -> Result<TonicClient> {
        let channel = channel(target).await?;
        Ok(TonicClient { channel })
    }
}

/// Calls over several servers, by tonic's balancer.
pub struct TonicBalance;

impl Contender for TonicBalance {
    type Client = TonicClient;

    const ABOUT: About = About {
        name: "tonic-balance",
        workloads: &[Workload::W14],
        tls: false,
        ..Tonic::ABOUT
    };

    async fn serve(serving: Serving) -> Result<()> {
        serve(serving).await
    }

    async fn connect(target: &Target) -> Result<TonicClient> {
        let endpoints: Vec<_> = (target.addresses.iter())
            .map(|address| endpoint(*address, target))
            .collect::<Result<_>>()?;
        let channel = Channel::balance_list(endpoints.into_iter());
        Ok(TonicClient { channel })
    }
}

#[derive(Clone)]
pub struct TonicClient {
    channel: Channel,
}

impl TonicClient {
    async fn unary<A, B>(&self, path: &'static str, message: A) -> Result<B, Status>
    where
        A: Message + 'static,
        B: Message + Default + 'static,
    {
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready()
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let path = PathAndQuery::from_static(path);
        let codec = ProstCodec::<A, B>::default();
        let reply = grpc.unary(Request::new(message), path, codec).await;
        reply.map(Response::into_inner)
    }
}

impl Client for TonicClient {
    async fn echo(&self, data: Bytes) -> Result<Bytes> {
        let reply: Payload = self.unary(ECHO, Payload { data }).await?;
        Ok(reply.data)
    }

    async fn upload(&self, data: Bytes) -> Result<u64> {
        let reply: Total = self.unary(UPLOAD, Payload { data }).await?;
        Ok(reply.bytes)
    }

    async fn hold(&self, data: Bytes, both_ways: bool) -> Result<Held> {
        let payload = Payload { data: data.clone() };
        let codec = ProstCodec::<Payload, Payload>::default();
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await?;
        let (items, sender) = match both_ways {
            true => {
                let (sender, payloads) = mpsc::channel(1);
                sender.send(payload).await?;
                let payloads = Request::new(ReceiverStream::new(payloads));
                let path = PathAndQuery::from_static(ECHOES);
                (grpc.streaming(payloads, path, codec).await?, Some(sender))
            }
            false => {
                let path = PathAndQuery::from_static(SUBSCRIBE);
                let items = grpc.server_streaming(Request::new(payload), path, codec);
                (items.await?, None)
            }
        };
        let mut items = items.into_inner();
        match items.message().await? {
            Some(item) if item.data == data => Ok(Box::new((sender, items))),
            _ => Err("the item differs".into()),
        }
    }

    async fn records(&self, records: Vec<Record>) -> Result<Vec<Record>> {
        let reply: Records = self.unary(RECORDS, Records { records }).await?;
        Ok(reply.records)
    }
}

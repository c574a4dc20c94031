//! gRPC by tonic. What is generated elsewhere is written by hand here, as `protoc` would be needed to generate it: messages
//! by prost's derive, and the glue between tonic and a service.

mod service;
mod streams;

use bytes::Bytes;
use prost::Message;
use tonic::{
    Request, Response, Status,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{
        Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig,
        server::TcpIncoming,
    },
};
use tonic_prost::ProstCodec;

use self::service::Desk;
pub use self::streams::TonicStream;
use crate::{
    Result,
    contender::{About, Client, Contender, Kind, Serving, Target},
    payloads::{MIB, Record},
    plan::Runtime,
    tls,
    workload::Workload,
};

#[derive(Clone, PartialEq, Message)]
pub struct Payload {
    #[prost(bytes = "bytes", tag = "1")]
    pub data: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub struct Total {
    #[prost(uint64, tag = "1")]
    pub bytes: u64,
}

#[derive(Clone, PartialEq, Message)]
pub struct Records {
    #[prost(message, repeated, tag = "1")]
    pub records: Vec<Record>,
}

const ECHO: &str = "/bench.Bench/Echo";
const UPLOAD: &str = "/bench.Bench/Upload";
const RECORDS: &str = "/bench.Bench/Records";
const ECHOES: &str = "/bench.Bench/Echoes";
const NOTES: &str = "/bench.Bench/Notes";
const STREAM: &str = "/bench.Bench/Stream";
const STORE: &str = "/bench.Bench/Store";

const WINDOW: u32 = 16 * MIB as u32;
const FRAME: u32 = MIB as u32;
const SETTINGS: &str = "windows of 16 MiB, frames up to 1 MiB, TCP_NODELAY";

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

async fn serve(serving: Serving) -> Result<()> {
    let mut server = Server::builder()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(FRAME)
        .max_concurrent_streams(None);
    if serving.tls {
        let identity = Identity::from_pem(&serving.identity.certificate, &serving.identity.key);
        server = server.tls_config(ServerTlsConfig::new().identity(identity))?;
    }
    let incoming = TcpIncoming::from(serving.listener).with_nodelay(Some(true));
    let desk = Desk::new(serving.directory);
    Ok(server
        .add_service(desk)
        .serve_with_incoming(incoming)
        .await?)
}

async fn channel(target: &Target) -> Result<Channel> {
    let scheme = if target.tls { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{}", target.address))?
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .tcp_nodelay(true);
    if target.tls {
        let certificate = Certificate::from_pem(&target.certificate);
        let config = ClientTlsConfig::new()
            .ca_certificate(certificate)
            .domain_name(tls::NAME);
        endpoint = endpoint.tls_config(config)?;
    }
    Ok(endpoint.connect().await?)
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

    async fn records(&self, records: Vec<Record>) -> Result<Vec<Record>> {
        let reply: Records = self.unary(RECORDS, Records { records }).await?;
        Ok(reply.records)
    }
}

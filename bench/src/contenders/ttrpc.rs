//! ttrpc. What is generated elsewhere is written by hand here: messages by prost's derive, and the tables of methods.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, stream};
use prost::Message;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use ttrpc::{
    asynchronous::{
        Client as Connection, MethodHandler, Server, Service, StreamHandler, StreamInner,
        TtrpcContext,
        transport::{Listener, Socket},
    },
    get_status,
    proto::{Code, Request, Response},
};

use super::protobuf::{Payload, Records, Total};
use crate::{
    Result,
    calls::Client,
    contender::{About, Contender, Kind, Serving, Target},
    control,
    link::{Link, accept},
    payloads::Record,
    plan::Runtime,
    tls,
    workload::Workload,
};

const SERVICE: &str = "bench.Bench";

pub struct Ttrpc;

impl Contender for Ttrpc {
    type Client = TtrpcClient;

    const ABOUT: About = About {
        name: "ttrpc",
        kind: Kind::Peer,
        crates: &["ttrpc", "prost"],
        settings: "defaults, TCP_NODELAY; W6 by its streams",
        runtime: Runtime::Current,
        workloads: &[
            Workload::W1,
            Workload::W2,
            Workload::W3,
            Workload::W5,
            Workload::W6,
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
        let links = accepted(serving.listener, acceptor);
        let mut server = Server::new()
            .add_listener(Listener::new(links))
            .register_service(HashMap::from([(SERVICE.to_owned(), service())]));
        server.start().await?;
        std::future::pending().await
    }

    async fn connect(target: &Target) -> Result<TtrpcClient> {
        let link = Link::connect(target).await?;
        Ok(TtrpcClient {
            connection: Connection::new(Socket::new(link)),
        })
    }
}

/// Connections, whose handshakes come one after another.
fn accepted(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
) -> impl Stream<Item = std::io::Result<Link>> {
    stream::unfold((listener, acceptor), |(listener, acceptor)| async {
        let link = link(&listener, acceptor.as_ref()).await;
        Some((link, (listener, acceptor)))
    })
}

async fn link(listener: &TcpListener, acceptor: Option<&TlsAcceptor>) -> std::io::Result<Link> {
    let stream = accept(listener).await?;
    match acceptor {
        Some(acceptor) => Ok(Link::Tls(Box::new(acceptor.accept(stream).await?.into()))),
        None => Ok(Link::Plain(stream)),
    }
}

fn service() -> Service {
    let echo = Method(|payload: Payload| payload);
    let upload = Method(|payload: Payload| Total {
        bytes: payload.data.len() as u64,
    });
    let records = Method(|records: Records| records);
    let methods: [(&str, Box<dyn MethodHandler + Send + Sync>); 3] = [
        ("Echo", Box::new(echo)),
        ("Upload", Box::new(upload)),
        ("Records", Box::new(records)),
    ];
    let streams: [(&str, Arc<dyn StreamHandler + Send + Sync>); 1] =
        [("Stream", Arc::new(Counting))];
    Service {
        methods: methods
            .map(|(name, method)| (name.to_owned(), method))
            .into(),
        streams: streams
            .map(|(name, stream)| (name.to_owned(), stream))
            .into(),
    }
}

struct Method<A, B>(fn(A) -> B);

#[async_trait::async_trait]
impl<A: Message + Default, B: Message> MethodHandler for Method<A, B> {
    async fn handler(&self, _: TtrpcContext, request: Request) -> ttrpc::Result<Response> {
        control::executed(1);
        let message = A::decode(Bytes::from(request.payload)).map_err(others)?;
        Ok(reply(&(self.0)(message)))
    }
}

struct Counting;

#[async_trait::async_trait]
impl StreamHandler for Counting {
    async fn handler(
        &self,
        _: TtrpcContext,
        mut stream: StreamInner,
    ) -> ttrpc::Result<Option<Response>> {
        let mut bytes = 0;
        loop {
            match stream.recv().await {
                Ok(message) => {
                    let payload = Payload::decode(Bytes::from(message)).map_err(others)?;
                    bytes += payload.data.len() as u64;
                }
                Err(ttrpc::Error::Eof) => return Ok(Some(reply(&Total { bytes }))),
                Err(error) => return Err(error),
            }
        }
    }
}

fn reply(message: &impl Message) -> Response {
    let mut response = Response::new();
    response.set_status(get_status(Code::OK, ""));
    response.payload = message.encode_to_vec();
    response
}

fn others(error: prost::DecodeError) -> ttrpc::Error {
    ttrpc::Error::Others(error.to_string())
}

#[derive(Clone)]
pub struct TtrpcClient {
    connection: Connection,
}

impl TtrpcClient {
    async fn call<B: Message + Default>(&self, method: &str, message: impl Message) -> Result<B> {
        let mut request = request(method);
        request.payload = message.encode_to_vec();
        let response = self.connection.request(request).await?;
        Ok(B::decode(Bytes::from(response.payload))?)
    }
}

fn request(method: &str) -> Request {
    let mut request = Request::new();
    request.service = SERVICE.to_owned();
    request.method = method.to_owned();
    request
}

impl Client for TtrpcClient {
    async fn echo(&self, data: Bytes) -> Result<Bytes> {
        Ok(self.call::<Payload>("Echo", Payload { data }).await?.data)
    }

    async fn upload(&self, data: Bytes) -> Result<u64> {
        Ok(self.call::<Total>("Upload", Payload { data }).await?.bytes)
    }

    async fn records(&self, records: Vec<Record>) -> Result<Vec<Record>> {
        let reply: Records = self.call("Records", Records { records }).await?;
        Ok(reply.records)
    }

    async fn stream(&self, chunk: Bytes, count: u64) -> Result<u64> {
        let mut stream = self
            .connection
            .new_stream(request("Stream"), true, false)
            .await?;
        for _ in 0..count {
            let payload = Payload {
                data: chunk.clone(),
            };
            stream.send(payload.encode_to_vec()).await?;
        }
        stream.close_send().await?;
        Ok(Total::decode(Bytes::from(stream.recv().await?))?.bytes)
    }
}

use std::{
    convert::Infallible,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use prost::Message;
use tokio::io::AsyncWriteExt;
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    codegen::{BoxFuture, Service, http},
    server::{
        ClientStreamingService, Grpc, NamedService, ServerStreamingService, StreamingService,
        UnaryService,
    },
};
use tonic_prost::ProstCodec;

use super::methods::{ECHO, ECHOES, NOTES, RECORDS, STORE, STREAM, SUBSCRIBE, UPLOAD};
use crate::{
    contenders::protobuf::{Payload, Records, Total},
    control,
    payloads::MIB,
};

/// The service behind all methods.
#[derive(Clone)]
pub struct Desk {
    directory: Arc<PathBuf>,
}

impl Desk {
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory: directory.into(),
        }
    }
}

impl NamedService for Desk {
    const NAME: &'static str = "bench.Bench";
}

impl Service<http::Request<Body>> for Desk {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match request.uri().path() {
            ECHO => Box::pin(unary(request, |payload: Payload| {
                control::executed(1);
                payload
            })),
            UPLOAD => Box::pin(unary(request, |payload: Payload| {
                control::executed(1);
                Total {
                    bytes: payload.data.len() as u64,
                }
            })),
            RECORDS => Box::pin(unary(request, |records: Records| {
                control::executed(1);
                records
            })),
            ECHOES => Box::pin(async {
                let mut grpc = Grpc::new(ProstCodec::<Payload, Payload>::default());
                Ok(grpc.streaming(Echoes, request).await)
            }),
            SUBSCRIBE => Box::pin(async {
                let mut grpc = Grpc::new(ProstCodec::<Payload, Payload>::default());
                Ok(grpc.server_streaming(Subscription, request).await)
            }),
            NOTES => Box::pin(collect(request, |payloads| Box::pin(notes(payloads)))),
            STREAM => Box::pin(collect(request, |payloads| Box::pin(count(payloads)))),
            STORE => {
                let path = self.directory.join("tonic");
                Box::pin(collect(request, |payloads| Box::pin(store(payloads, path))))
            }
            _ => Box::pin(async { Ok(Status::unimplemented("").into_http()) }),
        }
    }
}

async fn unary<A, B, F>(
    request: http::Request<Body>,
    handle: F,
) -> Result<http::Response<Body>, Infallible>
where
    A: Message + Default + 'static,
    B: Message + 'static,
    F: Fn(A) -> B + Send,
{
    let mut grpc = Grpc::new(ProstCodec::<B, A>::default());
    Ok(grpc.unary(Unary(handle), request).await)
}

struct Unary<F>(F);

impl<A, B, F: Fn(A) -> B> UnaryService<A> for Unary<F> {
    type Response = B;
    type Future = std::future::Ready<Result<Response<B>, Status>>;

    fn call(&mut self, request: Request<A>) -> Self::Future {
        std::future::ready(Ok(Response::new((self.0)(request.into_inner()))))
    }
}

type Totalling = Pin<Box<dyn Future<Output = Result<u64, Status>> + Send>>;

async fn collect<F>(
    request: http::Request<Body>,
    handle: F,
) -> Result<http::Response<Body>, Infallible>
where
    F: FnOnce(Streaming<Payload>) -> Totalling + Send,
{
    let mut grpc = Grpc::new(ProstCodec::<Total, Payload>::default());
    Ok(grpc.client_streaming(Collect(Some(handle)), request).await)
}

struct Collect<F>(Option<F>);

impl<F> ClientStreamingService<Payload> for Collect<F>
where
    F: FnOnce(Streaming<Payload>) -> Totalling,
{
    type Response = Total;
    type Future = BoxFuture<Response<Total>, Status>;

    fn call(&mut self, request: Request<Streaming<Payload>>) -> Self::Future {
        let handling = self.0.take().map(|handle| handle(request.into_inner()));
        Box::pin(async {
            let handling = handling.ok_or_else(|| Status::internal("called twice"))?;
            Ok(Response::new(Total {
                bytes: handling.await?,
            }))
        })
    }
}

async fn notes(mut payloads: Streaming<Payload>) -> Result<u64, Status> {
    let mut sum = 0;
    while let Some(_payload) = payloads.message().await? {
        control::executed(1);
        sum += 1;
    }
    Ok(sum)
}

async fn count(mut payloads: Streaming<Payload>) -> Result<u64, Status> {
    let mut sum = 0;
    while let Some(payload) = payloads.message().await? {
        sum += payload.data.len() as u64;
    }
    Ok(sum)
}

async fn store(mut payloads: Streaming<Payload>, path: PathBuf) -> Result<u64, Status> {
    let mut file = tokio::fs::File::create(path).await?;
    file.set_max_buf_size(MIB);
    let mut sum = 0;
    while let Some(payload) = payloads.message().await? {
        file.write_all(&payload.data).await?;
        sum += payload.data.len() as u64;
    }
    file.flush().await?;
    Ok(sum)
}

/// A stream of payloads, each of which is sent back.
struct Echoes;

impl StreamingService<Payload> for Echoes {
    type Response = Payload;
    type ResponseStream = BoxStream<'static, Result<Payload, Status>>;
    type Future = std::future::Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Payload>>) -> Self::Future {
        let echoes = request.into_inner().inspect(|_| control::executed(1));
        std::future::ready(Ok(Response::new(echoes.boxed())))
    }
}

/// A stream that has one item so far.
struct Subscription;

impl ServerStreamingService<Payload> for Subscription {
    type Response = Payload;
    type ResponseStream = BoxStream<'static, Result<Payload, Status>>;
    type Future = std::future::Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Payload>) -> Self::Future {
        control::executed(1);
        let items = stream::iter([Ok(request.into_inner())]).chain(stream::pending());
        std::future::ready(Ok(Response::new(items.boxed())))
    }
}

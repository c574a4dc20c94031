//! Calls by hand over one bidirectional stream of tonic, as replies come in the order of requests; and what streams are for.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use tokio::{
    fs::File,
    io::AsyncReadExt,
    sync::{mpsc, oneshot},
};
use tokio_stream::wrappers::{ReceiverStream, UnboundedReceiverStream};
use tonic::{Request, client::Grpc, codegen::http::uri::PathAndQuery, transport::Channel};
use tonic_prost::ProstCodec;

use super::{
    methods::{ECHOES, NOTES, STORE, STREAM},
    transport::{SETTINGS, channel, serve},
};
use crate::{
    Result,
    calls::Client,
    contender::{About, Contender, Kind, Serving, Target},
    contenders::protobuf::{Payload, Total},
    plan::Runtime,
    workload::Workload,
};

pub struct TonicStream;

impl Contender for TonicStream {
    type Client = StreamClient;

    const ABOUT: About = About {
        name: "tonic-stream",
        kind: Kind::Streams,
        crates: &["tonic", "prost"],
        settings: SETTINGS,
        runtime: Runtime::Current,
        workloads: &[
            Workload::W1,
            Workload::W2,
            Workload::W3,
            Workload::W4,
            Workload::W6,
            Workload::W9,
            Workload::W10,
            Workload::W11,
            Workload::W12,
        ],
        tls: true,
    };

    async fn serve(serving: Serving) -> Result<()> {
        serve(serving).await
    }

    async fn connect(target: &Target) -> Result<StreamClient> {
        let channel = channel(target).await?;
        let (requests, queue) = mpsc::unbounded_channel();
        let waiting = Arc::new(Mutex::new(Waiting {
            requests,
            replies: VecDeque::new(),
        }));
        tokio::spawn(receive(channel.clone(), queue, Arc::clone(&waiting)));
        Ok(StreamClient {
            channel,
            waiting,
            notes: Arc::default(),
        })
    }
}

#[derive(Clone)]
pub struct StreamClient {
    channel: Channel,
    waiting: Arc<Mutex<Waiting>>,
    notes: Arc<OnceLock<mpsc::Sender<Payload>>>,
}

/// The calls on the way, in order.
struct Waiting {
    requests: mpsc::UnboundedSender<Payload>,
    replies: VecDeque<oneshot::Sender<Bytes>>,
}

async fn receive(
    channel: Channel,
    queue: mpsc::UnboundedReceiver<Payload>,
    waiting: Arc<Mutex<Waiting>>,
) -> Result<()> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await?;
    let requests = Request::new(UnboundedReceiverStream::new(queue));
    let codec = ProstCodec::<Payload, Payload>::default();
    let path = PathAndQuery::from_static(ECHOES);
    let mut replies = grpc.streaming(requests, path, codec).await?.into_inner();
    while let Some(reply) = replies.message().await? {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let caller = waiting.replies.pop_front().ok_or("a reply to nothing")?;
        let _ = caller.send(reply.data);
    }
    Ok(())
}

async fn collect(
    channel: Channel,
    path: &'static str,
    payloads: impl Stream<Item = Payload> + Send + 'static,
) -> Result<u64> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await?;
    let codec = ProstCodec::<Payload, Total>::default();
    let path = PathAndQuery::from_static(path);
    let reply = grpc
        .client_streaming(Request::new(payloads), path, codec)
        .await?;
    Ok(reply.into_inner().bytes)
}

impl StreamClient {
    /// The stream of notes, which is opened for the first.
    fn notes(&self) -> &mpsc::Sender<Payload> {
        self.notes.get_or_init(|| {
            let (sender, notes) = mpsc::channel(4096);
            tokio::spawn(collect(
                self.channel.clone(),
                NOTES,
                ReceiverStream::new(notes),
            ));
            sender
        })
    }
}

impl Client for StreamClient {
    async fn echo(&self, data: Bytes) -> Result<Bytes> {
        let (caller, reply) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.replies.push_back(caller);
            waiting.requests.send(Payload { data })?;
        }
        Ok(reply.await?)
    }

    async fn notify(&self, payload: &Bytes, count: usize) -> Result<()> {
        for _ in 0..count {
            let data = payload.clone();
            self.notes().send(Payload { data }).await?;
        }
        Ok(())
    }

    async fn stream(&self, chunk: Bytes, count: u64) -> Result<u64> {
        let chunks = stream::iter(0..count).map(move |_| Payload {
            data: chunk.clone(),
        });
        collect(self.channel.clone(), STREAM, chunks).await
    }

    async fn file(&self, path: PathBuf) -> Result<u64> {
        let (sender, chunks) = mpsc::channel(4);
        let reading = read(path, sender);
        let chunks = ReceiverStream::new(chunks);
        let storing = collect(self.channel.clone(), STORE, chunks);
        let ((), stored) = tokio::try_join!(reading, storing)?;
        Ok(stored)
    }
}

async fn read(path: PathBuf, chunks: mpsc::Sender<Payload>) -> Result<()> {
    const CHUNK: usize = 256 * 1024;
    let mut file = File::open(path).await?;
    loop {
        let mut buffer = BytesMut::with_capacity(CHUNK);
        if file.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        let data = buffer.freeze();
        chunks.send(Payload { data }).await?;
    }
}

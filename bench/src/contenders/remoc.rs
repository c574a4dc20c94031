//! Remoc: remote traits, and its channels for what is one-way or a stream.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use remoc::{
    ConnectExt, codec, rch,
    rtc::{self, CallError, ServerShared},
};
use tokio::sync::Mutex;

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

#[rtc::remote]
pub trait Bench {
    async fn echo(&self, payload: Bytes) -> Result<Bytes, CallError>;
    async fn upload(&self, payload: Bytes) -> Result<u64, CallError>;
    async fn records(&self, records: Vec<Record>) -> Result<Vec<Record>, CallError>;
    async fn notes(&self, notes: rch::mpsc::Receiver<Bytes>) -> Result<(), CallError>;
    async fn stream(&self, bytes: rch::bin::Receiver) -> Result<u64, CallError>;
}

struct Desk;

impl Bench for Desk {
    async fn echo(&self, payload: Bytes) -> Result<Bytes, CallError> {
        control::executed(1);
        Ok(payload)
    }

    async fn upload(&self, payload: Bytes) -> Result<u64, CallError> {
        control::executed(1);
        Ok(payload.len() as u64)
    }

    async fn records(&self, records: Vec<Record>) -> Result<Vec<Record>, CallError> {
        control::executed(1);
        Ok(records)
    }

    async fn notes(&self, mut notes: rch::mpsc::Receiver<Bytes>) -> Result<(), CallError> {
        tokio::spawn(async move {
            while let Ok(Some(_note)) = notes.recv().await {
                control::executed(1);
            }
        });
        Ok(())
    }

    async fn stream(&self, bytes: rch::bin::Receiver) -> Result<u64, CallError> {
        // A sum that is too small tells of an error.
        Ok(count(bytes).await.unwrap_or(0))
    }
}

async fn count(bytes: rch::bin::Receiver) -> Result<u64> {
    let mut bytes = bytes.into_inner().await?;
    let mut sum = 0;
    while let Some(data) = bytes.recv().await? {
        sum += data.remaining() as u64;
    }
    Ok(sum)
}

pub struct Remoc;

fn config() -> remoc::Cfg {
    remoc::Cfg {
        max_data_size: 8 * MIB,
        chunk_size: 256 * 1024,
        port_receive_buffer: 4 * MIB as u32,
        port_receive_throttle: 8 * MIB as u32,
        io_buffer_size: 256 * 1024,
        ..remoc::Cfg::default()
    }
}

impl Contender for Remoc {
    type Client = RemocClient;

    const ABOUT: About = About {
        name: "remoc",
        kind: Kind::Peer,
        crates: &["remoc"],
        settings: "codec postbag-slim, messages up to 8 MiB, chunks of 256 KiB, 4 MiB per port; W4 and W6 by its channels",
        runtime: Runtime::Current,
        workloads: &[
            Workload::W1,
            Workload::W2,
            Workload::W3,
            Workload::W4,
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
        accept_each(serving, |link| async {
            let (reader, writer) = link.split();
            let (server, client) = BenchServerShared::<_, codec::Default>::new(Arc::new(Desk));
            remoc::Connect::io(config(), reader, writer)
                .provide(client)
                .await?;
            Ok(server.serve().await.map_err(|error| error.to_string())?)
        })
        .await
    }

    async fn connect(target: &Target) -> Result<RemocClient> {
        let (reader, writer) = Link::connect(target).await?.split();
        let connecting = remoc::Connect::io(config(), reader, writer);
        Ok(RemocClient {
            remote: connecting.consume().await?,
            notes: Arc::default(),
        })
    }
}

#[derive(Clone)]
pub struct RemocClient {
    remote: BenchClient,
    /// Opened for the first note.
    notes: Arc<Mutex<Option<rch::mpsc::Sender<Bytes>>>>,
}

impl RemocClient {
    async fn open_notes(&self) -> Result<rch::mpsc::Sender<Bytes>> {
        let mut notes = self.notes.lock().await;
        if let Some(sender) = &*notes {
            return Ok(sender.clone());
        }
        let (sender, receiver) = rch::mpsc::channel();
        self.remote.notes(receiver).await?;
        Ok(notes.insert(sender).clone())
    }
}

impl Client for RemocClient {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        Ok(self.remote.echo(payload).await?)
    }

    async fn upload(&self, payload: Bytes) -> Result<u64> {
        Ok(self.remote.upload(payload).await?)
    }

    async fn records(&self, records: Vec<Record>) -> Result<Vec<Record>> {
        Ok(self.remote.records(records).await?)
    }

    async fn notify(&self, payload: &Bytes, count: usize) -> Result<()> {
        let notes = self.open_notes().await?;
        for _ in 0..count {
            notes.send(payload.clone()).await?;
        }
        Ok(())
    }

    async fn stream(&self, chunk: Bytes, count: u64) -> Result<u64> {
        let (sender, receiver) = rch::bin::channel();
        let sending = async {
            let mut sender = sender.into_inner().await?;
            for _ in 0..count {
                sender.send(chunk.clone()).await?;
            }
            Result::<()>::Ok(())
        };
        let receiving = async { Ok(self.remote.stream(receiver).await?) };
        let ((), sum) = tokio::try_join!(sending, receiving)?;
        Ok(sum)
    }
}

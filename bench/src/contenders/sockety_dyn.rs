//! Sockety by its dynamic layer: messages are made of forms, and echoes give the bytes back as they came.

use std::path::PathBuf;

use bytes::Bytes;
use sockety::{
    Connection, FastReply, File,
    client::ServiceClient,
    message::{Data, Draft, Outgoing, Response, ResponseDraft},
    msgpack,
    serve::{BoxError, Message, MessageHandler},
};

use super::sockety_typed::{connect, count, server, store};
use crate::{
    Result,
    calls::Client,
    contender::{About, Contender, Kind, Serving, Target},
    control,
    payloads::Record,
    plan::Runtime,
    workload::Workload,
};

pub struct SocketyDyn;

impl Contender for SocketyDyn {
    type Client = DynClient;

    const ABOUT: About = About {
        name: "sockety-dyn",
        kind: Kind::Ours,
        crates: &["sockety"],
        settings: "as sockety; the server decodes and encodes no payload, except in W8",
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
            Workload::W9,
            Workload::W10,
            Workload::W11,
            Workload::W12,
            Workload::W13,
            Workload::T1,
            Workload::T2,
            Workload::T3,
            Workload::T4,
        ],
        tls: true,
    };

    async fn serve(serving: Serving) -> Result<()> {
        let directory = serving.directory.clone();
        let server = server(serving, sockety::Options::trusted()).await?;
        Ok(server.serve(handler(directory)).await?)
    }

    async fn connect(target: &Target) -> Result<DynClient> {
        connect(target).await
    }
}

/// Actions are looked through in order, so the small ones come first.
fn handler(directory: PathBuf) -> MessageHandler {
    let (echo, records) = (
        ResponseDraft::new().data(),
        ResponseDraft::new().msgpack::<[Record]>(),
    );
    MessageHandler::new()
        .action("echo", move |message| {
            control::executed(1);
            let reply = echo.create(message.payload().clone());
            async move { message.respond(reply).await }
        })
        .action("nothing", |_| async {
            control::executed(1);
            FastReply::ACCEPT
        })
        .action("note", |_| async { control::executed(1) })
        .action("upload", |message| async move {
            control::executed(1);
            answer(&message, message.payload().len() as u64).await
        })
        .action("records", move |message| {
            control::executed(1);
            let reply = message
                .msgpack::<Vec<Record>>()
                .map(|value| records.create(&value));
            async move { Ok::<_, BoxError>(message.respond(reply?).await?) }
        })
        .action("stream", |message| async move {
            let stream = message.take_stream().ok_or("no stream")?;
            answer(&message, count(stream).await).await
        })
        .action("store", move |message| {
            let directory = directory.clone();
            async move {
                let file = message.take_files().pop().ok_or("no file")?;
                answer(&message, store(file, &directory).await?).await
            }
        })
}

async fn answer(message: &Message, number: u64) -> Result<(), BoxError> {
    let reply = ResponseDraft::new().with_msgpack(&number)?;
    message.respond(reply.create()).await?;
    Ok(())
}

#[derive(Clone)]
pub struct DynClient {
    connection: Connection,
    echo: Draft<Data>,
    nothing: Draft,
    note: Draft<Data>,
    upload: Draft<Data>,
}

impl ServiceClient for DynClient {
    fn new(connection: Connection) -> Self {
        Self {
            connection,
            echo: Draft::new("echo").data(),
            nothing: Draft::new("nothing"),
            note: Draft::new("note").data(),
            upload: Draft::new("upload").data(),
        }
    }

    fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl DynClient {
    async fn call(&self, message: Outgoing) -> Result<Response> {
        let reply = self.connection.send(message).await?.response().await?;
        Ok(reply.into_response().ok_or("answered with a code")?)
    }
}

impl Client for DynClient {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        let response = self.call(self.echo.create(payload)).await?;
        Ok(response.payload().clone())
    }

    async fn nothing(&self) -> Result<()> {
        let mut request = self.connection.send(&self.nothing).await?;
        match request.response().await?.into_response() {
            None => Ok(()),
            Some(_) => Err("answered with more than a code".into()),
        }
    }

    async fn notify(&self, payload: &Bytes, count: usize) -> Result<()> {
        let notes = (0..count).map(|_| self.note.create(payload.clone()));
        Ok(self.connection.pass_all(notes).await?)
    }

    async fn upload(&self, payload: Bytes) -> Result<u64> {
        Ok(self.call(self.upload.create(payload)).await?.msgpack()?)
    }

    async fn records(&self, records: Vec<Record>) -> Result<Vec<Record>> {
        let draft = Draft::new("records").msgpack::<[Record]>();
        let response = self.call(draft.create(&records)).await?;
        Ok(msgpack::from_slice(response.payload())?)
    }

    async fn stream(&self, chunk: Bytes, count: u64) -> Result<u64> {
        let mut request = self
            .connection
            .send(&Draft::new("stream").with_stream())
            .await?;
        let mut writer = request.take_writer().ok_or("no stream")?;
        for _ in 0..count {
            writer.write_chunk(chunk.clone()).await?;
        }
        writer.finish()?;
        let response = request.response().await?.into_response();
        Ok(response.ok_or("answered with a code")?.msgpack()?)
    }

    async fn file(&self, path: PathBuf) -> Result<u64> {
        let file = File::open(path).await?;
        let draft = Draft::new("store").with_files([file]);
        Ok(self.call(draft.create()).await?.msgpack()?)
    }
}

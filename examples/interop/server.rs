//! The server: one function for each action.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use sockety::{
    ByteStream, FastReply, Server,
    error::{ConnectProblem, InvalidCode, SendError, chain},
    message::{Draft, Reply, Request, Response, ResponseDraft, Sent},
    msgpack::{self, DecodeError},
    serve::{BoxError, Message, MessageHandler},
    tls::TlsServer,
};

use crate::{
    complain, content, digest, say,
    service::{BOUNDS, Everything, Profile, Relay, Told, Wanted},
    tls::{Files, Tls},
};

/// Serves until it is killed.
pub async fn run(port: u16, tls: Option<&Files>, profile: &Profile) -> Result<(), BoxError> {
    let server = Server::bind(("127.0.0.1", port)).await?;
    let mut server = server.options(profile.options());
    if let Some(files) = tls {
        server = server.tls(TlsServer::from_pem_files(&files.certificate, &files.key)?);
    }
    say(format_args!("PORT {}", server.local_addr()?.port()));
    Ok(server.serve(handler()).await?)
}

/// Serves on connections that it opens itself, one after another, until the peer no longer listens.
pub async fn run_on_client(port: u16, tls: Option<Tls>, profile: &Profile) {
    let handler = handler();
    loop {
        let connect = sockety::connect(("127.0.0.1", port))
            .serve(handler.clone())
            .options(profile.options());
        let connected = match &tls {
            Some(tls) => connect.tls(tls.client.clone()).await,
            None => connect.await,
        };
        match connected {
            Ok(connection) => drop(connection.closed().await),
            Err(error) if matches!(error.problem(), ConnectProblem::Unreachable(_)) => return,
            // The other side may begin with invalid bytes, for a test.
            Err(_) => {}
        }
    }
}

/// The whole service. An action that is not listed is automatically answered with code 2, Not
/// Implemented.
fn handler() -> MessageHandler {
    // Handlers run for many messages concurrently, so what they share has a lock.
    let (notes, all_notes) = {
        let notes = Notes::default();
        (notes.clone(), notes)
    };
    MessageHandler::new()
        .action("ping", |_| async { FastReply::ACCEPT })
        .action("echo", echo)
        .action("raw", raw)
        .action("code", code)
        .action("upload", upload)
        .action("download", download)
        .action("stream-sum", stream_sum)
        .action("stream-echo", stream_echo)
        .action("everything", everything)
        .action("note", move |message| note(message, notes.clone()))
        .action("notes", move |message| list(message, all_notes.clone()))
        .action("close", close)
        .action("hold", hold)
        .action("relay", relay)
        .error(failed)
}

async fn echo(message: Message) -> Result<Sent, BoxError> {
    // Decoding it into a type and encoding that again would choose other forms, and thus other
    // bytes.
    msgpack::check(message.payload(), &BOUNDS)?;
    raw(message).await
}

async fn raw(message: Message) -> Result<Sent, BoxError> {
    let same = ResponseDraft::new().with_data(message.payload().clone());
    Ok(message.respond(&same).await?)
}

async fn code(message: Message) -> Result<FastReply, BoxError> {
    Ok(FastReply::new(message.msgpack()?)?)
}

async fn upload(message: Message) -> Result<Sent, BoxError> {
    let digests = digest::of_files(message.take_files()).await?;
    respond(&message, &digests).await
}

async fn download(message: Message) -> Result<Option<FastReply>, BoxError> {
    let wanted: Vec<Wanted> = message.msgpack()?;
    if !can_be_sent(&wanted) {
        return Ok(Some(FastReply::BAD_REQUEST));
    }
    let files = wanted
        .into_iter()
        .map(|file| content::file(file.name, file.size));
    message
        .respond(ResponseDraft::new().create().with_files(files))
        .await?;
    Ok(None)
}

/// Whether the protocol can represent these files.
fn can_be_sent(wanted: &[Wanted]) -> bool {
    const LONGEST_NAME: usize = 65_535;
    const LARGEST_TOTAL: u64 = (1 << 48) - 1;
    let total = wanted
        .iter()
        .try_fold(0_u64, |total, file| total.checked_add(file.size));
    total.is_some_and(|total| total <= LARGEST_TOTAL)
        && wanted.iter().all(|file| file.name.len() <= LONGEST_NAME)
}

async fn stream_sum(message: Message) -> Result<Sent, BoxError> {
    let digest = digest::of_stream(message.take_stream()).await?;
    respond(&message, &digest).await
}

async fn stream_echo(message: Message) -> Result<Sent, BoxError> {
    let nothing = || ByteStream::from_reader(tokio::io::empty());
    // A received stream can be sent on directly: its bytes are forwarded as they arrive.
    let stream = message.take_stream().unwrap_or_else(nothing);
    let echo = ResponseDraft::new().create().with_stream_from(stream);
    Ok(message.respond(echo).await?)
}

async fn everything(message: Message) -> Result<Sent, BoxError> {
    // Concurrently, because the peer may interleave files and stream.
    let (files, stream) = tokio::try_join!(
        digest::of_files(message.take_files()),
        digest::of_stream(message.take_stream()),
    )?;
    let data = digest::of_bytes(message.payload());
    let parts = Everything {
        data,
        files,
        stream,
    };
    respond(&message, &parts).await
}

async fn note(message: Message, notes: Notes) -> Result<FastReply, BoxError> {
    msgpack::check(message.payload(), &BOUNDS)?;
    // Nothing was awaited, so messages without files or streams get here in the order in which they
    // were sent.
    notes.all().push(message.payload().clone());
    // Sent only to peers that expect a reply anyway.
    Ok(FastReply::ACCEPT)
}

async fn list(message: Message, notes: Notes) -> Result<Sent, BoxError> {
    let array = ResponseDraft::new().with_data(notes.to_msgpack());
    Ok(message.respond(&array).await?)
}

async fn close(message: Message) -> FastReply {
    let connection = message.connection().clone();
    // Closing waits for outstanding replies. The reply to this message is one of them, so do not
    // wait here.
    tokio::spawn(async move { connection.close().await });
    FastReply::ACCEPT
}

async fn hold(message: Message) -> Result<FastReply, BoxError> {
    tokio::time::sleep(Duration::from_millis(message.msgpack()?)).await;
    Ok(FastReply::ACCEPT)
}

async fn relay(message: Message) -> Result<Sent, BoxError> {
    let relay: Relay = message.msgpack()?;
    let draft = Draft::new(&*relay.action);
    let outgoing = match relay.stream {
        Some(size) => draft.create().with_stream_from(content::stream(size)),
        None => draft.create(),
    };
    let request = message.connection().send(outgoing).await?;
    let told = replies(request, &relay).await;
    respond(&message, &told).await
}

async fn replies(mut request: Request, relay: &Relay) -> Vec<Told> {
    let mut all = Vec::new();
    while all.len() < relay.replies {
        let told = match request.response().await {
            Ok(Reply::Fast(code)) => Ok(Told {
                code: Some(code.code()),
                ..Told::default()
            }),
            Ok(Reply::Response(response)) => tell(response, relay.answer).await,
            Err(error) => Err(error.into()),
        };
        match told {
            Ok(told) => all.push(told),
            Err(error) => {
                let error = Some(chain(&*error).to_string());
                all.push(Told {
                    error,
                    ..Told::default()
                });
                break;
            }
        }
    }
    all
}

async fn tell(mut response: Response, answer: Option<u16>) -> Result<Told, BoxError> {
    let (files, stream) = (response.take_files(), response.take_stream());
    let has_stream = stream.is_some();
    let (files, stream) = tokio::try_join!(digest::of_files(files), digest::of_stream(stream))?;
    if let Some(code) = answer {
        response.fast_reply(FastReply::new(code)?).await?;
    }
    Ok(Told {
        data: Some(digest::of_bytes(response.payload())),
        files,
        stream: has_stream.then_some(stream),
        ..Told::default()
    })
}

async fn respond<T>(message: &Message, value: &T) -> Result<Sent, BoxError>
where
    T: serde::Serialize,
{
    let response = ResponseDraft::new().with_msgpack(value)?;
    Ok(message.respond(&response).await?)
}

/// The answer after an action has failed.
async fn failed(message: Message, error: Arc<BoxError>) -> Option<FastReply> {
    if error.is::<DecodeError>() || error.is::<InvalidCode>() {
        return Some(FastReply::BAD_REQUEST);
    }
    // The message is one-way: doing nothing further is its answer.
    if let Some(SendError::NotExpected) = error.downcast_ref() {
        return None;
    }
    let action = message.action().escape_debug();
    complain(format_args!("{action}: {}", chain(&**error.as_ref())));
    Some(FastReply::INTERNAL_ERROR)
}

/// The values that `note` remembers, for all connections. Clones share them.
#[derive(Clone, Default)]
struct Notes {
    /// MessagePack values, as received.
    all: Arc<Mutex<Vec<Bytes>>>,
}

impl Notes {
    fn all(&self) -> MutexGuard<'_, Vec<Bytes>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All values as an array. In MessagePack, an array is its length followed by its values.
    fn to_msgpack(&self) -> Bytes {
        let all = self.all();
        let mut array = BytesMut::new();
        match all.len() {
            length @ 0..=15 => array.put_u8(0x90 | length as u8),
            length @ 16..=0xFFFF => {
                array.put_u8(0xDC);
                array.put_u16(length as u16);
            }
            length => {
                array.put_u8(0xDD);
                array.put_u32(length as u32);
            }
        }
        all.iter().for_each(|note| array.put_slice(note));
        array.freeze()
    }
}

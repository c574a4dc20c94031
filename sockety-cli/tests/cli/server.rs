//! A server in this process, for the program to call.

use std::{net::SocketAddr, thread};

use sockety::{
    ByteStream, FastReply, File, Options, Server, ServiceError,
    config::Extension,
    message::{Draft, Reply, ResponseDraft, Sent},
    serve::{Authorization, BoxError, FirstMessage, IntoRouter, Message, MessageHandler, Router},
    service,
    tls::TlsServer,
};

/// A service that describes itself.
///
/// With more than one line.
#[service(prefix = "media.")]
pub(crate) trait Media {
    /// Finds a clip.
    #[action(idempotent, timeout = "2s", alias = ["search"])]
    async fn find(&self, title: String, deep: bool) -> Result<u64, MediaError>;

    /// Takes clips.
    #[action(limit(file = "1 KiB", files = 8, all_files = "4 KiB"))]
    async fn upload(&self, clips: Vec<File>) -> u64;

    #[action(one_way)]
    async fn track(&self, event: String);

    async fn count(&self, tag: u64) -> u64;

    async fn owner(&self, clip: uuid::Uuid) -> uuid::Uuid;

    #[action(limit(stream = "1 MiB"), no_cancel)]
    async fn record(&self, sound: ByteStream) -> u64;
}

#[derive(Debug, serde::Serialize, serde::Deserialize, specta::Type, ServiceError)]
pub(crate) enum MediaError {
    /// There is no such clip.
    #[code(404)]
    NotFound { title: String },
}

struct Clips;

impl Media for Clips {
    async fn find(&self, title: String, _deep: bool) -> Result<u64, MediaError> {
        Err(MediaError::NotFound { title })
    }

    async fn upload(&self, clips: Vec<File>) -> u64 {
        clips.iter().map(File::size).sum()
    }

    async fn track(&self, _event: String) {}

    async fn count(&self, tag: u64) -> u64 {
        tag
    }

    async fn owner(&self, clip: uuid::Uuid) -> uuid::Uuid {
        clip
    }

    async fn record(&self, mut sound: ByteStream) -> u64 {
        let mut nowhere = tokio::io::sink();
        let copied = tokio::io::copy(&mut sound, &mut nowhere).await;
        copied.unwrap_or_default()
    }
}

/// Starts a server that runs until the tests end, and returns its address.
pub(crate) fn start() -> SocketAddr {
    start_with(None)
}

/// The same, with TLS.
pub(crate) fn start_with(tls: Option<TlsServer>) -> SocketAddr {
    start_router(tls, Options::default(), |router| router)
}

/// The same, for clients that use the extension.
pub(crate) fn start_extended() -> SocketAddr {
    let options = Options::default().extension(Extension::Auto);
    start_router(None, options, |router| router)
}

/// The same, without the extension.
pub(crate) fn start_base() -> SocketAddr {
    let options = Options::default().extension(Extension::Off);
    start_router(None, options, |router| router)
}

/// The token that [`start_authorizing`] accepts.
pub(crate) const TOKEN: &str = "t0ken-abcdefgh";

/// The same server for those whose first message has the token.
pub(crate) fn start_authorizing() -> SocketAddr {
    start_router(None, Options::default(), |router| {
        router.authorize(authorize)
    })
}

async fn authorize(first: FirstMessage) -> Authorization {
    match (first.action(), first.msgpack::<String>()) {
        ("auth", Ok(token)) if token == TOKEN => first.accept(),
        ("auth-in-words", Ok(token)) if token == TOKEN => {
            let welcome = ResponseDraft::new().msgpack::<str>();
            first.accept_with(welcome.create("welcome"))
        }
        ("auth-in-bytes", _) if first.payload() == TOKEN.as_bytes() => first.accept(),
        // Its handler cannot read the text, and says so.
        ("media.count", _) => first.pass_on(),
        _ => first.refuse(),
    }
}

/// The same, with a router that is changed.
pub(crate) fn start_router(
    tls: Option<TlsServer>,
    options: Options,
    change: impl FnOnce(Router) -> Router + Send + 'static,
) -> SocketAddr {
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut server = Server::bind("127.0.0.1:0").await.unwrap();
            server = server.options(options);
            if let Some(tls) = tls {
                server = server.tls(tls);
            }
            sender.send(server.local_addr().unwrap()).unwrap();
            let router = MediaServer::new(Clips).into_router();
            let router = change(router.describe().handler(handler()));
            server.serve(router).await.unwrap();
        });
    });
    receiver.recv().unwrap()
}

fn handler() -> MessageHandler {
    MessageHandler::new()
        .action("ping", |_| async { FastReply::ACCEPT })
        .action("raw", raw)
        .action("code", |message| async move {
            Ok::<_, BoxError>(FastReply::new(message.msgpack()?)?)
        })
        .action("upload", upload)
        .action("download", download)
        .action("stream", stream)
        .action("never", |_| std::future::pending::<()>())
        .action("later", |message: Message| async move {
            message.set_retry_after(std::time::Duration::from_millis(1_500));
            FastReply::REJECT
        })
        .action("hang up", |message: Message| async move {
            message.connection().close().await;
        })
        .action("who", who)
        .action("call back", call_back)
}

async fn raw(message: Message) -> Result<Sent, BoxError> {
    let same = ResponseDraft::new().with_data(message.payload().clone());
    Ok(message.respond(&same).await?)
}

/// Names and contents of the files.
async fn upload(message: Message) -> Result<Sent, BoxError> {
    let mut contents = Vec::new();
    for file in message.take_files() {
        let name = file.name().to_owned();
        let bytes = file.bytes(1024).await?;
        contents.push((name, String::from_utf8(bytes.to_vec())?));
    }
    let response = ResponseDraft::new().with_msgpack(&contents)?;
    Ok(message.respond(&response).await?)
}

/// Files with these names, each with its name as content.
async fn download(message: Message) -> Result<Sent, BoxError> {
    let names: Vec<String> = message.msgpack()?;
    let files = names
        .into_iter()
        .map(|name| File::from_bytes(name.clone(), name));
    let response = ResponseDraft::new()
        .with_data("\u{a0}")
        .create()
        .with_files(files);
    Ok(message.respond(response).await?)
}

/// The same stream.
async fn stream(message: Message) -> Result<Sent, BoxError> {
    let stream = message.take_stream().ok_or("no stream")?;
    let response = ResponseDraft::new().with_data(&[0x07][..]).create();
    Ok(message.respond(response.with_stream_from(stream)).await?)
}

/// Calls the actions that the payload lists on the caller, and returns their replies.
async fn call_back(message: Message) -> Result<Sent, BoxError> {
    let actions: Vec<String> = message.msgpack()?;
    let mut replies = Vec::new();
    for action in actions {
        let draft = Draft::new(action).with_msgpack(&[1, 2])?;
        let mut request = message.connection().send(&draft).await?;
        replies.push(match request.response().await? {
            Reply::Fast(code) => code.to_string(),
            Reply::Response(response) => response.msgpack()?,
        });
    }
    message.connection().pass(&Draft::new("told")).await?;
    let response = ResponseDraft::new().with_msgpack(&replies)?;
    Ok(message.respond(&response).await?)
}

/// The names in the certificate of the caller.
async fn who(message: Message) -> Result<Sent, BoxError> {
    let identity = message.connection().peer_identity();
    let names: Vec<_> = identity.map_or_else(Vec::new, |identity| identity.dns_names());
    let response = ResponseDraft::new().with_msgpack(&names)?;
    Ok(message.respond(&response).await?)
}

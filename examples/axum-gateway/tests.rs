//! Requests to the gateway, with an archive behind it over TCP.

use std::{io, net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, StatusCode, header::RETRY_AFTER},
    response::Response,
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use sockety::{
    ByteStream, FastReply, File, Server,
    serve::{BoxError, IntoRouter, MessageHandler},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::{mpsc::unbounded_channel, oneshot},
    time::Instant,
};
use tower::ServiceExt;

use crate::{
    gateway::router,
    service::{About, Archive, ArchiveClient, ArchiveError, ArchiveServer},
    store::Store,
};

async fn in_front_of(archive: impl IntoRouter + Send + 'static) -> Router {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    tokio::spawn(server.serve(archive));
    router(ArchiveClient::connect(address).reconnecting())
}

/// A gateway with an archive whose folder is empty.
async fn gateway() -> (Router, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = ArchiveServer::new(Store::new(folder.path()));
    (in_front_of(store).await, folder)
}

async fn ask(gateway: &Router, request: Request<Body>) -> Response {
    gateway.clone().oneshot(request).await.unwrap()
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

fn put(path: &str, size: usize, body: impl Into<Body>) -> Request<Body> {
    Request::put(path)
        .header("content-length", size)
        .header("content-type", "application/json")
        .body(body.into())
        .unwrap()
}

async fn bytes(response: Response) -> Bytes {
    axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap()
}

async fn answer(gateway: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let response = ask(gateway, request).await;
    let status = response.status();
    (
        status,
        serde_json::from_slice(&bytes(response).await).unwrap(),
    )
}

/// The status, and the name of the error.
async fn refusal(gateway: &Router, request: Request<Body>) -> (u16, String) {
    let (status, problem) = answer(gateway, request).await;
    let error = problem["error"].as_str().expect("an error has a name");
    (status.as_u16(), error.to_owned())
}

#[tokio::test]
async fn documents_go_in_and_come_out() {
    let (gateway, _folder) = gateway().await;
    let document: Vec<u8> = (0..5_000_000_u32).map(|at| (at / 7) as u8).collect();
    let about = json!({ "name": "five.bin", "size": 5_000_000, "note": null });
    let request = put("/documents/five.bin", document.len(), document.clone());
    assert_eq!(
        answer(&gateway, request).await,
        (StatusCode::CREATED, about)
    );

    let response = ask(&gateway, get("/documents/five.bin")).await;
    assert_eq!(response.headers()["content-length"], "5000000");
    assert!(bytes(response).await == document);

    let about = json!({ "name": "five.bin", "size": 5_000_000, "note": "bytes" });
    let note = r#"{"note":"bytes"}"#;
    let request = put("/documents/five.bin/note", note.len(), note);
    assert_eq!(
        answer(&gateway, request).await,
        (StatusCode::OK, about.clone())
    );
    let all = answer(&gateway, get("/documents")).await;
    assert_eq!(all, (StatusCode::OK, json!([about])));
}

#[tokio::test]
async fn errors_of_the_service_are_the_callers() {
    let (gateway, _folder) = gateway().await;
    ask(&gateway, put("/documents/a", 1, "a")).await;
    let expect = async |request, status, name: &str| {
        assert_eq!(refusal(&gateway, request).await, (status, name.into()));
    };
    expect(get("/documents/b"), 404, "NotFound").await;
    expect(put("/documents/a", 1, "b"), 409, "Exists").await;
    expect(put("/documents/..%2Fb", 1, "b"), 400, "BadName").await;
    expect(get("/documents/%2Fetc%2Fpasswd"), 400, "BadName").await;
    // Refused before any of it arrived.
    let nothing_yet = Body::from_stream(stream::pending::<io::Result<Bytes>>());
    let too_large = put("/documents/large", 3 << 30, nothing_yet);
    expect(too_large, 413, "TooLarge").await;
    let unsized_body = Request::put("/documents/b").body("b".into()).unwrap();
    expect(unsized_body, 411, "LengthRequired").await;
}

#[tokio::test]
async fn the_outcome_decides_the_status() {
    let overloaded = FastReply::new(3840).unwrap();
    let archive = MessageHandler::new()
        .action("archive.list", move |_| async move { overloaded })
        .action("archive.annotate", |_| async {
            Err::<(), BoxError>("broken".into())
        });
    let gateway = in_front_of(archive).await;

    let response = ask(&gateway, get("/documents")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[RETRY_AFTER], "1");
    let note = r#"{"note":""}"#;
    let request = put("/documents/a/note", note.len(), note);
    assert_eq!(refusal(&gateway, request).await, (502, "Executed".into()));
}

#[tokio::test]
async fn whether_it_ran_may_be_unknown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut archive, _) = listener.accept().await.unwrap();
        // The peer's connection header, with one channel; it takes the call, and disconnects.
        archive.write_all(&[0xe0]).await.unwrap();
        let mut call = [0; 20];
        archive.read_exact(&mut call).await.unwrap();
    });
    let gateway = router(ArchiveClient::connect(address).reconnecting());
    let lost = refusal(&gateway, get("/documents")).await;
    assert_eq!(lost, (504, "Unknown".into()));
}

#[tokio::test(start_paused = true)]
async fn an_archive_that_is_not_there_is_unavailable() {
    // A port that was free a moment ago.
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let nobody = server.local_addr().unwrap();
    drop(server);
    let gateway = router(ArchiveClient::connect(nobody).reconnecting());
    for _ in 0..12 {
        // Attempts to connect have increasing pauses between them, for which no request waits.
        let begin = Instant::now();
        let refused = refusal(&gateway, get("/documents")).await;
        assert_eq!(refused, (503, "Unreachable".into()));
        assert!(begin.elapsed() < Duration::from_secs(3));
    }
}

/// An archive that reports what it receives, and returns what it was told to.
struct Scripted {
    seen: tokio::sync::mpsc::UnboundedSender<io::Result<Bytes>>,
    given: tokio::sync::Mutex<Option<File>>,
}

impl Archive for Scripted {
    async fn list(&self) -> Vec<About> {
        vec![]
    }

    async fn put(&self, mut document: File) -> Result<About, ArchiveError> {
        while let Some(chunk) = document.next_chunk().await.transpose() {
            let is_error = chunk.is_err();
            let _ = self.seen.send(chunk);
            if is_error {
                return Err(ArchiveError::NotWhole);
            }
        }
        Err(ArchiveError::Exists)
    }

    async fn get(&self, _name: String) -> Result<File, ArchiveError> {
        self.given.lock().await.take().ok_or(ArchiveError::NotFound)
    }

    async fn annotate(&self, _name: String, _note: String) -> Result<About, ArchiveError> {
        Err(ArchiveError::NotFound)
    }
}

#[tokio::test]
async fn an_upload_is_passed_on_while_it_comes() {
    let (seen, mut sees) = unbounded_channel();
    let given = tokio::sync::Mutex::default();
    let gateway = in_front_of(ArchiveServer::new(Scripted { seen, given })).await;

    let (mut client, body) = ByteStream::pipe(64);
    let request = put("/documents/a", 6, Body::from_stream(body));
    let (end, ended) = oneshot::channel();
    tokio::spawn({
        let gateway = gateway.clone();
        async move { end.send(refusal(&gateway, request).await) }
    });
    client.write_all(b"one").await.unwrap();
    assert_eq!(sees.recv().await.unwrap().unwrap(), "one");
    client.write_all(b"two").await.unwrap();
    assert_eq!(sees.recv().await.unwrap().unwrap(), "two");
    client.shutdown().await.unwrap();
    assert_eq!(ended.await.unwrap(), (409, "Exists".into()));

    // An incomplete upload never becomes a document, whether it ends with an error or too early.
    let broken = [Ok("one"), Err(io::Error::other("reset"))];
    let short = [Ok("one")];
    for body in [Vec::from(broken), Vec::from(short)] {
        let body = Body::from_stream(stream::iter(body));
        let failed = refusal(&gateway, put("/documents/a", 6, body)).await;
        assert_eq!(failed, (400, "NotWhole".into()));
        while let Ok(chunk) = sees.recv().await.unwrap() {
            assert_eq!(chunk, "one");
        }
    }
}

/// The first chunk is read before there is a second one; the last argument decides what comes
/// instead of the second.
async fn download(
    then: impl AsyncFnOnce(tokio::io::DuplexStream),
) -> Vec<Result<Bytes, axum::Error>> {
    let (seen, _sees) = unbounded_channel();
    let (mut writer, reader) = tokio::io::duplex(1024);
    let document = File::from_reader("a", 6, reader);
    let given = tokio::sync::Mutex::new(Some(document));
    let gateway = in_front_of(ArchiveServer::new(Scripted { seen, given })).await;

    writer.write_all(b"one").await.unwrap();
    let response = ask(&gateway, get("/documents/a")).await;
    let mut body = response.into_body().into_data_stream();
    assert_eq!(body.next().await.unwrap().unwrap(), "one");
    then(writer).await;
    body.collect().await
}

#[tokio::test]
async fn a_download_is_passed_on_while_it_comes() {
    let rest = download(async |mut writer| writer.write_all(b"two").await.unwrap()).await;
    let rest: Vec<Bytes> = rest.into_iter().map(Result::unwrap).collect();
    assert_eq!(rest.concat(), b"two");
}

#[tokio::test]
async fn a_download_that_breaks_off_is_never_whole() {
    let rest = download(async |writer| drop(writer)).await;
    assert!(rest.last().is_some_and(Result::is_err), "{rest:?}");
}

#[tokio::test]
async fn it_speaks_http() {
    let (gateway, _folder) = gateway().await;
    ask(&gateway, put("/documents/a", 5, "hello")).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, gateway).into_future());

    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = "GET /documents/a HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(response.contains("\r\ncontent-length: 5\r\n"), "{response}");
    assert!(response.ends_with("\r\n\r\nhello"), "{response}");
}

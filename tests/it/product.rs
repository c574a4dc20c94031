//! What attributes, descriptions, requests and implementors do, end to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sockety::{
    CallError, Connection, Context, FastReply, File, Outcome, Router, Server, ServiceError,
    Streaming,
    describe::{ActionLimits, PartKind},
    error::{RequestError, RequestMismatch, chain},
    message::{Draft, Outgoing, Reply},
    pair,
    serve::{IntoRouter, Message, MessageHandler},
    service,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Clip {
    id: u64,
    title: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ServiceError)]
enum MediaError {
    /// There is no such clip.
    #[code(16)]
    NotFound,
    #[code(17)]
    QuotaExceeded { used: u64, limit: u64 },
}

/// Stores clips.
///
/// Many of them.
#[service(prefix = "media.")]
trait Media {
    /// Finds a clip.
    #[action(alias = ["fetch", "find"], idempotent, timeout = "2s")]
    async fn get(&self, id: u64) -> Result<Clip, MediaError>;
    #[action(limit(payload = "1 KB"))]
    async fn rename(&self, id: u64, title: String);
    #[action(limit(files = 2, file = "1 KiB"))]
    async fn upload(&self, title: String, files: Vec<File>) -> u64;
    #[action(spawn)]
    async fn task(&self) -> String;
    async fn inline(&self) -> String;
    #[action(timeout = "100ms")]
    async fn forever(&self);
    #[action(one_way)]
    async fn track(&self, event: String);
    async fn search(&self, ids: Streaming<u64>)
    -> Result<(Streaming<Clip>, Vec<File>), MediaError>;
    async fn greet(&self, cx: &Context, name: String) -> String {
        format!("{} {name}", cx.action())
    }
}

#[derive(Clone, Default)]
struct Store {
    calls: Arc<AtomicU64>,
    seen: Option<mpsc::UnboundedSender<String>>,
}

impl Store {
    fn called(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

impl Media for Store {
    async fn get(&self, id: u64) -> Result<Clip, MediaError> {
        self.called();
        let title = "title".into();
        (id == 7)
            .then_some(Clip { id, title })
            .ok_or(MediaError::NotFound)
    }

    async fn rename(&self, _id: u64, _title: String) {
        self.called();
    }

    async fn upload(&self, _title: String, files: Vec<File>) -> u64 {
        self.called();
        files.len() as u64
    }

    async fn task(&self) -> String {
        task()
    }

    async fn inline(&self) -> String {
        task()
    }

    async fn forever(&self) {
        std::future::pending().await
    }

    async fn track(&self, event: String) {
        if let Some(seen) = &self.seen {
            seen.send(event).expect("the test listens");
        }
    }

    async fn search(
        &self,
        _ids: Streaming<u64>,
    ) -> Result<(Streaming<Clip>, Vec<File>), MediaError> {
        Err(MediaError::QuotaExceeded { used: 1, limit: 1 })
    }
}

/// The task that runs this.
fn task() -> String {
    tokio::task::id().to_string()
}

async fn served() -> (MediaClient, Store) {
    let store = Store::default();
    (MediaClient::local(store.clone()), store)
}

async fn ask(connection: &Connection, message: impl Into<Outgoing>) -> Reply {
    let mut request = connection.send(message).await.expect("sent");
    request.response().await.expect("a reply")
}

// Attributes.

#[tokio::test]
async fn an_action_has_other_names_too() {
    let (media, _) = served().await;
    for name in ["media.get", "media.fetch", "media.find"] {
        let draft = Draft::new(name).msgpack();
        let reply = ask(media.connection(), draft.create(&7)).await;
        let response = reply.into_response().expect("a response");
        assert_eq!(response.msgpack::<Clip>().expect("a clip").id, 7);
    }
    let reply = ask(media.connection(), Draft::new("get").create()).await;
    assert_eq!(reply.code(), Some(FastReply::NOT_IMPLEMENTED));
}

#[tokio::test]
async fn a_payload_over_the_limit_is_refused_unread() {
    let (media, store) = served().await;
    let unlimited = UnlimitedClient::new(media.connection().clone());
    media.rename(1, "x".repeat(900)).await.expect("accepted");
    let error = unlimited
        .rename(1, "x".repeat(1000))
        .await
        .expect_err("refused");
    assert!(matches!(&error, CallError::Refused { code, .. } if code.code() == 3842));
    assert_eq!(
        error.to_string(),
        "media.rename: refused with code 3842 (Too Large): payload of 1014 bytes is over the limit \
         of 1000"
    );
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    media.rename(1, "x".repeat(900)).await.expect("accepted");
    assert_eq!(store.calls.load(Ordering::Relaxed), 2);
}

/// Callers whose version of the trait has no limits.
#[service(prefix = "media.")]
trait Unlimited {
    async fn rename(&self, id: u64, title: String);
    async fn upload(&self, title: String, files: Vec<File>) -> u64;
}

#[tokio::test]
async fn what_exceeds_the_limits_of_its_action_is_not_sent_and_says_so() {
    let (media, store) = served().await;
    let not_sent = |error: &dyn std::error::Error, outcome, expected: &str| {
        assert_eq!(outcome, Outcome::NotSent);
        assert_eq!(chain(error).to_string(), expected);
    };
    let error = media.rename(1, "x".repeat(1000)).await.expect_err("large");
    not_sent(
        &error,
        error.outcome(),
        "media.rename: payload of 1014 bytes is over the limit of 1000",
    );
    for (files, expected) in [
        (files(3, 1), "media.upload: 3 files are over the limit of 2"),
        (
            files(1, 1025),
            "media.upload: file of 1025 bytes is over the limit of 1024",
        ),
    ] {
        let error = media.upload("title".into(), files).await;
        let error = error.expect_err("too many");
        not_sent(&error, error.outcome(), expected);
    }
    assert_eq!(store.calls.load(Ordering::Relaxed), 0);
    let uploaded = media.upload("title".into(), files(2, 1024)).await;
    assert_eq!(uploaded.expect("a reply"), 2);
}

fn files(count: usize, size: usize) -> Vec<File> {
    let file = |index| File::from_bytes(format!("{index}"), vec![0; size]);
    (0..count).map(file).collect()
}

async fn refuses_upload(files: Vec<File>) {
    let (media, store) = served().await;
    let unlimited = UnlimitedClient::new(media.connection().clone());
    let error = unlimited
        .upload("title".into(), files)
        .await
        .expect_err("refused");
    assert!(
        matches!(&error, CallError::Refused { code, .. } if code.code() == 3842),
        "{error:?}"
    );
    assert_eq!(store.calls.load(Ordering::Relaxed), 0);
    // The rest of the message is dropped, and the connection goes on.
    let count = media.upload("title".into(), self::files(2, 1024)).await;
    assert_eq!(count.expect("a reply"), 2);
}

#[tokio::test]
async fn more_files_than_the_limit_are_refused() {
    refuses_upload(files(3, 1)).await;
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused_wherever_it_stands() {
    refuses_upload(files(1, 1025)).await;
    refuses_upload(files(2, 1_000_000)).await;
    let mut last = files(1, 10);
    last.extend(files(1, 2000));
    refuses_upload(last).await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_the_action_is_that_of_its_calls() {
    let (media, _) = served().await;
    let begun = Instant::now();
    let error = media.forever().await.expect_err("no reply");
    assert!(matches!(
        error,
        CallError::Request {
            error: RequestError::TimedOut { .. },
            ..
        }
    ));
    assert_eq!(begun.elapsed(), Duration::from_millis(100));
    let begun = Instant::now();
    let draft = MediaDraft::forever();
    let call = media
        .connection()
        .call(draft)
        .timeout(Duration::from_secs(7));
    call.await.expect_err("no reply");
    assert_eq!(begun.elapsed(), Duration::from_secs(7));
}

#[tokio::test]
async fn spawn_makes_a_task_of_each_call() {
    let (media, _) = served().await;
    let inline = media.inline().await.expect("a reply");
    assert_eq!(media.inline().await.expect("a reply"), inline);
    let first = media.task().await.expect("a reply");
    assert_ne!(first, inline);
    assert_ne!(media.task().await.expect("a reply"), first);
}

#[tokio::test]
async fn a_call_knows_whether_it_is_idempotent() {
    let (media, _) = served().await;
    assert!(media.get(7).is_idempotent());
    assert!(MediaDraft::get(7).clone().is_idempotent());
    assert!(!media.inline().is_idempotent());
}

// Description.

#[test]
fn a_service_describes_itself() {
    let media = MediaClient::DESCRIPTION;
    assert_eq!(media, MediaServer::<Store>::DESCRIPTION);
    assert_eq!(media.name, "Media");
    assert_eq!(media.docs, "Stores clips.\n\nMany of them.");
    let [get, rename, upload, task, _, forever, track, search, greet] = &media.actions[..] else {
        panic!("{media:?}");
    };
    let names: Vec<_> = get.names().collect();
    assert_eq!(names, ["media.get", "media.fetch", "media.find"]);
    assert_eq!(get.docs, "Finds a clip.");
    assert!(get.is_idempotent && !get.is_one_way && !get.is_spawned);
    assert_eq!(get.timeout, Some(Duration::from_secs(2)));
    let [not_found, quota] = &get.errors[..] else {
        panic!("{get:?}");
    };
    assert_eq!(
        (&*not_found.name, not_found.code, not_found.has_details),
        ("NotFound", 16, false)
    );
    assert_eq!(not_found.docs, "There is no such clip");
    assert_eq!((quota.code, quota.has_details), (17, true));
    assert_eq!(rename.limits, ActionLimits::none().payload(1000));
    assert_eq!(upload.limits, ActionLimits::none().files(2).file(1024));
    let parameters = upload.parameters.iter();
    let parameters: Vec<_> = parameters.map(|p| (&*p.name, &*p.ty, p.kind)).collect();
    let expected = [
        ("title", "String", PartKind::Payload),
        ("files", "Vec<File>", PartKind::Files),
    ];
    assert_eq!(parameters, expected);
    assert!(task.is_spawned && track.is_one_way);
    assert_eq!(forever.returns.ty, "()");
    assert_eq!(search.returns.ty, "(Streaming<Clip>, Vec<File>)");
    assert_eq!(
        *search.returns.kinds,
        [PartKind::Streaming, PartKind::Files]
    );
    assert_eq!(greet.parameters.len(), 1);
}

#[service(prefix = "viewer.")]
trait Viewer {
    #[action(one_way)]
    async fn show(&self, text: String);
}

struct Screen(mpsc::UnboundedSender<String>);

impl Viewer for Screen {
    async fn show(&self, text: String) {
        self.0.send(text).expect("the test listens");
    }
}

#[tokio::test]
async fn a_router_describes_its_services_when_told_to() {
    let (seen, _) = mpsc::unbounded_channel();
    let router = MediaServer::new(Store::default()).into_router();
    let router = router
        .service(ViewerServer::new(Screen(seen)))
        .expect("other actions");
    let (near, _far) = pair(Router::new(), router.describe())
        .await
        .expect("a pair");
    let services = sockety::describe::describe(&near)
        .await
        .expect("a description");
    let expected = [MediaClient::DESCRIPTION, ViewerClient::DESCRIPTION];
    assert_eq!(services.iter().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_router_says_nothing_of_itself_unasked() {
    let (media, _) = served().await;
    let error = sockety::describe::describe(media.connection())
        .await
        .expect_err("refused");
    assert!(matches!(
        error,
        CallError::Refused {
            code: FastReply::NOT_IMPLEMENTED,
            ..
        }
    ));
}

#[test]
fn an_alias_of_another_service_is_a_duplicate() {
    let router = MediaServer::new(Store::default()).into_router();
    let error = router
        .service(OtherServer::new(Fetcher))
        .expect_err("twice");
    assert_eq!(error.action, "media.fetch");
}

#[service]
trait Other {
    #[action(name = "media.fetch")]
    async fn fetch(&self);
}

struct Fetcher;

impl Other for Fetcher {
    async fn fetch(&self) {}
}

// Implementors.

async fn is_served<S: Media + Send + Sync + 'static>(service: S) {
    let media = MediaClient::local(service);
    assert_eq!(media.get(7).await.expect("a clip").id, 7);
    assert_eq!(
        media.greet("you".into()).await.expect("a reply"),
        "media.greet you"
    );
}

#[tokio::test]
async fn pointers_to_an_implementation_are_implementations() {
    static STORE: std::sync::LazyLock<Store> = std::sync::LazyLock::new(Store::default);
    is_served(Arc::new(Store::default())).await;
    is_served(Box::new(Arc::new(Store::default()))).await;
    is_served(&*STORE).await;
}

/// An implementation that is generic over another.
struct Logged<M>(M);

impl<M: Media + Send + Sync> Media for Logged<M> {
    async fn get(&self, id: u64) -> Result<Clip, MediaError> {
        self.0.get(id).await
    }

    async fn rename(&self, id: u64, title: String) {
        self.0.rename(id, title).await;
    }

    async fn upload(&self, title: String, files: Vec<File>) -> u64 {
        self.0.upload(title, files).await
    }

    async fn task(&self) -> String {
        self.0.task().await
    }

    async fn inline(&self) -> String {
        self.0.inline().await
    }

    async fn forever(&self) {
        self.0.forever().await;
    }

    async fn track(&self, event: String) {
        self.0.track(event).await;
    }

    async fn search(
        &self,
        ids: Streaming<u64>,
    ) -> Result<(Streaming<Clip>, Vec<File>), MediaError> {
        self.0.search(ids).await
    }
}

#[tokio::test]
async fn an_implementation_may_be_generic() {
    is_served(Logged(Logged(Store::default()))).await;
}

// Call objects.

#[tokio::test]
async fn the_reply_to_a_call_can_be_had_as_it_came() {
    let (media, _) = served().await;
    let call = media.get(7);
    let id = call.id();
    let response = call.raw().await.expect("a reply").into_response();
    assert_eq!(response.expect("a response").parent(), id);
    let reply = media.get(8).raw().await.expect("a reply");
    assert_eq!(reply.code().map(FastReply::code), Some(16));
    let lost = media.forever().raw().await.expect_err("no reply");
    assert!(matches!(
        lost,
        CallError::Request {
            action: "media.forever",
            error: RequestError::TimedOut { .. }
        }
    ));
}

#[tokio::test]
async fn a_local_client_outlives_its_creation_and_ends_its_service() {
    let store = Store::default();
    let media = MediaClient::local(store.clone());
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(media.get(7).await.expect("a clip").id, 7);
    let connection = media.connection().clone();
    drop(media);
    connection.close().await;
    drop(connection);
    while Arc::strong_count(&store.calls) > 1 {
        tokio::task::yield_now().await;
    }
}

// Requests.

#[tokio::test]
async fn a_dynamic_handler_matches_requests() {
    let (seen, mut requests) = mpsc::unbounded_channel();
    let handler = MessageHandler::new().fallback(move |message: Message| {
        let text = describe_request(&message);
        seen.send(text).expect("the test listens");
        async { FastReply::ACCEPT }
    });
    let (near, _far) = pair(Router::new(), handler).await.expect("a pair");
    let media = MediaClient::new(near);
    media.track("boot".into()).await.expect("written");
    media.rename(7, "new".into()).await.expect("accepted");
    let upload = media.upload("title".into(), files(1, 1));
    upload.await.expect_err("no number");
    ask(
        media.connection(),
        Draft::new("media.find").msgpack().create(&9),
    )
    .await;
    ask(media.connection(), Draft::new("other").create()).await;
    ask(media.connection(), Draft::new("media.get").create()).await;
    let expected = [
        "track boot",
        "rename 7 new",
        "upload title 1",
        "get 9",
        "other",
        "unreadable",
    ];
    for expected in expected {
        assert_eq!(requests.recv().await.as_deref(), Some(expected));
    }
}

fn describe_request(message: &Message) -> String {
    match MediaRequest::try_from(message) {
        Ok(MediaRequest::Track { event }) => format!("track {event}"),
        Ok(MediaRequest::Rename { id, title }) => format!("rename {id} {title}"),
        Ok(MediaRequest::Upload { title }) => {
            format!("upload {title} {}", message.take_files().len())
        }
        Ok(MediaRequest::Get { id }) => format!("get {id}"),
        Ok(_) => "another".into(),
        Err(RequestMismatch::Action(action)) => action,
        Err(_) => "unreadable".into(),
    }
}

#[tokio::test]
async fn a_request_is_sent_like_a_draft() {
    let (media, _) = served().await;
    let reply = ask(media.connection(), MediaRequest::Get { id: 7 }).await;
    let clip = reply.into_response().expect("a response").msgpack::<Clip>();
    assert_eq!(clip.expect("a clip").id, 7);
    let title = "title".into();
    let upload = Outgoing::from(MediaRequest::Upload { title }).with_files(files(2, 3));
    let reply = ask(media.connection(), upload).await.into_response();
    assert_eq!(reply.expect("a response").msgpack::<u64>(), Ok(2));
}

#[test]
fn debug_names_the_action_of_a_request_and_shows_no_parameters() {
    let request = MediaRequest::Track {
        event: "secret".into(),
    };
    assert_eq!(format!("{request:?}"), "Track { .. }");
    assert_eq!(format!("{:?}", MediaRequest::Inline), "Inline");
    // Neither the implementation nor its state is shown, so `Store` need not be `Debug`.
    let server = MediaServer::new(Store::default());
    assert_eq!(format!("{server:?}"), "MediaServer { .. }");
}

// Many peers.

#[tokio::test]
async fn a_server_reaches_its_clients() {
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let (address, handle) = (server.local_addr().expect("an address"), server.handle());
    tokio::spawn(server.serve(MediaServer::new(Store::default())));
    let (seen, mut texts) = mpsc::unbounded_channel();
    let mut clients = Vec::new();
    for _ in 0..3 {
        let viewer = ViewerServer::new(Screen(seen.clone()));
        let client = MediaClient::connect(address)
            .serve(viewer)
            .await
            .expect("connected");
        client.get(7).await.expect("a clip");
        clients.push(client);
    }
    for viewer in handle.clients::<ViewerClient>() {
        viewer.show("one".into()).await.expect("written");
    }
    let count = handle
        .broadcast(ViewerDraft::show("all".into()), |_| true)
        .expect("encoded");
    assert_eq!(count, 3);
    let text = "again".into();
    let again = Outgoing::from(ViewerRequest::Show { text });
    assert_eq!(handle.broadcast(&again, |_| true).expect("encoded"), 3);
    let mut all = Vec::new();
    for _ in 0..9 {
        all.push(texts.recv().await.expect("a text"));
    }
    all.sort();
    assert_eq!(all.join(" "), "again again again all all all one one one");
}

// Errors of newer peers.

async fn answered_with(code: u16) -> CallError<MediaError> {
    let code = FastReply::new(code).expect("12 bits");
    let handler = MessageHandler::new().fallback(move |_| async move { code });
    let (near, _far) = pair(Router::new(), handler).await.expect("a pair");
    MediaClient::new(near).get(7).await.expect_err("an error")
}

#[tokio::test]
async fn a_code_of_a_newer_peer_is_kept() {
    let error = answered_with(99).await;
    assert_eq!(
        chain(&error).to_string(),
        "media.get: method returned an unknown error: error 99 of the service"
    );
    let CallError::Remote { error: remote, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!((remote.code, &*remote.name), (Some(99), ""));
    // Here the variant has details, there it has none.
    let CallError::Remote { error: remote, .. } = answered_with(17).await else {
        panic!("a service's code");
    };
    assert_eq!((remote.code, &*remote.name), (Some(17), "QuotaExceeded"));
    assert!(matches!(
        answered_with(4000).await,
        CallError::Refused { .. }
    ));
}

//! Services, retries, layers and discovery, between clients and servers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream};
use sockety::{
    CallError, FastReply, Options, Outcome, Server, ServiceError,
    client::CallDraft,
    error::NoError,
    fleet::{Endpoint, EndpointState, Fleet},
    metadata::RetryAfter,
    serve::{IntoRouter, MessageHandler, Router},
    service,
};
use sockety_tower::{CallService, Discovered, Layered, RetryByOutcome};
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tower::{
    Service, ServiceBuilder, ServiceExt, discover::Change, limit::GlobalConcurrencyLimitLayer,
    retry::RetryLayer, timeout::TimeoutLayer,
};

/// What a step of a test waits for at most. Nothing is measured.
const LONG: Duration = Duration::from_secs(20);

#[service]
trait Oven {
    #[action(idempotent)]
    async fn temperature(&self) -> u32;
    async fn bake(&self) -> u32;
    async fn count(&self) -> u32;
}

/// Counts calls. Each of them takes a permit first.
#[derive(Clone)]
struct Counting {
    begun: Arc<AtomicU32>,
    permits: Arc<Semaphore>,
}

impl Counting {
    fn new(permits: usize) -> Self {
        Self {
            begun: Arc::default(),
            permits: Arc::new(Semaphore::new(permits)),
        }
    }

    async fn begin(&self) -> u32 {
        let begun = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        self.permits.acquire().await.expect("open").forget();
        begun
    }

    fn begun(&self) -> u32 {
        self.begun.load(Ordering::SeqCst)
    }
}

impl Oven for Counting {
    async fn temperature(&self) -> u32 {
        self.begin().await
    }

    async fn bake(&self) -> u32 {
        self.begin().await
    }

    async fn count(&self) -> u32 {
        self.begun()
    }
}

async fn serve(router: impl IntoRouter, options: Options) -> String {
    let server = Server::bind("127.0.0.1:0").await.expect("a port");
    let address = server.local_addr().expect("bound").to_string();
    tokio::spawn(server.options(options).serve(router.into_router()));
    address
}

async fn client(router: impl IntoRouter, options: Options) -> OvenClient {
    let address = serve(router, options).await;
    OvenClient::connect(address).await.expect("connected")
}

fn patient<T: Send + 'static, E: ServiceError>(
    oven: &OvenClient,
    repetitions: u32,
) -> impl Service<CallDraft<T, E>, Response = T, Error = CallError<E>, Future: Send> + Clone + use<T, E>
{
    let policy = RetryByOutcome::new(repetitions, Duration::from_millis(20));
    ServiceBuilder::new()
        .layer(RetryLayer::new(policy))
        .service(CallService::of(oven))
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = timeout(LONG, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "not within {LONG:?}: {what}");
}

#[tokio::test]
async fn a_refused_call_is_repeated_until_it_is_executed() {
    let counting = Counting::new(0);
    // One at a time, and no queue.
    let options = Options::default()
        .max_requests_executing(1)
        .max_queued_requests(0);
    let oven = client(OvenServer::new(counting.clone()), options).await;
    let first = tokio::spawn(oven.bake().into_future());
    until("the first has begun", || counting.begun() == 1).await;

    // So often is not enough.
    let refused = patient(&oven, 2).oneshot(OvenDraft::bake()).await;
    let refused = refused.expect_err("it is busy");
    assert_eq!(refused.outcome(), Outcome::NotExecuted);

    let second = tokio::spawn(patient(&oven, 1_000).oneshot(OvenDraft::bake()));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(counting.begun(), 1);
    counting.permits.add_permits(2);
    assert_eq!(first.await.expect("no panic").expect("baked"), 1);
    assert_eq!(second.await.expect("no panic").expect("baked"), 2);
}

#[tokio::test]
async fn what_may_have_run_is_repeated_only_if_it_is_idempotent() {
    let counting = Counting::new(0);
    let oven = client(OvenServer::new(counting.clone()), Options::default()).await;
    let short = Duration::from_millis(500);
    let bake = OvenDraft::bake().timeout(short);
    let error = patient(&oven, 2).oneshot(bake).await.expect_err("too slow");
    assert!(!error.outcome().is_retryable(), "{error}");
    assert_eq!(counting.begun(), 1);

    let options = Options::default().extension(sockety::config::Extension::Off);
    let counting = Counting::new(0);
    let oven = client(OvenServer::new(counting.clone()), options).await;
    let temperature = OvenDraft::temperature().timeout(short);
    let error = patient(&oven, 2).oneshot(temperature).await;
    assert_eq!(error.expect_err("too slow").outcome(), Outcome::Unknown);
    assert_eq!(counting.begun(), 3);
    let bake = OvenDraft::bake().timeout(short);
    let error = patient(&oven, 2).oneshot(bake).await;
    assert_eq!(error.expect_err("too slow").outcome(), Outcome::Unknown);
    assert_eq!(counting.begun(), 4);
}

#[tokio::test]
async fn what_the_peer_says_of_repetitions_is_obeyed() {
    let calls = Arc::new(AtomicU32::new(0));
    let handler = {
        let calls = Arc::clone(&calls);
        MessageHandler::new().action("bake", move |message: sockety::serve::Message| {
            calls.fetch_add(1, Ordering::SeqCst);
            message.set_retry_after(RetryAfter::NEVER);
            async { FastReply::new(3840).expect("a code") }
        })
    };
    let oven = client(handler, Options::default()).await;
    let error = patient(&oven, 5).oneshot(OvenDraft::bake()).await;
    let error = error.expect_err("refused");
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    assert_eq!(error.retry_after(), Some(RetryAfter::NEVER));
    assert_eq!(calls.load(Ordering::SeqCst), 1);

    // The same will be said again.
    let oven = client(Router::new(), Options::default()).await;
    let seen = Arc::new(AtomicU32::new(0));
    let policy = RetryByOutcome::new(5, Duration::from_millis(1));
    let counted = {
        let seen = Arc::clone(&seen);
        ServiceBuilder::new()
            .layer(RetryLayer::new(policy))
            .map_request(move |call: CallDraft<u32, NoError>| {
                seen.fetch_add(1, Ordering::SeqCst);
                call
            })
            .service(CallService::of(&oven))
    };
    let error = counted.oneshot(OvenDraft::bake()).await;
    assert_eq!(
        error.expect_err("nobody bakes").outcome(),
        Outcome::NotExecuted
    );
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn layers_of_a_server_limit_and_end_its_handlers() {
    let counting = Counting::new(0);
    let layers = ServiceBuilder::new()
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .layer(TimeoutLayer::new(Duration::from_millis(500)))
        .into_inner();
    let router = OvenServer::new(counting.clone()).into_router();
    let oven = client(router.layer(Layered::new(layers)), Options::default()).await;
    let (first, second) = tokio::join!(oven.bake(), oven.bake());
    // Neither got a permit: both were ended, one after the other.
    for result in [first, second] {
        let error = result.expect_err("ended by its layer");
        assert_eq!(error.outcome(), Outcome::Executed, "{error}");
    }
    assert_eq!(counting.begun(), 2);
    counting.permits.add_permits(1);
    assert_eq!(oven.bake().await.expect("in time"), 3);
}

#[tokio::test]
async fn a_fleet_follows_a_discovery_of_tower() {
    let (one, two) = (Counting::new(1_000), Counting::new(1_000));
    let addresses = [
        serve(OvenServer::new(one.clone()), Options::default()).await,
        serve(OvenServer::new(two.clone()), Options::default()).await,
    ];
    let [first, second] = addresses.map(|it| Endpoint::new(it).expect("an address"));
    let (changes, receiver) = mpsc::unbounded_channel();
    let receiver = stream::unfold(receiver, |mut receiver| async move {
        Some((receiver.recv().await?, receiver))
    });
    type Found = Result<Change<u32, Endpoint>, std::io::Error>;
    let send = |change: Found| changes.send(change).expect("the fleet listens");
    send(Ok(Change::Insert(1, first)));
    let fleet: Fleet<OvenClient> = OvenClient::fleet(Discovered::new("ovens", receiver.boxed()))
        .await
        .expect("a fleet");
    assert_eq!(&**fleet.endpoints()[0].endpoint.key(), "1");

    send(Ok(Change::Insert(2, second)));
    let ready = || {
        let endpoints = fleet.endpoints();
        let ready = endpoints
            .iter()
            .filter(|it| it.state == EndpointState::Ready);
        ready.count()
    };
    until("both are ready", || ready() == 2).await;
    let calls = CallService::of(&fleet.client());
    for _ in 0..100 {
        let called = calls.clone().oneshot(OvenDraft::bake()).await;
        called.expect("baked");
    }
    assert!(one.begun() > 0 && two.begun() > 0);

    send(Err(std::io::Error::other("the registry is away")));
    until("the error is seen", || fleet.discover_error().is_some()).await;
    let error = fleet.discover_error().expect("an error");
    assert_eq!(error.to_string(), "cannot look up the servers of ovens");
    assert_eq!(ready(), 2);

    send(Ok(Change::Remove(1)));
    until("one is left", || fleet.endpoints().len() == 1).await;
    let before = one.begun();
    for _ in 0..20 {
        let called = calls.clone().oneshot(OvenDraft::bake()).await;
        called.expect("baked");
    }
    assert_eq!(one.begun(), before);
}

//! tower: its layers around the calls of a client, and around the handlers of a server.
//!
//! A client needs only one line for this, `service_fn`, because [`Connection::call`] takes a
//! prepared call and returns a future. On a server, middleware passes each message through the
//! layers: [`Layered`].

use std::{
    fmt::Display,
    io::{self, Write},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use sockety::{
    CallError, Connection, Options, Outcome, Server, ServiceError, async_trait,
    client::CallDraft,
    error::chain,
    serve::{Answered, BoxError, Incoming, IntoRouter, ServeMiddleware, ServeNext},
    service,
};
use tokio::time::sleep;
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt,
    limit::GlobalConcurrencyLimitLayer,
    retry::{Policy, RetryLayer},
    timeout::TimeoutLayer,
};

#[service]
trait Oven {
    /// Takes a moment.
    #[action(idempotent)]
    async fn temperature(&self) -> u32;

    /// Takes this many milliseconds.
    async fn bake(&self, time: u64);
}

/// How many calls of each method have begun.
#[derive(Clone, Default)]
struct Begun {
    temperature: Arc<AtomicUsize>,
    bake: Arc<AtomicUsize>,
}

impl Oven for Begun {
    async fn temperature(&self) -> u32 {
        self.temperature.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(100)).await;
        180
    }

    async fn bake(&self, time: u64) {
        self.bake.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(time)).await;
    }
}

/// Retries calls that this cannot make run twice, after increasing pauses.
///
/// Each error says whether the call may have run ([`CallError::outcome`]). With `Unknown` it may
/// have, so it is retried only if running twice does no harm: `#[action(idempotent)]`.
#[derive(Clone)]
struct TryAgain {
    left: u32,
    pause: Duration,
}

impl<T, E> Policy<CallDraft<T, E>, T, CallError<E>> for TryAgain {
    type Future = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn retry(
        &mut self,
        call: &mut CallDraft<T, E>,
        result: &mut Result<T, CallError<E>>,
    ) -> Option<Self::Future> {
        let is_harmless = match result.as_ref().err()?.outcome() {
            Outcome::NotSent | Outcome::NotExecuted => true,
            Outcome::Unknown => call.is_idempotent(),
            Outcome::Executed | Outcome::Replied => false,
        };
        self.left = self.left.checked_sub(1).filter(|_| is_harmless)?;
        let pause = self.pause;
        self.pause *= 2;
        Some(Box::pin(sleep(pause)))
    }

    /// Costs no encoding. If files or a stream come from readers, a call can be sent only once.
    fn clone_request(&mut self, call: &CallDraft<T, E>) -> Option<CallDraft<T, E>> {
        Some(call.clone())
    }
}

/// A connection as a tower service, behind layers.
///
/// Uses the timeout of calls instead of tower's, which would replace the error and lose its
/// outcome.
fn patient<T, E>(
    connection: Connection,
) -> impl Service<CallDraft<T, E>, Response = T, Error = CallError<E>> + Clone
where
    T: Send + 'static,
    E: ServiceError,
{
    let policy = TryAgain {
        left: 5,
        pause: Duration::from_millis(50),
    };
    ServiceBuilder::new()
        .layer(RetryLayer::new(policy))
        .map_request(|call: CallDraft<T, E>| call.timeout(Duration::from_millis(500)))
        .service_fn(move |call| connection.call(call).into_future())
}

/// tower layers as middleware. Each message goes through new services, so state that the layers
/// need across messages must be shared, as [`GlobalConcurrencyLimitLayer`] does.
struct Layered<L>(L);

#[async_trait]
impl<L> ServeMiddleware for Layered<L>
where
    L: Layer<Handling> + Send + Sync + 'static,
    L::Service: Service<Incoming, Future: Send, Error: Display + Send> + Send,
{
    async fn handle(&self, incoming: Incoming, next: ServeNext) {
        let layers = self.0.layer(Handling(Some(next)));
        // The message is then dropped, and therefore answered with code 5.
        if let Err(error) = layers.oneshot(incoming).await {
            say(format_args!("server: {error}"));
        }
    }
}

/// The handling of one message, as a tower service that is called once.
struct Handling(Option<ServeNext>);

impl Service<Incoming> for Handling {
    type Response = Answered;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answered, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, incoming: Incoming) -> Self::Future {
        let next = self.0.take();
        Box::pin(async move {
            let next = next.ok_or("a message is handled once: no layer may repeat it")?;
            Ok(next.run(incoming).await)
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let begun = Begun::default();
    let layers = ServiceBuilder::new()
        // The clock starts when it is its turn.
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .layer(TimeoutLayer::new(Duration::from_secs(1)))
        .into_inner();
    let router = OvenServer::new(begun.clone())
        .into_router()
        .layer(Layered(layers));
    let server = Server::bind("127.0.0.1:0")
        .await?
        // Few, and without a queue, so that some are refused.
        .options(
            Options::default()
                .max_requests_executing(2)
                .max_queued_requests(0),
        );
    let address = server.local_addr()?;
    tokio::spawn(server.serve(router));
    let oven = OvenClient::connect(address).await?;

    say("Three at once, of which the server takes two:");
    let (first, second, third) =
        tokio::join!(oven.temperature(), oven.temperature(), oven.temperature());
    for result in [first, second, third] {
        report("  temperature", &result);
    }

    say("The same, tried again:");
    let ask = patient(oven.connection().clone());
    let asked = || ask.clone().oneshot(OvenDraft::temperature());
    let (first, second, third) = tokio::join!(asked(), asked(), asked());
    for result in [first, second, third] {
        report("  temperature", &result);
    }

    say("Too slow for the server's layers, and so it has begun:");
    let slow = oven.bake(60_000).timeout(Duration::from_secs(10)).await;
    report("  bake", &slow);

    say("Too slow for the caller: nobody knows, and twice is not as good as once:");
    let before = begun.bake.load(Ordering::Relaxed);
    let bake = patient(oven.connection().clone());
    report("  bake", &bake.oneshot(OvenDraft::bake(800)).await);
    let runs = begun.bake.load(Ordering::Relaxed) - before;
    say(format_args!("  it has begun {runs} time"));
    Ok(())
}

fn report<T: std::fmt::Debug, E: ServiceError>(what: &str, result: &Result<T, CallError<E>>) {
    match result {
        Ok(value) => say(format_args!("{what}: {value:?}")),
        Err(error) => say(format_args!(
            "{what}, {}: {}",
            error.outcome(),
            chain(error)
        )),
    }
}

/// Prints a line. Unlike with `println!`, it is not a panic if the reader has gone away (`| head`).
fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

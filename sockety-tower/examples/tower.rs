//! tower: its layers around the calls of a client, and around the handlers of a server.
//!
//! `cargo run -p sockety-tower --example tower`

use std::{
    fmt::Display,
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sockety::{
    CallError, Options, Server, ServiceError,
    client::CallDraft,
    error::chain,
    serve::{BoxError, IntoRouter},
    service,
};
use sockety_tower::{CallService, Layered, RetryByOutcome};
use tokio::time::sleep;
use tower::{
    Service, ServiceBuilder, ServiceExt, limit::GlobalConcurrencyLimitLayer, retry::RetryLayer,
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

/// A connection as a tower service, behind layers.
///
/// Uses the timeout of calls instead of tower's, which would replace the error and lose its
/// outcome.
fn patient<T, E>(
    oven: &OvenClient,
) -> impl Service<CallDraft<T, E>, Response = T, Error = CallError<E>> + Clone
where
    T: Send + 'static,
    E: ServiceError,
{
    let policy = RetryByOutcome::new(5, Duration::from_millis(100));
    ServiceBuilder::new()
        .layer(RetryLayer::new(policy))
        .map_request(|call: CallDraft<T, E>| call.timeout(Duration::from_millis(500)))
        .service(CallService::of(oven))
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
        .layer(Layered::new(layers));
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
    let ask = patient(&oven);
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
    let bake = patient(&oven);
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

//! Servers that tests of fleets start, kill and call.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::stream;
use sockety::{
    File, Options, Server,
    error::chain,
    fleet::{Change, Changes, Discover, Endpoint, EndpointState, Fleet},
    server::{Drain, ServerHandle},
    service,
};
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::support::Log;

/// What a step of a test waits for at most. Nothing is measured.
pub(super) const LONG: Duration = Duration::from_secs(20);

#[service]
pub(super) trait Bank {
    /// Which server answers.
    async fn port(&self) -> u16;
    async fn note(&self, text: String) -> u16;
    #[action(idempotent)]
    async fn find(&self, text: String) -> u16;
    /// Ends when it is told to.
    async fn hang(&self) -> u16;
    /// The same.
    #[action(long_poll)]
    async fn wait(&self) -> u16;
    /// The same.
    #[action(idempotent, long_poll)]
    async fn watch(&self) -> u16;
    /// How large the file is.
    async fn size(&self, file: File) -> u64;
    /// Fails as a service may.
    async fn fail(&self) -> Result<u16, Refused>;
}

#[derive(Debug, sockety::ServiceError, serde::Serialize, serde::Deserialize)]
pub(super) enum Refused {
    #[code(100)]
    Refused,
}

#[derive(Clone)]
pub(super) struct Worker {
    pub(super) port: u16,
    pub(super) log: Log,
    pub(super) hangs: Arc<AtomicBool>,
}

impl Bank for Worker {
    async fn port(&self) -> u16 {
        self.port
    }

    async fn note(&self, text: String) -> u16 {
        self.log.note(text);
        while self.hangs.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(5)).await;
        }
        self.port
    }

    async fn find(&self, text: String) -> u16 {
        self.note(text).await
    }

    async fn hang(&self) -> u16 {
        while !self.hangs.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(5)).await;
        }
        self.port
    }

    async fn size(&self, file: File) -> u64 {
        file.size()
    }

    async fn wait(&self) -> u16 {
        self.hang().await
    }

    async fn watch(&self) -> u16 {
        self.hang().await
    }

    async fn fail(&self) -> Result<u16, Refused> {
        Err(Refused::Refused)
    }
}

/// A server with a runtime of its own, so that it can be killed.
pub(super) struct Running {
    pub(super) worker: Worker,
    pub(super) handle: ServerHandle,
    runtime: Option<Runtime>,
}

impl Running {
    pub(super) fn start() -> Self {
        Self::start_with(0, |server| server)
    }

    pub(super) fn start_with(port: u16, set: impl FnOnce(Server) -> Server + Send) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let (worker, handle) = std::thread::scope(|scope| {
            let bound = scope.spawn(|| {
                runtime.block_on(async {
                    let server = set(bind(port).await);
                    let worker = Worker {
                        port: server.local_addr().expect("bound").port(),
                        log: Log::default(),
                        hangs: Arc::default(),
                    };
                    let handle = server.handle();
                    tokio::spawn(server.serve(BankServer::new(worker.clone())));
                    (worker, handle)
                })
            });
            bound.join().expect("started")
        });
        Self {
            worker,
            handle,
            runtime: Some(runtime),
        }
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.worker.port)
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        Endpoint::new(self.address()).expect("an address")
    }

    /// How many requests it executes.
    pub(super) fn executing(&self) -> usize {
        self.handle.traffic().requests_executing
    }

    /// It does nothing until the result is dropped.
    pub(super) fn hang(&self) -> std::sync::mpsc::Sender<()> {
        let (release, hanging) = std::sync::mpsc::channel();
        let runtime = self.runtime.as_ref().expect("it runs");
        // It has one thread.
        runtime.spawn(async move { hanging.recv() });
        release
    }

    /// Cuts all its connections, and closes its port.
    pub(super) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The port of a server that was killed a moment ago becomes free.
async fn bind(port: u16) -> Server {
    let bound = timeout(LONG, async {
        loop {
            match Server::bind(("127.0.0.1", port)).await {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                bound => return bound.expect("a port"),
            }
            sleep(Duration::from_millis(5)).await;
        }
    });
    bound.await.expect("the port is free")
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(super) fn addresses(servers: &[Running]) -> String {
    let addresses: Vec<_> = servers.iter().map(Running::address).collect();
    addresses.join(",")
}

pub(super) async fn fleet_of(servers: &[Running]) -> Fleet<BankClient> {
    let fleet = BankClient::fleet(addresses(servers))
        .await
        .expect("a fleet");
    all_ready(&fleet, servers.len()).await;
    fleet
}

pub(super) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = timeout(LONG, async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "not within {LONG:?}: {what}");
}

pub(super) fn count(fleet: &Fleet<BankClient>, state: EndpointState) -> usize {
    let endpoints = fleet.endpoints();
    endpoints.iter().filter(|it| it.state == state).count()
}

pub(super) async fn all_ready(fleet: &Fleet<BankClient>, servers: usize) {
    until("all servers are ready", || {
        count(fleet, EndpointState::Ready) == servers
    })
    .await;
}

/// Servers that a test adds and removes.
pub(super) struct Scripted(mpsc::UnboundedReceiver<Change>);

impl Scripted {
    pub(super) fn new() -> (mpsc::UnboundedSender<Change>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(receiver))
    }
}

impl Discover for Scripted {
    fn changes(self) -> Changes {
        Box::pin(stream::unfold(self.0, |mut changes| async move {
            let change = changes.recv().await?;
            Some((Ok(change), changes))
        }))
    }
}

/// Waits until servers execute this many requests.
pub(super) async fn executing(servers: &[Running], requests: usize) {
    until("all are executed", || {
        servers.iter().map(Running::executing).sum::<usize>() == requests
    })
    .await;
}

/// A port where nobody listens.
pub(super) async fn dead() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("bound")
}

/// Callers that call until they are told to stop, and return how many calls have succeeded.
pub(super) struct Callers {
    is_over: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<Result<(), String>>>,
}

impl Callers {
    pub(super) fn of(bank: &BankClient) -> Self {
        let is_over = Arc::<AtomicBool>::default();
        let calls = Arc::<AtomicU64>::default();
        let tasks = (0..8).map(|_| {
            let (bank, is_over, calls) = (bank.clone(), Arc::clone(&is_over), Arc::clone(&calls));
            tokio::spawn(async move {
                while !is_over.load(Ordering::SeqCst) {
                    let answer = bank.port().await;
                    answer.map_err(|error| chain(&error).to_string())?;
                    calls.fetch_add(1, Ordering::SeqCst);
                }
                Ok(())
            })
        });
        let tasks = tasks.collect();
        Self {
            is_over,
            calls,
            tasks,
        }
    }

    /// Waits until they have made this many more calls.
    pub(super) async fn more(&self, calls: u64) {
        let before = self.calls.load(Ordering::SeqCst);
        until("calls go on", || {
            self.calls.load(Ordering::SeqCst) > before + calls
        })
        .await;
    }

    pub(super) async fn end(self) -> u64 {
        self.is_over.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await.expect("no panic").expect("no call failed");
        }
        self.calls.load(Ordering::SeqCst)
    }
}

/// A drain that a test ends.
pub(super) fn long_drain() -> Drain {
    Drain::default().linger(LONG).max(2 * LONG)
}

/// Makes calls that time out until a server is ejected for that.
pub(super) async fn fail_until_ejected(fleet: &Fleet<BankClient>) {
    let bank = fleet.client();
    let mut failed = 0;
    while fleet.stats().ejections == 0 {
        let calls = (0..16).map(|_| bank.note("n".into()).timeout(Duration::from_millis(100)));
        let results = futures_util::future::join_all(calls).await;
        failed += results.iter().filter(|result| result.is_err()).count();
        assert!(failed < 500, "never ejected");
        sleep(Duration::from_millis(1)).await;
    }
}

/// Room for one request at a time.
pub(super) fn narrow(server: Server) -> Server {
    let options = Options::default()
        .max_requests_executing(1)
        .max_queued_requests(0);
    server.options(options)
}

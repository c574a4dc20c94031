//! The product behind real proxies: HAProxy, nginx, stunnel and socat, as Debian packages them.
//!
//! `cargo test -p sockety-tests --test proxies -- --ignored`. What the guide says about balancers,
//! `docs/src/behind-a-balancer.md`, is what these tests assert.

mod balancing;
mod checks;
mod ending;
mod idle;
mod programs;
mod tls;

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};

use programs::{Proxy, free_port};
use sockety::{
    ByteStream, Context, File, Options, Server,
    server::{ServerHandle, ServerStats},
    service,
    tls::TlsServer,
};
use tokio::{io::AsyncReadExt, task::JoinHandle, time::sleep};

/// No test takes this long, unless something hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the guide says about health checks of HAProxy.
const CHECK: &str = "option tcp-check
    tcp-check connect
    tcp-check send-binary E1FF
    tcp-check expect rbinary ^E";

#[service]
trait Work {
    async fn quick(&self, number: u64) -> u64;
    /// The port of the server.
    async fn port(&self) -> u16;
    async fn wait(&self, millis: u64) -> u64;
    /// The address of the client, as the server knows it.
    async fn caller(&self, cx: &Context) -> Option<String>;
    /// Without parameters, for peers that write bytes.
    async fn late(&self);
    async fn upload(&self, file: File) -> u64;
    async fn download(&self, size: u64) -> ByteStream;
}

struct Worker {
    port: u16,
}

impl Work for Worker {
    async fn quick(&self, number: u64) -> u64 {
        number
    }

    async fn port(&self) -> u16 {
        self.port
    }

    async fn wait(&self, millis: u64) -> u64 {
        sleep(Duration::from_millis(millis)).await;
        millis
    }

    async fn caller(&self, cx: &Context) -> Option<String> {
        cx.peer_addr().map(|address| address.to_string())
    }

    async fn late(&self) {
        sleep(Duration::from_millis(1500)).await;
    }

    async fn upload(&self, mut file: File) -> u64 {
        let mut size = 0;
        while let Ok(Some(chunk)) = file.next_chunk().await {
            size += chunk.len() as u64;
        }
        size
    }

    async fn download(&self, size: u64) -> ByteStream {
        ByteStream::from_reader(tokio::io::repeat(7).take(size))
    }
}

/// A server in this process.
struct Running {
    port: u16,
    handle: ServerHandle,
    serving: JoinHandle<()>,
}

impl Running {
    async fn start() -> Self {
        Self::start_on(free_port(), None).await
    }

    async fn start_with(tls: TlsServer) -> Self {
        Self::start_on(free_port(), Some(tls)).await
    }

    async fn start_on(port: u16, tls: Option<TlsServer>) -> Self {
        let mut server = Server::bind(("127.0.0.1", port)).await.expect("a port");
        if let Some(tls) = tls {
            server = server.tls(tls);
        }
        Self::of(server)
    }

    fn of(server: Server) -> Self {
        let port = server.local_addr().expect("bound").port();
        let handle = server.handle();
        let serving = tokio::spawn(async move {
            server
                .serve(WorkServer::new(Worker { port }))
                .await
                .expect("served");
        });
        Self {
            port,
            handle,
            serving,
        }
    }

    fn stats(&self) -> ServerStats {
        self.handle.stats()
    }

    /// Ends it in order.
    async fn end(self) {
        self.handle.shutdown(PATIENCE).await;
        self.serving.await.expect("no panic");
    }
}

/// Waits until something is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    waited.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"));
}

/// A client behind a proxy.
async fn connect(proxy: &Proxy) -> WorkClient {
    connect_with(proxy.address(), Options::default()).await
}

async fn connect_with(address: SocketAddr, options: Options) -> WorkClient {
    let client = WorkClient::connect(address).options(options).await;
    client.expect("connected")
}

/// A server in a separate process, to be killed.
struct Process {
    child: Child,
    port: u16,
}

/// Tells a process of this test that it is the server.
const PORT: &str = "SOCKETY_PROXIES_PORT";

impl Process {
    fn start() -> Self {
        let port = free_port();
        let this = std::env::current_exe().expect("a name");
        let mut child = Command::new(this)
            .args(["--ignored", "--exact", "--nocapture", "server_process"])
            .env(PORT, port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut lines = output.lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("serving")), "it serves");
        Self { child, port }
    }

    fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("a child");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
#[ignore = "the process that another test starts"]
async fn server_process() {
    let Ok(port) = std::env::var(PORT) else {
        return;
    };
    let running = Running::start_on(port.parse().expect("a port"), None).await;
    println!("serving");
    // Whoever started it has gone when its input ends.
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(1);
    });
    running.serving.await.expect("no panic");
}

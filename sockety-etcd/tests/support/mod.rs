//! A process of etcd, and what is seen of it.

use std::{
    collections::BTreeMap,
    fs::File,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use etcd_client::{Client, KeyValue};
use futures_util::StreamExt;
use rustix::process::{Pid, Signal, kill_process};
use sockety::fleet::{Change, Changes, Discover, DiscoverError, Endpoint};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// How long anything may take. A machine that is busy takes its time.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A process of etcd with its data in a temporary folder, killed when it is dropped.
pub struct EtcdServer {
    folder: TempDir,
    port: u16,
    peers: u16,
    scheme: &'static str,
    arguments: Vec<String>,
    process: Option<Child>,
}

impl EtcdServer {
    /// Starts it, and waits until it answers.
    pub async fn start() -> Self {
        let mut server = Self::stopped();
        server.run();
        server.answers().await;
        server
    }

    /// It has its ports, and does not run yet.
    pub fn stopped() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            port: free_port(),
            peers: free_port(),
            scheme: "http",
            arguments: Vec::new(),
            process: None,
        }
    }

    /// With TLS for clients, by a certificate and key in these files.
    #[cfg(feature = "_tls")]
    pub fn with_tls(mut self, certificate: &str, key: &str) -> Self {
        self.scheme = "https";
        for (name, text) in [("cert", certificate), ("key", key)] {
            let path = self.folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            self.arguments
                .push(format!("--{name}-file={}", path.display()));
        }
        self
    }

    pub fn run(&mut self) {
        let clients = format!("{}://127.0.0.1:{}", self.scheme, self.port);
        let peers = format!("http://127.0.0.1:{}", self.peers);
        let log = File::create(self.folder.path().join("log")).unwrap();
        let process = Command::new("etcd")
            .arg("--data-dir")
            .arg(self.data())
            .args([
                "--listen-client-urls",
                &clients,
                "--advertise-client-urls",
                &clients,
            ])
            .args([
                "--listen-peer-urls",
                &peers,
                "--initial-advertise-peer-urls",
                &peers,
            ])
            .args(["--initial-cluster", &format!("default={peers}")])
            .args(&self.arguments)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.process = Some(process.expect("etcd cannot be run: install Debian's `etcd-server`"));
    }

    async fn answers(&self) {
        let answering = async {
            loop {
                let mut client = self.client().await;
                if timeout(Duration::from_secs(2), client.status())
                    .await
                    .is_ok_and(|it| it.is_ok())
                {
                    return;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, answering)
            .await
            .expect("etcd does not answer");
    }

    /// kill -9
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Starts it again, and waits until it answers.
    pub async fn restart(&mut self) {
        self.kill();
        self.run();
        self.answers().await;
    }

    /// Removes all its data. It has to be killed.
    pub fn wipe(&self) {
        assert!(self.process.is_none());
        std::fs::remove_dir_all(self.data()).unwrap();
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn pause(&self) {
        signal(self.process.as_ref().unwrap(), Signal::STOP);
    }

    pub fn resume(&self) {
        signal(self.process.as_ref().unwrap(), Signal::CONT);
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The text that names the servers of the bank in it.
    pub fn bank(&self) -> String {
        format!("etcd://{}/bank", self.host())
    }

    /// A client without any options.
    pub async fn client(&self) -> Client {
        Client::connect([self.host()], None).await.unwrap()
    }

    pub async fn put(&self, key: &str, value: &str) {
        self.client().await.put(key, value, None).await.unwrap();
    }

    /// Puts a server with this address.
    pub async fn put_server(&self, key: &str, address: &str) {
        let value = format!(r#"{{"Op":0,"Addr":"{address}","Metadata":null}}"#);
        self.put(key, &value).await;
    }

    pub async fn delete(&self, key: &str) {
        self.client().await.delete(key, None).await.unwrap();
    }

    pub async fn get(&self, key: &str) -> Option<KeyValue> {
        let mut found = self.client().await.get(key, None).await.unwrap();
        found.take_kvs().pop()
    }

    /// Waits until there is an entry with this key for which this holds.
    pub async fn get_until(
        &self,
        key: &str,
        holds: impl Fn(&Option<KeyValue>) -> bool,
    ) -> Option<KeyValue> {
        let getting = async {
            loop {
                let found = self.get(key).await;
                if holds(&found) {
                    return found;
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(PATIENCE, getting)
            .await
            .expect("the entry is not what is waited for")
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn signal(process: &Child, signal: Signal) {
    kill_process(Pid::from_child(process), signal).unwrap();
}

/// Ports that no connection takes by itself, as those are above 32768.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let count = NEXT.fetch_add(1, Ordering::Relaxed) as u32;
        let port = 20_000 + (std::process::id() * 97 + count) % 12_000;
        let port = u16::try_from(port).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The servers that a discovery has found, as a fleet would know them.
pub struct Found {
    changes: Changes,
    pub servers: BTreeMap<String, Endpoint>,
    pub errors: Vec<DiscoverError>,
    /// How many snapshots there were.
    pub snapshots: usize,
}

impl Found {
    pub fn by(discover: impl Discover) -> Self {
        Self {
            changes: discover.changes(),
            servers: BTreeMap::new(),
            errors: Vec::new(),
            snapshots: 0,
        }
    }

    /// Waits for the next change, or error.
    pub async fn next(&mut self) {
        let change = timeout(PATIENCE, self.changes.next()).await;
        match change
            .expect("nothing has changed")
            .expect("discovery never ends")
        {
            Ok(Change::Snapshot(servers)) => {
                let servers = servers.into_iter();
                self.servers = servers.map(|it| (it.key().to_string(), it)).collect();
                self.snapshots += 1;
            }
            Ok(Change::Insert(server)) => {
                self.servers.insert(server.key().to_string(), server);
            }
            Ok(Change::Remove(key)) => {
                self.servers.remove(&*key);
            }
            Ok(change) => panic!("{change:?}"),
            Err(error) => self.errors.push(error),
        }
    }

    pub async fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !holds(self) {
                self.next().await;
            }
        };
        let waited = timeout(PATIENCE, waiting).await;
        assert!(
            waited.is_ok(),
            "found {:?}, errors {:?}",
            self.servers.keys(),
            self.errors
        );
    }

    /// Waits until these servers are found, and no others.
    pub async fn until_keys(&mut self, keys: &[&str]) {
        self.until(|it| it.keys() == keys).await;
    }

    pub fn keys(&self) -> Vec<&str> {
        self.servers.keys().map(|key| &**key).collect()
    }

    /// The errors as users see them.
    pub fn texts(&self) -> Vec<String> {
        self.errors
            .iter()
            .map(|error| sockety::error::chain(error).to_string())
            .collect()
    }
}

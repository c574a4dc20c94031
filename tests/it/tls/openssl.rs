//! Against another implementation of TLS: `openssl s_client`, where it is installed.

use std::process::{Output, Stdio};

use tokio::process::Command;

use super::*;
use crate::support::OFFER;

/// Whether the program is there; says so aloud when it is not.
async fn is_installed() -> bool {
    let is_installed = Command::new("openssl")
        .arg("version")
        .output()
        .await
        .is_ok();
    if !is_installed {
        eprintln!("NOT TESTED: no program `openssl` is installed");
    }
    is_installed
}

/// Files of a client, and its command line.
struct Client {
    directory: tempfile::TempDir,
    arguments: Vec<String>,
}

impl Client {
    fn new(running: &Running, authority: &Authority) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut client = Self {
            directory,
            arguments: Vec::new(),
        };
        let roots = client.file("roots.pem", &authority.pem());
        client.add(&["s_client", "-connect", &running.address.to_string()]);
        client.add(&["-CAfile", &roots, "-verify_return_error"]);
        client.add(&["-servername", "localhost", "-verify_hostname", "localhost"]);
        client
    }

    fn add(&mut self, arguments: &[&str]) {
        self.arguments
            .extend(arguments.iter().map(|argument| (*argument).to_owned()));
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    }

    fn identity(&mut self, issued: &Issued) {
        let certificate = self.file("client.pem", &issued.certificate);
        let key = self.file("client.key", &issued.key);
        self.add(&["-cert", &certificate, "-key", &key]);
    }

    /// Says the connection header, and reads until this many bytes have come or the link ends.
    async fn exchange(&self, count: usize) -> Vec<u8> {
        let mut child = Command::new("openssl")
            .args(&self.arguments)
            .arg("-quiet")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("a child");
        let mut input = child.stdin.take().expect("a pipe");
        // It may have ended already.
        let _ = input.write_all(&bytes(HEADER)).await;
        let mut read = Vec::new();
        let output = child.stdout.take().expect("a pipe");
        let reading = output.take(count as u64);
        tokio::pin!(reading);
        reading.read_to_end(&mut read).await.expect("read");
        read
    }

    /// What it says of the connection.
    async fn report(&self) -> Output {
        let child = Command::new("openssl")
            .args(&self.arguments)
            .stdin(Stdio::null())
            .output();
        child.await.expect("a child")
    }
}

#[tokio::test]
async fn openssl_shakes_hands_and_agrees_to_the_protocol() {
    if !is_installed().await {
        return;
    }
    let (running, authority) = running(TlsServer::require_alpn).await;
    for version in ["-tls1_2", "-tls1_3"] {
        let mut client = Client::new(&running, &authority);
        client.add(&["-alpn", "h2,sockety/1", version]);
        assert_eq!(client.exchange(3).await, bytes(OFFER), "{version}");
        let output = client.report().await;
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        assert!(text.contains("ALPN protocol: sockety/1"), "{text}");
        assert!(text.contains("Verify return code: 0 (ok)"), "{text}");
    }
    running.stop().await;
}

#[tokio::test]
async fn openssl_is_refused_with_an_old_version_or_another_protocol() {
    if !is_installed().await {
        return;
    }
    let (running, authority) = running(|tls| tls).await;
    for refused in [["-alpn", "h2"], ["-cipher", "ALL:@SECLEVEL=0"]] {
        let mut client = Client::new(&running, &authority);
        client.add(&refused);
        if refused[0] == "-cipher" {
            client.add(&["-tls1_1"]);
        }
        let output = client.report().await;
        assert!(!output.status.success(), "{refused:?}");
        assert_eq!(client.exchange(3).await, b"", "{refused:?}");
    }
    running.stop().await;
}

#[tokio::test]
async fn openssl_shows_its_certificate() {
    if !is_installed().await {
        return;
    }
    let clients = Authority::new("clients");
    let (running, servers) = running(|tls| tls.require_clients(&clients.roots())).await;
    let mut client = Client::new(&running, &servers);
    client.identity(&clients.issue(&["worker.example"]));
    assert_eq!(client.exchange(3).await, bytes(OFFER));
    let nobody = Client::new(&running, &servers);
    assert_eq!(nobody.exchange(3).await, b"");
    let mut stranger = Client::new(&running, &servers);
    stranger.identity(&Authority::new("others").issue(&["worker.example"]));
    assert_eq!(stranger.exchange(3).await, b"");
    running.stop().await;
}

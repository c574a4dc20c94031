//! TLS, by the rows of the threats that it counters and by what it promises.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sockety::tls::rustls::pki_types::pem::PemObject;
use sockety::tls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sockety::tls::rustls::{self, ClientConfig, HandshakeKind, RootCertStore, ServerConfig};
use sockety::tls::{Identity, Roots, TlsClient, TlsError, TlsProblem, TlsServer};
use sockety::{
    Connection, Context, FastReply, Options, Router, Server,
    error::{ClosedBy, ConnectError, ConnectProblem, ConnectionError, chain},
    message::Draft,
    serve::MessageHandler,
    service,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::support::{
    Authority, HEADER, Issued, Peer, Running, answers_ping, bytes, id, is_closed_by, message, ping,
    ping_handler,
};

mod configuration;
mod openssl;
mod threats;

const ALPN: &[u8] = b"sockety/1";

#[service]
trait Who {
    /// The names by which the server knows its caller.
    async fn am_i(&self, cx: &Context) -> Vec<String>;
}

struct Names;

impl Who for Names {
    async fn am_i(&self, cx: &Context) -> Vec<String> {
        let identity = cx.peer_identity();
        identity.map_or_else(Vec::new, |identity| {
            [identity.dns_names(), identity.uris()].concat()
        })
    }
}

/// A server with a certificate for `localhost`, and who issued that.
async fn running(change: impl FnOnce(TlsServer) -> TlsServer) -> (Running, Authority) {
    running_with(Options::default(), change).await
}

async fn running_with(
    options: Options,
    change: impl FnOnce(TlsServer) -> TlsServer,
) -> (Running, Authority) {
    let authority = Authority::new("servers");
    let tls = TlsServer::new(authority.issue(&["localhost"]).identity());
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let server = server.options(options).tls(change(tls));
    let services = Router::new().service(WhoServer::new(Names)).expect("names");
    let running = Running::of(server, services.handler(ping_handler()));
    (running, authority)
}

fn at(running: &Running) -> String {
    format!("localhost:{}", running.address.port())
}

async fn refusal(running: &Running, tls: TlsClient) -> ConnectError {
    let connecting = sockety::connect(at(running)).tls(tls).await;
    connecting.map(drop).expect_err("no connection")
}

fn tls_error(error: &ConnectError) -> &rustls::Error {
    let ConnectProblem::Tls(error) = error.problem() else {
        panic!("{error:?}");
    };
    let inner = error.get_ref().expect("an inner error");
    inner.downcast_ref().expect("one of rustls")
}

/// A client that speaks TLS, but of Sockety only what the test says.
pub(crate) fn raw_config(authority: &Authority, alpn: &[&[u8]]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("a certificate");
    roots.add(root).expect("a root");
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn raw_server_config(
    issued: &Issued,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> ServerConfig {
    let certificate = CertificateDer::from_pem_slice(issued.certificate.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes());
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.expect("PEM")], key.expect("PEM"))
        .expect("a certificate")
}

async fn raw_client(
    running: &Running,
    config: &Arc<ClientConfig>,
) -> io::Result<client::TlsStream<TcpStream>> {
    let stream = TcpStream::connect(running.address).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::clone(config))
        .connect(name, stream)
        .await
}

/// A server that speaks TLS, but of Sockety only what the test says.
struct RawServer {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl RawServer {
    async fn new(issued: &Issued, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let mut config = raw_server_config(issued, rustls::DEFAULT_VERSIONS);
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        Self {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    fn address(&self) -> String {
        let port = self.listener.local_addr().expect("an address").port();
        format!("tls://localhost:{port}")
    }

    async fn accept(&self) -> io::Result<server::TlsStream<TcpStream>> {
        let (stream, _) = self.listener.accept().await?;
        self.acceptor.accept(stream).await
    }
}

#[tokio::test]
async fn the_certificate_is_checked_for_the_name_of_the_address_that_won() {
    let (running, authority) = running(|tls| tls).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let refused = listener.local_addr().expect("an address");
    drop(listener);
    let tls = TlsClient::new(&authority.roots());
    let addresses = [refused.to_string(), at(&running)];
    let client = sockety::connect(addresses).tls(tls.clone()).await;
    ping(&client.expect("the certificate is one for localhost")).await;
    let addresses = [refused.to_string(), running.address.to_string()];
    let error = sockety::connect(addresses).tls(tls).await;
    let error = error.expect_err("the certificate is not one for 127.0.0.1");
    assert!(
        matches!(error.problem(), ConnectProblem::Tls(_)),
        "{error:?}"
    );
    let text = format!(
        "cannot connect to {}: TLS handshake failed",
        running.address
    );
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn a_generated_client_calls_over_tls() {
    let (running, authority) = running(|tls| tls).await;
    let tls = TlsClient::new(&authority.roots());
    let client = WhoClient::connect(format!("tls://{}", at(&running))).tls(tls);
    let client = client.await.expect("connected");
    assert_eq!(client.am_i().await.expect("a reply"), [""; 0]);
    let server = client.connection().peer_identity().expect("a certificate");
    assert_eq!(server.dns_names(), ["localhost"]);
    assert_eq!(server.chain().count(), 1);
    assert_eq!(
        client.connection().peer_addr(),
        Some(running.address),
        "the address is that of TCP"
    );
    running.stop().await;
    assert!(is_closed_by(
        &client.connection().closed().await,
        ClosedBy::Peer
    ));
}

#[tokio::test]
async fn large_payloads_go_both_ways() {
    let authority = Authority::new("servers");
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let identity = authority.issue(&["localhost"]).identity();
    let echo = MessageHandler::new().action("echo", |message| async move {
        let same = sockety::message::ResponseDraft::new().with_data(message.payload().clone());
        message.respond(&same).await
    });
    let running = Running::of(server.tls(TlsServer::new(identity)), echo);
    let tls = TlsClient::new(&authority.roots());
    let connection = sockety::connect(at(&running)).tls(tls).await;
    let connection = connection.expect("connected");
    let payload: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    let draft = Draft::new("echo").with_data(payload.clone());
    let mut requests = Vec::new();
    for _ in 0..4 {
        requests.push(connection.send(&draft).await.expect("sent"));
    }
    for mut request in requests {
        let reply = request.response().await.expect("a reply");
        let response = reply.into_response().expect("a response");
        assert!(response.payload()[..] == payload[..]);
    }
    running.stop().await;
}

#[tokio::test]
async fn mutual_tls_names_the_caller() {
    let clients = Authority::new("clients");
    let (running, servers) = running(|tls| tls.require_clients(&clients.roots())).await;
    let issued = clients.issue(&["worker.example", "spiffe://example/worker"]);
    let tls = TlsClient::new(&servers.roots()).identity(issued.identity());
    // The second connection resumes the session of the first, and with it the certificate.
    for _ in 0..2 {
        let client = WhoClient::connect(at(&running)).tls(tls.clone()).await;
        let client = client.expect("connected");
        let names = client.am_i().await.expect("a reply");
        assert_eq!(names, ["worker.example", "spiffe://example/worker"]);
    }
    running.stop().await;
}

#[tokio::test]
async fn a_server_may_accept_clients_without_a_certificate_too() {
    let clients = Authority::new("clients");
    let (running, servers) = running(|tls| tls.accept_clients(&clients.roots())).await;
    let nobody = TlsClient::new(&servers.roots());
    let client = WhoClient::connect(at(&running)).tls(nobody.clone()).await;
    let names = client.expect("connected").am_i().await.expect("a reply");
    assert_eq!(names, [""; 0]);
    let somebody = nobody.clone().identity(clients.issue(&["a"]).identity());
    let client = WhoClient::connect(at(&running)).tls(somebody).await;
    let names = client.expect("connected").am_i().await.expect("a reply");
    assert_eq!(names, ["a"]);
    let stranger = nobody.identity(Authority::new("others").issue(&["a"]).identity());
    let error = refusal(&running, stranger).await;
    assert!(
        matches!(error.problem(), ConnectProblem::Tls(_)),
        "{error:?}"
    );
    running.stop().await;
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_refused() {
    let (running, _) = running(|tls| tls).await;
    let other = TlsClient::new(&Authority::new("others").roots());
    let error = refusal(&running, other).await;
    let error = tls_error(&error);
    assert!(
        matches!(error, rustls::Error::InvalidCertificate(_)),
        "{error:?}"
    );
    running.stop().await;
}

#[tokio::test]
async fn a_server_with_the_certificate_of_an_authority_is_refused_with_advice() {
    let authority = Authority::new("localhost");
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let server = server.tls(TlsServer::new(authority.identity()));
    let running = Running::of(server, ping_handler());
    let error = refusal(&running, TlsClient::new(&authority.roots())).await;
    let text = chain(&error).to_string();
    assert!(
        text.contains(": make one with basicConstraints CA:FALSE: "),
        "{text}"
    );
    assert!(text.ends_with("(OtherError(CaUsedAsEndEntity))"), "{text}");
    running.stop().await;
}

#[tokio::test]
async fn a_server_resumes_sessions() {
    let (running, authority) = running(|tls| tls).await;
    let config = Arc::new(raw_config(&authority, &[ALPN]));
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let stream = raw_client(&running, &config).await.expect("TLS");
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(expected));
        // Tickets come with the first bytes after the handshake.
        let mut peer = Peer::greeted(stream).await;
        answers_ping(&mut peer).await;
    }
    running.stop().await;
}

#[tokio::test]
async fn a_client_resumes_sessions_and_its_clones_share_them() {
    let authority = Authority::new("servers");
    let server = RawServer::new(&authority.issue(&["localhost"]), |_| {}).await;
    let tls = TlsClient::new(&authority.roots());
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let connecting = sockety::connect(server.address()).tls(tls.clone());
        let (connection, peer) = tokio::join!(connecting.into_future(), async {
            let stream = server.accept().await.expect("TLS");
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(expected));
            Peer::greeted(stream).await
        });
        let connection = connection.expect("connected");
        drop(peer);
        connection.closed().await;
    }
}

#[tokio::test]
async fn certificates_are_files_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let authority = Authority::new("servers");
    let issued = authority.issue(&["localhost"]);
    fs::write(path("server.pem"), &issued.certificate).expect("written");
    fs::write(path("server.key"), &issued.key).expect("written");
    fs::write(path("roots.pem"), authority.pem()).expect("written");
    let tls = TlsServer::from_pem_files(path("server.pem"), path("server.key")).expect("TLS");
    let server = Server::bind("tls://127.0.0.1:0").await.expect("bound");
    let running = Running::of(server.tls(tls), ping_handler());
    let roots = Roots::from_pem_file(path("roots.pem")).expect("roots");
    let connecting = sockety::connect(at(&running)).tls(TlsClient::new(&roots));
    ping(&connecting.await.expect("connected")).await;
    running.stop().await;
}

#[tokio::test]
async fn a_server_bound_to_tls_does_not_serve_without() {
    let server = Server::bind("tls://127.0.0.1:0").await.expect("bound");
    let error = server.accept(Router::new()).await.expect_err("no TLS");
    assert!(
        matches!(error.problem(), ConnectProblem::Address(_)),
        "{error:?}"
    );
    let error = server.serve(Router::new()).await.expect_err("no TLS");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("tls://127.0.0.1:0"), "{error}");
}

/// In a separate process, because the environment says where the roots of the system are.
#[test]
fn the_roots_of_the_system_are_trusted_by_default() {
    let directory = tempfile::tempdir().expect("a directory");
    let authority = Authority::new("system");
    let issued = authority.issue(&["localhost"]);
    let path = |name: &str| directory.path().join(name);
    fs::write(path("server.pem"), &issued.certificate).expect("written");
    fs::write(path("server.key"), &issued.key).expect("written");
    fs::write(path("roots.pem"), authority.pem()).expect("written");
    let child = std::process::Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "tls::in_a_child::dials_tls", "--ignored"])
        .env("SSL_CERT_FILE", path("roots.pem"))
        .env("SOCKETY_TEST_DIRECTORY", directory.path())
        .output()
        .expect("a child");
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}");
    assert!(output.contains("1 passed"), "{output}");
}

mod in_a_child {
    use super::*;

    #[tokio::test]
    #[ignore = "run by the_roots_of_the_system_are_trusted_by_default"]
    async fn dials_tls() {
        let directory = std::env::var_os("SOCKETY_TEST_DIRECTORY").expect("a directory");
        let directory = PathBuf::from(directory);
        let (certificate, key) = (directory.join("server.pem"), directory.join("server.key"));
        let tls = TlsServer::from_pem_files(certificate, key).expect("TLS");
        let server = Server::bind("127.0.0.1:0").await.expect("bound");
        let running = Running::of(server.tls(tls), ping_handler());
        let address = format!("tls://{}", at(&running));
        let first = sockety::connect(&address).await.expect("connected");
        ping(&first).await;
        let own = TlsClient::system_roots().expect("roots");
        ping(
            &sockety::connect(&address)
                .tls(own)
                .await
                .expect("connected"),
        )
        .await;
        running.stop().await;
    }
}

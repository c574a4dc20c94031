//! Unix sockets.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use sockety::tls::{TlsClient, TlsProblem, TlsServer};
use sockety::{
    Address, Router, Server,
    error::{ClosedBy, ConnectProblem, chain},
};
use tempfile::TempDir;

use crate::support::{Authority, is_closed_by, ping, ping_handler};

/// A directory of the test's own, and a path in it.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.sock");
    (directory, path)
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

async fn bind_error(path: &Path) -> io::Error {
    Server::bind(path).await.map(drop).expect_err("refused")
}

#[tokio::test]
async fn a_server_listens_on_a_path_until_it_is_stopped() {
    let (_directory, path) = place();
    let address = format!("unix://{}", path.display());
    let server = Server::bind(&address).await.expect("bound");
    assert!(is_socket(&path));
    let error = server.local_addr().expect_err("a path");
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(ping_handler()));
    let connection = sockety::connect(&address).await.expect("connected");
    ping(&connection).await;
    assert_eq!(connection.peer_addr(), None);
    handle.stop();
    serving.await.expect("no panic").expect("stopped");
    assert!(is_closed_by(&connection.closed().await, ClosedBy::Peer));
    assert!(!path.exists());
    let error = sockety::connect(&address).await.expect_err("nobody");
    assert!(
        matches!(error.problem(), ConnectProblem::Unreachable(..)),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_listens_on_several_addresses() {
    let (_directory, path) = place();
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let server = server.listen(&*path).await.expect("bound too");
    let address = server.local_addr().expect("that of the first");
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(ping_handler()));
    let over_tcp = sockety::connect(address).await.expect("connected");
    let over_unix = sockety::connect(&*path).await.expect("connected");
    for connection in [&over_tcp, &over_unix, &over_tcp] {
        ping(connection).await;
    }
    assert_eq!(handle.stats().connections, 2);
    handle.stop();
    serving.await.expect("no panic").expect("stopped");
    for connection in [over_tcp, over_unix] {
        assert!(is_closed_by(&connection.closed().await, ClosedBy::Peer));
    }
    assert!(!path.exists());
    sockety::connect(address).await.expect_err("nobody listens");
}

/// As a service manager passes them: bound, and blocking.
#[tokio::test]
async fn a_server_listens_on_several_listeners_that_exist() {
    let (_directory, path) = place();
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let unix = std::os::unix::net::UnixListener::bind(&path).expect("bound");
    let server = Server::new().listen_on(tcp).expect("a listener");
    let server = server.listen_on(unix).expect("a listener");
    let address = server.local_addr().expect("that of the first");
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(ping_handler()));
    let over_tcp = sockety::connect(address).await.expect("connected");
    let over_unix = sockety::connect(&*path).await.expect("connected");
    for connection in [&over_tcp, &over_unix, &over_tcp] {
        ping(connection).await;
    }
    assert_eq!(handle.stats().connections, 2);
    handle.stop();
    serving.await.expect("no panic").expect("stopped");
    assert!(is_socket(&path), "it was made by others");
    sockety::connect(address).await.expect_err("nobody listens");
}

/// What a service manager passes if it accepts connections itself.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_socket_that_does_not_listen_is_no_listener() {
    use std::os::fd::OwnedFd;

    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("an address");
    let _client = std::net::TcpStream::connect(address).expect("connected");
    let (accepted, _) = listener.accept().expect("accepted");
    let accepted = std::net::TcpListener::from(OwnedFd::from(accepted));
    let (pair, _other) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let pair = std::os::unix::net::UnixListener::from(OwnedFd::from(pair));
    accepted.set_nonblocking(true).expect("an option");
    let again = accepted.try_clone().expect("a clone");
    let of_tokio = tokio::net::TcpListener::from_std(again).expect("registered");
    let tcp = format!("{address} is not a listening socket");
    let unix = "unnamed Unix socket is not a listening socket".to_owned();
    for (server, expected) in [
        (Server::new().listen_on(of_tokio), &tcp),
        (Server::new().listen_on(accepted), &tcp),
        (Server::new().listen_on(pair), &unix),
    ] {
        let error = server.map(drop).expect_err("not a listener");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(&error.to_string(), expected);
    }
}

#[tokio::test]
async fn an_address_in_use_closes_the_listeners_before_it() {
    let (directory, path) = place();
    let server = Server::bind(&*path).await.expect("bound");
    let other = directory.path().join("b.sock");
    let both = Server::bind(&*other).await.expect("bound");
    let error = both.listen(&*path).await.map(drop).expect_err("in use");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(!other.exists());
    drop(server);
}

#[tokio::test]
async fn both_sides_know_the_user_of_the_other() {
    let (directory, path) = place();
    let server = Server::bind(&*path).await.expect("bound");
    let (client, accepted) = tokio::join!(
        sockety::connect(&*path).into_future(),
        server.accept(Router::new()),
    );
    let ours = fs::metadata(directory.path()).expect("metadata").uid();
    for connection in [client.expect("connected"), accepted.expect("accepted")] {
        let credentials = connection.peer_credentials().expect("credentials");
        assert_eq!(credentials.uid(), ours);
    }
}

#[tokio::test]
async fn a_path_that_somebody_listens_on_is_in_use() {
    let (_directory, path) = place();
    let server = Server::bind(&*path).await.expect("bound");
    let error = bind_error(&path).await;
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    let text = chain(&error).to_string();
    assert!(text.contains("another process listens"), "{text}");
    // What `main` prints.
    let debug = format!("{:?}", error.get_ref().expect("an error inside"));
    assert_eq!(debug, text);
    assert!(is_socket(&path));
    drop(server);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_left_behind_is_replaced() {
    let (_directory, path) = place();
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
    assert!(is_socket(&path));
    let server = Server::bind(&*path).await.expect("bound");
    let serving = tokio::spawn(server.serve(ping_handler()));
    ping(&sockety::connect(&*path).await.expect("connected")).await;
    serving.abort();
    serving.await.expect_err("aborted");
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let (_directory, path) = place();
    fs::write(&path, "precious").expect("written");
    let error = bind_error(&path).await;
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert_eq!(fs::read_to_string(&path).expect("read"), "precious");
}

#[tokio::test]
async fn the_file_of_another_server_is_not_removed() {
    let (_directory, path) = place();
    let first = Server::bind(&*path).await.expect("bound");
    fs::rename(&path, path.with_extension("old")).expect("renamed");
    let second = Server::bind(&*path).await.expect("bound");
    drop(first);
    assert!(is_socket(&path));
    drop(second);
    assert!(!path.exists());
}

async fn serves_and_leaves_its_file(server: Server, path: &Path) {
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(ping_handler()));
    let connection = sockety::connect(path).await.expect("connected");
    ping(&connection).await;
    handle.stop();
    serving.await.expect("no panic").expect("stopped");
    assert!(is_socket(path));
}

#[tokio::test]
async fn the_file_of_a_listener_that_others_bound_is_not_removed() {
    let (_directory, path) = place();
    let listener = tokio::net::UnixListener::bind(&path).expect("bound");
    serves_and_leaves_its_file(Server::from(listener), &path).await;
    fs::remove_file(&path).expect("removed");
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("bound");
    let server = Server::try_from(listener).expect("a server");
    serves_and_leaves_its_file(server, &path).await;
}

#[tokio::test]
async fn a_path_that_cannot_be_is_an_error() {
    let (directory, _) = place();
    let error = bind_error(&directory.path().join("missing/a.sock")).await;
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    // The operating system takes about a hundred bytes.
    let error = bind_error(&directory.path().join("a".repeat(200))).await;
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn tls_over_a_path_needs_a_name() {
    let (_directory, path) = place();
    let authority = Authority::new("servers");
    let identity = authority.issue(&["app.example"]).identity();
    let server = Server::bind(&*path).await.expect("bound");
    let server = server.tls(TlsServer::new(identity));
    tokio::spawn(server.serve(ping_handler()));
    let tls = TlsClient::new(&authority.roots());
    let error = sockety::connect(&*path).tls(tls.clone()).await;
    let error = error.expect_err("no name");
    let ConnectProblem::TlsConfig(error) = error.problem() else {
        panic!("another error");
    };
    assert!(matches!(error.problem(), TlsProblem::NoServerName));
    assert_eq!(error.subject(), Address::from(&*path).to_string());
    let tls = tls.server_name("app.example").expect("a name");
    let connection = sockety::connect(&*path).tls(tls).await;
    ping(&connection.expect("connected")).await;
}

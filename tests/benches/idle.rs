//! Memory of a server per idle connection, after one call on each of many connections.
//!
//! `cargo bench -p sockety-tests --bench idle [-- CONNECTIONS]`, 5,000 by default. The server is a
//! separate process, and the figure is what the system counts for it. One of them does without the
//! extension, which says what that costs.
#![allow(clippy::print_stdout, reason = "it is what the program is for")]

mod process;

use std::{env, time::Duration};

use process::{Process, SERVER, allow_many_files, print_surroundings, serve};
use sockety::tls::{Identity, Roots, TlsClient, TlsServer};
use sockety::{Connection, Options, Server, config::Extension, message::Draft};
use tempfile::TempDir;
use tokio::time::sleep;

/// The argument of a server that does not offer the extension.
const BASE: &str = "base";

/// Opened at the same time.
const TOGETHER: usize = 50;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == SERVER) {
        let mut server = Server::bind("127.0.0.1:0").await.expect("a port");
        server = server.max_connections(1_000_000);
        match &arguments[1..] {
            [word] if word == BASE => {
                server = server.options(Options::default().extension(Extension::Off));
            }
            [certificate, key] => {
                let identity = Identity::from_pem_files(certificate, key).expect("a certificate");
                server = server.tls(TlsServer::new(identity));
            }
            _ => {}
        }
        return serve(server).await;
    }
    let count = arguments.iter().find_map(|word| word.parse().ok());
    let count = count.unwrap_or(5000);
    allow_many_files();
    print_surroundings();
    println!("| {count} idle connections | server, KiB each | before, KiB | after, KiB |");
    println!("| --- | --- | --- | --- |");
    measure("plain", count, &Process::start(&[]), None).await;
    let base = Process::start(&[BASE]);
    measure("plain, without the extension", count, &base, None).await;
    let (folder, client) = certificate();
    let file = |name| {
        let path = folder.path().join(name);
        path.into_os_string().into_string().expect("UTF-8")
    };
    let server = Process::start(&[&file("certificate"), &file("key")]);
    measure("TLS", count, &server, Some(client)).await;
}

async fn measure(kind: &str, count: usize, server: &Process, tls: Option<TlsClient>) {
    // What is allocated once for all.
    drop(open(server, TOGETHER, tls.as_ref()).await);
    sleep(Duration::from_secs(2)).await;
    let before = server.resident();
    let connections = open(server, count, tls.as_ref()).await;
    sleep(Duration::from_secs(2)).await;
    let after = server.resident();
    assert!(connections.iter().all(|connection| !connection.is_closed()));
    let each = after.saturating_sub(before) as f64 / count as f64;
    println!("| {kind} | {each:.1} | {before} | {after} |");
}

/// Connections that have made a call.
async fn open(server: &Process, count: usize, tls: Option<&TlsClient>) -> Vec<Connection> {
    let mut connections = Vec::new();
    while connections.len() < count {
        let together = TOGETHER.min(count - connections.len());
        let opening: Vec<_> = (0..together)
            .map(|_| tokio::spawn(one(server.address.port(), tls.cloned())))
            .collect();
        for connection in opening {
            connections.push(connection.await.expect("no panic"));
        }
    }
    connections
}

async fn one(port: u16, tls: Option<TlsClient>) -> Connection {
    let connect = sockety::connect(("localhost", port));
    let connect = match tls {
        Some(tls) => connect.tls(tls),
        None => connect,
    };
    let connection = connect.await.expect("connected");
    let draft = Draft::new("echo").with_data(vec![7; 100]);
    let mut request = connection.send(&draft).await.expect("sent");
    request.response().await.expect("an echo");
    connection
}

fn certificate() -> (TempDir, TlsClient) {
    let made = rcgen::generate_simple_self_signed(["localhost".into()]).expect("a key");
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = made.cert.pem();
    std::fs::write(folder.path().join("certificate"), &certificate).expect("written");
    let key = made.signing_key.serialize_pem();
    std::fs::write(folder.path().join("key"), key).expect("written");
    let roots = Roots::from_pem(&certificate).expect("a certificate");
    (folder, TlsClient::new(&roots))
}

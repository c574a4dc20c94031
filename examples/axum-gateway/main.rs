//! An archive of documents with an HTTP front end: axum speaks HTTP and JSON with clients, and
//! Sockety with the archive behind it.
//!
//! Read `gateway.rs` first, then `failure.rs`: how failed calls become HTTP responses. `service.rs`
//! and `store.rs` are the archive.

use std::{
    env,
    fmt::Display,
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
};

use sockety::{Server, error::chain, serve::BoxError};
use tokio::net::TcpListener;

mod failure;
mod gateway;
mod service;
mod store;
#[cfg(test)]
mod tests;

use service::{ArchiveClient, ArchiveServer};
use store::Store;

const USAGE: &str = "\
Usage: axum-gateway [HTTP-ADDRESS]                   archive and gateway in one process, with an empty folder
       axum-gateway archive ADDRESS FOLDER           the archive alone
       axum-gateway gateway HTTP-ADDRESS ADDRESS     the gateway alone, for an archive at that address

The address for HTTP is 127.0.0.1:8080 unless another is given.";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["--help" | "-h"] => {
            say(USAGE);
            Ok(())
        }
        [] => both("127.0.0.1:8080").await,
        [http] => both(http).await,
        ["archive", address, folder] => archive(address, folder).await,
        ["gateway", http, address] => gateway(http, address).await,
        _ => {
            complain(USAGE);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("axum-gateway: {}", chain(&*error)));
            ExitCode::FAILURE
        }
    }
}

/// They communicate over TCP.
async fn both(http: &str) -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let server = Server::bind("127.0.0.1:0").await?;
    let address = server.local_addr()?;
    tokio::spawn(server.serve(ArchiveServer::new(Store::new(folder.path()))));
    gateway(http, &address.to_string()).await
}

async fn archive(address: &str, folder: &str) -> Result<(), BoxError> {
    let server = Server::bind(address).await?;
    say(format_args!(
        "archive on {}, Ctrl-C stops",
        server.local_addr()?
    ));
    let handle = server.handle();
    tokio::spawn(async move {
        ctrl_c().await;
        handle.stop();
    });
    server.serve(ArchiveServer::new(Store::new(folder))).await?;
    Ok(())
}

async fn gateway(http: &str, address: &str) -> Result<(), BoxError> {
    let archive = ArchiveClient::connect(address).reconnecting();
    let listener = TcpListener::bind(http).await?;
    say(instructions(listener.local_addr()?));
    axum::serve(listener, gateway::router(archive))
        .with_graceful_shutdown(ctrl_c())
        .await?;
    Ok(())
}

async fn ctrl_c() {
    let _ = tokio::signal::ctrl_c().await;
}

fn instructions(at: SocketAddr) -> String {
    format!(
        "\
gateway on http://{at}, Ctrl-C stops

curl -T README.md http://{at}/documents/readme
curl http://{at}/documents/readme
curl -X PUT --json '{{\"note\":\"read it\"}}' http://{at}/documents/readme/note
curl http://{at}/documents"
    )
}

/// Prints a line. Unlike with `println!`, it is not a panic if the reader has gone away (`| head`).
fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

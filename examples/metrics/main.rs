//! An observed server and client: metrics for Prometheus, scraped over HTTP, and a line in the log
//! for each call on each side, when its span ends.
//!
//! `observed.rs` has the observation: what is added to a router and a client, and the page that is
//! scraped. `service.rs` is the observed service.

use std::{
    env,
    fmt::Display,
    io::{self, Write},
    time::Duration,
};

use sockety::{File, serve::BoxError};
use tokio::{net::TcpListener, time::sleep};
use tracing_subscriber::fmt::format::FmtSpan;

mod observed;
mod service;
#[cfg(test)]
mod tests;

use service::LibraryClient;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_span_events(FmtSpan::CLOSE)
        .init();
    let address = env::args().nth(1);
    let http = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:9100")).await?;
    say(format_args!(
        "metrics on http://{}/metrics, Ctrl-C stops",
        http.local_addr()?
    ));
    let prometheus = observed::recorder()?;
    let (server, library) = observed::library().await?;
    tokio::select! {
        ended = observed::serve_metrics(http, prometheus, &server) => ended?,
        () = read(&library) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}

/// A client that calls every second, and sometimes fails.
async fn read(library: &LibraryClient) {
    loop {
        // The metrics show the result of each call.
        let _ = library.copies("Emma".into()).await;
        let _ = library.copies("Ulysses".into()).await;
        let _ = library.lend("Dune".into()).await;
        let page = File::from_bytes("page.txt", "It is a truth\nuniversally acknowledged\n");
        let _ = library.scan(page).await;
        sleep(Duration::from_secs(1)).await;
    }
}

/// Prints a line. Unlike with `println!`, it is not a panic if the reader has gone away (`| head`).
fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

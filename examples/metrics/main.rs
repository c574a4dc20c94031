//! A server and a client that are looked at: metrics for Prometheus, scraped over HTTP, and a line in the log for each call
//! on each side, as its span ends.
//!
//! `observed.rs` is what there is to see: what is added to a router and a client, and the page that is scraped. `service.rs` is
//! what is looked at.

use std::{
    env,
    fmt::Display,
    io::{self, Write},
    time::Duration,
};

use sockety::{BoxError, File};
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

/// Somebody who comes every second, and does not always get what they want.
async fn read(library: &LibraryClient) {
    loop {
        // What became of each is in the metrics.
        let _ = library.copies("Emma".into()).await;
        let _ = library.copies("Ulysses".into()).await;
        let _ = library.lend("Dune".into()).await;
        let page = File::from_bytes("page.txt", "It is a truth\nuniversally acknowledged\n");
        let _ = library.scan(page).await;
        sleep(Duration::from_secs(1)).await;
    }
}

/// Prints a line. Unlike with `println!`, a reader that has gone away (`| head`) is no panic.
fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

//! A service under systemd: it serves the sockets that systemd has opened, says when it is ready
//! and when it stops, and finishes accepted calls at SIGTERM. `reports.socket` and
//! `reports.service` are its units.
//!
//! Without systemd, it listens on the address in the first argument, until SIGTERM.

use std::{env, io, process::ExitCode, time::Duration};

use listenfd::ListenFd;
use sd_notify::{NotifyState, notify};
use sockety::{Server, error::chain, serve::BoxError, service};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

/// How long accepted calls may take after SIGTERM. `TimeoutStopSec` in `reports.service` is longer.
const GRACE: Duration = Duration::from_secs(20);

#[service]
trait Reports {
    async fn pages(&self) -> u32;
    /// Takes a second for each page.
    async fn print(&self, pages: u32) -> String;
}

struct Printer;

impl Reports for Printer {
    async fn pages(&self) -> u32 {
        7
    }

    async fn print(&self, pages: u32) -> String {
        sleep(Duration::from_secs(pages.into())).await;
        format!("{pages} pages")
    }
}

fn main() -> ExitCode {
    // Before the runtime starts its threads, because this changes the environment.
    match run(ListenFd::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sockety-systemd: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(passed: ListenFd) -> Result<(), BoxError> {
    // Before the service is ready, because SIGTERM kills the process until then.
    let mut terminate = signal(SignalKind::terminate())?;
    let server = match env::args().nth(1) {
        Some(address) => Server::bind(address).await?,
        None => server_of(passed)?,
    };
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(ReportsServer::new(Printer)));
    tell(NotifyState::Ready);

    terminate.recv().await;
    tell(NotifyState::Stopping);
    handle.shutdown(GRACE).await;
    serving.await??;
    Ok(())
}

/// Tells systemd, if it is there. A server that cannot still serves.
fn tell(state: NotifyState<'_>) {
    if let Err(error) = notify(&[state]) {
        eprintln!("warning: cannot notify systemd at NOTIFY_SOCKET: {error}");
    }
}

/// Serves each socket of `reports.socket`.
fn server_of(mut passed: ListenFd) -> io::Result<Server> {
    if passed.len() == 0 {
        let error = "no sockets were passed, and no address was named";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
    }
    let mut server = Server::new();
    for index in 0..passed.len() {
        // Sockets that are not TCP stay in their places.
        let listening = match passed.take_tcp_listener(index) {
            Ok(Some(listener)) => server.listen_on(listener),
            _ => match passed.take_unix_listener(index) {
                Ok(Some(listener)) => server.listen_on(listener),
                Ok(None) => Ok(server),
                Err(error) => Err(error),
            },
        };
        // The first has descriptor 3. With `Accept=yes`, systemd passes connections.
        server = listening.map_err(|error| {
            let text = format!("cannot serve descriptor {}: {error}", index + 3);
            io::Error::new(error.kind(), text)
        })?;
    }
    Ok(server)
}

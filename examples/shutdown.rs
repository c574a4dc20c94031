//! A server with a graceful shutdown: on SIGTERM or Ctrl-C it accepts nothing new, finishes what it
//! has accepted, and exits.
//!
//! With an address as argument, it serves there until it is told to end. Without one, it is its own
//! client: it places an order, sends itself SIGTERM, and shows what happens to this order and to
//! later ones.

use std::{
    env,
    error::Error,
    fmt::Display,
    io::{self, Write},
    time::Duration,
};

use sockety::{Server, server::ServerHandle, service};
use tokio::{sync::mpsc, time::sleep};

/// How long accepted calls may take after the signal. Service managers wait longer: systemd 90 s,
/// Kubernetes 30 s.
const GRACE: Duration = Duration::from_secs(20);

#[service]
trait Kitchen {
    async fn tea(&self) -> String;
    /// Takes a while.
    async fn stew(&self) -> String;
}

struct Stove {
    /// Notified when a stew has begun.
    begun: mpsc::Sender<()>,
}

impl Kitchen for Stove {
    async fn tea(&self) -> String {
        "tea".into()
    }

    async fn stew(&self) -> String {
        say("server: a stew is on the stove");
        // The receiver may be gone.
        let _ = self.begun.try_send(());
        sleep(Duration::from_secs(3)).await;
        say("server: the stew is done");
        "stew".into()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1);
    let (begun, has_begun) = mpsc::channel(1);
    let server = Server::bind(address.as_deref().unwrap_or("127.0.0.1:0")).await?;
    let (at, handle) = (server.local_addr()?, server.handle());
    let serving = tokio::spawn(server.serve(KitchenServer::new(Stove { begun })));
    let ending = tokio::spawn(shut_down(handle.clone(), told_to_end()?));
    if address.is_none() {
        let kitchen = KitchenClient::connect(at).await?;
        be_a_guest(kitchen, has_begun).await?;
    }
    ending.await??;
    serving.await??;
    let stats = handle.stats();
    say(format_args!(
        "server: gone, {} accepted, {} left",
        stats.accepted, stats.connections
    ));
    Ok(())
}

async fn shut_down(
    handle: ServerHandle,
    told: impl Future<Output = io::Result<&'static str>>,
) -> io::Result<()> {
    let signal = told.await?;
    say(format_args!("server: {signal}, finishing"));
    handle.shutdown(GRACE).await;
    Ok(())
}

/// Signals of service managers and of terminals. From this call on, SIGTERM no longer kills the
/// process.
#[cfg(unix)]
fn told_to_end() -> io::Result<impl Future<Output = io::Result<&'static str>>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => Ok("SIGTERM"),
            pressed = tokio::signal::ctrl_c() => pressed.map(|()| "Ctrl-C"),
        }
    })
}

#[cfg(not(unix))]
fn told_to_end() -> io::Result<impl Future<Output = io::Result<&'static str>>> {
    Ok(async { tokio::signal::ctrl_c().await.map(|()| "Ctrl-C") })
}

/// Orders a stew, makes the server shut down, and keeps ordering tea until it is refused.
async fn be_a_guest(
    kitchen: KitchenClient,
    mut has_begun: mpsc::Receiver<()>,
) -> Result<(), Box<dyn Error>> {
    let stew = tokio::spawn(kitchen.stew().into_future());
    has_begun.recv().await;
    tell_to_end()?;
    let refused = loop {
        if let Err(error) = kitchen.tea().await {
            break error;
        }
    };
    // It was not sent, so it is safe to try another server right away.
    say(format_args!(
        "guest: no tea, {}: {refused}",
        refused.outcome()
    ));
    say(format_args!("guest: the {} has come", stew.await??));
    Ok(())
}

#[cfg(unix)]
fn tell_to_end() -> io::Result<()> {
    use rustix::process::{Signal, getpid, kill_process};
    Ok(kill_process(getpid(), Signal::TERM)?)
}

#[cfg(not(unix))]
fn tell_to_end() -> io::Result<()> {
    say("press Ctrl-C");
    Ok(())
}

/// Prints a line. Unlike with `println!`, it is not a panic if the reader has gone away (`| head`).
fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

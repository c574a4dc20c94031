//! A server that ends in order: told to end by SIGTERM or Ctrl-C, it finishes what it has accepted, takes nothing new,
//! and goes.
//!
//! With an address it serves there until it is told. Without, it is its own guest: it takes an order, sends itself
//! SIGTERM, and shows what becomes of this order and of those that come too late.

use std::{
    env,
    error::Error,
    fmt::Display,
    io::{self, Write},
    time::Duration,
};

use sockety::{Server, ServerHandle, service};
use tokio::{sync::mpsc, time::sleep};

/// How long what was accepted may take after the signal. Service managers wait longer: systemd 90 s, Kubernetes 30 s.
const GRACE: Duration = Duration::from_secs(20);

#[service]
trait Kitchen {
    async fn tea(&self) -> String;
    /// Takes a while.
    async fn stew(&self) -> String;
}

struct Stove {
    /// Told when a stew has begun.
    begun: mpsc::Sender<()>,
}

impl Kitchen for Stove {
    async fn tea(&self) -> String {
        "tea".into()
    }

    async fn stew(&self) -> String {
        say("server: a stew is on the stove");
        // Nobody may care.
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

/// What service managers send, and who sits before a terminal. From now on SIGTERM does not end the process at once.
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

/// Orders a stew, has the server told to end, and goes on ordering tea until nothing more is taken.
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
    // It was not sent: another server may be asked at once.
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

/// Prints a line. Unlike with `println!`, a reader that has gone away (`| head`) is no panic.
fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

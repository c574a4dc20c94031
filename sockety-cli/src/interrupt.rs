use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sockety::Connection;
use tokio::{runtime::Runtime, time::timeout};

/// Whether the program was asked to end.
static HAS_COME: AtomicBool = AtomicBool::new(false);

/// How long the peer has to take what it is told about a message that is given up, and the disk to
/// remove a partial file.
const GRACE: Duration = Duration::from_secs(1);

/// Tells the peer that what is under way on this connection is given up.
pub async fn give_up(connection: &Connection) {
    // A peer that reads nothing learns it by the end of the connection.
    let _ = timeout(GRACE, connection.close()).await;
}

/// Ends the threads of the runtime. They are not waited for, because one may be blocked on standard
/// input for ever; but after an interruption they may have partial files to remove.
pub fn shut_down(runtime: Runtime) {
    match HAS_COME.load(Ordering::Relaxed) {
        true => runtime.shutdown_timeout(GRACE),
        false => runtime.shutdown_background(),
    }
}

/// Completes when the program is asked to end, by Ctrl-C or SIGTERM. Signals count from this call
/// on, not only from the first poll.
#[cfg(unix)]
pub fn interrupted() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
            // Without handlers, the signals end the program by themselves.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        HAS_COME.store(true, Ordering::Relaxed);
    }
}

/// Completes when the program is asked to end, by Ctrl-C.
#[cfg(not(unix))]
pub async fn interrupted() {
    let _ = tokio::signal::ctrl_c().await;
    HAS_COME.store(true, Ordering::Relaxed);
}

//! A proxy that simulates network faults on a link.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use crate::SECOND;

/// What becomes of the bytes of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    /// So many bytes a second in each direction.
    Rate(u64),
    /// Small pieces, each a little late.
    Slices,
    /// An end is passed on late.
    SlowClose,
    /// Nothing arrives any longer, and nobody is told.
    Swallow,
    SwallowToClient,
    /// What the client sends is not taken.
    NeverRead,
    /// One byte that the client sends arrives as another.
    Corrupt,
    /// Both sides are told that nothing more comes.
    End,
    Reset,
}

/// After how many bytes the proxy stops, says so, and waits for another mode.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trigger {
    pub(crate) to_server: Option<u64>,
    pub(crate) to_client: Option<u64>,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    mode: watch::Sender<Mode>,
    triggered: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(server: SocketAddr, mode: Mode, trigger: Trigger) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (mode, received) = watch::channel(mode);
        let triggered = Arc::<Notify>::default();
        let notify = Arc::clone(&triggered);
        let task = tokio::spawn(async move {
            let Ok((client, _)) = listener.accept().await else {
                return;
            };
            // Without a server, the client is told at once.
            let Ok(server) = TcpStream::connect(server).await else {
                return;
            };
            carry(client, server, received, trigger, notify).await;
        });
        Self {
            address,
            mode,
            triggered,
            task,
        }
    }

    /// Waits until this many bytes have passed.
    pub(crate) async fn triggered(&self) {
        self.triggered.notified().await;
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    client: TcpStream,
    server: TcpStream,
    mut mode: watch::Receiver<Mode>,
    trigger: Trigger,
    triggered: Arc<Notify>,
) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut there = Direction {
        from: from_client,
        to: to_server,
        is_to_server: true,
        passed: 0,
        trigger: trigger.to_server,
        triggered: Arc::clone(&triggered),
        mode: mode.clone(),
    };
    let mut back = Direction {
        from: from_server,
        to: to_client,
        is_to_server: false,
        passed: 0,
        trigger: trigger.to_client,
        triggered,
        mode: mode.clone(),
    };
    let is_over = |mode: &Mode| matches!(mode, Mode::End | Mode::Reset);
    let is_end = tokio::select! {
        ended = mode.wait_for(is_over) => ended.is_ok_and(|mode| *mode == Mode::End),
        _ = async { tokio::join!(there.run(), back.run()) } => return,
    };
    if is_end {
        let _ = there.to.shutdown().await;
        let _ = back.to.shutdown().await;
        // What still comes is read, so that the end stays an end.
        tokio::join!(drain(&mut there.from), drain(&mut back.from));
    } else {
        for half in [&there.from, &back.from] {
            let _ = half.as_ref().set_zero_linger();
        }
    }
}

async fn drain(from: &mut OwnedReadHalf) {
    let mut rest = [0; 4096];
    while from.read(&mut rest).await.is_ok_and(|count| count > 0) {}
}

struct Direction {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    is_to_server: bool,
    passed: u64,
    trigger: Option<u64>,
    triggered: Arc<Notify>,
    mode: watch::Receiver<Mode>,
}

impl Direction {
    async fn run(&mut self) {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count) = self.read(&mut buffer).await {
            if count == 0 {
                if *self.mode.borrow() == Mode::SlowClose {
                    sleep(SECOND).await;
                }
                let _ = self.to.shutdown().await;
                return;
            }
            let due = self.trigger.map(|at| at.saturating_sub(self.passed));
            let first = due.map_or(count, |due| count.min(due as usize));
            if self.write(&mut buffer[..first]).await.is_err() {
                return;
            }
            if due.is_some_and(|due| count as u64 >= due) {
                self.trigger = None;
                self.mode.mark_unchanged();
                self.triggered.notify_one();
                let _ = self.mode.changed().await;
                if self.write(&mut buffer[first..count]).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let is_stuck = |mode: Mode, is_to_server: bool| mode == Mode::NeverRead && is_to_server;
        loop {
            let mode = *self.mode.borrow_and_update();
            tokio::select! {
                count = self.from.read(buffer), if !is_stuck(mode, self.is_to_server) => return count,
                Ok(()) = self.mode.changed() => {}
                else => std::future::pending::<()>().await,
            }
        }
    }

    async fn write(&mut self, bytes: &mut [u8]) -> std::io::Result<()> {
        self.passed += bytes.len() as u64;
        let is_taken = |mode: &Mode| *mode != Mode::NeverRead || !self.is_to_server;
        let Ok(mode) = self.mode.wait_for(is_taken).await.map(|mode| *mode) else {
            return std::future::pending().await;
        };
        match mode {
            Mode::Swallow => return Ok(()),
            Mode::SwallowToClient if !self.is_to_server => return Ok(()),
            Mode::Rate(rate) => {
                sleep(Duration::from_micros(bytes.len() as u64 * 1_000_000 / rate)).await;
            }
            Mode::Slices => {
                for slice in bytes.chunks(1000) {
                    sleep(Duration::from_millis(2)).await;
                    self.to.write_all(slice).await?;
                }
                return Ok(());
            }
            Mode::Corrupt if self.is_to_server => {
                if let Some(byte) = bytes.last_mut() {
                    *byte ^= 0x10;
                }
            }
            Mode::Pass
            | Mode::SlowClose
            | Mode::SwallowToClient
            | Mode::NeverRead
            | Mode::Corrupt
            | Mode::End
            | Mode::Reset => {}
        }
        self.to.write_all(bytes).await
    }
}

//! What copying alone takes: each byte once into memory in place of the buffers of the system, and once out of it, by two
//! threads. Nothing that carries payloads over a socket copies less.

use std::{
    fs,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Instant,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Mutex,
};

use crate::{
    Result,
    calls::{Client, Upload},
    clock::Window,
    contender::{About, Contender, Kind, Serving, Target},
    control,
    link::{Link, accept_each},
    load::Tally,
    payloads::MIB,
    plan::Runtime,
    workload::Workload,
};

pub struct Memcpy;

/// How many bytes are copied between two looks at what the other thread does.
const PIECE: usize = 256 * 1024;
/// Comparing takes time too.
const SAMPLED: u64 = 64;

impl Contender for Memcpy {
    type Client = MemcpyClient;

    const ABOUT: About = About {
        name: "memcpy",
        kind: Kind::Limit,
        crates: &[],
        settings: "each byte copied twice, by two threads of one process; as many bytes wait between them as `tcp_wmem` allows; \
                   no network",
        runtime: Runtime::Multi,
        workloads: &[Workload::T4],
        tls: false,
    };

    /// Counts what the client says that it has copied.
    async fn serve(serving: Serving) -> Result<()> {
        accept_each(serving, |mut link| async move {
            loop {
                control::executed(link.read_u64().await?);
                link.write_u8(0).await?;
            }
        })
        .await
    }

    async fn connect(target: &Target) -> Result<MemcpyClient> {
        Ok(MemcpyClient {
            link: Arc::new(Mutex::new(Link::connect(target).await?)),
        })
    }
}

#[derive(Clone)]
pub struct MemcpyClient {
    link: Arc<Mutex<Link>>,
}

impl Client for MemcpyClient {
    async fn upload_load(clients: &[Self], _in_flight: usize, window: Window) -> Result<Tally> {
        let pieces = waiting_bytes()?.div_ceil(PIECE);
        let tally = tokio::task::spawn_blocking(move || copy(window, pieces)).await??;
        let mut link = clients[0].link.lock().await;
        link.write_u64(tally.calls).await?;
        link.read_u8().await?;
        Ok(tally)
    }
}

/// How many bytes a socket lets wait at most.
fn waiting_bytes() -> Result<usize> {
    let sizes = fs::read_to_string("/proc/sys/net/ipv4/tcp_wmem")?;
    let most = sizes.split_whitespace().last().ok_or("tcp_wmem is empty")?;
    Ok(most.parse()?)
}

/// A piece of a payload, and when its copying has begun.
struct Piece {
    bytes: Vec<u8>,
    begun: Instant,
}

/// Copies until the window is over.
fn copy(window: Window, pieces: usize) -> Result<Tally> {
    let (filled_in, filled) = mpsc::sync_channel(pieces);
    let (free_in, free) = mpsc::sync_channel(pieces);
    for _ in 0..pieces {
        free_in.send(vec![0; PIECE])?;
    }
    let sender: JoinHandle<()> = thread::spawn(move || {
        let payload = Upload::payload();
        let mut begun = Instant::now();
        while begun < window.end {
            for part in payload.chunks_exact(PIECE) {
                let Ok::<Vec<u8>, _>(mut bytes) = free.recv() else {
                    return;
                };
                bytes.copy_from_slice(part);
                if filled_in.send(Piece { bytes, begun }).is_err() {
                    return;
                }
            }
            begun = Instant::now();
        }
    });
    let mut tally = Tally::new();
    let mut payload = vec![0; MIB];
    'all: loop {
        let mut begun = None;
        for part in payload.chunks_exact_mut(PIECE) {
            let Ok(piece) = filled.recv() else {
                break 'all;
            };
            part.copy_from_slice(&piece.bytes);
            begun.get_or_insert(piece.begun);
            // Fails when the sender has ended: then there is no other to fill it.
            let _ = free_in.send(piece.bytes);
        }
        if tally.calls.is_multiple_of(SAMPLED) && payload != Upload::payload() {
            return Err("the copy differs".into());
        }
        tally.record(&window, begun.unwrap_or(window.begin), Instant::now());
    }
    sender.join().map_err(|_| "the sender has panicked")?;
    Ok(tally)
}

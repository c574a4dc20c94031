//! Bytes from one socket to another, without any framing but a length.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
    sync::Mutex,
};

use crate::{
    Result,
    calls::Client,
    contender::{About, Contender, Kind, Serving, Target},
    link::{Link, accept_each},
    payloads::large,
    plan::Runtime,
    workload::Workload,
};

/// Writes of so many bytes.
pub struct LimitBulk<const WRITE: usize>;

/// Instead of a network, the command `cp`.
pub struct Copy;

const STREAM: u8 = 0;
const STORE: u8 = 1;
const READ: usize = 1024 * 1024;

impl<const WRITE: usize> Contender for LimitBulk<WRITE> {
    type Client = BulkClient<WRITE>;

    const ABOUT: About = About {
        name: if WRITE > READ / 2 {
            "limit-bulk-1m"
        } else {
            "limit-bulk-64k"
        },
        kind: Kind::Limit,
        crates: &["tokio", "tokio-rustls"],
        settings: "reads of 1 MiB; the reader discards, or writes to the disk",
        runtime: Runtime::Multi,
        workloads: &[Workload::W6, Workload::W9],
        tls: true,
    };

    async fn serve(serving: Serving) -> Result<()> {
        let stored = serving.directory.join("limit-bulk");
        accept_each(serving, move |link| receive(link, stored.clone())).await
    }

    async fn connect(target: &Target) -> Result<Self::Client> {
        Ok(BulkClient {
            link: Arc::new(Mutex::new(Link::connect(target).await?)),
        })
    }
}

async fn receive(mut link: Link, stored: PathBuf) -> Result<()> {
    let mut buffer = vec![0; READ];
    loop {
        let (kind, length) = (link.read_u8().await?, link.read_u64().await?);
        let mut file = match kind {
            STORE => Some(large_writes(File::create(&stored).await?)),
            _ => None,
        };
        let mut received = 0;
        while received < length {
            let room = buffer.len().min((length - received) as usize);
            let read = link.read(&mut buffer[..room]).await?;
            if read == 0 {
                return Err("not all arrived".into());
            }
            if let Some(file) = &mut file {
                file.write_all(&buffer[..read]).await?;
            }
            received += read as u64;
        }
        if let Some(mut file) = file {
            file.flush().await?;
        }
        link.write_u64(received).await?;
        link.flush().await?;
    }
}

fn large_writes(mut file: File) -> File {
    file.set_max_buf_size(READ);
    file
}

#[derive(Clone)]
pub struct BulkClient<const WRITE: usize> {
    link: Arc<Mutex<Link>>,
}

impl<const WRITE: usize> Client for BulkClient<WRITE> {
    async fn stream(&self, chunk: Bytes, count: u64) -> Result<u64> {
        let mut link = self.link.lock().await;
        let mut left = chunk.len() as u64 * count;
        link.write_u8(STREAM).await?;
        link.write_u64(left).await?;
        let bytes = large(WRITE);
        while left > 0 {
            let write = (WRITE as u64).min(left);
            link.write_all(&bytes[..write as usize]).await?;
            left -= write;
        }
        link.flush().await?;
        Ok(link.read_u64().await?)
    }

    async fn file(&self, path: PathBuf) -> Result<u64> {
        let mut link = self.link.lock().await;
        let mut file = large_writes(File::open(path).await?);
        link.write_u8(STORE).await?;
        link.write_u64(file.metadata().await?.len()).await?;
        let mut buffer = vec![0; WRITE];
        loop {
            let read = file.read(&mut buffer).await?;
            if read == 0 {
                break;
            }
            link.write_all(&buffer[..read]).await?;
        }
        link.flush().await?;
        Ok(link.read_u64().await?)
    }
}

impl Contender for Copy {
    type Client = CopyClient;

    const ABOUT: About = About {
        name: "cp",
        kind: Kind::Limit,
        crates: &[],
        settings: "`cp --reflink=never --sparse=never`; no network",
        runtime: Runtime::Multi,
        workloads: &[Workload::W9],
        tls: false,
    };

    async fn serve(serving: Serving) -> Result<()> {
        accept_each(serving, |_| async { Ok(()) }).await
    }

    async fn connect(target: &Target) -> Result<CopyClient> {
        Ok(CopyClient {
            directory: target.directory.clone(),
        })
    }
}

#[derive(Clone)]
pub struct CopyClient {
    directory: PathBuf,
}

impl Client for CopyClient {
    async fn file(&self, path: PathBuf) -> Result<u64> {
        let stored = self.directory.join("cp");
        let status = Command::new("cp")
            .args(["--reflink=never", "--sparse=never"])
            .args([&path, &stored])
            .status()
            .await?;
        match status.success() {
            true => Ok(tokio::fs::metadata(stored).await?.len()),
            false => Err("cp failed".into()),
        }
    }
}

//! What `upload`, `stream-sum` and `everything` answer: sizes and hashes.

use std::io;

use futures_util::future::try_join_all;
use sha2::{Digest as _, Sha256};
use sockety::{ByteStream, File};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::service::{Digest, FileDigest};

/// How much is read at a time.
const CHUNK: usize = 16 * 1024;

pub fn of_bytes(bytes: &[u8]) -> Digest {
    Digest {
        bytes: bytes.len() as u64,
        sha256: hex(&Sha256::digest(bytes)),
    }
}

/// The digest of a stream that may be missing.
pub async fn of_stream(stream: Option<ByteStream>) -> io::Result<Digest> {
    match stream {
        Some(stream) => of_reader(stream).await,
        None => Ok(of_bytes(&[])),
    }
}

/// All files are read concurrently. The peer may interleave them as it likes, and an unread file
/// would soon block those behind it on the connection.
pub async fn of_files(files: Vec<File>) -> io::Result<Vec<FileDigest>> {
    try_join_all(files.into_iter().map(of_file)).await
}

async fn of_file(file: File) -> io::Result<FileDigest> {
    let name = file.name().to_owned();
    let Digest { bytes, sha256 } = of_reader(file).await?;
    Ok(FileDigest {
        name,
        size: bytes,
        sha256,
    })
}

async fn of_reader(mut reader: impl AsyncRead + Unpin) -> io::Result<Digest> {
    let (mut bytes, mut sha256) = (0, Sha256::new());
    let mut chunk = Vec::with_capacity(CHUNK);
    // A reported end is the true end: incomplete content is an error.
    while reader.read_buf(&mut chunk).await? > 0 {
        bytes += chunk.len() as u64;
        sha256.update(&chunk);
        chunk.clear();
    }
    Ok(Digest {
        bytes,
        sha256: hex(&sha256.finalize()),
    })
}

fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

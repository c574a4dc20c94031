use std::{
    fmt, fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use tokio::net::{UnixListener, UnixStream};

use crate::error::chain::chain;

/// The file of a listening Unix socket, which is removed when this is dropped.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    id: FileId,
}

/// Device and inode.
type FileId = (u64, u64);

/// Listens on a path. A file left behind by a process that has ended is replaced; one that somebody
/// listens on is not.
pub(super) async fn bind(path: &Path) -> io::Result<(UnixListener, Option<SocketFile>)> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path).await?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    // The working directory may change until the file is removed.
    let path = std::path::absolute(path)?;
    let file = id_of(&path).map(|id| SocketFile { path, id });
    Ok((listener, file))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another server may have replaced the file meanwhile.
        if id_of(&self.path) == Some(self.id) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn id_of(path: &Path) -> Option<FileId> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[derive(thiserror::Error)]
#[error("another process may listen there")]
struct MaybeInUse(#[source] io::Error);

impl fmt::Debug for MaybeInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&chain(self), f)
    }
}

/// Two servers that find the same stale file at the same time may remove each other's new file.
/// Preventing that would take a lock file, which would be left behind in turn.
async fn remove_stale(path: &Path) -> io::Result<()> {
    let in_use = |what| Err(io::Error::new(io::ErrorKind::AddrInUse, what));
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return in_use("a file that is not a socket exists there");
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Ok(_) => in_use("another process listens there"),
        // Its queue may be full, or it may belong to another user.
        Err(error) => Err(io::Error::new(io::ErrorKind::AddrInUse, MaybeInUse(error))),
    }
}
